//! `[[rate_limit.profile]]`: ways of using the API that the rate limit is held against.

use landfall_evidence::UsageProfile;
use serde::Deserialize;
use toml::Spanned;

use super::{Problems, parse_duration};

/// Profiles that a file may declare: each is held against every limiter that fits.
const MOST_PROFILES: usize = 16;
/// Requests of one visit of all addresses and people together. What a rate limit has to stand begins far below it.
const MOST_AT_ONCE: u64 = 2_000;
/// The longest time between two requests or visits: what recurs less often than once a day meets no limit of requests.
const LONGEST_MS: u64 = 86_400_000;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct RawRateLimit {
    profile: Vec<RawProfile>,
}

#[derive(Deserialize)]
struct RawProfile {
    name: Spanned<String>,
    requests: Option<Spanned<u32>>,
    spacing: Option<Spanned<String>>,
    every: Option<Spanned<String>>,
    times: Option<Spanned<u32>>,
    addresses: Option<Spanned<u32>>,
    people: Option<Spanned<u32>>,
    stagger: Option<Spanned<String>>,
    must_pass: Option<bool>,
}

/// Keys of a profile, in the order of the documentation.
pub(super) const KEYS: &[&str] =
    &["name", "requests", "spacing", "every", "times", "addresses", "people", "stagger", "must_pass"];

impl Problems<'_> {
    pub(super) fn uses(&mut self, raw: RawRateLimit) -> Vec<UsageProfile> {
        if let Some(first_too_many) = raw.profile.get(MOST_PROFILES) {
            let mend =
                "keep those that differ in pace; each is held against every limiter that fits".to_owned();
            self.add(
                Some(first_too_many.name.span()),
                format!("more than {MOST_PROFILES} profiles"),
                Some(mend),
            );
        }
        let mut uses: Vec<UsageProfile> = Vec::new();
        for profile in raw.profile.into_iter().take(MOST_PROFILES) {
            let at = profile.name.span();
            if let Some(profile) = self.profile(profile) {
                if uses.iter().any(|known| known.name == profile.name) {
                    let mend = "give each profile a name of its own, so that the report can tell them apart"
                        .to_owned();
                    self.add(
                        Some(at),
                        format!("there are two profiles named {:?}", profile.name),
                        Some(mend),
                    );
                }
                uses.push(profile);
            }
        }
        uses
    }

    fn profile(&mut self, raw: RawProfile) -> Option<UsageProfile> {
        let before = self.found_so_far();
        let name = raw.name.get_ref().trim().to_owned();
        if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
            let mend = "say in a few words who asks: name = \"the mobile app at start\"".to_owned();
            self.add(
                Some(raw.name.span()),
                "a profile needs a name of at most 100 characters".to_owned(),
                Some(mend),
            );
        }
        if let (Some(times), None) = (&raw.times, &raw.every) {
            let mend =
                "say how often it comes back, for instance every = \"30s\", or leave times out".to_owned();
            self.add(
                Some(times.span()),
                "times counts visits, and nothing says when they recur".to_owned(),
                Some(mend),
            );
        }
        if let (Some(stagger), None | Some(1)) = (&raw.stagger, raw.people.as_ref().map(|p| *p.get_ref())) {
            let mend = "say how many people (or programs) do this: people = 5".to_owned();
            self.add(
                Some(stagger.span()),
                "stagger is the time between people, and there is only one".to_owned(),
                Some(mend),
            );
        }
        let requests = self.at_least_one(raw.requests, "requests");
        let addresses = self.at_least_one(raw.addresses, "addresses");
        let people = self.at_least_one(raw.people, "people");
        let together =
            u64::from(requests).saturating_mul(u64::from(addresses)).saturating_mul(u64::from(people));
        if together > MOST_AT_ONCE {
            let mend = "describe one client, or a group behind one address; a limiter counts each address for itself".to_owned();
            let what = format!(
                "{requests} requests of {people} people at {addresses} addresses are {together} at once, more than {MOST_AT_ONCE}"
            );
            self.add(Some(raw.name.span()), what, Some(mend));
        }
        let times = raw.times.map(|times| self.at_least_one(Some(times), "times"));
        let spacing_ms = self.pause(raw.spacing).unwrap_or(0);
        let every_ms = self.pause(raw.every);
        let stagger_ms = self.pause(raw.stagger).unwrap_or(0);
        let must_pass = raw.must_pass.unwrap_or(true);
        let profile = UsageProfile {
            name,
            requests,
            spacing_ms,
            every_ms,
            times,
            addresses,
            people,
            stagger_ms,
            must_pass,
        };
        (self.found_so_far() == before).then_some(profile)
    }

    fn at_least_one(&mut self, value: Option<Spanned<u32>>, key: &str) -> u32 {
        let Some(value) = value else { return 1 };
        if *value.get_ref() == 0 {
            let mend = format!("write a number from 1 on, or leave {key} out for 1");
            self.add(Some(value.span()), format!("{key} = 0 is no use at all"), Some(mend));
        }
        *value.get_ref()
    }

    /// A time between two requests or visits, in milliseconds; at least one, so that what recurs does not stand still.
    fn pause(&mut self, value: Option<Spanned<String>>) -> Option<u64> {
        let value = value?;
        let ms =
            parse_duration(value.get_ref()).map(|pause| u64::try_from(pause.as_millis()).unwrap_or(u64::MAX));
        let (what, mend) = match ms {
            Ok(ms @ 1..=LONGEST_MS) => return Some(ms),
            Ok(0) => (
                format!("{:?} is less than a millisecond", value.get_ref()),
                "leave it out to send all at once",
            ),
            Ok(_) => (
                format!("{:?} is more than a day", value.get_ref()),
                "a rate limit has forgotten after a day; write \"24h\"",
            ),
            Err(problem) => (problem, "write durations as \"100ms\", \"30s\" or \"5m\""),
        };
        self.add(Some(value.span()), what, Some(mend.to_owned()));
        None
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, "landfall.toml").map_err(|e| e.to_string())
    }

    #[test]
    fn a_profile_says_who_asks_how_often() {
        let config = parse(
            "[[rate_limit.profile]]\nname = \"the app at start\"\nrequests = 8\nspacing = \"50ms\"\nevery = \"15m\"\ntimes = 3\npeople = 4\nstagger = \"2s\"\nmust_pass = false\n[[rate_limit.profile]]\nname = \"a partner\"\nevery = \"1s\"\naddresses = 2\n",
        )
        .expect("valid");
        let [app, partner] = &config.uses[..] else { panic!("{:?}", config.uses) };
        assert_eq!((app.requests, app.spacing_ms, app.every_ms, app.times), (8, 50, Some(900_000), Some(3)));
        assert_eq!((app.people, app.stagger_ms, app.must_pass), (4, 2000, false));
        assert_eq!(
            (partner.requests, partner.every_ms, partner.times, partner.addresses),
            (1, Some(1000), None, 2)
        );
        assert!(partner.must_pass);
    }

    #[test]
    fn each_mistake_has_its_place_and_its_mend() {
        let profile = |rest: &str| format!("[[rate_limit.profile]]\nname = \"a\"\n{rest}\n");
        for (text, line, mend) in [
            (profile("requsts = 3"), 3, "did you mean \"requests\"?"),
            (profile("requests = 0"), 3, "from 1 on"),
            (profile("times = 3"), 3, "every = \"30s\""),
            (profile("stagger = \"2s\""), 3, "people = 5"),
            (profile("every = \"soon\""), 3, "\"100ms\""),
            (profile("every = \"48h\""), 3, "24h"),
            (profile("people = 500\nrequests = 100"), 2, "describe one client"),
            ("[[rate_limit.profile]]\nname = \" \"\n".to_owned(), 2, "who asks"),
            (profile("") + &profile(""), 5, "a name of its own"),
            ("[rate_limit]\nprofiles = []\n".to_owned(), 2, "did you mean \"profile\"?"),
            ("[[rate_limit]]\nname = \"a\"\n".to_owned(), 1, "[[rate_limit.profile]]"),
            ("[rate_limit]\nprofile = 3\n".to_owned(), 2, "[[rate_limit.profile]]"),
            ("[rate_limits]\n".to_owned(), 1, "did you mean [[rate_limit.profile]]?"),
        ] {
            let error = parse(&text).expect_err(&text);
            assert!(error.starts_with(&format!("landfall.toml:{line}:")), "{text}: {error}");
            assert!(error.contains(mend), "{mend}: {error}");
        }
        let many: String = (0..17).map(|n| format!("[[rate_limit.profile]]\nname = \"{n}\"\n")).collect();
        assert!(parse(&many).expect_err("too many").contains("more than 16"));
    }
}
