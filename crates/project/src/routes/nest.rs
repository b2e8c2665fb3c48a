//! Nest's controllers, under the global prefix and the version (docs.nestjs.com: Controllers, Global prefix, Versioning).

use std::collections::BTreeMap;

use landfall_evidence::Route;

use super::MAX_ROUTES;
use super::code::{Call, Class, Expr, Use, Value, World};
use super::lexical::join;
use crate::source::Source;
use crate::words::words;

/// What stands in front of all controllers.
#[derive(Default)]
struct Front {
    /// `None` when it is computed.
    prefix: Option<String>,
    /// Paths that the prefix is not put in front of.
    without: Vec<String>,
    /// Whether versions are a part of the path, and the one of controllers that name none.
    versions: bool,
    /// What stands before the number of the version: `v` unless it is set.
    letter: String,
    version: Vec<String>,
}

/// Whether a file holds controllers.
pub(super) fn may_read(source: &Source) -> bool {
    source.says(words!["@Controller"])
}

/// Adds the routes of the project's controllers.
pub(super) fn read<'a>(world: &World<'a>, sources: &[&'a Source], routes: &mut Vec<Route>) {
    let controllers: Vec<&Source> = sources.iter().copied().filter(|s| may_read(s)).collect();
    if controllers.is_empty() {
        return;
    }
    let front = front(world, sources);
    world.load(&controllers);
    for source in controllers {
        let Some(file) = world.file(&source.path) else { continue };
        for class in &file.classes {
            let of = class.decorators.iter().find(|call| call.callee.last() == Some("Controller"));
            if let Some(controller) = of {
                handlers(world, source, class, controller, &front, routes);
            }
            if routes.len() > MAX_ROUTES {
                return;
            }
        }
    }
}

fn front<'a>(world: &World<'a>, sources: &[&'a Source]) -> Front {
    let mut front = Front { prefix: Some(String::new()), ..Front::default() };
    for source in sources.iter().filter(|s| s.says(words![".setGlobalPrefix", "enableVersioning"])) {
        let Some(file) = world.file(&source.path) else { continue };
        let path = source.path.as_str();
        for Use { call, .. } in &file.calls {
            match call.method() {
                Some((_, "setGlobalPrefix")) => {
                    front.prefix = call.arguments.first().and_then(|prefix| world.text(path, prefix));
                    let options = call.arguments.get(1).map(|options| options_of(world, path, options));
                    if let Some((there, Expr::List { items, .. })) =
                        options.as_ref().and_then(|options| options.get("exclude"))
                    {
                        front.without = items.iter().flat_map(|item| path_of(world, there, item)).collect();
                    }
                }
                Some((_, "enableVersioning")) => {
                    let options = call.arguments.first().map(|options| options_of(world, path, options));
                    let options = options.unwrap_or_default();
                    // Without a type the version is in the path.
                    front.versions = options.get("type").is_none_or(|(_, kind)| kind.last() == Some("URI"));
                    front.letter = match options.get("prefix") {
                        // `false` switches it off.
                        Some((there, letter)) => world.text(there, letter).unwrap_or_default(),
                        None => "v".to_owned(),
                    };
                    if let Some((there, version)) = options.get("defaultVersion") {
                        front.version = world.texts(there, version);
                    }
                }
                _ => {}
            }
        }
    }
    front
}

/// The fields of an object, each with the file that it is written in.
fn options_of(world: &World<'_>, path: &str, expr: &Expr) -> BTreeMap<String, (String, Expr)> {
    let mut all = BTreeMap::new();
    for value in world.values(path, expr) {
        if let Value::Object(there, pairs) = value {
            all.extend(pairs.into_iter().map(|(key, value)| (key, (there.clone(), value))));
        }
    }
    all
}

/// The paths of a decorator or an exclusion: a text, a list of texts, or an object with a path.
fn path_of(world: &World<'_>, path: &str, expr: &Expr) -> Vec<String> {
    match options_of(world, path, expr).get("path") {
        Some((there, inner)) => world.texts(there, inner),
        None => world.texts(path, expr),
    }
}

fn handlers(
    world: &World<'_>,
    source: &Source,
    class: &Class,
    controller: &Call,
    front: &Front,
    routes: &mut Vec<Route>,
) {
    let path = source.path.as_str();
    let Some(prefix) = &front.prefix else { return };
    let bases = match controller.arguments.first() {
        Some(given) => {
            let mut bases = path_of(world, path, given);
            // `@Controller({ version: "1" })` has no path, and one that is computed is not known.
            if bases.is_empty()
                && matches!(given, Expr::Object(pairs) if pairs.iter().all(|(k, _)| k != "path"))
            {
                bases.push(String::new());
            }
            bases
        }
        None => vec![String::new()],
    };
    let of_class =
        controller.arguments.first().map(|given| options_of(world, path, given)).unwrap_or_default();
    let of_class = of_class.get("version").map(|(there, version)| world.texts(there, version));
    for (handler, call) in &class.handlers {
        let Some(verb) = call.callee.last() else { continue };
        let methods = match verb {
            "Get" | "Post" | "Put" | "Patch" | "Delete" | "Head" | "Options" => vec![verb.to_uppercase()],
            "All" => Vec::new(),
            _ => continue,
        };
        let tails = match call.arguments.first() {
            Some(given) => world.texts(path, given),
            None => vec![String::new()],
        };
        let of_handler =
            class.handlers.iter().find(|(h, c)| h == handler && c.callee.last() == Some("Version"));
        let of_handler = of_handler.and_then(|(_, c)| c.arguments.first()).map(|v| world.texts(path, v));
        let versions: Vec<String> = match front.versions {
            true => of_handler.or(of_class.clone()).unwrap_or_else(|| front.version.clone()),
            false => Vec::new(),
        };
        let versions = if versions.is_empty() {
            vec![String::new()]
        } else {
            versions.iter().map(|version| format!("{}{version}", front.letter)).collect()
        };
        for base in &bases {
            for tail in &tails {
                let own = join(base, tail);
                let excluded = front.without.iter().any(|without| join("", without) == own);
                let prefix = if excluded { "" } else { prefix.as_str() };
                for version in &versions {
                    let whole = join(&join(prefix, version), &own);
                    routes.push(Route {
                        methods: methods.clone(),
                        path: whole,
                        place: source.place(call.shown),
                    });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    #[test]
    fn controllers_under_a_global_prefix() {
        check(
            &[
                ("src/main.ts", "const app = await NestFactory.create(M);\napp.setGlobalPrefix('api');\n"),
                (
                    "src/users.controller.ts",
                    "@Controller('users')\nexport class Users {\n  @Get()\n  all() {}\n  @Get(':id')\n  one() {}\n  @Post('bulk')\n  add() {}\n}\n",
                ),
            ],
            &[
                "GET /api/users src/users.controller.ts:3",
                "GET /api/users/:id src/users.controller.ts:5",
                "POST /api/users/bulk src/users.controller.ts:7",
            ],
        );
    }

    #[test]
    fn versions_exclusions_lists_and_constants() {
        check(
            &[
                (
                    "src/main.ts",
                    "const app = await NestFactory.create(M);\napp.setGlobalPrefix(PREFIX, { exclude: ['health'] });\napp.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' });\nconst PREFIX = 'api';\n",
                ),
                ("src/paths.ts", "export const ITEMS = 'items';\n"),
                (
                    "src/a.controller.ts",
                    "import { ITEMS } from './paths';\n// @Controller('no')\n@Controller({ path: ITEMS, version: '2' })\nexport class Items {\n  note = \"@Get('no')\";\n  @Get(['a', 'b'])\n  list(@Query() q: Q) {}\n  @Version('3')\n  @Post()\n  add() {}\n}\n\
                     @Controller('users')\nclass Users {\n  @Delete(':id')\n  gone() {}\n}\n",
                ),
            ],
            &[
                "DELETE /api/v1/users/:id src/a.controller.ts:14",
                "GET /api/v2/items/a src/a.controller.ts:6",
                "GET /api/v2/items/b src/a.controller.ts:6",
                "POST /api/v3/items src/a.controller.ts:9",
            ],
        );
    }
}
