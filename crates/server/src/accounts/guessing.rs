//! Guesses are counted before they are looked at, for the account that is named and for the address that asks. An
//! account that does not exist is counted like one that does, so the refusal says nothing about it.

use std::net::IpAddr;

use http::{HeaderValue, StatusCode};
use jiff::Timestamp;

use crate::limits::network;
use crate::{App, Problem, session};

/// What is guessed at when somebody signs in.
pub(crate) const SIGN_IN: &str = "sign-in";
/// Wrong passwords of one account that cost no wait.
const FREE_ACCOUNT: u32 = 5;
/// Wrong guesses of one address that cost no wait: more, since a whole office may share it.
const FREE_ADDRESS: u32 = 20;

/// One guess that was counted.
pub(crate) struct Guess {
    account: String,
    address: Option<String>,
}

impl Guess {
    /// Counts a guess.
    ///
    /// # Errors
    /// 429 with the time to wait, when there were too many already.
    pub(crate) async fn count(
        app: &App,
        what: &str,
        account: &str,
        address: Option<IpAddr>,
    ) -> Result<Self, Problem> {
        let now = app.clock.now();
        // The table holds no addresses of people, neither of mail nor of networks.
        let guess = Self {
            account: session::hash(&format!("{what} account {account}")),
            address: address.map(|a| session::hash(&format!("{what} address {}", network(a)))),
        };
        if let Some(address) = &guess.address {
            app.store.count_guess(address, FREE_ADDRESS, now).await?.map_err(|until| wait(until, now))?;
        }
        app.store.count_guess(&guess.account, FREE_ACCOUNT, now).await?.map_err(|until| wait(until, now))?;
        Ok(guess)
    }

    /// It was right: the account starts afresh. The address gets back this one guess only, so that an account of one's
    /// own does not buy endless guesses at others.
    pub(crate) async fn right(self, app: &App) -> Result<(), Problem> {
        app.store.forgive_guess(&self.account, true).await?;
        if let Some(address) = &self.address {
            app.store.forgive_guess(address, false).await?;
        }
        Ok(())
    }
}

fn wait(until: Timestamp, now: Timestamp) -> Problem {
    let seconds = until.duration_since(now).as_secs().max(0) + 1;
    Problem::new(StatusCode::TOO_MANY_REQUESTS, format!("too many wrong attempts; try again in {seconds} s"))
        .with_header(http::header::RETRY_AFTER, HeaderValue::from(seconds))
}
