//! `Set-Cookie` (RFC 6265, section 4.1; `SameSite` as in draft-ietf-httpbis-rfc6265bis). The value is never looked at: it
//! is masked in evidence.

/// A cookie's name and its attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// Whether it is sent over TLS alone.
    pub secure: bool,
    /// Whether scripts of a page cannot read it.
    pub http_only: bool,
    /// What other sites' pages may make of it; `None` when the attribute is not there.
    pub same_site: Option<SameSite>,
}

/// The value of `SameSite`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameSite {
    /// Not sent from other sites.
    Strict,
    /// Sent when a person comes from another site.
    Lax,
    /// Sent always; only with `Secure`.
    None,
    /// Another word, which browsers take as if the attribute were not there.
    Invalid,
}

impl Cookie {
    /// Reads one field line. `None` when it sets no cookie: it has no `=` or no name.
    pub fn parse(field: &str) -> Option<Self> {
        let mut parts = field.split(';');
        let (name, _) = parts.next()?.split_once('=')?;
        let name = name.trim();
        if name.is_empty() {
            return None;
        }
        let mut cookie = Self { name: name.to_owned(), secure: false, http_only: false, same_site: None };
        for part in parts {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            match key.trim().to_ascii_lowercase().as_str() {
                "secure" => cookie.secure = true,
                "httponly" => cookie.http_only = true,
                "samesite" => {
                    cookie.same_site = Some(match value.trim().to_ascii_lowercase().as_str() {
                        "strict" => SameSite::Strict,
                        "lax" => SameSite::Lax,
                        "none" => SameSite::None,
                        _ => SameSite::Invalid,
                    });
                }
                _ => {}
            }
        }
        Some(cookie)
    }

    /// Whether its name is that of a login's cookie, as MDN's Observatory tells them: it has "login" or "sess" in it.
    pub fn is_session(&self) -> bool {
        let name = self.name.to_ascii_lowercase();
        name.contains("login") || name.contains("sess")
    }

    /// Whether its name is that of a token against forged requests: it has "csrf" in it.
    pub fn is_anti_csrf(&self) -> bool {
        self.name.to_ascii_lowercase().contains("csrf")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_read_without_regard_to_case() {
        let cookie =
            Cookie::parse("sessionid=[redacted]; Path=/; secure; HTTPONLY; samesite=LAX").expect("a cookie");
        assert_eq!((cookie.name.as_str(), cookie.secure, cookie.http_only), ("sessionid", true, true));
        assert_eq!(cookie.same_site, Some(SameSite::Lax));
        assert!(cookie.is_session() && !cookie.is_anti_csrf());
        assert!(Cookie::parse("XSRF-csrftoken=x").expect("a cookie").is_anti_csrf());
        assert_eq!(Cookie::parse("a=b; SameSite").expect("a cookie").same_site, Some(SameSite::Invalid));
        assert_eq!(
            Cookie::parse("a=b; SameSite=Never").expect("a cookie").same_site,
            Some(SameSite::Invalid)
        );
        assert_eq!(Cookie::parse("a=b; SameSite=None").expect("a cookie").same_site, Some(SameSite::None));
        for none in ["", "; Secure", "=x", "name", " = "] {
            assert_eq!(Cookie::parse(none), None, "{none:?}");
        }
    }
}
