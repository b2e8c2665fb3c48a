//! The pages: server-rendered HTML over the same functions that the API stands on. Each page works without any script;
//! with it, it is live.

pub(crate) mod assets;
pub(crate) mod errors;
pub(crate) mod layout;
pub(crate) mod parts;

mod account;
mod channels;
mod form;
mod heartbeats;
mod incidents;
mod jobs;
mod judgement;
mod monitor;
mod monitor_form;
mod overview;
mod reports;
mod windows;

use http::{HeaderMap, header};

use crate::App;
use layout::{Shell, Theme};

/// The cookie that remembers the chosen look.
const THEME: &str = "landfall-theme";

/// What a page is drawn with for somebody who is not signed in.
pub(crate) fn stranger(app: &App, headers: &HeaderMap) -> Shell {
    Shell {
        now: app.clock.now(),
        person: None,
        csrf: String::new(),
        flash: None,
        theme: Theme::of(cookie(headers, THEME).unwrap_or_default()),
        open_incidents: 0,
        path: "/".into(),
        public_url: app.settings.public_url.trim_end_matches('/').to_owned(),
    }
}

/// One cookie.
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(n, _)| *n == name)
        .map(|(_, v)| v)
}
