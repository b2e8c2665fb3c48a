//! Laravel, Symfony, Spring, JAX-RS (Quarkus), ASP.NET, Phoenix.
//!
//! Sources: laravel.com/docs/routing, symfony.com/doc/current/routing.html, docs.spring.io "Mapping Requests",
//! jakarta.ee JAX-RS (Path), quarkus.io/guides/smallrye-health, learn.microsoft.com "Routing in ASP.NET Core",
//! hexdocs.pm/phoenix/routing.html.

use std::sync::LazyLock;

use landfall_evidence::Route;
use regex::Regex;

use super::lexical::{Groups, closes, first_literal, join, methods_in, regex};
use crate::source::{Language, Source};
use crate::tree::{Tree, file_name};

pub(super) fn read(tree: &Tree, sources: &[Source]) -> Vec<Route> {
    let mut routes = Vec::new();
    for source in sources {
        match source.language {
            Language::Php if source.path.starts_with("routes/") || source.path.contains("/routes/") => {
                laravel(source, &mut routes)
            }
            Language::Php if source.code.contains("#[Route") => symfony(source, &mut routes),
            Language::Java | Language::Kotlin => jvm(source, &mut routes),
            Language::CSharp => dotnet(source, &mut routes),
            Language::Elixir
                if source.code.contains("Phoenix.Router") || source.code.contains(", :router") =>
            {
                phoenix(source, &mut routes)
            }
            _ => {}
        }
    }
    built_in(tree, &mut routes);
    routes
}

/// Routes that a dependency brings.
fn built_in(tree: &Tree, routes: &mut Vec<Route>) {
    for manifest in ["pom.xml", "build.gradle", "build.gradle.kts"] {
        let Some(Ok(text)) = tree.text(manifest) else { continue };
        let mut add = |word: &str, path: &str| {
            if let Some(at) = text.find(word) {
                let line = text[..at].matches('\n').count() + 1;
                let place = format!("{manifest}:{line}");
                routes.push(Route { methods: vec!["GET".to_owned()], path: path.to_owned(), place });
            }
        };
        for path in
            ["/actuator", "/actuator/health", "/actuator/health/liveness", "/actuator/health/readiness"]
        {
            add("spring-boot-starter-actuator", path);
        }
        for path in ["/q/health", "/q/health/live", "/q/health/ready"] {
            add("quarkus-smallrye-health", path);
        }
    }
    // Laravel 11 names its health route in bootstrap/app.php.
    static HEALTH: LazyLock<Regex> = LazyLock::new(|| regex(r#"\bhealth:\s*["']([^"']+)["']"#));
    if let Some(Ok(text)) = tree.text("bootstrap/app.php")
        && let Some(c) = HEALTH.captures(&text)
    {
        routes.push(Route {
            methods: vec!["GET".to_owned()],
            path: join("", &c[1]),
            place: "bootstrap/app.php:1".to_owned(),
        });
    }
}

fn laravel(source: &Source, routes: &mut Vec<Route>) {
    static ROUTE: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?:\bRoute::|->)(get|post|put|patch|delete|options|any|match|resource|apiResource|view|redirect)\s*(\()",
        )
    });
    static GROUP: LazyLock<Regex> = LazyLock::new(|| regex(r"->group\s*(\()|\bRoute::group\s*(\()"));
    static PREFIX: LazyLock<Regex> =
        LazyLock::new(|| regex(r#"(?:\bprefix\s*\(\s*|["']prefix["']\s*=>\s*)["']([^"']*)["']"#));
    let mut groups = Groups::default();
    for c in GROUP.captures_iter(&source.code) {
        let Some(open) = c.get(1).or_else(|| c.get(2)) else { continue };
        let end = closes(source, open.start());
        // `Route::prefix('v1')->middleware(…)->group(…)`: the prefix stands between the last `Route::` and here.
        let from = source.code[..open.start()].rfind("Route::").unwrap_or_default();
        let head_end = source.code[open.start()..end].find("function").map_or(end, |at| open.start() + at);
        if let Some(prefix) = PREFIX.captures(&source.code[from..head_end]) {
            groups.add(open.start()..end, &prefix[1]);
        }
    }
    // bootstrap/app.php serves routes/api.php under /api.
    let base = if file_name(&source.path) == "api.php" { "/api" } else { "" };
    for c in ROUTE.captures_iter(&source.code) {
        let (Some(at), Some(open)) = (c.get(1), c.get(2)) else { continue };
        let call = &source.code[open.start()..closes(source, open.start())];
        let first = first_literal(source, open.start());
        let path_of = |path: &str| join(&join(base, &groups.prefix(at.start())), path);
        let place = source.place(at.start());
        let mut push = |methods: &[&str], path: String| {
            let methods = methods.iter().map(|m| (*m).to_owned()).collect();
            routes.push(Route { methods, path, place: place.clone() });
        };
        match (&c[1], first) {
            ("match", _) => {
                let arguments = source.arguments(open.start()).unwrap_or_default();
                if let Some(path) = arguments.get(1).and_then(|a| crate::source::literal(a)) {
                    let methods = methods_in(arguments[0]);
                    let path = path_of(path);
                    routes.push(Route { methods, path, place });
                }
            }
            ("any" | "redirect", Some(path)) => push(&[], path_of(path)),
            ("view", Some(path)) => push(&["GET"], path_of(path)),
            (kind @ ("resource" | "apiResource"), Some(name)) => {
                let many = path_of(name);
                let one = join(&many, "{id}");
                push(&["GET"], many.clone());
                push(&["POST"], many.clone());
                push(&["GET"], one.clone());
                push(&["PATCH", "PUT"], one.clone());
                push(&["DELETE"], one);
                if kind == "resource" {
                    push(&["GET"], join(&many, "create"));
                }
            }
            (verb, Some(path)) if call.contains(',') => push(&[&verb.to_uppercase()], path_of(path)),
            _ => {}
        }
    }
}

fn symfony(source: &Source, routes: &mut Vec<Route>) {
    static ATTRIBUTE: LazyLock<Regex> = LazyLock::new(|| regex(r"#\[Route\s*(\()"));
    let mut base = String::new();
    for c in ATTRIBUTE.captures_iter(&source.code) {
        let (Some(at), Some(open)) = (c.get(0), c.get(1)) else { continue };
        let end = closes(source, open.start());
        let call = &source.code[open.start()..end];
        let named =
            call.find("path:").and_then(|p| crate::source::split_top(&call[p + 5..]).first().copied());
        let path = first_literal(source, open.start())
            .or_else(|| named.and_then(crate::source::literal))
            .unwrap_or_default();
        let after = source.code.get(end..).unwrap_or_default();
        let next = after.find(['{', ';']).map_or(after, |stop| &after[..stop]);
        if next.contains("class ") {
            base = path.to_owned();
            continue;
        }
        let methods = call.find("methods").map_or(Vec::new(), |at| methods_in(&call[at..]));
        routes.push(Route { methods, path: join(&base, path), place: source.place(at.start()) });
    }
}

fn jvm(source: &Source, routes: &mut Vec<Route>) {
    static MAPPING: LazyLock<Regex> =
        LazyLock::new(|| regex(r"@(Get|Post|Put|Patch|Delete|Request)Mapping\b\s*(\([^)]*\))?"));
    static PATH: LazyLock<Regex> = LazyLock::new(|| regex(r#"@Path\s*\(\s*"([^"]*)"\s*\)"#));
    static VERB: LazyLock<Regex> = LazyLock::new(|| regex(r"@(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS)\b"));
    static TEXT: LazyLock<Regex> = LazyLock::new(|| regex(r#""([^"]*)""#));
    let code = &source.code;
    // Data classes may stand before the controller in the same file.
    let marked = ["@RestController", "@Controller", "@Path"]
        .iter()
        .filter_map(|mark| code.find(mark))
        .min()
        .unwrap_or_default();
    let class =
        regex(r"\b(?:class|interface|object)\s+\w+").find_at(code, marked).map_or(code.len(), |m| m.start());
    if code.contains("Mapping") && (code.contains("@RestController") || code.contains("@Controller")) {
        // `value`, `path` or the bare text; `produces` and the like stand behind them.
        let path_in = |arguments: &str| -> Vec<String> {
            let head = arguments
                .split("produces")
                .next()
                .unwrap_or_default()
                .split("consumes")
                .next()
                .unwrap_or_default();
            let head = head.split("method").next().unwrap_or_default();
            let all: Vec<String> = TEXT.captures_iter(head).map(|c| c[1].to_owned()).collect();
            if all.is_empty() { vec![String::new()] } else { all }
        };
        let mut base = vec![String::new()];
        for c in MAPPING.captures_iter(code) {
            let Some(at) = c.get(0) else { continue };
            let arguments = c.get(2).map_or("", |m| m.as_str());
            if at.start() < class {
                base = path_in(arguments);
                continue;
            }
            let methods = match &c[1] {
                "Request" => methods_in(arguments.find("method").map_or("", |m| &arguments[m..])),
                verb => vec![verb.to_uppercase()],
            };
            for above in &base {
                for path in path_in(arguments) {
                    let path = join(above, &path);
                    routes.push(Route { methods: methods.clone(), path, place: source.place(at.start()) });
                }
            }
        }
    } else if code.contains("@Path") {
        let base = PATH.captures_iter(code).find(|c| c.get(0).is_some_and(|m| m.start() < class));
        let base = base.map_or(String::new(), |c| c[1].to_owned());
        for c in VERB.captures_iter(code) {
            let Some(at) = c.get(0).filter(|at| at.start() > class) else { continue };
            // The path of a method stands among its annotations, before its body.
            // A brace inside of a path stands beside other characters than the brace of a body.
            let ends = |text: &str| ["{\n", "}\n", ";\n"].iter().filter_map(|end| text.rfind(end)).max();
            let before = ends(&code[..at.start()]).unwrap_or_default();
            let after = &code[at.start()..];
            let end =
                [" {", "){", ";\n"].iter().filter_map(|end| after.find(end)).min().unwrap_or(after.len());
            let end = at.start() + end;
            let path = PATH.captures(&code[before..end]).map_or(String::new(), |c| c[1].to_owned());
            routes.push(Route {
                methods: vec![c[1].to_owned()],
                path: join(&base, &path),
                place: source.place(at.start()),
            });
        }
    }
}

fn dotnet(source: &Source, routes: &mut Vec<Route>) {
    static MAP: LazyLock<Regex> = LazyLock::new(|| {
        regex(r"\b(\w+)\.(MapGet|MapPost|MapPut|MapPatch|MapDelete|MapHealthChecks|Map)\s*(\()")
    });
    static GROUP: LazyLock<Regex> = LazyLock::new(|| regex(r"\b(\w+)\s*=\s*(\w+)\.MapGroup\s*(\()"));
    static ATTRIBUTE: LazyLock<Regex> = LazyLock::new(|| {
        regex(r#"\[(Http(?:Get|Post|Put|Patch|Delete)|Route)(?:\s*\(\s*"([^"]*)"[^\]]*)?\]"#)
    });
    static CLASS: LazyLock<Regex> = LazyLock::new(|| regex(r"\bclass\s+(\w+)"));
    let code = &source.code;
    let mut groups: Vec<(String, String)> = Vec::new();
    for c in GROUP.captures_iter(code) {
        let prefix = c.get(3).and_then(|o| first_literal(source, o.start())).unwrap_or_default();
        let above =
            groups.iter().rfind(|(name, _)| *name == c[2]).map(|(_, p)| p.clone()).unwrap_or_default();
        groups.push((c[1].to_owned(), join(&above, prefix)));
    }
    for c in MAP.captures_iter(code) {
        let (Some(at), Some(open)) = (c.get(0), c.get(3)) else { continue };
        let Some(path) = first_literal(source, open.start()) else { continue };
        let above =
            groups.iter().rfind(|(name, _)| *name == c[1]).map(|(_, p)| p.as_str()).unwrap_or_default();
        let methods = match &c[2] {
            "Map" => Vec::new(),
            "MapHealthChecks" => vec!["GET".to_owned()],
            verb => vec![verb[3..].to_uppercase()],
        };
        routes.push(Route { methods, path: join(above, path), place: source.place(at.start()) });
    }
    if !code.contains("Controller") {
        return;
    }
    let class = CLASS.captures(code);
    let class_at = class.as_ref().and_then(|c| c.get(0)).map_or(0, |m| m.start());
    let name = class.map_or(String::new(), |c| c[1].trim_end_matches("Controller").to_lowercase());
    let mut base = String::new();
    for c in ATTRIBUTE.captures_iter(code) {
        let Some(at) = c.get(0) else { continue };
        let path = c.get(2).map_or("", |m| m.as_str()).replace("[controller]", &name);
        if at.start() < class_at {
            if &c[1] == "Route" {
                base = path;
            }
        } else if let Some(verb) = c[1].strip_prefix("Http") {
            let path = if path.starts_with('/') { path } else { join(&base, &path) };
            routes.push(Route { methods: vec![verb.to_uppercase()], path, place: source.place(at.start()) });
        }
    }
}

fn phoenix(source: &Source, routes: &mut Vec<Route>) {
    static LINE: LazyLock<Regex> = LazyLock::new(|| {
        regex(r#"^(scope|get|post|put|patch|delete|head|options|live|resources|forward)[ (]+"([^"]*)"(.*)$"#)
    });
    static ATOMS: LazyLock<Regex> = LazyLock::new(|| regex(r"(only|except):\s*\[([^\]]*)\]"));
    let mut open: Vec<String> = Vec::new();
    let mut offset = 0;
    for line in source.code.split_inclusive('\n') {
        let at = offset;
        offset += line.len();
        let line = line.trim();
        if line == "end" {
            open.pop();
            continue;
        }
        let mut adds = String::new();
        if let Some(c) = LINE.captures(line) {
            let base = open.iter().fold(String::new(), |path, part| join(&path, part));
            let path = join(&base, &c[2]);
            let place = source.place(at);
            let mut push = |method: &str, path: &str| {
                let methods = if method.is_empty() { Vec::new() } else { vec![method.to_owned()] };
                routes.push(Route { methods, path: path.to_owned(), place: place.clone() });
            };
            match &c[1] {
                "scope" => adds = c[2].to_owned(),
                "resources" => {
                    let limits: Vec<(String, String)> =
                        ATOMS.captures_iter(&c[3]).map(|a| (a[1].to_owned(), a[2].to_owned())).collect();
                    let has = |action: &str| {
                        limits.iter().all(|(kind, all)| {
                            (kind == "only") == all.split(',').any(|a| a.trim() == format!(":{action}"))
                        })
                    };
                    let one = join(&path, ":id");
                    for (action, method, to) in [
                        ("index", "GET", &path),
                        ("create", "POST", &path),
                        ("show", "GET", &one),
                        ("update", "PATCH", &one),
                        ("update", "PUT", &one),
                        ("delete", "DELETE", &one),
                    ] {
                        if has(action) {
                            push(method, to);
                        }
                    }
                }
                "live" => push("GET", &path),
                "forward" => push("", &path),
                verb => push(&verb.to_uppercase(), &path),
            }
        }
        if line.ends_with(" do") || line == "do" {
            open.push(adds);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    #[test]
    fn laravel_groups_and_symfony_attributes() {
        check(
            &[
                (
                    "routes/api.php",
                    "<?php\nRoute::get('/health', fn () => ['ok' => true]);\nRoute::prefix('v1')->middleware('auth')->group(function () {\n    Route::post('/items', [ItemController::class, 'store']);\n    Route::match(['get', 'head'], '/x', 'y');\n});\n",
                ),
                (
                    "src/Controller/ItemController.php",
                    "<?php\n#[Route('/admin')]\nclass ItemController extends AbstractController\n{\n    #[Route('/items/{id}', name: 'item', methods: ['GET'])]\n    public function item(): Response {}\n    #[Route(path: '/all')]\n    public function all(): Response {}\n}\n",
                ),
            ],
            &[
                " /admin/all src/Controller/ItemController.php:7",
                "GET /admin/items/{id} src/Controller/ItemController.php:5",
                "GET /api/health routes/api.php:2",
                "POST /api/v1/items routes/api.php:4",
                "GET,HEAD /api/v1/x routes/api.php:5",
            ],
        );
    }

    #[test]
    fn spring_and_quarkus() {
        check(
            &[
                ("pom.xml", "<project>\n<artifactId>quarkus-smallrye-health</artifactId>\n</project>"),
                (
                    "src/main/java/A.java",
                    "@RestController\n@RequestMapping(\"/api\")\nclass A {\n  @GetMapping(value = \"/items/{id}\", produces = \"application/json\")\n  Item one() { return null; }\n  @PostMapping\n  Item add() { return null; }\n  @RequestMapping(path = \"/x\", method = RequestMethod.PUT)\n  void x() {}\n}\n",
                ),
                (
                    "src/main/kotlin/B.kt",
                    "@Path(\"/things\")\nclass B {\n  @GET\n  @Path(\"/{id}\")\n  fun one() { }\n  @POST\n  fun add() { }\n}\n",
                ),
            ],
            &[
                "POST /api src/main/java/A.java:6",
                "GET /api/items/{id} src/main/java/A.java:4",
                "PUT /api/x src/main/java/A.java:8",
                "GET /q/health pom.xml:2",
                "GET /q/health/live pom.xml:2",
                "GET /q/health/ready pom.xml:2",
                "POST /things src/main/kotlin/B.kt:6",
                "GET /things/{id} src/main/kotlin/B.kt:3",
            ],
        );
    }

    #[test]
    fn aspnet_and_phoenix() {
        check(
            &[
                (
                    "Program.cs",
                    "var app = builder.Build();\napp.MapGet(\"/health\", () => \"ok\");\nvar api = app.MapGroup(\"/api\");\napi.MapPost(\"/items\", Add);\n",
                ),
                (
                    "ItemsController.cs",
                    "[ApiController]\n[Route(\"v2/[controller]\")]\npublic class ItemsController : ControllerBase {\n  [HttpGet(\"{id}\")]\n  public Item One() => null;\n  [HttpDelete]\n  public void Gone() {}\n}\n",
                ),
                (
                    "lib/shop_web/router.ex",
                    "defmodule ShopWeb.Router do\n  use ShopWeb, :router\n  scope \"/api\", ShopWeb do\n    get \"/ping\", PageController, :ping\n    resources \"/posts\", PostController, only: [:index, :delete]\n  end\nend\n",
                ),
            ],
            &[
                "POST /api/items Program.cs:4",
                "GET /api/ping lib/shop_web/router.ex:4",
                "GET /api/posts lib/shop_web/router.ex:5",
                "DELETE /api/posts/:id lib/shop_web/router.ex:5",
                "GET /health Program.cs:2",
                "DELETE /v2/items ItemsController.cs:6",
                "GET /v2/items/{id} ItemsController.cs:4",
            ],
        );
    }
}
