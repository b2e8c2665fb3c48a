//! Others' part of a quota: how many of the places in use they hold, as a distribution.
//!
//! Their requests are not seen. What is seen is that one of ours passed, so that they had not filled the rest, or that it was
//! refused, so that they had filled exactly the rest: a limiter never holds more than its limit. Each answer therefore narrows
//! the distribution, and a second refusal in the same window is no second surprise.

/// The most places that are told apart.
pub(crate) const MOST: usize = 40;
/// Shares below this are left out.
const LEAST: f32 = 1e-5;
/// A mean that is none.
const NO_MEAN: f64 = 1e-6;

/// A Poisson number of places beside a number of them that answers have narrowed. Nearly always there is only the former, whose
/// sums and thinned parts are Poisson numbers again, so that most of a history is reckoned without any distribution at hand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Foreign {
    /// Share of each number of places.
    shares: [f32; MOST + 1],
    /// The largest number with a share.
    top: usize,
    /// As many more as chance has it, this many of them on average.
    mean: f64,
}

impl Foreign {
    pub(crate) const NONE: Self = Self::exactly(0);

    const fn exactly(places: usize) -> Self {
        let mut shares = [0.0; MOST + 1];
        let top = if places < MOST { places } else { MOST };
        shares[top] = 1.0;
        Self { shares, top, mean: 0.0 }
    }

    /// After as many more requests as chance has it, `mean` of them on average.
    pub(crate) fn and(mut self, mean: f64) -> Self {
        self.mean += mean.max(0.0);
        self
    }

    /// After each place was kept with this chance.
    pub(crate) fn thinned(mut self, keep: f64) -> Self {
        if keep >= 1.0 - 1e-6 {
            return self;
        }
        if keep <= 1e-6 {
            return Self::NONE;
        }
        self.mean *= keep;
        if self.top > 0 {
            // Horner's rule on the generating function, whose variable z becomes 1 - keep + keep z.
            let (stay, go) = (keep as f32, 1.0 - keep as f32);
            let mut left = [0.0f32; MOST + 1];
            for n in (0..=self.top).rev() {
                for k in (1..=self.top - n).rev() {
                    left[k] = go * left[k] + stay * left[k - 1];
                }
                left[0] = go * left[0] + self.shares[n];
            }
            self.shares = left;
            self.trim();
        }
        self
    }

    /// After this many places were freed.
    pub(crate) fn less(mut self, places: f64) -> Self {
        if places <= 0.0 {
            return self;
        }
        self.add_up();
        if self.top == 0 {
            return self;
        }
        if places >= self.top as f64 {
            return Self::NONE;
        }
        let (whole, part) = (places as usize, places.fract() as f32);
        let mut left = [0.0f32; MOST + 1];
        for (n, share) in self.shares[..=self.top].iter().enumerate() {
            left[n.saturating_sub(whole)] += (1.0 - part) * share;
            left[n.saturating_sub(whole + 1)] += part * share;
        }
        self.shares = left;
        self.trim();
        self
    }

    /// Chance that they hold at least this many.
    pub(crate) fn at_least(&self, places: u32) -> f64 {
        let places = places as usize;
        if places == 0 {
            return 1.0;
        }
        if self.mean <= NO_MEAN {
            return self.shares_from(places);
        }
        if places > self.top + self.most_more() {
            return 0.0;
        }
        if self.top == 0 {
            return 1.0 - poisson(self.mean).take(places).sum::<f64>().min(1.0);
        }
        let mut all = *self;
        all.add_up();
        all.shares_from(places)
    }

    fn shares_from(&self, places: usize) -> f64 {
        if places > self.top {
            0.0
        } else {
            f64::from(self.shares[places..=self.top].iter().sum::<f32>()).min(1.0)
        }
    }

    /// Once it is known that they hold fewer than this many.
    pub(crate) fn below(mut self, places: u32) -> Self {
        let end = (places as usize).clamp(1, MOST + 1);
        let possible = if self.mean <= NO_MEAN { self.top } else { self.top + self.most_more() };
        if end > possible {
            return self;
        }
        self.add_up();
        if end > self.top {
            return self;
        }
        self.shares[end..].fill(0.0);
        self.top = end - 1;
        let sum: f32 = self.shares[..end].iter().sum();
        // Not foreseen at all: then nearly everything is taken.
        if sum < LEAST {
            return Self::exactly(end - 1);
        }
        self.shares[..end].iter_mut().for_each(|share| *share /= sum);
        self
    }

    /// Once it is known that they hold all of the rest, which is this many.
    pub(crate) fn full(places: u32) -> Self {
        Self::exactly(places as usize)
    }

    /// More than this many of a Poisson number are not worth a share.
    fn most_more(&self) -> usize {
        (self.mean + 5.0 * self.mean.sqrt() + 4.0) as usize
    }

    /// Puts the Poisson number into the shares.
    fn add_up(&mut self) {
        if self.mean <= NO_MEAN {
            self.mean = 0.0;
            return;
        }
        let mut of_more = [0.0f32; MOST + 1];
        let mut last = 0;
        for (n, term) in poisson(self.mean).take(MOST + 1).enumerate() {
            of_more[n] = term as f32;
            last = n;
            if (term as f32) < LEAST && n as f64 > self.mean {
                break;
            }
        }
        let before = self.shares;
        let from = self.top;
        self.shares = [0.0; MOST + 1];
        for (n, share) in before[..=from].iter().enumerate().filter(|(_, share)| **share >= LEAST) {
            for (more, part) in of_more[..=last].iter().enumerate() {
                self.shares[(n + more).min(MOST)] += share * part;
            }
        }
        self.top = (from + last).min(MOST);
        self.mean = 0.0;
        self.trim();
    }

    fn trim(&mut self) {
        while self.top > 0 && self.shares[self.top] < LEAST {
            self.shares[self.top] = 0.0;
            self.top -= 1;
        }
    }
}

/// Shares of 0, 1, 2 and so on, by a Poisson distribution.
fn poisson(mean: f64) -> impl Iterator<Item = f64> {
    let mut term = (-mean).exp();
    (1..).map(move |n| {
        let share = term;
        term *= mean / f64::from(n);
        share
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(of: &Foreign) -> f64 {
        let mut of = *of;
        of.add_up();
        of.shares.iter().enumerate().map(|(n, share)| n as f64 * f64::from(*share)).sum()
    }

    #[test]
    fn requests_come_and_places_go() {
        let some = Foreign::NONE.and(3.0);
        assert!((mean(&some) - 3.0).abs() < 0.01 && (some.at_least(1) - (1.0 - (-3f64).exp())).abs() < 1e-3);
        assert!((mean(&some.thinned(0.25)) - 0.75).abs() < 0.01);
        // Each place kept by chance leaves a Poisson number again.
        assert!((some.thinned(0.25).at_least(1) - (1.0 - (-0.75f64).exp())).abs() < 1e-3);
        assert_eq!(Foreign::full(4).less(1.5).at_least(3), 0.5);
        assert_eq!(Foreign::full(4).less(9.0), Foreign::NONE);
    }

    #[test]
    fn what_passed_bounds_them() {
        let some = Foreign::NONE.and(3.0).below(2);
        assert_eq!(some.at_least(2), 0.0);
        assert!((some.at_least(1) - 0.75).abs() < 1e-3, "1 : 3");
        assert_eq!(Foreign::full(7).below(3).at_least(2), 1.0);
    }
}
