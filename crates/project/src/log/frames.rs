//! Which installed package a line of a trace lies in.
//!
//! A connection that is refused names an address at best, and often not even that. The frames under it name the driver,
//! and with it what was being connected to. Every ecosystem puts its packages where a path or a qualified name says whose
//! they are; what a package is for, the catalogue says.

use std::sync::LazyLock;

use regex::Regex;

/// Names kept of one trace, from where it was thrown outwards: the driver is among the first.
pub(super) const PACKAGES: usize = 12;
/// Characters of a name.
const NAME: usize = 60;

struct Patterns {
    python: Regex,
    node: Regex,
    go_path: Regex,
    go_call: Regex,
    ruby: Regex,
    ruby_own: Regex,
    php: Regex,
    elixir: Regex,
    dotted: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let one = |pattern: &str| Regex::new(pattern).expect("a constant pattern, covered by the tests");
    Patterns {
        // Of the library that comes with Python only what connects says anything.
        python: one(
            r#"File "[^"]*?/(?:(?:site|dist)-packages/([\w-]+)(?:\.pyx?)?[/"]|lib/python[\d.]+/((?:smtp|imap|pop|ftp|http|xmlrpc)[a-z]*)[./])"#,
        ),
        node: one(r"^\s*at .*[/\\]node_modules[/\\]((?:@[\w.-]+[/\\])?[\w.-]+)[/\\]"),
        go_path: one(r"^\s.*/pkg/mod/([\w.!~/-]+?)@"),
        go_call: one(
            r"^((?:[\w-]+\.)+[a-z]{2,}/[\w.~/-]*?\w|database/sql|net/smtp)\.(?:\(\*?\w+\)\.)?\w+(?:\.\w+)*\(",
        ),
        ruby: one(r"/gems/([A-Za-z][\w-]*?)-\d[\w.]*(?:-[\w-]+)?/"),
        ruby_own: one(r"/lib/ruby/[\d.]+/(net/\w+)\.rb"),
        php: one(r"^\s*#\d+ .*?/vendor/([\w.-]+/[\w.-]+)/"),
        elixir: one(r"^\s+\(([a-z]\w*) \d[\w.-]*\) "),
        // The JVM's and .NET's: `at org.postgresql.Driver.connect(`, `at Npgsql.Internal.NpgsqlConnector.Connect(`.
        dotted: one(r"^\s+at (?:[\w.@-]+/{1,2})?((?:\w+\.){1,})[\w$<>]+(?:\.[\w$<>]+)*\("),
    }
});

/// The package that a line lies in, by the name that its ecosystem gives it: `asyncpg`, `pg`, `@redis/client`,
/// `github.com/jackc/pgx/v5`, `org.postgresql.core`, `Npgsql.Internal`, `predis/predis`. `None` for a line that is no frame
/// or lies in the project or the runtime.
pub(super) fn package(line: &str) -> Option<String> {
    let p = &*PATTERNS;
    let first = |pattern: &Regex| {
        let found = pattern.captures(line)?;
        let name = found.iter().skip(1).flatten().next()?.as_str();
        Some(name.replace('\\', "/").chars().take(NAME).collect::<String>())
    };
    // The innermost of nested folders is whose file it is, which greed finds for Node; gems do not nest.
    let found = [&p.python, &p.node, &p.go_path, &p.go_call, &p.ruby, &p.ruby_own, &p.php, &p.elixir]
        .into_iter()
        .find_map(first);
    found.or_else(|| {
        let dotted = first(&p.dotted)?;
        let of_runtime = [
            "java.",
            "jdk.",
            "sun.",
            "kotlin.",
            "scala.",
            "System.Net.Sockets",
            "System.Threading",
            "System.Runtime",
            "node.",
        ];
        if of_runtime.iter().any(|own| dotted.starts_with(own)) {
            return None;
        }
        let parts: Vec<&str> = dotted.split('.').filter(|part| !part.is_empty()).take(3).collect();
        // A single name is a class of the project, or Node's `at Client.connect (`.
        (parts.len() > 1).then(|| parts.join("."))
    })
}

/// Whether a line is a frame of Go or Ruby and no more than that: it says nothing by itself, whatever its path is called.
pub(super) fn is_bare(line: &str) -> bool {
    let bare = line.trim_start();
    let go = bare.len() < line.len() && bare.starts_with('/') && bare.contains(".go:");
    go || (bare.starts_with("from /") && bare.contains(".rb:")) || PATTERNS.go_call.is_match(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_of_every_ecosystem_names_its_package() {
        for (line, want) in [
            (
                r#"  File "/usr/local/lib/python3.12/site-packages/asyncpg/connect_utils.py", line 1049, in _connect"#,
                Some("asyncpg"),
            ),
            (
                r#"  File "/usr/lib/python3/dist-packages/redis/connection.py", line 7, in connect"#,
                Some("redis"),
            ),
            (
                r#"  File "/venv/lib/python3.11/site-packages/pymemcache.py", line 7, in connect"#,
                Some("pymemcache"),
            ),
            (r#"  File "/usr/local/lib/python3.12/smtplib.py", line 312, in _get_socket"#, Some("smtplib")),
            (r#"  File "/usr/local/lib/python3.12/socket.py", line 837, in create_connection"#, None),
            (r#"  File "/app/app/orders.py", line 22, in list_orders"#, None),
            ("    at Client._connect (/app/node_modules/pg/lib/client.js:132:11)", Some("pg")),
            (
                "    at /app/node_modules/.pnpm/pg-pool@3.6.1_pg@8.11.3/node_modules/pg-pool/index.js:45:11",
                Some("pg-pool"),
            ),
            (
                "    at Socket.<anonymous> (/app/node_modules/@redis/client/dist/lib/client/socket.js:188:65)",
                Some("@redis/client"),
            ),
            ("    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1611:16)", None),
            (
                "github.com/jackc/pgx/v5/pgconn.ConnectConfig({0x1, 0x2}, 0xc0)",
                Some("github.com/jackc/pgx/v5/pgconn"),
            ),
            (
                "github.com/redis/go-redis/v9.(*baseClient)._getConn(0xc0001, {0x1})",
                Some("github.com/redis/go-redis/v9"),
            ),
            ("\t/go/pkg/mod/github.com/lib/pq@v1.10.9/conn.go:325 +0x1d", Some("github.com/lib/pq")),
            ("net/smtp.Dial({0xc0000, 0x1a})", Some("net/smtp")),
            ("main.main()", None),
            ("\t/app/main.go:20 +0x1a", None),
            (
                "\tat org.postgresql.core.v3.ConnectionFactoryImpl.openConnectionImpl(ConnectionFactoryImpl.java:352)",
                Some("org.postgresql.core"),
            ),
            (
                "\tat app//redis.clients.jedis.Connection.connect(Connection.java:1)",
                Some("redis.clients.jedis"),
            ),
            ("\tat java.base/java.net.Socket.connect(Socket.java:633)", None),
            (
                "   at Npgsql.Internal.NpgsqlConnector.Connect(NpgsqlTimeout timeout)",
                Some("Npgsql.Internal.NpgsqlConnector"),
            ),
            ("   at System.Net.Sockets.Socket.Connect(EndPoint remoteEP)", None),
            ("\tfrom /usr/local/bundle/gems/pg-1.5.4/lib/pg.rb:58:in `connect'", Some("pg")),
            (
                "/usr/local/bundle/gems/redis-client-0.22.2/lib/redis_client/ruby_connection.rb:75:in 'connect'",
                Some("redis-client"),
            ),
            ("/usr/local/lib/ruby/3.3.0/net/smtp.rb:646:in `tcp_socket'", Some("net/smtp")),
            (
                "#3 /var/www/vendor/predis/predis/src/Connection/StreamConnection.php(128): Predis\\Connection->onConnectionError()",
                Some("predis/predis"),
            ),
            ("#0 /var/www/app/Http/Kernel.php(12): handle()", None),
            (
                "    (postgrex 0.17.4) lib/postgrex/protocol.ex:100: Postgrex.Protocol.connect/1",
                Some("postgrex"),
            ),
            ("connect ECONNREFUSED 10.0.0.5:5432", None),
        ] {
            assert_eq!(package(line).as_deref(), want, "{line}");
        }
        assert!(
            is_bare("\t/app/errors/handler.go:12") && is_bare("github.com/lib/pq.(*conn).errRecover(0xc0)")
        );
        assert!(!is_bare(
            "/usr/local/bundle/gems/pg-1.5.4/lib/pg.rb:58:in 'connect': failed (PG::ConnectionBad)"
        ));
    }
}
