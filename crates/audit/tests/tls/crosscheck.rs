//! What we say of a server against what sslscan and testssl.sh say of the same one. A disagreement fails, unless it stands
//! in [`KNOWN`] with its reason.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use landfall_evidence::{SuiteClass, TlsVersion};
use serde_json::Value;

use super::authority::{Authority, HOST, Leaf};
use super::look::{Look, look};
use super::servers;

/// Disagreements that are right: the tool, what it speaks of, and why.
const KNOWN: &[(&str, &str, &str)] = &[
    (
        "testssl.sh",
        "cert_chain_of_trust",
        "testssl.sh trusts its own stores; ours is told to trust the test's root as well, and it says \"failed\" of every private authority",
    ),
    (
        "sslscan",
        "renegotiation",
        "sslscan asks whether a renegotiation that it begins goes through, which nginx refuses; we say whether the server knows RFC 5746",
    ),
];

fn run(program: &str, package: &str, words: &[&str]) -> String {
    let output = Command::new(program)
        .args(words)
        // Dates are compared as text.
        .env("TZ", "UTC")
        .output()
        .unwrap_or_else(|e| panic!("{program}: {e}; apt-get install {package}, or run ./test once"));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The value of an attribute of a line of XML.
fn attribute<'a>(line: &'a str, name: &str) -> &'a str {
    let start = line.find(&format!(" {name}=\"")).map(|at| at + name.len() + 3).unwrap_or_default();
    line[start..].split('"').next().unwrap_or_default()
}

/// The text of an element on one line, without its CDATA.
fn element(xml: &str, name: &str) -> String {
    let line = xml.lines().find(|line| line.contains(&format!("<{name}>"))).unwrap_or_default();
    let inner = line.split(&format!("<{name}>")).nth(1).unwrap_or_default();
    let inner = inner.split(&format!("</{name}>")).next().unwrap_or_default();
    inner.trim_start_matches("<![CDATA[").trim_end_matches("]]>").to_owned()
}

/// The classes of a suite, by OpenSSL's name for it: found in another way than ours, which go by IANA's.
fn classes_by_openssl(name: &str) -> Vec<SuiteClass> {
    let has = |part: &str| name.contains(part);
    let anonymous = name.starts_with("ADH-") || name.starts_with("AECDH-");
    let null = has("NULL");
    let aead = has("GCM") || has("CCM") || has("CHACHA20");
    let mut classes = Vec::new();
    let mut add = |class, is: bool| {
        if is {
            classes.push(class);
        }
    };
    add(SuiteClass::Anonymous, anonymous);
    add(SuiteClass::Null, null);
    add(SuiteClass::Export, name.starts_with("EXP-"));
    add(SuiteClass::Rc4, has("RC4"));
    add(SuiteClass::TripleDes, has("DES-CBC3"));
    add(SuiteClass::StaticRsa, !anonymous && !name.starts_with("ECDHE-") && !name.starts_with("DHE-"));
    add(SuiteClass::Dhe, name.starts_with("DHE-"));
    add(SuiteClass::Cbc, !aead && !null && !has("RC4"));
    classes
}

struct Sslscan {
    versions: BTreeSet<TlsVersion>,
    classes: BTreeSet<SuiteClass>,
    smallest_dh: Option<u32>,
    xml: String,
}

fn sslscan(server: SocketAddr) -> Sslscan {
    let to = server.to_string();
    let sni = format!("--sni-name={HOST}");
    let xml = run("sslscan", "sslscan", &["--xml=-", "--no-colour", "--no-heartbleed", &sni, &to]);
    assert!(xml.contains("</ssltest>"), "sslscan did not finish:\n{xml}");
    let mut seen =
        Sslscan { versions: BTreeSet::new(), classes: BTreeSet::new(), smallest_dh: None, xml: xml.clone() };
    for line in xml.lines().map(str::trim) {
        if line.starts_with("<protocol ") && attribute(line, "enabled") == "1" {
            let version = match (attribute(line, "type"), attribute(line, "version")) {
                ("ssl", "3") => TlsVersion::Ssl3,
                ("tls", "1.0") => TlsVersion::Tls10,
                ("tls", "1.1") => TlsVersion::Tls11,
                ("tls", "1.2") => TlsVersion::Tls12,
                ("tls", "1.3") => TlsVersion::Tls13,
                other => panic!("sslscan speaks of {other:?}"),
            };
            seen.versions.insert(version);
        }
        if line.starts_with("<cipher ") && attribute(line, "sslversion") != "TLSv1.3" {
            seen.classes.extend(classes_by_openssl(attribute(line, "cipher")));
            if let Ok(bits) = attribute(line, "dhebits").parse::<u32>() {
                seen.smallest_dh = Some(seen.smallest_dh.map_or(bits, |so_far| so_far.min(bits)));
            }
        }
    }
    seen
}

/// testssl.sh, restricted to these sections; its findings by id.
fn testssl(folder: &Path, server: SocketAddr, sections: &[&str]) -> BTreeMap<String, (String, String)> {
    let file = folder.join(format!("testssl-{}.json", sections.join("")));
    let target = format!("{HOST}:{}", server.port());
    let json = file.display().to_string();
    let ip = server.ip().to_string();
    let mut words =
        vec!["--quiet", "--color", "0", "--warnings", "off", "-n", "none", "--ip", &ip, "--jsonfile", &json];
    words.extend_from_slice(sections);
    words.push(&target);
    let said = run("testssl", "testssl.sh", &words);
    let text =
        std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("no JSON of testssl.sh: {e}\n{said}"));
    let found: Vec<Value> = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}:\n{text}"));
    let word = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    found.iter().map(|f| (word(f, "id"), (word(f, "severity"), word(f, "finding")))).collect()
}

/// Collects what the two sides say, and fails with all that differs.
struct Held {
    tool: &'static str,
    differ: Vec<String>,
}

impl Held {
    fn against(tool: &'static str) -> Self {
        Self { tool, differ: Vec::new() }
    }

    fn compare(&mut self, what: &str, ours: impl std::fmt::Debug, theirs: impl std::fmt::Debug) {
        let (ours, theirs) = (format!("{ours:?}"), format!("{theirs:?}"));
        let excused = KNOWN.iter().any(|(tool, id, _)| *tool == self.tool && *id == what);
        if ours != theirs && !excused {
            self.differ.push(format!("{what}: we say {ours}, {} says {theirs}", self.tool));
        }
    }

    fn end(self, look: &Look) {
        assert!(self.differ.is_empty(), "{}\n{look}", self.differ.join("\n"));
    }
}

fn hold_against_sslscan(look: &Look, server: SocketAddr) {
    let theirs = sslscan(server);
    let mut held = Held::against("sslscan");
    held.compare("versions", look.versions().into_iter().collect::<BTreeSet<_>>(), &theirs.versions);
    held.compare("classes", look.classes().into_iter().collect::<BTreeSet<_>>(), &theirs.classes);
    held.compare("dhebits", look.survey().dh_bit, theirs.smallest_dh);
    let renegotiation = theirs.xml.lines().find(|line| line.contains("<renegotiation")).unwrap_or_default();
    let secure = look.survey().server_hello.as_ref().map(|shown| shown.secure_renegotiation);
    held.compare("renegotiation", secure, Some(attribute(renegotiation, "secure") == "1"));
    if let Some(leaf) = look.handshake().present().and_then(|h| h.chain.first()) {
        held.compare("subject", leaf.subject_cn.as_deref(), Some(element(&theirs.xml, "subject").as_str()));
        let names: Vec<String> = leaf.san.iter().map(|name| format!("DNS:{name}")).collect();
        held.compare("altnames", names.join(", "), element(&theirs.xml, "altnames"));
        held.compare("signature", &leaf.signature, element(&theirs.xml, "signature-algorithm"));
        let key = theirs.xml.lines().find(|line| line.contains("<pk ")).unwrap_or_default();
        if leaf.key.algorithm == "RSA" {
            held.compare("key", leaf.key.size_bit, attribute(key, "bits").parse::<u32>().ok());
        }
        held.compare("self-signed", leaf.self_issued.to_string(), element(&theirs.xml, "self-signed"));
        let expired = leaf.not_after < look.evidence.started_at;
        held.compare("expired", expired.to_string(), element(&theirs.xml, "expired"));
    }
    held.end(look);
}

/// A server of ten years ago, as far as Debian's OpenSSL can play it.
const YESTERDAY: &str =
    "ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; ssl_ciphers ALL:aNULL:eNULL:@SECLEVEL=0;";

fn with_dh(authority: &Authority) -> String {
    let output = Command::new("openssl")
        .args(["dhparam", "-dsaparam", "-out", "dh.pem", "1024"])
        .current_dir(authority.folder())
        .output()
        .expect("openssl");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    format!("{YESTERDAY} ssl_dhparam {};", authority.path("dh.pem").display())
}

#[test]
fn sslscan_agrees_about_a_server_of_today() {
    let authority = Authority::new();
    let server = servers::good(&authority, &authority.sign("leaf", &Leaf::default()));
    hold_against_sslscan(&look(&authority, server.address), server.address);
}

#[test]
fn sslscan_agrees_about_a_server_of_yesterday() {
    let authority = Authority::new();
    let leaf = authority.sign("leaf", &Leaf { key: "rsa:2048", days: (-90, -1), ..Leaf::default() });
    let chain = authority.joined("chain.pem", &[&leaf.leaf, &authority.path("intermediate.pem")]);
    let server = servers::nginx(&authority, &chain, &leaf.key, &with_dh(&authority));
    hold_against_sslscan(&look(&authority, server.address), server.address);
}

#[test]
fn sslscan_agrees_about_tls_1_2_alone_with_static_rsa() {
    let authority = Authority::new();
    let leaf = authority.sign("leaf", &Leaf { key: "rsa:3072", ..Leaf::default() });
    let both = authority.joined("both.pem", &[&leaf.leaf, &authority.path("intermediate.pem"), &leaf.key]);
    let words =
        "ssl-min-ver TLSv1.2 ssl-max-ver TLSv1.2 ciphers AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256";
    let server = servers::haproxy(&authority, &both, words);
    hold_against_sslscan(&look(&authority, server.address), server.address);
}

/// Protocols and cipher categories.
fn hold_protocols_against_testssl(authority: &Authority, look: &Look, server: SocketAddr) {
    let theirs = testssl(authority.folder(), server, &["-p", "-s"]);
    let mut held = Held::against("testssl.sh");
    let offered = |id: &str| theirs.get(id).map(|(_, finding)| finding.starts_with("offered"));
    for (version, id) in [
        (TlsVersion::Ssl3, "SSLv3"),
        (TlsVersion::Tls10, "TLS1"),
        (TlsVersion::Tls11, "TLS1_1"),
        (TlsVersion::Tls12, "TLS1_2"),
        (TlsVersion::Tls13, "TLS1_3"),
    ] {
        held.compare(id, Some(look.version(version).is_offered()), offered(id));
    }
    for (classes, id) in [
        (&[SuiteClass::Null][..], "cipherlist_NULL"),
        (&[SuiteClass::Anonymous], "cipherlist_aNULL"),
        (&[SuiteClass::Export], "cipherlist_EXPORT"),
        (&[SuiteClass::TripleDes], "cipherlist_3DES_IDEA"),
        (&[SuiteClass::Cbc], "cipherlist_AVERAGE"),
    ] {
        let ours = classes.iter().any(|class| look.class(*class).is_offered());
        held.compare(id, Some(ours), offered(id));
    }
    held.end(look);
}

/// The certificate and what goes with it.
fn hold_certificate_against_testssl(authority: &Authority, look: &Look, server: SocketAddr) {
    let theirs = testssl(authority.folder(), server, &["-S"]);
    let mut held = Held::against("testssl.sh");
    let finding = |id: &str| theirs.get(id).map(|(_, finding)| finding.clone()).unwrap_or_default();
    let handshake = look.handshake().present().expect("a handshake");
    let leaf = handshake.chain.first().expect("a leaf");
    held.compare("cert_fingerprintSHA256", leaf.sha256.to_uppercase(), finding("cert_fingerprintSHA256"));
    held.compare("cert_commonName", leaf.subject_cn.clone().unwrap_or_default(), finding("cert_commonName"));
    held.compare("cert_subjectAltName", leaf.san.join(" "), finding("cert_subjectAltName"));
    let size = leaf.key.size_bit.unwrap_or_default().to_string();
    held.compare("cert_keySize", true, finding("cert_keySize").contains(&size));
    let day = |at: jiff::Timestamp| at.strftime("%Y-%m-%d %H:%M").to_string();
    held.compare("cert_notBefore", day(leaf.not_before), finding("cert_notBefore"));
    held.compare("cert_notAfter", day(leaf.not_after), finding("cert_notAfter"));
    held.compare(
        "certs_countServer",
        handshake.chain_count.map(|n| n.to_string()).unwrap_or_default(),
        finding("certs_countServer"),
    );
    let disorder = look.codes().contains(&"LF-TLS-008");
    held.compare("certs_list_ordering_problem", disorder, finding("certs_list_ordering_problem") == "yes");
    let expired = look.codes().contains(&"LF-TLS-001");
    held.compare("cert_expirationStatus", expired, finding("cert_expirationStatus") == "expired");
    let stapled = look.survey().server_hello.as_ref().is_some_and(|shown| shown.stapled);
    held.compare("OCSP_stapling", stapled, finding("OCSP_stapling").starts_with("offered"));
    let must = leaf.more.as_ref().is_some_and(|more| more.must_staple);
    held.compare("cert_mustStapleExtension", must, finding("cert_mustStapleExtension") != "--");
    held.compare("cert_trust", handshake.name_matches, finding("cert_trust").starts_with("Ok"));
    let trusted =
        handshake.trust.iter().any(|t| matches!(t.result, landfall_evidence::TrustResult::Trusted { .. }));
    held.compare("cert_chain_of_trust", trusted, !finding("cert_chain_of_trust").starts_with("failed"));
    held.end(look);
}

#[test]
fn testssl_agrees_about_the_protocols_of_a_server_of_today() {
    let authority = Authority::new();
    let server = servers::good(&authority, &authority.sign("leaf", &Leaf::default()));
    hold_protocols_against_testssl(&authority, &look(&authority, server.address), server.address);
}

#[test]
fn testssl_agrees_about_the_protocols_of_a_server_of_yesterday() {
    let authority = Authority::new();
    let leaf = authority.sign("leaf", &Leaf { key: "rsa:2048", ..Leaf::default() });
    let chain = authority.joined("chain.pem", &[&leaf.leaf, &authority.path("intermediate.pem")]);
    let server = servers::nginx(&authority, &chain, &leaf.key, YESTERDAY);
    hold_protocols_against_testssl(&authority, &look(&authority, server.address), server.address);
}

#[test]
fn testssl_agrees_about_a_good_certificate() {
    let authority = Authority::new();
    let server =
        servers::good(&authority, &authority.sign("leaf", &Leaf { key: "rsa:2048", ..Leaf::default() }));
    hold_certificate_against_testssl(&authority, &look(&authority, server.address), server.address);
}

#[test]
fn testssl_agrees_about_a_bad_certificate() {
    let authority = Authority::new();
    let bad = Leaf {
        key: "rsa:2048",
        names: vec!["www.example.test"],
        days: (-90, -2),
        extensions: "tlsfeature = status_request".into(),
        ..Leaf::default()
    };
    let leaf = authority.sign("leaf", &bad);
    let wrong = authority
        .joined("wrong.pem", &[&leaf.leaf, &authority.path("root.pem"), &authority.path("intermediate.pem")]);
    let server = servers::nginx(&authority, &wrong, &leaf.key, servers::INTERMEDIATE);
    hold_certificate_against_testssl(&authority, &look(&authority, server.address), server.address);
}
