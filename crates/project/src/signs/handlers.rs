//! What handlers of requests do that no request should: end the process, or set a cookie that never leaves the server.
//!
//! Source: pkg.go.dev/log (Fatal calls os.Exit), nodejs.org (process.exit), expressjs.com/en/guide/behind-proxies and the README
//! of expressjs/session (cookie.secure, proxy).

use std::sync::LazyLock;

use landfall_evidence::SignWord;
use regex::Regex;

use super::{Found, Read, regex};
use crate::source::{Language, Source, bracketed, is_test};

pub(super) fn read(read: &Read<'_>, found: &mut Found) {
    for source in read.sources.iter().filter(|source| !is_test(&source.path)) {
        let exit = match source.language {
            Language::Go => go(source),
            Language::JavaScript => node(source),
            Language::Python => python(source),
            _ => None,
        };
        if let Some((at, what)) = exit {
            found.add(SignWord::ExitsInHandler, source.place(at), format!("{what} within a handler"));
        }
    }
    cookies(read, found);
}

/// A function that takes a request, and `log.Fatal` or `os.Exit` in it.
fn go(source: &Source) -> Option<(usize, String)> {
    static HANDLER: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"\bfunc\s*(?:\([^()]*\)\s*)?\w*\s*\([^()]*(?:http\.ResponseWriter|\*gin\.Context|echo\.Context|\*?fiber\.Ctx)[^()]*\)[^{\n]*(\{)",
        )
    });
    static EXITS: LazyLock<Regex> =
        LazyLock::new(|| regex(r"\b(?:(?:log|logger|logrus|slog)\.Fatal(?:f|ln)?|os\.Exit)\("));
    HANDLER.captures_iter(&source.code).find_map(|handler| {
        let open = handler.get(1)?.start();
        let exit = EXITS.find(bracketed(&source.code, open)?)?;
        Some((open + 1 + exit.start(), exit.as_str().trim_end_matches('(').to_owned()))
    })
}

/// A route's callback that calls `process.exit`.
fn node(source: &Source) -> Option<(usize, String)> {
    static ROUTE: LazyLock<Regex> = LazyLock::new(|| {
        regex(r#"\b(?:app|router|server|fastify|api)\.(?:get|post|put|patch|delete|all)(\()\s*["'`]"#)
    });
    ROUTE.captures_iter(&source.code).find_map(|route| {
        let open = route.get(1)?.start();
        let exit = bracketed(&source.code, open)?.find("process.exit(")?;
        Some((open + 1 + exit, "process.exit".to_owned()))
    })
}

/// A decorated view that ends the interpreter.
fn python(source: &Source) -> Option<(usize, String)> {
    static VIEW: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?m)^([ \t]*)@\w+\.(?:route|get|post|put|patch|delete)\([^\n]*\n(?:[ \t]*@[^\n]*\n)*[ \t]*(?:async[ \t]+)?def[ \t][^\n]*\n",
        )
    });
    static EXITS: LazyLock<Regex> = LazyLock::new(|| regex(r"\b(?:sys\.exit|os\._exit|os\.abort)\("));
    // `sys.exit` ends a sync worker of Gunicorn. Uvicorn answers 500 and lives on (its httptools_impl.py catches BaseException).
    let lives_on = ["fastapi", "starlette"].iter().any(|name| source.code.contains(name));
    VIEW.captures_iter(&source.code).find_map(|view| {
        let (whole, indent) = (view.get(0)?, view[1].len());
        let body = &source.code[whole.end()..];
        let mut length = 0;
        for line in body.split_inclusive('\n') {
            let own = line.len() - line.trim_start().len();
            if !line.trim().is_empty() && own <= indent {
                break;
            }
            length += line.len();
        }
        let exit = EXITS.find(&body[..length]).filter(|exit| !(lives_on && exit.as_str() == "sys.exit("))?;
        Some((whole.end() + exit.start(), exit.as_str().trim_end_matches('(').to_owned()))
    })
}

/// express-session sends a secure cookie only over a connection that it takes for TLS: behind a proxy, only where it trusts that.
fn cookies(read: &Read<'_>, found: &mut Found) {
    static SESSION: LazyLock<Regex> =
        LazyLock::new(|| regex(r"\b(?:session|cookieSession|expressSession)(\()\s*\{"));
    static SECURE: LazyLock<Regex> = LazyLock::new(|| {
        regex(r#"\bsecure\s*:\s*(?:true|process\.env\.NODE_ENV\s*===?\s*["']production["']|is[Pp]rod\w*)"#)
    });
    static TRUSTS: LazyLock<Regex> =
        LazyLock::new(|| regex(r"trust proxy|trustProxy|\b(?:secureProxy|proxy)\s*:\s*true"));
    let uses = |name: &str| {
        read.snapshot.stacks.iter().any(|stack| stack.dependencies.iter().any(|d| d.name == name))
    };
    if !uses("express")
        || !(uses("express-session") || uses("cookie-session"))
        || !super::stands_behind_a_proxy(read)
    {
        return;
    }
    let scripts = || read.sources.iter().filter(|s| s.language == Language::JavaScript && !is_test(&s.path));
    if scripts().any(|source| TRUSTS.is_match(&source.code)) {
        return;
    }
    let made = scripts().find_map(|source| {
        SESSION.captures_iter(&source.code).find_map(|made| {
            let open = made.get(1)?.start();
            let secure = SECURE.find(bracketed(&source.code, open)?)?;
            Some(source.place(open + 1 + secure.start()))
        })
    });
    if let Some(place) = made {
        found.add(
            SignWord::CookieUntrusted,
            place,
            "the session's cookie is secure, and Express trusts no proxy",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{has, lacks};

    #[test]
    fn handlers_that_end_the_process() {
        let go = "package main\nfunc main() { log.Fatal(http.ListenAndServe(\":8080\", nil)) }\nfunc orders(w http.ResponseWriter, r *http.Request) {\n\tif err := load(); err != nil {\n\t\tlog.Fatalf(\"orders: %v\", err)\n\t}\n}\n";
        has(&[("main.go", go)], "exits-in-handler log.Fatalf within a handler @main.go:5");
        lacks(&[("main.go", &go.replace("log.Fatalf", "log.Printf"))], "exits-in-handler");
        has(
            &[(
                "app.js",
                "app.get('/a', async (req, res) => {\n  try { await f(); } catch (e) { process.exit(1); }\n});\n",
            )],
            "exits-in-handler process.exit within a handler @app.js:2",
        );
        lacks(
            &[(
                "app.js",
                "process.on('SIGTERM', () => process.exit(0));\napp.get('/a', (req, res) => res.end());\n",
            )],
            "exits-in-handler",
        );
        let python = "@app.get('/a')\ndef a():\n    if bad():\n        os._exit(1)\n    return 1\n\ndef main():\n    sys.exit(2)\n";
        has(&[("app.py", python)], "exits-in-handler os._exit within a handler @app.py:4");
        lacks(&[("app.py", &python.replace("os._exit", "print"))], "exits-in-handler");
        let of = |import: &str| format!("{import}\n{}", python.replace("os._exit", "sys.exit"));
        has(&[("app.py", &of("from flask import Flask"))], "exits-in-handler sys.exit");
        lacks(&[("app.py", &of("from fastapi import FastAPI"))], "exits-in-handler");
    }

    #[test]
    fn a_secure_cookie_behind_a_proxy_that_is_not_trusted() {
        let package = (
            "package.json",
            r#"{"name":"a","dependencies":{"express":"^4.0.0","express-session":"^1.17.0"},"scripts":{"start":"node app.js"}}"#,
        );
        let code = |more: &str, secure: &str| {
            format!(
                "const app = express();\n{more}app.use(session({{ secret: s, cookie: {{ secure: {secure} }} }}));\n"
            )
        };
        let fly = ("fly.toml", "app = 'a'\n[http_service]\ninternal_port = 3000\n");
        has(
            &[package, fly, ("app.js", &code("", "true"))],
            "cookie-untrusted the session's cookie is secure, and Express trusts no proxy @app.js:2",
        );
        has(
            &[package, fly, ("app.js", &code("", "process.env.NODE_ENV === 'production'"))],
            "cookie-untrusted",
        );
        lacks(&[package, fly, ("app.js", &code("app.set('trust proxy', 1);\n", "true"))], "cookie-untrusted");
        lacks(&[package, fly, ("app.js", &code("", "false"))], "cookie-untrusted");
        lacks(&[package, ("app.js", &code("", "true"))], "cookie-untrusted");
    }
}
