//! Runs of the project's own tests.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Observed;

/// One run of the test command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TestsObservation {
    /// The command as a person would type it.
    pub command: String,
    /// Why this run was made.
    pub purpose: TestPurpose,
    /// The run.
    pub answer: Observed<TestRun>,
}

/// Why a test run was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "why", rename_all = "kebab-case")]
pub enum TestPurpose {
    /// The project's own command, as it stands.
    AsDeclared,
    /// With a remedy applied, to see whether it works. The user's files are not changed.
    Remedy {
        /// What was changed, in words: "with the project folder on the import path".
        what: String,
    },
}

/// A finished (or stopped) run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TestRun {
    /// The runner: `pytest`, `cargo`, …
    pub runner: String,
    /// How it ended.
    pub exit: Exit,
    /// Counts, when the output could be read.
    pub counts: Option<TestCounts>,
    /// Modules that could not even be loaded.
    pub collection_errors: Vec<CollectionError>,
    /// Names of failed tests, at most 50.
    pub failed: Vec<String>,
    /// The end of the output, at most 8 KiB, masked.
    pub output_tail: String,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub enum Exit {
    /// It exited by itself.
    Code {
        /// Exit status.
        code: i32,
    },
    /// A signal ended it.
    Signal {
        /// The signal's number.
        signal: i32,
    },
    /// We stopped it (the whole process group) at the time limit.
    TimedOut {
        /// The limit, in microseconds.
        limit_us: u64,
    },
}

/// Counts of one run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TestCounts {
    /// Tests found.
    pub collected: u32,
    /// Passed.
    pub passed: u32,
    /// Failed.
    pub failed: u32,
    /// Errors outside of tests: collection, fixtures.
    pub errors: u32,
    /// Skipped or expected to fail.
    pub skipped: u32,
}

/// A test module that could not be loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CollectionError {
    /// The test file.
    pub file: String,
    /// The line of the failing import.
    pub line: Option<u32>,
    /// The source line, quoted.
    pub statement: Option<String>,
    /// Exception type: `ModuleNotFoundError`.
    pub exception: String,
    /// Its message: `No module named 'run'`.
    pub message: String,
    /// What the project folder says about it, when the module is the project's own.
    pub gap: Option<ImportGap>,
}

/// A module of the project that its tests cannot import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ImportGap {
    /// The module asked for.
    pub module: String,
    /// The file in the project that defines it, relative to the root.
    pub defined_in: String,
    /// The folder that is not on the import path, relative to the root (`.` for the root).
    pub missing_path: String,
}
