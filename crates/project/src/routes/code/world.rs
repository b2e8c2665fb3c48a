//! What names mean, across the files of a project: followed through assignments, imports, functions and objects.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{AT_MODULE, Call, Expr, File, Id, lower};
use crate::source::Source;
use crate::syntax::{Parsers, Trees};
use crate::tree::{Tree, side_by_side};

/// Steps from one name to the next.
const MAX_STEPS: usize = 24;
/// Values of one expression.
const MAX_VALUES: usize = 64;
/// Steps for one question, whatever branches it takes.
const MAX_WORK: usize = 1_000;
/// How much source is parsed for routes: work of some seconds. The sources nearest to the root come first.
const MAX_FILES: usize = 20_000;
const MAX_BYTES: usize = 16 << 20;

/// What the two kinds of languages differ in.
pub(in crate::routes) struct Dialect {
    /// The file of a module, as seen from another file.
    pub(in crate::routes) module: fn(&Tree, &str, &str) -> Option<String>,
    /// Whether a callee of this name makes a router or an application.
    pub(in crate::routes) makes: fn(&str) -> bool,
    /// Whether a module of this name wraps a function and changes how it is registered.
    pub(in crate::routes) wraps: fn(&str) -> bool,
    /// Methods of routers that give the router itself.
    pub(in crate::routes) chained: fn(&str) -> bool,
    /// Whether modules name what they export; otherwise all of their names can be imported.
    pub(in crate::routes) exports: bool,
}

/// A value that an expression may have.
#[derive(Debug, Clone)]
pub(in crate::routes) enum Value {
    Text(String),
    /// A router or an application that is made, or a parameter that may be one.
    Router(Id),
    /// A list, by its place, with what it holds.
    List(Id, Vec<Expr>),
    Object(String, Vec<(String, Expr)>),
    Module(String),
    Function(String, usize),
    /// A function in a wrapper.
    Shared(String, usize),
    Class(String, usize),
    Instance(String, usize),
}

/// What made a router.
#[derive(Debug, Clone)]
pub(in crate::routes) struct Made {
    /// The name of the maker: `Blueprint`.
    pub(in crate::routes) name: String,
    pub(in crate::routes) call: Call,
}

/// The sources of one language, read by their trees when they are first asked for.
pub(in crate::routes) struct World<'a> {
    tree: &'a Tree,
    trees: &'a Trees<'a>,
    sources: HashMap<&'a str, &'a Source>,
    dialect: Dialect,
    files: RefCell<HashMap<&'a str, Option<Arc<File>>>>,
    parsers: RefCell<Parsers>,
    made: RefCell<BTreeMap<Id, Made>>,
    work: Cell<usize>,
    bytes: Cell<usize>,
    count: Cell<usize>,
    cut_at: RefCell<Option<String>>,
}

impl<'a> World<'a> {
    pub(in crate::routes) fn new(
        tree: &'a Tree,
        sources: impl Iterator<Item = &'a Source>,
        trees: &'a Trees<'a>,
        dialect: Dialect,
    ) -> Self {
        Self {
            tree,
            trees,
            sources: sources.map(|source| (source.path.as_str(), source)).collect(),
            dialect,
            files: RefCell::default(),
            parsers: RefCell::default(),
            made: RefCell::default(),
            work: Cell::new(0),
            bytes: Cell::new(0),
            count: Cell::new(0),
            cut_at: RefCell::default(),
        }
    }

    /// The first source that was not looked into, because the bound was used up.
    pub(in crate::routes) fn cut_at(&self) -> Option<String> {
        self.cut_at.borrow().clone()
    }

    pub(in crate::routes) fn source(&self, path: &str) -> Option<&'a Source> {
        self.sources.get(path).copied()
    }

    pub(in crate::routes) fn module(&self, from: &str, module: &str) -> Option<String> {
        (self.dialect.module)(self.tree, from, module)
    }

    fn within(&self, source: &Source) -> bool {
        let bytes = self.bytes.get() + source.code.len();
        let within = bytes <= MAX_BYTES && self.count.get() < MAX_FILES;
        if within {
            self.bytes.set(bytes);
            self.count.set(self.count.get() + 1);
        } else {
            self.cut_at.borrow_mut().get_or_insert_with(|| source.path.clone());
        }
        within
    }

    /// Reads many files at once, on as many threads as there are processors.
    pub(in crate::routes) fn load(&self, sources: &[&'a Source]) {
        let new: Vec<&'a Source> = sources
            .iter()
            .copied()
            .filter(|s| !self.files.borrow().contains_key(s.path.as_str()) && self.within(s))
            .collect();
        thread_local! {
            static PARSERS: RefCell<Parsers> = RefCell::default();
        }
        let read = side_by_side(&new, |source| {
            PARSERS.with_borrow_mut(|parsers| lower(source, self.trees, parsers).map(Arc::new))
        });
        let mut files = self.files.borrow_mut();
        files.extend(new.iter().map(|s| s.path.as_str()).zip(read));
    }

    /// One file by its path; `None` for what is no source, or past the bound.
    pub(in crate::routes) fn file(&self, path: &str) -> Option<Arc<File>> {
        let (&path, &source) = self.sources.get_key_value(path)?;
        if let Some(known) = self.files.borrow().get(path) {
            return known.clone();
        }
        if !self.within(source) {
            return None;
        }
        let file = lower(source, self.trees, &mut self.parsers.borrow_mut()).map(Arc::new);
        self.files.borrow_mut().insert(path, file.clone());
        file
    }

    /// What made a router that a value named.
    pub(in crate::routes) fn made(&self, id: &Id) -> Option<Made> {
        self.made.borrow().get(id).cloned()
    }

    /// The values that an expression of a file may have.
    pub(in crate::routes) fn values(&self, file: &str, expr: &Expr) -> Vec<Value> {
        self.work.set(0);
        self.follow(file, expr, 0)
    }

    /// The routers that an expression may name.
    pub(in crate::routes) fn routers(&self, file: &str, expr: &Expr) -> Vec<Id> {
        let mut all: Vec<Id> = Vec::new();
        for value in self.values(file, expr) {
            match value {
                Value::Router(id) | Value::List(id, _) if !all.contains(&id) => all.push(id),
                _ => {}
            }
        }
        all
    }

    /// The text that an expression has for certain: one and the same on all ways to it.
    pub(in crate::routes) fn text(&self, file: &str, expr: &Expr) -> Option<String> {
        let mut values = self.values(file, expr).into_iter();
        let Some(Value::Text(text)) = values.next() else { return None };
        values.all(|other| matches!(other, Value::Text(other) if other == text)).then_some(text)
    }

    /// The texts of a list, or the one text.
    pub(in crate::routes) fn texts(&self, file: &str, expr: &Expr) -> Vec<String> {
        match expr {
            Expr::List { items, .. } => items.iter().filter_map(|item| self.text(file, item)).collect(),
            _ => match self.values(file, expr).as_slice() {
                [Value::List(id, items)] => items.iter().filter_map(|item| self.text(&id.0, item)).collect(),
                _ => self.text(file, expr).into_iter().collect(),
            },
        }
    }

    fn follow(&self, file: &str, expr: &Expr, depth: usize) -> Vec<Value> {
        self.work.set(self.work.get() + 1);
        if depth > MAX_STEPS || self.work.get() > MAX_WORK {
            return Vec::new();
        }
        let mut values = match expr {
            Expr::Text(text) => vec![Value::Text(text.clone())],
            Expr::Sum(parts) => self.sum(file, parts, depth),
            Expr::Name { name, at } => self.name(file, name, *at, depth),
            Expr::Member { base, name } => self.member(file, expr, base, name, depth),
            Expr::Call(call) => self.call(file, call, depth),
            Expr::List { items, at } => vec![Value::List((file.to_owned(), *at), items.clone())],
            Expr::Object(pairs) => vec![Value::Object(file.to_owned(), pairs.clone())],
            Expr::Each(list) => self
                .follow(file, list, depth + 1)
                .into_iter()
                .filter_map(|value| match value {
                    Value::List((file, _), items) => Some((file, items)),
                    _ => None,
                })
                .flat_map(|(file, items)| {
                    items.iter().flat_map(|item| self.follow(&file, item, depth + 1)).collect::<Vec<_>>()
                })
                .collect(),
            Expr::Function(at) => vec![Value::Function(file.to_owned(), *at)],
            Expr::Class(at) => vec![Value::Class(file.to_owned(), *at)],
            Expr::Parameter(at) => vec![Value::Router((file.to_owned(), *at))],
            Expr::Import { module, name } => self.import(file, module, name.as_deref(), depth),
            Expr::Other => Vec::new(),
        };
        values.truncate(MAX_VALUES);
        values
    }

    /// Texts are joined, lists are put together.
    fn sum(&self, file: &str, parts: &[Expr], depth: usize) -> Vec<Value> {
        let mut text = String::new();
        let mut lists = Vec::new();
        let mut whole = true;
        for part in parts {
            let mut values = self.follow(file, part, depth + 1);
            match (values.len(), values.first()) {
                (1, Some(Value::Text(part))) => text.push_str(part),
                _ => {
                    whole = false;
                    values.retain(|v| matches!(v, Value::List(..) | Value::Router(_)));
                    lists.extend(values);
                }
            }
        }
        if whole && text.len() <= 4_096 { vec![Value::Text(text)] } else { lists }
    }

    fn name(&self, path: &str, name: &str, at: usize, depth: usize) -> Vec<Value> {
        let Some(file) = self.file(path) else { return Vec::new() };
        let bound = file.bound(name, at);
        let Some((first, rest)) = bound.split_first() else {
            return file
                .stars
                .iter()
                .filter_map(|module| self.module(path, module))
                .find_map(|there| Some(self.exported(&there, name, depth + 1)).filter(|v| !v.is_empty()))
                .unwrap_or_default();
        };
        let values = self.follow(path, first, depth + 1);
        let is_text = |values: &[Value]| values.iter().any(|v| matches!(v, Value::Text(_)));
        if is_text(&values) {
            // Which of several texts counts is decided when the code runs.
            let same =
                |other: &&Expr| match (self.follow(path, other, depth + 1).as_slice(), values.as_slice()) {
                    ([Value::Text(other)], [Value::Text(text)]) => other == text,
                    _ => false,
                };
            return if rest.iter().all(same) { values } else { Vec::new() };
        }
        if !values.is_empty() {
            return values;
        }
        // `app = None` at the top, and a function that gives it its value.
        file.anywhere(name)
            .filter(|other| *other != *first)
            .map(|other| self.follow(path, other, depth + 1))
            .find(|other| !other.is_empty() && !is_text(other))
            .unwrap_or_default()
    }

    fn member(&self, path: &str, whole: &Expr, base: &Expr, name: &str, depth: usize) -> Vec<Value> {
        if let Some((dotted, at)) = whole.dotted()
            && let Some(file) = self.file(path)
        {
            let values: Vec<Value> =
                file.bound(&dotted, at).into_iter().flat_map(|e| self.follow(path, e, depth + 1)).collect();
            if !values.is_empty() {
                return values;
            }
        }
        let mut found = Vec::new();
        for value in self.follow(path, base, depth + 1) {
            match value {
                Value::Module(there) => found.extend(self.exported(&there, name, depth + 1)),
                Value::Object(there, pairs) => {
                    for (_, value) in pairs.iter().filter(|(key, _)| key == name) {
                        found.extend(self.follow(&there, value, depth + 1));
                    }
                }
                Value::Class(there, class) | Value::Instance(there, class) => {
                    found.extend(self.attribute(&there, class, name, depth));
                }
                _ => {}
            }
        }
        found
    }

    fn attribute(&self, path: &str, class: usize, name: &str, depth: usize) -> Vec<Value> {
        let Some(file) = self.file(path) else { return Vec::new() };
        let Some(class) = file.classes.get(class) else { return Vec::new() };
        let named = class.attributes.iter().filter(|(n, _)| n == name);
        named.flat_map(|(_, value)| self.follow(path, value, depth + 1)).collect()
    }

    /// What calling an object's constructor runs, by the name that it has in the language.
    pub(in crate::routes) fn constructor(&self, path: &str, class: usize) -> Option<usize> {
        let file = self.file(path)?;
        let attributes = &file.classes.get(class)?.attributes;
        attributes.iter().find_map(|(name, value)| match value {
            Expr::Function(at) if matches!(name.as_str(), "constructor" | "__init__") => Some(*at),
            _ => None,
        })
    }

    fn call(&self, path: &str, call: &Call, depth: usize) -> Vec<Value> {
        let maker = match call.callee.last() {
            Some(name) if (self.dialect.makes)(name) => Some(name.to_owned()),
            _ => self.alias(path, &call.callee),
        };
        if let Some(name) = maker {
            let id = (path.to_owned(), call.at);
            self.made.borrow_mut().entry(id.clone()).or_insert_with(|| Made { name, call: call.clone() });
            return vec![Value::Router(id)];
        }
        if let Some((base, method)) = call.method()
            && (self.dialect.chained)(method)
        {
            let mut same = self.follow(path, base, depth + 1);
            same.retain(|value| matches!(value, Value::Router(_)));
            if !same.is_empty() {
                return same;
            }
        }
        let mut found = Vec::new();
        if self.wraps(path, &call.callee) {
            let inner = call.arguments.first().map(|inner| self.follow(path, inner, depth + 1));
            return inner
                .into_iter()
                .flatten()
                .map(|value| match value {
                    Value::Function(file, at) => Value::Shared(file, at),
                    other => other,
                })
                .collect();
        }
        for value in self.follow(path, &call.callee, depth + 1) {
            match value {
                Value::Function(there, at) => {
                    let Some(file) = self.file(&there) else { continue };
                    let Some(function) = file.functions.get(at) else { continue };
                    for value in &function.returns {
                        found.extend(self.follow(&there, value, depth + 1));
                    }
                }
                Value::Class(there, at) => found.push(Value::Instance(there, at)),
                _ => {}
            }
        }
        found
    }

    fn wraps(&self, path: &str, callee: &Expr) -> bool {
        let of_module =
            |expr: &Expr| matches!(expr, Expr::Import { module, .. } if (self.dialect.wraps)(module));
        let Expr::Name { name, at } = callee else { return of_module(callee) };
        self.file(path)
            .is_some_and(|file| file.bound(name, *at).first().is_some_and(|bound| of_module(bound)))
    }

    /// The maker behind another name that its import gave it.
    fn alias(&self, path: &str, callee: &Expr) -> Option<String> {
        let file = self.file(path)?;
        match callee {
            Expr::Name { name, at } => {
                let bound = file.bound(name, *at);
                let real = match bound.first()? {
                    Expr::Import { name: Some(name), module } if name == "default" => module,
                    Expr::Import { name: Some(name), .. } | Expr::Member { name, .. } => name,
                    Expr::Import { module, name: None } => module,
                    _ => return None,
                };
                (self.dialect.makes)(real).then(|| real.clone())
            }
            // `require('fastify')({ logger: true })`
            Expr::Import { module, name: None } => (self.dialect.makes)(module).then(|| module.clone()),
            _ => None,
        }
    }

    fn import(&self, path: &str, module: &str, name: Option<&str>, depth: usize) -> Vec<Value> {
        let Some(name) = name else {
            let Some(there) = self.module(path, module) else { return Vec::new() };
            // In CommonJS a module is what it exports.
            if self.dialect.exports {
                let whole = self.exported(&there, "=", depth + 1);
                if !whole.is_empty() {
                    return whole;
                }
            }
            return vec![Value::Module(there)];
        };
        if let Some(there) = self.module(path, module) {
            let found = self.exported(&there, name, depth + 1);
            if !found.is_empty() {
                return found;
            }
        }
        if self.dialect.exports {
            return Vec::new();
        }
        let dot = if module.ends_with('.') { "" } else { "." };
        self.module(path, &format!("{module}{dot}{name}")).map(Value::Module).into_iter().collect()
    }

    /// What another file finds under a name.
    fn exported(&self, path: &str, name: &str, depth: usize) -> Vec<Value> {
        if depth > MAX_STEPS {
            return Vec::new();
        }
        let Some(file) = self.file(path) else { return Vec::new() };
        if !self.dialect.exports {
            return self.name(path, name, AT_MODULE, depth);
        }
        let mut found = Vec::new();
        for (_, value) in file.exports.iter().filter(|(n, _)| n == name) {
            found.extend(self.follow(path, value, depth + 1));
        }
        if found.is_empty() && name != "=" {
            // A member of what a CommonJS module exports, or, as `default`, all of it.
            for value in self.exported(path, "=", depth + 1) {
                match value {
                    Value::Object(there, pairs) if name != "default" => {
                        for (_, value) in pairs.iter().filter(|(key, _)| key == name) {
                            found.extend(self.follow(&there, value, depth + 1));
                        }
                    }
                    value if name == "default" => found.push(value),
                    _ => {}
                }
            }
        }
        if found.is_empty() && name != "=" {
            let there = file.stars.iter().filter_map(|module| self.module(path, module));
            found =
                there.map(|t| self.exported(&t, name, depth + 1)).find(|v| !v.is_empty()).unwrap_or_default();
        }
        found
    }
}
