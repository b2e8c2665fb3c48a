//! Which limiter is behind these answers?
//!
//! Pure: no I/O, no clock, seeded. A [`Posterior`] weighs every kind of limiter with its parameters against a history of
//! exchanges; a [`Plan`] says when the next request tells most, or that it is time to stop; a [`simulate`] module has
//! limiters of every kind in virtual time, written apart from the hypotheses, to measure how often the answer is right.

mod counters;
mod fit;
mod foreign;
mod history;
mod hypothesis;
pub mod measure;
mod plan;
mod posterior;
mod prior;
mod random;
pub mod simulate;

pub use fit::{Fit, Quantity};
pub use history::{Exchange, StatedReset};
pub use plan::{Budget, Next, Plan, Stop};
pub use posterior::Posterior;
pub use random::Random;
