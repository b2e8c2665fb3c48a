//! Files that production would miss: left out by a rule, under another case, pointers in their place, submodules,
//! build output, scripts that the other system cannot run.

use std::collections::HashSet;
use std::fs;
use std::io::Read as _;
use std::sync::LazyLock;

use landfall_evidence::{LeftOut, SignWord};
use regex::Regex;

use super::plan::Plan;
use super::uses::{self, Cases, State};
use super::{Found, Read, exists, ignore, is_folder, place, regex, text};
use crate::source::POINTER;
use crate::tree::{FileInfo, Tree, file_name, parent};

/// A pointer file is shorter than this (git-lfs specification: fewer than 1024 bytes).
const POINTER_BYTE: u64 = 1024;
/// Files whose beginning is looked at for a pointer.
const MAX_POINTERS: usize = 5_000;

/// Folders that builds write.
const OUTPUTS: &[&str] =
    &["dist", "build", ".next", "out", ".output", "public/build", "_site", "target", "bin"];

pub(super) fn read(read: &Read<'_>, plans: &[Plan], found: &mut Found) {
    let cases = Cases::of(read.tree);
    let uses = uses::read(read, &cases);
    excluded(read, plans, &uses, found);
    for used in &uses {
        if let State::OtherCase(actual) = &used.state {
            found.add(
                SignWord::CasePath,
                used.place.as_str(),
                format!("{} is {} as {}", actual, used.how.word(), used.path),
            );
        }
    }
    pointers(read, found);
    submodules(read.tree, found);
    outputs(read, plans, found);
    scripts(read, plans, found);
}

/// Listed files beyond this many say nothing new.
const MAX_LEFT_OUT: usize = 500;

/// Files of the folder that a rule keeps out of the image or upload.
pub(super) fn left_out(tree: &Tree) -> Vec<LeftOut> {
    let ignores = ignores(tree);
    let rule = |path: &str| ignores.iter().find_map(|ignore| ignore.excludes(path));
    tree.files
        .iter()
        .filter_map(|file| Some(LeftOut { path: file.path.clone(), place: rule(&file.path)?.0 }))
        .take(MAX_LEFT_OUT)
        .collect()
}

/// The ignore files that count for this tree.
fn ignores(tree: &Tree) -> Vec<ignore::Ignore> {
    let by_docker = tree.files.iter().any(|f| file_name(&f.path).starts_with("Dockerfile"))
        || exists(tree, "Containerfile");
    ignore::read(tree, by_docker, under_git(tree))
}

fn under_git(tree: &Tree) -> bool {
    tree.root.ancestors().any(|folder| folder.join(".git").exists())
}

/// Files that are used and that a rule leaves out.
fn excluded(read: &Read<'_>, plans: &[Plan], uses: &[uses::Use], found: &mut Found) {
    let tree = read.tree;
    let under_git = under_git(tree);
    let ignores = ignores(tree);
    let builds = plans.iter().any(|plan| plan.build.is_some()) || has_build_script(tree);
    let check = |path: &str, place: &str, how: &str, found: &mut Found| {
        for ignore in &ignores {
            if let Some((rule, written)) = ignore.excludes(path) {
                let detail = format!("{path} is {how} at {place}, and `{written}` leaves it out");
                found.add_about(SignWord::ExcludedFile, rule, detail, path, None);
            }
        }
    };
    for used in uses {
        match &used.state {
            State::There(path) => check(path, &used.place, used.how.word(), found),
            State::Unlisted(path) => {
                let product = OUTPUTS.iter().any(|out| path == out || path.starts_with(&format!("{out}/")));
                let kept_out = path.split('/').any(|p| p.starts_with(".env") || p == "node_modules");
                if kept_out || (product && builds) {
                    continue;
                }
                if under_git {
                    let rule = format!(
                        "{path} is {} at {}, and .gitignore leaves it out",
                        used.how.word(),
                        used.place
                    );
                    found.add_about(SignWord::ExcludedFile, ".gitignore", rule, path, None);
                } else {
                    check(path, &used.place, used.how.word(), found);
                }
            }
            State::OtherCase(_) | State::Absent => {}
        }
    }
    for (path, place) in named_data(read, &ignores) {
        check(&path, &place, "named", found);
    }
    // What the install and the start need without any code naming it.
    let mut needed: Vec<String> = [
        "requirements.txt",
        "package.json",
        "pyproject.toml",
        "Pipfile",
        "Gemfile",
        "go.mod",
        "Cargo.toml",
        "Procfile",
    ]
    .iter()
    .filter(|name| tree.has(name))
    .map(|name| (*name).to_owned())
    .collect();
    needed.extend(read.snapshot.entry.iter().map(|entry| entry.path.clone()));
    for path in needed {
        let docker_needs = path != "Procfile";
        for ignore in ignores.iter().filter(|i| docker_needs || i.file != ".dockerignore") {
            if let Some((rule, written)) = ignore.excludes(&path) {
                let detail = format!("{path} is needed, and `{written}` leaves it out");
                found.add_about(SignWord::ExcludedFile, rule, detail, &path, None);
            }
        }
    }
}

/// Kinds of files that programs read while they run.
const DATA: &[&str] = &[
    "csv", "tsv", "json", "yaml", "yml", "xml", "sql", "html", "tpl", "j2", "pem", "crt", "db", "sqlite",
    "proto", "graphql", "wasm", "onnx", "pkl", "mmdb", "ttf", "parquet",
];

/// Data files that a rule leaves out, with the place in the code that names them: the path may be put together from parts,
/// so the name alone stands there. A name that several files bear says nothing.
fn named_data(read: &Read<'_>, ignores: &[ignore::Ignore]) -> Vec<(String, String)> {
    let left_out = read.tree.files.iter().filter(|file| {
        let kind = file.path.rsplit_once('.').map_or("", |(_, kind)| kind);
        !file.ignored
            && DATA.contains(&kind)
            && !crate::source::is_test(&file.path)
            && !MANIFESTS.contains(&file_name(&file.path))
            && ignores.iter().any(|ignore| ignore.excludes(&file.path).is_some())
    });
    let named = |file: &crate::tree::FileInfo| {
        let name = file_name(&file.path);
        if read.tree.files.iter().filter(|other| file_name(&other.path) == name).count() > 1 {
            return None;
        }
        let literals = [format!("\"{name}\""), format!("'{name}'")];
        read.sources.iter().filter(|source| !crate::source::is_test(&source.path)).find_map(|source| {
            let at = literals.iter().find_map(|literal| source.code.find(literal.as_str()))?;
            Some((file.path.clone(), source.place(at)))
        })
    };
    left_out.take(MAX_LEFT_OUT).filter_map(named).collect()
}

/// Files that tools read, and not the program.
const MANIFESTS: &[&str] = &["package.json", "composer.json", "tsconfig.json", "package-lock.json"];

/// Whether package.json has a build script.
pub(super) fn has_build_script(tree: &Tree) -> bool {
    script(tree, "build").is_some()
}

/// A script of package.json.
pub(super) fn script(tree: &Tree, name: &str) -> Option<String> {
    let json: serde_json::Value = serde_json::from_str(&text(tree, "package.json")?).ok()?;
    json.get("scripts")?.get(name)?.as_str().map(str::to_owned)
}

fn pointers(read: &Read<'_>, found: &mut Found) {
    let tree = read.tree;
    if let Some(attributes) = text(tree, ".gitattributes")
        && let Some(at) = attributes.find("filter=lfs")
    {
        let line = attributes[..at].rsplit('\n').next().unwrap_or_default();
        found.add(SignWord::LfsAttributes, place(".gitattributes", &attributes, at), line.trim().to_owned());
    }
    // Sources were read already and tell it themselves.
    let sources: HashSet<&str> = read.sources.iter().map(|source| source.path.as_str()).collect();
    let short = |file: &&FileInfo| file.size_byte > 0 && file.size_byte < POINTER_BYTE;
    let others = tree.files.iter().filter(short).filter(|file| !sources.contains(file.path.as_str()));
    let others = others
        .take(MAX_POINTERS)
        .filter(|file| begins(tree, &file.path).is_some_and(|bytes| bytes.starts_with(POINTER.as_bytes())));
    let of_sources =
        read.sources.iter().filter(|source| source.is_pointer).map(|source| source.path.as_str());
    for path in others.map(|file| file.path.as_str()).chain(of_sources) {
        found.add(SignWord::LfsPointer, path, path);
    }
}

/// The first bytes of a file.
fn begins(tree: &Tree, path: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(tree.root.join(path)).ok()?.take(64).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn submodules(tree: &Tree, found: &mut Found) {
    static PATH: LazyLock<Regex> = LazyLock::new(|| regex(r"(?m)^\s*path\s*=\s*(.+?)\s*$"));
    let Some(modules) = text(tree, ".gitmodules") else { return };
    for c in PATH.captures_iter(&modules) {
        let (Some(at), Some(path)) = (c.get(0), c.get(1)) else { continue };
        let Some(path) = super::inside(path.as_str()) else { continue };
        let place = place(".gitmodules", &modules, at.start() + at.as_str().len());
        found.add(SignWord::SubmodulePresent, place.as_str(), path.clone());
        let folder = tree.root.join(&path);
        let empty = match fs::read_dir(&folder) {
            Ok(entries) => entries.flatten().all(|e| e.file_name() == ".git"),
            Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        };
        if empty {
            found.add(SignWord::SubmoduleEmpty, place, path);
        }
    }
}

/// The folder that a build tool writes, by the tool that the build script calls.
fn written_by(build: &str) -> Option<&'static str> {
    // Defaults by each tool's own documentation; a configuration file may say otherwise, and is looked at by the caller.
    const TOOLS: &[(&str, &str)] = &[
        ("next export", "out"),
        ("next build", ".next"),
        ("vite build", "dist"),
        ("react-scripts build", "build"),
        ("astro build", "dist"),
        ("vue-cli-service build", "dist"),
        ("gatsby build", "public"),
        ("nuxt generate", "dist"),
        ("nuxt build", ".output"),
        ("parcel build", "dist"),
        ("eleventy", "_site"),
        ("ng build", "dist"),
        ("hugo", "public"),
        ("jekyll build", "_site"),
        ("mkdocs build", "site"),
    ];
    TOOLS.iter().find(|(tool, _)| build.contains(tool)).map(|(_, folder)| *folder)
}

/// The output folder that a build tool's own configuration names.
fn configured_output(tree: &Tree) -> Option<String> {
    static OUT: LazyLock<Regex> =
        LazyLock::new(|| regex(r#"(?:outDir|"outDir"|outputDir|outputPath|distDir)\s*:\s*["']([^"']+)["']"#));
    let files = [
        "vite.config.ts",
        "vite.config.js",
        "vite.config.mjs",
        "vue.config.js",
        "next.config.js",
        "next.config.mjs",
        "astro.config.mjs",
        "angular.json",
        "tsconfig.json",
        "webpack.config.js",
    ];
    files.iter().find_map(|file| {
        let text = text(tree, file)?;
        let said = OUT.captures(&text)?.get(1)?.as_str().to_owned();
        super::inside(&said)
    })
}

fn outputs(read: &Read<'_>, plans: &[Plan], found: &mut Found) {
    let tree = read.tree;
    let script = script(tree, "build");
    let docker_build = super::images::runs(tree).iter().any(|run| run.contains("build"));
    for plan in plans.iter().filter(|plan| !plan.workflow) {
        let Some(output) = &plan.output else { continue };
        let root = plan.root.as_ref().and_then(|r| super::inside(&r.text)).unwrap_or_default();
        let Some(folder) = super::inside(&format!("{root}/{}", output.text)) else { continue };
        let build = plan.build.as_ref().map(|b| b.text.clone());
        let called = build.clone().unwrap_or_default();
        let npm = ["npm", "yarn", "pnpm", "bun"].iter().any(|tool| called.contains(tool));
        let command = if npm || build.is_none() {
            script.clone().map(|s| format!("{called} {s}")).or(build.clone())
        } else {
            build.clone()
        };
        let writes =
            configured_output(tree).or_else(|| command.as_deref().and_then(written_by).map(str::to_owned));
        match writes {
            Some(written) if !folder.is_empty() && command.is_some() => {
                let same = folder == written
                    || folder.starts_with(&format!("{written}/"))
                    || folder.ends_with(&format!("/{written}"));
                if !same {
                    let detail = format!("{} serves {folder}, the build writes {written}", plan.file);
                    found.add(SignWord::BuildOutputDiffers, output.place.as_str(), detail);
                }
            }
            _ => {}
        }
        let listed = tree
            .files
            .iter()
            .any(|f| !f.ignored && (folder.is_empty() || f.path.starts_with(&format!("{folder}/"))));
        if !listed && command.is_none() {
            let there = if is_folder(tree, &folder) { "is not in the repository" } else { "is not there" };
            found.add(
                SignWord::BuildOutputAbsent,
                output.place.as_str(),
                format!("{folder} {there}, and no build command makes it"),
            );
        }
    }
    // The start names a file below a build output.
    for deploy in read.deploys {
        let Some(target) = deploy.target.as_deref().map(|t| t.trim_start_matches("./")) else { continue };
        let Some(out) = OUTPUTS.iter().find(|out| target.starts_with(&format!("{out}/"))) else { continue };
        let plan = plans.iter().find(|plan| plan.file == deploy.config.file);
        let built = plan.is_some_and(|p| p.build.is_some() || p.release.is_some())
            || (deploy.config.platform == "docker" && docker_build)
            // Heroku, Render's Node runtime and Railway run the build script by themselves.
            // Its buildpacks run Maven, Gradle, sbt and Cargo (devcenter.heroku.com/articles/buildpacks).
            || (deploy.config.platform == "heroku"
                && ["pom.xml", "build.gradle", "build.gradle.kts", "build.sbt", "Cargo.toml"].iter().any(|f| tree.has(f)))
            || (script.is_some() && matches!(deploy.config.platform.as_str(), "heroku" | "railway" | "nixpacks" | "vercel"));
        if tree.get(target).is_none_or(|f| f.ignored) {
            let other = tree
                .files
                .iter()
                .find(|f| file_name(&f.path) == file_name(target) && parent(&f.path).starts_with(out));
            if !built {
                found.add(
                    SignWord::BuildOutputAbsent,
                    deploy.config.file.as_str(),
                    format!("{target} is started, and no build step makes it"),
                );
            } else if let Some(written) =
                configured_output(tree).filter(|w| !target.starts_with(&format!("{w}/")))
            {
                let detail = format!("{target} is started, the build writes {written}");
                found.add(SignWord::BuildOutputDiffers, deploy.config.file.as_str(), detail);
            } else if let Some(other) = other.filter(|f| f.path != target) {
                let detail = format!("{target} is started, and the file lies at {}", other.path);
                found.add(SignWord::BuildOutputDiffers, deploy.config.file.as_str(), detail);
            }
        }
    }
}

/// Scripts that the start runs: their line ends, and their executable bit.
fn scripts(read: &Read<'_>, plans: &[Plan], found: &mut Found) {
    static SCRIPT: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?:^|[\s;&|])(\S*\s+)?(\.?/?[\w./-]+\.(?:sh|py|bash))\b"));
    let tree = read.tree;
    let mut lines: Vec<(String, String)> = Vec::new();
    for deploy in read.deploys {
        if let Some(start) = &deploy.config.start {
            lines.push((start.raw.clone(), deploy.config.file.clone()));
        }
    }
    for plan in plans.iter().filter(|plan| !plan.workflow) {
        for said in [&plan.build, &plan.release].into_iter().flatten() {
            lines.push((said.text.clone(), said.place.clone()));
        }
    }
    lines.extend(super::images::entry_points(tree).into_iter().map(|line| (line, "Dockerfile".to_owned())));
    for (line, place) in lines {
        for c in SCRIPT.captures_iter(&line.replace(['"', '\'', ',', '[', ']'], " ")) {
            let Some(name) = c.get(2) else { continue };
            // `/app/start.sh` in an image is `start.sh` here.
            let name = name.as_str().trim_start_matches("./").trim_start_matches('/');
            let path = [name, file_name(name)].into_iter().find(|path| tree.has(path));
            let path = path.map(str::to_owned).or_else(|| {
                let found = tree.files.iter().find(|f| file_name(&f.path) == file_name(name))?;
                Some(found.path.clone())
            });
            let Some(path) = path else { continue };
            if text(tree, &path).is_some_and(|text| {
                text.lines().next().is_some_and(|l| l.starts_with("#!")) && text.contains("\r\n")
            }) {
                found.add(SignWord::EntryCrlf, path.as_str(), path.clone());
            }
            let before = c.get(1).map(|m| m.as_str().trim()).unwrap_or_default();
            let by_interpreter =
                ["sh", "bash", "python", "python3", "exec", "source", ".", "dash", "zsh", "node"];
            let interpreted = by_interpreter[..3].contains(&before)
                || by_interpreter[3..].contains(&before) && before != "exec";
            let chmod = super::images::runs(tree).iter().any(|run| run.contains("chmod"))
                || super::images::copies(tree).iter().any(|copy| copy.chmod);
            if !interpreted && !chmod && !executable(tree, &path) && path.ends_with("sh") {
                found.add(SignWord::EntryNotExecutable, place.as_str(), path.clone());
            }
        }
    }
}

#[cfg(unix)]
fn executable(tree: &Tree, path: &str) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::symlink_metadata(tree.root.join(path)).is_ok_and(|m| m.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn executable(_: &Tree, _: &str) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::super::tests::{has, lacks};

    #[test]
    fn data_files_that_are_named_in_parts() {
        let code =
            ("pricing/bands.py", "BANDS = Path(__file__).resolve().parent / \"data\" / \"bands.csv\"\n");
        let file = ("pricing/data/bands.csv", "from,factor\n0,1\n");
        let procfile = ("Procfile", "web: gunicorn shop:app\n");
        has(
            &[code, file, procfile, (".slugignore", "*.csv\n")],
            "excluded-file pricing/data/bands.csv is named at pricing/bands.py:1, and `*.csv` leaves it out",
        );
        lacks(&[code, file, procfile, (".slugignore", "*.psd\n")], "excluded-file");
        let other = ("docs/bands.csv", "a\n");
        lacks(&[code, file, other, procfile, (".slugignore", "*.csv\n")], "excluded-file");
    }

    #[test]
    fn files_that_rules_leave_out() {
        let docker =
            ("Dockerfile", "FROM python:3.11\nCOPY . /app\nCOPY config/app.json /app/\nCMD python app.py\n");
        has(
            &[docker, (".dockerignore", "config\n"), ("config/app.json", "{}"), ("app.py", "")],
            "excluded-file config/app.json is copied",
        );
        has(
            &[
                docker,
                (".dockerignore", "lib/\n"),
                ("lib/x.py", ""),
                ("lib/__init__.py", ""),
                ("app.py", "from lib import x\n"),
            ],
            "excluded-file lib/",
        );
        has(
            &[
                docker,
                (".dockerignore", "*.csv\n"),
                ("rates.csv", "a"),
                ("app.py", "rows = open('rates.csv')\n"),
            ],
            "excluded-file rates.csv is opened",
        );
        has(
            &[
                (".slugignore", "templates\n"),
                ("templates/a.html", "x"),
                ("app.py", "render_template('a.html')\n"),
            ],
            "excluded-file templates/a.html is rendered",
        );
        has(
            &[docker, (".dockerignore", "*.txt\n"), ("requirements.txt", "flask\n"), ("app.py", "")],
            "excluded-file requirements.txt is needed",
        );
        lacks(
            &[
                docker,
                (".dockerignore", "tests\n.git\n*.md\n.env\n"),
                ("config/app.json", "{}"),
                ("app.py", "import os\nopen('.env')\n"),
                ("README.md", ""),
                (".env", ""),
            ],
            "excluded-file",
        );
    }

    #[test]
    fn letter_case() {
        has(
            &[("src/Utils.js", ""), ("src/app.js", "import x from './utils'\n")],
            "case-path src/Utils.js is imported as src/utils",
        );
        has(
            &[("models/User.py", ""), ("app.py", "from models.user import User\n")],
            "case-path models/User.py",
        );
        has(
            &[("static/Logo.png", "x"), ("templates/a.html", "<img src=\"/static/logo.png\">")],
            "case-path static/Logo.png is named",
        );
        has(
            &[("templates/Index.html", ""), ("app.py", "render_template(\"index.html\")\n")],
            "case-path templates/Index.html",
        );
        // Unquoted, relative, and with a query, as plain pages have them.
        has(
            &[("public/assets/app.js", ""), ("public/index.html", "<script src=/assets/App.js></script>")],
            "case-path public/assets/app.js is named",
        );
        has(
            &[("site/Style.css", ""), ("site/index.html", "<link rel=stylesheet href='./style.css?v=2'>")],
            "case-path site/Style.css is named",
        );
        lacks(
            &[
                ("public/App.js", ""),
                ("public/about.js", ""),
                ("src/Main.js", ""),
                (
                    "public/index.html",
                    "<script src=\"https://cdn.test/app.js\"></script><script src=//cdn.test/app.js></script><script src=\"/about.js\"></script><script src=main.js></script>",
                ),
            ],
            "case-path",
        );
        lacks(
            &[
                ("src/utils.js", ""),
                ("src/app.js", "import x from './utils'\nimport y from 'React'\n"),
                ("app.py", "from Flask import x\nimport os\n"),
            ],
            "case-path",
        );
    }

    #[test]
    fn pointers_and_submodules() {
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 12\n";
        has(
            &[("static/a.png", pointer), (".gitattributes", "*.png filter=lfs diff=lfs\n")],
            "lfs-pointer static/a.png",
        );
        has(&[(".gitattributes", "*.png filter=lfs diff=lfs\n")], "lfs-attributes");
        has(
            &[(".gitmodules", "[submodule \"x\"]\n\tpath = vendored/x\n\turl = https://h/x\n")],
            "submodule-empty vendored/x",
        );
        lacks(
            &[(".gitmodules", "[submodule \"x\"]\n\tpath = lib/x\n"), ("lib/x/a.py", "")],
            "submodule-empty",
        );
    }

    #[test]
    fn build_outputs() {
        let vite = ("package.json", r#"{"scripts":{"build":"vite build"}}"#);
        has(
            &[("vercel.json", r#"{"outputDirectory":"build"}"#), vite],
            "build-output-differs vercel.json serves build, the build writes dist",
        );
        lacks(&[("vercel.json", r#"{"outputDirectory":"dist"}"#), vite], "build-output-differs");
        lacks(
            &[
                ("vercel.json", r#"{"outputDirectory":"build"}"#),
                vite,
                ("vite.config.js", "export default { build: { outDir: 'build' } }"),
            ],
            "build-output-differs",
        );
        has(&[("netlify.toml", "[build]\npublish = \"site\"\n")], "build-output-absent site is not there");
        has(
            &[(
                "render.yaml",
                "services:\n- {type: web, name: a, runtime: node, startCommand: node dist/server.js}\n",
            )],
            "build-output-absent dist/server.js",
        );
        lacks(
            &[
                ("Dockerfile", "FROM node:20\nRUN npm run build\nCMD [\"node\", \"dist/server.js\"]\n"),
                ("package.json", "{}"),
            ],
            "build-output-absent",
        );
    }

    #[test]
    fn scripts_of_the_start() {
        has(
            &[
                ("Dockerfile", "FROM a\nENTRYPOINT [\"/app/start.sh\"]\n"),
                ("start.sh", "#!/bin/sh\r\nexec x\r\n"),
            ],
            "entry-crlf start.sh",
        );
        has(
            &[("Procfile", "web: ./start.sh\n"), ("start.sh", "#!/bin/sh\nexec x\n")],
            "entry-not-executable start.sh",
        );
        lacks(
            &[("Procfile", "web: sh start.sh\n"), ("start.sh", "#!/bin/sh\nexec x\n")],
            "entry-not-executable",
        );
        lacks(
            &[
                ("Dockerfile", "FROM a\nRUN chmod +x start.sh\nCMD [\"./start.sh\"]\n"),
                ("start.sh", "#!/bin/sh\nexec x\n"),
            ],
            "entry-not-executable",
        );
    }
}
