//! Small pieces of sentences.

/// A list as a sentence would have it: "a", "a and b", "a, b and c".
pub(crate) fn in_words<T: AsRef<str>>(items: &[T]) -> String {
    match items {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

/// A count with its noun: "1 test", "3 tests".
pub(crate) fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// All things of a kind: "the endpoint", "both endpoints", "all 4 endpoints".
pub(crate) fn all_of(n: usize, noun: &str) -> String {
    match n {
        1 => format!("the {noun}"),
        2 => format!("both {noun}s"),
        n => format!("all {n} {noun}s"),
    }
}

/// Alternatives as a sentence would have them: "a", "a or b", "a, b or c".
pub(crate) fn either(items: &[&str]) -> String {
    match items {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// The file of a place, `infra/dns.tf` of `infra/dns.tf:12`.
pub(crate) fn file_of(place: &str) -> &str {
    place.rsplit_once(':').map_or(place, |(file, _)| file)
}

/// The sentence with its first letter small, unless its first word is an acronym.
pub(crate) fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    match (letters.next(), letters.clone().next()) {
        (Some(first), Some(second)) if !second.is_uppercase() => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_read_as_sentences() {
        assert_eq!(in_words(&["a"; 0]), "");
        assert_eq!(in_words(&["a"]), "a");
        assert_eq!(in_words(&["a", "b", "c"]), "a, b and c");
        assert_eq!(either(&["a", "b"]), "a or b");
        assert_eq!(count(1, "test"), "1 test");
        assert_eq!(count(0, "test"), "0 tests");
        assert_eq!(lower_first("The domain"), "the domain");
        assert_eq!(lower_first("DNS fails"), "DNS fails");
        assert_eq!(lower_first("A name"), "a name");
    }
}
