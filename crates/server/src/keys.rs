//! API keys: `lf_PREFIX_SECRET`. The prefix may be shown and logged, so that keys can be told apart; the secret is 256
//! random bits, and only the SHA-256 of the whole is kept.

use crate::session;

/// A new key.
pub(crate) struct Fresh {
    /// The whole key: shown once.
    pub(crate) key: String,
    /// The part that may be shown.
    pub(crate) prefix: String,
    /// What the store keeps.
    pub(crate) hash: String,
}

/// Makes a key.
pub(crate) fn fresh() -> Fresh {
    let mut bytes = [0u8; 4];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    let prefix = format!("lf_{}", hex::encode(bytes));
    let key = format!("{prefix}_{}", session::new_token());
    Fresh { hash: session::hash(&key), prefix, key }
}
