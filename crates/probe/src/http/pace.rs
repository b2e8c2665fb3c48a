//! The gate that keeps an audit polite to one host.
//!
//! # Policy
//! - The questions that decide pass before the gate opens. After them, one request may be in flight, and the room doubles
//!   with each answer that is not a refusal, up to the limit. So a limiter that the audit runs into refuses one request,
//!   and not everything that was in flight.
//! - A refusal closes the gate for as long as Retry-After asks, 10 s when it does not say (the shortest period that large
//!   edges offer), and the room is one again. A wait of more than 60 s, or past the audit's deadline, is not made: what
//!   waits at the gate is then not asked.
//! - The refusal also teaches: as many requests as had passed before it are let through in each further window, so that
//!   the limiter need not refuse again. A window that passes without a refusal doubles the number, because the first
//!   count may have been low through somebody else's requests.
//! - Plain HTTP is usually redirected before any rule is counted, so its answers do not widen the room.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use landfall_evidence::{ObservationId, ProbeFault};
use tokio::sync::Notify;

use crate::net::Context;

/// The wait after a refusal that names none.
const UNNAMED_WAIT: Duration = Duration::from_secs(10);

/// The longest wait that is made.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What an answer tells the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// It was let through.
    Passed,
    /// It was let through by something that does not stand for the limiter.
    Aside,
    /// The limiter refused it, and asked for this wait if it asked for one.
    Refused(Option<Duration>),
    /// There was no answer.
    Nothing,
}

/// A place in flight; [`Gate::leave`] gives it back.
#[derive(Debug)]
#[must_use = "the place is given back by Gate::leave"]
pub(crate) struct Pass {
    /// The answer that let this question through, and when, if it had to wait for one.
    pub(crate) released: Option<(ObservationId, Instant)>,
}

pub(crate) struct Gate {
    ceiling: usize,
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    opened: bool,
    room: usize,
    in_flight: usize,
    closed: Option<Closed>,
    /// The answer that changed the gate last.
    last: Option<ObservationId>,
    waiting: BTreeSet<(u8, u64)>,
    tickets: u64,
    /// Requests that passed since the gate last closed, and when the first of them was sent.
    passed: u32,
    window_began: Option<Instant>,
    quota: Option<Quota>,
}

struct Closed {
    until: Instant,
    by: ObservationId,
    asked: Duration,
}

struct Quota {
    per_window: u32,
    used: u32,
    window: Duration,
    ends: Instant,
}

impl Gate {
    /// A gate that is still shut; at most `ceiling` in flight once it is open.
    pub(crate) fn new(ceiling: usize) -> Self {
        let state = State {
            opened: false,
            room: 1,
            in_flight: 0,
            closed: None,
            last: None,
            waiting: BTreeSet::new(),
            tickets: 0,
            passed: 0,
            window_began: None,
            quota: None,
        };
        Self { ceiling: ceiling.max(1), state: Mutex::new(state), changed: Notify::new() }
    }

    /// Opens the gate; `last` is the answer that everything behind it has waited for.
    pub(crate) fn open(&self, last: Option<ObservationId>) {
        let mut state = self.lock();
        state.opened = true;
        if state.closed.is_none() {
            state.last = last;
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// Notes an answer to a question that did not pass the gate.
    pub(crate) fn note(&self, id: &ObservationId, told: Told, sent: Instant) {
        self.lock().learn(id, told, sent, self.ceiling, false);
        self.changed.notify_waiters();
    }

    /// Waits for a place. Of those that wait, the lowest rank goes first.
    ///
    /// # Errors
    /// When the wait that the limiter asked for is longer than this audit can wait.
    pub(crate) async fn enter(&self, ctx: &Context, rank: u8) -> Result<Pass, ProbeFault> {
        let ticket = self.lock().ticket(rank);
        let mut waited = false;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // From here on no change is missed, though it came before the wait below.
            changed.as_mut().enable();
            let wake = match self.lock().try_enter(ctx, ticket) {
                Entry::Go(last) => {
                    // The next in line may have room as well.
                    self.changed.notify_waiters();
                    let released = last.filter(|_| waited).map(|id| (id, Instant::now()));
                    return Ok(Pass { released });
                }
                Entry::Never(fault) => {
                    self.changed.notify_waiters();
                    return Err(fault);
                }
                Entry::Wait(until) => {
                    if let Some(until) = until {
                        ctx.waits.tell(until.saturating_duration_since(Instant::now()));
                    }
                    until.map_or(ctx.deadline, |until| until.min(ctx.deadline))
                }
            };
            waited = true;
            // Both branches only lead back to the check; nothing is lost with the one that is dropped.
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep_until(wake.into()) => {}
            }
        }
    }

    /// Gives a place back, with what the answer told.
    pub(crate) fn leave(&self, pass: Pass, id: &ObservationId, told: Told, sent: Instant) {
        drop(pass);
        self.lock().learn(id, told, sent, self.ceiling, true);
        self.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock was held leaves counts that are at worst one too careful.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Entry {
    Go(Option<ObservationId>),
    Wait(Option<Instant>),
    Never(ProbeFault),
}

impl State {
    fn ticket(&mut self, rank: u8) -> (u8, u64) {
        self.tickets += 1;
        let ticket = (rank, self.tickets);
        self.waiting.insert(ticket);
        ticket
    }

    fn try_enter(&mut self, ctx: &Context, ticket: (u8, u64)) -> Entry {
        let now = Instant::now();
        if now >= ctx.deadline {
            self.waiting.remove(&ticket);
            return Entry::Never(ProbeFault::DeadlineSpent);
        }
        if let Some(closed) = &self.closed {
            if closed.asked > LONGEST_WAIT {
                let reason = format!("the server asks for no request within {} s", closed.asked.as_secs());
                self.waiting.remove(&ticket);
                return Entry::Never(ProbeFault::Blocked { by: closed.by.clone(), reason });
            }
            if closed.until >= ctx.deadline {
                self.waiting.remove(&ticket);
                return Entry::Never(ProbeFault::DeadlineSpent);
            }
            if now < closed.until {
                return Entry::Wait(Some(closed.until));
            }
            self.last = Some(closed.by.clone());
            self.closed = None;
            (self.passed, self.window_began) = (0, None);
        }
        if !self.opened || self.in_flight >= self.room || self.waiting.first() != Some(&ticket) {
            return Entry::Wait(None);
        }
        if let Some(quota) = &mut self.quota {
            // The hold is ours and not the limiter's, so it does not make a question go unasked.
            if quota.used >= quota.per_window && now < quota.ends && quota.ends < ctx.deadline {
                return Entry::Wait(Some(quota.ends));
            }
            if now >= quota.ends {
                quota.per_window = quota.per_window.saturating_mul(2);
                quota.used = 0;
                quota.ends = now + quota.window;
            }
            quota.used += 1;
        }
        self.waiting.remove(&ticket);
        self.in_flight += 1;
        Entry::Go(self.last.clone())
    }

    fn learn(&mut self, id: &ObservationId, told: Told, sent: Instant, ceiling: usize, left: bool) {
        let now = Instant::now();
        if left {
            self.in_flight = self.in_flight.saturating_sub(1);
        }
        self.window_began.get_or_insert(sent);
        match told {
            Told::Passed => {
                self.passed += 1;
                if left {
                    self.room = (self.room * 2).min(ceiling);
                }
            }
            Told::Aside => self.passed += 1,
            Told::Refused(asked) => {
                let asked = asked.unwrap_or(UNNAMED_WAIT);
                let was_closed = self.closed.is_some();
                let until = now + asked + jitter();
                self.room = 1;
                if self.closed.as_ref().is_none_or(|closed| closed.until < until) {
                    self.closed = Some(Closed { until, by: id.clone(), asked });
                }
                let window = until.saturating_duration_since(self.window_began.unwrap_or(now));
                let known = self.quota.as_ref().map(|quota| quota.per_window);
                let per_window = match known {
                    // More answers of the window that was refused already.
                    Some(known) if was_closed => known.max(self.passed),
                    Some(_) => self.passed.max(1),
                    None => self.passed,
                };
                self.quota =
                    (per_window > 0).then(|| Quota { per_window, used: 0, window, ends: until + window });
            }
            Told::Nothing => {}
        }
        if self.closed.is_none() {
            self.last = Some(id.clone());
        }
    }
}

/// 50 to 177 ms on top of a wait, so that it is not cut short by the rounding of Retry-After, and so that many audits
/// that were refused together do not come back together.
fn jitter() -> Duration {
    Duration::from_millis(50 + (RandomState::new().hash_one(0_u8) & 127))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::test_context;

    fn id(text: &str) -> ObservationId {
        text.into()
    }

    fn is_ready<T>(future: &mut std::pin::Pin<Box<impl Future<Output = T>>>) -> Option<T> {
        let mut task = std::task::Context::from_waker(std::task::Waker::noop());
        match future.as_mut().poll(&mut task) {
            std::task::Poll::Ready(value) => Some(value),
            std::task::Poll::Pending => None,
        }
    }

    #[tokio::test]
    async fn nothing_passes_before_the_gate_opens_and_the_room_doubles() {
        let (ctx, gate) = (test_context(), Gate::new(8));
        let mut waiting: Vec<_> = (0..4).map(|_| Box::pin(gate.enter(&ctx, 1))).collect();
        assert!(waiting.iter_mut().all(|w| is_ready(w).is_none()));
        gate.open(Some(id("tier one")));
        let first = is_ready(&mut waiting[0]).expect("one may pass").expect("in time");
        assert_eq!(first.released.as_ref().map(|r| r.0.clone()), Some(id("tier one")));
        assert!(waiting[1..].iter_mut().all(|w| is_ready(w).is_none()), "one in flight is all");
        gate.leave(first, &id("a"), Told::Passed, Instant::now());
        let second = is_ready(&mut waiting[1]).expect("room for two").expect("in time");
        let third = is_ready(&mut waiting[2]).expect("room for two").expect("in time");
        assert_eq!(second.released.map(|r| r.0), Some(id("a")));
        assert_eq!(third.released.map(|r| r.0), Some(id("a")));
        assert!(is_ready(&mut waiting[3]).is_none());
    }

    #[tokio::test]
    async fn a_question_that_did_not_wait_names_nobody() {
        let (ctx, gate) = (test_context(), Gate::new(8));
        gate.open(Some(id("tier one")));
        let pass = gate.enter(&ctx, 1).await.expect("open");
        assert!(pass.released.is_none());
    }

    #[tokio::test]
    async fn the_lowest_rank_goes_first_and_plain_http_does_not_widen_the_room() {
        let (ctx, gate) = (test_context(), Gate::new(8));
        let mut late = Box::pin(gate.enter(&ctx, 2));
        let mut later = Box::pin(gate.enter(&ctx, 2));
        let mut early = Box::pin(gate.enter(&ctx, 1));
        assert!(
            is_ready(&mut late).is_none() && is_ready(&mut later).is_none() && is_ready(&mut early).is_none()
        );
        gate.open(None);
        assert!(is_ready(&mut late).is_none());
        let pass = is_ready(&mut early).expect("lowest rank").expect("in time");
        gate.leave(pass, &id("plain"), Told::Aside, Instant::now());
        assert!(is_ready(&mut late).is_some());
        assert!(is_ready(&mut later).is_none());
    }

    #[tokio::test]
    async fn a_refusal_closes_the_gate_for_as_long_as_it_asks() {
        let (mut ctx, gate) = (test_context(), Gate::new(8));
        gate.open(None);
        let pass = gate.enter(&ctx, 1).await.expect("open");
        let before = Instant::now();
        gate.leave(pass, &id("refused"), Told::Refused(Some(Duration::from_millis(200))), before);
        let pass = gate.enter(&ctx, 1).await.expect("opens again");
        assert!(before.elapsed() >= Duration::from_millis(200));
        assert_eq!(pass.released.as_ref().map(|r| r.0.clone()), Some(id("refused")));

        gate.leave(pass, &id("again"), Told::Refused(Some(Duration::from_secs(3600))), before);
        let fault = gate.enter(&ctx, 1).await.expect_err("too long");
        assert!(matches!(fault, ProbeFault::Blocked { ref by, .. } if by == &id("again")), "{fault:?}");

        let gate = Gate::new(8);
        gate.open(None);
        ctx.deadline = Instant::now() + Duration::from_secs(5);
        gate.note(&id("first"), Told::Refused(None), before);
        assert_eq!(gate.enter(&ctx, 1).await.expect_err("deadline"), ProbeFault::DeadlineSpent);
    }

    #[tokio::test]
    async fn no_more_than_the_limiter_let_through_before_pass_in_the_next_window() {
        let (ctx, gate) = (test_context(), Gate::new(8));
        let began = Instant::now();
        for name in ["one", "two"] {
            gate.note(&id(name), Told::Passed, began);
        }
        gate.open(None);
        let pass = gate.enter(&ctx, 1).await.expect("open");
        gate.leave(pass, &id("refused"), Told::Refused(Some(Duration::from_millis(300))), began);
        let mut sent = Vec::new();
        for name in ["a", "b", "c"] {
            let pass = gate.enter(&ctx, 1).await.expect("opens again");
            sent.push(Instant::now());
            gate.leave(pass, &id(name), Told::Passed, began);
        }
        assert!(
            sent[2].duration_since(sent[0]) >= Duration::from_millis(300),
            "the third waits for the next window"
        );
    }
}
