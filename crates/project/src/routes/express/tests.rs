//! Express, Koa's router, Fastify and Hono in files as people write them.

use crate::routes::tests::check;

#[test]
fn routers_are_followed_to_their_mounts() {
    check(
        &[
            (
                "server.js",
                "const express = require('express');\nconst app = express();\nconst support = require('./routes/support');\n\
                 app.get('/health', (q, s) => s.json({}));\napp.use('/api/support', auth, support);\napp.get('title');\ncache.get('/no', x);\n",
            ),
            (
                "routes/support.js",
                "const router = express.Router();\nrouter.get('/', f);\nrouter.post('/x/:id', f);\nmodule.exports = router;\n",
            ),
        ],
        &[
            "GET /api/support routes/support.js:2",
            "POST /api/support/x/:id routes/support.js:3",
            "GET /health server.js:4",
        ],
    );
}

#[test]
fn typescript_imports() {
    check(
        &[
            (
                "src/index.ts",
                "import api from './api.js'\nconst app: Express = express()\napp.use('/v1', api)\n",
            ),
            ("src/api.ts", "const api = Router()\napi.all('/any', f)\nexport default api\n"),
        ],
        &[" /v1/any src/api.ts:2"],
    );
}

#[test]
fn fastify_plugins_and_koa_routers() {
    check(
        &[
            (
                "server.js",
                "const fastify = require('fastify')({ logger: true })\nconst items = require('./items')\nfastify.register(items, { prefix: '/v1' })\nfastify.get('/health', async () => ({}))\nfastify.route({ method: ['GET', 'HEAD'], url: '/x', handler })\n",
            ),
            (
                "items.js",
                "module.exports = async function (fastify, opts) {\n  fastify.post('/items', h)\n}\n",
            ),
        ],
        &["GET /health server.js:4", "POST /v1/items items.js:2", "GET,HEAD /x server.js:5"],
    );
    check(
        &[(
            "app.js",
            "const Koa = require('koa');\nconst app = new Koa();\nconst router = new Router({ prefix: '/api' });\nrouter.get('/items', h);\napp.use(router.routes());\n",
        )],
        &["GET /api/items app.js:4"],
    );
}

#[test]
fn what_only_looks_like_a_call_is_none() {
    check(
        &[(
            "app.js",
            "const express = require('express');\nconst app = express();\nconst text = \"app.get('/in-a-text', f)\";\nconst page = `\n  app.get('/in-a-template', f);\n`;\n\
             /* app.get('/in-a-comment', f) */\nconst pattern = /app.get('x', y)/;\napp.get(`/real`, f);\nconst client = makeClient();\nclient.get('/of-a-client', f);\n\
             function remote(app) { return app.get('/not-given-the-app', f); }\n",
        )],
        &["GET /real app.js:9"],
    );
}

#[test]
fn routers_in_routers_constants_chains_and_lists_of_paths() {
    check(
        &[
            (
                "src/index.ts",
                "import express, { Router as R } from 'express';\nimport { API as BASE } from './constants';\nimport { users } from './routes';\n\
                 const app = express();\nconst api = R();\nconst v1: Router = R();\napp.use(BASE, api);\napi.use('/v1', auth, v1);\nv1.use(`${'/users'}`, users);\n\
                 v1.route('/things/:id').get(one).put<Params>(change).delete(gone);\nconst PATHS = ['/a', '/b'];\nv1.get(PATHS, f).post('/c', f);\napp.get(compute(), f);\n",
            ),
            ("src/constants.ts", "export const API = '/api' as const;\n"),
            (
                "src/routes/index.ts",
                "export { default as users } from './users';\nexport * from './other';\n",
            ),
            (
                "src/routes/users.ts",
                "import { Router } from 'express';\nconst router = Router();\nrouter.get('/', list);\nexport default router;\n",
            ),
        ],
        &[
            "GET /api/v1/a src/index.ts:12",
            "GET /api/v1/b src/index.ts:12",
            "POST /api/v1/c src/index.ts:12",
            "DELETE /api/v1/things/:id src/index.ts:10",
            "GET /api/v1/things/:id src/index.ts:10",
            "PUT /api/v1/things/:id src/index.ts:10",
            "GET /api/v1/users src/routes/users.ts:3",
        ],
    );
}

#[test]
fn functions_and_classes_that_are_given_the_application() {
    check(
        &[
            (
                "server.js",
                "const app = require('express')();\nrequire('./routes')(app);\nconst { admin } = require('./admin');\napp.use('/admin', admin());\nnew Server(app);\n\
                 class Server {\n  constructor(target) {\n    this.target = target;\n    this.setup();\n  }\n  setup() {\n    this.target.get('/own', f);\n  }\n}\n",
            ),
            ("routes/index.js", "module.exports = (app) => {\n  require('./health')(app);\n};\n"),
            ("routes/health.js", "module.exports = function (server) {\n  server.get('/health', f);\n};\n"),
            (
                "admin.js",
                "const { Router } = require('express');\nfunction admin() {\n  const router = Router();\n  router.delete('/x', f);\n  return router;\n}\n\
                 function other() {\n  const router = Router();\n  router.get('/never-mounted', f);\n  return router;\n}\nmodule.exports = { admin, other };\n",
            ),
        ],
        &["DELETE /admin/x admin.js:4", "GET /health routes/health.js:2", "GET /own server.js:12"],
    );
}

#[test]
fn a_prefix_that_is_computed_leaves_its_routes_out() {
    check(
        &[(
            "app.js",
            "const app = express();\nconst api = express.Router();\napi.get('/x', f);\napp.use(config.basePath, api);\napp.get('/y', f);\n",
        )],
        &["GET /y app.js:5"],
    );
}

#[test]
fn fastify_plugins_in_plugins_and_shared_ones() {
    check(
        &[
            (
                "server.ts",
                "import Fastify, { FastifyInstance } from 'fastify';\nimport fp from 'fastify-plugin';\nimport items from './items.js';\nconst server = Fastify();\n\
                 server.register(items, { prefix: '/v1' });\nserver.register(fp(async (f: FastifyInstance) => {\n  f.get('/shared', h);\n}), { prefix: '/ignored' });\n\
                 server.register(async (inner) => {\n  inner.register(async (deep) => {\n    deep.route({ method: 'PATCH', url: '/deep', handler: h });\n  }, { prefix: '/b' });\n}, { prefix: '/a' });\n",
            ),
            (
                "items.ts",
                "export default async function routes(app: FastifyInstance, opts: object) {\n  app.get('/items', h);\n}\n",
            ),
        ],
        &["PATCH /a/b/deep server.ts:11", "GET /shared server.ts:7", "GET /v1/items items.ts:2"],
    );
}

#[test]
fn koas_routers_inside_of_routers_and_hono() {
    check(
        &[(
            "app.js",
            "const Koa = require('koa');\nconst KoaRouter = require('@koa/router');\nconst app = new Koa();\nconst outer = new KoaRouter({ prefix: '/api' });\nconst inner = new KoaRouter();\ninner.prefix('/inner');\n\
             inner.get('name', '/x', h);\nouter.use('/mid', inner.routes(), inner.allowedMethods());\napp.use(outer.routes()).use(outer.allowedMethods());\n",
        )],
        &["GET /api/mid/inner/x app.js:7"],
    );
    check(
        &[(
            "app.ts",
            "import { Hono } from 'hono';\nconst books = new Hono<Env>().get('/', f).post('/:id', f);\nconst app = new Hono();\napp.route('/books', books);\nexport default app;\n",
        )],
        &["GET /books app.ts:2", "POST /books/:id app.ts:2"],
    );
}

#[test]
fn modules_in_the_forms_that_code_hands_them_on() {
    let router =
        "const express = require('express');\nconst router = express.Router();\nrouter.get('/x', f);\n";
    let with = |export: &str| format!("{router}{export}\n");
    check(
        &[
            (
                "src/app.js",
                "const express = require('express');\nconst app = express();\nimport parts from '.';\napp.use('/a', require('./a').router);\n\
                 app.use('/b', require('./b').default);\napp.use('/c', parts.c);\nconst { d: renamed } = require('./d');\napp.use('/d', renamed);\n\
                 import * as all from '@/e';\napp.use('/e', all.router);\nmodule.exports = app;\n",
            ),
            ("src/index.js", "export default { c: require('./c') };\n"),
            ("src/express.js", "module.exports = () => 'not the package';\n"),
            ("src/a.js", &with("module.exports = { router };")),
            ("src/b.js", &with("export default router;")),
            ("src/c/index.js", &with("module.exports = exports = router;")),
            ("src/d.js", &with("exports.d = router;")),
            ("src/e.ts", &with("export { router };")),
            ("src/f.ts", &with("export = router;")),
            (
                "src/other.ts",
                "import app from './app.js';\nimport f = require('./f');\napp.use('/f', f);\napp.get('/other', f);\n",
            ),
        ],
        &[
            "GET /a/x src/a.js:3",
            "GET /b/x src/b.js:3",
            "GET /c/x src/c/index.js:3",
            "GET /d/x src/d.js:3",
            "GET /e/x src/e.ts:3",
            "GET /f/x src/f.ts:3",
            "GET /other src/other.ts:4",
        ],
    );
}
