//! What a finished handshake showed, and the judgement of its chain.
//!
//! A judgement is the same for every connection that shows the same chain, so it is made once and kept: a server that
//! checks ten thousand hosts a minute meets few chains that it has not seen before. The host name is no part of it.

use std::sync::{Arc, PoisonError};

use jiff::{Span, Timestamp};
use landfall_evidence::{Certificate, TlsHandshake, TrustPath, TrustRefusal, TrustResult};
use rustls::client::ClientConnection;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::{CipherSuite, HandshakeKind, NamedGroup, ProtocolVersion};
use sha2::{Digest, Sha256};

use super::name::AltName;
use super::{Roots, certificate, name, trust};

/// More certificates than this in one chain are not kept: real chains have two to five.
pub(super) const CHAIN_LENGTH: usize = 16;

/// Judgements that are kept. One takes a few kilobytes.
const KEPT: usize = 4096;

/// What a finished handshake showed, before anything is judged.
#[derive(Debug, Clone)]
pub struct Session {
    version: Option<ProtocolVersion>,
    handshake: Option<HandshakeKind>,
    suite: Option<CipherSuite>,
    group: Option<NamedGroup>,
    alpn: Option<String>,
    chain: Vec<CertificateDer<'static>>,
    /// Certificates sent in all, and their size together.
    sent: (usize, usize),
}

impl Session {
    pub(crate) fn of(tls: &ClientConnection) -> Self {
        let all = tls.peer_certificates().unwrap_or_default();
        Self {
            version: tls.protocol_version(),
            handshake: tls.handshake_kind(),
            suite: tls.negotiated_cipher_suite().map(|suite| suite.suite()),
            group: tls.negotiated_key_exchange_group().map(|group| group.name()),
            alpn: tls.alpn_protocol().map(|protocol| String::from_utf8_lossy(protocol).into_owned()),
            chain: all.iter().take(CHAIN_LENGTH).cloned().collect(),
            sent: (all.len(), all.iter().map(|der| der.len()).sum()),
        }
    }

    /// Dependent round trips of the handshake. RFC 8446 section 2: one, one more after a HelloRetryRequest; RFC 5246
    /// section 7.3: two.
    pub(crate) fn round_trips(&self) -> u32 {
        match (self.version, self.handshake) {
            (Some(ProtocolVersion::TLSv1_3), Some(HandshakeKind::FullWithHelloRetryRequest)) => 2,
            (Some(ProtocolVersion::TLSv1_3), _) => 1,
            _ => 2,
        }
    }

    /// The certificates as sent, at most [`CHAIN_LENGTH`] of them.
    pub(super) fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// `TLSv1.3` or `TLSv1.2`.
    pub fn version(&self) -> String {
        match self.version {
            Some(ProtocolVersion::TLSv1_2) => "TLSv1.2".to_owned(),
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3".to_owned(),
            other => format!("{other:?}"),
        }
    }

    /// The cipher suite by its IANA name; the library marks those of TLS 1.3 with the version.
    pub fn cipher_suite(&self) -> String {
        let name = self.suite.map(|suite| format!("{suite:?}")).unwrap_or_default();
        match name.strip_prefix("TLS13_") {
            Some(rest) => format!("TLS_{rest}"),
            None => name,
        }
    }

    /// The protocol that the server chose by ALPN.
    pub fn alpn(&self) -> Option<&str> {
        self.alpn.as_deref()
    }

    /// The judgement of the chain at `now`. Cheap for a chain that was judged before; otherwise some signatures are
    /// verified, and the system's root store is read if [`Roots::warm`] was not called.
    pub fn judged(&self, roots: &Roots, now: Timestamp) -> Arc<Judged> {
        let key = self.key();
        let kept = roots.judged.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(judged) = kept.filter(|judged| judged.holds_at(now)) {
            return judged;
        }
        let judged = Arc::new(Judged::new(roots, &self.chain, now));
        let mut all = roots.judged.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= KEPT {
            all.clear();
        }
        all.insert(key, Arc::clone(&judged));
        judged
    }

    /// A digest over the whole chain, certificate by certificate.
    fn key(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        for der in &self.chain {
            digest.update((der.len() as u64).to_be_bytes());
            digest.update(der);
        }
        digest.finalize().into()
    }
}

/// A chain, taken apart and judged.
#[derive(Debug)]
pub struct Judged {
    /// The certificates that could be parsed, as sent.
    pub chain: Vec<Certificate>,
    /// The others, one line each.
    pub unparsed: Vec<String>,
    /// The verdict of every root store.
    pub trust: Vec<TrustPath>,
    names: Vec<AltName>,
    from: Timestamp,
    until: Timestamp,
}

/// What is wrong with a certificate, for a client that has to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The reason, sorted.
    pub reason: TrustRefusal,
    /// In words that stand alone: "the certificate expired on 2026-01-02".
    pub say: String,
}

impl Judged {
    pub(super) fn new(roots: &Roots, chain: &[CertificateDer<'_>], now: Timestamp) -> Self {
        let (mut parsed_chain, mut unparsed, mut names) = (Vec::new(), Vec::new(), Vec::new());
        for (i, der) in chain.iter().enumerate() {
            match certificate::parse(der) {
                Ok(parsed) => {
                    if i == 0 {
                        names = parsed.names;
                    }
                    parsed_chain.push(parsed.certificate);
                }
                Err(problem) => {
                    unparsed.push(format!("certificate {} of {} bytes: {problem}", i + 1, der.len()));
                }
            }
        }
        let seconds = u64::try_from(now.as_second()).unwrap_or(0);
        let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        // It holds until something in the chain begins or ends, and an hour at most.
        let hour = Span::new().hours(1);
        let edges = || parsed_chain.iter().flat_map(|c| [c.not_before, c.not_after]);
        let until = edges().filter(|edge| *edge > now).chain(now.checked_add(hour).ok()).min().unwrap_or(now);
        Self { trust: trust::judge(roots, chain, at), chain: parsed_chain, unparsed, names, from: now, until }
    }

    fn holds_at(&self, now: Timestamp) -> bool {
        self.from <= now && now < self.until
    }

    /// Whether the leaf's names cover the host (RFC 9525).
    pub fn covers(&self, host: &str) -> bool {
        name::covers(host, &self.names)
    }

    /// The leaf, when it could be parsed.
    pub fn leaf(&self) -> Option<&Certificate> {
        self.chain.first()
    }

    /// What a careful client would refuse the chain for; `None` when it is right for `host` and one root store trusts it.
    pub fn problem(&self, host: &str, now: Timestamp) -> Option<Problem> {
        let problem = |reason, say: String| Some(Problem { reason, say });
        let Some(leaf) = self.leaf() else {
            return problem(TrustRefusal::Other, "the server sent no certificate that can be read".into());
        };
        let day = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M UTC").to_string();
        if leaf.not_after < now {
            return problem(
                TrustRefusal::Expired,
                format!("the certificate expired on {}", day(leaf.not_after)),
            );
        }
        if leaf.not_before > now {
            let say = format!("the certificate is not valid before {}", day(leaf.not_before));
            return problem(TrustRefusal::NotYetValid, say);
        }
        if !self.covers(host) {
            let mut names: Vec<&str> = leaf.san.iter().take(3).map(String::as_str).collect();
            if leaf.san.len() > 3 {
                names.push("…");
            }
            let names = if names.is_empty() { "no name".to_owned() } else { names.join(", ") };
            return problem(
                TrustRefusal::NameMismatch,
                format!("the certificate is for {names} and not for {host}"),
            );
        }
        if certificate::is_below_proof(&leaf.key) {
            let bits = leaf.key.size_bit.unwrap_or_default();
            return problem(
                TrustRefusal::Other,
                format!("the certificate's RSA key of {bits} bits is too short for its proof to be checked"),
            );
        }
        let mut refusals = Vec::new();
        for path in &self.trust {
            match &path.result {
                TrustResult::Trusted { .. } => return None,
                TrustResult::Refused { reason, detail } => refusals.push((*reason, detail)),
            }
        }
        let (reason, detail) = refusals.into_iter().next()?;
        let say = match reason {
            TrustRefusal::SelfSigned => "the certificate signed itself, and nobody vouches for it".to_owned(),
            TrustRefusal::IncompleteChain => {
                format!("the server does not send the certificate of the issuer ({})", leaf.issuer)
            }
            TrustRefusal::UnknownIssuer => {
                format!("the certificate's authority is not known ({})", leaf.issuer)
            }
            _ => format!("the certificate is not trusted: {detail}"),
        };
        problem(reason, say)
    }

    /// The handshake as evidence.
    pub fn handshake(&self, session: &Session, host: &str) -> TlsHandshake {
        TlsHandshake {
            version: session.version(),
            cipher_suite: session.cipher_suite(),
            group: session.group.map(|group| format!("{group:?}")),
            alpn: session.alpn.clone(),
            chain: self.chain.clone(),
            unparsed: self.unparsed.clone(),
            trust: self.trust.clone(),
            name_matches: self.covers(host),
            chain_count: u32::try_from(session.sent.0).ok(),
            chain_byte: u32::try_from(session.sent.1).ok(),
        }
    }
}
