//! Go: net/http and its pattern language, gin, echo, fiber, chi, gorilla/mux.
//!
//! Sources: pkg.go.dev/net/http#ServeMux (patterns with a method since Go 1.22), and the documentation of each router.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use landfall_evidence::Route;
use regex::Regex;

use super::lexical::{Groups, closes, first_literal, join, methods_in, regex};
use crate::source::{Language, Source, literal};
use crate::words::{Pattern, words};

static ROUTE: LazyLock<Pattern> = LazyLock::new(|| {
    Pattern::new(
        words![
            ".get", ".post", ".put", ".patch", ".delete", ".head", ".options", ".any", ".all", ".handle",
            ".static"
        ],
        r"\b(\w+)\.(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS|Any|Get|Post|Put|Patch|Delete|Head|Options|All|Handle|HandleFunc|Static)\s*(\()",
    )
});
static GROUP: LazyLock<Pattern> = LazyLock::new(|| {
    Pattern::new(words![".Group", ".PathPrefix"], r"\b(\w+)\s*:?=\s*(\w+)\.(?:Group|PathPrefix)\s*(\()")
});
static NESTED: LazyLock<Pattern> = LazyLock::new(|| Pattern::new(words![".route"], r"\b\w+\.Route\s*(\()"));
static FUNCTION: LazyLock<Pattern> = LazyLock::new(|| {
    Pattern::new(
        words!["gin.", "echo.", "fiber.", "chi.", "mux.", "http.ServeMux"],
        r"\bfunc\s+(?:\([^)]*\)\s*)?(\w+)\s*\(\s*(\w+)\s+(?:\*?gin\.\w+|\*?echo\.\w+|fiber\.Router|chi\.Router|\*chi\.Mux|\*fiber\.App|\*mux\.Router|\*http\.ServeMux)",
    )
});
static STRIP: LazyLock<Pattern> = LazyLock::new(|| {
    Pattern::new(
        words![".handle", ".mount"],
        r#"\.(?:Handle|Mount)\s*\(\s*"([^"]+)"\s*,\s*(?:http\.StripPrefix\s*\(\s*"[^"]*"\s*,\s*)?(\w+)\s*[(),]"#,
    )
});

pub(super) fn read(sources: &[Source]) -> Vec<Route> {
    let files: Vec<&Source> = sources.iter().filter(|s| s.language == Language::Go).collect();
    if files.is_empty() {
        return Vec::new();
    }
    // Prefixes that a function is handed with its router: `users(v1)` where `v1` is a group, `r.Mount("/x", users())`.
    let groups: Vec<BTreeMap<String, String>> = files.iter().map(|s| variables(s)).collect();
    let mut handed: BTreeMap<String, String> = BTreeMap::new();
    for (source, own) in files.iter().zip(&groups) {
        for (variable, prefix) in own {
            let call = regex(&format!(r"\b(\w+)\s*\(\s*{}\b", regex::escape(variable)));
            for c in call.captures_iter(&source.code) {
                handed.entry(c[1].to_owned()).or_insert_with(|| prefix.clone());
            }
        }
        for c in STRIP.captures_iter(source) {
            handed.entry(c[2].to_owned()).or_insert_with(|| c[1].to_owned());
        }
    }
    let mut routes = Vec::new();
    for (source, own) in files.iter().zip(&groups) {
        let mut around = Groups::default();
        for c in NESTED.captures_iter(source) {
            let Some(open) = c.get(1) else { continue };
            if let Some(prefix) = first_literal(source, open.start()) {
                around.add(open.start()..closes(source, open.start()), prefix);
            }
        }
        let bodies: Vec<(std::ops::Range<usize>, String, String)> = FUNCTION
            .captures_iter(source)
            .filter_map(|c| {
                let at = c.get(0)?;
                let open = at.end() + source.code[at.end()..].find('{')?;
                Some((open..closes(source, open), c[1].to_owned(), c[2].to_owned()))
            })
            .collect();
        for c in ROUTE.captures_iter(source) {
            let (Some(owner), Some(open)) = (c.get(1), c.get(3)) else { continue };
            let Some(pattern) = first_literal(source, open.start()) else { continue };
            let (mut methods, mut path) = match &c[2] {
                "Handle" | "HandleFunc" => match pattern.split_once(' ') {
                    Some((method, path)) => (vec![method.to_owned()], path.trim_start()),
                    None => (Vec::new(), pattern),
                },
                "Any" | "All" => (Vec::new(), pattern),
                "Static" => continue,
                method => (vec![method.to_uppercase()], pattern),
            };
            // A pattern may begin with a host.
            if !path.starts_with('/') && matches!(&c[2], "Handle" | "HandleFunc") {
                let Some(slash) = path.find('/') else { continue };
                path = &path[slash..];
            }
            if !(path.starts_with('/') || path.is_empty())
                || matches!(owner.as_str(), "http" if !source.code.contains("net/http"))
            {
                continue;
            }
            // What is called with one argument is a client's request or a header's value.
            let rest = &source.code[open.start()..closes(source, open.start()).min(source.code.len())];
            if !rest.contains(',') || matches!(owner.as_str(), "client" | "resty" | "req" | "resp" | "w") {
                continue;
            }
            if methods.is_empty() && matches!(&c[2], "Handle" | "HandleFunc") {
                let end = closes(source, open.start());
                let after = source.code.get(end + 1..(end + 80).min(source.code.len())).unwrap_or_default();
                if let Some(named) = after.trim_start().strip_prefix(".Methods(") {
                    methods = methods_in(named.split(')').next().unwrap_or_default());
                }
            }
            let function = bodies.iter().find(|(part, ..)| part.contains(&owner.start()));
            let base = own.get(owner.as_str()).cloned().or_else(|| {
                let (_, name, parameter) = function?;
                (parameter == owner.as_str()).then(|| handed.get(name).cloned())?
            });
            let mounted = function_around(source, owner.start())
                .filter(|name| function.is_none() && handed.contains_key(name))
                .and_then(|name| handed.get(&name).cloned());
            let prefix = join(&base.or(mounted).unwrap_or_default(), &around.prefix(owner.start()));
            let mut path = join(&prefix, path);
            if path.ends_with("/{$}") {
                path.truncate(path.len() - 4);
                path = join(&path, "");
            }
            routes.push(Route { methods, path, place: source.place(owner.start()) });
        }
    }
    routes
}

/// Groups of a file by the variable that holds them.
fn variables(source: &Source) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for c in GROUP.captures_iter(source) {
        let Some(open) = c.get(3) else { continue };
        let prefix = source
            .arguments(open.start())
            .and_then(|a| a.first().and_then(|first| literal(first)).map(str::to_owned))
            .unwrap_or_default();
        let above = all.get(&c[2]).cloned().unwrap_or_default();
        all.insert(c[1].to_owned(), join(&above, &prefix));
    }
    all
}

/// The name of the function around a place.
fn function_around(source: &Source, at: usize) -> Option<String> {
    static NAME: LazyLock<Regex> = LazyLock::new(|| regex(r"(?m)^func\s+(?:\([^)]*\)\s*)?(\w+)\s*\("));
    NAME.captures_iter(&source.code[..at]).last().map(|c| c[1].to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    #[test]
    fn the_standard_library_and_its_patterns() {
        check(
            &[(
                "main.go",
                "package main\nimport \"net/http\"\nfunc main() {\n\tmux := http.NewServeMux()\n\tmux.HandleFunc(\"GET /items/{id}\", item)\n\thttp.Handle(\"/health\", h)\n\tmux.HandleFunc(\"GET /{$}\", root)\n\tclient.Get(\"/no\")\n\tapi := users()\n\tmux.Handle(\"/api/\", http.StripPrefix(\"/api\", users()))\n}\nfunc users() http.Handler {\n\tm := http.NewServeMux()\n\tm.HandleFunc(\"POST /users\", add)\n\treturn m\n}\n",
            )],
            &[
                "GET / main.go:7",
                " /api main.go:10",
                "POST /api/users main.go:14",
                " /health main.go:6",
                "GET /items/{id} main.go:5",
            ],
        );
    }

    #[test]
    fn groups_nested_and_handed_on() {
        check(
            &[
                (
                    "main.go",
                    "package main\nfunc main() {\n\tr := gin.Default()\n\tr.GET(\"/health\", h)\n\tv1 := r.Group(\"/v1\")\n\tadmin := v1.Group(\"/admin\")\n\tadmin.DELETE(\"/users/:id\", d)\n\tregister(v1)\n}\n",
                ),
                (
                    "users.go",
                    "package main\nfunc register(rg *gin.RouterGroup) {\n\trg.POST(\"/users\", c)\n}\n",
                ),
                (
                    "chi.go",
                    "package main\nfunc routes(r chi.Router) {\n\tr.Route(\"/api\", func(r chi.Router) {\n\t\tr.Get(\"/\", list)\n\t\tr.Route(\"/{id}\", func(r chi.Router) {\n\t\t\tr.Put(\"/\", put)\n\t\t})\n\t})\n}\n",
                ),
            ],
            &[
                "GET /api chi.go:4",
                "PUT /api/{id} chi.go:6",
                "GET /health main.go:4",
                "DELETE /v1/admin/users/:id main.go:7",
                "POST /v1/users users.go:3",
            ],
        );
    }
}
