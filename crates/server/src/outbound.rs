//! Calls to services that the operator named: the payment provider, a model, the bots' platforms.
//!
//! Their addresses come from the operator's settings and never from a tenant, so a model on the operator's own network
//! may be reached. Redirects are not followed: an API that redirects is not the API that was named.

use std::sync::OnceLock;
use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::{Client, Response};

/// How long a connection may take to stand.
const CONNECT: Duration = Duration::from_secs(5);

/// The client for calls to operator-named services.
pub(crate) fn client(base: &str) -> &'static Client {
    static DIRECT: OnceLock<Client> = OnceLock::new();
    static PROXIED: OnceLock<Client> = OnceLock::new();
    let builder = || {
        Client::builder()
            .connect_timeout(CONNECT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("landfall/", env!("CARGO_PKG_VERSION")))
    };
    // A proxy from the environment is for the outside; this machine is reached without it.
    if is_local(base) {
        DIRECT.get_or_init(|| builder().no_proxy().build().expect("a client with these settings can be made"))
    } else {
        PROXIED.get_or_init(|| builder().build().expect("a client with these settings can be made"))
    }
}

fn is_local(base: &str) -> bool {
    url::Url::parse(base).ok().is_some_and(|url| match url.host() {
        Some(url::Host::Ipv4(a)) => a.is_loopback(),
        Some(url::Host::Ipv6(a)) => a.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    })
}

/// `base` and `path` with exactly one slash between them.
pub(crate) fn join(base: &str, path: &str) -> String {
    format!("{}/{}", base.trim_end_matches('/'), path.trim_start_matches('/'))
}

/// The body of a response, up to a bound.
///
/// # Errors
/// In words, when it breaks off or is larger.
pub(crate) async fn body(response: Response, most: usize) -> Result<Vec<u8>, String> {
    let mut stream = response.bytes_stream();
    let mut body = Vec::new();
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|e| words(&e))?;
        if body.len() + piece.len() > most {
            return Err(format!("the answer is larger than {most} bytes"));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// What went wrong with a call, in words without its URL: a bot's token is part of its URLs.
pub(crate) fn words(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".into();
    }
    if error.is_connect() {
        return "the connection could not be made".into();
    }
    let mut source: &dyn std::error::Error = error;
    while let Some(inner) = source.source() {
        source = inner;
    }
    let text = source.to_string();
    if text.contains("://") { "the call failed".into() } else { format!("the call failed: {text}") }
}
