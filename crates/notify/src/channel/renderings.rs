//! What people get to read, on every channel, for every kind of message.

use serde_json::{Value, json};

use super::{email, pagerduty, slack, telegram, webhook, whatsapp};
use crate::config::{Webhook, Whatsapp};
use crate::message::tests_support::down as bare;
use crate::secret::Secret;
use crate::sheet::Sheet;
use crate::{CauseRef, Event, IncidentRef, Message, MonitorRef};

const SUBJECT: &str = "storm/7";
const KEY: &str = "incident/01900000-0000-7000-8000-000000000001/down/01900000-0000-7000-8000-0000000000cc";

fn cause() -> CauseRef {
    CauseRef {
        id: "never-deployed".into(),
        title: "The application was never deployed to the host that answers".into(),
        label: "confirmed".into(),
        confidence: 0.99,
        rung: "deployment".into(),
        proof: vec![
            "GET /health answers 404 with the platform's own page (\"Not Found\", 9 bytes)".into(),
            "every one of 6 known routes answers the same 404".into(),
            "the build on main serves all 6 of them <locally> & says so".into(),
        ],
    }
}

fn down() -> Message {
    let mut message = bare();
    message.headline = "DOWN api.levqor.example: the application was never deployed (confirmed, 99 %)".into();
    message.cause = Some(cause());
    message.rivals =
        vec!["a wrong Host header; a request for the platform's own name would separate the two".into()];
    message.changes = vec!["`server` changed from gunicorn to the platform's edge at 02:01".into()];
    message.actions = vec![
        "Deploy: `gunicorn app:app --bind 0.0.0.0:$PORT`".into(),
        "Then check: curl -i https://api.levqor.example/health".into(),
    ];
    message.notes = vec!["Confirmed by 3 failing checks in a row; diagnosed in 2.1 s.".into()];
    message
}

fn with(event: Event, headline: &str) -> Message {
    Message { event, headline: headline.into(), ..down() }
}

/// Every message that is shown, by the name of its snapshot.
fn messages() -> Vec<(&'static str, Message)> {
    let mut unknown = bare();
    unknown.notes =
        vec!["The diagnosis is still running; its result follows as a message of its own.".into()];
    let mut reminder = with(Event::Reminder, "STILL DOWN api.levqor.example: never deployed");
    reminder.at = "2026-11-25T04:04:05Z".parse().expect("valid");
    let mut up = with(Event::Up, "UP api.levqor.example after 21 min 40 s");
    if let Some(incident) = &mut up.incident {
        incident.ended = Some("2026-11-25T02:25:45Z".parse().expect("valid"));
    }
    up.rivals.clear();
    up.actions.clear();
    let storm: Vec<Message> = (0..300)
        .map(|n| {
            let mut one = bare();
            one.incident = Some(IncidentRef { id: format!("i{n}"), ..one.incident.expect("it has one") });
            one.monitors = vec![MonitorRef {
                id: format!("m{n}"),
                name: format!("shop {n}"),
                target: format!("https://shop-{n}.levqor.example/"),
                say: "connection refused".into(),
            }];
            one.cause = Some(cause());
            one
        })
        .collect();
    let digest = Message {
        event: Event::Digest,
        headline: "Levqor, 24 November: 99.93 % up, 2 incidents".into(),
        incident: None,
        monitors: Vec::new(),
        monitor_count: 0,
        cause: None,
        rivals: Vec::new(),
        changes: Vec::new(),
        actions: Vec::new(),
        notes: vec!["API: 99.86 %, 1 incident of 12 min (never deployed)".into(), "Website: 100 %".into()],
        ..bare()
    };
    let test = Message {
        event: Event::Test,
        headline: "TEST: this channel works".into(),
        notes: vec!["Sent by ada@levqor.example; nothing is down.".into()],
        link: Some("https://watch.example.com/channels".into()),
        ..digest.clone()
    };
    vec![
        ("down", down()),
        ("down_without_cause", unknown),
        ("cause", with(Event::Cause, "CAUSE of api.levqor.example: never deployed (confirmed, 99 %)")),
        ("reminder", reminder),
        ("acknowledged", with(Event::Acknowledged, "ACKNOWLEDGED by ada@levqor.example: api.levqor.example")),
        ("up", up),
        ("storm", crate::storm::group(&storm).remove(0).message),
        ("digest", digest),
        ("test", test),
    ]
}

fn webhook_config(body: Option<&str>) -> Webhook {
    Webhook {
        url: "https://hooks.example.com/".into(),
        secret: None,
        previous_secret: None,
        headers: std::collections::BTreeMap::new(),
        body: body.map(str::to_owned),
    }
}

fn whatsapp_config(template: Option<&str>) -> Whatsapp {
    Whatsapp {
        phone_number_id: "1055".into(),
        access_token: Secret::new("EAA"),
        recipients: vec!["+441632960123".into()],
        template: template.map(str::to_owned),
        language: None,
        api_base: None,
    }
}

#[test]
fn as_plain_text() {
    for (name, message) in messages() {
        insta::assert_snapshot!(format!("text__{name}"), Sheet::of(&message).text());
    }
}

#[test]
fn as_mail() {
    let to = ["ops@levqor.example".to_owned(), "ada@levqor.example".to_owned()];
    let now = "2026-11-25T02:14:06Z".parse().expect("valid");
    for (name, message) in messages() {
        let mail = email::composed(&message, KEY, "Landfall <alerts@watch.example.com>", &to, now);
        let raw = String::from_utf8(mail.expect("composed").formatted()).expect("text");
        let (head, _) = raw.split_once("\r\n\r\n").expect("a head and a body");
        let html = email::page(&Sheet::of(&message)).into_string();
        let shown = format!("{}\n\n{html}\n", head.replace("\r\n", "\n"));
        insta::with_settings!({ filters => vec![(r#"boundary="[^"]+""#, "boundary=\"[boundary]\"")] }, {
            insta::assert_snapshot!(format!("mail__{name}"), shown);
        });
    }
}

#[test]
fn as_slack_blocks_within_their_limits() {
    for (name, message) in messages() {
        let payload = slack::rendered(&message);
        insta::assert_json_snapshot!(format!("slack__{name}"), payload);
    }
}

#[test]
fn as_telegram_html() {
    for (name, message) in messages() {
        let payload = telegram::rendered(&message);
        insta::assert_snapshot!(format!("telegram__{name}"), payload["text"].as_str().expect("text"));
    }
}

#[test]
fn as_whatsapp_text_and_template() {
    for (name, message) in messages() {
        let text = whatsapp::rendered(&whatsapp_config(None), &message);
        insta::assert_snapshot!(format!("whatsapp__{name}"), text["text"]["body"].as_str().expect("text"));
        let template = whatsapp::rendered(&whatsapp_config(Some("landfall_alert")), &message);
        insta::assert_json_snapshot!(format!("whatsapp_template__{name}"), template);
    }
}

#[test]
fn as_pagerduty_events() {
    for (name, message) in messages() {
        insta::assert_json_snapshot!(format!("pagerduty__{name}"), pagerduty::rendered(&message, SUBJECT));
    }
}

#[test]
fn as_webhook_json() {
    for (name, message) in messages() {
        let body = webhook::rendered(&webhook_config(None), &message, KEY).expect("rendered");
        let body: Value = serde_json::from_str(&body).expect("JSON");
        insta::assert_json_snapshot!(format!("webhook__{name}"), body);
        let template = r#"{"content": "{{ headline }}", "why": "{{ cause.title }} ({{cause.label}})", "n": "{{ monitor_count }}"}"#;
        let body = webhook::rendered(&webhook_config(Some(template)), &message, KEY).expect("rendered");
        let body: Value = serde_json::from_str(&body).expect("JSON");
        insta::assert_json_snapshot!(format!("webhook_template__{name}"), body);
    }
}

#[test]
fn the_mails_of_an_incident_are_one_thread_and_each_has_its_own_id() {
    let to = ["ops@levqor.example".to_owned()];
    let now = "2026-11-25T02:14:06Z".parse().expect("valid");
    let header = |mail: &lettre::Message, name: &str| {
        mail.headers().get_raw(name).map(str::to_owned).unwrap_or_default()
    };
    let down = email::composed(&down(), "k/down", "l@watch.example.com", &to, now).expect("composed");
    let up =
        email::composed(&with(Event::Up, "UP"), "k/up", "l@watch.example.com", &to, now).expect("composed");
    assert_ne!(header(&down, "Message-ID"), header(&up, "Message-ID"));
    assert_eq!(header(&down, "References"), header(&up, "References"));
    assert!(header(&up, "In-Reply-To").ends_with("@watch.example.com>"));
    let again = email::composed(&with(Event::Up, "UP"), "k/up", "l@watch.example.com", &to, now);
    assert_eq!(
        header(&again.expect("composed"), "Message-ID"),
        header(&up, "Message-ID"),
        "the same in every attempt"
    );
}

#[test]
fn a_hostile_text_breaks_out_of_nothing() {
    let mut message = down();
    let evil =
        "</b><script>alert(1)</script><!channel> <@U1> & \"q\" \r\nBcc: x@evil.example\r\n\r\n*b* {{ key }}";
    message.headline = evil.into();
    message.organisation = evil.into();
    message.monitors[0].name = evil.into();
    message.notes = vec![evil.into()];
    if let Some(cause) = &mut message.cause {
        cause.title = evil.into();
    }
    let now = "2026-11-25T02:14:06Z".parse().expect("valid");
    let to = ["ops@levqor.example".to_owned()];
    let mail = email::composed(&message, KEY, "l@watch.example.com", &to, now).expect("composed");
    let raw = String::from_utf8(mail.formatted()).expect("text");
    let (head, _) = raw.split_once("\r\n\r\n").expect("a head and a body");
    assert!(!head.lines().any(|l| l.starts_with("Bcc")), "{head}");
    assert!(!email::page(&Sheet::of(&message)).into_string().contains("<script"));
    let telegram = telegram::rendered(&message)["text"].to_string();
    assert!(
        !telegram.contains("<script") && !telegram.contains("<!") && !telegram.contains("<@"),
        "{telegram}"
    );
    let slack = slack::rendered(&message);
    for block in slack["blocks"].as_array().expect("blocks") {
        if block["type"] != "header" {
            let text = block.to_string();
            assert!(!text.contains("<!channel") && !text.contains("<@U1"), "{text}");
        }
    }
    assert!(!slack["text"].to_string().contains("<!channel"));
    let template = whatsapp::rendered(&whatsapp_config(Some("t")), &message);
    for parameter in template["template"]["components"][0]["parameters"].as_array().expect("three") {
        let text = parameter["text"].as_str().expect("text");
        assert!(!text.contains('\n') && !text.contains("     ") && !text.is_empty(), "{text:?}");
    }
    let json = webhook::rendered(&webhook_config(Some(r#"{"a": "{{ headline }}"}"#)), &message, KEY);
    let json: Value = serde_json::from_str(&json.expect("rendered")).expect("JSON still");
    assert_eq!(json, json!({ "a": evil }));
}

#[test]
fn very_long_texts_stay_within_every_limit() {
    let mut message = down();
    let long = "ü<&>😀 ".repeat(2000);
    message.headline.clone_from(&long);
    message.notes = vec![long.clone(); 50];
    message.changes = vec![long.clone(); 50];
    message.actions = vec![long.clone(); 50];
    message.monitors =
        vec![MonitorRef { id: "m".into(), name: long.clone(), target: long.clone(), say: long.clone() }; 20];
    message.monitor_count = 2000;
    if let Some(cause) = &mut message.cause {
        cause.proof = vec![long.clone(); 50];
    }
    let slack = slack::rendered(&message);
    let blocks = slack["blocks"].as_array().expect("blocks");
    assert!(blocks.len() <= 50);
    for block in blocks {
        let text = block["text"]["text"].as_str().unwrap_or_default();
        let limit = if block["type"] == "header" { 150 } else { 3000 };
        assert!(text.chars().count() <= limit, "{block}");
    }
    let telegram = telegram::rendered(&message);
    assert!(telegram["text"].as_str().expect("text").encode_utf16().count() <= 4096);
    let whatsapp = whatsapp::rendered(&whatsapp_config(None), &message);
    assert!(whatsapp["text"]["body"].as_str().expect("text").chars().count() <= 4096);
    let event = pagerduty::rendered(&message, SUBJECT).expect("an event");
    assert!(event["payload"]["summary"].as_str().expect("text").chars().count() <= 1024);
    assert!(event.to_string().len() < 512 * 1024);
}
