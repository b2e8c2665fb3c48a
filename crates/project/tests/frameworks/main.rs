//! Frameworks that are really started and really asked: what they say they have registered. `scripts/setup test` installs them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use landfall_evidence::{RegisteredAnswer, RegisteredRoutes, StartOutcome};
use tempfile::TempDir;

/// Long enough for a loaded machine.
const LIMIT: Duration = Duration::from_secs(120);

fn folder(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("inside")).expect("made");
        std::fs::write(path, text).expect("written");
    }
    dir
}

/// A folder with the Python frameworks in its virtual environment.
fn python(files: &[(&str, &str)]) -> TempDir {
    let dir = folder(files);
    let venv = std::env::var_os("LANDFALL_FRAMEWORK_VENV").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.lab/framework-venv"),
        PathBuf::from,
    );
    let venv = venv.canonicalize().expect("scripts/framework-venv makes it");
    std::os::unix::fs::symlink(venv, dir.path().join(".venv")).expect("linked");
    dir
}

/// A folder with one package of `node_modules` under the name that the project knows it by.
fn node(package: &str, name: &str, files: &[(&str, &str)]) -> TempDir {
    let dir = folder(files);
    let module =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/frameworks/node/node_modules").join(package);
    let module = module.canonicalize().expect("scripts/framework-modules installs it");
    std::fs::create_dir(dir.path().join("node_modules")).expect("made");
    std::os::unix::fs::symlink(module, dir.path().join("node_modules").join(name)).expect("linked");
    dir
}

fn files(dir: &Path, all: &mut BTreeSet<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("it is read").flatten() {
        all.insert(entry.path());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            files(&entry.path(), all);
        }
    }
}

/// Starts what is in the folder, asks it, ends it, and looks that nothing was written.
async fn ask(dir: &Path, limit: Duration) -> RegisteredRoutes {
    let (mut before, mut after) = (BTreeSet::new(), BTreeSet::new());
    files(dir, &mut before);
    let started = landfall_project::start(dir, LIMIT).await;
    assert!(
        matches!(started.run.outcome, StartOutcome::Ready { .. } | StartOutcome::Elsewhere { .. }),
        "{:?}",
        started.run
    );
    let registered = landfall_project::registered(&started, limit).await;
    started.end().await;
    files(dir, &mut after);
    assert_eq!(before, after, "something was written into the folder");
    registered
}

/// The routes as `METHODS path place`, those of the frameworks themselves left out, and the framework.
fn own(registered: &RegisteredRoutes) -> (Vec<String>, &str) {
    let RegisteredAnswer::Listed { framework, version, routes, more, .. } = &registered.answer else {
        panic!("{registered:?}")
    };
    assert!(version.is_some() && !more, "{registered:?}");
    let shown = routes.iter().filter(|route| route.place.is_empty() || route.place.contains(".py:"));
    let mut shown: Vec<String> = shown
        .map(|r| format!("{} {} {}", r.methods.join(","), r.path, r.place).trim_end().to_owned())
        .collect();
    shown.sort();
    (shown, framework)
}

const FLASK: &str = "import os
from flask import Flask, Blueprint
from flask.views import MethodView
from werkzeug.middleware.proxy_fix import ProxyFix

print('noise on the way up')
api = Blueprint('api', __name__)
never = Blueprint('never', __name__)

@api.get('/items/<int:item>')
def item(item):
    return {}

@never.get('/never')
def unheard():
    return {}

class Box(MethodView):
    def get(self):
        return {}
    def delete(self):
        return {}

def create_app():
    app = Flask(__name__, static_folder=None)
    app.register_blueprint(api, url_prefix=os.environ['PREFIX'])
    app.add_url_rule('/box', view_func=Box.as_view('box'))
    app.wsgi_app = ProxyFix(app.wsgi_app)
    return app

app = create_app()
if __name__ == '__main__':
    app.run(host='0.0.0.0', port=int(os.environ['PORT']))
";

#[tokio::test]
async fn flask_lists_what_is_registered_under_every_server() {
    let wanted = ["DELETE,GET /box run.py:18", "GET /v9/items/<int:item> run.py:10"];
    for start in [
        "gunicorn --bind 0.0.0.0:$PORT run:app",
        "gunicorn --bind 0.0.0.0:$PORT 'run:create_app()'",
        "python -m flask --app run run --host 0.0.0.0 --port $PORT",
        "cd . && exec python run.py",
    ] {
        let dir =
            python(&[("Procfile", &format!("web: {start}\n")), ("run.py", FLASK), (".env", "PREFIX=/v9\n")]);
        let registered = ask(dir.path(), LIMIT).await;
        let (routes, framework) = own(&registered);
        // A script that is run has its classes in `__main__`, whose source Python does not find again.
        let script = start.ends_with("run.py");
        let expected: Vec<&str> =
            wanted.iter().filter(|route| !(script && route.contains("/box"))).copied().collect();
        assert_eq!(
            (routes, framework),
            (expected.iter().map(|r| (*r).to_owned()).collect(), "flask"),
            "{start}"
        );
    }
}

#[tokio::test]
async fn the_code_and_the_framework_are_two_lists() {
    let dir = python(&[
        ("Procfile", "web: gunicorn --bind 0.0.0.0:$PORT run:app\n"),
        ("run.py", FLASK),
        (".env", "PREFIX=/v9\n"),
    ]);
    let mut snapshot = landfall_project::read(dir.path()).present().cloned().expect("the folder is read");
    assert!(!snapshot.routes.iter().any(|route| route.path.contains("items")), "its prefix is computed");
    let unmounted: Vec<&str> = snapshot.unmounted.iter().map(|route| route.path.as_str()).collect();
    assert_eq!(unmounted, ["/never"]);
    snapshot.registered = Some(ask(dir.path(), LIMIT).await);
    let known: Vec<&str> = snapshot.known_routes().map(|route| route.path.as_str()).collect();
    assert!(known.contains(&"/v9/items/<int:item>"), "{known:?}");
    assert!(!known.contains(&"/never"), "{known:?}");
}

const FASTAPI: &str = "from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

inner = APIRouter(prefix='/v1')
never = APIRouter()

@inner.get('/items/{item}')
def item(item: int):
    return {}

@never.get('/never')
def unheard():
    return {}

def plain(request):
    return None

outer = APIRouter()
outer.include_router(inner, prefix='/in')

def make():
    app = FastAPI()
    app.include_router(outer, prefix='/api')
    app.mount('/sub', Starlette(routes=[Route('/x', plain, methods=['POST']), Mount('/deep', routes=[Route('/y', plain)])]))
    app.mount('/files', StaticFiles(directory='.'))
    return app

app = make()
if __name__ == '__main__':
    import os, uvicorn
    uvicorn.run('main:app', host='0.0.0.0', port=int(os.environ['PORT']))
";

#[tokio::test]
async fn fastapi_lists_routers_in_routers_and_mounts() {
    let wanted =
        ["GET /api/in/v1/items/{item} main.py:9", "GET /sub/deep/y main.py:17", "POST /sub/x main.py:17"];
    for start in [
        "uvicorn main:app --host 0.0.0.0 --port $PORT",
        "uvicorn --factory main:make --host 0.0.0.0 --port $PORT",
        "hypercorn --bind 0.0.0.0:$PORT main:app",
        "python main.py",
    ] {
        let dir = python(&[("Procfile", &format!("web: {start}\n")), ("main.py", FASTAPI)]);
        let registered = ask(dir.path(), LIMIT).await;
        let (routes, framework) = own(&registered);
        assert_eq!((routes, framework), (wanted.map(str::to_owned).to_vec(), "fastapi"), "{start}");
        let RegisteredAnswer::Listed { opaque, .. } = &registered.answer else { unreachable!() };
        assert_eq!(opaque, &["/files"], "static files list no routes");
    }
}

#[tokio::test]
async fn django_lists_includes_expressions_and_what_its_classes_answer() {
    let settings = "SECRET_KEY = 'x'\nROOT_URLCONF = 'site_.urls'\nALLOWED_HOSTS = ['*']\nDEBUG = True\n";
    let urls = "from django.urls import include, path, re_path
from django.views import View
from . import views

urlpatterns = [
    path('health', views.health),
    re_path(r'^u/(?P<name>[a-z]+(?:-[a-z]+)*)/$', views.user),
    path('api/', include([path('items/<int:item>/', views.Item.as_view())])),
]
";
    let views = "from django.http import JsonResponse
from django.views import View

def health(request):
    return JsonResponse({})

def user(request, name):
    return JsonResponse({})

class Item(View):
    def get(self, request, item):
        return JsonResponse({})
    def put(self, request, item):
        return JsonResponse({})
";
    let wsgi = "import os\nfrom django.core.wsgi import get_wsgi_application\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site_.settings')\napplication = get_wsgi_application()\n";
    let manage = "import os, sys\n\ndef main():\n    os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site_.settings')\n    from django.core.management import execute_from_command_line\n    execute_from_command_line(sys.argv)\n\nif __name__ == '__main__':\n    main()\n";
    for start in
        ["gunicorn --bind 0.0.0.0:$PORT site_.wsgi", "python manage.py runserver --noreload 0.0.0.0:$PORT"]
    {
        let dir = python(&[
            ("Procfile", &format!("web: {start}\n")),
            ("manage.py", manage),
            ("site_/__init__.py", ""),
            ("site_/settings.py", settings),
            ("site_/urls.py", urls),
            ("site_/views.py", views),
            ("site_/wsgi.py", wsgi),
        ]);
        let registered = ask(dir.path(), LIMIT).await;
        let (routes, framework) = own(&registered);
        let wanted = [
            "/health site_/views.py:4",
            "/u/<name>/ site_/views.py:7",
            "GET,PUT /api/items/<int:item>/ site_/views.py:10",
        ];
        let routes: Vec<&str> = routes.iter().map(|route| route.trim_start()).collect();
        assert_eq!((routes, framework), (wanted.to_vec(), "django"), "{start}");
    }
}

const EXPRESS: &str = "const express = require('express')
const app = express()
const api = express.Router()
api.get('/items/:id', (req, res) => res.json({}))
api.route('/items').get((req, res) => res.json([])).post((req, res) => res.json({}))
const inner = express.Router()
inner.delete('/x', (req, res) => res.end())
api.use('/deep', inner)
app.use(express.json())
app.use(['/api', process.env.PREFIX], api)
const sub = express()
sub.all('/any', (req, res) => res.end())
app.use('/sub', sub)
app.get('/health', (req, res) => res.json({ ok: true }))
const never = express.Router()
never.get('/never', (req, res) => res.end())
";

#[tokio::test]
async fn express_lists_routers_in_routers_in_both_of_its_lines() {
    let wanted = [
        "/sub/any",
        "DELETE /api/deep/x",
        "DELETE /v9/deep/x",
        "GET /api/items/:id",
        "GET /health",
        "GET /v9/items/:id",
        "GET,POST /api/items",
        "GET,POST /v9/items",
    ];
    let listens = "app.listen(process.env.PORT, '0.0.0.0')\n";
    let by_hand = "require('http').createServer((req, res) => app(req, res)).listen(process.env.PORT)\n";
    let module = EXPRESS.replace("const express = require('express')", "import express from 'express'");
    for line in ["express4", "express5"] {
        for (file, text, start) in [
            ("server.js", format!("{EXPRESS}{listens}"), "npm start"),
            ("server.js", format!("{EXPRESS}{by_hand}"), "node server.js"),
            ("server.mjs", format!("{module}{listens}"), "node server.mjs"),
        ] {
            let dir = node(
                line,
                "express",
                &[
                    ("Procfile", &format!("web: {start}\n")),
                    ("package.json", "{\"name\": \"a\", \"scripts\": {\"start\": \"node server.js\"}}"),
                    (file, &text),
                    (".env", "PREFIX=/v9\n"),
                    (".env.example", "PREFIX=\n"),
                ],
            );
            let registered = ask(dir.path(), LIMIT).await;
            let (routes, framework) = own(&registered);
            let routes: Vec<&str> = routes.iter().map(|route| route.trim_start()).collect();
            assert_eq!((routes, framework), (wanted.to_vec(), "express"), "{line} {start}");
        }
    }
}

#[tokio::test]
async fn fastify_lists_plugins_in_plugins() {
    let server = "import Fastify from 'fastify'
const app = Fastify()
app.get('/health', async () => ({ ok: true }))
app.register(async (api) => {
  api.route({ method: ['GET', 'POST'], url: '/items', handler: async () => [] })
  api.register(async (deep) => { deep.delete('/x/:id', async () => ({})) }, { prefix: '/deep' })
}, { prefix: process.env.PREFIX })
app.listen({ port: Number(process.env.PORT), host: '0.0.0.0' })
";
    let required = server.replace("import Fastify from 'fastify'", "const Fastify = require('fastify')");
    for (file, text) in [("server.mjs", server), ("server.cjs", &required)] {
        let dir = node(
            "fastify",
            "fastify",
            &[
                ("Procfile", &format!("web: node {file}\n")),
                (file, text),
                (".env", "PREFIX=/v9\n"),
                (".env.example", "PREFIX=\n"),
            ],
        );
        let registered = ask(dir.path(), LIMIT).await;
        let (routes, framework) = own(&registered);
        let wanted = ["DELETE /v9/deep/x/:id", "GET /health", "GET,POST /v9/items"];
        assert_eq!((routes, framework), (wanted.map(str::to_owned).to_vec(), "fastify"), "{file}");
    }
}

/// Three ways in which nothing is learnt, and none of them is an empty list.
#[tokio::test]
async fn what_fails_what_says_nothing_and_what_cannot_be_asked_are_told_apart() {
    // It takes a port of its own while it is loaded, which a second process finds taken.
    let taken = landfall_ports::claimed();
    let failing = format!(
        "import os, socket\nfrom flask import Flask\nlock = socket.socket()\ntry:\n    lock.bind(('127.0.0.1', {taken}))\nexcept OSError:\n    raise RuntimeError('only one of us, says ' + os.environ['API_TOKEN'])\nlock.listen()\napp = Flask(__name__)\n"
    );
    let waiting = failing.replace(
        "    raise RuntimeError('only one of us, says ' + os.environ['API_TOKEN'])",
        "    import time\n    time.sleep(600)",
    );
    let procfile = ("Procfile", "web: gunicorn --preload --bind 0.0.0.0:$PORT run:app\n");
    let token = (".env", "API_TOKEN=tok-1234567890\n");

    let dir = python(&[procfile, token, ("run.py", &failing)]);
    let registered = ask(dir.path(), LIMIT).await;
    assert!(
        matches!(&registered.answer, RegisteredAnswer::Failed { reason } if reason.starts_with("RuntimeError: only one of us") && !reason.contains("tok-1234567890")),
        "{registered:?}"
    );
    assert_eq!(
        registered.asked,
        "python3 run:app".replace("python3", registered.asked.split(' ').next().unwrap_or(""))
    );

    let dir = python(&[procfile, token, ("run.py", &waiting)]);
    let registered = ask(dir.path(), Duration::from_secs(3)).await;
    assert_eq!(registered.answer, RegisteredAnswer::Silent { limit_us: 3_000_000 });

    let server = "import http.server, os\nhttp.server.HTTPServer(('0.0.0.0', int(os.environ['PORT'])), http.server.SimpleHTTPRequestHandler).serve_forever()\n";
    let dir = folder(&[("Procfile", "web: python3 serve.py\n"), ("serve.py", server)]);
    let registered = ask(dir.path(), LIMIT).await;
    assert!(
        matches!(&registered.answer, RegisteredAnswer::NotAsked { reason } if reason.contains("no framework known here")),
        "{registered:?}"
    );

    let dir = folder(&[("Procfile", "web: sleep 600\n")]);
    let started = landfall_project::start(dir.path(), Duration::from_millis(200)).await;
    let registered = landfall_project::registered(&started, LIMIT).await;
    assert!(
        matches!(&registered.answer, RegisteredAnswer::NotAsked { reason } if reason.contains("did not come up")),
        "{registered:?}"
    );
    started.end().await;
}
