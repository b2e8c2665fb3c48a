//! A webhook's body in the words of its receiver: a text with `{{ placeholders }}`.
//!
//! A template that begins with `{` or `[` is JSON: values are escaped for the inside of a JSON string, and the whole must
//! be JSON whatever the values are. Any other template is plain text.

use crate::Message;
use crate::sheet::Sheet;

/// What a placeholder stands for.
type Value = fn(&Message, &Sheet, &str) -> String;

/// Every placeholder, in the order of docs/webhooks.md.
const PLACEHOLDERS: &[(&str, Value)] = &[
    ("key", |_, _, key| key.to_owned()),
    ("event", |m, _, _| m.event.word().to_owned()),
    ("organisation", |m, _, _| m.organisation.clone()),
    ("headline", |m, _, _| m.headline.clone()),
    ("text", |_, sheet, _| sheet.text()),
    ("at", |m, _, _| m.at.to_string()),
    ("link", |m, _, _| m.link.clone().unwrap_or_default()),
    ("monitor_count", |m, _, _| m.monitor_count.to_string()),
    ("monitors", |m, _, _| m.monitors.iter().map(|m| m.name.as_str()).collect::<Vec<_>>().join(", ")),
    ("monitor.id", |m, _, _| m.monitors.first().map(|m| m.id.clone()).unwrap_or_default()),
    ("monitor.name", |m, _, _| m.monitors.first().map(|m| m.name.clone()).unwrap_or_default()),
    ("monitor.target", |m, _, _| m.monitors.first().map(|m| m.target.clone()).unwrap_or_default()),
    ("monitor.say", |m, _, _| m.monitors.first().map(|m| m.say.clone()).unwrap_or_default()),
    ("incident.id", |m, _, _| m.incident.as_ref().map(|i| i.id.clone()).unwrap_or_default()),
    ("incident.title", |m, _, _| m.incident.as_ref().map(|i| i.title.clone()).unwrap_or_default()),
    ("incident.severity", |m, _, _| m.incident.as_ref().map(|i| i.severity.clone()).unwrap_or_default()),
    ("incident.began", |m, _, _| m.incident.as_ref().map(|i| i.began.to_string()).unwrap_or_default()),
    ("incident.ended", |m, _, _| {
        m.incident.as_ref().and_then(|i| i.ended).map(|t| t.to_string()).unwrap_or_default()
    }),
    ("cause.id", |m, _, _| m.cause.as_ref().map(|c| c.id.clone()).unwrap_or_default()),
    ("cause.title", |m, _, _| m.cause.as_ref().map(|c| c.title.clone()).unwrap_or_default()),
    ("cause.label", |m, _, _| m.cause.as_ref().map(|c| c.label.clone()).unwrap_or_default()),
    ("cause.confidence", |m, _, _| {
        m.cause.as_ref().map(|c| format!("{:.2}", c.confidence)).unwrap_or_default()
    }),
    ("cause.rung", |m, _, _| m.cause.as_ref().map(|c| c.rung.clone()).unwrap_or_default()),
    ("cause.proof", |m, _, _| m.cause.as_ref().map(|c| c.proof.join("\n")).unwrap_or_default()),
    ("rivals", |m, _, _| m.rivals.join("\n")),
    ("changes", |m, _, _| m.changes.join("\n")),
    ("actions", |m, _, _| m.actions.join("\n")),
    ("notes", |m, _, _| m.notes.join("\n")),
];

/// The largest template that is read.
const TEMPLATE_BYTE: usize = 16 * 1024;

/// A template that was checked.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    pieces: Vec<Piece>,
    json: bool,
}

#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    Value(Value),
}

impl Template {
    /// Reads a template; the error says what would be right.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > TEMPLATE_BYTE {
            return Err(format!("give a body of {} KiB at most", TEMPLATE_BYTE / 1024));
        }
        let json = text.trim_start().starts_with(['{', '[']) && !text.trim_start().starts_with("{{");
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(from) = rest.find("{{") {
            let Some(to) = rest[from..].find("}}").map(|to| from + to) else {
                return Err(format!(
                    "`{{{{` without `}}}}`: close the placeholder in {:?}",
                    excerpt(&rest[from..])
                ));
            };
            let name = rest[from + 2..to].trim();
            let Some((_, value)) = PLACEHOLDERS.iter().find(|(known, _)| *known == name) else {
                let known: Vec<&str> = PLACEHOLDERS.iter().map(|(name, _)| *name).collect();
                return Err(format!(
                    "`{{{{ {} }}}}` is no placeholder; there are {}",
                    excerpt(name),
                    known.join(", ")
                ));
            };
            pieces.push(Piece::Text(rest[..from].to_owned()));
            pieces.push(Piece::Value(*value));
            rest = &rest[to + 2..];
        }
        pieces.push(Piece::Text(rest.to_owned()));
        let template = Self { pieces, json };
        if json {
            // Values are escaped, so what is JSON with one value is JSON with every other, as long as the placeholder
            // stands inside a string. One outside is found by a value that only a string can hold.
            let tried = template.laid_out(|_| "z".to_owned());
            if let Err(error) = serde_json::from_str::<serde_json::Value>(&tried) {
                return Err(format!(
                    "the body begins like JSON and is none ({error}); put placeholders into quotes: \"{{{{ headline }}}}\""
                ));
            }
        }
        Ok(template)
    }

    /// The type of what comes out.
    pub(crate) fn content_type(&self) -> &'static str {
        if self.json { "application/json" } else { "text/plain; charset=utf-8" }
    }

    /// The body of one message.
    pub(crate) fn render(&self, message: &Message, key: &str) -> String {
        let sheet = Sheet::of(message);
        self.laid_out(|value| value(message, &sheet, key))
    }

    fn laid_out(&self, value_of: impl Fn(&Value) -> String) -> String {
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Value(value) if self.json => {
                    let quoted = serde_json::Value::String(value_of(value)).to_string();
                    out.push_str(&quoted[1..quoted.len() - 1]);
                }
                Piece::Value(value) => out.push_str(&value_of(value)),
            }
        }
        out
    }
}

fn excerpt(text: &str) -> String {
    text.chars().take(40).collect()
}

/// Names of all placeholders, for documents and pages.
pub fn placeholders() -> impl Iterator<Item = &'static str> {
    PLACEHOLDERS.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message {
        let mut message = crate::message::tests_support::down();
        message.headline = "DOWN \"a\\b\"\nnext \u{7}".into();
        message
    }

    #[test]
    fn values_inside_json_stay_inside_their_string() {
        let template = Template::parse(r#"{"text": "{{ headline }}", "of": ["{{event}}"]}"#).expect("sound");
        let body = template.render(&message(), "k/1");
        let parsed: serde_json::Value = serde_json::from_str(&body).expect("JSON whatever the value is");
        assert_eq!(parsed["text"], "DOWN \"a\\b\"\nnext \u{7}");
        assert_eq!(parsed["of"][0], "down");
        assert_eq!(template.content_type(), "application/json");
    }

    #[test]
    fn text_is_left_as_it_is_and_a_value_is_not_read_as_a_template() {
        let template = Template::parse("{{key}}: {{ headline }}").expect("sound");
        let mut message = message();
        message.headline = "<{{ key }}>".into();
        assert_eq!(template.render(&message, "k/1"), "k/1: <{{ key }}>");
        assert!(template.content_type().starts_with("text/plain"));
    }

    #[test]
    fn what_cannot_be_filled_in_is_refused_with_what_would_be_right() {
        for (bad, says) in [
            ("{{ headlin }}", "headline"),
            ("{{ headline", "close the placeholder"),
            (r#"{"a": {{ monitor_count }}}"#, "into quotes"),
            (r#"{"a": "{{ headline }}""#, "none"),
            ("{{ }}", "no placeholder"),
        ] {
            let said = Template::parse(bad).expect_err(bad);
            assert!(said.contains(says), "{bad}: {said}");
        }
        assert!(Template::parse(&"x".repeat(TEMPLATE_BYTE + 1)).is_err());
    }

    #[test]
    fn every_placeholder_is_filled_in_and_documented() {
        let manual = include_str!("../../../docs/webhooks.md");
        for name in placeholders() {
            let template = Template::parse(&format!("{{{{ {name} }}}}")).expect("known");
            let filled = template.render(&crate::message::tests_support::full(), "k/1");
            assert!(!filled.is_empty() && !filled.contains("{{"), "{name}: {filled}");
            assert!(manual.contains(&format!("`{name}`")), "docs/webhooks.md does not tell of {name}");
        }
    }
}
