//! Paths that the project's own checks ask for: health checks of containers and of load balancers, and health paths of an
//! OpenAPI document. They tell which path is meant where the code's routes cannot be read.
//!
//! Source: docs.docker.com/reference/compose-file/services (healthcheck), docs.docker.com/reference/dockerfile
//! (HEALTHCHECK), HAProxy's configuration manual (option httpchk, http-check send).

use std::collections::BTreeSet;
use std::sync::LazyLock;

use landfall_evidence::{NamedCheck, Route};
use regex::Regex;

use crate::tree::{Tree, file_name};
use crate::yaml::documents;

/// Checks that are kept, and files that are read for them.
const MAX_CHECKS: usize = 32;
const MAX_FILES: usize = 40;

/// A URL of this machine or of the container's own name, and its path.
static OWN_URL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"https?://(?:localhost|127\.0\.0\.1|\[::1\]|0\.0\.0\.0|\$\{?HOSTNAME\}?)(?::[^/\s'\x22]+)?(/[^\s'\x22?#|;&)]*)")
        .expect("a constant pattern, covered by tests")
});

/// `option httpchk GET /x`, `option httpchk /x`, `http-check send meth GET uri /x`.
static HAPROXY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\s*(?:option\s+httpchk\s+(?:[A-Z]+\s+)?|http-check\s+send\b.*\buri\s+)(/[^\s?#]*)")
        .expect("a constant pattern, covered by tests")
});

/// Reads the checks of a project, by path; `specified` are the routes of its OpenAPI document.
pub(crate) fn read(tree: &Tree, specified: &[Route]) -> Vec<NamedCheck> {
    let mut found = BTreeSet::new();
    let kept = tree.files.iter().filter(|f| !f.ignored && reader(&f.path).is_some()).take(MAX_FILES);
    for file in kept {
        // A file that cannot be read is named by the reader of deploy files already.
        let (Some(read), Some(Ok(text))) = (reader(&file.path), tree.text(&file.path)) else { continue };
        found.extend(read(&text).into_iter().map(|(path, line)| (path, format!("{}:{line}", file.path))));
    }
    let asked = specified.iter().filter(|route| {
        route.methods.iter().any(|method| method == "GET") && !route.path.contains(['{', '*', ':'])
    });
    found.extend(
        asked
            .filter(|route| crate::endpoints::is_health(&route.path))
            .map(|route| (route.path.clone(), route.place.clone())),
    );
    found.into_iter().take(MAX_CHECKS).map(|(path, place)| NamedCheck { path, place }).collect()
}

type Reader = fn(&str) -> Vec<(String, usize)>;

fn reader(path: &str) -> Option<Reader> {
    let name = file_name(path).to_ascii_lowercase();
    let yaml = name.ends_with(".yml") || name.ends_with(".yaml");
    if yaml && (name.starts_with("compose") || name.starts_with("docker-compose")) {
        Some(compose)
    } else if name == "dockerfile" || name.starts_with("dockerfile.") || name.ends_with(".dockerfile") {
        Some(image)
    } else if name.ends_with(".cfg") && name.contains("haproxy") {
        Some(haproxy)
    } else {
        None
    }
}

fn compose(text: &str) -> Vec<(String, usize)> {
    let Ok(all) = documents(text) else { return Vec::new() };
    let services = all.iter().filter_map(|document| document.get("services"));
    services
        .flat_map(|services| services.entries())
        .filter_map(|(_, service)| service.at(&["healthcheck", "test"]))
        .filter_map(|test| {
            let words = std::iter::once(test).chain(test.items());
            let path = words.filter_map(|word| word.text()).find_map(own_path)?;
            Some((path, test.line))
        })
        .collect()
}

/// A check may go over several lines; its place is the line of the instruction.
fn image(text: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        if !line.trim_start().to_ascii_uppercase().starts_with("HEALTHCHECK") {
            continue;
        }
        let mut whole = line.to_owned();
        while whole.trim_end().ends_with('\\') {
            let Some((_, next)) = lines.next() else { break };
            whole.push(' ');
            whole.push_str(next);
        }
        found.extend(own_path(&whole).map(|path| (path, at + 1)));
    }
    found
}

fn haproxy(text: &str) -> Vec<(String, usize)> {
    let path = |line: &str| HAPROXY.captures(line).map(|found| found[1].to_owned());
    text.lines().enumerate().filter_map(|(at, line)| Some((path(line)?, at + 1))).collect()
}

fn own_path(text: &str) -> Option<String> {
    OWN_URL.captures(text).map(|found| found[1].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compose_files_checks_in_both_forms() {
        let text = "services:\n  api:\n    image: a\n    healthcheck:\n      test: [CMD, curl, -fsS, 'http://127.0.0.1:8080/management/health?x=1']\n  web:\n    build: .\n    healthcheck:\n      test: wget -qO- http://localhost/up || exit 1\n  db:\n    image: postgres\n    healthcheck:\n      test: [CMD-SHELL, pg_isready]\n  far:\n    image: b\n    healthcheck:\n      test: curl https://status.example.test/far\n";
        assert_eq!(compose(text), [("/management/health".to_owned(), 5), ("/up".to_owned(), 9)]);
        assert!(compose("services: [").is_empty());
    }

    #[test]
    fn an_images_check_over_two_lines() {
        let text = "FROM a\nHEALTHCHECK --interval=30s \\\n  CMD curl -f http://localhost:${PORT}/ready || exit 1\nHEALTHCHECK NONE\n";
        assert_eq!(image(text), [("/ready".to_owned(), 2)]);
        assert!(image("HEALTHCHECK CMD curl http://localhost/x \\").len() == 1);
    }

    #[test]
    fn haproxys_checks() {
        let text = "backend a\n  option httpchk GET /healthz\n  http-check send meth GET uri /ping ver HTTP/1.1\n  # option httpchk GET /old\n  option httpchk\n";
        assert_eq!(haproxy(text), [("/healthz".to_owned(), 2), ("/ping".to_owned(), 3)]);
    }
}
