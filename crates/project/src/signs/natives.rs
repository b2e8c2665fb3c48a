//! Shared libraries that a package needs when it runs, and that the last stage of the image does not install.
//!
//! What each package needs stands on its installation page (psycopg.org, mysqlclient's README, diesel.rs, doc.courtbouillon.org/weasyprint).

use std::sync::LazyLock;

use landfall_evidence::SignWord;
use regex::Regex;

use super::{Found, Read, regex, text};

/// A package that is linked against a shared library at run time.
struct Need {
    /// The manifest, and what of it says that the package is used so.
    manifest: &'static str,
    uses: Regex,
    /// What of it says that it is linked in another way.
    unless: &'static [&'static str],
    package: &'static str,
    library: &'static str,
    /// Words of an installation, or of a base image, that bring it.
    brought_by: &'static [&'static str],
}

static NEEDS: LazyLock<Vec<Need>> = LazyLock::new(|| {
    vec![
        Need {
            manifest: "Cargo.toml",
            uses: regex(r#"(?m)^diesel\s*=[^\n]*"postgres"|^pq-sys\b"#),
            unless: &["bundled", "postgres_backend"],
            package: "diesel with PostgreSQL",
            library: "libpq",
            brought_by: &["libpq", "postgresql"],
        },
        Need {
            manifest: "Cargo.toml",
            uses: regex(r#"(?m)^diesel\s*=[^\n]*"mysql"|^mysqlclient-sys\b"#),
            unless: &["bundled"],
            package: "diesel with MySQL",
            library: "libmariadb",
            brought_by: &["libmariadb", "libmysqlclient", "mariadb", "mysql"],
        },
        Need {
            manifest: "requirements.txt",
            uses: regex(r"(?mi)^psycopg2(?:\[[^\]]*\])?\s*(?:[=<>~!;]|$)"),
            unless: &["psycopg2-binary"],
            package: "psycopg2",
            library: "libpq",
            brought_by: &["libpq", "postgresql"],
        },
        Need {
            manifest: "requirements.txt",
            uses: regex(r"(?mi)^mysqlclient\s*(?:[=<>~!;]|$)"),
            unless: &[],
            package: "mysqlclient",
            library: "libmariadb",
            brought_by: &["libmariadb", "libmysqlclient", "mariadb", "mysql"],
        },
        Need {
            manifest: "requirements.txt",
            uses: regex(r"(?mi)^opencv-(?:contrib-)?python\s*(?:[=<>~!;]|$)"),
            unless: &["headless"],
            package: "opencv-python",
            library: "libGL",
            // Debian's ffmpeg depends on libavdevice, and that on libgl1.
            brought_by: &["libgl1", "libgl", "mesa", "opencv", "ffmpeg"],
        },
        Need {
            manifest: "requirements.txt",
            uses: regex(r"(?mi)^weasyprint\s*(?:[=<>~!;]|$)"),
            unless: &[],
            package: "WeasyPrint",
            library: "Pango",
            brought_by: &["pango", "weasyprint"],
        },
        Need {
            manifest: "requirements.txt",
            uses: regex(r"(?mi)^(?:python-magic)\s*(?:[=<>~!;]|$)"),
            unless: &["python-magic-bin"],
            package: "python-magic",
            library: "libmagic",
            brought_by: &["libmagic", "file"],
        },
        Need {
            manifest: "requirements.txt",
            uses: regex(r"(?mi)^(?:pyzbar)\s*(?:[=<>~!;]|$)"),
            unless: &[],
            package: "pyzbar",
            library: "libzbar",
            brought_by: &["zbar"],
        },
        Need {
            manifest: "Gemfile",
            // From 1.6 on rubygems.org has it built for Linux, with libpq in it.
            uses: regex(r#"(?m)^\s*gem\s+["']pg["']\s*,\s*["'](?:~>|=|<)?\s*(?:0\.|1\.[0-5](?:\D|$))"#),
            unless: &[],
            package: "the gem pg",
            library: "libpq",
            brought_by: &["libpq", "postgresql"],
        },
        Need {
            manifest: "Gemfile",
            uses: regex(r#"(?m)^\s*gem\s+["']ruby-vips["']"#),
            unless: &["mini_magick"],
            package: "ruby-vips",
            library: "libvips",
            brought_by: &["vips"],
        },
    ]
});

/// Base images that hold little beside the runtime: in the full ones most libraries are there.
static SLIM: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"(?i)(?:slim|alpine|distroless|chainguard|\bdebian:|\bubuntu:|\bscratch\b|busybox|-minimal)")
});

pub(super) fn read(read: &Read<'_>, found: &mut Found) {
    let Some(dockerfile) = text(read.tree, "Dockerfile") else { return };
    let Some((place, base, last)) = last_stage(&dockerfile) else { return };
    if !SLIM.is_match(&base) {
        return;
    }
    let lower = last.to_ascii_lowercase();
    for need in NEEDS.iter() {
        let Some(manifest) = text(read.tree, need.manifest) else { continue };
        if !need.uses.is_match(&manifest) || need.unless.iter().any(|word| manifest.contains(word)) {
            continue;
        }
        // Another system's packages, or files that are copied as a whole, may hold it.
        let brought = need.brought_by.iter().any(|word| lower.contains(word))
            || [
                "/usr/lib",
                "nix",
                "apt.txt",
                "packages.txt",
                "\ncopy --from=build / /",
                "apk add --no-cache $",
                "apt-get install -y $",
            ]
            .iter()
            .any(|word| lower.contains(word));
        if !brought {
            found.add(
                SignWord::NativeLibraryAbsent,
                format!("Dockerfile:{place}"),
                format!("{} needs {}, and the image from {base} installs none", need.package, need.library),
            );
        }
    }
}

/// The last stage of a Dockerfile: its line, the image that it is made from at last, and its text with that of the stages that it
/// builds on.
fn last_stage(text: &str) -> Option<(usize, String, String)> {
    static FROM: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?mi)^[ \t]*FROM\s+(?:--platform=\S+\s+)?(\S+)(?:\s+AS\s+(\S+))?[ \t]*$"));
    let stages: Vec<(usize, String, Option<String>)> = FROM
        .captures_iter(text)
        .filter_map(|c| Some((c.get(0)?.start(), c[1].to_owned(), c.get(2).map(|m| m.as_str().to_owned()))))
        .collect();
    let body = |n: usize| {
        let end = stages.get(n + 1).map_or(text.len(), |(at, ..)| *at);
        &text[stages[n].0..end]
    };
    let mut at = stages.len().checked_sub(1)?;
    let place = text[..stages[at].0].matches('\n').count() + 1;
    let mut all = String::new();
    loop {
        all.push_str(body(at));
        let base = &stages[at].1;
        match stages[..at]
            .iter()
            .position(|(_, _, name)| name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(base)))
        {
            Some(earlier) => at = earlier,
            None => return (!base.contains('$')).then(|| (place, base.clone(), all)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{has, lacks};

    #[test]
    fn libraries_that_the_last_stage_lacks() {
        let image = |install: &str| {
            format!(
                "FROM rust:1.83 AS build\nRUN apt-get install -y libpq-dev\nRUN cargo build\n\nFROM debian:bookworm-slim\nRUN apt-get install -y ca-certificates{install}\nCOPY --from=build /a /a\n"
            )
        };
        let cargo =
            ("Cargo.toml", "[dependencies]\ndiesel = { version = \"2\", features = [\"postgres\"] }\n");
        has(
            &[("Dockerfile", &image("")), cargo],
            "native-library-absent diesel with PostgreSQL needs libpq, and the image from debian:bookworm-slim installs none @Dockerfile:5",
        );
        lacks(&[("Dockerfile", &image(" libpq5")), cargo], "native-library-absent");
        lacks(
            &[("Dockerfile", &image("")), ("Cargo.toml", "[dependencies]\nsqlx = \"0.8\"\n")],
            "native-library-absent",
        );
        let python = |base: &str| format!("FROM python:3.12{base}\nRUN pip install -r requirements.txt\n");
        has(
            &[("Dockerfile", &python("-slim")), ("requirements.txt", "psycopg2==2.9.10\n")],
            "native-library-absent psycopg2 needs libpq",
        );
        lacks(
            &[("Dockerfile", &python("")), ("requirements.txt", "psycopg2==2.9.10\n")],
            "native-library-absent",
        );
        lacks(
            &[("Dockerfile", &python("-slim")), ("requirements.txt", "psycopg2-binary==2.9.10\n")],
            "native-library-absent",
        );
    }

    #[test]
    fn stages_that_build_on_another() {
        let image = "FROM python:3.12-slim AS base\nRUN apt-get install -y libpq5\nFROM base AS build\nRUN x\nFROM base\nCOPY --from=build /a /a\n";
        lacks(&[("Dockerfile", image), ("requirements.txt", "psycopg2==2.9.10\n")], "native-library-absent");
    }
}
