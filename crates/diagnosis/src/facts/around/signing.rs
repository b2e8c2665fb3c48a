//! Signatures of the zone, and who may issue certificates for the host.

use std::collections::{BTreeMap, BTreeSet};

use super::super::dns::{answer_word, message};
use super::super::{FactKey, Facts};
use super::{Ids, World};

/// Without validation; keys against DS records; dates of signatures.
pub(super) fn signatures(world: &World<'_>, facts: &mut Facts) {
    let now = world.evidence.started_at.strftime("%Y%m%d%H%M%S").to_string();
    let (mut dates, mut date_ids) = (BTreeSet::new(), Ids::new());
    let (mut ds, mut keys, mut key_ids) = (BTreeSet::new(), BTreeSet::new(), Ids::new());
    let (mut keys_asked, mut published) = (false, false);
    let (mut unchecked, mut unchecked_ids) = (BTreeSet::new(), Ids::new());
    let mut ends = BTreeSet::new();
    for (observation, s) in world.evidence.all_dns() {
        let question = &s.question;
        if question.checking_disabled
            && question.name == world.host
            && question.rtype == "A"
            && let Some(word) = answer_word(s)
        {
            unchecked.insert(word);
            unchecked_ids.insert(observation.id.clone());
        }
        let Some(answer) = s.answer.present() else { continue };
        for record in answer.answers.iter().chain(&answer.authority) {
            let words: Vec<&str> = record.data.split(' ').collect();
            match record.rtype.as_str() {
                "RRSIG" if words.len() >= 8 && words[4].len() == 14 && words[5].len() == 14 => {
                    // Fourteen digits of the same form compare as the times that they stand for.
                    let word = if words[4] < now.as_str() {
                        "expired"
                    } else if words[5] > now.as_str() {
                        "future"
                    } else {
                        "valid"
                    };
                    dates.insert(word);
                    ends.insert(words[4].to_owned());
                    date_ids.insert(observation.id.clone());
                }
                "DS" if record.name == world.zone || record.name == world.domain => {
                    published = true;
                    ds.extend(words.first().zip(words.get(1)).map(|(tag, alg)| format!("{tag} {alg}")));
                    key_ids.insert(observation.id.clone());
                }
                "DNSKEY" if record.name == world.zone => {
                    let tag = record.data.rsplit("key id = ").next().unwrap_or_default();
                    keys.extend(words.get(2).map(|alg| format!("{tag} {alg}")));
                    key_ids.insert(observation.id.clone());
                }
                _ => {}
            }
        }
        keys_asked |= question.rtype == "DNSKEY" && question.name == world.zone;
    }
    let checked = ["ok", "nxdomain", "nodata", "servfail", "refused", "silent", "dangling", "loop", "other"];
    if let Some(word) = checked.into_iter().find(|word| unchecked.contains(word)) {
        facts.known(FactKey::DnsUnchecked, "", word, unchecked_ids);
    }
    let dated = ["expired", "future", "valid"].into_iter().find(|word| dates.contains(word));
    if let Some(word) = dated {
        facts.known(FactKey::DnsSignatures, "", word, date_ids.clone());
        facts.known_list(FactKey::DnsSignaturesEnd, "", ends.into_iter().take(1), date_ids.clone());
    }
    if published && keys_asked {
        let word = if !ds.is_disjoint(&keys) {
            "match"
        } else if keys.is_empty() {
            "no-keys"
        } else {
            "mismatch"
        };
        facts.known(FactKey::DnsKeys, "", word, key_ids.clone());
    } else if keys_asked && !keys.is_empty() {
        facts.known(FactKey::DnsKeys, "", "no-ds", key_ids.clone());
    }
    // What validating resolvers see of a zone whose parent says that it is signed, whether ours validates or not.
    if published {
        let keys = facts.text(FactKey::DnsKeys, "").map(str::to_owned);
        let mut ids = key_ids;
        ids.extend(date_ids);
        let word = match (keys.as_deref(), dated) {
            (Some("mismatch" | "no-keys"), _) => "broken",
            (_, Some(word @ ("expired" | "future"))) => word,
            (Some("match"), Some("valid")) => "ok",
            _ => return,
        };
        facts.known(FactKey::DnsSecurity, "", word, ids).symptom = word != "ok";
    }
}

/// The authorities that platforms and the usual programs get certificates from, by their CAA domains (each one's own CPS).
const USUAL_AUTHORITIES: &[&str] =
    &["letsencrypt.org", "pki.goog", "sectigo.com", "zerossl.com", "ssl.com", "amazonaws.com", "amazon.com"];

/// The CAA set that counts for the host: that of the nearest name upwards (RFC 8659 section 3).
pub(super) fn caa(world: &World<'_>, facts: &mut Facts) {
    let mut sets: BTreeMap<&str, (BTreeSet<String>, Ids)> = BTreeMap::new();
    let (mut failed, mut asked) = (Ids::new(), Ids::new());
    for (observation, s) in world.evidence.dns() {
        let name = s.question.name.as_str();
        if s.question.rtype != "CAA" || !(world.host == name || world.host.ends_with(&format!(".{name}"))) {
            continue;
        }
        match (s.answer.present(), message(s)) {
            (Some(answer), _) => {
                asked.insert(observation.id.clone());
                let issuers: BTreeSet<String> = answer.data_of("CAA").filter_map(issuer).collect();
                let tagged = answer.data_of("CAA").any(|data| data.contains(" issue "));
                if tagged {
                    let slot = sets.entry(name).or_default();
                    slot.0.extend(issuers);
                    slot.1.insert(observation.id.clone());
                }
            }
            (None, Some(answer)) if answer.rcode == 2 => {
                failed.insert(observation.id.clone());
            }
            _ => {}
        }
    }
    let Some((name, (issuers, ids))) = sets.into_iter().max_by_key(|(name, _)| name.len()) else {
        if !failed.is_empty() {
            facts.known(FactKey::DnsCaa, "", "fails", failed);
        } else if !asked.is_empty() {
            facts.known(FactKey::DnsCaa, "", "none", asked);
        }
        return;
    };
    let word = if issuers.is_empty() {
        "nobody"
    } else if issuers.iter().any(|issuer| USUAL_AUTHORITIES.contains(&issuer.as_str())) {
        "usual"
    } else {
        "others"
    };
    facts.known(FactKey::DnsCaa, "", word, ids.clone());
    facts.known(FactKey::DnsCaaName, "", name, ids.clone());
    facts.known_list(FactKey::DnsCaaIssuers, "", issuers, ids);
}

/// The domain of an `issue` property; `None` for one that allows nobody and for other properties.
fn issuer(data: &str) -> Option<String> {
    let value = data.split_once(" issue ")?.1.trim().trim_matches('"');
    let domain = value.split(';').next().unwrap_or_default().trim();
    (!domain.is_empty()).then(|| domain.to_ascii_lowercase())
}
