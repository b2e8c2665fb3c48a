//! What two audits of one target tell when they are held against each other, on recorded evidence.

use landfall_diagnosis::{Aspect, Catalogue, Comparison, Direction, compare};
use landfall_evidence::Evidence;
use landfall_report::{Report, Style};

const UNDEPLOYED: &str = include_str!("../../../scenarios/levqor-undeployed/evidence.json");
const DEPLOYED: &str = include_str!("../../../scenarios/levqor-deployed/evidence.json");
const STALE: &str = include_str!("../../../scenarios/levqor-stale-build/evidence.json");

fn report(text: &str) -> Report {
    let evidence = Evidence::from_json(text).expect("evidence of this version");
    landfall_audit::report(&evidence, Catalogue::embedded()).1
}

/// The two are compared in the order given, whatever the clock said when they were recorded.
fn compared(old: &str, new: &str) -> Comparison {
    let (old, mut new) = (report(old).standing(), report(new).standing());
    new.at = old.at;
    compare(&old, &new)
}

fn text(comparison: &Comparison) -> String {
    let text = landfall_report::comparison(comparison, &Style { width: 100, ..Style::default() });
    // Ports of the lab's resolver and the days of its certificates are new in every recording.
    text.replace("\u{1b}", "<ESC>")
}

#[test]
fn after_the_deployment_everything_is_better() {
    let found = compared(UNDEPLOYED, DEPLOYED);
    assert!(!found.worse, "{found:#?}");
    let fixed: Vec<&str> = found.fixed_causes.iter().map(|c| c.id.as_str()).collect();
    assert!(fixed.contains(&"never-deployed") && fixed.contains(&"tests-cannot-import-project"), "{fixed:?}");
    assert!(found.new_causes.is_empty());
    let better = found.changes.iter().filter(|c| c.direction == Direction::Better);
    let better: Vec<(Aspect, &str)> = better.map(|c| (c.aspect, c.subject.as_str())).collect();
    assert!(better.contains(&(Aspect::Endpoint, "GET /health at the edge")), "{better:?}");
    assert!(better.iter().any(|(aspect, _)| *aspect == Aspect::Tests), "{better:?}");
    let page = text(&found);
    assert!(page.contains("NOT LIVE → LIVE"), "{page}");
    assert!(page.ends_with("Nothing is worse.\n"), "{page}");
    assert!(!page.contains("\nWorse\n"), "an empty section has no heading:\n{page}");
}

#[test]
fn an_old_build_in_place_of_the_new_one_is_worse() {
    let found = compared(DEPLOYED, STALE);
    assert!(found.worse);
    let new: Vec<&str> = found.new_causes.iter().map(|c| c.cause.id.as_str()).collect();
    assert!(new.contains(&"deploy-failed-old-build-live"), "{new:?}");
    let stale =
        found.new_causes.iter().find(|c| c.cause.id == "deploy-failed-old-build-live").expect("named");
    assert!(!stale.shows_in.is_empty(), "{stale:?}");
    assert!(stale.say.contains("HTTP 200") && stale.say.contains("HTTP 404"), "{}", stale.say);
    assert!(text(&found).ends_with("Something is worse.\n"));
}

#[test]
fn the_same_evidence_twice_is_no_change() {
    let found = compared(STALE, STALE);
    assert!(!found.worse);
    assert!(found.changes.is_empty() && found.not_seen_now.is_empty(), "{found:#?}");
    assert!(!found.same_causes.is_empty());
    assert!(text(&found).ends_with("Nothing is worse, and nothing else changed.\n"));
}

#[test]
fn the_page_reads_as_a_person_would_tell_it() {
    insta::assert_snapshot!("undeployed_to_deployed", text(&compared(UNDEPLOYED, DEPLOYED)));
    insta::assert_snapshot!("deployed_to_stale_build", text(&compared(DEPLOYED, STALE)));
}

#[test]
fn a_changed_start_command_is_traced_to_its_commit() {
    let broken = DEPLOYED.to_owned();
    let mut old: Evidence = Evidence::from_json(DEPLOYED).expect("evidence");
    // Before the last change of the deploy configuration: the command that the history gives as the former one.
    for observation in &mut old.observations {
        if let landfall_evidence::Seen::Project(seen) = &mut observation.seen
            && let landfall_evidence::Observed::Present(project) = &mut seen.answer
        {
            let git = project.git.as_mut().expect("under git");
            let before = git.deploy_history[0].start_before.clone();
            git.head = "1328493aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned();
            let production =
                project.deploy.iter_mut().find(|d| d.stage == landfall_evidence::DeployStage::Production);
            production.expect("a deploy configuration").start = before;
        }
    }
    let found = compared(&old.to_json(), &broken);
    let start = found.changes.iter().find(|c| c.aspect == Aspect::Start).expect("the command changed");
    let made = start.made.as_deref().expect("the history has it");
    assert!(made.starts_with("in commit 7fb83ca (Bind the deployment to the port"), "{made}");
    assert!(start.in_words().contains("changed from gunicorn --workers 2"), "{}", start.in_words());
    assert!(found.changes.iter().any(|c| c.aspect == Aspect::Commit));
}

#[test]
fn json_holds_the_comparison_and_steers_no_terminal() {
    let mut found = compared(DEPLOYED, STALE);
    found.reservations.push("\u{9b}31m and \u{202e}turned".to_owned());
    let json = landfall_report::comparison_json(&found);
    assert!(!json.contains('\u{9b}') && !json.contains('\u{202e}'));
    let back: Comparison = serde_json::from_str(&json).expect("it reads back");
    assert_eq!(back, found);
    let page = landfall_report::comparison(&found, &Style::default());
    assert!(!page.contains('\u{9b}') && !page.contains('\u{202e}'), "{page}");
    assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
}
