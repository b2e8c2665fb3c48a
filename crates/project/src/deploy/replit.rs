//! `.replit`: TOML. `run` starts the workspace, `[deployment] run` the deployment, `[[ports]]` maps the ports of both.

use landfall_evidence::DeployStage;
use toml::{Table, Value};

use super::{Deploy, port_map};
use crate::command::{Parsed, parse_shell, parse_vector};

pub(super) fn read(file: &str, text: &str) -> Result<Vec<Deploy>, String> {
    let root = super::other::toml_table(text)?;
    let ports: Vec<_> = root
        .get("ports")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|map| port_map(map.get("localPort")?.as_integer(), map.get("externalPort")?.as_integer()))
        .collect();
    let sets = |table: Option<&Table>| {
        table
            .and_then(|t| t.get("env"))
            .and_then(Value::as_table)
            .map(|env| env.keys().cloned().collect())
            .unwrap_or_default()
    };

    let mut all = Vec::new();
    if let Some(deployment) = root.get("deployment").and_then(Value::as_table) {
        let mut deploy = Deploy::new(file, "replit", DeployStage::Production);
        if let Some(parsed) = deployment.get("run").and_then(run) {
            deploy.start(parsed);
        }
        deploy.config.ports.clone_from(&ports);
        deploy.config.sets = sets(Some(deployment));
        all.push(deploy);
    }
    if let Some(parsed) =
        root.get("run").and_then(run).filter(|p| p.start.server.is_some()).or_else(|| workflow(&root))
    {
        let mut deploy = Deploy::new(file, "replit", DeployStage::Development);
        deploy.start(parsed);
        deploy.config.ports = ports;
        deploy.config.sets = sets(Some(&root));
        all.push(deploy);
    }
    Ok(all)
}

/// A string is run by a shell, an array is an argument vector.
fn run(value: &Value) -> Option<Parsed> {
    match value {
        Value::String(script) => Some(parse_shell(script)),
        Value::Array(words) => {
            let words: Vec<String> = words.iter().filter_map(|w| w.as_str().map(str::to_owned)).collect();
            (!words.is_empty()).then(|| parse_vector(&words))
        }
        _ => None,
    }
}

/// The first workflow task that starts a server.
fn workflow(root: &Table) -> Option<Parsed> {
    let workflows = root.get("workflows")?.get("workflow")?.as_array()?;
    workflows
        .iter()
        .filter_map(|workflow| workflow.get("tasks")?.as_array())
        .flatten()
        .filter(|task| task.get("task").and_then(Value::as_str) == Some("shell.exec"))
        .filter_map(|task| task.get("args")?.as_str())
        .map(parse_shell)
        .find(|parsed| parsed.start.server.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use landfall_evidence::{PortMap, PortSetting};

    #[test]
    fn the_workspace_and_the_deployment_are_two() {
        let text = include_str!("../../../../scenarios/levqor/project/.replit");
        let all = read(".replit", text).unwrap();
        let [production, development] = all.as_slice() else { panic!("{all:?}") };
        let start = production.config.start.as_ref().unwrap();
        assert!(start.shell);
        assert_eq!(start.bind_port, PortSetting::Variable { name: "PORT".into(), default: Some(5000) });
        assert_eq!(production.config.ports, [PortMap { local: 5000, external: 80 }]);
        assert_eq!(production.target.as_deref(), Some("run:app"));
        let start = development.config.start.as_ref().unwrap();
        assert_eq!(start.bind_port, PortSetting::Literal { port: 8000 });
        assert_eq!(development.config.stage, DeployStage::Development);
    }

    #[test]
    fn the_older_file_binds_a_literal_port_without_a_shell() {
        let all =
            read(".replit", include_str!("../../../../scenarios/levqor/history/0-replit.toml")).unwrap();
        let start = all[0].config.start.as_ref().unwrap();
        assert!(!start.shell);
        assert_eq!(start.bind_port, PortSetting::Literal { port: 5000 });
    }

    #[test]
    fn a_workflow_starts_the_workspace() {
        let text = r#"
            [[workflows.workflow]]
            name = "api"
            [[workflows.workflow.tasks]]
            task = "shell.exec"
            args = "gunicorn -b 0.0.0.0:8000 run:app"
            [[ports]]
            localPort = 8000
        "#;
        let all = read(".replit", text).unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].config.start.as_ref().unwrap().server.as_deref(), Some("gunicorn"));
        assert!(all[0].config.ports.is_empty());
    }
}
