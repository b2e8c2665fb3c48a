//! Kubernetes manifests read against themselves: containers of one pod that want the same port, probes that ask where nothing
//! answers, and network policies that let nothing out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use landfall_evidence::SignWord;
use regex::Regex;

use super::{Found, Read, regex, text};
use crate::tree::{Tree, file_name};
use crate::yaml::{Node, documents};

pub(super) fn read(read: &Read<'_>, found: &mut Found) {
    let files: Vec<(String, Vec<Node>)> = crate::deploy::manifests(read.tree)
        .into_iter()
        .filter_map(|(file, text)| Some((file, documents(&text).ok()?)))
        .collect();
    let all = || files.iter().flat_map(|(file, nodes)| nodes.iter().map(move |node| (file.as_str(), node)));
    for (file, pod) in all().filter_map(|(file, node)| Some((file, pod(node)?))) {
        ports(file, pod, found);
        probes(read.tree, file, pod, found);
    }
    policies(&all().filter(|(_, node)| kind(node) == Some("NetworkPolicy")).collect::<Vec<_>>(), found);
}

fn kind(node: &Node) -> Option<&str> {
    node.get("kind").and_then(Node::text)
}

/// What a workload says of its pods.
pub(super) fn pod(node: &Node) -> Option<&Node> {
    match kind(node)? {
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" => node.at(&["spec", "template", "spec"]),
        "Pod" => node.get("spec"),
        _ => None,
    }
}

pub(super) fn containers(pod: &Node) -> &[Node] {
    pod.get("containers").map(Node::items).unwrap_or_default()
}

fn name(node: &Node) -> &str {
    node.get("name").and_then(Node::text).unwrap_or("a container")
}

/// The ports on which a container is told to listen, each with its line: those that it declares, and those that its variables name.
fn listens(container: &Node) -> BTreeMap<u16, usize> {
    static VARIABLE: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"^(?:(?:HTTP_|SERVER_|API_|APP_)?(?:PORT|LISTEN(?:_ADDR|_ADDRESS|_PORT)?|BIND(?:_ADDR|_ADDRESS)?)|HTTP_ADDR|ASPNETCORE_(?:URLS|HTTP_PORTS))$",
        )
    });
    static PORT: LazyLock<Regex> = LazyLock::new(|| regex(r"^(?:\S*:)?(\d{2,5})/?$"));
    let mut all = BTreeMap::new();
    for port in container.get("ports").map(Node::items).unwrap_or_default() {
        let tcp = port.get("protocol").and_then(Node::text).is_none_or(|p| p.eq_ignore_ascii_case("tcp"));
        if let Some(number) = port.get("containerPort").and_then(Node::port).filter(|_| tcp) {
            all.insert(number, port.line);
        }
    }
    for variable in container.get("env").map(Node::items).unwrap_or_default() {
        let of = |key: &str| variable.get(key).and_then(Node::text).unwrap_or_default();
        if VARIABLE.is_match(of("name"))
            && let Some(number) = PORT.captures(of("value")).and_then(|c| c[1].parse().ok())
        {
            all.entry(number).or_insert(variable.line);
        }
    }
    all
}

/// Containers of a pod share its network (kubernetes.io/docs/concepts/workloads/pods: Pod networking).
fn ports(file: &str, pod: &Node, found: &mut Found) {
    let mut taken: BTreeMap<u16, &str> = BTreeMap::new();
    for container in containers(pod) {
        for (port, line) in listens(container) {
            match taken.get(&port) {
                Some(other) => found.add(
                    SignWord::PortTakenTwice,
                    format!("{file}:{line}"),
                    format!(
                        "the containers {other} and {} of one pod are both to listen on {port}",
                        name(container)
                    ),
                ),
                None => {
                    taken.insert(port, name(container));
                }
            }
        }
    }
}

/// Probes: a named port is one of the container's own (kubernetes.io/docs, Configure Liveness, Readiness and Startup Probes); and
/// frameworks that serve health on a port of its own do not serve it on the other.
fn probes(tree: &Tree, file: &str, pod: &Node, found: &mut Found) {
    let management = management_port(tree);
    for container in containers(pod) {
        let declared = container.get("ports").map(Node::items).unwrap_or_default();
        let named: BTreeMap<&str, Option<u16>> = declared
            .iter()
            .filter_map(|p| Some((p.get("name")?.text()?, p.get("containerPort").and_then(Node::port))))
            .collect();
        for probe in ["readinessProbe", "livenessProbe", "startupProbe"] {
            let Some(probe) = container.get(probe) else { continue };
            let Some(asks) = ["httpGet", "tcpSocket", "grpc"].iter().find_map(|how| probe.get(how)) else {
                continue;
            };
            let Some(port) = asks.get("port").and_then(Node::text) else { continue };
            let number = match port.parse::<u16>() {
                Ok(number) => Some(number),
                Err(_) if port.contains(['$', '{']) => continue,
                Err(_) => match named.get(port) {
                    Some(number) => *number,
                    None => {
                        found.add(
                            SignWord::ProbePortDiffers,
                            format!("{file}:{}", asks.line),
                            format!(
                                "the probe of {} asks the port {port}, and the container names none so",
                                name(container)
                            ),
                        );
                        continue;
                    }
                },
            };
            let path = asks.get("path").and_then(Node::text).unwrap_or_default();
            if let (Some(number), Some((of_health, base, set_in))) = (number, &management)
                && number != *of_health
                && path.starts_with(base)
            {
                found.add(
                    SignWord::ProbePortDiffers,
                    format!("{file}:{}", asks.line),
                    format!("the probe asks {path} on {number}, and {set_in} serves it on {of_health}"),
                );
            }
        }
    }
}

/// The port on which a framework serves health apart from everything else: the port, where its paths begin, and where that is set.
fn management_port(tree: &Tree) -> Option<(u16, &'static str, String)> {
    // Spring Boot (Actuator, Customizing the Management Server Port), Quarkus (Management interface reference), Micronaut
    // (Management and Monitoring, endpoints.all.port).
    const KEYS: &[(&[&str], &str)] = &[
        (&["management", "server", "port"], "/actuator"),
        (&["quarkus", "management", "port"], "/q/"),
        (&["endpoints", "all", "port"], "/health"),
    ];
    static MANAGED: std::sync::LazyLock<Regex> = std::sync::LazyLock::new(|| {
        super::regex(
            r"quarkus\.management\.enabled\s*[=:]\s*true|(?m)^\s*management:\s*\n(?:\s+\S[^\n]*\n)*?\s+enabled:\s*true",
        )
    });
    // A variable of the environment goes before the file (Spring Boot, Externalized Configuration).
    let set_outside = crate::deploy::manifests(tree).iter().any(|(_, text)| {
        ["MANAGEMENT_SERVER_PORT", "QUARKUS_MANAGEMENT_PORT", "ENDPOINTS_ALL_PORT"]
            .iter()
            .any(|name| text.contains(name))
    });
    if set_outside {
        return None;
    }
    let files = tree.files.iter().filter(|f| !f.ignored && f.path.contains("src/main/resources/"));
    let mut ports = BTreeSet::new();
    for file in files {
        let named = file_name(&file.path);
        let Some(of_file) = named.strip_prefix("application").and_then(|rest| rest.rsplit_once('.')) else {
            continue;
        };
        // A profile of development or tests says nothing of production.
        if !matches!(of_file.0, "" | "-prod" | "-production" | "-k8s" | "-kubernetes") {
            continue;
        }
        let Some(source) = text(tree, &file.path) else { continue };
        for (path, base) in KEYS {
            // Quarkus serves there only where the interface is switched on (its Management interface reference).
            if *base == "/q/" && !MANAGED.is_match(&source) {
                continue;
            }
            let port = match of_file.1 {
                "yml" | "yaml" => documents(&source).ok().and_then(|all| {
                    all.iter().find_map(|root| root.at(path).or_else(|| root.get(&path.join(".")))?.port())
                }),
                "properties" => property(&source, &path.join(".")).and_then(|value| value.parse().ok()),
                _ => None,
            };
            ports.extend(port.map(|port| (port, *base, file.path.clone())));
        }
    }
    // Files of several applications, or of several profiles, may each have their own.
    let first = ports.first()?.clone();
    ports.iter().all(|(port, ..)| *port == first.0).then_some(first)
}

/// The value of a key in a file of Java properties.
pub(super) fn property<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    text.lines().find_map(|line| {
        let value = line.trim().strip_prefix(key)?.trim_start();
        Some(value.strip_prefix(['=', ':'])?.trim())
    })
}

/// Policies that select the same pods add up (kubernetes.io/docs/concepts/services-networking/network-policies).
fn policies(policies: &[(&str, &Node)], found: &mut Found) {
    let selector = |node: &Node| {
        let labels = node.at(&["spec", "podSelector", "matchLabels"]).map(Node::entries).unwrap_or_default();
        labels.iter().map(|(k, v)| format!("{k}={}", v.text().unwrap_or_default())).collect::<BTreeSet<_>>()
    };
    let restricts = |node: &Node| {
        let types = node.at(&["spec", "policyTypes"]).map(Node::items).unwrap_or_default();
        types.iter().any(|t| t.text() == Some("Egress"))
            || (types.is_empty() && node.at(&["spec", "egress"]).is_some())
    };
    let rules = |node: &Node| node.at(&["spec", "egress"]).map(Node::items).unwrap_or_default().to_vec();
    for (file, policy) in policies.iter().filter(|(_, node)| restricts(node)) {
        let own = selector(policy);
        // A policy for fewer labels selects these pods too.
        let also = policies.iter().filter(|(_, other)| restricts(other) && selector(other).is_subset(&own));
        let all: Vec<Node> = also.flat_map(|(_, other)| rules(other)).collect();
        if all.iter().any(leads_out) {
            continue;
        }
        let mut lets: Vec<String> = all
            .iter()
            .flat_map(|rule| rule.get("ports").map(Node::items).unwrap_or_default())
            .filter_map(|port| port.get("port").and_then(Node::text).map(str::to_owned))
            .collect();
        lets.dedup();
        let only = if lets.is_empty() {
            "nothing".to_owned()
        } else {
            format!("only the ports {}, inside of the cluster", lets.join(", "))
        };
        found.add(SignWord::EgressClosed, format!("{file}:{}", policy.line), format!("it lets out {only}"));
    }
}

/// Whether a rule reaches HTTPS outside of the cluster.
fn leads_out(rule: &Node) -> bool {
    let to = rule.get("to").map(Node::items).unwrap_or_default();
    let ports = rule.get("ports").map(Node::items).unwrap_or_default();
    // Selectors choose pods; a block of addresses may lie anywhere, and so may what a rule does not limit.
    let outside = to.is_empty() || to.iter().any(|peer| peer.get("ipBlock").is_some());
    let web = ports.is_empty()
        || ports.iter().any(|port| {
            let of = |key: &str| port.get(key).and_then(Node::port);
            match (of("port"), of("endPort")) {
                (Some(first), Some(last)) => (first..=last).contains(&443),
                (Some(one), None) => matches!(one, 80 | 443 | 3128 | 8080 | 8443),
                (None, _) => true,
            }
        });
    outside && web
}

#[cfg(test)]
mod tests {
    use super::super::tests::{has, lacks};

    fn deployment(pod: &str) -> String {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{ name: a }}\nspec:\n  template:\n    spec:\n{pod}"
        )
    }

    #[test]
    fn containers_of_a_pod_share_their_ports() {
        let two = |second: &str| {
            deployment(&format!(
                "      containers:\n      - name: api\n        ports: [{{ containerPort: 8080 }}]\n      - name: stats\n        {second}\n"
            ))
        };
        has(
            &[("k8s/a.yaml", &two("env: [{ name: LISTEN_ADDR, value: \"0.0.0.0:8080\" }]"))],
            "port-taken-twice the containers api and stats of one pod are both to listen on 8080 @k8s/a.yaml:",
        );
        has(&[("k8s/a.yaml", &two("ports: [{ containerPort: 8080 }]"))], "port-taken-twice ");
        for fine in [
            "ports: [{ containerPort: 8080, protocol: UDP }]",
            "ports: [{ containerPort: 9090 }]",
            "env: [{ name: UPSTREAM_ADDR, value: \"127.0.0.1:8080\" }]",
        ] {
            lacks(&[("k8s/a.yaml", &two(fine))], "port-taken-twice");
        }
    }

    #[test]
    fn probes_and_the_ports_of_health() {
        let probed = |port: &str| {
            deployment(&format!(
                "      containers:\n      - name: api\n        ports: [{{ name: http, containerPort: 8080 }}, {{ name: management, containerPort: 9090 }}]\n        readinessProbe:\n          httpGet: {{ path: /actuator/health, port: {port} }}\n"
            ))
        };
        let spring = ("src/main/resources/application.yml", "management:\n  server:\n    port: 9090\n");
        let has_it = "probe-port-differs the probe asks /actuator/health on 8080, and src/main/resources/application.yml serves it on 9090";
        has(&[("k8s/a.yaml", &probed("http")), spring], has_it);
        has(
            &[
                ("k8s/a.yaml", &probed("8080")),
                ("src/main/resources/application.properties", "management.server.port=9090\n"),
            ],
            "probe-port-differs ",
        );
        for fine in ["management", "9090"] {
            lacks(&[("k8s/a.yaml", &probed(fine)), spring], "probe-port-differs");
        }
        lacks(
            &[("k8s/a.yaml", &probed("http")), ("src/main/resources/application-test.yml", spring.1)],
            "probe-port-differs",
        );
        has(
            &[("k8s/a.yaml", &probed("web"))],
            "probe-port-differs the probe of api asks the port web, and the container names none so",
        );
    }

    #[test]
    fn policies_that_let_nothing_out() {
        let policy = |name: &str, labels: &str, egress: &str| {
            format!(
                "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{ name: {name} }}\nspec:\n  podSelector: {labels}\n  policyTypes: [Egress]\n  egress:\n{egress}"
            )
        };
        let names = "  - to: [{ namespaceSelector: {} }]\n    ports: [{ protocol: UDP, port: 53 }]\n";
        let closed = policy("a", "{ matchLabels: { app: a } }", names);
        has(
            &[("k8s/n.yaml", &closed)],
            "egress-closed it lets out only the ports 53, inside of the cluster @k8s/n.yaml:",
        );
        for out in [
            "  - ports: [{ port: 443 }]\n",
            "  - {}\n",
            "  - to: [{ ipBlock: { cidr: 0.0.0.0/0 } }]\n",
            "  - to: [{ ipBlock: { cidr: 203.0.113.0/24 } }]\n    ports: [{ port: 400, endPort: 500 }]\n",
        ] {
            lacks(
                &[("k8s/n.yaml", &policy("a", "{ matchLabels: { app: a } }", &format!("{names}{out}")))],
                "egress-closed",
            );
            let both = format!("{closed}{}", policy("b", "{}", out));
            lacks(
                &[("k8s/n.yaml", &both)],
                "egress-closed it lets out only the ports 53, inside of the cluster @k8s/n.yaml:1",
            );
        }
    }
}
