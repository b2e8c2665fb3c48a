//! What is wrong with the backend on this machine.

use landfall_evidence::{ObservationId, Vantage};

use super::{codes, raise};
use crate::Finding;
use crate::case::Case;
use crate::view::{Fault, Reading, faults_in_words};

pub(super) fn findings(case: &Case<'_>) -> Option<Finding> {
    let readings = case.view.readings(Vantage::Local);
    let bad: Vec<&Reading<'_>> = readings.iter().copied().filter(|r| r.fault().is_some()).collect();
    if bad.is_empty() {
        return None;
    }
    let evidence: Vec<ObservationId> = bad.iter().filter_map(|r| r.id().cloned()).collect();
    let speechless = |r: &&Reading<'_>| matches!(r.fault(), Some(Fault::Denied(_) | Fault::Silent(_)));
    let url = case.evidence().target.local.as_ref().map(ToString::to_string).unwrap_or_default();
    Some(if bad.len() == readings.len() && bad.iter().all(speechless) {
        raise(
            &codes::LOCAL_SILENT,
            format!("The local backend does not answer at {url}: {}", faults_in_words(&bad, readings.len())),
            "Production cannot be compared with what was built.",
            "Start it, or give the address where it runs with --local.",
            evidence,
        )
    } else {
        raise(
            &codes::LOCAL_NOT_SERVED,
            format!("The local backend fails: {}", faults_in_words(&bad, readings.len())),
            "What does not work here will not work in production either.",
            "Repair it here first.",
            evidence,
        )
    })
}
