//! Sections 1 to 6: what was seen, layer by layer.

use landfall_evidence::{DnsServerRole, PortSetting, TestPurpose, Vantage};

use super::Page;
use super::escape::{code, text};
use crate::model::{Answer, EndpointHealth, Kind, Outcome, Report, TestsReport};
use crate::words;

pub(super) fn environment(page: &mut Page, report: &Report) {
    let env = &report.environment;
    page.heading(2, "1. Environment check");
    match &env.working_directory {
        Some(folder) => page.field("Working directory", &code(folder)),
        None => page.field("Working directory", "not known: no project folder was named"),
    }
    if env.outcome != Outcome::Answered {
        page.field("Project folder", &text(&env.words));
        return;
    }
    for stack in &env.stacks {
        let runtime = &stack.runtime;
        let present = runtime.present.as_deref().unwrap_or("not found on this machine");
        let wanted = runtime
            .wanted
            .as_deref()
            .map(|w| format!(" (the project asks for {})", text(w)))
            .unwrap_or_default();
        let name = if runtime.name.is_empty() { &stack.language } else { &runtime.name };
        page.field("Runtime", &format!("{} {}{wanted}", text(name), text(present)));
        let parts = [("framework", &stack.framework), ("server", &stack.server)];
        let parts: Vec<String> = parts
            .into_iter()
            .filter_map(|(role, d)| {
                d.as_ref().map(|d| {
                    format!(
                        "{role} {} {}",
                        text(&d.name),
                        text(d.version.as_deref().unwrap_or(&d.requirement))
                    )
                })
            })
            .collect();
        if !parts.is_empty() {
            let manifest =
                stack.manifest.as_deref().map(|m| format!(", from {}", code(m))).unwrap_or_default();
            page.field("Stack", &format!("{}{manifest}", parts.join(", ")));
        }
    }
    if let Some(entry) = &env.entry {
        let defines = entry.defines.as_deref().map(|d| format!(", defines {}", code(d))).unwrap_or_default();
        page.field(
            "Entry file",
            &format!("{} ({}){defines}", code(&entry.path), words::count(entry.size_byte, "byte", "bytes")),
        );
    }
    page.table(
        &["Folder", "Files"],
        env.folders.iter().map(|f| vec![code(&f.path), words::grouped(f.files)]),
    );
    page.table(
        &["Deploy configuration", "Platform", "Binds", "Port map (inside to outside)", "Start command"],
        env.deploy.iter().map(|d| {
            let start = d.start.as_ref();
            let bind = start.map_or_else(
                || "not said".to_owned(),
                |s| {
                    let port = match &s.bind_port {
                        PortSetting::Unsaid => "port not said".to_owned(),
                        port => port.to_string(),
                    };
                    code(&format!("{}:{port}", s.bind_host.as_deref().unwrap_or("*")))
                },
            );
            let ports: Vec<String> =
                d.ports.iter().map(|p| format!("{} to {}", p.local, p.external)).collect();
            let ports = if ports.is_empty() { "none".to_owned() } else { ports.join(", ") };
            vec![
                code(&d.file),
                text(&d.platform),
                bind,
                ports,
                start.map_or_else(|| "not said".to_owned(), |s| code(&s.raw)),
            ]
        }),
    );
    settings(page, report);
    if let Some(git) = &env.git {
        let branch = git
            .branch
            .as_deref()
            .map_or_else(|| "detached head".to_owned(), |b| format!("branch {}", code(b)));
        let ahead = git
            .ahead
            .map(|n| format!(", {} not pushed", words::count(n, "commit", "commits")))
            .unwrap_or_default();
        let dirty = git.uncommitted.len();
        page.field(
            "Version control",
            &format!(
                "{branch} at {}{ahead}, {} changed and not committed",
                code(&git.head),
                words::count(dirty as u64, "file", "files")
            ),
        );
        page.table(
            &["Commit", "When", "File", "Bound before", "Binds after", "Message"],
            git.deploy_history.iter().map(|h| {
                let bind = |s: &Option<landfall_evidence::StartCommand>| {
                    s.as_ref().map_or_else(
                        || "none".to_owned(),
                        |s| code(&format!("{}:{}", s.bind_host.as_deref().unwrap_or("*"), s.bind_port)),
                    )
                };
                vec![
                    code(&h.commit),
                    h.at.map_or_else(|| "not known".to_owned(), words::minute),
                    code(&h.file),
                    bind(&h.start_before),
                    bind(&h.start_after),
                    text(&h.subject),
                ]
            }),
        );
    }
    if !env.unread.is_empty() {
        page.field("Could not be read", "");
        page.list(env.unread.iter().map(|u| text(u)));
    }
    page.findings(report, Kind::Project);
}

fn settings(page: &mut Page, report: &Report) {
    let settings = &report.environment.settings;
    if settings.declared.is_empty() && settings.read.is_empty() {
        return;
    }
    let missing: Vec<String> = settings
        .declared
        .iter()
        .filter(|name| !settings.present.contains(name))
        .map(|name| code(name))
        .collect();
    let declared_in = settings.declared_in.as_deref().map(|f| format!(" in {}", code(f))).unwrap_or_default();
    let missing = if missing.is_empty() {
        "none missing here".to_owned()
    } else {
        format!("not present here: {}", missing.join(", "))
    };
    page.field(
        "Settings",
        &format!("{} declared{declared_in}, {} read by the code; {missing}. Names only; values are never read into a report.", settings.declared.len(), settings.read.len()),
    );
}

pub(super) fn health(page: &mut Page, report: &Report) {
    let health = &report.health;
    page.heading(2, "2. Health endpoint analysis");
    if health.vantages.is_empty() {
        page.paragraph("No endpoint was asked.");
        return;
    }
    page.heading(3, "2.1 Side by side");
    let mut head = vec!["Endpoint"];
    head.extend(health.vantages.iter().map(|v| words::side(*v)));
    head.push("Same shape as local");
    let row = |name: String, row: &EndpointHealth| {
        let mut cells = vec![name];
        cells.extend(
            health.vantages.iter().map(|v| row.from(*v).map_or_else(|| "not asked".to_owned(), cell)),
        );
        cells.push(shape(row));
        cells
    };
    let endpoints = health.endpoints.iter().map(|e| {
        let core = if e.core { " (main function)" } else { "" };
        row(format!("{}{core}", code(&format!("{} {}", e.method, e.path))), e)
    });
    let controls = health
        .controls
        .iter()
        .map(|c| row(format!("{} (a path that nobody defined)", code(&format!("GET {}", c.path))), c));
    page.table(&head, endpoints.chain(controls));
    for (i, side) in health.vantages.iter().enumerate() {
        let base = match side {
            Vantage::Local => &report.target.local,
            Vantage::Origin => &report.target.origin,
            _ => &report.target.production,
        };
        let base = base.as_ref().map(|url| format!(" ({url})")).unwrap_or_default();
        page.heading(3, &format!("2.{} {}{base}", i + 2, words::side(*side)));
        for row in health.endpoints.iter().chain(&health.controls) {
            if let Some(answer) = row.from(*side) {
                exchange(page, answer);
            }
        }
    }
    if !health.others.is_empty() {
        page.heading(3, &format!("2.{} Other addresses, versions and schemes", health.vantages.len() + 2));
        page.table(
            &["Request", "Asked in", "Address", "Outcome", "Time"],
            health.others.iter().map(|a| {
                vec![
                    code(&a.url),
                    a.asked_version.to_string(),
                    a.address.map_or_else(|| "none".to_owned(), |a| a.to_string()),
                    text(&a.words),
                    words::span_us(a.took_us),
                ]
            }),
        );
    }
    unknown_path(page, report);
    if !health.conclusions.is_empty() {
        page.field("What the answers show", "");
        page.list(health.conclusions.iter().map(|c| text(c)));
    }
    page.findings(report, Kind::Http);
    page.conclusion(report, "local");
    page.conclusion(report, "production");
}

fn cell(answer: &Answer) -> String {
    let mark = match answer.as_declared {
        Some(true) => "✓ ",
        Some(false) => "✗ ",
        None => "",
    };
    let limited = if answer.fell_to_limiter { " (fell to the rate limiter)" } else { "" };
    let kind = answer.media_type.as_deref().map(|t| format!(", {}", text(t))).unwrap_or_default();
    format!("{mark}{}{kind}, {}{limited}", text(&answer.words), words::span_us(answer.took_us))
}

fn shape(row: &EndpointHealth) -> String {
    let told: Vec<String> = row
        .answers
        .iter()
        .filter_map(|a| {
            Some(format!("{}: {}", words::side(a.vantage), if a.same_shape_as_local? { "yes" } else { "no" }))
        })
        .collect();
    if told.is_empty() { "nothing to compare".to_owned() } else { told.join("; ") }
}

fn exchange(page: &mut Page, answer: &Answer) {
    page.heading(4, &format!("{} {}", answer.method, answer.url));
    let mark = match answer.as_declared {
        Some(true) => "✓ ",
        Some(false) => "✗ ",
        None => "",
    };
    let version = answer.version.map(|v| format!(", {v}")).unwrap_or_default();
    let to = answer.address.map(|a| format!(", at {a}")).unwrap_or_default();
    page.field("Status", &format!("{mark}{}{version}{to}", text(&answer.words)));
    if answer.fell_to_limiter {
        page.field("Note", "this answer is the rate limiter's refusal; it says nothing of the endpoint");
    }
    for earlier in &answer.earlier {
        let why = if earlier.fell_to_limiter { ", which fell to the rate limiter" } else { "" };
        page.field("Asked again after", &format!("{}{why}", text(&earlier.words)));
    }
    let slices: Vec<String> =
        answer.timings.slices().map(|(phase, us)| format!("{phase} {}", words::span_us(us))).collect();
    if !slices.is_empty() {
        page.field("Time", &format!("{} ({})", words::span_us(answer.took_us), slices.join(", ")));
    }
    if !answer.headers.is_empty() {
        page.field("Full response headers", "");
        let status = answer.status.map(|s| s.to_string()).unwrap_or_default();
        let version = answer.version.map(|v| v.to_string()).unwrap_or_default();
        page.fenced("http", &format!("{version} {status}\n{}", words::headers(&answer.headers)));
    }
    if let Some(body) = &answer.body {
        page.field("Response body", &text(&words::body(body)));
        if let Some(raw) = &body.text {
            page.fenced(if body.is_json { "json" } else { "text" }, raw);
        }
    }
    if let Some(to) = &answer.redirect_to {
        page.field("Leads to", &code(to));
    }
}

/// The application's own "not found" beside production's: the plainest sign of who answered.
fn unknown_path(page: &mut Page, report: &Report) {
    for control in &report.health.controls {
        let described: Vec<String> = control
            .answers
            .iter()
            .map(|a| {
                let kind = a.media_type.as_deref().map(|t| format!(", {}", code(t))).unwrap_or_default();
                let size =
                    a.body.as_ref().map(|b| format!(", {}", text(&words::body(b)))).unwrap_or_default();
                format!("{}: {}{kind}{size}", words::side(a.vantage), text(&a.words))
            })
            .collect();
        page.field("On a path that nobody defined", "");
        page.list(described);
    }
}

pub(super) fn dns(page: &mut Page, report: &Report) {
    let dns = &report.dns;
    page.heading(2, "3. DNS resolution analysis");
    if let Some(name) = &dns.name {
        page.field("Domain", &code(name));
    }
    for family in &dns.families {
        page.field(&format!("{} addresses", family.family), "");
        if family.addresses.is_empty() {
            page.paragraph(&format!("none ({})", text(&family.words)));
        } else {
            page.list(family.addresses.iter().map(|a| code(a)));
        }
    }
    if let Some(used) = dns.used {
        page.field("Address actually used", &code(&used.to_string()));
    }
    if !dns.nameservers.is_empty() {
        page.field("Nameservers", "");
        page.list(dns.nameservers.iter().map(|n| match &n.owner {
            Some(owner) => format!("{} ({})", code(&n.name), text(owner)),
            None => code(&n.name),
        }));
    }
    if !dns.http_versions.is_empty() {
        page.field("HTTP versions at the edge", "");
        page.list(dns.http_versions.iter().map(|v| format!("{}: {}", v.asked, text(&v.words))));
    }
    for server in &dns.servers {
        let who = match server.server.role {
            DnsServerRole::System => "The system's resolver",
            DnsServerRole::Recursive => "Recursive resolver",
            DnsServerRole::Authoritative => "Authoritative server",
            DnsServerRole::Parent => "Server of the parent zone",
            DnsServerRole::Expected => "Server that should hold the zone",
            DnsServerRole::HostsFile => "Hosts file",
        };
        let name = server.server.name.as_deref().map(|n| format!(" {n}")).unwrap_or_default();
        let address = server.server.address.map(|a| format!(" ({a})")).unwrap_or_default();
        page.heading(3, &format!("{who}{name}{address}"));
        page.table(
            &["Name", "Type", "TTL", "Data", "Response"],
            server.rows.iter().map(|row| {
                let aa = if row.authoritative { ", authoritative" } else { "" };
                let extra: String = row.extended_errors.iter().map(|e| format!(", {}", text(e))).collect();
                vec![
                    code(&row.name),
                    text(&row.rtype),
                    row.ttl_s.map(|t| format!("{t} s")).unwrap_or_default(),
                    row.data.as_deref().map(code).unwrap_or_default(),
                    format!("{}{aa}{extra}", text(&row.words)),
                ]
            }),
        );
    }
    page.findings(report, Kind::Dns);
    page.conclusion(report, "dns");
}

pub(super) fn tls(page: &mut Page, report: &Report) {
    page.heading(2, "4. SSL/TLS certificate analysis");
    if report.tls.is_empty() {
        page.paragraph("No handshake was made.");
    }
    for shake in &report.tls {
        page.heading(3, &format!("{} at {}", shake.host, shake.address));
        let mark = words::outcome_mark(shake.outcome);
        page.field("Handshake", &format!("{mark} {}", text(&shake.words)));
        if shake.outcome != Outcome::Answered {
            continue;
        }
        if let Some(same) = &shake.same_as {
            page.paragraph(&format!("The same chain and trust as in {}.", code(&same.0)));
            continue;
        }
        let group = shake.group.as_deref().unwrap_or("not known");
        let alpn = shake.alpn.as_deref().unwrap_or("none");
        page.field("Key exchange", &format!("{}, ALPN {}", text(group), text(alpn)));
        page.table(
            &["#", "Subject", "Issuer", "Key", "Signature", "Valid from", "Valid until", "Left"],
            shake.chain.iter().enumerate().map(|(i, c)| {
                vec![
                    i.to_string(),
                    text(&c.certificate.subject),
                    text(&c.certificate.issuer),
                    text(&words::key(&c.certificate.key)),
                    text(&c.certificate.signature),
                    words::day(c.certificate.not_before),
                    words::day(c.certificate.not_after),
                    format!("{} of {} days ({} %)", c.days_left, c.lifetime_days, c.left_percent),
                ]
            }),
        );
        if !shake.unparsed.is_empty() {
            page.field("Could not be parsed", "");
            page.list(shake.unparsed.iter().map(|u| text(u)));
        }
        if let Some(leaf) = shake.chain.first() {
            let names: Vec<String> = leaf.certificate.san.iter().map(|n| code(n)).collect();
            let verdict = if shake.name_matches == Some(true) { "✓ covers" } else { "✗ does not cover" };
            let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            page.field("Names", &format!("{names}; {verdict} {}", code(&shake.host)));
        }
        page.field("Trust", "");
        page.list(
            shake.trust.iter().map(|t| format!("{}: {}", text(&t.store), text(&words::trust(&t.result)))),
        );
    }
    page.findings(report, Kind::Tls);
    page.conclusion(report, "tls");
}

pub(super) fn rate_limit(page: &mut Page, report: &Report) {
    page.heading(2, "5. Rate limiting analysis");
    let Some(limit) = &report.rate_limit else {
        page.paragraph("Nothing is known of a rate limit.");
        page.conclusion(report, "rate-limit");
        return;
    };
    if let Some(url) = &limit.url {
        page.field("Target", &code(url));
    }
    let split = match (limit.own_earlier, limit.added) {
        (Some(own), Some(added)) => format!(" ({own} sent for other reasons, {added} added by the probe)"),
        _ => String::new(),
    };
    page.field("Requests counted", &format!("{}{split}", limit.requests_counted));
    if let Some(stop) = limit.stopped {
        page.field("The probe stopped", words::stopped(stop));
    }
    if !limit.statuses.is_empty() {
        let lines: Vec<String> = limit
            .statuses
            .iter()
            .enumerate()
            .map(|(i, s)| format!("Request {}: {}", i + 1, crate::text::clean(s)))
            .collect();
        page.fenced("", &lines.join("\n"));
    }
    let fits: Vec<String> = limit.algorithm.iter().map(ToString::to_string).collect();
    let or_unknown = |t: Option<&str>| t.map_or_else(|| "not known".to_owned(), text);
    page.table(
        &["Property", "Value"],
        [
            ("Requests that pass from a quiet start", words::interval(limit.limit)),
            ("Window", limit.window_s.map_or_else(|| "not known".to_owned(), words::seconds)),
            ("Burst", limit.burst.map_or_else(|| "not known".to_owned(), |b| b.to_string())),
            ("Kind that fits", if fits.is_empty() { "not known".to_owned() } else { fits.join(" or ") }),
            ("Signal", or_unknown(limit.signal.as_deref())),
            ("Hop that answers", or_unknown(limit.hop.as_deref())),
            ("Confidence", words::percent(limit.confidence)),
        ]
        .map(|(name, value)| vec![name.to_owned(), value]),
    );
    if !limit.impact.is_empty() {
        page.field("Who is affected", "");
        page.list(limit.impact.iter().map(|i| text(i)));
    }
    if let Some(advice) = &limit.recommendation {
        page.field("Recommendation", &text(advice));
    }
    if let Some(settings) = &limit.settings {
        page.field(&settings.limiter, &text(&settings.place));
        page.fenced("", &crate::text::clean_block(&settings.lines.join("\n")));
    }
    if !limit.slower.is_empty() {
        page.field("What could ask less", "");
        page.list(limit.slower.iter().map(|s| text(s)));
    }
    if !limit.open.is_empty() {
        page.field("Not separated", "");
        page.list(limit.open.iter().map(|i| text(i)));
    }
    page.findings(report, Kind::RateLimit);
    page.conclusion(report, "rate-limit");
}

pub(super) fn tests(page: &mut Page, report: &Report) {
    page.heading(2, "6. Build and test integrity");
    if report.tests.is_empty() {
        page.paragraph("No test was run.");
    }
    for run in &report.tests {
        test_run(page, run);
    }
    page.conclusion(report, "tests");
}

fn test_run(page: &mut Page, tests: &TestsReport) {
    match &tests.purpose {
        TestPurpose::AsDeclared => page.heading(3, "The project's own command"),
        TestPurpose::Remedy { what } => page.heading(3, &format!("Tried: {what}")),
    }
    page.field("Command", &code(&tests.command));
    page.field("Status", &format!("{}, {}", text(&tests.words), words::span_us(tests.took_us)));
    let Some(run) = &tests.run else { return };
    if let Some(counts) = run.counts {
        page.field(
            "Counts",
            &format!(
                "{} collected, {} passed, {} failed, {}, {} skipped",
                counts.collected,
                counts.passed,
                counts.failed,
                words::count(counts.errors, "error", "errors"),
                counts.skipped
            ),
        );
    }
    for error in &run.collection_errors {
        let place = error.line.map_or_else(|| error.file.clone(), |line| format!("{}:{line}", error.file));
        page.field(
            "Error",
            &format!("{} {}: {}", code(&place), code(&error.exception), text(&error.message)),
        );
        if let Some(statement) = &error.statement {
            page.fenced("", statement);
        }
        if let Some(gap) = &error.gap {
            page.field(
                "Cause",
                &format!(
                    "{} is defined in {}, but the folder {} is not on the import path",
                    code(&gap.module),
                    code(&gap.defined_in),
                    code(&gap.missing_path)
                ),
            );
        }
    }
    if !run.failed.is_empty() {
        page.field("Failed tests", "");
        page.list(run.failed.iter().map(|f| code(f)));
    }
    if !run.output_tail.trim().is_empty() {
        page.field("End of the output", "");
        page.fenced("", &run.output_tail);
    }
    if matches!(tests.purpose, TestPurpose::Remedy { .. }) {
        return;
    }
    if !tests.because.is_empty() {
        page.field("What rests on this run", "");
        page.list(tests.because.iter().map(|b| text(b)));
    }
    for remedy in &tests.remedy {
        page.field("Recommendation", &text(remedy));
    }
}
