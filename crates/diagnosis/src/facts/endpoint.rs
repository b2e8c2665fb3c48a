//! (in progress)
use super::{Exchanges, Facts};
pub(super) fn derive(_: &landfall_evidence::Evidence, _: &Exchanges<'_>, _: &mut Facts) {}
