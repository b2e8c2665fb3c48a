//! An authority kept by `openssl ca`, because it signs what no library signs any more: RSA of 1024 bits, SHA-1, any dates.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::write;

/// The host of all these tests.
pub(crate) const HOST: &str = "api.example.test";

/// Root and intermediate, new in every test, in a folder of their own.
pub(crate) struct Authority {
    folder: tempfile::TempDir,
}

/// A leaf that is to be signed.
pub(crate) struct Leaf {
    /// Names of the subject alternative name.
    pub(crate) names: Vec<&'static str>,
    /// `ec`, or `rsa:BITS`.
    pub(crate) key: &'static str,
    /// The hash of the signature.
    pub(crate) digest: &'static str,
    /// Days from today to the start of validity, and to its end.
    pub(crate) days: (i64, i64),
    /// Further lines of the extensions.
    pub(crate) extensions: String,
    /// Whether the root signs it and not the intermediate.
    pub(crate) by_root: bool,
}

impl Default for Leaf {
    fn default() -> Self {
        Self {
            names: vec![HOST],
            key: "ec",
            digest: "sha256",
            days: (-10, 80),
            extensions: String::new(),
            by_root: false,
        }
    }
}

/// A leaf on disk.
pub(crate) struct Identity {
    /// The leaf alone, PEM.
    pub(crate) leaf: PathBuf,
    /// Its key, PEM.
    pub(crate) key: PathBuf,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let authority = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        for (name, subject) in
            [("root", "Landfall Test Root"), ("intermediate", "Landfall Test Intermediate")]
        {
            authority.key("ec", &format!("{name}.key"));
            std::fs::create_dir(authority.path(name)).expect("a folder is made");
            write(&authority.path(name), "index.txt", "");
            write(&authority.path(name), "index.txt.attr", "unique_subject = no\n");
            write(&authority.path(name), "serial", "1001\n");
            write(&authority.path(name), "crlnumber", "01\n");
            write(authority.folder.path(), &format!("{name}.cnf"), &config(name));
            authority.openssl(&format!(
                "req -new -key {name}.key -subj /O=Landfall/CN={} -out {name}.csr",
                subject.replace(' ', "_")
            ));
        }
        let basic = "basicConstraints = critical,CA:TRUE\nkeyUsage = critical,keyCertSign,cRLSign\nsubjectKeyIdentifier = hash\n";
        write(authority.folder.path(), "ca.ext", basic);
        authority.openssl("x509 -req -in root.csr -signkey root.key -days 800 -extfile ca.ext -out root.pem");
        authority.openssl("x509 -req -in intermediate.csr -CA root.pem -CAkey root.key -set_serial 7 -days 400 -extfile ca.ext -out intermediate.pem");
        authority
    }

    /// A file of the authority.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn key(&self, kind: &str, file: &str) {
        match kind.strip_prefix("rsa:") {
            Some(bits) => {
                self.openssl(&format!("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:{bits} -out {file}"))
            }
            None => {
                self.openssl(&format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {file}"))
            }
        }
    }

    /// Signs a leaf; its files begin with `name`.
    pub(crate) fn sign(&self, name: &str, leaf: &Leaf) -> Identity {
        self.key(leaf.key, &format!("{name}.key"));
        let names: Vec<String> = leaf.names.iter().map(|n| format!("DNS:{n}")).collect();
        let mut extensions = format!(
            "basicConstraints = critical,CA:FALSE\nkeyUsage = critical,digitalSignature,keyEncipherment\n\
             extendedKeyUsage = serverAuth\nauthorityKeyIdentifier = keyid\n{}\n",
            leaf.extensions
        );
        if !names.is_empty() {
            let _ = writeln!(extensions, "subjectAltName = {}", names.join(","));
        }
        write(self.folder.path(), &format!("{name}.ext"), &extensions);
        self.openssl(&format!("req -new -key {name}.key -subj /CN={HOST} -out {name}.csr"));
        let by = if leaf.by_root { "root" } else { "intermediate" };
        let day = |days: i64| {
            let at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * days);
            at.strftime("%Y%m%d%H%M%SZ").to_string()
        };
        self.openssl(&format!(
            "ca -batch -notext -config {by}.cnf -md {} -startdate {} -enddate {} -extfile {name}.ext -in {name}.csr -out {name}.pem",
            leaf.digest,
            day(leaf.days.0),
            day(leaf.days.1)
        ));
        Identity { leaf: self.path(&format!("{name}.pem")), key: self.path(&format!("{name}.key")) }
    }

    /// The intermediate's list of the revoked, in DER.
    pub(crate) fn list(&self) -> Vec<u8> {
        self.openssl("ca -config intermediate.cnf -gencrl -crldays 7 -out list.pem");
        self.openssl("crl -in list.pem -outform der -out list.der");
        std::fs::read(self.path("list.der")).expect("the list is there")
    }

    pub(crate) fn revoke(&self, leaf: &Identity) {
        self.openssl(&format!("ca -config intermediate.cnf -revoke {}", leaf.leaf.display()));
    }

    /// The intermediate in DER, as authorities publish it.
    pub(crate) fn intermediate_der(&self) -> Vec<u8> {
        self.openssl("x509 -in intermediate.pem -outform der -out intermediate.der");
        std::fs::read(self.path("intermediate.der")).expect("the certificate is there")
    }

    /// Several PEM files as one; the key first where a server wants both in one file.
    pub(crate) fn joined(&self, name: &str, parts: &[&Path]) -> PathBuf {
        let text: String =
            parts.iter().map(|part| std::fs::read_to_string(part).expect("readable")).collect();
        PathBuf::from(write(self.folder.path(), name, &text))
    }

    fn openssl(&self, words: &str) {
        let output = Command::new("openssl")
            .args(words.split(' '))
            .current_dir(self.folder.path())
            .output()
            .expect("openssl is not installed; apt-get install openssl, or run ./test once");
        assert!(output.status.success(), "openssl {words}\n{}", String::from_utf8_lossy(&output.stderr));
    }
}

fn config(name: &str) -> String {
    format!(
        "[ca]\ndefault_ca = it\n[it]\ndatabase = {name}/index.txt\nserial = {name}/serial\ncrlnumber = {name}/crlnumber\n\
         new_certs_dir = {name}\ncertificate = {name}.pem\nprivate_key = {name}.key\ndefault_md = sha256\npolicy = any\n\
         default_crl_days = 7\n[any]\ncommonName = supplied\n"
    )
}
