//! Where the application serves its OpenAPI document, by what it depends on: catalogue/project/served-openapi.toml.

use std::sync::LazyLock;

use landfall_evidence::ProjectSnapshot;
use serde::Deserialize;

/// Paths that are asked at most.
const MAX_PATHS: usize = 2;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Catalogue {
    serves: Vec<Serves>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Serves {
    name: String,
    #[serde(default)]
    family: bool,
    path: String,
    #[expect(dead_code, reason = "for the reader of the file")]
    source: String,
}

static SERVES: LazyLock<Vec<Serves>> = LazyLock::new(|| {
    let catalogue: Catalogue = toml::from_str(include_str!("../../../catalogue/project/served-openapi.toml"))
        .expect("the catalogue is part of the program and covered by tests");
    catalogue.serves
});

/// The paths at which the project's own packages serve an OpenAPI document, at most two; none where no package does.
pub fn openapi_paths(snapshot: &ProjectSnapshot) -> Vec<String> {
    let plain = |name: &str| {
        let bare = name.rsplit(':').next().unwrap_or(name);
        bare.to_ascii_lowercase().replace(['_', '.'], "-")
    };
    let names: Vec<String> = snapshot
        .stacks
        .iter()
        .flat_map(|stack| stack.dependencies.iter().chain(&stack.framework))
        .map(|dependency| plain(&dependency.name))
        .collect();
    let mut paths: Vec<String> = Vec::new();
    for serves in SERVES.iter() {
        let wanted = plain(&serves.name);
        let is_it = |name: &String| *name == wanted || (serves.family && name.starts_with(&wanted));
        if names.iter().any(is_it) && !paths.contains(&serves.path) {
            paths.push(serves.path.clone());
        }
    }
    paths.truncate(MAX_PATHS);
    paths
}

#[cfg(test)]
mod tests {
    use landfall_evidence::{Dependency, Runtime, Stack};

    use super::*;

    #[test]
    fn only_what_the_project_depends_on_suggests_a_path() {
        let of = |names: &[&str]| {
            let dependency = |name: &&str| Dependency {
                name: (*name).to_owned(),
                version: None,
                requirement: String::new(),
            };
            let stack = Stack {
                language: String::new(),
                framework: None,
                server: None,
                runtime: Runtime::default(),
                manifest: None,
                lock: None,
                dependencies: names.iter().map(dependency).collect(),
                dev_dependencies: Vec::new(),
            };
            openapi_paths(&ProjectSnapshot { stacks: vec![stack], ..ProjectSnapshot::default() })
        };
        assert!(of(&["Flask", "gunicorn", "express"]).is_empty());
        assert_eq!(of(&["FastAPI"]), ["/openapi.json"]);
        assert_eq!(of(&["org.springdoc:springdoc-openapi-starter-webmvc-ui"]), ["/v3/api-docs"]);
        assert_eq!(of(&["Swashbuckle.AspNetCore"]), ["/swagger/v1/swagger.json"]);
        assert_eq!(of(&["flask_restx", "drf-spectacular", "fastapi"]).len(), 2);
    }
}
