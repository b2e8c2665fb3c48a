//! Grading what somebody else claims: a hand-made report, a colleague's message, an assistant's summary.
//!
//! A claim is proven when observations show it, refuted when they show the opposite, consistent when they speak for it
//! without showing it, and untested when nothing was asked that bears on it. A cause is proven when the engine confirms it.

use std::collections::BTreeMap;

use landfall_evidence::{Evidence, ObservationId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::catalogue::{Catalogue, CatalogueError};
use crate::causes::{Condition, RawCondition, Truth, check_template, edit_distance, fill_template, rank};
use crate::facts::Facts;
use crate::{Argument, Cause, Label, NextProbe};

const FILE: &str = "statements.toml";

/// How a claim stands against the evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// Observations show it.
    Proven,
    /// Nothing contradicts it and something speaks for it, and it is not shown.
    Consistent,
    /// Observations show the opposite.
    Refuted,
    /// Nothing was asked that bears on it.
    Untested,
}

impl Grade {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Consistent => "consistent",
            Self::Refuted => "refuted",
            Self::Untested => "untested",
        }
    }
}

/// A claim with its grade.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GradedClaim {
    /// The claim in its author's words.
    pub says: String,
    /// What it was taken to mean: `cause never-deployed`, `certificate-fine`, `limit.count is 5`.
    pub means: String,
    /// How it stands.
    pub grade: Grade,
    /// Why, with the observations behind it.
    pub why: Vec<Argument>,
    /// What the claim does not show although it is often taken to.
    pub beyond: Option<String>,
    /// The observation that would settle it; `None` when it is settled.
    pub open: Option<NextProbe>,
}

/// The JSON Schema of a list of graded claims, as checked in at `docs/schema/claims.json`.
pub fn claims_json_schema() -> serde_json::Value {
    schemars::schema_for!(Vec<GradedClaim>).to_value()
}

/// Claims, read and understood.
#[derive(Debug, Clone)]
pub struct Claims {
    list: Vec<Claim>,
}

#[derive(Debug, Clone)]
struct Claim {
    says: String,
    about: About,
}

#[derive(Debug, Clone)]
enum About {
    Cause { id: String, holds: bool },
    Statement { id: String },
    Fact { condition: Condition, words: String },
}

/// A mistake in a file of claims.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct ClaimError {
    /// `line 3` or `claim 2`.
    pub place: String,
    /// What is wrong, with the mend.
    pub message: String,
}

/// What people say, as the catalogue has it.
#[derive(Debug)]
pub(crate) struct Statement {
    words: Vec<String>,
    proven: Option<Condition>,
    refuted: Option<Condition>,
    supports: Option<Condition>,
    says: BTreeMap<String, String>,
    beyond: Option<String>,
    ask: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStatement {
    id: String,
    words: Vec<String>,
    proven: Option<RawCondition>,
    refuted: Option<RawCondition>,
    supports: Option<RawCondition>,
    says: BTreeMap<String, String>,
    beyond: Option<String>,
    ask: String,
}

/// Reads `statements.toml`; mistakes go to `errors`.
pub(crate) fn read_statements(text: &str, errors: &mut Vec<CatalogueError>) -> BTreeMap<String, Statement> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        statement: Vec<RawStatement>,
    }
    let file: File = match toml::from_str(text) {
        Ok(file) => file,
        Err(error) => {
            errors.push(CatalogueError::new(FILE, error.to_string()));
            return BTreeMap::new();
        }
    };
    let mut statements = BTreeMap::new();
    for raw in file.statement {
        let id = raw.id.clone();
        let mut mistakes = Vec::new();
        let mut condition = |raw: Option<RawCondition>, place: &str| {
            let built = raw?.build().map_err(|message| mistakes.push(format!("{place}: {message}")));
            built.ok()
        };
        let proven = condition(raw.proven, "proven");
        let refuted = condition(raw.refuted, "refuted");
        let supports = condition(raw.supports, "supports");
        for (word, condition) in [("proven", &proven), ("refuted", &refuted), ("supports", &supports)] {
            if condition.is_some() != raw.says.contains_key(word) {
                mistakes.push(format!("says.{word} and {word} come together"));
            }
        }
        mistakes.extend(raw.says.values().filter_map(|text| check_template(text).err()));
        if proven.is_none() && refuted.is_none() && supports.is_none() {
            mistakes.push("no observation bears on it".to_owned());
        }
        let words = raw.words.iter().map(|words| plain(words)).collect();
        let statement =
            Statement { words, proven, refuted, supports, says: raw.says, beyond: raw.beyond, ask: raw.ask };
        if statements.insert(id.clone(), statement).is_some() {
            mistakes.push("the id is used twice".to_owned());
        }
        errors.extend(
            mistakes.into_iter().map(|message| CatalogueError::new(FILE, format!("{id}: {message}"))),
        );
    }
    statements
}

/// Whether an entry has the form of a statement.
pub(crate) fn check_statement(entry: toml::Value) -> Result<(), String> {
    entry.try_into::<RawStatement>().map(|_| ()).map_err(|error| error.message().to_owned())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawClaims {
    claim: Vec<RawClaim>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawClaim {
    says: Option<String>,
    cause: Option<String>,
    not_cause: Option<String>,
    holds: Option<String>,
    fact: Option<toml::Value>,
}

impl Claims {
    /// Reads claims: a TOML file of `[[claim]]` entries, or plain text with one claim a line.
    ///
    /// A line is `cause ID`, `not cause ID`, or a statement that the catalogue knows ("the certificate is fine"). An entry
    /// has `says` (the author's words) and one of `cause`, `not_cause`, `holds` (a statement's id) and `fact` (a condition
    /// as in the causes). Empty lines and lines that begin with `#` are left out.
    ///
    /// # Errors
    /// Every claim that is not understood, with its place and the nearest thing that would be.
    pub fn parse(text: &str, catalogue: &Catalogue) -> Result<Self, Vec<ClaimError>> {
        let entries = text.lines().any(|line| line.trim_start().starts_with("[["));
        let (list, errors) = if entries { from_toml(text, catalogue) } else { from_lines(text, catalogue) };
        if !errors.is_empty() {
            return Err(errors);
        }
        if list.is_empty() {
            let message = "holds no claim; write one a line, for instance: cause never-deployed".to_owned();
            return Err(vec![ClaimError { place: "the file".to_owned(), message }]);
        }
        Ok(Self { list })
    }
}

fn from_toml(text: &str, catalogue: &Catalogue) -> (Vec<Claim>, Vec<ClaimError>) {
    let raw: RawClaims = match toml::from_str(text) {
        Ok(raw) => raw,
        Err(error) => {
            return (Vec::new(), vec![ClaimError { place: "the file".into(), message: error.to_string() }]);
        }
    };
    let (mut list, mut errors) = (Vec::new(), Vec::new());
    for (position, raw) in raw.claim.into_iter().enumerate() {
        let place = format!("claim {}", position + 1);
        match understood(raw, catalogue) {
            Ok(claim) => list.push(claim),
            Err(message) => errors.push(ClaimError { place, message }),
        }
    }
    (list, errors)
}

fn understood(raw: RawClaim, catalogue: &Catalogue) -> Result<Claim, String> {
    let about = match (raw.cause, raw.not_cause, raw.holds, raw.fact) {
        (Some(id), None, None, None) => About::Cause { id: known_cause(&id, catalogue)?, holds: true },
        (None, Some(id), None, None) => About::Cause { id: known_cause(&id, catalogue)?, holds: false },
        (None, None, Some(id), None) => {
            if !catalogue.statements.contains_key(&id) {
                let near = nearest(&id, catalogue.statements.keys());
                return Err(format!("no statement is called {id:?}{near}"));
            }
            About::Statement { id }
        }
        (None, None, None, Some(value)) => {
            let words = value.to_string();
            let raw: RawCondition = value.try_into().map_err(|e: toml::de::Error| e.message().to_owned())?;
            About::Fact { condition: raw.build()?, words }
        }
        (None, None, None, None) => match raw.says.as_deref().and_then(|says| spoken(says, catalogue)) {
            Some(about) => about,
            None => return Err("has none of cause, not_cause, holds and fact, and its words are no statement that the catalogue knows".to_owned()),
        },
        _ => return Err("has more than one of cause, not_cause, holds and fact".to_owned()),
    };
    let says = raw.says.unwrap_or_else(|| about.words());
    Ok(Claim { says, about })
}

fn from_lines(text: &str, catalogue: &Catalogue) -> (Vec<Claim>, Vec<ClaimError>) {
    let (mut list, mut errors) = (Vec::new(), Vec::new());
    for (position, line) in text.lines().enumerate() {
        let line = line.trim().trim_start_matches(['-', '*']).trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let place = format!("line {}", position + 1);
        let cause =
            |id: &str, holds: bool| known_cause(id.trim(), catalogue).map(|id| About::Cause { id, holds });
        let about = match (line.strip_prefix("cause "), line.strip_prefix("not cause ")) {
            (Some(id), _) => cause(id, true),
            (_, Some(id)) => cause(id, false),
            _ => spoken(line, catalogue).ok_or_else(|| {
                let all = catalogue.statements.values().flat_map(|s| &s.words);
                format!("{line:?} is no statement that the catalogue knows{}", nearest(&plain(line), all))
            }),
        };
        match about {
            Ok(about) => list.push(Claim { says: line.to_owned(), about }),
            Err(message) => errors.push(ClaimError { place, message }),
        }
    }
    (list, errors)
}

/// The statement that these words make.
fn spoken(says: &str, catalogue: &Catalogue) -> Option<About> {
    let said = plain(says);
    let known = catalogue.statements.iter().find(|(_, statement)| statement.words.contains(&said));
    known.map(|(id, _)| About::Statement { id: id.clone() })
}

/// Words without case, articles and punctuation.
fn plain(text: &str) -> String {
    let kept: String =
        text.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
    let words =
        kept.split_whitespace().filter(|word| !matches!(*word, "the" | "a" | "an" | "our" | "is" | "are"));
    words.collect::<Vec<_>>().join(" ")
}

fn known_cause(id: &str, catalogue: &Catalogue) -> Result<String, String> {
    if catalogue.fault(id).is_some() {
        return Ok(id.to_owned());
    }
    let ids: Vec<&String> = catalogue.faults().map(|fault| &fault.id).collect();
    Err(format!("no cause is called {id:?}{}", nearest(id, ids)))
}

fn nearest<'a>(text: &str, known: impl IntoIterator<Item = &'a String>) -> String {
    let near = known.into_iter().min_by_key(|name| edit_distance(text, name));
    near.map(|name| format!("; did you mean {name:?}?")).unwrap_or_default()
}

impl About {
    fn words(&self) -> String {
        match self {
            Self::Cause { id, holds: true } => format!("cause {id}"),
            Self::Cause { id, holds: false } => format!("not cause {id}"),
            Self::Statement { id } => id.clone(),
            Self::Fact { words, .. } => words.clone(),
        }
    }
}

/// Grades claims against evidence.
pub fn grade(claims: &Claims, evidence: &Evidence, catalogue: &Catalogue) -> Vec<GradedClaim> {
    let facts = Facts::derive(evidence, catalogue);
    let ranking = rank(&facts, catalogue);
    let one = |claim: &Claim| {
        let judged = match &claim.about {
            About::Cause { id, holds: true } => {
                cause(id, &ranking.causes, &ranking.ruled_out, &facts, catalogue)
            }
            About::Cause { id, holds: false } => {
                let judged = cause(id, &ranking.causes, &ranking.ruled_out, &facts, catalogue);
                let grade = match judged.grade {
                    Grade::Proven => Grade::Refuted,
                    Grade::Refuted => Grade::Proven,
                    // Whatever may be the cause was not excluded.
                    Grade::Consistent | Grade::Untested => Grade::Untested,
                };
                Judged { grade, ..judged }
            }
            About::Statement { id } => statement(&catalogue.statements[id], &facts),
            About::Fact { condition, words } => fact(condition, words, &facts),
        };
        let settled = matches!(judged.grade, Grade::Proven | Grade::Refuted);
        GradedClaim {
            says: claim.says.clone(),
            means: claim.about.words(),
            grade: judged.grade,
            why: judged.why,
            beyond: judged.beyond,
            open: judged.open.filter(|_| !settled),
        }
    };
    claims.list.iter().map(one).collect()
}

struct Judged {
    grade: Grade,
    why: Vec<Argument>,
    beyond: Option<String>,
    open: Option<NextProbe>,
}

fn said(say: impl Into<String>, evidence: Vec<ObservationId>) -> Argument {
    Argument { say: say.into(), weight_db: 0, evidence }
}

fn by_hand(how: String) -> NextProbe {
    NextProbe { ask: "what would settle it".to_owned(), how, means: Vec::new() }
}

/// The test that the catalogue gives against the first look-alike.
fn discriminator(id: &str, catalogue: &Catalogue) -> Option<NextProbe> {
    let test = catalogue.fault(id)?.discriminators.first()?;
    Some(by_hand(format!("by hand: {}", test.test)))
}

fn cause(id: &str, named: &[Cause], ruled_out: &[Cause], facts: &Facts, catalogue: &Catalogue) -> Judged {
    let without = |grade, why| Judged { grade, why, beyond: None, open: None };
    if let Some(cause) = named.iter().find(|cause| cause.id == id) {
        let grade = if cause.label == Label::Confirmed { Grade::Proven } else { Grade::Consistent };
        let mut why = cause.evidence_for.clone();
        if grade == Grade::Consistent {
            let open = cause.rivals.iter().filter(|rival| !rival.separated && rival.label >= Label::Possible);
            let open: Vec<&str> = open.map(|rival| rival.id.as_str()).collect();
            let rivals = match open.as_slice() {
                [] => String::new(),
                ids => format!("; not told apart from {}", ids.join(", ")),
            };
            why.push(said(format!("it is {}, not confirmed{rivals}", cause.label.name()), Vec::new()));
        }
        let open = cause.next_probe.clone().or_else(|| discriminator(id, catalogue));
        return Judged { grade, why, beyond: None, open };
    }
    if let Some(cause) = ruled_out.iter().find(|cause| cause.id == id) {
        return without(Grade::Refuted, cause.against.clone());
    }
    let Some(hypothesis) = catalogue.cause(id) else {
        let why = "no observation of an audit bears on this fault yet";
        return without(Grade::Untested, vec![said(why, Vec::new())]);
    };
    match hypothesis.requires.ask(facts) {
        Truth::False(by) => {
            let evidence = by.iter().flat_map(|fact| fact.evidence.iter().cloned()).collect();
            let seen: Vec<String> = by
                .iter()
                .filter_map(|fact| Some(format!("{} is {}", fact.key, fact.known()?)))
                .take(2)
                .collect();
            let why = format!("its signs were looked for and are not there: {}", seen.join(", "));
            without(Grade::Refuted, vec![said(why, evidence)])
        }
        Truth::Unknown(reasons) => {
            let reasons: Vec<String> = reasons.into_iter().collect();
            let why = format!("what it would show was not seen: {}", reasons.join("; "));
            Judged {
                open: discriminator(id, catalogue),
                ..without(Grade::Untested, vec![said(why, Vec::new())])
            }
        }
        Truth::True(_) => {
            let why = match named.first() {
                Some(first) => format!("{} accounts for all that it would explain", first.id),
                None => "nothing is wrong that it would explain".to_owned(),
            };
            let grade = if named.is_empty() { Grade::Refuted } else { Grade::Untested };
            without(grade, vec![said(why, Vec::new())])
        }
    }
}

fn statement(statement: &Statement, facts: &Facts) -> Judged {
    let asked = |condition: &Option<Condition>| match condition.as_ref().map(|c| c.ask(facts)) {
        Some(Truth::True(by)) => {
            let mut evidence: Vec<ObservationId> =
                by.iter().flat_map(|fact| fact.evidence.iter().cloned()).collect();
            evidence.sort();
            evidence.dedup();
            Some((by.into_iter().cloned().collect::<Vec<_>>(), evidence))
        }
        _ => None,
    };
    let answers = [
        ("refuted", Grade::Refuted, asked(&statement.refuted)),
        ("proven", Grade::Proven, asked(&statement.proven)),
        ("supports", Grade::Consistent, asked(&statement.supports)),
    ];
    let found = answers.into_iter().find_map(|(word, grade, answer)| Some((word, grade, answer?)));
    let open = Some(by_hand(format!("ask {}", statement.ask)));
    match found {
        Some((word, grade, (by, evidence))) => {
            let by: Vec<_> = by.iter().collect();
            let text =
                statement.says.get(word).map(|text| fill_template(text, facts, &by)).unwrap_or_default();
            Judged { grade, why: vec![said(text, evidence)], beyond: statement.beyond.clone(), open }
        }
        None => Judged {
            grade: Grade::Untested,
            why: vec![said(format!("not asked, or not answered: {}", statement.ask), Vec::new())],
            beyond: statement.beyond.clone(),
            open,
        },
    }
}

fn fact(condition: &Condition, words: &str, facts: &Facts) -> Judged {
    let (grade, by) = match condition.ask(facts) {
        Truth::True(by) => (Grade::Proven, by),
        Truth::False(by) => (Grade::Refuted, by),
        Truth::Unknown(reasons) => {
            let reasons: Vec<String> = reasons.into_iter().collect();
            let why = vec![said(format!("not known: {}", reasons.join("; ")), Vec::new())];
            let open = Some(by_hand(format!("an audit that shows {words}")));
            return Judged { grade: Grade::Untested, why, beyond: None, open };
        }
    };
    let seen = |fact: &&crate::facts::Fact| {
        let of = if fact.subject.is_empty() { String::new() } else { format!(" ({})", fact.subject) };
        Some(said(format!("{}{of} is {}", fact.key, fact.known()?), fact.evidence.clone()))
    };
    Judged { grade, why: by.iter().filter_map(seen).take(4).collect(), beyond: None, open: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::{Levqor, levqor};

    const SEED: &str = include_str!("../../../scenarios/levqor/claims.toml");

    fn catalogue() -> &'static Catalogue {
        Catalogue::embedded()
    }

    fn graded(kind: Levqor, text: &str) -> Vec<GradedClaim> {
        let claims = Claims::parse(text, catalogue()).unwrap_or_else(|errors| panic!("{errors:?}"));
        grade(&claims, &levqor(kind), catalogue())
    }

    fn grade_of(list: &[GradedClaim], means: &str) -> Grade {
        list.iter().find(|c| c.means == means).unwrap_or_else(|| panic!("{means}: {list:#?}")).grade
    }

    #[test]
    fn the_claims_of_the_hand_written_report_are_graded_by_what_was_seen() {
        // The world as it later turned out to be: deployed, and the platform does not know the public host.
        let seen = graded(Levqor::HostUnbound, SEED);
        let expected = [
            ("local-works", Grade::Proven),
            ("certificate-fine", Grade::Proven),
            ("cause never-deployed", Grade::Refuted),
            ("port-was-the-blocker", Grade::Refuted),
            ("tests-fail-on-import", Grade::Proven),
            ("secrets-set", Grade::Untested),
        ];
        for (means, want) in expected {
            assert_eq!(grade_of(&seen, means), want, "{means}: {seen:#?}");
        }
        for claim in &seen {
            assert!(!claim.why.is_empty(), "{claim:#?}");
            let settled = matches!(claim.grade, Grade::Proven | Grade::Refuted);
            assert_eq!(claim.open.is_none(), settled, "{claim:#?}");
            if settled && claim.means != "not cause domain-not-attached" {
                assert!(
                    claim.why.iter().any(|why| !why.evidence.is_empty()),
                    "a proof names its observation: {claim:#?}"
                );
            }
        }
        // A certificate that is right proves nothing of what stands behind the edge.
        let certificate = seen.iter().find(|c| c.means == "certificate-fine").expect("it is there");
        assert!(certificate.beyond.as_deref().is_some_and(|text| text.contains("origin")));
    }

    #[test]
    fn what_only_the_platforms_own_name_could_show_is_not_proven_without_it() {
        let seen = graded(Levqor::OriginUnknown, SEED);
        assert_eq!(grade_of(&seen, "cause never-deployed"), Grade::Consistent, "{seen:#?}");
        let deployed = seen.iter().find(|c| c.means == "cause never-deployed").expect("it is there");
        assert!(deployed.open.as_ref().is_some_and(|open| open.how.contains("origin")), "{deployed:#?}");
        assert_eq!(grade_of(&seen, "deploy-config-right"), Grade::Consistent);
    }

    #[test]
    fn where_it_is_true_it_is_proven() {
        let seen = graded(Levqor::Undeployed, SEED);
        assert_eq!(grade_of(&seen, "cause never-deployed"), Grade::Proven, "{seen:#?}");
        let healthy =
            graded(Levqor::Deployed, "production works\ncause never-deployed\nnot cause never-deployed");
        let grades: Vec<Grade> = healthy.iter().map(|c| c.grade).collect();
        assert_eq!(grades, [Grade::Proven, Grade::Refuted, Grade::Proven], "{healthy:#?}");
    }

    #[test]
    fn a_line_is_understood_as_people_write_it() {
        let text = "# notes\n\n- The certificate is fine.\n* not cause port-refused\ncause never-deployed\nDNS is working!\n";
        let seen = graded(Levqor::Undeployed, text);
        let means: Vec<&str> = seen.iter().map(|c| c.means.as_str()).collect();
        assert_eq!(
            means,
            ["certificate-fine", "not cause port-refused", "cause never-deployed", "dns-works"]
        );
    }

    #[test]
    fn a_condition_of_the_facts_is_a_claim_as_well() {
        let text = "[[claim]]\nsays = \"threshold 5\"\nfact = { fact = \"limit.count\", is = 5 }\n[[claim]]\nfact = { fact = \"limit.window_s\", is = 3600 }\n";
        let seen = graded(Levqor::Undeployed, text);
        assert_eq!(seen[0].grade, Grade::Proven, "{seen:#?}");
        assert_ne!(seen[1].grade, Grade::Proven, "{seen:#?}");
    }

    #[test]
    fn a_claim_that_is_not_understood_is_named_with_its_place_and_the_nearest() {
        let cases = [
            (
                "cause never-deploid",
                "line 1: no cause is called \"never-deploid\"; did you mean \"never-deployed\"?",
            ),
            ("\nthe certificate is fien", "line 2: "),
            ("the certificate is fien", "did you mean \"certificate fine\"?"),
            ("", "the file: holds no claim"),
            ("[[claim]]\nholds = \"certificate-fin\"", "claim 1: no statement is called"),
            ("[[claim]]\ncause = \"never-deployed\"\nholds = \"dns-works\"", "more than one"),
            ("[[claim]]\nsays = \"all is well\"", "none of cause"),
            ("[[claim]]\nfact = { fact = \"limit.cuont\", is = 5 }", "did you mean limit.count?"),
            ("[[claim]]\nwhy = 3", "unknown field"),
        ];
        for (text, want) in cases {
            let errors = Claims::parse(text, catalogue()).expect_err(text);
            assert!(errors.iter().any(|e| e.to_string().contains(want)), "{want}: {errors:?}");
        }
    }
}
