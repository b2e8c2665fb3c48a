//! The routes of the code against those that the framework itself has registered, and against the OpenAPI document that is
//! served.
//!
//! A route of the code is called unregistered only where both sides are known: the framework has listed all it has, the
//! route stands in a language that the framework is written in, and its own application was the one that was started. The
//! code may leave out what stands in front of a path, so a registered path that ends in the declared one is taken for it.

use std::collections::BTreeSet;

use landfall_evidence::{ProjectSnapshot, RegisteredAnswer, Route, ServedDocument, Vantage, path_shape};

use super::{codes, raise};
use crate::Finding;
use crate::case::Case;
use crate::marker;
use crate::words::{count, file_of, in_words};

/// Routes named in one title at most.
const SHOWN: usize = 4;

pub(super) fn findings(case: &Case<'_>) -> Vec<Finding> {
    unregistered(case).into_iter().chain(unknown_operations(case)).collect()
}

fn some_of(names: &[String]) -> String {
    match names.len().saturating_sub(SHOWN) {
        0 => in_words(names),
        more => format!("{} and {more} more", names[..SHOWN].join(", ")),
    }
}

fn unregistered(case: &Case<'_>) -> Option<Finding> {
    let (observation, project) = case.evidence().project()?;
    let RegisteredAnswer::Listed { framework, .. } = &project.registered.as_ref()?.answer else {
        return None;
    };
    let missing: Vec<String> = missing(project).into_iter().map(in_short).collect();
    (!missing.is_empty()).then(|| {
        raise(
            &codes::PROJ_UNREGISTERED,
            format!(
                "{framework} has not registered {} that the code declares: {}",
                count(missing.len(), "route"),
                some_of(&missing)
            ),
            "Wherever the application runs, it answers there as on a path that does not exist.",
            "Register the blueprint or mount the router that declares it, look for the condition that leaves it out, or take it out.",
            vec![observation.id.clone()],
        )
    })
}

fn in_short(route: &Route) -> String {
    let methods = if route.methods.is_empty() { "any method of".to_owned() } else { route.methods.join(",") };
    format!("{methods} {} ({})", route.path, route.place)
}

/// Endings of the files that each framework's applications are written in.
fn endings(framework: &str) -> &'static [&'static str] {
    match framework {
        "express" | "fastify" => &[".js", ".cjs", ".mjs", ".ts", ".cts", ".mts", ".jsx", ".tsx"],
        _ => &[".py"],
    }
}

/// Routes that the code declares and the framework has not registered.
pub(crate) fn missing(project: &ProjectSnapshot) -> Vec<&Route> {
    let Some(RegisteredAnswer::Listed { framework, routes, opaque, more, .. }) =
        project.registered.as_ref().map(|registered| &registered.answer)
    else {
        return Vec::new();
    };
    // Express does not tell under which path it mounted a router whose path is an expression: it may be any of them.
    if *more || (framework == "express" && !opaque.is_empty()) {
        return Vec::new();
    }
    let own = |route: &&Route| {
        let file = file_of(&route.place);
        endings(framework).iter().any(|ending| file.ends_with(ending)) && !is_aside(file)
    };
    let hidden = |route: &Route| {
        let below = |prefix: &String| prefix != "/" && route.path.starts_with(prefix.as_str());
        opaque.iter().any(below)
    };
    let is_registered = |route: &Route| routes.iter().any(|registered| answers_for(registered, route));
    // Of several applications in one folder only one was started. A folder of which nothing is registered may be another's.
    let top = |route: &Route| {
        let file = file_of(&route.place);
        file.split_once('/').map(|(top, _)| top.to_owned()).unwrap_or_default()
    };
    let known: BTreeSet<String> =
        project.routes.iter().filter(|r| own(r) && is_registered(r)).map(&top).collect();
    let of_application = project.routes.iter().filter(|route| known.contains(&top(route)));
    let mut seen = BTreeSet::new();
    of_application
        .chain(project.unmounted.iter())
        .filter(|route| own(route) && !hidden(route) && !is_registered(route))
        .filter(|route| seen.insert((route.place.as_str(), route.methods.as_slice(), route.path.as_str())))
        .collect()
}

/// Files whose routes belong to no application that is deployed.
fn is_aside(file: &str) -> bool {
    file.split('/').any(|part| {
        let part = part.to_ascii_lowercase();
        ["test", "example", "sample", "demo", "bench", "docs", "scripts"].iter().any(|word| {
            part.starts_with(word) || part.contains(&format!("_{word}")) || part.contains(&format!(".{word}"))
        }) || part.contains("spec.")
    })
}

fn answers_for(registered: &Route, declared: &Route) -> bool {
    let (whole, end) = (registered.shape(), declared.shape());
    let same_path = whole == end || (end != "/" && whole.ends_with(&end));
    let common = |method: &String| {
        declared.methods.contains(method)
            || (method == "GET" && declared.methods.contains(&"HEAD".to_owned()))
    };
    same_path
        && (registered.methods.is_empty()
            || declared.methods.is_empty()
            || registered.methods.iter().any(common)
            || declared.methods.iter().all(|method| method == "OPTIONS"))
}

/// What the document that is served names and the project has not. Production's document is only looked at where the local
/// backend's is not known or is the same; where they differ, that is another build, and said as such.
fn unknown_operations(case: &Case<'_>) -> Option<Finding> {
    let (project_id, project) =
        case.evidence().project().map(|(observation, project)| (&observation.id, project))?;
    let ([vantage, ..], document, id) = [Vantage::Local, Vantage::Edge].into_iter().find_map(|vantage| {
        let (document, id) = marker::document(case, vantage)?;
        Some(([vantage], document, id))
    })?;
    let unknown = unknown_to(project, document)?;
    (!unknown.is_empty()).then(|| {
        let whose = if vantage == Vantage::Local { "the local backend" } else { "production" };
        raise(
            &codes::PROJ_SERVED_SPEC,
            format!(
                "The OpenAPI document of {whose} names {} that the project does not have: {}",
                count(unknown.len(), "operation"),
                some_of(&unknown)
            ),
            "Clients that are made from the document ask for what is not there.",
            "Serve them, or take them out of the document.",
            vec![id, project_id.clone()],
        )
    })
}

/// Operations that no route of the project answers for; `None` where its routes are not known well enough to say so.
pub(crate) fn unknown_to(project: &ProjectSnapshot, document: &ServedDocument) -> Option<Vec<String>> {
    let routes: Vec<&Route> = project.known_routes().collect();
    let catches = |route: &&Route| {
        route.path.ends_with('*') || route.path.contains("path") && route.path.contains(['<', '{'])
    };
    if routes.is_empty()
        || routes.iter().filter(|r| r.methods.is_empty() || r.methods.iter().any(|m| m == "GET")).any(catches)
    {
        return None;
    }
    let unknown = document.operations.iter().filter(|operation| {
        let Some((method, path)) = operation.split_once(' ') else { return false };
        // A base that a proxy takes away is in front of no route; one of the application's own is in front of all.
        let paths = [path_shape(path), path_shape(&format!("{}{path}", document.base))];
        !routes.iter().any(|route| {
            paths.contains(&route.shape())
                && (route.methods.is_empty()
                    || route.methods.iter().any(|m| m == method)
                    || method == "HEAD"
                    || method == "OPTIONS")
        })
    });
    Some(unknown.cloned().collect())
}

#[cfg(test)]
mod tests {
    use landfall_evidence::RegisteredRoutes;

    use super::*;
    use crate::testworld::deployed;

    fn route(text: &str, place: &str) -> Route {
        let (methods, path) = text.split_once(' ').expect("a method and a path");
        let methods = methods.split(',').filter(|m| !m.is_empty()).map(str::to_owned).collect();
        Route { methods, path: path.to_owned(), place: place.to_owned() }
    }

    fn listed(framework: &str, routes: &[&str], opaque: &[&str], more: bool) -> Option<RegisteredRoutes> {
        Some(RegisteredRoutes {
            asked: "python3 run:app".into(),
            answer: RegisteredAnswer::Listed {
                framework: framework.into(),
                version: Some("3.1.3".into()),
                routes: routes.iter().map(|text| route(text, "")).collect(),
                opaque: opaque.iter().map(|text| (*text).to_owned()).collect(),
                more,
            },
        })
    }

    fn project(registered: Option<RegisteredRoutes>) -> ProjectSnapshot {
        ProjectSnapshot {
            routes: vec![
                route("GET /health", "app/main.py:3"),
                route("GET /items/<int:id>", "app/items.py:9"),
                route("POST /gone", "app/main.py:20"),
                route("GET /other", "second/main.py:4"),
                route("GET /page", "web/server.js:4"),
                route("GET /fixture", "app/tests/test_app.py:4"),
            ],
            unmounted: vec![route("GET /never", "app/never.py:2"), route("GET /late", "app/late.py:2")],
            registered,
            ..ProjectSnapshot::default()
        }
    }

    fn shown(project: &ProjectSnapshot) -> Vec<&str> {
        missing(project).into_iter().map(|route| route.path.as_str()).collect()
    }

    #[test]
    fn a_route_is_missing_only_where_both_sides_are_known() {
        let all = ["GET /health", "GET /items/<id>", "GET /computed/late"];
        assert_eq!(shown(&project(listed("flask", &all, &[], false))), ["/gone", "/never"]);
        assert_eq!(shown(&project(listed("flask", &all, &["/never"], false))), ["/gone"]);
        assert!(shown(&project(listed("flask", &all, &[], true))).is_empty(), "the list was cut");
        assert!(shown(&project(listed("express", &["GET /page"], &["/"], false))).is_empty());
        assert!(shown(&project(None)).is_empty());
        let failed = RegisteredAnswer::Failed { reason: "ImportError: x".into() };
        assert!(
            shown(&project(Some(RegisteredRoutes { asked: "python3 a:b".into(), answer: failed })))
                .is_empty()
        );
        let other_method =
            project(listed("flask", &["POST /health", "GET /items/<id>", "POST /gone"], &[], false));
        assert!(shown(&other_method).contains(&"/health"), "it is registered for another method");
    }

    #[test]
    fn the_finding_names_route_and_place() {
        let world = deployed().edit_project(|p| {
            p.unmounted = vec![route("GET /never", "backend/never.py:2")];
            p.registered = listed("flask", &["GET /health"], &[], false);
            p.routes.clear();
        });
        let title = &world.findings("LF-PROJ-041")[0].title;
        assert_eq!(
            title,
            "flask has not registered 1 route that the code declares: GET /never (backend/never.py:2)"
        );
    }

    #[test]
    fn operations_are_held_against_code_and_framework() {
        let document = |base: &str, operations: &[&str]| ServedDocument {
            format: "3.1.0".into(),
            base: base.into(),
            operations: operations.iter().map(|text| (*text).to_owned()).collect(),
            ..ServedDocument::default()
        };
        let mut project = project(listed("flask", &["GET /extra"], &[], false));
        let served =
            document("", &["GET /health", "GET /items/{id}", "GET /extra", "DELETE /items/{id}", "GET /new"]);
        assert_eq!(
            unknown_to(&project, &served).as_deref(),
            Some(&["DELETE /items/{id}".to_owned(), "GET /new".to_owned()][..])
        );
        assert_eq!(
            unknown_to(&project, &document("/v1", &["GET /health"])),
            Some(vec![]),
            "a proxy takes /v1 away"
        );
        project.routes.push(route("GET /<path:rest>", "app/main.py:30"));
        assert_eq!(unknown_to(&project, &served), None, "a catch-all serves what no other names");
        assert_eq!(unknown_to(&ProjectSnapshot::default(), &served), None, "no route is known");
    }
}
