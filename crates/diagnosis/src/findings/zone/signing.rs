//! DNSSEC: the DS record of the zone above, the zone's keys, and the signatures of every server (RFC 4034, RFC 4035).
//!
//! A set is good when at least one of its signatures holds and is within its dates (RFC 4035, section 5.3.3: any one will do,
//! which is what makes a roll-over possible). Only algorithms that we compute are judged; what is signed in another one
//! is left open.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use landfall_evidence::{
    DenialProof, DnsAnswer, DnsKey, DnsServerRole, DnsSignature, Observation, ObservationId, Observed,
    SignatureCheck,
};

use super::super::{codes, raise, with_severity};
use super::delegation::per_server;
use super::{At, Survey, by_answer, data, list, message};
use crate::thresholds::{NSEC3_ITERATIONS, RSA_BITS, SIGNATURE_LEFT, SIGNATURE_LEFT_MAX};
use crate::words::in_words;
use crate::{Finding, Severity};

/// Algorithms that must or should not sign any more (RFC 8624 section 3.1, kept by the IANA registry since RFC 9904): RSA/MD5,
/// DSA, RSA/SHA-1, DSA-NSEC3, RSASHA1-NSEC3, GOST.
const DEPRECATED: [u8; 6] = [1, 3, 5, 6, 7, 12];
/// The SHA-1 digest of a DS record (RFC 8624, section 3.3).
const DS_SHA1: u8 = 1;
/// Digests that we compute.
const DS_DIGESTS: [u8; 3] = [1, 2, 4];
/// Key flags (RFC 4034, section 2.1.1; RFC 5011, section 7).
const ZONE_KEY: u16 = 0x0100;
const REVOKED: u16 = 0x0080;

/// A DS record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Ds {
    tag: u16,
    algorithm: u8,
    digest_type: u8,
    digest: String,
}

impl Ds {
    /// `2371 13 2 ABCD…`
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let mut next = || words.next();
        Some(Self {
            tag: next()?.parse().ok()?,
            algorithm: next()?.parse().ok()?,
            digest_type: next()?.parse().ok()?,
            digest: next()?.to_owned(),
        })
    }

    fn is_of(&self, key: &DnsKey) -> bool {
        self.tag == key.tag
            && self.algorithm == key.algorithm
            && key.flags & ZONE_KEY != 0
            && key.flags & REVOKED == 0
            && key.digests.get(&self.digest_type) == Some(&self.digest)
    }
}

impl std::fmt::Display for Ds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.tag, self.algorithm, self.digest_type)
    }
}

/// The keys of each server that answered for them; an empty list is a zone without keys.
type ByServer<'a> = BTreeMap<At, (ObservationId, &'a [DnsKey])>;

pub(super) fn findings(survey: &Survey<'_>) -> Vec<Finding> {
    let (published, ds_seen) = delegation_signers(survey);
    let mut keys = ByServer::new();
    for (at, (o, s)) in survey.own(survey.zone, "DNSKEY") {
        if let Some(answer) = s.answer.present().filter(|a| a.authoritative) {
            keys.insert(at, (o.id.clone(), keys_of(answer)));
        }
    }
    let mut found = Vec::new();
    let signed = keys.values().any(|(_, keys)| !keys.is_empty());
    match &published {
        Some(ds) if !ds.is_empty() => found.extend(chain(survey, ds, &ds_seen, &keys)),
        Some(_) if signed => found.push(raise(
            &codes::DNS_NO_DS,
            format!("{} is signed, and the zone above has no DS record of it", survey.zone),
            "The signatures protect nobody: without a DS record validating resolvers take the zone for unsigned.",
            "Enter the DS record that the zone's provider shows at the registrar, or turn signing off.",
            keys.values().map(|(id, _)| id.clone()).chain(ds_seen.clone()).collect(),
        )),
        // Not signed, or what the zone above publishes is not known.
        _ => {}
    }
    let secure = published.as_ref().is_some_and(|ds| !ds.is_empty());
    if signed {
        found.extend(signatures(survey, secure));
        found.extend(denials(survey, secure));
    }
    found.extend(parent_signatures(survey));
    found.extend(old(survey, published.as_ref(), &ds_seen, &keys));
    found.extend(iterations(survey));
    found.extend(blamed(survey));
    found
}

fn keys_of(answer: &DnsAnswer) -> &[DnsKey] {
    answer.signing.as_ref().map(|s| s.keys.as_slice()).unwrap_or_default()
}

/// DS records at the zone above, by all of its servers together; `None` when none of them answered.
fn delegation_signers(survey: &Survey<'_>) -> (Option<BTreeSet<Ds>>, Vec<ObservationId>) {
    let (mut all, mut seen) = (None::<BTreeSet<Ds>>, Vec::new());
    for (o, s) in survey.asked(DnsServerRole::Parent, survey.zone, "DS") {
        let Some(answer) = s.answer.present() else { continue };
        all.get_or_insert_default()
            .extend(data(answer, survey.zone, "DS").filter_map(|r| Ds::parse(&r.data)));
        seen.push(o.id.clone());
    }
    (all, seen)
}

fn chain(
    survey: &Survey<'_>,
    ds: &BTreeSet<Ds>,
    ds_seen: &[ObservationId],
    keys: &ByServer<'_>,
) -> Vec<Finding> {
    let zone = survey.zone;
    let (mut unsigned, mut without, mut not_signed) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    // A DS of a digest that we cannot compute leaves the matter open.
    let computable = ds.iter().all(|ds| DS_DIGESTS.contains(&ds.digest_type));
    for (at, (_, keys)) in keys {
        let entry = |key: &&DnsKey| ds.iter().any(|ds| ds.is_of(key));
        if keys.is_empty() {
            unsigned.insert(at.clone());
        } else if !keys.iter().any(|key| entry(&key)) {
            if computable {
                without.insert(at.clone());
            }
        } else {
            let tags: BTreeSet<u16> = keys.iter().filter(entry).map(|key| key.tag).collect();
            let over_keys = survey.own(zone, "DNSKEY").find(|(server, _)| server == at);
            let holds = over_keys.is_some_and(|(_, (_, s))| {
                s.answer.present().and_then(|a| a.signing.as_ref()).is_some_and(|signing| {
                    let of_keys = |s: &&DnsSignature| s.covers == "DNSKEY" && tags.contains(&s.tag);
                    signing.signatures.iter().filter(of_keys).any(|s| {
                        matches!(
                            s.check,
                            SignatureCheck::Holds | SignatureCheck::Unsupported | SignatureCheck::Unchecked
                        )
                    })
                })
            });
            if !holds {
                not_signed.insert(at.clone());
            }
        }
    }
    let evidence =
        || keys.values().map(|(id, _)| id.clone()).chain(ds_seen.iter().cloned()).collect::<Vec<_>>();
    let mut found = Vec::new();
    if !unsigned.is_empty() {
        let finding = raise(
            &codes::DNS_UNSIGNED,
            format!("The zone above has a DS record of {zone} ({}), and the zone has no keys", list(ds)),
            "Validating resolvers answer SERVFAIL, and certificate authorities refuse to issue.",
            "Remove the DS record at the registrar, or sign the zone again; after a move of the zone the DS record of the old provider stays until it is removed.",
            evidence(),
        );
        found.push(per_server(survey, finding, &unsigned));
    }
    if !without.is_empty() {
        let tags: BTreeSet<String> = keys
            .values()
            .flat_map(|(_, keys)| keys.iter())
            .map(|key| format!("{} {}", key.tag, key.algorithm))
            .collect();
        let finding = raise(
            &codes::DNS_DS_WITHOUT_KEY,
            format!(
                "No DS record of {zone} fits a key of it: the zone above has {}, the keys are {}",
                list(ds),
                list(tags)
            ),
            "Validating resolvers answer SERVFAIL, and certificate authorities refuse to issue.",
            "Remove the DS record at the registrar first; then publish the one that the present provider shows.",
            evidence(),
        );
        found.push(per_server(survey, finding, &without));
    }
    if !not_signed.is_empty() {
        let finding = raise(
            &codes::DNS_SIGNATURE_INVALID,
            format!("The key of {zone} to which the DS record leads did not sign the zone's keys"),
            "Validating resolvers answer SERVFAIL, and certificate authorities refuse to issue.",
            "Sign the zone again with that key, or publish the DS record of the key that signs.",
            evidence(),
        );
        found.push(per_server(survey, finding, &not_signed));
    }
    found
}

/// What is wrong with a set of records whose signatures were looked at, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Flaw {
    Missing,
    Fails,
    NotYet,
    Expired,
}

/// A set's standing by its signatures: `Ok` with the latest end, or why none of them will do. `None` leaves it open.
fn standing(signatures: &[&DnsSignature], now: Timestamp) -> Option<Result<Timestamp, Flaw>> {
    let open = [SignatureCheck::Unchecked, SignatureCheck::Unsupported];
    let mut worst = Flaw::Missing;
    let mut best: Option<Timestamp> = None;
    for signature in signatures {
        if open.contains(&signature.check) {
            return None;
        }
        let flaw = match signature.check {
            SignatureCheck::Holds if now > signature.expiration => Flaw::Expired,
            SignatureCheck::Holds if now < signature.inception => Flaw::NotYet,
            SignatureCheck::Holds => {
                best = best.max(Some(signature.expiration));
                continue;
            }
            _ => Flaw::Fails,
        };
        worst = worst.max(flaw);
    }
    Some(best.ok_or(worst))
}

/// Sets of one answer with their signatures, as far as this zone signs them: those of the answer section, and the proof of
/// a negative answer.
fn sets<'a>(
    survey: &Survey<'_>,
    answer: &'a DnsAnswer,
) -> BTreeMap<(&'a str, &'a str), Vec<&'a DnsSignature>> {
    let mut sets: BTreeMap<(&str, &str), Vec<&DnsSignature>> = BTreeMap::new();
    let proof = answer.authority.iter().filter(|r| matches!(r.rtype.as_str(), "SOA" | "NSEC" | "NSEC3"));
    for record in answer.answers.iter().chain(proof) {
        if record.rtype != "RRSIG" && survey.holds(&record.name) {
            sets.entry((&record.name, &record.rtype)).or_default();
        }
    }
    for signature in answer.signing.iter().flat_map(|s| &s.signatures) {
        if signature.signer == survey.zone {
            sets.entry((&signature.owner, &signature.covers)).or_default().push(signature);
        }
    }
    sets
}

fn signatures(survey: &Survey<'_>, secure: bool) -> Vec<Finding> {
    let now = survey.case.evidence().started_at;
    let (mut by_flaw, mut short, mut long) = (
        BTreeMap::<Flaw, (BTreeSet<At>, BTreeSet<String>, Vec<ObservationId>, Option<Timestamp>)>::new(),
        BTreeMap::<Timestamp, (String, ObservationId)>::new(),
        BTreeMap::<Timestamp, (String, ObservationId)>::new(),
    );
    let keyed: BTreeSet<At> = survey
        .own(survey.zone, "DNSKEY")
        .filter(|(_, (_, s))| s.answer.present().is_some_and(|a| !keys_of(a).is_empty()))
        .map(|(at, _)| at)
        .collect();
    let (least, most) = (survey.limit(&SIGNATURE_LEFT), survey.limit(&SIGNATURE_LEFT_MAX));
    for (o, s) in &survey.all {
        let q = &s.question;
        let at = At::of(&q.server);
        if q.server.role != DnsServerRole::Authoritative || !q.dnssec_ok || !keyed.contains(&at) {
            continue;
        }
        let Some(answer) = message(s).filter(|a| a.authoritative && matches!(a.rcode, 0 | 3)) else {
            continue;
        };
        for ((name, rtype), signatures) in sets(survey, answer) {
            let what = format!("{name} {rtype}");
            match standing(&signatures, now) {
                None => {}
                Some(Ok(until)) => {
                    let left = u64::try_from(until.duration_since(now).as_secs()).unwrap_or(0);
                    if left < least {
                        short.entry(until).or_insert((what, o.id.clone()));
                    } else if left > most {
                        long.entry(until).or_insert((what, o.id.clone()));
                    }
                }
                Some(Err(flaw)) => {
                    let entry = by_flaw.entry(flaw).or_default();
                    entry.0.insert(at.clone());
                    entry.1.insert(what);
                    entry.2.push(o.id.clone());
                    let edge = signatures
                        .iter()
                        .map(|s| if flaw == Flaw::NotYet { s.inception } else { s.expiration });
                    entry.3 = entry.3.max(edge.max());
                }
            }
        }
    }
    let mut found = Vec::new();
    for (flaw, (at, what, ids, edge)) in by_flaw {
        let what: Vec<String> = if what.len() > 4 {
            let rest = what.len() - 3;
            what.into_iter().take(3).chain([format!("{rest} more")]).collect()
        } else {
            what.into_iter().collect()
        };
        let when = edge.map(|t| t.strftime(" on %Y-%m-%d at %H:%M UTC").to_string()).unwrap_or_default();
        let (code, title) = match flaw {
            Flaw::Missing => (
                &codes::DNS_SIGNATURE_INVALID,
                format!("Records of the signed zone have no signature: {}", in_words(&what)),
            ),
            Flaw::Fails => (
                &codes::DNS_SIGNATURE_INVALID,
                format!("Signatures do not fit their records and keys: {}", in_words(&what)),
            ),
            Flaw::Expired => (
                &codes::DNS_SIGNATURE_TIME,
                format!("Signatures of {} expired{when}: {}", survey.zone, in_words(&what)),
            ),
            Flaw::NotYet => (
                &codes::DNS_SIGNATURE_TIME,
                format!("Signatures of {} begin{when} only: {}", survey.zone, in_words(&what)),
            ),
        };
        let finding = raise(
            code,
            title,
            if secure {
                "Validating resolvers answer SERVFAIL, and certificate authorities refuse to issue."
            } else {
                "Nobody checks them yet: the zone above has no DS record. Once it has, the zone is gone for validating resolvers."
            },
            "Have the signer sign the zone again and look why it stopped; until then remove the DS record at the registrar.",
            ids,
        );
        let finding = if secure { finding } else { with_severity(finding, Severity::Medium) };
        found.push(per_server(survey, finding, &at));
    }
    if let Some((until, (what, id))) = short.into_iter().next() {
        found.push(raise(
            &codes::DNS_SIGNATURE_WINDOW,
            format!(
                "The signature of {what} ends at {} {}",
                until.strftime("%Y-%m-%d %H:%M UTC"),
                survey.source(&SIGNATURE_LEFT)
            ),
            "If the signer does not run before then, the zone is gone for validating resolvers.",
            "Look whether the signer runs; it should sign again days before the end.",
            vec![id],
        ));
    }
    if let Some((until, (what, id))) = long.into_iter().next_back() {
        found.push(raise(
            &codes::DNS_SIGNATURE_WINDOW,
            format!(
                "The signature of {what} is valid until {} {}",
                until.strftime("%Y-%m-%d"),
                survey.source(&SIGNATURE_LEFT_MAX)
            ),
            "An old answer can be played back for as long.",
            "Let the signer use days to weeks.",
            vec![id],
        ));
    }
    found
}

/// Negative answers whose proof does not cover what was asked.
fn denials(survey: &Survey<'_>, secure: bool) -> Option<Finding> {
    let (mut at, mut what, mut ids) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for (o, s) in &survey.all {
        let q = &s.question;
        if q.server.role != DnsServerRole::Authoritative || !survey.holds(&q.name) {
            continue;
        }
        let proof = message(s).filter(|a| a.authoritative).and_then(|a| a.signing.as_ref()?.denial.as_ref());
        if let Some(DenialProof::Lacks { what: lacking }) = proof {
            at.insert(At::of(&q.server));
            what.insert(format!("{} {}: {lacking}", q.name, q.rtype));
            ids.push(o.id.clone());
        }
    }
    let first = what.first()?;
    let more = match what.len() {
        1 => String::new(),
        n => format!(" (and {} more)", n - 1),
    };
    let finding = raise(
        &codes::DNS_DENIAL,
        format!("{} does not prove what it says is not there: {first}{more}", survey.zone),
        if secure {
            "Validating resolvers answer SERVFAIL where the answer should be that there is nothing."
        } else {
            "Nobody checks it yet: the zone above has no DS record."
        },
        "Sign the zone again with the signer of the program that serves it; records that were added or taken away after signing leave such gaps.",
        ids,
    );
    let finding = if secure { finding } else { with_severity(finding, Severity::Low) };
    Some(per_server(survey, finding, &at))
}

/// The signature over the DS set, by the keys of the zone above as the same server gave them.
fn parent_signatures(survey: &Survey<'_>) -> Option<Finding> {
    let now = survey.case.evidence().started_at;
    let (mut bad, mut ids, mut all) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
    for (o, s) in survey.asked(DnsServerRole::Parent, survey.zone, "DS") {
        let at = At::of(&s.question.server);
        all.insert(at.clone());
        let Some(answer) = s.answer.present().filter(|a| data(a, survey.zone, "DS").next().is_some()) else {
            continue;
        };
        let over: Vec<&DnsSignature> = answer
            .signing
            .iter()
            .flat_map(|signing| &signing.signatures)
            .filter(|s| s.covers == "DS" && s.owner == survey.zone)
            .collect();
        // Without any signature the zone above is not signed, which is its own affair.
        if !over.is_empty() && matches!(standing(&over, now), Some(Err(_))) {
            bad.insert(at);
            ids.push(o.id.clone());
        }
    }
    (!bad.is_empty()).then(|| {
        let finding = raise(
            &codes::DNS_SIGNATURE_INVALID,
            format!("The zone above signs the DS record of {} wrongly or out of date", survey.zone),
            "Validating resolvers answer SERVFAIL for every signed zone under it.",
            "Tell the operator of the zone above; nothing in this zone helps.",
            ids,
        );
        super::graded(finding, &bad, all.len())
    })
}

fn old(
    survey: &Survey<'_>,
    ds: Option<&BTreeSet<Ds>>,
    ds_seen: &[ObservationId],
    keys: &ByServer<'_>,
) -> Vec<Finding> {
    let mut found = Vec::new();
    let all = || keys.values().flat_map(|(_, keys)| keys.iter());
    let ids = || keys.values().map(|(id, _)| id.clone()).collect::<Vec<_>>();
    let old: BTreeSet<String> = all()
        .filter(|k| DEPRECATED.contains(&k.algorithm))
        .map(|k| format!("{} (key {})", k.algorithm, k.tag))
        .collect();
    if !old.is_empty() {
        found.push(raise(
            &codes::DNS_OLD_ALGORITHM,
            format!("{} signs with a deprecated algorithm: {}", survey.zone, list(old)),
            "Resolvers that no longer compute it take the zone for unsigned, or for broken.",
            "Roll over to algorithm 13 (ECDSA P-256).",
            ids(),
        ));
    }
    let least = survey.limit(&RSA_BITS);
    let short: BTreeSet<String> = all()
        .filter(|k| matches!(k.algorithm, 5 | 7 | 8 | 10) && u64::from(k.bits) < least)
        .map(|k| format!("{} bits (key {})", k.bits, k.tag))
        .collect();
    if !short.is_empty() {
        let finding = raise(
            &codes::DNS_OLD_ALGORITHM,
            format!(
                "{} signs with a short RSA key: {} {}",
                survey.zone,
                list(short),
                survey.source(&RSA_BITS)
            ),
            "The key can be computed with effort.",
            "Roll over to algorithm 13 (ECDSA P-256).",
            ids(),
        );
        found.push(with_severity(finding, Severity::Low));
    }
    if let Some(ds) = ds
        && !ds.is_empty()
        && ds.iter().all(|ds| ds.digest_type == DS_SHA1)
    {
        found.push(with_severity(
            raise(
                &codes::DNS_OLD_ALGORITHM,
                format!(
                    "The DS record of {} has a SHA-1 digest and no other (RFC 8624 section 3.3)",
                    survey.zone
                ),
                "Resolvers may stop to accept it and then take the zone for unsigned.",
                "Publish the DS record with digest type 2 (SHA-256).",
                ds_seen.to_vec(),
            ),
            Severity::Medium,
        ));
    }
    found
}

fn iterations(survey: &Survey<'_>) -> Option<Finding> {
    let limit = survey.limit(&NSEC3_ITERATIONS);
    let answers = survey.own(survey.zone, "NSEC3PARAM").filter_map(|(at, (o, s))| {
        let record = s.answer.present().filter(|a| a.authoritative)?.data_of("NSEC3PARAM").next()?;
        let iterations = record.split(' ').nth(2)?.parse::<u64>().ok()?;
        (iterations > limit).then(|| (at, o.id.clone(), iterations))
    });
    let (sets, ids) = by_answer(answers);
    let (most, _) = sets.last_key_value()?;
    Some(raise(
        &codes::DNS_NSEC3_ITERATIONS,
        format!(
            "{} hashes names {most} times more than once for NSEC3 {}",
            survey.zone,
            survey.source(&NSEC3_ITERATIONS)
        ),
        "Resolvers take such a zone for unsigned or answer SERVFAIL above a limit of their own.",
        "Set the iterations to 0 and the salt to none, and sign again.",
        ids,
    ))
}

/// Resolvers that hand out without validation what they refuse with it.
fn blamed(survey: &Survey<'_>) -> Option<Finding> {
    let mut refused: BTreeMap<(At, &str), &Observation> = BTreeMap::new();
    let mut given: BTreeMap<(At, &str), &Observation> = BTreeMap::new();
    for (o, s) in &survey.all {
        let q = &s.question;
        if q.server.role != DnsServerRole::Recursive || q.name != survey.host {
            continue;
        }
        let key = (At::of(&q.server), q.rtype.as_str());
        match (&s.answer, q.checking_disabled) {
            (Observed::Denied(_), false) if message(s).is_some_and(|a| a.rcode == 2) => {
                refused.insert(key, o);
            }
            (Observed::Present(answer), true) if !answer.answers.is_empty() => {
                given.insert(key, o);
            }
            _ => {}
        }
    }
    let both: BTreeSet<&At> =
        refused.keys().filter(|key| given.contains_key(key)).map(|(at, _)| at).collect();
    if both.is_empty() {
        return None;
    }
    let ids = refused
        .iter()
        .filter(|(key, _)| given.contains_key(key))
        .flat_map(|(key, o)| [o.id.clone(), given[key].id.clone()]);
    Some(raise(
        &codes::DNS_SIGNATURES_BROKEN,
        format!(
            "DNSSEC of {} does not hold: {} without validation what is refused with it",
            survey.host,
            match both.len() {
                1 => format!("{} gives", list(&both)),
                _ => format!("{} give", list(&both)),
            }
        ),
        "Users of validating resolvers cannot resolve the name at all.",
        "Remove the DS record at the registrar, or publish the key and signatures that it asks for.",
        ids.collect(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(check: SignatureCheck, from: i64, until: i64) -> DnsSignature {
        let at = |s| Timestamp::from_second(s).expect("in range");
        DnsSignature {
            owner: "api.example.test".into(),
            covers: "A".into(),
            algorithm: 13,
            labels: 3,
            signer: "example.test".into(),
            tag: 1,
            inception: at(from),
            expiration: at(until),
            check,
        }
    }

    #[test]
    fn one_good_signature_is_enough_and_an_open_one_leaves_it_open() {
        use SignatureCheck::{Fails, Holds, NoKey, Unchecked, Unsupported};
        let now = Timestamp::from_second(100).expect("in range");
        let end = Timestamp::from_second(200).expect("in range");
        for (signatures, want) in [
            (vec![], Some(Err(Flaw::Missing))),
            (vec![signature(Holds, 0, 200)], Some(Ok(end))),
            (vec![signature(Fails, 0, 200), signature(Holds, 0, 200)], Some(Ok(end))),
            (vec![signature(Holds, 0, 99)], Some(Err(Flaw::Expired))),
            (vec![signature(Holds, 101, 200)], Some(Err(Flaw::NotYet))),
            (vec![signature(NoKey, 0, 200)], Some(Err(Flaw::Fails))),
            (vec![signature(Unsupported, 0, 200)], None),
            (vec![signature(Unchecked, 0, 99)], None),
        ] {
            let all: Vec<&DnsSignature> = signatures.iter().collect();
            assert_eq!(standing(&all, now), want, "{signatures:?}");
        }
    }
}
