//! Python, by its tree.

use std::ops::{ControlFlow, Range};

use tree_sitter::{Node, Tree};

use super::{Around, Call, Class, Decorator, Expr, File, Function, MAX_DEPTH, MAX_ITEMS, MODULE, Use};
use crate::syntax::{children, text, walk};

/// Calls whose routes stand inside of them.
const TABLES: &[&str] = &["Mount", "Host", "Starlette", "FastAPI", "Router"];

struct Lower<'s> {
    code: &'s str,
    file: File,
    scopes: Around<Range<usize>>,
    functions: Around<usize>,
    /// Each class with its part of the file.
    classes: Around<(usize, Range<usize>)>,
    tables: Around<usize>,
}

pub(super) fn lower(tree: &Tree, code: &str) -> File {
    let mut lower = Lower {
        code,
        file: File::default(),
        scopes: Around::new(),
        functions: Around::new(),
        classes: Around::new(),
        tables: Around::new(),
    };
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
        self.tables.leave(node);
        match node.kind() {
            "import_statement" => self.import(node),
            "import_from_statement" => self.import_from(node),
            "function_definition" => self.function(node),
            "class_definition" => {
                let class = self.file.classes.len();
                self.file.classes.push(Class::default());
                if let Some(name) = node.child_by_field_name("name") {
                    self.bind(self.text(name), node.start_byte(), Expr::Class(class));
                }
                self.scopes.enter(node, node.byte_range());
                self.classes.enter(node, (class, node.byte_range()));
            }
            "assignment" | "augmented_assignment" => self.assignment(node),
            "for_statement" => {
                let left = node.child_by_field_name("left").filter(|l| l.kind() == "identifier");
                if let (Some(left), Some(right)) = (left, node.child_by_field_name("right")) {
                    let value = Expr::Each(Box::new(self.expr(right, 0)));
                    self.bind(self.text(left), left.start_byte(), value);
                }
            }
            "return_statement" => {
                let function = self.functions.innermost().copied();
                if let (Some(function), Some(value)) = (function, children(node).first()) {
                    let value = self.expr(*value, 0);
                    self.file.functions[function].returns.push(value);
                }
            }
            "decorated_definition" => {
                // The class that is visited next.
                let definition = node.child_by_field_name("definition").map(|d| d.kind());
                let class = (definition == Some("class_definition")).then_some(self.file.classes.len());
                for decorator in children(node).into_iter().filter(|c| c.kind() == "decorator") {
                    if let Some(Expr::Call(mut call)) = children(decorator).first().map(|c| self.expr(*c, 0))
                    {
                        call.shown = decorator.start_byte();
                        self.file.decorators.push(Decorator { call: *call, class });
                    }
                }
            }
            "list" => self.tables.enter(node, node.start_byte()),
            "call" => self.call(node),
            _ => {}
        }
    }

    fn call(&mut self, node: Node<'_>) {
        let Some(function) = node.child_by_field_name("function") else { return };
        let called = self.text(function);
        let last = called.rsplit('.').next().unwrap_or_default().trim();
        let known = matches!(
            last,
            "register_blueprint"
                | "include_router"
                | "mount"
                | "Route"
                | "WebSocketRoute"
                | "Api"
                | "init_app"
                | "namespace"
                | "add_namespace"
                | "add_resource"
                | "add_url_rule"
                | "add_api_route"
                | "add_route"
        ) || TABLES.contains(&last);
        // A router may be handed on to any function, under a name or a member.
        let hands_on = || {
            let arguments = crate::syntax::arguments(node);
            arguments.iter().any(|a| matches!(a.kind(), "identifier" | "attribute"))
        };
        if !known && !hands_on() {
            return;
        }
        let inside = self.tables.open.iter().rev().map(|(_, at)| *at).collect();
        if let Expr::Call(call) = self.expr(node, 0) {
            self.file.calls.push(Use { call: *call, inside });
        }
        if TABLES.contains(&last) {
            self.tables.enter(node, node.start_byte());
        }
    }

    fn function(&mut self, node: Node<'_>) {
        let at = self.file.functions.len();
        let mut function = Function::default();
        if let Some(name) = node.child_by_field_name("name") {
            let name = self.text(name);
            // A method is no name of the scope around it.
            match self.directly_in() {
                Some(class) => {
                    self.file.classes[class].attributes.push((name.to_owned(), Expr::Function(at)));
                }
                None => self.bind(name, node.start_byte(), Expr::Function(at)),
            }
        }
        self.scopes.enter(node, node.byte_range());
        for parameter in node.child_by_field_name("parameters").map(children).unwrap_or_default() {
            let name = match parameter.kind() {
                "identifier" => Some(parameter),
                "typed_parameter" => children(parameter).into_iter().next(),
                _ => parameter.child_by_field_name("name"),
            };
            let kind = parameter.child_by_field_name("type").map(|t| self.text(t).to_owned());
            if let Some(name) = name {
                let place = name.start_byte();
                function.parameters.push((place, kind));
                self.bind(self.text(name), place, Expr::Parameter(place));
            }
        }
        self.file.functions.push(function);
        self.functions.enter(node, at);
    }

    fn assignment(&mut self, node: Node<'_>) {
        let (Some(left), Some(right)) = (node.child_by_field_name("left"), node.child_by_field_name("right"))
        else {
            return;
        };
        let added = node.kind() == "augmented_assignment";
        match left.kind() {
            "identifier" | "attribute" => {
                // In `a = b = c` the value is the last one's.
                let mut value = right;
                while let Some(next) =
                    value.child_by_field_name("right").filter(|_| value.kind() == "assignment")
                {
                    value = next;
                }
                let name: String = self.text(left).split_whitespace().collect();
                let mut value = self.expr(value, 0);
                if added && let Some(before) = self.file.bound(&name, left.start_byte()).first() {
                    value = Expr::Sum(vec![(*before).clone(), value]);
                }
                let own = name.strip_prefix("self.");
                match (self.classes.innermost().cloned(), own) {
                    // The object's own names are seen by all of its methods.
                    (Some((class, scope)), Some(own)) => {
                        self.file.classes[class].attributes.push((own.to_owned(), value.clone()));
                        self.file.bind(&name, scope, left.start_byte(), value);
                    }
                    _ => {
                        if let Some(class) = self.directly_in() {
                            self.file.classes[class].attributes.push((name.clone(), value.clone()));
                        }
                        self.bind(&name, left.start_byte(), value);
                    }
                }
            }
            "pattern_list" | "tuple_pattern" => {
                let names = children(left);
                let values = match right.kind() {
                    "expression_list" | "tuple" | "list" => children(right),
                    _ => Vec::new(),
                };
                for (at, name) in names.iter().enumerate().filter(|(_, n)| n.kind() == "identifier") {
                    let value = values.get(at).filter(|_| values.len() == names.len());
                    let value = value.map_or(Expr::Other, |v| self.expr(*v, 0));
                    self.bind(self.text(*name), name.start_byte(), value);
                }
            }
            _ => {}
        }
    }

    /// The class whose body this is, when no function is between.
    fn directly_in(&self) -> Option<usize> {
        let (class, range) = self.classes.innermost()?;
        (self.scopes.innermost() == Some(range)).then_some(*class)
    }

    fn import(&mut self, node: Node<'_>) {
        for item in children(node) {
            let (module, local) = match item.kind() {
                "aliased_import" => (item.child_by_field_name("name"), item.child_by_field_name("alias")),
                _ => (Some(item), Some(item)),
            };
            if let (Some(module), Some(local)) = (module, local) {
                let module = self.text(module).to_owned();
                self.bind(self.text(local), node.start_byte(), Expr::Import { module, name: None });
            }
        }
    }

    fn import_from(&mut self, node: Node<'_>) {
        let Some(from) = node.child_by_field_name("module_name") else { return };
        let module: String = self.text(from).split_whitespace().collect();
        for item in children(node).into_iter().filter(|item| *item != from) {
            let (name, local) = match item.kind() {
                "wildcard_import" => {
                    self.file.stars.push(module.clone());
                    continue;
                }
                "aliased_import" => (item.child_by_field_name("name"), item.child_by_field_name("alias")),
                _ => (Some(item), Some(item)),
            };
            if let (Some(name), Some(local)) = (name, local) {
                let value = Expr::Import { module: module.clone(), name: Some(self.text(name).to_owned()) };
                self.bind(self.text(local), node.start_byte(), value);
            }
        }
    }

    fn expr(&self, node: Node<'_>, depth: usize) -> Expr {
        if depth > MAX_DEPTH {
            return Expr::Other;
        }
        let inner = |node: Node<'_>| self.expr(node, depth + 1);
        let all = |node: Node<'_>| children(node).into_iter().take(MAX_ITEMS).map(inner).collect::<Vec<_>>();
        match node.kind() {
            "string" => {
                let parts =
                    children(node).into_iter().filter(|c| !matches!(c.kind(), "string_start" | "string_end"));
                let mut parts: Vec<Expr> = parts.take(MAX_ITEMS).map(inner).collect();
                match parts.len() {
                    0 => Expr::Text(String::new()),
                    1 => parts.remove(0),
                    _ => Expr::Sum(parts),
                }
            }
            "string_content" => Expr::Text(self.text(node).to_owned()),
            "interpolation" => node.child_by_field_name("expression").map_or(Expr::Other, inner),
            "concatenated_string" => Expr::Sum(all(node)),
            "identifier" | "none" => Expr::Name { name: self.text(node).to_owned(), at: node.start_byte() },
            "attribute" => {
                match (node.child_by_field_name("object"), node.child_by_field_name("attribute")) {
                    (Some(base), Some(name)) => {
                        Expr::Member { base: Box::new(inner(base)), name: self.text(name).to_owned() }
                    }
                    _ => Expr::Other,
                }
            }
            "call" => {
                let Some(function) = node.child_by_field_name("function") else { return Expr::Other };
                let (mut arguments, mut named) = (Vec::new(), Vec::new());
                for argument in crate::syntax::arguments(node).into_iter().take(MAX_ITEMS) {
                    match (argument.kind(), argument.child_by_field_name("name")) {
                        ("keyword_argument", Some(name)) => {
                            let value = argument.child_by_field_name("value").map_or(Expr::Other, inner);
                            named.push((self.text(name).to_owned(), value));
                        }
                        _ => arguments.push(inner(argument)),
                    }
                }
                let at = node.start_byte();
                Expr::Call(Box::new(Call { callee: inner(function), arguments, named, at, shown: at }))
            }
            "list" | "tuple" | "set" | "expression_list" => {
                Expr::List { items: all(node), at: node.start_byte() }
            }
            "dictionary" => Expr::Object(
                children(node)
                    .into_iter()
                    .take(MAX_ITEMS)
                    .filter_map(|pair| {
                        let Expr::Text(key) = inner(pair.child_by_field_name("key")?) else { return None };
                        Some((key, inner(pair.child_by_field_name("value")?)))
                    })
                    .collect(),
            ),
            "binary_operator" => {
                let operator = node.child_by_field_name("operator").map(|o| self.text(o));
                match (node.child_by_field_name("left"), node.child_by_field_name("right")) {
                    (Some(left), Some(right)) if operator == Some("+") => {
                        Expr::Sum(vec![inner(left), inner(right)])
                    }
                    _ => Expr::Other,
                }
            }
            "parenthesized_expression" | "await" | "list_splat" | "named_expression" => {
                let value = node.child_by_field_name("value").or_else(|| children(node).first().copied());
                value.map_or(Expr::Other, inner)
            }
            _ => Expr::Other,
        }
    }
}
