//! One diagnosis held against what is true.

use std::collections::BTreeSet;

use landfall_diagnosis::{Catalogue, Cause, Diagnosis, Label, Rung};

use crate::case::Truth;

/// How one diagnosis stands to the truth.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The first name given: one cause, or the tie that the first cause is part of. Empty when none is given.
    pub first: Vec<String>,
    /// Whether the first name is right: it holds a true cause, and whatever else stands in the tie is true as well or a
    /// listed rival, which this evidence cannot separate. A tie with any other member is wrong.
    pub top1: bool,
    /// Whether a true cause is among the first three names: causes as ranked, members of a tie one by one, then the
    /// first cause's rivals that are at least possible.
    pub top3: bool,
    /// Whether the first name holds a true cause, or one through which a true cause shows itself (`chains.toml`), and has at
    /// most four members, whoever they are.
    pub in_small_group: bool,
    /// Whether the first broken rung is the one of the truth, or none where none is broken.
    pub rung_right: bool,
    /// The rung that the diagnosis takes for the first broken one.
    pub rung: Option<Rung>,
    /// Strict set score: 0 when a true cause is not named at all, else the share of right names. A tie is one name, right
    /// under the rule of `top1`. In a healthy world 1 when nothing is named, else 0.
    pub set: f64,
    /// Every cause named, with its label and confidence.
    pub named: Vec<Named>,
    /// Whether it decides.
    pub decision: Decision,
    /// Forbidden causes named at likely or above.
    pub forbidden: Vec<String>,
}

/// A named cause.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    /// Its id.
    pub id: String,
    /// How firmly it is held.
    pub label: Label,
    /// Its share of belief, 0 to 1.
    pub confidence: f64,
    /// Whether it is true. A rival is not, even where it may stand in a tie.
    pub right: bool,
    /// Whether it is one through which a true cause shows itself: just as true and less deep.
    pub station: bool,
}

/// Whether a diagnosis ends with a decision or with a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Decision {
    /// One cause comes first, likely or confirmed.
    Decided,
    /// One cause comes first and is no more than possible.
    Possible,
    /// Several cannot be told apart.
    Tie,
    /// No cause is named.
    Nothing,
}

/// Holds a diagnosis against the truth.
pub fn judge(diagnosis: &Diagnosis, truth: &Truth, catalogue: &Catalogue) -> Judgement {
    let groups = groups(diagnosis);
    let first = groups.first().cloned().unwrap_or_default();
    let station = |id: &str| truth.causes.iter().any(|cause| catalogue.leads_to(cause, id));
    let holds = first.iter().any(|cause| truth.holds(&cause.id) || station(&cause.id));
    let right_group = |group: &[&Cause]| {
        group.iter().any(|c| truth.holds(&c.id)) && group.iter().all(|c| truth.admits(&c.id))
    };
    let all_named = truth.causes.iter().all(|id| diagnosis.causes.iter().any(|cause| &cause.id == id));
    let set = if truth.is_healthy() {
        f64::from(u8::from(groups.is_empty()))
    } else if all_named {
        groups.iter().filter(|group| right_group(group)).count() as f64 / groups.len() as f64
    } else {
        0.0
    };
    let rung = first_broken(diagnosis);
    Judgement {
        top1: right_group(&first),
        top3: ranked(diagnosis).iter().take(3).any(|id| truth.holds(id)),
        in_small_group: holds && first.len() <= 4,
        rung_right: rung == truth.broken,
        rung,
        set,
        named: diagnosis
            .causes
            .iter()
            .map(|cause| Named {
                id: cause.id.clone(),
                label: cause.label,
                confidence: cause.confidence,
                right: truth.holds(&cause.id),
                station: station(&cause.id),
            })
            .collect(),
        decision: match first.as_slice() {
            [] => Decision::Nothing,
            [one] if one.label >= Label::Likely => Decision::Decided,
            [_] => Decision::Possible,
            _ => Decision::Tie,
        },
        forbidden: diagnosis
            .causes
            .iter()
            .filter(|cause| cause.label >= Label::Likely && truth.never.contains(&cause.id))
            .map(|cause| cause.id.clone())
            .collect(),
        first: first.iter().map(|cause| cause.id.clone()).collect(),
    }
}

/// The named causes, each tie as one group, in the order of their first member.
fn groups(diagnosis: &Diagnosis) -> Vec<Vec<&Cause>> {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut groups = Vec::new();
    for cause in &diagnosis.causes {
        if !seen.insert(&cause.id) {
            continue;
        }
        let tie = diagnosis.ties.iter().find(|tie| tie.causes.contains(&cause.id));
        let mut group = vec![cause];
        for other in diagnosis.causes.iter().filter(|c| tie.is_some_and(|tie| tie.causes.contains(&c.id))) {
            if seen.insert(&other.id) {
                group.push(other);
            }
        }
        groups.push(group);
    }
    groups
}

/// Every name that a reader meets, in order: the causes, then what the first one only just beat.
fn ranked(diagnosis: &Diagnosis) -> Vec<&str> {
    let causes = diagnosis.causes.iter().map(|cause| cause.id.as_str());
    let rivals = diagnosis.causes.first().into_iter().flat_map(|cause| &cause.rivals);
    let rivals = rivals.filter(|rival| rival.label >= Label::Possible).map(|rival| rival.id.as_str());
    let mut ids = Vec::new();
    for id in causes.chain(rivals) {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids
}

fn first_broken(diagnosis: &Diagnosis) -> Option<Rung> {
    let name = diagnosis.first_broken.as_deref()?;
    Rung::ALL.into_iter().find(|rung| rung.name() == name)
}

#[cfg(test)]
mod tests {
    use landfall_diagnosis::{Catalogue, Severity, Tie, diagnose};

    use super::*;

    fn judge(diagnosis: &Diagnosis, truth: &Truth) -> Judgement {
        super::judge(diagnosis, truth, Catalogue::embedded())
    }

    use crate::case::Half;
    use crate::variants::testkit;

    fn cause(id: &str, label: Label) -> Cause {
        let fault = Catalogue::embedded().fault(id).expect("a fault of the catalogue");
        Cause {
            id: id.to_owned(),
            title: fault.title.clone(),
            rung: fault.layer.name().to_owned(),
            label,
            confidence: 0.5,
            score_db: 10,
            severity: Severity::High,
            evidence_for: Vec::new(),
            against: Vec::new(),
            not_known: Vec::new(),
            rivals: Vec::new(),
            next_probe: None,
            contributing: Vec::new(),
            remedy: Vec::new(),
            verify: Vec::new(),
        }
    }

    fn diagnosis(causes: &[(&str, Label)], tie: &[&str]) -> Diagnosis {
        let mut diagnosis = diagnose(&testkit::healthy().evidence, Catalogue::embedded());
        diagnosis.causes = causes.iter().map(|(id, label)| cause(id, *label)).collect();
        diagnosis.first_broken = diagnosis.causes.first().map(|cause| cause.rung.clone());
        diagnosis.ties.clear();
        if !tie.is_empty() {
            let separate =
                landfall_diagnosis::NextProbe { ask: "a".into(), how: "h".into(), means: Vec::new() };
            let causes = tie.iter().map(|id| (*id).to_owned()).collect();
            diagnosis.ties.push(Tie { causes, confidence: 0.9, separate });
        }
        diagnosis
    }

    fn truth(causes: &[&str], rivals: &[&str]) -> Truth {
        let owned = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        Truth {
            causes: owned(causes),
            rivals: owned(rivals),
            never: vec!["cert-expired".to_owned()],
            broken: Some(Rung::EdgeOrigin),
            half: Half::Tuned,
            inside: true,
            visible: true,
            variants: Vec::new(),
        }
    }

    #[test]
    fn a_single_right_name_is_right_and_decided_when_it_is_likely() {
        let judged = judge(
            &diagnosis(&[("edge-origin-refused", Label::Likely)], &[]),
            &truth(&["edge-origin-refused"], &[]),
        );
        assert!(judged.top1 && judged.top3 && judged.in_small_group && judged.rung_right);
        assert_eq!((judged.set, judged.decision), (1.0, Decision::Decided));
        let weak = judge(
            &diagnosis(&[("edge-origin-refused", Label::Possible)], &[]),
            &truth(&["edge-origin-refused"], &[]),
        );
        assert_eq!(weak.decision, Decision::Possible);
    }

    #[test]
    fn a_tie_is_right_only_with_listed_rivals() {
        let named = diagnosis(
            &[("process-crash-loop", Label::Possible), ("edge-origin-refused", Label::Possible)],
            &["process-crash-loop", "edge-origin-refused"],
        );
        let listed = judge(&named, &truth(&["edge-origin-refused"], &["process-crash-loop"]));
        assert!(listed.top1);
        assert_eq!((listed.set, listed.decision), (1.0, Decision::Tie));
        let unlisted = judge(&named, &truth(&["edge-origin-refused"], &[]));
        assert!(!unlisted.top1 && unlisted.top3 && unlisted.in_small_group);
        assert_eq!(unlisted.set, 0.0);
        assert_eq!(unlisted.rung, Some(Rung::Process), "the diagnosis's own word");
        let elsewhere =
            judge(&named, &truth(&["cert-expired"], &["process-crash-loop", "edge-origin-refused"]));
        assert!(!elsewhere.top1, "a tie of rivals alone holds no true cause");
    }

    #[test]
    fn a_rival_without_the_cause_is_wrong() {
        let judged = judge(
            &diagnosis(&[("process-crash-loop", Label::Likely)], &[]),
            &truth(&["edge-origin-refused"], &["process-crash-loop"]),
        );
        assert!(!judged.top1 && !judged.named[0].right);
        assert_eq!(judged.set, 0.0);
    }

    #[test]
    fn of_two_faults_both_must_be_named() {
        let two = truth(&["edge-origin-refused", "tests-cannot-import-project"], &[]);
        let both = [("edge-origin-refused", Label::Likely), ("tests-cannot-import-project", Label::Likely)];
        assert_eq!(judge(&diagnosis(&both, &[]), &two).set, 1.0);
        assert_eq!(judge(&diagnosis(&both[..1], &[]), &two).set, 0.0);
        let more = [both[0], both[1], ("cert-expired", Label::Likely)];
        let judged = judge(&diagnosis(&more, &[]), &two);
        assert!((judged.set - 2.0 / 3.0).abs() < 1e-9);
        assert_eq!(judged.forbidden, ["cert-expired"]);
        assert_eq!(
            judge(&diagnosis(&[("cert-expired", Label::Possible)], &[]), &two).forbidden,
            [] as [&str; 0]
        );
    }

    #[test]
    fn rivals_that_are_possible_come_after_the_causes() {
        let mut named = diagnosis(&[("cert-expired", Label::Likely)], &[]);
        for (id, label) in [("port-refused", Label::RuledOut), ("edge-origin-refused", Label::Possible)] {
            named.causes[0].rivals.push(landfall_diagnosis::Rival {
                id: id.to_owned(),
                title: String::new(),
                label,
                why: String::new(),
                separated: true,
            });
        }
        assert!(judge(&named, &truth(&["edge-origin-refused"], &[])).top3);
        assert!(!judge(&named, &truth(&["port-refused"], &[])).top3);
    }

    #[test]
    fn a_healthy_world_wants_no_name_and_no_broken_rung() {
        let mut healthy = truth(&[], &[]);
        healthy.broken = None;
        let judged = judge(&diagnosis(&[], &[]), &healthy);
        assert!(judged.rung_right && judged.first.is_empty());
        assert_eq!((judged.set, judged.decision), (1.0, Decision::Nothing));
        assert_eq!(judge(&diagnosis(&[("cert-expired", Label::Possible)], &[]), &healthy).set, 0.0);
    }
}
