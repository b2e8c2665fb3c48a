//! Recording: a recipe's world is built, audited by the real audit, taken down, and its evidence kept beside the recipe.
//!
//! Evidence from a world on loopback holds things that differ in every run and say nothing: the ports that the system had
//! free, the name of a temporary folder and the place of Python. They are replaced, so that a recording reads like the evidence of a machine
//! with fixed ports and a project in `/srv/project`. Times are kept as they were measured.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};
use landfall_audit::{Config, Overrides, Plan, Probe, Progress, collect};
use landfall_diagnosis::Catalogue;
use landfall_evidence::Evidence;
use landfall_lab::LabOptions;
use landfall_lab::recipe::{Access, Recipe, Running};
use landfall_probe::net::Egress;
use serde_json::Value;

/// The first of the ports that stand in a recording.
const FIRST_PORT: u16 = 40_001;
/// Evidence is far smaller; a file that unpacks to more is not one of ours.
const MAX_EVIDENCE_BYTE: u64 = 64 * 1024 * 1024;

/// Why a recipe could not be recorded, or a recording not be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The recipe or its world.
    #[error(transparent)]
    World(#[from] landfall_lab::LabError),
    /// The audit of it.
    #[error("{file}: the audit cannot be made: {problem}")]
    Audit {
        /// The recipe.
        file: String,
        /// Why not.
        problem: String,
    },
    /// A recording that cannot be read or written.
    #[error("{}: {problem}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why not.
        problem: String,
    },
}

/// Where the recording of a recipe is: `NAME.json.gz` beside `NAME.toml`.
pub fn recording_of(recipe: &Path) -> PathBuf {
    recipe.with_extension("json.gz")
}

/// Builds the world of a recipe, audits it, takes it down, and gives the evidence in its stable form.
///
/// # Errors
/// When the recipe is wrong, a server does not come up, or its landfall.toml is refused.
pub async fn record(
    file: &Path,
    catalogue: &Catalogue,
    options: &LabOptions,
) -> Result<Evidence, RecordError> {
    let recipe = Recipe::load(file)?;
    let running = Running::up(&recipe, options).await?;
    let access = running.access().clone();
    let collected = async {
        let fail = |problem: String| RecordError::Audit { file: file.display().to_string(), problem };
        let plan = plan(&access).map_err(fail)?;
        collect(&plan, catalogue, &Progress::default()).await.map_err(|e| fail(e.to_string()))
    };
    let collected = collected.await;
    running.down().await;
    stable(&collected?, &access).map_err(|problem| RecordError::File { file: file.to_owned(), problem })
}

/// The plan of an audit that may reach nothing but the world.
fn plan(access: &Access) -> Result<Plan, String> {
    let config = Config::load(&access.config).map_err(|e| e.to_string())?;
    let skip: Vec<Probe> = access
        .skip
        .iter()
        .map(|name| name.parse())
        .collect::<Result<_, _>>()
        .map_err(|e: landfall_audit::PlanError| e.to_string())?;
    let said = Overrides {
        project: access.project.clone(),
        skip,
        resolvers: access.resolvers.iter().map(ToString::to_string).collect(),
        connect_to: access.connect_to.clone(),
        logs: access.logs.clone(),
        ca_files: vec![access.ca_file.clone()],
        ..Overrides::default()
    };
    let mut plan = Plan::new(&config, &said).map_err(|e| e.to_string())?;
    if access.project.is_none() {
        // A configuration counts the folder that it lies in as the project. Here that is the world's own, with its
        // servers' files, which nobody outside has.
        plan.target.project = None;
    }
    let loopback = ["127.0.0.0/8", "::1/128"].map(|net| net.parse().expect("a literal network is valid"));
    plan.egress = Egress::only(loopback.to_vec());
    Ok(plan)
}

/// Replaces what differs from run to run and says nothing.
fn stable(evidence: &Evidence, access: &Access) -> Result<Evidence, String> {
    let mut value = serde_json::to_value(evidence).map_err(|e| e.to_string())?;
    let fixed = Fixed::new(access);
    fixed.replace(&mut value);
    serde_json::from_value(value)
        .map_err(|e| format!("the evidence is no longer valid after replacing ports: {e}"))
}

/// Texts and their replacements.
struct Fixed {
    folders: Vec<(String, &'static str)>,
    ports: Vec<(String, String)>,
}

impl Fixed {
    fn new(access: &Access) -> Self {
        let shown = |path: &Path| path.display().to_string();
        let mut folders = Vec::new();
        // The project first: it lies in the world's folder.
        folders.extend(access.project.as_deref().map(|path| (shown(path), "/srv/project")));
        folders.push((shown(&access.folder), "/srv/world"));
        let [environment, base] = &access.python;
        folders.push((shown(environment), "/opt/venv"));
        if base != Path::new("/usr") {
            folders.push((shown(base), "/usr"));
        }
        // A system may show its temporary folder by another path than it was opened by.
        if let Ok(real) = access.folder.canonicalize() {
            folders.push((shown(&real), "/srv/world"));
        }
        let mut named = access.ports.clone();
        named.sort();
        let ports =
            named.iter().zip(FIRST_PORT..).map(|((_, port), fixed)| (port.to_string(), fixed.to_string()));
        Self { folders, ports: ports.collect() }
    }

    fn replace(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.replace(item)),
            Value::Object(entries) => {
                // Counts are kept by host and port, so that keys have ports as well.
                *entries = std::mem::take(entries).into_iter().map(|(k, v)| (self.text(&k), v)).collect();
                for (key, value) in entries.iter_mut() {
                    if matches!(key.as_str(), "port" | "local" | "external" | "listen")
                        && let Some(fixed) = value
                            .as_u64()
                            .and_then(|n| self.port(&n.to_string()))
                            .and_then(|f| f.parse::<u64>().ok())
                    {
                        *value = fixed.into();
                    } else {
                        self.replace(value);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn port(&self, number: &str) -> Option<&str> {
        self.ports.iter().find(|(port, _)| port == number).map(|(_, fixed)| fixed.as_str())
    }

    fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (folder, fixed) in &self.folders {
            text = text.replace(folder.as_str(), fixed);
        }
        // Whole numbers only: a port is never a part of a longer number, nor of a name.
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(from) = rest.find(|c: char| c.is_ascii_digit()) {
            let len = rest[from..].find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len() - from);
            let number = &rest[from..from + len];
            let joined = |c: char| c.is_ascii_alphanumeric() || c == '.';
            let before = rest[..from].chars().next_back().or_else(|| out.chars().next_back());
            let after = rest[from + len..].chars().next();
            let alone = !before.is_some_and(joined) && !after.is_some_and(|c| c.is_ascii_alphanumeric());
            out.push_str(&rest[..from]);
            out.push_str(self.port(number).filter(|_| alone).unwrap_or(number));
            rest = &rest[from + len..];
        }
        out.push_str(rest);
        out
    }
}

/// Writes a recording. The same evidence gives the same bytes.
///
/// # Errors
/// When the file cannot be written.
pub fn write(file: &Path, evidence: &Evidence) -> Result<(), RecordError> {
    let fail = |e: std::io::Error| RecordError::File {
        file: file.to_owned(),
        problem: format!("cannot be written: {e}"),
    };
    let json = serde_json::to_vec(evidence).map_err(|e| fail(e.into()))?;
    let mut packer = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    packer.write_all(&json).map_err(fail)?;
    fs::write(file, packer.finish().map_err(fail)?).map_err(fail)
}

/// Reads a recording.
///
/// # Errors
/// When it is missing, is not gzip, or is not evidence.
pub fn read(file: &Path) -> Result<Evidence, RecordError> {
    let fail = |problem: String| RecordError::File { file: file.to_owned(), problem };
    let packed = fs::read(file).map_err(|e| fail(format!("cannot be read: {e}")))?;
    unpack(&packed).map_err(fail)
}

/// Reads the bytes of a recording.
///
/// # Errors
/// What is wrong with them, in words.
pub fn unpack(packed: &[u8]) -> Result<Evidence, String> {
    let mut text = String::new();
    GzDecoder::new(packed)
        .take(MAX_EVIDENCE_BYTE)
        .read_to_string(&mut text)
        .map_err(|e| format!("is not a recording: {e}"))?;
    Evidence::from_json(&text).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_folders_are_replaced_and_nothing_else() {
        let access = Access {
            config: "/tmp/w/landfall.toml".into(),
            project: Some("/tmp/w/project".into()),
            resolvers: Vec::new(),
            connect_to: Vec::new(),
            ca_file: "/tmp/w/ca".into(),
            logs: Vec::new(),
            skip: Vec::new(),
            folder: "/tmp/w".into(),
            python: ["/home/x/.lab/venv".into(), "/home/x/.pyenv/3.11".into()],
            ports: vec![("edge".into(), 21_000), ("app".into(), 20_000)],
        };
        let fixed = Fixed::new(&access);
        assert_eq!(
            fixed.text("127.0.0.1:20000 [::1]:21000 120000 2.20000 a20000 20000ms /home/x/.lab/venv/bin/a /home/x/.pyenv/3.11/lib/b.py /tmp/w/project/x /tmp/w/y --port=20000."),
            "127.0.0.1:40001 [::1]:40002 120000 2.20000 a20000 20000ms /opt/venv/bin/a /usr/lib/b.py /srv/project/x /srv/world/y --port=40001."
        );
        let mut value = serde_json::json!({ "port": 20_000, "bytes": 20_000 });
        fixed.replace(&mut value);
        assert_eq!(value, serde_json::json!({ "port": 40_001, "bytes": 20_000 }));
    }
}
