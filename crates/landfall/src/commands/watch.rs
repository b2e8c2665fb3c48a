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
    end: Instant,
}

impl Rhythm {
    pub(super) fn new(interval: Duration, limit: Duration) -> Self {
        Self { interval: interval.max(LEAST_INTERVAL), end: Instant::now() + limit }
    }

    /// Makes rounds until one is done, or time is over, which is said in the words of `late` and ends with status 1.
    pub(super) async fn until_done(
        self,
        late: &str,
        mut round: impl AsyncFnMut() -> Result<Round, Failure>,
    ) -> Result<ExitStatus, Failure> {
        loop {
            let began = Instant::now();
            if matches!(round().await?, Round::Done) {
                return Ok(ExitStatus::Clean);
            }
            let next = began + self.interval;
            if next >= self.end {
                output::print(&format!("{late}\n"))?;
                return Ok(ExitStatus::Failing);
            }
            tokio::time::sleep_until(next.into()).await;
        }
    }
}

pub(super) fn tls(args: &TlsArgs) -> Result<ExitStatus, Failure> {
    let Some(interval) = args.watch else { return one_probe::run(&args.probe, &[Probe::Tls]) };
    let plan = plan(&args.probe, Probe::Tls)?;
    let rhythm = Rhythm::new(interval, args.watch_for);
    let (mut before, mut old) = (Leaves::default(), None);
    wait_for(rhythm.until_done("Not every address shows a new certificate yet.", async || {
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
    let rhythm = Rhythm::new(interval, args.watch_for);
    let (mut before, mut first) = (Answers::default(), None);
    wait_for(rhythm.until_done("Nothing has changed.", async || {
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
