//! The cause engine.
//!
//! Hypotheses are data. Each brings evidence in groups; a group gives its strongest true item for each sign, so that
//! copies of one sign count once. Weights are integer decibans and are added to a prior: +10 is ten to one. What is not
//! known weighs nothing and is listed as such. A share of belief always goes to *the unknown cause*, so that a name is
//! never given for want of another.
//!
//! A cause must account for signs of trouble (symptoms) that nothing accounts for yet; those that compete for the same
//! ones share the belief. Once a cause is accepted its symptoms are taken, and the rest is scored again: this is how a
//! second, independent cause appears beside the first without masking it or being masked, and why a healthy target has
//! no cause at all.

mod condition;
#[cfg(test)]
mod doors_tests;
mod hypothesis;
mod ladder;
#[cfg(test)]
mod planned_tests;
mod questions;
mod rank;
mod score;
mod template;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_app;

pub(crate) use condition::{Condition, RawCondition, Truth, edit_distance};
pub use hypothesis::Hypothesis;
pub(crate) use hypothesis::{check_entry, read_hypotheses};
pub(crate) use ladder::first_broken;
pub use questions::{Question, questions};
pub(crate) use rank::{UNKNOWN_CAUSE_DB, rank, what_told_apart};
pub(crate) use template::{check as check_template, fill as fill_template};
