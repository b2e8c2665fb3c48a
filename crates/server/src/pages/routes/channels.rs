//! Channels and the delivery log.

use axum::Router;
use axum::extract::{Path, Query};
use axum::response::Response;
use axum::routing::{get, post};
use landfall_store::Page;
use serde::Deserialize;

use super::After;
use crate::api::model::ChannelView;
use crate::pages::channels::{self as draw, ChannelForm};
use crate::pages::door::{Sent, Visitor, fields_of, id};
use crate::pages::form::{self, Values};
use crate::problem::FieldError;
use crate::service::channels::{self, ChannelDeclaration};
use crate::{App, Problem, Right};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/channels", get(list).post(create))
        .route("/channels/new", get(new))
        .route("/channels/deliveries", get(log))
        .route("/channels/{id}", get(show).post(change))
        .route("/channels/{id}/test", post(test))
        .route("/channels/{id}/delete", post(delete))
}

/// Rows on one page.
const ROWS: u32 = 50;

#[derive(Debug, Default, Deserialize)]
struct Wanted {
    #[serde(default)]
    kind: String,
}

async fn list(visitor: Visitor, Query(at): Query<After>) -> Result<Response, Problem> {
    let list = channels::list(&visitor.principal, at.page(ROWS)?).await?;
    Ok(visitor.show(draw::list_page(&visitor.shell, &list, &at.after)))
}

async fn log(visitor: Visitor, Query(at): Query<After>) -> Result<Response, Problem> {
    let log = channels::deliveries(&visitor.principal, None, at.page(ROWS)?).await?;
    let known = channels::list(&visitor.principal, Page { after: None, limit: 500 }).await?;
    let names: Vec<(String, String)> = known.items.into_iter().map(|c| (c.id, c.name)).collect();
    Ok(visitor.show(draw::log_page(&visitor.shell, &log, &names, &at.after)))
}

async fn new(visitor: Visitor, Query(wanted): Query<Wanted>) -> Result<Response, Problem> {
    visitor.principal.require(Right::Write)?;
    let kind = draw::kind(&wanted.kind).unwrap_or("webhook");
    let mut values = form::fresh(&draw::fields(kind));
    values.push("/enabled", "yes");
    let form = ChannelForm { kind, of: None, values: &values, errors: &[] };
    Ok(visitor.show(draw::new_page(&visitor.shell, &form)))
}

fn declaration(kind: &str, values: &Values) -> Result<ChannelDeclaration, Vec<FieldError>> {
    let mut json = draw::read(kind, values)?;
    let text = |v: &serde_json::Value| v.as_str().unwrap_or_default().to_owned();
    Ok(ChannelDeclaration {
        name: text(&json["name"]),
        kind: kind.to_owned(),
        config: json["config"].take(),
        enabled: json["enabled"].as_bool().unwrap_or(false),
    })
}

async fn create(sent: Sent) -> Result<Response, Problem> {
    let Sent { visitor, values } = sent;
    visitor.principal.require(Right::Write)?;
    let kind =
        draw::kind(values.get("kind")).ok_or_else(|| Problem::bad_request("that is none of the kinds"))?;
    let errors = match declaration(kind, &values) {
        Ok(asked) => match channels::create(&visitor.app, &visitor.principal, &asked).await {
            Ok(made) => {
                let path = format!("/channels/{}", made.id);
                return Ok(visitor.done(&path, "The channel is there. Send a test to see that it works."));
            }
            Err(problem) => fields_of(problem)?,
        },
        Err(errors) => errors,
    };
    let form = ChannelForm { kind, of: None, values: &values, errors: &errors };
    Ok(visitor.again(draw::new_page(&visitor.shell, &form)))
}

async fn drawn(
    visitor: &Visitor,
    channel: &ChannelView,
    filled: Option<(&Values, &[FieldError])>,
) -> Result<maud::Markup, Problem> {
    let kind = draw::kind(&channel.kind).unwrap_or("webhook");
    let known =
        serde_json::json!({ "name": channel.name, "enabled": channel.enabled, "config": channel.config });
    let shown = form::of_json(&draw::fields(kind), &known);
    let (values, errors) = filled.unwrap_or((&shown, &[]));
    let log = channels::deliveries(
        &visitor.principal,
        Some(id(&channel.id, "channel")?),
        Page { after: None, limit: 20 },
    )
    .await?;
    let form = ChannelForm { kind, of: Some(channel), values, errors };
    Ok(draw::page(&visitor.shell, &form, channel, &log))
}

async fn show(visitor: Visitor, Path(name): Path<String>) -> Result<Response, Problem> {
    let channel = channels::get(&visitor.principal, id(&name, "channel")?).await?;
    Ok(visitor.show(drawn(&visitor, &channel, None).await?))
}

async fn change(Path(name): Path<String>, sent: Sent) -> Result<Response, Problem> {
    let Sent { visitor, values } = sent;
    visitor.principal.require(Right::Write)?;
    let channel = channels::get(&visitor.principal, id(&name, "channel")?).await?;
    let kind = draw::kind(&channel.kind).unwrap_or("webhook");
    let errors = match declaration(kind, &values) {
        Ok(mut asked) => {
            let known = serde_json::json!({ "config": channel.config });
            let filled = serde_json::json!({ "config": asked.config });
            asked.config = form::merged(&draw::fields(kind), &known, filled)["config"].take();
            match channels::put(&visitor.app, &visitor.principal, &channel.external_id, &asked).await {
                Ok(_) => return Ok(visitor.done(&format!("/channels/{}", channel.id), "Saved.")),
                Err(problem) => fields_of(problem)?,
            }
        }
        Err(errors) => errors,
    };
    Ok(visitor.again(drawn(&visitor, &channel, Some((&values, &errors))).await?))
}

async fn test(Path(name): Path<String>, sent: Sent) -> Result<Response, Problem> {
    let visitor = sent.visitor;
    let id = id(&name, "channel")?;
    channels::test(&visitor.app, &visitor.principal, id).await?;
    Ok(visitor
        .done(&format!("/channels/{id}"), "The test is on its way; the log below says what became of it."))
}

async fn delete(Path(name): Path<String>, sent: Sent) -> Result<Response, Problem> {
    let visitor = sent.visitor;
    channels::delete(&visitor.app, &visitor.principal, id(&name, "channel")?).await?;
    Ok(visitor.done("/channels", "The channel is deleted."))
}
