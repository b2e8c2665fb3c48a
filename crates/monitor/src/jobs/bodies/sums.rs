//! Sums over results, and what the public sees of them.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use landfall_store::jobs::{self as stored};
use landfall_store::rollups::{self, Grain};
use landfall_store::{Id, OrgId};
use uuid::Uuid;

use super::{Context, Done, monitors, spec_of, windows, words};
use crate::Window;

/// Results may become visible a little after newer ones: so much is looked at again.
const AGAIN: Duration = Duration::from_secs(600);

/// Computes the buckets anew into which results fell since the last run.
pub(super) async fn rollup(c: Context, grain: Grain) -> Result<Done, String> {
    let job = match grain {
        Grain::Minute => "rollup-minute",
        Grain::Hour => "rollup-hour",
        Grain::Day => "rollup-day",
    };
    let now = c.clock.now();
    let Some(newest) = rollups::newest_result(&c.store).await.map_err(words)? else {
        return Ok(Done::on(0u64, "there are no results yet"));
    };
    let mark = stored::recall(&c.store, job, "until").await.map_err(words)?;
    let after = mark
        .as_deref()
        .and_then(|m| m.parse::<Id>().ok())
        .map_or_else(String::new, |m| overlap(m).to_string());
    // Of a day whose results were removed in part a sum would be too small: it stays as it was computed.
    let oldest = Grain::Day.bucket(stored::before(now, c.settings.keep_results));
    let changed = rollups::recompute(&c.store, grain, &after, newest, oldest).await.map_err(words)?;

    // Where maintenance was, results are counted apart, one bucket after the other.
    let windows = windows(&c.store).await?;
    let mut apart = 0u64;
    if !windows.is_empty() {
        let labels = labels_of(&c, &windows).await?;
        for touched in rollups::touched(&c.store, grain, &after, newest, oldest).await.map_err(words)? {
            let Some(windows) = labels.get(&touched.monitor) else { continue };
            let end =
                touched.bucket.checked_add(Duration::from_micros(grain.us().unsigned_abs())).unwrap_or(now);
            let meets = |w: &Window| {
                w.is_open(touched.bucket) || w.next_open(touched.bucket).is_some_and(|at| at < end)
            };
            if windows.iter().any(meets) {
                let inside = |at: Timestamp| windows.iter().any(|w| w.is_open(at));
                rollups::recompute_one(&c.store, grain, &touched, &inside).await.map_err(words)?;
                apart += 1;
            }
        }
    }
    let mut tx = c.store.begin().await.map_err(words)?;
    stored::remember(&mut tx, job, "until", &newest.to_string()).await.map_err(words)?;
    tx.commit().await.map_err(words)?;
    let say = match apart {
        0 => format!("{changed} sums computed"),
        n => format!("{changed} sums computed, {n} of them with maintenance"),
    };
    Ok(Done::on(changed, say))
}

/// The windows that apply to each monitor, ready to be asked.
async fn labels_of(
    c: &Context,
    windows: &BTreeMap<OrgId, Vec<crate::WindowSpec>>,
) -> Result<BTreeMap<Id, Vec<Window>>, String> {
    let mut found = BTreeMap::new();
    for monitor in monitors(&c.store).await? {
        let (Some(of_org), Some(spec)) = (windows.get(&monitor.org), spec_of(&monitor)) else { continue };
        let fitting: Vec<Window> = of_org
            .iter()
            .filter(|w| w.applies(&monitor.external_id, &spec.labels))
            .filter_map(|w| w.compile().ok())
            .collect();
        if !fitting.is_empty() {
            found.insert(monitor.id, fitting);
        }
    }
    Ok(found)
}

/// An id as it would have been made [`AGAIN`] earlier: the first 48 bits of a UUID version 7 are milliseconds.
fn overlap(id: Id) -> Id {
    let millis = (id.0.as_u128() >> 80).saturating_sub(AGAIN.as_millis());
    Id(Uuid::from_u128(millis << 80))
}

/// Computes what the public status pages show.
pub(super) async fn status(c: Context) -> Result<Done, String> {
    let now = c.clock.now();
    let mut public: BTreeMap<OrgId, Vec<_>> = BTreeMap::new();
    for monitor in monitors(&c.store).await? {
        if let Some(spec) = spec_of(&monitor)
            && spec.public
        {
            public.entry(monitor.org).or_default().push(monitor);
        }
    }
    let from = stored::before(Grain::Day.bucket(now), Duration::from_secs(89 * 86_400));
    for (org, monitors) in &public {
        let sums = rollups::sums(&c.store, *org, Grain::Day, from, now).await.map_err(words)?;
        let rows: Vec<serde_json::Value> = monitors
            .iter()
            .map(|m| {
                serde_json::json!({
                    "id": m.id,
                    "name": m.name,
                    "verdict": m.verdict.as_deref().unwrap_or("new"),
                    "since": m.since,
                    "uptime_90d": sums.get(&m.id).and_then(landfall_store::rollups::Sums::uptime),
                })
            })
            .collect();
        let down = monitors.iter().filter(|m| m.verdict.as_deref() == Some("down")).count();
        let degraded = monitors.iter().filter(|m| m.verdict.as_deref() == Some("degraded")).count();
        let overall = match (down, degraded) {
            (0, 0) => "operational",
            (0, _) => "degraded",
            (n, _) if n == monitors.len() => "down",
            _ => "partly-down",
        };
        let body = serde_json::json!({ "overall": overall, "monitors": rows }).to_string();
        stored::write_status(&c.store, *org, &body, now).await.map_err(words)?;
    }
    // Whoever has nothing public any more shows nothing.
    for org in stored::status_orgs(&c.store).await.map_err(words)? {
        if !public.contains_key(&org) {
            stored::drop_status(&c.store, org).await.map_err(words)?;
        }
    }
    Ok(match public.values().map(Vec::len).sum::<usize>() {
        0 => Done::on(0u64, "no monitor is public, so there is nothing to compute"),
        n => Done::on(n, format!("{n} public monitors of {} organisations", public.len())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_overlap_is_ten_minutes_of_ids() {
        let id: Id = "01996f3a-0000-7000-8000-000000000000".parse().expect("an id");
        let earlier = overlap(id);
        assert!(earlier < id);
        assert_eq!((id.0.as_u128() >> 80) - (earlier.0.as_u128() >> 80), 600_000);
        assert_eq!(overlap(Id(Uuid::nil())), Id(Uuid::nil()));
    }
}
