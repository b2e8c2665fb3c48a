//! The checks: one question to one target, and what it means.
//!
//! [`Probes`] asks over the same probes that an audit uses. What came back is judged by pure functions (`judge`, and the
//! assertions), so that the same observation always ends the same way.

mod audit;
mod dns;
mod http;
mod judge;
#[cfg(test)]
pub(crate) mod testkit;
#[cfg(test)]
mod tests;
mod transport;

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use jiff::Timestamp;
use landfall_audit::USER_AGENT;
use landfall_evidence::{Observation, REDACTED, Seen};
use landfall_probe::net::{AddressMap, Context, Egress, Ledger, Limits, Waits};
use landfall_probe::tls::{Judged, Roots, RootsError};

use crate::assertion::Patterns;
use crate::model::{Check, MonitorSpec};
use crate::result::{CheckResult, Outcome, Reason, Snapshot};
pub(crate) use audit::web_url;
pub(crate) use dns::parse_server;
pub(crate) use http::OPEN_HEADERS;
use judge::Said;

/// A future in a box.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Something that makes checks.
pub trait Checker: Send + Sync {
    /// Makes one check of what a monitor declares. `now` is the time that certificates are held against and that the
    /// result carries. Ends within the monitor's timeout and a moment to wind down.
    fn check<'a>(&'a self, spec: &'a MonitorSpec, now: Timestamp) -> BoxFuture<'a, CheckResult>;
}

/// What an operator may set of the probes.
#[derive(Debug, Clone, Default)]
pub struct ProbesConfig {
    /// What may be connected to.
    pub egress: Egress,
    /// Where packets really go.
    pub map: AddressMap,
    /// Recursive resolvers; empty means the system's.
    pub resolvers: Vec<SocketAddr>,
    /// More root certificates to trust, as PEM files.
    pub ca_files: Vec<PathBuf>,
    /// The User-Agent; the program's own when empty.
    pub user_agent: String,
}

impl ProbesConfig {
    /// What a server uses: the public internet, and what the operator allows beyond it.
    pub fn server(allowed: Vec<IpNet>) -> Self {
        Self { egress: Egress::public_only(allowed), ..Self::default() }
    }
}

/// The checks over the real network. One for a process: it holds what checks share.
#[derive(Debug)]
pub struct Probes {
    config: ProbesConfig,
    limits: Arc<Limits>,
    map: Arc<AddressMap>,
    resolvers: Arc<[SocketAddr]>,
    roots: Arc<Roots>,
    user_agent: Arc<str>,
    ledger: Arc<Ledger>,
    patterns: Patterns,
}

/// Bytes of a body that assertions can look at, and that are read at most.
const BODY_BYTE: usize = 1024 * 1024;

/// Bytes of a body that are kept as evidence.
const EVIDENCE_BODY_BYTE: usize = 16 * 1024;

/// How long after its timeout a check may still wind down before it is given up on.
const GRACE: Duration = Duration::from_secs(2);

impl Probes {
    /// Reads the root certificates, the system's among them, so it blocks for some milliseconds.
    ///
    /// # Errors
    /// When a root certificate file cannot be used.
    pub fn new(config: ProbesConfig) -> Result<Self, RootsError> {
        let roots = Roots::load(&config.ca_files)?.classical_first();
        roots.warm();
        // A phase may take what the whole check may take; the deadline cuts each of them.
        let phase = Duration::from_secs(60);
        let limits = Limits {
            connect: phase,
            tls: phase,
            wait: phase,
            transfer: phase,
            body_byte: BODY_BYTE,
            body_kept_byte: BODY_BYTE,
            ..Limits::default()
        };
        let user_agent = if config.user_agent.is_empty() { USER_AGENT } else { &config.user_agent };
        Ok(Self {
            limits: limits.into(),
            map: Arc::new(config.map.clone()),
            resolvers: config.resolvers.clone().into(),
            roots: roots.into(),
            user_agent: user_agent.into(),
            ledger: Arc::new(Ledger::new(u32::MAX)),
            patterns: Patterns::default(),
            config,
        })
    }

    /// What may be connected to.
    pub fn egress(&self) -> &Egress {
        &self.config.egress
    }

    /// The circumstances of one check that begins now.
    fn context(&self, timeout: Duration) -> Context {
        let started = Instant::now();
        Context {
            started,
            deadline: started + timeout,
            limits: Arc::clone(&self.limits),
            map: Arc::clone(&self.map),
            resolvers: Arc::clone(&self.resolvers),
            roots: Arc::clone(&self.roots),
            user_agent: Arc::clone(&self.user_agent),
            ledger: Arc::clone(&self.ledger),
            waits: Waits::default(),
            egress: self.config.egress.clone(),
            deadline_counts: true,
        }
    }
}

impl Checker for Probes {
    fn check<'a>(&'a self, spec: &'a MonitorSpec, now: Timestamp) -> BoxFuture<'a, CheckResult> {
        self.check_at(spec, None, now)
    }
}

impl Probes {
    /// A check that connects to another host than it names: the name still goes into the handshake and the request, as
    /// with curl's `--connect-to`. Only HTTP and TLS have a name to send.
    pub fn check_at<'a>(
        &'a self,
        spec: &'a MonitorSpec,
        connect_to: Option<&'a str>,
        now: Timestamp,
    ) -> BoxFuture<'a, CheckResult> {
        Box::pin(async move {
            let began = Instant::now();
            let timeout = spec.timeout();
            let work: BoxFuture<'_, CheckResult> = match &spec.check {
                Check::Http(check) => Box::pin(http::check(self, check, connect_to, timeout, now)),
                Check::Tcp(check) => Box::pin(transport::tcp(self, check, timeout, now)),
                Check::Dns(check) => Box::pin(dns::check(self, check, timeout, now)),
                Check::Tls(check) => Box::pin(transport::tls(self, check, connect_to, timeout, now)),
                Check::Audit(_) => Box::pin(audit::check(self, spec, timeout, now)),
            };
            // Every probe keeps the deadline itself; this is the belt to those braces.
            let mut result = tokio::time::timeout(timeout + GRACE, work).await.unwrap_or_else(|_| {
                let say = format!("no end within {:.1} s", timeout.as_secs_f64());
                CheckResult::new(now, Outcome::Inconclusive, Some(Reason::Local), say)
            });
            result.took_us = micros(began.elapsed());
            result.snapshot.at = Some(now);
            result
        })
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// A result from a verdict, with a line of its own for one that is up.
fn result(now: Timestamp, said: Option<Said>, up: impl FnOnce() -> String) -> CheckResult {
    match said {
        Some(said) => CheckResult::new(now, said.outcome, Some(said.reason), said.say),
        None => CheckResult::new(now, Outcome::Up, None, up()),
    }
}

/// What of a certificate goes into a snapshot.
fn show_certificate(snapshot: &mut Snapshot, judged: &Judged) {
    let Some(leaf) = judged.leaf() else { return };
    snapshot.certificate = Some(leaf.sha256.clone());
    snapshot.issuer = leaf.issuer_organisation.clone().or_else(|| Some(leaf.issuer.clone()));
    snapshot.certificate_until = Some(leaf.not_after);
}

/// The reservation about a certificate that is right but will not be for long.
fn expiring(judged: &Judged, days: u16, now: Timestamp) -> Option<Said> {
    let until = judged.leaf()?.not_after;
    let left_hours = until.as_second().saturating_sub(now.as_second()) / 3600;
    (left_hours < i64::from(days) * 24).then(|| {
        let left = match left_hours / 24 {
            0 => "today or tomorrow".to_owned(),
            1 => "in 1 day".to_owned(),
            n => format!("in {n} days"),
        };
        Said::degraded(
            Reason::CertificateExpiring,
            format!(
                "the certificate expires {left}, on {}; {days} days are wanted",
                until.strftime("%Y-%m-%d")
            ),
        )
    })
}

/// Addresses in the order in which they compare.
fn sorted(mut addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    addresses.sort_unstable();
    addresses
}

/// Masks what is secret in evidence: what the patterns know, and what the check itself sent, should the target have
/// repeated it.
fn masked(mut evidence: Vec<Observation>, secrets: &[&str]) -> Vec<Observation> {
    for observation in &mut evidence {
        if let Seen::Http(seen) = &mut observation.seen
            && let landfall_evidence::Observed::Present(response) = &mut seen.answer
        {
            for header in &mut response.headers {
                hide(&mut header.value, secrets);
            }
            if let Some(text) = &mut response.body.text {
                hide(text, secrets);
            }
            if let Some(url) = &mut response.redirect_to {
                hide(url, secrets);
            }
        }
        observation.redact();
    }
    evidence
}

/// Takes every secret out of a text.
fn hide(text: &mut String, secrets: &[&str]) {
    for secret in secrets {
        if text.contains(secret) {
            *text = text.replace(secret, REDACTED);
        }
    }
}
