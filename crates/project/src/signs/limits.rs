//! Sizes that two files give and that do not fit each other: bodies that a proxy refuses and the application takes, a heap
//! that is larger than its container, and pools that ask a database for more connections than it gives.
//!
//! Source: nginx.org ngx_http_core_module (client_max_body_size, 1m unless it is said), kubernetes.github.io/ingress-nginx
//! (annotation proxy-body-size, 1m unless it is said), kubernetes.io Resource Management (units of memory), docs.docker.com
//! Compose file (mem_limit, deploy.resources), nodejs.org CLI (--max-old-space-size, in MiB), Oracle's java command (-Xmx),
//! postgresql.org Runtime Config (max_connections, 100 unless it is said).

use std::sync::LazyLock;

use landfall_evidence::SignWord;
use regex::Regex;

use super::{Found, Read, place, regex, text};
use crate::source::is_test;
use crate::tree::file_name;
use crate::yaml::{Node, documents};

const MIB: f64 = 1_048_576.0;
/// What nginx takes unless it is told (client_max_body_size).
const NGINX_DEFAULT: f64 = MIB;
/// Connections that PostgreSQL keeps for its superuser of those that it gives (superuser_reserved_connections).
const RESERVED: u64 = 3;

pub(super) fn read(read: &Read<'_>, found: &mut Found) {
    bodies(read, found);
    heaps(read, found);
    pools(read, found);
}

/// `10m`, `512k`, `1g`, `20 * 1024 * 1024`, `10mb`, `5 << 20`, `10_485_760`, in bytes.
fn bytes(text: &str) -> Option<f64> {
    let text = text.trim().trim_matches(['"', '\'']).replace('_', "").to_ascii_lowercase();
    if let Some((number, shift)) = text.split_once("<<") {
        let shift: i32 = shift.trim().parse().ok().filter(|shift| (0..=40).contains(shift))?;
        return Some(number.trim().parse::<f64>().ok()? * 2_f64.powi(shift));
    }
    if text.contains('*') {
        return text.split('*').map(|part| part.trim().parse::<f64>().ok()).product();
    }
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = match unit.trim() {
        "" | "b" => 1.0,
        "k" | "kb" | "kib" | "ki" => 1_024.0,
        "m" | "mb" | "mib" | "mi" => MIB,
        "g" | "gb" | "gib" | "gi" => 1_024.0 * MIB,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * unit)
}

/// A size for people.
fn shown(bytes: f64) -> String {
    if bytes >= MIB {
        format!("{} MiB", (bytes / MIB * 10.0).round() / 10.0)
    } else {
        format!("{bytes} bytes")
    }
}

/// The largest body that the code says it takes in an upload.
fn taken(read: &Read<'_>) -> Option<(f64, String)> {
    static FORMS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
        [
            // multer, busboy, express-fileupload: limits.fileSize
            r"\bfileSize\s*:\s*(\d[\d_]*(?:\s*\*\s*\d[\d_]*)*)",
            // express.json, body-parser: limit
            r#"\b(?:json|raw|urlencoded|text)\(\s*\{[^}]*\blimit\s*:\s*["']([\d.]+\s*[kmg]b)["']"#,
            r"\bbodyLimit\s*:\s*(\d[\d_]*(?:\s*\*\s*\d[\d_]*)*)",
            // Flask
            r#"\bMAX_CONTENT_LENGTH["']?\]?\s*=\s*(\d[\d_]*(?:\s*\*\s*\d[\d_]*)*)"#,
            // Go
            r"\bMaxBytesReader\([^,]+,[^,]+,\s*(\d[\d_]*\s*(?:<<|\*)\s*\d+)",
            // axum, tower-http
            r"\b(?:DefaultBodyLimit::max|RequestBodyLimitLayer::new)\(\s*(\d[\d_]*(?:\s*\*\s*\d[\d_]*)*)",
            // ASP.NET
            r"\b(?:RequestSizeLimit\(|MultipartBodyLengthLimit\s*=\s*)(\d[\d_]*(?:\s*\*\s*\d[\d_]*)*)",
        ]
        .map(regex)
        .into()
    });
    // Laravel counts in kilobytes (laravel.com/docs, Validation: max, file).
    static LARAVEL: LazyLock<Regex> =
        LazyLock::new(|| regex(r#"["'][^"'\n]*\b(?:file|image|mimes:[^|"']*)[^"'\n]*\bmax:(\d{4,6})\b"#));
    let mut largest: Option<(f64, String)> = None;
    let mut keep = |size: f64, place: String| {
        if size > largest.as_ref().map_or(0.0, |(known, _)| *known) {
            largest = Some((size, place));
        }
    };
    for source in read.sources.iter().filter(|source| !is_test(&source.path)) {
        for found in FORMS.iter().flat_map(|form| form.captures_iter(&source.code)) {
            if let (Some(size), Some(at)) = (bytes(&found[1]), found.get(1)) {
                keep(size, source.place(at.start()));
            }
        }
        for found in LARAVEL.captures_iter(&source.code) {
            if let (Ok(kilobytes), Some(at)) = (found[1].parse::<f64>(), found.get(1)) {
                keep(kilobytes * 1_024.0, source.place(at.start()));
            }
        }
    }
    static SPRING: LazyLock<Regex> = LazyLock::new(|| {
        regex(r"(?m)^\s*(?:spring\.servlet\.multipart\.)?max-file-size\s*[:=]\s*(\d+\s*[KMG]B)")
    });
    for file in [
        "src/main/resources/application.yml",
        "src/main/resources/application.yaml",
        "src/main/resources/application.properties",
    ] {
        if let Some(content) = text(read.tree, file)
            && let Some(found) = SPRING.captures(&content).and_then(|found| found.get(1))
            && let Some(size) = bytes(found.as_str())
        {
            keep(size, place(file, &content, found.start()));
        }
    }
    largest
}

/// A proxy of the project's own that refuses bodies which the application takes.
fn bodies(read: &Read<'_>, found: &mut Found) {
    static SIZE: LazyLock<Regex> = LazyLock::new(|| regex(r"\bclient_max_body_size\s+(\d+[kKmMgG]?)\s*;"));
    static PASS: LazyLock<Regex> = LazyLock::new(|| regex(r"\b(?:proxy|fastcgi|uwsgi)_pass\s"));
    static UPLOAD: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?m)^\s*upload_max_filesize\s*=\s*(\d+[KMG]?)"));
    static INGRESS: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r#"(?:nginx\.ingress\.kubernetes\.io/proxy|nginx\.(?:org|com)/client-max)-body-size["']?\s*:\s*["']?(\d+[kKmMgG]?)"#,
        )
    });
    let Some((takes, where_taken)) = taken(read).filter(|(takes, _)| *takes > NGINX_DEFAULT) else { return };
    let mut tell = |least: f64, place: String, what: String| {
        if least < takes && least > 0.0 {
            let detail = format!(
                "{what} takes bodies of {} at most, and {where_taken} takes {}",
                shown(least),
                shown(takes)
            );
            found.add(SignWord::BodyLimitDiffers, place, detail);
        }
    };
    for file in read.tree.files.iter().filter(|file| !file.ignored) {
        let name = file_name(&file.path);
        if name.ends_with(".conf") && !name.contains("apache") {
            let Some(content) = text(read.tree, &file.path) else { continue };
            let content = super::proxy::without_comments(&content);
            let Some(pass) = PASS.find(&content) else { continue };
            let sizes: Vec<_> = SIZE.captures_iter(&content).filter_map(|c| c.get(1)).collect();
            // Without a server block this is a piece that another file includes.
            let whole = content.contains("server {") || content.contains("server{");
            match sizes
                .iter()
                .filter_map(|m| Some((bytes(m.as_str())?, m.start())))
                .max_by(|a, b| a.0.total_cmp(&b.0))
            {
                // 0 switches the check off.
                Some((0.0, _)) => {}
                Some(_) if sizes.iter().any(|m| m.as_str() == "0") => {}
                Some((most, at)) => tell(most, place(&file.path, &content, at), "nginx".to_owned()),
                None if whole => {
                    tell(
                        NGINX_DEFAULT,
                        place(&file.path, &content, pass.start()),
                        "nginx, which is told no size,".to_owned(),
                    );
                }
                None => {}
            }
        } else if name.ends_with(".ini") {
            let Some(content) = text(read.tree, &file.path) else { continue };
            if let Some(size) = UPLOAD.captures(&content).and_then(|c| c.get(1))
                && let Some(least) = bytes(size.as_str())
            {
                tell(least, place(&file.path, &content, size.start()), "PHP".to_owned());
            }
        }
    }
    let manifests = crate::deploy::manifests(read.tree);
    // The controller's own ConfigMap gives a size to every ingress.
    let sized = manifests.iter().any(|(_, content)| {
        content.contains("kind: ConfigMap")
            && ["proxy-body-size", "client-max-body-size"].iter().any(|key| content.contains(key))
    });
    for (file, content) in manifests {
        if !content.contains("kind: Ingress") || !content.contains("nginx") {
            continue;
        }
        match INGRESS.captures(&content).and_then(|c| c.get(1)) {
            Some(size) => {
                if let Some(least) = bytes(size.as_str()) {
                    tell(least, place(&file, &content, size.start()), "the ingress".to_owned());
                }
            }
            None if sized => {}
            None => {
                let at = content.find("kind: Ingress").unwrap_or_default();
                tell(
                    NGINX_DEFAULT,
                    place(&file, &content, at),
                    "the ingress, which is told no size,".to_owned(),
                );
            }
        }
    }
}

/// The heap that a text tells a runtime to take, in bytes.
fn heap(text: &str) -> Option<(f64, String)> {
    static JAVA: LazyLock<Regex> = LazyLock::new(|| regex(r"-Xm[xs](\d+)([kKmMgG])\b"));
    static NODE: LazyLock<Regex> = LazyLock::new(|| regex(r"--max[-_]old[-_]space[-_]size[= ](\d+)"));
    let java = JAVA
        .captures_iter(text)
        .filter_map(|c| Some((bytes(&format!("{}{}", &c[1], &c[2]))?, c[0].to_owned())));
    let node =
        NODE.captures_iter(text).filter_map(|c| Some((c[1].parse::<f64>().ok()? * MIB, c[0].to_owned())));
    java.chain(node).max_by(|a, b| a.0.total_cmp(&b.0))
}

/// A container that may take less memory than its runtime is told to.
fn heaps(read: &Read<'_>, found: &mut Found) {
    let image = text(read.tree, "Dockerfile").and_then(|text| heap(&super::proxy::without_comments(&text)));
    let mut tell = |limit: f64, own: Option<(f64, String)>, place: String| {
        let Some((heap, option)) = own.or_else(|| image.clone()) else { return };
        if heap >= limit {
            let detail = format!(
                "{option} asks for {} of heap, and the container may take {}",
                shown(heap),
                shown(limit)
            );
            found.add(SignWord::HeapExceedsLimit, place, detail);
        }
    };
    for (file, content) in crate::deploy::manifests(read.tree) {
        let Ok(all) = documents(&content) else { continue };
        for container in all.iter().filter_map(super::pods::pod).flat_map(super::pods::containers) {
            let Some(limit) = container.at(&["resources", "limits", "memory"]) else { continue };
            if let Some(size) = limit.text().and_then(bytes) {
                tell(size, heap(&words(container)), format!("{file}:{}", limit.line));
            }
        }
    }
    for file in crate::deploy::COMPOSE.iter().chain(crate::deploy::COMPOSE_PRODUCTION) {
        let Some(Ok(all)) = text(read.tree, file).map(|content| documents(&content)) else { continue };
        let services = all.iter().filter_map(|root| root.get("services")).flat_map(Node::entries);
        for (_, service) in services {
            let limit =
                service.get("mem_limit").or_else(|| service.at(&["deploy", "resources", "limits", "memory"]));
            // Another image has another command; the project's own is built here.
            let own = heap(&words(service));
            if let Some(limit) = limit.filter(|_| own.is_some() || service.get("build").is_some())
                && let Some(size) = limit.text().and_then(bytes)
            {
                tell(size, own, format!("{file}:{}", limit.line));
            }
        }
    }
    static FLY: LazyLock<Regex> = LazyLock::new(|| {
        regex(r#"(?m)^\s*(?:memory\s*=\s*["'](\d+\s*[a-zA-Z]+)["']|memory_mb\s*=\s*(\d+))"#)
    });
    if let Some(content) = text(read.tree, "fly.toml")
        && let Some(limit) = FLY.captures(&content)
    {
        let of = |group: usize| limit.get(group).map(|m| m.as_str());
        let size = of(1).and_then(bytes).or_else(|| Some(of(2)?.parse::<f64>().ok()? * MIB));
        if let Some(size) = size {
            tell(
                size,
                heap(&content),
                place("fly.toml", &content, limit.get(0).map_or(0, |m| m.start() + 1)),
            );
        }
    }
}

/// All words of a node: values of variables and of commands.
fn words(node: &Node) -> String {
    let mut out = String::new();
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        out.push(' ');
        out.push_str(node.text().unwrap_or_default());
        open.extend(node.items().iter().chain(node.entries().iter().map(|(_, value)| value)));
    }
    out
}

/// A database of the Compose file that gives fewer connections than the application's processes may open together.
fn pools(read: &Read<'_>, found: &mut Found) {
    static MOST: LazyLock<Regex> = LazyLock::new(|| regex(r"\bmax[-_]connections[= ](\d{1,5})\b"));
    static POOL: LazyLock<Vec<Regex>> = LazyLock::new(|| {
        [
            r"\bpool_size\s*[=:]\s*(\d{1,4})\b",
            r"\bmaximum-pool-size\s*[=:]\s*(\d{1,4})\b",
            r"\bconnection_limit=(\d{1,4})\b",
            r"\bnew\s+(?:pg\.)?Pool\(\s*\{[^}]*\bmax\s*:\s*(\d{1,4})\b",
            r"\bSetMaxOpenConns\(\s*(\d{1,4})\s*\)",
            r"\bmax_size\s*=\s*(\d{1,4})\b",
            r"\.max_connections\(\s*(\d{1,4})\s*\)",
        ]
        .map(regex)
        .into()
    });
    static OVERFLOW: LazyLock<Regex> = LazyLock::new(|| regex(r"\bmax_overflow\s*=\s*(\d{1,4})\b"));
    static WORKERS: LazyLock<Regex> = LazyLock::new(|| {
        regex(r"(?:--workers[= ]|\s-w[= ]?|WEB_CONCURRENCY[=: ]\s*|\bworkers\s*=\s*|\s-i\s+)(\d{1,3})\b")
    });
    let number = |captures: regex::Captures<'_>| captures[1].parse::<u64>().ok();
    let sources = || read.sources.iter().filter(|source| !is_test(&source.path));
    let config = [
        "src/main/resources/application.yml",
        "src/main/resources/application.properties",
        "config/database.yml",
    ];
    let configs: Vec<(String, String)> =
        config.iter().filter_map(|file| Some(((*file).to_owned(), text(read.tree, file)?))).collect();
    let code = sources().map(|source| (source.path.as_str(), source.code.as_str()));
    let texts = || code.clone().chain(configs.iter().map(|(file, text)| (file.as_str(), text.as_str())));
    let pool = texts()
        .filter_map(|(file, text)| {
            let size = POOL.iter().find_map(|form| number(form.captures(text)?))?;
            Some((size + OVERFLOW.captures(text).and_then(number).unwrap_or(0), file))
        })
        .max();
    let Some((pool, pool_file)) = pool else { return };
    for file in crate::deploy::COMPOSE.iter().chain(crate::deploy::COMPOSE_PRODUCTION) {
        let Some(Ok(all)) = text(read.tree, file).map(|content| documents(&content)) else { continue };
        for services in all.iter().filter_map(|root| root.get("services")) {
            let database = services.entries().iter().find(|(_, service)| {
                let image = service.get("image").and_then(Node::text).unwrap_or_default();
                image
                    .rsplit('/')
                    .next()
                    .is_some_and(|name| name.starts_with("postgres:") || name == "postgres")
            });
            let Some((name, database)) = database else { continue };
            let command = database.get("command").map(words).unwrap_or_default();
            let most = MOST.captures(&command).and_then(number).unwrap_or(100);
            // A pooler stands between.
            if services.entries().iter().any(|(name, _)| name.contains("bouncer") || name.contains("pgpool"))
            {
                continue;
            }
            let image = text(read.tree, "Dockerfile").unwrap_or_default();
            let asked: u64 = services
                .entries()
                .iter()
                .filter(|(_, service)| service.get("build").is_some())
                .map(|(_, service)| {
                    let all = words(service);
                    let here = WORKERS.captures(&all).and_then(number);
                    let workers = here.or_else(|| WORKERS.captures(&image).and_then(number)).unwrap_or(1);
                    let replicas = service.at(&["deploy", "replicas"]).and_then(Node::text);
                    let replicas: u64 = replicas.and_then(|count| count.parse().ok()).unwrap_or(1);
                    workers.saturating_mul(replicas).saturating_mul(pool)
                })
                .sum();
            if asked > most.saturating_sub(RESERVED) {
                let detail = format!(
                    "the processes may open {asked} connections together ({pool_file}), and {name} gives {most}"
                );
                found.add(SignWord::PoolExceedsDatabase, format!("{file}:{}", database.line), detail);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{has, lacks};
    use super::*;

    #[test]
    fn sizes_in_their_notations() {
        for (text, expected) in [
            ("10m", 10.0 * MIB),
            ("512Mi", 512.0 * MIB),
            ("1g", 1_024.0 * MIB),
            ("10 * 1024 * 1024", 10.0 * MIB),
            ("10 << 20", 10.0 * MIB),
            ("'5mb'", 5.0 * MIB),
            ("10_485_760", 10.0 * MIB),
        ] {
            assert_eq!(bytes(text), Some(expected), "{text}");
        }
        for nonsense in ["", "m", "1 << 99", "x * 2", "10 parsecs"] {
            assert_eq!(bytes(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn bodies_that_the_proxy_refuses() {
        let upload = (
            "src/app.js",
            "app.post('/up', multer({ limits: { fileSize: 10 * 1024 * 1024 } }).single('f'), save);\n",
        );
        let nginx = |size: &str| {
            format!("server {{\n  listen 80;\n  {size}\n  location / {{ proxy_pass http://app:3000; }}\n}}\n")
        };
        has(
            &[upload, ("nginx.conf", &nginx("client_max_body_size 2m;"))],
            "body-limit-differs nginx takes bodies of 2 MiB at most, and src/app.js:1 takes 10 MiB @nginx.conf:3",
        );
        has(
            &[upload, ("nginx.conf", &nginx(""))],
            "body-limit-differs nginx, which is told no size, takes bodies of 1 MiB",
        );
        for enough in ["client_max_body_size 10m;", "client_max_body_size 0;", "client_max_body_size 1g;"] {
            lacks(&[upload, ("nginx.conf", &nginx(enough))], "body-limit-differs");
        }
        lacks(&[("nginx.conf", &nginx("client_max_body_size 2m;"))], "body-limit-differs");
        let laravel = (
            "app/Http/Controllers/C.php",
            "<?php\n$r->validate(['contract' => 'required|file|mimes:pdf|max:20480']);\n",
        );
        has(
            &[laravel, ("docker/uploads.ini", "upload_max_filesize = 2M\n")],
            "body-limit-differs PHP takes bodies of 2 MiB",
        );
        lacks(&[laravel, ("docker/uploads.ini", "upload_max_filesize = 25M\n")], "body-limit-differs");
        let ingress = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: a\nspec:\n  ingressClassName: nginx\n  rules: []\n";
        has(
            &[upload, ("k8s/ingress.yaml", ingress)],
            "body-limit-differs the ingress, which is told no size,",
        );
        let told = ingress.replace(
            "  name: a\n",
            "  name: a\n  annotations:\n    nginx.ingress.kubernetes.io/proxy-body-size: \"20m\"\n",
        );
        lacks(&[upload, ("k8s/ingress.yaml", &told)], "body-limit-differs");
    }

    #[test]
    fn a_heap_larger_than_its_container() {
        let pod = |limit: &str, options: &str| {
            format!(
                "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: a\nspec:\n  template:\n    spec:\n      containers:\n        - name: a\n          image: a:1\n          env:\n            - name: JAVA_TOOL_OPTIONS\n              value: \"{options}\"\n          resources:\n            limits: {{ memory: {limit} }}\n"
            )
        };
        has(
            &[("k8s/a.yaml", &pod("512Mi", "-Xmx1g"))],
            "heap-exceeds-limit -Xmx1g asks for 1024 MiB of heap, and the container may take 512 MiB",
        );
        lacks(&[("k8s/a.yaml", &pod("2Gi", "-Xmx1g"))], "heap-exceeds-limit");
        let compose = "services:\n  api:\n    build: .\n    mem_limit: 256m\n    command: node --max-old-space-size=512 server.js\n";
        has(
            &[("docker-compose.yml", compose)],
            "heap-exceeds-limit --max-old-space-size=512 asks for 512 MiB",
        );
        lacks(&[("fly.toml", "app = 'a'\n[[vm]]\n  memory = '256 parsecs'\n")], "heap-exceeds-limit");
        has(
            &[(
                "fly.toml",
                "app = 'a'\n[env]\n  NODE_OPTIONS = '--max-old-space-size=1024'\n[[vm]]\n  memory = '256mb'\n",
            )],
            "heap-exceeds-limit --max-old-space-size=1024",
        );
        lacks(
            &[
                ("fly.toml", "app = 'a'\n[[vm]]\n  memory = '256mb'\n"),
                ("Dockerfile", "FROM a\nCMD [\"java\", \"-Xmx128m\", \"-jar\", \"a.jar\"]\n"),
            ],
            "heap-exceeds-limit",
        );
    }

    #[test]
    fn pools_that_ask_for_more_than_there_is() {
        let code = ("app/db.py", "engine = create_engine(url, pool_size=10, max_overflow=10)\n");
        let compose = |command: &str, workers: u32| {
            format!(
                "services:\n  api:\n    build: .\n    command: gunicorn app:app --workers {workers}\n  db:\n    image: postgres:16\n{command}"
            )
        };
        has(
            &[code, ("docker-compose.yml", &compose("    command: postgres -c max_connections=30\n", 2))],
            "pool-exceeds-database the processes may open 40 connections together (app/db.py), and db gives 30",
        );
        has(
            &[code, ("docker-compose.yml", &compose("", 8))],
            "pool-exceeds-database the processes may open 160",
        );
        lacks(&[code, ("docker-compose.yml", &compose("", 2))], "pool-exceeds-database");
        let pooled = compose(
            "    command: postgres -c max_connections=30\n  pgbouncer:\n    image: edoburu/pgbouncer\n",
            2,
        );
        lacks(&[code, ("docker-compose.yml", &pooled)], "pool-exceeds-database");
    }
}
