//! What a round of `landfall tls --watch` or `landfall http --watch` has to tell: a line for whatever became another.

use std::collections::BTreeSet;

use jiff::Timestamp;
use landfall_diagnosis::{Answer, Answers, Leaves};

use crate::text::clean;

/// What became another between two rounds, one line an address. `old` are the certificates that are to be replaced.
pub fn leaf_changes(before: &Leaves, after: &Leaves, old: &BTreeSet<String>, now: Timestamp) -> Vec<String> {
    let stamp = stamp(now);
    let mut lines = Vec::new();
    for (address, shown) in after.at.iter().filter(|(address, shown)| before.at.get(address) != Some(shown)) {
        let says = match shown {
            Ok(leaf) => {
                let age =
                    if old.contains(&leaf.sha256) { "the old certificate" } else { "a new certificate" };
                let short = leaf.sha256.get(..16).unwrap_or(&leaf.sha256);
                let fault = leaf.fault.as_ref().map(|why| format!(", but {why}")).unwrap_or_default();
                format!(
                    "{age} ({short}) of {}, from {} to {}{fault}",
                    leaf.issuer,
                    day(leaf.not_before),
                    day(leaf.not_after)
                )
            }
            Err(why) => format!("no certificate: {why}"),
        };
        lines.push(format!("{stamp}  {address}: {says}"));
    }
    for address in before.at.keys().filter(|address| !after.at.contains_key(address)) {
        lines.push(format!("{stamp}  {address} is no longer an address of the name"));
    }
    if after.all_renewed(old) && !before.all_renewed(old) {
        lines.push(format!("{stamp}  every address shows a new certificate that holds"));
    }
    lines.iter().map(|line| clean(line).into_owned()).collect()
}

/// What became another between two rounds, one line an endpoint.
pub fn answer_changes(before: &Answers, after: &Answers, now: Timestamp) -> Vec<String> {
    let stamp = stamp(now);
    let changed = after.at.iter().filter(|(endpoint, answer)| before.at.get(*endpoint) != Some(answer));
    let lines = changed.map(|(endpoint, answer)| {
        let says = match answer {
            Answer::Given { status, marks } => {
                let marks: Vec<String> =
                    marks.iter().map(|(field, mark)| format!(", {field} {mark}")).collect();
                format!("answers {status}{}", marks.concat())
            }
            Answer::Hidden(why) => format!("not seen: {why}"),
            Answer::Missing(why) => format!("does not answer: {why}"),
        };
        format!("{stamp}  {endpoint} {says}")
    });
    lines.map(|line: String| clean(&line).into_owned()).collect()
}

fn stamp(now: Timestamp) -> String {
    now.strftime("%H:%M:%S UTC").to_string()
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use landfall_diagnosis::Leaf;

    use super::*;

    fn at(s: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + s).expect("in range")
    }

    #[test]
    fn a_renewal_is_told_address_by_address_and_once() {
        let leaf = |sha256: &str, fault: Option<&str>| Leaf {
            sha256: sha256.to_owned(),
            issuer: "Let's\u{1b}Encrypt".to_owned(),
            not_before: at(0),
            not_after: at(90 * 86_400),
            fault: fault.map(str::to_owned),
        };
        let leaves = |shown: &[(&str, Result<Leaf, String>)]| Leaves {
            at: shown.iter().map(|(a, s)| (a.parse().expect("valid"), s.clone())).collect(),
        };
        let old_one = leaf("aaaaaaaaaaaaaaaaaaaa", None);
        let first = leaves(&[("192.0.2.1:443", Ok(old_one.clone())), ("192.0.2.2:443", Ok(old_one))]);
        let old = first.to_be_replaced();
        let lines = leaf_changes(&Leaves::default(), &first, &old, at(0));
        assert_eq!(
            lines[0],
            "22:13:20 UTC  192.0.2.1:443: the old certificate (aaaaaaaaaaaaaaaa) of Let's\u{241b}Encrypt, from 2023-11-14 to 2024-02-12"
        );
        assert_eq!(lines.len(), 2);
        assert!(leaf_changes(&first, &first, &old, at(10)).is_empty());
        let wrong = leaf("bbbbbbbbbbbbbbbbbbbb", Some("it is not for this name"));
        let second = leaves(&[("192.0.2.1:443", Ok(wrong)), ("192.0.2.2:443", Err("refused".to_owned()))]);
        let lines = leaf_changes(&first, &second, &old, at(10));
        assert!(
            lines[0].contains("a new certificate") && lines[0].ends_with(", but it is not for this name"),
            "{lines:?}"
        );
        assert_eq!(lines[1], "22:13:30 UTC  192.0.2.2:443: no certificate: refused");
        let last = leaves(&[("192.0.2.1:443", Ok(leaf("cccccccccccccccccccc", None)))]);
        let lines = leaf_changes(&second, &last, &old, at(20));
        assert_eq!(
            lines[1..],
            [
                "22:13:40 UTC  192.0.2.2:443 is no longer an address of the name",
                "22:13:40 UTC  every address shows a new certificate that holds"
            ]
        );
    }

    #[test]
    fn an_endpoint_that_changes_is_told_with_its_marks() {
        let answers = |answer: Answer| Answers { at: BTreeMap::from([("GET /health".to_owned(), answer)]) };
        let given = |status, version: &str| {
            let marks = BTreeMap::from([("version".to_owned(), version.to_owned())]);
            answers(Answer::Given { status, marks })
        };
        let first = given(200, "1.0");
        assert!(answer_changes(&first, &first, at(0)).is_empty());
        assert_eq!(
            answer_changes(&first, &given(200, "1.1"), at(1)),
            ["22:13:21 UTC  GET /health answers 200, version 1.1"]
        );
        let gone = answers(Answer::Missing("connection refused".to_owned()));
        assert_eq!(
            answer_changes(&first, &gone, at(2)),
            ["22:13:22 UTC  GET /health does not answer: connection refused"]
        );
    }
}
