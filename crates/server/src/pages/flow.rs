//! The pages through the whole server, as a browser without any script uses them.

use std::collections::BTreeMap;

use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode, header};
use landfall_store::{Id, params};
use tower::ServiceExt as _;

use super::samples::{check, pattern};
use crate::testing::World;
use crate::{Settings, service};

/// A browser: it keeps cookies, says where a form comes from, and follows redirects when told to.
struct Browser {
    router: axum::Router,
    cookies: BTreeMap<String, String>,
}

struct Seen {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Seen {
    fn location(&self) -> &str {
        self.headers.get(header::LOCATION).map_or("", |l| l.to_str().expect("text"))
    }

    fn token(&self) -> String {
        let token = pattern(r#"name="csrf" value="([^"]*)""#);
        token.captures(&self.text).map(|c| c[1].to_owned()).unwrap_or_default()
    }
}

impl Browser {
    fn new(world: &World) -> Self {
        let doors = super::router().merge(crate::public::router());
        Self { router: crate::with_doors(world.app.clone(), doors), cookies: BTreeMap::new() }
    }

    async fn send(&mut self, request: http::request::Builder, body: String) -> Seen {
        let jar: Vec<String> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let mut request = request.header(header::HOST, "127.0.0.1:8000");
        if !jar.is_empty() {
            request = request.header(header::COOKIE, jar.join("; "));
        }
        let request = request.body(Body::from(body)).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        for cookie in parts.headers.get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().expect("text");
            let (pair, rest) = cookie.split_once(';').expect("attributes");
            assert!(rest.contains("HttpOnly") && rest.contains("SameSite=Lax"), "{cookie}");
            let (name, value) = pair.split_once('=').expect("a pair");
            if rest.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.into(), value.into());
            }
        }
        let bytes = axum::body::to_bytes(body, 8 << 20).await.expect("a body");
        Seen {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).expect("UTF-8"),
        }
    }

    async fn get(&mut self, path: &str) -> Seen {
        let request = Request::get(path).header(header::ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8");
        self.send(request, String::new()).await
    }

    /// A page that is there and is what a page must be.
    async fn page(&mut self, path: &str) -> Seen {
        let seen = self.get(path).await;
        assert_eq!(seen.status, StatusCode::OK, "{path}: {}", seen.text);
        check(path, &seen.text);
        let policy = seen.headers[header::CONTENT_SECURITY_POLICY].to_str().expect("text").to_owned();
        assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{path}: {policy}");
        seen
    }

    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Seen {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in fields {
            form.append_pair(name, value);
        }
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(header::ACCEPT, "text/html")
            .header("sec-fetch-site", "same-origin")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, form.finish()).await
    }

    /// Sends a form of a page with its token, and goes where it leads.
    async fn fill(&mut self, page: &str, action: &str, fields: &[(&str, &str)]) -> Seen {
        let token = self.page(page).await.token();
        let mut all = vec![("csrf", token.as_str())];
        all.extend_from_slice(fields);
        let sent = self.post(action, &all).await;
        assert_eq!(sent.status, StatusCode::SEE_OTHER, "{action}: {}", sent.text);
        let to = sent.location().to_owned();
        let mut arrived = self.page(&to).await;
        // Where it led, for what comes next.
        arrived.headers.insert(header::LOCATION, to.parse().expect("a path"));
        arrived
    }

    async fn first_run(&mut self, world: &World) {
        let link = service::accounts::first_run_link(&world.app).await.expect("asked").expect("a link");
        let path = link.strip_prefix("http://127.0.0.1:8000").expect("our own").to_owned();
        let token = path.split_once("token=").expect("a token").1.to_owned();
        let fields = [
            ("token", token.as_str()),
            ("organisation", "Levqor"),
            ("name", "Ines"),
            ("email", "ines@example.com"),
            ("password", "a sentence is good"),
        ];
        let arrived = self.fill(&path, "/first-run", &fields).await;
        assert!(arrived.text.contains("Add your first target"));
        assert_eq!(self.get(&path).await.status, StatusCode::FORBIDDEN, "the link works once");
    }
}

#[tokio::test]
async fn from_the_first_run_to_a_monitor_and_its_status_page() {
    for world in World::both(&Settings::default()).await {
        let mut browser = Browser::new(&world);
        // Nobody is let in before there is an account, and the page says why.
        let turned = browser.get("/").await;
        assert_eq!((turned.status, turned.location()), (StatusCode::SEE_OTHER, "/sign-in"));
        assert!(browser.page("/sign-in").await.text.contains("no account yet"));
        browser.first_run(&world).await;

        // A URL, an audit, a monitor out of it.
        let audit = browser.fill("/add", "/reports", &[("url", "https://api.example.com/health")]).await;
        assert!(audit.text.contains("In progress") && audit.text.contains(r#"http-equiv="refresh""#));
        let made = browser
            .fill(
                "/monitors/new?kind=http",
                "/monitors",
                &[
                    ("kind", "http"),
                    ("/name", "API <b>"),
                    ("/check/url", "https://api.example.com/health"),
                    ("/check/headers", "x-token: s3cr3t"),
                    ("/interval_s", "300"),
                    ("/labels", "team=core"),
                    ("/public", "yes"),
                ],
            )
            .await;
        let monitor = made.location().to_owned();
        assert!(
            made.text.contains("It is being watched from now on.") && made.text.contains("API &lt;b&gt;")
        );
        assert!(!made.text.contains("s3cr3t"), "a secret is shown");
        let again = browser.page(&monitor).await;
        assert!(!again.text.contains("It is being watched from now on."), "a message is shown once");

        // What was typed and not asked for again stays; the secret that is sent back masked stays, too.
        let edit = browser.page(&format!("{monitor}/edit")).await;
        assert!(!edit.text.contains("s3cr3t"));
        let headers = pattern(r"(?s)name=./check/headers.[^>]*>\n(.*?)</textarea>");
        let headers = headers.captures(&edit.text).expect("the field")[1].to_owned();
        let saved = browser
            .fill(
                &format!("{monitor}/edit"),
                &monitor,
                &[
                    ("/name", "API"),
                    ("/check/url", "https://api.example.com/health"),
                    ("/check/headers", headers.as_str()),
                    ("/interval_s", "60"),
                    ("/public", "yes"),
                ],
            )
            .await;
        assert!(saved.text.contains("Saved."));
        let kept = world.app.store.query("SELECT spec FROM monitors", params![]).await.expect("rows")[0]
            .text("spec")
            .expect("text");
        assert!(
            kept.contains("s3cr3t") && kept.contains("\"interval_s\":60") && !kept.contains("team"),
            "{kept}"
        );
        let checked = browser.fill(&monitor, &format!("{monitor}/check"), &[]).await;
        assert!(checked.text.contains("It is being checked"), "{}", checked.text);
        assert_eq!(world.count("SELECT count(*) AS n FROM check_requests").await, 1);
        assert!(browser.fill(&monitor, &format!("{monitor}/pause"), &[]).await.text.contains("Resume"));
        assert!(browser.fill(&monitor, &format!("{monitor}/resume"), &[]).await.text.contains("Pause"));
        assert!(browser.page("/?q=API&verdict=new").await.text.contains(&monitor));
        assert!(browser.page("/?label=team%3Dcore").await.text.contains("No monitor matches."));

        // A mistake leaves everything that was typed.
        let token = browser.page("/monitors/new?kind=tcp").await.token();
        let wrong = browser
            .post(
                "/monitors",
                &[
                    ("csrf", &token),
                    ("kind", "tcp"),
                    ("/name", "Kept"),
                    ("/check/port", "99999"),
                    ("/check/host", "db.example.com"),
                ],
            )
            .await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        check("wrong", &wrong.text);
        assert!(wrong.text.contains(r#"value="Kept""#) && wrong.text.contains("Not saved."));

        // Everything else can be made without a script, too.
        browser
            .fill(
                "/windows/new",
                "/windows",
                &[
                    ("/name", "Sunday"),
                    ("/all", "yes"),
                    ("/repeat", "weekly"),
                    ("/days", "sun"),
                    ("/start", "02:00"),
                    ("/duration_min", "90"),
                    ("/zone", "Europe/Berlin"),
                ],
            )
            .await;
        assert!(browser.page("/windows").await.text.contains("sun at 02:00, for 90 min"));
        let beat = browser
            .fill(
                "/heartbeats/new",
                "/heartbeats",
                &[("/name", "Nightly"), ("/period_s", "86400"), ("/grace_s", "3600")],
            )
            .await;
        assert!(beat.text.contains("/ping/"));
        let path = beat.location().to_owned();
        assert!(browser.fill(&path, &format!("{path}/pause"), &[]).await.text.contains("Resume"));
        assert!(browser.fill(&path, &format!("{path}/resume"), &[]).await.text.contains("Pause"));
        let edit = format!("{path}/edit");
        let fields = [("/name", "Nightly two"), ("/period_s", "86400"), ("/grace_s", "7200")];
        assert!(browser.fill(&edit, &path, &fields).await.text.contains("Nightly two"));
        let channel = browser
            .fill(
                "/channels/new?kind=webhook",
                "/channels",
                &[
                    ("kind", "webhook"),
                    ("/name", "Hook"),
                    ("/config/url", "https://hooks.example.com/x"),
                    ("/config/secret", "hunter2hunter2hunter2"),
                    ("/enabled", "yes"),
                ],
            )
            .await;
        let hook = channel.location().to_owned();
        assert!(!channel.text.contains("hunter2"), "a secret is shown");
        assert!(browser.fill(&hook, &format!("{hook}/test"), &[]).await.text.contains("on its way"));
        browser.page("/channels/deliveries").await;
        let page = browser
            .fill(
                "/status-pages",
                "/status-pages",
                &[("/title", "Levqor status"), ("/slug", "levqor"), ("/published", "yes")],
            )
            .await;
        let page = page.location().to_owned();
        browser
            .fill(
                &page,
                &format!("{page}/posts"),
                &[("/kind", "incident"), ("/title", "Slow"), ("/say", "We look.")],
            )
            .await;
        let public = browser.page("/status/levqor").await;
        assert!(
            public.text.contains("API")
                && public.text.contains("We look.")
                && !public.text.contains("ines@example.com")
        );
        for path in [
            "/incidents",
            "/incidents?status=open",
            "/reports",
            "/settings",
            "/settings/members",
            "/settings/keys",
            "/settings/sessions",
            "/settings/log",
            "/settings/billing",
            "/settings/support",
            "/jobs",
            "/heartbeats",
            "/channels",
        ] {
            browser.page(path).await;
        }

        // A key is shown once.
        let token = browser.page("/settings/keys").await.token();
        let key =
            browser.post("/settings/keys", &[("csrf", &token), ("name", "CI"), ("scope", "read")]).await;
        assert_eq!(key.status, StatusCode::OK);
        check("key", &key.text);
        let whole = pattern(r#"id="new-key" type="text" readonly value="([^"]+)""#)
            .captures(&key.text)
            .expect("the key")[1]
            .to_owned();
        assert!(!browser.page("/settings/keys").await.text.contains(&whole));

        // The look is remembered; signing out ends it.
        browser.fill("/", "/theme", &[("theme", "dark"), ("next", "/settings")]).await;
        assert!(browser.page("/").await.text.contains(r#"data-theme="dark""#));
        browser.fill("/", "/sign-out", &[]).await;
        assert_eq!(browser.get("/settings").await.location(), "/sign-in?next=%2Fsettings");
        let token = browser.page("/sign-in?next=%2Fsettings").await.token();
        let refused = browser
            .post("/sign-in", &[("csrf", &token), ("email", "ines@example.com"), ("password", "wrong")])
            .await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.text.contains("is wrong") && refused.text.contains(r#"value="ines@example.com""#));
        let back = browser
            .fill(
                "/sign-in",
                "/sign-in",
                &[("email", "ines@example.com"), ("password", "a sentence is good"), ("next", "/settings")],
            )
            .await;
        assert_eq!(back.location(), "/settings");
    }
}

#[tokio::test]
async fn nothing_is_done_without_the_token_or_from_elsewhere() {
    let world = World::sqlite(Settings::default()).await;
    let mut browser = Browser::new(&world);
    browser.first_run(&world).await;
    let token = browser.page("/settings").await.token();
    for fields in [vec![], vec![("csrf", "")], vec![("csrf", "AAAA")]] {
        for path in [
            "/monitors",
            "/reports",
            "/sign-out",
            "/switch",
            "/theme",
            "/settings",
            "/settings/keys",
            "/status-pages",
            "/windows",
            "/heartbeats",
            "/channels",
            "/settings/password",
        ] {
            let seen = browser.post(path, &fields).await;
            assert_eq!(seen.status, StatusCode::FORBIDDEN, "{path}");
            check(path, &seen.text);
        }
    }
    // The right token from a page of somebody else.
    let request = Request::post("/settings")
        .header("sec-fetch-site", "cross-site")
        .header(header::ACCEPT, "text/html")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let seen = browser.send(request, format!("csrf={token}&name=Taken")).await;
    assert_eq!(seen.status, StatusCode::FORBIDDEN);
    assert!(!browser.page("/settings").await.text.contains("Taken"));
    // Nobody can be signed in by a form that is not ours.
    let mut other = Browser::new(&world);
    let seen =
        other.post("/sign-in", &[("email", "ines@example.com"), ("password", "a sentence is good")]).await;
    assert_eq!(seen.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn somebody_elses_things_are_not_there() {
    let world = World::sqlite(Settings::default()).await;
    let mut browser = Browser::new(&world);
    browser.first_run(&world).await;
    let other = world.org("other").await;
    let (monitor, report, incident, window) = (Id::new(), Id::new(), Id::new(), Id::new());
    let now = world.app.clock.now();
    let store = &world.app.store;
    let spec = r#"{"name":"Foreign","check":{"kind":"tcp","host":"h","port":1}}"#;
    store.execute("INSERT INTO monitors (id, org_id, external_id, name, kind, spec, interval_us, created_us, updated_us) VALUES ($1, $2, 'f', 'Foreign', 'tcp', $3, 60000000, $4, $4)", params![monitor, other.id, spec, now]).await.expect("a monitor");
    store.execute("INSERT INTO reports (id, org_id, status, target, requested_by, created_us) VALUES ($1, $2, 'queued', 'https://foreign.example/', 'x', $3)", params![report, other.id, now]).await.expect("a report");
    store.execute("INSERT INTO incidents (id, org_id, status, title, scope, began_us, confirmed_us) VALUES ($1, $2, 'open', 'Foreign', 'h', $3, $3)", params![incident, other.id, now]).await.expect("an incident");
    store.execute("INSERT INTO windows (id, org_id, external_id, name, spec, created_us, updated_us) VALUES ($1, $2, 'f', 'Foreign', '{}', $3, $3)", params![window, other.id, now]).await.expect("a window");
    for path in [
        format!("/monitors/{monitor}"),
        format!("/monitors/{monitor}/edit"),
        format!("/reports/{report}"),
        format!("/reports/{report}/full"),
        format!("/reports/{report}/download/json"),
        format!("/incidents/{incident}"),
        format!("/windows/{window}/edit"),
        format!("/status-pages/{monitor}"),
        format!("/channels/{monitor}"),
        format!("/heartbeats/{monitor}"),
        "/monitors/nonsense".into(),
        "/nowhere".into(),
    ] {
        let seen = browser.get(&path).await;
        assert_eq!(seen.status, StatusCode::NOT_FOUND, "{path}");
        assert!(!seen.text.contains("Foreign"), "{path}");
    }
    let token = browser.page("/").await.token();
    for path in [
        format!("/monitors/{monitor}/pause"),
        format!("/monitors/{monitor}/delete"),
        format!("/monitors/{monitor}/check"),
        format!("/monitors/{monitor}/audit"),
        format!("/incidents/{incident}/acknowledge"),
        format!("/windows/{window}/delete"),
        format!("/heartbeats/{monitor}/delete"),
        format!("/channels/{monitor}/test"),
    ] {
        assert_eq!(browser.post(&path, &[("csrf", &token)]).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert!(!browser.page("/").await.text.contains("Foreign"));
}

#[tokio::test]
async fn problems_wear_the_dress_that_was_asked_for() {
    let world = World::sqlite(Settings::default()).await;
    let mut browser = Browser::new(&world);
    browser.first_run(&world).await;
    let page = browser.get("/monitors/nonsense").await;
    assert_eq!(page.headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
    check("404", &page.text);
    let request = Request::get("/monitors/nonsense").header(header::ACCEPT, "application/json");
    let json = browser.send(request, String::new()).await;
    assert_eq!(
        (json.status, &json.headers[header::CONTENT_TYPE]),
        (StatusCode::NOT_FOUND, &http::HeaderValue::from_static("application/problem+json"))
    );
    let status = browser.get("/status/nobody").await;
    assert_eq!(status.status, StatusCode::NOT_FOUND);
    check("status 404", &status.text);
}
