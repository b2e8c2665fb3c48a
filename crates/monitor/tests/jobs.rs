//! What each job does, over both databases, with a clock that stands still.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use landfall_monitor::jobs::{Context, Done, JobSettings, JobStatus, Jobs, Work, Working, registry};
use landfall_monitor::{Bus, ManualClock};
use landfall_store::rollups::{self, Grain, Sums};
use landfall_store::testkit::TestDb;
use landfall_store::{Id, Store, Tenant, jobs as stored, params};

fn at(text: &str) -> Timestamp {
    text.parse().expect("a moment")
}

struct Site {
    db: TestDb,
    tenant: Tenant,
    clock: ManualClock,
    settings: JobSettings,
    dunning: Option<Arc<dyn Work>>,
}

const NOW: &str = "2026-11-25T12:00:30Z";

impl Site {
    async fn new(db: TestDb) -> Self {
        let mut tx = db.store.begin().await.expect("begin");
        let org = Store::create_org(&mut tx, "o", "Org", at(NOW)).await.expect("org");
        tx.commit().await.expect("commit");
        let tenant = db.store.tenant(org.id);
        let settings = JobSettings { database: db.place.clone(), ..JobSettings::default() };
        Self { db, tenant, clock: ManualClock::at(at(NOW)), settings, dunning: None }
    }

    fn store(&self) -> &Store {
        &self.db.store
    }

    /// Runs one job now, whatever its schedule says, and gives its status.
    async fn run(&self, name: &str) -> JobStatus {
        let now = landfall_monitor::Clock::now(&self.clock);
        let context = Context {
            store: self.store().clone(),
            clock: Arc::new(self.clock.clone()),
            bus: Bus::default(),
            settings: Arc::new(self.settings.clone()),
            dunning: self.dunning.clone(),
        };
        let all = registry(&self.settings, self.dunning.is_some());
        let job: Vec<_> = all.into_iter().filter(|j| j.name == name).collect();
        assert_eq!(job.len(), 1, "{name}");
        self.store().execute("DELETE FROM leases", &[]).await.expect("no leader");
        stored::ensure(self.store(), name, now, now).await.expect("known");
        self.store()
            .execute("UPDATE jobs SET next_us = $2 WHERE name = $1", params![name, now])
            .await
            .expect("due");
        let jobs = Jobs::new(context, job);
        jobs.tick(now).await.expect("tick");
        jobs.list(now).await.expect("list").remove(0)
    }

    async fn ok(&self, name: &str) -> String {
        let status = self.run(name).await;
        assert_eq!(status.status, "ok", "{name} on {}: {:?}", self.store().kind(), status.say);
        status.say.expect("a good run says what it did")
    }

    async fn failed(&self, name: &str) -> String {
        let status = self.run(name).await;
        assert_eq!(status.status, "failed", "{name}: {:?}", status.say);
        status.say.expect("a failure says why")
    }

    async fn monitor(&self, external_id: &str, more: &str) -> Id {
        let id = Id::new();
        let spec = format!(
            r#"{{"name":"{external_id}","check":{{"kind":"http","url":"https://u:p@{external_id}.example.com/x?k=s"}}{more}}}"#
        );
        self.sql(
            "INSERT INTO monitors (id, org_id, external_id, name, kind, spec, interval_us, created_us, updated_us)
             VALUES ($1, $2, $3, $3, 'http', $4, 60000000, 0, 0)",
            params![id, self.tenant.id(), external_id, spec],
        )
        .await;
        self.sql(
            "INSERT INTO monitor_states (monitor_id, org_id, verdict, since_us, state) VALUES ($1, $2, 'up', 0, '{}')",
            params![id, self.tenant.id()],
        )
        .await;
        id
    }

    async fn channel(&self, external_id: &str, kind: &str) {
        self.sql(
            "INSERT INTO channels (id, org_id, external_id, name, kind, config, created_us, updated_us)
             VALUES ($1, $2, $3, $3, $4, '{}', 0, 0)",
            params![Id::new(), self.tenant.id(), external_id, kind],
        )
        .await;
    }

    async fn result(&self, monitor: Id, when: Timestamp, outcome: &str, cert: Option<Timestamp>) {
        self.sql(
            "INSERT INTO results (id, org_id, monitor_id, scheduled_us, started_us, took_us, outcome, say, cert_not_after_us)
             VALUES ($1, $2, $3, $4, $4, 2000, $5, '', $6)",
            params![Id::new(), self.tenant.id(), monitor, when, outcome, cert],
        )
        .await;
    }

    async fn sql(&self, sql: &str, params: &[landfall_store::Value]) {
        self.store().execute(sql, params).await.expect(sql);
    }

    async fn letters(&self) -> Vec<String> {
        let rows = self.store().query("SELECT payload FROM outbox ORDER BY id", &[]).await.expect("letters");
        rows.iter().map(|r| r.text("payload").expect("a payload")).collect()
    }

    async fn sums(&self, monitor: Id, grain: Grain, from: &str, to: &str) -> Sums {
        let all = rollups::sums(self.store(), self.tenant.id(), grain, at(from), at(to)).await.expect("sums");
        all.get(&monitor).copied().unwrap_or_default()
    }
}

fn ago(seconds: u64) -> Timestamp {
    at(NOW).checked_sub(Duration::from_secs(seconds)).expect("a moment")
}

fn ahead(days: u64) -> Timestamp {
    at(NOW).checked_add(Duration::from_secs(days * 86_400 - 60)).expect("a moment")
}

#[tokio::test]
async fn results_are_summed_up_and_late_ones_count_and_maintenance_does_not() {
    for db in TestDb::both().await {
        let site = Site::new(db).await;
        let (a, b) = (site.monitor("a", "").await, site.monitor("b", "").await);
        assert!(site.ok("rollup-minute").await.contains("no results"));
        for (second, outcome) in
            [(10, "up"), (20, "down"), (70, "degraded"), (80, "inconclusive"), (90, "missed")]
        {
            site.result(a, ago(second), outcome, None).await;
        }
        site.result(b, ago(10), "up", None).await;
        for job in ["rollup-minute", "rollup-hour", "rollup-day"] {
            site.ok(job).await;
        }
        let hour = site.sums(a, Grain::Hour, "2026-11-25T11:00:00Z", "2026-11-25T13:00:00Z").await;
        assert_eq!(
            (
                hour.up,
                hour.degraded,
                hour.down,
                hour.inconclusive,
                hour.missed,
                hour.took_count,
                hour.took_sum_us
            ),
            (1, 1, 1, 1, 1, 2, 4000)
        );
        assert_eq!(hour.uptime(), Some(2.0 / 3.0));
        let minute = site.sums(a, Grain::Minute, "2026-11-25T12:00:00Z", "2026-11-25T12:01:00Z").await;
        assert_eq!((minute.up, minute.down), (1, 1));
        // Twice changes nothing; a late result changes only its bucket.
        site.ok("rollup-hour").await;
        assert_eq!(site.sums(a, Grain::Hour, "2026-11-25T11:00:00Z", "2026-11-25T13:00:00Z").await, hour);
        site.result(a, ago(7200), "down", None).await;
        site.ok("rollup-hour").await;
        let late = site.sums(a, Grain::Hour, "2026-11-25T10:00:00Z", "2026-11-25T11:00:00Z").await;
        assert_eq!((late.down, late.up), (1, 0));
        assert_eq!(site.sums(b, Grain::Hour, "2026-11-25T11:00:00Z", "2026-11-25T13:00:00Z").await.up, 1);

        // A window over the last minutes: what was down in it is no downtime.
        let spec = r#"{"name":"w","monitors":["a"],"start":"2026-11-25T11:59:00Z","duration_min":30}"#;
        site.sql(
            "INSERT INTO windows (id, org_id, external_id, name, spec, created_us, updated_us) VALUES ($1, $2, 'w', 'w', $3, 0, 0)",
            params![Id::new(), site.tenant.id(), spec],
        )
        .await;
        site.result(a, ago(5), "down", None).await;
        site.result(b, ago(5), "down", None).await;
        for job in ["rollup-minute", "rollup-hour", "rollup-day"] {
            site.ok(job).await;
        }
        let day = site.sums(a, Grain::Day, "2026-11-25T00:00:00Z", "2026-11-26T00:00:00Z").await;
        assert_eq!((day.down, day.up, day.maintenance), (1, 0, 6), "{day:?} on {}", site.store().kind());
        let other = site.sums(b, Grain::Day, "2026-11-25T00:00:00Z", "2026-11-26T00:00:00Z").await;
        assert_eq!((other.down, other.maintenance), (1, 0));
    }
}

#[tokio::test]
async fn certificates_are_warned_of_at_each_step_once() {
    for db in TestDb::both().await {
        let site = Site::new(db).await;
        site.channel("ops", "webhook").await;
        let id = site.monitor("a", "").await;
        site.result(id, ago(10), "up", Some(ahead(60))).await;
        assert!(site.ok("certificate-sweep").await.contains("1 certificates looked at, 0 warnings"));
        site.result(id, ago(9), "up", Some(ahead(6))).await;
        assert!(site.ok("certificate-sweep").await.contains("1 warnings"));
        assert!(site.ok("certificate-sweep").await.contains("0 warnings"), "once");
        let letters = site.letters().await;
        assert_eq!(letters.len(), 1);
        assert!(letters[0].contains("in 5 days") && letters[0].contains("WARNING a"), "{}", letters[0]);
        assert!(!letters[0].contains("u:p") && !letters[0].contains("k=s"), "no credentials in a letter");
        site.clock.advance(Duration::from_secs(4 * 86_400));
        site.result(id, landfall_monitor::Clock::now(&site.clock), "up", Some(ahead(6))).await;
        assert!(site.ok("certificate-sweep").await.contains("1 warnings"), "the next step");
        site.clock.advance(Duration::from_secs(3 * 86_400));
        site.result(id, landfall_monitor::Clock::now(&site.clock), "down", Some(ahead(6))).await;
        assert!(site.ok("certificate-sweep").await.contains("1 warnings"), "it ended");
        assert!(site.letters().await.iter().any(|l| l.contains("ended 2026-12-01")));
    }
}

#[tokio::test]
async fn drift_of_addresses_and_versions_is_warned_of() {
    for db in TestDb::both().await {
        let site = Site::new(db).await;
        site.channel("ops", "webhook").await;
        let id = site.monitor("a", "").await;
        let show = async |addresses: &str, version: &str| {
            let good = format!(r#"{{"addresses":[{addresses}],"version":"{version}"}}"#);
            site.sql("UPDATE monitor_states SET last_good = $2 WHERE monitor_id = $1", params![id, good])
                .await;
        };
        show(r#""192.0.2.1","192.0.2.2""#, "v1").await;
        site.ok("dns-drift-sweep").await;
        site.ok("version-drift-sweep").await;
        assert_eq!(site.letters().await.len(), 0, "the first sight is the baseline");
        show(r#""192.0.2.2""#, "v1").await;
        assert!(site.ok("dns-drift-sweep").await.ends_with("0 changed"));
        show(r#""198.51.100.7""#, "v2").await;
        assert!(site.ok("dns-drift-sweep").await.ends_with("1 changed"));
        assert!(site.ok("version-drift-sweep").await.ends_with("1 changed"));
        assert!(site.ok("dns-drift-sweep").await.ends_with("0 changed"), "told once");
        let letters = site.letters().await;
        assert_eq!(letters.len(), 2);
        assert!(
            letters[0].contains("192.0.2.2 → 198.51.100.7") && letters[1].contains("v1 → v2"),
            "{letters:?}"
        );
        let kept =
            site.store().query("SELECT kind FROM captures ORDER BY kind", &[]).await.expect("captures");
        assert_eq!(kept.len(), 2);
    }
}

#[tokio::test]
async fn what_is_old_goes_and_what_is_young_stays() {
    for db in TestDb::both().await {
        let site = Site::new(db).await;
        let id = site.monitor("a", "").await;
        let day = 86_400;
        for age in [1, 13 * day, 16 * day, 400 * day] {
            site.result(id, ago(age), "up", None).await;
        }
        site.ok("rollup-day").await;
        let say = site.ok("retention").await;
        assert!(say.contains("2 results"), "{say}");
        let left = site.store().query("SELECT id FROM results", &[]).await.expect("rows").len();
        assert_eq!(left, 2);
        // A late result of a day that is gone does not spoil that day's sum.
        let before = site.sums(id, Grain::Day, "2025-01-01T00:00:00Z", "2026-12-01T00:00:00Z").await;
        site.result(id, ago(16 * day), "down", None).await;
        site.ok("rollup-day").await;
        assert_eq!(site.sums(id, Grain::Day, "2025-01-01T00:00:00Z", "2026-12-01T00:00:00Z").await, before);
        assert_eq!(before.up, 2, "days older than what is kept are not computed from leftovers");
    }
}

#[tokio::test]
async fn what_providers_and_people_said_is_removed_by_age_but_for_what_is_owed() {
    for db in TestDb::both().await {
        let site = Site::new(db).await;
        let (day, org) = (86_400, site.tenant.id());
        for (id, age, outcome) in [
            ("old", 401, "applied"),
            ("new", 399, "applied"),
            ("odd", 900, "unassigned"),
            ("bad", 900, "unreadable"),
        ] {
            site.sql(
                "INSERT INTO billing_events (id, kind, created_us, received_us, livemode, outcome, say, body)
                 VALUES ($1, 'x', $2, $2, 0, $3, '', '{}')",
                params![id, ago(age * day), outcome],
            )
            .await;
        }
        for (id, age, state) in
            [("1", 31, Some("sent")), ("2", 29, Some("sent")), ("3", 31, Some("pending")), ("4", 31, None)]
        {
            site.sql(
                "INSERT INTO bot_updates (provider, update_id, chat_id, at_us, outcome, reply_state, next_us)
                 VALUES ('telegram', $1, 'c', $2, 'answered', $3, 0)",
                params![id, ago(age * day), state],
            )
            .await;
        }
        for (age, name) in [(500, "old"), (10, "new")] {
            let conversation = Id::new();
            site.sql(
                "INSERT INTO support_conversations (id, org_id, opened_by, created_us, updated_us) VALUES ($1, $2, $3, $4, $4)",
                params![conversation, org, name, ago(age * day)],
            )
            .await;
            site.sql(
                "INSERT INTO support_messages (id, conversation_id, org_id, at_us, who, body) VALUES ($1, $2, $3, $4, 'person', $5)",
                params![Id::new(), conversation, org, ago(age * day), name],
            )
            .await;
        }
        let said = site.ok("retention").await;
        for part in ["1 billing events", "2 bot updates", "1 support messages", "1 support conversations"] {
            assert!(said.contains(part), "{part} in {said}");
        }
        let left = async |sql: &str| -> Vec<String> {
            let rows = site.store().query(sql, &[]).await.expect(sql);
            rows.iter().map(|r| r.text("name").expect("a name")).collect()
        };
        assert_eq!(left("SELECT id AS name FROM billing_events ORDER BY id").await, ["bad", "new", "odd"]);
        assert_eq!(left("SELECT update_id AS name FROM bot_updates ORDER BY update_id").await, ["2", "3"]);
        assert_eq!(left("SELECT body AS name FROM support_messages").await, ["new"]);
        assert_eq!(left("SELECT opened_by AS name FROM support_conversations").await, ["new"]);
    }
}

#[tokio::test]
async fn an_outbox_that_nobody_works_on_is_a_failure() {
    for db in TestDb::both().await {
        let site = Site::new(db).await;
        assert!(site.ok("outbox-retry").await.contains("0 letters wait"));
        site.sql(
            "INSERT INTO outbox (id, org_id, key, subject, seq, payload, created_us, next_us, give_up_us, lease_owner, lease_until_us)
             VALUES ($1, $2, 'k', 's', 1, '{}', 0, $3, $4, 'dead', $5)",
            params![Id::new(), site.tenant.id(), ago(600), ahead(1), ago(300)],
        )
        .await;
        assert!(site.ok("outbox-retry").await.contains("1 were free again"));
        site.clock.advance(Duration::from_secs(540));
        site.ok("outbox-retry").await;
        site.clock.advance(Duration::from_secs(120));
        assert!(site.failed("outbox-retry").await.contains("no outbox worker"));
        site.sql("UPDATE outbox SET state = 'delivered'", &[]).await;
        site.ok("outbox-retry").await;
    }
}

#[tokio::test]
async fn open_incidents_are_told_again_until_somebody_acknowledges() {
    for db in TestDb::both().await {
        let site = Site::new(db).await;
        site.channel("ops", "webhook").await;
        let id = site.monitor("a", r#","remind_s":3600"#).await;
        let incident = Id::new();
        site.sql(
            "INSERT INTO incidents (id, org_id, status, title, scope, began_us, confirmed_us, alerted_us) VALUES ($1, $2, 'open', 'a is down', 'a', $3, $3, $3)",
            params![incident, site.tenant.id(), at(NOW)],
        )
        .await;
        site.sql(
            "INSERT INTO incident_monitors (incident_id, monitor_id, org_id, joined_us) VALUES ($1, $2, $3, 0)",
            params![incident, id, site.tenant.id()],
        )
        .await;
        assert!(site.ok("reminders").await.ends_with("0 told again"));
        site.clock.advance(Duration::from_secs(3600));
        assert!(site.ok("reminders").await.ends_with("1 told again"));
        assert!(site.ok("reminders").await.ends_with("0 told again"));
        site.clock.advance(Duration::from_secs(3600));
        assert!(site.ok("reminders").await.ends_with("1 told again"));
        let letters = site.letters().await;
        assert_eq!(letters.len(), 2);
        assert!(letters[1].contains("STILL DOWN for 2 h a is down"), "{}", letters[1]);
        landfall_monitor::incident::acknowledge(site.store(), site.tenant.id(), incident, "me", at(NOW))
            .await
            .expect("acknowledged");
        site.clock.advance(Duration::from_secs(3600));
        assert!(site.ok("reminders").await.contains("no open incident waits"));
    }
}

#[tokio::test]
async fn a_heartbeat_that_stays_down_is_told_again_without_its_secret() {
    for db in TestDb::both().await {
        let site = Site::new(db).await;
        site.channel("ops", "webhook").await;
        site.channel("quiet", "webhook").await;
        let spec = landfall_monitor::heartbeat::HeartbeatSpec {
            alert_new_s: Some(60),
            remind_s: Some(3600),
            channels: Some(vec!["ops".into()]),
            ..landfall_monitor::heartbeat::HeartbeatSpec::named("nightly backup")
        };
        let put = landfall_monitor::heartbeat::put(&site.tenant, "nightly", &spec, "api", ago(600));
        let (secret, _) = put.await.expect("made");
        assert_eq!(site.ok("heartbeat-sweep").await, "1 went down");
        assert_eq!(site.letters().await.len(), 1);
        assert!(site.ok("reminders").await.ends_with("0 told again"), "it was told a moment ago");
        site.clock.advance(Duration::from_secs(3600));
        assert!(site.ok("reminders").await.ends_with("1 told again"));
        assert!(site.ok("reminders").await.ends_with("0 told again"), "once an hour");
        let letters = site.letters().await;
        assert_eq!(letters.len(), 2, "only to the channel that it names");
        assert!(letters[1].contains("STILL DOWN") && letters[1].contains("nightly backup"), "{}", letters[1]);
        // Neither letters nor what the incident keeps hold the secret of the ping URL.
        let rows = site.store().query("SELECT * FROM incidents", &[]).await.expect("answers");
        let events = site.store().query("SELECT * FROM incident_events", &[]).await.expect("answers");
        let kept = format!("{letters:?} {rows:?} {events:?}");
        assert!(!kept.contains(&secret.to_string()) && kept.contains("heartbeat:nightly"), "{kept}");
        let id = rows[0].id("id").expect("an id");
        landfall_monitor::incident::acknowledge(site.store(), site.tenant.id(), id, "me", at(NOW))
            .await
            .expect("acknowledged");
        site.clock.advance(Duration::from_secs(3600));
        assert!(site.ok("reminders").await.contains("no open incident waits"));
    }
}

#[tokio::test]
async fn summaries_have_true_figures_and_go_out_once() {
    for db in TestDb::both().await {
        let mut site = Site::new(db).await;
        site.settings.digest_daily = true;
        site.channel("ops", "email").await;
        site.channel("pager", "pagerduty").await;
        assert!(site.ok("digest-daily").await.contains("nothing to sum up"));
        let id = site.monitor("a", "").await;
        site.monitor("idle", "").await;
        for i in 0..9 {
            site.result(
                id,
                at("2026-11-24T10:00:00Z").checked_add(Duration::from_secs(i)).expect("t"),
                "up",
                None,
            )
            .await;
        }
        site.result(id, at("2026-11-24T11:00:00Z"), "down", None).await;
        site.ok("rollup-day").await;
        site.ok("digest-daily").await;
        site.ok("digest-daily").await;
        let letters = site.letters().await;
        assert_eq!(letters.len(), 1, "once, and not to the pager");
        let rows = site
            .store()
            .query(
                "SELECT c.external_id FROM outbox o JOIN channels c ON c.id = o.channel_id WHERE o.state = 'pending'",
                &[],
            )
            .await
            .expect("rows");
        // A letter without a channel would have no recipient.
        assert_eq!(rows.iter().map(|r| r.text("external_id").expect("text")).collect::<Vec<_>>(), ["ops"]);
        for part in [
            "The day from 2026-11-24: 90.00 % up, 0 incident(s)",
            "a: 90.00 % up, 1 of 10 checks failed, 2 ms on average",
            "idle: no check said anything",
        ] {
            assert!(letters[0].contains(part), "{part} in {}", letters[0]);
        }
        site.ok("digest-weekly").await;
        site.ok("uptime-report").await;
        assert_eq!(site.letters().await.len(), 3);
        site.settings.digest_daily = false;
        assert_eq!(site.run("digest-daily").await.status, "off");
    }
}

#[tokio::test]
async fn the_public_status_is_computed_and_withdrawn() {
    for db in TestDb::both().await {
        let site = Site::new(db).await;
        assert!(site.ok("status-refresh").await.contains("no monitor is public"));
        let id = site.monitor("a", r#","public":true"#).await;
        site.monitor("secret", "").await;
        site.ok("status-refresh").await;
        let (body, _) =
            stored::read_status(site.store(), site.tenant.id()).await.expect("read").expect("there");
        assert!(body.contains(r#""overall":"operational""#) && !body.contains("secret"), "{body}");
        site.sql("UPDATE monitor_states SET verdict = 'down' WHERE monitor_id = $1", params![id]).await;
        site.ok("status-refresh").await;
        let (body, _) =
            stored::read_status(site.store(), site.tenant.id()).await.expect("read").expect("there");
        assert!(body.contains(r#""overall":"down""#), "{body}");
        site.sql("UPDATE monitors SET deleted_us = 1", &[]).await;
        site.ok("status-refresh").await;
        assert!(stored::read_status(site.store(), site.tenant.id()).await.expect("read").is_none());
    }
}

#[tokio::test]
async fn backups_are_made_verified_and_rotated() {
    for db in TestDb::both().await {
        let folder = tempfile::tempdir().expect("a folder");
        let mut site = Site::new(db).await;
        assert_eq!(site.run("backup").await.status, "off", "no folder");
        site.settings.backup_folder = Some(folder.path().join("backups"));
        site.settings.backups_kept = 2;
        let status = site.run("backup").await;
        if site.store().kind() == "PostgreSQL" && status.status == "off" {
            assert!(status.say.is_some_and(|s| s.contains("pg_dump")));
            continue;
        }
        let say = status.say.expect("it says something");
        assert_eq!(status.status, "ok", "{say}");
        let verified = if site.store().kind() == "SQLite" { "opened and checked" } else { "read back" };
        assert!(say.contains(verified), "{say}");
        for _ in 0..3 {
            site.clock.advance(Duration::from_secs(86_400));
            site.ok("backup").await;
        }
        let mut names: Vec<String> = std::fs::read_dir(folder.path().join("backups"))
            .expect("a folder")
            .map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        assert_eq!(names.len(), 2, "{names:?}");
        assert!(names[1].starts_with("landfall-20261128T120030Z"), "{names:?}");
        if site.store().kind() == "SQLite" {
            let copy = folder.path().join("backups").join(&names[1]).display().to_string();
            assert_eq!(Store::open(&copy).await.expect("opens").orgs().await.expect("orgs").len(), 1);
        }
        // A folder that cannot be made is a failure, and not silence.
        std::fs::write(folder.path().join("file"), "x").expect("a file");
        site.settings.backup_folder = Some(folder.path().join("file"));
        assert!(site.failed("backup").await.contains("cannot be made"));
    }
}

#[tokio::test]
async fn a_damaged_database_is_noticed() {
    for db in TestDb::both().await {
        let site = Site::new(db).await;
        assert!(site.ok("integrity-check").await.contains("database") || site.store().kind() == "PostgreSQL");
        let copy = tempfile::tempdir().expect("a folder").keep().join("copy.sqlite3");
        if !site.store().backup(&copy).await.expect("copied") {
            continue;
        }
        let mut bytes = std::fs::read(&copy).expect("the copy");
        // The pages behind the schema, but for their first bytes, so that the file can still be opened.
        let pages = bytes.len() / 4096;
        for page in pages / 2..pages {
            bytes[page * 4096 + 4..(page + 1) * 4096].fill(0x55);
        }
        std::fs::write(&copy, bytes).expect("spoiled");
        let store = Store::open(&copy.display().to_string()).await;
        let noticed = match store {
            Ok(store) => !matches!(store.integrity().await, Ok(None)),
            Err(_) => true,
        };
        assert!(noticed);
        std::fs::remove_dir_all(copy.parent().expect("a folder")).expect("removed");
    }
}

#[tokio::test]
async fn sessions_heartbeats_and_the_canary_row() {
    for db in TestDb::both().await {
        let site = Site::new(db).await;
        assert!(site.ok("session-clean-up").await.starts_with("0 sessions"));
        assert_eq!(site.ok("heartbeat-sweep").await, "none is overdue");
        let spec = landfall_monitor::heartbeat::HeartbeatSpec {
            alert_new_s: Some(60),
            ..landfall_monitor::heartbeat::HeartbeatSpec::named("n")
        };
        landfall_monitor::heartbeat::put(&site.tenant, "n", &spec, "api", ago(600)).await.expect("made");
        assert_eq!(site.ok("heartbeat-sweep").await, "1 went down");
        assert!(site.ok("synthetic-checks").await.contains("NOT checked"));
    }
}

#[tokio::test]
async fn jobs_that_look_outward_fail_when_nothing_answers() {
    let mut site = Site::new(TestDb::sqlite().await).await;
    for name in ["connectivity-canary", "dead-man-ping", "billing-dunning"] {
        let status = site.run(name).await;
        assert_eq!(status.status, "off", "{name}");
        assert!(status.say.is_some(), "{name} says why");
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let open = listener.local_addr().expect("an address");
    let ready = axum::Router::new()
        .route("/readyz", axum::routing::get(|| async { "ready" }))
        .route("/sick/readyz", axum::routing::get(|| async { axum::http::StatusCode::SERVICE_UNAVAILABLE }))
        .route("/beat", axum::routing::get(|| async { "OK" }));
    tokio::spawn(async move { axum::serve(listener, ready).await });
    let closed = {
        let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
        gone.local_addr().expect("an address")
    };
    site.settings.canaries = vec![closed.to_string(), open.to_string()];
    assert!(site.ok("connectivity-canary").await.starts_with("1 of 2"));
    site.settings.canaries.pop();
    assert!(site.failed("connectivity-canary").await.contains("own connection is down"));
    site.settings.dead_man_url = Some(format!("http://{open}/beat"));
    site.ok("dead-man-ping").await;
    site.settings.dead_man_url = Some(format!("http://{open}/none?token=secret"));
    let say = site.failed("dead-man-ping").await;
    assert!(say.contains("404") && !say.contains("secret"), "{say}");
    site.settings.dead_man_url = Some(format!("http://{closed}/"));
    assert!(site.failed("dead-man-ping").await.contains("cannot be reached"));
    site.settings.self_url = Some(format!("http://{open}"));
    assert!(site.ok("synthetic-checks").await.contains("200 over the network"));
    site.settings.self_url = Some(format!("http://{open}/sick"));
    assert!(site.failed("synthetic-checks").await.contains("503"));

    struct Bills;
    impl Work for Bills {
        fn work(&self, _: Timestamp) -> Working<'_> {
            Box::pin(async { Ok(Done::on(3u64, "3 bills")) })
        }
    }
    site.dunning = Some(Arc::new(Bills));
    assert_eq!(site.ok("billing-dunning").await, "3 bills");
}
