//! Path prefixes: what proxies take off or leave on, against what the routes of the code begin with.
//!
//! Sources: ngx_http_proxy_module, proxy_pass (a URI replaces what the location matched); Caddy's handle_path and uri strip_prefix;
//! Traefik's StripPrefix; ingress-nginx, rewrite-target; Netlify's redirects with a splat.

use std::sync::LazyLock;

use landfall_evidence::SignWord;
use regex::Regex;

use super::{Found, Read, place, regex, text};
use crate::tree::file_name;

/// Fewest routes of the code that say where all begin.
const FEWEST_ROUTES: usize = 2;

/// A path prefix that a proxy passes on.
struct Passed {
    place: String,
    /// `/api`, without a slash at the end.
    prefix: String,
    /// Whether the application no longer sees it.
    taken_off: bool,
}

pub(super) fn read(read: &Read<'_>, found: &mut Found) {
    let routes: Vec<&str> = read
        .snapshot
        .routes
        .iter()
        .map(|route| route.path.as_str())
        .filter(|path| path.starts_with('/') && !is_beside(path))
        .collect();
    if routes.len() < FEWEST_ROUTES || mounts(read) {
        return;
    }
    ingress(read, &routes, found);
    for passed in proxies(read) {
        let begins = |path: &&&str| {
            path.strip_prefix(passed.prefix.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let below = routes.iter().filter(begins).count();
        let prefix = &passed.prefix;
        if passed.taken_off && below == routes.len() {
            found.add(
                SignWord::ProxyPathDiffers,
                passed.place,
                format!("{prefix} is taken off, and every route of the code begins with it: {}", routes[0]),
            );
        } else if !passed.taken_off && below == 0 {
            found.add(
                SignWord::ProxyPathDiffers,
                passed.place,
                format!("{prefix} is left on, and no route of the code begins with it: {}", routes[0]),
            );
        }
    }
}

/// Ingresses whose paths cover no route, or take a path exactly below which there are routes (kubernetes.io/docs/concepts/services-networking/ingress, Path types).
fn ingress(read: &Read<'_>, routes: &[&str], found: &mut Found) {
    static KIND: LazyLock<Regex> = LazyLock::new(|| regex(r"(?m)^kind:\s*Ingress\b"));
    static PATH: LazyLock<Regex> = LazyLock::new(|| regex(r#"(?m)\bpath:[ \t]*["']?(/[^\s"',}]*)"#));
    static EXACT: LazyLock<Regex> = LazyLock::new(|| regex(r"\bpathType:\s*Exact\b"));
    static OTHER: LazyLock<Regex> = LazyLock::new(|| {
        regex(r"\bpathType:\s*(?:Prefix|ImplementationSpecific|\{)|rewrite-target|use-regex")
    });
    static VALUES: LazyLock<Regex> = LazyLock::new(|| regex(r"(?m)^ingress:\n((?:[ \t]+[^\n]*\n?|\n)*)"));
    static ITEM: LazyLock<Regex> =
        LazyLock::new(|| regex(r#"(?m)^\s*-\s+(?:path:\s*)?["']?(/[^\s"',}]*)["']?\s*$"#));
    let mut all: Vec<(String, bool)> = Vec::new();
    let mut place_of_first = None;
    for file in read
        .tree
        .files
        .iter()
        .filter(|f| !f.ignored && [".yml", ".yaml"].iter().any(|end| f.path.ends_with(end)))
    {
        let Some(content) = text(read.tree, &file.path).filter(|t| KIND.is_match(t)) else { continue };
        // What is decided by patterns, or anew for each path, is not read here.
        if EXACT.is_match(&content) && OTHER.is_match(&content)
            || content.contains("rewrite-target")
            || content.contains("use-regex")
        {
            return;
        }
        let exact = EXACT.is_match(&content);
        if !exact && !content.contains("pathType: Prefix") {
            return;
        }
        place_of_first.get_or_insert_with(|| {
            place(&file.path, &content, EXACT.find(&content).map_or(0, |m| m.start()))
        });
        if content.contains("{{") {
            let chart = file.path.split("templates/").next().unwrap_or_default();
            let Some(values) = text(read.tree, &format!("{chart}values.yaml")) else { return };
            let Some(section) = VALUES.captures(&values) else { return };
            all.extend(ITEM.captures_iter(&section[1]).map(|c| (c[1].to_owned(), exact)));
        } else {
            all.extend(PATH.captures_iter(&content).map(|c| (c[1].to_owned(), exact)));
        }
    }
    let covers = |(path, exact): &(String, bool), route: &str| {
        let path = path.trim_end_matches('/');
        route == path || (!exact && route.strip_prefix(path).is_some_and(|rest| rest.starts_with('/')))
    };
    let Some(place) = place_of_first.filter(|_| !all.is_empty()) else { return };
    let open: Vec<&&str> = routes
        .iter()
        .filter(|route| route.len() > 1 && !all.iter().any(|path| covers(path, route)))
        .collect();
    // What lies beside the paths may be meant for the inside; what lies below an exact path is meant to be reached by it.
    let below = |route: &&&&str| {
        all.iter().any(|(path, exact)| {
            *exact
                && path.len() > 1
                && route.strip_prefix(path.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'))
        })
    };
    let first = if open.len() == routes.len() { open.first() } else { open.iter().find(below) };
    if let Some(first) = first {
        let paths: Vec<&str> = all.iter().map(|(path, _)| path.as_str()).collect();
        let exact = if all.iter().all(|(_, exact)| *exact) { ", each of them exactly" } else { "" };
        found.add(
            SignWord::IngressPathUncovered,
            place,
            format!("it takes {}{exact}; the code serves {first}", paths.join(", ")),
        );
    }
}

/// Routes that stand beside the application's own, under no prefix: the root, health and documents.
fn is_beside(path: &str) -> bool {
    static BESIDE: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?i)^/(?:|favicon\.ico|robots\.txt|(?:-/)?(?:health|healthz|healthcheck|live|livez|liveness|ready|readyz|readiness|ping|status|up|version|metrics|docs|redoc|openapi\.json|swagger)(?:/.*)?)$",
        )
    });
    BESIDE.is_match(path)
}

/// Whether the code or its start says that it lies below a path, so that its routes do not say all.
fn mounts(read: &Read<'_>) -> bool {
    const WORDS: &[&str] = &[
        "root_path",
        "root-path",
        "SCRIPT_NAME",
        "context-path",
        "contextPath",
        "context_path",
        "setGlobalPrefix",
        "basePath",
        "UsePathBase",
        "PathBase",
        "APPLICATION_ROOT",
        "relative_url_root",
        "DispatcherMiddleware",
        "BASE_PATH",
        "StripPrefix",
        "global-prefix",
    ];
    let code = read.sources.iter().any(|source| WORDS.iter().any(|word| source.code.contains(word)));
    let set = read.deploys.iter().any(|deploy| {
        deploy.config.start.as_ref().is_some_and(|start| WORDS.iter().any(|word| start.raw.contains(word)))
            || deploy.config.sets.iter().any(|name| WORDS.iter().any(|word| name.contains(word)))
    });
    let settings = read.tree.files.iter().filter(|f| {
        let name = file_name(&f.path);
        !f.ignored
            && (name.starts_with("application")
                || name == "appsettings.json"
                || name.starts_with("next.config"))
    });
    code || set
        || settings
            .filter_map(|f| text(read.tree, &f.path))
            .any(|text| WORDS.iter().any(|word| text.contains(word)))
}

fn proxies(read: &Read<'_>) -> Vec<Passed> {
    let mut all = Vec::new();
    for file in read.tree.files.iter().filter(|f| !f.ignored) {
        let path = file.path.as_str();
        let name = file_name(path).to_ascii_lowercase();
        let reader: fn(&str, &str) -> Vec<Passed> = match name.as_str() {
            "caddyfile" => caddy,
            "_redirects" => redirects,
            _ if name.ends_with(".conf") || name.ends_with(".nginx") || path.contains("nginx/") => nginx,
            _ if name.ends_with(".yml") || name.ends_with(".yaml") => labels,
            _ => continue,
        };
        if let Some(text) = text(read.tree, path) {
            all.extend(reader(path, &text));
        }
    }
    all
}

/// A prefix as it is compared, of a path in a proxy's rule; `None` of the root and of patterns.
fn prefix(path: &str) -> Option<String> {
    let path = path.trim_end_matches('*').trim_end_matches('/');
    let plain =
        path.starts_with('/') && path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-_.".contains(&b));
    plain.then(|| path.to_owned()).filter(|path| path.len() > 1)
}

fn nginx(file: &str, text: &str) -> Vec<Passed> {
    static LOCATION: LazyLock<Regex> =
        LazyLock::new(|| regex(r"\blocation\s+(?:\^~\s+)?(/[^\s{]*)\s*\{([^{}]*)\}"));
    static PASS: LazyLock<Regex> =
        LazyLock::new(|| regex(r"\bproxy_pass\s+https?://[^\s;/$]+(/[^\s;]*)?\s*;"));
    let text = super::proxy::without_comments(text);
    let several = LOCATION.captures_iter(&text).filter(|c| PASS.is_match(&c[2])).count() > 1;
    LOCATION
        .captures_iter(&text)
        .filter_map(|location| {
            let pass = PASS.captures(&location[2])?;
            let taken_off = match pass.get(1).map(|uri| uri.as_str()) {
                Some("/") => true,
                None if location[2].contains("rewrite") => return None,
                // One of several locations may lead to another application.
                None if several => return None,
                None => false,
                Some(_) => return None,
            };
            // A location without its slash leaves one at the front.
            let at = location.get(0)?.start();
            Some(Passed { place: place(file, &text, at), prefix: prefix(&location[1])?, taken_off })
        })
        .collect()
}

fn caddy(file: &str, text: &str) -> Vec<Passed> {
    static TAKES: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?m)^\s*(?:handle_path|uri\s+(?:\S+\s+)?strip_prefix|route\s+\S+\s*\{\s*uri\s+strip_prefix)\s+(/\S+)",
        )
    });
    let text = super::proxy::without_comments(text);
    TAKES
        .captures_iter(&text)
        .filter_map(|c| {
            Some(Passed {
                place: place(file, &text, c.get(1)?.start()),
                prefix: prefix(&c[1])?,
                taken_off: true,
            })
        })
        .collect()
}

/// Netlify's form: `/api/* https://backend.example/:splat 200`.
fn redirects(file: &str, text: &str) -> Vec<Passed> {
    let rules = text.lines().enumerate().filter_map(|(n, line)| {
        let mut words = line.split_whitespace();
        let (from, to, status) = (words.next()?, words.next()?, words.next()?);
        let (_, rest) = to.split_once("://")?;
        let target = rest.find('/').map_or("", |at| &rest[at..]);
        let place = format!("{file}:{}", n + 1);
        (status.trim_end_matches('!') == "200" && from.ends_with("/*") && target == "/:splat")
            .then(|| Some(Passed { place, prefix: prefix(from)?, taken_off: true }))?
    });
    rules.collect()
}

/// Traefik's labels and objects, and annotations of ingress-nginx.
fn labels(file: &str, text: &str) -> Vec<Passed> {
    static TRAEFIK: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r#"(?i)stripprefix\.prefixes\s*[=:]\s*["']?(/[\w./-]+)|\bstripPrefix:\s*\n\s*prefixes:\s*(?:\n\s*-\s*|\[\s*)["']?(/[\w./-]+)"#,
        )
    });
    static REWRITE: LazyLock<Regex> = LazyLock::new(|| {
        regex(r#"nginx\.ingress\.kubernetes\.io/rewrite-target:\s*["']?(/\$?\d?)["']?\s*(?:\n|$)"#)
    });
    static PATH: LazyLock<Regex> = LazyLock::new(|| {
        regex(r#"\bpath:\s*["']?(/[\w/.-]+?)(?:\(/\|\$\)\(\.\*\)|/\(\.\*\)|/?)["']?\s*(?:\n|,|$)"#)
    });
    let of = |at: usize, path: &str| {
        Some(Passed { place: place(file, text, at), prefix: prefix(path)?, taken_off: true })
    };
    let mut all: Vec<Passed> = TRAEFIK
        .captures_iter(text)
        .filter_map(|c| c.get(1).or(c.get(2)).and_then(|m| of(m.start(), m.as_str())))
        .collect();
    if REWRITE.is_match(text) {
        all.extend(PATH.captures_iter(text).filter_map(|c| c.get(1).and_then(|m| of(m.start(), m.as_str()))));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::tests::{has, lacks};

    const UNDER: (&str, &str) = (
        "app.py",
        "from flask import Flask\napp = Flask(__name__)\n@app.route('/api/items')\ndef a(): pass\n@app.route('/api/orders')\ndef b(): pass\n@app.route('/healthz')\ndef c(): pass\n",
    );

    fn bare() -> (&'static str, String) {
        ("app.py", UNDER.1.replace("/api/", "/"))
    }

    #[test]
    fn what_proxies_take_off() {
        for (file, strips) in [
            ("nginx.conf", "server {\n  location /api/ {\n    proxy_pass http://127.0.0.1:8000/;\n  }\n}\n"),
            ("Caddyfile", "example.test {\n\thandle_path /api/* {\n\t\treverse_proxy app:8000\n\t}\n}\n"),
            (
                "compose.yml",
                "services:\n  a:\n    labels:\n    - traefik.http.middlewares.s.stripprefix.prefixes=/api\n",
            ),
            (
                "k8s/i.yaml",
                "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  annotations:\n    nginx.ingress.kubernetes.io/rewrite-target: /$2\nspec:\n  rules:\n  - http:\n      paths:\n      - path: /api(/|$)(.*)\n        pathType: Prefix\n",
            ),
            ("_redirects", "/api/* https://backend.example.test/:splat 200\n"),
        ] {
            has(
                &[(file, strips), UNDER],
                "proxy-path-differs /api is taken off, and every route of the code begins with it: /api/items",
            );
            let (path, code) = bare();
            lacks(&[(file, strips), (path, &code)], "proxy-path-differs");
        }
    }

    #[test]
    fn paths_of_an_ingress() {
        let ingress = |path: &str, kind: &str| {
            format!(
                "apiVersion: networking.k8s.io/v1\nkind: Ingress\nspec:\n  rules:\n  - http:\n      paths:\n      - path: {path}\n        pathType: {kind}\n"
            )
        };
        has(
            &[("k8s/i.yaml", &ingress("/api", "Exact")), UNDER],
            "ingress-path-uncovered it takes /api, each of them exactly; the code serves /api/items @k8s/i.yaml:8",
        );
        has(
            &[("k8s/i.yaml", &ingress("/v1", "Prefix")), UNDER],
            "ingress-path-uncovered it takes /v1; the code serves /api/items",
        );
        for (path, kind) in
            [("/api", "Prefix"), ("/", "Prefix"), ("/api/items", "Exact"), ("/v1", "ImplementationSpecific")]
        {
            lacks(&[("k8s/i.yaml", &ingress(path, kind)), UNDER], "ingress-path-uncovered");
        }
    }

    #[test]
    fn what_proxies_leave_on() {
        let keeps =
            ("nginx.conf", "server {\n  location /api/ {\n    proxy_pass http://127.0.0.1:8000;\n  }\n}\n");
        let (path, code) = bare();
        has(
            &[keeps, (path, &code)],
            "proxy-path-differs /api is left on, and no route of the code begins with it: /items @nginx.conf:2",
        );
        lacks(&[keeps, UNDER], "proxy-path-differs");
        // Where the application is told of its place, its routes do not say all.
        let told = ("wsgi.py", "app.config['APPLICATION_ROOT'] = '/api'\n");
        lacks(&[keeps, (path, &code), told], "proxy-path-differs");
        let two = (
            "nginx.conf",
            "server {\n  location /api/ { proxy_pass http://a:1; }\n  location / { proxy_pass http://b:2; }\n}\n",
        );
        lacks(&[two, (path, &code)], "proxy-path-differs");
    }
}
