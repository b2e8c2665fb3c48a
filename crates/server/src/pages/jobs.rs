//! The server's own jobs. One that has not run is not green.

use maud::{Markup, html};

use super::layout::{Page, Shell, framed, heading};
use super::parts::{Tone, ago, clean, foreign, millis, state, table};
use crate::api::model::JobView;

/// Status: tone and word.
fn standing(word: &str) -> (Tone, &'static str) {
    match word {
        "ok" => (Tone::Good, "OK"),
        "failed" => (Tone::Bad, "Failed"),
        "overdue" => (Tone::Bad, "Overdue"),
        "never-run" => (Tone::Open, "Never run"),
        "off" => (Tone::Idle, "Off"),
        _ => (Tone::Open, "Unknown"),
    }
}

/// The page.
pub(crate) fn page(shell: &Shell, jobs: &[JobView]) -> Markup {
    let count = |tone: Tone| jobs.iter().filter(|j| standing(&j.status).0 == tone).count();
    let (good, bad, open) = (count(Tone::Good), count(Tone::Bad), count(Tone::Open));
    let say = format!("{good} of {} jobs in order, {bad} failing", jobs.len());
    let body = html! {
        (heading(html! { "Jobs" }, html! { p.soft { "What this server does by itself, and when it last did it." } }, html! {}))
        div id="jobs" data-live {
            p {
                strong { (good) } " of " (jobs.len()) " in order"
                @if bad > 0 { ", " span.t-bad { (bad) " failing" } }
                @if open > 0 { ", " span.t-open { (open) " not known" } }
            }
            section.card aria-label="Jobs" {
                (table("Jobs", &["Job", "Status", "Schedule", "Last run", "Last success", "Took", "Next", "What the last run did"], html! {
                    @for job in jobs {
                        @let (tone, word) = standing(&job.status);
                        tr {
                            th scope="row" { (foreign(&job.title)) div { code.soft { (clean(&job.name)) } } }
                            td { (state(tone, word)) }
                            td { (job.schedule) }
                            td { @match job.last_run { Some(at) => (ago(shell.now, at)), None => span.soft { "never" } } }
                            td { @match job.last_success { Some(at) => (ago(shell.now, at)), None => span.soft { "never" } } }
                            td.r { @match job.took_ms { Some(ms) => (millis(ms)), None => "—" } }
                            td { @match job.next_run { Some(at) => (ago(shell.now, at)), None => "—" } }
                            td { @if let Some(say) = &job.say { (foreign(say)) } @if let Some(n) = job.worked_on { " " span.soft { "(" (n) ")" } } }
                        }
                    }
                }))
            }
        }
    };
    framed(
        shell,
        &Page {
            title: "Jobs",
            part: "jobs",
            body,
            watch: "job",
            only: "",
            say: &say,
            stage: "",
            reload_s: None,
        },
    )
}
