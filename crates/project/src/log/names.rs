//! A name that a program asks for, against the names that a listing in the same log has.
//!
//! People paste `git ls-files` below the error, because it shows what the error does not: that the file is there under a
//! name in other letters. A file system that tells capital and small letters apart has no such file. Only a whole tail of
//! a path counts, and only where no listed name is the one that was asked for.

use std::sync::LazyLock;

use regex::Regex;

/// Names kept of a listing.
const LISTED: usize = 2000;
/// Names kept that are asked for; each is held against every listed one.
const ASKED: usize = 64;
/// Bytes of a name.
const NAME_BYTE: usize = 200;

struct Patterns {
    command: Regex,
    asked: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let one = |pattern: &str| Regex::new(pattern).expect("a constant pattern, covered by the tests");
    Patterns {
        command: one(r"(?:^|[$#>%] ?)(?:git ls-files\b|git ls-tree .*--name-only|find \.?\S*)"),
        asked: one(
            r#"(?:[Cc]annot find (?:module|package)|(?:Can't|Cannot|Could not|Unable to) resolve(?: path to module)?|[Nn]o module named|[Nn]o such file or directory,? (?:open|stat|scandir)|[Nn]o such file or directory:) ['"`]([^'"`]{2,200})['"`]"#,
        ),
    }
});

/// What was asked for and what is there, as the log has told so far.
#[derive(Debug, Default)]
pub(super) struct Names {
    open: bool,
    asked: Vec<String>,
    listed: Vec<(u64, String)>,
}

impl Names {
    /// Takes a line in; whether it is one of a listing and says nothing else.
    pub(super) fn line(&mut self, number: u64, line: &str) -> bool {
        if PATTERNS.command.is_match(line) {
            self.open = true;
            return false;
        }
        let name = line.trim();
        let is_name = !name.is_empty()
            && name.len() <= NAME_BYTE
            && name.contains(['/', '.'])
            && !name.contains(|c: char| c.is_whitespace() || "'\"`:;(){}<>|".contains(c));
        if self.open && is_name {
            if self.listed.len() < LISTED {
                self.listed.push((number, name.trim_start_matches("./").to_owned()));
            }
            return true;
        }
        self.open = false;
        if let Some(asked) = PATTERNS.asked.captures(line)
            && self.asked.len() < ASKED
            && self.asked.iter().all(|before| *before != asked[1])
        {
            self.asked.push(asked[1].to_owned());
        }
        false
    }

    /// What is there under a name in other letters than it is asked for: the line of the listing, the name there, the
    /// name asked for.
    pub(super) fn in_other_letters(&self) -> Vec<(u64, &str, &str)> {
        let mut found = Vec::new();
        for asked in &self.asked {
            let want = tail(asked);
            if want.is_empty() || self.listed.iter().any(|(_, path)| ends(path, &want, str::eq)) {
                continue;
            }
            let other = self.listed.iter().find(|(_, path)| ends(path, &want, str::eq_ignore_ascii_case));
            found.extend(other.map(|(line, path)| (*line, path.as_str(), asked.as_str())));
        }
        found
    }
}

/// The folders and the file of a name as a program writes it: without the steps up, the alias of the source's root, and the
/// place where production keeps the project.
fn tail(asked: &str) -> Vec<String> {
    let dotted = !asked.contains('/') && !asked.starts_with('.');
    let parts = asked.trim_start_matches("/app/").split(if dotted { '.' } else { '/' });
    parts.filter(|part| !["", ".", "..", "@", "~"].contains(part)).map(str::to_owned).collect()
}

/// Whether a path ends in these parts, the last one with or without its extension, or as the folder of an index.
fn ends(path: &str, want: &[String], same: fn(&str, &str) -> bool) -> bool {
    let bare = |name: &str| name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned();
    let parts: Vec<&str> = path.split('/').collect();
    let matches = |parts: &[&str]| {
        let Some(from) = parts.len().checked_sub(want.len()) else { return false };
        let Some((last, folders)) = want.split_last() else { return false };
        let here = &parts[from..];
        let file = here[here.len() - 1];
        here.iter().zip(folders).all(|(part, want)| same(part, want))
            && (same(file, last) || same(&bare(file), last))
    };
    let is_index = parts.last().is_some_and(|file| ["index", "__init__"].contains(&bare(file).as_str()));
    matches(&parts) || (is_index && matches(&parts[..parts.len() - 1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(log: &str) -> Vec<String> {
        let mut names = Names::default();
        for (at, line) in log.lines().enumerate() {
            names.line(at as u64 + 1, line);
        }
        names.in_other_letters().iter().map(|(at, there, asked)| format!("{at} {there} {asked}")).collect()
    }

    #[test]
    fn a_listed_name_in_other_letters_is_found_and_the_name_itself_is_not() {
        for (log, want) in [
            (
                "Error: Cannot find module './models/user'\n$ git ls-files | grep -i models/user\nmodels/User.js\n",
                &["3 models/User.js ./models/user"][..],
            ),
            (
                "Module not found: Can't resolve '@/components/OrderTable'\n$ git ls-files src/components\nsrc/components/Header.tsx\nsrc/components/orderTable.tsx\n",
                &["4 src/components/orderTable.tsx @/components/OrderTable"],
            ),
            (
                "a.ts:4:31 - error TS2307: Cannot find module './Orders.service' or its\n$ git ls-files src/orders\nsrc/orders/orders.service.ts\n",
                &["3 src/orders/orders.service.ts ./Orders.service"],
            ),
            (
                "ModuleNotFoundError: No module named 'Shop.models'\n$ find . -name '*.py'\n./shop/models.py\n",
                &["3 shop/models.py Shop.models"],
            ),
            (
                "Cannot find module './Widgets'\n$ git ls-files\nsrc/widgets/index.ts\n",
                &["3 src/widgets/index.ts ./Widgets"],
            ),
            // It is there as it is asked for, beside another one.
            ("Cannot find module './models/user'\n$ git ls-files\nmodels/User.js\nmodels/user.js\n", &[]),
            // Another file of that name in another folder is none.
            ("Cannot find module './models/user'\n$ git ls-files\nviews/User.js\n", &[]),
            // Without a listing nothing is known.
            ("Cannot find module './models/user'\nmodels/User.js\n", &[]),
            ("Cannot find module 'express'\n$ git ls-files\nserver.js\n", &[]),
        ] {
            assert_eq!(found(log), want, "{log}");
        }
    }
}
