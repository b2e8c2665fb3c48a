//! Whether the declared pages may call production from a browser (the CORS protocol of the Fetch standard).

use std::collections::{BTreeMap, BTreeSet};

use landfall_evidence::{HttpResponse, ObservationId, Vantage};

use super::{Exchange, Exchanges, FactKey, Facts};

/// The name of the request that carries an `Origin`.
pub(crate) const GET: &str = "cors-get";
/// The name of the question that a browser asks before a request that is not simple.
pub(crate) const PREFLIGHT: &str = "cors-preflight";

#[derive(Default)]
struct Seen {
    why: BTreeSet<&'static str>,
    listed: BTreeSet<String>,
    ids: BTreeSet<ObservationId>,
    judged: bool,
    get_allowed: Option<bool>,
}

pub(super) fn derive(exchanges: &Exchanges<'_>, facts: &mut Facts) {
    let mut by_origin: BTreeMap<String, Seen> = BTreeMap::new();
    for x in exchanges.trials.iter().filter(|x| x.vantage == Vantage::Edge) {
        let Some(trial) =
            x.seen.request.trial.as_ref().filter(|t| matches!(t.name.as_str(), GET | PREFLIGHT))
        else {
            continue;
        };
        let sent =
            |name: &str| x.seen.request.headers.iter().find(|h| h.name == name).map(|h| h.value.as_str());
        let Some(origin) = sent("origin") else { continue };
        let slot = by_origin.entry(origin.to_owned()).or_default();
        slot.ids.insert(x.id());
        let Some(response) = x.response() else { continue };
        // An error without the headers is an outage that browsers report as CORS; so is a refusal before the application.
        if response.status >= 500 || !plain_is_good(&trial.plain, exchanges, facts) && trial.name == GET {
            continue;
        }
        slot.judged = true;
        let before = slot.why.len();
        slot.listed.extend(allowed_origins(response).filter(|listed| listed != origin));
        slot.why.extend(why_refused(x, response, origin, sent("access-control-request-method")));
        if trial.name == GET {
            slot.get_allowed = Some(slot.why.len() == before);
        }
    }
    for (origin, seen) in by_origin {
        let subject = format!("edge {origin}");
        if !seen.judged {
            continue;
        }
        let word = match (seen.why.is_empty(), seen.get_allowed) {
            (true, _) => "allowed",
            (false, Some(true)) => "half",
            _ => "refused",
        };
        facts.known(FactKey::CorsState, subject.as_str(), word, seen.ids.clone()).symptom = word != "allowed";
        facts.known_list(
            FactKey::CorsWhy,
            subject.as_str(),
            seen.why.into_iter().map(str::to_owned),
            seen.ids.clone(),
        );
        facts.known_list(FactKey::CorsLists, subject, seen.listed, seen.ids);
    }
}

fn plain_is_good(path: &str, exchanges: &Exchanges<'_>, facts: &Facts) -> bool {
    let plain = exchanges.all.iter().find(|x| x.vantage == Vantage::Edge && x.path == path);
    plain.is_some_and(|x| {
        matches!(facts.text(FactKey::EndpointOutcome, &x.subject()), Some("ok" | "late" | "forbidden"))
    })
}

fn allowed_origins(response: &HttpResponse) -> impl Iterator<Item = String> {
    response
        .headers
        .iter()
        .filter(|h| h.name == "access-control-allow-origin")
        .flat_map(|h| h.value.split(','))
        .map(|value| value.trim().to_owned())
        .filter(|value| !value.is_empty())
}

/// Why a browser keeps the answer from the page that asked.
pub(crate) fn why_refused(
    x: &Exchange<'_>,
    response: &HttpResponse,
    origin: &str,
    method: Option<&str>,
) -> BTreeSet<&'static str> {
    let mut why = BTreeSet::new();
    let allowed: Vec<String> = allowed_origins(response).collect();
    let credentials = response.header("access-control-allow-credentials").is_some_and(|v| v.trim() == "true");
    match allowed.as_slice() {
        [] => why.insert("no-header"),
        [one] if one == "*" && credentials => why.insert("wildcard-with-credentials"),
        [one] if one == "*" || one == origin => false,
        [_] => why.insert("other-origin"),
        // The header holds one origin; two of them, or two headers, match nothing.
        _ => why.insert("twice"),
    };
    if x.seen.request.method == "OPTIONS" {
        if !(200..300).contains(&response.status) {
            why.insert("preflight-status");
        }
        let list = |name: &str| -> Vec<String> {
            let values = response.headers.iter().filter(|h| h.name == name);
            values.flat_map(|h| h.value.split(',')).map(|v| v.trim().to_ascii_uppercase()).collect()
        };
        let methods = list("access-control-allow-methods");
        let simple = |method: &str| matches!(method, "GET" | "HEAD" | "POST");
        if let Some(method) = method
            && why.is_empty()
            && !simple(method)
            && !methods.iter().any(|m| m == method || m == "*")
        {
            why.insert("method");
        }
    }
    why
}

#[cfg(test)]
mod tests {
    use landfall_evidence::{EndpointSource, Header, Observation, Purpose, Seen as What, Trial};

    use super::*;
    use crate::catalogue::Catalogue;
    use crate::testkit::{World, response};

    fn facts_of(answers: &[(&str, HttpResponse)], plain: u16) -> Facts {
        let mut world = World::new("https://api.example.test");
        world.endpoint("GET", "/items", EndpointSource::Declared, false, &[]);
        world.http(Vantage::Edge, Purpose::Endpoint, "/items", response(plain).json("[]").build());
        for (_, answer) in answers {
            world.http(Vantage::Edge, Purpose::Trial, "/items", answer.clone());
        }
        let mut evidence = world.build();
        let trials = evidence.observations.iter_mut().filter_map(|o: &mut Observation| match &mut o.seen {
            What::Http(seen) if seen.request.purpose == Purpose::Trial => Some(seen),
            _ => None,
        });
        for (seen, (name, _)) in trials.zip(answers) {
            seen.request.trial = Some(Trial { name: (*name).to_owned(), plain: "/items".into() });
            seen.request.method = if *name == PREFLIGHT { "OPTIONS" } else { "GET" }.into();
            let header = |name: &str, value: &str| Header { name: name.into(), value: value.into() };
            seen.request.headers = vec![
                header("origin", "https://app.example.test"),
                header("access-control-request-method", "PUT"),
            ];
        }
        Facts::derive(&evidence, Catalogue::embedded())
    }

    fn state(facts: &Facts) -> (Option<&str>, String) {
        let subject = "edge https://app.example.test";
        let why = facts.get(FactKey::CorsWhy, subject).and_then(|fact| fact.known());
        (facts.text(FactKey::CorsState, subject), why.map(ToString::to_string).unwrap_or_default())
    }

    #[test]
    fn what_a_browser_makes_of_the_headers() {
        let plain = |origin: Option<&str>| {
            let answer = response(200).json("[]");
            match origin {
                Some(origin) => answer.header("access-control-allow-origin", origin).build(),
                None => answer.build(),
            }
        };
        let page = "https://app.example.test";
        assert_eq!(state(&facts_of(&[(GET, plain(Some(page)))], 200)), (Some("allowed"), String::new()));
        assert_eq!(state(&facts_of(&[(GET, plain(Some("*")))], 200)), (Some("allowed"), String::new()));
        assert_eq!(state(&facts_of(&[(GET, plain(None))], 200)), (Some("refused"), "no-header".into()));
        let other = plain(Some("http://localhost:3000"));
        assert_eq!(state(&facts_of(&[(GET, other)], 200)), (Some("refused"), "other-origin".into()));
        let mut twice = plain(Some(page));
        twice.headers.push(Header { name: "access-control-allow-origin".into(), value: "*".into() });
        assert_eq!(state(&facts_of(&[(GET, twice)], 200)), (Some("refused"), "twice".into()));
        let ask = response(204).header("access-control-allow-origin", page);
        let both = |methods: &str| {
            [
                (GET, plain(Some(page))),
                (PREFLIGHT, ask.clone().header("access-control-allow-methods", methods).build()),
            ]
        };
        assert_eq!(state(&facts_of(&both("GET, PUT"), 200)), (Some("allowed"), String::new()));
        assert_eq!(state(&facts_of(&both("GET"), 200)), (Some("half"), "method".into()));
    }

    #[test]
    fn an_outage_is_not_called_cors() {
        assert_eq!(state(&facts_of(&[(GET, response(502).build())], 502)).0, None);
        assert_eq!(state(&facts_of(&[(GET, response(404).build())], 404)).0, None);
    }
}
