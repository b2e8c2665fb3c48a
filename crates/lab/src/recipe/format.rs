//! The form of a recipe: what the file may say, and what is checked before anything is started.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::placeholders;
use crate::error::LabError;

/// A world in one file, with the truth about it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// One line for people.
    pub title: String,
    /// What is true in it.
    pub truth: Truth,
    /// What an audit of it is told.
    #[serde(default)]
    pub audit: AuditSpec,
    /// A world of `scenarios/NAME` in place of everything below.
    pub world: Option<String>,
    /// Records of the lab's own name servers.
    #[serde(default)]
    pub record: Vec<RecordSpec>,
    /// Certificates; without any there is one called `site`.
    #[serde(default)]
    pub certificate: Vec<CertificateSpec>,
    /// Servers, started in this order, each waited for.
    #[serde(default)]
    pub server: Vec<ServerSpec>,
    /// Public addresses that refuse connections.
    #[serde(default)]
    pub closed: Vec<PublicSpec>,
    /// Public addresses that drop packets.
    #[serde(default)]
    pub silent: Vec<PublicSpec>,
    /// Files by their path in the world's folder; those under `project/` are the project.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// The history of the project folder, oldest first.
    #[serde(default)]
    pub git: Vec<CommitSpec>,
    /// Log files handed to the audit: file name to `{log:NAME}`, to a path that begins with `{dir}/`, or to the text itself.
    #[serde(default)]
    pub logs: BTreeMap<String, String>,
    /// Name servers other than the lab's own.
    pub resolver: Option<ResolverSpec>,
    /// Requests made before the audit, so that logs, caches and limiters have seen something.
    #[serde(default)]
    pub visit: Vec<VisitSpec>,
}

/// What is true in a world, and what a diagnosis of it may and must not say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Truth {
    /// Ids of all causes that hold; none in a healthy world.
    pub causes: Vec<String>,
    /// Causes that may stand in one tie with them, because this evidence cannot separate them.
    #[serde(default)]
    pub rivals: Vec<String>,
    /// Causes that must not be called likely or more.
    #[serde(default)]
    pub never: Vec<String>,
    /// The first rung on which a request visibly breaks; empty when none does.
    #[serde(default)]
    pub broken: String,
    /// On which side of the rules it was written.
    pub half: Half,
    /// Whether its evidence holds a project, a local backend or a log.
    #[serde(default = "yes")]
    pub inside: bool,
    /// Whether anything wrong is to be seen from outside; a suite that fails while production serves the last good build is
    /// not.
    #[serde(default = "yes")]
    pub visible: bool,
    /// Changes that keep the truth here and not everywhere, for the variants of the score: `status` when 502 and 503 mean
    /// the same.
    #[serde(default)]
    pub variants: Vec<String>,
}

/// On which side of the rules a recipe was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Half {
    /// Beside the rules, and looked at while they were tuned.
    Tuned,
    /// From the text of the catalogue alone, never looked at while tuning.
    Aside,
}

/// What an audit of the world is told.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditSpec {
    /// A landfall.toml, with placeholders.
    #[serde(default)]
    pub config: String,
    /// Probes left out.
    #[serde(default = "usual_skip")]
    pub skip: Vec<String>,
    /// The authorities that the audit trusts: `lab`, which signs certificates by default, and `other`.
    #[serde(default = "lab_only")]
    pub trust: Vec<Anchor>,
}

impl Default for AuditSpec {
    fn default() -> Self {
        Self { config: String::new(), skip: usual_skip(), trust: lab_only() }
    }
}

/// An authority of a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Anchor {
    /// The one that signs by default: it stands for those that everybody trusts.
    Lab,
    /// The private ones behind `sent = "other-ca"`.
    Other,
}

/// One DNS record.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordSpec {
    /// Its owner, without the last dot.
    pub name: String,
    /// `A`, `AAAA`, `CNAME`, `NS`, `SOA`, …
    pub r#type: String,
    /// Its data as in a master file; names are absolute and may lack the last dot.
    pub value: String,
    /// Time to live, in seconds.
    #[serde(default = "usual_ttl")]
    pub ttl: u32,
}

/// One leaf certificate and what is sent with it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateSpec {
    /// What `{cert:NAME}` and `tls = "NAME"` call it.
    pub name: String,
    /// Alternative names: host names or addresses. May be empty, when `common_name` is given.
    pub hosts: Vec<String>,
    /// Subject common name; by default the first host.
    pub common_name: Option<String>,
    /// Days until it ends; negative for an expired one.
    #[serde(default = "usual_days")]
    pub days: i32,
    /// Days until it begins; by default it began 90 days before it ends, or yesterday at the latest.
    pub begins: Option<i32>,
    /// What is sent.
    #[serde(default)]
    pub sent: Sent,
    /// Its key.
    #[serde(default)]
    pub key: KeyKind,
    /// What it is for.
    #[serde(default)]
    pub usage: Usage,
    /// Name of the issuing authority of `other-ca`.
    pub issuer: Option<String>,
    /// Days until its intermediate ends, when that is not the usual one.
    pub intermediate_days: Option<i32>,
}

/// What a server sends of a chain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sent {
    /// Leaf and intermediate.
    #[default]
    Chain,
    /// The leaf alone.
    Leaf,
    /// A leaf that signed itself.
    SelfSigned,
    /// Leaf and intermediate of an authority that nobody knows.
    OtherCa,
    /// The intermediate before the leaf, in the PEM files; an actor sends it in order.
    Reversed,
}

/// Kinds of key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum KeyKind {
    /// ECDSA over P-256.
    #[default]
    #[serde(rename = "ecdsa-p256")]
    P256,
    /// ECDSA over P-384.
    #[serde(rename = "ecdsa-p384")]
    P384,
    /// RSA, 2048 bit.
    #[serde(rename = "rsa-2048")]
    Rsa2048,
    /// Ed25519.
    #[serde(rename = "ed25519")]
    Ed25519,
}

/// What a certificate may be used for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Usage {
    /// TLS servers.
    #[default]
    Server,
    /// TLS clients alone.
    Client,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerSpec {
    /// What `{port:NAME}`, `{addr:NAME}` and `{log:NAME}` call it.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Its configuration: the http block of nginx (or a whole file, when it has an `events` block), for others the whole file.
    pub conf: Option<String>,
    /// What it runs: the module of gunicorn and uvicorn, the script of node, the program of `command`.
    pub run: Option<String>,
    /// More arguments.
    #[serde(default)]
    pub args: Vec<String>,
    /// All settings; nothing else is taken from the environment of whoever records.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Its working folder, below the world's: `project` when there is one.
    pub cwd: Option<String>,
    /// When it counts as started: `listen`, `log:TEXT`, `exit` or `none`.
    #[serde(default = "listen")]
    pub ready: String,
    /// What happens to it afterwards.
    pub then: Option<Then>,
    /// Public addresses that lead to it: `ADDR:PORT`, or `ADDR:PORT=NAME` for another of its ports.
    #[serde(default)]
    pub public: Vec<String>,
    /// Of an actor: the certificate it speaks TLS with; plain HTTP without.
    pub tls: Option<String>,
    /// Of an actor: what it does with a new connection: `ok`, `close`, `reset`, `silent`, `plain` or `alert:CODE`.
    #[serde(default = "ok")]
    pub handshake: String,
    /// Of an actor: its answers; the first that fits wins.
    #[serde(default)]
    pub answer: Vec<AnswerSpec>,
}

/// Kinds of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// nginx.
    Nginx,
    /// HAProxy.
    Haproxy,
    /// Caddy.
    Caddy,
    /// gunicorn of the lab's Python environment.
    Gunicorn,
    /// uvicorn of the lab's Python environment.
    Uvicorn,
    /// Node.js.
    Node,
    /// BIND.
    Named,
    /// NSD.
    Nsd,
    /// Unbound.
    Unbound,
    /// Scripted answers over a real socket.
    Actor,
    /// Any other program.
    Command,
}

/// What happens to a server once it is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Then {
    /// It is killed: its port is closed.
    Kill,
    /// It is asked to end.
    Term,
    /// It is stopped where it stands: the system accepts connections, and nobody answers.
    Stop,
}

/// One scripted answer of an actor, with the requests that it is for.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerSpec {
    /// The path: exact (with or without the query), or `~REGEX` over path and query.
    pub path: Option<String>,
    /// The method.
    pub method: Option<String>,
    /// The host, without port: exact, or `~REGEX`.
    pub host: Option<String>,
    /// Header fields: exact values, or `~REGEX`; an absent field counts as empty.
    #[serde(default)]
    pub header: BTreeMap<String, String>,
    /// Only these of the requests that fit so far, from 1.
    #[serde(default)]
    pub nth: Vec<u32>,
    /// Only the first so many.
    pub times: Option<u32>,
    /// What is done.
    #[serde(default)]
    pub action: Action,
    /// The status.
    #[serde(default = "two_hundred")]
    pub status: u16,
    /// The reason phrase, when it is not the usual one.
    pub reason: Option<String>,
    /// Header fields in this order: a text, or a list of texts for a field that comes several times.
    #[serde(default)]
    pub headers: toml::Table,
    /// The body. `{host}` and `{path}` stand for those of the request, `{date:S}` for the HTTP date S seconds from now.
    #[serde(default)]
    pub body: String,
    /// The body in base64, where it is not text.
    pub body_base64: Option<String>,
    /// Wait before anything is sent, in milliseconds.
    #[serde(default)]
    pub delay_ms: u64,
    /// Wait between head and body, in milliseconds.
    #[serde(default)]
    pub delay_body_ms: u64,
    /// Of `cut`: how many bytes of the body are sent; half of it by default.
    pub cut_at: Option<usize>,
    /// Passes the request on to this port name and gives its answer, with `headers` put over it. If nobody answers there, the
    /// next answer that fits is given.
    pub forward: Option<String>,
    /// Whether a `date` field is added.
    #[serde(default = "yes")]
    pub date: bool,
}

/// What an actor does with a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Answers.
    #[default]
    Answer,
    /// Resets the connection.
    Reset,
    /// Closes the connection without a word.
    Close,
    /// Keeps the connection open without a word.
    Silent,
    /// Sends the body alone, as it is, or something that is no HTTP.
    Garbage,
    /// Closes the connection within the body.
    Cut,
}

/// A public address without a server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicSpec {
    /// `ADDR:PORT`.
    pub public: String,
}

/// One commit, or with no message a change that is not committed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommitSpec {
    /// Its first line.
    pub message: Option<String>,
    /// Files that it writes, by their path in the project.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// Files that it removes.
    #[serde(default)]
    pub delete: Vec<String>,
    /// The branch that it is made on, new or known; `main` at first.
    pub branch: Option<String>,
    /// Whether it is pushed.
    #[serde(default)]
    pub push: bool,
    /// Whether only the upstream repository has it.
    #[serde(default)]
    pub behind: bool,
    /// When; by default hours apart on a fixed day.
    pub date: Option<jiff::Timestamp>,
}

/// Name servers other than the lab's own.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResolverSpec {
    /// The recursive servers that the audit asks: port names; `resolver` is the lab's own, `silent` and `closed` are none.
    #[serde(default)]
    pub r#use: OneOrMore,
    /// Where public addresses of name servers lead: `192.0.2.53:53={addr:nsd}`.
    #[serde(default)]
    pub authority: Vec<String>,
}

/// A text, or several.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum OneOrMore {
    /// None.
    #[default]
    None,
    /// One.
    One(String),
    /// Several.
    More(Vec<String>),
}

impl OneOrMore {
    /// All of them.
    pub fn all(&self) -> &[String] {
        match self {
            Self::None => &[],
            Self::One(one) => std::slice::from_ref(one),
            Self::More(all) => all,
        }
    }
}

/// A request made before the audit, by curl.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VisitSpec {
    /// Where, on loopback: `https://{addr:edge}/health`.
    pub url: String,
    /// The host to ask for.
    pub host: Option<String>,
    /// The method.
    pub method: Option<String>,
    /// Header fields.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// How often, one after the other.
    #[serde(default = "once")]
    pub times: u32,
}

/// Port names that the lab gives itself.
pub(super) const RESERVED: [&str; 4] = ["dns", "resolver", "closed", "silent"];
/// A recipe is read by people; a larger one is a mistake.
const MAX_RECIPE_BYTE: usize = 1024 * 1024;

impl Recipe {
    /// Reads a recipe from its text; `file` is what errors call it.
    ///
    /// # Errors
    /// When the text is not TOML, holds an unknown key, or refers to something that is not there; with the line.
    pub fn parse(file: &str, text: &str) -> Result<Self, LabError> {
        let fail = |problem: String| LabError::Recipe { file: file.to_owned(), problem };
        if text.len() > MAX_RECIPE_BYTE {
            return Err(fail(format!("it has {} bytes; a recipe has {MAX_RECIPE_BYTE} at most", text.len())));
        }
        let recipe: Self = toml::from_str(text).map_err(|e| fail(e.to_string().trim_end().to_owned()))?;
        recipe.check().map_err(|(what, needle)| {
            match text.lines().position(|line| !needle.is_empty() && line.contains(needle.as_str())) {
                Some(line) => fail(format!("line {}: {what}", line + 1)),
                None => fail(what),
            }
        })?;
        Ok(recipe)
    }

    /// Reads a recipe from its file.
    ///
    /// # Errors
    /// When it cannot be read, and as [`Recipe::parse`].
    pub fn load(file: &Path) -> Result<Self, LabError> {
        let text = std::fs::read_to_string(file).map_err(|source| LabError::File {
            action: "read",
            path: file.to_owned(),
            source,
        })?;
        Self::parse(&file.display().to_string(), &text)
    }

    /// The certificates, the default one included.
    pub(super) fn certificates(&self) -> Vec<CertificateSpec> {
        if !self.certificate.is_empty() {
            return self.certificate.clone();
        }
        vec![CertificateSpec {
            name: "site".into(),
            hosts: vec!["api.example.test".into()],
            common_name: None,
            days: usual_days(),
            begins: None,
            sent: Sent::default(),
            key: KeyKind::default(),
            usage: Usage::default(),
            issuer: None,
            intermediate_days: None,
        }]
    }

    /// Whether there is a project folder.
    pub fn has_project(&self) -> bool {
        self.files.keys().any(|path| path.starts_with("project/"))
            || self.git.iter().any(|commit| !commit.files.is_empty())
    }

    /// What is wrong, and a text that stands on the line where it is.
    fn check(&self) -> Result<(), (String, String)> {
        if self.world.is_some() {
            let more = !self.server.is_empty() || !self.record.is_empty() || !self.files.is_empty();
            if more || !self.audit.config.is_empty() {
                return Err((
                    "world = … takes the place of servers, records, files and [audit] config".into(),
                    "world".into(),
                ));
            }
            return Ok(());
        }
        if self.audit.config.trim().is_empty() {
            return Err((
                "[audit] config is empty: it is the landfall.toml of the audit".into(),
                "[audit]".into(),
            ));
        }
        if self.truth.inside && !self.has_inside() {
            return Err((
                "truth.inside is true, but there is no project, no local backend and no log; say inside = false".into(),
                "[truth]".into(),
            ));
        }
        let names = self.names()?;
        self.check_servers(&names)?;
        self.check_texts(&names)?;
        self.check_paths()?;
        super::zones::of(&self.record, self.resolver.is_some())?;
        for spec in self.closed.iter().chain(&self.silent) {
            public(&spec.public)?;
        }
        Ok(())
    }

    fn has_inside(&self) -> bool {
        let local = self.audit.config.lines().any(|line| {
            line.trim_start().strip_prefix("local").is_some_and(|rest| rest.trim_start().starts_with('='))
        });
        self.has_project() || !self.logs.is_empty() || local
    }

    fn names(&self) -> Result<BTreeSet<&str>, (String, String)> {
        let mut names = BTreeSet::new();
        for server in &self.server {
            let name = server.name.as_str();
            let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            if name.is_empty() || !plain || RESERVED.contains(&name) {
                return Err((
                    format!(
                        "a server cannot be called {name:?}: lower-case letters, digits and hyphens, and not {}",
                        RESERVED.join(", ")
                    ),
                    format!("{name:?}"),
                ));
            }
            if !names.insert(name) {
                return Err((format!("two servers are called {name:?}"), format!("{name:?}")));
            }
        }
        Ok(names)
    }

    fn check_servers(&self, names: &BTreeSet<&str>) -> Result<(), (String, String)> {
        let certificates: BTreeSet<String> = self.certificates().into_iter().map(|c| c.name).collect();
        for spec in &self.certificate {
            if spec.hosts.is_empty() && spec.common_name.is_none() {
                return Err((
                    format!("certificate {:?} has neither hosts nor common_name", spec.name),
                    format!("{:?}", spec.name),
                ));
            }
        }
        for server in &self.server {
            let wrong =
                |what: String, needle: &str| (format!("server {}: {what}", server.name), needle.to_owned());
            let here = format!("{:?}", server.name);
            let conf = server.conf.as_deref().unwrap_or_default();
            match server.kind {
                Kind::Nginx | Kind::Haproxy | Kind::Caddy | Kind::Named | Kind::Nsd | Kind::Unbound
                    if conf.is_empty() =>
                {
                    return Err(wrong("it needs conf = \"\"\"…\"\"\"".into(), &here));
                }
                Kind::Gunicorn | Kind::Uvicorn | Kind::Node | Kind::Command if server.run.is_none() => {
                    return Err(wrong("it needs run = \"…\"".into(), &here));
                }
                Kind::Actor if server.answer.is_empty() && server.handshake == "ok" => {
                    return Err(wrong("it needs at least one [[server.answer]]".into(), &here));
                }
                // Its usual administration port is the same in every world.
                Kind::Caddy if !conf.contains("admin off") => {
                    return Err(wrong("conf must say `admin off` in its global options, so that two worlds can stand at once".into(), &here));
                }
                // Without these a question for an unknown name would leave this machine.
                Kind::Named if !conf.contains("zone \".\"") && !conf.contains("recursion no") => {
                    return Err(wrong("conf needs `recursion no;` or a `zone \".\"` of its own: nothing may ask the internet".into(), &here));
                }
                Kind::Unbound if !conf.contains("name: \".\"") && !conf.contains("local-zone: \".\"") => {
                    return Err(wrong("conf needs a stub-zone, forward-zone or local-zone for \".\": nothing may ask the internet".into(), &here));
                }
                _ => {}
            }
            let actor = server.kind == Kind::Actor;
            if !actor && (server.tls.is_some() || !server.answer.is_empty() || server.handshake != "ok") {
                return Err(wrong("tls, handshake and answer are keys of an actor".into(), &here));
            }
            if actor && (server.conf.is_some() || server.run.is_some() || server.then.is_some()) {
                return Err(wrong("an actor has no conf, run or then".into(), &here));
            }
            if let Some(tls) = server.tls.as_deref().filter(|tls| !certificates.contains(*tls)) {
                return Err(wrong(
                    format!("tls = {tls:?}, but no certificate is called so"),
                    &format!("tls = {tls:?}"),
                ));
            }
            if !["listen", "exit", "none"].contains(&server.ready.as_str())
                && !server.ready.starts_with("log:")
            {
                return Err(wrong(
                    format!("ready = {:?}; use listen, log:TEXT, exit or none", server.ready),
                    &server.ready,
                ));
            }
            super::actor::handshake(&server.handshake).map_err(|what| wrong(what, &server.handshake))?;
            for answer in &server.answer {
                super::actor::check(answer).map_err(|(what, needle)| wrong(what, &needle))?;
                if let Some(to) = &answer.forward {
                    placeholders::check_port(to, names)
                        .map_err(|what| wrong(format!("forward: {what}"), to))?;
                }
            }
            for entry in &server.public {
                let (address, port) = entry.split_once('=').unwrap_or((entry, &server.name));
                public(address)?;
                if port != server.name && !port.starts_with(&format!("{}-", server.name)) {
                    return Err(wrong(
                        format!("public {entry:?}: its ports are called {0:?} and {0}-…", server.name),
                        entry,
                    ));
                }
            }
        }
        if let Some(resolver) = &self.resolver {
            for name in resolver.r#use.all() {
                placeholders::check_port(name, names)
                    .map_err(|what| (format!("resolver: {what}"), format!("{name:?}")))?;
            }
            for entry in &resolver.authority {
                let Some((address, _)) = entry.split_once('=') else {
                    return Err((
                        format!("resolver: authority {entry:?} is not ADDR:PORT=ADDR:PORT"),
                        entry.clone(),
                    ));
                };
                public(address)?;
            }
        }
        Ok(())
    }

    /// Every text with strict placeholders.
    fn check_texts(&self, names: &BTreeSet<&str>) -> Result<(), (String, String)> {
        let certificates: BTreeSet<String> = self.certificates().into_iter().map(|c| c.name).collect();
        let mut texts: Vec<(String, &str)> = vec![("[audit] config".into(), self.audit.config.as_str())];
        for server in &self.server {
            let strict = server.conf.iter().chain(&server.run).chain(&server.args).chain(server.env.values());
            texts.extend(strict.map(|text| (format!("server {}", server.name), text.as_str())));
        }
        texts.extend(
            self.resolver.iter().flat_map(|r| &r.authority).map(|t| ("resolver".to_owned(), t.as_str())),
        );
        texts.extend(self.visit.iter().map(|v| ("visit".to_owned(), v.url.as_str())));
        for (place, text) in texts {
            placeholders::check(text, names, &certificates)
                .map_err(|(what, needle)| (format!("{place}: {what}"), needle))?;
        }
        Ok(())
    }

    fn check_paths(&self) -> Result<(), (String, String)> {
        let commits = self.git.iter().flat_map(|c| c.files.keys().chain(&c.delete));
        let cwds = self.server.iter().filter_map(|s| s.cwd.as_ref());
        for path in self.files.keys().chain(self.logs.keys()).chain(commits).chain(cwds) {
            let inside = !path.is_empty()
                && Path::new(path).components().all(|c| matches!(c, std::path::Component::Normal(_)));
            if !inside {
                return Err((
                    format!("{path:?} is not a path inside the world's folder"),
                    format!("{path:?}"),
                ));
            }
        }
        if let Some(name) = self.logs.keys().find(|name| name.contains('/')) {
            return Err((format!("log {name:?}: a file name, without folders"), format!("{name:?}")));
        }
        Ok(())
    }
}

/// Reads `ADDR:PORT`, IPv6 in brackets.
pub(super) fn public(text: &str) -> Result<SocketAddr, (String, String)> {
    text.parse().map_err(|_| {
        (format!("{text:?} is not ADDR:PORT (examples: 192.0.2.10:443, [2001:db8::10]:443)"), text.to_owned())
    })
}

fn yes() -> bool {
    true
}
fn usual_ttl() -> u32 {
    300
}
fn usual_days() -> i32 {
    80
}
fn usual_skip() -> Vec<String> {
    vec!["tests".into(), "rate-limit".into()]
}
fn lab_only() -> Vec<Anchor> {
    vec![Anchor::Lab]
}
fn listen() -> String {
    "listen".into()
}
fn ok() -> String {
    "ok".into()
}
fn two_hundred() -> u16 {
    200
}
fn once() -> u32 {
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHT: &str = r#"title = "nginx in front of a closed port"
[truth]
causes = ["edge-origin-refused"]
broken = "edge-origin"
half = "tuned"
inside = false
[audit]
config = """
[target]
production = "https://api.example.test"
"""
[[server]]
name = "edge"
kind = "nginx"
conf = """
server { listen 127.0.0.1:{port:edge} ssl; ssl_certificate {cert:site}; ssl_certificate_key {key:site};
  location / { proxy_pass http://{addr:closed}; } }
"""
public = ["192.0.2.10:443"]
"#;

    #[test]
    fn a_recipe_loads() {
        let recipe = Recipe::parse("right.toml", RIGHT).expect("valid");
        assert_eq!(recipe.truth.causes, ["edge-origin-refused"]);
        assert_eq!(recipe.audit.skip, ["tests", "rate-limit"]);
        assert_eq!(recipe.server[0].kind, Kind::Nginx);
    }

    /// A mistake, and what the error says of it, the line included.
    #[test]
    fn a_mistake_is_refused_with_its_place() {
        let actor = "[[server]]\nname = \"cf\"\nkind = \"actor\"\n";
        let swaps = [
            ("kind = \"nginx\"", "kind = \"nginks\"", "line 14"),
            ("kind = \"nginx\"", "kind = \"nginx\"\ncolour = \"blue\"", "unknown field `colour`"),
            ("{port:edge}", "{port:egde}", "line 16: server edge: {port:egde}: no port is called \"egde\""),
            (
                "{cert:site}",
                "{cert:sight}",
                "line 16: server edge: {cert:sight}: no certificate is called \"sight\"",
            ),
            ("192.0.2.10:443", "192.0.2.10", "line 19: \"192.0.2.10\" is not ADDR:PORT"),
            ("192.0.2.10:443", "192.0.2.10:443=app", "line 19: server edge: public"),
            ("name = \"edge\"", "name = \"closed\"", "line 13: a server cannot be called \"closed\""),
            ("inside = false", "inside = true", "line 2: truth.inside is true"),
            ("half = \"tuned\"", "half = \"other\"", "line 5"),
            ("production = \"https://api.example.test\"\n", "", "line 7: [audit] config is empty"),
        ];
        for (from, to, expected) in swaps {
            let mut text = RIGHT.replace(from, to);
            if expected.ends_with("is empty") {
                text = text.replace("[target]\n", "");
            }
            let error = Recipe::parse("wrong.toml", &text).expect_err(to).to_string();
            assert!(error.starts_with("wrong.toml: ") && error.contains(expected), "{to}: {error}");
        }
        let additions = [
            (
                "[[record]]\nname = \"api.example.test\"\ntype = \"A\"\nvalue = \"192.0.2.300\"\n".to_owned(),
                "line 24: ",
            ),
            ("[files]\n\"../outside\" = \"x\"\n".to_owned(), "line 22: \"../outside\" is not a path inside"),
            (
                "[resolver]\nuse = \"unbound\"\n".to_owned(),
                "line 22: resolver: no port is called \"unbound\"",
            ),
            (actor.to_owned(), "line 22: server cf: it needs at least one [[server.answer]]"),
            (
                format!("{actor}[[server.answer]]\npath = \"~(\"\n"),
                "line 25: server cf: answer: \"(\" is not a regular",
            ),
            (
                format!("{actor}[[server.answer]]\nstatus = 42\n"),
                "line 25: server cf: answer: status = 42 is none",
            ),
            (format!("{actor}tls = \"none\"\n[[server.answer]]\n"), "line 24: server cf: tls = \"none\""),
            (
                "[[server]]\nname = \"c\"\nkind = \"caddy\"\nconf = \"x\"\n".to_owned(),
                "line 22: server c: conf must say `admin off`",
            ),
            (
                "[[server]]\nname = \"n\"\nkind = \"named\"\nconf = \"x\"\n".to_owned(),
                "nothing may ask the internet",
            ),
            (
                "[[server]]\nname = \"app\"\nkind = \"gunicorn\"\n".to_owned(),
                "line 22: server app: it needs run",
            ),
        ];
        for (more, expected) in additions {
            let error =
                Recipe::parse("wrong.toml", &format!("{RIGHT}\n{more}")).expect_err(&more).to_string();
            assert!(error.starts_with("wrong.toml: ") && error.contains(expected), "{more}: {error}");
        }
    }
}
