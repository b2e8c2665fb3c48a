//! HTTP/3 at the edge (RFC 9114): the same answers over QUIC.

use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use http::{Request, Version};
use tokio::task::JoinSet;

use super::Edge;
use crate::serve::MAX_REQUEST_BYTE;

type Resolver = h3::server::RequestResolver<h3_quinn::Connection, Bytes>;

/// Serves until the future is dropped, which ends every connection.
pub(crate) async fn serve(endpoint: quinn::Endpoint, edge: Arc<Edge>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            incoming = endpoint.accept() => {
                let Some(incoming) = incoming else { return };
                let edge = Arc::clone(&edge);
                connections.spawn(async move {
                    if let Ok(accepted) = incoming.await {
                        connection(accepted, &edge).await;
                    }
                });
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(accepted: quinn::Connection, edge: &Arc<Edge>) {
    let client = accepted.remote_address().ip();
    let Ok(mut h3) = h3::server::builder().build::<_, Bytes>(h3_quinn::Connection::new(accepted)).await
    else {
        return;
    };
    let mut requests = JoinSet::new();
    loop {
        tokio::select! {
            next = h3.accept() => match next {
                Ok(Some(resolver)) => {
                    let edge = Arc::clone(edge);
                    requests.spawn(async move {
                        // A stream that breaks off is the client's affair.
                        let _ = exchange(resolver, client, &edge).await;
                    });
                }
                Ok(None) => break,
                Err(_) => return,
            },
            Some(_) = requests.join_next() => {}
        }
    }
    while requests.join_next().await.is_some() {}
}

async fn exchange(
    resolver: Resolver,
    client: std::net::IpAddr,
    edge: &Edge,
) -> Result<(), h3::error::StreamError> {
    let (head, mut stream) = resolver.resolve_request().await?;
    let mut body = BytesMut::new();
    while let Some(mut part) = stream.recv_data().await? {
        let room = MAX_REQUEST_BYTE.saturating_sub(body.len());
        if part.remaining() > room {
            stream.stop_sending(h3::error::Code::H3_EXCESSIVE_LOAD);
            break;
        }
        body.extend_from_slice(&part.copy_to_bytes(part.remaining()));
    }
    let (mut parts, ()) = head.into_parts();
    parts.version = Version::HTTP_3;
    let answer = edge.answer(Request::from_parts(parts, body.freeze()), client).await;
    let (mut parts, body) = answer.into_parts();
    parts.version = Version::HTTP_3;
    stream.send_response(http::Response::from_parts(parts, ())).await?;
    if !body.is_empty() {
        stream.send_data(body).await?;
    }
    stream.finish().await
}
