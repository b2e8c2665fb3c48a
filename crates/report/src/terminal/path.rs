//! The way of a request as a drawing, with the broken hop marked.

use landfall_diagnosis::{Hop, HopKind, HopState};

use super::page::{Ink, Page, span};
use crate::text::{clean, columns, pad};
use crate::words;

/// Draws the hops side by side where they fit, and one below the other where they do not.
pub(super) fn draw(page: &mut Page, hops: &[Hop]) {
    if hops.is_empty() {
        return;
    }
    let boxes: Vec<HopBox> = hops.iter().map(HopBox::of).collect();
    let across = 2 + boxes.iter().map(|b| b.width).sum::<usize>() + (boxes.len() - 1) * GAP;
    if across <= page.width() { side_by_side(page, &boxes) } else { stacked(page, &boxes) }
}

/// Columns between two hops: a space, at least two dashes, a space.
const GAP: usize = 4;

struct HopBox {
    state: HopState,
    name: String,
    below: Vec<String>,
    width: usize,
}

impl HopBox {
    fn of(hop: &Hop) -> Self {
        let kind = words::hop_kind(hop.hop);
        // The client and the application are known by what they are, the hops between by who runs them.
        let (name, role) = match (&hop.vendor, hop.hop) {
            (Some(vendor), HopKind::Client | HopKind::App) => (kind, Some(vendor.as_str())),
            (Some(vendor), _) => (vendor.as_str(), Some(kind)),
            (None, _) => (kind, None),
        };
        let name = clean(name).into_owned();
        let mut below = vec![state(hop.state).to_owned()];
        below.extend(role.into_iter().chain(hop.address.as_deref()).map(|t| clean(t).into_owned()));
        let width = below.iter().map(|t| columns(t)).chain([columns(&name)]).max().unwrap_or(0) + 2;
        Self { state: hop.state, name, below, width }
    }

    fn ink(&self) -> Ink {
        match self.state {
            HopState::Ok => Ink::Good,
            HopState::Broken => Ink::Bad,
            HopState::NotReached => Ink::Faint,
            HopState::Unknown => Ink::Open,
        }
    }
}

fn state(state: HopState) -> &'static str {
    if state == HopState::Broken { "BROKEN HERE" } else { words::hop_state(state) }
}

fn side_by_side(page: &mut Page, boxes: &[HopBox]) {
    let mut line = vec![span(Ink::Plain, "  ")];
    for (i, hop) in boxes.iter().enumerate() {
        let name = format!("{} {}", words::hop_mark(hop.state), hop.name);
        let used = columns(&name);
        line.push(span(hop.ink(), name));
        if let Some(next) = boxes.get(i + 1) {
            let dash = if matches!(next.state, HopState::NotReached) { "╌" } else { "─" };
            let rule = dash.repeat(hop.width - used + GAP - 2);
            line.push(span(Ink::Faint, format!(" {rule} ")));
        }
    }
    page.line(&line);
    let rows = boxes.iter().map(|b| b.below.len()).max().unwrap_or(0);
    for row in 0..rows {
        let mut line = vec![span(Ink::Plain, "  ")];
        for (i, hop) in boxes.iter().enumerate() {
            let text = hop.below.get(row).map_or("", String::as_str);
            let gap = if i + 1 == boxes.len() { 0 } else { GAP };
            let ink = if row == 0 && hop.state != HopState::Ok { hop.ink() } else { Ink::Faint };
            line.push(span(ink, pad(&format!("  {text}"), hop.width + gap)));
        }
        page.line(&line);
    }
}

fn stacked(page: &mut Page, boxes: &[HopBox]) {
    for (i, hop) in boxes.iter().enumerate() {
        if i > 0 {
            page.line(&[span(Ink::Faint, if hop.state == HopState::NotReached { "  ┆" } else { "  │" })]);
        }
        let rest = hop.below[1..].join(", ");
        let text = if rest.is_empty() { hop.name.clone() } else { format!("{} ({rest})", hop.name) };
        let mark = format!("{} ", words::hop_mark(hop.state));
        page.item(2, &[(hop.ink(), mark.as_str())], Ink::Plain, &format!("{text}: {}", hop.below[0]));
    }
}
