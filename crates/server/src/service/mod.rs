//! What can be done, for the API and the pages alike. Every function takes the [`Principal`](crate::Principal), so that
//! neither door can do what the person or the key may not, and answers with the shapes of [`crate::api::model`].

pub mod accounts;
pub mod channels;
pub mod heartbeats;
pub mod incidents;
pub mod jobs;
pub mod keys;
pub mod monitors;
pub mod organisation;
pub mod reports;
pub(crate) mod room;
pub mod status;
pub mod windows;

use jiff::Timestamp;
use landfall_monitor::Happened;
use landfall_store::{Id, OrgId, Page};

use crate::api::model::Listing;
use crate::problem::FieldError;
use crate::{App, Problem};

/// Turns rows, of which there is one more than asked when there is a next page, into a page.
pub fn listing<T, V>(
    mut rows: Vec<T>,
    page: Page,
    id: impl Fn(&T) -> Id,
    view: impl FnMut(T) -> V,
) -> Listing<V> {
    let limit = page.limit.clamp(1, 500) as usize;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = if more { rows.last().map(|r| id(r).to_string()) } else { None };
    Listing { items: rows.into_iter().map(view).collect(), next }
}

/// Tells open pages and streams that something changed.
pub(crate) fn tell(app: &App, org: OrgId, kind: &'static str, id: Id, what: &'static str, actor: &str) {
    app.bus.tell(Happened { org, kind, id, what, detail: serde_json::json!({ "by": actor }) });
}

/// Milliseconds of microseconds.
pub(crate) fn ms(us: i64) -> f64 {
    us as f64 / 1000.0
}

/// A field that is wrong.
pub(crate) fn wrong(field: impl Into<String>, detail: impl Into<String>) -> FieldError {
    FieldError { field: field.into(), detail: detail.into() }
}

/// A name for people: not empty, one line, bounded.
pub(crate) fn check_name(field: &str, name: &str, errors: &mut Vec<FieldError>) {
    let count = name.chars().count();
    if name.trim().is_empty() {
        errors.push(wrong(field, "is empty; give it a name"));
    } else if count > 200 {
        errors.push(wrong(field, format!("has {count} characters; at most 200 are taken")));
    } else if name.chars().any(char::is_control) {
        errors.push(wrong(field, "has control characters; one plain line is taken"));
    }
}

/// An external id: what a file name could be, so that it is safe in URLs, logs and shells.
pub(crate) fn check_external_id(field: &str, id: &str, errors: &mut Vec<FieldError>) {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let first = id.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    if !first || id.len() > 100 || !id.chars().all(fine) {
        errors.push(wrong(
            field,
            "is not an external id: 1 to 100 of A-Z a-z 0-9 - _ . and a letter or digit first",
        ));
    }
}

/// An external id out of a name, for things that are made without one.
pub(crate) fn external_id_of(name: &str, id: Id) -> String {
    let tail = &id.0.simple().to_string()[24..];
    let slug = slug(name);
    if slug.is_empty() { tail.to_owned() } else { format!("{slug}-{tail}") }
}

/// Lower case letters, digits and dashes; at most fifty.
pub(crate) fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.to_lowercase().chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() >= 50 {
            break;
        }
    }
    slug.trim_end_matches('-').to_owned()
}

/// The problem of these errors, if there are any.
pub(crate) fn no_errors(errors: Vec<FieldError>) -> Result<(), Problem> {
    if errors.is_empty() { Ok(()) } else { Err(Problem::invalid(errors)) }
}

/// 409 with these errors: each field is sound in itself, and does not fit what is there.
pub(crate) fn fits(errors: Vec<FieldError>) -> Result<(), Problem> {
    if errors.is_empty() {
        return Ok(());
    }
    Err(Problem { errors, ..Problem::conflict("it names what is not there") })
}

/// A moment later by so many seconds.
pub(crate) fn later(now: Timestamp, seconds: u64) -> Timestamp {
    now.checked_add(std::time::Duration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}
