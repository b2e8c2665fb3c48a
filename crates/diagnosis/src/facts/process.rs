//! Signs of the server process that several answers show together: a development server, and silence.

use std::collections::BTreeMap;

use jiff::Timestamp;
use landfall_evidence::{Evidence, HttpResponse, ObservationId, Observed, Phase, Purpose, Vantage};

use super::{Exchange, Exchanges, FactKey, Facts};

/// `Server` headers of servers that say of themselves that they are for development. Werkzeug: the banner that
/// `flask run` prints; wsgiref: `manage.py runserver`; SimpleHTTP: `python -m http.server`, by
/// its own documentation. BaseHTTP is the banner of whatever somebody wrote on the same module, a device or a small service.
const DEV_SERVERS: &[(&str, &str)] = &[
    ("werkzeug/", "Werkzeug"),
    ("wsgiserver/", "Django's runserver (wsgiref)"),
    ("simplehttp/", "Python's http.server"),
    ("webrick/", "WEBrick"),
];

/// What pages of bundlers' development servers load; a build replaces them.
const DEV_PAGES: &[(&str, &str)] = &[
    ("/@vite/client", "Vite"),
    ("/@react-refresh", "Vite"),
    ("blocked request. this host (", "Vite"),
    ("/_next/static/development/", "next dev"),
    ("/_next/static/chunks/webpack.js?v=", "next dev"),
    ("webpack-dev-server", "webpack-dev-server"),
    ("/__webpack_hmr", "webpack-dev-server"),
    ("/_nuxt/@vite/", "nuxt dev"),
    ("/ng-cli-ws", "ng serve"),
    ("/browser-sync/browser-sync-client.js", "Browsersync"),
    ("/phoenix/live_reload/frame", "Phoenix in development"),
];

pub(super) fn derive(evidence: &Evidence, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    for vantage in [Vantage::Edge, Vantage::Origin, Vantage::Local] {
        let subject = vantage.to_string();
        let all: Vec<&Exchange<'_>> = exchanges.site(vantage).filter(|x| !x.limited).collect();
        let shown: Vec<(&str, ObservationId)> =
            all.iter().filter_map(|x| Some((dev_server(x.response()?)?, x.id()))).collect();
        // One stray page may quote another; a server writes its name on every answer that it gives.
        let answered = all.iter().filter(|x| x.response().is_some()).count();
        if let Some((name, _)) = shown.first().filter(|_| shown.len() * 2 >= answered) {
            let ids: Vec<ObservationId> = shown.iter().map(|(_, id)| id.clone()).collect();
            facts.known(FactKey::SiteDevServer, subject.as_str(), *name, ids).symptom =
                vantage != Vantage::Local;
        }
        silence(&all, &subject, facts);
    }
    clocks(exchanges, evidence.started_at, facts);
}

/// Seconds within which two clocks agree: a Date header has whole seconds, and an answer takes some.
const AGREES_S: i64 = 10;

/// Seconds by which two clocks have to differ to be trouble: tokens and signatures are refused from some minutes on.
pub(super) const CLOCKS_DIFFER_S: i64 = 120;

/// The moment at which an answer left its server by that server's clock, in seconds: what a cache gives keeps the date of its
/// origin, and says how long ago that was (RFC 9111, section 5.1).
pub(super) fn dated_s(response: &HttpResponse) -> Option<i64> {
    let date = jiff::fmt::rfc2822::parse(response.header("date")?).ok()?;
    let age = response.header("age").and_then(|age| age.trim().parse::<u32>().ok()).unwrap_or(0);
    Some(date.timestamp().as_second().saturating_add(i64::from(age)))
}

/// A server whose clock differs while another one agrees with this machine's: then it is that server's clock.
fn clocks(exchanges: &Exchanges<'_>, started: Timestamp, facts: &mut Facts) {
    let mut offsets: BTreeMap<String, (Vec<i64>, Vec<ObservationId>)> = BTreeMap::new();
    for x in exchanges.all.iter().filter(|x| x.vantage != Vantage::Local) {
        let Some(date_s) = x.seen.answer.present().and_then(dated_s) else { continue };
        let micros = i64::try_from(x.observation.ended_us()).unwrap_or(0);
        let here = started.as_second().saturating_add(micros / 1_000_000);
        let slot = offsets.entry(x.vantage.to_string()).or_default();
        slot.0.push(here.saturating_sub(date_s));
        slot.1.push(x.id());
    }
    let median = |list: &[i64]| {
        let mut sorted = list.to_vec();
        sorted.sort_unstable();
        sorted[sorted.len() / 2]
    };
    let medians: BTreeMap<&String, i64> = offsets.iter().map(|(at, (list, _))| (at, median(list))).collect();
    if medians.values().any(|offset| offset.abs() <= AGREES_S) {
        for (vantage, offset) in &medians {
            facts
                .known(FactKey::ClockServer, vantage.as_str(), *offset, offsets[*vantage].1.clone())
                .symptom = offset.abs() >= CLOCKS_DIFFER_S;
        }
    }
}

fn dev_server(response: &HttpResponse) -> Option<&'static str> {
    // A proxy may add its own name beside that of the server behind it, as Caddy does.
    let servers = response.headers.iter().filter(|header| header.name == "server");
    let servers: Vec<String> = servers.map(|header| header.value.to_ascii_lowercase()).collect();
    let by_header = DEV_SERVERS.iter().find(|(mark, _)| servers.iter().any(|server| server.contains(mark)));
    let by_page = || {
        let body = response.body.text.as_deref()?;
        let head: String = body.chars().take(8192).collect::<String>().to_ascii_lowercase();
        DEV_PAGES.iter().find(|(mark, _)| head.contains(mark))
    };
    // The whole answer is these words, with 403 (webpack-dev-server 5). Starlette says nearly the same with 400, and says
    // nothing of development.
    let refuses_host = response.status != 400
        && response.body.text.as_deref().is_some_and(|text| text.trim() == "Invalid Host header");
    by_header.or_else(by_page).map(|(_, name)| *name).or_else(|| refuses_host.then_some("webpack-dev-server"))
}

/// Connected, asked, and nothing heard: which of the questions, the random path included, that has no work to do.
fn silence(all: &[&Exchange<'_>], subject: &str, facts: &mut Facts) {
    let asked: Vec<&&Exchange<'_>> = all
        .iter()
        .filter(|x| matches!(x.purpose, Purpose::Endpoint | Purpose::Control) && x.seen.answer.was_asked())
        .collect();
    let silent = |x: &Exchange<'_>| {
        let waited =
            matches!(&x.seen.answer, Observed::Silent(s) if matches!(s.phase, Phase::Wait | Phase::Transfer));
        let gateway = x.response().is_some_and(|r| matches!(r.status, 504 | 524) && !x.by_app());
        waited || gateway
    };
    let count = asked.iter().filter(|x| silent(x)).count();
    let control = asked.iter().any(|x| x.purpose == Purpose::Control);
    if asked.len() < 2 || !control {
        return;
    }
    let word = match count {
        0 => "none",
        n if n == asked.len() => "all",
        _ => "some",
    };
    facts.known(FactKey::SiteSilence, subject, word, asked.iter().map(|x| x.id()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dated(headers: &[(&str, &str)]) -> Option<i64> {
        let all =
            headers.iter().fold(crate::testkit::response(200), |all, (name, value)| all.header(name, value));
        dated_s(&all.build())
    }

    #[test]
    fn the_age_of_what_a_cache_gives_is_no_fault_of_a_clock() {
        let fresh = dated(&[("date", "Wed, 25 Nov 2026 22:39:10 GMT")]).expect("a date");
        let kept = dated(&[("date", "Wed, 25 Nov 2026 21:39:10 GMT"), ("age", "3600")]);
        assert_eq!(kept, Some(fresh));
        assert_eq!(dated(&[("age", "3600")]), None);
        assert_eq!(dated(&[("date", "yesterday")]), None);
    }
}
