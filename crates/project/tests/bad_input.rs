//! Folders that nobody should have to expect: broken texts in every format that is read, bytes that are no text, links
//! that lead in circles, pipes in the place of files. A reading ends, and names what it could not read.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use landfall_evidence::{Observed, ProjectSnapshot, SignWord};

/// Every name that a reader opens.
const NAMES: &[&str] = &[
    ".replit",
    "Procfile",
    "Dockerfile",
    ".dockerignore",
    "fly.toml",
    "railway.toml",
    "railway.json",
    "nixpacks.toml",
    "vercel.json",
    "netlify.toml",
    "wrangler.toml",
    "wrangler.jsonc",
    "app.json",
    "render.yaml",
    "heroku.yml",
    "app.yaml",
    "compose.yaml",
    ".do/app.yaml",
    "Caddyfile",
    "nginx.conf",
    "deploy/a.service",
    "chart/Chart.yaml",
    "chart/values.yaml",
    "k8s/app.yaml",
    "k8s/kustomization.yaml",
    ".github/workflows/deploy.yml",
    "package.json",
    "package-lock.json",
    "pnpm-lock.yaml",
    "yarn.lock",
    "pyproject.toml",
    "poetry.lock",
    "requirements.txt",
    "Pipfile",
    "Pipfile.lock",
    "Cargo.toml",
    "Cargo.lock",
    "go.mod",
    "Gemfile",
    "Gemfile.lock",
    "composer.json",
    "pom.xml",
    "build.gradle.kts",
    "Api.csproj",
    "mix.exs",
    "openapi.yaml",
    ".env",
    ".env.example",
    ".gitmodules",
    ".gitattributes",
    "gunicorn.conf.py",
    "config/routes.rb",
    "routes/api.php",
    "src/main.rs",
    "src/main/java/A.java",
    "app.py",
    "server.ts",
    "main.go",
    "Program.cs",
    "lib/router.ex",
    "tests/test_a.py",
    "monitoring/gatus.yaml",
    ".upptimerc.yml",
    "infra/monitors.tf",
    "__checks__/api.check.ts",
    "ops/kuma.json",
    "scripts/smoke.sh",
    "docker/uploads.ini",
];

fn read(root: &Path) -> Box<ProjectSnapshot> {
    match landfall_project::read(root) {
        Observed::Present(snapshot) => snapshot,
        other => panic!("{other:?}"),
    }
}

#[test]
fn broken_texts_of_every_kind_end_and_are_read_as_far_as_they_go() {
    let deep = format!("{}{}", "[".repeat(5_000), "{\"a\":".repeat(5_000));
    let long = format!("a: {}\n", "x".repeat(200_000));
    let contents: &[&[u8]] = &[
        b"",
        b"\0\0\0\0",
        b"\xff\xfe\x00\x01 not text \x80\x81",
        b"{\"a\": [1, 2,",
        b"a: b: c: [\n\t- x\n",
        b"[table\nkey = \"open",
        b"<project><dependencies><dependency>",
        b"services:\n  - type: web\n    name: &x {<<: *x}\n",
        b"CMD [\"a\", ${B}]\nFROM\nCMD\nENV\nEXPOSE 99999999\nCOPY\n",
        b"app.get('/x', (\nimport (\n@app.route('\nRoute::get(\nos.environ['",
        b"\xef\xbb\xbfa = 1\r\n\r\nb = ${A:-${B:-${C}}}\r\n",
        b"resource \"betteruptime_monitor\" \"a\" {\n url = \"https://${\n x = [[{ y = <<\xc3\xa9\n",
        b"curl -f -m 9s9 'https://a.example.test/\xc3\xa9\\\n| grep -q '\\(\nwget --spider https://[::1\n",
        b"memory = '512 parsecs'\nclient_max_body_size 99999999999999999999m;\nfileSize: 9 * 9 * 9\n-Xmx99999999999999999999g\n",
        b"endpoints:\n - url: https://a.example.test\n   conditions: ['[STATUS] == 999', '[STATUS] < 100', '[BODY].a == ']\n",
        deep.as_bytes(),
        long.as_bytes(),
    ];
    for content in contents {
        let dir = tempfile::tempdir().expect("a folder");
        for name in NAMES {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, content).expect("written");
        }
        let snapshot = read(dir.path());
        let shown = serde_json::to_string(&snapshot).expect("it can be written");
        let again: ProjectSnapshot = serde_json::from_str(&shown).expect("and read");
        assert_eq!(again, *snapshot);
    }
}

#[test]
fn a_broken_file_is_named_with_its_line_and_the_others_are_read() {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, text) in [
        ("fly.toml", "app = 'a'\n[http_service\n"),
        ("vercel.json", "{\n  \"a\": 1,\n}\n"),
        ("render.yaml", "services:\n  - type: web\n\tname: x\n"),
        ("Procfile", "web: gunicorn -b 0.0.0.0:$PORT app:app\n"),
    ] {
        fs::write(dir.path().join(name), text).expect("written");
    }
    let snapshot = read(dir.path());
    // A tab ends a plain scalar of YAML that began the line before, and that is the line that the parser names.
    for (name, line) in [("fly.toml", "line 2"), ("vercel.json", "line 3"), ("render.yaml", "line 2")] {
        let said = snapshot.unread.iter().find(|reason| reason.starts_with(name));
        assert!(said.is_some_and(|reason| reason.contains(line)), "{name}: {:?}", snapshot.unread);
        let sign = snapshot
            .signs
            .iter()
            .find(|s| s.sign == SignWord::DeployConfigInvalid && s.place.starts_with(name));
        assert!(sign.is_some(), "{name}: {:?}", snapshot.signs);
    }
    assert_eq!(snapshot.deploy.iter().map(|d| d.file.as_str()).collect::<Vec<_>>(), ["Procfile"]);
}

#[test]
fn links_and_pipes_are_not_followed_and_nothing_waits() {
    let dir = tempfile::tempdir().expect("a folder");
    let outside = tempfile::tempdir().expect("another");
    fs::write(outside.path().join("secret.py"), "import os\nos.environ['OUTSIDE']\n").expect("written");
    std::os::unix::fs::symlink(dir.path(), dir.path().join("loop")).expect("a link");
    std::os::unix::fs::symlink("b", dir.path().join("a")).expect("a link");
    std::os::unix::fs::symlink("a", dir.path().join("b")).expect("a link");
    std::os::unix::fs::symlink(outside.path(), dir.path().join("src")).expect("a link");
    std::os::unix::fs::symlink(outside.path().join("secret.py"), dir.path().join("app.py")).expect("a link");
    std::os::unix::fs::symlink("/etc/passwd", dir.path().join(".env")).expect("a link");
    for name in ["requirements.txt", "package.json", "Dockerfile", ".gitignore"] {
        assert!(Command::new("mkfifo").arg(dir.path().join(name)).status().expect("mkfifo").success());
    }
    fs::write(dir.path().join("main.py"), "import os\nos.environ['INSIDE']\n").expect("written");
    let begun = Instant::now();
    let snapshot = read(dir.path());
    assert!(begun.elapsed() < Duration::from_secs(60), "it waited for a pipe");
    let names: Vec<&str> = snapshot.settings.read.iter().map(|r| r.name.as_str()).collect();
    assert_eq!(names, ["INSIDE"]);
    assert!(snapshot.settings.shapes.is_empty());
}
