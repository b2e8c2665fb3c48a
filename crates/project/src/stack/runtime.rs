//! Runtime versions: the one that the project asks for, and the one on this machine.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::process;
use crate::tree::Tree;

/// Version commands answer in milliseconds; a version manager's shim may take a few hundred.
const LIMIT: Duration = Duration::from_secs(2);

/// The version that a version file asks for. Manifests are asked by their own readers.
pub(super) fn wanted(tree: &Tree, language: &str) -> Option<String> {
    let (files, tool): (&[&str], &str) = match language {
        "python" => (&[".python-version", "runtime.txt"], "python"),
        "node" => (&[".nvmrc", ".node-version"], "nodejs"),
        "rust" => (&["rust-toolchain"], "rust"),
        "go" => (&[".go-version"], "golang"),
        "ruby" => (&[".ruby-version"], "ruby"),
        "php" => (&[".php-version"], "php"),
        "java" => (&[".java-version"], "java"),
        "elixir" => (&[".elixir-version"], "elixir"),
        _ => return None,
    };
    let first_line = |path: &str| {
        let text = tree.text(path)?.ok()?;
        let line =
            text.lines().map(str::trim).find(|l| !l.is_empty() && !l.starts_with(['#', '[']))?.to_owned();
        Some(
            line.trim_start_matches("python-").trim_start_matches("ruby-").trim_start_matches('v').to_owned(),
        )
    };
    let from_file = files.iter().find_map(|path| first_line(path));
    let from_tools = || {
        let text = tree.text(".tool-versions")?.ok()?;
        text.lines().find_map(|line| line.strip_prefix(tool)?.split_whitespace().next().map(str::to_owned))
    };
    let from_toolchain = || {
        let table: toml::Table = tree.text("rust-toolchain.toml")?.ok()?.parse().ok()?;
        Some(table.get("toolchain")?.get("channel")?.as_str()?.to_owned())
    };
    let from_replit = || {
        let table: toml::Table = tree.text(".replit")?.ok()?.parse().ok()?;
        let modules = table.get("modules")?.as_array()?;
        let prefix = format!("{}-", if language == "node" { "nodejs" } else { language });
        modules
            .iter()
            .filter_map(|m| m.as_str()?.strip_prefix(&prefix))
            .map(|v| v.split(':').next().unwrap_or(v).to_owned())
            .next()
    };
    from_file
        .or_else(from_tools)
        .or_else(|| if language == "rust" { from_toolchain() } else { None })
        .or_else(from_replit)
}

/// The version that a command in this folder would run. A virtual environment tells its version in a file, so nothing
/// that lies inside the project is executed for it.
pub(super) fn present(root: &Path, language: &str) -> Option<String> {
    let commands: &[(&str, &[&str])] = match language {
        "python" => {
            if let Some(version) = [".venv", "venv"].iter().find_map(|name| venv_version(&root.join(name))) {
                return Some(version);
            }
            &[("python3", &["--version"]), ("python", &["--version"])]
        }
        "node" => &[("node", &["--version"])],
        "rust" => &[("rustc", &["--version"])],
        "go" => &[("go", &["version"])],
        "ruby" => &[("ruby", &["--version"])],
        "php" => &[("php", &["--version"])],
        "java" => &[("java", &["--version"])],
        "dotnet" => &[("dotnet", &["--version"])],
        "elixir" => &[("elixir", &["--short-version"])],
        _ => &[],
    };
    commands.iter().find_map(|(program, arguments)| {
        let said =
            process::run(Command::new(program).args(*arguments).current_dir(root), None, LIMIT, 4096).ok()?;
        if !said.success {
            return None;
        }
        version_in(&String::from_utf8_lossy(&said.stdout))
    })
}

fn venv_version(folder: &Path) -> Option<String> {
    use std::io::Read;
    let file = folder.join("pyvenv.cfg");
    // Only a regular file: opening a pipe would wait for its writer.
    if !std::fs::symlink_metadata(&file).ok()?.is_file() {
        return None;
    }
    let mut text = String::new();
    std::fs::File::open(file).ok()?.take(16 * 1024).read_to_string(&mut text).ok()?;
    let value = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .find(|(k, _)| matches!(k.trim(), "version" | "version_info"))?
        .1;
    version_in(value.trim())
}

/// The first version number in a text: `Python 3.11.13`, `v20.1.0`, `go version go1.22.1 linux/amd64`.
fn version_in(text: &str) -> Option<String> {
    let word = text
        .split_whitespace()
        .map(|word| word.trim_start_matches("go").trim_start_matches('v'))
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.'))?;
    // `3.11.7.final.0` in older virtual environments.
    let end = word.find(".final").unwrap_or(word.len());
    Some(word[..end].trim_end_matches(',').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree;

    #[test]
    fn version_texts() {
        for (text, expected) in [
            ("Python 3.11.13\n", "3.11.13"),
            ("v20.11.1", "20.11.1"),
            ("go version go1.22.1 linux/amd64", "1.22.1"),
            ("ruby 3.2.2 (2023-03-30 revision e51014f9c0) [x86_64-linux]", "3.2.2"),
            ("rustc 1.95.0 (59807616e 2026-04-14)", "1.95.0"),
            ("3.11.7.final.0", "3.11.7"),
        ] {
            assert_eq!(version_in(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(version_in("no such thing"), None);
    }

    #[test]
    fn wanted_versions_come_from_the_nearest_file() {
        let (_dir, all) = tree(&[
            ("runtime.txt", "python-3.11.13\n"),
            (".nvmrc", "v20\n"),
            (".tool-versions", "ruby 3.2.2\n"),
        ]);
        assert_eq!(wanted(&all, "python").as_deref(), Some("3.11.13"));
        assert_eq!(wanted(&all, "node").as_deref(), Some("20"));
        assert_eq!(wanted(&all, "ruby").as_deref(), Some("3.2.2"));
        assert_eq!(wanted(&all, "go"), None);
        let (_dir, replit) = tree(&[(".replit", "modules = [\"python-3.11:v18\"]\n")]);
        assert_eq!(wanted(&replit, "python").as_deref(), Some("3.11"));
    }

    #[test]
    fn a_virtual_environment_tells_its_version_without_being_run() {
        let (dir, _tree) = tree(&[
            (".venv/pyvenv.cfg", "home = /usr/bin\nversion = 3.10.4\n"),
            (".venv/bin/python", "not a program"),
        ]);
        assert_eq!(present(dir.path(), "python").as_deref(), Some("3.10.4"));
    }
}
