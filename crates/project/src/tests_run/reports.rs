//! Reports in JUnit form that a test command writes by itself: Maven, Gradle, Jest's and Mocha's reporters, and any
//! command of the project's own.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{Outcome, junit};

/// Where runners write them, relative to the folder.
const FOLDERS: &[&str] = &[
    ".",
    "reports",
    "test-results",
    "test-reports",
    "junit",
    "target/surefire-reports",
    "target/failsafe-reports",
    "build/test-results/test",
    "build/reports",
    "TestResults",
    "coverage",
];
/// Where each module of a Maven or Gradle build has its own.
const OF_MODULES: &[&str] =
    &["target/surefire-reports", "target/failsafe-reports", "build/test-results/test"];
/// Modules looked at.
const MAX_MODULES: usize = 100;
/// Reports read, and the longest.
const MAX_REPORTS: usize = 60;
const MAX_BYTE: u64 = 8 << 20;
/// Clocks of file systems are coarser than the system's.
const COARSE: Duration = Duration::from_secs(2);

/// The texts of reports that are not older than the run. An older one speaks of another run.
pub(super) fn written_since(root: &Path, begun: SystemTime) -> Vec<String> {
    let mut texts = Vec::new();
    let since = begun.checked_sub(COARSE).unwrap_or(begun);
    let of_modules =
        modules(root).into_iter().flat_map(|module| OF_MODULES.iter().map(move |f| module.join(f)));
    for folder in FOLDERS.iter().map(|folder| root.join(folder)).chain(of_modules) {
        let Ok(entries) = fs::read_dir(folder) else { continue };
        let mut paths: Vec<_> = entries
            .flatten()
            .filter(|e| e.path().extension().is_some_and(|end| end == "xml"))
            .filter(|e| {
                // Links are not followed.
                e.path().symlink_metadata().is_ok_and(|m| {
                    m.is_file() && m.len() <= MAX_BYTE && m.modified().is_ok_and(|at| at >= since)
                })
            })
            .map(|e| e.path())
            .collect();
        paths.sort();
        for path in paths {
            if texts.len() >= MAX_REPORTS {
                return texts;
            }
            let mut text = String::new();
            let read = fs::File::open(&path).and_then(|f| f.take(MAX_BYTE).read_to_string(&mut text));
            if read.is_ok() && text.contains("<testsuite") {
                texts.push(text);
            }
        }
    }
    texts
}

/// Folders right below that are built by themselves: with `-q` Maven says nothing of tests that pass, so without their
/// reports a build of several modules would look as if no test had run.
fn modules(root: &Path) -> Vec<PathBuf> {
    let built = |folder: &PathBuf| {
        ["pom.xml", "build.gradle", "build.gradle.kts"].iter().any(|file| folder.join(file).is_file())
    };
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let folders = entries.filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir())).map(|e| e.path());
    let mut modules: Vec<PathBuf> = folders.filter(built).take(MAX_MODULES).collect();
    modules.sort();
    modules
}

/// All reports together; `None` without any.
pub(super) fn outcome(reports: &[String]) -> Option<Outcome> {
    let read: Vec<junit::Report> = reports.iter().filter_map(|text| junit::read(text)).collect();
    if read.is_empty() {
        return None;
    }
    let mut all = Outcome::default();
    let counts = all.counts.insert(landfall_evidence::TestCounts::default());
    for report in read {
        counts.collected = counts.collected.saturating_add(report.counts.collected);
        counts.passed = counts.passed.saturating_add(report.counts.passed);
        counts.failed = counts.failed.saturating_add(report.counts.failed);
        counts.errors = counts.errors.saturating_add(report.counts.errors);
        counts.skipped = counts.skipped.saturating_add(report.counts.skipped);
        all.failed.extend(report.failed);
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::folder;

    #[test]
    fn reports_of_this_run_are_added_up_and_old_ones_are_not_read() {
        let report = |name: &str, inner: &str| {
            format!(
                "<testsuite name=\"{name}\"><testcase classname=\"{name}\" name=\"a\"/><testcase classname=\"{name}\" name=\"b\">{inner}</testcase></testsuite>"
            )
        };
        let dir = folder(&[
            ("target/surefire-reports/TEST-A.xml", &report("A", "<failure message=\"no\"/>")),
            ("target/surefire-reports/TEST-B.xml", &report("B", "<skipped/>")),
            ("pom.xml", "<project/>"),
            ("api/pom.xml", "<project/>"),
            ("api/target/surefire-reports/TEST-C.xml", &report("C", "")),
            ("docs/target/surefire-reports/TEST-D.xml", &report("D", "")),
        ]);
        let texts = written_since(dir.path(), SystemTime::now());
        let outcome = outcome(&texts).unwrap();
        let c = outcome.counts.unwrap();
        // Those of the two here and of the one module; a folder that is not built has none.
        assert_eq!((c.collected, c.passed, c.failed, c.skipped), (6, 4, 1, 1));
        assert_eq!(outcome.failed, ["A::b"]);
        assert!(written_since(dir.path(), SystemTime::now() + Duration::from_secs(60)).is_empty());
    }
}
