//! What a program does when it is asked to stop, and work that is handed to a queue which nobody empties.

use std::sync::LazyLock;

use landfall_evidence::{DeployStage, SignWord};
use regex::Regex;

use super::plan::Plan;
use super::{Found, Read, regex, text};
use crate::source::{Language, Source, is_test};
use crate::tree::file_name;

pub(super) fn read(read: &Read<'_>, plans: &[Plan], found: &mut Found) {
    exits(read, found);
    graces(read, found);
    workers(read, plans, found);
}

/// A handler of SIGTERM that exits, in code that never closes its server: requests that are open then are cut off.
fn exits(read: &Read<'_>, found: &mut Found) {
    static GO: LazyLock<Regex> = LazyLock::new(|| regex(r"\bsignal\.Notify\([^)]*SIGTERM"));
    static GO_EXITS: LazyLock<Regex> = LazyLock::new(|| regex(r"\bos\.Exit\("));
    static GO_CLOSES: LazyLock<Regex> = LazyLock::new(|| {
        regex(r"\.Shutdown\(|\.ShutdownWithContext\(|\.GracefulStop\(|graceful|NotifyContext")
    });
    static NODE: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r#"process\.(?:on|once)\(\s*['"]SIGTERM['"]\s*,\s*(?:async\s*)?\(?\w*\)?\s*=>\s*\{?[^}]{0,200}?process\.exit\("#,
        )
    });
    static NODE_CLOSES: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"\.close\(|closeGracefully|createTerminus|http-terminator|gracefulShutdown|enableShutdownHooks|stoppable",
        )
    });
    let sources = || read.sources.iter().filter(|source| !is_test(&source.path));
    let any = |language: Language, pattern: &Regex| {
        sources().any(|s| s.language == language && pattern.is_match(&s.code))
    };
    let first = |language: Language, pattern: &Regex| -> Option<String> {
        sources()
            .filter(|s| s.language == language)
            .find_map(|s: &Source| Some(s.place(pattern.find(&s.code)?.start())))
    };
    if let Some(place) = first(Language::Go, &GO)
        && sources().any(|s| s.language == Language::Go && GO.is_match(&s.code) && GO_EXITS.is_match(&s.code))
        && any(Language::Go, &SERVES_GO)
        && !any(Language::Go, &GO_CLOSES)
    {
        found.add(SignWord::ExitsOnSignal, place, "SIGTERM leads to os.Exit, and no server is shut down");
    }
    if let Some(place) = first(Language::JavaScript, &NODE)
        && !any(Language::JavaScript, &NODE_CLOSES)
    {
        found.add(SignWord::ExitsOnSignal, place, "SIGTERM leads to process.exit, and no server is closed");
    }
}

static SERVES_GO: LazyLock<Regex> = LazyLock::new(|| regex(r"ListenAndServe|\.Serve\(|\.Listen\(|\.Run\("));

/// Deploy files of production that leave a stopping process no second, or that send it the signal which cannot be caught
/// (kubernetes.io, Termination of Pods; docs.docker.com, STOPSIGNAL; systemd.kill, KillSignal; fly.io, kill_signal).
fn graces(read: &Read<'_>, found: &mut Found) {
    static GRACE: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r#"(?m)^[ \t]*(?:-[ \t]*)?(terminationGracePeriodSeconds:[ \t]*0\b|stop_grace_period:[ \t]*["']?0s?["']?[ \t]*$|(?:stop_signal:[ \t]*["']?|KillSignal[ \t]*=[ \t]*|STOPSIGNAL[ \t]+|kill_signal[ \t]*=[ \t]*["'])SIGKILL)"#,
        )
    });
    for file in read.tree.files.iter().filter(|f| !f.ignored).take(2000) {
        let name = file_name(&file.path);
        let yaml = name.ends_with(".yml") || name.ends_with(".yaml");
        // A Compose file without a word of production is a developer's, who does not wait for containers to end.
        let compose = name.contains("compose");
        let of_production = name.ends_with(".service") || matches!(name, "Dockerfile" | "fly.toml");
        if !of_production && !(yaml && (!compose || crate::deploy::COMPOSE_PRODUCTION.contains(&name))) {
            continue;
        }
        let Some(content) = text(read.tree, &file.path) else { continue };
        let serves = !yaml || compose || content.contains("kind: Deployment");
        if let Some(grace) = GRACE.captures(&content).and_then(|c| c.get(1)).filter(|_| serves) {
            let place = super::place(&file.path, &content, grace.start());
            found.add(SignWord::ExitsOnSignal, place, grace.as_str());
        }
    }
}

/// A library of background work: what hands work over, and what starts one that takes it.
struct Queue {
    name: &'static str,
    /// Words of code that uses it, one of which stands in some file: tasks are called in other files than those that make them.
    library: &'static [&'static str],
    hands: Regex,
    takes: Regex,
    /// With which setting the work is done at once, where it is handed over.
    at_once: &'static [&'static str],
}

static QUEUES: LazyLock<Vec<Queue>> = LazyLock::new(|| {
    vec![
        Queue {
            name: "Celery",
            library: &["celery"],
            hands: regex(r"\.(?:delay|apply_async)\("),
            takes: regex(r"\bcelery\b[^\n]*\bworker\b|celery_worker|worker_main"),
            at_once: &["ALWAYS_EAGER", "always_eager"],
        },
        Queue {
            name: "Sidekiq",
            library: &["sidekiq", "Sidekiq"],
            hands: regex(r"\.perform_async\b"),
            takes: regex(r"\bsidekiq\b(?:[ '\x22,\]]|$)"),
            at_once: &["Sidekiq::Testing.inline!"],
        },
        Queue {
            name: "RQ",
            library: &["from rq ", "import rq", "django_rq"],
            hands: regex(r"\bQueue\([^\n]*|\.enqueue\("),
            takes: regex(r"\brq worker\b|rqworker|Worker\("),
            at_once: &["is_async=False", "ASYNC': False"],
        },
        Queue {
            name: "Symfony Messenger",
            library: &["AsMessageHandler", "MessageHandlerInterface"],
            hands: regex(r"->dispatch\(\s*new\b"),
            takes: regex(r"messenger:consume"),
            at_once: &["'sync://'", "sync://"],
        },
        Queue {
            name: "Active Job",
            library: &["ApplicationJob", "ActiveJob", "queue_adapter"],
            hands: regex(r"\.perform_later\b|\.deliver_later\b"),
            takes: regex(
                r"\bsidekiq\b(?:[ '\x22,\]]|$)|bin/jobs|solid_queue:start|good_job\s+start|jobs:work|resque:work|SOLID_QUEUE_IN_PUMA|\bshoryuken\b|\bdelayed_job\b\s+(?:start|run)|GOOD_JOB_EXECUTION_MODE\W+async",
            ),
            at_once: &[
                "queue_adapter = :inline",
                "queue_adapter = :async",
                "plugin :solid_queue",
                "execution_mode: :async",
                "execution_mode = :async",
            ],
        },
        Queue {
            name: "Dramatiq",
            library: &["dramatiq"],
            hands: regex(r"\.send\(|\.send_with_options\("),
            takes: regex(r"\bdramatiq\b[ '\x22,\]]+\w|rundramatiq"),
            at_once: &["StubBroker"],
        },
        Queue {
            name: "Huey",
            library: &["huey"],
            hands: regex(r"@\w*\.?(?:task|db_task)\("),
            takes: regex(r"huey_consumer|run_huey"),
            at_once: &["immediate=True", "immediate': True", "\"immediate\": True"],
        },
        Queue {
            name: "Laravel's queue",
            library: &["ShouldQueue"],
            hands: regex(r"::dispatch\(|\bdispatch\(new\b"),
            takes: regex(r"queue:(?:work|listen)|\bhorizon\b"),
            at_once: &["QUEUE_CONNECTION=sync", "QUEUE_CONNECTION: sync", "dispatchSync", "queue:work"],
        },
    ]
});

/// Work that is handed over where the project itself starts a worker in development and none in production.
fn workers(read: &Read<'_>, plans: &[Plan], found: &mut Found) {
    let production: Vec<String> = read
        .deploys
        .iter()
        .filter(|d| d.config.stage == DeployStage::Production && d.config.platform != "docker-compose")
        .map(|d| d.config.file.clone())
        .chain(plans.iter().filter(|p| !p.workflow && p.platform != "docker-compose").map(|p| p.file.clone()))
        .collect();
    // One file lists all that runs there; of an image alone nobody can say what else is started from it.
    let lists = ["Procfile", "render.yaml", "fly.toml", "app.yaml", "railway.toml", "config/deploy.yml"];
    let Some(listed) = production.iter().find(|file| lists.contains(&file.as_str())) else { return };
    for queue in QUEUES.iter() {
        let uses = |source: &Source| queue.library.iter().any(|word| source.code.contains(word));
        let hands = read.sources.iter().any(uses).then(|| {
            let served = read.sources.iter().filter(|source| !is_test(&source.path));
            served.into_iter().find_map(|source| Some(source.place(queue.hands.find(&source.code)?.start())))
        });
        let Some(place) = hands.flatten() else { continue };
        let (mut deployed, mut developed, mut at_once) = (false, false, false);
        let sources = read.sources.iter().map(|source| source.code.as_str());
        at_once |= sources.into_iter().any(|code| queue.at_once.iter().any(|word| code.contains(word)));
        for file in read.tree.files.iter().filter(|f| !f.ignored).take(2000) {
            let name = file_name(&file.path);
            let compose = name.contains("compose") && (name.ends_with(".yml") || name.ends_with(".yaml"));
            let local = compose && !crate::deploy::COMPOSE_PRODUCTION.contains(&name)
                || matches!(name, "Procfile.dev" | "Procfile.local" | "Makefile" | "justfile" | "README.md");
            let deploys = !local
                && (["Procfile", "Dockerfile"].iter().any(|begin| name.starts_with(begin))
                    || [
                        ".yml", ".yaml", ".toml", ".sh", ".service", ".conf", ".json", ".tf", ".hcl", ".ini",
                    ]
                    .iter()
                    .any(|end| name.ends_with(end))
                    || file.path.starts_with("bin/"));
            if !local && !deploys && !name.starts_with(".env") {
                continue;
            }
            let Some(content) = text(read.tree, &file.path) else { continue };
            at_once |= queue.at_once.iter().any(|word| content.contains(word));
            // The names of packages in manifests start nothing.
            let manifest = matches!(
                name,
                "package.json" | "composer.json" | "pyproject.toml" | "poetry.lock" | "Pipfile"
            );
            let takes = queue.takes.is_match(&content) && !manifest;
            deployed |= takes && deploys;
            developed |= takes && local;
        }
        if developed && !deployed && !at_once {
            found.add(
                SignWord::WorkerNotDeployed,
                place,
                format!("{}, for which {listed} starts no worker", queue.name),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{has, lacks};

    #[test]
    fn programs_that_end_at_once() {
        let go = "package main\nfunc main() {\n  signal.Notify(stop, syscall.SIGTERM)\n  go func() { <-stop; os.Exit(0) }()\n  http.ListenAndServe(\":8080\", nil)\n}\n";
        has(
            &[("main.go", go)],
            "exits-on-signal SIGTERM leads to os.Exit, and no server is shut down @main.go:3",
        );
        lacks(&[("main.go", &go.replace("os.Exit(0)", "srv.Shutdown(ctx); os.Exit(0)"))], "exits-on-signal");
        let node = "process.on('SIGTERM', () => process.exit(0));\napp.listen(3000);\n";
        has(
            &[("server.js", node)],
            "exits-on-signal SIGTERM leads to process.exit, and no server is closed @server.js:1",
        );
        lacks(
            &[("server.js", "process.on('SIGTERM', () => server.close(() => process.exit(0)));\n")],
            "exits-on-signal",
        );
    }

    #[test]
    fn no_time_to_end() {
        for (file, says, line) in [
            (
                "k8s/a.yaml",
                "kind: Deployment\nterminationGracePeriodSeconds: 0",
                "terminationGracePeriodSeconds: 0",
            ),
            ("compose.prod.yml", "    stop_signal: SIGKILL", "stop_signal: SIGKILL"),
            ("a.service", "KillSignal=SIGKILL", "KillSignal=SIGKILL"),
        ] {
            has(&[(file, &format!("{says}\n"))], &format!("exits-on-signal {line}"));
        }
        for (file, fine) in [
            ("k8s/a.yaml", "kind: Deployment\nterminationGracePeriodSeconds: 30"),
            ("k8s/job.yaml", "kind: Job\nterminationGracePeriodSeconds: 0"),
            ("compose.prod.yml", "    stop_grace_period: 30s"),
            ("compose.yml", "    stop_signal: SIGKILL"),
            // Zero switches the limit off.
            ("a.service", "TimeoutStopSec=0"),
        ] {
            lacks(&[(file, &format!("{fine}\n"))], "exits-on-signal");
        }
    }

    #[test]
    fn work_that_nobody_takes() {
        let web = ("Procfile", "web: gunicorn shop.wsgi\n");
        let code = (
            "orders/views.py",
            "from celery import shared_task\ndef create(r):\n    make_invoice.delay(1)\n",
        );
        let dev =
            ("docker-compose.yml", "services:\n  worker:\n    command: celery -A shop worker -l info\n");
        has(
            &[web, code, dev],
            "worker-not-deployed Celery, for which Procfile starts no worker @orders/views.py:3",
        );
        let both = ("Procfile", "web: gunicorn shop.wsgi\nworker: celery -A shop worker\n");
        lacks(&[both, code, dev], "worker-not-deployed");
        let server = ("compose.prod.yml", dev.1);
        lacks(&[web, code, dev, server], "worker-not-deployed");
        let eager = ("settings.py", "CELERY_TASK_ALWAYS_EAGER = True\n");
        lacks(&[web, code, dev, eager], "worker-not-deployed");
        // Where nothing here starts one, it may be started by somebody else.
        lacks(&[web, code], "worker-not-deployed");
    }
}
