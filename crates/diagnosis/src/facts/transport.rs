//! Addresses, connections and certificates, and whether this machine can see anything at all.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use landfall_evidence::{
    Certificate, Denial, DnsServerRole, Evidence, HttpVersion, ObservationId, Observed, Phase, ProbeFault,
    Purpose, TlsHandshake, TrustRefusal, TrustResult, Vantage,
};

use url::Url;

use super::dns::turned_away;
use super::{Exchanges, FactKey, Facts, Why, why_absent};
use crate::catalogue::Catalogue;

/// Outside questions that must have met silence before this machine is suspected.
const SILENCES_TO_SUSPECT: usize = 2;

pub(super) fn derive(
    evidence: &Evidence,
    catalogue: &Catalogue,
    exchanges: &Exchanges<'_>,
    facts: &mut Facts,
) {
    target(evidence, facts);
    connections(evidence, facts);
    handshakes(evidence, catalogue, facts);
    families(evidence, exchanges, facts);
    vantage(evidence, facts);
}

fn target(evidence: &Evidence, facts: &mut Facts) {
    let target = &evidence.target;
    if let Some(url) = &target.production {
        facts.known(FactKey::TargetUrl, "", url.as_str().trim_end_matches('/'), []);
        if let Some(host) = url.host_str() {
            facts.known(FactKey::TargetHost, "", host, []);
        }
    }
    if let Some(host) = target.origin.as_ref().and_then(|url| url.host_str()) {
        facts.known(FactKey::TargetOriginHost, "", host, []);
    }
    if let Some(endpoint) = target.endpoints.first() {
        facts.known(FactKey::TargetPath, "", endpoint.path.as_str(), []);
    }
}

/// What TCP did, as far as an outcome tells. A failure in a later phase means that the connection stood.
fn tcp_word<T>(answer: &Observed<T>) -> Option<&'static str> {
    Some(match answer {
        Observed::Present(_) => "ok",
        Observed::Silent(silence) if silence.phase == Phase::Connect => "silent",
        Observed::Silent(silence) if silence.phase == Phase::Resolve => return None,
        Observed::Silent(_) => "ok",
        Observed::Denied(Denial::Refused) => "refused",
        Observed::Denied(Denial::Unreachable { .. }) => "unreachable",
        Observed::Denied(
            Denial::Reset { phase: Phase::Connect } | Denial::Closed { phase: Phase::Connect },
        ) => "reset",
        Observed::Denied(Denial::Rcode(_)) => return None,
        Observed::Denied(_) => "ok",
        Observed::Unasked(ProbeFault::NoRoute { .. }) => "no-route",
        Observed::Unasked(_) => return None,
    })
}

/// What was seen of one address, one vantage or one family.
#[derive(Default)]
struct Seen {
    words: BTreeSet<&'static str>,
    ids: BTreeSet<ObservationId>,
    /// Classes of the statuses that came back: 2 for 2xx.
    classes: BTreeSet<u16>,
}

struct Connection {
    vantage: Vantage,
    address: SocketAddr,
    word: &'static str,
    id: ObservationId,
}

fn every_connection(evidence: &Evidence) -> Vec<Connection> {
    let mut found = Vec::new();
    let over_tls = evidence.target.production.as_ref().is_some_and(|url| url.scheme() == "https");
    for (observation, seen) in evidence.tls() {
        if let Some(word) = tcp_word(&seen.answer) {
            found.push(Connection {
                vantage: observation.vantage,
                address: seen.question.address,
                word,
                id: observation.id.clone(),
            });
        }
    }
    for (observation, seen) in evidence.http() {
        // HTTP/3 travels over UDP, and port 80 is another door.
        let leaves_tls = seen.request.purpose == Purpose::Redirect
            && over_tls
            && Url::parse(&seen.request.url).is_ok_and(|url| url.scheme() == "http");
        if seen.request.version == HttpVersion::H3 || seen.request.purpose == Purpose::PlainHttp || leaves_tls
        {
            continue;
        }
        if let (Some(address), Some(word)) = (seen.request.address, tcp_word(&seen.answer)) {
            found.push(Connection {
                vantage: observation.vantage,
                address,
                word,
                id: observation.id.clone(),
            });
        }
    }
    found
}

fn connections(evidence: &Evidence, facts: &mut Facts) {
    let mut by_address: BTreeMap<(Vantage, SocketAddr), Seen> = BTreeMap::new();
    for connection in every_connection(evidence) {
        let slot = by_address.entry((connection.vantage, connection.address)).or_default();
        slot.words.insert(connection.word);
        slot.ids.insert(connection.id);
    }
    let mut by_vantage: BTreeMap<Vantage, Seen> = BTreeMap::new();
    for ((vantage, address), Seen { words, ids, .. }) in by_address {
        let Some(word) = ["ok", "refused", "reset", "unreachable", "silent", "no-route"]
            .into_iter()
            .find(|w| words.contains(w))
        else {
            continue;
        };
        facts.known(FactKey::TcpOutcome, format!("{vantage} {address}"), word, ids.clone());
        if word != "no-route" {
            let slot = by_vantage.entry(vantage).or_default();
            slot.words.insert(word);
            slot.ids.extend(ids);
        }
    }
    for (vantage, Seen { words, ids, .. }) in by_vantage {
        let word = if words.len() == 1 { words.into_iter().next().unwrap_or("mixed") } else { "mixed" };
        let outside = matches!(vantage, Vantage::Edge | Vantage::Origin);
        facts.known(FactKey::TcpState, vantage.to_string(), word, ids).symptom =
            outside && !matches!(word, "ok" | "mixed");
    }
}

/// Whether the bytes that came in place of TLS are an HTTP answer; some servers send only the page of their complaint.
pub(super) fn is_http(first_bytes: &str) -> bool {
    let begins =
        |with: &str| first_bytes.get(..with.len()).is_some_and(|head| head.eq_ignore_ascii_case(with));
    ["HTTP/", "<html", "<!doctype"].into_iter().any(begins)
}

fn handshakes(evidence: &Evidence, catalogue: &Catalogue, facts: &mut Facts) {
    for (observation, seen) in evidence.tls() {
        let subject = format!("{} {}", observation.vantage, seen.question.address);
        let id = || [observation.id.clone()];
        let word = match &seen.answer {
            Observed::Present(_) => "ok",
            Observed::Silent(silence) if silence.phase == Phase::Tls => "silent",
            Observed::Denied(Denial::TlsAlert { name, .. }) => {
                facts.known(FactKey::TlsAlert, subject.as_str(), name.as_str(), id());
                "alert"
            }
            Observed::Denied(Denial::NotTls { first_bytes }) if is_http(first_bytes) => "plain-http",
            Observed::Denied(Denial::NotTls { .. }) => "not-tls",
            Observed::Denied(Denial::Reset { phase: Phase::Tls }) => "reset",
            Observed::Denied(Denial::Closed { phase: Phase::Tls }) => "closed",
            Observed::Denied(Denial::Malformed { phase: Phase::Tls, .. } | Denial::TooLarge { .. }) => {
                "malformed"
            }
            other => {
                facts.unknown(FactKey::TlsOutcome, subject.as_str(), why_absent(other), id());
                facts.unknown(FactKey::TlsVerify, subject, why_absent(other), id());
                continue;
            }
        };
        facts.known(FactKey::TlsOutcome, subject.as_str(), word, id()).symptom = word != "ok";
        let Some(handshake) = seen.answer.present() else {
            facts.unknown(
                FactKey::TlsVerify,
                subject,
                Why::Undecided("the handshake did not finish".to_owned()),
                id(),
            );
            continue;
        };
        match verdict(handshake) {
            Some(word) => {
                facts.known(FactKey::TlsVerify, subject.as_str(), word, id()).symptom = word != "ok"
            }
            None => {
                let why = Why::NotRun("no root store was at hand".to_owned());
                facts.unknown(FactKey::TlsVerify, subject.as_str(), why, id());
            }
        }
        facts.known(FactKey::TlsChainLength, subject.as_str(), handshake.chain.len() as i64, id());
        if let Some(leaf) = handshake.chain.first() {
            self::leaf(leaf, evidence, catalogue, &subject, &observation.id, facts);
        }
    }
}

/// One word for all root stores: one that finds a path is enough, since clients differ in their stores.
fn verdict(handshake: &TlsHandshake) -> Option<&'static str> {
    if handshake.trust.is_empty() {
        return None;
    }
    let trusted = handshake.trust.iter().any(|path| matches!(path.result, TrustResult::Trusted { .. }));
    if trusted {
        return Some(if handshake.name_matches { "ok" } else { "name" });
    }
    let reasons: BTreeSet<TrustRefusalOrder> = handshake
        .trust
        .iter()
        .filter_map(|path| match &path.result {
            TrustResult::Refused { reason, .. } => Some(TrustRefusalOrder::from(*reason)),
            TrustResult::Trusted { .. } => None,
        })
        .collect();
    reasons.first().map(|reason| reason.word())
}

/// Refusals, the most telling first: a validity that is over hides whether the path would hold.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum TrustRefusalOrder {
    Expired,
    NotYetValid,
    SelfSigned,
    IncompleteChain,
    UnknownIssuer,
    NameMismatch,
    Other,
}

impl From<TrustRefusal> for TrustRefusalOrder {
    fn from(reason: TrustRefusal) -> Self {
        match reason {
            TrustRefusal::Expired => Self::Expired,
            TrustRefusal::NotYetValid => Self::NotYetValid,
            TrustRefusal::SelfSigned => Self::SelfSigned,
            TrustRefusal::IncompleteChain => Self::IncompleteChain,
            TrustRefusal::UnknownIssuer => Self::UnknownIssuer,
            TrustRefusal::NameMismatch => Self::NameMismatch,
            TrustRefusal::Other => Self::Other,
        }
    }
}

impl TrustRefusalOrder {
    fn word(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::SelfSigned => "self-signed",
            Self::IncompleteChain => "chain",
            Self::UnknownIssuer => "unknown-issuer",
            Self::NameMismatch => "name",
            Self::Other => "other",
        }
    }
}

fn leaf(
    leaf: &Certificate,
    evidence: &Evidence,
    catalogue: &Catalogue,
    subject: &str,
    id: &ObservationId,
    facts: &mut Facts,
) {
    let id = || [id.clone()];
    let left_s = leaf.not_after.as_second() - evidence.started_at.as_second();
    facts.known(FactKey::TlsDaysLeft, subject, left_s.div_euclid(86_400), id());
    facts.known_list(FactKey::TlsNames, subject, leaf.san.iter().take(20).cloned(), id());
    facts.known(FactKey::TlsIssuer, subject, leaf.issuer.as_str(), id());
    facts.known(FactKey::TlsAia, subject, !leaf.aia_issuers.is_empty(), id());
    let owners = leaf.san.iter().filter_map(|name| {
        catalogue.owner_of_cname(name.trim_start_matches("*.")).or_else(|| {
            // A wildcard over a service's whole domain covers `.service.tld` itself.
            catalogue.owner_of_cname(&name.replacen('*', "any", 1))
        })
    });
    facts.known_list(FactKey::TlsNamesOwner, subject, owners.map(|owner| owner.vendor.clone()), id());
}

/// Whether one family fails while the other serves.
fn families(evidence: &Evidence, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    let mut state: BTreeMap<bool, Seen> = BTreeMap::new();
    for connection in every_connection(evidence).into_iter().filter(|c| c.vantage == Vantage::Edge) {
        let family = if connection.address.is_ipv6() { "IPv6" } else { "IPv4" };
        if connection.word == "no-route" {
            facts.known(FactKey::VantageFamily, family, "no-route", [connection.id]);
            continue;
        }
        let slot = state.entry(connection.address.is_ipv6()).or_default();
        slot.words.insert(connection.word);
        slot.ids.insert(connection.id);
    }
    for (observation, seen) in evidence.tls().filter(|(o, _)| o.vantage == Vantage::Edge) {
        let failed = matches!(
            &seen.answer,
            Observed::Denied(Denial::TlsAlert { .. } | Denial::NotTls { .. })
                | Observed::Denied(
                    Denial::Reset { phase: Phase::Tls } | Denial::Closed { phase: Phase::Tls }
                )
        ) || seen
            .answer
            .present()
            .is_some_and(|handshake| verdict(handshake).is_some_and(|word| word != "ok"));
        if failed {
            let slot = state.entry(seen.question.address.is_ipv6()).or_default();
            slot.words.insert("tls");
            slot.ids.insert(observation.id.clone());
        }
    }
    for x in exchanges.all.iter().filter(|x| x.vantage == Vantage::Edge) {
        if matches!(x.purpose, Purpose::Endpoint | Purpose::AddressParity)
            && exchanges.all.iter().any(|y| {
                y.vantage == Vantage::Edge && y.purpose == Purpose::AddressParity && y.path == x.path
            })
            && let (Some(address), Some(response)) = (x.seen.request.address, x.response())
        {
            state.entry(address.is_ipv6()).or_default().classes.insert(response.status / 100);
        }
    }
    let good =
        |family: bool| state.get(&family).is_some_and(|seen| seen.words.iter().all(|word| *word == "ok"));
    let connects = |family: bool| {
        state.get(&family).is_some_and(|seen| {
            seen.words.contains("ok") && seen.words.iter().all(|word| matches!(*word, "ok" | "tls"))
        })
    };
    let class = |family: bool| state.get(&family).map(|seen| seen.classes.clone()).unwrap_or_default();
    for (v6, Seen { words, ids, .. }) in &state {
        let name = if *v6 { "IPv6" } else { "IPv4" };
        let mut word = ["tls", "refused", "reset", "unreachable", "silent"]
            .into_iter()
            .find(|w| words.contains(w))
            .unwrap_or("ok");
        let (own, other) = (class(*v6), class(!v6));
        let serves = |classes: &BTreeSet<u16>| classes.contains(&2);
        if word == "ok" && !own.is_empty() && !other.is_empty() && !serves(&own) && serves(&other) {
            word = "other-answer";
        }
        if !words.is_empty() {
            // Where one family does not even connect and the other does, that is a fault of its own, whatever the
            // certificate behind the other is worth.
            let apart = !matches!(word, "tls" | "other-answer") && connects(!v6);
            facts.known(FactKey::FamilyState, name, word, ids.clone()).symptom =
                word != "ok" && (good(!v6) || apart);
        }
        if words.contains("ok") {
            facts.known(FactKey::VantageFamily, name, "ok", ids.clone());
        }
    }
}

/// Whether anything outside answered. The system's resolver does not count: it answers from files and caches too.
fn vantage(evidence: &Evidence, facts: &mut Facts) {
    let (mut answered, mut ids) = (BTreeSet::new(), BTreeSet::new());
    let turned_away = turned_away(evidence);
    let mut silent = BTreeSet::new();
    let mut note = |kind: &str, word: Option<&str>, id: &ObservationId| match word {
        Some("silent" | "unreachable" | "no-route") => {
            silent.insert(id.clone());
        }
        Some(_) => {
            answered.insert(kind.to_owned());
            ids.insert(id.clone());
        }
        None => {}
    };
    for (observation, seen) in evidence.dns().filter(|(_, s)| s.question.server.role != DnsServerRole::System)
    {
        let word = match &seen.answer {
            // A resolver that turns this machine away is as good as none.
            Observed::Denied(Denial::Rcode(_))
                if turned_away && seen.question.server.role == DnsServerRole::Recursive =>
            {
                Some("unreachable")
            }
            Observed::Present(_) | Observed::Denied(Denial::Rcode(_)) => Some("ok"),
            Observed::Silent(_) => Some("silent"),
            _ => None,
        };
        note("dns", word, &observation.id);
    }
    let outside = |vantage: Vantage| matches!(vantage, Vantage::Edge | Vantage::Origin);
    let is_local = |address: IpAddr| address.is_loopback() && !evidence.settings.mapped;
    for (observation, seen) in evidence.tls().filter(|(o, _)| outside(o.vantage)) {
        if !is_local(seen.question.address.ip()) {
            note(&observation.vantage.to_string(), tcp_word(&seen.answer), &observation.id);
        }
    }
    for (observation, seen) in evidence.http().filter(|(o, _)| outside(o.vantage)) {
        // QUIC goes over UDP, where a firewall that drops and a server that does not speak it are alike.
        let tells = seen.request.version != HttpVersion::H3 || seen.answer.present().is_some();
        if tells && seen.request.address.is_some_and(|address| !is_local(address.ip())) {
            note(&observation.vantage.to_string(), tcp_word(&seen.answer), &observation.id);
        }
    }
    if !answered.is_empty() {
        facts.known_list(FactKey::VantageAnswered, "", answered, ids.clone());
        facts.known(FactKey::VantageReach, "", "yes", ids);
    } else if silent.len() >= SILENCES_TO_SUSPECT {
        facts.known(FactKey::VantageReach, "", "no", silent).symptom = true;
    } else {
        let why = Why::NotRun("too little was asked of the outside to tell".to_owned());
        facts.unknown(FactKey::VantageReach, "", why, silent);
    }
}
