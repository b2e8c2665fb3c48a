//! `Strict-Transport-Security` (RFC 6797, section 6.1).

/// The policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hsts {
    /// How long clients are to remember it, in seconds; 0 takes it back.
    pub max_age_s: u64,
    /// Whether it holds for all names below.
    pub include_subdomains: bool,
    /// Whether the site asks to be built into browsers (hstspreload.org; not part of the standard).
    pub preload: bool,
}

impl Hsts {
    /// Reads one field line. `None` when it is not of this form: a client ignores it then (section 8.1). A directive that
    /// is there twice makes it so; one that is not known is passed over.
    pub fn parse(field: &str) -> Option<Self> {
        let (mut max_age_s, mut include_subdomains, mut preload) = (None, false, false);
        let mut seen: Vec<String> = Vec::new();
        for directive in field.split(';').map(str::trim).filter(|d| !d.is_empty()) {
            let (name, value) = match directive.split_once('=') {
                Some((name, value)) => (name.trim(), Some(value.trim())),
                None => (directive, None),
            };
            let name = name.to_ascii_lowercase();
            if seen.contains(&name) {
                return None;
            }
            match (name.as_str(), value) {
                ("max-age", Some(value)) => {
                    let digits = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
                    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                        return None;
                    }
                    // Longer than anyone lives is still a number.
                    max_age_s = Some(digits.parse().unwrap_or(u64::MAX));
                }
                ("max-age", None) => return None,
                ("includesubdomains", _) => include_subdomains = true,
                ("preload", _) => preload = true,
                _ => {}
            }
            seen.push(name);
        }
        Some(Self { max_age_s: max_age_s?, include_subdomains, preload })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_standard() {
        let read = |field: &str| Hsts::parse(field).map(|h| (h.max_age_s, h.include_subdomains));
        // RFC 6797, section 6.2.
        assert_eq!(read("max-age=31536000"), Some((31_536_000, false)));
        assert_eq!(read("max-age=15768000 ; includeSubDomains"), Some((15_768_000, true)));
        assert_eq!(read("max-age=\"31536000\""), Some((31_536_000, false)));
        assert_eq!(read("max-age=0; includeSubDomains"), Some((0, true)));
        assert_eq!(read("MAX-AGE=1;;unknown=2; preload"), Some((1, false)));
        assert_eq!(read("max-age=99999999999999999999999"), Some((u64::MAX, false)));
    }

    #[test]
    fn what_clients_ignore() {
        for wrong in [
            "",
            "includeSubDomains",
            "max-age",
            "max-age=",
            "max-age=-1",
            "max-age=1d",
            "max-age=1; max-age=2",
            "max-age=\"1",
        ] {
            assert_eq!(Hsts::parse(wrong), None, "{wrong:?}");
        }
    }
}
