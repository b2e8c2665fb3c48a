//! What servers say of their limits in headers.
//!
//! Read are Retry-After (RFC 9110, section 10.2.3) and the four spellings that are in use:
//!
//! | spelling | example |
//! |---|---|
//! | draft-ietf-httpapi-ratelimit-headers-08 and later | `RateLimit-Policy: "burst";q=100;w=60`, `RateLimit: "burst";r=50;t=30` |
//! | its seventh revision | `RateLimit: limit=100, remaining=50, reset=30`, `RateLimit-Policy: 100;w=60` |
//! | its sixth revision and before | `RateLimit-Limit: 100, 100;w=60`, `RateLimit-Remaining: 50`, `RateLimit-Reset: 30` |
//! | legacy | `X-RateLimit-Limit: 100`, `X-RateLimit-Remaining: 50`, `X-RateLimit-Reset: 1700000000` |
//! | one header for each window (Kong's rate-limiting plugin) | `X-RateLimit-Limit-Minute: 100`, `X-RateLimit-Remaining-Minute: 50` |
//! | tower_governor | `x-ratelimit-limit: 5`, `x-ratelimit-after: 3` |
//!
//! The drafts count a reset in seconds from now. The legacy fields have meant seconds, an epoch in seconds, an epoch in
//! milliseconds and a date (the survey in the draft's appendix), and some servers put an epoch into the drafts' own field, so a
//! reset is told apart by its size: nobody's window lasts 30 years.
//!
//! A field that cannot be understood says nothing, as the draft asks for.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use landfall_evidence::{Header, split_unquoted};

/// One policy as a server states it. Policies of different names are different limits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stated {
    /// Requests in a window.
    pub(crate) quota: Option<u64>,
    /// The window, in seconds.
    pub(crate) window_s: Option<u64>,
    /// Requests left in this window.
    pub(crate) remaining: Option<u64>,
    /// Its name, where it has one.
    pub(crate) name: Option<String>,
    /// Until the quota is renewed, in milliseconds.
    pub(crate) reset_ms: Option<u64>,
    /// The same as milliseconds since the epoch, where it is stated as a moment and not as a number of seconds.
    pub(crate) reset_at_ms: Option<i64>,
    /// The field that states it, in lower case.
    pub(crate) field: &'static str,
}

impl Stated {
    fn says_something(&self) -> bool {
        self.quota.is_some() || self.window_s.is_some() || self.remaining.is_some()
    }
}

/// When a quota is renewed, as it is stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reset {
    /// After so many milliseconds.
    In(u64),
    /// At this moment, in milliseconds since the epoch.
    At(i64),
}

impl Reset {
    fn read(value: &str) -> Option<Self> {
        const EPOCH_S: u64 = 1_000_000_000;
        const EPOCH_MS: u64 = 1_000_000_000_000;
        let value = value.trim();
        match number(value) {
            Some(ms) if ms > EPOCH_MS => i64::try_from(ms).ok().map(Self::At),
            Some(s) if s > EPOCH_S => i64::try_from(s).ok()?.checked_mul(1000).map(Self::At),
            Some(s) => Self::after(s),
            None => {
                let at = http_date(value).or_else(|| value.parse::<Timestamp>().ok())?;
                Some(Self::At(at.as_millisecond()))
            }
        }
    }

    fn after(seconds: u64) -> Option<Self> {
        seconds.checked_mul(1000).map(Self::In)
    }

    /// In milliseconds from `now`; 0 for a time that has passed.
    fn from(self, now: Timestamp) -> u64 {
        match self {
            Self::In(ms) => ms,
            Self::At(ms) => u64::try_from(ms.saturating_sub(now.as_millisecond())).unwrap_or(0),
        }
    }

    fn moment(self) -> Option<i64> {
        match self {
            Self::In(_) => None,
            Self::At(ms) => Some(ms),
        }
    }
}

/// Reads lines of `name: value` as fields that speak of limits: for the fuzz target, and for the replay of what it found.
pub(super) fn read_anything(text: &str) {
    let fields: Vec<Header> = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| Header {
            name: name.trim().to_ascii_lowercase(),
            value: value.trim().to_owned(),
        })
        .collect();
    for now in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
        let _ = stated(&fields, now);
        for field in &fields {
            let _ =
                (retry_after_s(&field.value, now), Reset::read(&field.value).map(|reset| reset.from(now)));
        }
    }
}

/// Whether a header, by its name in lower case, speaks of limits.
pub(crate) fn speaks_of_limits(name: &str) -> bool {
    name == "retry-after"
        || name.starts_with("ratelimit")
        || name.starts_with("x-ratelimit")
        || name.starts_with("x-rate-limit")
}

/// Retry-After as seconds from `sent`; 0 for a date that has passed.
pub(crate) fn retry_after_s(value: &str, sent: Timestamp) -> Option<u64> {
    let value = value.trim();
    if let Some(seconds) = number(value) {
        return Some(seconds);
    }
    let seconds = http_date(value)?.as_second().saturating_sub(sent.as_second());
    Some(u64::try_from(seconds).unwrap_or(0))
}

/// An HTTP-date in any of its three forms (RFC 9110, section 5.6.7).
pub(crate) fn http_date(value: &str) -> Option<Timestamp> {
    const FORMS: [&str; 3] =
        ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
    let date = FORMS.iter().find_map(|form| DateTime::strptime(form, value.trim()).ok())?;
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// Every policy that the headers state. `now` is the server's time where it told it.
pub(crate) fn stated(headers: &[Header], now: Timestamp) -> Vec<Stated> {
    let raw = |names: &[&str]| {
        names.iter().find_map(|name| headers.iter().find(|h| h.name == *name).map(|h| h.value.as_str()))
    };
    let values = |name: &str| {
        headers.iter().filter(|h| h.name == name).flat_map(|h| items(&h.value)).collect::<Vec<_>>()
    };
    let first = |names: &[&str]| {
        names.iter().find_map(|name| values(name).first().and_then(|item| number(&item.name)))
    };
    let (state, policies) = (values("ratelimit"), values("ratelimit-policy"));
    let mut found: BTreeMap<String, Stated> = BTreeMap::new();

    let quoted = |item: &&Item| item.quoted;
    for item in state.iter().chain(&policies).filter(quoted) {
        let stated = found.entry(item.name.clone()).or_default();
        stated.name = Some(item.name.clone());
        stated.field = "ratelimit-policy";
        stated.quota = stated.quota.or(item.number("q"));
        stated.window_s = stated.window_s.or(item.number("w"));
        stated.remaining = stated.remaining.or(item.number("r"));
        stated.reset_ms = stated.reset_ms.or(item.number("t").and_then(|s| s.checked_mul(1000)));
    }
    if found.is_empty() {
        // One unnamed policy, in whichever of the older spellings.
        let pair = |key: &str| state.iter().find(|item| item.name == key).and_then(|item| item.value);
        let policy = policies
            .iter()
            .chain(&values("ratelimit-limit"))
            .find(|item| item.number("w").is_some())
            .cloned();
        let quota = first(&["ratelimit-limit", "x-ratelimit-limit", "x-rate-limit-limit"]);
        let reset = ["ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset", "x-ratelimit-after"];
        let reset = pair("reset").and_then(Reset::after).or_else(|| raw(&reset).and_then(Reset::read));
        let stated = Stated {
            quota: pair("limit").or(quota).or_else(|| policy.as_ref().and_then(|item| number(&item.name))),
            window_s: policy.as_ref().and_then(|item| item.number("w")),
            remaining: pair("remaining").or_else(|| {
                first(&["ratelimit-remaining", "x-ratelimit-remaining", "x-rate-limit-remaining"])
            }),
            name: None,
            reset_ms: reset.map(|reset| reset.from(now)),
            reset_at_ms: reset.and_then(Reset::moment),
            field: if !state.is_empty() || !policies.is_empty() {
                "ratelimit"
            } else if raw(&["ratelimit-limit", "ratelimit-remaining"]).is_some() {
                "ratelimit-limit"
            } else {
                "x-ratelimit-limit"
            },
        };
        found.insert(String::new(), stated);
        found.extend(WINDOWS.iter().map(|(window, window_s)| {
            let of = |what: &str| {
                let (long, short) =
                    (format!("x-ratelimit-{what}-{window}"), format!("ratelimit-{what}-{window}"));
                first(&[&long, &short])
            };
            let stated = Stated {
                quota: of("limit"),
                window_s: of("limit").or_else(|| of("remaining")).map(|_| *window_s),
                remaining: of("remaining"),
                name: Some((*window).to_owned()),
                reset_ms: None,
                reset_at_ms: None,
                field: "x-ratelimit-limit",
            };
            ((*window).to_owned(), stated)
        }));
    }
    found.into_values().filter(Stated::says_something).collect()
}

/// Windows that are part of a header's name, in seconds.
const WINDOWS: [(&str, u64); 4] = [("second", 1), ("minute", 60), ("hour", 3600), ("day", 86_400)];

/// A list member: `"name";q=1;w=2`, `100;w=60` or `limit=100`.
#[derive(Debug, Clone)]
struct Item {
    name: String,
    quoted: bool,
    /// The number after `name=`, for members of a dictionary.
    value: Option<u64>,
    parameters: Vec<(String, u64)>,
}

impl Item {
    fn number(&self, key: &str) -> Option<u64> {
        self.parameters.iter().find(|(name, _)| name == key).map(|(_, value)| *value)
    }
}

/// The members of a list or dictionary (RFC 9651, sections 3.1 and 3.2), as far as limits need them. Parameters that are
/// no numbers are passed over; a value with a quoted string that is not closed has no members.
fn items(value: &str) -> Vec<Item> {
    let members = split_unquoted(value, ',').unwrap_or_default();
    members.into_iter().filter_map(|member| item(member.trim())).collect()
}

fn item(member: &str) -> Option<Item> {
    let parts = split_unquoted(member, ';')?;
    let (head, parameters) = parts.split_first()?;
    let head = head.trim();
    let parameters = parameters.iter().filter_map(|part| pair(part)).collect();
    if let Some(name) = head.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        return Some(Item { name: name.to_owned(), quoted: true, value: None, parameters });
    }
    match pair(head) {
        Some((name, value)) => Some(Item { name, quoted: false, value: Some(value), parameters }),
        None if head.is_empty() => None,
        None => Some(Item { name: head.to_owned(), quoted: false, value: None, parameters }),
    }
}

fn pair(text: &str) -> Option<(String, u64)> {
    let (name, value) = text.split_once('=')?;
    Some((name.trim().to_ascii_lowercase(), number(value.trim())?))
}

/// Digits alone, so that a sign or a fraction is not mistaken for something else.
fn number(text: &str) -> Option<u64> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(headers: &[(&str, &str)]) -> Vec<Stated> {
        let headers: Vec<_> =
            headers.iter().map(|(n, v)| Header { name: (*n).into(), value: (*v).into() }).collect();
        stated(&headers, Timestamp::from_second(1_699_999_970).expect("a time"))
    }

    /// Quota, window and what is left.
    type Three = (Option<u64>, Option<u64>, Option<u64>);

    fn three(headers: &[(&str, &str)]) -> Vec<Three> {
        of(headers).into_iter().map(|s| (s.quota, s.window_s, s.remaining)).collect()
    }

    fn one(quota: u64, window_s: impl Into<Option<u64>>, remaining: impl Into<Option<u64>>) -> Vec<Three> {
        vec![(Some(quota), window_s.into(), remaining.into())]
    }

    #[test]
    fn all_four_spellings_say_the_same() {
        let current = [("ratelimit-policy", "\"burst\";q=100;w=60"), ("ratelimit", "\"burst\";r=50;t=30")];
        assert_eq!(three(&current), one(100, 60, 50));
        let seventh = [("ratelimit-policy", "100;w=60"), ("ratelimit", "limit=100, remaining=50, reset=30")];
        assert_eq!(three(&seventh), one(100, 60, 50));
        let sixth =
            [("ratelimit-limit", "100, 100;w=60"), ("ratelimit-remaining", "50"), ("ratelimit-reset", "30")];
        assert_eq!(three(&sixth), one(100, 60, 50));
        let legacy = [
            ("x-ratelimit-limit", "100"),
            ("x-ratelimit-remaining", "50"),
            ("x-ratelimit-reset", "1700000000"),
        ];
        assert_eq!(three(&legacy), one(100, None, 50));
    }

    #[test]
    fn a_reset_is_told_apart_by_its_size() {
        for (field, value) in [
            ("ratelimit-reset", "30"),
            ("ratelimit-reset", "1700000000"),
            ("x-ratelimit-reset", "1700000000000"),
            ("x-ratelimit-reset", "Tue, 14 Nov 2023 22:13:20 GMT"),
            ("x-rate-limit-reset", "2023-11-14T22:13:20Z"),
            ("x-ratelimit-after", "30"),
        ] {
            let stated = of(&[("x-ratelimit-limit", "100"), (field, value)]);
            assert_eq!(stated[0].reset_ms, Some(30_000), "{field}: {value}");
            let moment = (value != "30").then_some(1_700_000_000_000);
            assert_eq!(stated[0].reset_at_ms, moment, "{field}: {value}");
        }
        assert_eq!(of(&[("ratelimit", "\"a\";r=5;t=7")])[0].reset_ms, Some(7000));
        assert_eq!(of(&[("ratelimit", "limit=9, remaining=5, reset=7")])[0].reset_ms, Some(7000));
        assert_eq!(
            of(&[("x-ratelimit-limit", "1"), ("x-ratelimit-reset", "1600000000")])[0].reset_ms,
            Some(0)
        );
        assert_eq!(of(&[("x-ratelimit-limit", "1"), ("x-ratelimit-reset", "soon")])[0].reset_ms, None);
    }

    #[test]
    fn windows_in_the_names_of_headers_are_policies_of_their_own() {
        let two = three(&[
            ("x-ratelimit-limit-minute", "5"),
            ("x-ratelimit-remaining-minute", "4"),
            ("x-ratelimit-limit-hour", "100"),
        ]);
        assert_eq!(two, [(Some(100), Some(3600), None), (Some(5), Some(60), Some(4))]);
    }

    #[test]
    fn policies_of_different_names_stay_apart() {
        let two = three(&[
            ("ratelimit-policy", "\"second\";q=10;w=1, \"day\";q=1000;w=86400;pk=:cHNr:"),
            ("ratelimit", "\"day\";r=7;t=99"),
        ]);
        assert_eq!(two.len(), 2);
        assert!(two.contains(&(Some(1000), Some(86_400), Some(7))));
        assert!(two.contains(&(Some(10), Some(1), None)));
    }

    #[test]
    fn what_cannot_be_understood_says_nothing() {
        assert_eq!(
            of(&[("ratelimit", "soon"), ("x-ratelimit-limit", "-1"), ("ratelimit-policy", ";;,=")]),
            []
        );
        // Where the quoted string was to end is not known, so neither is what the numbers belong to.
        assert_eq!(of(&[("ratelimit", "\"burst;r=50;t=30"), ("ratelimit-limit", "100, \"")]), []);
        assert_eq!(of(&[("server", "nginx")]), []);
    }

    #[test]
    fn retry_after_is_seconds_or_one_of_three_dates() {
        let sent = http_date("Sun, 06 Nov 1994 08:49:37 GMT").expect("a date");
        assert_eq!(sent.as_second(), 784_111_777);
        for value in [
            "120",
            " 120 ",
            "Sun, 06 Nov 1994 08:51:37 GMT",
            "Sunday, 06-Nov-94 08:51:37 GMT",
            "Sun Nov  6 08:51:37 1994",
        ] {
            assert_eq!(retry_after_s(value, sent), Some(120), "{value}");
        }
        assert_eq!(retry_after_s("Sun, 06 Nov 1994 08:00:00 GMT", sent), Some(0));
        for value in ["", "soon", "-5", "1.5", "99999999999999999999999"] {
            assert_eq!(retry_after_s(value, sent), None, "{value}");
        }
    }

    proptest! {
        #[test]
        fn no_value_makes_the_parsers_panic(name in "(x-)?rate-?limit(-policy|-limit|-remaining)?", value in "\\PC{0,80}", second in "[\"\\\\;,=a-z0-9 ]{0,60}") {
            let headers = [value.as_str(), second.as_str()].map(|v| Header { name: name.clone(), value: v.to_owned() });
            let _ = stated(&headers, Timestamp::UNIX_EPOCH);
            for (value, now) in [(&value, Timestamp::UNIX_EPOCH), (&second, Timestamp::MAX)] {
                let _ = Reset::read(value).map(|reset| reset.from(now));
            }
            let _ = retry_after_s(&value, Timestamp::UNIX_EPOCH);
            let _ = retry_after_s(&second, Timestamp::UNIX_EPOCH);
        }

        #[test]
        fn a_policy_is_read_as_it_was_written(quota in 0_u64..1_000_000, window in 1_u64..1_000_000, left in 0_u64..1_000_000) {
            let found = three(&[("ratelimit-policy", &format!("\"p\";w={window};q={quota}")), ("ratelimit", &format!("\"p\";r={left}"))]);
            prop_assert_eq!(found, one(quota, window, left));
        }
    }
}
