//! What the handshakes and certificates show.
//!
//! "Days left" is judged by the certificate's own lifetime, since fixed windows are wrong both for certificates of six
//! days and for those of a year.

use std::collections::BTreeMap;

use jiff::Timestamp;
use landfall_evidence::{
    Certificate, Denial, Observation, ObservationId, Observed, TlsHandshake, TlsObservation, TlsSurvey,
    TrustRefusal, TrustResult, Vantage,
};

use super::{codes, raise, tls_survey, with_severity};
use crate::case::Case;
use crate::thresholds::{
    CHAIN_LENGTH, CHAIN_SIZE, RSA_KEY_BITS, RSA_KEY_BITS_MAX, SCT_LONG, SCT_SHORT, Threshold,
};
use crate::words::in_words;
use crate::{Finding, Severity};

const DAY_S: i64 = 86_400;

type Seen<'a> = (&'a Observation, &'a TlsObservation);

pub(super) fn findings(case: &Case<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(plain_http(case));
    for vantage in [Vantage::Edge, Vantage::Origin] {
        let seen: Vec<Seen<'_>> = case.evidence().tls().filter(|(o, _)| o.vantage == vantage).collect();
        let of_one = handshakes(case, &seen).into_iter().chain(certificates(case, &seen));
        found.extend(of_one.map(|mut finding| {
            // Clients use the public name; behind it, only the edge meets the origin's certificate.
            if vantage == Vantage::Origin {
                finding.severity = finding.severity.min(Severity::Low);
                finding.title = format!("Under the platform's own name: {}", finding.title);
            }
            finding
        }));
    }
    found
}

fn plain_http(case: &Case<'_>) -> Option<Finding> {
    let url = case.production()?;
    let on_this_machine = url.host_str().is_some_and(|h| {
        h == "localhost"
            || h.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|a| a.is_loopback())
    });
    (url.scheme() == "http" && !on_this_machine).then(|| {
        raise(
            &codes::TLS_PLAIN_HTTP,
            format!("Production is reached over plain HTTP: {url}"),
            "Everything sent can be read and changed on the way.",
            "Serve it over HTTPS and redirect port 80 there.",
            case.evidence()
                .http_of(Vantage::Edge, landfall_evidence::Purpose::Endpoint)
                .map(|(o, _)| o.id.clone())
                .collect(),
        )
    })
}

/// Handshakes that did not come about.
fn handshakes(case: &Case<'_>, seen: &[Seen<'_>]) -> Option<Finding> {
    let asked: Vec<&Seen<'_>> = seen.iter().filter(|(_, s)| s.answer.was_asked()).collect();
    let failed: Vec<&Seen<'_>> = asked
        .iter()
        .filter(|(_, s)| match &s.answer {
            Observed::Denied(Denial::Unreachable { .. }) | Observed::Silent(_) => case.view.vantage_is_sane(),
            Observed::Denied(_) => true,
            _ => false,
        })
        .copied()
        .collect();
    let (_, first) = failed.first()?;
    let words: Vec<String> =
        failed.iter().map(|(_, s)| format!("{}: {}", s.question.address, s.answer.describe())).collect();
    let all = failed.len() == asked.len();
    let title = if all {
        format!("No TLS handshake with {} comes about ({})", first.question.host, in_words(&words))
    } else {
        format!(
            "{} of {} addresses do not complete a handshake ({})",
            failed.len(),
            asked.len(),
            in_words(&words)
        )
    };
    let finding = raise(
        &codes::TLS_HANDSHAKE,
        title,
        if all { "No client can connect." } else { "Clients that pick that address wait or fail." },
        "Check that the address is the one that the platform gives out today, that port 443 is open there, and that a certificate for the name is installed.",
        failed.iter().map(|(o, _)| o.id.clone()).collect(),
    );
    Some(if all { finding } else { with_severity(finding, Severity::Medium) })
}

fn certificates(case: &Case<'_>, seen: &[Seen<'_>]) -> Vec<Finding> {
    let present: Vec<(&Observation, &TlsObservation, &TlsHandshake)> =
        seen.iter().filter_map(|(o, s)| Some((*o, *s, s.answer.present()?))).collect();
    let mut found: Vec<Finding> = Vec::new();
    for (observation, seen, handshake) in &present {
        for finding in one_chain(case, &seen.question.host, handshake, &observation.id) {
            // The same chain at every address is one finding with several proofs.
            match found.iter_mut().find(|f| f.code == finding.code && f.title == finding.title) {
                Some(known) => known.evidence.extend(finding.evidence),
                None => found.push(finding),
            }
        }
    }
    let leaves: Vec<&str> =
        present.iter().filter_map(|(.., h)| Some(h.chain.first()?.sha256.as_str())).collect();
    if leaves.iter().any(|leaf| *leaf != leaves[0]) {
        found.push(raise(
            &codes::TLS_ADDRESSES_DIFFER,
            format!("The addresses of {} present different certificates", present[0].1.question.host),
            "One of them may be a forgotten machine whose certificate will expire first.",
            "Compare serial numbers and dates address by address.",
            present.iter().map(|(o, ..)| o.id.clone()).collect(),
        ));
    }
    found
}

fn one_chain(case: &Case<'_>, host: &str, handshake: &TlsHandshake, id: &ObservationId) -> Vec<Finding> {
    let now = case.evidence().started_at;
    let mut found = Vec::new();
    let mut add = |finding: Finding| found.push(finding);
    let proof = || vec![id.clone()];
    let Some(leaf) = handshake.chain.first() else { return found };
    if leaf.not_after < now {
        add(raise(
            &codes::TLS_EXPIRED,
            format!("The certificate of {host} expired on {}", date(leaf.not_after)),
            "Every client that checks certificates refuses to connect.",
            "Renew the certificate and find out why the renewal did not happen by itself.",
            proof(),
        ));
    } else if leaf.not_before > now {
        add(raise(
            &codes::TLS_NOT_YET_VALID,
            format!("The certificate of {host} is valid only from {}", date(leaf.not_before)),
            "Every client that checks certificates refuses to connect.",
            "Compare this machine's clock with another one; then install a certificate that is valid today.",
            proof(),
        ));
    }
    if !handshake.name_matches {
        add(raise(
            &codes::TLS_NAME_MISMATCH,
            match only_common_name(leaf, host) {
                true => format!(
                    "The certificate names {host} in its common name alone, where no client looks (RFC 9525 section 2)"
                ),
                false => format!("The certificate is for {}, not for {host}", names(leaf)),
            },
            "Every client that checks certificates refuses to connect.",
            "Bind the custom domain to the service so that the platform issues a certificate for it, or renew with this name.",
            proof(),
        ));
    }
    let survey = tls_survey::survey_of(case, id);
    found.extend(trust(host, handshake, id, tls_survey::fetched_issuer(survey)));
    let mut add = |finding: Finding| found.push(finding);
    if let Some((certificate, state)) = soonest(handshake, now) {
        let title = format!(
            "{} of {host} has {} left of {}; renewal was due {} ago",
            if std::ptr::eq(certificate, leaf) {
                "The certificate".into()
            } else {
                format!("An intermediate certificate ({})", certificate.subject)
            },
            days(state.left_s),
            days(state.lifetime_s),
            days(state.overdue_s),
        );
        add(with_severity(
            raise(
                &codes::TLS_RENEWAL,
                title,
                format!("When it ends, on {}, every client refuses to connect.", date(certificate.not_after)),
                "See why automatic renewal has not run: the challenge path, CAA, and the issuing account.",
                proof(),
            ),
            state.severity,
        ));
    }
    if let Some(said) = disorder(&handshake.chain) {
        add(raise(
            &codes::TLS_ORDER,
            format!("The certificates of {host} are out of order: {said}"),
            "Strict and old clients fail.",
            "Send the leaf first, then each issuer in turn.",
            proof(),
        ));
    }
    let roots: Vec<&str> = handshake
        .chain
        .iter()
        .skip(1)
        .filter(|c| c.self_issued && c.is_ca)
        .map(|c| c.subject.as_str())
        .collect();
    if !roots.is_empty() {
        add(raise(
            &codes::TLS_ROOT_SENT,
            format!("The chain of {host} carries a root that no client needs: {}", in_words(&roots)),
            "A kilobyte or so in every handshake.",
            "Leave the root out of the chain file.",
            proof(),
        ));
    }
    let set = &case.evidence().settings.thresholds;
    if let Some(said) = weak_key(leaf, set) {
        add(raise(
            &codes::TLS_WEAK_KEY,
            format!("The certificate of {host} has {said}"),
            "Current clients may refuse it.",
            "Renew with a P-256 key, or RSA of 2048 bits or more.",
            proof(),
        ));
    }
    if let Some(bits) = rsa_bits(leaf).filter(|bits| u64::from(*bits) > RSA_KEY_BITS_MAX.of(set)) {
        add(raise(
            &codes::TLS_ODD_KEY,
            format!(
                "The certificate of {host} has an RSA key of {bits} bits {}",
                RSA_KEY_BITS_MAX.words(set)
            ),
            "Each handshake costs several times the work.",
            "Renew with a P-256 key.",
            proof(),
        ));
    }
    if let Some(said) = surplus(handshake, set) {
        add(raise(
            &codes::TLS_SURPLUS,
            format!("The chain of {host} is larger than it need be: {said}"),
            "It is sent in every handshake.",
            "Send the leaf and the intermediates up to the root, each once, and nothing else.",
            proof(),
        ));
    }
    let aging = |c: &&Certificate| !c.self_issued && c.signature.to_ascii_lowercase().contains("sha224");
    if let Some(certificate) = handshake.chain.iter().find(aging) {
        add(raise(
            &codes::TLS_AGING_SIGNATURE,
            format!("{} is signed with {}", certificate.subject, certificate.signature),
            "No client refuses it today.",
            "Renew at an authority that signs with SHA-256.",
            proof(),
        ));
    }
    if let Some(certificate) = handshake.chain.iter().find(|c| is_broken(c)) {
        add(raise(
            &codes::TLS_WEAK_SIGNATURE,
            format!("{} is signed with {}", certificate.subject, certificate.signature),
            "Current clients refuse it.",
            "Renew at an authority that signs with SHA-256.",
            proof(),
        ));
    }
    let public = trusted_stores(handshake).iter().any(|store| !is_callers_store(store));
    if public && let Some((count, threshold)) = few_timestamps(leaf, survey, set) {
        let finding = raise(
            &codes::TLS_SCT,
            format!(
                "The certificate of {host} carries {} of Certificate Transparency {}",
                match count {
                    0 => "no timestamp".to_owned(),
                    1 => "one timestamp".to_owned(),
                    more => format!("{more} timestamps"),
                },
                threshold.words(set)
            ),
            "Chrome, Safari and Firefox refuse it; curl and most API clients do not look.",
            "Renew at an authority that logs what it issues, as all public ones do by default.",
            proof(),
        );
        add(finding);
    }
    let limit_days = lifetime_limit_days(leaf.not_before);
    if public && lifetime_days(leaf) > limit_days {
        add(raise(
            &codes::TLS_LIFETIME,
            format!(
                "The certificate of {host} lives {} days; {limit_days} were allowed when it was issued",
                lifetime_days(leaf)
            ),
            "Clients that enforce the limit refuse it.",
            "Renew with a shorter lifetime and let a program do it.",
            proof(),
        ));
    }
    if handshake.version != "TLSv1.3" {
        add(raise(
            &codes::TLS_OLD_VERSION,
            format!("{host} chose {} although TLS 1.3 was offered", handshake.version),
            "One more round trip in each new connection.",
            "Enable TLS 1.3 at the edge.",
            proof(),
        ));
    }
    let path = validated_path(handshake);
    let idle: Vec<&str> = handshake
        .chain
        .iter()
        .skip(1)
        .filter(|c| c.not_after < now && !path.is_empty() && !path.contains(&c.subject.as_str()))
        .map(|c| c.subject.as_str())
        .collect();
    if !idle.is_empty() {
        add(raise(
            &codes::TLS_EXTRA_EXPIRED,
            format!(
                "The chain of {host} carries an expired certificate that is not needed: {}",
                in_words(&idle)
            ),
            "A few old clients stumble over it.",
            "Leave it out of the chain file.",
            proof(),
        ));
    }
    found
}

/// Trust, as the stores see it. A store that the caller named decides alone: that is what it was named for.
fn trust(
    host: &str,
    handshake: &TlsHandshake,
    id: &ObservationId,
    fetched: Option<String>,
) -> Option<Finding> {
    let refusals: Vec<(&str, TrustRefusal, &str)> = handshake
        .trust
        .iter()
        .filter_map(|t| match &t.result {
            TrustResult::Refused { reason, detail } => Some((t.store.as_str(), *reason, detail.as_str())),
            TrustResult::Trusted { .. } => None,
        })
        .collect();
    let trusted = trusted_stores(handshake);
    if refusals.is_empty() || trusted.iter().any(|store| is_callers_store(store)) {
        return None;
    }
    // Dates and names have findings of their own.
    let of_trust = |reason: TrustRefusal| {
        !matches!(reason, TrustRefusal::Expired | TrustRefusal::NotYetValid | TrustRefusal::NameMismatch)
    };
    let (_, reason, detail) = *refusals.iter().find(|(_, reason, _)| of_trust(*reason))?;
    let proof = vec![id.clone()];
    if !trusted.is_empty() {
        let without: Vec<&str> = refusals.iter().map(|(store, ..)| *store).collect();
        return Some(raise(
            &codes::TLS_SOME_STORES,
            format!(
                "The certificate of {host} is trusted by {}, not by {}",
                in_words(&trusted),
                in_words(&without)
            ),
            "It works on some machines and fails on others.",
            "Use an authority that all stores know, or install its root wherever clients run.",
            proof,
        ));
    }
    Some(if reason == TrustRefusal::IncompleteChain {
        raise(
            &codes::TLS_INCOMPLETE,
            format!("{host} does not send the intermediate certificate of its issuer"),
            fetched.unwrap_or_else(|| {
                "Browsers may still work; curl, Go, Java, Python and most API clients fail.".into()
            }),
            "Install the full chain file (leaf and intermediates) at the server.",
            proof,
        )
    } else {
        let kind = match reason {
            TrustRefusal::SelfSigned => "is self-signed".to_owned(),
            // The verifier finds no issuer for a signature that it cannot check, and says so in these words.
            _ if handshake.chain.iter().any(is_broken) => {
                "is refused: a certificate of its chain is signed in a way that clients no longer take"
                    .to_owned()
            }
            TrustRefusal::UnknownIssuer => "was issued by an authority that no root store knows".to_owned(),
            _ => format!("is refused: {detail}"),
        };
        raise(
            &codes::TLS_UNTRUSTED,
            format!("The certificate of {host} {kind}"),
            "Every client that checks certificates refuses to connect.",
            "Install a certificate of a public authority, or give the private root with --ca-file if clients have it.",
            proof,
        )
    })
}

/// Whether a certificate is signed with a hash that clients refuse. A root's own signature is looked at by nobody.
fn is_broken(certificate: &Certificate) -> bool {
    let name = certificate.signature.to_ascii_lowercase();
    let of = ["sha1", "sha-1", "md5", "md2"].iter().any(|hash| name.contains(hash));
    of && !certificate.self_issued
}

/// Root stores that found a path.
pub(crate) fn trusted_stores(handshake: &TlsHandshake) -> Vec<&str> {
    handshake
        .trust
        .iter()
        .filter(|t| matches!(t.result, TrustResult::Trusted { .. }))
        .map(|t| t.store.as_str())
        .collect()
}

pub(super) fn is_callers_store(store: &str) -> bool {
    store.starts_with("--ca-file")
}

fn validated_path(handshake: &TlsHandshake) -> Vec<&str> {
    handshake
        .trust
        .iter()
        .find_map(|t| match &t.result {
            TrustResult::Trusted { path } => Some(path.iter().map(String::as_str).collect()),
            TrustResult::Refused { .. } => None,
        })
        .unwrap_or_default()
}

/// How far a certificate is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RenewalState {
    /// Seconds of validity left.
    left_s: i64,
    /// Seconds from the start of its validity to the end.
    lifetime_s: i64,
    /// Seconds since renewal was due.
    overdue_s: i64,
    /// How bad that is.
    severity: Severity,
}

/// Where a certificate stands against the thresholds relative to its lifetime; `None` while renewal is not due, and
/// when it is already expired, which is another finding.
fn renewal(certificate: &Certificate, now: Timestamp) -> Option<RenewalState> {
    let lifetime_s = certificate.not_after.as_second() - certificate.not_before.as_second();
    let left_s = certificate.not_after.as_second() - now.as_second();
    if left_s <= 0 || lifetime_s <= 0 {
        return None;
    }
    let notice = notice_s(lifetime_s);
    let warn = (lifetime_s / 4).min(30 * DAY_S);
    let high = (lifetime_s * 15 / 100).min(14 * DAY_S).max(DAY_S.min(lifetime_s / 4));
    let critical = (lifetime_s / 20).min(DAY_S);
    let severity = match left_s {
        left if left <= critical => Severity::Critical,
        left if left <= high => Severity::High,
        left if left <= warn => Severity::Medium,
        left if left <= notice => Severity::Low,
        _ => return None,
    };
    Some(RenewalState { left_s, lifetime_s, overdue_s: notice - left_s, severity })
}

/// How long before its end a certificate of this lifetime is due for renewal, in seconds.
fn notice_s(lifetime_s: i64) -> i64 {
    if lifetime_s < 10 * DAY_S { lifetime_s / 2 } else { (lifetime_s / 3).min(45 * DAY_S) }
}

/// From when on its renewal is due.
pub(super) fn due_from(certificate: &Certificate) -> Timestamp {
    let end_s = certificate.not_after.as_second();
    let due_s = end_s - notice_s(end_s - certificate.not_before.as_second());
    Timestamp::from_second(due_s).unwrap_or(certificate.not_after)
}

/// Whether its renewal is due.
pub(super) fn is_due(certificate: &Certificate, now: Timestamp) -> bool {
    due_from(certificate) <= now
}

/// The certificate on the validated path (or the leaf, where none holds) whose renewal is most pressing.
fn soonest(handshake: &TlsHandshake, now: Timestamp) -> Option<(&Certificate, RenewalState)> {
    let path = validated_path(handshake);
    handshake
        .chain
        .iter()
        .enumerate()
        .filter(|(i, c)| *i == 0 || path.contains(&c.subject.as_str()))
        .filter_map(|(_, c)| Some((c, renewal(c, now)?)))
        .max_by_key(|(_, state)| (state.severity, -state.left_s))
}

/// Whole days from the start of validity to its end, rounded up.
fn lifetime_days(certificate: &Certificate) -> i64 {
    let seconds = certificate.not_after.as_second() - certificate.not_before.as_second();
    seconds.max(0).div_euclid(DAY_S) + i64::from(seconds.rem_euclid(DAY_S) > 1)
}

/// The longest lifetime that a public certificate may have, by the day of issue (ballot SC-081v3).
fn lifetime_limit_days(not_before: Timestamp) -> i64 {
    let steps: [(&str, i64); 3] =
        [("2029-03-15T00:00:00Z", 47), ("2027-03-15T00:00:00Z", 100), ("2026-03-15T00:00:00Z", 200)];
    steps
        .iter()
        .find(|(from, _)| from.parse::<Timestamp>().is_ok_and(|from| not_before >= from))
        .map_or(398, |(_, days)| *days)
}

fn weak_key(leaf: &Certificate, set: &BTreeMap<String, u64>) -> Option<String> {
    if leaf.key.algorithm == "DSA" {
        return Some("a DSA key, which no client of today takes".into());
    }
    if leaf.more.as_ref().is_some_and(|more| more.rsa_exponent == Some(1)) {
        return Some("an RSA key with the exponent 1, which protects nothing".into());
    }
    let size = leaf.key.size_bit?;
    let (floor, why) = match leaf.key.algorithm.as_str() {
        "RSA" => (RSA_KEY_BITS.of(set), RSA_KEY_BITS.words(set)),
        "ECDSA" => (224, "(threshold 224: NIST SP 800-57 part 1, 112 bits of strength)".to_owned()),
        _ => return None,
    };
    (u64::from(size) < floor).then(|| format!("{} key of {size} bits {why}", leaf.key.algorithm))
}

fn rsa_bits(leaf: &Certificate) -> Option<u32> {
    leaf.key.size_bit.filter(|_| leaf.key.algorithm == "RSA")
}

/// Whether the host stands in the common name of a certificate that has no alternative names.
fn only_common_name(leaf: &Certificate, host: &str) -> bool {
    leaf.san.is_empty() && leaf.subject_cn.as_deref().is_some_and(|cn| cn.eq_ignore_ascii_case(host))
}

/// What a chain carries too much, in words.
fn surplus(handshake: &TlsHandshake, set: &BTreeMap<String, u64>) -> Option<String> {
    let chain = &handshake.chain;
    let twice = chain.iter().enumerate().find(|(i, c)| chain.iter().take(*i).any(|b| b.sha256 == c.sha256));
    let count = handshake.chain_count.map_or(chain.len() as u64, u64::from);
    let mut said = Vec::new();
    if let Some((_, certificate)) = twice {
        said.push(format!("{} is sent twice", certificate.subject));
    }
    if count > CHAIN_LENGTH.of(set) {
        said.push(format!("{count} certificates {}", CHAIN_LENGTH.words(set)));
    }
    if let Some(size) = handshake.chain_byte.filter(|size| u64::from(*size) > CHAIN_SIZE.of(set)) {
        said.push(format!("{size} bytes {}", CHAIN_SIZE.words(set)));
    }
    (!said.is_empty()).then(|| said.join("; "))
}

/// The timestamps of a leaf when they are fewer than browsers want; those that come beside the certificate count too.
fn few_timestamps(
    leaf: &Certificate,
    survey: Option<&TlsSurvey>,
    set: &BTreeMap<String, u64>,
) -> Option<(u64, Threshold)> {
    let mut logs: Vec<&String> = leaf.more.as_ref()?.sct_logs.iter().collect();
    logs.sort_unstable();
    logs.dedup();
    let beside = survey.and_then(|survey| survey.server_hello.as_ref()).map_or(0, |shown| shown.sct_count);
    let count = (logs.len() as u64).max(u64::from(beside));
    let threshold = if lifetime_days(leaf) > 180 { SCT_LONG } else { SCT_SHORT };
    (count < threshold.of(set)).then_some((count, threshold))
}

/// The first certificate whose issuer was sent, but not next to it.
fn disorder(chain: &[Certificate]) -> Option<String> {
    chain.iter().enumerate().find_map(|(i, certificate)| {
        let next = chain.get(i + 1)?;
        let elsewhere = chain.iter().any(|c| c.subject == certificate.issuer);
        (!certificate.self_issued && next.subject != certificate.issuer && elsewhere).then(|| {
            format!("{} is followed by {}, its issuer comes elsewhere", certificate.subject, next.subject)
        })
    })
}

fn names(leaf: &Certificate) -> String {
    if leaf.san.is_empty() {
        return leaf.subject_cn.clone().unwrap_or_else(|| leaf.subject.clone());
    }
    let shown: Vec<&str> = leaf.san.iter().take(4).map(String::as_str).collect();
    match leaf.san.len() - shown.len() {
        0 => in_words(&shown),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

fn days(seconds: i64) -> String {
    match seconds {
        s if s < 2 * 3600 => format!("{} minutes", s / 60),
        s if s < 2 * DAY_S => format!("{} hours", s / 3600),
        s => format!("{} days", s / DAY_S),
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use landfall_evidence::{CertificateDetails, TrustPath};

    use super::*;
    use crate::testworld::{V4_OTHER, deployed, now, undeployed};

    fn certificate(lifetime_h: i64, left_h: i64) -> Certificate {
        let world = undeployed();
        let (_, tls) = world.0.tls().next().expect("a handshake");
        let mut leaf = tls.answer.present().expect("finished").chain[0].clone();
        leaf.not_after = now() + SignedDuration::from_hours(left_h);
        leaf.not_before = leaf.not_after - SignedDuration::from_hours(lifetime_h);
        leaf
    }

    #[test]
    fn days_left_are_judged_by_the_lifetime() {
        use Severity::{Critical, High, Low, Medium};
        // (lifetime, left, severity), in hours: the table of thresholds, one step inside and one outside of each.
        let day = 24;
        let cases = [
            (398 * day, 46 * day, None),
            (398 * day, 45 * day, Some(Low)),
            (398 * day, 30 * day, Some(Medium)),
            (398 * day, 14 * day, Some(High)),
            (398 * day, day, Some(Critical)),
            (90 * day, 31 * day, None),
            (90 * day, 30 * day, Some(Low)),
            (90 * day, 23 * day, Some(Low)),
            (90 * day, 22 * day, Some(Medium)),
            (90 * day, 14 * day, Some(Medium)),
            (90 * day, 13 * day, Some(High)),
            (90 * day, 24, Some(Critical)),
            (47 * day, 16 * day, None),
            (47 * day, 15 * day, Some(Low)),
            (47 * day, 7 * day, Some(High)),
            (160, 81, None),
            (160, 80, Some(Low)),
            (160, 40, Some(Medium)),
            (160, 24, Some(High)),
            (160, 8, Some(Critical)),
            (90 * day, 0, None),
            (90 * day, -5, None),
        ];
        for (lifetime, left, want) in cases {
            assert_eq!(
                renewal(&certificate(lifetime, left), now()).map(|r| r.severity),
                want,
                "{lifetime} h, {left} h left"
            );
        }
        let state = renewal(&certificate(90 * day, 20 * day), now()).expect("due");
        assert_eq!((state.left_s, state.overdue_s), (20 * DAY_S, 10 * DAY_S));
    }

    #[test]
    fn lifetimes_are_held_against_the_limit_of_the_day_of_issue() {
        for (day, limit) in [
            ("2025-11-05T00:00:00Z", 398),
            ("2026-03-14T23:59:59Z", 398),
            ("2026-03-15T00:00:00Z", 200),
            ("2027-03-15T00:00:00Z", 100),
            ("2030-01-01T00:00:00Z", 47),
        ] {
            assert_eq!(lifetime_limit_days(day.parse().expect("a time")), limit, "{day}");
        }
    }

    fn refused(reason: TrustRefusal) -> TrustResult {
        TrustResult::Refused { reason, detail: "no".into() }
    }

    fn stores(handshake: &mut TlsHandshake, results: &[(&str, Option<TrustRefusal>)]) {
        let path: Vec<String> = handshake.chain.iter().map(|c| c.subject.clone()).collect();
        handshake.trust = results
            .iter()
            .map(|(store, reason)| TrustPath {
                store: (*store).into(),
                result: reason.map_or_else(|| TrustResult::Trusted { path: path.clone() }, refused),
            })
            .collect();
    }

    type Case = (&'static str, &'static [(&'static str, Severity)], fn(&mut TlsHandshake));

    #[test]
    fn each_tls_rule_fires_on_its_own_fault_alone() {
        use Severity::{Critical, High, Info, Low, Medium};
        let cases: &[Case] = &[
            ("healthy", &[], |_| {}),
            ("expired", &[("LF-TLS-001", Critical)], |h| {
                h.chain[0].not_after = now() - SignedDuration::from_hours(1);
                stores(h, &[("system", Some(TrustRefusal::Expired))]);
            }),
            ("not yet valid", &[("LF-TLS-002", Critical)], |h| {
                h.chain[0].not_before = now() + SignedDuration::from_hours(1);
                stores(h, &[("system", Some(TrustRefusal::NotYetValid))]);
            }),
            ("another name", &[("LF-TLS-003", Critical)], |h| h.name_matches = false),
            ("self-signed", &[("LF-TLS-004", Critical)], |h| {
                stores(h, &[("system", Some(TrustRefusal::SelfSigned))])
            }),
            ("no intermediate", &[("LF-TLS-005", High)], |h| {
                h.chain.truncate(1);
                stores(
                    h,
                    &[
                        ("system", Some(TrustRefusal::IncompleteChain)),
                        ("webpki-roots 1", Some(TrustRefusal::IncompleteChain)),
                    ],
                );
            }),
            ("one store of two", &[("LF-TLS-006", Medium)], |h| {
                stores(h, &[("system", None), ("webpki-roots 1", Some(TrustRefusal::UnknownIssuer))]);
            }),
            ("all stores", &[], |h| stores(h, &[("system", None), ("webpki-roots 1", None)])),
            ("renewal overdue", &[("LF-TLS-007", Medium)], |h| {
                h.chain[0].not_after = now() + SignedDuration::from_hours(20 * 24);
                h.chain[0].not_before = now() - SignedDuration::from_hours(70 * 24);
            }),
            ("out of order", &[("LF-TLS-008", Low)], |h| h.chain.swap(1, 2)),
            ("a root sent", &[("LF-TLS-009", Info)], |h| {
                h.chain[2].issuer = h.chain[2].subject.clone();
                h.chain[2].self_issued = true;
            }),
            ("a short key", &[("LF-TLS-010", High)], |h| {
                h.chain[0].key.algorithm = "RSA".into();
                h.chain[0].key.size_bit = Some(1024);
            }),
            ("DSA", &[("LF-TLS-010", High)], |h| h.chain[0].key.algorithm = "DSA".into()),
            ("exponent 1", &[("LF-TLS-010", High)], |h| {
                h.chain[0].more = Some(CertificateDetails { rsa_exponent: Some(1), ..Default::default() });
            }),
            ("a key of 8192 bits", &[("LF-TLS-041", Info)], |h| {
                h.chain[0].key.algorithm = "RSA".into();
                h.chain[0].key.size_bit = Some(8192);
            }),
            ("SHA-224", &[("LF-TLS-043", Info)], |h| h.chain[1].signature = "sha224WithRSAEncryption".into()),
            ("six certificates", &[("LF-TLS-040", Info)], |h| h.chain_count = Some(6)),
            ("twelve kilobytes", &[("LF-TLS-040", Info)], |h| h.chain_byte = Some(12_000)),
            ("one sent twice", &[("LF-TLS-040", Info)], |h| {
                let again = h.chain[1].clone();
                h.chain.push(again);
            }),
            ("no timestamps in public", &[("LF-TLS-030", High)], |h| {
                h.chain[0].more = Some(CertificateDetails::default());
                stores(h, &[("system", None)]);
            }),
            ("two timestamps in public", &[], |h| {
                let sct_logs = vec!["aa".into(), "bb".into()];
                h.chain[0].more = Some(CertificateDetails { sct_logs, ..Default::default() });
                stores(h, &[("system", None)]);
            }),
            ("two timestamps of one log", &[("LF-TLS-030", High)], |h| {
                let sct_logs = vec!["aa".into(), "aa".into()];
                h.chain[0].more = Some(CertificateDetails { sct_logs, ..Default::default() });
                stores(h, &[("system", None)]);
            }),
            ("no timestamps in private", &[], |h| h.chain[0].more = Some(CertificateDetails::default())),
            ("SHA-1", &[("LF-TLS-011", High)], |h| h.chain[1].signature = "sha1WithRSAEncryption".into()),
            ("SHA-1 in a root", &[("LF-TLS-009", Info)], |h| {
                h.chain[2].issuer = h.chain[2].subject.clone();
                h.chain[2].self_issued = true;
                h.chain[2].signature = "sha1WithRSAEncryption".into();
            }),
            ("too long a life", &[("LF-TLS-012", Medium)], |h| {
                h.chain[0].not_after = now() + SignedDuration::from_hours(500 * 24);
                stores(h, &[("system", None)]);
            }),
            ("a private authority may", &[], |h| {
                h.chain[0].not_after = now() + SignedDuration::from_hours(500 * 24)
            }),
            ("TLS 1.2", &[("LF-TLS-013", Info)], |h| h.version = "TLSv1.2".into()),
            ("an idle certificate expired", &[("LF-TLS-016", Info)], |h| {
                let mut idle = h.chain[2].clone();
                idle.subject = "CN=Old Cross".into();
                idle.sha256 = "hash of Old Cross".into();
                idle.not_after = now() - SignedDuration::from_hours(24);
                h.chain.push(idle);
            }),
        ];
        for (name, want, edit) in cases {
            let diagnosis = deployed().edit_tls(edit).diagnose();
            let got: Vec<(&str, Severity)> = diagnosis
                .findings
                .iter()
                .filter(|f| f.code.starts_with("LF-TLS-"))
                .map(|f| (f.code.as_str(), f.severity))
                .collect();
            assert_eq!(&got, want, "{name}");
        }
    }

    #[test]
    fn addresses_are_looked_at_one_by_one() {
        let at = |address: &'static str, edit: fn(&mut TlsObservation)| {
            let mut world = deployed();
            for o in world.0.observations.iter_mut().filter(|o| o.vantage == Vantage::Edge) {
                if let landfall_evidence::Seen::Tls(seen) = &mut o.seen
                    && seen.question.address.ip().to_string() == address
                {
                    edit(seen);
                }
            }
            world
        };
        let other = at(V4_OTHER, |seen| {
            if let Observed::Present(h) = &mut seen.answer {
                h.chain[0].sha256 = "another".into();
            }
        });
        assert_eq!(other.findings("LF-TLS-014").len(), 1);
        let dead = at(V4_OTHER, |seen| seen.answer = Observed::Denied(Denial::Refused));
        let found = dead.findings("LF-TLS-015");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].severity, Severity::Medium, "the other address works");
        assert!(
            found[0].title.contains("1 of 2 addresses") && found[0].title.contains(V4_OTHER),
            "{}",
            found[0].title
        );
        assert_eq!(dead.diagnose().verdict, crate::Verdict::Degraded);
    }

    #[test]
    fn the_same_chain_at_two_addresses_is_one_finding_with_two_proofs() {
        let found = deployed().edit_tls(|h| h.name_matches = false).findings("LF-TLS-003");
        assert_eq!((found.len(), found[0].evidence.len()), (1, 2));
    }

    #[test]
    fn production_over_plain_http_is_said_except_on_this_machine() {
        let mut world = deployed();
        world.0.target.production = "http://api.levqor.ai/".parse().ok();
        assert_eq!(world.findings("LF-TLS-017").len(), 1);
        world.0.target.production = "http://127.0.0.1:8080/".parse().ok();
        assert!(world.findings("LF-TLS-017").is_empty());
    }
}
