//! Versions of Go, Java and .NET that the manifest asks for, against the images that build and run.

use std::sync::LazyLock;

use landfall_evidence::SignWord;
use regex::Regex;

use super::images::Base;
use super::{Found, place, regex, text};
use crate::tree::Tree;

pub(super) fn read(tree: &Tree, found: &mut Found) {
    let bases = super::images::bases(tree);
    go(tree, &bases, found);
    java(tree, &bases, found);
    dotnet(tree, &bases, found);
}

fn numbers(text: &str) -> Vec<u32> {
    text.split('.').map_while(|part| part.parse().ok()).collect()
}

/// The version in a tag: `1.20` of `1.20-bookworm`; nothing for a tag that floats.
fn tag_version(tag: &str) -> Option<Vec<u32>> {
    let digits: String = tag.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    Some(numbers(digits.trim_end_matches('.'))).filter(|version| !version.is_empty())
}

fn shown(version: &[u32]) -> String {
    version.iter().map(u32::to_string).collect::<Vec<_>>().join(".")
}

fn too_old(found: &mut Found, what: &str, base: &Base, have: &[u32], manifest: &str, wanted: &[u32]) {
    found.add(
        SignWord::RuntimeTooOld,
        base.place.as_str(),
        format!("{what} {} in the image, {manifest} asks for {}", shown(have), shown(wanted)),
    );
}

/// A Go before 1.21 takes the version in go.mod for advice and tries; a missing part of the standard library stops it. From
/// 1.21 on it refuses, or fetches the newer toolchain (go.dev/doc/toolchain): then an older image does no harm.
fn go(tree: &Tree, bases: &[Base], found: &mut Found) {
    static VERSION: LazyLock<Regex> = LazyLock::new(|| regex(r"(?m)^go\s+([0-9.]+)"));
    let Some(module) = text(tree, "go.mod") else { return };
    let Some(wanted) = VERSION.captures(&module).map(|c| numbers(&c[1])) else { return };
    for base in bases.iter().filter(|base| base.name == "golang") {
        let Some(have) = tag_version(&base.tag).filter(|have| have.len() > 1) else { continue };
        if have[..2] < *wanted.get(..2).unwrap_or(&wanted) && have[..2] < [1, 21][..] {
            too_old(found, "Go", base, &have, "go.mod", &wanted);
        }
    }
}

/// A class file of a newer Java does not load (Java Virtual Machine Specification, section 4.1, `major_version`).
fn java(tree: &Tree, bases: &[Base], found: &mut Found) {
    static WANTED: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"<(?:java\.version|maven\.compiler\.(?:release|target)|release)>\s*(\d+)\s*<|jvmToolchain\(\s*(\d+)|JavaLanguageVersion\.of\(\s*(\d+)|(?:source|target)Compatibility\s*=\s*(?:JavaVersion\.VERSION_)?[\x22']?(\d+)",
        )
    });
    for manifest in ["pom.xml", "build.gradle.kts", "build.gradle"] {
        let Some(source) = text(tree, manifest) else { continue };
        let wanted: Option<u32> = WANTED
            .captures(&source)
            .and_then(|c| c.iter().skip(1).flatten().next().and_then(|m| m.as_str().parse().ok()));
        let Some(wanted) = wanted else { continue };
        for base in bases.iter().filter(|base| is_java(&base.name)) {
            let Some(have) = tag_version(&base.tag).and_then(|version| version.first().copied()) else {
                continue;
            };
            if have < wanted {
                too_old(found, "Java", base, &[have], manifest, &[wanted]);
            }
        }
    }
}

/// Images whose tag begins with the version of Java.
fn is_java(name: &str) -> bool {
    matches!(
        name,
        "eclipse-temurin"
            | "openjdk"
            | "amazoncorretto"
            | "azul/zulu-openjdk"
            | "ibm-semeru-runtimes"
            | "bellsoft/liberica-runtime-container"
    )
}

/// A framework-dependent application starts with the runtime of its own major version or a newer one if it is told to
/// roll forward, never with an older one (learn.microsoft.com/dotnet/core/versions/selection).
fn dotnet(tree: &Tree, bases: &[Base], found: &mut Found) {
    static TARGET: LazyLock<Regex> =
        LazyLock::new(|| regex(r"<TargetFrameworks?>\s*net(\d+)\.0\s*</TargetFrameworks?>"));
    let projects = tree.files.iter().filter(|f| !f.ignored && f.path.ends_with(".csproj")).take(20);
    for project in projects {
        let Some(source) = text(tree, &project.path) else { continue };
        let Some(target) = TARGET.captures(&source) else { continue };
        let Ok(wanted) = target[1].parse::<u32>() else { continue };
        for base in bases {
            let last = base.name.rsplit('/').next().unwrap_or_default();
            if !base.name.contains("dotnet") || !matches!(last, "aspnet" | "runtime" | "sdk") {
                continue;
            }
            let Some(have) = tag_version(&base.tag).and_then(|version| version.first().copied()) else {
                continue;
            };
            if have < wanted && !crate::source::is_test(&project.path) {
                let at = place(&project.path, &source, target.get(0).map_or(0, |m| m.start()));
                too_old(found, ".NET", base, &[have], &at, &[wanted]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{has, lacks};

    #[test]
    fn images_that_are_older_than_the_manifest() {
        let go = ("go.mod", "module a\n\ngo 1.22\n");
        has(
            &[go, ("Dockerfile", "FROM golang:1.20 AS b\nFROM scratch\n")],
            "runtime-too-old Go 1.20 in the image, go.mod asks for 1.22 @Dockerfile:1",
        );
        for fine in ["FROM golang:1.22\n", "FROM golang:1.21\n", "FROM golang:alpine\n", "FROM golang:1\n"] {
            lacks(&[go, ("Dockerfile", fine)], "runtime-too-old");
        }
        let pom = ("pom.xml", "<project><properties><java.version>21</java.version></properties></project>");
        has(
            &[pom, ("Dockerfile", "FROM maven:3.9-eclipse-temurin-21 AS b\nFROM eclipse-temurin:17-jre\n")],
            "runtime-too-old Java 17 in the image, pom.xml asks for 21 @Dockerfile:2",
        );
        lacks(&[pom, ("Dockerfile", "FROM eclipse-temurin:21-jre\n")], "runtime-too-old");
        let project = (
            "A.csproj",
            "<Project><PropertyGroup><TargetFramework>net8.0</TargetFramework></PropertyGroup></Project>",
        );
        has(
            &[project, ("Dockerfile", "FROM mcr.microsoft.com/dotnet/aspnet:6.0\n")],
            "runtime-too-old .NET 6 in the image",
        );
        lacks(
            &[project, ("Dockerfile", "FROM mcr.microsoft.com/dotnet/aspnet:8.0-alpine\n")],
            "runtime-too-old",
        );
    }
}
