//! The weight of every kind of limiter, by sequential Monte Carlo.
//!
//! Each kind keeps a cloud of hypotheses. Every answer multiplies a hypothesis's weight by its likelihood; the mean of
//! these factors is the evidence for the kind. When few hypotheses hold most of the weight, the cloud is drawn anew and
//! each member is moved by Metropolis steps against the whole history, so that a cloud never collapses into one guess
//! (Chopin, "A sequential particle filter method for static models", Biometrika 89, 2002).

use landfall_evidence::LimiterClass;

use crate::history::{Arrival, Exchange, History};
use crate::hypothesis::{Hypothesis, State};
use crate::prior::{self, CLASSES};
use crate::random::Random;

/// Hypotheses of each kind.
const CLOUD: usize = 300;
/// Metropolis steps of each hypothesis when its cloud is drawn anew.
const SWEEPS: usize = 4;

/// A hypothesis and the logarithm of its weight within its kind.
#[derive(Debug, Clone)]
pub(crate) struct Weighed {
    pub(crate) hypothesis: Hypothesis,
    log_weight: f64,
    /// Likelihood of the whole history, and prior.
    log_likelihood: f64,
}

/// One kind's hypotheses.
#[derive(Debug, Clone)]
pub(crate) struct Cloud {
    pub(crate) class: LimiterClass,
    pub(crate) members: Vec<Weighed>,
    log_evidence: f64,
}

/// What is believed of the limiter after a history.
#[derive(Debug, Clone)]
pub struct Posterior {
    pub(crate) history: History,
    pub(crate) clouds: Vec<Cloud>,
    random: Random,
}

impl Posterior {
    /// Before anything was seen.
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let clouds = CLASSES.into_iter().map(|class| Cloud::drawn(class, &mut random)).collect();
        Self { history: History::default(), clouds, random }
    }

    /// Takes the next exchange into account, in the order in which the limiter counted them.
    pub fn observe(&mut self, exchange: Exchange) {
        self.history.push(exchange);
        for cloud in &mut self.clouds {
            cloud.observe(&self.history, &mut self.random);
        }
    }

    /// The weight of each kind, in the order of [`CLASSES`]; they sum to 1.
    pub(crate) fn weights(&self) -> Vec<f64> {
        let most = self.clouds.iter().map(|cloud| cloud.log_evidence).fold(f64::NEG_INFINITY, f64::max);
        let raw: Vec<f64> = self.clouds.iter().map(|cloud| (cloud.log_evidence - most).exp()).collect();
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

impl Cloud {
    fn drawn(class: LimiterClass, random: &mut Random) -> Self {
        let members = (0..CLOUD)
            .map(|_| Weighed { hypothesis: prior::draw(class, random), log_weight: 0.0, log_likelihood: 0.0 })
            .collect();
        Self { class, members, log_evidence: 0.0 }
    }

    fn observe(&mut self, history: &History, random: &mut Random) {
        let i = history.len() - 1;
        let before = log_sum(self.members.iter().map(|m| m.log_weight));
        for member in &mut self.members {
            let factor = member.hypothesis.log_likelihood(history, i);
            member.log_weight += factor;
            // For several counters the choice of the counter is part of the hypothesis from now on.
            member.hypothesis.take(history, i, || random.unit());
        }
        self.log_evidence += log_sum(self.members.iter().map(|m| m.log_weight)) - before;
        if self.effective() < 0.5 * CLOUD as f64 {
            self.renew(history, random);
        }
    }

    /// How many equally weighed hypotheses would be worth as much.
    fn effective(&self) -> f64 {
        let weights = self.weights();
        1.0 / weights.iter().map(|w| w * w).sum::<f64>()
    }

    /// The members' weights within the kind; they sum to 1.
    pub(crate) fn weights(&self) -> Vec<f64> {
        let sum = log_sum(self.members.iter().map(|m| m.log_weight));
        self.members.iter().map(|m| (m.log_weight - sum).exp()).collect()
    }

    fn sample(&self, count: usize) -> Vec<&Hypothesis> {
        systematic(&self.weights(), count, 0.5).into_iter().map(|i| &self.members[i].hypothesis).collect()
    }

    fn renew(&mut self, history: &History, random: &mut Random) {
        let chosen = systematic(&self.weights(), CLOUD, random.unit());
        self.members = chosen.into_iter().map(|i| self.members[i].clone()).collect();
        let width = self.width();
        for member in &mut self.members {
            member.log_weight = 0.0;
            member.log_likelihood = replay(&mut member.hypothesis, history);
            for _ in 0..SWEEPS {
                member.step(history, width, random);
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
    fn step(&mut self, history: &History, width: f64, random: &mut Random) {
        let class = self.hypothesis.class;
        let mut candidate = self.hypothesis.clone();
        let mut back = 0.0;
        if class == LimiterClass::SeveralCounters && random.chance(0.4) {
            // Another counter for some request.
            let i = random.below(candidate.taken_by.len());
            if let Some(w) = candidate.taken_by.get_mut(i) {
                *w = random.below(usize::from(candidate.of.counters)) as u8;
            }
        } else {
            let now = history.before(history.len(), true).last().copied().unwrap_or(0.0);
            (candidate.of, back) = prior::vary(&candidate, width, now, history.clock(), random);
        }
        let prior = prior::log_density(class, &candidate.of) - prior::log_density(class, &self.hypothesis.of);
        if !prior.is_finite() {
            return;
        }
        let log_likelihood = replay(&mut candidate, history);
        if random.unit().ln() < log_likelihood - self.log_likelihood + prior + back {
            (self.hypothesis, self.log_likelihood) = (candidate, log_likelihood);
        }
    }
}

/// Runs a hypothesis through the whole history and returns the log-likelihood.
fn replay(hypothesis: &mut Hypothesis, history: &History) -> f64 {
    hypothesis.state = State::default();
    let mut sum = 0.0;
    for i in 0..history.len() {
        sum += hypothesis.log_likelihood(history, i);
        hypothesis.take(history, i, || 0.5);
    }
    sum
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
