//! What changed between the last good check and the first bad one.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::result::{CheckResult, Outcome, Reason, Snapshot};

/// One thing that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// What it is: "status", "addresses", "certificate", "header server".
    pub what: String,
    /// How it was; `None` when it was not there.
    pub before: Option<String>,
    /// How it is; `None` when it is not there any more.
    pub after: Option<String>,
}

/// Headers that change from one cached answer to the next and mean nothing.
const VOLATILE: &[&str] = &["x-cache", "cf-cache-status", "age", "date", "expires"];

/// What changed, in the order in which an exchange goes: name, connection, certificate, answer. Things that were not
/// seen by one of the two (because it ended before) are no change; dates and cache states are left out.
pub fn difference(good: &Snapshot, bad: &Snapshot) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut add = |what: &str, before: Option<String>, after: Option<String>| {
        if before != after {
            changes.push(Change { what: what.to_owned(), before, after });
        }
    };
    if !good.addresses.is_empty() && !bad.addresses.is_empty() {
        let list = |s: &Snapshot| {
            let sorted: BTreeSet<_> = s.addresses.iter().collect();
            Some(sorted.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
        };
        add("addresses", list(good), list(bad));
    }
    let records = |s: &Snapshot| (!s.records.is_empty()).then(|| s.records.join(", "));
    add("records", records(good), records(bad));
    if let (Some(before), Some(after)) = (&good.certificate, &bad.certificate)
        && before != after
    {
        let shown = |s: &Snapshot, digest: &str| {
            let until = s.certificate_until.map(|at| format!(", until {}", at.strftime("%Y-%m-%d")));
            let issuer = s.issuer.as_deref().unwrap_or("unknown issuer");
            let digest = digest.get(..16).unwrap_or(digest);
            Some(format!("{digest}… by {issuer}{}", until.unwrap_or_default()))
        };
        add("certificate", shown(good, before), shown(bad, after));
        if good.issuer != bad.issuer {
            add("issuer", good.issuer.clone(), bad.issuer.clone());
        }
    }
    if !good.protocols.is_empty() && !bad.protocols.is_empty() {
        add("protocols", Some(good.protocols.join(", ")), Some(bad.protocols.join(", ")));
    }
    let answered = good.status.is_some() && bad.status.is_some();
    if answered {
        add("status", good.status.map(|s| s.to_string()), bad.status.map(|s| s.to_string()));
        let chain = |s: &Snapshot| {
            (!s.redirects.is_empty())
                .then(|| s.redirects.iter().map(|u| bare(u)).collect::<Vec<_>>().join(" → "))
        };
        add("redirects", chain(good), chain(bad));
        let names: BTreeSet<&String> = good.headers.keys().chain(bad.headers.keys()).collect();
        for name in names {
            if VOLATILE.contains(&name.as_str()) {
                continue;
            }
            let value = |s: &Snapshot| {
                s.headers.get(name).map(|v| if name == "location" { bare(v) } else { v.clone() })
            };
            add(&format!("header {name}"), value(good), value(bad));
        }
        // Every page with a date or a token in it has another digest each time; its size is what tells.
        let size = |s: &Snapshot| s.body_byte.map(|n| format!("{n} bytes"));
        if good.body != bad.body {
            add("body", size(good), size(bad));
        }
        add("version", good.version.clone(), bad.version.clone());
    }
    changes
}

/// A URL without what changes from request to request.
fn bare(url: &str) -> String {
    match Url::parse(url) {
        Ok(url) => url[..url::Position::AfterPath].to_owned(),
        Err(_) => url.split(['?', '#']).next().unwrap_or_default().to_owned(),
    }
}

/// Whether a result looks as if this server's own connection were at fault: no resolver answers, there is no route, or
/// connections come to nothing at all. One such result proves nothing; many at once ask for a look at the canaries.
pub fn own_side(result: &CheckResult) -> bool {
    match (result.outcome, result.reason) {
        (Outcome::Up | Outcome::Degraded, _) => false,
        (_, Some(Reason::OwnConnection | Reason::DnsSilent)) => true,
        (_, Some(Reason::Timeout)) => {
            // The connection never stood; a slow answer over one that did is the target's.
            result.timings.connect_us.is_none() && result.timings.wait_us.is_none()
        }
        (_, Some(Reason::ConnectionError)) => result.facts.unreachable,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn good() -> Snapshot {
        Snapshot {
            at: Some(Timestamp::UNIX_EPOCH),
            addresses: vec!["192.0.2.1".parse().expect("valid"), "192.0.2.2".parse().expect("valid")],
            certificate: Some("a".repeat(64)),
            issuer: Some("Test CA".into()),
            certificate_until: Some(Timestamp::UNIX_EPOCH),
            protocols: vec!["TLSv1.3".into(), "HTTP/2".into()],
            status: Some(200),
            headers: [("server", "gunicorn"), ("x-cache", "HIT"), ("via", "1.1 google")]
                .map(|(n, v)| (n.to_owned(), v.to_owned()))
                .into(),
            redirects: vec!["https://a.test/x?session=1".into()],
            body: Some("1".into()),
            body_byte: Some(20),
            version: Some("v1".into()),
            ..Snapshot::default()
        }
    }

    #[test]
    fn what_stays_or_means_nothing_is_no_change() {
        assert_eq!(difference(&good(), &good()), []);
        let mut bad = good();
        bad.at = Some(Timestamp::MAX);
        bad.addresses.reverse();
        bad.headers.insert("x-cache".into(), "MISS".into());
        bad.redirects = vec!["https://a.test/x?session=2".into()];
        bad.body = Some("another digest of the same size".into());
        assert_eq!(difference(&good(), &bad), []);
        // A check that ended at the connection saw nothing of the rest.
        let nothing = Snapshot { addresses: good().addresses, ..Snapshot::default() };
        assert_eq!(difference(&good(), &nothing), []);
    }

    #[test]
    fn what_changed_is_told_with_before_and_after() {
        let mut bad = good();
        bad.addresses = vec!["192.0.2.9".parse().expect("valid")];
        bad.certificate = Some("b".repeat(64));
        bad.issuer = Some("Other CA".into());
        bad.protocols = vec!["TLSv1.3".into(), "HTTP/1.1".into()];
        bad.status = Some(404);
        bad.headers.remove("via");
        bad.headers.insert("server".into(), "cloudflare".into());
        bad.redirects.clear();
        (bad.body, bad.body_byte, bad.version) = (Some("2".into()), Some(9), None);
        let changes = difference(&good(), &bad);
        let shown: Vec<_> = changes
            .iter()
            .map(|c| {
                let word = |v: &Option<String>| v.clone().unwrap_or_else(|| "-".into());
                format!("{}: {} > {}", c.what, word(&c.before), word(&c.after))
            })
            .collect();
        assert_eq!(
            shown,
            [
                "addresses: 192.0.2.1, 192.0.2.2 > 192.0.2.9",
                "certificate: aaaaaaaaaaaaaaaa… by Test CA, until 1970-01-01 > bbbbbbbbbbbbbbbb… by Other CA, until 1970-01-01",
                "issuer: Test CA > Other CA",
                "protocols: TLSv1.3, HTTP/2 > TLSv1.3, HTTP/1.1",
                "status: 200 > 404",
                "redirects: https://a.test/x > -",
                "header server: gunicorn > cloudflare",
                "header via: 1.1 google > -",
                "body: 20 bytes > 9 bytes",
                "version: v1 > -",
            ]
        );
    }

    #[test]
    fn records_that_vanish_are_a_change() {
        let with = Snapshot { records: vec!["192.0.2.1".into()], ..Snapshot::default() };
        let changes = difference(&with, &Snapshot::default());
        assert_eq!(
            changes,
            [Change { what: "records".into(), before: Some("192.0.2.1".into()), after: None }]
        );
    }

    #[test]
    fn our_own_connection_is_suspected_only_where_nothing_of_the_target_was_seen() {
        let result = |outcome, reason| CheckResult::new(Timestamp::UNIX_EPOCH, outcome, reason, "");
        assert!(own_side(&result(Outcome::Inconclusive, Some(Reason::DnsSilent))));
        assert!(own_side(&result(Outcome::Inconclusive, Some(Reason::OwnConnection))));
        assert!(own_side(&result(Outcome::Down, Some(Reason::Timeout))));
        let mut slow = result(Outcome::Down, Some(Reason::Timeout));
        slow.timings.connect_us = Some(5);
        assert!(!own_side(&slow));
        assert!(!own_side(&result(Outcome::Down, Some(Reason::Status))));
        let mut refused = result(Outcome::Down, Some(Reason::ConnectionError));
        assert!(!own_side(&refused));
        refused.facts.unreachable = true;
        assert!(own_side(&refused));
        assert!(!own_side(&result(Outcome::Up, None)));
    }
}
