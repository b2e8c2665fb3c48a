//! JavaScript and TypeScript, by their trees.

use std::ops::{ControlFlow, Range};

use tree_sitter::{Node, Tree};

use super::{Around, Call, Class, Expr, File, Function, MAX_DEPTH, MAX_ITEMS, MODULE, Use};
use crate::syntax::{children, text, walk};

/// Methods of routers and applications.
pub(in crate::routes) const VERBS: &[&str] =
    &["get", "post", "put", "patch", "delete", "del", "head", "options", "all"];

struct Lower<'s> {
    code: &'s str,
    file: File,
    scopes: Around<Range<usize>>,
    functions: Around<usize>,
    /// Each class with its part of the file.
    classes: Around<(usize, Range<usize>)>,
    /// Functions by where they begin, so that an expression finds what the visit numbers later.
    numbers: std::collections::HashMap<usize, usize>,
    numbers_of_classes: std::collections::HashMap<usize, usize>,
    /// Calls that decorate whatever comes next.
    decorators: Vec<Call>,
    handlers: usize,
}

fn is_function(node: Node<'_>) -> bool {
    matches!(
        node.kind(),
        "arrow_function"
            | "function_expression"
            | "function_declaration"
            | "generator_function"
            | "generator_function_declaration"
            | "method_definition"
    )
}

fn is_class(node: Node<'_>) -> bool {
    matches!(node.kind(), "class_declaration" | "abstract_class_declaration" | "class")
}

pub(super) fn lower(tree: &Tree, code: &str) -> File {
    let mut lower = Lower {
        code,
        file: File::default(),
        scopes: Around::new(),
        functions: Around::new(),
        classes: Around::new(),
        numbers: Default::default(),
        numbers_of_classes: Default::default(),
        decorators: Vec::new(),
        handlers: 0,
    };
    walk(tree, |node| {
        // A keyword may have the kind of what it begins (`class`), and is not named.
        if is_function(node) {
            lower.numbers.insert(node.start_byte(), lower.file.functions.len());
            lower.file.functions.push(Function::default());
        } else if is_class(node) {
            lower.numbers_of_classes.insert(node.start_byte(), lower.file.classes.len());
            lower.file.classes.push(Class::default());
        }
        ControlFlow::Continue(())
    });
    walk(tree, |node| {
        lower.visit(node);
        ControlFlow::Continue(())
    });
    lower.file
}

impl<'s> Lower<'s> {
    fn text(&self, node: Node<'_>) -> &'s str {
        text(node, self.code)
    }

    fn bind(&mut self, name: &str, at: usize, value: Expr) {
        let scope = self.scopes.innermost().cloned().unwrap_or(MODULE);
        self.file.bind(name, scope, at, value);
    }

    fn visit(&mut self, node: Node<'_>) {
        self.scopes.leave(node);
        self.functions.leave(node);
        self.classes.leave(node);
        match node.kind() {
            "import_statement" => self.import(node),
            "export_statement" => self.export(node),
            "variable_declarator" => self.declarator(node),
            "assignment_expression" => self.assignment(node),
            // Those inside of what they decorate were read with it.
            "decorator" if node.parent().is_some_and(|p| is_function(p) || is_class(p)) => {}
            "decorator" => {
                let call = self.decorator(node);
                self.decorators.extend(call);
            }
            "public_field_definition" | "field_definition" => {
                self.decorators.clear();
                let name = node.child_by_field_name("name").or_else(|| node.child_by_field_name("property"));
                if let (Some(name), Some(value)) = (name, node.child_by_field_name("value")) {
                    let value = self.expr(value, 0);
                    self.own(self.text(name), name.start_byte(), value);
                }
            }
            "return_statement" => {
                if let (Some(function), Some(value)) =
                    (self.functions.innermost().copied(), children(node).first())
                {
                    let value = self.expr(*value, 0);
                    self.file.functions[function].returns.push(value);
                }
            }
            "for_in_statement" => {
                // `for (const r of [a, b])`
                self.scopes.enter(node, node.byte_range());
                let left = node.child_by_field_name("left").filter(|l| l.kind() == "identifier");
                if let (Some(left), Some(right)) = (left, node.child_by_field_name("right")) {
                    let value = Expr::Each(Box::new(self.expr(right, 0)));
                    self.bind(self.text(left), left.start_byte(), value);
                }
            }
            "statement_block" => self.scopes.enter(node, node.byte_range()),
            "call_expression" | "new_expression" => self.call(node),
            _ if is_class(node) => self.class(node),
            _ if is_function(node) => self.function(node),
            _ => {}
        }
    }

    /// A name of the object itself, which all methods of its class see.
    fn own(&mut self, name: &str, at: usize, value: Expr) {
        let Some((class, scope)) = self.classes.innermost().cloned() else { return };
        self.file.classes[class].attributes.push((name.to_owned(), value.clone()));
        self.file.bind(&format!("this.{name}"), scope, at, value);
    }

    fn decorator(&self, node: Node<'_>) -> Option<Call> {
        match self.expr(*children(node).first()?, 0) {
            Expr::Call(call) => Some(Call { shown: node.start_byte(), ..*call }),
            _ => None,
        }
    }

    fn decorators_of(&self, node: Node<'_>) -> Vec<Call> {
        let inside = children(node).into_iter().filter(|c| c.kind() == "decorator");
        inside.filter_map(|decorator| self.decorator(decorator)).collect()
    }

    fn class(&mut self, node: Node<'_>) {
        let Some(class) = self.numbers_of_classes.get(&node.start_byte()).copied() else { return };
        if let Some(name) = node.child_by_field_name("name") {
            self.bind(self.text(name), node.start_byte(), Expr::Class(class));
        }
        // Decorators stand inside of the class, or before `export`.
        self.file.classes[class].decorators = std::mem::take(&mut self.decorators);
        let inside = self.decorators_of(node);
        self.file.classes[class].decorators.extend(inside);
        self.classes.enter(node, (class, node.byte_range()));
    }

    fn function(&mut self, node: Node<'_>) {
        let Some(at) = self.numbers.get(&node.start_byte()).copied() else { return };
        let name = node.child_by_field_name("name").map(|n| self.text(n));
        let class = self.classes.innermost().cloned();
        if node.kind() == "method_definition" {
            let mut decorators = std::mem::take(&mut self.decorators);
            decorators.extend(self.decorators_of(node));
            if let (Some((class, _)), Some(name)) = (&class, name) {
                self.handlers += 1;
                let handler = self.handlers;
                let class = &mut self.file.classes[*class];
                class.handlers.extend(decorators.into_iter().map(|call| (handler, call)));
                class.attributes.push((name.to_owned(), Expr::Function(at)));
            }
        } else if let Some(name) = name {
            self.bind(name, node.start_byte(), Expr::Function(at));
        }
        self.scopes.enter(node, node.byte_range());
        self.functions.enter(node, at);
        let listed = node.child_by_field_name("parameters").map(children).unwrap_or_default();
        for parameter in node.child_by_field_name("parameter").into_iter().chain(listed) {
            let pattern = parameter
                .child_by_field_name("pattern")
                .or_else(|| parameter.child_by_field_name("left"))
                .unwrap_or(parameter);
            let place = pattern.start_byte();
            let kind = parameter.child_by_field_name("type");
            let kind = kind.map(|t| self.text(t).trim_start_matches(':').trim().to_owned());
            self.file.functions[at].parameters.push((place, kind));
            if pattern.kind() == "identifier" {
                let name = self.text(pattern);
                self.bind(name, place, Expr::Parameter(place));
                // `constructor(private app: Express)` makes it a field as well.
                let field = children(parameter).iter().any(|c| c.kind() == "accessibility_modifier");
                if field {
                    self.own(name, place, Expr::Parameter(place));
                }
            }
        }
        // The value of an arrow without a block is what it returns.
        let body = node.child_by_field_name("body").filter(|b| b.kind() != "statement_block");
        if let Some(body) = body {
            let value = self.expr(body, 0);
            self.file.functions[at].returns.push(value);
        }
    }

    fn declarator(&mut self, node: Node<'_>) {
        let (Some(name), Some(value)) = (node.child_by_field_name("name"), node.child_by_field_name("value"))
        else {
            return;
        };
        let value = self.expr(value, 0);
        match name.kind() {
            "identifier" => self.bind(self.text(name), name.start_byte(), value),
            "object_pattern" => {
                for part in children(name) {
                    let (key, local) = match part.kind() {
                        "shorthand_property_identifier_pattern" => (Some(part), Some(part)),
                        "pair_pattern" => {
                            (part.child_by_field_name("key"), part.child_by_field_name("value"))
                        }
                        _ => (None, None),
                    };
                    if let (Some(key), Some(local)) = (key, local) {
                        let member =
                            Expr::Member { base: Box::new(value.clone()), name: self.text(key).to_owned() };
                        self.bind(self.text(local), local.start_byte(), member);
                    }
                }
            }
            _ => {}
        }
    }

    fn assignment(&mut self, node: Node<'_>) {
        let (Some(left), Some(right)) = (node.child_by_field_name("left"), node.child_by_field_name("right"))
        else {
            return;
        };
        let name: String = self.text(left).split_whitespace().collect();
        let value = self.expr(right, 0);
        if name == "module.exports" || name == "exports" {
            self.file.exports.push(("=".to_owned(), value));
        } else if let Some(exported) = name.strip_prefix("module.exports.").or(name.strip_prefix("exports."))
        {
            self.file.exports.push((exported.to_owned(), value));
        } else if let Some(own) = name.strip_prefix("this.") {
            self.own(own, left.start_byte(), value);
        } else if left.kind() == "identifier" {
            // The value of a name that is declared elsewhere: `let app; … app = express();`
            let at = left.start_byte();
            let scope = self.file.innermost(&name, at).first().map_or(MODULE, |b| b.scope.clone());
            self.file.bind(&name, scope, at, value);
        }
    }

    fn import(&mut self, node: Node<'_>) {
        for clause in children(node) {
            let source = node.child_by_field_name("source").or_else(|| clause.child_by_field_name("source"));
            let Some(module) = source.map(|s| self.expr(s, 0)).and_then(into_text) else { continue };
            let at = node.start_byte();
            for part in children(clause) {
                let import = |name: Option<&str>| Expr::Import {
                    module: module.clone(),
                    name: name.map(str::to_owned),
                };
                match (clause.kind(), part.kind()) {
                    // `import x = require('x')`
                    ("import_require_clause", "identifier") => self.bind(self.text(part), at, import(None)),
                    ("import_clause", "identifier") => {
                        self.bind(self.text(part), at, import(Some("default")))
                    }
                    (_, "namespace_import") => {
                        if let Some(name) = children(part).first() {
                            self.bind(self.text(*name), at, import(None));
                        }
                    }
                    (_, "named_imports") => {
                        for item in children(part) {
                            let Some(name) = item.child_by_field_name("name") else { continue };
                            let local = item.child_by_field_name("alias").unwrap_or(name);
                            self.bind(self.text(local), at, import(Some(self.text(name))));
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    fn export(&mut self, node: Node<'_>) {
        let source = node.child_by_field_name("source").map(|s| self.expr(s, 0)).and_then(into_text);
        let is_default = {
            let mut cursor = node.walk();
            node.children(&mut cursor).any(|c| c.kind() == "default")
        };
        let mut whole = true;
        for clause in children(node) {
            match clause.kind() {
                "export_clause" => {
                    whole = false;
                    for item in children(clause) {
                        let Some(name) = item.child_by_field_name("name") else { continue };
                        let shown = item.child_by_field_name("alias").unwrap_or(name);
                        let (name, shown) = (self.text(name), self.text(shown).to_owned());
                        let value = match &source {
                            Some(module) => {
                                Expr::Import { module: module.clone(), name: Some(name.to_owned()) }
                            }
                            None => Expr::Name { name: name.to_owned(), at: item.start_byte() },
                        };
                        self.file.exports.push((shown, value));
                    }
                }
                "namespace_export" => whole = false,
                _ => {}
            }
        }
        if let Some(module) = source {
            if whole {
                self.file.stars.push(module);
            }
            return;
        }
        if let Some(value) = node.child_by_field_name("value") {
            let value = self.expr(value, 0);
            self.file.exports.push(("default".to_owned(), value));
        }
        let Some(declared) = node.child_by_field_name("declaration") else {
            // `export = router`
            let value = children(node).into_iter().find(|c| c.kind() != "decorator");
            if whole
                && !is_default
                && let Some(value) = value
            {
                let value = self.expr(value, 0);
                self.file.exports.push(("=".to_owned(), value));
            }
            return;
        };
        let names: Vec<Node<'_>> = match declared.child_by_field_name("name") {
            Some(name) => vec![name],
            None => children(declared).into_iter().filter_map(|d| d.child_by_field_name("name")).collect(),
        };
        for name in &names {
            let text = self.text(*name);
            let shown = if is_default { "default" } else { text };
            // The name is bound when the declaration itself is visited.
            let value = Expr::Name { name: text.to_owned(), at: name.start_byte() };
            self.file.exports.push((shown.to_owned(), value));
        }
        if names.is_empty() && is_default {
            let value = self.expr(declared, 0);
            self.file.exports.push(("default".to_owned(), value));
        }
    }

    fn call(&mut self, node: Node<'_>) {
        let called = node.child_by_field_name("function").or_else(|| node.child_by_field_name("constructor"));
        let Some(called) = called else { return };
        let method = called.child_by_field_name("property").map(|p| self.text(p));
        let known = method.is_some_and(|m| {
            VERBS.contains(&m)
                || matches!(
                    m,
                    "use"
                        | "route"
                        | "register"
                        | "prefix"
                        | "basePath"
                        | "setGlobalPrefix"
                        | "enableVersioning"
                )
        });
        // A router may be handed on to any function.
        let hands_on = || {
            let arguments = crate::syntax::arguments(node);
            arguments.iter().any(|a| matches!(a.kind(), "identifier" | "member_expression"))
        };
        if (known || hands_on())
            && let Expr::Call(call) = self.expr(node, 0)
        {
            self.file.calls.push(Use { call: *call, inside: Vec::new() });
        }
    }

    fn expr(&self, node: Node<'_>, depth: usize) -> Expr {
        if depth > MAX_DEPTH {
            return Expr::Other;
        }
        let inner = |node: Node<'_>| self.expr(node, depth + 1);
        let first = || children(node).first().map_or(Expr::Other, |c| self.expr(*c, depth + 1));
        match node.kind() {
            "string" | "template_string" => {
                let mut parts: Vec<Expr> = children(node).into_iter().take(MAX_ITEMS).map(inner).collect();
                match parts.len() {
                    0 => Expr::Text(String::new()),
                    1 => parts.remove(0),
                    _ => Expr::Sum(parts),
                }
            }
            "string_fragment" => Expr::Text(self.text(node).to_owned()),
            "identifier" | "shorthand_property_identifier" | "type_identifier" => {
                Expr::Name { name: self.text(node).to_owned(), at: node.start_byte() }
            }
            "this" => Expr::Name { name: "this".to_owned(), at: node.start_byte() },
            "member_expression" => {
                match (node.child_by_field_name("object"), node.child_by_field_name("property")) {
                    (Some(base), Some(name)) => {
                        Expr::Member { base: Box::new(inner(base)), name: self.text(name).to_owned() }
                    }
                    _ => Expr::Other,
                }
            }
            "call_expression" | "new_expression" => {
                let is_new = node.kind() == "new_expression";
                let called = node.child_by_field_name(if is_new { "constructor" } else { "function" });
                let Some(called) = called else { return Expr::Other };
                let arguments: Vec<Expr> =
                    crate::syntax::arguments(node).into_iter().take(MAX_ITEMS).map(inner).collect();
                let loads = called.kind() == "import" || (!is_new && self.text(called) == "require");
                if loads {
                    return match arguments.into_iter().next() {
                        Some(Expr::Text(module)) => Expr::Import { module, name: None },
                        _ => Expr::Other,
                    };
                }
                let shown = called.child_by_field_name("property").unwrap_or(called).start_byte();
                let callee = inner(called);
                let at = node.start_byte();
                // Calls of one chain begin at the same place; what makes a router is the first of them.
                Expr::Call(Box::new(Call { callee, arguments, named: Vec::new(), at, shown }))
            }
            "array" => Expr::List {
                items: children(node).into_iter().take(MAX_ITEMS).map(inner).collect(),
                at: node.start_byte(),
            },
            "object" => Expr::Object(
                children(node)
                    .into_iter()
                    .take(MAX_ITEMS)
                    .filter_map(|part| self.property(part, depth))
                    .collect(),
            ),
            "binary_expression" => {
                let operator = node.child_by_field_name("operator").map(|o| self.text(o));
                match (node.child_by_field_name("left"), node.child_by_field_name("right")) {
                    (Some(left), Some(right)) if operator == Some("+") => {
                        Expr::Sum(vec![inner(left), inner(right)])
                    }
                    _ => Expr::Other,
                }
            }
            "assignment_expression" => node.child_by_field_name("right").map_or(Expr::Other, inner),
            "parenthesized_expression"
            | "await_expression"
            | "as_expression"
            | "satisfies_expression"
            | "non_null_expression"
            | "spread_element"
            | "template_substitution" => first(),
            _ if is_function(node) => {
                self.numbers.get(&node.start_byte()).map_or(Expr::Other, |n| Expr::Function(*n))
            }
            _ if is_class(node) => {
                self.numbers_of_classes.get(&node.start_byte()).map_or(Expr::Other, |n| Expr::Class(*n))
            }
            _ => Expr::Other,
        }
    }

    fn property(&self, part: Node<'_>, depth: usize) -> Option<(String, Expr)> {
        match part.kind() {
            "pair" => {
                let key = part.child_by_field_name("key")?;
                let key = match key.kind() {
                    "string" => into_text(self.expr(key, depth + 1))?,
                    _ => self.text(key).to_owned(),
                };
                Some((key, self.expr(part.child_by_field_name("value")?, depth + 1)))
            }
            "shorthand_property_identifier" => Some((self.text(part).to_owned(), self.expr(part, depth + 1))),
            "method_definition" => {
                let name = part.child_by_field_name("name")?;
                Some((self.text(name).to_owned(), self.expr(part, depth + 1)))
            }
            _ => None,
        }
    }
}

fn into_text(expr: Expr) -> Option<String> {
    match expr {
        Expr::Text(text) => Some(text),
        _ => None,
    }
}
