//! How many requests a server takes before it refuses, asked politely.
//!
//! # Policy
//! The probe runs last and only against the public name. The audit's own requests count, because the limiter counted
//! them: when one of them was refused already, nothing more is sent, and the limit is read from what is there. Otherwise
//! the sequence is filled up to 15 requests within ten seconds, one at a time on one connection, at least 25 ms apart,
//! always the same safe request. It stops at the first refusal, at a server error, at a challenge page, at a connection
//! that is lost, and when the budget or the time is spent.

mod discover;
mod fit;
pub mod forged;
mod headers;
mod infer;
pub(crate) mod signal;

pub use discover::{Bounds, Moment, discover};

use std::time::{Duration, Instant};

use landfall_evidence::{
    Header, Observation, ObservationId, Observed, ProbeFault, Purpose, RateLimitObservation, RateLimitRun,
    RateSignal, RateStep, RateStop, Seen, Vantage,
};

use crate::connect::micros;
use crate::http::{Began, Dial, Seat, Site, Turn, response};
use crate::net::{Context, Sent};
use crate::shell::shell_word;

/// Reads lines of `name: value` as fields that speak of limits: for the fuzz target, and for the replay of what it found.
#[doc(hidden)]
pub fn read_foreign_fields(text: &str) {
    headers::read_anything(text);
}

/// Requests of the audit that a host sees within [`infer::COUNTED_US`] when nothing is refused.
const SEQUENCE: usize = 15;

/// From the start of one request to the start of the next, at least.
const SPACING: Duration = Duration::from_millis(25);

/// A connection for the probe, made while other questions are still being asked: limiters count requests, and the probe
/// runs last, so waiting for a handshake then would only make the audit longer.
pub struct Line(Option<Seat>);

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let connected = self.0.as_ref().is_some_and(|seat| seat.link().is_some());
        f.debug_struct("Line").field("connected", &connected).finish_non_exhaustive()
    }
}

/// Connects to the first address of a site that takes a connection. Sends no request.
pub async fn connect(ctx: &Context, site: &Site) -> Line {
    let dials: Vec<_> = site.addresses.iter().filter_map(|at| Dial::to(&site.base, *at, None)).collect();
    Line(open(ctx, &dials).await)
}

/// Runs the probe over a line of [`connect`].
///
/// Returns one observation for each request that was sent, and one named `rate-limit/{vantage}` that holds the run. Its
/// time spans the requests that this probe added; it is of no length when there were none.
pub async fn probe(ctx: &Context, site: &Site, line: Line, after: Option<ObservationId>) -> Vec<Observation> {
    let question = site.first_question(Purpose::RateLimit);
    let url = question.url.to_string();
    let began = Instant::now();
    let home = site.addresses.first().and_then(|at| Dial::to(&site.base, *at, None));
    let Some(home) = home else {
        let fault = site
            .fault
            .clone()
            .unwrap_or_else(|| ProbeFault::Local { detail: format!("no address is known for {url}") });
        return vec![whole(ctx, site.vantage, url, after, (began, began), Observed::Unasked(fault))];
    };
    let place = home.place();
    let earlier = ctx.ledger.history(&place);
    let (observations, stopped) = if earlier.iter().any(|sent| sent.refusal.is_some()) {
        (Vec::new(), RateStop::AlreadyRefused)
    } else {
        fill_up(ctx, site, line, after.clone()).await
    };
    let history = as_counted(ctx.ledger.history(&place));
    let run = describe(&history, earlier.len(), stopped);
    let ended = if observations.is_empty() { began } else { Instant::now() };
    let mut all = observations;
    all.push(whole(ctx, site.vantage, url, after, (began, ended), Observed::Present(run)));
    all
}

/// Sends what is missing of the sequence.
async fn fill_up(
    ctx: &Context,
    site: &Site,
    line: Line,
    mut after: Option<ObservationId>,
) -> (Vec<Observation>, RateStop) {
    let mut observations: Vec<Observation> = Vec::new();
    let Some(mut seat) = line.0 else { return (observations, RateStop::DeadlineSpent) };
    let place = seat.dial.place();
    for serial in 1.. {
        if observations.len() >= SEQUENCE || recent(ctx, &ctx.ledger.history(&place)) >= SEQUENCE {
            return (observations, RateStop::SequenceComplete);
        }
        if ctx.is_over() {
            return (observations, RateStop::DeadlineSpent);
        }
        let mut question = site.first_question(Purpose::RateLimit);
        question.serial = Some(serial);
        let started = Instant::now();
        let observation =
            seat.ask(ctx, &question, Turn { began: Began::At(started), after, attempt: 1 }).await;
        let stop = stop(&observation);
        after = Some(observation.id.clone());
        let sent = observation.seen.was_asked();
        if sent {
            observations.push(observation);
        }
        if let Some(stop) = stop {
            return (observations, stop);
        }
        tokio::time::sleep_until((started + SPACING).into()).await;
    }
    (observations, RateStop::SequenceComplete)
}

/// A connection to the first address that takes one, or the failure of the last. `None` when time ran out before any.
async fn open(ctx: &Context, dials: &[Dial]) -> Option<Seat> {
    let mut tried = None;
    for dial in dials {
        if ctx.is_over() {
            break;
        }
        let mut seat = Seat::new(dial.clone(), None);
        seat.connect(ctx).await;
        let failed = seat.failure().is_some();
        tried = Some(seat);
        if !failed {
            break;
        }
    }
    tried
}

/// Whether the run ends with this answer.
fn stop(observation: &Observation) -> Option<RateStop> {
    let Seen::Http(seen) = &observation.seen else { return Some(RateStop::ServerTrouble) };
    match &seen.answer {
        Observed::Unasked(ProbeFault::BudgetSpent { .. }) => return Some(RateStop::BudgetSpent),
        Observed::Unasked(ProbeFault::DeadlineSpent) => return Some(RateStop::DeadlineSpent),
        _ => {}
    }
    let Some(response) = response(observation) else { return Some(RateStop::ServerTrouble) };
    if signal::refusal(response).is_some() {
        return Some(RateStop::FirstRefusal);
    }
    let challenged = signal::is_challenge(response);
    (challenged || response.status >= 500).then_some(RateStop::ServerTrouble)
}

/// How many requests the host has seen in the stretch that is counted.
fn recent(ctx: &Context, history: &[Sent]) -> usize {
    let now = ctx.offset_us(Instant::now());
    history.iter().filter(|sent| sent.at_us.saturating_add(infer::COUNTED_US) > now).count()
}

/// The order in which a limiter most simply counted the requests.
///
/// Requests in flight at the same time reach the server in an order that we cannot see. A refusal is taken to have come
/// after every request that was in flight with it and passed: any other order would have the limiter refuse a request
/// and then let one through within the same instant.
fn as_counted(mut history: Vec<Sent>) -> Vec<Sent> {
    for at in (0..history.len()).rev() {
        let Some(answered) = history[at].answered_us.filter(|_| history[at].refusal.is_some()) else {
            continue;
        };
        let beside = |sent: &Sent| sent.at_us < answered && sent.refusal.is_none();
        if let Some(last) = history.iter().rposition(beside).filter(|last| *last > at) {
            let mut refused = history.remove(at);
            refused.at_us = refused.at_us.max(history[last - 1].at_us);
            history.insert(last, refused);
        }
    }
    history
}

/// The run as evidence, from everything that the host saw.
fn describe(history: &[Sent], own_earlier: usize, stopped: RateStop) -> RateLimitRun {
    let sequence: Vec<RateStep> = history
        .iter()
        .map(|sent| RateStep {
            at_us: sent.at_us,
            status: sent.status,
            refused: sent.refusal.is_some(),
            observation: sent.observation.clone(),
        })
        .collect();
    let signal = history.iter().enumerate().find_map(|(i, sent)| {
        let refusal = sent.refusal.as_ref()?;
        Some(RateSignal {
            position: count(i + 1),
            status: refusal.status,
            retry_after_s: refusal.retry_after_s,
            headers: sent.limits.clone(),
            body: refusal.body.clone(),
            observation: sent.observation.clone(),
        })
    });
    // The refusal's own headers first; servers also state their policy on answers that pass.
    let told = |limits: &Vec<Header>| {
        Some(headers::stated(limits, jiff::Timestamp::now())).filter(|stated| !stated.is_empty())
    };
    let refused = history.iter().filter(|sent| sent.refusal.is_some());
    let stated = refused.chain(history.iter().rev()).find_map(|sent| told(&sent.limits)).unwrap_or_default();
    let estimate = infer::infer(&sequence, signal.as_ref(), &stated);
    RateLimitRun {
        own_earlier: count(own_earlier),
        added: count(history.len().saturating_sub(own_earlier)),
        sequence,
        signal,
        stopped,
        estimate,
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// The run that was not made, with the reason.
pub fn unasked(ctx: &Context, vantage: Vantage, url: String, fault: ProbeFault) -> Observation {
    let now = Instant::now();
    whole(ctx, vantage, url, None, (now, now), Observed::Unasked(fault))
}

fn whole(
    ctx: &Context,
    vantage: Vantage,
    url: String,
    after: Option<ObservationId>,
    (began, ended): (Instant, Instant),
    answer: Observed<RateLimitRun>,
) -> Observation {
    let added = answer.present().map_or(0, |run| run.added);
    let by_hand = format!(
        "for i in $(seq {SEQUENCE}); do curl -sS -k -o /dev/null -w '%{{http_code}} ' {}; done",
        shell_word(&url)
    );
    Observation {
        id: format!("rate-limit/{vantage}").into(),
        vantage,
        started_us: ctx.offset_us(began),
        took_us: micros(ended.saturating_duration_since(began)),
        after,
        // One for each request; the connection's own belong to the first request's observation.
        round_trips: added,
        attempt: 1,
        by_hand,
        seen: Seen::RateLimit(RateLimitObservation { url, answer }),
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod order {
    use super::*;
    use crate::net::Refusal;

    fn sent(name: &str, at_us: u64, answered_us: u64, refused: bool) -> Sent {
        Sent {
            at_us,
            status: Some(if refused { 429 } else { 200 }),
            answered_us: Some(answered_us),
            observation: name.into(),
            limits: Vec::new(),
            refusal: refused.then_some(Refusal { status: 429, retry_after_s: None, body: None }),
        }
    }

    #[test]
    fn a_refusal_comes_after_what_was_in_flight_with_it_and_before_what_was_not() {
        let history = vec![
            sent("a", 1, 100, false),
            sent("b", 2, 90, true),
            sent("c", 3, 100, false),
            sent("d", 4, 100, false),
            sent("later", 500, 600, false),
        ];
        let order = as_counted(history);
        let names: Vec<&str> = order.iter().map(|s| s.observation.0.as_str()).collect();
        assert_eq!(names, ["a", "c", "d", "b", "later"]);
        assert!(order.is_sorted_by_key(|s| s.at_us), "times stay in order");
    }
}
