//! Deploy configurations: how each platform is told to start the application, and on which port.

pub(crate) mod blueprint;
mod cluster;
mod docker;
mod hosts_of_own;
mod other;
mod replit;

use std::collections::BTreeMap;

use landfall_evidence::{DeployConfig, DeployStage, PortMap, PortSetting};

use crate::command::{Parsed, parse_shell};
use crate::tree::{Tree, file_name, parent};

/// A configuration with what the evidence has no field for.
pub(crate) struct Deploy {
    pub(crate) config: DeployConfig,
    /// What the start command serves: `run:app`.
    pub(crate) target: Option<String>,
    /// Variables with the values that the file itself gives them. They reach a process that is started on request, and
    /// no evidence.
    pub(crate) values: BTreeMap<String, String>,
}

impl std::fmt::Debug for Deploy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deploy")
            .field("config", &self.config)
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

impl Deploy {
    pub(crate) fn new(file: &str, platform: &str, stage: DeployStage) -> Self {
        Self {
            config: DeployConfig {
                file: file.to_owned(),
                platform: platform.to_owned(),
                stage,
                start: None,
                ports: Vec::new(),
                health_path: None,
                sets: Vec::new(),
                sets_all: false,
                default_host: None,
                build: None,
                root: None,
                regions: Vec::new(),
                replicas: None,
            },
            target: None,
            values: BTreeMap::new(),
        }
    }

    /// Whether it is the file of a folder inside a monorepo.
    pub(crate) fn is_member(&self) -> bool {
        let folder = parent(&self.config.file);
        !folder.is_empty() && self.config.root.as_deref() == Some(folder)
    }

    fn start(&mut self, parsed: Parsed) {
        self.target = parsed.target;
        self.config.start = Some(parsed.start);
    }

    /// Values that the file itself gives to variables serve as their defaults in the start command: the platform may
    /// still set another value.
    fn defaults(&mut self, values: &BTreeMap<String, String>) {
        self.values.extend(values.iter().map(|(name, value)| (name.clone(), value.clone())));
        let Some(start) = &mut self.config.start else { return };
        if let PortSetting::Variable { name, default: default @ None } = &mut start.bind_port {
            *default = values.get(name).and_then(|value| value.parse().ok());
        }
        for setting in &mut start.settings {
            if let (None, Some(variable)) = (&setting.value, &setting.variable) {
                setting.value = values.get(variable).cloned();
            }
        }
    }
}

/// The names under which Compose looks for its file by itself.
pub(crate) const COMPOSE: &[&str] =
    &["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
/// The names by which teams tell the file of production apart; it is named with `docker compose -f`.
pub(crate) const COMPOSE_PRODUCTION: &[&str] = &[
    "compose.prod.yaml",
    "compose.prod.yml",
    "compose.production.yaml",
    "compose.production.yml",
    "docker-compose.prod.yml",
    "docker-compose.prod.yaml",
    "docker-compose.production.yml",
    "docker-compose.production.yaml",
];

type Reader = fn(&str, &str) -> Result<Vec<Deploy>, String>;

/// The files that we read, with their readers, in the order in which they are reported.
const FILES: &[(&str, Reader)] = &[
    (".replit", replit::read),
    ("Procfile", other::procfile),
    ("Dockerfile", docker::read),
    ("fly.toml", other::fly),
    ("railway.toml", other::railway_toml),
    ("railway.json", other::railway_json),
    ("nixpacks.toml", other::nixpacks),
    ("vercel.json", other::vercel),
    ("netlify.toml", other::netlify),
    ("wrangler.toml", other::wrangler),
    ("wrangler.json", other::wrangler_json),
    ("wrangler.jsonc", other::wrangler_json),
    ("app.json", other::app_json),
    ("render.yaml", blueprint::render),
    ("heroku.yml", blueprint::heroku),
    ("app.yaml", blueprint::app_engine),
    ("compose.yaml", blueprint::compose),
    ("compose.yml", blueprint::compose),
    ("docker-compose.yml", blueprint::compose),
    ("docker-compose.yaml", blueprint::compose),
    (".do/app.yaml", blueprint::app_platform),
    (".do/deploy.template.yaml", blueprint::app_platform),
    ("config/deploy.yml", blueprint::kamal),
    ("Caddyfile", hosts_of_own::caddy),
];

/// The reader of a file that may lie anywhere, by its name and neighbours.
fn by_kind(tree: &Tree, path: &str) -> Option<Reader> {
    let name = file_name(path);
    let folder = parent(path);
    if name.ends_with(".service") {
        return Some(hosts_of_own::systemd);
    }
    if COMPOSE_PRODUCTION.contains(&name) {
        return Some(blueprint::compose);
    }
    if name == "Caddyfile" && !folder.is_empty() {
        return Some(hosts_of_own::caddy);
    }
    let under = |word: &str| folder.split('/').any(|part| part == word);
    if name == "nginx.conf"
        || (name.ends_with(".conf") && (under("nginx") || under("conf.d") || under("sites-enabled")))
    {
        return Some(hosts_of_own::nginx);
    }
    // Values without a chart beside them are some other program's.
    (name == "values.yaml" && tree.has(&format!("{}Chart.yaml", path.trim_end_matches("values.yaml"))))
        .then_some(cluster::helm as Reader)
}

/// Files of these kinds that are read.
const MAX_BY_KIND: usize = 40;
/// Folders of a monorepo whose own deploy files are read.
const MAX_MEMBERS: usize = 40;

/// Folders in which Kubernetes manifests usually lie; templates of Helm are no YAML before they are rendered.
const MANIFEST_FOLDERS: &[&str] =
    &["", "k8s", "kubernetes", "manifests", "deploy", "deployment", "infra", ".k8s", "kube", "ops"];
/// Manifests read.
const MAX_MANIFESTS: usize = 40;

/// The names of the files whose history is a history of deployment.
pub(crate) fn file_names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, _)| *name)
}

/// Reads the text of one deploy file.
///
/// # Errors
/// In words, when the text is not what the format asks for.
pub(crate) fn parse(file: &str, text: &str) -> Result<Vec<Deploy>, String> {
    match FILES.iter().find(|(name, _)| *name == file) {
        Some((_, reader)) => reader(file, text).map_err(|reason| format!("{file}: {reason}")),
        None => Ok(Vec::new()),
    }
}

/// Reads all deploy files of a project.
pub(crate) fn read(tree: &Tree, unread: &mut Vec<String>) -> Vec<Deploy> {
    let mut all = Vec::new();
    for name in file_names() {
        match tree.text(name) {
            Some(Ok(text)) => match parse(name, &text) {
                Ok(found) => all.extend(found),
                Err(reason) => unread.push(reason),
            },
            Some(Err(reason)) => unread.push(reason),
            None => {}
        }
    }
    for file in tree.files.iter().filter(|f| !f.ignored).map(|f| f.path.as_str()) {
        let Some(reader) = by_kind(tree, file) else { continue };
        if all.len() > MAX_BY_KIND {
            break;
        }
        match tree
            .text(file)
            .map(|text| text.and_then(|text| reader(file, &text).map_err(|r| format!("{file}: {r}"))))
        {
            Some(Ok(found)) => all.extend(found),
            Some(Err(reason)) => unread.push(reason),
            None => {}
        }
    }
    members(tree, &mut all, unread);
    let overlays = cluster::overlays(tree, unread);
    let parts: Vec<&str> = overlays.iter().flat_map(|o| &o.parts).map(String::as_str).collect();
    for (file, text) in manifests(tree).into_iter().filter(|(file, _)| !parts.contains(&file.as_str())) {
        match blueprint::kubernetes(&file, &text) {
            Ok(found) => all.extend(found),
            Err(reason) => unread.push(format!("{file}: {reason}")),
        }
    }
    all.extend(overlays.into_iter().flat_map(|o| o.deploys));
    // With no platform's file beside it, a compose file is what production is started by.
    let others = all
        .iter()
        .any(|d| !matches!(d.config.platform.as_str(), "docker" | "docker-compose" | "nginx" | "caddy"));
    let named = |deploy: &Deploy| COMPOSE_PRODUCTION.contains(&file_name(&deploy.config.file));
    let production = all.iter().any(named);
    for deploy in all.iter_mut().filter(|d| d.config.platform == "docker-compose") {
        if named(deploy) || !(others || production) {
            deploy.config.stage = DeployStage::Production;
        }
    }
    for deploy in &mut all {
        complete(deploy, tree);
    }
    all
}

/// The deploy files of a monorepo's members: folders at most two levels down that hold a manifest of their own. What
/// they start lies in their folder.
fn members(tree: &Tree, all: &mut Vec<Deploy>, unread: &mut Vec<String>) {
    let mut folders: Vec<&str> = tree
        .files
        .iter()
        .filter(|f| !f.ignored && crate::stack::MANIFESTS.contains(&file_name(&f.path)))
        .map(|f| parent(&f.path))
        .filter(|folder| {
            !folder.is_empty()
                && folder.matches('/').count() < 2
                && !crate::source::is_test(&format!("{folder}/x"))
        })
        .collect();
    folders.dedup();
    folders.truncate(MAX_MEMBERS);
    for folder in folders {
        // Compose files and proxies of a folder are tools for working on it.
        for (name, reader) in FILES
            .iter()
            .filter(|(name, _)| !name.contains("compose") && !name.contains('/') && *name != "Caddyfile")
        {
            let file = format!("{folder}/{name}");
            let Some(text) = tree.text(&file) else { continue };
            match text.and_then(|text| reader(&file, &text).map_err(|reason| format!("{file}: {reason}"))) {
                Ok(found) => all.extend(found.into_iter().map(|mut deploy| {
                    deploy.config.root.get_or_insert_with(|| folder.to_owned());
                    deploy
                })),
                Err(reason) => unread.push(reason),
            }
        }
    }
}

/// Whether a file is a template of a Helm chart, which is no YAML before it is rendered.
fn is_chart_template(tree: &Tree, path: &str) -> bool {
    path.match_indices("templates/").any(|(at, _)| tree.has(&format!("{}Chart.yaml", &path[..at])))
}

/// The Kubernetes manifests of a project with their texts: YAML files whose documents name a kind and an API version.
pub(crate) fn manifests(tree: &Tree) -> Vec<(String, String)> {
    tree.files
        .iter()
        .filter(|f| !f.ignored && (f.path.ends_with(".yaml") || f.path.ends_with(".yml")))
        .filter(|f| MANIFEST_FOLDERS.contains(&parent(&f.path).split('/').next().unwrap_or_default()))
        .filter(|f| !is_chart_template(tree, &f.path))
        .filter_map(|f| Some((f.path.clone(), tree.text(&f.path)?.ok()?)))
        .filter(|(_, text)| {
            text.lines().any(|l| l.starts_with("kind:")) && text.lines().any(|l| l.starts_with("apiVersion:"))
        })
        .take(MAX_MANIFESTS)
        .collect()
}

/// Adds what the start command leaves to other files: `npm start` to package.json, gunicorn to gunicorn.conf.py.
fn complete(deploy: &mut Deploy, tree: &Tree) {
    let Some(start) = &mut deploy.config.start else { return };
    match start.server.as_deref() {
        Some("npm" | "yarn" | "pnpm") => {
            let Some(Ok(text)) = tree.text("package.json") else { return };
            let script = serde_json::from_str::<serde_json::Value>(&text)
                .ok()
                .and_then(|manifest| manifest.get("scripts")?.get("start")?.as_str().map(str::to_owned));
            if let Some(parsed) = script.as_deref().map(parse_shell).filter(|p| p.start.server.is_some()) {
                deploy.target = parsed.target;
                start.server = parsed.start.server;
                start.bind_host = start.bind_host.take().or(parsed.start.bind_host);
                if start.bind_port == PortSetting::Unsaid {
                    start.bind_port = parsed.start.bind_port;
                }
            }
        }
        Some("gunicorn") => {
            let named = start.settings.iter().find(|s| s.name == "config").and_then(|s| s.value.clone());
            let path = named.unwrap_or_else(|| "gunicorn.conf.py".to_owned());
            if let Some(Ok(text)) = tree.text(path.trim_start_matches("file:").trim_start_matches("./")) {
                other::gunicorn_conf(&text, start);
            }
        }
        _ => {}
    }
}

/// A port, when the number is one.
fn port(value: Option<i64>) -> Option<u16> {
    value.and_then(|v| u16::try_from(v).ok()).filter(|p| *p != 0)
}

fn port_map(local: Option<i64>, external: Option<i64>) -> Option<PortMap> {
    Some(PortMap { local: port(local)?, external: port(external)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree;

    #[test]
    fn a_file_that_cannot_be_parsed_is_named_and_the_others_are_read() {
        let (_dir, tree) =
            tree(&[(".replit", "run = ["), ("Procfile", "web: gunicorn run:app"), ("render.yaml", "a: b")]);
        let mut unread = Vec::new();
        let found = read(&tree, &mut unread);
        assert_eq!(found.len(), 1);
        assert!(unread[0].starts_with(".replit: line 1"), "{unread:?}");
        assert!(unread[1].starts_with("render.yaml: no `services`"), "{unread:?}");
    }

    #[test]
    fn npm_start_and_gunicorn_files_are_followed() {
        let (_dir, tree) = tree(&[
            ("Procfile", "web: npm start"),
            ("package.json", r#"{"scripts":{"start":"next start -p 8080"}}"#),
            ("Dockerfile", "FROM x\nCMD gunicorn run:app"),
            (
                "gunicorn.conf.py",
                "import os\nbind = \"0.0.0.0:\" + os.environ.get(\"PORT\", \"8000\")\nworkers = 3\ntimeout=60 # s\n",
            ),
        ]);
        let found = read(&tree, &mut Vec::new());
        let start = found[0].config.start.as_ref().unwrap();
        assert_eq!((start.server.as_deref(), start.bind_port.to_string().as_str()), (Some("next"), "8080"));
        let start = found[1].config.start.as_ref().unwrap();
        assert_eq!(start.bind_port, PortSetting::Variable { name: "PORT".into(), default: Some(8000) });
        assert_eq!(start.bind_host.as_deref(), Some("0.0.0.0"));
        let settings: Vec<_> = start.settings.iter().map(|s| (s.name.as_str(), s.value.as_deref())).collect();
        assert_eq!(settings, [("workers", Some("3")), ("timeout_s", Some("60"))]);
    }
}
