//! Composer's packages in code that production loads.

use landfall_evidence::SignWord;
use serde_json::Value as Json;

use super::super::{Found, Read, text};
use crate::source::Language;
use crate::stack::json_names;

/// Classes of packages that Composer installs for development alone, named by code that production loads: Laravel and Symfony make
/// such classes when they start (getcomposer.org/doc/04-schema.md, require-dev and autoload).
pub(super) fn read(read: &Read<'_>, found: &mut Found) {
    let tree = read.tree;
    let Some(manifest) = text(tree, "composer.json").and_then(|t| serde_json::from_str::<Json>(&t).ok())
    else {
        return;
    };
    let dev = json_names(&manifest, "require-dev");
    if dev.is_empty() {
        return;
    }
    // The lock file says under which names a package's classes lie; without it they mostly lie under its own.
    let locked = text(tree, "composer.lock").and_then(|t| serde_json::from_str::<Json>(&t).ok());
    let locked = locked.as_ref().and_then(|lock| lock.get("packages-dev")).and_then(Json::as_array);
    let mut spaces: Vec<(String, &str)> = Vec::new();
    for package in dev.keys() {
        let of_lock =
            locked.into_iter().flatten().find(|of| of.get("name").and_then(Json::as_str) == Some(package));
        let psr4 = of_lock.and_then(|of| of.pointer("/autoload/psr-4")).and_then(Json::as_object);
        match psr4 {
            Some(names) => spaces.extend(names.keys().map(|name| (name.clone(), package.as_str()))),
            None => {
                let words =
                    |part: &str| part.split(['-', '_']).map(crate::signs::capital).collect::<String>();
                if let Some((vendor, name)) = package.split_once('/') {
                    spaces.push((format!("{}\\{}\\", words(vendor), words(name)), package));
                }
            }
        }
    }
    let loaded = |path: &str| {
        ["app/", "src/", "bootstrap/", "config/", "routes/"].iter().any(|folder| path.starts_with(folder))
    };
    for source in read
        .sources
        .iter()
        .filter(|s| s.language == Language::Php && loaded(&s.path) && !crate::source::is_test(&s.path))
    {
        // Who asks first may name what is not there, and so may whoever asks for the environment; what a class is made of is
        // needed whatever is asked in it.
        let asks = ["class_exists", "isLocal(", "environment('local')", "'dev' => true"]
            .iter()
            .any(|word| source.code.contains(word));
        let is_parent = |at: usize| {
            let named = source.code[at..].split([';', ' ', ':', '\n']).next().unwrap_or_default();
            let class = named.rsplit('\\').next().unwrap_or_default();
            !class.is_empty() && source.code.contains(&format!("extends {class}"))
        };
        for (space, package) in &spaces {
            let named = source
                .code
                .match_indices(space.as_str())
                .filter(|(at, _)| source.code[..*at].ends_with(['\\', ' ', '[', '(', ',', '\n', '\t']))
                .find(|(at, _)| !asks || is_parent(*at));
            if let Some((at, _)) = named {
                found.add(SignWord::DevDependencyAtRuntime, source.place(at), *package);
            }
        }
    }
}
