//! What limiters are like before anything was seen of this one, and how a hypothesis is varied.

use landfall_evidence::LimiterClass;

use crate::foreign::MOST;
use crate::history::Gaps;
use crate::hypothesis::{Hypothesis, LUCKS, MOST_COUNTERS, Parameters, Reset};
use crate::random::Random;

/// Periods that people write down, in seconds.
const USUAL: [f64; 16] =
    [1.0, 2.0, 3.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 180.0, 300.0, 600.0, 900.0, 1800.0, 3600.0];
/// Times for one place of a bucket that people write down, in seconds: so many a second, so many a minute, or the time itself.
const USUAL_PLACES: [f64; 25] = [
    0.01, 0.02, 0.04, 0.05, 0.1, 0.125, 0.2, 0.25, 0.333, 0.5, 0.6, 1.0, 1.2, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0,
    10.0, 12.0, 15.0, 20.0, 30.0, 60.0,
];
/// Share of buckets that are written down by the time for a place and a size (nginx, governor), and not by how many within which
/// time.
const SHARE_BY_PLACE: f64 = 0.5;
/// Share of limiters whose period is one of these.
const SHARE_OF_USUAL: f64 = 0.7;
/// How closely a real timer keeps to what was written down, as a part of it.
const CLOSENESS: f64 = 0.001;
const SHORTEST: f64 = 0.3;
const LONGEST: f64 = 7200.0;
/// Bounds of the time between two releases of a queue.
const SHORTEST_PACE: f64 = 0.05;
const LONGEST_PACE: f64 = 600.0;
const LARGEST_LIMIT: f64 = 400.0;
/// Requests by others in one period, at most.
const MOST_OF_OTHERS: f64 = 0.7 * MOST as f64;
/// How many counters there are where there are several, with the share of each: most often two.
pub(crate) const COUNTERS: [(u32, f64); 3] = [(2, 0.5), (3, 0.25), (4, 0.25)];
/// Share of several counters that a balancer in front of them has take requests in turn.
const SHARE_IN_TURN: f64 = 0.3;
/// Chance that others use the same quota.
const SHARE_OF_OTHERS: f64 = 0.2;

/// Chance that what answers state of the requests left is said of the limiter that refuses.
const SHARE_TOLD: f64 = 0.85;

pub(crate) fn draw(class: LimiterClass, random: &mut Random) -> Hypothesis {
    let counters = if class == LimiterClass::SeveralCounters { counters(random) } else { 1 };
    // Of a queue that is asked one at a time only its pace shows.
    let queue = class == LimiterClass::LeakyBucket;
    let limit = if queue { 1 } else { limit(random, f64::from(counters)) };
    let by_place = class == LimiterClass::TokenBucket && random.chance(SHARE_BY_PLACE);
    let period = match () {
        () if queue => random.log_between(SHORTEST_PACE, LONGEST_PACE),
        () if by_place => {
            (usual_or_any(random, &USUAL_PLACES) * f64::from(limit)).clamp(1.01 * SHORTEST, 0.99 * LONGEST)
        }
        () => period(random),
    };
    let others = others(class, random, limit, period);
    let of = Parameters {
        limit,
        period,
        phase: random.between(0.0, period),
        by_clock: clock_may_cut(class) && random.chance(0.5),
        counts_refused: may_count_refused(class) && random.chance(0.3),
        penalty: if class == LimiterClass::Penalty { self::period(random) } else { 0.0 },
        others,
        counters,
        in_turn: class == LimiterClass::SeveralCounters && random.chance(SHARE_IN_TURN),
        luck: lucks(random),
        rounds_down: random.chance(0.5),
        told: random.chance(SHARE_TOLD),
        // Given to a cloud with the first answer that states one.
        reset: Reset::Other,
    };
    Hypothesis::new(class, of)
}

fn counters(random: &mut Random) -> u8 {
    let mut left = random.unit();
    let drawn = COUNTERS.iter().find(|(_, share)| {
        left -= share;
        left < 0.0
    });
    drawn.map_or(MOST_COUNTERS as u8, |(counters, _)| *counters as u8)
}

fn limit(random: &mut Random, counters: f64) -> u32 {
    (random.log_between(1.0, LARGEST_LIMIT / counters) + 0.5) as u32
}

fn period(random: &mut Random) -> f64 {
    usual_or_any(random, &USUAL)
}

fn usual_or_any(random: &mut Random, usual: &[f64]) -> f64 {
    if random.chance(SHARE_OF_USUAL) {
        usual[random.below(usual.len())] * (1.0 + CLOSENESS * random.normal())
    } else {
        random.log_between(SHORTEST, LONGEST)
    }
}

fn others(class: LimiterClass, random: &mut Random, limit: u32, period: f64) -> f64 {
    let possible = !matches!(class, LimiterClass::LeakyBucket | LimiterClass::SeveralCounters);
    if possible && random.chance(SHARE_OF_OTHERS) {
        (random.log_between(0.03, 0.6) * f64::from(limit)).min(MOST_OF_OTHERS) / period
    } else {
        0.0
    }
}

fn lucks(random: &mut Random) -> [f32; LUCKS] {
    std::array::from_fn(|_| random.unit() as f32)
}

fn clock_may_cut(class: LimiterClass) -> bool {
    matches!(class, LimiterClass::FixedWindow | LimiterClass::SlidingCounter)
}

fn may_count_refused(class: LimiterClass) -> bool {
    matches!(class, LimiterClass::SlidingLog | LimiterClass::SlidingCounter)
}

/// Logarithm of the prior density, by the logarithm of the period. What the server states may be larger than anything that is looked for.
pub(crate) fn log_density(class: LimiterClass, of: &Parameters, stated: Option<(u32, Option<f64>)>) -> f64 {
    let limit = f64::from(of.limit);
    let is_stated = stated.is_some_and(|(quota, _)| quota == of.limit);
    if of.limit == 0 || (limit * f64::from(of.counters) > LARGEST_LIMIT && !is_stated) {
        return f64::NEG_INFINITY;
    }
    if class == LimiterClass::LeakyBucket {
        let possible = (SHORTEST_PACE..=LONGEST_PACE).contains(&of.period);
        return if possible { of_stated(of, stated) } else { f64::NEG_INFINITY };
    }
    // Whole numbers from a logarithmic density.
    let mut density = -limit.ln();
    density += if class == LimiterClass::TokenBucket {
        let by_place = density_of(of.place(), &USUAL_PLACES);
        let possible = (SHORTEST..=LONGEST).contains(&of.period);
        let both = (1.0 - SHARE_BY_PLACE) * density_of(of.period, &USUAL) + SHARE_BY_PLACE * by_place;
        if possible { both.ln() } else { f64::NEG_INFINITY }
    } else {
        of_period(of.period)
    };
    if class == LimiterClass::Penalty {
        density += of_period(of.penalty);
    }
    if of.by_clock {
        density -= of.period.ln();
    }
    if class == LimiterClass::SeveralCounters {
        density += if of.in_turn { SHARE_IN_TURN } else { 1.0 - SHARE_IN_TURN }.ln();
    }
    let told = if of.told { SHARE_TOLD } else { 1.0 - SHARE_TOLD };
    density + of_others(of) + told.ln() + of.reset.share().ln() + of_stated(of, stated)
}

/// Logarithm of how much likelier a hypothesis is because the server states the same.
fn of_stated(of: &Parameters, stated: Option<(u32, Option<f64>)>) -> f64 {
    let Some((quota, window)) = stated else { return 0.0 };
    // Of several counters each states its own.
    let limit = of.limit == quota;
    let period = window.is_some_and(|window| (of.period / window).ln().abs() < 4.0 * CLOSENESS);
    f64::from(limit) * 100f64.ln() + f64::from(period) * 100f64.ln()
}

fn of_others(of: &Parameters) -> f64 {
    if of.others > 0.0 { SHARE_OF_OTHERS.ln() } else { (1.0 - SHARE_OF_OTHERS).ln() }
}

fn of_period(period: f64) -> f64 {
    if !(SHORTEST..=LONGEST).contains(&period) {
        return f64::NEG_INFINITY;
    }
    density_of(period, &USUAL).ln()
}

/// Density of a time, by its logarithm, where these are usual.
fn density_of(time: f64, usual: &[f64]) -> f64 {
    (1.0 - SHARE_OF_USUAL) / (LONGEST / SHORTEST).ln()
        + SHARE_OF_USUAL / usual.len() as f64 * usualness(time, usual)
}

/// Sum of the densities of times near each usual one.
fn usualness(time: f64, usual: &[f64]) -> f64 {
    let sum: f64 = usual
        .iter()
        .map(|usual| time / usual)
        // A logarithm for each would take most of the time of a step.
        .filter(|ratio| (ratio - 1.0).abs() < 7.0 * CLOSENESS)
        .map(|ratio| (ratio.ln() / CLOSENESS).powi(2))
        .map(|square| (-0.5 * square).exp())
        .sum();
    sum / (CLOSENESS * std::f64::consts::TAU.sqrt())
}

/// Logarithm of how much likelier a phase of windows cut by the clock becomes when the server's clock is known to be
/// within `clock` of ours: usual periods begin at whole multiples since the epoch, others anywhere.
pub(crate) fn of_phase(of: &Parameters, clock: Option<(f64, f64)>) -> f64 {
    let Some((low, high)) = clock.filter(|_| of.by_clock) else { return 0.0 };
    let Some(usual) = usual_near(of.period) else { return 0.0 };
    let slack = 0.1 + 0.002 * usual;
    let width = high - low + 2.0 * slack;
    if width >= usual {
        return 0.0;
    }
    let after = (of.phase + low - slack).rem_euclid(usual);
    // `phase + offset` is a multiple for some offset within the bounds.
    let fits = after == 0.0 || usual - after <= width;
    (if fits { 0.2 + 0.8 * usual / width } else { 0.2 }).ln()
}

fn usual_near(period: f64) -> Option<f64> {
    USUAL.iter().copied().find(|usual| (period / usual).ln().abs() < 4.0 * CLOSENESS)
}

/// What guides a step.
pub(crate) struct Known<'a> {
    /// How far log-periods of the kind spread.
    pub(crate) width: f64,
    /// The last arrival.
    pub(crate) now: f64,
    /// Bounds of (server's clock − ours).
    pub(crate) clock: Option<(f64, f64)>,
    /// Periods that the history suggests.
    pub(crate) gaps: &'a Gaps,
    /// From the first arrival to the first refusal, or to the last arrival.
    pub(crate) trip: f64,
    /// Whether answers state a reset.
    pub(crate) resets: bool,
}

/// A neighbour of a hypothesis, with the logarithm of how much likelier the way back is than the way there.
pub(crate) fn vary(from: &Hypothesis, known: &Known<'_>, random: &mut Random) -> (Parameters, f64) {
    let Known { width, now, clock, gaps, trip, resets } = *known;
    let mut of = from.of;
    let mut back = 0.0;
    let step = match random.below(4) {
        0 => 0.4,
        1 => 0.03,
        2 => 0.004,
        _ => 2.0 * width.max(1e-4),
    };
    let scale = |random: &mut Random| (step * random.normal()).exp();
    match (random.below(9), from.class) {
        (8, LimiterClass::Penalty) if random.chance(0.7) => {
            (of.penalty, back) = suggested(of.penalty, gaps, random)
        }
        (8, _) => (of.period, back) = suggested(of.period, gaps, random),
        (2 | 7, LimiterClass::LeakyBucket) => of.period *= scale(random),
        (0, _) => of.period *= scale(random),
        (1, LimiterClass::TokenBucket) if random.chance(0.5) => {
            let (place, way_back) = near(of.place(), &USUAL_PLACES, random);
            (of.period, back) = (place * f64::from(of.limit), way_back);
        }
        (1, _) => (of.period, back) = near(of.period, &USUAL, random),
        (2, class)
            if class != LimiterClass::SeveralCounters && !gaps.limits.is_empty() && random.chance(0.5) =>
        {
            let likely =
                |limit: u32| f64::from(gaps.limits.contains(&limit)) / gaps.limits.len() as f64 + 0.02;
            of.limit = gaps.limits[random.below(gaps.limits.len())];
            back = likely(from.of.limit).ln() - likely(of.limit).ln();
        }
        (2, LimiterClass::SeveralCounters) if !gaps.limits.is_empty() && random.chance(0.6) => {
            // Between an even share and all of what passed until a refusal.
            let most = gaps.limits[random.below(gaps.limits.len())];
            let least = most / u32::from(of.counters);
            of.limit = (least + random.below((most - least + 1) as usize) as u32).max(1);
        }
        (2, _) => of.limit = shifted(of.limit, random),
        (3 | 4, LimiterClass::TokenBucket) => {
            // What a longer bucket holds more, a slower refill brings less until the trip.
            let refilled = trip / of.place();
            of.limit = shifted(of.limit, random);
            let still = refilled + f64::from(from.of.limit) - f64::from(of.limit);
            if random.chance(0.6) && still > 0.05 && trip > 0.0 {
                of.period = trip / still * f64::from(of.limit);
                back = (refilled / still).ln();
            } else {
                of.period = from.of.place() * f64::from(of.limit);
            }
        }
        (3, class) if clock_may_cut(class) => {
            if random.chance(0.3) {
                of.by_clock = !of.by_clock;
                back = if of.by_clock { of.period.ln() } else { -of.period.ln() };
            }
            let turn = gaps.turns.get(random.below(gaps.turns.len()));
            match (clock, random.below(4)) {
                (Some((low, high)), 0) => {
                    of.phase = -random.between(low - 0.1, high + 0.1).rem_euclid(of.period);
                    back += (high - low + 0.2).ln() - of.period.ln();
                }
                (_, 1) => of.phase = random.between(0.0, of.period),
                (_, 2) if turn.is_some() => {
                    let (low, high) = *turn.unwrap_or(&(0.0, 0.0));
                    of.phase = random.between(low, high);
                    // Now and then with another period.
                    match random.below(4) {
                        0 => (of.period, back) = suggested(of.period, gaps, random),
                        1 => (of.period, back) = near(of.period, &USUAL, random),
                        _ => {}
                    }
                }
                _ => of.phase += of.period * step * random.normal(),
            }
        }
        (4, class) if clock_may_cut(class) => {
            // Keeps the last boundary in its place while the period changes.
            of.phase += ((now - of.phase) / of.period).floor() * of.period;
            if random.chance(0.5) {
                of.period *= scale(random);
            } else {
                (of.period, back) = near(of.period, &USUAL, random);
            }
        }
        (3, LimiterClass::Penalty) => of.penalty *= scale(random),
        (4, LimiterClass::Penalty) => (of.penalty, back) = near(of.penalty, &USUAL, random),
        (5, _) if resets && random.chance(0.4) => {
            of.reset = Reset::at(random.unit());
            back = from.of.reset.share().ln() - of.reset.share().ln();
        }
        (5, _) if random.chance(0.3) => of.told = !of.told,
        (5, LimiterClass::SeveralCounters) => of.in_turn = !of.in_turn,
        (5, class) => {
            if may_count_refused(class) && random.chance(0.5) {
                of.counts_refused = !of.counts_refused;
            } else {
                of.rounds_down = !of.rounds_down;
            }
        }
        (6, _) if of.others > 0.0 && random.chance(0.5) => {
            let n = random.below(LUCKS);
            of.luck[n] = random.unit() as f32;
            if random.chance(0.3) {
                of.luck = lucks(random);
            }
        }
        (6, _) => {
            of.others = others(from.class, random, of.limit, of.period);
            back = of_others(&from.of) - of_others(&of);
        }
        (7, _) if random.chance(0.5) => {
            of.limit = shifted(of.limit, random);
            of.period *= scale(random);
        }
        _ => {
            of.period = period(random);
            back = of_period(from.of.period) - of_period(of.period);
        }
    }
    (of, back)
}

fn shifted(limit: u32, random: &mut Random) -> u32 {
    let by = 1 + random.below(3) as u32;
    if random.chance(0.5) { limit.saturating_add(by) } else { limit.saturating_sub(by) }
}

/// A period that the history suggests; with the logarithm of back by there.
fn suggested(period: f64, gaps: &Gaps, random: &mut Random) -> (f64, f64) {
    let Some((low, high)) = gaps.periods.get(random.below(gaps.periods.len())) else { return (period, 0.0) };
    let to = random.log_between(*low, *high);
    // The way back is there for any period that other steps lead to as well.
    let density = |period: f64| gaps.density(period) + 0.02;
    (to, density(period).ln() - density(to).ln())
}

/// How far [`near`] looks, in log-periods.
const NEAR: f64 = 0.41;

/// Another time within a factor of 1.5, usual ones preferred; with the logarithm of back by there.
fn near(period: f64, usual: &[f64], random: &mut Random) -> (f64, f64) {
    let close = |usual: &&f64| (*usual / period).ln().abs() < NEAR;
    let count = usual.iter().filter(close).count();
    let to = match usual.iter().filter(close).nth(random.below(count)) {
        Some(usual) if random.chance(0.5) => usual * (1.0 + CLOSENESS * random.normal()),
        _ => period * random.between(-NEAR, NEAR).exp(),
    };
    let density = |period: f64| 0.5 / (2.0 * NEAR) + 0.5 * usualness(period, usual) / count.max(1) as f64;
    (to, density(period).ln() - density(to).ln())
}
