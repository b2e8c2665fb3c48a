//! What a watch compares from round to round: the certificate of every address, for `landfall tls --watch`, and the status
//! and build marks of every endpoint, for `landfall http --watch`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use jiff::Timestamp;
use landfall_evidence::{Evidence, Observed, Purpose, TlsHandshake, TrustResult, Vantage};

use crate::catalogue::Catalogue;
use crate::facts::build_marks;
use crate::signatures::Meaning;
use crate::view::View;

/// The leaf certificate of every address of production, or what came in its place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leaves {
    /// By address: the leaf, or why there is none.
    pub at: BTreeMap<SocketAddr, Result<Leaf, String>>,
}

/// A leaf certificate as it was served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// SHA-256 of the certificate, in hexadecimal.
    pub sha256: String,
    /// Who issued it: organisation or common name.
    pub issuer: String,
    /// Start of validity.
    pub not_before: Timestamp,
    /// End of validity.
    pub not_after: Timestamp,
    /// Why clients refuse it; `None` when it holds for the host in at least one root store.
    pub fault: Option<String>,
}

/// Reads one round. Handshakes with the platform's own name are left out.
pub fn leaves(evidence: &Evidence) -> Leaves {
    let of_production = evidence.tls().filter(|(o, _)| o.vantage == Vantage::Edge);
    let at = of_production.map(|(_, seen)| {
        let shown = match &seen.answer {
            Observed::Present(handshake) => leaf(handshake),
            // How long it was waited for differs from round to round.
            Observed::Silent(silence) => Err(format!("no answer (phase {})", silence.phase)),
            other => Err(other.describe()),
        };
        (seen.question.address, shown)
    });
    Leaves { at: at.collect() }
}

fn leaf(handshake: &TlsHandshake) -> Result<Leaf, String> {
    let leaf = handshake.chain.first().ok_or("no certificate was sent")?;
    let trusted = |path: &&landfall_evidence::TrustPath| matches!(path.result, TrustResult::Trusted { .. });
    let refusal = handshake.trust.iter().find_map(|path| match &path.result {
        TrustResult::Refused { detail, .. } => Some(format!("{} refuses it: {detail}", path.store)),
        TrustResult::Trusted { .. } => None,
    });
    let fault = if !handshake.name_matches {
        Some("it is not for this name".to_owned())
    } else if handshake.trust.iter().any(|path| trusted(&path)) {
        None
    } else {
        refusal
    };
    Ok(Leaf {
        sha256: leaf.sha256.clone(),
        issuer: leaf.issuer_organisation.clone().unwrap_or_else(|| leaf.issuer.clone()),
        not_before: leaf.not_before,
        not_after: leaf.not_after,
        fault,
    })
}

impl Leaves {
    /// The certificates of a first round that a renewal has to replace: all of them, but the newest when addresses show
    /// different ones, since then it is on its way already.
    pub fn to_be_replaced(&self) -> BTreeSet<String> {
        let leaves: Vec<&Leaf> = self.at.values().filter_map(|shown| shown.as_ref().ok()).collect();
        let mut all: BTreeSet<String> = leaves.iter().map(|leaf| leaf.sha256.clone()).collect();
        if all.len() > 1
            && let Some(newest) = leaves.iter().max_by_key(|leaf| leaf.not_before)
        {
            all.remove(&newest.sha256);
        }
        all
    }

    /// Whether every address answers with a certificate that holds and is none of the old.
    pub fn all_renewed(&self, old: &BTreeSet<String>) -> bool {
        let new = |leaf: &Leaf| leaf.fault.is_none() && !old.contains(&leaf.sha256);
        !self.at.is_empty() && self.at.values().all(|shown| shown.as_ref().is_ok_and(new))
    }
}

/// What every endpoint of production answers: its status and what its answer says of the build.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    /// By method and path.
    pub at: BTreeMap<String, Answer>,
}

/// One endpoint's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The status, and the build marks by field.
    Given {
        /// HTTP status.
        status: u16,
        /// Commits, versions and build ids by the field that holds them.
        marks: BTreeMap<String, String>,
    },
    /// A limiter or a bot wall stood before it: nothing was seen.
    Hidden(String),
    /// No answer came; why.
    Missing(String),
}

/// Reads one round.
pub fn answers(evidence: &Evidence, catalogue: &Catalogue) -> Answers {
    let view = View::new(evidence, catalogue);
    let of_endpoints =
        view.exchanges.all.iter().filter(|x| x.vantage == Vantage::Edge && x.purpose == Purpose::Endpoint);
    let at = of_endpoints.map(|x| {
        let answer = match &x.seen.answer {
            Observed::Present(_) if view.is_refusal(&x.observation.id) => {
                Answer::Hidden("refused by a rate limiter".to_owned())
            }
            Observed::Present(response) => {
                let read = catalogue.read_response(response);
                match read.best().is_some_and(|best| best.signature.meaning == Meaning::WafChallenge) {
                    true => Answer::Hidden("a challenge stands before it".to_owned()),
                    false => Answer::Given {
                        status: response.status,
                        marks: build_marks(x.path, response).into_iter().collect(),
                    },
                }
            }
            Observed::Silent(silence) => Answer::Missing(format!("no answer (phase {})", silence.phase)),
            other => Answer::Missing(other.describe()),
        };
        (format!("{} {}", x.seen.request.method, x.path), answer)
    });
    Answers { at: at.collect() }
}

impl Answers {
    /// Whether an endpoint gives an answer that differs from what it gave (or did not give) at first. What was hidden, then
    /// or now, is no change, and neither is a failure to answer: a deployment that restarts is not done.
    pub fn changed_since(&self, first: &Self) -> bool {
        self.at.iter().any(|(endpoint, answer)| {
            let before = first.at.get(endpoint);
            matches!(answer, Answer::Given { .. })
                && !matches!(before, None | Some(Answer::Hidden(_)))
                && before != Some(answer)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testworld::{deployed, refusal};

    /// What an address shows: name of the leaf, its day and its marker; or why it shows none.
    type Shown<'a> = Result<(&'a str, i64, Option<&'a str>), &'a str>;

    fn at(leaves: &[(&str, Shown<'_>)]) -> Leaves {
        let read = |shown: &Result<(&str, i64, Option<&str>), &str>| match shown {
            Ok((sha256, day, fault)) => Ok(Leaf {
                sha256: (*sha256).to_owned(),
                issuer: "Some CA".to_owned(),
                not_before: Timestamp::from_second(day * 86_400).expect("in range"),
                not_after: Timestamp::from_second((day + 90) * 86_400).expect("in range"),
                fault: fault.map(str::to_owned),
            }),
            Err(why) => Err((*why).to_owned()),
        };
        let each = leaves.iter().map(|(at, shown)| (at.parse().expect("valid"), read(shown)));
        Leaves { at: each.collect() }
    }

    const A: &str = "192.0.2.1:443";
    const B: &str = "[2001:db8::1]:443";

    #[test]
    fn a_renewal_is_done_when_no_address_shows_an_old_certificate() {
        let first = at(&[(A, Ok(("old", 1, None))), (B, Ok(("old", 1, None)))]);
        let old = first.to_be_replaced();
        assert!(!first.all_renewed(&old));
        let rounds = [
            (at(&[(A, Ok(("new", 60, None))), (B, Ok(("old", 1, None)))]), false),
            (at(&[(A, Ok(("new", 60, None))), (B, Err("connection refused"))]), false),
            (at(&[(A, Ok(("new", 60, None))), (B, Ok(("new", 60, Some("it is not for this name"))))]), false),
            (at(&[(A, Ok(("new", 60, None))), (B, Ok(("other", 60, None)))]), true),
            (at(&[]), false),
        ];
        for (round, done) in rounds {
            assert_eq!(round.all_renewed(&old), done, "{round:?}");
        }
        // The watch began in the middle of a renewal: the newest of the first round is not waited away.
        let half = at(&[(A, Ok(("new", 60, None))), (B, Ok(("old", 1, None)))]);
        assert_eq!(half.to_be_replaced(), BTreeSet::from(["old".to_owned()]));
        assert!(
            at(&[(A, Ok(("new", 60, None))), (B, Ok(("new", 60, None)))]).all_renewed(&half.to_be_replaced())
        );
    }

    #[test]
    fn the_leaf_of_each_address_is_read_with_what_speaks_against_it() {
        let world = deployed();
        let seen = leaves(&world.0);
        assert!(!seen.at.is_empty());
        assert!(
            seen.at.values().all(|shown| shown.as_ref().is_ok_and(|leaf| leaf.fault.is_none())),
            "{seen:?}"
        );
        let other = world.edit_tls(|handshake| handshake.name_matches = false);
        let faults: Vec<_> =
            leaves(&other.0).at.into_values().filter_map(|shown| shown.ok()?.fault).collect();
        assert!(!faults.is_empty() && faults.iter().all(|f| f == "it is not for this name"), "{faults:?}");
    }

    #[test]
    fn a_change_is_another_answer_and_no_silence_and_no_refusal() {
        let read = |world: &crate::testworld::World| answers(&world.0, Catalogue::embedded());
        let first = read(&deployed());
        assert!(first.at.values().any(|a| matches!(a, Answer::Given { status: 200, .. })), "{first:?}");
        assert!(!first.changed_since(&first));
        let with = |answer: fn() -> Observed<landfall_evidence::HttpResponse>| {
            read(&deployed().edit_http(move |s| {
                if s.request.purpose == Purpose::Endpoint {
                    s.answer = answer();
                }
            }))
        };
        let failing = with(|| Observed::Denied(landfall_evidence::Denial::Refused));
        let hidden = with(|| Observed::Present(refusal()));
        let other = with(|| Observed::Present(crate::testkit::response(503).build()));
        let marked = with(|| {
            let build = crate::testkit::response(200).header("content-type", "application/json");
            Observed::Present(build.body(r#"{"ok":true,"version":"2.0.1"}"#).build())
        });
        for (name, now, changed) in [
            ("refused connection", &failing, false),
            ("limiter", &hidden, false),
            ("another status", &other, true),
            ("another build", &marked, true),
        ] {
            assert_eq!(now.changed_since(&first), changed, "{name}: {now:?}");
        }
        assert!(first.changed_since(&failing), "what did not answer answers now");
        assert!(!first.changed_since(&hidden), "what was hidden may have been the same");
    }
}
