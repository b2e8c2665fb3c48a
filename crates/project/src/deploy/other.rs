//! The smaller formats: Procfile, fly.toml, railway, nixpacks, vercel, app.json, gunicorn's configuration file.

use std::collections::BTreeMap;

use landfall_evidence::{DeployStage, PortMap, PortSetting, ServerSetting, StartCommand};
use toml::{Table, Value};

use super::{Deploy, port, port_map};
use crate::command::{commands, parse_shell, parse_vector};
use crate::source::{Language, Source, literal};

/// A TOML document, or what is wrong with it and where.
pub(super) fn toml_table(text: &str) -> Result<Table, String> {
    text.parse::<Table>().map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        format!("line {line}: {}", error.message())
    })
}

fn json_object(text: &str) -> Result<serde_json::Map<String, serde_json::Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("not a JSON object: {error}"))
}

/// `NAME: COMMAND` lines; the process named `web` receives the traffic.
pub(super) fn procfile(file: &str, text: &str) -> Result<Vec<Deploy>, String> {
    let processes: Vec<(&str, &str)> = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .filter_map(|line| line.split_once(':'))
        .map(|(name, command)| (name.trim(), command.trim()))
        .filter(|(name, command)| !command.is_empty() && !name.is_empty())
        .collect();
    let Some((_, command)) = processes.iter().find(|(name, _)| *name == "web").or(processes.first()) else {
        return Err("no process type in it (a line such as `web: gunicorn run:app`)".to_owned());
    };
    let mut deploy = Deploy::new(file, "heroku", DeployStage::Production);
    deploy.start(parse_shell(command));
    Ok(vec![deploy])
}

/// Fly.io. The application's name makes its default host; `internal_port` is what its proxy connects to.
pub(super) fn fly(file: &str, text: &str) -> Result<Vec<Deploy>, String> {
    let root = toml_table(text)?;
    let mut deploy = Deploy::new(file, "fly", DeployStage::Production);
    deploy.config.default_host = root.get("app").and_then(Value::as_str).map(|app| format!("{app}.fly.dev"));
    deploy.config.regions =
        root.get("primary_region").and_then(Value::as_str).map(str::to_owned).into_iter().collect();
    let env: BTreeMap<String, String> = root
        .get("env")
        .and_then(Value::as_table)
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect();
    if let Some(processes) = root.get("processes").and_then(Value::as_table) {
        let web =
            ["app", "web"].iter().find_map(|name| processes.get(*name)).or_else(|| processes.values().next());
        if let Some(command) = web.and_then(Value::as_str) {
            // The text is split into words and handed to the image as its command; no shell reads it.
            let words: Vec<String> = commands(command).into_iter().flatten().map(|w| w.script()).collect();
            deploy.start(parse_vector(&words));
        }
    }
    let mut health = |checks: Option<&Value>| {
        let path =
            checks.and_then(Value::as_array).into_iter().flatten().find_map(|c| c.get("path")?.as_str());
        if let Some(path) = path {
            deploy.config.health_path.get_or_insert_with(|| path.to_owned());
        }
    };
    let mut ports = Vec::new();
    if let Some(service) = root.get("http_service") {
        if let Some(local) = port(service.get("internal_port").and_then(Value::as_integer)) {
            // An HTTP service is always reached on 443.
            ports.push(PortMap { local, external: 443 });
        }
        health(service.get("checks").or_else(|| service.get("http_checks")));
    }
    for service in root.get("services").and_then(Value::as_array).into_iter().flatten() {
        let local = service.get("internal_port").and_then(Value::as_integer);
        let externals = service.get("ports").and_then(Value::as_array).into_iter().flatten();
        ports.extend(externals.filter_map(|p| port_map(local, p.get("port")?.as_integer())));
        health(service.get("http_checks"));
    }
    // `[checks.NAME]` of the machine itself (fly.io/docs/reference/configuration, "checks").
    for check in root.get("checks").and_then(Value::as_table).into_iter().flatten().map(|(_, check)| check) {
        let path = check.get("path").and_then(Value::as_str);
        if let (Some("http"), Some(path)) = (check.get("type").and_then(Value::as_str), path) {
            deploy.config.health_path.get_or_insert_with(|| path.to_owned());
        }
    }
    deploy.config.ports = ports;
    deploy.defaults(&env);
    deploy.config.sets = env.into_keys().collect();
    Ok(vec![deploy])
}

pub(super) fn railway_toml(file: &str, text: &str) -> Result<Vec<Deploy>, String> {
    let root = toml_table(text)?;
    let field = |name: &str| root.get("deploy").and_then(|d| d.get(name)).and_then(Value::as_str);
    Ok(vec![railway(file, field("startCommand"), field("healthcheckPath"))])
}

pub(super) fn railway_json(file: &str, text: &str) -> Result<Vec<Deploy>, String> {
    let root = json_object(text)?;
    let field = |name: &str| root.get("deploy").and_then(|d| d.get(name)).and_then(serde_json::Value::as_str);
    Ok(vec![railway(file, field("startCommand"), field("healthcheckPath"))])
}

fn railway(file: &str, start: Option<&str>, health: Option<&str>) -> Deploy {
    let mut deploy = Deploy::new(file, "railway", DeployStage::Production);
    if let Some(start) = start {
        deploy.start(parse_shell(start));
    }
    deploy.config.health_path = health.map(str::to_owned);
    deploy
}

pub(super) fn nixpacks(file: &str, text: &str) -> Result<Vec<Deploy>, String> {
    let root = toml_table(text)?;
    let mut deploy = Deploy::new(file, "nixpacks", DeployStage::Production);
    if let Some(command) = root.get("start").and_then(|s| s.get("cmd")).and_then(Value::as_str) {
        deploy.start(parse_shell(command));
    }
    let sets = root.get("variables").and_then(Value::as_table);
    deploy.config.sets = sets.map(|t| t.keys().cloned().collect()).unwrap_or_default();
    Ok(vec![deploy])
}

/// Vercel builds functions; there is no start command to read.
pub(super) fn vercel(file: &str, text: &str) -> Result<Vec<Deploy>, String> {
    let root = json_object(text)?;
    let mut deploy = Deploy::new(file, "vercel", DeployStage::Production);
    deploy.config.regions = root
        .get("regions")
        .and_then(serde_json::Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|region| region.as_str().map(str::to_owned))
        .collect();
    let env = root.get("env").and_then(serde_json::Value::as_object);
    deploy.config.sets = env.map(|e| e.keys().cloned().collect()).unwrap_or_default();
    Ok(vec![deploy])
}

/// Netlify builds files and functions; there is no start command
/// (docs.netlify.com/configure-builds/file-based-configuration).
pub(super) fn netlify(file: &str, text: &str) -> Result<Vec<Deploy>, String> {
    let root = toml_table(text)?;
    let mut deploy = Deploy::new(file, "netlify", DeployStage::Production);
    let tables = [
        root.get("build").and_then(|b| b.get("environment")),
        root.get("context").and_then(|c| c.get("production")).and_then(|p| p.get("environment")),
    ];
    let mut sets: Vec<String> =
        tables.into_iter().flatten().filter_map(Value::as_table).flat_map(|t| t.keys().cloned()).collect();
    sets.sort();
    sets.dedup();
    deploy.config.sets = sets;
    Ok(vec![deploy])
}

/// A Cloudflare Worker (developers.cloudflare.com/workers/wrangler/configuration): the script that answers, and its
/// variables. It has no port.
pub(super) fn wrangler(file: &str, text: &str) -> Result<Vec<Deploy>, String> {
    let root = toml_table(text)?;
    let json = serde_json::to_value(&root).map_err(|error| error.to_string())?;
    Ok(vec![worker(file, &json)])
}

/// The same in JSON, in which comments may stand.
pub(super) fn wrangler_json(file: &str, text: &str) -> Result<Vec<Deploy>, String> {
    let plain = without_trailing_commas(&Source::new(file, Language::JavaScript, text).code);
    let root: serde_json::Value = serde_json::from_str(&plain).map_err(|error| error.to_string())?;
    match root.is_object() {
        true => Ok(vec![worker(file, &root)]),
        false => Err("not a JSON object".to_owned()),
    }
}

/// The text without commas before a closing bracket, which JSON with comments allows; offsets kept.
fn without_trailing_commas(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let (mut quoted, mut comma, mut i) = (false, None, 0);
    while i < bytes.len() {
        match bytes[i] {
            b'\\' if quoted => i += 1,
            b'"' => {
                quoted = !quoted;
                comma = None;
            }
            _ if quoted => {}
            b',' => comma = Some(i),
            b'}' | b']' => {
                if let Some(at) = comma.take() {
                    bytes[at] = b' ';
                }
            }
            byte if byte.is_ascii_whitespace() => {}
            _ => comma = None,
        }
        i += 1;
    }
    String::from_utf8(bytes).unwrap_or_default()
}

fn worker(file: &str, root: &serde_json::Value) -> Deploy {
    let mut deploy = Deploy::new(file, "cloudflare-workers", DeployStage::Production);
    let main = root.get("main").or_else(|| root.get("entry-point")).and_then(serde_json::Value::as_str);
    deploy.target = main.map(str::to_owned);
    deploy.config.build = root
        .get("build")
        .and_then(|b| b.get("command"))
        .and_then(serde_json::Value::as_str)
        .map(str::to_owned);
    let production = root.get("env").and_then(|e| e.get("production"));
    let mut sets: Vec<String> = [Some(root), production]
        .into_iter()
        .flatten()
        .filter_map(|table| table.get("vars")?.as_object())
        .flat_map(|vars| vars.keys().cloned())
        .collect();
    sets.sort();
    sets.dedup();
    deploy.config.sets = sets;
    deploy
}

/// Heroku's app.json names settings; the start command is the Procfile's. Expo and others use the same file name, so
/// without an `env` table it is not a deploy file.
pub(super) fn app_json(file: &str, text: &str) -> Result<Vec<Deploy>, String> {
    let root = json_object(text)?;
    let Some(env) = root.get("env").and_then(serde_json::Value::as_object) else { return Ok(Vec::new()) };
    let mut deploy = Deploy::new(file, "heroku", DeployStage::Production);
    deploy.config.sets = env.keys().cloned().collect();
    Ok(vec![deploy])
}

/// Adds what gunicorn's own configuration file says and the command line does not; the command line wins.
/// Only plain values and `os.environ.get("X", default)` are understood.
pub(super) fn gunicorn_conf(text: &str, start: &mut StartCommand) {
    let source = Source::new("gunicorn.conf.py", Language::Python, text);
    for line in source.code.lines() {
        let Some((name, value)) =
            line.split_once('=').filter(|(n, v)| !n.starts_with(' ') && !v.starts_with('='))
        else {
            continue;
        };
        let (value, variable, fallback) = python_value(value.trim());
        let name = match name.trim() {
            "bind" => {
                if start.bind_port == PortSetting::Unsaid && start.bind_host.is_none() {
                    let text = match (value, variable) {
                        (prefix, Some(variable)) => {
                            let default = fallback.map(|f| format!(":-{f}")).unwrap_or_default();
                            format!("{}${{{variable}{default}}}", prefix.unwrap_or_default())
                        }
                        (Some(value), None) => value,
                        (None, None) => continue,
                    };
                    let parsed = parse_vector(&["gunicorn".into(), "--bind".into(), text]);
                    start.bind_host = parsed.start.bind_host;
                    start.bind_port = parsed.start.bind_port;
                }
                continue;
            }
            "workers" => "workers",
            "threads" => "threads",
            "timeout" => "timeout_s",
            "graceful_timeout" => "graceful_timeout_s",
            "keepalive" => "keep_alive_s",
            "worker_class" => "worker_class",
            _ => continue,
        };
        let value = fallback.or(value);
        if start.settings.iter().all(|s| s.name != name) && (value.is_some() || variable.is_some()) {
            start.settings.push(ServerSetting { name: name.to_owned(), value, variable });
        }
    }
}

/// The plain value, the variable and the variable's default in a Python expression of the usual shapes:
/// `2`, `"0.0.0.0:80"`, `int(os.environ.get("N", 2))`, `"0.0.0.0:" + os.environ.get("PORT", "8000")`,
/// `f"0.0.0.0:{os.environ.get('PORT', 8000)}"`.
fn python_value(text: &str) -> (Option<String>, Option<String>, Option<String>) {
    let read = text.find("os.environ").or_else(|| text.find("os.getenv")).or_else(|| text.find("getenv("));
    let Some(at) = read else {
        let plain = literal(text).map(str::to_owned);
        return (plain.or_else(|| text.parse::<i64>().ok().map(|n| n.to_string())), None, None);
    };
    let open = text[at..].find(['(', '[']).map(|o| at + o);
    let inner = open.and_then(|open| crate::source::bracketed(text, open)).unwrap_or_default();
    let arguments = crate::source::split_top(inner);
    let variable = arguments.first().and_then(|a| literal(a)).map(str::to_owned);
    let default = arguments.get(1).map(|a| literal(a).unwrap_or(a).to_owned());
    let prefix = text[..at]
        .trim_start_matches('f')
        .trim_end_matches(['{', '+', ' ', '('])
        .trim_end_matches("int")
        .trim_end_matches("str");
    let prefix = prefix.trim().trim_matches(['"', '\'']);
    ((!prefix.is_empty()).then(|| prefix.to_owned()), variable, default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_procfile_serves_with_its_web_process() {
        let found = procfile("Procfile", "# x\nrelease: flask db upgrade\nweb: gunicorn -b :$PORT run:app\n")
            .unwrap();
        assert_eq!(found[0].target.as_deref(), Some("run:app"));
        assert!(procfile("Procfile", "nothing here").is_err());
    }

    #[test]
    fn fly_names_its_host_and_port_and_has_no_shell() {
        let text = "app = 'levqor'\n[env]\nPORT = 8080\n[processes]\napp = 'gunicorn --bind 0.0.0.0:$PORT run:app'\n\
                    [http_service]\ninternal_port = 8080\n[[http_service.checks]]\npath = '/health'\n";
        let deploy = fly("fly.toml", text).unwrap().remove(0);
        assert_eq!(deploy.config.default_host.as_deref(), Some("levqor.fly.dev"));
        assert_eq!(deploy.config.health_path.as_deref(), Some("/health"));
        assert_eq!(deploy.config.ports, [PortMap { local: 8080, external: 443 }]);
        let start = deploy.config.start.unwrap();
        assert!(!start.shell);
        assert_eq!(start.bind_port, PortSetting::Variable { name: "PORT".into(), default: Some(8080) });
    }

    #[test]
    fn edges_without_a_start_command_name_their_variables() {
        let text = "[build]\ncommand = 'npm run build'\n[build.environment]\nNODE_VERSION = '20'\n[context.production.environment]\nAPI_URL = 'x'\n";
        assert_eq!(netlify("netlify.toml", text).unwrap()[0].config.sets, ["API_URL", "NODE_VERSION"]);
        assert!(netlify("netlify.toml", "[build\n").unwrap_err().starts_with("line 1"));
        let toml = wrangler(
            "wrangler.toml",
            "name = 'w'\nmain = 'src/index.js'\n[vars]\nA = '1'\n[env.production.vars]\nB = '2'\n",
        )
        .unwrap();
        let json = wrangler_json("wrangler.jsonc", "{ // worker\n \"main\": \"src/index.js\", \"vars\": {\"A\": \"1\"}, \"env\": {\"production\": {\"vars\": {\"B\": \"2\"}}}}").unwrap();
        for deploy in [&toml[0], &json[0]] {
            assert_eq!(deploy.target.as_deref(), Some("src/index.js"));
            assert_eq!(deploy.config.sets, ["A", "B"]);
        }
    }

    #[test]
    fn ports_out_of_range_are_left_out() {
        let deploy = fly("fly.toml", "[http_service]\ninternal_port = 99999\n").unwrap().remove(0);
        assert!(deploy.config.ports.is_empty());
    }

    #[test]
    fn railway_in_both_formats() {
        let json = railway_json(
            "railway.json",
            r#"{"deploy":{"startCommand":"gunicorn run:app","healthcheckPath":"/health"}}"#,
        )
        .unwrap();
        let toml = railway_toml(
            "railway.toml",
            "[deploy]\nstartCommand='gunicorn run:app'\nhealthcheckPath='/health'",
        )
        .unwrap();
        for deploy in [&json[0], &toml[0]] {
            assert_eq!(deploy.target.as_deref(), Some("run:app"));
            assert_eq!(deploy.config.health_path.as_deref(), Some("/health"));
        }
        assert!(railway_json("railway.json", "[]").is_err());
    }

    #[test]
    fn python_values() {
        let value = |text: &str| python_value(text);
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(value("2"), (some("2"), None, None));
        assert_eq!(value("int(os.environ.get('N', 2))"), (None, some("N"), some("2")));
        assert_eq!(
            value("f\"0.0.0.0:{os.environ.get('PORT', 8000)}\""),
            (some("0.0.0.0:"), some("PORT"), some("8000"))
        );
        assert_eq!(value("multiprocessing.cpu_count() * 2 + 1"), (None, None, None));
    }
}
