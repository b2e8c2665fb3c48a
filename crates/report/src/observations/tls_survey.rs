//! A survey of a TLS endpoint as a few rows.

use std::collections::BTreeMap;

use landfall_evidence::{Observed, Standing, TlsSurvey};

use super::row;
use crate::words;

/// Rows beneath those of the handshake with the same address.
pub(super) fn rows(out: &mut String, answer: &Observed<Box<TlsSurvey>>, width: usize) {
    let mut line = |name: &str, text: &str| row(out, width, &[(name, 10)], text);
    let survey = match answer {
        Observed::Present(survey) => survey,
        other => return line("survey", &other.describe()),
    };
    for (n, text) in
        standings(survey.versions.iter().map(|v| (v.version.to_string(), &v.standing))).iter().enumerate()
    {
        line(if n == 0 { "versions" } else { "" }, text);
    }
    let suites = survey.suites.iter().map(|s| {
        let name = match &s.suite {
            Some(suite) => format!("{} ({suite})", s.class),
            None => s.class.to_string(),
        };
        (name, &s.standing)
    });
    for (n, text) in standings(suites).iter().enumerate() {
        line(if n == 0 { "suites" } else { "" }, text);
    }
    if let Some(bits) = survey.dh_bit {
        line("", &format!("prime of {bits} bits"));
    }
    let groups = [
        ("curves below 224 bits".to_owned(), &survey.weak_groups.standing),
        ("X25519MLKEM768".to_owned(), &survey.post_quantum.standing),
    ];
    for (n, text) in standings(groups.into_iter()).iter().enumerate() {
        line(if n == 0 { "groups" } else { "" }, text);
    }
    if let Some(shown) = &survey.server_hello {
        let has = |name: &str, there: bool| format!("{name} {}", if there { "yes" } else { "no" });
        let parts = [
            has("secure renegotiation", shown.secure_renegotiation),
            has("extended master secret", shown.extended_master_secret),
            has("compression", shown.compression),
            has("stapled status", shown.stapled),
        ];
        line("in 1.2", &parts.join(", "));
    }
    let large = &survey.large_hello;
    let answered = match &large.answer {
        Observed::Present(version) => format!("answered with {version}"),
        other => other.describe(),
    };
    line("hello", &format!("{} bytes in two segments: {answered}", large.sent_byte));
    match &survey.resumption {
        Observed::Present(shown) => {
            let resumed = match shown.resumed {
                Some(true) => "resumed",
                Some(false) => "not resumed",
                None => "nothing to resume",
            };
            let lifetime = match shown.lifetime_s {
                Some(seconds) if seconds >= 7200 => format!(", lifetime {} h", seconds / 3600),
                Some(seconds) if seconds > 0 => format!(", lifetime {} min", seconds / 60),
                _ => String::new(),
            };
            let early = match shown.early_data_byte {
                0 => "no early data".to_owned(),
                bytes => format!("early data of {} bytes", words::grouped(u64::from(bytes))),
            };
            let tickets = words::count(shown.tickets, "session", "sessions");
            line("sessions", &format!("{tickets}{lifetime}, {resumed}, {early}"));
        }
        other => line("sessions", &other.describe()),
    }
    match &survey.without_name {
        Observed::Present(shown) => line("no name", &format!("a certificate for {}", shown.names.join(", "))),
        other => line("no name", &other.describe()),
    }
    if let Some(check) = &survey.revocation {
        let text = match &check.answer {
            Observed::Present(list) => match list.revoked_at {
                Some(at) => format!("REVOKED on {}", words::day(at)),
                None => {
                    format!("not among the {} of {}", words::grouped(u64::from(list.entries)), list.issuer)
                }
            },
            other => other.describe(),
        };
        line("revoked", &format!("{text}  [{}]", check.url));
    }
    if let Some(fetch) = &survey.issuer {
        let text = match &fetch.answer {
            Observed::Present(fetched) => format!("{} fetched", fetched.subject),
            other => other.describe(),
        };
        line("issuer", &format!("{text}  [{}]", fetch.url));
    }
    line("asked by", &format!("{} connections, at most {} at once", survey.connections, survey.at_once));
}

/// One line for each standing, with all that stands so.
fn standings<'a>(all: impl Iterator<Item = (String, &'a Standing)>) -> Vec<String> {
    // Offered, not offered, open, not asked; within the last two by their reason.
    let mut lines: BTreeMap<(u8, String), Vec<String>> = BTreeMap::new();
    for (name, standing) in all {
        let key = match standing {
            Standing::Offered => (0, "offered".to_owned()),
            Standing::NotOffered { .. } => (1, "not offered".to_owned()),
            Standing::Open { .. } => (2, standing.to_string()),
            Standing::Unasked { .. } => (3, standing.to_string()),
        };
        lines.entry(key).or_default().push(name);
    }
    lines.into_iter().map(|((_, standing), names)| format!("{standing}: {}", names.join(", "))).collect()
}
