//! Whether a module that tests cannot import is one of the project's own.

use std::sync::LazyLock;

use landfall_evidence::ImportGap;
use regex::Regex;

use crate::source::is_test;
use crate::tree::{Tree, parent};

/// What the folder says about a failed import. `None` for other exceptions, and for modules that the project does not
/// define: those are missing dependencies.
pub(super) fn find(tree: &Tree, exception: &str, message: &str) -> Option<ImportGap> {
    static NAME: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^No module named '?([A-Za-z_][\w.]*)'?")
            .expect("the pattern is a constant and covered by tests")
    });
    if !matches!(exception, "ModuleNotFoundError" | "ImportError") {
        return None;
    }
    let module = NAME.captures(message)?[1].to_owned();
    let path = module.replace('.', "/");
    let forms = [format!("{path}.py"), format!("{path}/__init__.py")];
    // The tree is in the order of depth, so the first match is the nearest to the root.
    let found = tree.files.iter().filter(|f| !f.ignored).find_map(|file| {
        let form =
            forms.iter().find(|form| file.path == **form || file.path.ends_with(&format!("/{form}")))?;
        let base = file.path[..file.path.len() - form.len()].trim_end_matches('/');
        Some((file.path.clone(), base.to_owned()))
    });
    // A folder of modules without `__init__.py` is a package too (PEP 420), but only where nothing better is found.
    let (defined_in, base) = found.or_else(|| {
        let inside = |file: &&crate::tree::FileInfo| {
            !file.ignored && file.path.ends_with(".py") && !is_test(&file.path)
        };
        tree.files.iter().filter(inside).find_map(|file| {
            let folder = parent(&file.path);
            let base = if folder == path { "" } else { folder.strip_suffix(&format!("/{path}"))? };
            Some((file.path.clone(), base.to_owned()))
        })
    })?;
    let missing_path = if base.is_empty() { ".".to_owned() } else { base };
    Some(ImportGap { module, defined_in, missing_path })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree;

    fn gap(files: &[&str], message: &str) -> Option<(String, String)> {
        let files: Vec<(&str, &str)> = files.iter().map(|path| (*path, "")).collect();
        let (_dir, tree) = tree(&files);
        find(&tree, "ModuleNotFoundError", message).map(|g| (g.defined_in, g.missing_path))
    }

    #[test]
    fn modules_of_the_project_are_found_nearest_first() {
        let some = |file: &str, path: &str| Some((file.to_owned(), path.to_owned()));
        assert_eq!(gap(&["a/b/run.py", "run.py"], "No module named 'run'"), some("run.py", "."));
        assert_eq!(
            gap(&["src/shop/__init__.py", "src/shop/prices.py"], "No module named 'shop'"),
            some("src/shop/__init__.py", "src")
        );
        assert_eq!(
            gap(&["src/shop/prices.py"], "No module named 'shop.prices'"),
            some("src/shop/prices.py", "src")
        );
        assert_eq!(gap(&["lib/pkg/a.py"], "No module named 'pkg'"), some("lib/pkg/a.py", "lib"));
        assert_eq!(gap(&["prerun.py", "run.txt"], "No module named 'run'"), None);
    }

    #[test]
    fn missing_dependencies_and_other_exceptions_are_no_gap() {
        assert_eq!(gap(&["run.py"], "No module named 'requests'"), None);
        let (_dir, tree) = tree(&[("run.py", "")]);
        assert!(find(&tree, "SyntaxError", "No module named 'run'").is_none());
        assert!(find(&tree, "ImportError", "cannot import name 'app' from 'run'").is_none());
    }
}
