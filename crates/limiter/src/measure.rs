//! How often the estimator is right about simulated limiters.

use std::fmt;

use landfall_evidence::LimiterClass;

use crate::plan::{Budget, CERTAIN};
use crate::random::Random;
use crate::simulate::{self, Configuration, Outcome};

/// Many runs.
#[derive(Debug, Clone)]
pub struct Tally {
    /// All of them.
    pub outcomes: Vec<Outcome>,
}

/// Shares of runs, of a part of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shares {
    /// How many runs there are in this part.
    pub runs: usize,
    /// The most likely kind is the true one.
    pub class_right: f64,
    /// The true kind is in the reported set.
    pub in_set: f64,
    /// The most likely limit is the true one. Only kinds that refuse.
    pub limit_exact: f64,
    /// The true limit is the likeliest to somebody who knows all but it ([`Outcome::knowable`]). Only kinds that refuse.
    pub limit_knowable: f64,
    /// How sure the estimator is of its limit, on average. Only kinds that refuse.
    pub limit_sure: f64,
    /// The true limit is in the reported interval. Only kinds that refuse.
    pub limit_within: f64,
    /// The most likely period is within 5 % of the true one.
    pub period_close: f64,
    /// A wrong kind is reported as certain.
    pub confidently_wrong: f64,
    /// Kinds in the set, on average.
    pub set_size: f64,
}

/// Meets `runs` random limiters with a budget, half of them on each of two threads.
pub fn measure(budget: Budget, runs: u64, seed: u64) -> Tally {
    measure_such(budget, runs, seed, Some)
}

/// Meets what `such` makes of the limiters that [`measure`] meets, and leaves out those of which it makes nothing.
pub fn measure_such(
    budget: Budget,
    runs: u64,
    seed: u64,
    such: impl Fn(Configuration) -> Option<Configuration> + Copy + Send + Sync,
) -> Tally {
    let part = move |begin: u64| {
        (begin..runs).step_by(2).filter_map(move |n| {
            let seed = seed.wrapping_mul(0x1_0000_0001).wrapping_add(n.wrapping_mul(0x9e37_79b9));
            let configuration = Configuration::random(&mut Random::new(seed));
            such(configuration).map(|such| simulate::run(such, budget, seed ^ 0x77))
        })
    };
    let outcomes = std::thread::scope(|scope| {
        let other = scope.spawn(|| part(1).collect::<Vec<_>>());
        let mut outcomes: Vec<Outcome> = part(0).collect();
        outcomes.extend(other.join().unwrap_or_default());
        outcomes
    });
    Tally { outcomes }
}

impl Outcome {
    fn class_right(&self) -> bool {
        self.fit.best().0 == self.truth.class
    }

    fn in_set(&self) -> bool {
        self.fit.set.contains(&self.truth.class)
    }

    /// Whether a wrong kind is certain.
    pub fn confidently_wrong(&self) -> bool {
        !self.class_right() && self.fit.best().1 >= CERTAIN
    }

    fn refuses(&self) -> bool {
        self.truth.class != LimiterClass::LeakyBucket
    }

    fn limit_exact(&self) -> bool {
        self.fit.limit.is_some_and(|limit| limit.likely.round() == f64::from(self.truth.total()))
    }

    fn limit_knowable(&self) -> bool {
        self.knowable == Some(self.truth.total())
    }

    fn limit_within(&self) -> bool {
        let truth = f64::from(self.truth.total());
        self.fit.limit.is_some_and(|limit| limit.low <= truth && truth <= limit.high)
    }

    fn period_close(&self) -> bool {
        let seen = match self.fit.best().0 {
            LimiterClass::Penalty => self.fit.penalty,
            LimiterClass::LeakyBucket => self.fit.place,
            _ => self.fit.period,
        };
        let truth = self.truth.visible_period();
        seen.is_some_and(|seen| (seen.likely / truth - 1.0).abs() <= 0.05)
    }
}

impl Tally {
    /// Shares of the runs that `of` picks.
    pub fn shares(&self, of: impl Fn(&Outcome) -> bool) -> Shares {
        let part: Vec<&Outcome> = self.outcomes.iter().filter(|o| of(o)).collect();
        let share = |within: &dyn Fn(&Outcome) -> bool, what: &dyn Fn(&Outcome) -> bool| {
            let of: Vec<_> = part.iter().filter(|o| within(o)).collect();
            of.iter().filter(|o| what(o)).count() as f64 / of.len().max(1) as f64
        };
        let all = |_: &Outcome| true;
        let refusing = part.iter().filter(|o| o.refuses()).count();
        let sure: f64 = part.iter().filter(|o| o.refuses()).map(|o| o.fit.limit_share).sum();
        Shares {
            runs: part.len(),
            class_right: share(&all, &Outcome::class_right),
            in_set: share(&all, &Outcome::in_set),
            limit_exact: share(&Outcome::refuses, &Outcome::limit_exact),
            limit_knowable: share(&Outcome::refuses, &Outcome::limit_knowable),
            limit_sure: sure / refusing.max(1) as f64,
            limit_within: share(&Outcome::refuses, &Outcome::limit_within),
            period_close: share(&all, &Outcome::period_close),
            confidently_wrong: share(&all, &Outcome::confidently_wrong),
            set_size: part.iter().map(|o| o.fit.set.len()).sum::<usize>() as f64 / part.len().max(1) as f64,
        }
    }

    /// Without others' traffic and with a period of a minute or less.
    pub fn short(&self) -> Shares {
        self.shares(|o| o.truth.others == 0.0 && o.truth.visible_period() <= 60.0 && o.truth.period <= 60.0)
    }

    /// Without others' traffic.
    pub fn quiet(&self) -> Shares {
        self.shares(|o| o.truth.others == 0.0)
    }

    /// With others' traffic.
    pub fn shared(&self) -> Shares {
        self.shares(|o| o.truth.others > 0.0)
    }

    /// Without others' traffic, where answers state the limit and what is left of it.
    pub fn stated(&self) -> Shares {
        self.shares(|o| o.truth.others == 0.0 && o.truth.states)
    }

    /// All runs.
    pub fn all(&self) -> Shares {
        self.shares(|_| true)
    }

    /// Mean of a figure over all runs.
    pub fn mean(&self, of: impl Fn(&Outcome) -> f64) -> f64 {
        self.outcomes.iter().map(of).sum::<f64>() / self.outcomes.len().max(1) as f64
    }
}

impl fmt::Display for Shares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:4} runs: class {:.3}, set {:.3} ({:.1} kinds), limit exact {:.3} (sure {:.3}, knowable {:.3}), within {:.3}, period {:.3}, wrong {:.3}",
            self.runs,
            self.class_right,
            self.in_set,
            self.set_size,
            self.limit_exact,
            self.limit_sure,
            self.limit_knowable,
            self.limit_within,
            self.period_close,
            self.confidently_wrong,
        )
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  quiet, to a minute {}", self.short())?;
        writeln!(f, "  quiet, all periods {}", self.quiet())?;
        writeln!(f, "  quiet, stated      {}", self.stated())?;
        writeln!(f, "  used by others     {}", self.shared())?;
        writeln!(f, "  all                {}", self.all())?;
        writeln!(
            f,
            "  on average {:.1} requests, {:.2} refusals, {:.0} s",
            self.mean(|o| f64::from(o.requests)),
            self.mean(|o| f64::from(o.refusals)),
            self.mean(|o| o.seconds),
        )?;
        write!(f, "  {:>18}", "true \\ said")?;
        for class in LimiterClass::ALL {
            write!(f, " {:>10.10}", class.to_string())?;
        }
        for truth in LimiterClass::ALL {
            write!(f, "\n  {:>18}", truth.to_string())?;
            for said in LimiterClass::ALL {
                let both = |o: &&Outcome| o.truth.class == truth && o.fit.best().0 == said;
                write!(f, " {:>10}", self.outcomes.iter().filter(both).count())?;
            }
        }
        writeln!(f)
    }
}
