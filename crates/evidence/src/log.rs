//! What a log file of the deployment says: its telling lines, each once.
//!
//! The reader keeps lines that speak of errors, starts, listening, exits and signals, by simple rules that know no
//! program. What a line means is decided later, by patterns that are data, so that old evidence can be judged by newer
//! patterns.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Observed;

/// The reading of one log file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogObservation {
    /// The file's name without its folder: `app.log`. The same name twice carries `#2`.
    pub name: String,
    /// What it shows.
    pub answer: Observed<LogTail>,
}

/// The end of a log file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogTail {
    /// Size of the file, in bytes.
    pub size_byte: u64,
    /// Bytes that were read: the file's end.
    pub read_byte: u64,
    /// Lines that were read.
    pub lines: u64,
    /// The first time of day with a date and an offset from UTC that was read; `None` when no line carries one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_at: Option<Timestamp>,
    /// The last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_at: Option<Timestamp>,
    /// Telling lines by their first occurrence, each once; at most 200.
    pub events: Vec<LogEvent>,
    /// Names that lines ask for and a listing in the same log has in other letters; at most 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_letters: Vec<OtherLetters>,
    /// Telling lines that found no room in `events`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped: u64,
}

/// A name that differs from the one that is asked for by the case of its letters alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OtherLetters {
    /// The line of the listing, counted from 1.
    pub line: u64,
    /// The name there, masked.
    pub there: String,
    /// The name that is asked for, masked.
    pub asked: String,
}

/// One telling line. Lines that differ only in times, process ids and long numbers are one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogEvent {
    /// The line of its first occurrence, counted from 1 at the beginning of what was read.
    pub line: u64,
    /// The line of its last occurrence.
    pub last_line: u64,
    /// How often it occurs.
    pub count: u64,
    /// Its text at the last occurrence (of a line that is one object what its fields say, put together), masked, without control characters, at most 300 characters.
    pub text: String,
    /// For an exception with a trace: the innermost frame that lies in no library, as `file:line code`, or `(library)`
    /// when every frame does. `None` without a trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Installed packages that its trace goes through, the nearest to where it was thrown first, by the names of their
    /// ecosystem (`asyncpg`, `pg`, `github.com/lib/pq`, `org.postgresql.core`); at most 12.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub through: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
