//! Whole handshakes of a survey: a session that is taken up again, and a client that sends no name.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use landfall_evidence::{Denial, Observed, Phase, ProbeFault, Resumption, WithoutName};
use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, HandshakeKind, NamedGroup};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::survey::Line;
use super::ticket::{self, ServerSecret};
use super::{Offer, Session, alert, stream, verifier};
use crate::connect::{Fault, tcp};

/// How long tickets are waited for. A server sends them with its answer to the client's Finished or right behind it
/// (RFC 8446, section 4.6.1), so that they are half a round trip away; some wait for the first request, and count as none.
const TICKETS: Duration = Duration::from_millis(500);

/// How long the line has to be quiet behind a ticket until no more are expected.
const LEAST_QUIET: Duration = Duration::from_millis(3);
const MOST_QUIET: Duration = Duration::from_millis(25);

/// How much of what the server sends is kept for reading its tickets: a flight with a long chain, and the tickets behind it.
const SENT_BYTE: usize = 64 * 1024;

/// Names of a certificate that are kept.
const NAMES: usize = 20;

/// Two handshakes, the second of which tries to take up the first one's session. Gives the first session as well.
pub(super) async fn resumption(line: &Line<'_>) -> (Observed<Resumption>, Option<Session>) {
    let store = Arc::new(Noted::default());
    let stapled = Arc::new(AtomicBool::new(false));
    let sessions = Arc::clone(&store) as Arc<dyn ClientSessionStore>;
    let secret = Arc::new(ServerSecret::default());
    let log = Arc::clone(&secret) as Arc<dyn rustls::KeyLog>;
    let config = verifier::resuming_client(line.ctx.roots.provider(), sessions, Arc::clone(&stapled), log);
    let first = async {
        let began = Instant::now();
        let mut connection = open(line, line.host, Arc::clone(&config), SENT_BYTE).await?;
        // A handshake has two round trips at least, and tickets come in one flight: a quarter of it is half a round trip.
        let quiet = (began.elapsed() / 4).clamp(LEAST_QUIET, MOST_QUIET);
        let ended = wait_for_tickets(&mut connection, &store, quiet).await;
        let (sent, tls) = connection.get_ref();
        let suite = tls.negotiated_cipher_suite().map(|suite| suite.suite());
        let lifetime_s = ticket::lifetime_s(sent.first(), suite, &secret);
        let session = Session::of(tls);
        let _ = tokio::time::timeout(Duration::from_millis(100), connection.shutdown()).await;
        Ok::<_, Fault>((session, ended, lifetime_s))
    };
    let (session, ended, lifetime_s) = match line.connect(first).await {
        Ok(shown) => shown,
        Err(fault) => return (fault.into_observed(), None),
    };
    // A server that ended the connection by itself, for want of a client certificate, had no occasion for a ticket.
    if let Some(denial) = ended.filter(|_| store.count.load(Ordering::Relaxed) == 0) {
        return (Observed::Denied(denial), Some(session));
    }
    let mut shown = Resumption {
        version: session.version(),
        tickets: store.count.load(Ordering::Relaxed),
        lifetime_s,
        early_data_byte: store.early_data_byte.load(Ordering::Relaxed),
        resumed: None,
        alpn: session.alpn().map(str::to_owned),
        stapled: stapled.load(Ordering::Relaxed),
    };
    if shown.tickets > 0 {
        let second = async {
            let mut connection = open(line, line.host, config, 0).await?;
            let kind = connection.get_ref().1.handshake_kind();
            let _ = tokio::time::timeout(Duration::from_millis(100), connection.shutdown()).await;
            Ok::<_, Fault>(kind)
        };
        // A second handshake that does not come about says nothing of resumption.
        shown.resumed = line.connect(second).await.ok().flatten().map(|kind| kind == HandshakeKind::Resumed);
    }
    (Observed::Present(shown), Some(session))
}

/// A handshake without a server name.
pub(super) async fn without_name(line: &Line<'_>) -> Observed<WithoutName> {
    let bare = line.host.trim_matches(['[', ']']);
    if bare.parse::<std::net::IpAddr>().is_ok() {
        return Observed::Unasked(ProbeFault::Local {
            detail: "the target is an address, which is never sent as a name".into(),
        });
    }
    // An address is checked and not sent (RFC 6066, section 3).
    let name = line.address.ip().to_string();
    let look = async {
        let mut connection = open(line, &name, line.ctx.roots.config(Offer::Http), 0).await?;
        let session = Session::of(connection.get_ref().1);
        let _ = tokio::time::timeout(Duration::from_millis(100), connection.shutdown()).await;
        Ok::<Session, Fault>(session)
    };
    match line.connect(look).await {
        Err(fault) => fault.into_observed(),
        Ok(session) => {
            let judged = session.judged(&line.ctx.roots, Timestamp::now());
            let leaf = judged.leaf();
            Observed::Present(WithoutName {
                sha256: leaf.map(|leaf| leaf.sha256.clone()),
                names: leaf.map(|leaf| leaf.san.iter().take(NAMES).cloned().collect()).unwrap_or_default(),
            })
        }
    }
}

async fn open(
    line: &Line<'_>,
    name: &str,
    config: Arc<ClientConfig>,
    keep_byte: usize,
) -> Result<TlsStream<stream::Tee<TcpStream>>, Fault> {
    let connection = tcp(line.ctx, line.host, line.address).await?;
    stream::upgrade_keeping(line.ctx, name, connection, config, keep_byte).await
}

/// Reads until a ticket has come and nothing follows it at once, the peer ends the connection, which is returned, or the
/// time is over.
async fn wait_for_tickets(
    connection: &mut TlsStream<stream::Tee<TcpStream>>,
    store: &Noted,
    quiet: Duration,
) -> Option<Denial> {
    let until = Instant::now() + TICKETS;
    // A session of TLS 1.2 is stored with the handshake.
    while store.old.load(Ordering::Relaxed) == 0 && Instant::now() < until {
        let before = store.count.load(Ordering::Relaxed);
        let mut byte = [0; 64];
        match tokio::time::timeout(quiet, connection.read(&mut byte)).await {
            Ok(Ok(0)) => return Some(Denial::Closed { phase: Phase::Tls }),
            Ok(Err(error)) => {
                let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
                return Some(match tls {
                    Some(rustls::Error::AlertReceived(what)) => alert::denial(u8::from(*what)),
                    _ => Denial::Reset { phase: Phase::Tls },
                });
            }
            Ok(Ok(_)) => {}
            Err(_) if before > 0 && store.count.load(Ordering::Relaxed) == before => return None,
            Err(_) => {}
        }
    }
    None
}

/// A store of sessions that notes what tickets say.
#[derive(Debug)]
struct Noted {
    kept: ClientSessionMemoryCache,
    count: AtomicU32,
    old: AtomicU32,
    early_data_byte: AtomicU32,
}

impl Default for Noted {
    fn default() -> Self {
        Self {
            kept: ClientSessionMemoryCache::new(8),
            count: AtomicU32::new(0),
            old: AtomicU32::new(0),
            early_data_byte: AtomicU32::new(0),
        }
    }
}

impl ClientSessionStore for Noted {
    fn set_kx_hint(&self, server_name: ServerName<'static>, group: NamedGroup) {
        self.kept.set_kx_hint(server_name, group);
    }

    fn kx_hint(&self, server_name: &ServerName<'_>) -> Option<NamedGroup> {
        self.kept.kx_hint(server_name)
    }

    fn set_tls12_session(&self, server_name: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.old.fetch_add(1, Ordering::Relaxed);
        self.kept.set_tls12_session(server_name, value);
    }

    fn tls12_session(&self, server_name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.kept.tls12_session(server_name)
    }

    fn remove_tls12_session(&self, server_name: &ServerName<'static>) {
        self.kept.remove_tls12_session(server_name);
    }

    fn insert_tls13_ticket(&self, server_name: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.early_data_byte.fetch_max(value.max_early_data_size(), Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Relaxed);
        self.kept.insert_tls13_ticket(server_name, value);
    }

    fn take_tls13_ticket(&self, server_name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.kept.take_tls13_ticket(server_name)
    }
}
