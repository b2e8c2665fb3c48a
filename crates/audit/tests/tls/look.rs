//! The audit's TLS questions alone, as `landfall tls` puts them.

use std::net::SocketAddr;
use std::time::Duration;

use landfall_audit::{Config, Overrides, Plan, Probe, Progress};
use landfall_diagnosis::{Catalogue, Finding, Severity};
use landfall_evidence::{
    Evidence, GroupStanding, Observed, Standing, SuiteClass, TlsHandshake, TlsSurvey, TlsVersion,
};

use super::authority::{Authority, HOST};

/// What one look showed.
pub(crate) struct Look {
    pub(crate) evidence: Evidence,
    pub(crate) findings: Vec<Finding>,
}

/// Looks at a server that trusts the authority's root.
pub(crate) fn look(authority: &Authority, server: SocketAddr) -> Look {
    look_with(authority, server, &[])
}

/// The same, with more entries of the address map (`ca.example.test:80:127.0.0.1:PORT`).
pub(crate) fn look_with(authority: &Authority, server: SocketAddr, map: &[String]) -> Look {
    let mut connect_to = vec![format!("{HOST}:443:{server}")];
    connect_to.extend_from_slice(map);
    let said = Overrides {
        production: Some(format!("https://{HOST}")),
        only: vec![Probe::Tls],
        deep: true,
        connect_to,
        ca_files: vec![authority.path("root.pem")],
        // Whatever asks DNS for anything asks nobody.
        resolvers: vec!["127.0.0.1:9".into()],
        timeout: Some(Duration::from_secs(60)),
        ..Overrides::default()
    };
    let plan = Plan::new(&Config::default(), &said).expect("a plan");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let progress = Progress::default();
    let collected = landfall_audit::collect(&plan, Catalogue::embedded(), &progress);
    let evidence = runtime.block_on(collected).expect("evidence");
    // What is written is read back the same.
    let evidence = Evidence::from_json(&evidence.to_json()).expect("it reads back");
    let findings = landfall_diagnosis::diagnose(&evidence, Catalogue::embedded()).findings;
    let findings = findings.into_iter().filter(|f| f.code.starts_with("LF-TLS-")).collect();
    Look { evidence, findings }
}

impl Look {
    /// Codes of the findings, worst first.
    pub(crate) fn codes(&self) -> Vec<&str> {
        self.findings.iter().map(|f| f.code.as_str()).collect()
    }

    pub(crate) fn finding(&self, code: &str) -> &Finding {
        self.findings
            .iter()
            .find(|f| f.code == code)
            .unwrap_or_else(|| panic!("{code} is not among the findings:\n{self}"))
    }

    /// The finding is there, with this severity and these words in its title.
    pub(crate) fn says(&self, code: &str, severity: Severity, words: &str) {
        let finding = self.finding(code);
        assert_eq!(finding.severity, severity, "{self}");
        assert!(finding.title.contains(words), "{words:?} is not in {:?}\n{self}", finding.title);
    }

    pub(crate) fn lacks(&self, codes: &[&str]) {
        for code in codes {
            assert!(!self.codes().contains(code), "{code}\n{self}");
        }
    }

    pub(crate) fn handshake(&self) -> &Observed<TlsHandshake> {
        &self.evidence.tls().next().expect("a handshake").1.answer
    }

    pub(crate) fn survey(&self) -> &TlsSurvey {
        let (_, seen) = self.evidence.tls_surveys().next().expect("a survey");
        seen.answer.present().unwrap_or_else(|| panic!("{}", seen.answer.describe()))
    }

    pub(crate) fn version(&self, version: TlsVersion) -> &Standing {
        let all = &self.survey().versions;
        &all.iter().find(|v| v.version == version).expect("every version is there").standing
    }

    pub(crate) fn class(&self, class: SuiteClass) -> &Standing {
        let all = &self.survey().suites;
        &all.iter().find(|c| c.class == class).expect("every class is there").standing
    }

    /// Versions that are offered, oldest first; a version that is neither offered nor not fails the test.
    pub(crate) fn versions(&self) -> Vec<TlsVersion> {
        let decided =
            |standing: &Standing| matches!(standing, Standing::Offered | Standing::NotOffered { .. });
        let all = &self.survey().versions;
        assert!(all.iter().all(|v| decided(&v.standing)), "{self}");
        all.iter().filter(|v| v.standing.is_offered()).map(|v| v.version).collect()
    }

    /// Classes that are offered, the worst first; a class that is neither offered nor not fails the test.
    pub(crate) fn classes(&self) -> Vec<SuiteClass> {
        let decided =
            |standing: &Standing| matches!(standing, Standing::Offered | Standing::NotOffered { .. });
        let all = &self.survey().suites;
        assert!(all.iter().all(|c| decided(&c.standing)), "{self}");
        all.iter().filter(|c| c.standing.is_offered()).map(|c| c.class).collect()
    }

    /// No more connections than a survey may make, and no more at once.
    pub(crate) fn kept_its_bounds(&self) {
        let survey = self.survey();
        assert!(survey.connections <= 15, "{} connections\n{self}", survey.connections);
        assert!(survey.at_once <= 5, "{} at once\n{self}", survey.at_once);
    }
}

pub(crate) fn not_offered(standing: &GroupStanding) -> bool {
    matches!(standing.standing, Standing::NotOffered { .. })
}

impl std::fmt::Display for Look {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{} {:?} {}", finding.code, finding.severity, finding.title)?;
        }
        let of_tls = self.evidence.observations.iter().filter(|o| o.id.0.starts_with("tls"));
        for observation in of_tls {
            let text = serde_json::to_string_pretty(&observation.seen).unwrap_or_default();
            writeln!(f, "{}\n{text}", observation.id)?;
        }
        Ok(())
    }
}
