//! The reading of a whole folder.

use std::path::Path;
use std::thread;

use landfall_evidence::{NamedHost, Observed, ProbeFault, ProjectSnapshot, redact_text};

use crate::syntax::Trees;
use crate::tree::Tree;
use crate::{
    checks, deploy, entry, git, monitors, records, routes, schedulers, settings, signs, source, stack,
};

/// Reads a project folder: files, history and the versions of the runtimes on this machine. Nothing in the folder is
/// changed or executed.
///
/// Blocks for up to some seconds on a large folder; call it from a thread that may block. A folder that cannot be
/// opened is [`Observed::Unasked`]: it says nothing about the project.
pub fn read(root: &Path) -> Observed<Box<ProjectSnapshot>> {
    let local = |detail: String| Observed::Unasked(ProbeFault::Local { detail });
    let root = match root.canonicalize() {
        Ok(root) => root,
        Err(error) => return local(format!("{}: {error}", root.display())),
    };
    if !root.is_dir() {
        return local(format!("{}: not a folder", root.display()));
    }
    if let Err(error) = std::fs::read_dir(&root) {
        return local(format!("{}: {error}", root.display()));
    }

    // The history takes as long as the files do, and neither needs the other.
    let (mut snapshot, git) = thread::scope(|scope| {
        let history = scope.spawn(|| {
            let mut unread = Vec::new();
            (git::read(&root, &mut unread), unread)
        });
        let snapshot = files(&root);
        (
            snapshot,
            history.join().unwrap_or_else(|_| (None, vec!["git: the history could not be read".to_owned()])),
        )
    });
    snapshot.git = git.0.map(|mut state| {
        state.routes_written = git::routes_written(&root, &state, &snapshot.routes);
        state
    });
    snapshot.unread.extend(git.1);
    Observed::Present(Box::new(snapshot))
}

/// The hosts and name servers that the folder names, without reading the rest of it; empty for a folder that cannot be
/// opened.
pub fn hosts(root: &Path) -> Vec<NamedHost> {
    crate::hosts::read(&Tree::walk(root, &git::ignored(root)))
}

fn files(root: &Path) -> ProjectSnapshot {
    let mut tree = Tree::walk(root, &git::ignored(root));
    let mut unread = std::mem::take(&mut tree.unread);
    let sources = source::load(&tree, &mut unread);
    let deploys = deploy::read(&tree, &mut unread);
    let environment = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let of_both = |source: &&source::Source| routes::may_read(source) && settings::may_read(source);
    let trees = Trees::of(sources.iter().filter(of_both));
    // None of these readers needs another one, and each goes over all sources.
    let (mut of_stacks, mut of_settings, mut of_routes) = (Vec::new(), Vec::new(), Vec::new());
    let (stacks, (settings, mut noticed), routes, schedulers, hosts) = thread::scope(|scope| {
        let settings =
            scope.spawn(|| settings::read(&tree, &sources, &trees, &deploys, environment, &mut of_settings));
        let routes = scope.spawn(|| routes::read(&tree, &sources, &trees, &mut of_routes));
        let rest = scope.spawn(|| (schedulers::read(&sources), crate::hosts::read(&tree)));
        let stacks = stack::read(&tree, &sources, &mut of_stacks);
        // A reader that fails costs what it would have shown, and says so.
        let mut lost = |what: &str| unread.push(format!("{what}: could not be read to the end"));
        let (schedulers, hosts) = rest.join().unwrap_or_else(|_| {
            lost("schedulers and host names");
            Default::default()
        });
        let settings = settings.join().unwrap_or_else(|_| {
            lost("settings");
            Default::default()
        });
        let routes = routes.join().unwrap_or_else(|_| {
            lost("routes");
            Default::default()
        });
        (stacks, settings, routes, schedulers, hosts)
    });
    unread.extend(of_stacks.into_iter().chain(of_settings).chain(of_routes));
    let specified = routes::specified(&tree, &mut unread);
    let routes::Declared { routes, unmounted } = routes;
    let mut snapshot = ProjectSnapshot {
        root: root.display().to_string(),
        stacks,
        entry: entry::entry(&tree, &deploys, &sources),
        folders: entry::folders(&tree),
        settings,
        routes,
        schedulers,
        deploy: deploys.iter().map(|d| d.config.clone()).collect(),
        git: None,
        hosts,
        signs: Vec::new(),
        checks: checks::read(&tree, &specified),
        monitors: monitors::read(&tree),
        records: records::read(&tree),
        left_out: signs::left_out(&tree),
        unread: Vec::new(),
        started: None,
        unmounted,
        registered: None,
    };
    noticed.extend(settings::near_misses(&snapshot));
    noticed.extend(routes::against_specification(&specified, &snapshot.routes));
    let (signs, built) = signs::read(&signs::Read {
        tree: &tree,
        sources: &sources,
        deploys: &deploys,
        snapshot: &snapshot,
        noticed: &noticed,
    });
    snapshot.signs = signs;
    for config in &mut snapshot.deploy {
        let Some(of_file) = built.iter().find(|built| built.file == config.file) else { continue };
        config.build = config.build.take().or_else(|| of_file.build.as_deref().map(redact_text));
        config.root = config.root.take().or_else(|| {
            let root = of_file.root.as_deref()?.trim_start_matches("./").trim_matches('/');
            (!root.is_empty() && root != ".").then(|| root.to_owned())
        });
        config.replicas = config.replicas.or(of_file.replicas);
    }
    // A file that several readers stumble over is named once.
    for reason in unread {
        if !snapshot.unread.contains(&reason) {
            snapshot.unread.push(reason);
        }
    }
    snapshot
}

#[cfg(test)]
mod tests {
    use super::*;
    use landfall_evidence::{DeployStage, PortMap, PortSetting};

    fn levqor() -> Box<ProjectSnapshot> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/levqor/project");
        match read(&root) {
            Observed::Present(snapshot) => snapshot,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_acceptance_case_is_read_whole() {
        let seen = levqor();
        assert!(seen.unread.is_empty(), "{:?}", seen.unread);
        let stack = &seen.stacks[0];
        let framework = stack.framework.as_ref().unwrap();
        assert_eq!((framework.name.as_str(), framework.version.as_deref()), ("Flask", Some("3.0.0")));
        let server = stack.server.as_ref().unwrap();
        assert_eq!((server.name.as_str(), server.version.as_deref()), ("gunicorn", Some("22.0.0")));
        assert_eq!(stack.runtime.wanted.as_deref(), Some("3.11"));
        assert_eq!(stack.manifest.as_deref(), Some("requirements.txt"));
        assert_eq!(seen.stacks.len(), 1);

        let entry = seen.entry.as_ref().unwrap();
        assert_eq!((entry.path.as_str(), entry.defines.as_deref()), ("run.py", Some("app")));
        assert!(entry.size_byte > 1_000);
        let folders: Vec<&str> = seen.folders.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(
            folders,
            [
                "backend",
                "backend/billing",
                "backend/models",
                "backend/routes",
                "backend/services",
                "backend/utils",
                "tests"
            ]
        );
        assert!(seen.folders.iter().all(|f| f.files > 0));

        let production = seen.deploy.iter().find(|d| d.stage == DeployStage::Production).unwrap();
        let start = production.start.as_ref().unwrap();
        assert!(start.shell);
        assert_eq!(start.bind_host.as_deref(), Some("0.0.0.0"));
        assert_eq!(start.bind_port, PortSetting::Variable { name: "PORT".into(), default: Some(5000) });
        assert_eq!(production.ports, [PortMap { local: 5000, external: 80 }]);
        let settings: Vec<(&str, Option<&str>, Option<&str>)> = start
            .settings
            .iter()
            .map(|s| (s.name.as_str(), s.value.as_deref(), s.variable.as_deref()))
            .collect();
        assert_eq!(
            settings,
            [
                ("workers", Some("2"), Some("GUNICORN_WORKERS")),
                ("threads", Some("4"), Some("GUNICORN_THREADS")),
                ("timeout_s", Some("30"), Some("GUNICORN_TIMEOUT")),
            ]
        );
    }

    #[test]
    fn the_acceptance_cases_settings_routes_and_jobs() {
        let seen = levqor();
        for name in ["OPENAI_API_KEY", "STRIPE_WEBHOOK_SECRET", "TELEGRAM_BOT_TOKEN", "WHATSAPP_API_URL"] {
            assert!(seen.settings.read.iter().any(|r| r.name == name), "{name} is read by the code");
        }
        for name in ["OPENAI_API_KEY", "STRIPE_SECRET_KEY", "GUNICORN_WORKERS"] {
            assert!(seen.settings.declared.iter().any(|d| d == name), "{name} is declared");
        }
        assert_eq!(seen.settings.declared_in.as_deref(), Some(".env.example"));
        for needed in seen.settings.read.iter().filter(|r| !r.has_default) {
            assert!(
                seen.settings.declared.contains(&needed.name),
                "{} is needed and not declared",
                needed.name
            );
        }

        let routes: Vec<String> =
            seen.routes.iter().map(|r| format!("{} {}", r.methods.join(","), r.path)).collect();
        for route in [
            "GET /",
            "GET /health",
            "GET /api/support/health",
            "GET /api/webhooks/stripe/health",
            "POST /api/webhooks/stripe/checkout-completed",
            "GET /api/v1/projects",
            "GET /api/v1/projects/<project_id>",
        ] {
            assert!(routes.iter().any(|r| r == route), "{route} in {routes:#?}");
        }
        let [scheduler] = seen.schedulers.as_slice() else { panic!("{:?}", seen.schedulers) };
        assert_eq!(
            (scheduler.kind.as_str(), scheduler.jobs, scheduler.starts_at_import),
            ("APScheduler", 19, true)
        );
        assert_eq!(scheduler.gated_by.as_deref(), Some("RUN_SCHEDULER"));
    }

    #[test]
    fn a_folder_that_is_not_there_says_nothing_about_the_project() {
        let seen = read(Path::new("/landfall/no/such/folder"));
        assert!(
            matches!(&seen, Observed::Unasked(ProbeFault::Local { detail }) if detail.contains("/landfall/no/such/folder")),
            "{seen:?}"
        );
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(!read(file.path()).was_asked());
    }

    #[test]
    fn an_empty_folder_is_read_and_shows_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let Observed::Present(seen) = read(dir.path()) else { panic!("an empty folder can be read") };
        assert!(
            seen.stacks.is_empty()
                && seen.entry.is_none()
                && seen.routes.is_empty()
                && seen.unread.is_empty(),
            "{seen:?}"
        );
    }

    #[test]
    fn a_reading_repeats_itself() {
        assert_eq!(levqor(), levqor());
    }
}
