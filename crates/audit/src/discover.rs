//! What a project folder says of the target, for `landfall init`.

use std::path::Path;

use landfall_evidence::{DeployStage, PortSetting, ProjectSnapshot, Target};
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
    }
    Discovered { target, test_command: landfall_project::test_command(Path::new(&root)) }
}

/// The development server's port, when a start command names one.
fn local(snapshot: &ProjectSnapshot) -> Option<Url> {
    let development = snapshot.deploy.iter().filter(|d| d.stage == DeployStage::Development);
    let port = development.filter_map(|d| d.start.as_ref()).find_map(|start| match start.bind_port {
        PortSetting::Literal { port } => Some(port),
        PortSetting::Variable { default, .. } => default,
        PortSetting::Unsaid => None,
    })?;
    Url::parse(&format!("http://127.0.0.1:{port}")).ok()
}

/// The platform's own name, when a deploy configuration lets it be known.
fn origin(snapshot: &ProjectSnapshot) -> Option<Url> {
    let host = snapshot.deploy.iter().find_map(|d| d.default_host.as_deref())?;
    Url::parse(&format!("https://{host}")).ok()
}
