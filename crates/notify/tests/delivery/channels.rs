//! Every channel against a double of its provider.

use crate::desk::{Desk, message};
use landfall_notify::testkit::{self, Fault, Receiver, Reply};
use landfall_notify::{Event, Stats, outbox};
use landfall_store::testkit::TestDb;
use serde_json::{Value, json};

const ROUTING_KEY: &str = "R0123456789abcdef0123456789abcde";
const EVERY: [Event; 11] = [
    Event::Down,
    Event::Cause,
    Event::Joined,
    Event::Reminder,
    Event::Acknowledged,
    Event::Up,
    Event::Degraded,
    Event::Warning,
    Event::Test,
    Event::Digest,
    Event::Notice,
];

async fn desk() -> Desk {
    Desk::on(TestDb::sqlite().await).await
}

/// Sends one message of every kind, each as a matter of its own but for those that need an open incident.
async fn send_every(desk: &Desk) -> Stats {
    let mut sum = Stats::default();
    for event in EVERY {
        let incident = match event {
            Event::Acknowledged
            | Event::Up
            | Event::Cause
            | Event::Joined
            | Event::Reminder
            | Event::Down => "i1".to_owned(),
            other => other.word().to_owned(),
        };
        desk.say(&incident, event).await;
        let stats = desk.pass().await;
        sum.delivered += stats.delivered;
        sum.skipped += stats.skipped;
        sum.dead += stats.dead;
        sum.retried += stats.retried;
        desk.clock.advance(10);
    }
    sum
}

async fn last_say(desk: &Desk) -> String {
    desk.deliveries().await.pop().expect("an attempt").say
}

fn slack(receiver: &Receiver) -> Value {
    json!({ "url": format!("{}/services/T0/B0/key", receiver.base) })
}

fn telegram(receiver: &Receiver) -> Value {
    json!({ "bot_token": "12:token-token", "chat_id": "-100", "api_base": receiver.base })
}

fn whatsapp(receiver: &Receiver, template: Option<&str>) -> Value {
    json!({
        "phone_number_id": "1055", "access_token": "EAAtoken", "api_base": receiver.base,
        "recipients": ["+441632960123", "+441632960124", "+441632960125"], "template": template,
    })
}

fn pagerduty(receiver: &Receiver) -> Value {
    json!({ "routing_key": ROUTING_KEY, "api_base": receiver.base })
}

#[tokio::test]
async fn slack_takes_every_message() {
    let desk = desk().await;
    let receiver = Receiver::speaking(testkit::slack()).await;
    desk.channel("ops", "slack", slack(&receiver)).await;
    assert_eq!(send_every(&desk).await.delivered, 11);
    receiver.assert_followed();
    assert_eq!(receiver.requests().len(), 11);
}

#[tokio::test]
async fn slack_says_what_is_final_and_what_is_not() {
    let desk = desk().await;
    let receiver = Receiver::speaking(testkit::slack()).await;
    desk.channel("ops", "slack", slack(&receiver)).await;
    for (n, (status, word, says, dead)) in [
        (404, "no_service", "make a new one", true),
        (410, "channel_is_archived", "archived", true),
        (403, "action_prohibited", "does not let", true),
        (400, "invalid_payload", "invalid_payload", true),
        (500, "rollup_error", "rollup_error", false),
        (429, "rate_limited", "rate_limited", false),
        (200, "<html>a portal</html>", "without Slack's `ok`", false),
    ]
    .into_iter()
    .enumerate()
    {
        receiver.fault(Fault::Reply(Reply::new(status, word)));
        desk.say(&format!("i{n}"), Event::Down).await;
        let stats = desk.pass().await;
        assert_eq!((stats.dead == 1, stats.retried == 1), (dead, !dead), "{word}");
        let say = last_say(&desk).await;
        assert!(say.contains(says), "{say}");
        // Further apart than a storm.
        desk.clock.advance(31);
    }
    // A wrong URL is what the provider itself answers.
    let gone = format!("{}/services/T0/B0/other", receiver.base);
    desk.channel("gone", "slack", json!({ "url": gone })).await;
    desk.say_to(Some(&["gone".to_owned()]), "x", Event::Down).await;
    assert_eq!(desk.pass().await.dead, 1);
    assert!(!last_say(&desk).await.contains("/services/"), "the URL is a secret");
}

#[tokio::test]
async fn telegram_takes_every_message() {
    let desk = desk().await;
    let receiver = Receiver::speaking(testkit::telegram("12:token-token", -100)).await;
    desk.channel("ops", "telegram", telegram(&receiver)).await;
    assert_eq!(send_every(&desk).await.delivered, 11);
    receiver.assert_followed();
}

#[tokio::test]
async fn telegram_says_what_is_final_and_how_long_to_wait() {
    let desk = desk().await;
    let receiver = Receiver::speaking(testkit::telegram("12:token-token", -100)).await;
    desk.channel("ops", "telegram", telegram(&receiver)).await;
    let error = |status: u16, description: &str, parameters: Value| {
        let body = json!({ "ok": false, "error_code": status, "description": description, "parameters": parameters });
        Fault::Reply(Reply::new(status, body.to_string()))
    };
    let mut n = 0;
    for (fault, says) in [
        (error(403, "Forbidden: bot was blocked by the user", json!({})), "blocked"),
        (error(401, "Unauthorized", json!({})), "living bot"),
        (
            error(
                400,
                "Bad Request: group chat was upgraded to a supergroup chat",
                json!({ "migrate_to_chat_id": -1009 }),
            ),
            "set chat_id to -1009",
        ),
        (error(400, "Bad Request: chat not found", json!({})), "chat not found"),
    ] {
        n += 1;
        receiver.fault(fault);
        desk.say(&format!("i{n}"), Event::Down).await;
        assert_eq!(desk.pass().await.dead, 1, "{says}");
        let say = last_say(&desk).await;
        assert!(say.contains(says) && !say.contains("12:token-token"), "{say}");
        // Further apart than a storm.
        desk.clock.advance(31);
    }
    receiver.fault(error(429, "Too Many Requests: retry after 120", json!({ "retry_after": 120 })));
    desk.say("slow", Event::Down).await;
    assert_eq!(desk.pass().await.retried, 1);
    desk.clock.advance(119);
    assert_eq!(desk.pass().await, Stats::default());
    desk.clock.advance(1);
    assert_eq!(desk.pass().await.delivered, 1);
}

#[tokio::test]
async fn whatsapp_takes_every_message_as_text_and_as_template() {
    for template in [None, Some("landfall_alert")] {
        let desk = desk().await;
        let receiver = Receiver::speaking(testkit::whatsapp("1055", "EAAtoken")).await;
        desk.channel("ops", "whatsapp", whatsapp(&receiver, template)).await;
        assert_eq!(send_every(&desk).await.delivered, 11);
        receiver.assert_followed();
        assert_eq!(receiver.requests().len(), 33, "each of three recipients");
    }
}

#[tokio::test]
async fn whatsapp_sends_again_to_those_alone_who_were_not_reached() {
    let desk = desk().await;
    let receiver = Receiver::speaking(testkit::whatsapp("1055", "EAAtoken")).await;
    desk.channel("ops", "whatsapp", whatsapp(&receiver, None)).await;
    let error = |status: u16, code: i64| {
        let body = json!({ "error": { "message": "(#1) x", "code": code, "error_data": { "details": "why EAAtoken" } } });
        Fault::Reply(Reply::new(status, body.to_string()))
    };
    // The first is refused for good, the second meets a limit that comes as a 400, the third is reached.
    receiver.fault(error(400, 131_030));
    receiver.fault(error(400, 131_056));
    desk.say("i1", Event::Down).await;
    assert_eq!(desk.pass().await.retried, 1);
    let say = last_say(&desk).await;
    assert!(say.contains("1 of 3 not reached yet") && say.contains("refused for +441632960123"), "{say}");
    assert!(!say.contains("EAAtoken"), "{say}");
    desk.clock.advance(13);
    assert_eq!(desk.pass().await.delivered, 1);
    let to: Vec<String> =
        receiver.requests().iter().map(|r| r.json()["to"].as_str().unwrap_or_default().to_owned()).collect();
    assert_eq!(to, ["441632960123", "441632960124", "441632960125", "441632960124"]);
    // A token that has expired is final for all; a missing permission is, though it comes with a 500.
    for (status, code) in [(401, 190), (500, 3)] {
        receiver.break_down(error(status, code));
        // Further apart than a storm.
        desk.clock.advance(31);
        desk.say(&format!("c{code}"), Event::Down).await;
        assert_eq!(desk.pass().await.dead, 1, "{code}");
    }
}

#[tokio::test]
async fn pagerduty_opens_acknowledges_and_closes_one_alert() {
    let desk = desk().await;
    let receiver = Receiver::speaking(testkit::pagerduty(ROUTING_KEY)).await;
    desk.channel("pager", "pagerduty", pagerduty(&receiver)).await;
    let sum = send_every(&desk).await;
    assert_eq!((sum.delivered, sum.skipped, sum.dead, sum.retried), (9, 2, 0, 0), "summaries wake nobody up");
    receiver.assert_followed();
    let actions: Vec<(String, String)> = receiver
        .requests()
        .iter()
        .map(|r| {
            let of = |k: &str| r.json()[k].as_str().unwrap_or_default().to_owned();
            (of("event_action"), of("dedup_key"))
        })
        .collect();
    let i1 = "landfall/incident/i1".to_owned();
    let words: Vec<&str> = actions.iter().filter(|a| a.1 == i1).map(|a| a.0.as_str()).collect();
    assert_eq!(words, ["trigger", "trigger", "trigger", "trigger", "acknowledge", "resolve"]);
    let test: Vec<&str> = actions.iter().filter(|a| a.1.ends_with("/test")).map(|a| a.0.as_str()).collect();
    assert_eq!(test, ["trigger", "resolve"], "a test leaves nothing open");
    let details = &receiver.requests()[0].json()["payload"]["custom_details"];
    assert_eq!(details["cause_id"], "never-deployed");
}

#[tokio::test]
async fn pagerduty_says_what_is_final_and_what_is_not() {
    let desk = desk().await;
    let receiver = Receiver::speaking(testkit::pagerduty(ROUTING_KEY)).await;
    desk.channel("pager", "pagerduty", pagerduty(&receiver)).await;
    let refused =
        json!({ "status": "invalid event", "message": "Event object is invalid", "errors": ["bad key"] });
    for (n, (status, body, dead)) in [
        (400, refused.to_string(), true),
        (403, String::new(), true),
        (429, String::new(), false),
        (500, String::new(), false),
        (200, String::new(), false),
    ]
    .into_iter()
    .enumerate()
    {
        receiver.fault(Fault::Reply(Reply::new(status, body)));
        desk.say(&format!("i{n}"), Event::Down).await;
        let stats = desk.pass().await;
        assert_eq!((stats.dead == 1, stats.retried == 1), (dead, !dead), "{status}");
        if n == 0 {
            assert!(last_say(&desk).await.contains("Event object is invalid; bad key"));
        }
    }
}

#[tokio::test]
async fn a_webhook_is_signed_anew_in_every_attempt_and_by_both_keys_during_a_rotation() {
    let desk = desk().await;
    for key in ["0123456789abcdef", "the-key-before-it"] {
        let clock = desk.clock.clone();
        let receiver = Receiver::speaking(testkit::webhook(Some(key), move || clock.now())).await;
        let config = json!({
            "url": receiver.base, "secret": "0123456789abcdef", "previous_secret": "the-key-before-it",
            "headers": { "X-Team": "ops", "Authorization": "Bearer of-the-receiver" },
        });
        desk.channel(key, "webhook", config).await;
        receiver.fault(Fault::Reply(Reply::new(503, "")));
        desk.say_to(Some(&[key.to_owned()]), key, Event::Down).await;
        assert_eq!(desk.pass().await.retried, 1);
        // Longer than the tolerance of a timestamp.
        desk.clock.advance(600);
        assert_eq!(desk.pass().await.delivered, 1);
        receiver.assert_followed();
        let requests = receiver.requests();
        assert_eq!(requests[1].header("x-team"), Some("ops"));
        assert_eq!(requests[1].header("authorization"), Some("Bearer of-the-receiver"));
        assert_eq!(requests[1].header("landfall-attempt"), Some("2"));
        assert_eq!(requests[0].header("idempotency-key"), requests[1].header("idempotency-key"));
        assert_eq!(requests[0].body, requests[1].body);
        assert_ne!(requests[0].header("landfall-signature"), requests[1].header("landfall-signature"));
    }
}

#[tokio::test]
async fn a_webhook_takes_every_message_plain_and_by_a_template() {
    let template = r#"{"content": "{{ headline }}", "more": "{{ text }}"}"#;
    for body in [Value::Null, json!(template), json!("{{ event }}: {{ headline }}")] {
        let desk = desk().await;
        let clock = desk.clock.clone();
        let receiver = Receiver::speaking(testkit::webhook(None, move || clock.now())).await;
        desk.channel("ops", "webhook", json!({ "url": receiver.base, "body": body })).await;
        assert_eq!(send_every(&desk).await.delivered, 11);
        receiver.assert_followed();
    }
}

#[tokio::test]
async fn the_snippet_of_the_manual_verifies_what_is_sent() {
    let manual = include_str!("../../../../docs/webhooks.md");
    let (_, rest) = manual.split_once("```python\n").expect("a snippet");
    let (snippet, _) = rest.split_once("```").expect("its end");
    let now = jiff::Timestamp::now();
    let body = "{\"text\": \"käse\"}";
    let header =
        landfall_notify::signature::sign(&["new-new-new-new-", "old-old-old-old-"], now, body.as_bytes());
    let script = format!(
        "import sys\n{snippet}\nb = sys.argv[2].encode()\nh = sys.argv[1]\n\
         print(verify(h, b, 'new-new-new-new-'), verify(h, b, 'old-old-old-old-'), verify(h, b, 'x'), verify(h, b + b' ', 'new-new-new-new-'), verify('', b, 'x'))"
    );
    let run =
        std::process::Command::new("python3").args(["-c", &script, &header, body]).output().expect("python3");
    assert_eq!(
        String::from_utf8_lossy(&run.stdout).trim(),
        "True True False False False",
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
}

#[tokio::test]
async fn a_broken_channel_or_letter_is_dead_and_says_why() {
    let desk = desk().await;
    let id = desk.channel("ops", "slack", json!({ "url": "http://127.0.0.1:9/x" })).await;
    desk.say("i1", Event::Down).await;
    desk.store
        .execute("UPDATE channels SET config = '{\"url\": 5}' WHERE id = $1", &[id.into()])
        .await
        .expect("spoiled");
    assert_eq!(desk.pass().await.dead, 1);
    assert!(last_say(&desk).await.contains("settings cannot be used"));
    desk.channel("ops", "slack", json!({ "url": "http://127.0.0.1:9/x" })).await;
    desk.say("i2", Event::Down).await;
    desk.store
        .execute("UPDATE outbox SET payload = '{}' WHERE state = 'pending'", &[])
        .await
        .expect("spoiled");
    assert_eq!(desk.pass().await.dead, 1);
    assert!(last_say(&desk).await.contains("cannot be read"));
}

#[tokio::test]
async fn a_mail_without_any_server_waits_for_one() {
    let desk = desk().await;
    desk.channel("mail", "email", json!({ "to": ["ops@test.example"] })).await;
    desk.say("i1", Event::Down).await;
    let mut tx = desk.store.begin().await.expect("begins");
    let to = ["new@test.example".to_owned()];
    let invitation = message("x", Event::Notice);
    let written = outbox::enqueue_mail(
        &mut tx,
        desk.tenant.id(),
        &to,
        "invitation/1",
        "invitation/1",
        &invitation,
        desk.clock.now(),
    );
    assert!(written.await.expect("written"));
    tx.commit().await.expect("kept");
    assert_eq!(desk.pass().await, Stats { leased: 2, retried: 2, ..Stats::default() });
    for delivery in desk.deliveries().await {
        assert!(delivery.say.contains("no mail server is set"), "{}", delivery.say);
    }
    desk.clock.advance(20);
    assert_eq!(desk.pass().await.retried, 2);
}
