//! Lines of a bounded width, in colour or without.

use anstyle::{AnsiColor, Style as Ansi};

use crate::Style;
use crate::text::{clean, clean_block, columns, wrap_hanging};

/// What a piece of text is, and so how it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    Plain,
    Strong,
    Faint,
    Good,
    Warn,
    Bad,
    Open,
    Command,
}

impl Ink {
    fn ansi(self) -> Ansi {
        let plain = Ansi::new();
        match self {
            Self::Plain => plain,
            Self::Strong => plain.bold(),
            Self::Faint => plain.dimmed(),
            Self::Good => plain.bold().fg_color(Some(AnsiColor::Green.into())),
            Self::Warn => plain.bold().fg_color(Some(AnsiColor::Yellow.into())),
            Self::Bad => plain.bold().fg_color(Some(AnsiColor::Red.into())),
            Self::Open => plain.bold().fg_color(Some(AnsiColor::Magenta.into())),
            Self::Command => plain.fg_color(Some(AnsiColor::Cyan.into())),
        }
    }
}

/// A piece of a line. Its text has passed [`clean`].
pub(super) struct Span {
    ink: Ink,
    text: String,
}

/// A piece of a line.
pub(super) fn span(ink: Ink, text: impl AsRef<str>) -> Span {
    Span { ink, text: clean(text.as_ref()).into_owned() }
}

/// The page as it grows.
pub(super) struct Page {
    out: String,
    width: usize,
    color: bool,
}

impl Page {
    pub(super) fn new(style: &Style) -> Self {
        // Under 40 columns nothing reads well; over 100 the eye loses the line.
        Self { out: String::new(), width: style.width.clamp(40, 100), color: style.color }
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn finish(self) -> String {
        self.out
    }

    /// One line. Its pieces must fit; use [`Page::text`] for what may not.
    pub(super) fn line(&mut self, spans: &[Span]) {
        let last = spans.iter().rposition(|s| !s.text.trim_end().is_empty());
        for (i, span) in spans.iter().enumerate().take(last.map_or(0, |l| l + 1)) {
            // Spaces at the end of a line only make trouble when it is copied.
            let text = if Some(i) == last { span.text.trim_end() } else { span.text.as_str() };
            if self.color && span.ink != Ink::Plain && !text.is_empty() {
                let ansi = span.ink.ansi();
                self.out.push_str(&format!("{ansi}{text}{ansi:#}"));
            } else {
                self.out.push_str(text);
            }
        }
        self.out.push('\n');
    }

    pub(super) fn blank(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// A section's heading, with a blank line before it.
    pub(super) fn heading(&mut self, title: &str, note: &str) {
        self.blank();
        if note.is_empty() {
            self.line(&[span(Ink::Strong, title)]);
        } else {
            let room = self.width.saturating_sub(columns(title) + 2);
            let mut lines = wrap_hanging(note, room, self.width - 2).into_iter();
            let first = lines.next().unwrap_or_default();
            self.line(&[span(Ink::Strong, title), span(Ink::Plain, "  "), span(Ink::Plain, first)]);
            for line in lines {
                self.line(&[span(Ink::Plain, "  "), span(Ink::Plain, line)]);
            }
        }
    }

    /// Wrapped text behind an indent.
    pub(super) fn text(&mut self, indent: usize, ink: Ink, text: &str) {
        self.item(indent, &[], ink, text);
    }

    /// A label, then wrapped text that hangs behind it.
    pub(super) fn item(&mut self, indent: usize, label: &[(Ink, &str)], ink: Ink, text: &str) {
        let label_width: usize = label.iter().map(|(_, text)| columns(&clean(text))).sum();
        // A label that leaves no room for the text stands on a line of its own.
        let hang = indent + label_width;
        let narrow = hang + 16 > self.width;
        let hang = if narrow { indent + 2 } else { hang };
        let mut start = vec![span(Ink::Plain, " ".repeat(indent))];
        start.extend(label.iter().map(|(ink, text)| span(*ink, text)));
        if narrow {
            let whole: String = label.iter().map(|(_, text)| *text).collect();
            for line in wrap_hanging(&whole, self.width - indent, self.width - indent) {
                self.line(&[span(Ink::Plain, " ".repeat(indent)), span(Ink::Strong, line)]);
            }
            start = vec![span(Ink::Plain, " ".repeat(hang))];
        }
        for line in wrap_hanging(text, self.width - hang, self.width - hang) {
            start.push(span(ink, line));
            self.line(&start);
            start = vec![span(Ink::Plain, " ".repeat(hang))];
        }
    }

    /// A command to paste: never wrapped, so that it stays whole in the clipboard.
    pub(super) fn command(&mut self, indent: usize, command: &str) {
        let command = clean_block(command.strip_prefix("$ ").unwrap_or(command)).into_owned();
        for (i, line) in command.trim_end().lines().enumerate() {
            let prompt = if i == 0 { "$ " } else { "  " };
            self.line(&[
                span(Ink::Plain, " ".repeat(indent)),
                span(Ink::Faint, prompt),
                span(Ink::Command, line),
            ]);
        }
    }
}
