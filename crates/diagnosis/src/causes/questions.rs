//! Which observation would decide most, of those that an audit may make by itself.

use std::collections::BTreeMap;

use landfall_evidence::{Evidence, Header, Vantage};

use super::condition::Truth;
use super::hypothesis::{Make, PLAIN_PATH};
use super::rank::contenders;
use super::template;
use crate::catalogue::Catalogue;
use crate::facts::{FactKey, Facts};

/// Below this value, in thousandths, a question is not worth a request.
const LEAST_VALUE: u32 = 5;

/// A deciding observation that the audit should make next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The causes that it bears on, best first.
    pub causes: Vec<String>,
    /// What it asks, in words.
    pub ask: String,
    /// What is different about it: the trial's name.
    pub name: String,
    /// Whom it asks.
    pub vantage: Vantage,
    /// `GET`, `HEAD` or `OPTIONS`.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Path and query of the plain request that its answer is held against.
    pub plain: String,
    /// Headers in place of or beside the usual ones.
    pub headers: Vec<Header>,
    /// The Host header, when it is what differs.
    pub host: Option<String>,
    /// How often it is to be asked.
    pub times: u32,
    /// What the answer is worth: the sum of p(1 − p) over the causes that wait for it, in thousandths. An answer about a
    /// cause that is as good as certain, or as good as excluded, is worth nothing.
    pub value: u32,
}

/// The questions that would decide most for their cost, best first. Empty when nothing is wrong, when all is decided, or
/// when what is open cannot be asked by an audit.
pub fn questions(evidence: &Evidence, catalogue: &Catalogue) -> Vec<Question> {
    let facts = Facts::derive(evidence, catalogue);
    let mut found: BTreeMap<(String, Vantage, String), Question> = BTreeMap::new();
    for (id, share) in contenders(&facts, catalogue) {
        let Some(probe) = catalogue.cause(&id).and_then(|hypothesis| hypothesis.probe.as_ref()) else {
            continue;
        };
        if matches!(probe.done.ask(&facts), Truth::True(_)) {
            continue;
        }
        let value = (share * (1.0 - share) * 1000.0).round() as u32;
        for make in probe.make.iter().filter(|make| may_be_asked(evidence, make)) {
            let question = ask(make, &probe.ask, &facts);
            let slot =
                found.entry((make.name.clone(), make.vantage, question.path.clone())).or_insert(question);
            slot.causes.push(id.clone());
            slot.value += value;
        }
    }
    let mut questions: Vec<Question> = found.into_values().filter(|q| q.value >= LEAST_VALUE).collect();
    questions.sort_by(|a, b| {
        // Worth per request.
        let order = |q: &Question| std::cmp::Reverse(q.value / q.times);
        order(a)
            .cmp(&order(b))
            .then_with(|| (&a.name, a.vantage, &a.path).cmp(&(&b.name, b.vantage, &b.path)))
    });
    questions
}

/// Whether the target has that vantage, and the trial was not made there yet.
fn may_be_asked(evidence: &Evidence, make: &Make) -> bool {
    let there = match make.vantage {
        Vantage::Edge => evidence.target.production.is_some(),
        Vantage::Origin => evidence.target.origin.is_some(),
        Vantage::Local => evidence.target.local.is_some(),
        Vantage::Workspace | Vantage::ThirdParty => false,
    };
    there
        && !evidence.trials().any(|(observation, seen)| {
            observation.vantage == make.vantage
                && seen.request.trial.as_ref().is_some_and(|trial| trial.name == make.name)
        })
}

fn ask(make: &Make, ask: &str, facts: &Facts) -> Question {
    let plain = plain_path(make.vantage, facts);
    let fill = |text: &str| template::fill(&text.replace(PLAIN_PATH, &plain), facts, &[]);
    Question {
        causes: Vec::new(),
        ask: fill(ask),
        name: make.name.clone(),
        vantage: make.vantage,
        method: make.method.clone(),
        path: fill(&make.path),
        headers: make
            .headers
            .iter()
            .map(|(name, value)| Header { name: name.clone(), value: fill(value) })
            .collect(),
        host: make.host.as_deref().map(fill),
        times: make.times,
        value: 0,
        plain,
    }
}

/// The path whose answer is in doubt: the first endpoint that fails there, else the first endpoint.
fn plain_path(vantage: Vantage, facts: &Facts) -> String {
    let at = vantage.to_string();
    let failing = facts.at(FactKey::EndpointOutcome, Some(&at)).find(|fact| fact.symptom);
    failing
        .and_then(|fact| fact.subject.split_once(' '))
        .map(|(_, path)| path.to_owned())
        .or_else(|| facts.text(FactKey::TargetPath, "").map(str::to_owned))
        .filter(|path| path.starts_with('/'))
        .unwrap_or_else(|| "/".to_owned())
}

#[cfg(test)]
mod tests {
    use landfall_evidence::{EndpointSource, Evidence, Purpose, Seen, Trial};

    use super::*;
    use crate::catalogue::{EMBEDDED, Sources};
    use crate::testkit::{World, response};

    /// Two causes of one symptom; the first can be decided by asking with HEAD's opposite, the second by nothing.
    const TWO: &str = r#"
[[hypothesis]]
id = "monitor-uses-head"
prior = "usual"
requires = { fact = "endpoint.outcome", at = "edge", is = "not-found" }
explains = ["endpoint.outcome:not-found@edge", "site.kind@edge"]
unseparated = ["method-not-allowed"]
evidence = [
  { group = "sign", if = { fact = "endpoint.outcome", at = "edge", is = "not-found" }, weight = "strong", say = "it is not there" },
  { group = "trial", if = { fact = "trial.as_plain", at = "other edge", is = "better" }, weight = "decisive", say = "asked otherwise it is" },
]
probe = { done = { fact = "trial.as_plain", at = "other edge", known = true }, ask = "what it says", how = "curl", means = ["x"], make = [{ as = "other", path = "{path}?x", headers = { accept = "text/html" }, host = "{target.host}", times = 2 }] }
verify = ["v"]
remedy.generic = ["r"]

[[hypothesis]]
id = "method-not-allowed"
prior = "usual"
requires = { fact = "endpoint.outcome", at = "edge", is = "not-found" }
explains = ["endpoint.outcome:not-found@edge", "site.kind@edge"]
evidence = [{ group = "sign", if = { fact = "endpoint.outcome", at = "edge", is = "not-found" }, weight = "strong", say = "it is not there" }]
verify = ["v"]
remedy.generic = ["r"]
"#;

    fn catalogue(text: &str) -> Result<Catalogue, Vec<String>> {
        let sources = Sources { causes: &[("causes/test.toml", text)], ..EMBEDDED };
        Catalogue::parse(&sources).map_err(|errors| errors.iter().map(ToString::to_string).collect())
    }

    fn world(status: u16) -> World {
        let mut world = World::new("https://api.example.test");
        world.endpoint("GET", "/", EndpointSource::Declared, false, &["ok"]);
        world.endpoint("GET", "/health", EndpointSource::Declared, false, &["ok"]);
        world.http(Vantage::Edge, Purpose::Endpoint, "/", response(200).json(r#"{"ok":true}"#).build());
        world.http(
            Vantage::Edge,
            Purpose::Endpoint,
            "/health",
            response(status).json(r#"{"ok":true}"#).build(),
        );
        world
    }

    fn with_trial(status: u16) -> Evidence {
        let mut world = world(404);
        let mut evidence = world
            .http(Vantage::Edge, Purpose::Trial, "/health?x", response(status).json(r#"{"ok":true}"#).build())
            .build();
        for observation in &mut evidence.observations {
            if let Seen::Http(seen) = &mut observation.seen
                && seen.request.purpose == Purpose::Trial
            {
                seen.request.trial = Some(Trial { name: "other".into(), plain: "/health".into() });
            }
        }
        evidence
    }

    #[test]
    fn what_two_rivals_leave_open_is_asked_of_the_failing_path() {
        let catalogue = catalogue(TWO).expect("it loads");
        let asked = questions(&world(404).build(), &catalogue);
        let [question] = asked.as_slice() else { panic!("{asked:#?}") };
        assert_eq!(question.causes, ["monitor-uses-head"]);
        assert_eq!((question.path.as_str(), question.plain.as_str()), ("/health?x", "/health"));
        assert_eq!(question.host.as_deref(), Some("api.example.test"));
        assert_eq!((question.times, question.headers[0].name.as_str()), (2, "accept"));
        assert!(question.value > 100, "two rivals and the unknown cause: {}", question.value);
    }

    #[test]
    fn nothing_is_asked_where_nothing_is_wrong_or_where_it_was_asked() {
        let catalogue = catalogue(TWO).expect("it loads");
        assert_eq!(questions(&world(200).build(), &catalogue), []);
        assert_eq!(questions(&with_trial(200), &catalogue), []);
        // Even where the answer was another refusal: the same question gives the same answer.
        assert_eq!(questions(&with_trial(404), &catalogue), []);
    }

    #[test]
    fn a_trial_is_held_against_the_plain_answer_and_is_no_answer_of_the_site() {
        let catalogue = catalogue(TWO).expect("it loads");
        for (status, word) in [(200, "better"), (404, "same"), (410, "differs"), (500, "worse")] {
            let facts = Facts::derive(&with_trial(status), &catalogue);
            assert_eq!(facts.text(FactKey::TrialAsPlain, "other edge /health"), Some(word), "{status}");
            assert!(facts.of(FactKey::HttpStatus).all(|fact| !fact.subject.contains("?x")));
        }
        let diagnosis = crate::diagnose(&with_trial(200), &catalogue);
        assert_eq!(diagnosis.causes[0].id, "monitor-uses-head");
        assert!(diagnosis.unexplained.iter().all(|odd| !odd.what.contains("trial")), "{diagnosis:#?}");
    }

    #[test]
    fn a_trial_that_could_do_harm_does_not_load() {
        let cases = [
            (TWO.replace("as = \"other\"", "as = \"Other one\""), "is a word"),
            (TWO.replace("path = \"{path}?x\"", "method = \"POST\""), "may change something"),
            (TWO.replace("path = \"{path}?x\"", "path = \"health\""), "begins with a slash"),
            (TWO.replace("times = 2", "times = 60"), "times is 1 to 6"),
            (TWO.replace("accept = ", "Accept = "), "lower case"),
            (TWO.replace("text/html", "{target.hots}"), "did you mean target.host"),
            (TWO.replace("times = 2", "at = \"third-party\""), "edge, origin or local"),
        ];
        for (text, want) in cases {
            assert_ne!(text, TWO, "{want}");
            let found = catalogue(&text).expect_err(want);
            assert!(found.iter().any(|message| message.contains(want)), "{want}: {found:?}");
        }
    }
}
