//! From evidence to judgement: facts, signatures, causes, findings, path, readiness, actions, verification.
//!
//! Pure: no I/O, no clock, no randomness. The same evidence gives the same diagnosis, byte for byte.

mod model;

pub use model::*;
