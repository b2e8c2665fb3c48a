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

#[cfg(test)]
mod tests {
    use landfall_evidence::{Denial, Observed, Seen, Vantage};

    use crate::testworld::{World, deployed};
    use crate::{Status, Verdict};

    fn local(edit: impl Fn(&mut landfall_evidence::HttpObservation)) -> World {
        let mut world = deployed();
        for o in world.0.observations.iter_mut().filter(|o| o.vantage == Vantage::Local) {
            if let Seen::Http(seen) = &mut o.seen {
                edit(seen);
            }
        }
        world
    }

    #[test]
    fn a_broken_local_backend_is_told_from_an_absent_one() {
        let absent = local(|seen| seen.answer = Observed::Denied(Denial::Refused)).diagnose();
        let codes = |d: &crate::Diagnosis| -> Vec<String> {
            d.findings.iter().filter(|f| f.code.starts_with("LF-LOCAL-")).map(|f| f.code.clone()).collect()
        };
        assert_eq!(codes(&absent), ["LF-LOCAL-002"]);
        assert_eq!(absent.verdict, Verdict::Live, "it says nothing of production: {}", absent.summary);
        let check = absent.readiness.checks.iter().find(|c| c.id == "local-backend").expect("it applies");
        assert_eq!(check.status, Status::Fail);

        let broken = local(|seen| {
            if let (Observed::Present(r), "/health") = (&mut seen.answer, seen.request.path.as_str()) {
                r.status = 500;
            }
        });
        assert_eq!(codes(&broken.diagnose()), ["LF-LOCAL-001"]);
        assert_eq!(codes(&deployed().diagnose()), Vec::<String>::new());
    }
}
