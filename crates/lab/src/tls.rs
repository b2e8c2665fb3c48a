//! The lab's certificate authority, new in every world, and the leaf certificates that it signs.
//!
//! The shape is that of section 4 of the hand-written report: a leaf under an intermediate WE1 under a root GTS Root R4,
//! and the root once more, cross-signed by an older root. The auditor is given the self-signed GTS Root R4 alone, so that
//! a path that ends at its own anchor must be found although a certificate more is sent.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384,
};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::Arc;
use time::{Duration, OffsetDateTime};

use crate::error::LabError;
use crate::world::{Certificate, Chain};

/// The authority of one world.
pub(crate) struct Authority {
    intermediate: Issuer<'static, KeyPair>,
    intermediate_der: CertificateDer<'static>,
    cross_signed_der: CertificateDer<'static>,
    anchor_pem: String,
}

/// A leaf with what is sent of its chain, and its key.
pub(crate) struct Identity {
    /// As sent: the leaf first.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    key: PrivatePkcs8KeyDer<'static>,
}

impl Authority {
    /// A new authority with new keys.
    pub(crate) fn new() -> Result<Self, LabError> {
        let made = || -> Result<Self, rcgen::Error> {
            // The older root's real key is RSA; P-384 is made in a moment, and nobody verifies with it.
            let old_key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)?;
            let root_key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)?;
            let intermediate_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
            let old = authority(&[
                (DnType::CountryName, "BE"),
                (DnType::OrganizationName, "GlobalSign nv-sa"),
                (DnType::OrganizationalUnitName, "Root CA"),
                (DnType::CommonName, "GlobalSign Root CA"),
            ]);
            let root = authority(&[
                (DnType::CountryName, "US"),
                (DnType::OrganizationName, "Google Trust Services LLC"),
                (DnType::CommonName, "GTS Root R4"),
            ]);
            let mut intermediate = authority(&[
                (DnType::CountryName, "US"),
                (DnType::OrganizationName, "Google Trust Services"),
                (DnType::CommonName, "WE1"),
            ]);
            intermediate.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            intermediate.extended_key_usages =
                vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
            let anchor_pem = root.self_signed(&root_key)?.pem();
            let old = Issuer::new(old, old_key);
            let cross_signed = root.signed_by(&root_key, &old)?;
            let root = Issuer::new(root, root_key);
            let intermediate_der = intermediate.signed_by(&intermediate_key, &root)?.der().clone();
            Ok(Self {
                intermediate: Issuer::new(intermediate, intermediate_key),
                intermediate_der,
                cross_signed_der: cross_signed.der().clone(),
                anchor_pem,
            })
        };
        made()
            .map_err(|e| LabError::Certificate { name: "the lab's authority".into(), problem: e.to_string() })
    }

    /// The trust anchor as PEM: what the auditor is given.
    pub(crate) fn anchor_pem(&self) -> &str {
        &self.anchor_pem
    }

    /// Signs a leaf.
    pub(crate) fn issue(&self, spec: &Certificate) -> Result<Identity, LabError> {
        let made = || -> Result<Identity, rcgen::Error> {
            let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
            let mut leaf = CertificateParams::new(spec.names.clone())?;
            leaf.distinguished_name = distinguished(&[(DnType::CommonName, &spec.common_name)]);
            // An hour on top, so that the count of whole days left does not change while an audit runs.
            let now = OffsetDateTime::now_utc() + Duration::hours(1);
            leaf.not_before = now - Duration::days(i64::from(spec.age_days));
            leaf.not_after = now + Duration::days(i64::from(spec.left_days));
            leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            leaf.use_authority_key_identifier_extension = true;
            let leaf = leaf.signed_by(&key, &self.intermediate)?.der().clone();
            let chain = match spec.chain {
                Chain::CrossSigned => {
                    vec![leaf, self.intermediate_der.clone(), self.cross_signed_der.clone()]
                }
                Chain::WithIntermediate => vec![leaf, self.intermediate_der.clone()],
                Chain::LeafOnly => vec![leaf],
            };
            Ok(Identity { chain, key: PrivatePkcs8KeyDer::from(key.serialize_der()) })
        };
        made().map_err(|e| LabError::Certificate { name: spec.common_name.clone(), problem: e.to_string() })
    }
}

impl Identity {
    /// A TLS server that offers these ALPN protocols.
    pub(crate) fn server(&self, alpn: &[&[u8]]) -> Result<Arc<ServerConfig>, LabError> {
        let made = || -> Result<ServerConfig, rustls::Error> {
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let mut config = ServerConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()?
                .with_no_client_auth()
                .with_single_cert(self.chain.clone(), PrivateKeyDer::Pkcs8(self.key.clone_key()))?;
            config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
            Ok(config)
        };
        made()
            .map(Arc::new)
            .map_err(|e| LabError::Certificate { name: "a listener".into(), problem: e.to_string() })
    }

    /// A QUIC server for HTTP/3.
    pub(crate) fn quic_server(&self) -> Result<quinn::ServerConfig, LabError> {
        let fail = |problem: String| LabError::Certificate { name: "the HTTP/3 listener".into(), problem };
        let crypto = quinn::crypto::rustls::QuicServerConfig::try_from(self.server(&[b"h3"])?)
            .map_err(|e| fail(e.to_string()))?;
        Ok(quinn::ServerConfig::with_crypto(Arc::new(crypto)))
    }
}

fn authority(subject: &[(DnType, &str)]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = distinguished(subject);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages =
        vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    let now = OffsetDateTime::now_utc();
    params.not_before = now - Duration::days(2 * 365);
    params.not_after = now + Duration::days(3 * 365);
    params
}

fn distinguished(parts: &[(DnType, &str)]) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    for (kind, value) in parts {
        name.push(kind.clone(), *value);
    }
    name
}
