//! Host names and name servers that the project's documents, deploy files and sources name.
//!
//! They are held against the audited host: another spelling of it, name servers that the zone should be at, and entries
//! by which a machine is told an address past DNS. Files of settings (`.env`) are left out, because their values are
//! nobody's business; their examples, which are published with the project, are read.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use landfall_evidence::{HostRole, NamedHost};
use regex::Regex;

use crate::source::{Language, is_test};
use crate::tree::{Tree, file_name};

/// Files looked at.
const MAX_FILES: usize = 200;
/// Names kept.
const MAX_NAMES: usize = 64;
/// Longest line that is looked at, in bytes; longer ones are generated.
const MAX_LINE_BYTE: usize = 2_000;

/// What kind of text a file holds, which decides where a host name may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Documents: URLs, and name servers where a line speaks of them.
    Prose,
    /// Deploy, infrastructure and CI files: names beside a telling key too.
    Infrastructure,
    /// Source code: URLs, and lists of hosts.
    Code,
    /// Lines of a hosts file.
    HostsFile,
}

/// The names in the project, by name and role, each with its first place.
pub(crate) fn read(tree: &Tree) -> Vec<NamedHost> {
    let mut found: BTreeMap<(String, HostRole), String> = BTreeMap::new();
    let files = tree.files.iter().filter(|file| !file.ignored && !is_test(&file.path));
    for (file, kind) in files.filter_map(|file| Some((file, kind(&file.path)?))).take(MAX_FILES) {
        let Some(Ok(text)) = tree.text(&file.path) else { continue };
        for (number, line) in text.lines().enumerate().filter(|(_, line)| line.len() <= MAX_LINE_BYTE) {
            for (name, role) in names_in(line, kind) {
                // An `http://` address stands there as a host too, so it takes no further place.
                if found.keys().filter(|(_, role)| *role != HostRole::Plain).count() >= MAX_NAMES {
                    break;
                }
                found.entry((name, role)).or_insert_with(|| format!("{}:{}", file.path, number + 1));
            }
        }
    }
    found.into_iter().map(|((name, role), place)| NamedHost { name, role, place }).collect()
}

fn kind(path: &str) -> Option<Kind> {
    let name = file_name(path).to_ascii_lowercase();
    // The audited host itself stands there.
    if name == "landfall.toml" {
        return None;
    }
    if name.starts_with(".env") {
        let shown = ["example", "sample", "template", "dist"].iter().any(|word| name.contains(word));
        return shown.then_some(Kind::Infrastructure);
    }
    if name == "hosts" || name.ends_with(".hosts") {
        return Some(Kind::HostsFile);
    }
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension {
        "md" | "rst" | "txt" | "adoc" => Some(Kind::Prose),
        "tf" | "hcl" | "yml" | "yaml" | "toml" | "json" | "jsonc" | "conf" | "zone" | "sh" | "ini" => {
            let locked = name.contains("lock") || name == "package.json" || name == "cargo.toml";
            (!locked).then_some(Kind::Infrastructure)
        }
        _ if matches!(name.as_str(), "caddyfile" | "procfile" | "makefile" | "readme" | "cname") => {
            Some(Kind::Infrastructure)
        }
        _ => Language::of(path).map(|_| Kind::Code),
    }
}

/// A DNS name of at least two labels whose last is letters (RFC 1123, section 2.1).
const NAME: &str = r"(?i)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]";

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the patterns are constants and covered by tests")
}

fn names_in(line: &str, kind: Kind) -> Vec<(String, HostRole)> {
    static URL: LazyLock<Regex> =
        LazyLock::new(|| pattern(&format!(r"(?i)http(s)?://(?:[^\s/@]*@)?({NAME})(:\d)?")));
    static BARE: LazyLock<Regex> =
        LazyLock::new(|| pattern(&format!(r"(^|[^\w@./-])({NAME})\.?($|[^\w@-])")));
    static SERVERS: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"(?i)name[ _-]?servers?|\bns[ _-]?records?\b|\s(?:IN\s+)?NS\s|delegat"));
    static HOSTS: LazyLock<Regex> = LazyLock::new(|| {
        pattern(r"(?i)host|domain|origin|cname|server_name|route|url|zone|site_address|fqdn")
    });
    static LISTS: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)allowed_hosts|origins|domain|hosts?\b"));
    static APEX: LazyLock<Regex> = LazyLock::new(|| {
        pattern(&format!(
            r#"(?:^|[\s"'`|])@["'`]?[\s|,]+(?:\d+\s+)?(?:IN\s+)?["'`]?CNAME["'`]?[\s|,]+["'`]?({NAME})"#
        ))
    });
    static ENTRY: LazyLock<Regex> =
        LazyLock::new(|| pattern(&format!(r#"({NAME})["']?\s*[:=]\s*["']?(?:\d{{1,3}}\.){{3}}\d{{1,3}}\b"#)));

    let normal = |name: &str| name.trim_end_matches('.').to_ascii_lowercase();
    let mut found: Vec<(String, HostRole)> = Vec::new();
    if kind == Kind::HostsFile {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        if words.next().is_some_and(|word| word.parse::<std::net::IpAddr>().is_ok()) {
            found.extend(words.filter(|w| w.contains('.')).map(|w| (normal(w), HostRole::Override)));
        }
        return found;
    }
    for url in URL.captures_iter(line) {
        let name = normal(&url[2]);
        // With a port of its own it is another server than the public one.
        if url.get(1).is_none() && url.get(3).is_none() {
            found.push((name.clone(), HostRole::Plain));
        }
        found.push((name, HostRole::Host));
    }
    if kind == Kind::Infrastructure {
        // `extra_hosts` of a compose file: `- "api.example.test:192.0.2.7"`.
        found.extend(ENTRY.captures_iter(line).map(|c| (normal(&c[1]), HostRole::Override)));
    }
    let bare = || {
        let mut at = 0;
        std::iter::from_fn(move || {
            let captures = BARE.captures_at(line, at)?;
            let name = captures.get(2)?;
            at = name.end();
            Some(normal(name.as_str()))
        })
    };
    if kind != Kind::Code {
        found.extend(APEX.captures_iter(line).map(|c| (normal(&c[1]), HostRole::ApexAlias)));
    }
    let speaks_of_servers = SERVERS.is_match(line);
    if kind != Kind::Code {
        found.extend(
            bare()
                .filter(|name| is_server_name(name) || speaks_of_servers)
                .map(|n| (n, HostRole::NameServer)),
        );
    }
    let telling = match kind {
        Kind::Infrastructure => HOSTS.is_match(line),
        Kind::Code => LISTS.is_match(line),
        Kind::Prose | Kind::HostsFile => false,
    };
    if telling && !speaks_of_servers {
        found.extend(bare().filter(|name| !is_server_name(name)).map(|n| (n, HostRole::Host)));
    }
    // `requirements.txt` and `app.py` have the form of a name too; a last label that the public suffix list knows as a
    // suffix of its own, or that is reserved for tests and examples, makes it one.
    found.retain(|(name, _)| name.len() <= 253 && is_public_form(name));
    found
}

/// Names that are a name server's by their form: `ns1.…`, `ada.ns.cloudflare.com`, `ns-12.awsdns-34.co.uk`.
fn is_server_name(name: &str) -> bool {
    static FORM: LazyLock<Regex> = LazyLock::new(|| {
        pattern(r"^(?:p?dns|ns)-?[0-9a-z]{0,3}\.|\.ns\.|\.awsdns-|\.azure-dns\.|\.domaincontrol\.")
    });
    FORM.is_match(name)
}

fn is_public_form(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    // Extensions of files that are top-level domains as well.
    if matches!(last, "py" | "md" | "rs" | "sh" | "zip" | "mov" | "pl" | "so" | "ps" | "cc") {
        return false;
    }
    matches!(last, "test" | "example" | "internal" | "local" | "lan")
        || psl::suffix(name.as_bytes()).is_some_and(|suffix| suffix.is_known())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree;

    fn shown(files: &[(&str, &str)]) -> Vec<String> {
        let (_folder, tree) = tree(files);
        read(&tree)
            .into_iter()
            .map(|found| {
                let role = match found.role {
                    HostRole::Host => "host",
                    HostRole::NameServer => "ns",
                    HostRole::Override => "override",
                    HostRole::ApexAlias => "apex",
                    HostRole::Plain => "plain",
                };
                format!("{role} {} {}", found.name, found.place)
            })
            .collect()
    }

    #[test]
    fn documents_name_hosts_by_url_and_servers_where_they_speak_of_them() {
        let readme = "# Service\nLive at https://API.example.com/health, see app.py and requirements.txt.\n\
                      Set the nameservers of example.com to `one.dnsprovider.net` and ns2.dnsprovider.net.\n\
                      Cloudflare: ada.ns.cloudflare.com\nMail me@example.org about other.example.org\n";
        assert_eq!(
            shown(&[("README.md", readme)]),
            [
                "ns ada.ns.cloudflare.com README.md:4",
                "host api.example.com README.md:2",
                "ns example.com README.md:3",
                "ns ns2.dnsprovider.net README.md:3",
                "ns one.dnsprovider.net README.md:3",
            ]
        );
    }

    #[test]
    fn infrastructure_names_hosts_beside_telling_keys() {
        let files = [
            (
                "render.yaml",
                "services:\n  - domains:\n      domain: api.example.com\n    image: python.example.com\n",
            ),
            ("docker-compose.yml", "extra_hosts:\n  - \"db.example.com:192.0.2.7\"\n"),
            (".env", "PUBLIC_URL=https://secret.example.com\n"),
            (".env.example", "PUBLIC_URL=https://shown.example.com\n"),
            ("settings.py", "ALLOWED_HOSTS = ['app.example.com']\nx = foo.bar.com\n"),
            ("landfall.toml", "production = \"https://audited.example.com\"\n"),
            ("ops/hosts", "192.0.2.7 api.example.com # us\nnonsense b.example.com\n"),
            ("package-lock.json", "\"resolved\": \"https://registry.example.com/x\"\n"),
        ];
        assert_eq!(
            shown(&files),
            [
                "host api.example.com render.yaml:3",
                "override api.example.com ops/hosts:1",
                "host app.example.com settings.py:1",
                "override db.example.com docker-compose.yml:2",
                "host shown.example.com .env.example:1",
            ]
        );
    }

    #[test]
    fn an_address_without_tls_is_told_apart_unless_it_has_a_port_of_its_own() {
        let readme = "The vendor posts to http://pay.example.com/hooks; pages are at https://pay.example.com/.\n\
                      Staging: http://stage.example.com:8080/\n";
        assert_eq!(
            shown(&[("README.md", readme)]),
            [
                "host pay.example.com README.md:1",
                "plain pay.example.com README.md:1",
                "host stage.example.com README.md:2"
            ]
        );
    }

    #[test]
    fn an_alias_at_the_apex_is_seen_in_zone_files_and_tables() {
        let files = [
            ("dns/example.zone", "@ 300 IN CNAME app.platform.test.\nwww IN CNAME app.platform.test.\n"),
            ("docs/dns.md", "| @ | CNAME | `other.platform.test` |\n"),
        ];
        let found = shown(&files);
        assert!(found.contains(&"apex app.platform.test dns/example.zone:1".to_owned()), "{found:?}");
        assert!(found.contains(&"apex other.platform.test docs/dns.md:1".to_owned()), "{found:?}");
        assert_eq!(found.iter().filter(|line| line.starts_with("apex")).count(), 2);
    }

    #[test]
    fn lists_are_bounded_and_strange_lines_do_no_harm() {
        let many: String = (0..500).map(|n| format!("https://h{n}.example.com\n")).collect();
        let long = format!("https://{}.com\n{}", "a".repeat(5_000), "é".repeat(900));
        assert_eq!(shown(&[("README.md", &many), ("docs/x.md", &long)]).len(), MAX_NAMES);
    }
}
