//! Which file of the project a module's name means.

use crate::tree::{Tree, parent};

/// The file of a module as seen from another file; leading dots are relative (PEP 328).
pub(in crate::routes) fn python(tree: &Tree, from: &str, module: &str) -> Option<String> {
    let dots = module.bytes().take_while(|b| *b == b'.').count();
    let rest = module[dots..].replace('.', "/");
    let candidates = |base: &str| {
        let join = |tail: String| if base.is_empty() { tail } else { format!("{base}/{tail}") };
        if rest.is_empty() {
            vec![join("__init__.py".to_owned())]
        } else {
            vec![join(format!("{rest}.py")), join(format!("{rest}/__init__.py"))]
        }
    };
    let mut folder = parent(from);
    if dots > 0 {
        for _ in 1..dots {
            folder = parent(folder);
        }
        return candidates(folder).into_iter().find(|c| tree.has(c));
    }
    if rest.is_empty() {
        return None;
    }
    // Absolute imports begin at some folder on the import path: the root, `src`, or one above the file itself.
    let mut bases = vec!["", "src"];
    while !folder.is_empty() {
        bases.push(folder);
        folder = parent(folder);
    }
    bases.into_iter().find_map(|base| candidates(base).into_iter().find(|c| tree.has(c)))
}

/// The file behind a relative import.
pub(in crate::routes) fn script(tree: &Tree, from: &str, target: &str) -> Option<String> {
    let is_own = ["./", "../", "@/", "~/"].iter().any(|start| target.starts_with(start))
        || matches!(target, "." | "..");
    if !is_own {
        // A package, also where a file of the project has its name.
        return None;
    }
    let mut folder = parent(from).to_owned();
    let mut rest = match target {
        "." => "./",
        ".." => "../",
        target => target,
    };
    // The usual alias of the source folder.
    if let Some(tail) = target.strip_prefix("@/").or_else(|| target.strip_prefix("~/")) {
        folder = "src".to_owned();
        rest = tail;
    }
    loop {
        if let Some(tail) = rest.strip_prefix("./") {
            rest = tail;
        } else if let Some(tail) = rest.strip_prefix("../") {
            folder = parent(&folder).to_owned();
            rest = tail;
        } else {
            break;
        }
    }
    let base = match (folder.is_empty(), rest.is_empty()) {
        (true, _) => rest.to_owned(),
        (false, true) => folder,
        (false, false) => format!("{folder}/{rest}"),
    };
    let stem = base.strip_suffix(".js").unwrap_or(&base);
    ["", ".js", ".ts", ".mjs", ".cjs", "/index.js", "/index.ts"]
        .iter()
        .flat_map(|end| [format!("{base}{end}"), format!("{stem}{end}")])
        .map(|candidate| candidate.trim_start_matches('/').to_owned())
        .find(|candidate| tree.has(candidate))
}
