//! ClientHellos written by hand, and what comes back for them, read within bounds.
//!
//! A hello says what its sender could do; the server's answer says what it would do. Nothing of that needs cryptography:
//! up to TLS 1.2 everything to ServerHelloDone is in clear, and in TLS 1.3 the ServerHello is (RFC 8446, section 2).
//! Answers come from the peer: no length in them is believed, and no more than [`ANSWER_BYTE`] is read.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use landfall_evidence::{Denial, Phase};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::connect::{Fault, tcp, within};
use crate::net::Context;

/// Bytes read of one answer. A flight of TLS 1.2 with a long chain is below 10 KiB; a server whose flight is larger has
/// shown its ServerHello in the first record.
pub(super) const ANSWER_BYTE: usize = 64 * 1024;

/// Longest record: 2^14 bytes and what encryption may add (RFC 5246, section 6.2.3).
const RECORD_BYTE: usize = (1 << 14) + 2048;

/// Where a hello that is to come in two segments is cut: an Ethernet segment carries 1,448 bytes of it.
const FIRST_SEGMENT_BYTE: usize = 1_400;

/// How long the second segment is held back. Long enough that a middlebox that looks at one segment alone has looked.
const BETWEEN_SEGMENTS: Duration = Duration::from_millis(20);

/// How long the rest of a flight is waited for once its ServerHello has come.
const REST: Duration = Duration::from_secs(1);

/// Message types (RFC 8446, section 4; RFC 6066, section 8).
const SERVER_HELLO: u8 = 2;
const CERTIFICATE_STATUS: u8 = 22;
const SERVER_KEY_EXCHANGE: u8 = 12;
const CERTIFICATE_REQUEST: u8 = 13;
const SERVER_HELLO_DONE: u8 = 14;

/// Extension numbers (IANA, "TLS ExtensionType Values").
mod number {
    pub(super) const SERVER_NAME: u16 = 0;
    pub(super) const STATUS_REQUEST: u16 = 5;
    pub(super) const SUPPORTED_GROUPS: u16 = 10;
    pub(super) const POINT_FORMATS: u16 = 11;
    pub(super) const SIGNATURE_ALGORITHMS: u16 = 13;
    pub(super) const ALPN: u16 = 16;
    pub(super) const SIGNED_TIMESTAMPS: u16 = 18;
    pub(super) const PADDING: u16 = 21;
    pub(super) const EXTENDED_MASTER_SECRET: u16 = 23;
    pub(super) const SESSION_TICKET: u16 = 35;
    pub(super) const SUPPORTED_VERSIONS: u16 = 43;
    pub(super) const KEY_SHARE: u16 = 51;
    pub(super) const RENEGOTIATION_INFO: u16 = 0xff01;
}

/// The random of a HelloRetryRequest (RFC 8446, section 4.1.3): SHA-256 of "HelloRetryRequest".
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
    0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// RSA, ECDSA and DSA with every hash, RSA-PSS and Ed25519: a refusal must not be for want of one of these.
pub(super) const EVERY_SCHEME: &[u16] = &[
    0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0809, 0x080a, 0x080b, 0x0401, 0x0501, 0x0601, 0x0807,
    0x0303, 0x0301, 0x0302, 0x0402, 0x0203, 0x0201, 0x0202,
];

/// X25519, P-256, P-384, P-521, X448, the brainpool curves of RFC 7027, P-224 and the finite-field groups of RFC 7919.
pub(super) const STRONG_GROUPS: &[u16] =
    &[0x001d, 0x0017, 0x0018, 0x0019, 0x001e, 0x001a, 0x001b, 0x001c, 0x0015, 0x0100, 0x0101, 0x0102];

/// What a ClientHello offers.
#[derive(Debug, Clone)]
pub(super) struct Offer {
    /// The highest version up to 1.2, as the field client_version has it. Below TLS 1.0 no extension is sent.
    pub(super) version: u16,
    /// Cipher suites, in order.
    pub(super) suites: Vec<u16>,
    /// Key exchange groups; none sends no such extension.
    pub(super) groups: &'static [u16],
    /// Signature schemes; none sends no such extension.
    pub(super) schemes: &'static [u16],
    /// Versions in supported_versions, which makes the hello one of TLS 1.3, with a share of X25519 if `share`.
    pub(super) versions: &'static [u16],
    /// Whether a share of X25519 goes along.
    pub(super) share: bool,
    /// Whether everything that a ServerHello of TLS 1.2 could tell of is asked for: renegotiation_info,
    /// extended_master_secret, a stapled status, signed timestamps, a ticket, DEFLATE, and HTTP/1.1 by ALPN.
    pub(super) asking: bool,
    /// Pads the record to this many bytes (RFC 7685) and sends it in two segments.
    pub(super) padded_to: Option<usize>,
}

impl Offer {
    /// A hello of a version up to 1.2 and these suites, with every good group and every signature scheme.
    pub(super) fn of(version: u16, suites: Vec<u16>) -> Self {
        Self {
            version,
            suites,
            groups: STRONG_GROUPS,
            schemes: EVERY_SCHEME,
            versions: &[],
            share: false,
            asking: false,
            padded_to: None,
        }
    }

    /// One record with the ClientHello (RFC 5246, sections 6.2.1 and 7.4.1.2).
    pub(super) fn bytes(&self, host: &str) -> Vec<u8> {
        let mut body = self.version.to_be_bytes().to_vec();
        // The random is no secret here: no key comes of this handshake.
        body.extend([0x4c; 32]);
        if self.versions.is_empty() {
            body.push(0);
        } else {
            // A session id makes the handshake look like one of TLS 1.2 to what stands between (RFC 8446, D.4).
            body.push(32);
            body.extend([0x4d; 32]);
        }
        body.extend(vector16(&numbers(&self.suites)));
        body.extend_from_slice(if self.asking { &[2, 1, 0] } else { &[1, 0] });
        let mut extensions = self.extensions(host);
        if let Some(whole) = self.padded_to {
            // 5 of the record, 4 of the message, 2 of the extensions' length, 4 of the padding itself.
            let so_far = 5 + 4 + body.len() + 2 + extensions.len() + 4;
            extension(&mut extensions, number::PADDING, &vec![0; whole.saturating_sub(so_far)]);
        }
        if self.version > 0x0300 && !extensions.is_empty() {
            body.extend(vector16(&extensions));
        }
        let mut message = vec![0x01];
        message.extend(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes()[1..]);
        message.extend(body);
        // RFC 8446, section 5.1: the first record says 3.1 whatever the hello offers; SSLv3 knew only its own.
        let mut record = vec![0x16, 0x03, u8::from(self.version > 0x0300)];
        record.extend(vector16(&message));
        record
    }

    fn extensions(&self, host: &str) -> Vec<u8> {
        let mut all = Vec::new();
        let mut add = |number: u16, content: &[u8]| extension(&mut all, number, content);
        let bare = host.trim_end_matches('.');
        if !bare.is_empty() && bare.parse::<IpAddr>().is_err() && !bare.starts_with('[') {
            // RFC 6066, section 3: a list of one host_name.
            let mut name = vec![0];
            name.extend(vector16(bare.as_bytes()));
            add(number::SERVER_NAME, &vector16(&name));
        }
        if !self.groups.is_empty() {
            add(number::SUPPORTED_GROUPS, &vector16(&numbers(self.groups)));
            add(number::POINT_FORMATS, &[1, 0]);
        }
        if !self.schemes.is_empty() {
            add(number::SIGNATURE_ALGORITHMS, &vector16(&numbers(self.schemes)));
        }
        if self.asking {
            add(number::RENEGOTIATION_INFO, &[0]);
            add(number::EXTENDED_MASTER_SECRET, &[]);
            add(number::SESSION_TICKET, &[]);
            // status_type ocsp, no responders, no extensions.
            add(number::STATUS_REQUEST, &[1, 0, 0, 0, 0]);
            add(number::SIGNED_TIMESTAMPS, &[]);
            add(number::ALPN, b"\x00\x09\x08http/1.1");
        }
        if !self.versions.is_empty() {
            let list = numbers(self.versions);
            let mut content = vec![u8::try_from(list.len()).unwrap_or(u8::MAX)];
            content.extend(list);
            add(number::SUPPORTED_VERSIONS, &content);
            let mut share = Vec::new();
            if self.share {
                share.extend([0x00, 0x1d]);
                // Any 32 bytes are a public key of X25519 (RFC 7748, section 5); nobody holds this one's secret.
                share.extend(vector16(&[0x4e; 32]));
            }
            add(number::KEY_SHARE, &vector16(&share));
        }
        all
    }
}

fn numbers(list: &[u16]) -> Vec<u8> {
    list.iter().flat_map(|number| number.to_be_bytes()).collect()
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

/// What a server's flight showed, as far as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shown {
    /// The version chosen.
    pub(super) version: u16,
    /// The suite chosen.
    pub(super) suite: u16,
    /// The key exchange group: of the ServerKeyExchange, or of the key share or the request for one.
    pub(super) group: Option<u16>,
    /// Whether compression was taken.
    pub(super) compression: bool,
    /// Numbers of the extensions in the ServerHello.
    pub(super) extensions: Vec<u16>,
    /// What was chosen by ALPN.
    pub(super) alpn: Option<String>,
    /// Signed certificate timestamps in the ServerHello.
    pub(super) sct_count: u32,
    /// The prime of a finite-field exchange, in bits.
    pub(super) dh_bit: Option<u32>,
    /// An OCSP response came.
    pub(super) stapled: bool,
    /// A client certificate was asked for.
    pub(super) certificate_asked: bool,
    /// The flight came to its end.
    pub(super) done: bool,
}

impl Shown {
    pub(super) fn secure_renegotiation(&self) -> bool {
        self.extensions.contains(&number::RENEGOTIATION_INFO)
    }

    pub(super) fn extended_master_secret(&self) -> bool {
        self.extensions.contains(&number::EXTENDED_MASTER_SECRET)
    }
}

/// What came back for one hello.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// A ServerHello, at least.
    Shown(Box<Shown>),
    /// An alert.
    Alert(u8),
    /// The same alert for the same hello, and again after a while.
    AlertTwice(u8),
    /// Anything else.
    Nothing(Fault),
}

/// Sends one ClientHello and reads what comes back. `host` goes out as SNI where it is a name. With `flight` the answer
/// is read to the end of the server's flight, otherwise to the end of its ServerHello. The number is the bytes read.
pub(super) async fn exchange(
    ctx: &Context,
    host: &str,
    address: SocketAddr,
    offer: &Offer,
    flight: bool,
) -> (Said, usize) {
    let mut stream = match tcp(ctx, host, address).await {
        Ok(stream) => stream,
        Err(fault) => return (Said::Nothing(fault), 0),
    };
    let peer = match stream.peer_addr() {
        Ok(peer) => peer,
        Err(error) => return (Said::Nothing(Fault::local(error.to_string())), 0),
    };
    let since = Instant::now();
    let bytes = offer.bytes(host);
    let mut answer = Answer::default();
    let exchange = async {
        if offer.padded_to.is_some() && bytes.len() > FIRST_SEGMENT_BYTE {
            let (first, second) = bytes.split_at(FIRST_SEGMENT_BYTE);
            stream.write_all(first).await?;
            tokio::time::sleep(BETWEEN_SEGMENTS).await;
            stream.write_all(second).await?;
        } else {
            stream.write_all(&bytes).await?;
        }
        let mut hello_at: Option<Instant> = None;
        let mut part = vec![0; 4096];
        while !answer.is_over(flight) {
            let reading = stream.read(&mut part);
            let count = match hello_at {
                None => reading.await?,
                // What is known is kept, whatever becomes of the rest.
                Some(at) => match tokio::time::timeout(REST.saturating_sub(at.elapsed()), reading).await {
                    Ok(Ok(count)) => count,
                    Ok(Err(_)) | Err(_) => break,
                },
            };
            if count == 0 {
                break;
            }
            answer.take(part.get(..count).unwrap_or_default());
            if hello_at.is_none() && answer.shown.is_some() {
                hello_at = Some(Instant::now());
            }
        }
        Ok::<(), std::io::Error>(())
    };
    let fault = match within(ctx, Phase::Tls, ctx.limits.tls, exchange).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(Fault::from_io(&error, Phase::Tls, peer, since)),
        Err(fault) => Some(fault),
    };
    let read = answer.read_byte;
    (answer.said(fault), read)
}

/// Reads bytes that came in pieces of `step` as a server's answer, and says what they come to: for the fuzz target, and for
/// the replay of its corpus. Not more than the bound is kept, whatever comes.
pub(super) fn read_anything(bytes: &[u8], step: usize) -> String {
    let mut answer = Answer::default();
    for piece in bytes.chunks(step.max(1)) {
        answer.take(piece);
    }
    assert!(answer.read_byte <= ANSWER_BYTE, "{} bytes were read", answer.read_byte);
    let kept = answer.rest.len() + answer.messages.len();
    assert!(kept <= ANSWER_BYTE, "{kept} bytes are kept");
    match answer.said(None) {
        // How much of it is shown depends on how much had come when it was seen.
        Said::Nothing(Fault::Denied(Denial::NotTls { .. })) => "not TLS".to_owned(),
        said => format!("{said:?}"),
    }
}

/// A server's answer, taken in piece by piece.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// Bytes that are not a whole record yet.
    rest: Vec<u8>,
    /// Handshake bytes that are not a whole message yet; messages may be spread over records and records over reads.
    messages: Vec<u8>,
    shown: Option<Shown>,
    alert: Option<u8>,
    wrong: Option<Denial>,
    first: Vec<u8>,
    pub(super) read_byte: usize,
}

impl Answer {
    /// Takes in what was read.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        let room = ANSWER_BYTE.saturating_sub(self.read_byte).min(bytes.len());
        let bytes = bytes.get(..room).unwrap_or_default();
        self.read_byte += bytes.len();
        let wanted = 64_usize.saturating_sub(self.first.len()).min(bytes.len());
        self.first.extend_from_slice(bytes.get(..wanted).unwrap_or_default());
        self.rest.extend_from_slice(bytes);
        while self.wrong.is_none() && self.alert.is_none() && self.next_record() {}
    }

    fn is_over(&self, flight: bool) -> bool {
        self.alert.is_some()
            || self.wrong.is_some()
            || self.read_byte >= ANSWER_BYTE
            || self.shown.as_ref().is_some_and(|shown| !flight || shown.done || shown.version >= 0x0304)
    }

    /// Takes one record off the front; `false` when there is none whole.
    fn next_record(&mut self) -> bool {
        match self.rest.first() {
            None => return false,
            Some(0x14..=0x17) => {}
            Some(_) => {
                let first_bytes = self.first.escape_ascii().to_string();
                self.wrong = Some(Denial::NotTls { first_bytes });
                return false;
            }
        }
        let [kind, major, _, high, low, ..] = *self.rest.as_slice() else { return false };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if major != 3 || length > RECORD_BYTE {
            self.wrong = malformed("a record that is none of TLS");
            return false;
        }
        let Some(content) = self.rest.get(5..5 + length) else { return false };
        let content = content.to_vec();
        self.rest.drain(..5 + length);
        match (kind, content.as_slice()) {
            // Level 1 is a warning, after which the server goes on: unrecognized_name of old servers (RFC 6066, 3).
            (0x15, [1, description, ..]) if *description != 0 => {}
            (0x15, [_, description, ..]) => self.alert = Some(*description),
            (0x16, fragment) => {
                self.messages.extend_from_slice(fragment);
                while self.next_message() {}
            }
            // Encrypted from here on.
            (0x14 | 0x17, _) if self.shown.is_some() => {
                if let Some(shown) = &mut self.shown {
                    shown.done = true;
                }
            }
            _ => self.wrong = malformed("the first record is neither a ServerHello nor an alert"),
        }
        true
    }

    /// Takes one handshake message off the front; `false` when there is none whole.
    fn next_message(&mut self) -> bool {
        let [kind, high, middle, low, ..] = *self.messages.as_slice() else { return false };
        let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        if self.shown.is_none() && kind != SERVER_HELLO {
            self.wrong = malformed("the first message is no ServerHello");
            return false;
        }
        let Some(body) = self.messages.get(4..4 + length) else { return false };
        match (kind, &mut self.shown) {
            (SERVER_HELLO, None) => match server_hello(body) {
                Some(shown) => self.shown = Some(shown),
                None => self.wrong = malformed("the ServerHello ends too early"),
            },
            (CERTIFICATE_STATUS, Some(shown)) => shown.stapled = true,
            (CERTIFICATE_REQUEST, Some(shown)) => shown.certificate_asked = true,
            (SERVER_KEY_EXCHANGE, Some(shown)) => key_exchange(body, shown),
            (SERVER_HELLO_DONE, Some(shown)) => shown.done = true,
            _ => {}
        }
        self.messages.drain(..4 + length);
        self.wrong.is_none()
    }

    /// What it comes to, with the fault that ended the reading, if one did.
    pub(super) fn said(self, fault: Option<Fault>) -> Said {
        match (self.shown, self.alert, self.wrong, fault) {
            (Some(shown), ..) => Said::Shown(Box::new(shown)),
            (None, Some(alert), ..) => Said::Alert(alert),
            (None, None, Some(denial), _) => Said::Nothing(Fault::Denied(denial)),
            (None, None, None, Some(fault)) => Said::Nothing(fault),
            (None, None, None, None) if self.read_byte == 0 => {
                Said::Nothing(Fault::Denied(Denial::Closed { phase: Phase::Tls }))
            }
            (None, None, None, None) => Said::Nothing(Fault::Denied(Denial::Malformed {
                phase: Phase::Tls,
                detail: "the ServerHello ends too early".into(),
            })),
        }
    }
}

fn malformed(detail: &str) -> Option<Denial> {
    Some(Denial::Malformed { phase: Phase::Tls, detail: detail.to_owned() })
}

/// Takes bytes apart from the front.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(front)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    fn vector16(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }
}

/// RFC 5246, section 7.4.1.3, and RFC 8446, section 4.1.3.
fn server_hello(body: &[u8]) -> Option<Shown> {
    let mut rest = Cursor(body);
    let mut shown = Shown { version: rest.u16()?, ..Shown::default() };
    let random = rest.take(32)?;
    let id = rest.u8()?;
    rest.take(usize::from(id))?;
    shown.suite = rest.u16()?;
    shown.compression = rest.u8()? != 0;
    let mut extensions = Cursor(rest.vector16().unwrap_or_default());
    while let (Some(number), Some(content)) = (extensions.u16(), extensions.vector16()) {
        shown.extensions.push(number);
        let mut content = Cursor(content);
        match number {
            number::SUPPORTED_VERSIONS => shown.version = content.u16().unwrap_or(shown.version),
            // A request names the group alone, an answer its share as well.
            number::KEY_SHARE => shown.group = content.u16(),
            number::ALPN => {
                let name = content.vector16().and_then(|list| list.split_first()).map(|(_, name)| name);
                shown.alpn = name.map(|name| String::from_utf8_lossy(name).into_owned());
            }
            number::SIGNED_TIMESTAMPS => {
                let mut list = Cursor(content.vector16().unwrap_or_default());
                while list.vector16().is_some() {
                    shown.sct_count += 1;
                }
            }
            _ => {}
        }
    }
    // After a request for another hello nothing follows.
    shown.done = random == RETRY;
    Some(shown)
}

/// RFC 8422, section 5.4, for the curves; RFC 5246, section 7.4.3, for the primes. Which of the two it is the suite says.
fn key_exchange(body: &[u8], shown: &mut Shown) {
    let name = super::suites::name(shown.suite);
    let mut rest = Cursor(body);
    if name.starts_with("TLS_ECDH") {
        // curve_type named_curve.
        if rest.u8() == Some(3) {
            shown.group = rest.u16();
        }
    } else if name.starts_with("TLS_DH") {
        let prime = rest.vector16().unwrap_or_default();
        let significant = prime.iter().position(|byte| *byte != 0).map_or(&[][..], |at| &prime[at..]);
        let bits = significant.first().map_or(0, |first| {
            let whole = u32::try_from(significant.len()).unwrap_or(u32::MAX).saturating_mul(8);
            whole.saturating_sub(first.leading_zeros())
        });
        shown.dh_bit = (bits > 0).then_some(bits);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(kind: u8, content: &[u8]) -> Vec<u8> {
        let mut out = vec![kind, 3, 3];
        out.extend(vector16(content));
        out
    }

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut out = vec![kind];
        out.extend(&u32::try_from(body.len()).expect("short").to_be_bytes()[1..]);
        out.extend_from_slice(body);
        out
    }

    /// A ServerHello of TLS 1.2 with DHE, an extension each of the ones that are looked at, and the rest of a flight.
    fn flight() -> Vec<u8> {
        let mut hello = vec![3, 3];
        hello.extend([7; 32]);
        hello.extend([2, 9, 9, 0x00, 0x33, 1]);
        let mut extensions = Vec::new();
        extension(&mut extensions, number::RENEGOTIATION_INFO, &[0]);
        extension(&mut extensions, number::EXTENDED_MASTER_SECRET, &[]);
        extension(&mut extensions, number::ALPN, b"\x00\x09\x08http/1.1");
        let timestamps: Vec<u8> = [vector16(&[1; 8]), vector16(&[2; 8])].concat();
        extension(&mut extensions, number::SIGNED_TIMESTAMPS, &vector16(&timestamps));
        hello.extend(vector16(&extensions));
        let mut exchange = vector16(&[[0, 0x80].as_slice(), &[1; 127]].concat());
        exchange.extend(vector16(&[2]));
        let messages = [
            message(SERVER_HELLO, &hello),
            message(11, &[0, 0, 0]),
            message(CERTIFICATE_STATUS, &[1, 0, 0, 1, 5]),
            message(SERVER_KEY_EXCHANGE, &exchange),
            message(CERTIFICATE_REQUEST, &[0, 0, 0]),
            message(SERVER_HELLO_DONE, &[]),
        ];
        // Records cut messages where they like.
        messages.concat().chunks(61).flat_map(|part| record(0x16, part)).collect()
    }

    fn shown(bytes: &[u8]) -> Shown {
        let mut answer = Answer::default();
        answer.take(bytes);
        match answer.said(None) {
            Said::Shown(shown) => *shown,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_flight_is_read_to_its_end() {
        let shown = shown(&flight());
        assert_eq!((shown.version, shown.suite), (0x0303, 0x0033));
        assert!(shown.secure_renegotiation() && shown.extended_master_secret() && shown.compression);
        assert_eq!((shown.alpn.as_deref(), shown.sct_count), (Some("http/1.1"), 2));
        assert_eq!(shown.dh_bit, Some(1024), "leading zeros are no bits");
        assert!(shown.stapled && shown.certificate_asked && shown.done);
    }

    #[test]
    fn it_does_not_matter_where_the_network_cuts() {
        let whole = shown(&flight());
        let mut answer = Answer::default();
        for byte in flight() {
            answer.take(&[byte]);
        }
        assert_eq!(answer.said(None), Said::Shown(Box::new(whole)));
    }

    #[test]
    fn a_hello_retry_names_the_group_and_ends_the_flight() {
        let mut hello = vec![3, 3];
        hello.extend(RETRY);
        hello.extend([0, 0x13, 0x01, 0]);
        let mut extensions = Vec::new();
        extension(&mut extensions, number::SUPPORTED_VERSIONS, &[3, 4]);
        extension(&mut extensions, number::KEY_SHARE, &[0x11, 0xec]);
        hello.extend(vector16(&extensions));
        let shown = shown(&record(0x16, &message(SERVER_HELLO, &hello)));
        assert_eq!((shown.version, shown.group, shown.done), (0x0304, Some(0x11ec), true));
    }

    #[test]
    fn alerts_other_protocols_and_too_much_are_told_apart() {
        let said = |bytes: &[u8]| {
            let mut answer = Answer::default();
            answer.take(bytes);
            answer.said(None)
        };
        assert_eq!(said(&record(0x15, &[2, 70])), Said::Alert(70));
        // A warning about the name, and then the handshake goes on.
        let mut warned = record(0x15, &[1, 112]);
        warned.extend(flight());
        assert!(matches!(said(&warned), Said::Shown(_)));
        assert!(matches!(
            said(b"HTTP/1.1 400 Bad Request\r\n"),
            Said::Nothing(Fault::Denied(Denial::NotTls { .. }))
        ));
        assert!(matches!(said(&[]), Said::Nothing(Fault::Denied(Denial::Closed { .. }))));
        assert!(matches!(
            said(&record(0x16, &message(11, &[]))),
            Said::Nothing(Fault::Denied(Denial::Malformed { .. }))
        ));
        let mut answer = Answer::default();
        for _ in 0..100 {
            // A message of 16 MiB that never ends.
            answer.take(&record(0x16, &[&[2, 0xff, 0xff, 0xff][..], &[0; 4096]].concat()));
        }
        assert_eq!(answer.read_byte, ANSWER_BYTE);
        assert!(answer.is_over(false) && answer.messages.len() <= ANSWER_BYTE);
    }

    #[test]
    fn a_hello_is_one_small_packet_unless_it_is_padded() {
        let mut offer = Offer::of(0x0303, vec![0xc02f, 0x009c]);
        offer.asking = true;
        let bytes = offer.bytes("api.example.test");
        assert!(bytes.len() < 400, "{}", bytes.len());
        let name = b"api.example.test";
        assert!(bytes.windows(name.len()).any(|w| w == name));
        offer.padded_to = Some(1_700);
        assert_eq!(offer.bytes("api.example.test").len(), 1_700);
        let bare = Offer::of(0x0301, vec![0]).bytes("192.0.2.1");
        assert!(!bare.windows(9).any(|w| w == b"192.0.2.1"), "an address is not sent as a name");
        let old = Offer::of(0x0300, vec![0x000a]).bytes("api.example.test");
        assert!(!old.windows(name.len()).any(|w| w == name), "SSLv3 had no extensions");
        for bytes in [bytes, bare, old] {
            assert_eq!(usize::from(u16::from_be_bytes([bytes[3], bytes[4]])) + 5, bytes.len());
        }
    }

    proptest! {
        #[test]
        fn no_bytes_of_a_peer_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600), cut in 0usize..700, at in 0usize..700, byte: u8) {
            let mut answer = Answer::default();
            answer.take(&bytes);
            drop(answer.said(None));
            let mut damaged = flight();
            if let Some(place) = damaged.get_mut(at) {
                *place = byte;
            }
            damaged.truncate(cut);
            let mut answer = Answer::default();
            answer.take(&damaged);
            drop(answer.said(None));
        }
    }
}
