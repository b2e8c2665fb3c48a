//! The corpus: worlds whose true cause is known, recorded as evidence, replayed through the diagnosis, and scored.

pub mod record;
