//! What each finding is raised for, and what it is not raised for.

use landfall_evidence::{
    Header, Interval, LimiterClass, Observed, ProjectSign, Purpose, RateBudget, RateFit, RateLimitRun,
    RateStep, ScopeAnswer, ScopeChange, SignWord, StatedLimit, Trial, Vantage,
};

use crate::testworld::{World, application, deployed, undeployed};

fn codes(edit: impl Fn(&mut RateLimitRun)) -> Vec<String> {
    let all = undeployed().edit_limit(edit).diagnose().findings;
    all.into_iter().filter(|f| f.code.starts_with("LF-RATE-")).map(|f| f.code).collect()
}

#[test]
fn limits_are_reported_when_ordinary_clients_meet_them() {
    assert_eq!(codes(|_| {}), ["LF-RATE-001", "LF-RATE-005"]);
    let generous = |run: &mut RateLimitRun| {
        run.estimate.limit = Some(Interval::exactly(60));
        run.estimate.window_ms = Some(Interval::exactly(60_000));
    };
    assert_eq!(codes(generous), Vec::<String>::new());
    let silent = |run: &mut RateLimitRun| {
        if let Some(signal) = &mut run.signal {
            signal.retry_after_s = None;
            signal.status = 503;
        }
    };
    assert_eq!(codes(silent), ["LF-RATE-001", "LF-RATE-002", "LF-RATE-003", "LF-RATE-005"]);
    let deployed = deployed().diagnose().findings;
    assert!(deployed.iter().all(|f| !f.code.starts_with("LF-RATE-")), "no refusal, no finding");
}

#[test]
fn the_title_names_the_limit_and_the_hop() {
    let title = &undeployed().findings("LF-RATE-001")[0].title;
    assert_eq!(
        title,
        "The rate limit lets 5 requests in 10 s pass, then answers 429 by the edge (Cloudflare)"
    );
}

fn fit(set: &[LimiterClass]) -> RateFit {
    let none = RateBudget { requests: 0, refusals: 0, time_ms: 0 };
    RateFit {
        deep: true,
        weights: Vec::new(),
        set: set.to_vec(),
        limit: None,
        period_ms: None,
        place_ms: None,
        penalty_ms: None,
        shaped_ms: None,
        counters: None,
        alignment: None,
        others_permille: 0,
        stated: Vec::new(),
        scope: Vec::new(),
        unseparated: Vec::new(),
        budget: none,
        used: none,
    }
}

/// The next request, so many microseconds after the refusal.
fn later(run: &mut RateLimitRun, after_us: u64, refused: bool) {
    let last = run.sequence.last().expect("it ran").clone();
    let status = Some(if refused { 429 } else { 200 });
    run.sequence.push(RateStep { at_us: last.at_us + after_us, status, refused, ..last });
}

#[test]
fn a_wait_that_was_kept_and_did_not_help_belies_retry_after() {
    // The refusal says 10 s.
    for (after_us, refused, raised) in
        [(12_000_000, true, true), (10_500_000, true, false), (12_000_000, false, false)]
    {
        let codes = codes(|run| later(run, after_us, refused));
        assert_eq!(codes.contains(&"LF-RATE-006".to_owned()), raised, "{after_us} {refused}");
    }
}

#[test]
fn fields_that_the_answers_belie_are_named() {
    let world = undeployed().edit_limit(|run| {
        let header = Header { name: "x-ratelimit-remaining".into(), value: "3".into() };
        run.signal.as_mut().expect("refused").headers.push(header);
        let stated = |quota, holds| StatedLimit {
            name: None,
            field: "ratelimit-policy".into(),
            quota: Some(quota),
            window_ms: Some(60_000),
            remaining: None,
            reset_ms: None,
            holds,
        };
        let stated = vec![stated(100, Some(false)), stated(5, Some(true)), stated(7, None)];
        run.estimate.fit = Some(Box::new(RateFit { stated, ..fit(&[LimiterClass::FixedWindow]) }));
    });
    let titles: Vec<String> = world.findings("LF-RATE-006").into_iter().map(|f| f.title).collect();
    assert_eq!(
        titles,
        [
            "The limiter states 100 requests in 60 s in ratelimit-policy, and its answers do not agree; seen: 5 requests in 10 s",
            "The refusal says x-ratelimit-remaining: 3, so that requests should still pass",
        ]
    );
}

#[test]
fn another_health_path_that_was_refused_too_is_named() {
    let world = undeployed().edit_limit(|run| {
        let asked =
            |changed, refused| ScopeAnswer { changed, refused: Some(refused), observation: "x".into() };
        let scope = vec![
            asked(ScopeChange::Path("/healthz".into()), true),
            asked(ScopeChange::Path("/readyz".into()), false),
            asked(ScopeChange::Path("/api/orders".into()), true),
        ];
        run.estimate.fit = Some(Box::new(RateFit { scope, ..fit(&[LimiterClass::FixedWindow]) }));
    });
    assert_eq!(
        world.findings("LF-RATE-005")[0].title,
        "The rate limit counts and refuses /health and /healthz"
    );
}

fn sign(sign: SignWord, detail: &str) -> ProjectSign {
    ProjectSign::new(sign, "app.py:3", detail)
}

#[test]
fn counters_of_worker_processes_are_seen_in_the_code_or_in_the_answers() {
    let in_memory =
        |world: World| world.edit_project(|p| p.signs.push(sign(SignWord::LimiterInMemory, "Flask-Limiter")));
    let found = in_memory(deployed()).findings("LF-RATE-008");
    assert_eq!(
        found[0].title,
        "Flask-Limiter counts in memory (app.py:3), in each of 2 worker processes for itself"
    );
    let alone = in_memory(deployed()).edit_project(|p| {
        for start in p.deploy.iter_mut().filter_map(|d| d.start.as_mut()) {
            start.settings.retain(|s| s.name != "workers");
        }
    });
    assert!(alone.findings("LF-RATE-008").is_empty(), "how many there are is not known");
    let seen = undeployed().edit_limit(|run| {
        let counters = Some(Interval::exactly(2));
        run.estimate.fit = Some(Box::new(RateFit { counters, ..fit(&[LimiterClass::SeveralCounters]) }));
    });
    assert!(seen.findings("LF-RATE-008")[0].title.ends_with("(2 of them)"));
    let undecided = undeployed().edit_limit(|run| {
        let set = [LimiterClass::SeveralCounters, LimiterClass::FixedWindow];
        run.estimate.fit = Some(Box::new(fit(&set)));
    });
    assert!(undecided.findings("LF-RATE-008").is_empty());
}

#[test]
fn one_counter_for_all_is_told_where_no_refusal_made_it_a_cause() {
    let untrusting = || {
        deployed().edit_project(|p| p.signs.push(sign(SignWord::LimiterWithoutTrust, "get_remote_address")))
    };
    let found = untrusting().findings("LF-RATE-007");
    assert_eq!(
        found[0].title,
        "The limiter at app.py:3 counts by the connection's address, which behind Cloudflare is the proxy's"
    );
    let bare = untrusting().edit_http(|seen| {
        if let Observed::Present(answer) = &mut seen.answer {
            answer.headers.clear();
        }
    });
    assert!(bare.findings("LF-RATE-007").is_empty(), "no proxy is known of");
}

#[test]
fn a_forged_address_counts_only_between_two_refusals() {
    let asked = |forged: u16, again: u16| {
        let mut world = deployed();
        let mut ask = |name: &str, status: u16| {
            let mut answer = application("/health");
            answer.status = status;
            world.http(Vantage::Local, Purpose::Trial, "/health", Observed::Present(answer));
            let last = world.0.observations.last_mut().expect("just added");
            last.id = format!("{} {}", last.id, last.started_us).into();
            if let landfall_evidence::Seen::Http(seen) = &mut last.seen {
                seen.request.trial = Some(Trial { name: name.into(), plain: "/health".into() });
            }
        };
        for status in [200, 200, 429] {
            ask("limit-forwarded", status);
        }
        ask("limit-forged", forged);
        ask("limit-forwarded-again", again);
        world.findings("LF-RATE-009")
    };
    let found = asked(200, 429);
    assert_eq!(
        found[0].title,
        "On /health the local backend answers 429, and 200 once the first address of X-Forwarded-For is another"
    );
    assert_eq!(found[0].evidence.len(), 3);
    assert!(asked(429, 429).is_empty(), "it is not believed");
    assert!(asked(200, 200).is_empty(), "the limiter had opened by itself");
    assert!(asked(500, 429).is_empty(), "an error is no service");
}
