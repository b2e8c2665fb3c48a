//! What was seen: environment, endpoints, DNS, TLS, rate limit, tests, specifications, observations.

use landfall_evidence::{DnsServerRole, TestPurpose};
use maud::{Markup, html};

use super::{cite, limits, of_outcome, of_status, section, state, table, waterfall};
use crate::model::{Answer, EndpointHealth, Kind, Outcome, Report, TlsReport};
use crate::words;

/// The component's state in the diagnosis's words, and the findings that rest on one kind of observation.
fn told(report: &Report, component: &str, kind: Kind) -> Markup {
    html! {
        @if let Some(c) = report.component(component) {
            p { (state(of_status(c.status), words::status(c.status))) ": " (c.headline) }
        }
        @for f in report.findings_about(kind) {
            p.small { code { (f.code) } " " (f.title) " " span.soft { "(" (words::severity(f.severity)) ")" } }
        }
    }
}

pub(super) fn environment(report: &Report) -> Markup {
    let env = &report.environment;
    section(
        "environment",
        "Environment",
        "",
        html! {
            @if env.outcome != Outcome::Answered { p { (state(of_outcome(env.outcome), "not read")) ": " (env.words) } }
            dl.facts {
                @if let Some(folder) = &env.working_directory { dt { "Working directory" } dd { code { (folder) } } }
                @for stack in &env.stacks {
                    dt { "Runtime" }
                    dd {
                        (if stack.runtime.name.is_empty() { &stack.language } else { &stack.runtime.name }) " "
                        (stack.runtime.present.as_deref().unwrap_or("not found on this machine"))
                        @if let Some(wanted) = &stack.runtime.wanted { span.soft { " (the project asks for " (wanted) ")" } }
                    }
                    @for (role, part) in [("Framework", &stack.framework), ("Server", &stack.server)] {
                        @if let Some(part) = part { dt { (role) } dd { (part.name) " " (part.version.as_deref().unwrap_or(&part.requirement)) } }
                    }
                }
                @if let Some(entry) = &env.entry {
                    dt { "Entry file" }
                    dd { code { (entry.path) } ", " (words::count(entry.size_byte, "byte", "bytes")) @if let Some(what) = &entry.defines { ", defines " code { (what) } } }
                }
                @if !env.settings.declared.is_empty() {
                    @let missing: Vec<&str> = env.settings.declared.iter().filter(|n| !env.settings.present.contains(n)).map(String::as_str).collect();
                    dt { "Settings" }
                    dd {
                        (env.settings.declared.len()) " declared"
                        @if let Some(file) = &env.settings.declared_in { " in " code { (file) } }
                        @if missing.is_empty() { ", all present" } @else { ", not present here: " (missing.join(", ")) }
                    }
                }
                @if let Some(git) = &env.git {
                    dt { "Version control" }
                    dd {
                        code { (git.branch.as_deref().unwrap_or("detached head")) } " at " code { (git.head) }
                        @if let Some(ahead) = git.ahead { ", " (words::count(ahead, "commit", "commits")) " not pushed" }
                        ", " (words::count(git.uncommitted.len() as u64, "file", "files")) " not committed"
                    }
                }
            }
            @if !env.folders.is_empty() {
                (table("Folders", &["Folder", "Files"], html! {
                    @for f in &env.folders { tr { td { code { (f.path) } } td.num { (words::grouped(f.files)) } } }
                }))
            }
            @if !env.deploy.is_empty() {
                h4 { "Deploy configuration" }
                (table("Deploy configuration", &["File", "Platform", "Port map", "Start command"], html! {
                    @for d in &env.deploy {
                        tr {
                            td { code { (d.file) } } td { (d.platform) }
                            td { @for p in &d.ports { div.nowrap { (p.local) " to " (p.external) } } }
                            td { @if let Some(start) = &d.start { code { (start.raw) } } @else { span.soft { "not said" } } }
                        }
                    }
                }))
            }
            @if let Some(history) = env.git.as_ref().map(|g| &g.deploy_history).filter(|h| !h.is_empty()) {
                h4 { "Its history" }
                (table("History of the deploy configuration", &["Commit", "When", "Before", "After", "Message"], html! {
                    @for h in history {
                        tr {
                            td { code { (h.commit) } }
                            td.nowrap { @if let Some(at) = h.at { (words::minute(at)) } }
                            @for start in [&h.start_before, &h.start_after] {
                                td { @if let Some(s) = start { code { (s.bind_host.as_deref().unwrap_or("*")) ":" (s.bind_port) } } @else { span.soft { "none" } } }
                            }
                            td { (h.subject) }
                        }
                    }
                }))
            }
            @if !env.unread.is_empty() {
                h4 { "Could not be read" }
                ul { @for u in &env.unread { li { (u) } } }
            }
            @for f in report.findings_about(Kind::Project) { p.small { code { (f.code) } " " (f.title) } }
        },
    )
}

pub(super) fn health(report: &Report) -> Markup {
    let health = &report.health;
    if health.vantages.is_empty() {
        return section("health", "Endpoints", "", html! { p { "No endpoint was asked." } });
    }
    let mut head = vec!["Endpoint"];
    head.extend(health.vantages.iter().map(|v| words::side(*v)));
    let row = |e: &EndpointHealth, note: &str| {
        html! {
            tr {
                th.ask scope="row" { code { (e.method) " " (e.path) } @if !note.is_empty() { div class="soft small" { (note) } } }
                @for side in &health.vantages { td.cell { @if let Some(a) = e.from(*side) { (cell(a)) } @else { span.soft { "not asked" } } } }
            }
        }
    };
    section(
        "health",
        "Endpoints",
        "the same questions, side by side",
        html! {
            div.scroll role="region" aria-label="Endpoints side by side" tabindex="0" {
                table.wide {
                    thead { tr { @for name in &head { th scope="col" { (name) } } } }
                    tbody {
                        @for e in &health.endpoints { (row(e, if e.core { "main function" } else { "" })) }
                        @for c in &health.controls { (row(c, "a path that nobody defined")) }
                    }
                }
            }
            @if !health.conclusions.is_empty() {
                h4 { "What the answers show" }
                ul { @for c in &health.conclusions { li { (c) } } }
            }
            (told(report, "production", Kind::Http))
            h4 { "Whole answers" }
            div.list {
                @for e in health.endpoints.iter().chain(&health.controls) {
                    details {
                        summary { code { (e.method) " " (e.path) } }
                        @for a in &e.answers { (exchange(report, a)) }
                    }
                }
            }
            @if !health.others.is_empty() {
                h4 { "Other addresses, versions and schemes" }
                (table("Other requests", &["Request", "Asked in", "Address", "Outcome"], html! {
                    @for a in &health.others {
                        tr {
                            td { code { (a.url) } } td.nowrap { (a.asked_version) }
                            td { @if let Some(address) = a.address { code { (address) } } }
                            td { (a.words) " " span.soft { (words::span_us(a.took_us)) } }
                        }
                    }
                }))
            }
        },
    )
}

fn tone(answer: &Answer) -> &'static str {
    match (answer.as_declared, answer.fell_to_limiter, answer.outcome) {
        (Some(true), ..) => "good",
        (Some(false), ..) => "bad",
        (None, true, _) => "warn",
        (None, false, Outcome::Answered) => "idle",
        (None, false, outcome) => of_outcome(outcome),
    }
}

fn cell(answer: &Answer) -> Markup {
    html! {
        (state(tone(answer), &answer.words))
        div class="small soft" {
            @if let Some(kind) = &answer.media_type { (kind) ", " }
            @if let Some(body) = &answer.body { (words::body(body)) ", " }
            (words::span_us(answer.took_us))
        }
        @if let Some(same) = answer.same_shape_as_local { div class="small soft" { (if same { "same shape as local" } else { "another shape than local" }) } }
        @if answer.fell_to_limiter { div.small { span class="chip warn" { "fell to the rate limiter" } } }
        @for earlier in &answer.earlier {
            div class="small soft" { "asked again after " (earlier.words) @if earlier.fell_to_limiter { ", which fell to the rate limiter" } }
        }
    }
}

fn exchange(report: &Report, answer: &Answer) -> Markup {
    html! {
        h4 { (words::side(answer.vantage)) ": " (answer.url) }
        p.small {
            (state(tone(answer), &answer.words))
            @if let Some(version) = answer.version { ", " (version) }
            @if let Some(address) = answer.address { ", at " code { (address) } }
            @if let Some(to) = answer.connected_to { ", packets to " code { (to) } }
            ": " (words::span_us(answer.took_us))
            @let slices: Vec<String> = answer.timings.slices().map(|(phase, us)| format!("{phase} {}", words::span_us(us))).collect();
            @if !slices.is_empty() { span.soft { " (" (slices.join(", ")) ")" } }
        }
        @if let Some(to) = &answer.redirect_to { p.small { "Leads to " code { (to) } } }
        @if !answer.headers.is_empty() { pre { code { (words::headers(&answer.headers)) } } }
        @if let Some(text) = answer.body.as_ref().and_then(|b| b.text.as_ref()) { pre { code { (text) } } }
        (cite(report, std::slice::from_ref(&answer.evidence)))
    }
}

pub(super) fn dns(report: &Report) -> Markup {
    let dns = &report.dns;
    section(
        "dns",
        "DNS",
        dns.name.as_deref().unwrap_or_default(),
        html! {
            dl.facts {
                @for family in &dns.families {
                    dt { (family.family) }
                    dd {
                        @for address in &family.addresses { div { code { (address) } } }
                        @if family.addresses.is_empty() { "none (" (family.words) ")" }
                    }
                }
                @if let Some(used) = dns.used { dt { "Address used" } dd { code { (used) } } }
                @if !dns.nameservers.is_empty() {
                    dt { "Nameservers" }
                    dd { @for n in &dns.nameservers { div { code { (n.name) } @if let Some(owner) = &n.owner { " (" (owner) ")" } } } }
                }
                @if !dns.http_versions.is_empty() {
                    dt { "HTTP versions" }
                    dd { @for v in &dns.http_versions { div { (v.asked) ": " (v.words) } } }
                }
            }
            (told(report, "dns", Kind::Dns))
            @for server in &dns.servers {
                @let who = match server.server.role {
                    DnsServerRole::System => "The system's resolver",
                    DnsServerRole::Recursive => "Recursive resolver",
                    DnsServerRole::Authoritative => "Authoritative server",
                    DnsServerRole::Parent => "Server of the parent zone",
                    DnsServerRole::Expected => "Server that should hold the zone",
                    DnsServerRole::HostsFile => "Hosts file",
                };
                h4 { (who) @if let Some(name) = &server.server.name { " " (name) } @if let Some(address) = server.server.address { " (" (address) ")" } }
                (table(who, &["Name", "Type", "TTL", "Data", "Response"], html! {
                    @for r in &server.rows {
                        tr {
                            td { code { (r.name) } } td { (r.rtype) }
                            td.num { @if let Some(ttl) = r.ttl_s { (ttl) " s" } }
                            td { @if let Some(data) = &r.data { code { (data) } } }
                            td { span.nowrap { (r.words) @if r.authoritative { ", authoritative" } } @for e in &r.extended_errors { ", " (e) } }
                        }
                    }
                }))
            }
        },
    )
}

pub(super) fn tls(report: &Report) -> Markup {
    section(
        "tls",
        "TLS",
        "",
        html! {
            @if report.tls.is_empty() { p { "No handshake was made." } }
            (told(report, "tls", Kind::Tls))
            @for shake in &report.tls { (handshake(report, shake)) }
        },
    )
}

fn handshake(report: &Report, shake: &TlsReport) -> Markup {
    html! {
        h4 { (shake.host) " at " (shake.address) }
        p.small {
            (state(of_outcome(shake.outcome), &shake.words))
            @if let Some(group) = &shake.group { ", key exchange " (group) }
            @if let Some(alpn) = &shake.alpn { ", ALPN " (alpn) }
        }
        @if let Some(same) = &shake.same_as {
            p.small.same { "The same chain and trust as in " } (cite(report, std::slice::from_ref(same)))
        } @else if !shake.chain.is_empty() {
            div.scroll role="region" aria-label="Certificate chain" tabindex="0" {
                table.wide {
                    thead { tr { @for name in ["", "Subject", "Issuer", "Key", "Signature", "Valid", "Left"] { th scope="col" { (name) } } } }
                    tbody {
                        @for (i, c) in shake.chain.iter().enumerate() {
                            tr {
                                td.num { (i) } td { (c.certificate.subject) } td { (c.certificate.issuer) }
                                td { (words::key(&c.certificate.key)) } td { (c.certificate.signature) }
                                td.nowrap { (words::day(c.certificate.not_before)) " to" br; (words::day(c.certificate.not_after)) }
                                td.nowrap { (c.days_left) " of " (c.lifetime_days) " days" br; span.soft { (c.left_percent) " %" } }
                            }
                        }
                    }
                }
            }
            dl.facts {
                @if let Some(leaf) = shake.chain.first() {
                    dt { "Names" }
                    dd {
                        (leaf.certificate.san.join(", ")) ": "
                        @if shake.name_matches == Some(true) { (state("good", "covers the host")) } @else { (state("bad", "does not cover the host")) }
                    }
                }
                @for t in &shake.trust {
                    dt { (t.store) }
                    dd { (words::trust(&t.result)) }
                }
            }
        }
        @if !shake.unparsed.is_empty() { ul { @for u in &shake.unparsed { li { "Could not be parsed: " (u) } } } }
    }
}

pub(super) fn rate_limit(report: &Report) -> Markup {
    section(
        "rate-limit",
        "Rate limit",
        "",
        html! {
            (told(report, "rate-limit", Kind::RateLimit))
            @if let Some(limit) = &report.rate_limit {
                dl.facts {
                    dt { "Passes from a quiet start" } dd { (words::interval(limit.limit)) " requests" }
                    dt { "Window" } dd { (limit.window_s.map_or_else(|| "not known".to_owned(), words::seconds)) }
                    @if !limit.algorithm.is_empty() {
                        @let fits: Vec<String> = limit.algorithm.iter().map(ToString::to_string).collect();
                        dt { "Kind that fits" } dd { (fits.join(" or ")) }
                    }
                    @if let Some(signal) = &limit.signal { dt { "Signal" } dd { (signal) } }
                    @if let Some(hop) = &limit.hop { dt { "Hop that answers" } dd { (hop) } }
                    dt { "Confidence" } dd { (words::percent(limit.confidence)) }
                    @if let Some(url) = &limit.url { dt { "Asked at" } dd { code { (url) } } }
                    @if let (Some(own), Some(added)) = (limit.own_earlier, limit.added) { dt { "Requests" } dd { (limit.requests_counted) " counted: " (own) " sent for other reasons, " (added) " added" } }
                    @if !limit.statuses.is_empty() { dt { "Statuses in order" } dd { (limit.statuses.join(" ")) } }
                    @if let Some(stop) = limit.stopped { dt { "Stopped" } dd { (words::stopped(stop)) } }
                }
                (limits::observed(limit))
                (limits::uses(limit))
                @if let Some(advice) = &limit.recommendation { h4 { "Recommendation" } p { (advice) } }
                @if let Some(settings) = &limit.settings {
                    h4 { (settings.limiter) } p.small.soft { (settings.place) } pre { code { (settings.lines.join("\n")) } }
                }
                @if !limit.slower.is_empty() { h4 { "What could ask less" } ul { @for s in &limit.slower { li { (s) } } } }
                @if !limit.open.is_empty() { h4 { "Not separated" } ul { @for o in &limit.open { li { (o) } } } }
            } @else {
                p.soft { "Nothing is known of a rate limit." }
            }
        },
    )
}

pub(super) fn tests(report: &Report) -> Markup {
    section(
        "tests",
        "Tests",
        "",
        html! {
            (told(report, "tests", Kind::Tests))
            @if report.tests.is_empty() { p.soft { "No test was run." } }
            @for (i, t) in report.tests.iter().enumerate() {
                div class=(if i > 0 { "part" } else { "" }) {
                    h3 {
                        @match &t.purpose {
                            TestPurpose::AsDeclared => "The project's own command",
                            TestPurpose::Remedy { what } => { "Tried: " (what) },
                        }
                    }
                    pre { code { (t.command) } }
                    p { (t.words) ", " (words::span_us(t.took_us))
                        @if let Some(c) = t.run.as_ref().and_then(|r| r.counts) {
                            ": " (c.collected) " collected, " (c.passed) " passed, " (c.failed) " failed, " (words::count(c.errors, "error", "errors"))
                        }
                    }
                    @if let Some(run) = &t.run {
                        @for e in &run.collection_errors {
                            p { code { (e.file) @if let Some(line) = e.line { ":" (line) } } " " strong { (e.exception) } ": " (e.message) }
                            @if let Some(statement) = &e.statement { pre { code { (statement) } } }
                            @if let Some(gap) = &e.gap {
                                p { code { (gap.module) } " is defined in " code { (gap.defined_in) } ", but the folder " code { (gap.missing_path) } " is not on the import path." }
                            }
                        }
                        @if !run.failed.is_empty() { ul { @for f in &run.failed { li { code { (f) } } } } }
                        @if !run.output_tail.trim().is_empty() { details { summary { "End of the output" } pre { code { (run.output_tail) } } } }
                    }
                }
            }
        },
    )
}

pub(super) fn specifications(report: &Report) -> Markup {
    let mut groups: Vec<&str> = Vec::new();
    for row in &report.specifications {
        if !groups.contains(&row.group.as_str()) {
            groups.push(&row.group);
        }
    }
    section(
        "specifications",
        "Specifications",
        "",
        html! {
            @if groups.is_empty() { p.soft { "Nothing was learnt of the stack." } }
            @for group in groups {
                h4 { (group) }
                dl.facts { @for s in report.specifications.iter().filter(|s| s.group == group) { dt { (s.name) } dd { (s.value) } } }
            }
        },
    )
}

pub(super) fn timing(report: &Report) -> Markup {
    let timing = &report.timing;
    let note = format!(
        "{} in all, {} sent",
        words::span_ms(timing.total_ms),
        words::count(timing.requests_sent, "request", "requests")
    );
    section(
        "timing",
        "Timing",
        &note,
        html! {
            @if !timing.critical_path.is_empty() {
                p {
                    "The longest chain of questions on the network, each of which had to wait for the one before, took "
                    (words::span_ms(timing.critical_path_ms)) " and " (words::count(timing.round_trips, "round trip", "round trips")) ":"
                }
                ol.small {
                    @for s in &timing.critical_path {
                        li { (s.label) ", " (words::span_ms(s.took_ms)) @if s.waited_ms >= 1.0 { span.soft { " after " (words::span_ms(s.waited_ms)) " of waiting" } } }
                    }
                }
            }
            (waterfall::draw(report))
            @if !timing.requests_by_host.is_empty() {
                h4 { "Requests by host" }
                dl.facts { @for (host, n) in &timing.requests_by_host { dt { code { (host) } } dd { (n) } } }
            }
        },
    )
}

pub(super) fn observations(report: &Report) -> Markup {
    let note = "each with the command that repeats it by hand";
    section(
        "observations",
        "Observations",
        note,
        html! {
            div.scroll role="region" aria-label="Observations" tabindex="0" {
                table.wide {
                    thead { tr { @for name in ["Observation", "Outcome", "Start", "Took", "By hand"] { th scope="col" { (name) } } } }
                    tbody {
                        @for (i, o) in report.timing.observations.iter().enumerate() {
                            tr id={ "o" (i) } {
                                td { code { (o.evidence.0) } } td { (o.words) }
                                td.num { (words::span_us(o.started_us)) } td.num { (words::span_us(o.took_us)) }
                                td { code { (o.by_hand) } }
                            }
                        }
                    }
                }
            }
        },
    )
}
