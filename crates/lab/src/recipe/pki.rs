//! The authorities of a recipe's world and the leaves that they sign: right ones, and wrong ones in every usual way.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256,
    RsaKeySize,
};
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use time::{Duration, OffsetDateTime};

use super::format::{Anchor, CertificateSpec, KeyKind, Sent, Usage};
use crate::error::LabError;
use crate::project;

/// Every certificate of a world, on disk.
pub(super) struct Pki {
    /// Chain, key, and both in one file, by name.
    pub(super) files: BTreeMap<String, [PathBuf; 3]>,
    /// The trust anchors of the audit.
    pub(super) anchors: PathBuf,
}

/// A root with its intermediate.
struct Authority {
    root_pem: String,
    root: Issuer<'static, KeyPair>,
    intermediate: Issuer<'static, KeyPair>,
    intermediate_pem: String,
}

impl Authority {
    /// `known` has the names that one sees most often on the internet; another has its own.
    fn new(name: Option<&str>) -> Result<Self, rcgen::Error> {
        let (root_name, own_name, organisation) = match name {
            None => ("ISRG Root X1".to_owned(), "E7".to_owned(), "Let's Encrypt".to_owned()),
            Some(name) => (format!("{name} Root"), name.to_owned(), name.to_owned()),
        };
        let root_params = authority(&root_name, &organisation, 900);
        let root_key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)?;
        let root_pem = root_params.self_signed(&root_key)?.pem();
        let root = Issuer::new(root_params, root_key);
        let (intermediate, intermediate_pem) = intermediate(&root, &own_name, &organisation, 600)?;
        Ok(Self { root_pem, root, intermediate, intermediate_pem })
    }
}

fn intermediate(
    root: &Issuer<'static, KeyPair>,
    name: &str,
    organisation: &str,
    days: i32,
) -> Result<(Issuer<'static, KeyPair>, String), rcgen::Error> {
    let mut params = authority(name, organisation, days);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let pem = params.signed_by(&key, root)?.pem();
    Ok((Issuer::new(params, key), pem))
}

fn authority(name: &str, organisation: &str, days: i32) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut subject = DistinguishedName::new();
    subject.push(DnType::OrganizationName, organisation);
    subject.push(DnType::CommonName, name);
    params.distinguished_name = subject;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages =
        vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    let now = OffsetDateTime::now_utc();
    params.not_before = now - Duration::days(2 * 365);
    params.not_after = now + Duration::days(days.into());
    params
}

/// Makes every certificate below `folder`, and the file of trust anchors.
pub(super) fn make(specs: &[CertificateSpec], trust: &[Anchor], folder: &Path) -> Result<Pki, LabError> {
    let fail = |name: &str| {
        let name = name.to_owned();
        move |e: rcgen::Error| LabError::Certificate { name, problem: e.to_string() }
    };
    let lab = Authority::new(None).map_err(fail("the lab's authority"))?;
    let mut others: BTreeMap<String, Authority> = BTreeMap::new();
    let mut files = BTreeMap::new();
    for spec in specs {
        let name = spec.issuer.as_deref().unwrap_or("Internal Services CA");
        if spec.sent == Sent::OtherCa && !others.contains_key(name) {
            others.insert(name.to_owned(), Authority::new(Some(name)).map_err(fail(name))?);
        }
        let by = if spec.sent == Sent::OtherCa { &others[name] } else { &lab };
        let (chain, key) = issue(spec, by).map_err(fail(&spec.name))?;
        let at = |end: &str| folder.join(format!("{}.{end}.pem", spec.name));
        let [chain_file, key_file, both] = [at("chain"), at("key"), at("both")];
        project::write(&chain_file, chain.as_bytes())?;
        project::write(&key_file, key.as_bytes())?;
        project::write(&both, format!("{chain}{key}").as_bytes())?;
        files.insert(spec.name.clone(), [chain_file, key_file, both]);
    }
    let mut trusted = String::new();
    if trust.contains(&Anchor::Lab) {
        trusted.push_str(&lab.root_pem);
    }
    if trust.contains(&Anchor::Other) {
        trusted.extend(others.values().map(|a| a.root_pem.as_str()));
    }
    // A file without any certificate would be refused as a mistake, and it would be one; whoever trusts nobody gets a root
    // that signed nothing.
    if trusted.is_empty() {
        trusted = Authority::new(Some("Unrelated CA")).map_err(fail("an unrelated authority"))?.root_pem;
    }
    let anchors = folder.join("anchors.pem");
    project::write(&anchors, trusted.as_bytes())?;
    Ok(Pki { files, anchors })
}

/// Chain and key, as PEM.
fn issue(spec: &CertificateSpec, by: &Authority) -> Result<(String, String), rcgen::Error> {
    let key = match spec.key {
        KeyKind::P256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?,
        KeyKind::P384 => KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)?,
        KeyKind::Ed25519 => KeyPair::generate_for(&PKCS_ED25519)?,
        KeyKind::Rsa2048 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?,
    };
    let mut leaf = CertificateParams::new(spec.hosts.clone())?;
    let mut subject = DistinguishedName::new();
    let common = spec.common_name.as_ref().or(spec.hosts.first());
    subject.push(DnType::CommonName, common.map_or("", String::as_str));
    leaf.distinguished_name = subject;
    // An hour on top, so that the count of whole days does not change while an audit runs.
    let now = OffsetDateTime::now_utc() + Duration::hours(1);
    leaf.not_after = now + Duration::days(spec.days.into());
    leaf.not_before = match spec.begins {
        Some(days) => now + Duration::days(days.into()),
        None => (leaf.not_after - Duration::days(90)).min(now - Duration::days(1)),
    };
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![match spec.usage {
        Usage::Server => ExtendedKeyUsagePurpose::ServerAuth,
        Usage::Client => ExtendedKeyUsagePurpose::ClientAuth,
    }];
    leaf.use_authority_key_identifier_extension = true;
    let own = match spec.intermediate_days {
        Some(days) => Some(intermediate(&by.root, "E6", "Let's Encrypt", days)?),
        None => None,
    };
    let (issuer, issuer_pem) = match &own {
        Some((issuer, pem)) => (issuer, pem),
        None => (&by.intermediate, &by.intermediate_pem),
    };
    let chain = match spec.sent {
        Sent::SelfSigned => {
            leaf.use_authority_key_identifier_extension = false;
            leaf.self_signed(&key)?.pem()
        }
        Sent::Leaf => leaf.signed_by(&key, issuer)?.pem(),
        Sent::Chain | Sent::OtherCa => format!("{}{issuer_pem}", leaf.signed_by(&key, issuer)?.pem()),
        Sent::Reversed => format!("{issuer_pem}{}", leaf.signed_by(&key, issuer)?.pem()),
    };
    Ok((chain, key.serialize_pem()))
}

/// A TLS server for an actor, with HTTP/1.1 alone.
pub(super) fn server(name: &str, files: &[PathBuf; 3]) -> Result<Arc<ServerConfig>, LabError> {
    let fail = |problem: String| LabError::Certificate { name: name.to_owned(), problem };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files[0])
        .and_then(Iterator::collect)
        .map_err(|e| fail(e.to_string()))?;
    let key = PrivateKeyDer::from_pem_file(&files[1]).map_err(|e| fail(e.to_string()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let made = || -> Result<ServerConfig, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    };
    made().map(Arc::new).map_err(|e| fail(e.to_string()))
}
