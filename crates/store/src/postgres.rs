//! PostgreSQL: the pool, and statements over it.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{ClientWrapper, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::StoreError;
use crate::value::{Row, Value};

/// Connections at most. Each costs the server a process; a request waits for a free one rather than for a new one.
const CONNECTIONS: usize = 16;

/// How long a connection may be waited for: a page that answers "the database is gone" after this beats one that hangs.
const WAIT: Duration = Duration::from_secs(5);

/// How long the database may take for one statement. A server that is cut off without a word, or that hangs, is taken for
/// gone after this; what works on much, works on it in pieces.
const ANSWER: Duration = Duration::from_secs(30);

pub(crate) fn pool(url: &str) -> Result<Pool, StoreError> {
    let wrong = |problem: String| StoreError::Url { url: masked(url), problem };
    let mut config = tokio_postgres::Config::from_str(url).map_err(|e| wrong(e.to_string()))?;
    config.connect_timeout(WAIT);
    config.application_name("landfall");
    // What was sent and is not acknowledged for so long ends the connection; likewise an idle peer that is silent.
    config.tcp_user_timeout(ANSWER).keepalives_idle(ANSWER).keepalives_interval(WAIT).keepalives_retries(3);
    let manager = Manager::from_config(
        config,
        MakeRustlsConnect::new(tls()),
        ManagerConfig { recycling_method: RecyclingMethod::Fast },
    );
    Pool::builder(manager)
        .max_size(CONNECTIONS)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(WAIT))
        .create_timeout(Some(WAIT))
        .recycle_timeout(Some(WAIT))
        .build()
        .map_err(|e| wrong(e.to_string()))
}

fn tls() -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    // A private authority for the database is usually installed in the system's store.
    let (_added, _ignored) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has the default protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// A database URL that may be shown.
pub(crate) fn masked(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(mut parsed) if parsed.password().is_some() => {
            let _ = parsed.set_password(Some("***"));
            parsed.to_string()
        }
        Ok(_) => url.to_owned(),
        // Whatever cannot be parsed may hold a password anywhere.
        Err(_) if url.contains('@') => "***".into(),
        Err(_) => url.to_owned(),
    }
}

pub(crate) async fn execute(client: &ClientWrapper, sql: &str, params: &[Value]) -> Result<u64, StoreError> {
    answered(async {
        let statement = client.prepare_cached(sql).await?;
        client.execute(&statement, &refs(params)).await
    })
    .await
}

/// A statement without parameters or rows.
pub(crate) async fn command(client: &ClientWrapper, sql: &str) -> Result<(), StoreError> {
    answered(client.batch_execute(sql)).await
}

/// Waits for an answer, but not for ever.
async fn answered<T>(asked: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, StoreError> {
    match tokio::time::timeout(ANSWER, asked).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(StoreError::Unreachable {
            place: "PostgreSQL".into(),
            detail: format!("it did not answer within {} s", ANSWER.as_secs()),
        }),
    }
}

pub(crate) async fn query(
    client: &ClientWrapper,
    sql: &str,
    params: &[Value],
) -> Result<Vec<Row>, StoreError> {
    let (statement, rows) = answered(async {
        let statement = client.prepare_cached(sql).await?;
        let rows = client.query(&statement, &refs(params)).await?;
        Ok((statement, rows))
    })
    .await?;
    let names: Arc<[String]> = statement.columns().iter().map(|c| c.name().to_owned()).collect();
    rows.iter()
        .map(|row| {
            let values = (0..names.len()).map(|i| value(row, i)).collect::<Result<_, _>>()?;
            Ok(Row { names: Arc::clone(&names), values })
        })
        .collect()
}

fn refs(params: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    params.iter().map(|p| p as &(dyn ToSql + Sync)).collect()
}

fn value(row: &tokio_postgres::Row, i: usize) -> Result<Value, StoreError> {
    let column = &row.columns()[i];
    let get = |value: Option<Value>| value.unwrap_or(Value::Null);
    let ty = column.type_();
    Ok(if *ty == Type::INT8 {
        get(row.try_get::<_, Option<i64>>(i)?.map(Value::Int))
    } else if *ty == Type::INT4 {
        get(row.try_get::<_, Option<i32>>(i)?.map(|v| Value::Int(v.into())))
    } else if *ty == Type::FLOAT8 {
        get(row.try_get::<_, Option<f64>>(i)?.map(Value::Real))
    } else if *ty == Type::BOOL {
        get(row.try_get::<_, Option<bool>>(i)?.map(|v| Value::Int(v.into())))
    } else if *ty == Type::TEXT || *ty == Type::VARCHAR {
        get(row.try_get::<_, Option<String>>(i)?.map(Value::Text))
    } else {
        return Err(StoreError::column(
            column.name(),
            &format!("has the type {ty}; cast it to bigint, double precision or text in the query"),
        ));
    })
}
