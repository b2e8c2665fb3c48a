//! The registry's record, and what platforms, registrars and dealers put in the place of a site.

use std::collections::BTreeSet;

use landfall_evidence::{Evidence, HttpResponse, Observed, Purpose, Vantage};

use super::super::{Exchanges, FactKey, Facts, Value, Why, why_absent};
use super::{Ids, SECONDS_A_DAY, World};
use crate::signatures::SignatureHop;

/// The registry's record.
pub(super) fn registry(world: &World<'_>, facts: &mut Facts) {
    let Some((observation, seen)) = world.evidence.rdap().find(|(_, seen)| seen.domain == world.domain)
    else {
        let why = Why::NotConfigured(
            "the registry was not asked (set rdap under [dns] in landfall.toml to ask it)".to_owned(),
        );
        facts.unknown(FactKey::RdapState, "", why, []);
        return;
    };
    let id = || [observation.id.clone()];
    let record = match &seen.answer {
        Observed::Present(record) => record,
        other => {
            facts.unknown(FactKey::RdapState, "", why_absent(other), id());
            return;
        }
    };
    let now = world.evidence.started_at.as_second();
    let days = record.expires.map(|end| (end.as_second() - now).div_euclid(SECONDS_A_DAY));
    if let Some(days) = days {
        facts.known(FactKey::RdapDaysLeft, "", days, id());
    }
    // RDAP writes the status values of EPP in words (RFC 8056); some services write EPP's own form all the same.
    let status: Vec<String> =
        record.status.iter().map(|s| s.to_ascii_lowercase().replace([' ', '-', '_'], "")).collect();
    let has = |words: &[&str]| status.iter().any(|s| words.contains(&s.as_str()));
    let state = if !record.registered {
        "absent"
    } else if has(&["redemptionperiod", "pendingdelete", "pendingrestore"]) {
        "lapsed"
    } else if days.is_some_and(|days| days < 0) {
        "expired"
    } else if has(&["clienthold", "serverhold"]) {
        "hold"
    } else {
        "active"
    };
    facts.known(FactKey::RdapState, "", state, id()).symptom = matches!(state, "lapsed" | "expired" | "hold");
    facts.known_list(FactKey::RdapStatus, "", record.status.iter().cloned(), id());
    if let Some(changed) = record.changed {
        facts.known(FactKey::RdapChanged, "", (now - changed.as_second()).div_euclid(SECONDS_A_DAY), id());
    }
    if record.registered {
        let listed: BTreeSet<&String> = record.name_servers.iter().collect();
        let published = match facts.get(FactKey::DnsParentNs, "").and_then(|fact| fact.known()) {
            Some(Value::List(names)) => names.iter().cloned().collect(),
            _ => BTreeSet::new(),
        };
        let word = if listed.is_empty() {
            "none"
        } else if published.is_empty() {
            "listed"
        } else if listed.iter().any(|name| published.contains(*name)) {
            "as-parent"
        } else {
            "differs"
        };
        facts.known(FactKey::RdapServers, "", word, id());
    }
}

/// Whether the answers at a vantage bear the mark of a hosting platform or an edge, which a host of one's own lacks.
pub(super) fn hosted(exchanges: &Exchanges<'_>, facts: &mut Facts) {
    for vantage in [Vantage::Edge, Vantage::Origin] {
        let (mut marked, mut plain) = (Ids::new(), Ids::new());
        for x in exchanges.site(vantage).filter(|x| x.response().is_some()) {
            let mut signs = x.reading.writers.iter().chain(&x.reading.markers);
            let vendor =
                signs.any(|m| matches!(m.signature.hop, SignatureHop::Platform | SignatureHop::Edge));
            if vendor { &mut marked } else { &mut plain }.insert(x.id());
        }
        if !marked.is_empty() {
            facts.known(FactKey::SiteHosted, vantage.to_string(), "yes", marked);
        } else if !plain.is_empty() {
            facts.known(FactKey::SiteHosted, vantage.to_string(), "no", plain);
        }
    }
}

/// Words of pages that registrars and dealers put in the place of a site. Each is a phrase that such pages have and
/// applications do not.
const PARKED: &[&str] = &[
    "this domain is parked",
    "domain is parked",
    "parked domain",
    "parked free",
    "parking page",
    "domain parking",
    "this domain is for sale",
    "domain is for sale",
    "domain may be for sale",
    "domain name is for sale",
    "buy this domain",
    "make an offer on this domain",
    "this domain has been registered",
    "this domain name has been registered",
    "domain was recently registered",
    "future home of something quite cool",
    "sedoparking",
    "parkingcrew",
    "bodis.com",
    "hugedomains.com",
    "afternic.com",
    "dan.com/buy-domain",
];

/// Words that such pages have too, and that others may have: they count only where every path gets the same page.
const PERHAPS_PARKED: &[&str] =
    &["coming soon", "under construction", "parked", "for sale", "website is almost here"];

/// Words of the address to which a dealer forwards, beside the name of the domain that is for sale.
const SELLS: &[&str] =
    &["offer", "buy", "forsale", "for-sale", "market", "lander", "parking", "auction", "broker"];

/// Whether a redirect leads to somebody else who deals with the host's own domain: its name stands in the address as a value
/// or a segment of the path, beside a word of trade.
fn deals(to: &str, domain: &str) -> bool {
    let Ok(url) = url::Url::parse(to) else { return false };
    let elsewhere = url.domain().is_some_and(|host| psl::domain_str(host).unwrap_or(host) != domain);
    let rest = &url[url::Position::BeforePath..];
    let named = rest.contains(&format!("={domain}")) || rest.contains(&format!("/{domain}"));
    elsewhere && named && SELLS.iter().any(|word| url.as_str().contains(word))
}

/// Whether the public name shows a page of a registrar or a dealer.
pub(super) fn parked(evidence: &Evidence, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    let host = evidence.target.production.as_ref().and_then(|url| url.domain()).unwrap_or_default();
    let domain = psl::domain_str(host).unwrap_or(host).to_ascii_lowercase();
    let uniform = facts.is(FactKey::SiteUniform, "edge", "yes") == Some(true);
    let (mut yes, mut no) = (Ids::new(), Ids::new());
    let says = |response: &HttpResponse, words: &[&str]| {
        let html = response.media_type().is_none_or(|media| media.contains("html"));
        let text = response.body.text.as_deref().unwrap_or_default().to_ascii_lowercase();
        let to =
            response.redirect_to.as_ref().map(|url| url.to_string().to_ascii_lowercase()).unwrap_or_default();
        html && words.iter().any(|word| text.contains(word) || to.contains(word))
    };
    for x in exchanges.all.iter().filter(|x| x.vantage == Vantage::Edge) {
        let Some(response) = x.response() else { continue };
        if !matches!(x.purpose, Purpose::Endpoint | Purpose::Control | Purpose::PlainHttp) {
            continue;
        }
        let to = response.redirect_to.as_deref().unwrap_or_default().to_ascii_lowercase();
        let dealt = !domain.is_empty() && deals(&to, &domain);
        if dealt || says(response, PARKED) || (uniform && says(response, PERHAPS_PARKED)) {
            yes.insert(x.id());
        } else {
            no.insert(x.id());
        }
    }
    if !yes.is_empty() {
        facts.known(FactKey::SiteParked, "edge", "yes", yes).symptom = true;
    } else if !no.is_empty() {
        facts.known(FactKey::SiteParked, "edge", "no", no);
    }
}

#[cfg(test)]
mod tests {
    use super::deals;

    #[test]
    fn a_dealer_is_told_from_a_partner() {
        let domain = "example.test";
        for to in [
            "http://market.dealer.test/offer?domain=example.test&src=fwd",
            "https://dealer.test/buy/example.test",
        ] {
            assert!(deals(to, domain), "{to}");
        }
        for to in [
            "https://www.example.test/offer?domain=example.test",
            "https://login.identity.test/?client=example.test",
            "https://dealer.test/offer",
            "no address",
        ] {
            assert!(!deals(to, domain), "{to}");
        }
    }
}
