//! A private authority: a root that the audit is told to trust, an intermediate, and leaves that are right or wrong.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use time::{Duration, OffsetDateTime};

use super::process::write;

/// Root and intermediate, new in every test.
pub(crate) struct Authority {
    root_pem: String,
    intermediate: CertifiedIssuer<'static, KeyPair>,
}

/// What the server gets to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// Leaf and intermediate.
    Chain,
    /// The leaf alone.
    LeafOnly,
}

/// A certificate on disk.
pub(crate) struct Identity {
    /// PEM: the leaf first.
    pub(crate) chain: String,
    /// PEM.
    pub(crate) key: String,
    /// PEM: chain and key in one file, as HAProxy wants them.
    pub(crate) both: String,
    /// The same for a TLS server inside the test.
    pub(crate) der: Vec<CertificateDer<'static>>,
    pub(crate) key_der: PrivatePkcs8KeyDer<'static>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let (root_key, intermediate_key) = (key(), key());
        let root = authority("Landfall Test Root");
        let root_pem = root.self_signed(&root_key).expect("the root signs itself").pem();
        let root = Issuer::new(root, root_key);
        let intermediate = authority("Landfall Test Intermediate");
        let intermediate =
            CertifiedIssuer::signed_by(intermediate, intermediate_key, &root).expect("the root signs");
        Self { root_pem, intermediate }
    }

    /// Writes the root as PEM, for `--ca-file`.
    pub(crate) fn root_file(&self, folder: &Path) -> String {
        write(folder, "root.pem", &self.root_pem)
    }

    /// A leaf for `names`, whose validity began 90 days before it ends, `days_left` days from now (negative: it has ended).
    pub(crate) fn leaf(&self, folder: &Path, names: &[&str], days_left: i64, sent: Sent) -> Identity {
        let leaf_key = key();
        let mut leaf = CertificateParams::new(names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>())
            .expect("DNS names");
        leaf.distinguished_name.push(DnType::CommonName, names[0]);
        // An hour on top, so that the count of whole days does not change while the test runs.
        leaf.not_after = OffsetDateTime::now_utc() + Duration::days(days_left) + Duration::hours(1);
        leaf.not_before = leaf.not_after - Duration::days(90);
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.use_authority_key_identifier_extension = true;
        let leaf = leaf.signed_by(&leaf_key, &self.intermediate).expect("the intermediate signs");
        let mut der = vec![leaf.der().clone()];
        let mut chain = leaf.pem();
        if sent == Sent::Chain {
            der.push(self.intermediate.der().clone());
            chain.push_str(&self.intermediate.pem());
        }
        let key = leaf_key.serialize_pem();
        Identity {
            der,
            key_der: PrivatePkcs8KeyDer::from(leaf_key.serialize_der()),
            chain: write(folder, "chain.pem", &chain),
            both: write(folder, "both.pem", &format!("{chain}{key}")),
            key: write(folder, "key.pem", &key),
        }
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key is made")
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.distinguished_name.push(DnType::OrganizationName, "Landfall Tests");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages =
        vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    params.not_before = OffsetDateTime::now_utc() - Duration::days(400);
    params.not_after = OffsetDateTime::now_utc() + Duration::days(800);
    params
}
