//! The routes of the pages: each reads what it was sent, calls the service, and hands the answer to a renderer.

mod account;
mod beats;
mod channels;
mod money;
mod monitors;
mod settings;
mod status;
mod trouble;

use axum::Router;
use landfall_store::Page;

use crate::pages::door::id;
use crate::{App, Problem};

/// All pages. Problems leave them as problem+json; [`dress`](crate::pages::dress) stands round the whole server.
pub fn router() -> Router<App> {
    Router::new()
        .merge(account::routes())
        .merge(beats::routes())
        .merge(channels::routes())
        .merge(money::routes())
        .merge(monitors::routes())
        .merge(trouble::routes())
        .merge(settings::routes())
        .merge(status::routes())
}

/// Where a list begins.
#[derive(Debug, Clone, Default, serde::Deserialize)]
struct After {
    #[serde(default)]
    after: String,
}

impl After {
    /// The page of so many items.
    fn page(&self, limit: u32) -> Result<Page, Problem> {
        page(&self.after, limit)
    }
}

fn page(after: &str, limit: u32) -> Result<Page, Problem> {
    let after = if after.is_empty() { None } else { Some(id(after, "page")?) };
    Ok(Page { after, limit })
}
