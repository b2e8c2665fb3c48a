//! What the operator sets: `[server]` of `landfall.toml` and the environment over it.
//!
//! Nothing has to be set. An unknown key is refused, every problem names its place and its mend, and a secret may stand
//! in a file of its own: `password_file = "…"` in the table, `LANDFALL_SMTP_PASSWORD_FILE` in the environment.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use landfall_monitor::jobs::JobSettings;
use landfall_notify::SmtpSettings;
use landfall_probe::net::AddressMap;
use serde::Deserialize;
use tokio::sync::Notify;
use toml::{Table, Value};

use crate::Secret;
use crate::billing::BillingSettings;
use crate::limits::{Limits, Quota};
use crate::settings::Settings;
use crate::support::{ModelSettings, SupportSettings, TelegramSettings, WhatsAppSettings};

/// Everything about one server, checked.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The database: a file name or a `postgres://` URL.
    pub database: String,
    /// Threads that serve; `None` takes one for each processor.
    pub threads: Option<usize>,
    /// How long a stop waits for what is under way.
    pub drain: Duration,
    /// Connections at the same time.
    pub connections: usize,
    /// Checks at the same time.
    pub checks: usize,
    /// Audits at the same time.
    pub audits: usize,
    /// Resolvers of checks and audits; empty means the system's.
    pub resolvers: Vec<SocketAddr>,
    /// Where packets really go.
    pub map: AddressMap,
    /// More root certificates to trust.
    pub ca_files: Vec<PathBuf>,
    /// Addresses of which at least one can be reached while this server's own connection is sound.
    pub canaries: Vec<SocketAddr>,
    /// The mail server.
    pub smtp: Option<SmtpSettings>,
    /// What handlers need.
    pub settings: Settings,
    /// What jobs need.
    pub jobs: JobSettings,
    /// The file that it came from, when there was one.
    pub file: Option<PathBuf>,
    /// Told when what the file declares is to be read again.
    pub reload: Arc<Notify>,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{}", .0.join("\n"))]
pub struct ConfigurationError(pub Vec<String>);

/// How the environment spells a key: variable, path in `[server]`, form.
const VARIABLES: &[(&str, &str, Form)] = &[
    ("LANDFALL_LISTEN", "listen", Form::Text),
    ("PORT", "port", Form::Number),
    ("LANDFALL_PORT", "port", Form::Number),
    ("DATABASE_URL", "database", Form::Text),
    ("LANDFALL_DATABASE", "database", Form::Text),
    ("LANDFALL_PUBLIC_URL", "public_url", Form::Text),
    ("LANDFALL_THREADS", "threads", Form::Number),
    ("LANDFALL_DRAIN", "drain", Form::Text),
    ("LANDFALL_CONNECTIONS", "connections", Form::Number),
    ("LANDFALL_CHECKS", "checks", Form::Number),
    ("LANDFALL_AUDITS", "audits", Form::Number),
    ("LANDFALL_REQUEST_TIMEOUT", "request_timeout", Form::Text),
    ("LANDFALL_BODY_BYTE", "body_byte", Form::Number),
    ("LANDFALL_TRUSTED_PROXIES", "trusted_proxies", Form::List),
    ("LANDFALL_ALLOW_EGRESS", "allow_egress", Form::List),
    ("LANDFALL_METRICS_FROM", "metrics_from", Form::List),
    ("LANDFALL_OPEN_REGISTRATION", "open_registration", Form::Truth),
    ("LANDFALL_RESOLVERS", "resolvers", Form::List),
    ("LANDFALL_CONNECT_TO", "connect_to", Form::List),
    ("LANDFALL_CA_FILES", "ca_files", Form::List),
    ("LANDFALL_CANARIES", "canaries", Form::List),
    ("LANDFALL_DEAD_MAN_URL", "dead_man_url", Form::Text),
    ("LANDFALL_BACKUP_FOLDER", "backup_folder", Form::Text),
    ("LANDFALL_BACKUPS_KEPT", "backups_kept", Form::Number),
    ("LANDFALL_KEEP_RESULTS", "keep_results", Form::Text),
    ("LANDFALL_KEEP_HISTORY", "keep_history", Form::Text),
    ("LANDFALL_DIGEST_DAILY", "digest_daily", Form::Truth),
    ("LANDFALL_DIGEST_WEEKLY", "digest_weekly", Form::Truth),
    ("LANDFALL_REPORT_MONTHLY", "report_monthly", Form::Truth),
    ("LANDFALL_LIMIT_HEALTH", "limits.health", Form::Number),
    ("LANDFALL_LIMIT_PING", "limits.ping", Form::Number),
    ("LANDFALL_LIMIT_PROBE", "limits.probe", Form::Number),
    ("LANDFALL_LIMIT_AUTH", "limits.auth", Form::Number),
    ("LANDFALL_LIMIT_ADDRESS", "limits.address", Form::Number),
    ("LANDFALL_LIMIT_PRINCIPAL", "limits.principal", Form::Number),
    ("LANDFALL_SMTP_HOST", "smtp.host", Form::Text),
    ("LANDFALL_SMTP_PORT", "smtp.port", Form::Number),
    ("LANDFALL_SMTP_SECURITY", "smtp.security", Form::Text),
    ("LANDFALL_SMTP_USERNAME", "smtp.username", Form::Text),
    ("LANDFALL_SMTP_PASSWORD", "smtp.password", Form::Text),
    ("LANDFALL_SMTP_PASSWORD_FILE", "smtp.password_file", Form::Text),
    ("LANDFALL_SMTP_FROM", "smtp.from", Form::Text),
    ("LANDFALL_BILLING_SECRET_KEY", "billing.secret_key", Form::Text),
    ("LANDFALL_BILLING_SECRET_KEY_FILE", "billing.secret_key_file", Form::Text),
    ("LANDFALL_BILLING_WEBHOOK_SECRETS", "billing.webhook_secrets", Form::List),
    ("LANDFALL_BILLING_API_BASE", "billing.api_base", Form::Text),
    ("LANDFALL_SUPPORT_MAIL_TO", "support.mail_to", Form::Text),
    ("LANDFALL_MODEL_API_BASE", "support.model.api_base", Form::Text),
    ("LANDFALL_MODEL_API_KEY", "support.model.api_key", Form::Text),
    ("LANDFALL_MODEL_API_KEY_FILE", "support.model.api_key_file", Form::Text),
    ("LANDFALL_MODEL", "support.model.model", Form::Text),
    ("LANDFALL_TELEGRAM_API_BASE", "support.telegram.api_base", Form::Text),
    ("LANDFALL_TELEGRAM_TOKEN", "support.telegram.token", Form::Text),
    ("LANDFALL_TELEGRAM_TOKEN_FILE", "support.telegram.token_file", Form::Text),
    ("LANDFALL_TELEGRAM_WEBHOOK_SECRET", "support.telegram.webhook_secret", Form::Text),
    ("LANDFALL_WHATSAPP_API_BASE", "support.whatsapp.api_base", Form::Text),
    ("LANDFALL_WHATSAPP_PHONE_NUMBER_ID", "support.whatsapp.phone_number_id", Form::Text),
    ("LANDFALL_WHATSAPP_TOKEN", "support.whatsapp.token", Form::Text),
    ("LANDFALL_WHATSAPP_TOKEN_FILE", "support.whatsapp.token_file", Form::Text),
    ("LANDFALL_WHATSAPP_APP_SECRET", "support.whatsapp.app_secret", Form::Text),
    ("LANDFALL_WHATSAPP_VERIFY_TOKEN", "support.whatsapp.verify_token", Form::Text),
];

#[derive(Debug, Clone, Copy)]
enum Form {
    Text,
    Number,
    Truth,
    /// Separated by commas.
    List,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    listen: Option<String>,
    port: Option<u16>,
    database: Option<String>,
    public_url: Option<String>,
    threads: Option<usize>,
    drain: Option<String>,
    connections: Option<usize>,
    checks: Option<usize>,
    audits: Option<usize>,
    request_timeout: Option<String>,
    body_byte: Option<usize>,
    trusted_proxies: Vec<String>,
    allow_egress: Vec<String>,
    metrics_from: Option<Vec<String>>,
    open_registration: bool,
    resolvers: Vec<String>,
    connect_to: Vec<String>,
    ca_files: Vec<PathBuf>,
    canaries: Vec<String>,
    dead_man_url: Option<String>,
    backup_folder: Option<PathBuf>,
    backups_kept: Option<usize>,
    keep_results: Option<String>,
    keep_history: Option<String>,
    digest_daily: bool,
    digest_weekly: Option<bool>,
    report_monthly: Option<bool>,
    limits: LimitsFile,
    smtp: Option<SmtpSettings>,
    billing: Option<Billing>,
    support: Option<Support>,
}

/// Requests a minute, by class.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct LimitsFile {
    health: Option<u32>,
    ping: Option<u32>,
    probe: Option<u32>,
    auth: Option<u32>,
    address: Option<u32>,
    principal: Option<u32>,
}

impl LimitsFile {
    fn checked(&self, wrong: &mut impl FnMut(&str, String)) -> Limits {
        let default = Limits::default();
        let mut quota = |name: &str, given: Option<u32>, default: Quota| match given {
            None => default,
            Some(0) => {
                wrong(
                    &format!("limits.{name}"),
                    "0 would refuse everybody; leave it out for the default".into(),
                );
                default
            }
            Some(n) => Quota::a_minute(n),
        };
        Limits {
            health: quota("health", self.health, default.health),
            ping: quota("ping", self.ping, default.ping),
            probe: quota("probe", self.probe, default.probe),
            auth: quota("auth", self.auth, default.auth),
            address: quota("address", self.address, default.address),
            principal: quota("principal", self.principal, default.principal),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Billing {
    secret_key: Secret,
    webhook_secrets: Vec<Secret>,
    #[serde(default)]
    prices: BTreeMap<String, String>,
    api_base: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Support {
    mail_to: Option<String>,
    model: Option<Model>,
    telegram: Option<Telegram>,
    whatsapp: Option<WhatsApp>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Model {
    api_base: String,
    #[serde(default)]
    api_key: Secret,
    model: String,
    #[serde(default = "tokens")]
    max_tokens: u32,
    #[serde(default)]
    deadline: Option<String>,
}

fn tokens() -> u32 {
    400
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Telegram {
    #[serde(default = "telegram_base")]
    api_base: String,
    token: Secret,
    webhook_secret: Secret,
}

fn telegram_base() -> String {
    "https://api.telegram.org".into()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WhatsApp {
    #[serde(default = "whatsapp_base")]
    api_base: String,
    phone_number_id: String,
    token: Secret,
    app_secret: Secret,
    verify_token: Secret,
}

fn whatsapp_base() -> String {
    "https://graph.facebook.com/v23.0".into()
}

impl Configuration {
    /// Reads the `[server]` table of a file, if one is given, and the environment over it.
    ///
    /// # Errors
    /// With everything that is wrong, each with its place and its mend.
    pub fn read(
        file: Option<&Path>,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigurationError> {
        let one = |what: String| ConfigurationError(vec![what]);
        let mut table = match file {
            None => Table::new(),
            Some(path) => {
                let text =
                    std::fs::read_to_string(path).map_err(|e| one(format!("{}: {e}", path.display())))?;
                let mut whole: Table =
                    text.parse().map_err(|e: toml::de::Error| one(format!("{}: {e}", path.display())))?;
                match whole.remove("server") {
                    None => Table::new(),
                    Some(Value::Table(table)) => table,
                    Some(_) => {
                        return Err(one(format!(
                            "{}: server has the wrong form; write it as [server]",
                            path.display()
                        )));
                    }
                }
            }
        };
        let mut problems = Vec::new();
        for (variable, path, form) in VARIABLES {
            if let Some(text) = environment(variable).filter(|t| !t.is_empty()) {
                match form.read(&text) {
                    Ok(value) => set(&mut table, path, value),
                    Err(what) => problems.push(format!("{variable}: {what}")),
                }
            }
        }
        secrets_from_files(&mut table, "server", &mut problems);
        let place = file.map_or_else(|| "server".to_owned(), |f| format!("{}: server", f.display()));
        let read: Result<File, _> = serde_path_to_error::deserialize(Value::Table(table));
        let read = match read {
            Ok(read) => read,
            Err(error) => {
                let path = error.path().to_string();
                let dot = if path == "." { String::new() } else { format!(".{path}") };
                problems.push(format!("{place}{dot}: {}", error.inner().message()));
                return Err(ConfigurationError(problems));
            }
        };
        let read = read.checked(file, &mut problems);
        match read {
            Some(read) if problems.is_empty() => Ok(read),
            _ => Err(ConfigurationError(problems)),
        }
    }
}

impl Form {
    fn read(self, text: &str) -> Result<Value, String> {
        Ok(match self {
            Self::Text => Value::String(text.trim().to_owned()),
            Self::Number => {
                Value::Integer(text.trim().parse().map_err(|_| format!("{text:?} is not a whole number"))?)
            }
            Self::Truth => match text.trim().to_ascii_lowercase().as_str() {
                "1" | "true" | "yes" | "on" => Value::Boolean(true),
                "0" | "false" | "no" | "off" => Value::Boolean(false),
                _ => return Err(format!("{text:?} is neither true nor false")),
            },
            Self::List => Value::Array(
                text.split(',')
                    .map(str::trim)
                    .filter(|t| !t.is_empty())
                    .map(|t| Value::String(t.to_owned()))
                    .collect(),
            ),
        })
    }
}

fn set(table: &mut Table, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            table.insert(path.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = table.entry(first).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                set(inner, rest, value);
            }
        }
    }
}

/// `password_file` becomes `password`, for every key of that kind.
fn secrets_from_files(table: &mut Table, place: &str, problems: &mut Vec<String>) {
    let named: Vec<String> = table.keys().filter(|k| k.ends_with("_file")).cloned().collect();
    for key in named {
        let Some(Value::String(path)) = table.remove(&key) else {
            problems.push(format!("{place}.{key}: name a file"));
            continue;
        };
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let name = key.trim_end_matches("_file").to_owned();
                table.insert(name, Value::String(text.trim_end_matches(['\r', '\n']).to_owned()));
            }
            Err(error) => problems.push(format!("{place}.{key}: {path}: {error}")),
        }
    }
    for (key, value) in table.iter_mut() {
        if let Value::Table(inner) = value {
            secrets_from_files(inner, &format!("{place}.{key}"), problems);
        }
    }
}

impl File {
    fn checked(self, file: Option<&Path>, problems: &mut Vec<String>) -> Option<Configuration> {
        let mut wrong = |place: &str, what: String| problems.push(format!("server.{place}: {what}"));
        let port = self.port.unwrap_or(8000);
        let listen = match self.listen.as_deref() {
            None => Some(SocketAddr::from(([0, 0, 0, 0], port))),
            Some(text) => match (text.parse::<SocketAddr>(), text.parse::<std::net::IpAddr>()) {
                (Ok(address), _) => Some(address),
                (_, Ok(ip)) => Some(SocketAddr::new(ip, port)),
                _ => {
                    wrong("listen", format!("{text:?} is not ADDR or ADDR:PORT (example: 0.0.0.0:8000)"));
                    None
                }
            },
        };
        let mut span = |place: &str, text: &Option<String>, default: Duration| match text {
            None => default,
            Some(text) => landfall_audit::parse_duration(text).unwrap_or_else(|what| {
                wrong(place, format!("{what}; write \"30s\" or \"14d\""));
                default
            }),
        };
        let defaults = Settings::default();
        let jobs = JobSettings::default();
        let drain = span("drain", &self.drain, Duration::from_secs(20));
        let request_timeout = span("request_timeout", &self.request_timeout, defaults.request_timeout);
        let keep_results = span("keep_results", &self.keep_results, defaults.keep_results);
        let keep_history = span("keep_history", &self.keep_history, jobs.keep_history);
        let deadline = self.support.as_ref().and_then(|s| s.model.as_ref()).and_then(|m| m.deadline.clone());
        let deadline = span("support.model.deadline", &deadline, Duration::from_secs(20));
        let mut nets = |place: &str, list: &[String]| -> Vec<IpNet> {
            list.iter()
                .filter_map(|text| match (text.parse::<IpNet>(), text.parse::<std::net::IpAddr>()) {
                    (Ok(net), _) => Some(net),
                    (_, Ok(ip)) => Some(IpNet::from(ip)),
                    _ => {
                        wrong(place, format!("{text:?} is not an address or a range (example: 10.0.0.0/8)"));
                        None
                    }
                })
                .collect()
        };
        let trusted_proxies = nets("trusted_proxies", &self.trusted_proxies);
        let allow_egress = nets("allow_egress", &self.allow_egress);
        let metrics_from = self.metrics_from.as_ref().map(|list| nets("metrics_from", list));
        let mut sockets = |place: &str, list: &[String], port: Option<u16>| -> Vec<SocketAddr> {
            list.iter()
                .filter_map(|text| {
                    let bare = text.trim_start_matches('[').trim_end_matches(']');
                    let with_port = port.and_then(|p| Some(SocketAddr::new(bare.parse().ok()?, p)));
                    let read = text.parse().ok().or(with_port);
                    if read.is_none() {
                        wrong(place, format!("{text:?} is not ADDR:PORT (example: 9.9.9.9:53)"));
                    }
                    read
                })
                .collect()
        };
        let resolvers = sockets("resolvers", &self.resolvers, Some(53));
        let canaries = sockets("canaries", &self.canaries, None);
        let mut map = AddressMap::default();
        for entry in &self.connect_to {
            if let Err(error) = map.add(entry) {
                wrong("connect_to", error.to_string());
            }
        }
        let limits = self.limits.checked(&mut wrong);
        let listen = listen?;
        let public_url = self.public_url.unwrap_or_else(|| {
            let host =
                if listen.ip().is_unspecified() { "localhost".to_owned() } else { listen.ip().to_string() };
            format!("http://{host}:{}", listen.port())
        });
        let public_url = public_url.trim_end_matches('/').to_owned();
        if !matches!(url::Url::parse(&public_url), Ok(u) if matches!(u.scheme(), "http" | "https") && u.has_host())
        {
            wrong(
                "public_url",
                format!(
                    "{public_url:?} is not a URL that people can open (example: https://watch.example.com)"
                ),
            );
        }
        let database = self.database.unwrap_or_else(|| "landfall.sqlite3".into());
        let support = self.support.unwrap_or_default();
        let billing = match self.billing {
            None => BillingSettings::default(),
            Some(b) => BillingSettings {
                on: true,
                secret_key: b.secret_key,
                webhook_secrets: b.webhook_secrets,
                prices: b.prices,
                api_base: b.api_base.unwrap_or_else(|| BillingSettings::default().api_base),
            },
        };
        for problem in billing.problems() {
            wrong("billing", problem);
        }
        if let Some(smtp) = &self.smtp {
            for problem in smtp.problems("/smtp") {
                wrong("smtp", format!("{}: {}", problem.pointer, problem.mend));
            }
        }
        let settings = Settings {
            public_url: public_url.clone(),
            trusted_proxies,
            allow_egress,
            backup_folder: self.backup_folder.clone(),
            keep_results,
            request_timeout,
            body_byte: self.body_byte.unwrap_or(defaults.body_byte),
            open_registration: self.open_registration,
            limits,
            metrics_from: metrics_from.unwrap_or_else(|| defaults.metrics_from.clone()),
            mail: self.smtp.is_some(),
            billing,
            support: SupportSettings {
                mail_to: support.mail_to,
                model: support.model.map(|m| ModelSettings {
                    api_base: m.api_base,
                    api_key: m.api_key,
                    model: m.model,
                    max_tokens: m.max_tokens,
                    deadline,
                }),
                telegram: support.telegram.map(|t| TelegramSettings {
                    api_base: t.api_base,
                    token: t.token,
                    webhook_secret: t.webhook_secret,
                }),
                whatsapp: support.whatsapp.map(|w| WhatsAppSettings {
                    api_base: w.api_base,
                    phone_number_id: w.phone_number_id,
                    token: w.token,
                    app_secret: w.app_secret,
                    verify_token: w.verify_token,
                }),
            },
        };
        let jobs = JobSettings {
            public_url,
            self_url: Some(own_url(listen)),
            database: database.clone(),
            backup_folder: self.backup_folder,
            backups_kept: self.backups_kept.unwrap_or(jobs.backups_kept),
            keep_results,
            keep_history,
            canaries: canaries.iter().map(ToString::to_string).collect(),
            dead_man_url: self.dead_man_url,
            digest_daily: self.digest_daily,
            digest_weekly: self.digest_weekly.unwrap_or(jobs.digest_weekly),
            report_monthly: self.report_monthly.unwrap_or(jobs.report_monthly),
            ..jobs
        };
        Some(Configuration {
            listen,
            database,
            threads: self.threads.filter(|n| *n > 0),
            drain,
            connections: self.connections.unwrap_or(10_000).max(1),
            checks: self.checks.unwrap_or(512).max(1),
            audits: self.audits.unwrap_or(2).max(1),
            resolvers,
            map,
            ca_files: self.ca_files,
            canaries,
            smtp: self.smtp,
            settings,
            jobs,
            file: file.map(Path::to_owned),
            reload: Arc::default(),
        })
    }
}

/// Where the server reaches itself.
pub(crate) fn own_url(listen: SocketAddr) -> String {
    let ip = match listen.ip() {
        std::net::IpAddr::V4(ip) if ip.is_unspecified() => "127.0.0.1".to_owned(),
        std::net::IpAddr::V6(ip) if ip.is_unspecified() => "[::1]".to_owned(),
        std::net::IpAddr::V4(ip) => ip.to_string(),
        std::net::IpAddr::V6(ip) => format!("[{ip}]"),
    };
    format!("http://{ip}:{}", listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str, environment: &[(&str, &str)]) -> Result<Configuration, ConfigurationError> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("landfall.toml");
        std::fs::write(&path, file).expect("written");
        let environment: BTreeMap<&str, &str> = environment.iter().copied().collect();
        Configuration::read(Some(&path), |name| environment.get(name).map(|v| (*v).to_owned()))
    }

    #[test]
    fn nothing_has_to_be_set() {
        let read = Configuration::read(None, |_| None).expect("complete");
        assert_eq!(read.listen.to_string(), "0.0.0.0:8000");
        assert_eq!(read.database, "landfall.sqlite3");
        assert_eq!(read.settings.public_url, "http://localhost:8000");
        assert_eq!(read.jobs.self_url.as_deref(), Some("http://127.0.0.1:8000"));
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let file = "[server]\nport = 9000\npublic_url = \"https://a.example\"\nchecks = 7\n";
        let read =
            read(file, &[("PORT", "9100"), ("LANDFALL_CANARIES", "127.0.0.1:1, [::1]:2")]).expect("sound");
        assert_eq!(read.listen.port(), 9100);
        assert_eq!((read.checks, read.canaries.len()), (7, 2));
        assert_eq!(read.settings.public_url, "https://a.example");
    }

    #[test]
    fn a_secret_may_stand_in_a_file_and_is_never_shown() {
        let folder = tempfile::tempdir().expect("a folder");
        let secret = folder.path().join("password");
        std::fs::write(&secret, "hunter2\n").expect("written");
        let file = format!(
            "[server.smtp]\nhost = \"mail.example\"\nfrom = \"a@example.com\"\nusername = \"a\"\npassword_file = {:?}\n",
            secret.display().to_string()
        );
        let read = read(&file, &[]).expect("sound");
        assert!(read.smtp.is_some());
        assert!(!format!("{read:?}").contains("hunter2"));
    }

    #[test]
    fn every_problem_is_named_with_its_place() {
        let error = read("[server]\nprot = 1\n", &[]).expect_err("unknown key");
        assert!(error.to_string().contains("server") && error.to_string().contains("prot"), "{error}");
        let file = "[server]\nlisten = \"here\"\ndrain = \"soon\"\nallow_egress = [\"all\"]\n";
        let error = read(file, &[("LANDFALL_THREADS", "many")]).expect_err("four");
        assert_eq!(error.0.len(), 4, "{error}");
        let error = read("server = 1\n", &[]).expect_err("a number").to_string();
        assert!(error.contains("[server]"), "{error}");
    }

    const DOCUMENT: &str = include_str!("../../../docs/server.md");

    /// The keys of a table, as its reader names them when it is given one that does not exist.
    fn keys<T: serde::de::DeserializeOwned>() -> Vec<String> {
        let Err(error) = toml::from_str::<T>("no_such_key = 1\n") else { panic!("unknown keys are refused") };
        let error = error.message().to_owned();
        let list = error.split_once("expected").expect("it names the keys").1;
        list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn the_document_has_every_setting_with_its_variables_and_its_default() {
        let mut expected: BTreeMap<String, (Vec<&str>, String)> = BTreeMap::new();
        let tables = ["limits", "smtp", "billing", "support", "model", "telegram", "whatsapp"];
        let below = [
            ("", keys::<File>()),
            ("limits.", keys::<LimitsFile>()),
            ("smtp.", keys::<SmtpSettings>()),
            ("billing.", keys::<Billing>()),
            ("support.", keys::<Support>()),
            ("support.model.", keys::<Model>()),
            ("support.telegram.", keys::<Telegram>()),
            ("support.whatsapp.", keys::<WhatsApp>()),
        ];
        for (place, names) in below {
            for name in names.iter().filter(|n| !tables.contains(&n.as_str()) || place == "support.model.") {
                expected.insert(format!("{place}{name}"), (Vec::new(), "–".to_owned()));
            }
        }
        for (variable, path, _) in VARIABLES.iter().filter(|(_, path, _)| !path.ends_with("_file")) {
            expected.get_mut(*path).unwrap_or_else(|| panic!("{variable} sets {path}")).0.push(variable);
        }
        let c = Configuration::read(None, |_| None).expect("nothing has to be set");
        let (billing, nets) = (BillingSettings::default(), &c.settings.metrics_from);
        let span = |d: Duration| match d.as_secs() {
            s if s % 86_400 == 0 => format!("{}d", s / 86_400),
            s => format!("{s}s"),
        };
        let whatsapp = whatsapp_base();
        let deadline = "[support.model]\napi_base = \"http://127.0.0.1\"\nmodel = \"m\"\n";
        let model =
            read(&deadline.replace("[support", "[server.support"), &[]).expect("sound").settings.support;
        let model = model.model.expect("a model");
        for (key, value) in [
            ("port", c.listen.port().to_string()),
            ("database", c.database.clone()),
            ("public_url", c.settings.public_url.clone()),
            ("drain", span(c.drain)),
            ("connections", c.connections.to_string()),
            ("checks", c.checks.to_string()),
            ("audits", c.audits.to_string()),
            ("request_timeout", span(c.settings.request_timeout)),
            ("body_byte", c.settings.body_byte.to_string()),
            ("metrics_from", nets.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
            ("open_registration", c.settings.open_registration.to_string()),
            ("backups_kept", c.jobs.backups_kept.to_string()),
            ("keep_results", span(c.settings.keep_results)),
            ("keep_history", span(c.jobs.keep_history)),
            ("digest_daily", c.jobs.digest_daily.to_string()),
            ("digest_weekly", c.jobs.digest_weekly.to_string()),
            ("report_monthly", c.jobs.report_monthly.to_string()),
            ("limits.health", c.settings.limits.health.requests.to_string()),
            ("limits.ping", c.settings.limits.ping.requests.to_string()),
            ("limits.probe", c.settings.limits.probe.requests.to_string()),
            ("limits.auth", c.settings.limits.auth.requests.to_string()),
            ("limits.address", c.settings.limits.address.requests.to_string()),
            ("limits.principal", c.settings.limits.principal.requests.to_string()),
            ("smtp.security", format!("{:?}", landfall_notify::SmtpSecurity::default()).to_lowercase()),
            ("billing.api_base", billing.api_base),
            ("support.model.max_tokens", model.max_tokens.to_string()),
            ("support.model.deadline", span(model.deadline)),
            ("support.telegram.api_base", telegram_base()),
            ("support.whatsapp.api_base", whatsapp),
        ] {
            expected.get_mut(key).unwrap_or_else(|| panic!("{key} is a key")).1 = format!("`{value}`");
        }
        let mut found = BTreeMap::new();
        let rows = DOCUMENT.lines().skip_while(|l| !l.starts_with("| key of `[server]`")).skip(2);
        for row in rows.take_while(|l| l.starts_with('|')) {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            let [key, variables, default, meaning] = cells[..] else { panic!("four cells: {row}") };
            assert!(!meaning.is_empty(), "{row}");
            let variables: Vec<&str> =
                variables.split(", ").map(|v| v.trim_matches('`')).filter(|v| !v.is_empty()).collect();
            found.insert(key.trim_matches('`').to_owned(), (variables, default.to_owned()));
        }
        for (key, row) in &expected {
            assert_eq!(found.get(key), Some(row), "docs/server.md, the row of {key}");
        }
        assert_eq!(found.len(), expected.len(), "a row of docs/server.md is of no key");
        for (variable, _, _) in VARIABLES.iter().filter(|v| v.0.ends_with("_FILE")) {
            assert!(DOCUMENT.contains(&format!("`{variable}`")), "{variable}");
        }
    }
}
