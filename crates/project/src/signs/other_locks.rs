//! Lock files of PHP and Elixir, and server programs that are listed for development only.

use std::sync::LazyLock;

use landfall_evidence::{DeployStage, SignWord};
use regex::Regex;
use serde_json::Value as Json;
use toml::{Table, Value as Toml};

use super::{Found, Read, place, regex, text};
use crate::tree::Tree;

pub(super) fn read(read: &Read<'_>, found: &mut Found) {
    composer(read.tree, found);
    mix(read.tree, found);
    development_servers(read, found);
}

/// composer.json against composer.lock. Requirements of the platform itself (`php`, `ext-…`, `lib-…`) are never locked as
/// packages (getcomposer.org/doc/01-basic-usage.md, "Platform packages").
fn composer(tree: &Tree, found: &mut Found) {
    let json = |path: &str| serde_json::from_str::<Json>(&text(tree, path)?).ok();
    let (Some(source), Some(manifest), Some(lock)) =
        (text(tree, "composer.json"), json("composer.json"), json("composer.lock"))
    else {
        return;
    };
    let locked: Vec<String> = ["packages", "packages-dev"]
        .iter()
        .filter_map(|key| lock.get(key)?.as_array())
        .flatten()
        .filter_map(|package| Some(package.get("name")?.as_str()?.to_ascii_lowercase()))
        .collect();
    for key in ["require", "require-dev"] {
        let wanted = manifest.get(key).and_then(Json::as_object);
        for name in wanted.into_iter().flatten().map(|(name, _)| name).filter(|name| name.contains('/')) {
            if !locked.contains(&name.to_ascii_lowercase()) {
                let at = source.find(&format!("\"{name}\"")).unwrap_or_default();
                found.add(
                    SignWord::LockOutOfStep,
                    place("composer.json", &source, at),
                    format!("{name}: not in the lock file (composer.lock)"),
                );
            }
        }
    }
}

/// mix.exs against mix.lock. Packages of a path or of the umbrella are not locked (hexdocs.pm/mix/Mix.Tasks.Deps.html).
fn mix(tree: &Tree, found: &mut Found) {
    static DEPENDENCY: LazyLock<Regex> =
        LazyLock::new(|| regex(r#"(?m)\{\s*:(\w+)\s*,\s*("[^"]*"|git:|github:)([^}]*)\}"#));
    let (Some(manifest), Some(lock)) = (text(tree, "mix.exs"), text(tree, "mix.lock")) else { return };
    for c in DEPENDENCY.captures_iter(&manifest) {
        let (Some(name), rest) = (c.get(1), &c[3]) else { continue };
        if rest.contains("path:") || rest.contains("in_umbrella:") {
            continue;
        }
        if !lock.contains(&format!("\"{}\":", name.as_str())) {
            found.add(
                SignWord::LockOutOfStep,
                place("mix.exs", &manifest, name.start()),
                format!("{}: not in the lock file (mix.lock)", name.as_str()),
            );
        }
    }
}

/// The server program of a production start that the manifest lists for development only.
fn development_servers(read: &Read<'_>, found: &mut Found) {
    let production = read.deploys.iter().filter(|d| d.config.stage == DeployStage::Production);
    for deploy in production {
        let Some(server) = deploy.config.start.as_ref().and_then(|start| start.server.as_deref()) else {
            continue;
        };
        let listed = match server {
            "gunicorn" | "uvicorn" | "hypercorn" | "daphne" | "granian" | "uwsgi" => {
                poetry_development(read.tree, server)
            }
            "puma" | "unicorn" | "thin" => bundler_development(read.tree, server),
            _ => None,
        };
        if let Some(at) = listed {
            found.add(
                SignWord::DevDependencyAtRuntime,
                at,
                format!("{server}, which {} starts", deploy.config.file),
            );
        }
    }
}

/// Where pyproject.toml lists a package in groups for development alone.
fn poetry_development(tree: &Tree, name: &str) -> Option<String> {
    let source = text(tree, "pyproject.toml").filter(|_| !tree.has("requirements.txt"))?;
    let table = source.parse::<Table>().ok()?;
    let poetry = table.get("tool").and_then(|t| t.get("poetry"));
    let named = |value: Option<&Toml>| value.and_then(Toml::as_table).is_some_and(|t| t.contains_key(name));
    let listed = |value: Option<&Toml>| {
        let items = value.and_then(Toml::as_array).into_iter().flatten().filter_map(Toml::as_str);
        items
            .map(|item| item.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').next())
            .any(|n| n == Some(name))
    };
    let main = named(poetry.and_then(|p| p.get("dependencies")))
        || listed(table.get("project").and_then(|p| p.get("dependencies")));
    let dev = |group: &str| matches!(group, "dev" | "development" | "test" | "tests" | "lint");
    let in_groups = |groups: Option<&Toml>, holds: &dyn Fn(&Toml) -> bool| {
        groups.and_then(Toml::as_table).into_iter().flatten().any(|(group, value)| dev(group) && holds(value))
    };
    let only_dev = named(poetry.and_then(|p| p.get("dev-dependencies")))
        || in_groups(poetry.and_then(|p| p.get("group")), &|group| named(group.get("dependencies")))
        || in_groups(table.get("dependency-groups"), &|group| listed(Some(group)));
    (!main && only_dev).then(|| {
        let at = source
            .find(&format!("\n{name}"))
            .map_or_else(|| source.find(name).unwrap_or_default(), |at| at + 1);
        place("pyproject.toml", &source, at)
    })
}

/// Where the Gemfile lists a gem in groups for development and test alone.
fn bundler_development(tree: &Tree, name: &str) -> Option<String> {
    static GROUP: LazyLock<Regex> = LazyLock::new(|| regex(r"^group\s*\(?([^)]*)\)?\s+do\b"));
    let source = text(tree, "Gemfile")?;
    let only = |groups: &str| !groups.contains("production") && !groups.contains("default");
    let (mut group, mut at, mut offset) = (None::<String>, None, 0);
    for line in source.lines() {
        let code = line.trim();
        if let Some(c) = GROUP.captures(code) {
            group = Some(c[1].to_owned());
        } else if code == "end" {
            group = None;
        } else if code.starts_with("gem ")
            && code[4..].trim_start().trim_matches(['(', '"', '\'']).starts_with(name)
        {
            let ends = code[4..].trim_start().trim_start_matches(['(', '"', '\''])[name.len()..]
                .starts_with(['"', '\'']);
            let own = code
                .split_once("group:")
                .or_else(|| code.split_once("groups:"))
                .map(|(_, rest)| rest.to_owned());
            match own.or_else(|| group.clone()).filter(|groups| only(groups)) {
                _ if !ends => {}
                Some(_) => at = Some(place("Gemfile", &source, offset)),
                None => return None,
            }
        }
        offset += line.len() + 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::super::tests::{has, lacks};

    #[test]
    fn composer_and_mix() {
        let lock = r#"{"packages": [{"name": "Acme/a"}], "packages-dev": [{"name": "acme/t"}]}"#;
        let wants = r#"{"require": {"php": "^8.2", "ext-pdo": "*", "acme/a": "1", "acme/b": "1"}, "require-dev": {"acme/t": "1"}}"#;
        has(
            &[("composer.json", wants), ("composer.lock", lock)],
            "lock-out-of-step acme/b: not in the lock file",
        );
        let agrees = wants.replace(", \"acme/b\": \"1\"", "");
        lacks(&[("composer.json", &agrees), ("composer.lock", lock)], "lock-out-of-step");
        let mix = "defp deps do\n  [{:phoenix, \"~> 1.7\"}, {:own, path: \"../own\"}, {:shared, \"~> 1.0\", in_umbrella: true}]\nend\n";
        lacks(&[("mix.exs", mix), ("mix.lock", "%{\n  \"phoenix\": {:hex}\n}\n")], "lock-out-of-step");
        has(&[("mix.exs", mix), ("mix.lock", "%{\n}\n")], "lock-out-of-step phoenix: not in the lock file");
    }

    #[test]
    fn servers_that_production_does_not_install() {
        let start = ("Procfile", "web: gunicorn app:app\n");
        let groups = |main: &str, dev: &str| {
            format!(
                "[tool.poetry.dependencies]\nflask = \"3\"\n{main}\n[tool.poetry.group.dev.dependencies]\n{dev}\n"
            )
        };
        let gunicorn = "gunicorn = \"22\"";
        has(
            &[start, ("pyproject.toml", &groups("", gunicorn))],
            "dev-dependency-at-runtime gunicorn, which Procfile starts",
        );
        lacks(&[start, ("pyproject.toml", &groups(gunicorn, gunicorn))], "dev-dependency-at-runtime");
        let puma = ("Procfile", "web: bundle exec puma -C config/puma.rb\n");
        has(
            &[puma, ("Gemfile", "group :development, :test do\n  gem \"puma\"\nend\n")],
            "dev-dependency-at-runtime puma",
        );
        has(&[puma, ("Gemfile", "gem 'puma', group: :development\n")], "dev-dependency-at-runtime puma");
        for fine in [
            "gem 'puma'\n",
            "group :production do\n  gem 'puma'\nend\n",
            "group :development do\n  gem 'puma-dev'\nend\ngem 'puma'\n",
        ] {
            lacks(&[puma, ("Gemfile", fine)], "dev-dependency-at-runtime");
        }
    }
}
