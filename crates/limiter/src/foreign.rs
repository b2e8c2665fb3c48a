//! Others' part of a quota: how many of the places in use they hold, as a distribution.
//!
//! Their requests are not seen. What is seen is that one of ours passed, so that they had not filled the rest, or that it was
//! refused, so that they had filled exactly the rest: a limiter never holds more than its limit. Each answer therefore narrows
//! the distribution, and a second refusal in the same window is no second surprise.

/// The most places that are told apart.
pub(crate) const MOST: usize = 40;
/// Shares below this are left out.
const LEAST: f32 = 1e-5;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Foreign {
    /// Share of each number of places.
    shares: [f32; MOST + 1],
    /// The largest number with a share.
    top: usize,
}

impl Foreign {
    pub(crate) const NONE: Self = {
        let mut shares = [0.0; MOST + 1];
        shares[0] = 1.0;
        Self { shares, top: 0 }
    };

    fn exactly(places: usize) -> Self {
        let mut shares = [0.0; MOST + 1];
        let top = places.min(MOST);
        shares[top] = 1.0;
        Self { shares, top }
    }

    /// After as many more requests as chance has it, `mean` of them on average.
    pub(crate) fn and(&self, mean: f64) -> Self {
        if mean <= 1e-6 {
            return *self;
        }
        let mut of_more = [0.0f32; MOST + 1];
        let mut term = (-mean).exp() as f32;
        let mut last = 0;
        for (n, share) in of_more.iter_mut().enumerate() {
            *share = term;
            last = n;
            term *= mean as f32 / (n + 1) as f32;
            if term < LEAST && n as f64 > mean {
                break;
            }
        }
        let mut sum = Self { shares: [0.0; MOST + 1], top: (self.top + last).min(MOST) };
        for (n, share) in self.shares[..=self.top].iter().enumerate().filter(|(_, share)| **share >= LEAST) {
            for (more, part) in of_more[..=last].iter().enumerate() {
                sum.shares[(n + more).min(MOST)] += share * part;
            }
        }
        sum.trimmed()
    }

    /// After each place was kept with this chance.
    pub(crate) fn thinned(&self, keep: f64) -> Self {
        if keep >= 1.0 - 1e-6 || self.top == 0 {
            return *self;
        }
        if keep <= 1e-6 {
            return Self::NONE;
        }
        // Horner's rule on the generating function, whose variable z becomes 1 - keep + keep z.
        let (stay, go) = (keep as f32, 1.0 - keep as f32);
        let mut left = [0.0f32; MOST + 1];
        for n in (0..=self.top).rev() {
            for k in (1..=self.top - n).rev() {
                left[k] = go * left[k] + stay * left[k - 1];
            }
            left[0] = go * left[0] + self.shares[n];
        }
        Self { shares: left, top: self.top }.trimmed()
    }

    /// After this many places were freed.
    pub(crate) fn less(&self, places: f64) -> Self {
        if places <= 0.0 || self.top == 0 {
            return *self;
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
        Self { shares: left, top: self.top }.trimmed()
    }

    /// Chance that they hold at least this many.
    pub(crate) fn at_least(&self, places: u32) -> f64 {
        match places as usize {
            0 => 1.0,
            n if n > self.top => 0.0,
            n => f64::from(self.shares[n..=self.top].iter().sum::<f32>()).min(1.0),
        }
    }

    /// Once it is known that they hold fewer than this many.
    pub(crate) fn below(&self, places: u32) -> Self {
        let end = (places as usize).clamp(1, MOST + 1);
        if end > self.top {
            return *self;
        }
        let mut left = *self;
        left.shares[end..].fill(0.0);
        left.top = end - 1;
        let sum: f32 = left.shares[..end].iter().sum();
        // Not foreseen at all: then nearly everything is taken.
        if sum < LEAST { Self::exactly(end - 1) } else { left.scaled(1.0 / sum) }
    }

    /// Once it is known that they hold all of the rest, which is this many.
    pub(crate) fn full(places: u32) -> Self {
        Self::exactly(places as usize)
    }

    fn scaled(mut self, by: f32) -> Self {
        self.shares[..=self.top].iter_mut().for_each(|share| *share *= by);
        self
    }

    fn trimmed(mut self) -> Self {
        while self.top > 0 && self.shares[self.top] < LEAST {
            self.shares[self.top] = 0.0;
            self.top -= 1;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(of: &Foreign) -> f64 {
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
