//! What was learnt of the stack. What was not seen is listed with the reason, so that a gap is not taken for a "no".

use std::collections::{BTreeMap, BTreeSet};

use landfall_evidence::{
    DeployConfig, HttpVersion, ObservationId, Observed, ProjectSnapshot, Purpose, RegisteredAnswer,
    ServerSetting, Stack, Vantage,
};

use crate::Specification;
use crate::attribution::vendor_name;
use crate::case::Case;
use crate::components;
use crate::deploy_config;
use crate::findings;
use crate::marker;
use crate::words::{count, in_words};

/// All rows, in the order of the report: the backend, the edge, the monitoring.
pub(crate) fn specifications(case: &Case<'_>) -> Vec<Specification> {
    let mut rows = Vec::new();
    backend(case, &mut rows);
    edge(case, &mut rows);
    monitoring(case, &mut rows);
    rows
}

fn row(
    group: &str,
    name: &str,
    value: Result<String, String>,
    evidence: Vec<ObservationId>,
) -> Specification {
    let value = value.unwrap_or_else(|why| format!("not known: {why}"));
    Specification { group: group.into(), name: name.into(), value, evidence }
}

fn backend(case: &Case<'_>, rows: &mut Vec<Specification>) {
    const GROUP: &str = "backend";
    let Some((observation, project)) = case.evidence().project() else {
        let why = match &case.evidence().target.project {
            None => "no project folder was given".to_owned(),
            Some(_) => case
                .evidence()
                .observations
                .iter()
                .find_map(|o| match &o.seen {
                    landfall_evidence::Seen::Project(seen) => Some(seen.answer.describe()),
                    _ => None,
                })
                .unwrap_or_else(|| "the folder was not read".into()),
        };
        for name in
            ["Framework", "Server", "Workers", "Threads", "Timeout", "Runtime", "Deploy configuration"]
        {
            rows.push(row(GROUP, name, Err(why.clone()), Vec::new()));
        }
        return;
    };
    let id = || vec![observation.id.clone()];
    let stack = project.stacks.first();
    let named = |pick: fn(&Stack) -> Option<&landfall_evidence::Dependency>| {
        let found = project.stacks.iter().find_map(pick)?;
        Some(match &found.version {
            Some(version) => format!("{} {version}", found.name),
            None => format!("{} {}", found.name, found.requirement).trim_end().to_owned(),
        })
    };
    let manifest = || match stack.and_then(|s| s.manifest.as_deref()) {
        Some(manifest) => format!("{manifest} does not name one"),
        None => "no manifest was found".into(),
    };
    let server = named(|s| s.server.as_ref());
    let started = deploy_config::production(project).find_map(|c| c.start.as_ref()?.server.clone());
    rows.push(row(GROUP, "Framework", named(|s| s.framework.as_ref()).ok_or_else(manifest), id()));
    rows.push(row(GROUP, "Server", server.or(started).ok_or_else(manifest), id()));
    for (name, key, unit) in
        [("Workers", "workers", ""), ("Threads", "threads", " per worker"), ("Timeout", "timeout_s", " s")]
    {
        rows.push(row(GROUP, name, setting(project, key, unit), id()));
    }
    rows.push(row(GROUP, "Runtime", runtime(project), id()));
    let configs: Vec<String> = project.deploy.iter().map(describe_config).collect();
    rows.push(row(
        GROUP,
        "Deploy configuration",
        if configs.is_empty() {
            Err("no deploy configuration was found".into())
        } else {
            Ok(configs.join("; "))
        },
        id(),
    ));
    if let Some(registered) = &project.registered {
        rows.push(row(GROUP, "Registered routes", registered_in_words(project, &registered.answer), id()));
    }
}

fn registered_in_words(project: &ProjectSnapshot, answer: &RegisteredAnswer) -> Result<String, String> {
    match answer {
        RegisteredAnswer::Listed { framework, version, routes, more, .. } => {
            let version = version.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
            let at_least = if *more { "at least " } else { "" };
            let mut words =
                format!("{at_least}{}, as {framework}{version} lists them", count(routes.len(), "route"));
            let not_read = project.known_routes().count() - project.routes.len();
            if not_read > 0 {
                words.push_str(&format!("; {not_read} that the code was not seen to declare"));
            }
            let missing = findings::unregistered_routes(project).len();
            if missing > 0 {
                words.push_str(&format!("; {missing} of the code are not among them"));
            }
            Ok(words)
        }
        RegisteredAnswer::Failed { reason } => Err(format!("the application could not be loaded: {reason}")),
        RegisteredAnswer::Silent { limit_us } => {
            Err(format!("the framework did not say within {:.0} s", *limit_us as f64 / 1e6))
        }
        RegisteredAnswer::NotAsked { reason } => Err(format!("it was not asked: {reason}")),
    }
}

/// A server setting, from the configuration of production before any other.
fn setting(project: &ProjectSnapshot, key: &str, unit: &str) -> Result<String, String> {
    let of = |config: &DeployConfig| -> Option<ServerSetting> {
        config.start.as_ref()?.settings.iter().find(|s| s.name == key).cloned()
    };
    let found =
        deploy_config::production(project).find_map(of).or_else(|| project.deploy.iter().find_map(of));
    match found {
        Some(ServerSetting { value: Some(value), variable: Some(variable), .. }) => {
            Ok(format!("{value}{unit} (set by {variable})"))
        }
        Some(ServerSetting { value: Some(value), variable: None, .. }) => Ok(format!("{value}{unit}")),
        Some(ServerSetting { value: None, variable: Some(variable), .. }) => {
            Err(format!("{variable} sets it"))
        }
        _ if project.deploy.iter().all(|c| c.start.is_none()) => Err("no start command was found".into()),
        _ => Err("the start command does not say; the server's own default holds".into()),
    }
}

fn runtime(project: &ProjectSnapshot) -> Result<String, String> {
    let Some(stack) = project.stacks.first() else { return Err("no language was recognised".into()) };
    let runtime = &stack.runtime;
    match (&runtime.present, &runtime.wanted) {
        (Some(present), Some(wanted)) => {
            Ok(format!("{} {present} here (the project asks for {wanted})", runtime.name))
        }
        (Some(present), None) => Ok(format!("{} {present} here", runtime.name)),
        (None, Some(wanted)) => Ok(format!("{} {wanted}, by the project's own word", runtime.name)),
        (None, None) => {
            Err(format!("neither this machine nor the project tells a version of {}", runtime.name))
        }
    }
}

fn describe_config(config: &DeployConfig) -> String {
    let stage = match config.stage {
        landfall_evidence::DeployStage::Production => "production",
        landfall_evidence::DeployStage::Development => "development",
    };
    let bind = config.start.as_ref().map(|s| {
        format!(
            ", binds {}:{}",
            s.bind_host.as_deref().unwrap_or("an address that it does not say"),
            s.bind_port
        )
    });
    let ports: Vec<String> = config.ports.iter().map(|p| format!("{} to {}", p.external, p.local)).collect();
    let ports = if ports.is_empty() { String::new() } else { format!(", port map {}", in_words(&ports)) };
    format!("{} ({}, {stage}{}{ports})", config.file, vendor_name(&config.platform), bind.unwrap_or_default())
}

/// Who runs the zone's name servers: one row where it is one provider, else a row for each server.
fn nameservers(case: &Case<'_>, rows: &mut Vec<Specification>) {
    const GROUP: &str = "edge";
    let mut servers: BTreeMap<String, (Option<String>, ObservationId)> = BTreeMap::new();
    for (o, seen) in case.evidence().dns().filter(|(_, seen)| seen.question.rtype == "NS") {
        for name in seen.answer.present().into_iter().flat_map(|answer| answer.data_of("NS")) {
            let owner = case.catalogue().owner_of_ns(name).map(|owner| vendor_name(&owner.vendor));
            servers.entry(name.to_owned()).or_insert_with(|| (owner, o.id.clone()));
        }
    }
    let owners: BTreeSet<Option<&String>> = servers.values().map(|(owner, _)| owner.as_ref()).collect();
    let unknown = || "the catalogue does not know who runs it".to_owned();
    match owners.into_iter().collect::<Vec<_>>().as_slice() {
        [] => rows.push(row(GROUP, "Nameservers", Err("no NS answer was seen".into()), Vec::new())),
        [one] => {
            let evidence = servers.values().map(|(_, id)| id.clone()).collect::<BTreeSet<_>>();
            rows.push(row(
                GROUP,
                "Nameservers",
                one.cloned().ok_or_else(unknown),
                evidence.into_iter().collect(),
            ));
        }
        _ => rows.extend(servers.iter().map(|(name, (owner, id))| {
            row(GROUP, &format!("Nameserver {name}"), owner.clone().ok_or_else(unknown), vec![id.clone()])
        })),
    }
}

fn edge(case: &Case<'_>, rows: &mut Vec<Specification>) {
    const GROUP: &str = "edge";
    let http: Vec<_> = case.evidence().http().filter(|(o, _)| o.vantage == Vantage::Edge).collect();
    let why_not =
        http.first().map_or_else(|| "production was not asked".to_owned(), |(_, s)| s.answer.describe());
    let marker = http.iter().find_map(|(o, s)| {
        let response = s.answer.present()?;
        let passed = crate::attribution::passed(response, case.catalogue());
        let edge = passed
            .into_iter()
            .find(|p| p.hop == crate::signatures::SignatureHop::Edge && p.vendor != "google")?;
        Some((vendor_name(edge.vendor), vec![o.id.clone()]))
    });
    let by_owner =
        components::edge_vendor(case).map(|v| (vendor_name(v), components::address_evidence(case)));
    match by_owner.or(marker) {
        Some((vendor, evidence)) => rows.push(row(GROUP, "CDN", Ok(vendor), evidence)),
        None if http.iter().any(|(_, s)| s.answer.present().is_some()) => rows.push(row(
            GROUP,
            "CDN",
            Ok("none seen: neither the addresses nor the headers belong to a known one".into()),
            http.first().map(|(o, _)| o.id.clone()).into_iter().collect(),
        )),
        None => rows.push(row(GROUP, "CDN", Err(why_not.clone()), Vec::new())),
    }
    let handshake = case
        .evidence()
        .tls()
        .filter(|(o, _)| o.vantage == Vantage::Edge)
        .find_map(|(o, s)| Some((o, s.answer.present()?)));
    match handshake {
        Some((o, handshake)) => {
            let id = || vec![o.id.clone()];
            let leaf = handshake.chain.first();
            let issuer =
                leaf.map(|leaf| leaf.issuer_organisation.clone().unwrap_or_else(|| leaf.issuer.clone()));
            rows.push(row(
                GROUP,
                "Certificate issuer",
                issuer.ok_or_else(|| "no certificate could be read".into()),
                id(),
            ));
            rows.push(row(
                GROUP,
                "TLS",
                Ok(format!("{}, {}", handshake.version, handshake.cipher_suite)),
                id(),
            ));
        }
        None => {
            let why = case
                .evidence()
                .tls()
                .find(|(o, _)| o.vantage == Vantage::Edge)
                .map_or_else(|| "no handshake was made".to_owned(), |(_, s)| s.answer.describe());
            rows.push(row(GROUP, "Certificate issuer", Err(why.clone()), Vec::new()));
            rows.push(row(GROUP, "TLS", Err(why), Vec::new()));
        }
    }
    nameservers(case, rows);
    // Port 80 only redirects; what it speaks is not what the API speaks.
    let https = case.production().is_some_and(|url| url.scheme() == "https");
    let http: Vec<_> =
        http.into_iter().filter(|(_, s)| !https || s.request.purpose != Purpose::PlainHttp).collect();
    let spoken: BTreeSet<HttpVersion> =
        http.iter().filter_map(|(_, s)| Some(s.answer.present()?.version)).collect();
    let words: Vec<String> = spoken.iter().map(ToString::to_string).collect();
    let proof: Vec<ObservationId> = spoken
        .iter()
        .filter_map(|v| {
            http.iter()
                .find(|(_, s)| s.answer.present().is_some_and(|r| r.version == *v))
                .map(|(o, _)| o.id.clone())
        })
        .collect();
    rows.push(row(
        GROUP,
        "HTTP versions",
        if words.is_empty() { Err(why_not) } else { Ok(words.join(", ")) },
        proof,
    ));
    rows.push(ipv6(case));
    match findings::headers_in_words(case) {
        Some((words, observation)) => {
            rows.push(row(GROUP, "Security headers", Ok(words), vec![observation.id.clone()]));
        }
        None => rows.push(row(GROUP, "Security headers", Err("no good answer was seen".into()), Vec::new())),
    }
    for (name, vantage) in [("Build", Vantage::Edge), ("Build at the platform's own name", Vantage::Origin)] {
        if vantage == Vantage::Origin && case.evidence().target.origin.is_none() {
            continue;
        }
        match marker::standing(case, vantage) {
            Some((standing, evidence)) => rows.push(row(GROUP, name, Ok(standing.in_words()), evidence)),
            None => rows.push(row(GROUP, name, Err("no good answer was seen".into()), Vec::new())),
        }
    }
    if let Some((document, id)) = marker::document(case, Vantage::Edge) {
        let operations = count(document.operations.len(), "operation");
        let (against, ids) = match marker::by_document(case, Vantage::Edge) {
            Some((marker::Standing::Other(why), ids)) => {
                (format!("another than the local backend's: {why}"), ids)
            }
            Some((_, ids)) => ("the same as the local backend's".to_owned(), ids),
            None => ("no local backend serves one to compare with".to_owned(), vec![id]),
        };
        rows.push(row(GROUP, "OpenAPI document", Ok(format!("{operations}; {against}")), ids));
    }
}

fn ipv6(case: &Case<'_>) -> Specification {
    const NAME: &str = "IPv6";
    let Some(host) = case.production_name() else {
        return row("edge", NAME, Err("the production URL names no host, or an address".into()), Vec::new());
    };
    let asked: Vec<_> = case
        .evidence()
        .dns()
        .filter(|(_, s)| s.question.name == host && s.question.rtype == "AAAA")
        .collect();
    let addresses: BTreeSet<&str> =
        asked.iter().filter_map(|(_, s)| s.answer.present()).flat_map(|a| a.data_of("AAAA")).collect();
    let evidence =
        asked.iter().filter(|(_, s)| s.answer.present().is_some()).map(|(o, _)| o.id.clone()).collect();
    let tried = case.evidence().http().find_map(|(o, s)| {
        let over_v6 = o.vantage == Vantage::Edge && s.request.address.is_some_and(|a| a.is_ipv6());
        (over_v6).then(|| match &s.answer {
            Observed::Present(_) => "answers".to_owned(),
            other => other.describe(),
        })
    });
    let value = match (addresses.len(), asked.iter().any(|(_, s)| s.answer.present().is_some())) {
        (0, true) => Ok("no: the name has no AAAA record".to_owned()),
        (0, false) => Err(asked.first().map_or_else(|| "not asked".to_owned(), |(_, s)| s.answer.describe())),
        (n, _) => Ok(match tried {
            Some(how) => format!("yes, {}; {how}", count(n, "AAAA record")),
            None => format!("yes, {}; not asked over IPv6", count(n, "AAAA record")),
        }),
    };
    row("edge", NAME, value, evidence)
}

fn monitoring(case: &Case<'_>, rows: &mut Vec<Specification>) {
    const GROUP: &str = "monitoring";
    for (name, vantage) in [("Local health", Vantage::Local), ("Production health", Vantage::Edge)] {
        let readings = case.view.readings(vantage);
        let (status, words) = components::endpoints(&readings);
        let evidence = readings.iter().filter_map(|r| r.id().cloned()).collect();
        let value = if status == crate::Status::Unknown { Err(words) } else { Ok(words) };
        rows.push(row(GROUP, name, value, evidence));
    }
    let schedulers = match case.evidence().project() {
        None => row(GROUP, "Schedulers", Err("the project folder was not read".into()), Vec::new()),
        Some((o, project)) if project.schedulers.is_empty() => {
            row(GROUP, "Schedulers", Ok("none found in the code".into()), vec![o.id.clone()])
        }
        Some((o, project)) => {
            let words: Vec<String> = project
                .schedulers
                .iter()
                .map(|s| {
                    let when = match (&s.gated_by, s.starts_at_import) {
                        (Some(variable), true) => format!(", starts at import when {variable} is set"),
                        (None, true) => ", starts at import".to_owned(),
                        (_, false) => String::new(),
                    };
                    format!(
                        "{}, {} registered in the code ({}{when})",
                        s.kind,
                        count(s.jobs as usize, "job"),
                        s.place
                    )
                })
                .collect();
            row(GROUP, "Schedulers", Ok(words.join("; ")), vec![o.id.clone()])
        }
    };
    rows.push(schedulers);
}
