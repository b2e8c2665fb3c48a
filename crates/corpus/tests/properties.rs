//! What must hold of every diagnosis of every recorded world, whatever becomes of its evidence.

use std::path::Path;
use std::sync::LazyLock;

use landfall_corpus::{Advice, Case, Corpus};
use landfall_diagnosis::{Catalogue, Diagnosis, HopState, Label, Priority, Status, Verdict, diagnose};
use landfall_evidence::{Evidence, Observation};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Value, json};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/corpus");

static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let corpus =
        Corpus::load(Path::new(FOLDER), "", Catalogue::embedded()).unwrap_or_else(|error| panic!("{error}"));
    assert!(corpus.cases.len() > 10, "the corpus has recordings");
    corpus.cases
});

fn judged(evidence: &Evidence) -> Diagnosis {
    diagnose(evidence, Catalogue::embedded())
}

fn case() -> impl Strategy<Value = &'static Case> {
    any::<prop::sample::Index>().prop_map(|at| at.get(&CASES))
}

/// A name that has nothing to do with the target answers as it should.
fn unrelated_name() -> Observation {
    observation(json!({
        "id": "dns/recursive/203.0.113.53/A www.elsewhere.example",
        "seen": {
            "kind": "dns",
            "question": {
                "name": "www.elsewhere.example", "rtype": "A", "transport": "udp",
                "server": { "role": "recursive", "name": null, "address": "203.0.113.53:53", "connected_to": null },
            },
            "answer": { "state": "present", "detail": {
                "rcode": 0, "rcode_name": "NOERROR", "authoritative": false, "recursion_available": true,
                "authentic_data": false, "truncated": false, "authority": [], "extended_errors": [],
                "answers": [{ "name": "www.elsewhere.example", "rtype": "A", "ttl_s": 300, "data": "203.0.113.80" }],
            } },
        },
    }))
}

/// A site that has nothing to do with the target answers as it should.
fn unrelated_answer() -> Observation {
    observation(json!({
        "id": "http/third-party/verification GET /",
        "seen": {
            "kind": "http",
            "request": {
                "method": "GET", "url": "https://www.elsewhere.example/", "path": "/", "version": "HTTP/2",
                "address": "203.0.113.80:443", "connected_to": null, "purpose": "verification", "headers": [],
            },
            "answer": { "state": "present", "detail": {
                "version": "HTTP/2", "status": 200, "redirect_to": null,
                "headers": [{ "name": "content-type", "value": "application/json" }],
                "body": { "byte_count": 12, "complete": true, "cut": null, "text": "{\"ok\": true}", "sha256": "00" },
            } },
            "timings": { "resolve_us": null, "connect_us": null, "tls_us": null, "wait_us": 12000, "transfer_us": 10 },
        },
    }))
}

fn observation(mut value: Value) -> Observation {
    let rest = json!({
        "vantage": "third-party", "started_us": 1000, "took_us": 15000, "after": null, "round_trips": 1, "attempt": 1,
        "by_hand": "true",
    });
    let (Some(fields), Value::Object(rest)) = (value.as_object_mut(), rest) else {
        panic!("both are objects")
    };
    fields.extend(rest);
    serde_json::from_value(value).expect("an observation of this version")
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        // The same cases in every run: whoever changes rules looks further with PROPTEST_CASES and a seed of their own.
        rng_seed: RngSeed::Fixed(20_261_125),
        ..ProptestConfig::default()
    })]

    /// The order of observations is an accident of the network.
    #[test]
    fn the_order_of_evidence_does_not_matter(
        (case, evidence) in case().prop_flat_map(|case| {
            let shuffled = Just(case.evidence.observations.clone()).prop_shuffle();
            (Just(case), shuffled.prop_map(|observations| Evidence { observations, ..case.evidence.clone() }))
        })
    ) {
        let (before, after) = (judged(&case.evidence), judged(&evidence));
        prop_assert_eq!(&before.causes, &after.causes, "{}", &case.name);
        prop_assert_eq!(&before.ties, &after.ties, "{}", &case.name);
        prop_assert_eq!(&before.ruled_out, &after.ruled_out, "{}", &case.name);
        prop_assert_eq!((before.verdict, &before.rungs), (after.verdict, &after.rungs), "{}", &case.name);
    }

    /// A cause that the whole evidence speaks against is not proven by knowing less.
    #[test]
    fn removing_evidence_never_makes_a_refuted_cause_confirmed(
        case in case(),
        kept in prop::collection::vec(any::<bool>(), 400),
        mostly in any::<bool>(),
    ) {
        let before = judged(&case.evidence);
        let mut less = case.evidence.clone();
        // Half of the runs keep about half, the others about three quarters.
        let mut at = 0;
        less.observations.retain(|_| {
            at += 2;
            kept[at % 400] || (mostly && kept[(at + 1) % 400])
        });
        let after = judged(&less);
        for cause in after.causes.iter().filter(|cause| cause.label == Label::Confirmed) {
            prop_assert!(
                before.ruled_out.iter().all(|lost| lost.id != cause.id),
                "{}: {} was ruled out and is confirmed without {} observations",
                case.name, cause.id, case.evidence.observations.len() - less.observations.len()
            );
        }
    }

    /// That somebody else is well changes nothing here.
    #[test]
    fn an_unrelated_healthy_observation_never_changes_the_first_cause(
        case in case(),
        at in any::<prop::sample::Index>(),
        which in any::<bool>(),
    ) {
        let before = judged(&case.evidence);
        let mut more = case.evidence.clone();
        let place = at.index(more.observations.len() + 1);
        more.observations.insert(place, if which { unrelated_name() } else { unrelated_answer() });
        let after = judged(&more);
        let named = |diagnosis: &Diagnosis| {
            diagnosis.causes.iter().map(|cause| (cause.id.clone(), cause.label, cause.score_db)).collect::<Vec<_>>()
        };
        prop_assert_eq!(named(&before), named(&after), "{}", &case.name);
        prop_assert_eq!(before.first_broken, after.first_broken, "{}", &case.name);
    }

    /// Shares of belief are shares, those of causes that exclude each other together too; and what is cited exists.
    #[test]
    fn confidences_are_shares_and_citations_exist(
        case in case(),
        kept in prop::collection::vec(prop::bool::weighted(0.85), 400),
    ) {
        let mut less = case.evidence.clone();
        let mut at = 0;
        less.observations.retain(|_| {
            at += 1;
            kept[at % 400]
        });
        let diagnosis = judged(&less);
        for cause in diagnosis.causes.iter().chain(&diagnosis.ruled_out) {
            prop_assert!((0.0..=1.0).contains(&cause.confidence), "{}: {} {}", case.name, cause.id, cause.confidence);
            for id in cause.evidence_for.iter().chain(&cause.against).flat_map(|argument| &argument.evidence) {
                prop_assert!(less.find(id).is_some(), "{}: {} cites {id}, which is not there", case.name, cause.id);
            }
        }
        for tie in &diagnosis.ties {
            prop_assert!((0.0..=1.0).contains(&tie.confidence), "{}: {:?} {}", case.name, tie.causes, tie.confidence);
            let members = diagnosis.causes.iter().filter(|cause| tie.causes.contains(&cause.id));
            let sum: f64 = members.map(|cause| cause.confidence).sum();
            // Each share is rounded to two decimals by itself.
            prop_assert!(sum <= 1.0 + 0.005 * tie.causes.len() as f64, "{}: {:?} {sum}", case.name, tie.causes);
        }
    }
}

/// What a report says in several places has to agree: its reader may look at one of them alone.
#[test]
fn no_report_contradicts_itself() {
    let mut wrong = Vec::new();
    let mut kept_from = 0;
    for case in CASES.iter() {
        let told = judged(&case.evidence);
        let deployed = told.readiness.checks.iter().find(|c| c.id == "production-deployed").map(|c| c.status);
        let row = told.components.iter().find(|c| c.id == "production").map(|c| c.status);
        let urgent = told.actions.iter().any(|action| action.priority == Priority::P0);
        let breaks = told.path.is_empty() || told.path.iter().any(|hop| hop.state != HopState::Ok);
        kept_from += usize::from(deployed == Some(Status::Fail) && !breaks);
        let sayings = [
            (
                told.verdict == Verdict::Live && deployed == Some(Status::Fail),
                "LIVE, and the check says that it is not",
            ),
            (told.verdict == Verdict::Live && row != Some(Status::Ok), "LIVE, and its row is not green"),
            (told.verdict == Verdict::Live && urgent, "LIVE, and something is urgent"),
            (
                told.verdict == Verdict::NotLive && deployed == Some(Status::Ok),
                "NOT LIVE, and the check passes",
            ),
            (
                told.verdict == Verdict::NotLive && row != Some(Status::Fail),
                "NOT LIVE, and its row is not red",
            ),
            (
                !breaks && told.explanation.contains("first part that fails"),
                "every hop is green, and one is said to fail",
            ),
        ];
        wrong.extend(sayings.iter().filter(|(is, _)| *is).map(|(_, what)| format!("{}: {what}", case.name)));
    }
    assert!(wrong.is_empty(), "{} contradictions:\n{}", wrong.len(), wrong.join("\n"));
    assert!(kept_from > 0, "some world serves an older build behind a green path");
}

/// Whoever reads that a cause is likely reads further down what to do about it: by an action of its own, or by a step of one
/// that mends several.
#[test]
fn what_is_likely_has_its_remedy_among_the_actions() {
    let mut without = Vec::new();
    let mut beside = 0;
    for case in CASES.iter() {
        let told = judged(&case.evidence);
        match Advice::of(&told) {
            Advice::NotOwed => {}
            Advice::Given => beside += usize::from(told.verdict == Verdict::Live),
            Advice::Missing(id) => without.push(format!("{}: {id}", case.name)),
        }
    }
    assert!(without.is_empty(), "{} without:\n{}", without.len(), without.join("\n"));
    assert!(beside > 0, "some world is LIVE beside a likely cause");
}
