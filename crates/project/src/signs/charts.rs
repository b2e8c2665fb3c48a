//! The values of Helm charts against one another: the port that the service sends to, and that of the container.

use landfall_evidence::SignWord;

use super::{Found, text};
use crate::tree::{Tree, file_name};
use crate::yaml::documents;

/// Charts read.
const MAX_CHARTS: usize = 20;

pub(super) fn read(tree: &Tree, found: &mut Found) {
    let values = tree.files.iter().filter(|f| {
        !f.ignored
            && file_name(&f.path) == "values.yaml"
            && tree.has(&format!("{}Chart.yaml", f.path.trim_end_matches("values.yaml")))
    });
    for file in values.take(MAX_CHARTS) {
        let Some(Ok(all)) = text(tree, &file.path).map(|text| documents(&text)) else { continue };
        for root in &all {
            let port = |path: &[&str]| root.at(path).and_then(|node| Some((node.port()?, node.line)));
            let container = port(&["containerPort"]).or_else(|| port(&["container", "port"]));
            if let (Some((target, line)), Some((inner, _))) = (port(&["service", "targetPort"]), container)
                && target != inner
            {
                found.add(
                    SignWord::PortServiceDiffers,
                    format!("{}:{line}", file.path),
                    format!("target port {target} is not the container's port {inner}"),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{has, lacks};

    #[test]
    fn the_service_and_the_container_of_a_chart() {
        let chart = ("c/Chart.yaml", "name: c\n");
        let values =
            |target: &str| format!("service:\n  port: 80\n  targetPort: {target}\ncontainerPort: 8080\n");
        has(
            &[chart, ("c/values.yaml", &values("8000"))],
            "port-service-differs target port 8000 is not the container's port 8080 @c/values.yaml:3",
        );
        for fine in ["8080", "http"] {
            lacks(&[chart, ("c/values.yaml", &values(fine))], "port-service-differs");
        }
    }
}
