//! What the tests of this crate share: an app on a database of its own, people in it, and requests without a socket.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use landfall_monitor::{Bus, ManualClock, Watch};
use landfall_store::testkit::TestDb;
use landfall_store::{Id, Org, Store, Value, params};
use tower::ServiceExt as _;
use utoipa_axum::router::OpenApiRouter;

use crate::{App, Liveness, Principal, Role, Scope, Settings};

/// When the tests' clock starts.
pub(crate) fn start() -> Timestamp {
    "2026-03-02T09:00:00Z".parse().expect("a moment")
}

/// An app, with the clock that it goes by.
pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) clock: ManualClock,
    _db: Option<TestDb>,
}

impl World {
    pub(crate) fn on(store: Store, settings: Settings) -> Self {
        let clock = ManualClock::at(start());
        let app = App {
            store,
            clock: Arc::new(clock.clone()),
            bus: Bus::default(),
            watch: Watch::default(),
            settings: Arc::new(settings),
            live: Arc::new(Liveness::new(start())),
        };
        app.live.watch_ticked(start());
        Self { app, clock, _db: None }
    }

    /// One on SQLite and one on PostgreSQL.
    pub(crate) async fn both(settings: &Settings) -> Vec<Self> {
        TestDb::both()
            .await
            .into_iter()
            .map(|db| Self { _db: None, ..Self::on(db.store.clone(), settings.clone()) }.keeping(db))
            .collect()
    }

    pub(crate) async fn sqlite(settings: Settings) -> Self {
        let db = TestDb::sqlite().await;
        Self::on(db.store.clone(), settings).keeping(db)
    }

    fn keeping(mut self, db: TestDb) -> Self {
        self._db = Some(db);
        self
    }

    /// The routes that are tested.
    pub(crate) fn router(&self) -> Router {
        Router::new()
            .merge(crate::health::router())
            .merge(crate::metrics::router())
            .merge(crate::billing::router())
            .merge(crate::support::router())
            .merge(OpenApiRouter::new().nest("/api/v1", doors()).split_for_parts().0)
            .with_state(self.app.clone())
    }

    pub(crate) async fn org(&self, slug: &str) -> Org {
        let mut tx = self.app.store.begin().await.expect("begin");
        let org =
            Store::create_org(&mut tx, slug, &format!("{slug} Ltd"), start()).await.expect("an organisation");
        tx.commit().await.expect("commit");
        org
    }

    pub(crate) fn person(&self, org: &Org, role: Role) -> Principal {
        Principal {
            tenant: self.app.store.tenant(org.id),
            user: Some(Id::new()),
            key: None,
            name: format!("{role:?}@{}.example", org.slug).to_lowercase(),
            role,
            scopes: Vec::new(),
            csrf: None,
            session: None,
        }
    }

    pub(crate) fn key(&self, org: &Org, scopes: &[Scope]) -> Principal {
        Principal {
            key: Some(Id::new()),
            user: None,
            name: "key:test".into(),
            scopes: scopes.to_vec(),
            ..self.person(org, Role::Owner)
        }
    }

    pub(crate) async fn plan(&self, org: &Org) -> String {
        self.app.store.tenant(org.id).org().await.expect("there").plan
    }

    /// One number out of the database.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        let row = self.app.store.query_opt(sql, params![]).await.expect(sql).expect("a row");
        row.int("n").expect("a number n")
    }

    pub(crate) async fn run(&self, sql: &str, values: &[Value]) {
        self.app.store.execute(sql, values).await.expect(sql);
    }

    pub(crate) async fn get(&self, path: &str) -> Seen {
        self.ask(Method::GET, path, &[], Vec::new()).await
    }

    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Seen {
        self.ask(Method::POST, path, headers, body.into()).await
    }

    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Seen {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(body)).expect("a request")).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Seen {
        let response = self.router().oneshot(request).await.expect("infallible");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        Seen {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8_lossy(&body).into_owned(),
        }
    }
}

/// The routes of this crate's billing and support below `/api/v1`.
fn doors() -> OpenApiRouter<App> {
    OpenApiRouter::new().merge(crate::billing::api::routes()).merge(crate::support::api::routes())
}

/// A response.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Seen {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// What a double was asked: method, path with query, headers, body.
pub(crate) type Asked = Arc<Mutex<Vec<(String, String, HeaderMap, String)>>>;

/// A service on loopback that answers by a function of method, path, headers and body, and remembers what it was asked.
pub(crate) async fn double<F>(answer: F) -> (String, Asked)
where
    F: Fn(&str, &str, &HeaderMap, &str) -> (u16, String) + Clone + Send + Sync + 'static,
{
    let asked: Asked = Arc::default();
    let remembered = Arc::clone(&asked);
    let app = Router::new().fallback(move |request: Request<Body>| {
        let (answer, remembered) = (answer.clone(), Arc::clone(&remembered));
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map(|b| b.to_bytes()).unwrap_or_default();
            let body = String::from_utf8_lossy(&body).into_owned();
            let path = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
            let method = parts.method.to_string();
            let (status, text) = answer(&method, &path, &parts.headers, &body);
            remembered.lock().expect("no test panicked in here").push((method, path, parts.headers, body));
            let kind = if text.starts_with("data:") { "text/event-stream" } else { "application/json" };
            (StatusCode::from_u16(status).expect("a status"), [("content-type", kind)], text)
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (base, asked)
}

/// A port on loopback at which nobody listens.
pub(crate) fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
    format!("http://{}", listener.local_addr().expect("an address"))
}
