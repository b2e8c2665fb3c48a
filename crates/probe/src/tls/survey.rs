//! A survey of one TLS endpoint: which versions and which dated cipher suites it takes, and how it treats a hello as large
//! as those of today, a client without a name, and one that comes back.
//!
//! **Policy.** At most [`HELLOS`] connections with a hello by hand and three whole handshakes, at most
//! [`AT_ONCE`] of them open at the same time, each within the usual limits of a connection. Scanners that walk hundreds
//! of suites get themselves refused, and servers fail under more than five connections at a time (SSLyze lowered itself
//! to five for that).
//!
//! So hellos offer many things at once. A ServerHello says that the chosen one is offered; the next hello leaves out what
//! is known. A refusal speaks for everything in the hello. "Not offered" takes two answers that agree, on connections of
//! their own: alert 40 (handshake_failure), 70 (protocol_version) or 71 (insufficient_security), or a ServerHello that
//! chose a lower version (RFC 5246, appendix E.1: the server takes the highest that both know). Everything else (a reset,
//! a close, a silence, alert 112) leaves the question open after one repetition a second later.
//!
//! Alert 80 (internal_error) is one of those, but OpenSSL 3 sends it to every hello of TLS 1.1 and below where its security
//! level leaves no signature for them, which is how Debian and its kin ship it. It counts as a refusal when the repetition
//! got it as well and the same server answers other hellos.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use landfall_evidence::{
    Denial, GroupStanding, LargeHello, Observation, ObservationId, Observed, ProbeFault, Seen,
    ServerHelloShown, Standing, SuiteClass, SuiteStanding, TlsHandshake, TlsSurvey, TlsSurveyObservation,
    TlsVersion, Vantage, VersionStanding,
};
use tokio::sync::{Notify, Semaphore};

use super::wire::{Offer, Said, Shown, exchange};
use super::{again, alert, authority, suites};
use crate::connect::{Fault, micros};
use crate::net::Context;
use crate::shell::shell_word;

/// Connections with a hello by hand.
pub(super) const HELLOS: u32 = 12;
/// Connections open at the same time.
pub(super) const AT_ONCE: usize = 5;

/// RFC 8446, section 6.2.
const INTERNAL_ERROR: u8 = 80;

/// How long an answer that decides nothing is let rest before it is asked for again.
const AGAIN: Duration = Duration::from_secs(1);

/// The size of a hello with a share of the hybrid (1,216 bytes of it), as browsers send it.
const LARGE_BYTE: usize = 1_700;

/// X25519MLKEM768 first, then what everybody has.
const MODERN_GROUPS: &[u16] = &[suites::HYBRID, 0x001d, 0x0017, 0x0018];

/// Surveys one address. `handshake` is what the ordinary handshake with it showed, if it came about.
pub async fn survey(
    ctx: &Context,
    host: &str,
    address: SocketAddr,
    vantage: Vantage,
    handshake: &Observation,
) -> Observation {
    let started = Instant::now();
    let ordinary = match &handshake.seen {
        Seen::Tls(seen) => Some(&seen.answer),
        _ => None,
    };
    let answer = match ordinary {
        Some(Observed::Unasked(fault)) => Observed::Unasked(fault.clone()),
        // Nothing that comes over TLS can be asked where there is no connection or no TLS.
        Some(Observed::Denied(
            denial @ (Denial::Refused | Denial::Unreachable { .. } | Denial::NotTls { .. }),
        )) => unasked(&handshake.id, &denial.to_string()),
        Some(Observed::Silent(silence)) if silence.phase == landfall_evidence::Phase::Connect => {
            unasked(&handshake.id, &silence.to_string())
        }
        _ => Box::pin(Run::new(ctx, host, address).all(ordinary)).await,
    };
    let connected_to = ctx.map.diverted(address);
    let rounds = answer.present().map_or(0, |survey| u32::from(survey.connections > 0) * 2);
    Observation {
        id: format!("tls-survey/{vantage}/{address}").into(),
        vantage,
        started_us: ctx.offset_us(started),
        took_us: micros(started.elapsed()),
        after: Some(handshake.id.clone()),
        round_trips: rounds,
        attempt: 1,
        by_hand: by_hand(host, connected_to.unwrap_or(address)),
        seen: Seen::TlsSurvey(TlsSurveyObservation {
            host: host.to_owned(),
            address,
            connected_to,
            answer: answer.map(Box::new),
        }),
    }
}

fn unasked<T>(by: &ObservationId, reason: &str) -> Observed<T> {
    Observed::Unasked(ProbeFault::Blocked {
        by: by.clone(),
        reason: format!("the handshake before: {reason}"),
    })
}

fn by_hand(host: &str, to: SocketAddr) -> String {
    format!(
        "sslscan --no-heartbleed --sni-name={} {}; openssl s_client -connect {} -servername {} -tls1_1 -cipher ALL:@SECLEVEL=0 </dev/null",
        shell_word(host),
        shell_word(&to.to_string()),
        shell_word(&to.to_string()),
        shell_word(host)
    )
}

/// Why a connection was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoMore {
    Budget,
    Time,
}

impl std::fmt::Display for NoMore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Budget => write!(f, "the {HELLOS} connections of a survey were spent"),
            Self::Time => f.write_str("the audit's deadline had passed"),
        }
    }
}

/// The connections of one survey: how many are left, and how many may be open.
pub(super) struct Line<'a> {
    pub(super) ctx: &'a Context,
    pub(super) host: &'a str,
    pub(super) address: SocketAddr,
    hellos_left: AtomicU32,
    places: Semaphore,
    made: AtomicU32,
    open: AtomicU32,
    most: AtomicU32,
    read_byte: AtomicU64,
}

impl Line<'_> {
    /// Runs `work`, which makes one connection, as soon as there is a place.
    pub(super) async fn connect<T>(&self, work: impl Future<Output = T>) -> T {
        // The semaphore is never closed; a missing permit would only mean one connection too many.
        let place = self.places.acquire().await;
        self.made.fetch_add(1, Ordering::Relaxed);
        let open = self.open.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(open, Ordering::Relaxed);
        let result = work.await;
        self.open.fetch_sub(1, Ordering::Relaxed);
        drop(place);
        result
    }

    /// One hello by hand.
    async fn hello(&self, offer: &Offer, flight: bool) -> Result<Said, NoMore> {
        if self.ctx.is_over() {
            return Err(NoMore::Time);
        }
        let take = |left: u32| left.checked_sub(1);
        if self.hellos_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_err() {
            return Err(NoMore::Budget);
        }
        let asked = exchange(self.ctx, self.host, self.address, offer, flight);
        let (said, read) = self.connect(asked).await;
        self.read_byte.fetch_add(read as u64, Ordering::Relaxed);
        Ok(said)
    }

    /// The same, once more after a second when the answer decides nothing.
    async fn hello_twice(&self, offer: &Offer, flight: bool) -> Result<Said, NoMore> {
        let said = self.hello(offer, flight).await?;
        if matches!(said, Said::Shown(_)) || refusal(&said).is_some() {
            return Ok(said);
        }
        if self.ctx.within(AGAIN) < AGAIN {
            return Ok(said);
        }
        tokio::time::sleep(AGAIN).await;
        match (&said, self.hello(offer, flight).await) {
            (Said::Alert(INTERNAL_ERROR), Ok(Said::Alert(INTERNAL_ERROR))) => {
                Ok(Said::AlertTwice(INTERNAL_ERROR))
            }
            (_, Ok(second)) => Ok(second),
            (_, Err(_)) => Ok(said),
        }
    }
}

/// The refusal that an answer is, in words, and how many answers it stands for; `None` when it is none.
fn refusals(said: &Said) -> Option<(String, usize)> {
    match said {
        Said::AlertTwice(code) => {
            Some((format!("alert {code} ({}), and again a second later", alert::name(*code)), 2))
        }
        said => refusal(said).map(|words| (words, 1)),
    }
}

/// The refusal that one answer is, in words; `None` when it is none.
fn refusal(said: &Said) -> Option<String> {
    match said {
        Said::Alert(code @ (40 | 70 | 71)) => Some(format!("alert {code} ({})", alert::name(*code))),
        _ => None,
    }
}

/// What came back, for a question that stays open.
fn in_words(said: &Said) -> String {
    match said {
        Said::Shown(shown) => format!("chose {}", suites::name(shown.suite)),
        Said::Alert(code) | Said::AlertTwice(code) => alert::denial(*code).to_string(),
        Said::Nothing(Fault::Denied(denial)) => denial.to_string(),
        Said::Nothing(Fault::Silent(silence)) => silence.to_string(),
        Said::Nothing(Fault::Unasked(fault)) => fault.to_string(),
    }
}

/// Everything that answers have told so far, about versions and classes.
#[derive(Debug, Default)]
struct Told {
    offered: BTreeSet<TlsVersion>,
    declined: BTreeMap<TlsVersion, Vec<String>>,
    open: BTreeMap<TlsVersion, String>,
    classes: BTreeMap<SuiteClass, u16>,
    dh_bit: Option<u32>,
    small_answered: bool,
}

impl Told {
    /// Takes in the answer to a hello whose highest version was `highest`. With `wide` the hello held every suite that is
    /// known, so that alert 40 is no want of a common one.
    fn take(&mut self, highest: TlsVersion, lowest: TlsVersion, wide: bool, small: bool, said: &Said) {
        let between = |version: &&TlsVersion| **version <= highest && **version >= lowest;
        match said {
            Said::Shown(shown) => {
                self.small_answered |= small;
                let Some(chosen) = TlsVersion::from_number(shown.version) else { return };
                self.offered.insert(chosen);
                let passed_over = TlsVersion::ALL.iter().filter(between).filter(|v| **v > chosen);
                for version in passed_over {
                    self.declined.entry(*version).or_default().push(format!("chose {chosen}"));
                }
                for class in suites::classes(shown.suite) {
                    self.classes.entry(class).or_insert(shown.suite);
                }
                self.dh_bit = match (self.dh_bit, shown.dh_bit) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
            }
            said => {
                self.small_answered |= small && matches!(said, Said::Alert(_) | Said::AlertTwice(_));
                let speaks_of_versions = wide || matches!(said, Said::Alert(70));
                match refusals(said).filter(|_| speaks_of_versions) {
                    Some((words, times)) => {
                        for version in TlsVersion::ALL.iter().filter(between) {
                            let told = self.declined.entry(*version).or_default();
                            told.extend(std::iter::repeat_n(words.clone(), times));
                        }
                    }
                    None if wide => {
                        for version in TlsVersion::ALL.iter().filter(between) {
                            self.open.entry(*version).or_insert_with(|| in_words(said));
                        }
                    }
                    None => {}
                }
            }
        }
    }

    fn standing(&self, version: TlsVersion, no_more: Option<NoMore>) -> Standing {
        let said = self.declined.get(&version).map_or(&[][..], Vec::as_slice);
        if self.offered.contains(&version) {
            Standing::Offered
        } else if said.len() >= 2 && self.offered.is_empty() && said.iter().any(|s| s.starts_with("alert 80"))
        {
            // A server that answers every hello so is not well, and says nothing of versions.
            Standing::Open { why: said.join("; ") }
        } else if said.len() >= 2 {
            Standing::NotOffered { said: said.to_vec() }
        } else if let Some(why) = self.open.get(&version) {
            Standing::Open { why: why.clone() }
        } else if let [once] = said {
            Standing::Open { why: format!("{once}, once") }
        } else {
            let why = no_more.map_or_else(|| "the survey did not come to it".to_owned(), |n| n.to_string());
            Standing::Unasked { why }
        }
    }

    fn is_settled(&self, version: TlsVersion) -> bool {
        self.offered.contains(&version) || self.declined.get(&version).is_some_and(|said| said.len() >= 2)
    }
}

struct Run<'a> {
    line: Line<'a>,
    told: std::sync::Mutex<Told>,
}

impl<'a> Run<'a> {
    fn new(ctx: &'a Context, host: &'a str, address: SocketAddr) -> Self {
        let line = Line {
            ctx,
            host,
            address,
            hellos_left: AtomicU32::new(HELLOS),
            places: Semaphore::new(AT_ONCE),
            made: AtomicU32::new(0),
            open: AtomicU32::new(0),
            most: AtomicU32::new(0),
            read_byte: AtomicU64::new(0),
        };
        Self { line, told: std::sync::Mutex::default() }
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        // What was noted before a panic is still true.
        self.told.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    async fn all(&self, handshake: Option<&Observed<TlsHandshake>>) -> Observed<TlsSurvey> {
        if let Some(Observed::Denied(Denial::TlsAlert { code: 70, .. })) = handshake {
            // It offered TLS 1.2 and 1.3 and was told that neither will do: an answer of its own about both.
            self.told().take(TlsVersion::Tls13, TlsVersion::Tls12, false, false, &Said::Alert(70));
        }
        let ordinary = handshake.and_then(Observed::present);
        if let Some(shown) = ordinary {
            let mut told = self.told();
            match shown.version.as_str() {
                "TLSv1.3" => drop(told.offered.insert(TlsVersion::Tls13)),
                "TLSv1.2" => {
                    told.offered.insert(TlsVersion::Tls12);
                    told.declined.entry(TlsVersion::Tls13).or_default().push("chose TLSv1.2".into());
                }
                _ => {}
            }
        }
        // The futures are large; on the heap they do not use up a worker's stack.
        //
        // Two lines of questions side by side. The one has versions and classes, which come first where connections run
        // short, and then the weak groups. The other has the large hello, which takes a moment by design, and what depends
        // on its answer; it waits for the first before it asks for the hybrid, which matters less.
        let settled = Notify::new();
        let newest_settled = Notify::new();
        let first = Box::pin(async {
            let (server_hello, old, (no_more, dated_said)) =
                tokio::join!(Box::pin(self.shown()), Box::pin(self.old()), Box::pin(self.dated()));
            let answered = self.told().small_answered;
            if answered {
                Box::pin(self.settle_1_2()).await;
            }
            settled.notify_one();
            if !self.told().is_settled(TlsVersion::Tls13) {
                // Versions come before groups where connections run short.
                newest_settled.notified().await;
            }
            // Whoever answers no hello at all answers none of these either, and each costs its whole time.
            let weak = if answered { Box::pin(self.weak_groups()).await } else { not_answered() };
            (server_hello, old, no_more, dated_said, weak)
        });
        let second = Box::pin(async {
            let large = self.large().await;
            settled.notified().await;
            if !self.told().small_answered {
                newest_settled.notify_one();
                return (large, not_answered());
            }
            Box::pin(self.settle_1_3()).await;
            newest_settled.notify_one();
            let post_quantum = Box::pin(self.post_quantum(ordinary, &large)).await;
            (large, post_quantum)
        });
        let hellos = async {
            let ((server_hello, old, no_more, dated_said, weak_groups), (large, post_quantum)) =
                tokio::join!(first, second);
            (server_hello, large, old, no_more, dated_said, weak_groups, post_quantum)
        };
        let whole = Box::pin(async {
            let (resumption, session) = again::resumption(&self.line).await;
            (resumption, authority::look(self.line.ctx, session.as_ref()).await)
        });
        let (
            (server_hello, large, old, no_more, dated_said, weak_groups, post_quantum),
            (resumption, looked),
            without_name,
        ) = tokio::join!(hellos, whole, Box::pin(again::without_name(&self.line)));
        let told = self.told();
        let versions = TlsVersion::ALL
            .map(|version| VersionStanding { version, standing: told.standing(version, old) })
            .into();
        let suites = SuiteClass::ALL
            .map(|class| {
                let suite = told.classes.get(&class).copied();
                let standing = match (&suite, &dated_said, no_more) {
                    (Some(_), ..) => Standing::Offered,
                    (None, DatedSaid::Refused(said), _) => Standing::NotOffered { said: said.clone() },
                    (None, DatedSaid::Open(why), _) => Standing::Open { why: why.clone() },
                    (None, DatedSaid::Unasked, why) => {
                        Standing::Unasked { why: why.map_or_else(String::new, |no_more| no_more.to_string()) }
                    }
                };
                SuiteStanding { class, suite: suite.map(suites::name), standing }
            })
            .into();
        let survey = TlsSurvey {
            versions,
            suites,
            dh_bit: told.dh_bit,
            server_hello,
            weak_groups,
            post_quantum,
            large_hello: LargeHello { small_answered: told.small_answered || ordinary.is_some(), ..large.0 },
            without_name,
            resumption,
            revocation: looked.revocation,
            issuer: looked.issuer,
            connections: self.line.made.load(Ordering::Relaxed),
            at_once: self.line.most.load(Ordering::Relaxed),
            read_byte: self.line.read_byte.load(Ordering::Relaxed),
        };
        Observed::Present(survey)
    }

    fn take(&self, highest: TlsVersion, lowest: TlsVersion, wide: bool, said: &Said) {
        self.told().take(highest, lowest, wide, true, said);
    }

    /// What TLS 1.2 shows when everything is asked for.
    async fn shown(&self) -> Option<ServerHelloShown> {
        let offer = Offer { asking: true, ..Offer::of(0x0303, suites::wide()) };
        let said = self.line.hello_twice(&offer, true).await.ok()?;
        self.take(TlsVersion::Tls12, TlsVersion::Ssl3, true, &said);
        let Said::Shown(shown) = said else { return None };
        Some(ServerHelloShown {
            version: TlsVersion::from_number(shown.version)
                .map_or_else(|| format!("0x{:04x}", shown.version), |version| version.to_string()),
            cipher_suite: suites::name(shown.suite),
            group: shown.group.map(suites::group),
            alpn: shown.alpn.clone(),
            secure_renegotiation: shown.secure_renegotiation(),
            extended_master_secret: shown.extended_master_secret(),
            compression: shown.compression,
            stapled: shown.stapled,
            sct_count: shown.sct_count,
            certificate_asked: shown.certificate_asked,
        })
    }

    /// A hello as large as a browser's, in two segments. Gives the group that was chosen as well.
    async fn large(&self) -> (LargeHello, Option<u16>) {
        let offer = Offer {
            groups: MODERN_GROUPS,
            versions: &[0x0304, 0x0303],
            share: true,
            padded_to: Some(LARGE_BYTE),
            ..Offer::of(0x0303, [suites::tls13(), suites::wide()].concat())
        };
        let said = self.line.hello_twice(&offer, false).await;
        if let Ok(said) = &said {
            self.told().take(TlsVersion::Tls13, TlsVersion::Tls12, false, false, said);
        }
        let group = match &said {
            Ok(Said::Shown(shown)) => shown.group,
            _ => None,
        };
        let answer = match said {
            Err(no_more) => Observed::Unasked(ProbeFault::Local { detail: no_more.to_string() }),
            Ok(Said::Shown(shown)) => Observed::Present(
                TlsVersion::from_number(shown.version).map_or_else(String::new, |v| v.to_string()),
            ),
            Ok(Said::Alert(code) | Said::AlertTwice(code)) => Observed::Denied(alert::denial(code)),
            Ok(Said::Nothing(fault)) => fault.into_observed(),
        };
        let sent_byte = u32::try_from(LARGE_BYTE).unwrap_or(u32::MAX);
        (LargeHello { sent_byte, answer, small_answered: false }, group)
    }

    /// From TLS 1.1 down, until what is left is refused twice.
    async fn old(&self) -> Option<NoMore> {
        let mut highest = TlsVersion::Tls11;
        let mut refused = 0;
        loop {
            let offer = Offer::of(highest.number(), suites::wide());
            let said = match self.line.hello_twice(&offer, true).await {
                Ok(said) => said,
                Err(no_more) => return Some(no_more),
            };
            self.take(highest, TlsVersion::Ssl3, true, &said);
            match &said {
                Said::Shown(shown) => {
                    let lower = TlsVersion::from_number(shown.version.saturating_sub(1));
                    highest = lower.filter(|version| *version < highest)?;
                    refused = 0;
                }
                said => match refusals(said) {
                    Some((_, times)) => {
                        refused += times;
                        if refused >= 2 {
                            return None;
                        }
                    }
                    None => return None,
                },
            }
        }
    }

    /// The dated classes, until what is left of them is refused twice.
    async fn dated(&self) -> (Option<NoMore>, DatedSaid) {
        let mut refused = Vec::new();
        loop {
            let known: BTreeSet<SuiteClass> = self.told().classes.keys().copied().collect();
            let mut left = suites::dated();
            left.retain(|suite| suites::classes(*suite).iter().any(|class| !known.contains(class)));
            if left.is_empty() {
                return (None, DatedSaid::Refused(refused));
            }
            let said = match self.line.hello_twice(&Offer::of(0x0303, left), true).await {
                Ok(said) => said,
                Err(no_more) => return (Some(no_more), DatedSaid::Unasked),
            };
            self.take(TlsVersion::Tls12, TlsVersion::Ssl3, false, &said);
            match &said {
                Said::Shown(shown) => {
                    // A suite of which every class was known before would be offered for ever.
                    if suites::classes(shown.suite).iter().all(|class| known.contains(class)) {
                        return (
                            None,
                            DatedSaid::Open(format!(
                                "chose {}, which was not offered",
                                suites::name(shown.suite)
                            )),
                        );
                    }
                    refused.clear();
                }
                said => match refusals(said) {
                    Some((words, times)) => {
                        refused.extend(std::iter::repeat_n(words, times));
                        if refused.len() >= 2 {
                            return (None, DatedSaid::Refused(refused));
                        }
                    }
                    None => return (None, DatedSaid::Open(in_words(said))),
                },
            }
        }
    }

    /// A second answer about TLS 1.2 where there is one only.
    async fn settle_1_2(&self) {
        let open = !self.told().is_settled(TlsVersion::Tls12);
        if open && let Ok(said) = self.line.hello_twice(&Offer::of(0x0303, suites::wide()), false).await {
            self.take(TlsVersion::Tls12, TlsVersion::Ssl3, true, &said);
        }
    }

    /// The same about TLS 1.3.
    async fn settle_1_3(&self) {
        if !self.told().is_settled(TlsVersion::Tls13) {
            let offer = Offer {
                versions: &[0x0304],
                share: true,
                groups: MODERN_GROUPS,
                ..Offer::of(0x0303, suites::tls13())
            };
            if let Ok(said) = self.line.hello_twice(&offer, false).await {
                self.take(TlsVersion::Tls13, TlsVersion::Tls13, true, &said);
            }
        }
    }

    /// Curves below 224 bits, with every suite that needs a curve.
    async fn weak_groups(&self) -> GroupStanding {
        let offer = Offer { groups: suites::WEAK_GROUPS, ..Offer::of(0x0303, suites::elliptic()) };
        let taken = |shown: &Shown| shown.group.filter(|group| suites::WEAK_GROUPS.contains(group));
        self.group(&offer, true, taken).await
    }

    /// The hybrid, where nothing has chosen it yet: a hello of TLS 1.3 that offers it alone and sends no share, to which a
    /// server that knows it answers with a request for one (RFC 8446, section 4.1.4).
    async fn post_quantum(
        &self,
        ordinary: Option<&TlsHandshake>,
        large: &(LargeHello, Option<u16>),
    ) -> GroupStanding {
        let name = suites::group(suites::HYBRID);
        let chosen = ordinary.and_then(|shown| shown.group.as_deref()) == Some(name.as_str());
        if chosen || large.1 == Some(suites::HYBRID) {
            return GroupStanding { group: Some(name), standing: Standing::Offered };
        }
        if let Some(said) = self.told().declined.get(&TlsVersion::Tls13).filter(|said| said.len() >= 2) {
            // The hybrid exists in TLS 1.3 only.
            return GroupStanding { group: None, standing: Standing::NotOffered { said: said.clone() } };
        }
        let offer =
            Offer { groups: &[suites::HYBRID], versions: &[0x0304], ..Offer::of(0x0303, suites::tls13()) };
        self.group(&offer, false, |shown| shown.group.filter(|group| *group == suites::HYBRID)).await
    }

    /// Asks for groups of one kind until one is taken or two answers agree that none is.
    async fn group(
        &self,
        offer: &Offer,
        flight: bool,
        taken: impl Fn(&Shown) -> Option<u16>,
    ) -> GroupStanding {
        let mut refused = Vec::new();
        let ended = |standing| GroupStanding { group: None, standing };
        loop {
            let said = match self.line.hello_twice(offer, flight).await {
                Ok(said) => said,
                Err(no_more) if refused.is_empty() => {
                    return ended(Standing::Unasked { why: no_more.to_string() });
                }
                Err(no_more) => {
                    return ended(Standing::Open { why: format!("{}, once; {no_more}", refused.join(", ")) });
                }
            };
            match &said {
                Said::Shown(shown) => match taken(shown) {
                    Some(group) => {
                        return GroupStanding {
                            group: Some(suites::group(group)),
                            standing: Standing::Offered,
                        };
                    }
                    // A server that takes no curve of ours and goes on with something else has declined them.
                    None => refused.push(in_words(&said)),
                },
                said => match refusals(said) {
                    Some((words, times)) => refused.extend(std::iter::repeat_n(words, times)),
                    // RFC 8446, section 4.2.8: no group in common is alert 40; some say that the hello is wrong.
                    None if matches!(said, Said::Alert(47)) => {
                        refused.push("alert 47 (illegal_parameter)".into())
                    }
                    None => return ended(Standing::Open { why: in_words(said) }),
                },
            }
            if refused.len() >= 2 {
                return ended(Standing::NotOffered { said: refused });
            }
        }
    }
}

/// Groups of a server that answered no hello at all.
fn not_answered() -> GroupStanding {
    let why = "no hello was answered".to_owned();
    GroupStanding { group: None, standing: Standing::Unasked { why } }
}

/// How the search for dated classes ended, for those that were not found.
enum DatedSaid {
    Refused(Vec<String>),
    Open(String),
    Unasked,
}

#[cfg(test)]
#[path = "survey_tests.rs"]
mod tests;
