//! Keys and signatures as facts: tags, digests, dates, and whether a signature is that of the key (RFC 4034).
//!
//! Nothing is judged here: a signature that does not hold is as good an observation as one that does, and whether a date has
//! passed is for others to say.

use std::collections::BTreeMap;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use hickory_proto::rr::RecordType;
use jiff::Timestamp;
use landfall_evidence::{DnsKey, DnsSignature, DnsSigning, SignatureCheck};

use super::denial;
use super::wire::{
    DNSKEY, RRSIG, Section, WireRecord, labels, last_labels, name, records, text, u16_at, u32_at,
};

/// Keys and signatures kept of one answer. A zone in the middle of a roll-over has six keys; a server may send thousands.
const KEPT: usize = 32;
/// Signatures of one answer that are computed: verification is the one thing here that costs the machine something, and an
/// answer can be made to cost much (CVE-2023-50387, "KeyTrap").
const COMPUTED: usize = 32;
/// Keys of one tag and algorithm that are tried: tags collide by accident about once in 65536 pairs.
const COLLIDING: usize = 2;
/// Longest RSA modulus that is computed, in octets. Longer ones are not in use.
const MODULUS_BYTE: usize = 512;

/// A zone's keys as on the wire, kept for checking signatures.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys {
    zone: Vec<u8>,
    keys: Vec<Vec<u8>>,
}

impl Keys {
    /// The DNSKEY set in an answer section; `None` when there is none.
    pub(super) fn of(message: &[u8]) -> Option<Self> {
        let found = records(message)?;
        let mut keys = found.into_iter().filter(|r| r.section == Section::Answer && r.rtype == DNSKEY);
        let first = keys.next()?;
        let zone = first.owner;
        let rest = keys.filter(|key| key.owner == zone).map(|key| key.data);
        Some(Self { keys: std::iter::once(first.data).chain(rest).take(KEPT).collect(), zone })
    }
}

/// What a message carries of DNSSEC; `None` when nothing. `keys` are tried on the signatures of their zone.
pub(super) fn signing(message: &[u8], keys: Option<&Keys>) -> Option<Box<DnsSigning>> {
    let found = records(message)?;
    let in_answer = found.iter().filter(|r| r.section == Section::Answer && r.rtype == DNSKEY);
    let mut computed = 0;
    let signing = DnsSigning {
        keys: in_answer.filter_map(key).take(KEPT).collect(),
        signatures: found
            .iter()
            .filter(|r| r.section != Section::Additional && r.rtype == RRSIG)
            .filter_map(|r| signature(r, &found, keys, &mut computed))
            .take(KEPT)
            .collect(),
        // Only a zone that has keys has anything to prove.
        denial: keys.and_then(|_| denial::proof(message, &found)),
    };
    (!signing.keys.is_empty() || !signing.signatures.is_empty()).then(|| Box::new(signing))
}

fn key(record: &WireRecord) -> Option<DnsKey> {
    let data = &record.data;
    let algorithm = *data.get(3)?;
    let public = data.get(4..)?;
    let octets = match algorithm {
        // RSA: the length of the exponent, the exponent, the modulus (RFC 3110, section 2).
        1 | 5 | 7 | 8 | 10 => rsa(public).map_or(0, |(_, modulus)| modulus.len()),
        _ => public.len(),
    };
    // RFC 4034, section 5.1.4: the digest of the owner's name and the key's data.
    let signed = [record.owner.as_slice(), data].concat();
    let hex = |how| digest::digest(how, &signed).as_ref().iter().map(|b| format!("{b:02X}")).collect();
    let digests = BTreeMap::from([
        (1, hex(&digest::SHA1_FOR_LEGACY_USE_ONLY)),
        (2, hex(&digest::SHA256)),
        (4, hex(&digest::SHA384)),
    ]);
    Some(DnsKey {
        owner: text(&record.owner),
        flags: u16_at(data, 0)?,
        algorithm,
        tag: key_tag(data),
        bits: u32::try_from(octets * 8).unwrap_or(u32::MAX),
        digests,
    })
}

fn signature(
    record: &WireRecord,
    message: &[WireRecord],
    keys: Option<&Keys>,
    computed: &mut usize,
) -> Option<DnsSignature> {
    let data = &record.data;
    let (signer, after) = name(data, 18)?;
    // RFC 4034, section 3.1.5: seconds since 1970 in 32 bits, which holds until 2106.
    let time = |at: usize| Timestamp::from_second(i64::from(u32_at(data, at)?)).ok();
    let (algorithm, tag) = (*data.get(2)?, u16_at(data, 16)?);
    let check = match keys.filter(|keys| keys.zone == signer) {
        None => SignatureCheck::Unchecked,
        Some(_) if *computed >= COMPUTED => SignatureCheck::Unchecked,
        Some(keys) => {
            let fitting: Vec<&[u8]> = keys
                .keys
                .iter()
                .map(Vec::as_slice)
                .filter(|key| key.get(3) == Some(&algorithm) && key_tag(key) == tag)
                .take(COLLIDING)
                .collect();
            *computed += fitting.len();
            if fitting.is_empty() {
                SignatureCheck::NoKey
            } else {
                match signed_data(record, &signer, after, message) {
                    Some(signed) => verify(algorithm, &fitting, &signed, &data[after..]),
                    None => SignatureCheck::Fails,
                }
            }
        }
    };
    Some(DnsSignature {
        owner: text(&record.owner),
        covers: RecordType::from(u16_at(data, 0)?).to_string(),
        algorithm,
        labels: *data.get(3)?,
        signer: text(&signer),
        tag,
        inception: time(12)?,
        expiration: time(8)?,
        check,
    })
}

/// The bytes that were signed (RFC 4034, section 3.1.8.1); `None` when the set is not there, or its name has fewer labels
/// than were signed.
fn signed_data(
    signature: &WireRecord,
    signer: &[u8],
    after: usize,
    message: &[WireRecord],
) -> Option<Vec<u8>> {
    let data = &signature.data;
    let covers = u16_at(data, 0)?;
    let mut set: Vec<&[u8]> = message
        .iter()
        .filter(|r| r.section == signature.section && r.rtype == covers && r.owner == signature.owner)
        .map(|r| r.data.as_slice())
        .collect();
    set.sort_unstable();
    set.dedup();
    let own = labels(&signature.owner);
    let kept = usize::from(*data.get(3)?);
    if set.is_empty() || kept > own || !signature.owner.ends_with(signer) {
        return None;
    }
    let owner = if kept < own {
        [b"\x01*", last_labels(&signature.owner, kept)].concat()
    } else {
        signature.owner.clone()
    };
    let mut signed = data.get(..after)?.to_vec();
    for rdata in set {
        signed.extend(&owner);
        signed.extend(covers.to_be_bytes());
        signed.extend(signature.class.to_be_bytes());
        // The TTL as it was signed, whatever is left of it.
        signed.extend(data.get(4..8)?);
        signed.extend(u16::try_from(rdata.len()).ok()?.to_be_bytes());
        signed.extend(rdata);
    }
    Some(signed)
}

/// Tries the keys on a signature. Algorithms by their number: RFC 3110 and RFC 5155 (5, 7), RFC 5702 (8, 10), RFC 6605 (13, 14),
/// RFC 8080 (15).
fn verify(algorithm: u8, keys: &[&[u8]], signed: &[u8], signature: &[u8]) -> SignatureCheck {
    let with_rsa = |how: &signature::RsaParameters| {
        keys.iter().any(|key| {
            key.get(4..).and_then(rsa).is_some_and(|(e, n)| {
                n.len() <= MODULUS_BYTE
                    && RsaPublicKeyComponents { n, e }.verify(how, signed, signature).is_ok()
            })
        })
    };
    // A curve's point is published without the octet that says that it is not compressed (RFC 6605, section 4).
    let with_curve = |how: &'static signature::EcdsaVerificationAlgorithm| {
        keys.iter().any(|key| {
            let point = [&[4], key.get(4..).unwrap_or_default()].concat();
            UnparsedPublicKey::new(how, point).verify(signed, signature).is_ok()
        })
    };
    let holds = match algorithm {
        5 | 7 => with_rsa(&signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY),
        8 => with_rsa(&signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY),
        10 => with_rsa(&signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY),
        13 => with_curve(&signature::ECDSA_P256_SHA256_FIXED),
        14 => with_curve(&signature::ECDSA_P384_SHA384_FIXED),
        15 => keys.iter().any(|key| {
            let public = key.get(4..).unwrap_or_default();
            UnparsedPublicKey::new(&signature::ED25519, public).verify(signed, signature).is_ok()
        }),
        _ => return SignatureCheck::Unsupported,
    };
    if holds { SignatureCheck::Holds } else { SignatureCheck::Fails }
}

/// Exponent and modulus of an RSA key (RFC 3110, section 2), without leading zeros.
fn rsa(public: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, start) = match *public.first()? {
        0 => (usize::from(u16_at(public, 1)?), 3),
        length => (usize::from(length), 1),
    };
    let bare = |bytes: &'_ [u8]| bytes.iter().take_while(|b| **b == 0).count();
    let (exponent, modulus) = (public.get(start..start + length)?, public.get(start + length..)?);
    Some((&exponent[bare(exponent)..], &modulus[bare(modulus)..]))
        .filter(|(e, n)| !e.is_empty() && !n.is_empty())
}

/// The key tag of a DNSKEY's data (RFC 4034, appendix B).
pub(super) fn key_tag(data: &[u8]) -> u16 {
    let sum = data.iter().enumerate().fold(0_u32, |sum, (i, byte)| {
        sum.wrapping_add(if i % 2 == 0 { u32::from(*byte) << 8 } else { u32::from(*byte) })
    });
    u16::try_from((sum + (sum >> 16)) & 0xffff).unwrap_or(u16::MAX)
}
