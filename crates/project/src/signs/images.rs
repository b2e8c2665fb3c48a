//! Images: what the Dockerfile copies and runs, which images are named, and how Kubernetes objects fit together.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use landfall_evidence::SignWord;
use regex::Regex;

use super::plan::Plan;
use super::{Found, Read, regex, text};
use crate::tree::{Tree, file_name};
use crate::yaml::{Node, documents};

/// Dockerfiles read.
const MAX_DOCKERFILES: usize = 10;

/// One instruction with its line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    file: String,
    number: usize,
    word: String,
    rest: String,
}

/// A copy out of the build context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Copy {
    pub(super) from: Vec<String>,
    pub(super) place: String,
    /// Whether it sets the mode.
    pub(super) chmod: bool,
}

/// The instructions of the project's Dockerfiles, continuations joined.
fn instructions(tree: &Tree) -> Vec<Line> {
    let mut all = Vec::new();
    let files = tree.files.iter().filter(|f| {
        let name = file_name(&f.path);
        !f.ignored && (name == "Dockerfile" || name == "Containerfile" || name.starts_with("Dockerfile."))
    });
    for file in files.take(MAX_DOCKERFILES) {
        let Some(text) = text(tree, &file.path) else { continue };
        let mut joined: Option<(usize, String)> = None;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (at, mut whole) = joined.take().unwrap_or((number + 1, String::new()));
            match line.strip_suffix('\\') {
                Some(part) => {
                    whole.push_str(part);
                    whole.push(' ');
                    joined = Some((at, whole));
                }
                None => {
                    whole.push_str(line);
                    let (word, rest) = whole.split_once(char::is_whitespace).unwrap_or((&whole, ""));
                    all.push(Line {
                        file: file.path.clone(),
                        number: at,
                        word: word.to_ascii_uppercase(),
                        rest: rest.trim().to_owned(),
                    });
                }
            }
        }
    }
    all
}

/// What the Dockerfiles copy from the context; copies from other stages are not the project's files.
pub(super) fn copies(tree: &Tree) -> Vec<Copy> {
    instructions(tree)
        .into_iter()
        .filter(|line| matches!(line.word.as_str(), "COPY" | "ADD") && !line.rest.contains("--from="))
        .filter_map(|line| {
            let words: Vec<String> = serde_json::from_str(&line.rest)
                .unwrap_or_else(|_| line.rest.split_whitespace().map(str::to_owned).collect());
            let chmod = words.iter().any(|w| w.starts_with("--chmod"));
            let mut paths: Vec<String> = words.into_iter().filter(|w| !w.starts_with("--")).collect();
            paths.pop()?;
            let place = format!("{}:{}", line.file, line.number);
            // The context of a Dockerfile in a folder is mostly the root; a path from its own folder is not guessed.
            Some(Copy { from: paths, place, chmod })
        })
        .collect()
}

/// The commands that the Dockerfiles run at build.
pub(super) fn runs(tree: &Tree) -> Vec<String> {
    instructions(tree).into_iter().filter(|line| line.word == "RUN").map(|line| line.rest).collect()
}

/// The entry points and commands, as written.
pub(super) fn entry_points(tree: &Tree) -> Vec<String> {
    instructions(tree)
        .into_iter()
        .filter(|line| matches!(line.word.as_str(), "ENTRYPOINT" | "CMD"))
        .map(|line| line.rest)
        .collect()
}

/// A base image that a stage names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Base {
    /// Lower case, without the registry of Docker's own images: `golang`, `mcr.microsoft.com/dotnet/aspnet`.
    pub(super) name: String,
    pub(super) tag: String,
    pub(super) place: String,
}

/// The base images of all stages, those that are earlier stages or variables left out.
pub(super) fn bases(tree: &Tree) -> Vec<Base> {
    instructions(tree)
        .into_iter()
        .filter(|line| line.word == "FROM")
        .filter_map(|line| {
            let image = line.rest.split_whitespace().find(|w| !w.starts_with("--"))?.to_ascii_lowercase();
            let (name, tag) = image.rsplit_once(':')?;
            let name = name.trim_start_matches("docker.io/").trim_start_matches("library/").to_owned();
            (!image.contains('$')).then(|| Base {
                name,
                tag: tag.to_owned(),
                place: format!("{}:{}", line.file, line.number),
            })
        })
        .collect()
}

/// The base image of the last stage that is no earlier stage, with its place.
pub(super) fn base(tree: &Tree) -> Option<(String, String)> {
    let lines = instructions(tree);
    let main: Vec<&Line> = lines.iter().filter(|l| l.file == "Dockerfile" && l.word == "FROM").collect();
    let mut stages = BTreeMap::new();
    let mut last = None;
    for line in main {
        let words: Vec<&str> = line.rest.split_whitespace().filter(|w| !w.starts_with("--")).collect();
        let image = words.first()?.to_ascii_lowercase();
        let image = stages.get(&image).cloned().unwrap_or(image);
        if words.get(1).is_some_and(|w| w.eq_ignore_ascii_case("as"))
            && let Some(name) = words.get(2)
        {
            stages.insert(name.to_ascii_lowercase(), image.clone());
        }
        last = Some((image, format!("{}:{}", line.file, line.number)));
    }
    last
}

/// An image's name without its tag, and the tag. A digest counts as a tag.
fn split(image: &str) -> (&str, Option<&str>) {
    if let Some((name, digest)) = image.split_once('@') {
        return (name, Some(digest));
    }
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (image, None),
    }
}

/// Registries that give nothing without a login, by the end of their host.
const PRIVATE: &[&str] = &[
    ".dkr.ecr.",
    ".azurecr.io",
    "gcr.io/",
    "-docker.pkg.dev/",
    "registry.gitlab.com/",
    "registry.digitalocean.com/",
    "ghcr.io/",
];

pub(super) fn read(read: &Read<'_>, plans: &[Plan], found: &mut Found) {
    let tree = read.tree;
    for line in instructions(tree) {
        let place = format!("{}:{}", line.file, line.number);
        if line.word == "FROM" {
            if let Some(platform) = line.rest.split_whitespace().find_map(|w| w.strip_prefix("--platform="))
                && !platform.contains('$')
            {
                found.add(SignWord::ImagePlatform, place.as_str(), platform.to_owned());
            }
            let image = line.rest.split_whitespace().find(|w| !w.starts_with("--")).unwrap_or_default();
            let lower = image.to_ascii_lowercase();
            // An image that is named for one architecture: `arm64v8/python`, `…-arm64`.
            if ["arm64v8/", "arm32v7/", "amd64/", "i386/", "-arm64", "-amd64"]
                .iter()
                .any(|a| lower.contains(a))
            {
                found.add(SignWord::ImagePlatform, place.as_str(), image.to_owned());
            }
            if matches!(split(image), (_, None | Some("latest"))) && image.contains(['/', ':']) {
                found.add(SignWord::ImageTagFloating, place, image.to_owned());
            }
        }
    }
    for (file, node) in compose_services(tree) {
        if let Some(platform) = node.get("platform").and_then(|p| p.text().map(|t| (t, p.line))) {
            found.add(SignWord::ImagePlatform, format!("{file}:{}", platform.1), platform.0.to_owned());
        }
    }
    tags(plans, found);
    kubernetes(tree, found);
}

fn compose_services(tree: &Tree) -> Vec<(String, Node)> {
    crate::deploy::COMPOSE
        .iter()
        .chain(crate::deploy::COMPOSE_PRODUCTION)
        .filter_map(|file| Some((*file, documents(&text(tree, file)?).ok()?)))
        .flat_map(|(file, all)| all.into_iter().map(move |d| (file, d)))
        .flat_map(|(file, d)| {
            let services = d.get("services").map(|s| s.entries().to_vec()).unwrap_or_default();
            services.into_iter().map(move |(_, node)| (file.to_owned(), node))
        })
        .collect()
}

/// Tags that are run against tags that are built or pushed.
fn tags(plans: &[Plan], found: &mut Found) {
    let built: Vec<(&str, &str)> = plans
        .iter()
        .filter(|plan| plan.workflow)
        .flat_map(|plan| &plan.images)
        .filter_map(|said| {
            let (name, tag) = split(&said.text);
            Some((name, tag?))
        })
        .collect();
    for plan in plans.iter().filter(|plan| !plan.workflow && plan.platform != "docker-compose") {
        for said in &plan.images {
            let (name, tag) = split(&said.text);
            if tag.is_none_or(|tag| tag == "latest") {
                found.add(SignWord::ImageTagFloating, said.place.as_str(), said.text.clone());
            }
            let same: Vec<&str> =
                built.iter().filter(|(other, _)| *other == name).map(|(_, tag)| *tag).collect();
            // A tag made of variables can be any; only plain tags can be compared.
            let plain = |tag: &str| !tag.contains('$') && !tag.contains('{');
            if let Some(tag) = tag
                && plain(tag)
                && !same.is_empty()
                && same.iter().all(|other| plain(other) && *other != tag)
            {
                let detail =
                    format!("{} is deployed, and the workflow pushes {name}:{}", said.text, same.join(", "));
                found.add(SignWord::ImageTagDiffers, said.place.as_str(), detail);
            }
        }
    }
}

/// Services, their workloads, and the rules of the ingress.
fn kubernetes(tree: &Tree, found: &mut Found) {
    static HOST_RULE: LazyLock<Regex> = LazyLock::new(|| regex(r#"Host(?:SNI)?\(\s*[`"']([^`"']+)[`"']"#));
    let mut all: Vec<(String, Node)> = Vec::new();
    for (file, text) in crate::deploy::manifests(tree) {
        if let Ok(documents) = documents(&text) {
            all.extend(documents.into_iter().map(|d| (file.clone(), d)));
        }
    }
    let kind = |node: &Node| node.get("kind").and_then(Node::text).unwrap_or_default().to_owned();
    let workloads: Vec<&Node> = all
        .iter()
        .filter(|(_, d)| {
            matches!(kind(d).as_str(), "Deployment" | "StatefulSet" | "DaemonSet" | "Pod" | "ReplicaSet")
        })
        .map(|(_, d)| d)
        .collect();
    let pod = |d: &Node| {
        let template = d.at(&["spec", "template"]).unwrap_or(d);
        let labels: Vec<(String, String)> = template
            .at(&["metadata", "labels"])
            .map(Node::entries)
            .unwrap_or_default()
            .iter()
            .map(|(k, v)| (k.clone(), v.text().unwrap_or_default().to_owned()))
            .collect();
        let containers = template.at(&["spec", "containers"]).map(|c| c.items().to_vec()).unwrap_or_default();
        (labels, containers)
    };
    for (file, service) in
        all.iter().filter(|(_, d)| kind(d) == "Service" && d.at(&["spec", "selector"]).is_some())
    {
        let Some(selector) = service.at(&["spec", "selector"]) else { continue };
        let wanted: Vec<(String, String)> = selector
            .entries()
            .iter()
            .map(|(k, v)| (k.clone(), v.text().unwrap_or_default().to_owned()))
            .collect();
        let matching: Vec<Vec<Node>> = workloads
            .iter()
            .map(|w| pod(w))
            .filter(|(labels, _)| wanted.iter().all(|pair| labels.contains(pair)))
            .map(|(_, containers)| containers)
            .collect();
        let shown = wanted.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(",");
        if matching.is_empty() {
            if !workloads.is_empty() {
                found.add(
                    SignWord::SelectorDiffers,
                    format!("{file}:{}", selector.line),
                    format!("no workload carries {shown}"),
                );
            }
            continue;
        }
        for port in service.at(&["spec", "ports"]).map(Node::items).unwrap_or_default() {
            let Some(target) = port.get("targetPort").or_else(|| port.get("port")) else { continue };
            let Some(word) = target.text() else { continue };
            let ports: Vec<&Node> =
                matching.iter().flatten().filter_map(|c| c.get("ports")).flat_map(Node::items).collect();
            let fits = ports.iter().any(|p| {
                p.get("name").and_then(Node::text) == Some(word)
                    || p.get("containerPort").and_then(Node::text) == Some(word)
            });
            // A container need not list its ports; a named one it must.
            if !fits && (!ports.is_empty() || word.parse::<u16>().is_err()) {
                found.add(
                    SignWord::PortServiceDiffers,
                    format!("{file}:{}", target.line),
                    format!("target port {word} is no container port"),
                );
            }
        }
    }
    for (file, d) in &all {
        let pull = d.at(&["spec", "template", "spec", "imagePullSecrets"]);
        if let Some(node) = pull {
            found.add(SignWord::PullSecretPresent, format!("{file}:{}", node.line), kind(d));
        }
        let containers =
            d.at(&["spec", "template", "spec", "containers"]).map(Node::items).unwrap_or_default();
        for image in containers.iter().filter_map(|c| c.get("image")) {
            let Some(name) = image.text() else { continue };
            if pull.is_none() && PRIVATE.iter().any(|host| name.contains(host)) {
                found.add(SignWord::ImagePullSecretAbsent, format!("{file}:{}", image.line), name.to_owned());
            }
        }
        match kind(d).as_str() {
            "Ingress" => {
                let rules = d.at(&["spec", "rules"]).map(Node::items).unwrap_or_default();
                for rule in rules {
                    let host = rule.get("host").and_then(Node::text).unwrap_or("*");
                    found.add(SignWord::IngressHost, format!("{file}:{}", rule.line), host.to_owned());
                }
                if d.at(&["spec", "defaultBackend"]).is_some() {
                    found.add(SignWord::IngressHost, file.as_str(), "*".to_owned());
                }
            }
            "HTTPRoute" | "Gateway" | "VirtualService" => {
                let hosts = d.at(&["spec", "hostnames"]).or_else(|| d.at(&["spec", "hosts"]));
                for host in hosts.map(Node::items).unwrap_or_default() {
                    if let Some(text) = host.text() {
                        found.add(SignWord::IngressHost, format!("{file}:{}", host.line), text.to_owned());
                    }
                }
            }
            "IngressRoute" => {
                for route in d.at(&["spec", "routes"]).map(Node::items).unwrap_or_default() {
                    let rule = route.get("match").and_then(Node::text).unwrap_or_default();
                    for c in HOST_RULE.captures_iter(rule) {
                        found.add(SignWord::IngressHost, format!("{file}:{}", route.line), c[1].to_owned());
                    }
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{has, lacks};
    use super::split;

    #[test]
    fn image_names() {
        assert_eq!(split("a/b:1"), ("a/b", Some("1")));
        assert_eq!(split("h:5000/b"), ("h:5000/b", None));
        assert_eq!(split("h:5000/b@sha256:x"), ("h:5000/b", Some("sha256:x")));
    }

    #[test]
    fn architecture_and_tags() {
        has(&[("Dockerfile", "FROM --platform=linux/arm64 python:3.11\n")], "image-platform linux/arm64");
        lacks(&[("Dockerfile", "FROM --platform=$BUILDPLATFORM python:3.11\n")], "image-platform");
        let deploy = "apiVersion: apps/v1\nkind: Deployment\nspec:\n  template:\n    metadata: {labels: {app: a}}\n    spec:\n      containers:\n      - image: ghcr.io/x/a:1.2\n        ports: [{containerPort: 8000}]\n";
        let workflow = "on: {push: {branches: [main]}}\njobs:\n  d:\n    steps:\n    - run: docker push ghcr.io/x/a:1.3\n";
        has(
            &[("k8s/a.yaml", deploy), (".github/workflows/d.yml", workflow)],
            "image-tag-differs ghcr.io/x/a:1.2 is deployed",
        );
        has(&[("k8s/a.yaml", deploy)], "image-pull-secret-absent ghcr.io/x/a:1.2");
    }

    #[test]
    fn services_and_ingresses() {
        let deploy = "apiVersion: apps/v1\nkind: Deployment\nspec:\n  template:\n    metadata: {labels: {app: a}}\n    spec:\n      containers:\n      - image: x/a:1\n        ports: [{containerPort: 8000, name: http}]\n---\napiVersion: v1\nkind: Service\nspec:\n  selector: {app: SEL}\n  ports: [{port: 80, targetPort: PORT}]\n---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nspec:\n  rules:\n  - host: a.example.test\n";
        let with = |sel: &str, port: &str| deploy.replace("SEL", sel).replace("PORT", port);
        has(&[("k8s/a.yaml", &with("b", "http"))], "selector-differs no workload carries app=b");
        has(&[("k8s/a.yaml", &with("a", "9000"))], "port-service-differs target port 9000");
        has(&[("k8s/a.yaml", &with("a", "http"))], "ingress-host a.example.test");
        lacks(&[("k8s/a.yaml", &with("a", "8000"))], "port-service-differs");
        lacks(&[("k8s/a.yaml", &with("a", "8000"))], "selector-differs");
    }
}
