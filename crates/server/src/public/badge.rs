//! Badges: a small SVG, and the JSON of shields.io's endpoint badge.

use landfall_store::status::PublicBadge;
use maud::{Markup, PreEscaped, html};
use serde_json::{Value, json};

use crate::Problem;
use crate::pages::parts::{clean, percent, shorten, verdict};

/// A badge: what it is about, what it says, in which colour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Badge {
    /// At the left.
    label: String,
    /// At the right.
    message: String,
    /// Dark enough for white letters (at least 4.5 to 1).
    color: &'static str,
}

const GOOD: &str = "#0f6b3a";
const WARN: &str = "#7d4e00";
const BAD: &str = "#b3261e";
const OPEN: &str = "#5f3fb0";
const IDLE: &str = "#5b646e";

/// The spans of an uptime badge, in the order of [`PublicBadge::uptime`].
const SPANS: [&str; 4] = ["24h", "7d", "30d", "90d"];

/// The badge of a monitor: its status, or its uptime over a span.
pub(super) fn of(monitor: &PublicBadge, span: Option<&str>) -> Result<Badge, Problem> {
    let label = shorten(&clean(&monitor.name), 40);
    let Some(span) = span else {
        let color = match monitor.verdict.as_str() {
            "up" => GOOD,
            "degraded" => WARN,
            "down" => BAD,
            "paused" | "maintenance" | "new" => IDLE,
            _ => OPEN,
        };
        return Ok(Badge { label, message: verdict(&monitor.verdict).1.to_lowercase(), color });
    };
    let place = SPANS.iter().position(|s| *s == span).ok_or_else(|| {
        Problem::bad_request(format!("uptime is given over {}; {span:?} is none of them", SPANS.join(", ")))
    })?;
    let (message, color) = match monitor.uptime[place] {
        None => ("unknown".into(), OPEN),
        Some(share) if share >= 0.99 => (percent(share), GOOD),
        Some(share) if share >= 0.95 => (percent(share), WARN),
        Some(share) => (percent(share), BAD),
    };
    Ok(Badge { label: format!("{label} uptime {span}"), message, color })
}

/// How wide a text is, roughly, in the badge's font. `textLength` makes the browser keep to it, so that a badge looks alike
/// with every font.
fn width(text: &str) -> usize {
    let units: usize = text
        .chars()
        .map(|c| match c {
            'i' | 'j' | 'l' | 't' | 'f' | 'r' | '.' | ',' | ':' | '\'' | '|' | ' ' => 42,
            'm' | 'w' | 'M' | 'W' | '%' => 100,
            c if c.is_ascii() => 68,
            _ => 110,
        })
        .sum();
    units / 10
}

impl Badge {
    /// As SVG.
    pub(super) fn svg(&self) -> String {
        let (left, right) = (width(&self.label), width(&self.message));
        let (edge, total) = (left + 12, left + right + 24);
        let text = |x: usize, length: usize, text: &str| -> Markup {
            html! { text x=(x) y="14" textLength=(length) lengthAdjust="spacingAndGlyphs" { (text) } }
        };
        let drawing = html! {
            svg xmlns="http://www.w3.org/2000/svg" width=(total) height="20" role="img" aria-label={ (self.label) ": " (self.message) } {
                title { (self.label) ": " (self.message) }
                rect width=(total) height="20" rx="3" fill=(self.color) {}
                path d={ "M3 0h" (edge - 3) "v20H3a3 3 0 0 1-3-3V3a3 3 0 0 1 3-3z" } fill="#30363d" {}
                g fill="#fff" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11" {
                    (text(6, left, &self.label))
                    (text(edge + 6, right, &self.message))
                }
            }
        };
        let out: PreEscaped<String> = drawing;
        out.into_string()
    }

    /// As shields.io reads it (shields.io/badges/endpoint-badge: schemaVersion, label, message, color).
    pub(super) fn shields(&self) -> Value {
        json!({
            "schemaVersion": 1,
            "label": self.label,
            "message": self.message,
            "color": self.color.trim_start_matches('#'),
            "cacheSeconds": 300,
        })
    }
}
