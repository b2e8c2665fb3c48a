//! Pieces that several pages share: states, times, bars, tables. Nothing is said by colour alone.

use jiff::Timestamp;
use maud::{Markup, html};

use crate::api::model::{BucketView, Listing};

/// How something stands, for colour and icon. The word always stands beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As it should be.
    Good,
    /// With a reservation.
    Warn,
    /// Failing.
    Bad,
    /// Cannot be told.
    Open,
    /// Nothing is going on.
    Idle,
}

impl Tone {
    /// Its class in the style sheet.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Open => "open",
            Self::Idle => "idle",
        }
    }
}

/// A verdict of a monitor or an outcome of a check: its tone and its word for people.
pub(crate) fn verdict(word: &str) -> (Tone, &'static str) {
    match word {
        "up" => (Tone::Good, "Up"),
        "degraded" => (Tone::Warn, "Degraded"),
        "down" => (Tone::Bad, "Down"),
        "inconclusive" => (Tone::Open, "Inconclusive"),
        "paused" => (Tone::Idle, "Paused"),
        "maintenance" => (Tone::Idle, "Maintenance"),
        "blocked" => (Tone::Open, "Blocked"),
        "missed" => (Tone::Open, "Not checked"),
        "new" => (Tone::Idle, "Not checked yet"),
        _ => (Tone::Open, "Unknown"),
    }
}

/// A mark in a disc, for the eye only.
pub(crate) fn icon(tone: Tone) -> Markup {
    html! {
        svg.icon viewBox="0 0 20 20" aria-hidden="true" focusable="false" {
            circle.disc cx="10" cy="10" r="10" {}
            @match tone {
                Tone::Good => path.glyph d="M5.5 10.5l3 3 6-6.5" {},
                Tone::Bad => path.glyph d="M6.5 6.5l7 7M13.5 6.5l-7 7" {},
                Tone::Warn => { path.glyph d="M10 5v6" {} circle.dot cx="10" cy="14.6" r="1.4" {} },
                Tone::Open => {
                    path.glyph d="M7.4 7.6a2.6 2.6 0 1 1 3.6 2.4c-.7.3-1 .8-1 1.5" {}
                    circle.dot cx="10" cy="14.8" r="1.4" {}
                },
                Tone::Idle => path.glyph d="M6 10h8" {},
            }
        }
    }
}

/// A state as icon and word.
pub(crate) fn state(tone: Tone, word: &str) -> Markup {
    html! { span class={ "state " (tone.class()) } { (icon(tone)) (word) } }
}

/// The state of a monitor or a result.
pub(crate) fn verdict_state(word: &str) -> Markup {
    let (tone, word) = verdict(word);
    state(tone, word)
}

/// A text that somebody else wrote: its direction stays its own, and what would not be seen is made visible.
pub(crate) fn foreign(text: &str) -> Markup {
    html! { bdi { (clean(text)) } }
}

/// Makes control characters and the marks that turn the direction of text visible; line breaks become spaces.
pub(crate) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{061c}' => {
                out.push('\u{fffd}');
            }
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// At most so many characters.
pub(crate) fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// A moment in full.
pub(crate) fn stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A moment, in full.
pub(crate) fn time(at: Timestamp) -> Markup {
    html! { time.num datetime=(at) { (stamp(at)) } }
}

/// From when to when, in UTC and, when that is another one, in the zone in which it was said.
pub(crate) fn times(starts: Timestamp, ends: Option<Timestamp>, zone: &str) -> Markup {
    let local = jiff::tz::TimeZone::get(zone).ok().filter(|_| zone != "UTC");
    let there = |at: Timestamp, tz: &jiff::tz::TimeZone| {
        at.to_zoned(tz.clone()).strftime("%Y-%m-%d %H:%M").to_string()
    };
    html! {
        (time(starts)) @if let Some(end) = ends { " to " (time(end)) }
        @if let Some(tz) = &local {
            " (" (there(starts, tz)) @if let Some(end) = ends { " to " (there(end, tz)) } " " (clean(zone)) ")"
        }
    }
}

/// A moment, as its distance from now; the moment itself on hovering and for programs.
pub(crate) fn ago(now: Timestamp, at: Timestamp) -> Markup {
    html! { time.num datetime=(at) title=(stamp(at)) data-ago { (distance(now, at)) } }
}

/// `3 min ago`, `in 2 h`.
pub(crate) fn distance(now: Timestamp, at: Timestamp) -> String {
    let seconds = now.as_second() - at.as_second();
    if seconds < 0 { format!("in {}", length(-seconds)) } else { format!("{} ago", length(seconds)) }
}

/// A length of time in its largest unit.
pub(crate) fn length(seconds: i64) -> String {
    match seconds {
        s if s < 60 => format!("{s} s"),
        s if s < 3600 => format!("{} min", s / 60),
        s if s < 172_800 => format!("{} h", s / 3600),
        s => format!("{} days", s / 86_400),
    }
}

/// A length of time in its two largest units: `1 h 12 min`.
pub(crate) fn span(from: Timestamp, to: Timestamp) -> String {
    let s = (to.as_second() - from.as_second()).max(0);
    match s {
        s if s < 60 => format!("{s} s"),
        s if s < 3600 => format!("{} min {} s", s / 60, s % 60),
        s if s < 86_400 => format!("{} h {} min", s / 3600, s % 3600 / 60),
        s => format!("{} days {} h", s / 86_400, s % 86_400 / 3600),
    }
}

/// Milliseconds with as many digits as they are worth.
pub(crate) fn millis(ms: f64) -> String {
    match ms {
        0.0 => "0 ms".into(),
        ms if ms < 10.0 => format!("{ms:.1} ms"),
        ms if ms < 10_000.0 => format!("{ms:.0} ms"),
        ms => format!("{:.1} s", ms / 1000.0),
    }
}

/// Seconds for people: `5 min`.
pub(crate) fn seconds(s: u64) -> String {
    match s {
        s if s >= 86_400 && s % 86_400 == 0 => format!("{} d", s / 86_400),
        s if s >= 3600 && s % 3600 == 0 => format!("{} h", s / 3600),
        s if s >= 60 && s % 60 == 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}

/// A share as per cent. It is cut and not rounded: 100 % means that nothing failed.
pub(crate) fn percent(share: f64) -> String {
    let share = share.clamp(0.0, 1.0);
    // A share that is a decimal number already must not lose its last digit to binary fractions.
    let hundredths = (share * 10_000.0 + 1e-6).floor() as u32;
    match hundredths {
        10_000 => "100 %".into(),
        h if h % 100 == 0 => format!("{} %", h / 100),
        h => format!("{}.{:02} %", h / 100, h % 100),
    }
}

/// What one bucket of results amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bar {
    /// Only good results.
    Up,
    /// Some were slow or otherwise degraded, or a few failed without making the most of it.
    Degraded,
    /// Something failed.
    Down,
    /// Checked, and nothing could be told.
    Inconclusive,
    /// Maintenance.
    Maintenance,
    /// Nobody looked: no check, or only missed ones.
    Unwatched,
}

impl Bar {
    /// What a bucket amounts to. Half of its ticks missed is blindness, whatever the other half said: it is never green.
    pub(crate) fn of(bucket: &BucketView) -> Self {
        let told = bucket.up + bucket.degraded + bucket.down;
        if bucket.down > 0 {
            Self::Down
        } else if told + bucket.inconclusive + bucket.maintenance == 0
            || bucket.missed >= told + bucket.inconclusive + bucket.maintenance
        {
            Self::Unwatched
        } else if told == 0 {
            if bucket.maintenance >= bucket.inconclusive { Self::Maintenance } else { Self::Inconclusive }
        } else if bucket.inconclusive > told {
            Self::Inconclusive
        } else if bucket.degraded > 0 {
            Self::Degraded
        } else {
            Self::Up
        }
    }

    /// In words.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Down => "failures",
            Self::Inconclusive => "inconclusive",
            Self::Maintenance => "maintenance",
            Self::Unwatched => "not watched",
        }
    }

    /// Class, and where it begins and ends on a scale of 0 (top) to 20: the shape differs, too.
    fn shape(self) -> (&'static str, u8, u8) {
        match self {
            Self::Up => ("good", 6, 14),
            Self::Degraded => ("warn", 3, 17),
            Self::Down => ("bad", 0, 20),
            Self::Inconclusive => ("open", 10, 10),
            Self::Maintenance => ("idle", 13, 7),
            Self::Unwatched => ("none", 18, 2),
        }
    }
}

/// Uptime bars, oldest first. `day` says whether a bucket is a day (else an hour).
pub(crate) fn bars(buckets: &[BucketView], day: bool, tall: bool) -> Markup {
    let told: Vec<Bar> = buckets.iter().map(Bar::of).collect();
    let count = |bar: Bar| told.iter().filter(|b| **b == bar).count();
    let unit = if day { "days" } else { "hours" };
    let mut parts = vec![format!("{} of {} {unit} up", count(Bar::Up), told.len())];
    for bar in [Bar::Degraded, Bar::Down, Bar::Inconclusive, Bar::Maintenance, Bar::Unwatched] {
        if count(bar) > 0 {
            parts.push(format!("{} {}", count(bar), bar.word()));
        }
    }
    let width = buckets.len().max(1) * 4;
    html! {
        svg.bars.tall[tall] viewBox={ "0 0 " (width) " 20" } preserveAspectRatio="none" role="img" aria-label=(parts.join(", ")) {
            @for (i, (bucket, bar)) in buckets.iter().zip(&told).enumerate() {
                @let (class, y, height) = bar.shape();
                rect class=(class) x={ (i * 4) ".4" } y=(y) width="3.2" height=(height) {
                    title { (tip(bucket, *bar, day)) }
                }
            }
        }
    }
}

fn tip(bucket: &BucketView, bar: Bar, day: bool) -> String {
    let from = bucket.from.strftime(if day { "%Y-%m-%d" } else { "%Y-%m-%d %H:%M UTC" });
    match (bar, bucket.uptime) {
        (Bar::Unwatched | Bar::Maintenance, _) | (_, None) => format!("{from}: {}", bar.word()),
        (_, Some(share)) => format!("{from}: {}, {}", bar.word(), percent(share)),
    }
}

/// What the bars' shapes and colours mean.
pub(crate) fn bars_legend() -> Markup {
    html! {
        ul.legend {
            @for bar in [Bar::Up, Bar::Degraded, Bar::Down, Bar::Inconclusive, Bar::Maintenance, Bar::Unwatched] {
                @let (class, y, height) = bar.shape();
                li {
                    svg.bars viewBox="0 0 8 20" aria-hidden="true" { rect class=(class) x="1" y=(y) width="6" height=(height) {} }
                    (bar.word())
                }
            }
        }
    }
}

/// Fills the holes of a listing of buckets: one bucket for each step of `step_s` seconds up to now, oldest first; where
/// nothing was recorded there stands an empty one, so that a gap is seen as a gap.
pub(crate) fn filled(buckets: &[BucketView], now: Timestamp, step_s: i64, count: usize) -> Vec<BucketView> {
    let last = now.as_second().div_euclid(step_s) * step_s;
    let first = last - step_s * (count as i64 - 1);
    (0..count as i64)
        .map(|i| {
            let from = first + i * step_s;
            let found = buckets.iter().find(|b| b.from.as_second() == from);
            found.cloned().unwrap_or_else(|| BucketView {
                from: Timestamp::from_second(from).unwrap_or(now),
                up: 0,
                degraded: 0,
                down: 0,
                inconclusive: 0,
                maintenance: 0,
                missed: 0,
                uptime: None,
                mean_ms: None,
                max_ms: None,
            })
        })
        .collect()
}

/// Uptime over buckets: share up or degraded among conclusive results; `None` when there was none.
pub(crate) fn uptime(buckets: &[BucketView]) -> Option<f64> {
    let good: u64 = buckets.iter().map(|b| b.up + b.degraded).sum();
    let all: u64 = good + buckets.iter().map(|b| b.down).sum::<u64>();
    (all > 0).then(|| good as f64 / all as f64)
}

/// A table that scrolls by itself where it is wider than the page, reachable by keyboard.
pub(crate) fn table(label: &str, head: &[&str], rows: Markup) -> Markup {
    html! {
        div.scroll role="group" aria-label=(label) tabindex="0" {
            table {
                thead { tr { @for name in head { th scope="col" { (name) } } } }
                tbody { (rows) }
            }
        }
    }
}

/// Links to the first and to the next page of a list.
pub(crate) fn pager<T>(list: &Listing<T>, path: &str, query: &[(&str, &str)], first: bool) -> Markup {
    let link = |after: Option<&str>| {
        let mut text = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in query.iter().filter(|(_, v)| !v.is_empty()) {
            text.append_pair(name, value);
        }
        if let Some(after) = after {
            text.append_pair("after", after);
        }
        let text = text.finish();
        if text.is_empty() { path.to_owned() } else { format!("{path}?{text}") }
    };
    html! {
        @if !first || list.next.is_some() {
            nav.pager aria-label="Pages" {
                @if !first { a href=(link(None)) { "First page" } }
                @if let Some(next) = &list.next { a rel="next" href=(link(Some(next))) { "Next page" } }
            }
        }
    }
}

/// A list of facts; empty values are left out.
pub(crate) fn facts(rows: &[(&str, Option<Markup>)]) -> Markup {
    html! {
        dl.facts {
            @for (name, value) in rows {
                @if let Some(value) = value { dt { (name) } dd { (value) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(up: u64, degraded: u64, down: u64, inconclusive: u64, missed: u64) -> BucketView {
        BucketView {
            from: Timestamp::UNIX_EPOCH,
            up,
            degraded,
            down,
            inconclusive,
            maintenance: 0,
            missed,
            uptime: None,
            mean_ms: None,
            max_ms: None,
        }
    }

    #[test]
    fn blindness_and_doubt_are_never_green() {
        assert_eq!(Bar::of(&bucket(60, 0, 0, 0, 0)), Bar::Up);
        assert_eq!(Bar::of(&bucket(0, 0, 0, 0, 0)), Bar::Unwatched);
        assert_eq!(Bar::of(&bucket(0, 0, 0, 0, 60)), Bar::Unwatched);
        assert_eq!(Bar::of(&bucket(10, 0, 0, 0, 50)), Bar::Unwatched);
        assert_eq!(Bar::of(&bucket(0, 0, 0, 60, 0)), Bar::Inconclusive);
        assert_eq!(Bar::of(&bucket(59, 0, 1, 0, 0)), Bar::Down);
        assert_eq!(Bar::of(&bucket(0, 0, 1, 0, 59)), Bar::Down);
        assert_eq!(Bar::of(&bucket(58, 2, 0, 0, 0)), Bar::Degraded);
    }

    #[test]
    fn a_hundred_per_cent_means_that_nothing_failed() {
        assert_eq!(percent(1.0), "100 %");
        assert_eq!(percent(0.999_999), "99.99 %");
        assert_eq!(percent(0.9995), "99.95 %");
        assert_eq!(percent(0.98), "98 %");
        assert_eq!(percent(0.0), "0 %");
    }

    #[test]
    fn gaps_stay_gaps() {
        let now = Timestamp::from_second(10 * 3600 + 17).expect("in range");
        let mut only = bucket(5, 0, 0, 0, 0);
        only.from = Timestamp::from_second(9 * 3600).expect("in range");
        let row = filled(&[only], now, 3600, 4);
        assert_eq!(row.iter().map(|b| b.up).collect::<Vec<_>>(), [0, 0, 5, 0]);
        assert_eq!(row[0].from.as_second(), 7 * 3600);
        assert_eq!(Bar::of(&row[0]), Bar::Unwatched);
    }

    #[test]
    fn foreign_text_cannot_turn_the_line_round() {
        assert_eq!(clean("a\u{202e}b\u{0}c\nd"), "a\u{fffd}b\u{fffd}c d");
        assert_eq!(foreign("<b>").into_string(), "<bdi>&lt;b&gt;</bdi>");
        assert_eq!(shorten("abcdef", 4), "abc…");
    }

    #[test]
    fn times_read_as_people_say_them() {
        let now = Timestamp::from_second(1_000_000).expect("in range");
        let before = |s: i64| Timestamp::from_second(1_000_000 - s).expect("in range");
        assert_eq!(distance(now, before(5)), "5 s ago");
        assert_eq!(distance(now, before(-180)), "in 3 min");
        assert_eq!(distance(now, before(7300)), "2 h ago");
        assert_eq!(span(before(4320), now), "1 h 12 min");
        assert_eq!(seconds(300), "5 min");
        assert_eq!(seconds(90), "90 s");
    }
}
