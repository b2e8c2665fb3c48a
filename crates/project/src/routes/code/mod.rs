//! What a source file says, as far as routes need it, free of its syntax tree: names and what they are bound to,
//! calls, functions, classes. A tree is read once, in one pass, and dropped; the readers of routes work on this.

pub(super) mod modules;
mod python;
mod script;
mod world;

use std::collections::HashMap;
use std::ops::Range;

use tree_sitter::Node;

pub(super) use script::VERBS;
pub(super) use world::{Dialect, Made, Value, World};

use crate::source::{Language, Source};
use crate::syntax::{Parsers, Trees};

/// Expressions inside of expressions; what is deeper is not looked at.
const MAX_DEPTH: usize = 64;
/// Bindings of one name in one file.
const MAX_SAME: usize = 64;
/// Elements of one list, object or call that are kept.
const MAX_ITEMS: usize = 2_000;

/// Something that was made or declared: the file, and the offset in it.
pub(super) type Id = (String, usize);

/// An expression, as far as it can name a router, a path or a function.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expr {
    Text(String),
    /// A name and where it is used: the place decides which binding is meant.
    Name {
        name: String,
        at: usize,
    },
    Member {
        base: Box<Expr>,
        name: String,
    },
    Call(Box<Call>),
    /// Parts joined by `+` or inside of a template.
    Sum(Vec<Expr>),
    List {
        items: Vec<Expr>,
        at: usize,
    },
    Object(Vec<(String, Expr)>),
    /// One element of the list, as a loop has it.
    Each(Box<Expr>),
    /// By its index in the file.
    Function(usize),
    /// By its index in the file.
    Class(usize),
    /// A parameter, by the offset where it is declared.
    Parameter(usize),
    /// `name` is `None` for the module itself.
    Import {
        module: String,
        name: Option<String>,
    },
    Other,
}

impl Expr {
    /// `a.b.c` for names and members, with the place of the name.
    pub(super) fn dotted(&self) -> Option<(String, usize)> {
        match self {
            Self::Name { name, at } => Some((name.clone(), *at)),
            Self::Member { base, name } => {
                let (base, at) = base.dotted()?;
                Some((format!("{base}.{name}"), at))
            }
            _ => None,
        }
    }

    /// The last name of a callee: `Router` for `express.Router`.
    pub(super) fn last(&self) -> Option<&str> {
        match self {
            Self::Name { name, .. } | Self::Member { name, .. } => Some(name),
            _ => None,
        }
    }
}

/// A call, or an object that is made with `new`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    pub(super) callee: Expr,
    pub(super) arguments: Vec<Expr>,
    /// Keyword arguments, which Python has.
    pub(super) named: Vec<(String, Expr)>,
    /// Where the call begins: this is what tells two routers apart.
    pub(super) at: usize,
    /// Where its last name stands: the place that is shown.
    pub(super) shown: usize,
}

impl Call {
    pub(super) fn named(&self, name: &str) -> Option<&Expr> {
        self.named.iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    /// The argument at a position, or by its name.
    pub(super) fn argument(&self, at: usize, name: &str) -> Option<&Expr> {
        self.arguments.get(at).or_else(|| self.named(name))
    }

    /// For `owner.method(…)`: the owner and the method.
    pub(super) fn method(&self) -> Option<(&Expr, &str)> {
        match &self.callee {
            Expr::Member { base, name } => Some((base, name)),
            _ => None,
        }
    }
}

/// A name that is bound to a value in a part of the file.
#[derive(Debug)]
struct Binding {
    scope: Range<usize>,
    at: usize,
    value: Expr,
}

#[derive(Debug, Default)]
pub(super) struct Function {
    /// Where each parameter is declared, and the name of its type where one is written.
    pub(super) parameters: Vec<(usize, Option<String>)>,
    pub(super) returns: Vec<Expr>,
}

#[derive(Debug, Default)]
pub(super) struct Class {
    /// Fields, methods, and what is assigned to the object's own names.
    pub(super) attributes: Vec<(String, Expr)>,
    pub(super) decorators: Vec<Call>,
    /// Calls that decorate methods: those of one method carry one number.
    pub(super) handlers: Vec<(usize, Call)>,
}

/// A call that may matter.
#[derive(Debug)]
pub(super) struct Use {
    pub(super) call: Call,
    /// The lists and calls around it in its statement by their offsets, innermost first. Python's only.
    pub(super) inside: Vec<usize>,
}

/// A call that decorates a function, or a class by its index in the file.
#[derive(Debug)]
pub(super) struct Decorator {
    pub(super) call: Call,
    pub(super) class: Option<usize>,
}

/// One file.
#[derive(Debug, Default)]
pub(super) struct File {
    bindings: HashMap<String, Vec<Binding>>,
    pub(super) functions: Vec<Function>,
    pub(super) classes: Vec<Class>,
    pub(super) calls: Vec<Use>,
    /// Calls that decorate functions and classes. Python's only; JavaScript's stand in their classes.
    pub(super) decorators: Vec<Decorator>,
    /// What other files find here, by name (JavaScript); `module.exports` is `=`.
    pub(super) exports: Vec<(String, Expr)>,
    /// Modules all of whose names are handed on.
    pub(super) stars: Vec<String>,
}

/// The whole file as a scope, and a place in it that is in no other.
const MODULE: Range<usize> = 0..usize::MAX;
const AT_MODULE: usize = usize::MAX - 1;

impl File {
    fn bind(&mut self, name: &str, scope: Range<usize>, at: usize, value: Expr) {
        let same = self.bindings.entry(name.to_owned()).or_default();
        if same.len() < MAX_SAME {
            same.push(Binding { scope, at, value });
        }
    }

    /// The bindings of a name in the innermost part of the file that has any around a place.
    fn innermost(&self, name: &str, at: usize) -> Vec<&Binding> {
        let all = self.bindings.get(name).map_or(&[][..], Vec::as_slice);
        let around = || all.iter().filter(|b| b.scope.contains(&at));
        let inner = around().map(|b| b.scope.len()).min();
        around().filter(|b| Some(b.scope.len()) == inner).collect()
    }

    /// The values of a name where it is used: of the innermost part of the file that binds it, the last one before the
    /// use first.
    fn bound(&self, name: &str, at: usize) -> Vec<&Expr> {
        let mut found = self.innermost(name, at);
        found.sort_by_key(|b| (b.at > at, std::cmp::Reverse(b.at)));
        found.into_iter().map(|b| &b.value).collect()
    }

    /// The values of a name of the module itself, in their order.
    pub(super) fn of_module(&self, name: &str) -> Vec<&Expr> {
        self.innermost(name, AT_MODULE).into_iter().map(|b| &b.value).collect()
    }

    /// All values of a name anywhere in the file.
    fn anywhere(&self, name: &str) -> impl Iterator<Item = &Expr> {
        self.bindings.get(name).into_iter().flatten().map(|b| &b.value)
    }
}

/// Reads a source by its tree; `None` where there is none.
fn lower(source: &Source, trees: &Trees<'_>, parsers: &mut Parsers) -> Option<File> {
    let tree = trees.get(source, parsers)?;
    Some(match source.language {
        Language::Python => python::lower(&tree, &source.code),
        _ => script::lower(&tree, &source.code),
    })
}

/// Parts of the file around the node that is visited, kept while the visit goes from outer nodes to inner ones.
#[derive(Debug)]
struct Around<T> {
    open: Vec<(usize, T)>,
}

impl<T> Around<T> {
    const fn new() -> Self {
        Self { open: Vec::new() }
    }

    /// Leaves what ended before this node.
    fn leave(&mut self, node: Node<'_>) {
        while self.open.last().is_some_and(|(end, _)| *end <= node.start_byte()) {
            self.open.pop();
        }
    }

    fn enter(&mut self, node: Node<'_>, what: T) {
        self.open.push((node.end_byte(), what));
    }

    fn innermost(&self) -> Option<&T> {
        self.open.last().map(|(_, what)| what)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::read;
    use crate::source::load;
    use crate::syntax::Trees;
    use crate::tree::tests::tree;

    const PIECES: &[&str] = &[
        "app = Flask(__name__)\n",
        "@app.get('/é')\n",
        "def f(a, *, b=1):\n    return app\n",
        "class A(B):\n    x: str = '/y'\n",
        "self.r = f(self)\n",
        "const a = express();\n",
        "a.use(`/${x}`, r);\n",
        "r.route('/x').get(f)\n",
        "export default r;\n",
        "module.exports = { a, b: [r] }\n",
        "class C { @Get('x') m(@Q() q) {} constructor(private r: R) {} }\n",
        "urlpatterns += [path('x', include(",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "\"",
        "'",
        "`",
        "=",
        ",",
        ".",
        "f'{",
        "=> ",
        "import r, { a as b } from './b'\n",
        "from .b import app as r\n",
        "\n",
        "    ",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_order_of_such_pieces_ends(a in proptest::collection::vec(0..PIECES.len(), 0..40), b in proptest::collection::vec(0..PIECES.len(), 0..20)) {
            let text = |parts: &[usize]| parts.iter().map(|at| PIECES[*at]).collect::<String>();
            let (a, b) = (text(&a), text(&b));
            let (_dir, tree) = tree(&[("a.py", &a), ("b.py", &b), ("a.ts", &a), ("b.js", &b)]);
            let sources = load(&tree, &mut Vec::new());
            for route in read(&tree, &sources, &Trees::default(), &mut Vec::new()).routes {
                prop_assert!(route.path.starts_with('/'), "{route:?}");
            }
        }
    }
}
