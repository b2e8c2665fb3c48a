//! The six formats and the style of the terminal.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// A layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// For a person at a terminal.
    Terminal,
    /// CommonMark with tables, in fourteen sections.
    Markdown,
    /// One self-contained page.
    Html,
    /// The contract `landfall.report/1`.
    Json,
    /// JUnit XML, for the test view of a CI system.
    Junit,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
}

impl Format {
    /// All formats, in the order of the documentation.
    pub const ALL: [Self; 6] =
        [Self::Terminal, Self::Markdown, Self::Html, Self::Json, Self::Junit, Self::Sarif];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Markdown => "markdown",
            Self::Html => "html",
            Self::Json => "json",
            Self::Junit => "junit",
            Self::Sarif => "sarif",
        }
    }

    /// The format that a file name asks for by its extension; `None` when it asks for none.
    pub fn of_path(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "md" | "markdown" => Some(Self::Markdown),
            "html" | "htm" => Some(Self::Html),
            "json" => Some(Self::Json),
            "xml" => Some(Self::Junit),
            "sarif" => Some(Self::Sarif),
            "txt" => Some(Self::Terminal),
            _ => None,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A format name that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no format {given:?}; the formats are terminal, markdown, html, json, junit and sarif")]
pub struct UnknownFormat {
    /// What was given.
    pub given: String,
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = text.trim().to_ascii_lowercase();
        let wanted = if wanted == "md" { "markdown" } else { wanted.as_str() };
        Self::ALL
            .into_iter()
            .find(|f| f.name() == wanted)
            .ok_or_else(|| UnknownFormat { given: text.to_owned() })
    }
}

/// How the terminal layout looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether to write colour codes. Nothing is said by colour alone.
    pub color: bool,
    /// Columns of the terminal. Less than 40 counts as 40.
    pub width: usize,
    /// Whether to show what the first reading can do without: every argument, passed checks, ruled-out causes, proof.
    pub details: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self { color: false, width: 80, details: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_its_format() {
        for format in Format::ALL {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        assert_eq!(" MD ".parse(), Ok(Format::Markdown));
        let error = "yaml".parse::<Format>().expect_err("there is no such format");
        assert!(error.to_string().contains("junit"), "the error names the formats: {error}");
    }

    #[test]
    fn extensions_ask_for_formats() {
        let cases = [
            ("a/report.md", Some(Format::Markdown)),
            ("report.HTML", Some(Format::Html)),
            ("report.json", Some(Format::Json)),
            ("junit.xml", Some(Format::Junit)),
            ("x.sarif", Some(Format::Sarif)),
            ("x.txt", Some(Format::Terminal)),
            ("x.pdf", None),
            ("report", None),
        ];
        for (path, want) in cases {
            assert_eq!(Format::of_path(Path::new(path)), want, "{path}");
        }
    }
}
