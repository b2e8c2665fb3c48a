//! What a posterior says, in figures.

use landfall_evidence::LimiterClass;

use crate::hypothesis::Hypothesis;
use crate::posterior::{Cloud, Posterior};

/// Kinds are reported while those left out together weigh less than this.
const LEFT_OUT: f64 = 0.015;

/// A quantity with the interval that holds 95 % of its weight, or 97 % of a limit's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantity {
    /// The most likely value.
    pub likely: f64,
    /// 2.5 % lie below.
    pub low: f64,
    /// 2.5 % lie above.
    pub high: f64,
}

impl Quantity {
    /// Width of the interval as a part of the value.
    pub fn relative_width(&self) -> f64 {
        (self.high - self.low) / self.likely.max(1e-9)
    }
}

/// What is believed of the limiter. Times are in seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// Every kind with its weight, most likely first.
    pub weights: Vec<(LimiterClass, f64)>,
    /// The kinds that together hold nearly all of the weight, most likely first.
    pub set: Vec<LimiterClass>,
    /// Requests that pass from a quiet start before the first refusal; of several counters all together.
    pub limit: Option<Quantity>,
    /// Weight of the most likely limit.
    pub limit_share: f64,
    /// Window, or time to fill a bucket.
    pub period: Option<Quantity>,
    /// Time until one more passes, for buckets and queues.
    pub place: Option<Quantity>,
    /// How long everything is refused after a trip.
    pub penalty: Option<Quantity>,
    /// Counters that share the traffic.
    pub counters: Option<Quantity>,
    /// Chance that there are several counters that take requests in turn, as behind a balancer's round robin.
    pub in_turn: f64,
    /// Chance that the clock cuts the windows, for kinds with windows.
    pub by_clock: f64,
    /// Chance that others use the same quota.
    pub others: f64,
}

impl Fit {
    /// The most likely kind and its weight.
    pub fn best(&self) -> (LimiterClass, f64) {
        self.weights[0]
    }
}

impl Posterior {
    /// The figures.
    pub fn fit(&self) -> Fit {
        let shares = self.weights();
        let mut weights: Vec<(LimiterClass, f64)> =
            self.clouds.iter().zip(&shares).map(|(cloud, share)| (cloud.class, *share)).collect();
        weights.sort_by(|a, b| b.1.total_cmp(&a.1));
        let mut set = Vec::new();
        let mut held = 0.0;
        for (class, weight) in &weights {
            if held > 1.0 - LEFT_OUT {
                break;
            }
            set.push(*class);
            held += weight;
        }
        let members: Vec<(f64, &Hypothesis)> = self
            .clouds
            .iter()
            .zip(&shares)
            .filter(|(cloud, _)| set.contains(&cloud.class))
            .flat_map(|(cloud, share)| {
                let within = cloud.weights();
                cloud.members.iter().zip(within).map(move |(m, w)| (share * w, &m.hypothesis))
            })
            .collect();
        let best = weights[0].0;
        let over = |of_kind: &dyn Fn(LimiterClass) -> bool, value: &dyn Fn(&Hypothesis) -> f64| {
            let all = members.iter().filter(|(_, h)| of_kind(h.class)).map(|(w, h)| (*w, value(h)));
            let of_best = members
                .iter()
                .filter(|(_, h)| h.class == best && of_kind(h.class))
                .map(|(w, h)| (*w, value(h)));
            quantity(all.collect(), of_best.collect(), TAIL)
        };
        let share_of = |what: &dyn Fn(&Hypothesis) -> bool| {
            let sum: f64 = members.iter().map(|(w, _)| w).sum();
            members.iter().filter(|(_, h)| what(h)).map(|(w, _)| w).sum::<f64>() / sum
        };
        use LimiterClass::{LeakyBucket, Penalty, SeveralCounters, TokenBucket};
        let (limit, limit_share) = limit(&members, best, &self.limits_of_several);
        Fit {
            limit,
            limit_share,
            // In which window a penalty counts says nothing of how long others' windows are.
            period: over(&|c| c != LeakyBucket && (c != Penalty || best == Penalty), &|h| h.of.period),
            place: over(&|c| matches!(c, LeakyBucket | TokenBucket), &|h| h.of.place()),
            penalty: over(&|c| c == Penalty, &|h| h.of.penalty),
            counters: over(&|c| c == SeveralCounters, &|h| f64::from(h.of.counters)),
            in_turn: share_of(&|h| h.of.in_turn),
            by_clock: share_of(&|h| h.of.by_clock),
            others: share_of(&|h| h.of.others > 0.0),
            weights,
            set,
        }
    }
}

/// The period of one kind.
pub(crate) fn period(cloud: &Cloud) -> Option<Quantity> {
    let periods = cloud.members.iter().zip(cloud.weights()).map(|(m, w)| (w, m.hypothesis.of.period));
    quantity(periods.collect(), Vec::new(), TAIL)
}

/// The limit of all kinds but queues, with the weight of the most likely. `of_several` stands in place of what the cloud of
/// several counters says, unless it is empty.
fn limit(
    members: &[(f64, &Hypothesis)],
    best: LimiterClass,
    of_several: &[(u32, f64)],
) -> (Option<Quantity>, f64) {
    use LimiterClass::{LeakyBucket, SeveralCounters};
    let replaced = |class: LimiterClass| class == SeveralCounters && !of_several.is_empty();
    let total = |h: &Hypothesis| f64::from(h.of.all_together());
    let weight: f64 = members.iter().filter(|(_, h)| replaced(h.class)).map(|(w, _)| w).sum();
    let mut all: Vec<(f64, f64)> =
        of_several.iter().map(|(total, w)| (weight * w, f64::from(*total))).collect();
    let kept = |of: &dyn Fn(LimiterClass) -> bool| {
        let kept =
            members.iter().filter(|(_, h)| h.class != LeakyBucket && !replaced(h.class) && of(h.class));
        kept.map(|(w, h)| (*w, total(h))).collect::<Vec<_>>()
    };
    all.extend(kept(&|_| true));
    let of_best = kept(&|class| class == best);
    let mut limit = quantity(all.clone(), of_best.clone(), TAIL_OF_LIMIT);
    let first_of_several = of_several.first().filter(|_| replaced(best)).map(|(total, _)| f64::from(*total));
    if let (Some(limit), Some(likely)) = (&mut limit, first_of_several.or_else(|| plainly_likeliest(of_best)))
    {
        *limit = Quantity { likely, low: limit.low.min(likely), high: limit.high.max(likely) };
    }
    let sum: f64 = members.iter().map(|(w, _)| w).sum();
    let of_likely = all.iter().filter(|(_, total)| limit.is_some_and(|l| l.likely == *total));
    (limit, of_likely.map(|(w, _)| w).sum::<f64>() / sum)
}

/// Share left out at either end of an interval.
const TAIL: f64 = 0.025;
/// The same of a limit. Clouds of finite size are narrower than what they stand for, and too narrow a limit is the costlier mistake.
const TAIL_OF_LIMIT: f64 = 0.015;

/// The interval of all values, with the most likely of the best kind's, or of all when the best kind has none.
fn quantity(mut all: Vec<(f64, f64)>, best: Vec<(f64, f64)>, tail: f64) -> Option<Quantity> {
    all.sort_by(|a, b| a.1.total_cmp(&b.1));
    let sum: f64 = all.iter().map(|(w, _)| w).sum();
    if all.is_empty() || sum <= 0.0 {
        return None;
    }
    let quantile = |share: f64| {
        let mut held = 0.0;
        all.iter()
            .find(|(w, _)| {
                held += w;
                held >= share * sum
            })
            .map_or(all[all.len() - 1].1, |(_, value)| *value)
    };
    let likely = mode(if best.is_empty() { all.clone() } else { best });
    Some(Quantity { likely, low: quantile(tail).min(likely), high: quantile(1.0 - tail).max(likely) })
}

/// The whole number with the most weight, where it has a good part of it: between 2 and 4 lies nothing that is as likely.
fn plainly_likeliest(mut values: Vec<(f64, f64)>) -> Option<f64> {
    values.sort_by(|a, b| a.1.total_cmp(&b.1));
    let sum: f64 = values.iter().map(|(weight, _)| weight).sum();
    let weights = values.chunk_by(|a, b| a.1 == b.1).map(|same| {
        let weight: f64 = same.iter().map(|(weight, _)| weight).sum();
        (weight, same[0].1)
    });
    let (weight, value) = weights.max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)))?;
    (weight >= PLAINLY * sum).then_some(value)
}

/// Part of the weight from which on one value is taken for the likeliest, whatever lies around it.
const PLAINLY: f64 = 0.2;

/// Middle of the narrowest interval that holds half of the weight.
fn mode(mut values: Vec<(f64, f64)>) -> f64 {
    values.sort_by(|a, b| a.1.total_cmp(&b.1));
    let half = values.iter().map(|(w, _)| w).sum::<f64>() / 2.0;
    let (mut best, mut narrowest) = (values[0].1, f64::INFINITY);
    let (mut end, mut held) = (0, 0.0);
    for begin in 0..values.len() {
        while held < half && end < values.len() {
            held += values[end].0;
            end += 1;
        }
        if held < half {
            break;
        }
        let (low, high) = (values[begin].1, values[end - 1].1);
        let width = (high / low.max(1e-9)).ln();
        if width < narrowest {
            // The median of the half, so that whole numbers stay whole.
            let (mut reached, target) = (0.0, half / 2.0);
            let middle = values[begin..end].iter().find(|(w, _)| {
                reached += w;
                reached >= target
            });
            (best, narrowest) = (middle.map_or(low, |m| m.1), width);
        }
        held -= values[begin].0;
    }
    best
}
