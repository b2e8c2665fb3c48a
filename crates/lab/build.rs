//! Embeds `scenarios/` in the library, so that an installed binary can build every world without the repository.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let manifest = PathBuf::from(
        env::var_os("CARGO_MANIFEST_DIR").ok_or_else(|| io::Error::other("no manifest folder"))?,
    );
    let root = manifest.join("../../scenarios").canonicalize()?;
    let mut files = BTreeMap::new();
    // The recipes of corpus/ are read at run time and change all the time. Cargo looks into a watched folder as deep as it
    // goes, so the worlds are watched one by one; a new folder is noticed with the next change to any of them or to this file.
    for entry in fs::read_dir(&root)? {
        let path = entry?.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "corpus") {
            println!("cargo::rerun-if-changed={}", path.display());
            walk(&root, &path, &mut files)?;
        }
    }
    let mut code = String::from("pub(crate) static FILES: &[(&str, &[u8])] = &[\n");
    for (name, path) in &files {
        println!("cargo::rerun-if-changed={}", path.display());
        writeln!(code, "    ({name:?}, include_bytes!({:?})),", path.display().to_string())
            .map_err(io::Error::other)?;
    }
    code.push_str("];\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("no output folder"))?);
    fs::write(out.join("files.rs"), code)
}

/// Collects every file below `folder` but what Python leaves behind, and the kept evidence and reports beside world.toml.
fn walk(root: &Path, folder: &Path, files: &mut BTreeMap<String, PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if ["__pycache__", ".pytest_cache", ".venv", "instance"].contains(&name.as_ref())
            || name.ends_with(".sqlite3")
        {
            continue;
        }
        if path.is_dir() {
            println!("cargo::rerun-if-changed={}", path.display());
            walk(root, &path, files)?;
        } else if folder.parent() != Some(root)
            || !(name.starts_with("evidence") || name.starts_with("report"))
        {
            let relative = path.strip_prefix(root).map_err(io::Error::other)?;
            files.insert(relative.to_string_lossy().replace('\\', "/"), path);
        }
    }
    Ok(())
}
