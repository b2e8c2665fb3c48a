//! HTTP/3 over QUIC (RFC 9114, RFC 9000).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf as _, Bytes};
use h3::error::{ConnectionError, LocalError, StreamError};
use http::{Request, Response};
use http_body_util::Full;
use landfall_evidence::{Denial, Phase};

use super::link::Driver;
use super::{interim, sort};
use crate::connect::{Fault, guard, within};
use crate::net::Context;
use crate::tls;

/// UDP is dropped without a word in many places, so a silence must not cost the audit what a TLS limit may: browsers
/// too give HTTP/3 little time before they go on without it.
const HANDSHAKE: Duration = Duration::from_secs(2);

/// Flow control window of one stream, in bytes: what a peer may send before we have read it.
const STREAM_WINDOW: u32 = 256 * 1024;

/// A handle to an HTTP/3 connection.
#[derive(Clone)]
pub(super) struct Client {
    sender: h3::client::SendRequest<h3_quinn::OpenStreams, Bytes>,
    connection: quinn::Connection,
}

/// The receiving side of one exchange.
pub(super) struct Stream(h3::client::RequestStream<h3_quinn::BidiStream<Bytes>, Bytes>);

/// Makes the QUIC and HTTP/3 handshakes on a socket of the address's own family.
pub(super) async fn open(
    ctx: &Context,
    host: &str,
    address: SocketAddr,
) -> Result<(Client, Arc<Driver>), Fault> {
    guard(ctx, host, address)?;
    let real = ctx.map.address(address);
    let any: IpAddr =
        if real.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    // A connected socket asks the routing table and sends nothing. QUIC itself would send into the void for two seconds.
    let since = Instant::now();
    UdpSocket::bind((any, 0))
        .and_then(|socket| socket.connect(real))
        .map_err(|error| Fault::from_io(&error, Phase::Connect, real, since))?;

    let config = tls::quic_client(&ctx.roots, &[b"h3"]);
    let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(config)
        .map_err(|error| Fault::local(format!("QUIC cannot be set up: {error}")))?;
    let mut transport = quinn::TransportConfig::default();
    transport.stream_receive_window(STREAM_WINDOW.into()).receive_window((2 * STREAM_WINDOW).into());
    let mut client = quinn::ClientConfig::new(Arc::new(crypto));
    client.transport_config(Arc::new(transport));

    let endpoint =
        quinn::Endpoint::client((any, 0).into()).map_err(|error| Fault::local(error.to_string()))?;
    let name = host.trim_matches(['[', ']']).trim_end_matches('.');
    let connecting =
        endpoint.connect_with(client, real, name).map_err(|error| Fault::local(error.to_string()))?;
    let limit = ctx.limits.tls.min(HANDSHAKE);
    let handshake = async {
        let connection = connecting.await.map_err(|error| quic(&error, Phase::Tls, since))?;
        let (driver, sender) = h3::client::builder()
            .max_field_section_size(ctx.limits.header_byte as u64)
            .build::<_, _, Bytes>(h3_quinn::Connection::new(connection.clone()))
            .await
            .map_err(|error| ended(&error, Phase::Tls))?;
        Ok((connection, driver, sender))
    };
    let (connection, mut driver, sender) = within(ctx, Phase::Tls, limit, handshake).await??;
    let driver = Driver::spawn(async move {
        // The endpoint owns the socket and has to outlive the connection.
        let _endpoint = endpoint;
        std::future::poll_fn(|task| driver.poll_close(task)).await;
    });
    Ok((Client { sender, connection }, driver))
}

impl Client {
    pub(super) fn is_open(&self) -> bool {
        self.connection.close_reason().is_none()
    }

    /// Sends a request and waits for the header block of its response, at most `limit` bytes of it.
    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
        limit: usize,
    ) -> Result<(Response<()>, Stream), Fault> {
        let sorted = |error: StreamError| fault(&error, Phase::Wait, limit);
        let received = || self.connection.stats().udp_rx.bytes;
        // The library gathers a HEADERS frame whole before it looks at its size, and the frame may announce up to 2^62
        // bytes. So the connection's own count of bytes is watched from outside. An honest peer can have sent the
        // header block and two windows of body by then.
        let bound = received() + limit as u64 + 2 * u64::from(STREAM_WINDOW) + 64 * 1024;
        let flood = async {
            while received() <= bound {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let mut sender = self.sender.clone();
        let head = async {
            let mut stream = sender.send_request(request.map(|_| ())).await.map_err(sorted)?;
            stream.finish().await.map_err(sorted)?;
            // The answer itself is the one past the bound.
            for _ in 0..=interim::MOST {
                let response = stream.recv_response().await.map_err(sorted)?;
                if !response.status().is_informational() {
                    return Ok((response, Stream(stream)));
                }
            }
            Err(interim::too_many())
        };
        tokio::select! {
            head = head => head,
            () = flood => {
                self.connection.close(0x0107_u32.into(), b"header block too large");
                Err(Fault::Denied(sort::headers_too_large(limit)))
            }
        }
    }
}

impl Stream {
    /// The next bytes of the body; `None` at its end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, String> {
        match self.0.recv_data().await {
            Ok(None) => Ok(None),
            Ok(Some(mut data)) => Ok(Some(data.copy_to_bytes(data.remaining()))),
            Err(error) => Err(error.to_string()),
        }
    }
}

fn fault(error: &StreamError, phase: Phase, limit: usize) -> Fault {
    let malformed = |detail: String| Fault::Denied(Denial::Malformed { phase, detail });
    match error {
        StreamError::HeaderTooBig { .. } => Fault::Denied(sort::headers_too_large(limit)),
        StreamError::RemoteClosing { .. } => Fault::Denied(Denial::Closed { phase }),
        StreamError::RemoteTerminate { code, .. } => {
            malformed(format!("the peer ended the stream with {code}"))
        }
        StreamError::StreamError { code, reason, .. } => malformed(format!("{code}: {reason}")),
        StreamError::ConnectionError { 0: error, .. } => ended(error, phase),
        other => malformed(other.to_string()),
    }
}

/// A connection that is over: because the peer broke the protocol, or because it ended.
fn ended(error: &ConnectionError, phase: Phase) -> Fault {
    match error {
        ConnectionError::Local { error: LocalError::Application { code, reason, .. }, .. } => {
            Fault::Denied(Denial::Malformed { phase, detail: format!("{code}: {reason}") })
        }
        _ => Fault::Denied(Denial::Closed { phase }),
    }
}

fn quic(error: &quinn::ConnectionError, phase: Phase, since: Instant) -> Fault {
    use quinn::ConnectionError as Error;
    match error {
        Error::VersionMismatch => Fault::Denied(Denial::VersionNotOffered { chosen: None }),
        Error::TimedOut => Fault::silent(phase, since.elapsed()),
        Error::Reset => Fault::Denied(Denial::Reset { phase }),
        Error::ApplicationClosed(_) => Fault::Denied(Denial::Closed { phase }),
        // A TLS alert travels as error code 0x0100 + alert (RFC 9001, section 4.8).
        Error::ConnectionClosed(close) => match u64::from(close.error_code) {
            0x178 => Fault::Denied(Denial::VersionNotOffered { chosen: None }),
            code @ 0x100..=0x1ff => Fault::Denied(tls::alert::denial((code & 0xff) as u8)),
            _ => Fault::Denied(Denial::Closed { phase }),
        },
        Error::TransportError(error) => Fault::Denied(Denial::Malformed { phase, detail: error.to_string() }),
        Error::LocallyClosed | Error::CidsExhausted => Fault::local(error.to_string()),
    }
}
