//! The name servers, asked with hickory's codec over UDP and TCP.

use std::net::SocketAddr;

use hickory_proto::op::{Edns, Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use crate::clients::{led, up, without_local};

fn question(name: &str, kind: RecordType) -> Message {
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).expect("a name"), kind));
    message
}

async fn over_udp(to: SocketAddr, message: &Message) -> Message {
    let socket = UdpSocket::bind(SocketAddr::new(to.ip(), 0)).await.expect("a socket of the same family");
    socket.send_to(&message.to_vec().expect("encodes"), to).await.expect("sent");
    let mut buffer = [0; 4096];
    let (len, from) = socket.recv_from(&mut buffer).await.expect("an answer");
    assert_eq!(from, to);
    let answer = Message::from_vec(&buffer[..len]).expect("decodes");
    assert_eq!(answer.metadata.id, message.metadata.id);
    answer
}

async fn over_tcp(to: SocketAddr, messages: &[Message]) -> Vec<Message> {
    let mut stream = TcpStream::connect(to).await.expect("connects");
    let mut answers = Vec::new();
    for message in messages {
        let bytes = message.to_vec().expect("encodes");
        stream.write_u16(u16::try_from(bytes.len()).expect("short")).await.expect("sent");
        stream.write_all(&bytes).await.expect("sent");
        let mut answer = vec![0; usize::from(stream.read_u16().await.expect("a length"))];
        stream.read_exact(&mut answer).await.expect("an answer");
        answers.push(Message::from_vec(&answer).expect("decodes"));
    }
    answers
}

fn addresses(message: &Message) -> Vec<String> {
    let mut found: Vec<String> =
        message.answers.iter().filter_map(|r| r.data.ip_addr()).map(|ip| ip.to_string()).collect();
    found.sort();
    found
}

#[tokio::test]
async fn both_servers_answer_and_set_their_flags() {
    let lab = up(&without_local("levqor-undeployed")).await;
    let recursive = lab.access().resolvers[0];
    let authoritative = led(lab.access(), "173.245.58.128", 53);
    assert_ne!(recursive, authoritative);
    let of_another =
        over_udp(led(lab.access(), "2606:4700:50::adf5:3a80", 53), &question("levqor.ai.", RecordType::SOA))
            .await;
    assert!(of_another.metadata.authoritative && of_another.answers.len() == 1);
    for to in [recursive, authoritative] {
        let a = over_udp(to, &question("api.levqor.ai.", RecordType::A)).await;
        assert_eq!(addresses(&a), ["104.21.14.105", "172.67.158.164"]);
        let aaaa = over_udp(to, &question("API.Levqor.AI.", RecordType::AAAA)).await;
        assert_eq!(addresses(&aaaa), ["2606:4700:3030::6815:e69", "2606:4700:3032::ac43:9ea4"]);
        assert_eq!(a.metadata.authoritative, to == authoritative);
        assert_eq!(a.metadata.recursion_available, to == recursive);
        assert!(a.metadata.recursion_desired && !a.metadata.authentic_data && !a.metadata.truncation);

        let ns = over_udp(to, &question("levqor.ai.", RecordType::NS)).await;
        let names: Vec<String> = ns.answers.iter().map(|r| r.data.to_string()).collect();
        assert!(names.len() == 2 && names.iter().all(|n| n.ends_with(".ns.cloudflare.com.")), "{names:?}");
        let caa = over_udp(to, &question("levqor.ai.", RecordType::CAA)).await;
        let RData::CAA(first) = &caa.answers[0].data else { panic!("a CAA record: {caa}") };
        assert_eq!(
            (first.tag.as_str(), first.value.as_slice()),
            ("issue", &b"pki.goog; cansignhttpexchanges=yes"[..])
        );

        let nodata = over_udp(to, &question("api.levqor.ai.", RecordType::CNAME)).await;
        assert_eq!((nodata.metadata.response_code, nodata.answers.len()), (ResponseCode::NoError, 0));
        assert_eq!(nodata.authorities[0].record_type(), RecordType::SOA);
        let nxdomain = over_udp(to, &question("nowhere.levqor.ai.", RecordType::A)).await;
        assert_eq!(nxdomain.metadata.response_code, ResponseCode::NXDomain);
        assert_eq!(
            (nxdomain.authorities[0].record_type(), nxdomain.authorities[0].ttl),
            (RecordType::SOA, 1_800)
        );

        let platform = over_udp(to, &question("levqor-backend.replit.app.", RecordType::A)).await;
        assert_eq!(addresses(&platform), ["34.111.179.208"]);
        let both = over_tcp(
            to,
            &[question("api.levqor.ai.", RecordType::A), question("levqor.ai.", RecordType::SOA)],
        )
        .await;
        assert_eq!((addresses(&both[0]).len(), both[1].answers.len()), (2, 1));
    }
    lab.down().await;
}

#[tokio::test]
async fn what_lies_outside_the_world_is_refused_or_does_not_exist() {
    let lab = up(&without_local("levqor-undeployed")).await;
    let recursive = lab.access().resolvers[0];
    let authoritative = led(lab.access(), "2606:4700:58::adf5:3b8c", 53);
    let foreign = question("www.example.test.", RecordType::A);
    assert_eq!(
        over_tcp(authoritative, std::slice::from_ref(&foreign)).await[0].metadata.response_code,
        ResponseCode::Refused
    );
    let nowhere = over_udp(recursive, &foreign).await;
    assert_eq!(nowhere.metadata.response_code, ResponseCode::NXDomain);
    assert_eq!(nowhere.authorities[0].name, Name::root());
    // A name above a zone exists, without records that we hold.
    let above = over_udp(recursive, &question("ai.", RecordType::NS)).await;
    assert_eq!((above.metadata.response_code, above.answers.len()), (ResponseCode::NoError, 0));
    let mut not_desired = question("api.levqor.ai.", RecordType::A);
    not_desired.metadata.recursion_desired = false;
    assert_eq!(over_udp(recursive, &not_desired).await.metadata.response_code, ResponseCode::Refused);
    let mut two = question("api.levqor.ai.", RecordType::A);
    two.add_query(two.queries[0].clone());
    assert_eq!(over_udp(recursive, &two).await.metadata.response_code, ResponseCode::FormErr);
    let mut later = question("api.levqor.ai.", RecordType::A);
    let mut edns = Edns::new();
    edns.set_version(1);
    later.set_edns(edns);
    // 16 is BADVERS here (RFC 6891 section 9); the codec calls it by its other name, BADSIG.
    assert_eq!(u16::from(over_udp(recursive, &later).await.metadata.response_code), 16);
    lab.down().await;
}

#[tokio::test]
async fn an_answer_too_large_for_a_datagram_is_truncated_and_whole_over_tcp() {
    let mut scenario = without_local("levqor-undeployed");
    let zone = &mut scenario.world.dns.zone[0].records;
    zone.extend((0..40).map(|n| format!("many.levqor.ai. 300 A 192.0.2.{n}")));
    let lab = up(&scenario).await;
    let recursive = lab.access().resolvers[0];
    let plain = question("many.levqor.ai.", RecordType::A);
    let cut = over_udp(recursive, &plain).await;
    assert!(cut.metadata.truncation && cut.answers.is_empty());
    assert_eq!(over_tcp(recursive, std::slice::from_ref(&plain)).await[0].answers.len(), 40);
    let mut large = plain;
    let mut edns = Edns::new();
    edns.set_max_payload(1_232);
    large.set_edns(edns);
    let whole = over_udp(recursive, &large).await;
    assert_eq!((whole.metadata.truncation, whole.answers.len()), (false, 40));
    assert!(whole.edns.is_some());
    lab.down().await;
}

/// Bytes that are no question must neither stop the server nor be answered like one.
#[tokio::test]
async fn garbage_does_not_stop_it() {
    let lab = up(&without_local("levqor-undeployed")).await;
    let recursive = lab.access().resolvers[0];
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    for bytes in [
        &b""[..],
        b"x",
        &[0xff; 700],
        &[0; 12],
        b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01",
    ] {
        socket.send_to(bytes, recursive).await.expect("sent");
        let mut stream = TcpStream::connect(recursive).await.expect("connects");
        stream.write_all(bytes).await.expect("sent");
    }
    let answer = over_udp(recursive, &question("api.levqor.ai.", RecordType::A)).await;
    assert_eq!(addresses(&answer).len(), 2);
    lab.down().await;
}
