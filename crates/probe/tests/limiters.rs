//! The search for a rate limit against limiters that we did not write, on loopback. What it says that it sent is what
//! the server's own log holds.
//!
//! Limits and periods are small, so that a run is over in seconds. What is asserted are sets of kinds and intervals, and that
//! the bounds are kept: the kinds that a busy machine leaves open may differ from run to run, the true one may not be
//! missing.

mod servers;

use std::sync::Arc;
use std::time::{Duration, Instant};

use landfall_evidence::{
    Endpoint, EndpointSource, Expectation, Interval, LimiterClass, Observation, RateFit, RateLimitRun,
    RateStop, Seen, Vantage,
};
use landfall_probe::http::{Depth, Site};
use landfall_probe::net::{AddressMap, Context, Egress, Ledger, Limits, Waits};
use landfall_probe::rate_limit::{Bounds, connect, discover};
use landfall_probe::tls::Roots;
use servers::Server;
use url::Url;

const BOUNDS: Bounds = Bounds { requests: 80, refusals: 20, time: Duration::from_secs(40), deep: true };

fn context(bounds: Bounds) -> Context {
    let started = Instant::now();
    Context {
        started,
        deadline: started + bounds.time + Duration::from_secs(20),
        limits: Arc::new(Limits::default()),
        map: Arc::new(AddressMap::default()),
        resolvers: Arc::new([]),
        roots: Arc::new(Roots::load(&[]).expect("no file to fail on")),
        user_agent: "landfall-test/0".into(),
        ledger: Arc::new(Ledger::new(bounds.requests)),
        waits: Waits::default(),
        egress: Egress::anything(),
        deadline_counts: false,
    }
}

fn endpoint(path: &str) -> Endpoint {
    Endpoint {
        method: "GET".into(),
        path: path.into(),
        source: EndpointSource::Declared,
        core: false,
        expect: Expectation::default(),
    }
}

async fn find_out(server: &Server, bounds: Bounds) -> RateLimitRun {
    let ctx = context(bounds);
    let site = Site {
        base: Url::parse(&format!("http://{}", server.address)).expect("a URL"),
        vantage: Vantage::Edge,
        addresses: vec![server.address],
        after: None,
        resolve_us: None,
        endpoints: vec![endpoint("/"), endpoint("/other")],
        fault: None,
        depth: Depth::Endpoints,
    };
    let line = connect(&ctx, &site).await;
    let found = discover(&ctx, &site, line, None, bounds, &|_| {}).await;
    run_of(&found).clone()
}

fn run_of(found: &[Observation]) -> &RateLimitRun {
    match &found.last().expect("the run is always told").seen {
        Seen::RateLimit(seen) => seen.answer.present().expect("it ran"),
        other => panic!("not a run: {other:?}"),
    }
}

/// What one limiter is held to.
struct Want {
    class: LimiterClass,
    limit: Option<u64>,
    /// Time between two places, in milliseconds.
    place_ms: Option<u64>,
    status: Option<u16>,
}

fn holds(name: &str, server: &Server, run: &RateLimitRun, want: &Want) {
    let fit = fit(run);
    let told = format!("{name}: {run:#?}");
    let lines = server.log(run.added as usize);
    assert_eq!(
        lines.len(),
        run.added as usize,
        "{name}: the server's log holds\n{}\n{told}",
        lines.join("\n")
    );
    let refused = run.sequence.iter().filter(|step| step.refused).count();
    let in_log = lines
        .iter()
        .filter(|line| line.split_whitespace().any(|word| word == "429" || word == "503"))
        .count();
    assert_eq!(in_log, refused, "{name}: refusals in the server's log\n{}\n{told}", lines.join("\n"));
    assert!(lines.iter().all(|line| line.contains("GET ") || line.contains("HEAD ")), "{name}");
    assert!(run.added <= fit.budget.requests && refused as u32 <= fit.budget.refusals, "{told}");
    assert_eq!(run.signal.as_ref().map(|signal| signal.status), want.status, "{told}");
    assert!(fit.set.contains(&want.class), "{told}");
    if let Some(limit) = want.limit {
        let within = run.estimate.limit.expect("a limit was met");
        assert!(contains(within, limit, 0), "{told}");
    }
    if let Some(place) = want.place_ms {
        let within = fit.place_ms.expect("a pace is known").within;
        assert!(contains(within, place, place / 10), "{told}");
    }
}

fn fit(run: &RateLimitRun) -> &RateFit {
    run.estimate.fit.as_deref().expect("every run carries its fit")
}

fn contains(interval: Interval, value: u64, slack: u64) -> bool {
    interval.low <= value + slack && interval.high.is_none_or(|high| value <= high + slack)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limiters_of_nginx_haproxy_and_an_edge_are_found_out() {
    let nginx = |zone: &str, location: &str| Server::nginx(zone, location);
    let bucket =
        nginx("limit_req_zone $binary_remote_addr zone=z:1m rate=2r/s;", "limit_req zone=z burst=4 nodelay;");
    let bare = nginx(
        "limit_req_zone $binary_remote_addr zone=z:1m rate=1r/s;",
        "limit_req zone=z; limit_req_status 429;",
    );
    let shaped =
        nginx("limit_req_zone $binary_remote_addr zone=z:1m rate=2r/s;", "limit_req zone=z burst=20;");
    let haproxy = Server::haproxy("http_req_rate(4s)", 6);
    let edge = Server::edge(5, Duration::from_secs(3), Duration::from_secs(10)).await;
    let runs = tokio::join!(
        find_out(&bucket, BOUNDS),
        find_out(&bare, BOUNDS),
        find_out(&shaped, BOUNDS),
        find_out(&haproxy, BOUNDS),
        find_out(&edge, BOUNDS),
    );
    use LimiterClass::{LeakyBucket, Penalty, SlidingCounter, TokenBucket};
    let want = |class, limit: Option<u64>, place_ms, status| Want { class, limit, place_ms, status };
    holds("nginx, burst without delay", &bucket, &runs.0, &want(TokenBucket, Some(5), Some(500), Some(503)));
    holds("nginx, no burst", &bare, &runs.1, &want(TokenBucket, Some(1), Some(1000), Some(429)));
    holds("nginx, burst with delay", &shaped, &runs.2, &want(LeakyBucket, None, Some(500), None));
    holds("HAProxy", &haproxy, &runs.3, &want(SlidingCounter, Some(6), None, Some(429)));
    holds("edge", &edge, &runs.4, &want(Penalty, Some(5), None, Some(429)));
    let penalty = fit(&runs.4).penalty_ms.expect("a penalty is possible").within;
    assert!(contains(penalty, 10_000, 1000), "{penalty:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strategies_of_flask_limiter_are_found_out() {
    let fixed = Server::flask("fixed-window", "5 per 4 seconds", 1);
    let moving = Server::flask("moving-window", "5 per 4 seconds", 1);
    let sliding = Server::flask("sliding-window-counter", "6 per 4 seconds", 1);
    let runs = tokio::join!(find_out(&fixed, BOUNDS), find_out(&moving, BOUNDS), find_out(&sliding, BOUNDS),);
    use LimiterClass::{FixedWindow, SlidingCounter, SlidingLog};
    let want = |class, limit| Want { class, limit, place_ms: None, status: Some(429) };
    holds("fixed window", &fixed, &runs.0, &want(FixedWindow, Some(5)));
    holds("moving window", &moving, &runs.1, &want(SlidingLog, Some(5)));
    // It rounds the share of the window before, so one more or less passes.
    holds("sliding window counter", &sliding, &runs.2, &want(SlidingCounter, None));
    for (name, run) in [("fixed window", &runs.0), ("moving window", &runs.1)] {
        let period = fit(run).period_ms.expect("it was met").within;
        assert!(contains(period, 4000, 400), "{name}: {run:#?}");
    }
}

/// Two workers that count for themselves: between the limit of one and that of both together passes at first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_of_each_strategy_are_found_out() {
    let fixed = Server::flask("fixed-window", "4 per 15 seconds", 2);
    let moving = Server::flask("moving-window", "4 per 15 seconds", 2);
    let sliding = Server::flask("sliding-window-counter", "4 per 15 seconds", 2);
    let runs = tokio::join!(find_out(&fixed, BOUNDS), find_out(&moving, BOUNDS), find_out(&sliding, BOUNDS),);
    let want = Want { class: LimiterClass::SeveralCounters, limit: None, place_ms: None, status: Some(429) };
    holds("fixed window", &fixed, &runs.0, &want);
    holds("moving window", &moving, &runs.1, &want);
    holds("sliding window counter", &sliding, &runs.2, &want);
    for run in [&runs.0, &runs.1, &runs.2] {
        let first = run.sequence.iter().position(|step| step.refused).expect("it was met");
        assert!((4..=8).contains(&first), "the first refusal is request {}: {run:#?}", first + 1);
    }
}

/// Each worker states its own count, so what is left goes up and down as workers take turns: that shows how many there are, where
/// refusals alone, each with a pause to keep to, would say little.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_that_state_what_is_left_are_counted() {
    let server = Server::flask_that_states("fixed-window", "8 per 10 seconds", 2);
    let run = find_out(&server, BOUNDS).await;
    let want =
        Want { class: LimiterClass::SeveralCounters, limit: Some(16), place_ms: None, status: Some(429) };
    holds("two workers that state", &server, &run, &want);
    let fit = fit(&run);
    assert_eq!(fit.limit.map(|limit| limit.likely), Some(16), "{run:#?}");
    assert_eq!(fit.weights.first().map(|w| w.class), Some(LimiterClass::SeveralCounters), "{run:#?}");
    let stated = fit.stated.iter().find(|stated| stated.quota.is_some()).expect("it states a quota");
    assert_eq!((stated.quota, stated.holds), (Some(8), Some(true)), "each worker holds its own: {run:#?}");
}

/// The usual run, which never meets the limit: what the workers state is proof enough that there are two of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_that_state_what_is_left_are_told_before_any_refusal() {
    let one = Server::flask_that_states("fixed-window", "100 per minute", 1);
    let in_turn = Server::two_flasks_that_state("fixed-window", "100 per minute", "");
    let at_random = Server::two_flasks_that_state("fixed-window", "100 per minute", "random;");
    let (of_one, of_turns, of_random) = tokio::join!(
        find_out(&one, Bounds::DEFAULT),
        find_out(&in_turn, Bounds::DEFAULT),
        find_out(&at_random, Bounds::DEFAULT)
    );
    for (server, run) in [(&one, &of_one), (&in_turn, &of_turns), (&at_random, &of_random)] {
        assert_eq!((run.stopped, run.signal.as_ref()), (RateStop::SequenceComplete, None), "{run:#?}");
        assert_eq!(server.log(run.added as usize).len(), run.added as usize);
    }
    for run in [&of_turns, &of_random] {
        let estimate = &run.estimate;
        assert_eq!(estimate.classes, [LimiterClass::SeveralCounters], "{run:#?}");
        assert!(fit(run).counters.is_some_and(|counters| contains(counters, 2, 0)), "{run:#?}");
        let limit = estimate.limit.expect("a quota is stated");
        assert!(limit.low == 100 && contains(limit, 200, 0), "{run:#?}");
        assert!(estimate.open[0].contains("99, "), "the numbers are the proof: {run:#?}");
    }

    for (run, in_turn) in [(&of_turns, true), (&of_random, false)] {
        assert_eq!(run.estimate.open[0].contains("a balancer gives requests in turn"), in_turn, "{run:#?}");
    }

    let estimate = &of_one.estimate;
    assert_eq!(estimate.limit, Some(Interval::exactly(100)), "{of_one:#?}");
    assert!(estimate.classes.is_empty() && fit(&of_one).counters.is_none(), "{of_one:#?}");
}

/// Flask-Limiter states no window, but when it ends: that is enough to know it long before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stated_reset_tells_the_window_before_it_ends() {
    let fixed = Server::flask_that_states("fixed-window", "6 per minute", 1);
    let moving = Server::flask_that_states("moving-window", "6 per minute", 1);
    let runs = tokio::join!(find_out(&fixed, Bounds::DEFAULT), find_out(&moving, Bounds::DEFAULT));
    use LimiterClass::{FixedWindow, SlidingLog};
    for (server, run, class) in [(&fixed, &runs.0, FixedWindow), (&moving, &runs.1, SlidingLog)] {
        let name = class.to_string();
        holds(&name, server, run, &Want { class, limit: Some(6), place_ms: None, status: Some(429) });
        // Windows that the clock cuts may be longer, and none may be shorter.
        let period = fit(run).period_ms.expect("it was met").within;
        assert!(period.low.abs_diff(60_000) < 2000 && contains(period, 60_000, 1500), "{run:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn express_rate_limit_is_found_out() {
    let second = Duration::from_secs(1);
    let six = Server::express(5, 4 * second, "draft-6");
    let seven = Server::express(7, 5 * second, "draft-7");
    let eight = Server::express(6, 3 * second, "draft-8");
    let runs = tokio::join!(find_out(&six, BOUNDS), find_out(&seven, BOUNDS), find_out(&eight, BOUNDS),);
    for (name, server, run, limit, period) in [
        ("draft 6", &six, &runs.0, 5, 4000),
        ("draft 7", &seven, &runs.1, 7, 5000),
        ("draft 8", &eight, &runs.2, 6, 3000),
    ] {
        let class = LimiterClass::FixedWindow;
        holds(name, server, run, &Want { class, limit: Some(limit), place_ms: None, status: Some(429) });
        let within = fit(run).period_ms.expect("it was met").within;
        assert!(contains(within, period, period / 10), "{name}: {run:#?}");
        let stated = &fit(run).stated;
        assert!(stated.iter().any(|s| s.quota == Some(limit) && s.holds == Some(true)), "{name}: {run:#?}");
    }
}

/// GCRA: the governor crate behind tower_governor, which says when the next place is free in whole seconds, rounded down.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tower_governor_is_found_out() {
    let slow = Server::governor(4, Duration::from_millis(1000)).await;
    let fast = Server::governor(7, Duration::from_millis(600)).await;
    let runs = tokio::join!(find_out(&slow, BOUNDS), find_out(&fast, BOUNDS));
    for (name, server, run, burst, place) in
        [("a place a second", &slow, &runs.0, 4, 1000), ("a place in 0.6 s", &fast, &runs.1, 7, 600)]
    {
        let class = LimiterClass::TokenBucket;
        holds(
            name,
            server,
            run,
            &Want { class, limit: Some(burst), place_ms: Some(place), status: Some(429) },
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_deep_the_first_refusal_ends_it() {
    let server = Server::nginx(
        "limit_req_zone $binary_remote_addr zone=z:1m rate=12r/m;",
        "limit_req zone=z burst=6 nodelay;",
    );
    let run = find_out(&server, Bounds::DEFAULT).await;
    assert_eq!(run.stopped, RateStop::FirstRefusal, "{run:#?}");
    assert_eq!(run.sequence.iter().filter(|step| step.refused).count(), 1);
    assert!(contains(run.estimate.limit.expect("met"), 7, 0), "{run:#?}");
    assert!(fit(&run).set.contains(&LimiterClass::TokenBucket), "{run:#?}");
    assert_eq!(server.log(8).len(), 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_fails_is_left_alone() {
    let failing = Server::always("HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n").await;
    let challenge =
        Server::always("HTTP/1.1 403 Forbidden\r\ncf-mitigated: challenge\r\ncontent-length: 0\r\n\r\n")
            .await;
    let asked_to_wait =
        Server::always("HTTP/1.1 429 Too Many Requests\r\nretry-after: 3600\r\ncontent-length: 0\r\n\r\n")
            .await;
    for (server, stop) in [
        (failing, RateStop::ServerTrouble),
        (challenge, RateStop::Challenged),
        (asked_to_wait, RateStop::AskedToWait),
    ] {
        let run = find_out(&server, BOUNDS).await;
        assert_eq!((run.stopped, run.added), (stop, 1), "{run:#?}");
        assert_eq!(server.log(1).len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_hangs_up_after_refusing_is_asked_no_more() {
    let server = Server::bans_after(4).await;
    let run = find_out(&server, BOUNDS).await;
    assert_eq!(run.stopped, RateStop::Banned, "{run:#?}");
    assert!(contains(run.estimate.limit.expect("it was met"), 4, 0), "{run:#?}");
}
