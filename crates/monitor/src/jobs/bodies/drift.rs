//! Things that change while nothing is down yet: certificates that end, addresses and versions that are others.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use landfall_notify::Event;
use landfall_store::jobs::{self as stored, WatchedMonitor};
use serde::{Deserialize, Serialize};

use super::{Context, Done, about, hears, monitors, post, spec_of, words};
use crate::bus::Happened;
use crate::{MonitorSpec, Snapshot};

/// Days before the end of a certificate at which a warning is due.
const STEPS: [i64; 5] = [30, 14, 7, 3, 1];
/// What a certificate of an older result says is no longer of interest.
const FRESH: Duration = Duration::from_secs(2 * 86_400);
/// Values that are remembered of a monitor.
const KNOWN: usize = 64;

#[derive(Serialize, Deserialize)]
struct Warned {
    until: Timestamp,
    step: i64,
}

pub(super) async fn certificates(c: Context) -> Result<Done, String> {
    const JOB: &str = "certificate-sweep";
    let now = c.clock.now();
    let seen = stored::certificates(&c.store, stored::before(now, FRESH)).await.map_err(words)?;
    let all: BTreeMap<_, _> = monitors(&c.store).await?.into_iter().map(|m| (m.id, m)).collect();
    let memory: BTreeMap<String, String> =
        stored::recall_all(&c.store, JOB).await.map_err(words)?.into_iter().collect();
    let (mut looked, mut warned) = (0, 0);
    for (id, until) in seen {
        let Some((monitor, spec)) = all.get(&id).and_then(|m| Some((m, spec_of(m)?))) else { continue };
        looked += 1;
        let left_s = until.duration_since(now).as_secs();
        // The narrowest step that has been reached; 0 once it is over.
        let step =
            if left_s <= 0 { Some(0) } else { STEPS.into_iter().filter(|d| left_s <= d * 86_400).min() };
        let Some(step) = step else { continue };
        let key = id.to_string();
        let before = memory.get(&key).and_then(|text| serde_json::from_str::<Warned>(text).ok());
        if before.is_some_and(|w| w.until == until && w.step <= step) {
            continue;
        }
        let when = until.strftime("%Y-%m-%d %H:%M UTC");
        let say = if step == 0 {
            format!("its certificate ended {when}")
        } else {
            format!("its certificate ends {when}, in {} days", left_s / 86_400)
        };
        let mut message = about(Event::Warning, monitor, &spec, &say, now, &c.settings.public_url);
        message.headline = format!("WARNING {}: {say}", monitor.name);
        message
            .actions
            .push("Renew the certificate and make sure that the server serves the new one.".into());
        let mut tx = c.store.begin().await.map_err(words)?;
        let subject = format!("monitor/{id}/certificate");
        let letter_key = format!("certificate/{id}/{}/{step}", until.as_second());
        post(&mut tx, monitor.org, &subject, &letter_key, message, now, |l| hears(&spec, l))
            .await
            .map_err(words)?;
        let text = serde_json::to_string(&Warned { until, step }).map_err(|e| e.to_string())?;
        stored::remember(&mut tx, JOB, &key, &text).await.map_err(words)?;
        tx.commit().await.map_err(words)?;
        told(&c, monitor, "certificate", &say);
        warned += 1;
    }
    let gone = memory.keys().filter(|k| !all.keys().any(|id| id.to_string() == **k));
    for key in gone {
        stored::forget(&c.store, JOB, key).await.map_err(words)?;
    }
    Ok(Done::on(looked, format!("{looked} certificates looked at, {warned} warnings")))
}

pub(super) async fn dns(c: Context) -> Result<Done, String> {
    sweep(&c, "dns-drift-sweep", "dns-drift", |snapshot| {
        let addresses: Vec<String> = snapshot.addresses.iter().map(ToString::to_string).collect();
        let records = snapshot.records.clone();
        match (records.is_empty(), addresses.is_empty()) {
            // Balancers hand out a part of their addresses at a time: another part is no change, none in common is.
            (true, false) => Some(Now { what: "addresses", values: addresses, strict: false }),
            (false, _) => Some(Now { what: "records", values: records, strict: true }),
            (true, true) => None,
        }
    })
    .await
}

pub(super) async fn versions(c: Context) -> Result<Done, String> {
    sweep(&c, "version-drift-sweep", "version-drift", |snapshot| {
        let version = snapshot.version.clone()?;
        Some(Now { what: "version", values: vec![version], strict: true })
    })
    .await
}

/// What a monitor shows now.
struct Now {
    what: &'static str,
    values: Vec<String>,
    /// Whether one value that was never seen before is a change; else only when none was.
    strict: bool,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Baseline {
    /// The values of the last good check that was looked at.
    values: Vec<String>,
    /// Values that belong to it, newest last.
    known: Vec<String>,
}

async fn sweep(
    c: &Context,
    job: &'static str,
    kind: &'static str,
    read: impl Fn(&Snapshot) -> Option<Now> + Send + Sync,
) -> Result<Done, String> {
    let now = c.clock.now();
    let memory: BTreeMap<String, String> =
        stored::recall_all(&c.store, job).await.map_err(words)?.into_iter().collect();
    let all = monitors(&c.store).await?;
    let (mut looked, mut changed) = (0, 0);
    for monitor in &all {
        let snapshot =
            monitor.last_good.as_deref().and_then(|text| serde_json::from_str::<Snapshot>(text).ok());
        let Some(found) = snapshot.and_then(|s| read(&s)) else { continue };
        looked += 1;
        let key = monitor.id.to_string();
        let before = memory.get(&key).and_then(|text| serde_json::from_str::<Baseline>(text).ok());
        let (after, drift) = compare(before.as_ref(), &found);
        if before.as_ref() == Some(&after) {
            continue;
        }
        let mut tx = c.store.begin().await.map_err(words)?;
        if drift && let Some((before, spec)) = before.as_ref().zip(spec_of(monitor)) {
            let (old, new) = (before.values.join(", "), found.values.join(", "));
            warn(c, &mut tx, monitor, &spec, kind, found.what, (&old, &new), now).await?;
            changed += 1;
        }
        let text = serde_json::to_string(&after).map_err(|e| e.to_string())?;
        stored::remember(&mut tx, job, &key, &text).await.map_err(words)?;
        tx.commit().await.map_err(words)?;
        if drift {
            told(c, monitor, kind, &format!("{} changed to {}", found.what, found.values.join(", ")));
        }
    }
    for key in memory.keys().filter(|k| !all.iter().any(|m| m.id.to_string() == **k)) {
        stored::forget(&c.store, job, key).await.map_err(words)?;
    }
    Ok(Done::on(looked, format!("{looked} monitors compared with their last good state, {changed} changed")))
}

/// What is remembered next, and whether it drifted from what was.
fn compare(before: Option<&Baseline>, now: &Now) -> (Baseline, bool) {
    let mut values = now.values.clone();
    values.sort();
    values.dedup();
    let Some(before) = before else { return (Baseline { known: values.clone(), values }, false) };
    let is_known = |v: &String| before.known.contains(v);
    let drift = if now.strict { !values.iter().all(is_known) } else { !values.iter().any(is_known) };
    // After a change the new values are what is right; else they are added to it.
    let mut known = if drift { Vec::new() } else { before.known.clone() };
    known.extend(values.iter().filter(|v| drift || !is_known(v)).cloned());
    if known.len() > KNOWN {
        known.drain(..known.len() - KNOWN);
    }
    (Baseline { values, known }, drift)
}

#[expect(clippy::too_many_arguments, reason = "one call, and each is a different thing")]
async fn warn(
    c: &Context,
    tx: &mut landfall_store::Tx,
    monitor: &WatchedMonitor,
    spec: &MonitorSpec,
    kind: &str,
    what: &str,
    (old, new): (&str, &str),
    now: Timestamp,
) -> Result<(), String> {
    let say = format!("{what} changed from {old} to {new}");
    let mut message = about(Event::Warning, monitor, spec, &say, now, &c.settings.public_url);
    message.headline = format!("WARNING {}: other {what} than before", monitor.name);
    message.changes.push(format!("{what}: {old} → {new}"));
    let subject = format!("monitor/{}/{kind}", monitor.id);
    let key = format!("{kind}/{}/{}", monitor.id, now.as_microsecond());
    post(tx, monitor.org, &subject, &key, message, now, |l| hears(spec, l)).await.map_err(words)?;
    let body = serde_json::json!({ "what": what, "before": old, "after": new }).to_string();
    stored::capture(tx, monitor.org, monitor.id, kind, now, &body).await.map_err(words)
}

fn told(c: &Context, monitor: &WatchedMonitor, what: &'static str, say: &str) {
    let detail = serde_json::json!({ "name": monitor.name, "say": say });
    c.bus.tell(Happened { org: monitor.org, kind: "monitor", id: monitor.id, what, detail });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(values: &[&str], strict: bool) -> Now {
        Now { what: "x", values: values.iter().map(|v| (*v).to_owned()).collect(), strict }
    }

    #[test]
    fn a_part_of_known_addresses_is_no_change_and_none_in_common_is() {
        let (first, drift) = compare(None, &now(&["b", "a"], false));
        assert!(!drift, "the first sight is the baseline");
        let (second, drift) = compare(Some(&first), &now(&["a", "c"], false));
        assert!(!drift);
        let (third, drift) = compare(Some(&second), &now(&["c"], false));
        assert!(!drift);
        let (fourth, drift) = compare(Some(&third), &now(&["z"], false));
        assert!(drift);
        assert_eq!(fourth.known, ["z"]);
        assert!(
            compare(Some(&fourth), &now(&["a"], false)).1,
            "what was right before the change is not right after it"
        );
    }

    #[test]
    fn one_record_that_was_never_seen_is_a_change_where_that_is_asked_for() {
        let (first, _) = compare(None, &now(&["a", "b"], true));
        assert!(!compare(Some(&first), &now(&["b"], true)).1);
        assert!(compare(Some(&first), &now(&["b", "c"], true)).1);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (mut base, _) = compare(None, &now(&["a"], false));
        for i in 0..200 {
            let next = format!("v{i}");
            let held = base.known[base.known.len() - 1].clone();
            base = compare(Some(&base), &now(&[&held, &next], false)).0;
        }
        assert_eq!(base.known.len(), KNOWN);
    }
}
