//! The evidence laid out by endpoint and vantage, with each answer graded against what is due.
//!
//! A grade has three values and none of them is a guess: the answer was as it should be, it was not, or it was not
//! seen. A refusal by a limiter, a challenge page and a fault on our side are "not seen": they say nothing of the
//! endpoint. A usual path that nobody declared ([`EndpointSource::Guessed`]) can be good but never bad, unless a hop
//! in front of the application answered in its place.

use landfall_evidence::{
    Denial, DnsServerRole, Endpoint, EndpointSource, Evidence, HttpObservation, HttpResponse, Observation,
    ObservationId, Observed, ProbeFault, Purpose, Seen, Vantage,
};
use serde_json::Value;

use crate::catalogue::Catalogue;
use crate::facts::{
    BodyKind, Exchange, Exchanges, Writer, body_kind, is_health_path, wants_another_protocol,
};
use crate::signatures::Meaning;
use crate::words::{all_of, in_words};

/// The evidence of one audit, read for judgement.
pub(crate) struct View<'a> {
    /// All of it.
    pub(crate) evidence: &'a Evidence,
    /// What is known of vendors and their answers.
    pub(crate) catalogue: &'a Catalogue,
    /// The decisive try of every question over HTTP, with who wrote the answer.
    pub(crate) exchanges: Exchanges<'a>,
    readings: Vec<Reading<'a>>,
    sane: bool,
}

/// One endpoint as seen from one vantage.
pub(crate) struct Reading<'a> {
    /// The endpoint.
    pub(crate) endpoint: &'a Endpoint,
    /// From where.
    pub(crate) vantage: Vantage,
    /// The decisive observation, when the question is in the evidence at all.
    pub(crate) at: Option<(&'a Observation, &'a HttpObservation)>,
    /// Who wrote the answer, when that is known.
    pub(crate) writer: Option<Writer>,
    /// What the answer says, by its signature.
    pub(crate) meaning: Option<Meaning>,
    /// What it shows.
    pub(crate) grade: Grade,
}

/// What an answer shows of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Grade {
    /// As it should be.
    Good,
    /// Not as it should be.
    Bad(Fault),
    /// The evidence says nothing of it, for this reason.
    Unseen(String),
}

/// How an answer is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Another status than the ones accepted.
    Status(u16),
    /// A redirect, with its target when it names one.
    Redirect(u16, Option<String>),
    /// HTML where JSON is due.
    Html,
    /// Another media type than the one expected.
    MediaType(String),
    /// A JSON object without these keys that were declared.
    MissingKeys(Vec<String>),
    /// A text that does not say what it has to.
    Unsaid(Vec<String>),
    /// A success status over a body that reports a failure: the member, as `"status":"error"`.
    SaysFailing(String),
    /// The body broke off.
    Cut(String),
    /// The route that clients post to does not exist in this build, though it does locally.
    NoRoute(u16),
    /// The other side refused, in words.
    Denied(String),
    /// Nothing came, in words.
    Silent(String),
    /// An earlier step of the same way failed, so this one could not be asked.
    Blocked(String),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{status}"),
            Self::Redirect(status, Some(to)) => write!(f, "{status} to {to}"),
            Self::Redirect(status, None) => write!(f, "{status} without a target"),
            Self::Html => f.write_str("HTML where JSON is due"),
            Self::MediaType(got) => write!(f, "media type {got}"),
            Self::MissingKeys(keys) => write!(f, "JSON without {}", keys.join(", ")),
            Self::Unsaid(what) => write!(f, "an answer that does not say {}", what.join(", ")),
            Self::SaysFailing(member) => write!(f, "a success status over a body with {member}"),
            Self::Cut(why) => write!(f, "an incomplete body ({why})"),
            Self::NoRoute(status) => write!(f, "{status}"),
            Self::Denied(what) | Self::Silent(what) | Self::Blocked(what) => f.write_str(what),
        }
    }
}

impl<'a> Reading<'a> {
    /// The response, when one came.
    pub(crate) fn response(&self) -> Option<&'a HttpResponse> {
        self.at?.1.answer.present()
    }

    /// The observation's id.
    pub(crate) fn id(&self) -> Option<&'a ObservationId> {
        Some(&self.at?.0.id)
    }

    /// Whether the answer was as it should be.
    pub(crate) fn is_good(&self) -> bool {
        self.grade == Grade::Good
    }

    /// What was wrong.
    pub(crate) fn fault(&self) -> Option<&Fault> {
        match &self.grade {
            Grade::Bad(fault) => Some(fault),
            _ => None,
        }
    }
}

impl<'a> View<'a> {
    /// Reads and grades.
    pub(crate) fn new(evidence: &'a Evidence, catalogue: &'a Catalogue) -> Self {
        let exchanges = Exchanges::collect(evidence, catalogue);
        let sane = something_outside_answered(evidence);
        let mut view = Self { evidence, catalogue, exchanges, readings: Vec::new(), sane };
        let mut readings = Vec::new();
        for vantage in [Vantage::Local, Vantage::Origin, Vantage::Edge] {
            for endpoint in &evidence.target.endpoints {
                let exchange = view.exchange(vantage, endpoint);
                readings.push(Reading {
                    endpoint,
                    vantage,
                    at: exchange.map(|x| (x.observation, x.seen)),
                    writer: exchange.and_then(|x| x.writer.as_ref()?.as_ref().ok().copied()),
                    meaning: exchange.and_then(Exchange::meaning),
                    grade: view.grade(endpoint, vantage, exchange),
                });
            }
        }
        view.readings = readings;
        view
    }

    fn exchange(&self, vantage: Vantage, endpoint: &Endpoint) -> Option<&Exchange<'a>> {
        let purpose = if endpoint.is_safe() { Purpose::Endpoint } else { Purpose::RouteExistence };
        self.exchanges.at(vantage, purpose, &endpoint.path)
    }

    /// The endpoints that count, as seen from one vantage, in the target's order.
    ///
    /// When the target declares or the project shows any, the guessed ones do not count; when all are guesses, those
    /// count that exist somewhere, or all of them when none does.
    pub(crate) fn readings(&self, vantage: Vantage) -> Vec<&Reading<'a>> {
        let all = || self.readings.iter().filter(|r| r.vantage == vantage);
        let known: Vec<_> = all().filter(|r| r.endpoint.source != EndpointSource::Guessed).collect();
        if !known.is_empty() {
            return known;
        }
        let existing: Vec<_> = all()
            .filter(|r| {
                self.readings.iter().any(|other| other.endpoint.path == r.endpoint.path && other.is_good())
            })
            .collect();
        if existing.is_empty() { all().collect() } else { existing }
    }

    /// One endpoint from one vantage.
    pub(crate) fn reading(&self, vantage: Vantage, endpoint: &Endpoint) -> Option<&Reading<'a>> {
        self.readings.iter().find(|r| {
            r.vantage == vantage && r.endpoint.path == endpoint.path && r.endpoint.method == endpoint.method
        })
    }

    /// Whether at least one endpoint was seen good from a vantage. That a route for POST exists is not enough.
    pub(crate) fn serves(&self, vantage: Vantage) -> bool {
        self.readings(vantage).iter().any(|r| r.is_good() && r.endpoint.is_safe())
    }

    /// Whether the evidence shows that this machine can reach anything outside at all. Without that, a silence says
    /// nothing of the target.
    pub(crate) fn vantage_is_sane(&self) -> bool {
        self.sane
    }

    /// Whether an observation is a limiter's refusal.
    pub(crate) fn is_refusal(&self, id: &ObservationId) -> bool {
        self.exchanges.refused.contains(id)
    }

    /// Whether clients are due JSON here: declared so, or the local backend or the origin answers so.
    pub(crate) fn json_is_due(&self, endpoint: &Endpoint) -> bool {
        let declared = endpoint.expect.content_type.as_deref().is_some_and(is_json_type);
        declared
            || !endpoint.expect.json_keys.is_empty()
            || [Vantage::Local, Vantage::Origin].into_iter().any(|vantage| {
                self.exchanges
                    .at(vantage, Purpose::Endpoint, &endpoint.path)
                    .and_then(Exchange::response)
                    .is_some_and(|r| endpoint.expect.accepts_status(r.status) && is_json(r))
            })
    }

    /// What production answered to a trial, unless only a limiter answered it. The last one where it was put several times.
    pub(crate) fn trial(&self, name: &str) -> Option<&Exchange<'a>> {
        let named = |x: &&Exchange<'a>| {
            x.vantage == Vantage::Edge
                && x.seen.request.trial.as_ref().is_some_and(|trial| trial.name == name)
                && x.response().is_some()
        };
        self.exchanges.trials.iter().rev().find(named)
    }

    /// The plain answer that a trial is held against.
    pub(crate) fn plain_of(&self, trial: &Exchange<'a>) -> Option<(&'a Observation, &'a HttpResponse)> {
        let path = &trial.seen.request.trial.as_ref()?.plain;
        let plain = self.exchanges.at(trial.vantage, Purpose::Endpoint, path)?;
        Some((plain.observation, plain.response()?))
    }

    /// Whether production was looked at as `landfall http` does, so that remarks which only concern HTTP are wanted.
    pub(crate) fn is_deep(&self) -> bool {
        self.exchanges.trials.iter().any(|x| x.seen.request.trial.as_ref().is_some_and(|t| t.name == "warm"))
    }

    /// The random-path control of a vantage, unless only a limiter answered it.
    pub(crate) fn control(&self, vantage: Vantage) -> Option<(&'a Observation, &'a HttpResponse)> {
        let control = self.exchanges.control(vantage)?;
        Some((control.observation, control.response()?))
    }

    fn grade(&self, endpoint: &Endpoint, vantage: Vantage, exchange: Option<&Exchange<'a>>) -> Grade {
        let Some(exchange) = exchange else {
            return Grade::Unseen(self.why_not_asked(vantage));
        };
        let answer = &exchange.seen.answer;
        match answer {
            Observed::Present(response) if exchange.limited => {
                Grade::Unseen(format!("the rate limit answered in its place ({})", response.status))
            }
            Observed::Present(response) => self.grade_response(endpoint, exchange, response),
            Observed::Denied(Denial::VersionNotOffered { .. }) => Grade::Unseen(answer.describe()),
            Observed::Denied(_) if self.sane || vantage == Vantage::Local => {
                Grade::Bad(Fault::Denied(answer.describe()))
            }
            Observed::Silent(_) if self.sane || vantage == Vantage::Local => {
                Grade::Bad(Fault::Silent(answer.describe()))
            }
            Observed::Denied(_) | Observed::Silent(_) => {
                Grade::Unseen(format!("{}, and nothing else outside answered either", answer.describe()))
            }
            Observed::Unasked(ProbeFault::Blocked { by, reason }) if self.is_fault_of_the_target(by) => {
                Grade::Bad(Fault::Blocked(reason.clone()))
            }
            Observed::Unasked(_) => Grade::Unseen(answer.describe()),
        }
    }

    fn grade_response(&self, endpoint: &Endpoint, exchange: &Exchange<'a>, response: &HttpResponse) -> Grade {
        let status = response.status;
        if matches!(exchange.meaning(), Some(Meaning::WafChallenge | Meaning::WafBlocked)) {
            return Grade::Unseen(format!("a security rule of the edge answered in its place ({status})"));
        }
        if !endpoint.is_safe() {
            return self.grade_route(endpoint, exchange.vantage, response);
        }
        if endpoint.source == EndpointSource::Guessed
            && let Some(grade) = self.grade_guess(exchange, response)
        {
            return grade;
        }
        if wants_another_protocol(Some(endpoint), status) {
            return Grade::Good;
        }
        if !endpoint.expect.accepts_status(status) {
            return Grade::Bad(match status {
                301 | 302 | 303 | 307 | 308 => Fault::Redirect(status, response.redirect_to.clone()),
                _ => Fault::Status(status),
            });
        }
        if (200..300).contains(&status)
            && let Some(fault) = self.body_fault(endpoint, response)
        {
            return Grade::Bad(fault);
        }
        Grade::Good
    }

    /// Answers that say nothing against a path that nobody declared: it need not exist, may be guarded, and may lead
    /// elsewhere. A hop that answers in the application's place is another matter.
    fn grade_guess(&self, exchange: &Exchange<'a>, response: &HttpResponse) -> Option<Grade> {
        let status = response.status;
        if !matches!(status, 301 | 302 | 303 | 307 | 308 | 401 | 403 | 404 | 405 | 410) {
            return None;
        }
        let in_its_place = !exchange.by_app() && exchange.meaning().is_some_and(meaning_is_fault);
        if in_its_place {
            return Some(Grade::Bad(Fault::Status(status)));
        }
        let followed =
            response.redirect_to.as_deref().and_then(|to| self.answer_of_redirect(exchange.vantage, to));
        if followed.is_some_and(|r| (200..300).contains(&r.status)) {
            return Some(Grade::Good);
        }
        Some(Grade::Unseen(format!("a guessed path that answers {status}: nobody says that it should exist")))
    }

    /// Where a chain of followed redirects ended.
    fn answer_of_redirect(&self, vantage: Vantage, to: &str) -> Option<&'a HttpResponse> {
        let mut next = to.to_owned();
        // Each hop was recorded once; a chain cannot be longer than the list.
        for _ in 0..self.exchanges.all.len() {
            let hop = self.exchanges.of(vantage, Purpose::Redirect).find(|x| x.seen.request.url == next)?;
            let response = hop.response()?;
            match &response.redirect_to {
                Some(to) => next = to.clone(),
                None => return Some(response),
            }
        }
        None
    }

    fn body_fault(&self, endpoint: &Endpoint, response: &HttpResponse) -> Option<Fault> {
        let bounded = response.body.cut.as_deref().is_some_and(|why| why.contains("bound"));
        if !response.body.complete && !bounded {
            return Some(Fault::Cut(
                response.body.cut.clone().unwrap_or_else(|| "no reason is known".into()),
            ));
        }
        let got = response.media_type();
        if self.json_is_due(endpoint) && body_kind(response) == BodyKind::Html {
            return Some(Fault::Html);
        }
        if let Some(wanted) = &endpoint.expect.content_type {
            let wanted = wanted.split(';').next().unwrap_or(wanted).trim().to_ascii_lowercase();
            if got.as_deref() != Some(wanted.as_str()) {
                return Some(Fault::MediaType(got.unwrap_or_else(|| "not given".into())));
            }
        }
        if !endpoint.expect.json_keys.is_empty() && response.body.complete {
            let have = keys(response).unwrap_or_default();
            let missing: Vec<_> =
                endpoint.expect.json_keys.iter().filter(|key| !have.contains(*key)).cloned().collect();
            // A body longer than what is kept as text cannot be parsed; that says nothing of its keys.
            if !missing.is_empty() && (keys(response).is_some() || !is_json(response)) {
                return Some(Fault::MissingKeys(missing));
            }
        }
        if is_health_path(&endpoint.path)
            && let Some(failing) = reported_failure(response)
        {
            return Some(Fault::SaysFailing(failing));
        }
        let unsaid: Vec<String> = endpoint.expect.unsaid(&response.body).map(ToString::to_string).collect();
        (endpoint.method != "HEAD" && !unsaid.is_empty()).then_some(Fault::Unsaid(unsaid))
    }

    /// A GET on a path declared for another method: only that the route exists is asked.
    fn grade_route(&self, endpoint: &Endpoint, vantage: Vantage, response: &HttpResponse) -> Grade {
        let status = response.status;
        let local = self
            .exchanges
            .at(Vantage::Local, Purpose::RouteExistence, &endpoint.path)
            .and_then(Exchange::response)
            .filter(|_| vantage != Vantage::Local);
        let undecided = || {
            Grade::Unseen(format!(
                "a {status} to GET does not show whether {} {} exists",
                endpoint.method, endpoint.path
            ))
        };
        match status {
            500.. => Grade::Bad(Fault::Status(status)),
            404 | 410 if local.is_some_and(|l| l.status != status && l.status < 500) => {
                Grade::Bad(Fault::NoRoute(status))
            }
            404 | 410 => undecided(),
            // A page is what a website answers on any path; only the backend's own habit tells.
            200..=299 if body_kind(response) == BodyKind::Html => match local {
                Some(local) if body_kind(local) == BodyKind::Html && local.status == status => Grade::Good,
                Some(_) => Grade::Bad(Fault::Html),
                None => undecided(),
            },
            300..=399 => undecided(),
            _ => Grade::Good,
        }
    }

    fn why_not_asked(&self, vantage: Vantage) -> String {
        let target = &self.evidence.target;
        match vantage {
            Vantage::Local if target.local.is_none() => "not asked: no local backend is known".into(),
            Vantage::Origin if target.origin.is_none() => {
                "not asked: the platform's own name for the deployment is not known".into()
            }
            Vantage::Edge if target.production.is_none() => "not asked: no production URL is known".into(),
            _ => "not asked".into(),
        }
    }

    /// Whether the observation that stood in the way is itself a fault of the target, and not of ours or of a limiter.
    fn is_fault_of_the_target(&self, by: &ObservationId) -> bool {
        let Some(observation) = self.evidence.find(by) else { return false };
        match &observation.seen {
            Seen::Dns(seen) => match &seen.answer {
                Observed::Present(answer) => answer.answers.is_empty(),
                // NXDOMAIN speaks of the name; SERVFAIL may be the zone's own servers failing the resolver. Any other code,
                // and every failure below DNS, is the resolver's own.
                Observed::Denied(Denial::Rcode(answer)) => matches!(answer.rcode, 2 | 3),
                Observed::Denied(_) => false,
                Observed::Silent(_) => self.sane,
                Observed::Unasked(_) => false,
            },
            Seen::Tls(seen) => match &seen.answer {
                Observed::Present(_) | Observed::Denied(_) => true,
                Observed::Silent(_) => self.sane,
                Observed::Unasked(_) => false,
            },
            Seen::Http(seen) => match &seen.answer {
                Observed::Present(_) | Observed::Unasked(_) => false,
                Observed::Denied(_) | Observed::Silent(_) => self.sane,
            },
            _ => false,
        }
    }
}

/// Whether any question that left this machine was answered, with a yes or a no that only a peer can say.
fn something_outside_answered(evidence: &Evidence) -> bool {
    fn answered<T>(answer: &Observed<T>) -> bool {
        match answer {
            Observed::Present(_) => true,
            // "Unreachable" may be this machine's own routing table speaking.
            Observed::Denied(denial) => !matches!(denial, Denial::Unreachable { .. }),
            _ => false,
        }
    }
    evidence.observations.iter().filter(|o| !matches!(o.vantage, Vantage::Local | Vantage::Workspace)).any(
        |o| match &o.seen {
            // This machine's own hosts file is nothing outside.
            Seen::Dns(seen) => {
                seen.question.server.role != DnsServerRole::HostsFile && answered(&seen.answer)
            }
            Seen::Rdap(seen) => answered(&seen.answer),
            Seen::Tls(seen) => answered(&seen.answer),
            Seen::TlsSurvey(seen) => answered(&seen.answer),
            Seen::Http(seen) => answered(&seen.answer),
            Seen::RateLimit(seen) => answered(&seen.answer),
            Seen::Door(seen) => answered(&seen.answer),
            Seen::Project(_) | Seen::Tests(_) | Seen::Log(_) => false,
        },
    )
}

/// Whether a signature's meaning is that the hop could not or would not pass the request on.
pub(crate) fn meaning_is_fault(meaning: Meaning) -> bool {
    use Meaning::{AuthRequired, BadRequest, HopMarker, MethodNotAllowed, PathNotFound, Refused};
    !matches!(meaning, HopMarker | PathNotFound | MethodNotAllowed | AuthRequired | Refused | BadRequest)
}

/// Whether a response says that it is JSON.
pub(crate) fn is_json(response: &HttpResponse) -> bool {
    response.media_type().is_some_and(|t| is_json_type(&t))
}

fn is_json_type(media_type: &str) -> bool {
    let media_type = media_type.split(';').next().unwrap_or(media_type).trim().to_ascii_lowercase();
    media_type == "application/json" || media_type.ends_with("+json")
}

/// The JSON body, when the whole of it was kept.
pub(crate) fn json(response: &HttpResponse) -> Option<&Value> {
    if !is_json(response) || !response.body.complete {
        return None;
    }
    response.body.json()
}

/// The top-level keys of a JSON object body, in the order sent.
pub(crate) fn keys(response: &HttpResponse) -> Option<Vec<String>> {
    Some(json(response)?.as_object()?.keys().cloned().collect())
}

/// The member by which a body reports a failure, as written.
fn reported_failure(response: &HttpResponse) -> Option<String> {
    const BAD: &[&str] = &["error", "fail", "failed", "failing", "down", "unhealthy", "critical"];
    let body = json(response)?;
    body.as_object()?.iter().find_map(|(key, value)| {
        let bad = match (key.as_str(), value) {
            ("ok" | "healthy" | "success", Value::Bool(false)) => true,
            ("status" | "state" | "health", Value::String(text)) => {
                BAD.contains(&text.to_ascii_lowercase().as_str())
            }
            _ => false,
        };
        bad.then(|| format!("\"{key}\":{value}"))
    })
}

/// The endpoint faults of several readings in one phrase: "404 on all 3 endpoints", "404 on /a and 500 on /b".
pub(crate) fn faults_in_words(bad: &[&Reading<'_>], total: usize) -> String {
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for reading in bad {
        let Some(fault) = reading.fault() else { continue };
        let text = fault.to_string();
        match groups.iter_mut().find(|(known, _)| *known == text) {
            Some((_, paths)) => paths.push(&reading.endpoint.path),
            None => groups.push((text, vec![&reading.endpoint.path])),
        }
    }
    let one_group = groups.len() == 1;
    let phrases: Vec<String> = groups
        .iter()
        .map(|(fault, paths)| match paths.len() {
            1 if total == 1 => format!("{fault} on {}", paths[0]),
            n if one_group && n == total => format!("{fault} on {}", all_of(n, "endpoint")),
            _ => format!("{fault} on {}", in_words(paths)),
        })
        .collect();
    in_words(&phrases)
}
/// Why nothing is known of an endpoint, from the first of the readings that could not be made.
pub(crate) fn why_unseen(readings: &[&Reading<'_>]) -> Option<String> {
    readings.iter().find_map(|r| match &r.grade {
        Grade::Unseen(why) => Some(why.clone()),
        _ => None,
    })
}
