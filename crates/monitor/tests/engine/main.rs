//! The watch over both databases, with time standing still.

mod kit;

use std::sync::atomic::Ordering;
use std::time::Duration;

use landfall_monitor::engine::Options;
use landfall_monitor::{Clock as _, Outcome, Reason};
use landfall_notify::Event;
use landfall_store::params;
use landfall_store::testkit::{Postgres, TestDb};

use kit::World;

const FIVE_MINUTES: u64 = 300;

#[tokio::test(flavor = "multi_thread")]
async fn the_third_failure_alerts_once_with_its_cause_and_recovery_is_told() {
    for db in TestDb::both().await {
        let world = World::new(&db.store).await;
        world
            .oracle
            .causes
            .lock()
            .expect("not poisoned")
            .insert("api.example.test".into(), "never-deployed".into());
        let monitor = world.monitor("api", |_| {}).await;
        world.results(monitor, 1).await;
        world.services.set("api.example.test", Outcome::Down);
        world.ticks(monitor, FIVE_MINUTES, 2).await;
        assert!(world.letters_now().await.is_empty(), "two failures are not three");
        world.ticks(monitor, FIVE_MINUTES, 1).await;
        let letters = world.letters(1).await;
        assert_eq!(letters[0].event, Event::Down);
        assert_eq!(letters[0].headline, "DOWN api.example.test: the cause never-deployed (confirmed, 97 %)");
        assert_eq!(letters[0].changes, ["status: 200 → 404"]);
        assert_eq!(letters[0].actions, ["Deploy it"]);
        world.ticks(monitor, FIVE_MINUTES, 3).await;
        assert_eq!(world.letters_now().await.len(), 1, "it is told once");
        world.services.set("api.example.test", Outcome::Up);
        world.ticks(monitor, FIVE_MINUTES, 1).await;
        assert_eq!(world.letters_now().await.len(), 1, "one success is not two");
        world.ticks(monitor, FIVE_MINUTES, 1).await;
        let letters = world.letters(2).await;
        assert_eq!((letters[1].event, letters[1].headline.as_str()), (Event::Up, "UP api.example.test"));
        let incidents = db
            .store
            .query("SELECT status, cause_id, severity, began_us, confirmed_us, report_id FROM incidents", &[])
            .await
            .expect("answers");
        assert_eq!(incidents.len(), 1);
        assert_eq!(incidents[0].text("status").expect("text"), "resolved");
        assert_eq!(incidents[0].text("cause_id").expect("text"), "never-deployed");
        assert_eq!(incidents[0].text("severity").expect("text"), "critical");
        let streak = incidents[0].int("confirmed_us").expect("t") - incidents[0].int("began_us").expect("t");
        assert_eq!(streak, 600_000_000, "it began at the first of the three failures");
        let kinds = db
            .store
            .query("SELECT kind FROM incident_events ORDER BY at_us, id", &[])
            .await
            .expect("answers");
        let kinds: Vec<String> = kinds.iter().map(|r| r.text("kind").expect("text")).collect();
        assert_eq!(kinds, ["first-failure", "confirmed", "diagnosed", "alerted", "left", "resolved"]);
        let captures = db
            .store
            .query("SELECT kind, incident_id FROM captures ORDER BY kind", &[])
            .await
            .expect("answers");
        let kept: Vec<String> = captures.iter().map(|r| r.text("kind").expect("text")).collect();
        assert_eq!(
            kept,
            ["first-bad", "last-good"],
            "evidence of the first failure, beside the last success"
        );
        assert!(captures.iter().all(|r| r.opt_id("incident_id").expect("id").is_some()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_streak_leaves_no_evidence_and_no_alert() {
    let db = TestDb::sqlite().await;
    let world = World::new(&db.store).await;
    let monitor = world.monitor("api", |_| {}).await;
    world.results(monitor, 1).await;
    world.services.set("api.example.test", Outcome::Down);
    world.ticks(monitor, FIVE_MINUTES, 2).await;
    assert_eq!(world.count("SELECT count(*) AS n FROM captures", &[]).await, 1);
    world.services.set("api.example.test", Outcome::Up);
    world.ticks(monitor, FIVE_MINUTES, 1).await;
    world
        .until("the capture to go", "SELECT count(*) AS n FROM captures", &[], |r| {
            r[0].int("n").expect("n") == 0
        })
        .await;
    assert_eq!(world.count("SELECT count(*) AS n FROM incidents", &[]).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_waits_ten_seconds_for_its_cause_and_not_longer() {
    for db in TestDb::both().await {
        let world = World::new(&db.store).await;
        world.oracle.hold();
        world
            .oracle
            .causes
            .lock()
            .expect("not poisoned")
            .insert("api.example.test".into(), "dns-nxdomain".into());
        world.services.set("api.example.test", Outcome::Down);
        let monitor = world.monitor("api", |_| {}).await;
        world.results(monitor, 1).await;
        world.ticks(monitor, FIVE_MINUTES, 2).await;
        world.verdict(monitor, "down").await;
        world
            .until("the diagnosis to begin", "SELECT 1 AS n", &[], |_| {
                world.oracle.asked.load(Ordering::SeqCst) == 1
            })
            .await;
        world.clock.advance(Duration::from_secs(9));
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        assert!(world.letters_now().await.is_empty(), "it waits for the cause");
        world.clock.advance(Duration::from_secs(1));
        let letters = world.letters(1).await;
        assert_eq!((letters[0].event, letters[0].cause.as_ref()), (Event::Down, None));
        assert!(letters[0].notes[0].contains("the cause follows"), "{:?}", letters[0].notes);
        world.oracle.release();
        let letters = world.letters(2).await;
        assert_eq!(letters[1].event, Event::Cause);
        assert_eq!(letters[1].cause.as_ref().expect("named").id, "dns-nxdomain");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_host_is_one_incident_and_one_cause_is_one_incident() {
    for db in TestDb::both().await {
        let world = World::new(&db.store).await;
        for host in ["a.example.test", "b.example.test"] {
            world.oracle.causes.lock().expect("not poisoned").insert(host.into(), "domain-expired".into());
            world.services.set(host, Outcome::Down);
        }
        let one = world.monitor("a", |_| {}).await;
        let same_host = world.monitor("a2", |s| s.check = kit::spec("a", |_| {}).check).await;
        for monitor in [one, same_host] {
            world.results(monitor, 1).await;
        }
        for n in 2..=3 {
            world.clock.advance(Duration::from_secs(FIVE_MINUTES));
            world.results(one, n).await;
            world.results(same_host, n).await;
        }
        world.letters(1).await;
        assert_eq!(world.count("SELECT count(*) AS n FROM incidents", &[]).await, 1);
        let other = world.monitor("b", |_| {}).await;
        world.results(other, 1).await;
        world.ticks(other, FIVE_MINUTES, 2).await;
        world
            .until(
                "the two to become one",
                "SELECT count(*) AS n FROM incident_events WHERE kind = 'merged'",
                &[],
                |r| r[0].int("n").expect("n") == 1,
            )
            .await;
        let open = "SELECT count(*) AS n FROM incident_monitors m JOIN incidents i ON i.id = m.incident_id WHERE i.resolved_us IS NULL AND m.left_us IS NULL";
        assert_eq!(world.count(open, &[]).await, 3, "all three are in the one that is open");
        let letters = world.letters_now().await;
        assert_eq!(letters.iter().filter(|m| m.event == Event::Down).count(), 1, "and it was told once");
        for host in ["a.example.test", "b.example.test"] {
            world.services.set(host, Outcome::Up);
        }
        for n in 0..3 {
            let _ = n;
            world.clock.advance(Duration::from_secs(FIVE_MINUTES));
            tokio::time::sleep(Duration::from_millis(50)).await;
            for monitor in [one, same_host, other] {
                let at = world.clock.now();
                world
                    .until(
                        "the check",
                        "SELECT last_check_us FROM monitor_states WHERE monitor_id = $1",
                        params![monitor],
                        |r| r[0].time("last_check_us").expect("t") == at,
                    )
                    .await;
            }
        }
        world
            .until("the end", "SELECT count(*) AS n FROM incidents WHERE resolved_us IS NULL", &[], |r| {
                r[0].int("n").expect("n") == 0
            })
            .await;
        let up = world.letters_now().await.iter().filter(|m| m.event == Event::Up).count();
        assert_eq!(up, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_failures_at_once_are_few_messages() {
    for db in TestDb::both().await {
        let mut world = World::asleep(&db.store).await;
        let mut tx = db.store.begin().await.expect("begins");
        for n in 0..2_000 {
            let spec = kit::spec(&format!("h{n}"), |s| s.fail_after = 1);
            tx.execute(
                "INSERT INTO monitors (id, org_id, external_id, name, kind, spec, interval_us, created_us, updated_us)
                 VALUES ($1, $2, $3, $3, 'http', $4, 300000000, $5, $5)",
                &[
                    landfall_store::Id::new().into(),
                    world.org.into(),
                    format!("h{n}").into(),
                    landfall_store::json(&spec),
                    kit::start().into(),
                ],
            )
            .await
            .expect("made");
        }
        tx.commit().await.expect("made");
        world.services.set("*", Outcome::Down);
        world.wake(Options::default());
        world
            .until(
                "all of them down",
                "SELECT count(*) AS n FROM monitor_states WHERE verdict = 'down'",
                &[],
                |r| r[0].int("n").expect("n") == 2_000,
            )
            .await;
        world.clock.advance(Duration::from_secs(10));
        world
            .until("all alerts", "SELECT count(*) AS n FROM incidents WHERE alerted_us IS NULL", &[], |r| {
                r[0].int("n").expect("n") == 0
            })
            .await;
        let letters = world.letters_now().await;
        assert!(letters.len() <= 14, "{}: {} messages for 2000 failures", db.store.kind(), letters.len());
        let storm = letters.iter().map(|m| m.monitor_count).max().expect("one");
        assert!(storm >= 1_900, "the storm is one incident: {storm}");
        let in_one =
            world.count("SELECT count(*) AS n FROM incident_monitors WHERE left_us IS NULL", &[]).await;
        assert_eq!(in_one, 2_000, "nobody is left out");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_something_that_is_down_is_blocked_and_silent() {
    let db = TestDb::sqlite().await;
    let world = World::new(&db.store).await;
    world.services.set("*", Outcome::Down);
    let needed = world.monitor("database", |s| s.fail_after = 1).await;
    world.verdict(needed, "down").await;
    world.letters(1).await;
    let needs = world.monitor("api", |s| {
        s.fail_after = 1;
        s.depends_on = vec!["database".into()];
    });
    let needs = needs.await;
    world.verdict(needs, "blocked").await;
    world.ticks(needs, FIVE_MINUTES, 3).await;
    assert_eq!(world.letters_now().await.len(), 1, "one alert, for what is really down");
    let state = db
        .store
        .query("SELECT state FROM monitor_states WHERE monitor_id = $1", params![needs])
        .await
        .expect("answers");
    assert!(state[0].text("state").expect("text").contains("database"), "it says by what");
    world.services.set("database.example.test", Outcome::Up);
    world.ticks(needed, FIVE_MINUTES, 2).await;
    world.ticks(needs, FIVE_MINUTES, 1).await;
    world.verdict(needs, "down").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_maintenance_window_keeps_quiet_and_does_not_count() {
    let db = TestDb::sqlite().await;
    let world = World::new(&db.store).await;
    let window = serde_json::json!({
        "name": "move", "all": true, "repeat": "daily", "start": "11:00", "duration_min": 60, "zone": "Europe/Berlin",
    });
    db.store
        .execute(
            "INSERT INTO windows (id, org_id, external_id, name, spec, created_us, updated_us) VALUES ($1, $2, 'w', 'move', $3, 0, 0)",
            params![landfall_store::Id::new(), world.org, window.to_string()],
        )
        .await
        .expect("made");
    world.services.set("*", Outcome::Down);
    // 10:00 UTC is 11:00 in Berlin in winter.
    let monitor = world.monitor("api", |s| s.fail_after = 1).await;
    world.verdict(monitor, "maintenance").await;
    world.ticks(monitor, FIVE_MINUTES, 3).await;
    assert!(world.letters_now().await.is_empty());
    let outcomes = db.store.query("SELECT DISTINCT outcome FROM results", &[]).await.expect("answers");
    assert_eq!(outcomes.len(), 1);
    assert_eq!(outcomes[0].text("outcome").expect("text"), "maintenance");
    world.clock.advance(Duration::from_secs(3_600));
    world.verdict(monitor, "down").await;
    world.letters(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_streak_survives_a_restart_and_missed_ticks_are_said() {
    for db in TestDb::both().await {
        let mut world = World::new(&db.store).await;
        let monitor = world.monitor("api", |_| {}).await;
        world.results(monitor, 1).await;
        world.services.set("*", Outcome::Down);
        world.ticks(monitor, FIVE_MINUTES, 2).await;
        world.sleep().await;
        world.clock.advance(Duration::from_secs(FIVE_MINUTES * 10));
        world.wake(Options::default());
        world.clock.advance(Duration::from_secs(FIVE_MINUTES));
        world.verdict(monitor, "down").await;
        world.letters(1).await;
        let missed = "SELECT count(*) AS n FROM results WHERE outcome = 'missed' AND monitor_id = $1";
        world.until("missed ticks", missed, params![monitor], |r| r[0].int("n").expect("n") >= 9).await;
        let n = world.count(missed, params![monitor]).await;
        assert!((9..=10).contains(&n), "ten intervals passed unwatched, {n} ticks are recorded as missed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_changes_no_verdict_and_blinds_nobody() {
    let db = TestDb::sqlite().await;
    let world = World::new(&db.store).await;
    let monitor = world.monitor("api", |_| {}).await;
    world.results(monitor, 1).await;
    world.ticks(monitor, FIVE_MINUTES, 3).await;
    let hour = Duration::from_secs(3_600);
    world.clock.set(world.clock.now().checked_sub(hour).expect("valid"));
    // The clock is looked at when a sleep ends.
    world.watch.nudge();
    tokio::time::sleep(Duration::from_millis(200)).await;
    world.ticks(monitor, FIVE_MINUTES, 3).await;
    world.clock.advance(Duration::from_secs(48 * 3_600));
    world
        .until(
            "the ticks of two days as missed",
            "SELECT count(*) AS n FROM results WHERE outcome = 'missed'",
            &[],
            |r| r[0].int("n").expect("n") >= 100,
        )
        .await;
    world.ticks(monitor, FIVE_MINUTES, 1).await;
    world.verdict(monitor, "up").await;
    assert!(world.letters_now().await.is_empty());
    world.services.set("*", Outcome::Down);
    world.ticks(monitor, FIVE_MINUTES, 3).await;
    world.letters(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_monitor_leaves_its_incident_and_begins_anew() {
    let db = TestDb::sqlite().await;
    let world = World::new(&db.store).await;
    world.services.set("*", Outcome::Down);
    let monitor = world.monitor("api", |s| s.fail_after = 1).await;
    world.letters(1).await;
    let set = |paused: i64| {
        let (store, now) = (db.store.clone(), world.clock.now());
        async move {
            store
                .execute(
                    "UPDATE monitors SET paused = $2, updated_us = $3 WHERE id = $1",
                    params![monitor, paused, now],
                )
                .await
                .expect("set");
        }
    };
    world.clock.advance(Duration::from_secs(1));
    set(1).await;
    world.watch.nudge();
    world.verdict(monitor, "paused").await;
    let letters = world.letters(2).await;
    assert_eq!(letters[1].event, Event::Up);
    assert!(letters[1].headline.contains("the monitor was paused"), "{}", letters[1].headline);
    let checks = world.services.checks.load(Ordering::SeqCst);
    world.clock.advance(Duration::from_secs(3_600));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(world.services.checks.load(Ordering::SeqCst), checks, "nothing is checked while it is paused");
    set(0).await;
    world.watch.nudge();
    // Its latest tick was not checked, so it is checked at once; should the pause not be undone yet, at the next tick.
    world.clock.advance(Duration::from_secs(FIVE_MINUTES));
    world.verdict(monitor, "down").await;
    let missed = world.count("SELECT count(*) AS n FROM results WHERE outcome = 'missed'", &[]).await;
    assert_eq!(missed, 0, "a pause is not a gap");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_way_out_nothing_is_down() {
    let db = TestDb::sqlite().await;
    let world = World::new(&db.store).await;
    let monitors = [world.monitor("a", |_| {}).await, world.monitor("b", |_| {}).await];
    for monitor in monitors {
        world.results(monitor, 1).await;
    }
    for host in ["a.example.test", "b.example.test"] {
        world.services.set(host, Outcome::Down);
        world.services.because(host, Reason::Timeout);
    }
    for n in 2..=6 {
        world.clock.advance(Duration::from_secs(FIVE_MINUTES));
        for monitor in monitors {
            world.results(monitor, n).await;
        }
    }
    for monitor in monitors {
        world.verdict(monitor, "inconclusive").await;
    }
    assert!(world.letters_now().await.is_empty(), "no alert about others while we are cut off");
    assert_eq!(
        world.count("SELECT count(*) AS n FROM results WHERE reason = 'own_connection'", &[]).await,
        10
    );
    // One of them answers, so the way out works and the other's silence is its own.
    world.services.set("a.example.test", Outcome::Up);
    for n in 7..=10 {
        world.clock.advance(Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(30)).await;
        world.clock.advance(Duration::from_secs(240));
        for monitor in monitors {
            world.results(monitor, n).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_loses_no_result_and_makes_no_verdict() {
    let server = Postgres::start();
    server.psql("postgres", "CREATE DATABASE watch");
    let store = landfall_store::Store::open(&server.url("watch")).await.expect("opens");
    let world = World::new(&store).await;
    let mut monitors = Vec::new();
    for n in 0..20 {
        monitors.push(world.monitor_quietly(&format!("m{n}"), |s| s.interval_s = 10).await);
    }
    world.watch.nudge();
    for monitor in &monitors {
        world.results(*monitor, 1).await;
    }
    let before = world.services.checks.load(Ordering::SeqCst);
    server.stop();
    // A minute without a database, under load: six ticks of twenty monitors.
    for n in 1..=6 {
        world.clock.advance(Duration::from_secs(10));
        let began = std::time::Instant::now();
        while world.services.checks.load(Ordering::SeqCst) < before + n * 20 {
            assert!(began.elapsed() < Duration::from_secs(60), "checks go on while the database is away");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    server.run();
    for monitor in &monitors {
        world.results(*monitor, 7).await;
        world.verdict(*monitor, "up").await;
    }
    assert_eq!(world.count("SELECT count(*) AS n FROM results WHERE outcome <> 'up'", &[]).await, 0);
    assert!(world.letters_now().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_on_one_database_alert_once_and_check_once() {
    let db = TestDb::postgres().await;
    let mut one = World::asleep(&db.store).await;
    let mut monitors = Vec::new();
    for n in 0..40 {
        monitors.push(one.monitor_quietly(&format!("m{n}"), |s| s.interval_s = 60).await);
    }
    one.wake(Options { owner: "one".into(), ..Options::default() });
    let second = landfall_monitor::engine::Engine::new(
        one.parts(Options { owner: "two".into(), ..Options::default() }, None),
    );
    let stop = tokio_util::sync::CancellationToken::new();
    let two = tokio::spawn(second.run(stop.clone()));
    for monitor in &monitors {
        one.results(*monitor, 1).await;
    }
    one.services.set("*", Outcome::Down);
    for n in 2..=5 {
        // Both look at the database well within the time of a lease, and divide the schedule between them.
        for _ in 0..6 {
            one.clock.advance(Duration::from_secs(10));
            let looked = "SELECT count(*) AS n FROM servers WHERE seen_us >= $1";
            one.until("both to look", looked, params![one.clock.now()], |r| r[0].int("n").expect("n") == 2)
                .await;
        }
        for monitor in &monitors {
            one.results(*monitor, n).await;
        }
    }
    let rows = db
        .store
        .query("SELECT DISTINCT owner FROM leases WHERE name LIKE 'shard/%'", &[])
        .await
        .expect("answers");
    assert_eq!(rows.len(), 2, "each holds a part");
    let twice = "SELECT count(*) AS n FROM (SELECT monitor_id, scheduled_us FROM results GROUP BY monitor_id, scheduled_us HAVING count(*) > 1) t";
    assert_eq!(one.count(twice, &[]).await, 0, "no tick was checked twice");
    one.clock.advance(Duration::from_secs(10));
    one.until("alerts", "SELECT count(*) AS n FROM incidents WHERE alerted_us IS NULL", &[], |r| {
        r[0].int("n").expect("n") == 0
    })
    .await;
    let down = one.letters_now().await.iter().filter(|m| m.event == Event::Down).count() as i64;
    let alerted = one.count("SELECT count(*) AS n FROM incidents WHERE alerted_us IS NOT NULL", &[]).await;
    assert_eq!(down, alerted, "one alert for each incident");
    assert_eq!(one.count("SELECT count(*) AS n FROM incident_monitors WHERE left_us IS NULL", &[]).await, 40);
    stop.cancel();
    two.await.expect("it ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_was_asked_for_is_made_at_once_and_once() {
    for db in TestDb::both().await {
        let mut world = World::new(&db.store).await;
        let monitor = world.monitor("api", |_| {}).await;
        world.results(monitor, 1).await;
        let tenant = db.store.tenant(world.org);
        tenant.request_check(monitor, world.clock.now()).await.expect("asked");
        world.watch.nudge();
        // The clock stands still: nothing but the request makes this check.
        world.results(monitor, 2).await;
        assert_eq!(world.count("SELECT count(*) AS n FROM check_requests", &[]).await, 0);
        // A request waits for a server that takes it, is one however often it was made, and its result does not collide with
        // those before it.
        world.sleep().await;
        let before = world.services.checks.load(Ordering::SeqCst);
        for _ in 0..2 {
            tenant.request_check(monitor, world.clock.now()).await.expect("asked");
        }
        assert_eq!(world.count("SELECT count(*) AS n FROM check_requests", &[]).await, 1);
        world.wake(Options::default());
        world.results(monitor, 3).await;
        assert_eq!(world.services.checks.load(Ordering::SeqCst), before + 1);
        let attempts = db
            .store
            .query("SELECT attempt FROM results WHERE monitor_id = $1 ORDER BY attempt", params![monitor])
            .await
            .expect("answers");
        let attempts: Vec<i64> = attempts.iter().map(|r| r.int("attempt").expect("a number")).collect();
        assert_eq!(attempts, [1, 2, 3]);
        // Somebody else's organisation has no such monitor.
        let mut tx = db.store.begin().await.expect("begins");
        let other =
            landfall_store::Store::create_org(&mut tx, "other", "Other", kit::start()).await.expect("made");
        tx.commit().await.expect("made");
        let other = db.store.tenant(other.id);
        assert!(other.request_check(monitor, world.clock.now()).await.is_err());
        world.sleep().await;
    }
}
