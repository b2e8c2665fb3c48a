//! Placeholders in the texts of a recipe: `{port:NAME}`, `{addr:NAME}`, `{log:NAME}`, `{cert:NAME}`, `{key:NAME}`,
//! `{pem:NAME}`, `{dir}`, `{ca}`, `{now}` and `{now-SECONDS}`.
//!
//! Configuration files are full of braces, so only what looks exactly like a placeholder is one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::format::RESERVED;

/// What placeholders stand for.
pub(super) struct Values {
    /// The world's folder.
    pub(super) dir: PathBuf,
    /// The trust anchors of the audit.
    pub(super) ca: PathBuf,
    /// Ports by name.
    pub(super) ports: BTreeMap<String, u16>,
    /// Paths of chain, key, and both in one file, by the certificate's name.
    pub(super) certificates: BTreeMap<String, [PathBuf; 3]>,
}

/// One placeholder.
#[derive(Debug, PartialEq, Eq)]
enum Token<'a> {
    Dir,
    Ca,
    /// Seconds ago.
    Now(i64),
    Named(&'a str, &'a str),
}

const NAMED: [&str; 6] = ["port", "addr", "log", "cert", "key", "pem"];

/// Reads the inside of a pair of braces.
fn token(inside: &str) -> Option<Token<'_>> {
    match inside {
        "dir" => return Some(Token::Dir),
        "ca" => return Some(Token::Ca),
        "now" => return Some(Token::Now(0)),
        _ => {}
    }
    if let Some(ago) = inside.strip_prefix("now-").and_then(|s| s.parse::<u32>().ok()) {
        return Some(Token::Now(ago.into()));
    }
    let (kind, name) = inside.split_once(':')?;
    let kind = NAMED.into_iter().find(|known| *known == kind)?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    (!name.is_empty() && name.bytes().all(plain)).then_some(Token::Named(kind, name))
}

/// Calls `see` with each placeholder and its text, and puts together what it gives; `None` leaves the text as it is.
fn each<'a>(text: &'a str, mut see: impl FnMut(Token<'a>, &'a str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        rest = &rest[open..];
        let replaced = rest.find('}').and_then(|close| {
            let value = see(token(&rest[1..close])?, &rest[..=close])?;
            Some((value, close + 1))
        });
        match replaced {
            Some((value, len)) => {
                out.push_str(&value);
                rest = &rest[len..];
            }
            None => {
                out.push('{');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// Every port name that a text mentions.
pub(super) fn ports(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    each(text, |token, _| {
        if let Token::Named("port" | "addr", name) = token {
            found.insert(name.to_owned());
        }
        None
    });
    found
}

/// Whether a port name can exist: a server's name, or one that begins with it and a hyphen.
pub(super) fn check_port(name: &str, servers: &BTreeSet<&str>) -> Result<(), String> {
    if owner(name, servers.iter().copied()).is_some() || RESERVED.contains(&name) {
        return Ok(());
    }
    let known: Vec<&str> = servers.iter().copied().chain(RESERVED).collect();
    Err(format!(
        "no port is called {name:?}; there are {} (and SERVER-ANYTHING for another port of a server)",
        known.join(", ")
    ))
}

/// The server that a port belongs to: the one with the longest name that fits.
pub(super) fn owner<'a>(port: &str, servers: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let fits = |server: &&str| {
        port.strip_prefix(*server).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    servers.filter(fits).max_by_key(|server| server.len())
}

/// Whether every placeholder of a text leads somewhere; else what is wrong, and the placeholder.
pub(super) fn check(
    text: &str,
    servers: &BTreeSet<&str>,
    certificates: &BTreeSet<String>,
) -> Result<(), (String, String)> {
    let mut wrong = None;
    each(text, |token, source| {
        let problem = match token {
            Token::Named("port" | "addr", name) => check_port(name, servers).err(),
            Token::Named("log", name) if !servers.contains(name) => {
                Some(format!("no server is called {name:?}"))
            }
            Token::Named("cert" | "key" | "pem", name) if !certificates.contains(name) => {
                Some(format!("no certificate is called {name:?}"))
            }
            _ => None,
        };
        if let Some(problem) = problem {
            wrong.get_or_insert((format!("{source}: {problem}"), source.to_owned()));
        }
        None
    });
    wrong.map_or(Ok(()), Err)
}

impl Values {
    /// Replaces every placeholder that leads somewhere.
    pub(super) fn fill(&self, text: &str) -> String {
        each(text, |token, _| self.value(&token))
    }

    /// Replaces those of ports alone, as in the files of a project, where `{dir}` may be a template's own.
    pub(super) fn fill_ports(&self, text: &str) -> String {
        each(text, |token, _| match token {
            Token::Named("port" | "addr", _) => self.value(&token),
            _ => None,
        })
    }

    fn value(&self, token: &Token<'_>) -> Option<String> {
        let shown = |path: &Path| path.display().to_string();
        match *token {
            Token::Dir => Some(shown(&self.dir)),
            Token::Ca => Some(shown(&self.ca)),
            Token::Now(ago) => {
                let at = jiff::Timestamp::now().checked_sub(jiff::SignedDuration::from_secs(ago)).ok()?;
                // Whole seconds, as logs have them.
                Some(jiff::Timestamp::from_second(at.as_second()).ok()?.to_string())
            }
            Token::Named("port", name) => Some(self.ports.get(name)?.to_string()),
            Token::Named("addr", name) => Some(format!("127.0.0.1:{}", self.ports.get(name)?)),
            Token::Named("log", name) => Some(shown(&self.log(name))),
            Token::Named(kind, name) => {
                let which = ["cert", "key", "pem"].iter().position(|known| *known == kind)?;
                Some(shown(&self.certificates.get(name)?[which]))
            }
        }
    }

    /// Where the output of a server goes.
    pub(super) fn log(&self, server: &str) -> PathBuf {
        self.dir.join("output").join(format!("{server}.log"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Values {
        Values {
            dir: "/w".into(),
            ca: "/w/ca.pem".into(),
            ports: [("app".to_owned(), 20_001)].into(),
            certificates: [("site".to_owned(), ["/w/c".into(), "/w/k".into(), "/w/p".into()])].into(),
        }
    }

    #[test]
    fn only_what_is_a_placeholder_is_replaced() {
        let text = "a {port:app} {addr:app} {cert:site} {dir} {ca} {log:app} {nothing} {port:} { return 200 '{}'; } {$x";
        let filled = values().fill(text);
        assert_eq!(
            filled,
            "a 20001 127.0.0.1:20001 /w/c /w /w/ca.pem /w/output/app.log {nothing} {port:} { return 200 '{}'; } {$x"
        );
        assert_eq!(values().fill_ports("{dir} {port:app} {port:other}"), "{dir} 20001 {port:other}");
        assert!(values().fill("{now-3600}").ends_with('Z'));
    }

    #[test]
    fn a_port_belongs_to_the_server_with_the_longest_name() {
        let servers = ["edge", "edge-two"];
        assert_eq!(owner("edge-two-plain", servers.into_iter()), Some("edge-two"));
        assert_eq!(owner("edge-plain", servers.into_iter()), Some("edge"));
        assert_eq!(owner("edgy", servers.into_iter()), None);
    }
}
