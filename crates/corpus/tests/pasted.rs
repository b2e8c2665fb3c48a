//! Logs as a team pastes them, with what the public name answers beside them: the cause has to come first.
//!
//! No server is behind these: each case is a log in the wording of the real software (`scenarios/pasted/*.toml`), or the files of a
//! project, and an answer (`scenarios/pasted/answers.toml`), put into one recording of a production that is well in every other way.
//! They hold what recordings from real servers cannot hold for every framework and platform: that their words lead to the cause.
//!
//! A case without a truth is well: its log looks bad, and nothing may be named. Files named `closed-*` are kept from whoever
//! teaches the rules: they measure what carries over.
//!
//! Cases that miss are printed (`--nocapture`). `LANDFALL_PASTED=FILE` takes the cases of another file, without gates;
//! `LANDFALL_SHOW=PART` prints the causes of the cases with that part in their id, as JSON; `LANDFALL_SAVE=FOLDER` saves the
//! evidence of each open case, for `landfall diagnose`.

#[path = "pasted/zone.rs"]
mod zone;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use landfall_corpus::Advice;
use landfall_diagnosis::{Catalogue, Diagnosis, Label, diagnose};
use landfall_evidence::{Endpoint, Evidence, Observed, ProjectSnapshot};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Cases of faults and of healthy productions, and those whose cause comes first, is among the first three, and is passed over
/// for another one at likely or above: what is reached and must stay.
const FAULTS: usize = 1385;
const HEALTHY: usize = 169;
const FIRST: usize = 1122;
const THIRD: usize = 1147;
const ASTRAY: usize = 28;

#[derive(Deserialize)]
struct File {
    #[serde(rename = "case")]
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: String,
    /// Empty where nothing is wrong.
    truth: Vec<String>,
    /// What may be named beside the cause, or first where nothing tells them apart.
    #[serde(default)]
    rivals: Vec<String>,
    /// A name of `answers.toml`, or `ok`, `refused`, `silent`; `ok` where there is no answer of its own either.
    edge: Option<String>,
    answer: Option<Answer>,
    /// Answers of single paths, which go before both.
    #[serde(default)]
    paths: BTreeMap<String, Answer>,
    log: Option<String>,
    /// What DNS answers for the name; without it, what the recording has: 192.0.2.10.
    dns: Option<zone::Zone>,
    /// The project's folder: what each file holds.
    #[serde(default)]
    files: BTreeMap<String, String>,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

fn folder() -> PathBuf {
    landfall_corpus::checkout().join("scenarios/pasted")
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> T {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The recording of a production in which one name of the compose file is wrong, without its log and project.
fn base() -> Value {
    let path = folder().join("../corpus/dependency/url-compose.json.gz");
    let file = std::fs::File::open(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut base: Value = serde_json::from_reader(flate2::read::GzDecoder::new(file)).expect("a recording");
    base["target"]["project"] = Value::Null;
    let observations = base["observations"].as_array_mut().expect("observations");
    observations.retain(|o| {
        let id = o["id"].as_str().unwrap_or_default();
        !["log/", "project/", "tests/"].iter().any(|kind| id.starts_with(kind))
    });
    base
}

/// What one question to the public name gets in a case; `None` where the recording has it right.
fn answer(case: &Case, answers: &BTreeMap<String, Answer>, id: &str, path: &str) -> Option<Value> {
    let edge = case.edge.as_deref().unwrap_or(if case.answer.is_some() { "own" } else { "ok" });
    if edge == "refused" {
        return Some(json!({"state": "denied", "detail": {"how": "refused"}}));
    }
    if edge == "silent" {
        return Some(json!({"state": "silent", "detail": {"phase": "connect", "waited_us": 5_000_000}}));
    }
    if !id.starts_with("http/edge") || id.contains("HTTP/3") || id.contains("plain-http") {
        return None;
    }
    if let Some(answer) = case.paths.get(path) {
        return Some(written(answer));
    }
    if edge == "ok" || (edge == "one-500" && !path.contains("orders")) {
        let items = Answer {
            status: 200,
            headers: BTreeMap::from([("content-type".to_owned(), "application/json".to_owned())]),
            body: if path.contains("orders") {
                r#"{"orders":["one"]}"#
            } else {
                r#"{"items":["one","two"]}"#
            }
            .to_owned(),
        };
        return (!id.contains("control")).then(|| written(&items));
    }
    let answer = case.answer.as_ref().or_else(|| answers.get(edge));
    Some(written(answer.unwrap_or_else(|| panic!("{}: there is no answer {edge}", case.id))))
}

/// An answer as evidence has it.
fn written(answer: &Answer) -> Value {
    let sha256: String = Sha256::digest(&answer.body).iter().map(|byte| format!("{byte:02x}")).collect();
    let length = answer.body.len();
    let given = answer.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
    let usual =
        [("date", "Wed, 25 Nov 2026 22:39:10 GMT".to_owned()), ("content-length", length.to_string())];
    let told = |name: &str| answer.headers.keys().any(|own| own.eq_ignore_ascii_case(name));
    let headers: Vec<Value> = given
        .chain(
            usual.into_iter().filter(|(name, _)| !told(name)).map(|(name, value)| (name.to_owned(), value)),
        )
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    // The probe resolves it against the URL it asked; a case writes it whole.
    let redirect_to =
        (300..400).contains(&answer.status).then(|| answer.headers.get("location").cloned()).flatten();
    json!({"state": "present", "detail": {
        "version": "HTTP/2", "status": answer.status, "headers": headers, "redirect_to": redirect_to,
        "body": {"byte_count": length, "complete": true, "cut": null, "text": answer.body, "sha256": sha256},
    }})
}

fn evidence(
    case: &Case,
    base: &Value,
    answers: &BTreeMap<String, Answer>,
    catalogue: &Catalogue,
) -> Evidence {
    let mut value = base.clone();
    let observations = value["observations"].as_array_mut().expect("observations");
    for o in observations.iter_mut() {
        let id = o["id"].as_str().unwrap_or_default().to_owned();
        let path = o["seen"]["request"]["path"].as_str().unwrap_or_default().to_owned();
        if (id.starts_with("tls/edge") || id.starts_with("http/edge"))
            && let Some(answer) = answer(case, answers, &id, &path)
        {
            o["seen"]["answer"] = answer;
        }
    }
    if let Some(log) = &case.log {
        let tail =
            landfall_project::reduce_log(log.as_bytes(), false, &|line| catalogue.knows_log_line(line));
        observations.push(json!({
            "id": "log/app.log", "vantage": "workspace", "started_us": 2_010_863, "took_us": 1833, "after": null,
            "round_trips": 0, "attempt": 1, "by_hand": "tail -n 100 app.log",
            "seen": {"kind": "log", "name": "app.log", "answer": {"state": "present", "detail": tail}},
        }));
    }
    let folder = (!case.files.is_empty()).then(|| written_folder(case));
    let read = folder.as_ref().map(|folder| landfall_project::read(folder.path()));
    let own = read.as_ref().and_then(|read| read.present()).map_or_else(Vec::new, |snapshot| {
        let mut own = landfall_project::endpoints(snapshot);
        landfall_project::add_monitored(&mut own, snapshot, "api.example.test");
        own
    });
    let more = ask_more(case, &own, observations);
    if let (Some(folder), Some(read)) = (&folder, &read) {
        observations.push(project(folder.path(), read));
        value["target"]["project"] = json!("/srv/project");
    }
    value["target"]["endpoints"].as_array_mut().expect("endpoints").extend(more);
    if let Some(zone) = &case.dns {
        zone.check(&case.id);
        zone.answer(value["observations"].as_array_mut().expect("observations"));
    }
    Evidence::from_json(&value.to_string()).unwrap_or_else(|e| panic!("{}: {e}", case.id))
}

/// Adds what paths answer that the recording never asked: those that the project's files lead an audit to, as it asks
/// them, and others like a path that nobody declared, which may be guarded or lead elsewhere, and may not fail. Returns
/// them as endpoints.
fn ask_more(case: &Case, own: &[Endpoint], observations: &mut Vec<Value>) -> Vec<Value> {
    let mut endpoints = Vec::new();
    for (path, answer) in &case.paths {
        let is_of = |o: &Value, path: &str| {
            let id = o["id"].as_str().unwrap_or_default();
            id.starts_with("http/edge/GET ")
                && id.contains("/HTTP/2/")
                && o["seen"]["request"]["path"] == path
        };
        if observations.iter().any(|o| is_of(o, path)) {
            continue;
        }
        let like = observations.iter().find(|o| is_of(o, "/api/orders"));
        let mut asked = like.expect("the recording asks for the orders").clone();
        asked["id"] = json!(format!("http/edge/GET {path}/HTTP/2/192.0.2.10"));
        asked["seen"]["request"]["path"] = json!(path);
        asked["seen"]["request"]["url"] = json!(format!("https://api.example.test{path}"));
        asked["seen"]["answer"] = written(answer);
        observations.push(asked);
        endpoints.push(
            match own.iter().find(|endpoint| endpoint.method == "GET" && endpoint.path == *path) {
                Some(endpoint) => serde_json::to_value(endpoint).expect("plain data"),
                None => json!({
                    "method": "GET", "path": path, "source": "guessed", "core": false,
                    "expect": {"status": [], "content_type": null, "json_keys": []},
                }),
            },
        );
    }
    endpoints
}

/// The project's folder.
fn written_folder(case: &Case) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in &case.files {
        let path = folder.path().join(name);
        assert!(path.starts_with(folder.path()) && !name.contains(".."), "{}: {name}", case.id);
        std::fs::create_dir_all(path.parent().expect("inside the folder")).expect("a folder");
        std::fs::write(&path, text.strip_prefix('\n').unwrap_or(text)).expect("a file");
    }
    folder
}

/// What the project's folder shows.
fn project(folder: &Path, read: &Observed<Box<ProjectSnapshot>>) -> Value {
    let root = folder.display().to_string();
    let read = serde_json::to_string(read).expect("plain data");
    let answer: Value = serde_json::from_str(&read.replace(&root, "/srv/project")).expect("plain data");
    json!({
        "id": "project/read", "vantage": "workspace", "started_us": 1_010, "took_us": 1833, "after": null,
        "round_trips": 0, "attempt": 1, "by_hand": "ls -la /srv/project",
        "seen": {"kind": "project", "root": "/srv/project", "answer": answer},
    })
}

/// What came of the cases of a file.
#[derive(Default)]
struct Figures {
    faults: usize,
    first: usize,
    third: usize,
    astray: usize,
    healthy: usize,
    alarmed: usize,
}

impl Figures {
    /// Whether the case is right: its cause first, or nothing named where nothing is wrong.
    fn add(&mut self, case: &Case, named: &[(&str, Label)]) -> bool {
        if case.truth.is_empty() {
            self.healthy += 1;
            self.alarmed += usize::from(!named.is_empty());
            return named.is_empty();
        }
        let is_true = |id: &str| case.truth.iter().any(|t| t == id);
        let at = named.iter().position(|(id, _)| is_true(id));
        let astray = named.first().is_some_and(|(id, label)| {
            !is_true(id) && !case.rivals.iter().any(|r| r == id) && *label != Label::Possible
        });
        self.faults += 1;
        self.first += usize::from(at == Some(0));
        self.third += usize::from(at.is_some_and(|at| at < 3));
        self.astray += usize::from(astray);
        at == Some(0)
    }

    fn join(&mut self, other: &Self) {
        self.faults += other.faults;
        self.first += other.first;
        self.third += other.third;
        self.astray += other.astray;
        self.healthy += other.healthy;
        self.alarmed += other.alarmed;
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { faults, first, third, astray, healthy, alarmed } = self;
        write!(
            f,
            "{faults} faults: first {first}, among three {third}, another one likely or confirmed {astray}; \
             {healthy} healthy: named {alarmed}"
        )
    }
}

/// Causes that are named, the first one first.
fn named(diagnosis: &Diagnosis) -> Vec<(&str, Label)> {
    let causes = diagnosis.causes.iter().filter(|c| c.label >= Label::Possible);
    causes.map(|c| (c.id.as_str(), c.label)).collect()
}

#[test]
fn pasted_logs_lead_to_the_cause() {
    let loaded =
        landfall_audit::load_catalogue(Some(&folder().join("../../catalogue"))).expect("a catalogue");
    let catalogue: &Catalogue = &loaded;
    let answers: BTreeMap<String, Answer> = read(&folder().join("answers.toml"));
    let base = base();
    let mut files: Vec<PathBuf> = match std::env::var_os("LANDFALL_PASTED") {
        Some(file) => vec![file.into()],
        None => {
            std::fs::read_dir(folder()).expect("the folder").map(|e| e.expect("an entry").path()).collect()
        }
    };
    files.retain(|f| f.extension().is_some_and(|e| e == "toml") && !f.ends_with("answers.toml"));
    files.sort();
    let mut sum = Figures::default();
    let mut unadvised: BTreeMap<String, usize> = BTreeMap::new();
    for file in files {
        // What is kept closed shows figures alone: whoever reads its misses teaches the rules those very texts.
        let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let closed = stem.starts_with("closed-");
        let mut figures = Figures::default();
        for case in read::<File>(&file).cases {
            let evidence = evidence(&case, &base, &answers, catalogue);
            let diagnosis = diagnose(&evidence, catalogue);
            if let Some(folder) = std::env::var_os("LANDFALL_SAVE").filter(|_| !closed) {
                let file = Path::new(&folder).join(format!("{}.json", case.id.replace('/', "-")));
                let text = evidence.to_json();
                std::fs::write(&file, text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
            }
            if let Advice::Missing(id) = Advice::of(&diagnosis) {
                *unadvised.entry(id.to_owned()).or_default() += 1;
            }
            let named = named(&diagnosis);
            let right = figures.add(&case, &named);
            if std::env::var("LANDFALL_SHOW").is_ok_and(|part| case.id.contains(&part)) {
                println!("{}", serde_json::to_string_pretty(&diagnosis.causes).expect("plain data"));
            }
            if !right && !closed {
                let said: Vec<String> = named.iter().take(4).map(|(id, l)| format!("{id} ({l:?})")).collect();
                println!("{}: {}", case.id, said.join(", "));
            }
        }
        println!("{stem}: {figures}");
        sum.join(&figures);
    }
    println!("together: {sum}");
    assert!(unadvised.is_empty(), "likely, and no action tells what to do: {unadvised:?}");
    if std::env::var_os("LANDFALL_PASTED").is_none() {
        assert!(sum.faults >= FAULTS && sum.healthy >= HEALTHY, "cases were lost: {sum}");
        assert!(sum.first >= FIRST && sum.third >= THIRD, "fewer lead to the cause than before: {sum}");
        assert!(sum.astray <= ASTRAY, "more are led astray than before: {sum}");
        assert_eq!(sum.alarmed, 0, "nothing may be named where all is well: {sum}");
    }
}
