//! A really listening server on either database, and people who ask it.

use std::net::SocketAddr;
use std::sync::Arc;

use http::{HeaderMap, Method};
use jiff::Timestamp;
use landfall_monitor::{Bus, ManualClock, Watch};
use landfall_server::service::accounts::{self, FirstRun};
use landfall_server::{App, Liveness, Settings, router, session};
use landfall_store::testkit::TestDb;
use serde_json::{Value as Json, json};

pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// A server of a test's own, on a clock that stands still.
pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) clock: ManualClock,
    pub(crate) base: String,
    _db: TestDb,
}

impl World {
    /// One on each database.
    pub(crate) async fn both() -> Vec<Self> {
        Self::both_with(|_| ()).await
    }

    pub(crate) async fn both_with(set: impl Fn(&mut Settings)) -> Vec<Self> {
        let mut worlds = Vec::new();
        for db in TestDb::both().await {
            worlds.push(Self::on(db, &set).await);
        }
        worlds
    }

    pub(crate) async fn sqlite() -> Self {
        Self::on(TestDb::sqlite().await, &|_: &mut Settings| ()).await
    }

    pub(crate) async fn on(db: TestDb, set: &impl Fn(&mut Settings)) -> Self {
        let start: Timestamp = "2026-03-01T12:00:00Z".parse().expect("a moment");
        let clock = ManualClock::at(start);
        let app = App {
            store: db.store.clone(),
            clock: Arc::new(clock.clone()),
            bus: Bus::default(),
            watch: Watch::default(),
            settings: Arc::default(),
            live: Arc::new(Liveness::new(start)),
        };
        Self::serve(app, clock, db, set).await
    }

    async fn serve(mut app: App, clock: ManualClock, db: TestDb, set: &impl Fn(&mut Settings)) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let base = format!("http://{}", listener.local_addr().expect("bound"));
        let mut settings = Settings { public_url: base.clone(), ..Settings::default() };
        set(&mut settings);
        app.settings = Arc::new(settings);
        let service = router(app.clone()).into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self { app, clock, base, _db: db }
    }

    /// The same server over another store.
    pub(crate) async fn with_store(self, store: landfall_store::Store) -> Self {
        let World { app, clock, _db, .. } = self;
        Self::serve(App { store, ..app }, clock, _db, &|_: &mut Settings| ()).await
    }

    pub(crate) fn stranger(&self) -> Asker {
        Asker { client: reqwest::Client::new(), base: self.base.clone(), headers: HeaderMap::new() }
    }

    /// The first account: the owner of an organisation.
    pub(crate) async fn owner(&self) -> Asker {
        let link =
            accounts::first_run_link(&self.app).await.expect("the store answers").expect("no account yet");
        let asked = FirstRun {
            token: link.split_once("token=").expect("the link has a token").1.to_owned(),
            email: "owner@example.com".into(),
            name: "Olga Owner".into(),
            password: PASSWORD.into(),
            organisation: "Example".into(),
        };
        let signed = accounts::first_run(&self.app, &asked, &Default::default()).await.expect("made");
        self.stranger().with_session(self, &signed.token)
    }

    /// A person with this role, invited by `by`.
    pub(crate) async fn member(&self, by: &Asker, role: &str, email: &str) -> Asker {
        let invited = by.post("/api/v1/invitations", json!({ "role": role })).await.is(201);
        let link = invited.body["link"].as_str().expect("a link").to_owned();
        let token = link.split_once("token=").expect("a token").1;
        let body = json!({ "token": token, "email": email, "name": "Somebody", "password": PASSWORD });
        let joined = self.stranger().post("/api/v1/invitations/accept", body).await.is(201);
        self.stranger().with_cookie(&joined.cookie().expect("signed in"))
    }

    /// The owner of another organisation on the same server.
    pub(crate) async fn foreigner(&self) -> Asker {
        let asked = accounts::Register {
            email: "foreign@example.org".into(),
            name: "Fritz Foreign".into(),
            password: PASSWORD.into(),
            organisation: "Elsewhere".into(),
        };
        let mut app = self.app.clone();
        app.settings = Arc::new(Settings { open_registration: true, ..(*app.settings).clone() });
        let signed = accounts::register(&app, &asked, &Default::default()).await.expect("made");
        self.stranger().with_session(self, &signed.token)
    }

    /// A key with these scopes.
    pub(crate) async fn key(&self, by: &Asker, scopes: &[&str]) -> (String, Asker) {
        let body = json!({ "name": scopes.join("-"), "scopes": scopes });
        let made = by.post("/api/v1/keys", body).await.is(201);
        let key = made.body["key"].as_str().expect("the whole key").to_owned();
        (made.id(), self.stranger().with_key(&key))
    }

    pub(crate) fn now(&self) -> Timestamp {
        use landfall_monitor::Clock as _;
        self.clock.now()
    }
}

/// Somebody who asks.
#[derive(Clone)]
pub(crate) struct Asker {
    client: reqwest::Client,
    base: String,
    pub(crate) headers: HeaderMap,
}

/// What they were answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) what: String,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) body: Json,
}

impl Asker {
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.parse().expect("a header value"));
        self
    }

    pub(crate) fn with_key(self, key: &str) -> Self {
        self.with("authorization", &format!("Bearer {key}"))
    }

    /// As a browser on a page of ours.
    pub(crate) fn with_cookie(self, cookie: &str) -> Self {
        self.with("cookie", cookie).with("sec-fetch-site", "same-origin")
    }

    pub(crate) fn with_session(self, world: &World, token: &str) -> Self {
        let set = session::cookie(&world.app.settings, token);
        let pair = set.to_str().expect("text").split(';').next().expect("a pair").to_owned();
        self.with_cookie(&pair)
    }

    pub(crate) async fn open(&self, method: &Method, path: &str) -> reqwest::Response {
        let request =
            self.client.request(method.clone(), format!("{}{path}", self.base)).headers(self.headers.clone());
        request.send().await.expect("the server answers")
    }

    pub(crate) async fn send(&self, method: &Method, path: &str, body: Option<&Json>) -> Answer {
        let mut request =
            self.client.request(method.clone(), format!("{}{path}", self.base)).headers(self.headers.clone());
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.expect("the server answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("the answer ends");
        let body = serde_json::from_str(&text).unwrap_or(Json::Null);
        Answer { what: format!("{method} {path}"), status, headers, text, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(&Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Json) -> Answer {
        self.send(&Method::POST, path, Some(&body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Json) -> Answer {
        self.send(&Method::PUT, path, Some(&body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Json) -> Answer {
        self.send(&Method::PATCH, path, Some(&body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(&Method::DELETE, path, None).await
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.what, self.text);
        if status >= 400 {
            let kind = self.headers.get("content-type").and_then(|v| v.to_str().ok());
            assert_eq!(kind, Some("application/problem+json"), "{}: {}", self.what, self.text);
            assert_eq!(self.body["status"], status, "{}: {}", self.what, self.text);
        }
        self
    }

    pub(crate) fn id(&self) -> String {
        self.body["id"].as_str().expect("an id").to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }

    /// The cookie that was set, as a client sends it back.
    pub(crate) fn cookie(&self) -> Option<String> {
        let pair = self.header("set-cookie")?.split(';').next()?;
        (!pair.ends_with('=')).then(|| pair.to_owned())
    }

    pub(crate) fn items(&self) -> &Vec<Json> {
        self.body["items"].as_array().expect("a list")
    }
}

/// A monitor's declaration.
pub(crate) fn http_monitor(name: &str) -> Json {
    json!({ "name": name, "check": { "kind": "http", "url": "https://example.com/health" } })
}
