//! From evidence to judgement: facts, signatures, causes, findings, path, readiness, actions, verification.
//!
//! Pure: no I/O, no clock, no randomness. The same evidence gives the same diagnosis, byte for byte.

mod catalogue;
mod causes;
mod facts;
mod model;
mod owners;
mod signatures;
#[cfg(test)]
mod testkit;

pub use catalogue::{Catalogue, CatalogueError, Discriminator, Fault, Layer, Rung, Sources};
pub use causes::Hypothesis;
pub use model::*;
pub use owners::{Owner, OwnerRole};
pub use signatures::{Meaning, Signature, SignatureHop};
