//! Forms as data: one table of fields draws the inputs, reads what came back and puts messages beside the right field.
//!
//! A field is named by the JSON pointer (RFC 6901) of its value, so that a problem of the API names the field, too. What
//! is valid is decided where the API decides it; here text only becomes JSON.

use maud::{Markup, html};
use serde_json::{Map, Value};

use super::parts::clean;
use crate::problem::FieldError;

/// The most fields that a form may have; more is nobody's form.
const MOST: usize = 400;

/// What came back from a form, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Values(Vec<(String, String)>);

impl Values {
    /// Reads `application/x-www-form-urlencoded`. Bytes that are not UTF-8 become U+FFFD; fields beyond a bound are left out.
    pub(crate) fn parse(body: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(body).take(MOST).map(|(k, v)| (k.into(), v.into())).collect())
    }

    /// The first value of a field, trimmed; empty when there is none.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.trim())
    }

    /// The first value of a field as it came: a password, a body.
    pub(crate) fn raw(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str())
    }

    /// All values of a field, trimmed, empty ones left out.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.trim()).filter(|v| !v.is_empty())
    }

    /// Values of a repeated field with the empty ones in place, so that columns of a row stay together.
    fn column<'a>(&'a self, name: &'a str) -> Vec<&'a str> {
        self.0.iter().filter(|(n, _)| n == name).map(|(_, v)| v.trim()).collect()
    }

    /// Whether a box is ticked.
    pub(crate) fn ticked(&self, name: &str) -> bool {
        !self.get(name).is_empty()
    }

    /// Adds a value.
    pub(crate) fn push(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push((name.into(), value.into()));
    }
}

/// How a field is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Input {
    /// One line; the word is the `type` of the input: `text`, `url`, `email`, `password`, `datetime-local`.
    Line(&'static str),
    /// A whole number within bounds.
    Number(i64, i64),
    /// Yes or no.
    Tick,
    /// One of some: value and word. Values that are numbers become numbers.
    Choice(&'static [(&'static str, &'static str)]),
    /// Several of some.
    Choices(&'static [(&'static str, &'static str)]),
    /// Several lines, one value each.
    Lines,
    /// Several lines of `name: value` or `name=value`.
    Pairs(char),
    /// A text of several lines.
    Text,
    /// Endpoints of an audit, one a line: `[METHOD] /path [core]`.
    Endpoints,
    /// Rows of assertions.
    Assertions,
}

/// One field.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    /// The JSON pointer of its value.
    pub(crate) at: &'static str,
    /// What it is called.
    pub(crate) label: &'static str,
    /// How it is asked for.
    pub(crate) input: Input,
    /// What to know about it; empty for nothing.
    pub(crate) hint: &'static str,
    /// Whether it must be given.
    pub(crate) needed: bool,
    /// What stands in it at first.
    pub(crate) default: &'static str,
}

/// A field that need not be filled.
pub(crate) const fn field(at: &'static str, label: &'static str, input: Input, hint: &'static str) -> Field {
    Field { at, label, input, hint, needed: false, default: "" }
}

impl Field {
    /// The same, to be filled.
    pub(crate) const fn needed(self) -> Self {
        Self { needed: true, ..self }
    }

    /// The same with a value at first.
    pub(crate) const fn at_first(self, default: &'static str) -> Self {
        Self { default, ..self }
    }

    fn id(&self) -> String {
        format!("f{}", self.at.replace('/', "-"))
    }

    /// The field with its label, hint and what is wrong with it.
    pub(crate) fn draw(&self, values: &Values, errors: &[FieldError]) -> Markup {
        let id = self.id();
        let wrong: Vec<&str> = errors
            .iter()
            .filter(|e| e.field == self.at || e.field.starts_with(&format!("{}/", self.at)))
            .map(|e| e.detail.as_str())
            .collect();
        let invalid = (!wrong.is_empty()).then_some("true");
        let mut by = Vec::new();
        if !self.hint.is_empty() {
            by.push(format!("{id}-hint"));
        }
        if !wrong.is_empty() {
            by.push(format!("{id}-wrong"));
        }
        let by = (!by.is_empty()).then(|| by.join(" "));
        let value = values.raw(self.at);
        html! {
            div.field {
                @match self.input {
                    Input::Tick => label.tick {
                        input type="checkbox" id=(id) name=(self.at) value="yes" checked[values.ticked(self.at)] aria-describedby=[by.as_deref()];
                        span { (self.label) }
                    },
                    Input::Choices(of) => {
                        span.label id={ (id) "-label" } { (self.label) }
                        div role="group" aria-labelledby={ (id) "-label" } {
                            @for (value, word) in of {
                                label.tick {
                                    input type="checkbox" name=(self.at) value=(value) checked[values.all(self.at).any(|v| v == *value)];
                                    span { (word) }
                                }
                            }
                        }
                    },
                    Input::Assertions => (assertions(self, values)),
                    _ => {
                        label for=(id) { (self.label) @if self.needed { span.soft { " (needed)" } } }
                        @match self.input {
                            Input::Line(kind) => input type=(kind) id=(id) name=(self.at) value=(value) required[self.needed] aria-invalid=[invalid] aria-describedby=[by.as_deref()] autocomplete="off" spellcheck="false" maxlength="2000";,
                            Input::Number(low, high) => input type="number" id=(id) name=(self.at) value=(value) min=(low) max=(high) required[self.needed] aria-invalid=[invalid] aria-describedby=[by.as_deref()];,
                            Input::Choice(of) => select id=(id) name=(self.at) aria-invalid=[invalid] aria-describedby=[by.as_deref()] {
                                @for (v, word) in of { option value=(v) selected[*v == value] { (word) } }
                            },
                            _ => textarea id=(id) name=(self.at) rows=(if self.input == Input::Text { 6 } else { 3 }) required[self.needed] aria-invalid=[invalid] aria-describedby=[by.as_deref()] spellcheck="false" {
                                // A browser drops the first line break inside a textarea; this one is meant for it.
                                "\n" (value)
                            },
                        }
                    },
                }
                @if !self.hint.is_empty() { p.hint id={ (id) "-hint" } { (self.hint) } }
                @if !wrong.is_empty() { p.wrong id={ (id) "-wrong" } { (clean(&wrong.join("; "))) } }
            }
        }
    }

    fn read(&self, values: &Values, into: &mut Value, errors: &mut Vec<FieldError>) {
        let text = values.get(self.at);
        let mut wrong = |detail: String| errors.push(FieldError { field: self.at.into(), detail });
        let value = match self.input {
            Input::Tick => Some(Value::Bool(values.ticked(self.at))),
            Input::Lines => list(lines(text)),
            Input::Choices(_) => list(values.all(self.at)),
            Input::Text => {
                let raw = values.raw(self.at).replace("\r\n", "\n");
                (!raw.is_empty()).then_some(Value::String(raw))
            }
            Input::Pairs(by) => {
                let mut map = Map::new();
                for line in lines(text) {
                    match line.split_once(by) {
                        Some((name, value)) if !name.trim().is_empty() => {
                            map.insert(name.trim().into(), value.trim().into());
                        }
                        _ => wrong(format!("the line {line:?} is not of the form name{by} value")),
                    }
                }
                (!map.is_empty()).then_some(Value::Object(map))
            }
            Input::Endpoints => {
                let mut rows = Vec::new();
                for line in lines(text) {
                    match endpoint(line) {
                        Some(row) => rows.push(row),
                        None => wrong(format!("the line {line:?} is not of the form METHOD /path core")),
                    }
                }
                (!rows.is_empty()).then_some(Value::Array(rows))
            }
            Input::Assertions => {
                let rows = read_assertions(self, values, &mut wrong);
                (!rows.is_empty()).then_some(Value::Array(rows))
            }
            Input::Number(..) if !text.is_empty() => match text.parse::<i64>() {
                Ok(number) => Some(number.into()),
                Err(_) => {
                    wrong(format!("{text:?} is not a whole number"));
                    None
                }
            },
            Input::Choice(_) if !text.is_empty() => {
                Some(text.parse::<i64>().map_or_else(|_| text.into(), Value::from))
            }
            _ if text.is_empty() => None,
            _ => Some(text.into()),
        };
        match value {
            Some(value) => put(into, self.at, value),
            None if self.needed && !errors.iter().any(|e| e.field == self.at) => {
                errors.push(FieldError { field: self.at.into(), detail: "this is needed".into() });
            }
            None => {}
        }
    }

    fn write(&self, from: &Value, out: &mut Values) {
        let Some(value) = from.pointer(self.at) else { return };
        match (self.input, value) {
            (Input::Tick, Value::Bool(true)) => out.push(self.at, "yes"),
            (Input::Tick, _) => {}
            (Input::Lines, Value::Array(items)) => {
                out.push(self.at, items.iter().map(plain).collect::<Vec<_>>().join("\n"));
            }
            (Input::Choices(_), Value::Array(items)) => {
                for item in items {
                    out.push(self.at, plain(item));
                }
            }
            (Input::Pairs(by), Value::Object(map)) => {
                let gap = if by == ':' { " " } else { "" };
                let lines: Vec<String> =
                    map.iter().map(|(k, v)| format!("{k}{by}{gap}{}", plain(v))).collect();
                out.push(self.at, lines.join("\n"));
            }
            (Input::Endpoints, Value::Array(items)) => {
                let lines: Vec<String> = items.iter().map(endpoint_line).collect();
                out.push(self.at, lines.join("\n"));
            }
            (Input::Assertions, Value::Array(items)) => {
                for item in items {
                    write_assertion(self, item, out);
                }
            }
            (_, value) => out.push(self.at, plain(value)),
        }
    }
}

/// The values of a fresh form.
pub(crate) fn fresh(fields: &[Field]) -> Values {
    let mut values = Values::default();
    for field in fields.iter().filter(|f| !f.default.is_empty()) {
        values.push(field.at, field.default);
    }
    values
}

/// The values that a form shows for something that exists.
pub(crate) fn of_json(fields: &[Field], json: &Value) -> Values {
    let mut values = Values::default();
    for field in fields {
        field.write(json, &mut values);
    }
    values
}

/// What was filled in, as JSON; or what could not be read.
///
/// # Errors
/// The fields that are wrong.
pub(crate) fn to_json(fields: &[Field], values: &Values) -> Result<Value, Vec<FieldError>> {
    let mut json = Value::Object(Map::new());
    let mut errors = Vec::new();
    for field in fields {
        field.read(values, &mut json, &mut errors);
    }
    if errors.is_empty() { Ok(json) } else { Err(errors) }
}

/// What is stored, with everything that the form asks for replaced by what it says; what it does not ask for stays.
pub(crate) fn merged(fields: &[Field], stored: &Value, filled: Value) -> Value {
    let mut json = stored.clone();
    for field in fields {
        if let Some((parent, key)) = field.at.rsplit_once('/')
            && let Some(map) = json.pointer_mut(parent).and_then(Value::as_object_mut)
        {
            map.shift_remove(key);
        }
    }
    lay_over(&mut json, filled);
    json
}

fn lay_over(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                lay_over(under.entry(key).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over,
    }
}

/// All fields of a table, and below them what is wrong with none of them.
pub(crate) fn draw(fields: &[Field], values: &Values, errors: &[FieldError]) -> Markup {
    html! { @for field in fields { (field.draw(values, errors)) } }
}

/// What is wrong, in one place at the top, each with a link to its field: for those who cannot see the whole form.
pub(crate) fn summary(fields: &[Field], errors: &[FieldError]) -> Markup {
    html! {
        @if !errors.is_empty() {
            div.flash.bad role="alert" {
                div {
                    p { strong { "Not saved." } " Please look at:" }
                    ul {
                        @for error in errors {
                            @let known = fields.iter().find(|f| error.field == f.at || error.field.starts_with(&format!("{}/", f.at)));
                            li {
                                @match known {
                                    Some(f) => { a href={ "#" (f.id()) } { (f.label) } ": " (clean(&error.detail)) },
                                    None => {
                                        @if !error.field.is_empty() { code { (clean(&error.field)) } ": " }
                                        (clean(&error.detail))
                                    },
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|l| !l.is_empty())
}

fn list<'a>(items: impl Iterator<Item = &'a str>) -> Option<Value> {
    let items: Vec<Value> = items.map(Value::from).collect();
    (!items.is_empty()).then_some(Value::Array(items))
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Puts a value at a pointer, making the objects on the way.
fn put(into: &mut Value, pointer: &str, value: Value) {
    let mut place = into;
    for step in pointer.split('/').skip(1) {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        place =
            place.as_object_mut().expect("it was made an object just now").entry(step).or_insert(Value::Null);
    }
    *place = value;
}

fn endpoint(line: &str) -> Option<Value> {
    // An endpoint with more to it than a line can say is shown, and read back, as JSON.
    if line.starts_with('{') {
        return serde_json::from_str(line).ok().filter(Value::is_object);
    }
    let mut words: Vec<&str> = line.split_whitespace().collect();
    let mut row = Map::new();
    if words.first().is_some_and(|w| !w.starts_with('/')) {
        row.insert("method".into(), words.remove(0).to_ascii_uppercase().into());
    }
    let path = words.first().filter(|w| w.starts_with('/'))?;
    row.insert("path".into(), (*path).into());
    match words.get(1..) {
        Some([]) => {}
        Some([word]) if word.eq_ignore_ascii_case("core") => {
            row.insert("core".into(), true.into());
        }
        _ => return None,
    }
    Some(Value::Object(row))
}

fn endpoint_line(value: &Value) -> String {
    let simple =
        |map: &Map<String, Value>| map.keys().all(|k| ["method", "path", "core"].contains(&k.as_str()));
    if !value.as_object().is_some_and(simple) {
        return value.to_string();
    }
    let mut words = Vec::new();
    words.extend(value.get("method").map(plain));
    words.extend(value.get("path").map(plain));
    if value.get("core").and_then(Value::as_bool) == Some(true) {
        words.push("core".into());
    }
    words.join(" ")
}

/// What an assertion may speak of.
const SUBJECTS: &[(&str, &str)] = &[
    ("", "—"),
    ("status", "Status"),
    ("header", "Header"),
    ("body", "Body"),
    ("json", "JSON value"),
    ("time", "Time (ms)"),
    ("version", "Version"),
];

/// How a value may be compared: the keys of a comparison.
const COMPARISONS: &[(&str, &str)] = &[
    ("equals", "is"),
    ("not-equals", "is not"),
    ("contains", "contains"),
    ("not-contains", "does not contain"),
    ("matches", "matches"),
    ("not-matches", "does not match"),
    ("at-least", "is at least"),
    ("at-most", "is at most"),
    ("exists", "is there (yes/no)"),
];

/// Empty rows that a form offers beyond those in use.
const SPARE: usize = 2;

fn assertions(field: &Field, values: &Values) -> Markup {
    let name = |part: &str| format!("{}/{part}", field.at);
    let (on, what, is, value) = (name("on"), name("what"), name("is"), name("value"));
    let columns = [values.column(&on), values.column(&what), values.column(&is), values.column(&value)];
    // Rows that were left empty at the end are spare ones again.
    let used = [&columns[0], &columns[1], &columns[3]]
        .into_iter()
        .filter_map(|column| column.iter().rposition(|v| !v.is_empty()).map(|last| last + 1))
        .max()
        .unwrap_or(0);
    let cell = |column: usize, row: usize| columns[column].get(row).copied().unwrap_or("");
    html! {
        fieldset id=(field.id()) {
            legend { (field.label) }
            @for row in 0..used + SPARE {
                div.claim {
                    select name=(on) aria-label={ "Assertion " (row + 1) ": what" } {
                        @for (v, word) in SUBJECTS { option value=(v) selected[*v == cell(0, row)] { (word) } }
                    }
                    input type="text" name=(what) value=(cell(1, row)) aria-label={ "Assertion " (row + 1) ": header name or JSON path" } placeholder="name or $.path";
                    select name=(is) aria-label={ "Assertion " (row + 1) ": comparison" } {
                        @for (v, word) in COMPARISONS { option value=(v) selected[*v == cell(2, row)] { (word) } }
                    }
                    input type="text" name=(value) value=(cell(3, row)) aria-label={ "Assertion " (row + 1) ": value" } placeholder="value";
                }
            }
        }
    }
}

fn read_assertions(field: &Field, values: &Values, wrong: &mut impl FnMut(String)) -> Vec<Value> {
    let column = |part: &str| {
        let name = format!("{}/{part}", field.at);
        values.column(&name).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let (on, what, is, value) = (column("on"), column("what"), column("is"), column("value"));
    let mut rows = Vec::new();
    for (i, subject) in on.iter().enumerate().filter(|(_, s)| !s.is_empty()) {
        let cell = |from: &[String]| from.get(i).cloned().unwrap_or_default();
        let (what, is, value) = (cell(&what), cell(&is), cell(&value));
        let row = i + 1;
        let mut map = Map::new();
        map.insert("on".into(), subject.as_str().into());
        match subject.as_str() {
            "status" => {
                let codes: Vec<Value> = value
                    .split([',', ' '])
                    .map(str::trim)
                    .filter(|c| !c.is_empty())
                    .map(Value::from)
                    .collect();
                map.insert("any_of".into(), Value::Array(codes));
            }
            "time" => match value.parse::<u32>() {
                Ok(ms) => {
                    map.insert("max_ms".into(), ms.into());
                }
                Err(_) => wrong(format!("row {row}: {value:?} is not a number of milliseconds")),
            },
            "version" => {
                if what.starts_with('$') {
                    map.insert("path".into(), what.into());
                } else if !what.is_empty() {
                    map.insert("header".into(), what.into());
                } else {
                    wrong(format!("row {row}: name the header or the JSON path that carries the version"));
                }
                if !value.is_empty() {
                    map.insert("expect".into(), value.into());
                }
            }
            _ => {
                match subject.as_str() {
                    "header" => map.insert("name".into(), what.into()),
                    "json" => map.insert("path".into(), what.into()),
                    _ => None,
                };
                let compared = match is.as_str() {
                    "at-least" | "at-most" => value.parse::<f64>().ok().map(Value::from),
                    "exists" => match value.to_ascii_lowercase().as_str() {
                        "yes" | "true" | "" => Some(true.into()),
                        "no" | "false" => Some(false.into()),
                        _ => None,
                    },
                    _ => Some(Value::from(value.as_str())),
                };
                match compared {
                    Some(compared) => {
                        map.insert(if is.is_empty() { "equals".into() } else { is }, compared);
                    }
                    None => wrong(format!("row {row}: {value:?} does not go with this comparison")),
                }
            }
        }
        rows.push(Value::Object(map));
    }
    rows
}

fn write_assertion(field: &Field, item: &Value, out: &mut Values) {
    let text = |key: &str| item.get(key).map(plain).unwrap_or_default();
    let on = text("on");
    let (mut what, mut is, mut value) = (String::new(), String::new(), String::new());
    match on.as_str() {
        "status" => {
            let codes = item.get("any_of").and_then(Value::as_array);
            value = codes.into_iter().flatten().map(plain).collect::<Vec<_>>().join(", ");
        }
        "time" => value = text("max_ms"),
        "version" => {
            what = if item.get("path").is_some() { text("path") } else { text("header") };
            value = text("expect");
        }
        _ => {
            what = if on == "json" { text("path") } else { text("name") };
            if let Some((key, _)) = COMPARISONS.iter().find(|(key, _)| item.get(*key).is_some()) {
                is = (*key).into();
                value = match item.get(*key) {
                    Some(Value::Bool(yes)) => if *yes { "yes" } else { "no" }.into(),
                    other => other.map(plain).unwrap_or_default(),
                };
            }
        }
    }
    for (part, text) in [("on", on), ("what", what), ("is", is), ("value", value)] {
        out.push(format!("{}/{part}", field.at), text);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const FIELDS: &[Field] = &[
        field("/name", "Name", Input::Line("text"), "").needed(),
        field("/check/kind", "Kind", Input::Line("text"), "").at_first("http"),
        field("/check/redirects", "Redirects", Input::Number(0, 10), ""),
        field("/check/headers", "Headers", Input::Pairs(':'), ""),
        field("/check/assert", "Assertions", Input::Assertions, ""),
        field("/labels", "Labels", Input::Pairs('='), ""),
        field("/audit/endpoints", "Endpoints", Input::Endpoints, ""),
        field("/public", "Public", Input::Tick, ""),
        field("/depends_on", "Needs", Input::Lines, ""),
        field("/days", "Days", Input::Choices(&[("mon", "Monday"), ("tue", "Tuesday")]), ""),
    ];

    #[test]
    fn what_a_form_shows_comes_back_as_it_was() {
        let json = json!({
            "name": "API <b>", "check": {"kind": "http", "redirects": 3, "headers": {"accept": "a: b", "x": "********"},
            "assert": [
                {"on": "status", "any_of": ["200-299", "304"]},
                {"on": "header", "name": "content-type", "contains": "json"},
                {"on": "json", "path": "$.status", "equals": "ok"},
                {"on": "json", "path": "$.n", "at-least": 2.0},
                {"on": "body", "exists": true},
                {"on": "time", "max_ms": 800},
                {"on": "version", "path": "$.version", "expect": "1.2"}
            ]},
            "labels": {"team": "core"},
            "audit": {"endpoints": [{"path": "/a"}, {"method": "POST", "path": "/b", "core": true}, {"path": "/c", "status": [204]}]},
            "public": true, "depends_on": ["x", "y"], "days": ["mon", "tue"]
        });
        assert_eq!(to_json(FIELDS, &of_json(FIELDS, &json)), Ok(json));
    }

    #[test]
    fn what_cannot_be_read_is_said_beside_its_field() {
        let values = Values::parse(
            b"/check/redirects=two&/check/headers=nothing&/audit/endpoints=GET+b&/check/assert/on=time&/check/assert/value=fast",
        );
        let errors = to_json(FIELDS, &values).expect_err("nothing of it is right");
        let fields: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(
            fields,
            ["/name", "/check/redirects", "/check/headers", "/check/assert", "/audit/endpoints"]
        );
        let page = draw(FIELDS, &values, &errors).into_string();
        assert!(page.contains(r#"aria-invalid="true""#));
        assert!(page.contains("is not a whole number"));
        assert!(summary(FIELDS, &errors).into_string().contains("href=\"#f-check-redirects\""));
    }

    #[test]
    fn what_a_form_does_not_ask_for_is_kept() {
        let stored = json!({"name": "a", "check": {"kind": "http", "redirects": 2, "other": 1}, "labels": {"a": "b"}, "x": [1]});
        let filled = json!({"name": "b", "check": {"redirects": 3}});
        let merged = merged(FIELDS, &stored, filled);
        assert_eq!(merged, json!({"check": {"other": 1, "redirects": 3}, "x": [1], "name": "b"}));
    }

    #[test]
    fn a_form_of_a_thousand_fields_is_cut() {
        let body = "a=1&".repeat(10_000);
        assert_eq!(Values::parse(body.as_bytes()).all("a").count(), MOST);
    }
}
