//! The way out: every connection of a channel goes through here.
//!
//! A channel's address is a tenant's. So the address that is connected to, literal or resolved, passes a guard right
//! before the connection; nothing is looked up twice, redirects are not followed, and proxies of the environment are not
//! used. What comes back is bounded in time and size.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls_pki_types::CertificateDer;
use url::{Host, Url};

use crate::config::SmtpSettings;

/// Says whether an address may be reached, and if not, why. IPv4 addresses in IPv6 form come as IPv4.
pub type Guard = Arc<dyn Fn(IpAddr) -> Result<(), String> + Send + Sync>;

/// How long one exchange with a receiver may take, from the look-up of its name to the end of its answer.
pub const DEADLINE: Duration = Duration::from_secs(10);
/// So much of an answer is read.
const ANSWER_BYTE: usize = 64 * 1024;

/// What the operator sets for all channels.
#[derive(Clone, Default)]
pub struct OutboundSettings {
    /// The mail server for e-mail channels without one of their own, and for mail of the server itself.
    pub smtp: Option<SmtpSettings>,
    /// Certificates of authorities that are trusted beside Mozilla's and the system's.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// Another deadline than [`DEADLINE`].
    pub deadline: Option<Duration>,
}

/// The way out. Cheap to clone.
#[derive(Clone)]
pub struct Outbound {
    http: reqwest::Client,
    pub(crate) guard: Guard,
    pub(crate) settings: Arc<OutboundSettings>,
    pub(crate) tls: Arc<rustls::ClientConfig>,
}

impl std::fmt::Debug for Outbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbound").finish_non_exhaustive()
    }
}

/// The way out cannot be built.
#[derive(Debug, thiserror::Error)]
#[error("no connection can be made: {0}")]
pub struct OutboundError(String);

/// What a receiver answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The beginning of the body as one line, for people.
    pub(crate) fn excerpt(&self) -> String {
        crate::sheet::clean(&String::from_utf8_lossy(&self.body), 300)
    }
}

/// One POST.
pub(crate) struct Post<'a> {
    pub(crate) url: &'a str,
    pub(crate) content_type: &'a str,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Outbound {
    /// Builds the way out with a guard for every address.
    ///
    /// # Errors
    /// When TLS cannot be set up, which a sound build never meets.
    pub fn new(guard: Guard, settings: OutboundSettings) -> Result<Self, OutboundError> {
        let tls = tls(&settings.extra_roots)?;
        let http = reqwest::Client::builder()
            .dns_resolver(GuardedResolver(Arc::clone(&guard)))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .timeout(settings.deadline.unwrap_or(DEADLINE))
            .pool_idle_timeout(Duration::from_secs(30))
            .user_agent(concat!("Landfall/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls.clone())
            .build()
            .map_err(|e| OutboundError(words(&e)))?;
        Ok(Self { http, guard, settings: Arc::new(settings), tls: Arc::new(tls) })
    }

    pub(crate) fn deadline(&self) -> Duration {
        self.settings.deadline.unwrap_or(DEADLINE)
    }

    /// Posts; the error is in words and names neither URL nor header.
    pub(crate) async fn post(&self, post: Post<'_>) -> Result<Answer, String> {
        let url = Url::parse(post.url).map_err(|_| "the channel's URL cannot be understood".to_owned())?;
        // A literal address is connected to without a look-up, so it does not pass the resolver.
        match url.host() {
            Some(Host::Ipv4(ip)) => allowed(&self.guard, ip.into())?,
            Some(Host::Ipv6(ip)) => allowed(&self.guard, ip.into())?,
            Some(Host::Domain(_)) => {}
            None => return Err("the channel's URL has no host".into()),
        }
        let mut request = self.http.post(url).header(reqwest::header::CONTENT_TYPE, post.content_type);
        for (name, value) in post.headers {
            request = request.header(name, value);
        }
        let exchange = async {
            let response = request.body(post.body).send().await.map_err(|e| self.failure(e))?;
            let status = response.status().as_u16();
            let header = response.headers().get(reqwest::header::RETRY_AFTER);
            let retry_after = header.and_then(|v| v.to_str().ok()).map(str::to_owned);
            let mut body = Vec::new();
            let mut chunks = response.bytes_stream();
            while let Some(chunk) = chunks.next().await {
                // The status says what became of it; an answer that breaks off after it changes nothing.
                let Ok(chunk) = chunk else { break };
                let room = ANSWER_BYTE - body.len();
                body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                if body.len() == ANSWER_BYTE {
                    break;
                }
            }
            Ok(Answer { status, retry_after, body })
        };
        exchange.await
    }

    fn failure(&self, error: reqwest::Error) -> String {
        let error = error.without_url();
        if error.is_timeout() {
            return format!("no answer within {} s", self.deadline().as_secs());
        }
        let mut source: Option<&dyn std::error::Error> = Some(&error);
        while let Some(one) = source {
            if let Some(forbidden) = one.downcast_ref::<Forbidden>() {
                return forbidden.to_string();
            }
            source = one.source();
        }
        format!("no answer: {}", words(&error))
    }

    /// The addresses of a mail server that may be reached, in the order of the resolver.
    pub(crate) async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(ip) = bare.parse::<IpAddr>() {
            allowed(&self.guard, ip)?;
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        let found = tokio::net::lookup_host((host, port)).await;
        let found = found.map_err(|e| format!("the name of the mail server cannot be resolved: {e}"))?;
        permitted(&self.guard, found).map_err(|e| e.to_string())
    }
}

struct GuardedResolver(Guard);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Arc::clone(&self.0);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let addresses = permitted(&guard, found)?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// No address of a name may be reached.
#[derive(Debug, thiserror::Error)]
#[error("this address may not be reached: {0}")]
struct Forbidden(String);

fn permitted(guard: &Guard, found: impl Iterator<Item = SocketAddr>) -> Result<Vec<SocketAddr>, Forbidden> {
    let mut refused = None;
    let mut kept = Vec::new();
    for address in found.take(64) {
        match guard(address.ip().to_canonical()) {
            Ok(()) => kept.push(address),
            Err(reason) => refused = Some(reason),
        }
    }
    match refused {
        Some(reason) if kept.is_empty() => Err(Forbidden(reason)),
        _ => Ok(kept),
    }
}

fn allowed(guard: &Guard, ip: IpAddr) -> Result<(), String> {
    guard(ip.to_canonical()).map_err(|reason| Forbidden(reason).to_string())
}

fn tls(extra: &[CertificateDer<'static>]) -> Result<rustls::ClientConfig, OutboundError> {
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    // Of the system's store whatever can be read; a machine without one still has Mozilla's.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for root in extra {
        roots
            .add(root.clone())
            .map_err(|e| OutboundError(format!("an extra root is no certificate: {e}")))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| OutboundError(e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// An error with its causes, without what its causes say again.
pub(crate) fn words(error: &dyn std::error::Error) -> String {
    let mut parts = vec![error.to_string()];
    let mut source = error.source();
    while let Some(inner) = source {
        let said = inner.to_string();
        if parts.last().is_none_or(|last| !last.contains(&said)) {
            parts.push(said);
        }
        source = inner.source();
    }
    crate::sheet::clean(&parts.join(": "), 300)
}
