//! Inbound limits.
//!
//! Every request is counted against the client's address, and, once it is known who asks, against the key or the person
//! as well. Each count is a generic cell rate algorithm: one moment per client, the time at which its quota would be whole
//! again (the theoretical arrival time), which allows a burst of the whole quota and then a steady rate. All worker threads
//! share the counts, and their number is bounded: when there are too many, those nearest to being whole are forgotten,
//! which gives their clients the least.
//!
//! The client is the peer, unless the peer is a proxy that the operator trusts: then it is the first address from the
//! right of `X-Forwarded-For` that is not such a proxy, so whatever a client writes there itself stands further left and
//! changes nothing. IPv6 clients are counted by their /64, since every customer has at least one of those to themselves
//! (RFC 6177).
//!
//! Answers carry `RateLimit-Policy` and `RateLimit` as in draft-ietf-httpapi-ratelimit-headers-10: quota `q` in a window of
//! `w` seconds; `r` requests left, and `t` seconds until the quota is whole.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{ConnectInfo, FromRequestParts, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use ipnet::IpNet;
use jiff::Timestamp;

use crate::{App, Problem};

/// What a request is counted as. Health and heartbeat paths have classes of their own, so that neither a busy page nor a
/// busy client starves them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Health, readiness and metrics, by address.
    Health,
    /// Pings of heartbeats, by address.
    Ping,
    /// Probes for Prometheus, by address, and by key where there is one.
    Probe,
    /// Signing in and using links, by address.
    Auth,
    /// Everything else, by address.
    Address,
    /// Everything that a key or a signed-in person asks for, by key or person.
    Principal,
}

/// So many requests in so many seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Requests.
    pub requests: u32,
    /// In so many seconds.
    pub window_s: u32,
}

impl Quota {
    pub(crate) const fn a_minute(requests: u32) -> Self {
        Self { requests, window_s: 60 }
    }

    fn window_us(self) -> i64 {
        i64::from(self.window_s.max(1)) * 1_000_000
    }

    fn step_us(self) -> i64 {
        (self.window_us() / i64::from(self.requests.max(1))).max(1)
    }
}

/// The limits, by class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Health, readiness and metrics.
    pub health: Quota,
    /// Pings of heartbeats.
    pub ping: Quota,
    /// Probes.
    pub probe: Quota,
    /// Signing in.
    pub auth: Quota,
    /// Everything else, by address.
    pub address: Quota,
    /// By key or person.
    pub principal: Quota,
}

impl Default for Limits {
    /// A monitor asks a health path at most once a second, and some ten of them may share an address: 1200 a minute.
    /// Heartbeats of a whole rack behind one address: 6000 a minute. One Prometheus
    /// asks for all its targets from one address: 6000 a minute are 1500 targets every 15 seconds. A person signs in by hand: 60 a minute is an office.
    /// A page of ours asks about ten things: 1200 a minute are two pages a second, for one key or person; an address may
    /// hold several of them.
    fn default() -> Self {
        Self {
            health: Quota::a_minute(1200),
            ping: Quota::a_minute(6000),
            probe: Quota::a_minute(6000),
            auth: Quota::a_minute(60),
            address: Quota::a_minute(3000),
            principal: Quota::a_minute(1200),
        }
    }
}

impl Limits {
    fn quota(&self, class: Class) -> Quota {
        match class {
            Class::Health => self.health,
            Class::Ping => self.ping,
            Class::Probe => self.probe,
            Class::Auth => self.auth,
            Class::Address => self.address,
            Class::Principal => self.principal,
        }
    }
}

impl Class {
    /// The name of its policy in the headers.
    fn policy(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Ping => "ping",
            Self::Probe => "probe",
            Self::Auth => "sign-in",
            Self::Address => "address",
            Self::Principal => "client",
        }
    }

    /// The class of a path.
    pub(crate) fn of(path: &str) -> Self {
        match path {
            "/probe" => Self::Probe,
            "/healthz"
            | "/readyz"
            | "/health"
            | "/metrics"
            | "/api/support/health"
            | "/api/webhooks/stripe/health" => Self::Health,
            "/api/v1/session"
            | "/api/v1/first-run"
            | "/api/v1/registration"
            | "/api/v1/invitations/accept"
            | "/sign-in"
            | "/first-run"
            | "/join" => Self::Auth,
            _ if path.starts_with("/ping/") => Self::Ping,
            _ => Self::Address,
        }
    }
}

/// The counts, shared by all worker threads.
#[derive(Debug)]
pub struct Limiter {
    limits: Limits,
    shards: [Mutex<HashMap<(Class, String), i64>>; SHARDS],
}

const SHARDS: usize = 16;
/// Clients that are remembered, a shard.
const REMEMBERED: usize = 8192;

/// What became of one count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Count {
    class: Class,
    quota: Quota,
    left: i64,
    whole_s: i64,
}

impl Limiter {
    /// With these limits.
    pub fn new(limits: Limits) -> Self {
        Self { limits, shards: std::array::from_fn(|_| Mutex::default()) }
    }

    /// Counts one request: what is left, or how many seconds to wait.
    fn take(&self, class: Class, who: &str, now: Timestamp) -> Result<Count, (Count, i64)> {
        let quota = self.limits.quota(class);
        let (now, step, window) = (now.as_microsecond(), quota.step_us(), quota.window_us());
        let shard =
            who.bytes().fold(class as usize, |a, b| a.wrapping_mul(31).wrapping_add(b.into())) % SHARDS;
        let mut counts = self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner);
        let key = (class, who.to_owned());
        // A clock that was set back leaves moments in the future; none is further away than one window.
        let whole = counts.get(&key).copied().unwrap_or(now).clamp(now, now.saturating_add(window));
        let next = whole + step;
        let count = |whole: i64| Count {
            class,
            quota,
            left: (window - (whole - now)).max(0) / step,
            whole_s: seconds(whole - now),
        };
        if next - now > window {
            return Err((count(whole), seconds(next - now - window).max(1)));
        }
        if counts.len() >= REMEMBERED && !counts.contains_key(&key) {
            forget(&mut counts, now);
        }
        counts.insert(key, next);
        Ok(count(next))
    }
}

/// Makes room: first those whose quota is whole, then the half that is nearest to it.
fn forget(counts: &mut HashMap<(Class, String), i64>, now: i64) {
    counts.retain(|_, whole| *whole > now);
    if counts.len() >= REMEMBERED {
        let mut moments: Vec<i64> = counts.values().copied().collect();
        let (_, middle, _) = moments.select_nth_unstable(REMEMBERED / 2);
        let middle = *middle;
        counts.retain(|_, whole| *whole > middle);
    }
}

fn seconds(us: i64) -> i64 {
    us.max(0).saturating_add(999_999) / 1_000_000
}

/// The counts that one request took part in.
#[derive(Debug, Clone)]
pub struct Ledger {
    limiter: Arc<Limiter>,
    counts: Arc<Mutex<Vec<Count>>>,
}

impl Ledger {
    /// Counts the request against one more client.
    ///
    /// # Errors
    /// 429 with `Retry-After`.
    pub fn take(&self, class: Class, who: &str, now: Timestamp) -> Result<(), Problem> {
        let taken = self.limiter.take(class, who, now);
        let count = match taken {
            Ok(count) | Err((count, _)) => count,
        };
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).push(count);
        match taken {
            Ok(_) => Ok(()),
            Err((count, wait)) => Err(Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                format!(
                    "more than {} requests in {} s ({}); try again in {wait} s",
                    count.quota.requests,
                    count.quota.window_s,
                    count.class.policy()
                ),
            )
            .with_header(header::RETRY_AFTER, HeaderValue::from(wait))),
        }
    }

    fn tell(&self, headers: &mut HeaderMap) {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut policy, mut state) = (String::new(), String::new());
        for count in counts.iter() {
            let comma = if policy.is_empty() { "" } else { ", " };
            let name = count.class.policy();
            // Writing into a String cannot fail.
            let _ = write!(policy, "{comma}\"{name}\";q={};w={}", count.quota.requests, count.quota.window_s);
            let _ = write!(state, "{comma}\"{name}\";r={};t={}", count.left, count.whole_s);
        }
        for (name, value) in [("ratelimit-policy", policy), ("ratelimit", state)] {
            if let Ok(value) = HeaderValue::from_str(&value)
                && !value.is_empty()
            {
                headers.insert(name, value);
            }
        }
    }
}

/// The address of the client, as far as it can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client(pub Option<IpAddr>);

impl<S: Sync> FromRequestParts<S> for Client {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().copied().unwrap_or(Self(None)))
    }
}

/// Counts a request and tells the client what is left.
pub(crate) async fn gate(app: App, limiter: Arc<Limiter>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|c| c.0.ip());
    let client = client_address(peer, request.headers(), &app.settings.trusted_proxies);
    let ledger = Ledger { limiter, counts: Arc::default() };
    let who = client.map_or_else(|| "unknown".to_owned(), |a| network(a).to_string());
    let class = match Class::of(request.uri().path()) {
        // Asking who one is, and signing out, is no attempt at anything.
        Class::Auth if request.method() != http::Method::POST => Class::Address,
        class => class,
    };
    let mut response = match ledger.take(class, &who, app.clock.now()) {
        Ok(()) => {
            request.extensions_mut().insert(Client(client));
            request.extensions_mut().insert(ledger.clone());
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    };
    ledger.tell(response.headers_mut());
    response
}

/// The client's address: the peer, or, behind trusted proxies, the first hop from the right that is not one of them.
pub fn client_address(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &[IpNet]) -> Option<IpAddr> {
    let mut client = plain(peer?);
    let is_trusted = |a: IpAddr| trusted.iter().any(|net| net.contains(&a));
    if !is_trusted(client) {
        return Some(client);
    }
    let hops: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .flat_map(|v| v.to_str().unwrap_or("?").split(','))
        .map(str::trim)
        .collect();
    for hop in hops.into_iter().rev() {
        // What cannot be read was not written by a trusted hop about anybody; the hop that passed it on is counted.
        let Some(address) = hop_address(hop) else { break };
        client = address;
        if !is_trusted(client) {
            break;
        }
    }
    Some(client)
}

fn hop_address(hop: &str) -> Option<IpAddr> {
    let bare = hop.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|s| s.ip()));
    address.map(plain)
}

/// An IPv4 address that came as IPv6 is what it is.
fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// What is counted as one client: an IPv4 address, or the /64 of an IPv6 one.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match plain(address) {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(1_000_000_000_000 + ms).expect("a moment")
    }

    fn limiter(requests: u32, window_s: u32) -> Limiter {
        Limiter::new(Limits { address: Quota { requests, window_s }, ..Limits::default() })
    }

    #[test]
    fn a_burst_of_the_whole_quota_and_then_a_steady_rate() {
        let limiter = limiter(10, 10);
        let take = |ms| limiter.take(Class::Address, "a", at(ms));
        for n in (0..10).rev() {
            assert_eq!(take(0).expect("within the quota").left, n);
        }
        let (count, wait) = take(0).expect_err("the quota is used up");
        assert_eq!((count.left, count.whole_s, wait), (0, 10, 1));
        assert!(take(999).is_err());
        assert_eq!(take(1000).expect("one came back").left, 0);
        assert!(take(1000).is_err());
        assert_eq!(take(60_000).expect("whole again").left, 9);
        assert_eq!(limiter.take(Class::Address, "b", at(0)).expect("another client").left, 9);
        assert_eq!(limiter.take(Class::Ping, "a", at(0)).expect("another class").left, 5999);
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out_for_longer_than_a_window() {
        let limiter = limiter(1, 10);
        limiter.take(Class::Address, "a", at(3_600_000)).expect("free");
        let (_, wait) = limiter.take(Class::Address, "a", at(0)).expect_err("used");
        assert!(wait <= 10, "{wait}");
    }

    #[test]
    fn the_memory_is_bounded_and_a_busy_client_is_not_forgotten() {
        let limiter = limiter(10, 10);
        for _ in 0..10 {
            limiter.take(Class::Address, "busy", at(0)).expect("within the quota");
        }
        for n in 0..SHARDS * REMEMBERED * 2 {
            let _ = limiter.take(Class::Address, &format!("client {n}"), at(1));
        }
        let kept: usize = limiter.shards.iter().map(|s| s.lock().expect("sound").len()).sum();
        assert!(kept <= SHARDS * REMEMBERED, "{kept}");
        assert!(limiter.take(Class::Address, "busy", at(2)).is_err(), "a flood of others buys nothing");
    }

    #[test]
    fn the_client_is_the_first_hop_from_the_right_that_is_not_trusted() {
        let trusted: Vec<IpNet> =
            ["10.0.0.0/8", "::1/128"].iter().map(|n| n.parse().expect("a network")).collect();
        let ip = |t: &str| t.parse::<IpAddr>().expect("an address");
        let cases: &[(&str, &[&str], &str)] = &[
            ("198.51.100.7", &["203.0.113.9"], "198.51.100.7"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["192.0.2.1, 203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["192.0.2.1", "203.0.113.9, 10.2.3.4"], "203.0.113.9"),
            ("10.0.0.1", &["10.9.9.9, 10.2.3.4"], "10.9.9.9"),
            ("10.0.0.1", &["192.0.2.1, nonsense, 10.2.3.4"], "10.2.3.4"),
            ("10.0.0.1", &["203.0.113.9:4711"], "203.0.113.9"),
            ("::1", &["[2001:db8::5]:443"], "2001:db8::5"),
            ("::1", &["[2001:db8::5]"], "2001:db8::5"),
            ("::ffff:10.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["::ffff:203.0.113.9"], "203.0.113.9"),
        ];
        for (peer, lines, expected) in cases {
            let mut headers = HeaderMap::new();
            for line in *lines {
                headers.append("x-forwarded-for", HeaderValue::from_str(line).expect("a value"));
            }
            let found = client_address(Some(ip(peer)), &headers, &trusted);
            assert_eq!(found, Some(ip(expected)), "{peer} {lines:?}");
        }
        assert_eq!(network(ip("2001:db8:1:2:3:4:5:6")), ip("2001:db8:1:2::"));
    }
}
