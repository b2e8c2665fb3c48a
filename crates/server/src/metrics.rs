//! `/metrics`: what the watch knows, for Prometheus.
//!
//! Names and meaning follow blackbox_exporter where it has one, so that dashboards and alert rules work as they are
//! (<https://github.com/prometheus/blackbox_exporter>). One difference is on purpose: a check that could not tell
//! (`inconclusive`) has no `probe_success`, because unknown is neither 1 nor 0.
//!
//! Who may read: a key with the scope `metrics` sees its own organisation's monitors and nothing of the server. A request
//! from one of `metrics_from` (loopback by default) that did not come through a proxy sees everything. A request that
//! carries a forwarding header came through one, whatever its peer's address says.
//!
//! The text is the exposition format 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>).

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, FromRequestParts as _, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::request::Parts;
use http::{HeaderMap, header};
use landfall_monitor::HistogramReading;
use landfall_store::{OrgId, Row, StoreError, billing, params};

use crate::{App, Principal, Problem, Right};

/// Monitors that one answer lists at most.
const MOST: i64 = 20_000;

/// How long the database may take.
const DEADLINE: Duration = Duration::from_secs(8);

/// The route.
pub fn router() -> Router<App> {
    Router::new().route("/metrics", get(serve))
}

/// Whose metrics are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// The server's, and those of all its organisations.
    Server,
    /// One organisation's.
    Organisation(OrgId),
}

/// Whether a request may see the whole server without a key.
pub fn from_trusted(app: &App, peer: Option<SocketAddr>, headers: &HeaderMap) -> bool {
    let proxied =
        ["x-forwarded-for", "forwarded", "x-real-ip", "via"].iter().any(|h| headers.contains_key(*h));
    let Some(peer) = peer else { return false };
    let peer = peer.ip().to_canonical();
    !proxied && app.settings.metrics_from.iter().any(|net| net.contains(&peer))
}

/// Who may read metrics, and whose: `/metrics` and `/probe` have the same door.
///
/// # Errors
/// 401 or 403 for whoever may not.
pub(crate) async fn reader(app: &App, parts: &mut Parts) -> Result<View, Problem> {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|c| c.0);
    let keyed = parts.headers.contains_key(header::AUTHORIZATION);
    if !keyed && from_trusted(app, peer, &parts.headers) {
        return Ok(View::Server);
    }
    let who = Principal::from_request_parts(parts, app).await?;
    who.require(Right::Metrics)?;
    Ok(View::Organisation(who.tenant.id()))
}

async fn serve(State(app): State<App>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let view = match reader(&app, &mut parts).await {
        Ok(view) => view,
        Err(problem) => return problem.into_response(),
    };
    let text = render(&app, view).await;
    (
        [
            (header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"),
            (header::CACHE_CONTROL, "no-store"),
        ],
        text,
    )
        .into_response()
}

/// The metrics as text. A database that does not answer shows as `landfall_database_up 0`; what this process counted
/// itself is there all the same.
pub async fn render(app: &App, view: View) -> String {
    let mut page = Page::default();
    let asked = tokio::time::timeout(DEADLINE, from_database(app, view, &mut page)).await;
    let up = match asked {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::warn!(%error, "the database failed the metrics");
            false
        }
        Err(_) => false,
    };
    if !up {
        // Half of the series would look like monitors that vanished.
        page = Page::default();
    }
    page.family("landfall_database_up", "gauge", "Whether the database answered for this scrape.");
    page.sample(&[], f64::from(u8::from(up)));
    if view == View::Server {
        process(app, &mut page);
    }
    page.text
}

fn process(app: &App, page: &mut Page) {
    page.family("landfall_build_info", "gauge", "The version and build that is running; always 1.");
    page.sample(&[("version", app.live.version), ("build", app.live.build)], 1.0);
    let started = app.live.started.as_microsecond() as f64 / 1e6;
    page.family(
        "landfall_start_time_seconds",
        "gauge",
        "When the process started, in seconds since the epoch.",
    );
    page.sample(&[], started);
    page.family("landfall_ready_draining", "gauge", "Whether the process is about to stop.");
    page.sample(&[], f64::from(u8::from(app.live.draining())));
    if let Some(tick) = app.live.watch_tick() {
        page.family("landfall_watch_last_tick_timestamp_seconds", "gauge", "When the watch last went round.");
        page.sample(&[], tick.as_microsecond() as f64 / 1e6);
    }
    let meters = &app.live.meters;
    page.family("landfall_checks_total", "counter", "Checks that were begun.");
    page.sample(&[], meters.checks_total() as f64);
    page.family("landfall_missed_windows_total", "counter", "Ticks at which nothing was checked.");
    page.sample(&[], meters.missed_total() as f64);
    page.family(
        "landfall_schedule_lag_seconds",
        "histogram",
        "From the moment at which a check was due to the moment at which it began.",
    );
    page.histogram(&meters.schedule_lag.read());
}

const MONITORS: &str = "SELECT o.slug, m.external_id, m.name, m.spec, m.paused, s.verdict,
       r.outcome, r.reason, r.took_us, r.resolve_us, r.connect_us, r.tls_us, r.wait_us, r.transfer_us, r.status,
       r.cert_not_after_us, r.started_us
     FROM monitors m
     JOIN orgs o ON o.id = m.org_id
     LEFT JOIN monitor_states s ON s.monitor_id = m.id
     LEFT JOIN results r ON r.id = (
       SELECT x.id FROM results x WHERE x.monitor_id = m.id AND x.outcome <> 'missed'
       ORDER BY x.scheduled_us DESC, x.attempt DESC LIMIT 1)
     WHERE m.deleted_us IS NULL";

async fn from_database(app: &App, view: View, page: &mut Page) -> Result<(), StoreError> {
    let store = &app.store;
    let rows = match view {
        View::Server => {
            store.query(&format!("{MONITORS} ORDER BY m.id LIMIT {}", MOST + 1), params![]).await?
        }
        View::Organisation(org) => {
            let sql = format!("{MONITORS} AND m.org_id = $1 ORDER BY m.id LIMIT {}", MOST + 1);
            store.query(&sql, params![org]).await?
        }
    };
    let cut = rows.len() > MOST as usize;
    let monitors: Vec<Series> =
        rows.iter().take(MOST as usize).map(|row| Series::of(row, view)).collect::<Result<_, _>>()?;
    page.family("landfall_metrics_cut", "gauge", "Whether there are more monitors than one answer lists.");
    page.sample(&[], f64::from(u8::from(cut)));
    write_monitors(page, &monitors);
    outbox(app, view, page).await?;
    if view == View::Server {
        jobs(app, page).await?;
        let (pending, dead) = landfall_store::support::reply_counts(store).await?;
        page.family("landfall_bot_replies_pending", "gauge", "Answers to chats that are not sent yet.");
        page.sample(&[], pending as f64);
        page.family("landfall_bot_replies_dead", "gauge", "Answers to chats that were given up.");
        page.sample(&[], dead as f64);
        if app.settings.billing.on {
            let (last, open) = billing::pulse(store).await?;
            page.family(
                "landfall_billing_events_needing_a_person",
                "gauge",
                "Payment events that nobody's account or no rule fits.",
            );
            page.sample(&[], open as f64);
            if let Some((_, at)) = last {
                page.family(
                    "landfall_billing_last_event_timestamp_seconds",
                    "gauge",
                    "When the last payment event came in.",
                );
                page.sample(&[], at.as_microsecond() as f64 / 1e6);
            }
        }
    }
    Ok(())
}

/// One monitor with its newest result.
struct Series {
    labels: Vec<(&'static str, String)>,
    verdict: String,
    paused: bool,
    outcome: Option<String>,
    reason: Option<String>,
    took_us: Option<i64>,
    phases: [(&'static str, Option<i64>); 5],
    http: bool,
    status: Option<i64>,
    certificate_us: Option<i64>,
    started_us: Option<i64>,
}

impl Series {
    fn of(row: &Row, view: View) -> Result<Self, StoreError> {
        let spec: serde_json::Value = row.json("spec")?;
        let mut labels = Vec::new();
        if view == View::Server {
            labels.push(("org", row.text("slug")?));
        }
        labels.push(("monitor", row.text("external_id")?));
        labels.push(("name", row.text("name")?));
        labels.push(("target", target(&spec)));
        let paused = row.flag("paused")?;
        let verdict = if paused {
            "paused".to_owned()
        } else {
            row.opt_text("verdict")?.unwrap_or_else(|| "new".into())
        };
        Ok(Self {
            labels,
            verdict,
            paused,
            outcome: row.opt_text("outcome")?,
            reason: row.opt_text("reason")?,
            took_us: row.opt_int("took_us")?,
            phases: [
                // blackbox_exporter calls the wait for the first byte "processing".
                ("resolve", row.opt_int("resolve_us")?),
                ("connect", row.opt_int("connect_us")?),
                ("tls", row.opt_int("tls_us")?),
                ("processing", row.opt_int("wait_us")?),
                ("transfer", row.opt_int("transfer_us")?),
            ],
            http: spec.pointer("/check/kind").and_then(serde_json::Value::as_str) == Some("http"),
            status: row.opt_int("status")?,
            certificate_us: row.opt_int("cert_not_after_us")?,
            started_us: row.opt_int("started_us")?,
        })
    }

    fn borrowed(&self) -> Vec<(&str, &str)> {
        self.labels.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }

    fn with<'a>(&'a self, name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
        let mut labels = self.borrowed();
        labels.push((name, value));
        labels
    }
}

/// What a monitor watches, for a label: never credentials, never a secret in a query.
fn target(spec: &serde_json::Value) -> String {
    let text = |name: &str| spec.pointer(&format!("/check/{name}")).and_then(serde_json::Value::as_str);
    if let Some(url) = text("url") {
        return match url::Url::parse(url) {
            Ok(url) => landfall_evidence::redact_url(&url).to_string(),
            Err(_) => String::new(),
        };
    }
    if let Some(host) = text("host") {
        let port = spec.pointer("/check/port").and_then(serde_json::Value::as_u64);
        return port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    }
    text("name").unwrap_or_default().to_owned()
}

fn write_monitors(page: &mut Page, all: &[Series]) {
    let seconds = |us: i64| us as f64 / 1e6;
    // A paused monitor has no truth of now: its series end, as they do when it is deleted.
    let active = || all.iter().filter(|m| !m.paused && m.outcome.is_some());
    page.family("probe_success", "gauge", "Whether the newest check found the target up or degraded (1) or down (0); absent when it could not tell.");
    for m in active() {
        match m.outcome.as_deref() {
            Some("up" | "degraded") => page.sample(&m.borrowed(), 1.0),
            Some("down") => page.sample(&m.borrowed(), 0.0),
            _ => {}
        }
    }
    page.family("probe_duration_seconds", "gauge", "How long the newest check took.");
    for m in active() {
        if let Some(us) = m.took_us {
            page.sample(&m.borrowed(), seconds(us));
        }
    }
    page.family("probe_http_status_code", "gauge", "Status of the newest answer; 0 when there was none.");
    for m in active().filter(|m| m.http) {
        page.sample(&m.borrowed(), m.status.unwrap_or(0) as f64);
    }
    page.family("probe_http_duration_seconds", "gauge", "Where the time of the newest check went, by phase.");
    for m in active().filter(|m| m.http) {
        for (phase, us) in &m.phases {
            page.sample(&m.with("phase", phase), seconds(us.unwrap_or(0)));
        }
    }
    page.family(
        "probe_ssl_earliest_cert_expiry",
        "gauge",
        "When the certificate expires, in seconds since the epoch.",
    );
    for m in active() {
        if let Some(us) = m.certificate_us {
            page.sample(&m.borrowed(), seconds(us));
        }
    }
    page.family("probe_failure_info", "gauge", "Why the newest check did not find the target up; always 1.");
    for m in active() {
        if let Some(reason) = &m.reason {
            page.sample(&m.with("reason", reason), 1.0);
        }
    }
    page.family("landfall_monitor_last_check_timestamp_seconds", "gauge", "When the newest check began.");
    for m in active() {
        if let Some(us) = m.started_us {
            page.sample(&m.borrowed(), seconds(us));
        }
    }
    page.family("landfall_monitor_verdict", "gauge", "The verdict on a monitor, as a label; always 1.");
    for m in all {
        page.sample(&m.with("verdict", &m.verdict), 1.0);
    }
}

async fn outbox(app: &App, view: View, page: &mut Page) -> Result<(), StoreError> {
    let sql = "SELECT count(*) AS n, min(created_us) AS oldest FROM outbox WHERE state = 'pending'";
    let row = match view {
        View::Server => app.store.query_opt(sql, params![]).await?,
        View::Organisation(org) => {
            app.store.query_opt(&format!("{sql} AND org_id = $1"), params![org]).await?
        }
    };
    let Some(row) = row else { return Ok(()) };
    page.family("landfall_outbox_pending", "gauge", "Messages that are not delivered yet.");
    page.sample(&[], row.int("n")? as f64);
    let oldest = row.opt_int("oldest")?.map_or(0, |us| (app.clock.now().as_microsecond() - us).max(0));
    page.family(
        "landfall_outbox_oldest_seconds",
        "gauge",
        "Age of the oldest message that is not delivered yet.",
    );
    page.sample(&[], oldest as f64 / 1e6);
    Ok(())
}

/// The jobs of the server. Which columns there are is asked first: a server of another step may share the database.
async fn jobs(app: &App, page: &mut Page) -> Result<(), StoreError> {
    let sql = if app.store.kind() == "SQLite" {
        "SELECT name AS name FROM pragma_table_info('jobs')"
    } else {
        "SELECT column_name::text AS name FROM information_schema.columns
         WHERE table_name = 'jobs' AND table_schema = current_schema()"
    };
    let columns = app.store.query(sql, params![]).await?;
    let columns: Vec<String> = columns.iter().map(|r| r.text("name")).collect::<Result<_, _>>()?;
    let has = |name: &str| columns.iter().any(|c| c == name);
    if !has("name") {
        return Ok(());
    }
    let families = [
        (
            "landfall_job_last_success_timestamp_seconds",
            "When a job last succeeded; absent when it never did.",
            "last_success_us",
        ),
        ("landfall_job_last_run_timestamp_seconds", "When a job last ran.", "last_run_us"),
        ("landfall_job_last_duration_seconds", "How long a job's last run took.", "took_us"),
    ];
    for (family, help, column) in families.iter().filter(|(.., column)| has(column)) {
        let rows = app
            .store
            .query(
                &format!(
                    "SELECT name, {column} AS v FROM jobs WHERE {column} IS NOT NULL ORDER BY name LIMIT 200"
                ),
                params![],
            )
            .await?;
        page.family(family, "gauge", help);
        for row in &rows {
            page.sample(&[("job", &row.text("name")?)], row.int("v")? as f64 / 1e6);
        }
    }
    Ok(())
}

/// A page in the making. A family without samples leaves nothing behind but its two comments.
#[derive(Default)]
struct Page {
    text: String,
    name: String,
}

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        name.clone_into(&mut self.name);
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, labels: &[(&str, &str)], value: f64) {
        self.line("", labels, value);
    }

    fn line(&mut self, suffix: &str, labels: &[(&str, &str)], value: f64) {
        let _ = write!(self.text, "{}{suffix}", self.name);
        for (i, (name, value)) in labels.iter().enumerate() {
            let open = if i == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{open}{name}=\"{}\"", escaped(value));
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }

    fn histogram(&mut self, reading: &HistogramReading) {
        for (bound, count) in &reading.cumulative {
            self.line("_bucket", &[("le", &bound.to_string())], *count as f64);
        }
        self.line("_bucket", &[("le", "+Inf")], reading.count as f64);
        self.line("_sum", &[], reading.sum_s);
        self.line("_count", &[], reading.count as f64);
    }
}

/// A label's value: backslash, quote and line feed are escaped, and no label is longer than a kilobyte.
fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars().take(1024) {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests;
