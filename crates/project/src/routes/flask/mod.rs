//! Flask applications and blueprints, the resources of Flask-RESTful and Flask-RESTX, FastAPI applications and routers,
//! Starlette's tables of routes.
//!
//! Sources: flask.palletsprojects.com (Blueprints; API, `Blueprint.register`; Class-based Views),
//! flask-restful.readthedocs.io (API Docs), flask-restx.readthedocs.io (API, `Namespace`), fastapi.tiangolo.com (Bigger
//! Applications, Sub Applications), starlette.io/routing.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashSet};

use landfall_evidence::Route;

use super::code::{Call, Decorator, Expr, Id, Made, Use, Value, World};
use super::{MAX_ROUTES, Mounts, declared_by, put_together};
use crate::source::Source;
use crate::words::{Words, words};

/// Whether a callee of this name makes what routes are registered on.
pub(super) fn makes(name: &str) -> bool {
    let applications = matches!(name, "Flask" | "FastAPI" | "Starlette" | "Quart" | "Sanic");
    applications || matches!(name, "Blueprint" | "APIRouter" | "Router" | "Api" | "Namespace" | "namespace")
}

/// Decorators and their kind.
const VERBS: &[&str] =
    &["route", "get", "post", "put", "patch", "delete", "head", "options", "api_route", "websocket"];
/// Methods that classes of views have methods for.
const METHODS: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
/// Words of what makes and mounts.
const LINKING: Words = words![
    "Flask(",
    "FastAPI(",
    "Starlette",
    "Quart(",
    "Sanic(",
    "register_blueprint",
    "include_router",
    ".mount",
    "Api(",
    "add_namespace",
    "add_resource"
];

/// Whether a file mounts something or declares routes, as far as its text alone tells.
pub(super) fn may_read(source: &Source) -> bool {
    source.says(LINKING)
        || source.says(words!["add_url_rule", "add_api_route", "add_route"])
        || decorates(source)
}

/// Adds the routes of these frameworks, and gives those of blueprints and routers that nothing mounts.
pub(super) fn read<'a>(world: &World<'a>, sources: &[&'a Source], routes: &mut Vec<Route>) -> Vec<Route> {
    // Who mounts what has to be known before any path is.
    let (links, rest): (Vec<&Source>, Vec<&Source>) = sources.iter().copied().partition(|s| s.says(LINKING));
    world.load(&links);
    let mut linker =
        Linker { world, mounts: Mounts::default(), tables: HashSet::new(), unmounted: RefCell::default() };
    for source in &links {
        linker.links(&source.path);
    }
    let rest: Vec<&Source> = rest.into_iter().filter(|s| may_read(s)).collect();
    declared_by(world, &links, &rest, routes, |source, routes| linker.routes(source, routes));
    linker.unmounted.into_inner()
}

/// Whether a line begins with a decorator that could be a route's: most files hold none and are not parsed.
fn decorates(source: &Source) -> bool {
    let words = words![
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
    ];
    source.says(words)
        && source.code.match_indices('@').any(|(at, _)| {
            let before = source.code[..at].rsplit('\n').next().unwrap_or_default();
            let after = &source.code[at + 1..];
            let called = after.split(['(', '\n']).next().unwrap_or_default();
            before.bytes().all(|b| b == b' ' || b == b'\t')
                && called.rsplit_once('.').is_some_and(|(_, verb)| VERBS.contains(&verb.trim_end()))
        })
}

struct Linker<'w, 'a> {
    world: &'w World<'a>,
    mounts: Mounts,
    /// Starlette's `Mount`, which have prefixes of their own.
    tables: HashSet<Id>,
    unmounted: RefCell<Vec<Route>>,
}

impl Linker<'_, '_> {
    /// Notes what one file mounts on what.
    fn links(&mut self, path: &str) {
        let Some(file) = self.world.file(path) else { return };
        for Use { call, inside } in &file.calls {
            match (call.method(), call.callee.last()) {
                (Some((owner, "register_blueprint" | "include_router")), _) => self.mount(path, owner, call),
                (Some((owner, "add_namespace")), _) => self.mount(path, owner, call),
                (Some((owner, "namespace")), _) => self.under(path, call, owner),
                // `Api(blueprint)`, and `api.init_app(blueprint)` where it was made without one.
                (_, Some("Api")) => {
                    if let Some(on) = call.argument(0, "app") {
                        self.under(path, call, on);
                    }
                }
                (Some((owner, "init_app")), _) => {
                    let Some(on) = call.argument(0, "app") else { continue };
                    for child in self.world.routers(path, owner) {
                        self.below(child, self.world.routers(path, on));
                    }
                }
                (Some((owner, "mount")), _) => {
                    let (Some(prefix), Some(app)) = (call.argument(0, "path"), call.argument(1, "app"))
                    else {
                        continue;
                    };
                    let prefix = self.world.text(path, prefix);
                    let parents = self.world.routers(path, owner);
                    for child in self.world.routers(path, app) {
                        for parent in parents.iter().filter(|parent| **parent != child) {
                            self.mounts.add(child.clone(), Some(parent.clone()), prefix.clone());
                        }
                    }
                }
                (_, Some("Mount" | "Host")) => self.table(path, call, inside, true),
                (_, Some("Starlette" | "Router" | "FastAPI")) => self.table(path, call, inside, false),
                _ => self.handed_on(path, call),
            }
        }
        // What stands inside of one of Starlette's lists is reached as the list is.
        let mut seen = BTreeSet::new();
        for Use { call, inside } in &file.calls {
            let table = matches!(call.callee.last(), Some("Route" | "WebSocketRoute" | "Mount" | "Host"));
            for pair in inside.windows(2).filter(|_| table) {
                let child = (path.to_owned(), pair[0]);
                if !self.tables.contains(&child) && seen.insert((pair[0], pair[1])) {
                    self.mounts.add(child, Some((path.to_owned(), pair[1])), Some(String::new()));
                }
            }
        }
    }

    /// What a call makes is mounted on a router where it is made.
    fn under(&mut self, path: &str, call: &Call, on: &Expr) {
        let parents = self.world.routers(path, on);
        for child in self.world.routers(path, &Expr::Call(Box::new(call.clone()))) {
            self.below(child, parents.clone());
        }
    }

    /// Mounts a router on others behind the prefix that it has by itself.
    fn below(&mut self, child: Id, parents: Vec<Id>) {
        let own = self.own(&child);
        for parent in parents.into_iter().filter(|parent| *parent != child) {
            self.mounts.add(child.clone(), Some(parent), own.clone());
        }
    }

    /// `app.register_blueprint(bp, url_prefix="/x")`, `app.include_router(router, prefix="/x")` and
    /// `api.add_namespace(ns, path="/x")`.
    fn mount(&mut self, path: &str, owner: &Expr, call: &Call) {
        let child = ["blueprint", "router", "ns"].iter().find_map(|name| call.argument(0, name));
        let children = child.map(|child| self.world.routers(path, child)).unwrap_or_default();
        if children.is_empty() {
            self.mounts.unclear = true;
            return;
        }
        let parents = self.world.routers(path, owner);
        let given = ["url_prefix", "prefix", "path"].iter().find_map(|name| call.named(name));
        for child in children {
            let made = self.world.made(&child);
            let is_router = made.as_ref().is_some_and(|made| made.name == "APIRouter");
            // Which router a parameter stands for is known to the callers alone.
            self.mounts.unclear |= made.is_none();
            let given = given.filter(|given| !is_none(given)).map(|given| self.world.text(path, given));
            let own = self.own(&child);
            // Flask's own prefix is replaced by one at registration, FastAPI's is added to it. A prefix that is computed
            // is not known; leaving the routes out is better than a wrong path.
            let prefix = match given {
                Some(None) => None,
                Some(Some(given)) if is_router => own.map(|own| put_together(&given, &own)),
                Some(Some(given)) => Some(given),
                None => own,
            };
            if parents.is_empty() {
                self.mounts.add(child.clone(), None, prefix.clone());
            }
            for parent in parents.iter().filter(|parent| **parent != child) {
                self.mounts.add(child.clone(), Some(parent.clone()), prefix.clone());
            }
        }
    }

    /// The prefix that a router has by itself; `None` when it is computed.
    fn own(&self, router: &Id) -> Option<String> {
        let Some(made) = self.world.made(router) else { return Some(String::new()) };
        if matches!(made.name.as_str(), "Namespace" | "namespace") {
            return match made.call.named("path").filter(|path| !is_none(path)) {
                Some(path) => self.world.text(&router.0, path),
                // Without a path its name is the path.
                None => Some(format!("/{}", self.world.text(&router.0, made.call.argument(0, "name")?)?)),
            };
        }
        let prefix = made.call.named("url_prefix").or_else(|| made.call.named("prefix"));
        match prefix.filter(|prefix| !is_none(prefix)) {
            Some(prefix) => self.world.text(&router.0, prefix),
            None => Some(String::new()),
        }
    }

    /// `Mount("/x", routes=…)`, `Mount("/x", app=…)`, `Starlette(routes=…)`.
    fn table(&mut self, path: &str, call: &Call, inside: &[usize], has_prefix: bool) {
        let id = (path.to_owned(), call.at);
        if has_prefix {
            self.tables.insert(id.clone());
            let prefix = call.argument(0, "path").and_then(|p| self.world.text(path, p));
            // A host is no part of the path.
            let prefix = if call.callee.last() == Some("Host") { Some(String::new()) } else { prefix };
            let parent = inside.first().map(|at| (path.to_owned(), *at));
            self.mounts.add(id.clone(), parent, prefix);
        }
        let apart = if has_prefix { 1 } else { 0 };
        let held = [call.named("routes"), call.named("app"), call.arguments.get(apart)];
        for held in held.into_iter().flatten() {
            let ids = self.parts(path, held);
            for child in ids.into_iter().filter(|child| *child != id) {
                self.mounts.add(child, Some(id.clone()), Some(String::new()));
            }
        }
    }

    /// The lists and applications that an expression is put together from.
    fn parts(&self, path: &str, expr: &Expr) -> Vec<Id> {
        let mut all = Vec::new();
        for value in self.world.values(path, expr) {
            match value {
                Value::Router(id) => all.push(id),
                Value::List(id, items) => {
                    // `[*others, Route(…)]`
                    let names = items.iter().filter(|item| item.dotted().is_some());
                    all.extend(names.flat_map(|item| self.world.routers(&id.0, item)));
                    all.push(id);
                }
                _ => {}
            }
        }
        all
    }

    /// A function that is given a router has it as its parameter.
    fn handed_on(&mut self, path: &str, call: &Call) {
        for (at, argument) in call.arguments.iter().enumerate() {
            let routers = self.world.routers(path, argument);
            if routers.is_empty() {
                continue;
            }
            for value in self.world.values(path, &call.callee) {
                let Value::Function(there, function) = value else { continue };
                let Some(file) = self.world.file(&there) else { continue };
                let Some((place, _)) = file.functions.get(function).and_then(|f| f.parameters.get(at)) else {
                    continue;
                };
                for router in &routers {
                    let parent = Some(router.clone());
                    self.mounts.add((there.clone(), *place), parent, Some(String::new()));
                }
            }
        }
    }

    /// Whether a router is of a kind that serves nothing unless it is mounted.
    fn is_mountable(&self, router: &Id) -> bool {
        let made = self.world.made(router);
        made.is_some_and(|made| matches!(made.name.as_str(), "Blueprint" | "APIRouter" | "Namespace"))
    }

    /// The prefixes under which a router is reached.
    fn prefixes(&self, router: &Id) -> Vec<String> {
        let unmounted = |router: &Id, is_parent: bool| {
            let mountable = self.is_mountable(router);
            // Mounted in a way that we cannot follow, its own prefix is the best that is known. Otherwise what is never
            // mounted is not served; a parent of others is taken for an application.
            let served = !mountable || is_parent || self.mounts.unclear || self.mounts.is_empty();
            if served { self.own(router) } else { None }
        };
        self.mounts.prefixes(router, &unmounted)
    }

    /// The routes that one file declares.
    fn routes(&self, source: &Source, routes: &mut Vec<Route>) {
        let path = source.path.as_str();
        let Some(file) = self.world.file(path) else { return };
        for Decorator { call, class } in &file.decorators {
            if let Some((owner, verb)) = call.method().filter(|(_, verb)| VERBS.contains(verb)) {
                let class = class.and_then(|class| self.answered(path, class));
                self.declared(source, call, owner, verb, class, routes);
            }
        }
        for Use { call, inside } in &file.calls {
            match (call.method(), call.callee.last()) {
                (Some((owner, "add_url_rule" | "add_api_route" | "add_route")), _) => {
                    // `view_func=Items.as_view("items")`
                    let view = match call.named("view_func").or_else(|| call.arguments.get(2)) {
                        Some(Expr::Call(view)) => {
                            view.method().and_then(|(class, _)| self.class(path, class))
                        }
                        _ => None,
                    };
                    self.declared(source, call, owner, "rule", view, routes);
                }
                (Some((owner, "add_resource")), _) => {
                    let Some((class, paths)) = call.arguments.split_first() else { continue };
                    let methods = self.class(path, class).unwrap_or_default();
                    for router in self.world.routers(path, owner) {
                        for under in paths.iter().filter_map(|under| self.world.text(path, under)) {
                            self.add(source, call, &methods, &under, self.prefixes(&router), routes);
                        }
                    }
                }
                (_, Some("Route")) if source.says(words!["Starlette"]) => {
                    let Some(under) = call.argument(0, "path").and_then(|p| self.world.text(path, p)) else {
                        continue;
                    };
                    if !under.is_empty() && !under.starts_with('/') {
                        continue;
                    }
                    let prefixes = match inside.first() {
                        Some(at) => self.prefixes(&(path.to_owned(), *at)),
                        None => vec![String::new()],
                    };
                    let methods = self.methods(path, call);
                    self.add(source, call, &methods, &under, prefixes, routes);
                }
                _ => {}
            }
        }
    }

    /// The methods that a class of views answers: those that it has a method for.
    fn answered(&self, path: &str, class: usize) -> Option<Vec<String>> {
        let file = self.world.file(path)?;
        let names = file.classes.get(class)?.attributes.iter().map(|(name, _)| name.to_uppercase());
        let mut all: Vec<String> = names.filter(|name| METHODS.contains(&name.as_str())).collect();
        all.sort();
        all.dedup();
        // One that inherits all of them does not say which.
        Some(all)
    }

    fn class(&self, path: &str, expr: &Expr) -> Option<Vec<String>> {
        self.world.values(path, expr).into_iter().find_map(|value| match value {
            Value::Class(there, class) => self.answered(&there, class),
            _ => None,
        })
    }

    fn declared(
        &self,
        source: &Source,
        call: &Call,
        owner: &Expr,
        verb: &str,
        class: Option<Vec<String>>,
        routes: &mut Vec<Route>,
    ) {
        let file = source.path.as_str();
        let path = ["rule", "path"].iter().find_map(|name| call.argument(0, name));
        let Some(path) = path.and_then(|path| self.world.text(file, path)) else { return };
        let methods = match verb {
            "websocket" => return,
            "route" | "api_route" | "rule" => match class {
                Some(methods) if call.named("methods").is_none() => methods,
                _ => self.methods(file, call),
            },
            verb => vec![verb.to_uppercase()],
        };
        let routers = self.world.routers(file, owner);
        // An application made by a function that we do not know, an import from a package.
        if routers.is_empty() && path.starts_with('/') {
            self.add(source, call, &methods, &path, vec![String::new()], routes);
        }
        for router in routers {
            let prefixes = self.prefixes(&router);
            if !self.mounts.unclear && self.mounts.unreached(&router, &|router| self.is_mountable(router), 0)
            {
                let own = self.own(&router).unwrap_or_default();
                self.add(source, call, &methods, &path, vec![own], &mut self.unmounted.borrow_mut());
            }
            self.add(source, call, &methods, &path, prefixes, routes);
            // Flask-RESTX takes any number of paths.
            let resources = |made: Made| matches!(made.name.as_str(), "Api" | "Namespace" | "namespace");
            if self.world.made(&router).is_some_and(resources) {
                for path in call.arguments.iter().skip(1).filter_map(|path| self.world.text(file, path)) {
                    self.add(source, call, &methods, &path, self.prefixes(&router), routes);
                }
            }
        }
    }

    /// Without a list the frameworks answer GET (Flask and Starlette add HEAD and OPTIONS by themselves).
    fn methods(&self, file: &str, call: &Call) -> Vec<String> {
        match call.named("methods") {
            Some(list) => self.world.texts(file, list).iter().map(|method| method.to_uppercase()).collect(),
            None => vec!["GET".to_owned()],
        }
    }

    fn add(
        &self,
        source: &Source,
        call: &Call,
        methods: &[String],
        path: &str,
        prefixes: Vec<String>,
        routes: &mut Vec<Route>,
    ) {
        for prefix in prefixes {
            if routes.len() > MAX_ROUTES {
                return;
            }
            let path = put_together(&prefix, path);
            let path = if path.starts_with('/') { path } else { format!("/{path}") };
            routes.push(Route { methods: methods.to_vec(), path, place: source.place(call.shown) });
        }
    }
}

/// `None` in the source.
fn is_none(expr: &Expr) -> bool {
    matches!(expr, Expr::Name { name, .. } if name == "None")
}

#[cfg(test)]
mod tests;
