//! Compose files read against themselves: what services ask of a database that another service is made with, and ports of the
//! host that are given away twice.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use landfall_evidence::SignWord;
use regex::Regex;

use super::{Found, Read, regex, text};
use crate::yaml::{Node, documents};

/// Words of commands and code that make a database that is not there yet.
const MAKES: &[&str] = &[
    "db:create",
    "db:prepare",
    "db:setup",
    "ecto.create",
    "ecto.setup",
    "prisma",
    "createdb",
    "CREATE DATABASE",
    "create database",
    "createDatabaseIfNotExist",
    "EnsureCreated",
    "Database.Migrate",
    "create_database",
    "CreateDatabase",
    "doctrine:database:create",
];

pub(super) fn read(read: &Read<'_>, found: &mut Found) {
    for file in crate::deploy::COMPOSE.iter().chain(crate::deploy::COMPOSE_PRODUCTION) {
        let Some(source) = text(read.tree, file) else { continue };
        let Ok(all) = documents(&source) else { continue };
        for services in all.iter().filter_map(|root| root.get("services")) {
            logins(read, file, services, found);
            loopback(file, services, found);
            ports(file, services, found);
        }
    }
}

/// What a database server is made with on its first start.
struct Made<'a> {
    database: Option<&'a str>,
    users: Vec<&'a str>,
    /// The password of each user, in the same order.
    passwords: Vec<Option<&'a str>>,
}

/// A service's variables, in either notation; the lines are those of their nodes.
fn variables(service: &Node) -> Vec<(String, String, usize)> {
    let Some(environment) = service.get("environment") else { return Vec::new() };
    let pairs = environment
        .entries()
        .iter()
        .map(|(name, value)| (name.clone(), value.text().unwrap_or_default().to_owned(), value.line));
    let lines = environment.items().iter().filter_map(|item| {
        let (name, value) = item.text()?.split_once('=')?;
        Some((name.to_owned(), value.to_owned(), item.line))
    });
    pairs.chain(lines).collect()
}

/// A value that is written out: one with a variable in it is known elsewhere.
fn plain(value: &str) -> bool {
    !value.is_empty() && !value.contains('$')
}

/// The images of PostgreSQL, MySQL and MariaDB say which variables make the first database and user (hub.docker.com, their pages).
fn made<'a>(image: &str, variables: &'a [(String, String, usize)]) -> Option<Made<'a>> {
    let value = |name: &str| {
        variables
            .iter()
            .find(|(of, ..)| of == name)
            .map(|(_, value, _)| value.as_str())
            .filter(|v| !v.is_empty())
    };
    let name = image.rsplit('/').next()?.split(':').next()?;
    let first = |names: &[&str]| names.iter().find_map(|name| value(name));
    match name {
        "postgres" | "postgis" | "pgvector" | "timescaledb" | "timescaledb-ha" => {
            // Without a password the image does not start: all of it is said elsewhere.
            first(&["POSTGRES_PASSWORD", "POSTGRES_USER", "POSTGRES_DB"])?;
            // Everything follows from the user where it is not said.
            let user = value("POSTGRES_USER").unwrap_or("postgres");
            Some(Made {
                database: value("POSTGRES_DB").or(Some(user)),
                users: vec![user],
                passwords: vec![value("POSTGRES_PASSWORD")],
            })
        }
        "mysql" | "mariadb" | "percona" => {
            let mut users = vec!["root"];
            let mut passwords = vec![first(&["MYSQL_ROOT_PASSWORD", "MARIADB_ROOT_PASSWORD"])];
            if let Some(user) = first(&["MYSQL_USER", "MARIADB_USER"]) {
                users.push(user);
                passwords.push(first(&["MYSQL_PASSWORD", "MARIADB_PASSWORD"]));
            }
            Some(Made { database: first(&["MYSQL_DATABASE", "MARIADB_DATABASE"]), users, passwords })
        }
        _ => None,
    }
}

/// What a service asks a database server for.
#[derive(Default)]
struct Asked {
    database: Option<(String, usize)>,
    user: Option<(String, usize)>,
    password: Option<(String, usize)>,
}

/// What the variables of a service say of the server of this name: one address, or its parts.
fn asked(variables: &[(String, String, usize)], server: &str) -> Asked {
    static URL: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"^(?:jdbc:)?(?:postgres(?:ql)?|mysql|mysql2|mariadb|ecto)(?:\+\w+)?://(?:([^:@/\s]*)(?::([^@/\s]*))?@)?([\w.-]+)(?::\d+)?(?:/([\w.-]*))?",
        )
    });
    static PARTS: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"^(?:SPRING_DATASOURCE|(?:\w+_)?(?:DB|DATABASE|POSTGRES|PG|MYSQL|SQL))_?(NAME|DATABASE|DB|USER|USERNAME|PASSWORD|PASS)$",
        )
    });
    let mut asked = Asked::default();
    let mut leads_there = false;
    for (_, value, line) in variables {
        if let Some(url) = URL.captures(value).filter(|url| &url[3] == server) {
            leads_there = true;
            let part = |n: usize| url.get(n).map(|m| m.as_str()).filter(|v| plain(v));
            asked.user = part(1).map(|v| (v.to_owned(), *line)).or(asked.user);
            asked.password = part(2).map(|v| (v.to_owned(), *line)).or(asked.password);
            asked.database = part(4).map(|v| (v.to_owned(), *line)).or(asked.database);
        } else if value == server {
            leads_there = true;
        }
    }
    if !leads_there {
        return Asked::default();
    }
    for (name, value, line) in variables.iter().filter(|(_, value, _)| plain(value)) {
        let Some(part) = PARTS.captures(name) else { continue };
        let slot = match &part[1] {
            "USER" | "USERNAME" => &mut asked.user,
            "PASSWORD" | "PASS" => &mut asked.password,
            _ => &mut asked.database,
        };
        slot.get_or_insert((value.clone(), *line));
    }
    asked
}

fn logins(read: &Read<'_>, file: &str, services: &Node, found: &mut Found) {
    for (server, service) in services.entries() {
        let image = service.get("image").and_then(Node::text).unwrap_or_default();
        let of_server = variables(service);
        let Some(made) = made(image, &of_server) else { continue };
        // What scripts of the first start make beside it is not known here, nor what a file of variables says.
        let mounts = service.get("volumes").map(Node::items).unwrap_or_default();
        let scripted = mounts.iter().filter_map(Node::text).any(|m| m.contains("initdb.d"));
        if scripted || service.get("env_file").is_some() || service.get("command").is_some() {
            continue;
        }
        for (name, service) in services.entries().iter().filter(|(name, _)| name != server) {
            let asked = asked(&variables(service), server);
            let mut differs = |line: usize, what: String| {
                found.add(
                    SignWord::DatabaseLoginDiffers,
                    format!("{file}:{line}"),
                    format!("{name} asks {server} for {what}"),
                );
            };
            let made_database = made.database.filter(|of| plain(of));
            if let (Some((wanted, line)), Some(of)) = (&asked.database, made_database)
                && wanted != of
                && !matches!(wanted.as_str(), "postgres" | "mysql" | "template1")
                && !makes_databases(read, services)
            {
                differs(*line, format!("the database {wanted}, and {server} is made with {of}"));
            }
            let Some((user, line)) = &asked.user else { continue };
            match made.users.iter().position(|of| of == user) {
                None if made.users.iter().all(|of| plain(of)) => {
                    differs(
                        *line,
                        format!("the user {user}, and {server} is made with {}", made.users.join(" and ")),
                    );
                }
                Some(at) => {
                    if let (Some((wanted, line)), Some(of)) = (&asked.password, made.passwords[at])
                        && plain(of)
                        && wanted != of
                    {
                        differs(
                            *line,
                            format!("the user {user} with another password than {server} is made with"),
                        );
                    }
                }
                None => {}
            }
        }
    }
}

/// A service that looks for a database on its own machine, which is its container, where the database is a service beside it
/// (docs.docker.com/compose/how-tos/networking). Only the name of the variable is told.
fn loopback(file: &str, services: &Node, found: &mut Found) {
    static LOCAL: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"^(?:jdbc:)?(?:postgres(?:ql)?|mysql2?|mariadb|mongodb|redis|amqp)(?:\+\w+)?://(?:[^@/]*@)?(?:localhost|127\.0\.0\.1)(?:[:/?]|$)",
        )
    });
    let beside = |name: &str| {
        services.entries().iter().any(|(of, service)| {
            of != name
                && service.get("image").and_then(Node::text).is_some_and(|image| {
                    ["postgres", "mysql", "mariadb", "mongo", "redis", "valkey", "rabbitmq"]
                        .iter()
                        .any(|one| image.contains(one))
                })
        })
    };
    for (name, service) in services.entries() {
        // A service that shares the host's network, or another's, finds there what listens there.
        if service.get("network_mode").is_some() || !beside(name) {
            continue;
        }
        for (variable, value, line) in variables(service) {
            if LOCAL.is_match(&value) {
                found.add(
                    SignWord::DatabaseUrlLocal,
                    format!("{file}:{line}"),
                    format!("{variable} of {name}, whose own machine is its container"),
                );
            }
        }
    }
}

/// Whether anything here makes databases of its own.
fn makes_databases(read: &Read<'_>, services: &Node) -> bool {
    let makes = |text: &str| MAKES.iter().any(|word| text.contains(word));
    let of_command =
        |node: &Node| node.text().is_some_and(makes) || node.items().iter().filter_map(Node::text).any(makes);
    let commands = services
        .entries()
        .iter()
        .flat_map(|(_, service)| ["command", "entrypoint"].into_iter().filter_map(|key| service.get(key)));
    let mut files = read.tree.files.iter().filter(|f| {
        !f.ignored
            && (f.path.ends_with(".sh")
                || f.path.starts_with("bin/")
                || ["Dockerfile", "Makefile", "package.json", "mix.exs", "Procfile"]
                    .contains(&f.path.as_str()))
    });
    commands.into_iter().any(of_command)
        || read.sources.iter().any(|source| makes(&source.code))
        || files.any(|f| text(read.tree, &f.path).is_some_and(|text| makes(&text)))
}

/// Ports of the host that two services publish (docs.docker.com/reference/compose-file/services: ports).
fn ports(file: &str, services: &Node, found: &mut Found) {
    let mut taken: BTreeMap<(u16, String), Vec<(String, &str)>> = BTreeMap::new();
    for (name, service) in services.entries() {
        // Services of a profile need not run beside the others.
        if service.get("profiles").is_some() {
            continue;
        }
        for item in service.get("ports").map(Node::items).unwrap_or_default() {
            let Some((address, port, protocol)) = published(item) else { continue };
            let others = taken.entry((port, protocol)).or_default();
            let same = |other: &str| {
                other == address
                    || matches!(other, "" | "0.0.0.0")
                    || matches!(address.as_str(), "" | "0.0.0.0")
            };
            if let Some((_, other)) = others.iter().find(|(of, other)| same(of) && other != name) {
                found.add(
                    SignWord::PortTakenTwice,
                    format!("{file}:{}", item.line),
                    format!("{other} and {name} both publish the host's port {port}"),
                );
            }
            others.push((address, name));
        }
    }
}

/// Address, port of the host and protocol of a published port; `None` of a range, a variable, or a port that is chosen by chance.
fn published(item: &Node) -> Option<(String, u16, String)> {
    if let Some(port) = item.get("published").and_then(Node::port) {
        let of =
            |key: &str, otherwise: &str| item.get(key).and_then(Node::text).unwrap_or(otherwise).to_owned();
        return Some((of("host_ip", ""), port, of("protocol", "tcp")));
    }
    static SHORT: LazyLock<Regex> =
        LazyLock::new(|| regex(r"^(?:(\d+\.\d+\.\d+\.\d+|\[[\da-f:]+\]):)?(\d+):\d+(?:/(\w+))?$"));
    let short = SHORT.captures(item.text()?)?;
    let of = |n: usize, otherwise: &str| short.get(n).map_or(otherwise, |m| m.as_str()).to_owned();
    Some((of(1, ""), short[2].parse().ok()?, of(3, "tcp")))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{has, lacks, signs};

    fn with(api: &str, db: &str) -> String {
        format!("services:\n  api:\n    build: .\n    environment:\n{api}  db:\n{db}")
    }

    const POSTGRES: &str = "    image: postgres:16\n    environment:\n      POSTGRES_DB: shop\n      POSTGRES_USER: shop\n      POSTGRES_PASSWORD: ${DB_PASSWORD}\n";

    #[test]
    fn what_a_service_asks_a_database_for() {
        let url = |url: &str| with(&format!("      DATABASE_URL: {url}\n"), POSTGRES);
        for (wrong, says) in [
            (
                "postgres://shop:${DB_PASSWORD}@db:5432/shop_prod",
                "api asks db for the database shop_prod, and db is made with shop @compose.yml:5",
            ),
            (
                "postgresql+asyncpg://api:x@db/shop",
                "api asks db for the user api, and db is made with shop @compose.yml:5",
            ),
        ] {
            has(&[("compose.yml", &url(wrong))], &format!("database-login-differs {says}"));
        }
        for fine in [
            "postgres://shop:${DB_PASSWORD}@db:5432/shop",
            "postgres://shop:x@db.example.test/other",
            "${DATABASE_URL}",
            "postgres://shop:x@db/${DB}",
        ] {
            lacks(&[("compose.yml", &url(fine))], "database-login-differs");
        }
        // Whoever makes the database that it asks for is right to ask for it.
        let makes = ("entrypoint.sh", "bin/rails db:prepare\n");
        lacks(
            &[("compose.yml", &url("postgres://shop:${DB_PASSWORD}@db/shop_prod")), makes],
            "database-login-differs",
        );
    }

    #[test]
    fn parts_of_a_login_and_passwords_that_are_never_told() {
        let mysql = "    image: mysql:8.4\n    environment:\n    - MYSQL_DATABASE=shop\n    - MYSQL_USER=shop\n    - MYSQL_PASSWORD=one-long-secret\n";
        let parts = |name: &str, password: &str| {
            with(
                &format!(
                    "      DB_HOST: db\n      DB_NAME: {name}\n      DB_USER: shop\n      DB_PASSWORD: {password}\n"
                ),
                mysql,
            )
        };
        has(
            &[("docker-compose.yml", &parts("shop2", "one-long-secret"))],
            "database-login-differs api asks db for the database shop2",
        );
        let found = signs(&[("docker-compose.yml", &parts("shop", "another-secret"))]);
        let said =
            found.iter().find(|s| s.starts_with("database-login-differs")).expect("the password differs");
        assert!(said.contains("with another password") && !said.contains("secret"), "{said}");
        lacks(&[("docker-compose.yml", &parts("shop", "one-long-secret"))], "database-login-differs");
    }

    #[test]
    fn a_database_on_a_containers_own_machine() {
        let url = |host: &str, more: &str| {
            format!(
                "services:\n  api:\n    image: ghcr.io/a/api:1\n{more}    environment:\n      DATABASE_URL: postgres://a:${{P}}@{host}:5432/a\n  db:\n    image: postgres:16\n"
            )
        };
        has(
            &[("compose.prod.yaml", &url("localhost", ""))],
            "database-url-local DATABASE_URL of api, whose own machine is its container @compose.prod.yaml:5",
        );
        lacks(&[("compose.prod.yaml", &url("db", ""))], "database-url-local");
        lacks(&[("compose.prod.yaml", &url("localhost", "    network_mode: host\n"))], "database-url-local");
    }

    #[test]
    fn ports_of_the_host() {
        let two = |a: &str, b: &str, rest: &str| {
            format!(
                "services:\n  web:\n    image: a\n    ports: [\"{a}\"]\n  admin:\n    image: b\n    ports: [\"{b}\"]\n{rest}"
            )
        };
        has(
            &[("compose.yml", &two("8080:80", "127.0.0.1:8080:3000", ""))],
            "port-taken-twice web and admin both publish the host's port 8080 @compose.yml:7",
        );
        for (a, b, rest) in [
            ("8080:80", "8081:80", ""),
            ("127.0.0.1:8080:80", "203.0.113.5:8080:80", ""),
            ("8080:80", "8080:80/udp", ""),
            ("8080:80", "8080:80", "    profiles: [tools]\n"),
        ] {
            lacks(&[("compose.yml", &two(a, b, rest))], "port-taken-twice");
        }
    }
}
