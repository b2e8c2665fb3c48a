//! A value that must not be shown.

use std::fmt;

use subtle::ConstantTimeEq as _;

/// A secret of the operator. Debug output and logs show that there is one, never which.
#[derive(Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value; blanks around it are what is left of copying.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into().trim().to_owned())
    }

    /// The value, for the one call that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it is empty: an empty secret is no secret, and nothing matches it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether somebody who claims to know it does. Takes the same time wherever the two differ.
    pub fn matches(&self, claimed: &[u8]) -> bool {
        !self.is_empty() && bool::from(self.0.as_bytes().ct_eq(claimed))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "(none)" } else { "***" })
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self::new(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown_and_an_empty_one_matches_nothing() {
        assert_eq!(format!("{:?}", Secret::new("whsec_abc")), "***");
        assert!(Secret::new(" whsec_abc\n").matches(b"whsec_abc"));
        assert!(!Secret::new("whsec_abc").matches(b"whsec_abd"));
        assert!(!Secret::default().matches(b""));
    }
}
