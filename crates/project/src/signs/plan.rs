//! What each deploy file says beyond the start command: build, output, root, branch, scale, environment, images.
//!
//! Sources: vercel.com/docs/project-configuration, docs.netlify.com/configure-builds/file-based-configuration,
//! render.com/docs/blueprint-spec, fly.io/docs/reference/configuration, docs.railway.com/reference/config-as-code,
//! docs.replit.com/replit-app/configuration, devcenter.heroku.com/articles/app-json-schema,
//! docs.github.com/actions/reference/workflow-syntax-for-github-actions.

use std::collections::BTreeMap;

use landfall_evidence::SignWord;
use serde_json::Value as Json;
use toml::{Table, Value as Toml};

use super::{Found, text};
use crate::deploy::blueprint::variables;
use crate::tree::{Tree, file_name, parent};
use crate::yaml::{Node, documents};

/// Workflows read.
const MAX_WORKFLOWS: usize = 30;

/// A text of a deploy file with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) text: String,
    pub(super) place: String,
}

/// What one deploy file says.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan {
    pub(super) file: String,
    pub(super) platform: &'static str,
    /// The command that builds.
    pub(super) build: Option<Said>,
    /// A command before the start: release, pre-deploy.
    pub(super) release: Option<Said>,
    /// The start command as written.
    pub(super) start: Option<Said>,
    /// The folder of the build's output.
    pub(super) output: Option<Said>,
    /// The folder to build in.
    pub(super) root: Option<Said>,
    /// A Dockerfile named by path.
    pub(super) dockerfile: Option<Said>,
    /// Branches that are deployed.
    pub(super) branches: Vec<Said>,
    /// Whether automatic deploys are off.
    pub(super) auto_off: Option<Said>,
    /// Fewest instances, where it is said.
    pub(super) least: Option<(i64, String)>,
    /// It serves files only.
    pub(super) is_static: Option<Said>,
    /// It runs functions.
    pub(super) functions: Option<Said>,
    /// A limit of functions.
    pub(super) limit: Option<Said>,
    /// Services that take web traffic.
    pub(super) web_services: Vec<Said>,
    /// Whether the file is one that must name something to start, and does.
    pub(super) starts: Option<bool>,
    /// Variables: names, with values that never leave this module's callers.
    pub(super) env: BTreeMap<String, String>,
    /// Images that are run, with their line.
    pub(super) images: Vec<Said>,
    /// Path filters of a trigger: (text, whether the text leaves out).
    pub(super) filters: Vec<(Said, bool)>,
    /// Whether it is a workflow of continuous integration, not a platform's file.
    pub(super) workflow: bool,
}

impl Plan {
    fn new(file: &str, platform: &'static str) -> Self {
        Self { file: file.to_owned(), platform, ..Self::default() }
    }
}

/// The line of the first `key` at the beginning of a word, for formats whose parsers keep no lines.
fn line_of(text: &str, key: &str) -> usize {
    text.lines().position(|line| line.contains(key)).map_or(1, |at| at + 1)
}

/// All plans of a project.
pub(super) fn read(tree: &Tree, found: &mut Found) -> Vec<Plan> {
    let mut plans = Vec::new();
    let invalid = |file: &str, reason: &str, found: &mut Found| {
        found.add(SignWord::DeployConfigInvalid, file, format!("{file}: {reason}"));
    };
    type TomlReader = fn(&str, &str, &Table) -> Plan;
    let toml_files: [(&str, TomlReader); 5] = [
        (".replit", replit),
        ("fly.toml", fly),
        ("railway.toml", railway_toml),
        ("netlify.toml", netlify),
        ("wrangler.toml", wrangler),
    ];
    for (file, reader) in toml_files {
        let Some(text) = text(tree, file) else { continue };
        match text.parse::<Table>() {
            Ok(table) => {
                plans.push(reader(file, &text, &table));
                for (key, wrong) in refused_toml(file, &table) {
                    let at = format!("{file}:{}", line_of(&text, &key));
                    found.add(SignWord::DeployConfigInvalid, at, wrong);
                }
            }
            Err(error) => {
                let before = error.span().and_then(|s| text.get(..s.start)).unwrap_or_default();
                let at = format!("{file}:{}", before.matches('\n').count() + 1);
                invalid(&at, error.message(), found);
            }
        }
    }
    type JsonReader = fn(&str, &str, &Json) -> Plan;
    let json_files: [(&str, JsonReader); 4] = [
        ("vercel.json", vercel),
        ("railway.json", railway_json),
        ("app.json", app_json),
        ("firebase.json", firebase),
    ];
    for (file, reader) in json_files {
        let Some(text) = text(tree, file) else { continue };
        match serde_json::from_str::<Json>(&text) {
            Ok(json) if json.is_object() => {
                if let Some(key) = repeated_key(&text) {
                    found.add(
                        SignWord::DeployConfigInvalid,
                        file,
                        format!("{file}: the key {key:?} stands there twice"),
                    );
                }
                for (key, wrong) in refused_json(file, &json) {
                    let at = format!("{file}:{}", line_of(&text, &format!("\"{key}\"")));
                    found.add(SignWord::DeployConfigInvalid, at, wrong);
                }
                plans.push(reader(file, &text, &json));
            }
            Ok(_) => invalid(file, "not a JSON object", found),
            Err(error) => invalid(&format!("{file}:{}", error.line()), &error.to_string(), found),
        }
    }
    type YamlReader = fn(&str, &Node) -> Vec<Plan>;
    let yaml_files: [(&str, YamlReader); 8] = [
        (".do/app.yaml", app_platform),
        ("render.yaml", render),
        ("heroku.yml", heroku),
        ("app.yaml", app_engine),
        ("compose.yaml", compose),
        ("compose.yml", compose),
        ("docker-compose.yml", compose),
        ("docker-compose.yaml", compose),
    ];
    for (file, reader) in yaml_files {
        let Some(text) = text(tree, file) else { continue };
        match documents(&text) {
            Ok(all) => {
                for document in &all {
                    for (line, wrong) in refused_yaml(file, document) {
                        found.add(SignWord::DeployConfigInvalid, format!("{file}:{line}"), wrong);
                    }
                    plans.extend(reader(file, document));
                }
            }
            Err(reason) => invalid(file, &reason, found),
        }
    }
    if let Some(text) = text(tree, "Procfile") {
        plans.push(procfile("Procfile", &text, found));
    }
    for (file, text) in crate::deploy::manifests(tree) {
        match documents(&text) {
            Ok(all) => plans.extend(all.iter().filter_map(|d| kubernetes(&file, d))),
            Err(reason) => invalid(&file, &reason, found),
        }
    }
    let workflows = tree.files.iter().filter(|f| {
        parent(&f.path) == ".github/workflows" && (f.path.ends_with(".yml") || f.path.ends_with(".yaml"))
    });
    for file in workflows.take(MAX_WORKFLOWS) {
        let Some(text) = text(tree, &file.path) else { continue };
        match documents(&text) {
            Ok(all) => plans.extend(all.iter().filter_map(|d| workflow(&file.path, d))),
            Err(reason) => invalid(&file.path, &reason, found),
        }
    }
    misplaced(tree, found);
    plans
}

/// Files that carry a deploy file's name with another spelling or in another folder.
fn misplaced(tree: &Tree, found: &mut Found) {
    const NAMES: &[(&str, &[&str])] = &[
        ("Procfile", &["procfile", "Procfile.txt", "ProcFile", "PROCFILE"]),
        ("render.yaml", &["render.yml", "Render.yaml"]),
        ("heroku.yml", &["heroku.yaml"]),
        ("Dockerfile", &["dockerfile", "DockerFile", "Dockerfile.txt"]),
        ("fly.toml", &["Fly.toml", "fly.tml"]),
        ("vercel.json", &["Vercel.json", "now.json"]),
        ("runtime.txt", &["Runtime.txt"]),
    ];
    for (right, others) in NAMES {
        for name in others.iter().filter(|name| tree.has(name) && !tree.has(right)) {
            let detail = format!("{name} is not read: its platform looks for {right}");
            found.add_about(SignWord::DeployConfigMisplaced, *name, detail, name, Some(right));
        }
    }
    let workflow = |f: &&crate::tree::FileInfo| {
        let folder = parent(&f.path);
        (folder == ".github/workflow" || folder == "workflows" || folder == ".github")
            && (f.path.ends_with(".yml") || f.path.ends_with(".yaml"))
            && matches!(
                file_name(&f.path).split('.').next(),
                Some("deploy" | "ci" | "main" | "build" | "release")
            )
    };
    for file in tree.files.iter().filter(workflow).take(5) {
        let name = file.path.as_str();
        let detail = format!("{name} is not read: workflows lie in .github/workflows");
        found.add_about(SignWord::DeployConfigMisplaced, name, detail, name, None);
    }
}

/// Keys of TOML files whose type their platform refuses.
fn refused_toml(file: &str, root: &Table) -> Vec<(String, String)> {
    let mut wrong = Vec::new();
    let mut want = |key: &str, value: Option<&Toml>, fits: fn(&Toml) -> bool, what: &str| {
        if value.is_some_and(|value| !fits(value)) {
            wrong.push((key.to_owned(), format!("{file}: {key} is to be {what}")));
        }
    };
    let number: fn(&Toml) -> bool = |v| v.as_integer().is_some_and(|n| (0..=65_535).contains(&n));
    let words: fn(&Toml) -> bool = |v| v.is_str() || v.as_array().is_some_and(|a| a.iter().all(Toml::is_str));
    match file {
        "fly.toml" => {
            want("app", root.get("app"), Toml::is_str, "a text");
            let service = root.get("http_service");
            want("internal_port", service.and_then(|s| s.get("internal_port")), number, "a port number");
            want("force_https", service.and_then(|s| s.get("force_https")), Toml::is_bool, "true or false");
            want(
                "min_machines_running",
                service.and_then(|s| s.get("min_machines_running")),
                Toml::is_integer,
                "a number",
            );
            let env = root.get("env").and_then(Toml::as_table);
            for (name, value) in env.into_iter().flatten() {
                want(name, Some(value), |v| !v.is_table() && !v.is_array(), "a plain value");
            }
            want("processes", root.get("processes"), Toml::is_table, "a table");
        }
        "railway.toml" => {
            let deploy = root.get("deploy");
            want("startCommand", deploy.and_then(|d| d.get("startCommand")), Toml::is_str, "a text");
            want("healthcheckPath", deploy.and_then(|d| d.get("healthcheckPath")), Toml::is_str, "a text");
            want(
                "healthcheckTimeout",
                deploy.and_then(|d| d.get("healthcheckTimeout")),
                Toml::is_integer,
                "a number of seconds",
            );
        }
        ".replit" => {
            want("run", root.get("run"), words, "a text or a list of words");
            want("deployment", root.get("deployment"), Toml::is_table, "a table");
            want("ports", root.get("ports"), Toml::is_array, "a list of tables ([[ports]])");
            let deployment = root.get("deployment");
            want("deployment.run", deployment.and_then(|d| d.get("run")), words, "a text or a list of words");
        }
        "netlify.toml" => want("build", root.get("build"), Toml::is_table, "a table"),
        _ => {}
    }
    wrong
}

/// Top-level keys that vercel.json may hold (vercel.com/docs/project-configuration); others stop the deploy.
const VERCEL_KEYS: &[&str] = &[
    "$schema",
    "alias",
    "build",
    "buildCommand",
    "builds",
    "bunVersion",
    "cleanUrls",
    "crons",
    "customErrorPage",
    "devCommand",
    "env",
    "experimentalServices",
    "fluid",
    "framework",
    "functionFailoverRegions",
    "functions",
    "git",
    "github",
    "headers",
    "ignoreCommand",
    "images",
    "installCommand",
    "name",
    "outputDirectory",
    "passiveRegions",
    "probes",
    "public",
    "redirects",
    "regions",
    "relatedProjects",
    "rewrites",
    "routes",
    "scope",
    "services",
    "trailingSlash",
    "version",
    "wildcard",
];

fn refused_json(file: &str, root: &Json) -> Vec<(String, String)> {
    let mut wrong = Vec::new();
    if file == "vercel.json" {
        for key in root.as_object().into_iter().flatten().map(|(key, _)| key) {
            if !VERCEL_KEYS.contains(&key.as_str()) {
                wrong.push((
                    key.clone(),
                    format!("{file}: {key} is no key of its schema, and a deploy with it is refused"),
                ));
            }
        }
        type Typed<'t> = (&'t str, fn(&Json) -> bool, &'t str);
        let typed: [Typed<'_>; 5] = [
            ("rewrites", Json::is_array, "a list"),
            ("redirects", Json::is_array, "a list"),
            ("headers", Json::is_array, "a list"),
            ("functions", Json::is_object, "an object"),
            ("buildCommand", |v| v.is_string() || v.is_null(), "a text"),
        ];
        for (key, fits, what) in typed {
            if root.get(key).is_some_and(|value| !fits(value)) {
                wrong.push((key.to_owned(), format!("{file}: {key} is to be {what}")));
            }
        }
        if root.get("functions").is_some() && root.get("builds").is_some() {
            // vercel.com/docs/errors/error-list, "Conflicting functions and builds configuration".
            wrong.push(("builds".to_owned(), format!("{file}: builds cannot stand beside functions")));
        }
        if root.get("routes").is_some() {
            // "routes" with one of the newer keys is refused (vercel.com/docs/project-configuration#routes).
            for key in ["rewrites", "redirects", "headers", "cleanUrls", "trailingSlash"] {
                if root.get(key).is_some() {
                    wrong.push((key.to_owned(), format!("{file}: {key} cannot stand beside routes")));
                }
            }
        }
    }
    wrong
}

fn refused_yaml(file: &str, root: &Node) -> Vec<(usize, String)> {
    let mut wrong = Vec::new();
    match file {
        "render.yaml" => {
            for service in root.get("services").map(Node::items).unwrap_or_default() {
                let kind = service.get("type").and_then(Node::text);
                match kind {
                    None => wrong.push((service.line, format!("{file}: a service without a type"))),
                    Some("web" | "worker" | "pserv" | "cron" | "static" | "keyvalue" | "redis") => {}
                    Some(other) => {
                        wrong.push((service.line, format!("{file}: {other} is no type of service")))
                    }
                }
                if service.get("name").is_none() {
                    wrong.push((service.line, format!("{file}: a service without a name")));
                }
                let built = ["runtime", "env", "image"].iter().any(|key| service.get(key).is_some());
                if matches!(kind, Some("web" | "worker" | "pserv" | "cron")) && !built {
                    wrong.push((service.line, format!("{file}: a service without a runtime")));
                }
            }
            if root.get("services").is_some_and(|s| s.items().is_empty()) {
                wrong.push((root.line, format!("{file}: services is to be a list")));
            }
        }
        "compose.yaml" | "compose.yml" | "docker-compose.yml" | "docker-compose.yaml" => {
            for (name, service) in root.get("services").map(Node::entries).unwrap_or_default() {
                if service.get("image").is_none()
                    && service.get("build").is_none()
                    && service.get("extends").is_none()
                {
                    wrong.push((
                        service.line,
                        format!("{file}: the service {name} has neither image nor build"),
                    ));
                }
            }
        }
        _ => {}
    }
    wrong
}

/// A key that a JSON object holds twice at its top: parsers keep the last and say nothing.
fn repeated_key(text: &str) -> Option<String> {
    struct Top(Option<String>);
    let mut seen = std::collections::BTreeSet::new();
    let mut repeated = Top(None);
    let (mut depth, mut chars) = (0_usize, text.char_indices().peekable());
    while let Some((at, c)) = chars.next() {
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            '"' => {
                let mut end = at + 1;
                while let Some((next, inner)) = chars.next() {
                    end = next;
                    match inner {
                        '\\' => {
                            chars.next();
                        }
                        '"' => break,
                        _ => {}
                    }
                }
                let key = text.get(at + 1..end).unwrap_or_default();
                let after = text.get(end + 1..).unwrap_or_default().trim_start();
                if depth == 1 && after.starts_with(':') && !seen.insert(key.to_owned()) {
                    repeated.0.get_or_insert_with(|| key.to_owned());
                }
            }
            _ => {}
        }
    }
    repeated.0
}

fn toml_text(value: Option<&Toml>) -> Option<String> {
    match value? {
        Toml::String(text) => Some(text.clone()),
        Toml::Array(words) => {
            let words: Vec<&str> = words.iter().filter_map(Toml::as_str).collect();
            (!words.is_empty()).then(|| words.join(" "))
        }
        _ => None,
    }
}

fn toml_env(value: Option<&Toml>) -> BTreeMap<String, String> {
    let table = value.and_then(Toml::as_table);
    table
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect()
}

fn replit(file: &str, text: &str, root: &Table) -> Plan {
    let mut plan = Plan::new(file, "replit");
    let said = |key: &str, value: Option<String>| {
        Some(Said { text: value?, place: format!("{file}:{}", line_of(text, key)) })
    };
    let deployment = root.get("deployment").and_then(Toml::as_table);
    let of = |key: &str| deployment.and_then(|d| d.get(key));
    plan.build = said("build", toml_text(of("build")));
    plan.start = said("run", toml_text(of("run")));
    let target = toml_text(of("deploymentTarget"));
    if target.as_deref() == Some("static") {
        plan.is_static = said("deploymentTarget", target.clone());
        plan.output = said("publicDir", toml_text(of("publicDir")));
    }
    plan.starts = deployment.map(|_| plan.start.is_some() || plan.is_static.is_some());
    plan.env = toml_env(root.get("env"));
    plan.env.extend(toml_env(of("env")));
    plan
}

fn fly(file: &str, text: &str, root: &Table) -> Plan {
    let mut plan = Plan::new(file, "fly");
    let said = |key: &str, value: Option<String>| {
        Some(Said { text: value?, place: format!("{file}:{}", line_of(text, key)) })
    };
    let build = root.get("build");
    plan.dockerfile = said("dockerfile", toml_text(build.and_then(|b| b.get("dockerfile"))));
    plan.images.extend(said("image", toml_text(build.and_then(|b| b.get("image")))));
    plan.release =
        said("release_command", toml_text(root.get("deploy").and_then(|d| d.get("release_command"))));
    let service = root.get("http_service");
    plan.least = service
        .and_then(|s| s.get("min_machines_running"))
        .and_then(Toml::as_integer)
        .map(|n| (n, format!("{file}:{}", line_of(text, "min_machines_running"))));
    plan.env = toml_env(root.get("env"));
    plan
}

fn railway_toml(file: &str, text: &str, root: &Table) -> Plan {
    let json = serde_json::to_value(root).unwrap_or_default();
    railway(file, text, &json)
}

fn railway_json(file: &str, text: &str, root: &Json) -> Plan {
    railway(file, text, root)
}

fn railway(file: &str, text: &str, root: &Json) -> Plan {
    let mut plan = Plan::new(file, "railway");
    let said = |table: &str, key: &str| {
        let value = root.get(table)?.get(key)?;
        let words =
            || value.as_array().map(|a| a.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(" && "));
        let value = value.as_str().map(str::to_owned).or_else(words)?;
        Some(Said { text: value, place: format!("{file}:{}", line_of(text, key)) })
    };
    plan.build = said("build", "buildCommand");
    plan.start = said("deploy", "startCommand");
    plan.release = said("deploy", "preDeployCommand");
    plan.dockerfile = said("build", "dockerfilePath");
    let deploy = |key: &str| root.get("deploy").and_then(|d| d.get(key));
    if deploy("sleepApplication").and_then(Json::as_bool) == Some(true) {
        plan.least = Some((0, format!("{file}:{}", line_of(text, "sleepApplication"))));
    }
    if let Some(n) = deploy("numReplicas").and_then(Json::as_i64) {
        plan.least.get_or_insert((n, format!("{file}:{}", line_of(text, "numReplicas"))));
    }
    let patterns = root.get("build").and_then(|b| b.get("watchPatterns")).and_then(Json::as_array);
    for pattern in patterns.into_iter().flatten().filter_map(Json::as_str) {
        let said =
            Said { text: pattern.to_owned(), place: format!("{file}:{}", line_of(text, "watchPatterns")) };
        plan.filters.push((said, false));
    }
    plan
}

fn netlify(file: &str, text: &str, root: &Table) -> Plan {
    let mut plan = Plan::new(file, "netlify");
    let build = root.get("build");
    let said = |key: &str| {
        Some(Said {
            text: toml_text(build.and_then(|b| b.get(key)))?,
            place: format!("{file}:{}", line_of(text, key)),
        })
    };
    plan.build = said("command");
    plan.output = said("publish");
    plan.root = said("base");
    plan.env = toml_env(build.and_then(|b| b.get("environment")));
    let functions = root.get("functions").is_some() || build.and_then(|b| b.get("functions")).is_some();
    let at = Said { text: "netlify".to_owned(), place: file.to_owned() };
    if functions {
        plan.functions = Some(at);
    } else {
        plan.is_static = Some(at);
    }
    plan
}

fn wrangler(file: &str, text: &str, root: &Table) -> Plan {
    let mut plan = Plan::new(file, "cloudflare-workers");
    let said = |key: &str, value: Option<&Toml>| {
        Some(Said { text: toml_text(value)?, place: format!("{file}:{}", line_of(text, key)) })
    };
    plan.output = said("pages_build_output_dir", root.get("pages_build_output_dir"));
    plan.functions = said("main", root.get("main"));
    plan.env = toml_env(root.get("vars"));
    plan
}

fn vercel(file: &str, text: &str, root: &Json) -> Plan {
    let mut plan = Plan::new(file, "vercel");
    let at = |key: &str| format!("{file}:{}", line_of(text, &format!("\"{key}\"")));
    let said = |key: &str| Some(Said { text: root.get(key)?.as_str()?.to_owned(), place: at(key) });
    plan.build = said("buildCommand");
    plan.output = said("outputDirectory");
    let builds = root.get("builds").and_then(Json::as_array);
    let uses: Vec<&str> = builds.into_iter().flatten().filter_map(|b| b.get("use")?.as_str()).collect();
    let functions = root.get("functions").and_then(Json::as_object);
    if let Some(functions) = functions {
        for limits in functions.values() {
            for key in ["maxDuration", "memory"] {
                if let Some(limit) = limits.get(key) {
                    plan.limit = Some(Said { text: format!("{key} {limit}"), place: at(key) });
                    break;
                }
            }
        }
    }
    if functions.is_some() || uses.iter().any(|u| *u != "@vercel/static" && *u != "@vercel/static-build") {
        let key = if functions.is_some() { "functions" } else { "builds" };
        plan.functions = Some(Said { text: "vercel".to_owned(), place: at(key) });
    } else if !uses.is_empty() {
        plan.is_static = Some(Said { text: uses.join(", "), place: at("builds") });
    } else if plan.output.is_some() {
        plan.is_static =
            plan.output.as_ref().map(|o| Said { text: "vercel".to_owned(), place: o.place.clone() });
    }
    match root.get("git").and_then(|g| g.get("deploymentEnabled")) {
        Some(Json::Bool(false)) => {
            plan.auto_off =
                Some(Said { text: "deploymentEnabled: false".to_owned(), place: at("deploymentEnabled") });
        }
        Some(Json::Object(branches)) => {
            for (branch, _) in branches.iter().filter(|(_, on)| on.as_bool() == Some(false)) {
                plan.auto_off = Some(Said {
                    text: format!("deploymentEnabled: {branch} is off"),
                    place: at("deploymentEnabled"),
                });
            }
        }
        _ => {}
    }
    for key in ["env", "build"] {
        let table = root.get(key).and_then(|b| if key == "build" { b.get("env") } else { Some(b) });
        for (name, value) in table.and_then(Json::as_object).into_iter().flatten() {
            plan.env.insert(name.clone(), value.as_str().unwrap_or_default().to_owned());
        }
    }
    plan
}

fn firebase(file: &str, text: &str, root: &Json) -> Plan {
    let mut plan = Plan::new(file, "firebase-hosting");
    let hosting = root.get("hosting").map(|h| h.as_array().and_then(|a| a.first()).unwrap_or(h));
    let public = hosting.and_then(|h| h.get("public")).and_then(Json::as_str);
    plan.output =
        public.map(|p| Said { text: p.to_owned(), place: format!("{file}:{}", line_of(text, "\"public\"")) });
    if root.get("functions").is_some() {
        plan.functions = Some(Said { text: "firebase".to_owned(), place: file.to_owned() });
    } else if hosting.is_some() && !hosting.is_some_and(|h| h.to_string().contains("\"run\"")) {
        plan.is_static = Some(Said { text: "firebase hosting".to_owned(), place: file.to_owned() });
    }
    plan
}

fn app_json(file: &str, text: &str, root: &Json) -> Plan {
    let mut plan = Plan::new(file, "heroku");
    let web = root.get("formation").and_then(|f| f.get("web"));
    plan.least = web
        .and_then(|w| w.get("quantity"))
        .and_then(Json::as_i64)
        .map(|n| (n, format!("{file}:{}", line_of(text, "quantity"))));
    plan.release = root
        .get("scripts")
        .and_then(|s| s.get("postdeploy"))
        .and_then(Json::as_str)
        .map(|s| Said { text: s.to_owned(), place: format!("{file}:{}", line_of(text, "postdeploy")) });
    for (name, value) in root.get("env").and_then(Json::as_object).into_iter().flatten() {
        let value = value.as_str().or_else(|| value.get("value")?.as_str()).unwrap_or_default();
        plan.env.insert(name.clone(), value.to_owned());
    }
    plan
}

fn procfile(file: &str, text: &str, found: &mut Found) -> Plan {
    let mut plan = Plan::new(file, "heroku");
    plan.starts = Some(false);
    for (number, line) in text.lines().enumerate() {
        let place = format!("{file}:{}", number + 1);
        let line = line.trim_end();
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        let Some((name, command)) = line.split_once(':') else {
            found.add(
                SignWord::DeployConfigInvalid,
                place,
                format!("{file}: a line without `name: command`"),
            );
            continue;
        };
        let said = Said { text: command.trim().to_owned(), place: place.clone() };
        match name.trim() {
            "web" if !said.text.is_empty() => {
                plan.starts = Some(true);
                plan.web_services.push(said.clone());
                plan.start = Some(said);
            }
            "release" => plan.release = Some(said),
            name if name.is_empty() || name.contains(' ') || name.starts_with('-') => {
                found.add(
                    SignWord::DeployConfigInvalid,
                    place,
                    format!("{file}: {name:?} is no process type"),
                );
            }
            _ => {}
        }
    }
    plan
}

fn said(node: Option<&Node>, file: &str) -> Option<Said> {
    let node = node?;
    let words = || {
        let words: Vec<&str> = node.items().iter().filter_map(Node::text).collect();
        (!words.is_empty()).then(|| words.join(" "))
    };
    Some(Said {
        text: node.text().map(str::to_owned).or_else(words)?,
        place: format!("{file}:{}", node.line),
    })
}

fn render(file: &str, root: &Node) -> Vec<Plan> {
    let services = root.get("services").map(Node::items).unwrap_or_default();
    let mut plans = Vec::new();
    for service in services {
        let get = |key: &str| said(service.get(key), file);
        let kind = service.get("type").and_then(Node::text).unwrap_or_default();
        if !matches!(kind, "web" | "static" | "pserv") {
            continue;
        }
        let mut plan = Plan::new(file, "render");
        plan.build = get("buildCommand");
        plan.start = get("startCommand").or_else(|| get("dockerCommand"));
        plan.release = get("preDeployCommand");
        plan.root = get("rootDir");
        plan.dockerfile = get("dockerfilePath");
        plan.branches.extend(get("branch"));
        plan.auto_off = get("autoDeploy")
            .filter(|s| matches!(s.text.as_str(), "false" | "no"))
            .or_else(|| get("autoDeployTrigger").filter(|s| s.text == "off"));
        let runtime = get("runtime").or_else(|| get("env"));
        let is_static = kind == "static" || runtime.as_ref().is_some_and(|r| r.text == "static");
        if is_static {
            plan.is_static = runtime.clone().or_else(|| get("type"));
            plan.output = get("staticPublishPath");
        } else {
            plan.web_services.extend(get("name"));
            let docker = runtime.as_ref().is_some_and(|r| matches!(r.text.as_str(), "docker" | "image"));
            plan.starts = Some(docker || plan.start.is_some());
        }
        plan.images.extend(service.at(&["image", "url"]).and_then(|n| said(Some(n), file)));
        plan.env = variables(service.get("envVars"));
        plan.least = service
            .at(&["scaling", "minInstances"])
            .or_else(|| service.get("numInstances"))
            .and_then(|n| Some((n.text()?.parse().ok()?, format!("{file}:{}", n.line))));
        for (key, out) in [("paths", false), ("ignoredPaths", true)] {
            for item in service.at(&["buildFilter", key]).map(Node::items).unwrap_or_default() {
                plan.filters.extend(said(Some(item), file).map(|s| (s, out)));
            }
        }
        plans.push(plan);
    }
    plans
}

fn heroku(file: &str, root: &Node) -> Vec<Plan> {
    let mut plan = Plan::new(file, "heroku");
    plan.dockerfile = said(root.at(&["build", "docker", "web"]), file);
    let web = root.at(&["run", "web"]);
    plan.start = said(web.and_then(|w| w.get("command")).or(web), file);
    plan.release = said(root.at(&["release", "command"]), file);
    plan.env = variables(root.at(&["setup", "config"]));
    plan.starts = Some(plan.start.is_some() || plan.dockerfile.is_some());
    vec![plan]
}

fn app_engine(file: &str, root: &Node) -> Vec<Plan> {
    if root.get("runtime").is_none() {
        return Vec::new();
    }
    let mut plan = Plan::new(file, "google-app-engine");
    plan.start = said(root.get("entrypoint"), file);
    plan.env = variables(root.get("env_variables"));
    let least = root.at(&["automatic_scaling", "min_instances"]);
    plan.least = least.and_then(|n| Some((n.text()?.parse().ok()?, format!("{file}:{}", n.line))));
    vec![plan]
}

/// The services of DigitalOcean's App Platform (docs.digitalocean.com, App Spec reference).
fn app_platform(file: &str, root: &Node) -> Vec<Plan> {
    let spec = root.get("spec").unwrap_or(root);
    let services = spec.get("services").map(Node::items).unwrap_or_default();
    let plan = |service: &Node| {
        let get = |key: &str| said(service.get(key), file);
        let mut plan = Plan::new(file, "app-platform");
        plan.build = get("build_command");
        plan.start = get("run_command");
        plan.root = get("source_dir").filter(|dir| !matches!(dir.text.as_str(), "/" | "."));
        plan.dockerfile = get("dockerfile_path");
        plan.branches.extend(
            ["github", "gitlab", "git"].iter().filter_map(|of| said(service.at(&[of, "branch"]), file)),
        );
        plan.web_services.extend(get("name"));
        plan.env = variables(service.get("envs"));
        plan
    };
    services.iter().map(plan).collect()
}

fn compose(file: &str, root: &Node) -> Vec<Plan> {
    let mut plans = Vec::new();
    for (name, service) in root.get("services").map(Node::entries).unwrap_or_default() {
        let mut plan = Plan::new(file, "docker-compose");
        let build = service.get("build");
        if let Some(build) = build {
            let context = build.get("context").or(Some(build).filter(|b| b.text().is_some()));
            plan.root = said(context, file).filter(|s| !s.text.contains("://"));
            plan.dockerfile = said(build.get("dockerfile"), file);
        }
        plan.start = said(service.get("command"), file);
        plan.images.extend(said(service.get("image"), file));
        plan.env = variables(service.get("environment"));
        if build.is_some() && service.get("ports").is_some() {
            plan.web_services.push(Said { text: name.clone(), place: format!("{file}:{}", service.line) });
        }
        plans.push(plan);
    }
    plans
}

fn kubernetes(file: &str, root: &Node) -> Option<Plan> {
    let kind = root.get("kind").and_then(Node::text)?;
    let mut plan = Plan::new(file, "kubernetes");
    let number = |node: Option<&Node>| {
        node.and_then(|n| Some((n.text()?.parse::<i64>().ok()?, format!("{file}:{}", n.line))))
    };
    match kind {
        "Deployment" | "StatefulSet" | "DaemonSet" => plan.least = number(root.at(&["spec", "replicas"])),
        "Service" => {
            // Knative keeps the scale in an annotation of the template.
            let notes = root.at(&["spec", "template", "metadata", "annotations"])?;
            plan.least = number(notes.get("autoscaling.knative.dev/minScale"));
        }
        "ScaledObject" | "HTTPScaledObject" => plan.least = number(root.at(&["spec", "minReplicaCount"])),
        _ => return None,
    }
    for container in root.at(&["spec", "template", "spec", "containers"]).map(Node::items).unwrap_or_default()
    {
        plan.images.extend(said(container.get("image"), file));
        plan.env.extend(variables(container.get("env")));
    }
    Some(plan)
}

/// A workflow that deploys: one of its steps calls a platform's command or action.
fn workflow(file: &str, root: &Node) -> Option<Plan> {
    const DEPLOYS: &[&str] = &[
        "deploy",
        "flyctl",
        "heroku",
        "vercel",
        "railway",
        "render",
        "kubectl",
        "helm ",
        "docker push",
        "rsync",
        "ssh ",
        "wrangler",
        "netlify",
        "gcloud run",
        "build-push-action",
    ];
    let mut plan = Plan::new(file, "github-actions");
    plan.workflow = true;
    let push = root.get("on").or_else(|| root.get("true"))?;
    // A script of the project's own deploys as well: the workflow or its job says so by name.
    let named = |text: &str| {
        let text = text.to_ascii_lowercase();
        ["deploy", "ship", "rollout", "production"].iter().any(|word| text.contains(word))
    };
    let mut deploys = file.rsplit('/').next().is_some_and(named)
        || root.get("name").and_then(Node::text).is_some_and(named);
    for (key, job) in root.get("jobs").map(Node::entries).unwrap_or_default() {
        deploys |= named(key);
        plan.env.extend(variables(job.get("env")));
        for step in job.get("steps").map(Node::items).unwrap_or_default() {
            plan.env.extend(variables(step.get("env")));
            let run = step.get("run").or_else(|| step.get("uses")).and_then(Node::text).unwrap_or_default();
            let lower = run.to_ascii_lowercase();
            deploys |= DEPLOYS.iter().any(|word| lower.contains(word));
            if lower.contains("build") && plan.build.is_none() {
                plan.build = said(step.get("run"), file);
            }
            if lower.contains("migrat") || lower.contains("upgrade head") || lower.contains("db upgrade") {
                plan.release = said(step.get("run"), file);
            }
            plan.images.extend(pushed(step, run, file));
        }
    }
    if !deploys {
        // Tests run on every branch; only what deploys has a branch of its own.
        plan.images.clear();
        return Some(plan);
    }
    plan.env.extend(variables(root.get("env")));
    let branches = push.at(&["push", "branches"]);
    for item in branches.map(Node::items).unwrap_or_default() {
        plan.branches.extend(said(Some(item), file));
    }
    if let Some(one) = branches.filter(|b| b.text().is_some()) {
        plan.branches.extend(said(Some(one), file));
    }
    for (key, out) in [("paths", false), ("paths-ignore", true)] {
        for item in push.at(&["push", key]).map(Node::items).unwrap_or_default() {
            plan.filters.extend(said(Some(item), file).map(|s| (s, out)));
        }
    }
    if push.get("push").is_none() && push.get("workflow_dispatch").is_some() && push.entries().len() == 1
        || push.text() == Some("workflow_dispatch")
    {
        plan.auto_off =
            Some(Said { text: "workflow_dispatch only".to_owned(), place: format!("{file}:{}", push.line) });
    }
    Some(plan)
}

/// Images that a step pushes: `docker push NAME:TAG`, or the tags of the build-and-push action.
fn pushed(step: &Node, run: &str, file: &str) -> Vec<Said> {
    let place = format!("{file}:{}", step.line);
    let mut all: Vec<Said> = run
        .lines()
        .filter_map(|line| line.trim().strip_prefix("docker push "))
        .map(|image| Said { text: image.trim().to_owned(), place: place.clone() })
        .collect();
    if run.contains("build-push-action")
        && let Some(tags) = step.at(&["with", "tags"]).and_then(Node::text)
    {
        all.extend(
            tags.split([',', '\n'])
                .map(str::trim)
                .filter(|t| !t.is_empty())
                .map(|t| Said { text: t.to_owned(), place: place.clone() }),
        );
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::tests::{has, lacks};
    use super::*;

    #[test]
    fn files_that_their_platform_refuses() {
        has(
            &[("fly.toml", "app = 'a'\n[http_service]\ninternal_port = \"8080\"\n")],
            "deploy-config-invalid fly.toml: internal_port",
        );
        has(&[("vercel.json", "{\"rewrite\": []}")], "deploy-config-invalid vercel.json: rewrite");
        has(&[("vercel.json", "{\"rewrites\": [}")], "deploy-config-invalid vercel.json:1: ");
        has(
            &[("vercel.json", "{\"env\": {}, \"env\": {}}")],
            "deploy-config-invalid vercel.json: the key \"env\"",
        );
        has(&[("render.yaml", "services:\n\t- type: web\n")], "deploy-config-invalid render.yaml: line 2");
        has(
            &[("render.yaml", "services:\n- name: a\n  runtime: node\n")],
            "deploy-config-invalid render.yaml: a service without a type",
        );
        has(&[(".replit", "[deployment]\nrun = [\"a\"\n")], "deploy-config-invalid .replit:");
        has(&[("Procfile", "gunicorn app\n")], "deploy-config-invalid Procfile: a line without");
        has(&[("procfile", "web: x\n")], "deploy-config-misplaced procfile is not read");
        has(
            &[(".github/workflow/deploy.yml", "on: push\n")],
            "deploy-config-misplaced .github/workflow/deploy.yml",
        );
        for (file, text) in [
            ("fly.toml", "app = 'a'\n[http_service]\ninternal_port = 8080\n[env]\nA = 1\n"),
            (
                "vercel.json",
                "{\"rewrites\": [{\"source\": \"/a\", \"destination\": \"/b\"}], \"env\": {\"rewrites\": \"x\"}}",
            ),
            ("render.yaml", "services:\n- type: web\n  name: a\n  runtime: python\n  startCommand: x\n"),
            ("Procfile", "# c\nweb: x\nrelease: y\n"),
        ] {
            lacks(&[(file, text)], "deploy-config-invalid");
        }
    }

    #[test]
    fn keys_of_inner_objects_are_not_repeated_keys() {
        assert_eq!(repeated_key("{\"a\": {\"b\": 1}, \"c\": {\"b\": \"a\"}}"), None);
        assert_eq!(repeated_key("{\"a\": 1, \"a\": 2}").as_deref(), Some("a"));
        assert_eq!(repeated_key("{\"a"), None);
    }
}
