//! Servers that mean harm. Every survey of them ends inside its deadline, with a bounded number of questions and bounded
//! evidence.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::rdata::{CNAME, NS, SOA};
use hickory_proto::rr::{RData, Record, RecordType};
use landfall_evidence::{Denial, Observation, Observed, Vantage};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};

use super::query::{Server, ask};
use super::tests::{Heard, TestServer, a, context, dns, name, response, with_records};
use super::{Depth, survey};
use crate::net::{AddressMap, Context, Limits};

/// An audit's deadline that leaves room for a busy machine, and phases that do not make the tests long.
fn hurried(resolver: &TestServer) -> Context {
    let mut ctx = context(&[resolver.address]);
    ctx.limits = Arc::new(Limits { resolve: Duration::from_millis(150), ..Limits::default() });
    let mut map = AddressMap::default();
    // Every server of the hostile zone is at the addresses 192.0.2.1 and 192.0.2.2.
    for last in 1..=2 {
        map.add(&format!("192.0.2.{last}:53:127.0.0.1:{}", resolver.address.port())).expect("valid");
    }
    ctx.map = Arc::new(map);
    ctx
}

/// Surveys, and holds the survey to its bounds: the deadline, questions, bytes of evidence.
async fn surveyed(server: &TestServer) -> Vec<Observation> {
    let ctx = hurried(server);
    let seen = tokio::time::timeout_at(
        ctx.deadline.into(),
        survey(&ctx, "api.example.test", Vantage::Edge, Depth::Whole),
    )
    .await
    .expect("it ends inside its deadline");
    assert!(Instant::now() < ctx.deadline);
    let asked = server.heard().len();
    assert!(asked < 3_000, "{asked} questions");
    let bytes = serde_json::to_vec(&seen).expect("evidence can be written").len();
    assert!(bytes < 64 * 1024 * 1024, "{bytes} bytes of evidence");
    seen
}

fn soa(owner: &str) -> Record {
    let data = SOA::new(name("ns1.example.test"), name("root.example.test"), 1, 14_400, 3600, 604_800, 300);
    Record::from_rdata(name(owner), 300, RData::SOA(data))
}

/// Answers as a zone would, so that the survey goes all the way.
fn plausible(query: &Message, heard: &Heard, servers: usize) -> Vec<Vec<u8>> {
    let zone = |name: &str| matches!(name, "example.test" | "test" | ".");
    let records = match heard.rtype {
        RecordType::SOA if zone(&heard.name) => vec![soa(&heard.name)],
        RecordType::NS if zone(&heard.name) => (0..servers)
            .map(|n| {
                Record::from_rdata(
                    name(&heard.name),
                    300,
                    RData::NS(NS(name(&format!("ns{n}.example.test")))),
                )
            })
            .collect(),
        RecordType::A => vec![a(&heard.name, 1), a(&heard.name, 2)],
        _ => Vec::new(),
    };
    let mut message = response(query);
    message.metadata.authoritative = true;
    message.add_answers(records);
    let bytes = message.to_vec().expect("encodes");
    if bytes.len() > 1_232 && !heard.tcp {
        let mut cut = response(query);
        cut.metadata.truncation = true;
        return vec![cut.to_vec().expect("encodes")];
    }
    vec![bytes]
}

#[tokio::test]
async fn a_zone_with_two_hundred_servers_is_asked_within_bounds() {
    let server = TestServer::start(|query, heard, _| plausible(query, heard, 200)).await;
    let seen = surveyed(&server).await;
    assert!(seen.len() > 100, "the survey went all the way: {}", seen.len());
}

#[tokio::test]
async fn compression_loops_are_malformed() {
    let server = TestServer::start(|query, _, _| {
        let mut bytes = response(query).to_vec().expect("encodes");
        bytes[7] = 1;
        let here = u16::try_from(bytes.len()).expect("short") | 0xc000;
        bytes.extend(here.to_be_bytes());
        bytes.extend([0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
        vec![bytes]
    })
    .await;
    let seen = surveyed(&server).await;
    assert!(!seen.is_empty());
    for observation in &seen {
        let answer = &dns(observation).answer;
        assert!(matches!(answer, Observed::Denied(Denial::Malformed { .. })), "{answer:?}");
    }
}

#[tokio::test]
async fn every_name_an_alias_of_the_next_ends_after_eleven() {
    let server = TestServer::start(|query, heard, nth| {
        let next = format!("c{nth}.example.test");
        match heard.rtype {
            RecordType::SOA | RecordType::NS => plausible(query, heard, 2),
            _ => with_records(
                query,
                vec![Record::from_rdata(name(&heard.name), 0, RData::CNAME(CNAME(name(&next))))],
            ),
        }
    })
    .await;
    let seen = surveyed(&server).await;
    let followed = seen.iter().filter(|o| o.id.0.contains("/CNAME c")).count();
    assert_eq!(followed, 11, "one more than the ten that are allowed");
}

#[tokio::test]
async fn answers_to_other_questions_with_other_ids_are_never_believed() {
    let server = TestServer::start(|query, heard, _| {
        let mut replies = Vec::new();
        for n in 1..40_u16 {
            let mut forged = response(query);
            forged.metadata.id = query.metadata.id.wrapping_add(n);
            forged.add_answer(a(&heard.name, 66));
            replies.push(forged.to_vec().expect("encodes"));
        }
        let mut other = response(query);
        other.queries = vec![Query::query(name("evil.example.test"), heard.rtype)];
        other.add_answer(a("evil.example.test", 66));
        replies.insert(0, other.to_vec().expect("encodes"));
        replies
    })
    .await;
    let seen = surveyed(&server).await;
    assert!(!seen.is_empty());
    assert!(seen.iter().all(|o| dns(o).answer.present().is_none()), "nothing of it is an answer");
}

#[tokio::test]
async fn the_largest_message_is_cut_to_what_is_kept() {
    let server = TestServer::start(|query, heard, _| {
        if !heard.tcp {
            let mut message = response(query);
            message.metadata.truncation = true;
            return vec![message.to_vec().expect("encodes")];
        }
        let mut bytes = response(query).to_vec().expect("encodes");
        let mut count = 0_u16;
        // A record that points to the question's name, as often as it fits.
        while bytes.len() + 16 <= usize::from(u16::MAX) {
            bytes.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
            count += 1;
        }
        bytes[6..8].copy_from_slice(&count.to_be_bytes());
        vec![bytes]
    })
    .await;
    let ctx = context(&[server.address]);
    let at = Server::recursive(server.address);
    let seen = ask(&ctx, &at, "api.example.test", RecordType::A, Vantage::Edge, None).await;
    assert_eq!(dns(&seen).answer.present().expect("an answer").answers.len(), 128);
    surveyed(&server).await;
}

#[tokio::test]
async fn a_length_that_is_never_filled_ends_at_the_time_limit() {
    for drip in [false, true] {
        let udp = UdpSocket::bind("127.0.0.1:0").await.expect("loopback");
        let address = udp.local_addr().expect("bound");
        let tcp = TcpListener::bind(address).await.expect("the same port over TCP");
        tokio::spawn(async move {
            let mut buffer = [0; 2048];
            while let Ok((length, from)) = udp.recv_from(&mut buffer).await {
                let mut message = response(&Message::from_vec(&buffer[..length]).expect("parses"));
                message.metadata.truncation = true;
                message.metadata.response_code = ResponseCode::NoError;
                let _ = udp.send_to(&message.to_vec().expect("encodes"), from).await;
            }
        });
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = tcp.accept().await {
                tokio::spawn(async move {
                    let mut query = [0; 512];
                    let _ = stream.read(&mut query).await;
                    let _ = stream.write_u16(u16::MAX).await;
                    // Byte by byte, or nothing at all, for as long as the other side stays.
                    while drip && stream.write_all(&[0]).await.is_ok() {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                    let _ = stream.read(&mut query).await;
                });
            }
        });
        let mut ctx = context(&[address]);
        ctx.limits = Arc::new(Limits { resolve: Duration::from_millis(150), ..Limits::default() });
        let at = Server::recursive(address);
        let asked = ask(&ctx, &at, "api.example.test", RecordType::A, Vantage::Edge, None);
        let seen =
            tokio::time::timeout_at(ctx.deadline.into(), asked).await.expect("it ends inside its deadline");
        assert!(dns(&seen).answer.present().is_some_and(|a| a.truncated), "the cut answer is kept: {seen:?}");
    }
}
