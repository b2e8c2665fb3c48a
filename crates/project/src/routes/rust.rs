//! Rust: axum, actix-web, Rocket.
//!
//! Sources: docs.rs/axum (Router::route, nest, merge), docs.rs/actix-web (scope, resource, route macros), rocket.rs
//! "Requests" and `routes!`.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;

use landfall_evidence::Route;
use regex::Regex;

use super::lexical::{Groups, closes, first_literal, join, regex};
use crate::source::{Language, Source};

static CALL: LazyLock<Regex> = LazyLock::new(|| regex(r"\.(route|nest|nest_service|merge|fallback)\s*(\()"));
static FUNCTION: LazyLock<Regex> = LazyLock::new(|| regex(r"\bfn\s+(\w+)[^{};]*\{"));
static ATTRIBUTE: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r#"#\[\s*(?:\w+::)?(get|post|put|patch|delete|head|options)\s*\(\s*(?:uri\s*=\s*)?"([^"]*)"[^\]]*\][^{]*?\bfn\s+(\w+)"#,
    )
});
static METHOD: LazyLock<Regex> =
    LazyLock::new(|| regex(r"\b(get|post|put|patch|delete|head|options)(?:_service)?\s*\("));
static MOUNT: LazyLock<Regex> =
    LazyLock::new(|| regex(r#"\.mount\(\s*"([^"]*)"\s*,\s*routes!\s*\[([^\]]*)\]"#));
static SCOPE: LazyLock<Regex> = LazyLock::new(|| regex(r"\b(?:web::)?(scope|resource)\s*(\()"));
static SERVICE: LazyLock<Regex> = LazyLock::new(|| regex(r"\.service\(\s*(\w+(?:::\w+)*)\s*\)"));
static CONFIGURE: LazyLock<Regex> = LazyLock::new(|| regex(r"\.configure\(\s*(\w+(?:::\w+)*)\s*\)"));

pub(super) fn read(sources: &[Source]) -> Vec<Route> {
    let files: Vec<&Source> = sources.iter().filter(|s| s.language == Language::Rust).collect();
    let uses = |word: &str| files.iter().any(|s| s.code.contains(word));
    let mut routes = Vec::new();
    if uses("axum") {
        axum(&files, &mut routes);
    }
    if uses("actix_web") {
        actix(&files, &mut routes);
    }
    if uses("rocket") {
        rocket(&files, &mut routes);
    }
    routes
}

/// The functions of a file: name and body.
fn functions(source: &Source) -> Vec<(String, Range<usize>)> {
    FUNCTION
        .captures_iter(&source.code)
        .filter_map(|c| {
            let open = c.get(0)?.end() - 1;
            Some((c[1].to_owned(), open..closes(source, open)))
        })
        .collect()
}

fn axum(files: &[&Source], routes: &mut Vec<Route>) {
    // Prefixes by the name of the function that makes the nested router; one that nobody nests is the root.
    let mut nested: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    let all: Vec<Vec<(String, Range<usize>)>> = files.iter().map(|s| functions(s)).collect();
    let around = |at: usize, own: &[(String, Range<usize>)]| {
        own.iter()
            .filter(|(_, body)| body.contains(&at))
            .map(|(name, _)| name.clone())
            .next_back()
            .unwrap_or_default()
    };
    for (source, own) in files.iter().zip(&all) {
        for c in CALL.captures_iter(&source.code).filter(|c| matches!(&c[1], "nest" | "merge")) {
            let Some(open) = c.get(2) else { continue };
            let Some(arguments) = source.arguments(open.start()) else { continue };
            let Some(last) = arguments.last() else { continue };
            let name =
                last.split('(').next().unwrap_or_default().rsplit("::").next().unwrap_or_default().trim();
            let prefix =
                if &c[1] == "nest" { first_literal(source, open.start()).unwrap_or_default() } else { "" };
            let from = around(open.start(), own);
            if from != name {
                nested.entry(name.to_owned()).or_default().push((from, prefix.to_owned()));
            }
        }
    }
    fn prefixes(name: &str, nested: &BTreeMap<String, Vec<(String, String)>>, depth: usize) -> Vec<String> {
        let Some(places) = nested.get(name).filter(|_| depth < super::MAX_NESTING) else {
            return vec![String::new()];
        };
        places
            .iter()
            .take(super::MAX_MOUNTS)
            .flat_map(|(from, prefix)| {
                prefixes(from, nested, depth + 1)
                    .into_iter()
                    .map(|above| join(&above, prefix))
                    .collect::<Vec<_>>()
            })
            .collect()
    }
    for (source, own) in files.iter().zip(&all) {
        // A router that is written inside the call that nests it.
        let mut inline = Groups::default();
        let mut variables: BTreeMap<String, String> = BTreeMap::new();
        for c in CALL.captures_iter(&source.code).filter(|c| &c[1] == "nest") {
            let Some(open) = c.get(2) else { continue };
            let Some(prefix) = first_literal(source, open.start()) else { continue };
            let end = closes(source, open.start());
            if source.code[open.start()..end].contains("Router::new") {
                inline.add(open.start()..end, prefix);
            } else if let Some(name) =
                source.arguments(open.start()).and_then(|a| a.last().map(|l| l.to_string()))
            {
                variables.insert(name, prefix.to_owned());
            }
        }
        static LET: LazyLock<Regex> =
            LazyLock::new(|| regex(r"\blet\s+(?:mut\s+)?(\w+)[^=;]*=\s*Router::new"));
        for c in LET.captures_iter(&source.code) {
            if let (Some(prefix), Some(at)) = (variables.get(&c[1]), c.get(0)) {
                let end = source.code[at.start()..].find(';').map_or(source.code.len(), |e| at.start() + e);
                inline.add(at.start()..end, prefix);
            }
        }
        for c in CALL.captures_iter(&source.code).filter(|c| &c[1] == "route") {
            let (Some(at), Some(open)) = (c.get(0), c.get(2)) else { continue };
            let Some(path) = first_literal(source, open.start()).filter(|p| p.starts_with('/')) else {
                continue;
            };
            let call = &source.code[open.start()..closes(source, open.start())];
            let handlers = call.split_once(',').map_or("", |(_, rest)| rest);
            let mut methods: Vec<String> =
                METHOD.captures_iter(handlers).map(|c| c[1].to_uppercase()).collect();
            methods.sort();
            methods.dedup();
            if methods.is_empty() && !handlers.contains("any(") && !handlers.contains("MethodRouter") {
                continue;
            }
            let place = source.place(at.start());
            for above in prefixes(&around(at.start(), own), &nested, 0) {
                let path = join(&join(&above, &inline.prefix(at.start())), path);
                routes.push(Route { methods: methods.clone(), path, place: place.clone() });
            }
        }
    }
}

fn actix(files: &[&Source], routes: &mut Vec<Route>) {
    let mut served: BTreeMap<String, String> = BTreeMap::new();
    let mut scopes: Vec<Groups> = Vec::new();
    for source in files {
        let mut groups = Groups::default();
        for c in SCOPE.captures_iter(&source.code) {
            let (Some(at), Some(open)) = (c.get(0), c.get(2)) else { continue };
            let Some(path) = first_literal(source, open.start()) else { continue };
            // The scope reaches to the end of the argument in which it stands: `.service(web::scope("/x")…)`.
            let before = source.code[..at.start()]
                .trim_end()
                .trim_end_matches("actix_web::")
                .trim_end_matches("web::");
            let end = match before.rfind('(') {
                Some(outer) if before[outer + 1..].trim().is_empty() => closes(source, outer),
                _ => source.code[at.start()..].find(';').map_or(source.code.len(), |e| at.start() + e),
            };
            groups.add(closes(source, open.start())..end, path);
        }
        for pattern in [&*SERVICE, &*CONFIGURE] {
            for c in pattern.captures_iter(&source.code) {
                let Some(at) = c.get(1) else { continue };
                let name = c[1].rsplit("::").next().unwrap_or_default().to_owned();
                served.insert(name, groups.prefix(at.start()));
            }
        }
        scopes.push(groups);
    }
    for (source, groups) in files.iter().zip(&scopes) {
        let own = functions(source);
        let base = |at: usize| {
            let function = own.iter().rfind(|(_, body)| body.contains(&at)).map(|(name, _)| name.as_str());
            let handed = function.and_then(|name| served.get(name)).cloned().unwrap_or_default();
            join(&handed, &groups.prefix(at))
        };
        for c in ATTRIBUTE.captures_iter(&source.code) {
            let Some(at) = c.get(0) else { continue };
            // A handler is served by its name, here or through a function that `configure` is given.
            let prefix = served.get(&c[3]).cloned().unwrap_or_default();
            let via = files.iter().find_map(|other| {
                let name =
                    SERVICE.captures_iter(&other.code).find(|s| s[1].rsplit("::").next() == Some(&c[3]))?;
                let at = name.get(1)?.start();
                let function = functions(other).into_iter().rfind(|(_, body)| body.contains(&at))?.0;
                served.get(&function).cloned()
            });
            let path = join(&join(&via.unwrap_or_default(), &prefix), &c[2]);
            routes.push(Route { methods: vec![c[1].to_uppercase()], path, place: source.place(at.start()) });
        }
        static TO: LazyLock<Regex> = LazyLock::new(|| regex(r"\.route\s*(\()"));
        for c in TO.captures_iter(&source.code) {
            let (Some(at), Some(open)) = (c.get(0), c.get(1)) else { continue };
            let call = &source.code[open.start()..closes(source, open.start())];
            let methods: Vec<String> = METHOD.captures_iter(call).map(|c| c[1].to_uppercase()).collect();
            if methods.is_empty() {
                continue;
            }
            let path = first_literal(source, open.start()).unwrap_or_default();
            routes.push(Route {
                methods,
                path: join(&base(at.start()), path),
                place: source.place(at.start()),
            });
        }
    }
}

fn rocket(files: &[&Source], routes: &mut Vec<Route>) {
    let mut mounts: BTreeMap<String, String> = BTreeMap::new();
    for source in files {
        for c in MOUNT.captures_iter(&source.code) {
            for name in c[2].split(',') {
                mounts
                    .insert(name.trim().rsplit("::").next().unwrap_or_default().to_owned(), c[1].to_owned());
            }
        }
    }
    for source in files {
        for c in ATTRIBUTE.captures_iter(&source.code) {
            let (Some(at), Some(prefix)) = (c.get(0), mounts.get(&c[3])) else { continue };
            let path = join(prefix, c[2].split('?').next().unwrap_or_default());
            routes.push(Route { methods: vec![c[1].to_uppercase()], path, place: source.place(at.start()) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    #[test]
    fn axum_routers_nested_by_function_variable_and_in_place() {
        check(
            &[
                (
                    "src/main.rs",
                    "use axum::{Router, routing::get};\n#[tokio::main]\nasync fn main() {\n    let admin = Router::new().route(\"/stats\", get(stats));\n    let app = Router::new()\n        .route(\"/health\", get(|| async { \"ok\" }))\n        .nest(\"/api\", api::router())\n        .nest(\"/admin\", admin)\n        .nest(\"/in\", Router::new().route(\"/place\", any(x)));\n}\n",
                ),
                (
                    "src/api.rs",
                    "use axum::Router;\npub fn router() -> Router {\n    Router::new().route(\"/items/{id}\", get(one).delete(gone)).merge(more())\n}\nfn more() -> Router {\n    Router::new().route(\"/\", post(add))\n}\n",
                ),
            ],
            &[
                "GET /admin/stats src/main.rs:4",
                "POST /api src/api.rs:6",
                "DELETE,GET /api/items/{id} src/api.rs:3",
                "GET /health src/main.rs:6",
                " /in/place src/main.rs:9",
            ],
        );
    }

    #[test]
    fn actix_scopes_and_rocket_mounts() {
        check(
            &[(
                "src/main.rs",
                "use actix_web::{get, web, App};\n#[get(\"/health\")]\nasync fn health() -> &'static str { \"ok\" }\n#[get(\"/{id}\")]\nasync fn item() {}\nfn main() {\n    App::new()\n        .service(health)\n        .service(web::scope(\"/api\").service(item).route(\"/list\", web::get().to(list)))\n        .route(\"/x\", web::post().to(x));\n}\n",
            )],
            &[
                "GET /api/list src/main.rs:9",
                "GET /api/{id} src/main.rs:4",
                "GET /health src/main.rs:2",
                "POST /x src/main.rs:10",
            ],
        );
        check(
            &[(
                "src/main.rs",
                "#[macro_use] extern crate rocket;\n#[get(\"/items/<id>?<q>\")]\nfn item() {}\n#[get(\"/unmounted\")]\nfn no() {}\n#[launch]\nfn rocket() -> _ { rocket::build().mount(\"/api\", routes![item]) }\n",
            )],
            &["GET /api/items/<id> src/main.rs:2"],
        );
    }
}
