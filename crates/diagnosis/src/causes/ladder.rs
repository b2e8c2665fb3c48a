//! The state of each rung, as far as it was seen.

use std::collections::BTreeMap;

use crate::RungState;
use crate::catalogue::Rung;
use crate::facts::{FactKey, Facts, Value};

/// The state of every rung. A rung behind the first broken one is unknown unless an answer from behind it was seen.
pub(crate) fn ladder(facts: &Facts) -> BTreeMap<Rung, RungState> {
    Rung::ALL.into_iter().map(|rung| (rung, state(rung, facts))).collect()
}

/// The first rung on the way of a request that was seen broken. A limit and the project's tests
/// stand on no place of their own on that way; they are named where nothing on the way is broken.
pub(crate) fn first_broken(rungs: &BTreeMap<Rung, RungState>) -> Option<Rung> {
    Rung::ALL
        .into_iter()
        .filter(|rung| rung.on_path())
        .chain([Rung::RateLimit, Rung::Project])
        .find(|rung| rungs.get(rung) == Some(&RungState::Broken))
}

fn state(rung: Rung, facts: &Facts) -> RungState {
    use FactKey::*;
    let reaches_app = facts.is(SiteReachesApp, "edge", "yes") == Some(true);
    let site = facts.text(SiteKind, "edge");
    let answered = site.is_some_and(|kind| kind != "no-answer");
    let word = |key, subject: &str| facts.text(key, subject);
    match rung {
        Rung::Monitor => match word(VantageReach, "") {
            Some("yes") => RungState::Ok,
            Some(_) => RungState::Broken,
            None => RungState::Unknown,
        },
        Rung::Registrar => match word(DnsZone, "") {
            _ if matches!(word(RdapState, ""), Some("expired" | "lapsed" | "hold")) => RungState::Broken,
            _ if word(SiteParked, "edge") == Some("yes") => RungState::Broken,
            _ if is_misspelt(facts) => RungState::Broken,
            // The registration is as good as the zone that waits for its delegation.
            Some("absent") if waits_elsewhere(facts) => RungState::Unknown,
            Some("exists") => RungState::Ok,
            Some(_) => RungState::Broken,
            None => ok_if(answered),
        },
        Rung::Delegation => match word(DnsAuthoritative, "") {
            _ if waits_elsewhere(facts)
                || facts.of(DnsLame).any(|fact| fact.symptom)
                || facts.of(DnsServersAgree).any(|fact| fact.symptom)
                || facts.of(DnsSecurity).any(|fact| fact.symptom) =>
            {
                RungState::Broken
            }
            Some("ok" | "nodata" | "nxdomain" | "dangling" | "loop") => RungState::Ok,
            Some("refused" | "not-authoritative" | "silent" | "servfail") => RungState::Broken,
            _ if word(DnsRecursive, "") == Some("servfail") => RungState::Broken,
            _ => ok_if(
                matches!(word(DnsRecursive, ""), Some("ok" | "nodata" | "nxdomain" | "dangling" | "loop"))
                    || answered,
            ),
        },
        Rung::Zone => match (word(DnsAuthoritative, ""), word(DnsRecursive, "")) {
            (Some("nxdomain" | "nodata" | "dangling" | "loop"), _) | (_, Some("dangling" | "loop")) => {
                RungState::Broken
            }
            (None, Some("nxdomain" | "nodata")) => RungState::Broken,
            (Some("ok" | "mixed"), _) | (_, Some("ok")) => match zone_misleads(facts) {
                true => RungState::Broken,
                false => RungState::Ok,
            },
            _ => ok_if(answered),
        },
        Rung::Resolver => match word(DnsAgrees, "") {
            _ if facts.of(DnsHostsFile).any(|fact| fact.symptom) => RungState::Broken,
            // Two views of the zone that lead to one application hinder nobody.
            _ if answered
                && facts.of(DnsSplit).any(|fact| fact.known().is_some() && !fact.symptom)
                && !facts.of(DnsDifference).any(|fact| fact.symptom) =>
            {
                RungState::Ok
            }
            // Another address than the zone's own servers give may be no more than the one that is nearer to that resolver: where
            // nothing at all fails, it is.
            _ if facts.of(DnsDifference).any(|f| {
                matches!(f.text(), Some("sinkhole" | "absent" | "empty" | "more"))
                    || f.text() == Some("other-address") && facts.symptoms().next().is_some()
            }) =>
            {
                RungState::Broken
            }
            Some("yes") => RungState::Ok,
            Some(_) => RungState::Broken,
            // It gives no answer for any name, so a request gets no further than to it.
            None if matches!(word(DnsRecursive, ""), Some("silent" | "refused"))
                && word(VantageReach, "") == Some("no") =>
            {
                RungState::Broken
            }
            None => ok_if(answered || word(DnsSystem, "") == Some("ok")),
        },
        Rung::Route if large_packets_vanish(facts) => RungState::Broken,
        // Half of the clients have no way to the host at all.
        Rung::Route if facts.of(NetFamilyMissing).any(|fact| fact.symptom) => RungState::Broken,
        Rung::Route => match word(TcpState, "edge") {
            Some("unreachable") => RungState::Broken,
            Some("silent") | None => ok_if(answered),
            Some(_) => RungState::Ok,
        },
        Rung::Tcp if facts.of(TcpFlaps).any(|fact| fact.symptom) => RungState::Broken,
        Rung::Tcp => match word(TcpState, "edge") {
            Some("ok") => RungState::Ok,
            Some("unreachable") => RungState::Unknown,
            Some(_) => RungState::Broken,
            None => ok_if(answered),
        },
        // The handshake is finished, and still it is for want of a client certificate that nobody is served.
        Rung::Tls if needs_client_certificate(facts) => RungState::Broken,
        Rung::Tls => {
            let refused = facts.at(TlsOutcome, Some("edge")).chain(facts.at(TlsVerify, Some("edge")));
            let words: Vec<&str> = refused.filter_map(|fact| fact.text()).collect();
            // A platform that has nothing under the name shows its own certificate: that is no trouble of the certificate,
            // which comes with the name.
            let platforms_own = site == Some("nothing-here")
                && facts.of(TlsNamesKin).any(|fact| fact.text() == Some("platform"))
                && words.iter().all(|word| matches!(*word, "ok" | "name"));
            match (words.is_empty(), words.iter().all(|word| *word == "ok")) {
                (true, _) => RungState::Unknown,
                (false, false) if platforms_own => RungState::Unknown,
                (false, true) => RungState::Ok,
                (false, false) => RungState::Broken,
            }
        }
        Rung::Edge => match site {
            _ if origin_refuses_the_edge(facts) => RungState::Ok,
            _ if edge_is_at_fault(facts) => RungState::Broken,
            Some("blocked" | "challenged" | "redirect-loop") => RungState::Broken,
            // Redirects that come back never get past the first hop that sends them.
            Some(_) if facts.at(RedirectEnd, Some("edge")).any(|fact| fact.text() == Some("loop")) => {
                RungState::Broken
            }
            Some("no-answer") | None => RungState::Unknown,
            Some(_) if facts.at(CacheState, Some("edge")).any(|fact| fact.text() == Some("hit")) => {
                RungState::Masked
            }
            Some(_) => RungState::Ok,
        },
        Rung::EdgeOrigin if refused_by_limit(facts) => RungState::Ok,
        Rung::EdgeOrigin => match (site, word(SiteMeaning, "edge")) {
            // The platform's own word for a stopped application: it was reached and asked.
            (Some("suspended" | "starting"), _) => RungState::Ok,
            _ if stopped_on_purpose(facts) => RungState::Ok,
            _ if says_of_the_way(facts) || origin_refuses_the_edge(facts) => RungState::Broken,
            // A cache hides it: what it does not hold fails on the way to the origin.
            _ if word(CheckCached, "edge") == Some("yes") => RungState::Broken,
            (Some("gateway-error"), Some(meaning))
                if meaning.starts_with("origin-") || meaning == "no-healthy-upstream" =>
            {
                RungState::Broken
            }
            // Single routes fail on the way although others come through.
            _ if facts.at(EndpointOutcome, Some("edge")).any(|fact| {
                fact.symptom
                    && fact.text() == Some("gateway-error")
                    && !unavailable_in_json(facts, &fact.subject)
                    && !speaks_of_itself(facts, &fact.subject)
            }) =>
            {
                RungState::Broken
            }
            // The platform says in its own form that the function did not answer within its limit.
            _ if listed(facts, LogSays, "function-limit")
                && facts.at(EndpointOutcome, Some("edge")).any(|fact| {
                    let writer = facts.text(HttpWriter, &fact.subject);
                    fact.symptom && fact.text() == Some("app-error") && writer == Some("platform")
                }) =>
            {
                RungState::Broken
            }
            (Some("application" | "app-error" | "nothing-here"), _) => RungState::Ok,
            _ => RungState::Unknown,
        },
        // A development server's own page stands for the program, whatever page that is.
        Rung::Platform if facts.at(SiteDevServer, Some("edge")).any(|fact| fact.known().is_some()) => {
            RungState::Ok
        }
        Rung::Platform if name_refused_by_program(facts) => RungState::Ok,
        // It slept, and who woke it waited too long.
        Rung::Platform
            if facts.text(SiteWake, "edge") == Some("slow-first")
                && facts
                    .at(EndpointOutcome, Some("edge"))
                    .any(|fact| fact.symptom && fact.text() == Some("late")) =>
        {
            RungState::Broken
        }
        Rung::Platform => match site {
            Some("nothing-here" | "suspended" | "starting" | "other-site" | "default-page") => {
                RungState::Broken
            }
            _ if stopped_on_purpose(facts) => RungState::Broken,
            // Nothing, for every path: what stands there is no application.
            _ if facts.is(SiteEmpty, "edge", "yes") == Some(true)
                && facts
                    .at(EndpointOutcome, Some("edge"))
                    .any(|fact| fact.symptom && fact.text() == Some("empty")) =>
            {
                RungState::Broken
            }
            // Everything is served, by the wrong build, for the wrong environment, or behind the platform's own login.
            _ if misdeployed(facts) => RungState::Broken,
            _ if !reaches_app && lacks_a_file(facts) => RungState::Broken,
            _ if facts
                .at(EndpointOutcome, Some("edge"))
                .any(|fact| fact.symptom && speaks_of_itself(facts, &fact.subject)) =>
            {
                RungState::Broken
            }
            _ => ok_if(reaches_app),
        },
        Rung::Process => match (site, word(SiteMeaning, "edge")) {
            _ if stopped_on_purpose(facts) => RungState::Unknown,
            (Some("gateway-error"), Some("app-crashed")) => RungState::Broken,
            // A connection that ends without a status line while other routes are served: its worker ended.
            (Some("application"), _)
                if facts.at(HttpOutcome, Some("edge")).any(|fact| {
                    matches!(fact.text(), Some("closed" | "reset" | "malformed"))
                        && !passes_again(facts, &fact.subject)
                }) =>
            {
                RungState::Broken
            }
            _ if breaks_off(facts) => RungState::Broken,
            _ => ok_if(reaches_app),
        },
        // Its 500s may come in a form that shows no framework; the site's kind has weighed that.
        Rung::App if site == Some("app-error") => RungState::Broken,
        // The development server refuses the name that it was asked for.
        Rung::App
            if word(SiteMeaning, "edge") == Some("host-rejected")
                && facts.at(SiteDevServer, Some("edge")).any(|fact| fact.known().is_some()) =>
        {
            RungState::Broken
        }
        Rung::App if name_refused_by_program(facts) => RungState::Broken,
        Rung::App => app_state(facts, reaches_app),
        // The log says that clients share one counter; that this audit was not refused proves nothing against it.
        Rung::RateLimit if facts.of(LogHarms).any(|fact| fact.text() == Some("clients-as-one")) => {
            RungState::Broken
        }
        Rung::RateLimit if refused_by_limit(facts) => RungState::Broken,
        Rung::RateLimit => match word(LimitTight, "") {
            Some("no") => RungState::Ok,
            Some(_) => RungState::Broken,
            None => RungState::Unknown,
        },
        Rung::Project => match word(TestsOutcome, "") {
            Some("passed") | None
                if facts.of(ProjectDrift).chain(facts.of(ProjectDefect)).any(|fact| fact.symptom) =>
            {
                RungState::Broken
            }
            Some("passed") => RungState::Ok,
            Some(_) => RungState::Broken,
            None => RungState::Unknown,
        },
        Rung::Dependency | Rung::Host => RungState::Unknown,
    }
}

/// Whether the edge itself is where a request goes wrong: by its own word, by its cache, by a login of its own, or by not
/// being there.
fn edge_is_at_fault(facts: &Facts) -> bool {
    let by_word = [
        "code-failed",
        "points-at-itself",
        "cross-account",
        "rule-blocked",
        "address-banned",
        "challenge",
        "too-large",
        "grew",
    ];
    let endpoint_fails = facts.at(FactKey::EndpointOutcome, Some("edge")).any(|fact| fact.symptom);
    let says = facts
        .at(FactKey::EdgeSays, Some("edge"))
        .any(|fact| endpoint_fails && fact.text().is_some_and(|word| by_word.contains(&word)));
    let cache = [FactKey::CacheStale, FactKey::CachePrivate]
        .into_iter()
        .any(|key| facts.at(key, Some("edge")).any(|fact| fact.symptom));
    let kept_error =
        endpoint_fails && facts.at(FactKey::CacheError, Some("edge")).any(|fact| fact.text() == Some("yes"));
    let wall = endpoint_fails && facts.get(FactKey::RedirectWall, "edge").is_some();
    let kept_old = facts.at(FactKey::CacheState, Some("edge")).any(|state| {
        let fails =
            facts.get(FactKey::EndpointOutcome, &state.subject).is_some_and(|outcome| outcome.symptom);
        state.text() == Some("hit") && fails && fresh_is_better(facts, &state.subject)
    });
    let fails_behind = matches!(facts.text(FactKey::SiteKind, "edge"), Some("gateway-error" | "no-answer"));
    let to_itself = fails_behind
        && (listed(facts, FactKey::LogSays, "proxy-loop")
            || listed(facts, FactKey::ProjectSigns, "proxy-to-itself"));
    // Some paths go through as at the origin, and others only there: a rule at the edge parts them, unless it is another
    // build that answers.
    let parted = endpoint_fails
        && facts.is(FactKey::PairMixed, "", "yes") == Some(true)
        && facts.is(FactKey::PairBuild, "", "differs") != Some(true)
        && !leads_to_another_app(facts)
        && facts.at(FactKey::EndpointOutcome, Some("edge")).any(|fact| {
            fact.symptom && matches!(fact.text(), Some("html-for-json" | "not-found" | "redirect"))
        });
    let upgrade = facts.at(FactKey::EndpointUpgrade, Some("edge")).any(|fact| fact.symptom)
        && facts.at(FactKey::EndpointUpgrade, None).any(|fact| fact.text() == Some("upgraded"));
    let refused = facts.at(FactKey::EndpointOutcome, Some("edge")).any(|fact| {
        let writer = facts.text(FactKey::HttpWriter, &fact.subject);
        fact.symptom
            && fact.text() == Some("forbidden")
            && matches!(writer, Some("edge" | "balancer" | "server"))
    });
    // Nobody's form, the same bytes on every path, the random one too, and the application serves this machine elsewhere.
    let bare = facts.text(FactKey::SiteKind, "edge") == Some("forbidden")
        && facts.is(FactKey::SiteUniform, "edge", "yes") == Some(true)
        && facts.text(FactKey::SiteWriter, "edge").is_none()
        && facts.text(FactKey::SiteKind, "origin") == Some("application");
    let refused =
        (refused || bare) && !listed(facts, FactKey::LogSays, "proxy-denied") && !refuses_the_hop(facts);
    let too_large = facts.of(FactKey::LogRefuses).any(|fact| fact.symptom);
    // Nobody signed the refusal of this one request, the origin serves it, and the application answers the others.
    let barred = facts.text(FactKey::SiteKind, "edge") == Some("application")
        && !listed(facts, FactKey::LogSays, "proxy-denied")
        && facts.at(FactKey::EndpointOutcome, Some("edge")).any(|fact| {
            fact.symptom
                && fact.text() == Some("forbidden")
                && facts.text(FactKey::HttpWriter, &fact.subject).is_none()
                && origin_is_better(facts, &fact.subject)
        });
    // Something that opens TLS on this machine's way stands where users see the edge, and answers in its place.
    let inspected = facts.of(FactKey::VantageInspected).any(|fact| fact.known().is_some())
        && facts.at(FactKey::EndpointOutcome, Some("edge")).any(|fact| {
            let words = ["forbidden", "blocked", "unexpected-status", "html-for-json"];
            fact.symptom && fact.text().is_some_and(|word| words.contains(&word))
        });
    // One rule leads every path to another host, and the origin serves them.
    let sent_away = facts.is(FactKey::SiteUniform, "edge", "yes") == Some(true)
        && !bears_no_edge(facts)
        && facts.at(FactKey::EndpointOutcome, Some("edge")).any(|fact| {
            fact.symptom
                && fact.text() == Some("redirect")
                && facts.text(FactKey::RedirectKind, &fact.subject) == Some("host")
                && origin_is_better(facts, &fact.subject)
        });
    // The redirect after which clients go on with GET bears the form of a hop, not of the application; or it leads to the host's
    // other name or scheme, which a hop decides for all paths at once, and nothing shows the application to have written it.
    let of_a_hop = |subject: &str| match facts.text(FactKey::HttpWriter, subject) {
        Some("edge" | "balancer" | "server") => true,
        Some(_) => false,
        None => matches!(facts.text(FactKey::RedirectKind, subject), Some("host" | "upgrade")),
    };
    let turned =
        facts.at(FactKey::RouteRedirect, Some("edge")).any(|fact| fact.symptom && of_a_hop(&fact.subject))
            || listed(facts, FactKey::LogSays, "answers-405")
                && facts
                    .at(FactKey::EndpointOutcome, Some("edge"))
                    .any(|fact| fact.symptom && fact.text() == Some("redirect") && of_a_hop(&fact.subject));
    says || refused
        || turned
        || barred
        || inspected
        || sent_away
        || too_large
        || cache
        || kept_error
        || kept_old
        || to_itself
        || wall
        || parted
        || upgrade
        || posts_turn_into_gets(facts)
        || facts.is(FactKey::EdgeInPath, "", "no") == Some(true)
}

/// Whether what is posted over plain HTTP is sent to https by a redirect after which clients go on with GET: the project gives such an
/// address, a route that takes no GET refuses it, and the log has the GETs that came of it.
fn posts_turn_into_gets(facts: &Facts) -> bool {
    let takes_no_get = |subject: &str| {
        facts.get(FactKey::RouteAllow, subject).and_then(|allow| allow.known()).is_some_and(
            |methods| !matches!(methods, Value::List(methods) if methods.iter().any(|method| method == "GET")),
        )
    };
    matches!(facts.number(FactKey::DoorPlainStatus, "edge"), Some(301..=303))
        && facts.of(FactKey::HostPlain).any(|fact| fact.known().is_some())
        && listed(facts, FactKey::LogSays, "get-where-post")
        && facts
            .at(FactKey::EndpointOutcome, Some("edge"))
            .any(|fact| fact.symptom && fact.text() == Some("method-refused") && takes_no_get(&fact.subject))
}

/// Platforms whose records name an app by its own name. Others give targets that tell nothing of the app
/// (`cname.vercel-dns.com`, `….herokudns.com`, a target of its own for each domain at Railway).
const OWN_NAMES: &[&str] = &["render", "fly-io", "replit", "google-cloud-run", "azure-app-service"];

/// Whether the record names another app of a platform than the one that is meant, and no edge stands before it: what answers
/// there is that app.
fn leads_to_another_app(facts: &Facts) -> bool {
    let other = facts.is(FactKey::DnsCnameIsOrigin, "", "yes") == Some(false) && bears_no_edge(facts);
    let owner = facts.text(FactKey::DnsCnameOwner, "");
    // Somebody's own alias, a load balancer's for instance, that neither shares an address with the origin nor answers as it.
    let nobodys = facts.of(FactKey::DnsCname).any(|fact| {
        fact.known().is_some_and(|names| {
            let names = names.to_string();
            let balancer = owner == Some("aws") && names.contains(".elb.amazonaws.com");
            names != "none" && (owner.is_none() || balancer)
        })
    }) && facts.is(FactKey::DnsAsOrigin, "", "no") == Some(true)
        && facts.text(FactKey::SiteKind, "origin") == Some("application")
        && facts.is(FactKey::PairMixed, "", "yes") != Some(true)
        && facts.text(FactKey::SiteNotFoundShape, "edge") == Some("differs");
    other && (owner.is_some_and(|owner| OWN_NAMES.contains(&owner)) || nobodys)
}

/// Whether a web server's plain 403 stands for every path and whoever asks, while the origin serves this machine: it is the
/// hop before it that the origin refuses.
fn refuses_the_hop(facts: &Facts) -> bool {
    let by_server = facts.text(FactKey::SiteWriter, "edge") == Some("server");
    let origin_serves = facts.text(FactKey::SiteKind, "origin") == Some("application");
    let browser = facts.at(FactKey::TrialAsPlain, Some("browser edge")).next();
    let nobody_passes = facts.text(FactKey::SiteKind, "edge") == Some("forbidden")
        && browser.is_some_and(|fact| fact.text() == Some("same"));
    by_server && origin_serves && nobody_passes
}

/// Whether the origin serves what the edge does not under this subject.
fn origin_is_better(facts: &Facts, subject: &str) -> bool {
    let path = subject.strip_prefix("edge ").unwrap_or(subject);
    facts.text(FactKey::PairPath, path) == Some("origin-better")
}

/// Whether the name has its addresses itself, as far as is known, and is no alias.
fn is_no_alias(facts: &Facts) -> bool {
    facts.of(FactKey::DnsCname).all(|fact| fact.known().is_none_or(|names| names.to_string() == "none"))
}

/// Whether the answers of the public name carry no mark of an edge.
fn bears_no_edge(facts: &Facts) -> bool {
    facts.get(FactKey::EdgeVendors, "edge").is_none_or(|fact| fact.known().is_none())
}

/// Whether the addresses of the public name are none of those that the platform's own name has.
fn is_another_network(facts: &Facts) -> bool {
    matches!(facts.text(FactKey::NetOrigin, ""), Some("another-provider" | "another-range"))
}

/// Whether what the cache gave for this endpoint is not what is there now: the origin serves the path, or a query that no
/// cache has seen gets another answer.
fn fresh_is_better(facts: &Facts, subject: &str) -> bool {
    origin_is_better(facts, subject)
        || matches!(facts.text(FactKey::CacheBust, subject), Some("other-build" | "other-answer"))
        || facts.text(FactKey::TrialAsPlain, &format!("bust {subject}")) == Some("better")
}

/// Whether a list holds this word: what a log says, the signs of the project.
fn listed(facts: &Facts, key: FactKey, word: &str) -> bool {
    facts.of(key).any(|fact| match fact.known() {
        Some(Value::List(words)) => words.iter().any(|w| w == word),
        _ => false,
    })
}

/// Whether the program behind refuses the name on every path, in the words of a list of its own: it was reached.
fn name_refused_by_program(facts: &Facts) -> bool {
    facts.text(FactKey::SiteKind, "edge") == Some("nothing-here")
        && facts.text(FactKey::SiteHosted, "edge") == Some("no")
        && matches!(facts.text(FactKey::SiteMeaning, "edge"), Some("host-rejected" | "unknown-host"))
        && facts.at(FactKey::EndpointOutcome, Some("edge")).any(|fact| {
            fact.symptom && fact.text() == Some("host-refused") && !is_bare_421(facts, &fact.subject)
        })
}

/// Whether the proxy's log says that it limits, and what fails now and then is a proxy's 503 or 429: nothing behind it was asked.
fn refused_by_limit(facts: &Facts) -> bool {
    let mut failing = facts
        .at(FactKey::EndpointOutcome, Some("edge"))
        .filter(|fact| fact.symptom && fact.text() == Some("gateway-error"))
        .peekable();
    listed(facts, FactKey::LogSays, "proxy-limits")
        && facts.text(FactKey::SiteRepeat, "edge") == Some("alternating")
        && failing.peek().is_some()
        && failing.all(|fact| {
            matches!(facts.number(FactKey::HttpStatus, &fact.subject), Some(503 | 429))
                && matches!(
                    facts.text(FactKey::HttpWriter, &fact.subject),
                    Some("server" | "edge" | "balancer")
                )
        })
}

/// Whether a hop says that the way to the server behind it is broken, for an endpoint that fails.
fn says_of_the_way(facts: &Facts) -> bool {
    let words = [
        "origin-refused",
        "no-backend",
        "origin-unreachable",
        "bad-gateway",
        "connect-timeout",
        "read-timeout",
        "origin-timeout",
        "bad-response",
        "tls",
        "tls-handshake",
        "tls-certificate",
        "dns",
        "tunnel-down",
    ];
    // The name takes a connection and stays silent, and the origin does not even take one.
    let nobody_behind = facts.text(FactKey::SiteKind, "edge") == Some("no-answer")
        && facts.text(FactKey::TcpState, "edge") == Some("ok")
        && matches!(facts.text(FactKey::TcpState, "origin"), Some("silent" | "refused"));
    let by_app_process = facts.text(FactKey::SiteMeaning, "edge") == Some("app-crashed");
    // The origin knows the public name when it is asked for it, and what comes through the edge is not its answer.
    let other_host = matches!(
        facts.text(FactKey::SiteKind, "edge"),
        Some("nothing-here" | "other-site" | "default-page" | "unclear")
    ) && facts.at(FactKey::TrialAsPlain, Some("public-host origin")).any(|fact| {
        let serves = facts.text(FactKey::SiteKind, "origin") == Some("application");
        fact.text() == Some("better") || (serves && fact.text() == Some("same"))
    });
    let denied = listed(facts, FactKey::LogSays, "proxy-denied")
        && facts.at(FactKey::EndpointOutcome, Some("edge")).any(|fact| fact.text() == Some("forbidden"));
    // A proxy of one's own on another machine, and a platform behind it that does not know the name.
    let own_proxy = ["caddy", "nginx", "haproxy", "apache", "traefik", "varnish"];
    let unknown_behind = facts.text(FactKey::SiteWriter, "edge") == Some("platform")
        && matches!(facts.text(FactKey::SiteMeaning, "edge"), Some("no-deployment" | "unknown-host"))
        && facts.is(FactKey::DnsAsOrigin, "", "no") == Some(true)
        && is_no_alias(facts)
        && is_another_network(facts)
        && facts.text(FactKey::SiteKind, "origin") == Some("application")
        && facts.at(FactKey::HttpMarkers, Some("edge")).any(|fact| match fact.known() {
            Some(Value::List(marks)) => marks.iter().any(|m| own_proxy.contains(&m.as_str())),
            _ => false,
        });
    // "Misdirected" without a framework's own words: a server behind that has no site of the name it was asked for (RFC 9110,
    // section 15.5.20).
    let misdirected = facts
        .at(FactKey::EndpointOutcome, Some("edge"))
        .any(|fact| fact.symptom && fact.text() == Some("host-refused") && is_bare_421(facts, &fact.subject));
    nobody_behind
        || other_host
        || misdirected
        || unknown_behind
        || denied
        || refuses_the_hop(facts)
        || !by_app_process
            && facts.at(FactKey::EdgeSays, Some("edge")).any(|fact| {
                facts.get(FactKey::EndpointOutcome, &fact.subject).is_some_and(|outcome| outcome.symptom)
                    && fact.text().is_some_and(|word| words.contains(&word))
                    && !speaks_of_itself(facts, &fact.subject)
                    && !unavailable_in_json(facts, &fact.subject)
            })
}

/// Whether a copy of the zone has what the zone that the world is sent to lacks, or has otherwise.
fn waits_elsewhere(facts: &Facts) -> bool {
    // The delegation leads where somebody meant it to, to a zone that was never filled: its records are what is missing.
    let meant = matches!(facts.text(FactKey::DnsElsewherePlace, ""), Some("infrastructure" | "document"));
    let empty = facts.is(FactKey::DnsBare, "", "yes") == Some(true)
        && matches!(facts.text(FactKey::DnsAuthoritative, ""), Some("nxdomain" | "nodata"));
    // A zone that was just made, or is edited since nobody edits the copy any more, stands where it was moved to, and what
    // it lacks is its own.
    let moved = [FactKey::DnsYoung, FactKey::DnsCopyOlder]
        .into_iter()
        .any(|key| facts.is(key, "", "yes") == Some(true));
    if (empty && !meant) || moved {
        return false;
    }
    matches!(facts.text(FactKey::DnsCopy, ""), Some("better" | "differs"))
}

/// Whether an address is spoilt by an incomplete chain alone: a machine with the right key and name is one of ours.
fn lacks_a_link(facts: &Facts) -> bool {
    facts.at(FactKey::TlsVerify, Some("edge")).any(|fact| fact.text() == Some("chain"))
}

/// Whether what the zone gives leads astray: one family or one of several addresses, an address that nobody can reach, a
/// wildcard in the place of a record, or an address that is none of the platform's, where nothing good answers.
fn zone_misleads(facts: &Facts) -> bool {
    use FactKey::*;
    let site = facts.text(SiteKind, "edge");
    let bad = matches!(site, Some("no-answer" | "nothing-here" | "other-site" | "default-page"))
        || facts.at(TcpState, Some("edge")).any(|fact| fact.symptom);
    let class = facts.text(DnsClass, "authoritative").or_else(|| facts.text(DnsClass, "recursive"));
    // Resolvers that give an inner and an outer address have two views of the name: that is not the record's fault.
    let two_views = facts.is(DnsResolversAgree, "", "yes") == Some(false)
        && facts.text(DnsClass, "recursive") == Some("several");
    let private = !two_views && matches!(class, Some("private" | "loopback" | "link-local" | "unspecified"));
    let origin_serves = facts.text(SiteKind, "origin") == Some("application");
    // Where something else answers, it may as well be a hop of one's own; where nothing does and the application is at
    // home with another provider, the record is what was left behind.
    let old = is_another_network(facts) && site == Some("no-answer") && origin_serves;
    // Where the deployment's own log says that nothing runs, a platform's wildcard leads to the right place.
    let is_down = facts.of(LogState).any(|fact| matches!(fact.text(), Some("down" | "crash-loop")));
    let wildcard = facts.text(DnsWildcard, "") == Some("same") && !is_down;
    // The record names another app, and what fails there is served by the one that is meant.
    let elsewhere =
        leads_to_another_app(facts) && facts.of(PairPath).any(|fact| fact.text() == Some("origin-better"));
    // No alias and no edge of anybody's: the record itself leads to a machine with another site, and the origin, which serves
    // the application, does not know the public name either way.
    let another_build =
        site == Some("application") && facts.text(PairState, "") == Some("differs") && is_older(facts);
    let another_machine = (matches!(site, Some("nothing-here" | "other-site" | "default-page"))
        || another_build)
        && origin_serves
        && facts.is(DnsAsOrigin, "", "no") == Some(true)
        && is_no_alias(facts)
        && matches!(facts.text(DnsOwnerRole, ""), None | Some("cloud"))
        && bears_no_edge(facts)
        && facts.text(SiteHosted, "edge") == Some("no")
        && facts.is(PairMixed, "", "yes") != Some(true)
        && is_another_network(facts)
        && !facts
            .at(TrialAsPlain, Some("public-host origin"))
            .any(|trial| matches!(trial.text(), Some("same" | "better")));
    elsewhere
        || another_machine
        || facts.of(FamilyState).any(|fact| fact.symptom)
        || (facts.of(AddressStates).any(|fact| fact.symptom) && !lacks_a_link(facts))
        || (bad && (private || old || wildcard))
}

/// Whether the build that is served is seen to be an older one, or another than the origin's.
fn is_older(facts: &Facts) -> bool {
    facts.is(FactKey::PairBuild, "", "differs") == Some(true)
        || matches!(facts.text(FactKey::BuildAsLocal, "edge"), Some("older" | "differs"))
        || matches!(facts.text(FactKey::BuildServedIs, "edge"), Some("ancestor" | "not-in-history"))
}

/// Whether what is deployed under the public name is seen not to be what was built.
fn misdeployed(facts: &Facts) -> bool {
    let keys =
        [FactKey::BuildServedIs, FactKey::BuildAsLocal, FactKey::BuildMixed, FactKey::BuildEnvironmentIs];
    // A path that this program has is there for one request and not for the next: two builds answer in turn.
    let in_turn = facts.is(FactKey::SiteRepeat, "edge", "alternating") == Some(true)
        && facts.at(FactKey::RouteLocalOnly, Some("edge")).any(|fact| fact.text() == Some("yes"));
    // A listing of a folder in the place of the pages: what was put there is not what the build writes.
    let listing = facts.at(FactKey::PageListing, Some("edge")).next().is_some()
        && facts.at(FactKey::EndpointOutcome, Some("edge")).any(|fact| fact.symptom);
    // What the platform reads of the project keeps it from deploying, so what lacks a path is an older build.
    let stuck = ["deploy-config-invalid", "deploy-config-misplaced"]
        .iter()
        .any(|word| listed(facts, FactKey::ProjectSigns, word))
        && facts.is(FactKey::GitClean, "", "yes") == Some(true)
        && facts
            .at(FactKey::EndpointOutcome, Some("edge"))
            .any(|fact| fact.symptom && fact.text() == Some("not-found"))
        && facts.at(FactKey::EndpointOutcome, Some("edge")).any(|fact| fact.text() == Some("ok"));
    in_turn
        || stuck
        || listing
        || keys.into_iter().any(|key| facts.at(key, Some("edge")).any(|fact| fact.symptom))
        || facts.at(FactKey::WallPlatform, Some("edge")).any(|fact| fact.known().is_some())
}

/// Whether a host of static files says by its own page that it has no file for a path that is meant to be served.
fn lacks_a_file(facts: &Facts) -> bool {
    let pages = [
        "github-pages-file-not-found",
        "netlify-page-not-found",
        "s3-no-such-key",
        "azure-static-web-apps-404",
    ];
    facts.at(FactKey::EndpointOutcome, Some("edge")).any(|fact| {
        fact.symptom
            && facts
                .get(FactKey::HttpSignature, &fact.subject)
                .and_then(|fact| fact.text())
                .is_some_and(|id| pages.contains(&id))
    })
}

/// Whether an application that answers elsewhere wrote this 503 itself: the body is JSON, and the hops that are known before
/// it write pages.
fn unavailable_in_json(facts: &Facts, subject: &str) -> bool {
    matches!(facts.text(FactKey::SiteKind, "edge"), Some("application" | "app-error"))
        && matches!(
            facts.text(FactKey::EdgeSays, subject),
            None | Some("unavailable" | "bad-gateway" | "gateway-timeout" | "origin-timeout")
        )
        && facts.text(FactKey::HttpBody, subject) == Some("json")
        && !matches!(facts.text(FactKey::HttpWriter, subject), Some("edge" | "platform" | "balancer"))
}

/// Whether a platform's router says that nothing is wanted to run: its 503 is its own word for a stopped application.
fn stopped_on_purpose(facts: &Facts) -> bool {
    let says = |word: &str| listed(facts, FactKey::LogSays, word);
    facts.text(FactKey::SiteKind, "edge") == Some("gateway-error")
        && says("no-web-process")
        && !["crash-loop", "health-check-fails", "health-killed", "no-port-seen"].into_iter().any(says)
}

/// Whether the origin's server refuses what comes through the edge and serves who asks it past the edge: the edge passed
/// the request on, and its address was turned away.
fn origin_refuses_the_edge(facts: &Facts) -> bool {
    facts.text(FactKey::SiteKind, "edge") == Some("blocked")
        && facts.text(FactKey::SiteWriter, "edge") == Some("server")
        && facts.get(FactKey::EdgeVendors, "edge").is_some_and(|fact| fact.known().is_some())
        && facts.text(FactKey::SiteKind, "origin") == Some("application")
}

/// Whether this answer is a platform's own page for an application that it wakes or keeps stopped.
fn speaks_of_itself(facts: &Facts, subject: &str) -> bool {
    matches!(facts.text(FactKey::HttpMeaning, subject), Some("app-starting" | "app-suspended"))
}

/// Whether the name is somebody else's, and one that the project names, a slip of the pen away, is there.
fn is_misspelt(facts: &Facts) -> bool {
    let near = facts.of(FactKey::HostNearResolves).any(|fact| match fact.known() {
        Some(Value::List(names)) => {
            let domain = facts.text(FactKey::TargetDomain, "");
            names.iter().any(|name| name.contains('.') && domain.is_some_and(|d| !name.ends_with(d)))
        }
        _ => false,
    });
    near && matches!(
        facts.text(FactKey::SiteKind, "edge"),
        Some("other-site" | "nothing-here" | "default-page")
    )
}

/// Whether answers of the application break off, and neither their size nor a hop's own word explains it.
fn breaks_off(facts: &Facts) -> bool {
    let by_a_hop = facts
        .at(FactKey::EdgeSays, Some("edge"))
        .any(|fact| matches!(fact.text(), Some("bad-response" | "too-large" | "grew")));
    !by_a_hop
        && !large_packets_vanish(facts)
        && facts
            .at(FactKey::EndpointOutcome, Some("edge"))
            .any(|fact| fact.symptom && fact.text() == Some("cut"))
}

/// Whether this is a 421 that no framework wrote in its own words.
fn is_bare_421(facts: &Facts, subject: &str) -> bool {
    facts.number(FactKey::HttpStatus, subject) == Some(421)
        && facts.text(FactKey::HttpSignature, subject).is_none()
}

/// Whether small answers pass where larger ones do not: the path loses packets by their size.
fn large_packets_vanish(facts: &Facts) -> bool {
    let yes = |key| facts.at(key, Some("edge")).any(|fact| fact.text() == Some("yes"));
    let stalls = facts.at(FactKey::TlsOutcome, Some("edge")).any(|fact| fact.text() == Some("silent"));
    // The head of a path comes at once where its body never does.
    let head_comes = facts.at(FactKey::TrialAsPlain, Some("head edge")).any(|trial| {
        let path = trial.subject.strip_prefix("head ").unwrap_or(&trial.subject);
        let served = facts
            .number(FactKey::TrialStatus, &trial.subject)
            .is_some_and(|status| (200..400).contains(&status));
        trial.text() == Some("better")
            && served
            && facts.text(FactKey::HttpOutcome, path) == Some("silent")
            && facts.at(FactKey::HttpSlow, Some("local")).any(|slow| slow.text() == Some("no"))
    });
    head_comes || yes(FactKey::HttpSizeDecides) || (stalls && yes(FactKey::TlsSmallAnswer))
}

fn needs_client_certificate(facts: &Facts) -> bool {
    let asked = facts.at(FactKey::TlsClientCertificate, Some("edge")).any(|fact| fact.text() == Some("yes"));
    let served = facts.at(FactKey::EndpointOutcome, Some("edge")).any(|fact| fact.text() == Some("ok"));
    let refused = facts.at(FactKey::TlsAlertAfter, Some("edge")).next().is_some()
        || facts.at(FactKey::HttpSignature, Some("edge")).any(|fact| {
            fact.text().is_some_and(|id| id.starts_with("nginx-400-") && id.contains("client-certificate"))
        });
    asked && refused && !served
}

/// Whether a path that failed once was served each time that it was asked again, and no log tells of a worker that ended.
fn passes_again(facts: &Facts, subject: &str) -> bool {
    let number = |key| facts.number(key, &format!("again {subject}"));
    let (asked, passed) = (number(FactKey::TrialAsked), number(FactKey::TrialPassed));
    let ended = ["worker-died", "worker-exited", "killed", "oom", "uncaught", "worker-timeout"];
    asked.is_some_and(|asked| asked >= 5)
        && asked == passed
        && !ended.iter().any(|word| listed(facts, FactKey::LogSays, word))
}

/// Whether an endpoint is refused in a way that only a program has which knows the path: with a demand for credentials, for
/// its host name, or in JSON, where no other hop is known to have written it.
fn refused_by_program(facts: &Facts) -> bool {
    let words = ["forbidden", "host-refused", "unexpected-status", "method-refused"];
    // A login of the application's own stands before the path.
    let login = |fact: &crate::facts::Fact| {
        fact.text() == Some("redirect") && facts.text(FactKey::GuardHow, &fact.subject) == Some("login")
    };
    facts.at(FactKey::EndpointOutcome, Some("edge")).any(|fact| {
        let subject = fact.subject.as_str();
        let outcome = fact.text().unwrap_or_default();
        let another = matches!(
            facts.text(FactKey::HttpWriter, subject),
            Some("edge" | "platform" | "server" | "balancer")
        );
        let asks =
            matches!(facts.text(FactKey::GuardHow, subject), Some("challenge" | "unauthenticated" | "login"));
        let json = facts.text(FactKey::HttpBody, subject) == Some("json");
        let own_host = facts
            .at(FactKey::TrialAsPlain, Some("own-host local"))
            .any(|trial| trial.text() == Some("worse"));
        if outcome == "host-refused" && is_bare_421(facts, subject) {
            return false;
        }
        // A development server names itself and is the program all the same.
        let own =
            !another || (outcome == "host-refused" && facts.get(FactKey::SiteDevServer, "edge").is_some());
        fact.symptom
            && (words.contains(&outcome) || login(fact))
            && own
            && (asks || json || own_host || outcome == "host-refused")
    })
}

fn app_state(facts: &Facts, reaches_app: bool) -> RungState {
    let outcomes: Vec<&str> =
        facts.at(FactKey::EndpointOutcome, Some("edge")).filter_map(|fact| fact.text()).collect();
    let by_app = [
        "app-error",
        "not-found",
        "error-in-body",
        "forbidden",
        "wrong-shape",
        "wrong-type",
        "host-refused",
        "method-refused",
        "unexpected-status",
    ];
    // What a good answer itself shows to be wrong was written by the application, or in its name.
    let content = [
        FactKey::RedirectDowngrade,
        FactKey::RouteRedirect,
        FactKey::RouteMethod,
        FactKey::BodyCoding,
        FactKey::CorsState,
        FactKey::CookieMisfit,
        FactKey::PageDebug,
        FactKey::PageHttpUrls,
        FactKey::PageLocalUrls,
        FactKey::PageUnsetUrl,
        FactKey::PageKept,
    ];
    let before = matches!(
        facts.text(FactKey::SiteKind, "edge"),
        None | Some(
            "no-answer"
                | "gateway-error"
                | "nothing-here"
                | "suspended"
                | "starting"
                | "blocked"
                | "challenged"
        )
    );
    // A body that cannot be read came from behind every hop that passed it on.
    let unreadable = |fact: &crate::facts::Fact| fact.symptom && fact.text() == Some("bad-encoding");
    if !before && facts.at(FactKey::EndpointOutcome, Some("edge")).any(unreadable) {
        return RungState::Broken;
    }
    if !before && content.iter().any(|key| facts.at(*key, Some("edge")).any(|fact| fact.symptom)) {
        return RungState::Broken;
    }
    let plain =
        matches!(facts.text(FactKey::SiteKind, "edge"), Some("forbidden" | "unclear" | "application"));
    let walled = facts.at(FactKey::WallPlatform, Some("edge")).any(|fact| fact.known().is_some());
    if plain && !walled && !edge_is_at_fault(facts) && refused_by_program(facts) {
        return RungState::Broken;
    }
    // What only a program can get wrong, whoever passed it on: its own debug page, a path that it has under another prefix, a
    // pointer in the place of a file.
    let reached =
        !matches!(facts.text(FactKey::SiteKind, "edge"), None | Some("no-answer" | "blocked" | "challenged"));
    let peculiar = [FactKey::PageDebug, FactKey::BodyPointer, FactKey::RoutePrefix];
    if reached && peculiar.iter().any(|key| facts.at(*key, Some("edge")).any(|fact| fact.known().is_some())) {
        return RungState::Broken;
    }
    // Nor does a path come back with another first segment unless the program has it so.
    let shifted = facts.at(FactKey::EndpointOutcome, Some("edge")).any(|fact| {
        let better = |kind: &str| {
            facts.text(FactKey::TrialAsPlain, &format!("{kind} {}", fact.subject)) == Some("better")
        };
        fact.symptom && fact.text() == Some("not-found") && (better("stripped") || better("doubled"))
    });
    if reached && shifted {
        return RungState::Broken;
    }
    // A redirect to another spelling stands in the place of the answer that was declared.
    let respelled = facts.at(FactKey::RedirectChange, Some("edge")).any(|fact| {
        let spelling = matches!(fact.known().map(ToString::to_string).as_deref(), Some("slash" | "case"));
        spelling
            && facts
                .get(FactKey::EndpointOutcome, &fact.subject)
                .is_some_and(|outcome| outcome.symptom && outcome.text() == Some("redirect"))
    });
    // The store of what the application keeps was asked through the way of a request, and refuses or lacks it.
    let store_refuses = facts.at(FactKey::HttpSays, Some("edge")).any(|fact| {
        let says = matches!(fact.known(), Some(Value::List(words)) if words.iter().any(|word| word == "storage-denied"));
        says && facts.get(FactKey::EndpointOutcome, &fact.subject).is_some_and(|outcome| outcome.symptom)
    });
    if (plain && store_refuses) || fails_unsigned(facts) {
        RungState::Broken
    } else if !reaches_app {
        RungState::Unknown
    } else if respelled
        || facts.at(FactKey::EndpointOutcome, Some("edge")).any(|f| {
            let own = f.text().is_some_and(|w| by_app.contains(&w));
            f.symptom && (own || f.text() == Some("gateway-error") && unavailable_in_json(facts, &f.subject))
        })
    {
        RungState::Broken
    } else if outcomes.contains(&"html-for-json") {
        RungState::Masked
    } else {
        ok_if(outcomes.contains(&"ok"))
    }
}

/// Whether some paths fail with an error of a program that nobody on the way signed, while others of the same site are served. A
/// status of gateways is the program's as well where its own log has such answers, and the exception behind them.
fn fails_unsigned(facts: &Facts) -> bool {
    let outcomes = || facts.at(FactKey::EndpointOutcome, Some("edge"));
    let logged =
        listed(facts, FactKey::LogSays, "answers-500") && listed(facts, FactKey::LogSays, "exception");
    facts.text(FactKey::SiteKind, "edge") == Some("application")
        && outcomes().any(|fact| fact.text() == Some("ok"))
        && outcomes().any(|fact| {
            let writer = facts.text(FactKey::HttpWriter, &fact.subject);
            fact.symptom
                && (fact.text() == Some("app-error") || logged && fact.text() == Some("gateway-error"))
                && !matches!(writer, Some("edge" | "platform" | "server" | "balancer"))
        })
}

fn ok_if(seen: bool) -> RungState {
    if seen { RungState::Ok } else { RungState::Unknown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_broken_rung_is_the_first_that_a_request_meets() {
        let mut rungs: BTreeMap<Rung, RungState> =
            Rung::ALL.into_iter().map(|rung| (rung, RungState::Unknown)).collect();
        assert_eq!(first_broken(&rungs), None, "what is not known is not broken");
        // Rungs beside the way explain a broken one, and are named only where none is.
        rungs.insert(Rung::Monitor, RungState::Broken);
        assert_eq!(first_broken(&rungs), None);
        rungs.insert(Rung::Project, RungState::Broken);
        assert_eq!(first_broken(&rungs), Some(Rung::Project));
        rungs.insert(Rung::RateLimit, RungState::Broken);
        assert_eq!(first_broken(&rungs), Some(Rung::RateLimit));
        rungs.insert(Rung::App, RungState::Broken);
        rungs.insert(Rung::Tls, RungState::Broken);
        assert_eq!(first_broken(&rungs), Some(Rung::Tls));
    }
}
