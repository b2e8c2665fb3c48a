//! Monitors of hosted services as Terraform or OpenTofu describes them.
//!
//! Source: the registry's pages of each resource: BetterStackHQ/better-uptime (betteruptime_monitor), StatusCakeDev/statuscake
//! (statuscake_uptime_check), hashicorp/google (google_monitoring_uptime_check_config), hashicorp/aws
//! (aws_route53_health_check), digitalocean/digitalocean (digitalocean_uptime_check), checkly/checkly (checkly_check),
//! russellcardullo/pingdom (pingdom_check), DataDog/datadog (datadog_synthetics_test), grafana/grafana
//! (grafana_synthetic_monitoring_check), hashicorp/azurerm (azurerm_application_insights_standard_web_test),
//! vexxhost/uptimerobot (uptimerobot_monitor); the grammar is hashicorp/hcl's hclsyntax/spec.md.

use landfall_evidence::Says;

use super::{Found, is_credential, millis, statuses};

/// Levels of blocks in one another.
const MAX_DEPTH: usize = 16;
/// Attributes of one resource.
const MAX_ENTRIES: usize = 400;

/// The checks of a file.
pub(super) fn read(file: &str, text: &str) -> Vec<Found> {
    resources(text)
        .into_iter()
        .filter_map(|resource| {
            let place = format!("{file}:{}", resource.line);
            Some(Found { tool: resource.kind.clone(), place, ..check(&resource)? })
        })
        .collect()
}

/// What a resource asks, where its type is one that monitors.
fn check(resource: &Resource) -> Option<Found> {
    let get = |path: &str| resource.get(path);
    let yes = |path: &str| get(path) == Some("true");
    let no = |path: &str| get(path) == Some("false");
    let own = |path: &str| get(path).map(str::to_owned);
    let within = |path: &str, unit_ms: u64| get(path).and_then(|text| millis(text, unit_ms));
    let text = |path: &str| own(path).map(Says::Text).into_iter().collect::<Vec<_>>();
    // A value that is there and is put together elsewhere cannot be known.
    let codes = |path: &str| resource.all(path).flat_map(statuses).collect::<Vec<_>>();
    let mut found = match resource.kind.as_str() {
        "betteruptime_monitor" => Found {
            url: own("url")?,
            method: own("http_method"),
            status: codes("expected_status_codes"),
            follows: !no("follow_redirects"),
            says: match get("monitor_type")? {
                "status" | "expected_status_code" => Vec::new(),
                "keyword" => text("required_keyword"),
                "keyword_absence" => own("required_keyword").map(Says::Not).into_iter().collect(),
                _ => return None,
            },
            within_ms: within("request_timeout", 1_000),
            ..Found::default()
        },
        "uptimerobot_monitor" => Found {
            url: own("url")?,
            method: own("http_method"),
            follows: true,
            // The type of a keyword says when there is an alarm: where the word is, or where it is not.
            says: match (get("type"), get("keyword_type")) {
                (Some("keyword" | "KEYWORD"), Some("not exists" | "ALERT_NOT_EXISTS")) => {
                    text("keyword_value")
                }
                (Some("keyword" | "KEYWORD"), Some("exists" | "ALERT_EXISTS")) => {
                    own("keyword_value").map(Says::Not).into_iter().collect()
                }
                (Some("http" | "HTTP"), _) => Vec::new(),
                _ => return None,
            },
            ..Found::default()
        },
        "statuscake_uptime_check" => Found {
            url: own("monitored_resource.address")?,
            method: own("http_check.request_method"),
            follows: yes("http_check.follow_redirects"),
            says: match get("http_check.content_matchers.matcher") {
                Some("NOT_CONTAINS_STRING") => {
                    own("http_check.content_matchers.content").map(Says::Not).into_iter().collect()
                }
                _ => text("http_check.content_matchers.content"),
            },
            within_ms: within("http_check.timeout", 1_000),
            signs_in: resource.has("http_check.basic_authentication"),
            ..Found::default()
        },
        "google_monitoring_uptime_check_config" => {
            if !yes("http_check.use_ssl") {
                return None;
            }
            let content = own("content_matchers.content");
            Found {
                url: joined(get("monitored_resource.labels.host")?, get("http_check.path").unwrap_or("/")),
                method: own("http_check.request_method"),
                status: resource
                    .all("http_check.accepted_response_status_codes.status_class")
                    .flat_map(|class| {
                        statuses(&class.trim_start_matches("STATUS_CLASS_").to_ascii_lowercase())
                    })
                    .chain(codes("http_check.accepted_response_status_codes.status_value"))
                    .collect(),
                follows: true,
                says: match (get("content_matchers.matcher"), content) {
                    (None | Some("CONTAINS_STRING"), Some(content)) => vec![Says::Text(content)],
                    (Some("NOT_CONTAINS_STRING"), Some(content)) => vec![Says::Not(content)],
                    (Some("MATCHES_REGEX"), Some(content)) => vec![Says::Pattern(content)],
                    _ => Vec::new(),
                },
                within_ms: within("timeout", 1_000),
                signs_in: resource.has("http_check.auth_info"),
                ..Found::default()
            }
        }
        "aws_route53_health_check" => {
            if !matches!(get("type"), Some("HTTPS" | "HTTPS_STR_MATCH")) {
                return None;
            }
            Found {
                url: joined(get("fqdn")?, get("resource_path").unwrap_or("/")),
                // Anything from 200 to 399, and no redirect is followed (Route 53 Developer Guide).
                status: (200..400).collect(),
                says: text("search_string"),
                ..Found::default()
            }
        }
        "digitalocean_uptime_check" => Found { url: own("target")?, follows: true, ..Found::default() },
        "checkly_check" => Found {
            url: own("request.url")?,
            method: own("request.method"),
            status: asserted(resource, "request.assertion", "STATUS_CODE", "EQUALS"),
            follows: !no("request.follow_redirects"),
            within_ms: within("max_response_time", 1),
            signs_in: resource.has("request.basic_auth"),
            ..Found::default()
        },
        "pingdom_check" => {
            if get("type") != Some("http") || !yes("encryption") {
                return None;
            }
            Found {
                url: joined(get("host")?, get("url").unwrap_or("/")),
                follows: true,
                says: text("shouldcontain"),
                signs_in: resource.has("username"),
                ..Found::default()
            }
        }
        "datadog_synthetics_test" => Found {
            url: own("request_definition.url")?,
            method: own("request_definition.method"),
            status: asserted(resource, "assertion", "statusCode", "is"),
            follows: yes("options_list.follow_redirects"),
            within_ms: within("request_definition.timeout", 1_000),
            signs_in: resource.has("request_basicauth"),
            ..Found::default()
        },
        "grafana_synthetic_monitoring_check" => {
            if !resource.has("settings.http") {
                return None;
            }
            Found {
                url: own("target")?,
                method: own("settings.http.method"),
                status: codes("settings.http.valid_status_codes"),
                follows: !yes("settings.http.no_follow_redirects"),
                says: resource
                    .all("settings.http.fail_if_body_not_matches_regexp")
                    .map(|pattern| Says::Pattern(pattern.to_owned()))
                    .collect(),
                within_ms: within("timeout", 1),
                signs_in: resource.has("settings.http.basic_auth")
                    || resource.has("settings.http.bearer_token"),
                ..Found::default()
            }
        }
        "azurerm_application_insights_standard_web_test" => Found {
            url: own("request.url")?,
            method: own("request.http_verb"),
            status: codes("validation_rules.expected_status_code"),
            follows: !no("request.follow_redirects_enabled"),
            says: {
                let wanted = get("validation_rules.content.pass_if_text_found") == Some("true");
                let fold = get("validation_rules.content.ignore_case") == Some("true");
                let says = |word: &str| match (wanted, fold) {
                    (true, true) => Some(Says::Pattern(format!("(?i){}", regex::escape(word)))),
                    (true, false) => Some(Says::Text(word.to_owned())),
                    (false, false) => Some(Says::Not(word.to_owned())),
                    (false, true) => None,
                };
                get("validation_rules.content.content_match").and_then(says).into_iter().collect()
            },
            within_ms: within("timeout", 1_000),
            ..Found::default()
        },
        _ => return None,
    };
    let off = get("paused") == Some("true")
        || get("status") == Some("paused")
        || ["enabled", "activated"].iter().any(|switch| no(switch));
    if off {
        return None;
    }
    found.signs_in |= resource.entries.iter().any(|entry| {
        let in_headers = entry.path.contains("headers");
        in_headers && (is_credential(&entry.path) || entry.value.as_deref().is_some_and(is_credential))
    });
    Some(found)
}

/// The targets of those assertions that are about one source and made with one comparison, block by block.
fn asserted(resource: &Resource, block: &str, source: &str, comparison: &str) -> Vec<u16> {
    let of = |name: &str| resource.all_of(&format!("{block}.{name}"));
    let sources = of("source").into_iter().chain(of("type"));
    let mut found = Vec::new();
    for (place, is) in sources {
        let same = |entries: Vec<(usize, &str)>| {
            entries.into_iter().find(|(at, _)| *at == place).map(|(_, text)| text.to_owned())
        };
        let compared = same(of("comparison")).or_else(|| same(of("operator")));
        if is == source && compared.as_deref() == Some(comparison) {
            found.extend(same(of("target")).iter().flat_map(|text| statuses(text)));
        }
    }
    found
}

fn joined(host: &str, path: &str) -> String {
    format!("https://{host}/{}", path.trim_start_matches('/'))
}

/// A resource block, its attributes by their path of blocks.
#[derive(Debug, Default)]
struct Resource {
    kind: String,
    line: usize,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    path: String,
    /// Which block of its name it stands in, so that two assertions are kept apart.
    block: usize,
    /// A literal; `None` for what is put together from other values.
    value: Option<String>,
}

impl Resource {
    fn get(&self, path: &str) -> Option<&str> {
        self.entries.iter().find(|entry| entry.path == path)?.value.as_deref()
    }

    fn has(&self, path: &str) -> bool {
        self.entries.iter().any(|entry| {
            entry.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }

    fn all<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.entries.iter().filter(move |entry| entry.path == path).filter_map(|entry| entry.value.as_deref())
    }

    fn all_of(&self, path: &str) -> Vec<(usize, &str)> {
        let of_path = self.entries.iter().filter(|entry| entry.path == path);
        of_path.filter_map(|entry| Some((entry.block, entry.value.as_deref()?))).collect()
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    /// An identifier, number or a reference: `true`, `30`, `var.url`.
    Word(String),
    /// A string without interpolation; `None` for one with it, and for a heredoc.
    Text(Option<String>),
    Mark(u8),
    Line,
}

fn resources(text: &str) -> Vec<Resource> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    let mut at = 0;
    while at + 3 < tokens.len() {
        if let [
            (Token::Word(word), line),
            (Token::Text(Some(kind)), _),
            (Token::Text(_), _),
            (Token::Mark(b'{'), _),
        ] = &tokens[at..at + 4]
            && word == "resource"
        {
            let mut reader = Reader { tokens: &tokens, at: at + 4, blocks: 0, entries: Vec::new() };
            reader.body("", 0);
            at = reader.at;
            found.push(Resource { kind: kind.clone(), line: *line, entries: reader.entries });
        } else {
            at += 1;
        }
    }
    found
}

struct Reader<'a> {
    tokens: &'a [(Token, usize)],
    at: usize,
    blocks: usize,
    entries: Vec<Entry>,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at)?.0.clone();
        self.at += 1;
        Some(token)
    }

    fn peek(&self) -> Option<&Token> {
        Some(&self.tokens.get(self.at)?.0)
    }

    /// Reads to the `}` of a body or object: attributes with `=` or `:`, and blocks.
    fn body(&mut self, prefix: &str, depth: usize) {
        self.blocks += 1;
        let block = self.blocks;
        while let Some(token) = self.next() {
            let name = match token {
                Token::Mark(b'}') => return,
                Token::Word(name) | Token::Text(Some(name)) => name,
                _ => continue,
            };
            let path = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
            // Labels of a block.
            while matches!(self.peek(), Some(Token::Text(_))) {
                self.at += 1;
            }
            match self.peek() {
                Some(Token::Mark(b'=' | b':')) => {
                    self.at += 1;
                    self.value(&path, block, depth);
                }
                Some(Token::Mark(b'{')) => {
                    self.at += 1;
                    self.nested(&path, depth);
                }
                _ => {}
            }
        }
    }

    fn nested(&mut self, path: &str, depth: usize) {
        if depth < MAX_DEPTH {
            // That a block is there says something where it is empty too.
            self.add(path, self.blocks, None);
            self.body(path, depth + 1);
        } else {
            self.skip(b'}');
        }
    }

    fn add(&mut self, path: &str, block: usize, value: Option<String>) {
        if self.entries.len() < MAX_ENTRIES {
            self.entries.push(Entry { path: path.to_owned(), block, value });
        }
    }

    /// Reads one value, and what belongs to it up to the end of its line.
    fn value(&mut self, path: &str, block: usize, depth: usize) {
        let alone = |reader: &Self| {
            matches!(reader.peek(), None | Some(Token::Line | Token::Mark(b',' | b'}' | b']')))
        };
        match self.next() {
            Some(Token::Text(text)) => {
                let text = text.filter(|_| alone(self));
                self.add(path, block, text);
            }
            Some(Token::Word(word)) => {
                let literal = word == "true" || word == "false" || word.parse::<f64>().is_ok();
                let value = Some(word).filter(|_| literal && alone(self));
                self.add(path, block, value);
            }
            Some(Token::Mark(b'{')) => self.nested(path, depth),
            Some(Token::Mark(b'[')) => self.list(path, block, depth),
            _ => {}
        }
        // A call, an operator, a condition: what follows belongs to the same expression.
        while let Some(token) = self.peek() {
            match token {
                Token::Line | Token::Mark(b',' | b'}' | b']') => return,
                Token::Mark(open @ (b'(' | b'[' | b'{')) => {
                    let close = match open {
                        b'(' => b')',
                        b'[' => b']',
                        _ => b'}',
                    };
                    self.at += 1;
                    self.skip(close);
                }
                _ => self.at += 1,
            }
        }
    }

    fn list(&mut self, path: &str, block: usize, depth: usize) {
        while let Some(token) = self.peek() {
            match token {
                Token::Mark(b']') => {
                    self.at += 1;
                    return;
                }
                Token::Line | Token::Mark(b',') => self.at += 1,
                _ if depth < MAX_DEPTH => {
                    let before = self.at;
                    self.value(path, block, depth + 1);
                    // A stray bracket ends nothing.
                    self.at = self.at.max(before + 1);
                }
                _ => self.at += 1,
            }
        }
    }

    /// Goes on behind the bracket that closes what was just opened.
    fn skip(&mut self, close: u8) {
        let open = match close {
            b')' => b'(',
            b']' => b'[',
            _ => b'{',
        };
        let mut depth = 1;
        while let Some(token) = self.next() {
            match token {
                Token::Mark(mark) if mark == open => depth += 1,
                Token::Mark(mark) if mark == close => {
                    depth -= 1;
                    if depth == 0 {
                        return;
                    }
                }
                _ => {}
            }
        }
    }
}

fn tokens(text: &str) -> Vec<(Token, usize)> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < bytes.len() {
        match bytes[at] {
            b'\n' => {
                found.push((Token::Line, line));
                line += 1;
                at += 1;
            }
            b'#' => at = until(bytes, at, b"\n"),
            b'/' if bytes.get(at + 1) == Some(&b'/') => at = until(bytes, at, b"\n"),
            b'/' if bytes.get(at + 1) == Some(&b'*') => {
                let end = (until(bytes, at + 2, b"*/") + 2).min(bytes.len());
                line += bytes[at..end].iter().filter(|byte| **byte == b'\n').count();
                at = end;
            }
            b'<' if bytes.get(at + 1) == Some(&b'<') => {
                let end = heredoc(text, at);
                found.push((Token::Text(None), line));
                line += bytes[at..end].iter().filter(|byte| **byte == b'\n').count();
                at = end;
            }
            b'"' => {
                let (value, end) = quoted(text, at + 1);
                found.push((Token::Text(value), line));
                line += bytes[at..end].iter().filter(|byte| **byte == b'\n').count();
                at = end;
            }
            byte if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-' => {
                let end = bytes[at..]
                    .iter()
                    .position(|byte| !(byte.is_ascii_alphanumeric() || b"_-.".contains(byte)))
                    .map_or(bytes.len(), |more| at + more);
                found.push((Token::Word(text[at..end].to_owned()), line));
                at = end;
            }
            mark @ (b'{' | b'}' | b'[' | b']' | b'(' | b')' | b'=' | b':' | b',' | b'?' | b'+') => {
                found.push((Token::Mark(mark), line));
                at += 1;
            }
            _ => at += 1,
        }
    }
    found
}

/// Where a sequence begins, from an offset on; the end of the text when it is not there.
fn until(bytes: &[u8], from: usize, sequence: &[u8]) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.windows(sequence.len()).position(|window| window == sequence).map_or(bytes.len(), |more| from + more)
}

/// The end of a string that begins behind its quotation mark, and its value unless something is put into it.
fn quoted(text: &str, from: usize) -> (Option<String>, usize) {
    let bytes = text.as_bytes();
    let mut value = String::new();
    let (mut at, mut plain, mut braces) = (from, true, 0_usize);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => {
                let escaped = text[at + 1..].chars().next();
                match escaped {
                    Some('n') => value.push('\n'),
                    Some('t') => value.push('\t'),
                    Some(other) => value.push(other),
                    None => {}
                }
                at += 1 + escaped.map_or(0, char::len_utf8);
            }
            b'"' if braces == 0 => return (plain.then_some(value), at + 1),
            b'$' | b'%' if bytes.get(at + 1) == Some(&b'{') => {
                plain = false;
                braces += 1;
                at += 2;
            }
            b'}' if braces > 0 => {
                braces -= 1;
                at += 1;
            }
            // A string does not go over lines outside of what is put into it.
            b'\n' if braces == 0 => return (None, at),
            _ => {
                let letter = text[at..].chars().next().unwrap_or(' ');
                value.push(letter);
                at += letter.len_utf8();
            }
        }
    }
    (None, bytes.len())
}

/// The end of a heredoc: the line that is its mark alone.
fn heredoc(text: &str, from: usize) -> usize {
    let first = text[from..].find('\n').map_or(text.len(), |more| from + more);
    let mark = text[from..first].trim_start_matches(['<', '-']).trim();
    let mut at = first;
    while at < text.len() {
        let end = text[at + 1..].find('\n').map_or(text.len(), |more| at + 1 + more);
        if text[at + 1..end].trim() == mark {
            return end;
        }
        at = end;
    }
    text.len()
}
