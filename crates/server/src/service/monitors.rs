//! Monitors, their results and their uptime.

use std::time::Duration;

use jiff::Timestamp;
use landfall_monitor::schedule::Ticks;
use landfall_monitor::{Check, MonitorSpec};
use landfall_store::monitors::{Expect, MonitorFilter, MonitorRow, PutMonitor, Written};
use landfall_store::results::{Bucket, Grain, ResultRow};
use landfall_store::{Id, Page, StoreError};
use serde::Deserialize;
use serde_json::Value as Json;
use url::Url;
use utoipa::ToSchema;

use super::room::{self, Thing};
use super::{check_external_id, external_id_of, fits, listing, ms, no_errors, tell, wrong};
use crate::api::model::{
    BucketView, CheckAskedView, Listing, MonitorView, PhasesView, ResultView, UptimeView,
};
use crate::auth::Right;
use crate::problem::FieldError;
use crate::{App, Principal, Problem};

/// What stands for a secret value in an answer. Sent back in a declaration, it means "as it was".
pub const MASKED: &str = landfall_evidence::REDACTED;

/// A monitor and the version of it that was read, for `ETag`.
#[derive(Debug, Clone)]
pub struct Versioned<T> {
    /// The thing.
    pub value: T,
    /// Its version.
    pub version: Timestamp,
}

/// What a list of monitors shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only with this verdict.
    pub verdict: Option<String>,
    /// Only of this kind.
    pub kind: Option<String>,
    /// Only those with this text in their name or external id.
    pub text: Option<String>,
}

/// The width of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Width {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day, in UTC.
    Day,
}

impl From<Width> for Grain {
    fn from(width: Width) -> Self {
        match width {
            Width::Minute => Self::Minute,
            Width::Hour => Self::Hour,
            Width::Day => Self::Day,
        }
    }
}

/// Monitors, oldest first.
///
/// # Errors
/// 403 without the right.
pub async fn list(
    app: &App,
    principal: &Principal,
    filter: &Filter,
    page: Page,
) -> Result<Listing<MonitorView>, Problem> {
    principal.require(Right::Read)?;
    let filter = MonitorFilter {
        verdict: filter.verdict.clone(),
        kind: filter.kind.clone(),
        text: filter.text.clone().filter(|t| !t.is_empty()),
    };
    let rows = principal.tenant.monitors(&filter, page).await?;
    let now = app.clock.now();
    let uptimes = match (rows.first(), rows.last()) {
        (Some(first), Some(last)) => principal.tenant.uptimes(first.id, last.id, day_ago(app)).await?,
        _ => Default::default(),
    };
    Ok(listing(
        rows,
        page,
        |m| m.id,
        |m| {
            let uptime = uptimes.get(&m.id).copied();
            view(m, uptime, now)
        },
    ))
}

/// How many monitors there are, by verdict.
///
/// # Errors
/// 403 without the right.
pub async fn counts(principal: &Principal) -> Result<Vec<(String, u64)>, Problem> {
    principal.require(Right::Read)?;
    Ok(principal.tenant.monitor_counts().await?)
}

/// One monitor.
///
/// # Errors
/// 403 without the right; 404.
pub async fn get(app: &App, principal: &Principal, id: Id) -> Result<Versioned<MonitorView>, Problem> {
    principal.require(Right::Read)?;
    let row = principal.tenant.monitor(id).await?;
    shown(app, principal, row).await
}

/// One monitor by its external id.
///
/// # Errors
/// 403 without the right; 404.
pub async fn get_by_external_id(
    app: &App,
    principal: &Principal,
    external_id: &str,
) -> Result<Versioned<MonitorView>, Problem> {
    principal.require(Right::Read)?;
    let row = principal.tenant.monitor_by_external_id(external_id).await?;
    shown(app, principal, row).await
}

/// Makes a monitor under an external id that is made from its name.
///
/// # Errors
/// 403 without the right; 422.
pub async fn create(
    app: &App,
    principal: &Principal,
    spec: MonitorSpec,
) -> Result<Versioned<MonitorView>, Problem> {
    let external_id = external_id_of(&spec.name, Id::new());
    Ok(put(app, principal, &external_id, spec, Expect::Absent).await?.0)
}

/// Makes a monitor, or changes the one with this external id. The same declaration again changes nothing.
///
/// # Errors
/// 403 without the right; 412 when it is not as expected; 422.
pub async fn put(
    app: &App,
    principal: &Principal,
    external_id: &str,
    mut spec: MonitorSpec,
    expect: Expect,
) -> Result<(Versioned<MonitorView>, Written), Problem> {
    principal.require(Right::Write)?;
    let tenant = &principal.tenant;
    let before = match tenant.monitor_by_external_id(external_id).await {
        Ok(row) => Some(row),
        Err(StoreError::Missing { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    if before.as_ref().is_some_and(|b| b.origin == "file") {
        return Err(Problem::conflict(
            "a configuration file owns this monitor; change it there, and apply it",
        ));
    }
    let mut errors = Vec::new();
    check_external_id("external_id", external_id, &mut errors);
    unmask(&mut spec, before.as_ref().map(|b| &b.spec), &mut errors);
    errors.extend(problems(&spec));
    no_errors(errors)?;
    let mut loose = Vec::new();
    for unknown in tenant.unknown_monitors(&spec.depends_on).await? {
        loose.push(wrong("/depends_on", format!("names the monitor {unknown:?}, and there is none")));
    }
    if spec.depends_on.iter().any(|d| d == external_id) {
        loose.push(wrong("/depends_on", "names the monitor itself"));
    }
    fits(loose)?;
    if before.is_none() {
        room::for_one(app, tenant, Thing::Monitor).await?;
    }
    let was = before.as_ref().and_then(|b| u32::try_from(b.interval_us / 1_000_000).ok());
    room::for_interval(app, tenant, spec.interval_s, was).await?;
    let json = serde_json::to_value(&spec).map_err(|error| {
        tracing::error!(%error, "a declaration could not be written");
        Problem::new(http::StatusCode::INTERNAL_SERVER_ERROR, "the declaration could not be kept")
    })?;
    let put = PutMonitor {
        external_id,
        name: spec.name.trim(),
        kind: spec.check.kind(),
        spec: &json,
        interval_us: i64::from(spec.interval_s) * 1_000_000,
        origin: "api",
    };
    let done = tenant.put_monitor(&put, expect, &principal.name, app.clock.now()).await;
    let (id, written) = match done {
        Err(StoreError::Conflict) if expect != Expect::Anything => return Err(changed_meanwhile()),
        done => done?,
    };
    if written != Written::Same {
        app.watch.nudge();
        let what = if written == Written::Created { "created" } else { "changed" };
        tell(app, tenant.id(), "monitor", id, what, &principal.name);
    }
    Ok((get(app, principal, id).await?, written))
}

/// Pauses or resumes a monitor.
///
/// # Errors
/// 403 without the right; 404.
pub async fn pause(
    app: &App,
    principal: &Principal,
    id: Id,
    paused: bool,
) -> Result<Versioned<MonitorView>, Problem> {
    principal.require(Right::Write)?;
    if principal.tenant.pause_monitor(id, paused, &principal.name, app.clock.now()).await? {
        app.watch.nudge();
        let what = if paused { "paused" } else { "resumed" };
        tell(app, principal.tenant.id(), "monitor", id, what, &principal.name);
    }
    get(app, principal, id).await
}

/// Shows a monitor on status pages, or hides it.
///
/// # Errors
/// 403 without the right; 404; 409 when a configuration file owns it.
pub async fn publish(
    app: &App,
    principal: &Principal,
    id: Id,
    public: bool,
) -> Result<Versioned<MonitorView>, Problem> {
    principal.require(Right::Write)?;
    let row = principal.tenant.monitor(id).await?;
    if row.spec["public"].as_bool().unwrap_or_default() == public {
        return get(app, principal, id).await;
    }
    let mut spec: MonitorSpec = serde_json::from_value(row.spec).map_err(|error| {
        tracing::error!(%error, monitor = %id, "a stored declaration could not be read");
        Problem::new(http::StatusCode::INTERNAL_SERVER_ERROR, "the stored declaration cannot be read")
    })?;
    spec.public = public;
    Ok(put(app, principal, &row.external_id, spec, Expect::Unchanged(row.updated)).await?.0)
}

/// Asks for a check before the next tick. It is in the database, so the server that watches the monitor makes it, whichever
/// it is.
///
/// # Errors
/// 403 without the right; 404; 409 when it is paused.
pub async fn check_now(app: &App, principal: &Principal, id: Id) -> Result<CheckAskedView, Problem> {
    principal.require(Right::Write)?;
    let row = principal.tenant.monitor(id).await?;
    if row.paused {
        return Err(Problem::conflict("it is paused; resume it first"));
    }
    let now = app.clock.now();
    principal.tenant.request_check(id, now).await?;
    app.watch.nudge();
    Ok(CheckAskedView {
        monitor: id.to_string(),
        asked: now,
        say: "It is checked within seconds; its result appears in the results and as an event.".into(),
    })
}

/// Deletes a monitor.
///
/// # Errors
/// 403 without the right; 404; 409 when a configuration file owns it.
pub async fn delete(app: &App, principal: &Principal, id: Id) -> Result<(), Problem> {
    principal.require(Right::Write)?;
    if principal.tenant.monitor(id).await?.origin == "file" {
        return Err(Problem::conflict(
            "a configuration file owns this monitor; take it out there, and apply it",
        ));
    }
    principal.tenant.delete_monitor(id, &principal.name, app.clock.now()).await?;
    app.watch.nudge();
    tell(app, principal.tenant.id(), "monitor", id, "deleted", &principal.name);
    Ok(())
}

/// Results of a monitor, newest first.
///
/// # Errors
/// 403 without the right; 404.
pub async fn results(principal: &Principal, id: Id, page: Page) -> Result<Listing<ResultView>, Problem> {
    principal.require(Right::Read)?;
    principal.tenant.monitor(id).await?;
    let rows = principal.tenant.results(id, page).await?;
    Ok(listing(rows, page, |r| r.id, result_view))
}

/// Sums of a monitor's results by minute, hour or day, oldest first; the last 60 minutes, 48 hours or 90 days unless
/// `from` and `until` say otherwise, and at most 1500 of them.
///
/// # Errors
/// 403 without the right; 404; 422 when there would be too many.
pub async fn buckets(
    app: &App,
    principal: &Principal,
    id: Id,
    width: Width,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
) -> Result<Vec<BucketView>, Problem> {
    principal.require(Right::Read)?;
    principal.tenant.monitor(id).await?;
    let (seconds, count) = match width {
        Width::Minute => (60, 60),
        Width::Hour => (3600, 48),
        Width::Day => (86_400, 90),
    };
    let until = until.unwrap_or_else(|| app.clock.now());
    let from = from.unwrap_or_else(|| earlier(until, seconds * count));
    let most = until.duration_since(from).as_secs() / i64::try_from(seconds).unwrap_or(i64::MAX);
    if most > 1500 {
        let detail = format!("spans {most} buckets; at most 1500 are given at once");
        return Err(Problem::invalid(vec![wrong("from", detail)]));
    }
    let rows = principal.tenant.buckets(id, width.into(), from, until, 1502).await?;
    Ok(rows.into_iter().map(bucket_view).collect())
}

/// Uptime of a monitor over the last day, week, 30 and 90 days.
///
/// # Errors
/// 403 without the right; 404.
pub async fn uptime(app: &App, principal: &Principal, id: Id) -> Result<UptimeView, Problem> {
    principal.require(Right::Read)?;
    principal.tenant.monitor(id).await?;
    let now = app.clock.now();
    let day = 24 * 3600;
    let over = async |grain, seconds| {
        let from = earlier(now, seconds);
        principal.tenant.bucket_sum(id, grain, from, now).await.map(|b| b.uptime())
    };
    Ok(UptimeView {
        day: principal.tenant.uptimes(id, id, day_ago(app)).await?.remove(&id),
        week: over(Grain::Hour, 7 * day).await?,
        days_30: over(Grain::Day, 30 * day).await?,
        days_90: over(Grain::Day, 90 * day).await?,
    })
}

/// What is wrong with a declaration, field by field.
pub fn problems(spec: &MonitorSpec) -> Vec<FieldError> {
    spec.problems().into_iter().map(|(field, detail)| FieldError { field, detail }).collect()
}

/// A URL that can be asked over HTTP.
pub(crate) fn web_url(text: &str) -> Result<Url, String> {
    if text.len() > 2000 {
        return Err(format!("has {} bytes; at most 2000 are taken", text.len()));
    }
    let url = Url::parse(text).map_err(|e| format!("is not a URL ({e}); like https://example.com/health"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err("is not an http or https URL; like https://example.com/health".into());
    }
    Ok(url)
}

/// Puts the kept values where a declaration has the mask.
fn unmask(spec: &mut MonitorSpec, before: Option<&Json>, errors: &mut Vec<FieldError>) {
    if let Some(before) = before.and_then(|b| serde_json::from_value(b.clone()).ok()) {
        spec.keep_secrets(&before);
    }
    let Check::Http(http) = &spec.check else { return };
    let none = "stands for a value that is kept, and none is kept for this place; write the value";
    for (name, _) in http.headers.iter().filter(|(_, v)| *v == MASKED) {
        errors.push(wrong(format!("/check/headers/{}", pointer(name)), format!("{MASKED} {none}")));
    }
    if http.body.as_deref() == Some(MASKED) {
        errors.push(wrong("/check/body", format!("{MASKED} {none}")));
    }
}

fn pointer(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A declaration as it may be shown. What cannot be read is not shown at all: there may be a secret in it.
fn masked(spec: &Json) -> Json {
    MonitorSpec::deserialize(spec).map_or_else(|_| Json::Object(Default::default()), |s| s.shown())
}

/// What a monitor watches, for people.
fn target(spec: &Json) -> String {
    let check = &spec["check"];
    let text = |key: &str| check[key].as_str().unwrap_or_default();
    match check["kind"].as_str() {
        Some("http" | "audit") => match Url::parse(text("url")) {
            Ok(url) => landfall_evidence::redact_url(&url).to_string(),
            Err(_) => String::new(),
        },
        Some("tcp" | "tls") => {
            let port = check["port"].as_u64().unwrap_or(443);
            if text("host").contains(':') {
                format!("[{}]:{port}", text("host"))
            } else {
                format!("{}:{port}", text("host"))
            }
        }
        Some("dns") => format!("{} {}", text("name"), check["rtype"].as_str().unwrap_or("A")),
        _ => String::new(),
    }
}

async fn shown(app: &App, principal: &Principal, row: MonitorRow) -> Result<Versioned<MonitorView>, Problem> {
    let uptimes = principal.tenant.uptimes(row.id, row.id, day_ago(app)).await?;
    let (version, uptime) = (row.updated, uptimes.get(&row.id).copied());
    Ok(Versioned { value: view(row, uptime, app.clock.now()), version })
}

fn view(row: MonitorRow, uptime_24h: Option<f64>, now: Timestamp) -> MonitorView {
    let state = row.state.as_ref();
    let verdict = match state {
        _ if row.paused => "paused".to_owned(),
        None => "new".to_owned(),
        Some(state) => state.verdict.clone(),
    };
    let interval = Duration::from_micros(u64::try_from(row.interval_us).unwrap_or(0).max(1));
    let next_check = (!row.paused).then(|| Ticks::of(row.id, interval).after(now));
    MonitorView {
        id: row.id.to_string(),
        target: target(&row.spec),
        spec: masked(&row.spec),
        verdict,
        since: match state {
            // When it was paused is when it was last changed, as near as it is known.
            _ if row.paused => row.updated,
            None => row.created,
            Some(state) => state.since,
        },
        say: state.and_then(|s| s.say.clone()),
        reason: state.and_then(|s| s.reason.clone()),
        last_check: state.and_then(|s| s.last_check),
        last_up: state.and_then(|s| s.last_up),
        next_check,
        took_ms: state.and_then(|s| s.last_took_us).map(ms),
        incident: state.and_then(|s| s.incident).map(|i| i.to_string()),
        uptime_24h,
        external_id: row.external_id,
        name: row.name,
        kind: row.kind,
        paused: row.paused,
        origin: row.origin,
    }
}

fn result_view(row: ResultRow) -> ResultView {
    let [resolve_ms, connect_ms, tls_ms, wait_ms, transfer_ms] = row.phases_us.map(|p| p.map(ms));
    ResultView {
        id: row.id.to_string(),
        scheduled: row.scheduled,
        started: row.started,
        took_ms: ms(row.took_us),
        outcome: row.outcome,
        reason: row.reason,
        say: row.say,
        status: row.status.and_then(|s| u16::try_from(s).ok()),
        phases: PhasesView { resolve_ms, connect_ms, tls_ms, wait_ms, transfer_ms },
    }
}

/// A bucket as the API shows it.
pub(crate) fn bucket_view(bucket: Bucket) -> BucketView {
    BucketView {
        from: bucket.from,
        up: bucket.up,
        degraded: bucket.degraded,
        down: bucket.down,
        inconclusive: bucket.inconclusive,
        maintenance: bucket.maintenance,
        missed: bucket.missed,
        uptime: bucket.uptime(),
        mean_ms: (bucket.took_count > 0)
            .then(|| bucket.took_sum_us as f64 / bucket.took_count as f64 / 1000.0),
        max_ms: (bucket.took_count > 0).then(|| bucket.took_max_us as f64 / 1000.0),
    }
}

pub(crate) fn changed_meanwhile() -> Problem {
    Problem::new(
        http::StatusCode::PRECONDITION_FAILED,
        "it is not as the condition of the request says (If-Match, If-None-Match); read it again",
    )
}

fn earlier(now: Timestamp, seconds: u64) -> Timestamp {
    now.checked_sub(Duration::from_secs(seconds)).unwrap_or(Timestamp::MIN)
}

fn day_ago(app: &App) -> Timestamp {
    earlier(app.clock.now(), 24 * 3600)
}
