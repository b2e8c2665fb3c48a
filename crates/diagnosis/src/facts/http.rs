//! HTTP exchanges made ready for comparison, and the facts of single exchanges.

use std::collections::{BTreeMap, BTreeSet};

use landfall_evidence::{
    Denial, Endpoint, Evidence, HttpObservation, HttpResponse, Observation, ObservationId, Observed, Phase,
    Purpose, Vantage,
};
use url::Url;

use super::writer::{self, Reference, Shape, Writer};
use super::{FactKey, Facts, why_absent};
use crate::catalogue::Catalogue;
use crate::fields::{CacheReading, CacheWord, age_s};
use crate::signatures::{Meaning, Reading};

/// One question over HTTP with its decisive try.
#[derive(Debug)]
pub(crate) struct Exchange<'a> {
    /// Where.
    pub(crate) vantage: Vantage,
    /// Why.
    pub(crate) purpose: Purpose,
    /// Path and query.
    pub(crate) path: &'a str,
    /// The endpoint that it belongs to, when the target names one.
    pub(crate) endpoint: Option<&'a Endpoint>,
    /// The observation of the decisive try.
    pub(crate) observation: &'a Observation,
    /// That try.
    pub(crate) seen: &'a HttpObservation,
    /// What the catalogue says of the response.
    pub(crate) reading: Reading<'a>,
    /// Whether even the decisive try got only the limiter's refusal.
    pub(crate) limited: bool,
    /// Who wrote the response, or why that is not known; `None` without a response.
    pub(crate) writer: Option<Result<Writer, String>>,
}

impl<'a> Exchange<'a> {
    /// The response, unless it is the limiter's refusal.
    pub(crate) fn response(&self) -> Option<&'a HttpResponse> {
        if self.limited { None } else { self.seen.answer.present() }
    }

    /// The subject that its facts have.
    pub(crate) fn subject(&self) -> String {
        match self.purpose {
            Purpose::Control => format!("{} (random path)", self.vantage),
            _ => format!("{} {}", self.vantage, self.path),
        }
    }

    /// The id of the decisive try.
    pub(crate) fn id(&self) -> ObservationId {
        self.observation.id.clone()
    }

    /// Whether the application wrote the response.
    pub(crate) fn by_app(&self) -> bool {
        matches!(self.writer, Some(Ok(Writer::App)))
    }

    /// The meaning of the best signature, when the writer that it names is the one that was found.
    pub(crate) fn meaning(&self) -> Option<Meaning> {
        let best = self.reading.best()?;
        let writer = self.writer.as_ref()?.as_ref().ok()?;
        (Writer::from(best.signature.hop) == *writer).then_some(best.signature.meaning)
    }
}

/// All HTTP exchanges of one evidence file.
#[derive(Debug, Default)]
pub(crate) struct Exchanges<'a> {
    /// The decisive try of every question, ordered by vantage, purpose and path.
    pub(crate) all: Vec<Exchange<'a>>,
    /// The deciding observations, in order of asking. They stand apart: what an odd question gets says nothing of what a
    /// client gets.
    pub(crate) trials: Vec<Exchange<'a>>,
    /// Every try, for questions of repetition.
    pub(crate) tries: Vec<(&'a Observation, &'a HttpObservation)>,
    /// Observations that were a limiter's refusal.
    pub(crate) refused: BTreeSet<ObservationId>,
}

impl<'a> Exchanges<'a> {
    /// Sorts out the exchanges: per question the last try that was not refused by a limiter, else the last try.
    pub(crate) fn collect(evidence: &'a Evidence, catalogue: &'a Catalogue) -> Self {
        let mut refused: BTreeSet<ObservationId> = evidence
            .rate_limit()
            .filter_map(|(_, seen)| seen.answer.present())
            .flat_map(|run| {
                run.sequence.iter().filter(|step| step.refused).map(|step| step.observation.clone())
            })
            .collect();
        let mut tries: Vec<(&Observation, &HttpObservation)> = evidence.http().collect();
        tries.sort_by(|(a, _), (b, _)| {
            (a.started_us, a.attempt, &a.id).cmp(&(b.started_us, b.attempt, &b.id))
        });
        let mut trials: Vec<(&Observation, &HttpObservation)> = evidence.trials().collect();
        trials.sort_by(|(a, _), (b, _)| (a.started_us, &a.id).cmp(&(b.started_us, &b.id)));
        let mut readings: BTreeMap<&ObservationId, Reading<'a>> = BTreeMap::new();
        for (observation, seen) in tries.iter().chain(&trials) {
            if let Some(response) = seen.answer.present() {
                let reading = catalogue.read_response(response);
                let by_signature = reading
                    .best()
                    .is_some_and(|m| m.signature.meaning == Meaning::RateLimited && m.weight_percent >= 60);
                // Some edges challenge browsers with 429; that is no limit, and waiting does not end it.
                let challenge = reading.best().is_some_and(|m| m.signature.meaning == Meaning::WafChallenge);
                // Nor is what a vendor tells the application of its quota.
                let passed_on = super::edge::quota_text(response);
                if (response.status == 429 && !challenge && !passed_on) || by_signature {
                    refused.insert(observation.id.clone());
                }
                readings.insert(&observation.id, reading);
            }
        }
        type Question<'q> = (Vantage, Purpose, String, &'q str);
        let mut questions: BTreeMap<Question<'_>, (&Observation, &HttpObservation)> = BTreeMap::new();
        for (observation, seen) in &tries {
            let request = &seen.request;
            if request.purpose == Purpose::RateLimit {
                continue;
            }
            let detail = match request.purpose {
                Purpose::AddressParity => request.address.map(|a| a.to_string()).unwrap_or_default(),
                Purpose::Version => request.version.to_string(),
                _ => String::new(),
            };
            let key = (observation.vantage, request.purpose, detail, request.path.as_str());
            let rank = |o: &Observation, s: &HttpObservation| {
                (s.answer.was_asked(), !refused.contains(&o.id), o.attempt, o.started_us, o.id.clone())
            };
            let better = questions.get(&key).is_none_or(|(o, s)| rank(observation, seen) > rank(o, s));
            if better {
                questions.insert(key, (observation, seen));
            }
        }
        let exchange = |(observation, seen): (&'a Observation, &'a HttpObservation)| Exchange {
            vantage: observation.vantage,
            purpose: seen.request.purpose,
            path: &seen.request.path,
            endpoint: evidence.target.endpoints.iter().find(|e| e.path == seen.request.path),
            observation,
            seen,
            reading: readings.get(&observation.id).cloned().unwrap_or_default(),
            limited: refused.contains(&observation.id),
            writer: None,
        };
        let mut all: Vec<Exchange<'a>> = questions.into_values().map(exchange).collect();
        stand_in(&mut all, evidence);
        let mut trials: Vec<Exchange<'a>> = trials.into_iter().map(exchange).collect();
        let reference = name_writers(&mut all);
        for x in &mut trials {
            x.writer = x.seen.answer.present().map(|response| match x.vantage {
                Vantage::Local => Ok(Writer::App),
                _ => writer::judge(response, &x.reading, Some(x.path), &reference),
            });
        }
        Self { all, trials, tries, refused }
    }

    /// The exchanges of one vantage for one purpose.
    pub(crate) fn of(&self, vantage: Vantage, purpose: Purpose) -> impl Iterator<Item = &Exchange<'a>> {
        self.all.iter().filter(move |x| x.vantage == vantage && x.purpose == purpose)
    }

    /// The exchange of one endpoint or control.
    pub(crate) fn at(&self, vantage: Vantage, purpose: Purpose, path: &str) -> Option<&Exchange<'a>> {
        self.of(vantage, purpose).find(|x| x.path == path)
    }

    /// The random-path control of one vantage.
    pub(crate) fn control(&self, vantage: Vantage) -> Option<&Exchange<'a>> {
        self.of(vantage, Purpose::Control).next()
    }

    /// The answers that describe a site: endpoints, control and route questions.
    pub(crate) fn site(&self, vantage: Vantage) -> impl Iterator<Item = &Exchange<'a>> {
        self.all.iter().filter(move |x| {
            x.vantage == vantage
                && matches!(x.purpose, Purpose::Endpoint | Purpose::Control | Purpose::RouteExistence)
        })
    }
}

/// Where an endpoint was not asked by itself, its answer at another address or in another version stands for it: the same
/// question, put in another way.
fn stand_in(all: &mut Vec<Exchange<'_>>, evidence: &Evidence) {
    let mut more = Vec::new();
    for vantage in [Vantage::Edge, Vantage::Origin] {
        for endpoint in evidence.target.endpoints.iter().filter(|e| e.is_safe()) {
            let of = |x: &&Exchange<'_>| x.vantage == vantage && x.path == endpoint.path;
            let asked = |x: &Exchange<'_>| x.purpose == Purpose::Endpoint && x.seen.answer.was_asked();
            if all.iter().filter(of).any(asked) {
                continue;
            }
            let other = all.iter().filter(of).find(|x| {
                matches!(x.purpose, Purpose::AddressParity | Purpose::Version)
                    && x.seen.answer.present().is_some()
            });
            more.extend(other.map(|x| Exchange {
                vantage,
                purpose: Purpose::Endpoint,
                path: x.path,
                endpoint: x.endpoint,
                observation: x.observation,
                seen: x.seen,
                reading: x.reading.clone(),
                limited: x.limited,
                writer: None,
            }));
        }
    }
    all.retain(|x| {
        x.purpose != Purpose::Endpoint
            || !more.iter().any(|m: &Exchange<'_>| m.vantage == x.vantage && m.path == x.path)
    });
    all.extend(more);
    all.sort_by_key(|x| (x.vantage, x.purpose));
}

/// Names the writer of each response: first by what each one shows, then by header fields that answers known to be the
/// application's share with others of the same vantage.
/// Gives the reference that answers were held against.
fn name_writers(all: &mut [Exchange<'_>]) -> Reference {
    let mut reference = Reference::default();
    for x in all.iter().filter(|x| x.vantage == Vantage::Local) {
        if let Some(response) = x.response() {
            let path = (x.purpose != Purpose::Control).then(|| x.path.to_owned());
            reference.shapes.insert(path, Shape::of(response));
            reference.headers.extend(writer::own_headers(response));
        }
    }
    for x in all.iter_mut() {
        let Some(response) = x.seen.answer.present() else { continue };
        x.writer = Some(if x.vantage == Vantage::Local {
            // What answers on this machine's own port is taken for the application; whether it is ours is its own fact.
            Ok(Writer::App)
        } else {
            let path = (x.purpose != Purpose::Control).then_some(x.path);
            let good = x.endpoint.is_some_and(|e| says_what_is_expected(e, response));
            match writer::judge(response, &x.reading, path, &reference) {
                Err(_) if good => Ok(Writer::App),
                judged => judged,
            }
        });
    }
    for vantage in [Vantage::Edge, Vantage::Origin] {
        let with = |wanted: bool| {
            all.iter()
                .filter(|x| x.vantage == vantage && x.by_app() == wanted)
                .filter(|x| wanted || matches!(x.writer, Some(Ok(_))))
                .filter_map(|x| x.seen.answer.present())
                .flat_map(writer::own_headers)
                .collect::<BTreeSet<String>>()
        };
        let from_app: BTreeSet<String> = with(true).difference(&with(false)).cloned().collect();
        for x in all.iter_mut().filter(|x| x.vantage == vantage && matches!(x.writer, Some(Err(_)))) {
            let Some(response) = x.seen.answer.present() else { continue };
            if !writer::own_headers(response).is_disjoint(&from_app) {
                x.writer = Some(Ok(Writer::App));
            }
        }
        // One page for every path, the random one included, whose form is not the application's: the router wrote it.
        let uniform = uniform_platform_page(all, vantage, &reference);
        for x in
            all.iter_mut().filter(|x| uniform && x.vantage == vantage && matches!(x.writer, Some(Err(_))))
        {
            if let Some(best) = x.reading.best().filter(|m| !m.signature.hop.is_application()) {
                x.writer = Some(Ok(best.signature.hop.into()));
            }
        }
    }
    reference
}

/// Whether all answers of a vantage are the same bytes, for endpoints that the target declares as well as for the
/// random path. An application that serves those endpoints would tell them apart.
fn uniform_platform_page(all: &[Exchange<'_>], vantage: Vantage, reference: &Reference) -> bool {
    let of_site = |x: &&Exchange<'_>| {
        x.vantage == vantage
            && matches!(x.purpose, Purpose::Endpoint | Purpose::Control)
            && x.response().is_some()
    };
    let answers: Vec<&Exchange<'_>> = all.iter().filter(of_site).collect();
    let bodies: BTreeSet<(u16, &str)> =
        answers.iter().filter_map(|x| x.response()).map(|r| (r.status, r.body.sha256.as_str())).collect();
    let declared = answers.iter().any(|x| x.endpoint.is_some_and(is_named));
    let control = answers.iter().any(|x| x.purpose == Purpose::Control);
    let own_404 = reference.shapes.get(&None);
    let like_local =
        answers.iter().filter_map(|x| x.response()).any(|r| own_404.is_some_and(|s| *s == Shape::of(r)));
    bodies.len() == 1 && declared && control && !like_local
}

/// Whether the target says that this endpoint is there, rather than the audit guessing a usual path.
pub(super) fn is_named(endpoint: &Endpoint) -> bool {
    endpoint.source != landfall_evidence::EndpointSource::Guessed
}

/// Whether a response is JSON that has what the target expects of it. Words alone, like any 200, do not show who wrote it.
fn says_what_is_expected(endpoint: &Endpoint, response: &HttpResponse) -> bool {
    is_named(endpoint)
        && endpoint.expect.accepts_status(response.status)
        && matches!(body_kind(response), BodyKind::Json)
        && has_keys(response, &endpoint.expect.json_keys)
}

/// Whether a JSON object has all these keys at its top.
pub(super) fn has_keys(response: &HttpResponse, keys: &[String]) -> bool {
    if keys.is_empty() {
        return true;
    }
    response.body.json().is_some_and(|json| keys.iter().all(|key| json.get(key).is_some()))
}

/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyKind {
    /// A JSON object or array.
    Json,
    /// HTML.
    Html,
    /// Other text.
    Text,
    /// Nothing.
    Empty,
    /// Not text.
    Binary,
}

impl BodyKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Html => "html",
            Self::Text => "text",
            Self::Empty => "empty",
            Self::Binary => "binary",
        }
    }
}

/// What a body is, by its bytes first and its media type second.
pub(crate) fn body_kind(response: &HttpResponse) -> BodyKind {
    let Some(text) = response.body.text.as_deref().filter(|_| response.body.byte_count > 0) else {
        return if response.body.byte_count == 0 { BodyKind::Empty } else { BodyKind::Binary };
    };
    let start = text.trim_start();
    let media = response.media_type().unwrap_or_default();
    let tag = start.get(..15).unwrap_or(start).to_ascii_lowercase();
    if writer::structure(response).is_some() || (media.ends_with("json") && !response.body.complete) {
        BodyKind::Json
    } else if tag.starts_with("<!doctype html") || tag.starts_with("<html") || media == "text/html" {
        BodyKind::Html
    } else {
        BodyKind::Text
    }
}

/// Whether a path is that of a health route, by its usual names.
pub(crate) fn is_health_path(path: &str) -> bool {
    let path = path.split(['?', '#']).next().unwrap_or(path).to_ascii_lowercase();
    path.split('/').any(|part| {
        matches!(
            part.trim_end_matches(".json"),
            "health"
                | "healthz"
                | "healthcheck"
                | "health-check"
                | "livez"
                | "live"
                | "liveness"
                | "readyz"
                | "ready"
                | "readiness"
                | "ping"
                | "status"
                | "up"
                | "_health"
                | "heartbeat"
        )
    })
}

/// The word for what became of an exchange.
pub(super) fn outcome_word<T>(answer: &Observed<T>) -> Option<&'static str> {
    Some(match answer {
        Observed::Present(_) => "answered",
        Observed::Silent(_) => "silent",
        Observed::Unasked(_) => return None,
        Observed::Denied(denial) => match denial {
            Denial::Refused => "refused",
            Denial::Unreachable { .. } => "unreachable",
            Denial::Reset { phase: Phase::Tls }
            | Denial::Closed { phase: Phase::Tls }
            | Denial::TlsAlert { .. } => "tls",
            Denial::Reset { .. } => "reset",
            Denial::Closed { .. } => "closed",
            Denial::NotTls { first_bytes } if super::transport::is_http(first_bytes) => "plain-http",
            Denial::NotTls { .. } => "not-tls",
            Denial::Malformed { phase: Phase::Tls, .. } => "tls",
            Denial::Malformed { .. } => "malformed",
            Denial::TooLarge { .. } => "too-large",
            Denial::VersionNotOffered { .. } | Denial::Rcode(_) => "other",
        },
    })
}

/// A class for how long an answer took to begin: proxies fail at round numbers of seconds.
pub(super) fn elapsed_class(us: u64) -> &'static str {
    let seconds = us as f64 / 1e6;
    let near = |limit: f64| (seconds - limit).abs() <= limit * 0.03 + 0.3;
    if seconds < 0.05 {
        "instant"
    } else if seconds < 1.0 {
        "short"
    } else if near(30.0) {
        "round-30"
    } else if near(60.0) {
        "round-60"
    } else if near(120.0) {
        "round-120"
    } else if [5.0, 10.0, 15.0, 19.0].into_iter().any(near) {
        // What proxies and edges wait for a connection by default: HAProxy's example 5 s, CloudFront 10 s (or 5),
        // Cloudflare 15 or 19 s. Other times are those of the work itself.
        "connect-limit"
    } else {
        "other"
    }
}

/// Facts of single exchanges.
pub(super) fn derive(exchanges: &Exchanges<'_>, facts: &mut Facts) {
    for x in exchanges
        .all
        .iter()
        .filter(|x| matches!(x.purpose, Purpose::Endpoint | Purpose::Control | Purpose::RouteExistence))
    {
        let subject = x.subject();
        let Some(word) = outcome_word(&x.seen.answer) else {
            facts.unknown(FactKey::HttpOutcome, subject, why_absent(&x.seen.answer), [x.id()]);
            continue;
        };
        facts.known(FactKey::HttpOutcome, subject.as_str(), word, [x.id()]);
        let Some(response) = x.seen.answer.present() else { continue };
        if x.limited {
            facts.unknown(FactKey::HttpStatus, subject, super::Why::Limited, [x.id()]);
            continue;
        }
        facts.known(FactKey::HttpStatus, subject.as_str(), i64::from(response.status), [x.id()]);
        if let Some(media) = response.media_type() {
            facts.known(FactKey::HttpType, subject.as_str(), media, [x.id()]);
        }
        facts.known(FactKey::HttpBody, subject.as_str(), body_kind(response).name(), [x.id()]);
        facts.known(FactKey::HttpComplete, subject.as_str(), response.body.complete, [x.id()]);
        let hash = response.body.sha256.get(..8).unwrap_or(&response.body.sha256);
        let print = format!(
            "{} {} {} B {hash}",
            response.status,
            response.media_type().unwrap_or_default(),
            response.body.byte_count
        );
        facts.known(FactKey::HttpFingerprint, subject.as_str(), print, [x.id()]);
        match &x.writer {
            Some(Ok(writer)) => {
                facts.known(FactKey::HttpWriter, subject.as_str(), writer.name(), [x.id()]);
            }
            Some(Err(why)) => facts.unknown(
                FactKey::HttpWriter,
                subject.as_str(),
                super::Why::Undecided(why.clone()),
                [x.id()],
            ),
            None => {}
        }
        if let Some(best) = x.reading.best() {
            facts.known(FactKey::HttpSignature, subject.as_str(), best.signature.id.as_str(), [x.id()]);
        }
        if let Some(meaning) = x.meaning() {
            facts.known(FactKey::HttpMeaning, subject.as_str(), meaning.name(), [x.id()]);
        }
        let markers = x.reading.markers.iter().map(|m| m.signature.vendor.clone());
        facts.known_list(FactKey::HttpMarkers, subject.as_str(), markers, [x.id()]);
        if let Some(wait) = x.seen.timings.wait_us {
            facts.known(FactKey::HttpElapsed, subject.as_str(), elapsed_class(wait), [x.id()]);
        }
        cache(x, response, &subject, facts);
        if let Some(kind) = redirect_kind(x, response) {
            facts.known(FactKey::RedirectKind, subject.as_str(), kind, [x.id()]);
        }
    }
}

fn cache(x: &Exchange<'_>, response: &HttpResponse, subject: &str, facts: &mut Facts) {
    if let Some(age) = age_s(response).and_then(|age| i64::try_from(age).ok()) {
        facts.known(FactKey::CacheAge, subject, age, [x.id()]);
    }
    let state = CacheReading::of_response(response).map(|reading| match reading.word {
        CacheWord::Stored => "hit",
        CacheWord::Asked => "miss",
        CacheWord::Passed => "bypass",
    });
    if let Some(state) = state {
        facts.known(FactKey::CacheState, subject, state, [x.id()]);
    }
}

fn redirect_kind(x: &Exchange<'_>, response: &HttpResponse) -> Option<&'static str> {
    if !(300..400).contains(&response.status) {
        return None;
    }
    let to = Url::parse(response.redirect_to.as_deref()?).ok()?;
    let from = Url::parse(&x.seen.request.url).ok()?;
    let rest = |url: &Url| (url.path().to_owned(), url.query().map(str::to_owned));
    Some(if from == to {
        "self"
    } else if from.host() != to.host() {
        "host"
    } else if rest(&from) != rest(&to) {
        "path"
    } else if from.scheme() == "https" && to.scheme() == "http" {
        "scheme-loop"
    } else {
        "upgrade"
    })
}
