//! The text of a new `landfall.toml`: what was found is filled in, the rest stands as commented examples.

use std::fmt::Write as _;

use landfall_evidence::{Endpoint, Says, Target};

/// A commented configuration file for what the folder shows.
pub fn template(target: &Target, test_command: Option<&str>) -> String {
    let mut out = String::from(
        "# What `landfall` audits. Every key is optional; `landfall audit` reads this file from the current folder.\n\n[target]\n",
    );
    let line = |out: &mut String, key: &str, value: Option<&str>, example: &str, comment: &str| {
        let _ = match value {
            Some(value) => writeln!(out, "{key} = {}  # {comment}", quoted(value)),
            None => writeln!(out, "# {key} = {}  # {comment}", quoted(example)),
        };
    };
    line(&mut out, "name", Some(&target.name), "", "how reports call it");
    let url = |u: &Option<url::Url>| u.as_ref().map(|u| u.as_str().trim_end_matches('/').to_owned());
    line(
        &mut out,
        "production",
        url(&target.production).as_deref(),
        "https://api.example.com",
        "the public base URL",
    );
    out.push_str(
        "# The platform's own name for the deployment. It needs neither your domain nor the CDN, so asking it tells\n\
         # \"nothing is deployed\" from \"the domain is not attached\".\n",
    );
    line(
        &mut out,
        "origin",
        url(&target.origin).as_deref(),
        "https://my-app.example-platform.app",
        "the deployment itself",
    );
    line(
        &mut out,
        "edge",
        target.edge.as_deref(),
        "cloudflare",
        "the CDN or WAF that the public name should lead through",
    );
    line(
        &mut out,
        "local",
        url(&target.local).as_deref(),
        "http://127.0.0.1:8000",
        "the backend on this machine",
    );
    out.push_str("project = \".\"  # the folder that is deployed\n");
    out.push_str("# The pages whose scripts call this API from another origin; their calls are asked as a browser asks them.\n");
    let frontends: Vec<String> =
        target.frontends.iter().map(|url| quoted(url.as_str().trim_end_matches('/'))).collect();
    let _ = match frontends.is_empty() {
        true => writeln!(out, "# frontends = [\"https://app.example.com\"]"),
        false => writeln!(out, "frontends = [{}]", frontends.join(", ")),
    };

    out.push_str("\n# The endpoints that matter, most important first. Anything but GET and HEAD is never sent: a GET shows\n# whether the route exists.\n");
    if target.endpoints.is_empty() {
        out.push_str(
            "# [[endpoint]]\n# path = \"/health\"\n# content_type = \"application/json\"\n# json_keys = [\"ok\"]\n# core = false  # true for the product's main function\n",
        );
    }
    for endpoint in &target.endpoints {
        write_endpoint(&mut out, endpoint);
    }

    out.push_str(
        "\n# How your clients ask, to see who meets a rate limit (docs/rate-limit-impact.md has all keys).\n# [[rate_limit.profile]]\n# name = \"the app at start\"\n# requests = 8\n# spacing = \"100ms\"\n",
    );
    out.push_str("\n[tests]\n");
    line(&mut out, "command", test_command, "pytest tests/ -q", "found from the project when left out");
    out.push_str("# timeout = \"5m\"\n");
    out.push_str("\n[audit]\n# timeout = \"60s\"   # the whole audit; what is not answered by then is unknown\n# budget = 60        # requests to production and origin together\n# fail_on = \"high\"   # exit status 1 from this severity on\n");
    out.push_str("\n[network]\n# resolvers = [\"192.0.2.53\"]                          # ask these and not the system's\n# connect_to = [\"api.example.com:443:127.0.0.1:8443\"]  # as of curl --connect-to\n# ca_files = [\"private-root.pem\"]                     # a private authority that you trust\n");
    out.push_str("\n[dns]\n# expected_ns = [\"ns1.dns-provider.example\"]  # where the zone should be, to see a copy that nobody is sent to\n# rdap = \"iana\"  # ask the registry for expiry and status; tells it which domain you look after, so off by default\n# hosts_file = \"/etc/hosts\"\n");
    out
}

fn write_endpoint(out: &mut String, endpoint: &Endpoint) {
    let _ = write!(out, "\n[[endpoint]]\npath = {}\n", quoted(&endpoint.path));
    if endpoint.method != "GET" {
        let _ = writeln!(out, "method = {}", quoted(&endpoint.method));
    }
    if endpoint.core {
        out.push_str("core = true\n");
    }
    if !endpoint.expect.status.is_empty() {
        let _ = writeln!(out, "status = {:?}", endpoint.expect.status);
    }
    if let Some(content_type) = &endpoint.expect.content_type {
        let _ = writeln!(out, "content_type = {}", quoted(content_type));
    }
    if !endpoint.expect.json_keys.is_empty() {
        let keys: Vec<String> = endpoint.expect.json_keys.iter().map(|k| quoted(k)).collect();
        let _ = writeln!(out, "json_keys = [{}]", keys.join(", "));
    }
    let texts = endpoint.expect.says.iter().filter_map(|says| match says {
        Says::Text(text) => Some(quoted(text)),
        _ => None,
    });
    let texts: Vec<String> = texts.collect();
    if !texts.is_empty() {
        let _ = writeln!(out, "contains = [{}]", texts.join(", "));
    }
    if let Some(limit) = endpoint.expect.within_ms {
        let _ = writeln!(out, "timeout = \"{limit}ms\"");
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use landfall_evidence::{EndpointSource, Expectation};

    use super::*;
    use crate::config::Config;

    #[test]
    fn what_is_written_is_read_back() {
        let target = Target {
            name: "a \"quoted\" name".into(),
            production: Some("https://api.example.test".parse().expect("valid")),
            origin: None,
            edge: Some("cloudflare".into()),
            local: Some("http://127.0.0.1:8000".parse().expect("valid")),
            project: None,
            frontends: Vec::new(),
            uses: Vec::new(),
            endpoints: vec![Endpoint {
                method: "POST".into(),
                path: "/hook".into(),
                source: EndpointSource::Declared,
                core: true,
                expect: Expectation {
                    status: vec![200, 204],
                    content_type: None,
                    json_keys: vec!["ok".into()],
                    within_ms: Some(2_500),
                    ..Expectation::default()
                },
            }],
        };
        let config =
            Config::parse(&template(&target, Some("pytest -q")), "x").expect("the template is valid");
        assert_eq!(config.name.as_deref(), Some(target.name.as_str()));
        assert_eq!(config.production, target.production);
        assert_eq!(config.edge, target.edge);
        assert_eq!(config.endpoints, target.endpoints);
        assert_eq!(config.test_command.as_deref(), Some("pytest -q"));
        let empty = Target { production: None, local: None, endpoints: vec![], ..target };
        Config::parse(&template(&empty, None), "x").expect("the commented template is valid too");
    }
}
