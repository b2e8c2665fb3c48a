// Lists the routes of an Express or Fastify application at the moment when it would begin to listen. Preloaded by `node -r`.
//
// LANDFALL_ROUTES names the file that the list is written to, as JSON. The process then ends: it never listens.
'use strict'

const fs = require('fs')
const net = require('net')
const path = require('path')
const Module = require('module')
const { createRequire } = Module

const MAX_ROUTES = 1000
const MAX_DEPTH = 12
const answer = process.env.LANDFALL_ROUTES
delete process.env.LANDFALL_ROUTES

// Express 5 keeps of a mount's path a matcher alone, and neither keeps the application that a mount leads to
// (expressjs.com/en/api.html#app.use), so both are noted when they are given.
const mounts = new WeakMap() // a layer -> its path
const children = new WeakMap() // an application -> [path, application that is used]
const applications = []
let version = null

function watch (from) {
  let express, router
  try {
    const find = createRequire(from)
    const file = find.resolve('express')
    const inside = createRequire(file)
    express = find('express')
    version = version || inside('./package.json').version
    router = express.Router()
  } catch (error) {
    return
  }
  if (express.application.landfall) return
  // What every router has its methods from, one step away in Express 4 and two in Express 5.
  let own = router
  while (own && !Object.prototype.hasOwnProperty.call(own, 'use')) own = Object.getPrototypeOf(own)
  const use = own.use
  own.use = function (...given) {
    const before = this.stack.length
    const result = use.apply(this, given)
    for (const layer of this.stack.slice(before)) mounts.set(layer, paths(given[0]))
    return result
  }
  const application = express.application
  const init = application.init
  application.init = function (...given) {
    applications.push(this)
    return init.apply(this, given)
  }
  const uses = application.use
  application.use = function (...given) {
    const kept = children.get(this) || []
    for (const one of given.flat(Infinity)) {
      if (typeof one === 'function' && one.handle && one.set) kept.push([paths(given[0]), one])
    }
    children.set(this, kept)
    return uses.apply(this, given)
  }
  Object.defineProperty(application, 'landfall', { value: true })
}

// Fastify tells each route when it is added, with all prefixes (fastify.dev/docs/latest/Reference/Hooks/#onroute). The hook
// has to be there before the first route, so the function that makes an instance is replaced while its module is loaded:
// a module of ECMAScript that imports it sees what the load left behind.
const told = []
const files = new Set()
let fastify = null

function hear (from) {
  try {
    const find = createRequire(from)
    const file = find.resolve('fastify')
    fastify = fastify || createRequire(file)('./package.json').version
    files.add(file)
  } catch (error) { /* the project does without it */ }
}

const load = Module._extensions['.js']
Module._extensions['.js'] = function (module, file) {
  const result = load.call(this, module, file)
  const made = module.exports
  if (!files.has(file) || typeof made !== 'function') return result
  const make = function (...given) {
    const instance = made.apply(this, given)
    instance.addHook('onRoute', (route) => {
      const methods = [route.method].flat().filter((name) => name !== 'HEAD').sort()
      if (methods.length) told.push({ path: route.url || '/', methods: methods.length > 7 ? [] : methods })
    })
    return instance
  }
  module.exports = Object.assign(make, made, { fastify: make, default: make })
  return result
}

function paths (given) {
  const all = (Array.isArray(given) ? given.flat(Infinity) : [given])
    .filter((one) => typeof one === 'string' || one instanceof RegExp)
  return all.length ? all.map((one) => (typeof one === 'string' ? one : null)) : ['']
}

function join (prefix, tail) {
  if (tail === '/' || tail === '') return prefix || '/'
  return prefix.replace(/\/$/, '') + '/' + tail.replace(/^\//, '')
}

function list (stack, prefix, out, depth) {
  for (const layer of stack) {
    if (depth > MAX_DEPTH) return out.opaque.push(prefix || '/')
    if (layer.route) {
      let methods = Object.keys(layer.route.methods).map((name) => name.toUpperCase()).filter((name) => name !== 'HEAD').sort()
      // `app.all` registers each method that Node knows, `route.all` one entry for all of them.
      if (methods.includes('_ALL') || methods.length > 20) methods = []
      for (const one of [layer.route.path].flat(Infinity)) {
        if (typeof one !== 'string') out.opaque.push(prefix || '/')
        else if (out.routes.length >= MAX_ROUTES) out.more = true
        else out.routes.push({ path: join(prefix, one), methods })
      }
    } else if (layer.handle && Array.isArray(layer.handle.stack)) {
      for (const one of mounts.get(layer) || [null]) {
        // A mount whose path is an expression, or that was made before we looked.
        if (one === null) out.opaque.push(prefix || '/')
        else list(layer.handle.stack, join(prefix, one).replace(/^\/$/, ''), out, depth + 1)
      }
    }
  }
}

function below (app, prefix, out, depth) {
  const router = app._router || (version && !version.startsWith('4.') ? app.router : null)
  if (router && router.stack) list(router.stack, prefix, out, depth)
  for (const [at, child] of children.get(app) || []) {
    for (const one of at) {
      if (one === null || depth > MAX_DEPTH) out.opaque.push(prefix || '/')
      else below(child, join(prefix, one).replace(/^\/$/, ''), out, depth + 1)
    }
  }
}

function tell (said) {
  fs.writeFileSync(answer + '.part', JSON.stringify(said))
  fs.renameSync(answer + '.part', answer)
  process.reallyExit(0)
}

if (answer) {
  const script = process.argv[1]
  for (const from of [script && path.resolve(script), path.join(process.cwd(), 'x.js')]) {
    if (!from) continue
    let real = from
    try { real = fs.realpathSync(from) } catch (error) { /* it may lack its ending, or be a name for a loader */ }
    watch(real)
    hear(real)
  }
  const listen = net.Server.prototype.listen
  net.Server.prototype.listen = function (...given) {
    // What opens other servers first (an inspector, a metrics port of another kind) is let be.
    if (typeof this.listeners !== 'function' || this.listenerCount('request') === 0) return listen.apply(this, given)
    if (told.length) {
      const routes = told.slice(0, MAX_ROUTES)
      return tell({ framework: 'fastify', version: fastify, routes, opaque: [], more: told.length > MAX_ROUTES })
    }
    const out = { framework: 'express', version, routes: [], opaque: [], more: false }
    const served = this.listeners('request').filter((one) => typeof one === 'function' && one.handle && one.set)
    const used = new Set()
    for (const app of applications) for (const [, child] of children.get(app) || []) used.add(child)
    const roots = served.length ? served : applications.filter((app) => !used.has(app))
    if (!roots.length) return tell({ unknown: 'a server of Node that neither Express nor Fastify answers for' })
    try {
      for (const app of roots) below(app, '', out, 0)
    } catch (error) {
      return tell({ failed: String(error && error.stack || error).split('\n')[0] })
    }
    tell(out)
  }
  process.on('uncaughtExceptionMonitor', (error) => {
    fs.writeFileSync(answer, JSON.stringify({ failed: String(error && error.stack || error).split('\n')[0] }))
  })
}
