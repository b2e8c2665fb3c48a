//! `Dockerfile`: the last stage's CMD and ENTRYPOINT in shell or exec form, its EXPOSE and ENV
//! (Dockerfile reference, "Understand how CMD and ENTRYPOINT interact").

use std::collections::BTreeMap;

use landfall_evidence::{DeployStage, PortMap};

use super::Deploy;
use crate::command::{Word, commands, parse_shell, parse_vector, quoted};

/// CMD or ENTRYPOINT.
#[derive(Debug, Clone)]
enum Form {
    Shell(String),
    Exec(Vec<String>),
}

#[derive(Debug, Clone, Default)]
struct Stage {
    command: Option<Form>,
    entrypoint: Option<Form>,
    exposed: Vec<u16>,
    env: BTreeMap<String, String>,
}

pub(super) fn read(file: &str, text: &str) -> Result<Vec<Deploy>, String> {
    let mut named: BTreeMap<String, Stage> = BTreeMap::new();
    let mut current: Option<(Option<String>, Stage)> = None;
    for line in logical_lines(text) {
        let (instruction, rest) = line.split_once(char::is_whitespace).unwrap_or((&line, ""));
        let rest = rest.trim();
        let instruction = instruction.to_ascii_uppercase();
        if instruction == "FROM" {
            if let Some((Some(name), stage)) = current.take() {
                named.insert(name, stage);
            }
            let words: Vec<&str> = rest.split_whitespace().filter(|w| !w.starts_with("--")).collect();
            // A stage built on an earlier one inherits its settings.
            let base = words
                .first()
                .and_then(|base| named.get(&base.to_ascii_lowercase()))
                .cloned()
                .unwrap_or_default();
            let name = words
                .get(1)
                .filter(|w| w.eq_ignore_ascii_case("as"))
                .and(words.get(2))
                .map(|n| n.to_ascii_lowercase());
            current = Some((name, base));
            continue;
        }
        // ARG may stand before the first FROM; nothing else that we read may.
        let Some((_, stage)) = &mut current else { continue };
        match instruction.as_str() {
            "CMD" => stage.command = Some(form(rest)),
            "ENTRYPOINT" => {
                stage.entrypoint = Some(form(rest));
                // An ENTRYPOINT resets a CMD that came from the base image, not one of this stage; telling them apart
                // needs the image, so the one that we know is kept.
            }
            "EXPOSE" => stage.exposed.extend(
                rest.split_whitespace().filter_map(|port| port.trim_end_matches("/tcp").parse::<u16>().ok()),
            ),
            "ENV" => env(rest, &mut stage.env),
            _ => {}
        }
    }
    let Some((_, stage)) = current else { return Err("no FROM instruction".to_owned()) };

    let mut deploy = Deploy::new(file, "docker", DeployStage::Production);
    let parsed = match (stage.entrypoint, stage.command) {
        (None, None) => None,
        (None, Some(Form::Shell(script))) | (Some(Form::Shell(script)), _) => Some(parse_shell(&script)),
        (None, Some(Form::Exec(words))) | (Some(Form::Exec(words)), None) => Some(parse_vector(&words)),
        (Some(Form::Exec(entry)), Some(command)) => {
            // A script as entry point prepares and then runs its arguments; the arguments are what serves.
            let script = entry.first().is_some_and(|e| e.ends_with(".sh") || e.contains("entrypoint"));
            match command {
                Form::Exec(words) if script => Some(parse_vector(&words)),
                Form::Exec(words) => Some(parse_vector(&[entry, words].concat())),
                Form::Shell(text) if script => Some(parse_shell(&text)),
                Form::Shell(text) => Some(parse_shell(&format!(
                    "{} sh -c {}",
                    entry.iter().map(|e| quoted(e)).collect::<Vec<_>>().join(" "),
                    quoted(&text)
                ))),
            }
        }
    };
    if let Some(parsed) = parsed {
        deploy.start(parsed);
    }
    // Inside an image the port that is exposed is the port that listens; which one the public reaches is not said.
    deploy.config.ports = stage.exposed.iter().map(|&p| PortMap { local: p, external: p }).collect();
    deploy.defaults(&stage.env);
    deploy.config.sets = stage.env.into_keys().collect();
    Ok(vec![deploy])
}

/// Lines with continuations joined; comments and empty lines dropped, also between continued lines.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut joined = String::new();
    for line in text.lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(part) = line.strip_suffix('\\') {
            joined.push_str(part);
            joined.push(' ');
        } else {
            joined.push_str(line);
            lines.push(std::mem::take(&mut joined));
        }
    }
    if !joined.is_empty() {
        lines.push(joined);
    }
    lines
}

/// The exec form is a JSON array; what does not parse as one is the shell form, as Docker itself decides.
fn form(text: &str) -> Form {
    match serde_json::from_str(text) {
        Ok(words) => Form::Exec(words),
        Err(_) => Form::Shell(text.to_owned()),
    }
}

/// `ENV A=1 B="x y"`, or the older `ENV A value`.
fn env(rest: &str, into: &mut BTreeMap<String, String>) {
    let words: Vec<String> = commands(rest).into_iter().flatten().map(|w: Word| w.script()).collect();
    if words.first().is_some_and(|w| w.contains('=')) {
        into.extend(
            words.iter().filter_map(|w| w.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())),
        );
    } else if let Some((name, value)) = words.split_first() {
        into.insert(name.clone(), value.join(" "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use landfall_evidence::PortSetting;

    fn start(text: &str) -> (bool, Option<String>, PortSetting) {
        let found = read("Dockerfile", text).unwrap().remove(0);
        let start = found.config.start.expect("a start command");
        (start.shell, start.server, start.bind_port)
    }

    #[test]
    fn the_last_stage_decides_and_env_gives_defaults() {
        let text = "FROM python:3.11 AS base\nENV PORT=8080 A=\"b c\"\nCMD [\"no\"]\nFROM base\nEXPOSE 8080/tcp 9\n\
                    # comment\nCMD exec gunicorn \\\n  # in between\n  --bind :$PORT run:app\n";
        let found = read("Dockerfile", text).unwrap().remove(0);
        assert_eq!(found.config.sets, ["A", "PORT"]);
        assert_eq!(found.config.ports[0], PortMap { local: 8080, external: 8080 });
        let port = PortSetting::Variable { name: "PORT".into(), default: Some(8080) };
        assert_eq!(start(text), (true, Some("gunicorn".into()), port));
    }

    #[test]
    fn exec_form_has_no_shell_and_is_appended_to_the_entry_point() {
        let literal = PortSetting::Variable { name: "PORT".into(), default: None };
        let text = "FROM a\nENTRYPOINT [\"gunicorn\"]\nCMD [\"--bind\", \"0.0.0.0:${PORT}\", \"run:app\"]";
        assert_eq!(start(text), (false, Some("gunicorn".into()), literal.clone()));
        let text = "FROM a\nENTRYPOINT [\"/docker-entrypoint.sh\"]\nCMD [\"gunicorn\", \"-b\", \":${PORT}\", \"run:app\"]";
        assert_eq!(start(text), (false, Some("gunicorn".into()), literal));
    }

    #[test]
    fn a_text_that_is_no_dockerfile_is_refused() {
        assert!(read("Dockerfile", "CMD x").is_err());
        assert!(read("Dockerfile", "").is_err());
    }
}
