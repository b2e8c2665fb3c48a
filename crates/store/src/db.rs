//! The one door to both databases: statements, transactions, and nothing else.
//!
//! The SQL is the common part of both dialects, so a query is written once. Placeholders are `$1`, `$2` …; what differs
//! (row locks) is asked of [`Store::skip_locked`].

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::value::{Row, Value};
use crate::{StoreError, migrate, postgres};

/// A database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    backend: Backend,
}

#[derive(Clone)]
enum Backend {
    Sqlite(Arc<Sqlite>),
    Postgres(deadpool_postgres::Pool),
}

/// SQLite allows one writer; it has a queue of its own here, so that SQLITE_BUSY is never seen.
struct Sqlite {
    path: PathBuf,
    writer: Arc<AsyncMutex<Connection>>,
    readers: Mutex<VecDeque<Connection>>,
}

/// Idle connections that are kept for reading.
const READERS: usize = 8;

impl Store {
    /// Opens a database and brings its schema up to date.
    ///
    /// `place` is a file name (or `sqlite:FILE`) or a `postgres://` URL; `sslmode=require` in it asks for TLS.
    ///
    /// # Errors
    /// When it cannot be understood, reached or migrated.
    pub async fn open(place: &str) -> Result<Self, StoreError> {
        let backend = if place.starts_with("postgres://") || place.starts_with("postgresql://") {
            Backend::Postgres(postgres::pool(place)?)
        } else {
            let path = place.strip_prefix("sqlite:").unwrap_or(place);
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() || path.contains("://") {
                return Err(StoreError::Url {
                    url: postgres::masked(place),
                    problem: "only SQLite files and PostgreSQL are known".into(),
                });
            }
            Backend::Sqlite(Arc::new(Sqlite::open(Path::new(path))?))
        };
        let store = Self { backend };
        migrate::run(&store).await?;
        Ok(store)
    }

    /// `SQLite` or `PostgreSQL`.
    pub fn kind(&self) -> &'static str {
        match self.backend {
            Backend::Sqlite(_) => "SQLite",
            Backend::Postgres(_) => "PostgreSQL",
        }
    }

    /// The database file, for SQLite.
    pub fn file(&self) -> Option<&Path> {
        match &self.backend {
            Backend::Sqlite(sqlite) => Some(&sqlite.path),
            Backend::Postgres(_) => None,
        }
    }

    /// What follows a `SELECT` whose rows are to be claimed: other claimers skip them.
    pub fn skip_locked(&self) -> &'static str {
        match self.backend {
            // One writer at a time: a transaction here is alone.
            Backend::Sqlite(_) => "",
            Backend::Postgres(_) => "FOR UPDATE SKIP LOCKED",
        }
    }

    /// What follows a `SELECT` whose rows are to be changed in the same transaction.
    pub fn for_update(&self) -> &'static str {
        match self.backend {
            Backend::Sqlite(_) => "",
            Backend::Postgres(_) => "FOR UPDATE",
        }
    }

    /// Rows of a `SELECT`, outside any transaction.
    ///
    /// # Errors
    /// When the database fails; likewise for all that follow.
    pub async fn query(&self, sql: &str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => {
                let (sqlite, sql, params) = (Arc::clone(sqlite), sql.to_owned(), params.to_vec());
                blocking(move || {
                    let connection = sqlite.reader()?;
                    let rows = select(&connection, &sql, &params);
                    sqlite.give_back(connection);
                    rows
                })
                .await
            }
            Backend::Postgres(pool) => {
                let lent = Lent(Some(pool.get().await?));
                let rows = postgres::query(lent.client()?, sql, params).await;
                lent.used(rows)
            }
        }
    }

    /// The only row of a `SELECT`, or none.
    pub async fn query_opt(&self, sql: &str, params: &[Value]) -> Result<Option<Row>, StoreError> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }

    /// One statement in a transaction of its own: how many rows it changed.
    pub async fn execute(&self, sql: &str, params: &[Value]) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let changed = tx.execute(sql, params).await?;
        tx.commit().await?;
        Ok(changed)
    }

    /// Begins a transaction. One that is dropped without [`Tx::commit`] is rolled back.
    ///
    /// Nothing but statements may be awaited while it is open: SQLite has one writer.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => {
                let guard = Arc::clone(&sqlite.writer).lock_owned().await;
                guard.execute_batch("BEGIN IMMEDIATE")?;
                Ok(Tx(Inner::Sqlite(Some(guard))))
            }
            Backend::Postgres(pool) => {
                // Made before it is begun: a caller who gives up while it begins must not leave it open in the pool.
                let tx = Tx(Inner::Postgres(Lent(Some(pool.get().await?))));
                if let Inner::Postgres(lent) = &tx.0 {
                    postgres::command(lent.client()?, "BEGIN").await?;
                }
                Ok(tx)
            }
        }
    }

    /// Copies an SQLite database into a file while it is in use. `false` for PostgreSQL, which has tools of its own.
    pub async fn backup(&self, to: &Path) -> Result<bool, StoreError> {
        let Backend::Sqlite(sqlite) = &self.backend else { return Ok(false) };
        let (sqlite, to) = (Arc::clone(sqlite), to.to_owned());
        blocking(move || {
            let from = sqlite.reader()?;
            let mut copy = Connection::open(&to)?;
            rusqlite::backup::Backup::new(&from, &mut copy)?.run_to_completion(
                256,
                Duration::from_millis(2),
                None,
            )?;
            drop(copy);
            sqlite.give_back(from);
            Ok(true)
        })
        .await
    }

    /// Checks that the database is sound: `None`, or what is wrong.
    pub async fn integrity(&self) -> Result<Option<String>, StoreError> {
        match &self.backend {
            Backend::Sqlite(_) => {
                let rows = self.query("PRAGMA quick_check(5)", &[]).await?;
                let said: Vec<String> =
                    rows.iter().map(|r| r.text("quick_check")).collect::<Result<_, _>>()?;
                Ok((said != ["ok"]).then(|| said.join("; ")))
            }
            Backend::Postgres(_) => {
                // PostgreSQL checks its pages itself; what can be asked from outside is whether every index is usable.
                let rows = self
                    .query(
                        "SELECT c.relname::text AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE NOT i.indisvalid",
                        &[],
                    )
                    .await?;
                let names: Vec<String> = rows.iter().map(|r| r.text("name")).collect::<Result<_, _>>()?;
                Ok((!names.is_empty()).then(|| format!("invalid indexes: {}", names.join(", "))))
            }
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("kind", &self.kind()).finish_non_exhaustive()
    }
}

/// A connection of the pool for one use. One that is dropped without [`Lent::used`] is closed and not given back: its
/// user gave up, and what was sent over it may still be under way.
struct Lent(Option<deadpool_postgres::Object>);

impl Lent {
    fn client(&self) -> Result<&deadpool_postgres::ClientWrapper, StoreError> {
        Ok(self.0.as_ref().ok_or(StoreError::Conflict)?)
    }

    /// Gives it back, unless how its use ended speaks against it.
    fn used<T>(mut self, ended: Result<T, StoreError>) -> Result<T, StoreError> {
        if !matches!(ended, Err(StoreError::Unreachable { .. })) {
            drop(self.0.take());
        }
        ended
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(client) = self.0.take() {
            // A connection that closes takes its open transaction with it.
            drop(deadpool_postgres::Object::take(client));
        }
    }
}

/// An open transaction.
pub struct Tx(Inner);

#[expect(
    clippy::large_enum_variant,
    reason = "one lives for the length of a transaction, and never in a collection"
)]
enum Inner {
    Sqlite(Option<OwnedMutexGuard<Connection>>),
    Postgres(Lent),
}

impl Tx {
    /// Runs a statement: how many rows it changed.
    ///
    /// # Errors
    /// When the database refuses it. The transaction is then of no further use.
    pub async fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64, StoreError> {
        match &mut self.0 {
            Inner::Sqlite(guard) => {
                let connection = guard.as_ref().ok_or(StoreError::Conflict)?;
                let mut statement = connection.prepare_cached(sql)?;
                bind(&mut statement, params)?;
                Ok(statement.raw_execute()? as u64)
            }
            Inner::Postgres(lent) => postgres::execute(lent.client()?, sql, params).await,
        }
    }

    /// Rows of a `SELECT`, or of a statement with `RETURNING`.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    pub async fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        match &mut self.0 {
            Inner::Sqlite(guard) => select(guard.as_ref().ok_or(StoreError::Conflict)?, sql, params),
            Inner::Postgres(lent) => postgres::query(lent.client()?, sql, params).await,
        }
    }

    /// The only row, or none.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    pub async fn query_opt(&mut self, sql: &str, params: &[Value]) -> Result<Option<Row>, StoreError> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }

    /// Several statements in one text, for migrations.
    pub(crate) async fn batch(&mut self, sql: &str) -> Result<(), StoreError> {
        match &mut self.0 {
            Inner::Sqlite(guard) => Ok(guard.as_ref().ok_or(StoreError::Conflict)?.execute_batch(sql)?),
            // A migration takes as long as it takes.
            Inner::Postgres(lent) => Ok(lent.client()?.batch_execute(sql).await?),
        }
    }

    /// Makes it durable. When this returns, a crash of the process or of the machine loses nothing of it.
    ///
    /// # Errors
    /// When the database cannot write; nothing of the transaction is then in it.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        match &mut self.0 {
            Inner::Sqlite(guard) => {
                let guard = guard.take().ok_or(StoreError::Conflict)?;
                // The disk is waited for here, and not on a thread that serves others.
                blocking(move || {
                    let done = guard.execute_batch("COMMIT");
                    if done.is_err() {
                        // A commit that failed may leave the transaction open, and the next BEGIN would fail too.
                        let _ = guard.execute_batch("ROLLBACK");
                    }
                    Ok(done?)
                })
                .await
            }
            Inner::Postgres(lent) => {
                let lent = Lent(lent.0.take());
                postgres::command(lent.client()?, "COMMIT").await?;
                // Where it failed, whether it happened is not known; that connection is not used again.
                lent.used(Ok(()))
            }
        }
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        match &mut self.0 {
            Inner::Sqlite(guard) => {
                if let Some(guard) = guard.take() {
                    let _ = guard.execute_batch("ROLLBACK");
                }
            }
            // What it holds closes itself.
            Inner::Postgres(_) => {}
        }
    }
}

impl Sqlite {
    fn open(path: &Path) -> Result<Self, StoreError> {
        let writer = Self::connect(path)?;
        Ok(Self {
            path: path.to_owned(),
            writer: Arc::new(AsyncMutex::new(writer)),
            readers: Mutex::default(),
        })
    }

    fn connect(path: &Path) -> Result<Connection, StoreError> {
        let unreachable =
            |detail: String| StoreError::Unreachable { place: path.display().to_string(), detail };
        let connection = Connection::open(path).map_err(|e| unreachable(e.to_string()))?;
        connection.set_prepared_statement_cache_capacity(256);
        // FULL makes each commit of the write-ahead log durable (sqlite.org/pragma.html, synchronous).
        connection
            .execute_batch(
                "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
                 PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;",
            )
            .map_err(|e| unreachable(e.to_string()))?;
        Ok(connection)
    }

    fn reader(&self) -> Result<Connection, StoreError> {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        match idle {
            Some(connection) => Ok(connection),
            None => {
                let connection = Self::connect(&self.path)?;
                connection.execute_batch("PRAGMA query_only = ON")?;
                Ok(connection)
            }
        }
    }

    fn give_back(&self, connection: Connection) {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < READERS {
            readers.push_back(connection);
        }
    }
}

fn bind(statement: &mut rusqlite::CachedStatement<'_>, params: &[Value]) -> Result<(), StoreError> {
    for (i, value) in params.iter().enumerate() {
        // SQLite numbers `$1` by first appearance, so a place is looked up by its name.
        if let Some(place) = statement.parameter_index(&format!("${}", i + 1))? {
            statement.raw_bind_parameter(place, value)?;
        }
    }
    Ok(())
}

fn select(connection: &Connection, sql: &str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
    use rusqlite::types::ValueRef;
    let mut statement = connection.prepare_cached(sql)?;
    bind(&mut statement, params)?;
    let names: Arc<[String]> = statement.column_names().map(str::to_owned).collect();
    let mut found = Vec::new();
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        let values = (0..names.len())
            .map(|i| {
                Ok(match row.get_ref(i)? {
                    ValueRef::Null => Value::Null,
                    ValueRef::Integer(v) => Value::Int(v),
                    ValueRef::Real(v) => Value::Real(v),
                    ValueRef::Text(v) | ValueRef::Blob(v) => {
                        Value::Text(String::from_utf8_lossy(v).into_owned())
                    }
                })
            })
            .collect::<Result<_, rusqlite::Error>>()?;
        found.push(Row { names: Arc::clone(&names), values });
    }
    Ok(found)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(StoreError::failed)?
}
