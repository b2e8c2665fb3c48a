//! Catalogues that differ from a loaded one on purpose, for measurements: how the engine does where the true cause is one
//! that it has never heard of, and how much of its answer hangs on the exact size of the weights.

use std::collections::BTreeSet;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::{Catalogue, Part};

/// The sizes of a weight, in decibans, smallest first: those of the words weak, medium, strong and decisive, with one more
/// at either end, so that every weight can move both ways. What one observation can give is bounded as ever.
const SIZES_DB: [i32; 6] = [1, 2, 5, 10, 20, 40];

impl Catalogue {
    /// The same catalogue with some causes unknown to it. The faults stay, as a catalogue may list a fault that has no
    /// hypothesis; ids that are not there are passed over.
    #[must_use]
    pub fn without(&self, ids: &[&str]) -> Self {
        let out: BTreeSet<&str> = ids.iter().copied().collect();
        let mut other = self.clone();
        let mut hypotheses = (*self.hypotheses).clone();
        hypotheses.retain(|id, _| !out.contains(id.as_str()));
        other.hypotheses = Part::of(hypotheses);
        let names: Vec<&str> = out.into_iter().collect();
        other.hash = Part::of(derived(&self.hash, &format!("without {}", names.join(" "))));
        other
    }

    /// The same catalogue with some faults unknown to it altogether: neither weighed nor described as anybody's look-alike.
    #[must_use]
    pub fn without_mention(&self, ids: &[&str]) -> Self {
        let mut other = self.without(ids);
        let mut faults = (*self.faults).clone();
        faults.by_id.retain(|id, _| !ids.contains(&id.as_str()));
        for fault in faults.by_id.values_mut() {
            fault.discriminators.retain(|d| !ids.contains(&d.vs.as_str()));
        }
        other.faults = Part::of(faults);
        other.hash = Part::of(derived(&self.hash, &format!("without mention {}", ids.join(" "))));
        other
    }

    /// The same catalogue with the weight of every piece of evidence moved by one size, up or down by the seed's choice.
    /// Signs and priors stay.
    ///
    /// The choice depends on the seed, the cause's id and what the evidence says, and not on what stands beside it, so that
    /// evidence added to a cause changes nothing for the rest.
    #[must_use]
    pub fn perturbed(&self, seed: u64) -> Self {
        let mut other = self.clone();
        let mut hypotheses = (*self.hypotheses).clone();
        for (id, hypothesis) in &mut hypotheses {
            let mut moved = (**hypothesis).clone();
            for item in &mut moved.evidence {
                item.weight_db = one_size_off(item.weight_db, goes_up(seed, &[id, &item.group, &item.say]));
            }
            *hypothesis = Arc::new(moved);
        }
        other.hypotheses = Part::of(hypotheses);
        other.hash = Part::of(derived(&self.hash, &format!("perturbed {seed}")));
        other
    }
}

fn one_size_off(weight_db: i32, up: bool) -> i32 {
    let Some(at) = SIZES_DB.iter().position(|size| *size == weight_db.abs()) else { return weight_db };
    let to = if up { at + 1 } else { at.saturating_sub(1) };
    SIZES_DB.get(to).copied().unwrap_or(SIZES_DB[at]) * weight_db.signum()
}

/// Yes or no, evenly, by a seed and what it is asked for: a bit of SHA-256, since the hash is at hand.
fn goes_up(seed: u64, of: &[&str]) -> bool {
    let mut hasher = Sha256::new();
    hasher.update(seed.to_be_bytes());
    for text in of {
        hasher.update((text.len() as u64).to_be_bytes());
        hasher.update(text);
    }
    hasher.finalize()[0] & 1 == 1
}

fn derived(hash: &str, how: &str) -> String {
    let digest = Sha256::digest(format!("{hash} {how}"));
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_can_be_made_unknown_and_the_rest_stays() {
        let whole = Catalogue::embedded();
        let other = whole.without(&["never-deployed", "no-such-cause"]);
        assert!(whole.cause("never-deployed").is_some());
        assert!(other.cause("never-deployed").is_none());
        assert!(other.fault("never-deployed").is_some());
        assert_eq!(other.causes().count() + 1, whole.causes().count());
        assert_ne!(other.hash(), whole.hash());
    }

    #[test]
    fn every_weight_moves_one_size_and_keeps_its_sign() {
        let whole = Catalogue::embedded();
        let other = whole.perturbed(7);
        let (mut up, mut down) = (0, 0);
        for cause in whole.causes() {
            let moved = other.cause(&cause.id).expect("no cause is lost");
            assert_eq!(moved.prior_db, cause.prior_db);
            for (before, after) in cause.rules().map(|r| r.0).zip(moved.rules().map(|r| r.0)) {
                let place = |db: i32| SIZES_DB.iter().position(|size| *size == db.abs());
                let (from, to) = (place(before).expect("a size"), place(after).expect("a size"));
                assert_eq!(from.abs_diff(to), 1, "{}: {before} became {after}", cause.id);
                assert_eq!(before.signum(), after.signum());
                up += usize::from(to > from);
                down += usize::from(to < from);
            }
        }
        assert!(up > 50 && down > 50, "{up} up, {down} down: both ways are taken");
    }

    #[test]
    fn evidence_that_is_added_moves_nothing_else() {
        let whole = Catalogue::embedded();
        let mut less = whole.clone();
        let mut hypotheses = (*less.hypotheses).clone();
        for hypothesis in hypotheses.values_mut() {
            let mut shorter = (**hypothesis).clone();
            shorter.evidence.remove(0);
            *hypothesis = Arc::new(shorter);
        }
        less.hypotheses = Part::of(hypotheses);
        let (whole, less) = (whole.perturbed(3), less.perturbed(3));
        for cause in whole.causes() {
            let shorter = less.cause(&cause.id).expect("no cause is lost");
            assert!(cause.rules().skip(1).map(|r| r.0).eq(shorter.rules().map(|r| r.0)), "{}", cause.id);
        }
    }

    #[test]
    fn a_seed_gives_one_catalogue() {
        let weights = |seed| {
            let other = Catalogue::embedded().perturbed(seed);
            other.causes().flat_map(|c| c.rules().map(|r| r.0).collect::<Vec<_>>()).collect::<Vec<_>>()
        };
        assert_eq!(weights(1), weights(1));
        assert_ne!(weights(1), weights(2));
    }
}
