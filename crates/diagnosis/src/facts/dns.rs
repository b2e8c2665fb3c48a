//! (in progress)
use super::Facts;
use crate::catalogue::Catalogue;
pub(super) fn derive(_: &landfall_evidence::Evidence, _: &Catalogue, _: &mut Facts) {}
