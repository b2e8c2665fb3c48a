//! The root stores that chains are judged against, and the cryptography that judges them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, TrustAnchor, pem::PemObject};
use rustls::{ClientConfig, NamedGroup};

use super::session::Judged;
use super::verifier::{Offer, client};

/// The version of the bundled store; a test holds it against the lock file.
const BUNDLED_VERSION: &str = "1.0.10";

/// The whole of Mozilla's store is about 200 KiB of PEM; a file past this bound is not a root store.
const CA_FILE_BYTE: u64 = 8 * 1024 * 1024;

/// The root stores of an audit: Mozilla's as bundled, the system's, and one for each `--ca-file`.
pub struct Roots {
    provider: Arc<CryptoProvider>,
    bundled: Store,
    system: OnceLock<Option<Store>>,
    given: Vec<Store>,
    /// What connections over TCP share, made when first needed.
    http: OnceLock<Arc<ClientConfig>>,
    http1: OnceLock<Arc<ClientConfig>>,
    /// Chains that were judged before.
    pub(super) judged: Mutex<HashMap<[u8; 32], Arc<Judged>>>,
}

/// One root store.
pub(crate) struct Store {
    /// Its name with its version, as [`TrustPath::store`](landfall_evidence::TrustPath::store) shows it.
    pub(crate) name: String,
    /// Its trust anchors.
    pub(crate) anchors: Cow<'static, [TrustAnchor<'static>]>,
}

/// A `--ca-file` that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// The file cannot be read.
    #[error("--ca-file {}: cannot read it: {source}; give the path of a PEM file that this user may read", path.display())]
    Read {
        /// The path as given.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file is too large to be a root store.
    #[error("--ca-file {}: it is larger than {} MiB; give a PEM file that holds root certificates only", path.display(), CA_FILE_BYTE / (1024 * 1024))]
    TooLarge {
        /// The path as given.
        path: PathBuf,
    },
    /// There is no certificate in PEM form in it.
    #[error(
        "--ca-file {}: no \"BEGIN CERTIFICATE\" block in it; give a PEM file \
         (a DER file is converted with: openssl x509 -inform der -in FILE -out FILE.pem)",
        path.display()
    )]
    NoCertificate {
        /// The path as given.
        path: PathBuf,
    },
    /// A block in it is damaged or is not a certificate.
    #[error("--ca-file {}: certificate {position} cannot be used: {problem}; export it again from its authority", path.display())]
    Damaged {
        /// The path as given.
        path: PathBuf,
        /// Which block, from 1.
        position: usize,
        /// What is wrong with it.
        problem: String,
    },
}

impl Roots {
    /// Reads the given files. The system's store is read when it is first needed, because an audit that never makes a TLS
    /// handshake should not pay for it.
    ///
    /// # Errors
    /// When a file cannot be read, is too large, holds no certificate, or holds a damaged one.
    pub fn load(ca_files: &[PathBuf]) -> Result<Self, RootsError> {
        Ok(Self {
            provider: Arc::new(aws_lc_rs::default_provider()),
            bundled: Store {
                name: format!("webpki-roots {BUNDLED_VERSION}"),
                anchors: Cow::Borrowed(webpki_roots::TLS_SERVER_ROOTS),
            },
            system: OnceLock::new(),
            given: ca_files.iter().map(|path| Store::from_file(path)).collect::<Result<_, _>>()?,
            http: OnceLock::new(),
            http1: OnceLock::new(),
            judged: Mutex::default(),
        })
    }

    /// Handshakes that lead with X25519 and offer the post-quantum hybrid last. A check is made thousands of times a minute,
    /// and a hybrid key share costs each of them about as much as the rest of its key exchange; which group a server
    /// prefers is a question for the audit, whose handshakes lead with the hybrid.
    #[must_use]
    pub fn classical_first(mut self) -> Self {
        let mut provider = (*self.provider).clone();
        // A stable sort: everything else stays in the provider's order.
        provider.kx_groups.sort_by_key(|group| group.name() == NamedGroup::X25519MLKEM768);
        self.provider = Arc::new(provider);
        self
    }

    /// All stores: bundled, system (absent when it has no roots), given files in order. Reads the system's store on the
    /// first call, so call it where blocking for some milliseconds is allowed.
    pub(crate) fn stores(&self) -> impl Iterator<Item = &Store> {
        let system = self.system.get_or_init(Store::of_system).as_ref();
        std::iter::once(&self.bundled).chain(system).chain(&self.given)
    }

    /// The configuration that all connections with this offer share.
    pub(crate) fn config(&self, offer: Offer) -> Arc<ClientConfig> {
        let place = match offer {
            Offer::Http => &self.http,
            Offer::Http1 => &self.http1,
        };
        Arc::clone(place.get_or_init(|| client(&self.provider, offer)))
    }

    /// Does now what the first handshake would have to wait for: reads the system's store, and lets the library gather the
    /// entropy that it begins with. It takes that from the timing of the processor as well, which costs some 50 ms once.
    pub fn warm(&self) {
        // Whoever needs random numbers later learns of a source that fails.
        let _ = self.provider.secure_random.fill(&mut [0; 16]);
        self.stores().for_each(drop);
    }

    /// The cryptography of every handshake and every signature check.
    pub(crate) fn provider(&self) -> &Arc<CryptoProvider> {
        &self.provider
    }
}

impl Store {
    fn of_system() -> Option<Self> {
        // Errors of single files are no matter here: what could be read is what programs on this machine trust.
        let found = rustls_native_certs::load_native_certs().certs;
        let anchors: Vec<_> = found.iter().filter_map(|der| anchor(der).ok()).collect();
        (!anchors.is_empty())
            .then(|| Self { name: format!("system ({} roots)", anchors.len()), anchors: anchors.into() })
    }

    fn from_file(path: &Path) -> Result<Self, RootsError> {
        let read = |source| RootsError::Read { path: path.to_owned(), source };
        let mut pem = Vec::new();
        File::open(path).map_err(read)?.take(CA_FILE_BYTE + 1).read_to_end(&mut pem).map_err(read)?;
        if u64::try_from(pem.len()).unwrap_or(u64::MAX) > CA_FILE_BYTE {
            return Err(RootsError::TooLarge { path: path.to_owned() });
        }
        let mut anchors = Vec::new();
        for (i, block) in CertificateDer::pem_slice_iter(&pem).enumerate() {
            let damaged =
                |problem: String| RootsError::Damaged { path: path.to_owned(), position: i + 1, problem };
            let der = block.map_err(|e| damaged(e.to_string()))?;
            anchors.push(anchor(&der).map_err(|e| damaged(format!("it is not a certificate ({e})")))?);
        }
        if anchors.is_empty() {
            return Err(RootsError::NoCertificate { path: path.to_owned() });
        }
        let file = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        Ok(Self { name: format!("--ca-file {file}"), anchors: anchors.into() })
    }
}

fn anchor(der: &CertificateDer<'_>) -> Result<TrustAnchor<'static>, webpki::Error> {
    webpki::anchor_from_trusted_cert(der).map(|anchor| anchor.to_owned())
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = std::iter::once(&self.bundled)
            .chain(self.system.get().and_then(Option::as_ref))
            .chain(&self.given);
        f.debug_list().entries(known.map(|store| &store.name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundled_version_is_the_one_in_the_lock_file() {
        let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock"))
            .expect("lock file");
        let entry = format!("name = \"webpki-roots\"\nversion = \"{BUNDLED_VERSION}\"");
        assert!(lock.contains(&entry), "BUNDLED_VERSION is not the version in Cargo.lock");
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named_with_the_mend() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let write = |name: &str, text: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("writable");
            path
        };
        let cases = [
            (folder.path().join("absent.pem"), "cannot read it"),
            (write("root.der", &[0x30, 0x82, 1, 2]), "openssl x509 -inform der"),
            (write("empty.pem", b""), "no \"BEGIN CERTIFICATE\" block"),
            (
                write("damaged.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
                "certificate 1 cannot be used: it is not a certificate",
            ),
            (write("cut.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n"), "certificate 1 cannot be used"),
        ];
        for (path, says) in cases {
            let error = Roots::load(std::slice::from_ref(&path)).expect_err(says).to_string();
            assert!(error.contains(says), "{error}");
            assert!(error.contains(&*path.to_string_lossy()), "{error}");
        }
    }

    #[test]
    fn stores_carry_their_names() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("lab-root.pem");
        let key = rcgen::KeyPair::generate().expect("key");
        let mut root = rcgen::CertificateParams::default();
        root.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        std::fs::write(&path, root.self_signed(&key).expect("signed").pem()).expect("writable");
        let roots = Roots::load(&[path]).expect("a good file");
        let names: Vec<_> = roots.stores().map(|s| s.name.as_str()).collect();
        assert_eq!(names.first(), Some(&&*format!("webpki-roots {BUNDLED_VERSION}")));
        assert_eq!(names.last(), Some(&"--ca-file lab-root.pem"));
    }
}
