//! The score as a page for a terminal.

use std::fmt::Write;

use super::Score;
use super::figures::{Figures, LayerFigures};

/// Pairs shown before the rest is only counted.
const PAIRS: usize = 20;

pub(super) fn whole(score: &Score) -> String {
    let mut text = String::new();
    figures(&mut text, [&score.all, &score.halves.tuned, &score.halves.aside]);
    reliability(&mut text, &score.all);
    layers(&mut text, &score.layers);
    confusion(&mut text, score);
    wrong(&mut text, score);
    if !score.unrecorded.is_empty() {
        line(
            &mut text,
            format_args!("\nRecipes without a recording, not scored: {}", score.unrecorded.len()),
        );
    }
    text
}

pub(super) fn failing(score: &Score) -> String {
    let mut text = String::new();
    for miss in &score.misses {
        line(&mut text, format_args!("{}", miss.world));
        line(&mut text, format_args!("    true   {}", miss.truth.join(", ")));
        line(&mut text, format_args!("    said   {}", miss.said));
        line(&mut text, format_args!("    in     {}", some(&miss.variants)));
    }
    wrong(&mut text, score);
    for weak in &score.weak {
        line(
            &mut text,
            format_args!(
                "{}: {} wrong in {:.0} % (true {}): {}",
                weak.figure,
                weak.world,
                weak.share * 100.0,
                weak.truth.join(", "),
                some(&weak.said)
            ),
        );
    }
    if text.is_empty() {
        text.push_str("Nothing is judged wrongly.\n");
    }
    text
}

fn figures(text: &mut String, columns: [&Figures; 3]) {
    type Row = (&'static str, fn(&Figures) -> String);
    let rows: [Row; 25] = [
        ("worlds", |f| f.scenarios.to_string()),
        ("variants", |f| f.variants.to_string()),
        ("first name right (inside and outside)", |f| percent(f.top1)),
        ("among the first three", |f| percent(f.top3)),
        ("first name right, all worlds", |f| percent(f.top1_all)),
        ("among the first three, all worlds", |f| percent(f.top3_all)),
        ("from outside only, in a group of four", |f| percent(f.outside_only)),
        ("first broken rung right", |f| percent(f.first_broken_rung)),
        ("several faults, strict set score", |f| percent(f.double_faults)),
        ("healthy variants", |f| f.healthy_variants.to_string()),
        ("  of them given a name", |f| f.healthy_named.to_string()),
        ("unknown cause given a name", |f| percent(f.novel_named)),
        ("  beyond inseparable rivals", |f| percent(f.novel_named_beyond_rivals)),
        ("  not described either", |f| percent(f.unheard_named)),
        ("confirmed and right", |f| percent(f.confirmed_right)),
        ("likely and right", |f| percent(f.likely_right)),
        ("expected calibration error", |f| number(f.calibration_error)),
        ("Brier score", |f| number(f.brier)),
        ("first name right, a tenth lost", |f| percent(f.dropped_tenth_top1)),
        ("points lost, every weight moved", |f| number(f.rank_stability_loss)),
        ("decided", |f| percent(f.decided)),
        ("  of them right", |f| percent(f.decided_right)),
        ("undecided: tie, possible, nothing", |f| {
            [f.undecided_tie, f.undecided_possible, f.undecided_nothing].map(percent).join(" ")
        }),
        ("baseline: first failing check", |f| percent(f.baselines.first_failing_check)),
        ("baseline: status-code table", |f| percent(f.baselines.status_code_table)),
    ];
    row(text, "", ["all".into(), "tuned".into(), "aside".into()]);
    for (name, value) in rows {
        row(text, name, columns.map(value));
    }
}

fn row(text: &mut String, name: &str, values: [String; 3]) {
    let [all, tuned, aside] = values;
    line(text, format_args!("{name:<40}{all:>22}{tuned:>22}{aside:>22}"));
}

fn reliability(text: &mut String, figures: &Figures) {
    line(text, format_args!("\n{:<16}{:>8}{:>12}{:>10}", "confidence", "names", "mean", "right"));
    for bin in &figures.calibration.bins {
        let range = format!("{:.1} to {:.1}", bin.low, bin.high);
        line(
            text,
            format_args!(
                "{range:<16}{:>8}{:>12}{:>10}",
                bin.names,
                number(bin.confidence),
                number(bin.right)
            ),
        );
    }
}

fn layers(text: &mut String, layers: &[LayerFigures]) {
    line(
        text,
        format_args!(
            "\n{:<14}{:>8}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}",
            "layer", "worlds", "first", "three", "outside", "rung", "set", "decided"
        ),
    );
    for layer in layers {
        let values =
            [layer.top1, layer.top3, layer.outside_only, layer.first_broken_rung, layer.set, layer.decided];
        let values: String = values.map(|value| format!("{:>10}", percent(value))).concat();
        line(text, format_args!("{:<14}{:>8}{values}", layer.layer, layer.scenarios));
    }
}

fn confusion(text: &mut String, score: &Score) {
    if score.confusion.is_empty() {
        return;
    }
    text.push_str("\nTaken for another:\n");
    for pair in score.confusion.iter().take(PAIRS) {
        line(text, format_args!("  {} → {} ({})", pair.truth, pair.named, some(&pair.worlds)));
    }
    if score.confusion.len() > PAIRS {
        line(text, format_args!("  and {} more pairs", score.confusion.len() - PAIRS));
    }
}

/// Names that must not have been given.
fn wrong(text: &mut String, score: &Score) {
    for name in &score.forbidden {
        line(
            text,
            format_args!(
                "{}: must not be named and is: {} (in {})",
                name.world,
                name.named,
                some(&name.variants)
            ),
        );
    }
    for name in &score.novel_names {
        let rival = if name.rival { ", which may stand for it" } else { "" };
        line(text, format_args!("{}: its cause unknown, and named: {}{rival}", name.world, name.named));
    }
    for name in &score.healthy_names {
        line(
            text,
            format_args!("{}: healthy, and named: {} (in {})", name.world, name.named, some(&name.variants)),
        );
    }
}

fn some(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len() {
        0..=SHOWN => shown,
        more => format!("{shown} and {} more", more - SHOWN),
    }
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{:.1} %", share * 100.0))
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"))
}

fn line(text: &mut String, words: std::fmt::Arguments<'_>) {
    writeln!(text, "{words}").expect("a String takes every text");
}

#[cfg(test)]
mod tests {
    use landfall_diagnosis::Catalogue;

    use crate::Corpus;
    use crate::score::score;
    use crate::variants::testkit;

    #[test]
    fn a_page_shows_every_figure_and_what_went_wrong() {
        let mut wrong = testkit::case();
        wrong.truth.causes = vec!["cert-expired".to_owned()];
        wrong.truth.never = vec!["never-deployed".to_owned()];
        let corpus = Corpus { cases: vec![wrong, testkit::healthy()], unrecorded: vec!["x/y".to_owned()] };
        let score = score(&corpus, Catalogue::embedded(), 2);
        let page = score.to_text();
        for words in ["first name right", "baseline: status-code table", "platform", "not scored: 1"] {
            assert!(page.contains(words), "{words} is missing in\n{page}");
        }
        assert!(page.contains("cert-expired → never-deployed (platform/levqor-undeployed)"), "{page}");
        let failing = score.failing_to_text();
        assert!(failing.contains("true   cert-expired"), "{failing}");
        assert!(failing.contains("must not be named and is: never-deployed"), "{failing}");
        assert!(page.lines().all(|line| !line.ends_with(' ')), "{page}");
    }
}
