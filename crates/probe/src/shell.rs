//! Words of the commands that repeat a question by hand.

use std::borrow::Cow;

/// `word` as one word of a POSIX shell, quoted only where it must be. Host names come from outside and may hold
/// characters that a shell would act on.
pub fn shell_word(word: &str) -> Cow<'_, str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"@%+=:,./_-".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        Cow::Borrowed(word)
    } else {
        Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
    }
}

#[cfg(test)]
mod tests {
    use super::shell_word;

    #[test]
    fn only_what_a_shell_would_act_on_is_quoted() {
        assert_eq!(shell_word("api.example.test:443"), "api.example.test:443");
        assert_eq!(shell_word("[2606:4700::1]:443"), "'[2606:4700::1]:443'");
        assert_eq!(shell_word("a$(id).example.test"), "'a$(id).example.test'");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
        assert_eq!(shell_word(""), "''");
    }
}
