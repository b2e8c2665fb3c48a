//! Settings by name: what the code reads, what the example file declares, what is present, and what values look like.
//! Values are never kept.

mod checks;
mod provided;
mod readings;
mod shapes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use landfall_evidence::{SettingRead, SettingsInventory, SignWord, ValueShape};
use regex::Regex;

use crate::deploy::Deploy;
use crate::source::Source;
use crate::syntax::Trees;
use crate::tree::Tree;

/// Files that declare settings without carrying them.
const EXAMPLES: &[&str] = &[".env.example", ".env.sample", ".env.template", "env.example", ".env.dist"];
/// Files that carry settings in development.
const PRESENT: &[&str] = &[".env", ".env.local"];
/// Names kept; a project that reads more has a generated file.
const MAX_NAMES: usize = 500;

static DECLARATION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)^[ \t]*(?:export[ \t]+)?([A-Za-z_]\w*)[ \t]*=[ \t]*(.*)$")
        .expect("the pattern is a constant and covered by tests")
});

/// Whether the variables of this source are read from its syntax tree.
pub(crate) fn may_read(source: &Source) -> bool {
    readings::may_read(source)
}

/// Reads the settings of a project. `environment` tells whether this process has a non-empty variable of that name.
pub(crate) fn read(
    tree: &Tree,
    sources: &[Source],
    trees: &Trees<'_>,
    deploys: &[Deploy],
    environment: impl Fn(&str) -> bool,
    unread: &mut Vec<String>,
) -> (SettingsInventory, Vec<Noticed>) {
    let mut read: BTreeMap<String, SettingRead> = BTreeMap::new();
    let mut noticed = Vec::new();
    let readings = readings::read(sources, trees);
    if let Some(path) = readings.cut_at {
        unread
            .push(format!("{path} and later sources: the variables that they read, for there are too many"));
    }
    let of_code = readings.of.into_iter().map(|(at, reading)| {
        let place = sources[at].place(reading.offset);
        (SettingRead { name: reading.name, place, has_default: reading.has_default }, reading.literal_default)
    });
    for (reading, literal) in of_code.chain(in_configuration(tree)) {
        if read.len() >= MAX_NAMES && !read.contains_key(&reading.name) {
            continue;
        }
        if literal && checks::is_secret(&reading.name) {
            noticed.push((SignWord::SecretDefault, reading.place.clone(), reading.name.clone()));
        }
        read.entry(reading.name.clone())
            // One reading without a default is enough to need the variable.
            .and_modify(|known| known.has_default &= reading.has_default)
            .or_insert(reading);
    }

    let mut texts = |path: &str| match tree.text(path)? {
        Ok(text) => Some(text),
        Err(reason) => {
            unread.push(reason);
            None
        }
    };
    let declared_in = EXAMPLES.iter().find(|path| tree.has(path));
    let declared: Vec<String> = declared_in
        .and_then(|path| texts(path))
        .map(|text| unique(declarations(&text).map(|(name, _)| name)))
        .unwrap_or_default();
    let carried: BTreeSet<String> = PRESENT
        .iter()
        .filter_map(|path| texts(path))
        .flat_map(|text| {
            declarations(&text).filter(|(_, filled)| *filled).map(|(name, _)| name).collect::<Vec<_>>()
        })
        .collect();
    let known: BTreeSet<&String> = read.keys().chain(&declared).collect();
    let present =
        known.into_iter().filter(|name| carried.contains(*name) || environment(name)).cloned().collect();
    let inventory = SettingsInventory {
        provided: provided::among(read.keys(), deploys),
        read: read.into_values().collect(),
        declared,
        declared_in: declared_in.map(|path| (*path).to_owned()),
        present,
        shapes: shapes::read(tree, std::env::var("LANDFALL_SALT").ok().as_deref()),
    };
    noticed.extend(checks::shapes(&inventory, sources));
    noticed.extend(checks::tracked(tree, &inventory));
    (inventory, noticed)
}

/// Values for variables of these names, as far as they can be had: the `.env` files, then this process's environment,
/// then what the example file gives that is no placeholder. For a process that is started on request; never kept.
pub(crate) fn values(tree: &Tree, names: &BTreeSet<String>) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    let add = |path: &str, example: bool, all: &mut BTreeMap<String, String>| {
        let Some(Ok(text)) = tree.text(path) else { return };
        for c in DECLARATION.captures_iter(&text).filter(|c| names.contains(&c[1])) {
            let value = shapes::unquoted(&c[2]);
            let usable = match shapes::shape(value) {
                ValueShape::Empty => false,
                ValueShape::Placeholder => !example,
                _ => true,
            };
            if usable {
                all.entry(c[1].to_owned()).or_insert_with(|| value.to_owned());
            }
        }
    };
    PRESENT.iter().for_each(|path| add(path, false, &mut all));
    for name in names {
        if let (false, Ok(value)) = (all.contains_key(name), std::env::var(name)) {
            all.insert(name.clone(), value);
        }
    }
    EXAMPLES.iter().for_each(|path| add(path, true, &mut all));
    all
}

/// Something noticed on the way: the sign, its place, its detail.
pub(crate) type Noticed = (SignWord, String, String);

pub(crate) use checks::near_misses;

/// `NAME=value` lines: the name, and whether the value is more than nothing.
fn declarations(text: &str) -> impl Iterator<Item = (String, bool)> {
    DECLARATION.captures_iter(text).take(MAX_NAMES).map(|c| {
        let value = c[2].trim();
        let value = if value.starts_with('#') { "" } else { value };
        (c[1].to_owned(), !value.trim_matches(['"', '\'']).is_empty())
    })
}

fn unique(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    names.filter(|name| seen.insert(name.clone())).collect()
}

/// Variables that configuration files of frameworks hand on: `${NAME:default}` of Spring and Quarkus, `%env(NAME)%` of
/// Symfony (symfony.com/doc/current/configuration.html). With `file:line` and whether a default stands there.
fn in_configuration(tree: &Tree) -> Vec<(SettingRead, bool)> {
    static SYMFONY: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"%env\((?:\w+:)*([A-Z][A-Z0-9_]*)\)%")
            .expect("the pattern is a constant and covered by tests")
    });
    let mut found = Vec::new();
    let named = tree.files.iter().filter(|f| !f.ignored && !crate::source::is_test(&f.path)).filter(|f| {
        let name = crate::tree::file_name(&f.path);
        let end = name.rsplit('.').next().unwrap_or_default();
        let spring = name.starts_with("application") && matches!(end, "properties" | "yml" | "yaml");
        let symfony = f.path.starts_with("config/") && matches!(end, "yml" | "yaml");
        spring || symfony
    });
    for file in named.take(40) {
        let Some(Ok(text)) = tree.text(&file.path) else { continue };
        let line = |offset: usize| text[..offset].matches('\n').count() + 1;
        for (name, at, default) in readings::placeholders(&text) {
            let place = format!("{}:{}", file.path, line(at));
            found.push((SettingRead { name, place, has_default: default.is_some() }, default == Some(true)));
        }
        for c in SYMFONY.captures_iter(&text) {
            let at = c.get(0).map_or(0, |m| m.start());
            let place = format!("{}:{}", file.path, line(at));
            // `default:` names a parameter to fall back to.
            let has_default = c[0].contains("default:");
            found.push((SettingRead { name: c[1].to_owned(), place, has_default }, false));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree;

    fn read_all(files: &[(&str, &str)], environment: &[&str]) -> SettingsInventory {
        let (_dir, tree) = tree(files);
        let sources = crate::source::load(&tree, &mut Vec::new());
        read(&tree, &sources, &Trees::default(), &[], |name| environment.contains(&name), &mut Vec::new()).0
    }

    fn shown(inventory: &SettingsInventory) -> Vec<String> {
        inventory
            .read
            .iter()
            .map(|r| format!("{} {} {}", r.name, r.place, if r.has_default { "default" } else { "needed" }))
            .collect()
    }

    #[test]
    fn python_in_its_spellings() {
        let code = "import os\nA = os.environ['A']\nB = os.environ.get('B')\nC = os.environ.get(\n    \"C\",\n    \"x\",\n)\n\
                    D = os.getenv('D', 2)\nos.environ['E'] = '1'\n# os.environ['F']\nG = os.environ.get('G') or 'y'\nH = config('H')\nA2 = os.environ.get('A', '')\n";
        assert_eq!(
            shown(&read_all(&[("a.py", code)], &[])),
            [
                "A a.py:2 needed",
                "B a.py:3 needed",
                "C a.py:4 default",
                "D a.py:8 default",
                "G a.py:11 default"
            ]
        );
        let code = "from decouple import config\nH = config('H')\nI = config('I', default=1, cast=int)\n";
        assert_eq!(shown(&read_all(&[("a.py", code)], &[])), ["H a.py:2 needed", "I a.py:3 default"]);
    }

    #[test]
    fn other_languages() {
        let files = [
            ("a.ts", "const x = process.env.A ?? 'b'; process.env['B']; process.env.C = '1'"),
            ("b.rs", "std::env::var(\"D\").unwrap_or_default(); env::var(\"E\")"),
            ("c.go", "package c\nvar f = os.Getenv(\"F\")"),
            ("d.rb", "ENV['G'] || 1; ENV.fetch('H', 2); ENV.fetch('I')"),
            ("tests/t.py", "import os\nos.environ['NOT']"),
        ];
        assert_eq!(
            shown(&read_all(&files, &[])),
            [
                "A a.ts:1 default",
                "B a.ts:1 needed",
                "D b.rs:1 default",
                "E b.rs:1 needed",
                "F c.go:2 needed",
                "G d.rb:1 default",
                "H d.rb:1 default",
                "I d.rb:1 needed"
            ]
        );
    }

    #[test]
    fn declared_and_present_are_names_and_an_empty_value_is_not_present() {
        let inventory = read_all(
            &[
                (".env.example", "# c\nA=\nexport B=your-key\n#C=1\nA=2\n"),
                (".env", "A=\"\"\nB=super-secret-value\nZ=unrelated\n"),
                ("a.py", "import os\nos.environ['D']\n"),
            ],
            &["D", "Z"],
        );
        assert_eq!(inventory.declared, ["A", "B"]);
        assert_eq!(inventory.declared_in.as_deref(), Some(".env.example"));
        assert_eq!(inventory.present, ["B", "D"]);
        assert!(!serde_json::to_string(&inventory).unwrap().contains("super-secret"));
    }
}
