//! The form of the files: docs/project.md tells it.

use std::collections::BTreeMap;

use serde::Deserialize;

/// One project of the corpus.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Project {
    /// What it is, and what is wrong with it.
    pub(crate) title: String,
    /// Why it is not yet read or judged as it should be. Its differences are then printed and not failed.
    pub(crate) gap: Option<String>,
    #[serde(default)]
    pub(crate) truth: Truth,
    #[serde(default)]
    pub(crate) expect: Expect,
    /// Paths and texts.
    pub(crate) files: BTreeMap<String, String>,
    /// Files with the executable bit.
    #[serde(default)]
    pub(crate) executable: Vec<String>,
    /// Files whose lines end as on Windows.
    #[serde(default)]
    pub(crate) crlf: Vec<String>,
    /// Folders with nothing in them.
    #[serde(default)]
    pub(crate) empty: Vec<String>,
    /// What is done with git, in this order; no repository without it.
    #[serde(default)]
    pub(crate) git: Vec<Step>,
    pub(crate) run: Option<Run>,
}

/// What is true of it. Without a fault the project is healthy.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Truth {
    /// The fault of catalogue/faults.toml; `none` for what spoils something else than serving.
    pub(crate) fault: Option<String>,
    /// Codes that must be raised.
    #[serde(default)]
    pub(crate) finding: Vec<String>,
    /// Signs that must be seen, as `word: beginning of the detail`.
    #[serde(default)]
    pub(crate) signs: Vec<String>,
    /// Causes that must be named: the fault itself, where the folder alone can show it.
    #[serde(default)]
    pub(crate) cause: Vec<String>,
    /// Codes of findings, ids of faults and words of signs that must not appear.
    #[serde(default)]
    pub(crate) never: Vec<String>,
}

/// What must be read. A field that is not given is not looked at; a list may be longer in the project.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expect {
    /// All languages, in any order, and no other.
    pub(crate) languages: Option<Vec<String>>,
    /// Of the first stack.
    pub(crate) framework: Option<String>,
    pub(crate) framework_version: Option<String>,
    pub(crate) server: Option<String>,
    pub(crate) wanted: Option<String>,
    pub(crate) manifest: Option<String>,
    /// `none` where there must be none.
    pub(crate) lock: Option<String>,
    pub(crate) entry: Option<String>,
    #[serde(default)]
    pub(crate) deploy: Vec<Deploy>,
    /// `METHODS path`; without methods where the code limits none.
    #[serde(default)]
    pub(crate) routes: Vec<String>,
    #[serde(default)]
    pub(crate) not_routes: Vec<String>,
    /// Variables that the code reads without a default.
    #[serde(default)]
    pub(crate) reads: Vec<String>,
    /// And with one.
    #[serde(default)]
    pub(crate) defaults: Vec<String>,
    #[serde(default)]
    pub(crate) declares: Vec<String>,
    #[serde(default)]
    pub(crate) scheduler: Vec<String>,
    #[serde(default)]
    pub(crate) left_out: Vec<String>,
    /// The command that runs the tests.
    pub(crate) tests: Option<String>,
    pub(crate) branch: Option<String>,
    pub(crate) ahead: Option<u32>,
    #[serde(default)]
    pub(crate) uncommitted: Vec<String>,
    #[serde(default)]
    pub(crate) untracked: Vec<String>,
    /// Beginnings of what could not be read. Anything else that could not be read is a difference.
    #[serde(default)]
    pub(crate) unread: Vec<String>,
}

/// What must be read from one deploy file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Deploy {
    pub(crate) file: String,
    pub(crate) platform: Option<String>,
    /// The server program.
    pub(crate) server: Option<String>,
    /// The start command, as written.
    pub(crate) start: Option<String>,
    pub(crate) host: Option<String>,
    /// As people write it: `8080`, `$PORT`, `${PORT:-8080}`, `not said`.
    pub(crate) port: Option<String>,
    /// `[inside, outside]`.
    pub(crate) ports: Option<Vec<(u16, u16)>>,
    pub(crate) health: Option<String>,
    #[serde(default)]
    pub(crate) sets: Vec<String>,
    pub(crate) build: Option<String>,
    pub(crate) root: Option<String>,
    pub(crate) regions: Option<Vec<String>>,
    pub(crate) replicas: Option<u32>,
}

/// One step with git.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) enum Step {
    /// Everything that is not ignored, under this message.
    Commit(String),
    /// `[from, to]`, letter case included.
    Move(String, String),
    /// Files written after what was done so far.
    Write(BTreeMap<String, String>),
    /// To a remote named `origin`, as the upstream of the branch.
    Push(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Run {
    /// The program that runs the tests.
    pub(crate) needs: String,
    /// Packages that stand in the project's `node_modules`, of those that scripts/runner-modules installs.
    #[serde(default)]
    pub(crate) installed: Vec<String>,
    /// `passed`, `failed`, `collection-error`, `none-ran`.
    pub(crate) outcome: String,
    /// Tests that pass, where the runner counts.
    pub(crate) passed: Option<u32>,
    pub(crate) failed: Option<u32>,
    /// Tests that are left out.
    pub(crate) skipped: Option<u32>,
    /// Beginnings of collection errors, as ``FILE:LINE `statement`: exception: message``.
    #[serde(default)]
    pub(crate) errors: Vec<String>,
    /// Names of failed tests.
    #[serde(default)]
    pub(crate) names: Vec<String>,
}
