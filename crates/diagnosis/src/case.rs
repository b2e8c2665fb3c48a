//! The evidence as read, together with what the engine made of it: all that findings and advice are drawn from.

use std::collections::BTreeSet;

use landfall_evidence::{Evidence, Vantage};
use url::Url;

use crate::catalogue::Catalogue;
use crate::thresholds::Threshold;
use crate::view::{Grade, Reading, View};
use crate::{Cause, Label, Tie};

/// One audit under judgement.
pub(crate) struct Case<'a> {
    /// The evidence, read and graded.
    pub(crate) view: View<'a>,
    /// Ranked causes, most likely first.
    pub(crate) causes: &'a [Cause],
    /// Causes that were considered and lost.
    pub(crate) ruled_out: &'a [Cause],
    /// Causes that cannot be told apart.
    pub(crate) ties: &'a [Tie],
    /// Causes that account for something seen of production.
    pub(crate) of_production: BTreeSet<&'a str>,
    /// Causes that account for faults of the project which no answer shows, and for nothing else.
    pub(crate) of_defects_alone: BTreeSet<&'a str>,
    /// Causes that account for a build that does not serve.
    pub(crate) of_the_build: BTreeSet<&'a str>,
}

impl<'a> Case<'a> {
    /// Evidence of which no cause was made.
    #[cfg(test)]
    pub(crate) fn without_causes(view: View<'a>) -> Self {
        Self {
            view,
            causes: &[],
            ruled_out: &[],
            ties: &[],
            of_production: BTreeSet::new(),
            of_defects_alone: BTreeSet::new(),
            of_the_build: BTreeSet::new(),
        }
    }

    /// The evidence.
    pub(crate) fn evidence(&self) -> &'a Evidence {
        self.view.evidence
    }

    /// What is known of vendors.
    pub(crate) fn catalogue(&self) -> &'a Catalogue {
        self.view.catalogue
    }

    /// A threshold's number: the caller's, or its own.
    pub(crate) fn limit(&self, threshold: &Threshold) -> u64 {
        threshold.of(&self.evidence().settings.thresholds)
    }

    /// A threshold with its source, as a title ends.
    pub(crate) fn source(&self, threshold: &Threshold) -> String {
        threshold.words(&self.evidence().settings.thresholds)
    }

    /// The production URL.
    pub(crate) fn production(&self) -> Option<&'a Url> {
        self.evidence().target.production.as_ref()
    }

    /// The production host, in lower case, when it is a name and not an address.
    pub(crate) fn production_name(&self) -> Option<&'a str> {
        self.production()?.domain()
    }

    /// Whether a cause is one of what production serves: it lies on the way of a request, and not beside it (tests, limits,
    /// monitor, faults of the project that no answer shows), or lies in the project or the machine and accounts for something seen of production.
    pub(crate) fn is_on_path(&self, cause: &Cause) -> bool {
        match cause.rung.as_str() {
            "rate-limit" | "monitor" => false,
            "project" | "host" => self.of_production.contains(cause.id.as_str()),
            _ => !self.of_defects_alone.contains(cause.id.as_str()),
        }
    }

    /// The most likely cause on the request's way that is at least possible.
    pub(crate) fn main_cause(&self) -> Option<&'a Cause> {
        self.causes.iter().find(|c| c.label >= Label::Possible && self.is_on_path(c))
    }

    /// The cause that lies with whoever asks, when it is at least likely: then what was not seen is no word on production.
    pub(crate) fn why_blind(&self) -> Option<&'a Cause> {
        self.causes.first().filter(|cause| cause.rung == "monitor" && cause.label >= Label::Likely)
    }

    /// The tie that a cause is part of.
    pub(crate) fn tie_of(&self, id: &str) -> Option<&'a Tie> {
        self.ties.iter().find(|tie| tie.causes.iter().any(|c| c == id))
    }

    /// Whether a cause cannot be told from another one.
    pub(crate) fn in_a_tie(&self, id: &str) -> bool {
        self.tie_of(id).is_some()
    }

    /// A cause by its id, ranked or ruled out.
    pub(crate) fn cause(&self, id: &str) -> Option<&'a Cause> {
        self.causes.iter().chain(self.ruled_out).find(|c| c.id == id)
    }

    /// Whether every endpoint that counts was seen good under the public name, and there is at least one. Whether a
    /// route for POST exists cannot always be shown by a GET; that alone does not speak against the whole.
    pub(crate) fn production_is_whole(&self) -> bool {
        let undecided_route = |r: &&Reading<'_>| !r.endpoint.is_safe() && matches!(r.grade, Grade::Unseen(_));
        self.view.serves(Vantage::Edge)
            && self.view.readings(Vantage::Edge).iter().all(|r| r.is_good() || undecided_route(r))
    }
}
