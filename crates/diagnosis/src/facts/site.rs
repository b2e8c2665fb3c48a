//! What stands behind a name as a whole: the comparison of its answers with each other, with the random path, with the
//! other names and with the local backend.

use std::collections::{BTreeMap, BTreeSet};

use landfall_evidence::{DeployStage, Evidence, HttpResponse, ObservationId, Observed, Purpose, Vantage};

use super::http::{elapsed_class, is_named, outcome_word};
use super::writer::{Shape, Writer};
use super::{BodyKind, Exchange, Exchanges, FactKey, Facts, Why, body_kind, is_health_path, why_absent};
use crate::catalogue::Catalogue;
use crate::owners::OwnerRole;
use crate::signatures::{Meaning, SignatureHop};

/// Answers to one question that must be at hand before it is called stable.
const STABLE_FROM: usize = 3;

pub(super) fn derive(
    evidence: &Evidence,
    catalogue: &Catalogue,
    exchanges: &Exchanges<'_>,
    facts: &mut Facts,
) {
    for vantage in [Vantage::Local, Vantage::Origin, Vantage::Edge] {
        site(vantage, evidence, exchanges, facts);
        repeats(vantage, exchanges, facts);
    }
    local(evidence, exchanges, facts);
    pair(evidence, exchanges, facts);
    platform(evidence, catalogue, exchanges, facts);
}

fn site(vantage: Vantage, evidence: &Evidence, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    let subject = vantage.to_string();
    let all: Vec<&Exchange<'_>> = exchanges.site(vantage).collect();
    let ids: BTreeSet<ObservationId> = all.iter().map(|x| x.id()).collect();
    let answered: Vec<&Exchange<'_>> = all.iter().filter(|x| x.response().is_some()).copied().collect();
    let limited: Vec<&Exchange<'_>> = all.iter().filter(|x| x.limited).copied().collect();
    facts.known_list(
        FactKey::SiteLimitedOnly,
        subject.as_str(),
        limited.iter().map(|x| x.path.to_owned()),
        limited.iter().map(|x| x.id()),
    );
    if answered.is_empty() {
        let asked: Vec<&Exchange<'_>> = all.iter().filter(|x| x.seen.answer.was_asked()).copied().collect();
        match (limited.first(), asked.first(), all.first()) {
            (Some(_), _, _) => facts.unknown(FactKey::SiteKind, subject, Why::Limited, ids),
            (None, Some(_), _) => {
                let ids: Vec<ObservationId> = asked.iter().map(|x| x.id()).collect();
                facts.known(FactKey::SiteKind, subject, "no-answer", ids).symptom = vantage != Vantage::Local;
            }
            (None, None, Some(x)) => {
                facts.unknown(FactKey::SiteKind, subject, why_absent(&x.seen.answer), ids)
            }
            (None, None, None) => {
                facts.unknown(FactKey::SiteKind, subject, never_asked(vantage, evidence), ids)
            }
        }
        return;
    }
    let ids: BTreeSet<ObservationId> = answered.iter().map(|x| x.id()).collect();
    commonest(&answered, &subject, &ids, facts);
    reach(&answered, &subject, &ids, facts);
    uniform(&answered, &subject, &ids, facts);
    if let Some(control) = exchanges.control(vantage)
        && let Some(response) = control.response()
    {
        facts.known(FactKey::SiteControl, subject.as_str(), i64::from(response.status), [control.id()]);
        let reference = exchanges.control(Vantage::Local).and_then(Exchange::response);
        if let Some(here) = reference.filter(|_| vantage != Vantage::Local) {
            let word = if Shape::of(here) == Shape::of(response) { "same" } else { "differs" };
            facts.known(FactKey::SiteNotFoundShape, subject.as_str(), word, [control.id()]);
        }
    }
    let kind = kind(vantage, &answered, facts);
    let trouble = !matches!(kind, "application" | "unclear" | "forbidden") && vantage != Vantage::Local;
    facts.known(FactKey::SiteKind, subject.as_str(), kind, ids.clone()).symptom = trouble;
    if kind == "other-site" {
        // An application answers, and it is not this one.
        facts.known(FactKey::SiteReachesApp, subject.as_str(), false, ids.clone());
    }
    if matches!(kind, "gateway-error" | "app-error")
        && let Some(quickest) =
            answered.iter().filter(|x| is_gateway(x)).filter_map(|x| x.seen.timings.wait_us).min()
    {
        let seconds = i64::try_from(quickest / 1_000_000).unwrap_or(i64::MAX);
        facts.known(FactKey::SiteElapsedS, subject.as_str(), seconds, ids.clone());
        facts.known(FactKey::SiteElapsed, subject, elapsed_class(quickest), ids);
    }
}

/// Why there is not a single question to a vantage.
fn never_asked(vantage: Vantage, evidence: &Evidence) -> Why {
    let target = &evidence.target;
    match vantage {
        Vantage::Origin if target.origin.is_none() => Why::NotConfigured(
            "the platform's own name for the deployment is not known (set origin in landfall.toml, or pass --origin)".to_owned(),
        ),
        Vantage::Origin => Why::NotRun("the platform's own name was not asked".to_owned()),
        Vantage::Local if target.local.is_none() => {
            Why::NotConfigured("no local backend is given (set local in landfall.toml, or pass --local)".to_owned())
        }
        Vantage::Local => Why::NotRun("the local backend was not asked".to_owned()),
        _ => Why::NotRun("the public name was not asked over HTTP".to_owned()),
    }
}

fn commonest(answered: &[&Exchange<'_>], subject: &str, ids: &BTreeSet<ObservationId>, facts: &mut Facts) {
    let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
    let mut meanings: BTreeMap<(Meaning, &str), usize> = BTreeMap::new();
    let mut writers: BTreeMap<Writer, usize> = BTreeMap::new();
    for x in answered {
        if let Some(response) = x.response() {
            *statuses.entry(response.status).or_default() += 1;
        }
        if let (Some(meaning), Some(best)) = (x.meaning(), x.reading.best()) {
            *meanings.entry((meaning, best.signature.vendor.as_str())).or_default() += 1;
        }
        if let Some(Ok(writer)) = x.writer {
            *writers.entry(writer).or_default() += 1;
        }
    }
    let half = answered.len().div_ceil(2);
    // Ties are broken by the smaller key, so that the order of observations plays no part.
    let most = |count: &usize| *count;
    if let Some((status, _)) = statuses.iter().rev().max_by_key(|(_, count)| most(count)) {
        facts.known(FactKey::SiteStatus, subject, i64::from(*status), ids.clone());
    }
    if let Some(((meaning, vendor), count)) = meanings.iter().rev().max_by_key(|(_, count)| most(count))
        && *count >= half
    {
        facts.known(FactKey::SiteMeaning, subject, meaning.name(), ids.clone());
        facts.known(FactKey::SiteVendor, subject, *vendor, ids.clone());
    }
    if let Some((writer, count)) = writers.iter().rev().max_by_key(|(_, count)| most(count))
        && *count >= half
    {
        facts.known(FactKey::SiteWriter, subject, writer.name(), ids.clone());
    }
}

/// Whether any answer came from the application. A no needs every answer's writer to be known as somebody else.
fn reach(answered: &[&Exchange<'_>], subject: &str, ids: &BTreeSet<ObservationId>, facts: &mut Facts) {
    let by_app: Vec<ObservationId> = answered.iter().filter(|x| x.by_app()).map(|x| x.id()).collect();
    if !by_app.is_empty() {
        facts.known(FactKey::SiteReachesApp, subject, "yes", by_app);
    } else if answered.iter().all(|x| matches!(x.writer, Some(Ok(_)))) {
        facts.known(FactKey::SiteReachesApp, subject, "no", ids.clone());
    } else {
        let why = Why::Undecided("the answers do not show who wrote them".to_owned());
        facts.unknown(FactKey::SiteReachesApp, subject, why, ids.clone());
    }
}

/// Whether every path got the same bytes; asked only where the random path was answered beside another.
fn uniform(answered: &[&Exchange<'_>], subject: &str, ids: &BTreeSet<ObservationId>, facts: &mut Facts) {
    let control = answered.iter().any(|x| x.purpose == Purpose::Control);
    let others = answered.iter().filter(|x| x.purpose == Purpose::Endpoint).count();
    if control && others > 0 {
        let prints: BTreeSet<(u16, &str)> = answered.iter().filter_map(|x| x.response()).map(print).collect();
        facts.known(FactKey::SiteUniform, subject, prints.len() == 1, ids.clone());
    } else {
        let why = Why::NotRun("the random path and an endpoint were not both answered".to_owned());
        facts.unknown(FactKey::SiteUniform, subject, why, ids.clone());
    }
}

fn print(response: &HttpResponse) -> (u16, &str) {
    (response.status, response.body.sha256.as_str())
}

fn is_gateway(x: &Exchange<'_>) -> bool {
    use Meaning::*;
    let by_meaning = matches!(
        x.meaning(),
        Some(
            NoHealthyUpstream
                | OriginUnreachable
                | OriginTimeout
                | OriginBadResponse
                | OriginTlsFailure
                | OriginDnsFailure
                | AppCrashed
        )
    );
    let by_status = x.response().is_some_and(|r| matches!(r.status, 502 | 503 | 504 | 520..=530));
    by_meaning || (by_status && !x.by_app())
}

/// One word for what stands behind a name.
fn kind(vantage: Vantage, answered: &[&Exchange<'_>], facts: &Facts) -> &'static str {
    let endpoints: Vec<&Exchange<'_>> =
        answered.iter().filter(|x| x.purpose == Purpose::Endpoint).copied().collect();
    let outcome = |x: &Exchange<'_>| facts.text(FactKey::EndpointOutcome, &x.subject());
    let count = |word: &str| endpoints.iter().filter(|x| outcome(x) == Some(word)).count();
    let subject = vantage.to_string();
    let redirect = |kinds: &[&str]| {
        endpoints
            .iter()
            .filter(|x| facts.text(FactKey::RedirectKind, &x.subject()).is_some_and(|k| kinds.contains(&k)))
            .count()
    };
    let ok = count("ok") + count("late");
    let html = count("html-for-json");
    if html > 0
        && endpoints
            .iter()
            .all(|x| !matches!(outcome(x), Some("ok" | "late")) || answer_kind(x) != Some(BodyKind::Json))
    {
        return "other-site";
    }
    if ok > 0 {
        return "application";
    }
    if !endpoints.is_empty() && redirect(&["self", "scheme-loop"]) == endpoints.len() {
        return "redirect-loop";
    }
    // The platform says of every endpoint that it is being started; that the application answered a later question does
    // not make it the application that failed.
    if !endpoints.is_empty() && endpoints.iter().all(|x| x.meaning() == Some(Meaning::AppStarting)) {
        return "starting";
    }
    // A 500 by the framework's form on every endpoint is the application failing; any other answer of its own is it.
    let app: Vec<&&Exchange<'_>> = answered.iter().filter(|x| x.by_app()).collect();
    if !app.is_empty() {
        let all_fail =
            !endpoints.is_empty() && endpoints.iter().all(|x| x.response().is_some_and(|r| r.status >= 500));
        return if all_fail { "app-error" } else { "application" };
    }
    let named =
        |x: &Exchange<'_>| facts.text(FactKey::EdgeSays, &x.subject()).is_some_and(super::edge::is_named);
    if !endpoints.is_empty() && endpoints.iter().all(|x| named(x)) {
        return "edge-error";
    }
    let said = |wanted: Meaning| {
        answered.iter().filter(|x| x.meaning() == Some(wanted)).count() * 2 >= answered.len()
    };
    for (meaning, word) in [
        (Meaning::WafChallenge, "challenged"),
        (Meaning::WafBlocked, "blocked"),
        (Meaning::AppSuspended, "suspended"),
        (Meaning::AppStarting, "starting"),
        (Meaning::Maintenance, "maintenance"),
        (Meaning::DefaultPage, "default-page"),
        (Meaning::NoDeployment, "nothing-here"),
        (Meaning::UnknownHost, "nothing-here"),
        (Meaning::TakeoverRisk, "nothing-here"),
    ] {
        if said(meaning) {
            return word;
        }
    }
    if answered.iter().all(|x| is_gateway(x)) {
        return "gateway-error";
    }
    let not_found = |x: &&Exchange<'_>| x.response().is_some_and(|r| matches!(r.status, 404 | 410));
    let named = endpoints.iter().any(|x| x.endpoint.is_some_and(is_named));
    let strange = facts.is(FactKey::SiteNotFoundShape, &subject, "same") != Some(true);
    let uniform = facts.is(FactKey::SiteUniform, &subject, "yes") == Some(true);
    if named && uniform && strange && answered.iter().all(not_found) {
        return "nothing-here";
    }
    if endpoints.iter().all(|x| x.response().is_some_and(|r| r.status >= 500)) && !endpoints.is_empty() {
        return "app-error";
    }
    if endpoints.iter().all(|x| x.response().is_some_and(|r| matches!(r.status, 401 | 403)))
        && !endpoints.is_empty()
    {
        return "forbidden";
    }
    "unclear"
}

fn answer_kind(x: &Exchange<'_>) -> Option<BodyKind> {
    x.response().map(body_kind)
}

/// The same question again: whether the class of the status stays, at one address and across addresses.
fn repeats(vantage: Vantage, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    type Key<'k> = (&'k str, Option<std::net::SocketAddr>);
    let mut by_question: BTreeMap<Key<'_>, Vec<u16>> = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for (observation, seen) in exchanges.tries.iter().filter(|(o, _)| o.vantage == vantage) {
        if matches!(
            seen.request.purpose,
            Purpose::PlainHttp | Purpose::Control | Purpose::RouteExistence | Purpose::Version
        ) || exchanges.refused.contains(&observation.id)
        {
            continue;
        }
        if let Some(response) = seen.answer.present() {
            by_question
                .entry((&seen.request.path, seen.request.address))
                .or_default()
                .push(response.status / 100);
            ids.insert(observation.id.clone());
        }
    }
    // A trial that asks the plain question once more is the same question. Failures of a hop are left out here: they may
    // pass with a start, which is weighed by itself.
    let by_app = |status: u16| status < 500 && !matches!(status, 401 | 403 | 429);
    for x in exchanges.trials.iter().filter(|x| x.vantage == vantage && asks_the_plain_question(x)) {
        let Some(trial) = &x.seen.request.trial else { continue };
        let Some(plain) = exchanges.at(vantage, Purpose::Endpoint, &trial.plain) else { continue };
        let (Some(before), Some(now)) = (plain.response(), x.response()) else { continue };
        if x.limited || plain.limited || !by_app(before.status) || !by_app(now.status) {
            continue;
        }
        let slot = by_question.entry((plain.path, plain.seen.request.address)).or_default();
        slot.extend([before.status / 100, now.status / 100]);
        ids.extend([plain.id(), x.id()]);
    }
    let subject = vantage.to_string();
    let distinct = |statuses: &Vec<u16>| statuses.iter().collect::<BTreeSet<_>>().len();
    let mut by_path: BTreeMap<&str, BTreeSet<u16>> = BTreeMap::new();
    for ((path, _), statuses) in &by_question {
        by_path.entry(path).or_default().extend(statuses);
    }
    if by_question.values().any(|statuses| distinct(statuses) > 1) {
        facts.known(FactKey::SiteRepeat, subject, "alternating", ids).symptom = vantage != Vantage::Local;
    } else if by_path.values().any(|classes| classes.len() > 1) {
        facts.known(FactKey::SiteRepeat, subject, "by-address", ids);
    } else if by_question.values().any(|statuses| statuses.len() >= STABLE_FROM) {
        facts.known(FactKey::SiteRepeat, subject, "stable", ids);
    } else {
        let why = Why::NotRun("no question was put three times".to_owned());
        facts.unknown(FactKey::SiteRepeat, subject, why, ids);
    }
}

/// Whether a trial differs in nothing from the plain request: another spelling that is the path's own, or the same again.
pub(super) fn asks_the_plain_question(x: &Exchange<'_>) -> bool {
    let request = &x.seen.request;
    request.trial.as_ref().is_some_and(|trial| {
        // Names whose requests carry no other header, host or method.
        matches!(trial.name.as_str(), "again" | "folded") && request.path == trial.plain
    })
}

/// The state of the backend on this machine.
fn local(evidence: &Evidence, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    let endpoints: Vec<&Exchange<'_>> = exchanges.of(Vantage::Local, Purpose::Endpoint).collect();
    let asked: Vec<&Exchange<'_>> = endpoints.iter().filter(|x| x.seen.answer.was_asked()).copied().collect();
    let Some(first) = asked.first() else {
        let why = endpoints
            .first()
            .map_or_else(|| never_asked(Vantage::Local, evidence), |x| why_absent(&x.seen.answer));
        facts.unknown(FactKey::LocalState, "", why, endpoints.iter().map(|x| x.id()));
        return;
    };
    let ids: Vec<ObservationId> = asked.iter().map(|x| x.id()).collect();
    let outcomes: Vec<(&str, bool)> = asked
        .iter()
        .filter_map(|x| Some((facts.text(FactKey::EndpointOutcome, &x.subject())?, is_health_path(x.path))))
        .collect();
    let answered = asked.iter().filter(|x| x.response().is_some()).count();
    let health_fails = outcomes
        .iter()
        .any(|(word, health)| *health && matches!(*word, "app-error" | "gateway-error" | "error-in-body"));
    let word = if answered == 0 {
        match outcome_word(&first.seen.answer) {
            Some("refused") => "refused",
            Some("silent") => "silent",
            _ => "no-answer",
        }
    } else if outcomes.iter().any(|(word, _)| matches!(*word, "ok" | "late")) {
        if health_fails { "failing" } else { "ok" }
    } else if outcomes.iter().all(|(word, _)| PECULIAR.contains(word))
        && (mirrors(&asked, exchanges, facts) || forces_https(&asked, facts))
    {
        // It answers as production does: what is odd about the answer lies in the code or in the check.
        "ok"
    } else if asked.iter().any(|x| is_known_stranger(x))
        || facts.is(FactKey::SiteUniform, "local", "yes") == Some(true)
        || outcomes.iter().all(|(word, _)| matches!(*word, "html-for-json" | "not-found"))
    {
        "other-program"
    } else {
        "failing"
    };
    let word = word.to_owned();
    let trouble = word != "ok";
    facts.known(FactKey::LocalState, "", word, ids).symptom = trouble;
}

/// Answers that are no failure of the backend itself, though they are not what the check asks for.
const PECULIAR: &[&str] = &[
    "forbidden",
    "host-refused",
    "late",
    "method-refused",
    "not-found",
    "redirect",
    "unexpected-status",
    "wrong-shape",
    "wrong-type",
];

/// Whether production answers in the same form, so that both are the same program: an endpoint, or what both say of a path
/// that nobody can have defined.
fn mirrors(asked: &[&Exchange<'_>], exchanges: &Exchanges<'_>, facts: &Facts) -> bool {
    let same_404 = ["edge", "origin"].iter().any(|at| {
        facts.is(FactKey::SiteNotFoundShape, at, "same") == Some(true)
            && facts.is(FactKey::SiteReachesApp, at, "yes") == Some(true)
    });
    same_404
        || asked.iter().any(|x| {
            let Some(here) = x.response().map(Shape::of) else { return false };
            [Vantage::Edge, Vantage::Origin].into_iter().any(|vantage| {
                exchanges
                    .at(vantage, Purpose::Endpoint, x.path)
                    .filter(|there| there.by_app())
                    .and_then(Exchange::response)
                    .is_some_and(|there| Shape::of(there) == here)
            })
        })
}

/// Whether every answer only sends to the same URL over HTTPS, as an application does that nobody told of TLS before it.
fn forces_https(asked: &[&Exchange<'_>], facts: &Facts) -> bool {
    asked.iter().all(|x| facts.text(FactKey::RedirectKind, &x.subject()) == Some("upgrade"))
}

/// Programs of the operating system that listen on ports which developers like: the AirPlay receiver of macOS answers on
/// 5000 and 7000 with this Server header (https://developer.apple.com/forums/thread/682332).
fn is_known_stranger(x: &Exchange<'_>) -> bool {
    x.response().and_then(|r| r.header("server")).is_some_and(|server| server.starts_with("AirTunes/"))
}

/// Edge and origin, asked the same.
fn pair(evidence: &Evidence, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    let (mut same, mut ids) = (Vec::new(), BTreeSet::new());
    for edge in exchanges.site(Vantage::Edge) {
        // Each vantage has a random path of its own; the two stand for each other.
        let origin = match edge.purpose {
            Purpose::Control => exchanges.control(Vantage::Origin),
            purpose => exchanges.at(Vantage::Origin, purpose, edge.path),
        };
        let Some(origin) = origin else { continue };
        let (Some(there), Some(here)) = (edge.response(), origin.response()) else { continue };
        let alike = Shape::of(there) == Shape::of(here);
        let ok = |x: &Exchange<'_>| facts.text(FactKey::EndpointOutcome, &x.subject()) == Some("ok");
        let (edge_ok, origin_ok) = (ok(edge), ok(origin));
        let word = match (alike, edge_ok, origin_ok) {
            (true, _, _) => "same",
            (false, false, true) => "origin-better",
            (false, true, false) => "edge-better",
            _ => "differs",
        };
        let path = if edge.purpose == Purpose::Control { "(random path)" } else { edge.path };
        facts.known(FactKey::PairPath, path, word, [edge.id(), origin.id()]);
        same.push(alike || (edge_ok && origin_ok));
        ids.extend([edge.id(), origin.id()]);
    }
    if same.is_empty() {
        let origin = exchanges.site(Vantage::Origin).next();
        let why = origin.map_or_else(
            || never_asked(Vantage::Origin, evidence),
            |x| match &x.seen.answer {
                Observed::Present(_) => Why::NotRun("no path was answered at both".to_owned()),
                other => why_absent(other),
            },
        );
        facts.unknown(FactKey::PairState, "", why, ids);
    } else {
        facts.known(FactKey::PairState, "", if same.iter().all(|s| *s) { "same" } else { "differs" }, ids);
    }
}

/// The hosting platform: by the deployment's own name, then by the deploy configuration, then by what answered.
fn platform(evidence: &Evidence, catalogue: &Catalogue, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    let is_platform = |owner: &&crate::owners::Owner| owner.role == OwnerRole::Platform;
    let origin = evidence.target.origin.as_ref().and_then(|url| url.domain());
    if let Some(owner) = origin.and_then(|host| catalogue.owner_of_cname(host)).filter(is_platform) {
        facts.known(FactKey::PlatformName, "", owner.vendor.as_str(), []);
        return;
    }
    if let Some((observation, snapshot)) = evidence.project() {
        let mut configs: Vec<_> =
            snapshot.deploy.iter().filter(|c| c.stage == DeployStage::Production).collect();
        configs.sort_by(|a, b| a.file.cmp(&b.file));
        if let Some(config) = configs.iter().find(|c| c.platform != "docker").or(configs.first()) {
            facts.known(FactKey::PlatformName, "", config.platform.as_str(), [observation.id.clone()]);
            return;
        }
    }
    for x in exchanges.site(Vantage::Edge) {
        let by_signature = x.reading.writers.iter().chain(&x.reading.markers).find(|m| {
            m.signature.hop == SignatureHop::Platform
                && m.weight_percent >= 80
                && x.writer != Some(Ok(Writer::App))
        });
        if let Some(found) = by_signature {
            facts.known(FactKey::PlatformName, "", found.signature.vendor.as_str(), [x.id()]);
            return;
        }
    }
}
