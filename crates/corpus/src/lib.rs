//! The corpus: worlds whose true cause is known, recorded as evidence, replayed through the diagnosis, and scored.
//!
//! A world is described by a recipe (`scenarios/corpus/<layer>/<name>.toml`) and its recording stands beside it
//! (`<name>.json.gz`). Replaying needs no network, no server and no clock: a [`Case`] is a recording with its truth, a
//! [`Variant`](variants::Variant) is the same evidence as another vendor, another day or a less lucky audit would have
//! given it, and [`score`](score::score) says how often the diagnosis is right.

mod case;
pub mod record;
pub mod score;
pub mod variants;

pub use case::{Case, Corpus, CorpusError, Half, Permission, Truth};
