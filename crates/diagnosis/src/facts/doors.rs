//! Doors that would not open: what else the same address does, and what the certificate that it shows is.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use landfall_evidence::{
    Certificate, Denial, DoorAnswer, DoorAsk, DoorObservation, Evidence, HttpResponse, HttpVersion,
    Observation, ObservationId, Observed, Phase, PortSetting, ProbeFault, Purpose, Seen, Vantage,
};

use super::http::{has_keys, outcome_word};
use super::{Exchanges, FactKey, Facts, Why, why_absent};
use crate::catalogue::Catalogue;
use crate::signatures::Meaning;

/// A connect of about one, three or seven seconds: the first SYN or more were lost and one sent again was answered
/// (RFC 6298: one second at first, doubled each time). A round trip of up to 400 ms is allowed for.
const RETRANSMITTED_US: [(u64, u64); 3] =
    [(990_000, 1_400_000), (2_990_000, 3_400_000), (6_990_000, 7_400_000)];

/// A body that stalls before this many bytes stalls within the first packets of a transfer.
const FIRST_PACKETS_BYTE: u64 = 16 * 1024;

/// Top-level domains whose whole content browsers ask over HTTPS only (the HSTS preload list of Chromium, entries with
/// policy "public-suffix", https://hstspreload.org/).
const PRELOADED_TLDS: &[&str] = &[
    "app",
    "bank",
    "boo",
    "dad",
    "day",
    "dev",
    "eat",
    "esq",
    "fly",
    "foo",
    "gle",
    "google",
    "how",
    "ing",
    "insurance",
    "meet",
    "meme",
    "mov",
    "new",
    "nexus",
    "page",
    "phd",
    "prof",
    "rsvp",
    "soy",
    "zip",
];

/// Certificates that proxies and platforms show until there is one for the name: a part of the subject, issuer or a name,
/// in lower case, and whose it is. Sources: traefik/traefik issues 3168 and moov-io/infra issue 77 (`TRAEFIK DEFAULT
/// CERT`, `*.traefik.default`), kubernetes/ingress-nginx documentation of the default certificate, openshift/api
/// (`ingress-operator@`), projectdiscovery/nuclei-templates pull 6958.
const PLACEHOLDERS: &[(&str, &str)] = &[
    ("traefik default cert", "Traefik"),
    ("traefik.default", "Traefik"),
    ("kubernetes ingress controller fake certificate", "ingress-nginx"),
    ("ingress.local", "ingress-nginx"),
    ("ingress-operator@", "the OpenShift router"),
    ("default haproxy ingress certificate", "HAProxy ingress"),
    ("acme tls-alpn", "an ACME client"),
    ("acme.invalid", "an ACME client"),
    ("fake le intermediate", "the authority's test environment"),
    ("(staging)", "the authority's test environment"),
];

pub(super) fn derive(
    evidence: &Evidence,
    catalogue: &Catalogue,
    exchanges: &Exchanges<'_>,
    facts: &mut Facts,
) {
    ports(evidence, catalogue, exchanges, facts);
    connects(evidence, facts);
    handshakes(evidence, facts);
    certificates(evidence, catalogue, facts);
    policy(evidence, facts);
    stalls(exchanges, facts);
    addresses(evidence, catalogue, facts);
}

fn doors(evidence: &Evidence, ask: DoorAsk) -> impl Iterator<Item = (&Observation, &DoorObservation)> {
    evidence.doors().filter(move |(o, seen)| o.vantage == Vantage::Edge && seen.question.ask == ask)
}

/// What an HTTP answer at a door is: the application's, or any other.
fn answer_word(
    evidence: &Evidence,
    catalogue: &Catalogue,
    path: &str,
    response: &HttpResponse,
) -> &'static str {
    let elsewhere = response.redirect_to.as_deref().unwrap_or_default();
    if (300..400).contains(&response.status) && elsewhere.starts_with("https://") {
        return "redirect";
    }
    if catalogue
        .read_response(response)
        .best()
        .is_some_and(|b| b.signature.meaning == Meaning::ProtocolMismatch)
    {
        // That one complains of the very way in which it was asked.
        return "other";
    }
    let expect = evidence.target.endpoints.iter().find(|e| e.path == path).map(|e| e.expect.clone());
    let placeholder = catalogue.read_response(response).best().is_some_and(|best| {
        !matches!(best.signature.meaning, Meaning::HopMarker) && !best.signature.hop.is_application()
    });
    let fits = expect.is_none_or(|e| e.accepts_status(response.status) && has_keys(response, &e.json_keys));
    if fits && (200..300).contains(&response.status) && !placeholder { "app" } else { "answer" }
}

/// The other ports of the address, plain HTTP among them.
fn ports(evidence: &Evidence, catalogue: &Catalogue, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    let word = |path: &str, answer: &Observed<HttpResponse>| match answer {
        Observed::Present(response) => Some(answer_word(evidence, catalogue, path, response)),
        other => match outcome_word(other) {
            Some("tls" | "not-tls" | "malformed" | "closed" | "reset" | "too-large" | "other") => {
                Some("other")
            }
            word => word,
        },
    };
    let mut seen: BTreeMap<u16, (&'static str, ObservationId)> = BTreeMap::new();
    for x in exchanges.of(Vantage::Edge, Purpose::PlainHttp) {
        if let (Some(address), Some(word)) = (x.seen.request.address, word(x.path, &x.seen.answer)) {
            seen.insert(address.port(), (word, x.id()));
        }
        let up = |r: &&HttpResponse| r.redirect_to.as_deref().is_some_and(|to| to.starts_with("https:"));
        if let Some(response) = x.seen.answer.present().filter(up) {
            facts.known(FactKey::DoorPlainStatus, "edge", i64::from(response.status), [x.id()]);
        }
    }
    let looks = doors(evidence, DoorAsk::OtherPort).chain(doors(evidence, DoorAsk::PlainHere));
    for (observation, door) in looks {
        let path = door
            .question
            .url
            .as_deref()
            .and_then(|text| url::Url::parse(text).ok())
            .map(|url| url[url::Position::BeforePath..url::Position::AfterQuery].to_owned())
            .unwrap_or_default();
        let answer = door.answer.clone().map(|answer| match answer {
            DoorAnswer::Http { response } => Some(*response),
            _ => None,
        });
        let word = match answer {
            Observed::Present(Some(response)) => word(&path, &Observed::Present(response)),
            Observed::Present(None) => Some("other"),
            Observed::Denied(denial) => word(&path, &Observed::Denied(denial)),
            Observed::Silent(silence) => word(&path, &Observed::Silent(silence)),
            Observed::Unasked(_) => None,
        };
        let here = door.question.ask == DoorAsk::PlainHere;
        if let (Some(word), true) = (word, here) {
            facts.known(FactKey::DoorPlainHere, "edge", word, [observation.id.clone()]);
        } else if let Some(word) = word {
            seen.entry(door.question.address.port()).or_insert((word, observation.id.clone()));
        }
    }
    for (port, (word, id)) in &seen {
        facts.known(FactKey::DoorOutcome, format!("edge {port}"), *word, [id.clone()]);
    }
    if let Some((word, id)) = seen.get(&80) {
        facts.known(FactKey::DoorPlain, "edge", *word, [id.clone()]);
    }
    let own = evidence.target.production.as_ref().and_then(|url| url.port_or_known_default());
    let others: Vec<_> = seen.iter().filter(|(port, _)| Some(**port) != own && **port != 80).collect();
    let opened: Vec<_> = others.iter().filter(|(_, (word, _))| matches!(*word, "app" | "answer")).collect();
    let app = opened.iter().find(|(_, (word, _))| *word == "app").or(opened.first());
    if let Some((port, (_, id))) = app {
        facts.known(FactKey::DoorAppPort, "edge", i64::from(**port), [id.clone()]);
        let configured: BTreeSet<String> = configured_ports(evidence);
        if !configured.is_empty() {
            let fits = configured.contains(&port.to_string());
            facts.known(FactKey::DoorPortConfigured, "edge", fits, [id.clone()]);
        }
    }
    if !others.is_empty() {
        let ids: Vec<ObservationId> = others.iter().map(|(_, (_, id))| id.clone()).collect();
        facts.known(FactKey::DoorAny, "edge", !opened.is_empty(), ids);
    }
    if let Some((observation, door)) = doors(evidence, DoorAsk::Again).next() {
        match outcome_word(&door.answer) {
            Some(word) => {
                let word = if word == "answered" { "ok" } else { word };
                facts.known(FactKey::DoorAgain, "edge", word, [observation.id.clone()]);
            }
            None => {
                facts.unknown(FactKey::DoorAgain, "edge", why_absent(&door.answer), [observation.id.clone()])
            }
        }
    }
}

/// Ports that the deploy configuration names.
fn configured_ports(evidence: &Evidence) -> BTreeSet<String> {
    let Some((_, snapshot)) = evidence.project() else { return BTreeSet::new() };
    let mut ports = BTreeSet::new();
    for config in &snapshot.deploy {
        for map in &config.ports {
            ports.insert(map.local.to_string());
            ports.insert(map.external.to_string());
        }
        if let Some(PortSetting::Literal { port } | PortSetting::Variable { default: Some(port), .. }) =
            config.start.as_ref().map(|start| &start.bind_port)
        {
            ports.insert(port.to_string());
        }
    }
    ports
}

/// Connections begun within this time of each other were begun together.
const TOGETHER_US: u64 = 100_000;

/// Whether connections to one address sometimes stand and sometimes meet silence, and how many took a SYN sent again.
fn connects(evidence: &Evidence, facts: &mut Facts) {
    #[derive(Default)]
    struct At {
        stood: BTreeSet<ObservationId>,
        silent: BTreeSet<ObservationId>,
        slow: BTreeSet<ObservationId>,
        /// When the slow ones began.
        slow_from_us: Vec<u64>,
        quick: usize,
    }
    let mut at: BTreeMap<SocketAddr, At> = BTreeMap::new();
    let mut note = |address: SocketAddr,
                    observation: &landfall_evidence::Observation,
                    word: Option<bool>,
                    connect_us: Option<u64>| {
        let id = &observation.id;
        let slot = at.entry(address).or_default();
        match word {
            Some(true) => slot.stood.insert(id.clone()),
            Some(false) => slot.silent.insert(id.clone()),
            None => false,
        };
        match connect_us {
            Some(us) if RETRANSMITTED_US.iter().any(|(from, to)| (*from..*to).contains(&us)) => {
                slot.slow.insert(id.clone());
                slot.slow_from_us.push(observation.started_us);
            }
            Some(us) if us < 900_000 => slot.quick += 1,
            _ => {}
        }
    };
    for observation in evidence.observations.iter().filter(|o| o.vantage == Vantage::Edge) {
        match &observation.seen {
            Seen::Tls(seen) => note(seen.question.address, observation, stood(&seen.answer), None),
            Seen::Http(seen)
                if seen.request.version != HttpVersion::H3 && seen.request.purpose != Purpose::PlainHttp =>
            {
                if let Some(address) = seen.request.address {
                    note(address, observation, stood(&seen.answer), seen.timings.connect_us);
                }
            }
            Seen::Door(seen) if !matches!(seen.question.ask, DoorAsk::OtherPort | DoorAsk::Challenge) => {
                let open = matches!(seen.answer, Observed::Present(DoorAnswer::Open));
                note(
                    seen.question.address,
                    observation,
                    stood(&seen.answer),
                    open.then_some(observation.took_us),
                );
            }
            _ => {}
        }
    }
    for (address, seen) in at {
        let subject = format!("edge {address}");
        let both: Vec<ObservationId> = seen.stood.iter().chain(&seen.silent).cloned().collect();
        let flaps = !seen.stood.is_empty() && !seen.silent.is_empty();
        // A machine that was busy for a second delays whatever was begun in that moment; a queue that is full drops now and
        // then.
        let span_us = seen.slow_from_us.iter().max().zip(seen.slow_from_us.iter().min()).map(|(a, b)| a - b);
        let lost = seen.slow.len() >= 2
            && seen.slow.len() >= seen.quick
            && (seen.slow.len() >= 3 || span_us.is_some_and(|us| us > TOGETHER_US));
        if seen.stood.len() + seen.silent.len() >= 2 {
            facts.known(FactKey::TcpFlaps, subject.as_str(), flaps || lost, both).symptom = flaps || lost;
        }
        if !seen.slow.is_empty() {
            let count = i64::try_from(seen.slow.len()).unwrap_or(i64::MAX);
            facts.known(FactKey::TcpSlowConnects, subject, count, seen.slow);
        }
    }
}

/// Whether a connection stood; `None` where the outcome does not speak of one, or speaks of a refusal.
fn stood<T>(answer: &Observed<T>) -> Option<bool> {
    match answer {
        Observed::Present(_) => Some(true),
        Observed::Silent(silence) if silence.phase == Phase::Connect => Some(false),
        Observed::Silent(silence) if silence.phase == Phase::Resolve => None,
        Observed::Silent(_) => Some(true),
        Observed::Denied(
            Denial::Refused
            | Denial::Unreachable { .. }
            | Denial::Rcode(_)
            | Denial::Reset { phase: Phase::Connect }
            | Denial::Closed { phase: Phase::Connect },
        ) => None,
        Observed::Denied(_) => Some(true),
        Observed::Unasked(_) => None,
    }
}

/// The further handshakes.
fn handshakes(evidence: &Evidence, facts: &mut Facts) {
    for (ask, key) in [
        (DoorAsk::NoName, FactKey::TlsNoName),
        (DoorAsk::OtherName, FactKey::TlsOtherName),
        (DoorAsk::SmallHello, FactKey::TlsSmallHello),
        (DoorAsk::LegacyHello, FactKey::TlsLegacy),
        (DoorAsk::ClientCertificate, FactKey::TlsAgain),
    ] {
        for (observation, door) in doors(evidence, ask) {
            let subject = format!("edge {}", door.question.address);
            let id = || [observation.id.clone()];
            let word = match &door.answer {
                Observed::Present(_) => "ok",
                Observed::Silent(_) => "silent",
                Observed::Denied(Denial::TlsAlert { .. }) => "alert",
                Observed::Denied(Denial::NotTls { first_bytes })
                    if super::transport::is_http(first_bytes) =>
                {
                    "plain-http"
                }
                Observed::Denied(Denial::Reset { .. }) => "reset",
                Observed::Denied(Denial::Closed { .. }) => "closed",
                Observed::Denied(_) => "other",
                Observed::Unasked(_) => {
                    facts.unknown(key, subject, why_absent(&door.answer), id());
                    continue;
                }
            };
            facts.known(key, subject.as_str(), word, id());
            if let Observed::Present(DoorAnswer::Tls(shown)) = &door.answer {
                if ask == DoorAsk::LegacyHello {
                    facts.known(FactKey::TlsLegacyVersion, subject.as_str(), shown.version.as_str(), id());
                    facts.known(FactKey::TlsLegacySuite, subject.as_str(), shown.cipher_suite.as_str(), id());
                }
                if matches!(ask, DoorAsk::NoName | DoorAsk::OtherName) {
                    facts.known_list(FactKey::TlsDefaultNames, subject.as_str(), shown.names.clone(), id());
                }
                if let (DoorAsk::ClientCertificate, Some(asked)) = (ask, shown.certificate_asked) {
                    facts.known(FactKey::TlsClientCertificate, subject.as_str(), asked, id());
                }
                if let Some(alert) = &shown.alert_after {
                    facts.known(FactKey::TlsAlertAfter, subject.as_str(), alert.as_str(), id());
                }
            }
        }
    }
    for (observation, door) in doors(evidence, DoorAsk::SmallAnswer) {
        let subject = format!("edge {}", door.question.address);
        let came = match &door.answer {
            Observed::Present(_) => Some(true),
            Observed::Denied(Denial::TlsAlert { .. } | Denial::NotTls { .. }) => Some(true),
            Observed::Silent(silence) if silence.phase == Phase::Tls => Some(false),
            // A close without a word may be what this server answers to nonsense.
            _ => None,
        };
        match came {
            Some(came) => {
                facts.known(FactKey::TlsSmallAnswer, subject, came, [observation.id.clone()]);
            }
            None => {
                let why = Why::Undecided(door.answer.describe());
                facts.unknown(FactKey::TlsSmallAnswer, subject, why, [observation.id.clone()]);
            }
        }
    }
    // The alert by which a request was ended says what a finished handshake does not.
    for (observation, seen) in evidence.http().filter(|(o, _)| o.vantage == Vantage::Edge) {
        let alert = match &seen.answer {
            Observed::Denied(Denial::TlsAlert { name, .. }) => Some(name.clone()),
            // Older evidence has the alert as a fault of this side, in the TLS library's words.
            Observed::Unasked(ProbeFault::Local { detail }) => {
                detail.rsplit_once("received fatal alert: ").map(|(_, name)| snake(name))
            }
            _ => None,
        };
        if let (Some(name), Some(address)) = (alert, seen.request.address)
            && evidence.tls().any(|(_, t)| t.question.address == address && t.answer.present().is_some())
        {
            let subject = format!("edge {address}");
            facts.known(FactKey::TlsAlertAfter, subject, name.as_str(), [observation.id.clone()]);
        }
    }
}

/// `BadCertificate` as `bad_certificate`, which is how RFC 8446 spells the names of alerts.
fn snake(name: &str) -> String {
    let mut spelt = String::new();
    for letter in name.chars().filter(char::is_ascii_alphanumeric).take(60) {
        if letter.is_ascii_uppercase() && !spelt.is_empty() {
            spelt.push('_');
        }
        spelt.push(letter.to_ascii_lowercase());
    }
    spelt
}

/// What the leaf is beside valid or not: a placeholder, a wildcard one level too high, a stranger's.
fn certificates(evidence: &Evidence, catalogue: &Catalogue, facts: &mut Facts) {
    let host = evidence.target.production.as_ref().and_then(|url| url.host_str()).unwrap_or_default();
    for (observation, seen) in evidence.tls().filter(|(o, _)| o.vantage == Vantage::Edge) {
        let Some(handshake) = seen.answer.present() else { continue };
        let Some(leaf) = handshake.chain.first() else { continue };
        let subject = format!("edge {}", seen.question.address);
        let id = || [observation.id.clone()];
        match placeholder(leaf) {
            Some(product) => {
                facts.known(FactKey::TlsPlaceholder, subject.as_str(), product, id());
            }
            None => {
                facts.known(FactKey::TlsPlaceholder, subject.as_str(), "none", id());
            }
        }
        facts.known(FactKey::TlsSelfIssued, subject.as_str(), leaf.self_issued, id());
        let began_s = evidence.started_at.as_second() - leaf.not_before.as_second();
        facts.known(FactKey::TlsAgeDays, subject.as_str(), began_s.div_euclid(86_400), id());
        if handshake.name_matches || leaf.san.is_empty() {
            continue;
        }
        facts.known(FactKey::TlsWildcardDepth, subject.as_str(), too_deep(host, &leaf.san), id());
        let kin = if leaf.san.iter().any(|name| same_domain(name, host)) {
            "own"
        } else if facts.get(FactKey::TlsNamesOwner, &subject).is_some_and(|fact| fact.known().is_some()) {
            "platform"
        } else {
            "stranger"
        };
        facts.known(FactKey::TlsNamesKin, subject, kin, id());
    }
    // Where several addresses were asked, the one that stands in the way decides.
    let looks = doors(evidence, DoorAsk::Challenge).map(|(o, door)| (o, door, challenge(catalogue, door)));
    let telling = looks.min_by_key(|(.., word)| match word {
        Some("free" | "redirected") => 1,
        Some(_) => 0,
        None => 2,
    });
    if let Some((observation, door, word)) = telling {
        let id = [observation.id.clone()];
        match word {
            Some(word) => drop(facts.known(FactKey::AcmeChallenge, "edge", word, id)),
            None => facts.unknown(FactKey::AcmeChallenge, "edge", why_absent(&door.answer), id),
        }
    }
}

/// What came of a look at the path of a challenge; `None` when our side did not ask.
pub(crate) fn challenge(catalogue: &Catalogue, door: &DoorObservation) -> Option<&'static str> {
    match &door.answer {
        Observed::Present(DoorAnswer::Http { response }) => Some(challenge_word(catalogue, response)),
        Observed::Present(_) => Some("other"),
        other => Some(match outcome_word(other)? {
            "refused" => "refused",
            "silent" => "silent",
            _ => "other",
        }),
    }
}

/// What stands in the way of a challenge. An unknown token is rightly not found; an authority follows redirects, so a
/// redirect is no obstacle by itself where its target answers.
fn challenge_word(catalogue: &Catalogue, response: &HttpResponse) -> &'static str {
    let by = catalogue.read_response(response).best().map(|best| best.signature.meaning);
    match (response.status, by) {
        (_, Some(Meaning::WafBlocked | Meaning::WafChallenge)) => "blocked",
        (_, Some(Meaning::UnknownHost | Meaning::NoDeployment | Meaning::TakeoverRisk)) => "elsewhere",
        (404 | 410, _) => "free",
        (300..=399, _) => "redirected",
        (401 | 403 | 429 | 451, _) => "blocked",
        (500.., _) => "failing",
        (200..=299, _) => "page",
        _ => "other",
    }
}

fn placeholder(leaf: &Certificate) -> Option<&'static str> {
    let texts: Vec<String> = [&leaf.subject, &leaf.issuer]
        .into_iter()
        .chain(&leaf.san)
        .map(|text| text.to_ascii_lowercase())
        .collect();
    PLACEHOLDERS
        .iter()
        .find(|(sign, _)| texts.iter().any(|text| text.contains(sign)))
        .map(|(_, product)| *product)
}

/// Whether a wildcard would cover the host if one label were taken away (RFC 9525, section 6.3: a wildcard stands for
/// one label).
fn too_deep(host: &str, names: &[String]) -> bool {
    let host = host.to_ascii_lowercase();
    names.iter().filter_map(|name| name.strip_prefix("*.")).any(|parent| {
        let parent = parent.to_ascii_lowercase();
        host.strip_suffix(&parent)
            .and_then(|rest| rest.strip_suffix('.'))
            .is_some_and(|labels| labels.contains('.'))
    })
}

/// Whether two names, wildcards among them, lie in one registered domain.
pub(super) fn same_domain(a: &str, b: &str) -> bool {
    let domain = |name: &str| {
        let name = name.trim_start_matches("*.").trim_end_matches('.').to_ascii_lowercase();
        let domain = psl::domain(name.as_bytes())?;
        String::from_utf8(domain.as_bytes().to_vec()).ok()
    };
    domain(a).is_some_and(|own| domain(b) == Some(own))
}

/// Whether browsers are bound to HTTPS for this host while HTTPS does not work and plain HTTP does.
fn policy(evidence: &Evidence, facts: &mut Facts) {
    let Some(url) = &evidence.target.production else { return };
    let host = url.host_str().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
    let mut by: BTreeSet<String> = BTreeSet::new();
    let mut ids: BTreeSet<ObservationId> = BTreeSet::new();
    if host.rsplit('.').next().is_some_and(|tld| PRELOADED_TLDS.contains(&tld)) {
        by.insert("preloaded".into());
    }
    let binding = |response: &HttpResponse, below: bool| {
        response.header("strict-transport-security").is_some_and(|value| {
            let value = value.to_ascii_lowercase();
            let age = value
                .split(';')
                .find_map(|part| part.trim().strip_prefix("max-age=")?.trim_matches('"').parse::<u64>().ok());
            age.is_some_and(|age| age > 0) && (!below || value.contains("includesubdomains"))
        })
    };
    for (observation, seen) in evidence.http().filter(|(o, _)| o.vantage == Vantage::Edge) {
        // Over plain HTTP the header binds nobody (RFC 6797, section 8.1); its being sent still shows the intent.
        if seen.answer.present().is_some_and(|response| binding(response, false)) {
            by.insert("header".into());
            ids.insert(observation.id.clone());
        }
    }
    for (observation, door) in doors(evidence, DoorAsk::ParentPolicy) {
        if let Observed::Present(DoorAnswer::Http { response }) = &door.answer {
            if binding(response, true) {
                by.insert("parent".into());
            }
            ids.insert(observation.id.clone());
        }
    }
    facts.known_list(FactKey::HstsBy, "", by.clone(), ids.clone());
    let plain = facts.get(FactKey::DoorPlain, "edge").cloned();
    let plain_works =
        plain.as_ref().and_then(super::Fact::text).is_some_and(|word| matches!(word, "app" | "answer"));
    let bad = |key: FactKey| {
        facts.at(key, Some("edge")).any(|fact| fact.text().is_some_and(|word| word != "ok")) && {
            let mut all = facts.at(key, Some("edge"));
            all.all(|fact| fact.text() != Some("ok"))
        }
    };
    let https_broken = bad(FactKey::TcpState) || bad(FactKey::TlsOutcome) || bad(FactKey::TlsVerify);
    if url.scheme() == "https" && https_broken && plain_works {
        ids.extend(plain.into_iter().flat_map(|fact| fact.evidence));
        let pinned = !by.is_empty();
        facts.known(FactKey::HstsPinned, "", pinned, ids).symptom = pinned;
    }
}

/// Bodies that stopped while the connection stayed open.
fn stalls(exchanges: &Exchanges<'_>, facts: &mut Facts) {
    let mut offsets: BTreeMap<u64, BTreeSet<ObservationId>> = BTreeMap::new();
    let mut whole: Option<u64> = None;
    for x in exchanges.all.iter().filter(|x| x.vantage == Vantage::Edge) {
        let Some(response) = x.seen.answer.present() else { continue };
        let body = &response.body;
        if body.complete {
            whole = whole.max(Some(body.byte_count));
        } else if body.cut.as_deref().is_some_and(|cut| cut.starts_with("not complete after")) {
            let count = i64::try_from(body.byte_count).unwrap_or(i64::MAX);
            if body.byte_count <= FIRST_PACKETS_BYTE {
                offsets.entry(body.byte_count).or_default().insert(x.id());
            }
            facts.known(FactKey::HttpStalledByte, x.subject(), count, [x.id()]);
        }
    }
    let ids: BTreeSet<ObservationId> = offsets.values().flatten().cloned().collect();
    if let (Some(whole), Some((least, _))) = (whole, offsets.first_key_value()) {
        // Small answers come whole, and every larger one stops: the size decides, not the page.
        facts.known(FactKey::HttpSizeDecides, "edge", whole <= *least + 1500, ids);
    }
}

/// The addresses of the host against those of the platform's own name, and what kind of address a public name has.
fn addresses(evidence: &Evidence, catalogue: &Catalogue, facts: &mut Facts) {
    let mut by_vantage: BTreeMap<Vantage, (BTreeSet<IpAddr>, BTreeSet<ObservationId>)> = BTreeMap::new();
    let mut note = |vantage: Vantage, address: Option<SocketAddr>, id: &ObservationId| {
        if let Some(address) = address {
            let slot = by_vantage.entry(vantage).or_default();
            slot.0.insert(address.ip());
            slot.1.insert(id.clone());
        }
    };
    for (observation, seen) in evidence.tls() {
        note(observation.vantage, Some(seen.question.address), &observation.id);
    }
    for (observation, seen) in evidence.http() {
        note(observation.vantage, seen.request.address, &observation.id);
    }
    let edge = by_vantage.get(&Vantage::Edge);
    let origin = by_vantage.get(&Vantage::Origin);
    if let (Some((edge, edge_ids)), Some((origin, origin_ids))) = (edge, origin) {
        let ids: Vec<ObservationId> = edge_ids.iter().chain(origin_ids).cloned().collect();
        let word = if !edge.is_disjoint(origin) {
            "same-address"
        } else {
            let owner = |set: &BTreeSet<IpAddr>| -> BTreeSet<String> {
                set.iter().filter_map(|ip| Some(catalogue.owner_of_address(*ip)?.vendor.clone())).collect()
            };
            let (a, b) = (owner(edge), owner(origin));
            let near = edge.iter().any(|x| origin.iter().any(|y| same_range(*x, *y)));
            match (near || (!a.is_empty() && !a.is_disjoint(&b)), a.is_empty() && b.is_empty()) {
                (true, _) => "same-provider",
                (false, true) => "another-range",
                (false, false) => "another-provider",
            }
        };
        facts.known(FactKey::NetOrigin, "", word, ids);
    }
    if let Some((edge, ids)) = edge {
        let carrier = edge.iter().all(|ip| is_carrier_nat(*ip));
        facts.known(FactKey::NetCarrierNat, "", carrier, ids.clone());
    }
    let local = evidence.target.local.as_ref().and_then(|url| url.host_str()).and_then(|host| {
        host.trim_matches(['[', ']'])
            .parse::<IpAddr>()
            .ok()
            .or((host == "localhost").then_some([127, 0, 0, 1].into()))
    });
    if let Some(address) = local {
        let lan = !address.is_loopback() && is_lan(address);
        facts.known(FactKey::LocalOnLan, "", lan, []);
    }
    // One family in DNS that many clients do not have: they have nowhere to connect to, whether or not this machine
    // happens to be one of them.
    let families = facts.get(FactKey::DnsFamilies, "").cloned();
    if let Some(fact) = families
        && fact.text() == Some("ipv6")
    {
        facts.known(FactKey::NetFamilyMissing, "", "IPv4", fact.evidence).symptom = true;
    }
    let router = evidence
        .http()
        .filter(|(o, _)| o.vantage == Vantage::Edge)
        .map(|(o, seen)| (o, seen.answer.present().cloned()))
        .chain(evidence.doors().filter(|(o, _)| o.vantage == Vantage::Edge).map(|(o, seen)| {
            let response = match &seen.answer {
                Observed::Present(DoorAnswer::Http { response }) => Some((**response).clone()),
                _ => None,
            };
            (o, response)
        }))
        .find_map(|(o, response)| {
            let response = response?;
            let best = catalogue.read_response(&response).best()?;
            (best.signature.vendor == "home-router").then(|| (o.id.clone(), best.signature.id.clone()))
        });
    if let Some((id, signature)) = router {
        facts.known(FactKey::NetRouterPage, "", signature, [id]);
    }
}

/// The same /16 or /32: what one provider gives out in one place.
fn same_range(a: IpAddr, b: IpAddr) -> bool {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => a.octets()[..2] == b.octets()[..2],
        (IpAddr::V6(a), IpAddr::V6(b)) => a.segments()[..2] == b.segments()[..2],
        _ => false,
    }
}

/// Shared address space between a carrier and its customers (RFC 6598).
fn is_carrier_nat(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(v4) if v4.octets()[0] == 100 && (64..128).contains(&v4.octets()[1]))
}

fn is_lan(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => (v6.segments()[0] & 0xfe00) == 0xfc00 || (v6.segments()[0] & 0xffc0) == 0xfe80,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_stands_for_one_label() {
        let names = ["*.example.test".to_owned()];
        assert!(too_deep("a.b.example.test", &names));
        assert!(!too_deep("b.example.test", &names), "that one is covered");
        assert!(!too_deep("example.test", &names));
        assert!(!too_deep("a.b.notexample.test", &names));
    }

    #[test]
    fn names_of_one_registered_domain_are_kin() {
        assert!(same_domain("*.example.co.uk", "api.example.co.uk"));
        assert!(!same_domain("other.co.uk", "api.example.co.uk"));
    }

    #[test]
    fn address_kinds() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("valid");
        assert!(is_carrier_nat(ip("100.64.0.1")) && !is_carrier_nat(ip("100.128.0.1")));
        assert!(is_lan(ip("192.168.1.20")) && !is_lan(ip("192.0.2.1")));
        assert!(
            same_range(ip("198.51.100.7"), ip("198.51.7.1"))
                && !same_range(ip("198.51.100.7"), ip("198.52.100.7"))
        );
    }
}
