//! Hellos of old clients, to learn what a server says to them where a handshake of today failed.

use std::net::SocketAddr;

use landfall_evidence::{Denial, DoorTls, Phase, TlsVersion};

use super::wire::{Offer, Said, exchange};
use super::{alert, suites};
use crate::connect::Fault;
use crate::net::Context;

/// What a ClientHello offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hello {
    /// TLS 1.0 to 1.2, with the cipher suites of that time (RFC 2246, 4346, 5246).
    Legacy,
    /// TLS 1.0 with the one suite that encrypts nothing: any server refuses it with an alert of seven bytes.
    Unacceptable,
}

/// Suites that servers of the last twenty years had, the better ones first, by their IANA numbers.
const SUITES: &[u16] = &[
    0xc02f, 0xc02b, 0x009e, 0xc027, 0xc013, 0xc014, 0xc009, 0xc00a, 0x0033, 0x0039, 0x009c, 0x009d, 0x003c,
    0x002f, 0x0035, 0x000a,
];

/// X25519, P-256, P-384 (RFC 8422).
const GROUPS: &[u16] = &[0x001d, 0x0017, 0x0018];

/// RSA and ECDSA with SHA-256, SHA-384, SHA-1, and RSA-PSS with SHA-256.
const SCHEMES: &[u16] = &[0x0401, 0x0403, 0x0804, 0x0501, 0x0503, 0x0201, 0x0203];

/// Sends one ClientHello and reads the ServerHello. `host` goes out as SNI where it is a name.
///
/// # Errors
/// The alert, or whatever else came in place of a ServerHello.
pub(crate) async fn hello(
    ctx: &Context,
    host: &str,
    address: SocketAddr,
    hello: Hello,
) -> Result<DoorTls, Fault> {
    match exchange(ctx, host, address, &offer(hello), false).await.0 {
        Said::Shown(shown) => match TlsVersion::from_number(shown.version) {
            Some(version) => Ok(DoorTls {
                version: version.to_string(),
                cipher_suite: suites::name(shown.suite),
                names: Vec::new(),
                certificate_asked: None,
                alert_after: None,
            }),
            None => Err(Fault::Denied(Denial::Malformed {
                phase: Phase::Tls,
                detail: "the ServerHello names a version that is not of TLS".into(),
            })),
        },
        Said::Alert(number) | Said::AlertTwice(number) => Err(Fault::Denied(alert::denial(number))),
        Said::Nothing(fault) => Err(fault),
    }
}

fn offer(hello: Hello) -> Offer {
    match hello {
        Hello::Legacy => Offer { groups: GROUPS, schemes: SCHEMES, ..Offer::of(0x0303, SUITES.to_vec()) },
        Hello::Unacceptable => Offer { groups: &[], schemes: &[], ..Offer::of(0x0301, vec![0x0000]) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_is_one_small_packet() {
        let bytes = offer(Hello::Legacy).bytes("api.example.test");
        assert!(bytes.len() < 300, "{}", bytes.len());
        let bytes = offer(Hello::Unacceptable).bytes("api.example.test");
        assert!(bytes.len() < 100, "{}", bytes.len());
    }
}
