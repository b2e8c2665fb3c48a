//! Whole handshakes of a survey: a session that is taken up again, and a client that sends no name.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
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
use super::{Offer, Session, alert, stream, verifier};
use crate::connect::{Fault, tcp};

/// How long tickets are waited for. A server sends them with its answer to the client's Finished or right behind it
/// (RFC 8446, section 4.6.1), so that they are half a round trip away; some wait for the first request, and count as none.
const TICKETS: Duration = Duration::from_millis(500);

/// Names of a certificate that are kept.
const NAMES: usize = 20;

/// Two handshakes, the second of which tries to take up the first one's session. Gives the first session as well.
pub(super) async fn resumption(line: &Line<'_>) -> (Observed<Resumption>, Option<Session>) {
    let store = Arc::new(Noted::default());
    let stapled = Arc::new(AtomicBool::new(false));
    let sessions = Arc::clone(&store) as Arc<dyn ClientSessionStore>;
    let config = verifier::resuming_client(line.ctx.roots.provider(), sessions, Arc::clone(&stapled));
    let first = async {
        let mut connection = open(line, line.host, Arc::clone(&config)).await?;
        let ended = wait_for_tickets(&mut connection, &store).await;
        let tls = connection.get_ref().1;
        let session = Session::of(tls);
        let _ = tokio::time::timeout(Duration::from_millis(100), connection.shutdown()).await;
        Ok::<_, Fault>((session, ended))
    };
    let (session, ended) = match line.connect(first).await {
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
        lifetime_s: *store.lifetime_s.lock().unwrap_or_else(PoisonError::into_inner),
        early_data_byte: store.early_data_byte.load(Ordering::Relaxed),
        resumed: None,
        alpn: session.alpn().map(str::to_owned),
        stapled: stapled.load(Ordering::Relaxed),
    };
    if shown.tickets > 0 {
        let second = async {
            let mut connection = open(line, line.host, config).await?;
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
        let mut connection = open(line, &name, line.ctx.roots.config(Offer::Http)).await?;
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
) -> Result<TlsStream<stream::Tee<TcpStream>>, Fault> {
    let connection = tcp(line.ctx, line.host, line.address).await?;
    stream::upgrade(line.ctx, name, connection, config).await
}

/// Reads until a ticket has come and nothing follows it at once, the peer ends the connection, which is returned, or the
/// time is over.
async fn wait_for_tickets(
    connection: &mut TlsStream<stream::Tee<TcpStream>>,
    store: &Noted,
) -> Option<Denial> {
    let until = Instant::now() + TICKETS;
    // A session of TLS 1.2 is stored with the handshake.
    while store.old.load(Ordering::Relaxed) == 0 && Instant::now() < until {
        let before = store.count.load(Ordering::Relaxed);
        let mut byte = [0; 64];
        match tokio::time::timeout(Duration::from_millis(25), connection.read(&mut byte)).await {
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
    lifetime_s: Mutex<Option<u32>>,
}

impl Default for Noted {
    fn default() -> Self {
        Self {
            kept: ClientSessionMemoryCache::new(8),
            count: AtomicU32::new(0),
            old: AtomicU32::new(0),
            early_data_byte: AtomicU32::new(0),
            lifetime_s: Mutex::default(),
        }
    }
}

impl Noted {
    fn note(&self, lifetime_s: Option<u32>) {
        self.count.fetch_add(1, Ordering::Relaxed);
        let mut known = self.lifetime_s.lock().unwrap_or_else(PoisonError::into_inner);
        *known = (*known).max(lifetime_s);
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
        self.note(lifetime(&*value));
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
        self.note(lifetime(&*value));
        self.kept.insert_tls13_ticket(server_name, value);
    }

    fn take_tls13_ticket(&self, server_name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.kept.take_tls13_ticket(server_name)
    }
}

/// The lifetime of a session in seconds. The library keeps it to itself and shows it in its debug form alone, so it is read
/// there; a test holds it against what a server sends, and will fail on the day when that form changes. Nothing of the text
/// is kept but its last words.
fn lifetime(session: &impl std::fmt::Debug) -> Option<u32> {
    struct Words {
        tail: String,
        found: Option<u32>,
    }
    const BEFORE: &str = "lifetime_secs: ";
    impl std::fmt::Write for Words {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            for c in text.chars() {
                let digits = self.tail.rfind(BEFORE).map(|at| &self.tail[at + BEFORE.len()..]);
                if let Some(digits) = digits.filter(|digits| !digits.is_empty() && !c.is_ascii_digit()) {
                    self.found = digits.parse().ok();
                    // Ends the formatting; the rest of it is of no use.
                    return Err(std::fmt::Error);
                }
                self.tail.push(c);
                if self.tail.len() > 4 * BEFORE.len() {
                    let keep = self.tail.len() - 2 * BEFORE.len();
                    let keep =
                        (keep..self.tail.len()).find(|at| self.tail.is_char_boundary(*at)).unwrap_or(0);
                    self.tail.drain(..keep);
                }
            }
            Ok(())
        }
    }
    let mut words = Words { tail: String::new(), found: None };
    let _ = write!(words, "{session:?}");
    words.found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_found_in_the_debug_form() {
        #[derive(Debug)]
        struct Session {
            #[expect(dead_code, reason = "shown by its debug form alone")]
            ticket: Vec<u8>,
            #[expect(dead_code, reason = "shown by its debug form alone")]
            lifetime_secs: u32,
            #[expect(dead_code, reason = "shown by its debug form alone")]
            chain: &'static str,
        }
        let session = |lifetime_secs| Session { ticket: vec![7; 5_000], lifetime_secs, chain: "ü" };
        assert_eq!(lifetime(&session(86_400)), Some(86_400));
        assert_eq!(lifetime(&session(0)), Some(0));
        assert_eq!(lifetime(&"nothing of the kind"), None);
    }
}
