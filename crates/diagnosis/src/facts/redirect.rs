//! Where redirects lead, what they change, and how a chain of them ends.

use std::collections::BTreeSet;

use landfall_evidence::{Evidence, ObservationId, Purpose, Vantage};
use url::Url;

use super::http::is_named;
use super::{Exchange, Exchanges, FactKey, Facts};

/// Hops of one chain that are looked at; the probe follows fewer.
const MOST_HOPS: usize = 10;

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
        if x.purpose == Purpose::RouteExistence && !has("host") && !has("path") && !has("login") {
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
        let (end, ids) = end(evidence, x, &from, &to);
        facts.known(FactKey::RedirectEnd, subject, end, ids);
    }
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
fn end(evidence: &Evidence, x: &Exchange<'_>, from: &Url, to: &Url) -> (&'static str, Vec<ObservationId>) {
    let mut ids = vec![x.id()];
    let mut seen: BTreeSet<String> = [from.to_string()].into();
    let mut next = to.clone();
    for _ in 0..MOST_HOPS {
        if !seen.insert(next.to_string()) {
            return ("loop", ids);
        }
        if next.host_str() != from.host_str() {
            return ("other-host", ids);
        }
        // The target of a redirect may be an endpoint that was asked for its own sake.
        let hop = evidence.http().find(|(observation, seen)| {
            observation.vantage == x.vantage
                && matches!(seen.request.purpose, Purpose::Redirect | Purpose::Endpoint | Purpose::PlainHttp)
                && Url::parse(&seen.request.url).is_ok_and(|url| url == next)
        });
        let Some((observation, hop)) = hop else { return ("open", ids) };
        ids.push(observation.id.clone());
        let Some(response) = hop.answer.present() else { return ("failing", ids) };
        match (response.status, response.redirect_to.as_deref().and_then(|to| Url::parse(to).ok())) {
            (300..=399, Some(to)) => next = to,
            (200..=299, _) => return ("ok", ids),
            _ => return ("failing", ids),
        }
    }
    ("loop", ids)
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
