//! What was found out of a rate limit, as a table: `landfall rate-limit`.

use std::fmt::Write as _;

use landfall_evidence::{
    Alignment, Estimated, Evidence, LimiterClass, Observed, RateFit, RateLimitRun, ScopeAnswer, ScopeChange,
    StatedLimit,
};

use crate::Style;
use crate::text::{clean, wrap_hanging};
use crate::words;

/// Columns before a value.
const INDENT: usize = 14;

/// Lays the run out. The text ends with a newline.
pub fn limiter(evidence: &Evidence, style: &Style) -> String {
    let mut page = Page { out: String::new(), width: style.width.max(40) };
    for (_, seen) in evidence.rate_limit() {
        let _ = writeln!(page.out, "Rate limit, {}", clean(&seen.url));
        match &seen.answer {
            Observed::Present(run) => page.run(run),
            other => page.row("not found out", &other.describe()),
        }
    }
    if page.out.is_empty() {
        page.out.push_str("Nothing was asked.\n");
    }
    page.out
}

struct Page {
    out: String,
    width: usize,
}

impl Page {
    fn row(&mut self, name: &str, value: &str) {
        let room = self.width.saturating_sub(INDENT + 2).max(24);
        for (n, line) in wrap_hanging(&clean(value), room, room).iter().enumerate() {
            let name = if n == 0 { name } else { "" };
            let _ = writeln!(self.out, "  {name:<INDENT$}{line}");
        }
    }

    fn run(&mut self, run: &RateLimitRun) {
        let estimate = &run.estimate;
        match (&estimate.limit, run.signal.is_some()) {
            (Some(limit), true) => {
                self.row(
                    "limit",
                    &format!("{limit} requests (confidence {} %)", estimate.confidence_percent),
                );
            }
            (Some(limit), false) => self.row("limit", &format!("{limit} requests, none was refused")),
            (None, _) => self.row("limit", "none seen"),
        }
        if let Some(fit) = estimate.fit.as_deref() {
            self.fit(fit);
        }
        if let Some(signal) = &run.signal {
            let wait = signal
                .retry_after_s
                .map_or("without Retry-After".into(), |s| format!("with Retry-After {s} s"));
            self.row(
                "says no by",
                &format!("HTTP {} {wait}, first at request {}", signal.status, signal.position),
            );
        }
        for open in &estimate.open {
            self.row("open", open);
        }
        let answers: String = run
            .sequence
            .iter()
            .map(|step| match (step.status, step.refused) {
                (None, _) => '-',
                (_, true) => 'x',
                _ => '.',
            })
            .collect();
        self.row("answers", &format!("{answers} (. passed, x refused)"));
        self.row("stopped", words::stopped(run.stopped));
    }

    fn fit(&mut self, fit: &RateFit) {
        // Without a refusal a kind shows by delays, or by what several counters state.
        let shown = fit.limit.is_some() || fit.shaped_ms.is_some() || fit.counters.is_some();
        if !fit.set.is_empty() && shown {
            let kinds: Vec<String> = fit
                .weights
                .iter()
                .filter(|weight| fit.set.contains(&weight.class))
                .map(|weight| format!("{} {} %", weight.class, weight.permille / 10))
                .collect();
            self.row("kind", &kinds.join(", "));
        }
        let of_penalty = fit.set.first() == Some(&LimiterClass::Penalty);
        if let Some(period) = &fit.period_ms {
            let of_bucket = fit.set.first() == Some(&LimiterClass::TokenBucket);
            let name = if of_bucket { "fills up in" } else { "window" };
            let known = if of_penalty { " (of the count before the penalty)" } else { "" };
            self.row(name, &format!("{}{known}", time(period)));
        }
        if let Some(place) = &fit.place_ms {
            self.row("one more", &format!("every {}", time(place)));
        }
        if let Some(penalty) = &fit.penalty_ms {
            self.row("penalty", &time(penalty));
        }
        if let Some(counters) = &fit.counters {
            self.row("counters", &format!("{counters}, each with a part of the limit"));
        }
        match fit.alignment {
            Some(Alignment::Clock) => self.row("begins", "by the server's clock"),
            Some(Alignment::FirstRequest) => self.row("begins", "with the first request"),
            None => {}
        }
        for stated in &fit.stated {
            self.row("states", &self::stated(stated));
        }
        for answer in &fit.scope {
            self.row("counts", &scope(answer));
        }
        let (used, budget) = (&fit.used, &fit.budget);
        self.row(
            "used",
            &format!(
                "{} of {} requests, {} of {} refusals, {} of {} s",
                used.requests,
                budget.requests,
                used.refusals,
                budget.refusals,
                used.time_ms.div_ceil(1000),
                budget.time_ms.div_ceil(1000),
            ),
        );
    }
}

fn time(value: &Estimated) -> String {
    let seconds = |ms: u64| {
        let text = if ms < 1000 {
            format!("{:.3}", ms as f64 / 1000.0)
        } else {
            format!("{:.1}", ms as f64 / 1000.0)
        };
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    let (low, likely) = (seconds(value.within.low), seconds(value.likely));
    match value.within.high.map(seconds) {
        Some(high) if high == low => format!("{likely} s"),
        // A likeliest value between ends so far apart is no figure to go by.
        Some(high) if is_wide(value) => format!("not known (between {low} and {high} s)"),
        Some(high) => format!("{likely} s ({low} to {high} s)"),
        None => format!("{likely} s or more"),
    }
}

/// Whether the ends lie further apart than by a factor of 4.
fn is_wide(value: &Estimated) -> bool {
    value.within.high.is_some_and(|high| high > value.within.low.max(1).saturating_mul(4))
}

fn stated(stated: &StatedLimit) -> String {
    let name = stated.name.as_deref().map_or(String::new(), |name| format!("{name}: "));
    let quota = stated.quota.map_or("an unknown number of requests".into(), |q| format!("{q} requests"));
    let window = stated.window_ms.map_or(String::new(), |ms| format!(" in {} s", ms / 1000));
    let holds = match stated.holds {
        Some(true) => "the answers agree",
        Some(false) => "the answers disagree",
        None => "not tested",
    };
    format!("{name}{quota}{window} ({}), {holds}", stated.field)
}

fn scope(answer: &ScopeAnswer) -> String {
    let what = match &answer.changed {
        ScopeChange::Path(path) => format!("{path} of the same host"),
        ScopeChange::Method(method) => method.clone(),
    };
    match answer.refused {
        Some(true) => format!("{what} too: it was refused as well"),
        Some(false) => format!("{what} apart: it passed meanwhile"),
        None => format!("{what}: no answer"),
    }
}
