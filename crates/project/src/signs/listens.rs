//! Servers that are told in the code where to listen: on this machine alone, or on a port of their own where the
//! platform chooses it.
//!
//! The code decides only where no server program of its own does (gunicorn and its like take the address from the start
//! command). Where one place of the code listens for all, or the address comes from a setting, nothing is said.

use std::sync::LazyLock;

use landfall_evidence::{DeployStage, PortSetting, SignWord};
use regex::Regex;

use super::{Found, Read, place, regex};
use crate::deploy::Deploy;
use crate::source::{Language, Source};
use crate::tree::{file_name, parent};
use crate::words::{Pattern, words};

/// Server programs that take the address from their own command or file.
const OWN_ADDRESS: &[&str] = &[
    "gunicorn",
    "uvicorn",
    "hypercorn",
    "daphne",
    "granian",
    "waitress-serve",
    "uwsgi",
    "flask",
    "fastapi",
    "runserver",
    "puma",
    "rackup",
    "unicorn",
    "thin",
    "rails",
    "next",
    "php",
];
/// Platforms that choose the port and tell it in PORT, and look nowhere else (Heroku Dev Center, "Runtime Principles";
/// Google Cloud, "App Engine: application startup").
const CHOOSE_PORT: &[&str] = &["heroku", "google-app-engine"];

/// One place that listens.
#[derive(Debug, PartialEq, Eq)]
struct Site {
    file: String,
    place: String,
    host: Host,
    /// The port, where it is a number in the code.
    port: Option<u16>,
}

#[derive(Debug, PartialEq, Eq)]
enum Host {
    /// This machine only, as written.
    Loopback(String),
    /// Every address, or one that the code does not fix.
    Other,
}

pub(super) fn read(read: &Read<'_>, found: &mut Found) {
    let deploys: Vec<&Deploy> = read.deploys.iter().filter(|d| code_listens(d)).collect();
    if deploys.is_empty() {
        return;
    }
    let sites: Vec<Site> = read
        .sources
        .iter()
        .filter(|s| !aside(&s.path))
        .flat_map(of_source)
        .chain(of_settings(read))
        .collect();
    for deploy in deploys {
        let folder = match deploy.config.root.as_deref() {
            Some(root) => root.trim_matches('/'),
            None => parent(&deploy.config.file),
        };
        // A deploy file in a folder of its own (`deploy/`, `k8s/`) starts the application of the whole project.
        let below = |site: &&Site| folder.is_empty() || site.file.starts_with(&format!("{folder}/"));
        let mut own: Vec<&Site> = sites.iter().filter(below).collect();
        if own.is_empty() {
            own = sites.iter().collect();
        }
        own.retain(|site| runs(deploy, &site.file));
        if deploy.config.start.is_none() {
            // An image that starts by itself: what is set for production holds whatever its command is.
            own.retain(|site| site.file.ends_with(".exs") || site.file.ends_with(".properties"));
        }
        judge(read, deploy, &own, found);
    }
}

fn judge(read: &Read<'_>, deploy: &Deploy, sites: &[&Site], found: &mut Found) {
    let Some(first) = sites.first() else { return };
    if let Host::Loopback(host) = &first.host
        && sites.iter().all(|site| matches!(site.host, Host::Loopback(_)))
        && !deploy
            .config
            .sets
            .iter()
            // Phoenix makes links with PHX_HOST and listens where `ip` says.
            .any(|name| {
                name == "HOST" || name.ends_with("_HOST") && name != "PHX_HOST" || name.ends_with("_ADDRESS")
            })
    {
        found.add(SignWord::CodeBindsLoopback, first.place.as_str(), host.as_str());
    }
    let fixed: Option<Vec<u16>> = sites.iter().map(|site| site.port).collect();
    let asks =
        read.snapshot.settings.read.iter().any(|read| read.name == "PORT" || read.name == "SERVER_PORT");
    if let Some(port) = fixed.and_then(|ports| ports.first().copied())
        && CHOOSE_PORT.contains(&deploy.config.platform.as_str())
        && !asks
        && !read.deploys.iter().any(|d| d.config.ports.iter().any(|map| map.local == port))
    {
        found.add(
            SignWord::CodePortFixed,
            first.place.as_str(),
            format!("{port}, and {} starts it where PORT says the port", deploy.config.file),
        );
    }
}

/// Whether what a configuration starts takes its address from the code.
fn code_listens(deploy: &Deploy) -> bool {
    let config = &deploy.config;
    if config.stage != DeployStage::Production
        || matches!(
            config.platform.as_str(),
            "systemd"
                | "nginx"
                | "caddy"
                | "netlify"
                | "vercel"
                | "wrangler"
                | "cloudflare-workers"
                | "docker-compose"
        )
    {
        return false;
    }
    let Some(start) = &config.start else {
        return matches!(
            config.platform.as_str(),
            "fly" | "kubernetes" | "app-platform" | "google-cloud-run"
        );
    };
    let named = start.server.as_deref().unwrap_or_default();
    start.bind_host.is_none() && start.bind_port == PortSetting::Unsaid && !OWN_ADDRESS.contains(&named)
}

/// Whether a start command runs a file: an interpreter of Python runs the file or module that it names, and what others
/// run is what was built of all.
fn runs(deploy: &Deploy, file: &str) -> bool {
    let raw = deploy.config.start.as_ref().map_or("", |start| start.raw.as_str());
    match Language::of(file) {
        Some(Language::Python) => {
            let module = file.trim_end_matches(".py").trim_end_matches("/__main__").replace('/', ".");
            let words: Vec<&str> = raw.split_whitespace().collect();
            let named = |word: &&str| {
                let word = word.trim_start_matches("./");
                word == file
                    || word.ends_with(&format!("/{file}"))
                    || file.ends_with(&format!("/{word}")) && word.ends_with(".py")
            };
            words.iter().any(named) || words.windows(2).any(|pair| pair[0] == "-m" && pair[1] == module)
        }
        _ => true,
    }
}

/// Files that do not serve.
fn aside(path: &str) -> bool {
    path.split('/').any(|part| {
        matches!(
            part,
            "examples"
                | "example"
                | "scripts"
                | "tools"
                | "bench"
                | "benches"
                | "docs"
                | "demo"
                | "mock"
                | "mocks"
                | "e2e"
        )
    }) || file_name(path).contains(".config.")
}

static PYTHON: LazyLock<Pattern> = LazyLock::new(|| {
    Pattern::new(words![".run", "serve"], r"\b(uvicorn\.run|web\.run_app|serve|[A-Za-z_]\w*\.run)\s*\(")
});
static NODE: LazyLock<Pattern> = LazyLock::new(|| Pattern::new(words![".listen"], r"\.listen\s*\("));
static RUST: LazyLock<Pattern> = LazyLock::new(|| {
    Pattern::new(
        words!["bind", "SocketAddr"],
        r#"(?:\bbind\s*\(\s*\(?\s*"([^"]*)"(?:\s*,\s*(\d+))?|SocketAddr::from\s*\(\s*\(\s*\[\s*(\d+)\s*,\s*\d+\s*,\s*\d+\s*,\s*\d+\s*\]\s*,\s*(\d+)?)"#,
    )
});
static GO: LazyLock<Pattern> = LazyLock::new(|| {
    Pattern::new(
        words!["ListenAndServe", ".run", ".start", ".listen", "Addr:"],
        r#"(?:ListenAndServe(?:TLS)?\s*\(\s*|\.(?:Run|Start|Listen)\s*\(\s*|\bAddr:\s*|net\.Listen\s*\(\s*"tcp4?"\s*,\s*)("[^"]*"|[^,)\s]*)"#,
    )
});
static CSHARP: LazyLock<Pattern> = LazyLock::new(|| {
    Pattern::new(
        words!["UseUrls", "app.Run", "Urls.Add"],
        r#"(?:UseUrls|app\.Run|Urls\.Add)\s*\(\s*"https?://([^":/;]+)(?::(\d+))?"#,
    )
});
static ELIXIR: LazyLock<Pattern> =
    LazyLock::new(|| Pattern::new(words!["ip:"], r"\bip:\s*\{\s*(\d+)\s*,\s*\d+\s*,\s*\d+\s*,\s*\d+\s*\}"));

fn of_source(source: &Source) -> Vec<Site> {
    match source.language {
        Language::Python => python(source),
        Language::JavaScript => node(source),
        Language::Rust => RUST
            .captures_iter(source)
            .map(|c| {
                let at = c.get(0).map_or(0, |m| m.start());
                match c.get(1) {
                    Some(address) => {
                        let mut site = site_of(source, at, address.as_str());
                        site.port = site.port.or_else(|| c.get(2)?.as_str().parse().ok());
                        site
                    }
                    None => site(source, at, quad(&c[3]), c.get(4).and_then(|p| p.as_str().parse().ok())),
                }
            })
            .collect(),
        Language::Go => GO
            .captures_iter(source)
            .map(|c| {
                let at = c.get(0).map_or(0, |m| m.start());
                match c[1].strip_prefix('"') {
                    Some(literal) => site_of(source, at, literal.trim_end_matches('"')),
                    None => site(source, at, Host::Other, None),
                }
            })
            .collect(),
        Language::CSharp => CSHARP
            .captures_iter(source)
            .map(|c| {
                let at = c.get(0).map_or(0, |m| m.start());
                site(source, at, host(&c[1]), c.get(2).and_then(|p| p.as_str().parse().ok()))
            })
            .collect(),
        Language::Elixir if matches!(source.path.rsplit('/').next(), Some("runtime.exs" | "prod.exs")) => {
            ELIXIR
                .captures_iter(source)
                .map(|c| site(source, c.get(0).map_or(0, |m| m.start()), quad(&c[1]), None))
                .collect()
        }
        _ => Vec::new(),
    }
}

fn site(source: &Source, at: usize, host: Host, port: Option<u16>) -> Site {
    Site { file: source.path.clone(), place: source.place(at), host, port }
}

/// `127.0.0.1:8080`, `:8080`, `localhost`.
fn site_of(source: &Source, at: usize, address: &str) -> Site {
    let (name, port) = address.rsplit_once(':').unwrap_or((address, ""));
    site(source, at, host(name), port.parse().ok())
}

fn host(name: &str) -> Host {
    let bare = name.trim_matches(['[', ']']);
    if bare == "localhost" || bare == "::1" || bare.starts_with("127.") {
        Host::Loopback(bare.to_owned())
    } else {
        Host::Other
    }
}

fn quad(first: &str) -> Host {
    if first == "127" { Host::Loopback("127.0.0.1".to_owned()) } else { Host::Other }
}

/// `uvicorn.run(app, host="127.0.0.1", port=8000)` and its like. Without a host Flask's and uvicorn's own server listen
/// on 127.0.0.1 (Flask's API of `run`; uvicorn's settings, "Socket Binding").
fn python(source: &Source) -> Vec<Site> {
    let mut sites = Vec::new();
    for call in PYTHON.captures_iter(source) {
        let Some(whole) = call.get(0) else { continue };
        let name = &call[1];
        let Some(arguments) = source.arguments(whole.end() - 1) else { continue };
        let named = |key: &str| {
            arguments
                .iter()
                .find_map(|a| a.trim().strip_prefix(key)?.trim_start().strip_prefix('=').map(str::trim))
        };
        let told = named("host");
        let port = named("port");
        let is_uvicorn = name == "uvicorn.run";
        if told.is_none() && port.is_none() && !is_uvicorn {
            // `subprocess.run(…)` and others that have nothing to do with a server.
            continue;
        }
        let host = match told {
            Some(value) => match crate::source::literal(value) {
                Some(text) => host(text),
                None => Host::Other,
            },
            None if is_uvicorn || name == "app.run" || name == "application.run" => {
                Host::Loopback("127.0.0.1, its default".to_owned())
            }
            None => Host::Other,
        };
        sites.push(site(source, whole.start(), host, port.and_then(|p| p.parse().ok())));
    }
    sites
}

/// `app.listen(port, host)`, `app.listen({ port, host })`. Without a host Node listens everywhere.
fn node(source: &Source) -> Vec<Site> {
    let mut sites = Vec::new();
    for call in NODE.find_iter(source) {
        let Some(arguments) = source.arguments(call.end() - 1) else { continue };
        let Some(first) = arguments.first().map(|a| a.trim()) else { continue };
        let (told, port) = match first.strip_prefix('{') {
            Some(object) => {
                let field = |key: &str| {
                    let pattern = regex(&format!(r#"(?:^|[,\s]){key}\s*(?::\s*([^,}}]+))?(?:[,}}\s]|$)"#));
                    let hit = pattern.captures(object)?;
                    Some(hit.get(1).map_or(key.to_owned(), |value| value.as_str().trim().to_owned()))
                };
                (field("host"), field("port"))
            }
            None => (
                arguments
                    .get(1)
                    .map(|a| a.trim().to_owned())
                    .filter(|a| !a.contains("=>") && !a.starts_with("function")),
                Some(first.to_owned()),
            ),
        };
        let host = match told.and_then(|value| constant(source, &value)) {
            Some(text) => host(text.trim_matches(['"', '\'', '`'])),
            None => Host::Other,
        };
        let port = port.and_then(|value| constant(source, &value)).and_then(|value| value.parse().ok());
        sites.push(site(source, call.start(), host, port));
    }
    sites
}

/// A literal, or that of the constant that is named; `None` for anything computed.
fn constant(source: &Source, value: &str) -> Option<String> {
    let literal = |text: &str| {
        let quoted = text.len() > 1 && text.starts_with(['"', '\'', '`']) && text.ends_with(['"', '\'', '`']);
        (quoted || !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.to_owned())
    };
    if let Some(text) = literal(value) {
        return Some(text);
    }
    if value.is_empty() || !value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return None;
    }
    let pattern = regex(&format!(r"\b(?:const|let|var)\s+{value}\s*(?::\s*\w+\s*)?=\s*([^;\n]+)"));
    literal(pattern.captures(&source.code)?.get(1)?.as_str().trim())
}

/// Addresses in the settings files of Spring and Quarkus (their common application properties); those of one profile
/// count only where it is production's.
fn of_settings(read: &Read<'_>) -> Vec<Site> {
    static PORT: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?m)^\s*(?:server\.port|quarkus\.http\.port|micronaut\.server\.port|%prod\.quarkus\.http\.port)\s*[=:]\s*(\d{2,5})\s*$",
        )
    });
    static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?m)^\s*(?:server\.address|quarkus\.http\.host|%prod\.quarkus\.http\.host)\s*[=:]\s*(\S+)\s*$",
        )
    });
    let mut sites = Vec::new();
    for file in &read.tree.files {
        let name = file_name(&file.path);
        if !matches!(
            name,
            "application.properties" | "application-prod.properties" | "application-production.properties"
        ) {
            continue;
        }
        let Some(Ok(text)) = read.tree.text(&file.path) else { continue };
        if let Some(port) = PORT.captures(&text).and_then(|hit| hit.get(1)) {
            sites.push(Site {
                file: file.path.clone(),
                place: place(&file.path, &text, port.start()),
                host: Host::Other,
                port: port.as_str().parse().ok(),
            });
        }
        for hit in ADDRESS.captures_iter(&text) {
            let Some(value) = hit.get(1) else { continue };
            sites.push(Site {
                file: file.path.clone(),
                place: place(&file.path, &text, value.start()),
                host: host(value.as_str()),
                port: None,
            });
        }
    }
    sites
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sites(path: &str, text: &str) -> Vec<(Host, Option<u16>)> {
        let source = Source::new(path, Language::of(path).expect("a language"), text);
        of_source(&source).into_iter().map(|site| (site.host, site.port)).collect()
    }

    #[test]
    fn where_code_listens_in_each_language() {
        let here = |name: &str| Host::Loopback(name.to_owned());
        for (path, text, host, port) in [
            ("a.py", "uvicorn.run(app, host='127.0.0.1', port=8000)", here("127.0.0.1"), Some(8000)),
            (
                "a.py",
                "uvicorn.run('a:app', port=int(os.environ['PORT']))",
                here("127.0.0.1, its default"),
                None,
            ),
            ("a.py", "app.run(host='0.0.0.0', port=5000)", Host::Other, Some(5000)),
            ("a.py", "app.run(host=settings.host, port=5000)", Host::Other, Some(5000)),
            ("a.js", "app.listen(3000, 'localhost', () => 1)", here("localhost"), Some(3000)),
            (
                "a.js",
                "const HOST = '127.0.0.1'; app.listen({ port: 3000, host: HOST })",
                here("127.0.0.1"),
                Some(3000),
            ),
            ("a.js", "app.listen(process.env.PORT || 3000)", Host::Other, None),
            (
                "a.js",
                "const host = process.env.HOST || 'localhost';\napp.listen(80, host)",
                Host::Other,
                Some(80),
            ),
            ("a.js", "app.listen(3000, () => console.log('localhost'))", Host::Other, Some(3000)),
            ("a.rs", "TcpListener::bind(\"127.0.0.1:3000\").await", here("127.0.0.1"), Some(3000)),
            ("a.rs", "SocketAddr::from(([127, 0, 0, 1], 3000))", here("127.0.0.1"), Some(3000)),
            ("a.rs", "server.bind((\"0.0.0.0\", 8080))", Host::Other, Some(8080)),
            ("a.go", "http.ListenAndServe(\"localhost:8080\", mux)", here("localhost"), Some(8080)),
            ("a.go", "r.Run(\":8080\")", Host::Other, Some(8080)),
            ("a.go", "app.Listen(\":\" + port)", Host::Other, None),
            ("A.cs", "app.Run(\"http://localhost:5000\");", here("localhost"), Some(5000)),
            ("config/runtime.exs", "http: [ip: {127, 0, 0, 1}, port: 4000]", here("127.0.0.1"), None),
        ] {
            assert_eq!(sites(path, text), [(host, port)], "{path}: {text}");
        }
        for (path, text) in
            [("a.py", "subprocess.run(['ls'])"), ("config/dev.exs", "http: [ip: {127, 0, 0, 1}, port: 4000]")]
        {
            assert!(sites(path, text).is_empty(), "{path}: {text}");
        }
    }
}
