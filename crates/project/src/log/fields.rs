//! A line that is one JSON object, as loggers write it, brought to the lines that a program without one would write.
//!
//! What a field means is told by its name, and the names are those of the loggers themselves: pino, bunyan, winston, zap,
//! zerolog, logrus, slog, tracing, structlog, python-json-logger, Serilog and .NET's console, logback and log4j2, ECS,
//! lograge, and of what stores lines of others (Docker's json-file, journald, Cloud Logging). Names may be nested or
//! written with dots. Only fields with a known meaning are read, so that a body, a header or a setting that somebody
//! logged beside the message does not come along.

use jiff::Timestamp;
use serde_json::{Map, Value};

/// How deep causes of causes, and lines inside lines, are followed.
const DEPTH: usize = 3;
/// Errors looked at of a list of them.
const ERRORS: usize = 4;
/// Characters of a field beside the message.
const PART: usize = 160;

const LEVEL: &[&str] = &[
    "level",
    "severity",
    "lvl",
    "levelname",
    "log.level",
    "LogLevel",
    "Level",
    "@l",
    "loglevel",
    "level_name",
];
const MESSAGE: &[&str] = &[
    "msg",
    "message",
    "event",
    "@m",
    "Message",
    "RenderedMessage",
    "fields.message",
    "short_message",
    "body",
    "@mt",
    "MessageTemplate",
];
const ERROR: &[&str] = &[
    "err",
    "error",
    "exception",
    "exc_info",
    "@x",
    "Exception",
    "thrown",
    "fields.error",
    "fields.err",
    "error_message",
    "errorMessage",
    "errmsg",
    "failure",
    "cause",
    "exception.message",
    "exception_object",
    "reason",
];
const STACK: &[&str] = &[
    "stack",
    "stacktrace",
    "stack_trace",
    "stackTrace",
    "StackTrace",
    "error.stack_trace",
    "exception.stacktrace",
    "exc_text",
    "traceback",
    "backtrace",
    "errorVerbose",
    "trace",
];
const METHOD: &[&str] = &[
    "req.method",
    "request.method",
    "http.request.method",
    "http.method",
    "httpRequest.requestMethod",
    "span.method",
    "span.http.method",
    "method",
    "RequestMethod",
    "request_method",
    "requestMethod",
    "http_method",
    "httpMethod",
    "verb",
    "Method",
    "ClientRequestMethod",
    "proxy.method",
];
/// Where a request that came in asks for. A whole URL in one of these names the server itself.
const PATH: &[&str] = &[
    "req.url",
    "req.originalUrl",
    "req.path",
    "request.uri",
    "request.url",
    "request.path",
    "url.path",
    "http.target",
    "http.route",
    "httpRequest.requestUrl",
    "url.original",
    "span.uri",
    "span.http.uri",
    "RequestPath",
    "request_uri",
    "request_path",
    "requestPath",
    "requestUri",
    "ClientRequestURI",
    "proxy.path",
    "http.url",
    "url.full",
];
/// The same, where a whole URL is that of a request which the program made.
const PATH_OR_CALL: &[&str] = &["url", "uri", "path", "Path", "target", "endpoint"];
const STATUS: &[&str] = &[
    "res.statusCode",
    "res.status",
    "response.statusCode",
    "response.status",
    "response.status_code",
    "http.response.status_code",
    "http.status_code",
    "httpRequest.status",
    "fields.status",
    "statusCode",
    "status",
    "status_code",
    "StatusCode",
    "DownstreamStatus",
    "EdgeResponseStatus",
    "response_code",
    "httpStatus",
    "http_status",
    "resp_status",
    "proxy.statusCode",
];
/// Where what wrote the line keeps a line of another program as it is.
const FOREIGN: &[&str] = &["log", "MESSAGE", "textPayload"];
/// Where it keeps the object of another.
const WRAPPED: &[&str] = &["jsonPayload", "json_payload"];

/// What one object says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Reading {
    /// A request that was answered, as an access line: `GET /orders 500`.
    pub(super) access: Option<String>,
    /// What it tells besides.
    pub(super) told: Option<Told>,
    /// Lines of another program that it holds.
    pub(super) foreign: Vec<String>,
}

/// Its words in one line, and the trace that came with them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) text: String,
    /// Lines of the trace, in the order of the language; empty without one.
    pub(super) trace: Vec<String>,
}

/// An error as a field holds it.
#[derive(Debug, Default)]
struct Failure {
    head: String,
    trace: Vec<String>,
}

/// Reads one object. `None` where no field of a known meaning is in it.
pub(super) fn read(fields: &Map<String, Value>) -> Option<Reading> {
    within(fields, DEPTH)
}

fn within(fields: &Map<String, Value>, depth: usize) -> Option<Reading> {
    let mut reading = Reading { access: access(fields), ..Reading::default() };
    if depth > 0
        && let Some(inner) = WRAPPED.iter().find_map(|name| fields.get(*name)?.as_object())
    {
        let inner = within(inner, depth - 1).unwrap_or_default();
        reading.access = reading.access.or(inner.access);
        return Some(Reading { access: reading.access, ..inner });
    }
    let foreign = FOREIGN.iter().find_map(|name| fields.get(*name)?.as_str()).filter(|_| {
        // Other loggers have a field of that name beside a message of their own.
        !MESSAGE.iter().any(|name| *name != "body" && fields.get(*name).is_some_and(Value::is_string))
    });
    if let Some(foreign) = foreign {
        reading.foreign = foreign.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
        return Some(reading);
    }
    let message = find(fields, MESSAGE, Value::as_str);
    // A line inside the line.
    if let Some(inner) = message.filter(|text| text.starts_with('{') && depth > 0)
        && let Ok(Value::Object(inner)) = serde_json::from_str(inner)
        && let Some(inner) = within(&inner, depth - 1)
    {
        return Some(Reading { access: inner.access.or(reading.access), ..inner });
    }
    reading.told = told(fields, message, reading.access.is_some());
    (reading != Reading::default()).then_some(reading)
}

/// The words of an object that is no line of another program. Of a request that was answered only what says more than its
/// access line does.
fn told(fields: &Map<String, Value>, message: Option<&str>, has_access: bool) -> Option<Told> {
    let level = level(fields);
    // Somebody gave the logger an error in place of a message.
    let thrown =
        ["message", "msg"].iter().find_map(|name| fields.get(*name)).filter(|value| value.is_object());
    let failure = ERROR
        .iter()
        .filter_map(|name| value(fields, name))
        .chain(thrown)
        .map(|value| failure(value, DEPTH))
        .find(|failure| !failure.head.is_empty() || !failure.trace.is_empty());
    let stack = STACK.iter().filter_map(|name| value(fields, name)).map(trace).find(|t| !t.is_empty());
    let message = message.map(|text| rendered(text, fields)).unwrap_or_default();
    let (message, in_message) = apart(&message);
    let mut failure = failure.unwrap_or_default();
    if failure.head.is_empty()
        && let Some(stack) = &stack
    {
        // The stack begins with what was thrown.
        failure.head = apart(&stack.join("\n")).0;
    }
    if message.is_empty() && failure.head.is_empty() && in_message.is_empty() {
        return None;
    }
    let loud =
        matches!(level.to_ascii_lowercase().as_str(), "error" | "fatal" | "critical" | "err" | "panic");
    if has_access {
        let says_why = !failure.head.is_empty() || !failure.trace.is_empty() || stack.is_some();
        if !says_why && (!loud || is_of_request(&message)) {
            return None;
        }
    }
    let said = match (message.as_str(), failure.head.as_str()) {
        (message, head) if head.is_empty() || message.contains(head) => message.to_owned(),
        (message, head) if message.is_empty() || head.contains(message) => head.to_owned(),
        (message, head) => format!("{}: {head}", message.trim_end_matches([':', ' '])),
    };
    let mut text = [level, &said].join(" ");
    if loud && !has_access {
        text.push_str(&call(fields));
    }
    let trace = [failure.trace, stack.unwrap_or_default(), in_message].into_iter().find(|t| !t.is_empty());
    Some(Told { text: text.trim().to_owned(), trace: trace.unwrap_or_default() })
}

/// The request that a line is about, where it says how it was answered.
fn access(fields: &Map<String, Value>) -> Option<String> {
    let method = find(fields, METHOD, Value::as_str)?;
    let status = STATUS.iter().filter_map(|name| value(fields, name)).find_map(number)?;
    if !method.bytes().all(|byte| byte.is_ascii_alphabetic()) || !(100..600).contains(&status) {
        return None;
    }
    let url = find(fields, PATH, Value::as_str)
        .or_else(|| find(fields, PATH_OR_CALL, Value::as_str).filter(|url| url.starts_with('/')))?;
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => url,
    };
    let path = path.split(['?', '#', ' ']).next().unwrap_or(path);
    if !path.starts_with('/') {
        return None;
    }
    // Envoy tells beside the status which side gave up, and its words for it are known from its text format.
    let flags = ["response_flags", "response_code_details", "upstream_transport_failure_reason"]
        .iter()
        .filter_map(|name| fields.get(*name)?.as_str())
        .filter(|text| !text.is_empty() && *text != "-");
    let flags: String = flags.map(|text| format!(" {}", clip(text))).collect();
    Some(format!("\"{} {path} HTTP/1.1\" {status}{flags}", method.to_ascii_uppercase()))
}

/// What a failing line says of a request that the program made itself: whom it asked, and how that answered.
fn call(fields: &Map<String, Value>) -> String {
    let url = find(fields, PATH_OR_CALL, Value::as_str)
        .or_else(|| find(fields, &["err.config.url", "error.config.url", "config.url"], Value::as_str))
        .filter(|url| url.starts_with("https://") || url.starts_with("http://"));
    let status = ["err.response.status", "error.response.status"]
        .iter()
        .chain(STATUS)
        .filter_map(|name| value(fields, name))
        .find_map(number);
    match (url, status) {
        (Some(url), Some(status)) => {
            format!("; status {status} from {}", clip(url.split(['?', '#']).next().unwrap_or(url)))
        }
        (Some(url), None) => format!("; {}", clip(url.split(['?', '#']).next().unwrap_or(url))),
        _ => String::new(),
    }
}

/// Whether a message says no more than that a request was handled.
fn is_of_request(message: &str) -> bool {
    let message = message.trim().to_ascii_lowercase();
    let words: Vec<&str> = message.split_whitespace().collect();
    let of_http = |word: &&str| {
        matches!(
            *word,
            "request"
                | "http"
                | "access"
                | "response"
                | "handled"
                | "completed"
                | "finished"
                | "processing"
                | "served"
                | "incoming"
                | "errored"
                | "failed"
                | "processed"
                | "http_request"
                | "api"
        )
    };
    let verb = words.first().is_some_and(|word| {
        matches!(*word, "get" | "head" | "post" | "put" | "patch" | "delete" | "options")
    });
    verb || words.iter().all(of_http) || message.starts_with("http ")
}

fn level(fields: &Map<String, Value>) -> &str {
    match LEVEL.iter().find_map(|name| value(fields, name)) {
        // Pino's and bunyan's numbers.
        Some(Value::Number(level)) => match level.as_i64() {
            Some(60..) => "fatal",
            Some(50..) => "error",
            Some(40..) => "warn",
            _ => "info",
        },
        Some(Value::String(level)) => level,
        _ => "",
    }
}

/// A failure in any of the forms in which loggers write one: a text, an object, a list of either.
fn failure(error: &Value, depth: usize) -> Failure {
    match error {
        Value::String(text) => {
            let (head, trace) = apart(text);
            Failure { head, trace }
        }
        Value::Array(all) if all.iter().all(Value::is_string) => {
            // Lograge and Rails: the class, and what it says.
            let texts: Vec<&str> = all.iter().filter_map(Value::as_str).collect();
            Failure { head: joined(&texts.join(": ")), trace: Vec::new() }
        }
        Value::Array(all) if depth > 0 => {
            let mut failures = all.iter().take(ERRORS).map(|one| failure(one, depth - 1));
            let mut whole = failures.next().unwrap_or_default();
            for one in failures.filter(|one| !one.head.is_empty()) {
                if !whole.head.contains(&one.head) {
                    whole.head = format!("{}; {}", whole.head, one.head);
                }
                if whole.trace.is_empty() {
                    whole.trace = one.trace;
                }
            }
            whole
        }
        Value::Object(error) => of_object(error, depth),
        _ => Failure::default(),
    }
}

fn of_object(error: &Map<String, Value>, depth: usize) -> Failure {
    let text = |names: &[&str]| {
        names.iter().find_map(|name| error.get(*name)?.as_str()).filter(|text| !text.trim().is_empty())
    };
    let trace = STACK.iter().chain(&["frames"]).filter_map(|name| error.get(*name)).map(trace);
    let trace = trace.into_iter().find(|t| !t.is_empty()).unwrap_or_default();
    let kind = text(&["type", "name", "class", "exc_type", "exception_class", "kind", "Type", "ClassName"]);
    let said = text(&["message", "msg", "exc_value", "detail", "description", "Message", "reason", "error"]);
    let mut head = match (kind, said) {
        (kind, Some(said)) => format!("{}: {}", kind.unwrap_or("Error"), joined(said)),
        // Errors of Node's network say what they are in fields alone where several of them are put together.
        (kind, None) => match connection(error) {
            Some(said) => format!("{}: {said}", kind.unwrap_or("Error")),
            None => kind.unwrap_or_default().to_owned(),
        },
    };
    if let Some(code) = text(&["code", "sqlState", "sqlstate"]).filter(|code| !head.contains(code)) {
        head = format!("{head} (code: '{}')", clip(code));
    }
    if depth > 0 {
        let inner =
            ["cause", "errors", "aggregateErrors", "original", "parent", "previous", "InnerException"];
        for inner in inner.iter().filter_map(|name| error.get(*name)) {
            let inner = failure(inner, depth - 1);
            if !inner.head.is_empty() && !head.contains(&inner.head) {
                head = if head.is_empty() { inner.head } else { format!("{head}; caused by {}", inner.head) };
            }
        }
    }
    Failure { head: head.trim().to_owned(), trace }
}

/// `connect ECONNREFUSED 127.0.0.1:5432` from the fields of Node's system errors.
fn connection(error: &Map<String, Value>) -> Option<String> {
    let text = |name: &str| error.get(name).and_then(Value::as_str);
    let code = text("code").or_else(|| text("errno"))?;
    let call = text("syscall")?;
    let place = text("address").or_else(|| text("hostname")).unwrap_or_default();
    let port = error.get("port").and_then(number).map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{call} {code} {place}{port}").trim_end().to_owned())
}

/// A trace in any of its forms: a text, a list of lines, a list of frames.
fn trace(stack: &Value) -> Vec<String> {
    match stack {
        Value::String(text) if text.contains('\n') => text.lines().map(str::to_owned).collect(),
        Value::Array(all) => all.iter().filter_map(frame).collect(),
        _ => Vec::new(),
    }
}

fn frame(frame: &Value) -> Option<String> {
    let Value::Object(frame) = frame else {
        let line = frame.as_str()?;
        // A list has lost the indentation by which frames are told from what was said.
        let bare = line.trim_start();
        return Some(if bare.starts_with("at ") { format!("    {bare}") } else { line.to_owned() });
    };
    let text = |names: &[&str]| names.iter().find_map(|name| frame.get(*name)?.as_str());
    let file = text(&["filename", "file", "fileName", "path", "source"]);
    let line = ["lineno", "line", "lineNumber", "lineno_"].iter().filter_map(|name| frame.get(*name));
    let line = line.into_iter().find_map(number).unwrap_or_default();
    let call = text(&["name", "function", "func", "method", "methodName"]).unwrap_or_default();
    match (text(&["class", "className", "module"]), file) {
        (Some(class), _) if class.contains('.') => {
            Some(format!("    at {class}.{call}({})", file.unwrap_or_default()))
        }
        (_, Some(file)) if file.ends_with(".py") => {
            Some(format!("  File \"{file}\", line {line}, in {call}"))
        }
        (_, Some(file)) => Some(format!("    at {call} ({file}:{line}:0)")),
        _ => None,
    }
}

/// What a text of several lines says, and the trace in it. Without frames all of its lines are what it says.
fn apart(text: &str) -> (String, Vec<String>) {
    if !text.contains('\n') {
        return (joined(text), Vec::new());
    }
    let lines: Vec<&str> = text.lines().collect();
    let is_frame = |line: &&str| {
        let bare = line.trim_start();
        bare.len() < line.len()
            && (bare.starts_with("at ") || bare.starts_with("File \"") || bare.starts_with('/'))
            || bare.starts_with("Traceback (most recent")
            || bare.starts_with("from /")
            || bare.starts_with("#0 ")
    };
    if !lines.iter().any(is_frame) {
        return (joined(text), Vec::new());
    }
    let trace = lines.iter().map(|line| (*line).to_owned()).collect();
    let python = lines.iter().any(|line| line.trim_start().starts_with("Traceback (most recent"));
    // Python says what happened after the frames, and the line is kept with them.
    let head = if python { "" } else { lines[0] };
    (joined(head), trace)
}

/// A template's holes filled with the fields of those names (Serilog's compact form leaves that to its reader). Names that
/// may hold a secret stay what they are.
fn rendered(template: &str, fields: &Map<String, Value>) -> String {
    if !template.contains('{') || !(fields.contains_key("@mt") || fields.contains_key("MessageTemplate")) {
        return template.to_owned();
    }
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, from)) = rest.split_once('{') {
        text.push_str(before);
        let Some((hole, after)) = from.split_once('}') else {
            text.push('{');
            rest = from;
            continue;
        };
        let name = hole.trim_start_matches(['@', '$']).split([':', ',']).next().unwrap_or(hole);
        let shown = fields.get(name).or_else(|| fields.get("Properties")?.get(name));
        match shown {
            Some(Value::String(shown)) if !may_be_secret(name) => text.push_str(shown),
            Some(shown @ (Value::Number(_) | Value::Bool(_))) if !may_be_secret(name) => {
                text.push_str(&shown.to_string());
            }
            _ => text.push_str(&format!("{{{hole}}}")),
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

/// Whether the masking of `name = value` would mask the value: it is asked, so that both know the same names.
fn may_be_secret(name: &str) -> bool {
    landfall_evidence::redact_log_line(&format!("{name}=plainvalue")) != format!("{name}=plainvalue")
        || name.to_ascii_lowercase().contains("connectionstring")
}

/// The time of a line where a logger writes it as a number: pino and bunyan in milliseconds, zap and zerolog in seconds.
/// Times as text are found by their form, in whatever field.
pub(super) fn time(fields: &Map<String, Value>) -> Option<Timestamp> {
    let at = ["time", "ts", "timestamp"].iter().find_map(|name| fields.get(*name)?.as_f64())?;
    let second = match at {
        1e9..1e10 => at,
        1e12..1e13 => at / 1e3,
        _ => return None,
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "whole seconds of the bounds above fit many times over"
    )]
    Timestamp::from_second(second as i64).ok()
}

fn find<'a, T: ?Sized>(
    fields: &'a Map<String, Value>,
    names: &[&str],
    as_kind: impl Fn(&'a Value) -> Option<&'a T>,
) -> Option<&'a T> {
    names.iter().find_map(|name| as_kind(value(fields, name)?))
}

/// A field by its name, which may be written with its dots or nested by them.
fn value<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    if let Some(plain) = fields.get(name) {
        return Some(plain);
    }
    let (first, rest) = name.split_once('.')?;
    value(fields.get(first)?.as_object()?, rest)
}

/// A number, also where it is written as text.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn clip(text: &str) -> &str {
    super::beginning(text, PART)
}

#[cfg(test)]
mod tests {
    use super::super::reduce;

    fn told(line: &str) -> Vec<String> {
        reduce(line.as_bytes(), false, &|_| false).events.into_iter().map(|event| event.text).collect()
    }

    /// One object of each logger as it writes it, and the lines that are read of it.
    #[test]
    fn every_loggers_own_names_are_read() {
        for (logger, line, want) in [
            (
                "pino-http",
                r#"{"level":50,"time":1795558832402,"pid":1,"hostname":"api","req":{"id":4,"method":"GET","url":"/api/orders?token=abc","headers":{"authorization":"Bearer abcdefghijklmnop"}},"res":{"statusCode":500,"headers":{}},"err":{"type":"Error","message":"failed with status code 500","stack":"Error: failed with status code 500\n    at onResFinished (/app/node_modules/pino-http/logger.js:115:39)"},"responseTime":9,"msg":"request errored"}"#,
                &[
                    "GET /api/orders answered 500",
                    "error request errored: Error: failed with status code 500",
                ][..],
            ),
            (
                "pino, a code and no message",
                r#"{"level":60,"time":1795558832402,"err":{"type":"AggregateError","message":"","code":"ECONNREFUSED","aggregateErrors":[{"type":"Error","message":"connect ECONNREFUSED ::1:5432","code":"ECONNREFUSED"},{"type":"Error","message":"connect ECONNREFUSED 127.0.0.1:5432"}]},"msg":"startup"}"#,
                &[
                    "fatal startup: AggregateError (code: 'ECONNREFUSED'); caused by Error: connect ECONNREFUSED ::1:5432; Error: connect ECONNREFUSED 127.0.0.1:5432",
                ],
            ),
            (
                "bunyan",
                r#"{"name":"api","hostname":"h","pid":1,"level":50,"err":{"message":"getaddrinfo ENOTFOUND db","name":"Error","stack":"Error: getaddrinfo ENOTFOUND db\n    at GetAddrInfoReqWrap.onlookup (node:dns:71:26)","code":"ENOTFOUND"},"msg":"boot","time":"2026-11-25T22:20:52.301Z","v":0}"#,
                &["error boot: Error: getaddrinfo ENOTFOUND db"],
            ),
            (
                "winston, an error without its fields",
                r#"{"level":"error","message":"relation \"orders\" does not exist","name":"error","length":105,"severity":"ERROR","code":"42P01","stack":"error: relation \"orders\" does not exist\n    at Parser.parseErrorMessage (/app/node_modules/pg-protocol/dist/parser.js:285:98)\n    at list (/app/src/orders.js:7:3)"}"#,
                &["error error: relation \"orders\" does not exist"],
            ),
            (
                "winston, an error in place of the message",
                r#"{"level":"error","message":{"errno":-111,"code":"ECONNREFUSED","syscall":"connect","address":"127.0.0.1","port":6379}}"#,
                &["error Error: connect ECONNREFUSED 127.0.0.1:6379"],
            ),
            (
                "undici by its cause",
                r#"{"level":"error","message":"quote failed","error":{"name":"TypeError","message":"fetch failed","cause":{"code":"ECONNREFUSED","syscall":"connect","address":"10.0.0.9","port":4000}}}"#,
                &[
                    "error quote failed: TypeError: fetch failed; caused by Error: connect ECONNREFUSED 10.0.0.9:4000",
                ],
            ),
            (
                "zap",
                r#"{"level":"error","ts":1795558832.4,"caller":"db/db.go:12","msg":"ping","error":"dial tcp 10.0.0.5:5432: connect: connection refused","stacktrace":"main.main\n\t/app/main.go:20\nruntime.main\n\t/usr/local/go/src/runtime/proc.go:271"}"#,
                &["error ping: dial tcp 10.0.0.5:5432: connect: connection refused"],
            ),
            (
                "slog, an error of several lines",
                r#"{"time":"2026-11-25T22:20:52.301Z","level":"ERROR","msg":"list orders","err":"failed to connect to `user=shop database=shop`:\n\t[fdaa:0:31f2:0:1::3]:5432 (shop-db.flycast): dial error: dial tcp [fdaa:0:31f2:0:1::3]:5432: connect: connection refused"}"#,
                &[
                    "ERROR list orders: failed to connect to `user=shop database=shop`: [fdaa:0:31f2:0:1::3]:5432 (shop-db.flycast): dial error: dial tcp [fdaa:0:31f2:0:1::3]:5432: connect: connection refused",
                ],
            ),
            (
                "slog, a request",
                r#"{"time":"2026-11-25T22:20:41.120Z","level":"INFO","msg":"request","method":"GET","path":"/api/items","status":200,"dur_ms":2}"#,
                &["GET /api/items answered 200"],
            ),
            (
                "zerolog, a call",
                r#"{"level":"error","service":"erp","method":"GET","url":"https://erp.vendor.example/rest/orders?key=abc","status":401,"time":"2026-11-25T22:20:48Z","message":"upstream error"}"#,
                &["error upstream error; status 401 from https://erp.vendor.example/rest/orders"],
            ),
            (
                "logrus",
                r#"{"error":"pq: password authentication failed for user \"shop\"","level":"fatal","msg":"open database","time":"2026-11-25T22:20:48Z"}"#,
                &["fatal open database: pq: password authentication failed for user \"shop\""],
            ),
            (
                "tracing",
                r#"{"timestamp":"2026-11-25T22:20:48Z","level":"ERROR","fields":{"message":"pool","error":"error communicating with database: Connection refused (os error 111)"},"target":"shop::db"}"#,
                &["ERROR pool: error communicating with database: Connection refused (os error 111)"],
            ),
            (
                "tower_http",
                r#"{"timestamp":"2026-11-25T22:20:48Z","level":"DEBUG","fields":{"message":"finished processing request","latency":"2 ms","status":503},"target":"tower_http::trace","span":{"method":"GET","uri":"/api/orders?x=1","name":"request"}}"#,
                &["GET /api/orders answered 503"],
            ),
            (
                "structlog, dict_tracebacks",
                r#"{"event":"orders failed","level":"error","exception":[{"exc_type":"OperationalError","exc_value":"connection to server at \"db\" (10.0.0.5), port 5432 failed: Connection refused","frames":[{"filename":"/app/orders.py","lineno":7,"name":"listed"}]}]}"#,
                &[
                    "error orders failed: OperationalError: connection to server at \"db\" (10.0.0.5), port 5432 failed: Connection refused",
                ],
            ),
            (
                "python-json-logger",
                r#"{"message":"Exception in ASGI application","levelname":"ERROR","exc_info":"Traceback (most recent call last):\n  File \"/app/orders.py\", line 7, in listed\n    URL = os.environ['DATABASE_URL']\nKeyError: 'DATABASE_URL'"}"#,
                &["ERROR Exception in ASGI application", "KeyError: 'DATABASE_URL'"],
            ),
            (
                "Serilog, compact",
                r#"{"@t":"2026-11-25T22:20:48Z","@mt":"Connection to {Host} failed for {Password}","@l":"Error","Host":"db:5432","Password":"hunter2","@x":"Npgsql.NpgsqlException (0x80004005): Failed to connect to 10.0.0.5:5432\n ---> System.Net.Sockets.SocketException (111): Connection refused\n   at Npgsql.Internal.NpgsqlConnector.Connect(NpgsqlTimeout timeout)"}"#,
                &[
                    "Error Connection to db:5432 failed for {Password}: Npgsql.NpgsqlException (0x80004005): Failed to connect to 10.0.0.5:5432",
                    "---> System.Net.Sockets.SocketException (111): Connection refused",
                ],
            ),
            (
                "Serilog, a request",
                r#"{"@t":"2026-11-25T22:20:48Z","@m":"HTTP GET /api/orders responded 500 in 12.0 ms","@l":"Error","RequestMethod":"GET","RequestPath":"/api/orders","StatusCode":500,"Elapsed":12.0}"#,
                &["GET /api/orders answered 500"],
            ),
            (
                ".NET's console",
                r#"{"EventId":1,"LogLevel":"Error","Category":"Shop","Message":"An unhandled exception has occurred","Exception":"System.NullReferenceException: Object reference not set","State":{}}"#,
                &[
                    "Error An unhandled exception has occurred: System.NullReferenceException: Object reference not set",
                ],
            ),
            (
                "logback",
                r#"{"@timestamp":"2026-11-25T22:20:48.1Z","message":"Application run failed","logger_name":"o.s.boot.SpringApplication","level":"ERROR","stack_trace":"org.springframework.beans.factory.BeanCreationException: Error creating bean\n\tat org.springframework.beans.X.y(X.java:1)\n\t... 3 common frames omitted\nCaused by: org.postgresql.util.PSQLException: Connection to db:5432 refused.\n\tat org.postgresql.Driver.connect(Driver.java:1)\n"}"#,
                &[
                    "ERROR Application run failed: org.springframework.beans.factory.BeanCreationException: Error creating bean",
                    "Caused by: org.postgresql.util.PSQLException: Connection to db:5432 refused.",
                ],
            ),
            (
                "ECS",
                r#"{"@timestamp":"2026-11-25T22:20:48.1Z","log.level":"ERROR","message":"orders","error":{"type":"redis.exceptions.ConnectionError","message":"Error 111 connecting to cache:6379. Connection refused."},"http":{"request":{"method":"GET"},"response":{"status_code":500}},"url":{"path":"/api/orders"}}"#,
                &[
                    "GET /api/orders answered 500",
                    "ERROR orders: redis.exceptions.ConnectionError: Error 111 connecting to cache:6379. Connection refused.",
                ],
            ),
            (
                "lograge",
                r#"{"method":"GET","path":"/api/orders","format":"json","controller":"OrdersController","status":500,"duration":7.1,"exception":["PG::ConnectionBad","could not connect to server: Connection refused"]}"#,
                &[
                    "GET /api/orders answered 500",
                    "PG::ConnectionBad: could not connect to server: Connection refused",
                ],
            ),
            (
                "Cloud Run, a request",
                r#"{"severity":"ERROR","timestamp":"2026-11-25T22:20:48Z","httpRequest":{"requestMethod":"GET","requestUrl":"https://api-xyz.a.run.app/api/orders?x=1","status":503},"textPayload":"The request failed because either the HTTP response was malformed or connection to the instance had an error."}"#,
                &[
                    "GET /api/orders answered 503",
                    "The request failed because either the HTTP response was malformed or connection to the instance had an error.",
                ],
            ),
            (
                "Cloud Logging, an object in it",
                r#"{"severity":"ERROR","jsonPayload":{"message":"orders","error":"context deadline exceeded"},"resource":{"type":"cloud_run_revision"}}"#,
                &["orders: context deadline exceeded"],
            ),
            (
                "Docker's json-file",
                r#"{"log":"Error: Cannot find module '/app/dist/server.js'\n","stream":"stderr","time":"2026-11-25T22:20:48.1Z"}"#,
                &["Error: Cannot find module '/app/dist/server.js'"],
            ),
            (
                "journald",
                r#"{"_SYSTEMD_UNIT":"shop.service","PRIORITY":"3","MESSAGE":"{\"level\":\"error\",\"msg\":\"no such table: orders\"}"}"#,
                &["error no such table: orders"],
            ),
            (
                "Envoy",
                r#"{"method":"GET","path":"/api","response_code":503,"response_flags":"UF","authority":"api.example.test"}"#,
                &["GET /api answered 503"],
            ),
            (
                "a status as text, and a proxy's names",
                r#"{"RequestMethod":"GET","RequestPath":"/api/orders","DownstreamStatus":"502","ServiceURL":"http://10.0.0.3:8080"}"#,
                &["GET /api/orders answered 502"],
            ),
        ] {
            assert_eq!(told(line), want, "{logger}");
        }
    }

    #[test]
    fn what_is_beside_the_known_fields_does_not_come_along_and_what_is_read_is_masked() {
        let line = r#"{"level":"error","msg":"login failed for jane@example.test","password":"hunter2","config":{"DATABASE_URL":"postgres://app:hunter2@db/shop"},"err":{"message":"connect postgres://app:hunter2@db/shop refused","code":"E1","apiKey":"abc"},"body":{"card":"4111"}}"#;
        let told = told(line).join("\n");
        for secret in ["hunter2", "jane@", "abc", "4111"] {
            assert!(!told.contains(secret), "{secret}: {told}");
        }
        assert!(
            told.contains("error login failed for [redacted]: Error: connect postgres://[redacted]@db/shop"),
            "{told}"
        );
    }

    #[test]
    fn a_trace_in_a_field_gives_its_exception_the_frame_of_the_project() {
        let line = r#"{"level":"error","msg":"orders","exc_info":"Traceback (most recent call last):\n  File \"/app/orders.py\", line 7, in listed\n    URL = os.environ['DATABASE_URL']\nKeyError: 'DATABASE_URL'"}"#;
        let found = reduce(line.as_bytes(), false, &|_| false).events;
        assert_eq!(found[1].place.as_deref(), Some("/app/orders.py:7 URL = os.environ['DATABASE_URL']"));
        let line = r#"{"level":"error","message":"no","stack":"TypeError: no\n    at list (/app/src/orders.js:7:3)"}"#;
        let found = reduce(line.as_bytes(), false, &|_| false).events;
        assert_eq!(found[0].place.as_deref(), Some("/app/src/orders.js:7"));
    }

    #[test]
    fn an_object_of_many_kilobytes_is_read_whole_and_no_object_is_cut() {
        let frames = "\\tat org.springframework.web.Filter.doFilter(Filter.java:101)\\n".repeat(300);
        let line = format!(
            r#"{{"level":"ERROR","message":"boom","stack_trace":"java.lang.IllegalStateException: boom\n{frames}Caused by: java.net.ConnectException: Connection refused\n"}}"#
        );
        assert!(line.len() > super::super::LINE_BYTE);
        assert_eq!(
            told(&line).last().map(String::as_str),
            Some("Caused by: java.net.ConnectException: Connection refused")
        );
        let plain = format!("error {}\n", "ä".repeat(super::super::OBJECT_BYTE));
        assert_eq!(told(&plain).len(), 1);
    }

    #[test]
    fn a_time_that_is_a_number_is_the_lines_time() {
        let at = |line: &str| reduce(line.as_bytes(), false, &|_| false).last_at.map(|at| at.to_string());
        assert_eq!(
            at(r#"{"level":30,"time":1795558832402,"msg":"x"}"#).as_deref(),
            Some("2026-11-24T22:20:32Z")
        );
        assert_eq!(
            at(r#"{"level":"info","ts":1795558832.402,"msg":"x"}"#).as_deref(),
            Some("2026-11-24T22:20:32Z")
        );
        assert_eq!(at(r#"{"level":"info","time":12,"msg":"x"}"#), None);
    }
}
