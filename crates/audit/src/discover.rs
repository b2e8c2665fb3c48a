//! What a project folder says of the target, for `landfall init`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use landfall_evidence::{DeployStage, PortSetting, ProjectSnapshot, Target};
use serde::Deserialize;
use url::Url;

use crate::plan::Plan;

/// What a folder shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovered {
    /// The target, with what the folder names filled in.
    pub target: Target,
    /// The project's test command.
    pub test_command: Option<String>,
}

/// Reads the plan's project folder. What it does not show stays empty.
pub fn discover(plan: &Plan) -> Discovered {
    let mut target = plan.target.clone();
    let root = target.project.clone().unwrap_or_else(|| ".".into());
    let read = landfall_project::read(Path::new(&root));
    if let Some(snapshot) = read.present() {
        if target.endpoints.is_empty() {
            target.endpoints = landfall_project::endpoints(snapshot);
        }
        target.local = target.local.or_else(|| local(snapshot));
        target.origin = target.origin.or_else(|| origin(snapshot));
        target.edge = target.edge.or_else(|| edge(snapshot));
        // Without a name of its own, the deployment's public name is the platform's.
        target.production =
            target.production.or_else(|| production(Path::new(&root))).or_else(|| target.origin.clone());
        if target.production == target.origin {
            target.origin = None;
        }
    }
    Discovered { target, test_command: landfall_project::test_command(Path::new(&root)) }
}

/// Ports on which frameworks serve in development when nothing says otherwise: catalogue/project/framework-ports.toml.
static USUAL: LazyLock<BTreeMap<String, u16>> = LazyLock::new(|| {
    let catalogue: Ports = toml::from_str(include_str!("../../../catalogue/project/framework-ports.toml"))
        .expect("the catalogue is part of the program and covered by tests");
    catalogue.framework.into_iter().map(|usual| (usual.name, usual.port)).collect()
});

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ports {
    framework: Vec<UsualPort>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UsualPort {
    name: String,
    port: u16,
    /// For whoever reads the catalogue.
    #[cfg_attr(not(test), expect(dead_code, reason = "only its presence is looked at"))]
    source: String,
}

/// The development server's port: the one that a start command names, development's before production's, else the one
/// that the framework uses by itself.
fn local(snapshot: &ProjectSnapshot) -> Option<Url> {
    let of_stage = |stage: DeployStage| {
        let configs = snapshot.deploy.iter().filter(move |d| d.stage == stage);
        configs.filter_map(|d| d.start.as_ref()).find_map(|start| match start.bind_port {
            PortSetting::Literal { port } => Some(port),
            PortSetting::Variable { default, .. } => default,
            PortSetting::Unsaid => None,
        })
    };
    let usual = || {
        let framework = snapshot.stacks.iter().find_map(|s| s.framework.as_ref())?;
        let name = framework.name.to_ascii_lowercase();
        USUAL.get(&name).copied()
    };
    let port =
        of_stage(DeployStage::Development).or_else(|| of_stage(DeployStage::Production)).or_else(usual)?;
    Url::parse(&format!("http://127.0.0.1:{port}")).ok()
}

/// The public name that the deploy files give the project, when they agree on one.
fn production(root: &Path) -> Option<Url> {
    let named = landfall_project::domains(root);
    Url::parse(&format!("https://{}", named.first()?.host)).ok()
}

/// The edge that a deploy file speaks of.
fn edge(snapshot: &ProjectSnapshot) -> Option<String> {
    let worker = snapshot.deploy.iter().any(|d| d.platform == "cloudflare-workers");
    worker.then(|| "cloudflare".to_owned())
}

/// The platform's own name, when a deploy configuration lets it be known.
fn origin(snapshot: &ProjectSnapshot) -> Option<Url> {
    let host = snapshot.deploy.iter().find_map(|d| d.default_host.as_deref())?;
    Url::parse(&format!("https://{host}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_framework_has_one_port_and_a_source() {
        let catalogue: Ports =
            toml::from_str(include_str!("../../../catalogue/project/framework-ports.toml"))
                .expect("it is read");
        assert_eq!(catalogue.framework.len(), USUAL.len(), "a name stands twice");
        for usual in catalogue.framework {
            assert!(usual.port > 1_000 && usual.source.contains('.'), "{}", usual.name);
            assert_eq!(usual.name, usual.name.to_ascii_lowercase());
        }
    }
}
