//! DNS over UDP, and over TCP after a truncated answer (RFC 1035 section 4.2, RFC 7766).

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use landfall_evidence::{Denial, DnsAnswer, DnsManner, DnsTransport, Phase};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::message::{Question, Reading};
use crate::connect::{Fault, within};
use crate::net::Context;

const FORMERR: u16 = 1;
const NOTIMP: u16 = 4;
/// Tries over UDP: loss of one datagram must not end the question.
const TRIES: u32 = 2;
/// Longest datagram looked at. We offer 1232 bytes; a server that ignores that may send more.
const DATAGRAM_BYTE: usize = 4096;
/// Datagrams on our socket that are not the answer, after which the peer is taken to be talking nonsense.
const STRAYS: u32 = 32;

/// What became of one question on the wire.
pub(super) struct Exchange {
    /// How the answer, or the last try at it, travelled.
    pub(super) transport: DnsTransport,
    /// The answer, of any response code.
    pub(super) result: Result<DnsAnswer, Fault>,
    /// The answer as it came.
    pub(super) bytes: Vec<u8>,
    /// Dependent round trips: 1 over UDP, 2 more for TCP (handshake and question), 1 more without EDNS.
    pub(super) round_trips: u32,
}

/// An answer and its bytes.
type Answered = (DnsAnswer, Vec<u8>);

/// Puts one question to one server; `to` is where the packets really go.
///
/// A server that does not understand EDNS says so with one of two codes, and is asked again without it (RFC 6891,
/// section 7): otherwise an old box on the way would look like a name that does not resolve.
pub(super) async fn exchange(ctx: &Context, to: SocketAddr, question: &Question) -> Exchange {
    let manner = question.manner();
    if matches!(manner, DnsManner::Tcp | DnsManner::Transfer) {
        // Two round trips: the handshake, and the question.
        return match over_tcp(ctx, to, question).await {
            Ok((answer, bytes)) => {
                Exchange { transport: DnsTransport::Tcp, result: Ok(answer), bytes, round_trips: 2 }
            }
            Err(fault) => Exchange::failed(DnsTransport::Tcp, fault, 0),
        };
    }
    let first = attempt(ctx, to, question).await;
    if manner != DnsManner::Usual {
        return first;
    }
    let understood = |exchange: &Exchange| {
        exchange.result.as_ref().is_ok_and(|answer| ![FORMERR, NOTIMP].contains(&answer.rcode))
    };
    if first.result.is_err() || understood(&first) {
        return first;
    }
    let second = attempt(ctx, to, &question.plain()).await;
    let round_trips = first.round_trips + second.round_trips;
    Exchange { round_trips, ..if understood(&second) { second } else { first } }
}

impl Exchange {
    fn failed(transport: DnsTransport, fault: Fault, round_trips: u32) -> Self {
        Self { transport, result: Err(fault), bytes: Vec::new(), round_trips }
    }
}

async fn attempt(ctx: &Context, to: SocketAddr, question: &Question) -> Exchange {
    let (transport, (answer, bytes), round_trips) = match over_udp(ctx, to, question).await {
        Err(fault @ Fault::Denied(_)) => return Exchange::failed(DnsTransport::Udp, fault, 1),
        Err(fault) => return Exchange::failed(DnsTransport::Udp, fault, 0),
        Ok(Some(answered)) if !answered.0.truncated => (DnsTransport::Udp, answered, 1),
        Ok(cut) => match (over_tcp(ctx, to, question).await, cut) {
            (Ok((answer, bytes)), _) => {
                (DnsTransport::Tcp, (DnsAnswer { truncated: true, ..answer }, bytes), 3)
            }
            // What the datagram held is still an answer, and it says of itself that it is not whole.
            (Err(_), Some(answered)) => (DnsTransport::Udp, answered, 1),
            (Err(fault), None) => return Exchange::failed(DnsTransport::Tcp, fault, 1),
        },
    };
    Exchange { transport, result: Ok(answer), bytes, round_trips }
}

/// `None` is an answer that is marked as truncated and cannot be read at all.
async fn over_udp(ctx: &Context, to: SocketAddr, question: &Question) -> Result<Option<Answered>, Fault> {
    let since = Instant::now();
    let sort = |error: std::io::Error| Fault::from_io(&error, Phase::Resolve, to, since);
    let (id, query) = question.encode()?;
    // A socket of its own gives each question a port of its own, which makes forged answers harder (RFC 5452), and a
    // connected one hears this server alone and learns of an ICMP refusal.
    let any: SocketAddr =
        if to.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = UdpSocket::bind(any).await.map_err(sort)?;
    socket.connect(to).await.map_err(sort)?;

    let mut stray = None;
    for _ in 0..TRIES {
        let listen = async {
            socket.send(&query).await.map_err(sort)?;
            receive(&socket, question, id, &mut stray, sort).await
        };
        match within(ctx, Phase::Resolve, ctx.limits.resolve, listen).await {
            Ok(received) => return received,
            Err(Fault::Silent(_)) => {}
            Err(fault) => return Err(fault),
        }
    }
    match stray {
        Some(detail) => Err(malformed(detail)),
        None => Err(Fault::silent(Phase::Resolve, ctx.limits.resolve * TRIES)),
    }
}

async fn receive(
    socket: &UdpSocket,
    question: &Question,
    id: u16,
    stray: &mut Option<String>,
    sort: impl Fn(std::io::Error) -> Fault,
) -> Result<Option<Answered>, Fault> {
    let mut datagram = vec![0; DATAGRAM_BYTE];
    for _ in 0..STRAYS {
        let length = socket.recv(&mut datagram).await.map_err(&sort)?;
        match question.read(id, &datagram[..length]) {
            Reading::Answer(answer) => return Ok(Some((*answer, datagram[..length].to_vec()))),
            Reading::Cut => return Ok(None),
            Reading::Mangled(detail) => return Err(malformed(detail)),
            Reading::NotOurs(why) => *stray = Some(why),
        }
    }
    Err(malformed(format!("{STRAYS} datagrams came and none was the answer")))
}

async fn over_tcp(ctx: &Context, to: SocketAddr, question: &Question) -> Result<Answered, Fault> {
    let since = Instant::now();
    let (id, query) = question.encode()?;
    // A message over TCP has its length in front, in two octets.
    let length = u16::try_from(query.len()).map_err(|_| Fault::local("the question is too long"))?;
    let framed = [length.to_be_bytes().as_slice(), &query].concat();
    let talk = async {
        let mut stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        stream.write_all(&framed).await?;
        let mut answer = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut answer).await?;
        Ok(answer)
    };
    let limit: Duration = ctx.limits.resolve * TRIES;
    let bytes = within(ctx, Phase::Resolve, limit, talk)
        .await?
        .map_err(|error: std::io::Error| Fault::from_io(&error, Phase::Resolve, to, since))?;
    match question.read(id, &bytes) {
        Reading::Answer(answer) => Ok((*answer, bytes)),
        Reading::Cut => Err(malformed("an answer over TCP that is truncated".to_owned())),
        Reading::NotOurs(detail) | Reading::Mangled(detail) => Err(malformed(detail)),
    }
}

fn malformed(detail: String) -> Fault {
    Fault::Denied(Denial::Malformed { phase: Phase::Resolve, detail })
}
