//! Progress on stderr: one line that changes on a terminal, plain lines elsewhere.

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use landfall_audit::{Event, Moment, Progress, Step};

/// Progress for one audit; dropping the bar clears the line.
pub(crate) fn show(quiet: bool) -> (Progress, Option<Bar>) {
    if quiet {
        return (Progress::default(), None);
    }
    if !std::io::stderr().is_terminal() {
        return (Progress::to(plain), None);
    }
    let bar = ProgressBar::new_spinner();
    let style = ProgressStyle::with_template("{spinner} {elapsed:>4}  {wide_msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(Duration::from_millis(120));
    let shown = bar.clone();
    let state: Mutex<State> = Mutex::default();
    let progress = Progress::to(move |event| {
        let mut state = state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match event {
            Event::Begin(step) => state.running.insert(step),
            Event::End(step) => state.running.remove(&step),
            Event::Wait(wait) => {
                state.wait = Some((Instant::now() + wait, wait));
                false
            }
            Event::Limit(moment) => {
                state.limit = Some(moment);
                false
            }
        };
        shown.set_message(state.words());
    });
    (progress, Some(Bar(bar)))
}

/// What is asked right now.
#[derive(Default)]
struct State {
    running: BTreeSet<Step>,
    /// Until when questions are held back, and how long that is in all.
    wait: Option<(Instant, Duration)>,
    /// What the search for the rate limit is doing.
    limit: Option<Moment>,
}

impl State {
    fn words(&self) -> String {
        let steps: Vec<String> = self.running.iter().map(Step::to_string).collect();
        let wait = self.wait.filter(|(until, _)| *until > Instant::now());
        let wait = wait.map_or(String::new(), |(_, wait)| {
            format!(" (its rate limit asks for a pause of {})", seconds(wait))
        });
        let limit = self.limit.map_or(String::new(), |moment| {
            let next = if moment.wait >= Duration::from_millis(900) {
                format!(", next in {}", seconds(moment.wait))
            } else {
                String::new()
            };
            format!(" ({} sent, {} refused{next})", moment.sent, moment.refused)
        });
        format!("asking: {}{limit}{wait}", steps.join(", "))
    }
}

fn seconds(wait: Duration) -> String {
    format!("{:.0} s", wait.as_secs_f64().ceil())
}

/// One line for each event, where no terminal shows a line that changes.
fn plain(event: Event) {
    match event {
        Event::Begin(_) | Event::Limit(_) => {}
        Event::End(step) => eprintln!("landfall: {step}: done"),
        Event::Wait(wait) => eprintln!("landfall: a rate limit asks for a pause of {}", seconds(wait)),
    }
}

/// Clears the progress line when it goes out of scope.
pub(crate) struct Bar(ProgressBar);

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
