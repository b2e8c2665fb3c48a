//! Whether a report that names a likely cause also says what to do about it.

use landfall_diagnosis::{Diagnosis, Label, Verdict};

/// What a report advises about the likely cause that comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice<'a> {
    /// None is owed: nothing is likely by itself, or it is one of the tests', whose actions are drawn from their run.
    NotOwed,
    /// An action of its own, or a step of one that mends several.
    Given,
    /// Nothing, about the cause of this id.
    Missing(&'a str),
}

impl<'a> Advice<'a> {
    /// Reads it from a diagnosis.
    pub fn of(diagnosis: &'a Diagnosis) -> Self {
        let Some(first) = diagnosis.causes.iter().find(|cause| cause.label >= Label::Likely) else {
            return Self::NotOwed;
        };
        let tied = diagnosis.ties.iter().any(|tie| tie.causes.contains(&first.id));
        let told = diagnosis.actions.iter().any(|action| {
            action.because == first.id || first.remedy.iter().any(|step| action.steps.contains(step))
        });
        match (diagnosis.verdict == Verdict::Unknown || tied, told) {
            (true, _) => Self::NotOwed,
            (false, true) => Self::Given,
            (false, false) if first.id.starts_with("tests-") => Self::NotOwed,
            (false, false) => Self::Missing(&first.id),
        }
    }
}
