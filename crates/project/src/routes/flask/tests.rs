//! Flask, FastAPI and Starlette in files as people write them.

use crate::routes::tests::check;

#[test]
fn one_file() {
    check(
        &[(
            "app.py",
            "from flask import Flask\napp = Flask(__name__)\n@app.route('/')\ndef a(): pass\n@app.route(\n  '/b',\n  methods=['GET', 'post'],\n)\n\
             def b(): pass\n@app.post('/c')\ndef c(): pass\n@cache.get('x')\ndef d(): pass\n# @app.get('/no')\napp.add_url_rule('/e', 'e', e, methods=['PUT'])\n",
        )],
        &["GET / app.py:3", "GET,POST /b app.py:5", "POST /c app.py:10", "PUT /e app.py:15"],
    );
}

#[test]
fn blueprints_take_the_prefix_of_their_registration() {
    let blueprint = "from flask import Blueprint\nbp = Blueprint('x', __name__, url_prefix='/own')\n@bp.get('/health')\ndef h(): pass\n";
    check(
        &[
            ("b/__init__.py", "from .support import bp as support\nfrom b import stripe\n"),
            ("b/support.py", blueprint),
            ("b/stripe.py", blueprint),
            ("b/unused.py", blueprint),
            (
                "run.py",
                "from b import support, stripe\ndef create_app():\n    app = Flask(__name__)\n    app.register_blueprint(support, url_prefix='/api/support')\n    app.register_blueprint(stripe.bp)\n    return app\n",
            ),
        ],
        &["GET /api/support/health b/support.py:3", "GET /own/health b/stripe.py:3"],
    );
}

#[test]
fn blueprints_inside_blueprints() {
    check(
        &[(
            "a.py",
            "api = Blueprint('api', __name__, url_prefix='/api')\nv1 = Blueprint('v1', __name__, url_prefix='/v1')\n\
             @v1.get('/x')\ndef x(): pass\napi.register_blueprint(v1)\napp.register_blueprint(api)\n",
        )],
        &["GET /api/v1/x a.py:3"],
    );
}

#[test]
fn a_loop_over_blueprints_keeps_them_all() {
    check(
        &[(
            "a.py",
            "one = Blueprint('one', __name__, url_prefix='/one')\n@one.get('/x')\ndef x(): pass\nfor b in all_of_them:\n    app.register_blueprint(b)\n",
        )],
        &["GET /one/x a.py:2"],
    );
}

#[test]
fn fastapi_prefixes_add_up() {
    check(
        &[
            (
                "main.py",
                "from fastapi import FastAPI\nfrom routers import items\napp = FastAPI()\napp.include_router(items.router, prefix='/api')\n@app.get('/health')\ndef h(): pass\n",
            ),
            ("routers/__init__.py", ""),
            (
                "routers/items.py",
                "router = APIRouter(prefix='/items', tags=['x'])\n@router.get('/{id}')\nasync def i(): pass\n",
            ),
        ],
        &["GET /api/items/{id} routers/items.py:2", "GET /health main.py:5"],
    );
}

#[test]
fn starlettes_tables_and_mounts() {
    check(
        &[(
            "a.py",
            "from starlette.routing import Mount, Route\nroutes = [\n    Route('/', home),\n    Mount('/api', routes=[\n        Route('/x/{id:int}', one, methods=['GET', 'POST']),\n    ]),\n    Route('/last', endpoint=last),\n]\n",
        )],
        &["GET / a.py:3", "GET,POST /api/x/{id:int} a.py:5", "GET /last a.py:7"],
    );
}

#[test]
fn what_only_looks_like_a_call_is_none() {
    check(
        &[(
            "app.py",
            "from flask import Flask\napp = Flask(__name__)\nEXAMPLE = \"\"\"\n@app.get('/in-a-text')\ndef no(): pass\n\"\"\"\n\
             LINE = \"@app.get('/in-a-line')\"\nHELP = f\"app.add_url_rule('/in-a-template', {LINE})\"\n\n\
             @app.get('/real')\ndef real():\n    '''\n    @app.get('/in-a-docstring')\n    '''\n    return \"app.add_url_rule('/no', view_func=f)\"\n",
        )],
        &["GET /real app.py:10"],
    );
}

#[test]
fn prefixes_may_be_constants_of_the_file_or_of_another_one() {
    check(
        &[
            (
                "main.py",
                "from fastapi import FastAPI\nfrom core.config import settings\nfrom api import router as api_router\nVERSION = '/v2'\n\
                 app = FastAPI()\napp.include_router(api_router, prefix=settings.API)\napp.include_router(api_router, prefix=f'/x{VERSION}')\napp.include_router(api_router, prefix=computed())\n",
            ),
            (
                "core/config.py",
                "class Settings(BaseSettings):\n    API: str = '/api' + '/v1'\nsettings = Settings()\n",
            ),
            ("api/__init__.py", "from .users import users as router\n"),
            (
                "api/users.py",
                "from fastapi import APIRouter\nBASE = '/users'\nusers = APIRouter(prefix=BASE)\nME = '/me'\n@users.get(ME)\nasync def me(): pass\n",
            ),
        ],
        &["GET /api/v1/users/me api/users.py:5", "GET /x/v2/users/me api/users.py:5"],
    );
}

#[test]
fn two_routers_of_one_name_are_two() {
    check(
        &[(
            "a.py",
            "from fastapi import APIRouter, FastAPI\ndef items():\n    router = APIRouter(prefix='/items')\n    @router.get('/x')\n    def x(): pass\n    return router\n\
             def users():\n    router = APIRouter(prefix='/users')\n    @router.get('/y')\n    def y(): pass\n    return router\n\
             app = FastAPI()\napp.include_router(items(), prefix='/a')\napp.include_router(users(), prefix='/b')\n",
        )],
        &["GET /a/items/x a.py:4", "GET /b/users/y a.py:9"],
    );
}

#[test]
fn routers_in_routers_applications_in_applications_and_loops() {
    check(
        &[(
            "a.py",
            "api = APIRouter()\nv1 = APIRouter(prefix='/v1')\ndeep = APIRouter()\n@deep.post('/deep')\ndef d(): pass\n\
             v1.include_router(deep, prefix='/below')\napi.include_router(v1)\napp = FastAPI()\napp.include_router(api, prefix='/api')\n\
             admin = FastAPI()\n@admin.get('/users')\ndef u(): pass\napp.mount('/admin', admin)\n\
             one = Blueprint('one', __name__, url_prefix='/one')\ntwo = Blueprint('two', __name__)\n@one.get('/x')\ndef x(): pass\n@two.get('/y')\ndef y(): pass\n\
             never = Blueprint('never', __name__)\n@never.get('/z')\ndef z(): pass\n\
             for part in (one, two):\n    site.register_blueprint(part)\n",
        )],
        &[
            "GET /admin/users a.py:11",
            "POST /api/v1/below/deep a.py:4",
            "GET /one/x a.py:16",
            "GET /y a.py:18",
        ],
    );
}

#[test]
fn an_application_that_is_the_objects_own_or_handed_on() {
    check(
        &[
            (
                "server.py",
                "from flask import Flask\nfrom views import add_views\nclass Server:\n    def __init__(self):\n        self.app = Flask(__name__)\n        self.app.add_url_rule('/own', view_func=f, methods=['PUT'])\n        add_views(self.app)\n",
            ),
            (
                "views.py",
                "def add_views(target):\n    @target.route('/given', methods=('get', 'POST'))\n    def given(): pass\n",
            ),
        ],
        &["GET,POST /given views.py:2", "PUT /own server.py:6"],
    );
}

#[test]
fn starlettes_tables_by_name_and_inside_of_one_another() {
    check(
        &[(
            "a.py",
            "from starlette.applications import Starlette\nfrom starlette.routing import Mount, Route, Router\nPREFIX = '/v1'\n\
             users = [\n    Route('/me', me),\n]\napi = [\n    Mount('/users', routes=users),\n    Mount(PREFIX, app=Router(routes=[Route('/x', x)])),\n]\n\
             NOTE = \"Route('/no', no)\"\napp = Starlette(routes=[\n    Mount('/api', routes=api),\n    Route('/', home),\n])\n",
        )],
        &["GET / a.py:14", "GET /api/users/me a.py:5", "GET /api/v1/x a.py:9"],
    );
}

#[test]
fn resources_namespaces_and_classes_of_views() {
    check(
        &[
            (
                "app.py",
                "from flask import Flask, Blueprint\nfrom flask_restx import Api\nfrom users import ns as users\n\
                 app = Flask(__name__)\nbp = Blueprint('api', __name__, url_prefix='/api')\napi = Api(bp, prefix='/v1')\n\
                 api.add_namespace(users)\nthings = api.namespace('things')\n@things.route('/', '/all')\nclass Things(Resource):\n    def get(self): pass\n    def post(self): pass\n\
                 api.add_resource(Things, '/old')\napp.register_blueprint(bp)\n\
                 class Page(MethodView):\n    def put(self): pass\napp.add_url_rule('/page', view_func=Page.as_view('page'))\n",
            ),
            (
                "users.py",
                "ns = Namespace('users', description='Users')\n@ns.route('/<id>')\nclass User(Resource):\n    def delete(self, id): pass\n",
            ),
        ],
        &[
            "GET,POST /api/v1/old app.py:13",
            "GET,POST /api/v1/things/ app.py:9",
            "GET,POST /api/v1/things/all app.py:9",
            "DELETE /api/v1/users/<id> users.py:2",
            "PUT /page app.py:17",
        ],
    );
}

#[test]
fn a_router_that_is_mounted_by_a_function_keeps_its_own_prefix() {
    check(
        &[(
            "a.py",
            "def add(app, part):\n    app.register_blueprint(part)\nbp = Blueprint('x', __name__, url_prefix='/own')\n@bp.get('/x')\ndef x(): pass\nadd(app, bp)\n",
        )],
        &["GET /own/x a.py:4"],
    );
}
