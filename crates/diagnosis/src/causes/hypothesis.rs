//! Hypotheses as data, and the checks that a file has to pass.

use std::collections::BTreeMap;

use landfall_evidence::Vantage;
use serde::Deserialize;

use super::condition::{Condition, RawCondition, unknown_key};
use super::template;
use crate::Severity;
use crate::catalogue::{CatalogueError, Fault, Rung};
use crate::facts::{Fact, FactKey, subject_matches};

/// One named cause as the engine knows it.
#[derive(Debug, Clone)]
pub struct Hypothesis {
    /// Its id, that of a fault.
    pub id: String,
    /// What it claims, from the fault.
    pub title: String,
    /// Where it belongs, from the fault.
    pub rung: Rung,
    /// How bad it is, from the fault.
    pub severity: Severity,
    /// What to do, by platform; `generic` is always there.
    pub remedy: BTreeMap<String, Vec<String>>,
    /// How to see that it worked.
    pub verify: Vec<String>,
    /// Look-alikes that the collected evidence cannot tell apart.
    pub unseparated: Vec<String>,
    /// Whether nothing on the way of a request is broken where it holds: only the question is wrong, and the answer to it is
    /// right.
    pub(crate) asks_wrongly: bool,
    /// The rung that is broken where it holds although the hop there answers: a record of the wrong address, a rule that
    /// rewrites.
    pub(crate) breaks: Option<Rung>,
    pub(crate) prior_db: i32,
    pub(crate) requires: Condition,
    pub(crate) explains: Vec<Pattern>,
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) mention: Option<Condition>,
    pub(crate) contributes: Vec<Contribution>,
    pub(crate) probe: Option<Probe>,
}

impl Hypothesis {
    /// What to do, for a platform where the file says so, else in general.
    pub fn remedy_for(&self, platform: Option<&str>) -> &[String] {
        platform
            .and_then(|name| self.remedy.get(name))
            .or_else(|| self.remedy.get("generic"))
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    /// The most that a log's saying so, alone or beside other facts, speaks for it, in decibans; `None` where it speaks for nothing.
    pub(crate) fn hears(&self, word: &str) -> Option<i32> {
        let speaking = self.evidence.iter().filter(|item| item.weight_db > 0 && item.condition.hears(word));
        speaking.map(|item| item.weight_db).max()
    }

    /// Every word that it asks of what logs and error pages say, for the check that such a word exists.
    pub(crate) fn line_words(&self) -> impl Iterator<Item = &str> {
        let conditions = [Some(&self.requires), self.mention.as_ref()].into_iter().flatten();
        let conditions = conditions
            .chain(self.evidence.iter().map(|item| &item.condition))
            .chain(self.contributes.iter().map(|item| &item.condition))
            .chain(self.probe.iter().map(|probe| &probe.done));
        conditions.flat_map(Condition::line_words)
    }

    /// The rules in words: weight in decibans, and what it says when it holds. For `landfall explain`.
    pub fn rules(&self) -> impl Iterator<Item = (i32, &str)> {
        self.evidence.iter().map(|item| (item.weight_db, item.say.as_str()))
    }
}

/// One piece of evidence that a hypothesis asks for.
#[derive(Debug, Clone)]
pub(crate) struct Evidence {
    pub(crate) group: String,
    pub(crate) condition: Condition,
    pub(crate) weight_db: i32,
    pub(crate) say: String,
    /// What to call it while it is not known: "whether the platform's own name serves the application".
    pub(crate) open: Option<String>,
    /// Look-alikes that it tells apart.
    pub(crate) separates: Vec<String>,
}

/// A circumstance that adds to another cause without being it.
#[derive(Debug, Clone)]
pub(crate) struct Contribution {
    pub(crate) to: Vec<String>,
    pub(crate) condition: Condition,
    pub(crate) say: String,
}

/// The observation that would decide.
#[derive(Debug, Clone)]
pub(crate) struct Probe {
    /// When this is known, either way, the observation was made.
    pub(crate) done: Condition,
    pub(crate) ask: String,
    pub(crate) how: String,
    pub(crate) means: Vec<String>,
    /// The requests with which the audit makes that observation itself.
    pub(crate) make: Vec<Make>,
}

/// A request that the audit makes to decide: a path asked with one difference.
#[derive(Debug, Clone)]
pub(crate) struct Make {
    /// Names the trial; facts have it as the first word of their subject.
    pub(crate) name: String,
    pub(crate) vantage: Vantage,
    pub(crate) method: String,
    /// A template; `{path}` is the path of the plain request.
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) host: Option<String>,
    /// How often it is asked.
    pub(crate) times: u32,
}

/// A pattern over symptoms: `key`, `key:value`, each with `@subject`.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    key: FactKey,
    value: Option<String>,
    at: Option<String>,
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, String> {
        let (rest, at) = match text.split_once('@') {
            Some((rest, at)) => (rest, Some(at.to_owned())),
            None => (text, None),
        };
        let (name, value) = match rest.split_once(':') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (rest, None),
        };
        let key = FactKey::parse(name).ok_or_else(|| unknown_key(name))?;
        if let Some(value) = &value
            && !key.values().is_empty()
            && !key.values().contains(&value.as_str())
        {
            return Err(format!("{key} never says {value:?}; it says: {}", key.values().join(", ")));
        }
        Ok(Self { key, value, at })
    }

    pub(crate) fn covers(&self, fact: &Fact) -> bool {
        self.key == fact.key
            && self.at.as_deref().is_none_or(|at| subject_matches(&fact.subject, at))
            && self
                .value
                .as_deref()
                .is_none_or(|value| fact.known().is_some_and(|known| known.to_string() == value))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default)]
    hypothesis: Vec<RawHypothesis>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHypothesis {
    id: String,
    prior: Prior,
    requires: Option<RawCondition>,
    explains: Vec<String>,
    evidence: Vec<RawEvidence>,
    mention: Option<RawCondition>,
    #[serde(default)]
    contributes: Vec<RawContribution>,
    #[serde(default)]
    unseparated: Vec<String>,
    #[serde(default)]
    asks_wrongly: bool,
    breaks: Option<Rung>,
    probe: Option<RawProbe>,
    #[serde(default)]
    remedy: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    verify: Vec<String>,
}

/// How often a fault is the cause, where its rung is broken at all.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Prior {
    Common,
    Usual,
    Rare,
}

impl Prior {
    fn decibans(self) -> i32 {
        match self {
            Self::Common => -5,
            Self::Usual => -10,
            Self::Rare => -15,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEvidence {
    group: String,
    #[serde(rename = "if")]
    condition: RawCondition,
    weight: String,
    say: String,
    open: Option<String>,
    #[serde(default)]
    vs: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawContribution {
    to: Vec<String>,
    #[serde(rename = "if")]
    condition: RawCondition,
    say: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProbe {
    done: RawCondition,
    ask: String,
    how: String,
    means: Vec<String>,
    #[serde(default)]
    make: Vec<RawMake>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMake {
    #[serde(rename = "as")]
    name: String,
    #[serde(default = "edge")]
    at: Vantage,
    #[serde(default = "get")]
    method: String,
    #[serde(default = "plain_path")]
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    host: Option<String>,
    #[serde(default = "once")]
    times: u32,
}

fn edge() -> Vantage {
    Vantage::Edge
}

fn get() -> String {
    "GET".to_owned()
}

fn plain_path() -> String {
    PLAIN_PATH.to_owned()
}

fn once() -> u32 {
    1
}

/// Stands in a trial's texts for the path of the plain request.
pub(super) const PLAIN_PATH: &str = "{path}";

/// Requests of one trial at most: it decides, it does not load.
const MOST_TIMES: u32 = 6;

/// Longest header that a trial may carry, in bytes: what servers refuse begins at 4 to 16 KiB.
const LONGEST_HEADER_BYTE: usize = 24 * 1024;

impl RawMake {
    fn build(self) -> Result<Make, String> {
        let place = format!("probe.make {:?}", self.name);
        let is_word = |text: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        };
        if !is_word(&self.name) {
            return Err(format!("{place}: `as` is a word of lower-case letters, digits and hyphens"));
        }
        if !matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS") {
            return Err(format!(
                "{place}: the method {:?} may change something; GET, HEAD and OPTIONS may be sent",
                self.method
            ));
        }
        if !matches!(self.at, Vantage::Edge | Vantage::Origin | Vantage::Local) {
            return Err(format!("{place}: `at` is edge, origin or local"));
        }
        if !(1..=MOST_TIMES).contains(&self.times) {
            return Err(format!("{place}: times is 1 to {MOST_TIMES}"));
        }
        let mut headers = Vec::new();
        for (name, value) in self.headers {
            let token = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if name.is_empty() || !name.chars().all(token) || name == "host" {
                return Err(format!(
                    "{place}: {name:?} is not a header name in lower case; the host has a key of its own"
                ));
            }
            if value.len() > LONGEST_HEADER_BYTE || value.chars().any(|c| c.is_ascii_control()) {
                return Err(format!("{place}: the value of {name} is too long or holds control characters"));
            }
            headers.push((name, value));
        }
        for text in headers.iter().map(|(_, value)| value).chain(&self.host).chain([&self.path]) {
            template::check(&text.replace(PLAIN_PATH, ""))
                .map_err(|message| format!("{place}: {message}"))?;
        }
        if !self.path.starts_with('/') && !self.path.starts_with(PLAIN_PATH) {
            return Err(format!("{place}: the path begins with a slash or with {PLAIN_PATH}"));
        }
        let Self { name, at: vantage, method, path, host, times, .. } = self;
        Ok(Make { name, vantage, method, path, headers, host, times })
    }
}

/// Whether an entry has the form of a hypothesis; what it says is checked with the others at hand.
pub(crate) fn check_entry(entry: toml::Value) -> Result<(), String> {
    entry.try_into::<RawHypothesis>().map(|_| ()).map_err(|error| error.message().to_owned())
}

/// weak 1.6:1, medium 3:1, strong 10:1, decisive 100:1; a leading minus speaks against.
fn decibans(weight: &str) -> Result<i32, String> {
    let (sign, word) = match weight.strip_prefix('-') {
        Some(word) => (-1, word),
        None => (1, weight),
    };
    let size = match word {
        "weak" => 2,
        "medium" => 5,
        "strong" => 10,
        "decisive" => 20,
        _ => {
            return Err(format!(
                "the weight {weight:?} is none of weak, medium, strong, decisive, with or without a minus"
            ));
        }
    };
    Ok(sign * size)
}

/// Platforms that a remedy may be written for.
const PLATFORMS: &[&str] = &["generic", "replit", "heroku", "fly", "render", "railway", "vercel"];

/// Reads the files of `causes/`; mistakes go to `errors`.
pub(crate) fn read_hypotheses(
    files: &[(&str, &str)],
    faults: &BTreeMap<String, Fault>,
    errors: &mut Vec<CatalogueError>,
) -> BTreeMap<String, Hypothesis> {
    let mut hypotheses = BTreeMap::new();
    let mut file_of = BTreeMap::new();
    for (file, text) in files {
        let raw: RawFile = match toml::from_str(text) {
            Ok(raw) => raw,
            Err(error) => {
                errors.push(CatalogueError::new(file, error.to_string()));
                continue;
            }
        };
        for raw in raw.hypothesis {
            let id = raw.id.clone();
            let mut mistake =
                |message: String| errors.push(CatalogueError::new(file, format!("{id}: {message}")));
            let Some(fault) = faults.get(&id) else {
                mistake("no fault of faults.toml has this id; a cause needs one".to_owned());
                continue;
            };
            let (hypothesis, mistakes) = build(raw, fault);
            mistakes.into_iter().for_each(&mut mistake);
            if let Some(first) = file_of.insert(id.clone(), *file) {
                mistake(format!("the id is used already, in {first}"));
            }
            hypotheses.insert(id, hypothesis);
        }
    }
    check_references(&hypotheses, &file_of, faults, errors);
    check_separation(&hypotheses, &file_of, faults, errors);
    hypotheses
}

fn build(raw: RawHypothesis, fault: &Fault) -> (Hypothesis, Vec<String>) {
    let mut mistakes = Vec::new();
    let mut condition = |raw: RawCondition, place: &str| {
        raw.build().unwrap_or_else(|message| {
            mistakes.push(format!("{place}: {message}"));
            Condition::Always
        })
    };
    let requires = raw.requires.map_or(Condition::Always, |raw| condition(raw, "requires"));
    let mention = raw.mention.map(|raw| condition(raw, "mention"));
    let mut conditions = Vec::new();
    for (position, item) in raw.evidence.iter().enumerate() {
        conditions.push(condition(item.condition.clone(), &format!("evidence {}", position + 1)));
    }
    let contributes: Vec<Contribution> = raw
        .contributes
        .into_iter()
        .map(|item| Contribution {
            to: item.to,
            condition: condition(item.condition, "contributes"),
            say: item.say,
        })
        .collect();
    let mut makes = Vec::new();
    let probe = raw.probe.map(|probe| Probe {
        done: condition(probe.done, "probe.done"),
        ask: probe.ask,
        how: probe.how,
        means: probe.means,
        make: probe
            .make
            .into_iter()
            .filter_map(|raw| raw.build().map_err(|message| makes.push(message)).ok())
            .collect(),
    });
    mistakes.extend(makes);
    let mut evidence = Vec::new();
    for (item, condition) in raw.evidence.into_iter().zip(conditions) {
        let weight_db = decibans(&item.weight).unwrap_or_else(|message| {
            mistakes.push(message);
            0
        });
        evidence.push(Evidence {
            group: item.group,
            condition,
            weight_db,
            say: item.say,
            open: item.open,
            separates: item.vs,
        });
    }
    let mut explains = Vec::new();
    for text in &raw.explains {
        match Pattern::parse(text) {
            Ok(pattern) => explains.push(pattern),
            Err(message) => mistakes.push(format!("explains {text:?}: {message}")),
        }
    }
    if !evidence.iter().any(|item| item.weight_db > 0) {
        mistakes.push("there is no evidence for it, so it can never be held".to_owned());
    }
    if explains.is_empty() {
        mistakes.push("it explains nothing, so it can never be accepted".to_owned());
    }
    if !raw.remedy.contains_key("generic") {
        mistakes.push("remedy.generic is missing; every cause says what to do".to_owned());
    }
    if raw.verify.is_empty() {
        mistakes.push("verify is missing; every cause says how to see that it was repaired".to_owned());
    }
    for platform in raw.remedy.keys().filter(|name| !PLATFORMS.contains(&name.as_str())) {
        mistakes.push(format!("remedy.{platform} is not one of {}", PLATFORMS.join(", ")));
    }
    let mut texts: Vec<&str> =
        evidence.iter().flat_map(|item| [Some(item.say.as_str()), item.open.as_deref()]).flatten().collect();
    texts.extend(raw.remedy.values().flatten().chain(&raw.verify).map(String::as_str));
    texts.extend(contributes.iter().map(|item| item.say.as_str()));
    if let Some(probe) = &probe {
        texts.extend(
            [probe.ask.as_str(), probe.how.as_str()]
                .into_iter()
                .chain(probe.means.iter().map(String::as_str)),
        );
    }
    for text in texts {
        mistakes.extend(template::check(text).err());
    }
    let hypothesis = Hypothesis {
        id: raw.id,
        title: fault.title.clone(),
        rung: fault.layer,
        severity: fault.severity,
        remedy: raw.remedy,
        verify: raw.verify,
        unseparated: raw.unseparated,
        asks_wrongly: raw.asks_wrongly,
        breaks: raw.breaks,
        prior_db: raw.prior.decibans(),
        requires,
        explains,
        evidence,
        mention,
        contributes,
        probe,
    };
    (hypothesis, mistakes)
}

/// A look-alike that is a fault of the catalogue and has no hypothesis yet may be named: the evidence holds all the same.
fn check_references(
    hypotheses: &BTreeMap<String, Hypothesis>,
    file_of: &BTreeMap<String, &str>,
    faults: &BTreeMap<String, Fault>,
    errors: &mut Vec<CatalogueError>,
) {
    for hypothesis in hypotheses.values() {
        let named = hypothesis.evidence.iter().flat_map(|item| &item.separates);
        let named = named
            .chain(&hypothesis.unseparated)
            .chain(hypothesis.contributes.iter().flat_map(|item| &item.to));
        for other in named.filter(|other| !hypotheses.contains_key(*other) && !faults.contains_key(*other)) {
            errors.push(CatalogueError::new(
                file_of[&hypothesis.id],
                format!("{}: {other:?} is not a cause of these files", hypothesis.id),
            ));
        }
    }
}

/// Each pair that the fault catalogue calls look-alikes, and that both are hypotheses, needs evidence that tells the
/// two apart, or the admission that ours does not.
fn check_separation(
    hypotheses: &BTreeMap<String, Hypothesis>,
    file_of: &BTreeMap<String, &str>,
    faults: &BTreeMap<String, Fault>,
    errors: &mut Vec<CatalogueError>,
) {
    for hypothesis in hypotheses.values() {
        let Some(fault) = faults.get(&hypothesis.id) else { continue };
        for other in fault.discriminators.iter().filter_map(|d| hypotheses.get(&d.vs)) {
            if !names(hypothesis, &other.id) && !names(other, &hypothesis.id) {
                errors.push(CatalogueError::new(
                    file_of[&hypothesis.id],
                    format!(
                        "{}: the look-alike {} has no evidence that separates the two; add `vs = [{:?}]` to an item, or \
                         list it under `unseparated`",
                        hypothesis.id, other.id, other.id
                    ),
                ));
            }
        }
    }
}

fn names(hypothesis: &Hypothesis, other: &str) -> bool {
    hypothesis
        .evidence
        .iter()
        .flat_map(|item| &item.separates)
        .chain(&hypothesis.unseparated)
        .any(|id| id == other)
}

/// The keys that a hypothesis reads, for the test that every one of them is drawn somewhere.
#[cfg(test)]
pub(super) fn keys_read(hypothesis: &Hypothesis) -> std::collections::BTreeSet<FactKey> {
    let mut conditions = vec![&hypothesis.requires];
    conditions.extend(hypothesis.evidence.iter().map(|item| &item.condition));
    conditions.extend(hypothesis.mention.iter());
    conditions.extend(hypothesis.contributes.iter().map(|item| &item.condition));
    conditions.extend(hypothesis.probe.iter().map(|probe| &probe.done));
    let mut keys: std::collections::BTreeSet<FactKey> =
        conditions.into_iter().flat_map(Condition::keys).collect();
    keys.extend(hypothesis.explains.iter().map(|pattern| pattern.key));
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;

    const GOOD: &str = r#"
[[hypothesis]]
id = "port-refused"
prior = "common"
requires = { fact = "tcp.state", at = "edge", is = "refused" }
explains = ["tcp.state:refused@edge"]
evidence = [{ group = "tcp", if = { fact = "tcp.state", at = "edge", is = "refused" }, weight = "decisive", say = "{target.host} refuses" }]
verify = ["it accepts"]
remedy.generic = ["start it"]
"#;

    fn mistakes(text: &str) -> Vec<String> {
        let faults: BTreeMap<String, Fault> =
            Catalogue::embedded().faults().map(|fault| (fault.id.clone(), fault.clone())).collect();
        let mut errors = Vec::new();
        read_hypotheses(&[("causes/test.toml", text)], &faults, &mut errors);
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_mistake_is_named_with_its_file_and_cause() {
        assert!(mistakes(GOOD).is_empty(), "{:?}", mistakes(GOOD));
        let twice = GOOD.repeat(2);
        let alike = format!("{GOOD}{}", GOOD.replace("port-refused", "firewall-drops-packets"));
        let cases = [
            (GOOD.replace("port-refused", "port-refusd"), "no fault of faults.toml has this id"),
            (GOOD.replace("tcp.state:refused@edge", "tcp.stat:refused"), "did you mean tcp.state"),
            (GOOD.replace("tcp.state:refused@edge", "tcp.state:denied"), "never says"),
            (GOOD.replace("is = \"refused\"", "is = \"denied\""), "can never fire"),
            (GOOD.replace("decisive", "huge"), "weight \"huge\""),
            (GOOD.replace("decisive", "-decisive"), "no evidence for it"),
            (GOOD.replace("remedy.generic", "remedy.replit"), "remedy.generic is missing"),
            (
                GOOD.replace("remedy.generic = [\"start it\"]", "remedy = { generic = [], nimbus = [] }"),
                "remedy.nimbus",
            ),
            (GOOD.replace("verify = [\"it accepts\"]", "verify = []"), "verify is missing"),
            (GOOD.replace("{target.host}", "{target.hots}"), "did you mean target.host"),
            (
                GOOD.replace("group = \"tcp\",", "group = \"tcp\", vs = [\"nobody\"],"),
                "\"nobody\" is not a cause",
            ),
            (GOOD.replace("prior = \"common\"", "prior = \"often\""), "unknown variant"),
            (twice, "the id is used already"),
            (alike, "has no evidence that separates the two"),
            ("[[hypothesis]]\nid = 3".to_owned(), "causes/test.toml"),
        ];
        for (text, want) in cases {
            let found = mistakes(&text);
            assert!(found.iter().any(|message| message.contains(want)), "{want}: {found:?}");
            assert!(found.iter().all(|message| message.starts_with("causes/test.toml: ")), "{found:?}");
        }
    }

    #[test]
    fn a_remedy_for_the_platform_comes_before_the_general_one() {
        let never = Catalogue::embedded().cause("never-deployed").expect("it is there");
        assert!(never.remedy_for(Some("heroku"))[0].contains("git push heroku"));
        assert_eq!(never.remedy_for(Some("elsewhere")), never.remedy_for(None));
        assert!(!never.remedy_for(None).is_empty());
    }
}
