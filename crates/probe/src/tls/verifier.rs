//! TLS configurations whose verifier accepts every chain.
//!
//! An audit wants to see what a server with a bad chain would have said, so trust is not decided here: it is judged
//! afterwards, against each root store, on the recorded chain. The handshake signature is checked as always, because a
//! peer that cannot prove that it holds the leaf's key has shown us nothing. The one exception is a key too short for the
//! library to check (RSA below 2048 bits): that it is shown is what has to be reported, and [`super::Judged::problem`]
//! keeps whoever has secrets to send away from it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientSessionStore, ResolvesClientCert, Resumption};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, KeyLog, NamedGroup, SignatureScheme,
    SupportedProtocolVersion, version,
};

use super::{Roots, certificate};

/// What a connection over TCP is to be used for, by ALPN in order of preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// HTTP/2, else HTTP/1.1: what a browser offers.
    Http,
    /// HTTP/1.1 alone.
    Http1,
}

impl Offer {
    fn alpn(self) -> &'static [&'static [u8]] {
        match self {
            Self::Http => &[b"h2", b"http/1.1"],
            Self::Http1 => &[b"http/1.1"],
        }
    }
}

/// A configuration for connections over TCP, TLS 1.2 or 1.3. It holds no state, so that any number of connections share
/// it: there is no resumption, so every handshake is a full one and shows its chain, which the connection itself keeps.
pub(super) fn client(provider: &Arc<CryptoProvider>, offer: Offer) -> Arc<ClientConfig> {
    Arc::new(build(provider, &[&version::TLS13, &version::TLS12], offer.alpn()))
}

/// The same for QUIC, which knows TLS 1.3 only (RFC 9001, section 4.2).
pub(crate) fn quic_client(roots: &Roots, alpn: &[&[u8]]) -> Arc<ClientConfig> {
    Arc::new(build(roots.provider(), &[&version::TLS13], alpn))
}

fn build(
    provider: &Arc<CryptoProvider>,
    versions: &[&'static SupportedProtocolVersion],
    alpn: &[&[u8]],
) -> ClientConfig {
    build_with(provider, versions, alpn, AcceptingVerifier { provider: Arc::clone(provider), stapled: None })
}

fn build_with(
    provider: &Arc<CryptoProvider>,
    versions: &[&'static SupportedProtocolVersion],
    alpn: &[&[u8]],
    verifier: AcceptingVerifier,
) -> ClientConfig {
    let mut config = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(versions)
        .expect("the provider has cipher suites and groups for TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    config.resumption = Resumption::disabled();
    config
}

/// A configuration like [`client`]'s whose `noting` sees whether the server asks for a client certificate. With `small`
/// it offers X25519 and P-256 alone.
pub(super) fn noting_client(
    provider: &Arc<CryptoProvider>,
    noting: Arc<Noting>,
    small: bool,
) -> Arc<ClientConfig> {
    let mut provider = (**provider).clone();
    if small {
        provider.kx_groups.retain(|group| matches!(group.name(), NamedGroup::X25519 | NamedGroup::secp256r1));
    }
    let mut config = build(&Arc::new(provider), &[&version::TLS13, &version::TLS12], Offer::Http.alpn());
    config.client_auth_cert_resolver = noting;
    Arc::new(config)
}

/// A configuration like [`client`]'s that offers HTTP/1.1 alone, keeps its sessions in `sessions`, says in `stapled`
/// whether a certificate status came with the certificate, and hands its secrets to `secrets`.
pub(super) fn resuming_client(
    provider: &Arc<CryptoProvider>,
    sessions: Arc<dyn ClientSessionStore>,
    stapled: Arc<AtomicBool>,
    secrets: Arc<dyn KeyLog>,
) -> Arc<ClientConfig> {
    let verifier = AcceptingVerifier { provider: Arc::clone(provider), stapled: Some(stapled) };
    let versions = [&version::TLS13, &version::TLS12];
    let mut config = build_with(provider, &versions, Offer::Http1.alpn(), verifier);
    config.resumption = Resumption::store(sessions);
    config.key_log = secrets;
    Arc::new(config)
}

/// Has no certificate, and remembers whether it was asked for one.
#[derive(Debug, Default)]
pub(super) struct Noting {
    asked: AtomicBool,
}

impl Noting {
    pub(super) fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}

impl ResolvesClientCert for Noting {
    fn resolve(&self, _issuers: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        None
    }

    // The library asks only resolvers that may have one.
    fn has_certs(&self) -> bool {
        true
    }
}

/// Lets a signature pass that could not be checked because the leaf's key is too short for the library.
fn unless_short(leaf: &CertificateDer<'_>, why: Error) -> Result<HandshakeSignatureValid, Error> {
    match certificate::parse(leaf) {
        Ok(parsed) if certificate::is_below_proof(&parsed.certificate.key) => {
            Ok(HandshakeSignatureValid::assertion())
        }
        _ => Err(why),
    }
}

#[derive(Debug)]
struct AcceptingVerifier {
    provider: Arc<CryptoProvider>,
    /// Told when an OCSP response comes.
    stapled: Option<Arc<AtomicBool>>,
}

impl ServerCertVerifier for AcceptingVerifier {
    fn verify_server_cert(
        &self,
        _leaf: &CertificateDer<'_>,
        _rest: &[CertificateDer<'_>],
        _host: &ServerName<'_>,
        ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(stapled) = self.stapled.as_ref().filter(|_| !ocsp.is_empty()) {
            stapled.store(true, Ordering::Relaxed);
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, leaf, signature, algorithms).or_else(|why| unless_short(leaf, why))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, leaf, signature, algorithms).or_else(|why| unless_short(leaf, why))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
