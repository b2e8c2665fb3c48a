//! One question to one server, as an observation.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use hickory_proto::rr::RecordType;
use landfall_evidence::{
    Denial, DnsAnswer, DnsManner, DnsObservation, DnsQuestion, DnsServer, DnsServerRole, DnsTransport,
    Observation, ObservationId, Observed, Seen, Vantage,
};

use super::message::{Flags, Question};
use super::transport::{Exchange, exchange};
use crate::connect::{guard, micros};
use crate::net::Context;
use crate::shell::shell_word;

/// A server that can be asked over the network.
#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) role: DnsServerRole,
    name: Option<String>,
    address: SocketAddr,
    /// Whether the operator chose it. Others are held to what may be connected to.
    trusted: bool,
}

impl Server {
    /// A recursive resolver.
    pub(super) fn recursive(address: SocketAddr) -> Self {
        Self { role: DnsServerRole::Recursive, name: None, address, trusted: true }
    }

    /// A recursive resolver that somebody else than the operator named.
    pub(super) fn named(address: SocketAddr) -> Self {
        Self { trusted: false, ..Self::recursive(address) }
    }

    /// A server of a zone, by its name and one of its addresses.
    pub(super) fn authoritative(name: &str, address: IpAddr) -> Self {
        Self {
            role: DnsServerRole::Authoritative,
            name: Some(name.to_owned()),
            address: SocketAddr::new(address, 53),
            trusted: false,
        }
    }

    /// A server of the zone above.
    pub(super) fn parent(name: &str, address: IpAddr) -> Self {
        Self { role: DnsServerRole::Parent, ..Self::authoritative(name, address) }
    }

    /// A server that ought to serve the zone and that nobody is sent to.
    pub(super) fn expected(name: &str, address: IpAddr) -> Self {
        Self { role: DnsServerRole::Expected, ..Self::authoritative(name, address) }
    }

    /// The id of a question to this server. An authoritative server has its address in it, because its addresses
    /// are different machines that may answer differently.
    fn id(&self, name: &str, rtype: RecordType, flags: Flags) -> ObservationId {
        let wishes = match (flags.checking_disabled, flags.dnssec_ok) {
            (false, false) => "",
            (true, false) => " +cd",
            (false, true) => " +dnssec",
            (true, true) => " +cd +dnssec",
        };
        let role = match self.role {
            DnsServerRole::Parent => "parent",
            DnsServerRole::Expected => "expected",
            _ => "authoritative",
        };
        let manner = match flags.manner {
            DnsManner::Usual => "",
            DnsManner::Tcp => " +tcp",
            DnsManner::NoEdns => " +noedns",
            DnsManner::FutureEdns => " +edns=1",
            DnsManner::MixedCase => " +case",
            DnsManner::Transfer => " +transfer",
            DnsManner::Recursion => " +recurse",
        };
        match &self.name {
            Some(server) => {
                format!("dns/{role}/{server}/{}/{rtype} {name}{wishes}{manner}", self.address.ip())
            }
            None => format!("dns/recursive/{}/{rtype} {name}{wishes}{manner}", self.address),
        }
        .into()
    }
}

/// Puts one question to one server. `name` is lower case without the final dot.
pub(super) async fn ask(
    ctx: &Context,
    server: &Server,
    name: &str,
    rtype: RecordType,
    vantage: Vantage,
    after: Option<ObservationId>,
) -> Observation {
    ask_with(ctx, server, name, rtype, Flags::default(), vantage, after).await
}

/// [`ask`] with special wishes.
pub(super) async fn ask_with(
    ctx: &Context,
    server: &Server,
    name: &str,
    rtype: RecordType,
    flags: Flags,
    vantage: Vantage,
    after: Option<ObservationId>,
) -> Observation {
    ask_keeping(ctx, server, name, rtype, flags, vantage, after).await.0
}

/// [`ask_with`], and the bytes of the answer; none when there was no answer.
pub(super) async fn ask_keeping(
    ctx: &Context,
    server: &Server,
    name: &str,
    rtype: RecordType,
    flags: Flags,
    vantage: Vantage,
    after: Option<ObservationId>,
) -> (Observation, Vec<u8>) {
    let recursion = server.role == DnsServerRole::Recursive;
    let real = ctx.map.address(server.address);
    let started = Instant::now();
    let allowed = if server.trusted { Ok(()) } else { guard(ctx, "", server.address) };
    let spelt = if flags.manner == DnsManner::MixedCase { mixed_case(name) } else { name.to_owned() };
    let question = allowed.and_then(|()| Question::new(&spelt, rtype, recursion, flags));
    let Exchange { transport, result, bytes, round_trips } = match question {
        Ok(question) => exchange(ctx, real, &question).await,
        Err(fault) => {
            Exchange { transport: DnsTransport::Udp, result: Err(fault), bytes: Vec::new(), round_trips: 0 }
        }
    };
    let took = started.elapsed();
    let question = DnsQuestion {
        name: name.to_owned(),
        rtype: rtype.to_string(),
        server: DnsServer {
            role: server.role,
            name: server.name.clone(),
            address: Some(server.address),
            connected_to: ctx.map.diverted(server.address),
        },
        transport,
        checking_disabled: flags.checking_disabled,
        dnssec_ok: flags.dnssec_ok,
        manner: flags.manner,
    };
    let recursion_flag = if recursion { "" } else { " +norecurse" };
    let cd_flag = if flags.checking_disabled { " +cd" } else { "" };
    let do_flag = if flags.dnssec_ok { " +dnssec" } else { "" };
    let glue_flag = if flags.glue { " +additional" } else { "" };
    let (asked, recursion_flag, manner_flag) = match flags.manner {
        DnsManner::Usual | DnsManner::MixedCase => (rtype.to_string(), recursion_flag, ""),
        DnsManner::Tcp => (rtype.to_string(), recursion_flag, " +tcp"),
        DnsManner::NoEdns => (rtype.to_string(), recursion_flag, " +noedns"),
        DnsManner::FutureEdns => (rtype.to_string(), recursion_flag, " +edns=1 +noednsnegotiation"),
        DnsManner::Transfer => ("AXFR".to_owned(), "", ""),
        DnsManner::Recursion => (rtype.to_string(), " +recurse", ""),
    };
    let observation = Observation {
        id: server.id(name, rtype, flags),
        vantage,
        started_us: ctx.offset_us(started),
        took_us: micros(took),
        after,
        round_trips,
        attempt: 1,
        by_hand: format!(
            "dig @{} -p {} {} {asked}{recursion_flag}{cd_flag}{do_flag}{manner_flag} +noall +comments +answer +authority{glue_flag}",
            real.ip(),
            real.port(),
            shell_word(&spelt)
        ),
        seen: Seen::Dns(DnsObservation {
            question,
            answer: result.map_or_else(|f| f.into_observed(), by_rcode),
        }),
    };
    (observation, bytes)
}

/// Every second letter in upper case: `eXaMpLe.TeSt`.
fn mixed_case(name: &str) -> String {
    let turned = |(at, letter): (usize, char)| {
        if at % 2 == 1 { letter.to_ascii_uppercase() } else { letter }
    };
    name.chars().enumerate().map(turned).collect()
}

/// NOERROR is present, any other response code is a denial.
pub(super) fn by_rcode(answer: DnsAnswer) -> Observed<DnsAnswer> {
    if answer.rcode == 0 {
        Observed::Present(answer)
    } else {
        Observed::Denied(Denial::Rcode(Box::new(answer)))
    }
}

/// The answer section's data of one type, whether or not the observation is of DNS at all.
pub(super) fn data_of(observation: &Observation, rtype: RecordType) -> Vec<String> {
    let rtype = rtype.to_string();
    match &observation.seen {
        Seen::Dns(dns) => dns
            .answer
            .present()
            .map(|answer| answer.data_of(&rtype).map(str::to_owned).collect())
            .unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// What an observation says in DNS terms: the message, be it a yes or a no.
pub(super) fn message_in(observation: &Observation) -> Option<&DnsAnswer> {
    match &observation.seen {
        Seen::Dns(dns) => match &dns.answer {
            Observed::Present(answer) => Some(answer),
            Observed::Denied(Denial::Rcode(answer)) => Some(answer),
            _ => None,
        },
        _ => None,
    }
}

/// The addresses in an answer, IPv4 and IPv6.
pub(super) fn addresses_in(observation: &Observation) -> Vec<IpAddr> {
    let both = [RecordType::A, RecordType::AAAA].into_iter().flat_map(|rtype| data_of(observation, rtype));
    both.filter_map(|text| text.parse().ok()).collect()
}
