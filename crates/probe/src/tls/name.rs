//! Whether a certificate is for a host (RFC 9525).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A subject alternative name, typed, because a dNSName that reads like an address must not match that address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AltName {
    /// dNSName, as written in the certificate.
    Dns(String),
    /// iPAddress.
    Ip(IpAddr),
    /// Any other kind, with its kind in front.
    Other(String),
}

impl AltName {
    /// An iPAddress of 4 or 16 octets (RFC 5280, section 4.2.1.6); any other length matches nothing.
    pub(super) fn from_octets(octets: &[u8]) -> Self {
        if let Ok(v4) = <[u8; 4]>::try_from(octets) {
            Self::Ip(Ipv4Addr::from(v4).into())
        } else if let Ok(v6) = <[u8; 16]>::try_from(octets) {
            Self::Ip(Ipv6Addr::from(v6).into())
        } else {
            Self::Other(format!("IP address of {} octets", octets.len()))
        }
    }

    /// The name as text.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Dns(name) => super::certificate::clean(name),
            Self::Ip(ip) => ip.to_string(),
            Self::Other(text) => super::certificate::clean(text),
        }
    }
}

/// Whether one of the names covers the host. The subject's common name is never looked at (RFC 9525, section 2).
pub(super) fn covers(host: &str, names: &[AltName]) -> bool {
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    if let Ok(ip) = host.parse::<IpAddr>() {
        return names.iter().any(|name| matches!(name, AltName::Ip(presented) if *presented == ip));
    }
    names.iter().any(|name| matches!(name, AltName::Dns(presented) if dns_covers(presented, host)))
}

/// RFC 9525, section 6.3: labels are compared without case; a wildcard is the whole left-most label and stands for
/// exactly one label.
fn dns_covers(presented: &str, host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.is_empty() || presented.is_empty() {
        return false;
    }
    match presented.strip_prefix("*.") {
        Some(parent) => {
            !parent.contains('*')
                && host
                    .split_once('.')
                    .is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(parent))
        }
        None => !presented.contains('*') && presented.eq_ignore_ascii_case(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_as_the_rfc_says() {
        for (presented, host, expected) in [
            ("api.example.test", "API.Example.Test", true),
            ("api.example.test", "api.example.test.", true),
            ("api.example.test", "www.example.test", false),
            ("*.example.test", "api.example.test", true),
            ("*.example.test", "example.test", false),
            ("*.example.test", "a.api.example.test", false),
            ("*.api.example.test", "v1.api.example.test", true),
            ("a*.example.test", "api.example.test", false),
            ("*.*.test", "api.example.test", false),
            ("api.*.test", "api.example.test", false),
            ("*", "localhost", false),
            ("192.0.2.7", "192.0.2.7", false),
            ("", "", false),
        ] {
            assert_eq!(covers(host, &[AltName::Dns(presented.into())]), expected, "{presented} for {host}");
        }
    }

    #[test]
    fn addresses_match_addresses_only() {
        let v4 = AltName::from_octets(&[192, 0, 2, 7]);
        let v6 = AltName::from_octets(&"2001:db8::7".parse::<Ipv6Addr>().expect("valid").octets());
        assert!(covers("192.0.2.7", std::slice::from_ref(&v4)));
        assert!(covers("[2001:db8::7]", std::slice::from_ref(&v6)));
        assert!(!covers("192.0.2.8", &[v4, v6]));
        assert!(!covers("192.0.2.7", &[AltName::from_octets(&[192, 0, 2])]));
    }
}
