//! The contract `landfall.report/1`, indented, keys in the order of the model.

use serde::Serialize;

use crate::model::Report;
use crate::text::is_unsafe;

pub(crate) fn render(report: &Report) -> String {
    pretty(report)
}

/// Indented JSON with a final newline, safe to show on a terminal.
///
/// Characters beyond ASCII that could steer a terminal or turn the direction of the text are written as escapes. They
/// can only stand inside strings, where `\u009b` means the same character, so nothing is lost.
pub(crate) fn pretty(value: &impl Serialize) -> String {
    let raw = serde_json::to_string_pretty(value)
        .expect("report types have string keys only, so they always serialise");
    let mut text = String::with_capacity(raw.len() + 1);
    for c in raw.chars() {
        if c != '\n' && is_unsafe(c) {
            text.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            text.push(c);
        }
    }
    text.push('\n');
    text
}
