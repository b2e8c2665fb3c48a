//! What happens, as it happens: server-sent events (WHATWG HTML, section 9.2).

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Extension, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use landfall_store::Id;
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Right;
use crate::{App, Principal, Problem};

/// Streams that one key or person may have open at the same time: some tabs, and a wall screen.
const STREAMS: usize = 10;
/// How often a silent stream says that it is alive, and asks whether its reader still may read.
const ALIVE: Duration = Duration::from_secs(15);
/// After so long a stream ends; browsers connect again by themselves.
const LONGEST: Duration = Duration::from_secs(3600);

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(events))
}

/// One event. Its name is `kind`, its data this.
#[derive(Debug, Serialize, ToSchema)]
struct EventView {
    /// What kind of thing changed: `monitor`, `incident`, `report`, `heartbeat`, `outbox`, `job`, `window`.
    kind: String,
    /// Its id.
    id: String,
    /// In what way: `checked`, `opened`, `diagnosed`, `resolved`, `progress`, …
    what: String,
    /// Details, by kind.
    #[schema(value_type = Object)]
    detail: serde_json::Value,
}

/// Who has how many streams open.
#[derive(Debug, Clone, Default)]
pub(crate) struct Streams(Arc<Mutex<HashMap<Id, usize>>>);

/// One open stream; counted until it is dropped.
struct Open {
    streams: Streams,
    who: Id,
}

impl Streams {
    fn open(&self, who: Id) -> Option<Open> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(who).or_default();
        if *count >= STREAMS {
            return None;
        }
        *count += 1;
        Some(Open { streams: self.clone(), who })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut counts = self.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.who) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.who);
            }
        }
    }
}

/// What happens, as it happens
///
/// Server-sent events: `event` is the kind of thing, `data` says which one and in what way. A reader that is too slow
/// gets an event `lag` with the number of events that it missed, and does well to read again what it shows. At most ten
/// streams are open for one key or person.
#[utoipa::path(get, path = "/events", tag = "events", operation_id = "events",
    responses((status = 200, description = "The stream.", body = EventView, content_type = "text/event-stream")))]
async fn events(
    State(app): State<App>,
    Extension(streams): Extension<Streams>,
    principal: Principal,
    parts: Parts,
) -> Result<Response, Problem> {
    principal.require(Right::Read)?;
    let who = principal.key.or(principal.user).ok_or_else(Problem::unauthenticated)?;
    let open = streams.open(who).ok_or_else(|| {
        Problem::new(StatusCode::TOO_MANY_REQUESTS, format!("{STREAMS} streams are open already; close one"))
            .with_header(header::RETRY_AFTER, HeaderValue::from_static("5"))
    })?;
    let org = principal.tenant.id();
    let mut happened = app.bus.listen();
    let stream = async_stream::stream! {
        let _open = open;
        yield Ok::<_, Infallible>(Event::default().retry(Duration::from_secs(3)).comment("listening"));
        let end = tokio::time::sleep(LONGEST);
        tokio::pin!(end);
        let mut look = tokio::time::interval(ALIVE);
        look.tick().await;
        loop {
            tokio::select! {
                () = &mut end => break,
                _ = look.tick() => {
                    // A session that was ended, a key that was revoked, a member who was removed: all read no further.
                    // A database that cannot be asked just now is no reason to hang up.
                    match Principal::of(&parts, &app).await {
                        Ok(now) if now.tenant.id() == org && now.can(Right::Read) => {}
                        Err(problem) if problem.status == 503 => {}
                        _ => break,
                    }
                }
                next = happened.recv() => match next {
                    Ok(mut event) if event.org == org => {
                        // The id of a heartbeat is the secret of its ping URL.
                        if event.kind == "heartbeat" && !principal.can(Right::Write) {
                            event.id = Id::default();
                        }
                        if let Ok(event) = Event::default().event(event.kind).json_data(&event) {
                            yield Ok(event);
                        }
                    }
                    Ok(_) => {}
                    Err(RecvError::Lagged(missed)) => {
                        let data = serde_json::json!({ "missed": missed });
                        yield Ok(Event::default().event("lag").data(data.to_string()));
                    }
                    Err(RecvError::Closed) => break,
                },
            }
        }
    };
    let sse = Sse::new(stream).keep_alive(KeepAlive::new().interval(ALIVE));
    // Proxies that gather answers would hold events back.
    Ok(([("x-accel-buffering", "no")], sse).into_response())
}
