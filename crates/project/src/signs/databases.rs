//! TLS to the database: what the code asks for, against what the database is configured to ask for.

use std::sync::LazyLock;

use landfall_evidence::SignWord;
use regex::Regex;

use super::{Found, Read, any_file, place, regex, text};
use crate::source::is_test;

pub(super) fn read(read: &Read<'_>, found: &mut Found) {
    // libpq's sslmode, JDBC's and MySQL's useSSL and sslMode, node-postgres' ssl, in code or in a file of settings for production.
    static OFF: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r#"\bsslmode['"]?\s*[=:]\s*>?\s*['"]?disable\b|\bsslMode=DISABLED\b|\buseSSL=false\b|\bSsl ?Mode=(?:Disable|None)\b|\bPGSSLMODE['"]?\s*[=:]\s*['"]?disable\b"#,
        )
    });
    // AWS RDS parameter groups, Cloud SQL's settings, Azure's flexible servers, MySQL's own option.
    static ASKED: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r#"rds\.force_ssl["']?[\s\S]{0,60}?\bvalue\s*=\s*["']?1\b|rds\.force_ssl["']?\s*[:=]\s*["']?1\b|\brequire_ssl\s*=\s*true\b|\bssl_mode\s*=\s*["'](?:ENCRYPTED_ONLY|TRUSTED_CLIENT_CERTIFICATE_REQUIRED)|\brequire_secure_transport["']?\s*[=:]\s*["']?(?:ON|on|1|true)\b|\bssl_enforcement_enabled\s*=\s*true\b"#,
        )
    });
    // Providers that take no connection without TLS.
    static PROVIDER: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"\.(?:neon\.tech|psdb\.cloud|cockroachlabs\.cloud|postgres\.database\.azure\.com|mysql\.database\.azure\.com|db\.ondigitalocean\.com|aivencloud\.com)\b",
        )
    });
    let local = |path: &str| {
        is_test(path)
            || path.contains(".example")
            || path.split(['/', '.', '-', '_']).any(|part| {
                matches!(
                    part,
                    "local" | "dev" | "development" | "test" | "docs" | "examples" | "README" | "md"
                )
            })
    };
    let line_is_local = |text: &str, at: usize| {
        let line = text[..at].rsplit('\n').next().unwrap_or_default();
        let rest = text[at..].split('\n').next().unwrap_or_default();
        ["localhost", "127.0.0.1", "@db", "@postgres", "@mysql"]
            .iter()
            .any(|host| line.contains(host) || rest.contains(host))
    };
    let off = read.sources.iter().filter(|s| !local(&s.path)).find_map(|source| {
        let hit = OFF.find_iter(&source.code).find(|hit| !line_is_local(&source.code, hit.start()))?;
        Some((source.place(hit.start()), hit.as_str().to_owned()))
    });
    let settings = || {
        read.tree.files.iter().filter(|f| !f.ignored && !local(&f.path)).filter(|f| {
            [
                ".yml",
                ".yaml",
                ".toml",
                ".json",
                ".properties",
                ".tf",
                ".env.production",
                ".hcl",
                ".ini",
                ".cnf",
            ]
            .iter()
            .any(|end| f.path.ends_with(end))
        })
    };
    let in_settings = || {
        settings().take(400).find_map(|file| {
            let content = text(read.tree, &file.path)?;
            let hit = OFF.find_iter(&content).find(|hit| !line_is_local(&content, hit.start()))?;
            Some((place(&file.path, &content, hit.start()), hit.as_str().to_owned()))
        })
    };
    let Some((at, says)) = off.or_else(in_settings) else { return };
    let asked = settings().take(400).find_map(|file| {
        let content = text(read.tree, &file.path)?;
        let hit = ASKED.find(&content).or_else(|| PROVIDER.find(&content))?;
        Some(place(&file.path, &content, hit.start()))
    });
    // Google's connectors and proxy speak TLS themselves, and want none inside of it (cloud-sql-go-connector, issue 889).
    static CONNECTOR: LazyLock<Regex> = LazyLock::new(|| {
        regex(r"cloudsqlconn|cloud[-_]sql[-_](?:proxy|connector)|/cloudsql/|cloudSqlInstance")
    });
    let connected = || {
        read.sources.iter().any(|source| CONNECTOR.is_match(&source.code))
            || any_file(
                read.tree,
                &[".yml", ".yaml", ".tf", "Dockerfile", ".sh", ".mod", "requirements.txt"],
                &CONNECTOR,
            )
    };
    if let Some(asked) = asked.filter(|_| !connected()) {
        found.add(
            SignWord::DatabaseTlsDiffers,
            at,
            format!("{says}, and {asked} has the database ask for TLS"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{has, lacks};

    #[test]
    fn a_database_that_asks_for_tls() {
        let code = ("internal/db.go", "package db\nvar q = \"sslmode=disable&connect_timeout=5\"\n");
        let rds = ("infra/rds.tf", "parameter {\n  name = \"rds.force_ssl\"\n  value = \"1\"\n}\n");
        has(
            &[code, rds],
            "database-tls-differs sslmode=disable, and infra/rds.tf:2 has the database ask for TLS @internal/db.go:2",
        );
        for fine in [
            [code, ("infra/rds.tf", "parameter {\n  name = \"rds.force_ssl\"\n  value = \"0\"\n}\n")],
            [("internal/db.go", "package db\nvar q = \"sslmode=require\"\n"), rds],
            [("internal/db_test.go", code.1), rds],
            [("internal/db.go", "package db\nvar q = \"postgres://a@localhost/a?sslmode=disable\"\n"), rds],
        ] {
            lacks(&fine, "database-tls-differs");
        }
    }
}
