//! What holds for the store holds on both databases.

use std::future::Future as _;
use std::task::Poll;
use std::time::Duration;

use jiff::Timestamp;
use landfall_store::testkit::TestDb;
use landfall_store::{Store, StoreError, Value, leases};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a valid moment")
}

async fn org(store: &Store, slug: &str) -> Result<landfall_store::Org, StoreError> {
    let mut tx = store.begin().await?;
    let org = Store::create_org(&mut tx, slug, slug, at(1)).await?;
    tx.commit().await?;
    Ok(org)
}

#[tokio::test]
async fn a_transaction_that_is_dropped_leaves_nothing() {
    for db in TestDb::both().await {
        let mut tx = db.store.begin().await.expect("begins");
        Store::create_org(&mut tx, "gone", "Gone", at(1)).await.expect("inserted");
        drop(tx);
        assert!(db.store.orgs().await.expect("answers").is_empty(), "{}", db.store.kind());
        org(&db.store, "kept").await.expect("the writer is free again");
        assert_eq!(db.store.orgs().await.expect("answers").len(), 1);
    }
}

#[tokio::test]
async fn a_key_that_is_taken_is_said_to_be() {
    for db in TestDb::both().await {
        org(&db.store, "one").await.expect("free");
        let again = org(&db.store, "one").await.expect_err("taken");
        assert!(matches!(again, StoreError::Exists { .. }), "{}: {again:?}", db.store.kind());
    }
}

#[tokio::test]
async fn what_is_committed_is_there_after_opening_again() {
    for db in TestDb::both().await {
        org(&db.store, "kept").await.expect("free");
        let again = Store::open(&db.place).await.expect("opens again; no step runs twice");
        assert_eq!(again.orgs().await.expect("answers")[0].slug, "kept");
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    for db in TestDb::both().await {
        let sql = "INSERT INTO schema_steps (step, name, at_us) VALUES (9999, 'later', 0)";
        db.store.execute(sql, &[]).await.expect("written");
        let refused = Store::open(&db.place).await.expect_err("newer");
        assert!(matches!(refused, StoreError::Newer { found: 9999, .. }), "{refused}");
    }
}

#[tokio::test]
async fn a_lease_has_one_holder_and_passes_on() {
    let ten = Duration::from_secs(10);
    for db in TestDb::both().await {
        let hold = |owner: &'static str, second: i64| {
            let store = db.store.clone();
            async move { leases::hold(&store, "jobs", owner, at(second), ten).await.expect("answers") }
        };
        assert!(hold("a", 100).await, "free");
        assert!(!hold("b", 105).await, "held by a until 110");
        assert!(hold("a", 108).await, "renewed until 118");
        assert!(!hold("b", 112).await, "still a's");
        assert!(hold("b", 118).await, "not renewed");
        assert!(!hold("a", 119).await, "it is b's now");
        leases::release(&db.store, "jobs", "a").await.expect("not a's to give up");
        assert!(!hold("a", 119).await);
        leases::release(&db.store, "jobs", "b").await.expect("given up");
        assert!(hold("a", 119).await);
    }
}

#[tokio::test]
async fn twenty_claimants_at_once_and_one_lease() {
    for db in TestDb::both().await {
        let tries = (0..20).map(|n| {
            let store = db.store.clone();
            tokio::spawn(async move {
                leases::hold(&store, "x", &format!("o{n}"), at(5), Duration::from_secs(9))
                    .await
                    .expect("answers")
            })
        });
        let mut won = 0;
        for one in tries.collect::<Vec<_>>() {
            won += u32::from(one.await.expect("ran"));
        }
        assert_eq!(won, 1, "{}", db.store.kind());
    }
}

#[tokio::test]
async fn values_come_back_as_they_went_in() {
    for db in TestDb::both().await {
        let sql = "SELECT CAST($1 AS BIGINT) AS i, CAST($2 AS DOUBLE PRECISION) AS r, CAST($3 AS TEXT) AS t, CAST($4 AS TEXT) AS n";
        let sent =
            [Value::Int(i64::MIN), Value::Real(0.1), Value::Text("ü\u{1F600}'\"\\".into()), Value::Null];
        let row = db.store.query_opt(sql, &sent).await.expect("answers").expect("one row");
        assert_eq!(row.int("i").expect("i"), i64::MIN);
        assert_eq!(row.opt_real("r").expect("r"), Some(0.1));
        assert_eq!(row.text("t").expect("t"), "ü\u{1F600}'\"\\");
        assert_eq!(row.opt_text("n").expect("n"), None);
        assert!(row.text("absent").is_err() && row.int("t").is_err() && row.text("n").is_err());
    }
}

#[tokio::test]
async fn a_password_is_in_no_error() {
    let error = Store::open("postgres://u:hunter2@127.0.0.1:1/none").await.expect_err("nothing listens");
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    let error = Store::open("postgres://u:hunter2@[bad/none").await.expect_err("not a URL");
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    let error = Store::open("mysql://u:hunter2@h/none").await.expect_err("unknown");
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
}

#[tokio::test]
async fn a_copy_is_sound_and_whole() {
    let db = TestDb::sqlite().await;
    org(&db.store, "kept").await.expect("free");
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().join("copy.sqlite3");
    assert!(db.store.backup(&to).await.expect("copied"));
    let copy = Store::open(&to.display().to_string()).await.expect("opens");
    assert_eq!(copy.orgs().await.expect("answers").len(), 1);
    for db in TestDb::both().await {
        assert_eq!(db.store.integrity().await.expect("answers"), None);
    }
}

#[tokio::test]
async fn who_gives_up_while_a_transaction_begins_leaves_none_open() {
    let db = TestDb::postgres().await;
    for _ in 0..20 {
        // A connection waits in the pool, so that the next user has it at once.
        db.store.query("SELECT 1 AS n", &[]).await.expect("it answers");
        // Polled once: the word is sent, and the answer cannot be there yet.
        let mut begun = Box::pin(db.store.begin());
        let pending = std::future::poll_fn(|cx| Poll::Ready(begun.as_mut().poll(cx).is_pending())).await;
        assert!(pending, "the answer cannot be there yet");
        drop(begun);
        tokio::task::yield_now().await;
    }
    let open = "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in %'";
    // The server may take a moment to notice that a client is gone.
    for _ in 0..200 {
        if db.store.query(open, &[]).await.expect("it answers")[0].int("n").expect("a count") == 0 {
            // A failure on a connection with an open transaction would stay for everybody after.
            db.store.query("SELECT nothing FROM nowhere", &[]).await.expect_err("no such table");
            db.store.query("SELECT 1 AS n", &[]).await.expect("it answers");
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("transactions of users that are gone are still open");
}
