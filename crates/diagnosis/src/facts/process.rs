//! Signs of the server process that several answers show together: a development server, and silence.

use landfall_evidence::{HttpResponse, ObservationId, Observed, Phase, Purpose, Vantage};

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

pub(super) fn derive(exchanges: &Exchanges<'_>, facts: &mut Facts) {
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
