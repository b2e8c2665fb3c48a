//! Holds a report against what is expected of it.
//!
//! It reads the JSON report, whose keys are stable, rather than the types behind it: the lab knows what is true and
//! nothing of how the truth is found.

use std::collections::BTreeSet;

use landfall_evidence::LimiterClass;
use serde_json::Value;

use crate::scenario::{Expected, ExpectedCauses, ExpectedRateLimit};

impl Expected {
    /// Everything in which a JSON report (`landfall.report/1`) and the exit status of its audit differ from what is
    /// expected, one sentence each; empty when nothing does.
    pub fn differences(&self, report: &Value, exit: i32) -> Vec<String> {
        let mut differences = Vec::new();
        let mut hold = |holds: bool, say: String| {
            if !holds {
                differences.push(say);
            }
        };
        let verdict = &report["verdict"];
        hold(*verdict == self.verdict, format!("the verdict is {verdict}, expected {:?}", self.verdict));
        hold(exit == i32::from(self.exit), format!("the exit status is {exit}, expected {}", self.exit));
        let readiness = &report["readiness"];
        let (passed, total) = (&readiness["passed"], &readiness["total"]);
        let as_expected = *passed == self.readiness.passed && *total == self.readiness.total;
        hold(
            as_expected,
            format!(
                "readiness is {passed} of {total}, expected {} of {}",
                self.readiness.passed, self.readiness.total
            ),
        );
        let failing: BTreeSet<&str> = list(&readiness["checks"])
            .iter()
            .filter(|c| c["status"] != "ok")
            .filter_map(|c| c["id"].as_str())
            .collect();
        let wanted: BTreeSet<&str> = self.readiness.failing.iter().map(String::as_str).collect();
        hold(failing == wanted, format!("the checks that do not pass are {failing:?}, expected {wanted:?}"));
        self.causes.compare(report, &mut hold);
        self.rate_limit.compare(&report["rate_limit"], &mut hold);
        differences
    }
}

impl ExpectedCauses {
    fn compare(&self, report: &Value, hold: &mut impl FnMut(bool, String)) {
        let causes = list(&report["causes"]);
        let ids: Vec<&str> = causes.iter().filter_map(|c| c["id"].as_str()).collect();
        let is = |wanted: &[String], id: &str| wanted.iter().any(|w| w == id);
        if self.top.is_empty() {
            for id in ids.iter().filter(|id| !is(&self.beside, id) && !is(&self.allowed, id)) {
                hold(false, format!("the cause {id} is reported where nothing is wrong"));
            }
        } else {
            let first = ids.first().copied().unwrap_or("none");
            hold(is(&self.top, first), format!("the first cause is {first}, expected one of {:?}", self.top));
            let shares = causes.iter().filter(|c| c["id"].as_str().is_some_and(|id| is(&self.top, id)));
            let share: f64 = shares.filter_map(|c| c["confidence"].as_f64()).sum();
            // Shares are rounded to two decimals each, so their sum may lie a little below the share of all.
            let rounding = 0.005 * self.top.len() as f64;
            let enough = share + rounding >= self.confidence_at_least;
            hold(
                enough,
                format!("{:?} have {share:.2} together, expected {}", self.top, self.confidence_at_least),
            );
        }
        if self.top.len() > 1 {
            let tied =
                |tie: &Value| self.top.iter().all(|id| list(&tie["causes"]).iter().any(|c| c == id.as_str()));
            hold(list(&report["ties"]).iter().any(tied), format!("{:?} do not stand in one tie", self.top));
        }
        for id in self.beside.iter().filter(|id| !ids.contains(&id.as_str())) {
            hold(false, format!("the cause {id} is missing"));
        }
        for id in self.must_not.iter().filter(|id| ids.contains(&id.as_str())) {
            hold(false, format!("the cause {id} is reported and is not true"));
        }
        let rivals = causes.first().map(|c| list(&c["rivals"])).unwrap_or_default();
        for id in &self.refuted {
            let refuted = rivals.iter().any(|r| r["id"] == id.as_str() && r["separated"] == true);
            hold(refuted, format!("the rival {id} is not named as refuted by an observation"));
        }
    }
}

impl ExpectedRateLimit {
    fn compare(&self, seen: &Value, hold: &mut impl FnMut(bool, String)) {
        let refused = self.status.to_string();
        let met = list(&seen["statuses"]).iter().filter(|s| s.as_str() == Some(&refused)).count();
        // A claim may be wide and may be missing, but where one is made the truth must lie in it.
        let window = &seen["window_ms"];
        hold(
            window.is_null() || holds(window, self.window_ms),
            format!("the window is given as {window} ms, and is {}", self.window_ms),
        );
        let classes: Vec<LimiterClass> =
            serde_json::from_value(seen["algorithm"].clone()).unwrap_or_default();
        let fits = classes.is_empty() || classes.contains(&self.algorithm);
        hold(fits, format!("the limiter is taken for {classes:?}, and is {:?}", self.algorithm));
        let limit = &seen["limit"];
        let limit_says = format!("the limit is given as {limit}, and is {}", self.limit);
        if !self.reached {
            hold(met == 0, format!("the audit met {met} refusals, expected none"));
            hold(limit.is_null() || holds(limit, self.limit), limit_says);
            return;
        }
        hold(limit["high"].is_u64() && holds(limit, self.limit), limit_says);
        let said =
            |key: &str, word: &str| seen[key].as_str().is_some_and(|text| text.to_lowercase().contains(word));
        hold(said("signal", &refused), format!("the signal is {}, and is {refused}", seen["signal"]));
        hold(
            said("hop", &self.hop),
            format!("the hop that refuses is {}, and is the {}", seen["hop"], self.hop),
        );
    }
}

/// Whether an interval holds a value; without an upper end it holds everything from its lower one.
fn holds(interval: &Value, value: u64) -> bool {
    let low = interval["low"].as_u64().is_some_and(|low| low <= value);
    low && interval["high"].as_u64().is_none_or(|high| value <= high)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::scenario::load;

    #[test]
    fn a_right_report_passes_and_each_wrong_part_is_named() {
        let expected = load("levqor-undeployed").expect("loads").expected;
        let right = json!({
            "verdict": "not-live",
            "causes": [
                {"id": "never-deployed", "confidence": 0.97, "rivals": [{"id": "domain-not-attached", "separated": true}]},
                {"id": "tests-cannot-import-project", "confidence": 0.99, "rivals": []},
            ],
            "ties": [],
            "readiness": {"passed": 7, "total": 9, "checks": [
                {"id": "dns", "status": "ok"},
                {"id": "production-deployed", "status": "fail"},
                {"id": "tests", "status": "fail"},
            ]},
            "rate_limit": {
                "limit": {"low": 5, "high": 5}, "window_ms": {"low": 9_000, "high": 10_001},
                "algorithm": ["fixed-window", "sliding-log"], "signal": "HTTP 429 with Retry-After: 10", "hop": "edge (Cloudflare)",
                "statuses": ["404", "404", "404", "404", "404", "429"],
            },
        });
        assert_eq!(expected.differences(&right, 1), Vec::<String>::new());
        let changes: [(&str, serde_json::Value, &str); 10] = [
            ("/verdict", json!("live"), "the verdict is"),
            ("/causes/0/id", json!("domain-not-attached"), "the first cause is domain-not-attached"),
            ("/causes/0/confidence", json!(0.6), "0.60 together"),
            ("/causes/0/rivals/0/separated", json!(false), "the rival domain-not-attached"),
            ("/causes/1/id", json!("listen-port-wrong"), "listen-port-wrong is reported and is not true"),
            ("/readiness/passed", json!(8), "readiness is 8 of 9"),
            ("/readiness/checks/0/status", json!("unknown"), "the checks that do not pass"),
            ("/rate_limit/limit/low", json!(6), "the limit is given as"),
            ("/rate_limit/window_ms/low", json!(45_000), "the window is given as"),
            ("/rate_limit/algorithm", json!(["token-bucket"]), "the limiter is taken for"),
        ];
        for (pointer, value, problem) in changes {
            let mut wrong = right.clone();
            *wrong.pointer_mut(pointer).expect("is there") = value;
            let differences = expected.differences(&wrong, 1);
            assert!(differences.iter().any(|d| d.contains(problem)), "{pointer}: {differences:?}");
        }
        assert_eq!(expected.differences(&right, 0), ["the exit status is 0, expected 1"]);
    }

    #[test]
    fn a_cause_where_nothing_is_wrong_is_a_difference() {
        let expected = load("levqor-deployed").expect("loads").expected;
        let report = json!({"causes": [{"id": "app-forbids", "confidence": 0.5}]});
        assert!(
            expected
                .differences(&report, 0)
                .iter()
                .any(|d| d.contains("app-forbids is reported where nothing is wrong"))
        );
    }

    #[test]
    fn a_tie_must_hold_every_cause_that_cannot_be_separated() {
        let expected = load("levqor-origin-unknown").expect("loads").expected;
        let mut report = json!({
            "causes": [{"id": "never-deployed", "confidence": 0.47}, {"id": "domain-not-attached", "confidence": 0.46}],
            "ties": [{"causes": ["never-deployed", "domain-not-attached"]}],
        });
        let about_tie = |report: &serde_json::Value| {
            expected
                .differences(report, 1)
                .into_iter()
                .filter(|d| d.contains("together") || d.contains("tie"))
                .count()
        };
        assert_eq!(about_tie(&report), 0);
        report["ties"] = json!([]);
        assert_eq!(about_tie(&report), 1);
    }
}
