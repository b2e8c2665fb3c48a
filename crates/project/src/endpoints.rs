//! Which endpoints to ask when nobody has declared any.
//!
//! Few, since each costs a request from every vantage and a limiter may allow five: the health routes, the path that the
//! platform's own check asks, the root, one route of the product itself, the routes that were written last, which an
//! older build does not have, and webhooks, of which a GET tells whether they exist.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use landfall_evidence::{DeployStage, Endpoint, EndpointSource, Expectation, ProjectSnapshot, Route};
use regex::Regex;

/// Whether a path is one that checks ask for.
pub(crate) fn is_health(path: &str) -> bool {
    PATTERNS.health.is_match(path)
}

const MAX: usize = 8;
const MAX_HEALTH: usize = 4;
const MAX_WEBHOOKS: usize = 2;
const MAX_NEWEST: usize = 2;
const MAX_MONITORED: usize = 4;

/// Statuses by which a route that needs credentials or parameters shows that it is there and works.
const ALIVE: &[u16] = &[200, 201, 202, 204, 301, 302, 303, 307, 308, 400, 401, 403, 422];

/// Statuses by which the path of the platform's check says nothing against the application: the check asks the
/// application, and a proxy of one's own may well hide that path from the public or lead it elsewhere. A login or a
/// failure is the application's own.
const NOT_HEALTHS_FAULT: &[u16] = &[200, 201, 202, 204, 301, 307, 308, 403, 404, 405];

struct Patterns {
    health: Regex,
    webhook: Regex,
    unsafe_words: Regex,
    product: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let compile =
        |pattern: &str| Regex::new(pattern).expect("the patterns are constants and covered by tests");
    Patterns {
        health: compile(
            r"(?i)(?:^|[/_-])(?:health|healthz|healthcheck|livez?|liveness|readyz?|readiness|ping|status|up)/?$",
        ),
        webhook: compile(r"(?i)(?:^|[/_-])(?:webhooks?|hooks?|callback)(?:[/_-]|$)"),
        // A GET should change nothing, but not every application keeps to that.
        unsafe_words: compile(
            r"(?i)(?:^|[/_.-])(?:log-?out|sign-?out|delete|remove|destroy|reset|run|trigger|send|start|stop|restart|clear|flush|purge|sync|unsubscribe|export|download|stream|events|sse|ws|admin|internal|debug|callback|cron|jobs?|test)(?:[/_.-]|$)",
        ),
        product: compile(r"(?i)^/(?:api|v\d+|graphql|rest)(?:/|$)"),
    }
});

/// The endpoints to ask, most important first, at most eight.
pub fn endpoints(snapshot: &ProjectSnapshot) -> Vec<Endpoint> {
    let p = &*PATTERNS;
    let fixed =
        |route: &&Route| !route.path.contains(['<', '{', ':', '*', '(', '[']) && route.path.starts_with('/');
    let gets = || snapshot.known_routes().filter(fixed).filter(|r| answers(r, "GET"));
    let safe = |route: &&Route| !p.unsafe_words.is_match(&route.path);

    // The shortest health route is the application's own; longer ones are those of its parts.
    let mut health: Vec<&str> =
        gets().filter(|r| p.health.is_match(&r.path)).filter(safe).map(|r| r.path.as_str()).collect();
    health.sort_by_key(|path| (path.matches('/').count(), path.len(), *path));
    health.dedup();
    // A webhook's health route belongs to the webhook, which is what customers' money depends on; keep it among the few.
    health.sort_by_key(|path| {
        !(path.matches('/').count() == 1 || p.webhook.is_match(path) || path.contains("support"))
    });
    health.truncate(MAX_HEALTH);
    health.sort_by_key(|path| (path.matches('/').count(), path.len(), *path));

    let product = {
        let mut candidates: Vec<&Route> = gets()
            .filter(|r| {
                p.product.is_match(&r.path) && !p.health.is_match(&r.path) && !p.webhook.is_match(&r.path)
            })
            .filter(safe)
            .collect();
        // A collection that can also be written to is what the product is about.
        let written =
            |route: &Route| snapshot.known_routes().any(|r| r.path == route.path && answers(r, "POST"));
        candidates.sort_by_key(|r| (!written(r), r.path.matches('/').count(), r.path.as_str()));
        candidates.first().map(|r| r.path.as_str())
    };
    let checked = checked_path(snapshot).filter(|path| !health.contains(path) && product != Some(*path));
    let root = gets().map(|r| r.path.as_str()).find(|path| *path == "/" && checked != Some("/"));
    let newest = newest(snapshot, gets().filter(safe), product);
    let mut webhooks: Vec<&str> = snapshot
        .known_routes()
        .filter(fixed)
        .filter(|r| {
            !r.methods.is_empty() && answers(r, "POST") && !answers(r, "GET") && p.webhook.is_match(&r.path)
        })
        .map(|r| r.path.as_str())
        .collect();
    webhooks.dedup();
    webhooks.truncate(MAX_WEBHOOKS);

    let make = |method: &str, path: &str, core: bool, status: &[u16]| Endpoint {
        method: method.to_owned(),
        path: path.to_owned(),
        source: EndpointSource::Discovered,
        core,
        expect: Expectation { status: status.to_vec(), ..Expectation::default() },
    };
    let mut all: Vec<Endpoint> = health.into_iter().map(|path| make("GET", path, false, &[])).collect();
    all.extend(checked.map(|path| make("GET", path, false, NOT_HEALTHS_FAULT)));
    all.extend(product.map(|path| make("GET", path, true, ALIVE)));
    all.extend(newest.into_iter().map(|path| make("GET", path, false, ALIVE)));
    all.extend(root.map(|path| make("GET", path, false, ALIVE)));
    all.extend(webhooks.into_iter().map(|path| make("POST", path, false, &[])));
    all.truncate(MAX);
    all
}

/// Adds what the project's monitors ask of a host, at most four requests. A path is asked in one way: one that the user
/// declared as it is declared, another as the monitor asks it, unless that would put a HEAD in place of the product itself.
pub fn add_monitored(endpoints: &mut Vec<Endpoint>, snapshot: &ProjectSnapshot, host: &str) {
    let host = host.trim_end_matches('.');
    let p = &*PATTERNS;
    // A script may set something off by a GET; a check of health does not, whatever else its path says.
    let safe = |path: &str| {
        let path = path.split('?').next().unwrap_or(path);
        is_health(path) || !(p.unsafe_words.is_match(path) || p.webhook.is_match(path))
    };
    let asked = snapshot.monitors.iter().filter(|check| {
        check.host.eq_ignore_ascii_case(host)
            && matches!(check.method.as_str(), "GET" | "HEAD")
            && safe(&check.path)
    });
    let mut added = 0;
    for check in asked {
        match endpoints.iter_mut().find(|e| e.path == check.path) {
            Some(known) if matches!(known.source, EndpointSource::Declared | EndpointSource::Monitored) => {}
            Some(known) if !known.is_safe() || (known.core && check.method != known.method) => {}
            Some(known) => {
                known.method.clone_from(&check.method);
                known.source = EndpointSource::Monitored;
                known.expect = check.expect.clone();
            }
            None if added < MAX_MONITORED => {
                added += 1;
                endpoints.push(Endpoint {
                    method: check.method.clone(),
                    path: check.path.clone(),
                    source: EndpointSource::Monitored,
                    core: false,
                    expect: check.expect.clone(),
                });
            }
            None => {}
        }
    }
}

/// The path that the platform's own check asks, where the deploy files name one alone; without any, the one that the
/// containers' checks ask. Such a path may belong to a library (Spring's actuator), so that no route in the code shows it.
fn checked_path(snapshot: &ProjectSnapshot) -> Option<&str> {
    let usable = |path: &&str| path.starts_with('/') && !path.contains(['$', '{', '<', '*', ' ']);
    /// Whether there is any, and the one where there are no others.
    fn only(mut paths: BTreeSet<&str>) -> (bool, Option<&str>) {
        let first = paths.pop_first();
        (first.is_some(), first.filter(|_| paths.is_empty()))
    }
    let production = snapshot.deploy.iter().filter(|deploy| deploy.stage == DeployStage::Production);
    let of_platform = production.filter_map(|deploy| deploy.health_path.as_deref());
    let (named, path) = only(of_platform.filter(usable).collect());
    if named {
        return path;
    }
    only(snapshot.checks.iter().map(|check| check.path.as_str()).filter(usable).collect()).1
}

/// The routes that were written after the others, newest first. Where all are of one commit none is newer.
fn newest<'a>(
    snapshot: &'a ProjectSnapshot,
    candidates: impl Iterator<Item = &'a Route>,
    product: Option<&str>,
) -> Vec<&'a str> {
    let p = &*PATTERNS;
    let written = snapshot.git.as_ref().map(|git| git.routes_written.as_slice()).unwrap_or_default();
    let Some(first) = written.iter().map(|line| line.at).min() else { return Vec::new() };
    let mut dated: Vec<_> = candidates
        .filter(|route| {
            !p.health.is_match(&route.path) && !p.webhook.is_match(&route.path) && route.path != "/"
        })
        .filter_map(|route| {
            Some((written.iter().find(|line| line.place == route.place)?.at, route.path.as_str()))
        })
        .filter(|(at, path)| *at > first && Some(*path) != product)
        .collect();
    dated.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    // One path may be declared twice, for other methods or in two files.
    let mut seen = BTreeSet::new();
    dated.into_iter().map(|(_, path)| path).filter(|path| seen.insert(*path)).take(MAX_NEWEST).collect()
}

fn answers(route: &Route, method: &str) -> bool {
    route.methods.is_empty() || route.methods.iter().any(|m| m == method)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(routes: &[&str], expected: &[&str]) {
        let routes = routes
            .iter()
            .map(|text| {
                let (methods, path) = text.split_once(' ').unwrap();
                let methods = methods.split(',').filter(|m| !m.is_empty()).map(str::to_owned).collect();
                Route { methods, path: path.to_owned(), place: "a.py:1".to_owned() }
            })
            .collect();
        let snapshot = ProjectSnapshot { routes, ..ProjectSnapshot::default() };
        let found = endpoints(&snapshot);
        assert!(found.iter().all(|e| e.source == EndpointSource::Discovered));
        let shown: Vec<String> = found
            .iter()
            .map(|e| format!("{} {}{}", e.method, e.path, if e.core { " core" } else { "" }))
            .collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_was_written_last_is_asked_as_well() {
        let route = |path: &str, line: u32| Route {
            methods: vec!["GET".to_owned()],
            path: path.to_owned(),
            place: format!("a.py:{line}"),
        };
        let routes = vec![
            route("/api/a", 1),
            route("/api/b", 2),
            route("/orders", 3),
            route("/api/reset", 4),
            route("/x/<id>", 5),
            route("/api/c", 6),
        ];
        let written = |line: u32, at: i64| landfall_evidence::RouteWritten {
            place: format!("a.py:{line}"),
            commit: "0".repeat(40),
            at: jiff::Timestamp::from_second(at).expect("in range"),
        };
        let asked = |routes_written: Vec<landfall_evidence::RouteWritten>| {
            let git = Some(landfall_evidence::GitState { routes_written, ..Default::default() });
            let snapshot = ProjectSnapshot { routes: routes.clone(), git, ..ProjectSnapshot::default() };
            endpoints(&snapshot).into_iter().map(|e| e.path).collect::<Vec<_>>()
        };
        // What changes something, or needs a value, is left out however new it is.
        let dated =
            vec![written(1, 1), written(2, 5), written(3, 9), written(4, 10), written(5, 11), written(6, 2)];
        assert_eq!(asked(dated), ["/api/a", "/orders", "/api/b"]);
        assert_eq!(asked((1..=6).map(|line| written(line, 7)).collect()), ["/api/a"], "none is newer");
    }

    #[test]
    fn health_first_then_the_product_the_root_and_webhooks() {
        check(
            &[
                "GET /",
                "GET /api/billing/plans",
                "GET /api/support/health",
                "GET /api/v1/projects",
                "POST /api/v1/projects",
                "GET /api/v1/projects/<id>",
                "POST /api/webhooks/stripe/checkout-completed",
                "GET /api/webhooks/stripe/health",
                "GET /health",
                "GET /ops/jobs",
            ],
            &[
                "GET /health",
                "GET /api/support/health",
                "GET /api/webhooks/stripe/health",
                "GET /api/v1/projects core",
                "GET /",
                "POST /api/webhooks/stripe/checkout-completed",
            ],
        );
    }

    #[test]
    fn the_path_of_the_platforms_check_is_asked_where_there_is_one() {
        let snapshot = |health: &[&str], checks: &[&str]| ProjectSnapshot {
            routes: vec![Route {
                methods: vec!["GET".to_owned()],
                path: "/api/items".to_owned(),
                place: "a:1".to_owned(),
            }],
            deploy: health
                .iter()
                .map(|path| landfall_evidence::DeployConfig {
                    health_path: Some((*path).to_owned()),
                    ..crate::deploy::Deploy::new("fly.toml", "fly", DeployStage::Production).config
                })
                .collect(),
            checks: checks
                .iter()
                .map(|path| landfall_evidence::NamedCheck {
                    path: (*path).to_owned(),
                    place: "b:1".to_owned(),
                })
                .collect(),
            ..ProjectSnapshot::default()
        };
        let asked = |snapshot: &ProjectSnapshot| -> Vec<String> {
            endpoints(snapshot).into_iter().map(|e| e.path).collect()
        };
        assert_eq!(asked(&snapshot(&["/actuator/health"], &["/x"])), ["/actuator/health", "/api/items"]);
        assert_eq!(asked(&snapshot(&[], &["/actuator/health"])), ["/actuator/health", "/api/items"]);
        // Of two services nobody knows which one answers in public.
        assert_eq!(asked(&snapshot(&["/a", "/b"], &["/c"])), ["/api/items"]);
        assert_eq!(asked(&snapshot(&["$PATH"], &[])), ["/api/items"]);
        assert_eq!(asked(&snapshot(&["/api/items"], &[])), ["/api/items"], "it is asked already");
        let of_check = endpoints(&snapshot(&["/actuator/health"], &[])).remove(0);
        assert!(of_check.expect.accepts_status(404) && !of_check.expect.accepts_status(401));
    }

    #[test]
    fn what_monitors_ask_is_asked_as_they_do() {
        let check = |method: &str, host: &str, path: &str, status: u16| landfall_evidence::MonitorCheck {
            tool: "gatus".to_owned(),
            place: "gatus.yaml:1".to_owned(),
            host: host.to_owned(),
            method: method.to_owned(),
            path: path.to_owned(),
            expect: Expectation { status: vec![status], ..Expectation::default() },
        };
        let mut monitors = vec![
            check("GET", "api.example.test", "/health", 201),
            check("HEAD", "api.example.test", "/health", 202),
            check("GET", "api.example.test", "/declared", 203),
            check("HEAD", "api.example.test", "/items", 206),
            check("HEAD", "api.example.test", "/guessed", 207),
            check("GET", "other.example.test", "/far", 204),
            check("POST", "api.example.test", "/write", 205),
            check("GET", "api.example.test", "/jobs/nightly/run?force=1", 208),
            check("GET", "api.example.test", "/hooks/deploy", 208),
        ];
        monitors.extend((0..9).map(|i| check("GET", "api.example.test", &format!("/m{i}"), 200)));
        let snapshot = ProjectSnapshot { monitors, ..ProjectSnapshot::default() };
        let of = |path: &str, source| Endpoint {
            method: "GET".to_owned(),
            path: path.to_owned(),
            source,
            core: true,
            expect: Expectation::default(),
        };
        let mut endpoints = ["/health", "/items"].map(|path| of(path, EndpointSource::Discovered)).to_vec();
        endpoints.push(of("/declared", EndpointSource::Declared));
        endpoints.push(Endpoint { core: false, ..of("/guessed", EndpointSource::Guessed) });
        add_monitored(&mut endpoints, &snapshot, "API.example.test.");
        let shown: Vec<String> = endpoints
            .iter()
            .map(|e| format!("{} {} {:?} {:?} {}", e.method, e.path, e.source, e.expect.status, e.core))
            .collect();
        assert_eq!(
            shown,
            [
                "GET /health Monitored [201] true",
                "GET /items Discovered [] true",
                "GET /declared Declared [] true",
                "HEAD /guessed Monitored [207] false",
                "GET /m0 Monitored [200] false",
                "GET /m1 Monitored [200] false",
                "GET /m2 Monitored [200] false",
                "GET /m3 Monitored [200] false",
            ]
        );
    }

    #[test]
    fn what_a_get_could_change_is_not_asked() {
        check(
            &[
                "GET /api/cron/run",
                "GET /logout",
                "GET /api/items/delete",
                "GET /admin/health",
                "GET /api/debug/status",
            ],
            &[],
        );
        check(&[" /api/items", " /api/items/<int:id>"], &["GET /api/items core"]);
    }

    #[test]
    fn there_are_never_more_than_eight() {
        let many: Vec<String> = (0..50)
            .flat_map(|i| {
                [format!("GET /p{i}/health"), format!("POST /webhooks/{i}"), format!("GET /api/x{i}")]
            })
            .collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let routes = many.iter().map(|t| t.split_once(' ').unwrap()).map(|(m, p)| Route {
            methods: vec![m.into()],
            path: p.into(),
            place: String::new(),
        });
        let found = endpoints(&ProjectSnapshot { routes: routes.collect(), ..ProjectSnapshot::default() });
        assert_eq!(found.len(), 7);
    }
}
