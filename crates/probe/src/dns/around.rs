//! What stands around the zone: the delegation as its parent publishes it, copies of the zone at servers that nobody is
//! sent to, a random name beside the host, the host's twin with or without `www`, and the hosts file of this machine.
//!
//! [`around`] asks what can be asked from the host's name alone, at the same time as [`super::zone`]. [`follow_up`] asks
//! what only some answers call for: after a failure of a resolver the same question without validation, after a name that
//! does not exist the doubled name and the names one slip away, after a name without addresses its other records, and
//! where a resolver contradicts the zone's own servers the same question once more, to see its time to live run down.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use hickory_proto::rr::RecordType;
use landfall_evidence::{
    DnsAnswer, DnsManner, DnsObservation, DnsQuestion, DnsRecord, DnsServer, DnsServerRole, DnsTransport,
    Observation, ObservationId, Seen, Vantage,
};
use tokio::io::AsyncReadExt as _;

use super::message::{Flags, rcode_name};
use super::query::{Server, addresses_in, ask, ask_with, by_rcode, data_of, message_in};
use super::{is_localhost, literal, normal, system};
use crate::connect::micros;
use crate::net::Context;
use crate::shell::shell_word;

/// Servers of the parent that are asked: they answer alike, and one may be down.
const PARENTS: usize = 2;
/// Servers that are asked beyond those of the zone itself, of each kind.
const SERVERS: usize = 4;
/// Addresses of one such server that are asked.
const ADDRESSES: usize = 2;
/// Names one slip away that are looked up.
const NEAR: usize = 4;
/// Times to live count in seconds: after this long one that runs down has moved by at least one.
const AGAIN_AFTER: Duration = Duration::from_millis(1_200);
/// The usual hosts file has some lines; a blocking list has some megabytes.
const HOSTS_BYTE: u64 = 8 * 1024 * 1024;
/// Addresses kept of the hosts file.
const HOSTS_ADDRESSES: usize = 16;
/// The hosts file of this machine (hosts(5)).
const HOSTS: &str = "/etc/hosts";

/// What the target and the project say of the host's names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hints {
    /// Name servers that should serve the zone.
    pub expected_servers: Vec<String>,
    /// Hosts that the project names and that are almost the audited one.
    pub near_hosts: Vec<String>,
    /// The hosts file to read in place of this machine's.
    pub hosts_file: Option<PathBuf>,
}

/// Asks what stands around the zone of `host`; empty where [`super::zone`] is, but for the hosts file. At most 30
/// questions to a resolver, 8 to the parent and 48 to servers that are expected to hold the zone.
pub async fn around(ctx: &Context, host: &str, vantage: Vantage, hints: &Hints) -> Vec<Observation> {
    let host = normal(host);
    if literal(&host).is_some() || is_localhost(&host) || ctx.map.has_host(&host) {
        return Vec::new();
    }
    let hosts = hosts_file(ctx, &host, vantage, hints.hosts_file.as_deref());
    let domain = psl::domain_str(&host).map(str::to_owned);
    let Some(resolver) = system::resolvers(ctx).first().copied().map(Server::recursive) else {
        return hosts.await.into_iter().collect();
    };
    let (hosts, controls, delegation, copies) = tokio::join!(
        hosts,
        controls(ctx, &resolver, &host, domain.as_deref(), vantage),
        delegation(ctx, &resolver, domain.as_deref()),
        copies(ctx, &resolver, &host, domain.as_deref(), &hints.expected_servers),
    );
    hosts.into_iter().chain(controls).chain(delegation).chain(copies).collect()
}

/// The name beside the host that the control asks for, and the twin with or without `www`.
async fn controls(
    ctx: &Context,
    resolver: &Server,
    host: &str,
    domain: Option<&str>,
    vantage: Vantage,
) -> Vec<Observation> {
    // The level at which a wildcard would answer for the host: beside it, or below the domain where the host is the
    // domain itself.
    let beside = match host.split_once('.') {
        Some((_, above)) if domain != Some(host) && above.contains('.') => above,
        _ => host,
    };
    let random = RandomState::new().hash_one(host) & 0xff_ffff_ffff;
    let label = format!("landfall-{random:010x}.{beside}");
    let mut names = vec![label];
    names.extend(twin(host, domain));
    let questions = names.iter().flat_map(|name| [(name, RecordType::A), (name, RecordType::AAAA)]);
    join_all(questions.map(|(name, rtype)| ask(ctx, resolver, name, rtype, vantage, None))).await
}

/// The registered domain for its `www` name, and the other way round.
pub(super) fn twin(host: &str, domain: Option<&str>) -> Option<String> {
    let domain = domain?;
    if host == domain {
        return Some(format!("www.{domain}"));
    }
    (host.strip_prefix("www.") == Some(domain)).then(|| domain.to_owned())
}

/// The NS and DS records of the registered domain at the servers of the zone above it.
async fn delegation(ctx: &Context, resolver: &Server, domain: Option<&str>) -> Vec<Observation> {
    let Some((domain, (_, parent))) = domain.and_then(|domain| Some((domain, domain.split_once('.')?)))
    else {
        return Vec::new();
    };
    let shown = ask(ctx, resolver, parent, RecordType::NS, Vantage::ThirdParty, None).await;
    let servers: BTreeSet<String> = data_of(&shown, RecordType::NS).into_iter().collect();
    let mut observations = Vec::new();
    let asked = servers.iter().take(PARENTS).map(|server| {
        let after = shown.id.clone();
        let put = move |address: IpAddr, after: ObservationId| {
            let server = Server::parent(server, address);
            async move {
                let flags = Flags { glue: true, ..Flags::default() };
                let (ns, ds) = tokio::join!(
                    ask_with(
                        ctx,
                        &server,
                        domain,
                        RecordType::NS,
                        flags,
                        Vantage::ThirdParty,
                        Some(after.clone())
                    ),
                    ask(ctx, &server, domain, RecordType::DS, Vantage::ThirdParty, Some(after)),
                );
                vec![ns, ds]
            }
        };
        at_addresses(ctx, resolver, server, after, put)
    });
    observations.extend(join_all(asked).await.into_iter().flatten());
    observations.push(shown);
    observations
}

/// Looks up the addresses of a server and asks it at each of them.
async fn at_addresses<F, W>(
    ctx: &Context,
    resolver: &Server,
    server: &str,
    after: ObservationId,
    put: F,
) -> Vec<Observation>
where
    F: Fn(IpAddr, ObservationId) -> W,
    W: Future<Output = Vec<Observation>>,
{
    let look = |family| ask(ctx, resolver, server, family, Vantage::ThirdParty, Some(after.clone()));
    let (v4, v6) = tokio::join!(look(RecordType::A), look(RecordType::AAAA));
    let mut questions = Vec::new();
    for found in [&v4, &v6] {
        let addresses: BTreeSet<IpAddr> = addresses_in(found).into_iter().collect();
        questions
            .extend(addresses.into_iter().take(ADDRESSES.div_ceil(2)).map(|ip| put(ip, found.id.clone())));
    }
    let mut observations: Vec<Observation> = join_all(questions).await.into_iter().flatten().collect();
    observations.extend([v4, v6]);
    observations
}

/// What a server of the zone is asked of it.
fn records<'a>(host: &'a str, zone: &'a str) -> [(&'a str, RecordType); 5] {
    [
        (host, RecordType::A),
        (host, RecordType::AAAA),
        (host, RecordType::CNAME),
        (zone, RecordType::NS),
        (zone, RecordType::SOA),
    ]
}

/// The copies of the zone at servers that are expected to hold it. Those to which the delegation does lead are asked as
/// such too; the same answer twice does no harm, and the question need not wait for the delegation.
async fn copies(
    ctx: &Context,
    resolver: &Server,
    host: &str,
    domain: Option<&str>,
    expected: &[String],
) -> Vec<Observation> {
    let Some(domain) = domain else { return Vec::new() };
    let asked = expected.iter().take(SERVERS).map(|name| async move {
        let name = normal(name);
        let put = |address: IpAddr, after: ObservationId| {
            let server = Server::expected(&name, address);
            async move {
                join_all(records(host, domain).map(|(name, rtype)| {
                    let (server, after) = (server.clone(), Some(after.clone()));
                    async move { ask(ctx, &server, name, rtype, Vantage::ThirdParty, after).await }
                }))
                .await
            }
        };
        let (literal_v4, after) = (literal(&name), ObservationId::from("target"));
        match literal_v4 {
            // A server may be named by its address, which needs no question.
            Some(ip) => put(ip, after).await.into_iter().map(|o| Observation { after: None, ..o }).collect(),
            None => {
                let look = |family| ask(ctx, resolver, &name, family, Vantage::ThirdParty, None);
                let (v4, v6) = tokio::join!(look(RecordType::A), look(RecordType::AAAA));
                let mut questions = Vec::new();
                for found in [&v4, &v6] {
                    questions
                        .extend(addresses_in(found).into_iter().take(1).map(|ip| put(ip, found.id.clone())));
                }
                let mut observations: Vec<Observation> =
                    join_all(questions).await.into_iter().flatten().collect();
                observations.extend([v4, v6]);
                observations
            }
        }
    });
    join_all(asked).await.into_iter().flatten().collect()
}

/// What the hosts file says of the host; `None` when there is no such file or it cannot be read.
async fn hosts_file(ctx: &Context, host: &str, vantage: Vantage, path: Option<&Path>) -> Option<Observation> {
    let started = Instant::now();
    // A server that audits for somebody else keeps its own files to itself.
    let path = match path {
        Some(path) => path,
        None if ctx.egress.is_open() => Path::new(HOSTS),
        None => return None,
    };
    let mut text = Vec::new();
    let file = tokio::fs::File::open(path).await.ok()?;
    file.take(HOSTS_BYTE).read_to_end(&mut text).await.ok()?;
    let found = entries(&String::from_utf8_lossy(&text), host);
    let shown = path.display().to_string();
    let answer = DnsAnswer {
        rcode: if found.is_empty() { 3 } else { 0 },
        rcode_name: rcode_name(if found.is_empty() { 3 } else { 0 }),
        authoritative: false,
        recursion_available: false,
        authentic_data: false,
        truncated: false,
        answers: found
            .into_iter()
            .map(|ip| DnsRecord {
                name: host.to_owned(),
                rtype: if ip.is_ipv4() { "A" } else { "AAAA" }.to_owned(),
                ttl_s: 0,
                data: ip.to_string(),
            })
            .collect(),
        authority: Vec::new(),
        extended_errors: Vec::new(),
        glue: Vec::new(),
        signing: None,
    };
    let server = DnsServer {
        role: DnsServerRole::HostsFile,
        name: Some(shown.clone()),
        address: None,
        connected_to: None,
    };
    Some(Observation {
        id: format!("dns/hosts/{host}").into(),
        vantage,
        started_us: ctx.offset_us(started),
        took_us: micros(started.elapsed()),
        after: None,
        round_trips: 0,
        attempt: 1,
        by_hand: format!("grep -n -w {} {}", shell_word(host), shell_word(&shown)),
        seen: Seen::Dns(DnsObservation {
            question: DnsQuestion {
                name: host.to_owned(),
                rtype: "A".to_owned(),
                server,
                transport: DnsTransport::SystemCall,
                checking_disabled: false,
                dnssec_ok: false,
                manner: DnsManner::Usual,
            },
            answer: by_rcode(answer),
        }),
    })
}

/// The addresses of a host in a hosts file (hosts(5)): an address, then names, then perhaps a comment.
fn entries(text: &str, host: &str) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for line in text.lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let Some(ip) = words.next().and_then(|word| word.parse::<IpAddr>().ok()) else { continue };
        if found.len() < HOSTS_ADDRESSES
            && !found.contains(&ip)
            && words.any(|name| name.trim_end_matches('.').eq_ignore_ascii_case(host))
        {
            found.push(ip);
        }
    }
    found
}

/// Asks what the answers so far call for. `seen` holds the observations of [`super::addresses`], [`super::zone`] and
/// [`around`]. Nothing is asked where all is as it should be. At most 44 questions.
pub async fn follow_up(
    ctx: &Context,
    host: &str,
    vantage: Vantage,
    hints: &Hints,
    seen: &[Observation],
) -> Vec<Observation> {
    let host = normal(host);
    let Some(domain) = psl::domain_str(&host).map(str::to_owned) else { return Vec::new() };
    let resolvers = system::resolvers(ctx);
    let Some(resolver) = resolvers.first().copied().map(Server::recursive) else { return Vec::new() };
    if literal(&host).is_some() || ctx.map.has_host(&host) {
        return Vec::new();
    }
    let told = Told::of(&host, &domain, seen);
    let zone = told.zone.clone().unwrap_or_else(|| domain.clone());
    let (resolver, host, zone) = (&resolver, host.as_str(), zone.as_str());
    let mut questions: Vec<(Server, String, RecordType, Flags)> = Vec::new();
    if told.nxdomain {
        let doubled = format!("{host}.{zone}");
        questions.push((resolver.clone(), doubled, RecordType::A, Flags::default()));
        // Whether the rest of the zone is there: a zone without anything was perhaps never filled. A copy elsewhere that
        // holds the host is asked for the same: what else it alone has was left behind together with it.
        let delegated = told.authoritative.iter().next().map(|(name, ip)| Server::authoritative(name, *ip));
        let copy = told.copies.iter().next().map(|(name, ip)| Server::expected(name, *ip));
        for server in delegated.into_iter().chain(copy) {
            let www = format!("www.{domain}");
            let rest = [
                (&domain, RecordType::A),
                (&domain, RecordType::MX),
                (&domain, RecordType::TXT),
                (&www, RecordType::A),
            ];
            for (name, rtype) in rest.into_iter().filter(|(name, _)| name.as_str() != host) {
                questions.push((server.clone(), name.clone(), rtype, Flags::default()));
            }
        }
    }
    // A name in another domain may be the one that is meant, whether or not this one is somebody's.
    for near in hints.near_hosts.iter().take(NEAR) {
        if told.nxdomain || psl::domain_str(near) != Some(domain.as_str()) {
            questions.push((resolver.clone(), normal(near), RecordType::A, Flags::default()));
        }
    }
    if told.empty {
        for rtype in [RecordType::TXT, RecordType::MX] {
            questions.push((resolver.clone(), host.to_owned(), rtype, Flags::default()));
        }
    }
    let both = Flags { checking_disabled: true, dnssec_ok: true, ..Flags::default() };
    if told.servfail {
        for at in &resolvers {
            let flags = Flags { dnssec_ok: false, ..both };
            questions.push((Server::recursive(*at), host.to_owned(), RecordType::A, flags));
        }
    }
    if told.servfail || told.signed {
        for (name, rtype) in [(host, RecordType::A), (zone, RecordType::DNSKEY), (zone, RecordType::DS)] {
            questions.push((resolver.clone(), name.to_owned(), rtype, both));
        }
        if let Some((name, ip)) = told.authoritative.iter().next() {
            let flags = Flags { checking_disabled: false, ..both };
            for (asked, rtype) in [(host, RecordType::A), (zone, RecordType::DNSKEY)] {
                questions.push((Server::authoritative(name, *ip), asked.to_owned(), rtype, flags));
            }
        }
    }
    let direct = join_all(questions.iter().map(|(server, name, rtype, flags)| {
        let vantage = if server.role == DnsServerRole::Expected { Vantage::ThirdParty } else { vantage };
        ask_with(ctx, server, name, *rtype, *flags, vantage, None)
    }));
    let unasked: Vec<&String> =
        told.delegated.keys().filter(|name| !told.named.contains(*name)).take(SERVERS).collect();
    let told = &told;
    let delegated = join_all(unasked.into_iter().map(|name| {
        let glue = &told.delegated[name];
        async move {
            let put = |address: IpAddr, after: Option<ObservationId>| {
                let server = Server::authoritative(name, address);
                async move {
                    join_all(records(host, zone).map(|(asked, rtype)| {
                        let (server, after) = (server.clone(), after.clone());
                        async move { ask(ctx, &server, asked, rtype, vantage, after).await }
                    }))
                    .await
                }
            };
            if !glue.is_empty() {
                let asked = glue.iter().take(ADDRESSES).map(|ip| put(*ip, told.delegation.clone()));
                return join_all(asked).await.into_iter().flatten().collect::<Vec<_>>();
            }
            let look =
                |family| ask(ctx, resolver, name, family, Vantage::ThirdParty, told.delegation.clone());
            let (v4, v6) = tokio::join!(look(RecordType::A), look(RecordType::AAAA));
            let mut asked = Vec::new();
            for found in [&v4, &v6] {
                asked.extend(
                    addresses_in(found).into_iter().take(1).map(|ip| put(ip, Some(found.id.clone()))),
                );
            }
            let mut observations: Vec<Observation> = join_all(asked).await.into_iter().flatten().collect();
            observations.extend([v4, v6]);
            observations
        }
    }));
    let again = async {
        if !told.contradicts {
            return Vec::new();
        }
        tokio::time::sleep(ctx.within(AGAIN_AFTER)).await;
        let asked = resolvers.iter().flat_map(|at| [(*at, RecordType::A), (*at, RecordType::AAAA)]);
        let asked = asked.map(|(at, rtype)| async move {
            let seen = ask(ctx, &Server::recursive(at), host, rtype, vantage, None).await;
            Observation { attempt: 2, ..seen }
        });
        join_all(asked).await
    };
    let (direct, delegated, again) = tokio::join!(direct, delegated, again);
    direct.into_iter().chain(delegated.into_iter().flatten()).chain(again).collect()
}

/// What the answers so far say, as far as it decides what to ask next.
#[derive(Default)]
struct Told {
    /// The host does not exist, by anybody.
    nxdomain: bool,
    /// The host exists and has no address, by anybody.
    empty: bool,
    /// A resolver fails.
    servfail: bool,
    /// The parent publishes a DS record.
    signed: bool,
    /// A resolver's addresses share nothing with those of the zone's own servers, or it has none where they have some.
    contradicts: bool,
    /// The zone that holds the host.
    zone: Option<String>,
    /// Servers that the parent names, with glue.
    delegated: BTreeMap<String, Vec<IpAddr>>,
    /// The observation of the delegation.
    delegation: Option<ObservationId>,
    /// Servers that were asked as the zone's own.
    named: BTreeSet<String>,
    /// Servers of the zone that answered with authority.
    authoritative: BTreeSet<(String, IpAddr)>,
    /// Servers outside the delegation that answered with authority and hold the host.
    copies: BTreeSet<(String, IpAddr)>,
}

impl Told {
    fn of(host: &str, domain: &str, seen: &[Observation]) -> Self {
        let mut told = Self::default();
        let mut own: BTreeSet<IpAddr> = BTreeSet::new();
        let mut theirs: BTreeMap<Option<std::net::SocketAddr>, BTreeSet<IpAddr>> = BTreeMap::new();
        let mut empty_families: BTreeMap<(DnsServerRole, String), BTreeSet<String>> = BTreeMap::new();
        for observation in seen {
            let Seen::Dns(dns) = &observation.seen else { continue };
            let (question, server) = (&dns.question, &dns.question.server);
            if server.role == DnsServerRole::Authoritative {
                told.named.extend(server.name.clone());
            }
            let Some(answer) = message_in(observation) else {
                if server.role == DnsServerRole::Recursive && question.name == host {
                    theirs.entry(server.address).or_default();
                }
                continue;
            };
            if server.role == DnsServerRole::Parent {
                told.parent(observation, answer, domain);
                continue;
            }
            // Copies are none of the answers that a client could get, which is what the rest looks at.
            if let (DnsServerRole::Expected, Some(name), Some(address)) =
                (server.role, &server.name, server.address)
                && answer.authoritative
                && question.name == host
                && !addresses_in(observation).is_empty()
            {
                told.copies.insert((name.clone(), address.ip()));
            }
            if !question.is_plain() {
                continue;
            }
            if let (DnsServerRole::Authoritative, true, Some(name), Some(address)) =
                (server.role, answer.authoritative, &server.name, server.address)
            {
                told.authoritative.insert((name.clone(), address.ip()));
            }
            let soa = answer.answers.iter().find(|r| r.rtype == "SOA" && r.name == question.name);
            if let Some(soa) = soa
                && (host == soa.name || host.ends_with(&format!(".{}", soa.name)))
                && told.zone.as_ref().is_none_or(|zone| zone.len() < soa.name.len())
            {
                told.zone = Some(soa.name.clone());
            }
            if question.name != host {
                continue;
            }
            told.servfail |= answer.rcode == 2 && server.role == DnsServerRole::Recursive;
            let alias = answer.answers.iter().any(|r| r.rtype == "CNAME");
            told.nxdomain |= answer.rcode == 3 && !alias;
            if !matches!(question.rtype.as_str(), "A" | "AAAA") {
                continue;
            }
            let addresses = addresses_in(observation);
            match server.role {
                DnsServerRole::Authoritative => own.extend(&addresses),
                DnsServerRole::Recursive => theirs.entry(server.address).or_default().extend(&addresses),
                _ => {}
            }
            if answer.rcode == 0 && answer.answers.is_empty() {
                let who = server.name.clone().unwrap_or_default();
                let who = format!("{who} {}", server.address.map(|a| a.to_string()).unwrap_or_default());
                empty_families.entry((server.role, who)).or_default().insert(question.rtype.clone());
            }
        }
        told.empty = empty_families.values().any(|families| families.len() == 2);
        told.contradicts = !own.is_empty() && theirs.values().any(|set| set.is_disjoint(&own));
        told
    }

    fn parent(&mut self, observation: &Observation, answer: &DnsAnswer, domain: &str) {
        for record in answer.answers.iter().chain(&answer.authority) {
            match record.rtype.as_str() {
                "NS" if record.name == domain => {
                    let glue = self.delegated.entry(record.data.clone()).or_default();
                    for address in answer.glue.iter().filter(|g| g.name == record.data) {
                        glue.extend(address.data.parse::<IpAddr>().ok().filter(|ip| !glue.contains(ip)));
                    }
                    self.delegation = Some(observation.id.clone());
                }
                "DS" if record.name == domain => self.signed = true,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_twin_is_the_domain_with_or_without_www() {
        for (host, expected) in [
            ("example.test", Some("www.example.test")),
            ("www.example.test", Some("example.test")),
            ("api.example.test", None),
            ("www.api.example.test", None),
        ] {
            assert_eq!(twin(host, psl::domain_str(host)).as_deref(), expected, "{host}");
        }
    }

    #[test]
    fn a_hosts_file_is_read_by_its_manual() {
        let text = "# 192.0.2.9 api.example.test\n127.0.0.1 localhost\n192.0.2.7\tAPI.example.test. other # note\n\
                    ::1 api.example.test\nnonsense api.example.test\n192.0.2.7 api.example.test\n192.0.2.8 xapi.example.test";
        let found: Vec<String> = entries(text, "api.example.test").iter().map(ToString::to_string).collect();
        assert_eq!(found, ["192.0.2.7", "::1"]);
        assert!(entries(text, "gone.example.test").is_empty());
    }
}
