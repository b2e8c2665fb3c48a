//! Whether a share of belief is what it says: of all names given at 80 %, are 80 % right?

use schemars::JsonSchema;
use serde::Serialize;

/// Bins of the reliability table; five, so that each holds enough names in a corpus of a few hundred worlds.
const BINS: usize = 5;

/// A name that was given, with how sure it was, whether it was right, and how much it counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim {
    pub(super) confidence: f64,
    pub(super) right: bool,
    pub(super) weight: f64,
}

/// How well confidence and truth agree.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Calibration {
    /// The reliability table.
    pub bins: Vec<Bin>,
    /// Expected calibration error: the distance between mean confidence and share of right names in each bin, weighted by
    /// how many names it holds. `None` without a name.
    pub error: Option<f64>,
    /// Brier score: the mean square of confidence minus truth (1 or 0). `None` without a name.
    pub brier: Option<f64>,
}

/// Names of about the same confidence.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Bin {
    /// From this confidence on.
    pub low: f64,
    /// Up to and without this one; the last bin holds 1 as well.
    pub high: f64,
    /// Names in it.
    pub names: usize,
    /// Their mean confidence.
    pub confidence: Option<f64>,
    /// The share of them that is right.
    pub right: Option<f64>,
}

pub(super) fn calibration(claims: &[Claim]) -> Calibration {
    let total: f64 = claims.iter().map(|claim| claim.weight).sum();
    let mut error = 0.0;
    let mut bins = Vec::with_capacity(BINS);
    for at in 0..BINS {
        let inside: Vec<&Claim> = claims.iter().filter(|claim| bin_of(claim.confidence) == at).collect();
        let weight: f64 = inside.iter().map(|claim| claim.weight).sum();
        let mean =
            |value: fn(&Claim) -> f64| inside.iter().map(|c| value(c) * c.weight).sum::<f64>() / weight;
        let (confidence, right) = (mean(|c| c.confidence), mean(|c| f64::from(u8::from(c.right))));
        if weight > 0.0 {
            error += weight / total * (confidence - right).abs();
        }
        let known = |value: f64| (weight > 0.0).then(|| super::figures::rounded(value));
        bins.push(Bin {
            low: at as f64 / BINS as f64,
            high: (at + 1) as f64 / BINS as f64,
            names: inside.len(),
            confidence: known(confidence),
            right: known(right),
        });
    }
    let square = |c: &Claim| (c.confidence - f64::from(u8::from(c.right))).powi(2) * c.weight;
    let any = total > 0.0;
    Calibration {
        bins,
        error: any.then(|| super::figures::rounded(error)),
        brier: any.then(|| super::figures::rounded(claims.iter().map(square).sum::<f64>() / total)),
    }
}

fn bin_of(confidence: f64) -> usize {
    // A confidence is 0 to 1; the cast saturates, so that a broken one lands at an end.
    ((confidence * BINS as f64) as usize).min(BINS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(confidence: f64, right: bool) -> Claim {
        Claim { confidence, right, weight: 1.0 }
    }

    #[test]
    fn sure_and_right_is_perfect_and_sure_and_wrong_is_not() {
        let perfect = calibration(&[claim(1.0, true), claim(1.0, true), claim(0.0, false)]);
        assert_eq!((perfect.error, perfect.brier), (Some(0.0), Some(0.0)));
        let wrong = calibration(&[claim(0.9, false)]);
        assert_eq!((wrong.error, wrong.brier), (Some(0.9), Some(0.81)));
        assert_eq!(wrong.bins[4].names, 1);
    }

    #[test]
    fn half_right_at_a_half_is_calibrated() {
        let even = calibration(&[claim(0.5, true), claim(0.5, false)]);
        assert_eq!((even.error, even.brier), (Some(0.0), Some(0.25)));
    }

    #[test]
    fn bins_are_weighted_by_what_they_hold() {
        let mut claims = vec![claim(0.9, true); 9];
        claims.push(Claim { weight: 1.0, ..claim(0.1, true) });
        // 0.9 of the weight is off by 0.1, 0.1 of it by 0.9.
        assert_eq!(calibration(&claims).error, Some(0.18));
        claims[9].weight = 0.0;
        assert_eq!(calibration(&claims).error, Some(0.1));
    }

    #[test]
    fn without_a_name_there_is_no_figure() {
        let none = calibration(&[]);
        assert_eq!((none.error, none.brier), (None, None));
        assert_eq!(none.bins.len(), BINS);
    }
}
