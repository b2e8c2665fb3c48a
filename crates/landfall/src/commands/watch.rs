//! `landfall tls` and `landfall http`: one look, or with `--watch` one look after the other until what is waited for is
//! there. `landfall dns --watch` goes round by the same clock.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use landfall_audit::{ExitStatus, Overrides, Plan, Probe, Progress};
use landfall_diagnosis::{Answers, Catalogue, Leaves, answers, leaves};
use landfall_evidence::Evidence;

use super::{one_probe, wait_for};
use crate::args::{HttpArgs, OneProbeArgs, TlsArgs};
use crate::failure::Failure;
use crate::output;

/// Rounds that come closer upon each other would tell nothing new and only be a burden.
const LEAST_INTERVAL: Duration = Duration::from_secs(1);

/// What a round says of the waiting.
pub(super) enum Round {
    /// What was waited for is there.
    Done,
    Goes,
}

/// When rounds begin, and when they end without what was waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rhythm {
    interval: Duration,
    limit: Duration,
    quiet: bool,
}

impl Rhythm {
    pub(super) fn new(interval: Duration, limit: Duration, quiet: bool) -> Self {
        Self { interval: interval.max(LEAST_INTERVAL), limit, quiet }
    }

    /// Makes rounds until one is done, or time is over, which is said in the words of `late` and ends with status 1. What is
    /// waited for is said first: a round that changes nothing prints nothing.
    pub(super) async fn until_done(
        self,
        awaited: &str,
        late: &str,
        mut round: impl AsyncFnMut() -> Result<Round, Failure>,
    ) -> Result<ExitStatus, Failure> {
        if !self.quiet {
            let (interval, limit) = (in_words(self.interval), in_words(self.limit));
            eprintln!("landfall: looking every {interval} until {awaited}, for {limit} at most");
        }
        let end = Instant::now() + self.limit;
        loop {
            let began = Instant::now();
            if matches!(round().await?, Round::Done) {
                return Ok(ExitStatus::Clean);
            }
            let next = began + self.interval;
            if next >= end {
                output::print(&format!("{late}\n"))?;
                return Ok(ExitStatus::Failing);
            }
            tokio::time::sleep_until(next.into()).await;
        }
    }
}

/// A duration as a person would type it: `90 s`, `5 min`, `1 h`.
fn in_words(duration: Duration) -> String {
    match duration.as_millis() {
        ms if ms % 1000 != 0 => format!("{ms} ms"),
        ms if ms % 3_600_000 == 0 => format!("{} h", ms / 3_600_000),
        ms if ms % 60_000 == 0 => format!("{} min", ms / 60_000),
        ms => format!("{} s", ms / 1000),
    }
}

pub(super) fn tls(args: &TlsArgs) -> Result<ExitStatus, Failure> {
    let Some(interval) = args.watch else { return one_probe::run(&args.probe, &[Probe::Tls]) };
    let plan = plan(&args.probe, Probe::Tls)?;
    let rhythm = Rhythm::new(interval, args.watch_for, args.probe.quiet);
    let (mut before, mut old) = (Leaves::default(), None);
    let awaited = "every address shows a new certificate that holds";
    wait_for(rhythm.until_done(awaited, "Not every address shows a new certificate yet.", async || {
        let now = leaves(&look(&plan).await?);
        let old = old.get_or_insert_with(|| now.to_be_replaced());
        say(&landfall_report::leaf_changes(&before, &now, old, Timestamp::now()))?;
        let done = now.all_renewed(old);
        before = now;
        Ok(if done { Round::Done } else { Round::Goes })
    }))
}

pub(super) fn http(args: &HttpArgs) -> Result<ExitStatus, Failure> {
    let Some(interval) = args.watch else {
        return one_probe::run(&args.probe, &[Probe::Http, Probe::Origin, Probe::Local]);
    };
    let plan = Plan { endpoints_alone: true, ..plan(&args.probe, Probe::Http)? };
    let rhythm = Rhythm::new(interval, args.watch_for, args.probe.quiet);
    let (mut before, mut first) = (Answers::default(), None);
    let awaited = "an endpoint answers with another status or build mark";
    wait_for(rhythm.until_done(awaited, "Nothing has changed.", async || {
        let now = answers(&look(&plan).await?, Catalogue::embedded());
        let first = first.get_or_insert_with(|| now.clone());
        say(&landfall_report::answer_changes(&before, &now, Timestamp::now()))?;
        let done = now.changed_since(first);
        before = now;
        Ok(if done { Round::Done } else { Round::Goes })
    }))
}

fn plan(args: &OneProbeArgs, probe: Probe) -> Result<Plan, Failure> {
    let config = one_probe::config_of(args)?;
    let said = Overrides { only: vec![probe], ..args.target.overrides() };
    let plan = Plan::new(&config, &said)?;
    if plan.target.production.is_none() {
        return Err(Failure::usage("--watch looks at production: name its URL".to_owned()));
    }
    Ok(plan)
}

async fn look(plan: &Plan) -> Result<Evidence, Failure> {
    Ok(landfall_audit::collect(plan, Catalogue::embedded(), &Progress::default()).await?)
}

fn say(lines: &[String]) -> Result<(), Failure> {
    lines.iter().try_for_each(|line| output::print(&format!("{line}\n")))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_said_in_the_largest_unit_that_fits() {
        for (ms, words) in [
            (1, "1 ms"),
            (1_000, "1 s"),
            (90_000, "90 s"),
            (300_000, "5 min"),
            (3_600_000, "1 h"),
            (5_400_000, "90 min"),
        ] {
            assert_eq!(in_words(Duration::from_millis(ms)), words);
        }
    }
}
