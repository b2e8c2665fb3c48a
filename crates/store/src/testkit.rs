//! Both databases, for tests: a file for SQLite, and a PostgreSQL server of the test's own on loopback.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::{Id, Store};

/// A database of a test's own.
pub struct TestDb {
    /// The open store.
    pub store: Store,
    /// What was given to [`Store::open`].
    pub place: String,
    _folder: Option<tempfile::TempDir>,
}

impl TestDb {
    /// A fresh SQLite file.
    pub async fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = folder.path().join("test.sqlite3").display().to_string();
        let store = Store::open(&place).await.expect("a fresh file opens");
        Self { store, place, _folder: Some(folder) }
    }

    /// A fresh database on the test's PostgreSQL server.
    pub async fn postgres() -> Self {
        let place = fresh_postgres_database();
        let store = Store::open(&place).await.expect("a fresh database opens");
        Self { store, place, _folder: None }
    }

    /// A store that the test opened itself.
    pub fn of(store: Store, place: String) -> Self {
        Self { store, place, _folder: None }
    }

    /// One of each: what holds for the store must hold on both.
    pub async fn both() -> Vec<Self> {
        vec![Self::sqlite().await, Self::postgres().await]
    }
}

/// The URL of a fresh, empty database on a PostgreSQL server that lives as long as this process.
pub fn fresh_postgres_database() -> String {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    let server = SERVER.get_or_init(Postgres::start);
    let name = format!("t{}", Id::new().0.simple());
    server.psql("postgres", &format!("CREATE DATABASE {name}"));
    format!("postgres://postgres@127.0.0.1:{}/{name}", server.port)
}

/// A PostgreSQL server of the test's own.
pub struct Postgres {
    /// Its port on loopback.
    pub port: u16,
    folder: PathBuf,
    child: std::sync::Mutex<Option<Child>>,
}

impl Postgres {
    /// Makes a cluster and starts it. Panics, with the server's log, where PostgreSQL is missing or does not start.
    pub fn start() -> Self {
        let folder =
            std::env::temp_dir().join(format!("landfall-pg-{}-{}", std::process::id(), Id::new().0.simple()));
        sweep();
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        if is_root() {
            let done = Command::new("chown").arg("postgres").arg(&folder).status();
            assert!(
                done.is_ok_and(|s| s.success()),
                "the user postgres is missing: install postgresql (./test does)"
            );
        }
        let data = folder.join("data");
        let made = as_postgres(&program("initdb"), false)
            .args(["-A", "trust", "-U", "postgres", "--no-sync", "-D"])
            .arg(&data)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let port = landfall_ports::claimed();
        let server = Self { port, folder, child: std::sync::Mutex::default() };
        server.run();
        server
    }

    /// Starts the server again after [`Self::stop`], on the same port with the same data.
    pub fn run(&self) {
        let (data, port) = (self.folder.join("data"), self.port);
        let folder = self.folder.clone();
        let (tell, told) = std::sync::mpsc::channel();
        // The server is to die with this process, and the kernel takes the thread that started it for its parent.
        std::thread::spawn(move || {
            let log = std::fs::File::create(folder.join("log")).expect("a log file");
            let child = as_postgres(&program("postgres"), true)
                .arg("-D")
                .arg(&data)
                .args(["-c", "listen_addresses=127.0.0.1", "-c", &format!("port={port}")])
                .args(["-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "max_connections=200"])
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()
                .expect("postgres runs");
            tell.send(child).expect("the starter waits");
            loop {
                std::thread::park();
            }
        });
        let child = told.recv().expect("postgres was started");
        *self.child.lock().expect("no test panicked in here") = Some(child);
        let patience = Instant::now() + Duration::from_secs(60);
        while !self.try_psql("postgres", "SELECT 1") {
            let mut log = String::new();
            let _ = std::fs::File::open(self.folder.join("log")).and_then(|mut f| f.read_to_string(&mut log));
            assert!(Instant::now() < patience, "postgres does not answer:\n{log}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Stops it at once, as a crash would: connections break, nothing is said.
    pub fn stop(&self) {
        if let Some(mut child) = self.child.lock().expect("no test panicked in here").take() {
            let _ = Command::new("kill").args(["-QUIT", &child.id().to_string()]).status();
            let _ = child.wait();
        }
    }

    /// Runs SQL on it.
    pub fn psql(&self, database: &str, sql: &str) {
        assert!(self.try_psql(database, sql), "psql refused {sql}");
    }

    /// The URL of one of its databases.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    fn try_psql(&self, database: &str, sql: &str) -> bool {
        let done = Command::new("psql")
            .args([
                "-q",
                "-h",
                "127.0.0.1",
                "-p",
                &self.port.to_string(),
                "-U",
                "postgres",
                "-d",
                database,
                "-c",
                sql,
            ])
            .env_remove("PGPASSWORD")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        done.expect("psql is installed").success()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Removes what earlier test processes left: a server in a static is never dropped.
fn sweep() {
    for entry in std::fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(pid) = name.strip_prefix("landfall-pg-").and_then(|n| n.split('-').next()) else { continue };
        if !Path::new("/proc").join(pid).exists() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|m| m.uid() == 0)
}

/// PostgreSQL refuses to run as root, so root becomes `postgres` for it.
fn as_postgres(program: &Path, dies_with_us: bool) -> Command {
    let mut command = Command::new("setpriv");
    if dies_with_us {
        command.args(["--pdeathsig", "QUIT"]);
    }
    if is_root() {
        command.args(["--reuid", "postgres", "--regid", "postgres", "--init-groups"]);
    }
    command.arg(program).current_dir("/");
    command
}

fn program(name: &str) -> PathBuf {
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut places: Vec<PathBuf> =
        installed.map(|v| v.path().join("bin").join(name)).filter(|p| p.exists()).collect();
    places.sort();
    places.pop().unwrap_or_else(|| PathBuf::from(name))
}
