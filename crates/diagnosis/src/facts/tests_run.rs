//! (in progress)
use super::Facts;
pub(super) fn derive(_: &landfall_evidence::Evidence, _: &mut Facts) {}
