use std::sync::Arc;

use landfall_evidence::{Interval, Vantage};

use super::*;
use crate::http::testkit::*;
use crate::http::{Depth, survey};
use crate::net::Ledger;

const BASE: &str = "http://api.example.test";

fn one_endpoint() -> Site {
    site(
        BASE,
        Vantage::Edge,
        &["192.0.2.1"],
        vec![endpoint("POST", "/order"), endpoint("GET", "/health")],
        Depth::Endpoints,
    )
}

fn run_of(found: &[Observation]) -> &RateLimitRun {
    match &found.last().expect("the run is always told").seen {
        Seen::RateLimit(seen) => seen.answer.present().expect("it ran"),
        other => panic!("not a run: {other:?}"),
    }
}

/// Connects and probes at once.
async fn probe(ctx: &Context, site: &Site, after: Option<ObservationId>) -> Vec<Observation> {
    let line = connect(ctx, site).await;
    super::probe(ctx, site, line, after).await
}

#[tokio::test]
async fn the_audits_own_requests_count_and_the_sequence_is_filled_up() {
    let app = App::new(|_| text(200, "ok"));
    let ctx = led(&[("192.0.2.1:80", plain(&app).await)]);
    let site = one_endpoint();
    let earlier = survey(&ctx, &site).await.len();
    let found = probe(&ctx, &site, Some("http/last".into())).await;
    let run = run_of(&found);
    assert_eq!((run.own_earlier as usize, run.added as usize), (earlier, SEQUENCE - earlier));
    assert_eq!(run.stopped, RateStop::SequenceComplete);
    assert_eq!(run.estimate.limit, Some(Interval::at_least(15)));
    assert_eq!(app.log().len(), SEQUENCE);
    assert!(app.log()[earlier..].iter().all(|got| got.line == "GET /health"), "never the POST route");

    let added = &found[..found.len() - 1];
    assert_eq!(added[0].id.0, "http/edge/rate-limit 1/HTTP/1.1/192.0.2.1");
    assert_eq!(added[0].after, Some("http/last".into()));
    for pair in added.windows(2) {
        assert_eq!(pair[1].after.as_ref(), Some(&pair[0].id));
        assert_eq!(http(&pair[1]).timings.connect_us, None, "one connection");
    }
    for pair in run.sequence[earlier..].windows(2) {
        assert!(pair[1].at_us - pair[0].at_us >= 25_000, "25 ms apart");
    }
    let whole = found.last().expect("the run");
    assert_eq!(whole.id.0, "rate-limit/edge");
    assert!(whole.started_us <= added[0].started_us && whole.ended_us() >= added[added.len() - 1].ended_us());
}

#[tokio::test]
async fn the_first_refusal_ends_it() {
    let limiter = Limiter::new(8, Duration::from_secs(60));
    let app = App::new(move |_| if limiter.refuses() { limiter.refusal() } else { text(200, "ok") });
    let ctx = led(&[("192.0.2.1:80", plain(&app).await)]);
    let site = one_endpoint();
    survey(&ctx, &site).await;
    let found = probe(&ctx, &site, None).await;
    let run = run_of(&found);
    assert_eq!((run.stopped, app.log().len()), (RateStop::FirstRefusal, 9));
    assert_eq!(run.estimate.limit.and_then(|limit| limit.exact()), Some(8), "{run:#?}");
    let signal = run.signal.as_ref().expect("refused");
    assert_eq!((signal.position, signal.retry_after_s), (9, Some(60)));
    assert_eq!(signal.headers.len(), 1);
    assert_eq!(Some(&signal.observation), run.sequence.last().map(|step| &step.observation));
}

#[tokio::test]
async fn a_stated_policy_is_read_from_answers_that_pass() {
    let app = App::new(|_| {
        let mut answer = text(200, "ok");
        answer.headers_mut().insert("ratelimit-policy", "\"default\";q=100;w=60".parse().expect("valid"));
        answer
    });
    let ctx = led(&[("192.0.2.1:80", plain(&app).await)]);
    let found = probe(&ctx, &one_endpoint(), None).await;
    let estimate = &run_of(&found).estimate;
    assert_eq!(
        (estimate.limit, estimate.window_ms),
        (Some(Interval::exactly(100)), Some(Interval::exactly(60_000)))
    );
}

#[tokio::test]
async fn trouble_and_challenges_end_it_at_once() {
    for challenge in [false, true] {
        let app = App::new(move |_| {
            let mut answer = text(if challenge { 403 } else { 502 }, "");
            if challenge {
                answer.headers_mut().insert("cf-mitigated", "challenge".parse().expect("valid"));
            }
            answer
        });
        let ctx = led(&[("192.0.2.1:80", plain(&app).await)]);
        let found = probe(&ctx, &one_endpoint(), None).await;
        assert_eq!((run_of(&found).stopped, app.log().len()), (RateStop::ServerTrouble, 1));
    }
    let closed =
        tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback").local_addr().expect("bound");
    let found = probe(&led(&[("192.0.2.1:80", closed)]), &one_endpoint(), None).await;
    let run = run_of(&found);
    assert_eq!((run.stopped, run.added, run.estimate.limit), (RateStop::ServerTrouble, 0, None));
}

#[tokio::test]
async fn the_budget_and_the_deadline_end_it() {
    let app = App::new(|_| text(200, "ok"));
    let mut ctx = led(&[("192.0.2.1:80", plain(&app).await)]);
    ctx.ledger = Arc::new(Ledger::new(4));
    let found = probe(&ctx, &one_endpoint(), None).await;
    assert_eq!((run_of(&found).stopped, run_of(&found).added, found.len()), (RateStop::BudgetSpent, 4, 5));

    ctx.deadline = Instant::now();
    let found = probe(&ctx, &one_endpoint(), None).await;
    assert_eq!((run_of(&found).stopped, run_of(&found).added), (RateStop::DeadlineSpent, 0));
    assert_eq!(app.log().len(), 4);
}

#[tokio::test]
async fn without_an_address_it_is_not_asked() {
    let mut site = one_endpoint();
    site.addresses.clear();
    site.fault = Some(ProbeFault::Skipped);
    let found = probe(&led(&[]), &site, None).await;
    let Seen::RateLimit(seen) = &found[0].seen else { panic!("{found:?}") };
    assert_eq!(seen.answer, Observed::Unasked(ProbeFault::Skipped));
}
