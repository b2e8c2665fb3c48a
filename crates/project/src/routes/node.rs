//! Nest's controllers, Next's files, Fastify's plugins. (Express, Koa and plain Fastify: `express.rs`.)
//!
//! Sources: docs.nestjs.com/controllers, nextjs.org/docs "Route Handlers" and "Pages and Layouts", fastify.dev "Routes"
//! and "Plugins".

use std::collections::BTreeMap;
use std::sync::LazyLock;

use landfall_evidence::Route;
use regex::Regex;

use super::express::module;
use super::lexical::{closes, first_literal, join, methods_in, regex};
use crate::source::{Language, Source, literal};
use crate::tree::{Tree, file_name, parent};
use crate::words::{Pattern, words};

pub(super) fn read(tree: &Tree, sources: &[Source]) -> Vec<Route> {
    let files: Vec<&Source> = sources.iter().filter(|s| s.language == Language::JavaScript).collect();
    let mut routes = Vec::new();
    nest(&files, &mut routes);
    next(tree, &files, &mut routes);
    fastify(tree, &files, &mut routes);
    routes
}

fn nest(files: &[&Source], routes: &mut Vec<Route>) {
    static CONTROLLER: LazyLock<Regex> = LazyLock::new(|| regex(r"@Controller\s*(\()"));
    static HANDLER: LazyLock<Regex> =
        LazyLock::new(|| regex(r"@(Get|Post|Put|Patch|Delete|Head|Options|All)\s*(\()"));
    static PREFIX: LazyLock<Pattern> =
        LazyLock::new(|| Pattern::new(words![".setGlobalPrefix"], r"\.setGlobalPrefix\s*(\()"));
    static PATH: LazyLock<Regex> = LazyLock::new(|| regex(r#"path\s*:\s*["'`]([^"'`]*)["'`]"#));
    let prefix = files.iter().find_map(|s| {
        let open = PREFIX.captures_iter(s).next()?.get(1)?.start();
        first_literal(s, open).map(str::to_owned)
    });
    for source in files.iter().filter(|s| s.code.contains("@Controller")) {
        let controllers: Vec<(usize, String)> = CONTROLLER
            .captures_iter(&source.code)
            .filter_map(|c| {
                let open = c.get(1)?.start();
                let inner = &source.code[open..closes(source, open)];
                let path = first_literal(source, open)
                    .map(str::to_owned)
                    .or_else(|| PATH.captures(inner).map(|c| c[1].to_owned()))
                    .unwrap_or_default();
                Some((open, path))
            })
            .collect();
        for c in HANDLER.captures_iter(&source.code) {
            let (Some(at), Some(open)) = (c.get(0), c.get(2)) else { continue };
            let Some((_, base)) = controllers.iter().rfind(|(start, _)| *start < at.start()) else {
                continue;
            };
            let path = first_literal(source, open.start()).unwrap_or_default();
            let path = join(&join(prefix.as_deref().unwrap_or_default(), base), path);
            let methods = if &c[1] == "All" { Vec::new() } else { vec![c[1].to_uppercase()] };
            routes.push(Route { methods, path, place: source.place(at.start()) });
        }
    }
}

fn next(tree: &Tree, files: &[&Source], routes: &mut Vec<Route>) {
    static EXPORTED: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"\bexport\s+(?:async\s+)?(?:function|const)\s+(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS)\b|\bexport\s*\{([^}]*)\}",
        )
    });
    let is_next = ["next.config.js", "next.config.mjs", "next.config.ts"].iter().any(|name| tree.has(name))
        || tree.text("package.json").and_then(Result::ok).is_some_and(|text| text.contains("\"next\""));
    if !is_next {
        return;
    }
    for source in files {
        let path = source.path.strip_prefix("src/").unwrap_or(&source.path);
        let Some((stem, _)) = path.rsplit_once('.') else { continue };
        let (base, name) = (parent(stem), file_name(stem));
        if let Some(below) = base.strip_prefix("app").filter(|b| b.is_empty() || b.starts_with('/')) {
            let methods = match name {
                "route" => {
                    let mut all = Vec::new();
                    for c in EXPORTED.captures_iter(&source.code) {
                        match (c.get(1), c.get(2)) {
                            (Some(one), _) => all.push(one.as_str().to_owned()),
                            (None, Some(list)) => all.extend(methods_in(list.as_str())),
                            _ => {}
                        }
                    }
                    all.sort();
                    all.dedup();
                    all
                }
                "page" => vec!["GET".to_owned()],
                _ => continue,
            };
            routes.push(Route { methods, path: segments(below), place: format!("{}:1", source.path) });
        } else if let Some(below) = stem.strip_prefix("pages/") {
            if below.split('/').any(|part| part.starts_with('_')) {
                continue;
            }
            let below =
                below.strip_suffix("index").filter(|b| b.is_empty() || b.ends_with('/')).unwrap_or(below);
            let methods =
                if below.starts_with("api/") || below == "api" { Vec::new() } else { vec!["GET".to_owned()] };
            routes.push(Route { methods, path: segments(below), place: format!("{}:1", source.path) });
        }
    }
}

/// `[id]` is a parameter, `[...rest]` the rest of the path, `(group)` and `@slot` are no part of it.
fn segments(path: &str) -> String {
    let parts = path.split('/').filter(|p| !p.is_empty() && !p.starts_with(['(', '@']));
    let named = parts.map(|part| match part.strip_prefix('[').and_then(|p| p.strip_suffix(']')) {
        Some(inner) if inner.trim_start_matches('[').starts_with("...") => "*".to_owned(),
        Some(inner) => format!(":{inner}"),
        None => part.to_owned(),
    });
    join("", &named.collect::<Vec<_>>().join("/"))
}

/// Plugins: a function whose first parameter is the instance, registered by another file under a prefix.
fn fastify(tree: &Tree, files: &[&Source], routes: &mut Vec<Route>) {
    static MADE: LazyLock<Pattern> = LazyLock::new(|| {
        Pattern::new(
            words!["fastify"],
            r"\b(?:const|let|var)\s+(\w+)[^=\n]*=\s*(?:await\s+)?(?:require\(\s*['\x22]fastify['\x22]\s*\)|fastify|Fastify)(?:<[^>]*>)?\s*\(",
        )
    });
    static PLUGIN: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?:module\.exports\s*=\s*|export\s+default\s+|export\s+(?:const\s+\w+[^=\n]*=\s*)?|const\s+\w+[^=\n]*=\s*)?(?:async\s+)?(?:function\s*\w*\s*)?\(\s*(fastify|app|server|instance)\b[^)]*\)",
        )
    });
    static ROUTE: LazyLock<Regex> = LazyLock::new(|| {
        regex(r"\b(\w+)\.(get|post|put|patch|delete|head|options|all|route)\s*(?:<[^(]*>)?\s*(\()")
    });
    static REGISTER: LazyLock<Pattern> =
        LazyLock::new(|| Pattern::new(words![".register"], r"\b(\w+)\.register\s*(\()"));
    static PREFIX: LazyLock<Regex> = LazyLock::new(|| regex(r#"\bprefix\s*:\s*["'`]([^"'`]*)["'`]"#));
    static URL: LazyLock<Regex> = LazyLock::new(|| regex(r#"\burl\s*:\s*["'`]([^"'`]*)["'`]"#));
    static IMPORT: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r#"(?:\b(?:const|let|var)\s+\{?\s*(\w+)\s*\}?\s*=\s*require\s*\(\s*["'](\.[^"']*)["']|\bimport\s+\{?\s*(\w+)\s*\}?\s+from\s+["'](\.[^"']*)["'])"#,
        )
    });
    if !files.iter().any(|s| MADE.is_match(s)) {
        return;
    }
    let mut mounted: BTreeMap<String, String> = BTreeMap::new();
    for source in files {
        for c in REGISTER.captures_iter(source) {
            let Some(open) = c.get(2) else { continue };
            let call = &source.code[open.start()..closes(source, open.start())];
            let Some(arguments) = source.arguments(open.start()) else { continue };
            let Some(first) = arguments.first() else { continue };
            let target = match first.strip_prefix("require") {
                Some(rest) => literal(rest.trim_matches(['(', ')'])).map(str::to_owned),
                None => IMPORT.captures_iter(&source.code).find_map(|i| {
                    let local = i.get(1).or_else(|| i.get(3))?.as_str();
                    (local == *first).then(|| i.get(2).or_else(|| i.get(4)).map(|m| m.as_str().to_owned()))?
                }),
            };
            let Some(file) = target.and_then(|t| module(tree, &source.path, &t)) else { continue };
            let prefix = PREFIX.captures(call).map_or(String::new(), |c| c[1].to_owned());
            mounted.insert(file, prefix);
        }
    }
    for source in files {
        let own: Vec<String> = MADE.captures_iter(source).map(|c| c[1].to_owned()).collect();
        let plugin =
            mounted.get(&source.path).and_then(|prefix| Some((PLUGIN.captures(&source.code)?, prefix)));
        if own.is_empty() && plugin.is_none() {
            continue;
        }
        for c in ROUTE.captures_iter(&source.code) {
            let (Some(owner), Some(open)) = (c.get(1), c.get(3)) else { continue };
            let prefix = match &plugin {
                Some((found, prefix)) if &found[1] == owner.as_str() => prefix.as_str(),
                _ if own.iter().any(|name| name == owner.as_str()) => "",
                _ => continue,
            };
            let call = &source.code[open.start()..closes(source, open.start())];
            let (methods, path) = match &c[2] {
                "route" => match URL.captures(call) {
                    Some(url) => {
                        let method =
                            call.find("method").map_or("", |at| call[at..].split("url").next().unwrap_or(""));
                        (methods_in(method), url[1].to_owned())
                    }
                    None => continue,
                },
                verb => match first_literal(source, open.start())
                    .filter(|p| p.starts_with('/') || p.is_empty())
                {
                    Some(path) => {
                        (if verb == "all" { Vec::new() } else { vec![verb.to_uppercase()] }, path.to_owned())
                    }
                    None => continue,
                },
            };
            routes.push(Route { methods, path: join(prefix, &path), place: source.place(owner.start()) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    #[test]
    fn controllers_under_a_global_prefix() {
        check(
            &[
                ("src/main.ts", "const app = await NestFactory.create(M);\napp.setGlobalPrefix('api');\n"),
                (
                    "src/users.controller.ts",
                    "@Controller('users')\nexport class Users {\n  @Get()\n  all() {}\n  @Get(':id')\n  one() {}\n  @Post('bulk')\n  add() {}\n}\n",
                ),
            ],
            &[
                "GET /api/users src/users.controller.ts:3",
                "GET /api/users/:id src/users.controller.ts:5",
                "POST /api/users/bulk src/users.controller.ts:7",
            ],
        );
    }

    #[test]
    fn files_are_routes_in_next() {
        check(
            &[
                ("package.json", "{\"dependencies\":{\"next\":\"15.0.0\"}}"),
                ("app/page.tsx", "export default function Page() {}\n"),
                ("app/(shop)/items/[id]/route.ts", "export async function GET() {}\nexport const POST = f\n"),
                ("src/pages/api/[...rest].ts", "export default h\n"),
                ("src/pages/_app.tsx", ""),
                ("src/pages/about/index.tsx", ""),
            ],
            &[
                "GET / app/page.tsx:1",
                "GET /about src/pages/about/index.tsx:1",
                " /api/* src/pages/api/[...rest].ts:1",
                "GET,POST /items/:id app/(shop)/items/[id]/route.ts:1",
            ],
        );
    }

    #[test]
    fn fastify_plugins_and_koa_routers() {
        check(
            &[
                (
                    "server.js",
                    "const fastify = require('fastify')({ logger: true })\nconst items = require('./items')\nfastify.register(items, { prefix: '/v1' })\nfastify.get('/health', async () => ({}))\nfastify.route({ method: ['GET', 'HEAD'], url: '/x', handler })\n",
                ),
                (
                    "items.js",
                    "module.exports = async function (fastify, opts) {\n  fastify.post('/items', h)\n}\n",
                ),
            ],
            &["GET /health server.js:4", "POST /v1/items items.js:2", "GET,HEAD /x server.js:5"],
        );
        check(
            &[(
                "app.js",
                "const Koa = require('koa');\nconst app = new Koa();\nconst router = new Router({ prefix: '/api' });\nrouter.get('/items', h);\napp.use(router.routes());\n",
            )],
            &["GET /api/items app.js:4"],
        );
    }
}
