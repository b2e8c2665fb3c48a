//! Routes as the code declares them, by the forms that each framework documents. What is built at run time is not seen.

mod code;
mod django;
mod express;
mod flask;
mod go;
mod lexical;
mod nest;
mod next;
mod openapi;
mod others;
mod ruby;
mod rust;

use std::collections::BTreeMap;

use landfall_evidence::Route;

use code::{Dialect, Id, World};

use crate::settings::Noticed;
use crate::source::{Language, Source};
use crate::syntax::Trees;
use crate::tree::Tree;

/// Routes kept; an application with more is generated.
const MAX_ROUTES: usize = 1_000;
/// Routers inside routers.
const MAX_NESTING: usize = 6;
/// Mounts of one router that are followed; with the nesting this bounds the work for one route.
const MAX_MOUNTS: usize = 4;

/// Files read at a time, before it is asked whether the routes are enough.
const SHARE: usize = 512;

/// Whether routes are read from the syntax tree of this source, as far as its text alone tells.
pub(crate) fn may_read(source: &Source) -> bool {
    match source.language {
        Language::Python => flask::may_read(source),
        Language::JavaScript => express::may_read(source) || nest::may_read(source),
        _ => false,
    }
}

/// What the code declares.
#[derive(Debug, Default)]
pub(crate) struct Declared {
    pub(crate) routes: Vec<Route>,
    /// On a router that nothing is seen to mount; a path begins at its router.
    pub(crate) unmounted: Vec<Route>,
}

/// Reads the routes of a project, in the order of their paths. What was cut off is said in `unread`.
pub(crate) fn read(tree: &Tree, sources: &[Source], trees: &Trees<'_>, unread: &mut Vec<String>) -> Declared {
    let mut unmounted = Vec::new();
    let mut routes = python(tree, sources, trees, &mut unmounted, unread);
    let scripts = scripts(tree, sources, trees, &mut unmounted, unread);
    // A reader that has found more reads no further.
    let cut = routes.len().max(scripts.len()) > MAX_ROUTES;
    routes.extend(scripts);
    routes.extend(go::read(sources));
    routes.extend(rust::read(sources));
    routes.extend(ruby::read(sources));
    routes.extend(others::read(tree, sources));
    for list in [&mut routes, &mut unmounted] {
        list.sort_by(|a, b| (&a.path, &a.methods, &a.place).cmp(&(&b.path, &b.methods, &b.place)));
        list.dedup();
    }
    unmounted.truncate(MAX_ROUTES);
    if cut || routes.len() > MAX_ROUTES {
        unread.push(format!("routes: the code declares more than {MAX_ROUTES}, and the rest was not read"));
        routes.truncate(MAX_ROUTES);
    }
    Declared { routes, unmounted }
}

fn python(
    tree: &Tree,
    sources: &[Source],
    trees: &Trees<'_>,
    unmounted: &mut Vec<Route>,
    unread: &mut Vec<String>,
) -> Vec<Route> {
    let sources: Vec<&Source> = sources.iter().filter(|s| s.language == Language::Python).collect();
    let dialect = Dialect {
        module: code::modules::python,
        makes: flask::makes,
        wraps: |_| false,
        // Flask's and FastAPI's methods give the function that they decorate, not the router.
        chained: |_| false,
        exports: false,
    };
    let world = World::new(tree, sources.iter().copied(), trees, dialect);
    let mut routes = Vec::new();
    unmounted.extend(flask::read(&world, &sources, &mut routes));
    django::read(&world, &sources, &mut routes);
    not_looked_into(&world, unread);
    routes
}

fn scripts(
    tree: &Tree,
    sources: &[Source],
    trees: &Trees<'_>,
    unmounted: &mut Vec<Route>,
    unread: &mut Vec<String>,
) -> Vec<Route> {
    let sources: Vec<&Source> = sources.iter().filter(|s| s.language == Language::JavaScript).collect();
    let dialect = Dialect {
        module: code::modules::script,
        makes: express::makes,
        wraps: |module| module == "fastify-plugin",
        chained: express::chained,
        exports: true,
    };
    let world = World::new(tree, sources.iter().copied(), trees, dialect);
    let mut routes = Vec::new();
    unmounted.extend(express::read(&world, &sources, &mut routes));
    nest::read(&world, &sources, &mut routes);
    next::read(&world, tree, &sources, &mut routes);
    not_looked_into(&world, unread);
    routes
}

fn not_looked_into(world: &World<'_>, unread: &mut Vec<String>) {
    if let Some(path) = world.cut_at() {
        unread.push(format!("{path} and later sources: more code than is searched for routes"));
    }
}

/// Adds what `declares` finds in the linking files, then in the rest, until there are more routes than are kept.
fn declared_by<'a>(
    world: &World<'a>,
    links: &[&'a Source],
    rest: &[&'a Source],
    routes: &mut Vec<Route>,
    mut declares: impl FnMut(&'a Source, &mut Vec<Route>),
) {
    for share in [links].into_iter().chain(rest.chunks(SHARE)) {
        world.load(share);
        for source in share {
            declares(source, routes);
            if routes.len() > MAX_ROUTES {
                return;
            }
        }
    }
}

/// The routes of the project's OpenAPI document, all of one file.
pub(crate) fn specified(tree: &Tree, unread: &mut Vec<String>) -> Vec<Route> {
    openapi::read(tree, unread).unwrap_or_default()
}

/// Where the project's OpenAPI document and its code differ.
pub(crate) fn against_specification(specified: &[Route], routes: &[Route]) -> Vec<Noticed> {
    openapi::compare(specified, routes)
}

/// On what a router is mounted (`None`: on something that is taken for an application), and under which prefix (`None`: it
/// is not known).
type Mount = (Option<Id>, Option<String>);

/// Which router is mounted on which, under which prefix.
#[derive(Debug, Default)]
struct Mounts {
    /// A router can be mounted more than once.
    on: BTreeMap<Id, Vec<Mount>>,
    /// A mount whose router could not be told: then nothing may be called unmounted.
    unclear: bool,
}

impl Mounts {
    fn add(&mut self, router: Id, parent: Option<Id>, prefix: Option<String>) {
        let mounts = self.on.entry(router).or_default();
        let mount = (parent, prefix);
        if mounts.len() < MAX_MOUNTS && !mounts.contains(&mount) {
            mounts.push(mount);
        }
    }

    fn is_empty(&self) -> bool {
        self.on.is_empty()
    }

    /// Whether a router is mounted nowhere, or only on such ones. `mountable` says whether a router without a mount is one that
    /// has to be mounted to be reached. A mount whose prefix is not known is one.
    fn unreached(&self, router: &Id, mountable: &dyn Fn(&Id) -> bool, depth: usize) -> bool {
        match self.on.get(router) {
            None => mountable(router),
            Some(mounts) => {
                depth < MAX_NESTING
                    && mounts.iter().all(|(parent, _)| {
                        parent.as_ref().is_some_and(|parent| self.unreached(parent, mountable, depth + 1))
                    })
            }
        }
    }

    /// All prefixes under which a router is reached. `unmounted` says what is in front of one that is mounted nowhere
    /// (`None`: it is not reached); its second argument is whether the question is about a parent.
    fn prefixes(&self, router: &Id, unmounted: &dyn Fn(&Id, bool) -> Option<String>) -> Vec<String> {
        self.above(router, unmounted, &|_| Some(String::new()), 0)
    }

    /// The same where a router has a prefix of its own behind that of each mount.
    fn prefixes_with(
        &self,
        router: &Id,
        unmounted: &dyn Fn(&Id, bool) -> Option<String>,
        own: &dyn Fn(&Id) -> Option<String>,
    ) -> Vec<String> {
        self.above(router, unmounted, own, 0)
    }

    fn above(
        &self,
        router: &Id,
        unmounted: &dyn Fn(&Id, bool) -> Option<String>,
        own: &dyn Fn(&Id) -> Option<String>,
        depth: usize,
    ) -> Vec<String> {
        let Some(own_prefix) = own(router) else { return Vec::new() };
        let Some(mounts) = self.on.get(router) else {
            return unmounted(router, depth > 0)
                .map(|before| put_together(&before, &own_prefix))
                .into_iter()
                .collect();
        };
        if depth >= MAX_NESTING {
            return Vec::new();
        }
        let mut all: Vec<String> = Vec::new();
        for (parent, prefix) in mounts {
            let Some(prefix) = prefix else { continue };
            let above = match parent {
                Some(parent) => self.above(parent, unmounted, own, depth + 1),
                None => vec![String::new()],
            };
            for above in above {
                let path = put_together(&put_together(&above, prefix), &own_prefix);
                if !all.contains(&path) {
                    all.push(path);
                }
            }
        }
        all
    }
}

/// Two parts of a path, with one slash between them.
fn put_together(before: &str, after: &str) -> String {
    match (before.is_empty(), after.is_empty()) {
        (true, _) => after.to_owned(),
        (_, true) => before.to_owned(),
        _ => format!("{}/{}", before.trim_end_matches('/'), after.trim_start_matches('/')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree;

    /// Routes as `METHODS path place`.
    pub(in crate::routes) fn check(files: &[(&str, &str)], expected: &[&str]) {
        let (_dir, tree) = tree(files);
        let sources = crate::source::load(&tree, &mut Vec::new());
        let mut unread = Vec::new();
        let shown: Vec<String> = read(&tree, &sources, &Trees::default(), &mut unread)
            .routes
            .iter()
            .map(|r| format!("{} {} {}", r.methods.join(","), r.path, r.place))
            .collect();
        assert_eq!(shown, expected);
        assert!(unread.is_empty(), "{unread:?}");
    }

    #[test]
    fn more_routes_than_are_kept_are_said() {
        let python: String =
            (0..MAX_ROUTES).map(|n| format!("@app.get('/{n}')\ndef f{n}(): pass\n")).collect();
        let few = ("a.py", format!("from flask import Flask\napp = Flask(__name__)\n{python}"));
        let script: String = (0..=MAX_ROUTES).map(|n| format!("app.get('/{n}', f);\n")).collect();
        let many = ("a.js", format!("const app = express();\n{script}"));
        for ((path, text), said) in [(few, 0), (many, 1)] {
            let (_dir, tree) = tree(&[(path, &text)]);
            let sources = crate::source::load(&tree, &mut Vec::new());
            let mut unread = Vec::new();
            assert_eq!(read(&tree, &sources, &Trees::default(), &mut unread).routes.len(), MAX_ROUTES);
            assert_eq!(unread.len(), said, "{unread:?}");
            assert!(unread.iter().all(|reason| reason.contains("more than 1000")), "{unread:?}");
        }
    }

    #[test]
    fn modules_that_import_each_other_and_functions_that_call_themselves_end() {
        check(
            &[
                ("a.py", "from b import app\n@app.get('/x')\ndef x(): pass\n"),
                (
                    "b.py",
                    "from a import app\ndef f(): return f()\nrouter = f()\n@router.get('y')\ndef y(): pass\n",
                ),
            ],
            &["GET /x a.py:2"],
        );
        check(
            &[
                (
                    "a.js",
                    "const app = require('./b');\napp.get('/x', f);\nmodule.exports = app;\nexpress();\n",
                ),
                ("b.js", "const g = () => g();\nmodule.exports = require('./a') || g();\n"),
            ],
            &[],
        );
        let deep = format!("const app = express();\napp.get({}'/x', f);\n", "(".repeat(5_000));
        let chain = format!("const app = express();\napp{};\n", ".get('/x', f)".repeat(3_000));
        for text in [deep, chain] {
            let (_dir, tree) = tree(&[("a.js", &text)]);
            let sources = crate::source::load(&tree, &mut Vec::new());
            read(&tree, &sources, &Trees::default(), &mut Vec::new());
        }
    }
}
