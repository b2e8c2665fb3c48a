//! Whether a limiter believes an `X-Forwarded-For` that a client wrote, asked of a backend on this machine only.
//!
//! # Policy
//! The requests are those that proxies in front would pass on: what the client wrote stands first, and each proxy appends the address
//! that it was called from (the field is a list that grows to the right: nginx `$proxy_add_x_forwarded_for`, RFC 7239 section 7.4). The last three
//! addresses never change, so a backend that trusts one, two or three proxies by number sees one client all along. Only the first address,
//! which any client can write, is another in the middle request:
//!
//! 1. `limit-forwarded`: the same request until it is refused, [`MOST`] times at most, at least [`SPACING`] apart.
//! 2. `limit-forged`: with another first address.
//! 3. `limit-forwarded-again`: as at first. Only when this one is refused still was the limiter shut during the second.
//!
//! Nothing leaves this machine: every address of the site must be a loopback address, or nothing is asked. All requests are GET or HEAD.

use std::time::{Duration, Instant};

use landfall_evidence::{Header, Observation, Purpose};

use super::signal;
use crate::http::{Site, TrialRequest, response, trial};
use crate::net::Context;

/// Requests that may be spent on using the limit up.
const MOST: u32 = 60;

/// From the start of one request to the start of the next, at least.
const SPACING: Duration = Duration::from_millis(25);

/// Addresses for documentation (RFC 5737): nobody's.
const CLIENT: &str = "198.51.100.7";
const FORGED: &str = "198.51.100.8";
const PROXIES: &str = "203.0.113.1, 203.0.113.2, 203.0.113.3";

/// Uses the limit of a local backend up, and asks once under another forged address. Returns what was asked: nothing when the site is not on
/// this machine, the first step alone when no refusal came.
pub async fn ask(ctx: &Context, site: &Site) -> Vec<Observation> {
    let local = !site.addresses.is_empty() && site.addresses.iter().all(|at| at.ip().is_loopback());
    if !local {
        return Vec::new();
    }
    let mut asked = Vec::new();
    let mut shut = false;
    for serial in 1..=MOST {
        if ctx.is_over() {
            return asked;
        }
        let started = Instant::now();
        let observation = trial(ctx, site, &wanted(site, "limit-forwarded", Some(serial), CLIENT)).await;
        let answer = response(&observation);
        shut = answer.is_some_and(|answer| signal::refusal(answer).is_some());
        // Without an answer, and with an error of the application itself, there is no limit to be found here.
        let over = shut || answer.is_none_or(|answer| answer.status >= 500);
        asked.push(observation);
        if over {
            break;
        }
        tokio::time::sleep_until((started + SPACING).into()).await;
    }
    if shut {
        asked.push(trial(ctx, site, &wanted(site, "limit-forged", None, FORGED)).await);
        asked.push(trial(ctx, site, &wanted(site, "limit-forwarded-again", None, CLIENT)).await);
    }
    asked
}

fn wanted(site: &Site, name: &str, serial: Option<u32>, first: &str) -> TrialRequest {
    let question = site.first_question(Purpose::Trial);
    let path = question.url[url::Position::BeforePath..].to_owned();
    TrialRequest {
        name: name.to_owned(),
        serial,
        method: question.method.to_string(),
        plain: path.clone(),
        path,
        headers: vec![Header { name: "x-forwarded-for".to_owned(), value: format!("{first}, {PROXIES}") }],
        host: None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use landfall_evidence::Vantage;

    use super::*;
    use crate::http::Depth;
    use crate::http::testkit::*;

    /// A backend with five requests for each client, told apart by the address at this place of the field, from the left (0) or, below
    /// zero, from the right.
    async fn backend(place: i32) -> (App, Context, Site) {
        let counts: Mutex<BTreeMap<String, u32>> = Mutex::new(BTreeMap::new());
        let app = App::new(move |got| {
            let field =
                got.headers().get("x-forwarded-for").and_then(|v| v.to_str().ok()).unwrap_or_default();
            let all: Vec<&str> = field.split(", ").collect();
            let at = if place < 0 { all.len() as i32 + place } else { place };
            let client = all.get(at as usize).copied().unwrap_or_default().to_owned();
            let mut counts = counts.lock().expect("not poisoned");
            let count = counts.entry(client).or_default();
            *count += 1;
            text(if *count > 5 { 429 } else { 200 }, "")
        });
        let at = plain(&app).await;
        let site = site(
            &format!("http://127.0.0.1:{}", at.port()),
            Vantage::Local,
            &["127.0.0.1"],
            vec![endpoint("GET", "/health")],
            Depth::Endpoints,
        );
        (app, led(&[]), site)
    }

    fn said(found: &[Observation]) -> Vec<(String, u16)> {
        found
            .iter()
            .map(|o| {
                let seen = http(o);
                let name = seen.request.trial.as_ref().expect("a trial").name.clone();
                (name, seen.answer.present().expect("answered").status)
            })
            .collect()
    }

    #[tokio::test]
    async fn the_first_address_alone_is_another_and_the_limit_is_shut_before_and_after() {
        for (place, forged) in [(0, 200), (-1, 429), (-3, 429)] {
            let (app, ctx, site) = backend(place).await;
            let found = ask(&ctx, &site).await;
            let said = said(&found);
            assert_eq!(said.len(), 8, "{said:?}");
            assert_eq!(said[5], ("limit-forwarded".to_owned(), 429));
            assert_eq!(said[6], ("limit-forged".to_owned(), forged), "place {place}");
            assert_eq!(said[7], ("limit-forwarded-again".to_owned(), 429));
            assert_eq!(app.log().len(), 8);
        }
    }

    #[tokio::test]
    async fn nothing_is_asked_off_this_machine_and_nothing_more_where_no_limit_is_met() {
        let app = App::new(|_| text(200, "ok"));
        let away = led(&[("192.0.2.1:80", plain(&app).await)]);
        let public = site(
            "http://api.example.test",
            Vantage::Edge,
            &["192.0.2.1"],
            vec![endpoint("GET", "/")],
            Depth::Endpoints,
        );
        assert!(ask(&away, &public).await.is_empty());
        assert!(app.log().is_empty());

        let at = plain(&app).await;
        let base = format!("http://127.0.0.1:{}", at.port());
        let free = site(&base, Vantage::Local, &["127.0.0.1"], vec![endpoint("GET", "/")], Depth::Endpoints);
        let found = ask(&led(&[]), &free).await;
        assert_eq!((found.len(), app.log().len()), (MOST as usize, MOST as usize));
        assert!(said(&found).iter().all(|(name, _)| name == "limit-forwarded"));
    }
}
