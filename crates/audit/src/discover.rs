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

/// Ports on which frameworks serve in development when nothing says otherwise, from their documentation.
const USUAL: &[(&str, u16)] = &[
    ("flask", 5000),
    ("django", 8000),
    ("fastapi", 8000),
    ("starlette", 8000),
    ("next", 3000),
    ("nuxt", 3000),
    ("express", 3000),
    ("fastify", 3000),
    ("koa", 3000),
    ("@nestjs/core", 3000),
    ("rails", 3000),
    ("sinatra", 4567),
    ("laravel/framework", 8000),
    ("symfony/framework-bundle", 8000),
    ("phoenix", 4000),
    ("org.springframework.boot:spring-boot-starter-web", 8080),
    ("org.springframework.boot:spring-boot-starter-webflux", 8080),
    ("io.quarkus:quarkus-rest", 8080),
    ("rocket", 8000),
    ("github.com/gin-gonic/gin", 8080),
];

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
        USUAL.iter().find(|(known, _)| *known == name).map(|(_, port)| *port)
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
