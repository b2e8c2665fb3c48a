//! What the logs of the deployment say, and what error pages show of the same lines.
//!
//! A log holds the past as well: what a process said before a later start that served requests is told apart from what
//! still stands. A log that ends long before the audit tells of another time, and what it says is then not known.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};

use landfall_evidence::{
    DeployStage, Evidence, LogEvent, LogTail, ObservationId, OtherLetters, ProjectSnapshot, StartCommand,
    redact_log_line,
};

use super::counted::Refusals;
use super::doors::same_domain;
use super::{Exchanges, Fact, FactKey, Facts, Value, Why, why_absent};
use crate::catalogue::Catalogue;
use crate::lines::{GROUPS, LineRole, LineTrouble};

/// A log whose last time lies further back than this many seconds says nothing of the state that the audit sees.
const STALE_S: i64 = 48 * 3600;
/// Starts that make a loop, where the process failed between them.
const LOOP_STARTS: u64 = 3;
/// What `log-lines.toml` calls the refusals of a limiter in the application, and of one before it.
const APP_LIMITS: &str = "app-limits";
const PROXY_LIMITS: &str = "proxy-limits";
/// Lines of a page that are looked at, and characters of each.
const PAGE_LINES: usize = 400;
const PAGE_TEXT: usize = 600;

pub(super) fn derive(
    evidence: &Evidence,
    catalogue: &Catalogue,
    exchanges: &Exchanges<'_>,
    facts: &mut Facts,
) {
    pages(catalogue, exchanges, facts);
    let mut read = false;
    for (observation, seen) in evidence.logs() {
        let subject = format!("log {}", seen.name);
        let id = observation.id.clone();
        let Some(tail) = seen.answer.present() else {
            facts.unknown(FactKey::LogSays, subject, why_absent(&seen.answer), [id]);
            continue;
        };
        read = true;
        let age = age_s(tail, evidence);
        if let Some(age) = age {
            facts.known(FactKey::LogAge, subject.as_str(), age, [id.clone()]);
        }
        if let Some(age) = age.filter(|age| *age > STALE_S) {
            let why = format!("the log {} ends {} hours before the audit", seen.name, age / 3600);
            facts.unknown(FactKey::LogSays, subject, Why::Undecided(why), [id]);
            continue;
        }
        log(tail, &subject, &id, evidence, catalogue, facts);
    }
    refused_ports(facts);
    if !read && evidence.logs().next().is_none() {
        let why = Why::NotConfigured("no log of the deployment was given (pass --log FILE)".to_owned());
        for key in [FactKey::LogSays, FactKey::LogState, FactKey::LogBind] {
            facts.unknown(key, "", why.clone(), []);
        }
    }
}

/// How long before the audit a log ends, in seconds; `None` when no line of it carries a time.
fn age_s(tail: &LogTail, evidence: &Evidence) -> Option<i64> {
    tail.last_at.map(|at| evidence.started_at.as_second().saturating_sub(at.as_second()))
}

/// Whether a log says nothing of the state that the audit sees.
pub(crate) fn is_stale(tail: &LogTail, evidence: &Evidence) -> bool {
    age_s(tail, evidence).is_some_and(|age| age > STALE_S)
}

/// Whether the process was started again after a line, and served.
pub(crate) fn came_up_after(line: u64, last_start: Option<u64>, last_up: Option<u64>) -> bool {
    last_start.is_some_and(|start| start > line && last_up.is_some_and(|up| up > start))
}

/// One meaning that a log has, over all of its lines.
#[derive(Default)]
struct Meaning<'a> {
    count: u64,
    last_line: u64,
    role: Option<LineRole>,
    trouble: Option<LineTrouble>,
    ends: &'a [String],
}

fn log(
    tail: &LogTail,
    subject: &str,
    id: &ObservationId,
    evidence: &Evidence,
    catalogue: &Catalogue,
    facts: &mut Facts,
) {
    let lines = &catalogue.lines;
    let mut meanings: BTreeMap<&str, Meaning<'_>> = BTreeMap::new();
    let mut events = Vec::new();
    let mut refusals = Refusals::default();
    // A listing is held against what is asked for, which no single line says.
    let compared: Vec<LogEvent> = tail.other_letters.iter().map(comparison).collect();
    let host = evidence.target.production.as_ref().and_then(|url| url.domain());
    for event in tail.events.iter().chain(&compared) {
        let mut said = lines.says(&event.text, event.place.as_deref(), &event.through);
        said.retain(|one| !one.line.own || host.is_none_or(|host| !is_of_strangers(&event.text, host)));
        for one in &said {
            let meaning = meanings.entry(one.line.id.as_str()).or_default();
            meaning.count += event.count;
            meaning.last_line = meaning.last_line.max(event.last_line);
            meaning.role = one.line.role;
            meaning.trouble = one.line.trouble;
            meaning.ends = &one.line.ends;
        }
        let says = |id: &str| said.iter().any(|one| one.line.id == id);
        if says(APP_LIMITS) || says(PROXY_LIMITS) {
            refusals.add(&event.text, event.count, says(APP_LIMITS));
        }
        events.push((event, said));
    }
    let by_role = |role: LineRole| meanings.values().filter(move |meaning| meaning.role == Some(role));
    let last_start = by_role(LineRole::Start).map(|m| m.last_line).max();
    let last_up = by_role(LineRole::Up).map(|m| m.last_line).max();
    // It came up again after its last occurrence, and served.
    let is_past = |meaning: &Meaning<'_>, last: u64| {
        came_up_after(last, last_start, last_up)
            && (meaning.role == Some(LineRole::Boot) || meaning.count == 1)
    };
    // Something said later ends it.
    let ended = |id: &str, last: u64| {
        meanings.values().any(|later| later.last_line > last && later.ends.iter().any(|word| word == id))
    };
    let past: BTreeSet<&str> = meanings
        .iter()
        .filter(|(_, m)| !matches!(m.role, Some(LineRole::Start | LineRole::Up)))
        .filter(|(id, m)| is_past(m, m.last_line) || ended(id, m.last_line))
        .map(|(id, _)| *id)
        .collect();
    let says: BTreeSet<String> =
        meanings.keys().filter(|id| !past.contains(**id)).map(|id| (*id).to_owned()).collect();
    let id = || [id.clone()];
    facts.known_list(FactKey::LogSaidBefore, subject, past.iter().map(|id| (*id).to_owned()), id());
    facts.known_list(
        FactKey::LogSays,
        subject,
        if says.is_empty() { BTreeSet::from(["nothing".to_owned()]) } else { says.clone() },
        id(),
    );
    if says.contains("proxy-too-large") {
        // Clients were refused, whether or not this audit sends what is refused.
        facts.known(FactKey::LogRefuses, subject, "too-large", id()).symptom = true;
    }
    let counted =
        refusals.shared().filter(|_| [APP_LIMITS, PROXY_LIMITS].iter().any(|id| says.contains(*id)));
    if let Some(address) = counted {
        facts.known(FactKey::LogCounted, subject, address.to_string(), id());
    }
    if says.contains("proxy-not-trusted") || counted.is_some() {
        facts.known(FactKey::LogHarms, subject, "clients-as-one", id()).symptom = true;
    } else if says.contains("dev-server") && facts.of(FactKey::PageDebug).next().is_none() {
        facts.known(FactKey::LogHarms, subject, "dev-server", id()).symptom = true;
    } else if says.contains("lfs-pointer-shown") {
        // Whoever asks for that file gets three lines of text, and with a good status.
        facts.known(FactKey::LogHarms, subject, "lfs-pointer", id()).symptom = true;
    }
    let last = |of: LineTrouble| {
        let said = meanings.iter().filter(|(id, m)| m.trouble == Some(of) && !past.contains(**id));
        said.map(|(_, meaning)| meaning.last_line).max()
    };
    if last(LineTrouble::Deploy)
        .is_some_and(|line| last_start.max(last_up).is_none_or(|served| served < line))
    {
        facts.known(FactKey::LogDeploy, subject, "failed", id()).symptom = true;
    }
    // Whose production fails for this audit as well has one trouble, and the monitor is right.
    let well = facts.all_is_well();
    for (trouble, key, word, is_symptom) in [
        (LineTrouble::Certificate, FactKey::LogCertificate, "refused", true),
        (LineTrouble::Browsers, FactKey::LogBrowsers, "refused", true),
        (LineTrouble::Check, FactKey::LogCheck, "failing", well),
        (LineTrouble::Names, FactKey::LogNames, "failing", well),
    ] {
        if last(trouble).is_some() {
            facts.known(key, subject, word, id()).symptom = is_symptom;
        }
    }
    let starts = meanings.get("starts").map_or(0, |meaning| meaning.count);
    facts.known(FactKey::LogStarts, subject, i64::try_from(starts).unwrap_or(i64::MAX), id());

    let current: Vec<&Meaning> =
        meanings.iter().filter(|(id, _)| !past.contains(**id)).map(|(_, m)| m).collect();
    let failing = current
        .iter()
        .filter(|m| matches!(m.role, Some(LineRole::Boot | LineRole::Exit)))
        .map(|m| m.last_line)
        .max();
    let repeated =
        current.iter().filter(|m| m.role == Some(LineRole::Exit)).map(|m| m.count).max().unwrap_or(0);
    let state = if says.contains("crash-loop")
        || (failing.is_some() && (starts >= LOOP_STARTS || (starts >= 2 && repeated >= 2)))
    {
        "crash-loop"
    } else if failing.is_some_and(|failing| last_start.is_none_or(|start| start < failing)) {
        "down"
    } else if last_start.is_some() || last_up.is_some() || says.contains("listens") {
        "running"
    } else {
        "unclear"
    };
    // Where production is audited, its own answers are the sign of trouble, and the log says why.
    let alone = evidence.target.production.is_none() && evidence.target.origin.is_none();
    // Where all is well outside though this process found its port taken and ended, the one that took it answers: an older one.
    facts.known(FactKey::LogState, subject, state, id()).symptom =
        (alone || (well && says.contains("port-in-use"))) && matches!(state, "crash-loop" | "down");

    let project = evidence.project().map(|(_, snapshot)| snapshot);
    let mut named = Named::default();
    for (event, said) in &events {
        for one in said.iter().filter(|one| !past.contains(one.line.id.as_str())) {
            named.add(&one.line.id, &one.names, event.last_line, (&event.text, event.place.as_deref()));
        }
    }
    named.facts(subject, &id(), project, catalogue, facts);
}

/// Whether a line names domains, and none of them is that of this host. File names with an ending that is a top-level domain as
/// well (`.sh`, `.py`) pass for domains, which loses a line and invents nothing.
fn is_of_strangers(text: &str, host: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let words = text.split(|c| !is_part(c)).map(|word| word.trim_matches(['.', '-']));
    let names: Vec<&str> = words.filter(|word| word.contains('.')).collect();
    let is_domain = |name: &str| {
        let found = psl::domain(name.as_bytes());
        found.is_some_and(|found| found.suffix().is_known()) && name.parse::<IpAddr>().is_err()
    };
    names.iter().any(|name| is_domain(name)) && !names.iter().any(|name| same_domain(name, host))
}

/// A comparison as the line that would say it, for the patterns of `log-lines.toml`.
fn comparison(found: &OtherLetters) -> LogEvent {
    let OtherLetters { line, there, asked } = found;
    let text = format!("{there} is there, and {asked} is asked for");
    LogEvent { line: *line, last_line: *line, count: 1, text, place: None, through: Vec::new() }
}

/// What the named groups of a log's lines give.
#[derive(Default)]
struct Named {
    all: BTreeMap<&'static str, BTreeSet<String>>,
    /// The last of each, by its line.
    last: BTreeMap<&'static str, (u64, String)>,
    /// The frame of the last missing module.
    module_place: Option<String>,
    /// Whether the last missing module is what the start command names, by the line itself.
    module_by_start: bool,
    /// Whether Node says that the last missing module is missing.
    module_by_node: bool,
    place: Option<(u64, String)>,
}

impl Named {
    fn add(&mut self, entry: &str, names: &[(String, String)], line: u64, event: (&str, Option<&str>)) {
        let (text, place) = event;
        let by_node = ["Cannot find module", "Cannot find package"].iter().any(|words| text.contains(words));
        for (name, value) in names {
            let Some(name) = GROUPS.iter().find(|group| *group == name) else { continue };
            self.all.entry(name).or_default().insert(value.clone());
            let slot = self.last.entry(name).or_insert((0, String::new()));
            if line >= slot.0 {
                *slot = (line, value.clone());
                if *name == "module" {
                    self.module_place = place.map(str::to_owned);
                    self.module_by_start = entry == "start-target-missing";
                    self.module_by_node = by_node;
                }
            }
        }
        if let Some(place) = place.filter(|place| *place != "(library)")
            && self.place.as_ref().is_none_or(|(at, _)| line >= *at)
        {
            self.place = Some((line, place.to_owned()));
        }
    }

    fn facts(
        self,
        subject: &str,
        id: &[ObservationId; 1],
        project: Option<&ProjectSnapshot>,
        catalogue: &Catalogue,
        facts: &mut Facts,
    ) {
        let id = || id.clone();
        let listens = ["listen", "published"].into_iter().filter_map(|name| self.all.get(name)).flatten();
        facts.known_list(FactKey::LogListens, subject, listens.cloned(), id());
        for (name, key) in [
            ("exit", FactKey::LogExit),
            ("signal", FactKey::LogSignal),
            ("module", FactKey::LogModule),
            ("variable", FactKey::LogVariable),
            ("host", FactKey::LogHost),
            ("path", FactKey::LogPath),
            ("upstream", FactKey::LogRefusedAt),
        ] {
            facts.known_list(key, subject, self.all.get(name).cloned().unwrap_or_default(), id());
        }
        let missed = self.all.get("path").into_iter().flatten();
        let left_out = missed.filter_map(|path| {
            // Where it runs the project lies in a folder of another name.
            let same = |out: &&landfall_evidence::LeftOut| {
                path.strip_suffix(out.path.as_str())
                    .is_some_and(|head| head.is_empty() || head.ends_with('/'))
            };
            project?.left_out.iter().find(same).map(|out| format!("{} leaves {} out", out.place, out.path))
        });
        if let Some(rule) = left_out.min() {
            facts.known(FactKey::LogPathLeftOut, subject, rule, id());
        }
        let last = |name: &str| self.last.get(name).map(|(_, value)| value.as_str());
        if let Some(exception) = last("exception") {
            facts.known(FactKey::LogException, subject, exception, id());
        }
        if let Some((_, place)) = &self.place {
            facts.known(FactKey::LogPlace, subject, place.as_str(), id());
        }
        if let Some((bind, port)) = last("listen").map(listen) {
            facts.known(FactKey::LogBind, subject, bind, id());
            if let Some(port) = port {
                facts.known(FactKey::LogPort, subject, i64::from(port), id());
                let production = || {
                    project
                        .iter()
                        .flat_map(|project| &project.deploy)
                        .filter(|config| config.stage == DeployStage::Production)
                };
                // What an image exposes is no map where the platform has one of its own.
                let mapped = production().any(|c| c.platform != "docker" && !c.ports.is_empty());
                let maps: Vec<u16> = production()
                    .filter(|config| !mapped || config.platform != "docker")
                    .flat_map(|config| config.ports.iter().map(|map| map.local))
                    .collect();
                if !maps.is_empty() {
                    facts.known(FactKey::LogPortFits, subject, maps.contains(&port), id());
                }
            }
        }
        if let Some(host) = last("host") {
            facts.known(FactKey::LogHostKind, subject, host_kind(host), id());
            let owner = host.parse().ok().and_then(|address| catalogue.owner_of_address(address));
            if let Some(owner) = owner {
                facts.known(FactKey::LogHostOwner, subject, owner.role.name(), id());
            }
        }
        if let Some(module) = last("module") {
            let kind = if self.module_by_start {
                "start-target"
            } else {
                module_kind(module, self.module_place.as_deref(), self.module_by_node, project)
            };
            facts.known(FactKey::LogModuleKind, subject, kind, id());
        }
        if let (Some(variable), Some(project)) = (last("variable"), project) {
            let set = project.deploy.iter().any(|config| config.sets.iter().any(|name| name == variable));
            facts.known(FactKey::LogVariableSet, subject, set, id());
        }
    }
}

/// Whether the ports at which proxies were refused are those of the servers whose logs are at hand. A server that listens
/// and a refusal beside it are no contradiction where their ports differ; where they are the same, it is the address.
fn refused_ports(facts: &mut Facts) {
    let port = |text: &String| text.rsplit_once(':').map_or(text.as_str(), |(_, port)| port).parse().ok();
    let ports = |fact: &Fact| match fact.known() {
        Some(Value::List(all)) => all.iter().filter_map(port).collect(),
        _ => BTreeSet::<u16>::new(),
    };
    let listens: BTreeSet<u16> = facts.of(FactKey::LogListens).flat_map(ports).collect();
    let from: BTreeSet<ObservationId> =
        facts.of(FactKey::LogListens).flat_map(|fact| fact.evidence.clone()).collect();
    let refused: Vec<_> = facts
        .of(FactKey::LogRefusedAt)
        .map(|fact| (fact.subject.clone(), fact.evidence.clone(), ports(fact)))
        .filter(|(_, _, ports)| !ports.is_empty() && !listens.is_empty())
        .collect();
    for (subject, seen, ports) in refused {
        let fits = !ports.is_disjoint(&listens);
        facts.known(FactKey::LogRefusedFits, subject, fits, seen.into_iter().chain(from.clone()));
    }
}

/// Which kind of address a listening line names, and its port.
fn listen(text: &str) -> (&'static str, Option<u16>) {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let rest = rest.split('/').next().unwrap_or(rest);
    if let Ok(port) = rest.parse::<u16>() {
        return ("any", Some(port));
    }
    let (host, port) = match rest.rsplit_once(':') {
        // Erlang and netstat write IPv6 without brackets: `:::4000`, `::1:4000`.
        Some((host, port)) if host.parse::<Ipv6Addr>().is_ok() && port.len() > 1 => (host, port.parse().ok()),
        Some((host, port)) if !host.ends_with(':') || host.ends_with("]:") => (host, port.parse().ok()),
        _ => (rest, None),
    };
    let bare = host.trim_matches(['[', ']']);
    let kind = match bare.parse::<IpAddr>() {
        Ok(ip) if ip.is_loopback() => "loopback",
        Ok(ip) if ip.is_unspecified() => "any",
        Ok(_) => "other",
        Err(_) if bare == "localhost" => "loopback",
        Err(_) if bare.is_empty() || bare == "*" => "any",
        Err(_) => "other",
    };
    (kind, port)
}

fn host_kind(host: &str) -> &'static str {
    let bare = host.trim_matches(['[', ']']);
    let bare = match bare.matches(':').count() {
        1 => bare.split(':').next().unwrap_or(bare),
        _ => bare,
    };
    if bare.eq_ignore_ascii_case("localhost") || bare.eq_ignore_ascii_case("host.docker.internal") {
        return "this-machine";
    }
    match bare.parse::<IpAddr>() {
        Ok(ip) if ip.is_loopback() || ip.is_unspecified() => "this-machine",
        Ok(IpAddr::V4(ip)) if ip.is_private() || ip.is_link_local() => "private",
        Ok(IpAddr::V6(ip)) if ip.is_unique_local() => "private",
        Ok(_) => "remote",
        // A compose file's service names have no dot; a name in public DNS has one.
        Err(_) if !bare.contains('.') => "short-name",
        Err(_) if bare.ends_with(".internal") || bare.ends_with(".local") || bare.ends_with(".svc") => {
            "private"
        }
        Err(_) => "remote",
    }
}

/// What kind of module a missing one is: the one that the start command names, the project's own, or a package.
fn module_kind(
    module: &str,
    place: Option<&str>,
    by_node: bool,
    project: Option<&ProjectSnapshot>,
) -> &'static str {
    let path_like = module.starts_with('.') || module.starts_with('/');
    let top = module.split(['.', '/']).find(|part| !part.is_empty()).unwrap_or(module);
    let starts = |start: &StartCommand| {
        let word = |word: &str| {
            let target = word.split(':').next().unwrap_or(word).trim_start_matches("./");
            target == module
                || (!path_like && target.split('.').next() == Some(top) && word.contains(':'))
                || (path_like && !target.is_empty() && target.contains('/') && module.ends_with(target))
        };
        start.raw.split([' ', '\'', '"', ',', '[', ']']).any(word)
    };
    let configs =
        project.iter().flat_map(|project| &project.deploy).filter_map(|config| config.start.as_ref());
    // Every frame of the trace lies in the server: it is the server that was told to load it.
    if configs.clone().any(starts) || place == Some("(library)") {
        return "start-target";
    }
    if path_like {
        return "own";
    }
    // Node names what it was started with by its whole path, Python by the module alone.
    let package = place.is_some() || by_node && !module.contains('.');
    let Some(project) = project else { return if package { "unclear" } else { "start-target" } };
    let folder = |path: &str| path == top || path.starts_with(&format!("{top}/"));
    let file = format!("{top}.py");
    let own = project.folders.iter().any(|f| folder(&f.path))
        || project.entry.as_ref().is_some_and(|entry| entry.path == file || folder(&entry.path))
        || project.routes.iter().any(|r| r.place.starts_with(&file) || folder(&r.place));
    if own {
        return "own";
    }
    let plain = |name: &str| name.to_ascii_lowercase().replace(['-', '_', '.'], "");
    let is_it = |name: &String| plain(name) == plain(top);
    if project.stacks.iter().flat_map(|stack| &stack.dependencies).any(|d| is_it(&d.name)) {
        "declared"
    } else if project.stacks.iter().flat_map(|stack| &stack.dev_dependencies).any(is_it) {
        "dev-declared"
    } else {
        "third-party"
    }
}

/// What the bodies of failing answers show: frameworks in debug mode and applications that pass an error on.
fn pages(catalogue: &Catalogue, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    // One page stands in many answers.
    let mut read: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for x in &exchanges.all {
        let subject = x.subject();
        // An object store refuses in XML of one form (S3, and what speaks like it; Azure), whoever passes it on.
        let store_refuses = |text: &str| text.contains("<Error>") && text.contains("<Code>");
        let fails = x.response().is_some_and(|response| {
            response.status >= 500
                || (matches!(response.status, 400..=404 | 409)
                    && response.body.text.as_deref().is_some_and(store_refuses))
        }) || matches!(facts.text(FactKey::EndpointOutcome, &subject), Some("error-in-body"));
        let Some(text) = x.response().filter(|_| fails).and_then(|r| r.body.text.as_deref()) else {
            continue;
        };
        let says: BTreeSet<String> = text
            .lines()
            .take(PAGE_LINES)
            .flat_map(|line| read.entry(line).or_insert_with(|| page_line(catalogue, line)).clone())
            .collect();
        facts.known_list(FactKey::HttpSays, subject, says, [x.id()]);
    }
}

/// What one line of a failing answer says, as it would in a log.
fn page_line(catalogue: &Catalogue, line: &str) -> Vec<String> {
    let line = match line.char_indices().nth(PAGE_TEXT) {
        Some((at, _)) => &line[..at],
        None => line,
    };
    // Pages write quotes as entities.
    let plain = line.replace("&#39;", "'").replace("&#x27;", "'").replace("&quot;", "\"");
    let line = redact_log_line(&plain);
    catalogue.lines.page_says(&line).into_iter().map(|said| said.line.id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use landfall_evidence::{LogObservation, Observed, Seen, Vantage};

    use super::*;
    use crate::facts::Value;
    use crate::testkit::World;

    fn event(line: u64, text: &str) -> LogEvent {
        LogEvent { line, last_line: line, count: 1, text: text.to_owned(), place: None, through: Vec::new() }
    }

    fn facts(events: Vec<LogEvent>) -> Facts {
        let mut world = World::new("https://api.example.test");
        let tail = LogTail { lines: 100, events, ..LogTail::default() };
        let seen = LogObservation { name: "app.log".to_owned(), answer: Observed::Present(tail) };
        world.observe("log/app.log", Vantage::Workspace, Seen::Log(seen));
        Facts::derive(&world.build(), Catalogue::embedded())
    }

    fn list(facts: &Facts, key: FactKey) -> Vec<String> {
        match facts.get(key, "log app.log").and_then(|fact| fact.known()) {
            Some(Value::List(items)) => items.clone(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn what_a_later_serving_start_follows_is_past() {
        let boot = event(2, "KeyError: 'DATABASE_URL'");
        let boot = LogEvent { place: Some("/app/a.py:4 os.environ['DATABASE_URL']".to_owned()), ..boot };
        let start = |line| event(line, "[INFO] Starting gunicorn 27.0.1");
        let serves = |line| event(line, "GET /health answered 200");
        let fixed = facts(vec![start(1), boot.clone(), start(3), serves(4)]);
        assert_eq!(
            list(&fixed, FactKey::LogSaidBefore),
            ["exception", "setting-key-missing", "variable-missing"]
        );
        assert!(!list(&fixed, FactKey::LogSays).contains(&"variable-missing".to_owned()));
        assert_eq!(fixed.text(FactKey::LogState, "log app.log"), Some("running"));
        let broken = facts(vec![start(1), serves(2), LogEvent { line: 5, last_line: 5, ..boot }]);
        assert!(list(&broken, FactKey::LogSays).contains(&"variable-missing".to_owned()));
        assert_eq!(list(&broken, FactKey::LogVariable), ["DATABASE_URL"]);
        assert_eq!(broken.text(FactKey::LogState, "log app.log"), Some("down"));
    }

    #[test]
    fn a_certificate_that_came_ends_what_had_failed_before_it() {
        let failed = |line| event(line, "error: urn:ietf:params:acme:error:unauthorized");
        let came = |line| event(line, r#"{"logger":"tls.obtain","msg":"certificate obtained successfully"}"#);
        let mended = facts(vec![failed(1), came(2)]);
        assert_eq!(list(&mended, FactKey::LogSaidBefore), ["acme-challenge-failed"]);
        assert_eq!(list(&mended, FactKey::LogSays), ["acme-obtained"]);
        let again = facts(vec![came(1), failed(2)]);
        assert!(list(&again, FactKey::LogSays).contains(&"acme-challenge-failed".to_owned()));
    }

    #[test]
    fn a_deploy_that_failed_is_a_symptom_until_something_serves_after_it() {
        let failed = |line| {
            event(
                line,
                "npm error `npm ci` can only install packages when your package.json and package-lock.json are in sync",
            )
        };
        let is_symptom = |found: &Facts| found.symptoms().any(|fact| fact.key == FactKey::LogDeploy);
        assert!(is_symptom(&facts(vec![failed(3)])));
        let start = |line| event(line, "[INFO] Starting gunicorn 27.0.1");
        // The newest start is that of the build before.
        assert!(is_symptom(&facts(vec![start(1), failed(3)])));
        assert!(!is_symptom(&facts(vec![failed(3), start(4)])), "what was built after all runs");
        let live = event(5, "==> Your service is live");
        assert!(!is_symptom(&facts(vec![failed(3), live])));
    }

    /// A failed connection without a known port belongs to whoever made it, and the frames under it say who that was.
    #[test]
    fn the_frames_say_what_a_failed_connection_was_to() {
        for (text, through, want, not) in [
            (
                "ConnectionRefusedError: [Errno 111] Connection refused",
                "asyncpg",
                "database-refused",
                "service-refused",
            ),
            ("Error: connect ECONNREFUSED 10.0.0.9:7777", "ioredis", "service-refused", "database-refused"),
            (
                "java.net.ConnectException: Connection refused",
                "org.postgresql.core",
                "database-refused",
                "service-refused",
            ),
            ("TimeoutError", "asyncpg", "database-timeout", "mail-port-silent"),
            ("TimeoutError: timed out", "smtplib", "mail-port-silent", "database-timeout"),
            (
                "panic: dial tcp: lookup store: no such host",
                "github.com/jackc/pgx/v5",
                "database-unresolved",
                "service-refused",
            ),
            (
                "System.Net.Sockets.SocketException (111): Connection refused",
                "Npgsql.Internal.NpgsqlConnector",
                "database-refused",
                "service-refused",
            ),
            (
                "Errno::ECONNREFUSED: Connection refused - connect(2)",
                "redis-client",
                "service-refused",
                "database-refused",
            ),
            ("Error: socket hang up", "stripe", "vendor-failing", "database-refused"),
        ] {
            let event = LogEvent { through: vec![through.to_owned()], ..event(3, text) };
            let said = list(&facts(vec![event]), FactKey::LogSays);
            assert!(said.iter().any(|id| id == want), "{text} through {through}: {said:?}");
            assert!(said.iter().all(|id| id != not), "{text} through {through}: {said:?}");
        }
        let alone = facts(vec![event(3, "ConnectionRefusedError: [Errno 111] Connection refused")]);
        assert!(list(&alone, FactKey::LogSays).iter().all(|id| !id.ends_with("-refused")));
    }

    #[test]
    fn a_map_of_ports_is_where_the_machine_listens_and_no_word_of_the_server() {
        let found = facts(vec![
            event(1, "Listening on port 3000"),
            event(
                2,
                "3f4de1c5 shop-api:1.4 \"node\" Up 3 minutes 0.0.0.0:4000->3000/tcp, :::4000->3000/tcp shop",
            ),
        ]);
        assert_eq!(list(&found, FactKey::LogListens), ["0.0.0.0:4000", "3000"]);
        assert_eq!(
            found.get(FactKey::LogPort, "log app.log").and_then(|f| f.known()),
            Some(&Value::Number(3000))
        );
    }

    #[test]
    fn a_pointer_that_is_shown_is_a_symptom_though_all_answers_are_good() {
        let found = facts(vec![event(1, "version https://git-lfs.github.com/spec/v1")]);
        assert!(
            found.symptoms().any(|fact| fact.key == FactKey::LogHarms && fact.text() == Some("lfs-pointer"))
        );
    }

    /// What is trouble until it goes well is ended by the line that says so.
    #[test]
    fn a_deploy_and_a_certificate_that_went_well_end_all_that_stood_in_their_way() {
        let lines = &Catalogue::embedded().lines;
        let ends =
            |id: &str| lines.iter().find(|line| line.id == id).expect("part of the catalogue").ends.clone();
        for (trouble, well) in [
            (LineTrouble::Deploy, ends("deploy-succeeded")),
            (LineTrouble::Certificate, ends("acme-obtained")),
        ] {
            let open = lines.iter().filter(|line| line.trouble == Some(trouble) && !well.contains(&line.id));
            assert_eq!(open.map(|line| &line.id).collect::<Vec<_>>(), Vec::<&String>::new(), "{trouble:?}");
        }
    }

    #[test]
    fn a_certificate_refused_and_a_browser_kept_out_are_symptoms() {
        let symptom = |key, text: &str| facts(vec![event(1, text)]).symptoms().any(|fact| fact.key == key);
        let refused = "too many certificates (5) already issued for this exact set of identifiers";
        assert!(symptom(FactKey::LogCertificate, refused));
        assert!(symptom(FactKey::LogBrowsers, "Error: Not allowed by CORS"));
        assert!(!symptom(FactKey::LogBrowsers, "GET /api/items 200"));
    }

    #[test]
    fn an_old_log_says_nothing_of_now_and_a_log_without_signs_says_nothing() {
        let mut world = World::new("https://api.example.test");
        let started = world.build().started_at;
        let old = started.as_second() - STALE_S - 7200;
        let tail = LogTail {
            last_at: Some(jiff::Timestamp::from_second(old).expect("in range")),
            events: vec![event(1, "OOMKilled")],
            ..LogTail::default()
        };
        let seen = LogObservation { name: "app.log".to_owned(), answer: Observed::Present(tail) };
        world.observe("log/app.log", Vantage::Workspace, Seen::Log(seen));
        let found = Facts::derive(&world.build(), Catalogue::embedded());
        let fact = found.get(FactKey::LogSays, "log app.log").expect("it is there");
        assert!(fact.known().is_none(), "{fact:?}");
        assert_eq!(list(&facts(Vec::new()), FactKey::LogSays), ["nothing"]);
    }

    #[test]
    fn what_a_resolver_says_of_strangers_is_not_of_the_target() {
        for (text, strange) in [
            ("lame server resolving 'old-shop.example.org' (in 'example.org'?): 192.0.2.53#53", true),
            ("lame server resolving 'api.shop.com' (in 'shop.com'?): 192.0.2.53#53", false),
            ("info: validation failure <dnssec-failed.org. A IN>: no signatures", true),
            ("shop.com. 300 IN NS ns1.registrar.net.", false),
            ("not-shop.com is on hold", true),
            ("SERVFAIL from 192.0.2.53 after 3 tries", false),
            ("named[612]: zone transfer refused, bind 9.18.1", false),
        ] {
            assert_eq!(is_of_strangers(text, "shop.com"), strange, "{text}");
        }
    }

    /// The words and the state of a captured log.
    fn captured(name: &str) -> (Vec<String>, String, Facts) {
        let file = format!("{}/fixtures/logs/{name}.log", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(&file).unwrap_or_else(|e| panic!("{file}: {e}"));
        // The first line is the command that made it.
        let log = bytes.split(|b| *b == b'\n').skip(1).collect::<Vec<_>>().join(&b'\n');
        let catalogue = Catalogue::embedded();
        let events = landfall_project::reduce_log(&log, false, &|line| catalogue.knows_log_line(line)).events;
        let found = facts(events);
        let state = found.text(FactKey::LogState, "log app.log").unwrap_or_default().to_owned();
        (list(&found, FactKey::LogSays), state, found)
    }

    /// Each captured log against what it must say, what it must not, and its state. One table, so that a pattern that
    /// reaches too far is seen.
    #[test]
    fn captured_logs_say_what_happened() {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Case {
            says: Vec<String>,
            state: String,
        }
        let table = include_str!("../../fixtures/logs/expected.toml");
        let table: BTreeMap<String, Case> = toml::from_str(table).expect("the table is TOML");
        let mut wrong = Vec::new();
        for (name, case) in &table {
            let (says, state, _) = captured(name);
            if says != case.says || state != case.state {
                wrong.push(format!("[{name}]\nsays = {says:?}\nstate = {state:?}\n"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/logs");
        for entry in std::fs::read_dir(folder).expect("part of the repository") {
            let name = entry.expect("readable").file_name().to_string_lossy().into_owned();
            let Some(name) = name.strip_suffix(".log") else { continue };
            assert!(table.contains_key(name), "{name} stands in no case of expected.toml");
        }
    }

    /// Whoever reads a log keeps what the catalogue can tell of.
    #[test]
    fn every_line_that_the_catalogue_knows_is_kept() {
        let catalogue = Catalogue::embedded();
        let examples: Vec<&String> = catalogue.lines.iter().flat_map(|line| &line.examples).collect();
        // Frames of a trace are told by its exception, and an access line by what was answered.
        let lost = |known: &dyn Fn(&str) -> bool| {
            let kept = |text: &str| landfall_project::reduce_log(text.as_bytes(), false, known).events;
            examples.iter().filter(|text| kept(text).is_empty()).collect::<Vec<_>>()
        };
        let by_words = lost(&|_| false);
        let lost = lost(&|line| catalogue.knows_log_line(line));
        assert!(lost.is_empty(), "{lost:#?}");
        assert!(!by_words.is_empty(), "words alone would do, and the catalogue need not be asked");
    }

    #[test]
    fn a_missing_package_is_told_by_where_it_is_declared() {
        let stack = landfall_evidence::Stack {
            language: "node".to_owned(),
            framework: None,
            server: None,
            runtime: landfall_evidence::Runtime::default(),
            manifest: Some("package.json".to_owned()),
            lock: None,
            dependencies: Vec::new(),
            dev_dependencies: vec!["morgan".to_owned()],
        };
        let project = ProjectSnapshot { stacks: vec![stack], ..ProjectSnapshot::default() };
        let kind = |module: &str| module_kind(module, Some("/app/src/app.js"), true, Some(&project));
        assert_eq!(kind("morgan"), "dev-declared");
        assert_eq!(kind("winston"), "third-party");
    }

    #[test]
    fn captured_names_are_facts() {
        let (_, _, found) = captured("gunicorn-variable-missing");
        assert_eq!(list(&found, FactKey::LogVariable), ["DATABASE_URL"]);
        let (_, _, found) = captured("gunicorn-third-party-missing");
        assert_eq!(list(&found, FactKey::LogModule), ["flask_mailman_extra"]);
        let kind = |name: &str| {
            captured(name).2.text(FactKey::LogModuleKind, "log app.log").unwrap_or_default().to_owned()
        };
        assert_eq!(kind("gunicorn-module-missing"), "start-target");
        assert_eq!(kind("uvicorn-module-missing"), "start-target");
        assert_eq!(kind("node-own-file-missing"), "own");
        let bind = |name: &str| {
            captured(name).2.text(FactKey::LogBind, "log app.log").unwrap_or_default().to_owned()
        };
        assert_eq!(bind("gunicorn-good"), "loopback");
        assert_eq!(bind("gunicorn-wildcard"), "any");
        assert_eq!(bind("node-listen-localhost"), "loopback");
        let host = |name: &str| {
            captured(name).2.text(FactKey::LogHostKind, "log app.log").unwrap_or_default().to_owned()
        };
        assert_eq!(host("redis-host-unknown"), "short-name");
        assert_eq!(host("psycopg-refused-localhost"), "this-machine");
    }

    #[test]
    fn whose_address_a_server_bans_is_known_from_the_owners() {
        let owner = |address: &str| {
            let found = facts(vec![event(
                1,
                &format!("fail2ban.actions [7]: NOTICE  [nginx-botsearch] Ban {address}"),
            )]);
            found.of(FactKey::LogHostOwner).find_map(|fact| fact.text().map(str::to_owned))
        };
        // Cloudflare's and Google's load balancers ask; nobody's range, and one of a private network, have no owner.
        assert_eq!(owner("172.70.1.2").as_deref(), Some("edge"));
        assert_eq!(owner("35.191.0.9").as_deref(), Some("edge"));
        assert_eq!(owner("203.0.113.9"), None);
        assert_eq!(owner("10.0.0.2"), None);
    }

    #[test]
    fn addresses_and_hosts_are_sorted() {
        for (text, want) in [
            ("http://127.0.0.1:8000", ("loopback", Some(8000))),
            ("http://0.0.0.0:8000", ("any", Some(8000))),
            ("http://localhost:3000", ("loopback", Some(3000))),
            ("http://[::]:8080", ("any", Some(8080))),
            ("http://[::1]:8080/", ("loopback", Some(8080))),
            ("http://10.0.0.3:80", ("other", Some(80))),
            ("8080", ("any", Some(8080))),
            ("http://*:4000", ("any", Some(4000))),
            (":::4000", ("any", Some(4000))),
            ("[::]:4000", ("any", Some(4000))),
            ("::1:4000", ("loopback", Some(4000))),
        ] {
            assert_eq!(listen(text), want, "{text}");
        }
        for (host, want) in [
            ("localhost", "this-machine"),
            ("127.0.0.1:5432", "this-machine"),
            ("::1", "this-machine"),
            ("db", "short-name"),
            ("redis.railway.internal", "private"),
            ("10.1.2.3", "private"),
            ("db.abc.supabase.co", "remote"),
            ("2a05:d014::1", "remote"),
        ] {
            assert_eq!(host_kind(host), want, "{host}");
        }
    }
}
