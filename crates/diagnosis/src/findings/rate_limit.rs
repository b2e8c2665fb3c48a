//! Limits that ordinary clients run into, and refusals that say too little.

use std::collections::BTreeSet;

use landfall_evidence::{
    DeployStage, LimiterClass, Observation, ObservationId, RateLimitRun, RateSignal, ScopeChange, Seen,
    SignWord, Vantage,
};

use super::{codes, raise};
use crate::case::Case;
use crate::facts::is_health_path;
use crate::rate_limit::{hop, limit_in_words, meets_somebody, refused_uses, run};
use crate::words::in_words;
use crate::{Finding, Label, attribution};

/// How much later than told a limiter may open before its Retry-After is called wrong: seconds are whole (RFC 9110 section
/// 10.2.3), and the answer took its time.
const RETRY_SLACK_US: u64 = 1_000_000;

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
    if let Some((observation, run)) = run(case)
        && let Some(signal) = &run.signal
    {
        found.extend(health(case, observation, run));
        found.extend(contradictions(observation, run, signal));
    }
    found.extend(one_counter(case));
    found.extend(per_process(case));
    found.extend(forged(case));
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

/// Health paths that were refused, where the limit is one that somebody meets.
fn health(case: &Case<'_>, observation: &Observation, run: &RateLimitRun) -> Option<Finding> {
    if !meets_somebody(case, run) {
        return None;
    }
    let mut paths: BTreeSet<&str> = BTreeSet::new();
    let mut evidence = vec![observation.id.clone()];
    for step in run.sequence.iter().filter(|step| step.refused) {
        let Some(Seen::Http(seen)) = case.evidence().find(&step.observation).map(|o| &o.seen) else {
            continue;
        };
        if is_health_path(&seen.request.path) {
            paths.insert(&seen.request.path);
            evidence.push(step.observation.clone());
        }
    }
    for asked in
        run.estimate.fit.iter().flat_map(|fit| &fit.scope).filter(|asked| asked.refused == Some(true))
    {
        if let ScopeChange::Path(path) = &asked.changed
            && is_health_path(path)
        {
            paths.insert(path);
            evidence.push(asked.observation.clone());
        }
    }
    let paths: Vec<&str> = paths.into_iter().collect();
    (!paths.is_empty()).then(|| {
        raise(
            &codes::RATE_HEALTH,
            format!("The rate limit counts and refuses {}", in_words(&paths)),
            "A monitor that is refused reports an outage that is none.",
            "Leave health paths out of the limiter.",
            evidence,
        )
    })
}

/// What the limiter's fields say and its answers belie.
fn contradictions(observation: &Observation, run: &RateLimitRun, signal: &RateSignal) -> Vec<Finding> {
    let raised = |title: String, evidence: Vec<ObservationId>| {
        let remedy = "Have the hop that refuses write the fields, from the counter that it refuses by.";
        raise(
            &codes::RATE_CONTRADICTS,
            title,
            "Clients that pace themselves by it are refused again.",
            remedy,
            evidence,
        )
    };
    let mut found = Vec::new();
    let proof = vec![observation.id.clone(), signal.observation.clone()];
    for stated in run.estimate.fit.iter().flat_map(|fit| &fit.stated).filter(|s| s.holds == Some(false)) {
        let what = match (stated.quota, stated.window_ms) {
            (Some(quota), Some(ms)) => format!("{quota} requests in {} s", ms as f64 / 1000.0),
            (Some(quota), None) => format!("{quota} requests"),
            _ => "a policy".to_owned(),
        };
        let seen = limit_in_words(run).map(|seen| format!("; seen: {seen}")).unwrap_or_default();
        found.push(raised(
            format!("The limiter states {what} in {}, and its answers do not agree{seen}", stated.field),
            proof.clone(),
        ));
    }
    if let Some((name, left)) = left_at_refusal(signal) {
        found.push(raised(
            format!("The refusal says {name}: {left}, so that requests should still pass"),
            proof.clone(),
        ));
    }
    if let Some((told_s, later)) = shut_longer_than_told(run) {
        let mut evidence = proof;
        evidence.push(later);
        found.push(raised(
            format!(
                "The refusal says Retry-After: {told_s}, and the next request after that wait is refused too"
            ),
            evidence,
        ));
    }
    found
}

/// A field of the refusal that says that requests are left (X-RateLimit-Remaining and its kin).
fn left_at_refusal(signal: &RateSignal) -> Option<(&str, u64)> {
    let names = ["ratelimit-remaining", "x-ratelimit-remaining", "x-rate-limit-remaining"];
    signal.headers.iter().filter(|h| names.contains(&h.name.as_str())).find_map(|h| {
        let left = h.value.trim().parse().ok().filter(|left| *left > 0)?;
        Some((h.name.as_str(), left))
    })
}

/// The wait that the first refusal asked for, when it was kept, nothing was asked meanwhile, and the next request was refused all the same.
fn shut_longer_than_told(run: &RateLimitRun) -> Option<(u64, ObservationId)> {
    let signal = run.signal.as_ref()?;
    let told_s = signal.retry_after_s?;
    let first = run.sequence.iter().position(|step| step.observation == signal.observation)?;
    let (refused, next) = (&run.sequence[first], run.sequence.get(first + 1)?);
    let kept = refused.at_us.saturating_add(told_s.saturating_mul(1_000_000)).saturating_add(RETRY_SLACK_US);
    (next.refused && next.at_us >= kept).then(|| (told_s, next.observation.clone()))
}

/// A limiter in the code that looks at the connection's address, behind a proxy. Where refusals were seen this is a cause and is
/// told as one.
fn one_counter(case: &Case<'_>) -> Option<Finding> {
    const CAUSE: &str = "rate-limit-keyed-on-proxy";
    if case.causes.iter().any(|c| c.id == CAUSE && c.label >= Label::Possible) {
        return None;
    }
    let (project, snapshot) = case.evidence().project()?;
    let sign = snapshot.signs.iter().find(|s| s.sign == SignWord::LimiterWithoutTrust)?;
    let (answer, proxy) =
        case.evidence().http().filter(|(o, _)| o.vantage == Vantage::Edge).find_map(|(o, seen)| {
            let passed = attribution::passed(seen.answer.present()?, case.catalogue());
            let proxy = passed.iter().find(|hop| !hop.hop.is_application())?;
            Some((o.id.clone(), attribution::vendor_name(proxy.vendor)))
        })?;
    Some(raise(
        &codes::RATE_ONE_COUNTER,
        format!(
            "The limiter at {} counts by the connection's address, which behind {proxy} is the proxy's",
            sign.place
        ),
        "All clients share one counter: a busy one locks everybody out.",
        "Trust exactly the proxies in front, by number or range, and key the limiter on the client's address that this yields.",
        vec![project.id.clone(), answer],
    ))
}

/// Counters in the memory of several processes: by the code and the start command, or by what was observed.
fn per_process(case: &Case<'_>) -> Option<Finding> {
    let remedy = "Give the limiter a store that all workers and instances share (Redis, Memcached).";
    let impact = "A client gets up to as many times the limit as there are workers or instances, depending on which one answers.";
    let observed = run(case).and_then(|(o, run)| {
        let fit = run.estimate.fit.as_deref().filter(|fit| fit.set == [LimiterClass::SeveralCounters])?;
        Some((o.id.clone(), fit.counters))
    });
    if let Some((id, counters)) = observed {
        let how_many = counters.map(|n| format!(" ({n} of them)")).unwrap_or_default();
        let title = format!("The limit is that of several counters that do not know of each other{how_many}");
        return Some(raise(&codes::RATE_PER_PROCESS, title, impact, remedy, vec![id]));
    }
    let (project, snapshot) = case.evidence().project()?;
    let sign = snapshot.signs.iter().find(|s| s.sign == SignWord::LimiterInMemory)?;
    let start = snapshot
        .deploy
        .iter()
        .filter(|d| d.stage == DeployStage::Production)
        .find_map(|d| d.start.as_ref())?;
    let workers =
        start.settings.iter().find(|s| s.name == "workers")?.value.as_ref()?.trim().parse::<u32>().ok()?;
    (workers > 1).then(|| {
        raise(
            &codes::RATE_PER_PROCESS,
            format!(
                "{} counts in memory ({}), in each of {workers} worker processes for itself",
                sign.detail, sign.place
            ),
            impact,
            remedy,
            vec![project.id.clone()],
        )
    })
}

/// The trials of the limiter with `X-Forwarded-For`: see `landfall_probe::rate_limit::forged`.
fn forged(case: &Case<'_>) -> Option<Finding> {
    let trials = |name: &'static str| {
        case.evidence()
            .trials()
            .filter(move |(_, seen)| seen.request.trial.as_ref().is_some_and(|t| t.name == name))
            .filter_map(|(o, seen)| {
                Some((o.started_us, &o.id, seen.answer.present()?.status, &seen.request.path))
            })
    };
    let mut used_up: Vec<_> = trials("limit-forwarded").collect();
    used_up.sort_unstable();
    let (first, last) = (used_up.first()?, used_up.last()?);
    let (_, forged_id, forged, _) = trials("limit-forged").next()?;
    let (_, again_id, again, path) = trials("limit-forwarded-again").next()?;
    // Served, refused, served under another name, and refused still: nothing else explains the third.
    let passed_by = first.2 != last.2 && last.2 >= 400 && forged == first.2 && again == last.2;
    passed_by.then(|| {
        raise(
            &codes::RATE_FORGED,
            format!("On {path} the local backend answers {again}, and {forged} once the first address of X-Forwarded-For is another"),
            "Whoever writes a new address with each request has no limit.",
            "Trust exactly the proxies in front, by number or range, and never the whole header.",
            vec![last.1.clone(), forged_id.clone(), again_id.clone()],
        )
    })
}
