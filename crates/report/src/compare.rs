//! A report as something to compare, and a comparison laid out.
//!
//! What can change between two audits is read from the report, which evidence files and report files both lead to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use landfall_diagnosis::{
    Aspect, Change, Comparison, Direction, HistoricStart, NamedCause, Standing, StandingCause, StandingFact,
    StandingFinding, source,
};
use landfall_evidence::{DeployStage, Exit, ObservationId, TestPurpose, TrustResult, Vantage};

use crate::Style;
use crate::model::{Answer, Outcome, Report, TestsReport, TlsReport};
use crate::text::{clean, shorten, wrap_hanging};
use crate::words;

/// Keys of a JSON answer that say which build gave it.
const BUILD_KEYS: &[&str] =
    &["version", "build", "build_id", "commit", "git_sha", "sha", "revision", "release"];
/// Headers that say the same.
const BUILD_HEADERS: &[&str] = &[
    "x-version",
    "x-app-version",
    "x-build",
    "x-build-id",
    "x-commit",
    "x-git-sha",
    "x-release",
    "x-revision",
];
/// Columns of one value in the text; the JSON has it whole.
const VALUE_COLUMNS: usize = 160;

impl Report {
    /// How things stand by this report, for [`landfall_diagnosis::compare`].
    pub fn standing(&self) -> Standing {
        let target =
            self.target.production.as_ref().map_or_else(|| self.target.name.clone(), ToString::to_string);
        let sources = |ids: &[ObservationId]| ids.iter().map(source).collect::<BTreeSet<_>>();
        Standing {
            target,
            at: self.generated_at,
            verdict: self.verdict,
            catalogue: self.catalogue.clone(),
            asked: self
                .timing
                .observations
                .iter()
                .filter(|bar| bar.outcome != Outcome::Unasked)
                .map(|bar| source(&bar.evidence))
                .collect(),
            causes: self
                .causes
                .iter()
                .map(|cause| {
                    let evidence: BTreeSet<ObservationId> = cause
                        .evidence_for
                        .iter()
                        .flat_map(|argument| argument.evidence.iter().cloned())
                        .collect();
                    StandingCause {
                        id: cause.id.clone(),
                        title: cause.title.clone(),
                        rung: cause.rung.clone(),
                        label: cause.label,
                        rests_on: evidence.iter().map(source).collect(),
                        evidence,
                    }
                })
                .collect(),
            findings: self
                .findings
                .iter()
                .filter(|finding| finding.cause.is_none())
                .map(|finding| StandingFinding {
                    code: finding.code.clone(),
                    title: finding.title.clone(),
                    severity: finding.severity,
                    rests_on: sources(&finding.evidence),
                })
                .collect(),
            facts: self.standing_facts(),
            history: self
                .environment
                .git
                .iter()
                .flat_map(|git| &git.deploy_history)
                .map(|change| HistoricStart {
                    before: change.start_before.as_ref().map(|start| start.raw.clone()),
                    after: change.start_after.as_ref().map(|start| start.raw.clone()),
                    commit: change.commit.clone(),
                    subject: change.subject.clone(),
                    at: change.at,
                })
                .collect(),
        }
    }

    fn standing_facts(&self) -> Vec<StandingFact> {
        let mut facts = Vec::new();
        self.answers(&mut facts);
        self.names(&mut facts);
        certificates(&self.tls, &mut facts);
        self.project(&mut facts);
        self.limiter(&mut facts);
        if let Some(run) = self.tests.iter().find(|run| run.purpose == TestPurpose::AsDeclared) {
            facts.extend(tests(run));
        }
        facts
    }

    fn answers(&self, facts: &mut Vec<StandingFact>) {
        // Several builds on one side are one fact: that is what a half-finished rollout looks like.
        let mut builds: BTreeMap<Vantage, (BTreeSet<String>, Vec<ObservationId>)> = BTreeMap::new();
        for endpoint in &self.health.endpoints {
            for answer in
                endpoint.answers.iter().filter(|a| a.outcome != Outcome::Unasked && !a.fell_to_limiter)
            {
                let kind = answer.media_type.as_ref().map(|kind| format!(", {kind}")).unwrap_or_default();
                facts.push(StandingFact {
                    aspect: Aspect::Endpoint,
                    subject: format!("{} {} {}", answer.method, endpoint.path, place(answer.vantage)),
                    value: format!("{}{kind}", answer.words),
                    good: answer.as_declared,
                    rests_on: vec![answer.evidence.clone()],
                });
                if let Some(build) = build_of(answer) {
                    let (said, by) = builds.entry(answer.vantage).or_default();
                    said.insert(build);
                    by.push(answer.evidence.clone());
                }
            }
        }
        for (vantage, (said, rests_on)) in builds {
            facts.push(StandingFact {
                aspect: Aspect::Build,
                subject: place(vantage).to_owned(),
                value: said.into_iter().collect::<Vec<_>>().join("; "),
                good: None,
                rests_on,
            });
        }
        let hops: Vec<String> = self
            .path
            .iter()
            .filter_map(|hop| Some(format!("{} ({})", hop.vendor.as_ref()?, words::hop_kind(hop.hop))))
            .collect();
        if !hops.is_empty() {
            let edge = self.health.endpoints.iter().filter_map(|endpoint| endpoint.from(Vantage::Edge));
            facts.push(StandingFact {
                aspect: Aspect::Way,
                subject: String::new(),
                value: hops.join(" → "),
                good: None,
                rests_on: edge.map(|answer| answer.evidence.clone()).collect(),
            });
        }
    }

    fn names(&self, facts: &mut Vec<StandingFact>) {
        let rows = |wanted: &dyn Fn(&str, &str) -> bool| -> Vec<ObservationId> {
            let rows = self.dns.servers.iter().flat_map(|server| &server.rows);
            let ids: BTreeSet<ObservationId> =
                rows.filter(|row| wanted(&row.name, &row.rtype)).map(|row| row.evidence.clone()).collect();
            ids.into_iter().collect()
        };
        for family in &self.dns.families {
            let rtype = if family.family == "IPv6" { "AAAA" } else { "A" };
            let mut addresses = family.addresses.clone();
            addresses.sort();
            let value = if addresses.is_empty() { family.words.clone() } else { addresses.join(", ") };
            let rests_on =
                rows(&|name, kind| kind == rtype && self.dns.name.as_deref().is_none_or(|n| n == name));
            if !value.is_empty() {
                facts.push(StandingFact {
                    aspect: Aspect::Addresses,
                    subject: family.family.clone(),
                    value,
                    good: None,
                    rests_on,
                });
            }
        }
        let mut servers: Vec<&str> = self.dns.nameservers.iter().map(|server| server.name.as_str()).collect();
        servers.sort_unstable();
        if !servers.is_empty() {
            facts.push(StandingFact {
                aspect: Aspect::Nameservers,
                subject: String::new(),
                value: servers.join(", "),
                good: None,
                rests_on: rows(&|_, kind| kind == "NS"),
            });
        }
    }

    fn project(&self, facts: &mut Vec<StandingFact>) {
        let Some(id) = self.environment.evidence.clone() else { return };
        let mut push = |aspect, subject: String, value: String| {
            facts.push(StandingFact { aspect, subject, value, good: None, rests_on: vec![id.clone()] });
        };
        for config in self.environment.deploy.iter().filter(|config| config.stage == DeployStage::Production)
        {
            if let Some(start) = &config.start {
                push(Aspect::Start, config.file.clone(), start.raw.clone());
            }
            if !config.ports.is_empty() {
                let ports: Vec<String> =
                    config.ports.iter().map(|map| format!("{}→{}", map.local, map.external)).collect();
                push(Aspect::Ports, config.file.clone(), ports.join(", "));
            }
            if let Some(path) = &config.health_path {
                push(Aspect::HealthPath, config.file.clone(), path.clone());
            }
            for name in &config.sets {
                push(Aspect::Variables, format!("{name} in {}", config.file), "set".to_owned());
            }
        }
        for setting in &self.environment.settings.read {
            let value = if setting.has_default { "read with a default" } else { "read without a default" };
            push(Aspect::SettingsRead, setting.name.clone(), value.to_owned());
        }
        for name in &self.environment.settings.present {
            push(Aspect::SettingsPresent, name.clone(), "present".to_owned());
        }
        if let Some(git) = &self.environment.git {
            push(Aspect::Commit, String::new(), git.head.get(..7).unwrap_or(&git.head).to_owned());
            if let Some(branch) = &git.branch {
                push(Aspect::Branch, String::new(), branch.clone());
            }
            let files = git.uncommitted.len() + git.untracked.len();
            let ahead = git.ahead.map_or_else(String::new, |n| {
                format!(", {} not pushed", words::count(n, "commit", "commits"))
            });
            let value = format!("{} not committed{ahead}", words::count(files as u64, "file", "files"));
            push(Aspect::Unpushed, String::new(), value);
        }
    }

    /// The limit where it is known exactly: an interval is another one in every run, without any change.
    fn limiter(&self, facts: &mut Vec<StandingFact>) {
        let Some(limit) = &self.rate_limit else { return };
        let Some(id) = limit.evidence.clone() else { return };
        let hop = limit.hop.as_ref().map(|hop| format!(", refused by {hop}")).unwrap_or_default();
        let value = match limit.limit.map(|interval| interval.exact()) {
            Some(Some(requests)) => format!("{} at once{hop}", words::count(requests, "request", "requests")),
            Some(None) => return,
            None => "none met".to_owned(),
        };
        facts.push(StandingFact {
            aspect: Aspect::Limiter,
            subject: String::new(),
            value,
            good: None,
            rests_on: vec![id],
        });
    }
}

fn place(vantage: Vantage) -> &'static str {
    match vantage {
        Vantage::Edge => "at the edge",
        Vantage::Origin => "at the origin",
        Vantage::Local => "on this machine",
        Vantage::Workspace => "in the workspace",
        Vantage::ThirdParty => "at a third party",
    }
}

/// What an answer says of the build that gave it.
fn build_of(answer: &Answer) -> Option<String> {
    let body = answer.body.as_ref().filter(|body| body.is_json);
    let object = body.and_then(|body| serde_json::from_str::<serde_json::Value>(body.text.as_deref()?).ok());
    let mut said: Vec<String> = Vec::new();
    for key in BUILD_KEYS {
        let value = object.as_ref().and_then(|object| object.get(key));
        match value {
            Some(serde_json::Value::String(text)) => said.push(format!("{key} {text}")),
            Some(serde_json::Value::Number(number)) => said.push(format!("{key} {number}")),
            _ => {}
        }
    }
    let headers = answer.headers.iter().filter(|header| BUILD_HEADERS.contains(&header.name.as_str()));
    said.extend(headers.map(|header| format!("{} {}", header.name, header.value)));
    (!said.is_empty()).then(|| said.join(", "))
}

/// One fact for all addresses of a side: what differs between addresses is a finding's business.
fn certificates(handshakes: &[TlsReport], facts: &mut Vec<StandingFact>) {
    for vantage in [Vantage::Edge, Vantage::Origin] {
        let of_side: Vec<&TlsReport> = handshakes
            .iter()
            .filter(|tls| tls.vantage == vantage && tls.outcome != Outcome::Unasked)
            .collect();
        if of_side.is_empty() {
            continue;
        }
        let rests_on: Vec<ObservationId> = of_side.iter().map(|tls| tls.evidence.clone()).collect();
        let mut leaves: BTreeSet<String> = BTreeSet::new();
        let mut trust: BTreeSet<String> = BTreeSet::new();
        let mut good = true;
        for tls in &of_side {
            // A chain that was shown before is not shown again; the earlier handshake has it.
            let earlier =
                tls.same_as.as_ref().and_then(|id| of_side.iter().find(|other| &other.evidence == id));
            let shown = earlier.unwrap_or(tls);
            if let Some(leaf) = shown.chain.first() {
                let leaf = &leaf.certificate;
                let issuer = leaf.issuer_organisation.as_deref().unwrap_or(&leaf.issuer);
                leaves.insert(format!(
                    "{issuer}, serial {}, until {}",
                    leaf.serial,
                    words::day(leaf.not_after)
                ));
            }
            let trusted = shown.trust.iter().any(|path| matches!(path.result, TrustResult::Trusted { .. }));
            let named = shown.name_matches == Some(true);
            good &= trusted && named && tls.outcome == Outcome::Answered;
            trust.insert(match (tls.outcome, trusted, named) {
                (Outcome::Answered, true, true) => "trusted".to_owned(),
                (Outcome::Answered, true, false) => "not for this name".to_owned(),
                (Outcome::Answered, false, _) => "not trusted".to_owned(),
                _ => tls.words.clone(),
            });
        }
        let subject = place(vantage).to_owned();
        let joined = |set: BTreeSet<String>| set.into_iter().collect::<Vec<_>>().join("; ");
        if !leaves.is_empty() {
            facts.push(StandingFact {
                aspect: Aspect::Certificate,
                subject: subject.clone(),
                value: joined(leaves),
                good: None,
                rests_on: rests_on.clone(),
            });
        }
        facts.push(StandingFact {
            aspect: Aspect::Trust,
            subject,
            value: joined(trust),
            good: Some(good),
            rests_on,
        });
    }
}

fn tests(run: &TestsReport) -> Option<StandingFact> {
    let ended = run.run.as_ref()?;
    let value = match &ended.counts {
        Some(counts) => format!(
            "{} found, {} passed, {} failed, {} with errors",
            counts.collected, counts.passed, counts.failed, counts.errors
        ),
        None => run.words.clone(),
    };
    let passed = matches!(ended.exit, Exit::Code { code: 0 })
        && ended.counts.is_none_or(|counts| counts.collected > 0);
    Some(StandingFact {
        aspect: Aspect::Tests,
        subject: run.command.clone(),
        value,
        good: Some(passed),
        rests_on: vec![run.evidence.clone()],
    })
}

/// A comparison for a terminal. The text ends with a newline.
pub fn comparison(comparison: &Comparison, style: &Style) -> String {
    let mut page = Page { out: String::new(), width: style.width.max(40) };
    let c = comparison;
    page.line(&c.target);
    page.line(&format!("{} → {}", words::minute(c.old_at), words::minute(c.new_at)));
    page.line(&format!("{} → {}", words::verdict(c.old_verdict), words::verdict(c.new_verdict)));
    for reservation in &c.reservations {
        page.item("!", reservation);
    }
    let of = |direction| c.changes.iter().filter(move |change| change.direction == direction);

    page.section("Worse", |page| {
        for new in &c.new_causes {
            page.item("new", &named(&new.cause));
            page.item("", &in_short(&new.say));
            let more = new.because.iter().skip(1).filter_map(|at| c.changes.get(*at));
            for change in more {
                page.item("", &format!("also: {}", change_in_short(change)));
            }
        }
        for finding in &c.new_findings {
            page.item(
                "new",
                &format!("{} {} ({})", finding.code, finding.title, words::severity(finding.severity)),
            );
        }
        for change in of(Direction::Worse) {
            page.item("worse", &change_in_short(change));
        }
    });
    page.section("Better", |page| {
        for cause in &c.fixed_causes {
            page.item("gone", &named(cause));
        }
        for finding in &c.gone_findings {
            page.item("gone", &format!("{} {}", finding.code, finding.title));
        }
        for change in of(Direction::Better) {
            page.item("better", &change_in_short(change));
        }
    });
    page.section("As before", |page| {
        for same in &c.same_causes {
            let before = if same.label_before == same.cause.label {
                String::new()
            } else {
                format!(", {} before", words::label(same.label_before).to_lowercase())
            };
            page.item("still", &format!("{}{before}", named(&same.cause)));
        }
    });
    page.section("Changed", |page| {
        for change in of(Direction::Neither) {
            page.item("", &change_in_short(change));
        }
    });
    page.section("Not seen this time", |page| {
        for cause in &c.unseen_causes {
            page.item("", &format!("{}: nothing that it rests on was asked", named(cause)));
        }
        for subject in &c.not_seen_now {
            page.item("", subject);
        }
    });
    page.line("");
    page.line(match (c.worse, c.changes.is_empty()) {
        (true, _) => "Something is worse.",
        (false, true) => "Nothing is worse, and nothing else changed.",
        (false, false) => "Nothing is worse.",
    });
    page.out
}

/// A comparison as `landfall.comparison/1`, indented, safe to show on a terminal.
pub fn comparison_json(comparison: &Comparison) -> String {
    crate::json::pretty(comparison)
}

fn named(cause: &NamedCause) -> String {
    format!("{} ({}, {})", cause.title, cause.id, words::label(cause.label).to_lowercase())
}

fn in_short(text: &str) -> String {
    shorten(text, VALUE_COLUMNS * 3)
}

fn change_in_short(change: &Change) -> String {
    let value = |text: &Option<String>| text.as_ref().map(|text| shorten(&clean(text), VALUE_COLUMNS));
    Change { before: value(&change.before), after: value(&change.after), ..change.clone() }.in_words()
}

struct Page {
    out: String,
    width: usize,
}

impl Page {
    fn line(&mut self, text: &str) {
        let _ = writeln!(self.out, "{}", clean(text));
    }

    /// A heading with what `fill` writes below it; nothing at all when it writes nothing.
    fn section(&mut self, heading: &str, fill: impl FnOnce(&mut Self)) {
        let before = self.out.len();
        let _ = writeln!(self.out, "\n{heading}");
        let empty = self.out.len();
        fill(self);
        if self.out.len() == empty {
            self.out.truncate(before);
        }
    }

    fn item(&mut self, mark: &str, text: &str) {
        const INDENT: usize = 9;
        let width = self.width - INDENT;
        for (n, line) in wrap_hanging(text, width, width).iter().enumerate() {
            let _ = writeln!(self.out, "  {:<7}{line}", if n == 0 { mark } else { "" });
        }
    }
}
