//! The file that defines the application.

use landfall_evidence::{DeployStage, EntryFile, Folder};
use regex::Regex;

use crate::deploy::Deploy;
use crate::source::{Language, Source, is_test};
use crate::tree::{Tree, parent};

/// Usual names, most telling first.
const USUAL: &[&str] = &[
    "run.py",
    "wsgi.py",
    "asgi.py",
    "app.py",
    "main.py",
    "application.py",
    "server.py",
    "manage.py",
    "app/main.py",
    "src/main.py",
    "src/app.py",
    "api/main.py",
    "server.js",
    "index.js",
    "app.js",
    "src/server.js",
    "src/index.js",
    "src/server.ts",
    "src/index.ts",
    "src/main.ts",
    "src/main.rs",
    "main.go",
    "config.ru",
];

/// At most this many folders are listed; a report shows far fewer.
const MAX_FOLDERS: usize = 60;

/// The entry file: what the start command serves, in production before the workspace, else a usual name.
pub(crate) fn entry(tree: &Tree, deploys: &[Deploy], sources: &[Source]) -> Option<EntryFile> {
    let by_stage = |stage| deploys.iter().filter(move |d| d.config.stage == stage);
    let started = by_stage(DeployStage::Production)
        .chain(by_stage(DeployStage::Development))
        .filter_map(|d| d.target.as_deref())
        .find_map(|target| from_target(tree, sources, target));
    started.or_else(|| {
        let path = USUAL.iter().find(|path| tree.has(path))?;
        let usual = ["app", "application", "api", "server"];
        let defines = usual.iter().find(|name| defined(sources, path, name)).map(|name| (*name).to_owned());
        file(tree, path, defines)
    })
}

fn file(tree: &Tree, path: &str, defines: Option<String>) -> Option<EntryFile> {
    let info = tree.get(path)?;
    Some(EntryFile { path: info.path.clone(), size_byte: info.size_byte, defines })
}

/// `run:app`, `pkg.wsgi`, `pkg.main:create_app()`, `server.js`.
fn from_target(tree: &Tree, sources: &[Source], target: &str) -> Option<EntryFile> {
    let bare = target.trim_start_matches("./");
    if tree.has(bare) {
        return file(tree, bare, None);
    }
    let (module, object) = target.split_once(':').unwrap_or((target, ""));
    let path = module_file(tree, module)?;
    // Gunicorn looks for `application` when the target names a module alone.
    let object = if object.is_empty() { "application" } else { object };
    let name = object.split('(').next().unwrap_or(object).split('.').next().unwrap_or(object);
    // An object that the file does not define is left out: the start command would fail on it.
    let defines = defined(sources, &path, name).then(|| object.to_owned());
    file(tree, &path, defines)
}

/// The file of a dotted Python module, looked for from the root and from `src`.
pub(crate) fn module_file(tree: &Tree, module: &str) -> Option<String> {
    let path = module.replace('.', "/");
    ["", "src/"]
        .iter()
        .flat_map(|base| [format!("{base}{path}.py"), format!("{base}{path}/__init__.py")])
        .find(|candidate| tree.has(candidate))
}

/// Whether a Python file binds a name at its top level: by assignment, definition or import.
fn defined(sources: &[Source], path: &str, name: &str) -> bool {
    let Some(source) = sources.iter().find(|s| s.path == path && s.language == Language::Python) else {
        return false;
    };
    let name = regex::escape(name);
    Regex::new(&format!(
        r"(?m)^(?:{name}\s*(?::[^=\n]+)?=[^=]|(?:async\s+)?def\s+{name}\s*\(|(?:from|import)\s[^\n]*\b{name}\b|    {name}\s*=[^=])"
    ))
    .is_ok_and(|pattern| pattern.is_match(&source.code))
}

/// Folders with source files, one or two levels deep, with the number of files below each.
pub(crate) fn folders(tree: &Tree) -> Vec<Folder> {
    let mut counts = std::collections::BTreeMap::<&str, (u64, bool)>::new();
    for info in tree.files.iter().filter(|f| !f.ignored) {
        let source = Language::of(&info.path).is_some();
        let mut folder = parent(&info.path);
        while !folder.is_empty() {
            if folder.matches('/').count() < 2 && !folder.starts_with('.') {
                let (files, has_source) = counts.entry(folder).or_default();
                *files += 1;
                *has_source |= source;
            }
            folder = parent(folder);
        }
    }
    let listed = counts.into_iter().filter(|(_, (_, has_source))| *has_source);
    let mut folders: Vec<Folder> =
        listed.map(|(path, (files, _))| Folder { path: path.to_owned(), files }).collect();
    // The application's folders before its tests.
    folders.sort_by_key(|f| is_test(&format!("{}/x", f.path)));
    folders.truncate(MAX_FOLDERS);
    folders
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree;

    fn found(files: &[(&str, &str)]) -> Option<(String, Option<String>)> {
        let (_dir, tree) = tree(files);
        let sources = crate::source::load(&tree, &mut Vec::new());
        let deploys = crate::deploy::read(&tree, &mut Vec::new());
        entry(&tree, &deploys, &sources).map(|e| (e.path, e.defines))
    }

    #[test]
    fn the_start_command_names_it() {
        let procfile = ("Procfile", "web: gunicorn pkg.serve:create_app()");
        let file = ("pkg/serve.py", "def create_app():\n    pass\n");
        // Unquoted brackets end a word in a shell, so the object is read without them.
        assert_eq!(
            found(&[procfile, file, ("app.py", "app = 1")]),
            Some(("pkg/serve.py".into(), Some("create_app".into())))
        );
        assert_eq!(
            found(&[("Procfile", "web: node web/s.js"), ("web/s.js", "")]),
            Some(("web/s.js".into(), None))
        );
    }

    #[test]
    fn an_object_that_is_not_there_is_not_claimed() {
        let procfile = ("Procfile", "web: gunicorn run:app");
        assert_eq!(found(&[procfile, ("run.py", "apps = 1\n")]), Some(("run.py".into(), None)));
        assert_eq!(
            found(&[procfile, ("run.py", "from x import make as app\n")]),
            Some(("run.py".into(), Some("app".into())))
        );
        assert_eq!(
            found(&[("main.py", "app = Flask(__name__)\n")]),
            Some(("main.py".into(), Some("app".into())))
        );
        assert_eq!(found(&[("readme.md", "")]), None);
    }

    #[test]
    fn folders_count_everything_below_and_tests_come_last() {
        let (_dir, tree) = tree(&[
            ("b/r/x.py", ""),
            ("b/r/d/y.py", ""),
            ("b/t.html", ""),
            ("docs/a.md", ""),
            ("a_test/z.py", ""),
            ("tests/t.py", ""),
        ]);
        let shown: Vec<_> = folders(&tree).into_iter().map(|f| (f.path, f.files)).collect();
        assert_eq!(shown, [("a_test".into(), 1), ("b".into(), 3), ("b/r".into(), 2), ("tests".into(), 1)]);
    }
}
