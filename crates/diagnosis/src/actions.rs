//! What to do, most urgent first, each with the checks that it clears by itself.
//!
//! An action clears a check only when nothing else stands in that check's way: deploying alone does not mend tests.
//! P0 blocks the main traffic; P1 is a main function elsewhere, or will break within 14 days; P2 is the rest.

use landfall_evidence::{EndpointSource, ObservationId, Vantage};

use crate::case::Case;
use crate::facts::is_health_path;
use crate::findings::{self, TestOutcome, folder};
use crate::rate_limit;
use crate::verification::{quoted, url_of};
use crate::words::{count, in_words, lower_first};
use crate::{
    Action, Cause, Finding, Hop, HopKind, Label, Priority, RateLimit, Readiness, Severity, Status, Tie,
    Tried, Verdict, Verification,
};

/// What the advice is drawn from, besides the case.
pub(crate) struct Drawn<'a> {
    pub(crate) verdict: Verdict,
    pub(crate) findings: &'a [Finding],
    pub(crate) readiness: &'a Readiness,
    pub(crate) rate_limit: Option<&'a RateLimit>,
    pub(crate) path: &'a [Hop],
    pub(crate) verification: &'a [Verification],
}

/// All actions, most urgent first.
pub(crate) fn actions(case: &Case<'_>, drawn: &Drawn<'_>) -> Vec<Action> {
    let mut actions = Vec::new();
    actions.extend(production(case, drawn));
    actions.extend(other_causes(case, drawn));
    actions.extend(see_production(case, drawn));
    actions.extend(tests(case, drawn));
    actions.extend(limit(case, drawn));
    actions.extend(failing_checks(drawn));
    let besides = beside_production(case, drawn, &actions);
    actions.extend(besides);
    actions.extend(remaining_findings(case, drawn));
    actions.extend(monitoring(case, drawn));
    actions.extend(documentation(case, drawn));
    for action in &mut actions {
        // A single step in the title's own words tells nothing more.
        if let [step] = action.steps.as_slice()
            && step.trim_end_matches('.') == action.title.trim_end_matches('.')
        {
            action.steps.clear();
        }
    }
    actions.sort_by_key(|a| a.priority);
    actions
}

fn action(priority: Priority, title: impl Into<String>, because: impl Into<String>) -> Action {
    Action {
        priority,
        title: title.into(),
        steps: Vec::new(),
        commands: Vec::new(),
        clears: Vec::new(),
        tried: Tried::NotTried,
        because: because.into(),
    }
}

fn fails(readiness: &Readiness, id: &str) -> bool {
    readiness.checks.iter().any(|c| c.id == id && c.status == Status::Fail)
}

/// The main cause's remedy, or the observation that decides between those that cannot be told apart.
fn production(case: &Case<'_>, drawn: &Drawn<'_>) -> Option<Action> {
    if !matches!(drawn.verdict, Verdict::NotLive | Verdict::Degraded) {
        return None;
    }
    let priority =
        if drawn.verdict == Verdict::NotLive { Priority::P0 } else { priority_of(case.main_cause(), drawn) };
    let Some(cause) = case.main_cause() else {
        return production_without_cause(drawn, priority);
    };
    if let Some(tie) = case.tie_of(&cause.id) {
        return Some(tied(case, drawn, tie, priority));
    }
    let mut action = remedy(case, drawn, cause, priority);
    // A second cause of the very same failures tells more about the repair; it is no repair of its own.
    let same =
        likely_besides(case, cause).into_iter().filter(|other| rest_on_the_same_failures(case, cause, other));
    action.steps.extend(same.filter_map(|other| other.remedy.first().cloned()));
    Some(action)
}

/// The other likely causes on the request's way that stand by themselves.
fn likely_besides<'a>(case: &Case<'a>, cause: &'a Cause) -> Vec<&'a Cause> {
    case.causes
        .iter()
        .filter(|c| {
            c.id != cause.id && case.is_on_path(c) && c.label >= Label::Likely && !case.in_a_tie(&c.id)
        })
        .collect()
}

/// Whether every failing endpoint that the second cause rests on is one that the first rests on too.
fn rest_on_the_same_failures(case: &Case<'_>, first: &Cause, second: &Cause) -> bool {
    let rests =
        |cause: &Cause, id: &ObservationId| cause.evidence_for.iter().any(|a| a.evidence.contains(id));
    let readings = case.view.readings(Vantage::Edge);
    let failing = readings.iter().filter(|r| r.fault().is_some()).filter_map(|r| r.id());
    let of_second: Vec<&ObservationId> = failing.filter(|id| rests(second, id)).collect();
    !of_second.is_empty() && of_second.iter().all(|id| rests(first, id))
}

/// P0 when the cause or what it does to production is of weight: a main function that is down blocks its traffic.
fn priority_of(cause: Option<&Cause>, drawn: &Drawn<'_>) -> Priority {
    let seen = drawn.findings.iter().filter(|f| findings::concerns_production(f)).map(|f| f.severity).max();
    if cause.map(|c| c.severity).max(seen) >= Some(Severity::High) { Priority::P0 } else { Priority::P1 }
}

fn remedy(case: &Case<'_>, drawn: &Drawn<'_>, cause: &Cause, priority: Priority) -> Action {
    let mut action = action(priority, title_of(case, cause), &cause.id);
    action.steps = cause.remedy.clone();
    action.commands = drawn.verification.first().map(|v| v.request.clone()).into_iter().collect();
    action.clears = cleared_by(case, drawn, cause);
    action
}

fn title_of(case: &Case<'_>, cause: &Cause) -> String {
    let host = case.production().and_then(|url| url.host_str()).unwrap_or("the production name");
    match cause.id.as_str() {
        "never-deployed" => "Deploy the backend to production".into(),
        "domain-not-attached" => format!("Attach {host} to the deployment"),
        "domain-attached-to-other-app" => format!("Point {host} at the API's own deployment"),
        "deploy-failed-old-build-live" => "Deploy the current build".into(),
        "health-check-too-shallow" => "Repair the main function, and let the health check see it".into(),
        _ => match cause.remedy.first() {
            Some(first) if first.chars().count() <= 90 => first.trim_end_matches('.').to_owned(),
            _ => format!("Repair this: {}", cause.title),
        },
    }
}

/// The failing checks that a cause's repair clears by itself: those on the way of a request, as long as no other cause
/// stands there too, or the cause rests on every endpoint that fails.
fn cleared_by(case: &Case<'_>, drawn: &Drawn<'_>, cause: &Cause) -> Vec<String> {
    let others = !likely_besides(case, cause).is_empty();
    let covers_all = || {
        let readings = case.view.readings(Vantage::Edge);
        let mut failing = readings.iter().filter(|r| r.fault().is_some()).filter_map(|r| r.id());
        failing.all(|id| cause.evidence_for.iter().any(|a| a.evidence.contains(id)))
    };
    let alone = !others || covers_all();
    let mut ids = Vec::new();
    match cause.rung.as_str() {
        "registrar" | "delegation" | "zone" | "resolver" => ids.push("dns"),
        "tls" => ids.push("tls"),
        _ => {}
    }
    if case.is_on_path(cause) && alone {
        ids.push("production-deployed");
    }
    let binds = drawn
        .findings
        .iter()
        .any(|f| f.code == findings::PROJ_BIND.code && f.cause.as_deref() == Some(&cause.id));
    if binds {
        ids.push("deploy-config");
    }
    ids.into_iter().filter(|id| fails(drawn.readiness, id)).map(str::to_owned).collect()
}

/// What all members of a tie ask for, or the observation that separates them.
fn tied(case: &Case<'_>, drawn: &Drawn<'_>, tie: &Tie, priority: Priority) -> Action {
    let members: Vec<&Cause> = tie.causes.iter().filter_map(|id| case.cause(id)).collect();
    let because = tie.causes.join(", ");
    if let Some(first) =
        members.first().filter(|f| !f.remedy.is_empty() && members.iter().all(|m| m.remedy == f.remedy))
    {
        let mut action = remedy(case, drawn, first, priority);
        action.because = because;
        return action;
    }
    let mut action =
        action(priority, format!("Find out which it is: {}", lower_first(&tie.separate.ask)), because);
    action.steps.push(tie.separate.how.clone());
    action.steps.extend(tie.separate.means.iter().cloned());
    for member in &members {
        if let Some(first) = member.remedy.first() {
            action.steps.push(format!("If it is {}: {first}", member.id));
        }
    }
    action
}

fn production_without_cause(drawn: &Drawn<'_>, priority: Priority) -> Option<Action> {
    let finding =
        drawn.findings.iter().find(|f| findings::concerns_production(f) && f.severity >= Severity::Medium)?;
    let mut action = action(priority, format!("Repair production: {}", finding.title), &finding.code);
    action.steps = vec![finding.remedy.clone()];
    action.commands = drawn.verification.first().map(|v| v.request.clone()).into_iter().collect();
    Some(action)
}

/// Causes on the request's way behind the main one.
fn other_causes(case: &Case<'_>, drawn: &Drawn<'_>) -> Vec<Action> {
    let Some(main) = case.main_cause() else { return Vec::new() };
    likely_besides(case, main)
        .into_iter()
        // The main action takes up what rests on its failures, unless it only says how to decide between causes.
        .filter(|other| case.in_a_tie(&main.id) || !rest_on_the_same_failures(case, main, other))
        .map(|c| remedy(case, drawn, c, Priority::P1))
        .collect()
}

/// The likely causes that no action above speaks of, because production as such is well: a monitor that asks wrongly, settings that
/// nobody wrote down, a limiter that takes all clients for one, a resolver that remembers a no.
fn beside_production(case: &Case<'_>, drawn: &Drawn<'_>, above: &[Action]) -> Vec<Action> {
    if drawn.verdict == Verdict::Unknown {
        return Vec::new();
    }
    let of_tests = |cause: &Cause| cause.id.starts_with("tests-");
    case.causes
        .iter()
        .filter(|c| c.label >= Label::Likely && !case.in_a_tie(&c.id) && !of_tests(c))
        .filter(|c| !case.is_on_path(c) || drawn.verdict == Verdict::Live)
        .filter(|c| above.iter().all(|action| action.because != c.id))
        .map(|cause| {
            // Clients that a limiter refuses are harmed now.
            let priority = if cause.rung == "rate-limit" { Priority::P1 } else { Priority::P2 };
            let mut action = remedy(case, drawn, cause, priority);
            // What verifies production does not verify this.
            action.commands.clear();
            action
        })
        .collect()
}

/// Nothing can be advised about what was not seen, except to see it.
fn see_production(case: &Case<'_>, drawn: &Drawn<'_>) -> Option<Action> {
    if drawn.verdict != Verdict::Unknown {
        return None;
    }
    let unknown =
        drawn.readiness.checks.iter().find(|c| c.id == "production-deployed" && c.status == Status::Unknown);
    let endpoints = &case.evidence().target.endpoints;
    let guessed = !endpoints.is_empty() && endpoints.iter().all(|e| e.source == EndpointSource::Guessed);
    let mut action = match unknown {
        // Usual paths that do not exist say nothing; what has to be there, only the owner knows.
        Some(check) if guessed => {
            let mut action = action(Priority::P1, "Tell which endpoints matter", &check.id);
            let paths: Vec<&str> = endpoints.iter().map(|e| e.path.as_str()).collect();
            action.steps = vec![
                format!("Only usual paths were tried ({}): {}.", in_words(&paths), check.note),
                "Name the endpoints in landfall.toml, or audit from the project's folder, where they are read from the code.".into(),
            ];
            action
        }
        Some(check) => {
            let mut action = action(Priority::P1, "See production first", &check.id);
            action.steps = match case.why_blind() {
                Some(cause) => [cause.remedy.clone(), vec!["Then audit again.".into()]].concat(),
                None => vec![check.note.clone(), "Remove what is in the way and audit again.".into()],
            };
            action
        }
        None if case.production().is_none() => {
            let mut action = action(Priority::P1, "Tell where production is", "production-deployed");
            action.steps = vec!["Give the production URL on the command line or in landfall.toml.".into()];
            action
        }
        None => return None,
    };
    action.commands = drawn.verification.first().map(|v| v.request.clone()).into_iter().collect();
    Some(action)
}

fn tests(case: &Case<'_>, drawn: &Drawn<'_>) -> Vec<Action> {
    if !fails(drawn.readiness, "tests") {
        return Vec::new();
    }
    let Some((_, seen, run)) = findings::declared_tests(case) else { return Vec::new() };
    let cause = case
        .causes
        .iter()
        .find(|c| c.rung == "project" && c.id.starts_with("tests-") && c.label >= Label::Possible);
    let code = drawn.findings.iter().find(|f| f.code.starts_with("LF-TEST-")).map(|f| f.code.clone());
    let because = cause.map(|c| c.id.clone()).or(code).unwrap_or_else(|| "tests".into());
    let clears = vec!["tests".to_owned()];
    match findings::test_outcome(run) {
        TestOutcome::Uncollected => {
            let mut first = action(Priority::P1, "Let the tests import the project", &because);
            let gap = run.collection_errors.iter().find_map(|e| e.gap.as_ref());
            match gap {
                Some(gap) if run.runner == "pytest" => {
                    first.title = format!("Put {} on the tests' import path", folder(&gap.missing_path));
                    first.steps.push(format!(
                        "In pyproject.toml, under [tool.pytest.ini_options], set pythonpath = [{:?}]; or add an empty conftest.py beside {}.",
                        gap.missing_path, gap.defined_in
                    ));
                    first
                        .steps
                        .push("Run the tests as CI does, without a PYTHONPATH from your own shell.".into());
                }
                Some(gap) => first.steps.push(format!(
                    "Put {} on the import path; it holds {}.",
                    folder(&gap.missing_path),
                    gap.defined_in
                )),
                None => first.steps.extend(run.collection_errors.first().map(|e| {
                    format!("Install or correct what the import asks for: {}", findings::error_in_words(e))
                })),
            }
            if first.steps.is_empty() {
                first.steps.push("Read the first error of the output.".into());
            }
            let mut all = Vec::new();
            match findings::remedied_tests(case) {
                Some((o, what, mended)) => {
                    let command = case
                        .evidence()
                        .tests()
                        .find(|(other, _)| other.id == o.id)
                        .map(|(_, seen)| seen.command.clone());
                    first.commands.extend(command);
                    let counts = mended.counts.unwrap_or_default();
                    let collected = format!(
                        "{} collected, {} passed {what}",
                        count(counts.collected as usize, "test"),
                        counts.passed
                    );
                    match findings::test_outcome(mended) {
                        TestOutcome::Passed => {
                            first.tried = Tried::Works { seen: collected };
                            first.clears = clears;
                            all.push(first);
                        }
                        TestOutcome::Failed { failed, .. } => {
                            first.tried = Tried::Works { seen: format!("{collected}; {failed} fail") };
                            let mut second = action(
                                Priority::P1,
                                "Mend the tests that fail behind the import error",
                                findings::TEST_BEHIND.code,
                            );
                            second.steps = mended.failed.iter().take(10).cloned().collect();
                            all.extend([first, second]);
                        }
                        other => {
                            first.tried = Tried::Fails { seen: outcome_in_words(other) };
                            all.push(first);
                        }
                    }
                }
                None => {
                    first.commands.push(seen.command.clone());
                    all.push(first);
                }
            }
            all
        }
        outcome => {
            let mut only = action(
                Priority::P1,
                match outcome {
                    TestOutcome::NoneRan => "Point the test command at the tests",
                    TestOutcome::Stopped => "Find the test that does not end",
                    _ => "Mend the failing tests",
                },
                because,
            );
            only.steps = run.failed.iter().take(10).cloned().collect();
            if only.steps.is_empty() {
                only.steps.push("Read the end of the output.".into());
            }
            only.commands = vec![seen.command.clone()];
            only.clears = clears;
            vec![only]
        }
    }
}

fn outcome_in_words(outcome: TestOutcome) -> String {
    match outcome {
        TestOutcome::Passed => "the tests pass".into(),
        TestOutcome::Uncollected => "the tests still cannot be loaded".into(),
        TestOutcome::Failed { failed, collected } => format!("{failed} of {} fail", count(collected, "test")),
        TestOutcome::NoneRan => "no test ran".into(),
        TestOutcome::Stopped => "the run did not end by itself".into(),
        TestOutcome::Broken { code } => format!("exit status {code}"),
    }
}

fn limit(case: &Case<'_>, drawn: &Drawn<'_>) -> Option<Action> {
    let finding = drawn.findings.iter().find(|f| f.code == findings::RATE_TOO_LOW.code)?;
    let limit = drawn.rate_limit?;
    let because = rate_limit::cause(case).map_or_else(|| finding.code.clone(), |c| c.id.clone());
    let mut action = action(Priority::P1, "Raise the rate limit, and exempt the health paths", because);
    action.steps.extend(limit.recommendation.clone());
    action.steps.extend(match limit.hop.as_deref() {
        Some(hop) if hop.starts_with("edge") => Some(format!("The limiter sits at the {hop}: look for its rate limiting rules there.")),
        Some(hop) => Some(format!("The limiter sits at: {hop}.")),
        None => Some("Which hop limits is not known: look at the edge's rules first, then at the application's limiter.".into()),
    });
    action.steps.push(
        "Say in the API's documentation what the limit is, and send Retry-After with each refusal.".into(),
    );
    action.commands = drawn.verification.last().map(|v| v.request.clone()).into_iter().collect();
    Some(action)
}

/// Failing checks on this side that no cause speaks of.
fn failing_checks(drawn: &Drawn<'_>) -> Vec<Action> {
    let covered = |id: &str| {
        id == "deploy-config"
            && drawn.findings.iter().any(|f| f.code == findings::PROJ_BIND.code && f.cause.is_some())
    };
    let todo = [
        ("local-backend", "Repair the local backend"),
        ("support-ai", "Configure the support assistant's model"),
        ("stripe-webhooks", "Repair the Stripe webhook route"),
        ("deploy-config", "Correct the deploy configuration's start command"),
        ("secrets", "Set the missing settings"),
    ];
    todo.iter()
        .filter(|(id, _)| !covered(id))
        .filter_map(|(id, title)| {
            let check = drawn.readiness.checks.iter().find(|c| c.id == *id && c.status == Status::Fail)?;
            let mut action = action(Priority::P1, *title, check.id.clone());
            action.steps = vec![check.note.clone()];
            let code = match *id {
                "local-backend" => "LF-LOCAL-",
                "deploy-config" => findings::PROJ_BIND.code,
                "secrets" => findings::PROJ_SETTING_MISSING.code,
                _ => "",
            };
            let finding = drawn.findings.iter().find(|f| !code.is_empty() && f.code.starts_with(code));
            action.steps.extend(finding.map(|f| f.remedy.clone()));
            action.clears = vec![check.id.clone()];
            Some(action)
        })
        .collect()
}

/// Findings of weight that neither a cause nor an action above speaks of.
fn remaining_findings(case: &Case<'_>, drawn: &Drawn<'_>) -> Vec<Action> {
    let led_by_finding = case.main_cause().is_none();
    let mut first_of_production =
        led_by_finding && matches!(drawn.verdict, Verdict::NotLive | Verdict::Degraded);
    let mut actions = Vec::new();
    for finding in drawn.findings.iter().filter(|f| f.severity >= Severity::Medium && f.cause.is_none()) {
        if !findings::concerns_production(finding) {
            continue;
        }
        // Without a cause, the worst finding already leads the list.
        if std::mem::take(&mut first_of_production) {
            continue;
        }
        let priority = if finding.severity >= Severity::High { Priority::P1 } else { Priority::P2 };
        let mut action = action(priority, finding.title.clone(), &finding.code);
        action.steps = vec![finding.remedy.clone()];
        let check = match finding.code.get(..6) {
            Some("LF-TLS") => "tls",
            Some("LF-DNS") => "dns",
            _ => "",
        };
        let alone = drawn
            .findings
            .iter()
            .filter(|f| f.severity >= Severity::High && f.code.get(..6) == finding.code.get(..6))
            .count()
            == 1;
        if fails(drawn.readiness, check) && alone && finding.severity >= Severity::High {
            action.clears = vec![check.to_owned()];
        }
        actions.push(action);
    }
    actions
}

fn monitoring(case: &Case<'_>, drawn: &Drawn<'_>) -> Option<Action> {
    let base = case.production()?;
    let readings = case.view.readings(Vantage::Edge);
    let endpoint = readings
        .iter()
        .map(|r| r.endpoint)
        .find(|e| e.is_safe() && is_health_path(&e.path))
        .or_else(|| readings.iter().map(|r| r.endpoint).find(|e| e.is_safe()))?;
    let url = url_of(base, &endpoint.path);
    let mut action = action(Priority::P2, "Watch production from outside", "monitoring");
    action.steps.push(format!("Ask {url} every 5 minutes, and alert after 3 consecutive failures."));
    action.steps.push("Look at the status, the media type and a member of the body: a status alone stays green when another application answers.".into());
    if let Some(core) = readings.iter().map(|r| r.endpoint).find(|e| e.core && e.path != endpoint.path) {
        action.steps.push(format!(
            "Watch {} too: a health route can be green while the main function fails.",
            core.path
        ));
    }
    if drawn.findings.iter().any(|f| f.code == findings::RATE_TOO_LOW.code) {
        action.steps.push(
            "Exempt the monitor from the rate limit first, or its own requests will be refused.".into(),
        );
    }
    action.commands = vec![format!("curl -fsS --max-time 10 {}", quoted(&url))];
    Some(action)
}

fn documentation(case: &Case<'_>, drawn: &Drawn<'_>) -> Option<Action> {
    case.production()?;
    if drawn.path.len() < 3 {
        return None;
    }
    let way: Vec<String> = drawn
        .path
        .iter()
        .map(|hop| match (&hop.vendor, hop.hop) {
            (Some(vendor), _) => vendor.clone(),
            (None, HopKind::Client) => "client".into(),
            (None, HopKind::App) => "application".into(),
            (None, kind) => format!("{kind:?}").to_lowercase(),
        })
        .collect();
    let mut action =
        action(Priority::P2, "Write down how a request reaches the application", "documentation");
    action.steps.push(format!("The way: {}.", way.join(" → ")));
    let names: Vec<&str> = [&case.evidence().target.production, &case.evidence().target.origin]
        .into_iter()
        .flatten()
        .filter_map(|url| url.host_str())
        .collect();
    action.steps.push(format!("The names: {}. Keep the platform's own name in landfall.toml (origin): it tells the deployment from the way to it.", in_words(&names)));
    action.steps.push("What to look at when it breaks, hop by hop, and who may change each.".into());
    Some(action)
}
