//! The report: one model, built once from evidence and diagnosis, and six renderers that only lay it out.
//!
//! [`build`] is a pure function; there is no clock, no network and no decision here. What a format shows is what the
//! model holds, so the same truth stands in every format, and the same input gives the same bytes.
//!
//! Values inside a report come from hosts that nobody vouches for. Every renderer passes every text through one door,
//! which makes control characters visible, and then through its own escaping: a header cannot move the cursor of a
//! terminal, open a tag in a page or close a fence in Markdown.

mod build;
mod compare;
mod dns_survey;
mod format;
mod html;
mod json;
mod junit;
mod limiter;
mod markdown;
pub mod model;
mod observations;
mod page;
mod remarks;
mod sarif;
mod spark;
mod terminal;
mod text;
mod watch;
mod words;

pub use build::build;
pub use compare::{comparison, comparison_json};
pub use dns_survey::{agreement_changes, dns_survey};
pub use format::{Format, Style, UnknownFormat};
pub use limiter::limiter;
pub use model::{Explanation, LoadError, Report, SCHEMA};
pub use observations::observations;
pub use page::{VerifiedRow, claims, page, verified};
pub use remarks::remarks;
pub use terminal::limit_impact;
pub use text::wrap;
pub use watch::{answer_changes, leaf_changes};

/// Lays a report out. The text ends with a newline.
///
/// Only the terminal layout looks at `style`; the others always show everything.
pub fn render(report: &Report, format: Format, style: &Style) -> String {
    match format {
        Format::Terminal => terminal::render(report, style),
        Format::Markdown => markdown::render(report),
        Format::Html => html::render(report),
        Format::Json => json::render(report),
        Format::Junit => junit::render(report),
        Format::Sarif => sarif::render(report),
    }
}
