//! What was sent and what came back, with the time at which each request reached the limiter as far as that is known.

/// One request and its answer. Times are in seconds since any fixed moment, of the client's monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exchange {
    /// When it was sent.
    pub sent: f64,
    /// When its answer was in.
    pub answered: f64,
    /// Whether the limiter refused it.
    pub refused: bool,
    /// Retry-After in seconds, where the refusal had one.
    pub retry_after: Option<f64>,
    /// The server's `Date` in seconds since the epoch, where the answer had one.
    pub date: Option<f64>,
    /// Requests that are left, where the answer states it (`X-RateLimit-Remaining` and its like).
    pub left: Option<u32>,
    /// When the quota is renewed, where the answer states it (`RateLimit-Reset` and its like).
    pub reset: Option<StatedReset>,
}

/// A reset as it is stated, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum StatedReset {
    /// So many seconds from the answer on.
    In(f64),
    /// At this second since the epoch, by the server's clock.
    At(f64),
}

impl Exchange {
    /// The same with times counted from `origin`.
    pub(crate) fn since(self, origin: f64) -> Self {
        Self { sent: self.sent - origin, answered: self.answered - origin, ..self }
    }

    /// From sending to the answer, in seconds.
    pub fn latency(&self) -> f64 {
        (self.answered - self.sent).max(0.0)
    }
}

/// When a request reached the limiter: somewhere within `spread` of `at`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Arrival {
    pub(crate) at: f64,
    pub(crate) spread: f64,
}

impl Arrival {
    /// The earliest and the latest that is reckoned with.
    pub(crate) fn ends(self) -> (f64, f64) {
        (self.at - 0.8 * self.spread, self.at + 0.8 * self.spread)
    }

    /// The mean of something that depends on when the request arrived.
    pub(crate) fn mean(self, of: impl Fn(f64) -> f64) -> f64 {
        let (early, late) = self.ends();
        0.4 * of(self.at) + 0.3 * (of(early) + of(late))
    }
}

/// A stated reset by our clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Told {
    /// Bounds of the time that is meant, if it was rounded up.
    pub(crate) end: (f64, f64),
    /// The same in seconds after the arrival, at most.
    pub(crate) remaining: f64,
    /// Whether the one before it said the same time, or as many seconds; `None` for the first.
    pub(crate) as_before: Option<bool>,
    /// Whether it is the first, or another than one that was said more than once: then a window may have begun.
    pub(crate) is_news: bool,
    /// Whether the Retry-After of the same answer says the same.
    pub(crate) says_the_wait: bool,
}

/// All exchanges in the order in which the limiter counted them.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    exchanges: Vec<Exchange>,
    arrivals: Vec<Arrival>,
    /// Arrivals of requests that passed, and of all.
    passed: Vec<f64>,
    all: Vec<f64>,
    /// How many had passed before each exchange.
    passed_before: Vec<usize>,
    base: Option<f64>,
    /// What was known of (server's clock − ours) after each exchange, in seconds.
    clocks: Vec<Option<(f64, f64)>>,
    /// The reset that each exchange stated.
    told: Vec<Option<Told>>,
}

impl History {
    pub(crate) fn push(&mut self, exchange: Exchange) {
        let latency = exchange.latency();
        let base = self.base.map_or(latency, |base| base.min(latency));
        self.base = Some(base);
        let arrival = arrival(exchange.sent, latency, base);
        // Counted in this order, so no arrival lies before the one that was counted earlier.
        let at = self.all.last().map_or(arrival.at, |last| arrival.at.max(*last));
        self.passed_before.push(self.passed.len());
        self.all.push(at);
        if !exchange.refused {
            self.passed.push(at);
        }
        let mut clock = self.clock();
        if let Some(date) = exchange.date {
            // Date is the server's second at some moment between sending and the answer (RFC 9110, section 6.6.1).
            let (low, high) = (date - exchange.answered, date + 1.0 - exchange.sent);
            let known = clock.map_or((low, high), |(l, h)| (l.max(low), h.min(high)));
            // A clock that was set in between, or several servers: then nothing is known.
            clock = Some(if known.0 < known.1 { known } else { (low, high) });
        }
        self.told.push(self.tell(&exchange, at, clock));
        self.clocks.push(clock);
        self.exchanges.push(exchange);
        self.arrivals.push(Arrival { at, spread: arrival.spread });
    }

    /// The reset that an exchange states. An epoch says nothing as long as the server's clock is not known.
    fn tell(&self, exchange: &Exchange, at: f64, clock: Option<(f64, f64)>) -> Option<Told> {
        let end = match exchange.reset? {
            StatedReset::In(seconds) => (at + seconds - 1.0, at + seconds),
            StatedReset::At(epoch) => clock.map(|(low, high)| (epoch - 1.0 - high, epoch - low))?,
        };
        let remaining = end.1 - at;
        let before = self.told.iter().rev().flatten().next();
        let as_before = before
            .map(|before| (before.end.1 - end.1).abs() < 1.1 || (before.remaining - remaining).abs() < 0.6);
        let is_news = before.is_none_or(|before| as_before == Some(false) && before.as_before == Some(true));
        let wait = exchange.retry_after.filter(|_| exchange.refused);
        let says_the_wait = wait.is_some_and(|wait| (wait - remaining).abs() < 2.0);
        Some(Told { end, remaining, as_before, is_news, says_the_wait })
    }

    /// The reset that exchange `i` states.
    pub(crate) fn told(&self, i: usize) -> Option<&Told> {
        self.told[i].as_ref()
    }

    /// Whether any exchange states a reset.
    pub(crate) fn tells_resets(&self) -> bool {
        self.told.iter().any(Option::is_some)
    }

    pub(crate) fn len(&self) -> usize {
        self.exchanges.len()
    }

    pub(crate) fn exchange(&self, i: usize) -> &Exchange {
        &self.exchanges[i]
    }

    pub(crate) fn exchanges(&self) -> &[Exchange] {
        &self.exchanges
    }

    pub(crate) fn arrival(&self, i: usize) -> Arrival {
        self.arrivals[i]
    }

    /// Arrivals before exchange `i`; only of requests that passed, or of all.
    pub(crate) fn before(&self, i: usize, all: bool) -> &[f64] {
        if all {
            &self.all[..i]
        } else {
            &self.passed[..self.passed_before.get(i).copied().unwrap_or(self.passed.len())]
        }
    }

    /// What the last answer before exchange `i` that stated it said is left.
    pub(crate) fn left_before(&self, i: usize) -> Option<u32> {
        self.exchanges[..i].iter().rev().find_map(|exchange| exchange.left)
    }

    /// Number of the first exchange that was refused.
    pub(crate) fn first_refused(&self) -> Option<usize> {
        self.exchanges.iter().position(|exchange| exchange.refused)
    }

    /// The shortest latency seen, in seconds; a tenth of a second before anything was.
    pub(crate) fn base(&self) -> f64 {
        self.base.unwrap_or(0.1)
    }

    /// Bounds of (server's clock − ours), in seconds.
    pub(crate) fn clock(&self) -> Option<(f64, f64)> {
        self.clocks.last().copied().flatten()
    }

    /// What was known of it after exchange `i`.
    pub(crate) fn clock_after(&self, i: usize) -> Option<(f64, f64)> {
        self.clocks[i]
    }

    /// When a request sent at `sent` will arrive.
    pub(crate) fn expected(&self, sent: f64) -> Arrival {
        arrival(sent, self.base() * 1.1, self.base())
    }
}

/// Intervals of time that the history suggests as periods: from something that may have begun one to a release, and what
/// Retry-After told. In seconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gaps {
    pub(crate) periods: Vec<(f64, f64)>,
    /// Limits that the history suggests: what passed from something that may have begun a window to a refusal.
    pub(crate) limits: Vec<u32>,
    /// Stretches within which something let go or may have begun anew: refusals that ended, and the first burst.
    pub(crate) turns: Vec<(f64, f64)>,
}

/// Releases and beginnings that are looked at, the latest of each.
const MOST_OF_EACH: usize = 8;

impl History {
    pub(crate) fn gaps(&self) -> Gaps {
        let (mut begins, mut gaps, mut limits): (Vec<f64>, _, _) = (Vec::new(), Vec::new(), Vec::new());
        for (i, exchange) in self.exchanges.iter().enumerate() {
            let at = self.all[i];
            let previous = i.checked_sub(1);
            let was_refused = previous.is_some_and(|p| self.exchanges[p].refused);
            let quiet = previous.is_none_or(|p| at - self.all[p] > 0.6);
            if !exchange.refused && was_refused {
                let last = self.all[i - 1];
                let recent = &begins[begins.len().saturating_sub(MOST_OF_EACH)..];
                gaps.extend(recent.iter().map(|begin| (last - begin, at - begin)));
            }
            if exchange.refused && !was_refused {
                let recent: &[f64] = &begins[begins.len().saturating_sub(MOST_OF_EACH)..];
                let passed = self.before(i, false);
                limits
                    .extend(recent.iter().map(|b| (passed.len() - passed.partition_point(|t| t < b)) as u32));
            }
            if quiet || (exchange.refused && !was_refused) || (was_refused && !exchange.refused) {
                begins.push(at);
            }
            if let Some(told) = exchange.retry_after.filter(|_| exchange.refused) {
                gaps.push((told - 1.1, told + 0.2));
                let recent = &begins[begins.len().saturating_sub(MOST_OF_EACH)..];
                gaps.extend(recent.iter().map(|begin| (at - begin + told - 1.1, at - begin + told + 0.2)));
            }
            if let Some(told) = self.told[i].filter(|told| told.is_news) {
                // A window ends then that began with this request, or with an earlier one.
                let until = |begin: f64| (told.end.0 - begin - 0.1, told.end.1 - begin + 0.1);
                let recent = &begins[begins.len().saturating_sub(MOST_OF_EACH)..];
                gaps.push(until(at));
                gaps.extend(recent.iter().map(|begin| until(*begin)));
            }
            if previous.is_some() && exchange.latency() > 1.3 * self.base() + 0.02 {
                // A queue lets go at a steady pace.
                let gap = exchange.answered - self.exchanges[i - 1].answered;
                gaps.push((0.97 * gap, 1.03 * gap));
            }
        }
        let slack = 0.01 + 0.2 * self.base();
        let widened = gaps.into_iter().map(|(low, high)| ((low - slack).max(0.05), high + slack));
        let mut gaps: Vec<_> = widened.filter(|(low, high)| low < high).collect();
        if gaps.len() > 4 * MOST_OF_EACH {
            gaps.drain(..gaps.len() - 4 * MOST_OF_EACH);
        }
        limits.sort_unstable();
        limits.dedup();
        limits.retain(|limit| *limit > 0);
        let refused = self.first_refused();
        let first = self.all.first().copied().unwrap_or(0.0);
        let burst = refused.map(|i| (first - 1e-3, self.all[i]));
        let ends = (1..self.len()).filter(|i| self.exchanges[i - 1].refused && !self.exchanges[*i].refused);
        let told =
            self.told.iter().flatten().filter(|told| told.as_before != Some(true)).map(|told| told.end);
        let turns =
            ends.map(|i| (self.all[i - 1] - slack, self.all[i] + slack)).chain(burst).chain(told).collect();
        Gaps { periods: gaps, limits, turns }
    }
}

impl Gaps {
    /// Density of a period drawn from these, by its logarithm.
    pub(crate) fn density(&self, period: f64) -> f64 {
        let within = self.periods.iter().filter(|(low, high)| (*low..=*high).contains(&period));
        within.map(|(low, high)| 1.0 / (high / low).ln()).sum::<f64>() / self.periods.len().max(1) as f64
    }
}

/// Half of the shortest round trip is on the way there. What this one took beyond that was spent on either way, or waiting.
fn arrival(sent: f64, latency: f64, base: f64) -> Arrival {
    let excess = (latency - base).max(0.0);
    Arrival { at: sent + base / 2.0 + excess / 2.0, spread: 0.002 + 0.05 * base + excess / 2.0 }
}
