//! What the corpus has to hold.

use std::collections::BTreeSet;

use landfall_evidence::Observed;

use crate::folder::{corpus, unpack};

/// What the corpus has to hold at least once: words of the issue with what shows them.
const STACKS: &[(&str, &str)] = &[
    ("python", "flask"),
    ("python", "django"),
    ("python", "fastapi"),
    ("python", "starlette"),
    ("node", "express"),
    ("node", "fastify"),
    ("node", "koa"),
    ("node", "@nestjs/core"),
    ("node", "next"),
    ("rust", "axum"),
    ("rust", "actix-web"),
    ("rust", "rocket"),
    ("go", ""),
    ("go", "github.com/gin-gonic/gin"),
    ("go", "github.com/labstack/echo/v4"),
    ("go", "github.com/gofiber/fiber/v2"),
    ("go", "github.com/go-chi/chi/v5"),
    ("ruby", "rails"),
    ("ruby", "sinatra"),
    ("php", ""),
    ("php", "laravel/framework"),
    ("php", "symfony/framework-bundle"),
    ("java", "org.springframework.boot:spring-boot-starter-web"),
    ("java", "io.quarkus:quarkus-rest"),
    ("dotnet", "Microsoft.NET.Sdk.Web"),
    ("elixir", "phoenix"),
];

/// Endings of the paths of files that the corpus has to hold.
const FILES: &[&str] = &[
    "requirements.txt",
    "poetry.lock",
    "uv.lock",
    "Pipfile.lock",
    "package-lock.json",
    "pnpm-lock.yaml",
    "yarn.lock",
    "Cargo.lock",
    "go.sum",
    "Gemfile.lock",
    "composer.lock",
    "mix.lock",
    "build.gradle.kts",
    ".kt",
    ".replit",
    "Procfile",
    "Dockerfile",
    ".dockerignore",
    "compose.yaml",
    "fly.toml",
    "vercel.json",
    "netlify.toml",
    "render.yaml",
    "railway.toml",
    "railway.json",
    "app.yaml",
    ".do/app.yaml",
    "service.yaml",
    "app.json",
    "kustomization.yaml",
    "Chart.yaml",
    ".service",
    "nginx/default.conf",
    "Caddyfile",
    "wrangler.toml",
    "wrangler.jsonc",
    "pnpm-workspace.yaml",
];

#[test]
fn the_corpus_holds_every_stack_and_deploy_file() {
    let corpus = corpus();
    let healthy = corpus.iter().filter(|(_, project)| project.truth.fault.is_none()).count();
    let gaps = corpus.iter().filter(|(_, project)| project.gap.is_some()).count();
    let (mut stacks, mut platforms) = (BTreeSet::new(), BTreeSet::new());
    let mut titles = BTreeSet::new();
    let mut missing = Vec::new();
    for (name, project) in &corpus {
        if project.title.is_empty() || !titles.insert(&project.title) {
            missing.push(format!("{name}: a title of its own"));
        }
        let (_guard, root) = unpack(name, project);
        let Observed::Present(seen) = landfall_project::read(&root) else { panic!("{name} can be read") };
        for stack in &seen.stacks {
            let framework = stack.framework.as_ref().map(|f| f.name.to_ascii_lowercase()).unwrap_or_default();
            stacks.insert((stack.language.clone(), framework));
        }
        platforms.extend(seen.deploy.iter().map(|deploy| deploy.platform.clone()));
    }
    for (language, framework) in STACKS {
        if !stacks.contains(&((*language).to_owned(), framework.to_ascii_lowercase())) {
            missing.push(format!("{language} {framework}"));
        }
    }
    for end in FILES {
        if !corpus.iter().any(|(_, project)| project.files.keys().any(|path| path.ends_with(end))) {
            missing.push(format!("a file {end}"));
        }
    }
    for platform in [
        "replit",
        "heroku",
        "docker",
        "docker-compose",
        "fly",
        "vercel",
        "netlify",
        "render",
        "railway",
        "google-app-engine",
        "google-cloud-run",
        "app-platform",
        "kamal",
        "kubernetes",
        "helm",
        "systemd",
        "nginx",
        "caddy",
        "cloudflare-workers",
    ] {
        if !platforms.contains(platform) {
            missing.push(format!("the platform {platform} among {platforms:?}"));
        }
    }
    println!("{} projects with a fault, {healthy} healthy, {gaps} gaps", corpus.len() - healthy);
    assert!(missing.is_empty(), "missing: {}", missing.join(", "));
    assert!(corpus.len() - healthy >= 60, "{} projects with a fault", corpus.len() - healthy);
    assert!(healthy >= 20, "{healthy} healthy projects");
}
