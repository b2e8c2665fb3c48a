//! An HTTP server for one listener: HTTP/1.1 in the clear, or HTTP/1.1 and HTTP/2 by ALPN over TLS.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// A whole response.
pub(crate) type Answer = Response<Bytes>;
/// Something that answers requests of a client.
pub(crate) type Handler =
    Arc<dyn Fn(Request<Bytes>, IpAddr) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync>;

/// The largest request body that is read.
pub(crate) const MAX_REQUEST_BYTE: usize = 1024 * 1024;
/// How long a client may take for a handshake, or for the head of a request.
const PATIENCE: Duration = Duration::from_secs(15);

/// Serves until the future is dropped, which ends every connection.
pub(crate) async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, handler: Handler) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, client)) = accepted {
                let _ = stream.set_nodelay(true);
                let (tls, handler) = (tls.clone(), Arc::clone(&handler));
                connections.spawn(async move {
                    match tls {
                        None => connection(stream, false, client.ip(), handler).await,
                        Some(acceptor) => {
                            // A client that breaks the handshake off has learnt what it wanted; there is nobody to tell.
                            let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await else { return };
                            let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                            connection(stream, h2, client.ip(), handler).await;
                        }
                    }
                });
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection<S>(stream: S, h2: bool, client: IpAddr, handler: Handler)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let handler = Arc::clone(&handler);
        async move { Ok::<_, Infallible>(with_whole_body(request, client, &handler).await.map(Full::new)) }
    });
    let io = TokioIo::new(stream);
    // How a connection ends is the client's affair.
    if h2 {
        let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .serve_connection(io, service)
            .await;
    } else {
        let mut builder = hyper::server::conn::http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
        let _ = builder.serve_connection(io, service).await;
    }
}

async fn with_whole_body(request: Request<Incoming>, client: IpAddr, handler: &Handler) -> Answer {
    let (head, body) = request.into_parts();
    let read = tokio::time::timeout(PATIENCE, Limited::new(body, MAX_REQUEST_BYTE).collect()).await;
    match read {
        Ok(Ok(body)) => handler(Request::from_parts(head, body.to_bytes()), client).await,
        Ok(Err(_)) => text(StatusCode::PAYLOAD_TOO_LARGE, "Payload Too Large"),
        Err(_) => text(StatusCode::REQUEST_TIMEOUT, "Request Timeout"),
    }
}

/// The current time as an HTTP date (RFC 9110 section 5.6.7).
pub(crate) fn http_date() -> HeaderValue {
    let now = jiff::Timestamp::now();
    let text = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now);
    let text = text.expect("the present lies within the years that an HTTP date can express");
    HeaderValue::from_str(&text).expect("an HTTP date is ASCII")
}

/// A response in plain text with date, type and length, in this order.
pub(crate) fn text(status: StatusCode, body: &'static str) -> Answer {
    response(status, "text/plain; charset=utf-8", body)
}

/// A response with date, type and length, in this order.
pub(crate) fn response(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let body = body.into();
    let mut headers = HeaderMap::new();
    headers.insert(header::DATE, http_date());
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// Leaves the body away where the request was a HEAD; the length stays as it would have been (RFC 9110 section 9.3.2).
pub(crate) fn for_method(head: bool, mut answer: Answer) -> Answer {
    if head {
        *answer.body_mut() = Bytes::new();
    }
    answer
}

/// The host that a request is for: `:authority`, or the Host field; lower case, without port.
pub(crate) fn host<B>(request: &Request<B>) -> Option<String> {
    let field = || request.headers().get(header::HOST).and_then(|h| h.to_str().ok());
    let authority = request.uri().authority().map(http::uri::Authority::as_str).or_else(field)?;
    let authority: http::uri::Authority = authority.parse().ok()?;
    Some(authority.host().trim_end_matches('.').to_ascii_lowercase())
}

/// 301 to the same URL over https, as an edge set to always use it answers on port 80.
pub(crate) fn to_https<B>(request: &Request<B>, server: &str) -> Answer {
    let path = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let Some(location) =
        host(request).and_then(|host| HeaderValue::from_str(&format!("https://{host}{path}")).ok())
    else {
        return text(StatusCode::BAD_REQUEST, "Bad Request");
    };
    let title = "301 Moved Permanently";
    let body = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n<hr><center>{server}</center>\r\n</body>\r\n</html>\r\n"
    );
    let mut answer = response(StatusCode::MOVED_PERMANENTLY, "text/html", body);
    answer.headers_mut().insert(header::LOCATION, location);
    answer
}
