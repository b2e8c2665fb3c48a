//! What an audit said, held against what is true in the world that it audited.

use serde_json::Value;

use crate::scenario::Expected;

impl Expected {
    /// Where a JSON report and an exit status differ from what this world demands, each in a sentence; empty when they do
    /// not.
    pub fn differences(&self, report: &Value, exit: i32) -> Vec<String> {
        let mut found = Vec::new();
        let mut differs = |what: &str, expected: &dyn std::fmt::Display, said: &dyn std::fmt::Display| {
            found.push(format!("{what}: expected {expected}, the audit says {said}"));
        };
        if report["verdict"] != self.verdict.as_str() {
            differs("verdict", &self.verdict, &report["verdict"]);
        }
        if exit != i32::from(self.exit) {
            differs("exit status", &self.exit, &exit);
        }
        let readiness = &report["readiness"];
        if readiness["passed"] != self.readiness.passed || readiness["total"] != self.readiness.total {
            let expected = format!("{} of {}", self.readiness.passed, self.readiness.total);
            differs("readiness", &expected, &format!("{} of {}", readiness["passed"], readiness["total"]));
        }
        found.extend(self.cause_differences(report));
        found.extend(self.rate_limit_differences(report));
        found
    }

    fn cause_differences(&self, report: &Value) -> Vec<String> {
        let mut found = Vec::new();
        let causes: Vec<Named<'_>> = named(&report["causes"]);
        let said: Vec<&str> = causes.iter().map(|c| c.id).collect();
        match self.causes.top.as_slice() {
            [] => {
                let extra: Vec<&&str> = said.iter().filter(|id| !self.causes.beside.iter().any(|b| b == **id)).collect();
                if !extra.is_empty() {
                    found.push(format!("causes: expected none beside {:?}, the audit names {extra:?}", self.causes.beside));
                }
            }
            top => {
                let share: f64 = causes.iter().filter(|c| top.iter().any(|t| t == c.id)).map(|c| c.confidence).sum();
                if !said.first().is_some_and(|first| top.iter().any(|t| t == first)) {
                    found.push(format!("first cause: expected one of {top:?}, the audit says {said:?}"));
                } else if share + 1e-9 < self.causes.confidence_at_least {
                    let least = self.causes.confidence_at_least;
                    found.push(format!("confidence in {top:?} together: expected at least {least}, the audit says {share:.2}"));
                }
                if top.len() > 1 && !ties(report).iter().any(|tie| top.iter().all(|t| tie.contains(&t.as_str()))) {
                    found.push(format!("tie: expected {top:?} to stand in one tie, the audit has {:?}", ties(report)));
                }
            }
        }
        for id in self.causes.beside.iter().filter(|id| !said.contains(&id.as_str())) {
            found.push(format!("causes: expected {id} as well, the audit says {said:?}"));
        }
        for id in self.causes.must_not.iter().filter(|id| said.contains(&id.as_str())) {
            found.push(format!("causes: {id} must not be named, and the audit names it"));
        }
        for id in &self.causes.refuted {
            let refuted = array(&report["causes"]).iter().chain(array(&report["ruled_out"])).any(|cause| {
                array(&cause["rivals"]).iter().any(|rival| rival["id"] == id.as_str() && rival["separated"] == true)
                    || (cause["id"] == id.as_str() && cause["label"] == "ruled-out")
            });
            if !refuted || said.contains(&id.as_str()) {
                found.push(format!("causes: expected {id} as a rival that an observation refuted"));
            }
        }
        found
    }

    fn rate_limit_differences(&self, report: &Value) -> Vec<String> {
        let said = &report["rate_limit"];
        let (low, high) = (said["limit"]["low"].as_u64(), said["limit"]["high"].as_u64());
        if self.rate_limit.reached {
            let limit = Some(self.rate_limit.limit);
            if (low, high) == (limit, limit) {
                return Vec::new();
            }
            return vec![format!("rate limit: expected exactly {}, the audit says {}", self.rate_limit.limit, said["limit"])];
        }
        // A limit that was not reached may be stated as "at least", never as a figure that is not true.
        match high {
            Some(high) if high != self.rate_limit.limit => {
                vec![format!("rate limit: none was reached, and the audit says {}", said["limit"])]
            }
            _ => Vec::new(),
        }
    }
}

struct Named<'a> {
    id: &'a str,
    confidence: f64,
}

fn named(causes: &Value) -> Vec<Named<'_>> {
    let name = |c: &'_ Value| c["confidence"].as_f64().unwrap_or(0.0);
    array(causes).iter().map(|c| Named { id: c["id"].as_str().unwrap_or_default(), confidence: name(c) }).collect()
}

fn ties(report: &Value) -> Vec<Vec<&str>> {
    array(&report["ties"]).iter().map(|t| array(&t["causes"]).iter().filter_map(Value::as_str).collect()).collect()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn a_right_report_has_no_difference_and_a_wrong_one_is_told_by_place() {
        let expected = crate::load("levqor-undeployed").expect("the scenario is there").expected;
        let top = &expected.causes.top[0];
        let beside = expected.causes.beside.iter().map(|id| json!({"id": id, "confidence": 0.9, "rivals": []}));
        let rivals: Vec<_> = expected.causes.refuted.iter().map(|id| json!({"id": id, "separated": true})).collect();
        let mut causes = vec![json!({"id": top, "confidence": 0.97, "rivals": rivals})];
        causes.extend(beside);
        let right = json!({
            "verdict": expected.verdict, "causes": causes, "ruled_out": [], "ties": [],
            "readiness": {"passed": expected.readiness.passed, "total": expected.readiness.total},
            "rate_limit": {"limit": {"low": expected.rate_limit.limit, "high": expected.rate_limit.limit}},
        });
        assert_eq!(expected.differences(&right, i32::from(expected.exit)), Vec::<String>::new());

        let mut wrong = right.clone();
        wrong["verdict"] = "live".into();
        wrong["causes"][0]["id"] = "cert-expired".into();
        wrong["rate_limit"]["limit"]["high"] = 6.into();
        let differences = expected.differences(&wrong, 0).join("\n");
        for word in ["verdict", "exit status", "first cause", "rate limit"] {
            assert!(differences.contains(word), "{word}: {differences}");
        }
    }
}
