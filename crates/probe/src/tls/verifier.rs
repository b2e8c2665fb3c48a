//! TLS configurations whose verifier writes the chain down and accepts it.
//!
//! An audit wants to see what a server with a bad chain would have said, so trust is not decided here: it is judged
//! afterwards, against each root store, on the recorded chain. The handshake signature is checked as always, because a
//! peer that cannot prove that it holds the leaf's key has shown us nothing.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, SignatureScheme, SupportedProtocolVersion, version,
};

use super::Roots;

/// More certificates than this in one chain are not kept: real chains have two to five.
pub(super) const CHAIN_LENGTH: usize = 16;

/// A configuration for one connection over TCP, TLS 1.2 or 1.3, and the recorder of the chain that it will be shown.
///
/// There is no resumption, so every handshake is a full one and shows its chain. `alpn` is in order of preference.
pub fn client(roots: &Roots, alpn: &[&[u8]]) -> (Arc<ClientConfig>, Recorder) {
    let (config, recorder) = build(roots, &[&version::TLS13, &version::TLS12], alpn);
    (Arc::new(config), recorder)
}

/// The same for QUIC, which knows TLS 1.3 only (RFC 9001, section 4.2).
pub fn quic_client(roots: &Roots, alpn: &[&[u8]]) -> (Arc<ClientConfig>, Recorder) {
    let (config, recorder) = build(roots, &[&version::TLS13], alpn);
    (Arc::new(config), recorder)
}

fn build(
    roots: &Roots,
    versions: &[&'static SupportedProtocolVersion],
    alpn: &[&[u8]],
) -> (ClientConfig, Recorder) {
    let recorder = Recorder::default();
    let provider = Arc::clone(roots.provider());
    let verifier = RecordingVerifier { provider: Arc::clone(&provider), recorder: recorder.clone() };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .expect("the provider has cipher suites and groups for TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    config.resumption = Resumption::disabled();
    (config, recorder)
}

/// Hands out the chain that a server presented.
#[derive(Debug, Clone, Default)]
pub struct Recorder(Arc<Mutex<Vec<CertificateDer<'static>>>>);

impl Recorder {
    /// The certificates as sent, leaf first if the server is right, at most 16; empty before the server has shown any.
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn record(&self, leaf: &CertificateDer<'_>, rest: &[CertificateDer<'_>]) {
        let chain = std::iter::once(leaf).chain(rest).take(CHAIN_LENGTH).map(|der| der.clone().into_owned());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = chain.collect();
    }
}

#[derive(Debug)]
struct RecordingVerifier {
    provider: Arc<CryptoProvider>,
    recorder: Recorder,
}

impl ServerCertVerifier for RecordingVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        _host: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.recorder.record(leaf, rest);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, leaf, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, leaf, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
