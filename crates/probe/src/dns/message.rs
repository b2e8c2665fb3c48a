//! DNS messages: a question into bytes, bytes into an answer. The bytes come from the peer and are not trusted.

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::SVCB;
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use landfall_evidence::{DnsAnswer, DnsManner, DnsRecord, ExtendedError};

use super::dnssec::{self, key_tag};
use super::wire;
use crate::connect::Fault;

/// UDP payload size offered with EDNS: what passes every usual path in one piece (DNS flag day 2020).
const PAYLOAD_BYTE: u16 = 1232;
/// Records kept of each section.
const RECORDS: usize = 128;
/// Longest data of one record that is kept, in characters.
const DATA_LENGTH: usize = 1024;
/// Extended errors kept of one answer.
const EXTENDED_ERRORS: usize = 8;
/// The EDNS option of extended errors (RFC 8914, section 2).
const EXTENDED_ERROR: u16 = 15;

/// A question about one name and type in the Internet class.
#[derive(Debug, Clone)]
pub(super) struct Question {
    name: Name,
    rtype: RecordType,
    recursion: bool,
    edns: bool,
    flags: Flags,
}

/// Special wishes of a question.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Flags {
    /// CD: hand out what could not be validated (RFC 4035, section 3.2.2).
    pub(super) checking_disabled: bool,
    /// DO: send signatures too (RFC 3225).
    pub(super) dnssec_ok: bool,
    /// Keep the addresses of the additional section: the glue of a referral.
    pub(super) glue: bool,
    /// What else is out of the ordinary.
    pub(super) manner: DnsManner,
}

/// What a received message is to the question that was sent.
#[derive(Debug)]
pub(super) enum Reading {
    /// The answer.
    Answer(Box<DnsAnswer>),
    /// Marked as truncated, and not even whole up to there: to be asked again over TCP.
    Cut,
    /// Not an answer to this question (another id, another name); says why.
    NotOurs(String),
    /// The answer to this question, but it cannot be parsed.
    Mangled(String),
}

impl Question {
    /// # Errors
    /// When the name is not a domain name (a label over 63 octets, a name over 255); that is a fault of the question.
    pub(super) fn new(name: &str, rtype: RecordType, recursion: bool, flags: Flags) -> Result<Self, Fault> {
        let mut parsed = Name::from_ascii(name)
            .map_err(|error| Fault::local(format!("{name:?} is not a domain name: {error}")))?;
        parsed.set_fqdn(true);
        Ok(Self { name: parsed, rtype, recursion, edns: flags.manner != DnsManner::NoEdns, flags })
    }

    /// How it differs from the usual question.
    pub(super) fn manner(&self) -> DnsManner {
        self.flags.manner
    }

    /// The same question without EDNS.
    pub(super) fn plain(&self) -> Self {
        Self { edns: false, ..self.clone() }
    }

    /// The query on the wire, with its random id. AD is set to learn whether the resolver validated (RFC 6840,
    /// section 5.7) without asking for the signatures.
    pub(super) fn encode(&self) -> Result<(u16, Vec<u8>), Fault> {
        let mut message = Message::query();
        message.metadata.recursion_desired = self.recursion;
        message.metadata.authentic_data = true;
        if self.flags.manner == DnsManner::Recursion {
            message.metadata.recursion_desired = true;
        }
        message.metadata.checking_disabled = self.flags.checking_disabled;
        message.add_query(Query::query(self.name.clone(), self.rtype));
        if self.edns {
            let mut edns = Edns::new();
            edns.set_max_payload(PAYLOAD_BYTE);
            edns.set_dnssec_ok(self.flags.dnssec_ok);
            if self.flags.manner == DnsManner::FutureEdns {
                edns.set_version(1);
            }
            message.set_edns(edns);
        }
        let bytes =
            message.to_vec().map_err(|error| Fault::local(format!("cannot encode the question: {error}")))?;
        Ok((message.metadata.id, bytes))
    }

    /// Reads what came back.
    pub(super) fn read(&self, id: u16, bytes: &[u8]) -> Reading {
        // Header: id, then QR in the top bit of octet 2 and TC in its second lowest (RFC 1035, section 4.1.1).
        let [id_high, id_low, flags, ..] = *bytes else {
            return Reading::NotOurs(format!("{} bytes are too few for a DNS message", bytes.len()));
        };
        if u16::from_be_bytes([id_high, id_low]) != id || flags & 0x80 == 0 {
            return Reading::NotOurs("a message that is no response to this query".to_owned());
        }
        let message = match Message::from_vec(bytes) {
            Ok(message) => message,
            Err(_) if flags & 0x02 != 0 => return Reading::Cut,
            Err(error) => return Reading::Mangled(error.to_string()),
        };
        if message.metadata.message_type != MessageType::Response || message.metadata.op_code != OpCode::Query
        {
            return Reading::NotOurs("a message that is no response to a query".to_owned());
        }
        match message.queries.as_slice() {
            [asked] if self.is(asked) => {
                if self.flags.manner == DnsManner::MixedCase && !asked.name.eq_case(&self.name) {
                    return Reading::Mangled(format!("the answer repeats the name as {}", asked.name));
                }
            }
            // Servers that could not even read the question may leave it out.
            [] if message.metadata.response_code != ResponseCode::NoError => {}
            _ => return Reading::NotOurs("a response to another question".to_owned()),
        }
        let mut answer = answer(&message, self.flags.glue);
        if self.flags.manner == DnsManner::Transfer {
            // What a zone holds is its owner's affair; that it is handed out is all that we want to know.
            answer.answers.retain(|record| record.rtype == "SOA");
            answer.authority.clear();
        } else if self.flags.dnssec_ok {
            answer.signing = dnssec::signing(bytes, None);
        }
        Reading::Answer(Box::new(answer))
    }

    fn is(&self, asked: &Query) -> bool {
        asked.name == self.name && asked.query_type == self.rtype && asked.query_class == DNSClass::IN
    }
}

/// Everything that is done with the bytes of an answer, with nothing of it left out for being an answer to something else.
pub(super) fn read_anything(bytes: &[u8]) -> Option<DnsAnswer> {
    let keys = dnssec::Keys::of(bytes);
    let signing = dnssec::signing(bytes, keys.as_ref());
    let message = Message::from_vec(bytes).ok()?;
    Some(DnsAnswer { signing, ..answer(&message, true) })
}

fn answer(message: &Message, glue: bool) -> DnsAnswer {
    let section = |records: &[Record]| records.iter().take(RECORDS).map(record).collect();
    let meta = &message.metadata;
    let is_address = |record: &&Record| matches!(record.data, RData::A(_) | RData::AAAA(_));
    let additional = if glue { message.additionals.as_slice() } else { &[] };
    DnsAnswer {
        rcode: meta.response_code.into(),
        rcode_name: rcode_name(meta.response_code.into()),
        authoritative: meta.authoritative,
        recursion_available: meta.recursion_available,
        authentic_data: meta.authentic_data,
        truncated: meta.truncation,
        answers: section(&message.answers),
        authority: section(&message.authorities),
        extended_errors: message.edns.as_ref().map(extended_errors).unwrap_or_default(),
        glue: additional.iter().filter(is_address).take(RECORDS).map(record).collect(),
        signing: None,
    }
}

fn extended_errors(edns: &Edns) -> Vec<ExtendedError> {
    let options = edns.options().options.iter().filter_map(|(_, option)| match option {
        EdnsOption::Unknown(EXTENDED_ERROR, data) => Some(data.as_slice()),
        _ => None,
    });
    options
        .filter_map(|data| {
            let (code, text) = data.split_first_chunk::<2>()?;
            let text = String::from_utf8_lossy(text);
            // EXTRA-TEXT may end in a NUL, which is no part of it (RFC 8914, section 2).
            Some(ExtendedError { code: u16::from_be_bytes(*code), text: clean(text.trim_end_matches('\0')) })
        })
        .take(EXTENDED_ERRORS)
        .collect()
}

fn record(record: &Record) -> DnsRecord {
    DnsRecord {
        name: name_text(&record.name),
        rtype: record.record_type().to_string(),
        ttl_s: record.ttl,
        data: clean(&data(&record.data)),
    }
}

/// Data in presentation form (RFC 1035 section 5, and the documents of the younger types).
fn data(data: &RData) -> String {
    match data {
        RData::A(address) => address.to_string(),
        RData::AAAA(address) => address.to_string(),
        RData::CNAME(name) => name_text(name),
        RData::NS(name) => name_text(name),
        RData::PTR(name) => name_text(name),
        RData::MX(mx) => format!("{} {}", mx.preference, name_text(&mx.exchange)),
        RData::SOA(soa) => format!(
            "{} {} {} {} {} {} {}",
            name_text(&soa.mname),
            name_text(&soa.rname),
            soa.serial,
            soa.refresh,
            soa.retry,
            soa.expire,
            soa.minimum
        ),
        RData::CAA(caa) => format!("{} {} {}", caa.flags(), caa.tag, quoted(&caa.value)),
        RData::TXT(txt) => {
            let strings: Vec<_> = txt.txt_data.iter().map(|string| quoted(string)).collect();
            strings.join(" ")
        }
        RData::HTTPS(https) => service(&https.0),
        RData::SVCB(svcb) => service(svcb),
        RData::Unknown { code, rdata } => {
            signed(*code, &rdata.anything).unwrap_or_else(|| format!("\\# {}", rdata.anything.len()))
        }
        other => other.to_string(),
    }
}

/// A service binding (RFC 9460, section 2.1): priority, target, parameters. The codec ends a list with a comma.
fn service(svcb: &SVCB) -> String {
    let mut text = format!("{} {}", svcb.svc_priority, name_text(&svcb.target_name));
    for (key, value) in &svcb.svc_params {
        let value = value.to_string();
        text.push_str(&format!(" {key}={}", value.trim_end_matches(',')));
    }
    text
}

/// Records of DNSSEC (RFC 4034) without keys and signatures, which are long and tell a reader nothing; the codec is built
/// without them, so they arrive as bytes. `None` for other types and for data that is too short.
fn signed(rtype: RecordType, data: &[u8]) -> Option<String> {
    let u16_at = |at: usize| data.get(at..at + 2).map(|b| u16::from_be_bytes([b[0], b[1]]));
    let u32_at = |at: usize| data.get(at..at + 4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
    Some(match rtype {
        RecordType::DS | RecordType::CDS => {
            let digest: String = data.get(4..)?.iter().map(|byte| format!("{byte:02X}")).collect();
            format!("{} {} {} {digest}", u16_at(0)?, data.get(2)?, data.get(3)?)
        }
        // Hash algorithm, flags, iterations, salt (RFC 5155, sections 3.2 and 4.2); the names are hashes and tell nothing.
        RecordType::NSEC3 | RecordType::NSEC3PARAM => {
            let salt = data.get(5..5 + usize::from(*data.get(4)?))?;
            let salt: String = salt.iter().map(|byte| format!("{byte:02X}")).collect();
            let salt = if salt.is_empty() { "-" } else { &salt };
            let more = if rtype == RecordType::NSEC3 { " …" } else { "" };
            format!("{} {} {} {salt}{more}", data[0], data[1], u16_at(2)?)
        }
        RecordType::NSEC => format!("{} …", wire::text(&wire::name(data, 0)?.0)),
        RecordType::DNSKEY | RecordType::CDNSKEY => {
            data.get(4)?;
            format!("{} {} {} … ; key id = {}", u16_at(0)?, data[2], data[3], key_tag(data))
        }
        RecordType::RRSIG => {
            let (labels, mut at) = (&mut Vec::new(), 18);
            loop {
                let length = usize::from(*data.get(at)?);
                if length == 0 {
                    break;
                }
                labels.push(String::from_utf8_lossy(data.get(at + 1..at + 1 + length)?).to_ascii_lowercase());
                at += 1 + length;
            }
            format!(
                "{} {} {} {} {} {} {} {} …",
                RecordType::from(u16_at(0)?),
                data[2],
                data[3],
                u32_at(4)?,
                signature_time(u32_at(8)?),
                signature_time(u32_at(12)?),
                u16_at(16)?,
                if labels.is_empty() { ".".to_owned() } else { labels.join(".") }
            )
        }
        _ => return None,
    })
}

/// A signature's time as RFC 4034, section 3.2, writes it: YYYYMMDDHHmmSS in UTC. The 32 bits are taken as seconds since
/// 1970, which holds until 2106.
fn signature_time(seconds: u32) -> String {
    jiff::Timestamp::from_second(i64::from(seconds))
        .map(|time| time.strftime("%Y%m%d%H%M%S").to_string())
        .unwrap_or_else(|_| seconds.to_string())
}

fn quoted(bytes: &[u8]) -> String {
    let escaped = String::from_utf8_lossy(bytes).replace('\\', r"\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}

/// A name as the evidence spells it: lower case, without the final dot; the root is a dot.
pub(super) fn name_text(name: &Name) -> String {
    let text = name.to_lowercase().to_ascii();
    match text.strip_suffix('.') {
        Some(rest) if !rest.is_empty() => rest.to_owned(),
        _ => text,
    }
}

/// The mnemonic of a response code (IANA registry "DNS RCODEs").
pub(super) fn rcode_name(code: u16) -> String {
    let known = match code {
        0 => "NOERROR",
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        6 => "YXDOMAIN",
        7 => "YXRRSET",
        8 => "NXRRSET",
        9 => "NOTAUTH",
        10 => "NOTZONE",
        16 => "BADVERS",
        23 => "BADCOOKIE",
        other => return format!("RCODE{other}"),
    };
    known.to_owned()
}

fn clean(text: &str) -> String {
    text.chars()
        .take(DATA_LENGTH)
        .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::rr::rdata::{A, CAA, CNAME, MX, NS, SOA, TXT};
    use proptest::prelude::*;

    fn name(text: &str) -> Name {
        Name::from_ascii(text).expect("valid name")
    }

    fn response(question: &Question, id: u16) -> Message {
        let mut message = Message::response(id, OpCode::Query);
        message.add_query(Query::query(question.name.clone(), question.rtype));
        message
    }

    fn read(question: &Question, message: &Message) -> DnsAnswer {
        match question.read(message.metadata.id, &message.to_vec().expect("encodes")) {
            Reading::Answer(answer) => *answer,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_query_carries_edns_and_the_recursion_bit_as_asked() {
        for recursion in [true, false] {
            let question =
                Question::new("API.Example.test", RecordType::A, recursion, Flags::default()).expect("valid");
            let (id, bytes) = question.encode().expect("encodes");
            let sent = Message::from_vec(&bytes).expect("parses");
            assert_eq!(sent.metadata.id, id);
            assert_eq!(sent.metadata.recursion_desired, recursion);
            assert_eq!(sent.max_payload(), PAYLOAD_BYTE);
            assert_eq!(sent.queries.len(), 1);
        }
        assert!(Question::new(&"x".repeat(64), RecordType::A, true, Flags::default()).is_err());
        assert!(Question::new("a..b", RecordType::A, true, Flags::default()).is_err());
    }

    #[test]
    fn records_are_written_in_presentation_form() {
        let question =
            Question::new("api.example.test", RecordType::A, true, Flags::default()).expect("valid");
        let owner = name("API.example.test.");
        let data = [
            RData::A(A::new(192, 0, 2, 1)),
            RData::AAAA("2001:db8::1".parse().map(hickory_proto::rr::rdata::AAAA).expect("valid")),
            RData::CNAME(CNAME(name("App.Host.example."))),
            RData::NS(NS(name("ns1.example.test."))),
            RData::MX(MX::new(10, name("."))),
            RData::SOA(SOA::new(
                name("ns1.example.test."),
                name("root.example.test."),
                7,
                14_400,
                3600,
                604_800,
                300,
            )),
            RData::CAA(CAA::new_issue(false, Some(name("pki.goog")), Vec::new())),
            RData::TXT(TXT::new(vec!["v=1".into(), "say \"hi\"\u{7}".into()])),
        ];
        let mut message = response(&question, 7);
        message.add_answers(data.map(|data| Record::from_rdata(owner.clone(), 60, data)));
        let answer = read(&question, &message);
        let shown: Vec<_> = answer.answers.iter().map(|r| (r.rtype.as_str(), r.data.as_str())).collect();
        assert_eq!(
            shown,
            [
                ("A", "192.0.2.1"),
                ("AAAA", "2001:db8::1"),
                ("CNAME", "app.host.example"),
                ("NS", "ns1.example.test"),
                ("MX", "10 ."),
                ("SOA", "ns1.example.test root.example.test 7 14400 3600 604800 300"),
                ("CAA", "0 issue \"pki.goog\""),
                ("TXT", "\"v=1\" \"say \\\"hi\\\"\u{fffd}\""),
            ]
        );
        assert!(answer.answers.iter().all(|r| r.name == "api.example.test" && r.ttl_s == 60));
    }

    #[test]
    fn records_of_dnssec_show_dates_and_key_tags() {
        // The DNSKEY and DS of RFC 4034, sections 5.4 and 4.3 (dskey.example.com), and an RRSIG by hand.
        use base64::Engine as _;
        let key = base64::engine::general_purpose::STANDARD
            .decode(concat!(
                "AQOeiiR0GOMYkDshWoSKz9XzfwJr1AYtsmx3TGkJaNXVbfi/2pHm822aJ5iI9BMzNXxeYCmZDRD99WYwYqUSdjMmmAphXdvx",
                "egXd/M5+X7OrzKBaMbCVdFLUUh6DhweJBjEVv5f2wwjM9XzcnOf+EPbtG9DMBmADjFDc2w/rljwvFw=="
            ))
            .expect("valid");
        let dnskey = [&[1, 0, 3, 5], key.as_slice()].concat();
        assert_eq!(signed(RecordType::DNSKEY, &dnskey).as_deref(), Some("256 3 5 … ; key id = 60485"));
        let ds = [&60485_u16.to_be_bytes()[..], &[5, 1, 0x2B, 0xB1]].concat();
        assert_eq!(signed(RecordType::DS, &ds).as_deref(), Some("60485 5 1 2BB1"));
        let mut rrsig = vec![0, 1, 13, 3, 0, 0, 0, 60];
        rrsig.extend(1_769_904_000_u32.to_be_bytes());
        rrsig.extend(1_767_225_600_u32.to_be_bytes());
        rrsig.extend(2371_u16.to_be_bytes());
        rrsig.extend(b"\x07Example\x04test\x00signature");
        assert_eq!(
            signed(RecordType::RRSIG, &rrsig).as_deref(),
            Some("A 13 3 60 20260201000000 20260101000000 2371 example.test …")
        );
        for cut in 0..rrsig.len() - 9 {
            assert_eq!(signed(RecordType::RRSIG, &rrsig[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn glue_is_kept_where_it_is_asked_for() {
        for glue in [true, false] {
            let flags = Flags { glue, ..Flags::default() };
            let question = Question::new("example.test", RecordType::NS, false, flags).expect("valid");
            let mut message = response(&question, 7);
            message.add_authority(Record::from_rdata(
                question.name.clone(),
                60,
                RData::NS(NS(name("ns1.example.test."))),
            ));
            message.add_additional(Record::from_rdata(
                name("ns1.example.test."),
                60,
                RData::A(A::new(192, 0, 2, 53)),
            ));
            let answer = read(&question, &message);
            assert_eq!(answer.authority[0].data, "ns1.example.test");
            assert_eq!(answer.glue.len(), usize::from(glue));
        }
    }

    #[test]
    fn extended_errors_may_repeat() {
        let question =
            Question::new("api.example.test", RecordType::A, true, Flags::default()).expect("valid");
        let mut message = response(&question, 7);
        message.metadata.response_code = ResponseCode::ServFail;
        let mut edns = Edns::new();
        edns.options_mut().insert(EdnsOption::Unknown(15, b"\x00\x09no DNSKEY\x00".to_vec()));
        edns.options_mut().insert(EdnsOption::Unknown(15, vec![0, 22]));
        edns.options_mut().insert(EdnsOption::Unknown(15, vec![1]));
        message.set_edns(edns);
        let answer = read(&question, &message);
        assert_eq!((answer.rcode, answer.rcode_name.as_str()), (2, "SERVFAIL"));
        assert_eq!(
            answer.extended_errors,
            [
                ExtendedError { code: 9, text: "no DNSKEY".into() },
                ExtendedError { code: 22, text: String::new() }
            ]
        );
    }

    #[test]
    fn only_the_answer_to_this_question_is_read() {
        let question =
            Question::new("api.example.test", RecordType::A, true, Flags::default()).expect("valid");
        let other = Question::new("www.example.test", RecordType::A, true, Flags::default()).expect("valid");
        let bytes = response(&other, 7).to_vec().expect("encodes");
        assert!(matches!(question.read(7, &bytes), Reading::NotOurs(_)));
        assert!(matches!(other.read(8, &bytes), Reading::NotOurs(_)));
        assert!(matches!(other.read(7, &bytes), Reading::Answer(_)));
        let (id, query) = other.encode().expect("encodes");
        assert!(matches!(other.read(id, &query), Reading::NotOurs(_)), "a query is no answer to itself");
        assert!(matches!(other.read(7, &bytes[..2]), Reading::NotOurs(_)));
        assert!(matches!(other.read(7, &bytes[..bytes.len() - 3]), Reading::Mangled(_)));
        let mut cut = bytes[..bytes.len() - 3].to_vec();
        cut[2] |= 0x02;
        assert!(matches!(other.read(7, &cut), Reading::Cut));
    }

    #[test]
    fn records_over_the_bound_are_left_out() {
        let question =
            Question::new("api.example.test", RecordType::A, true, Flags::default()).expect("valid");
        let mut message = response(&question, 7);
        let record = Record::from_rdata(question.name.clone(), 60, RData::A(A::new(192, 0, 2, 1)));
        message.add_answers(std::iter::repeat_n(record, 300));
        assert_eq!(read(&question, &message).answers.len(), RECORDS);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let question = Question::new("api.example.test", RecordType::A, true, Flags::default()).expect("valid");
            let _ = question.read(7, &bytes);
            if bytes.len() > 12 {
                bytes[..6].copy_from_slice(&[0, 7, 0x80, 0, 0, 1]);
                let _ = question.read(7, &bytes);
            }
        }

        #[test]
        fn no_damage_makes_the_reader_panic(at in 0usize..120, byte: u8) {
            let question = Question::new("api.example.test", RecordType::A, true, Flags::default()).expect("valid");
            let mut message = response(&question, 7);
            message.add_answer(Record::from_rdata(question.name.clone(), 60, RData::TXT(TXT::new(vec!["x".into()]))));
            message.set_edns(Edns::new());
            let mut bytes = message.to_vec().expect("encodes");
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            let _ = question.read(7, &bytes);
        }
    }
}
