//! The overview, and everything about monitors and maintenance windows.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::{Path, Query, RawQuery};
use axum::response::Response;
use axum::routing::{get, post};
use jiff::Timestamp;
use landfall_monitor::{MonitorSpec, WindowSpec};
use landfall_store::monitors::Expect;
use landfall_store::status::Sums;
use landfall_store::{Id, Page};
use serde::Deserialize;
use serde_json::Value;

use super::{After, page};
use crate::api::model::{BucketView, Listing, MonitorView};
use crate::pages::door::{Sent, Visitor, fields_of, go, id};
use crate::pages::form::{self, Values};
use crate::pages::monitor_form::{self, MonitorForm};
use crate::pages::overview::{self, Filter, Overview};
use crate::pages::{monitor, windows};
use crate::problem::FieldError;
use crate::service::monitors::Width;
use crate::service::reports::Subject;
use crate::service::{self, external_id_of};
use crate::{App, Problem, Right};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/", get(home))
        .route("/add", get(add))
        .route("/monitors", get(|| async { go("/") }).post(create))
        .route("/monitors/new", get(new))
        .route("/monitors/{id}", get(show).post(change))
        .route("/monitors/{id}/edit", get(edit))
        .route("/monitors/{id}/pause", post(pause))
        .route("/monitors/{id}/resume", post(resume))
        .route("/monitors/{id}/check", post(check))
        .route("/monitors/{id}/audit", post(audit))
        .route("/monitors/{id}/delete", post(delete))
        .route("/windows", get(window_list).post(window_create))
        .route("/windows/new", get(window_new))
        .route("/windows/{id}", post(window_change))
        .route("/windows/{id}/edit", get(window_edit))
        .route("/windows/{id}/delete", post(window_delete))
}

/// Monitors on one page.
const ROWS: u32 = 50;
/// Rounds of 500 monitors that are looked through for a label in one request.
const ROUNDS: usize = 20;

#[derive(Debug, Default, Deserialize)]
struct Wanted {
    #[serde(default)]
    verdict: String,
    #[serde(default)]
    label: String,
    #[serde(default)]
    q: String,
    #[serde(default)]
    after: String,
}

async fn home(visitor: Visitor, Query(wanted): Query<Wanted>) -> Result<Response, Problem> {
    let filter = Filter { verdict: wanted.verdict, label: wanted.label, text: wanted.q, after: wanted.after };
    let tenant = &visitor.principal.tenant;
    visitor.principal.require(Right::Read)?;
    let counts = tenant.verdict_counts().await?;
    let troubles = troubles(&visitor).await?;
    let monitors = filtered(&visitor, &filter).await?;
    let since =
        visitor.shell.now.checked_sub(std::time::Duration::from_secs(25 * 3600)).unwrap_or(Timestamp::MIN);
    let ids: Vec<Id> = monitors.items.iter().filter_map(|m| m.id.parse().ok()).collect();
    let hours = match (ids.iter().min(), ids.iter().max()) {
        (Some(first), Some(last)) => tenant.hourly_sums(*first, *last, since).await?,
        _ => BTreeMap::new(),
    };
    let hours =
        hours.into_iter().map(|(id, sums)| (id.to_string(), sums.iter().map(bucket).collect())).collect();
    // Trouble of the server itself is for those who can do something about it.
    let jobs = match visitor.principal.can(Right::Admin) {
        true => match service::jobs::list(&visitor.app, &visitor.principal).await {
            Ok(list) => list.items,
            Err(problem) if problem.status == 403 => Vec::new(),
            Err(problem) => return Err(problem),
        },
        false => Vec::new(),
    };
    let jobs = jobs.into_iter().filter(|j| matches!(j.status.as_str(), "failed" | "overdue")).collect();
    let data = Overview { troubles, monitors, hours, counts, filter, jobs };
    Ok(visitor.show(overview::page(&visitor.shell, &data)))
}

/// Open incidents, those that nobody has acknowledged first, then by severity and age.
async fn troubles(visitor: &Visitor) -> Result<Vec<crate::api::model::IncidentView>, Problem> {
    let open = Page { after: None, limit: 100 };
    let mut items = service::incidents::list(&visitor.principal, Some("open"), None, open).await?.items;
    items.extend(service::incidents::list(&visitor.principal, Some("confirming"), None, open).await?.items);
    let weight = |severity: &str| ["critical", "high", "medium", "low"].iter().position(|s| *s == severity);
    items.sort_by_key(|i| (i.acknowledged.is_some(), weight(&i.severity).unwrap_or(9), i.began));
    items.dedup_by(|a, b| a.id == b.id);
    Ok(items)
}

async fn filtered(visitor: &Visitor, filter: &Filter) -> Result<Listing<MonitorView>, Problem> {
    let asked = service::monitors::Filter {
        verdict: (!filter.verdict.is_empty()).then(|| filter.verdict.clone()),
        kind: None,
        text: (!filter.text.is_empty()).then(|| filter.text.clone()),
    };
    let mut at = page(&filter.after, ROWS)?;
    if filter.label.is_empty() {
        return service::monitors::list(&visitor.app, &visitor.principal, &asked, at).await;
    }
    // Labels are part of the declaration, so they are looked for among what the other filters leave.
    let mut found = Vec::new();
    at.limit = 500;
    for _ in 0..ROUNDS {
        let round = service::monitors::list(&visitor.app, &visitor.principal, &asked, at).await?;
        for monitor in round.items {
            if carries(&monitor.spec, &filter.label) {
                if found.len() == ROWS as usize {
                    let next = found.last().map(|m: &MonitorView| m.id.clone());
                    return Ok(Listing { items: found, next });
                }
                found.push(monitor);
            }
        }
        match round.next {
            Some(next) => at.after = Some(id(&next, "page")?),
            None => return Ok(Listing { items: found, next: None }),
        }
    }
    Ok(Listing { items: found, next: at.after.map(|a| a.to_string()) })
}

/// Whether a declaration carries a label: `name=value`, or a name alone.
fn carries(spec: &Value, label: &str) -> bool {
    let labels = spec.get("labels").and_then(Value::as_object);
    match label.split_once('=') {
        Some((name, value)) => {
            labels.and_then(|l| l.get(name.trim())).and_then(Value::as_str) == Some(value.trim())
        }
        None => labels.is_some_and(|l| l.contains_key(label.trim())),
    }
}

fn bucket(sums: &Sums) -> BucketView {
    BucketView {
        from: Timestamp::from_microsecond(sums.from_us).unwrap_or(Timestamp::UNIX_EPOCH),
        up: sums.up,
        degraded: sums.degraded,
        down: sums.down,
        inconclusive: sums.inconclusive,
        maintenance: sums.maintenance,
        missed: sums.missed,
        uptime: Sums::uptime([sums]),
        mean_ms: None,
        max_ms: None,
    }
}

#[derive(Debug, Default, Deserialize)]
struct Add {
    #[serde(default)]
    url: String,
}

async fn add(visitor: Visitor, Query(asked): Query<Add>) -> Result<Response, Problem> {
    visitor.principal.require(Right::Write)?;
    Ok(visitor.show(overview::add_page(&visitor.shell, &asked.url)))
}

async fn show(
    visitor: Visitor,
    Path(name): Path<String>,
    Query(at): Query<After>,
) -> Result<Response, Problem> {
    let (app, who) = (&visitor.app, &visitor.principal);
    let id = id(&name, "monitor")?;
    let data = monitor::MonitorPage {
        monitor: service::monitors::get(app, who, id).await?.value,
        hours: service::monitors::buckets(app, who, id, Width::Hour, None, None).await?,
        days: service::monitors::buckets(app, who, id, Width::Day, None, None).await?,
        results: service::monitors::results(who, id, at.page(ROWS)?).await?,
        after: at.after,
        incidents: service::incidents::list(who, None, Some(id), Page { after: None, limit: 10 })
            .await?
            .items,
    };
    Ok(visitor.show(monitor::page(&visitor.shell, &data)))
}

async fn new(visitor: Visitor, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    visitor.principal.require(Right::Write)?;
    let asked = Values::parse(query.unwrap_or_default().as_bytes());
    let kind = monitor_form::kind(asked.get("kind"));
    let fields = monitor_form::fields(kind);
    let mut values = asked.clone();
    for field in fields.iter().filter(|f| !f.default.is_empty() && asked.get(f.at).is_empty()) {
        values.push(field.at, field.default);
    }
    let form = MonitorForm { kind, of: None, values: &values, errors: &[] };
    Ok(visitor.show(monitor_form::page(&visitor.shell, &form)))
}

/// A declaration out of JSON, or what is wrong with it.
pub(super) fn declared<T: serde::de::DeserializeOwned>(json: Value) -> Result<T, Vec<FieldError>> {
    serde_path_to_error::deserialize(json).map_err(|error| {
        let field = format!("/{}", error.path().to_string().replace('.', "/"));
        vec![FieldError { field, detail: error.into_inner().to_string() }]
    })
}

async fn create(sent: Sent) -> Result<Response, Problem> {
    let Sent { visitor, values } = sent;
    visitor.principal.require(Right::Write)?;
    let kind = monitor_form::kind(values.get("kind"));
    let errors = match monitor_form::spec(kind, &values).and_then(declared::<MonitorSpec>) {
        Ok(spec) => match service::monitors::create(&visitor.app, &visitor.principal, spec).await {
            Ok(made) => {
                let path = format!("/monitors/{}", made.value.id);
                return Ok(visitor.done(&path, "It is being watched from now on."));
            }
            Err(problem) => fields_of(problem)?,
        },
        Err(errors) => errors,
    };
    let form = MonitorForm { kind, of: None, values: &values, errors: &errors };
    Ok(visitor.again(monitor_form::page(&visitor.shell, &form)))
}

async fn edit(visitor: Visitor, Path(name): Path<String>) -> Result<Response, Problem> {
    visitor.principal.require(Right::Write)?;
    let found = service::monitors::get(&visitor.app, &visitor.principal, id(&name, "monitor")?).await?.value;
    let kind = monitor_form::kind(&found.kind);
    let values = form::of_json(&monitor_form::fields(kind), &found.spec);
    let form = MonitorForm { kind, of: Some((&found.id, &found.name)), values: &values, errors: &[] };
    Ok(visitor.show(monitor_form::page(&visitor.shell, &form)))
}

async fn change(Path(name): Path<String>, sent: Sent) -> Result<Response, Problem> {
    let Sent { visitor, values } = sent;
    visitor.principal.require(Right::Write)?;
    let found = service::monitors::get(&visitor.app, &visitor.principal, id(&name, "monitor")?).await?;
    let kind = monitor_form::kind(&found.value.kind);
    let fields = monitor_form::fields(kind);
    let read = monitor_form::spec(kind, &values)
        .map(|filled| form::merged(&fields, &found.value.spec, filled))
        .and_then(declared::<MonitorSpec>);
    let errors = match read {
        Ok(spec) => {
            let expect = Expect::Unchanged(found.version);
            let done = service::monitors::put(
                &visitor.app,
                &visitor.principal,
                &found.value.external_id,
                spec,
                expect,
            );
            match done.await {
                Ok(_) => return Ok(visitor.done(&format!("/monitors/{}", found.value.id), "Saved.")),
                Err(problem) => fields_of(problem)?,
            }
        }
        Err(errors) => errors,
    };
    let form = MonitorForm {
        kind,
        of: Some((&found.value.id, &found.value.name)),
        values: &values,
        errors: &errors,
    };
    Ok(visitor.again(monitor_form::page(&visitor.shell, &form)))
}

async fn set_paused(sent: Sent, name: &str, paused: bool) -> Result<Response, Problem> {
    let visitor = sent.visitor;
    let id = id(name, "monitor")?;
    service::monitors::pause(&visitor.app, &visitor.principal, id, paused).await?;
    let say = if paused { "Paused: it is not checked until somebody resumes it." } else { "Resumed." };
    Ok(visitor.done(&format!("/monitors/{id}"), say))
}

async fn pause(Path(name): Path<String>, sent: Sent) -> Result<Response, Problem> {
    set_paused(sent, &name, true).await
}

async fn resume(Path(name): Path<String>, sent: Sent) -> Result<Response, Problem> {
    set_paused(sent, &name, false).await
}

async fn check(Path(name): Path<String>, sent: Sent) -> Result<Response, Problem> {
    let visitor = sent.visitor;
    let id = id(&name, "monitor")?;
    service::monitors::check_now(&visitor.app, &visitor.principal, id).await?;
    Ok(visitor.done(&format!("/monitors/{id}"), "It is being checked; the result appears here."))
}

async fn audit(Path(name): Path<String>, sent: Sent) -> Result<Response, Problem> {
    let visitor = sent.visitor;
    let subject = Subject::Monitor(id(&name, "monitor")?);
    let report = service::reports::start(&visitor.app, &visitor.principal, &subject).await?;
    Ok(go(&format!("/reports/{}", report.id)))
}

async fn delete(Path(name): Path<String>, sent: Sent) -> Result<Response, Problem> {
    let visitor = sent.visitor;
    service::monitors::delete(&visitor.app, &visitor.principal, id(&name, "monitor")?).await?;
    Ok(visitor.done("/", "The monitor is deleted."))
}

async fn window_list(visitor: Visitor, Query(at): Query<After>) -> Result<Response, Problem> {
    let list = service::windows::list(&visitor.app, &visitor.principal, at.page(ROWS)?).await?;
    Ok(visitor.show(windows::list_page(&visitor.shell, &list, &at.after)))
}

async fn window_new(visitor: Visitor) -> Result<Response, Problem> {
    visitor.principal.require(Right::Write)?;
    Ok(visitor.show(windows::form_page(&visitor.shell, None, &form::fresh(windows::FIELDS), &[])))
}

async fn window_create(sent: Sent) -> Result<Response, Problem> {
    let Sent { visitor, values } = sent;
    visitor.principal.require(Right::Write)?;
    let errors = match windows::spec(&values).and_then(declared::<WindowSpec>) {
        Ok(asked) => {
            let external_id = external_id_of(&asked.name, Id::new());
            let done =
                service::windows::put(&visitor.app, &visitor.principal, &external_id, &asked, Expect::Absent);
            match done.await {
                Ok(_) => return Ok(visitor.done("/windows", "The window is planned.")),
                Err(problem) => fields_of(problem)?,
            }
        }
        Err(errors) => errors,
    };
    Ok(visitor.again(windows::form_page(&visitor.shell, None, &values, &errors)))
}

fn window_values(window: &crate::api::model::WindowView) -> Values {
    let mut json = window.spec.clone();
    if let Some(map) = json.as_object_mut() {
        map.entry("name").or_insert_with(|| window.name.clone().into());
    }
    form::of_json(windows::FIELDS, &json)
}

async fn window_edit(visitor: Visitor, Path(name): Path<String>) -> Result<Response, Problem> {
    visitor.principal.require(Right::Write)?;
    let found = service::windows::get(&visitor.app, &visitor.principal, id(&name, "window")?).await?.value;
    let values = window_values(&found);
    Ok(visitor.show(windows::form_page(&visitor.shell, Some((&found.id, &found.name)), &values, &[])))
}

async fn window_change(Path(name): Path<String>, sent: Sent) -> Result<Response, Problem> {
    let Sent { visitor, values } = sent;
    visitor.principal.require(Right::Write)?;
    let found = service::windows::get(&visitor.app, &visitor.principal, id(&name, "window")?).await?;
    let read = windows::spec(&values)
        .map(|filled| form::merged(windows::FIELDS, &found.value.spec, filled))
        .and_then(declared::<WindowSpec>);
    let errors = match read {
        Ok(asked) => {
            let expect = Expect::Unchanged(found.version);
            let done = service::windows::put(
                &visitor.app,
                &visitor.principal,
                &found.value.external_id,
                &asked,
                expect,
            );
            match done.await {
                Ok(_) => return Ok(visitor.done("/windows", "Saved.")),
                Err(problem) => fields_of(problem)?,
            }
        }
        Err(errors) => errors,
    };
    let of = Some((found.value.id.as_str(), found.value.name.as_str()));
    Ok(visitor.again(windows::form_page(&visitor.shell, of, &values, &errors)))
}

async fn window_delete(Path(name): Path<String>, sent: Sent) -> Result<Response, Problem> {
    let visitor = sent.visitor;
    service::windows::delete(&visitor.app, &visitor.principal, id(&name, "window")?).await?;
    Ok(visitor.done("/windows", "The window is deleted."))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn labels_are_found_by_name_and_by_value() {
        let spec = json!({"labels": {"team": "core", "tier": "1"}});
        assert!(carries(&spec, "team=core") && carries(&spec, " tier = 1 ") && carries(&spec, "team"));
        assert!(!carries(&spec, "team=web") && !carries(&spec, "zone") && !carries(&json!({}), "team=core"));
    }

    #[test]
    fn a_wrong_value_is_named_with_its_place() {
        let errors = declared::<MonitorSpec>(
            json!({"name": "a", "interval_s": "often", "check": {"kind": "tcp", "host": "h", "port": 1}}),
        )
        .expect_err("often is no number");
        assert_eq!(errors[0].field, "/interval_s");
    }
}
