//! How long the audit took, and why not less.

use landfall_evidence::{DnsServerRole, Evidence, Observation, Seen};

use super::outcome;
use crate::model::{Bar, Kind, Outcome, Slice, Step, Timing};

pub(super) fn build(evidence: &Evidence) -> Timing {
    let path = evidence.critical_path();
    let mut ended_before = path.first().map_or(0, |o| o.started_us);
    let mut steps = Vec::with_capacity(path.len());
    for observation in &path {
        steps.push(Step {
            label: label(observation),
            start_ms: ms(observation.started_us),
            took_ms: ms(observation.took_us),
            waited_ms: ms(observation.started_us.saturating_sub(ended_before)),
            round_trips: observation.round_trips,
            evidence: observation.id.clone(),
        });
        ended_before = observation.started_us.saturating_add(observation.took_us);
    }
    let begun = path.first().map_or(0, |o| o.started_us);
    Timing {
        total_ms: ms(evidence.took_us),
        critical_path_ms: ms(ended_before.saturating_sub(begun)),
        round_trips: path.iter().fold(0, |sum: u32, o| sum.saturating_add(o.round_trips)),
        requests_sent: evidence.requests.total,
        requests_by_host: evidence.requests.by_host.clone(),
        observations: evidence
            .observations
            .iter()
            .map(|o| bar(o, path.iter().any(|step| step.id == o.id)))
            .collect(),
        critical_path: steps,
    }
}

fn ms(us: u64) -> f64 {
    us as f64 / 1e3
}

fn bar(observation: &Observation, critical: bool) -> Bar {
    let (kind, outcome, words) = seen(&observation.seen);
    let slices = match &observation.seen {
        Seen::Http(http) => http.timings.slices().map(|(phase, took_us)| Slice { phase, took_us }).collect(),
        _ => Vec::new(),
    };
    Bar {
        evidence: observation.id.clone(),
        kind,
        vantage: observation.vantage,
        label: label(observation),
        outcome,
        words,
        started_us: observation.started_us,
        took_us: observation.took_us,
        slices,
        critical,
        by_hand: observation.by_hand.clone(),
    }
}

fn seen(seen: &Seen) -> (Kind, Outcome, String) {
    match seen {
        Seen::Dns(d) => {
            let words = match d.answer.present() {
                Some(a) if a.answers.is_empty() => "NODATA".to_owned(),
                Some(a) => a.rcode_name.clone(),
                None => d.answer.describe(),
            };
            (Kind::Dns, outcome(&d.answer), words)
        }
        Seen::Rdap(r) => {
            let words = match r.answer.present() {
                Some(answer) if answer.registered => "registered".to_owned(),
                Some(_) => "not registered".to_owned(),
                None => r.answer.describe(),
            };
            (Kind::Rdap, outcome(&r.answer), words)
        }
        Seen::Tls(t) => {
            let words = t.answer.present().map_or_else(|| t.answer.describe(), |shake| shake.version.clone());
            (Kind::Tls, outcome(&t.answer), words)
        }
        Seen::TlsSurvey(s) => {
            let words = s
                .answer
                .present()
                .map_or_else(|| s.answer.describe(), |survey| format!("{} connections", survey.connections));
            (Kind::Tls, outcome(&s.answer), words)
        }
        Seen::Http(h) => {
            let words =
                h.answer.present().map_or_else(|| h.answer.describe(), |r| format!("HTTP {}", r.status));
            (Kind::Http, outcome(&h.answer), words)
        }
        Seen::RateLimit(r) => (Kind::RateLimit, outcome(&r.answer), r.answer.describe()),
        Seen::Project(p) => (Kind::Project, outcome(&p.answer), p.answer.describe()),
        Seen::Tests(t) => (Kind::Tests, outcome(&t.answer), t.answer.describe()),
        Seen::Door(d) => (Kind::Tls, outcome(&d.answer), d.answer.describe()),
        Seen::Log(l) => (Kind::Log, outcome(&l.answer), l.answer.describe()),
    }
}

fn label(observation: &Observation) -> String {
    match &observation.seen {
        Seen::Dns(d) => {
            let question = &d.question;
            let server = match (question.server.role, &question.server.name, question.server.address) {
                (DnsServerRole::System, ..) => "the system's resolver".to_owned(),
                (_, Some(name), _) => name.clone(),
                (_, None, Some(address)) => address.to_string(),
                (_, None, None) => "a resolver".to_owned(),
            };
            format!("{} {} at {server}", question.rtype, question.name)
        }
        Seen::Rdap(r) => format!("RDAP record of {}", r.domain),
        Seen::Tls(t) => format!("TLS handshake, {}", t.question.address),
        Seen::TlsSurvey(s) => format!("TLS survey, {}", s.address),
        Seen::Http(h) => {
            format!("{} {}, {}, {}", h.request.method, h.request.path, observation.vantage, h.request.version)
        }
        Seen::RateLimit(_) => "rate-limit probe".to_owned(),
        Seen::Project(_) => "project folder".to_owned(),
        Seen::Tests(t) => t.command.clone(),
        Seen::Door(d) => format!("{}, {}", d.question.ask.name(), d.question.address),
        Seen::Log(l) => format!("log {}", l.name),
    }
}
