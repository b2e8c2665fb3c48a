//! Billing and support.

use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderValue, StatusCode, header};
use landfall_store::Page;

use crate::billing::api::{self as billing, CheckoutRequest, GoTo};
use crate::pages::door::{Sent, Visitor, done};
use crate::pages::layout::respond_with;
use crate::pages::money::{self as draw, Exchange};
use crate::pages::parts::Tone;
use crate::pages::settings::BILLING;
use crate::support::api::{self as support, Escalation};
use crate::support::{Question, ask};
use crate::{App, Problem};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/settings/billing", get(show))
        .route("/settings/billing/checkout", post(checkout))
        .route("/settings/billing/portal", post(portal))
        .route("/settings/support", get(help).post(question))
        .route("/settings/support/tickets", post(open))
        .route("/settings/support/tickets/{id}/close", post(close))
}

async fn show(visitor: Visitor) -> Result<Response, Problem> {
    let view = billing::show(&visitor.app, &visitor.principal).await?;
    Ok(respond_with(StatusCode::OK, draw::billing(&visitor.shell, &view), BILLING))
}

/// On to the payment provider, whose address is its own answer and not the person's words.
fn away(to: &GoTo) -> Result<Response, Problem> {
    let url = HeaderValue::from_str(&to.url)
        .map_err(|_| Problem::new(StatusCode::BAD_GATEWAY, "the payment provider sent no usable address"))?;
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, url)]).into_response())
}

/// A refusal that the page can show itself.
fn shown(visitor: &Visitor, path: &str, problem: Problem) -> Result<Response, Problem> {
    if matches!(problem.status, 409 | 422 | 429 | 502 | 503) {
        return Ok(done(&visitor.app, path, Tone::Bad, &problem.detail));
    }
    Err(problem)
}

async fn checkout(sent: Sent) -> Result<Response, Problem> {
    let Sent { visitor, values } = sent;
    let asked = CheckoutRequest { plan: values.get("plan").into() };
    match billing::checkout(&visitor.app, &visitor.principal, &asked).await {
        Ok(to) => away(&to),
        Err(problem) => shown(&visitor, "/settings/billing", problem),
    }
}

async fn portal(sent: Sent) -> Result<Response, Problem> {
    let visitor = sent.visitor;
    match billing::portal(&visitor.app, &visitor.principal).await {
        Ok(to) => away(&to),
        Err(problem) => shown(&visitor, "/settings/billing", problem),
    }
}

async fn drawn(
    visitor: &Visitor,
    exchange: Option<&Exchange<'_>>,
    problem: &str,
) -> Result<maud::Markup, Problem> {
    let tickets = support::tickets(&visitor.principal, None, Page::default()).await?;
    Ok(draw::support(&visitor.shell, &tickets, exchange, problem))
}

async fn help(visitor: Visitor) -> Result<Response, Problem> {
    Ok(visitor.show(drawn(&visitor, None, "").await?))
}

async fn question(sent: Sent) -> Result<Response, Problem> {
    let Sent { visitor, values } = sent;
    let conversation = values.get("conversation");
    let asked = Question {
        message: values.get("question").replace("\r\n", "\n"),
        conversation_id: (!conversation.is_empty()).then(|| conversation.to_owned()),
        incident: None,
        report: None,
        stream: false,
    };
    match ask(&visitor.app, &visitor.principal, &asked).await {
        Ok(answer) => {
            let exchange = Exchange { asked: &asked.message, answer: &answer };
            Ok(visitor.show(drawn(&visitor, Some(&exchange), "").await?))
        }
        Err(problem) if matches!(problem.status, 422 | 429) => {
            let say = problem
                .errors
                .first()
                .map_or(problem.detail.clone(), |e| format!("The question {}", e.detail));
            Ok(visitor.again(drawn(&visitor, None, &say).await?))
        }
        Err(problem) => Err(problem),
    }
}

async fn open(sent: Sent) -> Result<Response, Problem> {
    let Sent { visitor, values } = sent;
    let conversation = values.get("conversation");
    let asked = Escalation {
        message: values.get("message").replace("\r\n", "\n"),
        conversation_id: (!conversation.is_empty()).then(|| conversation.to_owned()),
        email: None,
    };
    match support::escalate(&visitor.app, &visitor.principal, &asked).await {
        Ok(_) => Ok(visitor.done("/settings/support", "The ticket is open; somebody will look at it.")),
        Err(problem) => shown(&visitor, "/settings/support", problem),
    }
}

async fn close(Path(name): Path<String>, sent: Sent) -> Result<Response, Problem> {
    let visitor = sent.visitor;
    support::close_ticket(&visitor.app, &visitor.principal, &name).await?;
    Ok(visitor.done("/settings/support", "The ticket is closed."))
}
