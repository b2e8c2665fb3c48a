//! Further looks at an address whose ordinary way in failed, each made only where its answer can decide something.
//!
//! A refused or silent port: the usual other ports of the same address, and the same port once more. A handshake that
//! fails: without a name, with another name of the target, with small and with old hellos. A certificate that does not
//! hold: the path of the authority's challenge, and the policy of the domain above. At most a dozen small questions, all
//! at the same time, to hosts that the target names, within the audit's deadline and budget.
//!
//! The path of the challenge is looked at before anything fails as well, where a certificate is due for renewal or TLS is
//! what the caller asks about ([`challenges`]).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, FutureExt as _, join_all};
use jiff::Timestamp;
use landfall_evidence::{
    Denial, DoorAnswer, DoorAsk, DoorObservation, DoorQuestion, DoorTls, HttpVersion, Observation,
    ObservationId, Observed, Phase, Purpose, Seen, TrustResult,
};
use url::Url;

use crate::connect::{Fault, micros, tcp};
use crate::http::{self, Site};
use crate::net::{Context, Limits};
use crate::shell::shell_word;
use crate::tls::{self, Hello};

/// Ports on which services are published when 443 and 80 are not, as http; 8443 as https.
const OTHER_PORTS: &[u16] = &[80, 443, 3000, 5000, 8000, 8080, 8443];

/// One path under which no authority has ever asked for a challenge, so that "not found" is the right answer.
const CHALLENGE: &str = "/.well-known/acme-challenge/landfall-probe";

/// Limits of a look: above the first two SYN retransmissions (1 s and 3 s, RFC 6298), and short beyond, because the
/// ordinary questions have waited already.
const CONNECT: Duration = Duration::from_millis(3_500);
const WAIT: Duration = Duration::from_secs(5);

/// What the ordinary questions showed of one site.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Trouble {
    /// No connection was ever made, for a refusal or silence.
    shut: bool,
    /// A connection met silence, whether or not another one stood.
    silent: bool,
    /// A handshake failed after the connection stood.
    handshake: bool,
    /// That handshake met silence.
    handshake_silent: bool,
    /// What came in place of the handshake showed already what is spoken there.
    other_protocol: bool,
    /// The chain or the name does not hold.
    certificate: bool,
    /// The server ended requests by an alert, or every answer was a refusal of the client.
    refused_client: bool,
}

/// Looks again where the ordinary questions failed. Returns nothing for a site whose door opened.
///
/// `other_name` is another host that the target names (the platform's own name).
pub async fn look(
    ctx: &Context,
    site: &Site,
    other_name: Option<&str>,
    so_far: &[Observation],
) -> Vec<Observation> {
    let Some(address) = site.addresses.first().copied() else { return Vec::new() };
    let trouble = trouble(site, so_far);
    if trouble == Trouble::default() || ctx.is_over() {
        return Vec::new();
    }
    let ctx = shorter(ctx);
    let after = last(so_far);
    let look = Look { ctx: &ctx, site, after, address };
    join_all(look.plan(&trouble, other_name)).await
}

/// Addresses at which the path of the challenge is asked for.
const CHALLENGED: usize = 4;

/// Asks every address for the path of the authority's challenge, as far as `so_far` has not: a renewal that will fail shows
/// itself there before the certificate ends. An authority takes IPv6 where there is an address of it, so that each family
/// counts.
pub async fn challenges(ctx: &Context, site: &Site, so_far: &[Observation]) -> Vec<Observation> {
    let host = site.base.host_str().unwrap_or_default();
    if site.base.scheme() != "https" || ctx.is_over() {
        return Vec::new();
    }
    let asked = |plain: SocketAddr| {
        so_far.iter().any(|o| match &o.seen {
            Seen::Door(door) => {
                door.question.ask == DoorAsk::Challenge && door.question.address.ip() == plain.ip()
            }
            _ => false,
        })
    };
    let ctx = shorter(ctx);
    let after = last(so_far);
    let mut at: Vec<SocketAddr> =
        site.addresses.iter().filter_map(|at| port_80(&ctx, host, *at)).filter(|at| !asked(*at)).collect();
    at.dedup();
    at.truncate(CHALLENGED);
    let looks: Vec<(Look<'_>, SocketAddr)> = at
        .into_iter()
        .map(|plain| (Look { ctx: &ctx, site, after: after.clone(), address: plain }, plain))
        .collect();
    join_all(looks.iter().map(|(look, plain)| look.challenge(*plain))).await
}

/// Port 80 of an address; `None` where the address map describes a world that it would leave.
fn port_80(ctx: &Context, host: &str, at: SocketAddr) -> Option<SocketAddr> {
    if ctx.map.has_host(host) {
        return ctx.map.host(host, 80);
    }
    Some(SocketAddr::new(at.ip(), 80)).filter(|plain| !ctx.map.leaves(*plain))
}

/// Whether a certificate of these handshakes is in the last third of its life, in which automation renews it (the
/// integration guide of Let's Encrypt: when a third is left).
pub fn renewal_is_near(so_far: &[Observation], now: Timestamp) -> bool {
    so_far.iter().any(|o| match &o.seen {
        Seen::Tls(seen) => seen.answer.present().and_then(|shake| shake.chain.first()).is_some_and(|leaf| {
            let life_s = leaf.not_after.as_second() - leaf.not_before.as_second();
            (leaf.not_after.as_second() - now.as_second()) * 3 <= life_s
        }),
        _ => false,
    })
}

/// The answer that came last of those that looks wait for.
fn last(so_far: &[Observation]) -> Option<ObservationId> {
    let waited = |o: &&Observation| matches!(o.seen, Seen::Tls(_) | Seen::TlsSurvey(_) | Seen::Http(_));
    so_far.iter().filter(waited).max_by_key(|o| o.ended_us()).map(|o| o.id.clone())
}

/// The limits of a look.
fn shorter(ctx: &Context) -> Context {
    let mut ctx = ctx.clone();
    ctx.limits = Arc::new(Limits {
        connect: CONNECT,
        tls: WAIT,
        wait: WAIT,
        transfer: WAIT,
        redirects: 0,
        ..(*ctx.limits).clone()
    });
    ctx
}

fn trouble(site: &Site, so_far: &[Observation]) -> Trouble {
    let mut trouble = Trouble::default();
    let (mut stood, mut tried, mut answered, mut refused) = (false, false, 0, 0);
    let mut note = |connected: Option<bool>, silent: bool| {
        tried |= connected.is_some();
        stood |= connected == Some(true);
        trouble.silent |= silent;
    };
    for observation in so_far.iter().filter(|o| o.vantage == site.vantage) {
        match &observation.seen {
            Seen::Tls(seen) => {
                let (connected, silent) = connected(&seen.answer);
                note(connected, silent);
                if let Some(shake) = seen.answer.present() {
                    let trusted =
                        shake.trust.iter().any(|path| matches!(path.result, TrustResult::Trusted { .. }));
                    trouble.certificate |= !shake.name_matches || (!trusted && !shake.trust.is_empty());
                } else if connected == Some(true) {
                    trouble.handshake = true;
                    trouble.handshake_silent |= matches!(&seen.answer, Observed::Silent(_));
                    trouble.other_protocol |= matches!(
                        &seen.answer,
                        Observed::Denied(Denial::NotTls { .. } | Denial::TlsAlert { .. })
                    );
                }
            }
            Seen::Http(seen)
                if matches!(
                    seen.request.purpose,
                    Purpose::Endpoint | Purpose::AddressParity | Purpose::Control | Purpose::RouteExistence
                ) && seen.request.version != HttpVersion::H3 =>
            {
                let (connected, silent) = connected(&seen.answer);
                note(connected, silent);
                match &seen.answer {
                    Observed::Present(response) => {
                        answered += 1;
                        refused += u32::from(matches!(response.status, 400 | 401 | 403 | 421 | 495 | 496));
                    }
                    Observed::Denied(Denial::TlsAlert { .. }) => trouble.refused_client = true,
                    Observed::Denied(
                        Denial::Closed { phase: Phase::Wait } | Denial::Reset { phase: Phase::Wait },
                    ) if site.base.scheme() == "https" => trouble.refused_client = true,
                    _ => {}
                }
            }
            _ => {}
        }
    }
    trouble.shut = tried && !stood;
    trouble.refused_client |= site.base.scheme() == "https" && answered > 0 && refused == answered;
    trouble
}

/// Whether a TCP connection stood, as far as an outcome tells, and whether it met silence.
fn connected<T>(answer: &Observed<T>) -> (Option<bool>, bool) {
    match answer {
        Observed::Present(_) => (Some(true), false),
        Observed::Silent(silence) if silence.phase == Phase::Connect => (Some(false), true),
        Observed::Silent(silence) if silence.phase == Phase::Resolve => (None, false),
        Observed::Silent(_) => (Some(true), false),
        Observed::Denied(Denial::Refused | Denial::Unreachable { .. }) => (Some(false), false),
        Observed::Denied(
            Denial::Reset { phase: Phase::Connect } | Denial::Closed { phase: Phase::Connect },
        ) => (Some(false), false),
        Observed::Denied(Denial::Rcode(_)) | Observed::Unasked(_) => (None, false),
        Observed::Denied(_) => (Some(true), false),
    }
}

struct Look<'a> {
    ctx: &'a Context,
    site: &'a Site,
    after: Option<ObservationId>,
    address: SocketAddr,
}

impl Look<'_> {
    fn host(&self) -> &str {
        self.site.base.host_str().unwrap_or_default()
    }

    /// The looks that can decide something here.
    fn plan<'s>(&'s self, trouble: &Trouble, other_name: Option<&str>) -> Vec<BoxFuture<'s, Observation>> {
        let mut looks: Vec<BoxFuture<'s, Observation>> = Vec::new();
        let secure = self.site.base.scheme() == "https";
        if trouble.shut {
            for port in OTHER_PORTS.iter().copied() {
                let at = SocketAddr::new(self.address.ip(), port);
                if port != self.address.port() && !self.ctx.map.leaves(at) {
                    looks.push(self.port(port).boxed());
                }
            }
        }
        if trouble.silent {
            looks.push(self.again().boxed());
        }
        if secure && trouble.handshake {
            let host = self.host();
            if host.parse::<std::net::IpAddr>().is_err() {
                looks.push(self.handshake(DoorAsk::NoName, self.address.ip().to_string()).boxed());
            }
            if let Some(name) = other_name.filter(|name| *name != host) {
                looks.push(self.handshake(DoorAsk::OtherName, name.to_owned()).boxed());
            }
            looks.push(self.hello(DoorAsk::LegacyHello, Hello::Legacy).boxed());
            looks.push(self.handshake(DoorAsk::ClientCertificate, host.to_owned()).boxed());
            if !trouble.other_protocol {
                looks.push(self.plain_here().boxed());
            }
            if trouble.handshake_silent {
                looks.push(self.handshake(DoorAsk::SmallHello, host.to_owned()).boxed());
                looks.push(self.hello(DoorAsk::SmallAnswer, Hello::Unacceptable).boxed());
            }
        } else if secure && trouble.refused_client {
            looks.push(self.handshake(DoorAsk::ClientCertificate, self.host().to_owned()).boxed());
        }
        let broken_https = trouble.certificate || trouble.handshake || trouble.shut;
        if secure
            && (trouble.certificate || trouble.handshake)
            && let Some(plain) = port_80(self.ctx, self.host(), self.address)
        {
            looks.push(self.challenge(plain).boxed());
        }
        if broken_https && let Some(parent) = parent(self.host()) {
            looks.push(self.parent_policy(parent).boxed());
        }
        looks
    }

    async fn again(&self) -> Observation {
        let began = Instant::now();
        let answer = tcp(self.ctx, self.host(), self.address).await.map(|_| DoorAnswer::Open);
        let to = self.ctx.map.address(self.address);
        let by_hand = format!("nc -vz -w 4 {} {}", to.ip(), to.port());
        self.observation(DoorAsk::Again, self.host(), None, self.address, began, by_hand, observed(answer))
    }

    /// The first endpoint at another port of the same address.
    async fn port(&self, port: u16) -> Observation {
        let secure = matches!(port, 443 | 8443);
        let mut url = self.site.first_question(Purpose::Endpoint).url;
        let scheme = if secure { "https" } else { "http" };
        // Both schemes are of the kind that a URL with a host may take.
        let _ = url.set_scheme(scheme);
        let _ = url.set_port(Some(port));
        let address = SocketAddr::new(self.address.ip(), port);
        self.request(DoorAsk::OtherPort, url, address).await
    }

    /// A server without TLS may wait for ever for the end of what it takes for a request line.
    async fn plain_here(&self) -> Observation {
        let mut url = self.site.first_question(Purpose::Endpoint).url;
        let _ = url.set_scheme("http");
        let _ = url.set_port(Some(self.address.port()));
        self.request(DoorAsk::PlainHere, url, self.address).await
    }

    async fn challenge(&self, address: SocketAddr) -> Observation {
        let mut url = self.site.url(CHALLENGE);
        let _ = url.set_scheme("http");
        let _ = url.set_port(None);
        self.request(DoorAsk::Challenge, url, address).await
    }

    /// The domain above asked for its policy. Its addresses are looked up here and now.
    async fn parent_policy(&self, parent: String) -> Observation {
        let began = Instant::now();
        let url = Url::parse(&format!("https://{parent}/"));
        let found = crate::dns::addresses(self.ctx, &parent, 443, self.site.vantage).await;
        match (url, found.sockets(443).first()) {
            (Ok(url), Some(address)) => self.request(DoorAsk::ParentPolicy, url, *address).await,
            _ => {
                let fault = found.fault.unwrap_or_else(|| landfall_evidence::ProbeFault::Local {
                    detail: format!("no address is known for {parent}"),
                });
                let by_hand = format!("curl -sSI {}", shell_word(&format!("https://{parent}/")));
                let url = Some(format!("https://{parent}/"));
                let to = self.address;
                self.observation(
                    DoorAsk::ParentPolicy,
                    &parent,
                    url,
                    to,
                    began,
                    by_hand,
                    Observed::Unasked(fault),
                )
            }
        }
    }

    async fn request(&self, ask: DoorAsk, url: Url, address: SocketAddr) -> Observation {
        let began = Instant::now();
        let seen = http::get(
            self.ctx,
            &url,
            &[address],
            Some(HttpVersion::H1),
            Purpose::Endpoint,
            self.site.vantage,
            None,
            1,
        )
        .await;
        let answer = match seen.seen {
            Seen::Http(seen) => seen.answer.map(|response| DoorAnswer::Http { response: Box::new(response) }),
            _ => Observed::Unasked(landfall_evidence::ProbeFault::Local {
                detail: "the request was not made".into(),
            }),
        };
        let host = url.host_str().unwrap_or_default().to_owned();
        self.observation(ask, &host, Some(url.to_string()), address, began, seen.by_hand, answer)
    }

    async fn handshake(&self, ask: DoorAsk, name: String) -> Observation {
        let began = Instant::now();
        let small = ask == DoorAsk::SmallHello;
        let shown = tls::noted(self.ctx, self.host(), &name, self.address, small).await;
        let to = self.ctx.map.address(self.address);
        let name = if ask == DoorAsk::NoName { String::new() } else { name };
        let sni = if name.is_empty() {
            "-noservername".to_owned()
        } else {
            format!("-servername {}", shell_word(&name))
        };
        let by_hand = format!("openssl s_client -connect {to} {sni} </dev/null");
        self.observation(ask, &name, None, self.address, began, by_hand, observed(shown.map(DoorAnswer::Tls)))
    }

    async fn hello(&self, ask: DoorAsk, hello: Hello) -> Observation {
        let began = Instant::now();
        let shown: Result<DoorTls, Fault> = tls::hello(self.ctx, self.host(), self.address, hello).await;
        let to = self.ctx.map.address(self.address);
        let name = shell_word(self.host()).into_owned();
        let flags = match hello {
            Hello::Legacy => "-no_tls1_3 -cipher ALL:@SECLEVEL=0",
            Hello::Unacceptable => "-tls1 -cipher NULL-SHA:@SECLEVEL=0",
        };
        let by_hand = format!("openssl s_client -connect {to} -servername {name} {flags} </dev/null");
        let host = self.host();
        self.observation(ask, host, None, self.address, began, by_hand, observed(shown.map(DoorAnswer::Tls)))
    }

    #[expect(clippy::too_many_arguments, reason = "each is a separate circumstance of one look")]
    fn observation(
        &self,
        ask: DoorAsk,
        host: &str,
        url: Option<String>,
        address: SocketAddr,
        began: Instant,
        by_hand: String,
        answer: Observed<DoorAnswer>,
    ) -> Observation {
        let round_trips = match &answer {
            Observed::Present(DoorAnswer::Open) | Observed::Denied(Denial::Refused) => 1,
            Observed::Present(DoorAnswer::Tls(_)) => 2,
            Observed::Present(DoorAnswer::Http { .. }) => 2 + u32::from(matches!(address.port(), 443 | 8443)),
            Observed::Denied(_) => 2,
            Observed::Silent(_) | Observed::Unasked(_) => 0,
        };
        Observation {
            id: format!("door/{}/{}/{address}", self.site.vantage, ask.name()).into(),
            vantage: self.site.vantage,
            started_us: self.ctx.offset_us(began),
            took_us: micros(began.elapsed()),
            after: self.after.clone(),
            round_trips,
            attempt: 1,
            by_hand,
            seen: Seen::Door(DoorObservation {
                question: DoorQuestion {
                    ask,
                    host: host.to_owned(),
                    url,
                    address,
                    connected_to: self.ctx.map.diverted(address),
                },
                answer,
            }),
        }
    }
}

fn observed(shown: Result<DoorAnswer, Fault>) -> Observed<DoorAnswer> {
    match shown {
        Ok(answer) => Observed::Present(answer),
        Err(fault) => fault.into_observed(),
    }
}

/// The registered domain above a host, when there is one and it is not the host itself.
fn parent(host: &str) -> Option<String> {
    let host = host.trim_end_matches('.');
    let domain = std::str::from_utf8(psl::domain(host.as_bytes())?.as_bytes()).ok()?;
    (domain != host).then(|| domain.to_owned())
}

#[cfg(test)]
mod tests {
    use landfall_evidence::Vantage;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::http::Depth;
    use crate::http::testkit::{App, HOST, plain, secure, text};
    use crate::net::{AddressMap, test_context};

    const PUBLIC: &str = "192.0.2.10";

    fn site(scheme: &str) -> Site {
        let base: Url = format!("{scheme}://{HOST}").parse().expect("valid");
        let port = base.port_or_known_default().expect("known");
        Site {
            base,
            vantage: Vantage::Edge,
            addresses: vec![format!("{PUBLIC}:{port}").parse().expect("valid")],
            after: None,
            resolve_us: None,
            endpoints: Vec::new(),
            fault: None,
            depth: Depth::Full,
        }
    }

    fn world(led: &[(u16, SocketAddr)]) -> Context {
        let mut map = AddressMap::default();
        for (port, to) in led {
            map.add(&format!("{PUBLIC}:{port}:{}:{}", to.ip(), to.port())).expect("valid");
        }
        map.add("example.test:443:127.0.0.1:1").expect("valid");
        let mut ctx = test_context();
        ctx.map = Arc::new(map);
        ctx
    }

    async fn closed() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        listener.local_addr().expect("bound")
    }

    /// What the ordinary handshake saw, and then the looks.
    async fn looks(ctx: &Context, site: &Site) -> Vec<(DoorAsk, u16, Observed<DoorAnswer>)> {
        let first = crate::tls::handshake(ctx, HOST, site.addresses[0], Vantage::Edge, None).await;
        let found = look(ctx, site, Some("app.platform.test"), &[first]).await;
        let door = |o: Observation| match o.seen {
            Seen::Door(seen) => Some((seen.question.ask, seen.question.address.port(), seen.answer)),
            _ => None,
        };
        found.into_iter().filter_map(door).collect()
    }

    #[tokio::test]
    async fn a_closed_port_has_its_neighbours_asked_and_the_map_is_not_left() {
        let app = plain(&App::new(|_| text(200, "here"))).await;
        let ctx = world(&[(443, closed().await), (8080, app), (8000, closed().await)]);
        let seen = looks(&ctx, &site("https")).await;
        let ports: Vec<u16> = seen.iter().filter(|s| s.0 == DoorAsk::OtherPort).map(|s| s.1).collect();
        assert_eq!(ports, [8000, 8080], "only where the map leads");
        assert!(matches!(seen[0].2, Observed::Denied(Denial::Refused)));
        assert!(
            matches!(&seen[1].2, Observed::Present(DoorAnswer::Http { response }) if response.status == 200)
        );
    }

    #[tokio::test]
    async fn a_door_that_opens_is_not_looked_at_twice() {
        let tls = secure(&App::new(|_| text(200, "here")), &[b"http/1.1"], false).await;
        let ctx = world(&[(443, tls)]);
        let first = crate::tls::handshake(&ctx, HOST, site("https").addresses[0], Vantage::Edge, None).await;
        let mut good = first.clone();
        if let Seen::Tls(seen) = &mut good.seen
            && let Observed::Present(shake) = &mut seen.answer
        {
            shake.trust.clear();
            shake.name_matches = true;
        }
        assert!(look(&ctx, &site("https"), None, &[good]).await.is_empty());
        assert!(!look(&ctx, &site("https"), None, &[first]).await.is_empty(), "nobody trusts that chain");
    }

    /// Reads a hello and says `answer`, then closes; with `answer` empty it stays silent.
    async fn mute(answer: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut buffer = [0; 4096];
                let _ = stream.read(&mut buffer).await;
                let _ = stream.write_all(answer).await;
                if answer.is_empty() {
                    held.push(stream);
                }
            }
        });
        address
    }

    #[tokio::test]
    async fn a_refused_handshake_is_tried_with_other_names_and_old_versions() {
        let ctx = world(&[(443, mute(&[0x15, 3, 3, 0, 2, 2, 70]).await)]);
        let seen = looks(&ctx, &site("https")).await;
        let asks: Vec<DoorAsk> = seen.iter().map(|s| s.0).collect();
        for ask in [DoorAsk::NoName, DoorAsk::OtherName, DoorAsk::LegacyHello, DoorAsk::ClientCertificate] {
            assert!(asks.contains(&ask), "{ask:?} in {asks:?}");
        }
        assert!(!asks.contains(&DoorAsk::SmallHello), "it answered at once");
        let legacy = seen.iter().find(|s| s.0 == DoorAsk::LegacyHello).expect("asked");
        assert!(matches!(legacy.2, Observed::Denied(Denial::TlsAlert { code: 70, .. })), "{legacy:?}");
    }

    #[tokio::test]
    async fn the_registered_domain_is_the_parent() {
        assert_eq!(parent("api.example.com").as_deref(), Some("example.com"));
        assert_eq!(parent("a.b.example.co.uk").as_deref(), Some("example.co.uk"));
        assert_eq!(parent("example.com"), None);
        assert_eq!(parent("localhost"), None);
    }
}
