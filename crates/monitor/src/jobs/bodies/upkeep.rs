//! What keeps the server itself in order: retention, the outbox, backups, sessions.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use jiff::Timestamp;
use landfall_store::Store;
use landfall_store::jobs as stored;
use landfall_store::rollups::{self, Grain};

use super::{Context, Done, words};

/// Rows that go in one statement, and statements of one run and table: other writers wait no longer than for one.
const CHUNK: u32 = 2000;
const CHUNKS: u32 = 25;

pub(super) async fn retention(c: Context) -> Result<Done, String> {
    let now = c.clock.now();
    let s = &c.settings;
    let day = Duration::from_secs(86_400);
    // Whole days only, so that the sum of a day is never computed from a part of it.
    let results = Grain::Day.bucket(stored::before(now, s.keep_results));
    let history = stored::before(now, s.keep_history);
    let mut told = Vec::new();
    let mut all = 0;
    let mut full = false;
    for (table, before) in [
        ("results", results),
        ("deliveries", history),
        ("outbox", history),
        ("captures", history),
        // Flips are kept for three months at least: they are what an uptime of a heartbeat is computed from.
        ("heartbeat_flips", stored::before(now, s.keep_history.max(day * 93))),
        ("job_runs", stored::before(now, day * 30)),
        // Thirteen months: what a yearly bill may be asked about. A provider sends an event again for days only.
        ("billing_events", stored::before(now, day * 400)),
        // Providers send an update again for a week at most.
        ("bot_updates", stored::before(now, day * 30)),
        ("support_messages", stored::before(now, s.keep_history.max(day * 93))),
        ("support_conversations", stored::before(now, s.keep_history.max(day * 93))),
    ] {
        let mut gone = 0;
        for _ in 0..CHUNKS {
            let n = stored::remove_aged(&c.store, table, before, CHUNK).await.map_err(words)?;
            gone += n;
            if n < u64::from(CHUNK) {
                break;
            }
        }
        full |= gone >= u64::from(CHUNK) * u64::from(CHUNKS);
        if gone > 0 {
            told.push(format!("{gone} {}", table.replace('_', " ")));
        }
        all += gone;
    }
    let pings =
        stored::remove_aged_pings(&c.store, stored::before(now, s.keep_pings), CHUNK).await.map_err(words)?;
    let minutes =
        rollups::remove_aged(&c.store, Grain::Minute, stored::before(now, s.keep_results), CHUNK * CHUNKS)
            .await
            .map_err(words)?;
    let hours = rollups::remove_aged(&c.store, Grain::Hour, stored::before(now, day * 400), CHUNK * CHUNKS)
        .await
        .map_err(words)?;
    for (n, what) in [(pings, "pings"), (minutes, "sums by minute"), (hours, "sums by hour")] {
        if n > 0 {
            told.push(format!("{n} {what}"));
        }
        all += n;
    }
    let mut say = if told.is_empty() {
        "nothing is older than it may be".to_owned()
    } else {
        format!("removed {}", told.join(", "))
    };
    if full {
        say.push_str("; more is left for the next run");
    }
    Ok(Done::on(all, say))
}

/// Letters that are due for so long, and that nobody has taken meanwhile, are stuck.
const STUCK: Duration = Duration::from_secs(600);

pub(super) async fn outbox(c: Context) -> Result<Done, String> {
    const JOB: &str = "outbox-retry";
    let now = c.clock.now();
    let freed = stored::release_letters(&c.store, now).await.map_err(words)?;
    let (waiting, due) = stored::outbox(&c.store, now).await.map_err(words)?;
    let overdue = due.filter(|due| *due <= stored::before(now, Duration::from_secs(120)));
    let Some(due) = overdue else {
        stored::forget(&c.store, JOB, "since").await.map_err(words)?;
        return Ok(Done::on(
            waiting + freed,
            format!("{waiting} letters wait, {freed} were free again; the outbox is being worked on"),
        ));
    };
    // A server that was down finds old letters at its start; only when they stay is the worker to blame.
    let since = stored::recall(&c.store, JOB, "since").await.map_err(words)?;
    let since = match since.and_then(|text| text.parse::<Timestamp>().ok()).filter(|since| *since <= now) {
        Some(since) => since,
        None => {
            let mut tx = c.store.begin().await.map_err(words)?;
            stored::remember(&mut tx, JOB, "since", &now.to_string()).await.map_err(words)?;
            tx.commit().await.map_err(words)?;
            now
        }
    };
    if since <= stored::before(now, STUCK) {
        return Err(format!(
            "{waiting} letters wait and the oldest is due since {due}: no outbox worker takes them; look whether `landfall serve` runs with its worker"
        ));
    }
    Ok(Done::on(
        waiting + freed,
        format!("{waiting} letters wait, the oldest due since {due}; {freed} were free again"),
    ))
}

pub(super) async fn integrity(c: Context) -> Result<Done, String> {
    match c.store.integrity().await.map_err(words)? {
        None if c.store.file().is_some() => Ok(Done::on(1u64, "every page of the database is sound")),
        None => Ok(Done::on(1u64, "every index can be used; PostgreSQL checks its pages itself")),
        Some(damage) => Err(format!("the database is damaged: {damage}; restore a backup")),
    }
}

pub(super) async fn backup(c: Context) -> Result<Done, String> {
    let Some(folder) = c.settings.backup_folder.clone() else {
        return Ok(Done::Off("no backup folder is set; set `backup_folder`".into()));
    };
    tokio::fs::create_dir_all(&folder)
        .await
        .map_err(|e| format!("the backup folder {} cannot be made: {e}", folder.display()))?;
    let stamp = c.clock.now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let sqlite = c.store.file().is_some();
    let ending = if sqlite { "sqlite3" } else { "dump" };
    let file = folder.join(format!("landfall-{stamp}.{ending}"));
    // Not under its name until it is known to be good.
    let part = folder.join(format!(".landfall-{stamp}.part"));
    let made = if sqlite { copy(&c.store, &part).await } else { dump(&c.settings.database, &part).await };
    let note = match made {
        Ok(Made::Good(note)) => note,
        Ok(Made::Off(reason)) => return Ok(Done::Off(reason)),
        Err(problem) => {
            remove(&part).await;
            return Err(problem);
        }
    };
    let size = match tokio::fs::metadata(&part).await {
        Ok(found) => found.len(),
        Err(e) => return Err(format!("the copy cannot be found: {e}")),
    };
    let durable = async {
        tokio::fs::File::open(&part).await?.sync_all().await?;
        tokio::fs::rename(&part, &file).await?;
        tokio::fs::File::open(&folder).await?.sync_all().await
    };
    durable.await.map_err(|e: std::io::Error| format!("{} cannot be written: {e}", file.display()))?;
    let gone = rotate(&folder, ending, c.settings.backups_kept.max(1)).await;
    Ok(Done::on(
        1u64,
        format!("{} ({} kB) {note}; {gone} old ones removed", file.display(), size.div_ceil(1024)),
    ))
}

enum Made {
    Good(String),
    Off(String),
}

async fn copy(store: &Store, part: &Path) -> Result<Made, String> {
    store.backup(part).await.map_err(words)?;
    let place = part.display().to_string();
    let copied = Store::open(&place).await.map_err(|e| format!("the copy cannot be opened: {e}"))?;
    if let Some(damage) = copied.integrity().await.map_err(words)? {
        return Err(format!("the copy is damaged: {damage}"));
    }
    let orgs = copied.orgs().await.map_err(|e| format!("the copy cannot be read: {e}"))?.len();
    // Everything goes into the one file: its companions belong to the connection that was just open.
    copied.query("PRAGMA wal_checkpoint(TRUNCATE)", &[]).await.map_err(words)?;
    drop(copied);
    for companion in ["-wal", "-shm"] {
        remove(&PathBuf::from(format!("{place}{companion}"))).await;
    }
    Ok(Made::Good(format!("was opened and checked, with {orgs} organisation(s)")))
}

async fn dump(database: &str, part: &Path) -> Result<Made, String> {
    let Ok(mut url) = url::Url::parse(database) else {
        return Ok(Made::Off("the address of the database is not known to this job".into()));
    };
    let password = url.password().map(percent_decoded);
    // A password on a command line can be read by everybody on the machine.
    let _ = url.set_password(None);
    let mut command = tokio::process::Command::new("pg_dump");
    command.args(["--format=custom", "--no-password", "--file"]).arg(part).arg("--dbname").arg(url.as_str());
    if let Some(password) = password {
        command.env("PGPASSWORD", password);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let done = match command.output().await {
        Ok(done) => done,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Made::Off(
                "pg_dump is not installed here; back PostgreSQL up with its own tools".into(),
            ));
        }
        Err(e) => return Err(format!("pg_dump cannot be run: {e}")),
    };
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        return Err(format!("pg_dump failed: {}", said.lines().next().unwrap_or("it said nothing")));
    }
    let listed = tokio::process::Command::new("pg_restore")
        .arg("--list")
        .arg(part)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await;
    match listed {
        Ok(listed) if listed.status.success() => {
            let text = String::from_utf8_lossy(&listed.stdout);
            let tables = text.lines().filter(|l| l.contains(" TABLE DATA ")).count();
            if tables == 0 {
                return Err("the dump holds no table".into());
            }
            Ok(Made::Good(format!("was read back, with {tables} tables")))
        }
        Ok(_) => Err("the dump cannot be read back by pg_restore".into()),
        Err(_) => Ok(Made::Good("was NOT verified: pg_restore is not installed".into())),
    }
}

fn percent_decoded(text: &str) -> String {
    // `form_urlencoded` would turn a plus into a space, so it is protected.
    let pairs = format!("p={}", text.replace('+', "%2B"));
    url::form_urlencoded::parse(pairs.as_bytes()).next().map(|(_, v)| v.into_owned()).unwrap_or_default()
}

async fn remove(file: &Path) {
    let _ = tokio::fs::remove_file(file).await;
}

/// Removes all but the newest backups of one kind: how many. Names sort by time.
async fn rotate(folder: &Path, ending: &str, kept: usize) -> usize {
    let mut names = Vec::new();
    let Ok(mut entries) = tokio::fs::read_dir(folder).await else { return 0 };
    while let Ok(Some(entry)) = entries.next_entry().await {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("landfall-") && name.ends_with(&format!(".{ending}")) {
            names.push(name);
        }
    }
    names.sort_unstable_by(|a, b| b.cmp(a));
    let mut gone = 0;
    for name in names.into_iter().skip(kept) {
        gone += usize::from(tokio::fs::remove_file(folder.join(name)).await.is_ok());
    }
    gone
}

pub(super) async fn sessions(c: Context) -> Result<Done, String> {
    let gone = c.store.clean_sessions(c.settings.session_idle, c.clock.now()).await.map_err(words)?;
    Ok(Done::on(gone, format!("{gone} sessions that ended or were idle were removed")))
}
