//! The bound on interim responses (1xx) ahead of an answer.
//!
//! A client has to take any number of them (RFC 9110, section 15.2), and the libraries do so as fast as they come. Over
//! HTTP/1.1 a peer that never stops would keep a thread from every limit in time, since that thread is not handed back while
//! bytes are there; over HTTP/2 each of them waits in a queue of some 300 bytes. So they are counted in the byte stream under
//! the connection, and after the last one that we bear with the next read fails.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use http::Request;
use landfall_evidence::Denial;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connect::Fault;

/// Interim responses to one request. A server that says every second that it is still at work (102) stays far below.
pub(super) const MOST: usize = 100;
/// Bytes handed on at once while an answer over HTTP/1.1 is awaited: some 160 of the shortest interim responses.
const PART: usize = 4096;
/// HEADERS frames that are none: the answer's own, and its trailers (RFC 9113, section 8.1).
const OWN_HEADERS: usize = 2;

/// What is told of a peer that sends more than [`MOST`].
pub(super) fn too_many() -> Fault {
    Fault::Denied(Denial::TooLarge { what: "interim responses".to_owned(), limit: MOST as u64 })
}

/// The count of one connection, shared by its exchanges and the stream under them.
#[derive(Debug, Default)]
pub(super) struct Count(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Exchanges that await their answer.
    awaiting: usize,
    seen: usize,
    allowed: usize,
}

impl Count {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more exchange awaits its answer, until what this gives is dropped.
    fn begin(self: &Arc<Self>, allowed: usize) -> Awaiting {
        let mut state = self.state();
        if state.awaiting == 0 {
            (state.seen, state.allowed) = (0, 0);
        }
        state.awaiting += 1;
        state.allowed += allowed;
        Awaiting(Arc::clone(self))
    }

    /// An exchange over HTTP/1.1, where the library tells of each interim response.
    pub(super) fn begin_h1<B>(self: &Arc<Self>, request: &mut Request<B>) -> Awaiting {
        let count = Arc::clone(self);
        hyper::ext::on_informational(request, move |_| count.state().seen += 1);
        self.begin(MOST)
    }

    /// An exchange over HTTP/2, where HEADERS frames are counted.
    pub(super) fn begin_h2(self: &Arc<Self>) -> Awaiting {
        self.begin(MOST + OWN_HEADERS)
    }

    /// Whether the peer has sent more than is borne with.
    pub(super) fn exceeded(&self) -> bool {
        let state = self.state();
        state.awaiting > 0 && state.seen > state.allowed
    }
}

/// An exchange whose answer is awaited.
pub(super) struct Awaiting(Arc<Count>);

impl Drop for Awaiting {
    fn drop(&mut self) {
        self.0.state().awaiting -= 1;
    }
}

/// A byte stream under an HTTP connection whose interim responses are counted.
pub(super) struct Counted<S> {
    stream: S,
    count: Arc<Count>,
    /// The reader of frames; `None` under HTTP/1.1.
    frames: Option<Frames>,
}

impl<S> Counted<S> {
    pub(super) fn h1(stream: S) -> (Self, Arc<Count>) {
        let count = Arc::<Count>::default();
        (Self { stream, count: Arc::clone(&count), frames: None }, count)
    }

    pub(super) fn h2(stream: S) -> (Self, Arc<Count>) {
        let (counted, count) = Self::h1(stream);
        (Self { frames: Some(Frames::default()), ..counted }, count)
    }
}

/// Where in the sequence of frames the stream is (RFC 9113, section 4.1: 24 bits of length, 8 of type, 40 of others).
#[derive(Debug, Default)]
struct Frames {
    head: [u8; 9],
    filled: usize,
    payload: usize,
}

impl Frames {
    const HEADERS: u8 = 1;

    /// How many HEADERS frames begin in these bytes.
    fn headers(&mut self, mut bytes: &[u8]) -> usize {
        let mut found = 0;
        while !bytes.is_empty() {
            let skipped = self.payload.min(bytes.len());
            self.payload -= skipped;
            bytes = &bytes[skipped..];
            let taken = (self.head.len() - self.filled).min(bytes.len());
            self.head[self.filled..self.filled + taken].copy_from_slice(&bytes[..taken]);
            self.filled += taken;
            bytes = &bytes[taken..];
            if self.filled == self.head.len() {
                let [a, b, c, kind, ..] = self.head;
                self.payload = u32::from_be_bytes([0, a, b, c]) as usize;
                self.filled = 0;
                found += usize::from(kind == Self::HEADERS);
            }
        }
        found
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.count.exceeded() {
            return Poll::Ready(Err(io::Error::other(format!("more than {MOST} interim responses"))));
        }
        let Self { stream, count, frames } = &mut *self;
        if let Some(frames) = frames {
            let before = buf.filled().len();
            ready!(Pin::new(stream).poll_read(cx, buf))?;
            let found = frames.headers(&buf.filled()[before..]);
            count.state().seen += found;
        } else if count.state().awaiting > 0 {
            let mut bytes = [0; PART];
            let room = PART.min(buf.remaining());
            let mut part = ReadBuf::new(&mut bytes[..room]);
            ready!(Pin::new(stream).poll_read(cx, &mut part))?;
            buf.put_slice(part.filled());
        } else {
            ready!(Pin::new(stream).poll_read(cx, buf))?;
        }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Frames;

    fn frame(kind: u8, length: usize) -> Vec<u8> {
        let size = u32::try_from(length).expect("short").to_be_bytes();
        [&size[1..], &[kind, 0, 0, 0, 0, 1], &vec![1; length][..]].concat()
    }

    proptest! {
        /// However the bytes are cut, each frame is seen once; a payload that looks like a frame is none.
        #[test]
        fn frames_are_counted_however_they_come(
            sizes in prop::collection::vec((0_u8..4, 0_usize..300), 0..30),
            cut in 1_usize..40,
        ) {
            let bytes: Vec<u8> = sizes.iter().flat_map(|(kind, length)| frame(*kind, *length)).collect();
            let mut frames = Frames::default();
            let found: usize = bytes.chunks(cut).map(|part| frames.headers(part)).sum();
            prop_assert_eq!(found, sizes.iter().filter(|(kind, _)| *kind == Frames::HEADERS).count());
        }
    }
}
