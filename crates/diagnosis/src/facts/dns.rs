//! What the name servers and resolvers say of the audited host.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use landfall_evidence::{
    Denial, DnsAnswer, DnsObservation, DnsServerRole, Evidence, ObservationId, Observed,
};

use super::{FactKey, Facts, Why, why_absent};
use crate::catalogue::Catalogue;

/// Canonical names followed in one answer.
const CHAIN_LIMIT: usize = 16;
/// RFC 1035, section 4.1.1.
const RCODE_REFUSED: u16 = 5;
/// RFC 8914, section 4.19.
const EDE_PROHIBITED: u16 = 18;

/// What one server says of the host's addresses, drawn from its A and AAAA answers together.
#[derive(Default)]
struct ServerView {
    words: BTreeMap<String, &'static str>,
    ids: BTreeSet<ObservationId>,
    unasked: Option<Why>,
}

pub(super) fn derive(evidence: &Evidence, catalogue: &Catalogue, facts: &mut Facts) {
    let host = evidence.target.production.as_ref().and_then(|url| url.domain()).map(str::to_ascii_lowercase);
    let Some(host) = host else {
        let why = match &evidence.target.production {
            Some(_) => "the target is an address, not a name",
            None => "the target has no production URL",
        };
        for key in [FactKey::DnsSystem, FactKey::DnsRecursive, FactKey::DnsAuthoritative] {
            facts.unknown(key, "", Why::NotConfigured(why.to_owned()), []);
        }
        return;
    };
    let mut views: BTreeMap<(DnsServerRole, String), ServerView> = BTreeMap::new();
    for (observation, seen) in evidence.dns().filter(|(_, seen)| is_address_question(seen, &host)) {
        let server = &seen.question.server;
        let name = server
            .name
            .clone()
            .or_else(|| server.address.map(|a| a.to_string()))
            .unwrap_or_else(|| "system".to_owned());
        let view = views.entry((server.role, name)).or_default();
        view.ids.insert(observation.id.clone());
        match answer_word(seen) {
            Some(word) => {
                view.words.insert(seen.question.rtype.clone(), word);
            }
            None => view.unasked = Some(why_absent(&seen.answer)),
        }
    }
    for (role, key) in [
        (DnsServerRole::System, FactKey::DnsSystem),
        (DnsServerRole::Recursive, FactKey::DnsRecursive),
        (DnsServerRole::Authoritative, FactKey::DnsAuthoritative),
    ] {
        together(role, key, &views, facts);
    }
    servers(&views, facts);
    zone(evidence, &host, facts);
    addresses(evidence, catalogue, &host, facts);
    name_servers(evidence, catalogue, facts);
    extended_errors(evidence, facts);
}

fn is_address_question(seen: &DnsObservation, host: &str) -> bool {
    seen.question.name == host && matches!(seen.question.rtype.as_str(), "A" | "AAAA")
}

/// The DNS message that an observation holds, be it a yes or a no.
pub(super) fn message(seen: &DnsObservation) -> Option<&DnsAnswer> {
    match &seen.answer {
        Observed::Present(answer) => Some(answer),
        Observed::Denied(Denial::Rcode(answer)) => Some(answer),
        _ => None,
    }
}

/// Whether resolvers turn this machine away whatever it asks: each answer of each of them is REFUSED, for names of more
/// than one domain or with the extended error Prohibited (RFC 8914, section 4.19). A forwarder may pass on the REFUSED of
/// one zone's servers, which is that zone's trouble; this is not the names', and says nothing of production.
pub(crate) fn turned_away(evidence: &Evidence) -> bool {
    let (mut domains, mut prohibited) = (BTreeSet::new(), false);
    for (_, seen) in evidence.dns().filter(|(_, s)| s.question.server.role == DnsServerRole::Recursive) {
        match &seen.answer {
            Observed::Unasked(_) | Observed::Silent(_) => {}
            Observed::Denied(Denial::Rcode(answer)) if answer.rcode == RCODE_REFUSED => {
                prohibited |= answer.extended_errors.iter().any(|error| error.code == EDE_PROHIBITED);
                domains.insert(psl::domain_str(&seen.question.name).unwrap_or(&seen.question.name));
            }
            _ => return false,
        }
    }
    domains.len() > 1 || prohibited
}

pub(super) fn answer_word(seen: &DnsObservation) -> Option<&'static str> {
    let authoritative =
        matches!(seen.question.server.role, DnsServerRole::Authoritative | DnsServerRole::Expected);
    Some(match &seen.answer {
        Observed::Unasked(_) => return None,
        Observed::Silent(_) => "silent",
        // A packet that comes back to say that nothing listens there is no DNS answer either.
        Observed::Denied(
            Denial::Refused | Denial::Unreachable { .. } | Denial::Reset { .. } | Denial::Closed { .. },
        ) => "silent",
        Observed::Denied(Denial::Rcode(answer)) => match answer.rcode {
            2 => "servfail",
            3 if authoritative && !answer.authoritative => "not-authoritative",
            // The code is that of the last name on the way (RFC 6604 section 3): the host itself is there, as an alias.
            3 if is_alias(answer, &seen.question.name) => "dangling",
            3 => "nxdomain",
            5 => "refused",
            9 => "not-authoritative",
            _ => "other",
        },
        Observed::Denied(_) => "other",
        Observed::Present(answer) if authoritative && !answer.authoritative => "not-authoritative",
        Observed::Present(answer) => {
            let has_address = answer.answers.iter().any(|r| matches!(r.rtype.as_str(), "A" | "AAAA"));
            if has_address {
                "ok"
            } else if goes_round(answer, &seen.question.name) {
                "loop"
            } else if authoritative && is_alias(answer, &seen.question.name) {
                // The zone has its record. What it leads to is the business of another zone's servers.
                "ok"
            } else {
                "nodata"
            }
        }
    })
}

/// Where a name leads by the aliases of this answer.
fn alias_of<'a>(answer: &'a DnsAnswer, name: &str) -> Option<&'a str> {
    answer.answers.iter().find(|r| r.rtype == "CNAME" && r.name == name).map(|r| r.data.as_str())
}

fn is_alias(answer: &DnsAnswer, name: &str) -> bool {
    alias_of(answer, name).is_some()
}

/// Whether the aliases of this answer come back to a name that they left.
fn goes_round(answer: &DnsAnswer, name: &str) -> bool {
    let (mut next, mut left) = (name, BTreeSet::new());
    while let Some(target) = alias_of(answer, next) {
        if !left.insert(next) {
            return true;
        }
        next = target;
    }
    false
}

/// The words that decide for a server, the first that was seen wins.
pub(super) const DECIDING: [&str; 9] =
    ["ok", "nxdomain", "dangling", "loop", "not-authoritative", "refused", "servfail", "silent", "other"];

impl ServerView {
    /// One word for both families. Emptiness counts only when both families were asked.
    fn word(&self) -> Option<&'static str> {
        let words: BTreeSet<&str> = self.words.values().copied().collect();
        for decisive in DECIDING {
            if words.contains(decisive) {
                return self.words.values().copied().find(|word| *word == decisive);
            }
        }
        (self.words.len() == 2).then_some("nodata")
    }
}

fn together(
    role: DnsServerRole,
    key: FactKey,
    views: &BTreeMap<(DnsServerRole, String), ServerView>,
    facts: &mut Facts,
) {
    let of_role: Vec<&ServerView> =
        views.iter().filter(|((r, _), _)| *r == role).map(|(_, view)| view).collect();
    let ids: BTreeSet<ObservationId> = of_role.iter().flat_map(|view| view.ids.iter().cloned()).collect();
    let words: BTreeSet<&str> = of_role.iter().filter_map(|view| view.word()).collect();
    if words.is_empty() {
        let why = of_role.iter().find_map(|view| view.unasked.clone());
        let why = why
            .unwrap_or_else(|| Why::NotRun("no such server was asked for both address families".to_owned()));
        facts.unknown(key, "", why, ids);
        return;
    }
    let word = if words.len() == 1 { words.into_iter().next().unwrap_or("other") } else { "mixed" };
    let word = if role == DnsServerRole::System && word == "mixed" { "other" } else { word };
    facts.known(key, "", word, ids).symptom = !matches!(word, "ok" | "mixed");
}

fn servers(views: &BTreeMap<(DnsServerRole, String), ServerView>, facts: &mut Facts) {
    let (mut lame, mut silent) = (BTreeMap::new(), BTreeMap::new());
    for ((role, name), view) in views {
        let Some(word) = view.word() else { continue };
        facts.known(FactKey::DnsServer, format!("{} {name}", role_name(*role)), word, view.ids.clone());
        if *role == DnsServerRole::Authoritative {
            match word {
                "refused" | "not-authoritative" => lame.insert(name.clone(), view.ids.clone()),
                "silent" => silent.insert(name.clone(), view.ids.clone()),
                _ => None,
            };
        }
    }
    for (key, found) in [(FactKey::DnsLame, lame), (FactKey::DnsSilent, silent)] {
        let ids: BTreeSet<ObservationId> = found.values().flatten().cloned().collect();
        let names: Vec<String> = found.into_keys().collect();
        if !names.is_empty() {
            facts.known_list(key, "", names, ids);
            if key == FactKey::DnsLame {
                facts.mark_symptom(key, "");
            }
        }
    }
}

fn role_name(role: DnsServerRole) -> &'static str {
    match role {
        DnsServerRole::System => "system",
        DnsServerRole::Recursive => "recursive",
        DnsServerRole::Authoritative => "authoritative",
        DnsServerRole::Parent => "parent",
        DnsServerRole::Expected => "expected",
        DnsServerRole::HostsFile => "hosts-file",
    }
}

/// Whether the registered domain is there: an NXDOMAIN whose SOA is that of a name above it says that it is not
/// (RFC 2308 section 3); any answer from inside the zone says that it is.
fn zone(evidence: &Evidence, host: &str, facts: &mut Facts) {
    let Some(domain) = psl::domain_str(host) else { return };
    let inside = |name: &str| name == domain || name.ends_with(&format!(".{domain}"));
    let (mut exists, mut absent) = (BTreeSet::new(), BTreeSet::new());
    for (observation, seen) in evidence.dns().filter(|(_, seen)| inside(&seen.question.name)) {
        let Some(answer) = message(seen) else { continue };
        let soa_inside =
            answer.authority.iter().chain(&answer.answers).any(|r| r.rtype == "SOA" && inside(&r.name));
        let soa_above = answer.authority.iter().any(|r| {
            r.rtype == "SOA"
                && !inside(&r.name)
                && (matches!(r.name.as_str(), "" | ".") || domain.ends_with(&format!(".{}", r.name)))
        });
        if (answer.rcode == 0 && !answer.answers.is_empty()) || soa_inside {
            exists.insert(observation.id.clone());
        } else if answer.rcode == 3 && soa_above {
            absent.insert(observation.id.clone());
        }
    }
    if !exists.is_empty() {
        facts.known(FactKey::DnsZone, "", "exists", exists);
    } else if !absent.is_empty() {
        facts.known(FactKey::DnsZone, "", "absent", absent).symptom = true;
    }
}

fn addresses(evidence: &Evidence, catalogue: &Catalogue, host: &str, facts: &mut Facts) {
    let mut by_role: BTreeMap<DnsServerRole, BTreeSet<IpAddr>> = BTreeMap::new();
    let mut ids = BTreeSet::new();
    let mut chain: Option<Vec<String>> = None;
    let mut asked: BTreeSet<&str> = BTreeSet::new();
    let mut seen_all: Vec<_> = evidence.dns().filter(|(_, seen)| is_address_question(seen, host)).collect();
    seen_all.sort_by(|(a, _), (b, _)| a.id.cmp(&b.id));
    for (observation, seen) in seen_all {
        let Some(answer) = message(seen) else { continue };
        if answer.rcode == 0 {
            asked.insert(&seen.question.rtype);
        }
        ids.insert(observation.id.clone());
        let found = answer.data_of(&seen.question.rtype).filter_map(|data| data.parse::<IpAddr>().ok());
        by_role.entry(seen.question.server.role).or_default().extend(found);
        let names: Vec<String> = answer.data_of("CNAME").take(CHAIN_LIMIT).map(str::to_owned).collect();
        if chain.as_ref().is_none_or(|so_far| so_far.len() < names.len()) {
            chain = Some(names);
        }
    }
    let all: BTreeSet<IpAddr> = by_role.values().flatten().copied().collect();
    if let Some(chain) = chain {
        if let Some(last) = chain.last()
            && let Some(owner) = catalogue.owner_of_cname(last)
        {
            facts.known(FactKey::DnsCnameOwner, "", owner.vendor.as_str(), ids.clone());
        }
        let origin = evidence.target.origin.as_ref().and_then(|url| url.domain());
        if let Some(origin) = origin.filter(|_| !chain.is_empty()) {
            let on_the_way = chain.iter().any(|name| name.eq_ignore_ascii_case(origin));
            facts.known(FactKey::DnsCnameIsOrigin, "", on_the_way, ids.clone());
        }
        let deploy = evidence.project().into_iter().flat_map(|(_, snapshot)| &snapshot.deploy);
        let given: BTreeSet<String> =
            deploy.filter_map(|config| config.default_host.as_deref()).map(str::to_ascii_lowercase).collect();
        if !given.is_empty() && !chain.is_empty() && !given.contains(host) {
            let on_the_way = chain.iter().any(|name| given.contains(&name.to_ascii_lowercase()));
            facts.known(FactKey::DnsCnameIsDeploy, "", on_the_way, ids.clone());
        }
        let names = if chain.is_empty() { vec!["none".to_owned()] } else { chain };
        facts.known_list(FactKey::DnsCname, "", names, ids.clone());
    }
    if asked.len() == 2 {
        let families = match (all.iter().any(IpAddr::is_ipv4), all.iter().any(IpAddr::is_ipv6)) {
            (true, true) => "both",
            (true, false) => "ipv4",
            (false, true) => "ipv6",
            (false, false) => "none",
        };
        facts.known(FactKey::DnsFamilies, "", families, ids.clone());
    }
    if all.is_empty() {
        return;
    }
    facts.known_list(FactKey::DnsAddresses, "", all.iter().map(ToString::to_string), ids.clone());
    let private = all.iter().filter(|address| is_private(address)).count();
    let class = if private == 0 {
        "global"
    } else if private == all.len() {
        "private"
    } else {
        "mixed"
    };
    facts.known(FactKey::DnsAddressClass, "", class, ids.clone());
    let owners: BTreeSet<(&str, &str)> = all
        .iter()
        .filter_map(|address| catalogue.owner_of_address(*address))
        .map(|owner| (owner.vendor.as_str(), owner.role.name()))
        .collect();
    if let Some((vendor, role)) = owners.first().filter(|_| owners.len() == 1) {
        facts.known(FactKey::DnsOwner, "", *vendor, ids.clone());
        facts.known(FactKey::DnsOwnerRole, "", *role, ids.clone());
    }
    let of = |role| by_role.get(&role).filter(|set| !set.is_empty());
    if let (Some(resolvers), Some(servers)) = (of(DnsServerRole::Recursive), of(DnsServerRole::Authoritative))
    {
        // Servers may rotate or choose by place; sets that share nothing are a disagreement.
        facts.known(FactKey::DnsAgrees, "", !resolvers.is_disjoint(servers), ids);
    }
}

/// Addresses that only a private network routes (RFC 1918, RFC 4193, RFC 6598, loopback, link-local).
pub(super) fn is_private(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let shared = v4.octets()[0] == 100 && (v4.octets()[1] & 0xc0) == 64;
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified() || shared
        }
        IpAddr::V6(v6) => {
            v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local()
        }
    }
}

/// The name servers of the zone and who runs them.
pub(super) struct ServedBy<'a> {
    names: BTreeSet<String>,
    /// Vendors, as `network-owners.toml` names them.
    pub(super) owners: BTreeSet<&'a str>,
    ids: BTreeSet<ObservationId>,
}

pub(super) fn served_by<'a>(evidence: &Evidence, catalogue: &'a Catalogue) -> ServedBy<'a> {
    let (mut names, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for (observation, seen) in evidence.dns().filter(|(_, seen)| seen.question.rtype == "NS") {
        let Some(answer) = message(seen) else { continue };
        let found: Vec<String> = answer.data_of("NS").map(str::to_owned).collect();
        if !found.is_empty() {
            names.extend(found);
            ids.insert(observation.id.clone());
        }
    }
    let owners = names.iter().filter_map(|n| catalogue.owner_of_ns(n)).map(|o| o.vendor.as_str()).collect();
    ServedBy { names, owners, ids }
}

fn name_servers(evidence: &Evidence, catalogue: &Catalogue, facts: &mut Facts) {
    let ServedBy { names, owners, ids } = served_by(evidence, catalogue);
    facts.known_list(FactKey::DnsNsOwner, "", owners.into_iter().map(str::to_owned), ids.clone());
    facts.known_list(FactKey::DnsNs, "", names, ids);
}

fn extended_errors(evidence: &Evidence, facts: &mut Facts) {
    let (mut codes, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for (observation, seen) in evidence.dns() {
        let Some(answer) = message(seen).filter(|answer| !answer.extended_errors.is_empty()) else {
            continue;
        };
        codes.extend(answer.extended_errors.iter().map(|e| extended_code(e.code, &e.text).to_string()));
        ids.insert(observation.id.clone());
    }
    facts.known_list(FactKey::DnsEde, "", codes, ids);
}

/// The code that an extended error's text stands for, where the code itself is a general one: `Other` (0), `DNSSEC
/// Indeterminate` (5), `DNSSEC Bogus` (6), `No Reachable Authority` (22), `Network Error` (23). Unbound, Knot Resolver,
/// Cloudflare and Google write more there than the code says.
fn extended_code(code: u16, text: &str) -> u16 {
    let text = text.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    match code {
        0 | 5 | 6
            if says(&["signature expired", "signatures expired", "rrsig expired", "expired signature"]) =>
        {
            7
        }
        0 | 5 | 6 if says(&["signature not yet valid", "signature inception", "not yet valid"]) => 8,
        0 | 5 | 6 if says(&["no dnskey for", "dnskey missing", "missing dnskey"]) => 9,
        0 | 5 | 6 if says(&["no rrsig", "no signatures", "missing signature", "rrsigs missing"]) => 10,
        0 if says(&["blocklist", "block list", "blocked", "filtered", "malware", "phishing"]) => 15,
        // The server is there and is not responsible for the zone.
        0 | 22 | 23 if says(&["rcode=refused", "rcode=notauth", "lame delegation", "not authoritative"]) => {
            20
        }
        _ => code,
    }
}

#[cfg(test)]
mod tests {
    use super::extended_code;

    #[test]
    fn an_extended_errors_text_says_more_than_a_general_code() {
        for (code, text, want) in [
            (6, "validation failure <api.example.test. A IN>: signature expired from 192.0.2.1", 7),
            (6, "validation failure: no DNSKEY matches DS RRs of example.test", 6),
            (6, "no DNSKEY for key example.test", 9),
            (23, "[192.0.2.1] rcode=REFUSED for example.test A", 20),
            (23, "192.0.2.1:53 timed out for example.test A", 23),
            (22, "at delegation example.test.", 22),
            (0, "Filtered by the operator's blocklist", 15),
            (15, "rcode=REFUSED", 15),
        ] {
            assert_eq!(extended_code(code, text), want, "{code} {text}");
        }
    }
}
