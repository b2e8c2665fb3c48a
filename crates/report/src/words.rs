//! Values in words: one spelling for every format.

use jiff::Timestamp;
use landfall_diagnosis::{HopKind, HopState, Label, Severity, Status, Tried, Verdict};
use landfall_evidence::{Header, Interval, PublicKey, RateStop, TrustRefusal, TrustResult, Vantage};

use crate::model::{BodyReport, Outcome, SecondsInterval};

/// "412 ms", "1.2 s", "350 µs".
pub(crate) fn span_us(us: u64) -> String {
    if us < 1_000 {
        format!("{us} µs")
    } else if us < 10_000 {
        format!("{:.1} ms", us as f64 / 1e3)
    } else if us < 1_000_000 {
        format!("{:.0} ms", us as f64 / 1e3)
    } else if us < 100_000_000 {
        format!("{:.2} s", us as f64 / 1e6)
    } else {
        format!("{:.0} s", us as f64 / 1e6)
    }
}

/// The same for milliseconds with a fraction.
pub(crate) fn span_ms(ms: f64) -> String {
    span_us((ms * 1e3).round() as u64)
}

/// "2025-11-15 15:51:49 UTC".
pub(crate) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// "2025-11-15 15:51 UTC".
pub(crate) fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// "2025-11-15".
pub(crate) fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// A number with thousands apart: "109,013".
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// "1 request", "3 requests".
pub(crate) fn count(number: impl Into<u64>, one: &str, many: &str) -> String {
    let number = number.into();
    if number == 1 { format!("1 {one}") } else { format!("{} {many}", grouped(number)) }
}

/// "97 %".
pub(crate) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// "a, b and c".
pub(crate) fn list(items: &[&str]) -> String {
    match items {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}

pub(crate) fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Live => "LIVE",
        Verdict::Degraded => "DEGRADED",
        Verdict::NotLive => "NOT LIVE",
        Verdict::Unknown => "UNKNOWN",
    }
}

pub(crate) fn verdict_mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Live => "✓",
        Verdict::Degraded => "!",
        Verdict::NotLive => "✗",
        Verdict::Unknown => "?",
    }
}

pub(crate) fn status(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Warn => "warning",
        Status::Fail => "failing",
        Status::Unknown => "unknown",
    }
}

pub(crate) fn status_mark(status: Status) -> &'static str {
    match status {
        Status::Ok => "✓",
        Status::Warn => "!",
        Status::Fail => "✗",
        Status::Unknown => "?",
    }
}

/// The states of a check, which has no reservation.
pub(crate) fn check(status: Status) -> &'static str {
    match status {
        Status::Ok => "passed",
        Status::Warn => "passed with a reservation",
        Status::Fail => "failed",
        Status::Unknown => "unknown",
    }
}

pub(crate) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}

pub(crate) fn label(label: Label) -> &'static str {
    label.name()
}

pub(crate) fn hop_kind(kind: HopKind) -> &'static str {
    match kind {
        HopKind::Client => "client",
        HopKind::Edge => "edge",
        HopKind::Platform => "platform",
        HopKind::Balancer => "balancer",
        HopKind::Origin => "origin",
        HopKind::App => "application",
    }
}

pub(crate) fn hop_state(state: HopState) -> &'static str {
    match state {
        HopState::Ok => "ok",
        HopState::Broken => "broken here",
        HopState::NotReached => "not reached",
        HopState::Unknown => "unknown",
    }
}

pub(crate) fn hop_mark(state: HopState) -> &'static str {
    match state {
        HopState::Ok => "✓",
        HopState::Broken => "✗",
        HopState::NotReached => "○",
        HopState::Unknown => "?",
    }
}

pub(crate) fn tried(tried: &Tried) -> String {
    match tried {
        Tried::Works { seen } => format!("tried: works ({seen})"),
        Tried::Fails { seen } => format!("tried: does not work ({seen})"),
        Tried::NotTried => "not tried".to_owned(),
    }
}

/// The sides by the names that a person knows them by.
pub(crate) fn side(vantage: Vantage) -> &'static str {
    match vantage {
        Vantage::Workspace => "Workspace",
        Vantage::Local => "Local",
        Vantage::Origin => "Platform's own name",
        Vantage::Edge => "Production",
        Vantage::ThirdParty => "Third party",
    }
}

pub(crate) fn outcome_mark(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Answered => "✓",
        Outcome::Denied => "✗",
        Outcome::Silent => "…",
        Outcome::Unasked => "?",
    }
}

/// "ECDSA P-256 (256 bit)".
pub(crate) fn key(key: &PublicKey) -> String {
    let mut text = key.algorithm.clone();
    if let Some(curve) = &key.curve {
        text.push(' ');
        text.push_str(curve);
    }
    if let Some(size) = key.size_bit {
        text.push_str(&format!(" ({size} bit)"));
    }
    text
}

pub(crate) fn trust(result: &TrustResult) -> String {
    match result {
        TrustResult::Trusted { path } => format!("trusted: {}", path.join(" ← ")),
        TrustResult::Refused { reason, detail } => format!("refused: {} ({detail})", trust_refusal(*reason)),
    }
}

fn trust_refusal(reason: TrustRefusal) -> &'static str {
    match reason {
        TrustRefusal::Expired => "the validity has ended",
        TrustRefusal::NotYetValid => "the validity has not begun",
        TrustRefusal::UnknownIssuer => "no path to a known root",
        TrustRefusal::SelfSigned => "the certificate signed itself",
        TrustRefusal::IncompleteChain => "an intermediate certificate was not sent",
        TrustRefusal::NameMismatch => "the certificate is for another name",
        TrustRefusal::Other => "not valid",
    }
}

pub(crate) fn stopped(stop: RateStop) -> &'static str {
    match stop {
        RateStop::AlreadyRefused => "the limiter had already refused one of the audit's own requests",
        RateStop::FirstRefusal => "at the first refusal",
        RateStop::SequenceComplete => "the sequence was complete, without a refusal",
        RateStop::BudgetSpent => "the request budget was spent",
        RateStop::DeadlineSpent => "time ran out",
        RateStop::ServerTrouble => "the server was in trouble",
        RateStop::Certain => "the kind of limiter was certain",
        RateStop::NothingToLearn => "no further request would have told the remaining kinds apart",
        RateStop::RefusalsSpent => "the most refusals that the probe allows itself were met",
        RateStop::Banned => "connections were refused after the limit was met, which looks like a ban",
        RateStop::Challenged => "a challenge page came",
        RateStop::AskedToWait => "the limiter asked for a longer wait than the time left",
    }
}

pub(crate) fn seconds(interval: SecondsInterval) -> String {
    match interval.high {
        Some(high) if high == interval.low => format!("{} s", interval.low),
        Some(high) => format!("{}–{high} s", interval.low),
        None => format!("≥ {} s", interval.low),
    }
}

pub(crate) fn interval(interval: Option<Interval>) -> String {
    interval.map_or_else(|| "not known".to_owned(), |i| i.to_string())
}

/// "9 bytes of text", "512 bytes, cut: body over the bound".
pub(crate) fn body(body: &BodyReport) -> String {
    let mut text = count(body.byte_count, "byte", "bytes");
    if body.is_json {
        text.push_str(" of JSON");
    } else if body.text.is_none() && body.byte_count > 0 {
        text.push_str(", not text");
    }
    if !body.complete {
        text.push_str(", not complete");
        if let Some(cut) = &body.cut {
            text.push_str(": ");
            text.push_str(cut);
        }
    }
    text
}

/// Header fields as they stand on the wire, one a line.
pub(crate) fn headers(headers: &[Header]) -> String {
    let mut text = String::new();
    for header in headers {
        text.push_str(&crate::text::clean(&header.name));
        text.push_str(": ");
        text.push_str(&crate::text::clean(&header.value));
        text.push('\n');
    }
    text
}

/// Reason phrases of the status codes that a report meets (RFC 9110 section 15, RFC 6585), and of none else: an edge's
/// own numbers are explained by the diagnosis, not by a table of names.
pub(crate) fn reason(status: u16) -> Option<&'static str> {
    Some(match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => return None,
    })
}

/// Whether a line of advice is a command to paste rather than a sentence.
pub(crate) fn is_command(text: &str) -> bool {
    const PROGRAMS: [&str; 9] =
        ["landfall ", "curl ", "dig ", "openssl ", "pytest ", "git ", "python ", "python3 ", "$ "];
    PROGRAMS.iter().any(|p| text.starts_with(p))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_well() {
        assert_eq!(span_us(350), "350 µs");
        assert_eq!(span_us(4_120), "4.1 ms");
        assert_eq!(span_us(412_600), "413 ms");
        assert_eq!(span_us(4_120_000), "4.12 s");
        assert_eq!(grouped(109_013), "109,013");
        assert_eq!(count(1u64, "request", "requests"), "1 request");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(percent(0.97), "97 %");
        assert_eq!(seconds(SecondsInterval { low: 10.0, high: Some(10.0) }), "10 s");
    }
}
