//! Public status pages, and what is announced on them.

use http::StatusCode;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use landfall_store::monitors::{Expect, Written};
use landfall_store::status::{PostKind, StatusPage, StatusPagePut, StatusPost, StatusPostPut};
use landfall_store::{Id, Page, StoreError};
use serde::Deserialize;
use utoipa::ToSchema;

use super::monitors::{Versioned, changed_meanwhile};
use super::{check_name, fits, listing, no_errors, tell, wrong};
use crate::api::model::{AnnouncementUpdateView, AnnouncementView, Listing, StatusPageView};
use crate::auth::Right;
use crate::problem::FieldError;
use crate::{App, Principal, Problem};

/// A status page as somebody declares it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StatusPageSpec {
    /// Its title.
    #[schema(min_length = 1, max_length = 200)]
    pub title: String,
    /// A few words below the title.
    #[serde(default)]
    #[schema(max_length = 2000, pattern = r"^[^\x00-\x09\x0b-\x1f\x7f-\x9f]*$")]
    pub about: String,
    /// Only public monitors that carry this label, as `name=value`; empty shows all public ones.
    #[serde(default)]
    #[schema(max_length = 200, pattern = r"^([A-Za-z0-9_.-]+=[A-Za-z0-9_.-]+)?$")]
    pub label: String,
    /// Whether search engines are asked to leave it out.
    #[serde(default)]
    pub noindex: bool,
    /// Whether it can be seen; a draft is seen by nobody outside.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub published: bool,
}

fn yes() -> bool {
    true
}

/// What is to be announced.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAnnouncement {
    /// What it is.
    #[schema(value_type = String, pattern = "^(incident|maintenance)$")]
    pub kind: AnnouncementKind,
    /// Its title.
    #[schema(min_length = 1, max_length = 200)]
    pub title: String,
    /// What to tell people.
    #[schema(min_length = 1, max_length = 4000)]
    pub say: String,
    /// When it begins; now when absent. An instant (`2026-11-25T22:00:00Z`), or a local time in `zone` (`2026-11-25T22:00`).
    #[serde(default)]
    #[schema(format = DateTime)]
    pub starts: Option<String>,
    /// When planned work will end; likewise.
    #[serde(default)]
    #[schema(format = DateTime)]
    pub ends: Option<String>,
    /// The IANA time zone of local times, in which they are shown beside UTC; `UTC` when absent.
    #[serde(default)]
    #[schema(max_length = 64)]
    pub zone: Option<String>,
}

/// What an announcement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AnnouncementKind {
    /// Trouble.
    Incident,
    /// Planned work.
    Maintenance,
}

/// More about an announcement.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnnouncementUpdate {
    /// The state from now on: `investigating`, `identified`, `monitoring` or `resolved` of an incident; `scheduled`,
    /// `in-progress` or `completed` of maintenance.
    pub state: String,
    /// What to tell people.
    #[schema(min_length = 1, max_length = 4000)]
    pub say: String,
}

/// Status pages, oldest first.
///
/// # Errors
/// 403 without the right.
pub async fn list(app: &App, principal: &Principal, page: Page) -> Result<Listing<StatusPageView>, Problem> {
    principal.require(Right::Read)?;
    let rows = principal.tenant.status_pages(page).await?;
    Ok(listing(rows, page, |p| p.id, |p| view(app, p)))
}

/// One status page.
///
/// # Errors
/// 403 without the right; 404.
pub async fn get(app: &App, principal: &Principal, id: Id) -> Result<Versioned<StatusPageView>, Problem> {
    principal.require(Right::Read)?;
    let row = principal.tenant.status_page(id).await?;
    Ok(Versioned { version: row.updated, value: view(app, row) })
}

/// One status page by its name in the URL.
///
/// # Errors
/// 403 without the right; 404, also when the slug is another organisation's.
pub async fn get_by_slug(
    app: &App,
    principal: &Principal,
    slug: &str,
) -> Result<Versioned<StatusPageView>, Problem> {
    principal.require(Right::Read)?;
    let row = principal.tenant.status_page_by_slug(slug).await?;
    let row = row.ok_or_else(|| Problem::missing("status page"))?;
    Ok(Versioned { version: row.updated, value: view(app, row) })
}

/// Makes a status page under a slug, or changes the organisation's own one there.
///
/// # Errors
/// 403 without the right; 409 when another organisation has the slug; 412 when it is not as expected; 422.
pub async fn put(
    app: &App,
    principal: &Principal,
    slug: &str,
    asked: &StatusPageSpec,
    expect: Expect,
) -> Result<(Versioned<StatusPageView>, Written), Problem> {
    principal.require(Right::Write)?;
    check(slug, asked)?;
    match principal.tenant.status_page_by_slug(slug).await? {
        Some(row) => {
            let (page, written) = write(app, principal, row.id, slug, asked, expect).await?;
            Ok((page, written))
        }
        None if matches!(expect, Expect::Unchanged(_)) => Err(changed_meanwhile()),
        None => {
            let made =
                principal.tenant.create_status_page(sent(slug, asked), &principal.name, app.clock.now());
            let id = made.await.map_err(taken)?;
            tell(app, principal.tenant.id(), "status-page", id, "created", &principal.name);
            Ok((get(app, principal, id).await?, Written::Created))
        }
    }
}

/// Changes a status page, its slug with it.
///
/// # Errors
/// 403 without the right; 404; 409 when the slug is taken; 412 when it is not as expected; 422.
pub async fn change(
    app: &App,
    principal: &Principal,
    id: Id,
    slug: &str,
    asked: &StatusPageSpec,
    expect: Expect,
) -> Result<Versioned<StatusPageView>, Problem> {
    principal.require(Right::Write)?;
    principal.tenant.status_page(id).await?;
    check(slug, asked)?;
    Ok(write(app, principal, id, slug, asked, expect).await?.0)
}

async fn write(
    app: &App,
    principal: &Principal,
    id: Id,
    slug: &str,
    asked: &StatusPageSpec,
    expect: Expect,
) -> Result<(Versioned<StatusPageView>, Written), Problem> {
    let now = app.clock.now();
    let done = principal.tenant.change_status_page(id, sent(slug, asked), expect, &principal.name, now).await;
    let written = match done {
        Err(StoreError::Conflict) if expect != Expect::Anything => return Err(changed_meanwhile()),
        done => done.map_err(taken)?,
    };
    if written != Written::Same {
        tell(app, principal.tenant.id(), "status-page", id, "changed", &principal.name);
    }
    Ok((get(app, principal, id).await?, written))
}

/// Deletes a status page with all that was announced on it.
///
/// # Errors
/// 403 without the right; 404.
pub async fn delete(app: &App, principal: &Principal, id: Id) -> Result<(), Problem> {
    principal.require(Right::Write)?;
    principal.tenant.delete_status_page(id, &principal.name, app.clock.now()).await?;
    tell(app, principal.tenant.id(), "status-page", id, "deleted", &principal.name);
    Ok(())
}

/// What was announced on a page, newest first.
///
/// # Errors
/// 403 without the right; 404.
pub async fn announcements(
    principal: &Principal,
    page_id: Id,
    page: Page,
) -> Result<Listing<AnnouncementView>, Problem> {
    principal.require(Right::Read)?;
    principal.tenant.status_page(page_id).await?;
    let rows = principal.tenant.announcements(page_id, page).await?;
    Ok(listing(rows, page, |p| p.id, post_view))
}

/// One announcement.
///
/// # Errors
/// 403 without the right; 404.
pub async fn announcement(principal: &Principal, id: Id) -> Result<AnnouncementView, Problem> {
    principal.require(Right::Read)?;
    Ok(post_view(principal.tenant.announcement(id).await?))
}

/// Announces something on a page.
///
/// # Errors
/// 403 without the right; 404; 409 when its times do not fit; 422.
pub async fn announce(
    app: &App,
    principal: &Principal,
    page: Id,
    asked: &NewAnnouncement,
) -> Result<AnnouncementView, Problem> {
    principal.require(Right::Write)?;
    principal.tenant.status_page(page).await?;
    let now = app.clock.now();
    let mut errors = Vec::new();
    check_name("/title", &asked.title, &mut errors);
    let say = asked.say.replace("\r\n", "\n");
    check_words("/say", &say, &mut errors);
    let name = asked.zone.as_deref().filter(|z| !z.is_empty()).unwrap_or("UTC");
    let zone = TimeZone::get(name).unwrap_or_else(|_| {
        errors.push(wrong("/zone", format!("{name:?} is no IANA time zone, as Europe/Berlin")));
        TimeZone::UTC
    });
    let mut at = |field: &str, text: &Option<String>| match text.as_deref().filter(|t| !t.is_empty()) {
        None => None,
        Some(text) => moment(text, &zone).map_err(|detail| errors.push(wrong(field, detail))).ok(),
    };
    let (starts, ends) = (at("/starts", &asked.starts), at("/ends", &asked.ends));
    no_errors(errors)?;
    let starts = starts.unwrap_or(now);
    if ends.is_some_and(|e| e <= starts) {
        fits(vec![wrong("/ends", "is not after the beginning")])?;
    }
    let kind = match asked.kind {
        AnnouncementKind::Incident => PostKind::Incident,
        AnnouncementKind::Maintenance => PostKind::Maintenance,
    };
    let state = match kind {
        PostKind::Maintenance if starts <= now => "in-progress",
        kind => kind.states()[0],
    };
    let put = StatusPostPut {
        kind,
        title: asked.title.trim(),
        state,
        starts,
        ends,
        zone: name,
        say: &say,
        author: &principal.name,
    };
    let id = principal.tenant.create_status_post(page, put, now).await?;
    tell(app, principal.tenant.id(), "status-page", page, "announced", &principal.name);
    announcement(principal, id).await
}

/// Writes more about an announcement, and its state from now on.
///
/// # Errors
/// 403 without the right; 404; 422.
pub async fn update(
    app: &App,
    principal: &Principal,
    id: Id,
    asked: &AnnouncementUpdate,
) -> Result<AnnouncementView, Problem> {
    principal.require(Right::Write)?;
    let post = principal.tenant.announcement(id).await?;
    let say = asked.say.replace("\r\n", "\n");
    let mut errors = Vec::new();
    check_words("/say", &say, &mut errors);
    if !post.kind.states().contains(&asked.state.as_str()) {
        let known = post.kind.states().join(", ");
        errors.push(wrong("/state", format!("{:?} is none of its states: {known}", asked.state)));
    }
    no_errors(errors)?;
    let tenant = &principal.tenant;
    let page = tenant.update_status_post(id, &asked.state, &say, &principal.name, app.clock.now()).await?;
    tell(app, tenant.id(), "status-page", page, "announced", &principal.name);
    announcement(principal, id).await
}

fn sent<'a>(slug: &'a str, asked: &'a StatusPageSpec) -> StatusPagePut<'a> {
    StatusPagePut {
        slug,
        title: asked.title.trim(),
        about: &asked.about,
        label: &asked.label,
        noindex: asked.noindex,
        published: asked.published,
    }
}

/// A slug is one for the whole server, since it stands in a public URL; so that one is taken is no secret.
fn taken(error: StoreError) -> Problem {
    match error {
        StoreError::Exists { .. } => Problem {
            errors: vec![wrong("/slug", "is taken; choose another one")],
            ..Problem::new(StatusCode::CONFLICT, "this name in the URL is taken; choose another one")
        },
        error => error.into(),
    }
}

fn check(slug: &str, asked: &StatusPageSpec) -> Result<(), Problem> {
    let mut errors = Vec::new();
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if slug.is_empty() || slug.len() > 60 || !slug.chars().all(fine) || slug.starts_with('-') {
        errors.push(wrong("/slug", "is not 1 to 60 of a-z, 0-9 and -, with a letter or digit first"));
    }
    check_name("/title", &asked.title, &mut errors);
    if asked.about.chars().count() > 2000 {
        errors.push(wrong("/about", "has more than 2000 characters"));
    }
    if asked.about.chars().any(|c| c.is_control() && c != '\n') {
        errors.push(wrong("/about", "has control characters other than line breaks"));
    }
    let said = asked.label.split_once('=').is_some_and(|(n, v)| !n.trim().is_empty() && !v.trim().is_empty());
    if !asked.label.is_empty()
        && (!said || asked.label.len() > 200 || asked.label.chars().any(char::is_control))
    {
        errors.push(wrong("/label", "is not of the form name=value"));
    }
    no_errors(errors)
}

fn check_words(field: &str, say: &str, errors: &mut Vec<FieldError>) {
    let count = say.chars().count();
    if say.trim().is_empty() || count > 4000 {
        errors
            .push(wrong(field, format!("has {count} characters; 1 to 4000 are taken, and not only spaces")));
    } else if say.chars().any(|c| c.is_control() && c != '\n') {
        errors.push(wrong(field, "has control characters other than line breaks"));
    }
}

/// A moment: an instant (RFC 3339), or a local time in a zone.
///
/// # Errors
/// What is wrong with it.
fn moment(text: &str, zone: &TimeZone) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        // Stored in microseconds, so shown as it is stored.
        return Timestamp::from_microsecond(at.as_microsecond()).map_err(|e| e.to_string());
    }
    let civil: Result<jiff::civil::DateTime, _> = text.parse();
    civil
        .ok()
        .and_then(|c| c.to_zoned(zone.clone()).ok())
        .map(|z| z.timestamp())
        .ok_or_else(|| format!("{text:?} is not a date with a time, as 2026-11-25T22:00"))
}

fn view(app: &App, page: StatusPage) -> StatusPageView {
    StatusPageView {
        id: page.id.to_string(),
        url: format!("{}/status/{}", app.settings.public_url.trim_end_matches('/'), page.slug),
        slug: page.slug,
        title: page.title,
        about: page.about,
        label: page.label,
        noindex: page.noindex,
        published: page.published,
        created: page.created,
    }
}

fn post_view(post: StatusPost) -> AnnouncementView {
    AnnouncementView {
        id: post.id.to_string(),
        page: post.page.to_string(),
        kind: post.kind.word().to_owned(),
        title: post.title,
        state: post.state,
        starts: post.starts,
        ends: post.ends,
        zone: post.zone,
        closed: post.closed,
        updates: post
            .updates
            .into_iter()
            .map(|u| AnnouncementUpdateView { at: u.at, state: u.state, author: u.author, say: u.say })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_times_are_of_their_zone_and_instants_are_themselves() {
        let berlin = TimeZone::get("Europe/Berlin").expect("built in");
        let at = |text| moment(text, &berlin).expect("a moment").to_string();
        assert_eq!(at("2026-11-25T22:00"), "2026-11-25T21:00:00Z");
        assert_eq!(at("2026-07-01T22:00"), "2026-07-01T20:00:00Z");
        assert_eq!(at("2026-11-25T22:00:00Z"), "2026-11-25T22:00:00Z");
        assert_eq!(at("2026-11-25T22:00:00+02:00"), "2026-11-25T20:00:00Z");
        assert!(moment("soon", &berlin).is_err());
    }
}
