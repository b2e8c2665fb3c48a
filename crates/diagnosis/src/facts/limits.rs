//! The rate limit: whether it was met, how soon, and which hop refuses.

use std::collections::BTreeSet;

use landfall_evidence::{Evidence, HttpResponse, ObservationId, Purpose, RateStop, Vantage};

use super::writer::{Writer, own_headers};
use super::{BodyKind, Exchange, Exchanges, FactKey, Facts, Why, body_kind, is_health_path, why_absent};
use crate::catalogue::Catalogue;
use crate::signatures::{Meaning, SignatureHop};

/// A limiter that refuses within this many requests meets ordinary clients: a page with its assets, or a health check
/// of several endpoints from a few places, sends as many within seconds.
const TIGHT_REQUESTS: u64 = 20;

pub(super) fn derive(
    evidence: &Evidence,
    catalogue: &Catalogue,
    exchanges: &Exchanges<'_>,
    facts: &mut Facts,
) {
    let mut runs: Vec<_> = evidence.rate_limit().collect();
    runs.sort_by(|(a, _), (b, _)| a.id.cmp(&b.id));
    let edge_refusals: Vec<_> = exchanges
        .tries
        .iter()
        .filter(|(o, _)| o.vantage == Vantage::Edge && exchanges.refused.contains(&o.id))
        .copied()
        .collect();
    let run = runs.iter().find_map(|(o, seen)| Some((*o, seen.answer.present()?)));
    let mut ids: BTreeSet<ObservationId> = edge_refusals.iter().map(|(o, _)| o.id.clone()).collect();
    ids.extend(run.iter().map(|(o, _)| o.id.clone()));
    let signal = run.and_then(|(_, run)| run.signal.as_ref());
    drain(exchanges, facts);

    let ends_the_run = run.is_some_and(|(_, run)| run.stopped == RateStop::ServerTrouble);
    if signal.is_none() && edge_refusals.is_empty() && hidden(exchanges, ends_the_run, facts) {
        return;
    }
    if signal.is_none() && edge_refusals.is_empty() {
        match (run, runs.first()) {
            (Some((o, run)), _) if run.stopped == RateStop::SequenceComplete => {
                facts.known(FactKey::LimitSeen, "", "no", [o.id.clone()]);
                facts.known(FactKey::LimitTight, "", "no", [o.id.clone()]);
            }
            (Some((o, _)), _) => {
                let why =
                    Why::NotRun("the rate-limit probe stopped before its sequence was complete".to_owned());
                facts.unknown(FactKey::LimitSeen, "", why.clone(), [o.id.clone()]);
                facts.unknown(FactKey::LimitTight, "", why, [o.id.clone()]);
            }
            (None, first) => {
                let why = first.map_or_else(
                    || Why::NotRun("the rate limit was not probed".to_owned()),
                    |(_, s)| why_absent(&s.answer),
                );
                facts.unknown(FactKey::LimitSeen, "", why.clone(), []);
                facts.unknown(FactKey::LimitTight, "", why, []);
            }
        }
        return;
    }

    facts.known(FactKey::LimitSeen, "", "yes", ids.clone());
    let from_run = run.and_then(|(_, run)| run.estimate.limit.and_then(|limit| limit.high));
    let from_signal = signal.map(|signal| u64::from(signal.position.saturating_sub(1)));
    let contradicted =
        signal.is_none() && run.is_some_and(|(_, run)| run.stopped == RateStop::SequenceComplete);
    match from_run.or(from_signal).or_else(|| passed_before(exchanges, &edge_refusals)) {
        Some(_) if contradicted => {
            let why =
                Why::Undecided("one request was refused, and the probe's whole sequence was not".to_owned());
            facts.unknown(FactKey::LimitTight, "", why, ids.clone());
        }
        Some(count) => {
            facts.known(FactKey::LimitCount, "", i64::try_from(count).unwrap_or(i64::MAX), ids.clone());
            let tight = count <= TIGHT_REQUESTS;
            facts.known(FactKey::LimitTight, "", tight, ids.clone()).symptom = tight;
        }
        None => {
            let why =
                Why::Undecided("a refusal was seen, and not how many requests passed before it".to_owned());
            facts.unknown(FactKey::LimitTight, "", why, ids.clone());
        }
    }
    let window =
        run.and_then(|(_, run)| run.estimate.window_ms).and_then(|window| window.exact().or(window.high));
    if let Some(window) = window {
        facts.known(FactKey::LimitWindow, "", i64::try_from(window / 1000).unwrap_or(i64::MAX), ids.clone());
    }
    let retry_after = signal.and_then(|signal| signal.retry_after_s).or_else(|| {
        edge_refusals
            .iter()
            .find_map(|(_, seen)| seen.answer.present()?.header("retry-after")?.trim().parse().ok())
    });
    if let Some(seconds) = retry_after {
        facts.known(FactKey::LimitRetryAfter, "", i64::try_from(seconds).unwrap_or(i64::MAX), ids.clone());
    }
    let refusal = signal
        .and_then(|signal| evidence.find(&signal.observation))
        .and_then(|o| match &o.seen {
            landfall_evidence::Seen::Http(seen) => seen.answer.present(),
            _ => None,
        })
        .or_else(|| edge_refusals.iter().find_map(|(_, seen)| seen.answer.present()));
    let status = signal.map(|signal| signal.status).or(refusal.map(|r| r.status));
    if let Some(status) = status {
        facts.known(FactKey::LimitStatus, "", i64::from(status), ids.clone());
    }
    origin(exchanges, &ids, facts);
    let health = edge_refusals.iter().any(|(_, seen)| is_health_path(&seen.request.path));
    if health {
        facts.known(FactKey::LimitHealth, "", "yes", ids.clone());
    }
    // The refusal alone shows who wrote it; how soon it came is another observation.
    let ids: BTreeSet<ObservationId> = match signal {
        Some(signal) => [signal.observation.clone()].into(),
        None => edge_refusals.iter().map(|(o, _)| o.id.clone()).collect(),
    };
    match refusal.map(|response| hop(response, catalogue, exchanges, facts)) {
        Some(Ok((writer, vendor))) => {
            let word = if writer == Writer::Balancer { "server" } else { writer.name() };
            facts.known(FactKey::LimitHop, "", word, ids.clone());
            if let Some(vendor) = vendor {
                facts.known(FactKey::LimitVendor, "", vendor, ids);
            }
        }
        Some(Err(why)) => facts.unknown(FactKey::LimitHop, "", Why::Undecided(why), ids),
        None => facts.unknown(
            FactKey::LimitHop,
            "",
            Why::NotRun("the refusal itself was not kept".to_owned()),
            ids,
        ),
    }
}

/// Whether it is an error page that nginx itself makes, or a server built from it under a name of its own (by the sources of each,
/// `ngx_http_special_response.c`).
fn is_page_of_nginx(text: &str) -> bool {
    text.split_once("<hr><center>").is_some_and(|(_, from)| {
        let name = from.split(['<', '/', ' ']).next().unwrap_or_default();
        ["nginx", "openresty", "angie", "freenginx", "tengine"].contains(&name.to_ascii_lowercase().as_str())
    })
}

/// A limiter that answers 503 without a word of limits, as nginx does by default (ngx_http_limit_req_module,
/// `limit_req_status`). Single requests pass; from some request of the burst on, the same question gets 503 at once.
///
/// nginx's own 503 page is that of a limiter or of an explicit `return 503`: for a server behind it that does not answer
/// it has 502 and 504. Another hop's 503 counts only where nothing passed any more after it: at least two, or one that ends a
/// run of requests of which enough had passed before.
fn hidden(exchanges: &Exchanges<'_>, ends_the_run: bool, facts: &mut Facts) -> bool {
    let answers: Vec<_> = exchanges
        .tries
        .iter()
        .filter(|(o, seen)| o.vantage == Vantage::Edge && seen.request.purpose != Purpose::PlainHttp)
        .filter_map(|(o, seen)| Some((*o, *seen, seen.answer.present()?)))
        .collect();
    let is_503 = |response: &HttpResponse| response.status == 503;
    let Some(first) = answers.iter().position(|(_, _, response)| is_503(response)) else { return false };
    let (before, after) = answers.split_at(first);
    let quick = |seen: &landfall_evidence::HttpObservation| {
        seen.timings.wait_us.is_some_and(|wait| wait < QUICK_REFUSAL_US)
    };
    let refusals: Vec<_> = after.iter().filter(|(_, _, response)| is_503(response)).collect();
    let passed = before.iter().filter(|(_, _, response)| response.status < 500).count();
    let asked_before = |path: &str| {
        before.iter().any(|(_, seen, response)| seen.request.path == path && response.status < 400)
    };
    let page = |x: &Exchange<'_>| {
        x.reading.best().is_some_and(|m| ["nginx-503", "openresty-503"].contains(&m.signature.id.as_str()))
    };
    let by_nginx = refusals
        .iter()
        .all(|(o, _, _)| exchanges.all.iter().find(|x| x.observation.id == o.id).is_none_or(page))
        && refusals
            .iter()
            .all(|(_, _, response)| response.body.text.as_deref().is_some_and(is_page_of_nginx));
    let nothing_after = after.iter().all(|(_, _, response)| is_503(response))
        && (refusals.len() >= 2 || (ends_the_run && passed >= PASSED_BEFORE))
        && refusals.iter().any(|(_, seen, _)| asked_before(&seen.request.path));
    if passed == 0 || !refusals.iter().all(|(_, seen, _)| quick(seen)) || !(by_nginx || nothing_after) {
        return false;
    }
    let ids: BTreeSet<ObservationId> = refusals.iter().map(|(o, _, _)| o.id.clone()).collect();
    let count = i64::try_from(passed).unwrap_or(i64::MAX);
    facts.known(FactKey::LimitSeen, "", "yes", ids.clone());
    facts.known(FactKey::LimitCount, "", count, ids.clone());
    facts.known(FactKey::LimitTight, "", "yes", ids.clone()).symptom = true;
    facts.known(FactKey::LimitStatus, "", 503_i64, ids.clone());
    if by_nginx {
        facts.known(FactKey::LimitHop, "", "server", ids.clone());
        facts.known(FactKey::LimitVendor, "", "nginx", ids);
    } else {
        let why = Why::Undecided("the 503 carries no sign of who wrote it".to_owned());
        facts.unknown(FactKey::LimitHop, "", why, ids);
    }
    true
}

/// Requests that pass before a single 503 at the end of a run speaks of their number.
const PASSED_BEFORE: usize = 6;

/// A limiter refuses before it asks anybody, so its answer takes a round trip and no more; half a second is one over the
/// slowest paths and on a busy machine.
const QUICK_REFUSAL_US: u64 = 500_000;

/// Requests of this audit that may be on the way at once, and so may be counted before their turn.
const IN_FLIGHT: i64 = 8;

/// Whether the budget that the limiter tells falls faster than this audit asks: then others spend it too.
fn drain(exchanges: &Exchanges<'_>, facts: &mut Facts) {
    let sent: Vec<_> = exchanges
        .tries
        .iter()
        .filter(|(o, s)| o.vantage == Vantage::Edge && s.answer.was_asked())
        .map(|(o, s)| (*o, s.answer.present().and_then(remaining)))
        .collect();
    // Refused before this audit has spent what the limiter says that one client has: somebody else spent it.
    let refused = exchanges.tries.iter().filter(|(o, _)| o.vantage == Vantage::Edge).enumerate().find_map(
        |(n, (o, s))| {
            let refusal = s.answer.present().filter(|r| r.status == 429)?;
            Some((i64::try_from(n).unwrap_or(i64::MAX), quota(refusal)?, o.id.clone()))
        },
    );
    if let Some((before, quota, id)) = refused {
        let word = if before + IN_FLIGHT < quota { "foreign" } else { "own" };
        facts.known(FactKey::LimitDrain, "", word, [id]);
        return;
    }
    let told: Vec<(usize, i64)> =
        sent.iter().enumerate().filter_map(|(place, (_, left))| Some((place, (*left)?))).collect();
    let (Some(first), Some(last)) = (told.first(), told.last()) else { return };
    // A budget that rose was filled up again in between; then the two ends say nothing.
    let falls = told.windows(2).all(|pair| pair[1].1 <= pair[0].1 + IN_FLIGHT);
    if told.len() < 3 || !falls || last.1 <= 0 && first.1 <= 0 {
        return;
    }
    let own = i64::try_from(last.0 - first.0).unwrap_or(i64::MAX);
    let fell = told.iter().map(|(_, left)| *left).max().unwrap_or(first.1) - last.1;
    let ids: Vec<ObservationId> = told.iter().map(|(place, _)| sent[*place].0.id.clone()).collect();
    facts.known(FactKey::LimitDrain, "", if fell > own + IN_FLIGHT { "foreign" } else { "own" }, ids);
}

/// Requests that one client may make in a window, as the headers in use say it; with several windows, the smallest.
fn quota(response: &HttpResponse) -> Option<i64> {
    let names =
        ["ratelimit-limit", "x-ratelimit-limit", "x-rate-limit-limit", "ratelimit-policy", "ratelimit"];
    let number = |text: &str| text.trim().parse::<i64>().ok();
    names.iter().filter_map(|name| response.header(name)).find_map(|value| {
        let of_item = |item: &str| {
            let mut parts = item.split(';').map(str::trim);
            let first = parts.next().and_then(|first| number(first.strip_prefix("limit=").unwrap_or(first)));
            first.or_else(|| parts.find_map(|part| number(part.strip_prefix("q=")?)))
        };
        value.split(',').filter_map(of_item).min()
    })
}

/// Requests left, as the headers in use say it (X-RateLimit-Remaining and the drafts of the HTTPAPI working group).
fn remaining(response: &HttpResponse) -> Option<i64> {
    for name in ["ratelimit-remaining", "x-ratelimit-remaining", "x-rate-limit-remaining"] {
        if let Some(left) = response.header(name).and_then(|value| value.trim().parse().ok()) {
            return Some(left);
        }
    }
    let value = response.header("ratelimit")?;
    let part = value
        .split([';', ','])
        .map(str::trim)
        .find_map(|part| part.strip_prefix("r=").or_else(|| part.strip_prefix("remaining=")))?;
    part.trim().parse().ok()
}

/// Answers of the edge that came before the first refusal.
fn passed_before(
    exchanges: &Exchanges<'_>,
    refusals: &[(&landfall_evidence::Observation, &landfall_evidence::HttpObservation)],
) -> Option<u64> {
    let first = refusals.iter().map(|(o, _)| o.started_us).min()?;
    let passed = exchanges
        .tries
        .iter()
        .filter(|(o, seen)| {
            o.vantage == Vantage::Edge && o.started_us < first && seen.answer.present().is_some()
        })
        .count();
    u64::try_from(passed).ok()
}

fn origin(exchanges: &Exchanges<'_>, ids: &BTreeSet<ObservationId>, facts: &mut Facts) {
    let tries: Vec<_> = exchanges
        .tries
        .iter()
        .filter(|(o, s)| o.vantage == Vantage::Origin && s.answer.present().is_some())
        .collect();
    if tries.is_empty() {
        let why = Why::NotRun("the platform's own name was not asked".to_owned());
        facts.unknown(FactKey::LimitOrigin, "", why, ids.clone());
        return;
    }
    let refused = tries.iter().filter(|(o, _)| exchanges.refused.contains(&o.id)).map(|(o, _)| o.id.clone());
    let refused: Vec<ObservationId> = refused.collect();
    if refused.is_empty() {
        let few = Why::Undecided("fewer requests went there than the limit allows".to_owned());
        facts.unknown(FactKey::LimitOrigin, "", few, tries.iter().map(|(o, _)| o.id.clone()));
    } else {
        facts.known(FactKey::LimitOrigin, "", "yes", refused);
    }
}

/// Which hop wrote the refusal: by its signature, by the application's header fields, or by the marks of inner hops
/// that ordinary answers carry and the refusal lacks.
fn hop(
    refusal: &HttpResponse,
    catalogue: &Catalogue,
    exchanges: &Exchanges<'_>,
    facts: &Facts,
) -> Result<(Writer, Option<String>), String> {
    let reading = catalogue.read_response(refusal);
    let sure =
        reading.best().filter(|m| m.signature.meaning == Meaning::RateLimited && m.weight_percent >= 60);
    if let Some(best) = sure {
        return Ok((best.signature.hop.into(), Some(best.signature.vendor.clone())));
    }
    let app_headers: BTreeSet<String> = exchanges
        .all
        .iter()
        .filter(|x| x.by_app())
        .filter_map(Exchange::response)
        .flat_map(own_headers)
        .collect();
    let own = own_headers(refusal);
    if own.intersection(&app_headers).next().is_some() {
        return Ok((Writer::App, None));
    }
    let ordinary: Vec<&Exchange<'_>> = exchanges
        .site(Vantage::Edge)
        .filter(|x| x.purpose != Purpose::RateLimit && x.response().is_some())
        .collect();
    let marks = |reading: &crate::signatures::Reading<'_>| -> BTreeSet<String> {
        reading.markers.iter().map(|m| m.signature.id.clone()).collect()
    };
    let mut everywhere: Option<BTreeSet<String>> = None;
    for x in &ordinary {
        let here = marks(&x.reading);
        everywhere =
            Some(everywhere.map_or(here.clone(), |so_far| so_far.intersection(&here).cloned().collect()));
    }
    let lacking: BTreeSet<String> =
        everywhere.unwrap_or_default().difference(&marks(&reading)).cloned().collect();
    let outermost = reading.markers.iter().find(|m| m.signature.hop == SignatureHop::Edge);
    let app_silent = ordinary.iter().any(|x| x.by_app()) && !app_headers.is_empty();
    match outermost {
        Some(edge) if !lacking.is_empty() || app_silent => {
            Ok((Writer::Edge, Some(edge.signature.vendor.clone())))
        }
        Some(edge)
            if facts.is(FactKey::SiteReachesApp, "edge", "no") == Some(true)
                && marks(&reading).len() == 1 =>
        {
            Ok((Writer::Edge, Some(edge.signature.vendor.clone())))
        }
        _ if reading.markers.iter().any(|m| m.signature.hop.is_application()) => Ok((Writer::App, None)),
        // Proxies refuse with a page or a line of text unless somebody writes a body for them, and gateways that answer
        // in JSON have their signatures: what answers in JSON like the application, behind no edge, is the application.
        None if body_kind(refusal) == BodyKind::Json
            && ordinary
                .iter()
                .any(|x| x.by_app() && x.response().is_some_and(|r| body_kind(r) == BodyKind::Json)) =>
        {
            Ok((Writer::App, None))
        }
        _ => Err("the refusal carries no sign of who wrote it".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::is_page_of_nginx;

    #[test]
    fn servers_built_from_nginx_write_its_page_under_their_name() {
        let page = |name: &str| {
            format!(
                "<center><h1>503 Service Temporarily Unavailable</h1></center>\r\n<hr><center>{name}</center>\r\n"
            )
        };
        for name in ["nginx", "nginx/1.22.1", "openresty/1.25.3.1", "Angie/1.7.0", "Tengine"] {
            assert!(is_page_of_nginx(&page(name)), "{name}");
        }
        for name in ["cloudflare", "Microsoft-Azure-Application-Gateway/v2", "nginxed"] {
            assert!(!is_page_of_nginx(&page(name)), "{name}");
        }
        assert!(!is_page_of_nginx("<h1>503 Service Unavailable</h1>\nNo server is available"));
    }
}
