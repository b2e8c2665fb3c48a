//! Express and its like: `app.get("/x", …)`, routers mounted with `app.use("/prefix", router)`.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::LazyLock;

use landfall_evidence::Route;
use regex::Regex;

use super::{Mounts, Router};
use crate::source::{Language, Source, literal};
use crate::tree::{Tree, parent};
use crate::words::{Pattern, words};

struct Patterns {
    made: Pattern,
    prefix: Regex,
    route: Pattern,
    mount: Pattern,
    import: Pattern,
    export: Pattern,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| Patterns {
    made: Pattern::new(
        words!["express", "fastify", "Koa", "Hono", "Router"],
        r"\b(?:const|let|var)\s+(\w+)(?:\s*:\s*[\w.]+)?\s*=\s*(?:new\s+)?(?:await\s+)?(express|fastify|Fastify|Koa|Hono|(?:\w+\.)?Router)\s*(\()",
    ),
    prefix: super::lexical::regex(r#"\bprefix\s*:\s*["'`]([^"'`]*)["'`]"#),
    route: Pattern::new(
        words![".get", ".post", ".put", ".patch", ".delete", ".head", ".options", ".all"],
        r"\b(\w+)\.(get|post|put|patch|delete|head|options|all)\s*(\()",
    ),
    mount: Pattern::new(words![".use", ".route"], r"\b(\w+)\.(?:use|route)\s*(\()"),
    import: Pattern::new(
        words!["require", "import"],
        r#"(?:\b(?:const|let|var)\s+(\w+)\s*=\s*require\s*\(\s*["']((?:\.|[@~]/)[^"']*)["']|\bimport\s+(?:\{\s*(\w+)[^}]*\}|(\w+))\s+from\s+["']((?:\.|[@~]/)[^"']*)["'])"#,
    ),
    export: Pattern::new(words!["export"], r"(?:\bmodule\.exports\s*=\s*|\bexport\s+default\s+)(\w+)"),
});

pub(super) fn read(tree: &Tree, sources: &[Source]) -> Vec<Route> {
    let p = &*PATTERNS;
    let scripts = || sources.iter().filter(|s| s.language == Language::JavaScript);
    let mut routers: HashSet<Router> = HashSet::new();
    let mut roots: Vec<Router> = Vec::new();
    let mut exported: BTreeMap<&str, String> = BTreeMap::new();
    let mut own: BTreeMap<Router, String> = BTreeMap::new();
    for source in scripts() {
        for c in p.made.captures_iter(source) {
            let router = (source.path.clone(), c[1].to_owned());
            // Koa's router carries its prefix itself.
            if let Some(open) = c.get(3)
                && let Some(prefix) = p
                    .prefix
                    .captures(source.arguments(open.start()).unwrap_or_default().first().unwrap_or(&""))
            {
                own.insert(router.clone(), prefix[1].trim_end_matches('/').to_owned());
            }
            if c[2].ends_with("Router") {
                routers.insert(router);
            } else {
                roots.push(router)
            }
        }
        if let Some(c) = p.export.captures_iter(source).next() {
            exported.insert(&source.path, c[1].to_owned());
        }
    }
    if routers.is_empty() && roots.is_empty() {
        return Vec::new();
    }
    let applications: HashSet<&Router> = roots.iter().collect();
    // What each file imports, looked at once.
    let imports: RefCell<HashMap<String, HashMap<String, String>>> = RefCell::default();
    // A name in a file: made there, or imported from a file that exports a router.
    let find = |source: &Source, name: &str| -> Option<Router> {
        let here = (source.path.clone(), name.to_owned());
        if routers.contains(&here) || applications.contains(&here) {
            return Some(here);
        }
        let mut imports = imports.borrow_mut();
        let imported = imports.entry(source.path.clone()).or_insert_with(|| {
            let mut names: HashMap<String, String> = HashMap::new();
            for c in p.import.captures_iter(source) {
                let local = c.get(1).or_else(|| c.get(3)).or_else(|| c.get(4));
                if let (Some(local), Some(target)) = (local, c.get(2).or_else(|| c.get(5))) {
                    names.entry(local.as_str().to_owned()).or_insert(target.as_str().to_owned());
                }
            }
            names
        });
        let from = module(tree, &source.path, imported.get(name)?)?;
        let name = exported.get(from.as_str()).cloned().unwrap_or_else(|| name.to_owned());
        let there = (from, name);
        routers.contains(&there).then_some(there)
    };
    let mut mounts = Mounts::default();
    for source in scripts() {
        for c in p.mount.captures_iter(source) {
            let Some(parent) = find(source, &c[1]) else { continue };
            let Some(arguments) = c.get(2).and_then(|open| source.arguments(open.start())) else { continue };
            let prefix = arguments.first().and_then(|a| literal(a)).unwrap_or_default().trim_end_matches('/');
            for argument in &arguments {
                let name = argument.strip_prefix("require").and_then(|r| literal(r.trim_matches(['(', ')'])));
                let child = match name {
                    Some(target) => module(tree, &source.path, target).and_then(|file| {
                        exported.get(file.as_str()).map(|name| (file.clone(), name.clone()))
                    }),
                    None => find(source, argument.strip_suffix(".routes()").unwrap_or(argument)),
                };
                if let Some(child) = child.filter(|c| routers.contains(c)) {
                    mounts.on.entry(child).or_default().push((Some(parent.clone()), prefix.to_owned()));
                }
            }
        }
    }
    let mut routes = Vec::new();
    for source in scripts() {
        for c in p.route.captures_iter(source) {
            if routes.len() >= super::MAX_ROUTES {
                break;
            }
            let (Some(owner), Some(open)) = (c.get(1), c.get(3)) else { continue };
            let Some(router) = find(source, owner.as_str()) else { continue };
            let Some(arguments) = source.arguments(open.start()).filter(|a| a.len() > 1) else { continue };
            let Some(path) = literal(arguments[0]).filter(|p| p.starts_with('/')) else { continue };
            let methods = if &c[2] == "all" { Vec::new() } else { vec![c[2].to_uppercase()] };
            let mut prefixes = mounts.prefixes(&router, &roots, 0);
            if prefixes.is_empty() && mounts.on.is_empty() {
                prefixes.push(String::new());
            }
            let inner = own.get(&router).map_or("", String::as_str);
            for prefix in prefixes {
                let prefix = format!("{prefix}{inner}");
                let tail = if path == "/" && !prefix.is_empty() { "" } else { path };
                routes.push(Route {
                    methods: methods.clone(),
                    path: format!("{prefix}{tail}"),
                    place: source.place(owner.start()),
                });
            }
        }
    }
    routes
}

/// The file behind a relative import.
pub(super) fn module(tree: &Tree, from: &str, target: &str) -> Option<String> {
    let mut folder = parent(from).to_owned();
    let mut rest = target;
    // The usual alias of the source folder.
    if let Some(tail) = target.strip_prefix("@/").or_else(|| target.strip_prefix("~/")) {
        folder = "src".to_owned();
        rest = tail;
    }
    loop {
        if let Some(tail) = rest.strip_prefix("./") {
            rest = tail;
        } else if let Some(tail) = rest.strip_prefix("../") {
            folder = parent(&folder).to_owned();
            rest = tail;
        } else {
            break;
        }
    }
    let base = if folder.is_empty() { rest.to_owned() } else { format!("{folder}/{rest}") };
    let stem = base.strip_suffix(".js").unwrap_or(&base);
    ["", ".js", ".ts", ".mjs", ".cjs", "/index.js", "/index.ts"]
        .iter()
        .flat_map(|end| [format!("{base}{end}"), format!("{stem}{end}")])
        .find(|candidate| tree.has(candidate))
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    #[test]
    fn routers_are_followed_to_their_mounts() {
        check(
            &[
                (
                    "server.js",
                    "const express = require('express');\nconst app = express();\nconst support = require('./routes/support');\n\
                     app.get('/health', (q, s) => s.json({}));\napp.use('/api/support', auth, support);\napp.get('title');\ncache.get('/no', x);\n",
                ),
                (
                    "routes/support.js",
                    "const router = express.Router();\nrouter.get('/', f);\nrouter.post('/x/:id', f);\nmodule.exports = router;\n",
                ),
            ],
            &[
                "GET /api/support routes/support.js:2",
                "POST /api/support/x/:id routes/support.js:3",
                "GET /health server.js:4",
            ],
        );
    }

    #[test]
    fn typescript_imports() {
        check(
            &[
                (
                    "src/index.ts",
                    "import api from './api.js'\nconst app: Express = express()\napp.use('/v1', api)\n",
                ),
                ("src/api.ts", "const api = Router()\napi.all('/any', f)\nexport default api\n"),
            ],
            &[" /v1/any src/api.ts:2"],
        );
    }
}
