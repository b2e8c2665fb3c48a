//! Django: `path()`, `re_path()` and `url()` in `urlpatterns`, followed through `include()`
//! (docs.djangoproject.com, "URL dispatcher").

use std::sync::LazyLock;

use landfall_evidence::Route;
use regex::Regex;

use super::code::{Call, Expr, Value, World};
use super::{MAX_NESTING, MAX_ROUTES};
use crate::source::Source;
use crate::tree::file_name;
use crate::words::words;

/// URL modules and lists read in one project, repetitions counted.
const MAX_VISITS: usize = 1_000;

/// Adds the routes of the project's URL modules.
pub(super) fn read<'a>(world: &World<'a>, sources: &[&'a Source], routes: &mut Vec<Route>) {
    // The root is named in the settings; without settings it is the URL module nearest to the root of the project.
    let settings: Vec<&Source> = sources.iter().copied().filter(|s| s.says(words!["ROOT_URLCONF"])).collect();
    world.load(&settings);
    let named = settings.iter().find_map(|source| {
        let file = world.file(&source.path)?;
        let module =
            file.of_module("ROOT_URLCONF").into_iter().find_map(|value| world.text(&source.path, value))?;
        world.module(&source.path, &module)
    });
    let nearest = || {
        let mut patterns =
            sources.iter().filter(|s| s.says(words!["urlpatterns"]) && file_name(&s.path) == "urls.py");
        patterns.next().map(|source| source.path.clone())
    };
    if let Some(root) = named.or_else(nearest) {
        let mut reader = Reader { world, visits: 0, routes };
        reader.module(&root, "/", 0);
    }
}

struct Reader<'r, 'w, 'a> {
    world: &'w World<'a>,
    /// Modules and lists read, since they may include each other many times.
    visits: usize,
    routes: &'r mut Vec<Route>,
}

impl Reader<'_, '_, '_> {
    /// Reads the patterns of one URL module under a prefix.
    fn module(&mut self, path: &str, prefix: &str, depth: usize) {
        let Some(file) = self.world.file(path) else { return };
        // The last value holds those that were added to before: `urlpatterns += […]`.
        let values = file.of_module("urlpatterns");
        if let Some(last) = values.last() {
            self.patterns(path, last, prefix, depth);
        }
    }

    /// Reads what a list of patterns may be written as.
    fn patterns(&mut self, path: &str, expr: &Expr, prefix: &str, depth: usize) {
        self.visits += 1;
        if depth >= MAX_NESTING || self.visits > MAX_VISITS || self.routes.len() > MAX_ROUTES {
            return;
        }
        match expr {
            Expr::List { items, .. } => {
                for item in items {
                    self.pattern(path, item, prefix, depth);
                }
            }
            Expr::Sum(parts) => {
                for part in parts {
                    self.patterns(path, part, prefix, depth);
                }
            }
            // `i18n_patterns(path(…), …)` stands behind the language, `format_suffix_patterns(urlpatterns)` hands on.
            Expr::Call(call) => match call.callee.last() {
                Some("i18n_patterns") => {
                    let prefix = format!("{prefix}<language>/");
                    for item in &call.arguments {
                        self.pattern(path, item, &prefix, depth);
                    }
                }
                Some("format_suffix_patterns") => {
                    if let Some(inner) = call.arguments.first() {
                        self.patterns(path, inner, prefix, depth + 1);
                    }
                }
                _ => {}
            },
            Expr::Name { .. } | Expr::Member { .. } => {
                for value in self.world.values(path, expr) {
                    if let Value::List((file, at), items) = value {
                        self.patterns(&file, &Expr::List { items, at }, prefix, depth + 1);
                    }
                }
            }
            _ => {}
        }
    }

    fn pattern(&mut self, path: &str, expr: &Expr, prefix: &str, depth: usize) {
        let Expr::Call(call) = expr else {
            // `*others`
            return self.patterns(path, expr, prefix, depth + 1);
        };
        let kind = call.callee.last().unwrap_or_default();
        if !matches!(kind, "path" | "re_path" | "url") {
            return;
        }
        let (Some(first), Some(view)) = (call.argument(0, "route"), call.argument(1, "view")) else { return };
        let Some(text) = self.world.text(path, first) else { return };
        let text = if kind == "path" { text } else { plain(&text) };
        let below = format!("{prefix}{text}");
        match view {
            Expr::Call(inner) if inner.callee.last() == Some("include") => {
                self.include(path, inner, &below, depth)
            }
            // The urls of the admin and of other sites are Django's own.
            Expr::Member { name, .. } if name == "urls" => {}
            _ => {
                // A view decides by itself which methods it answers, so the code does not limit them here.
                if let Some(source) = self.world.source(path) {
                    let place = source.place(call.at);
                    self.routes.push(Route { methods: Vec::new(), path: below, place });
                }
            }
        }
    }

    /// `include("shop.urls")`, `include(shop.urls)`, `include([path(…)])`, `include((patterns, "name"))`.
    fn include(&mut self, path: &str, call: &Call, below: &str, depth: usize) {
        let Some(target) = call.arguments.first() else { return };
        if let Expr::List { items, .. } = target
            && let Some(inner) = items.first()
            && !matches!(inner, Expr::Call(_))
        {
            return self.included(path, inner, below, depth);
        }
        self.included(path, target, below, depth);
    }

    fn included(&mut self, path: &str, target: &Expr, below: &str, depth: usize) {
        if let Some(dotted) = self.world.text(path, target) {
            // The module's own folder is looked at too: a project that is started in a folder of its own.
            if let Some(module) = self.world.module(path, &dotted) {
                self.visited(&module, below, depth);
            }
            return;
        }
        match target {
            Expr::Name { .. } | Expr::Member { .. } => {
                for value in self.world.values(path, target) {
                    match value {
                        Value::Module(module) => self.visited(&module, below, depth),
                        Value::List((file, at), items) => {
                            self.patterns(&file, &Expr::List { items, at }, below, depth + 1);
                        }
                        _ => {}
                    }
                }
            }
            other => self.patterns(path, other, below, depth + 1),
        }
    }

    fn visited(&mut self, module: &str, below: &str, depth: usize) {
        self.visits += 1;
        if depth + 1 < MAX_NESTING && self.visits <= MAX_VISITS {
            self.module(module, below, depth + 1);
        }
    }
}

/// A regular expression as a path, as far as it is one: anchors go, groups become placeholders.
fn plain(pattern: &str) -> String {
    static GROUP: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\((?:\?P<(\w+)>)?[^()]*\)[*+?]?")
            .expect("the pattern is a constant and covered by tests")
    });
    let text = pattern
        .trim_start_matches('^')
        .trim_end_matches('$')
        .trim_end_matches("/?")
        .replace("\\.", ".")
        .replace("\\-", "-");
    GROUP
        .replace_all(&text, |c: &regex::Captures<'_>| {
            format!("<{}>", c.get(1).map_or("value", |m| m.as_str()))
        })
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    #[test]
    fn includes_are_followed_from_the_root() {
        check(
            &[
                ("site/settings.py", "ROOT_URLCONF = 'site.urls'\n"),
                (
                    "site/urls.py",
                    "from django.urls import include, path, re_path\nurlpatterns = [\n    path('admin/', admin.site.urls),\n    path('health', views.health),\n\
                     \x20   path('api/', include('shop.urls')),\n    re_path(r'^u/(?P<id>\\d+)/$', views.u),\n]\n",
                ),
                ("shop/urls.py", "urlpatterns = [path('items/<int:id>/', v.item), path('', v.all)]\n"),
                ("unused/urls.py", "urlpatterns = [path('no', v.no)]\n"),
            ],
            &[
                " /api/ shop/urls.py:1",
                " /api/items/<int:id>/ shop/urls.py:1",
                " /health site/urls.py:4",
                " /u/<id>/ site/urls.py:6",
            ],
        );
    }

    #[test]
    fn a_module_that_includes_itself_ends() {
        check(
            &[("urls.py", "urlpatterns = [path('a/', include('urls')), path('b', v)]\n")],
            &[
                " /a/a/a/a/a/b urls.py:1",
                " /a/a/a/a/b urls.py:1",
                " /a/a/a/b urls.py:1",
                " /a/a/b urls.py:1",
                " /a/b urls.py:1",
                " /b urls.py:1",
            ],
        );
    }

    #[test]
    fn lists_by_name_added_to_and_included_in_place() {
        check(
            &[
                ("site/settings.py", "ROOT_URLCONF = 'site.urls'\n"),
                (
                    "site/urls.py",
                    "from django.urls import include, path\nfrom django.conf.urls.i18n import i18n_patterns\nfrom shop import urls as shop_urls\n\
                     V1 = 'v1/'\napi = [path('items', v.items), path('users/', include([path('me', v.me)]))]\n\
                     urlpatterns = [path('api/' + V1, include((api, 'api'))), path('shop/', include(shop_urls))]\n\
                     NOTE = \"path('no', v.no)\"\nif settings.DEBUG:\n    urlpatterns += [path('debug', v.debug)]\n\
                     urlpatterns += i18n_patterns(path('about', v.about))\n",
                ),
                ("shop/urls.py", "urlpatterns = [path('cart', v.cart)]\nunused = [path('unused', v.no)]\n"),
            ],
            &[
                " /<language>/about site/urls.py:10",
                " /api/v1/items site/urls.py:5",
                " /api/v1/users/me site/urls.py:5",
                " /debug site/urls.py:9",
                " /shop/cart shop/urls.py:1",
            ],
        );
    }
}
