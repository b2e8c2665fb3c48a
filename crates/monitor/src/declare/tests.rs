//! The file and the plan.

use std::path::Path;

use landfall_store::testkit::TestDb;
use landfall_store::{Store, Tenant};

use super::*;

struct Fixed;

impl Sources for Fixed {
    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "HOST" => Some("api.example.com".into()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    fn file(&self, name: &Path) -> Result<String, String> {
        if name == Path::new("secret.txt") {
            Ok("sixteen-characters-at-least\n".into())
        } else {
            Err("not found".into())
        }
    }
}

const GOOD: &str = r#"
[target]
production = "https://api.example.com"

[[channel]]
id = "ops"
name = "Operations"
kind = "webhook"
config = { url = "https://hooks.example.com/x", secret_file = "secret.txt" }

[[monitor]]
id = "api"
name = "API of ${HOST}"
interval_s = 300
depends_on = ["dns"]
channels = ["ops"]
check = { kind = "http", url = "https://${HOST}/health", headers = { authorization = "Bearer abc$$def" } }

[[monitor]]
id = "dns"
name = "Name"
check = { kind = "dns", name = "${ABSENT:-example.com}" }

[[window]]
id = "deploy"
name = "Deploy"
monitors = ["api", "nightly"]
repeat = "weekly"
days = ["mon"]
start = 22:00:00
duration_min = 60
zone = "Europe/Berlin"

[[heartbeat]]
id = "nightly"
name = "Nightly"
cron = "30 2 * * *"
zone = "Europe/Berlin"
channels = ["ops"]
"#;

fn read(text: &str) -> Declared {
    parse(text, &Fixed).unwrap_or_else(|p| panic!("{p:?}"))
}

fn refused(text: &str) -> Vec<String> {
    parse(text, &Fixed).expect_err("refused").iter().map(ToString::to_string).collect()
}

#[test]
fn a_file_is_read_with_variables_and_files_filled_in() {
    let declared = read(GOOD);
    assert_eq!(declared.monitors["api"].name, "API of api.example.com");
    let crate::Check::Http(http) = &declared.monitors["api"].check else { panic!("http") };
    assert_eq!(
        (http.url.as_str(), http.headers["authorization"].as_str()),
        ("https://api.example.com/health", "Bearer abc$def")
    );
    assert_eq!(declared.channels["ops"].config["secret"], "sixteen-characters-at-least");
    assert!(!format!("{declared:?}").contains("sixteen"), "no secret in Debug");
    assert_eq!(declared.windows["deploy"].start.as_deref(), Some("22:00:00"));
    assert!(read("[target]\nproduction = \"https://a.example\"\n").monitors.is_empty());
}

#[test]
fn every_mistake_is_told_with_its_line_and_its_mend() {
    let said = refused(
        "[[monitor]]\nid = \"a\"\nname = \"A\"\nintervall_s = 60\ncheck = { kind = \"http\", url = \"https://a.example\" }\nremindd_s = 5\n\n[[heartbeat]]\nid = \"b\"\nname = \"B\"\ngrase_s = 60\n\n[[window]]\nname = \"no id\"\n",
    );
    assert_eq!(said.len(), 4, "{said:#?}");
    assert!(
        said[0].starts_with("line 4: monitor \"a\", intervall_s: unknown key")
            && said[0].contains("did you mean \"interval_s\"?"),
        "{}",
        said[0]
    );
    assert!(said[1].starts_with("line 6:") && said[1].contains("\"remind_s\""), "{}", said[1]);
    assert!(said[2].starts_with("line 11:") && said[2].contains("\"grace_s\""), "{}", said[2]);
    assert!(said[3].starts_with("line 13:") && said[3].contains("an id is missing"), "{}", said[3]);

    let deep = refused(
        "[[monitor]]\nid = \"a\"\nname = \"A\"\n[monitor.check]\nkind = \"tcp\"\nhost = \"a\"\nprt = 5\nport = 5\n",
    );
    assert!(deep[0].starts_with("line 7:") && deep[0].contains("did you mean \"port\"?"), "{deep:?}");

    let meaning = refused(
        "[[heartbeat]]\nid = \"b\"\nname = \"B\"\ncron = \"99 * * * *\"\n\n[[heartbeat]]\nid = \"-\"\nname = \"C\"\n",
    );
    assert!(meaning[0].starts_with("line 4: heartbeat \"b\", cron:"), "{meaning:?}");
    assert!(meaning[1].starts_with("line 7:"), "{meaning:?}");
}

#[test]
fn variables_and_files_that_are_missing_are_told_and_nothing_is_guessed() {
    let heartbeat = |name: &str| format!("[[heartbeat]]\nid = \"b\"\nname = \"{name}\"\n");
    for (text, part) in [
        ("${ABSENT}", "the variable ABSENT is not set"),
        ("${EMPTY}", "the variable EMPTY is not set"),
        ("${ABSENT:?ask the team}", "the variable ABSENT is not set: ask the team"),
        ("${a b}", "is no name of a variable"),
    ] {
        let said = refused(&heartbeat(text));
        assert!(said[0].starts_with("line 3: ") && said[0].contains(part), "{said:?}");
    }
    assert_eq!(read(&heartbeat("a $5 b ${")).heartbeats["b"].name, "a $5 b ${");
    let said = refused(
        "[[channel]]\nid = \"c\"\nname = \"C\"\nkind = \"webhook\"\n[channel.config]\nurl = \"https://a.example\"\nsecret_file = \"none.txt\"\n",
    );
    assert!(said[0].starts_with("line 7:") && said[0].contains("none.txt cannot be read"), "{said:?}");
    let said = refused("[[heartbeat]]\nid = \"b\"\nname = \"B\"\n[[heartbeat]]\nid = \"b\"\nname = \"B\"\n");
    assert!(said[0].starts_with("line 5:") && said[0].contains("twice"), "{said:?}");
    assert!(refused("[monitor]\nid = \"a\"\n")[0].contains("[[monitor]]"));
    assert!(refused("[[monitor")[0].starts_with("line 1:"));
}

async fn tenant(db: &TestDb) -> Tenant {
    let mut tx = db.store.begin().await.expect("begin");
    let org = Store::create_org(&mut tx, "o", "Org", jiff::Timestamp::UNIX_EPOCH).await.expect("org");
    tx.commit().await.expect("commit");
    db.store.tenant(org.id)
}

fn t(second: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(1_790_000_000 + second).expect("a moment")
}

async fn id_of(tenant: &Tenant, kind: &str, external_id: &str) -> Option<(landfall_store::Id, String)> {
    let all = current(tenant).await.expect("current");
    all.into_iter().find(|o| o.kind == kind && o.external_id == external_id).map(|o| (o.id, o.name))
}

#[tokio::test]
async fn applying_twice_changes_nothing_and_a_rename_keeps_the_id() {
    for db in TestDb::both().await {
        let tenant = tenant(&db).await;
        let declared = read(GOOD);
        let first = apply(&tenant, &declared, "me", t(0)).await.expect("applied");
        assert_eq!((first.count(Action::Create), first.steps.len()), (5, 5), "{:?}", first.problems);
        let again = apply(&tenant, &declared, "me", t(1)).await.expect("applied");
        assert!(again.is_empty(), "{} {again:#?}", db.store.kind());
        let (id, _) = id_of(&tenant, "monitor", "api").await.expect("there");

        let renamed =
            read(&GOOD.replace("API of ${HOST}", "Renamed").replace("interval_s = 300", "interval_s = 60"));
        let plan = apply(&tenant, &renamed, "me", t(2)).await.expect("applied");
        let step = plan.steps.iter().find(|s| s.action == Action::Change).expect("one changes");
        let fields: Vec<&str> = step.changes.iter().map(|c| c.field.as_str()).collect();
        assert_eq!((plan.count(Action::Change), fields), (1, vec!["name", "interval_s"]));
        assert_eq!(id_of(&tenant, "monitor", "api").await, Some((id, "Renamed".into())));
    }
}

#[tokio::test]
async fn only_what_a_file_owns_is_removed_and_secrets_are_masked() {
    for db in TestDb::both().await {
        let tenant = tenant(&db).await;
        let declared = read(GOOD);
        apply(&tenant, &declared, "me", t(0)).await.expect("applied");
        crate::heartbeat::put(&tenant, "by-hand", &HeartbeatSpec::named("By hand"), "api", t(1))
            .await
            .expect("made");

        let mut other = declared.clone();
        other.channels.get_mut("ops").expect("there").config["secret"] =
            "another-secret-of-some-length".into();
        let plan = apply(&tenant, &other, "me", t(2)).await.expect("applied");
        let text = serde_json::to_string(&plan).expect("JSON");
        assert!(
            text.contains("config.secret")
                && !text.contains("another-secret-of")
                && !text.contains("sixteen"),
            "{text}"
        );
        if let Some(crate::Check::Http(http)) = other.monitors.get_mut("api").map(|m| &mut m.check) {
            http.headers.insert("authorization".into(), "Bearer other-token".into());
        }
        let plan = apply(&tenant, &other, "me", t(3)).await.expect("applied");
        let text = serde_json::to_string(&plan).expect("JSON");
        assert_eq!(plan.count(Action::Change), 1, "{text}");
        assert!(!text.contains("other-token") && !text.contains("abc$def"), "{text}");

        let plan = apply(&tenant, &Declared::default(), "me", t(4)).await.expect("applied");
        assert_eq!((plan.count(Action::Delete), plan.steps.len()), (5, 5));
        let left = current(&tenant).await.expect("current");
        assert_eq!(left.iter().map(|o| o.external_id.as_str()).collect::<Vec<_>>(), ["by-hand"]);

        // Declaring what was made by hand takes it over.
        let taken = read("[[heartbeat]]\nid = \"by-hand\"\nname = \"By hand\"\n");
        let plan = apply(&tenant, &taken, "me", t(5)).await.expect("applied");
        assert_eq!(plan.steps[0].changes[0].field, "origin");
        assert!(apply(&tenant, &taken, "me", t(6)).await.expect("applied").is_empty());
    }
}

#[tokio::test]
async fn a_plan_with_problems_changes_nothing() {
    for db in TestDb::both().await {
        let tenant = tenant(&db).await;
        let wrong = read(&GOOD.replace("channels = [\"ops\"]\ncheck", "channels = [\"opps\"]\ncheck"));
        let plan = apply(&tenant, &wrong, "me", t(0)).await.expect("planned");
        assert!(plan.problems[0].to_string().contains("there is no channel \"opps\""), "{:?}", plan.problems);
        assert_eq!(current(&tenant).await.expect("current").len(), 0);
    }
}

#[tokio::test]
async fn reloading_a_bad_file_keeps_the_old_state_and_says_all_that_is_wrong() {
    let db = TestDb::sqlite().await;
    let tenant = tenant(&db).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("landfall.toml");
    std::fs::write(&file, "[[heartbeat]]\nid = \"a\"\nname = \"A\"\n").expect("written");
    assert_eq!(reload(&file, &tenant, t(0)).await.expect("loaded").count(Action::Create), 1);
    std::fs::write(
        &file,
        "[[heartbeat]]\nid = \"b\"\nnme = \"B\"\n[[heartbeat]]\nid = \"c\"\nname = \"C\"\ngrace_s = 1\n",
    )
    .expect("written");
    let problems = reload(&file, &tenant, t(1)).await.expect_err("refused");
    assert!(problems.iter().any(|p| p.line == 3), "{problems:?}");
    assert!(reload(&folder.path().join("none.toml"), &tenant, t(2)).await.is_err());
    let left = current(&tenant).await.expect("current");
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].external_id, "a");
}

/// The examples of docs/monitors.md and docs/alerts.md, each fence of TOML with its line.
fn examples(document: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut open: Option<String> = None;
    for line in document.lines() {
        match &mut open {
            None if line == "```toml" => open = Some(String::new()),
            None => {}
            Some(_) if line == "```" => all.extend(open.take()),
            Some(text) => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    all
}

#[test]
fn the_documents_show_every_check_and_every_assertion_as_they_are_read() {
    struct Environment;
    impl Sources for Environment {
        fn variable(&self, name: &str) -> Option<String> {
            (name == "SLACK_URL").then(|| "https://hooks.slack.com/services/T/B/x".to_owned())
        }
        fn file(&self, name: &std::path::Path) -> Result<String, String> {
            Err(name.display().to_string())
        }
    }
    let monitors = include_str!("../../../../docs/monitors.md");
    let mut seen = std::collections::BTreeSet::new();
    let mut text = String::new();
    for example in examples(monitors).iter().chain(&examples(include_str!("../../../../docs/alerts.md"))) {
        let declared = parse(example, &Environment)
            .unwrap_or_else(|problems| panic!("{problems:?}\nin the example\n{example}"));
        let plan = plan(&declared, &[]);
        assert!(plan.problems.is_empty(), "{:?}\nin the example\n{example}", plan.problems);
        seen.extend(declared.monitors.values().map(|m| m.check.kind()));
        text.push_str(example);
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["audit", "dns", "http", "tcp", "tls"]);
    for on in ["status", "header", "body", "json", "time", "version"] {
        assert!(text.contains(&format!("on = \"{on}\"")), "{on}");
    }
    for key in [
        "equals",
        "not-equals",
        "contains",
        "not-contains",
        "matches",
        "not-matches",
        "at-least",
        "at-most",
        "exists",
    ] {
        assert!(text.contains(&format!(" {key} = ")), "{key}");
    }
}
