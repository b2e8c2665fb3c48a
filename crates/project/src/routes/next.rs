//! Next's files: each is a route by its place (nextjs.org/docs: Route Handlers, Pages and Layouts).

use landfall_evidence::Route;

use super::code::World;
use super::lexical::join;
use crate::source::Source;
use crate::tree::{Tree, file_name, parent};

const METHODS: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/// Adds the routes of a Next application at the root of the tree.
pub(super) fn read<'a>(world: &World<'a>, tree: &Tree, sources: &[&'a Source], routes: &mut Vec<Route>) {
    let is_next = ["next.config.js", "next.config.mjs", "next.config.ts"].iter().any(|name| tree.has(name))
        || tree.text("package.json").and_then(Result::ok).is_some_and(|text| text.contains("\"next\""));
    if !is_next {
        return;
    }
    for source in sources {
        let path = source.path.strip_prefix("src/").unwrap_or(&source.path);
        let Some((stem, _)) = path.rsplit_once('.') else { continue };
        let (base, name) = (parent(stem), file_name(stem));
        if let Some(below) = base.strip_prefix("app").filter(|b| b.is_empty() || b.starts_with('/')) {
            let methods = match name {
                "route" => methods(world, source),
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

/// A route's methods are the names that its file exports.
fn methods(world: &World<'_>, source: &Source) -> Vec<String> {
    let Some(file) = world.file(&source.path) else { return Vec::new() };
    let names = file.exports.iter().map(|(name, _)| name.as_str());
    let mut all: Vec<String> = names.filter(|name| METHODS.contains(name)).map(str::to_owned).collect();
    all.sort();
    all.dedup();
    all
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

#[cfg(test)]
mod tests {
    use super::super::tests::check;

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
}
