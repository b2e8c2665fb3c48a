//! Bare observations as compact tables, for one probe alone (`landfall dns`, `tls`, `http`, `rate-limit`, `tests`).
//!
//! Nothing is judged here: a table says what came back, row by row, and what was not asked says why.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::SocketAddr;

use landfall_evidence::{
    Certificate, Denial, DnsAnswer, DnsObservation, DnsTransport, Evidence, Exit, HttpObservation,
    Observation, Observed, Phase, ProbeFault, ProjectSnapshot, RateLimitRun, TestRun, TestsObservation,
    TlsHandshake, TrustResult, Vantage,
};

mod tls_survey;

use crate::Style;
use crate::spark::spark;
use crate::text::{clean, pad, shorten};
use crate::words;

/// Lays out what was seen, grouped by probe. The text ends with a newline.
pub fn observations(evidence: &Evidence, style: &Style) -> String {
    let mut out = String::new();
    let width = style.width.max(40);
    dns(&mut out, evidence, width);
    tls(&mut out, evidence, width);
    http(&mut out, evidence, width);
    rate_limit(&mut out, evidence, width);
    project(&mut out, evidence, width);
    tests(&mut out, evidence, width);
    if out.is_empty() {
        out.push_str("Nothing was asked.\n");
    }
    let requests = words::count(evidence.requests.total, "HTTP request", "HTTP requests");
    let _ = writeln!(out, "\n{} in {}", requests, words::span_us(evidence.took_us));
    out
}

/// What the caller left out is no news to the caller.
fn is_left_out<T>(answer: &Observed<T>) -> bool {
    matches!(answer, Observed::Unasked(ProbeFault::Skipped))
}

fn heading(out: &mut String, text: &str) {
    if !out.is_empty() {
        out.push('\n');
    }
    let _ = writeln!(out, "{text}");
}

fn row(out: &mut String, width: usize, cells: &[(&str, usize)], last: &str) {
    let mut line = String::from(" ");
    for (cell, columns) in cells {
        let _ = write!(line, " {}", pad(&shorten(&clean(cell), *columns), *columns));
    }
    let _ = write!(line, " {}", clean(last));
    // A value to copy (an address, a record) is worth more whole than aligned, so the last cell is never cut.
    let _ = writeln!(out, "{}", if line.len() > width { line.trim_end() } else { &line }.trim_end());
}

fn dns(out: &mut String, evidence: &Evidence, width: usize) {
    let mut server = None;
    for (observation, seen) in evidence.dns() {
        let of = &seen.question.server;
        let who = match (&of.name, of.address) {
            (Some(name), Some(address)) => format!("{name} ({address})"),
            (None, Some(address)) => address.to_string(),
            (Some(name), None) => name.clone(),
            (None, None) => "the system's resolver".to_owned(),
        };
        let title = format!("DNS, {} {who}", role(seen));
        if server.as_ref() != Some(&title) {
            heading(out, &clean(&title));
            server = Some(title);
        }
        dns_rows(out, observation, seen, width);
    }
}

fn role(seen: &DnsObservation) -> &'static str {
    use landfall_evidence::DnsServerRole::{Authoritative, Expected, HostsFile, Parent, Recursive, System};
    match seen.question.server.role {
        System => "system:",
        Recursive => "recursive",
        Authoritative => "authoritative",
        Parent => "parent",
        Expected => "expected",
        HostsFile => "hosts file",
    }
}

fn dns_rows(out: &mut String, observation: &Observation, seen: &DnsObservation, width: usize) {
    let question = &seen.question;
    let took = words::span_us(observation.took_us);
    let empty = |out: &mut String, word: &str| {
        row(out, width, &[(&question.name, 28), (&question.rtype, 5), ("", 8)], &format!("{word}  ({took})"));
    };
    match &seen.answer {
        Observed::Present(answer) if answer.answers.is_empty() => {
            empty(out, &format!("NODATA{}", flags(answer)))
        }
        Observed::Present(answer) => {
            for record in &answer.answers {
                let ttl = format!("{} s", record.ttl_s);
                let tcp = if question.transport == DnsTransport::Tcp { "  (TCP)" } else { "" };
                let last = format!("{}{}{tcp}", record.data, flags(answer));
                row(out, width, &[(&record.name, 28), (&record.rtype, 5), (&ttl, 8)], &last);
            }
        }
        Observed::Denied(Denial::Rcode(answer)) => {
            let mut word = format!("{}{}", answer.rcode_name, flags(answer));
            for error in &answer.extended_errors {
                let _ = write!(word, "  EDE {} {}", error.code, error.text);
            }
            empty(out, &word);
        }
        other => empty(out, &other.describe()),
    }
}

fn flags(answer: &DnsAnswer) -> String {
    let mut flags = String::new();
    if answer.authoritative {
        flags.push_str("  aa");
    }
    if answer.authentic_data {
        flags.push_str("  ad");
    }
    flags
}

fn tls(out: &mut String, evidence: &Evidence, width: usize) {
    let mut shown: Vec<(SocketAddr, &Vec<Certificate>)> = Vec::new();
    for (observation, seen) in evidence.tls() {
        let question = &seen.question;
        heading(
            out,
            &format!(
                "TLS, {} at {} ({})",
                clean(&question.host),
                question.address,
                words::span_us(observation.took_us)
            ),
        );
        match &seen.answer {
            Observed::Present(handshake) => {
                let same_chain =
                    shown.iter().find(|(_, chain)| *chain == &handshake.chain).map(|(at, _)| *at);
                tls_rows(out, evidence, handshake, same_chain, width);
                shown.push((question.address, &handshake.chain));
            }
            other => row(out, width, &[], &other.describe()),
        }
        let survey = evidence
            .tls_surveys()
            .find(|(o, survey)| o.vantage == observation.vantage && survey.address == question.address);
        if let Some((_, survey)) = survey {
            tls_survey::rows(out, &survey.answer, width);
        }
    }
}

fn tls_rows(
    out: &mut String,
    evidence: &Evidence,
    handshake: &TlsHandshake,
    same_chain: Option<SocketAddr>,
    width: usize,
) {
    let group = handshake.group.as_deref().unwrap_or("unknown group");
    let alpn = handshake.alpn.as_deref().unwrap_or("none");
    row(
        out,
        width,
        &[("protocol", 10)],
        &format!("{}, {}, {group}, ALPN {alpn}", handshake.version, handshake.cipher_suite),
    );
    row(
        out,
        width,
        &[("name", 10)],
        if handshake.name_matches { "covered by the certificate" } else { "NOT covered by the certificate" },
    );
    for trust in &handshake.trust {
        let verdict = match &trust.result {
            TrustResult::Trusted { path } => format!("trusted: {}", path.join(" < ")),
            TrustResult::Refused { .. } => words::trust(&trust.result),
        };
        row(out, width, &[("trust", 10)], &format!("{}: {verdict}", trust.store));
    }
    if let Some(earlier) = same_chain {
        row(out, width, &[("sent", 10)], &format!("the same chain as {earlier}"));
        return;
    }
    for (n, certificate) in handshake.chain.iter().enumerate() {
        row(out, width, &[(&format!("sent {n}"), 10)], &certificate.subject);
        row(out, width, &[("", 10)], &format!("issued by {}", certificate.issuer));
        let left = certificate.not_after.as_second() - evidence.started_at.as_second();
        let days = left.div_euclid(86_400);
        let dates = format!(
            "{} to {}, {days} days left",
            words::day(certificate.not_before),
            words::day(certificate.not_after)
        );
        row(
            out,
            width,
            &[("", 10)],
            &format!("{dates}; {}, {}", words::key(&certificate.key), certificate.signature),
        );
        if n == 0 {
            row(out, width, &[("", 10)], &format!("for {}", certificate.san.join(", ")));
        }
    }
}

fn http(out: &mut String, evidence: &Evidence, width: usize) {
    let sides: BTreeSet<Vantage> = evidence.http().map(|(observation, _)| observation.vantage).collect();
    for side in sides {
        heading(out, &format!("HTTP, {}", words::side(side)));
        for (observation, seen) in evidence.http().filter(|(observation, _)| observation.vantage == side) {
            http_row(out, observation, seen, width);
        }
    }
    // Questions that were asked in another way stand apart, each with what was different.
    let mut headed = false;
    for (observation, seen) in evidence.trials() {
        if !std::mem::replace(&mut headed, true) {
            heading(out, "HTTP, asked in other ways");
        }
        let name = seen.request.trial.as_ref().map_or("", |trial| trial.name.as_str());
        row(out, width, &[], &format!("{name}:"));
        http_row(out, observation, seen, width);
    }
}

/// Phases of an exchange that has no answer, and that it did not come to: they are not 0, they did not happen.
fn not_reached(seen: &HttpObservation) -> Option<String> {
    let at = match &seen.answer {
        Observed::Silent(silence) => silence.phase,
        Observed::Denied(
            Denial::Reset { phase } | Denial::Closed { phase } | Denial::Malformed { phase, .. },
        ) => *phase,
        Observed::Denied(Denial::Refused | Denial::Unreachable { .. }) => Phase::Connect,
        Observed::Denied(
            Denial::TlsAlert { .. } | Denial::NotTls { .. } | Denial::VersionNotOffered { .. },
        ) => Phase::Tls,
        _ => return None,
    };
    let secure = seen.request.url.starts_with("https:");
    let later: Vec<String> = [Phase::Tls, Phase::Wait, Phase::Transfer]
        .into_iter()
        .filter(|phase| *phase > at && (secure || *phase != Phase::Tls))
        .map(|phase| phase.to_string())
        .collect();
    (!later.is_empty()).then(|| format!("not reached: {}", later.join(", ")))
}

fn http_row(out: &mut String, observation: &Observation, seen: &HttpObservation, width: usize) {
    let request = &seen.request;
    let address = request.address.map(|a| a.ip().to_string()).unwrap_or_default();
    let (status, rest) = match &seen.answer {
        Observed::Present(response) => {
            let kind = response.media_type().unwrap_or_else(|| "no type".into());
            let mut rest = format!("{kind}, {} B", response.body.byte_count);
            if let Some(decoded) = &response.body.decoded {
                let out = decoded.problem.clone().unwrap_or_else(|| format!("{} B", decoded.byte_count));
                let _ = write!(rest, " as {}: {out}", decoded.coding);
            }
            if let Some(server) = response.header("server") {
                let _ = write!(rest, ", server {server}");
            }
            if let Some(to) = &response.redirect_to {
                let _ = write!(rest, " -> {to}");
            }
            if let Some(cut) = &response.body.cut {
                let _ = write!(rest, " ({cut})");
            }
            (format!("{} {}", response.version, response.status), rest)
        }
        other => (request.version.to_string(), other.describe()),
    };
    let what = format!("{} {}", request.method, request.path);
    row(
        out,
        width,
        &[(&what, 34), (&status, 12)],
        &format!("{rest}  [{address}, {}]", words::span_us(observation.took_us)),
    );
    let mut slices: Vec<String> =
        seen.timings.slices().map(|(phase, us)| format!("{phase} {}", words::span_us(us))).collect();
    slices.extend(not_reached(seen));
    if !slices.is_empty() {
        row(out, width, &[("", 34), ("", 12)], &slices.join(", "));
    }
}

fn rate_limit(out: &mut String, evidence: &Evidence, width: usize) {
    for (_, seen) in evidence.rate_limit().filter(|(_, seen)| !is_left_out(&seen.answer)) {
        heading(out, &format!("Rate limit, {}", clean(&seen.url)));
        match &seen.answer {
            Observed::Present(run) => rate_limit_rows(out, run, width),
            other => row(out, width, &[], &other.describe()),
        }
    }
}

fn rate_limit_rows(out: &mut String, run: &RateLimitRun, width: usize) {
    let statuses: Vec<String> =
        run.sequence.iter().map(|s| s.status.map_or("-".into(), |s| s.to_string())).collect();
    row(out, width, &[("statuses", 10)], &statuses.join(" "));
    if run.signal.is_some() {
        let run_of = crate::build::observed(run);
        let limit = run.estimate.limit.map(|limit| limit.low);
        row(out, width, &[("counted", 10)], &spark(run_of.iter().map(|r| (r.counted, r.refused)), limit, 60));
    }
    row(
        out,
        width,
        &[("sent", 10)],
        &format!("{} sent for other reasons, {} added", run.own_earlier, run.added),
    );
    let limit = match run.estimate.limit {
        Some(limit) => format!("{limit} requests (confidence {} %)", run.estimate.confidence_percent),
        None => "none seen".to_owned(),
    };
    row(out, width, &[("limit", 10)], &limit);
    if let Some(signal) = &run.signal {
        let retry = signal.retry_after_s.map_or("no Retry-After".into(), |s| format!("Retry-After {s} s"));
        row(
            out,
            width,
            &[("refusal", 10)],
            &format!("HTTP {} at request {}, {retry}", signal.status, signal.position),
        );
    }
    if let Some(window) = run.estimate.window_ms {
        row(out, width, &[("window", 10)], &format!("{window} ms"));
    }
    let classes: Vec<String> = run.estimate.classes.iter().map(ToString::to_string).collect();
    if !classes.is_empty() {
        row(out, width, &[("fits", 10)], &classes.join(", "));
    }
    for open in &run.estimate.open {
        row(out, width, &[("open", 10)], open);
    }
    row(out, width, &[("stopped", 10)], words::stopped(run.stopped));
}

fn project(out: &mut String, evidence: &Evidence, width: usize) {
    let Some((_, snapshot)) = evidence.project() else { return };
    heading(out, &format!("Project, {}", clean(&snapshot.root)));
    project_rows(out, snapshot, width);
}

fn project_rows(out: &mut String, snapshot: &ProjectSnapshot, width: usize) {
    for stack in &snapshot.stacks {
        let dependency = |d: &Option<landfall_evidence::Dependency>| {
            d.as_ref()
                .map(|d| format!(", {} {}", d.name, d.version.as_deref().unwrap_or(&d.requirement)))
                .unwrap_or_default()
        };
        let present = stack.runtime.present.as_deref().unwrap_or("not present");
        let text = format!(
            "{} {present}{}{}",
            stack.runtime.name,
            dependency(&stack.framework),
            dependency(&stack.server)
        );
        row(out, width, &[(&stack.language, 10)], &text);
    }
    if let Some(entry) = &snapshot.entry {
        row(
            out,
            width,
            &[("entry", 10)],
            &format!("{} ({} bytes)", entry.path, words::grouped(entry.size_byte)),
        );
    }
    for unread in &snapshot.unread {
        row(out, width, &[("not read", 10)], unread);
    }
}

fn tests(out: &mut String, evidence: &Evidence, width: usize) {
    for (observation, seen) in evidence.tests().filter(|(_, seen)| !is_left_out(&seen.answer)) {
        heading(out, &format!("Tests, {} ({})", clean(&seen.command), words::span_us(observation.took_us)));
        if let landfall_evidence::TestPurpose::Remedy { what } = &seen.purpose {
            row(out, width, &[("tried", 10)], what);
        }
        tests_rows(out, seen, width);
    }
}

fn tests_rows(out: &mut String, seen: &TestsObservation, width: usize) {
    let run: &TestRun = match &seen.answer {
        Observed::Present(run) => run,
        other => return row(out, width, &[], &other.describe()),
    };
    let exit = match run.exit {
        Exit::Code { code } => format!("exit status {code}"),
        Exit::Signal { signal } => format!("ended by signal {signal}"),
        Exit::TimedOut { limit_us } => format!("stopped at the limit of {}", words::span_us(limit_us)),
    };
    row(out, width, &[("ended", 10)], &format!("{}, {exit}", run.runner));
    if let Some(counts) = run.counts {
        let text = format!(
            "{} collected, {} passed, {} failed, {} errors, {} skipped",
            counts.collected, counts.passed, counts.failed, counts.errors, counts.skipped
        );
        row(out, width, &[("counts", 10)], &text);
    }
    for error in &run.collection_errors {
        let line = error.line.map(|l| format!(":{l}")).unwrap_or_default();
        row(
            out,
            width,
            &[("not loaded", 10)],
            &format!("{}{line}: {}: {}", error.file, error.exception, error.message),
        );
        if let Some(statement) = &error.statement {
            row(out, width, &[("", 10)], statement);
        }
    }
    for name in &run.failed {
        row(out, width, &[("failed", 10)], name);
    }
}
