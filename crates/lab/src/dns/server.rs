//! The two name servers on the wire: UDP with truncation, TCP with length prefixes (RFC 1035 section 4.2, RFC 7766).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::{DNSClass, Record};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

use super::recursive::Cache;
use super::zones::{Said, Zones, root_soa};

/// Which of the two servers.
pub(crate) enum Role {
    /// Answers for its zones alone, and refuses the rest.
    Authoritative,
    /// Answers for anybody who desires recursion; what lies outside the zones does not exist.
    Recursive,
}

/// The payload that our side offers over UDP; larger datagrams risk fragments (DNS flag day 2020).
const UDP_PAYLOAD_BYTE: u16 = 1_232;
/// What a client without EDNS takes (RFC 1035 section 4.2.1).
const PLAIN_PAYLOAD_BYTE: u16 = 512;
/// How long a TCP client may be idle.
const IDLE: Duration = Duration::from_secs(10);

/// Answers questions on both sockets until the future is dropped.
pub(crate) async fn serve(role: Role, zones: Arc<Zones>, tcp: TcpListener, udp: UdpSocket) {
    let server = Arc::new(Server { role, zones, cache: Cache::default() });
    tokio::join!(datagrams(&server, &udp), connections(&server, &tcp));
}

struct Server {
    role: Role,
    zones: Arc<Zones>,
    cache: Cache,
}

async fn datagrams(server: &Server, socket: &UdpSocket) {
    let mut buffer = vec![0; usize::from(u16::MAX)];
    loop {
        // An ICMP error of an earlier answer surfaces here; it concerns nobody any more.
        let Ok((len, client)) = socket.recv_from(&mut buffer).await else { continue };
        if let Some(reply) = server.reply(&buffer[..len], true) {
            let _ = socket.send_to(&reply, client).await;
        }
    }
}

async fn connections(server: &Arc<Server>, listener: &TcpListener) {
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                let server = Arc::clone(server);
                tasks.spawn(async move { while_asked(&server, stream).await });
            },
            Some(_) = tasks.join_next() => {}
        }
    }
}

async fn while_asked(server: &Server, mut stream: TcpStream) -> io::Result<()> {
    loop {
        let len = tokio::time::timeout(IDLE, stream.read_u16()).await??;
        let mut question = vec![0; usize::from(len)];
        tokio::time::timeout(IDLE, stream.read_exact(&mut question)).await??;
        let Some(reply) = server.reply(&question, false) else { return Ok(()) };
        let Ok(len) = u16::try_from(reply.len()) else { return Ok(()) };
        // One write, so that the prefix and the message do not travel in two segments (RFC 7766 section 8).
        let framed = [&len.to_be_bytes()[..], &reply].concat();
        tokio::time::timeout(IDLE, stream.write_all(&framed)).await??;
    }
}

impl Server {
    /// The answer to one message; `None` where silence is right: not a question, or not a message at all.
    fn reply(&self, bytes: &[u8], datagram: bool) -> Option<Vec<u8>> {
        let query = match Message::from_vec(bytes) {
            Ok(query) => query,
            Err(_) => return malformed(bytes),
        };
        if query.metadata.message_type != MessageType::Query {
            return None;
        }
        let mut reply = self.answer(&query);
        let mut room = u16::MAX;
        if let Some(edns) = &query.edns {
            let mut ours = Edns::new();
            ours.set_max_payload(UDP_PAYLOAD_BYTE).set_version(0).set_dnssec_ok(edns.flags().dnssec_ok);
            reply.set_edns(ours);
        }
        if datagram {
            let theirs = query.edns.as_ref().map_or(PLAIN_PAYLOAD_BYTE, Edns::max_payload);
            room = theirs.clamp(PLAIN_PAYLOAD_BYTE, UDP_PAYLOAD_BYTE);
        }
        let whole = reply.to_vec().ok()?;
        if whole.len() <= usize::from(room) { Some(whole) } else { reply.truncate().to_vec().ok() }
    }

    fn answer(&self, query: &Message) -> Message {
        let mut reply = Message::response(query.metadata.id, query.metadata.op_code);
        reply.metadata.recursion_desired = query.metadata.recursion_desired;
        reply.metadata.recursion_available = matches!(self.role, Role::Recursive);
        reply.metadata.checking_disabled =
            query.metadata.checking_disabled && matches!(self.role, Role::Recursive);
        reply.add_queries(query.queries.iter().cloned());
        let refuse = |mut reply: Message, code| {
            reply.metadata.response_code = code;
            reply
        };
        if query.metadata.op_code != OpCode::Query {
            return refuse(reply, ResponseCode::NotImp);
        }
        let [question] = query.queries.as_slice() else { return refuse(reply, ResponseCode::FormErr) };
        if query.edns.as_ref().is_some_and(|e| e.version() > 0) {
            return refuse(reply, ResponseCode::BADVERS);
        }
        if question.query_class() != DNSClass::IN {
            return refuse(reply, ResponseCode::Refused);
        }
        let said = self.zones.ask(question.name(), question.query_type());
        match self.role {
            Role::Authoritative if said == Said::NotOurs => return refuse(reply, ResponseCode::Refused),
            Role::Authoritative => reply.metadata.authoritative = true,
            // The answers of a cache are no business of those who do not ask for recursion (RFC 9520 does not change that).
            Role::Recursive if !query.metadata.recursion_desired => {
                return refuse(reply, ResponseCode::Refused);
            }
            Role::Recursive => {}
        }
        let (mut answers, mut authority): (Vec<Record>, Vec<Record>) = match said {
            Said::Answer(records) => (records, Vec::new()),
            Said::NoData(chain, soa) => (chain, vec![*soa]),
            Said::NxDomain(chain, soa) => {
                reply.metadata.response_code = ResponseCode::NXDomain;
                (chain, vec![*soa])
            }
            Said::NotOurs => {
                if !self.zones.is_above_a_zone(question.name()) {
                    reply.metadata.response_code = ResponseCode::NXDomain;
                }
                (Vec::new(), vec![root_soa()])
            }
        };
        if matches!(self.role, Role::Recursive) {
            self.cache.age(&mut answers);
            self.cache.age(&mut authority);
        }
        reply.add_answers(answers);
        reply.add_authorities(authority);
        reply
    }
}

/// FORMERR for bytes that have at least a header of a question, by its id.
fn malformed(bytes: &[u8]) -> Option<Vec<u8>> {
    let (Some(&high), Some(&low), Some(&flags)) = (bytes.first(), bytes.get(1), bytes.get(2)) else {
        return None;
    };
    let is_response = flags & 0x80 != 0;
    if bytes.len() < 12 || is_response {
        return None;
    }
    Message::error_msg(u16::from_be_bytes([high, low]), OpCode::Query, ResponseCode::FormErr).to_vec().ok()
}
