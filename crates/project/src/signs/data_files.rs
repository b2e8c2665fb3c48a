//! Data files that code reads when it starts, and that do not parse.

use std::sync::LazyLock;

use landfall_evidence::SignWord;
use regex::Regex;

use super::{Found, Read, regex, text};
use crate::source::{Source, is_test};
use crate::tree::file_name;

/// Files looked at.
const MAX_FILES: usize = 200;
/// The largest file looked at: work of some milliseconds.
const MAX_BYTES: u64 = 1 << 20;

/// Files whose own readers allow comments or more than JSON does.
const LENIENT: &[&str] = &[
    "tsconfig",
    "jsconfig",
    "appsettings",
    "launchSettings",
    "devcontainer",
    "deno",
    "turbo",
    "nx",
    "biome",
    "renovate",
    "wrangler",
    "api-extractor",
    "tslint",
    "package",
    "composer",
    "babel",
    "jest",
    ".",
    "language-configuration",
    "settings",
    "tasks",
    "launch",
    "extensions",
    "angular",
];

/// Packages that read JSON with comments, trailing commas or more.
const LENIENT_READERS: &[&str] = &[
    "json5",
    "jsonc",
    "comment-json",
    "strip-json-comments",
    "hjson",
    "commentjson",
    "(\"config\")",
    "('config')",
    "from 'config'",
    "from \"config\"",
    "\"config\": \"^",
];

pub(super) fn read(read: &Read<'_>, found: &mut Found) {
    if read.sources.iter().any(|source| LENIENT_READERS.iter().any(|reader| source.code.contains(reader)))
        || text(read.tree, "package.json")
            .is_some_and(|t| LENIENT_READERS.iter().any(|reader| t.contains(reader)))
    {
        return;
    }
    let files = read.tree.files.iter().filter(|f| {
        let name = file_name(&f.path);
        !f.ignored
            && name.ends_with(".json")
            && f.size_byte <= MAX_BYTES
            && !is_test(&f.path)
            && !f.path.split('/').any(|part| {
                part.starts_with('.')
                    || matches!(part, "fixtures" | "testdata" | "docs" | "examples" | "node_modules")
            })
            && !LENIENT.iter().any(|begin| name.starts_with(begin))
    });
    for file in files.take(MAX_FILES) {
        let Some(content) = text(read.tree, &file.path) else { continue };
        // A template is JSON only once it is rendered, and a pointer once it is fetched.
        if content.contains("{{")
            || content.contains("{%")
            || content.contains("${")
            || content.starts_with("version https://")
        {
            continue;
        }
        let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&content) else { continue };
        if let Some(place) =
            read.sources.iter().filter(|s| !is_test(&s.path)).find_map(|source| reads(source, &file.path))
        {
            found.add_about(
                SignWord::DataFileInvalid,
                format!("{}:{}", file.path, error.line()),
                format!("{}: {error}; {place} reads it", file.path),
                &file.path,
                None,
            );
        }
    }
}

/// Where a source names the file: by its whole name, or by its stem where the source puts names of such files together.
fn reads(source: &Source, path: &str) -> Option<String> {
    static TOGETHER: LazyLock<Regex> =
        LazyLock::new(|| regex(r#"\}\.json|["']\.json["']|%s\.json|\{\w*\}\.json"#));
    let name = file_name(path);
    let at = source.code.match_indices(name).map(|(at, _)| at).find(|at| {
        // A longer name that ends so is another file.
        source.code[..*at]
            .chars()
            .next_back()
            .is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '-' | '_' | '.'))
    });
    let stem = name.trim_end_matches(".json");
    let by_stem = || {
        TOGETHER.is_match(&source.code).then(|| {
            ["'", "\"", "`"].iter().find_map(|quote| source.code.find(&format!("{quote}{stem}{quote}")))
        })?
    };
    at.or_else(by_stem).map(|at| source.place(at))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{has, lacks};

    const READER: (&str, &str) = (
        "src/config.js",
        "const read = (name) => JSON.parse(fs.readFileSync(path.join('config', `${name}.json`)));\nmodule.exports = read(process.env.X === 'y' ? 'production' : 'default');\n",
    );

    #[test]
    fn a_file_that_is_read_and_does_not_parse() {
        let broken = "{\n  \"a\": [1, 2,],\n}\n";
        has(
            &[("config/production.json", broken), READER],
            "data-file-invalid config/production.json: expected value at line 2 column 14; src/config.js:2 reads it @config/production.json:2",
        );
        has(
            &[("data/zones.json", ""), ("app.py", "ZONES = json.load(open('data/zones.json'))\n")],
            "data-file-invalid data/zones.json: EOF",
        );
        for fine in [
            ("config/production.json", "{\n  \"a\": [1, 2]\n}\n"),
            ("config/staging.json", broken),
            ("tests/config/production.json", broken),
            ("config/production.json", "{ \"a\": {{ value }} }"),
        ] {
            lacks(&[fine, READER], "data-file-invalid");
        }
        let lenient = ("package.json", "{\"dependencies\":{\"json5\":\"2\"}}");
        lacks(&[("config/production.json", broken), READER, lenient], "data-file-invalid");
    }
}
