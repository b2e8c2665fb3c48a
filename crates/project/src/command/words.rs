//! Splits a command line into words as a POSIX shell does (Shell Command Language, sections 2.2 and 2.3), far enough
//! for start commands: quotes, escapes, `$NAME`, `${NAME:-default}`, lists with `&&`, `||`, `;`, `|`, redirections.

/// Start commands are short; what is longer is cut.
const MAX_BYTE: usize = 16 * 1024;

/// A part of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Plain text, quotes removed.
    Text(String),
    /// A parameter expansion.
    Variable {
        /// Its name.
        name: String,
        /// The text after `:-`, `-`, `:=` or `=`.
        default: Option<String>,
    },
}

/// A word of a command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Word(pub(crate) Vec<Piece>);

impl Word {
    /// An argument that no shell has read. What looks like a variable is kept as one, so that a reader can see what was
    /// meant; whether it is expanded is told by the command's `shell`.
    pub(crate) fn from_argument(text: &str) -> Self {
        let mut word = Self::default();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            word.push_text(&rest[..at]);
            match variable(&rest[at..]) {
                Some((piece, used)) => {
                    word.0.push(piece);
                    rest = &rest[at + used..];
                }
                None => {
                    word.push_text("$");
                    rest = &rest[at + 1..];
                }
            }
        }
        word.push_text(rest);
        word
    }

    fn push_text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if let Some(Piece::Text(last)) = self.0.last_mut() {
            last.push_str(text);
        } else {
            self.0.push(Piece::Text(text.to_owned()));
        }
    }

    /// The text of a word without variables.
    pub(crate) fn plain(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The word as a script would spell it, without quotes.
    pub(crate) fn script(&self) -> String {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.clone(),
                Piece::Variable { name, default: Some(default) } => format!("${{{name}:-{default}}}"),
                Piece::Variable { name, default: None } => format!("${{{name}}}"),
            })
            .collect()
    }

    /// What follows a prefix of plain text.
    pub(crate) fn strip_prefix(&self, prefix: &str) -> Option<Self> {
        let (first, others) = self.0.split_first()?;
        let Piece::Text(text) = first else { return None };
        let rest = text.strip_prefix(prefix)?;
        let mut word = Self::default();
        word.push_text(rest);
        word.0.extend(others.iter().cloned());
        Some(word)
    }
}

/// The simple commands of a script, in order, each as its words. Redirections are dropped.
pub(crate) fn commands(script: &str) -> Vec<Vec<Word>> {
    let mut end = script.len().min(MAX_BYTE);
    while !script.is_char_boundary(end) {
        end -= 1;
    }
    let mut splitter = Splitter { rest: &script[..end], ..Splitter::default() };
    splitter.run();
    splitter.commands
}

#[derive(Default)]
struct Splitter<'a> {
    rest: &'a str,
    word: Option<Word>,
    words: Vec<Word>,
    commands: Vec<Vec<Word>>,
    drop_next: bool,
}

impl Splitter<'_> {
    fn run(&mut self) {
        while let Some(c) = self.rest.chars().next() {
            self.rest = &self.rest[c.len_utf8()..];
            match c {
                '\\' => match self.take() {
                    Some('\n') | None => {}
                    Some(escaped) => self.text(escaped.encode_utf8(&mut [0; 4])),
                },
                '\'' => {
                    let (inside, after) = self.rest.split_once('\'').unwrap_or((self.rest, ""));
                    self.rest = after;
                    self.text(inside);
                }
                '"' => self.double_quoted(),
                '$' => self.expansion(),
                '#' if self.word.is_none() => {
                    self.rest = self.rest.find('\n').map_or("", |at| &self.rest[at..]);
                }
                ' ' | '\t' | '\r' => self.end_word(),
                '\n' | ';' | '|' | '(' | ')' => self.end_command(),
                // `2>&1` and `>&2` are redirections, not the end of a command.
                '&' if self.drop_next => {}
                '&' => self.end_command(),
                '<' | '>' => {
                    // A number directly before the sign is a file descriptor and not an argument.
                    let descriptor = self
                        .word
                        .as_ref()
                        .and_then(Word::plain)
                        .is_some_and(|w| w.bytes().all(|b| b.is_ascii_digit()));
                    if descriptor {
                        self.word = None;
                    }
                    self.end_word();
                    self.drop_next = true;
                }
                other => self.text(other.encode_utf8(&mut [0; 4])),
            }
        }
        self.end_command();
    }

    fn take(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn text(&mut self, text: &str) {
        // An empty quotation still makes a word.
        self.word.get_or_insert_with(Word::default).push_text(text);
    }

    fn double_quoted(&mut self) {
        self.text("");
        while let Some(c) = self.take() {
            match c {
                '"' => return,
                '$' => self.expansion(),
                '\\' => match self.take() {
                    Some(c @ ('$' | '`' | '"' | '\\')) => self.text(c.encode_utf8(&mut [0; 4])),
                    Some('\n') | None => {}
                    Some(c) => {
                        self.text("\\");
                        self.text(c.encode_utf8(&mut [0; 4]));
                    }
                },
                other => self.text(other.encode_utf8(&mut [0; 4])),
            }
        }
    }

    /// After a `$`.
    fn expansion(&mut self) {
        let with_sign = format!("${}", self.rest);
        match variable(&with_sign) {
            Some((piece, used)) => {
                self.word.get_or_insert_with(Word::default).0.push(piece);
                self.rest = &self.rest[used - 1..];
            }
            None if self.rest.starts_with('(') => {
                // The result of a command is not known; its text stands in for it.
                let end = self.rest.find(')').map_or(self.rest.len(), |at| at + 1);
                let (inside, after) = self.rest.split_at(end);
                self.rest = after;
                self.text("$");
                self.text(inside);
            }
            None => self.text("$"),
        }
    }

    fn end_word(&mut self) {
        if let Some(word) = self.word.take() {
            if self.drop_next {
                self.drop_next = false;
            } else {
                self.words.push(word);
            }
        }
    }

    fn end_command(&mut self) {
        self.end_word();
        self.drop_next = false;
        if !self.words.is_empty() {
            self.commands.push(std::mem::take(&mut self.words));
        }
    }
}

/// The variable at the start of a text that begins with `$`, and the length of its spelling in bytes.
fn variable(text: &str) -> Option<(Piece, usize)> {
    let after = text.strip_prefix('$')?;
    let name_length = |s: &str| {
        let digits_first = s.starts_with(|c: char| c.is_ascii_digit());
        if digits_first {
            0
        } else {
            s.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count()
        }
    };
    if let Some(braced) = after.strip_prefix('{') {
        let length = name_length(braced);
        let (name, rest) = braced.split_at(length);
        if name.is_empty() {
            return None;
        }
        let end = closing_brace(rest)?;
        let operator = &rest[..end];
        let default =
            [":-", ":=", "-", "="].iter().find_map(|sign| operator.strip_prefix(sign)).map(str::to_owned);
        if default.is_none() && !operator.is_empty() && !operator.starts_with([':', '?', '+', '#', '%', '/'])
        {
            return None;
        }
        return Some((Piece::Variable { name: name.to_owned(), default }, 2 + length + end + 1));
    }
    let length = name_length(after);
    (length > 0).then(|| (Piece::Variable { name: after[..length].to_owned(), default: None }, 1 + length))
}

fn closing_brace(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words of all commands in script spelling, commands apart with `|`.
    fn check(script: &str, expected: &str) {
        let shown: Vec<String> = commands(script)
            .iter()
            .map(|words| words.iter().map(Word::script).collect::<Vec<_>>().join("~"))
            .collect();
        assert_eq!(shown.join(" | "), expected, "{script}");
    }

    #[test]
    fn quotes_escapes_and_lists() {
        check("a 'b c' \"d e\" f\\ g", "a~b c~d e~f g");
        check("cd x && exec y --z=1; w || v | u &", "cd~x | exec~y~--z=1 | w | v | u");
        check("a >log 2>&1 b # comment\nc", "a~b | c");
        check("a ''", "a~");
        check("a \\\n b", "a~b");
    }

    #[test]
    fn variables_with_and_without_defaults() {
        check("a $PORT ${PORT} x:${PORT:-5000} \"${W-2}\"", "a~${PORT}~${PORT}~x:${PORT:-5000}~${W:-2}");
        check("a '$PORT' $ $1", "a~$PORT~$~$1");
        let words = &commands("a '$PORT' $PORT")[0];
        assert_eq!(words[1].plain(), Some("$PORT"));
        assert_eq!(words[2].plain(), None);
        check("a $(nproc --all) b", "a~$(nproc --all)~b");
        assert_eq!(Word::from_argument("0.0.0.0:${PORT:-5000}").0.len(), 2);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(script in "[ -~\n$\u{e9}]{0,200}") {
            let _ = commands(&script);
            let _ = Word::from_argument(&script);
        }
    }
}
