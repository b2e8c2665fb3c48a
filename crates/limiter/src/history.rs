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
}

impl Exchange {
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
        self.clocks.push(clock);
        self.exchanges.push(exchange);
        self.arrivals.push(Arrival { at, spread: arrival.spread });
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
        if all { &self.all[..i] } else { &self.passed[..self.passed_before.get(i).copied().unwrap_or(self.passed.len())] }
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

/// Half of the shortest round trip is on the way there. What this one took beyond that was spent on either way, or waiting.
fn arrival(sent: f64, latency: f64, base: f64) -> Arrival {
    let excess = (latency - base).max(0.0);
    Arrival { at: sent + base / 2.0 + excess / 2.0, spread: 0.002 + 0.05 * base + excess / 2.0 }
}
