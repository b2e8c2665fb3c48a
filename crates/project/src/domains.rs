//! The public names that a project's deploy files give it, for `landfall init`.
//!
//! A name counts where a platform, a proxy or a registry of domains reads it, never where prose or code mentions it.

use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use crate::tree::{Tree, file_name};
use crate::yaml::{Node, documents};

/// A public name of the deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The host, in lower case.
    pub host: String,
    /// Where it stands, `file:line`.
    pub place: String,
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the patterns are constants and covered by tests")
}

/// The names, the most telling first: those that a platform is told to serve, then those of a proxy. Blocks.
pub fn domains(root: &Path) -> Vec<Named> {
    let tree = Tree::walk(root, &crate::git::ignored(root));
    let mut found: Vec<Named> = Vec::new();
    let mut add = |host: &str, place: String| {
        static HOST: LazyLock<Regex> = LazyLock::new(|| {
            pattern(r"^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$")
        });
        let host = host.trim().trim_end_matches('.').to_ascii_lowercase();
        let here = ["localhost", "local", "internal", "test", "localdomain", "cluster.local"]
            .iter()
            .any(|end| host == *end || host.ends_with(&format!(".{end}")));
        if HOST.is_match(&host) && !here && found.iter().all(|n| n.host != host) {
            found.push(Named { host, place });
        }
    };
    // A file of GitHub Pages and of others: one name, nothing else.
    for path in ["CNAME", "public/CNAME", "static/CNAME"] {
        if let Some(Ok(text)) = tree.text(path) {
            add(&text, format!("{path}:1"));
        }
    }
    for path in ["render.yaml", ".do/app.yaml"] {
        let Some(Ok(text)) = tree.text(path) else { continue };
        for document in documents(&text).unwrap_or_default() {
            let services = document.get("services").map(Node::items).unwrap_or_default();
            let lists = services.iter().chain([&document]).filter_map(|node| node.get("domains"));
            for item in lists.flat_map(Node::items) {
                if let Some(host) = item.text().or_else(|| item.get("domain").and_then(Node::text)) {
                    add(host, format!("{path}:{}", item.line));
                }
            }
        }
    }
    let kamal = "config/deploy.yml";
    if let Some(Ok(text)) = tree.text(kamal) {
        for document in documents(&text).unwrap_or_default() {
            let proxy = document.get("proxy");
            let one = proxy.and_then(|proxy| proxy.get("host"));
            let more = proxy.and_then(|proxy| proxy.get("hosts")).map(Node::items).unwrap_or_default();
            for host in one.into_iter().chain(more) {
                add(host.text().unwrap_or_default(), format!("{kamal}:{}", host.line));
            }
        }
    }
    for (file, text) in crate::deploy::manifests(&tree) {
        for document in documents(&text).unwrap_or_default() {
            let kind = document.get("kind").and_then(Node::text).unwrap_or_default();
            let rules = document.at(&["spec", "rules"]).map(Node::items).unwrap_or_default();
            for host in rules.iter().filter(|_| kind == "Ingress").filter_map(|r| r.get("host")) {
                add(host.text().unwrap_or_default(), format!("{file}:{}", host.line));
            }
            let names = document.at(&["spec", "hostnames"]).map(Node::items).unwrap_or_default();
            for host in names.iter().filter(|_| kind == "HTTPRoute") {
                add(host.text().unwrap_or_default(), format!("{file}:{}", host.line));
            }
        }
    }
    static ROUTE: LazyLock<Regex> = LazyLock::new(|| pattern(r#"pattern"?\s*[=:]\s*["']([^"'/*]+)"#));
    static ALIAS: LazyLock<Regex> = LazyLock::new(|| pattern(r#""alias"\s*:\s*\[?\s*"([^"]+)""#));
    static SERVER: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^\s*server_name\s+([^;]+);"));
    static SITE: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"(?m)^(?:https?://)?([A-Za-z0-9.-]+\.[A-Za-z]{2,})(?::\d+)?[^\n{]*\{"));
    for file in &tree.files {
        let name = file_name(&file.path);
        let expression = match name {
            "wrangler.toml" | "wrangler.json" | "wrangler.jsonc" => &*ROUTE,
            "vercel.json" | "now.json" => &*ALIAS,
            "Caddyfile" => &*SITE,
            _ if name.ends_with(".conf") && file.path.contains("nginx") => &*SERVER,
            _ => continue,
        };
        let Some(Ok(text)) = tree.text(&file.path) else { continue };
        for c in expression.captures_iter(&text).take(20) {
            let line = text[..c.get(1).map_or(0, |m| m.start())].matches('\n').count() + 1;
            for host in c[1].split_whitespace() {
                add(host, format!("{}:{line}", file.path));
            }
        }
    }
    if let Some(Ok(text)) = tree.text("package.json")
        && let Ok(json) = serde_json::from_str::<serde_json::Value>(&text)
        && let Some(home) = json.get("homepage").and_then(serde_json::Value::as_str)
        && let Ok(url) = url::Url::parse(home)
        // A repository's page is not the deployment's.
        && !["github.com", "gitlab.com", "bitbucket.org", "npmjs.com"].iter().any(|h| url.host_str().is_some_and(|n| n.ends_with(h)))
    {
        add(url.host_str().unwrap_or_default(), "package.json:1".to_owned());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::folder;

    #[test]
    fn names_that_a_platform_or_a_proxy_is_told() {
        let dir = folder(&[
            ("render.yaml", "services:\n- type: web\n  name: a\n  domains:\n  - api.example.com\n"),
            (".do/app.yaml", "services: []\ndomains:\n- domain: do.example.com\n  type: PRIMARY\n"),
            ("config/deploy.yml", "service: s\nimage: i\nproxy:\n  ssl: true\n  host: kamal.example.com\n"),
            (
                "k8s/ingress.yaml",
                "apiVersion: networking.k8s.io/v1\nkind: Ingress\nspec:\n  rules:\n  - host: k8s.example.com\n  - host: web.local\n",
            ),
            ("wrangler.toml", "name = 'w'\nroutes = [{ pattern = \"edge.example.com/*\" }]\n"),
            ("Caddyfile", "caddy.example.com {\n\treverse_proxy localhost:1\n}\n:80 {\n}\n"),
            ("deploy/nginx/a.conf", "server {\n  server_name www.example.com example.com _;\n}\n"),
            ("package.json", "{\"homepage\": \"https://github.com/a/b\"}"),
            ("README.md", "see https://docs.example.net\n"),
        ]);
        let shown: Vec<String> =
            domains(dir.path()).iter().map(|n| format!("{} {}", n.host, n.place)).collect();
        assert_eq!(
            shown,
            [
                "api.example.com render.yaml:5",
                "do.example.com .do/app.yaml:3",
                "kamal.example.com config/deploy.yml:5",
                "k8s.example.com k8s/ingress.yaml:5",
                "caddy.example.com Caddyfile:1",
                "edge.example.com wrangler.toml:2",
                "www.example.com deploy/nginx/a.conf:2",
                "example.com deploy/nginx/a.conf:2",
            ]
        );
    }
}
