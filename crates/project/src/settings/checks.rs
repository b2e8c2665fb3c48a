//! What names and forms of settings show: near misses, things of another kind, secrets under version control.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use landfall_evidence::{ProjectSnapshot, SettingsInventory, SignWord, ValueShape};
use regex::Regex;

use super::{DECLARATION, Noticed, shapes};
use crate::source::{Language, Source};
use crate::tree::{Tree, file_name};

/// Files that are looked through for keys.
const MAX_SCANNED: usize = 2_000;
/// The longest file that is looked through for keys; what a person writes them into is shorter.
const MAX_SCANNED_BYTE: u64 = 256 * 1024;

/// Whether a name is that of a secret.
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let words: Vec<&str> = name.split('_').collect();
    let public = [
        "PUBLIC",
        "PUBLISHABLE",
        "ID",
        "NAME",
        "URL",
        "PATH",
        "FILE",
        "PREFIX",
        "HEADER",
        "LENGTH",
        "TTL",
        "EXPIRY",
        "EXPIRES",
        "ALGORITHM",
        "LIMIT",
        "MINUTES",
        "SECONDS",
        "HOURS",
        "DAYS",
    ];
    let secret = ["SECRET", "PASSWORD", "PASSWD", "TOKEN", "APIKEY", "CREDENTIALS"];
    let key = words.last() == Some(&"KEY");
    (key || words.iter().any(|w| secret.contains(w))) && !words.iter().any(|w| public.contains(w))
}

/// Values of another kind than the name, or the library that reads them, asks for.
pub(super) fn shapes(settings: &SettingsInventory, sources: &[Source]) -> Vec<Noticed> {
    let mut found = Vec::new();
    let python = |word: &str| sources.iter().any(|s| s.language == Language::Python && s.code.contains(word));
    let alchemy = python("sqlalchemy");
    let asynchronous = python("create_async_engine");
    for seen in &settings.shapes {
        let upper = seen.name.to_ascii_uppercase();
        let ends = |words: &[&str]| words.iter().any(|w| upper == *w || upper.ends_with(&format!("_{w}")));
        let wrong = match &seen.shape {
            ValueShape::Url { .. } if ends(&["KEY", "TOKEN", "SECRET", "PASSWORD", "ID", "PORT"]) => {
                Some("a URL")
            }
            ValueShape::Command => Some("a command or header"),
            ValueShape::Text | ValueShape::Number if ends(&["URL", "URI", "DSN"]) => {
                // A path of this site, or a host alone, is what some readers want.
                None.or((upper == "DATABASE_URL" || upper == "REDIS_URL" || upper.ends_with("_DSN"))
                    .then_some("no URL"))
            }
            ValueShape::Text | ValueShape::Switch if upper == "PORT" => Some("no number"),
            ValueShape::Url { scheme }
                if upper.contains("DATABASE_URL") && alchemy && scheme == "postgres" =>
            {
                // SQLAlchemy 1.4 removed the name `postgres` (docs.sqlalchemy.org/en/14/changelog/changelog_14.html).
                Some("a postgres:// URL, which SQLAlchemy no longer takes: postgresql://")
            }
            ValueShape::Url { scheme }
                if upper.contains("DATABASE_URL") && asynchronous && scheme == "postgresql" =>
            {
                // docs.sqlalchemy.org/en/20/orm/extensions/asyncio.html
                Some(
                    "a postgresql:// URL, and create_async_engine needs the driver in it: postgresql+asyncpg://",
                )
            }
            ValueShape::Key { prefix } if prefix.starts_with("pk_") && upper.contains("SECRET") => {
                Some("a publishable key")
            }
            ValueShape::Key { prefix } if prefix.starts_with("sk_") && upper.contains("PUBLISHABLE") => {
                Some("a secret key")
            }
            ValueShape::Key { prefix } if prefix == "prod_" && upper.contains("PRICE") => {
                Some("the id of a product, not of a price")
            }
            _ => None,
        };
        if let Some(wrong) = wrong {
            found.push((
                SignWord::SettingShapeWrong,
                seen.place.clone(),
                format!("{} holds {wrong}", seen.name),
            ));
        }
    }
    // Keys of one file that belong to two modes of one vendor (docs.stripe.com/keys: test and live are apart).
    let files: BTreeSet<&str> =
        settings.shapes.iter().filter_map(|s| s.place.rsplit_once(':').map(|(file, _)| file)).collect();
    for file in files {
        let of_mode = |mode: &str| {
            settings.shapes.iter().find(|s| {
                s.place.rsplit_once(':').is_some_and(|(f, _)| f == file)
                    && matches!(&s.shape, ValueShape::Key { prefix } if prefix.ends_with(mode))
            })
        };
        if let (Some(live), Some(test)) = (of_mode("_live_"), of_mode("_test_")) {
            found.push((
                SignWord::SettingShapeWrong,
                test.place.clone(),
                format!("{} is of the test mode and {} of the live mode", test.name, live.name),
            ));
        }
    }
    found
}

/// Variables that are needed and not there, where one of almost the same name is there and not read.
pub(crate) fn near_misses(snapshot: &ProjectSnapshot) -> Vec<Noticed> {
    let settings = &snapshot.settings;
    let read: BTreeSet<&str> = settings.read.iter().map(|r| r.name.as_str()).collect();
    let set: BTreeSet<&str> = settings
        .declared
        .iter()
        .chain(settings.shapes.iter().map(|s| &s.name))
        .chain(snapshot.deploy.iter().flat_map(|d| &d.sets))
        .map(String::as_str)
        .collect();
    let mut found = Vec::new();
    let absent = |name: &str| !set.contains(name) && !settings.is_provided(name);
    for needed in settings.read.iter().filter(|r| absent(&r.name)) {
        let near = set.iter().find(|other| !read.contains(**other) && is_near(&needed.name, other));
        if let Some(near) = near {
            found.push((
                SignWord::SettingNearMiss,
                needed.place.clone(),
                format!("{} is read, {near} is set", needed.name),
            ));
        }
    }
    found
}

/// Whether two names are nearly one: a word more at one end, or a slip of the pen.
fn is_near(a: &str, b: &str) -> bool {
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    if short.len() < 5 {
        return false;
    }
    // One word more: STRIPE_PRICE and STRIPE_PRICE_ID. A prefix that a build tool asks for is a different variable.
    let more = long.strip_prefix(short).and_then(|rest| rest.strip_prefix('_'));
    if more.is_some_and(|word| {
        !word.contains('_') && ["ID", "KEY", "URL", "URI", "TOKEN", "SECRET", "NAME", "DSN"].contains(&word)
    }) {
        return true;
    }
    let plain = |text: &str| text.replace('_', "").to_ascii_uppercase();
    plain(a) == plain(b) || (short.len() >= 8 && one_slip(a, b))
}

/// One letter other, more, less, or two neighbours swapped. Digits are not slips: KEY_1 and KEY_2 are two keys.
fn one_slip(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > 1 {
        return false;
    }
    let head = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let tail = a[head..].iter().rev().zip(b[head..].iter().rev()).take_while(|(x, y)| x == y).count();
    let (rest_a, rest_b) = (&a[head..a.len() - tail], &b[head..b.len() - tail]);
    let letters = |part: &[char]| part.iter().all(char::is_ascii_alphabetic);
    if !letters(rest_a) || !letters(rest_b) {
        return false;
    }
    match (rest_a, rest_b) {
        ([x, y], [u, v]) => x == v && y == u,
        (x, y) => x.len() <= 1 && y.len() <= 1,
    }
}

/// Secrets in files that version control keeps. Nothing without git: an uncommitted file is nobody else's yet.
pub(super) fn tracked(tree: &Tree, settings: &SettingsInventory) -> Vec<Noticed> {
    let tracked = crate::git::tracked(&tree.root);
    if tracked.is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for seen in &settings.shapes {
        let Some((file, _)) = seen.place.rsplit_once(':') else { continue };
        let holds = matches!(seen.shape, ValueShape::Text | ValueShape::Key { .. } | ValueShape::Number);
        let test = file_name(file).contains("test");
        if holds && is_secret(&seen.name) && tracked.contains(file) && !test {
            found.push((SignWord::SecretTracked, seen.place.clone(), seen.name.clone()));
        }
    }
    static KEY: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\b(?:(sk|rk)_live_[0-9A-Za-z]{20,}|(whsec)_[0-9A-Za-z]{24,}|(AKIA|ASIA)[0-9A-Z]{16}\b|(gh[pos]|github_pat)_[0-9A-Za-z_]{30,}|(xox[bp])-[0-9]{8,}-[0-9A-Za-z-]{20,}|(AIza)[0-9A-Za-z_-]{35}\b|(SG)\.[0-9A-Za-z_-]{20,}\.[0-9A-Za-z_-]{20,}|(glpat)-[0-9A-Za-z_-]{20})|-----BEGIN (?:RSA |EC |OPENSSH )?(PRIVATE KEY)-----")
            .expect("the pattern is a constant and covered by tests")
    });
    let files = tree.files.iter().filter(|f| {
        !f.ignored
            && f.size_byte <= MAX_SCANNED_BYTE
            && !shapes::carries(&f.path)
            && !crate::source::is_test(&f.path)
            && !f
                .path
                .split('/')
                .any(|part| matches!(part, "docs" | "doc" | "examples" | "fixtures" | "testdata"))
            && tracked.contains(&f.path)
    });
    for file in files.take(MAX_SCANNED) {
        let Some(Ok(text)) = tree.text(&file.path) else { continue };
        if let Some(c) = KEY.captures(&text) {
            let line = text[..c.get(0).map_or(0, |m| m.start())].matches('\n').count() + 1;
            let kind = c.iter().skip(1).flatten().next().map_or("a key", |m| m.as_str());
            found.push((
                SignWord::SecretTracked,
                format!("{}:{line}", file.path),
                format!("a value that begins as {kind}"),
            ));
        }
    }
    // The key that opens the encrypted credentials (guides.rubyonrails.org/security.html, "Custom Credentials").
    for file in tree.files.iter().filter(|f| {
        tracked.contains(&f.path)
            && (f.path.ends_with("config/master.key")
                || (f.path.contains("config/credentials/") && f.path.ends_with(".key")))
    }) {
        found.push((SignWord::SecretTracked, file.path.clone(), "the key of Rails' credentials".to_owned()));
    }
    // Lines of configuration that name a secret and give it, in files of formats that hold only settings.
    for file in tree
        .files
        .iter()
        .filter(|f| tracked.contains(&f.path) && file_name(&f.path).ends_with(".tfvars"))
        .take(20)
    {
        let Some(Ok(text)) = tree.text(&file.path) else { continue };
        for c in DECLARATION.captures_iter(&text) {
            let holds =
                matches!(shapes::shape(shapes::unquoted(&c[2])), ValueShape::Text | ValueShape::Key { .. });
            if holds && is_secret(&c[1]) {
                found.push((SignWord::SecretTracked, file.path.clone(), c[1].to_owned()));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::folder;
    use landfall_evidence::Observed;

    fn signs(files: &[(&str, &str)]) -> Vec<String> {
        let dir = folder(files);
        seen(dir.path())
    }

    fn seen(root: &std::path::Path) -> Vec<String> {
        let Observed::Present(seen) = crate::read(root) else { panic!("a folder can be read") };
        let ours = [
            SignWord::SettingNearMiss,
            SignWord::SettingShapeWrong,
            SignWord::SecretDefault,
            SignWord::SecretTracked,
        ];
        seen.signs
            .iter()
            .filter(|s| ours.contains(&s.sign))
            .map(|s| format!("{} {}: {}", s.sign.name(), s.place, s.detail))
            .collect()
    }

    #[test]
    fn names_that_are_nearly_one() {
        for (a, b, want) in [
            ("STRIPE_PRICE", "STRIPE_PRICE_ID", true),
            ("DATABASE_URL", "DATABSE_URL", true),
            ("OPENAI_API_KEY", "OPEN_AI_API_KEY", true),
            ("REDIS_URL", "REDIS_URI", true),
            ("KEY_1_NAME", "KEY_2_NAME", false),
            ("DB", "DB_ID", false),
            ("API_URL", "NEXT_PUBLIC_API_URL", false),
            ("MAIL_HOST", "MAIL_PORT", false),
            ("SMTP_USER", "SMTP_USERS", true),
        ] {
            assert_eq!(is_near(a, b), want, "{a} {b}");
        }
    }

    #[test]
    fn a_needed_name_beside_an_unread_one() {
        assert_eq!(
            signs(&[
                (
                    "app.js",
                    "stripe.create({ price: process.env.STRIPE_PRICE_PRO })\nprocess.env.PORT || 3000\n"
                ),
                (".env.example", "STRIPE_PRICE_PRO_ID=\nPORT=3000\n"),
            ]),
            ["setting-near-miss app.js:1: STRIPE_PRICE_PRO is read, STRIPE_PRICE_PRO_ID is set"]
        );
        assert!(
            signs(&[
                ("app.js", "process.env.A_TOKEN; process.env.A_TOKEN_ID"),
                (".env.example", "A_TOKEN_ID=\n")
            ])
            .is_empty()
        );
    }

    #[test]
    fn values_of_another_kind() {
        let found = signs(&[
            (
                "db.py",
                "import os\nfrom sqlalchemy import create_engine\ncreate_engine(os.environ['DATABASE_URL'])\n",
            ),
            (
                ".env",
                "DATABASE_URL=postgres://u:p@db.example.test/x\nAPI_KEY=https://example.test/keys\nSTRIPE_SECRET_KEY=pk_live_abcdefgh12345\nPORT=web\nOK_TOKEN=abc\n",
            ),
        ]);
        assert_eq!(found.len(), 4, "{found:#?}");
        assert!(found.iter().all(|f| f.starts_with("setting-shape-wrong .env:")));
        let modes = signs(&[(".env", "A_KEY=sk_live_abcdefgh12345\nB_KEY=pk_test_abcdefgh12345\n")]);
        assert_eq!(
            modes,
            ["setting-shape-wrong .env:2: B_KEY is of the test mode and A_KEY of the live mode"]
        );
    }

    #[test]
    fn a_default_hides_a_missing_secret() {
        assert_eq!(
            signs(&[(
                "a.py",
                "import os\nk = os.environ.get('JWT_SECRET', 'dev-secret')\nn = os.environ.get('APP_NAME', 'shop')\nt = os.environ.get('API_TOKEN', '')\n"
            )]),
            ["secret-default a.py:2: JWT_SECRET"]
        );
        for (name, want) in [
            ("TOKEN_TTL", false),
            ("SECRET_KEY_BASE", true),
            ("PUBLIC_KEY", false),
            ("KEYBOARD", false),
            ("AWS_ACCESS_KEY_ID", false),
            ("ADMIN_PASSWORD", true),
        ] {
            assert_eq!(is_secret(name), want, "{name}");
        }
    }

    #[test]
    fn secrets_under_version_control_are_named_and_not_shown() {
        let key = format!("sk_live_{}", "a1B2".repeat(8));
        let dir = folder(&[
            (".env.production", "JWT_SECRET=8f1b3a7c\nLOG_LEVEL=info\nAPI_TOKEN=your-token-here\n"),
            (".env", "JWT_SECRET=local-only\n"),
            (".gitignore", ".env\n"),
            ("pay.py", &format!("KEY = '{key}'\n")),
        ]);
        assert!(seen(dir.path()).is_empty(), "without git nothing is tracked");
        for arguments in [vec!["init", "-q"], vec!["add", "-A"]] {
            let done = std::process::Command::new("git").args(arguments).current_dir(dir.path()).status();
            assert!(done.unwrap().success());
        }
        let found = seen(dir.path());
        assert_eq!(
            found,
            [
                "secret-tracked .env.production:1: JWT_SECRET",
                "secret-tracked pay.py:1: a value that begins as sk"
            ]
        );
        assert!(!format!("{found:?}").contains(&key));
    }
}
