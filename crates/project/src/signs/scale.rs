//! What a deploy file gives a process and what it asks of it: a port in a variable that is not the one that is led to, no
//! instance at all, and less time to come up than what it does at its start takes.
//!
//! Source: fly.io/docs/reference/configuration (env, http_service, auto_start_machines, checks), kubernetes.io (Deployment,
//! replicas; Configure Liveness, Readiness and Startup Probes), docs.railway.com (healthcheckTimeout).

use std::sync::LazyLock;

use landfall_evidence::{PortSetting, SignWord};
use regex::Regex;

use super::{Found, Read, place, regex, text};
use crate::source::{Language, is_test};
use crate::yaml::{Node, documents};

/// Less than this many seconds is short for a program that loads a model or builds itself at its start.
const SHORT_S: u64 = 60;

pub(super) fn read(read: &Read<'_>, found: &mut Found) {
    ports(read, found);
    instances(read, found);
    graces(read, found);
}

/// A variable `PORT` that the same file sets to another port than the one that it leads to.
fn ports(read: &Read<'_>, found: &mut Found) {
    let asks = read.snapshot.settings.read.iter().any(|setting| setting.name == "PORT");
    for deploy in super::deploys::production(read) {
        let Some(given) = deploy.values.get("PORT").and_then(|port| port.parse::<u16>().ok()) else {
            continue;
        };
        let literal = deploy
            .config
            .start
            .as_ref()
            .is_some_and(|start| matches!(start.bind_port, PortSetting::Literal { .. }));
        let led: Vec<u16> = deploy.config.ports.iter().map(|map| map.local).collect();
        if let Some(first) = led.first().filter(|_| asks && !literal && !led.contains(&given)) {
            let file = deploy.config.file.as_str();
            let detail = format!("requests are led to {first}, and the process is given PORT={given}");
            found.add(SignWord::PortEnvDiffers, file, detail);
        }
    }
}

/// Deploy files that want no instance, or that let the last one stop and start none when a request comes.
fn instances(read: &Read<'_>, found: &mut Found) {
    let manifests = crate::deploy::manifests(read.tree);
    let rolled_out = manifests
        .iter()
        .any(|(_, content)| content.contains("kind: Rollout") && content.contains("workloadRef"));
    for (file, content) in manifests {
        let Ok(all) = documents(&content) else { continue };
        for document in &all {
            let kind = document.get("kind").and_then(Node::text);
            let replicas = document.at(&["spec", "replicas"]);
            // An autoscaler counts for itself.
            // So does a Rollout, for the Deployment that it takes its pods from (argo-rollouts, Migrating).
            let scaled =
                ["HorizontalPodAutoscaler", "ScaledObject"].iter().any(|word| content.contains(word))
                    || rolled_out;
            if matches!(kind, Some("Deployment" | "StatefulSet"))
                && !scaled
                && let Some(none) = replicas.filter(|count| count.text() == Some("0"))
            {
                let name = document.at(&["metadata", "name"]).and_then(Node::text).unwrap_or("a workload");
                found.add(
                    SignWord::InstancesNone,
                    format!("{file}:{}", none.line),
                    format!("{name} has 0 replicas"),
                );
            }
        }
    }
    static STOPS: LazyLock<Regex> =
        LazyLock::new(|| regex(r#"(?m)^\s*auto_stop_machines\s*=\s*(?:true|["'](?:stop|suspend)["'])"#));
    static STARTS: LazyLock<Regex> = LazyLock::new(|| regex(r"(?m)^\s*auto_start_machines\s*=\s*false"));
    static KEEPS: LazyLock<Regex> = LazyLock::new(|| regex(r"(?m)^\s*min_machines_running\s*=\s*[1-9]"));
    if let Some(content) = text(read.tree, "fly.toml")
        && let Some(off) = STARTS.find(&content)
        && STOPS.is_match(&content)
        && !KEEPS.is_match(&content)
    {
        let at = off.start() + (off.as_str().len() - off.as_str().trim_start().len());
        found.add(
            SignWord::InstancesNone,
            place("fly.toml", &content, at),
            "machines stop when they are idle, and no request starts one",
        );
    }
}

/// What takes long before the first answer: what it is, and where.
fn slow_start(read: &Read<'_>) -> Option<String> {
    static MODELS: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"\b(?:SentenceTransformer|CrossEncoder|AutoModel\w*\.from_pretrained|AutoTokenizer\.from_pretrained|whisper\.load_model|WhisperModel|spacy\.load|torch\.load|load_model|Llama|DiffusionPipeline\.from_pretrained|StableDiffusionPipeline\.from_pretrained|fasttext\.load_model|KeyedVectors\.load|YOLO)\s*\(|(?:^|[\s=(])pipeline\(\s*['\x22][\w-]+['\x22]",
        )
    });
    static BUILDS: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"\b(?:npm run build|yarn build|pnpm (?:run )?build|next build|vite build|nest build|mvn (?:clean )?(?:package|install)|gradlew? (?:build|bootRun)|mvnw? spring-boot:run|cargo run|go run|assets:precompile|npm (?:ci|install)|pip install|bundle install)\b",
        )
    });
    let model = read.sources.iter().filter(|s| s.language == Language::Python && !is_test(&s.path)).find_map(
        |source| {
            let loads = MODELS.find(&source.code)?;
            let what = loads.as_str().trim().trim_end_matches('(').trim_start_matches(['=', '(']).trim();
            Some(format!("{what} ({})", source.place(loads.start())))
        },
    );
    let builds = || {
        super::deploys::production(read).into_iter().find_map(|deploy| {
            let start = deploy.config.start.as_ref()?;
            let builds = BUILDS.find(&start.raw)?;
            Some(format!("`{}` ({})", builds.as_str(), deploy.config.file))
        })
    };
    model.or_else(builds)
}

/// Health checks that give a slow start too little time.
fn graces(read: &Read<'_>, found: &mut Found) {
    let Some(slow) = slow_start(read) else { return };
    let mut tell = |seconds: u64, place: String, what: &str| {
        if seconds < SHORT_S {
            let detail = format!("{what} after {seconds} s, and the start waits for {slow}");
            found.add(SignWord::StartGraceShort, place, detail);
        }
    };
    for (file, content) in crate::deploy::manifests(read.tree) {
        let Ok(all) = documents(&content) else { continue };
        for container in all.iter().filter_map(super::pods::pod).flat_map(super::pods::containers) {
            let Some(probe) = container.get("livenessProbe") else { continue };
            let number = |key: &str, usual: u64| {
                probe
                    .get(key)
                    .map_or(Some(usual), |node| node.text().and_then(|text| text.parse::<u64>().ok()))
            };
            if container.get("startupProbe").is_none()
                && let (Some(delay), Some(period), Some(failures)) = (
                    number("initialDelaySeconds", 0),
                    number("periodSeconds", 10),
                    number("failureThreshold", 3),
                )
            {
                let seconds = delay.saturating_add(period.saturating_mul(failures));
                tell(
                    seconds,
                    format!("{file}:{}", probe.line),
                    "the liveness probe has the container restarted",
                );
            }
        }
    }
    static FLY: LazyLock<Regex> = LazyLock::new(|| regex(r#"\bgrace_period\s*=\s*["'](\d+)s["']"#));
    static RAILWAY: LazyLock<Regex> =
        LazyLock::new(|| regex(r#"["']?healthcheckTimeout["']?\s*[:=]\s*(\d+)"#));
    let forms = [
        ("fly.toml", &FLY, "the platform counts the check as failed"),
        ("railway.json", &RAILWAY, "the platform gives the deployment up"),
        ("railway.toml", &RAILWAY, "the platform gives the deployment up"),
    ];
    for (file, form, what) in forms {
        if let Some(content) = text(read.tree, file)
            && let Some(limit) = form.captures(&content)
            && let (Ok(seconds), Some(at)) = (limit[1].parse(), limit.get(0))
        {
            tell(seconds, place(file, &content, at.start()), what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{has, lacks};

    #[test]
    fn a_port_in_a_variable_that_is_not_led_to() {
        let code = ("app.js", "app.listen(process.env.PORT || 4000);\n");
        let package = (
            "package.json",
            r#"{"name":"a","dependencies":{"express":"^4.0.0"},"scripts":{"start":"node app.js"}}"#,
        );
        let fly = |port: &str| {
            format!("app = 'a'\n[env]\n  PORT = '{port}'\n[http_service]\n  internal_port = 8080\n")
        };
        has(
            &[package, code, ("fly.toml", &fly("4000"))],
            "port-env-differs requests are led to 8080, and the process is given PORT=4000 @fly.toml",
        );
        lacks(&[package, code, ("fly.toml", &fly("8080"))], "port-env-differs");
        lacks(&[package, ("app.js", "app.listen(8080);\n"), ("fly.toml", &fly("4000"))], "port-env-differs");
    }

    #[test]
    fn deployments_without_an_instance() {
        let deployment = |replicas: u32| {
            format!(
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{ name: api }}\nspec:\n  replicas: {replicas}\n  template:\n    spec:\n      containers: [{{ name: api, image: a:1 }}]\n"
            )
        };
        has(&[("k8s/a.yaml", &deployment(0))], "instances-none api has 0 replicas @k8s/a.yaml:5");
        lacks(&[("k8s/a.yaml", &deployment(1))], "instances-none");
        let fly = |more: &str| {
            format!(
                "app = 'a'\n[http_service]\n  internal_port = 80\n  auto_stop_machines = 'stop'\n  auto_start_machines = false\n{more}"
            )
        };
        has(
            &[("fly.toml", &fly(""))],
            "instances-none machines stop when they are idle, and no request starts one @fly.toml:5",
        );
        lacks(&[("fly.toml", &fly("  min_machines_running = 1\n"))], "instances-none");
        lacks(&[("fly.toml", &fly("").replace("false", "true"))], "instances-none");
    }

    #[test]
    fn a_slow_start_and_a_short_grace() {
        let code = (
            "app/main.py",
            "from sentence_transformers import SentenceTransformer\nmodel = SentenceTransformer('e5-large')\n",
        );
        let pod = |more: &str| {
            format!(
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{ name: api }}\nspec:\n  template:\n    spec:\n      containers:\n        - name: api\n          image: a:1\n{more}          livenessProbe:\n            httpGet: {{ path: /healthz, port: 80 }}\n            initialDelaySeconds: 10\n            periodSeconds: 5\n            failureThreshold: 4\n"
            )
        };
        has(
            &[code, ("k8s/a.yaml", &pod(""))],
            "start-grace-short the liveness probe has the container restarted after 30 s, and the start waits for SentenceTransformer (app/main.py:2)",
        );
        lacks(
            &[
                code,
                (
                    "k8s/a.yaml",
                    &pod(
                        "          startupProbe: { httpGet: { path: /healthz, port: 80 }, failureThreshold: 60 }\n",
                    ),
                ),
            ],
            "start-grace-short",
        );
        lacks(&[("app/main.py", "app = FastAPI()\n"), ("k8s/a.yaml", &pod(""))], "start-grace-short");
        lacks(
            &[code, ("k8s/a.yaml", &pod("").replace("failureThreshold: 4", "failureThreshold: 60"))],
            "start-grace-short",
        );
        has(
            &[
                code,
                (
                    "fly.toml",
                    "app = 'a'\n[http_service]\n  internal_port = 80\n  [[http_service.checks]]\n    grace_period = \"10s\"\n    path = \"/healthz\"\n",
                ),
            ],
            "start-grace-short the platform counts the check as failed after 10 s",
        );
        has(
            &[
                ("package.json", r#"{"name":"a","dependencies":{"next":"15.0.0"}}"#),
                (
                    "railway.json",
                    "{\"deploy\": {\"startCommand\": \"npm run build && npm start\", \"healthcheckPath\": \"/\", \"healthcheckTimeout\": 20}}",
                ),
            ],
            "start-grace-short the platform gives the deployment up after 20 s, and the start waits for `npm run build` (railway.json)",
        );
    }
}
