//! `/ping`: where jobs elsewhere say that they have run.
//!
//! URLs, answers and headers are those that Healthchecks documents (healthchecks.io/docs/http_api, pinging_api), so that
//! scripts written for it work: `HEAD`, `GET` and `POST`; `OK` or `Created` in plain text; `Ping-Body-Limit`. An `OK` is
//! given only after the ping is durable; a database that cannot write gives 503.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, RawQuery, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodFilter;
use futures_util::StreamExt;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use landfall_monitor::heartbeat::{self, Action, Answer, BODY_BYTE, Ingest, Ping, Whom};
use uuid::Uuid;

use crate::App;
use crate::limits::client_address;

/// How long the body of a ping is waited for. What has come by then is kept.
const BODY_TIME: std::time::Duration = std::time::Duration::from_secs(10);
/// Bytes of a body that are read, and thrown away, beyond what is kept: a client that is cut off in its writing would
/// take the answer for a failure.
const BODY_READ: usize = 1024 * 1024;

/// The routes below `/ping`. Their writer must not end before the last request has.
pub fn router(ingest: Ingest) -> Router<App> {
    let methods = MethodFilter::GET.or(MethodFilter::POST).or(MethodFilter::HEAD).or(MethodFilter::OPTIONS);
    let answer = move |State(app): State<App>, RawQuery(query): RawQuery, request: Request| {
        let ingest = ingest.clone();
        async move { plain(take(&app, &ingest, query.as_deref().unwrap_or_default(), request).await) }
    };
    Router::new().route("/ping/{*what}", axum::routing::on(methods, answer))
}

/// A status and a word, as the client reads them.
type Said = (StatusCode, &'static str);

const NOT_FOUND: Said = (StatusCode::NOT_FOUND, "not found");
const BUSY: Said = (StatusCode::SERVICE_UNAVAILABLE, "not written, try again");

async fn take(app: &App, ingest: &Ingest, query: &str, request: Request) -> Said {
    let at = app.clock.now();
    let (head, body) = request.into_parts();
    if head.method == Method::OPTIONS {
        return (StatusCode::NO_CONTENT, "");
    }
    let query = match Query::read(query) {
        Ok(query) => query,
        Err(said) => return said,
    };
    let (whom, action) = match target(head.uri.path(), query.create) {
        Ok(target) => target,
        Err(said) => return said,
    };
    let peer = head.extensions.get::<ConnectInfo<SocketAddr>>().map(|c| c.0);
    let address = client_address(peer.map(|p| p.ip()), &head.headers, &app.settings.trusted_proxies)
        .map(|ip| ip.to_string());
    let agent =
        head.headers.get(header::USER_AGENT).map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
    let body = if head.method == Method::POST { read(body).await } else { String::new() };
    let ping =
        Ping { whom, action, method: head.method.to_string(), rid: query.rid, body, agent, address, at };
    match ingest.ping(ping).await {
        Answer::Ok => (StatusCode::OK, "OK"),
        Answer::Created => (StatusCode::CREATED, "Created"),
        Answer::Missing => NOT_FOUND,
        Answer::Ambiguous => (StatusCode::CONFLICT, "ambiguous slug"),
        Answer::TooMany => (StatusCode::FORBIDDEN, "too many heartbeats"),
        Answer::Unavailable => BUSY,
    }
}

#[derive(Default)]
struct Query {
    rid: Option<Uuid>,
    create: bool,
}

impl Query {
    fn read(text: &str) -> Result<Self, Said> {
        let mut query = Self::default();
        for (key, value) in url::form_urlencoded::parse(text.as_bytes()).take(20) {
            match &*key {
                // Only the usual form: `Uuid` would take braces and `urn:uuid:` too.
                "rid" => match Uuid::try_parse(&value) {
                    Ok(rid) if value.len() == 36 => query.rid = Some(rid),
                    _ => return Err((StatusCode::BAD_REQUEST, "invalid rid, write a UUID")),
                },
                "create" => query.create = value == "1",
                _ => {}
            }
        }
        Ok(query)
    }
}

/// Whom a path is for, and what it says.
fn target(path: &str, create: bool) -> Result<(Whom, Action), Said> {
    let path = path.strip_prefix("/ping/").unwrap_or_default();
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut parts = path.split('/');
    let first = parts.next().unwrap_or_default();
    let whom = match Uuid::try_parse(first) {
        Ok(id) if first.len() == 36 => Whom::Id(id),
        _ => {
            if first.is_empty() || first.len() > 64 || !first.bytes().all(|b| b.is_ascii_alphanumeric()) {
                return Err(NOT_FOUND);
            }
            let slug = parts.next().ok_or(NOT_FOUND)?;
            if !heartbeat::is_slug(slug) {
                return Err((StatusCode::BAD_REQUEST, "invalid slug, use a-z, 0-9, _ and -"));
            }
            Whom::Slug { key: first.to_owned(), slug: slug.to_owned(), create }
        }
    };
    let action = match parts.next() {
        None => Action::Success,
        Some("start") => Action::Start,
        Some("fail") => Action::Fail,
        Some("log") => Action::Log,
        Some(number) if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) => {
            match number.parse::<u8>() {
                Ok(status) => Action::Exit(status),
                Err(_) => return Err((StatusCode::BAD_REQUEST, "invalid exit status, use 0 to 255")),
            }
        }
        Some(_) => return Err(NOT_FOUND),
    };
    if parts.next().is_some() {
        return Err(NOT_FOUND);
    }
    Ok((whom, action))
}

/// The body, cut after [`BODY_BYTE`]. One that does not come whole is kept as far as it came: the ping counts.
async fn read(body: Body) -> String {
    let mut kept = Vec::new();
    let mut seen = 0;
    let mut stream = body.into_data_stream();
    let all = async {
        while let Some(Ok(chunk)) = stream.next().await {
            let room = BODY_BYTE - kept.len();
            kept.extend_from_slice(&chunk[..chunk.len().min(room)]);
            seen += chunk.len();
            if seen > BODY_READ {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(BODY_TIME, all).await;
    String::from_utf8_lossy(&kept).into_owned()
}

fn plain((status, text): Said) -> Response {
    let mut response = (status, text).into_response();
    let headers = response.headers_mut();
    let own = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST"),
        (HeaderName::from_static("ping-body-limit"), "10000"),
    ];
    for (name, value) in own {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http_body_util::BodyExt;
    use jiff::Timestamp;
    use landfall_monitor::heartbeat::HeartbeatSpec;
    use landfall_monitor::{Bus, ManualClock, Watch};
    use landfall_store::testkit::TestDb;
    use landfall_store::{Id, Store, Tenant};
    use tower::ServiceExt;

    use super::*;
    use crate::Settings;

    struct Site {
        routes: Router,
        tenant: Tenant,
        id: Id,
        key: String,
        _db: TestDb,
    }

    async fn site(db: TestDb) -> Site {
        let now = Timestamp::from_second(1_790_000_000).expect("a moment");
        let store = db.store.clone();
        let mut tx = store.begin().await.expect("begin");
        let org = Store::create_org(&mut tx, "o", "Org", now).await.expect("org");
        tx.commit().await.expect("commit");
        let tenant = store.tenant(org.id);
        let (id, _) =
            heartbeat::put(&tenant, "n", &HeartbeatSpec::named("n"), "api", now).await.expect("made");
        let key = tenant.ping_key(now).await.expect("key");
        let settings = Settings {
            trusted_proxies: vec!["192.0.2.0/24".parse().expect("a network")],
            ..Settings::default()
        };
        let app = App {
            store: store.clone(),
            clock: Arc::new(ManualClock::at(now)),
            bus: Bus::default(),
            watch: Watch::default(),
            settings: Arc::new(settings),
            live: Arc::new(crate::Liveness::new(now)),
        };
        let (ingest, _) = Ingest::start(store, Bus::default(), "http://x".into());
        Site { routes: router(ingest).with_state(app), tenant, id, key, _db: db }
    }

    impl Site {
        async fn call(&self, method: &str, uri: &str, body: &str) -> (u16, String, http::HeaderMap) {
            let mut request = Request::builder()
                .method(method)
                .uri(uri)
                .header("user-agent", "curl/8")
                .header("x-forwarded-for", "203.0.113.9, 198.51.100.7, 192.0.2.8")
                .body(Body::from(body.to_owned()))
                .expect("a request");
            let peer: SocketAddr = "192.0.2.1:4000".parse().expect("an address");
            request.extensions_mut().insert(ConnectInfo(peer));
            let response = self.routes.clone().oneshot(request).await.expect("infallible");
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            let body = response.into_body().collect().await.expect("a body").to_bytes();
            (status, String::from_utf8_lossy(&body).into_owned(), headers)
        }
    }

    #[tokio::test]
    async fn the_documented_urls_answer_as_documented() {
        for db in TestDb::both().await {
            let site = site(db).await;
            let (id, key) = (site.id, site.key.clone());
            let absent = Uuid::from_u128(5);
            for (method, uri, status, body) in [
                ("GET", format!("/ping/{id}"), 200, "OK"),
                ("POST", format!("/ping/{id}/"), 200, "OK"),
                ("HEAD", format!("/ping/{id}"), 200, ""),
                ("GET", format!("/ping/{id}/start"), 200, "OK"),
                ("GET", format!("/ping/{id}/fail"), 200, "OK"),
                ("GET", format!("/ping/{id}/log"), 200, "OK"),
                ("GET", format!("/ping/{id}/0"), 200, "OK"),
                ("GET", format!("/ping/{id}/255"), 200, "OK"),
                ("GET", format!("/ping/{id}?rid=01234567-89ab-cdef-0123-456789abcdef"), 200, "OK"),
                ("GET", format!("/ping/{id}/256"), 400, "invalid exit status, use 0 to 255"),
                ("GET", format!("/ping/{id}?rid=7"), 400, "invalid rid, write a UUID"),
                ("GET", format!("/ping/{id}/finish"), 404, "not found"),
                ("GET", format!("/ping/{id}/0/more"), 404, "not found"),
                ("GET", format!("/ping/{absent}"), 404, "not found"),
                ("GET", format!("/ping/{absent}?create=1"), 404, "not found"),
                ("GET", format!("/ping/{key}/n"), 200, "OK"),
                ("POST", format!("/ping/{key}/n/3"), 200, "OK"),
                ("GET", format!("/ping/{key}/fresh"), 404, "not found"),
                ("GET", format!("/ping/{key}/fresh?create=1"), 201, "Created"),
                ("GET", format!("/ping/{key}/fresh/start?create=1"), 200, "OK"),
                ("GET", format!("/ping/{key}/Fresh"), 400, "invalid slug, use a-z, 0-9, _ and -"),
                ("GET", format!("/ping/{key}"), 404, "not found"),
                ("GET", "/ping/nokey/n".to_owned(), 404, "not found"),
                ("OPTIONS", format!("/ping/{id}"), 204, ""),
            ] {
                let (got, said, headers) = site.call(method, &uri, "").await;
                assert_eq!((got, said.as_str()), (status, body), "{method} {uri}");
                assert_eq!(headers["ping-body-limit"], "10000", "{uri}");
                assert_eq!(headers["access-control-allow-origin"], "*", "{uri}");
            }
            let (status, ..) = site.call("DELETE", &format!("/ping/{id}"), "").await;
            assert_eq!(status, 405);
            heartbeat::put(
                &site.tenant,
                "twin",
                &HeartbeatSpec { slug: Some("n".into()), ..HeartbeatSpec::named("twin") },
                "api",
                Timestamp::UNIX_EPOCH,
            )
            .await
            .expect("made");
            assert_eq!(site.call("GET", &format!("/ping/{key}/n"), "").await.0, 409);
        }
    }

    #[tokio::test]
    async fn what_came_along_is_kept_within_its_bound() {
        let site = site(TestDb::sqlite().await).await;
        let long = "ä".repeat(40_000);
        assert_eq!(site.call("POST", &format!("/ping/{}/7", site.id), &long).await.0, 200);
        assert_eq!(site.call("GET", &format!("/ping/{}", site.id), "not read").await.0, 200);
        let pings = site.tenant.heartbeat_pings(site.id, None, 10).await.expect("pings");
        assert_eq!(pings[1].body.as_ref().map(|b| b.len()), Some(10_000));
        assert_eq!(pings[0].body, None);
        assert_eq!((pings[1].exit_status, pings[1].method.as_str()), (Some(7), "POST"));
        // Believed from the right only as far as trusted hops go.
        assert_eq!(pings[1].address.as_deref(), Some("198.51.100.7"));
        assert_eq!(pings[1].agent.as_deref(), Some("curl/8"));
    }

    #[tokio::test]
    async fn a_database_that_cannot_write_gives_503_and_no_ok() {
        let site = site(TestDb::sqlite().await).await;
        site.tenant.store().execute("DROP TABLE heartbeat_pings", &[]).await.expect("dropped");
        let (status, said, headers) = site.call("GET", &format!("/ping/{}", site.id), "").await;
        assert_eq!((status, said.as_str()), (503, "not written, try again"));
        assert!(headers.contains_key("retry-after"));
    }
}
