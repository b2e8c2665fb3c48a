//! Which known lines a line resembles that no pattern reads.
//!
//! Software says the same thing in many words, and no list of patterns has them all. The examples of `log-lines.toml` are held
//! against such a line as a search engine holds documents against a query: words and pairs of words, each weighed by how few
//! examples have it, and the cosine between both (Salton, Wong and Yang, "A vector space model for automatic indexing",
//! Communications of the ACM 18(11), 1975). What comes of it is a resemblance and no reading: it may bring a cause to mind, and
//! proves none.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::LogLine;

/// Letters of a word that count: endings differ (`refuse`, `refused`, `refusing`).
const STEM: usize = 7;
/// Lines less alike than this resemble nothing.
const LEAST: f32 = 0.12;
/// Nearest examples that are looked at.
const NEAREST: usize = 8;
/// Characters of a line that are looked at.
const TEXT: usize = 400;

/// Words that say nothing of what a line is about.
const EMPTY: &[&str] = &[
    "all", "also", "and", "any", "are", "been", "but", "can", "for", "from", "has", "have", "into", "its",
    "more", "not", "one", "than", "that", "the", "then", "there", "this", "two", "use", "used", "was",
    "what", "when", "which", "will", "with", "you",
];

/// The examples of all entries, by their words.
#[derive(Debug)]
pub(super) struct Likeness {
    words: HashMap<String, usize>,
    /// How much each word weighs: the logarithm of how few examples have it.
    weights: Vec<f32>,
    /// The examples that have each word.
    having: Vec<Vec<usize>>,
    /// For each example its entry and the length of its vector.
    examples: Vec<(usize, f32)>,
}

/// An entry that a line resembles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Alike {
    /// Its place among the entries.
    pub(super) entry: usize,
    /// The cosine, 0 to 1.
    pub(super) likeness: f32,
}

impl Likeness {
    pub(super) fn new(lines: &[LogLine]) -> Self {
        let mut words: HashMap<String, usize> = HashMap::new();
        let mut having: Vec<Vec<usize>> = Vec::new();
        let mut examples = Vec::new();
        let mut of_example: Vec<Vec<usize>> = Vec::new();
        let texts = lines.iter().enumerate().flat_map(|(entry, line)| {
            line.examples.iter().chain([&line.means]).map(move |text| (entry, text))
        });
        for (entry, text) in texts {
            let mut own = Vec::new();
            for word in words_of(text) {
                let next = words.len();
                let at = *words.entry(word).or_insert(next);
                if at == having.len() {
                    having.push(Vec::new());
                }
                having[at].push(examples.len());
                own.push(at);
            }
            examples.push((entry, 0.0));
            of_example.push(own);
        }
        let count = examples.len() as f32;
        let weights: Vec<f32> = having.iter().map(|in_| (count / (in_.len() as f32 + 0.5)).ln()).collect();
        for ((_, length), own) in examples.iter_mut().zip(&of_example) {
            *length = own.iter().map(|word| weights[*word].powi(2)).sum::<f32>().sqrt();
        }
        Self { words, weights, having, examples }
    }

    /// The entries that a line resembles, the nearest first.
    pub(super) fn nearest(&self, text: &str) -> Vec<Alike> {
        let unknown = (self.examples.len() as f32).ln();
        let mut length = 0.0_f32;
        let mut shared: BTreeMap<usize, f32> = BTreeMap::new();
        for word in words_of(text) {
            let Some(&at) = self.words.get(&word) else {
                length += unknown.powi(2);
                continue;
            };
            let weight = self.weights[at].powi(2);
            length += weight;
            for example in &self.having[at] {
                *shared.entry(*example).or_default() += weight;
            }
        }
        let mut near: Vec<(usize, f32)> = shared
            .into_iter()
            .map(|(example, sum)| {
                (example, sum / (length.sqrt() * self.examples[example].1).max(f32::MIN_POSITIVE))
            })
            .filter(|(_, likeness)| *likeness >= LEAST)
            .collect();
        near.sort_by(|(a, x), (b, y)| y.total_cmp(x).then(a.cmp(b)));
        let mut found: Vec<Alike> = Vec::new();
        for (example, likeness) in near.into_iter().take(NEAREST) {
            let entry = self.examples[example].0;
            if found.iter().all(|alike| alike.entry != entry) {
                found.push(Alike { entry, likeness });
            }
        }
        found
    }
}

/// The words of a line and its pairs of neighbours, in lower case, cut to their stems; without numbers, and with words that were
/// put together by capitals taken apart.
fn words_of(text: &str) -> BTreeSet<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut before = ' ';
    let mut end = |word: &mut String| {
        if word.len() > 1 && !EMPTY.contains(&word.as_str()) {
            words.push(word.chars().take(STEM).collect());
        }
        word.clear();
    };
    for c in text.chars().take(TEXT) {
        if !c.is_alphabetic() || (c.is_uppercase() && before.is_lowercase()) {
            end(&mut word);
        }
        if c.is_alphabetic() {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    end(&mut word);
    let pairs: Vec<String> = words.windows(2).map(|pair| pair.join(" ")).collect();
    words.into_iter().chain(pairs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;

    #[test]
    fn words_are_cut_to_stems_paired_and_freed_of_numbers() {
        let words: Vec<String> =
            words_of("the connectionRefused by 10.0.0.1: connections refusing 42").into_iter().collect();
        assert_eq!(
            words,
            [
                "by",
                "by connect",
                "connect",
                "connect refused",
                "connect refusin",
                "refused",
                "refused by",
                "refusin"
            ]
        );
    }

    #[test]
    fn the_nearest_known_line_is_the_line_itself() {
        let lines: Vec<LogLine> = Catalogue::embedded().lines.iter().cloned().collect();
        let likeness = Likeness::new(&lines);
        let (mut itself, mut all) = (0, 0);
        for (entry, line) in lines.iter().enumerate() {
            for example in line.examples.iter().filter(|example| words_of(example).len() > 6) {
                let near = likeness.nearest(example);
                all += 1;
                itself +=
                    usize::from(near.iter().any(|alike| alike.entry == entry && alike.likeness > 0.999));
                assert!(
                    near.iter().all(|alike| (LEAST..=1.001).contains(&alike.likeness)),
                    "{example}: {near:?}"
                );
                assert!(near.is_sorted_by(|a, b| a.likeness >= b.likeness), "{example}: {near:?}");
            }
        }
        // Lines that several entries give as an example have more than one nearest.
        assert_eq!(itself, all);
    }

    #[test]
    fn a_line_without_a_known_word_resembles_nothing() {
        let likeness = Likeness::new(&Catalogue::embedded().lines.iter().cloned().collect::<Vec<_>>());
        for text in ["", "frobnicator quux xyzzy", "12 34 :: --", "\u{0}\u{202e}"] {
            assert_eq!(likeness.nearest(text), [], "{text}");
        }
    }
}
