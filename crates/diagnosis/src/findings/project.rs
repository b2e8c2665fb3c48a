//! What the project folder shows that will matter when it is deployed.

use std::collections::BTreeSet;

use landfall_evidence::{
    DeployConfig, HistoricChange, ObservationId, PortSetting, ProjectSnapshot, SignWord, StartCommand,
};

use super::{codes, raise, with_severity};
use crate::case::Case;
use crate::deploy_config::{self, Reach};
use crate::facts::open_files;
use crate::words::{count, in_words};
use crate::{Finding, Severity};

/// Names listed in one title at most.
const SHOWN: usize = 6;

pub(super) fn findings(case: &Case<'_>) -> Vec<Finding> {
    let Some((observation, project)) = case.evidence().project() else { return Vec::new() };
    let id = &observation.id;
    let mut found = Vec::new();
    found.extend(bind(case, project, id));
    found.extend(bind_changed(project, id));
    found.extend(settings(project, id));
    found.extend(dependencies(project, id));
    found.extend(git(project, id));
    found.extend(schedulers(project, id));
    found.extend(runtime(project, id));
    if !project.unread.is_empty() {
        found.push(raise(
            &codes::PROJ_UNREAD,
            format!(
                "{} of the project could not be read: {}",
                count(project.unread.len(), "part"),
                some_of(&project.unread)
            ),
            "What they would have shown is not known.",
            "Correct or remove the files named.",
            vec![id.clone()],
        ));
    }
    found
}

fn some_of<T: AsRef<str>>(names: &[T]) -> String {
    let shown: Vec<&str> = names.iter().take(SHOWN).map(AsRef::as_ref).collect();
    match names.len() - shown.len() {
        0 => in_words(&shown),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn bind(case: &Case<'_>, project: &ProjectSnapshot, id: &ObservationId) -> Option<Finding> {
    // A variable that no shell expands has a sign, and a finding (LF-PROJ-012), of its own.
    let told = |config: &DeployConfig| {
        project.signs.iter().any(|sign| sign.sign == SignWord::AppWithoutShell && sign.place == config.file)
    };
    let unexpanded = |config: &DeployConfig| {
        config
            .start
            .as_ref()
            .is_some_and(|start| !start.shell && matches!(start.bind_port, PortSetting::Variable { .. }))
    };
    let (config, why) = deploy_config::production(project)
        .filter(|config| !(unexpanded(config) && told(config)))
        .find_map(|config| match deploy_config::reach(config) {
            Reach::No(why) => Some((config, why)),
            _ => None,
        })?;
    let finding = raise(
        &codes::PROJ_BIND,
        format!("{} starts a server that the platform cannot reach: {why}", config.file),
        "A deployment from this file will not answer.",
        "Bind 0.0.0.0 and the variable PORT, in a command that a shell runs, or map a port to the literal one.",
        vec![id.clone()],
    );
    // A file that production contradicts is a trap for the next deployment, not a fault of this one.
    Some(if case.production_is_whole() { with_severity(finding, Severity::Low) } else { finding })
}

/// A change of the bind port in the history, and whether it can have mattered.
fn bind_changed(project: &ProjectSnapshot, id: &ObservationId) -> Option<Finding> {
    let (change, before, after) = last_port_change(project)?;
    let config = deploy_config::production(project).find(|config| config.file == change.file)?;
    let words = match deploy_config::reach_of(before, config) {
        Reach::Yes(why) => format!("that is not the cause: before the change, {why}"),
        Reach::No(why) => format!("a deployment made before it could not answer: {why}"),
        Reach::Unknown(why) => format!("whether it mattered is not known: {why}"),
    };
    Some(raise(
        &codes::PROJ_BIND_CHANGED,
        format!(
            "Commit {} changed the bind port in {} from {} to {}; {words}",
            change.commit, change.file, before.bind_port, after.bind_port
        ),
        "It is often blamed for an outage; the port map decides whether it can be.",
        "Nothing by itself.",
        vec![id.clone()],
    ))
}

/// The newest change of a start command that chose the port in another way.
pub(crate) fn last_port_change(
    project: &ProjectSnapshot,
) -> Option<(&HistoricChange, &StartCommand, &StartCommand)> {
    project.git.as_ref()?.deploy_history.iter().find_map(|change| {
        let (before, after) = (change.start_before.as_ref()?, change.start_after.as_ref()?);
        let said = before.bind_port != PortSetting::Unsaid && after.bind_port != PortSetting::Unsaid;
        (said && before.bind_port != after.bind_port).then_some((change, before, after))
    })
}

fn settings(project: &ProjectSnapshot, id: &ObservationId) -> Vec<Finding> {
    let settings = &project.settings;
    let declared: BTreeSet<&str> = settings.declared.iter().map(String::as_str).collect();
    let present: BTreeSet<&str> = settings.present.iter().map(String::as_str).collect();
    let set_by_deploy: BTreeSet<&str> =
        project.deploy.iter().flat_map(|c| &c.sets).map(String::as_str).collect();
    let needed: Vec<_> = settings
        .read
        .iter()
        .filter(|r| {
            !r.has_default
                && !present.contains(r.name.as_str())
                && !set_by_deploy.contains(r.name.as_str())
                && !settings.is_provided(&r.name)
        })
        .collect();
    let (missing, undeclared): (Vec<_>, Vec<_>) =
        needed.into_iter().partition(|r| declared.contains(r.name.as_str()));
    let mut found = Vec::new();
    if !undeclared.is_empty() {
        let names: Vec<String> = undeclared.iter().map(|r| format!("{} ({})", r.name, r.place)).collect();
        found.push(raise(
            &codes::PROJ_SETTING_UNDECLARED,
            format!(
                "The code reads {} that nobody declares: {}",
                count(undeclared.len(), "setting"),
                some_of(&names)
            ),
            "Whoever deploys does not learn that they are needed.",
            format!("Declare them in {}.", settings.declared_in.as_deref().unwrap_or(".env.example")),
            vec![id.clone()],
        ));
    }
    if !missing.is_empty() {
        let names: Vec<&str> = missing.iter().map(|r| r.name.as_str()).collect();
        found.push(raise(
            &codes::PROJ_SETTING_MISSING,
            format!(
                "{} without a default not present here: {}",
                count(missing.len(), "declared setting"),
                some_of(&names)
            ),
            "Production keeps its own set, which cannot be seen from here.",
            "Check that the platform's settings have these names.",
            vec![id.clone()],
        ));
    }
    found
}

fn dependencies(project: &ProjectSnapshot, id: &ObservationId) -> Vec<Finding> {
    let mut found = Vec::new();
    for stack in project.stacks.iter().filter(|stack| stack.lock.is_none()) {
        let loose: Vec<&str> =
            stack.dependencies.iter().filter(|d| d.version.is_none()).map(|d| d.name.as_str()).collect();
        if !loose.is_empty() {
            found.push(raise(
                &codes::PROJ_UNPINNED,
                format!(
                    "{} of {} in {} not pinned: {}",
                    loose.len(),
                    count(stack.dependencies.len(), "dependency").replace("dependencys", "dependencies"),
                    stack.manifest.as_deref().unwrap_or("the manifest"),
                    some_of(&loose)
                ),
                "The next build may install other code than the one that was tested.",
                "Pin exact versions, or commit a lock file.",
                vec![id.clone()],
            ));
        }
    }
    found
}

fn git(project: &ProjectSnapshot, id: &ObservationId) -> Vec<Finding> {
    let Some(git) = &project.git else { return Vec::new() };
    let mut found = Vec::new();
    let open: Vec<&str> = open_files(git).collect();
    if !open.is_empty() {
        found.push(raise(
            &codes::PROJ_UNCOMMITTED,
            format!("{} not committed: {}", count(open.len(), "file"), some_of(&open)),
            "A deployment from version control will not contain them.",
            "Commit what belongs to the deployment, ignore the rest.",
            vec![id.clone()],
        ));
    }
    if let Some(ahead) = git.ahead.filter(|ahead| *ahead > 0) {
        found.push(raise(
            &codes::PROJ_UNPUSHED,
            format!("{} not pushed", count(ahead as usize, "commit")),
            "A deployment from the remote branch will not contain them.",
            "git push",
            vec![id.clone()],
        ));
    }
    found
}

fn schedulers(project: &ProjectSnapshot, id: &ObservationId) -> Option<Finding> {
    // A start that a variable guards is a fault only where that variable is known to be set for the workers.
    let set = |name: &String| deploy_config::production(project).any(|config| config.sets.contains(name));
    let at_import: Vec<_> = project
        .schedulers
        .iter()
        .filter(|s| s.starts_at_import && s.gated_by.as_ref().is_none_or(set))
        .collect();
    let workers = deploy_config::production(project)
        .filter_map(|config: &DeployConfig| workers(config.start.as_ref()?))
        .max()?;
    (!at_import.is_empty() && workers > 1).then(|| {
        let places: Vec<String> = at_import.iter().map(|s| format!("{} at {}", s.kind, s.place)).collect();
        raise(
            &codes::PROJ_SCHEDULER,
            format!("{} starts once in each of {workers} worker processes", in_words(&places)),
            "Every job runs that many times: mails, charges and reports are doubled.",
            "Start it in a process of its own, or let one worker hold a lock that all machines see.",
            vec![id.clone()],
        )
    })
}

/// The number of worker processes that a start command asks for.
fn workers(start: &StartCommand) -> Option<u32> {
    start.settings.iter().find(|s| s.name == "workers")?.value.as_deref()?.trim().parse().ok()
}

fn runtime(project: &ProjectSnapshot, id: &ObservationId) -> Option<Finding> {
    project.stacks.iter().find_map(|stack| {
        let runtime = &stack.runtime;
        let (wanted, present) = (runtime.wanted.as_deref()?, runtime.present.as_deref()?);
        // Only a wish that is a plain version can be held against one; ranges are the package manager's affair.
        let plain = wanted.trim_start_matches(|c: char| c.is_ascii_alphabetic() || c == '-');
        let is_version = !plain.is_empty() && plain.split('.').all(|part| part.parse::<u32>().is_ok());
        let differs = is_version && !plain.split('.').zip(present.split('.')).all(|(w, p)| w == p);
        differs.then(|| {
            raise(
                &codes::PROJ_RUNTIME,
                format!("{} {present} runs here, the project asks for {wanted}", runtime.name),
                "What works here may not work in production, and the reverse.",
                "Install the version that the project asks for.",
                vec![id.clone()],
            )
        })
    })
}

#[cfg(test)]
mod tests {
    use landfall_evidence::{Dependency, PortMap, ProjectSign, ProvidedSetting, SettingRead};

    use super::*;
    use crate::testworld::{deployed, undeployed};

    type Edit = fn(&mut ProjectSnapshot);

    #[test]
    fn each_rule_of_the_project_fires_on_its_own_fault_alone() {
        let codes = |world: &crate::testworld::World| -> Vec<String> {
            let all = world.diagnose().findings;
            all.into_iter().filter(|f| f.code.starts_with("LF-PROJ-")).map(|f| f.code).collect()
        };
        let usual = codes(&deployed());
        assert_eq!(usual, ["LF-PROJ-009"], "the change of the bind port is noted");
        let cases: &[(&str, Edit)] = &[
            ("LF-PROJ-001", |p| {
                p.deploy[0].start.as_mut().expect("a start").bind_host = Some("127.0.0.1".into())
            }),
            ("LF-PROJ-002", |p| {
                p.settings.read.push(SettingRead {
                    name: "PUBLIC_URL".into(),
                    place: "a.py:1".into(),
                    has_default: false,
                });
            }),
            ("LF-PROJ-003", |p| p.settings.present.retain(|name| name != "SESSION_SECRET")),
            ("LF-PROJ-004", |p| {
                p.stacks[0].dependencies.push(Dependency {
                    name: "requests".into(),
                    version: None,
                    requirement: ">=2".into(),
                });
            }),
            ("LF-PROJ-005", |p| p.git.as_mut().expect("git").uncommitted.push("run.py".into())),
            ("LF-PROJ-006", |p| p.git.as_mut().expect("git").ahead = Some(2)),
            ("LF-PROJ-007", |p| p.schedulers[0].starts_at_import = true),
            ("LF-PROJ-008", |p| p.stacks[0].runtime.wanted = Some("3.12".into())),
            ("LF-PROJ-010", |p| p.unread.push("setup.cfg: line 3".into())),
        ];
        for (code, edit) in cases {
            let mut got = codes(&deployed().edit_project(edit));
            got.retain(|c| c != "LF-PROJ-009");
            assert_eq!(got, [*code]);
        }
        let silent: &[(&str, Edit)] = &[
            ("a default is enough", |p| {
                p.settings.read.push(SettingRead {
                    name: "LEVEL".into(),
                    place: "a.py:1".into(),
                    has_default: true,
                });
            }),
            ("a lock file pins", |p| {
                p.stacks[0].dependencies.push(Dependency {
                    name: "requests".into(),
                    version: None,
                    requirement: ">=2".into(),
                });
                p.stacks[0].lock = Some("uv.lock".into());
            }),
            ("a platform's own variable", |p| {
                p.settings.read.push(SettingRead {
                    name: "DYNO".into(),
                    place: "a.py:1".into(),
                    has_default: false,
                });
                p.settings.provided.push(ProvidedSetting { name: "DYNO".into(), platform: "heroku".into() });
            }),
            ("settings are kept out of git", |p| {
                p.git.as_mut().expect("git").untracked.extend([".env".into(), "api/.env.local".into()]);
            }),
            ("nothing to push", |p| p.git.as_mut().expect("git").ahead = Some(0)),
            ("one worker", |p| {
                p.schedulers[0].starts_at_import = true;
                p.deploy[0].start.as_mut().expect("a start").settings[0].value = Some("1".into());
            }),
            ("a guarded start", |p| {
                p.schedulers[0].starts_at_import = true;
                p.schedulers[0].gated_by = Some("RUN_SCHEDULER".into());
            }),
            ("a range is no version", |p| p.stacks[0].runtime.wanted = Some(">=3.12".into())),
        ];
        for (name, edit) in silent {
            assert_eq!(codes(&deployed().edit_project(edit)), ["LF-PROJ-009"], "{name}");
        }
    }

    #[test]
    fn a_variable_that_no_shell_expands_is_reported_once() {
        let codes = |sign: bool| -> Vec<String> {
            let world = undeployed().edit_project(|p| {
                let start = p.deploy[0].start.as_mut().expect("a start");
                start.shell = false;
                if sign {
                    let file = p.deploy[0].file.clone();
                    p.signs.push(ProjectSign::new(
                        SignWord::AppWithoutShell,
                        file,
                        "gunicorn -b 0.0.0.0:$PORT",
                    ));
                }
            });
            let found = world.diagnose().findings.into_iter().map(|f| f.code);
            found.filter(|c| c == "LF-PROJ-001" || c == "LF-PROJ-012").collect()
        };
        assert_eq!(codes(true), ["LF-PROJ-012"]);
        assert_eq!(codes(false), ["LF-PROJ-001"], "a recording without signs");
    }

    #[test]
    fn an_example_of_settings_belongs_into_version_control() {
        let world = deployed().edit_project(|p| {
            p.git.as_mut().expect("git").untracked.extend([".env".into(), ".env.example".into()]);
        });
        let title = &world.findings("LF-PROJ-005")[0].title;
        assert!(title.contains(".env.example") && title.starts_with("1 file"), "{title}");
    }

    #[test]
    fn the_change_of_the_bind_port_is_blamed_only_where_no_map_leads_to_it() {
        let title = |world: crate::testworld::World| world.findings("LF-PROJ-009").remove(0).title;
        let with_map = title(undeployed());
        assert!(
            with_map.contains("from 5000 to ${PORT:-5000}") && with_map.contains("not the cause"),
            "{with_map}"
        );
        let without = title(undeployed().edit_project(|p| p.deploy[0].ports.clear()));
        assert!(without.contains("could not answer"), "{without}");
        let elsewhere = title(
            undeployed().edit_project(|p| p.deploy[0].ports = vec![PortMap { local: 8080, external: 80 }]),
        );
        assert!(elsewhere.contains("could not answer"), "{elsewhere}");
    }

    #[test]
    fn a_bind_that_production_contradicts_weighs_less() {
        let broken = |p: &mut ProjectSnapshot| {
            p.deploy[0].start.as_mut().expect("a start").bind_host = Some("localhost".into())
        };
        let severity =
            |world: crate::testworld::World| world.edit_project(broken).findings("LF-PROJ-001")[0].severity;
        assert_eq!(severity(undeployed()), Severity::Medium);
        assert_eq!(severity(deployed()), Severity::Low);
    }
}
