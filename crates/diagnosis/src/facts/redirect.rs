//! Where redirects lead, what they change, and how a chain of them ends.

use std::collections::BTreeSet;

use landfall_evidence::{Evidence, HttpResponse, ObservationId, Purpose, Vantage};
use url::Url;

use super::http::{has_keys, is_named};
use super::{Exchange, Exchanges, FactKey, Facts};

/// Hops of one chain that are looked at; the probe follows fewer.
const MOST_HOPS: usize = 10;
/// The trial that asks the address of the target for the host that a redirect leads to.
const OTHER_HOST: &str = "other-host";

pub(super) fn derive(evidence: &Evidence, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    for x in exchanges
        .all
        .iter()
        .filter(|x| matches!(x.purpose, Purpose::Endpoint | Purpose::Control | Purpose::RouteExistence))
    {
        let Some(response) = x.response().filter(|r| (300..400).contains(&r.status)) else { continue };
        let Some(to) = response.redirect_to.as_deref().and_then(|to| Url::parse(to).ok()) else { continue };
        let Ok(from) = Url::parse(&x.seen.request.url) else { continue };
        let subject = x.subject();
        let changes = changes(&from, &to);
        let has = |word: &str| changes.contains(word);
        facts.known(FactKey::RedirectTo, subject.as_str(), &to[..url::Position::AfterQuery], [x.id()]);
        if from.host_str() != to.host_str()
            && let Some(host) = to.host_str()
        {
            facts.known(FactKey::RedirectHost, subject.as_str(), host, [x.id()]);
        }
        let downgrade = has("scheme-down") && !has("host");
        facts.known(FactKey::RedirectDowngrade, subject.as_str(), downgrade, [x.id()]).symptom = downgrade
            && x.vantage != Vantage::Local
            && x.purpose != Purpose::Control
            && x.endpoint.is_some_and(is_named);
        // 301, 302 and 303 let a client go on with GET; 307 and 308 do not (RFC 9110, section 15.4).
        // The method is lost on the way to another host as well, as long as it is the same route there.
        if x.purpose == Purpose::RouteExistence && !has("path") && !has("login") {
            let word = if matches!(response.status, 307 | 308) { "keeps-method" } else { "turns-into-get" };
            facts.known(FactKey::RouteRedirect, subject.as_str(), word, [x.id()]).symptom =
                word == "turns-into-get" && x.vantage != Vantage::Local && x.endpoint.is_some_and(is_named);
        }
        facts.known_list(
            FactKey::RedirectChange,
            subject.as_str(),
            changes.iter().map(|word| (*word).to_owned()),
            [x.id()],
        );
        let chain = end(evidence, exchanges, x, &from, &to);
        if x.purpose == Purpose::Endpoint && is_trouble(x, &changes, &chain, exchanges, facts) {
            facts.mark_symptom(FactKey::EndpointOutcome, &subject);
        }
        facts.known(FactKey::RedirectEnd, subject, chain.end, chain.ids);
    }
}

/// Whether the redirect of a declared endpoint is a fault, where the check does not say which status it expects. A client
/// that follows it must get there: another spelling, the canonical host and https are where a server may send it.
fn is_trouble(
    x: &Exchange<'_>,
    changes: &BTreeSet<&'static str>,
    chain: &Chain<'_>,
    exchanges: &Exchanges<'_>,
    facts: &Facts,
) -> bool {
    let Some(endpoint) = x.endpoint.filter(|e| is_named(e)) else { return false };
    let has = |word: &str| changes.contains(word);
    // A monitor that follows redirects is content with where they end.
    if endpoint.source == landfall_evidence::EndpointSource::Monitored {
        return matches!(chain.end, "loop" | "failing") || has("scheme-down") || has("login");
    }
    if matches!(chain.end, "loop" | "failing") || has("scheme-down") || has("scheme-up") || has("host") {
        return true;
    }
    let fits = chain.last.is_some_and(|last| {
        has_keys(last, &endpoint.expect.json_keys)
            && endpoint
                .expect
                .content_type
                .as_ref()
                .is_none_or(|wanted| last.media_type().as_ref() == Some(wanted))
    });
    if chain.last.is_some() && !fits {
        return true;
    }
    // The root may send to a start page or a login; another path that is sent away is not what was declared, unless the
    // local backend does the same and it gets what is expected.
    let as_here = exchanges
        .at(Vantage::Local, Purpose::Endpoint, x.path)
        .is_some_and(|local| facts.text(FactKey::EndpointOutcome, &local.subject()) == Some("redirect"));
    let expects = endpoint.expect.content_type.is_some() || !endpoint.expect.json_keys.is_empty();
    if x.path == "/" || (expects && fits) {
        return false;
    }
    has("login") || (has("path") && !as_here)
}

/// A chain of redirects, as far as it was seen.
struct Chain<'a> {
    end: &'static str,
    /// The answer at its end, when it is a good one.
    last: Option<&'a HttpResponse>,
    ids: Vec<ObservationId>,
}

/// What a redirect changes of the URL. `slash` and `case` are other spellings of the same path.
fn changes(from: &Url, to: &Url) -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    match (from.scheme(), to.scheme()) {
        ("https", "http") => found.insert("scheme-down"),
        ("http", "https") => found.insert("scheme-up"),
        _ => false,
    };
    if let (Some(a), Some(b)) = (from.host_str(), to.host_str())
        && a != b
    {
        let sibling = a.strip_prefix("www.") == Some(b) || b.strip_prefix("www.") == Some(a);
        found.insert(if sibling { "www" } else { "host" });
    }
    let (a, b) = (from.path(), to.path());
    if is_login(to) && !is_login(from) {
        found.insert("login");
    } else if a != b {
        let fold = |path: &str| {
            let mut text = path.to_owned();
            while text.contains("//") {
                text = text.replace("//", "/");
            }
            text.trim_end_matches('/').to_owned()
        };
        let (a, b) = (fold(a), fold(b));
        found.insert(match a == b {
            true => "slash",
            false if a.eq_ignore_ascii_case(&b) => "case",
            false => "path",
        });
    }
    if from.query() != to.query() {
        found.insert("query");
    }
    if found.is_empty() {
        found.insert("none");
    }
    found
}

/// Whether a URL is that of a login page, by its usual names.
fn is_login(url: &Url) -> bool {
    url.path_segments().is_some_and(|mut parts| {
        parts.any(|part| {
            matches!(
                part.to_ascii_lowercase().trim_end_matches(".php").trim_end_matches(".html"),
                "login"
                    | "log-in"
                    | "signin"
                    | "sign-in"
                    | "sign_in"
                    | "auth"
                    | "authorize"
                    | "oauth2"
                    | "sso"
            )
        })
    })
}

/// How the chain that begins with an exchange's redirect ends, and the observations that show it.
fn end<'a>(
    evidence: &'a Evidence,
    exchanges: &Exchanges<'a>,
    x: &Exchange<'_>,
    from: &Url,
    to: &Url,
) -> Chain<'a> {
    let mut ids = vec![x.id()];
    let mut seen: BTreeSet<String> = [from.to_string()].into();
    let mut next = to.clone();
    for _ in 0..MOST_HOPS {
        if !seen.insert(next.to_string()) {
            return Chain { end: "loop", last: None, ids };
        }
        if next.host_str() != from.host_str() {
            // The other host may be the origin, or production seen from the origin, and was asked the same there.
            if let Some((hop, to)) = sent_back(exchanges, x, from, &next) {
                ids.push(hop);
                next = to;
                continue;
            }
            return elsewhere(exchanges, x, from, &next, ids);
        }
        // The target of a redirect may be an endpoint that was asked for its own sake.
        let hop = evidence.http().find(|(observation, seen)| {
            observation.vantage == x.vantage
                && matches!(seen.request.purpose, Purpose::Redirect | Purpose::Endpoint | Purpose::PlainHttp)
                && Url::parse(&seen.request.url).is_ok_and(|url| url == next)
        });
        let Some((observation, hop)) = hop else { return Chain { end: "open", last: None, ids } };
        ids.push(observation.id.clone());
        let Some(response) = hop.answer.present() else { return Chain { end: "failing", last: None, ids } };
        match (response.status, response.redirect_to.as_deref().and_then(|to| Url::parse(to).ok())) {
            (300..=399, Some(to)) => next = to,
            (200..=299, _) => return Chain { end: "ok", last: Some(response), ids },
            _ => return Chain { end: "failing", last: None, ids },
        }
    }
    Chain { end: "loop", last: None, ids }
}

/// Where the other vantage's answer to this URL sends back to the host that the chain came from.
fn sent_back(
    exchanges: &Exchanges<'_>,
    x: &Exchange<'_>,
    from: &Url,
    next: &Url,
) -> Option<(ObservationId, Url)> {
    let other = match x.vantage {
        Vantage::Edge => Vantage::Origin,
        Vantage::Origin => Vantage::Edge,
        Vantage::Workspace | Vantage::Local | Vantage::ThirdParty => return None,
    };
    let asked = exchanges.at(other, Purpose::Endpoint, next.path())?;
    let same = Url::parse(&asked.seen.request.url).is_ok_and(|url| url == *next);
    let to = asked.response()?.redirect_to.as_deref().and_then(|to| Url::parse(to).ok())?;
    (same && to.host_str() == from.host_str()).then(|| (asked.id(), to))
}

/// The end of a chain that leaves for another host: the audit asks the same address for that host.
fn elsewhere<'a>(
    exchanges: &Exchanges<'a>,
    x: &Exchange<'_>,
    from: &Url,
    next: &Url,
    mut ids: Vec<ObservationId>,
) -> Chain<'a> {
    let asked = exchanges.trials.iter().find(|t| {
        t.vantage == x.vantage
            && t.seen.request.trial.as_ref().is_some_and(|trial| trial.name == OTHER_HOST)
            && t.seen
                .request
                .headers
                .iter()
                .any(|h| h.name == "host" && Some(h.value.as_str()) == next.host_str())
    });
    let Some((trial, response)) = asked.and_then(|t| Some((t, t.response()?))) else {
        return Chain { end: "other-host", last: None, ids };
    };
    ids.push(trial.id());
    let back = response.redirect_to.as_deref().and_then(|to| Url::parse(to).ok());
    if back.is_some_and(|to| to.host_str() == from.host_str()) {
        return Chain { end: "loop", last: None, ids };
    }
    match response.status {
        200..=299 => Chain { end: "ok", last: Some(response), ids },
        _ => Chain { end: "other-host", last: None, ids },
    }
}

#[cfg(test)]
mod tests {
    use landfall_evidence::EndpointSource;

    use super::*;
    use crate::catalogue::Catalogue;
    use crate::testkit::{World, response};

    fn changed(from: &str, to: &str) -> Vec<&'static str> {
        changes(&Url::parse(from).expect("valid"), &Url::parse(to).expect("valid")).into_iter().collect()
    }

    #[test]
    fn what_a_redirect_changes() {
        assert_eq!(changed("https://a.test/items", "http://a.test/items/"), ["scheme-down", "slash"]);
        assert_eq!(changed("http://a.test/x", "https://www.a.test/x"), ["scheme-up", "www"]);
        assert_eq!(changed("https://a.test/Health", "https://a.test/health"), ["case"]);
        assert_eq!(changed("https://a.test//health", "https://a.test/health"), ["slash"]);
        assert_eq!(changed("https://a.test/x", "https://a.test/accounts/login/?next=/x"), ["login", "query"]);
        assert_eq!(changed("https://a.test/x", "https://b.test/y"), ["host", "path"]);
        assert_eq!(changed("https://a.test/x", "https://a.test/x"), ["none"]);
    }

    #[test]
    fn a_downgrade_is_a_symptom_and_a_spelling_is_none() {
        let mut world = World::new("https://api.example.test");
        world.endpoint("GET", "/items", EndpointSource::Declared, false, &[]);
        world.endpoint("GET", "/users", EndpointSource::Declared, false, &[]);
        let down = response(307).redirect("http://api.example.test/items/").build();
        world.http(Vantage::Edge, Purpose::Endpoint, "/items", down);
        let slash = response(307).redirect("https://api.example.test/users/").build();
        world.http(Vantage::Edge, Purpose::Endpoint, "/users", slash);
        world.http(Vantage::Edge, Purpose::Redirect, "/users/", response(200).json("[]").build());
        let facts = Facts::derive(&world.build(), Catalogue::embedded());
        let downgrade = facts.get(FactKey::RedirectDowngrade, "edge /items").expect("drawn");
        assert!(downgrade.symptom && downgrade.text() == Some("yes"), "{downgrade:?}");
        let spelling = facts.get(FactKey::RedirectDowngrade, "edge /users").expect("drawn");
        assert!(!spelling.symptom && spelling.text() == Some("no"), "{spelling:?}");
        assert_eq!(facts.text(FactKey::RedirectEnd, "edge /users"), Some("ok"));
        assert_eq!(facts.text(FactKey::RedirectEnd, "edge /items"), Some("open"));
    }

    #[test]
    fn a_redirect_is_trouble_by_its_end() {
        let symptom = |status: &[u16], to: &str, hop: Option<HttpResponse>| {
            let mut world = World::new("https://example.test");
            world.endpoint("GET", "/items", EndpointSource::Declared, false, &[]);
            world.expect_status("/items", status);
            world.http(Vantage::Edge, Purpose::Endpoint, "/items", response(301).redirect(to).build());
            if let Some(hop) = hop {
                world.http(Vantage::Edge, Purpose::Redirect, "/items/", hop);
            }
            let facts = Facts::derive(&world.build(), Catalogue::embedded());
            facts.get(FactKey::EndpointOutcome, "edge /items").is_some_and(|fact| fact.symptom)
        };
        let good = || Some(response(200).json("[]").build());
        let slash = "https://example.test/items/";
        assert!(!symptom(&[], slash, good()), "clients follow, and get there");
        assert!(symptom(&[], slash, Some(response(404).build())));
        assert!(symptom(&[200], slash, good()), "the check says that it expects 200");
        assert!(!symptom(&[301], slash, good()), "the check expects the redirect");
        assert!(!symptom(&[], "https://www.example.test/items", None), "the canonical host");
        assert!(symptom(&[], "https://elsewhere.test/items", None));
        assert!(symptom(&[], "https://example.test/login", None));
        assert!(symptom(&[], "https://example.test/items", None), "to itself");
    }

    #[test]
    fn two_names_that_send_to_each_other_are_a_loop() {
        let ends = |back: &str| {
            let mut world = World::new("https://example.test");
            world.origin("https://www.example.test");
            world.endpoint("GET", "/items", EndpointSource::Declared, false, &[]);
            let there = response(301).redirect("https://www.example.test/items").build();
            world.http(Vantage::Edge, Purpose::Endpoint, "/items", there);
            world.http(Vantage::Origin, Purpose::Endpoint, "/items", response(301).redirect(back).build());
            let facts = Facts::derive(&world.build(), Catalogue::embedded());
            ["edge /items", "origin /items"]
                .map(|at| facts.text(FactKey::RedirectEnd, at).unwrap_or_default().to_owned())
        };
        assert_eq!(ends("https://example.test/items"), ["loop", "loop"]);
        assert_eq!(ends("https://shop.example.test/items"), ["other-host", "other-host"]);
    }

    #[test]
    fn a_post_that_becomes_a_get_is_a_symptom_only_where_the_path_stays() {
        let mut world = World::new("http://api.example.test");
        for path in ["/hook", "/form"] {
            world.endpoint("POST", path, EndpointSource::Declared, false, &[]);
        }
        let up = response(301).redirect("https://api.example.test/hook").build();
        world.http(Vantage::Edge, Purpose::RouteExistence, "/hook", up);
        let page = response(302).redirect("http://api.example.test/docs").build();
        world.http(Vantage::Edge, Purpose::RouteExistence, "/form", page);
        let facts = Facts::derive(&world.build(), Catalogue::embedded());
        assert!(facts.get(FactKey::RouteRedirect, "edge /hook").is_some_and(|fact| fact.symptom));
        assert!(
            facts.get(FactKey::RouteRedirect, "edge /form").is_none(),
            "GET may lead elsewhere than POST"
        );
    }
}
