//! Whether the check asks rightly: the declared endpoints against what answers, and this machine's own part.

use std::collections::{BTreeMap, BTreeSet};

use landfall_evidence::{
    EndpointSource, Evidence, HttpResponse, ObservationId, Purpose, Says, TrustRefusal, TrustResult, Vantage,
};
use serde_json::Value as Json;

use super::http::is_named;
use super::{Exchange, Exchanges, FactKey, Facts, is_health_path};

const VANTAGES: [Vantage; 3] = [Vantage::Local, Vantage::Origin, Vantage::Edge];

/// Makers of devices and programs that open TLS on the way and sign with an authority of their own.
const INSPECTORS: &[&str] = &[
    "zscaler",
    "skyhigh",
    "trellix",
    "watchguard",
    "sonicwall",
    "cato networks",
    "menlo security",
    "iboss",
    "trend micro",
    "sangfor",
    "smoothwall",
    "lightspeed",
    "securly",
    "do_not_trust_fiddler",
    "portswigger",
    "adguard",
    "trustwave",
    "contentkeeper",
    "untangle",
    "fortinet",
    "fortigate",
    "palo alto",
    "blue coat",
    "bluecoat",
    "symantec web",
    "netskope",
    "forcepoint",
    "websense",
    "cisco umbrella",
    "sophos",
    "barracuda",
    "mitmproxy",
    "charles proxy",
    "fiddler",
    "burp",
    "squid",
    "check point",
    "mcafee web gateway",
    "kaspersky",
    "eset ssl",
    "avast",
    "bitdefender",
    "cloudflare gateway",
];

pub(super) fn derive(evidence: &Evidence, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    for vantage in VANTAGES {
        guards(vantage, exchanges, facts);
        cached(vantage, exchanges, facts);
    }
    for x in exchanges.all.iter().filter(|x| matches!(x.purpose, Purpose::Endpoint | Purpose::RouteExistence))
    {
        methods(x, facts);
        if x.purpose == Purpose::Endpoint {
            asked(x, facts);
            keys(x, exchanges, facts);
            late(x, facts);
            monitored(x, evidence, facts);
        }
    }
    paths(evidence, exchanges, facts);
    machine(evidence, facts);
}

/// Which paths ask for credentials, and how.
fn guards(vantage: Vantage, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    let (mut guarded, mut open) = (Vec::new(), Vec::new());
    for x in exchanges.of(vantage, Purpose::Endpoint) {
        let Some(endpoint) = x.endpoint else { continue };
        let Some(response) = x.response() else { continue };
        let subject = x.subject();
        let login = facts
            .get(FactKey::RedirectChange, &subject)
            .and_then(|fact| fact.known())
            .is_some_and(|words| words.to_string().split(", ").any(|word| word == "login"));
        let word = facts.text(FactKey::EndpointOutcome, &subject);
        match word {
            Some("ok" | "late") => open.push(x.id()),
            Some("forbidden") => {}
            Some("redirect") if login => {}
            _ => continue,
        }
        if word == Some("ok") || word == Some("late") {
            continue;
        }
        if !is_named(endpoint) {
            continue;
        }
        guarded.push(x.id());
        facts.known(FactKey::GuardPath, subject.as_str(), kind_of_path(x), [x.id()]);
        let how = match response.status {
            _ if login => "login",
            401 | 407 if response.header("www-authenticate").is_some() => "challenge",
            401 | 407 => "unauthenticated",
            _ if response.body.text.as_deref().is_some_and(|text| {
                let lower = text.chars().take(2_000).collect::<String>().to_ascii_lowercase();
                CREDENTIAL_WORDS.iter().any(|words| lower.contains(words))
            }) =>
            {
                "unauthenticated"
            }
            _ => "forbidden",
        };
        facts.known(FactKey::GuardHow, subject.as_str(), how, [x.id()]);
        if vantage == Vantage::Local {
            continue;
        }
        let Some(local) = exchanges.at(Vantage::Local, Purpose::Endpoint, x.path) else { continue };
        let word = match facts.text(FactKey::EndpointOutcome, &local.subject()) {
            Some("ok" | "late") => "open",
            Some("forbidden") => "guarded",
            Some("redirect") if login => "guarded",
            _ => continue,
        };
        facts.known(FactKey::GuardLocal, subject, word, [x.id(), local.id()]);
    }
    if !guarded.is_empty() {
        let word = if open.is_empty() { "guarded" } else { "open" };
        facts.known(FactKey::GuardOthers, vantage.to_string(), word, guarded.into_iter().chain(open));
    }
}

/// What a declared path is for.
fn kind_of_path(x: &Exchange<'_>) -> &'static str {
    let health = is_health_path(x.path) && x.endpoint.is_some_and(|e| !e.core);
    if health { "health" } else { "other" }
}

/// What a declared path is for, where a monitor's own check is one for health whatever it asks.
fn kind_of_check(x: &Exchange<'_>) -> &'static str {
    let monitored = x.endpoint.is_some_and(|e| e.source == EndpointSource::Monitored && !e.core);
    if monitored { "health" } else { kind_of_path(x) }
}

/// What the check asks that does not get what it asks for.
fn asked(x: &Exchange<'_>, facts: &mut Facts) {
    let subject = x.subject();
    let Some(word) = facts.text(FactKey::EndpointOutcome, &subject).map(str::to_owned) else { return };
    if x.seen.request.method == "HEAD" {
        let refused =
            matches!(word.as_str(), "method-refused" | "not-found" | "unexpected-status" | "app-error");
        let said = if refused { "refused" } else { "ok" };
        facts.known(FactKey::CheckHead, subject.as_str(), said, [x.id()]);
    }
    let declared = x.endpoint.is_some_and(is_named);
    if declared && word == "redirect" && x.endpoint.is_some_and(|e| !e.expect.status.is_empty()) {
        facts.known(FactKey::CheckRedirects, subject.as_str(), kind_of_check(x), [x.id()]);
    }
    if declared && word == "not-found" {
        facts.known(FactKey::CheckNotFound, subject.as_str(), kind_of_check(x), [x.id()]);
    }
    // One path of a vantage, that on which the trials are made: the first one that fails.
    let vantage = x.vantage.to_string();
    if declared
        && matches!(word.as_str(), "not-found" | "redirect")
        && facts.get(FactKey::SpellingSlash, &vantage).is_none()
    {
        let (path, query) =
            x.path.split_once('?').map_or((x.path, ""), |(path, _)| (path, &x.path[path.len()..]));
        let bare = path.trim_start_matches('/');
        let toggled = bare.strip_suffix('/').map_or_else(|| format!("{bare}/"), str::to_owned);
        facts.known(FactKey::SpellingSlash, vantage.as_str(), format!("{toggled}{query}"), [x.id()]);
        let mut folded = bare.to_ascii_lowercase();
        while folded.contains("//") {
            folded = folded.replace("//", "/");
        }
        if let Some((first, rest)) = bare.split_once('/').filter(|(_, rest)| !rest.is_empty()) {
            let vantage = vantage.as_str();
            facts.known(FactKey::SpellingDoubled, vantage, format!("{first}/{bare}{query}"), [x.id()]);
            facts.known(FactKey::SpellingStripped, vantage, format!("{rest}{query}"), [x.id()]);
        } else {
            // A path of one segment may have lost its prefix; the usual one is tried.
            let vantage = vantage.as_str();
            facts.known(FactKey::SpellingDoubled, vantage, format!("api/{bare}{query}"), [x.id()]);
            facts.known(FactKey::SpellingStripped, vantage, format!("{bare}{query}"), [x.id()]);
        }
        facts.known(FactKey::SpellingFolded, vantage, format!("{folded}{query}"), [x.id()]);
    }
}

/// Words by which a 403 says that credentials are missing, as some frameworks do in place of 401.
const CREDENTIAL_WORDS: &[&str] = &[
    "credentials were not provided",
    "not authenticated",
    "unauthenticated",
    "missing authentication",
    "authentication required",
    "login required",
    "log in",
    "sign in",
    "api key",
    "apikey",
    "access token",
    "bearer token",
    "missing token",
    "invalid token",
];

/// What the answer says of the methods of its path.
fn methods(x: &Exchange<'_>, facts: &mut Facts) {
    let (Some(response), Some(endpoint)) = (x.response(), x.endpoint) else { return };
    let Some(allow) = response.header("allow").filter(|_| response.status == 405) else { return };
    let methods: BTreeSet<String> = allow
        .split(',')
        .map(|word| word.trim().to_ascii_uppercase())
        .filter(|word| !word.is_empty() && word.len() <= 20)
        .take(20)
        .collect();
    // A field that names the very method that was refused contradicts the status, and tells nothing.
    if methods.contains(&x.seen.request.method.to_ascii_uppercase()) {
        return;
    }
    let subject = x.subject();
    let allowed = methods.contains(&endpoint.method);
    facts.known_list(FactKey::RouteAllow, subject.as_str(), methods, [x.id()]);
    // A path declared for POST is asked with GET: its 405 is expected, and says which methods there are.
    if x.purpose == Purpose::RouteExistence {
        facts
            .known(FactKey::RouteMethod, subject, if allowed { "allowed" } else { "refused" }, [x.id()])
            .symptom = !allowed && x.vantage != Vantage::Local && is_named(endpoint);
    }
}

/// Keys and words that the check asks for and the answer lacks.
fn keys(x: &Exchange<'_>, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    let subject = x.subject();
    let (Some(endpoint), Some(response)) = (x.endpoint, x.response()) else { return };
    if facts.text(FactKey::EndpointOutcome, &subject) != Some("wrong-shape") {
        return;
    }
    let missing = |response: &HttpResponse| -> BTreeSet<String> {
        let absent = |key: &&String| json_of(response).is_none_or(|json| json.get(key.as_str()).is_none());
        let unsaid = endpoint.expect.unsaid(&response.body).map(ToString::to_string);
        endpoint.expect.json_keys.iter().filter(absent).cloned().chain(unsaid).collect()
    };
    // Of another answer than JSON its keys say nothing; its words do.
    if json_of(response).is_none() && endpoint.expect.says.is_empty() {
        return;
    }
    let lacks = missing(response);
    let near = endpoint
        .expect
        .json_keys
        .iter()
        .filter(|key| lacks.contains(*key))
        .all(|key| json_of(response).is_some_and(|json| has_near(json, key, 4)))
        && endpoint.expect.unsaid(&response.body).all(|says| nearly_says(response, says));
    facts.known_list(FactKey::CheckKeysMissing, subject.as_str(), lacks.clone(), [x.id()]);
    facts.known(FactKey::CheckKeysNear, subject.as_str(), near, [x.id()]);
    let local =
        exchanges.at(Vantage::Local, Purpose::Endpoint, x.path).filter(|_| x.vantage != Vantage::Local);
    if let Some((here, local)) = local.and_then(|local| Some((local.response()?, local)))
        && (json_of(here).is_some() || !endpoint.expect.says.is_empty())
    {
        let word = if lacks.is_subset(&missing(here)) { "missing" } else { "there" };
        facts.known(FactKey::CheckKeysLocal, subject, word, [x.id(), local.id()]);
    }
}

/// Words by which health answers say that all is well.
const WELL: &[&str] =
    &["ok", "okay", "up", "healthy", "pass", "passing", "alive", "good", "ready", "true", "success"];

/// Whether an answer says much the same in other letters or another word.
fn nearly_says(response: &HttpResponse, says: &Says) -> bool {
    let Some(text) = response.body.text.as_deref() else { return false };
    let fold = |text: &str| -> String {
        text.chars()
            .filter(|letter| !letter.is_whitespace() && !matches!(letter, '"' | '\'' | '`'))
            .flat_map(char::to_lowercase)
            .collect()
    };
    match says {
        Says::Text(wanted) => fold(text).contains(&fold(wanted)),
        Says::Not(_) => false,
        Says::Pattern(pattern) => {
            let bare: String = text.chars().filter(|letter| !letter.is_whitespace()).collect();
            Says::compiled(pattern, true).is_some_and(|loose| loose.is_match(text) || loose.is_match(&bare))
        }
        Says::Json(path, value) => {
            let Some(json) = json_of(response) else { return false };
            let well = |word: &str| WELL.contains(&word.to_ascii_lowercase().as_str());
            match Says::value(json, path) {
                Some(found) => fold(&found) == fold(value) || (well(&found) && well(value)),
                None => has_near(json, path.rsplit('.').next().unwrap_or(path), 4),
            }
        }
    }
}

/// The monitor that makes this very request, where the answer is not what it wants.
fn monitored(x: &Exchange<'_>, evidence: &Evidence, facts: &mut Facts) {
    let subject = x.subject();
    let monitored = x.endpoint.is_some_and(|e| e.source == EndpointSource::Monitored);
    let failing = facts.text(FactKey::EndpointOutcome, &subject).is_some_and(|word| word != "ok");
    let host = evidence.target.production.as_ref().and_then(|url| url.host_str()).unwrap_or_default();
    let (true, true, Some((project, snapshot))) = (monitored, failing, evidence.project()) else { return };
    let by = snapshot
        .monitors
        .iter()
        .find(|check| check.host == host && check.path == x.path && check.method == x.seen.request.method);
    if let Some(check) = by {
        let by = format!("{} ({})", check.tool, check.place);
        facts.known(FactKey::CheckMonitor, subject, by, [x.id(), project.id.clone()]);
    }
}

fn json_of(response: &HttpResponse) -> Option<&Json> {
    response.body.json().filter(|json| json.is_object())
}

/// Whether a key is there in another case or spelling of its words, or deeper down.
fn has_near(json: &Json, key: &str, depth: usize) -> bool {
    let fold = |text: &str| text.to_ascii_lowercase().replace(['_', '-', ' '], "");
    let wanted = fold(key);
    match json {
        Json::Object(fields) => fields
            .iter()
            .any(|(name, value)| fold(name) == wanted || (depth > 0 && has_near(value, key, depth - 1))),
        Json::Array(items) => depth > 0 && items.first().is_some_and(|item| has_near(item, key, depth - 1)),
        _ => false,
    }
}

/// How late a good answer came, against what the check allows.
fn late(x: &Exchange<'_>, facts: &mut Facts) {
    let Some(limit) = x.endpoint.and_then(|e| e.expect.within_ms) else { return };
    if facts.text(FactKey::EndpointOutcome, &x.subject()) != Some("late") {
        return;
    }
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    facts.known(FactKey::CheckTook, x.subject(), number(x.seen.timings.total_us() / 1_000), [x.id()]);
    facts.known(FactKey::CheckLimit, x.subject(), number(limit), [x.id()]);
}

/// Whether what is green is green because a cache answers, while what no cache holds fails behind it.
fn cached(vantage: Vantage, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    if vantage == Vantage::Local {
        return;
    }
    let (mut hits, mut fails, mut fresh) = (Vec::new(), Vec::new(), Vec::new());
    for x in exchanges.site(vantage) {
        let subject = x.subject();
        let hit = facts.text(FactKey::CacheState, &subject) == Some("hit");
        let word = facts.text(FactKey::EndpointOutcome, &subject);
        let gateway = x.response().is_some_and(|r| matches!(r.status, 502..=504 | 520..=530)) && !x.by_app();
        match word {
            Some("ok" | "late") if hit => hits.push(x.id()),
            Some("ok" | "late") => fresh.push(x.id()),
            _ if gateway && !hit => fails.push(x.id()),
            _ => {}
        }
    }
    if hits.is_empty() || fails.is_empty() {
        return;
    }
    let masked = fresh.is_empty();
    let ids: Vec<ObservationId> = hits.into_iter().chain(fails).chain(fresh).collect();
    facts.known(FactKey::CheckCached, vantage.to_string(), masked, ids).symptom = masked;
}

/// Health paths that answer where the declared one is not found.
fn paths(evidence: &Evidence, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    let known: BTreeMap<&str, ObservationId> = evidence
        .project()
        .map(|(observation, snapshot)| {
            let routes = snapshot.known_routes().map(|route| route.path.as_str());
            let configured = snapshot.deploy.iter().filter_map(|config| config.health_path.as_deref());
            let checks = snapshot.checks.iter().map(|check| check.path.as_str());
            routes.chain(configured).chain(checks).map(|path| (path, observation.id.clone())).collect()
        })
        .unwrap_or_default();
    for vantage in [Vantage::Origin, Vantage::Edge] {
        for x in exchanges.of(vantage, Purpose::Endpoint) {
            let subject = x.subject();
            if facts.text(FactKey::EndpointOutcome, &subject) != Some("not-found")
                || !x.endpoint.is_some_and(is_named)
                || !is_health_path(x.path)
            {
                continue;
            }
            let answering = exchanges.of(vantage, Purpose::Endpoint).filter(|y| {
                y.path != x.path
                    && is_health_path(y.path)
                    && matches!(facts.text(FactKey::EndpointOutcome, &y.subject()), Some("ok" | "late"))
            });
            let (mut others, mut ids) = (BTreeSet::new(), vec![x.id()]);
            for y in answering {
                others.insert(y.path.to_owned());
                ids.push(y.id());
            }
            facts.known_list(FactKey::CheckAnswers, subject.as_str(), others, ids);
            if known.is_empty() {
                continue;
            }
            // The code's own routes: the declared path is not among them, and another health path is.
            let in_code = known.contains_key(x.path);
            let health: BTreeSet<String> =
                known.keys().filter(|path| is_health_path(path)).map(|path| (*path).to_owned()).collect();
            let project = known.values().next().cloned();
            facts.known(
                FactKey::CheckInCode,
                subject.as_str(),
                in_code,
                project.iter().cloned().chain([x.id()]),
            );
            if !in_code {
                facts.known_list(FactKey::CheckInstead, subject, health, project);
            }
        }
    }
}

/// What this machine itself puts between the audit and its target.
fn machine(evidence: &Evidence, facts: &mut Facts) {
    let variables = evidence.settings.proxy_variables.iter().cloned();
    facts.known_list(FactKey::VantageProxy, "", variables, []);
    let (mut stale, mut fine, mut inspected) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
    for (observation, seen) in evidence.tls() {
        let Some(handshake) = seen.answer.present() else { continue };
        if let Some(leaf) = handshake.chain.first() {
            let issuer = leaf.issuer_organisation.as_deref().unwrap_or(&leaf.issuer);
            let names = [issuer, leaf.issuer.as_str()];
            let by = INSPECTORS
                .iter()
                .find(|maker| names.iter().any(|name| name.to_ascii_lowercase().contains(*maker)));
            if by.is_some() {
                inspected.insert(issuer.to_owned(), observation.id.clone());
            }
        }
        let trusted_elsewhere = handshake.trust.iter().any(|path| {
            !path.store.starts_with("system") && matches!(path.result, TrustResult::Trusted { .. })
        });
        for path in handshake.trust.iter().filter(|path| path.store.starts_with("system")) {
            match &path.result {
                TrustResult::Refused { reason, .. }
                    if trusted_elsewhere
                        && matches!(reason, TrustRefusal::UnknownIssuer | TrustRefusal::IncompleteChain) =>
                {
                    // A private authority is trusted because it was given; that the system does not know it is as it
                    // should be. The public store knows only authorities that every system should know.
                    let by_public = handshake.trust.iter().any(|other| {
                        other.store.starts_with("webpki-roots")
                            && matches!(other.result, TrustResult::Trusted { .. })
                    });
                    if by_public {
                        stale.insert(path.store.clone(), observation.id.clone());
                    }
                }
                TrustResult::Trusted { .. } => {
                    fine.insert(observation.id.clone());
                }
                TrustResult::Refused { .. } => {}
            }
        }
    }
    if !stale.is_empty() {
        facts.known_list(FactKey::VantageRootsStore, "", stale.keys().cloned(), stale.values().cloned());
        facts.known(FactKey::VantageRoots, "", "stale", stale.into_values()).symptom = true;
    } else if !fine.is_empty() {
        facts.known(FactKey::VantageRoots, "", "ok", fine);
    }
    if !inspected.is_empty() {
        facts.known_list(
            FactKey::VantageInspected,
            "",
            inspected.keys().cloned(),
            inspected.values().cloned(),
        );
    }
}

#[cfg(test)]
mod tests {
    use landfall_evidence::{
        EndpointSource, Expectation, Header, MonitorCheck, Observed, ProjectSnapshot, TrustPath,
    };

    use super::*;
    use crate::catalogue::Catalogue;
    use crate::testkit::{World, handshake, response, trusted};

    fn derive(world: &mut World) -> Facts {
        Facts::derive(&world.build(), Catalogue::embedded())
    }

    #[test]
    fn guards_are_told_by_path_and_manner() {
        let mut world = World::new("https://api.example.test");
        for path in ["/health", "/admin", "/items"] {
            world.endpoint("GET", path, EndpointSource::Declared, false, &[]);
        }
        let basic = response(401).header("www-authenticate", "Basic realm=x").build();
        world.http(Vantage::Edge, Purpose::Endpoint, "/health", basic);
        let login = response(302).redirect("https://api.example.test/login?next=/admin").build();
        world.http(Vantage::Edge, Purpose::Endpoint, "/admin", login);
        world.http(Vantage::Edge, Purpose::Endpoint, "/items", response(200).json("[]").build());
        let facts = derive(&mut world);
        assert_eq!(facts.text(FactKey::GuardPath, "edge /health"), Some("health"));
        assert_eq!(facts.text(FactKey::GuardHow, "edge /health"), Some("challenge"));
        assert_eq!(facts.text(FactKey::GuardPath, "edge /admin"), Some("other"));
        assert_eq!(facts.text(FactKey::GuardHow, "edge /admin"), Some("login"));
        assert_eq!(facts.text(FactKey::GuardOthers, "edge"), Some("open"));
        assert_eq!(facts.text(FactKey::GuardPath, "edge /items"), None);
    }

    #[test]
    fn the_methods_of_a_path_are_those_of_its_refusal() {
        let mut world = World::new("https://api.example.test");
        world.endpoint("POST", "/hook", EndpointSource::Declared, false, &[]);
        world.endpoint("POST", "/other", EndpointSource::Declared, false, &[]);
        let allow = |methods: &str| response(405).header("allow", methods).build();
        world.http(Vantage::Edge, Purpose::RouteExistence, "/hook", allow("OPTIONS, POST"));
        world.http(Vantage::Edge, Purpose::RouteExistence, "/other", allow("PUT, OPTIONS"));
        let facts = derive(&mut world);
        assert_eq!(facts.text(FactKey::RouteMethod, "edge /hook"), Some("allowed"));
        let other = facts.get(FactKey::RouteMethod, "edge /other").expect("drawn");
        assert!(other.symptom && other.text() == Some("refused"), "{other:?}");
    }

    #[test]
    fn what_a_monitor_asks_and_does_not_get_is_told_with_its_place() {
        let check = |path: &str| MonitorCheck {
            tool: "gatus".to_owned(),
            place: format!("gatus.yaml:{}", path.len()),
            host: "api.example.test".to_owned(),
            method: "GET".to_owned(),
            path: path.to_owned(),
            expect: Expectation::default(),
        };
        let mut world = World::new("https://api.example.test");
        world.project(ProjectSnapshot {
            monitors: vec![check("/up"), check("/ping")],
            ..ProjectSnapshot::default()
        });
        world.endpoint("GET", "/up", EndpointSource::Monitored, false, &[]);
        world.endpoint("GET", "/ping", EndpointSource::Monitored, false, &[]);
        world.http(Vantage::Edge, Purpose::Endpoint, "/up", response(200).json("{}").build());
        world.http(Vantage::Edge, Purpose::Endpoint, "/ping", response(404).json("{}").build());
        let facts = derive(&mut world);
        assert_eq!(facts.text(FactKey::CheckMonitor, "edge /ping"), Some("gatus (gatus.yaml:5)"));
        assert_eq!(facts.text(FactKey::CheckMonitor, "edge /up"), None, "it gets what it wants");
        // Whatever a monitor asks, it asks for the health of it.
        assert_eq!(facts.text(FactKey::CheckNotFound, "edge /ping"), Some("health"));
    }

    #[test]
    fn what_is_said_in_nearly_the_same_words() {
        let json = response(200).json(r#"{"status": "healthy", "db": {"state": "up"}}"#).build();
        let text = response(200).body("All systems OK").build();
        for (says, answer, near) in [
            (Says::Text("\"status\":\"healthy\"".into()), &json, true),
            (Says::Text("\"status\":\"down\"".into()), &json, false),
            (Says::Json("status".into(), "ok".into()), &json, true),
            (Says::Json("status".into(), "degraded".into()), &json, false),
            (Says::Json("state".into(), "up".into()), &json, true),
            (Says::Json("status".into(), "ok".into()), &text, false),
            (Says::Pattern("all systems ok".into()), &text, true),
            (Says::Pattern("failing".into()), &text, false),
            (Says::Not("OK".into()), &text, false),
        ] {
            assert_eq!(nearly_says(answer, &says), near, "{says}");
        }
    }

    #[test]
    fn keys_that_the_local_answer_lacks_too_are_the_checks_own() {
        let mut world = World::new("https://api.example.test");
        world.local("http://127.0.0.1:8000");
        world.endpoint("GET", "/health", EndpointSource::Declared, false, &["status"]);
        let answer = || response(200).json(r#"{"state":{"Status":"ok"}}"#).build();
        world.http(Vantage::Local, Purpose::Endpoint, "/health", answer());
        world.http(Vantage::Edge, Purpose::Endpoint, "/health", answer());
        let facts = derive(&mut world);
        assert_eq!(facts.text(FactKey::CheckKeysLocal, "edge /health"), Some("missing"));
        assert_eq!(
            facts.text(FactKey::CheckKeysNear, "edge /health"),
            Some("yes"),
            "it is there, deeper down"
        );
    }

    #[test]
    fn green_from_a_cache_over_a_dead_origin() {
        let mut world = World::new("https://api.example.test");
        world.endpoint("GET", "/health", EndpointSource::Declared, false, &["ok"]);
        let mut hit = response(200).json(r#"{"ok":true}"#).build();
        hit.headers.push(Header { name: "x-cache".into(), value: "HIT".into() });
        world.http(Vantage::Edge, Purpose::Endpoint, "/health", hit);
        let page = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";
        let dead =
            response(502).header("server", "nginx").header("content-type", "text/html").body(page).build();
        world.http(Vantage::Edge, Purpose::Control, "/lfz-1", dead);
        let facts = derive(&mut world);
        assert!(facts.get(FactKey::CheckCached, "edge").is_some_and(|fact| fact.symptom));
    }

    #[test]
    fn only_a_public_authority_shows_that_the_systems_store_is_old() {
        let with = |public: TrustResult, given: Option<TrustResult>| {
            let mut world = World::new("https://api.example.test");
            let mut shake = handshake(public, true, &["api.example.test"]);
            let refused = TrustResult::Refused { reason: TrustRefusal::UnknownIssuer, detail: String::new() };
            shake.trust.push(TrustPath { store: "system (3 roots)".into(), result: refused });
            shake.trust.extend(given.map(|result| TrustPath { store: "--ca-file lab.pem".into(), result }));
            world.tls("192.0.2.10:443", Observed::Present(shake));
            let facts = derive(&mut world);
            facts.text(FactKey::VantageRoots, "").map(str::to_owned)
        };
        assert_eq!(with(trusted(), None).as_deref(), Some("stale"));
        let refused = TrustResult::Refused { reason: TrustRefusal::UnknownIssuer, detail: String::new() };
        assert_eq!(with(refused, Some(trusted())), None, "a private authority that was given");
    }
}
