//! `application/problem+json` (RFC 9457, section 3).

use serde_json::Value;
use url::Url;

/// A problem details object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The problem type; `about:blank` where it is not given (section 3.1.1).
    pub kind: String,
    /// The summary for people.
    pub title: Option<String>,
    /// Members that are not as the standard has them, in words. A client ignores such a member.
    pub faults: Vec<String>,
}

impl Problem {
    /// Reads the body of a response with this status. `None` when it is not a JSON object.
    pub fn parse(body: &str, status: u16) -> Option<Self> {
        let Ok(Value::Object(members)) = serde_json::from_str::<Value>(body) else { return None };
        let mut faults = Vec::new();
        let mut text = |name: &str| match members.get(name) {
            None => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(_) => {
                faults.push(format!("\"{name}\" is no string"));
                None
            }
        };
        let (kind, title) = (text("type"), text("title"));
        let instance = text("instance");
        let _ = text("detail");
        for (name, value) in [("type", &kind), ("instance", &instance)] {
            if value.as_deref().is_some_and(|uri| !is_reference(uri)) {
                faults.push(format!("\"{name}\" is no URI reference"));
            }
        }
        match members.get("status") {
            None => {}
            Some(Value::Number(n)) if n.as_u64() == Some(u64::from(status)) => {}
            Some(Value::Number(n)) => faults.push(format!("\"status\" says {n}, the response {status}")),
            Some(_) => faults.push("\"status\" is no number".to_owned()),
        }
        Some(Self { kind: kind.unwrap_or_else(|| "about:blank".to_owned()), title, faults })
    }
}

/// Whether a text can be a URI reference (RFC 3986): absolute, or relative to where it came from.
fn is_reference(text: &str) -> bool {
    let plain = text.bytes().all(|b| b.is_ascii_graphic() && !b"<>\"{}|\\^`".contains(&b));
    let base = Url::parse("https://example.invalid/").expect("a constant");
    plain && base.join(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standards_own_example_is_whole() {
        // RFC 9457, section 3, shortened.
        let body = r#"{"type": "https://example.com/probs/out-of-credit", "title": "You do not have enough credit.",
            "detail": "Your current balance is 30, but that costs 50.", "instance": "/account/12345/msgs/abc", "balance": 30}"#;
        let problem = Problem::parse(body, 403).expect("an object");
        assert_eq!(problem.kind, "https://example.com/probs/out-of-credit");
        assert!(problem.faults.is_empty(), "{:?}", problem.faults);
        assert_eq!(Problem::parse("{}", 404).expect("an object").kind, "about:blank");
    }

    #[test]
    fn members_that_are_not_as_they_should_be_are_named() {
        let faults = |body: &str| Problem::parse(body, 404).expect("an object").faults.join("; ");
        assert_eq!(faults(r#"{"status": 200}"#), "\"status\" says 200, the response 404");
        assert_eq!(faults(r#"{"status": "404"}"#), "\"status\" is no number");
        assert_eq!(
            faults(r#"{"title": 1, "type": "a b"}"#),
            "\"title\" is no string; \"type\" is no URI reference"
        );
        for none in ["", "[]", "null", "\"x\"", "{", "<html>"] {
            assert_eq!(Problem::parse(none, 500), None, "{none:?}");
        }
    }
}
