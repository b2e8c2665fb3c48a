//! Proxies, edges and tunnels that the project configures: nginx, HAProxy and Caddy files, redirect rules of static hosts,
//! worker routes, tunnels, and limiters that look at the wrong address.

use std::sync::LazyLock;

use landfall_evidence::SignWord;
use regex::Regex;

use super::{Found, Read, any_file, place, regex};
use crate::tree::file_name;
use crate::words::{Pattern, words};

/// Rules of one file that are named.
const MAX_RULES: usize = 8;

pub(super) fn read(read: &Read<'_>, found: &mut Found) {
    for file in &read.tree.files {
        let path = file.path.as_str();
        let name = file_name(path);
        let lower = name.to_ascii_lowercase();
        let reader: fn(&str, &str, &mut Found) = match lower.as_str() {
            "haproxy.cfg" => haproxy,
            "caddyfile" => caddy,
            "_redirects" => redirects,
            "vercel.json" => vercel,
            "netlify.toml" => netlify,
            "wrangler.toml" | "wrangler.json" | "wrangler.jsonc" => wrangler,
            "config.yml" | "config.yaml" | "cloudflared.yml" | "cloudflared.yaml" => tunnel,
            _ if lower.ends_with(".conf") || lower.ends_with(".nginx") || path.contains("nginx/") => nginx,
            _ => continue,
        };
        if let Some(Ok(text)) = read.tree.text(path) {
            reader(path, &text, found);
        }
    }
    limiter(read, found);
    limiter_in_memory(read, found);
    upgrades(read, found);
}

/// A file's text without its comments, offsets kept.
pub(super) fn without_comments(text: &str) -> String {
    static COMMENT: LazyLock<Regex> = LazyLock::new(|| regex(r"(?m)(^|\s)#[^\n]*"));
    COMMENT.replace_all(text, |found: &regex::Captures<'_>| " ".repeat(found[0].len())).into_owned()
}

/// nginx: what its proxied locations pass on (ngx_http_proxy_module). Where a file sets a header anywhere, it is taken to
/// be set everywhere.
fn nginx(file: &str, text: &str, found: &mut Found) {
    static PASS: LazyLock<Regex> =
        LazyLock::new(|| regex(r"\bproxy_pass\s+(https?)://(\[[^\]]*\]|[^\s;/:]+)(?::\d+)?"));
    static HOST: LazyLock<Regex> =
        LazyLock::new(|| regex(r#"\bproxy_set_header\s+Host\s+"?([^\s;"]+)"?\s*;"#));
    static NAME: LazyLock<Regex> = LazyLock::new(|| regex(r"\bserver_name\s+([^;]+);"));
    static ERRORS: LazyLock<Regex> =
        LazyLock::new(|| regex(r"\bproxy_cache_valid\s+[^;]*\b(?:any|40[0-9]|410|50[0-9])\b[^;]*;"));
    static BLOCKS: LazyLock<Regex> =
        LazyLock::new(|| regex(r"\b(?:deny\s+([^;\s]+)\s*;|if\s*\(\s*\$http_user_agent[^)]*\))"));
    let text = without_comments(text);
    let Some(pass) = PASS.captures(&text) else { return apache(file, &text, found) };
    let at = |offset: usize| place(file, &text, offset);
    let passed = pass.get(0).map_or(0, |m| m.start());
    match HOST.captures(&text) {
        None => found.add(
            SignWord::ProxyHostNotForwarded,
            at(passed),
            "no proxy_set_header Host: nginx sends the upstream's name",
        ),
        Some(set) if !passes_host(&set[1]) => {
            let offset = set.get(0).map_or(0, |m| m.start());
            found.add(SignWord::ProxyHostNotForwarded, at(offset), format!("Host is set to {}", &set[1]));
        }
        Some(_) => {}
    }
    if !text.contains("$http_upgrade") {
        found.add(SignWord::ProxyNoUpgrade, at(passed), "no proxy_set_header Upgrade");
    }
    let names: Vec<&str> = NAME
        .captures_iter(&text)
        .filter_map(|c| c.get(1))
        .flat_map(|m| m.as_str().split_whitespace())
        .collect();
    for pass in PASS.captures_iter(&text).take(MAX_RULES) {
        let offset = pass.get(0).map_or(0, |m| m.start());
        if &pass[1] == "https" {
            found.add(SignWord::ProxyTlsOrigin, at(offset), format!("{}://{}", &pass[1], &pass[2]));
        }
        if names.contains(&&pass[2]) {
            found.add(SignWord::ProxyToItself, at(offset), &pass[2]);
        }
    }
    if let Some(offset) = regex(r"\bproxy_ssl_verify\s+on\s*;").find(&text) {
        found.add(SignWord::ProxyVerifiesOrigin, at(offset.start()), "proxy_ssl_verify on");
    }
    if let Some(limit) = regex(r"\blimit_(?:req|conn)\s").find(&text)
        && !text.contains("limit_req_status")
        && !text.contains("limit_conn_status")
    {
        found.add(SignWord::ProxyLimit503, at(limit.start()), "limit_req without limit_req_status");
    }
    if let Some(rule) = ERRORS.find(&text) {
        found.add(SignWord::ProxyCachesErrors, at(rule.start()), rule.as_str());
    }
    if let Some(rule) = BLOCKS.find(&text) {
        found.add(SignWord::ProxyBlocks, at(rule.start()), rule.as_str());
    }
}

/// Apache httpd, which names its site files `.conf` as well (mod_proxy's directive ProxyPreserveHost, Off unless it is said). What is
/// on this machine is rarely chosen by name.
fn apache(file: &str, text: &str, found: &mut Found) {
    static PASS: LazyLock<Regex> = LazyLock::new(|| {
        regex(r#"(?mi)^[ \t]*ProxyPass(?:Match)?[ \t]+\S+[ \t]+"?https?://(\[[^\]]*\]|[^\s"/:]+)"#)
    });
    static HOST: LazyLock<Regex> = LazyLock::new(|| {
        regex(r"(?mi)^[ \t]*(?:ProxyPreserveHost[ \t]+On\b|RequestHeader[ \t]+set[ \t]+Host\b)")
    });
    let elsewhere =
        PASS.captures_iter(text).find(|pass| !matches!(&pass[1], "127.0.0.1" | "localhost" | "[::1]"));
    if let Some(pass) = elsewhere.filter(|_| !HOST.is_match(text)) {
        let offset = pass.get(0).map_or(0, |m| m.start());
        let why = "no ProxyPreserveHost On: Apache sends the upstream's name";
        found.add(SignWord::ProxyHostNotForwarded, place(file, text, offset), why);
    }
}

/// HAProxy (its configuration manual, sections 4.2 and 5.2).
fn haproxy(file: &str, text: &str, found: &mut Found) {
    let text = without_comments(text);
    let rules = [
        (SignWord::ProxyHostNotForwarded, r"(?i)http-request\s+set-header\s+host\s+\S+"),
        (SignWord::ProxyVerifiesOrigin, r"\bserver\s+[^\n]*\bssl\b[^\n]*\bverify\s+required"),
        (SignWord::ProxyTlsOrigin, r"\bserver\s+[^\n]*\bssl\b"),
        (SignWord::ProxyBlocks, r"http-request\s+(?:deny|reject)\b[^\n]*"),
    ];
    add_first(file, &text, &rules, found);
}

/// Caddy (its documentation of reverse_proxy, rewrite and redir).
fn caddy(file: &str, text: &str, found: &mut Found) {
    let text = without_comments(text);
    let rules = [
        (
            SignWord::ProxyHostNotForwarded,
            r"(?m)\bheader_up\s+Host\s+(?:[^{\s]\S*|\{(?:upstream_hostport|http\.reverse_proxy\.upstream\.hostport)\})",
        ),
        (SignWord::EdgeRewrite, r"(?m)^\s*(?:rewrite|redir|uri)\s+[^\n]+"),
        (SignWord::ProxyTlsOrigin, r"reverse_proxy\s+[^\n]*https://\S+"),
    ];
    add_first(file, &text, &rules, found);
}

fn add_first(file: &str, text: &str, rules: &[(SignWord, &str)], found: &mut Found) {
    for (word, pattern) in rules {
        for rule in regex(pattern).find_iter(text).take(MAX_RULES) {
            found.add(*word, place(file, text, rule.start()), rule.as_str().trim());
        }
    }
}

/// The file `_redirects` of static hosts: source, target, status.
fn redirects(file: &str, text: &str, found: &mut Found) {
    for (n, line) in text.lines().enumerate().filter(|(_, l)| l.trim_start().starts_with('/')).take(MAX_RULES)
    {
        let rule: Vec<&str> = line.split_whitespace().take(3).collect();
        found.add(SignWord::EdgeRewrite, format!("{file}:{}", n + 1), rule.join(" "));
    }
}

/// Rewrites and redirects of Vercel.
fn vercel(file: &str, text: &str, found: &mut Found) {
    let Ok(root) = serde_json::from_str::<serde_json::Value>(text) else { return };
    for table in ["rewrites", "redirects", "routes"] {
        let rules = root.get(table).and_then(serde_json::Value::as_array).into_iter().flatten();
        for rule in rules.take(MAX_RULES) {
            let field = |name: &str| rule.get(name).and_then(serde_json::Value::as_str);
            if let Some(source) = field("source").or_else(|| field("src")) {
                let to = field("destination").or_else(|| field("dest")).unwrap_or_default();
                found.add(SignWord::EdgeRewrite, file, format!("{source} {to}"));
            }
        }
    }
}

/// Redirects of Netlify.
fn netlify(file: &str, text: &str, found: &mut Found) {
    let Ok(root) = text.parse::<toml::Table>() else { return };
    for rule in root.get("redirects").and_then(toml::Value::as_array).into_iter().flatten().take(MAX_RULES) {
        let field = |name: &str| rule.get(name).and_then(toml::Value::as_str).unwrap_or_default();
        found.add(SignWord::EdgeRewrite, file, format!("{} {}", field("from"), field("to")));
    }
}

/// Routes of a Cloudflare worker.
fn wrangler(file: &str, text: &str, found: &mut Found) {
    static PATTERN: LazyLock<Regex> =
        LazyLock::new(|| regex(r#"(?:\broute\s*=\s*|"?pattern"?\s*[=:]\s*)"([^"]+)""#));
    for rule in PATTERN.captures_iter(text).take(MAX_RULES) {
        let offset = rule.get(0).map_or(0, |m| m.start());
        found.add(SignWord::EdgeWorkerRoute, place(file, text, offset), &rule[1]);
    }
}

/// The configuration of a tunnel's connector: it names a tunnel and what lies behind it.
fn tunnel(file: &str, text: &str, found: &mut Found) {
    let key = |name: &str| text.lines().position(|line| line.starts_with(name));
    if let (Some(line), true) =
        (key("tunnel:"), key("ingress:").is_some() || key("credentials-file:").is_some())
    {
        let service = regex(r"service:\s*(\S+)").captures(text).map(|c| c[1].to_owned()).unwrap_or_default();
        found.add(SignWord::TunnelConfig, format!("{file}:{}", line + 1), service);
    }
}

/// Whether a value of `Host` is what the client asked for, with its port or without. `$hostname` is the machine's own name.
fn passes_host(value: &str) -> bool {
    let value = value.trim_matches(['"', '\'']);
    let name = value.split_once(':').map_or(value, |(name, _)| name);
    matches!(name, "$host" | "$http_host" | "$server_name")
}

/// A limiter that counts by the address of the connection although the code never says which proxies it trusts.
fn limiter(read: &Read<'_>, found: &mut Found) {
    static LIMITER: LazyLock<Pattern> = LazyLock::new(|| {
        Pattern::new(
            words![
                "limit",
                "throttle",
                "remote_addr",
                "remoteAddr",
                "remote_ip",
                "remoteIp",
                "get_remote_address"
            ],
            concat!(
                r"express-rate-limit|rate-limiter-flexible|flask_limiter|get_remote_address|request\.remote_addr",
                r"|req\.socket\.remoteAddress|@fastify/rate-limit|\bThrottlerGuard\b",
                // django-ratelimit counts by REMOTE_ADDR (its documentation, Keys).
                r#"|\bratelimit\([^)]*key\s*=\s*["']ip["']"#,
                // Rack::Attack counts by req.ip, which Rack takes from behind proxies at private addresses by itself
                // (rack/request.rb, trusted_proxy?), so that it is left out.
                // httprate counts by RemoteAddr in LimitByIP and by headers in LimitByRealIP (its README).
                r"|\bhttprate\.LimitByIP\b|\br(?:eq)?\.RemoteAddr\b|\bgetRemoteAddr\(\)|\bRemoteIpAddress\b",
                r"|\bLimit::per\w+\([^\n]*->by\([^\n]*->ip\(\)|\bconn\.remote_ip\b",
            ),
        )
    });
    static TRUST: LazyLock<Pattern> = LazyLock::new(|| {
        Pattern::new(
            words![
                "trust",
                "Forwarded",
                "ProxyFix",
                "ProxyHeadersMiddleware",
                "remote_ip",
                "remoteIp",
                "RealIP",
                "Real-IP",
                "Connecting-IP"
            ],
            concat!(
                r"(?i)trust(?:ed)?[ _-]?prox(?:y|ies)|ProxyFix|X[-_]Forwarded[-_]For|X-Real-IP|CF-Connecting-IP",
                r"|ProxyHeadersMiddleware|forwarded_allow_ips|\breq(?:uest)?\.remote_ip\b|UseForwardedHeaders",
                r"|ForwardedHeaderFilter|RemoteIpValve|middleware\.RealIP|\bplug\s+RemoteIp\b",
            ),
        )
    });
    let trusts = read.sources.iter().any(|source| TRUST.is_match(source));
    // Uvicorn and Gunicorn are told on the command line whom they believe.
    let told = read.deploys.iter().filter_map(|deploy| deploy.config.start.as_ref());
    if trusts || told.into_iter().any(|start| start.raw.contains("forwarded-allow-ips")) {
        return;
    }
    let limiters = read
        .sources
        .iter()
        .filter(|source| source.says(words!["limit", "too many", "throttle"]))
        .filter_map(|source| Some((source, LIMITER.find(source)?)));
    let mut limiters = limiters.peekable();
    if limiters.peek().is_none() || trusts_by_setting(read) {
        return;
    }
    for (source, limiter) in limiters {
        found.add(SignWord::LimiterWithoutTrust, source.place(limiter.start()), limiter.as_str());
    }
}

/// Whether Uvicorn, ASP.NET or Spring is told by a setting whom to believe.
fn trusts_by_setting(read: &Read<'_>) -> bool {
    static SETTINGS: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"FORWARDED_ALLOW_IPS|ASPNETCORE_FORWARDEDHEADERS_ENABLED|forward-headers-strategy|FORWARD_HEADERS_STRATEGY",
        )
    });
    const FILES: &[&str] =
        &[".yml", ".yaml", ".toml", ".properties", "Dockerfile", ".env.production", ".json", "Procfile"];
    any_file(read.tree, FILES, &SETTINGS)
}

/// Code that serves WebSockets behind a proxy that does not pass their upgrade on.
fn upgrades(read: &Read<'_>, found: &mut Found) {
    static SERVES: LazyLock<Regex> = LazyLock::new(|| {
        regex(concat!(
            r#"new\s+(?:WebSocketServer|WebSocket\.Server)\(|require\(["']socket\.io["']\)|from\s+["']socket\.io["']"#,
            r#"|@WebSocketGateway\(|@fastify/websocket|\bapp\.ws\(|express-ws"#,
            r"|@\w+\.websocket\(|\bAsyncWebsocketConsumer\b|\bWebsocketConsumer\b|flask_socketio|flask_sock\b",
            r"|\bwebsocket\.(?:Upgrader|Accept)\b|\bWebSocketUpgrade\b|\bActionCable\.server\b|(?m:^)\s*socket\s+\x22/",
            r"|@EnableWebSocket\w*|\.UseWebSockets\(|\bMapHub<",
        ))
    });
    if !found.has(SignWord::ProxyNoUpgrade) {
        return;
    }
    let serves = read
        .sources
        .iter()
        .filter(|source| !crate::source::is_test(&source.path))
        .find_map(|source| Some((source, SERVES.find(&source.code)?.start())));
    if let Some((source, at)) = serves {
        let detail = "the code serves WebSockets, and the proxy before it passes no upgrade on";
        found.add(SignWord::UpgradeNotPassed, source.place(at), detail);
    }
}

/// Limiters whose counters no other process sees. Flask-Limiter counts in memory unless `storage_uri` or
/// `RATELIMIT_STORAGE_URI` names a store, express-rate-limit unless it is given a `store` (their documentations, Configuration).
fn limiter_in_memory(read: &Read<'_>, found: &mut Found) {
    static FLASK: LazyLock<Pattern> = LazyLock::new(|| {
        Pattern::new(words!["flask_limiter"], r"\bfrom\s+flask_limiter\s+import\b|\bimport\s+flask_limiter\b")
    });
    static FLASK_STORE: LazyLock<Pattern> = LazyLock::new(|| {
        Pattern::new(words!["storage_uri", "RATELIMIT_STORAGE_UR"], r"storage_uri|RATELIMIT_STORAGE_UR[IL]")
    });
    static EXPRESS: LazyLock<Pattern> = LazyLock::new(|| {
        Pattern::new(words!["express-rate-limit"], r#"(?:require\(|from\s+)['"]express-rate-limit['"]"#)
    });
    static EXPRESS_STORE: LazyLock<Pattern> =
        LazyLock::new(|| Pattern::new(words!["store"], r"\bstore\s*:|\bstore\s*,"));
    for (name, made, stored) in
        [("Flask-Limiter", &FLASK, &FLASK_STORE), ("express-rate-limit", &EXPRESS, &EXPRESS_STORE)]
    {
        let first = read.sources.iter().find_map(|source| Some((source, made.find(source)?.start())));
        // A store that is named anywhere may be this limiter's.
        if let Some((source, at)) = first
            && !read.sources.iter().any(|source| stored.is_match(source))
        {
            found.add(SignWord::LimiterInMemory, source.place(at), name);
        }
    }
}

/// The walk's own view of a folder, for tests.
#[cfg(test)]
fn of(files: &[(&str, &str)]) -> Vec<landfall_evidence::ProjectSign> {
    let (_folder, tree) = crate::tree::tests::tree(files);
    let mut unread = Vec::new();
    let sources = crate::source::load(&tree, &mut unread);
    let snapshot = landfall_evidence::ProjectSnapshot::default();
    let mut found = Found::default();
    read(
        &Read { tree: &tree, sources: &sources, deploys: &[], snapshot: &snapshot, noticed: &[] },
        &mut found,
    );
    found.into_signs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(files: &[(&str, &str)]) -> Vec<String> {
        of(files).iter().map(|sign| format!("{} {}", sign.sign.name(), sign.place)).collect()
    }

    #[test]
    fn websockets_behind_a_proxy_that_passes_no_upgrade_on() {
        let code = ("src/server.js", "const wss = new WebSocketServer({ server, path: '/live' });\n");
        let nginx =
            |more: &str| format!("server {{ location / {{ proxy_pass http://127.0.0.1:3000; {more} }} }}\n");
        let not_passed = |more: &str| {
            words(&[code, ("nginx.conf", &nginx(more))])
                .iter()
                .any(|word| word.starts_with("upgrade-not-passed"))
        };
        assert!(not_passed("proxy_set_header Connection \"\";"));
        assert!(!not_passed("proxy_set_header Upgrade $http_upgrade;"));
        let plain = ("src/server.js", "app.get('/', (req, res) => res.end());\n");
        assert!(
            !words(&[plain, ("nginx.conf", &nginx(""))]).iter().any(|w| w.starts_with("upgrade-not-passed"))
        );
    }

    #[test]
    fn nginx_says_what_it_passes_on() {
        let bare = "server {\n  server_name api.example.test;\n  location / {\n    proxy_pass https://backend:8443;\n    proxy_ssl_verify on;\n  }\n}\n";
        assert_eq!(
            words(&[("deploy/nginx.conf", bare)]),
            [
                "proxy-host-not-forwarded deploy/nginx.conf:4",
                "proxy-no-upgrade deploy/nginx.conf:4",
                "proxy-tls-origin deploy/nginx.conf:4",
                "proxy-verifies-origin deploy/nginx.conf:5",
            ]
        );
        let whole = "server {\n  server_name api.example.test;\n  location / {\n    proxy_pass http://backend;\n    proxy_set_header Host $host;\n    proxy_set_header Upgrade $http_upgrade;\n  }\n}\n";
        assert!(words(&[("nginx.conf", whole)]).is_empty());
        let itself = whole.replace("http://backend", "http://api.example.test");
        assert_eq!(words(&[("nginx.conf", &itself)]), ["proxy-to-itself nginx.conf:4"]);
        let limited = whole.replace(
            "location / {",
            "limit_req zone=a;\n  # limit_req_status 429;\n  proxy_cache_valid any 1m;\n  location / {",
        );
        assert_eq!(
            words(&[("nginx.conf", &limited)]),
            ["proxy-caches-errors nginx.conf:5", "proxy-limit-503 nginx.conf:3"]
        );
        assert!(words(&[("other.conf", "listen 80;")]).is_empty());
    }

    #[test]
    fn apache_sends_the_upstreams_name_unless_told() {
        let site = "<VirtualHost *:443>\n  # ProxyPreserveHost On\n  ProxyPass / http://shop.internal:8000/\n</VirtualHost>\n";
        let of = |text: &str| words(&[("sites-available/shop.conf", text)]);
        assert_eq!(of(site), ["proxy-host-not-forwarded sites-available/shop.conf:3"]);
        assert!(of(&site.replace("# Proxy", "Proxy")).is_empty());
        assert!(of(&site.replace("shop.internal", "127.0.0.1")).is_empty());
    }

    #[test]
    fn rules_of_edges_are_named_with_their_place() {
        let found = of(&[
            ("_redirects", "# all\n/* /index.html 200\n"),
            ("haproxy.cfg", "frontend f\n  http-request set-header Host backend.internal\n"),
            ("Caddyfile", "example.test {\n  rewrite /api/* /index.html\n}\n"),
            ("wrangler.toml", "name = \"w\"\nroute = \"api.example.test/*\"\n"),
            ("cloudflared/config.yml", "tunnel: abc\ningress:\n  - service: http://localhost:8000\n"),
        ]);
        let said: Vec<String> =
            found.iter().map(|s| format!("{} {} {}", s.sign.name(), s.place, s.detail)).collect();
        for want in [
            "edge-rewrite _redirects:2 /* /index.html 200",
            "edge-rewrite Caddyfile:2 rewrite /api/* /index.html",
            "edge-worker-route wrangler.toml:2 api.example.test/*",
            "proxy-host-not-forwarded haproxy.cfg:2",
            "tunnel-config cloudflared/config.yml:1 http://localhost:8000",
        ] {
            assert!(said.iter().any(|line| line.starts_with(want)), "{want}: {said:?}");
        }
    }

    #[test]
    fn a_limiter_is_a_sign_only_where_no_proxy_is_trusted() {
        let app = "const limit = require('express-rate-limit');\napp.use(limit({ max: 5 }));\n";
        let signs = ["limiter-without-trust server.js:1", "limiter-in-memory server.js:1"];
        let mut found = words(&[("server.js", app)]);
        found.sort_by(|a, b| b.cmp(a));
        assert_eq!(found, signs);
        for (file, limits, trusts) in [
            (
                "views.py",
                "from django_ratelimit.decorators import ratelimit\n@ratelimit(key='ip', rate='5/m')\ndef f(r): pass\n",
                "ip = request.META['HTTP_X_FORWARDED_FOR']\n",
            ),
            (
                "main.go",
                "package main\nvar l = rate.NewLimiter(1, 5)\nfunc f() { key := r.RemoteAddr }\n",
                "r.Use(middleware.RealIP)\n",
            ),
            (
                "Limits.java",
                "class Limits { String key(HttpServletRequest r) { return r.getRemoteAddr(); } }\n",
                "class F { ForwardedHeaderFilter f; }\n",
            ),
            (
                "Program.cs",
                "builder.Services.AddRateLimiter(o => o.Key(c => c.Connection.RemoteIpAddress));\n",
                "app.UseForwardedHeaders();\n",
            ),
            (
                "app/Providers/AppServiceProvider.php",
                "<?php RateLimiter::for('api', fn ($request) => Limit::perMinute(5)->by($request->ip()));\n",
                "<?php $middleware->trustProxies(at: '*');\n",
            ),
        ] {
            let without = |files: &[(&str, &str)]| {
                words(files).iter().filter(|sign| sign.starts_with("limiter-without-trust")).count()
            };
            assert_eq!(without(&[(file, limits)]), 1, "{file}");
            let extension = file.rsplit('.').next().expect("each has one");
            let other = format!("other.{extension}");
            assert_eq!(without(&[(file, limits), (&other, trusts)]), 0, "{file}");
        }
        let trusting = format!("app.set('trust proxy', 1);\n{app}");
        assert_eq!(words(&[("server.js", &trusting)]), ["limiter-in-memory server.js:2"]);
    }

    #[test]
    fn counters_in_memory_are_a_sign_until_a_store_is_named() {
        let flask = "from flask_limiter import Limiter\nlimiter = Limiter(key, app=app)  # X-Forwarded-For\n";
        let signs = |files: &[(&str, &str)]| -> Vec<String> {
            of(files)
                .iter()
                .filter(|s| s.sign == SignWord::LimiterInMemory)
                .map(|s| format!("{} {}", s.place, s.detail))
                .collect()
        };
        assert_eq!(signs(&[("app.py", flask)]), ["app.py:1 Flask-Limiter"]);
        let stored = flask.replace("app=app", "app=app, storage_uri=URI");
        assert_eq!(signs(&[("app.py", &stored)]), Vec::<String>::new());
        let configured = ("config.py", "RATELIMIT_STORAGE_URI = os.environ['REDIS_URL']\n");
        assert_eq!(signs(&[("app.py", flask), configured]), Vec::<String>::new());
        let express = "import { rateLimit } from 'express-rate-limit'\napp.use(rateLimit({ store: new RedisStore() }))\n";
        assert_eq!(signs(&[("server.js", express)]), Vec::<String>::new());
    }
}
