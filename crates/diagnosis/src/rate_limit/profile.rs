//! Ways of using an API, as the times of their requests.

use landfall_evidence::UsageProfile;

/// Requests of one use, from all addresses together, that are looked at; what recurs for ever repeats itself long before.
const MOST_REQUESTS: usize = 2000;

/// The uses that a report speaks of besides the declared ones.
///
/// The monitor's pace is what hosted monitors offer for important checks; browsers open a page's calls side by side (six
/// connections a host in HTTP/1.1, all at once in HTTP/2), so its calls count as one instant.
pub(crate) fn usual() -> Vec<UsageProfile> {
    let one = UsageProfile {
        name: String::new(),
        requests: 1,
        spacing_ms: 0,
        every_ms: None,
        times: None,
        addresses: 1,
        people: 1,
        stagger_ms: 0,
        must_pass: true,
    };
    vec![
        UsageProfile {
            name: "an uptime monitor that asks every 30 s from 3 places at once".into(),
            every_ms: Some(30_000),
            addresses: 3,
            ..one.clone()
        },
        UsageProfile {
            name: "a phone that retries 3 times in 2 s".into(),
            requests: 3,
            spacing_ms: 1000,
            ..one.clone()
        },
        UsageProfile { name: "a page that opens with 12 calls".into(), requests: 12, ..one.clone() },
        UsageProfile {
            name: "5 people behind one address who each open such a page within 10 s".into(),
            requests: 12,
            people: 5,
            stagger_ms: 2000,
            must_pass: false,
            ..one.clone()
        },
        UsageProfile {
            name: "a loop of 10 requests, 1 s apart".into(),
            requests: 10,
            spacing_ms: 1000,
            must_pass: false,
            ..one.clone()
        },
        UsageProfile {
            name: "a smoke test of 20 requests, 100 ms apart".into(),
            requests: 20,
            spacing_ms: 100,
            must_pass: false,
            ..one
        },
    ]
}

/// The requests of one use within a stretch of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Requests {
    /// When they come from one address, in milliseconds from the beginning, in order.
    pub(crate) of_one_ms: Vec<u64>,
    /// Addresses that all do this.
    pub(crate) addresses: u64,
    /// How long the stretch is that was looked at, in milliseconds.
    pub(crate) span_ms: u64,
    /// Whether the use goes on after it.
    pub(crate) endless: bool,
}

impl Requests {
    /// The requests of a use within this stretch, and no more than [`MOST_REQUESTS`] of all addresses together.
    pub(crate) fn of(profile: &UsageProfile, span_ms: u64) -> Self {
        let addresses = usize::try_from(profile.addresses.max(1)).unwrap_or(MOST_REQUESTS).min(MOST_REQUESTS);
        let most = MOST_REQUESTS / addresses;
        let people = u64::from(profile.people.max(1));
        let visits = match (profile.every_ms, profile.times) {
            (None, _) => Some(1),
            (Some(_), times) => times.map(u64::from),
        };
        let every = profile.every_ms.unwrap_or(0).max(1);
        let last_visit = visits.map_or(u64::MAX, |visits| visits.saturating_sub(1));
        let mut times = Vec::new();
        let (mut goes_on, mut cut) = (visits.is_none(), false);
        // Visits overlap where one lasts longer than the time to the next, so all that begin within the stretch are laid out.
        'all: for visit in 0..=last_visit {
            let begins = visit.saturating_mul(every);
            if begins > span_ms {
                goes_on = true;
                break;
            }
            for person in 0..people {
                let begins = begins.saturating_add(person.saturating_mul(profile.stagger_ms));
                for n in 0..u64::from(profile.requests.max(1)).min(MOST_REQUESTS as u64) {
                    times.push(begins.saturating_add(n.saturating_mul(profile.spacing_ms)));
                }
                if times.len() > 4 * most {
                    cut = true;
                    break 'all;
                }
            }
        }
        times.sort_unstable();
        cut |= times.len() > most;
        times.truncate(most);
        let last = times.last().copied().unwrap_or(0);
        // Only what was laid out counts as looked at.
        let span_ms = if goes_on && !cut { span_ms } else { last };
        let endless = goes_on || cut;
        Self { of_one_ms: times, addresses: addresses as u64, span_ms, endless }
    }

    /// The requests of all addresses as one counter sees them.
    pub(crate) fn together_ms(&self) -> Vec<u64> {
        let addresses = usize::try_from(self.addresses).unwrap_or(MOST_REQUESTS);
        self.of_one_ms.iter().flat_map(|at| std::iter::repeat_n(*at, addresses)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visits_people_and_spacing_make_the_times() {
        let names: Vec<UsageProfile> = usual();
        let monitor = Requests::of(&names[0], 60_000);
        assert_eq!(monitor.of_one_ms, [0, 30_000, 60_000]);
        assert_eq!(monitor.together_ms().len(), 9);
        assert!(monitor.endless);
        let phone = Requests::of(&names[1], 60_000);
        assert_eq!((phone.of_one_ms, phone.endless, phone.span_ms), (vec![0, 1000, 2000], false, 2000));
        let office = Requests::of(&names[3], 60_000);
        assert_eq!(office.of_one_ms.len(), 60);
        assert_eq!(office.of_one_ms[11..14], [0, 2000, 2000]);
    }

    #[test]
    fn declared_numbers_cannot_make_it_long() {
        let wild = UsageProfile {
            requests: u32::MAX,
            spacing_ms: u64::MAX,
            every_ms: Some(0),
            times: None,
            addresses: u32::MAX,
            people: u32::MAX,
            stagger_ms: u64::MAX,
            ..usual().remove(0)
        };
        assert!(Requests::of(&wild, u64::MAX).together_ms().len() <= MOST_REQUESTS);
        let slow = UsageProfile { requests: 1, people: 1, addresses: 2, every_ms: Some(1), ..wild };
        let requests = Requests::of(&slow, u64::MAX);
        assert_eq!(requests.together_ms().len(), MOST_REQUESTS);
        assert_eq!(requests.span_ms, 999, "only what was laid out counts as looked at");
    }
}
