//! TLS handshakes that record everything and refuse nothing.
//!
//! [`handshake`] is the probe. [`client`] and [`quic_client`] give the same recording configuration to the HTTP probe.
//! Whether a chain is trusted is evidence like any other, one verdict a root store ([`Roots`]), and never a reason to
//! stop looking.

pub(crate) mod alert;
mod certificate;
mod name;
mod roots;
pub(crate) mod stream;
mod trust;
mod verifier;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use landfall_evidence::{
    Observation, ObservationId, Observed, ProbeFault, Seen, TlsHandshake, TlsObservation, TlsQuestion,
    Vantage,
};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::{HandshakeKind, ProtocolVersion};
use tokio::io::AsyncWriteExt;

use crate::connect::{Fault, micros, tcp};
use crate::net::Context;
use crate::shell::shell_word;

pub use roots::{Roots, RootsError};
pub(crate) use stream::upgrade;
pub use verifier::{Recorder, client, quic_client};

/// What a browser offers.
const ALPN: [&str; 2] = ["h2", "http/1.1"];

/// Makes one handshake to see what the server shows: version, cipher suite, group, ALPN, and the chain whole.
///
/// `host` is sent as SNI (unless it is an address) and is what the certificate is held against. The outcome is
/// [`Observed::Present`] whether or not the chain is trusted. `took_us` ends with the handshake on the wire; judging the
/// chain is not in it.
pub async fn handshake(
    ctx: &Context,
    host: &str,
    address: SocketAddr,
    vantage: Vantage,
    after: Option<ObservationId>,
) -> Observation {
    // The system's store takes some milliseconds to read: do it while the network is being waited for.
    let roots = Arc::clone(&ctx.roots);
    let stores = tokio::task::spawn_blocking(move || roots.stores().count());

    let started = Instant::now();
    let (shown, round_trips) = exchange(ctx, host, address).await;
    let took = started.elapsed();

    let answer = match shown {
        Err(fault) => fault.into_observed(),
        Ok(shown) => {
            // Whether the warm-up panicked does not matter: judging reads the stores itself.
            let _ = stores.await;
            let (roots, host) = (Arc::clone(&ctx.roots), host.to_owned());
            match tokio::task::spawn_blocking(move || shown.judged(&roots, &host)).await {
                Ok(handshake) => Observed::Present(handshake),
                Err(error) => Observed::Unasked(ProbeFault::Local {
                    detail: format!("judging the chain failed: {error}"),
                }),
            }
        }
    };
    let connected_to = ctx.map.diverted(address);
    let question = TlsQuestion {
        host: host.to_owned(),
        address,
        connected_to,
        alpn: ALPN.iter().map(|&protocol| protocol.to_owned()).collect(),
    };
    Observation {
        id: format!("tls/{vantage}/{address}").into(),
        vantage,
        started_us: ctx.offset_us(started),
        took_us: micros(took),
        after,
        round_trips,
        attempt: 1,
        by_hand: by_hand(host, connected_to.unwrap_or(address)),
        seen: Seen::Tls(TlsObservation { question, answer }),
    }
}

/// What a finished handshake showed, before anything is judged.
struct Shown {
    version: Option<ProtocolVersion>,
    cipher_suite: String,
    group: Option<String>,
    alpn: Option<String>,
    chain: Vec<CertificateDer<'static>>,
}

/// The handshake on the wire, and the round trips that it took as far as it got.
async fn exchange(ctx: &Context, host: &str, address: SocketAddr) -> (Result<Shown, Fault>, u32) {
    if let Err(fault) = stream::server_name(host) {
        return (Err(fault), 0);
    }
    let connection = match tcp(ctx, address).await {
        Ok(connection) => connection,
        Err(fault @ Fault::Denied(_)) => return (Err(fault), 1),
        Err(fault) => return (Err(fault), 0),
    };
    let (config, recorder) = client(&ctx.roots, &ALPN.map(str::as_bytes));
    let mut connection = match upgrade(ctx, host, connection, config).await {
        Ok(connection) => connection,
        Err(fault @ Fault::Denied(_)) => return (Err(fault), 2),
        Err(fault) => return (Err(fault), 1),
    };
    let tls = connection.get_ref().1;
    let version = tls.protocol_version();
    // RFC 8446 section 2: one round trip, one more after a HelloRetryRequest. RFC 5246 section 7.3: two.
    let tls_round_trips = match (version, tls.handshake_kind()) {
        (Some(ProtocolVersion::TLSv1_3), Some(HandshakeKind::FullWithHelloRetryRequest)) => 2,
        (Some(ProtocolVersion::TLSv1_3), _) => 1,
        _ => 2,
    };
    let shown = Shown {
        version,
        cipher_suite: tls
            .negotiated_cipher_suite()
            .map(|suite| cipher_name(suite.suite()))
            .unwrap_or_default(),
        group: tls.negotiated_key_exchange_group().map(|group| format!("{:?}", group.name())),
        alpn: tls.alpn_protocol().map(|protocol| String::from_utf8_lossy(protocol).into_owned()),
        chain: recorder.chain(),
    };
    // A polite goodbye (close_notify). The answer is in hand, so how it goes does not matter.
    let _ = tokio::time::timeout(Duration::from_millis(100), connection.shutdown()).await;
    (Ok(shown), 1 + tls_round_trips)
}

impl Shown {
    /// The handshake as evidence. Reads the root stores, so it may block for some milliseconds.
    fn judged(self, roots: &Roots, host: &str) -> TlsHandshake {
        let (mut chain, mut unparsed, mut name_matches) = (Vec::new(), Vec::new(), false);
        for (i, der) in self.chain.iter().enumerate() {
            match certificate::parse(der) {
                Ok(parsed) => {
                    name_matches |= i == 0 && name::covers(host, &parsed.names);
                    chain.push(parsed.certificate);
                }
                Err(problem) => {
                    unparsed.push(format!("certificate {} of {} bytes: {problem}", i + 1, der.len()));
                }
            }
        }
        TlsHandshake {
            version: match self.version {
                Some(ProtocolVersion::TLSv1_2) => "TLSv1.2".to_owned(),
                Some(ProtocolVersion::TLSv1_3) => "TLSv1.3".to_owned(),
                other => format!("{other:?}"),
            },
            cipher_suite: self.cipher_suite,
            group: self.group,
            alpn: self.alpn,
            trust: trust::judge(roots, &self.chain, UnixTime::now()),
            chain,
            unparsed,
            name_matches,
        }
    }
}

/// The suite by its IANA name; the library marks those of TLS 1.3 with the version.
fn cipher_name(suite: rustls::CipherSuite) -> String {
    let name = format!("{suite:?}");
    match name.strip_prefix("TLS13_") {
        Some(rest) => format!("TLS_{rest}"),
        None => name,
    }
}

fn by_hand(host: &str, to: SocketAddr) -> String {
    let is_address = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    let sni =
        if is_address { "-noservername".to_owned() } else { format!("-servername {}", shell_word(host)) };
    format!(
        "openssl s_client -connect {} {sni} -alpn h2,http/1.1 -showcerts </dev/null",
        shell_word(&to.to_string())
    )
}

#[cfg(test)]
mod tests;
