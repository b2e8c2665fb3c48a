//! Express, Koa's router, Fastify and Hono: `app.get("/x", …)`, routers mounted with `app.use("/prefix", router)`, plugins
//! registered under a prefix, and functions that are given the application.
//!
//! Sources: expressjs.com (Routing), github.com/koajs/router (API), fastify.dev (Routes, Plugins), hono.dev (Routing).

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;

use landfall_evidence::Route;

use super::code::{Call, Expr, File, Id, Use, VERBS, Value, World};
use super::lexical::methods_in;
use super::{MAX_ROUTES, Mounts, declared_by, put_together};
use crate::source::Source;
use crate::words::{Pattern, words};

/// Whether a callee or a module of this name makes an application or a router.
pub(super) fn makes(name: &str) -> bool {
    is_application(name) || matches!(name, "Router" | "koa-router" | "@koa/router" | "express-promise-router")
}

fn is_application(name: &str) -> bool {
    matches!(name, "express" | "fastify" | "Fastify" | "koa" | "Koa" | "Hono")
}

/// Methods that give the router itself, or what Koa mounts of it.
pub(super) fn chained(method: &str) -> bool {
    VERBS.contains(&method)
        || matches!(method, "use" | "route" | "register" | "routes" | "middleware" | "prefix" | "basePath")
}

/// What makes an application or a router.
static MADE: LazyLock<Pattern> = LazyLock::new(|| {
    Pattern::new(
        words!["express", "fastify", "Koa", "Hono", "Router"],
        r#"(?i)\b(?:express|fastify|koa|hono|router)\s*(?:<[^>()]*>)?\(|\b(?:express|fastify|koa|hono|router)["']\s*\)\s*\("#,
    )
});
/// What mounts one.
static MOUNTS: LazyLock<Pattern> =
    LazyLock::new(|| Pattern::new(words![".use", ".route", ".register"], r"\.(?:use|route|register)\s*\("));
/// What has the form of a declared route.
static ROUTE: LazyLock<Pattern> = LazyLock::new(|| {
    Pattern::new(
        words![".get", ".post", ".put", ".patch", ".delete", ".head", ".options", ".all"],
        r#"\.(?:get|post|put|patch|delete|head|options|all)\s*\(\s*["'`]/"#,
    )
});

/// Whether a file makes, mounts or declares something, as far as its text alone tells.
pub(super) fn may_read(source: &Source) -> bool {
    MADE.is_match(source) || MOUNTS.is_match(source) || ROUTE.is_match(source)
}

/// Adds the routes of these frameworks, and gives those of routers that nothing mounts.
pub(super) fn read<'a>(world: &World<'a>, sources: &[&'a Source], routes: &mut Vec<Route>) -> Vec<Route> {
    let (makers, rest): (Vec<&Source>, Vec<&Source>) =
        sources.iter().copied().partition(|s| MADE.is_match(s));
    if makers.is_empty() {
        return Vec::new();
    }
    let (mounting, rest): (Vec<&Source>, Vec<&Source>) = rest.into_iter().partition(|s| MOUNTS.is_match(s));
    let links: Vec<&Source> = makers.into_iter().chain(mounting).collect();
    world.load(&links);
    let mut linker = Linker {
        world,
        mounts: Mounts::default(),
        own: BTreeMap::new(),
        visited: HashSet::new(),
        reached: Vec::new(),
        unmounted: RefCell::default(),
    };
    for source in &links {
        linker.links(&source.path);
    }
    // A function that is given the application stands in a file that need not say more than `app.get(…)`.
    while let Some(path) = linker.reached.pop() {
        linker.links(&path);
    }
    let rest: Vec<&Source> =
        rest.into_iter().filter(|s| linker.visited.contains(&s.path) || ROUTE.is_match(s)).collect();
    declared_by(world, &links, &rest, routes, |source, routes| linker.routes(source, routes));
    linker.unmounted.into_inner()
}

struct Linker<'w, 'a> {
    world: &'w World<'a>,
    mounts: Mounts,
    /// Prefixes that routers were given by a call of their own: `router.prefix("/x")`.
    own: BTreeMap<Id, Option<String>>,
    visited: HashSet<String>,
    /// Files with functions that are given a router, not visited yet.
    reached: Vec<String>,
    unmounted: RefCell<Vec<Route>>,
}

impl Linker<'_, '_> {
    /// Notes what one file mounts on what.
    fn links(&mut self, path: &str) {
        let Some(file) = self.world.file(path).filter(|_| self.visited.insert(path.to_owned())) else {
            return;
        };
        for Use { call, .. } in &file.calls {
            match call.method() {
                Some((owner, "use" | "route")) if call.arguments.len() > 1 || is_use(call) => {
                    self.mount(path, owner, call);
                }
                Some((owner, "register")) => self.register(path, owner, call),
                Some((owner, "prefix" | "basePath")) => {
                    let Some(prefix) = call.arguments.first() else { continue };
                    let prefix = self.world.text(path, prefix);
                    for router in self.world.routers(path, owner) {
                        self.own.insert(router, prefix.clone());
                    }
                }
                _ => {}
            }
            self.handed_on(path, call);
        }
    }

    /// `app.use("/prefix", middleware, router)`.
    fn mount(&mut self, path: &str, owner: &Expr, call: &Call) {
        let parents = self.world.routers(path, owner);
        if parents.is_empty() {
            return;
        }
        let (prefixes, rest) = match call.arguments.split_first() {
            Some((first, rest)) => match self.world.texts(path, first) {
                texts if !texts.is_empty() => (texts.into_iter().map(Some).collect(), rest),
                // What stands first and is no router, function or handler may be a path that is computed.
                _ if self.is_computed(path, first, rest) => (vec![None], rest),
                _ => (vec![Some(String::new())], call.arguments.as_slice()),
            },
            None => return,
        };
        for argument in rest {
            for child in self.held(path, argument) {
                for parent in parents.iter().filter(|parent| **parent != child) {
                    for prefix in &prefixes {
                        self.mounts.add(child.clone(), Some(parent.clone()), prefix.clone());
                    }
                }
            }
        }
    }

    /// Whether a first argument is a path that the code computes: others follow, and it names nothing that is known.
    fn is_computed(&self, path: &str, first: &Expr, rest: &[Expr]) -> bool {
        let is_text = match first {
            Expr::Sum(_) => true,
            Expr::Name { .. } | Expr::Member { .. } | Expr::Other => {
                self.world.values(path, first).is_empty()
            }
            _ => false,
        };
        // Middleware from a package is as unknown as a path is, so the name has to sound like one.
        let sounds = first.last().is_none_or(|name| {
            let name = name.to_ascii_lowercase();
            ["prefix", "path", "base", "url", "root", "mount"].iter().any(|word| name.contains(word))
        });
        is_text && sounds && !rest.is_empty()
    }

    /// The routers of an argument, or of the list that it is.
    fn held(&self, path: &str, argument: &Expr) -> Vec<Id> {
        let mut all = Vec::new();
        for value in self.world.values(path, argument) {
            match value {
                Value::Router(id) => all.push(id),
                Value::List((file, _), items) => {
                    all.extend(items.iter().flat_map(|item| self.world.routers(&file, item)));
                }
                _ => {}
            }
        }
        all
    }

    /// Fastify: `app.register(plugin, { prefix: "/v1" })`; a plugin is a function that is given the instance.
    fn register(&mut self, path: &str, owner: &Expr, call: &Call) {
        let parents = self.world.routers(path, owner);
        let Some(plugin) = call.arguments.first().filter(|_| !parents.is_empty()) else { return };
        let options = call.arguments.get(1).map(|options| self.world.values(path, options));
        let mut prefix = Some(String::new());
        for value in options.into_iter().flatten() {
            let Value::Object(there, pairs) = value else { continue };
            if let Some((_, given)) = pairs.iter().find(|(key, _)| key == "prefix") {
                prefix = self.world.text(&there, given);
            }
        }
        for function in self.functions(path, plugin) {
            // What `fastify-plugin` wraps is not encapsulated, and has no prefix.
            let prefix = if function.shared { Some(String::new()) } else { prefix.clone() };
            for parent in &parents {
                self.give(&function, 0, parent, prefix.clone());
            }
        }
    }

    /// The functions that an expression names, constructors of classes among them; of a module its default.
    fn functions(&self, path: &str, expr: &Expr) -> Vec<Given> {
        let mut all = Vec::new();
        for value in self.world.values(path, expr) {
            match value {
                Value::Function(file, at) => all.push(Given { file, at, shared: false }),
                Value::Shared(file, at) => all.push(Given { file, at, shared: true }),
                Value::Class(file, class) => {
                    let constructor = self.world.constructor(&file, class);
                    all.extend(constructor.map(|at| Given { file, at, shared: false }));
                }
                Value::Module(module) => {
                    let default = Expr::Import { module, name: Some("default".to_owned()) };
                    all.extend(self.world.values(path, &default).into_iter().filter_map(
                        |value| match value {
                            Value::Function(file, at) => Some(Given { file, at, shared: false }),
                            Value::Shared(file, at) => Some(Given { file, at, shared: true }),
                            _ => None,
                        },
                    ));
                }
                _ => {}
            }
        }
        all
    }

    /// A function's parameter is the router that it is called with.
    fn give(&mut self, function: &Given, at: usize, router: &Id, prefix: Option<String>) {
        let path = &function.file;
        let Some(file) = self.world.file(path) else { return };
        let Some((place, _)) = file.functions.get(function.at).and_then(|f| f.parameters.get(at)) else {
            return;
        };
        let parameter = (path.clone(), *place);
        if parameter != *router {
            self.mounts.add(parameter, Some(router.clone()), prefix);
        }
        if !self.visited.contains(path) {
            self.reached.push(path.clone());
        }
    }

    /// `routes(app)`, `require("./routes")(app)`, `new Controller(app)`.
    fn handed_on(&mut self, path: &str, call: &Call) {
        if call.method().is_some_and(|(_, method)| chained(method)) {
            return;
        }
        for (at, argument) in call.arguments.iter().enumerate() {
            if argument.dotted().is_none() {
                continue;
            }
            let routers = self.world.routers(path, argument);
            if routers.is_empty() {
                continue;
            }
            for function in self.functions(path, &call.callee) {
                for router in &routers {
                    self.give(&function, at, router, Some(String::new()));
                }
            }
        }
    }

    /// What a router has in front of its own routes by itself; `None` when it is computed.
    fn own(&self, router: &Id) -> Option<String> {
        if let Some(own) = self.own.get(router) {
            return own.clone();
        }
        let Some(made) = self.world.made(router) else { return Some(String::new()) };
        let options = made.call.arguments.first().map(|options| self.world.values(&router.0, options));
        for value in options.into_iter().flatten() {
            let Value::Object(file, pairs) = value else { continue };
            if let Some((_, prefix)) = pairs.iter().find(|(key, _)| key == "prefix") {
                return self.world.text(&file, prefix);
            }
        }
        Some(String::new())
    }

    fn prefixes(&self, router: &Id) -> Vec<String> {
        let unmounted = |router: &Id, _: bool| match self.world.made(router) {
            Some(made) if is_application(&made.name) => Some(String::new()),
            // Nothing is mounted in a way that we see: then the routers are all that is known.
            Some(_) => self.mounts.is_empty().then(String::new),
            // A parameter is an application where its type says so.
            None => self.is_typed(router).then(String::new),
        };
        self.mounts.prefixes_with(router, &unmounted, &|router| self.own(router))
    }

    fn is_typed(&self, (path, place): &Id) -> bool {
        let Some(file) = self.world.file(path) else { return false };
        let typed = |file: &File| {
            let kind =
                file.functions.iter().flat_map(|f| &f.parameters).find(|(at, _)| at == place)?.1.clone()?;
            Some(matches!(
                kind.as_str(),
                "Express" | "Application" | "express.Express" | "express.Application"
            ))
        };
        typed(&file).unwrap_or(false)
    }

    /// The routes that one file declares.
    fn routes(&self, source: &Source, routes: &mut Vec<Route>) {
        let path = source.path.as_str();
        let Some(file) = self.world.file(path) else { return };
        for Use { call, .. } in &file.calls {
            let Some((owner, method)) = call.method() else { continue };
            let declared = match method {
                "route" => self.described(path, call),
                verb if VERBS.contains(&verb) => self.declared(path, owner, verb, call),
                _ => None,
            };
            let Some((methods, paths)) = declared else { continue };
            let mountable =
                |router: &Id| self.world.made(router).is_some_and(|made| !is_application(&made.name));
            for router in self.world.routers(path, owner) {
                let prefixes = self.prefixes(&router);
                if self.mounts.unreached(&router, &mountable, 0) {
                    let place = || source.place(call.shown);
                    let own = paths.iter().filter(|path| path.starts_with('/')).map(|path| Route {
                        methods: methods.clone(),
                        path: path.clone(),
                        place: place(),
                    });
                    self.unmounted.borrow_mut().extend(own);
                }
                for prefix in prefixes {
                    for under in &paths {
                        if routes.len() > MAX_ROUTES {
                            return;
                        }
                        let tail = if under == "/" && !prefix.is_empty() { "" } else { under };
                        let whole = put_together(&prefix, tail);
                        if whole.starts_with('/') {
                            let place = source.place(call.shown);
                            routes.push(Route { methods: methods.clone(), path: whole, place });
                        }
                    }
                }
            }
        }
    }

    /// `router.get("/x", …)`, Koa's `router.get("name", "/x", …)`, and `router.route("/x").get(…)`.
    fn declared(
        &self,
        path: &str,
        owner: &Expr,
        verb: &str,
        call: &Call,
    ) -> Option<(Vec<String>, Vec<String>)> {
        let methods = match verb {
            "all" => Vec::new(),
            "del" => vec!["DELETE".to_owned()],
            verb => vec![verb.to_uppercase()],
        };
        if let Some(described) = route_of(owner) {
            let paths = self.paths(path, described);
            return (!paths.is_empty()).then_some((methods, paths));
        }
        if call.arguments.len() < 2 {
            return None;
        }
        let mut paths = self.paths(path, &call.arguments[0]);
        if paths.is_empty() && call.arguments.len() > 2 {
            paths = self.paths(path, &call.arguments[1]);
        }
        (!paths.is_empty()).then_some((methods, paths))
    }

    fn paths(&self, path: &str, expr: &Expr) -> Vec<String> {
        let mut texts = self.world.texts(path, expr);
        // A plugin's own root may be the empty text.
        texts.retain(|text| text.starts_with('/') || text.is_empty());
        texts
    }

    /// Fastify: `app.route({ method: ["GET"], url: "/x", … })`.
    fn described(&self, path: &str, call: &Call) -> Option<(Vec<String>, Vec<String>)> {
        let [options] = call.arguments.as_slice() else { return None };
        self.world.values(path, options).into_iter().find_map(|value| {
            let Value::Object(file, pairs) = value else { return None };
            let of =
                |names: &[&str]| pairs.iter().find(|(key, _)| names.contains(&key.as_str())).map(|(_, v)| v);
            let paths = self.paths(&file, of(&["url", "path"])?);
            let methods = of(&["method"]).map(|m| self.world.texts(&file, m)).unwrap_or_default();
            (!paths.is_empty()).then(|| (methods_in(&methods.join(" ")), paths))
        })
    }
}

/// A function that is given a router.
struct Given {
    file: String,
    /// By its index in the file.
    at: usize,
    /// Whether `fastify-plugin` wraps it.
    shared: bool,
}

fn is_use(call: &Call) -> bool {
    call.callee.last() == Some("use")
}

/// The path of `router.route("/x")` at the begin of a chain of methods.
fn route_of(owner: &Expr) -> Option<&Expr> {
    let mut owner = owner;
    loop {
        let Expr::Call(call) = owner else { return None };
        let (base, method) = call.method()?;
        match (method, call.arguments.as_slice()) {
            ("route", [path]) => return Some(path),
            (verb, _) if VERBS.contains(&verb) => owner = base,
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests;
