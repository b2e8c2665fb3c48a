//! Flask applications and blueprints, FastAPI applications and routers: decorators on functions.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use landfall_evidence::Route;

use super::{Mounts, PythonImports, Router, python, resolve};
use crate::source::{Source, keyword, literal, split_top};
use crate::tree::Tree;
use crate::words::{Pattern, words};

struct Patterns {
    made: Pattern,
    mount: Pattern,
    decorator: Pattern,
    rule: Pattern,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| Patterns {
    made: Pattern::new(
        words!["Flask", "FastAPI", "Starlette", "Quart", "Sanic", "Blueprint", "APIRouter"],
        r"(?m)^[ \t]*(\w+)[ \t]*(?::[^=\n]+)?=[ \t]*(?:\w+\.)?(Flask|FastAPI|Starlette|Quart|Sanic|Blueprint|APIRouter)[ \t]*(\()",
    ),
    mount: Pattern::new(
        words!["register_blueprint", "include_router"],
        r"\b(\w+)\.(register_blueprint|include_router)\s*(\()",
    ),
    decorator: Pattern::new(
        words![
            ".route",
            ".get",
            ".post",
            ".put",
            ".patch",
            ".delete",
            ".head",
            ".options",
            ".api_route",
            ".websocket"
        ],
        r"(?m)^[ \t]*@([A-Za-z_][\w.]*)\.(route|get|post|put|patch|delete|head|options|api_route|websocket)[ \t]*(\()",
    ),
    rule: Pattern::new(
        words!["add_url_rule", "add_api_route"],
        r"\b([A-Za-z_]\w*)\.(?:add_url_rule|add_api_route)\s*(\()",
    ),
});

/// A router where it is made.
struct Made {
    /// Its own prefix: Flask's is replaced by one at registration, FastAPI's is added to it.
    prefix: String,
    adds: bool,
}

pub(super) fn read(tree: &Tree, sources: &[Source]) -> Vec<Route> {
    let p = &*PATTERNS;
    let mut made: BTreeMap<Router, Made> = BTreeMap::new();
    let mut roots: Vec<Router> = Vec::new();
    let imports = PythonImports::new(tree, sources);
    for source in python(sources) {
        for c in p.made.captures_iter(source) {
            let router = (source.path.clone(), c[1].to_owned());
            match &c[2] {
                "Blueprint" | "APIRouter" => {
                    let arguments =
                        c.get(3).and_then(|open| source.arguments(open.start())).unwrap_or_default();
                    let prefix = keyword(&arguments, "url_prefix")
                        .or_else(|| keyword(&arguments, "prefix"))
                        .and_then(literal);
                    made.insert(
                        router,
                        Made { prefix: prefix.unwrap_or_default().to_owned(), adds: &c[2] == "APIRouter" },
                    );
                }
                _ => roots.push(router),
            }
        }
    }
    let known = |router: &Router| made.contains_key(router) || roots.contains(router);
    let find = |name: &str, file: &str| resolve(name, file, &imports, &known);

    let mut mounts = Mounts::default();
    for source in python(sources) {
        for c in p.mount.captures_iter(source) {
            let Some(arguments) = c.get(3).and_then(|open| source.arguments(open.start())) else { continue };
            let child = arguments.first().and_then(|name| find(name, &source.path));
            let Some(child) = child else {
                mounts.unclear = true;
                continue;
            };
            let given = keyword(&arguments, "url_prefix").or_else(|| keyword(&arguments, "prefix"));
            let prefix = match (&made.get(&child), given) {
                // A prefix that is computed is not known; leaving the route out is better than a wrong path.
                (_, Some(given)) if literal(given).is_none() && given != "None" => continue,
                (Some(own), given) => {
                    let given = given.and_then(literal);
                    if own.adds {
                        format!("{}{}", given.unwrap_or_default(), own.prefix)
                    } else {
                        given.unwrap_or(&own.prefix).to_owned()
                    }
                }
                (None, _) => continue,
            };
            // Inside a factory the application is a local variable or an argument, which counts as a root.
            let parent = find(&c[1], &source.path).filter(|parent| made.contains_key(parent));
            mounts.on.entry(child).or_default().push((parent, prefix));
        }
    }

    let mut routes = Vec::new();
    for source in python(sources) {
        let mut add = |owner: &str, verb: &str, open: usize, at: usize| {
            let Some(arguments) = source.arguments(open) else { return };
            let Some(path) = arguments
                .first()
                .filter(|a| !a.starts_with("rule="))
                .copied()
                .or(keyword(&arguments, "rule"))
                .or(keyword(&arguments, "path"))
            else {
                return;
            };
            let Some(path) = literal(path) else { return };
            let methods = match verb {
                "websocket" => return,
                "route" | "api_route" | "rule" => match keyword(&arguments, "methods") {
                    Some(list) => split_top(list.trim_matches(['[', ']', '(', ')', '{', '}']))
                        .into_iter()
                        .filter_map(literal)
                        .map(str::to_uppercase)
                        .collect(),
                    // Without a list both frameworks answer GET (Flask adds HEAD and OPTIONS by itself).
                    None => vec!["GET".to_owned()],
                },
                verb => vec![verb.to_uppercase()],
            };
            let prefixes = match find(owner, &source.path) {
                Some(router) => {
                    let found = mounts.prefixes(&router, &roots, 0);
                    if found.is_empty() && (mounts.unclear || mounts.on.is_empty()) {
                        // Mounted in a way that we cannot follow, so its own prefix is the best that is known.
                        vec![made.get(&router).map(|m| m.prefix.clone()).unwrap_or_default()]
                    } else {
                        found
                    }
                }
                // An application made by a function, an argument, an import from a package.
                None if path.starts_with('/') => vec![String::new()],
                None => return,
            };
            if routes.len() >= super::MAX_ROUTES {
                return;
            }
            for prefix in prefixes {
                let path = format!("{}{path}", prefix.trim_end_matches('/'));
                let path = if path.starts_with('/') { path } else { format!("/{path}") };
                routes.push(Route { methods: methods.clone(), path, place: source.place(at) });
            }
        };
        for c in p.decorator.captures_iter(source) {
            if let (Some(all), Some(open)) = (c.get(1), c.get(3)) {
                add(&c[1], &c[2], open.start(), all.start());
            }
        }
        for c in p.rule.captures_iter(source) {
            if let (Some(all), Some(open)) = (c.get(1), c.get(2)) {
                add(&c[1], "rule", open.start(), all.start());
            }
        }
    }
    routes
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    #[test]
    fn one_file() {
        check(
            &[(
                "app.py",
                "from flask import Flask\napp = Flask(__name__)\n@app.route('/')\ndef a(): pass\n@app.route(\n  '/b',\n  methods=['GET', 'post'],\n)\n\
                 def b(): pass\n@app.post('/c')\ndef c(): pass\n@cache.get('x')\ndef d(): pass\n# @app.get('/no')\napp.add_url_rule('/e', 'e', e, methods=['PUT'])\n",
            )],
            &["GET / app.py:3", "GET,POST /b app.py:5", "POST /c app.py:10", "PUT /e app.py:15"],
        );
    }

    #[test]
    fn blueprints_take_the_prefix_of_their_registration() {
        let blueprint = "from flask import Blueprint\nbp = Blueprint('x', __name__, url_prefix='/own')\n@bp.get('/health')\ndef h(): pass\n";
        check(
            &[
                ("b/__init__.py", "from .support import bp as support\nfrom b import stripe\n"),
                ("b/support.py", blueprint),
                ("b/stripe.py", blueprint),
                ("b/unused.py", blueprint),
                (
                    "run.py",
                    "from b import support, stripe\ndef create_app():\n    app = Flask(__name__)\n    app.register_blueprint(support, url_prefix='/api/support')\n    app.register_blueprint(stripe.bp)\n    return app\n",
                ),
            ],
            &["GET /api/support/health b/support.py:3", "GET /own/health b/stripe.py:3"],
        );
    }

    #[test]
    fn blueprints_inside_blueprints() {
        check(
            &[(
                "a.py",
                "api = Blueprint('api', __name__, url_prefix='/api')\nv1 = Blueprint('v1', __name__, url_prefix='/v1')\n\
                 @v1.get('/x')\ndef x(): pass\napi.register_blueprint(v1)\napp.register_blueprint(api)\n",
            )],
            &["GET /api/v1/x a.py:3"],
        );
    }

    #[test]
    fn a_loop_over_blueprints_keeps_them_all() {
        check(
            &[(
                "a.py",
                "one = Blueprint('one', __name__, url_prefix='/one')\n@one.get('/x')\ndef x(): pass\nfor b in all_of_them:\n    app.register_blueprint(b)\n",
            )],
            &["GET /one/x a.py:2"],
        );
    }

    #[test]
    fn fastapi_prefixes_add_up() {
        check(
            &[
                (
                    "main.py",
                    "from fastapi import FastAPI\nfrom routers import items\napp = FastAPI()\napp.include_router(items.router, prefix='/api')\n@app.get('/health')\ndef h(): pass\n",
                ),
                ("routers/__init__.py", ""),
                (
                    "routers/items.py",
                    "router = APIRouter(prefix='/items', tags=['x'])\n@router.get('/{id}')\nasync def i(): pass\n",
                ),
            ],
            &["GET /api/items/{id} routers/items.py:2", "GET /health main.py:5"],
        );
    }
}
