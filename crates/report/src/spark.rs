//! Requests against a limit in one line of characters.

/// Heights of a bar, lowest first.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// One character a request: a bar as high as the share of the limit that counts at that moment, a cross for a refusal. What does not fit
/// into `width` columns is cut and marked.
pub(crate) fn spark(requests: impl Iterator<Item = (u64, bool)>, limit: Option<u64>, width: usize) -> String {
    let requests: Vec<(u64, bool)> = requests.collect();
    let most = requests.iter().filter(|(_, refused)| !refused).map(|(counted, _)| *counted).max();
    let full = limit.or(most).unwrap_or(1).max(1);
    let mark = |(counted, refused): &(u64, bool)| {
        if *refused {
            return '×';
        }
        let level = (u128::from((*counted).min(full)) * 8).div_ceil(u128::from(full)).clamp(1, 8);
        BARS[usize::try_from(level).map_or(7, |level| level - 1)]
    };
    if requests.len() <= width {
        return requests.iter().map(mark).collect();
    }
    requests.iter().take(width.saturating_sub(1)).map(mark).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_grow_to_the_limit_and_refusals_are_crosses() {
        let run = (1..=6).map(|n| (n, n > 4));
        assert_eq!(spark(run, Some(4), 60), "▂▄▆█××");
        assert_eq!(spark((1..=9).map(|n| (n, false)), None, 5), "▁▂▃▄…");
        assert_eq!(spark(std::iter::empty(), None, 5), "");
        assert_eq!(spark([(u64::MAX, false), (0, false)].into_iter(), Some(u64::MAX), 5), "█▁");
    }
}
