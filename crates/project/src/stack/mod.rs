//! Languages, frameworks, application servers, pinned versions and runtimes.

mod more;
mod python;
mod runtime;
mod various;

use std::collections::BTreeMap;

use landfall_evidence::{Dependency, Runtime, Stack};

use crate::source::{Language, Source};
use crate::tree::{Tree, file_name, parent};

/// Files that make a folder a project of its own.
pub(crate) const MANIFESTS: &[&str] = &[
    "package.json",
    "pyproject.toml",
    "requirements.txt",
    "Pipfile",
    "Cargo.toml",
    "go.mod",
    "Gemfile",
    "composer.json",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "mix.exs",
];

/// What a manifest says, before frameworks are told from other dependencies.
#[derive(Debug, Default)]
struct Manifest {
    path: Option<String>,
    lock: Option<String>,
    dependencies: Vec<Dependency>,
    /// Names of those for development alone.
    dev: Vec<String>,
    /// The runtime's version as the manifest asks for it.
    wanted: Option<String>,
}

/// Declared packages with the requirement as written.
pub(crate) type Names = BTreeMap<String, String>;

/// What a manifest in JSON declares under a key.
pub(crate) fn json_names(manifest: &serde_json::Value, key: &str) -> Names {
    let table = manifest.get(key).and_then(serde_json::Value::as_object);
    table
        .into_iter()
        .flatten()
        .map(|(name, v)| (name.clone(), v.as_str().unwrap_or_default().to_owned()))
        .collect()
}

/// How a language shows itself.
struct Kind {
    language: &'static str,
    runtime: &'static str,
    source: Language,
    /// Web frameworks by package name, most telling first: an application on Flask may depend on Werkzeug too.
    frameworks: &'static [&'static str],
    servers: &'static [&'static str],
    read: fn(&Tree, &mut Vec<String>) -> Option<Manifest>,
}

const KINDS: &[Kind] = &[
    Kind {
        language: "python",
        runtime: "Python",
        source: Language::Python,
        frameworks: &[
            "django",
            "flask",
            "fastapi",
            "litestar",
            "quart",
            "sanic",
            "falcon",
            "tornado",
            "aiohttp",
            "bottle",
            "pyramid",
            "starlette",
        ],
        servers: &["gunicorn", "uvicorn", "hypercorn", "granian", "uwsgi", "waitress", "daphne"],
        read: python::read,
    },
    Kind {
        language: "node",
        runtime: "Node.js",
        source: Language::JavaScript,
        frameworks: &[
            "next",
            "nuxt",
            "@remix-run/node",
            "@sveltejs/kit",
            "astro",
            "@nestjs/core",
            "express",
            "fastify",
            "koa",
            "hono",
            "@hapi/hapi",
        ],
        servers: &[],
        read: various::node,
    },
    Kind {
        language: "rust",
        runtime: "Rust",
        source: Language::Rust,
        frameworks: &["axum", "actix-web", "rocket", "poem", "salvo", "warp", "tide"],
        servers: &["hyper"],
        read: various::rust,
    },
    Kind {
        language: "go",
        runtime: "Go",
        source: Language::Go,
        frameworks: &[
            "github.com/gin-gonic/gin",
            "github.com/labstack/echo",
            "github.com/gofiber/fiber",
            "github.com/go-chi/chi",
            "github.com/gorilla/mux",
        ],
        servers: &[],
        read: various::go,
    },
    Kind {
        language: "ruby",
        runtime: "Ruby",
        source: Language::Ruby,
        frameworks: &["rails", "sinatra", "hanami", "roda"],
        servers: &["puma", "unicorn", "falcon", "thin"],
        read: various::ruby,
    },
    Kind {
        language: "php",
        runtime: "PHP",
        source: Language::Php,
        frameworks: &[
            "laravel/framework",
            "symfony/framework-bundle",
            "slim/slim",
            "laravel/lumen-framework",
        ],
        servers: &["laravel/octane", "spiral/roadrunner"],
        read: more::php,
    },
    Kind {
        language: "java",
        runtime: "Java",
        source: Language::Java,
        frameworks: &[
            "org.springframework.boot:spring-boot-starter-web",
            "org.springframework.boot:spring-boot-starter-webflux",
            "io.quarkus:quarkus-rest",
            "io.quarkus:quarkus-resteasy-reactive",
            "io.quarkus:quarkus-resteasy",
            "io.micronaut:micronaut-http-server-netty",
            "io.ktor:ktor-server-netty",
            "io.javalin:javalin",
        ],
        servers: &[],
        read: more::jvm,
    },
    Kind {
        language: "dotnet",
        runtime: ".NET",
        source: Language::CSharp,
        frameworks: &["Microsoft.NET.Sdk.Web"],
        servers: &[],
        read: more::dotnet,
    },
    Kind {
        language: "elixir",
        runtime: "Elixir",
        source: Language::Elixir,
        frameworks: &["phoenix", "plug"],
        servers: &["bandit", "plug_cowboy"],
        read: more::elixir,
    },
];

/// Stacks of a monorepo's members beyond those that are nearest to the root.
const MAX_MEMBERS: usize = 24;

/// Reads the stacks of a project, most important first: those with a web framework, then by the amount of source.
pub(crate) fn read(tree: &Tree, sources: &[Source], unread: &mut Vec<String>) -> Vec<Stack> {
    let mut found: Vec<(bool, usize, &Kind, Manifest, Option<Dependency>)> = Vec::new();
    for kind in KINDS {
        let files = sources.iter().filter(|s| s.language == kind.source).count();
        let manifest = match (kind.read)(tree, unread) {
            Some(manifest) => manifest,
            // Source without a manifest counts when it lies where an application would.
            None if sources.iter().any(|s| s.language == kind.source && parent(&s.path).is_empty()) => {
                Manifest::default()
            }
            None => continue,
        };
        let framework = pick(&manifest.dependencies, kind.frameworks).or_else(|| imported(sources, kind));
        found.push((framework.is_some(), files, kind, manifest, framework));
    }
    found.sort_by_key(|(framework, files, ..)| (!framework, std::cmp::Reverse(*files)));
    let taken: Vec<String> = found.iter().filter_map(|(.., manifest, _)| manifest.path.clone()).collect();
    // The version commands take some tens of milliseconds each, so they run side by side.
    std::thread::scope(|scope| {
        let asked: Vec<_> = found
            .into_iter()
            .map(|(_, _, kind, manifest, framework)| {
                let present = scope.spawn(move || runtime::present(&tree.root, kind.language));
                (kind, manifest, framework, present)
            })
            .collect();
        let mut all: Vec<Stack> = asked
            .into_iter()
            .map(|(kind, manifest, framework, present)| Stack {
                language: kind.language.to_owned(),
                framework,
                server: pick(&manifest.dependencies, kind.servers),
                runtime: Runtime {
                    name: kind.runtime.to_owned(),
                    wanted: runtime::wanted(tree, kind.language).or(manifest.wanted),
                    present: present.join().unwrap_or_default(),
                },
                manifest: manifest.path,
                lock: manifest.lock,
                dependencies: manifest.dependencies,
                dev_dependencies: manifest.dev,
            })
            .collect();
        let more = members(tree, &taken, &all, unread);
        all.extend(more);
        all
    })
}

/// The stacks of folders with a manifest of their own, other than those that were read for the whole tree.
fn members(tree: &Tree, taken: &[String], nearest: &[Stack], unread: &mut Vec<String>) -> Vec<Stack> {
    let mut folders: Vec<&str> = tree
        .files
        .iter()
        .filter(|f| !f.ignored && f.path.matches('/').count() <= 3 && !crate::source::is_test(&f.path))
        .filter(|f| {
            let name = file_name(&f.path);
            MANIFESTS.contains(&name) && !taken.contains(&f.path)
        })
        .map(|f| parent(&f.path))
        .filter(|folder| !folder.is_empty() && taken.iter().all(|t| parent(t) != *folder))
        .collect();
    folders.dedup();
    folders.truncate(MAX_MEMBERS);
    let mut stacks = Vec::new();
    for folder in folders {
        let inner = tree.below(folder);
        let mut reasons = Vec::new();
        for kind in KINDS {
            let Some(manifest) = (kind.read)(&inner, &mut reasons) else { continue };
            // A manifest deeper down is that of another member.
            if manifest.path.as_deref().is_none_or(|path| path.contains('/')) {
                continue;
            }
            let at = |path: String| format!("{folder}/{path}");
            stacks.push(Stack {
                language: kind.language.to_owned(),
                framework: pick(&manifest.dependencies, kind.frameworks),
                server: pick(&manifest.dependencies, kind.servers),
                runtime: Runtime {
                    name: kind.runtime.to_owned(),
                    wanted: runtime::wanted(&inner, kind.language).or(manifest.wanted),
                    present: nearest
                        .iter()
                        .find(|s| s.language == kind.language)
                        .and_then(|s| s.runtime.present.clone()),
                },
                // A workspace's lock file lies at its root and serves all of its members.
                lock: manifest.lock.map(at).or_else(|| {
                    nearest.iter().find(|s| s.language == kind.language).and_then(|s| s.lock.clone())
                }),
                manifest: manifest.path.map(at),
                dependencies: manifest.dependencies,
                dev_dependencies: manifest.dev,
            });
        }
        unread.extend(reasons.into_iter().map(|reason| format!("{folder}/{reason}")));
    }
    stacks
}

fn pick(dependencies: &[Dependency], names: &[&str]) -> Option<Dependency> {
    // Go modules carry their major version at the end of the path: `…/echo/v4`.
    let same = |d: &Dependency, name: &str| {
        let found = normal(&d.name);
        found == normal(name) || found.strip_prefix(name).is_some_and(|rest| rest.starts_with("/v"))
    };
    names.iter().find_map(|name| dependencies.iter().find(|d| same(d, name)).cloned())
}

/// The framework that the sources import, when no manifest names one.
fn imported(sources: &[Source], kind: &Kind) -> Option<Dependency> {
    if kind.source != Language::Python {
        return None;
    }
    let name = kind.frameworks.iter().find(|name| {
        let forms = [format!("from {name} import"), format!("import {name}\n")];
        sources
            .iter()
            .filter(|s| s.language == Language::Python)
            .any(|s| forms.iter().any(|form| s.code.contains(form.as_str())))
    })?;
    Some(Dependency { name: (*name).to_owned(), version: None, requirement: String::new() })
}

/// A package name in its comparable form (PEP 503): lower case, runs of `-`, `_` and `.` as one `-`.
fn normal(name: &str) -> String {
    if name.contains('/') {
        return name.to_lowercase();
    }
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        let c = if matches!(c, '_' | '.') { '-' } else { c.to_ascii_lowercase() };
        if !(c == '-' && out.ends_with('-')) {
            out.push(c);
        }
    }
    out
}

/// A manifest by its name: at the root, or the nearest one at most two folders down. The walk is in that order.
fn find<'a>(tree: &'a Tree, name: &str) -> Option<&'a str> {
    tree.files
        .iter()
        .filter(|f| !f.ignored && f.path.matches('/').count() <= 2)
        .map(|f| f.path.as_str())
        .find(|path| file_name(path) == name && !crate::source::is_test(path))
}

/// A file beside another one.
fn beside(tree: &Tree, path: &str, names: &[&str]) -> Option<String> {
    let folder = parent(path);
    names
        .iter()
        .map(|name| if folder.is_empty() { (*name).to_owned() } else { format!("{folder}/{name}") })
        .find(|p| tree.has(p))
}

/// The text of a file that is known to exist; a reason goes to `unread`.
fn text(tree: &Tree, path: &str, unread: &mut Vec<String>) -> Option<String> {
    match tree.text(path)? {
        Ok(text) => Some(text),
        Err(reason) => {
            unread.push(reason);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree;

    fn stacks(files: &[(&str, &str)]) -> (Vec<Stack>, Vec<String>) {
        let (_dir, tree) = tree(files);
        let mut unread = Vec::new();
        let sources = crate::source::load(&tree, &mut unread);
        (read(&tree, &sources, &mut unread), unread)
    }

    #[test]
    fn the_stack_with_a_framework_comes_first() {
        let (found, unread) = stacks(&[
            ("package.json", r#"{"dependencies":{"left-pad":"1.0.0"}}"#),
            ("a.js", ""),
            ("b.js", ""),
            ("requirements.txt", "Flask==3.0.0\ngunicorn==22.0.0\n"),
            ("run.py", ""),
            (".python-version", "3.11\n"),
        ]);
        assert!(unread.is_empty(), "{unread:?}");
        assert_eq!(found[0].language, "python");
        let framework = found[0].framework.as_ref().unwrap();
        assert_eq!((framework.name.as_str(), framework.version.as_deref()), ("Flask", Some("3.0.0")));
        assert_eq!(found[0].server.as_ref().unwrap().name, "gunicorn");
        assert_eq!(found[0].runtime.wanted.as_deref(), Some("3.11"));
        assert_eq!(found[1].language, "node");
    }

    #[test]
    fn sources_without_a_manifest_still_name_their_framework() {
        let (found, _) = stacks(&[("main.py", "from fastapi import FastAPI\napp = FastAPI()\n")]);
        assert_eq!(found[0].framework.as_ref().unwrap().name, "fastapi");
        assert_eq!(found[0].manifest, None);
    }

    #[test]
    fn members_of_a_monorepo_have_stacks_of_their_own() {
        let (_dir, tree) = tree(&[
            ("package.json", r#"{"private":true,"workspaces":["apps/*"]}"#),
            ("package-lock.json", "{}"),
            ("apps/api/package.json", r#"{"dependencies":{"fastify":"5.0.0"}}"#),
            ("apps/web/package.json", r#"{"dependencies":{"next":"15.0.0"}}"#),
            ("services/jobs/requirements.txt", "flask==3.0.0\n"),
            ("services/mail/requirements.txt", "fastapi==0.115.0\n"),
            ("services/mail/broken/package.json", "{"),
        ]);
        let mut unread = Vec::new();
        let stacks = read(&tree, &[], &mut unread);
        let mut shown: Vec<String> = stacks
            .iter()
            .map(|s| {
                let framework = s.framework.as_ref().map_or("", |f| f.name.as_str());
                format!(
                    "{} {framework} {}",
                    s.manifest.as_deref().unwrap_or_default(),
                    s.lock.as_deref().unwrap_or("-")
                )
            })
            .collect();
        shown.sort();
        assert_eq!(
            shown,
            [
                "apps/api/package.json fastify package-lock.json",
                "apps/web/package.json next package-lock.json",
                "package.json  package-lock.json",
                "services/jobs/requirements.txt flask -",
                "services/mail/requirements.txt fastapi -",
            ]
        );
        assert!(unread.iter().any(|r| r.starts_with("services/mail/broken/package.json: ")), "{unread:?}");
    }

    #[test]
    fn go_modules_are_matched_without_their_major_version() {
        let (found, _) = stacks(&[(
            "go.mod",
            "module x\n\ngo 1.22\n\nrequire (\n\tgithub.com/labstack/echo/v4 v4.12.0\n)\n",
        )]);
        assert_eq!(found[0].framework.as_ref().unwrap().version.as_deref(), Some("v4.12.0"));
        assert_eq!(found[0].runtime.wanted.as_deref(), Some("1.22"));
    }
}
