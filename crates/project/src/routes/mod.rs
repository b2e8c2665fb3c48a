//! Routes as the code declares them, by the forms that each framework documents. What is built at run time is not seen.

mod django;
mod express;
mod flask;
mod go;
mod lexical;
mod node;
mod openapi;
mod others;
mod ruby;
mod rust;
mod starlette;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use landfall_evidence::Route;
use regex::Regex;

use crate::settings::Noticed;
use crate::source::{Language, Source};
use crate::tree::{Tree, parent};

/// Routes kept; an application with more is generated.
const MAX_ROUTES: usize = 1_000;
/// Routers inside routers.
const MAX_NESTING: usize = 6;
/// Mounts of one router that are followed; with the nesting this bounds the work for one route.
const MAX_MOUNTS: usize = 4;

/// Reads the routes of a project, in the order of their paths.
pub(crate) fn read(tree: &Tree, sources: &[Source]) -> Vec<Route> {
    let mut routes = flask::read(tree, sources);
    routes.extend(django::read(tree, sources));
    routes.extend(express::read(tree, sources));
    routes.extend(node::read(tree, sources));
    routes.extend(go::read(sources));
    routes.extend(rust::read(sources));
    routes.extend(ruby::read(sources));
    routes.extend(starlette::read(sources));
    routes.extend(others::read(tree, sources));
    routes.sort_by(|a, b| (&a.path, &a.methods, &a.place).cmp(&(&b.path, &b.methods, &b.place)));
    routes.dedup();
    routes.truncate(MAX_ROUTES);
    routes
}

/// The routes of the project's OpenAPI document, all of one file.
pub(crate) fn specified(tree: &Tree, unread: &mut Vec<String>) -> Vec<Route> {
    openapi::read(tree, unread).unwrap_or_default()
}

/// Where the project's OpenAPI document and its code differ.
pub(crate) fn against_specification(specified: &[Route], routes: &[Route]) -> Vec<Noticed> {
    openapi::compare(specified, routes)
}

/// A router (blueprint, app) by the file and the name that it has there.
type Router = (String, String);

/// Which router is mounted on which, under which prefix.
#[derive(Debug, Default)]
struct Mounts {
    /// Router to (parent, prefix). A router can be mounted more than once.
    on: BTreeMap<Router, Vec<(Option<Router>, String)>>,
    /// A mount whose router could not be told: then nothing may be called unmounted.
    unclear: bool,
}

impl Mounts {
    /// All prefixes under which a router is reached; `roots` are applications, reached under no prefix.
    fn prefixes(&self, router: &Router, roots: &[Router], depth: usize) -> Vec<String> {
        if roots.contains(router) {
            return vec![String::new()];
        }
        let Some(mounts) = self.on.get(router).filter(|_| depth < MAX_NESTING) else { return Vec::new() };
        mounts
            .iter()
            .take(MAX_MOUNTS)
            .flat_map(|(parent, prefix)| match parent {
                Some(parent) => {
                    let above = self.prefixes(parent, roots, depth + 1);
                    // A parent that we do not know is taken for an application.
                    let above = if above.is_empty() && !self.on.contains_key(parent) {
                        vec![String::new()]
                    } else {
                        above
                    };
                    above.into_iter().map(|a| format!("{a}{prefix}")).collect::<Vec<_>>()
                }
                None => vec![prefix.clone()],
            })
            .collect()
    }
}

/// Where the names of a Python file come from: name to (module file, name there; empty for the module itself).
/// `from routes import support` may mean a name in `routes/__init__.py` or the module `routes/support.py`, in this order.
type Imports = BTreeMap<String, Vec<(String, String)>>;

fn python_imports(tree: &Tree, source: &Source) -> Imports {
    static FROM: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?m)^[ \t]*from[ \t]+(\.*[\w.]*)[ \t]+import[ \t]*(?:\(([^)]*)\)|([^\n]*))")
            .expect("the pattern is a constant and covered by tests")
    });
    static PLAIN: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?m)^[ \t]*import[ \t]+([\w.]+)(?:[ \t]+as[ \t]+(\w+))?")
            .expect("the pattern is a constant and covered by tests")
    });
    let mut imports = Imports::new();
    let module_file = |module: &str| python_module(tree, &source.path, module);
    for c in FROM.captures_iter(&source.code) {
        let module = &c[1];
        let names = c.get(2).or_else(|| c.get(3)).map_or("", |m| m.as_str());
        for item in names.split(',') {
            let mut words = item.split_whitespace();
            let Some(name) = words.next() else { continue };
            let local = words.nth(1).unwrap_or(name);
            let dot = if module.ends_with('.') { "" } else { "." };
            let origins = imports.entry(local.to_owned()).or_default();
            origins.extend(module_file(module).map(|file| (file, name.to_owned())));
            origins.extend(module_file(&format!("{module}{dot}{name}")).map(|file| (file, String::new())));
        }
    }
    for c in PLAIN.captures_iter(&source.code) {
        if let Some(file) = module_file(&c[1]) {
            let local = c.get(2).map_or(&c[1], |m| m.as_str());
            imports.entry(local.to_owned()).or_default().push((file, String::new()));
        }
    }
    imports
}

/// The file of a module as seen from another file; leading dots are relative (PEP 328).
fn python_module(tree: &Tree, from: &str, module: &str) -> Option<String> {
    let dots = module.bytes().take_while(|b| *b == b'.').count();
    let rest = module[dots..].replace('.', "/");
    let candidates = |base: &str| {
        let join = |tail: String| if base.is_empty() { tail } else { format!("{base}/{tail}") };
        if rest.is_empty() {
            vec![join("__init__.py".to_owned())]
        } else {
            vec![join(format!("{rest}.py")), join(format!("{rest}/__init__.py"))]
        }
    };
    let mut folder = parent(from);
    if dots > 0 {
        for _ in 1..dots {
            folder = parent(folder);
        }
        return candidates(folder).into_iter().find(|c| tree.has(c));
    }
    if rest.is_empty() {
        return None;
    }
    // Absolute imports begin at some folder on the import path: the root, `src`, or one above the file itself.
    let mut bases = vec!["", "src"];
    while !folder.is_empty() {
        bases.push(folder);
        folder = parent(folder);
    }
    bases.into_iter().find_map(|base| candidates(base).into_iter().find(|c| tree.has(c)))
}

/// Follows names that packages hand on (`from .support import bp` in an `__init__.py`) to where they are defined.
fn resolve(
    name: &str,
    file: &str,
    imports: &BTreeMap<&str, Imports>,
    known: &dyn Fn(&Router) -> bool,
) -> Option<Router> {
    follow((file.to_owned(), name.to_owned()), imports, known, 0)
}

fn follow(
    here: Router,
    imports: &BTreeMap<&str, Imports>,
    known: &dyn Fn(&Router) -> bool,
    depth: usize,
) -> Option<Router> {
    if known(&here) {
        return Some(here);
    }
    if depth >= MAX_NESTING {
        return None;
    }
    let (module, attribute) = here.1.split_once('.').unwrap_or((&here.1, ""));
    // Two origins at most are worth following; a name that is imported again and again is not a router.
    imports.get(here.0.as_str())?.get(module)?.iter().take(2).find_map(|(file, inner)| {
        let next = match (inner.is_empty(), attribute.is_empty()) {
            (true, _) => attribute.to_owned(),
            (false, true) => inner.clone(),
            (false, false) => format!("{inner}.{attribute}"),
        };
        follow((file.clone(), next), imports, known, depth + 1)
    })
}

fn python(sources: &[Source]) -> impl Iterator<Item = &Source> {
    sources.iter().filter(|s| s.language == Language::Python)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree;

    /// Routes as `METHODS path place`.
    pub(super) fn check(files: &[(&str, &str)], expected: &[&str]) {
        let (_dir, tree) = tree(files);
        let sources = crate::source::load(&tree, &mut Vec::new());
        let shown: Vec<String> = read(&tree, &sources)
            .iter()
            .map(|r| format!("{} {} {}", r.methods.join(","), r.path, r.place))
            .collect();
        assert_eq!(shown, expected);
    }
}
