//! `Alt-Svc` (RFC 7838, section 3).

use landfall_evidence::split_unquoted;

/// What the field says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AltSvc {
    /// All earlier announcements are void.
    Clear,
    /// Where else the same origin is served, in the server's order of preference.
    Services(Vec<Alternative>),
}

/// One alternative service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alternative {
    /// The protocol's ALPN name: `h3`.
    pub protocol: String,
    /// Its host; empty for the origin's own.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How long clients may keep to it, in seconds. A day when the field does not say (section 3.1).
    pub max_age_s: u64,
}

/// What holds where `ma` is not given, in seconds (section 3.1).
const DAY_S: u64 = 86_400;

impl AltSvc {
    /// Reads the field. `None` when it is not of this form, as a whole.
    pub fn parse(field: &str) -> Option<Self> {
        if field.trim() == "clear" {
            return Some(Self::Clear);
        }
        let entries = split_unquoted(field, ',')?;
        let services: Option<Vec<_>> = entries
            .into_iter()
            // RFC 9110, section 5.6.1: empty elements of a list are passed over.
            .filter(|entry| !entry.trim().is_empty())
            .map(alternative)
            .collect();
        services.filter(|all| !all.is_empty()).map(Self::Services)
    }

    /// The announcement of HTTP/3 at the origin's own host, if there is one.
    pub fn h3(&self) -> Option<&Alternative> {
        match self {
            Self::Clear => None,
            Self::Services(all) => all.iter().find(|a| a.protocol == "h3" && a.host.is_empty()),
        }
    }
}

fn alternative(entry: &str) -> Option<Alternative> {
    let mut parts = split_unquoted(entry, ';')?.into_iter();
    let (protocol, authority) = parts.next()?.trim().split_once('=')?;
    let authority = authority.strip_prefix('"')?.strip_suffix('"')?;
    let (host, port) = authority.rsplit_once(':')?;
    let is_token = !protocol.is_empty()
        && protocol.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
    let mut max_age_s = DAY_S;
    for part in parts {
        let (key, value) = part.trim().split_once('=')?;
        if key.eq_ignore_ascii_case("ma") {
            max_age_s = value.trim_matches('"').parse().ok()?;
        }
    }
    is_token.then_some(Alternative {
        protocol: protocol.to_owned(),
        host: host.to_owned(),
        port: port.parse().ok().filter(|port| *port != 0)?,
        max_age_s,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announcements_of_the_standard_and_of_the_web() {
        assert_eq!(AltSvc::parse("clear"), Some(AltSvc::Clear));
        // As Caddy, Google and nginx send it.
        for (field, port, max_age_s) in [
            ("h3=\":443\"; ma=2592000", 443, 2_592_000),
            ("h3=\":443\"; ma=86400,h3-29=\":443\"; ma=86400", 443, 86_400),
            ("h3=\":8443\"", 8443, DAY_S),
            ("h2=\":443\", h3=\":443\"; persist=1; ma=60", 443, 60),
        ] {
            let found = AltSvc::parse(field).expect(field);
            let h3 = found.h3().expect(field);
            assert_eq!((h3.port, h3.max_age_s), (port, max_age_s), "{field}");
        }
        let away = AltSvc::parse("h3=\"alt.example.test:443\"").expect("valid");
        assert_eq!(away.h3(), None, "another host is another matter");
    }

    #[test]
    fn what_is_not_of_this_form_is_refused() {
        for wrong in [
            "",
            ",",
            "h3",
            "h3=:443",
            "h3=\":443",
            "h3=\"443\"",
            "h3=\":\"",
            "h3=\":99999\"",
            "h3=\":0\"",
            "=\":1\"",
            "h3=\":443\"; ma",
            "h3=\":443\"; ma=-1",
            "h3=\":443\"; ma=99999999999999999999999",
            "h 3=\":1\"",
            "é=\":1\"",
        ] {
            assert_eq!(AltSvc::parse(wrong), None, "{wrong:?}");
        }
    }
}
