//! Scenarios: what is true in a world, what it is made of, and what an audit of it must say.
//!
//! A scenario is a folder `scenarios/NAME` with `world.toml` and `expected.toml`. `extends = "OTHER"` in world.toml takes
//! everything of `scenarios/OTHER/world.toml` that is not said again; tables merge, values and lists replace.

use landfall_evidence::LimiterClass;
use serde::Deserialize;

use crate::error::LabError;
use crate::files;
use crate::world::World;

/// One world with its truth and with what an audit must conclude.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// The folder's name: `levqor-undeployed`.
    pub name: String,
    /// One line for people.
    pub title: String,
    /// What is true in it.
    pub truth: Truth,
    /// What it is made of.
    pub world: World,
    /// What an audit of it must say.
    pub expected: Expected,
}

/// What is true in a world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truth {
    /// In words.
    pub story: String,
    /// The id in `catalogue/faults.toml` of the fault that keeps production from working; `None` where nothing does.
    pub cause: Option<String>,
    /// Which repairs are already applied: `tests`, `rate-limit`, `deployment`.
    pub repaired: Vec<String>,
}

/// What an audit of a world must say.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// `live`, `degraded`, `not-live` or `unknown`, as of the report's verdict.
    pub verdict: String,
    /// Exit status of `landfall audit` with the default `--fail-on high`.
    pub exit: u8,
    /// The causes.
    pub causes: ExpectedCauses,
    /// The checklist.
    pub readiness: ExpectedReadiness,
    /// What `landfall verify` must come to.
    pub verify: ExpectedVerify,
    /// The limiter as it really is.
    pub rate_limit: ExpectedRateLimit,
}

/// What the ranking of causes must look like.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedCauses {
    /// The first cause is one of these. With several the evidence cannot separate them, and all must stand in one tie.
    /// Empty: no cause may be reported but those in `beside` and `allowed`.
    pub top: Vec<String>,
    /// Shares of the causes in `top` together, at least; 0 to 1.
    #[serde(default)]
    pub confidence_at_least: f64,
    /// Causes on other axes (tests, rate limit) that must stand beside it.
    #[serde(default)]
    pub beside: Vec<String>,
    /// Causes that may stand beside it and need not: whether a limiter is a cause or a finding is a matter of taste.
    #[serde(default)]
    pub allowed: Vec<String>,
    /// Look-alikes that an observation must have refuted; each is named, with its rival, in the report.
    #[serde(default)]
    pub refuted: Vec<String>,
    /// Causes that must not be reported as possible or more.
    #[serde(default)]
    pub must_not: Vec<String>,
}

/// What the checklist must come to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedReadiness {
    /// Checks passed.
    pub passed: u32,
    /// Checks that apply.
    pub total: u32,
    /// Ids of the checks that fail, in any order.
    #[serde(default)]
    pub failing: Vec<String>,
}

/// What `landfall verify` must come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedVerify {
    /// Whether every verification passes.
    pub passes: bool,
}

/// The limiter as it really is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedRateLimit {
    /// Whether an audit within the default budget meets a refusal.
    pub reached: bool,
    /// Requests that pass from a quiet start.
    pub limit: u64,
    /// Window, in milliseconds.
    pub window_ms: u64,
    /// Status of a refusal.
    pub status: u16,
    /// The hop that refuses.
    pub hop: String,
    /// Its kind.
    pub algorithm: LimiterClass,
}

/// Every scenario, by name. A scenario with a faulty description is left out: [`load`] says what is wrong with it.
pub fn scenarios() -> Vec<Scenario> {
    let mut all: Vec<Scenario> = names().filter_map(|name| load(name).ok()).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// One scenario.
///
/// # Errors
/// When no scenario has this name or its description is wrong.
pub fn load(name: &str) -> Result<Scenario, LabError> {
    if !names().any(|known| known == name) {
        let known = names().collect::<Vec<_>>().join(", ");
        return Err(LabError::UnknownScenario { name: name.to_owned(), known });
    }
    let file = format!("{name}/world.toml");
    let head: Head = described(&file, merged(name, 0)?.try_into())?;
    let expected_file = format!("{name}/expected.toml");
    let expected =
        described(&expected_file, toml::from_str(files::text(&expected_file).unwrap_or_default()))?;
    head.world.check().map_err(|problem| LabError::Description { file, problem })?;
    let truth =
        Truth { story: head.story, cause: head.cause.filter(|id| !id.is_empty()), repaired: head.repaired };
    Ok(Scenario { name: name.to_owned(), title: head.title, truth, world: head.world, expected })
}

/// `world.toml` as a whole, after `extends` is resolved.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    title: String,
    story: String,
    /// Empty where a world that extends another has no fault any more.
    cause: Option<String>,
    #[serde(default)]
    repaired: Vec<String>,
    world: World,
}

fn names() -> impl Iterator<Item = &'static str> {
    files::FILES
        .iter()
        .filter_map(|(path, _)| path.strip_suffix("/expected.toml"))
        .filter(|name| !name.contains('/'))
}

/// Worlds extend each other a few levels deep; more is a circle.
const MAX_DEPTH: usize = 8;

fn merged(name: &str, depth: usize) -> Result<toml::Table, LabError> {
    let file = format!("{name}/world.toml");
    let fail = |problem: String| LabError::Description { file: file.clone(), problem };
    if depth == MAX_DEPTH {
        return Err(fail(format!("extends goes on for more than {MAX_DEPTH} levels")));
    }
    let text = files::text(&file).ok_or_else(|| fail("the file does not exist".into()))?;
    let mut own: toml::Table = described(&file, toml::from_str(text))?;
    match own.remove("extends") {
        None => Ok(own),
        Some(toml::Value::String(base)) => {
            let mut whole = merged(&base, depth + 1)?;
            merge(&mut whole, own);
            Ok(whole)
        }
        Some(other) => Err(fail(format!("extends is {other}, not the name of a folder of scenarios/"))),
    }
}

fn merge(into: &mut toml::Table, from: toml::Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(toml::Value::Table(old)), toml::Value::Table(new)) => merge(old, new),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

fn described<T>(file: &str, result: Result<T, toml::de::Error>) -> Result<T, LabError> {
    result.map_err(|e| LabError::Description {
        file: file.to_owned(),
        problem: e.to_string().trim_end().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_loads() {
        for name in names() {
            if let Err(error) = load(name) {
                panic!("{error}");
            }
        }
        assert_eq!(scenarios().len(), names().count());
        for name in [
            "levqor-undeployed",
            "levqor-host-unbound",
            "levqor-origin-unknown",
            "levqor-stale-build",
            "levqor-wrong-app",
            "levqor-hollow-green",
            "levqor-deployed",
            "levqor-undeployed-tests-fixed",
            "levqor-undeployed-limit-raised",
            "levqor-deployed-tests-broken",
            "levqor-deployed-limited",
        ] {
            assert!(names().any(|known| known == name), "{name} is missing");
        }
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_known_ones() {
        let error = load("levqor-undeploid").expect_err("unknown").to_string();
        assert!(error.contains("levqor-undeploid") && error.contains("levqor-undeployed,"), "{error}");
    }

    #[test]
    fn the_limiter_that_is_expected_is_the_limiter_that_is_built() {
        for scenario in scenarios() {
            let limiter = scenario.world.edge.limiter.expect("every levqor world has one");
            assert_eq!(
                u64::from(limiter.requests.get()),
                scenario.expected.rate_limit.limit,
                "{}",
                scenario.name
            );
            let window_ms = u64::try_from(limiter.period().as_millis()).expect("short");
            assert_eq!(window_ms, scenario.expected.rate_limit.window_ms, "{}", scenario.name);
        }
    }

    #[test]
    fn the_truth_is_what_the_audit_is_expected_to_find() {
        for scenario in scenarios() {
            match &scenario.truth.cause {
                Some(cause) => assert!(scenario.expected.causes.top.contains(cause), "{}", scenario.name),
                None => assert!(scenario.expected.causes.top.is_empty(), "{}", scenario.name),
            }
        }
    }

    #[test]
    fn an_unknown_key_is_named() {
        let mut table = merged("levqor-undeployed", 0).expect("loads");
        let edge = table["world"].as_table_mut().and_then(|w| w["edge"].as_table_mut()).expect("has an edge");
        edge.insert("colour".into(), "blue".into());
        let error = table.try_into::<Head>().map(|_| ()).expect_err("unknown key").to_string();
        assert!(error.contains("unknown field `colour`") && error.contains("world.edge"), "{error}");
    }
}
