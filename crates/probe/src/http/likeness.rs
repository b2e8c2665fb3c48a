//! How alike two texts are, told without keeping either.
//!
//! A similarity hash (Charikar, "Similarity Estimation Techniques from Rounding Algorithms", 2002): every pair of
//! neighbouring words votes with the bits of its own hash, and the majority of each bit is kept. Texts that share most of
//! their pairs differ in few of the 64 bits. internet.nl holds the pages of a site's IPv4 and IPv6 addresses against each
//! other in this way, over their first 500 kB, and takes a distance of 10 or less for the same page; so do we.

/// Bytes of a text that count.
const FIRST_BYTE: usize = 500_000;
/// With fewer pairs than this, one word that differs (a time, an id) moves too many bits for a distance to mean anything.
const FEWEST_PAIRS: u32 = 32;
/// Longer words are blobs; they count by their beginning.
const WORD_BYTE: usize = 64;

/// FNV-1a, 64 bits: offset basis and prime of its authors' page.
const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// The words read so far. Holds the votes and no text.
pub(crate) struct Words {
    left: usize,
    word: u64,
    length: usize,
    before: u64,
    pairs: u32,
    votes: [i32; 64],
}

impl Default for Words {
    fn default() -> Self {
        Self { left: FIRST_BYTE, word: BASIS, length: 0, before: 0, pairs: 0, votes: [0; 64] }
    }
}

impl Words {
    /// Reads on. A word may be cut in two between calls.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        let taken = &bytes[..bytes.len().min(self.left)];
        self.left -= taken.len();
        for byte in taken {
            // Letters of other scripts are bytes above 127.
            if byte.is_ascii_alphanumeric() || *byte >= 128 {
                if self.length < WORD_BYTE {
                    self.word = (self.word ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(PRIME);
                }
                self.length += 1;
            } else {
                self.end_word();
            }
        }
    }

    fn end_word(&mut self) {
        if self.length == 0 {
            return;
        }
        let pair = mixed(self.before.rotate_left(17) ^ self.word);
        for (bit, vote) in self.votes.iter_mut().enumerate() {
            *vote += if pair >> bit & 1 == 1 { 1 } else { -1 };
        }
        self.pairs += 1;
        (self.before, self.word, self.length) = (self.word, BASIS, 0);
    }

    /// The hash as 16 hexadecimal digits; `None` when there are too few words for it to mean anything.
    pub(crate) fn finish(mut self) -> Option<String> {
        self.end_word();
        let hash =
            self.votes.iter().enumerate().fold(0_u64, |hash, (bit, vote)| hash | u64::from(*vote > 0) << bit);
        (self.pairs >= FEWEST_PAIRS).then(|| format!("{hash:016x}"))
    }
}

/// The finaliser of splitmix64 (Steele, Lea and Flood, 2014): FNV alone leaves the upper bits of short words alike.
fn mixed(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(text: &str) -> Option<u64> {
        let mut words = Words::default();
        for chunk in text.as_bytes().chunks(7) {
            words.take(chunk);
        }
        words.finish().map(|hex| u64::from_str_radix(&hex, 16).expect("hexadecimal"))
    }

    fn page(build: &str, sentences: usize) -> String {
        let text: Vec<String> = (0..sentences)
            .map(|n| format!("<p>Paragraph {n} speaks of the offer number {}</p>", n * n))
            .collect();
        format!("<html><head><meta name=build content={build}></head>{}</html>", text.join("\n"))
    }

    #[test]
    fn pages_that_differ_in_a_word_are_near_and_other_pages_are_far() {
        let distance =
            |a: &str, b: &str| (hash(a).expect("enough words") ^ hash(b).expect("enough words")).count_ones();
        let one = page("a1", 60);
        assert_eq!(distance(&one, &one), 0);
        assert!(distance(&one, &page("b2", 60)) <= 10);
        let other =
            (0..200).map(|n| format!("error {} at line {}", n * 7, n * 13)).collect::<Vec<_>>().join(" ");
        assert!(distance(&one, &other) > 10);
    }

    #[test]
    fn a_few_words_say_nothing_and_what_lies_behind_the_bound_does_not_count() {
        assert_eq!(hash("{\"status\": \"ok\", \"time\": 12}"), None);
        assert_eq!(hash(""), None);
        let long = "word ".repeat(FIRST_BYTE / 5);
        assert_eq!(hash(&long), hash(&format!("{long}{}", page("a", 500))));
    }
}
