//! What the authority of a certificate keeps for everybody: the issuer's own certificate, and the list of the revoked.
//!
//! Both lie behind http URLs that the certificate itself names (RFC 5280, sections 4.2.1.13 and 4.2.2.1); they are signed,
//! so that plain HTTP is enough. The URLs come from the peer: only `http` is followed, no redirect is, every address is
//! held to what may be connected to, and a body ends at its bound.

use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use landfall_evidence::{
    Denial, IssuerFetch, IssuerFetched, Observed, Phase, ProbeFault, RevocationCheck, RevocationList,
    TrustRefusal, TrustResult, Vantage,
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use url::Url;
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

use super::certificate::{clean, timestamp};
use super::{Judged, Session};
use crate::connect::{Fault, tcp, within};
use crate::dns;
use crate::net::Context;

/// An issuer's certificate is one or two kilobytes.
const CERTIFICATE_BYTE: usize = 64 * 1024;
/// The lists of large authorities are one to ten megabytes where they are not cut into pieces.
const LIST_BYTE: usize = 16 * 1024 * 1024;
/// Issuers fetched one after the other: chains have at most four certificates.
const STEPS: usize = 3;

/// What the authority says.
#[derive(Debug, Default)]
pub(super) struct Looked {
    pub(super) revocation: Option<RevocationCheck>,
    pub(super) issuer: Option<IssuerFetch>,
}

/// Looks at what the leaf of this session names.
pub(super) async fn look(ctx: &Context, session: Option<&Session>) -> Looked {
    let Some(session) = session else { return Looked::default() };
    let judged = session.judged(&ctx.roots, Timestamp::now());
    let (revocation, issuer) =
        tokio::join!(revocation(ctx, session, &judged), missing_issuer(ctx, session, &judged));
    Looked { revocation, issuer }
}

async fn missing_issuer(ctx: &Context, session: &Session, judged: &Judged) -> Option<IssuerFetch> {
    let incomplete = |judged: &Judged| {
        let refused = |reason| {
            judged.trust.iter().any(|path| match &path.result {
                TrustResult::Refused { reason: found, .. } => *found == reason,
                TrustResult::Trusted { .. } => false,
            })
        };
        let trusted = judged.trust.iter().any(|path| matches!(path.result, TrustResult::Trusted { .. }));
        refused(TrustRefusal::IncompleteChain) && !trusted
    };
    if !incomplete(judged) {
        return None;
    }
    let mut url = judged.leaf()?.aia_issuers.iter().find(|url| url.starts_with("http://"))?.clone();
    let first = url.clone();
    let mut chain: Vec<CertificateDer<'static>> = session.chain().to_vec();
    let mut subject = None;
    for _ in 0..STEPS {
        let fetched = match fetch(ctx, &url, CERTIFICATE_BYTE).await.and_then(|body| certificate(&body)) {
            Ok(fetched) => fetched,
            Err(fault) => return Some(IssuerFetch { url, answer: fault.into_observed() }),
        };
        chain.push(fetched.clone());
        let parsed = match super::certificate::parse(&fetched) {
            Ok(parsed) => parsed.certificate,
            Err(problem) => return Some(IssuerFetch { url, answer: malformed(&problem).into_observed() }),
        };
        subject.get_or_insert(parsed.subject.clone());
        let now = Judged::new(&ctx.roots, &chain, Timestamp::now());
        let next = parsed.aia_issuers.into_iter().find(|url| url.starts_with("http://"));
        match next.filter(|_| !parsed.self_issued && !is_trusted(&now)) {
            Some(next) => url = next,
            None => {
                let subject = subject.unwrap_or_default();
                return Some(IssuerFetch {
                    url: first,
                    answer: Observed::Present(IssuerFetched { subject, trust: now.trust.clone() }),
                });
            }
        }
    }
    let now = Judged::new(&ctx.roots, &chain, Timestamp::now());
    let answer = IssuerFetched { subject: subject.unwrap_or_default(), trust: now.trust.clone() };
    Some(IssuerFetch { url: first, answer: Observed::Present(answer) })
}

fn is_trusted(judged: &Judged) -> bool {
    judged.trust.iter().any(|path| matches!(path.result, TrustResult::Trusted { .. }))
}

/// RFC 5280, section 4.2.2.1: one certificate in DER. PEM is served now and then; a PKCS #7 bag is not read.
fn certificate(body: &[u8]) -> Result<CertificateDer<'static>, Fault> {
    if let Some(Ok(der)) = CertificateDer::pem_slice_iter(body).next() {
        return Ok(der.into_owned());
    }
    match X509Certificate::from_der(body) {
        Ok(([], _)) => Ok(CertificateDer::from(body.to_vec())),
        _ => Err(malformed("what lies there is no certificate in DER")),
    }
}

async fn revocation(ctx: &Context, session: &Session, judged: &Judged) -> Option<RevocationCheck> {
    let leaf = judged.leaf()?;
    let url = leaf.more.as_ref()?.crl_urls.first()?.clone();
    let answer = match fetch(ctx, &url, LIST_BYTE).await {
        Err(fault) => fault.into_observed(),
        Ok(body) => {
            let (serial, chain) = (leaf.serial.clone(), session.chain().to_vec());
            let read = tokio::task::spawn_blocking(move || list(&body, &serial, &chain)).await;
            match read {
                Ok(Ok(list)) => Observed::Present(list),
                Ok(Err(fault)) => fault.into_observed(),
                Err(crash) => Fault::local(format!("reading the list failed: {crash}")).into_observed(),
            }
        }
    };
    Some(RevocationCheck { url, answer })
}

/// RFC 5280, section 5.
fn list(body: &[u8], serial: &str, chain: &[CertificateDer<'static>]) -> Result<RevocationList, Fault> {
    let (_, list) = CertificateRevocationList::from_der(body)
        .map_err(|error| malformed(&format!("what lies there is no list in DER ({error})")))?;
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (mut entries, mut revoked_at) = (0_u32, None);
    for entry in list.iter_revoked_certificates() {
        entries = entries.saturating_add(1);
        if hex(entry.raw_serial()) == serial {
            revoked_at = Some(timestamp(entry.revocation_date.timestamp()));
        }
    }
    let issuer = chain.iter().skip(1).find_map(|der| {
        let (_, parsed) = X509Certificate::from_der(der).ok()?;
        (parsed.subject().as_raw() == list.issuer().as_raw()).then_some(parsed)
    });
    Ok(RevocationList {
        issuer: clean(&list.issuer().to_string()),
        this_update: timestamp(list.last_update().timestamp()),
        next_update: list.next_update().map(|at| timestamp(at.timestamp())),
        entries,
        revoked_at,
        signature_holds: issuer.map(|issuer| list.verify_signature(issuer.public_key()).is_ok()),
    })
}

/// Reads bytes as what an authority publishes: for the fuzz target, and for the replay of what it found.
pub(super) fn read_anything(body: &[u8]) {
    let issuer = certificate(body).into_iter().collect::<Vec<_>>();
    let _ = list(body, "01", &[issuer.clone(), issuer].concat());
}

fn malformed(detail: &str) -> Fault {
    Fault::Denied(Denial::Malformed { phase: Phase::Transfer, detail: clean(detail) })
}

/// One GET in the clear, its body whole and not over `bound` bytes.
async fn fetch(ctx: &Context, text: &str, bound: usize) -> Result<Vec<u8>, Fault> {
    let url = Url::parse(text).map_err(|error| malformed(&format!("{text:?} is no URL: {error}")))?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let port = url.port_or_known_default().unwrap_or(80);
    let found = dns::addresses(ctx, &host, port, Vantage::ThirdParty).await;
    let Some(address) = found.sockets(port).first().copied() else {
        let no_address = ProbeFault::Local { detail: format!("no address is known for {host}") };
        return Err(Fault::Unasked(found.fault.unwrap_or(no_address)));
    };
    if !ctx.ledger.charge(Vantage::ThirdParty) {
        return Err(Fault::Unasked(ProbeFault::BudgetSpent { budget: ctx.ledger.budget() }));
    }
    let stream = tcp(ctx, &host, address).await?;
    ctx.ledger.sent(
        &format!("{host}:{}", address.port()),
        ctx.offset_us(Instant::now()),
        &format!("tls-survey/authority/{host}").into(),
    );
    let path = url[url::Position::BeforePath..url::Position::AfterQuery].to_owned();
    let authority = url[url::Position::BeforeHost..url::Position::AfterPort].to_owned();
    let request = hyper::Request::get(path)
        .header("host", authority)
        .header("user-agent", &*ctx.user_agent)
        .header("accept", "*/*")
        .body(Empty::<Bytes>::new())
        .map_err(|error| Fault::local(format!("the request cannot be built: {error}")))?;
    let closed = |error: hyper::Error| {
        Fault::Denied(Denial::Malformed { phase: Phase::Wait, detail: clean(&error.to_string()) })
    };
    let exchange = async {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(closed)?;
        let driver = AbortOnDrop(tokio::spawn(async move { drop(connection.await) }));
        let response = sender.send_request(request).await.map_err(closed)?;
        if response.status() != hyper::StatusCode::OK {
            return Err(malformed(&format!("HTTP {}", response.status().as_u16())));
        }
        let mut body = response.into_body();
        let mut whole = Vec::new();
        while let Some(frame) = body.frame().await {
            if let Some(data) = frame.map_err(closed)?.data_ref() {
                if whole.len() + data.len() > bound {
                    let what = "body".to_owned();
                    return Err(Fault::Denied(Denial::TooLarge { what, limit: bound as u64 }));
                }
                whole.extend_from_slice(data);
            }
        }
        drop(driver);
        Ok(whole)
    };
    within(ctx, Phase::Transfer, ctx.limits.transfer, exchange).await?
}

/// Ends the task that moves a connection's bytes.
struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
