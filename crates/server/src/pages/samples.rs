//! Every page with plausible and with hostile content, held against what all pages must be; and a way to look at them:
//!
//! ```text
//! LANDFALL_PAGES_DIR=/tmp/pages cargo test -p landfall-server pages::samples::write -- --ignored
//! ```

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use landfall_report::Report;
use maud::Markup;
use regex::Regex;
use serde_json::{Value, json};

use super::channels::{self, ChannelForm};
use super::form::{self, Values};
use super::layout::{Flash, Person, Shell, Theme};
use super::monitor::MonitorPage;
use super::monitor_form::{self, MonitorForm};
use super::overview::{Filter, Overview};
use super::parts::Tone;
use super::status_pages::OnePage;
use super::{
    account, errors, heartbeats, incidents, jobs, judgement, money, monitor, overview, reports, settings,
    status_pages, windows,
};
use crate::api::model::*;
use crate::problem::FieldError;
use crate::{Problem, Role};

/// A name that tries everything: a tag, an attribute's end, a turn of direction, a control character.
const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u{202e}evil\u{0}";

pub(crate) fn at(minutes_ago: i64) -> Timestamp {
    let now: Timestamp = "2026-11-25T03:12:00Z".parse().expect("a moment");
    Timestamp::from_second(now.as_second() - minutes_ago * 60).expect("in range")
}

pub(crate) fn shell(role: Role) -> Shell {
    Shell {
        now: at(0),
        person: Some(Person {
            name: "ines@example.com".into(),
            organisation: "Levqor".into(),
            others: vec![("other".into(), "Other Ltd".into())],
            role,
        }),
        csrf: "TOKEN".into(),
        flash: None,
        theme: Theme::Auto,
        open_incidents: 2,
        path: "/".into(),
        public_url: "https://watch.example.com".into(),
    }
}

fn report_json() -> Value {
    let snapshot =
        include_str!("../../../report/tests/renderings/snapshots/renderings__machines__json_undeployed.snap");
    let body = snapshot.splitn(3, "---\n").nth(2).expect("a snapshot has a head");
    serde_json::from_str(body).expect("the snapshot is a report")
}

pub(crate) fn report() -> Report {
    judgement::read(Some(&report_json())).expect("the report reads back")
}

fn id(n: u32) -> String {
    format!("0193a0c4-0000-7000-8000-{n:012}")
}

fn monitor(n: u32, name: &str, verdict: &str) -> MonitorView {
    MonitorView {
        id: id(n),
        external_id: format!("m{n}"),
        name: name.into(),
        kind: "http".into(),
        target: "https://api.levqor.ai/health".into(),
        spec: json!({"name": name, "check": {"kind": "http", "url": "https://api.levqor.ai/health", "method": "GET", "redirects": 5, "certificate_days": 7, "headers": {"x-token": "********"}}, "interval_s": 300, "timeout_ms": 10000, "fail_after": 3, "recover_after": 2, "labels": {"team": "core"}, "public": true}),
        paused: verdict == "paused",
        origin: "api".into(),
        verdict: verdict.into(),
        since: at(95),
        say: (verdict != "new")
            .then(|| if verdict == "up" { "HTTP 200".into() } else { "HTTP 404, expected 200-299".into() }),
        reason: (verdict == "down").then(|| "status".into()),
        last_check: (verdict != "new").then(|| at(2)),
        last_up: (verdict != "new").then(|| at(110)),
        next_check: Some(at(-3)),
        took_ms: (verdict != "new").then_some(184.2),
        incident: (verdict == "down").then(|| id(900)),
        uptime_24h: (verdict != "new").then_some(0.9346),
    }
}

fn bucket(from: Timestamp, kind: usize) -> BucketView {
    let mut b = BucketView {
        from,
        up: 12,
        degraded: 0,
        down: 0,
        inconclusive: 0,
        maintenance: 0,
        missed: 0,
        uptime: Some(1.0),
        mean_ms: Some(180.0),
        max_ms: Some(400.0),
    };
    match kind {
        1 => (b.up, b.down, b.uptime) = (8, 4, Some(8.0 / 12.0)),
        2 => (b.up, b.degraded) = (9, 3),
        3 => (b.up, b.inconclusive, b.uptime) = (0, 12, None),
        4 => (b.up, b.missed, b.uptime) = (0, 12, None),
        5 => (b.up, b.maintenance, b.uptime) = (0, 12, None),
        _ => {}
    }
    b
}

fn buckets(step_s: i64, count: i64) -> Vec<BucketView> {
    let last = at(0).as_second().div_euclid(step_s) * step_s;
    (0..count)
        .filter(|i| i % 23 != 7)
        .map(|i| {
            let from = Timestamp::from_second(last - (count - 1 - i) * step_s).expect("in range");
            bucket(
                from,
                match i % 29 {
                    3 => 2,
                    11 => 3,
                    17 => 5,
                    19 => 4,
                    27 | 28 => 1,
                    _ => 0,
                },
            )
        })
        .collect()
}

pub(crate) fn incident(name: &str) -> IncidentView {
    IncidentView {
        id: id(900),
        status: "open".into(),
        severity: "critical".into(),
        title: name.into(),
        cause: Some(IncidentCause {
            id: "never-deployed".into(),
            title: "No deployment is published under this host".into(),
            label: "confirmed".into(),
            confidence: 0.99,
        }),
        diagnosis: "known".into(),
        report: Some(id(700)),
        difference: vec![
            ChangeView { what: "status".into(), before: Some("200".into()), after: Some("404".into()) },
            ChangeView {
                what: "header server".into(),
                before: Some("gunicorn".into()),
                after: Some("Google Frontend".into()),
            },
            ChangeView { what: "header x-build".into(), before: Some("4f2a1c9".into()), after: None },
        ],
        monitors: vec![
            IncidentMonitor { id: id(1), name: "API health".into(), joined: at(95), left: None },
            IncidentMonitor { id: id(2), name: name.into(), joined: at(90), left: Some(at(5)) },
        ],
        began: at(105),
        confirmed: at(95),
        alerted: Some(at(95)),
        acknowledged: None,
        acknowledged_by: None,
        resolved: None,
        timeline: vec![
            TimelineEntry {
                at: at(105),
                kind: "first-failure".into(),
                actor: None,
                say: "API health failed first: HTTP 404, expected 200-299".into(),
            },
            TimelineEntry {
                at: at(95),
                kind: "confirmed".into(),
                actor: None,
                say: "Three failures in a row".into(),
            },
            TimelineEntry {
                at: at(95),
                kind: "diagnosed".into(),
                actor: None,
                say: "No deployment is published under this host (confirmed)".into(),
            },
            TimelineEntry {
                at: at(95),
                kind: "alerted".into(),
                actor: None,
                say: "Sent to 2 channels".into(),
            },
            TimelineEntry {
                at: at(60),
                kind: "comment".into(),
                actor: Some("ines@example.com".into()),
                say: name.into(),
            },
        ],
    }
}

fn results() -> Vec<ResultView> {
    (0..60)
        .map(|i: i64| {
            let down = i < 20;
            let wave = f64::from(i32::try_from(i * 37 % 50).expect("small"));
            ResultView {
                id: id(5000 + u32::try_from(i).expect("small")),
                scheduled: at(i * 5),
                started: at(i * 5),
                took_ms: 120.0 + wave * 2.5,
                outcome: if down {
                    "down"
                } else if i == 33 {
                    "degraded"
                } else if i == 40 {
                    "inconclusive"
                } else {
                    "up"
                }
                .into(),
                reason: down.then(|| "status".into()),
                say: if down { "HTTP 404, expected 200-299".into() } else { "HTTP 200".into() },
                status: Some(if down { 404 } else { 200 }),
                phases: PhasesView {
                    resolve_ms: Some(4.0 + wave / 10.0),
                    connect_ms: Some(18.0),
                    tls_ms: Some(31.0),
                    wait_ms: Some(55.0 + wave * 2.0),
                    transfer_ms: Some(3.0),
                },
            }
        })
        .collect()
}

fn listing<T>(items: Vec<T>) -> Listing<T> {
    Listing { items, next: None }
}

fn report_view(status: &str) -> ReportView {
    let done = status == "done";
    ReportView {
        id: id(700),
        status: status.into(),
        target: "https://api.levqor.ai/health".into(),
        monitor: None,
        incident: None,
        created: at(1),
        ended: done.then(|| at(0)),
        verdict: done.then(|| "not-live".into()),
        summary: done.then(|| report().summary),
        cause: done.then(|| "never-deployed".into()),
        problem: (status == "failed").then(|| "the audit ran out of time".into()),
        report: done.then(report_json),
    }
}

fn channel(n: u32, kind: &str, error: Option<&str>) -> ChannelView {
    ChannelView {
        id: id(n),
        external_id: format!("c{n}"),
        name: format!("On call by {kind}"),
        kind: kind.into(),
        config: json!({"url": "https://hooks.example.com/x", "secret": "********"}),
        enabled: true,
        origin: "api".into(),
        last_delivered: Some(at(95)),
        last_error: error.map(str::to_owned),
    }
}

fn delivery(outcome: &str) -> DeliveryView {
    DeliveryView {
        id: id(60),
        channel: Some(id(20)),
        headline: "DOWN API health: no deployment is published under this host (confirmed, 99 %)".into(),
        at: at(95),
        outcome: outcome.into(),
        say: if outcome == "delivered" { "HTTP 200".into() } else { "HTTP 503, tried again in 30 s".into() },
        took_ms: 214.0,
    }
}

fn job(name: &str, title: &str, status: &str) -> JobView {
    let ran = status != "never-run" && status != "off";
    JobView {
        name: name.into(),
        title: title.into(),
        schedule: "every 15 min".into(),
        status: status.into(),
        say: ran.then(|| "14 monitors looked at".into()),
        worked_on: ran.then_some(14),
        last_run: ran.then(|| at(7)),
        last_success: (status == "ok").then(|| at(7)),
        took_ms: ran.then_some(83.0),
        next_run: Some(at(-8)),
    }
}

fn beat(n: u32, status: &str) -> HeartbeatView {
    HeartbeatView {
        id: Some(id(n)),
        external_id: format!("nightly-{n}"),
        origin: "api".into(),
        slug: format!("nightly-{n}"),
        name: format!("Nightly backup {n}"),
        spec: json!({"name": "Nightly backup", "period_s": 86400, "grace_s": 3600}),
        status: status.into(),
        pings: if status == "new" { 0 } else { 214 },
        last_ping: (status != "new").then(|| at(400)),
        last_duration_ms: (status != "new").then_some(48_210.0),
        due: (status != "new").then(|| at(-1040)),
        ping_url: Some(format!("https://watch.example.com/ping/{}", id(n))),
    }
}

fn billing_view() -> crate::billing::api::BillingView {
    crate::billing::api::BillingView {
        on: true,
        plan: "free".into(),
        limits: crate::billing::PLANS[0].limits,
        subscriptions: vec![],
        unpaid_invoices: 1,
        plans: crate::billing::PLANS.to_vec(),
    }
}

fn ticket(name: &str) -> crate::support::api::TicketView {
    crate::support::api::TicketView {
        ticket_id: id(80),
        status: "open".into(),
        message: name.into(),
        opened_by: "ines@example.com".into(),
        email: None,
        conversation_id: None,
        created: at(9),
        updated: at(9),
    }
}

fn answer(name: &str) -> crate::support::Answer {
    crate::support::Answer {
        reply: format!("No deployment is published under this host (confirmed).\n{name}"),
        answered_by: crate::support::AnsweredBy::Rules,
        answered: true,
        escalation_suggested: true,
        model_problem: None,
        notice: None,
        conversation_id: id(81),
    }
}

/// All pages by name.
pub(crate) fn pages(name: &str) -> Vec<(&'static str, Markup)> {
    let owner = shell(Role::Owner);
    let mut flashed = owner.clone();
    flashed.flash = Some(Flash { tone: Tone::Good, say: "Saved.".into() });
    let before = Shell { person: None, ..shell(Role::Reader) };
    let report = report();
    let empty = Overview {
        troubles: vec![],
        monitors: listing(vec![]),
        hours: BTreeMap::new(),
        counts: BTreeMap::new(),
        jobs: Vec::new(),
        filter: Filter::default(),
    };
    let verdicts = ["down", "degraded", "inconclusive", "blocked", "up", "maintenance", "paused", "new"];
    let monitors: Vec<MonitorView> = verdicts
        .iter()
        .enumerate()
        .map(|(i, v)| monitor(i as u32 + 1, if i == 0 { name } else { "Checkout" }, v))
        .collect();
    let hours: BTreeMap<String, Vec<BucketView>> =
        monitors.iter().filter(|m| m.verdict != "new").map(|m| (m.id.clone(), buckets(3600, 24))).collect();
    let mut acknowledged = incident("Checkout is slow");
    acknowledged.id = id(901);
    acknowledged.acknowledged = Some(at(3));
    acknowledged.acknowledged_by = Some("ines@example.com".into());
    acknowledged.cause = None;
    acknowledged.diagnosis = "diagnosing".into();
    let full = Overview {
        troubles: vec![incident(name), acknowledged.clone()],
        monitors: Listing { items: monitors, next: Some(id(9)) },
        hours,
        counts: verdicts.iter().map(|v| ((*v).to_owned(), 3)).collect(),
        jobs: Vec::new(),
        filter: Filter::default(),
    };
    let one = MonitorPage {
        monitor: monitor(1, name, "down"),
        hours: buckets(3600, 24),
        days: buckets(86_400, 90),
        results: Listing { items: results(), next: Some(id(5059)) },
        after: String::new(),
        incidents: vec![incident(name)],
    };
    let young = MonitorPage {
        monitor: monitor(8, "Fresh", "new"),
        hours: vec![],
        days: vec![],
        results: listing(vec![]),
        after: String::new(),
        incidents: vec![],
    };
    let http = form::fresh(&monitor_form::fields("http"));
    let wrong = Values::parse(b"/name=&/check/url=nonsense&/check/assert/on=time&/check/assert/value=fast");
    let wrong_errors = monitor_form::spec("http", &wrong).expect_err("wrong");
    let existing = form::of_json(&monitor_form::fields("http"), &monitor(1, name, "up").spec);
    let webhook = form::fresh(&channels::fields("webhook"));
    let page = StatusPageView {
        id: id(300),
        slug: "levqor".into(),
        url: "https://landfall.example/status/levqor".into(),
        title: name.into(),
        about: "API and site".into(),
        label: String::new(),
        noindex: false,
        published: true,
        created: at(900),
    };
    let pages = listing(vec![page.clone()]);
    let posts = listing(vec![AnnouncementView {
        id: id(301),
        page: id(300),
        kind: "incident".into(),
        title: name.into(),
        state: "identified".into(),
        starts: at(90),
        ends: None,
        zone: "Europe/Berlin".into(),
        closed: None,
        updates: vec![AnnouncementUpdateView {
            at: at(80),
            state: "identified".into(),
            author: "ines@example.com".into(),
            say: name.into(),
        }],
    }]);
    let page_values = status_pages::values(&page);
    let post_values = form::fresh(status_pages::POST);
    let org = OrganisationView {
        id: id(1),
        slug: "levqor".into(),
        name: name.into(),
        plan: "free".into(),
        created: at(90_000),
    };
    let key = KeyView {
        id: id(41),
        name: name.into(),
        prefix: "lfk_3fa9".into(),
        key: Some("lfk_3fa9_secret".into()),
        scopes: vec![crate::Scope::Read],
        status: "active".into(),
        created: at(500),
        created_by: "ines@example.com".into(),
        expires: None,
        last_used: None,
        revoked: None,
        successor: None,
    };
    let members = listing(vec![
        MemberView {
            id: id(51),
            email: "ines@example.com".into(),
            name: name.into(),
            role: "owner".into(),
            since: at(9000),
            you: true,
        },
        MemberView {
            id: id(52),
            email: "tom@example.com".into(),
            name: "Tom".into(),
            role: "reader".into(),
            since: at(900),
            you: false,
        },
    ]);
    let invitation = InvitationView {
        id: id(53),
        role: "editor".into(),
        email: Some("new@example.com".into()),
        invited_by: "ines@example.com".into(),
        created: at(4),
        expires: at(-900),
        link: Some("https://watch.example.com/join?token=abc".into()),
        mailed: false,
    };
    let window = WindowView {
        id: id(31),
        external_id: "w".into(),
        name: name.into(),
        spec: json!({"name": "x", "all": true, "repeat": "weekly", "days": ["sun"], "start": "02:00", "duration_min": 90, "zone": "Europe/Berlin"}),
        origin: "api".into(),
        active: false,
        next: Some(at(-4000)),
    };
    let ping = |kind: &str, body: Option<&str>| PingView {
        n: 1,
        at: at(400),
        kind: kind.into(),
        method: "POST".into(),
        agent: Some("curl/8.5".into()),
        address: Some("192.0.2.7".into()),
        body: body.map(str::to_owned),
        rid: None,
        exit_status: (kind == "success").then_some(0),
        duration_ms: (kind == "success").then_some(48_210.0),
    };
    let pings = vec![ping("success", Some(name)), ping("start", None)];
    let mut resolved = incident("It is over");
    resolved.status = "resolved".into();
    resolved.resolved = Some(at(2));
    let reader = shell(Role::Reader);
    vec![
        ("sign-in", account::sign_in(&before, account::Filled::default(), "/", "")),
        (
            "sign-in-wrong",
            account::sign_in(
                &before,
                account::Filled { email: "ines@example.com", ..Default::default() },
                "/",
                "the e-mail address or the password is wrong",
            ),
        ),
        (
            "first-run",
            account::first_run(
                &before,
                "tok",
                account::Filled::default(),
                "",
                &[FieldError { field: "/password".into(), detail: "is too short".into() }],
            ),
        ),
        ("register", account::register(&before, account::Filled::default(), "", &[])),
        ("join", account::join(&before, "tok", name, "editor", account::Filled::default(), "", &[])),
        ("overview", overview::page(&flashed, &full)),
        ("overview-reader", overview::page(&reader, &full)),
        ("overview-empty", overview::page(&owner, &empty)),
        ("add", overview::add_page(&owner, "")),
        ("monitor", monitor::page(&owner, &one)),
        ("monitor-new-born", monitor::page(&owner, &young)),
        (
            "monitor-form",
            monitor_form::page(&owner, &MonitorForm { kind: "http", of: None, values: &http, errors: &[] }),
        ),
        (
            "monitor-form-wrong",
            monitor_form::page(
                &owner,
                &MonitorForm { kind: "http", of: None, values: &wrong, errors: &wrong_errors },
            ),
        ),
        (
            "monitor-edit",
            monitor_form::page(
                &owner,
                &MonitorForm { kind: "http", of: Some((&id(1), name)), values: &existing, errors: &[] },
            ),
        ),
        (
            "incidents",
            incidents::list_page(&owner, &listing(vec![incident(name), acknowledged, resolved]), "", ""),
        ),
        ("incident", incidents::page(&owner, &incident(name), Some(&report))),
        ("incident-reader", incidents::page(&reader, &incident(name), None)),
        (
            "reports",
            reports::list_page(
                &owner,
                &listing(vec![report_view("done"), report_view("running"), report_view("failed")]),
                "",
            ),
        ),
        ("report", reports::page(&owner, &report_view("done"), Some(&report))),
        ("report-running", reports::page(&owner, &report_view("running"), None)),
        ("report-failed", reports::page(&owner, &report_view("failed"), None)),
        (
            "heartbeats",
            heartbeats::list_page(
                &owner,
                &listing(vec![
                    beat(11, "up"),
                    beat(12, "down"),
                    beat(13, "late"),
                    beat(14, "new"),
                    beat(15, "started"),
                    beat(16, "paused"),
                ]),
                "",
            ),
        ),
        ("heartbeat", heartbeats::page(&owner, &beat(11, "up"), &pings)),
        ("heartbeat-form", heartbeats::form_page(&owner, None, &heartbeats::fresh(), &[])),
        (
            "channels",
            channels::list_page(
                &owner,
                &listing(vec![
                    channel(20, "webhook", None),
                    channel(21, "email", Some("550 no such user")),
                    channel(22, "slack", None),
                ]),
                "",
            ),
        ),
        (
            "channel",
            channels::page(
                &owner,
                &ChannelForm {
                    kind: "webhook",
                    of: Some(&channel(20, "webhook", None)),
                    values: &webhook,
                    errors: &[],
                },
                &channel(20, "webhook", None),
                &listing(vec![delivery("delivered"), delivery("retry")]),
            ),
        ),
        (
            "channel-new",
            channels::new_page(
                &owner,
                &ChannelForm { kind: "email", of: None, values: &webhook, errors: &[] },
            ),
        ),
        (
            "deliveries",
            channels::log_page(
                &owner,
                &listing(vec![delivery("delivered"), delivery("refused")]),
                &[(id(20), name.into())],
                "",
            ),
        ),
        ("windows", windows::list_page(&owner, &listing(vec![window]), "")),
        ("window-form", windows::form_page(&owner, None, &form::fresh(windows::FIELDS), &[])),
        (
            "jobs",
            jobs::page(
                &owner,
                &[
                    job("synthetic", "Synthetic checks", "ok"),
                    job("certificates", "Certificate sweep", "failed"),
                    job("digest-weekly", "Weekly digest", "never-run"),
                    job("billing-dunning", "Dunning", "off"),
                    job("rollup-hour", "Hourly sums", "overdue"),
                ],
            ),
        ),
        ("settings", settings::organisation(&owner, &org, &[])),
        (
            "settings-members",
            settings::members(
                &owner,
                &members,
                Some(&listing(vec![invitation.clone()])),
                Some(&invitation),
                &[],
                "",
            ),
        ),
        ("settings-keys", settings::keys(&owner, &listing(vec![key.clone()]), Some(&key), &[], "")),
        (
            "settings-sessions",
            settings::sessions(
                &owner,
                &listing(vec![
                    SessionView {
                        id: id(61),
                        current: true,
                        created: at(900),
                        seen: at(0),
                        expires: at(-9000),
                        address: Some("192.0.2.7".into()),
                        agent: Some(name.into()),
                    },
                    SessionView {
                        id: id(62),
                        current: false,
                        created: at(9000),
                        seen: at(100),
                        expires: at(-900),
                        address: None,
                        agent: None,
                    },
                ]),
                "",
                &[],
            ),
        ),
        ("settings-billing", money::billing(&owner, &billing_view())),
        (
            "settings-support",
            money::support(
                &owner,
                &listing(vec![ticket(name)]),
                Some(&money::Exchange { asked: name, answer: &answer(name) }),
                "",
            ),
        ),
        (
            "settings-log",
            settings::log(
                &owner,
                &listing(vec![LogView {
                    id: id(71),
                    at: at(4),
                    actor: "ines@example.com".into(),
                    action: "monitor.changed".into(),
                    kind: "monitor".into(),
                    object: Some(id(1)),
                    say: name.into(),
                }]),
                "",
            ),
        ),
        (
            "status-pages",
            status_pages::list_page(&owner, &pages, true, &form::fresh(status_pages::FIELDS), &[]),
        ),
        (
            "status-page",
            status_pages::page(
                &owner,
                &OnePage {
                    page: &page,
                    posts: &posts,
                    first: true,
                    values: &page_values,
                    errors: &[],
                    post: &post_values,
                    post_errors: &[],
                },
            ),
        ),
        ("error-404", errors::page(&before, &Problem::missing("monitor"))),
        ("error-403", errors::page(&before, &Problem::forbidden("this needs the role editor"))),
        (
            "error-500",
            errors::page(&before, &Problem::new(http::StatusCode::INTERNAL_SERVER_ERROR, "it is in the log")),
        ),
        (
            "error-503",
            errors::page(
                &before,
                &Problem::new(
                    http::StatusCode::SERVICE_UNAVAILABLE,
                    "the database cannot be asked at the moment; try again",
                ),
            ),
        ),
    ]
}

/// A pattern of a test.
pub(crate) fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern")
}

/// What every page must be.
pub(crate) fn check(name: &str, page: &str) {
    let find = |what: &str| -> Vec<String> {
        let regex = pattern(what);
        regex.find_iter(page).map(|m| m.as_str().to_owned()).collect()
    };
    assert_eq!(find("<h1[ >]").len(), 1, "{name}: one h1");
    assert_eq!(find("<main[ >]").len(), 1, "{name}: one main");
    assert!(
        page.contains(r##"class="skip" href="#content""##) && page.contains(r#"id="content""#),
        "{name}: skip link"
    );
    assert!(page.contains(r#"<html lang="en""#), "{name}: language");
    assert!(page.contains("<title>"), "{name}: title");

    // Nothing inline: no handler, no style, no script with a body.
    let bare = pattern(r#"="[^"]*""#).replace_all(page, "=\"\"");
    let inline = pattern(r"<[^>]*\s(on[a-z]+|style)=");
    assert_eq!(inline.find(&bare).map(|m| m.as_str()), None, "{name}: inline");
    for script in find(r"(?s)<script.*?</script>") {
        assert!(
            pattern(r#"^<script type="module" src="/assets/app\.[0-9a-f]{12}\.js"></script>$"#)
                .is_match(&script),
            "{name}: {script}"
        );
    }
    assert!(
        find("(src|href)=\"(https?:)?//").iter().all(|_| false),
        "{name}: another host: {:?}",
        find("(src|href)=\"(https?:)?//[^\"]*")
    );

    for tag in find(r"<[a-z][^>]*>") {
        assert!(tag.matches(" class=").count() <= 1, "{name}: two classes in {tag}");
    }

    // Every form that changes something carries the token.
    let form = pattern(r"(?s)<form([^>]*)>(.*?)</form>");
    let token = pattern(r#"name="csrf" value="[^"]+""#);
    for found in form.captures_iter(page) {
        if found[1].contains(r#"method="post""#) {
            assert!(token.is_match(&found[2]), "{name}: a form without the token: {}", &found[0]);
        } else {
            assert!(found[1].contains(r#"method="get""#), "{name}: {}", &found[1]);
        }
    }

    // Ids are unique, and whatever takes input has a name for those who do not see it.
    let ids: Vec<String> =
        pattern(r#"\sid="([^"]*)""#).captures_iter(page).map(|c| c[1].to_owned()).collect();
    let unique: BTreeSet<&String> = ids.iter().collect();
    assert_eq!(unique.len(), ids.len(), "{name}: an id twice in {ids:?}");
    let attribute = |tag: &str, which: &str| {
        Regex::new(&format!(r#"\s{which}="([^"]*)""#))
            .expect("a pattern")
            .captures(tag)
            .map(|c| c[1].to_owned())
    };
    let ticks = find(r#"(?s)<label class="tick">.*?</label>"#).join("");
    for tag in find("<(input|select|textarea)[^>]*>") {
        if attribute(&tag, "type").as_deref() == Some("hidden")
            || ticks.contains(&tag)
            || attribute(&tag, "aria-label").is_some()
        {
            continue;
        }
        let id = attribute(&tag, "id").unwrap_or_default();
        assert!(
            page.contains(&format!(r#"<label for="{id}""#))
                || page.contains(&format!(r#"<label class="sr" for="{id}""#)),
            "{name}: no label for {tag}"
        );
    }
    for reference in pattern(r#"\saria-(?:labelledby|describedby)="([^"]*)""#).captures_iter(page) {
        for one in reference[1].split(' ') {
            assert!(ids.iter().any(|i| i == one), "{name}: {one} is not there");
        }
    }
    for table in find("(?s)<thead>.*?</thead>") {
        assert!(!table.contains("<th>"), "{name}: a heading without a scope");
    }
}

#[test]
fn every_page_is_what_a_page_must_be() {
    for (name, page) in pages("API health") {
        check(name, &page.into_string());
    }
}

#[test]
fn hostile_names_stay_text() {
    for (name, page) in pages(HOSTILE) {
        let page = page.into_string();
        check(name, &page);
        assert!(!page.contains("<script>alert"), "{name}: a tag came through");
        assert!(!page.contains("<img"), "{name}: a tag came through");
        // In attributes and text areas a person's own text stays as it is; what is shown is cleaned.
        let shown =
            pattern(r#"(?s)<(textarea|option)[^>]*>.*?</(textarea|option)>|="[^"]*""#).replace_all(&page, "");
        assert!(
            !shown.contains('\u{202e}') && !shown.contains('\u{0}'),
            "{name}: a mark that turns the line came through"
        );
    }
}

#[test]
fn pages_as_they_are() {
    let wanted = [
        "sign-in",
        "first-run",
        "overview",
        "overview-empty",
        "monitor-new-born",
        "incident",
        "report-running",
        "jobs",
        "error-404",
    ];
    for (name, page) in pages("API health").into_iter().filter(|(n, _)| wanted.contains(n)) {
        // One tag a line reads well in a review; hashes of assets are no news.
        let text = page.into_string().replace("><", ">\n<");
        let text = pattern(r"\.[0-9a-f]{12}\.").replace_all(&text, ".HASH.").into_owned();
        insta::assert_snapshot!(name, text);
    }
}

#[test]
fn a_reader_is_offered_nothing_to_change() {
    for (name, page) in pages("x").into_iter().filter(|(n, _)| n.ends_with("-reader")) {
        let page = page.into_string();
        let form = pattern(r#"(?s)<form method="post" action="([^"]*)""#);
        let actions: BTreeSet<String> = form.captures_iter(&page).map(|c| c[1].to_owned()).collect();
        let own: BTreeSet<String> =
            ["/sign-out", "/switch", "/theme"].into_iter().map(str::to_owned).collect();
        assert_eq!(actions, own, "{name}");
    }
}

#[test]
fn a_job_that_never_ran_is_not_green() {
    let page = jobs::page(&shell(Role::Owner), &[job("a", "A", "never-run"), job("b", "B", "overdue")])
        .into_string();
    assert!(page.contains("Never run") && page.contains("Overdue"));
    assert!(!page.contains(r#"class="state good""#));
}

#[test]
#[ignore = "writes the pages to the folder LANDFALL_PAGES_DIR, to be looked at"]
fn write() {
    let Some(folder) = std::env::var_os("LANDFALL_PAGES_DIR") else { return };
    let folder = std::path::PathBuf::from(folder);
    std::fs::create_dir_all(folder.join("assets")).expect("a folder");
    for (asset, bytes) in super::assets::all() {
        std::fs::write(folder.join(asset.trim_start_matches('/')), bytes).expect("written");
    }
    let mut pages = pages("API health");
    pages.extend(crate::public::samples());
    for (name, page) in pages {
        let page = page.into_string();
        for theme in ["light", "dark"] {
            let themed =
                page.replacen("<html lang=\"en\"", &format!("<html lang=\"en\" data-theme=\"{theme}\""), 1);
            std::fs::write(folder.join(format!("{name}-{theme}.html")), themed).expect("written");
        }
    }
    std::fs::write(
        folder.join("full.html"),
        landfall_report::render(&report(), landfall_report::Format::Html, &landfall_report::Style::default()),
    )
    .expect("written");
}
