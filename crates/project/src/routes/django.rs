//! Django: `path()` and `re_path()` in URL modules, followed through `include()`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use landfall_evidence::Route;
use regex::Regex;

use super::{MAX_NESTING, python, python_imports, python_module};
use crate::source::{Source, literal};
use crate::tree::{Tree, file_name, parent};
use crate::words::{Pattern, words};

/// URL modules read in one project, repetitions counted.
const MAX_VISITS: usize = 500;

static PATH: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\b(re_path|path|url)\s*(\()").expect("the pattern is a constant and covered by tests")
});
static ROOT: LazyLock<Pattern> =
    LazyLock::new(|| Pattern::new(words!["ROOT_URLCONF"], r#"ROOT_URLCONF\s*=\s*["']([\w.]+)["']"#));

pub(super) fn read(tree: &Tree, sources: &[Source]) -> Vec<Route> {
    let files: BTreeMap<&str, &Source> =
        python(sources).filter(|s| s.code.contains("urlpatterns")).map(|s| (s.path.as_str(), s)).collect();
    // The root is named in the settings; without settings it is the URL module nearest to the root of the project.
    let root = python(sources)
        .find_map(|s| python_module(tree, &s.path, &ROOT.captures_iter(s).next()?[1]))
        .or_else(|| files.keys().find(|p| file_name(p) == "urls.py").map(|p| (*p).to_owned()));
    let mut routes = Vec::new();
    if let Some(root) = root {
        let mut visits = 0;
        module(tree, &files, &root, "/", 0, &mut visits, &mut routes);
    }
    routes
}

/// Reads one URL module under a prefix. `visits` counts modules read, since modules may include each other many times.
fn module(
    tree: &Tree,
    files: &BTreeMap<&str, &Source>,
    file: &str,
    prefix: &str,
    depth: usize,
    visits: &mut usize,
    routes: &mut Vec<Route>,
) {
    *visits += 1;
    let within = depth < MAX_NESTING && *visits <= MAX_VISITS && routes.len() < super::MAX_ROUTES;
    let Some(source) = files.get(file).filter(|_| within) else { return };
    let imports = python_imports(tree, source);
    for c in PATH.captures_iter(&source.code) {
        let (Some(all), Some(open)) = (c.get(0), c.get(2)) else { continue };
        // `os.path(…)` and the like are other functions.
        if source.code[..all.start()].ends_with('.') {
            continue;
        }
        let Some(arguments) = source.arguments(open.start()) else { continue };
        let [first, view, ..] = arguments.as_slice() else { continue };
        let Some(pattern) = literal(first) else { continue };
        let pattern = if &c[1] == "path" { pattern.to_owned() } else { plain(pattern) };
        let path = format!("{prefix}{pattern}");
        if let Some(inner) = view.strip_prefix("include") {
            let inner = inner.trim().trim_start_matches('(').trim_end_matches(')').trim_start_matches('(');
            let target = inner.split(',').next().unwrap_or_default().trim();
            let included = match literal(target) {
                Some(dotted) => python_module(tree, file, dotted)
                    .or_else(|| python_module(tree, &format!("{}/x", parent(file)), dotted)),
                None => imports.get(target).and_then(|origins| origins.first()).map(|(file, _)| file.clone()),
            };
            if let Some(included) = included {
                module(tree, files, &included, &path, depth + 1, visits, routes);
            }
        } else if !view.contains("site.urls") {
            // A view decides by itself which methods it answers, so the code does not limit them here.
            routes.push(Route { methods: Vec::new(), path, place: source.place(all.start()) });
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
}
