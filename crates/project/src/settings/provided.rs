//! Variables that platforms set by themselves: catalogue/project/platform-variables.toml, with the sources.

use std::sync::LazyLock;

use landfall_evidence::{DeployStage, ProvidedSetting};
use toml::{Table, Value};

use crate::deploy::Deploy;

/// Configurations that say how a program is started and not on which platform.
const ANYWHERE: &[&str] = &["docker"];

struct Platform {
    name: String,
    names: Vec<String>,
    prefixes: Vec<String>,
}

static PLATFORMS: LazyLock<Vec<Platform>> = LazyLock::new(|| {
    let table: Table = include_str!("../../../../catalogue/project/platform-variables.toml")
        .parse()
        .expect("the catalogue is part of the program and covered by tests");
    let texts = |table: &Table, key: &str| -> Vec<String> {
        let list = table.get(key).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(|value| value.as_str().map(str::to_owned)).collect()
    };
    let platforms = table.get("platform").and_then(Value::as_array).into_iter().flatten();
    platforms
        .filter_map(Value::as_table)
        .map(|platform| Platform {
            name: platform.get("platform").and_then(Value::as_str).unwrap_or_default().to_owned(),
            names: texts(platform, "names"),
            prefixes: texts(platform, "prefixes"),
        })
        .collect()
});

impl Platform {
    fn sets(&self, name: &str) -> bool {
        self.names.iter().any(|own| own == name) || self.prefixes.iter().any(|own| name.starts_with(own))
    }
}

/// Those among the names that the project's platform sets, with the platform. Where no deploy file tells a platform,
/// any of them may be it; where one is told that is not in the catalogue (a unit of systemd, a compose file), none is.
pub(super) fn among<'n>(names: impl Iterator<Item = &'n String>, deploys: &[Deploy]) -> Vec<ProvidedSetting> {
    let production = |deploy: &&Deploy| deploy.config.stage == DeployStage::Production;
    let told: Vec<&str> = deploys
        .iter()
        .filter(production)
        .map(|deploy| deploy.config.platform.as_str())
        .filter(|platform| !ANYWHERE.contains(platform))
        .collect();
    let by = |name: &str| {
        PLATFORMS
            .iter()
            .filter(|platform| told.is_empty() || told.contains(&platform.name.as_str()))
            .find(|platform| platform.sets(name))
    };
    names
        .filter_map(|name| Some(ProvidedSetting { name: name.clone(), platform: by(name)?.name.clone() }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree;

    fn provided(names: &[&str], files: &[(&str, &str)]) -> Vec<String> {
        let (_dir, tree) = tree(files);
        let deploys = crate::deploy::read(&tree, &mut Vec::new());
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        among(names.iter(), &deploys).into_iter().map(|p| format!("{} {}", p.name, p.platform)).collect()
    }

    #[test]
    fn every_entry_has_names_and_a_source() {
        let table: Table =
            include_str!("../../../../catalogue/project/platform-variables.toml").parse().unwrap();
        let platforms = table["platform"].as_array().unwrap();
        assert_eq!(platforms.len(), PLATFORMS.len());
        for (entry, platform) in platforms.iter().zip(PLATFORMS.iter()) {
            assert!(!platform.name.is_empty() && !platform.names.is_empty(), "{entry}");
            assert!(entry["source"].as_str().is_some_and(|source| source.len() > 20), "{entry}");
            assert!(platform.prefixes.iter().all(|prefix| prefix.ends_with('_')), "{entry}");
        }
    }

    #[test]
    fn what_is_set_depends_on_the_platform() {
        let names = ["PORT", "DYNO", "K_SERVICE", "DATABASE_URL"];
        assert_eq!(provided(&names, &[("Procfile", "web: node a.js\n")]), ["PORT heroku", "DYNO heroku"]);
        assert_eq!(
            provided(&["PORT"], &[("fly.toml", "app = 'a'\n[http_service]\ninternal_port = 80\n")]),
            [""; 0]
        );
        // An image may run anywhere; so may what no file speaks of.
        let anywhere = ["PORT heroku", "DYNO heroku", "K_SERVICE google-cloud-run"];
        assert_eq!(provided(&names, &[("Dockerfile", "FROM scratch\nCMD [\"/a\"]\n")]), anywhere);
        assert_eq!(provided(&names, &[]), anywhere);
        let unit = "[Service]\nExecStart=/srv/a\n";
        assert_eq!(provided(&names, &[("deploy/a.service", unit)]), [""; 0]);
    }
}
