//! Deploy files in YAML: Render blueprints, heroku.yml, App Engine's app.yaml, Kamal's deploy.yml, compose files, and
//! Kubernetes manifests with the services of Knative (Cloud Run) among them.
//!
//! Sources: render.com/docs/blueprint-spec, devcenter.heroku.com/articles/build-docker-images-heroku-yml,
//! docs.docker.com/reference/compose-file/services, kubernetes.io/docs/reference/kubernetes-api.

use std::collections::BTreeMap;

use landfall_evidence::{DeployStage, PortMap};

use super::Deploy;
use crate::command::{parse_shell, parse_vector};
use crate::yaml::{Node, documents};

/// A command: a text for a shell, or a list of words.
fn start(deploy: &mut Deploy, command: &Node, shell: bool) {
    let words: Vec<String> = command.items().iter().filter_map(|w| w.text().map(str::to_owned)).collect();
    if !words.is_empty() {
        deploy.start(parse_vector(&words));
    } else if let Some(text) = command.text() {
        // Compose splits a text into words and runs them without a shell; the platforms hand it to one.
        if shell {
            deploy.start(parse_shell(text));
        } else {
            let words: Vec<String> =
                crate::command::commands(text).into_iter().flatten().map(|w| w.script()).collect();
            deploy.start(parse_vector(&words));
        }
    }
}

/// Names and plain values of variables: a mapping, a list of `NAME=value`, or a list of `{key|name, value}`.
pub(crate) fn variables(node: Option<&Node>) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let Some(node) = node else { return all };
    for (name, value) in node.entries() {
        all.insert(name.clone(), value.text().unwrap_or_default().to_owned());
    }
    for item in node.items() {
        if let Some(text) = item.text() {
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            all.insert(name.to_owned(), value.to_owned());
        } else if let Some(name) = item.get("key").or_else(|| item.get("name")).and_then(Node::text) {
            let value = item.get("value").and_then(Node::text).unwrap_or_default();
            all.insert(name.to_owned(), value.to_owned());
        }
    }
    all
}

/// Render's blueprint: the web services come first, whatever the order of the file.
pub(super) fn render(file: &str, text: &str) -> Result<Vec<Deploy>, String> {
    let mut all = Vec::new();
    for document in documents(text)? {
        let services = document.get("services").map(Node::items).unwrap_or_default();
        if services.is_empty()
            && document.get("databases").is_none()
            && document.get("envVarGroups").is_none()
        {
            return Err("no `services` in it".to_owned());
        }
        let is = |service: &Node, kind: &str| service.get("type").and_then(Node::text) == Some(kind);
        for service in services.iter().filter(|s| is(s, "web") || is(s, "pserv")) {
            let mut deploy = Deploy::new(file, "render", DeployStage::Production);
            for key in ["startCommand", "dockerCommand"] {
                if let Some(command) = service.get(key) {
                    start(&mut deploy, command, true);
                }
            }
            let env = variables(service.get("envVars"));
            deploy.config.health_path =
                service.get("healthCheckPath").and_then(Node::text).map(str::to_owned);
            deploy.config.regions =
                service.get("region").and_then(Node::text).map(str::to_owned).into_iter().collect();
            // The name makes the host only while nobody else has it: Render then adds letters. So it is not a host.
            deploy.defaults(&env);
            deploy.config.sets = env.into_keys().collect();
            all.push(deploy);
        }
    }
    Ok(all)
}

/// Heroku's container build file.
pub(super) fn heroku(file: &str, text: &str) -> Result<Vec<Deploy>, String> {
    let mut all = Vec::new();
    for document in documents(text)? {
        let mut deploy = Deploy::new(file, "heroku", DeployStage::Production);
        if let Some(web) = document.at(&["run", "web"]) {
            start(&mut deploy, web.get("command").unwrap_or(web), true);
        }
        deploy.config.sets = variables(document.at(&["setup", "config"])).into_keys().collect();
        all.push(deploy);
    }
    Ok(all)
}

/// App Engine's app.yaml, or Databricks' and DigitalOcean's file of the same name; a file without a runtime is none.
pub(super) fn app_engine(file: &str, text: &str) -> Result<Vec<Deploy>, String> {
    let mut all = Vec::new();
    for document in documents(text)? {
        if document.get("runtime").is_none() {
            continue;
        }
        let mut deploy = Deploy::new(file, "google-app-engine", DeployStage::Production);
        if let Some(entry) = document.get("entrypoint") {
            start(&mut deploy, entry, true);
        }
        let env = variables(document.get("env_variables"));
        deploy.defaults(&env);
        deploy.config.sets = env.into_keys().collect();
        all.push(deploy);
    }
    Ok(all)
}

/// A compose file: the service that publishes a port, else the one that is built here.
pub(super) fn compose(file: &str, text: &str) -> Result<Vec<Deploy>, String> {
    let mut all = Vec::new();
    for document in documents(text)? {
        let Some(services) = document.get("services") else {
            return Err("no `services` in it".to_owned());
        };
        let built = services.entries().iter().filter(|(_, s)| s.get("build").is_some());
        let mut candidates: Vec<&Node> = built.map(|(_, s)| s).collect();
        if candidates.is_empty() && super::COMPOSE_PRODUCTION.contains(&crate::tree::file_name(file)) {
            // A server pulls what was built elsewhere; images without an owner in their names are other people's programs.
            let pulled = services.entries().iter().map(|(_, s)| s);
            candidates = pulled
                .filter(|s| s.get("image").and_then(Node::text).is_some_and(|image| image.contains('/')))
                .collect();
        }
        candidates.sort_by_key(|s| s.get("ports").is_none());
        let Some(service) = candidates.first() else { continue };
        // A compose file is a developer's tool as often as it is a server's; `deploy::read` settles which.
        let mut deploy = Deploy::new(file, "docker-compose", DeployStage::Development);
        if let Some(command) = service.get("command") {
            start(&mut deploy, command, false);
        }
        let env = variables(service.get("environment"));
        deploy.config.ports = service
            .get("ports")
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .filter_map(compose_port)
            .collect();
        deploy.defaults(&env);
        deploy.config.sets_all =
            !env.is_empty() && service.get("env_file").is_none() && service.get("extends").is_none();
        deploy.config.sets = env.into_keys().collect();
        all.push(deploy);
    }
    Ok(all)
}

/// `8080:80`, `127.0.0.1:8080:80/tcp`, or `{target, published}`. A port without a published one reaches nobody by name.
fn compose_port(node: &Node) -> Option<PortMap> {
    if let (Some(target), Some(published)) = (node.get("target"), node.get("published")) {
        return Some(PortMap { local: target.port()?, external: published.port()? });
    }
    let text = node.text()?;
    let text = text.split_once('/').map_or(text, |(ports, _)| ports);
    let (before, local) = text.rsplit_once(':')?;
    let external = before.rsplit_once(':').map_or(before, |(_, port)| port);
    Some(PortMap { local: local.parse().ok()?, external: external.parse().ok()? })
}

/// The workloads of a Kubernetes manifest that a service could lead to.
pub(super) fn kubernetes(file: &str, text: &str) -> Result<Vec<Deploy>, String> {
    Ok(workloads(file, &documents(text)?))
}

/// The workloads among documents that belong together.
pub(super) fn workloads(file: &str, all: &[Node]) -> Vec<Deploy> {
    let kind = |document: &Node| document.get("kind").and_then(Node::text).map(str::to_owned);
    let targets: Vec<(&Node, Option<&str>)> = all
        .iter()
        .filter(|d| kind(d).as_deref() == Some("Service") && d.at(&["spec", "selector"]).is_some())
        .filter_map(|d| d.at(&["spec", "ports"]))
        .flat_map(Node::items)
        .filter_map(|p| {
            Some((p.get("port")?, p.get("targetPort").or_else(|| p.get("port")).and_then(Node::text)))
        })
        .collect();
    let mut found = Vec::new();
    for document in all {
        let workload = matches!(kind(document).as_deref(), Some("Deployment" | "StatefulSet" | "DaemonSet"));
        let knative = kind(document).as_deref() == Some("Service")
            && document
                .get("apiVersion")
                .and_then(Node::text)
                .is_some_and(|v| v.starts_with("serving.knative.dev"));
        if !workload && !knative {
            continue;
        }
        let containers =
            document.at(&["spec", "template", "spec", "containers"]).map(Node::items).unwrap_or_default();
        let Some(container) = containers.first() else { continue };
        let platform = if knative { "google-cloud-run" } else { "kubernetes" };
        let mut deploy = Deploy::new(file, platform, DeployStage::Production);
        let words = |key: &str| container.get(key).map(Node::items).unwrap_or_default().iter();
        let line: Vec<String> =
            words("command").chain(words("args")).filter_map(|w| w.text().map(str::to_owned)).collect();
        if !line.is_empty() && container.get("command").is_some() {
            deploy.start(parse_vector(&line));
        }
        for probe in ["readinessProbe", "livenessProbe", "startupProbe"] {
            if let Some(path) = container.at(&[probe, "httpGet", "path"]).and_then(Node::text) {
                deploy.config.health_path.get_or_insert_with(|| path.to_owned());
            }
        }
        let own: Vec<(Option<&str>, u16)> = container
            .get("ports")
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .filter_map(|p| Some((p.get("name").and_then(Node::text), p.get("containerPort")?.port()?)))
            .collect();
        for (port, target) in &targets {
            let local = target.and_then(|t| {
                t.parse().ok().or_else(|| own.iter().find(|(name, _)| *name == Some(t)).map(|(_, p)| *p))
            });
            if let (Some(local), Some(external)) = (local, port.port()) {
                deploy.config.ports.push(PortMap { local, external });
            }
        }
        if deploy.config.ports.is_empty() {
            deploy.config.ports = own.iter().map(|(_, p)| PortMap { local: *p, external: *p }).collect();
        }
        let env = variables(container.get("env"));
        deploy.config.sets_all = !knative && !env.is_empty() && container.get("envFrom").is_none();
        deploy.defaults(&env);
        deploy.config.sets = env.into_keys().collect();
        deploy.config.replicas =
            document.at(&["spec", "replicas"]).and_then(Node::text).and_then(|text| text.parse().ok());
        found.push(deploy);
    }
    found
}

/// An App Platform specification (docs.digitalocean.com/products/app-platform/reference/app-spec): `.do/app.yaml`, or
/// the template of a deploy button, which holds it under `spec`.
pub(super) fn app_platform(file: &str, text: &str) -> Result<Vec<Deploy>, String> {
    let mut all = Vec::new();
    for document in documents(text)? {
        let spec = document.get("spec").unwrap_or(&document);
        let shared = variables(spec.get("envs"));
        let services = spec.get("services").map(Node::items).unwrap_or_default();
        if services.is_empty()
            && ["static_sites", "workers", "jobs", "functions"].iter().all(|k| spec.get(k).is_none())
        {
            return Err(format!("line {}: no `services` in it", document.line));
        }
        for service in services {
            let text = |key: &str| service.get(key).and_then(Node::text).map(str::to_owned);
            let mut deploy = Deploy::new(file, "app-platform", DeployStage::Production);
            if let Some(command) = service.get("run_command") {
                start(&mut deploy, command, true);
            }
            // Without `http_port` the platform sends to 8080 and says so in PORT.
            let local = service.get("http_port").and_then(Node::port).unwrap_or(8080);
            deploy.config.ports.push(PortMap { local, external: 443 });
            deploy.config.health_path =
                service.at(&["health_check", "http_path"]).and_then(Node::text).map(str::to_owned);
            deploy.config.build = text("build_command");
            deploy.config.root = text("source_dir").filter(|dir| !matches!(dir.as_str(), "/" | "."));
            deploy.config.regions =
                spec.get("region").and_then(Node::text).map(str::to_owned).into_iter().collect();
            deploy.config.replicas = service
                .at(&["autoscaling", "min_instance_count"])
                .or_else(|| service.get("instance_count"))
                .and_then(Node::text)
                .and_then(|text| text.parse().ok());
            let mut env = variables(service.get("envs"));
            env.extend(shared.clone());
            deploy.defaults(&env);
            deploy.config.sets = env.into_keys().collect();
            all.push(deploy);
        }
    }
    Ok(all)
}

/// Kamal's file (kamal-deploy.org/docs/configuration): the role `web`, before which kamal-proxy stands. It leads to port 80
/// of the container unless `app_port` says otherwise, and lets a new one serve once `/up` answers 200 unless `healthcheck`
/// names another path. Another program's file of that name has no `service` with an `image`.
pub(super) fn kamal(file: &str, text: &str) -> Result<Vec<Deploy>, String> {
    let mut all = Vec::new();
    for document in documents(text)? {
        if document.get("service").is_none() || document.get("image").is_none() {
            continue;
        }
        let mut deploy = Deploy::new(file, "kamal", DeployStage::Production);
        let servers = document.get("servers");
        let web = servers.and_then(|servers| servers.get("web"));
        let own = web.and_then(|web| web.get("proxy")).filter(|proxy| !proxy.entries().is_empty());
        let proxy = own.or_else(|| document.get("proxy"));
        if let Some(command) = web.and_then(|web| web.get("cmd")) {
            start(&mut deploy, command, true);
        }
        let said = |path: &[&str]| proxy.and_then(|proxy| proxy.at(path));
        let local = said(&["app_port"]).and_then(Node::port).unwrap_or(80);
        let clear = said(&["ssl"]).and_then(Node::text).is_none_or(|ssl| ssl == "false");
        deploy.config.ports.push(PortMap { local, external: if clear { 80 } else { 443 } });
        let path = said(&["healthcheck", "path"]).and_then(Node::text).unwrap_or("/up");
        deploy.config.health_path = Some(path.to_owned());
        // A list of hosts alone is the role `web`.
        let hosts = web.map(|web| web.get("hosts").unwrap_or(web)).or(servers).map_or(&[][..], Node::items);
        deploy.config.replicas = u32::try_from(hosts.len()).ok().filter(|count| *count > 0);
        let mut env = BTreeMap::new();
        for part in [document.get("env"), web.and_then(|web| web.get("env"))].into_iter().flatten() {
            let apart = part.get("clear").is_some() || part.get("secret").is_some();
            env.extend(variables(if apart { part.get("clear") } else { Some(part) }));
            let secrets = part.get("secret").map(Node::items).unwrap_or_default();
            // `NAME:OTHER` takes the value from a secret of another name.
            let names = secrets.iter().filter_map(|name| name.text()?.split(':').next());
            deploy.config.sets.extend(names.map(str::to_owned));
        }
        deploy.defaults(&env);
        deploy.config.sets.extend(env.into_keys());
        deploy.config.sets.sort();
        deploy.config.sets.dedup();
        all.push(deploy);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kamal_leads_to_80_and_asks_for_up_unless_it_says_otherwise() {
        let text = "service: shop\nimage: me/shop\nservers:\n  web:\n    - 192.0.2.10\n    - 192.0.2.11\n  job:\n    hosts: [192.0.2.10]\n    cmd: bin/jobs\nproxy:\n  ssl: true\n  host: shop.example.com\nenv:\n  clear:\n    RAILS_LOG_LEVEL: info\n  secret:\n    - RAILS_MASTER_KEY\n    - DATABASE_URL:SHOP_DATABASE_URL\n";
        let config = kamal("config/deploy.yml", text).unwrap().remove(0).config;
        assert_eq!(config.ports, [PortMap { local: 80, external: 443 }]);
        assert_eq!((config.health_path.as_deref(), config.replicas), (Some("/up"), Some(2)));
        assert_eq!(config.sets, ["DATABASE_URL", "RAILS_LOG_LEVEL", "RAILS_MASTER_KEY"]);
        assert_eq!(config.start, None);

        let text = "service: shop\nimage: me/shop\nservers:\n  web:\n    hosts: [192.0.2.10]\n    cmd: bin/rails server -b 0.0.0.0 -p 3000\nproxy:\n  app_port: 3000\n  healthcheck: {path: /healthz}\nenv:\n  RAILS_ENV: production\n";
        let deploy = kamal("config/deploy.yml", text).unwrap().remove(0);
        assert_eq!(deploy.config.ports, [PortMap { local: 3000, external: 80 }]);
        assert_eq!(deploy.config.health_path.as_deref(), Some("/healthz"));
        assert_eq!((deploy.config.replicas, deploy.config.sets), (Some(1), vec!["RAILS_ENV".to_owned()]));
        assert!(deploy.config.start.is_some());

        let list = "service: shop\nimage: me/shop\nservers:\n  - 192.0.2.10\n";
        assert_eq!(kamal("config/deploy.yml", list).unwrap()[0].config.replicas, Some(1));
        assert!(kamal("config/deploy.yml", "strategy: rolling\n").unwrap().is_empty());
    }

    #[test]
    fn a_blueprint_gives_its_web_services() {
        let text = "services:\n- type: worker\n  name: w\n- type: web\n  name: api\n  startCommand: gunicorn -b 0.0.0.0:$PORT app:app\n  healthCheckPath: /healthz\n  envVars:\n  - key: PORT\n    value: 8000\n  - key: DB\n    fromDatabase: {name: d}\n";
        let found = render("render.yaml", text).unwrap();
        assert_eq!(found.len(), 1);
        let config = &found[0].config;
        assert_eq!(config.health_path.as_deref(), Some("/healthz"));
        assert_eq!(config.default_host, None);
        assert_eq!(config.sets, ["DB", "PORT"]);
        assert_eq!(found[0].target.as_deref(), Some("app:app"));
        assert!(config.start.as_ref().unwrap().shell);
        assert!(render("render.yaml", "a: b").is_err());
    }

    #[test]
    fn an_app_platform_specification_leads_to_8080_unless_it_says_otherwise() {
        let text = "name: shop\nregion: fra\nenvs: [{key: A, value: x}]\nservices:\n- name: api\n  source_dir: api\n  run_command: gunicorn --bind 0.0.0.0:8000 app:app\n  build_command: pip install -r requirements.txt\n  instance_count: 2\n  health_check: {http_path: /health}\n  envs: [{key: B, scope: RUN_TIME, type: SECRET}]\n";
        let config = app_platform(".do/app.yaml", text).unwrap().remove(0).config;
        assert_eq!(config.ports, [PortMap { local: 8080, external: 443 }]);
        assert_eq!((config.root.as_deref(), config.replicas), (Some("api"), Some(2)));
        assert_eq!(config.sets, ["A", "B"]);
        assert_eq!(config.regions, ["fra"]);
        assert_eq!(config.health_path.as_deref(), Some("/health"));
        assert!(app_platform(".do/app.yaml", "name: x\n").unwrap_err().starts_with("line 1"));
        assert!(app_platform(".do/app.yaml", "spec:\n  static_sites: [{name: s}]\n").unwrap().is_empty());
    }

    #[test]
    fn compose_ports_in_their_forms() {
        let text = "services:\n  db:\n    image: postgres\n    ports: ['5432:5432']\n  web:\n    build: .\n    command: gunicorn -b 0.0.0.0:8000 app:app\n    ports:\n      - '127.0.0.1:80:8000/tcp'\n      - target: 9\n        published: 10\n      - '3000'\n    environment: [A=1, B]\n";
        let config = &compose("compose.yaml", text).unwrap()[0].config;
        assert_eq!(config.ports, [PortMap { local: 8000, external: 80 }, PortMap { local: 9, external: 10 }]);
        assert_eq!(config.sets, ["A", "B"]);
        assert!(!config.start.as_ref().unwrap().shell);
    }

    #[test]
    fn a_manifest_leads_from_service_to_container() {
        let text = "kind: Deployment\nspec:\n  template:\n    spec:\n      containers:\n      - image: a\n        ports:\n        - {name: http, containerPort: 8000}\n        readinessProbe: {httpGet: {path: /ready, port: http}}\n        env: [{name: X, value: y}]\n---\nkind: Service\nspec:\n  selector: {app: a}\n  ports: [{port: 80, targetPort: http}]\n";
        let config = &kubernetes("k8s/app.yaml", text).unwrap()[0].config;
        assert_eq!(config.ports, [PortMap { local: 8000, external: 80 }]);
        assert_eq!(config.health_path.as_deref(), Some("/ready"));
        assert_eq!(config.sets, ["X"]);
    }
}
