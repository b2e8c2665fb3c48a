//! Secrets that cannot be printed by accident.

use std::fmt;

use landfall_store::channels::MASK;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A token, a password, a signing key. `Debug`, `Display` and `Serialize` show a mask; [`Self::reveal`] is the only way
/// to what is inside, and says so where it is called.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether it is the mask that a caller sent back and that no stored secret was found for.
    pub(crate) fn is_mask(&self) -> bool {
        self.0 == MASK
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

/// Takes every secret out of a text that may have been quoted from a peer.
pub(crate) fn scrub(text: &str, secrets: &[&str]) -> String {
    let mut text = text.to_owned();
    // Shorter ones would blank out harmless words; no provider hands out a secret of that length.
    for secret in secrets.iter().filter(|s| s.len() >= 6) {
        text = text.replace(secret, MASK);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_never_shown() {
        let secret = Secret::new("hunter2-hunter2");
        assert_eq!(format!("{secret} {secret:?} {secret:#?}"), format!("{MASK} {MASK} {MASK}"));
        assert_eq!(serde_json::to_string(&secret).expect("written"), format!("\"{MASK}\""));
        assert_eq!(secret.reveal(), "hunter2-hunter2");
    }

    #[test]
    fn a_peer_that_echoes_it_is_scrubbed() {
        assert_eq!(scrub("bad token 12:abcdef!", &["12:abcdef", "", "a"]), format!("bad token {MASK}!"));
    }
}
