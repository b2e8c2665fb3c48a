//! What the code itself says: addresses, hosts, origins, databases, build-time variables, drift of the example file.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use landfall_evidence::SignWord;
use regex::Regex;

use super::plan::Plan;
use super::{Found, Read, place, regex, text};
use crate::source::{Language, Source, is_test};
use crate::tree::{Tree, file_name};
use crate::words::{Pattern, words};

/// Tests read for the services that they connect to.
const MAX_TESTS: usize = 500;
/// Lines of a handler that are looked at.
const MAX_HANDLER: usize = 4_000;

pub(super) fn read(read: &Read<'_>, plans: &[Plan], found: &mut Found) {
    client(read, plans, found);
    lists(read, found);
    data(read, found);
    health(read, found);
    conditional(read, found);
    workers(read, found);
    migrations(read, plans, found);
    services(read.tree, found);
    drift(read, found);
}

/// Whether a file is code or a page for the browser.
fn is_client(source: &Source, tree: &Tree) -> bool {
    let path = source.path.as_str();
    let folder = path.split('/').any(|p| {
        matches!(
            p,
            "frontend"
                | "client"
                | "web"
                | "ui"
                | "public"
                | "static"
                | "components"
                | "pages"
                | "views"
                | "hooks"
                | "assets"
        )
    });
    let ends = [".tsx", ".jsx", ".vue", ".svelte"].iter().any(|e| path.ends_with(e));
    let bundler = source.code.contains("import.meta.env")
        || source.code.contains("NEXT_PUBLIC_")
        || source.code.contains("REACT_APP_");
    let browser = source.code.contains("document.")
        || source.code.contains("window.")
        || source.code.contains("localStorage")
        || source.code.contains("XMLHttpRequest");
    let bundled = tree.has("vite.config.js") || tree.has("vite.config.ts") || tree.has("index.html");
    let in_src = bundled
        && path.starts_with("src/")
        && !source.code.contains("listen(")
        && !source.code.contains("require('http");
    source.language == Language::JavaScript && (folder || ends || bundler || browser || in_src)
}

fn client(read: &Read<'_>, plans: &[Plan], found: &mut Found) {
    static LOCAL: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r#"(?:https?|wss?)://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\]|10\.\d+\.\d+\.\d+|192\.168\.\d+\.\d+|[\w-]+\.local)(?::\d+)?"#,
        )
    });
    static BUILD: LazyLock<Pattern> = LazyLock::new(|| {
        Pattern::new(
            words!["VITE_", "PUBLIC_", "REACT_APP_", "VUE_APP_", "GATSBY_"],
            r"\b((?:VITE|NEXT_PUBLIC|REACT_APP|VUE_APP|PUBLIC|NUXT_PUBLIC|GATSBY|EXPO_PUBLIC)_[A-Z0-9_]+)\b",
        )
    });
    let tree = read.tree;
    let mut pages: Vec<(&str, Cow<'_, str>)> = read
        .sources
        .iter()
        .filter(|s| is_client(s, tree))
        .map(|s| (s.path.as_str(), Cow::Borrowed(s.code.as_str())))
        .collect();
    for file in tree.files.iter().filter(|f| !f.ignored && !is_test(&f.path)).take(20_000) {
        if [".vue", ".svelte", ".html"].iter().any(|e| file.path.ends_with(e)) && pages.len() < 1_000 {
            pages.extend(text(tree, &file.path).map(|t| (file.path.as_str(), Cow::Owned(t))));
        }
    }
    let mut read_names: BTreeSet<String> = BTreeSet::new();
    for (path, code) in &pages {
        for m in LOCAL.find_iter(code) {
            // A fallback behind a variable is what runs on the developer's machine: `env.X || "http://localhost"`.
            let line_start = code[..m.start()].rfind('\n').map_or(0, |at| at + 1);
            let before = &code[line_start..m.start()];
            let guarded = before.contains("env")
                && (before.contains("||")
                    || before.contains("??")
                    || before.contains(':')
                    || before.contains('?'))
                || before.contains("hostname")
                || before.contains("DEV")
                || before.contains("development");
            let config = matches!(
                file_name(path),
                "vite.config.js" | "vite.config.ts" | "next.config.js" | "webpack.config.js"
            );
            if !guarded && !config {
                found.add(SignWord::ClientLocalUrl, place(path, code, m.start()), m.as_str().to_owned());
            }
        }
    }
    // Build-time variables are read in any script of the bundle, not only in those that look like a page's.
    for source in read.sources.iter().filter(|s| s.language == Language::JavaScript) {
        for c in BUILD.captures_iter(source) {
            let (Some(name), Some(at)) = (c.get(1), c.get(0)) else { continue };
            let before = &source.code[..at.start()];
            if !(before.ends_with("env.") || before.ends_with("env['") || before.ends_with("env[\"")) {
                continue;
            }
            if read_names.insert(name.as_str().to_owned()) {
                let given = plans.iter().find(|p| p.env.contains_key(name.as_str()));
                let files = [".env.production", ".env", ".env.production.local"];
                let in_file = files.iter().find(|file| {
                    tree.get(file).is_some_and(|f| !f.ignored)
                        && text(tree, file).is_some_and(|t| {
                            t.lines().any(|l| {
                                l.trim_start()
                                    .trim_start_matches("export ")
                                    .starts_with(&format!("{}=", name.as_str()))
                            })
                        })
                });
                let docker = ["ARG", "ENV"].iter().any(|word| {
                    text(tree, "Dockerfile").is_some_and(|t| {
                        t.lines().any(|l| l.trim_start().starts_with(word) && l.contains(name.as_str()))
                    })
                });
                let at = source.place(at.start());
                if given.is_some() || in_file.is_some() || docker {
                    found.add(SignWord::BuildEnvDeclared, at, name.as_str().to_owned());
                } else {
                    found.add(SignWord::BuildEnvUnset, at, name.as_str().to_owned());
                }
            }
        }
    }
}

/// Host allow-lists and CORS lists.
fn lists(read: &Read<'_>, found: &mut Found) {
    static HOSTS: LazyLock<Pattern> = LazyLock::new(|| {
        Pattern::new(
            words!["allowed_hosts", "trusted_hosts", "allowedHosts"],
            r"(?m)\b(?:ALLOWED_HOSTS|allowed_hosts|trusted_hosts|TRUSTED_HOSTS|allowedHosts)\s*[=:]\s*(\[|\()",
        )
    });
    static ORIGINS: LazyLock<Pattern> = LazyLock::new(|| {
        Pattern::new(
            words!["origin"],
            r"\b(?:CORS_ALLOWED_ORIGINS|CORS_ORIGIN_WHITELIST|CSRF_TRUSTED_ORIGINS|allow_origins|origins|allowedOrigins|origin|CORS_ORIGINS)\s*[=:]\s*(\[|\()?",
        )
    });
    static QUOTED: LazyLock<Regex> = LazyLock::new(|| regex(r#"["']([^"'\n]{1,253})["']"#));
    for source in read.sources {
        for c in HOSTS.captures_iter(source) {
            let Some(open) = c.get(1) else { continue };
            let Some(inner) = crate::source::bracketed(&source.code, open.start()) else { continue };
            for host in QUOTED.captures_iter(inner).map(|c| c[1].to_owned()) {
                found.add(SignWord::AllowedHost, source.place(open.start()), host);
            }
        }
        let cors = source.code.contains("CORS")
            || source.code.contains("cors")
            || source.code.contains("Access-Control-Allow-Origin")
            || source.code.contains("CSRF_TRUSTED");
        for c in ORIGINS.captures_iter(source).filter(|_| cors) {
            let Some(whole) = c.get(0) else { continue };
            let inner = match c.get(1) {
                Some(open) => crate::source::bracketed(&source.code, open.start()).unwrap_or_default(),
                None => source.code[whole.end()..].lines().next().unwrap_or_default(),
            };
            for origin in QUOTED.captures_iter(inner).map(|c| c[1].to_owned()) {
                if origin == "*" || origin.starts_with("http://") || origin.starts_with("https://") {
                    found.add(SignWord::CorsOrigin, source.place(whole.start()), origin);
                }
            }
        }
        if source.code.contains("SECURE_SSL_REDIRECT") {
            static ON: LazyLock<Regex> = LazyLock::new(|| regex(r"(?m)^\s*SECURE_SSL_REDIRECT\s*=\s*True"));
            static EXEMPT: LazyLock<Regex> =
                LazyLock::new(|| regex(r"SECURE_REDIRECT_EXEMPT|SECURE_PROXY_SSL_HEADER"));
            if let Some(at) = ON.find(&source.code).filter(|_| !EXEMPT.is_match(&source.code)) {
                found.add(SignWord::HealthRedirects, source.place(at.end()), "SECURE_SSL_REDIRECT");
            }
        }
    }
    // Checkers ask by address or by a name of their own; a list of public names refuses them.
    if found.has(SignWord::AllowedHost) && read.deploys.iter().any(|d| d.config.health_path.is_some()) {
        let all: Vec<String> = read
            .sources
            .iter()
            .flat_map(|s| {
                HOSTS
                    .captures_iter(s)
                    .filter_map(|c| crate::source::bracketed(&s.code, c.get(1)?.start()))
                    .collect::<Vec<_>>()
            })
            .flat_map(|inner| QUOTED.captures_iter(inner).map(|c| c[1].to_owned()).collect::<Vec<_>>())
            .collect();
        let any = all
            .iter()
            .any(|h| h == "*" || h.starts_with("10.") || h.starts_with("healthcheck.") || h.contains('/'));
        if !any {
            found.add(
                SignWord::HealthHost,
                "",
                format!("the allow-list has {} names and no entry for a health check", all.len()),
            );
        }
    }
}

/// Databases and uploads in the application's folder, and defaults that point at this machine.
fn data(read: &Read<'_>, found: &mut Found) {
    static SQLITE: LazyLock<Pattern> = LazyLock::new(|| {
        Pattern::new(words!["sqlite", ".db", "Database"], r#"sqlite(?:\+\w+)?:///(?!/|:memory:)|sqlite3\.connect\(\s*["'][^:"'/]|django\.db\.backends\.sqlite3|["']\./?[\w/-]+\.(?:sqlite3?|db)["']|new\s+(?:sqlite3\.)?Database\(\s*["'][^:"'/]"#
            .replace("(?!/|:memory:)", "[^/:]").as_str())
    });
    static UPLOADS: LazyLock<Pattern> = LazyLock::new(|| {
        Pattern::new(
            words!["UPLOAD_FOLDER", "MEDIA_ROOT", "UPLOAD_DIR", "uploadDir", "destination", "multer"],
            r#"\b(?:UPLOAD_FOLDER|MEDIA_ROOT|UPLOAD_DIR|uploadDir|destination)\b["']?\]?\s*[=:]\s*[^\n]*["'](?:\./)?(?:static/)?(?:uploads?|media|files|images|data)\b|multer\(\s*\{\s*dest\s*:\s*["'][^/"']"#,
        )
    });
    static LOCAL_DB: LazyLock<Pattern> = LazyLock::new(|| {
        Pattern::new(
            words!["localhost", "127.0.0.1"],
            r#"["'](?:postgres(?:ql)?|mysql|redis|mongodb|amqp|mariadb)(?:\+\w+)?(?:\+srv)?://[^"'\n]*?(?:localhost|127\.0\.0\.1)[^"'\n]*["']"#,
        )
    });
    static NAME: LazyLock<Regex> =
        LazyLock::new(|| regex(r#"["']([A-Z][A-Z0-9_]{2,})["']|\benv\.([A-Z][A-Z0-9_]{2,})"#));
    // Pydantic's settings are read from the variable of the field's name (docs.pydantic.dev, Settings Management).
    static FIELD: LazyLock<Regex> =
        LazyLock::new(|| regex(r"^[ \t]+(\w{3,})[ \t]*:[ \t]*(?:str|\w*Dsn|AnyUrl)\b[^=\n]*="));
    let sets: BTreeSet<String> = super::deploys::production(read)
        .into_iter()
        .flat_map(|deploy| &deploy.config.sets)
        .map(|name| name.to_ascii_uppercase())
        .collect();
    for source in read.sources {
        if let Some(at) = SQLITE.find(source) {
            found.add(SignWord::DataInFolder, source.place(at.start()), format!("SQLite in {}", source.path));
        }
        if let Some(at) = UPLOADS.find(source) {
            found.add(
                SignWord::DataInFolder,
                source.place(at.start()),
                format!("uploads in {}", source.path),
            );
        }
        for at in LOCAL_DB.find_iter(source) {
            let from = source.code[..at.start()].rfind('\n').map_or(0, |n| n + 1);
            let line = &source.code[from..at.start()];
            let name = NAME
                .captures_iter(line)
                .last()
                .and_then(|c| c.get(1).or(c.get(2)).map(|m| m.as_str().to_owned()))
                .or_else(|| Some(FIELD.captures(line)?[1].to_ascii_uppercase()));
            // The value may hold a password; the name of the variable, or the scheme, is all that is kept.
            let scheme =
                at.as_str().trim_matches(['"', '\'']).split("://").next().unwrap_or_default().to_owned();
            // A default that production's own configuration takes the place of is for a developer's machine.
            if name.as_ref().is_some_and(|name| sets.contains(&name.to_ascii_uppercase())) {
                continue;
            }
            let detail = name.unwrap_or(format!("a literal {scheme} address"));
            found.add(SignWord::DatabaseUrlLocal, source.place(at.start()), detail);
        }
    }
}

/// Health handlers that ask the database.
fn health(read: &Read<'_>, found: &mut Found) {
    static DATABASE: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?i)\b(?:session|db|database|conn(?:ection)?|cursor|engine|pool|prisma|knex|sequelize|mongoose|redis|client)\b[\w.()]*\.(?:execute|query|connect|ping|fetch\w*|raw|\$queryRaw|authenticate|command|get_connection|scalar\w*)\b|SELECT 1|\$queryRaw",
        )
    });
    for route in &read.snapshot.routes {
        let word = route.path.split('/').any(|p| {
            matches!(
                p,
                "health"
                    | "healthz"
                    | "livez"
                    | "readyz"
                    | "ready"
                    | "status"
                    | "ping"
                    | "up"
                    | "alive"
                    | "_health"
            )
        });
        if !word {
            continue;
        }
        let Some((file, line)) = route.place.rsplit_once(':') else { continue };
        let Some(source) = read.sources.iter().find(|s| s.path == file) else { continue };
        let Ok(line) = line.parse::<usize>() else { continue };
        let body: String =
            source.code.lines().skip(line.saturating_sub(1)).take(40).collect::<Vec<_>>().join("\n");
        let end = handler_end(&body, source.language);
        let body: String = body[..end].chars().take(MAX_HANDLER).collect();
        if DATABASE.is_match(&body) {
            found.add(SignWord::HealthTouchesDatabase, route.place.as_str(), route.path.clone());
        }
    }
}

/// Where a handler ends: before the next definition at the same depth.
fn handler_end(body: &str, language: Language) -> usize {
    static PYTHON: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?m)^(?:@|def |async def |class |if __name__)"));
    static SCRIPT: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?m)^(?:\}\)|\w+\.(?:get|post|put|delete|use|all|listen)\()"));
    let pattern = if language == Language::Python { &*PYTHON } else { &*SCRIPT };
    let mut seen_handler = language != Language::Python;
    for m in pattern.find_iter(body) {
        if m.start() == 0 {
            continue;
        }
        if language == Language::Python && !seen_handler {
            // Decorators and the definition itself come first.
            seen_handler = m.as_str().contains("def");
            continue;
        }
        return m.start();
    }
    body.len()
}

/// Lines below a condition that are looked at for a registration.
const MAX_BRANCH: usize = 30;

/// Routes that are registered only under a setting, or only when an import works.
fn conditional(read: &Read<'_>, found: &mut Found) {
    static SETTING: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r#"^\s*(?:\}\s*else\s+)?(?:el)?if\b.*(?:environ|getenv|process\.env|ENV|settings|config|flags?|features?)(?:\.(?:get|fetch|bool|has|enabled|is_enabled))?\W{0,2}[.(\[]\s*["']?(?P<name>[A-Za-z_]\w+)"#,
        )
    });
    static TRY: LazyLock<Regex> = LazyLock::new(|| regex(r"^\s*try\s*[:{]\s*$"));
    static REGISTERS: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r#"\b(?:register_blueprint|include_router|add_url_rule|add_api_route|add_route|add_namespace|add_resource)\s*\(|^\s*@\w+\.(?:route|get|post|put|patch|delete)\(|\b(?:app|router|server|api|fastify)\.(?:use|route|get|post|put|register)\(\s*(?:['"]/|\w+[Rr]out|require\()|\burlpatterns\s*\+="#,
        )
    });
    // What is for developers alone is no feature of production.
    static DEVELOPERS: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?i)debug|node_env|flask_env|rails_env|app_env|^env(?:ironment)?$|development|testing|^mode$|docs?$|swagger|profil",
        )
    });
    static SWALLOWS: LazyLock<Regex> = LazyLock::new(|| regex(r"^\s*(?:except\b|\}\s*catch\b)"));
    // What each line's pattern needs somewhere in the file.
    let registers = words![
        "register_blueprint",
        "include_router",
        "add_url_rule",
        "add_api_route",
        "add_route",
        "add_namespace",
        "add_resource",
        ".route",
        ".get",
        ".post",
        ".put",
        ".patch",
        ".delete",
        ".use",
        ".register",
        "urlpatterns",
    ];
    let condition = words!["env", "settings", "config", "flag", "feature", "try"];
    for source in read.sources.iter().filter(|s| s.says(registers) && s.says(condition)) {
        let lines: Vec<&str> = source.code.lines().collect();
        let indent = |line: &str| line.len() - line.trim_start().len();
        for (at, line) in lines.iter().enumerate() {
            let setting = SETTING.captures(line).map(|found| found["name"].to_owned());
            if setting.as_ref().is_some_and(|name| DEVELOPERS.is_match(name))
                || setting.is_none() && !TRY.is_match(line)
            {
                continue;
            }
            let depth = indent(line);
            let branch = |line: &&&str| line.trim().is_empty() || indent(line) > depth;
            let below: Vec<&&str> = lines[at + 1..].iter().take(MAX_BRANCH).take_while(branch).collect();
            let Some(registers) = below.iter().position(|line| REGISTERS.is_match(line)) else { continue };
            let detail = match setting {
                Some(name) => format!("what is registered there depends on the setting {name}"),
                None => {
                    let after = lines.get(at + 1 + below.len()).copied().unwrap_or_default();
                    let imports =
                        below.iter().any(|line| line.contains("import") || line.contains("require("));
                    if !imports || !SWALLOWS.is_match(after) {
                        continue;
                    }
                    "what is registered there is left out when an import fails".to_owned()
                }
            };
            found.add(SignWord::ConditionalRoute, format!("{}:{}", source.path, at + 2 + registers), detail);
        }
    }
}

/// Synchronous workers for an application that is not.
fn workers(read: &Read<'_>, found: &mut Found) {
    static ASYNC_APP: LazyLock<Pattern> = LazyLock::new(|| {
        Pattern::new(
            words![
                "FastAPI",
                "Starlette",
                "Quart",
                "Sanic",
                "Litestar",
                "get_asgi_application",
                "ProtocolTypeRouter"
            ],
            r"\b(?:FastAPI|Starlette|Quart|Sanic|Litestar)\s*\(|\bget_asgi_application\s*\(|\bProtocolTypeRouter\s*\(",
        )
    });
    static SOCKETS: LazyLock<Pattern> = LazyLock::new(|| {
        Pattern::new(
            words!["SocketIO", "flask_sock", "Sock(", "Sock", ".websocket"],
            r"\bSocketIO\s*\(|\bflask_sock\b|\bSock\s*\(\s*app|@\w+\.websocket\s*\(",
        )
    });
    for deploy in read.deploys {
        let Some(start) = deploy.config.start.as_ref().filter(|s| s.server.as_deref() == Some("gunicorn"))
        else {
            continue;
        };
        let class = start
            .settings
            .iter()
            .find(|s| s.name == "worker_class")
            .and_then(|s| s.value.clone())
            .unwrap_or_default();
        if class.contains("uvicorn")
            || class.contains("gevent")
            || class.contains("eventlet")
            || class.contains("asgi")
        {
            continue;
        }
        let module = deploy
            .target
            .as_deref()
            .and_then(|t| t.split(':').next())
            .and_then(|m| crate::entry::module_file(read.tree, m));
        for source in read.sources.iter().filter(|s| s.language == Language::Python) {
            let served = module.as_deref().is_none_or(|m| m == source.path);
            if let Some(at) = ASYNC_APP.find(source).filter(|_| served).or_else(|| SOCKETS.find(source)) {
                let worker = if class.is_empty() { "sync" } else { &class };
                found.add(
                    SignWord::SyncWorkerForAsync,
                    source.place(at.start()),
                    format!("{} starts {worker} workers", deploy.config.file),
                );
            }
        }
    }
}

/// Migrations, and whether a deploy runs them.
fn migrations(read: &Read<'_>, plans: &[Plan], found: &mut Found) {
    static RUNS: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"manage\.py\s+migrate|alembic\s+upgrade|flask\s+(?:--\S+\s+\S+\s+)*db\s+upgrade|prisma\s+(?:migrate\s+deploy|db\s+push)|knex\s+migrate:latest|sequelize\s+db:migrate|rails\s+db:(?:migrate|prepare)|rake\s+db:migrate|typeorm\s+migration:run|drizzle-kit\s+(?:push|migrate)|goose\b.*\bup|migrate\s+.*\bup|diesel\s+migration\s+run|sqlx\s+migrate\s+run|aerich\s+upgrade",
        )
    });
    let tree = read.tree;
    let folder = tree.files.iter().find(|f| {
        let path = f.path.as_str();
        (path.contains("migrations/")
            || path.starts_with("migrations/")
            || path.contains("alembic/versions/")
            || path.starts_with("prisma/migrations/")
            || path.starts_with("db/migrate/"))
            && file_name(path) != "__init__.py"
            && !f.ignored
            && [".py", ".sql", ".js", ".ts", ".rb"].iter().any(|e| path.ends_with(e))
    });
    let Some(first) = folder else { return };
    let mut lines: Vec<(String, String)> = Vec::new();
    for plan in plans {
        for said in [&plan.release, &plan.start, &plan.build].into_iter().flatten() {
            lines.push((said.text.clone(), said.place.clone()));
        }
    }
    for deploy in read.deploys {
        lines.extend(deploy.config.start.iter().map(|s| (s.raw.clone(), deploy.config.file.clone())));
    }
    lines.extend(
        super::images::entry_points(tree)
            .into_iter()
            .chain(super::images::runs(tree))
            .map(|l| (l, "Dockerfile".to_owned())),
    );
    for file in tree
        .files
        .iter()
        .filter(|f| {
            !f.ignored
                && (f.path.ends_with(".sh")
                    || matches!(file_name(&f.path), "Makefile" | "package.json" | "justfile"))
        })
        .take(50)
    {
        lines.extend(text(tree, &file.path).map(|t| (t, file.path.clone())));
    }
    let mut runs = lines.iter().find(|(line, _)| RUNS.is_match(line)).map(|(_, at)| at.clone());
    if runs.is_none() {
        // Some applications migrate when they start.
        static IN_CODE: LazyLock<Pattern> = LazyLock::new(|| {
            Pattern::new(
                words!["upgrade", "call_command", "migrate"],
                r#"command\.upgrade\(|call_command\(\s*["']migrate|\bupgrade\(\s*\)|migrate\.latest\("#,
            )
        });
        runs = read.sources.iter().find_map(|s| Some(s.place(IN_CODE.find(s)?.start())));
    }
    match runs {
        Some(at) => found.add(SignWord::MigrationsRun, at, first.path.clone()),
        None if !read.deploys.is_empty() => {
            found.add(SignWord::MigrationsNotRun, first.path.as_str(), first.path.clone())
        }
        None => {}
    }
}

/// Services that tests connect to.
fn services(tree: &Tree, found: &mut Found) {
    static SERVICES: LazyLock<Vec<(&'static str, Regex)>> = LazyLock::new(|| {
        vec![
            (
                "PostgreSQL",
                regex(
                    r"psycopg2?\.connect\(|asyncpg\.connect\(|postgres(?:ql)?(?:\+\w+)?://|new\s+(?:pg\.)?(?:Pool|Client)\(",
                ),
            ),
            ("MySQL", regex(r"pymysql\.connect\(|mysql(?:\+\w+)?://|mysql2?\.createConnection\(")),
            ("Redis", regex(r"redis\.(?:Redis|StrictRedis|from_url)\(|redis://|createClient\(")),
            ("MongoDB", regex(r"MongoClient\(|mongodb(?:\+srv)?://")),
            ("RabbitMQ", regex(r"pika\.\w+Connection\(|amqp://")),
            ("a container", regex(r"testcontainers|docker\.from_env\(")),
            (
                "a network port",
                regex(
                    r"socket\.create_connection\(|requests\.get\(\s*f?[\x22']https?://|fetch\(\s*[\x22'`]https?://(?:localhost|127\.0\.0\.1)",
                ),
            ),
        ]
    });
    for file in tree
        .files
        .iter()
        .filter(|f| !f.ignored && is_test(&f.path) && Language::of(&f.path).is_some())
        .take(MAX_TESTS)
    {
        let Some(code) = text(tree, &file.path) else { continue };
        for (what, pattern) in SERVICES.iter() {
            if let Some(at) = pattern.find(&code) {
                found.add(
                    SignWord::TestsNeedService,
                    place(&file.path, &code, at.start()),
                    (*what).to_owned(),
                );
            }
        }
    }
}

/// Names that shells, login, CI services and build tools set by themselves (POSIX.1, chapter 8; docs.npmjs.com, "scripts";
/// vite.dev/guide/env-and-mode). What platforms set stands in catalogue/project/platform-variables.toml.
const GIVEN: &[&str] = &[
    "PORT",
    "HOME",
    "PATH",
    "USER",
    "PWD",
    "HOSTNAME",
    "TMPDIR",
    "TZ",
    "LANG",
    "CI",
    "NODE_ENV",
    "DEBUG",
    "SHELL",
    "TERM",
    "PYTHONPATH",
    "MODE",
    "DEV",
    "PROD",
    "BASE_URL",
    "SSR",
];

/// The example file against what the code reads.
fn drift(read: &Read<'_>, found: &mut Found) {
    let settings = &read.snapshot.settings;
    let Some(file) = settings.declared_in.as_deref() else { return };
    let declared: BTreeSet<&str> = settings.declared.iter().map(String::as_str).collect();
    let names: BTreeSet<&str> = settings.read.iter().map(|r| r.name.as_str()).collect();
    for setting in &settings.read {
        let name = setting.name.as_str();
        let given = GIVEN.contains(&name) || settings.is_provided(name) || setting.has_default;
        if !declared.contains(setting.name.as_str()) && !given {
            found.add(SignWord::EnvNotDeclared, setting.place.as_str(), setting.name.clone());
        }
    }
    let used_elsewhere: String = [
        "Dockerfile",
        "Procfile",
        "compose.yaml",
        "docker-compose.yml",
        "fly.toml",
        ".replit",
        "gunicorn.conf.py",
        "Makefile",
        "package.json",
    ]
    .iter()
    .filter_map(|f| text(read.tree, f))
    .collect();
    let unread: Vec<&str> = declared
        .iter()
        .filter(|n| !names.contains(**n) && !GIVEN.contains(*n) && !used_elsewhere.contains(**n))
        .copied()
        .collect();
    let mentioned = mentioned(&unread, read.sources);
    for name in unread.iter().filter(|name| !mentioned.contains(**name)) {
        found.add(SignWord::EnvNotRead, file, (*name).to_owned());
    }
}

/// Which of the names stand anywhere in the code: all of them are looked for at once.
fn mentioned<'n>(names: &[&'n str], sources: &[Source]) -> BTreeSet<&'n str> {
    let mut seen = BTreeSet::new();
    // Without an automaton nothing may be called unread.
    let Ok(automaton) = aho_corasick::AhoCorasick::new(names) else { return names.iter().copied().collect() };
    if names.is_empty() {
        return seen;
    }
    for source in sources {
        seen.extend(automaton.find_overlapping_iter(&source.code).map(|hit| names[hit.pattern().as_usize()]));
        if seen.len() == names.len() {
            break;
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::super::tests::{has, lacks, signs};

    #[test]
    fn a_default_that_production_replaces_is_no_sign() {
        let settings = (
            "app/settings.py",
            "class Settings(BaseSettings):\n    database_url: str = \"postgresql://a:b@localhost:5432/a\"\n",
        );
        let fly =
            |env: &str| format!("app = 'a'\n[env]\n  {env} = 'x'\n[http_service]\n  internal_port = 80\n");
        has(&[settings, ("fly.toml", &fly("OTHER"))], "database-url-local DATABASE_URL");
        lacks(&[settings, ("fly.toml", &fly("DATABASE_URL"))], "database-url-local");
    }

    #[test]
    fn addresses_in_client_code() {
        has(
            &[("src/api.js", "document.title = 'x'\nfetch('http://localhost:5000/api')\n")],
            "client-local-url http://localhost:5000",
        );
        lacks(
            &[("src/api.js", "const base = import.meta.env.VITE_API || 'http://localhost:5000'\n")],
            "client-local-url",
        );
        lacks(
            &[("server.js", "app.listen(3000, () => console.log('http://localhost:3000'))\n")],
            "client-local-url",
        );
    }

    #[test]
    fn variables_of_the_build() {
        let code = ("src/api.js", "export const base = import.meta.env.VITE_API_URL\n");
        has(&[code], "build-env-unset VITE_API_URL");
        has(
            &[code, ("netlify.toml", "[build.environment]\nVITE_API_URL = 'https://x.test'\n")],
            "build-env-declared VITE_API_URL",
        );
        has(&[code, (".env.production", "VITE_API_URL=https://x.test\n")], "build-env-declared VITE_API_URL");
    }

    #[test]
    fn hosts_and_origins() {
        has(
            &[("s/settings.py", "ALLOWED_HOSTS = ['a.example.test', \"b\"]\n")],
            "allowed-host a.example.test",
        );
        has(
            &[("app.py", "from flask_cors import CORS\nCORS(app, origins=[\"https://a.test\"])\n")],
            "cors-origin https://a.test",
        );
        has(
            &[("server.js", "app.use(cors({ origin: 'http://localhost:3000' }))\n")],
            "cors-origin http://localhost:3000",
        );
    }

    #[test]
    fn data_and_databases() {
        has(&[("app.py", "URL = 'sqlite:///app.db'\n")], "data-in-folder SQLite in app.py");
        let found = signs(&[(
            "app.py",
            "import os\nURL = os.environ.get('DATABASE_URL', 'postgres://u:hunter2@localhost/db')\n",
        )]);
        assert!(found.iter().any(|s| s.starts_with("database-url-local DATABASE_URL")), "{found:?}");
        assert!(found.iter().all(|s| !s.contains("hunter2")), "{found:?}");
    }

    #[test]
    fn health_handlers() {
        let app = "from flask import Flask\napp = Flask(__name__)\n@app.get('/health')\ndef h():\n    BODY\n@app.get('/x')\ndef x():\n    db.session.execute('SELECT 1')\n";
        has(
            &[("app.py", &app.replace("BODY", "db.session.execute('SELECT 1'); return 'ok'"))],
            "health-touches-database /health",
        );
        lacks(&[("app.py", &app.replace("BODY", "return 'ok'"))], "health-touches-database");
    }

    #[test]
    fn routes_under_a_condition() {
        let setting = "conditional-route what is registered there depends on the setting";
        let flask = "app = Flask(__name__)\nif os.environ.get(\"FEATURE_HONEY\") == \"1\":\n    from honey import honey\n\n    app.register_blueprint(honey)\n";
        has(&[("app.py", flask)], &format!("{setting} FEATURE_HONEY @app.py:5"));
        let router = "if settings.REPORTS_ENABLED:\n    app.include_router(reports.router)\n";
        has(&[("main.py", router)], &format!("{setting} REPORTS_ENABLED @main.py:2"));
        let flag = "if config.get('SHOP'):\n    app.register_blueprint(shop)\n";
        has(&[("app.py", flag)], &format!("{setting} SHOP @app.py:2"));
        let express = "if (process.env.BILLING === 'on') {\n  app.use('/billing', billing)\n}\n";
        has(&[("server.js", express)], &format!("{setting} BILLING @server.js:2"));
        let import = "try:\n    from plugins import shop\n    app.register_blueprint(shop.bp)\nexcept ImportError:\n    pass\n";
        has(
            &[("app.py", import)],
            "conditional-route what is registered there is left out when an import fails",
        );
        for (file, code) in [
            ("app.py", "if os.environ.get('FLASK_DEBUG'):\n    app.register_blueprint(dev)\n"),
            (
                "app.py",
                "if os.environ.get('SENTRY_DSN'):\n    sentry_sdk.init()\napp.register_blueprint(a)\n",
            ),
            ("server.js", "if (process.env.NODE_ENV !== 'production') {\n  app.use('/docs', docs)\n}\n"),
            (
                "app.py",
                "try:\n    import uvloop\nexcept ImportError:\n    pass\n\n@app.get('/')\ndef a():\n    return ''\n",
            ),
        ] {
            lacks(&[(file, code)], "conditional-route");
        }
    }

    #[test]
    fn workers_and_migrations() {
        let app = ("main.py", "from fastapi import FastAPI\napp = FastAPI()\n");
        has(
            &[app, ("Procfile", "web: gunicorn main:app\n")],
            "sync-worker-for-async Procfile starts sync workers",
        );
        lacks(
            &[app, ("Procfile", "web: gunicorn -k uvicorn.workers.UvicornWorker main:app\n")],
            "sync-worker-for-async",
        );
        let migration = ("migrations/versions/a.py", "x = 1\n");
        has(&[migration, ("Procfile", "web: gunicorn main:app\n")], "migrations-not-run");
        has(
            &[migration, ("Procfile", "release: flask db upgrade\nweb: gunicorn main:app\n")],
            "migrations-run",
        );
    }

    #[test]
    fn tests_and_the_example_file() {
        has(&[("tests/test_a.py", "c = psycopg2.connect('x')\n")], "tests-need-service PostgreSQL");
        let code = ("app.py", "import os\na = os.environ['A_KEY']\nb = os.environ.get('B_KEY', '1')\n");
        has(&[code, (".env.example", "OLD=\n")], "env-not-declared A_KEY");
        has(&[code, (".env.example", "OLD=\n")], "env-not-read OLD");
        lacks(&[code], "env-not-declared");
    }
}
