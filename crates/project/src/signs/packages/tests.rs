use super::super::tests::{has, lacks};

#[test]
fn locks_and_manifests() {
    let manifest = ("package.json", r#"{"dependencies":{"express":"^4.18.0","zod":"3.22.0"}}"#);
    let lock = r#"{"lockfileVersion":3,"packages":{"":{"dependencies":{"express":"^4.18.0"}}}}"#;
    has(&[manifest, ("package-lock.json", lock)], "lock-out-of-step zod: not in the lock file");
    let good =
        r#"{"lockfileVersion":3,"packages":{"":{"dependencies":{"express":"^4.18.0","zod":"3.22.0"}}}}"#;
    lacks(&[manifest, ("package-lock.json", good)], "lock-out-of-step");
    has(
        &[manifest, ("package-lock.json", good), ("yarn.lock", "express@^4.18.0:\nzod@3.22.0:\n")],
        "lock-several package-lock.json, yarn.lock",
    );
    has(&[manifest], "dependency-unpinned express");
    let pnpm = "lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      express:\n        specifier: ^4.17.0\n        version: 4.17.1\n      zod: {specifier: 3.22.0, version: 3.22.0}\n";
    has(
        &[manifest, ("pnpm-lock.yaml", pnpm)],
        "lock-out-of-step express: ^4.18.0 is asked for, ^4.17.0 is locked",
    );
    let poetry = "[tool.poetry.dependencies]\npython = \"^3.11\"\nflask = \"^3.0\"\nredis = \"^5.0\"\n";
    has(
        &[
            ("pyproject.toml", poetry),
            ("poetry.lock", "[[package]]\nname = \"flask\"\nversion = \"3.0.0\"\n"),
        ],
        "lock-out-of-step redis: not in the lock file",
    );
    has(
        &[
            ("pyproject.toml", poetry),
            (
                "poetry.lock",
                "[[package]]\nname = \"flask\"\nversion = \"2.0.0\"\n[[package]]\nname = \"redis\"\nversion = \"5.0.1\"\n",
            ),
        ],
        "lock-out-of-step flask: ^3.0 is asked for, 2.0.0",
    );
}

#[test]
fn loose_and_exact_requirements() {
    has(&[("requirements.txt", "flask>=2\ngunicorn==22.0.0\n")], "dependency-unpinned flask");
    lacks(
        &[("requirements.txt", "flask==3.0.0 ; python_version > '3.8'\ngunicorn==22.0.0 --hash=sha256:aa\n")],
        "dependency-unpinned",
    );
}

#[test]
fn imports_within_functions_count_where_everything_installed_is_listed() {
    let frozen = (
        "requirements.txt",
        "Flask==3.1.0\nblinker==1.9.0\nclick==8.1.7\ngunicorn==23.0.0\nWerkzeug==3.1.3\n",
    );
    let within = |line: &str| format!("def total():\n    rows = []\n{line}\n    return rows\n");
    let import = within("    from babel.numbers import format_currency");
    has(
        &[frozen, ("orders.py", &import)],
        "dependency-undeclared babel is not in requirements.txt @orders.py:3",
    );
    lacks(&[("requirements.txt", "flask\n"), ("orders.py", &import)], "dependency-undeclared");
    for fine in [
        "    try:\n        import babel\n    except ImportError:\n        babel = None",
        "    if rich:\n        import babel",
        "    import json",
        "    from werkzeug.utils import secure_filename",
    ] {
        lacks(&[frozen, ("orders.py", &within(fine))], "dependency-undeclared");
    }
    let lock = ("poetry.lock", "[[package]]\nname = \"Babel\"\nversion = \"2.16\"\n");
    let pyproject = ("pyproject.toml", "[tool.poetry.dependencies]\nflask = \"^3\"\n");
    lacks(&[pyproject, lock, ("orders.py", &import)], "dependency-undeclared");
    // A package that another one brings, under a name other than its module's.
    let brought = ("poetry.lock", "[[package]]\nname = \"pyyaml\"\nversion = \"6\"\n");
    lacks(&[pyproject, brought, ("orders.py", &within("    import yaml"))], "dependency-undeclared");
    has(
        &[pyproject, ("poetry.lock", "[[package]]\nname = \"flask\"\n"), ("orders.py", &import)],
        "dependency-undeclared babel is not in pyproject.toml",
    );
}

#[test]
fn php_classes_of_development_packages() {
    let manifest = (
        "composer.json",
        "{\"require\":{\"laravel/framework\":\"^11\"},\"require-dev\":{\"laravel/telescope\":\"^5.2\",\"barryvdh/laravel-debugbar\":\"^3\"}}",
    );
    let provider =
        ("app/Providers/T.php", "<?php\nuse Laravel\\Telescope\\Telescope;\nclass T extends X {}\n");
    has(&[manifest, provider], "dev-dependency-at-runtime laravel/telescope @app/Providers/T.php:2");
    lacks(&[manifest, ("tests/TTest.php", provider.1)], "dev-dependency-at-runtime");
    lacks(
        &[
            manifest,
            ("app/P.php", "<?php\nif (class_exists(\\Laravel\\Telescope\\Telescope::class)) { x(); }\n"),
        ],
        "dev-dependency-at-runtime",
    );
    // As Laravel's documentation has it: registered where it is installed.
    let local = "<?php\nuse Laravel\\Telescope\\TelescopeServiceProvider;\nclass AppServiceProvider extends ServiceProvider {\n  function register() { if ($this->app->environment('local')) { x(TelescopeServiceProvider::class); } }\n}\n";
    lacks(&[manifest, ("app/Providers/A.php", local)], "dev-dependency-at-runtime");
    let made = "<?php\nuse Laravel\\Telescope\\TelescopeApplicationServiceProvider;\nclass T extends TelescopeApplicationServiceProvider {\n  function f() { return $this->app->environment('local'); }\n}\n";
    has(&[manifest, ("app/Providers/T.php", made)], "dev-dependency-at-runtime laravel/telescope");
    let lock = (
        "composer.lock",
        "{\"packages-dev\":[{\"name\":\"barryvdh/laravel-debugbar\",\"autoload\":{\"psr-4\":{\"Barryvdh\\\\Debugbar\\\\\":\"src/\"}}}]}",
    );
    has(
        &[manifest, lock, ("config/app.php", "<?php return [Barryvdh\\Debugbar\\ServiceProvider::class];\n")],
        "dev-dependency-at-runtime barryvdh/laravel-debugbar @config/app.php:1",
    );
}

#[test]
fn what_runtime_code_imports() {
    let manifest = (
        "package.json",
        r#"{"dependencies":{"express":"1.0.0"},"devDependencies":{"dotenv":"1.0.0","vite":"1.0.0"},"scripts":{"start":"node server.js"}}"#,
    );
    has(
        &[manifest, ("server.js", "require('dotenv').config()\nconst e = require('express')\n")],
        "dev-dependency-at-runtime dotenv",
    );
    has(&[manifest, ("server.js", "const x = require('pg')\n")], "dependency-undeclared pg");
    lacks(
        &[
            manifest,
            ("server.js", "const e = require('express'), fs = require('fs'), q = require('node:path')\n"),
            ("vite.config.js", "import 'vite'\n"),
        ],
        "dev-dependency-at-runtime",
    );
    let python = ("requirements.txt", "flask==3.0.0\n");
    has(
        &[python, ("requirements-dev.txt", "requests==2.0\n"), ("app.py", "import requests\n")],
        "dev-dependency-at-runtime requests",
    );
    has(&[python, ("app.py", "import yaml\n")], "dependency-undeclared pyyaml is not in requirements.txt");
    lacks(
        &[
            python,
            ("app.py", "import os, json\nfrom werkzeug import x\nfrom lib.a import b\n"),
            ("lib/a.py", ""),
        ],
        "dependency-undeclared",
    );
}
