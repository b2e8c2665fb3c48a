//! The bound on interim responses (1xx) ahead of an answer in HTTP/1.1.
//!
//! A client has to take any number of them (RFC 9110, section 15.2), and the library does so as fast as they come, without
//! ever handing the thread back while the peer sends: a peer that never stops would keep a thread from every limit in time.
//! So bytes are handed on in small parts while an answer is awaited, and after the last interim response that we bear with the
//! next read fails.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use http::Request;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Interim responses to one request. A server that says every second that it is still at work (102) stays far below.
pub(super) const MOST: usize = 100;
/// Bytes handed on at once while an answer is awaited: some 160 of the shortest interim responses.
const PART: usize = 4096;

/// More interim responses than [`MOST`].
#[derive(Debug, thiserror::Error)]
#[error("more than {MOST} interim responses")]
pub(super) struct TooMany;

/// The count of one connection, shared by the exchange and the stream under it.
#[derive(Debug, Default)]
pub(super) struct Count {
    awaiting: AtomicBool,
    seen: AtomicUsize,
}

impl Count {
    /// Counts from nothing for this request, until [`Self::answered`].
    pub(super) fn begin<B>(self: &Arc<Self>, request: &mut Request<B>) {
        self.seen.store(0, Ordering::Relaxed);
        self.awaiting.store(true, Ordering::Relaxed);
        let count = Arc::clone(self);
        hyper::ext::on_informational(request, move |_| {
            count.seen.fetch_add(1, Ordering::Relaxed);
        });
    }

    /// The answer itself has come, or will not.
    pub(super) fn answered(&self) {
        self.awaiting.store(false, Ordering::Relaxed);
    }
}

/// A byte stream under an HTTP/1.1 connection whose interim responses are counted.
pub(super) struct Counted<S> {
    stream: S,
    count: Arc<Count>,
}

impl<S> Counted<S> {
    pub(super) fn new(stream: S) -> (Self, Arc<Count>) {
        let count = Arc::<Count>::default();
        (Self { stream, count: Arc::clone(&count) }, count)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.count.seen.load(Ordering::Relaxed) > MOST {
            return Poll::Ready(Err(io::Error::other(TooMany)));
        }
        if !self.count.awaiting.load(Ordering::Relaxed) {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let mut bytes = [0; PART];
        let room = PART.min(buf.remaining());
        let mut part = ReadBuf::new(&mut bytes[..room]);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut part))?;
        buf.put_slice(part.filled());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
