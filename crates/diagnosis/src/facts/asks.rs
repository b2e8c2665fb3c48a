//! Which URLs a page's own code would really ask: comments are left out, and so is what a condition keeps for another
//! place than production, what is only compared, and what nothing uses.
//!
//! It reads text and no syntax tree, so it takes the cautious side: a place that it does not understand is no sign.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

/// Characters looked at before a literal.
const LOOK_BACK: usize = 320;

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a built-in pattern compiles; the tests use every one")
}

/// A call or property by which a browser goes to the URL that follows.
static ASKS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?i)(?:\b(?:fetch|axios|request|sendBeacon|importScripts|io|ky|got|ofetch|\$fetch|import|WebSocket|EventSource|Worker|axios\.\w+|(?:\$|jQuery|http|client|api|superagent)\.(?:get|post|put|patch|delete|request|ajax|getJSON))\s*\(\s*(?:\{\s*(?:url|baseURL)\s*:\s*)?|\.open\s*\(\s*["'`]\w+["'`]\s*,\s*|\bcreate\s*\(\s*\{\s*baseURL\s*:\s*|\b(?:location|\.src|\.href|\.action|location\.\w+)\s*=\s*)["'`]$"#,
    )
});
/// A name that the literal is given to.
static NAMED: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(?:(const|let|var)\s+)?(["']?)([A-Za-z_$][\w$.]*)["']?\s*(=|:)\s*["'`]$"#));
/// What stands in for a missing value.
static INSTEAD: LazyLock<Regex> = LazyLock::new(|| pattern(r#"(?:\|\||\?\?)\s*["'`]$"#));
static RETURNED: LazyLock<Regex> = LazyLock::new(|| pattern(r#"(?:\breturn|=>)\s*["'`]$"#));
static CHOSEN: LazyLock<Regex> = LazyLock::new(|| pattern(r#"[^?]\?[^?.][^;{]*$"#));
/// Words by which code tells a developer's machine from production.
static PLACE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?i)localhost|127\.0\.0\.1|hostname|\bhost\b|\bprotocol\b|NODE_ENV|\bMODE\b|_?_?\bDEV(?:ELOPMENT)?\b|\bPROD(?:UCTION)?\b|is_?dev|is_?local|is_?prod|\bdebug|\b_?_DEV_?_|\btest\b|\bstaging\b|\bmock\b|\be2e\b|\bcypress\b|!1\b|\bfalse\b|typeof\s+(?:window|document|location)"#,
    )
});
static CONDITION: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"\bif\s*\(|\belse\b|\bcase\b|&&|[^?]\?[^?.]"#));
/// A name that says that it is not for production, as a key or a variable has it.
static DEVELOPMENT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?i)(?:^|[_.$-])(?:dev|development|local|localhost|test|testing|debug|mock|example|sample|placeholder|staging)(?:$|[_.$-])|^(?:dev|local|test|debug|mock)[A-Z]|(?:Dev|Local|Test|Debug|Mock|Example|Placeholder)(?:$|[A-Z])|(?:^|[_.])(?:DEV|LOCAL)[A-Z_]*$"#,
    )
});
static LOCATION: LazyLock<Regex> = LazyLock::new(|| pattern(r#"(?i)\blocation\b|\borigin\b|\.href\b"#));

/// A script without its comments: what stands in strings and templates is kept, line ends as well.
pub(super) fn without_comments(script: &str) -> String {
    let mut out = String::with_capacity(script.len());
    let mut rest = script.chars().peekable();
    let mut quote: Option<char> = None;
    let mut before = '\n';
    while let Some(c) = rest.next() {
        if let Some(end) = quote {
            out.push(c);
            if c == '\\' {
                out.extend(rest.next());
            } else if c == end || (c == '\n' && end != '`') {
                quote = None;
            }
            continue;
        }
        match (c, rest.peek()) {
            ('"' | '\'' | '`', _) => {
                quote = Some(c);
                out.push(c);
            }
            // `:` comes before the slashes of a URL in a regular expression or in bare text.
            ('/', Some('/')) if before != ':' && before != '\\' => {
                while rest.peek().is_some_and(|next| *next != '\n') {
                    rest.next();
                }
            }
            ('/', Some('*')) if before != '\\' => {
                rest.next();
                let mut last = ' ';
                for next in rest.by_ref() {
                    if last == '*' && next == '/' {
                        break;
                    }
                    last = next;
                }
                out.push(' ');
            }
            _ => out.push(c),
        }
        before = c;
    }
    out
}

/// A page without what stands in HTML comments, as browsers skip it.
pub(super) fn without_html_comments(page: &str) -> String {
    let mut out = String::with_capacity(page.len());
    let mut rest = page;
    while let Some(start) = rest.find("<!--") {
        out.push_str(&rest[..start]);
        match rest[start + 4..].find("-->") {
            Some(end) => rest = &rest[start + 4 + end + 3..],
            None => return out,
        }
    }
    out.push_str(rest);
    out
}

/// Whether the code would go to the URL that begins at this byte of a script without comments. `whole` is false where
/// other scripts may use the names of this one.
pub(super) fn is_asked(script: &str, at: usize, whole: bool) -> bool {
    if is_for_another_place(script, at) {
        return false;
    }
    let before = before(script, at);
    if ASKS.is_match(before) {
        return true;
    }
    if INSTEAD.is_match(before) {
        // What stands in for the page's own address where there is no page, as libraries have it.
        return !LOCATION.is_match(statement(before)) && !has_other_base(script, at, None);
    }
    if let Some(found) = NAMED.captures(before) {
        let name = &found[3];
        let key = name.rsplit('.').next().unwrap_or(name);
        let ternary = &found[4] == ":" && CHOSEN.is_match(statement(before));
        if DEVELOPMENT.is_match(key) || has_other_base(script, at, Some(key)) {
            return false;
        }
        let declared = found.get(1).is_some() && !is_exported(before, &found);
        let used = !declared || !whole || occurs(script, key) > 1;
        return used && !ternary;
    }
    // A value chosen by a condition that tells no place from another: `cfg ? cfg : "http://…"`.
    if before.trim_end_matches(['"', '\'', '`']).trim_end().ends_with(':')
        && CHOSEN.is_match(statement(before))
    {
        return !has_other_base(script, at, None);
    }
    RETURNED.is_match(before) && !has_other_base(script, at, None)
}

fn is_exported(before: &str, found: &regex::Captures<'_>) -> bool {
    found.get(0).is_some_and(|all| before[..all.start()].trim_end().ends_with("export"))
}

/// The part of a text that belongs to its last statement.
fn statement(before: &str) -> &str {
    let start = before.rfind([';', '}']).map_or(0, |i| i + 1);
    &before[start..]
}

/// What stands shortly before a byte.
fn before(script: &str, at: usize) -> &str {
    let from = script[..at].char_indices().rev().nth(LOOK_BACK).map_or(0, |(i, _)| i);
    &script[from..at]
}

/// Whether a condition before the literal tells a developer's machine, or a build that is not this one.
pub(super) fn is_for_another_place(script: &str, at: usize) -> bool {
    let before = before(script, at);
    let own = statement(before);
    if CONDITION.is_match(own) && PLACE.is_match(own) {
        return true;
    }
    // `if (hostname === "localhost") { a(); b = "http://…" }`, and the other branch of `if (production) { … } else …`.
    let Some(open) = before.rfind("if") else { return false };
    let branch = &before[open..];
    let (opened, closed) = (branch.matches('{').count(), branch.matches('}').count());
    let within = opened > closed || own.trim_start().starts_with("else") || branch.contains("else");
    within && PLACE.is_match(branch.split('{').next().unwrap_or(branch))
}

/// Whether a public URL, or a path, stands beside: under the same name, or under one that says production.
fn has_other_base(script: &str, at: usize, name: Option<&str>) -> bool {
    static BASES: LazyLock<Regex> = LazyLock::new(|| {
        pattern(r#"["']?([A-Za-z_$][\w$]*)["']?\s*(?:=|:)\s*["'`](https?://[^"'`\s]+|/[a-z][\w/.-]*)["'`]"#)
    });
    BASES.captures_iter(script).any(|found| {
        let Some(all) = found.get(0) else { return false };
        let url = &found[2];
        let other = all.start() > at || all.end() < at;
        let same = name.is_some_and(|name| name.len() > 2 && name == &found[1]);
        let production = ["prod", "production", "live"].iter().any(|word| {
            found[1].eq_ignore_ascii_case(word)
                || found[1].to_ascii_lowercase().starts_with(&format!("{word}_"))
                || found[1].to_ascii_lowercase().ends_with(&format!("_{word}"))
        });
        other && (same || production) && !super::page::names_local(url)
    })
}

/// How often a name stands in a script, as a word.
fn occurs(script: &str, name: &str) -> usize {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
    script
        .match_indices(name)
        .filter(|(i, _)| {
            !script[..*i].chars().next_back().is_some_and(is_word)
                && !script[i + name.len()..].chars().next().is_some_and(is_word)
        })
        .take(2)
        .count()
}

/// The URLs of a script that its code would ask, of those that a pattern finds.
pub(super) fn asked<'s>(script: &'s str, urls: &Regex, whole: bool) -> BTreeSet<&'s str> {
    urls.find_iter(script)
        .take(200)
        .filter(|found| is_asked(script, found.start(), whole))
        .map(|found| found.as_str())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::page::LOCAL_URL;
    use super::*;

    fn asks(script: &str) -> bool {
        !asked(&without_comments(script), &LOCAL_URL, true).is_empty()
    }

    #[test]
    fn what_code_would_ask() {
        for script in [
            "fetch('http://localhost:5000/api/items')",
            "fetch(`http://localhost:5000/api/${id}`)",
            "axios.get(\"http://localhost:8000/x\").then(f)",
            "const x = axios.create({ baseURL: 'http://localhost:8000' })",
            "const api = \"http://localhost:5000/api\";\nfetch(api + '/items')",
            "var a=\"https://cdn.example.test/x\",b=\"http://localhost:5000\";fetch(b)",
            "const K=void 0||\"http://localhost:3000\";fetch(K)",
            "const K={}.VITE_API_URL??\"http://localhost:3000\";fetch(K)",
            "window.API_URL = 'http://localhost:8000'",
            "export const API = 'http://localhost:8000'",
            "const config={apiUrl:\"http://backend:8000\",timeout:5}",
            "new WebSocket('ws://localhost:9000/live')",
            "function base(){return \"http://127.0.0.1:5000\"}",
        ] {
            assert!(asks(script), "{script}");
        }
    }

    #[test]
    fn what_code_would_not_ask() {
        for script in [
            "// const api = 'http://localhost:5000/api'\nfetch('/api')",
            "/* fetch('http://localhost:5000') */ fetch('/api')",
            "const api = location.hostname === 'localhost' ? 'http://localhost:5000' : 'https://api.example.test'; fetch(api)",
            "const api = location.hostname === 'localhost' ? 'http://localhost:5000' : ''; fetch(api)",
            "let api = 'https://api.example.test';\nif (location.hostname === 'localhost') { api = 'http://localhost:5000'; }\nfetch(api)",
            "let api = '/api';\nif (location.hostname === 'localhost') api = 'http://localhost:5000';\nfetch(api)",
            "if (import.meta.env.PROD) { api = '/api' } else { api = 'http://localhost:5000' }\nfetch(api)",
            "if(!1){fetch(\"http://localhost:5000\")}",
            "const hosts = { development: 'http://localhost:5000', production: 'https://api.example.test' }",
            "const hosts={local:{url:\"http://localhost:5000\"},live:\"https://api.example.test\"}",
            "const DEV_API = 'http://localhost:5000'; fetch(DEV_API)",
            "const old = 'http://localhost:5000'; fetch('/api')",
            "if (origin === 'http://localhost:3000') report()",
            "const ok = url.startsWith('http://localhost:3000')",
            "const o=e.hasBrowserEnv&&window.location.href||\"http://localhost\";new URL(u,o)",
            "new URL(path, 'http://localhost')",
            "input.placeholder = 'http://localhost:8080'",
            "switch (location.hostname) { case 'localhost': return 'http://localhost:5000' }",
            "console.log('see http://localhost:5000/ for help')",
        ] {
            assert!(!asks(script), "{script}");
        }
    }

    #[test]
    fn comments_end_where_they_end() {
        assert_eq!(without_comments("a('http://x/*y*/') // b\nc /* d */ e"), "a('http://x/*y*/') \nc   e");
        assert_eq!(without_comments("/* open"), " ");
        assert_eq!(without_html_comments("a<!-- b -->c<!-- d"), "ac");
    }
}
