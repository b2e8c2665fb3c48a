//! Random numbers that are the same everywhere and for ever: a variant is named by its seed.

/// SplitMix64 (G. L. Steele, D. Lea, C. H. Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014; the
/// constants are those of S. Vigna's public-domain `splitmix64.c`).
#[derive(Debug, Clone)]
pub(super) struct Prng(u64);

impl Prng {
    /// A stream named by a text and a number. The text is folded with FNV-1a, so that every world has its own stream.
    pub(super) fn new(name: &str, number: u64) -> Self {
        let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        let mut prng =
            Self(name.bytes().fold(0xcbf2_9ce4_8422_2325, fold) ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        // The first output of neighbouring seeds is well spread already; one step keeps the state itself from showing.
        prng.next();
        prng
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 up to and without `end`, which must not be 0. The bias of the remainder is below 2^-50 here.
    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("below a usize")
    }

    /// A number in 0..1.
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number in a range.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Fisher and Yates.
    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }

    /// `count` different positions below `end`, in order; all of them when there are no more.
    pub(super) fn positions(&mut self, count: usize, end: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..end).collect();
        self.shuffle(&mut all);
        all.truncate(count);
        all.sort_unstable();
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_the_published_one() {
        // The first outputs of splitmix64.c for the state 1234567, as quoted in its ports' tests.
        let mut prng = Prng(1_234_567);
        assert_eq!(prng.next(), 6_457_827_717_110_365_317);
        assert_eq!(prng.next(), 3_203_168_211_198_807_973);
        assert_eq!(prng.next(), 9_817_491_932_198_370_423);
    }

    #[test]
    fn names_and_numbers_make_different_streams() {
        let first = |name, number| Prng::new(name, number).next();
        assert_eq!(first("a", 1), first("a", 1));
        assert_ne!(first("a", 1), first("a", 2));
        assert_ne!(first("a", 1), first("b", 1));
    }

    #[test]
    fn shuffling_loses_nothing_and_positions_are_different() {
        let mut prng = Prng::new("x", 0);
        let mut items: Vec<usize> = (0..50).collect();
        prng.shuffle(&mut items);
        assert_ne!(items, (0..50).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
        let mut chosen = prng.positions(5, 50);
        assert_eq!(chosen.len(), 5);
        chosen.dedup();
        assert_eq!(chosen.len(), 5);
        assert_eq!(prng.positions(9, 3), [0, 1, 2]);
        assert!((0..1000).all(|_| (0.0..1.0).contains(&prng.unit())));
    }
}
