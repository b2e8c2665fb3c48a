//! Deploy configurations against each other, against the files, and against the routes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use landfall_evidence::{DeployStage, PortSetting, SignWord};
use regex::Regex;

use super::plan::{Plan, Said};
use super::{Found, Read, exists, inside, is_folder, regex, text};
use crate::deploy::Deploy;
use crate::source::Language;
use crate::tree::{Tree, file_name, parent};

pub(super) fn read(read: &Read<'_>, plans: &[Plan], found: &mut Found) {
    disagreements(read, found);
    proxied(read, found);
    starts(read, plans, found);
    roots(read, plans, found);
    scripts(read, found);
    triggers(read.tree, plans, found);
    scale(plans, found);
    targets(read, plans, found);
    health(read, found);
    environment(plans, found);
}

pub(super) fn production<'a>(read: &Read<'a>) -> Vec<&'a Deploy> {
    // What a member of a monorepo starts lies in its own folder, and is another application than the root's.
    read.deploys.iter().filter(|d| d.config.stage == DeployStage::Production && !d.is_member()).collect()
}

/// Ports, start targets and health paths that differ from file to file.
fn disagreements(read: &Read<'_>, found: &mut Found) {
    let all: Vec<&Deploy> = production(read).into_iter().filter(|d| !is_proxy(d)).collect();
    let mut ports: BTreeMap<u16, &str> = BTreeMap::new();
    let mut targets: BTreeMap<String, &str> = BTreeMap::new();
    let mut paths: BTreeMap<&str, &str> = BTreeMap::new();
    for deploy in &all {
        let file = deploy.config.file.as_str();
        if let Some(start) = &deploy.config.start {
            let literal = match &start.bind_port {
                PortSetting::Literal { port } => Some(*port),
                PortSetting::Variable { .. } | PortSetting::Unsaid => None,
            };
            if let Some(port) = literal {
                ports.entry(port).or_insert(file);
            }
            let served = deploy.target.clone().or_else(|| start.server.clone());
            if let Some(target) = served {
                targets.entry(target.trim_start_matches("./").to_owned()).or_insert(file);
            }
        }
        for map in &deploy.config.ports {
            ports.entry(map.local).or_insert(file);
        }
        if let Some(path) = &deploy.config.health_path {
            paths.entry(path.trim_end_matches('/')).or_insert(file);
        }
    }
    let files = |values: &BTreeSet<&str>| values.len() > 1;
    let distinct: BTreeSet<&str> = ports.values().copied().collect();
    if ports.len() > 1 && files(&distinct) {
        let shown: Vec<String> = ports.iter().map(|(port, file)| format!("{port} in {file}")).collect();
        found.add(SignWord::DeployPortsDisagree, *distinct.iter().next().unwrap_or(&""), shown.join(", "));
    }
    let distinct: BTreeSet<&str> = targets.values().copied().collect();
    if targets.len() > 1 && files(&distinct) {
        let shown: Vec<String> = targets.iter().map(|(target, file)| format!("{target} in {file}")).collect();
        found.add(SignWord::DeployStartsDisagree, *distinct.iter().next().unwrap_or(&""), shown.join(", "));
    }
    if paths.len() > 1 {
        let shown: Vec<String> = paths.iter().map(|(path, file)| format!("{path} in {file}")).collect();
        found.add(SignWord::DeployHealthDisagree, *paths.values().next().unwrap_or(&""), shown.join(", "));
    }
}

/// A proxy of this machine against the ports that start commands bind.
fn proxied(read: &Read<'_>, found: &mut Found) {
    let bound: BTreeSet<u16> = read
        .deploys
        .iter()
        .filter_map(|d| match d.config.start.as_ref()?.bind_port {
            PortSetting::Literal { port } => Some(port),
            PortSetting::Variable { default, .. } => default,
            PortSetting::Unsaid => None,
        })
        .chain(
            read.deploys.iter().filter(|d| !is_proxy(d)).flat_map(|d| d.config.ports.iter().map(|p| p.local)),
        )
        .collect();
    if bound.is_empty() {
        return;
    }
    for deploy in read.deploys.iter().filter(|d| is_proxy(d)) {
        let asked: Vec<String> = deploy
            .config
            .ports
            .iter()
            .filter(|p| !bound.contains(&p.local))
            .map(|p| p.local.to_string())
            .collect();
        // A proxy leads to other servers of the machine too; where one of its ports is bound here, the rest is theirs.
        if asked.len() == deploy.config.ports.len() {
            let bound: Vec<String> = bound.iter().map(u16::to_string).collect();
            found.add(
                SignWord::ProxyPortDiffers,
                deploy.config.file.as_str(),
                format!("it leads to {}, and the server binds {}", asked.join(", "), bound.join(", ")),
            );
        }
    }
}

fn is_proxy(deploy: &Deploy) -> bool {
    matches!(deploy.config.platform.as_str(), "nginx" | "caddy")
}

/// Programs that are for development: by what they say of themselves in their documentation.
static DEV_SERVER: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"\bflask(?:\s+--\S+(?:\s+[\w.:]+)?)*\s+run\b|\bmanage\.py\s+runserver\b|\b(?:npm|yarn|pnpm|bun)(?:\s+run)?\s+dev\b|\bnext\s+dev\b|\bnuxi?\s+dev\b|\bnodemon\b|\bts-node-dev\b|\btsx\s+watch\b|\bwebpack(?:-dev-server|\s+serve)\b|\bvite(?:\s+(?:dev|serve|--host\b[^&;|]*|--port\b[^&;|]*))?\s*$|\buvicorn\b[^&;|]*--reload\b|\bgunicorn\b[^&;|]*--reload\b|\bfastapi\s+dev\b|\breact-scripts\s+start\b|\bng\s+serve\b|\bphp\s+-S\b|\bphp\s+artisan\s+serve\b|\brails\s+s(?:erver)?\b[^&;|]*-e\s+development\b",
    )
});

fn starts(read: &Read<'_>, plans: &[Plan], found: &mut Found) {
    let tree = read.tree;
    let all = production(read);
    // Something to start: a configuration that must name it and does not, with nothing else that would.
    let otherwise = super::files::script(tree, "start").is_some()
        || tree.has("Dockerfile")
        || all.iter().any(|d| d.config.start.is_some())
        || tree.has("server.js");
    for plan in plans.iter().filter(|p| p.starts == Some(false)) {
        if !otherwise || plan.file == "Procfile" {
            found.add(
                SignWord::StartCommandMissing,
                plan.file.as_str(),
                format!("{} has nothing to start for the web", plan.file),
            );
        }
    }
    let docker_starts = super::images::entry_points(tree);
    if tree.has("Dockerfile") && docker_starts.is_empty() {
        // The base image may bring its own command: nginx and caddy do, language images open a prompt.
        let language = super::images::base(tree).is_some_and(|(image, _)| {
            let name = image.rsplit('/').next().unwrap_or_default();
            [
                "python",
                "node",
                "ruby",
                "golang",
                "rust",
                "debian",
                "ubuntu",
                "alpine",
                "openjdk",
                "eclipse-temurin",
            ]
            .iter()
            .any(|base| name.starts_with(base))
        });
        if language {
            found.add(
                SignWord::StartCommandMissing,
                "Dockerfile",
                "the Dockerfile has neither CMD nor ENTRYPOINT",
            );
        }
    }
    let has_manifest =
        tree.has("package.json") && !tree.has("requirements.txt") && !tree.has("pyproject.toml");
    if has_manifest
        && !otherwise
        && plans.iter().any(|p| matches!(p.platform, "heroku" | "railway") && !p.workflow)
    {
        found.add(
            SignWord::StartCommandMissing,
            "package.json",
            "package.json has no start script, and no configuration starts anything",
        );
    }
    for deploy in &all {
        let file = deploy.config.file.as_str();
        let Some(start) = &deploy.config.start else {
            // A worker is not started, it answers: its script is all that it has.
            if let Some(target) = deploy.target.as_deref() {
                target_missing(read, target, file, found);
            }
            continue;
        };
        let script = match start.server.as_deref() {
            Some("npm" | "yarn" | "pnpm") => None,
            _ => named_script(tree, &start.raw),
        };
        let command = script.as_ref().map_or(start.raw.as_str(), |(_, body)| body.as_str());
        if DEV_SERVER.is_match(command) || DEV_SERVER.is_match(&start.raw) {
            found.add(SignWord::DevServer, file, start.raw.clone());
        }
        module_missing(read, command, file, found);
        if let Some(name) = missing_script(tree, &start.raw) {
            found.add(SignWord::StartTargetMissing, file, format!("package.json has no script {name:?}"));
        }
        let root = plans.iter().find(|p| p.file == deploy.config.file).and_then(|p| p.root.as_ref());
        let root = root.and_then(|said| inside(&said.text)).or_else(|| deploy.config.root.clone());
        if let Some(target) = deploy.target.as_deref() {
            let there = root.is_some_and(|root| is_below(tree, &root, target));
            if !there {
                target_missing(read, target, file, found);
            }
        }
        let variable = matches!(start.bind_port, PortSetting::Variable { .. });
        if variable && !start.shell {
            found.add(SignWord::AppWithoutShell, file, start.raw.clone());
        }
        if deploy.config.platform == "docker" && start.shell {
            let exec = super::images::entry_points(tree)
                .iter()
                .any(|l| l.trim_start().starts_with("exec ") || l.contains("exec "));
            // Alpine's shell gives way to the last command by itself (docker/docs, pull 23124).
            let gives_way = super::images::bases(tree)
                .last()
                .is_some_and(|base| base.name == "alpine" || base.tag.contains("alpine"));
            if !exec && !gives_way {
                found.add(SignWord::ShellFormStart, file, start.raw.clone());
            }
        }
    }
    for plan in plans.iter().filter(|p| !p.workflow) {
        if let Some(start) = plan.start.as_ref().filter(|s| DEV_SERVER.is_match(&s.text)) {
            found.add(SignWord::DevServer, start.place.as_str(), start.text.clone());
        }
    }
}

/// Options whose value is the next word are passed over with it (`npm --prefix server start`).
static SCRIPT: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"\b(npm|yarn|pnpm|bun)\s+(?:(?:--(?:prefix|filter|cwd|dir|workspace)|-C|-F|-w)[ =]\S+\s+|-\S+\s+)*(run(?:-script)?\s+)?(?:-\S+\s+)*([\w:./-]+)",
    )
});
/// Options by which a script is that of another folder's package.json.
static ELSEWHERE: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"\s(?:--(?:prefix|filter|cwd|dir|workspace)\b|-C\s|-F\s|-w\s)|\byarn\s+workspaces?\s")
});

/// The script of package.json that a command runs, with its body.
fn named_script(tree: &Tree, command: &str) -> Option<(String, String)> {
    let name = SCRIPT.captures(command)?.get(3)?.as_str().to_owned();
    let body = super::files::script(tree, &name)?;
    Some((name, body))
}

/// A script that a command runs and that package.json does not have.
fn missing_script(tree: &Tree, command: &str) -> Option<String> {
    const OWN: &[&str] = &["install", "ci", "i", "exec", "dlx", "x", "prune", "run", "add", "config", "set"];
    if !tree.has("package.json") || ELSEWHERE.is_match(command) {
        return None;
    }
    let found = SCRIPT.captures(command)?;
    let name = found.get(3)?.as_str().to_owned();
    // Without `run`, yarn and pnpm run an installed program as well, and bun a file (yarnpkg.com/cli/run, pnpm.io/cli/exec,
    // bun.sh/docs/runtime); `start` and `test` are scripts in any case.
    if found.get(2).is_none() && &found[1] != "npm" && !matches!(name.as_str(), "start" | "test") {
        return None;
    }
    let json: serde_json::Value = serde_json::from_str(&text(tree, "package.json")?).ok()?;
    let given = json.get("scripts").and_then(|s| s.get(&name)).is_some();
    // `npm start` without a script runs server.js (docs.npmjs.com/cli/commands/npm-start).
    let default = name == "start" && tree.has("server.js");
    (!given && !default && !OWN.contains(&name.as_str())).then_some(name)
}

/// `python -m a.b`, where the project has `a` and not `a.b`. A module whose first part is no folder or file here is a package
/// of somebody else's.
fn module_missing(read: &Read<'_>, command: &str, place: &str, found: &mut Found) {
    static MODULE: std::sync::LazyLock<Regex> = std::sync::LazyLock::new(|| {
        super::regex(r#"\bpython[0-9.]*["', ]+(?:-[uOBI]+["', ]+)*-m["', ]+([A-Za-z_]\w*)((?:\.\w+)+)"#)
    });
    let tree = read.tree;
    let Some(named) = MODULE.captures(command) else { return };
    let module = format!("{}{}", &named[1], &named[2]);
    let first = &named[1];
    let own =
        super::is_folder(tree, first) && tree.files.iter().any(|f| f.path.starts_with(&format!("{first}/")));
    let main = format!("{}/__main__.py", module.replace('.', "/"));
    if own && crate::entry::module_file(tree, &module).is_none() && !tree.has(&main) {
        found.add(SignWord::StartTargetMissing, place, format!("there is no module {module}"));
    }
}

/// Scripts that start a server of Python, whatever calls them: a platform's setting is not in the repository.
fn scripts(read: &Read<'_>, found: &mut Found) {
    static SERVES: std::sync::LazyLock<Regex> = std::sync::LazyLock::new(|| {
        super::regex(
            r"(?m)^[^#\n]*\b(?:gunicorn|uvicorn|hypercorn|granian|daphne)\b[^\n]*?(?:^|\s)[\x22']?([A-Za-z_][\w.]*:[A-Za-z_]\w*)(?:\(\))?[\x22']?(?:\s|$)",
        )
    });
    let is_start = |path: &str| {
        let name = crate::tree::file_name(path);
        let folder = crate::tree::parent(path);
        matches!(folder, "" | "bin" | "scripts" | "docker" | "deploy" | ".docker")
            && [
                "start.sh",
                "startup.sh",
                "entrypoint.sh",
                "docker-entrypoint.sh",
                "run.sh",
                "startup.txt",
                "serve.sh",
                "start",
                "docker-entrypoint",
            ]
            .contains(&name)
    };
    for file in read.tree.files.iter().filter(|f| !f.ignored && is_start(&f.path)) {
        let Some(content) = text(read.tree, &file.path) else { continue };
        // A command may go on over several lines.
        let joined = content.replace("\\\n", "  ");
        for hit in SERVES.captures_iter(&joined) {
            // Which folder it is started in is said elsewhere: a module that lies in any folder may be the one.
            let module = hit[1].split(':').next().unwrap_or_default().replace('.', "/");
            let ends = [format!("/{module}.py"), format!("/{module}/__init__.py")];
            if !read.tree.files.iter().any(|f| ends.iter().any(|end| f.path.ends_with(end.as_str()))) {
                target_missing(read, &hit[1], &file.path, found);
            }
        }
    }
}

/// Whether a module or file that a start names lies below the folder in which the platform starts it.
fn is_below(tree: &Tree, root: &str, target: &str) -> bool {
    let module = target.split(':').next().unwrap_or_default();
    let path = module.replace('.', "/");
    [
        format!("{root}/{path}.py"),
        format!("{root}/{path}/__init__.py"),
        format!("{root}/{}", target.trim_start_matches("./")),
    ]
    .iter()
    .any(|path| tree.has(path))
}

/// A start target that is not there: a file, a module, or an object that the module does not bind.
fn target_missing(read: &Read<'_>, target: &str, place: &str, found: &mut Found) {
    let tree = read.tree;
    let bare = target.trim_start_matches("./");
    if bare.contains('$') || bare.is_empty() {
        return;
    }
    let looks_like_file = Language::of(bare).is_some() && !bare.contains(':');
    if looks_like_file {
        let product = ["dist/", "build/", ".next/", "out/", ".output/", "target/"]
            .iter()
            .any(|out| bare.starts_with(out));
        // Paths of an image are not those of the project: compare by the end.
        let rooted = bare.starts_with('/');
        let there = tree.has(bare)
            || super::exists(tree, bare)
            || (rooted && tree.files.iter().any(|f| bare.ends_with(&format!("/{}", f.path))));
        if !there && !product {
            found.add(SignWord::StartTargetMissing, place, format!("{bare} is not there"));
        }
        return;
    }
    let Some((module, object)) = bare.split_once(':') else {
        return;
    };
    let plain =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.'));
    let name = object.split('(').next().unwrap_or_default();
    if !plain(module) || !plain(name) || module.chars().next().is_some_and(|c| c.is_ascii_digit()) {
        return;
    }
    let Some(file) = crate::entry::module_file(tree, module) else {
        if read.sources.iter().any(|s| s.language == Language::Python) {
            found.add(SignWord::StartTargetMissing, place, format!("there is no module {module}"));
        }
        return;
    };
    let first = name.split('.').next().unwrap_or_default();
    if let Some(source) = read.sources.iter().find(|s| s.path == file) {
        let bound = Regex::new(&format!(r"(?m)^(?:\s*)(?:async\s+)?(?:def|class)\s+{first}\b|^\s*{first}\s*(?::[^=\n]+)?=[^=]|\bimport\b[^\n]*\b{first}\b|^\s*global\s[^\n]*\b{first}\b|\bimport\s*\*"))
            .is_ok_and(|p| p.is_match(&source.code));
        if !bound {
            found.add(SignWord::StartTargetMissing, place, format!("{file} does not define {first}"));
        }
    }
}

/// Folders that package managers fill.
const INSTALLED: [&str; 4] = ["vendor", "node_modules", ".venv", "bower_components"];

/// Manifests that make a folder an application's.
const MANIFESTS: &[&str] = &[
    "package.json",
    "requirements.txt",
    "pyproject.toml",
    "Pipfile",
    "go.mod",
    "Cargo.toml",
    "Gemfile",
    "composer.json",
    "pom.xml",
    "Dockerfile",
    "index.html",
    "mix.exs",
    "build.gradle",
];

fn roots(read: &Read<'_>, plans: &[Plan], found: &mut Found) {
    let tree = read.tree;
    for plan in plans.iter().filter(|p| !p.workflow) {
        if let Some(root) = &plan.root {
            let folder = inside(&root.text);
            match folder {
                Some(folder) if is_folder(tree, &folder) => {
                    let at = |name: &str| {
                        if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
                    };
                    if !folder.is_empty()
                        && MANIFESTS.iter().all(|name| !tree.has(&at(name)))
                        && plan.dockerfile.is_none()
                    {
                        found.add(
                            SignWord::RootDirectoryEmpty,
                            root.place.as_str(),
                            format!("{} holds no manifest of an application", root.text),
                        );
                    }
                }
                // What a package manager installs is no part of the repository.
                Some(folder) if folder.split('/').any(|part| INSTALLED.contains(&part)) => {}
                _ => found.add(
                    SignWord::RootDirectoryAbsent,
                    root.place.as_str(),
                    format!("{} is not there", root.text),
                ),
            }
        }
        if let Some(dockerfile) = &plan.dockerfile {
            let base = plan.root.as_ref().and_then(|r| inside(&r.text)).unwrap_or_default();
            let candidates = [inside(&dockerfile.text), inside(&format!("{base}/{}", dockerfile.text))];
            if candidates.iter().flatten().all(|path| !tree.has(path)) {
                found.add(
                    SignWord::RootDirectoryAbsent,
                    dockerfile.place.as_str(),
                    format!("{} is not there", dockerfile.text),
                );
            }
        }
    }
    let folders: BTreeSet<&str> = tree
        .files
        .iter()
        .filter(|f| {
            !f.ignored
                && matches!(
                    file_name(&f.path),
                    "package.json" | "requirements.txt" | "pyproject.toml" | "go.mod" | "Gemfile"
                )
        })
        .filter(|f| f.path.matches('/').count() <= 2)
        .map(|f| parent(&f.path))
        .collect();
    if folders.len() > 1 {
        let shown: Vec<&str> = folders.iter().map(|f| if f.is_empty() { "." } else { f }).collect();
        found.add(SignWord::SeveralManifests, "", shown.join(", "));
    }
    // `backend/backend`: the platform's root joined with a path that repeats it.
    for plan in plans.iter().filter(|p| !p.workflow) {
        let Some(root) = plan.root.as_ref().and_then(|r| inside(&r.text)).filter(|r| !r.is_empty()) else {
            continue;
        };
        let repeats = |said: &Option<Said>| {
            said.as_ref().is_some_and(|s| {
                s.text.contains(&format!("cd {root}")) || s.text.contains(&format!("{root}/"))
            })
        };
        if repeats(&plan.start) || repeats(&plan.build) {
            let inner = format!("{root}/{root}");
            if !is_folder(tree, &inner) {
                found.add(
                    SignWord::RootDirectoryAbsent,
                    plan.file.as_str(),
                    format!("{inner} is not there: the commands repeat the root directory"),
                );
            }
        }
    }
}

fn triggers(tree: &Tree, plans: &[Plan], found: &mut Found) {
    for plan in plans {
        stale_filters(tree, plan, found);
        for branch in &plan.branches {
            if !branch.text.contains(['*', '$']) {
                found.add(SignWord::DeployBranch, branch.place.as_str(), branch.text.clone());
            }
        }
        if let Some(off) = &plan.auto_off {
            found.add(SignWord::AutodeployOff, off.place.as_str(), off.text.clone());
        }
        for (filter, out) in &plan.filters {
            let word = if *out { "leaves out" } else { "takes only" };
            found.add(SignWord::DeployPathFilter, filter.place.as_str(), format!("{word} {}", filter.text));
        }
    }
}

/// Filters of a workflow's trigger that take only paths which do not exist, but for the workflow's own file
/// (docs.github.com, Workflow syntax: on.push.paths). A folder that was moved leaves such filters behind.
fn stale_filters(tree: &Tree, plan: &Plan, found: &mut Found) {
    let takes = || plan.filters.iter().filter(|(_, out)| !out).map(|(filter, _)| filter);
    let others =
        || takes().filter(|filter| !filter.text.contains(".github/") && !filter.text.starts_with('!'));
    // The folder before the first wildcard; a filter that begins with one takes any folder.
    let is_there = |filter: &Said| {
        let folder = filter.text.split(['*', '?', '[', '+']).next().unwrap_or_default();
        let folder = folder.rsplit_once('/').map_or(folder, |(folder, _)| folder).trim_start_matches("./");
        folder.is_empty() || exists(tree, folder) || is_folder(tree, folder)
    };
    if let Some(first) = others().next()
        && !others().any(is_there)
    {
        let all: Vec<&str> = others().map(|filter| filter.text.as_str()).collect();
        found.add(
            SignWord::DeployPathFilterStale,
            first.place.as_str(),
            format!("it takes only {}, which is not there", all.join(", ")),
        );
    }
}

fn scale(plans: &[Plan], found: &mut Found) {
    for plan in plans {
        if let Some((0, place)) = &plan.least {
            found.add(
                SignWord::MinInstancesZero,
                place.as_str(),
                format!("{} lets the last instance stop", plan.file),
            );
        }
        if let Some(limit) = &plan.limit {
            found.add(SignWord::FunctionLimit, limit.place.as_str(), limit.text.clone());
        }
        if let Some(functions) = &plan.functions {
            found.add(SignWord::FunctionsDeployed, functions.place.as_str(), functions.text.clone());
        }
    }
    for platform in ["render", "docker-compose"] {
        let web: Vec<&Said> =
            plans.iter().filter(|p| p.platform == platform).flat_map(|p| &p.web_services).collect();
        if let [first, _, ..] = web.as_slice() {
            let names: Vec<&str> = web.iter().map(|s| s.text.as_str()).collect();
            found.add(SignWord::WebServicesSeveral, first.place.as_str(), names.join(", "));
        }
    }
}

/// A target that serves files, for a project with a server.
fn targets(read: &Read<'_>, plans: &[Plan], found: &mut Found) {
    let snapshot = read.snapshot;
    let server = snapshot.routes.iter().any(|r| !r.place.starts_with("api/"))
        || snapshot.stacks.iter().any(|s| s.server.is_some());
    if !server {
        return;
    }
    // Pages that Next writes out (`output: 'export'`) need no server.
    let exported = ["next.config.js", "next.config.mjs", "next.config.ts"].iter().any(|file| {
        text(read.tree, file).is_some_and(|text| {
            let plain: String =
                text.chars().filter(|c| !c.is_whitespace() && *c != '"' && *c != '\'').collect();
            plain.contains("output:export")
        })
    });
    if exported {
        return;
    }
    let dynamic = plans.iter().any(|p| p.functions.is_some() || (p.starts == Some(true)));
    for plan in plans.iter().filter(|p| !p.workflow) {
        if let Some(at) = plan.is_static.as_ref().filter(|_| !dynamic) {
            let routes = snapshot.routes.len();
            found.add(
                SignWord::StaticTarget,
                at.place.as_str(),
                format!("{} serves files, and the code has {routes} routes", plan.file),
            );
        }
    }
    static PAGES: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"actions/deploy-pages|peaceiris/actions-gh-pages|gh-pages\b|JamesIves/github-pages-deploy-action",
        )
    });
    for file in read.tree.files.iter().filter(|f| f.path.starts_with(".github/workflows/")).take(30) {
        if let Some(text) = text(read.tree, &file.path)
            && let Some(at) = PAGES.find(&text)
            && !dynamic
        {
            found.add(
                SignWord::StaticTarget,
                super::place(&file.path, &text, at.start()),
                "GitHub Pages serves files, and the project has a server",
            );
        }
    }
}

/// The platform's health path against the routes.
fn health(read: &Read<'_>, found: &mut Found) {
    let routes = &read.snapshot.routes;
    for deploy in production(read) {
        let Some(path) = deploy.config.health_path.as_deref() else { continue };
        let bare =
            |text: &str| text.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/').to_owned();
        let path = bare(path);
        let fits = |route: &str| {
            let (mut have, mut want) = (bare(route), path.clone());
            if have.is_empty() {
                have.push('/');
            }
            if want.is_empty() {
                want.push('/');
            }
            have == want
                || (have.contains(['<', ':', '{', '*']) && pattern(&have).is_some_and(|p| p.is_match(&want)))
        };
        if !routes.is_empty() && !routes.iter().any(|r| fits(&r.path)) {
            found.add(
                SignWord::HealthNotRouted,
                deploy.config.file.as_str(),
                format!("{path} is asked for and is no route of the code"),
            );
        }
    }
}

/// A route with parameters as a pattern.
fn pattern(route: &str) -> Option<Regex> {
    static PARAMETER: LazyLock<Regex> = LazyLock::new(|| regex(r"<[^>]*>|\{[^}]*\}|:[A-Za-z_]\w*|\*"));
    let mut out = String::from("^");
    let mut at = 0;
    for m in PARAMETER.find_iter(route) {
        out.push_str(&regex::escape(&route[at..m.start()]));
        out.push_str("[^/]+");
        at = m.end();
    }
    out.push_str(&regex::escape(&route[at..]));
    out.push('$');
    Regex::new(&out).ok()
}

/// Names of variables that say which environment it is.
const ENVIRONMENT: &[&str] = &[
    "APP_ENV",
    "ENV",
    "ENVIRONMENT",
    "NODE_ENV",
    "FLASK_ENV",
    "RAILS_ENV",
    "RACK_ENV",
    "DJANGO_ENV",
    "STAGE",
    "APP_ENVIRONMENT",
    "DEPLOY_ENV",
    "DJANGO_SETTINGS_MODULE",
    "SENTRY_ENVIRONMENT",
    "ASPNETCORE_ENVIRONMENT",
];

fn environment(plans: &[Plan], found: &mut Found) {
    for plan in plans.iter().filter(|p| !p.workflow && p.platform != "docker-compose") {
        for (name, value) in plan.env.iter().filter(|(name, _)| ENVIRONMENT.contains(&name.as_str())) {
            let lower = value.to_ascii_lowercase();
            let word =
                ["staging", "stage", "development", "dev", "test", "testing", "local", "preview", "sandbox"]
                    .into_iter()
                    .find(|word| {
                        lower == *word
                            || lower.ends_with(&format!(".{word}"))
                            || lower.ends_with(&format!("_{word}"))
                    });
            if let Some(word) = word {
                found.add(
                    SignWord::EnvironmentStaging,
                    plan.file.as_str(),
                    format!("{name} is set to {word}"),
                );
            }
        }
        // A database or another service on this machine: only that it is so, never the value.
        for (name, value) in &plan.env {
            let local = ["@localhost", "@127.0.0.1", "//localhost", "//127.0.0.1", "@[::1]"]
                .iter()
                .any(|part| value.contains(part))
                || ["localhost:", "127.0.0.1:"].iter().any(|start| value.starts_with(start));
            // Its own address, which a server may well have as this machine's, is no service behind it.
            let own = [
                "PUBLIC", "BASE", "SITE", "APP", "FRONTEND", "CALLBACK", "NEXTAUTH", "AUTH", "SERVER",
                "LISTEN", "BIND",
            ]
            .iter()
            .any(|word| name.split('_').any(|part| part == *word));
            let service = !own
                && ["_URL", "_URI", "_DSN", "_ENDPOINT", "_ADDR", "_ADDRESS", "_BROKER"]
                    .iter()
                    .any(|end| name.ends_with(end));
            let data = ["postgres", "mysql", "redis", "mongodb", "amqp", "mariadb"]
                .iter()
                .any(|scheme| value.starts_with(scheme));
            let bare = (name.ends_with("_HOST") || name == "PGHOST")
                && matches!(value.as_str(), "localhost" | "127.0.0.1");
            if (local && (data || service)) || bare {
                found.add(SignWord::DatabaseUrlLocal, plan.file.as_str(), name.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{has, lacks};

    #[test]
    fn configurations_that_disagree() {
        has(
            &[
                ("Procfile", "web: gunicorn -b 0.0.0.0:5000 app:app\n"),
                ("Dockerfile", "FROM python:3.11\nEXPOSE 8080\nCMD gunicorn main:app\n"),
                ("fly.toml", "app='a'\n[http_service]\ninternal_port = 3000\n"),
            ],
            "deploy-ports-disagree 3000 in fly.toml, 5000 in Procfile, 8080 in Dockerfile",
        );
        has(
            &[("Procfile", "web: gunicorn a:app\n"), ("Dockerfile", "FROM x\nCMD gunicorn b:app\n")],
            "deploy-starts-disagree a:app in Procfile, b:app in Dockerfile",
        );
        lacks(
            &[
                ("Procfile", "web: gunicorn -b 0.0.0.0:$PORT a:app\n"),
                ("Dockerfile", "FROM x\nEXPOSE 8000\nCMD gunicorn -b 0.0.0.0:8000 a:app\n"),
            ],
            "deploy-ports-disagree",
        );
    }

    #[test]
    fn scripts_that_start_a_server() {
        let script = |target: &str| {
            format!(
                "#!/bin/sh\nexec gunicorn -k uvicorn.workers.UvicornWorker \\\n  --bind \"0.0.0.0:${{PORT:-8000}}\" \\\n  {target}\n"
            )
        };
        let module = ("shop/application.py", "api = 1\n");
        has(
            &[("startup.sh", &script("shop.main:app")), module],
            "start-target-missing there is no module shop.main @startup.sh",
        );
        has(
            &[("startup.sh", &script("shop.application:app")), module],
            "start-target-missing shop/application.py does not define app",
        );
        lacks(
            &[("startup.sh", &script("main:app")), ("backend/main.py", "app = 1\n")],
            "start-target-missing",
        );
        lacks(&[("startup.sh", &script("shop.application:api")), module], "start-target-missing");
    }

    #[test]
    fn development_servers() {
        for line in [
            "flask --app run run",
            "python manage.py runserver 0.0.0.0:$PORT",
            "npm run dev",
            "nodemon server.js",
            "uvicorn app:app --reload",
            "vite --host 0.0.0.0",
        ] {
            has(&[("Procfile", &format!("web: {line}\n"))], "dev-server");
        }
        for line in ["gunicorn run:app", "node server.js", "npm start", "vite preview", "uvicorn app:app"] {
            lacks(&[("Procfile", &format!("web: {line}\n"))], "dev-server");
        }
    }

    #[test]
    fn starts_that_are_missing_or_lead_nowhere() {
        has(&[("Procfile", "worker: celery\n")], "start-command-missing Procfile has nothing");
        has(&[("Dockerfile", "FROM python:3.11\nCOPY . .\n")], "start-command-missing the Dockerfile");
        has(
            &[("Procfile", "web: gunicorn wsgi:app\n"), ("app.py", "app = 1\n")],
            "start-target-missing there is no module wsgi",
        );
        has(
            &[("Procfile", "web: gunicorn app:application\n"), ("app.py", "app = 1\n")],
            "start-target-missing app.py does not define application",
        );
        has(
            &[("Procfile", "web: node server.js\n"), ("index.js", "")],
            "start-target-missing server.js is not there",
        );
        has(
            &[
                ("Procfile", "web: npm run serve\n"),
                ("package.json", "{\"scripts\":{\"start\":\"node a.js\"}}"),
            ],
            "start-target-missing package.json has no script",
        );
        let package = ("kiosk/server.py", "app = 1\n");
        has(
            &[("Dockerfile", "FROM python:3.12\nCMD [\"python\", \"-m\", \"kiosk.web\"]\n"), package],
            "start-target-missing there is no module kiosk.web",
        );
        for start in ["python -m kiosk.server", "python -m http.server", "python3 -u -m uvicorn.main"] {
            lacks(&[("Procfile", &format!("web: {start}\n")), package], "start-target-missing");
        }
        lacks(
            &[("Procfile", "web: gunicorn app:create_app()\n"), ("app.py", "def create_app():\n    pass\n")],
            "start-target-missing",
        );
        lacks(
            &[("Dockerfile", "FROM node:20\nCMD [\"node\", \"/app/server.js\"]\n"), ("server.js", "")],
            "start-target-missing",
        );
    }

    #[test]
    fn roots_branches_scale() {
        let blueprint = "services:\n- type: web\n  name: a\n  runtime: python\n  startCommand: gunicorn app:app\n  rootDir: server\n  branch: release\n  autoDeploy: false\n";
        let files =
            [("render.yaml", blueprint), ("backend/app.py", "app = 1\n"), ("backend/requirements.txt", "")];
        has(&files, "root-directory-absent server is not there");
        has(&files, "deploy-branch release");
        has(&files, "autodeploy-off false");
        has(
            &[("fly.toml", "app='a'\n[http_service]\ninternal_port=80\nmin_machines_running = 0\n")],
            "min-instances-zero",
        );
        has(
            &[(
                "compose.yaml",
                "services:\n  a: {build: ., ports: ['1:1']}\n  b: {build: ., ports: ['2:2']}\n",
            )],
            "web-services-several a, b",
        );
    }

    #[test]
    fn static_targets_health_paths_and_environments() {
        let app = (
            "app.py",
            "from flask import Flask\napp = Flask(__name__)\n@app.get('/health')\ndef h():\n    return 'x'\n",
        );
        has(
            &[
                app,
                ("render.yaml", "services:\n- {type: web, name: a, runtime: static, staticPublishPath: .}\n"),
            ],
            "static-target render.yaml serves files",
        );
        has(
            &[
                app,
                (
                    "railway.json",
                    "{\"deploy\":{\"startCommand\":\"gunicorn app:app\",\"healthcheckPath\":\"/healthz\"}}",
                ),
            ],
            "health-not-routed /healthz",
        );
        lacks(
            &[
                app,
                (
                    "railway.json",
                    "{\"deploy\":{\"startCommand\":\"gunicorn app:app\",\"healthcheckPath\":\"/health\"}}",
                ),
            ],
            "health-not-routed",
        );
        has(
            &[(
                "fly.toml",
                "app='a'\n[env]\nAPP_ENV = 'staging'\nDATABASE_URL = 'postgres://u:pw@localhost/db'\n",
            )],
            "environment-staging APP_ENV is set to staging",
        );
        let found = super::super::tests::signs(&[(
            "fly.toml",
            "app='a'\n[env]\nDATABASE_URL = 'postgres://u:hunter2@localhost/db'\n",
        )]);
        assert!(found.iter().any(|s| s.starts_with("database-url-local DATABASE_URL")), "{found:?}");
        assert!(found.iter().all(|s| !s.contains("hunter2")), "{found:?}");
    }
}
