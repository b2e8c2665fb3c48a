//! How content is delivered: HEAD beside GET, content codings, caches, and the body itself.

use landfall_evidence::{HttpResponse, ObservationId, Purpose, Vantage};

use super::http::ids_of;
use super::{codes, raise, with_severity};
use crate::case::Case;
use crate::facts::{Writer, is_health_path};
use crate::fields::{CacheReading, CacheWord, Problem};
use crate::thresholds;
use crate::view::{Reading, is_json};
use crate::words::in_words;
use crate::{Finding, Severity};

/// The content codings that the deep look asks for one by one.
const CODINGS: [&str; 3] = ["coding-gzip", "coding-br", "coding-zstd"];

pub(super) fn findings(case: &Case<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(head(case));
    found.extend(coding_broken(case));
    found.extend(not_compressed(case));
    found.extend(stale(case));
    found.extend(cached_cookie(case));
    found.extend(body(case));
    found.extend(warm(case));
    found.extend(error_form(case));
    found
}

fn head(case: &Case<'_>) -> Option<Finding> {
    let trial = case.view.trial("head")?;
    let (plain, get) = case.view.plain_of(trial)?;
    let head = trial.response()?;
    let ids = vec![trial.id(), plain.id.clone()];
    let remedy = "Let the route answer HEAD as it answers GET, or have monitors ask with GET.";
    if head.status != get.status {
        return Some(raise(
            &codes::HTTP_HEAD,
            format!("HEAD {} is answered {}, GET {}", trial.seen.request.path, head.status, get.status),
            "Uptime checks and link checkers that ask with HEAD see another state than users do.",
            remedy,
            ids,
        ));
    }
    let mut other = Vec::new();
    if head.media_type() != get.media_type() && head.media_type().is_some() {
        other.push("content-type".to_owned());
    }
    let length = head.header("content-length").and_then(|length| length.trim().parse::<u64>().ok());
    let coded = [head, get].iter().any(|r| r.header("content-encoding").is_some());
    let grows = varies(case, get);
    if length.is_some_and(|length| length != get.body.byte_count) && get.body.complete && !coded && !grows {
        other.push(format!("content-length ({} for {})", length.unwrap_or_default(), get.body.byte_count));
    }
    (!other.is_empty()).then(|| {
        with_severity(
            raise(
                &codes::HTTP_HEAD,
                format!("HEAD {} has another {} than GET", trial.seen.request.path, in_words(&other)),
                "Clients that plan a download by HEAD plan a wrong one.",
                remedy,
                ids,
            ),
            Severity::Info,
        )
    })
}

/// Whether two requests for the same thing get different bytes, so that a third that differs shows nothing.
fn varies(case: &Case<'_>, plain: &HttpResponse) -> bool {
    case.view
        .trial("warm")
        .and_then(|x| x.response())
        .is_none_or(|again| again.body.sha256 != plain.body.sha256)
}

/// Answers whose coding cannot be undone, or that break off before their end under a coding.
fn coding_broken(case: &Case<'_>) -> Option<Finding> {
    let mut words = Vec::new();
    let mut ids: Vec<ObservationId> = Vec::new();
    let all = case.evidence().http().chain(case.evidence().trials());
    for (observation, seen) in all.filter(|(o, _)| o.vantage == Vantage::Edge) {
        let Some(response) = seen.answer.present() else { continue };
        let Some(decoded) = &response.body.decoded else { continue };
        let short = response.body.cut.as_deref().is_some_and(|cut| cut.contains("stopped short"));
        let why = match &decoded.problem {
            Some(problem) if decoded.broken => problem.clone(),
            _ if short => response.body.cut.clone().unwrap_or_default(),
            _ => continue,
        };
        let say = format!("{} as {}: {why}", seen.request.path, decoded.coding);
        if !words.contains(&say) {
            words.push(say);
        }
        ids.push(observation.id.clone());
    }
    // Where bytes come out, they have to be the ones that are sent without a coding.
    for name in CODINGS {
        let Some(trial) = case.view.trial(name) else { continue };
        let Some((plain, get)) = case.view.plain_of(trial) else { continue };
        let Some(response) = trial.response() else { continue };
        let Some(decoded) = response.body.decoded.as_ref().filter(|d| d.problem.is_none()) else { continue };
        let whole = get.body.complete && response.body.complete && response.status == get.status;
        let uncoded = get.header("content-encoding").is_none();
        if whole && uncoded && !varies(case, get) && decoded.sha256 != get.body.sha256 {
            words.push(format!(
                "{} as {}: {} bytes come out, {} are sent without a coding, and they are not the same",
                trial.seen.request.path, decoded.coding, decoded.byte_count, get.body.byte_count
            ));
            ids.extend([trial.id(), plain.id.clone()]);
        }
    }
    (!words.is_empty()).then(|| {
        raise(
            &codes::HTTP_CODING_BROKEN,
            format!("A compressed answer cannot be read ({})", words.join("; ")),
            "Browsers and most libraries ask for compression, and fail or show nothing.",
            "Compress in one place only, and let no hop change a body without mending Content-Encoding and Content-Length.",
            ids,
        )
    })
}

fn not_compressed(case: &Case<'_>) -> Option<Finding> {
    let trials: Vec<_> = CODINGS.iter().filter_map(|name| case.view.trial(name)).collect();
    let (_, plain) = case.view.plain_of(trials.first()?)?;
    let text = plain.body.text.is_some() && plain.body.byte_count > case.limit(&thresholds::COMPRESS);
    let none = trials.len() == CODINGS.len()
        && trials
            .iter()
            .all(|x| x.response().is_some_and(|r| r.status < 300 && r.header("content-encoding").is_none()));
    (text && none).then(|| {
        raise(
            &codes::HTTP_NOT_COMPRESSED,
            format!(
                "{} bytes of text on {} are sent without compression {}",
                plain.body.byte_count,
                trials[0].seen.request.path,
                case.source(&thresholds::COMPRESS)
            ),
            "Slow connections wait for bytes that say nothing.",
            "Turn on gzip or br for text at the edge or the web server.",
            trials.iter().map(|x| x.id()).collect(),
        )
    })
}

fn stale(case: &Case<'_>) -> Option<Finding> {
    let trial = case.view.trial("bust")?;
    let (plain, kept) = case.view.plain_of(trial)?;
    let fresh = trial.response()?;
    let reading = CacheReading::of_response(kept).filter(|reading| reading.word == CacheWord::Stored)?;
    let past = CacheReading::of_response(fresh).is_none_or(|fresh| fresh.word != CacheWord::Stored);
    let both = (200..300).contains(&kept.status) && (200..300).contains(&fresh.status);
    // Without a second look at the plain path it is not known whether its bytes stay the same at all.
    if !past || !both || varies(case, kept) || kept.body.sha256 == fresh.body.sha256 {
        return None;
    }
    let age = reading.age_s.map(|age| format!(", {age} s old")).unwrap_or_default();
    Some(raise(
        &codes::HTTP_STALE_CACHE,
        format!(
            "{} comes from a cache ({}{age}), and past it the answer is another",
            trial.seen.request.trial.as_ref()?.plain,
            reading.by
        ),
        "Users see what was true when the copy was made; a new deployment does not show.",
        "Purge the edge's cache for this path, and let deployments purge it or name their files by content.",
        vec![plain.id.clone(), trial.id()],
    ))
}

fn cached_cookie(case: &Case<'_>) -> Option<Finding> {
    let cached: Vec<(&Reading<'_>, CacheReading)> = case
        .view
        .readings(Vantage::Edge)
        .into_iter()
        .filter_map(|r| {
            let response = r.response()?;
            // A hop's own cookie is set on whatever passes it, and is the hop's business.
            let of_person = response.headers.iter().any(|h| {
                h.name == "set-cookie"
                    && !["__cf", "_cf", "AWSALB", "ARRAffinity"].iter().any(|own| h.value.starts_with(own))
            });
            let reading =
                CacheReading::of_response(response).filter(|reading| reading.word == CacheWord::Stored)?;
            of_person.then_some((r, reading))
        })
        .collect();
    let (_, first) = cached.first()?;
    let readings: Vec<&Reading<'_>> = cached.iter().map(|(r, _)| *r).collect();
    let paths: Vec<&str> = readings.iter().map(|r| r.endpoint.path.as_str()).collect();
    Some(raise(
        &codes::HTTP_CACHED_COOKIE,
        format!("A copy from a cache sets a cookie on {} ({})", in_words(&paths), first.by),
        "Everybody gets the cookie of whoever filled the cache.",
        "Answer with Cache-Control: private or no-store wherever a cookie is set, and exclude the path from the edge's cache.",
        ids_of(&readings),
    ))
}

/// Bodies: empty, large, of an unnamed character set.
fn body(case: &Case<'_>) -> Vec<Finding> {
    let readings = case.view.readings(Vantage::Edge);
    let with = |test: &dyn Fn(&Reading<'_>, &HttpResponse) -> bool| -> Vec<&Reading<'_>> {
        readings.iter().copied().filter(|r| r.response().is_some_and(|response| test(r, response))).collect()
    };
    let paths = |readings: &[&Reading<'_>]| {
        in_words(&readings.iter().map(|r| r.endpoint.path.as_str()).collect::<Vec<_>>())
    };
    let mut found = Vec::new();
    let empty = with(&|r, response| {
        response.status == 200
            && response.body.byte_count == 0
            && response.body.complete
            && r.is_good()
            && r.endpoint.method == "GET"
    });
    if !empty.is_empty() {
        // Where the local backend has something to say, it was lost on the way.
        let lost = empty.iter().any(|r| {
            let local = case.view.reading(Vantage::Local, r.endpoint).and_then(Reading::response);
            local.is_some_and(|local| local.status == 200 && local.body.byte_count > 0)
        });
        let finding = raise(
            &codes::HTTP_EMPTY,
            format!("200 without a body on {}", paths(&empty)),
            "Clients that parse the answer fail; monitors that look at the status stay green.",
            "Send the content, or answer 204 where there is none.",
            ids_of(&empty),
        );
        found.push(if lost { with_severity(finding, Severity::Medium) } else { finding });
    }
    let large = with(&|r, response| {
        is_health_path(&r.endpoint.path) && response.body.byte_count > case.limit(&thresholds::HEALTH_SIZE)
    });
    if !large.is_empty() {
        found.push(raise(
            &codes::HTTP_LARGE_HEALTH,
            format!("{} gets a large answer {}", paths(&large), case.source(&thresholds::HEALTH_SIZE)),
            "Every balancer and monitor fetches it every few seconds.",
            "Answer health checks with a few words.",
            ids_of(&large),
        ));
    }
    let unnamed = with(&|_, response| {
        let text = response.media_type().is_some_and(|kind| kind.starts_with("text/"));
        let named =
            response.header("content-type").is_some_and(|v| v.to_ascii_lowercase().contains("charset"));
        text && !named && response.body.text.as_deref().is_some_and(|text| !text.is_empty())
    });
    if case.view.is_deep() && !unnamed.is_empty() {
        found.push(raise(
            &codes::HTTP_NO_CHARSET,
            format!("Text without a character set on {}", paths(&unnamed)),
            "Letters beyond ASCII may show as others.",
            "Send Content-Type: text/html; charset=utf-8.",
            ids_of(&unnamed),
        ));
    }
    found
}

fn warm(case: &Case<'_>) -> Option<Finding> {
    let trial = case.view.trial("warm")?;
    let wait = trial.seen.timings.wait_us.filter(|wait| *wait > case.limit(&thresholds::WARM_WAIT) * 1000)?;
    Some(raise(
        &codes::HTTP_WARM_SLOW,
        format!(
            "{} waits {:.1} s for its first byte on a warm connection {}",
            trial.seen.request.path,
            wait as f64 / 1e6,
            case.source(&thresholds::WARM_WAIT)
        ),
        "It is the application's own time: neither lookup, nor handshake, nor a start is in it.",
        "Profile the endpoint: queries, calls to other services, locks.",
        vec![trial.id()],
    ))
}

/// Errors that programs cannot read. What a hop before the application writes is that hop's page and told elsewhere.
fn error_form(case: &Case<'_>) -> Option<Finding> {
    let mut words = Vec::new();
    let mut ids = Vec::new();
    let trial = case.view.exchanges.trials.iter().filter(|x| {
        x.vantage == Vantage::Edge && x.seen.request.trial.as_ref().is_some_and(|t| t.name == "error-form")
    });
    let plain = case.view.exchanges.all.iter().filter(|x| {
        x.vantage == Vantage::Edge
            && matches!(x.purpose, Purpose::Endpoint | Purpose::Control | Purpose::RouteExistence)
    });
    for x in trial.chain(plain) {
        let Some(response) = x.response().filter(|r| r.status >= 400) else { continue };
        let asked = x.purpose == Purpose::Trial;
        let text = response.body.text.as_deref().unwrap_or_default();
        if response.media_type().as_deref() == Some("application/problem+json") {
            let fault = match Problem::parse(text, response.status) {
                Some(problem) if problem.faults.is_empty() => continue,
                Some(problem) => problem.faults.join(", "),
                None if response.body.complete => "it is no JSON object".to_owned(),
                None => continue,
            };
            words.push(format!("application/problem+json with {}: {fault}", response.status));
            ids.push(x.id());
        } else if asked && !is_json(response) && x.writer == Some(Ok(Writer::App)) {
            let kind = response.media_type().unwrap_or_else(|| "no media type".to_owned());
            words.push(format!("{} as {kind}, with JSON asked for", response.status));
            ids.push(x.id());
        }
    }
    words.dedup();
    (!words.is_empty()).then(|| {
        raise(
            &codes::HTTP_ERROR_FORM,
            format!("Errors are not in a form that programs can read ({})", in_words(&words)),
            "Clients cannot tell one error from another, and show their users a page of markup.",
            "Answer errors as application/problem+json with type, title, status and detail.",
            ids,
        )
    })
}
