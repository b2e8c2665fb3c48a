//! Runtime versions that the files ask for, against each other and against what the code needs.

use std::sync::LazyLock;

use landfall_evidence::SignWord;
use regex::Regex;

use super::plan::Plan;
use super::{Found, Read, place, regex, text};
use crate::source::Language;
use crate::tree::Tree;
use crate::words::{Pattern, words};
use crate::yaml::{Node, documents};

/// One file's wish.
#[derive(Debug, Clone)]
struct Wish {
    place: String,
    /// As written: `3.11`, `>=18`, `20.x`.
    wanted: String,
}

pub(super) fn read(read: &Read<'_>, plans: &[Plan], found: &mut Found) {
    for (language, name, kind) in [
        ("python", "Python", Language::Python),
        ("node", "Node.js", Language::JavaScript),
        ("php", "PHP", Language::Php),
    ] {
        if read.sources.iter().all(|s| s.language != kind) {
            continue;
        }
        let wishes = wishes(read.tree, plans, language);
        disagreement(name, language, &wishes, found);
        // Composer's requirement is PHP's usual way to say it, and a range.
        let by_range = language == "php";
        if !by_range && wishes.iter().all(|w| exact(&w.wanted, language).is_none()) {
            found.add(SignWord::RuntimeUnpinned, "", format!("no file names one version of {name}"));
        }
        needs(read, language, name, &wishes, found);
    }
}

fn first_line(tree: &Tree, path: &str) -> Option<Wish> {
    let text = text(tree, path)?;
    let line = text.lines().map(str::trim).find(|l| !l.is_empty() && !l.starts_with('#'))?;
    let wanted = line.trim_start_matches("python-").trim_start_matches('v').to_owned();
    Some(Wish { place: format!("{path}:1"), wanted })
}

fn wishes(tree: &Tree, plans: &[Plan], language: &str) -> Vec<Wish> {
    static REQUIRES: LazyLock<Regex> = LazyLock::new(|| {
        regex(r#"(?m)^\s*(?:requires-python|python|python_version|python_full_version)\s*=\s*"([^"]+)""#)
    });
    static ENGINE: LazyLock<Regex> =
        LazyLock::new(|| regex(r#""engines"\s*:\s*\{[^}]*"node"\s*:\s*"([^"]+)""#));
    // What Composer itself asks of the runtime, and not `config.platform`, which stands in for one.
    static COMPOSER: LazyLock<Regex> =
        LazyLock::new(|| regex(r#""require"\s*:\s*\{[^}]*"php"\s*:\s*"([^"]+)""#));
    static MODULE: LazyLock<Regex> = LazyLock::new(|| regex(r#""(python|nodejs)-([0-9.]+)"#));
    let mut all = Vec::new();
    let files: &[&str] = match language {
        "python" => &[".python-version", "runtime.txt"],
        "php" => &[".php-version"],
        _ => &[".nvmrc", ".node-version"],
    };
    all.extend(files.iter().filter_map(|path| first_line(tree, path)));
    if let Some(tools) = text(tree, ".tool-versions") {
        let tool = match language {
            "node" => "nodejs ".to_owned(),
            other => format!("{other} "),
        };
        for (n, line) in tools.lines().enumerate() {
            if let Some(version) = line.strip_prefix(&tool) {
                let wanted = version.split_whitespace().next().unwrap_or_default().to_owned();
                all.push(Wish { place: format!(".tool-versions:{}", n + 1), wanted });
            }
        }
    }
    let mut by_pattern = |file: &str, pattern: &Regex, group: usize| {
        if let Some(text) = text(tree, file) {
            for c in pattern.captures_iter(&text) {
                if let Some(m) = c.get(group) {
                    all.push(Wish { place: place(file, &text, m.start()), wanted: m.as_str().to_owned() });
                }
            }
        }
    };
    if language == "python" {
        by_pattern("pyproject.toml", &REQUIRES, 1);
        by_pattern("Pipfile", &REQUIRES, 1);
    } else if language == "php" {
        by_pattern("composer.json", &COMPOSER, 1);
    } else {
        by_pattern("package.json", &ENGINE, 1);
    }
    if let Some(replit) = text(tree, ".replit") {
        let name = if language == "python" { "python" } else { "nodejs" };
        for c in MODULE.captures_iter(&replit).filter(|c| &c[1] == name) {
            if let Some(m) = c.get(2) {
                all.push(Wish { place: place(".replit", &replit, m.start()), wanted: m.as_str().to_owned() });
            }
        }
    }
    if let Some((image, at)) = super::images::base(tree) {
        let image = image.rsplit('/').next().unwrap_or_default().to_owned();
        if let Some(tag) = image.strip_prefix(&format!("{language}:")) {
            let wanted: String = tag.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
            if !wanted.is_empty() {
                all.push(Wish { place: at, wanted });
            }
        }
    }
    let variable = format!("{}_VERSION", language.to_ascii_uppercase());
    for plan in plans {
        if let Some(version) = plan.env.get(&variable).filter(|v| v.starts_with(|c: char| c.is_ascii_digit()))
        {
            all.push(Wish { place: plan.file.clone(), wanted: version.clone() });
        }
    }
    let key = format!("{language}-version");
    for plan in plans.iter().filter(|p| p.workflow) {
        let Some(Ok(documents)) = text(tree, &plan.file).map(|t| documents(&t)) else { continue };
        for document in &documents {
            for (_, job) in document.get("jobs").map(Node::entries).unwrap_or_default() {
                for step in job.get("steps").map(Node::items).unwrap_or_default() {
                    // A matrix tests several versions and asks for none.
                    if let Some(node) = step.at(&["with", &key])
                        && let Some(version) = node.text().filter(|v| !v.contains('$'))
                    {
                        all.push(Wish {
                            place: format!("{}:{}", plan.file, node.line),
                            wanted: version.to_owned(),
                        });
                    }
                }
            }
        }
    }
    all
}

/// The parts of a version that a runtime is told by: one for Node, two for the others.
fn parts(text: &str) -> Vec<u64> {
    text.trim()
        .trim_start_matches(['v', '='])
        .split('.')
        .map_while(|p| {
            let digits: String = p.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        })
        .take(3)
        .collect()
}

/// One version, when the wish is one and not a range.
fn exact(wanted: &str, language: &str) -> Option<Vec<u64>> {
    let range = wanted.contains(['<', '>', '^', '~', '|', '*', ',', ' ']) || wanted.ends_with("-");
    let mut parts = parts(wanted.trim_end_matches(".x"));
    let told_by = if language == "node" { 1 } else { 2 };
    parts.truncate(told_by);
    (!range && parts.len() == told_by).then_some(parts)
}

/// Whether a version satisfies a requirement in the notations of pip, Poetry and npm; `None` when it is not understood.
pub(super) fn satisfies(version: &str, requirement: &str) -> Option<bool> {
    let have = parts(version);
    if have.is_empty() {
        return None;
    }
    let requirement = requirement.trim();
    if requirement.is_empty() || requirement == "*" {
        return Some(true);
    }
    if requirement.contains("||") {
        let any: Vec<Option<bool>> = requirement.split("||").map(|part| satisfies(version, part)).collect();
        return if any.contains(&Some(true)) {
            Some(true)
        } else if any.contains(&None) {
            None
        } else {
            Some(false)
        };
    }
    let spaced = requirement.replace(',', " ");
    // `>= 3.11` is one clause though a space stands in it.
    let joined = [">=", "<=", "==", "!=", "~=", ">", "<", "^", "~", "="]
        .iter()
        .fold(spaced, |text, op| text.replace(&format!("{op} "), op));
    let mut all = true;
    for clause in joined.split_whitespace() {
        let operator: String = clause.chars().take_while(|c| "<>=!~^".contains(*c)).collect();
        let rest = &clause[operator.len()..];
        let wild = rest.ends_with(".*") || rest.ends_with(".x");
        let want = parts(rest.trim_end_matches(".*").trim_end_matches(".x"));
        if want.is_empty() {
            return None;
        }
        let cut: Vec<u64> = have.iter().copied().take(want.len()).collect();
        // What the version leaves unsaid can be anything: `3.11` satisfies `>=3.11.4` as far as it is known.
        let known: Vec<u64> = want.iter().copied().take(have.len()).collect();
        let upper = |keep: usize| {
            let mut up: Vec<u64> = want.iter().copied().take(keep).collect();
            if let Some(last) = up.last_mut() {
                *last += 1;
            }
            up
        };
        all &= match operator.as_str() {
            "" if !wild && want.len() >= 3 => cut == want,
            "" | "=" | "==" | "===" => cut == known,
            "!=" => wild || cut != want || have.len() < want.len(),
            ">=" => cut >= known,
            ">" => {
                cut > want
                    || (have.len() > want.len() && cut >= want)
                    || (have.len() < want.len() && cut >= known)
            }
            "<=" => cut <= want,
            "<" => cut < want || (cut == known && have.len() < want.len()),
            "~=" => cut >= known && have < upper(want.len().saturating_sub(1).max(1)),
            "~" => cut >= known && have < upper(want.len().min(2)),
            "^" => {
                let first = want.iter().position(|n| *n != 0).map_or(want.len(), |at| at + 1);
                cut >= known && have < upper(first)
            }
            _ => return None,
        };
    }
    Some(all)
}

fn disagreement(name: &str, language: &str, wishes: &[Wish], found: &mut Found) {
    let Some((first, wanted)) = wishes.iter().find_map(|w| Some((w, exact(&w.wanted, language)?))) else {
        return;
    };
    let shown = |parts: &[u64]| parts.iter().map(u64::to_string).collect::<Vec<_>>().join(".");
    for other in wishes.iter().filter(|w| w.place != first.place) {
        let differs = match exact(&other.wanted, language) {
            Some(version) => version != wanted,
            None => satisfies(&shown(&wanted), &other.wanted) == Some(false),
        };
        if differs {
            let detail =
                format!("{name} {} in {}, {} in {}", first.wanted, first.place, other.wanted, other.place);
            found.add(SignWord::RuntimesDisagree, other.place.as_str(), detail);
        }
    }
}

/// Forms of the language, by the first version that has them, and modules by the version that dropped them.
/// Sources: docs.python.org/3/whatsnew, nodejs.org/api (history tables).
fn needs(read: &Read<'_>, language: &str, name: &str, wishes: &[Wish], found: &mut Found) {
    /// The language, the form, the first version that has it, and what it is called.
    type Form = (&'static str, Pattern, Vec<u64>, &'static str);
    static FORMS: LazyLock<Vec<Form>> = LazyLock::new(|| {
        let form = |language, words, pattern: &str, version: &[u64], what| {
            (language, Pattern::new(words, pattern), version.to_vec(), what)
        };
        vec![
            form(
                "python",
                words!["match"],
                r"(?m)^[ \t]*match[ \t]+[^\n=]+:[ \t]*\n[ \t]+case[ \t]",
                &[3, 10],
                "match statements",
            ),
            form("python", words!["except*"], r"(?m)^[ \t]*except\*", &[3, 11], "except*"),
            form("python", words!["tomllib"], r"(?m)^[ \t]*import[ \t]+tomllib\b", &[3, 11], "tomllib"),
            form(
                "python",
                words!["StrEnum"],
                r"\bfrom[ \t]+enum[ \t]+import[^\n]*\bStrEnum\b|\benum\.StrEnum\b",
                &[3, 11],
                "StrEnum",
            ),
            form(
                "python",
                words!["Self"],
                r"\bfrom[ \t]+typing[ \t]+import[^\n]*\bSelf\b",
                &[3, 11],
                "typing.Self",
            ),
            form(
                "python",
                words!["UTC"],
                r"\bfrom[ \t]+datetime[ \t]+import[^\n]*\bUTC\b|\bdatetime\.UTC\b",
                &[3, 11],
                "datetime.UTC",
            ),
            form("python", words!["TaskGroup"], r"\basyncio\.TaskGroup\b", &[3, 11], "asyncio.TaskGroup"),
            form(
                "python",
                words!["type"],
                r"(?m)^[ \t]*type[ \t]+\w+(?:\[[^\]\n]*\])?[ \t]*=[ \t]",
                &[3, 12],
                "type statements",
            ),
            form(
                "python",
                words!["def", "class"],
                r"(?m)^[ \t]*(?:async[ \t]+)?def[ \t]+\w+\[[^\]\n]+\][ \t]*\(|^[ \t]*class[ \t]+\w+\[[^\]\n]+\]",
                &[3, 12],
                "type parameters",
            ),
            form(
                "python",
                words!["batched"],
                r"\bitertools\.batched\b|\bfrom[ \t]+itertools[ \t]+import[^\n]*\bbatched\b",
                &[3, 12],
                "itertools.batched",
            ),
            form(
                "python",
                words!["override"],
                r"\bfrom[ \t]+typing[ \t]+import[^\n]*\boverride\b",
                &[3, 12],
                "typing.override",
            ),
            form(
                "python",
                words!["deprecated"],
                r"\bfrom[ \t]+warnings[ \t]+import[^\n]*\bdeprecated\b",
                &[3, 13],
                "warnings.deprecated",
            ),
            form(
                "python",
                words!["zoneinfo"],
                r"(?m)^[ \t]*(?:import|from)[ \t]+zoneinfo\b",
                &[3, 9],
                "zoneinfo",
            ),
            form(
                "node",
                words![".toSorted", ".toReversed", ".toSpliced"],
                r"\.toSorted\(|\.toReversed\(|\.toSpliced\(",
                &[20],
                "Array.prototype.toSorted",
            ),
            form("node", words!["groupBy"], r"\bObject\.groupBy\(", &[21], "Object.groupBy"),
            form(
                "node",
                words!["withResolvers"],
                r"\bPromise\.withResolvers\(",
                &[22],
                "Promise.withResolvers",
            ),
            form("node", words!["structuredClone"], r"\bstructuredClone\(", &[17], "structuredClone"),
            form(
                "node",
                words!["node:sqlite"],
                r#"from\s+["']node:sqlite["']|require\(["']node:sqlite["']\)"#,
                &[22],
                "node:sqlite",
            ),
        ]
    });
    static DROPPED: LazyLock<Vec<(Pattern, Vec<u64>, &'static str)>> = LazyLock::new(|| {
        vec![
            (
                Pattern::new(
                    words!["distutils", "imp", "asyncore", "asynchat", "smtpd"],
                    r"(?m)^[ \t]*(?:import|from)[ \t]+(?:distutils|imp|asyncore|asynchat|smtpd)\b",
                ),
                vec![3, 12],
                "a module that 3.12 removed",
            ),
            (
                Pattern::new(
                    words!["import", "from"],
                    r"(?m)^[ \t]*(?:import|from)[ \t]+(?:cgi|cgitb|telnetlib|crypt|imghdr|nntplib|pipes|sndhdr|uu|xdrlib|audioop)\b",
                ),
                vec![3, 13],
                "a module that 3.13 removed",
            ),
            (
                Pattern::new(
                    words!["collections"],
                    r"\bcollections\.(?:Mapping|MutableMapping|Iterable|Callable|Sequence)\b",
                ),
                vec![3, 10],
                "names that 3.10 removed from collections",
            ),
        ]
    });
    let shown = |parts: &[u64]| parts.iter().map(u64::to_string).collect::<Vec<_>>().join(".");
    let asked: Vec<(&Wish, Vec<u64>)> =
        wishes.iter().filter_map(|w| Some((w, exact(&w.wanted, language)?))).collect();
    // What the code needs says nothing where no file asks for one version.
    if asked.is_empty() {
        return;
    }
    let kind = if language == "python" { Language::Python } else { Language::JavaScript };
    for source in read.sources.iter().filter(|s| s.language == kind) {
        for (_, pattern, version, what) in FORMS.iter().filter(|(l, ..)| *l == language) {
            let Some(at) = pattern.find(source) else { continue };
            for (wish, _) in asked.iter().filter(|(_, have)| have < version) {
                let detail =
                    format!("{name} {} in {}; {what} need {}", wish.wanted, wish.place, shown(version));
                found.add(SignWord::RuntimeTooOld, source.place(at.start()), detail);
            }
        }
        for (pattern, version, what) in DROPPED.iter().filter(|_| language == "python") {
            let Some(at) = pattern.find(source) else { continue };
            for (wish, _) in asked.iter().filter(|(_, have)| have >= version) {
                let detail = format!("{name} {} in {}; the code uses {what}", wish.wanted, wish.place);
                found.add(SignWord::RuntimeTooNew, source.place(at.start()), detail);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{has, lacks};
    use super::satisfies;

    #[test]
    fn requirements_in_their_notations() {
        for (version, requirement, want) in [
            ("3.11", ">=3.10", Some(true)),
            ("3.9", ">=3.10,<4", Some(false)),
            ("3.11", "^3.9", Some(true)),
            ("4.0", "^3.9", Some(false)),
            ("20", ">=18 <21", Some(true)),
            ("22", ">=18 <21", Some(false)),
            ("18", "20.x", Some(false)),
            ("20.1.0", "20.x", Some(true)),
            ("16", "18 || 20", Some(false)),
            ("3.0.3", "~=3.0", Some(true)),
            ("2.0.0", "^3.0", Some(false)),
            ("0.5.1", "^0.4", Some(false)),
            ("0.4.9", "^0.4", Some(true)),
            ("1.2.9", "~1.2.3", Some(true)),
            ("1.3.0", "~1.2.3", Some(false)),
            ("3.11", ">=3.11.4", Some(true)),
            ("1.0", "git", None),
            ("1.4.0", ">= 1.4", Some(true)),
        ] {
            assert_eq!(satisfies(version, requirement), want, "{version} {requirement}");
        }
    }

    #[test]
    fn an_image_of_php_that_composer_would_not_take() {
        let composer = ("composer.json", "{\"require\": {\"php\": \"^8.3\", \"slim/slim\": \"4.14.0\"}}\n");
        let code = ("public/index.php", "<?php\n$app->run();\n");
        let image = |tag: &str| format!("FROM php:{tag}-apache\nCOPY . .\n");
        has(&[composer, code, ("Dockerfile", &image("8.1"))], "runtimes-disagree ");
        lacks(&[composer, code, ("Dockerfile", &image("8.3"))], "runtimes-disagree");
        lacks(&[composer, code, ("Dockerfile", &image("8.4"))], "runtimes-disagree");
    }

    #[test]
    fn files_that_disagree() {
        let app = ("app.py", "x = 1\n");
        has(
            &[app, ("runtime.txt", "python-3.9.18\n"), (".python-version", "3.11\n")],
            "runtimes-disagree Python 3.11 in .python-version:1, 3.9.18",
        );
        has(
            &[
                app,
                ("Dockerfile", "FROM python:3.9-slim\n"),
                ("pyproject.toml", "[project]\nname = \"a\"\nrequires-python = \">=3.11\"\n"),
            ],
            "runtimes-disagree",
        );
        lacks(
            &[
                app,
                ("Dockerfile", "FROM python:3.11-slim\n"),
                ("pyproject.toml", "[project]\nname = \"a\"\nrequires-python = \">=3.11\"\n"),
            ],
            "runtimes-disagree",
        );
        has(&[app], "runtime-unpinned");
        has(
            &[("s.js", ""), ("package.json", "{\"engines\": {\"node\": \">=20\"}}"), (".nvmrc", "v18\n")],
            "runtimes-disagree Node.js 18 in .nvmrc:1, >=20",
        );
    }

    #[test]
    fn code_that_is_newer_than_the_runtime() {
        let code = "def f(x):\n    match x:\n        case 1:\n            return 2\n";
        has(
            &[("app.py", code), ("runtime.txt", "python-3.9.1\n")],
            "runtime-too-old Python 3.9.1 in runtime.txt:1; match statements need 3.10",
        );
        lacks(&[("app.py", code), ("runtime.txt", "python-3.11.1\n")], "runtime-too-old");
        has(&[("app.py", "import distutils\n"), ("runtime.txt", "python-3.12.1\n")], "runtime-too-new");
    }
}
