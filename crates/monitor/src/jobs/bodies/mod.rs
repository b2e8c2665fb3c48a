//! What each job does.

mod drift;
mod outward;
mod people;
mod sums;
mod upkeep;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Weekday;
use landfall_notify::outbox::{self, Letter};
use landfall_notify::{Event, Message, MonitorRef};
use landfall_store::heartbeats::{self, Listener};
use landfall_store::jobs::{self as stored, WatchedMonitor};
use landfall_store::rollups::Grain;
use landfall_store::{OrgId, Store, StoreError, Tx};

use super::{Context, Done, Every, Job, JobSettings, Schedule, words};
use crate::bus::Happened;
use crate::{Check, MonitorSpec};

/// All jobs there are, for whoever lists them without knowing the settings: which of them are off stands in the database.
pub fn catalogue() -> Vec<Job> {
    let mut all = registry(&JobSettings::default(), true);
    all.iter_mut().for_each(|job| job.off = None);
    all
}

/// The jobs of a server with these settings.
pub fn registry(settings: &JobSettings, billing: bool) -> Vec<Job> {
    let s = Duration::from_secs;
    let seconds = Schedule::seconds;
    let unless = |wanted: bool, reason: &'static str| (!wanted).then_some(reason);
    vec![
        Job::new(
            "synthetic-checks",
            "End-to-end check of this server: its public path, and a write that is read back",
            seconds(900),
            s(60),
            outward::synthetic,
        ),
        Job::new(
            "heartbeat-sweep",
            "Heartbeats that are overdue go down and alert",
            seconds(30),
            s(60),
            heartbeat_sweep,
        ),
        Job::new(
            "certificate-sweep",
            "Certificates that end within 30, 14, 7, 3 or 1 days are warned of, once each",
            seconds(3600),
            s(300),
            drift::certificates,
        ),
        Job::new(
            "dns-drift-sweep",
            "Addresses and records that changed between good checks are warned of",
            seconds(900),
            s(300),
            drift::dns,
        ),
        Job::new(
            "version-drift-sweep",
            "Versions that changed between good checks are told",
            seconds(900),
            s(300),
            drift::versions,
        ),
        Job::new("rollup-minute", "Results are summed up by minute", seconds(60), s(300), |c| {
            sums::rollup(c, Grain::Minute)
        }),
        Job::new("rollup-hour", "Results are summed up by hour", seconds(300), s(600), |c| {
            sums::rollup(c, Grain::Hour)
        }),
        Job::new("rollup-day", "Results are summed up by day", seconds(300), s(1800), |c| {
            sums::rollup(c, Grain::Day)
        }),
        Job::new(
            "retention",
            "What is older than it is to be kept is removed, so much a run",
            seconds(3600),
            s(900),
            upkeep::retention,
        ),
        Job::new(
            "outbox-retry",
            "Letters whose worker died are free again; letters that nobody sends are an alarm",
            seconds(60),
            s(60),
            upkeep::outbox,
        ),
        Job::new(
            "reminders",
            "Incidents that are open and not acknowledged are told again",
            seconds(60),
            s(120),
            people::reminders,
        ),
        Job::new(
            "digest-daily",
            "A summary of the day for each organisation",
            Schedule::utc(Every::Day, 7, 0),
            s(600),
            |c| people::digest(c, people::Span::Day),
        )
        .off_because(unless(settings.digest_daily, "nobody asked for it; set `digest_daily`")),
        Job::new(
            "digest-weekly",
            "A summary of the week for each organisation",
            Schedule::utc(Every::Week(Weekday::Monday), 7, 5),
            s(600),
            |c| people::digest(c, people::Span::Week),
        )
        .off_because(unless(settings.digest_weekly, "turned off by `digest_weekly`")),
        Job::new(
            "uptime-report",
            "An uptime report of the month for each organisation",
            Schedule::utc(Every::Month, 7, 10),
            s(900),
            |c| people::digest(c, people::Span::Month),
        )
        .off_because(unless(settings.report_monthly, "turned off by `report_monthly`")),
        Job::new(
            "status-refresh",
            "What the public status pages show is computed beforehand",
            seconds(60),
            s(120),
            sums::status,
        ),
        Job::new(
            "backup",
            "The database is copied, and the copy is opened and checked",
            Schedule::utc(Every::Day, 2, 30),
            s(1800),
            upkeep::backup,
        )
        .off_because(unless(
            settings.backup_folder.is_some(),
            "no backup folder is set; set `backup_folder`",
        )),
        Job::new(
            "integrity-check",
            "The database is checked for damage",
            Schedule::utc(Every::Day, 4, 0),
            s(1800),
            upkeep::integrity,
        ),
        Job::new(
            "session-clean-up",
            "Sessions that ended or were idle for long are removed",
            seconds(3600),
            s(120),
            upkeep::sessions,
        ),
        Job::new(
            "connectivity-canary",
            "Whether this server's own connection is sound",
            seconds(60),
            s(30),
            outward::canaries,
        )
        .off_because(unless(
            !settings.canaries.is_empty(),
            "no canaries are set; set `canaries` to places that are nearly always there",
        )),
        Job::new(
            "dead-man-ping",
            "Somebody else is told that this server is alive, and will notice when it is not",
            seconds(60),
            s(30),
            outward::dead_man,
        )
        .off_because(unless(
            settings.dead_man_url.is_some(),
            "no address is set; set `dead_man_url` to a heartbeat elsewhere",
        )),
        Job::new("billing-dunning", "Reminders of unpaid bills", seconds(3600), s(300), outward::dunning)
            .off_because(unless(billing, "billing is off")),
    ]
}

async fn heartbeat_sweep(c: Context) -> Result<Done, String> {
    let swept =
        crate::heartbeat::sweep(&c.store, c.clock.now(), &c.settings.public_url).await.map_err(words)?;
    for (org, id, flip) in &swept.flips {
        let detail = serde_json::json!({ "status": flip.after.word(), "since": flip.at });
        c.bus.tell(Happened { org: *org, kind: "heartbeat", id: *id, what: "flipped", detail });
    }
    if swept.broken > 0 {
        return Err(format!("{} heartbeats cannot be read; the log names them", swept.broken));
    }
    let say = match (swept.flips.len(), swept.postponed) {
        (0, 0) => "none is overdue".to_owned(),
        (down, 0) => format!("{down} went down"),
        (down, waiting) => format!("{down} went down, {waiting} wait for the end of maintenance"),
    };
    Ok(Done::on(swept.flips.len() + swept.postponed, say))
}

/// Monitors of a page.
const PAGE: u32 = 500;

/// All monitors, page by page.
async fn monitors(store: &Store) -> Result<Vec<WatchedMonitor>, String> {
    let mut all = Vec::new();
    loop {
        let after = all.last().map(|m: &WatchedMonitor| m.id);
        let page = stored::monitors(store, after, PAGE).await.map_err(words)?;
        let last = page.len() < PAGE as usize;
        all.extend(page);
        if last {
            return Ok(all);
        }
    }
}

/// What people call the target of a check, without credentials.
fn target(spec: &MonitorSpec) -> String {
    let plain = |text: &str| match url::Url::parse(text) {
        Ok(mut url) => {
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.set_query(None);
            url.to_string()
        }
        Err(_) => text.to_owned(),
    };
    match &spec.check {
        Check::Http(http) => plain(&http.url),
        Check::Audit(audit) => plain(&audit.url),
        Check::Tcp(tcp) => format!("{}:{}", tcp.host, tcp.port),
        Check::Dns(dns) => format!("{} {}", dns.name, dns.rtype),
        Check::Tls(tls) => format!("{}:{}", tls.host, tls.port),
    }
}

/// A message about one monitor, to be filled in.
fn about(
    event: Event,
    monitor: &WatchedMonitor,
    spec: &MonitorSpec,
    say: &str,
    now: Timestamp,
    base: &str,
) -> Message {
    Message {
        event,
        organisation: String::new(),
        headline: String::new(),
        incident: None,
        monitors: vec![MonitorRef {
            id: monitor.id.to_string(),
            name: monitor.name.clone(),
            target: target(spec),
            say: say.to_owned(),
        }],
        monitor_count: 1,
        cause: None,
        rivals: Vec::new(),
        changes: Vec::new(),
        actions: Vec::new(),
        notes: Vec::new(),
        link: Some(format!("{}/monitors/{}", base.trim_end_matches('/'), monitor.id)),
        at: now,
    }
}

/// Writes a message for every listener that wants it: to how many.
async fn post(
    tx: &mut Tx,
    org: OrgId,
    subject: &str,
    key: &str,
    mut message: Message,
    now: Timestamp,
    wanted: impl Fn(&Listener) -> bool,
) -> Result<usize, StoreError> {
    let (organisation, listeners) = heartbeats::audience(tx, org).await?;
    message.organisation = organisation;
    let mut sent = 0;
    for listener in listeners.iter().filter(|l| wanted(l)) {
        let letter = Letter { org, channel: Some(listener.id), subject, key, message: &message };
        sent += usize::from(outbox::enqueue(tx, &letter, now).await?);
    }
    Ok(sent)
}

/// Whether a monitor's declaration names a channel; all when it names none.
fn hears(spec: &MonitorSpec, listener: &Listener) -> bool {
    spec.channels.as_ref().is_none_or(|wanted| wanted.contains(&listener.external_id))
}

fn spec_of(monitor: &WatchedMonitor) -> Option<MonitorSpec> {
    match serde_json::from_str(&monitor.spec) {
        Ok(spec) => Some(spec),
        Err(error) => {
            tracing::error!(monitor = %monitor.external_id, %error, "a monitor cannot be read");
            None
        }
    }
}

/// Maintenance windows by organisation, as far as they can be read.
async fn windows(store: &Store) -> Result<BTreeMap<OrgId, Vec<crate::WindowSpec>>, String> {
    let mut found: BTreeMap<OrgId, Vec<crate::WindowSpec>> = BTreeMap::new();
    for (org, text) in landfall_store::rollups::windows(store).await.map_err(words)? {
        if let Ok(spec) = serde_json::from_str(&text) {
            found.entry(org).or_default().push(spec);
        }
    }
    Ok(found)
}
