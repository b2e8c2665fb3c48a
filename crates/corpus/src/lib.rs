//! The corpus: worlds whose true cause is known, recorded as evidence, replayed through the diagnosis, and scored.
//!
//! A world is described by a recipe (`scenarios/corpus/<layer>/<name>.toml`) and its recording stands beside it
//! (`<name>.json.gz`). Replaying needs no network, no server and no clock: a [`Case`] is a recording with its truth, a
//! [`Variant`](variants::Variant) is the same evidence as another vendor, another day or a less lucky audit would have
//! given it, and [`score`](score::score) says how often the diagnosis is right.

mod advice;
mod case;
pub mod record;
pub mod score;
pub mod variants;

use std::path::{Path, PathBuf};

pub use advice::Advice;
pub use case::{Case, Corpus, CorpusError, Half, Permission, Truth};

/// The checkout of this repository that a tool is called in, else the one that it was built from.
pub fn checkout() -> PathBuf {
    let here = PathBuf::from(".");
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = if here.join("scenarios/corpus").is_dir() { here } else { built };
    root.canonicalize().unwrap_or(root)
}
