//! What the inference found, as evidence.

use landfall_evidence::{
    Alignment, ClassWeight, Estimated, Interval, LimiterClass, RateBudget, RateEstimate, RateFit,
    ScopeAnswer, StatedLimit, Unseparated, UnseparatedWhy,
};
use landfall_limiter::{Fit, Quantity, Stop};

use super::headers::Stated;

/// What a run adds to a fit.
pub(super) struct Around {
    pub(super) deep: bool,
    pub(super) stop: Option<Stop>,
    pub(super) refused: bool,
    pub(super) stated: Vec<Stated>,
    /// What each answer states to be left, in order.
    pub(super) left: Vec<u32>,
    pub(super) scope: Vec<ScopeAnswer>,
    pub(super) budget: RateBudget,
    pub(super) used: RateBudget,
}

/// More than this chance that others use the quota is told.
const OTHERS_LIKELY: f64 = 0.5;

/// Numbers of what is left that are shown as a proof.
const SHOWN: usize = 8;

/// Above this chance it is said that counters take requests in turn.
const IN_TURN: f64 = 0.9;

/// What answers state to be left, around the first number that is not less than the one before it, where several counters are most
/// likely.
///
/// A window that ends, a place that frees and others' requests change such numbers too. Which of these it was is weighed with all
/// else by the inference; this is what a person can see of it.
fn numbers_of_several(fit: &Fit, left: &[u32]) -> Option<String> {
    if fit.best().0 != LimiterClass::SeveralCounters {
        return None;
    }
    let turn = left.windows(2).position(|pair| pair[1] >= pair[0])?;
    let from = (turn + 4).saturating_sub(SHOWN);
    let numbers: Vec<String> = left[from..].iter().take(SHOWN).map(ToString::to_string).collect();
    Some(numbers.join(", "))
}

/// Adds what answers state that only several counters explain, or these best. Where nothing was refused this is all that is known of
/// the kind.
pub(super) fn tell_of_several(estimate: &mut RateEstimate, fit: &Fit, left: &[u32], refused: bool) {
    let Some(numbers) = numbers_of_several(fit, left) else { return };
    if !refused {
        estimate.classes = fit.set.clone();
        let most = estimate.fit.as_deref().and_then(|fit| fit.counters).and_then(|counters| counters.high);
        if let (Some(quota), Some(most)) = (estimate.limit.and_then(|limit| limit.exact()), most) {
            // One of them may get all requests and refuse by its own quota.
            estimate.limit = Some(Interval { low: quota, high: Some(quota.saturating_mul(most)) });
            estimate.open = vec![format!(
                "the server states a quota of {quota}, which each of its counters has for itself; it was not reached"
            )];
        }
    }
    let so = if fit.set.len() == 1 {
        "so several take turns"
    } else {
        "and several that take turns explain this best"
    };
    let who = if fit.in_turn > IN_TURN {
        "(instances to which a balancer gives requests in turn)"
    } else {
        "(worker processes or instances)"
    };
    estimate.open.insert(
        0,
        format!(
            "one after the other, answers state {numbers} requests left: what one counter has left only falls within a window, {so} \
             that do not know of each other {who}"
        ),
    );
}

pub(super) fn evidence(fit: &Fit, around: Around) -> RateFit {
    let told = numbers_of_several(fit, &around.left).is_some();
    let in_set = |class: LimiterClass| fit.set.contains(&class);
    let only = |class: LimiterClass, quantity: Option<Quantity>| quantity.filter(|_| in_set(class));
    let shaped = in_set(LimiterClass::LeakyBucket);
    let windows = matches!(fit.best().0, LimiterClass::FixedWindow | LimiterClass::SlidingCounter);
    let alignment = match fit.by_clock {
        share if !windows || (0.1..0.9).contains(&share) || !around.refused => None,
        share if share >= 0.9 => Some(Alignment::Clock),
        _ => Some(Alignment::FirstRequest),
    };
    let unseparated = (fit.set.len() > 1)
        .then(|| Unseparated { classes: fit.set.clone(), why: why(fit, &around) })
        .into_iter()
        .collect();
    RateFit {
        deep: around.deep,
        weights: fit
            .weights
            .iter()
            .map(|(class, weight)| ClassWeight { class: *class, permille: permille(*weight) })
            .filter(|weight| weight.permille > 0)
            .collect(),
        set: fit.set.clone(),
        limit: fit.limit.filter(|_| around.refused).map(whole),
        period_ms: fit.period.filter(|_| around.refused).map(milliseconds),
        place_ms: fit.place.filter(|_| around.refused || shaped).map(milliseconds),
        penalty_ms: only(LimiterClass::Penalty, fit.penalty).filter(|_| around.refused).map(milliseconds),
        shaped_ms: only(LimiterClass::LeakyBucket, fit.place).map(milliseconds),
        counters: fit
            .counters
            .filter(|_| fit.best().0 == LimiterClass::SeveralCounters && (around.refused || told))
            .map(|q| whole(q).within),
        alignment,
        others_permille: permille(fit.others),
        stated: around.stated.iter().map(|stated| in_evidence(stated, fit, around.refused)).collect(),
        scope: around.scope,
        unseparated,
        budget: around.budget,
        used: around.used,
    }
}

fn in_evidence(stated: &Stated, fit: &Fit, refused: bool) -> StatedLimit {
    let within = |quantity: Option<Quantity>, value: f64, slack: f64| {
        quantity.is_none_or(|q| q.low * (1.0 - slack) <= value && value <= q.high * (1.0 + slack))
    };
    // Of several counters each states its own.
    let several = fit.best().0 == LimiterClass::SeveralCounters;
    let counters = fit.counters.filter(|_| several).map_or(1.0, |counters| counters.likely.round());
    let holds = stated.quota.filter(|_| refused).map(|quota| {
        within(fit.limit, quota as f64 * counters, 1e-6)
            && stated.window_s.is_none_or(|window| within(fit.period, window as f64, 0.05))
    });
    StatedLimit {
        name: stated.name.clone(),
        field: stated.field.to_owned(),
        quota: stated.quota,
        window_ms: stated.window_s.map(|s| s.saturating_mul(1000)),
        remaining: stated.remaining,
        reset_ms: stated.reset_ms,
        holds,
    }
}

fn why(fit: &Fit, around: &Around) -> UnseparatedWhy {
    use LimiterClass::{FixedWindow, Penalty, SlidingLog};
    let both = |a: LimiterClass, b: LimiterClass| fit.set.contains(&a) && fit.set.contains(&b);
    match around.stop {
        _ if !around.refused => UnseparatedWhy::NotReached,
        _ if !around.deep => UnseparatedWhy::StoppedAtFirstRefusal,
        Some(Stop::AskedToWait | Stop::Time) => UnseparatedWhy::ReleaseBeyondTime,
        Some(Stop::Requests | Stop::Refusals) => UnseparatedWhy::BudgetSpent,
        _ if fit.others > OTHERS_LIKELY => UnseparatedWhy::OthersTraffic,
        _ if both(FixedWindow, Penalty) || both(SlidingLog, Penalty) => UnseparatedWhy::PenaltyEqualsWindow,
        _ if both(FixedWindow, SlidingLog) => UnseparatedWhy::BurstShort,
        _ if short_of_requests(fit, around) => UnseparatedWhy::RequestsShort,
        _ => UnseparatedWhy::ReleaseBeyondTime,
    }
}

/// Whether what is left of the requests does not reach the limit once more.
fn short_of_requests(fit: &Fit, around: &Around) -> bool {
    let left = around.budget.requests.saturating_sub(around.used.requests);
    fit.limit.is_some_and(|limit| f64::from(left) < limit.low)
}

fn words(why: UnseparatedWhy) -> &'static str {
    match why {
        UnseparatedWhy::NotReached => "no request was refused",
        UnseparatedWhy::StoppedAtFirstRefusal => {
            "what tells them apart comes after the first refusal, where this run stopped"
        }
        UnseparatedWhy::ReleaseBeyondTime => "the next release lies beyond the time of this run",
        UnseparatedWhy::BudgetSpent => "the requests or refusals that this run allows itself were spent",
        UnseparatedWhy::RequestsShort => "fewer requests are left than another refusal takes",
        UnseparatedWhy::OthersTraffic => "requests of others on the same quota blur the releases",
        UnseparatedWhy::PenaltyEqualsWindow => "a penalty as long as the window looks like the window",
        UnseparatedWhy::BurstShort => "the burst took so little of the window that all places free at once",
    }
}

/// The estimate in short, from the same fit.
pub(super) fn estimate(fit: &Fit, found: RateFit) -> RateEstimate {
    let mut open: Vec<String> = found
        .unseparated
        .iter()
        .map(|u| {
            let names: Vec<String> = u.classes.iter().map(ToString::to_string).collect();
            format!("the kind of limiter is one of {}: {}", names.join(", "), words(u.why))
        })
        .collect();
    if fit.others > OTHERS_LIKELY {
        open.push(
            "others seem to use the same quota, so the limit is larger than what passed of these requests"
                .into(),
        );
    }
    for stated in found.stated.iter().filter(|stated| stated.holds == Some(false)) {
        if let Some(quota) = stated.quota {
            open.push(format!("the server states a quota of {quota}, which the answers do not bear out"));
        }
    }
    let share = (fit.limit_share * 100.0).floor().clamp(0.0, 99.0) as u8;
    RateEstimate {
        limit: found.limit.map(|limit| limit.within),
        window_ms: found.period_ms.map(|period| period.within),
        classes: if found.limit.is_some() || fit.best().0 == LimiterClass::LeakyBucket {
            found.set.clone()
        } else {
            Vec::new()
        },
        confidence_percent: if found.limit.is_some() { share } else { 0 },
        open,
        fit: Some(Box::new(found)),
    }
}

fn permille(share: f64) -> u16 {
    (share * 1000.0).round().clamp(0.0, 1000.0) as u16
}

fn whole(quantity: Quantity) -> Estimated {
    let near = |value: f64| value.round().max(0.0) as u64;
    Estimated {
        likely: near(quantity.likely),
        within: Interval { low: near(quantity.low), high: Some(near(quantity.high)) },
    }
}

fn milliseconds(quantity: Quantity) -> Estimated {
    let ms = |s: f64| s * 1000.0;
    whole(Quantity { likely: ms(quantity.likely), low: ms(quantity.low), high: ms(quantity.high) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_only_fall_are_no_proof() {
        let fit = |class| {
            let mut fit = landfall_limiter::Posterior::new(1).fit();
            fit.weights.insert(0, (class, 1.0));
            fit
        };
        let several = fit(LimiterClass::SeveralCounters);
        let shown = |left: &[u32]| numbers_of_several(&several, left);
        assert_eq!(shown(&[9, 9, 8, 7, 8]).as_deref(), Some("9, 9, 8, 7, 8"));
        assert_eq!(shown(&[9, 8, 7, 6, 5, 4, 3, 2, 8, 1]).as_deref(), Some("6, 5, 4, 3, 2, 8, 1"));
        assert_eq!(shown(&[9, 8, 7]), None);
        assert_eq!(shown(&[]), None);
        assert_eq!(numbers_of_several(&fit(LimiterClass::TokenBucket), &[9, 9, 8]), None);
    }
}
