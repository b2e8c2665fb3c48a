//! Ignore rules, evaluated on paths without a daemon: which file leaves which path out of an image or upload.
//!
//! Two dialects. `.dockerignore` anchors every pattern at the root of the context and knows `**` and `!`
//! (docs.docker.com/build/concepts/context/#dockerignore-files). The others are those of git (git-scm.com/docs/gitignore):
//! a pattern without a slash holds at any depth. In both the last rule that matches decides.

use regex::Regex;

use super::text;
use crate::tree::Tree;

/// Rules of one file; more are generated.
const MAX_RULES: usize = 500;

/// One ignore file.
#[derive(Debug)]
pub(super) struct Ignore {
    pub(super) file: &'static str,
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    line: usize,
    written: String,
    except: bool,
    pattern: Regex,
}

/// The ignore files of a project that decide what reaches an image or a platform.
pub(super) fn read(tree: &Tree, by_docker: bool, under_git: bool) -> Vec<Ignore> {
    let mut all = Vec::new();
    let files: [(&'static str, bool, bool); 6] = [
        (".dockerignore", true, by_docker),
        (".gitignore", false, !under_git),
        (".slugignore", false, true),
        (".vercelignore", false, true),
        (".gcloudignore", false, true),
        (".railwayignore", false, true),
    ];
    for (file, docker, counts) in files {
        if let Some(text) = text(tree, file).filter(|_| counts) {
            all.push(Ignore { file, rules: rules(&text, docker) });
        }
    }
    all
}

fn rules(text: &str, docker: bool) -> Vec<Rule> {
    text.lines()
        .enumerate()
        .filter_map(|(number, line)| {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                return None;
            }
            let (except, written) = match line.strip_prefix('!') {
                Some(rest) => (true, rest.trim()),
                None => (false, line),
            };
            let pattern = compile(written, docker)?;
            Some(Rule { line: number + 1, written: line.to_owned(), except, pattern })
        })
        .take(MAX_RULES)
        .collect()
}

/// The pattern over a whole path; what lies below a folder that matches is left out with it.
fn compile(written: &str, docker: bool) -> Option<Regex> {
    let folder_only = written.ends_with('/');
    let trimmed = written.trim_start_matches("./").trim_matches('/');
    if trimmed.is_empty() {
        return None;
    }
    let anchored = docker || written.trim_end_matches('/').contains('/');
    let mut out = String::from("^");
    if !anchored {
        out.push_str("(?:.*/)?");
    }
    let mut chars = trimmed.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' if chars.peek() == Some(&'*') => {
                chars.next();
                if chars.peek() == Some(&'/') {
                    chars.next();
                    out.push_str("(?:.*/)?");
                } else {
                    out.push_str(".*");
                }
            }
            '*' => out.push_str("[^/]*"),
            '?' => out.push_str("[^/]"),
            '[' => {
                let set: String = chars.by_ref().take_while(|c| *c != ']').collect();
                let set = set.replace('\\', "").replace('[', "\\[").replace("&&", "&");
                let set = set.strip_prefix('!').map_or(set.clone(), |rest| format!("^{rest}"));
                if set.is_empty() || set == "^" {
                    return None;
                }
                out.push_str(&format!("[{set}]"));
            }
            '\\' => {
                if let Some(next) = chars.next() {
                    out.push_str(&regex::escape(&next.to_string()));
                }
            }
            c => out.push_str(&regex::escape(&c.to_string())),
        }
    }
    // A file is asked for, so a rule for folders only holds for what lies below it.
    out.push_str(if folder_only && !docker { "/.*$" } else { "(?:/.*)?$" });
    Regex::new(&out).ok()
}

impl Ignore {
    /// The rule that leaves a file out: its place, and the rule as written.
    pub(super) fn excludes(&self, path: &str) -> Option<(String, &str)> {
        let rule = self.rules.iter().rev().find(|rule| rule.pattern.is_match(path))?;
        (!rule.except).then(|| (format!("{}:{}", self.file, rule.line), rule.written.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excluded(text: &str, docker: bool, path: &str) -> bool {
        Ignore { file: ".x", rules: rules(text, docker) }.excludes(path).is_some()
    }

    #[test]
    fn the_two_dialects() {
        for (text, docker, path, want) in [
            ("data", true, "data/a.json", true),
            ("data", true, "src/data/a.json", false),
            ("data", false, "src/data/a.json", true),
            ("**/data", true, "src/data/a.json", true),
            ("*.json", true, "a.json", true),
            ("*.json", true, "b/a.json", false),
            ("*.json", false, "b/a.json", true),
            ("*\n!keep.txt", true, "keep.txt", false),
            ("*\n!src", true, "src/a.py", false),
            ("*\n!src", true, "other/a.py", true),
            ("/build/", false, "build/x", true),
            ("build/", false, "build", false),
            ("config/*.yml", false, "config/a.yml", true),
            ("config/*.yml", false, "x/config/a.yml", false),
            ("# c\n\n", false, "c", false),
            ("a[bc].txt", false, "ab.txt", true),
            ("a[!b].txt", false, "ab.txt", false),
            ("[", false, "[", false),
        ] {
            assert_eq!(excluded(text, docker, path), want, "{text:?} {path}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_rule_compiles_or_is_left_out(text in "(?s).{0,80}") {
            let _ = excluded(&text, true, "a/b.txt");
            let _ = excluded(&text, false, "a/b.txt");
        }
    }
}
