//! Making and changing a monitor.

use maud::{Markup, html};
use serde_json::Value;

use super::form::{self, Field, Input, Values, field};
use super::layout::{Page, Shell, framed, heading, trail};
use crate::problem::FieldError;

/// Kinds of checks: word, name, what it is for.
pub(crate) const KINDS: &[(&str, &str, &str)] = &[
    ("http", "HTTP(S)", "A URL: status, headers, body, JSON, time, certificate, version"),
    ("audit", "Full audit", "Everything between the client and the application, on a schedule"),
    ("tls", "Certificate", "A TLS handshake and the days that the certificate has left"),
    ("tcp", "TCP", "Whether a port accepts connections"),
    ("dns", "DNS", "What a name resolves to"),
];

const NAME: Field =
    field("/name", "Name", Input::Line("text"), "For people. It may change at any time.").needed();

const HTTP: &[Field] = &[
    field("/check/url", "URL", Input::Line("url"), "").needed(),
    field(
        "/check/method",
        "Method",
        Input::Choice(&[
            ("GET", "GET"),
            ("HEAD", "HEAD"),
            ("POST", "POST"),
            ("PUT", "PUT"),
            ("PATCH", "PATCH"),
            ("DELETE", "DELETE"),
            ("OPTIONS", "OPTIONS"),
        ]),
        "",
    )
    .at_first("GET"),
    field(
        "/check/assert",
        "What must be true",
        Input::Assertions,
        "Without a row on the status it must be 200 to 299. Statuses: 200, 204 or 200-299.",
    ),
    field(
        "/check/degraded_ms",
        "Degraded when slower than (ms)",
        Input::Number(1, 60_000),
        "Slower is degraded, though not down.",
    ),
];

const HTTP_MORE: &[Field] = &[
    field(
        "/check/headers",
        "Request headers",
        Input::Pairs(':'),
        "One a line: name: value. Values are shown masked afterwards; a line that stays masked stays as it is.",
    ),
    field("/check/body", "Request body", Input::Text, ""),
    field("/check/redirects", "Redirects to follow", Input::Number(0, 10), "").at_first("5"),
    field(
        "/check/certificate_days",
        "Days that the certificate must have left",
        Input::Number(0, 3650),
        "Fewer is degraded.",
    )
    .at_first("7"),
    field(
        "/check/family",
        "Addresses",
        Input::Choice(&[("", "IPv4 and IPv6"), ("4", "IPv4 only"), ("6", "IPv6 only")]),
        "",
    ),
];

const TCP: &[Field] = &[
    field("/check/host", "Host", Input::Line("text"), "A name or an address.").needed(),
    field("/check/port", "Port", Input::Number(1, 65_535), "").needed(),
    field("/check/degraded_ms", "Degraded when slower than (ms)", Input::Number(1, 60_000), ""),
];

const DNS: &[Field] = &[
    field("/check/name", "Name to ask for", Input::Line("text"), "").needed(),
    field(
        "/check/rtype",
        "Type",
        Input::Choice(&[
            ("A", "A"),
            ("AAAA", "AAAA"),
            ("CNAME", "CNAME"),
            ("NS", "NS"),
            ("SOA", "SOA"),
            ("CAA", "CAA"),
            ("TXT", "TXT"),
            ("MX", "MX"),
        ]),
        "",
    )
    .at_first("A"),
    field(
        "/check/server",
        "Server to ask",
        Input::Line("text"),
        "ADDRESS or ADDRESS:PORT. Empty asks this server's own resolvers.",
    ),
    field("/check/contains", "Values that must be among the answers", Input::Lines, "One a line."),
    field(
        "/check/exactly",
        "Values that the answers must be, exactly",
        Input::Lines,
        "One a line, in any order.",
    ),
    field("/check/degraded_ms", "Degraded when slower than (ms)", Input::Number(1, 60_000), ""),
];

const TLS: &[Field] = &[
    field("/check/host", "Host", Input::Line("text"), "Sent as SNI and held against the certificate.")
        .needed(),
    field("/check/port", "Port", Input::Number(1, 65_535), "").at_first("443"),
    field(
        "/check/certificate_days",
        "Days that the certificate must have left",
        Input::Number(0, 3650),
        "Fewer is degraded, none is down.",
    )
    .at_first("14"),
];

const AUDIT: &[Field] = &[field(
    "/check/url",
    "Production URL",
    Input::Line("url"),
    "Live is up, degraded is degraded, not live is down, unknown is inconclusive.",
)
.needed()];

const SCHEDULE: &[Field] = &[
    field("/interval_s", "Interval (s)", Input::Number(10, 86_400), "").at_first("60"),
    field("/timeout_ms", "Timeout (ms)", Input::Number(100, 60_000), "").at_first("10000"),
    field("/fail_after", "Down after failures in a row", Input::Number(1, 20), "").at_first("3"),
    field("/recover_after", "Up after successes in a row", Input::Number(1, 20), "").at_first("2"),
    field("/retry_s", "Interval while failing (s)", Input::Number(5, 86_400), "Empty keeps to the interval."),
    field(
        "/remind_s",
        "Remind while down, every (s)",
        Input::Number(300, 604_800),
        "Empty sends no reminder.",
    ),
];

const MORE: &[Field] = &[
    field("/labels", "Labels", Input::Pairs('='), "One a line: team=core"),
    field(
        "/depends_on",
        "Needs these monitors",
        Input::Lines,
        "External ids, one a line. While one of them is down this one is blocked and says nothing.",
    ),
    field(
        "/audit/origin",
        "The platform's own name for the deployment",
        Input::Line("text"),
        "A URL. The audit behind an alert asks there, too, and can then tell the edge from the application.",
    ),
    field(
        "/audit/endpoints",
        "Endpoints that matter",
        Input::Endpoints,
        "One a line: GET /health, or POST /api/intake core",
    ),
    field(
        "/channels",
        "Channels that hear of it",
        Input::Lines,
        "External ids, one a line. Empty means all enabled ones.",
    ),
    field("/public", "Show it on public status pages", Input::Tick, ""),
];

fn of_kind(kind: &str) -> &'static [Field] {
    match kind {
        "tcp" => TCP,
        "dns" => DNS,
        "tls" => TLS,
        "audit" => AUDIT,
        _ => HTTP,
    }
}

fn more_of_kind(kind: &str) -> &'static [Field] {
    if kind == "http" { HTTP_MORE } else { &[] }
}

/// The known kind with this word; `http` for any other.
pub(crate) fn kind(word: &str) -> &'static str {
    KINDS.iter().find(|k| k.0 == word).map_or("http", |k| k.0)
}

/// All fields of a kind.
pub(crate) fn fields(kind: &str) -> Vec<Field> {
    let groups = [&[NAME][..], of_kind(kind), more_of_kind(kind), SCHEDULE, MORE];
    groups.concat()
}

/// The spec that a form says.
///
/// # Errors
/// The fields that cannot be read.
pub(crate) fn spec(kind: &str, values: &Values) -> Result<Value, Vec<FieldError>> {
    let mut json = form::to_json(&fields(kind), values)?;
    if let Some(check) = json.get_mut("check").and_then(Value::as_object_mut) {
        check.insert("kind".into(), kind.into());
    }
    Ok(json)
}

/// A form to make or to change a monitor.
#[derive(Debug)]
pub(crate) struct MonitorForm<'a> {
    /// The kind of check.
    pub(crate) kind: &'a str,
    /// The monitor that is changed: id and name; `None` to make one.
    pub(crate) of: Option<(&'a str, &'a str)>,
    /// What stands in the fields.
    pub(crate) values: &'a Values,
    /// What is wrong.
    pub(crate) errors: &'a [FieldError],
}

/// The page with the form.
pub(crate) fn page(shell: &Shell, data: &MonitorForm<'_>) -> Markup {
    let title = data.of.map_or_else(|| "New monitor".to_owned(), |(_, name)| format!("Edit {name}"));
    let action = data.of.map_or_else(|| "/monitors".to_owned(), |(id, _)| format!("/monitors/{id}"));
    let all = fields(data.kind);
    let part = |fields: &[Field]| form::draw(fields, data.values, data.errors);
    let body = html! {
        @match data.of {
            Some((id, _)) => (trail(&format!("/monitors/{id}"), "Monitor")),
            None => (trail("/", "Overview")),
        }
        (heading(html! { (super::parts::foreign(&title)) }, html! {}, html! {}))
        @if data.of.is_none() {
            nav aria-label="Kind of check" {
                ul.kinds {
                    @for (word, name, what) in KINDS {
                        li { a href={ "/monitors/new?kind=" (word) } aria-current=[(*word == data.kind).then_some("true")] { strong { (name) } span { (what) } } }
                    }
                }
            }
        }
        (form::summary(&all, data.errors))
        form method="post" action=(action) {
            (shell.token())
            input type="hidden" name="kind" value=(data.kind);
            fieldset { legend { "What is checked" } (part(&[NAME])) (part(of_kind(data.kind)))
                @if !more_of_kind(data.kind).is_empty() {
                    details.more open[!data.errors.is_empty()] { summary { "More of the request" } div { (part(more_of_kind(data.kind))) } }
                }
            }
            fieldset { legend { "When, and when it counts" } div.grid { (part(SCHEDULE)) } }
            details.more open[!data.errors.is_empty()] {
                summary { "Labels, dependencies, audit, channels, status page" }
                fieldset { legend { "More" } (part(MORE)) }
            }
            div.tools {
                button.primary type="submit" { (if data.of.is_some() { "Save" } else { "Start watching" }) }
                a href=(data.of.map_or_else(|| "/".to_owned(), |(id, _)| format!("/monitors/{id}"))) { "Cancel" }
            }
        }
    };
    framed(shell, &Page::still(&title, "overview", body))
}

#[cfg(test)]
mod tests {
    use landfall_monitor::MonitorSpec;

    use super::*;

    /// What the form makes is what the watch understands, for every kind.
    #[test]
    fn every_form_makes_a_spec() {
        let given = [
            (
                "http",
                "/check/url=https://a.example/x&/check/method=GET&/check/assert/on=status&/check/assert/what=&/check/assert/is=equals&/check/assert/value=200-299&/check/family=4",
            ),
            ("tcp", "/check/host=a.example&/check/port=5432"),
            ("dns", "/check/name=a.example&/check/rtype=A&/check/contains=192.0.2.1%0A192.0.2.2"),
            ("tls", "/check/host=a.example&/check/port=443&/check/certificate_days=14"),
            ("audit", "/check/url=https://a.example"),
        ];
        for (kind, body) in given {
            let common = "&/name=A&/interval_s=300&/fail_after=3&/labels=team%3Dcore&/public=yes&/audit/endpoints=POST+/x+core";
            let values = Values::parse(format!("{body}{common}").as_bytes());
            let json = spec(kind, &values).expect("it can be read");
            let spec: MonitorSpec =
                serde_json::from_value(json.clone()).unwrap_or_else(|e| panic!("{kind}: {e}: {json}"));
            assert_eq!(spec.check.kind(), kind);
            assert_eq!((spec.interval_s, spec.fail_after, spec.public), (300, 3, true));
            // And what is shown of it for a change makes the same again.
            let shown = serde_json::to_value(&spec).expect("it can be written");
            let mut again = form::of_json(&fields(kind), &shown);
            again.push("kind", kind);
            let back: MonitorSpec =
                serde_json::from_value(super::spec(kind, &again).expect("readable")).expect("a spec");
            assert_eq!(back, spec, "{kind}");
        }
    }

    #[test]
    fn a_form_at_first_holds_the_defaults() {
        let values = form::fresh(&fields("tls"));
        assert_eq!(values.get("/check/port"), "443");
        assert_eq!(values.get("/fail_after"), "3");
        assert_eq!(kind("nonsense"), "http");
    }
}
