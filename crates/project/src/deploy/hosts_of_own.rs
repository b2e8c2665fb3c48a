//! Machines of one's own: systemd units, and the proxies before them (nginx, Caddy).
//!
//! Sources: systemd.service(5) and systemd.exec(5); nginx.org/en/docs/http/ngx_http_proxy_module.html (`proxy_pass`),
//! ngx_http_upstream_module.html; caddyserver.com/docs/caddyfile/directives/reverse_proxy.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use landfall_evidence::{DeployStage, PortMap};
use regex::Regex;

use super::Deploy;
use crate::command::{commands, parse_shell, parse_vector};

/// A unit with `[Service]` and `ExecStart`. systemd starts no shell and yet expands `$NAME` and `${NAME}` itself, from
/// the unit's environment; forms such as `${NAME:-8000}` it does not know.
pub(super) fn systemd(file: &str, text: &str) -> Result<Vec<Deploy>, String> {
    let mut section = String::new();
    let (mut start, mut root, mut env) = (None, None, BTreeMap::new());
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let mut line = line.trim().to_owned();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        while let Some(open) = line.strip_suffix('\\') {
            let open = open.to_owned();
            let Some((_, next)) = lines.next() else { break };
            line = format!("{open} {}", next.trim());
        }
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            section = name.to_owned();
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            return Err(format!("line {}: neither a section nor `Key=value`", number + 1));
        };
        if section != "Service" {
            continue;
        }
        match key.trim() {
            // An empty value resets the list; the last command is the one that stays.
            "ExecStart" => start = Some(value.trim().to_owned()).filter(|v| !v.is_empty()),
            "WorkingDirectory" => root = Some(value.trim().to_owned()),
            "Environment" => {
                for word in commands(value).into_iter().flatten() {
                    if let Some((name, value)) = word.script().split_once('=') {
                        env.insert(name.to_owned(), value.to_owned());
                    }
                }
            }
            _ => {}
        }
    }
    let Some(start) = start else {
        return match section.as_str() {
            "" => Err("no section such as [Service]".to_owned()),
            _ => Ok(Vec::new()),
        };
    };
    let start = start.trim_start_matches(['@', '-', ':', '+', '!', '|']);
    let words: Vec<String> = commands(start).into_iter().flatten().map(|w| w.script()).collect();
    let mut deploy = Deploy::new(file, "systemd", DeployStage::Production);
    let expands = start.contains('$') && !start.contains(":-");
    deploy.start(if expands { parse_shell(start) } else { parse_vector(&words) });
    deploy.defaults(&env);
    deploy.config.sets = env.into_keys().collect();
    // A folder of the machine, not of the project: kept as written.
    deploy.config.root = root;
    Ok(vec![deploy])
}

static LISTEN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)^\s*listen\s+(?:\[[^\]]*\]:|[\w.*-]+:)?(\d{1,5})\b").expect("a constant that tests use")
});
static PASS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)^\s*(?:proxy_pass\s+https?://|uwsgi_pass\s+|grpc_pass\s+\w+://)([\w.-]+)(?::(\d{1,5}))?")
        .expect("a constant that tests use")
});
static UPSTREAM: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?s)\bupstream\s+([\w.-]+)\s*\{([^}]*)\}").expect("a constant that tests use")
});
static SERVER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)^\s*server\s+([\w.-]+):(\d{1,5})\b").expect("a constant that tests use")
});

fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split('#').next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Whether a name is that of this machine or of a container beside it, and not of a host elsewhere.
fn is_near(host: &str) -> bool {
    !host.contains('.') || host.starts_with("127.")
}

/// The ports that nginx leads to: `proxy_pass` to an address, or to a named `upstream`.
pub(super) fn nginx(file: &str, text: &str) -> Result<Vec<Deploy>, String> {
    let text = without_comments(text);
    let (open, close) = (text.matches('{').count(), text.matches('}').count());
    if open != close {
        return Err(format!("{open} opening and {close} closing braces"));
    }
    let external: u16 = LISTEN.captures_iter(&text).filter_map(|c| c[1].parse().ok()).max().unwrap_or(80);
    let mut locals: BTreeSet<u16> = BTreeSet::new();
    let mut groups: BTreeMap<String, Vec<u16>> = BTreeMap::new();
    for c in UPSTREAM.captures_iter(&text) {
        let near = SERVER.captures_iter(&c[2]).filter(|s| is_near(&s[1])).filter_map(|s| s[2].parse().ok());
        groups.insert(c[1].to_owned(), near.collect());
    }
    for c in PASS.captures_iter(&text) {
        match (groups.get(&c[1]), c.get(2).and_then(|p| p.as_str().parse().ok())) {
            (Some(ports), None) => locals.extend(ports),
            (None, Some(port)) if is_near(&c[1]) => {
                locals.insert(port);
            }
            _ => {}
        }
    }
    Ok(proxy(file, "nginx", &locals, external))
}

/// The ports that Caddy leads to.
pub(super) fn caddy(file: &str, text: &str) -> Result<Vec<Deploy>, String> {
    static TO: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?m)\breverse_proxy\s+(?:(?:/|\*|@)\S*\s+)?(?:https?://)?([\w.-]*):(\d{1,5})\b")
            .expect("a constant that tests use")
    });
    let text = without_comments(text);
    let locals: BTreeSet<u16> =
        TO.captures_iter(&text).filter(|c| is_near(&c[1])).filter_map(|c| c[2].parse().ok()).collect();
    Ok(proxy(file, "caddy", &locals, 443))
}

fn proxy(file: &str, platform: &str, locals: &BTreeSet<u16>, external: u16) -> Vec<Deploy> {
    if locals.is_empty() {
        return Vec::new();
    }
    let mut deploy = Deploy::new(file, platform, DeployStage::Production);
    deploy.config.ports = locals.iter().map(|&local| PortMap { local, external }).collect();
    vec![deploy]
}

#[cfg(test)]
mod tests {
    use super::*;
    use landfall_evidence::PortSetting;

    #[test]
    fn a_unit_is_started_without_a_shell_and_its_variables_are_known() {
        let text = "[Unit]\nDescription=shop\n[Service]\nEnvironment=PORT=8000 \"A=b c\"\nWorkingDirectory=/srv/shop\n\
                    ExecStart=-/srv/shop/.venv/bin/gunicorn --bind 127.0.0.1:${PORT} \\\n  app:app\n[Install]\nWantedBy=multi-user.target\n";
        let unit = systemd("shop.service", text).unwrap().remove(0);
        let start = unit.config.start.unwrap();
        assert_eq!(start.server.as_deref(), Some("gunicorn"));
        assert_eq!(start.bind_port, PortSetting::Variable { name: "PORT".into(), default: Some(8000) });
        assert!(start.shell, "systemd expands the variable");
        assert_eq!(unit.config.sets, ["A", "PORT"]);
        assert_eq!(unit.config.root.as_deref(), Some("/srv/shop"));
        let bad = "[Service]\nExecStart=/usr/bin/gunicorn -b 0.0.0.0:${PORT:-80} a:a\n";
        assert!(!systemd("a.service", bad).unwrap()[0].config.start.as_ref().unwrap().shell);
        assert!(systemd("a.service", "hello\n").unwrap_err().starts_with("line 1"));
        assert!(systemd("a.service", "[Unit]\nDescription=x\n").unwrap().is_empty());
    }

    #[test]
    fn a_proxy_says_which_ports_it_leads_to() {
        let text = "upstream app { server 127.0.0.1:8000; server elsewhere.example.net:9; }\nserver {\n  listen 443 ssl;\n\
                    \x20 location / { \n proxy_pass http://app; }\n  location /ws { \n proxy_pass http://localhost:8001/; } # proxy_pass http://localhost:1\n}\n";
        let ports = nginx("nginx.conf", text).unwrap().remove(0).config.ports;
        assert_eq!(ports, [PortMap { local: 8000, external: 443 }, PortMap { local: 8001, external: 443 }]);
        assert!(nginx("nginx.conf", "server {").is_err());
        assert!(nginx("nginx.conf", "server { listen 80; root /srv; }").unwrap().is_empty());
        let text =
            "example.com {\n  reverse_proxy /api/* localhost:3000\n  reverse_proxy 127.0.0.1:8080\n}\n";
        let ports = caddy("Caddyfile", text).unwrap().remove(0).config.ports;
        assert_eq!(ports.iter().map(|p| p.local).collect::<Vec<_>>(), [3000, 8080]);
    }
}
