//! Keeping status pages.

use axum::Router;
use axum::extract::{Path, Query};
use axum::response::Response;
use axum::routing::{get, post};
use landfall_store::Id;
use landfall_store::monitors::Expect;

use super::After;
use super::monitors::declared;
use crate::pages::door::{Sent, Visitor, fields_of, id};
use crate::pages::form::{self, Values};
use crate::pages::status_pages::{self as draw, OnePage};
use crate::problem::FieldError;
use crate::service::status::{self, AnnouncementUpdate, NewAnnouncement, StatusPageSpec};
use crate::{App, Problem, Right};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/status-pages", get(list).post(create))
        .route("/status-pages/{id}", get(show).post(change))
        .route("/status-pages/{id}/delete", post(delete))
        .route("/status-pages/{id}/posts", post(announce))
        .route("/status-posts/{id}", post(update))
}

/// Status pages, or announcements, on one page.
const ROWS: u32 = 50;

fn fresh() -> Values {
    let mut values = form::fresh(draw::FIELDS);
    values.push("/published", "yes");
    values
}

/// What a form says of a status page.
fn page_of(values: &Values) -> Result<StatusPageSpec, Vec<FieldError>> {
    form::to_json(draw::FIELDS, values)?;
    Ok(StatusPageSpec {
        title: values.get("/title").to_owned(),
        about: values.raw("/about").replace("\r\n", "\n"),
        label: values.get("/label").to_owned(),
        noindex: values.ticked("/noindex"),
        published: values.ticked("/published"),
    })
}

/// Field errors of the service; those of a conflict stand beside their fields, too.
fn wrong(problem: Problem) -> Result<Vec<FieldError>, Problem> {
    if problem.status == 409 && !problem.errors.is_empty() {
        return Ok(problem.errors);
    }
    fields_of(problem)
}

async fn list(visitor: Visitor, Query(at): Query<After>) -> Result<Response, Problem> {
    let pages = status::list(&visitor.app, &visitor.principal, at.page(ROWS)?).await?;
    Ok(visitor.show(draw::list_page(&visitor.shell, &pages, at.after.is_empty(), &fresh(), &[])))
}

async fn create(sent: Sent) -> Result<Response, Problem> {
    let Sent { visitor, values } = sent;
    visitor.principal.require(Right::Write)?;
    let errors = match page_of(&values) {
        Ok(asked) => {
            let slug = values.get("/slug");
            match status::put(&visitor.app, &visitor.principal, slug, &asked, Expect::Absent).await {
                Ok((made, _)) => {
                    let path = format!("/status-pages/{}", made.value.id);
                    return Ok(visitor.done(&path, "The status page is there."));
                }
                // One of our own has this name in the URL.
                Err(problem) if problem.status == 412 => {
                    vec![FieldError {
                        field: "/slug".into(),
                        detail: "is taken by another page of yours; choose another one".into(),
                    }]
                }
                Err(problem) => wrong(problem)?,
            }
        }
        Err(errors) => errors,
    };
    let pages = status::list(&visitor.app, &visitor.principal, After::default().page(ROWS)?).await?;
    Ok(visitor.again(draw::list_page(&visitor.shell, &pages, true, &values, &errors)))
}

/// What one of the two forms of a page held, and what is wrong with it.
#[derive(Default)]
struct Wrong {
    page: Option<(Values, Vec<FieldError>)>,
    post: Option<(Values, Vec<FieldError>)>,
}

async fn drawn(visitor: &Visitor, id: Id, at: &After, wrong: Wrong) -> Result<maud::Markup, Problem> {
    let page = status::get(&visitor.app, &visitor.principal, id).await?.value;
    let posts = status::announcements(&visitor.principal, id, at.page(ROWS)?).await?;
    let (values, errors) = wrong.page.unwrap_or_else(|| (draw::values(&page), Vec::new()));
    let (post, post_errors) = wrong.post.unwrap_or_else(|| (form::fresh(draw::POST), Vec::new()));
    let data = OnePage {
        page: &page,
        posts: &posts,
        first: at.after.is_empty(),
        values: &values,
        errors: &errors,
        post: &post,
        post_errors: &post_errors,
    };
    Ok(draw::page(&visitor.shell, &data))
}

async fn show(
    visitor: Visitor,
    Path(name): Path<String>,
    Query(at): Query<After>,
) -> Result<Response, Problem> {
    let page = drawn(&visitor, id(&name, "status page")?, &at, Wrong::default()).await?;
    Ok(visitor.show(page))
}

async fn change(Path(name): Path<String>, sent: Sent) -> Result<Response, Problem> {
    let Sent { visitor, values } = sent;
    visitor.principal.require(Right::Write)?;
    let id = id(&name, "status page")?;
    let values = draw::unrenamed(&values);
    let errors = match page_of(&values) {
        Ok(asked) => {
            let slug = values.get("/slug");
            let (app, who) = (&visitor.app, &visitor.principal);
            match status::change(app, who, id, slug, &asked, Expect::Anything).await {
                Ok(_) => return Ok(visitor.done(&format!("/status-pages/{id}"), "Saved.")),
                Err(problem) => wrong(problem)?,
            }
        }
        Err(errors) => errors,
    };
    let wrong = Wrong { page: Some((values, errors)), post: None };
    Ok(visitor.again(drawn(&visitor, id, &After::default(), wrong).await?))
}

async fn delete(Path(name): Path<String>, sent: Sent) -> Result<Response, Problem> {
    let visitor = sent.visitor;
    status::delete(&visitor.app, &visitor.principal, id(&name, "status page")?).await?;
    Ok(visitor.done("/status-pages", "The status page is gone."))
}

async fn announce(Path(name): Path<String>, sent: Sent) -> Result<Response, Problem> {
    let Sent { visitor, values } = sent;
    visitor.principal.require(Right::Write)?;
    let id = id(&name, "status page")?;
    let errors = match form::to_json(draw::POST, &values).and_then(declared::<NewAnnouncement>) {
        Ok(asked) => match status::announce(&visitor.app, &visitor.principal, id, &asked).await {
            Ok(_) => {
                return Ok(visitor.done(&format!("/status-pages/{id}"), "It is on the status page."));
            }
            Err(problem) => wrong(problem)?,
        },
        Err(errors) => errors,
    };
    let wrong = Wrong { page: None, post: Some((values, errors)) };
    Ok(visitor.again(drawn(&visitor, id, &After::default(), wrong).await?))
}

async fn update(Path(name): Path<String>, sent: Sent) -> Result<Response, Problem> {
    let Sent { visitor, values } = sent;
    let asked = AnnouncementUpdate {
        state: values.get("state").to_owned(),
        say: values.raw("say").replace("\r\n", "\n"),
    };
    let post = id(&name, "announcement")?;
    let post = status::update(&visitor.app, &visitor.principal, post, &asked).await?;
    Ok(visitor.done(&format!("/status-pages/{}", post.page), "The update is on the status page."))
}
