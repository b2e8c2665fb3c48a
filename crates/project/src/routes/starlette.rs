//! Starlette's tables: `Route("/x", endpoint, methods=[…])` and `WebSocketRoute`, inside of `Mount("/prefix", routes=[…])`
//! (starlette.io/routing). A route without methods answers GET.

use std::ops::Range;
use std::sync::LazyLock;

use landfall_evidence::Route;
use regex::Regex;

use super::python;
use crate::source::{Source, bracketed, keyword, literal};

pub(super) fn read(sources: &[Source]) -> Vec<Route> {
    static CALL: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\b(Route|WebSocketRoute|Mount)\s*(\()")
            .expect("the pattern is a constant and covered by tests")
    });
    let mut routes = Vec::new();
    for source in python(sources).filter(|source| source.code.contains("starlette")) {
        let mut mounts: Vec<(Range<usize>, String)> = Vec::new();
        for c in CALL.captures_iter(&source.code) {
            let (Some(at), Some(open)) = (c.get(1), c.get(2)) else { continue };
            let Some(arguments) = source.arguments(open.start()) else { continue };
            let first =
                arguments.iter().find(|a| !a.contains('=')).copied().or_else(|| keyword(&arguments, "path"));
            let Some(path) = first.and_then(literal).filter(|path| path.is_empty() || path.starts_with('/'))
            else {
                continue;
            };
            if at.as_str() == "Mount" {
                let inner = bracketed(&source.code, open.start()).map_or(0, str::len);
                mounts.push((open.start()..open.start() + inner, path.trim_end_matches('/').to_owned()));
                continue;
            }
            let prefix: String = mounts
                .iter()
                .filter(|(range, _)| range.contains(&at.start()))
                .map(|(_, p)| p.as_str())
                .collect();
            let named = keyword(&arguments, "methods").map(|list| {
                let words = list.split(|c: char| !c.is_ascii_alphabetic());
                words.filter(|word| !word.is_empty()).map(str::to_uppercase).collect::<Vec<_>>()
            });
            routes.push(Route {
                methods: named.unwrap_or_else(|| vec!["GET".to_owned()]),
                path: format!("{prefix}{path}"),
                place: source.place(at.start()),
            });
        }
    }
    routes
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    #[test]
    fn tables_and_mounts() {
        check(
            &[(
                "a.py",
                "from starlette.routing import Mount, Route\nroutes = [\n    Route('/', home),\n    Mount('/api', routes=[\n        Route('/x/{id:int}', one, methods=['GET', 'POST']),\n    ]),\n    Route('/last', endpoint=last),\n]\n",
            )],
            &["GET / a.py:3", "GET,POST /api/x/{id:int} a.py:5", "GET /last a.py:7"],
        );
    }
}
