//! Where production is deployed to, by its name and its first answers: a workspace or tunnel, a platform's login, a
//! deployment that sleeps.

use std::collections::BTreeSet;

use landfall_evidence::{Evidence, HttpVersion, ObservationId, Purpose, Vantage};

use super::{Exchange, Exchanges, FactKey, Facts, Value};
use crate::catalogue::Catalogue;
use crate::signatures::{Meaning, SignatureHop};

/// A first answer that takes this long, where later ones are quick, was a start.
const WAKE_US: u64 = 4_000_000;
/// And later ones are quick below this.
const QUICK_US: u64 = 1_500_000;

pub(super) fn derive(
    evidence: &Evidence,
    catalogue: &Catalogue,
    exchanges: &Exchanges<'_>,
    facts: &mut Facts,
) {
    dev_host(evidence, catalogue, facts);
    for vantage in [Vantage::Origin, Vantage::Edge] {
        wall(vantage, exchanges, facts);
        wake(vantage, exchanges, facts);
    }
    health_answers(exchanges, facts);
}

/// Whether the public name is one of a workspace, a tunnel or a preview, or leads to such a name.
fn dev_host(evidence: &Evidence, catalogue: &Catalogue, facts: &mut Facts) {
    let host = evidence.target.production.as_ref().and_then(|url| url.domain()).map(str::to_ascii_lowercase);
    let chain: Vec<(String, Vec<ObservationId>)> = facts
        .of(FactKey::DnsCname)
        .filter_map(|fact| Some((fact.known()?, fact.evidence.clone())))
        .flat_map(|(value, ids)| {
            let names = match value {
                Value::List(items) => items.clone(),
                Value::Text(text) => vec![text.clone()],
                Value::Number(_) => Vec::new(),
            };
            names.into_iter().map(move |name| (name, ids.clone()))
        })
        .collect();
    let own = host.map(|host| (host, Vec::new()));
    for (name, ids) in own.into_iter().chain(chain) {
        if let Some((vendor, kind)) = catalogue.passing_host(&name) {
            // Seen in production: it ends with the editor, the terminal or the branch that it belongs to.
            facts.known(FactKey::HostPassing, "", kind, ids.clone()).symptom = kind != "preview";
            facts.known(FactKey::HostPassingName, "", name, ids.clone());
            facts.known(FactKey::HostPassingVendor, "", vendor.to_owned(), ids);
            return;
        }
    }
    facts.known(FactKey::HostPassing, "", "no", []);
}

/// Cookies and places by which a platform asks for a login before a deployment.
const WALLS: &[(&str, &[&str], &[&str])] = &[
    // vercel.com/docs/deployment-protection: 401 with this cookie, or a redirect to its sign-on.
    ("vercel", &["_vercel_sso_nonce", "_vercel_password"], &["vercel.com/sso", "vercel.com/login"]),
    ("netlify", &["nf_jwt", "_nf-"], &["app.netlify.com/authorize", "app.netlify.com/edge-auth"]),
    (
        "replit",
        &["replit_authed"],
        &["replit.com/__replshield", "replit.com/login", "replit.com/auth_with_repl_site"],
    ),
    ("azure-app-service", &["AppServiceAuthSession", "StaticWebAppsAuthContextCookie"], &["/.auth/login"]),
    ("github-codespaces", &[], &["github.dev/pf-signin", "github.com/codespaces/auth"]),
    ("gitlab-pages", &["gitlab-pages"], &["projects.gitlab.io/auth"]),
    ("render", &[], &["dashboard.render.com/login"]),
    ("streamlit-cloud", &["streamlit_"], &["share.streamlit.io/-/auth"]),
    ("huggingface", &[], &["huggingface.co/login", "huggingface.co/oauth"]),
];

/// A platform that asks for a login on every path, the random one too.
fn wall(vantage: Vantage, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    let answered: Vec<&Exchange<'_>> = exchanges
        .site(vantage)
        .filter(|x| x.response().is_some() && matches!(x.purpose, Purpose::Endpoint | Purpose::Control))
        .collect();
    let by = |x: &Exchange<'_>| -> Option<String> {
        let response = x.response()?;
        if !matches!(response.status, 301..=308 | 401 | 403) {
            return None;
        }
        let cookies: Vec<&str> =
            response.headers.iter().filter(|h| h.name == "set-cookie").map(|h| h.value.as_str()).collect();
        let to = response.redirect_to.as_deref().unwrap_or_default();
        let listed = WALLS.iter().find(|(_, names, places)| {
            cookies.iter().any(|cookie| names.iter().any(|name| cookie.starts_with(name)))
                || places.iter().any(|place| to.contains(place))
        });
        // A signature of a platform that asks for credentials is one as well: Google's 403, API gateways.
        let signed = x.reading.best().filter(|best| {
            best.signature.meaning == Meaning::AuthRequired
                && best.signature.hop == SignatureHop::Platform
                && best.weight_percent >= 80
        });
        listed.map(|(vendor, ..)| (*vendor).to_owned()).or(signed.map(|best| best.signature.vendor.clone()))
    };
    let vendors: Vec<String> = answered.iter().filter_map(|x| by(x)).collect();
    let ids: Vec<ObservationId> = answered.iter().map(|x| x.id()).collect();
    let control = answered.iter().any(|x| x.purpose == Purpose::Control);
    if let Some(vendor) =
        vendors.first().filter(|_| vendors.len() == answered.len() && (control || vendors.len() > 1))
    {
        facts.known(FactKey::WallPlatform, vantage.to_string(), vendor.clone(), ids);
    }
}

/// The first answers slow or failed, the later ones quick: a deployment that was asleep.
fn wake(vantage: Vantage, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    struct Try {
        began: u64,
        ended: u64,
        wait: Option<u64>,
        status: Option<u16>,
        id: ObservationId,
    }
    let mut tries: Vec<Try> = exchanges
        .tries
        .iter()
        .filter(|(o, http)| {
            o.vantage == vantage
                && http.request.purpose != Purpose::PlainHttp
                && !exchanges.refused.contains(&o.id)
        })
        .filter(|(_, http)| http.answer.was_asked())
        // A port that takes no QUIC ends such a try early and says nothing of the application.
        .filter(|(_, http)| http.request.version != HttpVersion::H3 || http.answer.present().is_some())
        .map(|(o, http)| Try {
            began: o.started_us,
            ended: o.ended_us(),
            wait: http.timings.wait_us,
            status: http.answer.present().map(|r| r.status),
            id: o.id.clone(),
        })
        .collect();
    tries.sort_by_key(|t| t.began);
    let Some(first_end) = tries.iter().map(|t| t.ended).min() else { return };
    let (early, late): (Vec<&Try>, Vec<&Try>) = tries.iter().partition(|t| t.began <= first_end);
    let good = |t: &&Try| t.status.is_some_and(|s| s < 500);
    let quick = |t: &&Try| t.wait.is_some_and(|w| w < QUICK_US);
    let failed = |t: &&Try| t.status.is_none_or(|s| matches!(s, 502..=504));
    // What was asked while the first answer was still awaited waits for the same start.
    let slow = |t: &&Try| t.wait.is_none_or(|w| w >= WAKE_US);
    let late_fine = !late.is_empty() && late.iter().rev().take(2).all(|t| good(t) && quick(t));
    let ids: BTreeSet<ObservationId> = tries.iter().map(|t| t.id.clone()).collect();
    let slow_early = !early.is_empty() && early.iter().all(slow) && early.iter().any(good);
    let failing: Vec<&Try> = tries.iter().filter(|t| failed(t)).collect();
    let fine: Vec<&Try> = tries.iter().filter(|t| !failed(t)).collect();
    let last_bad = failing.iter().map(|t| t.began).max();
    let first_good = fine.iter().map(|t| t.began).min();
    let failed_first =
        matches!((last_bad, first_good), (Some(bad), Some(good)) if bad < good) && fine.len() >= 2;
    let word = if slow_early && late_fine {
        "slow-first"
    } else if failed_first {
        "failed-first"
    } else if tries.len() >= 3 {
        "no"
    } else {
        return;
    };
    facts.known(FactKey::SiteWake, vantage.to_string(), word, ids).symptom = word == "slow-first";
}

/// What the platform's own health path answers, where an audit asked it.
fn health_answers(exchanges: &Exchanges<'_>, facts: &mut Facts) {
    let Some(path) = facts.text(FactKey::ConfigHealthPath, "").map(str::to_owned) else { return };
    for vantage in [Vantage::Local, Vantage::Origin, Vantage::Edge] {
        let Some(x) = exchanges.at(vantage, Purpose::Endpoint, &path) else { continue };
        let Some(response) = x.response() else { continue };
        let word = match response.status {
            200..=299 => "ok",
            300..=399 => "redirect",
            401 | 403 => "guarded",
            400 => "refused",
            404 | 405 | 410 => "not-found",
            _ => "error",
        };
        facts.known(FactKey::ConfigHealthAnswer, vantage.to_string(), word, [x.id()]);
    }
}
