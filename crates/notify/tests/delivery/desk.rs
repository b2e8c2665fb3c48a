//! What the tests share: a clock that stands still, an organisation, channels and letters.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use landfall_notify::config::ChannelConfig;
use landfall_notify::{
    CauseRef, Event, IncidentRef, Message, MonitorRef, Now, Outbound, OutboundSettings, Stats, Worker,
    outbox, testkit,
};
use landfall_store::channels::{ChannelPut, Delivery, OutboxLetter};
use landfall_store::testkit::TestDb;
use landfall_store::{Id, Page, Store, Tenant};
use serde_json::Value;

/// A clock that stands still until it is moved.
#[derive(Clone)]
pub(crate) struct Clock(Arc<Mutex<Timestamp>>);

impl Clock {
    pub(crate) fn now(&self) -> Timestamp {
        *self.0.lock().expect("not poisoned")
    }

    pub(crate) fn advance(&self, seconds: u64) {
        let mut now = self.0.lock().expect("not poisoned");
        *now = now.checked_add(Duration::from_secs(seconds)).expect("in range");
    }

    pub(crate) fn source(&self) -> Now {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }
}

/// An organisation with a worker.
pub(crate) struct Desk {
    pub(crate) store: Store,
    pub(crate) tenant: Tenant,
    pub(crate) clock: Clock,
    pub(crate) worker: Worker,
    _db: Arc<TestDb>,
}

impl Desk {
    pub(crate) async fn on(db: TestDb) -> Self {
        Self::with(db, OutboundSettings::default()).await
    }

    pub(crate) async fn with(db: TestDb, settings: OutboundSettings) -> Self {
        let clock = Clock(Arc::new(Mutex::new("2026-11-25T02:14:05Z".parse().expect("valid"))));
        let mut tx = db.store.begin().await.expect("begins");
        let org = Store::create_org(&mut tx, "levqor", "Levqor", clock.now()).await.expect("made");
        tx.commit().await.expect("kept");
        let store = db.store.clone();
        let worker = Worker::new(store.clone(), clock.source(), testkit::outbound(settings), "one");
        Self { tenant: store.tenant(org.id), store, clock, worker, _db: Arc::new(db) }
    }

    pub(crate) fn another_worker(&self, out: Outbound) -> Worker {
        Worker::new(self.store.clone(), self.clock.source(), out, "two")
    }

    pub(crate) async fn channel(&self, name: &str, kind: &str, config: Value) -> Id {
        let config = ChannelConfig::read(kind, &config, None).expect("sound settings").stored();
        let put = ChannelPut { external_id: name, name, kind, config: &config, enabled: true, origin: "api" };
        self.tenant.put_channel(&put, self.clock.now()).await.expect("put").0.id
    }

    /// Writes a message of an incident for all channels.
    pub(crate) async fn say(&self, incident: &str, event: Event) -> Vec<Id> {
        self.say_to(None, incident, event).await
    }

    pub(crate) async fn say_to(&self, channels: Option<&[String]>, incident: &str, event: Event) -> Vec<Id> {
        let mut tx = self.store.begin().await.expect("begins");
        let message = message(incident, event);
        let now = self.clock.now();
        let subject = format!("incident/{incident}");
        let key = match event {
            Event::Reminder => format!("{subject}/reminder/{}", now.as_second()),
            _ => format!("{subject}/{}", event.word()),
        };
        let org = self.tenant.id();
        let written = outbox::enqueue_for(&mut tx, org, channels, &subject, &key, &message, now).await;
        let written = written.expect("written");
        tx.commit().await.expect("kept");
        written
    }

    pub(crate) async fn pass(&self) -> Stats {
        self.worker.run_once(self.clock.now()).await.expect("a pass")
    }

    pub(crate) async fn letters(&self) -> Vec<OutboxLetter> {
        let mut letters = self.tenant.outbox(None, Page { after: None, limit: 500 }).await.expect("listed");
        letters.reverse();
        letters
    }

    /// Moves the clock to when the next letter is tried, at most so far; a whole second at least.
    pub(crate) async fn step(&self, most: u64) {
        let now = self.clock.now();
        let next = self
            .letters()
            .await
            .into_iter()
            .filter(|l| l.state == "pending" && l.next > now)
            .map(|l| l.next)
            .min();
        let micros = next.map_or(i64::MAX, |n| n.as_microsecond() - now.as_microsecond());
        let seconds = u64::try_from(micros).unwrap_or_default().div_ceil(1_000_000).clamp(1, most.max(1));
        self.clock.advance(seconds);
    }

    pub(crate) async fn states(&self) -> Vec<String> {
        self.letters().await.into_iter().map(|l| l.state).collect()
    }

    pub(crate) async fn deliveries(&self) -> Vec<Delivery> {
        let mut all = self.tenant.deliveries(None, Page { after: None, limit: 500 }).await.expect("listed");
        all.reverse();
        all
    }
}

pub(crate) fn message(incident: &str, event: Event) -> Message {
    let began: Timestamp = "2026-11-25T02:04:05Z".parse().expect("valid");
    Message {
        event,
        organisation: "Levqor".into(),
        headline: format!("{} api.levqor.example <{incident}>", event.word().to_uppercase()),
        incident: Some(IncidentRef {
            id: incident.into(),
            title: "api.levqor.example is down".into(),
            severity: "critical".into(),
            began,
            ended: (event == Event::Up).then_some(began),
        }),
        monitors: vec![MonitorRef {
            id: "m1".into(),
            name: "API".into(),
            target: "https://api.levqor.example/health".into(),
            say: "404 Not Found".into(),
        }],
        monitor_count: 1,
        cause: Some(CauseRef {
            id: "never-deployed".into(),
            title: "The application was never deployed".into(),
            label: "confirmed".into(),
            confidence: 0.99,
            rung: "deployment".into(),
            proof: vec!["every known route answers the same 404 & \"Not Found\"".into()],
        }),
        rivals: vec!["a wrong Host header".into()],
        changes: vec!["`server` changed".into()],
        actions: vec!["deploy it".into()],
        notes: Vec::new(),
        link: Some(format!("https://watch.example.com/incidents/{incident}")),
        at: "2026-11-25T02:14:05Z".parse().expect("valid"),
    }
}
