//! One hop of a proxy: a request sent on over its own HTTP/1.1 connection on loopback.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::serve::{Answer, host};

/// Why the next hop gave no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// It refused the connection.
    Refused,
    /// The connection was not made in time.
    ConnectTimeout,
    /// It accepted the request and did not answer in time.
    ReadTimeout,
    /// What it sent is no HTTP response, or was cut off, or is too large.
    Bad,
}

const CONNECT: Duration = Duration::from_secs(5);
const READ: Duration = Duration::from_secs(60);
/// The largest response body that is passed on.
const MAX_RESPONSE_BYTE: usize = 8 * 1024 * 1024;

/// Fields that concern one connection (RFC 9110 section 7.6.1).
const HOP_BY_HOP: [HeaderName; 6] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Sends the request to the next hop with its Host kept, and reads the whole response.
pub(crate) async fn forward(to: SocketAddr, request: Request<Bytes>) -> Result<Answer, NoAnswer> {
    let stream = match tokio::time::timeout(CONNECT, TcpStream::connect(to)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => return Err(NoAnswer::Refused),
        Ok(Err(_)) | Err(_) => return Err(NoAnswer::ConnectTimeout),
    };
    tokio::time::timeout(READ, exchange(stream, request)).await.unwrap_or(Err(NoAnswer::ReadTimeout))
}

async fn exchange(stream: TcpStream, request: Request<Bytes>) -> Result<Answer, NoAnswer> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|_| NoAnswer::Bad)?;
    let request = next_hop(request).ok_or(NoAnswer::Bad)?;
    let asked = async {
        let response = sender.send_request(request).await.map_err(|_| NoAnswer::Bad)?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MAX_RESPONSE_BYTE).collect().await.map_err(|_| NoAnswer::Bad)?;
        let mut answer = Response::from_parts(head, body.to_bytes());
        *answer.headers_mut() = without_hop_by_hop(answer.headers());
        Ok(answer)
    };
    // The connection only moves the bytes; the exchange is over with the response. Dropped together, nothing lingers.
    tokio::pin!(asked);
    tokio::select! {
        answer = &mut asked => answer,
        _ = connection => asked.await,
    }
}

fn next_hop(request: Request<Bytes>) -> Option<Request<Full<Bytes>>> {
    let host = HeaderValue::from_str(&host(&request)?).ok()?;
    let (head, body) = request.into_parts();
    let path = head.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let mut headers = without_hop_by_hop(&head.headers);
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::HOST, host);
    let mut next = Request::new(Full::new(body));
    *next.method_mut() = head.method;
    *next.uri_mut() = path.parse::<Uri>().ok()?;
    *next.headers_mut() = headers;
    Some(next)
}

fn without_hop_by_hop(headers: &HeaderMap) -> HeaderMap {
    let kept = headers.iter().filter(|(name, _)| !HOP_BY_HOP.contains(name));
    let mut copy = HeaderMap::with_capacity(headers.len());
    for (name, value) in kept {
        copy.append(name.clone(), value.clone());
    }
    copy
}
