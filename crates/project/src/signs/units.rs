//! Units of systemd: ports below 1024 that a service's user may not have (systemd.exec, AmbientCapabilities; capabilities(7),
//! CAP_NET_BIND_SERVICE), and two services on one port.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use landfall_evidence::{DeployStage, PortSetting, SignWord};
use regex::Regex;

use super::pods::property;
use super::{Found, Read, regex, text};
use crate::tree::{Tree, file_name, parent};

/// Ports from here on may be listened on by everybody (ip(7), `ip_unprivileged_port_start`). Docker, and containerd from 2.0 on, open all
/// of them in containers (containerd pull request 9348), so only what runs on the machine itself is held against it.
const UNPRIVILEGED: u16 = 1024;

/// Servers that open their ports as root and serve as somebody else.
const OPEN_AS_ROOT: &[&str] = &["nginx", "caddy", "haproxy", "apache2", "httpd", "traefik"];

pub(super) fn read(read: &Read<'_>, found: &mut Found) {
    let mut taken: BTreeMap<u16, &str> = BTreeMap::new();
    for deploy in read.deploys.iter().filter(|d| d.config.platform == "systemd") {
        let file = deploy.config.file.as_str();
        let Some(source) = text(read.tree, file) else { continue };
        let bound = deploy.config.start.as_ref().map_or(&PortSetting::Unsaid, |start| &start.bind_port);
        let literal = match bound {
            PortSetting::Literal { port } => Some(*port),
            _ => deploy.values.get("PORT").and_then(|port| port.parse().ok()),
        };
        privileged(read, file, &source, literal, found);
        let Some(port) = literal.filter(|_| deploy.config.stage == DeployStage::Production) else { continue };
        // One of two that exclude each other, or that take turns, runs at a time.
        if ["Conflicts=", "Type=oneshot", "ListenStream="].iter().any(|word| source.contains(word))
            || file.contains('@')
        {
            continue;
        }
        match taken.get(&port) {
            Some(other) if *other != file => found.add(
                SignWord::PortTakenTwice,
                file,
                format!("{other} and {file} both start a server on {port}"),
            ),
            _ => {
                taken.insert(port, file);
            }
        }
    }
}

fn privileged(read: &Read<'_>, file: &str, unit: &str, literal: Option<u16>, found: &mut Found) {
    static USER: LazyLock<Regex> = LazyLock::new(|| regex(r"(?m)^\s*User\s*=\s*(\S+)"));
    static PROGRAM: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?m)^\s*ExecStart\s*=\s*[-@+!:]*(\S+)([^\n]*)"));
    let dynamic = unit.lines().any(|line| line.trim().eq_ignore_ascii_case("DynamicUser=yes"));
    let user = match USER.captures(unit) {
        Some(user) => user[1].to_owned(),
        None if dynamic => "a user of its own".to_owned(),
        None => return,
    };
    let Some(program) = PROGRAM.captures(unit) else { return };
    let name = file_name(&program[1]);
    let socket = format!("{}.socket", file.trim_end_matches(".service"));
    if matches!(user.as_str(), "root" | "0")
        || unit.contains("CAP_NET_BIND_SERVICE")
        || OPEN_AS_ROOT.contains(&name)
        || name == "authbind"
        // `+` and `!` leave the privileges, in any order with the other marks (systemd.service(5), table of special prefixes).
        || program[0].split_once('=').is_some_and(|(_, command)| {
            command.trim_start().chars().take_while(|c| "-@+!:".contains(*c)).any(|c| matches!(c, '+' | '!'))
        })
        || read.tree.has(&socket)
        || opened_elsewhere(read.tree)
    {
        return;
    }
    let port = literal
        .map(|port| (port, file.to_owned()))
        .or_else(|| configured(read.tree, file, (name, &program[2]), unit));
    if let Some((port, place)) = port.filter(|(port, _)| *port < UNPRIVILEGED) {
        found.add(
            SignWord::PortPrivileged,
            place,
            format!("{file} runs as {user} and is to listen on {port}"),
        );
    }
}

/// Whether the right to such ports is given by other means than the unit.
fn opened_elsewhere(tree: &Tree) -> bool {
    let files = tree.files.iter().filter(|f| {
        let name = file_name(&f.path).to_ascii_lowercase();
        !f.ignored
            && [".sh", ".md", ".yml", ".yaml", ".conf", ".txt", "makefile"]
                .iter()
                .any(|end| name.ends_with(end))
    });
    files.take(200).filter_map(|f| text(tree, &f.path)).any(|text| {
        text.contains("setcap") || text.contains("ip_unprivileged_port_start") || text.contains("authbind")
    })
}

/// The port that the settings of a framework name, and where: of Kestrel's endpoints, and of Spring's server.
fn configured(
    tree: &Tree,
    file: &str,
    (program, arguments): (&str, &str),
    unit: &str,
) -> Option<(u16, String)> {
    static URLS: LazyLock<Regex> =
        LazyLock::new(|| regex(r#"(?:ASPNETCORE_URLS|--urls)[=\s"]+[^\s"]*?:(\d{1,5})\b"#));
    static URL: LazyLock<Regex> = LazyLock::new(|| regex(r":(\d{1,5})/?$"));
    if let Some(port) = URLS.captures(unit).and_then(|c| c[1].parse().ok()) {
        return Some((port, file.to_owned()));
    }
    let is_dotnet = program == "dotnet" || arguments.contains(".dll");
    let files = tree.files.iter().filter(|f| !f.ignored);
    for file in files {
        let name = file_name(&file.path);
        if is_dotnet && matches!(name, "appsettings.Production.json" | "appsettings.json") {
            let Some(json) =
                text(tree, &file.path).and_then(|t| serde_json::from_str::<serde_json::Value>(&t).ok())
            else {
                continue;
            };
            let endpoints = json.pointer("/Kestrel/Endpoints").and_then(serde_json::Value::as_object);
            let urls = endpoints.into_iter().flatten().filter_map(|(_, of)| of.get("Url")?.as_str());
            let low = urls
                .filter_map(|url| URL.captures(url)?[1].parse::<u16>().ok())
                .find(|port| *port < UNPRIVILEGED);
            if let Some(port) = low {
                return Some((port, file.path.clone()));
            }
        }
        let of_spring = program == "java" && parent(&file.path).ends_with("src/main/resources");
        if of_spring && matches!(name, "application.properties" | "application-prod.properties") {
            let port = text(tree, &file.path).and_then(|t| property(&t, "server.port")?.parse().ok());
            if let Some(port) = port {
                return Some((port, file.path.clone()));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::tests::{has, lacks};

    fn unit(rest: &str) -> String {
        format!("[Service]\nUser=www-data\nWorkingDirectory=/srv/a\n{rest}\n")
    }

    #[test]
    fn ports_that_a_services_user_may_not_have() {
        let kestrel = (
            "appsettings.Production.json",
            "{\"Kestrel\":{\"Endpoints\":{\"Https\":{\"Url\":\"https://0.0.0.0:443\"}}}}",
        );
        has(
            &[("deploy/a.service", &unit("ExecStart=/usr/bin/dotnet /srv/a/A.dll")), kestrel],
            "port-privileged deploy/a.service runs as www-data and is to listen on 443 @appsettings.Production.json",
        );
        let uvicorn = "ExecStart=/srv/a/.venv/bin/uvicorn app:app --host 0.0.0.0 --port 80";
        has(
            &[("a.service", &unit(uvicorn))],
            "port-privileged a.service runs as www-data and is to listen on 80",
        );
        for fine in [
            uvicorn.replace("port 80", "port 8000"),
            format!("{uvicorn}\nAmbientCapabilities=CAP_NET_BIND_SERVICE"),
        ] {
            lacks(&[("a.service", &unit(&fine))], "port-privileged");
        }
        lacks(&[("a.service", &unit(uvicorn).replace("www-data", "root"))], "port-privileged");
        lacks(
            &[("a.service", &unit(uvicorn)), ("a.socket", "[Socket]\nListenStream=80\n")],
            "port-privileged",
        );
        lacks(
            &[("a.service", &unit(uvicorn)), ("install.sh", "setcap cap_net_bind_service=+ep x\n")],
            "port-privileged",
        );
    }

    #[test]
    fn two_services_on_one_port() {
        let on = |port: u16| unit(&format!("ExecStart=/srv/a/.venv/bin/uvicorn app:app --port {port}"));
        has(
            &[("a.service", &on(8000)), ("b.service", &on(8000))],
            "port-taken-twice a.service and b.service both start a server on 8000",
        );
        lacks(&[("a.service", &on(8000)), ("b.service", &on(8001))], "port-taken-twice");
    }
}
