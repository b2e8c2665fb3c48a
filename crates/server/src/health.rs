//! Health, in three kinds that are kept apart, because each has its own consequence.
//!
//! - `/healthz`, liveness: this process answers. It asks nobody else, so that a dead database never gets a healthy process
//!   killed.
//! - `/readyz`, readiness: the database answers reads and has the right schema, the watch goes round, and the process is
//!   not about to stop. A load balancer sends nothing here while it is 503.
//! - `/health`, function: ready, and the database also takes a write. This is the one to monitor.
//!
//! `/api/support/health` and `/api/webhooks/stripe/health` say the same of their parts. All have the shapes that monitors of
//! such a backend already know, with further keys. A status code and its body never disagree, nothing here answers later
//! than [`DEADLINE`], and no request starts a call to anybody but the database, and that at most once a second.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderValue, StatusCode, header};
use jiff::Timestamp;
use landfall_store::{StoreError, billing};
use serde_json::{Value, json};

use crate::live::ProviderState;
use crate::{App, Secret};

/// How long an answer may take, a dead database or not.
pub const DEADLINE: Duration = Duration::from_secs(2);

/// How long the database may take for one question of these.
const QUESTION: Duration = Duration::from_millis(1500);

/// For how long a read and a write speak for the database.
const READ_HOLDS: Duration = Duration::from_secs(1);
const WRITE_HOLDS: Duration = Duration::from_secs(5);

/// The watch goes round every ten seconds at least; after this long it is stuck.
const WATCH_HOLDS: Duration = Duration::from_secs(60);

/// The five routes.
pub fn router() -> Router<App> {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/health", get(health))
        .route("/api/support/health", get(support))
        .route("/api/webhooks/stripe/health", get(stripe))
}

/// The last answers of the database.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    read: Option<Look>,
    write: Option<Look>,
    events: Option<Look>,
}

/// One answer.
#[derive(Debug, Clone)]
struct Look {
    at: Timestamp,
    problem: Option<String>,
}

impl Look {
    /// Whether it is recent enough. One from the future was made before the clock was set, and counts for nothing.
    fn holds(&self, now: Timestamp, long: Duration) -> bool {
        Duration::try_from(now.duration_since(self.at)).is_ok_and(|age| age < long)
    }
}

/// One part of readiness with its own evidence.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// `database`, `schema`, `watch`, `draining`, `writes`.
    pub name: &'static str,
    /// Whether it holds.
    pub ok: bool,
    /// The evidence in words.
    pub say: String,
    /// How old the evidence is, in milliseconds; `None` when there is none.
    pub age_ms: Option<i64>,
}

fn part(name: &'static str, ok: bool, say: impl Into<String>, age_ms: Option<i64>) -> Part {
    Part { name, ok, say: say.into(), age_ms }
}

/// What readiness rests on, and with `function` also whether the database takes a write.
pub async fn parts(app: &App, function: bool) -> Vec<Part> {
    let mut parts =
        match tokio::time::timeout(DEADLINE - Duration::from_millis(200), database(app, function)).await {
            Ok(parts) => parts,
            Err(_) => vec![part("database", false, "the database was not heard in time", None)],
        };
    let now = app.clock.now();
    parts.push(match app.live.watch_tick() {
        None => part("watch", false, "the watch has not gone round yet", None),
        Some(at) => {
            let age = Duration::try_from(now.duration_since(at)).unwrap_or_default();
            let ok = age < WATCH_HOLDS;
            let say = if ok { "the watch goes round" } else { "the watch has stopped going round" };
            part("watch", ok, say, Some(millis(age)))
        }
    });
    let draining = app.live.draining();
    let say = if draining { "the process is about to stop" } else { "the process takes work" };
    parts.push(part("draining", !draining, say, Some(0)));
    parts
}

fn millis(age: Duration) -> i64 {
    i64::try_from(age.as_millis()).unwrap_or(i64::MAX)
}

async fn database(app: &App, function: bool) -> Vec<Part> {
    // Whoever holds it asks for all who wait.
    let mut evidence = app.live.evidence.lock().await;
    let now = app.clock.now();
    let fresh = |look: &Option<Look>, long| look.as_ref().is_some_and(|l: &Look| l.holds(now, long));
    let read_wanted = !fresh(&evidence.read, READ_HOLDS);
    let write_wanted = function && !fresh(&evidence.write, WRITE_HOLDS);
    let read = async { if read_wanted { Some(asked(app, schema(app)).await) } else { None } };
    let write = async {
        if write_wanted {
            Some(
                asked(app, async { fault(billing::prove_write(&app.store, &app.live.server, now).await) })
                    .await,
            )
        } else {
            None
        }
    };
    let (read, write) = tokio::join!(read, write);
    if read.is_some() {
        evidence.read = read;
    }
    if write.is_some() {
        evidence.write = write;
    }
    let age = |look: &Look| {
        Some(millis(Duration::try_from(app.clock.now().duration_since(look.at)).unwrap_or_default()))
    };
    let mut parts = Vec::new();
    if let Some(look) = &evidence.read {
        let say = look.problem.clone().unwrap_or_else(|| {
            format!("{} answered a read and has the schema of this version", app.store.kind())
        });
        parts.push(part("database", look.problem.is_none(), say, age(look)));
    }
    if let (true, Some(look)) = (function, &evidence.write) {
        let say = look.problem.clone().unwrap_or_else(|| format!("{} took a write", app.store.kind()));
        parts.push(part("writes", look.problem.is_none(), say, age(look)));
    }
    parts
}

/// Asks within the deadline.
async fn asked(app: &App, question: impl Future<Output = Option<String>>) -> Look {
    let problem = match tokio::time::timeout(QUESTION, question).await {
        Ok(problem) => problem,
        Err(_) => Some("the database did not answer in time".into()),
    };
    Look { at: app.clock.now(), problem }
}

async fn schema(app: &App) -> Option<String> {
    match app.store.levels().await {
        Ok((found, known)) if found == known => None,
        Ok((found, known)) => {
            Some(format!("the database has schema step {found}, and this version needs step {known}"))
        }
        Err(error) => fault(Err(error)),
    }
}

/// What is wrong, for anybody who may ask: not what the driver said, which may name hosts and tables.
fn fault(ended: Result<(), StoreError>) -> Option<String> {
    let error = ended.err()?;
    tracing::warn!(%error, "the database failed a health question");
    Some(match error {
        StoreError::Unreachable { .. } => "the database cannot be reached".into(),
        StoreError::Full { .. } => "the database has no space left".into(),
        _ => "the database refused".into(),
    })
}

/// Whether the table of payment events takes a row; asked at most every five seconds.
async fn events_writable(app: &App) -> Option<String> {
    let look = async {
        let mut evidence = app.live.evidence.lock().await;
        let now = app.clock.now();
        if let Some(look) = evidence.events.as_ref().filter(|l| l.holds(now, WRITE_HOLDS)) {
            return look.problem.clone();
        }
        let look = asked(app, async { fault(billing::can_store(&app.store, now).await) }).await;
        let problem = look.problem.clone();
        evidence.events = Some(look);
        problem
    };
    match tokio::time::timeout(DEADLINE - Duration::from_millis(200), look).await {
        Ok(problem) => problem,
        Err(_) => Some("the database was not heard in time".into()),
    }
}

fn answer(ok: bool, body: &Value) -> Response {
    let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut response = (status, axum::Json(body)).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn listed(parts: &[Part]) -> Value {
    parts
        .iter()
        .map(|p| (p.name.to_owned(), json!({ "ok": p.ok, "say": p.say, "age_ms": p.age_ms })))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn failed(parts: &[Part]) -> Vec<&'static str> {
    parts.iter().filter(|p| !p.ok).map(|p| p.name).collect()
}

async fn healthz(State(app): State<App>) -> Response {
    let up = app.clock.now().duration_since(app.live.started).as_secs().max(0);
    answer(true, &json!({ "ok": true, "version": app.live.version, "build": app.live.build, "uptime_s": up }))
}

async fn readyz(State(app): State<App>) -> Response {
    let parts = parts(&app, false).await;
    let failed = failed(&parts);
    let ok = failed.is_empty();
    answer(ok, &json!({ "ok": ok, "failed": failed, "parts": listed(&parts), "build": app.live.build }))
}

async fn health(State(app): State<App>) -> Response {
    let parts = parts(&app, true).await;
    let failed = failed(&parts);
    let ts = app.clock.now().as_second();
    if failed.is_empty() {
        // Exactly this shape: monitors compare keys.
        answer(true, &json!({ "ok": true, "ts": ts }))
    } else {
        answer(false, &json!({ "ok": false, "ts": ts, "failed": failed }))
    }
}

fn provider(set: bool, state: &ProviderState) -> Value {
    json!({
        "set": set,
        "last_success": state.success,
        "last_error": state.error.as_ref().map(|e| e.1.as_str()),
        "last_error_at": state.error.as_ref().map(|e| e.0),
    })
}

async fn support(State(app): State<App>) -> Response {
    let settings = &app.settings.support;
    let known = app.live.providers();
    let rows = [
        ("openai", settings.model.is_some(), known.openai),
        ("telegram", settings.telegram.is_some(), known.telegram),
        ("whatsapp", settings.whatsapp.is_some(), known.whatsapp),
    ];
    let parts = parts(&app, false).await;
    let database = parts.iter().all(|p| p.name != "database" || p.ok);
    let silent = rows.iter().any(|(_, set, state)| *set && *state == ProviderState::default());
    let broken = rows.iter().any(|(_, set, state)| *set && !state.works());
    let status = match (database, silent, broken) {
        // Conversations and tickets live in the database.
        (false, ..) => "failed",
        (true, true, _) => "unknown",
        (true, false, true) => "degraded",
        (true, false, false) => "ok",
    };
    let mut body = json!({
        "openai_configured": rows[0].1 && rows[0].2.works(),
        "status": status,
        "telegram_configured": rows[1].1 && rows[1].2.works(),
        "whatsapp_configured": rows[2].1 && rows[2].2.works(),
    });
    for (name, set, state) in &rows {
        body[*name] = provider(*set, state);
    }
    if !database {
        body["reason"] = "the database does not answer".into();
    }
    answer(status == "ok", &body)
}

async fn stripe(State(app): State<App>) -> Response {
    let settings = &app.settings.billing;
    let mut reason = None;
    let mut last = (None, 0);
    if !settings.on {
        reason = Some("billing is off".to_owned());
    } else if settings.webhook_secrets.iter().all(Secret::is_empty) {
        reason = Some("no signing secret is set, so no event could be believed".to_owned());
    } else if let Some(problem) = events_writable(&app).await {
        reason = Some(format!("events cannot be stored: {problem}"));
    } else {
        match tokio::time::timeout(Duration::from_millis(500), billing::pulse(&app.store)).await {
            Ok(Ok(pulse)) => last = pulse,
            Ok(Err(_)) | Err(_) => reason = Some("events cannot be read".to_owned()),
        }
    }
    let ok = reason.is_none();
    answer(
        ok,
        &json!({
            "endpoint": "/api/webhooks/stripe/checkout-completed",
            "ok": ok,
            "service": "stripe_checkout_webhook",
            "reason": reason,
            "last_event": last.0.as_ref().map(|e| e.1),
            "last_event_type": last.0.as_ref().map(|e| e.0.as_str()),
            "needs_a_person": last.1,
        }),
    )
}

#[cfg(test)]
mod tests;
