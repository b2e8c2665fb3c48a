//! Values that go into and come out of SQL, alike for both databases.
//!
//! Four types are enough, and each has one spelling in both dialects: `BIGINT`, `DOUBLE PRECISION`, `TEXT` and NULL.
//! Times are microseconds since the Unix epoch in a `BIGINT`, truth is 0 or 1, structures are JSON in a `TEXT`.

use std::error::Error;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use crate::StoreError;

/// One SQL value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// NULL.
    Null,
    /// BIGINT.
    Int(i64),
    /// DOUBLE PRECISION.
    Real(f64),
    /// TEXT.
    Text(String),
}

macro_rules! from {
    ($($t:ty => |$v:ident| $make:expr),* $(,)?) => {$(
        impl From<$t> for Value { fn from($v: $t) -> Self { $make } }
    )*};
}

from! {
    i64 => |v| Self::Int(v),
    i32 => |v| Self::Int(v.into()),
    u32 => |v| Self::Int(v.into()),
    u16 => |v| Self::Int(v.into()),
    u64 => |v| Self::Int(i64::try_from(v).unwrap_or(i64::MAX)),
    usize => |v| Self::Int(i64::try_from(v).unwrap_or(i64::MAX)),
    bool => |v| Self::Int(v.into()),
    f64 => |v| Self::Real(v),
    String => |v| Self::Text(v),
    &String => |v| Self::Text(v.clone()),
    &str => |v| Self::Text(v.to_owned()),
    Timestamp => |v| Self::Int(v.as_microsecond()),
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A structure as JSON text, for a `TEXT` column.
pub fn json<T: Serialize + ?Sized>(value: &T) -> Value {
    // The types that are stored have string keys and finite numbers only, so they can always be written.
    Value::Text(serde_json::to_string(value).expect("a stored structure can be written as JSON"))
}

impl ToSql for Value {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(v) if *ty == Type::INT4 => i32::try_from(*v)?.to_sql(ty, out),
            Self::Int(v) if *ty == Type::FLOAT8 => (*v as f64).to_sql(ty, out),
            Self::Int(v) => v.to_sql(&Type::INT8, out),
            Self::Real(v) => v.to_sql(&Type::FLOAT8, out),
            Self::Text(v) => v.to_sql(&Type::TEXT, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        use rusqlite::types::{ToSqlOutput, Value as Owned, ValueRef};
        Ok(match self {
            Self::Null => ToSqlOutput::Owned(Owned::Null),
            Self::Int(v) => ToSqlOutput::Owned(Owned::Integer(*v)),
            Self::Real(v) => ToSqlOutput::Owned(Owned::Real(*v)),
            Self::Text(v) => ToSqlOutput::Borrowed(ValueRef::Text(v.as_bytes())),
        })
    }
}

/// One row of a result. Columns are read by name.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub(crate) names: Arc<[String]>,
    pub(crate) values: Vec<Value>,
}

impl Row {
    fn value(&self, name: &str) -> Result<&Value, StoreError> {
        let place = self.names.iter().position(|n| n == name);
        place.map(|i| &self.values[i]).ok_or_else(|| StoreError::column(name, "is not in the result"))
    }

    /// An integer.
    ///
    /// # Errors
    /// When there is no such column or it holds something else; likewise for all that follow.
    pub fn int(&self, name: &str) -> Result<i64, StoreError> {
        self.opt_int(name)?.ok_or_else(|| StoreError::column(name, "is NULL"))
    }

    /// An integer or NULL.
    pub fn opt_int(&self, name: &str) -> Result<Option<i64>, StoreError> {
        match self.value(name)? {
            Value::Null => Ok(None),
            Value::Int(v) => Ok(Some(*v)),
            other => Err(StoreError::column(name, &format!("holds {other:?} and not an integer"))),
        }
    }

    /// Truth: 0 or 1.
    pub fn flag(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.int(name)? != 0)
    }

    /// A count that cannot be negative.
    pub fn count(&self, name: &str) -> Result<u64, StoreError> {
        u64::try_from(self.int(name)?).map_err(|_| StoreError::column(name, "is negative"))
    }

    /// A real number; integers are widened.
    pub fn opt_real(&self, name: &str) -> Result<Option<f64>, StoreError> {
        match self.value(name)? {
            Value::Null => Ok(None),
            Value::Int(v) => Ok(Some(*v as f64)),
            Value::Real(v) => Ok(Some(*v)),
            Value::Text(_) => Err(StoreError::column(name, "holds text and not a number")),
        }
    }

    /// A text.
    pub fn text(&self, name: &str) -> Result<String, StoreError> {
        self.opt_text(name)?.ok_or_else(|| StoreError::column(name, "is NULL"))
    }

    /// A text or NULL.
    pub fn opt_text(&self, name: &str) -> Result<Option<String>, StoreError> {
        match self.value(name)? {
            Value::Null => Ok(None),
            Value::Text(v) => Ok(Some(v.clone())),
            other => Err(StoreError::column(name, &format!("holds {other:?} and not text"))),
        }
    }

    /// A moment.
    pub fn time(&self, name: &str) -> Result<Timestamp, StoreError> {
        self.opt_time(name)?.ok_or_else(|| StoreError::column(name, "is NULL"))
    }

    /// A moment or NULL.
    pub fn opt_time(&self, name: &str) -> Result<Option<Timestamp>, StoreError> {
        let Some(us) = self.opt_int(name)? else { return Ok(None) };
        Timestamp::from_microsecond(us).map(Some).map_err(|_| StoreError::column(name, "is not a moment"))
    }

    /// A structure stored as JSON.
    pub fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T, StoreError> {
        serde_json::from_str(&self.text(name)?)
            .map_err(|e| StoreError::column(name, &format!("holds JSON of another shape: {e}")))
    }

    /// A structure stored as JSON, or NULL.
    pub fn opt_json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        let Some(text) = self.opt_text(name)? else { return Ok(None) };
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|e| StoreError::column(name, &format!("holds JSON of another shape: {e}")))
    }

    /// A word of a closed set, by its [`std::str::FromStr`].
    pub fn word<T: std::str::FromStr>(&self, name: &str) -> Result<T, StoreError> {
        let text = self.text(name)?;
        text.parse()
            .map_err(|_| StoreError::column(name, &format!("holds {text:?}, which is none of its words")))
    }
}

/// Parameters of a statement: `params![a, b]` for `$1`, `$2`.
#[macro_export]
macro_rules! params {
    () => { &[] as &[$crate::Value] };
    ($($value:expr),+ $(,)?) => { &[$($crate::Value::from($value)),+] as &[$crate::Value] };
}
