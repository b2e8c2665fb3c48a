//! A DNS message record by record, with the data in the canonical form that signatures are made over.
//!
//! The codec gives records their meaning and loses their bytes. A signature is over the bytes: names written out in full and
//! in lower case (RFC 4034, section 6.2). The message comes from the peer: nothing is read twice, a pointer leads
//! backwards only (RFC 1035, section 4.1.4), and no name grows beyond 255 octets.

/// Longest name on the wire, in octets, the final zero included (RFC 1035, section 2.3.4).
const NAME_BYTE: usize = 255;
/// A header (RFC 1035, section 4.1.1).
const HEADER_BYTE: usize = 12;

pub(super) const NS: u16 = 2;
pub(super) const CNAME: u16 = 5;
pub(super) const SOA: u16 = 6;
const PTR: u16 = 12;
const MX: u16 = 15;
const AFSDB: u16 = 18;
const SRV: u16 = 33;
const DNAME: u16 = 39;
pub(super) const RRSIG: u16 = 46;
pub(super) const DNSKEY: u16 = 48;

/// Where in a message a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Section {
    Answer,
    Authority,
    Additional,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WireRecord {
    pub(super) section: Section,
    /// The owner in wire form, lower case, without compression.
    pub(super) owner: Vec<u8>,
    pub(super) rtype: u16,
    pub(super) class: u16,
    /// Data in canonical form.
    pub(super) data: Vec<u8>,
}

/// The records of a message; `None` when it is not whole.
pub(super) fn records(message: &[u8]) -> Option<Vec<WireRecord>> {
    let count = |at: usize| Some(usize::from(u16_at(message, at)?));
    let (questions, mut at) = (count(4)?, HEADER_BYTE);
    for _ in 0..questions {
        at = name(message, at)?.1.checked_add(4).filter(|at| *at <= message.len())?;
    }
    let mut records = Vec::new();
    for (section, counted) in [(Section::Answer, 6), (Section::Authority, 8), (Section::Additional, 10)] {
        for _ in 0..count(counted)? {
            let (owner, after) = name(message, at)?;
            let (rtype, class) = (u16_at(message, after)?, u16_at(message, after + 2)?);
            let length = usize::from(u16_at(message, after + 8)?);
            let start = after + 10;
            let end = start + length;
            if end > message.len() {
                return None;
            }
            let data = canonical(message, rtype, start, end)?;
            records.push(WireRecord { section, owner, rtype, class, data });
            at = end;
        }
    }
    Some(records)
}

/// Data of a record with the names in it written out in lower case, for the types in which RFC 4034, section 6.2, wants it
/// so and that are still in use. Data of other types is as sent: no name in it may be compressed (RFC 3597, section 4).
fn canonical(message: &[u8], rtype: u16, start: usize, end: usize) -> Option<Vec<u8>> {
    // Octets before the first name, names, and whatever follows.
    let (before, names) = match rtype {
        NS | CNAME | PTR | DNAME => (0, 1),
        SOA => (0, 2),
        MX | AFSDB => (2, 1),
        SRV => (6, 1),
        RRSIG => (18, 1),
        _ => return message.get(start..end).map(<[u8]>::to_vec),
    };
    let mut at = start + before;
    let mut data = message.get(start..at).filter(|_| at <= end)?.to_vec();
    for _ in 0..names {
        let (expanded, after) = name(message, at)?;
        if after > end {
            return None;
        }
        data.extend(expanded);
        at = after;
    }
    data.extend(message.get(at..end)?);
    Some(data)
}

/// The name at `at`, in lower case and without compression, and where the message goes on after it.
pub(super) fn name(message: &[u8], at: usize) -> Option<(Vec<u8>, usize)> {
    let (mut expanded, mut from, mut after) = (Vec::new(), at, None);
    // Every jump goes to before where the present run of labels began, so that there are fewer of them than octets.
    let mut run = at;
    loop {
        let length = *message.get(from)?;
        match length >> 6 {
            0 if length == 0 => {
                expanded.push(0);
                return (expanded.len() <= NAME_BYTE).then_some((expanded, after.unwrap_or(from + 1)));
            }
            0 => {
                let label = message.get(from..=from + usize::from(length))?;
                expanded.extend(label.iter().map(u8::to_ascii_lowercase));
                if expanded.len() >= NAME_BYTE {
                    return None;
                }
                from += label.len();
            }
            3 => {
                let target = usize::from(u16_at(message, from)? & 0x3fff);
                after.get_or_insert(from + 2);
                if target >= run {
                    return None;
                }
                (from, run) = (target, target);
            }
            _ => return None,
        }
    }
}

/// Labels of a name in wire form, the root not counted.
pub(super) fn labels(name: &[u8]) -> usize {
    let (mut at, mut count) = (0, 0);
    while let Some(length) = name.get(at).filter(|length| **length > 0) {
        at += usize::from(*length) + 1;
        count += 1;
    }
    count
}

/// The last `keep` labels of a name in wire form.
pub(super) fn last_labels(name: &[u8], keep: usize) -> &[u8] {
    let mut rest = name;
    for _ in keep..labels(name) {
        rest = rest.get(usize::from(rest[0]) + 1..).unwrap_or(&[0]);
    }
    rest
}

/// A name in wire form as the evidence spells it: without the final dot; the root is a dot. Octets that a host name cannot
/// have are escaped (RFC 1035, section 5.1).
pub(super) fn text(name: &[u8]) -> String {
    let (mut at, mut text) = (0, String::new());
    while let Some(length) = name.get(at).filter(|length| **length > 0) {
        let label = name.get(at + 1..=at + usize::from(*length)).unwrap_or_default();
        if !text.is_empty() {
            text.push('.');
        }
        for octet in label {
            match octet {
                b'.' | b'\\' => text.extend(['\\', char::from(*octet)]),
                b'!'..=b'~' => text.push(char::from(*octet)),
                other => text.push_str(&format!("\\{other:03}")),
            }
        }
        at += usize::from(*length) + 1;
    }
    if text.is_empty() { ".".to_owned() } else { text }
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|pair| u16::from_be_bytes(*pair))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|four| u32::from_be_bytes(*four))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message with one question and the given rest.
    fn message(answers: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 1, 0x84, 0, 0, 1, 0, answers, 0, 0, 0, 0];
        bytes.extend(b"\x03API\x07example\x04test\x00\x00\x01\x00\x01");
        bytes.extend(rest);
        bytes
    }

    #[test]
    fn names_are_written_out_in_lower_case() {
        // An MX record whose exchange is "Mail" and a pointer to "example.test" at 16.
        let answer = b"\xc0\x0c\x00\x0f\x00\x01\x00\x00\x00\x3c\x00\x09\x00\x0a\x04Mail\xc0\x10";
        let found = records(&message(1, answer)).expect("whole");
        assert_eq!(text(&found[0].owner), "api.example.test");
        assert_eq!(found[0].data, b"\x00\x0a\x04mail\x07example\x04test\x00");
        assert_eq!(labels(&found[0].owner), 3);
        assert_eq!(text(last_labels(&found[0].owner, 2)), "example.test");
        assert_eq!(text(last_labels(&found[0].owner, 0)), ".");
    }

    #[test]
    fn pointers_that_do_not_lead_backwards_are_refused() {
        let head = message(1, &[]);
        let here = u8::try_from(head.len()).expect("short");
        for pointer in [here, here + 2, 0xff] {
            let answer = [0xc0, pointer, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1];
            assert_eq!(records(&message(1, &answer)), None, "{pointer}");
        }
        // Two pointers to each other.
        let answer = [0xc0, here + 2, 0xc0, here, 0, 1, 0, 1, 0, 0, 0, 60, 0, 0];
        assert_eq!(records(&message(1, &answer)), None);
        // A name of 64 times the same label by ever the same pointer would be endless; by labels it is too long.
        let long = [b"\x3f".as_slice(), &[b'a'; 63]].concat().repeat(4);
        assert_eq!(name(&[long.as_slice(), &[0]].concat(), 0), None);
    }

    #[test]
    fn counts_that_the_message_does_not_hold_are_refused() {
        let mut bytes = message(1, &[]);
        assert_eq!(records(&bytes), None);
        bytes[7] = 0;
        assert_eq!(records(&bytes), Some(Vec::new()));
        assert_eq!(records(&bytes[..11]), None);
    }
}
