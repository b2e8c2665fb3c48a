//! The worker, on both databases, against receivers that fail.

use std::time::Duration;

use crate::desk::{Desk, message};
use landfall_notify::testkit::{self, Authority, Fault, Receiver, Reply};
use landfall_notify::{Event, OutboundSettings, Stats, outbox};
use landfall_store::testkit::TestDb;
use landfall_store::{Page, StoreError};
use serde_json::{Value, json};

fn quick() -> OutboundSettings {
    OutboundSettings { deadline: Some(Duration::from_millis(400)), ..OutboundSettings::default() }
}

async fn strict(desk: &Desk) -> Receiver {
    let clock = desk.clock.clone();
    Receiver::speaking(testkit::webhook(Some("0123456789abcdef"), move || clock.now())).await
}

fn hook(receiver: &Receiver) -> Value {
    json!({ "url": format!("{}/hook?a=b", receiver.base), "secret": "0123456789abcdef" })
}

#[tokio::test]
async fn a_letter_is_delivered_once_and_written_down() {
    for db in TestDb::both().await {
        let desk = Desk::on(db).await;
        let receiver = strict(&desk).await;
        let channel = desk.channel("ops", "webhook", hook(&receiver)).await;
        assert_eq!(desk.say("i1", Event::Down).await, [channel]);
        assert!(desk.say("i1", Event::Down).await.is_empty(), "the same message again is none");
        assert_eq!(desk.pass().await, Stats { leased: 1, delivered: 1, ..Stats::default() });
        desk.clock.advance(3600);
        assert_eq!(desk.pass().await, Stats::default());
        receiver.assert_followed();
        let requests = receiver.requests();
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].path, "/hook?a=b");
        assert_eq!(
            requests[0].header("idempotency-key"),
            Some(format!("incident/i1/down/{channel}").as_str())
        );
        assert_eq!(requests[0].header("landfall-attempt"), Some("1"));
        assert_eq!(requests[0].json()["cause"]["id"], "never-deployed");
        let deliveries = desk.deliveries().await;
        assert_eq!(
            (deliveries.len(), deliveries[0].outcome.as_str(), deliveries[0].status),
            (1, "delivered", Some(200))
        );
        let shown = desk.tenant.channel(channel).await.expect("there");
        assert!(shown.last_delivered.is_some() && shown.last_error.is_none());
    }
}

#[tokio::test]
async fn an_hour_without_the_channel_ends_in_one_delivery_of_each_down_before_up() {
    for db in TestDb::both().await {
        let desk = Desk::on(db).await;
        let receiver = strict(&desk).await;
        let channel = desk.channel("ops", "webhook", hook(&receiver)).await;
        receiver.break_down(Fault::Reply(Reply::new(503, "maintenance")));
        desk.say("i1", Event::Down).await;
        let start = desk.clock.now();
        let second = |desk: &Desk| desk.clock.now().duration_since(start).as_secs();
        let mut plan = vec![(600, Event::Reminder), (1200, Event::Reminder), (1800, Event::Up)];
        let mut tries = Vec::new();
        while second(&desk) < 3600 {
            if plan.first().is_some_and(|(at, _)| *at == second(&desk)) {
                desk.say("i1", plan.remove(0).1).await;
            }
            let stats = desk.pass().await;
            if stats.leased > 0 {
                tries.push(second(&desk));
                assert_eq!((stats.leased, stats.retried), (1, 1), "the down alone, and nothing before it");
            }
            let planned = plan.first().map_or(3600, |(at, _)| *at);
            desk.step(u64::try_from(planned - second(&desk)).expect("ahead")).await;
        }
        let waits: Vec<i64> = tries.windows(2).map(|w| w[1] - w[0]).collect();
        for (wait, (least, most)) in
            waits.iter().zip([(10, 13), (16, 25), (32, 49), (64, 97), (128, 193), (256, 385), (512, 769)])
        {
            assert!((least..=most).contains(wait), "{waits:?}");
        }
        assert!(waits.len() >= 7 && waits.iter().skip(7).all(|w| (720..=901).contains(w)), "{waits:?}");
        let shown = desk.tenant.channel(channel).await.expect("there");
        assert_eq!(shown.last_error.as_deref(), Some("HTTP 503: maintenance"));

        receiver.heal();
        let before = receiver.requests().len();
        while desk.states().await.contains(&"pending".to_owned()) {
            desk.pass().await;
            desk.step(900).await;
        }
        let after: Vec<String> = receiver.requests()[before..]
            .iter()
            .map(|r| r.header("landfall-event").unwrap_or_default().to_owned())
            .collect();
        assert_eq!(after.first().map(String::as_str), Some("down"));
        assert_eq!(after.last().map(String::as_str), Some("up"));
        assert_eq!(after.iter().filter(|e| *e == "down").count(), 1);
        assert_eq!(after.iter().filter(|e| *e == "up").count(), 1);
        assert!(!after.contains(&"reminder".to_owned()), "stale reminders are skipped: {after:?}");
        receiver.assert_followed();
        let shown = desk.tenant.channel(channel).await.expect("there");
        assert_eq!(shown.last_error, None, "it works again");
        // Every attempt is in the log, and each of the down had the same key.
        let all =
            desk.tenant.deliveries(Some(channel), Page { after: None, limit: 500 }).await.expect("listed");
        assert_eq!(all.iter().filter(|d| d.outcome != "refused").count(), receiver.requests().len());
        assert_eq!(receiver.keys().len(), 2);
    }
}

#[tokio::test]
async fn a_worker_that_dies_after_sending_leads_to_a_second_send_under_the_same_key_and_to_no_loss() {
    for db in TestDb::both().await {
        let desk = Desk::on(db).await;
        let receiver = strict(&desk).await;
        desk.channel("ops", "webhook", hook(&receiver)).await;
        desk.say("i1", Event::Down).await;
        desk.say("i1", Event::Up).await;
        receiver.fault(Fault::Hang);
        // The receiver has it, and the worker is gone before it heard so.
        let dying = desk.another_worker(testkit::outbound(OutboundSettings::default()));
        let now = desk.clock.now();
        let life = tokio::spawn(async move { dying.run_once(now).await });
        receiver.received(1).await;
        life.abort();
        assert!(life.await.expect_err("it was killed").is_cancelled());

        assert_eq!(desk.pass().await, Stats::default(), "the lease still holds");
        desk.clock.advance(59);
        assert_eq!(desk.pass().await, Stats::default());
        desk.clock.advance(1);
        assert_eq!(desk.pass().await.delivered, 1);
        assert_eq!(desk.pass().await.delivered, 1);
        let sent: Vec<(String, String)> = receiver
            .requests()
            .iter()
            .map(|r| {
                let of = |n| r.header(n).unwrap_or_default().to_owned();
                (of("landfall-event"), of("landfall-attempt"))
            })
            .collect();
        let wanted = [("down", "1"), ("down", "2"), ("up", "1")].map(|(e, n)| (e.to_owned(), n.to_owned()));
        assert_eq!(sent, wanted);
        assert_eq!(receiver.keys().len(), 2, "an idempotent receiver acts twice, once for each");
        assert_eq!(desk.states().await, ["delivered", "delivered"]);
    }
}

#[tokio::test]
async fn two_workers_at_once_send_every_letter_exactly_once() {
    for db in TestDb::both().await {
        let desk = Desk::on(db).await;
        let receiver = strict(&desk).await;
        for n in 0..4 {
            desk.channel(&format!("c{n}"), "webhook", hook(&receiver)).await;
        }
        for n in 0..12 {
            desk.say(&format!("i{n}"), Event::Down).await;
            desk.say(&format!("i{n}"), Event::Up).await;
            // Further apart than a storm.
            desk.clock.advance(31);
        }
        let other = desk.another_worker(testkit::outbound(OutboundSettings::default()));
        let mut delivered = 0;
        while delivered < 96 {
            let now = desk.clock.now();
            let (a, b) = tokio::join!(desk.worker.run_once(now), other.run_once(now));
            let (a, b) = (a.expect("a pass"), b.expect("a pass"));
            assert_eq!((a.lost, b.lost, a.retried, b.retried), (0, 0, 0, 0));
            delivered += a.delivered + b.delivered;
            assert!(a.leased + b.leased > 0 || delivered == 96, "it stands still at {delivered}");
        }
        let requests = receiver.requests();
        assert_eq!((requests.len(), receiver.keys().len()), (96, 96));
        receiver.assert_followed();
        for channel in desk.tenant.channels(Page::default()).await.expect("listed") {
            for n in 0..12 {
                let place = |event: &str| {
                    let key = format!("incident/i{n}/{event}/{}", channel.id);
                    requests.iter().position(|r| r.header("idempotency-key") == Some(key.as_str()))
                };
                assert!(place("down") < place("up"), "down before up");
            }
        }
    }
}

#[tokio::test]
async fn what_the_receiver_refuses_is_dead_at_once_and_its_up_still_tells_the_story() {
    for db in TestDb::both().await {
        let desk = Desk::on(db).await;
        let receiver = strict(&desk).await;
        let channel = desk.channel("ops", "webhook", hook(&receiver)).await;
        receiver.fault(Fault::Reply(Reply::new(410, "this hook\nwas removed 0123456789abcdef")));
        desk.say("i1", Event::Down).await;
        assert_eq!(desk.pass().await, Stats { leased: 1, dead: 1, ..Stats::default() });
        let dead = desk.tenant.outbox(Some("dead"), Page::default()).await.expect("listed");
        assert_eq!(
            dead[0].last_error.as_deref(),
            Some("HTTP 410: this hook was removed ********"),
            "and no secret"
        );
        let shown = desk.tenant.channel(channel).await.expect("there");
        assert_eq!(shown.last_error, dead[0].last_error);
        desk.say("i1", Event::Up).await;
        assert_eq!(desk.pass().await.delivered, 1);
        let notes = receiver.requests()[1].json()["notes"].to_string();
        assert!(notes.contains("could not be delivered here: HTTP 410"), "{notes}");
        // Somebody mends the hook and asks for it again.
        let give_up = desk.clock.now().checked_add(Duration::from_secs(60)).expect("in range");
        desk.tenant.revive_letter(dead[0].id, desk.clock.now(), give_up).await.expect("dead");
        assert_eq!(desk.pass().await.delivered, 1);
        assert_eq!(desk.states().await, ["delivered", "delivered"]);
    }
}

#[tokio::test]
async fn a_letter_is_given_up_after_its_time_and_not_before() {
    for db in TestDb::both().await {
        let desk = Desk::with(db, quick()).await;
        let receiver = strict(&desk).await;
        desk.channel("ops", "webhook", hook(&receiver)).await;
        receiver.break_down(Fault::Close);
        desk.say("i1", Event::Down).await;
        let end = desk.letters().await[0].created.checked_add(outbox::GIVE_UP).expect("in range");
        let row =
            desk.store.query_opt("SELECT give_up_us FROM outbox", &[]).await.expect("answers").expect("one");
        assert_eq!(row.time("give_up_us").expect("a moment"), end);
        // A shorter patience, to keep the number of attempts small.
        let end = desk.clock.now().checked_add(Duration::from_secs(1800)).expect("in range");
        desk.store.execute("UPDATE outbox SET give_up_us = $1", &[end.into()]).await.expect("set");
        let mut dead = 0;
        while dead == 0 {
            let stats = desk.pass().await;
            dead += stats.dead;
            assert!(stats.leased <= 1);
            if dead == 0 {
                assert!(desk.clock.now() < end, "it should be dead by now");
                desk.step(3600).await;
            }
        }
        assert!(desk.clock.now() >= end);
        let letter = &desk.letters().await[0];
        assert_eq!(letter.state, "dead");
        let error = letter.last_error.clone().unwrap_or_default();
        assert!(
            error.starts_with(&format!("given up after {} attempts: no answer", letter.attempts)),
            "{error}"
        );
        assert_eq!(desk.deliveries().await.len() as u64, letter.attempts);
    }
}

#[tokio::test]
async fn a_receiver_that_asks_for_time_gets_it_for_the_whole_channel() {
    for db in TestDb::both().await {
        let desk = Desk::on(db).await;
        let receiver = strict(&desk).await;
        desk.channel("ops", "webhook", hook(&receiver)).await;
        receiver.fault(Fault::Reply(Reply::new(429, "slow down").with("Retry-After", "1800")));
        desk.say("i1", Event::Down).await;
        assert_eq!(desk.pass().await.retried, 1);
        desk.say("i2", Event::Down).await;
        desk.clock.advance(1799);
        assert_eq!(desk.pass().await, Stats::default(), "another letter waits as well");
        desk.clock.advance(1);
        // One finds out whether it works again, and the other follows.
        assert_eq!(desk.pass().await.delivered, 1);
        assert_eq!(desk.pass().await.delivered, 1);
        // A receiver that asks for a year gets six hours.
        receiver.fault(Fault::Reply(Reply::new(503, "").with("Retry-After", "31536000")));
        desk.say("i3", Event::Down).await;
        assert_eq!(desk.pass().await.retried, 1);
        desk.clock.advance(6 * 3600);
        assert_eq!(desk.pass().await.delivered, 1);
    }
}

#[tokio::test]
async fn a_channel_that_hangs_delays_nobody_else() {
    for db in TestDb::both().await {
        let desk = Desk::on(db).await;
        let (slow, fast) = (Receiver::start().await, strict(&desk).await);
        slow.break_down(Fault::Hang);
        let slow_id = desk.channel("a-slow", "webhook", json!({ "url": slow.base })).await;
        let fast_id = desk.channel("b-fast", "webhook", hook(&fast)).await;
        for n in 0..100 {
            desk.say(&format!("i{n}"), Event::Down).await;
            // Further apart than a storm.
            desk.clock.advance(31);
        }
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let worker = desk.worker.clone();
        let running = tokio::spawn(async move { worker.run(async { drop(stopped.await) }).await });
        // All of the fast one's letters arrive while not one of the slow one's is answered.
        fast.received(100).await;
        assert!(slow.requests().len() <= 4, "it has so many under way and no more");
        fast.assert_followed();
        running.abort();
        drop(stop);
        let _ = running.await;
        let delivered = desk.tenant.deliveries(Some(slow_id), Page::default()).await.expect("listed");
        assert!(delivered.iter().all(|d| d.outcome != "delivered"));
        assert!(!desk.tenant.deliveries(Some(fast_id), Page::default()).await.expect("listed").is_empty());
    }
}

#[tokio::test]
async fn a_running_worker_ends_when_told_and_finishes_what_is_under_way() {
    for db in TestDb::both().await {
        let desk = Desk::on(db).await;
        let receiver = strict(&desk).await;
        desk.channel("ops", "webhook", hook(&receiver)).await;
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let worker = desk.worker.clone();
        let running = tokio::spawn(async move { worker.run(async { drop(stopped.await) }).await });
        desk.say("i1", Event::Down).await;
        desk.worker.wake();
        receiver.received(1).await;
        drop(stop);
        running.await.expect("it ends");
        assert_eq!(desk.states().await, ["delivered"], "what was under way is marked");
    }
}

#[tokio::test]
async fn a_channel_that_is_off_or_gone_gets_nothing() {
    for db in TestDb::both().await {
        let desk = Desk::on(db).await;
        let receiver = strict(&desk).await;
        let off = desk.channel("off", "webhook", hook(&receiver)).await;
        let gone = desk.channel("gone", "webhook", hook(&receiver)).await;
        assert_eq!(desk.say("i1", Event::Down).await.len(), 2);
        desk.tenant.enable_channel(off, false, desk.clock.now()).await.expect("there");
        desk.tenant.delete_channel(gone).await.expect("there");
        assert_eq!(desk.pass().await, Stats { leased: 2, skipped: 1, dead: 1, ..Stats::default() });
        assert!(desk.say("i2", Event::Down).await.is_empty(), "nothing is written for either");
        let letters = desk.letters().await;
        let of = |id| letters.iter().find(|l| l.channel == Some(id)).expect("written");
        assert_eq!((of(off).state.as_str(), of(gone).state.as_str()), ("skipped", "dead"));
        assert_eq!(of(gone).last_error.as_deref(), Some("the channel was deleted"));
        assert!(receiver.requests().is_empty());
    }
}

#[tokio::test]
async fn only_the_channels_that_were_named_hear_of_it() {
    for db in TestDb::both().await {
        let desk = Desk::on(db).await;
        let receiver = strict(&desk).await;
        let a = desk.channel("a", "webhook", hook(&receiver)).await;
        desk.channel("b", "webhook", hook(&receiver)).await;
        let only = ["a".to_owned(), "unknown".to_owned()];
        assert_eq!(desk.say_to(Some(&only), "i1", Event::Down).await, [a]);
        assert!(desk.say_to(Some(&[]), "i2", Event::Down).await.is_empty());
        assert_eq!(desk.say("i3", Event::Down).await.len(), 2);
    }
}

#[tokio::test]
async fn a_letter_of_a_transaction_that_was_rolled_back_is_never_sent() {
    for db in TestDb::both().await {
        let desk = Desk::on(db).await;
        let receiver = strict(&desk).await;
        desk.channel("ops", "webhook", hook(&receiver)).await;
        let mut tx = desk.store.begin().await.expect("begins");
        let (message, now) = (message("i1", Event::Down), desk.clock.now());
        let written = outbox::enqueue_for(&mut tx, desk.tenant.id(), None, "s", "k", &message, now)
            .await
            .expect("written");
        assert_eq!(written.len(), 1);
        drop(tx);
        assert_eq!(desk.pass().await, Stats::default());
    }
}

#[tokio::test]
async fn a_pace_is_kept_by_two_workers_together() {
    for db in TestDb::both().await {
        let desk = Desk::on(db).await;
        let receiver = Receiver::speaking(testkit::telegram("12:token-token", -100)).await;
        let config = json!({ "bot_token": "12:token-token", "chat_id": "-100", "api_base": receiver.base });
        desk.channel("tg", "telegram", config).await;
        for n in 0..5 {
            desk.say(&format!("i{n}"), Event::Down).await;
            // Further apart than a storm.
            desk.clock.advance(31);
        }
        let other = desk.another_worker(testkit::outbound(OutboundSettings::default()));
        for second in 1..=5 {
            let now = desk.clock.now();
            let (a, b) = tokio::join!(desk.worker.run_once(now), other.run_once(now));
            assert_eq!(a.expect("a pass").delivered + b.expect("a pass").delivered, 1, "second {second}");
            assert_eq!(desk.pass().await, Stats::default(), "the second is not over");
            desk.clock.advance(1);
        }
        receiver.assert_followed();
        assert_eq!(receiver.requests().len(), 5);
    }
}

#[tokio::test]
async fn a_storm_is_three_messages_and_one_for_all_the_others() {
    for db in TestDb::both().await {
        let desk = Desk::on(db).await;
        let receiver = strict(&desk).await;
        let pager = Receiver::speaking(testkit::pagerduty("R0123456789abcdef0123456789abcde")).await;
        desk.channel("ops", "webhook", hook(&receiver)).await;
        let config = json!({ "routing_key": "R0123456789abcdef0123456789abcde", "api_base": pager.base });
        let pager_id = desk.channel("pager", "pagerduty", config).await;
        for n in 0..100 {
            desk.say(&format!("i{n}"), Event::Down).await;
        }
        let drain = async |desk: &Desk| {
            while desk.pass().await.leased > 0 {}
        };
        drain(&desk).await;
        assert_eq!(receiver.requests().len(), 3);
        desk.clock.advance(29);
        for n in 100..120 {
            desk.say(&format!("i{n}"), Event::Down).await;
        }
        desk.say("i99", Event::Up).await;
        drain(&desk).await;
        assert_eq!(
            receiver.requests().len(),
            3,
            "nothing before the window is over, and no up before its down"
        );
        desk.clock.advance(1);
        // The first attempt fails, and somebody dies after the second; the bundle stays what it is.
        receiver.fault(Fault::Reply(Reply::new(503, "")));
        drain(&desk).await;
        desk.clock.advance(13);
        receiver.fault(Fault::Hang);
        let dying = desk.another_worker(testkit::outbound(OutboundSettings::default()));
        let now = desk.clock.now();
        let life = tokio::spawn(async move { dying.run_once(now).await });
        receiver.received(5).await;
        life.abort();
        let _ = life.await;
        desk.clock.advance(60);
        drain(&desk).await;
        let requests = receiver.requests();
        let storm: Vec<_> = requests.iter().filter(|r| r.json()["subjects"].is_array()).collect();
        assert!(storm.len() >= 3);
        let key = storm[0].header("idempotency-key").expect("a key");
        let same: Vec<_> = storm.iter().filter(|r| r.header("idempotency-key") == Some(key)).collect();
        assert_eq!(same.len(), 3, "failed, cut off, delivered");
        assert!(same.iter().all(|r| r.body == same[0].body));
        assert!(same[0].json()["monitor_count"].as_u64().expect("a count") >= 97);
        let told: std::collections::BTreeSet<String> = requests
            .iter()
            .filter(|r| r.header("landfall-event") == Some("down"))
            .flat_map(|r| match r.json()["subjects"].as_array() {
                Some(all) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
                None => vec![format!("incident/{}", r.json()["incident"]["id"].as_str().unwrap_or_default())],
            })
            .collect();
        assert_eq!(told.len(), 120, "everybody is told of");
        assert!(receiver.keys().len() <= 6, "{:?}", receiver.keys());
        assert!(desk.states().await.iter().all(|s| s == "delivered"));
        receiver.assert_followed();
        // Every letter has its proof, and the pager has an alert for each incident.
        assert_eq!(pager.requests().len(), 121);
        pager.assert_followed();
        let proofs = desk.deliveries().await;
        assert_eq!(
            proofs.iter().filter(|d| d.outcome == "delivered" && d.channel != Some(pager_id)).count(),
            121
        );
    }
}

#[tokio::test]
async fn a_channel_that_works_again_gets_what_waits_for_it_at_once() {
    for db in TestDb::both().await {
        let desk = Desk::on(db).await;
        let receiver = strict(&desk).await;
        desk.channel("ops", "webhook", hook(&receiver)).await;
        receiver.break_down(Fault::Reply(Reply::new(502, "")));
        for n in 0..3 {
            desk.say(&format!("i{n}"), Event::Down).await;
        }
        for _ in 0..20 {
            desk.pass().await;
            desk.step(900).await;
        }
        receiver.heal();
        desk.say("new", Event::Down).await;
        let first = desk.pass().await;
        assert!(first.delivered >= 1, "{first:?}");
        let second = desk.pass().await;
        assert_eq!(first.delivered + second.delivered, 4, "without any waiting");
    }
}

#[tokio::test]
async fn a_forbidden_address_is_never_connected_to() {
    let desk = Desk::on(TestDb::sqlite().await).await;
    let receiver = Receiver::start().await;
    // The guard of the tests allows loopback alone; this one allows nothing, and the receiver is on loopback.
    let none = std::sync::Arc::new(|ip: std::net::IpAddr| Err(format!("{ip} is private")));
    let out = landfall_notify::Outbound::new(none, OutboundSettings::default()).expect("built");
    let worker = desk.another_worker(out);
    for (name, host) in [
        ("v4", format!("127.0.0.1:{}", receiver.port)),
        ("name", format!("localhost:{}", receiver.port)),
        ("v6", format!("[::1]:{}", receiver.port)),
        ("mapped", format!("[::ffff:127.0.0.1]:{}", receiver.port)),
        ("decimal", format!("2130706433:{}", receiver.port)),
        ("short", format!("127.1:{}", receiver.port)),
        ("hex", format!("0x7f.1:{}", receiver.port)),
    ] {
        desk.channel(name, "webhook", json!({ "url": format!("http://{host}/") })).await;
    }
    let smtp =
        json!({ "host": "127.0.0.1", "port": receiver.port, "security": "none", "from": "a@b.example" });
    desk.channel("smtp", "email", json!({ "to": ["x@y.example"], "smtp": smtp })).await;
    let smtp =
        json!({ "host": "localhost", "port": receiver.port, "security": "none", "from": "a@b.example" });
    desk.channel("smtp-name", "email", json!({ "to": ["x@y.example"], "smtp": smtp })).await;
    desk.say("i1", Event::Down).await;
    let stats = worker.run_once(desk.clock.now()).await.expect("a pass");
    assert_eq!((stats.leased, stats.retried), (9, 9));
    assert!(receiver.requests().is_empty());
    for delivery in desk.deliveries().await {
        assert!(delivery.say.contains("may not be reached"), "{}", delivery.say);
        assert!(
            delivery.say.contains("127.0.0.1 is private") || delivery.say.contains("::1 is private"),
            "{}",
            delivery.say
        );
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_an_endless_answer_is_cut_off() {
    let desk = Desk::on(TestDb::sqlite().await).await;
    let (receiver, elsewhere) = (Receiver::start().await, Receiver::start().await);
    desk.channel("ops", "webhook", json!({ "url": receiver.base })).await;
    receiver.fault(Fault::Reply(Reply::new(307, "").with("Location", &elsewhere.base)));
    desk.say("i1", Event::Down).await;
    assert_eq!(desk.pass().await.dead, 1);
    assert!(elsewhere.requests().is_empty());
    receiver.fault(Fault::Endless);
    desk.say("i2", Event::Down).await;
    assert_eq!(desk.pass().await.delivered, 1, "the status says it all");
}

#[tokio::test]
async fn a_receiver_that_says_nothing_is_tried_again() {
    let desk = Desk::with(TestDb::sqlite().await, quick()).await;
    let receiver = Receiver::start().await;
    desk.channel("ops", "webhook", json!({ "url": receiver.base })).await;
    receiver.fault(Fault::Hang);
    desk.say("i1", Event::Down).await;
    assert_eq!(desk.pass().await.retried, 1);
    assert!(desk.deliveries().await[0].say.starts_with("no answer within"));
    desk.clock.advance(13);
    assert_eq!(desk.pass().await.delivered, 1);
}

#[tokio::test]
async fn certificates_are_verified_and_an_extra_root_is_trusted() {
    let authority = Authority::new();
    let trusting = OutboundSettings { extra_roots: vec![authority.root()], ..OutboundSettings::default() };
    let desk = Desk::with(TestDb::sqlite().await, trusting).await;
    let clock = desk.clock.clone();
    let receiver = Receiver::over_tls(testkit::webhook(None, move || clock.now()), &authority).await;
    desk.channel("ops", "webhook", json!({ "url": format!("{}/x", receiver.base) })).await;
    desk.say("i1", Event::Down).await;
    assert_eq!(desk.pass().await.delivered, 1);
    receiver.assert_followed();
    let doubting = desk.another_worker(testkit::outbound(OutboundSettings::default()));
    desk.say("i2", Event::Down).await;
    assert_eq!(doubting.run_once(desk.clock.now()).await.expect("a pass").retried, 1);
    assert_eq!(receiver.requests().len(), 1, "nothing was sent to a stranger");
    let say = desk.deliveries().await.pop().expect("one").say;
    assert!(say.contains("certificate"), "{say}");
}

#[tokio::test]
async fn a_database_that_is_away_is_an_error_and_no_verdict() {
    let server = landfall_store::testkit::Postgres::start();
    server.psql("postgres", "CREATE DATABASE away");
    let store =
        landfall_store::Store::open(&format!("postgres://postgres@127.0.0.1:{}/away", server.port)).await;
    let db = TestDb::sqlite().await;
    let desk = Desk::on(db).await;
    let worker = landfall_notify::Worker::new(
        store.expect("opens"),
        desk.clock.source(),
        testkit::outbound(OutboundSettings::default()),
        "x",
    );
    assert_eq!(worker.run_once(desk.clock.now()).await.expect("a pass"), Stats::default());
    server.stop();
    let error = worker.run_once(desk.clock.now()).await.expect_err("it is away");
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error}");
    server.run();
    let mut back = worker.run_once(desk.clock.now()).await;
    // The server needs a moment to come up; a pass succeeds as soon as it has.
    while back.is_err() {
        tokio::task::yield_now().await;
        back = worker.run_once(desk.clock.now()).await;
    }
    assert_eq!(back.expect("it is back"), Stats::default());
}
