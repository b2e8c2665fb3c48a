//! Every observation in time, as inline SVG. Long idle stretches are cut out and marked, so that a wait for a rate
//! limiter does not press the rest into a corner.

use maud::{Markup, html};

use crate::model::{Bar, Report};
use crate::text::shorten;
use crate::words;

const LABELS: f64 = 330.0;
const CHART: f64 = 600.0;
const ROW: usize = 22;
const TOP: usize = 34;
/// Width of a cut.
const CUT: f64 = 34.0;
/// A page with more bars than this helps nobody; the table of observations has all of them.
const MOST: usize = 300;

pub(super) fn draw(report: &Report) -> Markup {
    let bars: Vec<&Bar> = report.timing.observations.iter().take(MOST).collect();
    if bars.is_empty() {
        return html! { p { "Nothing was observed." } };
    }
    let scale = Scale::of(&bars);
    let height = TOP + bars.len() * ROW + 8;
    let told = format!(
        "Waterfall of {}: the table of observations below says the same in text.",
        words::count(bars.len() as u64, "observation", "observations")
    );
    html! {
        ul.legend {
            @for (class, word) in [("resolve", "resolve"), ("connect", "connect"), ("tls", "tls"), ("wait", "wait for the first byte"), ("transfer", "transfer"), ("other", "other")] {
                li { i class=(class) {} (word) }
            }
            li { i.band {} "on the critical path" }
        }
        div.scroll role="region" aria-label="Waterfall" tabindex="0" {
            svg.waterfall viewBox={ "0 0 " (LABELS + CHART + 70.0) " " (height) } role="img" aria-label=(told) {
                @for (row, bar) in bars.iter().enumerate() {
                    @if bar.critical { rect.band x="0" y=(TOP + row * ROW) width=(LABELS + CHART + 70.0) height=(ROW) {} }
                }
                @for cut in &scale.cuts {
                    rect.cut x=(px(cut.x)) y=(TOP - 6) width=(px(CUT)) height=(height - TOP) {}
                    text.soft x=(px(cut.x + CUT / 2.0)) y="14" text-anchor="middle" { (words::span_us(cut.skipped)) }
                    text.soft x=(px(cut.x + CUT / 2.0)) y="26" text-anchor="middle" { "idle" }
                }
                @for (x, label) in scale.ticks() {
                    line.axis x1=(px(x)) x2=(px(x)) y1=(TOP - 6) y2=(height) {}
                    text.soft x=(px(x)) y="26" text-anchor="middle" { (label) }
                }
                @for (row, bar) in bars.iter().enumerate() { (one(bar, TOP + row * ROW, &scale)) }
            }
        }
        @if report.timing.observations.len() > MOST {
            p.soft { "The first " (MOST) " of " (report.timing.observations.len()) " observations; the table below has all." }
        }
    }
}

fn one(bar: &Bar, y: usize, scale: &Scale) -> Markup {
    let start = scale.x(bar.started_us);
    let end = scale.x(bar.started_us.saturating_add(bar.took_us)).max(start + 2.0);
    // A question on a shared connection waits for that connection first, and its own phases end with its answer.
    let sliced: u64 = bar.slices.iter().fold(0, |sum, slice| sum.saturating_add(slice.took_us));
    let mut at = bar.started_us.saturating_add(bar.took_us.saturating_sub(sliced));
    let slices: Vec<(String, f64, f64)> = bar
        .slices
        .iter()
        .map(|slice| {
            let from = scale.x(at);
            at = at.saturating_add(slice.took_us);
            (slice.phase.to_string(), from, scale.x(at).min(end))
        })
        .filter(|(_, from, to)| to > from)
        .collect();
    html! {
        g {
            title { (bar.evidence.0) ": " (bar.words) ", " (words::span_us(bar.took_us)) }
            text class=(if bar.critical { "strong" } else { "" }) x="6" y=(y + 15) { (shorten(&bar.label, if bar.critical { 41 } else { 47 })) }
            rect.other x=(px(start)) y=(y + 5) width=(px(end - start)) height=(ROW - 10) rx="2" {}
            @for (phase, from, to) in &slices {
                rect class=(phase) x=(px(*from)) y=(y + 5) width=(px(to - from)) height=(ROW - 10) {}
            }
            text.soft x=(px(end + 6.0)) y=(y + 15) { (words::span_us(bar.took_us)) }
        }
    }
}

/// A length with one decimal, so that the same numbers give the same bytes everywhere.
fn px(value: f64) -> String {
    format!("{value:.1}")
}

struct CutMark {
    x: f64,
    skipped: u64,
}

struct Segment {
    from: u64,
    to: u64,
    x: f64,
}

/// Time to place, with the idle stretches cut out.
struct Scale {
    segments: Vec<Segment>,
    cuts: Vec<CutMark>,
    per_us: f64,
}

impl Scale {
    fn of(bars: &[&Bar]) -> Self {
        let mut spans: Vec<(u64, u64)> =
            bars.iter().map(|b| (b.started_us, b.started_us.saturating_add(b.took_us))).collect();
        spans.sort_unstable();
        let mut busy: Vec<(u64, u64)> = Vec::new();
        for (from, to) in spans {
            match busy.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => busy.push((from, to)),
            }
        }
        let total = busy.iter().fold(0u64, |sum, (from, to)| sum.saturating_add(to - from)).max(1);
        // A gap is worth cutting when it would take more room than a tenth of everything that happened.
        let mut kept: Vec<(u64, u64)> = Vec::new();
        for (from, to) in busy {
            match kept.last_mut() {
                Some(last) if from - last.1 <= total / 10 => last.1 = to,
                _ => kept.push((from, to)),
            }
        }
        // Cuts must leave room for the time between them.
        while kept.len() > 8 {
            let closest = (1..kept.len()).min_by_key(|i| kept[*i].0 - kept[i - 1].1).unwrap_or(1);
            kept[closest - 1].1 = kept[closest].1;
            kept.remove(closest);
        }
        let shown = kept.iter().fold(0u64, |sum, (from, to)| sum.saturating_add(to - from)).max(1);
        let per_us = (CHART - CUT * (kept.len() - 1) as f64) / shown as f64;
        let mut x = LABELS;
        let mut segments: Vec<Segment> = Vec::new();
        let mut cuts = Vec::new();
        for (from, to) in kept {
            if let Some(last) = segments.last() {
                cuts.push(CutMark { x, skipped: from - last.to });
                x += CUT;
            }
            segments.push(Segment { from, to, x });
            x += (to - from) as f64 * per_us;
        }
        Self { segments, cuts, per_us }
    }

    fn x(&self, us: u64) -> f64 {
        let mut x = LABELS;
        for segment in &self.segments {
            if us < segment.from {
                return x;
            }
            x = segment.x + (us.min(segment.to) - segment.from) as f64 * self.per_us;
            if us <= segment.to {
                return x;
            }
        }
        x
    }

    /// Places and labels of round times, at least 64 units apart.
    fn ticks(&self) -> Vec<(f64, String)> {
        const STEPS_US: [u64; 14] = [
            1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000,
            5_000_000, 10_000_000, 60_000_000,
        ];
        let Some(step) = STEPS_US.into_iter().find(|step| *step as f64 * self.per_us >= 64.0) else {
            return Vec::new();
        };
        let mut ticks = Vec::new();
        for segment in &self.segments {
            let first = segment.from.div_ceil(step);
            // The chart is 600 units wide, so there is no room for more.
            for n in (first..).take(12) {
                let at = n.saturating_mul(step);
                let x = self.x(at);
                let near_cut = self.cuts.iter().any(|c| (c.x + CUT / 2.0 - x).abs() < 48.0);
                if at > segment.to {
                    break;
                }
                if !near_cut {
                    ticks.push((x, if at == 0 { "0".to_owned() } else { words::span_us(at) }));
                }
            }
        }
        ticks
    }
}

#[cfg(test)]
mod tests {
    use landfall_evidence::Vantage;
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Kind, Outcome};

    fn bar(started_us: u64, took_us: u64) -> Bar {
        Bar {
            evidence: "x".into(),
            kind: Kind::Http,
            vantage: Vantage::Edge,
            label: String::new(),
            outcome: Outcome::Answered,
            words: String::new(),
            started_us,
            took_us,
            slices: Vec::new(),
            critical: false,
            by_hand: String::new(),
        }
    }

    #[test]
    fn a_long_wait_is_cut_out() {
        let (a, b) = (bar(0, 300_000), bar(10_300_000, 100_000));
        let scale = Scale::of(&[&a, &b]);
        assert_eq!(scale.cuts.len(), 1);
        assert_eq!(scale.cuts[0].skipped, 10_000_000);
        assert!(scale.x(300_000) - scale.x(0) > 350.0, "what happened keeps most of the room");
    }

    proptest! {
        #[test]
        fn later_is_never_further_left_and_all_is_inside(times in prop::collection::vec((any::<u64>(), any::<u64>()), 1..40), probes in prop::collection::vec(any::<u64>(), 0..20)) {
            let bars: Vec<Bar> = times.into_iter().map(|(s, t)| bar(s, t)).collect();
            let bars: Vec<&Bar> = bars.iter().collect();
            let scale = Scale::of(&bars);
            let mut probes = probes;
            probes.sort_unstable();
            let places: Vec<f64> = probes.iter().map(|us| scale.x(*us)).collect();
            prop_assert!(places.windows(2).all(|w| w[0] <= w[1] + 1e-6));
            prop_assert!(places.iter().all(|x| (LABELS..=LABELS + CHART + 0.1).contains(x)));
            prop_assert!(scale.ticks().len() <= 100);
        }
    }
}
