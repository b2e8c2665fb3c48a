//! `Proxy-Status` (RFC 9209): an intermediary's own word for why it could not get an answer.

use super::structured::{Bare, list};

/// The error that one intermediary reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyError {
    /// The intermediary's name for itself.
    pub proxy: String,
    /// The error type: `connection_refused`.
    pub error: String,
    /// The hop that it wanted to reach, when it says.
    pub next_hop: Option<String>,
    /// Its own words, when it gives any.
    pub details: Option<String>,
}

/// The proxy error types (RFC 9209, section 2.3; IANA "HTTP Proxy Error Types"), each with the word of
/// [`crate::facts`] for it, where there is one. `None`: the type is known, and names no fault of the way that has a word.
const TYPES: &[(&str, Option<&str>)] = &[
    ("dns_timeout", Some("dns")),
    ("dns_error", Some("dns")),
    ("destination_not_found", Some("no-backend")),
    ("destination_unavailable", Some("no-backend")),
    ("destination_ip_prohibited", Some("origin-unreachable")),
    ("destination_ip_unroutable", Some("origin-unreachable")),
    ("connection_refused", Some("origin-refused")),
    ("connection_terminated", Some("bad-response")),
    ("connection_timeout", Some("connect-timeout")),
    ("connection_read_timeout", Some("read-timeout")),
    ("connection_write_timeout", Some("read-timeout")),
    ("connection_limit_reached", Some("unavailable")),
    ("tls_protocol_error", Some("tls-handshake")),
    ("tls_certificate_error", Some("tls-certificate")),
    ("tls_alert_received", Some("tls-handshake")),
    ("http_request_error", None),
    ("http_request_denied", Some("rule-blocked")),
    ("http_response_incomplete", Some("bad-response")),
    ("http_response_header_section_size", Some("bad-response")),
    ("http_response_header_size", Some("bad-response")),
    ("http_response_body_size", Some("bad-response")),
    ("http_response_trailer_section_size", Some("bad-response")),
    ("http_response_trailer_size", Some("bad-response")),
    ("http_response_transfer_coding", Some("bad-response")),
    ("http_response_content_coding", Some("bad-response")),
    ("http_response_timeout", Some("read-timeout")),
    ("http_upgrade_failed", None),
    ("http_protocol_error", Some("bad-response")),
    ("proxy_internal_response", None),
    ("proxy_internal_error", None),
    ("proxy_configuration_error", None),
    ("proxy_loop_detected", Some("points-at-itself")),
];

impl ProxyError {
    /// The first error that the field reports: members stand in the order of the way back, the intermediary closest to the
    /// origin first (section 2), and that one met the fault. `None` when none is reported.
    pub fn parse(field: &str) -> Option<Self> {
        list(field)?.into_iter().find_map(|member| {
            let text = |key: &str| member.parameter(key).and_then(Bare::text).map(str::to_owned);
            Some(Self {
                proxy: member.value.text()?.to_owned(),
                error: text("error")?,
                next_hop: text("next-hop"),
                details: text("details"),
            })
        })
    }

    /// The word for the fault, where the type names one. `None` for a type that is not in the registry.
    pub(crate) fn word(&self) -> Option<&'static str> {
        TYPES.iter().find(|(name, _)| *name == self.error).and_then(|(_, word)| *word)
    }

    /// The error as a sentence's part: `edge.example.net reports connection_refused (next hop backend:8000)`.
    pub fn in_words(&self) -> String {
        let mut more: Vec<String> = self.next_hop.iter().map(|hop| format!("next hop {hop}")).collect();
        more.extend(self.details.clone());
        let more = if more.is_empty() { String::new() } else { format!(" ({})", more.join("; ")) };
        format!("{} reports {}{more}", self.proxy, self.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hop_closest_to_the_origin_met_the_fault() {
        let one = ProxyError::parse(
            "inner.example.net; error=connection_refused; next-hop=\"10.0.0.7:8000\", FooEdge; received-status=502",
        )
        .expect("an error");
        assert_eq!(one.in_words(), "inner.example.net reports connection_refused (next hop 10.0.0.7:8000)");
        assert_eq!(one.word(), Some("origin-refused"));
        // RFC 9209, section 2.1.1 and 2.1.5.
        let timeout = ProxyError::parse("SomeCDN; error=connection_timeout").expect("an error");
        assert_eq!(timeout.word(), Some("connect-timeout"));
        let details = ProxyError::parse("cdn.example.com; error=dns_error; details=\"Unknown IPv6 Address\"");
        assert_eq!(details.expect("an error").details.as_deref(), Some("Unknown IPv6 Address"));
    }

    #[test]
    fn no_error_is_none_and_an_unknown_one_has_no_word() {
        for field in [
            "",
            "FooProxy; next-hop=backend",
            "FooProxy; error",
            "FooProxy; error=1",
            "no list,",
            "1; error=dns_error",
        ] {
            assert_eq!(ProxyError::parse(field), None, "{field:?}");
        }
        assert_eq!(ProxyError::parse("p; error=made_up").expect("an error").word(), None);
        assert_eq!(ProxyError::parse("p; error=proxy_internal_error").expect("an error").word(), None);
    }
}
