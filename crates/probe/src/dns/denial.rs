//! Whether the proof that comes with a negative answer covers what was asked: NSEC (RFC 4035, section 5.4) and NSEC3 (RFC
//! 5155, section 8). Whether its signatures hold is computed apart.
//!
//! The names are hashed here because the evidence keeps texts; how an answer without such a proof is to be taken is for
//! others to say.

use std::cmp::Ordering;

use aws_lc_rs::digest;
use landfall_evidence::DenialProof;

use super::wire::{CNAME, RRSIG, SOA, Section, WireRecord, labels, last_labels, name, text, u16_at};

const DS: u16 = 43;
const NSEC: u16 = 47;
const NSEC3: u16 = 50;

/// More iterations are not computed: a zone can ask for 65,535 of them and names have 127 labels (CVE-2023-50868). RFC 9276,
/// section 3.2, lets resolvers refuse to from above 0; the larger ones in use draw the line at 50 to 150.
const ITERATIONS: u16 = 150;

/// Octets of an NSEC3 hash: SHA-1 is the only function that there is (RFC 5155, section 11).
const HASH_BYTE: usize = 20;

/// What the authority section proves of a negative answer. `None` when the answer denies nothing by itself: it has records,
/// refers to other servers, or is neither NOERROR nor NXDOMAIN.
pub(super) fn proof(message: &[u8], records: &[WireRecord]) -> Option<DenialProof> {
    let rcode = message.get(3)? & 0x0f;
    let (asked, after) = name(message, 12)?;
    let rtype = u16_at(message, after)?;
    let of = |section| records.iter().filter(move |r| r.section == section && r.rtype != RRSIG);
    let has = |rtype| of(Section::Authority).any(|r| r.rtype == rtype);
    if !matches!(rcode, 0 | 3) || of(Section::Answer).next().is_some() || !has(SOA) {
        return None;
    }
    let question = Question { name: &asked, rtype, no_name: rcode == 3 };
    let nsec: Vec<Nsec> = of(Section::Authority).filter(|r| r.rtype == NSEC).filter_map(Nsec::read).collect();
    if !nsec.is_empty() {
        return Some(told(question.by_nsec(&nsec)));
    }
    let hashed: Vec<Nsec3> =
        of(Section::Authority).filter(|r| r.rtype == NSEC3).filter_map(Nsec3::read).collect();
    let Some(first) = hashed.first() else {
        return Some(DenialProof::Lacks { what: "there is neither an NSEC nor an NSEC3 record".to_owned() });
    };
    if first.iterations > ITERATIONS {
        return Some(DenialProof::Unchecked {
            why: format!("names are hashed {} times more than once, which is not computed", first.iterations),
        });
    }
    // One zone has one set of parameters in use at a time (RFC 5155, section 7.2); others are not of this proof.
    let same = |n: &&Nsec3| n.iterations == first.iterations && n.salt == first.salt && n.zone == first.zone;
    let hashed: Vec<&Nsec3> = hashed.iter().filter(same).collect();
    Some(told(question.by_nsec3(&hashed)))
}

fn told(lacking: Result<(), String>) -> DenialProof {
    match lacking {
        Ok(()) => DenialProof::Covers,
        Err(what) => DenialProof::Lacks { what },
    }
}

struct Question<'a> {
    name: &'a [u8],
    rtype: u16,
    /// NXDOMAIN, and not an empty answer.
    no_name: bool,
}

impl Question<'_> {
    fn by_nsec(&self, records: &[Nsec]) -> Result<(), String> {
        let covering = |name: &[u8]| records.iter().find(|n| n.covers(name));
        let matching = |name: &[u8]| records.iter().find(|n| n.owner == name);
        if !self.no_name {
            if let Some(own) = matching(self.name) {
                return self.lacks_type(own.types);
            }
            // A name that exists only because there are names below it (RFC 4592, section 2.2.2).
            if covering(self.name).is_some_and(|n| is_below(&n.next, self.name)) {
                return Ok(());
            }
        }
        let Some(covering_name) = covering(self.name) else {
            return Err(format!("no NSEC record covers {}", text(self.name)));
        };
        // The closest name that exists is the longer of what the name shares with both ends of the gap.
        let shared =
            common_labels(self.name, covering_name.owner).max(common_labels(self.name, &covering_name.next));
        let wildcard = [b"\x01*", last_labels(self.name, shared)].concat();
        match (matching(&wildcard), self.no_name) {
            (Some(own), false) => self.lacks_type(own.types),
            (Some(_), true) => Err(format!("{} exists, which answers for the name", text(&wildcard))),
            (None, _) if covering(&wildcard).is_some() && self.no_name => Ok(()),
            (None, true) => Err(format!("no NSEC record covers {}", text(&wildcard))),
            (None, false) => {
                Err(format!("no NSEC record is of {} or of {}", text(self.name), text(&wildcard)))
            }
        }
    }

    fn by_nsec3(&self, records: &[&Nsec3]) -> Result<(), String> {
        let Some(first) = records.first() else { return Err("there is no NSEC3 record".to_owned()) };
        let own_labels = labels(self.name);
        let zone_labels = labels(&first.zone);
        if zone_labels > own_labels || last_labels(self.name, zone_labels) != first.zone.as_slice() {
            return Err(format!("the NSEC3 records are of {}", text(&first.zone)));
        }
        let hash = |name: &[u8]| first.hash(name);
        let matching = |name: &[u8]| {
            let hash = hash(name);
            records.iter().find(move |n| n.owner == hash)
        };
        let covering = |name: &[u8]| {
            let hash = hash(name);
            records.iter().find(move |n| n.covers(&hash))
        };
        if !self.no_name
            && let Some(own) = matching(self.name)
        {
            return self.lacks_type(&own.types);
        }
        // The closest encloser (section 8.3): the longest name above that has a record, the next one down being covered.
        let Some(kept) =
            (zone_labels..own_labels).rev().find(|kept| matching(last_labels(self.name, *kept)).is_some())
        else {
            return Err(format!("no NSEC3 record is of a name above {}", text(self.name)));
        };
        let next_closer = last_labels(self.name, kept + 1);
        let Some(gap) = covering(next_closer) else {
            return Err(format!("no NSEC3 record covers {}", text(next_closer)));
        };
        let wildcard = [b"\x01*", last_labels(self.name, kept)].concat();
        match (matching(&wildcard), self.no_name) {
            // Section 8.6: a delegation in a gap that may hold unsigned ones.
            _ if gap.opt_out && self.rtype == DS && !self.no_name => Ok(()),
            (Some(own), false) => self.lacks_type(&own.types),
            (Some(_), true) => Err(format!("{} exists, which answers for the name", text(&wildcard))),
            (None, true) if covering(&wildcard).is_some() => Ok(()),
            (None, true) => Err(format!("no NSEC3 record covers {}", text(&wildcard))),
            // A name that only unsigned delegations lie below may have no record of its own (RFC 5155, section 7.1).
            (None, false) if gap.opt_out => Ok(()),
            (None, false) => Err(format!("no NSEC3 record is of {}", text(self.name))),
        }
    }

    /// Whether a map of types leaves out what was asked for, and an alias, which would have been followed.
    fn lacks_type(&self, types: &[u8]) -> Result<(), String> {
        for rtype in [self.rtype, CNAME] {
            if lists(types, rtype) {
                return Err(format!(
                    "the record of {} says that there is {}",
                    text(self.name),
                    hickory_proto::rr::RecordType::from(rtype)
                ));
            }
        }
        Ok(())
    }
}

/// RFC 4034, section 4.
struct Nsec<'a> {
    owner: &'a [u8],
    next: Vec<u8>,
    types: &'a [u8],
}

impl<'a> Nsec<'a> {
    fn read(record: &'a WireRecord) -> Option<Self> {
        let (next, after) = name(&record.data, 0)?;
        Some(Self { owner: &record.owner, next, types: record.data.get(after..)? })
    }

    /// Whether a name lies in the gap. The last record leads back to the zone's own name.
    fn covers(&self, name: &[u8]) -> bool {
        let behind = canonical(name, self.owner) == Ordering::Greater;
        let last = canonical(&self.next, self.owner) != Ordering::Greater;
        // In the last gap lies whatever comes after it, as long as it is of this zone.
        let before =
            if last { is_below(name, &self.next) } else { canonical(name, &self.next) == Ordering::Less };
        behind && before
    }
}

/// RFC 5155, section 3.
struct Nsec3 {
    zone: Vec<u8>,
    owner: String,
    next: String,
    iterations: u16,
    salt: Vec<u8>,
    opt_out: bool,
    types: Vec<u8>,
}

impl Nsec3 {
    fn read(record: &WireRecord) -> Option<Self> {
        let data = &record.data;
        // Hash function 1; of the flags only opt-out is defined.
        if *data.first()? != 1 {
            return None;
        }
        let (flags, iterations, salt_byte) = (*data.get(1)?, u16_at(data, 2)?, usize::from(*data.get(4)?));
        let salt = data.get(5..5 + salt_byte)?.to_vec();
        let at = 5 + salt_byte;
        let hash_byte = usize::from(*data.get(at)?);
        let next = data.get(at + 1..at + 1 + hash_byte).filter(|hash| hash.len() == HASH_BYTE)?;
        let label_byte = usize::from(*record.owner.first()?);
        let owner = record.owner.get(1..=label_byte)?;
        Some(Self {
            zone: record.owner.get(label_byte + 1..)?.to_vec(),
            owner: String::from_utf8(owner.to_vec()).ok()?,
            next: base32(next),
            iterations,
            salt,
            opt_out: flags & 1 == 1,
            types: data.get(at + 1 + hash_byte..)?.to_vec(),
        })
    }

    /// Section 5: the name, then its hash, each followed by the salt.
    fn hash(&self, name: &[u8]) -> String {
        let mut hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &[name, &self.salt].concat());
        for _ in 0..self.iterations.min(ITERATIONS) {
            hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &[hash.as_ref(), &self.salt].concat());
        }
        base32(hash.as_ref())
    }

    fn covers(&self, hash: &str) -> bool {
        let (owner, next) = (self.owner.as_str(), self.next.as_str());
        match owner.cmp(next) {
            Ordering::Less => owner < hash && hash < next,
            // The last gap goes round; the one record of a zone with one name covers all but that.
            _ => hash > owner || hash < next,
        }
    }
}

/// Base 32 with the extended hexadecimal alphabet, in lower case and without padding (RFC 4648, section 7).
fn base32(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    let mut out = String::new();
    let (mut held, mut bits) = (0_u32, 0);
    for byte in bytes {
        held = (held << 8 | u32::from(*byte)) & 0xfff;
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.push(char::from(LETTERS[(held >> bits & 31) as usize]));
        }
    }
    if bits > 0 {
        out.push(char::from(LETTERS[(held << (5 - bits) & 31) as usize]));
    }
    out
}

/// Whether the map of types in an NSEC or NSEC3 record has this one (RFC 4034, section 4.1.2).
fn lists(mut types: &[u8], rtype: u16) -> bool {
    let [window, place] = rtype.to_be_bytes();
    while let [number, length, rest @ ..] = types {
        let Some((map, after)) = rest.split_at_checked(usize::from(*length)) else { return false };
        if *number == window {
            return map.get(usize::from(place / 8)).is_some_and(|byte| byte & (0x80 >> (place % 8)) != 0);
        }
        types = after;
    }
    false
}

/// Labels from the last to the first.
fn reversed(name: &[u8]) -> Vec<&[u8]> {
    let (mut rest, mut found) = (name, Vec::new());
    while let Some((length, after)) = rest.split_first().filter(|(length, _)| **length > 0) {
        let Some((label, after)) = after.split_at_checked(usize::from(*length)) else { break };
        found.push(label);
        rest = after;
    }
    found.reverse();
    found
}

/// The canonical order of names (RFC 4034, section 6.1); both are in lower case already.
fn canonical(a: &[u8], b: &[u8]) -> Ordering {
    reversed(a).cmp(&reversed(b))
}

fn common_labels(a: &[u8], b: &[u8]) -> usize {
    reversed(a).iter().zip(reversed(b)).take_while(|(a, b)| **a == *b).count()
}

/// Whether a name lies below another.
fn is_below(name: &[u8], above: &[u8]) -> bool {
    let kept = labels(above);
    labels(name) > kept && last_labels(name, kept) == above
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(name: &str) -> Vec<u8> {
        let mut out = Vec::new();
        for label in name.split('.').filter(|label| !label.is_empty()) {
            out.push(u8::try_from(label.len()).expect("short"));
            out.extend(label.bytes());
        }
        out.push(0);
        out
    }

    fn record(owner: Vec<u8>, rtype: u16, data: Vec<u8>) -> WireRecord {
        WireRecord { section: Section::Authority, owner, rtype, class: 1, data }
    }

    /// A map of types below 256.
    fn types(list: &[u16]) -> Vec<u8> {
        let mut map = vec![0_u8; 8];
        for rtype in list {
            map[usize::from(rtype / 8)] |= 0x80 >> (rtype % 8);
        }
        [vec![0, 8], map].concat()
    }

    fn nsec(owner: &str, next: &str, list: &[u16]) -> WireRecord {
        record(wire(owner), NSEC, [wire(next), types(list)].concat())
    }

    fn asked(name: &str, rtype: u16, rcode: u8) -> Vec<u8> {
        let header = [0, 1, 0x84, rcode, 0, 1, 0, 0, 0, 0, 0, 0].to_vec();
        [header, wire(name), rtype.to_be_bytes().to_vec(), vec![0, 1]].concat()
    }

    fn judge(name: &str, rtype: u16, rcode: u8, proofs: Vec<WireRecord>) -> DenialProof {
        let soa = record(wire("example.test"), SOA, Vec::new());
        let all: Vec<WireRecord> = std::iter::once(soa).chain(proofs).collect();
        proof(&asked(name, rtype, rcode), &all).expect("a negative answer")
    }

    #[test]
    fn nsec_records_cover_the_name_and_the_wildcard_or_they_do_not() {
        let covers = |name, rtype, rcode, proofs| judge(name, rtype, rcode, proofs) == DenialProof::Covers;
        let apex = || nsec("example.test", "a.example.test", &[2, 6]);
        let gap = || nsec("a.example.test", "ns.example.test", &[1]);
        let last = || nsec("ns.example.test", "example.test", &[1]);
        assert!(covers("b.example.test", 1, 3, vec![gap(), apex()]));
        assert!(!covers("b.example.test", 1, 3, vec![gap()]), "the wildcard stays open");
        assert!(!covers("b.example.test", 1, 3, vec![apex()]), "the name stays open");
        assert!(covers("x.y.zz.example.test", 1, 3, vec![last(), apex()]), "the last gap leads back");
        assert!(!covers(
            "b.example.test",
            1,
            3,
            vec![nsec("*.example.test", "c.example.test", &[1]), gap(), apex()]
        ));
        // An empty answer: the type is missing in the map.
        assert!(covers("a.example.test", 28, 0, vec![gap()]));
        assert!(!covers("a.example.test", 1, 0, vec![gap()]), "the map says that there is one");
        assert!(!covers("a.example.test", 28, 0, vec![nsec("a.example.test", "b.example.test", &[CNAME])]));
        assert!(!covers("a.example.test", 28, 0, vec![last()]), "of another name");
        // A name that has others below it and nothing of its own.
        assert!(covers("d.example.test", 1, 0, vec![nsec("a.example.test", "x.d.example.test", &[1])]));
        // Answered by a wildcard that has not this type.
        let wildcard = || nsec("*.example.test", "a.example.test", &[16]);
        assert!(covers("b.example.test", 1, 0, vec![wildcard(), gap()]));
        assert!(!covers("b.example.test", 16, 0, vec![wildcard(), gap()]));
        assert!(matches!(judge("b.example.test", 1, 3, Vec::new()), DenialProof::Lacks { .. }));
    }

    #[test]
    fn the_example_of_the_standard_is_covered() {
        // RFC 5155, appendix A: salt aabbccdd, 12 iterations.
        let salt = [0xaa, 0xbb, 0xcc, 0xdd];
        let n = Nsec3 {
            zone: wire("example"),
            owner: String::new(),
            next: String::new(),
            iterations: 12,
            salt: salt.to_vec(),
            opt_out: true,
            types: Vec::new(),
        };
        for (name, hash) in [
            ("example", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"),
            ("a.example", "35mthgpgcu1qg68fab165klnsnk3dpvl"),
            ("*.w.example", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"),
            ("x.y.w.example", "2vptu5timamqttgl4luu9kg21e0aor3s"),
        ] {
            assert_eq!(n.hash(&wire(name)), hash, "{name}");
        }
        // Appendix B.1: a.c.x.w.example does not exist.
        let raw = |text: &str| -> Vec<u8> {
            let value = |c: u8| u64::from(if c.is_ascii_digit() { c - b'0' } else { c - b'a' + 10 });
            text.as_bytes()
                .chunks(8)
                .flat_map(|eight| {
                    let bits = eight.iter().fold(0_u64, |bits, c| bits << 5 | value(*c));
                    bits.to_be_bytes()[3..].to_vec()
                })
                .collect()
        };
        let nsec3 = |owner: &str, next: &str| {
            let data = [vec![1, 1, 0, 12, 4], salt.to_vec(), vec![20], raw(next), types(&[1])].concat();
            record([wire(owner)[..33].to_vec(), wire("example")].concat(), NSEC3, data)
        };
        let proofs = || {
            vec![
                nsec3("0p9mhaveqvm6t7vbl5lop2u3t2rp3tom", "2t7b4g4vsa5smi47k61mv5bv1a22bojr"),
                nsec3("b4um86eghhds6nea196smvmlo4ors995", "gjeqe526plbf1g8mklp59enfd789njgi"),
                nsec3("35mthgpgcu1qg68fab165klnsnk3dpvl", "b4um86eghhds6nea196smvmlo4ors995"),
            ]
        };
        let soa = || record(wire("example"), SOA, Vec::new());
        let judge = |proofs: Vec<WireRecord>| {
            let all: Vec<WireRecord> = std::iter::once(soa()).chain(proofs).collect();
            proof(&asked("a.c.x.w.example", 1, 3), &all).expect("negative")
        };
        assert_eq!(judge(proofs()), DenialProof::Covers);
        for without in 0..3 {
            let mut proofs = proofs();
            proofs.remove(without);
            assert!(matches!(judge(proofs), DenialProof::Lacks { .. }), "without {without}");
        }
        // Whoever hashes for ever is not followed.
        let mut endless = proofs();
        endless[0].data[2..4].copy_from_slice(&60_000_u16.to_be_bytes());
        assert!(matches!(judge(endless), DenialProof::Unchecked { .. }));
    }

    #[test]
    fn an_answer_that_denies_nothing_has_no_proof_to_judge() {
        let soa = record(wire("example.test"), SOA, Vec::new());
        let mut answer = record(wire("a.example.test"), 1, vec![192, 0, 2, 1]);
        answer.section = Section::Answer;
        assert_eq!(proof(&asked("a.example.test", 1, 0), &[answer, soa.clone()]), None);
        assert_eq!(proof(&asked("a.example.test", 1, 2), &[soa]), None, "SERVFAIL");
        let referral = record(wire("sub.example.test"), 2, wire("ns.example.test"));
        assert_eq!(proof(&asked("a.sub.example.test", 1, 0), &[referral]), None);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(message in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200), data in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60), nsec3: bool) {
            let soa = record(wire("example.test"), SOA, Vec::new());
            let rtype = if nsec3 { NSEC3 } else { NSEC };
            let all = [soa, record(data.clone(), rtype, data)];
            let _ = proof(&message, &all);
            let _ = proof(&asked("a.example.test", 1, 3), &all);
        }
    }
}
