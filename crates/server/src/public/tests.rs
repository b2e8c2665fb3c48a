//! What the public sees, on both databases.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{Request, StatusCode, header};
use jiff::Timestamp;
use landfall_monitor::{Bus, Clock as _, ManualClock, Watch};
use landfall_store::status::{
    PostKind, PublicIncident, PublicMonitor, PublicStatus, StatusPage, StatusPagePut, StatusPost,
    StatusPostPut, StatusUpdate, Sums,
};
use landfall_store::testkit::TestDb;
use landfall_store::{Id, Store, Tenant, Value, json as stored, params};
use maud::Markup;
use quick_xml::events::Event;
use serde_json::{Value as Json, json};
use tower::ServiceExt as _;

use super::*;
use crate::Settings;

const DAY_US: i64 = 86_400_000_000;

fn now() -> Timestamp {
    "2026-11-25T03:12:00Z".parse().expect("a moment")
}

fn back(minutes: i64) -> Timestamp {
    Timestamp::from_second(now().as_second() - minutes * 60).expect("in range")
}

fn days(broken: usize) -> Vec<Sums> {
    let today = now().as_microsecond().div_euclid(DAY_US) * DAY_US;
    (0..90)
        .filter(|i| *i > 6 && i % 31 != 11)
        .map(|i: i64| {
            let mut sums = Sums { from_us: today - (89 - i) * DAY_US, up: 288, ..Sums::default() };
            match (i as usize + broken) % 40 {
                3 => (sums.up, sums.down) = (260, 28),
                9 => (sums.up, sums.inconclusive) = (0, 288),
                15 => (sums.up, sums.missed) = (20, 268),
                21 => sums.degraded = 30,
                33 => (sums.up, sums.maintenance) = (0, 288),
                _ => {}
            }
            sums
        })
        .collect()
}

fn sample(title: &str) -> PublicStatus {
    let monitor = |name: &str, verdict: &str, broken| PublicMonitor {
        id: Id::default(),
        external_id: name.to_lowercase(),
        labels: BTreeMap::new(),
        name: name.into(),
        verdict: verdict.into(),
        last_check: Some(back(2)),
        interval_us: 300_000_000,
        days: days(broken),
    };
    PublicStatus {
        page: StatusPage {
            id: Id::default(),
            slug: "levqor".into(),
            title: title.into(),
            about: "API, site and jobs".into(),
            label: String::new(),
            noindex: false,
            published: true,
            created: back(9000),
            updated: back(9000),
        },
        monitors: vec![
            monitor("API", "down", 0),
            monitor("Site", "up", 7),
            PublicMonitor { last_check: Some(back(400)), ..monitor("Checkout", "up", 13) },
            PublicMonitor { days: vec![], last_check: None, ..monitor("New service", "new", 0) },
        ],
        incidents: vec![
            PublicIncident {
                id: Id::default(),
                monitors: vec!["API".into()],
                began: back(95),
                resolved: None,
            },
            PublicIncident {
                id: Id::default(),
                monitors: vec!["API".into(), "Site".into(), "Checkout".into()],
                began: back(9000),
                resolved: Some(back(8900)),
            },
        ],
        windows: vec![
            r#"{"name":"secret customer","monitors":["site","internal-db"],"start":"2026-03-01T00:00","duration_min":60}"#.into(),
            r#"{"name":"nightly","monitors":["api"],"repeat":"daily","start":"03:00","duration_min":30,"zone":"Europe/Berlin"}"#.into(),
            r#"{"name":"other","monitors":["internal-db"],"repeat":"daily","start":"04:00","duration_min":30}"#.into(),
        ],
        posts: vec![
            StatusPost {
                id: Id::default(),
                page: Id::default(),
                zone: "Europe/Berlin".into(),
                kind: PostKind::Maintenance,
                title: "Database upgrade".into(),
                state: "scheduled".into(),
                starts: back(-2000),
                ends: Some(back(-2120)),
                closed: None,
                updates: vec![StatusUpdate {
                    at: back(60),
                    state: "scheduled".into(),
                    author: "ines@example.com".into(),
                    say: "Writes pause for about ten minutes.".into(),
                }],
            },
            StatusPost {
                id: Id::default(),
                page: Id::default(),
                zone: "UTC".into(),
                kind: PostKind::Incident,
                title: title.into(),
                state: "identified".into(),
                starts: back(90),
                ends: None,
                closed: None,
                updates: vec![
                    StatusUpdate {
                        at: back(40),
                        state: "identified".into(),
                        author: "ines@example.com".into(),
                        say: "The deployment was lost; it is being published again.".into(),
                    },
                    StatusUpdate {
                        at: back(90),
                        state: "investigating".into(),
                        author: "ines@example.com".into(),
                        say: title.into(),
                    },
                ],
            },
        ],
    }
}

fn seen(failing: bool) -> status::Seen {
    let read = if failing { back(17) } else { now() };
    status::Seen { now: now(), read, failing, public_url: "https://watch.example.com".into() }
}

/// Status pages to be looked at.
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    let mut fine = sample("Levqor status");
    fine.monitors.truncate(2);
    fine.monitors[0].verdict = "up".into();
    fine.incidents.remove(0);
    fine.posts.clear();
    vec![
        ("public-trouble", status::page(&sample("Levqor status"), &seen(false))),
        ("public-stale", status::page(&sample("Levqor status"), &seen(true))),
        ("public-fine", status::page(&fine, &seen(false))),
    ]
}

fn well_formed(text: &str) -> Vec<String> {
    let mut reader = quick_xml::Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    let mut names = Vec::new();
    loop {
        match reader.read_event().unwrap_or_else(|e| panic!("{e} in {text}")) {
            Event::Start(tag) | Event::Empty(tag) => {
                for attribute in tag.attributes() {
                    attribute.unwrap_or_else(|e| panic!("{e} in {text}"));
                }
                names.push(String::from_utf8_lossy(tag.name().as_ref()).into_owned());
            }
            Event::Eof => return names,
            _ => {}
        }
    }
}

#[test]
fn a_status_page_is_what_a_page_must_be() {
    for (name, page) in samples() {
        let page = page.into_string();
        crate::pages::check_page(name, &page);
        assert!(!page.contains("ines@example.com"), "{name}: who writes is not for the public");
    }
    let hostile =
        status::page(&sample("</title><script>alert(1)</script>\u{202e}"), &seen(false)).into_string();
    crate::pages::check_page("hostile", &hostile);
    assert!(!hostile.contains("<script>alert"));
}

#[test]
fn what_nobody_looked_at_is_not_up() {
    let page = |verdict: &str, last: Option<Timestamp>| {
        let mut status = sample("x");
        status.incidents.clear();
        status.posts.clear();
        status.monitors.truncate(1);
        status.monitors[0].verdict = verdict.into();
        status.monitors[0].last_check = last;
        let json = status::json(&status, &seen(false));
        (
            json["status"].as_str().unwrap_or_default().to_owned(),
            json["monitors"][0]["verdict"].as_str().unwrap_or_default().to_owned(),
        )
    };
    assert_eq!(page("up", Some(back(2))), ("up".into(), "up".into()));
    assert_eq!(
        page("up", Some(back(16))),
        ("unknown".into(), "unknown".into()),
        "three intervals of five minutes"
    );
    assert_eq!(page("up", None), ("unknown".into(), "unknown".into()));
    assert_eq!(page("inconclusive", Some(back(2))).0, "unknown");
    assert_eq!(page("down", Some(back(2))).0, "down");
    assert_eq!(page("paused", None).0, "maintenance");
    assert_eq!(status::json(&sample("x"), &seen(true))["status"], "unknown", "the database is dead");
}

#[test]
fn the_feed_is_rss() {
    let feed = rss::feed(&sample("A & B <i>\u{b}\u{202e}]]>"), &seen(false));
    let names = well_formed(&feed);
    assert_eq!(names[0], "rss");
    assert_eq!(names.iter().filter(|n| *n == "item").count(), 6);
    for item in feed.split("<item>").skip(1) {
        for tag in ["title", "link", "description", "pubDate", "guid"] {
            assert!(item.contains(&format!("<{tag}")), "{tag} in {item}");
        }
    }
    assert!(feed.contains("<pubDate>Wed, 25 Nov 2026 01:37:00 +0000</pubDate>"), "{feed}");
    assert!(feed.contains("A &amp; B &lt;i&gt;"));
}

fn spec(name: &str, public: bool, label: &str) -> Json {
    json!({"name": name, "check": {"kind": "http", "url": "https://secret-target.example/"}, "interval_s": 300, "labels": {"team": label}, "public": public})
}

async fn add_monitor(
    store: &Store,
    org: &Tenant,
    name: &str,
    public: bool,
    label: &str,
    verdict: &str,
) -> Id {
    let id = Id::new();
    store
        .execute(
            "INSERT INTO monitors (id, org_id, external_id, name, kind, spec, interval_us, created_us, updated_us) VALUES ($1, $2, $3, $4, 'http', $5, 300000000, $6, $6)",
            params![id, org.id(), name, name, stored(&spec(name, public, label)), now()],
        )
        .await
        .expect("a monitor");
    store
        .execute(
            "INSERT INTO monitor_states (monitor_id, org_id, verdict, since_us, state, last_check_us) VALUES ($1, $2, $3, $4, '{}', $4)",
            params![id, org.id(), verdict, now()],
        )
        .await
        .expect("its state");
    id
}

async fn add_rollup(store: &Store, org: &Tenant, monitor: Id, grain: &str, from_us: i64, up: i64, down: i64) {
    store
        .execute(
            "INSERT INTO rollups (monitor_id, org_id, grain, bucket_us, up, down) VALUES ($1, $2, $3, $4, $5, $6)",
            params![monitor, org.id(), grain, from_us, up, down],
        )
        .await
        .expect("a sum");
}

async fn organisation(store: &Store, slug: &str) -> Tenant {
    let mut tx = store.begin().await.expect("a transaction");
    let org = Store::create_org(&mut tx, slug, slug, now()).await.expect("an organisation");
    tx.commit().await.expect("committed");
    store.tenant(org.id)
}

fn put<'a>(slug: &'a str, label: &'a str) -> StatusPagePut<'a> {
    StatusPagePut { slug, title: "Status", about: "", label, noindex: true, published: true }
}

struct World {
    db: TestDb,
    clock: ManualClock,
    app: App,
    org: Tenant,
    public: Id,
    private: Id,
}

impl World {
    async fn new(db: TestDb) -> Self {
        let clock = ManualClock::at(now());
        let app = App {
            store: db.store.clone(),
            clock: Arc::new(clock.clone()),
            bus: Bus::default(),
            watch: Watch::default(),
            settings: Arc::new(Settings::default()),
            live: Arc::new(crate::Liveness::new(now())),
        };
        let org = organisation(&db.store, "levqor").await;
        let public = add_monitor(&db.store, &org, "Shown service", true, "core", "up").await;
        let private = add_monitor(&db.store, &org, "Hidden service", false, "core", "down").await;
        org.create_status_page(put("levqor", ""), "a@example.com", now()).await.expect("a page");
        Self { db, clock, app, org, public, private }
    }

    async fn get(
        &self,
        router: &axum::Router,
        path: &str,
        tag: Option<&str>,
    ) -> (StatusCode, HeaderMap, String) {
        let mut request = Request::get(path);
        if let Some(tag) = tag {
            request = request.header(header::IF_NONE_MATCH, tag);
        }
        let response =
            router.clone().oneshot(request.body(Body::empty()).expect("a request")).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
        (parts.status, parts.headers, String::from_utf8(body.to_vec()).expect("UTF-8"))
    }

    fn router(&self) -> axum::Router {
        router().with_state(self.app.clone())
    }
}

#[tokio::test]
async fn only_public_monitors_are_ever_seen() {
    for db in TestDb::both().await {
        let world = World::new(db).await;
        let store = &world.db.store;
        let other = organisation(store, "other").await;
        add_monitor(store, &other, "Foreign service", true, "core", "up").await;
        // A private and a public monitor in one incident, whose title names the private one.
        let incident = Id::new();
        store
            .execute(
                "INSERT INTO incidents (id, org_id, status, title, scope, began_us, confirmed_us) VALUES ($1, $2, 'open', 'Hidden service is down', 'host', $3, $3)",
                params![incident, world.org.id(), now()],
            )
            .await
            .expect("an incident");
        for monitor in [world.public, world.private] {
            store
                .execute(
                    "INSERT INTO incident_monitors (incident_id, monitor_id, org_id, joined_us) VALUES ($1, $2, $3, $4)",
                    params![incident, monitor, world.org.id(), now()],
                )
                .await
                .expect("its part");
        }
        let alone = Id::new();
        store
            .execute(
                "INSERT INTO incidents (id, org_id, status, title, scope, began_us, confirmed_us) VALUES ($1, $2, 'open', 'Hidden again', 'another host', $3, $3)",
                params![alone, world.org.id(), now()],
            )
            .await
            .expect("an incident");
        store
            .execute(
                "INSERT INTO incident_monitors (incident_id, monitor_id, org_id, joined_us) VALUES ($1, $2, $3, $4)",
                params![alone, world.private, world.org.id(), now()],
            )
            .await
            .expect("its part");
        let router = world.router();
        for path in ["/status/levqor", "/status/levqor/rss", "/status/levqor/json"] {
            let (status, _, body) = world.get(&router, path, None).await;
            assert_eq!(status, StatusCode::OK, "{path}");
            assert!(body.contains("Shown service"), "{path}");
            for hidden in
                ["Hidden", "Foreign", "secret-target", &world.private.to_string(), &alone.to_string()]
            {
                assert!(!body.contains(hidden), "{path} shows {hidden}");
            }
        }
        let (status, _, json) = world.get(&router, "/status/levqor/json", None).await;
        assert_eq!(status, StatusCode::OK);
        let json: Json = serde_json::from_str(&json).expect("JSON");
        assert_eq!(json["incidents"].as_array().map(Vec::len), Some(1));
        for path in [
            format!("/badge/{}.svg", world.private),
            format!("/badge/{}/shields.json", world.private),
            format!("/badge/{}.svg", Id::new()),
            "/badge/nonsense.svg".into(),
            "/badge/nonsense".into(),
        ] {
            let (status, _, body) = world.get(&router, &path, None).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
            assert!(!body.contains("Hidden"));
        }
        for path in ["/status/nobody", "/status/LEVQOR", "/status/..%2Flevqor"] {
            assert_eq!(world.get(&router, path, None).await.0, StatusCode::NOT_FOUND, "{path}");
        }
    }
}

#[tokio::test]
async fn a_label_narrows_a_page_and_a_draft_is_not_there() {
    for db in TestDb::both().await {
        let world = World::new(db).await;
        add_monitor(&world.db.store, &world.org, "Web", true, "web", "up").await;
        world.org.create_status_page(put("web", "team=web"), "a@example.com", now()).await.expect("a page");
        let draft = StatusPagePut { published: false, ..put("draft", "") };
        world.org.create_status_page(draft, "a@example.com", now()).await.expect("a page");
        let router = world.router();
        let (_, _, body) = world.get(&router, "/status/web/json", None).await;
        let json: Json = serde_json::from_str(&body).expect("JSON");
        assert_eq!(json["monitors"].as_array().map(Vec::len), Some(1));
        assert_eq!(json["monitors"][0]["name"], "Web");
        assert_eq!(world.get(&router, "/status/draft", None).await.0, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn badges_show_status_and_uptime() {
    for db in TestDb::both().await {
        let world = World::new(db).await;
        let today = now().as_microsecond().div_euclid(DAY_US) * DAY_US;
        let hour = now().as_microsecond().div_euclid(3_600_000_000) * 3_600_000_000;
        let store = &world.db.store;
        add_rollup(store, &world.org, world.public, "hour", hour, 12, 0).await;
        add_rollup(store, &world.org, world.public, "hour", hour - 30 * 3_600_000_000, 0, 12).await;
        add_rollup(store, &world.org, world.public, "day", today, 100, 0).await;
        add_rollup(store, &world.org, world.public, "day", today - 10 * DAY_US, 60, 40).await;
        let router = world.router();
        let (status, headers, svg) = world.get(&router, &format!("/badge/{}.svg", world.public), None).await;
        assert_eq!(
            (status, &headers[header::CONTENT_TYPE]),
            (StatusCode::OK, &HeaderValue::from_static("image/svg+xml"))
        );
        assert_eq!(well_formed(&svg)[0], "svg");
        assert!(svg.contains("Shown service: up"), "{svg}");
        for (span, want) in [("24h", "100 %"), ("7d", "100 %"), ("30d", "80 %"), ("90d", "80 %")] {
            let path = format!("/badge/{}/shields.json?uptime={span}", world.public);
            let (_, _, body) = world.get(&router, &path, None).await;
            let json: Json = serde_json::from_str(&body).expect("JSON");
            assert_eq!(
                (json["schemaVersion"].as_i64(), json["message"].as_str()),
                (Some(1), Some(want)),
                "{span}"
            );
            well_formed(
                &world.get(&router, &format!("/badge/{}.svg?uptime={span}", world.public), None).await.2,
            );
        }
        let (status, _, body) =
            world.get(&router, &format!("/badge/{}.svg?uptime=1y", world.public), None).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(body.contains("24h"));
    }
}

#[test]
fn a_badge_of_a_hostile_name_is_still_one_drawing() {
    let known = landfall_store::status::PublicBadge {
        name: "<g onload=\"x\">&]]>\u{202e}\u{0}".into(),
        verdict: "down".into(),
        uptime: [None; 4],
    };
    let svg = badge::of(&known, None).expect("a badge").svg();
    assert_eq!(well_formed(&svg).iter().filter(|n| *n == "g").count(), 1);
    let unknown = badge::of(&known, Some("7d")).expect("a badge");
    assert_eq!(unknown.shields()["message"], "unknown");
}

#[tokio::test]
async fn answers_can_be_kept_and_asked_about() {
    let world = World::new(TestDb::sqlite().await).await;
    let router = world.router();
    let (_, headers, _) = world.get(&router, "/status/levqor", None).await;
    let caching = headers[header::CACHE_CONTROL].to_str().expect("text");
    assert!(caching.starts_with("public, max-age=5"), "{caching}");
    assert!(headers[header::CONTENT_SECURITY_POLICY].to_str().expect("text").contains("script-src 'self'"));
    assert_eq!(headers["x-robots-tag"], "noindex");
    assert!(!headers.contains_key(header::SET_COOKIE));
    let tag = headers[header::ETAG].to_str().expect("text").to_owned();
    let (status, _, body) = world.get(&router, "/status/levqor", Some(&tag)).await;
    assert_eq!((status, body.as_str()), (StatusCode::NOT_MODIFIED, ""));
    assert_eq!(world.get(&router, "/status/levqor", Some("\"other\"")).await.0, StatusCode::OK);
    let (_, headers, body) = world.get(&router, "/robots.txt", None).await;
    assert_eq!(headers[header::CONTENT_TYPE], "text/plain; charset=utf-8");
    assert!(body.contains("Disallow: /\n"));
}

#[tokio::test]
async fn a_dead_database_leaves_the_page_and_its_age() {
    let server = landfall_store::testkit::Postgres::start();
    let place = server.url("postgres");
    let store = Store::open(&place).await.expect("a database");
    let world = World::new(TestDb::of(store, place)).await;
    let router = world.router();
    let (status, _, body) = world.get(&router, "/status/levqor", None).await;
    assert_eq!(status, StatusCode::OK);
    assert!(body.contains("All services are up"));
    server.stop();
    world.clock.advance(Duration::from_secs(600));
    // At once, and as it was; then, once reading has failed, with its age and without the claim that all is well.
    let (status, _, body) = world.get(&router, "/status/levqor", None).await;
    assert_eq!(status, StatusCode::OK);
    assert!(body.contains("Shown service"));
    loop {
        let (status, _, body) = world.get(&router, "/status/levqor", None).await;
        assert_eq!(status, StatusCode::OK);
        if body.contains("Our own database cannot be read") {
            assert!(body.contains("10 min ago") && !body.contains("All services are up"), "{body}");
            break;
        }
        tokio::task::yield_now().await;
    }
    let (_, _, json) = world.get(&router, "/status/levqor/json", None).await;
    let json: Json = serde_json::from_str(&json).expect("JSON");
    assert_eq!((json["status"].as_str(), json["stale"].as_bool()), (Some("unknown"), Some(true)));
    // What was never read cannot be shown, and says whose fault that is.
    let (status, headers, _) = world.get(&router, "/status/unseen", None).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(headers[header::RETRY_AFTER], "5");
}

#[test]
fn maintenance_windows_are_shown_by_themselves_with_public_names_only() {
    let mut status = sample("Levqor");
    let read = now();
    let local = read.to_zoned(jiff::tz::TimeZone::UTC);
    // One that is open now, and one that opens in an hour.
    let text = |minutes: i64| {
        let at = local.checked_add(jiff::SignedDuration::from_mins(minutes)).expect("in range");
        at.strftime("%Y-%m-%dT%H:%M").to_string()
    };
    status.windows.push(format!(
        r#"{{"name":"secret customer","monitors":["site","internal-db"],"start":"{}","duration_min":60}}"#,
        text(-30)
    ));
    status
        .windows
        .push(format!(r#"{{"name":"secret upgrade","all":true,"start":"{}","duration_min":60}}"#, text(60)));
    let seen =
        super::status::Seen { now: read, read, failing: false, public_url: "https://status.example".into() };
    let page = super::status::page(&status, &seen).into_string();
    assert!(!page.contains("secret") && !page.contains("internal-db"), "{page}");
    let page = page.replace("<bdi>", "").replace("</bdi>", "");
    let open = page.find("Maintenance of Site").expect("the open window is shown with its public service");
    assert!(page[..open].contains(r#"id="now""#), "{page}");
    assert!(page.contains("Maintenance of API and 3 more"), "{page}");
    let json = super::status::json(&status, &seen);
    let open: Vec<_> =
        json["maintenance"].as_array().expect("a list").iter().filter(|w| w["open"] == true).collect();
    assert_eq!(open.len(), 1, "{json}");
    assert_eq!(open[0]["monitors"], serde_json::json!(["Site"]), "{json}");
    assert!(!json.to_string().contains("internal-db"), "{json}");
}

#[tokio::test]
async fn posts_go_through_their_states() {
    for db in TestDb::both().await {
        let world = World::new(db).await;
        let page = world.org.status_pages(landfall_store::Page::default()).await.expect("pages")[0].id;
        let put = StatusPostPut {
            kind: PostKind::Incident,
            title: "Slow",
            state: "investigating",
            starts: now(),
            ends: None,
            zone: "UTC",
            say: "We look.",
            author: "ines@example.com",
        };
        let post = world.org.create_status_post(page, put, now()).await.expect("a post");
        assert!(
            world.org.update_status_post(post, "completed", "x", "a", now()).await.is_err(),
            "that is a state of maintenance"
        );
        world
            .org
            .update_status_post(post, "resolved", "Over.", "ines@example.com", world.clock.now())
            .await
            .expect("an update");
        let posts = world.org.announcements(page, landfall_store::Page::default()).await.expect("posts");
        assert_eq!((posts.len(), posts[0].state.as_str(), posts[0].updates.len()), (1, "resolved", 2));
        assert!(posts[0].closed.is_some());
        // Somebody else's page and post are not there.
        let other = organisation(&world.db.store, "other").await;
        assert!(other.status_page(page).await.is_err());
        assert!(other.create_status_post(page, put, now()).await.is_err());
        assert!(other.update_status_post(post, "resolved", "x", "a", now()).await.is_err());
        assert!(other.delete_status_page(page, "a@example.com", now()).await.is_err());
        assert!(matches!(
            other.create_status_page(super::tests::put("levqor", ""), "a@example.com", now()).await,
            Err(StoreError::Exists { .. })
        ));
        world.org.delete_status_page(page, "a@example.com", now()).await.expect("gone");
        assert!(world.org.status_pages(landfall_store::Page::default()).await.expect("pages").is_empty());
        let left = world
            .db
            .store
            .query("SELECT count(*) AS n FROM status_updates", &[] as &[Value])
            .await
            .expect("a count");
        assert_eq!(left[0].int("n").expect("a number"), 0);
    }
}
