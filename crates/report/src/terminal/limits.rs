//! Who meets the rate limit, each with its requests in one line of characters.

use landfall_diagnosis::{Hit, LimitSettings, RateLimit, UseImpact};
use landfall_evidence::Interval;

use super::page::{Ink, Page, span};
use crate::Style;
use crate::model::Report;
use crate::spark::spark;

/// What an audit shows: the uses that are hit, or all with all details. Nothing when none is hit and nothing more is asked for.
pub(super) fn draw(page: &mut Page, report: &Report, details: bool) {
    let Some(limit) = &report.rate_limit else { return };
    let shown = limit.uses.iter().filter(|held| details || held.hit != Hit::Never);
    uses(page, limit.limit, shown);
    if details && !limit.uses.is_empty() {
        advice(page, None, &limit.slower, limit.settings.as_ref());
    }
}

/// What the limit means for clients, below the tables of `landfall rate-limit`. Empty when no limit was met.
pub fn limit_impact(limit: &RateLimit, style: &Style) -> String {
    let mut page = Page::new(style);
    uses(&mut page, limit.limit, limit.uses.iter());
    if limit.uses.is_empty() {
        return String::new();
    }
    advice(&mut page, limit.recommendation.as_deref(), &limit.slower, limit.settings.as_ref());
    format!("\n{}", page.finish())
}

fn uses<'a>(page: &mut Page, limit: Option<Interval>, shown: impl Iterator<Item = &'a UseImpact>) {
    let full = limit.map(|limit| limit.low);
    for (place, held) in shown.enumerate() {
        if place == 0 {
            page.heading("WHO MEETS THE LIMIT", "a mark a request: its share of the limit, × where refused");
        }
        let (ink, word) = match held.hit {
            Hit::Never => (Ink::Good, "never    "),
            Hit::Perhaps => (Ink::Open, "perhaps  "),
            Hit::Always => (Ink::Bad, "always   "),
        };
        page.item(2, &[(ink, word)], Ink::Plain, &held.words);
        if held.hit != Hit::Never {
            let room = page.width().saturating_sub(11);
            let line = spark(held.drawn.iter().map(|r| (r.counted, r.refused)), full, room);
            page.line(&[span(Ink::Plain, " ".repeat(11)), span(Ink::Faint, line)]);
        }
    }
}

fn advice(
    page: &mut Page,
    recommendation: Option<&str>,
    slower: &[String],
    settings: Option<&LimitSettings>,
) {
    if let Some(text) = recommendation {
        page.item(2, &[(Ink::Strong, "to do    ")], Ink::Plain, text);
    }
    for line in slower {
        page.item(2, &[(Ink::Faint, "or       ")], Ink::Plain, line);
    }
    if let Some(settings) = settings {
        let head = format!("{} ({})", settings.limiter, settings.place);
        page.item(2, &[(Ink::Strong, "set      ")], Ink::Plain, &head);
        for line in &settings.lines {
            page.line(&[span(Ink::Plain, " ".repeat(11)), span(Ink::Command, line)]);
        }
    }
}
