//! Requests against a limit over time, as inline SVG: one stem a request, as high as the number of requests that count at that moment.
//! What passes ends in a disc, what is refused in a cross, so that neither needs its colour.

use landfall_diagnosis::Hit;
use landfall_evidence::Interval;
use maud::{Markup, html};

use super::state;
use crate::model::RateLimitReport;
use crate::words;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 150.0;
const LEFT: f64 = 34.0;
const RIGHT: f64 = 92.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 24.0;

/// Requests that one drawing shows; a budget of the probe is below it, and a use is cut to fewer.
const MOST: usize = 240;

/// One request in a drawing.
#[derive(Clone, Copy)]
struct Dot {
    at_ms: u64,
    counted: u64,
    refused: bool,
}

/// The audit's own requests, the refusals, and the release where it was seen.
pub(super) fn observed(limit: &RateLimitReport) -> Markup {
    if limit.observed.is_empty() {
        return html! {};
    }
    let dots: Vec<Dot> = limit
        .observed
        .iter()
        .map(|r| Dot { at_ms: r.at_ms, counted: r.counted, refused: r.refused })
        .collect();
    html! {
        h4 { "What this audit sent" }
        (figure(&dots, limit.limit, &told(&dots, "The audit's own requests")))
        p.small.soft { (told(&dots, "The audit's own requests")) }
    }
}

/// Each use with its words and, where it is hit, its drawing.
pub(super) fn uses(limit: &RateLimitReport) -> Markup {
    if limit.uses.is_empty() {
        return html! {
            @if !limit.impact.is_empty() { h4 { "Who is affected" } ul { @for i in &limit.impact { li { (i) } } } }
        };
    }
    html! {
        h4 { "Who is affected" }
        @for held in &limit.uses {
            p.use {
                (state(tone(held.hit), held.hit.to_string().as_str())) " "
                (held.words)
                @if !held.must_pass { span.soft { " (for information)" } }
            }
            @if held.hit != Hit::Never && held.drawn.iter().any(|r| r.refused) {
                @let dots: Vec<Dot> = held.drawn.iter().map(|r| Dot { at_ms: r.at_ms, counted: r.counted, refused: r.refused }).collect();
                (figure(&dots, limit.limit, &told(&dots, &held.name)))
            }
        }
    }
}

fn tone(hit: Hit) -> &'static str {
    match hit {
        Hit::Never => "good",
        Hit::Perhaps => "open",
        Hit::Always => "bad",
    }
}

/// The drawing in one sentence, for those who do not see it.
fn told(dots: &[Dot], what: &str) -> String {
    let refused: Vec<&Dot> = dots.iter().filter(|d| d.refused).collect();
    let mut text = format!(
        "{what}: {} over {}",
        words::count(dots.len() as u64, "request", "requests"),
        after(last(dots))
    );
    match refused.first() {
        None => text.push_str(", none refused"),
        Some(first) => {
            let place = dots.iter().position(|d| d.refused).map_or(0, |p| p + 1);
            text.push_str(&format!(
                ", {} refused, the first is request {place} after {}",
                refused.len(),
                after(first.at_ms)
            ));
            if let Some(release) = dots.iter().find(|d| !d.refused && d.at_ms > first.at_ms) {
                text.push_str(&format!("; one passes again after {}", after(release.at_ms)));
            }
        }
    }
    text.push('.');
    text
}

fn last(dots: &[Dot]) -> u64 {
    dots.iter().map(|d| d.at_ms).max().unwrap_or(0)
}

fn after(ms: u64) -> String {
    if ms == 0 { "0 s".to_owned() } else { words::span_us(ms.saturating_mul(1000)) }
}

fn figure(dots: &[Dot], limit: Option<Interval>, told: &str) -> Markup {
    let dots = apart(&dots[..dots.len().min(MOST)]);
    let until = last(&dots).max(1000);
    let top = dots
        .iter()
        .map(|d| d.counted)
        .chain(limit.map(|l| l.high.unwrap_or(l.low)))
        .max()
        .unwrap_or(1)
        .max(1);
    let x = |ms: u64| LEFT + (WIDTH - LEFT - RIGHT) * ms as f64 / until as f64;
    let floor = HEIGHT - BOTTOM;
    let y = |counted: u64| floor - (floor - TOP) * counted as f64 / top as f64;
    html! {
        div.scroll role="region" aria-label="Requests over time" tabindex="0" {
            svg.limits viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(told) {
                line.axis x1=(px(LEFT)) x2=(px(WIDTH - RIGHT)) y1=(px(floor)) y2=(px(floor)) {}
                @for (at, label) in ticks(until) {
                    line.axis x1=(px(x(at))) x2=(px(x(at))) y1=(px(floor)) y2=(px(floor + 4.0)) {}
                    text.soft x=(px(x(at))) y=(px(HEIGHT - 7.0)) text-anchor="middle" { (label) }
                }
                text.soft x=(px(LEFT - 6.0)) y=(px(y(top) + 4.0)) text-anchor="end" { (top) }
                text.soft x=(px(LEFT - 6.0)) y=(px(floor)) text-anchor="end" { "0" }
                @if let Some(limit) = limit {
                    @let high = limit.high.unwrap_or(top);
                    @if high > limit.low { rect.unsure x=(px(LEFT)) width=(px(WIDTH - LEFT - RIGHT)) y=(px(y(high))) height=(px(y(limit.low) - y(high))) {} }
                    line.limit x1=(px(LEFT)) x2=(px(WIDTH - RIGHT)) y1=(px(y(limit.low))) y2=(px(y(limit.low))) {}
                    text.word x=(px(WIDTH - RIGHT + 6.0)) y=(px(y(limit.low) + 4.0)) { "limit " (limit) }
                }
                @for dot in &dots {
                    @let (at, height) = (x(dot.at_ms), y(dot.counted));
                    line.stem x1=(px(at)) x2=(px(at)) y1=(px(floor)) y2=(px(height)) {}
                    @if dot.refused {
                        path.refused d={ "M" (px(at - 4.0)) " " (px(height - 4.0)) "l8 8m0 -8l-8 8" } {}
                    } @else {
                        circle.passed cx=(px(at)) cy=(px(height)) r="3.5" {}
                    }
                }
            }
        }
    }
}

/// Refusals of one moment stand above each other: they count alike, and would hide each other.
fn apart(dots: &[Dot]) -> Vec<Dot> {
    let mut shown: Vec<Dot> = Vec::with_capacity(dots.len());
    for dot in dots {
        let beside = shown.last().filter(|last| dot.refused && last.refused && last.at_ms == dot.at_ms);
        let counted = beside.map_or(dot.counted, |last| dot.counted.max(last.counted.saturating_add(1)));
        shown.push(Dot { counted, ..*dot });
    }
    shown
}

/// A length with one decimal, so that the same numbers give the same bytes everywhere.
fn px(value: f64) -> String {
    format!("{value:.1}")
}

/// Round times of the axis, at most seven.
fn ticks(until_ms: u64) -> Vec<(u64, String)> {
    const STEPS_MS: [u64; 14] = [
        200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 60_000, 120_000, 300_000, 600_000, 1_800_000,
        3_600_000, 14_400_000,
    ];
    let step = STEPS_MS.into_iter().find(|step| until_ms / step <= 6).unwrap_or(until_ms);
    (0..=6)
        .map_while(|n: u64| n.checked_mul(step))
        .take_while(|at| *at <= until_ms)
        .map(|at| {
            let label = match at {
                0 => "0".to_owned(),
                _ if at % 60_000 == 0 => format!("{} min", at / 60_000),
                _ if at % 1000 == 0 => format!("{} s", at / 1000),
                _ => format!("{:.1} s", at as f64 / 1000.0),
            };
            (at, label)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(at_ms: u64, counted: u64, refused: bool) -> Dot {
        Dot { at_ms, counted, refused }
    }

    #[test]
    fn the_drawing_says_in_words_what_it_shows() {
        let dots = [dot(0, 1, false), dot(500, 2, true), dot(9_000, 2, true), dot(10_000, 1, false)];
        assert_eq!(
            told(&dots, "x"),
            "x: 4 requests over 10.00 s, 2 refused, the first is request 2 after 500 ms; one passes again after 10.00 s."
        );
        assert_eq!(told(&dots[..1], "x"), "x: 1 request over 0 s, none refused.");
    }

    #[test]
    fn refusals_are_crosses_above_the_limit_and_all_stays_inside() {
        let dots: Vec<Dot> = (1..=12).map(|n| dot(n * 100, n, n > 5)).collect();
        let svg = figure(&dots, Some(Interval { low: 5, high: Some(6) }), "told").into_string();
        assert_eq!(svg.matches("class=\"refused\"").count(), 7);
        assert_eq!(svg.matches("class=\"passed\"").count(), 5);
        assert!(svg.contains("class=\"unsure\"") && svg.contains("aria-label=\"told\""));
        let at_once: Vec<Dot> = (1..=12).map(|n| dot(0, n.min(6), n > 5)).collect();
        assert_eq!(
            apart(&at_once).iter().map(|d| d.counted).collect::<Vec<_>>(),
            (1..=12).collect::<Vec<_>>()
        );
        let huge =
            figure(&[dot(u64::MAX, u64::MAX, true)], Some(Interval::at_least(u64::MAX)), "t").into_string();
        assert!(!huge.contains("NaN") && !huge.contains("inf"), "{huge}");
    }

    #[test]
    fn axes_have_round_times() {
        let labels = |until| ticks(until).into_iter().map(|(_, l)| l).collect::<Vec<_>>().join(" ");
        assert_eq!(labels(1000), "0 0.2 s 0.4 s 0.6 s 0.8 s 1 s");
        assert_eq!(labels(10_000), "0 2 s 4 s 6 s 8 s 10 s");
        assert_eq!(labels(600_000), "0 2 min 4 min 6 min 8 min 10 min");
        assert!(ticks(u64::MAX).len() <= 7);
    }
}
