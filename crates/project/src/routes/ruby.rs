//! Rails' `config/routes.rb` and Sinatra's methods.
//!
//! Sources: guides.rubyonrails.org/routing.html (resources, namespace, scope, member, collection), sinatrarb.com/intro.

use std::sync::LazyLock;

use landfall_evidence::Route;
use regex::Regex;

use super::lexical::{join, regex};
use crate::source::{Language, Source};

pub(super) fn read(sources: &[Source]) -> Vec<Route> {
    let mut routes = Vec::new();
    for source in sources.iter().filter(|s| s.language == Language::Ruby) {
        if source.path.ends_with("config/routes.rb") || source.path.contains("config/routes/") {
            rails(source, &mut routes);
        } else if source.code.contains("sinatra") || source.code.contains("Sinatra") {
            sinatra(source, &mut routes);
        }
    }
    routes
}

fn word(text: &str) -> Option<&str> {
    let text = text.trim_start();
    let text = text.strip_prefix(':').unwrap_or(text);
    let inner = text.trim_start_matches(['"', '\'']);
    let end = inner.find(['"', '\'', ',', ' ', ')']).unwrap_or(inner.len());
    (end > 0).then(|| &inner[..end])
}

/// The value of an option: `path: 'x'` or `:path => 'x'`.
fn option<'t>(line: &'t str, name: &str) -> Option<&'t str> {
    let at = line.find(&format!("{name}: ")).map(|at| at + name.len() + 2)?;
    Some(line[at..].trim_start())
}

/// The symbols of a list option: `only: [:index, :show]` or `only: :index` or `only: %i[index show]`.
fn list(line: &str, name: &str) -> Option<Vec<String>> {
    let rest = option(line, name)?;
    let rest = rest.strip_prefix("%i").or_else(|| rest.strip_prefix("%w")).unwrap_or(rest);
    let inner = match rest.strip_prefix(['[', '(']) {
        Some(inner) => inner.split([']', ')']).next().unwrap_or_default(),
        None => rest.split([',', ' ']).next().unwrap_or_default(),
    };
    let clean = inner.replace([':', '"', '\''], " ").replace(',', " ");
    Some(clean.split_whitespace().map(str::to_owned).collect())
}

fn rails(source: &Source, routes: &mut Vec<Route>) {
    static VERB: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"^(get|post|put|patch|delete|match|root|resources?|namespace|scope|member|collection|mount|concern|constraints|authenticate|devise_for)\b(.*)$",
        )
    });
    // What each open `do` adds to the path of what is in it.
    let mut open: Vec<String> = Vec::new();
    let mut offset = 0;
    for line in source.code.split_inclusive('\n') {
        let at = offset;
        offset += line.len();
        let line = line.trim();
        if line == "end" || line.starts_with("end ") {
            open.pop();
            continue;
        }
        let begins = line.ends_with(" do") || line.contains(" do |") || line == "do";
        let base = open.iter().fold(String::new(), |path, part| join(&path, part));
        let mut adds = String::new();
        if let Some(c) = VERB.captures(line) {
            let rest = c[2].trim_start_matches(['(', ' ']);
            let place = source.place(at);
            let mut push = |method: &str, path: String| {
                let methods = if method.is_empty() { Vec::new() } else { vec![method.to_owned()] };
                routes.push(Route { methods, path, place: place.clone() });
            };
            match &c[1] {
                "root" => push("GET", join(&base, "")),
                verb @ ("get" | "post" | "put" | "patch" | "delete") => {
                    if let Some(path) = word(rest) {
                        // `get :preview, on: :member` inside resources, and `get "x" => "c#a"`.
                        let member = option(line, "on").is_some_and(|on| on.starts_with(":member"));
                        let base = match (base.rsplit_once('/'), option(line, "on").is_some() && !member) {
                            (Some((above, last)), true) if last.starts_with(':') => above.to_owned(),
                            _ => base.clone(),
                        };
                        push(&verb.to_uppercase(), join(&base, path));
                    }
                }
                "match" => {
                    if let Some(path) = word(rest) {
                        let via = list(line, "via").unwrap_or_default();
                        if via.is_empty() || via[0] == "all" {
                            push("", join(&base, path));
                        }
                        for method in via.iter().filter(|v| *v != "all") {
                            push(&method.to_uppercase(), join(&base, path));
                        }
                    }
                }
                kind @ ("resources" | "resource") => {
                    let names: Vec<&str> = rest
                        .split(',')
                        .take_while(|p| p.trim_start().starts_with(':'))
                        .filter_map(word)
                        .collect();
                    let actions = ["index", "show", "new", "create", "edit", "update", "destroy"];
                    let only = list(line, "only");
                    let except = list(line, "except").unwrap_or_default();
                    let has = |action: &str| {
                        only.as_ref().is_none_or(|o| o.iter().any(|a| a == action))
                            && !except.iter().any(|a| a == action)
                    };
                    for name in names {
                        let path = option(line, "path").and_then(word).unwrap_or(name);
                        let many = join(&base, path);
                        let param = option(line, "param").and_then(word).unwrap_or("id");
                        let one = if kind == "resources" {
                            join(&many, &format!(":{param}"))
                        } else {
                            many.clone()
                        };
                        for action in actions.iter().filter(|a| has(a)) {
                            match *action {
                                "index" if kind == "resources" => push("GET", many.clone()),
                                "create" => push("POST", many.clone()),
                                "show" => push("GET", one.clone()),
                                "update" => {
                                    push("PATCH", one.clone());
                                    push("PUT", one.clone());
                                }
                                "destroy" => push("DELETE", one.clone()),
                                "new" => push("GET", join(&many, "new")),
                                "edit" => push("GET", join(&one, "edit")),
                                _ => {}
                            }
                        }
                        adds = if kind == "resources" {
                            let singular = name
                                .strip_suffix("ies")
                                .map(|n| format!("{n}y"))
                                .unwrap_or_else(|| name.trim_end_matches('s').to_owned());
                            join(path, &format!(":{singular}_id"))
                        } else {
                            path.to_owned()
                        };
                    }
                }
                "namespace" => {
                    adds = option(line, "path")
                        .and_then(word)
                        .or_else(|| word(rest))
                        .unwrap_or_default()
                        .to_owned();
                }
                "scope" => {
                    let path = option(line, "path").and_then(word);
                    let first = word(rest).filter(|_| {
                        !rest.starts_with("module") && !rest.contains("module:")
                            || rest.starts_with(['"', '\''])
                    });
                    adds = path.or(first).unwrap_or_default().to_owned();
                }
                "member" => {
                    // Inside `resources` the parent's id is called by its own name.
                    adds = String::new();
                }
                "mount" => {
                    if let Some((_, path)) = line.split_once("=>").or_else(|| line.split_once("at:"))
                        && let Some(path) = word(path)
                    {
                        push("", join(&base, path));
                    }
                }
                _ => {}
            }
        }
        if begins {
            // `collection do` leaves the member's parameter out again.
            if line.starts_with("collection")
                && let Some(last) = open.last_mut()
                && let Some((above, parameter)) = last.clone().rsplit_once('/')
                && parameter.starts_with(':')
            {
                *last = above.to_owned();
            }
            open.push(adds);
        } else if line.starts_with("if ") || line.starts_with("unless ") || line.starts_with("case ") {
            open.push(String::new());
        }
    }
}

fn sinatra(source: &Source, routes: &mut Vec<Route>) {
    static ROUTE: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r#"(?m)^([ \t]*)(get|post|put|patch|delete|head|options|namespace)[ \t(]+["']([^"']*)["'][^\n]*\bdo\b"#,
        )
    });
    let mut spaces: Vec<(usize, String)> = Vec::new();
    for c in ROUTE.captures_iter(&source.code) {
        let (Some(at), indent) = (c.get(2), c[1].len()) else { continue };
        spaces.retain(|(outer, _)| *outer < indent);
        let base = spaces.iter().fold(String::new(), |path, (_, part)| join(&path, part));
        if &c[2] == "namespace" {
            spaces.push((indent, c[3].to_owned()));
            continue;
        }
        let path = join(&base, &c[3]);
        routes.push(Route { methods: vec![c[2].to_uppercase()], path, place: source.place(at.start()) });
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    #[test]
    fn rails_resources_in_scopes() {
        check(
            &[(
                "config/routes.rb",
                "Rails.application.routes.draw do\n  root \"home#index\"\n  get \"up\" => \"rails/health#show\", as: :health\n  namespace :api do\n    resources :items, only: [:index, :create] do\n      resources :notes, only: :show\n    end\n  end\n  resource :session, only: %i[destroy]\n  match \"/ping\", to: \"x#y\", via: [:get, :post]\nend\n",
            )],
            &[
                "GET / config/routes.rb:2",
                "GET /api/items config/routes.rb:5",
                "POST /api/items config/routes.rb:5",
                "GET /api/items/:item_id/notes/:id config/routes.rb:6",
                "GET /ping config/routes.rb:10",
                "POST /ping config/routes.rb:10",
                "DELETE /session config/routes.rb:9",
                "GET /up config/routes.rb:3",
            ],
        );
    }

    #[test]
    fn sinatra_and_its_namespaces() {
        check(
            &[(
                "app.rb",
                "require 'sinatra'\nget '/health' do\n  'ok'\nend\nnamespace '/api' do\n  post '/items' do\n  end\nend\nputs \"get '/no' do\"\n",
            )],
            &["POST /api/items app.rb:6", "GET /health app.rb:2"],
        );
    }
}
