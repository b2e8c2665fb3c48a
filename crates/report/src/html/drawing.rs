//! The way of a request as inline SVG: across for a desk, down for a phone.

use landfall_diagnosis::{Hop, HopKind, HopState};
use maud::{Markup, html};

use super::{glyph, of_hop};
use crate::text::shorten;
use crate::words;

const HEIGHT: usize = 104;

/// Both drawings; the style sheet shows one of them.
pub(super) fn path(hops: &[Hop]) -> Markup {
    if hops.is_empty() {
        return html! {};
    }
    let told = describe(hops);
    html! { (across(hops, &told)) (down(hops, &told)) }
}

/// The drawing in one sentence, for those who do not see it.
fn describe(hops: &[Hop]) -> String {
    let hops: Vec<String> =
        hops.iter().map(|h| format!("{}: {}", name(h), words::hop_state(h.state))).collect();
    format!("The way of a request. {}.", hops.join("; "))
}

fn name(hop: &Hop) -> &str {
    match (&hop.vendor, hop.hop) {
        (Some(vendor), kind) if !matches!(kind, HopKind::Client | HopKind::App) => vendor,
        (_, kind) => words::hop_kind(kind),
    }
}

fn role(hop: &Hop) -> &str {
    match (&hop.vendor, hop.hop) {
        (Some(vendor), HopKind::Client | HopKind::App) => vendor,
        (None, HopKind::Client) => "this machine",
        (None, _) => "",
        (Some(_), kind) => words::hop_kind(kind),
    }
}

fn across(hops: &[Hop], told: &str) -> Markup {
    // Six hops are the most there can be without repetition; more than four need narrower boxes to stay readable.
    let (width, gap) = if hops.len() <= 4 { (196, 52) } else { (158, 34) };
    let total = hops.len() * width + (hops.len() - 1) * gap + 4;
    html! {
        svg.path-wide viewBox={ "0 0 " (total) " " (HEIGHT + 4) } style={ "max-width:" (total) "px" } role="img" aria-label=(told) {
            @for (i, hop) in hops.iter().enumerate() {
                @let x = 2 + i * (width + gap);
                @if i > 0 {
                    @let cut = if hop.state == HopState::NotReached { " cut" } else { "" };
                    @let y = 2 + HEIGHT / 2;
                    path class={ "way" (cut) } d={ "M" (x - gap + 6) " " (y) "H" (x - 12) } {}
                    path class={ "tip" (cut) } d={ "M" (x - 14) " " (y - 5) "l9 5l-9 5z" } {}
                }
                (node(hop, x, 2, width))
            }
        }
    }
}

fn down(hops: &[Hop], told: &str) -> Markup {
    let (width, height, gap) = (320, 64, 28);
    let total = hops.len() * height + (hops.len() - 1) * gap + 4;
    html! {
        svg.path-tall viewBox={ "0 0 " (width + 4) " " (total) } role="img" aria-label=(told) {
            @for (i, hop) in hops.iter().enumerate() {
                @let y = 2 + i * (height + gap);
                @if i > 0 {
                    @let cut = if hop.state == HopState::NotReached { " cut" } else { "" };
                    @let x = 2 + width / 2;
                    path class={ "way" (cut) } d={ "M" (x) " " (y - gap + 4) "V" (y - 10) } {}
                    path class={ "tip" (cut) } d={ "M" (x - 5) " " (y - 12) "l5 9l5 -9z" } {}
                }
                (row(hop, y, width, height))
            }
        }
    }
}

fn row(hop: &Hop, y: usize, width: usize, height: usize) -> Markup {
    let tone = of_hop(hop.state);
    let below: Vec<&str> = [role(hop), hop.address.as_deref().unwrap_or_default()]
        .into_iter()
        .filter(|t| !t.is_empty())
        .collect();
    html! {
        g class={ "hop " (tone) } transform={ "translate(2 " (y) ")" } {
            rect width=(width) height=(height) rx="10" {}
            g transform="translate(12 11)" { circle.disc cx="10" cy="10" r="10" {} (glyph(tone)) }
            text x="42" y="26" font-size="15" font-weight="650" { (shorten(name(hop), 20)) }
            text.word x=(width - 14) y="26" text-anchor="end" font-size="13" font-weight="600" { (words::hop_state(hop.state)) }
            text.soft x="42" y="48" font-size="13" { (shorten(&below.join(", "), 33)) }
        }
    }
}

fn node(hop: &Hop, x: usize, y: usize, width: usize) -> Markup {
    let tone = of_hop(hop.state);
    // About 9 units a letter at 15 units, 8 at 13, 7.3 at 12 in the fixed font.
    let letters = (width - 52) / 9;
    let small = (width - 24) * 10 / 73;
    html! {
        g class={ "hop " (tone) } transform={ "translate(" (x) " " (y) ")" } {
            rect width=(width) height=(HEIGHT) rx="10" {}
            g transform="translate(12 13)" { circle.disc cx="10" cy="10" r="10" {} (glyph(tone)) }
            text x="40" y="28" font-size="15" font-weight="650" { (shorten(name(hop), letters)) }
            text.soft x="14" y="52" font-size="13" { (shorten(role(hop), (width - 24) / 8)) }
            @if let Some(address) = &hop.address {
                text.soft.mono x="14" y="71" font-size="12" { (shorten(address, small)) }
            }
            text.word x="14" y="92" font-size="13" font-weight="600" { (words::hop_state(hop.state)) }
        }
    }
}
