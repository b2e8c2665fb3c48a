//! The weight of every kind of limiter, by sequential Monte Carlo.
//!
//! Each kind keeps a cloud of hypotheses. Every answer multiplies a hypothesis's weight by its likelihood; the mean of
//! these factors is the evidence for the kind. When few hypotheses hold most of the weight, the cloud is drawn anew and
//! each member is moved by Metropolis steps against the whole history, so that a cloud never collapses into one guess
//! (Chopin, "A sequential particle filter method for static models", Biometrika 89, 2002).

use landfall_evidence::LimiterClass;

use crate::counters::{self, Counters};
use crate::fit;
use crate::history::{Arrival, Exchange, Gaps, History};
use crate::hypothesis::{Hypothesis, Parameters, Reset, State};
use crate::prior::{self, Known};
use crate::random::Random;

/// Hypotheses of a kind that may be the true one: the more, the less of its evidence is luck.
const CLOUD: usize = 1000;
/// Of a kind with less weight than the first figure, this many times fewer.
const FEWER: [(f64, usize); 2] = [(0.002, 8), (0.02, 3)];
/// How many times more of the kinds whose hypotheses are hardest to come by: one of several counters also says who took each request,
/// and the limit of a sliding counter hangs on where its windows are cut and how it rounds.
const MORE: [(LimiterClass, usize); 2] =
    [(LimiterClass::SeveralCounters, 2), (LimiterClass::SlidingCounter, 2)];
/// Metropolis steps of each hypothesis when its cloud is drawn anew.
const SWEEPS: usize = 4;
/// The cloud is renewed when fewer than this part of it are effective.
const LEAST_EFFECTIVE: f64 = 0.4;
/// Evidence is itself only estimated, by clouds of finite size: repeated with other seeds it differs by a nat or two.
/// Differences are taken for smaller by this factor, so that luck does not look like certainty.
const DOUBT: f64 = 1.9;
/// By how much more where others use the same quota: their requests are weighed by their number alone and not one by one, so
/// that every answer that they had a part in says less than its likelihood.
const MORE_DOUBT: f64 = 4.0;
/// A kind with less weight is not worth the time that its counters take to reckon.
const LEAST_WEIGHT: f64 = 0.01;
/// Where so much of the weight lies on counters that take requests in turn, summing out who took which by chance brings nothing.
const NEARLY_ALL: f64 = 0.95;
/// When a period is known this well, it is known where a trip begins, and another one can be timed by it.
pub(crate) const TIMED: f64 = 0.2;
/// Periods that the limits of several counters are reckoned with, at most.
const PERIODS: usize = 5;
/// Parts into which one answer's likelihood is divided at most.
const MOST_PARTS: usize = 10;

/// A hypothesis and the logarithm of its weight within its kind.
#[derive(Debug, Clone)]
pub(crate) struct Weighed {
    pub(crate) hypothesis: Hypothesis,
    log_weight: f64,
    /// Logarithm of the likelihood of the history as it is weighed just now.
    log_likelihood: f64,
    /// The same of everything before the newest exchange. Only used where that stays the same: not where the counters that took
    /// each request are drawn, and not of a queue, whose delays are held against the shortest latency so far.
    log_past: f64,
}

/// One kind's hypotheses.
#[derive(Debug, Clone)]
pub(crate) struct Cloud {
    pub(crate) class: LimiterClass,
    pub(crate) members: Vec<Weighed>,
    log_evidence: f64,
    /// Quota and window that the server states.
    stated: Option<(u32, Option<f64>)>,
}

/// What is believed of the limiter after a history.
#[derive(Debug, Clone)]
pub struct Posterior {
    pub(crate) history: History,
    pub(crate) clouds: Vec<Cloud>,
    stated: Option<(u32, Option<f64>)>,
    random: Random,
    pub(crate) counters: Counters,
    /// The limits of several counters with their weights, where the whole history says more than the cloud does.
    pub(crate) limits_of_several: Vec<(u32, f64)>,
}

impl Posterior {
    /// Before anything was seen.
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let clouds = LimiterClass::ALL.into_iter().map(|class| Cloud::drawn(class, &mut random)).collect();
        Self {
            history: History::default(),
            clouds,
            stated: None,
            random,
            counters: Counters::default(),
            limits_of_several: Vec::new(),
        }
    }

    /// Takes the next exchange into account, in the order in which the limiter counted them.
    pub fn observe(&mut self, exchange: Exchange) {
        let told_before = self.history.tells_resets();
        self.history.push(exchange);
        if !told_before && self.history.tells_resets() {
            self.clouds.iter_mut().for_each(Cloud::take_meanings);
        }
        let weights = self.weights();
        for (cloud, weight) in self.clouds.iter_mut().zip(weights) {
            cloud.observe(&self.history, size(cloud.class, weight), &mut self.random);
        }
        self.limits_of_several = self.limits_by_counters();
    }

    fn limits_by_counters(&mut self) -> Vec<(u32, f64)> {
        let cloud = self.clouds.iter().position(|cloud| cloud.class == LimiterClass::SeveralCounters);
        let Some(cloud) = cloud.filter(|at| self.weights()[*at] > LEAST_WEIGHT) else { return Vec::new() };
        // What each counter states of its own places says more than how many requests passed by chance.
        if self.history.left_before(self.history.len()).is_some()
            && self.clouds[cloud].share(|of| of.told) > 0.5
        {
            return Vec::new();
        }
        let cloud = &self.clouds[cloud];
        let in_turn = cloud.share(|of| of.in_turn);
        if in_turn > NEARLY_ALL {
            return Vec::new();
        }
        let period = fit::period(cloud).filter(|period| period.relative_width() < TIMED);
        let limits = if period.is_none() {
            // What was known of it before still holds.
            self.counters.limits(&self.history, &[])
        } else {
            let mut periods: Vec<f64> = cloud.sample(PERIODS).iter().map(|h| h.of.period).collect();
            periods.sort_by(f64::total_cmp);
            periods.dedup_by(|next, kept| *next < *kept * 1.002);
            self.counters.limits(&self.history, &periods)
        };
        if limits.is_empty() {
            return limits;
        }
        // These are of counters that take requests by chance; beside them those of the members whose counters take turns.
        let by_chance = limits.into_iter().map(|(limit, weight)| (limit, (1.0 - in_turn) * weight));
        let members = cloud.members.iter().map(|member| &member.hypothesis.of).zip(cloud.weights());
        let taking_turns =
            members.filter(|(of, _)| of.in_turn).map(|(of, weight)| (of.all_together(), weight));
        counters::by_limit(by_chance.chain(taking_turns))
    }

    /// Believes a stated limit: half of every cloud takes it over, and it stays likelier than others from then on.
    pub(crate) fn state(&mut self, quota: u32, window: Option<f64>) {
        if self.stated == Some((quota, window)) || quota == 0 {
            return;
        }
        self.stated = Some((quota, window));
        for cloud in &mut self.clouds {
            cloud.stated = self.stated;
            if self.history.first_refused().is_some() || cloud.class == LimiterClass::LeakyBucket {
                continue;
            }
            for member in cloud.members.iter_mut().step_by(2) {
                let of = &mut member.hypothesis.of;
                of.limit = quota;
                if let Some(window) = window {
                    of.period = window;
                }
                of.others = 0.0;
                member.hypothesis.taken_by.clear();
                member.hypothesis.state = State::default();
                member.log_weight = 0.0;
                for i in 0..self.history.len() {
                    member.log_weight += member.hypothesis.log_likelihood(&self.history, i);
                    member.hypothesis.take(&self.history, i, || self.random.unit());
                }
                member.log_past = member.log_weight;
            }
            // The others were weighed by the same answers already.
            let count = cloud.members.len() as f64;
            let mean =
                log_sum(cloud.members.iter().skip(1).step_by(2).map(|m| m.log_weight)) - (count / 2.0).ln();
            for member in cloud.members.iter_mut().skip(1).step_by(2) {
                member.log_weight += cloud.log_evidence - mean;
            }
            cloud.log_evidence = log_sum(cloud.members.iter().map(|m| m.log_weight)) - count.ln();
        }
    }

    /// The weight of each kind, in the order of [`LimiterClass::ALL`]; they sum to 1.
    pub(crate) fn weights(&self) -> Vec<f64> {
        let plain = self.weights_with(DOUBT);
        let of_others = |cloud: &Cloud| cloud.share(|of| of.others > 0.0);
        let others: f64 =
            self.clouds.iter().zip(&plain).map(|(cloud, weight)| weight * of_others(cloud)).sum();
        self.weights_with(DOUBT + MORE_DOUBT * others)
    }

    fn weights_with(&self, doubt: f64) -> Vec<f64> {
        let most = self.clouds.iter().map(|cloud| cloud.log_evidence).fold(f64::NEG_INFINITY, f64::max);
        let raw: Vec<f64> =
            self.clouds.iter().map(|cloud| ((cloud.log_evidence - most) / doubt).exp()).collect();
        let sum: f64 = raw.iter().sum();
        raw.into_iter().map(|weight| weight / sum).collect()
    }

    /// Hypotheses of every kind, evenly drawn by weight: `count` of each, with the kind's weight.
    pub(crate) fn sample(&self, count: usize) -> Vec<(f64, Vec<&Hypothesis>)> {
        let weights = self.weights();
        self.clouds.iter().zip(weights).map(|(cloud, weight)| (weight, cloud.sample(count))).collect()
    }

    /// Chance of a refusal for a request that arrives then, by one hypothesis.
    pub(crate) fn chance_of_refusal(&self, of: &Hypothesis, arrival: Arrival) -> f64 {
        of.chance_of_refusal(&self.history, self.history.len(), arrival)
    }
}

/// How many hypotheses a kind of this weight is worth.
fn size(class: LimiterClass, weight: f64) -> usize {
    let fewer = FEWER.iter().find(|(below, _)| weight < *below).map_or(1, |(_, times)| *times);
    let more = MORE.iter().find(|(of, _)| *of == class).map_or(1, |(_, times)| *times);
    more * CLOUD / fewer
}

impl Cloud {
    fn drawn(class: LimiterClass, random: &mut Random) -> Self {
        let members = (0..size(class, 1.0))
            .map(|_| Weighed {
                hypothesis: prior::draw(class, random),
                log_weight: 0.0,
                log_likelihood: 0.0,
                log_past: 0.0,
            })
            .collect();
        Self { class, members, log_evidence: 0.0, stated: None }
    }

    /// Takes the newest exchange into account, by as many parts as it needs: a likelihood that only a few hypotheses
    /// survive is raised to its full power step by step, and the cloud is renewed in between.
    /// `size` is the number of hypotheses from here on, when it is drawn anew.
    fn observe(&mut self, history: &History, size: usize, random: &mut Random) {
        let i = history.len() - 1;
        let mut power = 0.0;
        let mut factors: Vec<f64> =
            self.members.iter().map(|m| m.hypothesis.log_likelihood(history, i)).collect();
        for part in 0.. {
            let weights = self.weights();
            let step =
                if part + 1 == MOST_PARTS { 1.0 - power } else { bearable(&weights, &factors, 1.0 - power) };
            power += step;
            let before = log_sum(self.members.iter().map(|m| m.log_weight));
            for (member, factor) in self.members.iter_mut().zip(&factors) {
                member.log_weight += step * factor;
            }
            self.log_evidence += log_sum(self.members.iter().map(|m| m.log_weight)) - before;
            if power >= 1.0 {
                break;
            }
            self.renew(history, power, size, random);
            factors = self.members.iter().map(|m| m.hypothesis.log_likelihood(history, i)).collect();
        }
        for (member, factor) in self.members.iter_mut().zip(&factors) {
            member.log_past += factor;
            // For several counters the choice of the counter is part of the hypothesis from now on.
            member.hypothesis.take(history, i, || random.unit());
        }
    }

    /// Gives every member a meaning of the resets that are stated from now on, each meaning to its share. Neighbours may be copies
    /// of one another, so they take different ones.
    fn take_meanings(&mut self) {
        /// The golden ratio's fraction, by which any number of members are spread evenly.
        const STEP: f64 = 0.618_033_988_749_895;
        for (n, member) in self.members.iter_mut().enumerate() {
            member.hypothesis.of.reset = Reset::at((n as f64 * STEP).fract());
        }
    }

    /// The members' weights within the kind; they sum to 1.
    pub(crate) fn weights(&self) -> Vec<f64> {
        let sum = log_sum(self.members.iter().map(|m| m.log_weight));
        self.members.iter().map(|m| (m.log_weight - sum).exp()).collect()
    }

    /// The weight of members whose parameters are such.
    fn share(&self, such: impl Fn(&Parameters) -> bool) -> f64 {
        let members = self.members.iter().zip(self.weights());
        members.filter(|(m, _)| such(&m.hypothesis.of)).map(|(_, weight)| weight).sum()
    }

    fn sample(&self, count: usize) -> Vec<&Hypothesis> {
        systematic(&self.weights(), count, 0.5).into_iter().map(|i| &self.members[i].hypothesis).collect()
    }

    /// Draws the cloud anew and moves its members, with the newest exchange's likelihood raised to `power`.
    fn renew(&mut self, history: &History, power: f64, size: usize, random: &mut Random) {
        let chosen = systematic(&self.weights(), size, random.unit());
        self.members = chosen.into_iter().map(|i| self.members[i].clone()).collect();
        let width = self.width();
        let gaps = history.gaps();
        let stated = self.stated;
        let several = self.class == LimiterClass::SeveralCounters;
        let changes = several || self.class == LimiterClass::LeakyBucket;
        let sweeps = if several { 2 * SWEEPS } else { SWEEPS };
        for member in &mut self.members {
            member.log_weight = 0.0;
            member.log_likelihood = if changes {
                replay(&mut member.hypothesis, history, power)
            } else {
                member.log_past + power * member.hypothesis.log_likelihood(history, history.len() - 1)
            };
            for _ in 0..sweeps {
                member.step(history, power, (width, &gaps, stated), random);
            }
        }
    }

    /// Standard deviation of the log-periods.
    fn width(&self) -> f64 {
        let logs: Vec<f64> = self.members.iter().map(|m| m.hypothesis.of.period.ln()).collect();
        let mean = logs.iter().sum::<f64>() / logs.len() as f64;
        (logs.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / logs.len() as f64).sqrt()
    }
}

impl Weighed {
    /// One Metropolis step.
    fn step(
        &mut self,
        history: &History,
        power: f64,
        (width, gaps, stated): (f64, &Gaps, Option<(u32, Option<f64>)>),
        random: &mut Random,
    ) {
        let class = self.hypothesis.class;
        let several = class == LimiterClass::SeveralCounters;
        let mut candidate = self.hypothesis.clone();
        let mut back = 0.0;
        if several && random.chance(0.2) {
            // Another counter for some request.
            let i = random.below(candidate.taken_by.len());
            if let Some(w) = candidate.taken_by.get_mut(i) {
                *w = random.below(usize::from(candidate.of.counters)) as u8;
            }
        } else {
            let before = history.before(history.len(), true);
            let now = before.last().copied().unwrap_or(0.0);
            let first = history.first_refused();
            let tripped = first.map_or(now, |i| history.arrival(i).at);
            let trip = tripped - before.first().copied().unwrap_or(now);
            let known =
                Known { width, now, clock: history.clock(), gaps, trip, resets: history.tells_resets() };
            (candidate.of, back) = prior::vary(&candidate, &known, random);
            // The limit follows from the rest and the first refusal, unless others had their part in it.
            let implied =
                first.filter(|_| random.chance(0.6)).and_then(|i| candidate.implied_limit(history, i));
            if let Some(limit) = implied {
                let place = candidate.of.place();
                candidate.of.limit = limit;
                if class == LimiterClass::TokenBucket {
                    candidate.of.period = place * f64::from(limit);
                }
            }
        }
        let prior = prior::log_density(class, &candidate.of, stated)
            - prior::log_density(class, &self.hypothesis.of, stated);
        if !prior.is_finite() {
            return;
        }
        if several && random.chance(0.5) {
            // Draws who took what anew, request by request, given the answers: then what counts is how well each answer
            // was foreseen without knowing who would take it.
            let foreseen = redraw(&mut candidate, history, power, random);
            let mut present = self.hypothesis.clone();
            let taken = std::mem::take(&mut present.taken_by);
            let now_foreseen = foresee(&mut present, history, power, &taken);
            if random.unit().ln() < foreseen - now_foreseen + prior + back {
                self.log_likelihood = replay(&mut candidate, history, power);
                self.hypothesis = candidate;
            }
            return;
        }
        let least = random.unit().ln() + self.log_likelihood - prior - back;
        let Some(log_past) = past_while(&mut candidate, history, least) else { return };
        let log_likelihood = log_past + power * candidate.log_likelihood(history, history.len() - 1);
        if log_likelihood > least {
            (self.hypothesis, self.log_likelihood, self.log_past) = (candidate, log_likelihood, log_past);
        }
    }
}

/// Replays with counters drawn anew, and returns how well the answers were foreseen.
fn redraw(hypothesis: &mut Hypothesis, history: &History, power: f64, random: &mut Random) -> f64 {
    hypothesis.taken_by.clear();
    hypothesis.state = State::default();
    let newest = history.len() - 1;
    let mut sum = LogSum::new(hypothesis.of_the_dates(history, newest), f64::NEG_INFINITY);
    for i in 0..newest {
        sum.add(hypothesis.pass(history, i, || random.unit()));
    }
    sum.log() + power * hypothesis.log_likelihood(history, newest)
}

/// Replays with the counters in `taken`, and returns how well the answers were foreseen.
fn foresee(hypothesis: &mut Hypothesis, history: &History, power: f64, taken: &[u8]) -> f64 {
    hypothesis.state = State::default();
    let newest = taken.len();
    let mut sum = LogSum::new(hypothesis.of_the_dates(history, newest), f64::NEG_INFINITY);
    for (i, by) in taken.iter().enumerate() {
        sum.add(hypothesis.foresee(history, i, *by));
    }
    sum.log() + power * hypothesis.log_likelihood(history, newest)
}

/// Runs a hypothesis through the history up to the newest exchange, and returns the log-likelihood with that of the newest
/// multiplied by `power`.
fn replay(hypothesis: &mut Hypothesis, history: &History, power: f64) -> f64 {
    past_while(hypothesis, history, f64::NEG_INFINITY).unwrap_or(f64::NEG_INFINITY)
        + power * hypothesis.log_likelihood(history, history.len() - 1)
}

/// Runs a hypothesis through everything before the newest exchange, and returns the log-likelihood of that; `None` as soon as it
/// cannot reach `least` any more.
fn past_while(hypothesis: &mut Hypothesis, history: &History, least: f64) -> Option<f64> {
    hypothesis.state = State::default();
    let newest = history.len() - 1;
    // What the delay can still add.
    let least = if hypothesis.can_gain() { f64::NEG_INFINITY } else { least };
    let mut sum = LogSum::new(hypothesis.of_the_dates(history, newest), least);
    for i in 0..newest {
        if sum.is_lost() {
            return None;
        }
        sum.add(hypothesis.pass(history, i, || 0.5));
    }
    Some(sum.log())
}

/// A sum of logarithms that is kept as a product where it can be, because logarithms take most of the time of a replay.
struct LogSum {
    sum: f64,
    product: f64,
    least: f64,
    /// A product below this makes the sum less than `least`.
    floor: f64,
}

/// A product below this is put into the sum, long before it would be too small for a number.
const SMALL: f64 = 1e-200;

impl LogSum {
    fn new(sum: f64, least: f64) -> Self {
        Self { sum, product: 1.0, least, floor: (least - sum).exp() }
    }

    /// Adds the logarithm of a factor, and what is a logarithm already.
    fn add(&mut self, (factor, more): (f64, f64)) {
        self.product *= factor;
        if more != 0.0 || self.product < SMALL {
            self.sum += more + self.product.ln();
            self.product = 1.0;
            self.floor = (self.least - self.sum).exp();
        }
    }

    fn is_lost(&self) -> bool {
        self.product < self.floor
    }

    fn log(&self) -> f64 {
        self.sum + self.product.ln()
    }
}

/// The largest power, up to `left`, to which the factors can be raised so that half of the cloud stays effective.
fn bearable(weights: &[f64], factors: &[f64], left: f64) -> f64 {
    let most = factors.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let effective = |power: f64| {
        let (mut sum, mut squares) = (0.0, 0.0);
        for (weight, factor) in weights.iter().zip(factors) {
            let weight = weight * (power * (factor - most)).exp();
            sum += weight;
            squares += weight * weight;
        }
        sum * sum / squares
    };
    let want = LEAST_EFFECTIVE * weights.len() as f64;
    if effective(left) >= want {
        return left;
    }
    let (mut low, mut high) = (0.0, left);
    for _ in 0..12 {
        let middle = 0.5 * (low + high);
        if effective(middle) >= want { low = middle } else { high = middle }
    }
    low
}

fn log_sum(logs: impl Iterator<Item = f64> + Clone) -> f64 {
    let most = logs.clone().fold(f64::NEG_INFINITY, f64::max);
    most + logs.map(|l| (l - most).exp()).sum::<f64>().ln()
}

/// `count` positions, each as often as its weight asks for (systematic resampling).
fn systematic(weights: &[f64], count: usize, offset: f64) -> Vec<usize> {
    let mut chosen = Vec::with_capacity(count);
    let (mut at, mut sum) = (0, weights.first().copied().unwrap_or(0.0));
    for k in 0..count {
        let want = (k as f64 + offset) / count as f64;
        while sum < want && at + 1 < weights.len() {
            at += 1;
            sum += weights[at];
        }
        chosen.push(at);
    }
    chosen
}
