//! Limits that ordinary clients run into, and refusals that say too little.

use landfall_evidence::{ObservationId, Vantage};

use super::{codes, raise};
use crate::Finding;
use crate::case::Case;
use crate::rate_limit::{hop, limit_in_words, refused_uses, run};
use crate::words::in_words;

pub(super) fn findings(case: &Case<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some((observation, run)) = run(case)
        && let Some(signal) = &run.signal
    {
        let proof = || vec![observation.id.clone(), signal.observation.clone()];
        let by = hop(case, signal).map(|hop| format!(" by the {hop}")).unwrap_or_default();
        let refused = refused_uses(case, run);
        if !refused.is_empty() {
            let mut evidence = proof();
            evidence.extend(
                run.sequence
                    .iter()
                    .filter(|s| s.refused && s.observation != signal.observation)
                    .map(|s| s.observation.clone()),
            );
            found.push(raise(
                    &codes::RATE_TOO_LOW,
                    format!(
                        "The rate limit lets {} pass, then answers {}{by}",
                        limit_in_words(run).unwrap_or_else(|| "few requests".into()),
                        signal.status
                    ),
                    format!("Refused: {}.", in_words(&refused)),
                    "Raise the limit for each client, and exempt the health paths; see the rate-limit section for figures.",
                    evidence,
                ));
        }
        if signal.retry_after_s.is_none() {
            found.push(raise(
                &codes::RATE_NO_RETRY_AFTER,
                format!("The {} of the limiter does not say when to come back", signal.status),
                "Clients guess, and those that guess short stay locked out.",
                "Send Retry-After with each refusal.",
                proof(),
            ));
        }
        if signal.status != 429 {
            found.push(raise(
                &codes::RATE_OTHER_STATUS,
                format!("The limiter refuses with {} in place of 429", signal.status),
                "It looks like an outage or a ban; clients and monitors react wrongly.",
                "Have it answer 429 (nginx: limit_req_status 429).",
                proof(),
            ));
        }
    }
    let hidden: Vec<(&str, ObservationId)> = case
        .view
        .readings(Vantage::Edge)
        .into_iter()
        .filter_map(|r| {
            let id = r.id()?;
            case.view.is_refusal(id).then(|| (r.endpoint.path.as_str(), id.clone()))
        })
        .collect();
    if !hidden.is_empty() {
        let (paths, evidence): (Vec<&str>, Vec<ObservationId>) = hidden.into_iter().unzip();
        found.push(raise(
            &codes::RATE_HID_ANSWERS,
            format!("The rate limit hid {} from this audit", in_words(&paths)),
            "What these endpoints answer is not known.",
            "Wait for the window to pass and audit again, or allow the audit's address.",
            evidence,
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use landfall_evidence::{Interval, RateLimitRun};

    use crate::testworld::{deployed, undeployed};

    fn codes(edit: impl Fn(&mut RateLimitRun)) -> Vec<String> {
        let all = undeployed().edit_limit(edit).diagnose().findings;
        all.into_iter().filter(|f| f.code.starts_with("LF-RATE-")).map(|f| f.code).collect()
    }

    #[test]
    fn limits_are_reported_when_ordinary_clients_meet_them() {
        assert_eq!(codes(|_| {}), ["LF-RATE-001"]);
        let generous = |run: &mut RateLimitRun| {
            run.estimate.limit = Some(Interval::exactly(60));
            run.estimate.window_ms = Some(Interval::exactly(60_000));
        };
        assert_eq!(codes(generous), Vec::<String>::new());
        let silent = |run: &mut RateLimitRun| {
            if let Some(signal) = &mut run.signal {
                signal.retry_after_s = None;
                signal.status = 503;
            }
        };
        assert_eq!(codes(silent), ["LF-RATE-001", "LF-RATE-002", "LF-RATE-003"]);
        let deployed = deployed().diagnose().findings;
        assert!(deployed.iter().all(|f| !f.code.starts_with("LF-RATE-")), "no refusal, no finding");
    }

    #[test]
    fn the_title_names_the_limit_and_the_hop() {
        let title = &undeployed().findings("LF-RATE-001")[0].title;
        assert_eq!(
            title,
            "The rate limit lets 5 requests in 10 s pass, then answers 429 by the edge (Cloudflare)"
        );
    }
}
