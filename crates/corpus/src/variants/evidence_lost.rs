//! Evidence that an audit did not get.

use landfall_evidence::{Evidence, Target};

use super::is_inside;
use super::prng::Prng;

/// What somebody without the project, the machine and the logs sees. `None` when the recording is that already, or when
/// nothing would be left.
pub(super) fn outside_only(evidence: &Evidence) -> Option<Evidence> {
    let outside = Evidence {
        target: Target { local: None, project: None, ..evidence.target.clone() },
        observations: evidence.observations.iter().filter(|o| !is_inside(o)).cloned().collect(),
        ..evidence.clone()
    };
    differs(outside, evidence)
}

/// What is left when nothing of production was seen. `None` as above.
pub(super) fn inside_only(evidence: &Evidence) -> Option<Evidence> {
    let mut inside = evidence.clone();
    inside.observations.retain(is_inside);
    differs(inside, evidence)
}

fn differs(less: Evidence, evidence: &Evidence) -> Option<Evidence> {
    let lost = less.observations.len() < evidence.observations.len();
    (lost && !less.observations.is_empty()).then_some(less)
}

/// Without a random tenth, rounded up.
pub(super) fn without_a_tenth(evidence: &Evidence, prng: &mut Prng) -> Evidence {
    let all = evidence.observations.len();
    without(evidence, &prng.positions(all.div_ceil(10), all))
}

/// Without the observations at some positions, which are in order.
pub(super) fn without(evidence: &Evidence, positions: &[usize]) -> Evidence {
    let mut less = evidence.clone();
    let mut at = 0;
    less.observations.retain(|_| {
        at += 1;
        positions.binary_search(&(at - 1)).is_err()
    });
    less
}

#[cfg(test)]
mod tests {
    use landfall_evidence::Vantage;

    use super::super::testkit;
    use super::*;

    #[test]
    fn inside_and_outside_are_two_parts_of_the_whole() {
        let evidence = testkit::case().evidence;
        let outside = outside_only(&evidence).expect("there is inside evidence");
        let inside = inside_only(&evidence).expect("there is outside evidence");
        assert_eq!(outside.observations.len() + inside.observations.len(), evidence.observations.len());
        assert!(outside.observations.iter().all(|o| o.vantage != Vantage::Workspace));
        assert!(outside.project().is_none() && inside.project().is_some());
        assert!(outside.target.local.is_none() && outside.target.production.is_some());
        assert_eq!(outside_only(&outside), None, "it is that already");
        assert_eq!(inside_only(&outside), None, "nothing would be left");
    }

    #[test]
    fn a_tenth_is_a_tenth() {
        let evidence = testkit::case().evidence;
        let less = without_a_tenth(&evidence, &mut Prng::new("x", 1));
        let all = evidence.observations.len();
        assert_eq!(less.observations.len(), all - all.div_ceil(10));
        let one = without(&evidence, &[3]);
        assert_eq!(one.observations.len(), all - 1);
        assert!(one.find(&evidence.observations[3].id).is_none());
    }
}
