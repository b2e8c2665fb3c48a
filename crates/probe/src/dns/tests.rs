//! The probe against small servers on loopback that behave and misbehave on purpose.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hickory_proto::op::{Edns, Message, Query, ResponseCode};
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::rdata::{A, AAAA, CAA, NS, SOA};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use landfall_evidence::{
    Denial, DnsObservation, DnsTransport, Observation, ObservationId, Observed, Phase, ProbeFault, Seen,
    Silence, Vantage,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use super::query::{Server, ask};
use super::{Hints, addresses, around, follow_up, zone};
use crate::net::{AddressMap, Context, Limits, test_context};

/// A DNS server on UDP and TCP at one port. `reply` gives the messages to send back, none for silence.
pub(super) struct TestServer {
    pub(super) address: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
}

#[derive(Debug, Clone)]
pub(super) struct Heard {
    pub(super) name: String,
    pub(super) rtype: RecordType,
    recursion: bool,
    pub(super) tcp: bool,
}

impl TestServer {
    pub(super) async fn start(
        reply: impl Fn(&Message, &Heard, usize) -> Vec<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind("127.0.0.1:0").await.expect("loopback");
            // The TCP port of the same number may be taken by somebody else: then try the next one.
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().expect("bound")).await {
                break (udp, tcp);
            }
        };
        let address = udp.local_addr().expect("bound");
        let heard: Arc<Mutex<Vec<Heard>>> = Arc::default();
        let (reply, log) = (Arc::new(reply), Arc::clone(&heard));
        let answer = move |bytes: &[u8], tcp: bool| {
            let query = Message::from_vec(bytes).expect("the probe sends well-formed queries");
            let question = query.queries.first().expect("with one question");
            let heard = Heard {
                name: super::message::name_text(&question.name),
                rtype: question.query_type,
                recursion: query.metadata.recursion_desired,
                tcp,
            };
            let mut log = log.lock().expect("no panic");
            log.push(heard.clone());
            reply(&query, &heard, log.len())
        };
        let answer = Arc::new(answer);
        let over_udp = Arc::clone(&answer);
        tokio::spawn(async move {
            let mut buffer = [0; 2048];
            while let Ok((length, from)) = udp.recv_from(&mut buffer).await {
                for datagram in over_udp(&buffer[..length], false) {
                    let _ = udp.send_to(&datagram, from).await;
                }
            }
        });
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = tcp.accept().await {
                let Ok(length) = stream.read_u16().await else { continue };
                let mut query = vec![0; usize::from(length)];
                if stream.read_exact(&mut query).await.is_err() {
                    continue;
                }
                for message in answer(&query, true) {
                    let _ = stream.write_u16(u16::try_from(message.len()).expect("short")).await;
                    let _ = stream.write_all(&message).await;
                }
            }
        });
        Self { address, heard }
    }

    pub(super) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().expect("no panic").clone()
    }
}

pub(super) fn name(text: &str) -> Name {
    if text == "." { Name::root() } else { Name::from_ascii(format!("{text}.")).expect("valid name") }
}

pub(super) fn response(query: &Message) -> Message {
    let mut message = Message::response(query.metadata.id, query.metadata.op_code);
    message.add_queries(query.queries.clone());
    message.metadata.recursion_available = query.metadata.recursion_desired;
    message
}

pub(super) fn with_code(query: &Message, code: ResponseCode) -> Vec<Vec<u8>> {
    let mut message = response(query);
    message.metadata.response_code = code;
    vec![message.to_vec().expect("encodes")]
}

pub(super) fn with_records(query: &Message, records: Vec<Record>) -> Vec<Vec<u8>> {
    let mut message = response(query);
    message.add_answers(records);
    vec![message.to_vec().expect("encodes")]
}

pub(super) fn a(owner: &str, last: u8) -> Record {
    Record::from_rdata(name(owner), 60, RData::A(A::new(192, 0, 2, last)))
}

fn aaaa(owner: &str, last: u16) -> Record {
    Record::from_rdata(name(owner), 60, RData::AAAA(AAAA::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last)))
}

/// Two IPv4 addresses and one IPv6 address for every name.
fn dual_stack(query: &Message, heard: &Heard, _nth: usize) -> Vec<Vec<u8>> {
    match heard.rtype {
        RecordType::A => with_records(query, vec![a(&heard.name, 1), a(&heard.name, 2)]),
        RecordType::AAAA => with_records(query, vec![aaaa(&heard.name, 1)]),
        _ => with_records(query, Vec::new()),
    }
}

pub(super) fn context(resolvers: &[SocketAddr]) -> Context {
    let mut ctx = test_context();
    ctx.resolvers = resolvers.into();
    ctx
}

async fn ask_a(ctx: &Context, server: SocketAddr) -> Observation {
    ask(ctx, &Server::recursive(server), "api.example.test", RecordType::A, Vantage::Edge, None).await
}

pub(super) fn dns(observation: &Observation) -> &DnsObservation {
    match &observation.seen {
        Seen::Dns(dns) => dns,
        other => panic!("{other:?}"),
    }
}

fn data(observation: &Observation) -> Vec<&str> {
    dns(observation).answer.present().expect("an answer").answers.iter().map(|r| r.data.as_str()).collect()
}

#[tokio::test]
async fn both_families_are_found_and_take_turns() {
    let server = TestServer::start(dual_stack).await;
    let found = addresses(&context(&[server.address]), "API.example.test.", 443, Vantage::Edge).await;
    let expected = ["192.0.2.1:443", "[2001:db8::1]:443", "192.0.2.2:443"].map(|a| a.parse().expect("valid"));
    assert_eq!(found.sockets(443), expected);
    assert_eq!(found.fault, None);
    let mut ids: Vec<_> = found.observations.iter().map(|o| o.id.0.clone()).collect();
    ids.sort();
    let server = server.address;
    assert_eq!(
        ids,
        [
            format!("dns/recursive/{server}/A api.example.test"),
            format!("dns/recursive/{server}/AAAA api.example.test")
        ]
    );
    let last = found.observations.iter().max_by_key(|o| o.ended_us()).map(|o| o.id.clone());
    assert_eq!(found.settled_by, last);
    assert!(found.observations.iter().all(|o| o.round_trips == 1 && o.vantage == Vantage::Edge));
    assert!(found.late.collect().await.is_empty());
}

#[tokio::test]
async fn a_name_that_does_not_exist_blocks_the_connection_and_says_why() {
    let server = TestServer::start(|query, _, _| with_code(query, ResponseCode::NXDomain)).await;
    let found = addresses(&context(&[server.address]), "gone.example.test", 443, Vantage::Edge).await;
    assert!(found.addresses.is_empty());
    let Some(ProbeFault::Blocked { by, reason }) = found.fault else { panic!("{:?}", found.fault) };
    assert_eq!(reason, "gone.example.test does not resolve (NXDOMAIN)");
    assert!(found.observations.iter().any(|o| o.id == by));
    for observation in &found.observations {
        let Observed::Denied(Denial::Rcode(answer)) = &dns(observation).answer else {
            panic!("{observation:?}")
        };
        assert_eq!((answer.rcode, answer.rcode_name.as_str()), (3, "NXDOMAIN"));
    }
}

#[tokio::test]
async fn a_name_without_addresses_is_not_a_name_that_does_not_exist() {
    let server = TestServer::start(|query, _, _| with_records(query, Vec::new())).await;
    let found = addresses(&context(&[server.address]), "mail.example.test", 443, Vantage::Edge).await;
    let reason = found.fault.expect("no address").to_string();
    assert_eq!(reason, "mail.example.test has no address (NOERROR, but neither A nor AAAA records)");
    assert!(found.observations.iter().all(|o| dns(o).answer.present().is_some()));
}

#[tokio::test]
async fn a_failure_keeps_its_extended_errors() {
    let server = TestServer::start(|query, _, _| {
        let mut message = response(query);
        message.metadata.response_code = ResponseCode::ServFail;
        let mut edns = Edns::new();
        edns.options_mut().insert(EdnsOption::Unknown(15, b"\x00\x06signature mismatch".to_vec()));
        message.set_edns(edns);
        vec![message.to_vec().expect("encodes")]
    })
    .await;
    let observation = ask_a(&test_context(), server.address).await;
    let Observed::Denied(Denial::Rcode(answer)) = &dns(&observation).answer else {
        panic!("{observation:?}")
    };
    assert_eq!(answer.rcode_name, "SERVFAIL");
    assert_eq!(
        (answer.extended_errors[0].code, answer.extended_errors[0].text.as_str()),
        (6, "signature mismatch")
    );
}

#[tokio::test]
async fn a_truncated_answer_is_asked_for_again_over_tcp() {
    let server = TestServer::start(|query, heard, _| {
        if heard.tcp {
            return with_records(query, vec![a(&heard.name, 1), a(&heard.name, 2)]);
        }
        let mut message = response(query);
        message.metadata.truncation = true;
        vec![message.to_vec().expect("encodes")]
    })
    .await;
    let observation = ask_a(&test_context(), server.address).await;
    assert_eq!(data(&observation), ["192.0.2.1", "192.0.2.2"]);
    assert_eq!(dns(&observation).question.transport, DnsTransport::Tcp);
    assert!(dns(&observation).answer.present().expect("present").truncated);
    assert_eq!(observation.round_trips, 3);
    assert_eq!(server.heard().iter().map(|h| h.tcp).collect::<Vec<_>>(), [false, true]);
}

#[tokio::test]
async fn without_tcp_the_truncated_answer_is_kept() {
    let udp = UdpSocket::bind("127.0.0.1:0").await.expect("loopback");
    let address = udp.local_addr().expect("bound");
    tokio::spawn(async move {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = udp.recv_from(&mut buffer).await {
            let mut message = response(&Message::from_vec(&buffer[..length]).expect("parses"));
            message.metadata.truncation = true;
            message.add_answer(a("api.example.test", 1));
            let _ = udp.send_to(&message.to_vec().expect("encodes"), from).await;
        }
    });
    let observation = ask_a(&test_context(), address).await;
    assert_eq!(data(&observation), ["192.0.2.1"]);
    assert_eq!(dns(&observation).question.transport, DnsTransport::Udp);
    assert!(dns(&observation).answer.present().expect("present").truncated);
}

#[tokio::test]
async fn an_answer_that_cannot_be_parsed_is_malformed() {
    let server = TestServer::start(|query, _, _| {
        let mut bytes = response(query).to_vec().expect("encodes");
        bytes.truncate(bytes.len() - 2);
        vec![bytes]
    })
    .await;
    let observation = ask_a(&test_context(), server.address).await;
    let answer = &dns(&observation).answer;
    assert!(
        matches!(answer, Observed::Denied(Denial::Malformed { phase: Phase::Resolve, .. })),
        "{answer:?}"
    );
}

#[tokio::test]
async fn endless_nonsense_is_malformed() {
    let server = TestServer::start(|_, _, _| vec![b"nonsense".to_vec(); 100]).await;
    let observation = ask_a(&test_context(), server.address).await;
    let answer = &dns(&observation).answer;
    assert!(
        matches!(answer, Observed::Denied(Denial::Malformed { phase: Phase::Resolve, .. })),
        "{answer:?}"
    );
}

#[tokio::test]
async fn answers_to_other_questions_are_passed_over() {
    let server = TestServer::start(|query, heard, _| {
        let mut other_id = response(query);
        other_id.metadata.id = query.metadata.id.wrapping_add(1);
        other_id.add_answer(a(&heard.name, 66));
        let mut other_name = response(query);
        other_name.queries = vec![Query::query(name("evil.example.test"), RecordType::A)];
        other_name.add_answer(a(&heard.name, 67));
        let mut replies = vec![other_id.to_vec().expect("encodes"), other_name.to_vec().expect("encodes")];
        replies.extend(with_records(query, vec![a(&heard.name, 1)]));
        replies
    })
    .await;
    let observation = ask_a(&test_context(), server.address).await;
    assert_eq!(data(&observation), ["192.0.2.1"]);
}

#[tokio::test]
async fn a_server_without_edns_is_asked_without_it() {
    let server = TestServer::start(|query, heard, nth| match query.edns {
        Some(_) => with_code(query, ResponseCode::FormErr),
        None => dual_stack(query, heard, nth),
    })
    .await;
    let observation = ask_a(&test_context(), server.address).await;
    assert_eq!(data(&observation), ["192.0.2.1", "192.0.2.2"]);
    assert_eq!(observation.round_trips, 2);

    let server = TestServer::start(|query, _, _| with_code(query, ResponseCode::NotImp)).await;
    let observation = ask_a(&test_context(), server.address).await;
    assert!(
        matches!(&dns(&observation).answer, Observed::Denied(Denial::Rcode(a)) if a.rcode_name == "NOTIMP")
    );
}

#[tokio::test]
async fn one_lost_datagram_does_not_end_the_question() {
    let server = TestServer::start(
        |query, heard, nth| if nth == 1 { Vec::new() } else { dual_stack(query, heard, nth) },
    )
    .await;
    let mut ctx = test_context();
    ctx.limits = Arc::new(Limits { resolve: Duration::from_millis(400), ..Limits::default() });
    let observation = ask_a(&ctx, server.address).await;
    assert_eq!(data(&observation), ["192.0.2.1", "192.0.2.2"]);
    assert_eq!(server.heard().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_silent_after_both_tries() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("loopback");
    let ctx = test_context();
    let observation = ask_a(&ctx, socket.local_addr().expect("bound")).await;
    let waited_us = u64::try_from((ctx.limits.resolve * 2).as_micros()).expect("short");
    assert_eq!(dns(&observation).answer, Observed::Silent(Silence { phase: Phase::Resolve, waited_us }));
    assert_eq!(observation.round_trips, 0);
}

#[tokio::test]
async fn a_closed_port_refuses_and_a_spent_deadline_is_not_asked() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback");
    let address = socket.local_addr().expect("bound");
    drop(socket);
    let mut ctx = test_context();
    assert_eq!(dns(&ask_a(&ctx, address).await).answer, Observed::Denied(Denial::Refused));
    ctx.deadline = Instant::now();
    assert_eq!(dns(&ask_a(&ctx, address).await).answer, Observed::Unasked(ProbeFault::DeadlineSpent));
}

#[tokio::test]
async fn a_name_that_is_none_is_a_fault_of_the_question() {
    let name = format!("{}.example.test", "x".repeat(64));
    let server = Server::recursive(([127, 0, 0, 1], 9).into());
    let observation = ask(&test_context(), &server, &name, RecordType::A, Vantage::Edge, None).await;
    assert!(matches!(dns(&observation).answer, Observed::Unasked(ProbeFault::Local { .. })));
}

#[tokio::test]
async fn the_first_resolver_settles_and_the_others_are_heard_out() {
    // The slow server answers only once the fast one has settled the matter.
    let (settled, wait) = tokio::sync::watch::channel(false);
    let slow = UdpSocket::bind("127.0.0.1:0").await.expect("loopback");
    let slow_address = slow.local_addr().expect("bound");
    tokio::spawn(async move {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = slow.recv_from(&mut buffer).await {
            wait.clone().wait_for(|settled| *settled).await.expect("the test still runs");
            let query = Message::from_vec(&buffer[..length]).expect("parses");
            let _ = slow.send_to(&with_code(&query, ResponseCode::Refused)[0], from).await;
        }
    });
    let fast = TestServer::start(dual_stack).await;
    let mut ctx = context(&[slow_address, fast.address]);
    ctx.limits = Arc::new(Limits { resolve: Duration::from_secs(20), ..Limits::default() });
    let found = addresses(&ctx, "api.example.test", 443, Vantage::Edge).await;
    assert_eq!(found.addresses.len(), 3);
    assert_eq!(found.observations.len(), 2);
    settled.send(true).expect("the server waits");
    let late = found.late.collect().await;
    assert_eq!(late.len(), 2);
    for observation in &late {
        assert_eq!(dns(observation).question.server.address, Some(slow_address));
        assert!(
            matches!(&dns(observation).answer, Observed::Denied(Denial::Rcode(a)) if a.rcode_name == "REFUSED")
        );
    }
}

#[tokio::test]
async fn of_two_views_the_first_listed_counts_although_the_other_is_faster() {
    let (said, wait) = tokio::sync::watch::channel(false);
    let slow = UdpSocket::bind("127.0.0.1:0").await.expect("loopback");
    let slow_address = slow.local_addr().expect("bound");
    tokio::spawn(async move {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = slow.recv_from(&mut buffer).await {
            wait.clone().wait_for(|said| *said).await.expect("the test still runs");
            let query = Message::from_vec(&buffer[..length]).expect("parses");
            let name = query.queries[0].name().to_string().trim_end_matches('.').to_owned();
            let records = match query.queries[0].query_type() {
                RecordType::A => vec![a(&name, 77)],
                _ => Vec::new(),
            };
            let _ = slow.send_to(&with_records(&query, records)[0], from).await;
        }
    });
    let fast = TestServer::start(move |query, heard, nth| {
        said.send_replace(true);
        dual_stack(query, heard, nth)
    })
    .await;
    let mut ctx = context(&[slow_address, fast.address]);
    let limit = Duration::from_secs(20);
    ctx.limits = Arc::new(Limits { resolve: limit, listed_before: limit, ..Limits::default() });
    let found = addresses(&ctx, "api.example.test", 443, Vantage::Edge).await;
    assert!(found.settled_by.is_some_and(|id| id.0.starts_with(&format!("dns/recursive/{slow_address}/"))));
    assert_eq!(found.addresses.len(), 1, "{:?}", found.addresses);
    // Nor is the second one lost where the first says nothing within its time.
    ctx.limits = Arc::new(Limits { resolve: limit, listed_before: Duration::ZERO, ..Limits::default() });
    let again = addresses(&ctx, "api.example.test", 443, Vantage::Edge).await;
    assert!(!again.addresses.is_empty());
}

#[tokio::test]
async fn a_resolver_that_knows_nothing_does_not_settle_the_matter() {
    let empty = TestServer::start(|query, _, _| with_code(query, ResponseCode::NXDomain)).await;
    let full = TestServer::start(dual_stack).await;
    let found =
        addresses(&context(&[empty.address, full.address]), "api.example.test", 443, Vantage::Edge).await;
    assert_eq!(found.addresses.len(), 3);
    assert!(found.settled_by.is_some_and(|id| id.0.starts_with(&format!("dns/recursive/{}/", full.address))));
}

#[tokio::test]
async fn some_hosts_need_no_question() {
    let mut ctx = context(&[([127, 0, 0, 1], 9).into()]);
    let mut map = AddressMap::default();
    map.add("api.example.test:443:127.0.0.1:8443").expect("valid");
    ctx.map = map.into();
    for (host, expected) in [
        ("192.0.2.7", vec!["192.0.2.7:443"]),
        ("[2001:db8::7]", vec!["[2001:db8::7]:443"]),
        ("localhost", vec!["127.0.0.1:443", "[::1]:443"]),
        ("shop.localhost.", vec!["127.0.0.1:443", "[::1]:443"]),
        ("API.example.test", vec!["127.0.0.1:8443"]),
    ] {
        let found = addresses(&ctx, host, 443, Vantage::Local).await;
        assert!(
            found.observations.is_empty() && found.settled_by.is_none() && found.fault.is_none(),
            "{host}"
        );
        let expected: Vec<SocketAddr> = expected.into_iter().map(|a| a.parse().expect("valid")).collect();
        assert_eq!(found.sockets(443), expected, "{host}");
        assert!(zone(&ctx, host, Vantage::Local).await.is_empty(), "{host}");
    }
}

/// The recursive side of a small world: example.test with two servers, one of them without IPv6.
fn resolver_of_the_world(query: &Message, heard: &Heard, _nth: usize) -> Vec<Vec<u8>> {
    let zone = "example.test";
    match (heard.name.as_str(), heard.rtype) {
        ("example.test", RecordType::NS) => with_records(
            query,
            ["ns2", "ns1"]
                .map(|ns| {
                    Record::from_rdata(name(zone), 3600, RData::NS(NS(name(&format!("{ns}.example.test")))))
                })
                .into(),
        ),
        ("example.test", RecordType::SOA) => with_records(query, vec![soa(1)]),
        ("example.test", RecordType::CAA) => with_records(query, vec![caa("pki.goog")]),
        ("ns1.example.test", RecordType::A) => with_records(query, vec![a("ns1.example.test", 53)]),
        ("ns1.example.test", RecordType::AAAA) => with_records(query, vec![aaaa("ns1.example.test", 53)]),
        ("ns2.example.test", RecordType::A) => with_records(query, vec![a("ns2.example.test", 54)]),
        _ => with_records(query, Vec::new()),
    }
}

fn soa(serial: u32) -> Record {
    let soa =
        SOA::new(name("ns1.example.test"), name("root.example.test"), serial, 14_400, 3600, 604_800, 300);
    Record::from_rdata(name("example.test"), 3600, RData::SOA(soa))
}

fn caa(issuer: &str) -> Record {
    let issue = CAA::new_issue(false, Some(Name::from_ascii(issuer).expect("valid")), Vec::new());
    Record::from_rdata(name("example.test"), 3600, RData::CAA(issue))
}

#[tokio::test]
async fn the_zone_is_surveyed_from_the_resolver_to_each_of_its_servers() {
    let resolver = TestServer::start(resolver_of_the_world).await;
    let good = TestServer::start(|query, heard, _| {
        let mut message = response(query);
        message.metadata.authoritative = true;
        match (heard.name.as_str(), heard.rtype) {
            ("api.example.test", RecordType::A) => _ = message.add_answer(a("api.example.test", 1)),
            ("example.test", RecordType::SOA) => _ = message.add_answer(soa(2)),
            _ => {}
        }
        vec![message.to_vec().expect("encodes")]
    })
    .await;
    let lame = TestServer::start(|query, _, _| with_code(query, ResponseCode::Refused)).await;

    let mut ctx = context(&[resolver.address]);
    let mut map = AddressMap::default();
    map.add(&format!("192.0.2.53:53:127.0.0.1:{}", good.address.port())).expect("valid");
    map.add(&format!("[2001:db8::35]:53:127.0.0.1:{}", good.address.port())).expect("valid");
    map.add(&format!("192.0.2.54:53:127.0.0.1:{}", lame.address.port())).expect("valid");
    // The fixture writes the last group in hexadecimal: 53 is 0x35.
    ctx.map = map.into();
    let seen = zone(&ctx, "api.example.test", Vantage::Edge).await;
    let find = |id: &str| seen.iter().find(|o| o.id.0 == id).unwrap_or_else(|| panic!("{id} in {seen:#?}"));
    let recursive = |question: &str| format!("dns/recursive/{}/{question}", resolver.address);

    // 7 for the names upward, 4 for the servers' addresses, 6 for each of 3 server addresses.
    assert_eq!(seen.len(), 7 + 4 + 18);
    assert_eq!(data(find(&recursive("CAA example.test"))), ["0 issue \"pki.goog\""]);
    assert!(data(find(&recursive("CAA api.example.test"))).is_empty());

    let server_address = find(&recursive("A ns1.example.test"));
    assert_eq!(server_address.vantage, Vantage::ThirdParty);
    assert_eq!(server_address.after, Some(ObservationId(recursive("NS example.test"))));

    let answer = find("dns/authoritative/ns1.example.test/192.0.2.53/A api.example.test");
    assert_eq!(data(answer), ["192.0.2.1"]);
    assert_eq!(answer.after.as_ref(), Some(&server_address.id));
    assert_eq!(answer.vantage, Vantage::Edge);
    let server = &dns(answer).question.server;
    assert_eq!(server.name.as_deref(), Some("ns1.example.test"));
    assert_eq!(server.address, Some("192.0.2.53:53".parse().expect("valid")));
    assert_eq!(server.connected_to, Some(good.address));
    assert!(dns(answer).answer.present().expect("present").authoritative);
    assert!(answer.by_hand.contains("+norecurse"));

    let serial = data(find("dns/authoritative/ns1.example.test/2001:db8::35/SOA example.test"))[0].to_owned();
    assert_eq!(serial.split(' ').nth(2), Some("2"));
    let refused = find("dns/authoritative/ns2.example.test/192.0.2.54/SOA example.test");
    assert!(matches!(&dns(refused).answer, Observed::Denied(Denial::Rcode(a)) if a.rcode_name == "REFUSED"));

    assert!(resolver.heard().iter().all(|h| h.recursion));
    assert!(good.heard().iter().chain(&lame.heard()).all(|h| !h.recursion));
    let mut ids: Vec<_> = seen.iter().map(|o| &o.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), seen.len(), "ids are unique");
}

#[tokio::test]
async fn a_zone_that_nobody_shows_leaves_the_questions_and_no_guess() {
    let first = TestServer::start(|query, _, _| with_code(query, ResponseCode::ServFail)).await;
    let second = TestServer::start(|query, _, _| with_code(query, ResponseCode::NXDomain)).await;
    let seen = zone(&context(&[first.address, second.address]), "api.example.test", Vantage::Edge).await;
    assert_eq!(seen.len(), 14);
    assert!(seen.iter().all(|o| matches!(dns(o).answer, Observed::Denied(Denial::Rcode(_)))));
}

/// A world with a parent zone `test`, a delegation to two servers of which one is lame, and a zone without the host.
struct Delegated {
    resolver: TestServer,
    parent: TestServer,
    good: TestServer,
    lame: TestServer,
}

impl Delegated {
    async fn start() -> Self {
        let resolver = TestServer::start(|query, heard, _| match (heard.name.as_str(), heard.rtype) {
            ("test", RecordType::NS) => with_records(
                query,
                vec![Record::from_rdata(name("test"), 60, RData::NS(NS(name("ns.nic.test"))))],
            ),
            ("ns.nic.test", RecordType::A) => with_records(query, vec![a("ns.nic.test", 50)]),
            ("wanted.example.net", RecordType::A) => with_records(query, vec![a("wanted.example.net", 53)]),
            ("api.example.test.example.test", RecordType::A) => {
                with_records(query, vec![a("api.example.test.example.test", 9)])
            }
            ("api.example.test", _) => with_code(query, ResponseCode::NXDomain),
            _ => with_records(query, Vec::new()),
        })
        .await;
        let parent = TestServer::start(|query, heard, _| {
            let mut message = response(query);
            if heard.rtype == RecordType::NS {
                for (server, last) in [("ns1.example.test", 53), ("ns2.example.test", 54)] {
                    message.add_authority(Record::from_rdata(
                        name("example.test"),
                        3600,
                        RData::NS(NS(name(server))),
                    ));
                    message.add_additional(a(server, last));
                }
            }
            vec![message.to_vec().expect("encodes")]
        })
        .await;
        let good = TestServer::start(|query, heard, _| {
            let mut message = response(query);
            message.metadata.authoritative = true;
            if heard.rtype == RecordType::A {
                message.add_answer(a(&heard.name, 10));
            }
            vec![message.to_vec().expect("encodes")]
        })
        .await;
        let lame = TestServer::start(|query, _, _| with_code(query, ResponseCode::Refused)).await;
        Self { resolver, parent, good, lame }
    }

    fn context(&self) -> Context {
        let mut ctx = context(&[self.resolver.address]);
        let mut map = AddressMap::default();
        for (last, server) in [(50, &self.parent), (53, &self.good), (54, &self.lame)] {
            map.add(&format!("192.0.2.{last}:53:127.0.0.1:{}", server.address.port())).expect("valid");
        }
        ctx.map = map.into();
        ctx
    }
}

#[tokio::test]
async fn the_delegation_is_read_at_the_parent_and_its_servers_are_asked() {
    let world = Delegated::start().await;
    let ctx = world.context();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("hosts");
    std::fs::write(&file, "127.0.0.1 localhost\n192.0.2.77 api.example.test\n").expect("written");
    let hints = Hints {
        expected_servers: vec!["wanted.example.net".into(), "192.0.2.54".into()],
        near_hosts: vec!["apl.example.test".into()],
        hosts_file: Some(file.clone()),
    };
    let around = around(&ctx, "api.example.test", Vantage::Edge, &hints).await;
    let find = |all: &[Observation], id: &str| {
        all.iter().find(|o| o.id.0 == id).cloned().unwrap_or_else(|| panic!("{id} in {all:#?}"))
    };
    let referral = find(&around, "dns/parent/ns.nic.test/192.0.2.50/NS example.test");
    let answer = dns(&referral).answer.present().expect("present").clone();
    assert_eq!(
        answer.authority.iter().map(|r| r.data.as_str()).collect::<Vec<_>>(),
        ["ns1.example.test", "ns2.example.test"]
    );
    assert_eq!(answer.glue.len(), 2);
    assert_eq!(
        data(&find(&around, "dns/expected/wanted.example.net/192.0.2.53/A api.example.test")),
        ["192.0.2.10"]
    );
    find(&around, "dns/expected/192.0.2.54/192.0.2.54/SOA example.test");
    let hosts = find(&around, "dns/hosts/api.example.test");
    assert_eq!(data(&hosts), ["192.0.2.77"]);
    assert_eq!(dns(&hosts).question.server.name.as_deref(), file.to_str());
    let control = around.iter().find(|o| o.id.0.contains("/A landfall-")).expect("a control");
    assert!(control.id.0.ends_with(".example.test"), "{}", control.id);
    assert!(around.iter().filter(|o| !dns(o).question.is_plain()).count() >= 10);

    let mut seen = around;
    seen.extend(zone(&ctx, "api.example.test", Vantage::Edge).await);
    let followed = follow_up(&ctx, "api.example.test", Vantage::Edge, &hints, &seen).await;
    let recursive = |question: &str| format!("dns/recursive/{}/{question}", world.resolver.address);
    assert_eq!(data(&find(&followed, &recursive("A api.example.test.example.test"))), ["192.0.2.9"]);
    find(&followed, &recursive("A apl.example.test"));
    // What else was left behind is asked of the copy, which is nobody's way to production.
    for question in ["A example.test", "MX example.test", "TXT example.test", "A www.example.test"] {
        let asked = find(&followed, &format!("dns/expected/wanted.example.net/192.0.2.53/{question}"));
        assert_eq!(asked.vantage, Vantage::ThirdParty);
    }
    let good = find(&followed, "dns/authoritative/ns1.example.test/192.0.2.53/A api.example.test");
    assert_eq!((data(&good).len(), good.after.as_ref()), (1, Some(&referral.id)));
    let lame = find(&followed, "dns/authoritative/ns2.example.test/192.0.2.54/A api.example.test");
    assert!(matches!(&dns(&lame).answer, Observed::Denied(Denial::Rcode(a)) if a.rcode == 5));
    assert!(world.parent.heard().iter().chain(&world.good.heard()).all(|h| !h.recursion));
}

#[tokio::test]
async fn nothing_more_is_asked_where_all_is_well() {
    let resolver = TestServer::start(dual_stack).await;
    let ctx = context(&[resolver.address]);
    let found = addresses(&ctx, "api.example.test", 443, Vantage::Edge).await;
    let before = resolver.heard().len();
    let followed =
        follow_up(&ctx, "api.example.test", Vantage::Edge, &Hints::default(), &found.observations).await;
    assert!(followed.is_empty(), "{followed:#?}");
    assert_eq!(resolver.heard().len(), before);
}

#[tokio::test]
async fn a_failing_resolver_is_asked_without_validation() {
    let resolver = TestServer::start(|query, heard, _| {
        if query.metadata.checking_disabled {
            return with_records(query, vec![a(&heard.name, 1)]);
        }
        with_code(query, ResponseCode::ServFail)
    })
    .await;
    let ctx = context(&[resolver.address]);
    let found = addresses(&ctx, "api.example.test", 443, Vantage::Edge).await;
    let seen: Vec<Observation> = found.observations.into_iter().chain(found.late.collect().await).collect();
    let followed = follow_up(&ctx, "api.example.test", Vantage::Edge, &Hints::default(), &seen).await;
    let id = format!("dns/recursive/{}/A api.example.test +cd", resolver.address);
    let unchecked = followed.iter().find(|o| o.id.0 == id).unwrap_or_else(|| panic!("{followed:#?}"));
    assert_eq!(data(unchecked), ["192.0.2.1"]);
    assert!(dns(unchecked).question.checking_disabled && unchecked.by_hand.contains("+cd"));
    assert!(followed.iter().any(|o| o.id.0.ends_with("DNSKEY example.test +cd +dnssec")));
}

#[tokio::test]
async fn a_resolver_that_contradicts_the_zone_is_asked_again() {
    let resolver = TestServer::start(|query, heard, nth| {
        let mut record = a(&heard.name, 9);
        record.ttl = 60_u32.saturating_sub(u32::try_from(nth).unwrap_or(0));
        with_records(query, if heard.rtype == RecordType::A { vec![record] } else { Vec::new() })
    })
    .await;
    let own = TestServer::start(|query, heard, _| {
        let mut message = response(query);
        message.metadata.authoritative = true;
        if heard.rtype == RecordType::A {
            message.add_answer(a(&heard.name, 1));
        }
        vec![message.to_vec().expect("encodes")]
    })
    .await;
    let mut ctx = context(&[resolver.address]);
    let mut map = AddressMap::default();
    map.add(&format!("192.0.2.53:53:127.0.0.1:{}", own.address.port())).expect("valid");
    ctx.map = map.into();
    let server = Server::authoritative("ns1.example.test", "192.0.2.53".parse().expect("valid"));
    let seen = [
        ask_a(&ctx, resolver.address).await,
        ask(&ctx, &server, "api.example.test", RecordType::A, Vantage::Edge, None).await,
    ];
    let followed = follow_up(&ctx, "api.example.test", Vantage::Edge, &Hints::default(), &seen).await;
    let again =
        followed.iter().find(|o| o.attempt == 2 && dns(o).question.rtype == "A").expect("asked again");
    assert_eq!(data(again), ["192.0.2.9"]);
}

#[tokio::test]
async fn a_server_that_asks_for_others_keeps_its_hosts_file_to_itself() {
    let resolver = TestServer::start(dual_stack).await;
    let mut ctx = context(&[resolver.address]);
    let hosts = |seen: &[Observation]| seen.iter().filter(|o| o.id.0.starts_with("dns/hosts/")).count();
    let own = around(&ctx, "api.example.test", Vantage::Edge, &Hints::default()).await;
    assert_eq!(hosts(&own), usize::from(std::path::Path::new("/etc/hosts").is_file()));
    ctx.egress = crate::net::Egress::public_only(Vec::new());
    let others = around(&ctx, "api.example.test", Vantage::Edge, &Hints::default()).await;
    assert_eq!(hosts(&others), 0);
}
