//! Whether the server that a deploy configuration starts can be reached by the platform's router.
//!
//! Two things must hold: it listens on all addresses of its container, and on the port that the router sends to. The
//! port may be literal where a port map leads to it, or where nothing assigns one (a plain container). Platforms that
//! assign the port tell it in the variable PORT.

use landfall_evidence::{DeployConfig, DeployStage, PortSetting, ProjectSnapshot, StartCommand};

/// Platforms that choose the port and tell it in PORT (each one's documentation of its runtime environment).
const ASSIGN_PORT: &[&str] = &[
    "replit",
    "heroku",
    "render",
    "railway",
    "cloud-run",
    "google-cloud-run",
    "app-engine",
    "google-app-engine",
    "koyeb",
    "procfile",
    "app-platform",
];

/// Servers that read PORT themselves when no address is given.
const FOLLOW_PORT: &[&str] = &["gunicorn"];

/// Whether a started server can be reached, with the reason in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The router reaches it.
    Yes(String),
    /// It does not.
    No(String),
    /// The files do not tell.
    Unknown(String),
}

/// The configurations that say what runs in production.
pub(crate) fn production(project: &ProjectSnapshot) -> impl Iterator<Item = &DeployConfig> {
    project.deploy.iter().filter(|config| config.stage == DeployStage::Production)
}

/// Judges the start command of one configuration.
pub(crate) fn reach(config: &DeployConfig) -> Reach {
    match &config.start {
        Some(start) => reach_of(start, config),
        None => Reach::Unknown(format!("{} does not say how the server is started", config.file)),
    }
}

/// Judges a start command under the port map and platform of a configuration. The command may be an older one.
pub(crate) fn reach_of(start: &StartCommand, config: &DeployConfig) -> Reach {
    let server = start.server.as_deref().unwrap_or_default();
    let follows_by_itself = FOLLOW_PORT.contains(&server);
    if config.platform == "systemd" {
        return Reach::Unknown("a proxy of the same machine may stand before it".into());
    }
    match start.bind_host.as_deref() {
        Some(host) if !listens_everywhere(host) => {
            return Reach::No(format!("it binds {host}, which only its own container reaches"));
        }
        Some(_) => {}
        None if follows_by_itself && start.bind_port == PortSetting::Unsaid => {
            return if assigns_port(config) {
                Reach::Yes(format!("{server} follows PORT by itself when no address is given"))
            } else {
                Reach::Unknown(format!("{server} binds 0.0.0.0 only where PORT is set"))
            };
        }
        None => return Reach::Unknown("the start command does not say which address it binds".into()),
    }
    match &start.bind_port {
        PortSetting::Variable { name, .. } if !start.shell => Reach::No(format!(
            "no shell runs the command, so the server gets the text of ${name} and not its value"
        )),
        PortSetting::Variable { name, .. } if name == "PORT" => {
            Reach::Yes(format!("it binds all addresses and follows PORT ({})", start.bind_port))
        }
        PortSetting::Variable { name, default } => {
            if config.sets.contains(name) {
                Reach::Yes(format!("it binds all addresses and follows {name}, which {} sets", config.file))
            } else if let Some(port) = default.filter(|port| external_of(config, *port).is_some()) {
                Reach::Yes(format!(
                    "it binds all addresses, and the port map leads to its default port {port}"
                ))
            } else {
                Reach::Unknown(format!("it follows {name}, and nothing here says what that is in production"))
            }
        }
        PortSetting::Literal { port } => match external_of(config, *port) {
            Some(external) => Reach::Yes(format!(
                "it binds all addresses on port {port}, and the port map leads {external} to it"
            )),
            None if !config.ports.is_empty() => Reach::No(format!(
                "it listens on port {port}, but the port map leads to {}",
                config.ports.iter().map(|map| map.local.to_string()).collect::<Vec<_>>().join(", ")
            )),
            None if assigns_port(config) => Reach::No(format!(
                "it listens on port {port} whatever PORT says, and no port map leads to {port}"
            )),
            None => Reach::Unknown(format!("it listens on port {port}, and no port map is known")),
        },
        PortSetting::Unsaid => Reach::Unknown("the start command does not say which port it binds".into()),
    }
}

fn listens_everywhere(host: &str) -> bool {
    matches!(host.trim_matches(['[', ']']), "0.0.0.0" | "::" | "*")
}

fn assigns_port(config: &DeployConfig) -> bool {
    ASSIGN_PORT.contains(&config.platform.as_str())
}

fn external_of(config: &DeployConfig, port: u16) -> Option<u16> {
    config.ports.iter().find(|map| map.local == port).map(|map| map.external)
}

#[cfg(test)]
mod tests {
    use landfall_evidence::PortMap;

    use super::*;

    fn config(platform: &str, ports: &[(u16, u16)]) -> DeployConfig {
        DeployConfig {
            file: "deploy".into(),
            platform: platform.into(),
            stage: DeployStage::Production,
            start: None,
            ports: ports.iter().map(|&(local, external)| PortMap { local, external }).collect(),
            health_path: None,
            sets: vec!["APP_PORT".into()],
            default_host: None,
            build: None,
            root: None,
            regions: Vec::new(),
            replicas: None,
            sets_all: false,
        }
    }

    fn start(host: Option<&str>, port: PortSetting, shell: bool) -> StartCommand {
        StartCommand {
            raw: "gunicorn run:app".into(),
            shell,
            server: Some("gunicorn".into()),
            bind_host: host.map(Into::into),
            bind_port: port,
            settings: Vec::new(),
        }
    }

    #[test]
    fn a_start_command_reaches_its_router_or_not() {
        let port = || PortSetting::Variable { name: "PORT".into(), default: Some(5000) };
        let other = |name: &str| PortSetting::Variable { name: name.into(), default: Some(5000) };
        let literal = || PortSetting::Literal { port: 5000 };
        let all = Some("0.0.0.0");
        let cases: &[(&str, DeployConfig, StartCommand, &str)] = &[
            ("follows PORT", config("replit", &[]), start(all, port(), true), "yes"),
            ("PORT without a shell", config("replit", &[]), start(all, port(), false), "no"),
            ("literal with its map", config("replit", &[(5000, 80)]), start(all, literal(), true), "yes"),
            ("literal with another map", config("replit", &[(8000, 80)]), start(all, literal(), true), "no"),
            ("literal where PORT is assigned", config("heroku", &[]), start(all, literal(), true), "no"),
            ("literal in a container", config("docker", &[]), start(all, literal(), true), "unknown"),
            ("loopback", config("replit", &[(5000, 80)]), start(Some("127.0.0.1"), literal(), true), "no"),
            ("localhost", config("replit", &[]), start(Some("localhost"), port(), true), "no"),
            ("IPv6 any", config("replit", &[]), start(Some("[::]"), port(), true), "yes"),
            ("a variable that the file sets", config("fly", &[]), start(all, other("APP_PORT"), true), "yes"),
            ("an unknown variable", config("fly", &[]), start(all, other("LISTEN"), true), "unknown"),
            ("gunicorn's default", config("heroku", &[]), start(None, PortSetting::Unsaid, false), "yes"),
            (
                "gunicorn's default elsewhere",
                config("docker", &[]),
                start(None, PortSetting::Unsaid, false),
                "unknown",
            ),
            ("address unsaid", config("heroku", &[]), start(None, literal(), true), "unknown"),
        ];
        for (name, config, start, want) in cases {
            let got = match reach_of(start, config) {
                Reach::Yes(_) => "yes",
                Reach::No(_) => "no",
                Reach::Unknown(_) => "unknown",
            };
            assert_eq!(got, *want, "{name}");
        }
        assert!(matches!(reach(&config("fly", &[])), Reach::Unknown(_)), "no start command");
    }
}
