//! By which address a limiter counts, as its refusals in a log name it. One address in all of them is one client, or every
//! client behind a proxy that the limiter does not look past; the two are told apart by whom the lines say they came from.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::LazyLock;

use regex::Regex;

use super::dns::is_private;
use super::page::pattern;

/// Refusals below which one address says nothing: the first client that asks too much is alone.
const FEW: u64 = 3;

/// Refusals of a limiter, read line by line.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    named: u64,
    counted: BTreeSet<IpAddr>,
    forwarded: BTreeSet<IpAddr>,
}

impl Refusals {
    /// Adds a line that stands `count` times in the log. An application is asked from its own machine by the proxy before it,
    /// while a program of the proxy's own machine is a client of the proxy as any other.
    pub(super) fn add(&mut self, text: &str, count: u64, is_of_application: bool) {
        let (counted, forwarded) = addresses(text);
        // A line can name none, where the limiter does not say whom it counts.
        if let Some(address) = counted.filter(|address| is_of_application || !address.is_loopback()) {
            self.named += count;
            self.counted.insert(address);
        }
        self.forwarded.extend(forwarded);
    }

    /// The one address that all refusals are counted by although it stands for several clients: the lines name several that
    /// were forwarded, or it is one of a private network, which no client of a public name has.
    pub(super) fn shared(&self) -> Option<IpAddr> {
        let mut all = self.counted.iter();
        let (first, None) = (*all.next()?, all.next()) else { return None };
        let others = self.forwarded.iter().filter(|address| **address != first).count();
        (self.named >= FEW && (others >= 2 || is_private(&first))).then_some(first)
    }
}

/// A field for forwarded addresses, with its list (X-Forwarded-For; Heroku's `fwd`; the header of RFC 7239).
static FORWARDED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?i)(?:forwarded[-_ ]?for|\bxff|\bfwd|\bforwarded\W+for)["'=:\s\[(]*([\da-f.:]+(?:\s*,\s*[\da-f.:]+)*)"#,
    )
});
/// What may be an address, with a port or without, and is no part of a word, a time or a version.
static ADDRESS: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)(?:^|[^\w.:-])((?:\d{1,3}\.){3}\d{1,3}|[\da-f]{0,4}:[\da-f:.]*)"));

/// The first address of a line that was not forwarded, and those that were.
fn addresses(text: &str) -> (Option<IpAddr>, Vec<IpAddr>) {
    let lists = FORWARDED.captures_iter(text).filter_map(|found| found.get(1));
    let forwarded = lists.flat_map(|list| list.as_str().split(',')).filter_map(|word| parse(word.trim()));
    let own = FORWARDED.replace_all(text, " ");
    let counted = ADDRESS.captures_iter(&own).find_map(|found| parse(&found[1]));
    (counted, forwarded.collect())
}

/// An address; one of IPv4 that IPv6 wraps (`::ffff:10.0.0.1`, as Node writes it) is the one inside.
fn parse(word: &str) -> Option<IpAddr> {
    word.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(lines: &[&str]) -> Option<String> {
        let mut refusals = Refusals::default();
        for line in lines {
            refusals.add(line, 1, true);
        }
        refusals.shared().map(|address| address.to_string())
    }

    #[test]
    fn one_counted_address_beside_several_forwarded_ones_stands_for_many_clients() {
        let line = |from: &str| {
            format!(
                "[Rack::Attack] throttle req/ip 203.0.113.117 GET /api/offers forwarded_for={from} count=91 limit=90"
            )
        };
        let all = [line("198.51.100.1"), line("198.51.100.2"), line("198.51.100.3")];
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        assert_eq!(shared(&all).as_deref(), Some("203.0.113.117"));
        assert_eq!(shared(&all[..2]), None, "too few");
        assert_eq!(shared(&[all[0]; 4]), None, "one client, whose proxy is named");
        let own = [all[0], all[1], all[2], "throttle req/ip 198.51.100.77 GET / forwarded_for=198.51.100.77"];
        assert_eq!(shared(&own), None, "it tells its clients apart");
    }

    #[test]
    fn a_private_address_is_no_client_of_a_public_name() {
        let nginx = r#"2026/11/25 22:31:00 [error] 31#31: *9 limiting requests, excess: 5.2 by zone "one", client: 172.18.0.1, server: _, request: "GET / HTTP/1.1", upstream: "http://172.18.0.5:8000/""#;
        assert_eq!(shared(&[nginx; 3]).as_deref(), Some("172.18.0.1"));
        assert_eq!(
            shared(&["ratelimit 5 per 1 minute (10.0.0.1) exceeded at endpoint: api.orders"; 3]).as_deref(),
            Some("10.0.0.1")
        );
        assert_eq!(
            shared(&["too many requests from ::ffff:10.0.0.9 at 12:00:01"; 3]).as_deref(),
            Some("10.0.0.9"),
            "as Node writes it"
        );
        assert_eq!(shared(&["too many requests from fd00::7"; 3]).as_deref(), Some("fd00::7"));
        assert_eq!(shared(&["ThrottlerException: Too Many Requests"; 9]), None, "nobody is named");
        assert_eq!(
            shared(&["ratelimit 5 per 1 minute (192.0.2.7) exceeded at endpoint: a"; 9]),
            None,
            "a client"
        );
    }

    #[test]
    fn a_proxy_s_own_machine_may_be_its_client_and_an_application_s_is_the_proxy() {
        let line = "limiting requests, excess: 4.6 by zone \"perip\", client: 127.0.0.1, server: _";
        let mut refusals = Refusals::default();
        refusals.add(line, 9, false);
        assert_eq!(refusals.shared(), None);
        refusals.add("ratelimit 5 per 1 minute (127.0.0.1) exceeded at endpoint: api.orders", 9, true);
        assert_eq!(refusals.shared().map(|a| a.to_string()).as_deref(), Some("127.0.0.1"));
    }

    #[test]
    fn addresses_are_told_from_times_versions_and_words() {
        let read = |text: &str| {
            let (counted, forwarded) = addresses(text);
            (counted.map(|a| a.to_string()).unwrap_or_default(), forwarded.len())
        };
        assert_eq!(
            read("22:31:00.114 rate limited 192.0.2.9:40110 face dead::beef"),
            ("192.0.2.9".into(), 0)
        );
        assert_eq!(
            read(r#"429 10.1.2.3 "x-forwarded-for":"198.51.100.1, 198.51.100.2""#),
            ("10.1.2.3".into(), 2)
        );
        assert_eq!(read(r#"fwd="203.0.113.24" peer 10.0.0.2"#), ("10.0.0.2".into(), 1));
        assert_eq!(read("ü 22:31 1.2 añb:: HTTP/1.1"), (String::new(), 0));
    }
}
