//! From results to a verdict: a pure state machine, one step a result.
//!
//! What a monitor *stands* at (up, degraded, down) moves only on conclusive results. Pauses, maintenance windows,
//! dependencies and inconclusive results lie over it and never count as downtime.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Outcome;

/// What conclusive results have shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// No conclusive result yet.
    #[default]
    New,
    /// It serves.
    Up,
    /// It serves with a reservation.
    Degraded,
    /// It is down: confirmed by enough failures in a row.
    Down,
}

/// What a monitor is shown as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Nothing conclusive was seen yet.
    New,
    /// It serves.
    Up,
    /// It serves with a reservation.
    Degraded,
    /// It is down.
    Down,
    /// It cannot be told at the moment.
    Inconclusive,
    /// Somebody paused it.
    Paused,
    /// A maintenance window is open.
    Maintenance,
    /// Something that it needs is down.
    Blocked,
}

impl Verdict {
    /// Its word in the store and in the API.
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Down => "down",
            Self::Inconclusive => "inconclusive",
            Self::Paused => "paused",
            Self::Maintenance => "maintenance",
            Self::Blocked => "blocked",
        }
    }
}

/// The state of a monitor, whole: it is stored as it is, so that a streak survives a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// What conclusive results have shown.
    pub standing: Standing,
    /// Since when it stands there.
    pub since: Timestamp,
    /// Failures in a row.
    pub failures: u32,
    /// Successes in a row (up or degraded) since the last failure.
    pub successes: u32,
    /// Degraded results in a row.
    pub degraded: u32,
    /// Results that are neither up nor degraded in a row.
    pub clear: u32,
    /// The first failure of the present streak.
    pub first_failure: Option<Timestamp>,
    /// Inconclusive results in a row.
    pub inconclusive: u32,
    /// What lies over the standing.
    pub over: Option<Over>,
}

impl Default for State {
    fn default() -> Self {
        Self::new(Timestamp::UNIX_EPOCH)
    }
}

/// What lies over the standing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "kebab-case")]
pub enum Over {
    /// Somebody paused it.
    Paused,
    /// A maintenance window is open.
    Maintenance {
        /// Its name.
        window: String,
    },
    /// Something that it needs is down or about to be.
    Blocked {
        /// The name of that monitor.
        by: String,
    },
}

/// How many results it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Failures in a row until it is down; also degraded results in a row until it is degraded.
    pub fail_after: u32,
    /// Successes in a row until it is up again.
    pub recover_after: u32,
}

/// The circumstances of one result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// The maintenance window that was open when the check began.
    pub maintenance: Option<String>,
    /// The monitor that this one needs and that is failing, by name.
    pub blocked_by: Option<String>,
}

/// What a step brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// The first failure of a streak: its evidence is to be kept.
    FirstFailure,
    /// The streak ended before it was long enough: what was kept may go.
    FalseStart,
    /// It is down now.
    WentDown,
    /// It is up again.
    Recovered,
    /// It serves with a reservation now.
    BecameDegraded,
    /// It serves without reservation again.
    NoLongerDegraded,
}

impl State {
    /// A monitor that nothing is known of.
    pub fn new(since: Timestamp) -> Self {
        Self {
            standing: Standing::New,
            since,
            failures: 0,
            successes: 0,
            degraded: 0,
            clear: 0,
            first_failure: None,
            inconclusive: 0,
            over: None,
        }
    }

    /// What it is shown as.
    pub fn verdict(&self) -> Verdict {
        match (&self.over, self.standing) {
            (Some(Over::Paused), _) => Verdict::Paused,
            (Some(Over::Maintenance { .. }), _) => Verdict::Maintenance,
            (_, Standing::Down) => Verdict::Down,
            (Some(Over::Blocked { .. }), _) => Verdict::Blocked,
            _ if self.inconclusive > 0 => Verdict::Inconclusive,
            (_, Standing::New) => Verdict::New,
            (_, Standing::Up) => Verdict::Up,
            (_, Standing::Degraded) => Verdict::Degraded,
        }
    }

    /// Whether a streak of failures is open that has not led to [`Standing::Down`] yet.
    pub fn is_failing(&self) -> bool {
        self.failures > 0 && self.standing != Standing::Down
    }

    /// Whether others that need this monitor are blocked by it.
    pub fn blocks(&self) -> bool {
        self.failures > 0 || self.standing == Standing::Down
    }

    /// One step: a result that began at `at`.
    pub fn step(
        &mut self,
        policy: Policy,
        outcome: Outcome,
        at: Timestamp,
        circumstances: &Circumstances,
    ) -> Vec<Transition> {
        self.over = match (&circumstances.maintenance, &circumstances.blocked_by, outcome) {
            (Some(window), _, _) => Some(Over::Maintenance { window: window.clone() }),
            // What serves is not blocked, whatever it is said to need.
            (None, Some(by), Outcome::Down | Outcome::Inconclusive) => Some(Over::Blocked { by: by.clone() }),
            _ => None,
        };
        match outcome {
            Outcome::Inconclusive => {
                self.inconclusive = self.inconclusive.saturating_add(1);
                Vec::new()
            }
            Outcome::Down if self.over.is_some() => {
                // Expected trouble is no trouble of its own, and no streak grows out of it.
                self.inconclusive = 0;
                self.successes = 0;
                let streak = self.is_failing();
                if streak {
                    (self.failures, self.first_failure) = (0, None);
                }
                if streak { vec![Transition::FalseStart] } else { Vec::new() }
            }
            Outcome::Down => self.failed(policy, at),
            Outcome::Up | Outcome::Degraded => self.served(policy, outcome, at),
        }
    }

    fn failed(&mut self, policy: Policy, at: Timestamp) -> Vec<Transition> {
        (self.inconclusive, self.successes, self.degraded, self.clear) = (0, 0, 0, 0);
        self.failures = self.failures.saturating_add(1);
        let mut transitions = Vec::new();
        if self.failures == 1 && self.standing != Standing::Down {
            self.first_failure = Some(at);
            transitions.push(Transition::FirstFailure);
        }
        if self.failures >= policy.fail_after.max(1) && self.standing != Standing::Down {
            self.stand(Standing::Down, at);
            transitions.push(Transition::WentDown);
        }
        transitions
    }

    fn served(&mut self, policy: Policy, outcome: Outcome, at: Timestamp) -> Vec<Transition> {
        let mut transitions = Vec::new();
        self.inconclusive = 0;
        self.successes = self.successes.saturating_add(1);
        if outcome == Outcome::Degraded {
            (self.degraded, self.clear) = (self.degraded.saturating_add(1), 0);
        } else {
            (self.degraded, self.clear) = (0, self.clear.saturating_add(1));
        }
        if self.standing == Standing::Down {
            if self.successes < policy.recover_after.max(1) {
                return transitions;
            }
            (self.failures, self.first_failure) = (0, None);
            self.stand(Standing::Up, at);
            transitions.push(Transition::Recovered);
        } else if self.failures > 0 {
            (self.failures, self.first_failure) = (0, None);
            transitions.push(Transition::FalseStart);
        }
        if self.standing == Standing::New {
            self.stand(Standing::Up, at);
        }
        if self.standing == Standing::Up && self.degraded >= policy.fail_after.max(1) {
            self.stand(Standing::Degraded, at);
            transitions.push(Transition::BecameDegraded);
        } else if self.standing == Standing::Degraded && self.clear >= policy.recover_after.max(1) {
            self.stand(Standing::Up, at);
            transitions.push(Transition::NoLongerDegraded);
        }
        transitions
    }

    fn stand(&mut self, standing: Standing, at: Timestamp) {
        (self.standing, self.since) = (standing, at);
    }
}

#[cfg(test)]
mod tests {
    use super::Transition::{
        BecameDegraded, FalseStart, FirstFailure, NoLongerDegraded, Recovered, WentDown,
    };
    use super::*;
    use proptest::prelude::*;

    const POLICY: Policy = Policy { fail_after: 3, recover_after: 2 };

    fn at(n: usize) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + 60 * n as i64).expect("valid")
    }

    /// One letter a result: u(p), d(own), s(low), i(nconclusive); capital: in a window; `b`: down, and blocked.
    fn run(letters: &str) -> (State, Vec<(usize, Transition)>) {
        let mut state = State::new(at(0));
        let mut seen = Vec::new();
        for (n, letter) in letters.chars().enumerate() {
            let (outcome, circumstances) = read(letter);
            seen.extend(state.step(POLICY, outcome, at(n), &circumstances).into_iter().map(|t| (n, t)));
        }
        (state, seen)
    }

    fn read(letter: char) -> (Outcome, Circumstances) {
        let maintenance = letter.is_ascii_uppercase().then(|| "window".to_owned());
        let blocked_by = (letter == 'b').then(|| "database".to_owned());
        let outcome = match letter.to_ascii_lowercase() {
            'u' => Outcome::Up,
            'd' | 'b' => Outcome::Down,
            's' => Outcome::Degraded,
            'i' => Outcome::Inconclusive,
            other => panic!("{other}"),
        };
        (outcome, Circumstances { maintenance, blocked_by })
    }

    #[test]
    fn down_at_the_third_failure_and_once() {
        let (state, seen) = run("uddddd");
        assert_eq!(seen, [(1, FirstFailure), (3, WentDown)]);
        assert_eq!((state.verdict(), state.since, state.first_failure), (Verdict::Down, at(3), Some(at(1))));
    }

    #[test]
    fn up_at_the_second_success_and_once() {
        let (state, seen) = run("dddudduuu");
        assert_eq!(seen, [(0, FirstFailure), (2, WentDown), (7, Recovered)]);
        assert_eq!((state.verdict(), state.since), (Verdict::Up, at(7)));
    }

    #[test]
    fn a_short_streak_is_a_false_start() {
        let (state, seen) = run("uddudd");
        assert_eq!(seen, [(1, FirstFailure), (3, FalseStart), (4, FirstFailure)]);
        assert_eq!((state.verdict(), state.first_failure), (Verdict::Up, Some(at(4))));
    }

    #[test]
    fn inconclusive_neither_counts_nor_breaks_a_streak() {
        let (state, seen) = run("udiidid");
        assert_eq!(seen, [(1, FirstFailure), (6, WentDown)]);
        assert_eq!(state.verdict(), Verdict::Down);
        assert_eq!(run("ui").0.verdict(), Verdict::Inconclusive);
        assert_eq!(run("dddi").0.verdict(), Verdict::Down, "what is down stays shown as down");
        assert_eq!(run("iiiiii").1, []);
    }

    #[test]
    fn a_window_hides_failures_and_lets_recovery_count() {
        let (state, seen) = run("uDDDD");
        assert_eq!((state.verdict(), seen), (Verdict::Maintenance, vec![]));
        assert_eq!(run("uDDDDdd").0.verdict(), Verdict::Up, "the streak begins when the window is over");
        assert_eq!(run("uDDDDddd").1, [(5, FirstFailure), (7, WentDown)]);
        assert_eq!(run("dddUU").1, [(0, FirstFailure), (2, WentDown), (4, Recovered)]);
        assert_eq!(run("uddD").1, [(1, FirstFailure), (3, FalseStart)]);
    }

    #[test]
    fn what_is_blocked_says_nothing_of_its_own() {
        let (state, seen) = run("ubbbb");
        assert_eq!((state.verdict(), seen), (Verdict::Blocked, vec![]));
        assert_eq!(run("ubbbddd").1, [(4, FirstFailure), (6, WentDown)], "still failing without the excuse");
    }

    #[test]
    fn slow_is_degraded_and_not_down() {
        let (state, seen) = run("usss");
        assert_eq!((state.verdict(), seen), (Verdict::Degraded, vec![(3, BecameDegraded)]));
        assert_eq!(run("ususs").1, []);
        assert_eq!(run("usssuu").1, [(3, BecameDegraded), (5, NoLongerDegraded)]);
        assert_eq!(run("sssddd").1, [(2, BecameDegraded), (3, FirstFailure), (5, WentDown)]);
        assert_eq!(run("dddsss").1, [(0, FirstFailure), (2, WentDown), (4, Recovered), (5, BecameDegraded)]);
    }

    #[test]
    fn a_stored_state_goes_on_where_it_was() {
        let (state, _) = run("udd");
        let text = serde_json::to_string(&state).expect("written");
        let mut again: State = serde_json::from_str(&text).expect("read");
        assert_eq!(again, state);
        assert_eq!(again.step(POLICY, Outcome::Down, at(9), &Circumstances::default()), [WentDown]);
    }

    proptest! {
        #[test]
        fn down_and_recovered_take_turns(letters in "[udsiUDSIb]{0,200}") {
            let (state, seen) = run(&letters);
            let turns: Vec<Transition> =
                seen.iter().map(|(_, t)| *t).filter(|t| matches!(t, WentDown | Recovered)).collect();
            let take_turns = turns.chunks(2).all(|pair| pair[0] == WentDown && pair.get(1).is_none_or(|t| *t == Recovered));
            prop_assert!(take_turns);
            prop_assert_eq!(turns.len() % 2 == 1, state.standing == Standing::Down);
        }

        #[test]
        fn nothing_goes_down_without_enough_failures_in_a_row(letters in "[udsiUDSIb]{0,200}") {
            let (_, seen) = run(&letters);
            let conclusive: Vec<(usize, char)> =
                letters.chars().enumerate().filter(|(_, c)| !"iI".contains(*c)).collect();
            for (n, _) in seen.iter().filter(|(_, t)| *t == WentDown) {
                let place = conclusive.iter().position(|(m, _)| m == n).expect("it was conclusive");
                let earned = place >= 2 && conclusive[place - 2..=place].iter().all(|(_, c)| *c == 'd');
                prop_assert!(earned);
            }
        }
    }
}
