"""Lists the routes that a Python application has registered, as its own framework holds them.

    python routes.py ANSWER WAY TARGET [OPTION ...]

ANSWER is the file that the list is written to, as JSON. WAY is how the server finds the application: `object` (TARGET is
`module:attribute`, perhaps with a call), `flask` (as `flask run` looks for it, TARGET may be empty) or `script` (TARGET is a
file that starts its server itself; it is run up to the point where it would). Options are `factory`, and folders for the
import path as `path=FOLDER`. Nothing is written but ANSWER, no server is started, and the process ends at once.
"""

import importlib
import json
import os
import sys
import traceback

MAX_ROUTES = 1000
MAX_DEPTH = 12


class Unknown(Exception):
    """What was found is made by no framework that is known here."""


class Found(BaseException):
    """The script has come to where it would serve. No `except Exception` may hold it up."""

    def __init__(self, app):
        super().__init__()
        self.app = app


class List:
    def __init__(self):
        self.framework = None
        self.version = None
        self.routes = []
        self.opaque = []
        self.more = False

    def named(self, framework, distribution):
        if self.framework is None:
            self.framework = framework
            try:
                from importlib.metadata import version

                self.version = version(distribution)
            except Exception:
                self.version = None

    def add(self, path, methods, handler):
        if len(self.routes) >= MAX_ROUTES:
            self.more = True
            return
        methods = sorted(set(methods or ()) - {"HEAD", "OPTIONS"}) or sorted(set(methods or ()))
        route = {"path": path if path.startswith("/") else "/" + path, "methods": methods}
        route.update(place_of(handler))
        self.routes.append(route)


def place_of(handler):
    """Where a handler is written, and its dotted name."""
    for _ in range(MAX_DEPTH):
        inner = getattr(handler, "__wrapped__", None) or getattr(handler, "func", None)
        if inner is None or not callable(inner):
            break
        handler = inner
    for name in ("view_class", "cls"):
        handler = getattr(handler, name, None) or handler
    place = {}
    module, name = getattr(handler, "__module__", None), getattr(handler, "__qualname__", None)
    if module and name:
        place["handler"] = "%s.%s" % (module, name)
    code = getattr(handler, "__code__", None)
    if code is not None:
        place["file"], place["line"] = code.co_filename, code.co_firstlineno
    elif isinstance(handler, type):
        import inspect

        try:
            place["file"], place["line"] = inspect.getsourcefile(handler), inspect.getsourcelines(handler)[1]
        except Exception:
            pass
    return place


def joined(prefix, path):
    if not prefix:
        return path
    return prefix.rstrip("/") + "/" + path.lstrip("/") if path.strip("/") else prefix.rstrip("/") + path


# Flask, Quart: https://flask.palletsprojects.com/en/stable/api/#flask.Flask.url_map
def of_flask(app, prefix, out):
    out.named("quart" if type(app).__module__.split(".")[0] == "quart" else "flask", type(app).__module__.split(".")[0])
    for rule in app.url_map.iter_rules():
        if getattr(rule, "websocket", False):
            continue
        out.add(joined(prefix, rule.rule), rule.methods, app.view_functions.get(rule.endpoint))


# Starlette, FastAPI: https://www.starlette.io/routing/
def of_starlette(routes, prefix, out, depth):
    for route in routes:
        # FastAPI keeps what a router includes as one entry and puts the paths together when they are asked for.
        parts = getattr(route, "effective_candidates", None)
        if callable(parts):
            of_starlette(parts(), prefix, out, depth + 1)
            continue
        route = getattr(route, "starlette_route", None) or route
        path = getattr(route, "path", None)
        methods = getattr(route, "methods", None)
        if methods is not None and path is not None:
            out.add(joined(prefix, path), methods, getattr(route, "endpoint", None))
        elif getattr(route, "host", None) is not None:
            below(getattr(route, "app", None), prefix, out, depth + 1)
        elif path is not None and hasattr(route, "app") and not hasattr(route, "endpoint"):
            mounted = getattr(route, "_base_app", None) or route.app
            below(mounted, joined(prefix, path) if path else prefix, out, depth + 1)
        elif not hasattr(route, "endpoint"):
            out.opaque.append(prefix or "/")


# Django: https://docs.djangoproject.com/en/stable/ref/urlresolvers/#get-resolver
def of_django(out, prefix):
    import django

    out.named("django", "Django")
    django.setup(set_prefix=False)
    from django.urls import get_resolver

    patterns(get_resolver().url_patterns, prefix + "/", out, 0)


def patterns(entries, prefix, out, depth):
    if depth > MAX_DEPTH:
        out.opaque.append(prefix)
        return
    for entry in entries:
        part = plain(entry.pattern)
        if hasattr(entry, "url_patterns"):
            patterns(entry.url_patterns, prefix + part, out, depth + 1)
            continue
        view = entry.callback
        # Django REST framework says at the view which method of the class answers which of HTTP.
        methods = getattr(view, "actions", None)
        kind = getattr(view, "view_class", None) or getattr(view, "cls", None)
        if methods:
            methods = [name.upper() for name in methods]
        elif kind is not None:
            methods = [name.upper() for name in kind.http_method_names if hasattr(kind, name)]
        out.add(prefix + part, methods, view)


def plain(pattern):
    """A pattern as one writes it: of an expression the anchors go, and a group becomes its name."""
    expression = getattr(pattern, "_regex", None)
    if expression is None or hasattr(pattern, "_route"):
        return str(pattern)
    text, at, out = str(expression), 0, []
    while at < len(text):
        if text.startswith("\\", at):
            if text[at + 1 : at + 2] not in ("A", "Z", "z", "b", "B"):
                out.append(text[at + 1 : at + 2])
            at += 2
        elif text[at] == "(":
            depth, end = 0, at
            while end < len(text):
                if text[end] == "\\":
                    end += 1
                elif text[end] == "(":
                    depth += 1
                elif text[end] == ")":
                    depth -= 1
                    if depth == 0:
                        break
                end += 1
            group = text[at : end + 1]
            name = group[4:].split(">", 1)[0] if group.startswith("(?P<") else "value"
            out.append("<%s>" % name)
            at = end + 1
        elif text[at] in "^$?":
            at += 1
        else:
            out.append(text[at])
            at += 1
    return "".join(out)


def below(app, prefix, out, depth=0):
    """The routes of an application, or of the one that a middleware holds."""
    first, seen = depth == 0, set()
    while app is not None and depth <= MAX_DEPTH and id(app) not in seen:
        seen.add(id(app))
        kind = type(app)
        modules = {base.__module__.split(".")[0] for base in kind.__mro__}
        if hasattr(app, "url_map") and hasattr(app, "view_functions"):
            return of_flask(app, prefix, out)
        if "django" in modules and hasattr(app, "get_response"):
            return of_django(out, prefix)
        if hasattr(app, "routes") and modules & {"starlette", "fastapi"}:
            out.named("fastapi" if "fastapi" in modules else "starlette", "fastapi" if "fastapi" in modules else "starlette")
            return of_starlette(app.routes, prefix, out, depth)
        # werkzeug.middleware.dispatcher.DispatcherMiddleware
        if isinstance(getattr(app, "mounts", None), dict):
            for path, mounted in app.mounts.items():
                below(mounted, joined(prefix, path), out, depth + 1)
        held = [getattr(app, name, None) for name in ("app", "application", "wsgi_app", "asgi_app", "other_asgi_app")]
        inner = next((one for one in held if callable(one)), None)
        # `app.wsgi_app` of Flask is a method of what we look for.
        inner = getattr(inner, "__self__", None) or inner
        if inner is None:
            break
        app, depth = inner, depth + 1
    if not first:
        out.opaque.append(prefix or "/")
    else:
        raise Unknown("%s.%s" % (type(app).__module__, type(app).__qualname__))


def loaded(target, factory, default):
    """`module`, `module:attribute`, `module:attribute(…)`, as gunicorn and uvicorn take them."""
    module, _, name = target.partition(":")
    app = importlib.import_module(module)
    name = name or default
    if "(" in name:
        # gunicorn takes arguments that are literals; the text comes from the start command, which runs code anyway.
        return eval(name, vars(app))
    for part in name.split("."):
        app = getattr(app, part)
    return app() if factory else app


def of_script(path, arguments):
    """Runs a script up to where it would serve, and gives what it would serve."""
    import runpy

    def stop(app):
        if isinstance(app, str):
            app = loaded(app, False, "app")
        raise Found(app)

    def attempt(module, change):
        try:
            change(importlib.import_module(module))
        except ImportError:
            pass

    def uvicorn(module):
        module.run = lambda app, *_, **options: stop(app() if options.get("factory") else app)
        module.Server.run = module.Server.serve = lambda server, *_, **__: stop(server.config.app)

    def set(name, to):
        return lambda module: setattr(module, name, to)

    def class_of(name, method, to):
        return lambda module: setattr(getattr(module, name), method, to)

    attempt("flask", class_of("Flask", "run", lambda app, *_, **__: stop(app)))
    attempt("quart", class_of("Quart", "run", lambda app, *_, **__: stop(app)))
    attempt("uvicorn", uvicorn)
    attempt("gunicorn.app.base", class_of("BaseApplication", "run", lambda server: stop(server.load())))
    attempt("waitress", set("serve", lambda app, *_, **__: stop(app)))
    attempt("werkzeug.serving", set("run_simple", lambda _, __, app, *___, **____: stop(app)))
    attempt("hypercorn.asyncio", set("serve", lambda app, *_, **__: stop(app)))
    # Whatever listens by other means would never come back.
    attempt("socket", lambda module: setattr(module.socket, "listen", lambda *_: stop(None)))

    def managed(*_):
        import django
        from django.core.wsgi import get_wsgi_application

        stop(get_wsgi_application())

    attempt("django.core.management", set("execute_from_command_line", managed))
    sys.argv = [path] + arguments
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    try:
        runpy.run_path(path, run_name="__main__")
    except Found as found:
        if found.app is None:
            raise Unknown("a server that is made by no framework known here")
        return found.app
    raise Unknown("the script ended and served nothing")


def application(way, target, options, arguments):
    folders = [option[5:] for option in options if option.startswith("path=")]
    sys.path[0:1] = folders + [os.getcwd()]
    if way == "flask":
        # https://flask.palletsprojects.com/en/stable/api/#flask.cli.ScriptInfo
        from flask.cli import ScriptInfo

        return ScriptInfo(app_import_path=target or os.environ.get("FLASK_APP") or None).load_app()
    if way == "script":
        return of_script(target, arguments)
    default = next((option[8:] for option in options if option.startswith("default=")), "application")
    return loaded(target, "factory" in options, default)


def main():
    answer, way, target, *options = sys.argv[1:]
    arguments = []
    if "--" in options:
        at = options.index("--")
        options, arguments = options[:at], options[at + 1 :]
    out, said = List(), {}
    try:
        below(application(way, target, options, arguments), "", out)
        said = {key: value for key, value in vars(out).items()}
    except Unknown as error:
        said = {"unknown": str(error)}
    except BaseException as error:
        said = {"failed": "".join(traceback.format_exception_only(type(error), error)).strip()}
    whole = answer + ".part"
    with open(whole, "w") as file:
        json.dump(said, file)
    os.rename(whole, answer)
    sys.stdout.flush()
    # Threads that the application has started do not keep the process.
    os._exit(0)


main()
