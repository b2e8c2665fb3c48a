//! Which files of the project its own code, pages, image and start use, and whether they are there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;

use super::{Read, beside, exists, inside, regex, text};
use crate::source::{Language, Source};
use crate::tree::{Tree, parent};
use crate::words::{Pattern, words};

/// Uses looked at in one project.
const MAX_USES: usize = 4_000;
/// Pages read for the assets that they name.
const MAX_PAGES: usize = 300;

/// First parts of an asset's path that often stand for a folder of another name.
const SERVED_AS: &[&str] = &["static", "assets", "public", "img", "images", "css", "js", "fonts", "media"];

/// How a file is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum How {
    /// Imported by code.
    Import,
    /// A page template that code renders.
    Template,
    /// An asset that a page names.
    Asset,
    /// Opened by code.
    Opened,
    /// Copied into the image.
    Copied,
}

impl How {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Import => "imported",
            Self::Template => "rendered",
            Self::Asset => "named",
            Self::Opened => "opened",
            Self::Copied => "copied into the image",
        }
    }
}

/// One use of one file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Use {
    /// The path as the code means it, from the root.
    pub(super) path: String,
    /// `file:line` of the use.
    pub(super) place: String,
    pub(super) how: How,
    pub(super) state: State,
}

/// Whether the file is there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// Under this path.
    There(String),
    /// Under a path that differs in letter case only.
    OtherCase(String),
    /// On disk, in what version control or the walk leaves out.
    Unlisted(String),
    /// Not found.
    Absent,
}

/// Paths by their lower-case form, for names that differ in case only.
pub(super) struct Cases(BTreeMap<String, Vec<String>>);

impl Cases {
    pub(super) fn of(tree: &Tree) -> Self {
        let mut map: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for file in tree.files.iter().filter(|f| !f.ignored) {
            map.entry(file.path.to_lowercase()).or_default().push(file.path.clone());
        }
        Self(map)
    }

    /// The file of one of these paths: exactly, then under another case, then on disk.
    fn find(&self, tree: &Tree, candidates: &[String]) -> State {
        for path in candidates {
            match tree.get(path) {
                Some(file) if file.ignored => return State::Unlisted(path.clone()),
                Some(_) => return State::There(path.clone()),
                None => {}
            }
        }
        for path in candidates {
            if let Some(other) = self.0.get(&path.to_lowercase()).and_then(|all| all.first()) {
                return State::OtherCase(other.clone());
            }
        }
        match candidates.iter().find(|path| exists(tree, path) && !super::is_folder(tree, path)) {
            Some(path) => State::Unlisted(path.clone()),
            None => State::Absent,
        }
    }
}

struct Patterns {
    python_from: Pattern,
    python_import: Pattern,
    js: Pattern,
    template: Pattern,
    asset: Regex,
    static_url: Regex,
    opened: Pattern,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| Patterns {
    python_from: Pattern::new(
        words!["import"],
        r"(?m)^([ \t]*)from[ \t]+(\.*[\w.]*)[ \t]+import[ \t]*(?:\(([^)]*)\)|([^\n]*))",
    ),
    python_import: Pattern::new(words!["import"], r"(?m)^([ \t]*)import[ \t]+([^\n]+)"),
    js: Pattern::new(
        words!["from", "require", "import"],
        r#"(?:\bfrom\s*|\brequire\s*\(\s*|\bimport\s*\(\s*|\bimport\s+)["']([^"'\n]+)["']"#,
    ),
    template: Pattern::new(
        words!["render", "get_template", "select_template", "TemplateResponse"],
        r#"\b(?:render_template|get_template|select_template|TemplateResponse|render)\s*\(\s*(?:request\s*,\s*)?(?:name\s*=\s*)?["']([\w./-]+\.(?:html?|jinja2?|j2|txt|xml))["']"#,
    ),
    asset: regex(
        r#"(?:src|href)\s*=\s*["']?(?:\./|/)?((?:[\w.@-]+/)*[\w.@-]+\.(?:js|mjs|css|png|jpe?g|gif|svg|webp|avif|ico|woff2?|ttf|json|pdf|mp4|webm))(?:["'?#>\s])"#,
    ),
    static_url: regex(
        r#"(?:url_for\s*\(\s*["']static["']\s*,\s*(?:filename|path)\s*=\s*|\{%\s*static\s+)["']([^"']+)["']"#,
    ),
    opened: Pattern::new(
        words![
            "open",
            "read_text",
            "read_csv",
            "read_json",
            "from_file",
            "from_pyfile",
            "load_model",
            "readFile",
            "createReadStream",
            "sendFile",
            "include_str!",
            "Path",
            "FileResponse",
            "send_file",
            "load_workbook",
            "fileConfig"
        ],
        r#"\b(?:open|read_text|read_csv|read_json|from_file|from_pyfile|load_model|readFileSync|readFile|createReadStream|sendFile|include_str!|Path|FileResponse|send_file|load_workbook|fileConfig)\s*\(\s*(?:(?:path\.join|path\.resolve|os\.path\.join)\s*\(\s*(?:__dirname|process\.cwd\(\)|BASE_DIR|os\.path\.dirname\(__file__\)|basedir)\s*,\s*)?["']([\w./@-]+\.[A-Za-z0-9]{1,8})["']"#,
    ),
});

/// Names of files that are made at run time or kept out of repositories on purpose.
fn made_at_run_time(path: &str) -> bool {
    let name = crate::tree::file_name(path);
    let lower = name.to_ascii_lowercase();
    name.starts_with(".env")
        || [".db", ".sqlite", ".sqlite3", ".log", ".pid", ".sock", ".tmp", ".lock", ".pem", ".key"]
            .iter()
            .any(|end| lower.ends_with(end))
        || path
            .split('/')
            .any(|p| matches!(p, "tmp" | "logs" | "log" | "uploads" | "cache" | "var" | "output"))
}

/// All uses, by path and place.
pub(super) fn read(read: &Read<'_>, cases: &Cases) -> Vec<Use> {
    let mut uses = Vec::new();
    for source in read.sources {
        match source.language {
            Language::Python => python(read.tree, cases, source, &mut uses),
            Language::JavaScript => javascript(read.tree, cases, source, &mut uses),
            _ => {}
        }
        opened(read.tree, cases, source, &mut uses);
        if uses.len() > MAX_USES {
            break;
        }
    }
    pages(read.tree, cases, &mut uses);
    copied(read.tree, cases, &mut uses);
    uses.truncate(MAX_USES);
    uses.sort();
    uses.dedup();
    uses
}

fn module_candidates(base: &str, module: &str) -> Vec<String> {
    let path = module.replace('.', "/");
    let at = |base: &str| if base.is_empty() { path.clone() } else { format!("{base}/{path}") };
    [at(base), at("src")]
        .into_iter()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .flat_map(|p| [format!("{p}.py"), format!("{p}/__init__.py")])
        .collect()
}

/// The modules that a Python file names, each with whether the name stands at the file's top level.
pub(super) fn python_modules(source: &Source) -> Vec<(String, usize, bool)> {
    let p = &*PATTERNS;
    let mut all = Vec::new();
    for c in p.python_from.captures_iter(source) {
        if let (Some(whole), Some(module)) = (c.get(0), c.get(2)) {
            all.push((module.as_str().to_owned(), whole.start() + c[1].len(), c[1].is_empty()));
            // `from package import module` may name modules.
            let names = c.get(3).or(c.get(4)).map_or("", |m| m.as_str());
            for name in names.split(',').filter_map(|n| n.split_whitespace().next()) {
                if name.chars().all(|c| c.is_alphanumeric() || c == '_') {
                    let dot = if module.as_str().ends_with('.') { "" } else { "." };
                    all.push((format!("{}{dot}{name}", module.as_str()), whole.start() + c[1].len(), false));
                }
            }
        }
    }
    for c in p.python_import.captures_iter(source) {
        let Some(whole) = c.get(0) else { continue };
        for name in c[2].split(',').filter_map(|n| n.split_whitespace().next()) {
            if name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.') {
                all.push((name.to_owned(), whole.start() + c[1].len(), c[1].is_empty()));
            }
        }
    }
    all
}

fn python(tree: &Tree, cases: &Cases, source: &Source, uses: &mut Vec<Use>) {
    for (module, offset, _) in python_modules(source) {
        let dots = module.chars().take_while(|c| *c == '.').count();
        let rest = module.trim_start_matches('.');
        if rest.is_empty() {
            continue;
        }
        let candidates = if dots > 0 {
            let mut base = parent(&source.path);
            for _ in 1..dots {
                base = parent(base);
            }
            let path = rest.replace('.', "/");
            let path = if base.is_empty() { path } else { format!("{base}/{path}") };
            vec![format!("{path}.py"), format!("{path}/__init__.py")]
        } else {
            // From the root, from `src`, and from the file's own folder (as scripts are run).
            let mut all = module_candidates("", rest);
            all.extend(module_candidates(parent(&source.path), rest));
            all
        };
        let state = cases.find(tree, &candidates);
        // A name that leads nowhere is a package or an attribute; only what is found says something.
        if state != State::Absent {
            let path = candidates.first().cloned().unwrap_or_default();
            uses.push(Use { path, place: source.place(offset), how: How::Import, state });
        }
    }
}

/// Names of files that an import without an extension may mean.
fn js_candidates(path: &str) -> Vec<String> {
    const ENDS: &[&str] =
        &["", ".js", ".ts", ".tsx", ".jsx", ".mjs", ".cjs", ".mts", ".json", ".vue", ".svelte", ".css"];
    let mut all: Vec<String> = ENDS.iter().map(|end| format!("{path}{end}")).collect();
    all.extend(["js", "ts", "tsx", "jsx", "mjs"].iter().map(|end| format!("{path}/index.{end}")));
    // TypeScript names the file that it will write: `./a.js` for `./a.ts`.
    if let Some(stem) = path.strip_suffix(".js") {
        all.extend([format!("{stem}.ts"), format!("{stem}.tsx")]);
    }
    all
}

/// The specifiers that a JavaScript file imports.
pub(super) fn js_specifiers(source: &Source) -> Vec<(String, usize)> {
    PATTERNS
        .js
        .captures_iter(source)
        .filter_map(|c| Some((c.get(1)?.as_str().to_owned(), c.get(0)?.start())))
        .collect()
}

fn javascript(tree: &Tree, cases: &Cases, source: &Source, uses: &mut Vec<Use>) {
    for (name, offset) in js_specifiers(source) {
        let path = if name.starts_with("./") || name.starts_with("../") || name == "." || name == ".." {
            beside(&source.path, &name)
        } else {
            name.strip_prefix("@/").or_else(|| name.strip_prefix("~/")).map(|rest| format!("src/{rest}"))
        };
        let Some(path) = path.map(|p| p.split(['?', '#']).next().unwrap_or_default().to_owned()) else {
            continue;
        };
        let state = cases.find(tree, &js_candidates(&path));
        if state != State::Absent || name.starts_with('.') {
            uses.push(Use { path, place: source.place(offset), how: How::Import, state });
        }
    }
}

fn opened(tree: &Tree, cases: &Cases, source: &Source, uses: &mut Vec<Use>) {
    let p = &*PATTERNS;
    for c in p.template.captures_iter(source) {
        let (Some(whole), Some(name)) = (c.get(0), c.get(1)) else { continue };
        let name = name.as_str();
        let mut candidates: Vec<String> = tree
            .files
            .iter()
            .filter(|f| f.path.to_lowercase().ends_with(&format!("templates/{}", name.to_lowercase())))
            .map(|f| f.path.clone())
            .collect();
        // The file that fits to the letter comes first, then one that fits but for its case.
        candidates.sort_by_key(|path| !path.ends_with(&format!("templates/{name}")));
        let state = match candidates.first() {
            Some(path) if path.ends_with(&format!("templates/{name}")) => {
                cases.find(tree, std::slice::from_ref(path))
            }
            Some(path) => State::OtherCase(path.clone()),
            None => continue,
        };
        uses.push(Use {
            path: format!("templates/{name}"),
            place: source.place(whole.start()),
            how: How::Template,
            state,
        });
    }
    for c in p.opened.captures_iter(source) {
        let (Some(whole), Some(name)) = (c.get(0), c.get(1)) else { continue };
        // `include_str!("../a.html")` counts from its own file.
        let path = inside(name.as_str()).or_else(|| beside(&source.path, name.as_str()));
        let Some(path) = path.filter(|_| !name.as_str().starts_with('/')) else { continue };
        if made_at_run_time(&path) {
            continue;
        }
        let mut candidates = vec![path.clone()];
        candidates.extend(beside(&source.path, name.as_str()));
        candidates.dedup();
        let state = cases.find(tree, &candidates);
        if state != State::Absent {
            uses.push(Use { path, place: source.place(whole.start()), how: How::Opened, state });
        }
    }
}

/// Assets that pages name: only such as lie in the project's own static folders.
fn pages(tree: &Tree, cases: &Cases, uses: &mut Vec<Use>) {
    let p = &*PATTERNS;
    let pages =
        tree.files.iter().filter(|f| !f.ignored && (f.path.ends_with(".html") || f.path.ends_with(".htm")));
    for page in pages.take(MAX_PAGES) {
        let Some(html) = text(tree, &page.path) else { continue };
        for c in p.asset.captures_iter(&html).chain(p.static_url.captures_iter(&html)) {
            let (Some(whole), Some(name)) = (c.get(0), c.get(1)) else { continue };
            let name = name.as_str().trim_start_matches('/');
            // `/static/x` may be served from a folder of another name. Any other name counts from the page's own folder or
            // one above it, or a file of the same name anywhere would be taken for it.
            let (below, anywhere) = match name.split_once('/') {
                Some((first, rest)) if SERVED_AS.contains(&first) => (rest, true),
                _ => (name, false),
            };
            let near = |path: &str| {
                let folder = path.len().checked_sub(below.len()).and_then(|end| path.get(..end));
                anywhere || folder.is_some_and(|folder| page.path.starts_with(folder))
            };
            let ends: Vec<&crate::tree::FileInfo> = tree
                .files
                .iter()
                .filter(|f| {
                    let lower = f.path.to_lowercase();
                    let want = below.to_lowercase();
                    (lower == want || lower.ends_with(&format!("/{want}"))) && near(&f.path)
                })
                .collect();
            let exact = ends.iter().find(|f| f.path == below || f.path.ends_with(&format!("/{below}")));
            let state = match (exact, ends.first()) {
                (Some(file), _) => cases.find(tree, std::slice::from_ref(&file.path)),
                (None, Some(file)) => State::OtherCase(file.path.clone()),
                (None, None) => continue,
            };
            let place = super::place(&page.path, &html, whole.start());
            uses.push(Use { path: name.to_owned(), place, how: How::Asset, state });
        }
    }
}

/// What the Dockerfile copies out of the context.
fn copied(tree: &Tree, cases: &Cases, uses: &mut Vec<Use>) {
    for copy in super::images::copies(tree) {
        for from in copy.from.iter().filter(|f| !f.contains(['*', '?', '$']) && !f.contains("://")) {
            let Some(path) = inside(from).filter(|p| !p.is_empty()) else { continue };
            let state = if super::is_folder(tree, &path) {
                State::There(path.clone())
            } else {
                cases.find(tree, std::slice::from_ref(&path))
            };
            uses.push(Use { path, place: copy.place.clone(), how: How::Copied, state });
        }
    }
}

/// The files of the project that a script imports by a relative path.
pub(super) fn relative_imports(tree: &Tree, cases: &Cases, source: &Source) -> Vec<String> {
    let mut uses = Vec::new();
    javascript(tree, cases, source, &mut uses);
    uses.into_iter()
        .filter_map(|u| match u.state {
            State::There(path) | State::OtherCase(path) => Some(path),
            State::Unlisted(_) | State::Absent => None,
        })
        .collect()
}
