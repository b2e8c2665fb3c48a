//! ClientHellos written by hand, to learn what a server says to clients that the library cannot be.
//!
//! Only the first record of the answer is read: a ServerHello names the version and the cipher suite that the server
//! chose, an alert names its reason. Nothing of the handshake goes further, so nothing here needs cryptography.

use std::net::SocketAddr;
use std::time::Instant;

use landfall_evidence::{Denial, DoorTls, Phase};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::alert;
use crate::connect::{Fault, tcp, within};
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
const SUITES: &[(u16, &str)] = &[
    (0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
    (0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
    (0x009e, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"),
    (0xc027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256"),
    (0xc013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"),
    (0xc014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"),
    (0xc009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"),
    (0xc00a, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"),
    (0x0033, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA"),
    (0x0039, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA"),
    (0x009c, "TLS_RSA_WITH_AES_128_GCM_SHA256"),
    (0x009d, "TLS_RSA_WITH_AES_256_GCM_SHA384"),
    (0x003c, "TLS_RSA_WITH_AES_128_CBC_SHA256"),
    (0x002f, "TLS_RSA_WITH_AES_128_CBC_SHA"),
    (0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA"),
    (0x000a, "TLS_RSA_WITH_3DES_EDE_CBC_SHA"),
];

/// A server's first record is read up to here; a ServerHello is about a hundred bytes.
const RECORD_BYTE: usize = 512;

/// Sends one ClientHello and reads the first record of the answer. `host` goes out as SNI where it is a name.
///
/// # Errors
/// The alert, or whatever else came in place of a ServerHello.
pub(crate) async fn hello(
    ctx: &Context,
    host: &str,
    address: SocketAddr,
    hello: Hello,
) -> Result<DoorTls, Fault> {
    let mut stream = tcp(ctx, host, address).await?;
    let peer = stream.peer_addr().map_err(|e| Fault::local(e.to_string()))?;
    let since = Instant::now();
    let bytes = client_hello(host, hello);
    let mut answer = Vec::with_capacity(RECORD_BYTE);
    let exchange = async {
        stream.write_all(&bytes).await?;
        while answer.len() < RECORD_BYTE && whole(&answer).is_none() {
            if stream.read_buf(&mut answer).await? == 0 {
                break;
            }
        }
        Ok::<(), std::io::Error>(())
    };
    match within(ctx, Phase::Tls, ctx.limits.tls, exchange).await? {
        Err(error) if answer.is_empty() => return Err(Fault::from_io(&error, Phase::Tls, peer, since)),
        _ => {}
    }
    read(&answer)
}

/// Whether the first record is there as far as it is read.
fn whole(answer: &[u8]) -> Option<()> {
    let [kind, _, _, high, low, ..] = answer else { return None };
    if !matches!(kind, 0x14..=0x17) {
        return Some(());
    }
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    (answer.len() >= (5 + length).min(RECORD_BYTE)).then_some(())
}

/// A record with a ClientHello (RFC 5246, sections 6.2.1 and 7.4.1.2).
fn client_hello(host: &str, hello: Hello) -> Vec<u8> {
    let (version, suites): (u16, Vec<u16>) = match hello {
        Hello::Legacy => (0x0303, SUITES.iter().map(|(number, _)| *number).collect()),
        Hello::Unacceptable => (0x0301, vec![0x0000]),
    };
    let mut body = version.to_be_bytes().to_vec();
    // The random is no secret here: no key comes of this handshake.
    body.extend([0x4c; 32]);
    body.push(0);
    body.extend(vector16(&suites.iter().flat_map(|s| s.to_be_bytes()).collect::<Vec<u8>>()));
    body.extend([1, 0]);
    let mut extensions = Vec::new();
    let bare = host.trim_end_matches('.');
    if !bare.is_empty() && bare.parse::<std::net::IpAddr>().is_err() && !bare.starts_with('[') {
        // RFC 6066, section 3: a list of one host_name.
        let mut name = vec![0];
        name.extend(vector16(bare.as_bytes()));
        extension(&mut extensions, 0, &vector16(&name));
    }
    if hello == Hello::Legacy {
        // supported_groups: x25519, P-256, P-384 (RFC 8422); ec_point_formats: uncompressed.
        extension(&mut extensions, 10, &vector16(&[0x00, 0x1d, 0x00, 0x17, 0x00, 0x18]));
        extension(&mut extensions, 11, &[1, 0]);
        // signature_algorithms: RSA and ECDSA with SHA-256, SHA-384, SHA-1, and RSA-PSS with SHA-256.
        let schemes = [0x04, 0x01, 0x04, 0x03, 0x08, 0x04, 0x05, 0x01, 0x05, 0x03, 0x02, 0x01, 0x02, 0x03];
        extension(&mut extensions, 13, &vector16(&schemes));
    }
    if !extensions.is_empty() {
        body.extend(vector16(&extensions));
    }
    let mut message = vec![0x01];
    message.extend(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes()[1..]);
    message.extend(body);
    let mut record = vec![0x16, 0x03, 0x01];
    record.extend(vector16(&message));
    record
}

fn extension(to: &mut Vec<u8>, number: u16, content: &[u8]) {
    to.extend(number.to_be_bytes());
    to.extend(vector16(content));
}

/// Bytes behind their length in two bytes. Everything written here is far shorter than 65,535 bytes: a host name is
/// 253 at most.
fn vector16(content: &[u8]) -> Vec<u8> {
    let mut out = u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes().to_vec();
    out.extend_from_slice(content);
    out
}

/// Reads the first record of an answer.
fn read(answer: &[u8]) -> Result<DoorTls, Fault> {
    let malformed =
        |detail: &str| Err(Fault::Denied(Denial::Malformed { phase: Phase::Tls, detail: detail.to_owned() }));
    match answer {
        [] => Err(Fault::Denied(Denial::Closed { phase: Phase::Tls })),
        [0x15, _, _, _, _, _, description, ..] => Err(Fault::Denied(alert::denial(*description))),
        // A ServerHello: type 2, three bytes of length, version, 32 of random, the session id, the suite.
        [0x16, _, _, _, _, 0x02, _, _, _, major, minor, rest @ ..] => {
            let Some((id_length, after)) = rest.get(32..).and_then(|r| r.split_first()) else {
                return malformed("the ServerHello ends too early");
            };
            let Some([high, low]) = after.get(usize::from(*id_length)..).and_then(|r| r.first_chunk()) else {
                return malformed("the ServerHello ends too early");
            };
            let suite = u16::from_be_bytes([*high, *low]);
            let cipher_suite = SUITES
                .iter()
                .find(|(number, _)| *number == suite)
                .map_or_else(|| format!("0x{suite:04x}"), |(_, name)| (*name).to_owned());
            let version = match (major, minor) {
                (3, 0) => "SSLv3".to_owned(),
                (3, minor) => format!("TLSv1.{}", minor - 1),
                _ => return malformed("the ServerHello names a version that is not of TLS"),
            };
            Ok(DoorTls {
                version,
                cipher_suite,
                names: Vec::new(),
                certificate_asked: None,
                alert_after: None,
            })
        }
        [0x14..=0x17, ..] => malformed("the first record is neither a ServerHello nor an alert"),
        other => {
            let first = other.get(..64).unwrap_or(other);
            Err(Fault::Denied(Denial::NotTls { first_bytes: first.escape_ascii().to_string() }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_record_of_an_answer_is_read() {
        let mut hello = vec![0x16, 3, 1, 0, 47, 2, 0, 0, 43, 3, 2];
        hello.extend([7; 32]);
        hello.extend([2, 9, 9, 0x00, 0x2f, 0]);
        let shown = read(&hello).expect("a ServerHello");
        assert_eq!(
            (shown.version.as_str(), shown.cipher_suite.as_str()),
            ("TLSv1.1", "TLS_RSA_WITH_AES_128_CBC_SHA")
        );
        for cut in 1..hello.len() - 1 {
            // No length of a cut answer panics; what it is called does not matter.
            drop(read(&hello[..cut]));
        }
        assert_eq!(
            read(&[0x15, 3, 1, 0, 2, 2, 70]).expect_err("an alert"),
            Fault::Denied(Denial::TlsAlert { code: 70, name: "protocol_version".into() })
        );
        assert!(matches!(read(b"HTTP/1.1 400 Bad Request\r\n"), Err(Fault::Denied(Denial::NotTls { .. }))));
        assert!(matches!(read(&[]), Err(Fault::Denied(Denial::Closed { .. }))));
        hello[9] = 9;
        assert!(matches!(read(&hello), Err(Fault::Denied(Denial::Malformed { .. }))));
    }

    #[test]
    fn a_hello_is_one_small_packet_and_carries_the_name() {
        let bytes = client_hello("api.example.test", Hello::Legacy);
        assert!(bytes.len() < 300, "{}", bytes.len());
        let name = b"api.example.test";
        assert!(bytes.windows(name.len()).any(|w| w == name));
        let bare = client_hello("192.0.2.1", Hello::Unacceptable);
        assert!(!bare.windows(9).any(|w| w == b"192.0.2.1"), "an address is not sent as a name");
        let record = usize::from(u16::from_be_bytes([bytes[3], bytes[4]]));
        assert_eq!(record + 5, bytes.len());
    }
}
