//! `landfall plan`: what `landfall apply` would change, and nothing is changed.

use std::fmt::Write as _;
use std::time::Duration;

use landfall_audit::ExitStatus;
use landfall_monitor::declare::{self, Action, Declared, Plan, Surroundings};
use url::Url;

use crate::args::DeclareArgs;
use crate::failure::Failure;
use crate::output;

pub(super) fn run(args: &DeclareArgs) -> Result<ExitStatus, Failure> {
    let declared = read(args)?;
    let plan = super::wait_for(ask(args, "plan", &declared))?;
    show(args, &plan, "would be")
}

/// Reads the file.
pub(super) fn read(args: &DeclareArgs) -> Result<Declared, Failure> {
    let name = args.config.display();
    let text = std::fs::read_to_string(&args.config)
        .map_err(|e| Failure::usage(format!("{name} cannot be read: {e}")))?;
    // The audit's own tables are read as well, so that a file with a mistake anywhere is refused.
    landfall_audit::Config::parse(&text, &name.to_string())?;
    declare::parse(&text, &Surroundings::of(&args.config)).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(|p| format!("{name}: {p}")).collect();
        Failure::usage(lines.join("\n"))
    })
}

/// Asks the server to plan or to apply.
pub(super) async fn ask(args: &DeclareArgs, what: &str, declared: &Declared) -> Result<Plan, Failure> {
    let base = Url::parse(&args.server)
        .ok()
        .filter(|u| matches!(u.scheme(), "http" | "https"))
        .ok_or_else(|| Failure::usage("--server: write it as https://watch.example.com"))?;
    let mut url = base;
    let path = format!("{}/api/v1/declarations/{what}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(120))
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("landfall/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|e| Failure::unable(format!("no HTTP client can be made: {e}")))?;
    let answer = client
        .post(url)
        .bearer_auth(&args.key)
        .json(declared)
        .send()
        .await
        .map_err(|e| Failure::unable(format!("{} cannot be asked: {}", args.server, reason(&e))))?;
    let status = answer.status();
    let body =
        answer.bytes().await.map_err(|e| Failure::unable(format!("the answer broke off: {}", reason(&e))))?;
    if status.is_success() {
        return serde_json::from_slice(&body)
            .map_err(|e| Failure::unable(format!("the server answered something that is not a plan: {e}")));
    }
    let problem: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let detail = problem.get("detail").and_then(|d| d.as_str()).unwrap_or("it did not say why");
    let say = format!("{} refused: {} ({detail})", args.server, status.as_u16());
    Err(if status.is_client_error() { Failure::usage(say) } else { Failure::unable(say) })
}

fn reason(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "it did not answer in time"
    } else if error.is_connect() {
        "it cannot be reached"
    } else {
        "it did not answer properly"
    }
}

/// Prints a plan; one with problems is a failure.
pub(super) fn show(args: &DeclareArgs, plan: &Plan, tense: &str) -> Result<ExitStatus, Failure> {
    if args.json {
        let text = serde_json::to_string_pretty(plan).map_err(|e| Failure::unable(e.to_string()))?;
        output::print(&format!("{text}\n"))?;
    } else {
        output::print(&text(plan, tense))?;
    }
    if plan.problems.is_empty() {
        return Ok(ExitStatus::Clean);
    }
    let lines: Vec<String> = plan.problems.iter().map(ToString::to_string).collect();
    Err(Failure::usage(format!("nothing was changed:\n{}", lines.join("\n"))))
}

fn text(plan: &Plan, tense: &str) -> String {
    let mut out = String::new();
    for step in plan.steps.iter().filter(|s| s.action != Action::Unchanged) {
        let (sign, word) = match step.action {
            Action::Create => ('+', "made"),
            Action::Change => ('~', "changed"),
            Action::Delete | Action::Unchanged => ('-', "removed"),
        };
        // Writing into a String does not fail.
        let _ = writeln!(out, "{sign} {} {:?} {tense} {word} ({})", step.kind, step.id, step.name);
        for change in &step.changes {
            let side = |v: &Option<serde_json::Value>| {
                v.as_ref().map_or("(nothing)".to_owned(), ToString::to_string)
            };
            let _ = writeln!(out, "    {}: {} → {}", change.field, side(&change.before), side(&change.after));
        }
    }
    if plan.is_empty() {
        out.push_str("Everything is as declared.\n");
    }
    let _ = writeln!(out, "{}.", plan.say());
    out
}
