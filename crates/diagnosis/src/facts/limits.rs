//! (in progress)
use super::{Exchanges, Facts};
use crate::catalogue::Catalogue;
pub(super) fn derive(_: &landfall_evidence::Evidence, _: &Catalogue, _: &Exchanges<'_>, _: &mut Facts) {}
