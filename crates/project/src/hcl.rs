//! HashiCorp's configuration language as Terraform and OpenTofu use it: resources with their attributes, as far as they are
//! literal.
//!
//! Source: hashicorp/hcl, hclsyntax/spec.md; variables, their defaults and locals: developer.hashicorp.com/terraform/language.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

/// Levels of blocks in one another.
const MAX_DEPTH: usize = 16;
/// Attributes of one resource.
const MAX_ENTRIES: usize = 400;
/// Values of variables and locals that are kept.
const MAX_VALUES: usize = 500;
/// Locals that are made of others are looked up so many times.
const ROUNDS: usize = 3;

/// The values of a folder's variables and locals that are literal, as far as they are names or addresses: nothing else is put in
/// anywhere, and so no secret is.
#[derive(Debug, Default)]
pub(crate) struct Values(BTreeMap<String, String>);

impl Values {
    /// Reads the files of one folder: `.tf` and `.tfvars`. Parts of objects are known by their path: `local.hosts.api`.
    pub(crate) fn read<'a>(texts: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut values = Self::default();
        let (given, texts): (Vec<_>, Vec<_>) = texts.partition(|(path, _)| path.ends_with(".tfvars"));
        for (name, entries) in texts.iter().flat_map(|(_, text)| blocks(text, "variable")) {
            for entry in entries {
                let rest = entry.path.strip_prefix("default");
                if let (Some(rest), Some(value)) =
                    (rest.filter(|rest| rest.is_empty() || rest.starts_with('.')), &entry.value)
                {
                    values.add(format!("var.{name}{rest}"), value);
                }
            }
        }
        // What a file of values says goes before a default.
        for entry in given.iter().flat_map(|(_, text)| entries(&tokens(text), 0).0) {
            if let Some(value) = &entry.value {
                values.add(format!("var.{}", entry.path), value);
            }
        }
        for _ in 0..ROUNDS {
            for (_, text) in &texts {
                let known: Vec<Entry> = blocks(&values.fill(text), "locals")
                    .into_iter()
                    .flat_map(|(_, entries)| entries)
                    .collect();
                for entry in known {
                    if let Some(value) = &entry.value {
                        values.add(format!("local.{}", entry.path), value);
                    }
                }
            }
        }
        values
    }

    /// The elements of an object, each with what `each` stands for in a resource that is made for every one of them.
    pub(crate) fn each(&self, object: &str) -> Vec<Self> {
        let prefix = format!("{object}.");
        let mut found: BTreeMap<&str, Self> = BTreeMap::new();
        for (path, value) in self.0.range(prefix.clone()..).take_while(|(path, _)| path.starts_with(&prefix))
        {
            let rest = &path[prefix.len()..];
            let (key, attribute) =
                rest.split_once('.').map_or((rest, String::new()), |(key, more)| (key, format!(".{more}")));
            let one = found.entry(key).or_insert_with(|| {
                let mut one = Self(self.0.clone());
                one.0.insert("each.key".to_owned(), key.to_owned());
                one
            });
            one.0.insert(format!("each.value{attribute}"), value.clone());
        }
        found.into_values().collect()
    }

    /// Makes a value known by the name under which the files refer to it.
    pub(crate) fn add(&mut self, name: String, value: &str) {
        static PLAIN: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"^(?:[A-Za-z0-9_*@-]+\.?)+$|^[0-9A-Fa-f:.]+$").expect("a constant"));
        // Names have dots, addresses dots or colons; a word without either may be anything, and is taken where it is short.
        let is_name = value.len() <= 253 && (value.contains(['.', ':']) || value.len() <= 20);
        if self.0.len() < MAX_VALUES && is_name && PLAIN.is_match(value) {
            self.0.insert(name, value.to_owned());
        }
    }

    /// The text with what is known put in: `"api.${var.domain}"`, and a bare `var.domain` as a string.
    pub(crate) fn fill<'a>(&self, text: &'a str) -> Cow<'a, str> {
        static REFERENCE: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r#"\$\{\s*([a-z][a-z0-9_]*(?:\.[A-Za-z0-9_-]+){1,3})\s*\}|([=\[,]\s*)([a-z][a-z0-9_]*(?:\.[A-Za-z0-9_-]+){1,3})(\s*[,\]\n])"#)
                .expect("a constant")
        });
        // An element may be named in brackets: `local.hosts["api"]`.
        static ELEMENT: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r#"((?:var|local)(?:\.[A-Za-z0-9_-]+)+)\["([A-Za-z0-9_-]+)"\]"#).expect("a constant")
        });
        if self.0.is_empty() {
            return Cow::Borrowed(text);
        }
        let dotted = ELEMENT.replace_all(text, "$1.$2").into_owned();
        let filled = REFERENCE.replace_all(&dotted, |found: &regex::Captures<'_>| {
            let whole = found[0].to_owned();
            match (found.get(1), found.get(3)) {
                (Some(name), _) => self.0.get(name.as_str()).cloned().unwrap_or(whole),
                (None, Some(name)) => match self.0.get(name.as_str()) {
                    Some(value) => format!("{}\"{value}\"{}", &found[2], &found[4]),
                    None => whole,
                },
                (None, None) => whole,
            }
        });
        Cow::Owned(filled.into_owned())
    }
}

/// The attributes of blocks of one kind, each with its label.
fn blocks(text: &str, kind: &str) -> Vec<(String, Vec<Entry>)> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let begins_line = at == 0 || tokens[at - 1].0 == Token::Line;
        let opened = match &tokens[at..] {
            [(Token::Word(word), _), rest @ ..] if word == kind && begins_line => match rest {
                [(Token::Text(Some(label)), _), (Token::Mark(b'{'), _), ..] => Some((label.clone(), at + 3)),
                [(Token::Mark(b'{'), _), ..] => Some((String::new(), at + 2)),
                _ => None,
            },
            _ => None,
        };
        at += 1;
        if let Some((label, body)) = opened {
            let (entries, end) = entries(&tokens, body);
            found.push((label, entries));
            // What is in one of them is read once, also where its end is missing.
            at = end;
        }
    }
    found
}

/// The attributes of a body that begins at a token, and where it ends.
fn entries(tokens: &[(Token, usize)], at: usize) -> (Vec<Entry>, usize) {
    let mut reader = Reader { tokens, at, blocks: 0, entries: Vec::new() };
    reader.body("", 0);
    (reader.entries, reader.at)
}

/// A resource block, its attributes by their path of blocks.
#[derive(Debug, Default)]
pub(crate) struct Resource {
    /// Whether it is a data source, which is read and not made.
    pub(crate) is_data: bool,
    pub(crate) kind: String,
    /// The name by which others refer to it.
    pub(crate) label: String,
    pub(crate) line: usize,
    pub(crate) entries: Vec<Entry>,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) path: String,
    /// Which block of its name it stands in, so that two assertions are kept apart.
    block: usize,
    /// A literal; `None` for what is put together from other values.
    pub(crate) value: Option<String>,
    /// What it refers to, where that is all that it is: `cloudflare_zone.main.id`.
    reference: Option<String>,
}

impl Resource {
    pub(crate) fn get(&self, path: &str) -> Option<&str> {
        self.entries.iter().find(|entry| entry.path == path)?.value.as_deref()
    }

    /// What an attribute refers to, where that is all that it is.
    pub(crate) fn reference(&self, path: &str) -> Option<&str> {
        self.entries.iter().find(|entry| entry.path == path)?.reference.as_deref()
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.entries.iter().any(|entry| {
            entry.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }

    pub(crate) fn all<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.entries.iter().filter(move |entry| entry.path == path).filter_map(|entry| entry.value.as_deref())
    }

    pub(crate) fn all_of(&self, path: &str) -> Vec<(usize, &str)> {
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

/// The resources and data sources of a file.
pub(crate) fn resources(text: &str) -> Vec<Resource> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    let mut at = 0;
    while at + 3 < tokens.len() {
        if let [
            (Token::Word(word), line),
            (Token::Text(Some(kind)), _),
            (Token::Text(label), _),
            (Token::Mark(b'{'), _),
        ] = &tokens[at..at + 4]
            && (word == "resource" || word == "data")
        {
            let mut reader = Reader { tokens: &tokens, at: at + 4, blocks: 0, entries: Vec::new() };
            reader.body("", 0);
            at = reader.at;
            found.push(Resource {
                is_data: word == "data",
                kind: kind.clone(),
                label: label.clone().unwrap_or_default(),
                line: *line,
                entries: reader.entries,
            });
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
            self.entries.push(Entry { path: path.to_owned(), block, value, reference: None });
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
                let is_all = alone(self);
                let value = Some(word.clone()).filter(|_| literal && is_all);
                self.add(path, block, value);
                if !literal
                    && is_all
                    && let Some(entry) = self.entries.last_mut().filter(|entry| entry.path == path)
                {
                    entry.reference = Some(word);
                }
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
