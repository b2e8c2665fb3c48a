//! Certificates as sent, taken apart (RFC 5280). Bytes come from the peer: nothing here may trust them.

use jiff::Timestamp;
use landfall_evidence::{Certificate, CertificateDetails, PublicKey};
use sha2::{Digest, Sha256};
use x509_parser::extensions::{DistributionPointName, GeneralName, ParsedExtension};
use x509_parser::objects::{oid_registry, oid2sn};
use x509_parser::oid_registry as oids;
use x509_parser::prelude::{FromDer, X509Certificate, X509Name};
use x509_parser::public_key::PublicKey as ParsedKey;
use x509_parser::x509::{AlgorithmIdentifier, SubjectPublicKeyInfo};

use super::name::AltName;

/// Longest text taken from a certificate, in characters: names longer than this are not meant for people.
const TEXT_LENGTH: usize = 512;

/// Entries kept of a list in an extension: real certificates have two to five timestamps and one list.
const LIST_LENGTH: usize = 16;

/// id-pe-tlsfeature (RFC 7633, section 4).
const TLS_FEATURE: &str = "1.3.6.1.5.5.7.1.24";

/// Signature algorithms that the parser's registry has no name for (RFC 3279, RFC 5758).
const OTHER_SIGNATURES: &[(&str, &str)] = &[
    ("1.2.840.10045.4.1", "ecdsa-with-SHA1"),
    ("1.2.840.10045.4.3.1", "ecdsa-with-SHA224"),
    ("1.2.840.10040.4.3", "dsa-with-SHA1"),
    ("1.2.840.113549.1.1.2", "md2WithRSAEncryption"),
    ("1.2.840.113549.1.1.4", "md5WithRSAEncryption"),
    ("1.2.840.113549.1.1.5", "sha1WithRSAEncryption"),
    ("1.2.840.113549.1.1.14", "sha224WithRSAEncryption"),
];

/// Named curves other than NIST's usual three, with their size in bits (SEC 2 and RFC 5639).
const OTHER_CURVES: &[(&str, usize, &str)] = &[
    ("1.2.840.10045.3.1.1", 192, "P-192"),
    ("1.3.132.0.33", 224, "P-224"),
    ("1.3.132.0.1", 163, "sect163k1"),
    ("1.3.132.0.15", 163, "sect163r2"),
    ("1.3.132.0.8", 160, "secp160r1"),
    ("1.3.132.0.31", 192, "secp192k1"),
    ("1.3.132.0.32", 224, "secp224k1"),
    ("1.3.132.0.10", 256, "secp256k1"),
    ("1.3.36.3.3.2.8.1.1.7", 256, "brainpoolP256r1"),
    ("1.3.36.3.3.2.8.1.1.11", 384, "brainpoolP384r1"),
    ("1.3.36.3.3.2.8.1.1.13", 512, "brainpoolP512r1"),
];

/// A certificate taken apart, with its names typed.
pub(super) struct Parsed {
    /// As the evidence holds it.
    pub(super) certificate: Certificate,
    /// Its subject alternative names.
    pub(super) names: Vec<AltName>,
}

/// Takes one certificate apart.
///
/// # Errors
/// With the parser's words, when the bytes are not one whole certificate.
pub(super) fn parse(der: &[u8]) -> Result<Parsed, String> {
    let (rest, parsed) = X509Certificate::from_der(der).map_err(|e| clean(&e.to_string()))?;
    if !rest.is_empty() {
        return Err(format!("{} bytes follow the certificate", rest.len()));
    }
    let names = alternative_names(&parsed);
    let issuer = parsed.issuer();
    let certificate = Certificate {
        subject: clean(&parsed.subject().to_string()),
        issuer: clean(&issuer.to_string()),
        subject_cn: parsed.subject().iter_common_name().find_map(|cn| cn.as_str().ok()).map(clean),
        issuer_organisation: issuer
            .iter_organization()
            .chain(issuer.iter_common_name())
            .find_map(|value| value.as_str().ok())
            .map(clean),
        serial: hex(parsed.raw_serial()),
        not_before: timestamp(parsed.validity().not_before.timestamp()),
        not_after: timestamp(parsed.validity().not_after.timestamp()),
        key: public_key(parsed.public_key()),
        signature: signature_name(&parsed.signature_algorithm),
        san: names.iter().map(AltName::text).collect(),
        is_ca: parsed.is_ca(),
        self_issued: parsed.subject().as_raw() == issuer.as_raw(),
        aia_issuers: access(&parsed, &oids::OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS),
        sha256: hex(&Sha256::digest(der)),
        more: Some(details(&parsed, der.len())),
    };
    Ok(Parsed { certificate, names })
}

/// A distinguished name given as the contents of its SEQUENCE, as webpki hands them out, on one line.
pub(super) fn name_line(contents: &[u8]) -> String {
    let mut der = vec![0x30];
    match contents.len() {
        short @ 0..0x80 => der.push(u8::try_from(short).expect("it is below 128")),
        long => {
            let octets = long.to_be_bytes();
            let octets = &octets[octets.iter().take_while(|b| **b == 0).count()..];
            der.push(0x80 | u8::try_from(octets.len()).expect("a usize has at most 8 octets"));
            der.extend_from_slice(octets);
        }
    }
    der.extend_from_slice(contents);
    // The parser stops at the first part that it cannot read, and an empty name is a legal subject (RFC 5280,
    // section 4.1.2.6) only when there is nothing to read.
    match X509Name::from_der(&der).map(|(_, name)| clean(&name.to_string())) {
        Ok(text) if !text.is_empty() || contents.is_empty() => text,
        _ => "(a name that cannot be parsed)".to_owned(),
    }
}

/// Text of a certificate for people: without control characters, and not endless.
pub(super) fn clean(text: &str) -> String {
    text.chars()
        .take(TEXT_LENGTH)
        .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}

fn alternative_names(parsed: &X509Certificate<'_>) -> Vec<AltName> {
    let extensions = parsed.iter_extensions().filter_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(san) => Some(&san.general_names),
        _ => None,
    });
    extensions
        .flatten()
        .map(|name| match name {
            GeneralName::DNSName(text) => AltName::Dns((*text).to_owned()),
            GeneralName::IPAddress(octets) => AltName::from_octets(octets),
            GeneralName::RFC822Name(text) => AltName::Other(format!("email:{text}")),
            GeneralName::URI(text) => AltName::Other(format!("URI:{text}")),
            GeneralName::DirectoryName(name) => AltName::Other(format!("DirName:{name}")),
            other => AltName::Other(other.to_string()),
        })
        .collect()
}

/// The URLs of one method of the authority information access extension (RFC 5280, section 4.2.2.1).
fn access(parsed: &X509Certificate<'_>, method: &oids::Oid<'_>) -> Vec<String> {
    let descriptions = parsed.iter_extensions().filter_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityInfoAccess(access) => Some(&access.accessdescs),
        _ => None,
    });
    descriptions
        .flatten()
        .filter(|description| description.access_method == *method)
        .filter_map(|description| match &description.access_location {
            GeneralName::URI(url) => Some(clean(url)),
            _ => None,
        })
        .collect()
}

fn details(parsed: &X509Certificate<'_>, size: usize) -> CertificateDetails {
    let mut more = CertificateDetails {
        size_byte: u32::try_from(size).unwrap_or(u32::MAX),
        ocsp_urls: access(parsed, &oids::OID_PKIX_ACCESS_DESCRIPTOR_OCSP),
        ..CertificateDetails::default()
    };
    if let Ok(ParsedKey::RSA(key)) = parsed.public_key().parsed() {
        more.rsa_exponent = key.try_exponent().ok().and_then(|exponent| u32::try_from(exponent).ok());
    }
    for extension in parsed.iter_extensions() {
        match extension.parsed_extension() {
            ParsedExtension::SCT(list) => {
                more.sct_logs.extend(list.iter().take(LIST_LENGTH).map(|sct| hex(sct.id.key_id)));
            }
            ParsedExtension::CRLDistributionPoints(points) => {
                let names = points.points.iter().filter_map(|point| match &point.distribution_point {
                    Some(DistributionPointName::FullName(names)) => Some(names),
                    _ => None,
                });
                let urls = names.flatten().filter_map(|name| match name {
                    GeneralName::URI(url) if url.starts_with("http://") => Some(clean(url)),
                    _ => None,
                });
                more.crl_urls.extend(urls.take(LIST_LENGTH));
            }
            _ if extension.oid.to_id_string() == TLS_FEATURE => {
                more.must_staple = wants_status(extension.value);
            }
            _ => {}
        }
    }
    more
}

/// Whether the features (RFC 7633, section 4.1: a SEQUENCE OF INTEGER, each the number of a TLS extension) hold 5,
/// status_request.
fn wants_status(features: &[u8]) -> bool {
    let [0x30, length, rest @ ..] = features else { return false };
    usize::from(*length) == rest.len() && rest.chunks(3).any(|feature| feature == [0x02, 0x01, 0x05])
}

fn public_key(info: &SubjectPublicKeyInfo<'_>) -> PublicKey {
    let algorithm = &info.algorithm.algorithm;
    let named = |algorithm: &str, size_bit: Option<usize>, curve: Option<&str>| PublicKey {
        algorithm: algorithm.to_owned(),
        size_bit: size_bit.and_then(|bits| u32::try_from(bits).ok()),
        curve: curve.map(str::to_owned),
    };
    if *algorithm == oids::OID_KEY_TYPE_EC_PUBLIC_KEY {
        let curve = info.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
        return match curve {
            Some(oid) if oid == oids::OID_EC_P256 => named("ECDSA", Some(256), Some("P-256")),
            Some(oid) if oid == oids::OID_NIST_EC_P384 => named("ECDSA", Some(384), Some("P-384")),
            Some(oid) if oid == oids::OID_NIST_EC_P521 => named("ECDSA", Some(521), Some("P-521")),
            other => {
                let oid = other.map(|oid| oid.to_id_string());
                match OTHER_CURVES.iter().find(|(number, ..)| Some(*number) == oid.as_deref()) {
                    Some((_, bits, name)) => named("ECDSA", Some(*bits), Some(name)),
                    None => named("ECDSA", None, oid.as_deref()),
                }
            }
        };
    }
    if *algorithm == oids::OID_SIG_ED25519 {
        return named("Ed25519", Some(256), None);
    }
    match info.parsed() {
        Ok(ParsedKey::RSA(key)) => named("RSA", Some(modulus_bit(key.modulus)), None),
        Ok(ParsedKey::DSA(_)) => named("DSA", None, None),
        _ => named(&algorithm.to_id_string(), None, None),
    }
}

/// Whether a leaf's key is too short for the proof of its possession to be checked: the library verifies RSA from 2048
/// bits on.
pub(super) fn is_below_proof(key: &PublicKey) -> bool {
    key.algorithm == "RSA" && key.size_bit.is_some_and(|bits| bits < 2048)
}

/// Bits of a DER integer, leading zero octets and bits left out.
fn modulus_bit(octets: &[u8]) -> usize {
    let significant = &octets[octets.iter().take_while(|b| **b == 0).count()..];
    match significant.first() {
        Some(first) => significant.len() * 8 - usize::try_from(first.leading_zeros()).unwrap_or_default(),
        None => 0,
    }
}

fn signature_name(algorithm: &AlgorithmIdentifier<'_>) -> String {
    let oid = &algorithm.algorithm;
    if let Ok(name) = oid2sn(oid, oid_registry()) {
        return name.to_owned();
    }
    let number = oid.to_id_string();
    let known = OTHER_SIGNATURES.iter().find(|(other, _)| *other == number);
    known.map_or_else(|| number.clone(), |(_, name)| (*name).to_owned())
}

/// Dates outside the range of the type are moved to its end, which is far enough away to mean the same.
pub(super) fn timestamp(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rcgen::{
        BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, KeyPair, PKCS_ECDSA_P384_SHA384,
        PKCS_ED25519, SanType, SerialNumber,
    };

    fn leaf() -> CertificateParams {
        let mut params = CertificateParams::new(vec!["api.example.test".to_owned(), "192.0.2.7".to_owned()])
            .expect("valid names");
        params.distinguished_name.push(DnType::CommonName, "api.example.test");
        params.distinguished_name.push(DnType::OrganizationName, "Example\nOrganisation");
        params.not_before = rcgen::date_time_ymd(2026, 1, 2);
        params.not_after = rcgen::date_time_ymd(2026, 4, 2);
        params.serial_number = Some(SerialNumber::from_slice(&[0x03, 0xab, 0xcd]));
        params
    }

    #[test]
    fn a_certificate_is_taken_apart_whole() {
        let mut params = leaf();
        params.subject_alt_names.push(SanType::URI("https://example.test/".try_into().expect("ASCII")));
        // SEQUENCE { SEQUENCE { id-ad-caIssuers, [6] "http://ca.example.test/1" } }, RFC 5280 section 4.2.2.1.
        let url = b"http://ca.example.test/1";
        let oid = [0x06, 0x08, 0x2b, 6, 1, 5, 5, 7, 0x30, 2];
        let length = |n: usize| u8::try_from(n).expect("short");
        let mut access =
            vec![0x30, length(oid.len() + 2 + url.len() + 2), 0x30, length(oid.len() + 2 + url.len())];
        access.extend_from_slice(&oid);
        access.extend_from_slice(&[0x86, length(url.len())]);
        access.extend_from_slice(url);
        params
            .custom_extensions
            .push(CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 1], access));
        let key = KeyPair::generate().expect("key");
        let der = params.self_signed(&key).expect("signed");
        let certificate = parse(der.der()).expect("parses").certificate;
        assert!(certificate.subject.contains("CN=api.example.test"), "{}", certificate.subject);
        assert!(!certificate.subject.contains('\n'));
        assert_eq!(certificate.subject_cn.as_deref(), Some("api.example.test"));
        assert_eq!(certificate.issuer_organisation.as_deref(), Some("Example\u{fffd}Organisation"));
        assert_eq!(certificate.serial, "03abcd");
        assert_eq!(certificate.not_before.to_string(), "2026-01-02T00:00:00Z");
        assert_eq!(certificate.not_after.to_string(), "2026-04-02T00:00:00Z");
        assert_eq!(certificate.signature, "ecdsa-with-SHA256");
        assert_eq!(
            certificate.key,
            PublicKey { algorithm: "ECDSA".into(), size_bit: Some(256), curve: Some("P-256".into()) }
        );
        assert_eq!(certificate.san, ["api.example.test", "192.0.2.7", "URI:https://example.test/"]);
        assert_eq!(certificate.aia_issuers, ["http://ca.example.test/1"]);
        assert!(certificate.self_issued && !certificate.is_ca);
        assert_eq!(certificate.sha256.len(), 64);
    }

    #[test]
    fn keys_of_other_kinds_are_named() {
        for (algorithm, key, size_bit) in [
            (&PKCS_ED25519, "Ed25519", 256),
            (&PKCS_ECDSA_P384_SHA384, "ECDSA", 384),
            (&rcgen::PKCS_RSA_SHA256, "RSA", 2048),
        ] {
            let pair = KeyPair::generate_for(algorithm).expect("key");
            let mut params = leaf();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let parsed = parse(params.self_signed(&pair).expect("signed").der()).expect("parses").certificate;
            assert_eq!((parsed.key.algorithm.as_str(), parsed.key.size_bit), (key, Some(size_bit)));
            assert!(parsed.is_ca);
        }
    }

    #[test]
    fn name_lines_of_any_length_are_wrapped_rightly() {
        for length in [1, 100, 200, 300] {
            let mut params = CertificateParams::default();
            params.distinguished_name = rcgen::DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, "x".repeat(length));
            let der = params.self_signed(&KeyPair::generate().expect("key")).expect("signed");
            let cert = webpki::EndEntityCert::try_from(der.der()).expect("parses");
            assert_eq!(name_line(cert.subject()), format!("CN={}", "x".repeat(length)));
        }
        assert_eq!(name_line(&[0xff, 0x01]), "(a name that cannot be parsed)");
    }

    proptest! {
        #[test]
        fn damaged_certificates_are_an_error_and_never_a_panic(at in 0usize..600, byte: u8, cut in 0usize..600) {
            let der = leaf().self_signed(&KeyPair::generate().expect("key")).expect("signed").der().to_vec();
            let mut damaged = der.clone();
            if let Some(place) = damaged.get_mut(at) {
                *place = byte;
            }
            let _ = parse(&damaged);
            prop_assert!(parse(&der[..cut.min(der.len() - 1)]).is_err());
        }
    }
}
