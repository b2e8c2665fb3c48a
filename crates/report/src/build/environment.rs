//! Section 1: the project folder.

use landfall_evidence::{Evidence, Observation, ProjectObservation, Seen};

use super::outcome;
use crate::model::{Environment, Outcome};

pub(super) fn build(evidence: &Evidence) -> Environment {
    let Some((observation, project)) = reading(evidence) else {
        return Environment {
            working_directory: evidence.target.project.clone(),
            outcome: Outcome::Unasked,
            words: "no project folder was read".to_owned(),
            stacks: Vec::new(),
            entry: None,
            folders: Vec::new(),
            deploy: Vec::new(),
            settings: Default::default(),
            routes: 0,
            schedulers: Vec::new(),
            git: None,
            unread: Vec::new(),
            evidence: None,
        };
    };
    let snapshot = project.answer.present().map(|s| (**s).clone()).unwrap_or_default();
    Environment {
        working_directory: Some(if snapshot.root.is_empty() { project.root.clone() } else { snapshot.root }),
        outcome: outcome(&project.answer),
        words: match &project.answer {
            landfall_evidence::Observed::Present(_) => "read".to_owned(),
            other => other.describe(),
        },
        stacks: snapshot.stacks,
        entry: snapshot.entry,
        folders: snapshot.folders,
        deploy: snapshot.deploy,
        settings: snapshot.settings,
        routes: snapshot.routes.len(),
        schedulers: snapshot.schedulers,
        git: snapshot.git,
        unread: snapshot.unread,
        evidence: Some(observation.id.clone()),
    }
}

fn reading(evidence: &Evidence) -> Option<(&Observation, &ProjectObservation)> {
    evidence.observations.iter().find_map(|o| match &o.seen {
        Seen::Project(seen) => Some((o, seen)),
        _ => None,
    })
}
