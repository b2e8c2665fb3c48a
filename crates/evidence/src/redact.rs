//! Secrets leave the process masked or not at all.
//!
//! What is masked: cookies and credentials in headers, passwords and tokens in URLs, values of telling keys in JSON and
//! form bodies and command output, and strings whose own shape gives them away (provider key prefixes, JSON web tokens,
//! PEM private keys). Shapes are taken from the providers' documented prefixes; a false mask costs a word of evidence, a
//! missed one costs a secret, so doubt masks.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use url::Url;

use crate::{
    Denial, DoorAnswer, Evidence, Header, HttpObservation, HttpResponse, Observation, Observed, ProbeFault,
    RegisteredAnswer, Seen,
};

/// What stands in place of a secret.
pub const REDACTED: &str = "[redacted]";

/// Headers whose whole value is a credential.
const SECRET_HEADERS: &[&str] = &[
    "authorization",
    "proxy-authorization",
    "cookie",
    "x-api-key",
    "x-auth-token",
    "x-csrf-token",
    "x-xsrf-token",
    "x-internal-secret",
    "x-amz-security-token",
    "stripe-signature",
];

const KEY: &str = r"(?:[a-z0-9_.-]*(?:secret|passwd|password|passphrase|token|api[_-]?key|apikey|access[_-]?key|private[_-]?key|credential|session[_-]?id|dsn)(?:[_-][a-z0-9_-]*)?|auth|sid)";

struct Patterns {
    by_shape: Regex,
    json_pair: Regex,
    assignment: Regex,
    url_userinfo: Regex,
    query_pair: Regex,
    secret_key: Regex,
    cookie_value: Regex,
    email: Regex,
    colon_pair: Regex,
    cookie_line: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let compile = |pattern: &str| {
        Regex::new(pattern).expect("the redaction patterns are constants and covered by tests")
    };
    Patterns {
        by_shape: compile(
            r"(?x)
            -----BEGIN\s[A-Z\x20]*PRIVATE\sKEY-----[\s\S]*?(?:-----END\s[A-Z\x20]*PRIVATE\sKEY-----|\z)
            | \b(?:sk|rk|pk|whsec)_(?:live|test)?_?[A-Za-z0-9]{16,}
            | \bsk-[A-Za-z0-9_-]{20,}
            | \b(?:ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9]{20,} | \bgithub_pat_[A-Za-z0-9_]{20,}
            | \bglpat-[A-Za-z0-9_-]{16,}
            | \bxox[abprs]-[A-Za-z0-9-]{10,}
            | \b(?:AKIA|ASIA)[A-Z0-9]{16}\b
            | \bAIza[A-Za-z0-9_-]{30,}
            | \bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}
            | \bre_[A-Za-z0-9_]{20,}
            | \b\d{8,10}:[A-Za-z0-9_-]{30,}
            | \beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*
            | (?i:\bbearer\s+)[A-Za-z0-9._~+/-]{12,}=*
            ",
        ),
        json_pair: compile(&format!(r#"(?i)("{KEY}"\s*:\s*)("(?:[^"\\]|\\.)*"?|[0-9][0-9a-z.]*)"#)),
        assignment: compile(&format!(r#"(?i)\b({KEY})(\s*=\s*)("[^"]*"|'[^']*'|[^\s&;,"'<>]+)"#)),
        url_userinfo: compile(r"(?i)\b([a-z][a-z0-9+.-]*://)([^\s/@:]*):([^\s/@]+)@"),
        query_pair: compile(&format!(
            r"(?i)([?&;](?:{KEY}|sig|signature|key|code|x-amz-[a-z-]+)=)([^&\s#;]+)"
        )),
        secret_key: compile(&format!(r"(?i)^(?:{KEY}|sig|signature|key|code)$")),
        cookie_value: compile(r"^([^=;]+=)[^;]*"),
        email: compile(r"\b[A-Za-z0-9][A-Za-z0-9._%+-]*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+\b"),
        colon_pair: compile(&format!(r"(?i)(\b{KEY}'?:\s+)('[^']*'|[^\s,;}})]+)")),
        cookie_line: compile(r"(?i)\b((?:set-)?cookie'?\s*[:=]\s*).*"),
    }
});

/// Masks secrets in free text: bodies, command output, error texts.
pub fn redact_text(text: &str) -> String {
    let p = &*PATTERNS;
    let text = p.by_shape.replace_all(text, REDACTED);
    let text = p.json_pair.replace_all(&text, |c: &Captures<'_>| format!("{}\"{REDACTED}\"", &c[1]));
    let text = p.url_userinfo.replace_all(&text, |c: &Captures<'_>| format!("{}{REDACTED}@", &c[1]));
    let text = p.query_pair.replace_all(&text, |c: &Captures<'_>| format!("{}{REDACTED}", &c[1]));
    let text = p.assignment.replace_all(&text, |c: &Captures<'_>| {
        // A word already masked stays as it is, so that masking twice changes nothing.
        if c[3].starts_with(REDACTED.trim_end_matches(']')) {
            c[0].to_owned()
        } else {
            format!("{}{}{REDACTED}", &c[1], &c[2])
        }
    });
    text.into_owned()
}

/// Masks secrets in a line of a log: as [`redact_text`], and also e-mail addresses, cookies, and what follows a telling
/// key and a colon, since logs print settings and people in those forms.
pub fn redact_log_line(line: &str) -> String {
    let p = &*PATTERNS;
    let line = p.cookie_line.replace(line, |c: &Captures<'_>| format!("{}{REDACTED}", &c[1]));
    let line = redact_text(&line);
    let line = p.colon_pair.replace_all(&line, |c: &Captures<'_>| {
        if c[2].starts_with(REDACTED.trim_end_matches(']')) {
            c[0].to_owned()
        } else {
            format!("{}{REDACTED}", &c[1])
        }
    });
    p.email.replace_all(&line, REDACTED).into_owned()
}

/// Masks user names, passwords and telling query values in a URL.
pub fn redact_url(url: &Url) -> Url {
    let mut clean = url.clone();
    if !clean.username().is_empty() || clean.password().is_some() {
        // Both fail only for URLs without a host, which carry no credentials to begin with.
        let _ = clean.set_username("");
        let _ = clean.set_password(None);
    }
    if clean.query().is_some() {
        let pairs: Vec<(String, String)> = clean
            .query_pairs()
            .map(|(k, v)| {
                let masked = PATTERNS.secret_key.is_match(&k) || PATTERNS.by_shape.is_match(&v);
                (k.into_owned(), if masked { REDACTED.to_owned() } else { v.into_owned() })
            })
            .collect();
        if pairs.iter().any(|(_, v)| v == REDACTED) {
            clean.query_pairs_mut().clear().extend_pairs(pairs);
        }
    }
    clean
}

/// The value of a header with any secret masked. `name` in lower case.
pub fn redact_header(name: &str, value: &str) -> String {
    if SECRET_HEADERS.contains(&name) {
        return REDACTED.to_owned();
    }
    if name == "set-cookie" {
        // The name and the attributes are evidence (Secure, SameSite, which hop sets it); the value is the secret.
        return PATTERNS.cookie_value.replace(value, format!("${{1}}{REDACTED}")).into_owned();
    }
    if PATTERNS.secret_key.is_match(name) {
        return REDACTED.to_owned();
    }
    redact_text(value)
}

fn clean(text: &mut String) {
    let masked = redact_text(text);
    if masked != *text {
        *text = masked;
    }
}

fn clean_line(line: &mut String) {
    let masked = redact_log_line(line);
    if masked != *line {
        *line = masked;
    }
}

fn clean_headers(headers: &mut [Header]) {
    for header in headers {
        header.value = redact_header(&header.name, &header.value);
    }
}

fn clean_url_text(text: &mut String) {
    match Url::parse(text) {
        Ok(url) => {
            let masked = redact_url(&url);
            if masked != url {
                *text = masked.to_string();
            }
        }
        Err(_) => clean(text),
    }
}

fn clean_outcome<T>(answer: &mut Observed<T>) {
    match answer {
        Observed::Denied(Denial::Malformed { detail, .. } | Denial::Unreachable { detail }) => clean(detail),
        Observed::Denied(Denial::NotTls { first_bytes }) => clean(first_bytes),
        Observed::Unasked(ProbeFault::Local { detail }) => clean(detail),
        Observed::Unasked(ProbeFault::Blocked { by, reason }) => {
            clean(&mut by.0);
            clean(reason);
        }
        _ => {}
    }
}

fn clean_http(seen: &mut HttpObservation) {
    clean_url_text(&mut seen.request.url);
    clean(&mut seen.request.path);
    clean_headers(&mut seen.request.headers);
    clean_outcome(&mut seen.answer);
    if let Observed::Present(response) = &mut seen.answer {
        clean_response(response);
    }
}

fn clean_response(response: &mut HttpResponse) {
    clean_headers(&mut response.headers);
    if let Some(text) = &mut response.body.text {
        clean(text);
    }
    if let Some(document) = &mut response.body.document {
        document.version.iter_mut().chain(&mut document.operations).for_each(clean);
        clean(&mut document.base);
    }
    if let Some(url) = &mut response.redirect_to {
        clean_url_text(url);
    }
}

impl Observation {
    /// Masks every secret that the patterns know.
    pub fn redact(&mut self) {
        clean(&mut self.id.0);
        if let Some(after) = &mut self.after {
            clean(&mut after.0);
        }
        clean(&mut self.by_hand);
        match &mut self.seen {
            Seen::Dns(seen) => clean_outcome(&mut seen.answer),
            Seen::Tls(seen) => clean_outcome(&mut seen.answer),
            Seen::TlsSurvey(seen) => {
                clean_outcome(&mut seen.answer);
                let Observed::Present(survey) = &mut seen.answer else { return };
                if let Some(check) = &mut survey.revocation {
                    clean_url_text(&mut check.url);
                }
                if let Some(fetch) = &mut survey.issuer {
                    clean_url_text(&mut fetch.url);
                }
            }
            Seen::Http(seen) => clean_http(seen),
            Seen::Door(seen) => {
                if let Some(url) = &mut seen.question.url {
                    clean_url_text(url);
                }
                clean_outcome(&mut seen.answer);
                if let Observed::Present(DoorAnswer::Http { response }) = &mut seen.answer {
                    clean_response(response);
                }
            }
            Seen::RateLimit(seen) => {
                clean_url_text(&mut seen.url);
                clean_outcome(&mut seen.answer);
                let Observed::Present(run) = &mut seen.answer else { return };
                // Names of observations carry their paths, and must stay the names of the masked observations.
                for step in &mut run.sequence {
                    clean(&mut step.observation.0);
                }
                if let Some(signal) = &mut run.signal {
                    clean(&mut signal.observation.0);
                    clean_headers(&mut signal.headers);
                    if let Some(body) = &mut signal.body {
                        clean(body);
                    }
                }
            }
            Seen::Rdap(seen) => {
                clean(&mut seen.url);
                clean_outcome(&mut seen.answer);
            }
            Seen::Project(seen) => {
                clean_outcome(&mut seen.answer);
                if let Observed::Present(snapshot) = &mut seen.answer {
                    for config in &mut snapshot.deploy {
                        if let Some(start) = &mut config.start {
                            clean(&mut start.raw);
                        }
                    }
                    if let Some(git) = &mut snapshot.git {
                        for change in &mut git.deploy_history {
                            clean(&mut change.subject);
                            for start in
                                [&mut change.start_before, &mut change.start_after].into_iter().flatten()
                            {
                                clean(&mut start.raw);
                            }
                        }
                    }
                    snapshot.unread.iter_mut().for_each(clean);
                    if let Some(registered) = &mut snapshot.registered {
                        clean(&mut registered.asked);
                        if let RegisteredAnswer::Failed { reason } | RegisteredAnswer::NotAsked { reason } =
                            &mut registered.answer
                        {
                            clean(reason);
                        }
                    }
                }
            }
            Seen::Log(seen) => {
                clean_outcome(&mut seen.answer);
                if let Observed::Present(tail) = &mut seen.answer {
                    for event in &mut tail.events {
                        clean_line(&mut event.text);
                        event.place.iter_mut().for_each(clean_line);
                    }
                }
            }
            Seen::Tests(seen) => {
                clean(&mut seen.command);
                clean_outcome(&mut seen.answer);
                if let Observed::Present(run) = &mut seen.answer {
                    clean(&mut run.output_tail);
                    for error in &mut run.collection_errors {
                        clean(&mut error.message);
                        if let Some(statement) = &mut error.statement {
                            clean(statement);
                        }
                    }
                }
            }
        }
    }
}

impl Evidence {
    /// Masks every secret that the patterns know. Masking twice changes nothing, and the diagnosis is always made from
    /// masked evidence, so a replay cannot differ from the live run.
    pub fn redact(&mut self) {
        for url in [&mut self.target.production, &mut self.target.origin, &mut self.target.local]
            .into_iter()
            .flatten()
        {
            *url = redact_url(url);
        }
        for endpoint in &mut self.target.endpoints {
            clean(&mut endpoint.path);
        }
        for profile in &mut self.target.uses {
            clean(&mut profile.name);
        }
        self.observations.iter_mut().for_each(Observation::redact);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_text_are_masked_and_the_rest_stays() {
        let cases = [
            (r#"{"api_key":"abc123","ok":true}"#, r#"{"api_key":"[redacted]","ok":true}"#),
            (r#"{"openai_configured":true,"status":"ok"}"#, r#"{"openai_configured":true,"status":"ok"}"#),
            ("postgres://app:hunter2@db.internal/app", "postgres://[redacted]@db.internal/app"),
            ("STRIPE_SECRET_KEY=hunter2 here", "STRIPE_SECRET_KEY=[redacted] here"),
            (r#"{"whatsapp_token_configured":true}"#, r#"{"whatsapp_token_configured":true}"#),
            ("API_TOKEN=abcdef", "API_TOKEN=[redacted]"),
            ("GET /callback?token=abcdef&x=1", "GET /callback?token=[redacted]&x=1"),
            ("sk_live_0123456789abcdefABCDEF", "[redacted]"),
            ("Authorization: Bearer abcdefghijklmnop", "Authorization: [redacted]"),
            ("No module named 'run'", "No module named 'run'"),
        ];
        for (text, want) in cases {
            assert_eq!(redact_text(text), want);
            assert_eq!(redact_text(&redact_text(text)), want, "masking twice changes nothing");
        }
    }

    #[test]
    fn lines_of_a_log_lose_people_cookies_and_settings() {
        let cases = [
            ("login of jane.doe+x@mail.example.test failed", "login of [redacted] failed"),
            ("Cookie: session=abc; theme=dark", "Cookie: [redacted]"),
            ("set-cookie: sid=1", "set-cookie: [redacted]"),
            ("db password: hunter2, retrying", "db password: [redacted], retrying"),
            ("{'API_TOKEN': 'abc def', 'x': 1}", "{'API_TOKEN': [redacted], 'x': 1}"),
            ("connecting to postgres://app:hunter2@db/shop", "connecting to postgres://[redacted]@db/shop"),
            ("KeyError: 'STRIPE_SECRET_KEY'", "KeyError: 'STRIPE_SECRET_KEY'"),
            (
                "FATAL:  password authentication failed for user \"app\"",
                "FATAL:  password authentication failed for user \"app\"",
            ),
            (
                "jwt.exceptions.InvalidTokenError: not yet valid",
                "jwt.exceptions.InvalidTokenError: not yet valid",
            ),
        ];
        for (line, want) in cases {
            assert_eq!(redact_log_line(line), want);
            assert_eq!(redact_log_line(want), want, "masking twice changes nothing");
        }
    }

    #[test]
    fn a_private_key_block_is_masked_even_when_it_is_cut() {
        let cut = "before -----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIA";
        assert_eq!(redact_text(cut), "before [redacted]");
    }

    #[test]
    fn cookies_keep_their_name_and_attributes() {
        assert_eq!(
            redact_header("set-cookie", "session=abc; Path=/; Secure"),
            "session=[redacted]; Path=/; Secure"
        );
        assert_eq!(redact_header("authorization", "Basic abc"), REDACTED);
        assert_eq!(redact_header("server", "cloudflare"), "cloudflare");
    }

    #[test]
    fn urls_lose_credentials_and_telling_values() {
        let url = Url::parse("https://u:p@api.example.test/a?token=abc&page=2").expect("valid");
        let clean = redact_url(&url).to_string();
        assert!(!clean.contains("u:p") && !clean.contains("abc") && clean.contains("page=2"), "{clean}");
        let plain = Url::parse("https://api.example.test/a?page=2&q=x%20y").expect("valid");
        assert_eq!(redact_url(&plain), plain, "a URL without secrets keeps its exact bytes");
    }

    #[test]
    fn a_secret_in_a_path_is_masked_wherever_the_path_is_named_and_links_still_lead_somewhere() {
        let kept = std::fs::read_to_string(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../scenarios/levqor-undeployed/evidence.json"
        ));
        let text =
            kept.expect("the kept evidence").replace("GET /health", "GET /health?token=hunter22secret");
        let mut evidence = Evidence::from_json(&text).expect("it is evidence still");
        evidence.redact();
        let clean = evidence.to_json();
        assert!(!clean.contains("hunter22secret"));
        for (_, seen) in evidence.rate_limit() {
            for step in &seen.answer.present().expect("it ran").sequence {
                assert!(evidence.find(&step.observation).is_some(), "{}", step.observation);
            }
        }
        let mut again = evidence.clone();
        again.redact();
        assert_eq!(again, evidence, "masking twice changes nothing");
    }
}
