//! What all probes share: the clock, the deadline, the bounds, the address map and the request ledger.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use landfall_evidence::{Header, ObservationId, Requests, Vantage};

pub use crate::egress::{Egress, special};
use crate::tls::Roots;

/// Everything that a probe needs to know of the audit that it is part of. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Context {
    /// When the audit began; all `started_us` count from here.
    pub started: Instant,
    /// When it must be over.
    pub deadline: Instant,
    /// Bounds on phases and sizes.
    pub limits: Arc<Limits>,
    /// Where packets really go.
    pub map: Arc<AddressMap>,
    /// Recursive resolvers to ask; empty means the system's configuration.
    pub resolvers: Arc<[SocketAddr]>,
    /// The root stores that chains are judged against.
    pub roots: Arc<Roots>,
    /// The User-Agent of every HTTP request.
    pub user_agent: Arc<str>,
    /// Requests sent so far, and the budget.
    pub ledger: Arc<Ledger>,
    /// Told when questions are held back until a rate limit lets them pass, so that a person can be told why nothing moves.
    pub waits: Waits,
    /// What may be connected to. Where the address map leads packets is the operator's own word and always allowed.
    pub egress: Egress,
    /// Whose time the deadline is. An audit's deadline is its own: what it cuts short was not asked. A check's deadline
    /// is the target's: a peer that has not answered by then was silent.
    pub deadline_counts: bool,
}

/// Who is told of waits. Cloning is cheap; the default tells nobody.
#[derive(Clone, Default)]
pub struct Waits(Option<Arc<dyn Fn(Duration) + Send + Sync>>);

impl Waits {
    /// Tells `listener`, which must return quickly, how long each wait will be.
    pub fn to(listener: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(listener)))
    }

    pub(crate) fn tell(&self, wait: Duration) {
        if let Some(listener) = &self.0 {
            listener(wait);
        }
    }
}

impl fmt::Debug for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Waits").field(&self.0.is_some()).finish()
    }
}

impl Context {
    /// Microseconds from the start of the audit to `at`.
    pub fn offset_us(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.started).as_micros()).unwrap_or(u64::MAX)
    }

    /// The shorter of `phase` and what is left of the audit's deadline.
    pub fn within(&self, phase: Duration) -> Duration {
        phase.min(self.deadline.saturating_duration_since(Instant::now()))
    }

    /// Whether the audit's deadline has passed.
    pub fn is_over(&self) -> bool {
        Instant::now() >= self.deadline
    }
}

/// Bounds on what one question may cost.
///
/// # Defaults
/// Resolve 1.5 s a try with one retry: loss of one datagram must not end the question, and resolvers give up at about
/// 5 s themselves. Connect 5 s: above the 1 s and 3 s SYN retransmissions (RFC 6298). TLS 5 s. Wait 15 s: a cold start on a
/// small platform takes several seconds. Body 1 MiB and headers 64 KiB: a health answer is a few hundred bytes, and the
/// usual servers refuse header blocks over 8 to 32 KiB.
#[derive(Debug, Clone)]
pub struct Limits {
    /// One DNS try.
    pub resolve: Duration,
    /// What a resolver may take that is listed before the one that answered. A machine asks the first on its list and another
    /// only when that stays silent (resolv.conf(5)); which of two is faster by a few milliseconds decides nothing.
    pub listed_before: Duration,
    /// TCP connect.
    pub connect: Duration,
    /// TLS or QUIC handshake.
    pub tls: Duration,
    /// Request to first byte.
    pub wait: Duration,
    /// First byte to last.
    pub transfer: Duration,
    /// Response header block, in bytes.
    pub header_byte: usize,
    /// Response header fields.
    pub header_count: usize,
    /// Response body, in bytes.
    pub body_byte: usize,
    /// The part of a text body that is kept, in bytes.
    pub body_kept_byte: usize,
    /// Redirects followed from one question, each recorded.
    pub redirects: usize,
    /// Requests in flight to one host.
    pub in_flight: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            resolve: Duration::from_millis(1_500),
            listed_before: Duration::from_millis(150),
            connect: Duration::from_secs(5),
            tls: Duration::from_secs(5),
            wait: Duration::from_secs(15),
            transfer: Duration::from_secs(10),
            header_byte: 64 * 1024,
            header_count: 128,
            body_byte: 1024 * 1024,
            body_kept_byte: 16 * 1024,
            redirects: 5,
            in_flight: 8,
        }
    }
}

/// Where packets really go: `HOST:PORT:ADDR:PORT` entries as of curl's `--connect-to`, where HOST may also be an address.
///
/// A host entry skips DNS for that host; an address entry keeps the name's public addresses in the evidence and only
/// leads the packets elsewhere, which is how the lab puts public addresses on loopback.
#[derive(Debug, Clone, Default)]
pub struct AddressMap {
    by_host: BTreeMap<(String, Option<u16>), SocketAddr>,
    by_address: BTreeMap<(IpAddr, Option<u16>), SocketAddr>,
}

/// An entry of the address map that cannot be understood.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{entry:?} is not HOST:PORT:ADDR:PORT: {problem} (example: api.example.com:443:127.0.0.1:8443, IPv6 in brackets)"
)]
pub struct AddressMapError {
    /// The entry.
    pub entry: String,
    /// What is wrong with it.
    pub problem: String,
}

impl AddressMap {
    /// Adds one `HOST:PORT:ADDR:PORT` entry; an empty first PORT means every port, an empty second one the same port.
    ///
    /// # Errors
    /// When the entry has another form.
    pub fn add(&mut self, entry: &str) -> Result<(), AddressMapError> {
        let fail = |problem: &str| AddressMapError { entry: entry.to_owned(), problem: problem.to_owned() };
        let parts = split_outside_brackets(entry);
        let [host, port, to_host, to_port] = parts.as_slice() else {
            return Err(fail(&format!("it has {} parts and not 4", parts.len())));
        };
        let port = match *port {
            "" => None,
            text => Some(text.parse::<u16>().map_err(|_| fail(&format!("{text:?} is not a port")))?),
        };
        let to_ip = IpAddr::from_str(unbracket(to_host))
            .map_err(|_| fail(&format!("{to_host:?} is not an IP address")))?;
        let to_port = match (*to_port, port) {
            ("", Some(port)) => port,
            ("", None) => return Err(fail("one of the two ports must be given")),
            (text, _) => text.parse::<u16>().map_err(|_| fail(&format!("{text:?} is not a port")))?,
        };
        let to = SocketAddr::new(to_ip, to_port);
        if host.is_empty() {
            return Err(fail("HOST is empty"));
        }
        match IpAddr::from_str(unbracket(host)) {
            Ok(ip) => self.by_address.insert((ip, port), to),
            Err(_) => self.by_host.insert((host.trim_end_matches('.').to_ascii_lowercase(), port), to),
        };
        Ok(())
    }

    /// Where connections to this host go without asking DNS, if an entry says so.
    pub fn host(&self, host: &str, port: u16) -> Option<SocketAddr> {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.by_host.get(&(host.clone(), Some(port))).or_else(|| self.by_host.get(&(host, None))).copied()
    }

    /// Whether an entry leads this host, on any port, past DNS.
    pub fn has_host(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.by_host.keys().any(|(name, _)| *name == host)
    }

    /// Where packets to this address really go; the address itself when no entry speaks of it.
    pub fn address(&self, to: SocketAddr) -> SocketAddr {
        self.by_address
            .get(&(to.ip(), Some(to.port())))
            .or_else(|| self.by_address.get(&(to.ip(), None)))
            .copied()
            .unwrap_or(to)
    }

    /// [`Self::address`], but `None` when the packets go where the address says.
    pub fn diverted(&self, to: SocketAddr) -> Option<SocketAddr> {
        Some(self.address(to)).filter(|real| *real != to)
    }

    /// Whether this address is led elsewhere on some ports and not on this one. Packets to it would leave the world that
    /// the map describes.
    pub fn leaves(&self, to: SocketAddr) -> bool {
        self.diverted(to).is_none() && self.by_address.keys().any(|(ip, _)| *ip == to.ip())
    }

    /// Whether a host entry for this host leads to this address.
    pub fn leads(&self, host: &str, to: SocketAddr) -> bool {
        if self.by_host.is_empty() {
            return false;
        }
        let host = unbracket(host).trim_end_matches('.').to_ascii_lowercase();
        self.by_host.iter().any(|((name, _), real)| *name == host && *real == to)
    }

    /// Whether there are any entries.
    pub fn is_empty(&self) -> bool {
        self.by_host.is_empty() && self.by_address.is_empty()
    }
}

fn unbracket(text: &str) -> &str {
    text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text)
}

fn split_outside_brackets(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut from, mut depth) = (0, 0_u32);
    for (i, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            ':' if depth == 0 => {
                parts.push(&text[from..i]);
                from = i + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    parts
}

/// The count of HTTP requests against the budget, and the order in which each host saw them.
///
/// The rate-limit probe reads it, because the limiter counted these requests too.
pub struct Ledger {
    budget: u32,
    state: Mutex<LedgerState>,
}

#[derive(Default)]
struct LedgerState {
    charged: u32,
    charged_others: u32,
    total: u32,
    by_host: BTreeMap<String, Vec<Sent>>,
}

/// One HTTP request that left the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// When, in microseconds since the audit began.
    pub at_us: u64,
    /// Its status, once known.
    pub status: Option<u16>,
    /// When its answer was in, in microseconds since the audit began.
    pub answered_us: Option<u64>,
    /// The observation that holds the exchange.
    pub observation: ObservationId,
    /// Rate-limit headers of its answer, as sent.
    pub limits: Vec<Header>,
    /// What a limiter said, when it refused the request.
    pub refusal: Option<Refusal>,
}

/// A limiter's refusal, as far as the response shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// 429, or 503 or 403 with a limiter's headers.
    pub status: u16,
    /// Retry-After in seconds from the answer (RFC 9110, section 10.2.3).
    pub retry_after_s: Option<u64>,
    /// The beginning of the body, at most 512 characters.
    pub body: Option<String>,
}

impl Ledger {
    /// An empty ledger with a budget for requests to production and origin together.
    pub fn new(budget: u32) -> Self {
        Self { budget, state: Mutex::default() }
    }

    /// The budget, in requests.
    pub fn budget(&self) -> u32 {
        self.budget
    }

    /// The part of the budget that one side may use, in requests.
    pub fn share(&self, vantage: Vantage) -> u32 {
        if vantage == Vantage::Edge { self.budget } else { self.budget / 2 }
    }

    /// Takes one request from the budget, or says `false` when none is left. Requests to the local backend are free.
    ///
    /// Production is what the audit is about, so at most half of the budget goes to other sides while it is asked.
    pub fn charge(&self, vantage: Vantage) -> bool {
        let mut state = self.lock();
        match vantage {
            Vantage::Local | Vantage::Workspace => return true,
            _ if state.charged >= self.budget => return false,
            Vantage::Edge => {}
            Vantage::Origin | Vantage::ThirdParty if state.charged_others >= self.share(vantage) => {
                return false;
            }
            Vantage::Origin | Vantage::ThirdParty => state.charged_others += 1,
        }
        state.charged += 1;
        true
    }

    /// Requests left in the budget.
    pub fn left(&self) -> u32 {
        self.budget - self.lock().charged
    }

    /// Notes a request as it is sent; `host` is `name:port`.
    pub fn sent(&self, host: &str, at_us: u64, observation: &ObservationId) {
        let mut state = self.lock();
        state.total += 1;
        state.by_host.entry(host.to_owned()).or_default().push(Sent {
            at_us,
            status: None,
            answered_us: None,
            observation: observation.clone(),
            limits: Vec::new(),
            refusal: None,
        });
    }

    /// Notes the status of a request noted before.
    pub fn answered(&self, host: &str, observation: &ObservationId, status: u16, at_us: u64) {
        let mut state = self.lock();
        if let Some(sent) =
            state.by_host.get_mut(host).and_then(|l| l.iter_mut().find(|s| &s.observation == observation))
        {
            sent.status = Some(status);
            sent.answered_us = Some(at_us);
        }
    }

    /// Notes what the answer to a request noted before says of rate limits.
    pub fn limits(
        &self,
        host: &str,
        observation: &ObservationId,
        limits: Vec<Header>,
        refusal: Option<Refusal>,
    ) {
        let mut state = self.lock();
        if let Some(sent) =
            state.by_host.get_mut(host).and_then(|l| l.iter_mut().find(|s| &s.observation == observation))
        {
            (sent.limits, sent.refusal) = (limits, refusal);
        }
    }

    /// What one host saw, in the order sent.
    pub fn history(&self, host: &str) -> Vec<Sent> {
        let mut history = self.lock().by_host.get(host).cloned().unwrap_or_default();
        history.sort_by_key(|s| s.at_us);
        history
    }

    /// The counts, for the evidence.
    pub fn counts(&self) -> Requests {
        let state = self.lock();
        let by_host = state
            .by_host
            .iter()
            .map(|(host, sent)| (host.clone(), u32::try_from(sent.len()).unwrap_or(u32::MAX)));
        Requests { total: state.total, by_host: by_host.collect() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LedgerState> {
        // A panic while the lock was held leaves counts that are still true; refusing them would lose the evidence.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger")
            .field("budget", &self.budget)
            .field("left", &self.left())
            .finish_non_exhaustive()
    }
}

/// A context for tests: a minute of time, the default limits, no map, no resolvers, a budget of 100.
#[cfg(test)]
pub(crate) fn test_context() -> Context {
    let started = Instant::now();
    Context {
        started,
        deadline: started + Duration::from_secs(60),
        limits: Arc::default(),
        map: Arc::default(),
        resolvers: Arc::default(),
        roots: Arc::new(Roots::load(&[]).expect("no file to fail on")),
        user_agent: "landfall-test/0".into(),
        ledger: Arc::new(Ledger::new(100)),
        waits: Waits::default(),
        egress: Egress::anything(),
        deadline_counts: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_leads_names_and_addresses() {
        let mut map = AddressMap::default();
        map.add("api.example.test:443:127.0.0.1:8443").expect("valid");
        map.add("[2606:4700::1]:443:[::1]:9443").expect("valid");
        map.add("104.21.14.105::127.0.0.1:8080").expect("valid");
        assert_eq!(map.host("API.example.test.", 443), Some(([127, 0, 0, 1], 8443).into()));
        assert_eq!(map.host("api.example.test", 80), None);
        assert_eq!(
            map.address("[2606:4700::1]:443".parse().expect("valid")),
            "[::1]:9443".parse().expect("valid")
        );
        assert_eq!(
            map.diverted("104.21.14.105:80".parse().expect("valid")),
            Some(([127, 0, 0, 1], 8080).into())
        );
        assert_eq!(map.diverted("104.21.14.106:80".parse().expect("valid")), None);
        assert!(map.leaves("[2606:4700::1]:80".parse().expect("valid")), "led on port 443 alone");
        assert!(!map.leaves("[2606:4700::1]:443".parse().expect("valid")));
        assert!(!map.leaves("104.21.14.106:80".parse().expect("valid")), "nothing speaks of it");
    }

    #[test]
    fn a_bad_entry_says_what_is_wrong_with_it() {
        let mut map = AddressMap::default();
        for (entry, problem) in [
            ("a:1:127.0.0.1", "3 parts"),
            ("a:x:127.0.0.1:1", "not a port"),
            ("a:1:localhost:1", "not an IP address"),
            (":1:127.0.0.1:1", "HOST is empty"),
            ("a::127.0.0.1:", "one of the two ports"),
        ] {
            let error = map.add(entry).expect_err(entry).to_string();
            assert!(error.contains(problem), "{entry}: {error}");
        }
    }

    #[test]
    fn the_ledger_counts_and_stops_at_the_budget() {
        let ledger = Ledger::new(2);
        let edge = || ledger.charge(Vantage::Edge);
        assert!(edge() && edge() && !edge());
        let id = ObservationId::from("http/edge/GET /health");
        ledger.sent("api.example.test:443", 10, &id);
        ledger.answered("api.example.test:443", &id, 404, 20);
        assert_eq!(ledger.history("api.example.test:443")[0].status, Some(404));
        assert_eq!(ledger.counts().total, 1);
    }

    #[test]
    fn production_is_never_starved_by_the_platforms_own_name() {
        let ledger = Ledger::new(3);
        let granted = (0..9).filter(|_| ledger.charge(Vantage::Origin)).count();
        assert_eq!(granted, 1);
        assert!(
            ledger.charge(Vantage::Edge) && ledger.charge(Vantage::Edge) && !ledger.charge(Vantage::Edge)
        );
        assert!(ledger.charge(Vantage::Local), "the local backend costs nothing");
    }
}
