//! Manifests of PHP (Composer), Java and Kotlin (Maven, Gradle), .NET and Elixir (Mix).
//!
//! Sources: getcomposer.org/doc/04-schema.md, maven.apache.org/pom.html, docs.gradle.org "Declaring dependencies",
//! learn.microsoft.com "Package references in project files", hexdocs.pm/mix/Mix.Tasks.Deps.html.

use std::sync::LazyLock;

use landfall_evidence::Dependency;
use regex::Regex;

use super::various::{plain, regex};
use super::{Manifest, beside, find, json_names, text};
use crate::tree::{Tree, file_name};

/// In place of a version that the parent, a property or a platform gives: pinned, by another file than this one.
const MANAGED: &str = "managed";

fn exact(name: &str, requirement: &str) -> Dependency {
    Dependency {
        name: name.to_owned(),
        version: Some(requirement.to_owned()),
        requirement: requirement.to_owned(),
    }
}

pub(super) fn php(tree: &Tree, unread: &mut Vec<String>) -> Option<Manifest> {
    let path = find(tree, "composer.json")?;
    let text = text(tree, path, unread)?;
    let json: serde_json::Value = match serde_json::from_str(&text) {
        Ok(json) => json,
        Err(error) => {
            unread.push(format!("{path}: {error}"));
            return None;
        }
    };
    let require = json.get("require").and_then(serde_json::Value::as_object);
    let all = require.into_iter().flatten().filter_map(|(name, value)| Some((name, value.as_str()?)));
    let wanted = all.clone().find(|(name, _)| name.as_str() == "php").map(|(_, v)| v.to_owned());
    Some(Manifest {
        dev: json_names(&json, "require-dev").into_keys().collect(),
        path: Some(path.to_owned()),
        lock: beside(tree, path, &["composer.lock"]),
        dependencies: all
            .filter(|(name, _)| name.contains('/'))
            .map(|(name, value)| plain(name, value))
            .collect(),
        wanted,
    })
}

pub(super) fn jvm(tree: &Tree, unread: &mut Vec<String>) -> Option<Manifest> {
    static DEPENDENCY: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?s)<(?:dependency|parent)>\s*<groupId>([^<]+)</groupId>\s*<artifactId>([^<]+)</artifactId>\s*(?:<version>([^<]+)</version>)?",
        )
    });
    static JAVA: LazyLock<Regex> = LazyLock::new(|| {
        regex(r"<(?:java\.version|maven\.compiler\.release|maven\.compiler\.source|release)>\s*([0-9.]+)\s*<")
    });
    static GRADLE: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r#"(?m)^\s*(?:implementation|api|compile|runtimeOnly|compileOnly)[ (]+(?:platform\()?["']([\w.-]+:[\w.-]+)(?::([\w.-]+))?["']"#,
        )
    });
    static PLUGIN: LazyLock<Regex> =
        LazyLock::new(|| regex(r#"id[ (]+["']([\w.-]+)["']\)?(?:\s+version\s+["']([\w.-]+)["'])?"#));
    static TOOLCHAIN: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"JavaLanguageVersion\.of\((\d+)\)|(?:sourceCompatibility|jvmTarget)\s*=\s*\D{0,24}(\d+(?:\.\d+)?)|jvmToolchain\((\d+)\)",
        )
    });
    if let Some(path) = find(tree, "pom.xml") {
        let text = text(tree, path, unread)?;
        if quick_xml_ends(&text).is_err() {
            unread.push(format!("{path}: not well-formed XML"));
        }
        return Some(Manifest {
            path: Some(path.to_owned()),
            lock: None,
            dependencies: DEPENDENCY
                .captures_iter(&text)
                .map(|c| {
                    let version = c.get(3).map_or("", |v| v.as_str()).trim();
                    let name = format!("{}:{}", c[1].trim(), c[2].trim());
                    if version.is_empty() || version.contains('$') {
                        exact(&name, MANAGED)
                    } else {
                        exact(&name, version)
                    }
                })
                .collect(),
            wanted: JAVA.captures(&text).map(|c| c[1].to_owned()),
            ..Manifest::default()
        });
    }
    let path = find(tree, "build.gradle.kts").or_else(|| find(tree, "build.gradle"))?;
    let text = text(tree, path, unread)?;
    let plugins = PLUGIN.captures_iter(&text).map(|c| match c.get(2) {
        Some(version) => exact(&c[1], version.as_str()),
        None => exact(&c[1], MANAGED),
    });
    let libraries = GRADLE.captures_iter(&text).map(|c| match c.get(2) {
        Some(version) => exact(&c[1], version.as_str()),
        None => exact(&c[1], MANAGED),
    });
    Some(Manifest {
        path: Some(path.to_owned()),
        lock: None,
        dependencies: plugins.chain(libraries).collect(),
        wanted: TOOLCHAIN
            .captures(&text)
            .and_then(|c| c.get(1).or_else(|| c.get(2)).or_else(|| c.get(3)).map(|m| m.as_str().to_owned())),
        ..Manifest::default()
    })
}

/// Whether the text is well-formed to its end.
fn quick_xml_ends(text: &str) -> Result<(), quick_xml::Error> {
    let mut reader = quick_xml::Reader::from_str(text);
    loop {
        if matches!(reader.read_event()?, quick_xml::events::Event::Eof) {
            return Ok(());
        }
    }
}

pub(super) fn dotnet(tree: &Tree, unread: &mut Vec<String>) -> Option<Manifest> {
    static PACKAGE: LazyLock<Regex> =
        LazyLock::new(|| regex(r#"<PackageReference\s+Include="([^"]+)"(?:\s+Version="([^"]+)")?"#));
    static TARGET: LazyLock<Regex> =
        LazyLock::new(|| regex(r"<TargetFramework>net([0-9.]+)</TargetFramework>"));
    let named = |f: &&crate::tree::FileInfo| {
        !f.ignored
            && matches!(file_name(&f.path).rsplit('.').next(), Some("csproj" | "fsproj"))
            && !file_name(&f.path).contains("Test")
    };
    let path = tree.files.iter().find(named)?.path.as_str();
    let text = text(tree, path, unread)?;
    let mut dependencies: Vec<Dependency> = PACKAGE
        .captures_iter(&text)
        .map(|c| match c.get(2) {
            Some(version) if !version.as_str().contains(['*', '[', '(']) => exact(&c[1], version.as_str()),
            other => plain(&c[1], other.map_or("", |v| v.as_str())),
        })
        .collect();
    if text.contains("Microsoft.NET.Sdk.Web") {
        dependencies.insert(
            0,
            exact(
                "Microsoft.NET.Sdk.Web",
                &TARGET.captures(&text).map_or(String::new(), |c| c[1].to_owned()),
            ),
        );
    }
    Some(Manifest {
        path: Some(path.to_owned()),
        lock: beside(tree, path, &["packages.lock.json"]),
        dependencies,
        wanted: TARGET.captures(&text).map(|c| c[1].to_owned()),
        ..Manifest::default()
    })
}

pub(super) fn elixir(tree: &Tree, unread: &mut Vec<String>) -> Option<Manifest> {
    static DEPENDENCY: LazyLock<Regex> = LazyLock::new(|| regex(r#"\{:(\w+),\s*"([^"]*)""#));
    static ELIXIR: LazyLock<Regex> = LazyLock::new(|| regex(r#"\belixir:\s*"([^"]+)""#));
    let path = find(tree, "mix.exs")?;
    let text = text(tree, path, unread)?;
    Some(Manifest {
        path: Some(path.to_owned()),
        lock: beside(tree, path, &["mix.lock"]),
        dependencies: DEPENDENCY.captures_iter(&text).map(|c| plain(&c[1], &c[2])).collect(),
        wanted: ELIXIR.captures(&text).map(|c| c[1].to_owned()),
        ..Manifest::default()
    })
}

#[cfg(test)]
mod tests {
    use crate::tree::tests::tree;

    #[track_caller]
    fn check(files: &[(&str, &str)], language: &str, framework: &str, wanted: &str, lock: Option<&str>) {
        let (_dir, tree) = tree(files);
        let mut unread = Vec::new();
        let sources = crate::source::load(&tree, &mut unread);
        let stacks = super::super::read(&tree, &sources, &mut unread);
        assert!(unread.is_empty(), "{unread:?}");
        let stack = &stacks[0];
        assert_eq!(stack.language, language);
        assert_eq!(stack.framework.as_ref().map(|f| f.name.as_str()), Some(framework));
        assert_eq!(stack.runtime.wanted.as_deref(), Some(wanted));
        assert_eq!(stack.lock.as_deref(), lock);
    }

    #[test]
    fn manifests_of_four_more_languages() {
        check(
            &[
                ("composer.json", r#"{"require":{"php":"^8.2","laravel/framework":"^11.0"}}"#),
                ("composer.lock", "{}"),
            ],
            "php",
            "laravel/framework",
            "^8.2",
            Some("composer.lock"),
        );
        check(
            &[(
                "pom.xml",
                "<project><parent><groupId>org.springframework.boot</groupId><artifactId>spring-boot-starter-parent</artifactId><version>3.3.0</version></parent><properties><java.version>17</java.version></properties><dependencies><dependency><groupId>org.springframework.boot</groupId><artifactId>spring-boot-starter-web</artifactId></dependency></dependencies></project>",
            )],
            "java",
            "org.springframework.boot:spring-boot-starter-web",
            "17",
            None,
        );
        check(
            &[(
                "build.gradle.kts",
                "plugins {\n  id(\"org.springframework.boot\") version \"3.3.0\"\n}\njava { toolchain { languageVersion = JavaLanguageVersion.of(21) } }\ndependencies {\n  implementation(\"org.springframework.boot:spring-boot-starter-web\")\n}\n",
            )],
            "java",
            "org.springframework.boot:spring-boot-starter-web",
            "21",
            None,
        );
        check(
            &[(
                "Api/Api.csproj",
                "<Project Sdk=\"Microsoft.NET.Sdk.Web\"><PropertyGroup><TargetFramework>net8.0</TargetFramework></PropertyGroup></Project>",
            )],
            "dotnet",
            "Microsoft.NET.Sdk.Web",
            "8.0",
            None,
        );
        check(
            &[
                (
                    "mix.exs",
                    "defmodule Shop.MixProject do\n  def project, do: [app: :shop, elixir: \"~> 1.15\", deps: deps()]\n  defp deps do\n    [{:phoenix, \"~> 1.7\"}]\n  end\nend\n",
                ),
                ("mix.lock", "%{}"),
            ],
            "elixir",
            "phoenix",
            "~> 1.15",
            Some("mix.lock"),
        );
    }
}
