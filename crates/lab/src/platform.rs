//! The hosting platform: a router by host name, behind the edge and under the platform's own name.
//!
//! A host without a deployment gets nine bytes of text; a deployment that does not answer gets the platform's own 502.
//! Every response carries `via: 1.1 google`, since the platform stands behind a Google load balancer.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};

use crate::forward::forward;
use crate::serve::{Answer, Handler, for_method, host, text, to_https};

/// The router, apart from its listeners.
pub(crate) struct Router {
    routes: BTreeMap<String, SocketAddr>,
}

impl Router {
    /// A router with host names and where their deployments listen.
    pub(crate) fn new(routes: BTreeMap<String, SocketAddr>) -> Arc<Self> {
        Arc::new(Self { routes })
    }

    /// The handler of its listeners for requests: behind the edge, and over TLS under its own name.
    pub(crate) fn handler(self: &Arc<Self>) -> Handler {
        let router = Arc::clone(self);
        Arc::new(move |request, client| {
            let router = Arc::clone(&router);
            Box::pin(async move { router.answer(request, client).await })
        })
    }

    /// The handler of port 80 under its own name.
    pub(crate) fn in_the_clear() -> Handler {
        Arc::new(|request, _| {
            let answer = with_via(to_https(&request, "google"));
            Box::pin(std::future::ready(for_method(request.method() == Method::HEAD, answer)))
        })
    }

    async fn answer(&self, mut request: Request<Bytes>, client: IpAddr) -> Answer {
        let head = request.method() == Method::HEAD;
        let deployment = host(&request).and_then(|h| self.routes.get(&h)).copied();
        let Some(deployment) = deployment else {
            return with_via(for_method(head, text(StatusCode::NOT_FOUND, "Not Found")));
        };
        let headers = request.headers_mut();
        let address = HeaderValue::from_str(&client.to_string()).expect("an address is ASCII");
        headers.append("x-forwarded-for", address);
        headers.entry("x-forwarded-proto").or_insert(HeaderValue::from_static("https"));
        match forward(deployment, request).await {
            Ok(answer) => with_via(answer),
            Err(_) => with_via(for_method(
                head,
                text(StatusCode::BAD_GATEWAY, "The deployment could not be reached"),
            )),
        }
    }
}

/// Adds `via` after the fields that describe the content, where this load balancer writes it.
fn with_via(mut answer: Answer) -> Answer {
    let theirs = std::mem::take(answer.headers_mut());
    let content = [header::DATE, header::CONTENT_TYPE, header::CONTENT_LENGTH];
    let mut ours = HeaderMap::with_capacity(theirs.len() + 1);
    for name in &content {
        if let Some(value) = theirs.get(name) {
            ours.insert(name.clone(), value.clone());
        }
    }
    ours.append(header::VIA, HeaderValue::from_static("1.1 google"));
    for (name, value) in theirs.iter().filter(|(name, _)| !content.contains(name)) {
        ours.append(name.clone(), value.clone());
    }
    *answer.headers_mut() = ours;
    answer
}
