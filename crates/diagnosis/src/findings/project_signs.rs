//! Findings from the signs of a project folder: what will keep the next deployment from serving, whatever production does
//! at present.
//!
//! A sign is only an observation; this table says which of them are worth a person's attention by themselves, and names
//! the fault of the catalogue that each leads to. Signs that are as common in projects that serve well are not in it.

use std::collections::BTreeMap;

use landfall_evidence::{ProjectSign, ProjectSnapshot, SignWord};

use super::{FindingCode, codes, raise, with_severity};
use crate::case::Case;
use crate::words::in_words;
use crate::{Finding, Severity};

/// Places listed in one title at most.
const SHOWN: usize = 4;

/// What one sign comes to.
struct Rule {
    word: SignWord,
    code: &'static FindingCode,
    /// The fault of the catalogue behind it; empty where it has none, since what it spoils is not serving.
    fault: &'static str,
    impact: &'static str,
    remedy: &'static str,
    /// Another severity than the code's own.
    severity: Option<Severity>,
}

const fn rule(
    word: SignWord,
    code: &'static FindingCode,
    fault: &'static str,
    impact: &'static str,
    remedy: &'static str,
) -> Rule {
    Rule { word, code, fault, impact, remedy, severity: None }
}

const fn low(rule: Rule) -> Rule {
    Rule { severity: Some(Severity::Low), ..rule }
}

const RULES: &[Rule] = &[
    rule(
        SignWord::StartTargetMissing,
        &codes::PROJ_START,
        "start-command-wrong",
        "A deployment from this file ends before it serves.",
        "Name the file, module and object that are there.",
    ),
    rule(
        SignWord::StartCommandMissing,
        &codes::PROJ_START,
        "start-command-missing",
        "The platform has nothing to run.",
        "Say how the server is started.",
    ),
    rule(
        SignWord::AppWithoutShell,
        &codes::PROJ_NO_SHELL,
        "listen-port-wrong",
        "The server gets the text of the variable and not its value.",
        "Let a shell run it: [\"sh\", \"-c\", \"exec …\"].",
    ),
    rule(
        SignWord::CodeBindsLoopback,
        &codes::PROJ_LOOPBACK,
        "bind-loopback-only",
        "The platform's router finds nobody.",
        "Listen on 0.0.0.0 (or ::).",
    ),
    rule(
        SignWord::CodePortFixed,
        &codes::PROJ_PORT_FIXED,
        "listen-port-wrong",
        "The platform finds nobody on the port that it has chosen, and stops the instance.",
        "Read the port from PORT, with the fixed one as its default.",
    ),
    rule(
        SignWord::DevServer,
        &codes::PROJ_DEV_SERVER,
        "dev-server-in-production",
        "It serves one request after the other, restarts at changes, or shows its internals.",
        "Start the production server of the framework.",
    ),
    rule(
        SignWord::ExcludedFile,
        &codes::PROJ_LEFT_OUT,
        "file-excluded-from-image",
        "The build or the application does not find the file.",
        "Take the rule out, or make an exception with `!`.",
    ),
    rule(
        SignWord::CasePath,
        &codes::PROJ_CASE,
        "case-sensitive-path",
        "It is found on this machine and not on the platform's.",
        "Write the name as the file is called: git mv makes the change known.",
    ),
    rule(
        SignWord::LfsPointer,
        &codes::PROJ_POINTER,
        "git-lfs-pointer-deployed",
        "The application reads three lines of text where the content should be.",
        "git lfs pull, and let the build do the same.",
    ),
    rule(
        SignWord::SubmoduleEmpty,
        &codes::PROJ_POINTER,
        "submodule-missing",
        "What lies in the submodule is not there.",
        "git submodule update --init --recursive, and let the build do the same.",
    ),
    rule(
        SignWord::BuildOutputAbsent,
        &codes::PROJ_OUTPUT,
        "build-output-missing",
        "What is served does not exist after the build.",
        "Run the build as part of the deployment.",
    ),
    rule(
        SignWord::BuildOutputDiffers,
        &codes::PROJ_OUTPUT,
        "build-output-missing",
        "The platform serves another folder than the one that is written.",
        "Name the folder that the build writes.",
    ),
    rule(
        SignWord::LockOutOfStep,
        &codes::PROJ_LOCK,
        "lockfile-out-of-sync",
        "An installation that keeps to the lock file fails or installs something else.",
        "Make the lock file anew with the package manager and commit it.",
    ),
    rule(
        SignWord::LockSeveral,
        &codes::PROJ_LOCKS,
        "lockfile-out-of-sync",
        "The platform picks one of them, perhaps the older.",
        "Keep the one of the package manager that is in use.",
    ),
    rule(
        SignWord::DevDependencyAtRuntime,
        &codes::PROJ_DEPENDENCY,
        "dev-dependency-needed-at-runtime",
        "A production installation leaves the package out and the start fails.",
        "Move it to the dependencies.",
    ),
    rule(
        SignWord::DependencyUndeclared,
        &codes::PROJ_DEPENDENCY,
        "dependency-not-installed",
        "It is on this machine by chance, and a clean installation does not bring it.",
        "Add it to the manifest.",
    ),
    rule(
        SignWord::RuntimeTooOld,
        &codes::PROJ_RUNTIME_NEEDS,
        "runtime-version-mismatch",
        "The code does not run on the version that is asked for.",
        "Ask for the version that the code needs.",
    ),
    rule(
        SignWord::RuntimeTooNew,
        &codes::PROJ_RUNTIME_NEEDS,
        "runtime-version-mismatch",
        "The code uses what that version has removed.",
        "Ask for an older version or change the code.",
    ),
    rule(
        SignWord::RuntimesDisagree,
        &codes::PROJ_RUNTIMES,
        "runtime-version-mismatch",
        "Platforms read one of them, and not all the same.",
        "Name one version in all of them.",
    ),
    rule(
        SignWord::DeployConfigInvalid,
        &codes::PROJ_CONFIG,
        "deploy-config-invalid",
        "The platform refuses the file, or ignores the part.",
        "Correct the place named.",
    ),
    rule(
        SignWord::DeployConfigMisplaced,
        &codes::PROJ_CONFIG,
        "deploy-config-invalid",
        "The platform does not read it and goes by its defaults.",
        "Give it the name and the folder that the platform looks for.",
    ),
    rule(
        SignWord::DeployPortsDisagree,
        &codes::PROJ_DISAGREE,
        "deploy-configs-disagree",
        "Whichever file the platform reads, the others are wrong.",
        "Keep one source for the port.",
    ),
    rule(
        SignWord::DeployHealthDisagree,
        &codes::PROJ_DISAGREE,
        "deploy-configs-disagree",
        "One of the health checks asks for something else.",
        "Name one health path.",
    ),
    low(rule(
        SignWord::DeployStartsDisagree,
        &codes::PROJ_DISAGREE,
        "deploy-configs-disagree",
        "Which of them runs depends on the file that the platform reads.",
        "Keep one, or make the others call it.",
    )),
    rule(
        SignWord::ProxyPortDiffers,
        &codes::PROJ_PROXY_PORT,
        "listen-port-wrong",
        "The proxy answers 502: nothing listens where it asks.",
        "Let both name one port.",
    ),
    rule(
        SignWord::EntryCrlf,
        &codes::PROJ_SCRIPT,
        "entrypoint-line-endings",
        "Linux looks for an interpreter whose name ends in a carriage return.",
        "Store it with Unix line ends: `* text eol=lf` in .gitattributes.",
    ),
    rule(
        SignWord::EntryNotExecutable,
        &codes::PROJ_SCRIPT,
        "entrypoint-not-executable",
        "The start is refused: permission denied.",
        "git update-index --chmod=+x FILE",
    ),
    rule(
        SignWord::HealthNotRouted,
        &codes::PROJ_HEALTH,
        "platform-health-check-fails",
        "The platform takes the instance for ill and sends it no traffic.",
        "Name a path that the code serves.",
    ),
    rule(
        SignWord::RootDirectoryAbsent,
        &codes::PROJ_ROOT,
        "deploy-root-directory-wrong",
        "The build begins in a folder that is not there.",
        "Name the folder from the root of the repository.",
    ),
    rule(
        SignWord::RootDirectoryEmpty,
        &codes::PROJ_ROOT,
        "deploy-root-directory-wrong",
        "The build finds no application there.",
        "Name the folder that holds the manifest.",
    ),
    rule(
        SignWord::PortServiceDiffers,
        &codes::PROJ_SERVICE,
        "service-has-no-endpoints",
        "The service sends to a port where nothing listens.",
        "Let targetPort be a port of the container.",
    ),
    rule(
        SignWord::SelectorDiffers,
        &codes::PROJ_SERVICE,
        "service-has-no-endpoints",
        "The service finds no instance to send to.",
        "Let the selector be the labels of the workload.",
    ),
    rule(
        SignWord::SyncWorkerForAsync,
        &codes::PROJ_WORKER,
        "wrong-worker-class",
        "Requests end in an error of the server's interface.",
        "Use the worker class or the server for this kind of application.",
    ),
    rule(
        SignWord::StaticTarget,
        &codes::PROJ_STATIC,
        "static-hosting-for-dynamic-app",
        "Files are served and no request reaches the application.",
        "Deploy the server as a service.",
    ),
    rule(
        SignWord::SecretTracked,
        &codes::PROJ_SECRET,
        "",
        "Whoever can read the repository has it, and its history keeps it.",
        "Take it out of the repository, give it to the platform, and make a new one: the old one is known.",
    ),
    rule(
        SignWord::SecretDefault,
        &codes::PROJ_SECRET_DEFAULT,
        "env-var-missing",
        "Where the variable is missing, everything runs with a secret that anybody can read in the code.",
        "Fail at the start when it is missing.",
    ),
    rule(
        SignWord::SettingNearMiss,
        &codes::PROJ_NEAR_MISS,
        "env-var-missing",
        "The code finds nothing under the name that it reads.",
        "Give both sides one name.",
    ),
    rule(
        SignWord::SettingShapeWrong,
        &codes::PROJ_SHAPE,
        "env-var-wrong-scope-or-empty",
        "It is present, and whatever uses it fails.",
        "Put in what the name asks for.",
    ),
    rule(
        SignWord::SpecRouteMissing,
        &codes::PROJ_SPEC,
        "route-missing",
        "Clients that are made from the document ask for what is not there.",
        "Serve it, or take it out of the document.",
    ),
    rule(
        SignWord::RouteUnspecified,
        &codes::PROJ_SPEC,
        "route-missing",
        "Clients that are made from the document do not know it.",
        "Add it to the document.",
    ),
    rule(
        SignWord::BuildEnvUnset,
        &codes::PROJ_BUILD_ENV,
        "build-time-env-missing",
        "The built pages hold `undefined` in its place.",
        "Give it to the build, not only to the server.",
    ),
    low(rule(
        SignWord::ClientLocalUrl,
        &codes::PROJ_LOCAL,
        "dependency-url-is-local",
        "Browsers of others look for it on their own machine.",
        "Take the address from a setting of the build.",
    )),
    low(rule(
        SignWord::DatabaseUrlLocal,
        &codes::PROJ_LOCAL,
        "dependency-url-is-local",
        "Without the variable production looks for its database in its own container.",
        "Let the platform's setting be needed.",
    )),
    rule(
        SignWord::TestsAssertNothing,
        &codes::TEST_HOLLOW,
        "tests-not-run",
        "They pass whatever the code does.",
        "Assert what the code should do.",
    ),
    rule(
        SignWord::PortTakenTwice,
        &codes::PROJ_PORT_TAKEN,
        "port-already-in-use",
        "One of the two ends with `address already in use`.",
        "Give each a port of its own.",
    ),
    rule(
        SignWord::PortPrivileged,
        &codes::PROJ_PORT_TAKEN,
        "privileged-port-denied",
        "It ends with `permission denied` when it binds the port.",
        "Listen above 1023 behind a proxy, or give the one right: AmbientCapabilities=CAP_NET_BIND_SERVICE.",
    ),
    rule(
        SignWord::ProbePortDiffers,
        &codes::PROJ_PROBE,
        "platform-health-check-fails",
        "The platform sends the instance no requests, or restarts it.",
        "Let the probe ask the port on which its path is served.",
    ),
    rule(
        SignWord::ProxyPathDiffers,
        &codes::PROJ_PATHS,
        "route-prefix-mismatch",
        "Every route behind it is answered with 404.",
        "Let the proxy pass the path as the routes of the code have it, or tell the code where it lies.",
    ),
    rule(
        SignWord::IngressPathUncovered,
        &codes::PROJ_PATHS,
        "ingress-rule-missing",
        "The ingress answers these routes with 404 itself.",
        "Use pathType: Prefix, or name the paths that the code serves.",
    ),
    rule(
        SignWord::DatabaseLoginDiffers,
        &codes::PROJ_DATABASE,
        "database-credentials-wrong",
        "The database refuses the connection.",
        "Give both sides the same values, from one variable.",
    ),
    rule(
        SignWord::DatabaseTlsDiffers,
        &codes::PROJ_DATABASE,
        "database-tls-required",
        "The database refuses a connection without TLS.",
        "Connect with sslmode=require or verify-full.",
    ),
    rule(
        SignWord::BodyLimitDiffers,
        &codes::PROJ_BODY,
        "edge-body-or-header-limit",
        "Uploads between the two sizes are refused with 413.",
        "Give the proxy the size that the application takes: client_max_body_size, proxy-body-size, upload_max_filesize.",
    ),
    rule(
        SignWord::UpgradeNotPassed,
        &codes::PROJ_UPGRADE,
        "edge-websocket-not-upgraded",
        "Live updates do not arrive.",
        "In nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\".",
    ),
    rule(
        SignWord::CookieUntrusted,
        &codes::PROJ_COOKIE,
        "session-cookie-not-kept",
        "Sign-ins last for one request.",
        "Let the framework trust its proxy: app.set('trust proxy', 1).",
    ),
    rule(
        SignWord::ExitsInHandler,
        &codes::PROJ_EXIT,
        "worker-process-dies-mid-request",
        "One bad row or one outage ends the program for everybody.",
        "Answer with an error and return.",
    ),
    rule(
        SignWord::HeapExceedsLimit,
        &codes::PROJ_MEMORY,
        "oom-killed",
        "Under load the process is killed without a word of its own.",
        "Give the heap three quarters of the container's memory: -XX:MaxRAMPercentage, --max-old-space-size.",
    ),
    rule(
        SignWord::PoolExceedsDatabase,
        &codes::PROJ_POOL,
        "database-connections-exhausted",
        "The last processes get no connection.",
        "Let pool x workers x instances stay below max_connections, or put a pooler before it.",
    ),
    rule(
        SignWord::InstancesNone,
        &codes::PROJ_SCALE,
        "app-stopped-or-paused",
        "Requests meet nobody.",
        "Want one instance at least, or let requests start one.",
    ),
    rule(
        SignWord::PortEnvDiffers,
        &codes::PROJ_DISAGREE,
        "platform-port-mapping-wrong",
        "The process listens where nobody sends to.",
        "Use one number for both.",
    ),
    rule(
        SignWord::StartGraceShort,
        &codes::PROJ_GRACE,
        "boot-too-slow",
        "The instance never becomes ready.",
        "Give it a startup probe or a longer grace, or do the slow work when the image is built.",
    ),
    rule(
        SignWord::ApiRemoved,
        &codes::PROJ_REMOVED,
        "process-crash-loop",
        "It fails with the version that the manifest asks for.",
        "Write it as the new version has it, or pin the old one until then.",
    ),
    low(rule(
        SignWord::ExitsOnSignal,
        &codes::PROJ_STOP,
        "no-graceful-shutdown",
        "Requests that are open at a deploy are cut off.",
        "On SIGTERM stop accepting, finish what is open, then exit; leave the platform's grace period long enough.",
    )),
    rule(
        SignWord::WorkerNotDeployed,
        &codes::PROJ_QUEUE,
        "dependency-service-missing",
        "What requests set off is never done.",
        "Deploy a worker beside the server: a process type, a service or a unit of its own.",
    ),
    rule(
        SignWord::DeployPathFilterStale,
        &codes::PROJ_TRIGGER,
        "auto-deploy-off-or-wrong-branch",
        "Changes are merged and not deployed.",
        "Name the folders that are there now.",
    ),
    rule(
        SignWord::TestsNotMatched,
        &codes::PROJ_TESTS,
        "tests-not-run",
        "The run is green and has run nothing.",
        "Name the files as the runner looks for them, or tell it what to look for; let a run without tests fail.",
    ),
    rule(
        SignWord::TestsNotImportable,
        &codes::PROJ_TESTS,
        "tests-cannot-import-project",
        "The tests stop at their imports.",
        "Install the project in the workflow (pip install -e .), or set pythonpath in pytest's settings.",
    ),
    rule(
        SignWord::TestsServiceAbsent,
        &codes::PROJ_TESTS,
        "tests-need-services",
        "The tests stop at their first connection.",
        "Start the service in the workflow: `services:` of the job.",
    ),
    rule(
        SignWord::DataFileInvalid,
        &codes::PROJ_DATA_FILE,
        "process-crash-loop",
        "The program ends when it reads the file.",
        "Mend the file, and let a check parse it before a deploy.",
    ),
    rule(
        SignWord::NativeLibraryAbsent,
        &codes::PROJ_NATIVE,
        "native-library-missing",
        "The program ends before it serves, or the first import of the package fails.",
        "Install the library in the last stage of the image.",
    ),
];

pub(super) fn findings(case: &Case<'_>) -> Vec<Finding> {
    let Some((observation, project)) = case.evidence().project() else { return Vec::new() };
    let mut by_rule: BTreeMap<usize, Vec<&ProjectSign>> = BTreeMap::new();
    for sign in &project.signs {
        if let Some(at) = RULES.iter().position(|rule| rule.word == sign.sign) {
            by_rule.entry(at).or_default().push(sign);
        }
    }
    let whole = case.production_is_whole();
    by_rule
        .into_iter()
        .map(|(at, signs)| {
            let rule = &RULES[at];
            let shown: Vec<String> = signs.iter().take(SHOWN).map(|sign| in_place(sign)).collect();
            let more = match signs.len() - shown.len() {
                0 => in_words(&shown.iter().map(String::as_str).collect::<Vec<_>>()),
                more => format!("{} and {more} more", shown.join(", ")),
            };
            let finding = raise(
                rule.code,
                format!("{}: {more}", rule.code.title),
                rule.impact,
                match rule.fault {
                    "" => rule.remedy.to_owned(),
                    fault => format!(
                        "{} See `landfall explain {fault}`.",
                        rule.remedy.trim_end_matches('.').to_owned() + "."
                    ),
                },
                vec![observation.id.clone()],
            );
            let severity = rule.severity.unwrap_or(rule.code.severity);
            // What production contradicts is a trap for the next deployment and no fault of this one. A secret stays
            // known however well production serves.
            let secret = matches!(rule.word, SignWord::SecretTracked | SignWord::SecretDefault);
            with_severity(
                finding,
                if whole && !secret {
                    severity.min(Severity::Low)
                } else {
                    local_default(project, sign_of(&signs), severity)
                },
            )
        })
        .collect()
}

fn sign_of<'a>(signs: &[&'a ProjectSign]) -> &'a ProjectSign {
    signs[0]
}

/// A database on this machine that a deploy file names is a fault; as a default in the code it serves development.
fn local_default(project: &ProjectSnapshot, sign: &ProjectSign, severity: Severity) -> Severity {
    let file = sign.place.split(':').next().unwrap_or_default();
    let by_deploy =
        project.deploy.iter().any(|config| config.file == file && config.platform != "docker-compose");
    if sign.sign == SignWord::DatabaseUrlLocal && by_deploy { Severity::Medium } else { severity }
}

fn in_place(sign: &ProjectSign) -> String {
    match (sign.place.as_str(), sign.detail.as_str()) {
        ("", detail) => detail.to_owned(),
        (place, "") => place.to_owned(),
        (place, detail) if detail.starts_with(place) => detail.to_owned(),
        (place, detail) => format!("{detail} ({place})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testworld::{deployed, undeployed};

    #[test]
    fn every_rule_names_a_fault_of_the_catalogue() {
        let catalogue = crate::Catalogue::embedded();
        for rule in RULES.iter().filter(|rule| !rule.fault.is_empty()) {
            assert!(crate::explain(catalogue, rule.fault).is_ok(), "{}", rule.fault);
        }
    }

    #[test]
    fn each_sign_raises_its_own_code_and_weighs_less_where_production_is_whole() {
        for rule in RULES {
            let sign = ProjectSign::new(rule.word, "a.toml:1", "what");
            let add = |p: &mut ProjectSnapshot| p.signs.push(sign.clone());
            let failing = undeployed().edit_project(add);
            let serving = deployed().edit_project(add);
            let severity = |world: &crate::testworld::World| {
                let found = world.findings(rule.code.code);
                let of_rule = found.iter().find(|f| f.remedy.starts_with(rule.remedy));
                let found = of_rule.unwrap_or_else(|| panic!("{:?} raises {}", rule.word, rule.code.code));
                assert!(found.title.contains("what (a.toml:1)"), "{}", found.title);
                found.severity
            };
            assert_eq!(severity(&failing), rule.severity.unwrap_or(rule.code.severity), "{:?}", rule.word);
            if !matches!(rule.word, SignWord::SecretTracked | SignWord::SecretDefault) {
                assert!(severity(&serving) <= Severity::Low, "{:?}", rule.word);
            }
        }
    }

    #[test]
    fn signs_of_projects_that_serve_well_raise_nothing() {
        let world = undeployed().edit_project(|p| {
            for word in [
                SignWord::ShellFormStart,
                SignWord::DataInFolder,
                SignWord::SubmodulePresent,
                SignWord::EnvNotRead,
            ] {
                p.signs.push(ProjectSign::new(word, "a:1", "x"));
            }
        });
        let before: Vec<String> = undeployed().diagnose().findings.into_iter().map(|f| f.code).collect();
        let after: Vec<String> = world.diagnose().findings.into_iter().map(|f| f.code).collect();
        assert_eq!(before, after);
    }
}
