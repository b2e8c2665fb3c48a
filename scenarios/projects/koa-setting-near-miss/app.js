const Koa = require('koa');
const Router = require('@koa/router');

const app = new Koa();
const router = new Router({ prefix: '/api' });
app.keys = [process.env.SESSION_SECRET];
router.get('/me', (ctx) => { ctx.body = { ok: true }; });
app.use(router.routes());
app.listen(process.env.PORT || 3000);
