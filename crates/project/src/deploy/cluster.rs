//! Kustomize overlays and the values of Helm charts, as far as they are read without running either.
//!
//! Sources: kubectl.docs.kubernetes.io/references/kustomize/kustomization (resources, patches, replicas), and the
//! values that `helm create` writes (helm.sh/docs/chart_template_guide/values_files).

use landfall_evidence::{DeployStage, PortMap};

use super::Deploy;
use super::blueprint::{self, variables};
use crate::tree::{Tree, file_name, parent};
use crate::yaml::{Node, Value, documents};

/// Bases of bases.
const MAX_NESTING: usize = 6;
/// Documents gathered for one overlay.
const MAX_DOCUMENTS: usize = 200;

const NAMES: &[&str] = &["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// What an overlay comes to: its files, and the documents with its patches laid over them.
pub(super) struct Overlay {
    pub(super) deploys: Vec<Deploy>,
    /// Files of resources and patches, which say nothing by themselves any more.
    pub(super) parts: Vec<String>,
}

/// The overlays that no other overlay builds on.
pub(super) fn overlays(tree: &Tree, unread: &mut Vec<String>) -> Vec<Overlay> {
    let files: Vec<&str> = tree
        .files
        .iter()
        .filter(|f| !f.ignored && NAMES.contains(&file_name(&f.path)))
        .map(|f| f.path.as_str())
        .take(40)
        .collect();
    let mut built = Vec::new();
    let mut all = Vec::new();
    for file in &files {
        let (mut parts, mut bases) = (Vec::new(), Vec::new());
        match gather(tree, file, &mut parts, &mut bases, 0) {
            Ok(nodes) => all.push((*file, nodes, parts)),
            Err(reason) => unread.push(reason),
        }
        built.extend(bases);
    }
    all.into_iter()
        .map(|(file, nodes, parts)| {
            let mut deploys =
                if built.iter().any(|b| b == file) { Vec::new() } else { blueprint::workloads(file, &nodes) };
            let lower = parent(file).to_ascii_lowercase();
            if ["dev", "local", "test", "staging", "stage", "qa", "preview"]
                .iter()
                .any(|word| lower.split(['/', '-', '_']).any(|part| part == *word))
            {
                deploys.iter_mut().for_each(|d| d.config.stage = DeployStage::Development);
            }
            Overlay { deploys, parts }
        })
        .collect()
}

/// The documents of a kustomization: those of its resources, patched.
fn gather(
    tree: &Tree,
    file: &str,
    parts: &mut Vec<String>,
    bases: &mut Vec<String>,
    depth: usize,
) -> Result<Vec<Node>, String> {
    let text = tree.text(file).unwrap_or_else(|| Err(format!("{file}: not there")))?;
    let root = documents(&text).map_err(|reason| format!("{file}: {reason}"))?;
    let mut nodes: Vec<Node> = Vec::new();
    let list = |key: &'static str| root.iter().filter_map(move |d| d.get(key)).flat_map(Node::items);
    for resource in list("resources").chain(list("bases")).filter_map(Node::text) {
        if resource.contains("://") || nodes.len() > MAX_DOCUMENTS {
            continue;
        }
        let Some(path) = crate::signs::beside(file, resource) else { continue };
        let inner = NAMES.iter().map(|name| format!("{path}/{name}")).find(|p| tree.has(p));
        if let Some(inner) = inner {
            if depth < MAX_NESTING && inner != file {
                nodes.extend(gather(tree, &inner, parts, bases, depth + 1)?);
                bases.push(inner);
            }
        } else if let Some(text) = tree.text(&path) {
            nodes.extend(documents(&text?).map_err(|reason| format!("{path}: {reason}"))?);
            parts.push(path);
        }
    }
    let mut patches: Vec<Node> = Vec::new();
    for patch in list("patches").chain(list("patchesStrategicMerge")) {
        let named = patch.get("path").or(Some(patch)).and_then(Node::text);
        let inline = patch.get("patch").and_then(Node::text);
        let texts = match (inline, named) {
            (Some(text), _) => Some(text.to_owned()),
            (None, Some(name)) => match crate::signs::beside(file, name).filter(|p| tree.has(p)) {
                Some(path) => {
                    let text = tree.text(&path).transpose()?;
                    parts.push(path);
                    text
                }
                None => Some(name.to_owned()),
            },
            (None, None) => None,
        };
        // A patch of operations (RFC 6902) is a list and names no object; those are not applied.
        patches.extend(texts.and_then(|t| documents(&t).ok()).into_iter().flatten());
    }
    let named = |node: &Node| {
        let text = |path: &[&str]| node.at(path).and_then(Node::text).map(str::to_owned);
        (text(&["kind"]), text(&["metadata", "name"]))
    };
    for patch in &patches {
        if let Some(node) = nodes.iter_mut().find(|n| named(n) == named(patch) && named(n).1.is_some()) {
            merge(node, patch, 0);
        }
    }
    for wish in list("replicas") {
        let (Some(name), Some(count)) = (wish.get("name").and_then(Node::text), wish.get("count")) else {
            continue;
        };
        for node in nodes.iter_mut().filter(|n| named(n).1.as_deref() == Some(name)) {
            let patch = Node {
                line: count.line,
                value: Value::Map(vec![(
                    "spec".to_owned(),
                    Node {
                        line: count.line,
                        value: Value::Map(vec![("replicas".to_owned(), count.clone())]),
                    },
                )]),
            };
            merge(node, &patch, 0);
        }
    }
    nodes.truncate(MAX_DOCUMENTS);
    Ok(nodes)
}

/// A strategic merge: mappings entry by entry, lists of named things by their names, everything else replaced.
fn merge(into: &mut Node, patch: &Node, depth: usize) {
    if depth > 40 {
        return;
    }
    match (&mut into.value, &patch.value) {
        (Value::Map(entries), Value::Map(changes)) => {
            for (key, change) in changes {
                match entries.iter_mut().find(|(name, _)| name == key) {
                    Some((_, node)) => merge(node, change, depth + 1),
                    None => entries.push((key.clone(), change.clone())),
                }
            }
        }
        (Value::List(items), Value::List(changes))
            if changes.iter().all(|c| c.get("name").is_some() || c.get("containerPort").is_some()) =>
        {
            for change in changes {
                let key = if change.get("name").is_some() { "name" } else { "containerPort" };
                let of = |node: &Node| node.get(key).and_then(Node::text).map(str::to_owned);
                match items.iter_mut().find(|item| of(item) == of(change)) {
                    Some(item) => merge(item, change, depth + 1),
                    None => items.push(change.clone()),
                }
            }
        }
        (value, change) => *value = change.clone(),
    }
}

/// The values of a chart. Which of them its templates use is not known; these are the names that charts agree on.
pub(super) fn helm(file: &str, text: &str) -> Result<Vec<Deploy>, String> {
    let mut all = Vec::new();
    for values in documents(text)? {
        let mut deploy = Deploy::new(file, "helm", DeployStage::Production);
        let port = |path: &[&str]| values.at(path).and_then(Node::port);
        let local = port(&["containerPort"])
            .or_else(|| port(&["container", "port"]))
            .or_else(|| port(&["service", "targetPort"]))
            .or_else(|| port(&["service", "containerPort"]))
            .or_else(|| port(&["service", "internalPort"]));
        let external = port(&["service", "port"]).or_else(|| port(&["service", "externalPort"]));
        // A target port by name is that of a container whose number stands elsewhere.
        let named = values.at(&["service", "targetPort"]).is_some();
        if let Some(local) = local.or(external.filter(|_| !named)) {
            deploy.config.ports.push(PortMap { local, external: external.unwrap_or(local) });
        }
        for probe in ["readinessProbe", "livenessProbe"] {
            let path = values.at(&[probe, "httpGet", "path"]).or_else(|| values.at(&[probe, "path"]));
            if let Some(path) = path.and_then(Node::text) {
                deploy.config.health_path.get_or_insert_with(|| path.to_owned());
            }
        }
        deploy.config.replicas = values.get("replicaCount").and_then(Node::text).and_then(|t| t.parse().ok());
        let mut env = variables(values.get("env"));
        env.extend(variables(values.get("extraEnv")));
        deploy.config.sets = env.into_keys().collect();
        all.push(deploy);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree;

    #[test]
    fn an_overlay_is_its_base_with_its_patches() {
        let base = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: shop}\nspec:\n  replicas: 1\n  template:\n    spec:\n      containers:\n      - name: web\n        image: shop\n        ports: [{containerPort: 8000}]\n        env: [{name: A, value: x}]\n";
        let patch = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: shop}\nspec:\n  template:\n    spec:\n      containers:\n      - name: web\n        env: [{name: B, value: y}]\n        readinessProbe: {httpGet: {path: /ready, port: 8000}}\n";
        let (_dir, tree) = tree(&[
            ("k8s/base/deployment.yaml", base),
            ("k8s/base/kustomization.yaml", "resources: [deployment.yaml]\n"),
            (
                "k8s/overlays/production/kustomization.yaml",
                "resources: [../../base]\npatches:\n- path: web.yaml\nreplicas:\n- name: shop\n  count: 3\n",
            ),
            ("k8s/overlays/production/web.yaml", patch),
            ("k8s/overlays/staging/kustomization.yaml", "resources: [../../base]\n"),
        ]);
        let mut unread = Vec::new();
        let found = super::super::read(&tree, &mut unread);
        assert_eq!(unread, Vec::<String>::new());
        let shown: Vec<(&str, DeployStage, Option<u32>)> =
            found.iter().map(|d| (d.config.file.as_str(), d.config.stage, d.config.replicas)).collect();
        assert_eq!(
            shown,
            [
                ("k8s/overlays/production/kustomization.yaml", DeployStage::Production, Some(3)),
                ("k8s/overlays/staging/kustomization.yaml", DeployStage::Development, Some(1)),
            ]
        );
        assert_eq!(found[0].config.sets, ["A", "B"]);
        assert_eq!(found[0].config.health_path.as_deref(), Some("/ready"));
        assert_eq!(found[1].config.health_path, None);
    }

    #[test]
    fn a_kustomization_that_includes_itself_ends() {
        let (_dir, tree) = tree(&[
            ("a/kustomization.yaml", "resources: [../b]\n"),
            ("b/kustomization.yaml", "resources: [../a]\n"),
        ]);
        assert!(super::super::read(&tree, &mut Vec::new()).is_empty());
    }

    #[test]
    fn values_of_a_chart() {
        let (_dir, tree) = tree(&[
            ("chart/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 0.1.0\n"),
            (
                "chart/values.yaml",
                "replicaCount: 2\nservice: {port: 80, targetPort: 8000}\nenv: {LOG_LEVEL: info}\nreadinessProbe: {httpGet: {path: /health}}\n",
            ),
            (
                "chart/templates/deployment.yaml",
                "apiVersion: apps/v1\nkind: Deployment\n{{- with .Values }}\n",
            ),
        ]);
        let mut unread = Vec::new();
        let found = super::super::read(&tree, &mut unread);
        assert_eq!(unread, Vec::<String>::new());
        let config = &found[0].config;
        assert_eq!((config.platform.as_str(), config.replicas), ("helm", Some(2)));
        assert_eq!(config.ports, [PortMap { local: 8000, external: 80 }]);
        assert_eq!(config.sets, ["LOG_LEVEL"]);
    }
}
