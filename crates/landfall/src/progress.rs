//! Progress on stderr: one line that changes on a terminal, plain lines elsewhere.

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use landfall_audit::{Event, Progress, Step};

/// Progress for one audit; dropping the bar clears the line.
pub(crate) fn show(quiet: bool) -> (Progress, Option<Bar>) {
    if quiet {
        return (Progress::default(), None);
    }
    if !std::io::stderr().is_terminal() {
        return (
            Progress::to(|event| {
                if let Event::End(step) = event {
                    eprintln!("landfall: {step}: done")
                }
            }),
            None,
        );
    }
    let bar = ProgressBar::new_spinner();
    let style = ProgressStyle::with_template("{spinner} {elapsed:>4}  {wide_msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(Duration::from_millis(120));
    let shown = bar.clone();
    let running: Mutex<BTreeSet<Step>> = Mutex::default();
    let progress = Progress::to(move |event| {
        let mut running = running.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match event {
            Event::Begin(step) => running.insert(step),
            Event::End(step) => running.remove(&step),
        };
        let steps: Vec<String> = running.iter().map(Step::to_string).collect();
        shown.set_message(format!("asking: {}", steps.join(", ")));
    });
    (progress, Some(Bar(bar)))
}

/// Clears the progress line when it goes out of scope.
pub(crate) struct Bar(ProgressBar);

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
