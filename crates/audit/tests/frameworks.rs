//! `audit --start` of real frameworks: what they have registered, and the OpenAPI document that they serve, here and in
//! production. `scripts/setup test` installs them.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use landfall_audit::{Config, Overrides, Plan, Probe, Progress, collect};
use landfall_diagnosis::{Catalogue, Diagnosis, diagnose};
use landfall_evidence::{Evidence, HttpObservation, RegisteredAnswer, Vantage};
use tempfile::TempDir;

fn venv() -> PathBuf {
    let venv = std::env::var_os("LANDFALL_FRAMEWORK_VENV").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.lab/framework-venv"),
        PathBuf::from,
    );
    venv.canonicalize().expect("scripts/framework-venv makes it")
}

fn project(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("inside")).expect("made");
        std::fs::write(path, text).expect("written");
    }
    std::os::unix::fs::symlink(venv(), dir.path().join(".venv")).expect("linked");
    dir
}

/// A deployment that is up; it ends with its value.
struct Deployed {
    child: Child,
    port: u16,
    log: PathBuf,
}

impl Drop for Deployed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Deployed {
    fn of(folder: &Path, target: &str) -> Self {
        let port = landfall_ports::claimed();
        let log = folder.with_extension("log");
        let output = std::fs::File::create(&log).expect("a log");
        let child = Command::new(venv().join("bin/uvicorn"))
            .args([target, "--port", &port.to_string()])
            .current_dir(folder)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a second handle"))
            .stderr(output)
            .spawn()
            .expect("scripts/framework-venv installs uvicorn");
        // From here on it ends with its value.
        let deployed = Self { child, port, log };
        for _ in 0..1200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return deployed;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("uvicorn does not listen: {}", std::fs::read_to_string(&deployed.log).unwrap_or_default());
    }

    /// The lines of its log of requests for a path.
    fn requests_for(&self, path: &str) -> usize {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        log.lines().filter(|line| line.contains(&format!("GET {path} HTTP"))).count()
    }
}

async fn audit(folder: &Path, production: Option<u16>) -> (Evidence, Diagnosis) {
    let said = Overrides {
        project: Some(folder.to_owned()),
        production: production.map(|port| format!("http://127.0.0.1:{port}")),
        start: true,
        only: vec![Probe::Http, Probe::Local, Probe::Project],
        timeout: Some(Duration::from_secs(120)),
        ..Overrides::default()
    };
    let plan = Plan::new(&Config::default(), &said).expect("valid");
    let evidence = collect(&plan, Catalogue::embedded(), &Progress::default()).await.expect("it runs");
    let diagnosis = diagnose(&evidence, Catalogue::embedded());
    (evidence, diagnosis)
}

fn documents(evidence: &Evidence, vantage: Vantage) -> Vec<&HttpObservation> {
    let named =
        |seen: &&HttpObservation| seen.request.trial.as_ref().is_some_and(|trial| trial.name == "openapi");
    evidence.trials().filter(|(o, _)| o.vantage == vantage).map(|(_, seen)| seen).filter(named).collect()
}

fn title(diagnosis: &Diagnosis, code: &str) -> Option<String> {
    diagnosis.findings.iter().find(|f| f.code == code).map(|f| f.title.clone())
}

const API: &str = "import os
from fastapi import APIRouter, FastAPI

app = FastAPI(title='Shop')
items = APIRouter()
never = APIRouter()

@app.get('/health')
def health():
    return {'ok': True}

@items.get('/items')
def all_items():
    return []

@never.get('/never')
def unheard():
    return {}

app.include_router(items, prefix='/api/' + os.environ.get('API_VERSION', 'v2'))
";

#[tokio::test]
async fn what_fastapi_says_of_itself_is_compared_with_production() {
    let newer = format!("{API}\n@app.post('/api/v2/orders')\ndef order():\n    return {{}}\n");
    let folder = project(&[
        ("Procfile", "web: uvicorn main:app --host 0.0.0.0 --port $PORT\n"),
        ("requirements.txt", "fastapi==0.165.0\nuvicorn==0.54.0\n"),
        ("main.py", &newer),
    ]);
    let older = project(&[("main.py", API)]);
    let production = Deployed::of(older.path(), "main:app");
    let (evidence, diagnosis) = audit(folder.path(), Some(production.port)).await;

    let (_, snapshot) = evidence.project().expect("the folder was read");
    let registered = snapshot.registered.as_ref().expect("it was asked");
    assert!(
        matches!(&registered.answer, RegisteredAnswer::Listed { framework, .. } if framework == "fastapi"),
        "{registered:?}"
    );
    // The code does not say under which prefix; the framework does, and so the route is among those that are asked.
    assert!(
        evidence.target.endpoints.iter().any(|e| e.path == "/api/v2/items"),
        "{:?}",
        evidence.target.endpoints
    );
    let never = title(&diagnosis, "LF-PROJ-041").expect("a router that nobody mounts");
    assert!(never.contains("1 route") && never.contains("GET /never (main.py:16)"), "{never}");

    assert_eq!(production.requests_for("/openapi.json"), 1, "production is asked once");
    let [there] = documents(&evidence, Vantage::Edge)[..] else { panic!("one question") };
    let [here] = documents(&evidence, Vantage::Local)[..] else { panic!("one question") };
    let operations = |seen: &HttpObservation| {
        let response = seen.answer.present().expect("an answer");
        response.body.document.as_ref().expect("a document").operations.clone()
    };
    assert_eq!(operations(there), ["GET /api/v2/items", "GET /health"]);
    assert_eq!(operations(here), ["GET /api/v2/items", "POST /api/v2/orders", "GET /health"]);
    let other = title(&diagnosis, "LF-PATH-004").expect("another build");
    assert!(other.contains("lacks POST /api/v2/orders"), "{other}");
    assert_eq!(title(&diagnosis, "LF-PROJ-042"), None, "what the document names the framework has");
}

#[tokio::test]
async fn flask_restx_and_drf_spectacular_serve_theirs_where_they_are_asked() {
    let restx = "from flask import Flask\nfrom flask_restx import Api, Resource\napp = Flask(__name__)\napi = Api(app)\n\n@api.route('/things/<int:thing>')\nclass Thing(Resource):\n    def get(self, thing):\n        return {}\n\n@app.get('/health')\ndef health():\n    return {}\n";
    let settings = "SECRET_KEY = 'x'\nROOT_URLCONF = 'conf.urls'\nALLOWED_HOSTS = ['*']\nINSTALLED_APPS = ['rest_framework', 'drf_spectacular']\nREST_FRAMEWORK = {'DEFAULT_SCHEMA_CLASS': 'drf_spectacular.openapi.AutoSchema', 'DEFAULT_AUTHENTICATION_CLASSES': [], 'DEFAULT_PERMISSION_CLASSES': [], 'UNAUTHENTICATED_USER': None}\n";
    let urls = "from django.urls import path\nfrom drf_spectacular.views import SpectacularAPIView\nfrom rest_framework import serializers, viewsets\nfrom rest_framework.response import Response\nfrom rest_framework.routers import DefaultRouter\n\nclass One(serializers.Serializer):\n    name = serializers.CharField()\n\nclass Things(viewsets.ViewSet):\n    serializer_class = One\n    def list(self, request):\n        return Response([])\n\nrouter = DefaultRouter()\nrouter.register('things', Things, basename='thing')\nurlpatterns = [path('api/schema/', SpectacularAPIView.as_view(), name='schema')] + router.urls\n";
    let wsgi = "import os\nfrom django.core.wsgi import get_wsgi_application\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'conf.settings')\napplication = get_wsgi_application()\n";
    let django = [
        ("conf/__init__.py", ""),
        ("conf/settings.py", settings),
        ("conf/urls.py", urls),
        ("conf/wsgi.py", wsgi),
    ];
    let flask = [("run.py", restx)];
    for (target, requirements, sources, operation, framework) in [
        (
            "run:app",
            "Flask==3.1.3\nflask-restx==1.3.2\ngunicorn==27.0.1\n",
            &flask[..],
            "GET /things/{thing}",
            "flask",
        ),
        ("conf.wsgi", "Django==5.2.19\ndrf-spectacular==0.30.0\n", &django[..], "GET /things/", "django"),
    ] {
        let procfile = format!("web: gunicorn --bind 0.0.0.0:$PORT {target}\n");
        let mut files = vec![("Procfile", procfile.as_str()), ("requirements.txt", requirements)];
        files.extend(sources);
        let folder = project(&files);
        let (evidence, diagnosis) = audit(folder.path(), None).await;
        let (_, snapshot) = evidence.project().expect("the folder was read");
        let registered = snapshot.registered.as_ref().expect("it was asked");
        assert!(
            matches!(&registered.answer, RegisteredAnswer::Listed { framework: named, .. } if named == framework),
            "{registered:?}"
        );
        let [seen] = documents(&evidence, Vantage::Local)[..] else { panic!("one question") };
        let response = seen.answer.present().expect("an answer");
        let document = response.body.document.as_ref().unwrap_or_else(|| panic!("{:?}", response.body.text));
        assert!(document.operations.iter().any(|named| named == operation), "{document:?}");
        assert_eq!(title(&diagnosis, "LF-PROJ-042"), None);
    }
}

#[tokio::test]
async fn production_is_not_asked_for_what_the_local_backend_does_not_serve() {
    let plain = API.replace("FastAPI(title='Shop')", "FastAPI(openapi_url=None)");
    let folder = project(&[
        ("Procfile", "web: uvicorn main:app --host 0.0.0.0 --port $PORT\n"),
        ("requirements.txt", "fastapi==0.165.0\n"),
        ("main.py", &plain),
    ]);
    let older = project(&[("main.py", API)]);
    let production = Deployed::of(older.path(), "main:app");
    let (evidence, diagnosis) = audit(folder.path(), Some(production.port)).await;
    assert_eq!(documents(&evidence, Vantage::Local).len(), 1);
    assert_eq!(documents(&evidence, Vantage::Edge).len(), 0);
    assert_eq!(production.requests_for("/openapi.json"), 0);
    assert_eq!(title(&diagnosis, "LF-PATH-004"), None);
}

fn git(folder: &Path, at: &str, arguments: &[&str]) {
    let done = Command::new("git")
        .args(["-c", "user.name=Dev", "-c", "user.email=dev@example.test", "-c", "commit.gpgsign=false"])
        .args(arguments)
        .current_dir(folder)
        .envs([("GIT_COMMITTER_DATE", at), ("GIT_AUTHOR_DATE", at)])
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .output()
        .expect("git is installed");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// Nobody has declared an endpoint, and health and the first route of the product are served by the old build as well.
#[tokio::test]
async fn an_older_build_is_found_by_the_route_that_was_written_last() {
    let folder = project(&[
        ("Procfile", "web: uvicorn main:app --host 0.0.0.0 --port $PORT\n"),
        ("requirements.txt", "fastapi==0.165.0\nuvicorn==0.54.0\n"),
        (".gitignore", ".venv\n__pycache__\n"),
        ("main.py", API),
    ]);
    let older = project(&[("main.py", API)]);
    git(folder.path(), "2026-03-01T00:00:00Z", &["init", "-q"]);
    git(folder.path(), "2026-03-01T00:00:00Z", &["add", "."]);
    git(folder.path(), "2026-03-01T00:00:00Z", &["commit", "-qm", "Shop"]);
    let newer = format!("{API}\n@app.get('/prices')\ndef prices():\n    return [1]\n");
    std::fs::write(folder.path().join("main.py"), newer).expect("written");
    git(folder.path(), "2026-04-01T00:00:00Z", &["commit", "-qam", "Prices"]);
    let production = Deployed::of(older.path(), "main:app");
    let (evidence, diagnosis) = audit(folder.path(), Some(production.port)).await;

    assert!(production.requests_for("/prices") > 0);
    let asked: Vec<&str> = evidence.target.endpoints.iter().map(|e| e.path.as_str()).collect();
    assert_eq!(asked, ["/health", "/api/v2/items", "/prices"]);
    let first = diagnosis.causes.first().expect("it lacks a route");
    let of_an_old_build = [
        "deploy-failed-old-build-live",
        "auto-deploy-off-or-wrong-branch",
        "uncommitted-or-unpushed",
        "route-missing",
    ];
    assert!(of_an_old_build.contains(&first.id.as_str()), "{}", first.id);
}
