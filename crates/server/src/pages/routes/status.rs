//! Keeping status pages.

use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{get, post};
use landfall_store::StoreError;
use landfall_store::status::{PostKind, StatusPagePut, StatusPostPut};

use crate::pages::door::{Sent, Visitor, id};
use crate::pages::form::{self, Values};
use crate::pages::status_pages::{self as draw, OnePage, StatusPageForm};
use crate::problem::FieldError;
use crate::{App, Problem, Right};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/status-pages", get(list).post(create))
        .route("/status-pages/{id}", get(show).post(change))
        .route("/status-pages/{id}/delete", post(delete))
        .route("/status-pages/{id}/posts", post(announce))
        .route("/status-posts/{id}", post(update))
}

/// Characters of one announcement.
const SAY: usize = 4000;

fn fresh() -> Values {
    let mut values = form::fresh(draw::FIELDS);
    values.push("/published", "yes");
    values
}

fn put(form: &StatusPageForm) -> StatusPagePut<'_> {
    StatusPagePut {
        slug: &form.slug,
        title: &form.title,
        about: &form.about,
        label: &form.label,
        noindex: form.noindex,
        published: form.published,
    }
}

fn wrong(field: &str, detail: impl Into<String>) -> FieldError {
    FieldError { field: field.into(), detail: detail.into() }
}

fn taken(error: StoreError) -> Result<Vec<FieldError>, Problem> {
    match error {
        StoreError::Exists { .. } => Ok(vec![wrong("/slug", "is taken; choose another one")]),
        error => Err(error.into()),
    }
}

async fn list(visitor: Visitor) -> Result<Response, Problem> {
    visitor.principal.require(Right::Read)?;
    let pages = visitor.principal.tenant.status_pages().await?;
    Ok(visitor.show(draw::list_page(&visitor.shell, &pages, &fresh(), &[])))
}

async fn create(sent: Sent) -> Result<Response, Problem> {
    let Sent { visitor, values } = sent;
    visitor.principal.require(Right::Write)?;
    let tenant = &visitor.principal.tenant;
    let errors = match draw::check(&values) {
        Ok(form) => match tenant.create_status_page(put(&form), visitor.shell.now).await {
            Ok(id) => return Ok(visitor.done(&format!("/status-pages/{id}"), "The status page is there.")),
            Err(error) => taken(error)?,
        },
        Err(errors) => errors,
    };
    let pages = tenant.status_pages().await?;
    Ok(visitor.again(draw::list_page(&visitor.shell, &pages, &values, &errors)))
}

/// What one of the two forms of a page held, and what is wrong with it.
#[derive(Default)]
struct Wrong {
    page: Option<(Values, Vec<FieldError>)>,
    post: Option<(Values, Vec<FieldError>)>,
}

async fn drawn(visitor: &Visitor, id: landfall_store::Id, wrong: Wrong) -> Result<maud::Markup, Problem> {
    let tenant = &visitor.principal.tenant;
    let page = tenant.status_page(id).await?;
    let posts = tenant.page_posts(id).await?;
    let (values, errors) = wrong.page.unwrap_or_else(|| (draw::values(&page), Vec::new()));
    let (post, post_errors) = wrong.post.unwrap_or_else(|| (form::fresh(draw::POST), Vec::new()));
    let data = OnePage {
        page: &page,
        posts: &posts,
        values: &values,
        errors: &errors,
        post: &post,
        post_errors: &post_errors,
    };
    Ok(draw::page(&visitor.shell, &data))
}

async fn show(visitor: Visitor, Path(name): Path<String>) -> Result<Response, Problem> {
    visitor.principal.require(Right::Read)?;
    Ok(visitor.show(drawn(&visitor, id(&name, "status page")?, Wrong::default()).await?))
}

async fn change(Path(name): Path<String>, sent: Sent) -> Result<Response, Problem> {
    let Sent { visitor, values } = sent;
    visitor.principal.require(Right::Write)?;
    let id = id(&name, "status page")?;
    let values = draw::unrenamed(&values);
    let errors = match draw::check(&values) {
        Ok(form) => {
            let done = visitor.principal.tenant.change_status_page(id, put(&form), visitor.shell.now).await;
            match done {
                Ok(()) => return Ok(visitor.done(&format!("/status-pages/{id}"), "Saved.")),
                Err(error) => taken(error)?,
            }
        }
        Err(errors) => errors,
    };
    let wrong = Wrong { page: Some((values, errors)), post: None };
    Ok(visitor.again(drawn(&visitor, id, wrong).await?))
}

async fn delete(Path(name): Path<String>, sent: Sent) -> Result<Response, Problem> {
    let visitor = sent.visitor;
    visitor.principal.require(Right::Write)?;
    visitor.principal.tenant.delete_status_page(id(&name, "status page")?).await?;
    Ok(visitor.done("/status-pages", "The status page is gone."))
}

async fn announce(Path(name): Path<String>, sent: Sent) -> Result<Response, Problem> {
    let Sent { visitor, values } = sent;
    visitor.principal.require(Right::Write)?;
    let id = id(&name, "status page")?;
    let now = visitor.shell.now;
    let mut errors = form::to_json(draw::POST, &values).err().unwrap_or_default();
    let mut moment = |at: &str| match draw::moment(values.get(at)) {
        Ok(moment) => moment,
        Err(detail) => {
            errors.push(wrong(at, detail));
            None
        }
    };
    let (starts, ends) = (moment("/starts"), moment("/ends"));
    let starts = starts.unwrap_or(now);
    let kind: PostKind = values.get("/kind").parse().unwrap_or(PostKind::Incident);
    let say = values.get("/say").replace("\r\n", "\n");
    if say.chars().count() > SAY {
        errors.push(wrong("/say", format!("has more than {SAY} characters")));
    }
    if values.get("/title").chars().count() > 200 {
        errors.push(wrong("/title", "has more than 200 characters"));
    }
    if ends.is_some_and(|e| e <= starts) {
        errors.push(wrong("/ends", "is not after the beginning"));
    }
    if errors.is_empty() {
        let state = match kind {
            PostKind::Maintenance if starts <= now => "in-progress",
            kind => kind.states()[0],
        };
        let put = StatusPostPut {
            kind,
            title: values.get("/title"),
            state,
            starts,
            ends,
            say: &say,
            author: &visitor.principal.name,
        };
        visitor.principal.tenant.create_status_post(id, put, now).await?;
        return Ok(visitor.done(&format!("/status-pages/{id}"), "It is on the status page."));
    }
    let wrong = Wrong { page: None, post: Some((values, errors)) };
    Ok(visitor.again(drawn(&visitor, id, wrong).await?))
}

async fn update(Path(name): Path<String>, sent: Sent) -> Result<Response, Problem> {
    let Sent { visitor, values } = sent;
    visitor.principal.require(Right::Write)?;
    let post = id(&name, "announcement")?;
    let say = values.get("say").replace("\r\n", "\n");
    if say.is_empty() || say.chars().count() > SAY {
        return Err(Problem::bad_request(format!("an update has 1 to {SAY} characters")));
    }
    let tenant = &visitor.principal.tenant;
    let page = tenant
        .update_status_post(post, values.get("state"), &say, &visitor.principal.name, visitor.shell.now)
        .await?;
    Ok(visitor.done(&format!("/status-pages/{page}"), "The update is on the status page."))
}
