//! The API against its own description, by Schemathesis.

use std::path::Path;
use std::process::Stdio;

use landfall_store::testkit::TestDb;

use crate::tenancy::things;
use crate::world::World;

/// Finds nothing: no answer that the description does not have, no 5xx, no nonsense that is taken, no door without a lock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schemathesis_finds_nothing() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let venv = std::env::var_os("LANDFALL_API_VENV").map_or_else(|| root.join(".lab/api-venv"), Into::into);
    let program = venv.join("bin/schemathesis");
    assert!(program.exists(), "{} is missing: run scripts/api-venv (./test does)", program.display());
    let generous = |s: &mut landfall_server::Settings| {
        for quota in [&mut s.limits.address, &mut s.limits.principal, &mut s.limits.auth] {
            quota.requests = 1_000_000;
        }
    };
    let world = World::on(TestDb::sqlite().await, &generous).await;
    let owner = world.owner().await;
    let (_, key) = world.key(&owner, &["admin"]).await;
    let authorization = key.headers["authorization"].to_str().expect("text").to_owned();
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("schemathesis.toml");
    let mut text = include_str!("schemathesis.toml").to_owned();
    // Ids of things that are there, so that more than 404 is seen.
    for (kind, id) in things(&world, &owner, "web").await.iter().filter(|(k, _)| *k != "external_id") {
        text.push_str(&format!(
            "\n[[operations]]\ninclude-path-regex = '^/api/v1/{kind}/\\{{id\\}}'\ninclude-method = [\"GET\", \"PATCH\", \"POST\"]\nparameters = {{ \"path.id\" = \"{id}\" }}\n"
        ));
    }
    std::fs::write(&config, text).expect("written");
    let mut command = tokio::process::Command::new(program);
    command
        .current_dir(folder.path())
        .arg("--config-file")
        .arg(&config)
        .args(["run", &format!("{}/api/v1/openapi.json", world.base)])
        .args(["--header", &format!("Authorization: {authorization}")])
        .args(["--no-color", "--generation-database", "none"])
        .env("HOME", folder.path())
        .env_remove("SCHEMATHESIS_HOOKS")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let done = command.output().await.expect("schemathesis runs");
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{said}");
    assert!(said.contains("Tested:"), "it did test something:\n{said}");
}
