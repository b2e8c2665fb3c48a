//! What the project folder says of how the application is started, and of its history.

use std::collections::BTreeSet;

use landfall_evidence::{
    DeployConfig, DeployStage, Evidence, GitState, HistoricChange, ObservationId, PortSetting,
    ProjectSnapshot, Seen, SignWord, StartCommand, Vantage,
};

use super::{Exchanges, FactKey, Facts, Why, why_absent};
use crate::causes::edit_distance;
use crate::signatures::SignatureHop;

/// Platforms that choose the port and tell it in `PORT`, so that a literal is not listened to.
const PORT_INJECTING: &[&str] = &["heroku", "render", "railway", "google-cloud-run", "cloud-run"];

/// Letters in which a misspelt host differs at most.
const NEAR_LETTERS: usize = 2;

pub(super) fn derive(evidence: &Evidence, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    let Some((observation, snapshot)) = evidence.project() else {
        let why = evidence
            .observations
            .iter()
            .find_map(|o| match &o.seen {
                Seen::Project(seen) => Some(why_absent(&seen.answer)),
                _ => None,
            })
            .unwrap_or_else(|| Why::NotRun("the project folder was not read".to_owned()));
        for key in [
            FactKey::ConfigBind,
            FactKey::ConfigPortFits,
            FactKey::GitClean,
            FactKey::ConfigStartTarget,
            FactKey::ProjectSigns,
        ] {
            facts.unknown(key, "", why.clone(), []);
        }
        return;
    };
    let id = &observation.id;
    stack(snapshot, id, facts);
    let config = production(snapshot, answering_platform(exchanges));
    if let Some(config) = &config {
        deploy(config, snapshot, id, facts);
    }
    if let Some(git) = &snapshot.git {
        repository(git, id, facts);
        if let Some(config) = &config {
            history(git, config, id, facts);
        }
    }
    drift(snapshot, id, facts);
    near_host(evidence, snapshot, id, facts);
    signs(evidence, snapshot, id, facts);
}

/// Words in the names of variables for which no program has a usable value of its own: secrets and addresses.
const UNGUESSABLE: &[&str] =
    &["KEY", "SECRET", "TOKEN", "PASSWORD", "PASS", "DSN", "URL", "URI", "ENDPOINT", "HOST"];

/// What the next deployment elsewhere stumbles over although this one may have it: settings that nobody wrote down.
fn drift(snapshot: &ProjectSnapshot, id: &ObservationId, facts: &mut Facts) {
    let settings = &snapshot.settings;
    // Without an example file nothing was promised; without a deploy configuration nobody can say what production has.
    if settings.declared_in.is_none() || snapshot.deploy.is_empty() {
        return;
    }
    let set: BTreeSet<&str> = snapshot.deploy.iter().flat_map(|c| &c.sets).map(String::as_str).collect();
    let undeclared: BTreeSet<&str> = snapshot
        .signs
        .iter()
        .filter(|s| s.sign == SignWord::EnvNotDeclared)
        .map(|s| s.detail.as_str())
        .collect();
    let names: Vec<&str> = settings
        .read
        .iter()
        .filter(|read| !read.has_default && undeclared.contains(read.name.as_str()))
        .map(|read| read.name.as_str())
        .filter(|name| !set.contains(name) && !settings.is_provided(name))
        .filter(|name| name.split('_').any(|word| UNGUESSABLE.contains(&word)))
        .collect();
    if !names.is_empty() {
        facts.known_list(FactKey::ProjectDrift, "", names.into_iter().map(str::to_owned), [id.clone()]);
    }
}

/// Where production fails, what is not written down or wrong in the folder may be why, and has no sign of its own beside that failure.
pub(super) fn faults_that_nothing_shows(facts: &mut Facts) {
    if !facts.all_is_well() {
        return;
    }
    facts.mark_symptom(FactKey::ProjectDrift, "");
    let ran = facts.text(FactKey::TestsOutcome, "").is_some();
    // What tests did is known better from running them.
    let latent = LATENT.iter().filter(|word| !(ran && OF_TESTS.contains(word)));
    let defects = REFUSED.iter().map(|word| (word, "refused")).chain(latent.map(|word| (word, "latent")));
    for (word, does) in defects {
        if let Some(sign) = facts.get(FactKey::ProjectSignDetail, word.name()) {
            let seen = sign.evidence.clone();
            facts.known(FactKey::ProjectDefect, word.name(), does, seen).symptom = true;
        }
    }
}

/// Signs for which a platform or an installer refuses the next deployment, whatever runs now.
const REFUSED: &[SignWord] =
    &[SignWord::DeployConfigInvalid, SignWord::LockOutOfStep, SignWord::RootDirectoryAbsent];

/// Signs that are a fault by themselves and show in no answer to a GET: in uploads and sessions, for moments at a deploy, in work that
/// stays undone, in changes that do not arrive, in tests that say nothing.
const LATENT: &[SignWord] = &[
    SignWord::BodyLimitDiffers,
    SignWord::CookieUntrusted,
    SignWord::DeployPathFilterStale,
    SignWord::ExitsOnSignal,
    SignWord::TestsNotImportable,
    SignWord::TestsNotMatched,
    SignWord::TestsServiceAbsent,
    SignWord::UpgradeNotPassed,
    SignWord::WorkerNotDeployed,
];

const OF_TESTS: &[SignWord] =
    &[SignWord::TestsNotImportable, SignWord::TestsNotMatched, SignWord::TestsServiceAbsent];

/// The signs of the folder, and what they come to beside the branch and the host.
fn signs(evidence: &Evidence, snapshot: &ProjectSnapshot, id: &ObservationId, facts: &mut Facts) {
    let id = || [id.clone()];
    let mut words: BTreeSet<&str> = snapshot.signs.iter().map(|s| s.sign.name()).collect();
    if words.is_empty() {
        words.insert("none");
    }
    facts.known_list(FactKey::ProjectSigns, "", words.iter().map(|w| (*w).to_owned()), id());
    for word in words.iter().filter(|w| **w != "none") {
        let of_word = || snapshot.signs.iter().filter(|s| s.sign.name() == *word);
        let places = of_word().map(|s| s.place.clone()).filter(|p| !p.is_empty());
        facts.known_list(FactKey::ProjectSignPlace, *word, places, id());
        facts.known_list(FactKey::ProjectSignDetail, *word, of_word().map(|s| s.detail.clone()), id());
    }
    let details =
        |word: SignWord| snapshot.signs.iter().filter(move |s| s.sign == word).map(|s| s.detail.as_str());
    if let Some(git) = &snapshot.git {
        let branches: BTreeSet<&str> = details(SignWord::DeployBranch).collect();
        facts.known_list(FactKey::GitDeployBranch, "", branches.iter().map(|b| (*b).to_owned()), id());
        if let Some(branch) = git.branch.as_deref() {
            if !branches.is_empty() {
                let word = if branches.contains(branch) { "same" } else { "differs" };
                facts.known(FactKey::GitDeployBranchIs, "", word, id());
            }
            if let Some(default) = &git.default_branch {
                let word = if default == branch { "same" } else { "differs" };
                facts.known(FactKey::GitDefaultIs, "", word, id());
            }
        }
    }
    let host = evidence.target.production.as_ref().and_then(|url| url.domain());
    let mut rules = details(SignWord::IngressHost).peekable();
    if let Some(host) = host.filter(|_| rules.peek().is_some()) {
        let lists = rules.any(|rule| {
            rule == host || rule == "*" || rule.strip_prefix('*').is_some_and(|end| host.ends_with(end))
        });
        facts.known(FactKey::IngressLists, "", lists, id());
    }
}

/// The configuration that production is started by: that of the platform which is seen to answer, with the start command
/// of another file where it has none itself (a Procfile or a Dockerfile beside it); else one with a start command before
/// one without.
fn production(snapshot: &ProjectSnapshot, platform: Option<&str>) -> Option<DeployConfig> {
    let mut configs: Vec<&DeployConfig> =
        snapshot.deploy.iter().filter(|c| c.stage == DeployStage::Production).collect();
    // The file of a folder inside of a monorepo speaks of that folder's application, and comes behind the root's own.
    let of_member = |c: &DeployConfig| {
        c.root
            .as_deref()
            .is_some_and(|root| c.file.rsplit_once('/').is_some_and(|(folder, _)| folder == root))
    };
    configs.sort_by(|a, b| {
        (a.start.is_none(), of_member(a), &a.file).cmp(&(b.start.is_none(), of_member(b), &b.file))
    });
    let first = *configs.first()?;
    let seen = configs.iter().find(|c| platform.is_some_and(|vendor| is_of(vendor, &c.platform)));
    let mut config = seen.map_or(first, |config| *config).clone();
    if config.start.is_none() {
        config.start.clone_from(&first.start);
    }
    Some(config)
}

/// Whether a signature's vendor is the platform of a deploy configuration: `fly-io` and `fly`.
fn is_of(vendor: &str, platform: &str) -> bool {
    vendor == platform || vendor.split('-').next() == Some(platform)
}

/// The hosting platform whose marks the answers under the public name carry, where they carry those of one alone.
fn answering_platform<'x>(exchanges: &'x Exchanges<'_>) -> Option<&'x str> {
    let vendors: BTreeSet<&str> = exchanges
        .site(Vantage::Edge)
        .flat_map(|x| x.reading.writers.iter().chain(&x.reading.markers))
        .filter(|m| m.signature.hop == SignatureHop::Platform && m.weight_percent >= 80)
        .map(|m| m.signature.vendor.as_str())
        .collect();
    vendors.first().copied().filter(|_| vendors.len() == 1)
}

fn stack(snapshot: &ProjectSnapshot, id: &ObservationId, facts: &mut Facts) {
    if let Some(framework) = snapshot.stacks.iter().find_map(|stack| stack.framework.as_ref()) {
        facts.known(FactKey::ProjectFramework, "", framework.name.as_str(), [id.clone()]);
    }
    if let Some(entry) = &snapshot.entry {
        facts.known(FactKey::ProjectEntry, "", entry.path.as_str(), [id.clone()]);
    }
}

fn deploy(config: &DeployConfig, snapshot: &ProjectSnapshot, id: &ObservationId, facts: &mut Facts) {
    let id = || [id.clone()];
    facts.known(FactKey::ConfigPlatform, "", config.platform.as_str(), id());
    facts.known(FactKey::ConfigFile, "", config.file.as_str(), id());
    facts.known_list(
        FactKey::ConfigPortMap,
        "",
        config.ports.iter().map(|p| format!("{}→{}", p.local, p.external)),
        id(),
    );
    if let Some(path) = &config.health_path {
        facts.known(FactKey::ConfigHealthPath, "", path.as_str(), id());
    }
    // An image has what its Dockerfile sets wherever it runs, and a Compose file starts it with what itself sets.
    let image = |platform: &str| platform == "docker" || platform == "docker-compose";
    let beside = snapshot.deploy.iter().filter(|other| {
        other.stage == DeployStage::Production
            && (other.platform == "docker" || image(&config.platform) && image(&other.platform))
    });
    if config.sets_all || beside.clone().any(|of| of.sets_all) {
        facts.known(FactKey::ConfigEnvWhole, "", true, id());
    }
    let set: BTreeSet<&str> =
        beside.chain(std::iter::once(config)).flat_map(|of| &of.sets).map(String::as_str).collect();
    let unset = snapshot
        .settings
        .read
        .iter()
        .filter(|read| !read.has_default && !set.contains(read.name.as_str()) && read.name != "PORT")
        .filter(|read| !snapshot.settings.is_provided(&read.name));
    let unset: BTreeSet<&str> = unset.map(|read| read.name.as_str()).collect();
    facts.known_list(FactKey::EnvUnset, "", unset.iter().map(|name| (*name).to_owned()), id());
    let undeclared = snapshot.signs.iter().filter(|sign| sign.sign == SignWord::EnvNotDeclared);
    let nowhere: BTreeSet<&str> =
        undeclared.map(|sign| sign.detail.as_str()).filter(|name| unset.contains(name)).collect();
    if !nowhere.is_empty() {
        facts.known_list(FactKey::EnvNowhere, "", nowhere.into_iter().map(str::to_owned), id());
    }
    let Some(start) = &config.start else { return };
    facts.known(FactKey::ConfigStart, "", start.raw.as_str(), id());
    if let Some(server) = &start.server {
        facts.known(FactKey::ConfigServer, "", server.as_str(), id());
    }
    if let Some(host) = &start.bind_host {
        facts.known(FactKey::ConfigBind, "", host.as_str(), id());
    }
    let left_to_program = start.bind_port == PortSetting::Unsaid
        && snapshot.settings.read.iter().any(|read| read.name == "PORT")
        && matches!(start.server.as_deref(), None | Some("node" | "python" | "ruby" | "go"));
    let port = if left_to_program { "PORT".to_owned() } else { start.bind_port.to_string() };
    facts.known(FactKey::ConfigPort, "", port, id());
    let kind = match start.bind_port {
        PortSetting::Literal { .. } => "literal",
        PortSetting::Variable { .. } => "variable",
        // The command leaves it to the program, and the program asks for the variable.
        PortSetting::Unsaid if left_to_program => "variable",
        PortSetting::Unsaid => "unsaid",
    };
    facts.known(FactKey::ConfigPortKind, "", kind, id());
    match port_fits(start, config) {
        Some(Ok(())) => {
            facts.known(FactKey::ConfigPortFits, "", "yes", id());
        }
        Some(Err(misfit)) => {
            facts.known(FactKey::ConfigPortFits, "", "no", id());
            facts.known(FactKey::ConfigPortMisfit, "", misfit, id());
        }
        None => {
            let why =
                Why::Undecided("the configuration does not say which port the platform leads to".to_owned());
            facts.unknown(FactKey::ConfigPortFits, "", why, id());
        }
    }
    if let Some(word) = start_target(start, snapshot) {
        facts.known(FactKey::ConfigStartTarget, "", word, id());
    }
}

/// Whether the server listens where the platform looks; `None` when the configuration does not tell.
fn port_fits(start: &StartCommand, config: &DeployConfig) -> Option<Result<(), &'static str>> {
    match &start.bind_port {
        PortSetting::Variable { .. } if !start.shell => Some(Err("no-shell")),
        PortSetting::Variable { name, .. } if name == "PORT" => Some(Ok(())),
        PortSetting::Variable { .. } | PortSetting::Unsaid => None,
        PortSetting::Literal { port } if !config.ports.is_empty() => {
            Some(if config.ports.iter().any(|map| map.local == *port) { Ok(()) } else { Err("not-mapped") })
        }
        PortSetting::Literal { .. } if PORT_INJECTING.contains(&config.platform.as_str()) => {
            Some(Err("port-ignored"))
        }
        PortSetting::Literal { .. } => None,
    }
}

/// Whether a `module:attribute` of the start command is the file that was found to define the application.
fn start_target(start: &StartCommand, snapshot: &ProjectSnapshot) -> Option<&'static str> {
    let entry = snapshot.entry.as_ref()?;
    let target = start.raw.split([' ', '\'', '"', ',', '[', ']']).find(|word| {
        word.split_once(':').is_some_and(|(module, attribute)| {
            let name = |text: &str| {
                !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.')
            };
            let starts = |text: &str| text.starts_with(|c: char| c.is_alphabetic() || c == '_');
            name(module) && starts(module) && starts(attribute) && name(attribute.trim_end_matches("()"))
        })
    })?;
    let (module, attribute) = target.split_once(':')?;
    let file = format!("{}.py", module.replace('.', "/"));
    let package = format!("{}/__init__.py", module.replace('.', "/"));
    let same_file = entry.path == file || entry.path == package;
    // A factory makes the object that was found, under a name of its own.
    let factory = attribute.ends_with("()") || start.raw.contains("--factory");
    let same_name = factory || entry.defines.as_deref().is_none_or(|name| attribute == name);
    Some(if same_file && same_name { "ok" } else { "differs" })
}

/// Files that a commit would add or change. A file of settings stays out of version control on purpose, whether or not an
/// ignore rule says so.
pub(crate) fn open_files(git: &GitState) -> impl Iterator<Item = &str> {
    let untracked = git.untracked.iter().map(String::as_str).filter(|path| !holds_settings(path));
    git.uncommitted.iter().map(String::as_str).chain(untracked)
}

/// `.env`, `.env.local` and their like; not the examples of them, which are published.
fn holds_settings(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let example = ["example", "sample", "template", "dist"].iter().any(|word| name.contains(word));
    (name == ".env" || name.starts_with(".env.")) && !example
}

fn repository(git: &GitState, id: &ObservationId, facts: &mut Facts) {
    let id = || [id.clone()];
    if let Some(branch) = &git.branch {
        facts.known(FactKey::GitBranch, "", branch.as_str(), id());
        facts.known(FactKey::GitMainBranch, "", matches!(branch.as_str(), "main" | "master"), id());
    }
    if let Some(ahead) = git.ahead {
        facts.known(FactKey::GitAhead, "", i64::from(ahead), id());
    }
    if let Some(behind) = git.behind {
        facts.known(FactKey::GitBehind, "", i64::from(behind), id());
    }
    let changed = open_files(git).count();
    facts.known(FactKey::GitUncommitted, "", i64::try_from(changed).unwrap_or(i64::MAX), id());
    match git.ahead {
        _ if changed > 0 => {
            facts.known(FactKey::GitClean, "", "no", id());
        }
        Some(ahead) => {
            facts.known(FactKey::GitClean, "", ahead == 0, id());
        }
        None => {
            let why = Why::Undecided("the branch has no upstream to compare with".to_owned());
            facts.unknown(FactKey::GitClean, "", why, id());
        }
    }
}

/// The last change of the port that production binds.
fn history(git: &GitState, config: &DeployConfig, id: &ObservationId, facts: &mut Facts) {
    let id = || [id.clone()];
    let changed = |change: &&HistoricChange| match (&change.start_before, &change.start_after) {
        (Some(before), Some(after)) => before.bind_port != after.bind_port,
        _ => false,
    };
    let Some(change) = git.deploy_history.iter().filter(|c| c.file == config.file).find(changed) else {
        return;
    };
    let (Some(before), Some(after)) = (&change.start_before, &change.start_after) else { return };
    let bind = |start: &StartCommand| match &start.bind_host {
        Some(host) => format!("{host}:{}", start.bind_port),
        None => start.bind_port.to_string(),
    };
    facts.known(FactKey::HistoryBindChange, "", format!("{} → {}", bind(before), bind(after)), id());
    facts.known(FactKey::HistoryBindCommit, "", change.commit.as_str(), id());
    facts.known(FactKey::HistoryPortBefore, "", before.bind_port.to_string(), id());
    if let Some(fits) = port_fits(before, config) {
        facts.known(FactKey::HistoryLiteralWorks, "", fits.is_ok(), id());
    }
}

/// Another host of the project that is almost the audited one: one of the two may be a slip of the pen.
fn near_host(evidence: &Evidence, snapshot: &ProjectSnapshot, id: &ObservationId, facts: &mut Facts) {
    let Some(host) = evidence.target.production.as_ref().and_then(|url| url.domain()) else { return };
    let near =
        snapshot.deploy.iter().filter_map(|config| config.default_host.as_deref()).filter(|other| {
            *other != host && other.len() <= 253 && edit_distance(other, host) <= NEAR_LETTERS
        });
    facts.known_list(FactKey::HostNear, "", near.map(str::to_owned), [id.clone()]);
}

#[cfg(test)]
mod tests {
    use landfall_evidence::{ProjectSign, SettingRead};

    use super::*;
    use crate::catalogue::Catalogue;
    use crate::testkit::World;

    /// A variable that the example leaves out is no reason for a failure where the deploy configuration sets it.
    #[test]
    fn what_nobody_names_is_told_from_what_the_example_alone_leaves_out() {
        let nowhere = |undeclared: &str| {
            let read = |name: &str| SettingRead {
                name: name.to_owned(),
                place: "app.py:1".to_owned(),
                has_default: false,
            };
            let deploy: DeployConfig = serde_json::from_value(serde_json::json!({
                "file": "compose.prod.yml", "platform": "docker-compose", "stage": "production", "start": null,
                "ports": [], "health_path": null, "sets": ["DATABASE_URL"], "default_host": null,
            }))
            .expect("a deploy configuration");
            let mut snapshot = ProjectSnapshot {
                deploy: vec![deploy],
                signs: vec![ProjectSign::new(SignWord::EnvNotDeclared, ".env.example", undeclared)],
                ..ProjectSnapshot::default()
            };
            snapshot.settings.read = vec![read("DATABASE_URL"), read("WAREHOUSE_TOKEN")];
            let mut world = World::new("https://api.example.test");
            world.project(snapshot);
            let facts = Facts::derive(&world.build(), Catalogue::embedded());
            let told = |key| facts.get(key, "").and_then(|fact| fact.known()).map(ToString::to_string);
            assert_eq!(told(FactKey::EnvUnset).as_deref(), Some("WAREHOUSE_TOKEN"));
            told(FactKey::EnvNowhere)
        };
        assert_eq!(nowhere("DATABASE_URL"), None);
        assert_eq!(nowhere("WAREHOUSE_TOKEN").as_deref(), Some("WAREHOUSE_TOKEN"));
    }
}
