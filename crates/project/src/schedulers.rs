//! Schedulers that run inside the application's own processes, their jobs, and whether every worker starts one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use landfall_evidence::Scheduler;
use regex::Regex;

use crate::source::{Language, Source, bracketed, split_top};
use crate::words::{Pattern, words};

struct Patterns {
    made: Pattern,
    job: Pattern,
    start: Pattern,
    beat: Pattern,
    beat_added: Pattern,
    node_cron: Pattern,
    schedule: Pattern,
    def: Regex,
    call: Regex,
    variable: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let compile =
        |pattern: &str| Regex::new(pattern).expect("the patterns are constants and covered by tests");
    Patterns {
        made: Pattern::new(
            words!["Scheduler"],
            r"\b(?:Background|Blocking|AsyncIO|Gevent|Tornado|Twisted|Qt)Scheduler\s*\(|\bAPScheduler\s*\(",
        ),
        job: Pattern::new(
            words![".add_job", ".scheduled_job", ".task"],
            r"\.add_job\s*\(|@\w+(?:\.\w+)*\.(?:scheduled_job|task)\s*\(",
        ),
        start: Pattern::new(words!["sched"], r"\b(\w*sched\w*)\.start\s*\("),
        beat: Pattern::new(
            words!["beat_schedule", "CELERYBEAT"],
            r"\b(?:beat_schedule|CELERY_BEAT_SCHEDULE|CELERYBEAT_SCHEDULE)\s*(?::[^=\n]+)?=\s*(\{)",
        ),
        beat_added: Pattern::new(words![".add_periodic_task"], r"\.add_periodic_task\s*\("),
        node_cron: Pattern::new(
            words!["cron", "schedule"],
            r"\b(?:cron|nodeCron|schedule)\.(?:schedule|scheduleJob)\s*\(|\bnew\s+CronJob\s*\(",
        ),
        schedule: Pattern::new(words!["schedule"], r"\bschedule\.every\s*\("),
        def: compile(r"(?m)^([ \t]*)(?:async[ \t]+)?def[ \t]+(\w+)[ \t]*\("),
        call: compile(r"\b([A-Za-z_]\w*)\s*\("),
        variable: compile(r#"environ(?:\.get)?\s*[\[(]\s*["'](\w+)["']|getenv\s*\(\s*["'](\w+)["']"#),
    }
});

/// Finds the schedulers of a project.
pub(crate) fn read(sources: &[Source]) -> Vec<Scheduler> {
    let p = &*PATTERNS;
    let mut found = Vec::new();
    let python = || sources.iter().filter(|s| s.language == Language::Python);
    found.extend(apscheduler(sources));

    let places = |pattern: &Pattern, of: &dyn Fn(&Source) -> bool| -> Vec<String> {
        sources
            .iter()
            .filter(|s| of(s))
            .flat_map(|s| pattern.find_iter(s).map(|m| s.place(m.start())).collect::<Vec<_>>())
            .collect()
    };
    let mut beat: Option<(String, usize)> = None;
    for source in python() {
        for c in p.beat.captures_iter(source) {
            let open = c.get(1).map_or(0, |m| m.start());
            let entries = bracketed(&source.code, open).map_or(0, |inner| split_top(inner).len());
            beat.get_or_insert_with(|| (source.place(open), 0)).1 += entries;
        }
    }
    let added = places(&p.beat_added, &|s| s.language == Language::Python);
    if let Some(first) = added.first() {
        beat.get_or_insert_with(|| (first.clone(), 0)).1 += added.len();
    }
    if let Some((place, jobs)) = beat {
        // Beat is a process of its own; importing the module starts nothing.
        found.push(scheduler("celery beat", place, jobs, None));
    }

    let cron = places(&p.node_cron, &|s| {
        s.language == Language::JavaScript && s.code.contains("cron") | s.code.contains("node-schedule")
    });
    if let Some(first) = cron.first() {
        found.push(scheduler("cron", first.clone(), cron.len(), Some(None)));
    }
    let every =
        places(&p.schedule, &|s| s.language == Language::Python && s.code.contains("import schedule"));
    if let Some(first) = every.first() {
        found.push(scheduler("schedule", first.clone(), every.len(), None));
    }
    found
}

/// `start`: `None` does not start at import, `Some(gate)` does, perhaps behind a variable.
fn scheduler(kind: &str, place: String, jobs: usize, start: Option<Option<String>>) -> Scheduler {
    Scheduler {
        kind: kind.to_owned(),
        place,
        jobs: u32::try_from(jobs).unwrap_or(u32::MAX),
        starts_at_import: start.is_some(),
        gated_by: start.flatten(),
    }
}

/// APScheduler: one entry for each scheduler made; jobs added in files that make none belong to the first.
fn apscheduler(sources: &[Source]) -> Vec<Scheduler> {
    let p = &*PATTERNS;
    let using: Vec<&Source> =
        sources.iter().filter(|s| s.language == Language::Python && s.says(words!["Scheduler"])).collect();
    let mut made: Vec<(&Source, usize)> = Vec::new();
    let mut elsewhere = 0;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for source in &using {
        let jobs = p.job.find_iter(source).count();
        // `class X(BackgroundScheduler)` and imports do not make one.
        match p
            .made
            .find_iter(source)
            .find(|m| !line_of(&source.code, m.start()).trim_start().starts_with("class "))
        {
            Some(first) => {
                made.push((source, first.start()));
                counts.insert(&source.path, jobs);
            }
            None => elsewhere += jobs,
        }
    }
    let start = if made.is_empty() { None } else { import_start(sources) };
    made.iter()
        .enumerate()
        .map(|(i, (source, offset))| {
            let own = counts.get(source.path.as_str()).copied().unwrap_or_default();
            scheduler(
                "APScheduler",
                source.place(*offset),
                own + if i == 0 { elsewhere } else { 0 },
                start.clone(),
            )
        })
        .collect()
}

/// Whether importing the application starts a scheduler: a `.start()` at the top level of a module, or in a function
/// that is called from the top level through other functions. Functions are followed by name alone.
/// The inner value is the variable in an `if` that guards the call.
fn import_start(sources: &[Source]) -> Option<Option<String>> {
    let p = &*PATTERNS;
    let python: Vec<&Source> = sources.iter().filter(|s| s.language == Language::Python).collect();
    // Who calls whom, and what the top levels call; the guard is that of the call nearest to the top level.
    let mut calls: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut reached: BTreeMap<String, Option<String>> = BTreeMap::new();
    let mut starters: BTreeSet<String> = BTreeSet::new();
    for source in &python {
        let blocks = functions(&source.code);
        let mut scope = Scope::new(&blocks);
        for m in p.start.find_iter(source) {
            match scope.at(m.start()) {
                Some(name) => {
                    starters.insert(name.to_owned());
                }
                None if is_main_only(&source.code, m.start()) => {}
                None => return Some(guard(&source.code, m.start())),
            }
        }
        let mut scope = Scope::new(&blocks);
        for c in p.call.captures_iter(&source.code) {
            let Some(name) = c.get(1) else { continue };
            // A definition and a decorator call nothing by themselves.
            let line = line_of(&source.code, name.start());
            let before = &source.code[..name.start()];
            if before.trim_end_matches([' ', '\t']).ends_with("def")
                || line.trim_start().starts_with("class ")
            {
                continue;
            }
            match scope.at(name.start()) {
                Some(caller) => {
                    calls.entry(caller.to_owned()).or_default().insert(name.as_str().to_owned());
                }
                None if is_main_only(&source.code, name.start()) => {}
                None => {
                    let guard = guard(&source.code, name.start());
                    // One unguarded call is enough to run it always.
                    reached
                        .entry(name.as_str().to_owned())
                        .and_modify(|g| *g = g.take().and(guard.clone()))
                        .or_insert(guard);
                }
            }
        }
    }
    let mut queue: Vec<String> = reached.keys().cloned().collect();
    while let Some(name) = queue.pop() {
        let gate = reached.get(&name).cloned().flatten();
        if starters.contains(&name) {
            return Some(gate);
        }
        for callee in calls.get(&name).into_iter().flatten() {
            if !reached.contains_key(callee) {
                reached.insert(callee.clone(), gate.clone());
                queue.push(callee.clone());
            }
        }
    }
    None
}

/// Functions with their extent: `(name, from, to)`, in the order of the text.
fn functions(code: &str) -> Vec<(String, usize, usize)> {
    let p = &*PATTERNS;
    p.def
        .captures_iter(code)
        .filter_map(|c| {
            let (all, indent) = (c.get(0)?, c.get(1)?.as_str().len());
            // The block ends at the next line that is not indented further; closing brackets of a long signature
            // (`) -> None:`) stand at the same indent and do not end it.
            let mut end = code.len();
            let mut at = code[all.end()..].find('\n').map_or(code.len(), |n| all.end() + n + 1);
            while at < code.len() {
                let line = code[at..].split('\n').next().unwrap_or_default();
                let text = line.trim_start();
                if !text.is_empty() && line.len() - text.len() <= indent && !text.starts_with([')', ']']) {
                    end = at;
                    break;
                }
                at += line.len() + 1;
            }
            Some((c[2].to_owned(), all.start(), end))
        })
        .collect()
}

/// Tells the innermost function around offsets that are asked in ascending order.
struct Scope<'a> {
    coming: std::iter::Peekable<std::slice::Iter<'a, (String, usize, usize)>>,
    open: Vec<&'a (String, usize, usize)>,
}

impl<'a> Scope<'a> {
    fn new(blocks: &'a [(String, usize, usize)]) -> Self {
        Self { coming: blocks.iter().peekable(), open: Vec::new() }
    }

    fn at(&mut self, offset: usize) -> Option<&'a str> {
        while let Some(block) = self.coming.next_if(|(_, from, _)| *from <= offset) {
            self.open.push(block);
        }
        while self.open.last().is_some_and(|(_, _, to)| *to <= offset) {
            self.open.pop();
        }
        self.open.last().map(|(name, ..)| name.as_str())
    }
}

fn line_of(code: &str, offset: usize) -> &str {
    let start = code[..offset].rfind('\n').map_or(0, |n| n + 1);
    code[start..].split('\n').next().unwrap_or_default()
}

/// The conditions of the `if` blocks around an offset, nearest first.
fn conditions(code: &str, offset: usize) -> Vec<&str> {
    let line_start = code[..offset].rfind('\n').map_or(0, |n| n + 1);
    let line = line_of(code, offset);
    let mut indent = line.len() - line.trim_start().len();
    let mut found = Vec::new();
    if indent == 0 {
        return found;
    }
    for line in code[..line_start].lines().rev() {
        let text = line.trim_start();
        let own = line.len() - text.len();
        if text.is_empty() || own >= indent {
            continue;
        }
        indent = own;
        if text.starts_with("if ") || text.starts_with("elif ") {
            found.push(text);
        }
        if indent == 0 {
            break;
        }
    }
    found
}

/// Whether the code runs only when the file is the program itself.
fn is_main_only(code: &str, offset: usize) -> bool {
    conditions(code, offset).iter().any(|c| c.contains("__name__"))
}

fn guard(code: &str, offset: usize) -> Option<String> {
    conditions(code, offset).iter().find_map(|condition| {
        let c = PATTERNS.variable.captures(condition)?;
        Some(c.get(1).or_else(|| c.get(2))?.as_str().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)], expected: &[&str]) {
        let sources: Vec<Source> =
            files.iter().map(|(path, text)| Source::new(path, Language::of(path).unwrap(), text)).collect();
        let shown: Vec<String> = read(&sources)
            .iter()
            .map(|s| {
                let start = match (s.starts_at_import, &s.gated_by) {
                    (false, _) => "no start".to_owned(),
                    (true, None) => "at import".to_owned(),
                    (true, Some(name)) => format!("if {name}"),
                };
                format!("{} {} {} {start}", s.kind, s.place, s.jobs)
            })
            .collect();
        assert_eq!(shown, expected);
    }

    const MAKE: &str = "from apscheduler.schedulers.background import BackgroundScheduler\n\ndef begin():\n    scheduler = BackgroundScheduler()\n    scheduler.add_job(a)\n    # scheduler.add_job(no)\n    scheduler.add_job(b)\n    scheduler.start()\n";

    #[test]
    fn a_start_is_followed_through_functions_to_the_top_level() {
        check(&[("s.py", MAKE)], &["APScheduler s.py:4 2 no start"]);
        check(
            &[("s.py", MAKE), ("run.py", "def create_app():\n    begin()\n\napp = create_app()\n")],
            &["APScheduler s.py:4 2 at import"],
        );
        check(
            &[
                ("s.py", MAKE),
                ("run.py", "import os\nif os.environ.get('RUN_SCHEDULER') == '1':\n    begin()\n"),
            ],
            &["APScheduler s.py:4 2 if RUN_SCHEDULER"],
        );
        check(
            &[("s.py", MAKE), ("run.py", "if __name__ == '__main__':\n    begin()\n")],
            &["APScheduler s.py:4 2 no start"],
        );
    }

    #[test]
    fn a_start_at_the_top_level() {
        check(
            &[(
                "s.py",
                "scheduler = BackgroundScheduler()\n@scheduler.scheduled_job('cron')\ndef a():\n    pass\n\nscheduler.start()\n",
            )],
            &["APScheduler s.py:1 1 at import"],
        );
    }

    #[test]
    fn celery_and_cron() {
        check(
            &[("c.py", "app.conf.beat_schedule = {\n 'a': {'task': 'x', 'args': (1, 2)},\n 'b': {},\n}\n")],
            &["celery beat c.py:1 2 no start"],
        );
        check(
            &[("a.js", "const cron = require('node-cron')\ncron.schedule('* * * * *', f)\n")],
            &["cron a.js:2 1 at import"],
        );
        check(&[("a.py", "print('scheduler')\n")], &[]);
    }
}
