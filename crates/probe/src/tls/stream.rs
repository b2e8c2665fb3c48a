//! A TCP stream made into a TLS one, and the sorting of what can go wrong on the way.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll};
use std::time::Instant;

use landfall_evidence::{Denial, Phase};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::alert;
use crate::connect::{Fault, within};
use crate::net::Context;

/// The longest handshake message that the library takes, in bytes.
const MESSAGE_BYTE: u64 = 0xffff;

/// Enough of the peer's first words to recognise them.
const FIRST_BYTES: usize = 64;

/// Makes the handshake on an open connection, within the TLS limit. `host` is sent as SNI unless it is an address.
///
/// # Errors
/// Sorted: a peer that answers with something other than TLS is [`Denial::NotTls`], with its first bytes.
pub(crate) async fn upgrade(
    ctx: &Context,
    host: &str,
    stream: TcpStream,
    config: Arc<ClientConfig>,
) -> Result<TlsStream<Tee<TcpStream>>, Fault> {
    upgrade_keeping(ctx, host, stream, config, FIRST_BYTES).await
}

/// The same, with a copy of the first `keep_byte` bytes that the peer sends (64 at least), encrypted as they are.
///
/// # Errors
/// As [`upgrade`].
pub(super) async fn upgrade_keeping(
    ctx: &Context,
    host: &str,
    stream: TcpStream,
    config: Arc<ClientConfig>,
    keep_byte: usize,
) -> Result<TlsStream<Tee<TcpStream>>, Fault> {
    let name = server_name(host)?;
    let peer = stream.peer_addr().map_err(|e| Fault::local(e.to_string()))?;
    let since = Instant::now();
    let handshake = TlsConnector::from(config).connect(name, Tee::new(stream, keep_byte)).into_fallible();
    match within(ctx, Phase::Tls, ctx.limits.tls, handshake).await? {
        Ok(stream) => Ok(stream),
        Err((error, tee)) => {
            let first = tee.first.get(..FIRST_BYTES).unwrap_or(&tee.first);
            Err(sort(&error, first, peer, since))
        }
    }
}

/// The name to send as SNI and to check; addresses may carry brackets.
///
/// # Errors
/// When the host can be neither a DNS name nor an address; that is a fault of the question.
pub(crate) fn server_name(host: &str) -> Result<ServerName<'static>, Fault> {
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host).trim_end_matches('.');
    ServerName::try_from(bare.to_owned())
        .map_err(|_| Fault::local(format!("{host:?} cannot be sent as a server name")))
}

fn sort(error: &io::Error, first: &[u8], peer: SocketAddr, since: Instant) -> Fault {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    if let Some(rustls::Error::AlertReceived(description)) = tls {
        return Fault::Denied(alert::denial(u8::from(*description)));
    }
    // Whatever the library tripped over, bytes that do not begin a TLS record were never TLS.
    if !first.is_empty() && !begins_tls_record(first) {
        return Fault::Denied(Denial::NotTls { first_bytes: first.escape_ascii().to_string() });
    }
    match tls {
        // A certificate chain beyond it is refused by most clients: Go and this library draw the line here.
        Some(rustls::Error::InvalidMessage(rustls::InvalidMessage::HandshakePayloadTooLarge)) => {
            Fault::Denied(Denial::TooLarge { what: "handshake message".into(), limit: MESSAGE_BYTE })
        }
        Some(error) => Fault::Denied(Denial::Malformed { phase: Phase::Tls, detail: error.to_string() }),
        None => Fault::from_io(error, Phase::Tls, peer, since),
    }
}

/// Content types 20 to 23 and the major version 3 (RFC 8446, section 5.1), as far as there are bytes.
fn begins_tls_record(first: &[u8]) -> bool {
    matches!(first, [0x14..=0x17] | [0x14..=0x17, 0x03, ..])
}

/// A stream that keeps a copy of the first bytes that the peer sent.
#[derive(Debug)]
pub(crate) struct Tee<S> {
    inner: S,
    first: Vec<u8>,
    keep_byte: usize,
}

impl<S> Tee<S> {
    fn new(inner: S, keep_byte: usize) -> Self {
        Self { inner, first: Vec::new(), keep_byte: keep_byte.max(FIRST_BYTES) }
    }

    /// The first bytes that the peer sent, as far as they are kept.
    pub(super) fn first(&self) -> &[u8] {
        &self.first
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tee<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(task, buf);
        let fresh = buf.filled().get(before..).unwrap_or_default();
        let wanted = self.keep_byte.saturating_sub(self.first.len()).min(fresh.len());
        self.first.extend_from_slice(&fresh[..wanted]);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tee<S> {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Task<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(task, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(task)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(task, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
