//! Projects that are well, each in a way by which a sign that knows too little of a tool would be raised.

use super::tests::{has, lacks};

#[test]
fn what_yarn_pnpm_and_bun_run_need_not_be_a_script() {
    let package = (
        "package.json",
        "{\"name\":\"a\",\"scripts\":{\"build\":\"next build\"},\"dependencies\":{\"next\":\"15.0.0\"}}\n",
    );
    for start in [
        "yarn next start",
        "pnpm next start",
        "bun src/index.ts",
        "yarn workspace api start",
        "npm --prefix server start",
        "pnpm --filter api start",
    ] {
        lacks(
            &[package, ("src/index.ts", "Bun.serve({})\n"), ("Procfile", &format!("web: {start}\n"))],
            "start-target-missing",
        );
    }
    has(&[package, ("Procfile", "web: npm run serve\n")], "start-target-missing");
    has(&[package, ("Procfile", "web: yarn start\n")], "start-target-missing");
}

#[test]
fn libraries_that_come_with_a_package_are_there() {
    let slim =
        |line: &str| format!("FROM python:3.12-slim\n{line}\nCOPY . .\nCMD [\"python\", \"app.py\"]\n");
    let opencv = ("requirements.txt", "opencv-python==4.10.0.84\n");
    lacks(&[opencv, ("Dockerfile", &slim("RUN apt-get install -y ffmpeg"))], "native-library-absent");
    has(&[opencv, ("Dockerfile", &slim("RUN pip install -r requirements.txt"))], "native-library-absent");
    let ruby = "FROM ruby:3.4-slim\nCOPY . .\nCMD [\"puma\"]\n";
    for gem in ["gem \"pg\"", "gem \"pg\", \"~> 1.6\"", "gem \"image_processing\", \"~> 1.2\""] {
        lacks(&[("Gemfile", &format!("{gem}\n")), ("Dockerfile", ruby)], "native-library-absent");
    }
    has(&[("Gemfile", "gem \"pg\", \"~> 1.5\"\n"), ("Dockerfile", ruby)], "native-library-absent");
    let rust = "FROM rust:1 AS build\nCOPY . .\nRUN cargo build --release\nFROM debian:bookworm-slim\nCOPY --from=build /target/release/a /a\nCMD [\"/a\"]\n";
    let cargo = |line: &str| format!("[package]\nname = \"a\"\n[dependencies]\n{line}\n");
    lacks(
        &[
            ("Cargo.toml", &cargo("diesel-async = { version = \"0.5\", features = [\"postgres\"] }")),
            ("Dockerfile", rust),
        ],
        "native-library-absent",
    );
    has(
        &[
            ("Cargo.toml", &cargo("diesel = { version = \"2\", features = [\"postgres\"] }")),
            ("Dockerfile", rust),
        ],
        "native-library-absent",
    );
}

#[test]
fn a_rollout_counts_for_the_deployment_that_it_takes_its_pods_from() {
    let deployment = (
        "k8s/app.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app\nspec:\n  replicas: 0\n",
    );
    let rollout = (
        "k8s/rollout.yaml",
        "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata:\n  name: app\nspec:\n  workloadRef:\n    kind: Deployment\n    name: app\n",
    );
    lacks(&[deployment, rollout], "instances-none");
    has(&[deployment], "instances-none");
}

#[test]
fn a_connector_that_speaks_tls_itself_wants_none_inside() {
    let code = ("internal/db.go", "package db\nvar q = \"host=/cloudsql/a:b:c sslmode=disable\"\n");
    let plain = ("internal/db.go", "package db\nvar q = \"host=10.0.0.3 sslmode=disable\"\n");
    let asked = (
        "infra/db.tf",
        "resource \"google_sql_database_instance\" \"a\" {\n  settings {\n    ip_configuration {\n      ssl_mode = \"ENCRYPTED_ONLY\"\n    }\n  }\n}\n",
    );
    lacks(&[code, asked], "database-tls-differs");
    has(&[plain, asked], "database-tls-differs");
}

#[test]
fn marks_that_keep_privileges_stand_in_any_order() {
    let unit = |start: &str| {
        format!(
            "[Unit]\nDescription=a\n[Service]\nUser=app\nExecStart={start}/usr/bin/node /srv/app/server.js\nEnvironment=PORT=443\n"
        )
    };
    let app = ("server.js", "require('http').createServer().listen(443)\n");
    for marks in ["-+", "!", "@!"] {
        lacks(&[("deploy/app.service", &unit(marks)), app, ("package.json", "{}\n")], "port-privileged");
    }
    has(&[("deploy/app.service", &unit("-")), app, ("package.json", "{}\n")], "port-privileged");
}

#[test]
fn alpines_shell_gives_way_and_a_config_map_gives_a_size() {
    let image = |base: &str| format!("FROM {base}\nCOPY . .\nCMD node server.js\n");
    let app = [
        ("server.js", "require('http').createServer().listen(process.env.PORT)\n"),
        ("package.json", "{}\n"),
    ];
    lacks(&[("Dockerfile", &image("node:22-alpine")), app[0], app[1]], "shell-form-start");
    has(&[("Dockerfile", &image("node:22-bookworm")), app[0], app[1]], "shell-form-start");
    let code = ("app.js", "const upload = multer({ limits: { fileSize: 50 * 1024 * 1024 } });\n");
    let ingress = (
        "k8s/ingress.yaml",
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: a\nspec:\n  ingressClassName: nginx\n",
    );
    let sized = (
        "k8s/config.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: nginx-configuration\ndata:\n  proxy-body-size: 64m\n",
    );
    lacks(&[code, ingress, sized], "body-limit-differs");
    has(&[code, ingress], "body-limit-differs");
}

#[test]
fn a_host_with_its_port_is_passed_on_and_the_machines_own_name_is_not() {
    let nginx = |host: &str| {
        format!(
            "server {{\n  listen 80;\n  location / {{\n    proxy_pass http://app:3000;\n    proxy_set_header Host {host};\n    proxy_set_header Upgrade $http_upgrade;\n  }}\n}}\n"
        )
    };
    for host in ["$host:$server_port", "$http_host", "$host"] {
        lacks(&[("nginx.conf", &nginx(host))], "proxy-host-not-forwarded");
    }
    has(&[("nginx.conf", &nginx("$hostname"))], "proxy-host-not-forwarded");
}

#[test]
fn quarkus_serves_health_elsewhere_only_where_it_is_switched_on() {
    let probe = (
        "k8s/app.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: a\nspec:\n  template:\n    spec:\n      containers:\n        - name: a\n          ports: [{ containerPort: 8080 }]\n          livenessProbe:\n            httpGet: { path: /q/health/live, port: 8080 }\n",
    );
    let file = "src/main/resources/application.properties";
    lacks(&[probe, (file, "quarkus.management.port=9000\n")], "probe-port-differs");
    has(
        &[probe, (file, "quarkus.management.enabled=true\nquarkus.management.port=9000\n")],
        "probe-port-differs",
    );
}
