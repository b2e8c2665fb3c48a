//! An OpenAPI document beside the code: what it names and the code does not serve, and the reverse.
//!
//! Source: spec.openapis.org/oas (paths, servers), and version 2.0's `basePath`.

use std::collections::BTreeSet;

use landfall_evidence::{Route, SignWord, path_shape};

use super::lexical::join;
use crate::settings::Noticed;
use crate::tree::{Tree, file_name};
use crate::yaml::{Node, documents};

const METHODS: &[&str] = &["get", "post", "put", "patch", "delete", "head", "options"];

/// The document nearest to the root, if the project keeps one: its routes, each with its method and its place.
pub(super) fn read(tree: &Tree, unread: &mut Vec<String>) -> Option<Vec<Route>> {
    let file = tree.files.iter().find(|f| {
        let name = file_name(&f.path).to_ascii_lowercase();
        let stem = name.rsplit_once('.').map_or("", |(stem, _)| stem);
        let end = name.rsplit('.').next().unwrap_or_default();
        !f.ignored
            && matches!(end, "yaml" | "yml" | "json")
            && matches!(stem, "openapi" | "swagger" | "openapi.v1" | "api-spec" | "openapi3")
    })?;
    let text = match tree.text(&file.path)? {
        Ok(text) => text,
        Err(reason) => {
            unread.push(reason);
            return None;
        }
    };
    // JSON is YAML, as far as such documents go.
    let all = match documents(&text) {
        Ok(all) => all,
        Err(reason) => {
            unread.push(format!("{}: {reason}", file.path));
            return None;
        }
    };
    let root = all.first()?;
    let paths = root.get("paths")?;
    let server = root.get("servers").map(Node::items).unwrap_or_default().first();
    let base = server
        .and_then(|s| s.get("url"))
        .or_else(|| root.get("basePath"))
        .and_then(Node::text)
        .map(|text| match text.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]).to_owned(),
            None => text.to_owned(),
        })
        .unwrap_or_default();
    let mut routes: Vec<Route> = paths
        .entries()
        .iter()
        .flat_map(|(path, item)| {
            let path = join(&base, path);
            item.entries().iter().filter(|(method, _)| METHODS.contains(&method.as_str())).map(
                move |(method, node)| Route {
                    methods: vec![method.to_uppercase()],
                    path: path.clone(),
                    place: format!("{}:{}", file.path, node.line),
                },
            )
        })
        .take(super::MAX_ROUTES + 1)
        .collect();
    if routes.len() > super::MAX_ROUTES {
        unread.push(format!(
            "{}: names more than {} routes, and the rest was not read",
            file.path,
            super::MAX_ROUTES
        ));
        routes.truncate(super::MAX_ROUTES);
    }
    Some(routes)
}

/// Both directions. Nothing when either side is empty: then one of the two was not read, and no difference is known. Nor
/// is anything missing from a side that was cut off.
pub(super) fn compare(named: &[Route], served: &[Route]) -> Vec<Noticed> {
    if named.is_empty() || served.is_empty() {
        return Vec::new();
    }
    let place = named[0].place.as_str();
    let file = place.rsplit_once(':').map_or(place, |(file, _)| file);
    let of = |routes: &[Route]| -> BTreeSet<(String, String)> {
        routes
            .iter()
            .flat_map(|r| {
                let path = path_shape(&r.path);
                let any = ["*".to_owned()];
                let methods = if r.methods.is_empty() { any.to_vec() } else { r.methods.clone() };
                methods.into_iter().map(move |m| (path.clone(), m))
            })
            .collect()
    };
    let (said, done) = (of(named), of(served));
    let has = |set: &BTreeSet<(String, String)>, path: &str, method: &str| {
        set.contains(&(path.to_owned(), method.to_owned()))
            || set.contains(&(path.to_owned(), "*".to_owned()))
    };
    // A catch-all route serves what no other names.
    let catches = served.iter().any(|r| r.path.ends_with('*') || r.path.contains("<path:"));
    let mut found = Vec::new();
    let whole = |routes: &[Route]| routes.len() < super::MAX_ROUTES;
    for route in named.iter().filter(|_| whole(served)) {
        let method = &route.methods[0];
        if !catches && !has(&done, &path_shape(&route.path), method) {
            found.push((SignWord::SpecRouteMissing, route.place.clone(), format!("{method} {}", route.path)));
        }
    }
    for route in served.iter().filter(|_| whole(named)) {
        let path = path_shape(&route.path);
        let known = said.iter().any(|(p, _)| *p == path)
            && (route.methods.is_empty() || route.methods.iter().any(|m| has(&said, &path, m)));
        // Health, documents and pages are seldom part of a specification.
        let aside =
            ["health", "ready", "live", "ping", "metrics", "docs", "openapi", "swagger", "static", "favicon"]
                .iter()
                .any(|word| path.contains(word))
                || path == "/";
        if !known && !aside {
            let method = route.methods.first().map_or("any method of", String::as_str);
            found.push((
                SignWord::RouteUnspecified,
                route.place.clone(),
                format!("{method} {} ({file})", route.path),
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree;

    #[test]
    fn both_directions_and_parameters_by_any_name() {
        let (_dir, tree) = tree(&[(
            "openapi.yaml",
            "openapi: 3.1.0\nservers: [{url: https://api.example.com/v1}]\npaths:\n  /items/{id}:\n    get: {}\n    delete: {}\n  /gone:\n    post: {}\n",
        )]);
        let named = read(&tree, &mut Vec::new()).unwrap();
        let route = |method: &str, path: &str| Route {
            methods: vec![method.to_owned()],
            path: path.to_owned(),
            place: "a.py:1".to_owned(),
        };
        let served =
            [route("GET", "/v1/items/<int:item>"), route("POST", "/v1/new"), route("GET", "/health")];
        let shown: Vec<String> =
            compare(&named, &served).iter().map(|(w, p, d)| format!("{} {p} {d}", w.name())).collect();
        assert_eq!(
            shown,
            [
                "spec-route-missing openapi.yaml:6 DELETE /v1/items/{id}",
                "spec-route-missing openapi.yaml:8 POST /v1/gone",
                "route-unspecified a.py:1 POST /v1/new (openapi.yaml)"
            ]
        );
        assert!(compare(&named, &[]).is_empty(), "no route was read from the code");
        let many = vec![route("GET", "/health"); super::super::MAX_ROUTES];
        assert!(compare(&named, &many).is_empty(), "what was cut off is not known to be missing");
    }

    #[test]
    fn more_routes_than_are_kept_are_said() {
        let paths: String =
            (0..=super::super::MAX_ROUTES).map(|n| format!("  /{n}: {{get: {{}}}}\n")).collect();
        let (_dir, tree) = tree(&[("openapi.yaml", &format!("openapi: 3.1.0\npaths:\n{paths}"))]);
        let mut unread = Vec::new();
        assert_eq!(read(&tree, &mut unread).unwrap().len(), super::super::MAX_ROUTES);
        assert_eq!(unread, ["openapi.yaml: names more than 1000 routes, and the rest was not read"]);
    }

    #[test]
    fn a_broken_document_is_named() {
        let (_dir, tree) = tree(&[("swagger.json", "{\"paths\": ")]);
        let mut unread = Vec::new();
        assert!(read(&tree, &mut unread).is_none());
        assert!(unread[0].starts_with("swagger.json: "), "{unread:?}");
    }
}
