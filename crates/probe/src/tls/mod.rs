//! TLS handshakes that record everything and refuse nothing.
//!
//! [`handshake`] is the probe of an audit; [`look`] makes the same handshake for a check. The HTTP probe speaks TLS with
//! the same configurations.
//! Whether a chain is trusted is evidence like any other, one verdict a root store ([`Roots`]), and never a reason to
//! stop looking.

mod again;
pub(crate) mod alert;
mod authority;
mod certificate;
mod legacy;
mod name;
mod roots;
mod session;
pub(crate) mod stream;
mod suites;
mod survey;
mod ticket;
mod trust;
mod verifier;
mod wire;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use landfall_evidence::{
    DoorTls, Observation, ObservationId, Observed, ProbeFault, Seen, TlsHandshake, TlsObservation,
    TlsQuestion, Vantage,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::connect::{Fault, micros, tcp};
use crate::net::Context;
use crate::shell::shell_word;

pub(crate) use legacy::{Hello, hello};
pub use roots::{Roots, RootsError};
pub use session::{Judged, Problem, Session};
pub(crate) use stream::upgrade;
pub use survey::survey;
use verifier::Noting;
pub use verifier::Offer;
pub(crate) use verifier::quic_client;

/// Reads bytes as the answer to a hello by hand, in pieces of `step`, and says what they come to: for the fuzz target, and
/// for the replay of its corpus.
#[doc(hidden)]
pub fn read_foreign_answer(bytes: &[u8], step: usize) -> String {
    wire::read_anything(bytes, step)
}

/// Reads bytes as a certificate in DER, or says why they are none: for the same two.
///
/// # Errors
/// When they are none.
#[doc(hidden)]
pub fn read_foreign_certificate(der: &[u8]) -> Result<landfall_evidence::Certificate, String> {
    certificate::parse(der).map(|parsed| parsed.certificate)
}

/// Reads bytes as an authority's list of the revoked, or as the certificate of an issuer in the forms in which one is
/// published: for the same two.
#[doc(hidden)]
pub fn read_foreign_revocation(body: &[u8]) {
    authority::read_anything(body);
}

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
    let (shown, round_trips) = exchange(ctx, host, address, &mut None).await;
    let took = started.elapsed();

    let answer = match shown {
        Err(fault) => fault.into_observed(),
        Ok(shown) => {
            // Whether the warm-up panicked does not matter: judging reads the stores itself.
            let _ = stores.await;
            let (roots, host) = (Arc::clone(&ctx.roots), host.to_owned());
            let judged = move || shown.judged(&roots, Timestamp::now()).handshake(&shown, &host);
            match tokio::task::spawn_blocking(judged).await {
                Ok(handshake) => Observed::Present(handshake),
                Err(error) => Observed::Unasked(ProbeFault::Local {
                    detail: format!("judging the chain failed: {error}"),
                }),
            }
        }
    };
    observation(ctx, host, address, vantage, after, (started, took), round_trips, answer)
}

#[expect(clippy::too_many_arguments, reason = "each is a separate circumstance of one handshake")]
pub(crate) fn observation(
    ctx: &Context,
    host: &str,
    address: SocketAddr,
    vantage: Vantage,
    after: Option<ObservationId>,
    (started, took): (Instant, Duration),
    round_trips: u32,
    answer: Observed<TlsHandshake>,
) -> Observation {
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

/// The handshake on the wire, and the round trips that it took as far as it got.
async fn exchange(
    ctx: &Context,
    host: &str,
    address: SocketAddr,
    connect: &mut Option<Duration>,
) -> (Result<Session, Fault>, u32) {
    if let Err(fault) = stream::server_name(host) {
        return (Err(fault), 0);
    }
    let began = Instant::now();
    let connection = match tcp(ctx, host, address).await {
        Ok(connection) => connection,
        Err(fault @ Fault::Denied(_)) => return (Err(fault), 1),
        Err(fault) => return (Err(fault), 0),
    };
    *connect = Some(began.elapsed());
    let mut connection = match upgrade(ctx, host, connection, ctx.roots.config(Offer::Http)).await {
        Ok(connection) => connection,
        Err(fault @ Fault::Denied(_)) => return (Err(fault), 2),
        Err(fault) => return (Err(fault), 1),
    };
    let session = Session::of(connection.get_ref().1);
    // A polite goodbye (close_notify). The answer is in hand, so how it goes does not matter.
    let _ = tokio::time::timeout(Duration::from_millis(100), connection.shutdown()).await;
    {
        let round_trips = 1 + session.round_trips();
        (Ok(session), round_trips)
    }
}

/// A handshake made for a check: what it showed, or what came instead.
#[derive(Debug, Clone)]
pub struct Look {
    /// Whom it went to.
    pub address: SocketAddr,
    /// What the handshake showed.
    pub answer: Observed<Arc<Session>>,
    /// TCP connect alone, when the connection stood.
    pub connect: Option<Duration>,
    /// TCP connect and handshake together.
    pub took: Duration,
    started: Instant,
    round_trips: u32,
}

/// Makes one handshake with `host` at `address`. Judging what it showed is left to [`Session::judged`].
pub async fn look(ctx: &Context, host: &str, address: SocketAddr) -> Look {
    let started = Instant::now();
    let mut connect = None;
    let (shown, round_trips) = exchange(ctx, host, address, &mut connect).await;
    let answer = match shown {
        Ok(session) => Observed::Present(Arc::new(session)),
        Err(fault) => fault.into_observed(),
    };
    Look { address, answer, connect, took: started.elapsed(), started, round_trips }
}

impl Look {
    /// The handshake as evidence.
    pub fn observation(
        &self,
        ctx: &Context,
        host: &str,
        after: Option<ObservationId>,
        now: Timestamp,
    ) -> Observation {
        let answer =
            self.answer.clone().map(|session| session.judged(&ctx.roots, now).handshake(&session, host));
        observation(
            ctx,
            host,
            self.address,
            Vantage::Edge,
            after,
            (self.started, self.took),
            self.round_trips,
            answer,
        )
    }
}

/// How long a server that ends the connection after the handshake is given to say so. It knows everything by then, so
/// its alert is a packet behind the handshake.
const ALERT_AFTER: Duration = Duration::from_millis(700);

/// A handshake that notes whether a client certificate was asked for, and whether an alert follows although nothing was
/// sent: that is how TLS 1.3 refuses a client without one (RFC 8446, section 4.4.2.4).
///
/// `host` is whom the packets go to, `name` what is sent as SNI; an address is not sent. `small` leaves the hybrid key
/// share out, which makes the ClientHello fit into one small packet.
pub(crate) async fn noted(
    ctx: &Context,
    host: &str,
    name: &str,
    address: SocketAddr,
    small: bool,
) -> Result<DoorTls, Fault> {
    let noting = Arc::new(Noting::default());
    let config = verifier::noting_client(ctx.roots.provider(), Arc::clone(&noting), small);
    let connection = tcp(ctx, host, address).await?;
    let mut connection = upgrade(ctx, name, connection, config).await?;
    let session = Session::of(connection.get_ref().1);
    let judged = session.judged(&ctx.roots, Timestamp::now());
    let mut byte = [0; 1];
    let alert_after = match tokio::time::timeout(ctx.within(ALERT_AFTER), connection.read(&mut byte)).await {
        Ok(Err(error)) => {
            let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            match tls {
                Some(rustls::Error::AlertReceived(what)) => Some(alert::name(u8::from(*what)).to_owned()),
                _ => None,
            }
        }
        _ => None,
    };
    let _ = tokio::time::timeout(Duration::from_millis(100), connection.shutdown()).await;
    Ok(DoorTls {
        version: session.version(),
        cipher_suite: session.cipher_suite(),
        names: judged.leaf().map(|leaf| leaf.san.iter().take(20).cloned().collect()).unwrap_or_default(),
        certificate_asked: Some(noting.was_asked()),
        alert_after,
    })
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
