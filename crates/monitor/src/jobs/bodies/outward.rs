//! What looks at this server from outside, as far as it can do so itself.

use std::time::Duration;

use landfall_store::Id;
use landfall_store::jobs as stored;

use super::{Context, Done, words};

/// How long one exchange may take.
const EXCHANGE: Duration = Duration::from_secs(10);

fn client() -> Result<reqwest::Client, String> {
    reqwest::Client::builder()
        .timeout(EXCHANGE)
        .redirect(reqwest::redirect::Policy::limited(3))
        .user_agent(concat!("landfall/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|e| format!("no HTTP client can be made: {e}"))
}

/// Fetches an address: its status. The address may hold a secret and is not in the error.
async fn fetch(url: &str) -> Result<u16, String> {
    let answer = client()?.get(url).send().await.map_err(|e| {
        let kind = if e.is_timeout() {
            "did not answer in time"
        } else if e.is_connect() {
            "cannot be reached"
        } else {
            "did not answer properly"
        };
        kind.to_owned()
    })?;
    Ok(answer.status().as_u16())
}

pub(super) async fn synthetic(c: Context) -> Result<Done, String> {
    let value = format!("{} {}", c.clock.now(), Id::new());
    if !stored::canary(&c.store, &value).await.map_err(words)? {
        return Err("what was written into the database was not read back".into());
    }
    let Some(own) = &c.settings.self_url else {
        return Ok(Done::on(
            1u64,
            "a write was read back; the public path was NOT checked, because no `self_url` is set",
        ));
    };
    let ready = format!("{}/readyz", own.trim_end_matches('/'));
    match fetch(&ready).await {
        Ok(200) => Ok(Done::on(2u64, "a write was read back, and /readyz answered 200 over the network")),
        Ok(status) => Err(format!("{ready} answered {status} and not 200")),
        Err(problem) => Err(format!("{ready} {problem}")),
    }
}

pub(super) async fn canaries(c: Context) -> Result<Done, String> {
    if c.settings.canaries.is_empty() {
        return Ok(Done::Off("no canaries are set".into()));
    }
    let tries = c.settings.canaries.iter().map(|place| async move {
        let connected =
            tokio::time::timeout(Duration::from_secs(5), tokio::net::TcpStream::connect(place.as_str()));
        (place, matches!(connected.await, Ok(Ok(_))))
    });
    let found = futures_util::future::join_all(tries).await;
    let silent: Vec<&str> = found.iter().filter(|f| !f.1).map(|f| f.0.as_str()).collect();
    if silent.len() == found.len() {
        return Err(format!(
            "none of {} can be reached: this server's own connection is down",
            silent.join(", ")
        ));
    }
    let say = match silent.len() {
        0 => format!("all {} can be reached", found.len()),
        _ => format!(
            "{} of {} can be reached, not {}",
            found.len() - silent.len(),
            found.len(),
            silent.join(", ")
        ),
    };
    Ok(Done::on(found.len(), say))
}

pub(super) async fn dead_man(c: Context) -> Result<Done, String> {
    let Some(url) = &c.settings.dead_man_url else {
        return Ok(Done::Off("no address is set".into()));
    };
    match fetch(url).await {
        Ok(status @ 200..=299) => Ok(Done::on(1u64, format!("the other side took the ping ({status})"))),
        Ok(status) => Err(format!("the other side answered {status}")),
        Err(problem) => Err(format!("the other side {problem}")),
    }
}

pub(super) async fn dunning(c: Context) -> Result<Done, String> {
    match &c.dunning {
        Some(work) => work.work(c.clock.now()).await,
        None => Ok(Done::Off("billing is off".into())),
    }
}
