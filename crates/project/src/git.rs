//! Version control, asked through the `git` program: head, branch, what is not committed, and the history of the
//! deploy files.
//!
//! The repository is not trusted further than needed: hooks, the file system monitor, external diffs and text
//! conversions are off, nothing is written (no index refresh), and every answer has a bound.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use landfall_evidence::{
    BranchHead, Commit, DeployStage, GitState, HistoricChange, Route, RouteWritten, StartCommand,
};

use crate::deploy;
use crate::process::{self, Failure};
use crate::source::is_test;

/// A status of a large working tree on a cold disk takes seconds.
const LIMIT: Duration = Duration::from_secs(10);
const MAX_OUTPUT: usize = 4 << 20;
/// Names listed of changed and of untracked files.
const MAX_NAMES: usize = 50;
/// Commits listed: a build in production is rarely older, and forty letters each are little.
const MAX_COMMITS: usize = 200;
/// Branch heads listed.
const MAX_BRANCHES: usize = 50;
/// Changes listed.
const MAX_HISTORY: usize = 10;

/// Files with routes whose lines are dated, and lines in all.
const MAX_DATED_FILES: usize = 8;
const MAX_DATED: usize = 40;
/// The history of one file's lines, and when no further file is begun; where there are ten thousand commits it takes longer,
/// and then the routes have no date.
const DATED_LIMIT: Duration = Duration::from_millis(700);

/// Runs git in the folder. The error is in words.
fn git(root: &Path, arguments: &[&str], input: Option<Vec<u8>>) -> Result<Vec<u8>, String> {
    git_within(root, arguments, input, LIMIT)
}

fn git_within(
    root: &Path,
    arguments: &[&str],
    input: Option<Vec<u8>>,
    limit: Duration,
) -> Result<Vec<u8>, String> {
    let mut command = Command::new("git");
    command
        .args([
            "--no-optional-locks",
            "-c",
            "core.fsmonitor=",
            "-c",
            "core.hooksPath=/dev/null",
            "-c",
            "core.quotePath=false",
        ])
        .args(["-c", "log.showSignature=false", "-c", "core.pager=cat"])
        .args(arguments)
        .current_dir(root)
        .env("LC_ALL", "C")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_PAGER", "cat");
    // Set inside hooks, these would lead git to another repository than the folder's own.
    for name in
        ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY"]
    {
        command.env_remove(name);
    }
    match process::run(&mut command, input, limit, MAX_OUTPUT) {
        Ok(said) if said.success => Ok(said.stdout),
        Ok(said) => Err(said.stderr.lines().next().unwrap_or("it failed without a word").to_owned()),
        Err(Failure::Missing) => Err("no such program; the history was not read".to_owned()),
        Err(failure) => Err(failure.to_string()),
    }
}

/// Whether the folder is inside a working tree, by the files alone.
fn under_git(root: &Path) -> bool {
    root.ancestors().any(|folder| folder.join(".git").exists())
}

/// Paths below the folder that version control ignores; folders without a trailing slash. Empty when there is no git.
pub(crate) fn ignored(root: &Path) -> HashSet<String> {
    if !under_git(root) {
        return HashSet::new();
    }
    let listed = git(
        root,
        &["ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory", "--", "."],
        None,
    );
    let Ok(listed) = listed else { return HashSet::new() };
    fields(&listed).map(|path| path.trim_end_matches('/').to_owned()).collect()
}

/// Paths below the folder that version control keeps. Empty when there is no git.
pub(crate) fn tracked(root: &Path) -> HashSet<String> {
    if !under_git(root) {
        return HashSet::new();
    }
    let Ok(listed) = git(root, &["ls-files", "-z", "--cached", "--", "."], None) else {
        return HashSet::new();
    };
    fields(&listed).collect()
}

/// The state of version control; `None` when the folder is not under git. Problems go to `unread`.
pub(crate) fn read(root: &Path, unread: &mut Vec<String>) -> Option<GitState> {
    if !under_git(root) {
        return None;
    }
    let mut ask = |arguments: &[&str], input: Option<Vec<u8>>| match git(root, arguments, input) {
        Ok(bytes) => Some(bytes),
        Err(reason) => {
            unread.push(format!("git: {reason}"));
            None
        }
    };
    let prefix = ask(&["rev-parse", "--show-prefix"], None)?;
    let prefix = String::from_utf8_lossy(&prefix).trim_end_matches('\n').to_owned();
    let status =
        ask(&["status", "--porcelain=v2", "--branch", "-z", "--untracked-files=normal", "--", "."], None)?;
    let mut state = parse_status(&status, &prefix);
    if state.head.is_empty() {
        // A repository without a commit has no head and no history.
        return Some(state);
    }
    let time = ask(&["log", "-1", "--no-show-signature", "--format=%cI"], None)?;
    state.head_at = String::from_utf8_lossy(&time).trim().parse().ok();
    let count = MAX_COMMITS.to_string();
    let log = [
        "log",
        "--no-show-signature",
        "--no-ext-diff",
        "-n",
        &count,
        "--format=%x01%H",
        "--name-only",
        "-z",
        "-m",
        "--first-parent",
    ];
    state.commits = ask(&log, None).map(|bytes| parse_commits(&bytes, &prefix)).unwrap_or_default();
    let heads =
        ["for-each-ref", "--format=%(refname)%00%(objectname)%00%(symref)", "refs/heads", "refs/remotes"];
    if let Some(bytes) = ask(&heads, None) {
        (state.branches, state.default_branch) = parse_branches(&String::from_utf8_lossy(&bytes));
    }
    let mut changes: Vec<Change> = Vec::new();
    for file in with_history(&mut ask) {
        let count = MAX_HISTORY.to_string();
        let arguments = [
            "log",
            "--follow",
            "--no-show-signature",
            "--no-ext-diff",
            "-n",
            &count,
            "--format=%x01%H%x00%h%x00%cI%x00%s",
            "--name-only",
            "-z",
            "--",
            file,
        ];
        let Some(log) = ask(&arguments, None) else { continue };
        changes.extend(parse_log(&log, file, &prefix));
    }
    // Newest first over all files; the stable sort keeps git's own order where times are equal.
    changes.sort_by_key(|change| std::cmp::Reverse(change.at));
    changes.truncate(MAX_HISTORY);
    state.deploy_history = with_starts(changes, &mut ask);
    Some(state)
}

/// The deploy files that any commit touched. Each file's own history is a walk over all commits, and most projects have
/// two or three of the names; so one walk tells first for which names there is anything to ask.
fn with_history(ask: &mut Ask<'_>) -> Vec<&'static str> {
    let names: Vec<&'static str> = deploy::file_names().collect();
    let mut arguments = vec![
        "log",
        "--full-history",
        "--no-show-signature",
        "--no-ext-diff",
        "--no-renames",
        "--format=",
        "-m",
    ];
    arguments.extend(["--relative", "--name-only", "-z", "--"]);
    arguments.extend(&names);
    let Some(touched) = ask(&arguments, None) else { return names };
    let touched: HashSet<String> =
        fields(&touched).map(|name| name.trim_start_matches('\n').to_owned()).collect();
    names.into_iter().filter(|name| touched.contains(*name)).collect()
}

/// When the lines of these routes were last written, newest first. What git does not tell in time is left out.
pub(crate) fn routes_written(root: &Path, state: &GitState, routes: &[Route]) -> Vec<RouteWritten> {
    if state.head.is_empty() {
        return Vec::new();
    }
    let changed: HashSet<&str> =
        state.uncommitted.iter().chain(&state.untracked).map(String::as_str).collect();
    let mut lines: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
    for (file, line) in routes.iter().filter_map(|route| route.place.rsplit_once(':')) {
        if let Ok(line) = line.parse()
            && !changed.contains(file)
            && (lines.contains_key(file) || lines.len() < MAX_DATED_FILES)
        {
            lines.entry(file).or_default().insert(line);
        }
    }
    let mut room = MAX_DATED;
    let mut written = Vec::new();
    let began = Instant::now();
    for (file, lines) in lines {
        if room == 0 || began.elapsed() > DATED_LIMIT {
            break;
        }
        let lines: Vec<String> = lines.iter().take(room).map(|line| format!("{line},{line}")).collect();
        room -= lines.len();
        let mut arguments = vec!["blame", "--no-textconv", "--line-porcelain"];
        arguments.extend(lines.iter().flat_map(|line| ["-L", line]));
        arguments.extend(["HEAD", "--", file]);
        // A file that the head does not have, or a line past its end: then nothing is known of its routes.
        let Ok(bytes) = git_within(root, &arguments, None, DATED_LIMIT) else { continue };
        written.extend(parse_blame(&String::from_utf8_lossy(&bytes), file));
    }
    written.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.place.cmp(&b.place)));
    written
}

/// `git blame --line-porcelain`: for each line its commit with the number that the line has now, headers, and the line behind a tab.
fn parse_blame(text: &str, file: &str) -> Vec<RouteWritten> {
    let mut found = Vec::new();
    let mut commit: Option<(&str, &str)> = None;
    for line in text.lines() {
        if let Some(second) = line.strip_prefix("committer-time ") {
            let at = second.parse().ok().and_then(|second| Timestamp::from_second(second).ok());
            if let (Some((id, number)), Some(at)) = (commit.take(), at) {
                let place = format!("{file}:{number}");
                found.push(RouteWritten { place, commit: id.to_owned(), at });
            }
        } else if commit.is_none()
            && let [id, _, number, ..] = line.split(' ').collect::<Vec<_>>()[..]
            && id.len() >= 40
            && id.bytes().all(|b| b.is_ascii_hexdigit())
        {
            commit = Some((id, number));
        }
    }
    found
}

fn fields(bytes: &[u8]) -> impl Iterator<Item = String> {
    bytes.split(|b| *b == 0).filter(|f| !f.is_empty()).map(|f| String::from_utf8_lossy(f).into_owned())
}

/// `git status --porcelain=v2 --branch -z` (git-status, "Porcelain Format Version 2").
fn parse_status(bytes: &[u8], prefix: &str) -> GitState {
    let mut state = GitState::default();
    let local = |path: &str| path.strip_prefix(prefix).unwrap_or(path).to_owned();
    let add = |to: fn(&mut GitState) -> &mut Vec<String>, state: &mut GitState, path: &str| {
        let names = to(state);
        if names.len() < MAX_NAMES {
            names.push(local(path));
        }
    };
    let mut entries = fields(bytes);
    while let Some(entry) = entries.next() {
        if let Some(header) = entry.strip_prefix("# ") {
            match header.split_once(' ') {
                Some(("branch.oid", oid)) if oid != "(initial)" => state.head = oid.to_owned(),
                Some(("branch.head", name)) if name != "(detached)" => state.branch = Some(name.to_owned()),
                Some(("branch.ab", counts)) => {
                    let mut counts = counts.split(' ').map(|n| n.trim_start_matches(['+', '-']).parse().ok());
                    state.ahead = counts.next().flatten();
                    state.behind = counts.next().flatten();
                }
                _ => {}
            }
            continue;
        }
        let Some((kind, rest)) = entry.split_once(' ') else { continue };
        // The path is the last of a fixed number of fields, and may itself contain spaces.
        let fields_before = match kind {
            "?" => 0,
            "1" => 7,
            "2" => 8,
            "u" => 9,
            _ => continue,
        };
        let path = rest.splitn(fields_before + 1, ' ').nth(fields_before).unwrap_or_default();
        match kind {
            "?" => add(|s| &mut s.untracked, &mut state, path),
            _ => add(|s| &mut s.uncommitted, &mut state, path),
        }
        if kind == "2" {
            // A rename is followed by its old path.
            entries.next();
        }
    }
    state
}

/// `git log --format=%x01%H --name-only -z`: the id, then the names that it touches.
fn parse_commits(bytes: &[u8], prefix: &str) -> Vec<Commit> {
    bytes
        .split(|b| *b == 1)
        .filter_map(|record| {
            let mut fields = fields(record);
            let id = fields.next()?.trim().to_owned();
            let builds = |name: String| {
                let name = name.trim_start_matches('\n');
                name.strip_prefix(prefix).is_some_and(|path| !is_documentation(path) && !is_test(path))
            };
            (id.len() >= 40).then(|| Commit { id, changes_build: fields.any(builds) })
        })
        .take(MAX_COMMITS)
        .collect()
}

/// Whether a file is for people to read and in no build.
fn is_documentation(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let first = lower.split('/').next().unwrap_or_default();
    lower.ends_with(".md")
        || lower.ends_with(".rst")
        || lower.starts_with("license")
        || matches!(first, "docs" | "doc" | ".github" | ".vscode" | ".idea")
}

/// `git for-each-ref`: one line a reference, and `origin/HEAD` names the remote's own branch.
fn parse_branches(text: &str) -> (Vec<BranchHead>, Option<String>) {
    let (mut heads, mut default) = (Vec::new(), None);
    for line in text.lines() {
        let mut parts = line.split('\0');
        let (Some(name), Some(commit)) = (parts.next(), parts.next()) else { continue };
        let to = parts.next().unwrap_or_default();
        let (remote, short) = match (name.strip_prefix("refs/heads/"), name.strip_prefix("refs/remotes/")) {
            (Some(short), _) => (None, short),
            (None, Some(rest)) => match rest.split_once('/') {
                Some((remote, short)) => (Some(remote.to_owned()), short),
                None => continue,
            },
            (None, None) => continue,
        };
        if short == "HEAD" {
            let branch = to.strip_prefix("refs/remotes/").and_then(|to| to.split_once('/'));
            default = default.or(branch.map(|(_, branch)| branch.to_owned()));
        } else if heads.len() < MAX_BRANCHES {
            heads.push(BranchHead { name: short.to_owned(), remote, commit: commit.to_owned() });
        }
    }
    (heads, default)
}

/// A commit that touched a deploy file.
#[derive(Debug, PartialEq, Eq)]
struct Change {
    commit: String,
    short: String,
    at: Option<Timestamp>,
    subject: String,
    /// The deploy file as it is called now, which is the format to parse it by.
    file: String,
    /// Its path in that commit, from the root of the repository.
    path: String,
}

fn parse_log(bytes: &[u8], file: &str, prefix: &str) -> Vec<Change> {
    bytes
        .split(|b| *b == 1)
        .filter_map(|record| {
            let mut fields = fields(record);
            let (commit, short, at) = (fields.next()?, fields.next()?, fields.next()?);
            let subject = fields.next()?;
            let path = fields.next().map(|p| p.trim_start_matches('\n').to_owned()).filter(|p| !p.is_empty());
            Some(Change {
                commit,
                short,
                at: at.parse().ok(),
                subject: landfall_evidence::redact_text(subject.trim_end()),
                file: file.to_owned(),
                path: path.unwrap_or_else(|| format!("{prefix}{file}")),
            })
        })
        .collect()
}

/// Asks git with these arguments and this input; a failure is noted elsewhere.
type Ask<'a> = dyn FnMut(&[&str], Option<Vec<u8>>) -> Option<Vec<u8>> + 'a;

/// Reads the file before and after each change, all in one call, and parses its start commands.
fn with_starts(changes: Vec<Change>, ask: &mut Ask<'_>) -> Vec<HistoricChange> {
    // A path with a line end would split the request in two.
    let asked: Vec<String> = changes
        .iter()
        .filter(|c| !c.path.contains('\n'))
        .flat_map(|c| [format!("{}^:{}", c.commit, c.path), format!("{}:{}", c.commit, c.path)])
        .collect();
    let blobs = if asked.is_empty() {
        BTreeMap::new()
    } else {
        let input = asked.iter().map(|line| format!("{line}\n")).collect::<String>().into_bytes();
        ask(&["cat-file", "--batch"], Some(input)).map(|out| parse_batch(&out, &asked)).unwrap_or_default()
    };
    let start = |spec: String, file: &str| blobs.get(&spec).and_then(|text| start_of(file, text));
    changes
        .into_iter()
        .map(|c| HistoricChange {
            start_before: start(format!("{}^:{}", c.commit, c.path), &c.file),
            start_after: start(format!("{}:{}", c.commit, c.path), &c.file),
            commit: c.short,
            at: c.at,
            subject: c.subject,
            file: c.file,
        })
        .collect()
}

/// The start command of production, else of the workspace.
fn start_of(file: &str, text: &str) -> Option<StartCommand> {
    let mut found = deploy::parse(file, text).ok()?;
    found.sort_by_key(|d| d.config.stage != DeployStage::Production);
    found.into_iter().find_map(|d| d.config.start)
}

/// `git cat-file --batch`: `OID TYPE SIZE`, a line end, the contents, a line end; or `SPEC missing`.
fn parse_batch(mut bytes: &[u8], asked: &[String]) -> BTreeMap<String, String> {
    let mut blobs = BTreeMap::new();
    for spec in asked {
        let Some(end) = bytes.iter().position(|b| *b == b'\n') else { break };
        let header = String::from_utf8_lossy(&bytes[..end]).into_owned();
        bytes = &bytes[end + 1..];
        let words: Vec<&str> = header.split(' ').collect();
        let [_, "blob", size] = words.as_slice() else {
            if header.ends_with(" missing") || header.ends_with(" ambiguous") {
                continue;
            }
            // Something else than a file: its size would have to be skipped, and nothing after it is of use.
            break;
        };
        let Some(content) = size.parse().ok().and_then(|size: usize| bytes.get(..size)) else { break };
        blobs.insert(spec.clone(), String::from_utf8_lossy(content).into_owned());
        bytes = bytes.get(content.len() + 1..).unwrap_or_default();
    }
    blobs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::folder;
    use landfall_evidence::PortSetting;

    fn run(root: &Path, at: &str, arguments: &[&str]) {
        let done = Command::new("git")
            .args([
                "-c",
                "user.name=Dev",
                "-c",
                "user.email=dev@example.test",
                "-c",
                "commit.gpgsign=false",
                "-c",
                "init.defaultBranch=main",
            ])
            .args(arguments)
            .current_dir(root)
            .envs([("GIT_COMMITTER_DATE", at), ("GIT_AUTHOR_DATE", at)])
            // Set when the tests themselves run from a hook.
            .env_remove("GIT_DIR")
            .env_remove("GIT_WORK_TREE")
            .env_remove("GIT_INDEX_FILE")
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    #[test]
    fn the_history_of_a_deploy_file_tells_its_start_commands() {
        let dir = folder(&[
            ("svc/.replit", include_str!("../../../scenarios/levqor/history/0-replit.toml")),
            ("svc/run.py", "app = 1\n"),
            ("svc/.gitignore", ".env\ngen/\n"),
        ]);
        let root = dir.path().join("svc");
        run(dir.path(), "2025-11-14T09:00:00Z", &["init", "-q"]);
        run(dir.path(), "2025-11-14T09:00:00Z", &["add", "."]);
        run(dir.path(), "2025-11-14T09:00:00Z", &["commit", "-q", "-m", "Serve the API"]);
        std::fs::write(root.join(".replit"), include_str!("../../../scenarios/levqor/project/.replit"))
            .unwrap();
        run(dir.path(), "2025-11-15T14:30:00Z", &["commit", "-q", "-a", "-m", "Bind the port given"]);
        std::fs::write(root.join("run.py"), "app = 2\n").unwrap();
        std::fs::write(root.join("new file.py"), "").unwrap();
        std::fs::write(root.join(".env"), "A=1").unwrap();
        std::fs::create_dir(root.join("gen")).unwrap();
        std::fs::write(root.join("gen/x.py"), "").unwrap();

        let mut unread = Vec::new();
        let state = read(&root, &mut unread).unwrap();
        assert!(unread.is_empty(), "{unread:?}");
        assert_eq!((state.branch.as_deref(), state.head.len()), (Some("main"), 40));
        assert_eq!(state.head_at.unwrap().to_string(), "2025-11-15T14:30:00Z");
        assert_eq!(
            (state.uncommitted, state.untracked),
            (vec!["run.py".to_owned()], vec!["new file.py".to_owned()])
        );
        assert_eq!((state.ahead, state.behind), (None, None));
        let [newer, older] = state.deploy_history.as_slice() else { panic!("{:?}", state.deploy_history) };
        assert_eq!((newer.subject.as_str(), newer.file.as_str()), ("Bind the port given", ".replit"));
        assert_eq!(newer.start_before.as_ref().unwrap().bind_port, PortSetting::Literal { port: 5000 });
        let port = PortSetting::Variable { name: "PORT".into(), default: Some(5000) };
        assert_eq!(newer.start_after.as_ref().unwrap().bind_port, port);
        assert!(older.start_before.is_none() && older.start_after.is_some());
        let ignored = ignored(&root);
        assert!(ignored.contains(".env") && ignored.contains("gen"), "{ignored:?}");
    }

    #[test]
    fn lines_of_routes_are_dated_by_their_commits() {
        let dir = folder(&[("a.py", "x\n@get('/old')\ndef old(): pass\n"), ("b.py", "@get('/b')\n")]);
        let root = dir.path();
        let commit = |at: &str| {
            run(root, at, &["add", "."]);
            run(root, at, &["commit", "-qm", "x"]);
        };
        run(root, "2026-01-01T00:00:00Z", &["init", "-q"]);
        commit("2026-01-01T00:00:00Z");
        let more = "x\n@get('/new')\ndef new(): pass\n@get('/old')\ndef old(): pass\n";
        std::fs::write(root.join("a.py"), more).unwrap();
        commit("2026-02-01T00:00:00Z");
        std::fs::write(root.join("b.py"), "@get('/b')\n# changed\n").unwrap();

        let state = read(root, &mut Vec::new()).unwrap();
        let route = |place: &str| Route { methods: Vec::new(), path: "/".into(), place: place.into() };
        let routes = ["a.py:2", "a.py:4", "b.py:1", "gone.py:7", "a.py:900"].map(route);
        let shown = |routes: &[Route]| -> Vec<String> {
            let written = routes_written(root, &state, routes);
            written.iter().map(|w| format!("{} {}", w.place, w.at)).collect()
        };
        assert_eq!(shown(&routes[..3]), ["a.py:2 2026-02-01T00:00:00Z", "a.py:4 2026-01-01T00:00:00Z"]);
        assert_eq!(shown(&routes[3..]), Vec::<String>::new(), "what the head does not have has no date");
    }

    #[test]
    fn ahead_of_its_upstream_and_renames() {
        let up = folder(&[("a.py", "a long enough line to be found again\n")]);
        run(up.path(), "2025-01-01T00:00:00Z", &["init", "-q"]);
        run(up.path(), "2025-01-01T00:00:00Z", &["add", "."]);
        run(up.path(), "2025-01-01T00:00:00Z", &["commit", "-q", "-m", "one"]);
        let down = tempfile::tempdir().unwrap();
        run(down.path(), "2025-01-01T00:00:00Z", &["clone", "-q", up.path().to_str().unwrap(), "."]);
        run(down.path(), "2025-01-02T00:00:00Z", &["commit", "-q", "--allow-empty", "-m", "two"]);
        run(down.path(), "2025-01-02T00:00:00Z", &["mv", "a.py", "b c.py"]);
        let state = read(down.path(), &mut Vec::new()).unwrap();
        assert_eq!((state.ahead, state.behind), (Some(1), Some(0)));
        assert_eq!((state.uncommitted, state.untracked), (vec!["b c.py".to_owned()], vec![]));
        assert!(state.deploy_history.is_empty());
        assert_eq!(state.commits.len(), 2);
        assert_eq!(state.commits[0].id, state.head);
        // An empty commit changes no build, the first one does.
        assert_eq!((state.commits[0].changes_build, state.commits[1].changes_build), (false, true));
        assert_eq!(state.default_branch.as_deref(), Some("main"));
        let main = |remote: Option<&str>| {
            state
                .branches
                .iter()
                .find(|b| b.name == "main" && b.remote.as_deref() == remote)
                .map(|b| b.commit.clone())
        };
        assert_eq!(main(None).as_ref(), Some(&state.head));
        assert_eq!(main(Some("origin")).as_ref(), Some(&state.commits[1].id));
    }

    #[test]
    fn commits_of_a_folder_count_what_is_built_from_it() {
        let dir = folder(&[("svc/app.py", "1"), ("svc/README.md", "1"), ("other/x.py", "1")]);
        let at = "2025-01-01T00:00:00Z";
        run(dir.path(), at, &["init", "-q"]);
        run(dir.path(), at, &["add", "."]);
        run(dir.path(), at, &["commit", "-q", "-m", "one"]);
        for file in ["svc/README.md", "other/x.py", "svc/app.py"] {
            std::fs::write(dir.path().join(file), "2").unwrap();
            run(dir.path(), at, &["commit", "-q", "-a", "-m", file]);
        }
        let state = read(&dir.path().join("svc"), &mut Vec::new()).unwrap();
        let builds: Vec<bool> = state.commits.iter().map(|c| c.changes_build).collect();
        assert_eq!(builds, [true, false, false, true]);
    }

    #[test]
    fn outside_of_git_and_before_the_first_commit() {
        let dir = folder(&[("a", "")]);
        let mut unread = Vec::new();
        assert!(read(dir.path(), &mut unread).is_none());
        run(dir.path(), "2025-01-01T00:00:00Z", &["init", "-q"]);
        let state = read(dir.path(), &mut unread).unwrap();
        assert_eq!((state.head.as_str(), state.untracked.as_slice()), ("", ["a".to_owned()].as_slice()));
        assert!(unread.is_empty(), "{unread:?}");
    }

    #[test]
    fn a_broken_repository_is_named() {
        let dir = folder(&[(".git/HEAD", "garbage")]);
        let mut unread = Vec::new();
        assert!(read(dir.path(), &mut unread).is_none());
        assert!(unread[0].starts_with("git: "), "{unread:?}");
    }
}
