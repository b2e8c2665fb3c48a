//! The file: read, secrets filled in, everything that is wrong told with its line.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Declared, Problem};

/// Where `${NAME}` and `…_file` are looked up.
pub trait Sources {
    /// A variable of the environment.
    fn variable(&self, name: &str) -> Option<String>;
    /// The text of a file; relative names count from the configuration file's folder.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn file(&self, name: &Path) -> Result<String, String>;
}

/// The process's own environment and files.
#[derive(Debug, Clone)]
pub struct Surroundings {
    folder: PathBuf,
}

impl Surroundings {
    /// Those of a configuration file.
    pub fn of(config: &Path) -> Self {
        Self { folder: config.parent().unwrap_or(Path::new("")).to_owned() }
    }
}

/// Bytes of a secret's file.
const SECRET_BYTE: u64 = 64 * 1024;

impl Sources for Surroundings {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, name: &Path) -> Result<String, String> {
        let place = self.folder.join(name);
        let about = std::fs::metadata(&place).map_err(|e| e.to_string())?;
        if about.len() > SECRET_BYTE {
            return Err(format!("it has {} bytes; a secret has at most {SECRET_BYTE}", about.len()));
        }
        std::fs::read_to_string(&place).map_err(|e| e.to_string())
    }
}

/// Mistakes of one table that are told at once.
const MISTAKES: usize = 20;

/// Reads what a file declares.
///
/// # Errors
/// With everything that is wrong, by line.
pub fn parse(text: &str, sources: &dyn Sources) -> Result<Declared, Vec<Problem>> {
    let mut reader = Reader { text, sources, problems: Vec::new(), spans: BTreeMap::new() };
    let root = match DeTable::parse(text) {
        Ok(root) => root,
        Err(error) => {
            reader.problem(error.span(), "", "", error.message().to_owned());
            return Err(reader.problems);
        }
    };
    let root = root.get_ref();
    let mut declared = Declared {
        monitors: reader.all(root, "monitor"),
        channels: reader.all(root, "channel"),
        windows: reader.all(root, "window"),
        heartbeats: reader.all(root, "heartbeat"),
    };
    if reader.problems.is_empty() {
        for problem in declared.problems() {
            let line = reader.line_of(&problem.thing, &problem.field);
            reader.problems.push(Problem { line, ..problem });
        }
    }
    if reader.problems.is_empty() {
        for spec in declared.monitors.values_mut() {
            spec.name = spec.name.trim().to_owned();
        }
        return Ok(declared);
    }
    reader.problems.sort_by_key(|p| p.line);
    Err(reader.problems)
}

struct Reader<'a> {
    text: &'a str,
    sources: &'a dyn Sources,
    problems: Vec<Problem>,
    /// Where each thing and each of its keys stands: `monitor "api"` and `check.url`.
    spans: BTreeMap<String, BTreeMap<String, Range<usize>>>,
}

impl Reader<'_> {
    fn problem(&mut self, span: Option<Range<usize>>, thing: &str, field: &str, detail: String) {
        let line = span.map_or(0, |s| self.line(s.start));
        // What is quoted may hold a secret.
        let detail = landfall_evidence::redact_text(&detail);
        self.problems.push(Problem { line, thing: thing.to_owned(), field: field.to_owned(), detail });
    }

    fn line(&self, at: usize) -> usize {
        self.text.as_bytes()[..at.min(self.text.len())].iter().filter(|b| **b == b'\n').count() + 1
    }

    /// The line of a field, or of the nearest thing around it that stands in the file.
    fn line_of(&self, thing: &str, field: &str) -> usize {
        let Some(spans) = self.spans.get(thing) else { return 0 };
        let mut field = field;
        loop {
            if let Some(span) = spans.get(field) {
                return self.line(span.start);
            }
            match field.rsplit_once('.') {
                Some((outer, _)) => field = outer,
                None if field.is_empty() => return 0,
                None => field = "",
            }
        }
    }

    fn all<T: DeserializeOwned>(&mut self, root: &DeTable<'_>, kind: &str) -> BTreeMap<String, T> {
        let mut found = BTreeMap::new();
        let Some((key, value)) = root.iter().find(|(key, _)| key.get_ref().as_ref() == kind) else {
            return found;
        };
        let DeValue::Array(items) = value.get_ref() else {
            self.problem(
                Some(key.span()),
                "",
                "",
                format!("{kind} has the wrong form; write it as [[{kind}]]"),
            );
            return found;
        };
        for item in items.iter() {
            let DeValue::Table(table) = item.get_ref() else {
                self.problem(Some(item.span()), "", "", format!("write each one as [[{kind}]]"));
                continue;
            };
            let Some((id, span)) = self.id(kind, table, item.span()) else { continue };
            let thing = format!("{kind} {id:?}");
            if found.contains_key(&id) || self.spans.contains_key(&thing) {
                self.problem(Some(span), &thing, "id", "this id is declared twice".into());
                continue;
            }
            let mut spans = BTreeMap::from([(String::new(), item.span()), ("id".to_owned(), span)]);
            let mut json = self.table(table, &thing, "", &mut spans);
            json.shift_remove("id");
            self.spans.insert(thing.clone(), spans);
            if let Some(value) = self.shape(json, &thing) {
                found.insert(id, value);
            }
        }
        found
    }

    fn id(&mut self, kind: &str, table: &DeTable<'_>, whole: Range<usize>) -> Option<(String, Range<usize>)> {
        match table.iter().find(|(key, _)| key.get_ref().as_ref() == "id") {
            Some((_, value)) => match value.get_ref() {
                DeValue::String(text) => Some((text.to_string(), value.span())),
                _ => {
                    self.problem(Some(value.span()), kind, "id", "write it as a text".into());
                    None
                }
            },
            None => {
                let mend = format!(
                    "an id is missing: id = \"…\"; it is what the {kind} is known by when its name changes"
                );
                self.problem(Some(whole), kind, "", mend);
                None
            }
        }
    }

    /// A table as JSON, with variables and files filled in.
    fn table(
        &mut self,
        table: &DeTable<'_>,
        thing: &str,
        place: &str,
        spans: &mut BTreeMap<String, Range<usize>>,
    ) -> Map<String, Json> {
        let mut json = Map::new();
        for (key, value) in table {
            let name: &str = key.get_ref();
            let here = if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") };
            spans.insert(here.clone(), key.span());
            let value = self.value(value, thing, &here, spans);
            match (name.strip_suffix("_file"), value) {
                (Some(base), Json::String(file)) if !base.is_empty() => match self
                    .sources
                    .file(Path::new(&file))
                {
                    Ok(text) => {
                        let outer = here.strip_suffix("_file").unwrap_or(&here).to_owned();
                        spans.insert(outer, key.span());
                        if json
                            .insert(
                                base.to_owned(),
                                Json::String(text.trim_end_matches(['\r', '\n']).to_owned()),
                            )
                            .is_some()
                        {
                            self.problem(
                                Some(key.span()),
                                thing,
                                &here,
                                format!("say either {base} or {name}"),
                            );
                        }
                    }
                    Err(why) => {
                        self.problem(Some(key.span()), thing, &here, format!("{file} cannot be read: {why}"))
                    }
                },
                (_, value) => {
                    if json.insert(name.to_owned(), value).is_some() {
                        self.problem(
                            Some(key.span()),
                            thing,
                            &here,
                            format!("say either {name} or {name}_file"),
                        );
                    }
                }
            }
        }
        json
    }

    fn value(
        &mut self,
        value: &Spanned<DeValue<'_>>,
        thing: &str,
        place: &str,
        spans: &mut BTreeMap<String, Range<usize>>,
    ) -> Json {
        let number = |this: &mut Self, what: &str| {
            this.problem(Some(value.span()), thing, place, format!("{what} is out of range"));
            Json::Null
        };
        match value.get_ref() {
            DeValue::String(text) => Json::String(self.filled(text, value.span(), thing, place)),
            DeValue::Boolean(flag) => Json::Bool(*flag),
            DeValue::Integer(digits) => match i64::from_str_radix(digits.as_str(), digits.radix()) {
                Ok(n) => Json::from(n),
                Err(_) => number(self, digits.as_str()),
            },
            DeValue::Float(digits) => {
                match digits.as_str().parse::<f64>().ok().and_then(serde_json::Number::from_f64) {
                    Some(n) => Json::Number(n),
                    None => number(self, digits.as_str()),
                }
            }
            // A date or a time without quotes means the same as with them.
            DeValue::Datetime(at) => Json::String(at.to_string()),
            DeValue::Array(items) => {
                let items = items.iter().enumerate();
                Json::Array(
                    items
                        .map(|(i, v)| {
                            let here = format!("{place}.{i}");
                            spans.insert(here.clone(), v.span());
                            self.value(v, thing, &here, spans)
                        })
                        .collect(),
                )
            }
            DeValue::Table(table) => Json::Object(self.table(table, thing, place, spans)),
        }
    }

    /// `${NAME}`, `${NAME:-otherwise}`, `${NAME:?message}`; `$$` is a dollar.
    fn filled(&mut self, text: &str, span: Range<usize>, thing: &str, place: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            rest = &rest[at..];
            if let Some(tail) = rest.strip_prefix("$$") {
                out.push('$');
                rest = tail;
            } else if let Some((inside, tail)) = rest.strip_prefix("${").and_then(|r| r.split_once('}')) {
                rest = tail;
                let (name, otherwise) = match inside.split_once(':') {
                    Some((name, more)) => (name, Some(more)),
                    None => (inside, None),
                };
                let sound = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
                let value = if sound { self.sources.variable(name).filter(|v| !v.is_empty()) } else { None };
                match (value, otherwise.and_then(|o| o.split_at_checked(1))) {
                    _ if !sound => {
                        self.problem(
                            Some(span.clone()),
                            thing,
                            place,
                            format!("{inside:?} is no name of a variable; a dollar is written as $$"),
                        );
                    }
                    (Some(value), _) => out.push_str(&value),
                    (None, Some(("-", otherwise))) => out.push_str(otherwise),
                    (None, Some(("?", message))) if !message.is_empty() => {
                        self.problem(
                            Some(span.clone()),
                            thing,
                            place,
                            format!("the variable {name} is not set: {message}"),
                        );
                    }
                    _ => self.problem(
                        Some(span.clone()),
                        thing,
                        place,
                        format!("the variable {name} is not set"),
                    ),
                }
            } else {
                out.push('$');
                rest = &rest[1..];
            }
        }
        out.push_str(rest);
        out
    }

    /// Reads the shape; unknown keys are told one by one, each with the nearest right name, and then left out.
    fn shape<T: DeserializeOwned>(&mut self, json: Map<String, Json>, thing: &str) -> Option<T> {
        let mut json = Json::Object(json);
        let before = self.problems.len();
        for _ in 0..MISTAKES {
            let error = match serde_json::from_value::<T>(json.clone()) {
                Ok(value) => return (self.problems.len() == before).then_some(value),
                Err(error) => error.to_string(),
            };
            let Some((key, known)) = unknown(&error) else {
                let line = self.line_of(thing, guess(&error));
                let detail = landfall_evidence::redact_text(&error);
                self.problems.push(Problem {
                    line,
                    thing: thing.to_owned(),
                    field: guess(&error).to_owned(),
                    detail,
                });
                return None;
            };
            let place = self.place(thing, &key);
            let mend = match landfall_audit::config::nearest(&key, known.iter().map(String::as_str)) {
                Some(near) => format!("unknown key {key:?}; did you mean {near:?}?"),
                None => format!("unknown key {key:?}; known here: {}", known.join(", ")),
            };
            let line = self.line_of(thing, &place);
            self.problems.push(Problem { line, thing: thing.to_owned(), field: place, detail: mend });
            if !remove(&mut json, &key) {
                return None;
            }
        }
        None
    }

    /// The place of a key of this name.
    fn place(&self, thing: &str, key: &str) -> String {
        let tail = format!(".{key}");
        let spans = self.spans.get(thing);
        let found = spans.and_then(|s| s.keys().find(|place| *place == key || place.ends_with(&tail)));
        found.cloned().unwrap_or_else(|| key.to_owned())
    }
}

/// The key and the known ones out of "unknown field `x`, expected one of `a`, `b`".
fn unknown(error: &str) -> Option<(String, Vec<String>)> {
    if !error.starts_with("unknown field") {
        return None;
    }
    let mut names = error.split('`').skip(1).step_by(2).map(str::to_owned);
    Some((names.next()?, names.collect()))
}

/// The field that an error of another kind speaks of, if it names one.
fn guess(error: &str) -> &str {
    let named = error.strip_prefix("missing field `").or_else(|| error.strip_prefix("duplicate field `"));
    named.and_then(|rest| rest.split('`').next()).unwrap_or("")
}

/// Removes the first key of this name, the outermost first.
fn remove(json: &mut Json, key: &str) -> bool {
    match json {
        Json::Object(map) => map.shift_remove(key).is_some() || map.values_mut().any(|v| remove(v, key)),
        Json::Array(items) => items.iter_mut().any(|v| remove(v, key)),
        _ => false,
    }
}
