//! Facts of the trials: the same path asked with one difference. The subject is the trial's name, the vantage and the
//! path of the plain request: `head edge /health`.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use landfall_evidence::{HttpResponse, ObservationId, Purpose};

use super::http::{body_kind, outcome_word};
use super::{Exchange, Exchanges, FactKey, Facts, Why, why_absent};

/// Longest header value that becomes part of a fact, in characters.
const LONGEST_VALUE: usize = 200;

/// Draws the facts of every trial.
pub(super) fn derive(exchanges: &Exchanges<'_>, facts: &mut Facts) {
    repeated(exchanges, facts);
    for x in &exchanges.trials {
        let Some(trial) = &x.seen.request.trial else { continue };
        let subject = format!("{} {} {}", trial.name, x.vantage, trial.plain);
        match outcome_word(&x.seen.answer) {
            Some(word) => {
                facts.known(FactKey::TrialOutcome, subject.as_str(), word, [x.id()]);
            }
            None => {
                facts.unknown(FactKey::TrialOutcome, subject.as_str(), why_absent(&x.seen.answer), [x.id()])
            }
        }
        match (x.response(), x.limited) {
            (Some(response), _) => answered(exchanges, x, &trial.plain, response, &subject, facts),
            (None, limited) => {
                let why = if limited { Why::Limited } else { why_absent(&x.seen.answer) };
                for key in [FactKey::TrialStatus, FactKey::TrialAsPlain] {
                    facts.unknown(key, subject.as_str(), why.clone(), [x.id()]);
                }
            }
        }
    }
}

/// How often each trial was asked, and how often it passed.
fn repeated(exchanges: &Exchanges<'_>, facts: &mut Facts) {
    let mut counts: BTreeMap<String, (i64, i64, Vec<ObservationId>)> = BTreeMap::new();
    for x in exchanges.trials.iter().filter(|x| x.seen.answer.was_asked() && !x.limited) {
        let Some(trial) = &x.seen.request.trial else { continue };
        let slot = counts.entry(format!("{} {} {}", trial.name, x.vantage, trial.plain)).or_default();
        slot.0 += 1;
        slot.1 += i64::from(x.response().is_some_and(|r| r.status < 400));
        slot.2.push(x.id());
    }
    for (subject, (asked, passed, ids)) in counts {
        facts.known(FactKey::TrialAsked, subject.as_str(), asked, ids.clone());
        facts.known(FactKey::TrialPassed, subject, passed, ids);
    }
}

fn answered(
    exchanges: &Exchanges<'_>,
    x: &Exchange<'_>,
    plain: &str,
    response: &HttpResponse,
    subject: &str,
    facts: &mut Facts,
) {
    facts.known(FactKey::TrialStatus, subject, i64::from(response.status), [x.id()]);
    if let Some(media) = response.media_type() {
        facts.known(FactKey::TrialType, subject, media, [x.id()]);
    }
    facts.known(FactKey::TrialBody, subject, body_kind(response).name(), [x.id()]);
    if let Some(to) = &response.redirect_to {
        facts.known(FactKey::TrialLocation, subject, to.as_str(), [x.id()]);
        let host = |url: &str| url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
        let asked_as = x.seen.request.headers.iter().find(|h| h.name == "host").map(|h| h.value.as_str());
        let own = host(&x.seen.request.url);
        // Only a request that said another host than its URL can be led back to it.
        if let (Some(own), Some(asked_as), Some(to)) = (own, asked_as, host(to))
            && asked_as != own
        {
            facts.known(FactKey::TrialBack, subject, own == to, [x.id()]);
        }
    }
    let headers = response.headers.iter().map(|h| {
        let value: String = h.value.chars().take(LONGEST_VALUE).collect();
        format!("{}: {value}", h.name)
    });
    facts.known_list(FactKey::TrialHeaders, subject, headers, [x.id()]);
    if let Some(best) = x.reading.best() {
        facts.known(FactKey::TrialMeaning, subject, best.signature.meaning.name(), [x.id()]);
    }
    if let Some(Ok(writer)) = &x.writer {
        facts.known(FactKey::TrialWriter, subject, writer.name(), [x.id()]);
    }
    let held_against = [Purpose::Endpoint, Purpose::RouteExistence, Purpose::Control]
        .into_iter()
        .find_map(|purpose| exchanges.at(x.vantage, purpose, plain));
    let Some(before) = held_against else { return };
    let both = [x.id(), before.id()];
    let again = x.seen.request.trial.as_ref().is_some_and(|trial| trial.name == "again");
    match before.response() {
        // A spelling that is the path's own makes no difference; that the answers differ all the same is told elsewhere.
        Some(_) if !again && super::site::asks_the_plain_question(x) => {
            facts.known(FactKey::TrialAsPlain, subject, "same", both);
        }
        Some(answer) => {
            facts.known(FactKey::TrialAsPlain, subject, compare(answer, response), both);
        }
        None if before.limited => facts.unknown(FactKey::TrialAsPlain, subject, Why::Limited, both),
        None if before.seen.answer.was_asked() => {
            let word = if response.status < 400 { "better" } else { "differs" };
            facts.known(FactKey::TrialAsPlain, subject, word, both);
        }
        None => facts.unknown(FactKey::TrialAsPlain, subject, why_absent(&before.seen.answer), both),
    }
}

/// How good a status is: 0 served, 1 redirected, 2 refused, 3 failed.
fn class(status: u16) -> u8 {
    match status {
        0..=299 => 0,
        300..=399 => 1,
        400..=499 => 2,
        _ => 3,
    }
}

/// The trial's answer against the plain one. Two answers of one class are the same when status and media type are.
fn compare(plain: &HttpResponse, trial: &HttpResponse) -> &'static str {
    match class(trial.status).cmp(&class(plain.status)) {
        Ordering::Less => "better",
        Ordering::Greater => "worse",
        Ordering::Equal if plain.status == trial.status && plain.media_type() == trial.media_type() => "same",
        Ordering::Equal => "differs",
    }
}
