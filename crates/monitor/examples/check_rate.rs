//! How many checks a second of CPU time pays for: `check_rate URL [COUNT] [CONCURRENCY] [CA_FILE]`.
//!
//! Every check is a whole one: connection, full TLS handshake, request, answer, judgement. User and system time of this
//! process are read from /proc/self/stat (proc(5)); the server under test is another process and not counted.

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use jiff::Timestamp;
use landfall_monitor::{Check, Checker as _, HttpCheck, MonitorSpec, Outcome, Probes, ProbesConfig};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let url = words.next().ok_or("usage: check_rate URL [COUNT] [CONCURRENCY] [CA_FILE]")?;
    let count: usize = words.next().map_or(Ok(10_000), |w| w.parse())?;
    let concurrency: usize = words.next().map_or(Ok(64), |w| w.parse())?;
    let mut config = ProbesConfig {
        ca_files: words.next().map(Into::into).into_iter().collect(),
        ..ProbesConfig::default()
    };
    let host = url.split('/').nth(2).unwrap_or_default();
    // Names under .test resolve nowhere, so they mean this machine here.
    if let Some((name, port)) = host.split_once(':').filter(|(name, _)| name.ends_with(".test")) {
        config.map.add(&format!("{name}:{port}:{}:{port}", IpAddr::from([127, 0, 0, 1])))?;
    }
    let probes = Arc::new(Probes::new(config)?);
    let http: HttpCheck = serde_json::from_value(serde_json::json!({ "url": url, "certificate_days": 0 }))?;
    let spec: MonitorSpec = serde_json::from_value(
        serde_json::json!({ "name": "rate", "check": { "kind": "http", "url": url } }),
    )?;
    let spec = Arc::new(MonitorSpec { check: Check::Http(http), ..spec });

    let first = probes.check(&spec, Timestamp::now()).await;
    println!("first check: {} ({})", first.outcome.word(), first.say);
    let (left, failed) = (Arc::new(AtomicUsize::new(count)), Arc::new(AtomicUsize::new(0)));
    let (cpu, wall) = (cpu_seconds()?, Instant::now());
    let workers: Vec<_> = (0..concurrency)
        .map(|_| {
            let (probes, spec, left, failed) =
                (Arc::clone(&probes), Arc::clone(&spec), Arc::clone(&left), Arc::clone(&failed));
            tokio::spawn(async move {
                while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok() {
                    if probes.check(&spec, Timestamp::now()).await.outcome != Outcome::Up {
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await?;
    }
    let (cpu, wall) = (cpu_seconds()? - cpu, wall.elapsed().as_secs_f64());
    println!(
        "{count} checks ({} not up) in {wall:.2} s, {cpu:.2} s of CPU: {:.0} checks per CPU-second, {:.0} per second",
        failed.load(Ordering::Relaxed),
        count as f64 / cpu,
        count as f64 / wall
    );
    Ok(())
}

/// User and system time of this process. Fields 14 and 15 of /proc/self/stat, in ticks of which every Linux of today has
/// a hundred in a second.
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The second field is the program's name in parentheses and may hold anything.
    let (_, rest) = stat.rsplit_once(')').ok_or("stat has no name")?;
    let field = |n: usize| rest.split_whitespace().nth(n).ok_or("stat is short");
    let ticks: u64 = field(11)?.parse::<u64>()? + field(12)?.parse::<u64>()?;
    Ok(ticks as f64 / 100.0)
}
