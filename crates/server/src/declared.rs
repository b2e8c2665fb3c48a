//! What the server's own configuration file declares: `[[monitor]] [[channel]] [[window]] [[heartbeat]]`.
//!
//! It belongs to the first organisation there is, the one that the first-run link made: whoever writes the file runs the
//! server. It is applied when the server starts, or as soon as that organisation exists, and again at SIGHUP. A file with
//! a mistake changes nothing, and everything that is wrong with it is logged with its line. Plans do not limit it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use landfall_monitor::declare::{self, Declared, Plan, Surroundings};
use landfall_store::Tenant;
use tokio::sync::Notify;

use crate::App;

/// How often it is looked whether the first organisation exists.
const LOOK: Duration = Duration::from_secs(2);

/// What became of the file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// It declares nothing, and never did while this server ran.
    Nothing,
    /// There is no organisation yet that it could belong to.
    Nobody,
    /// It was carried out.
    Done(Plan),
}

/// Keeps the first organisation as the file declares. Runs until it is dropped.
pub(crate) async fn keep(app: App, file: Option<PathBuf>, again: Arc<Notify>) {
    let Some(file) = file else {
        loop {
            again.notified().await;
            tracing::warn!("nothing to reload: the server was started without a configuration file");
        }
    };
    let mut was_there = false;
    let mut waits = round(&app, &file, &mut was_there).await;
    loop {
        tokio::select! {
            () = again.notified() => waits = round(&app, &file, &mut was_there).await,
            () = tokio::time::sleep(LOOK), if waits => {
                if !matches!(first(&app).await, Ok(None)) {
                    waits = round(&app, &file, &mut was_there).await;
                }
            }
        }
    }
}

/// Applies the file and says what became of it; whether it waits for an organisation.
async fn round(app: &App, file: &Path, was_there: &mut bool) -> bool {
    match apply(app, file, *was_there).await {
        Ok(Outcome::Nothing) => tracing::info!(file = %file.display(), "the file declares nothing"),
        Ok(Outcome::Nobody) => {
            tracing::info!(file = %file.display(), "what the file declares waits for the first organisation");
            return true;
        }
        Ok(Outcome::Done(plan)) => {
            *was_there = true;
            tracing::info!(file = %file.display(), "applied: {}", plan.say());
        }
        Err(problems) => {
            for problem in &problems {
                tracing::error!("{problem}");
            }
            tracing::error!(
                problems = problems.len(),
                "the configuration file was not applied; everything stays as it was"
            );
        }
    }
    false
}

/// The first organisation.
async fn first(app: &App) -> Result<Option<Tenant>, Vec<String>> {
    let orgs = app.store.orgs().await.map_err(|e| vec![format!("the database failed: {e}")])?;
    Ok(orgs.first().map(|org| app.store.tenant(org.id)))
}

/// Applies the file. One without any declaration counts only when there were some before (`was_there`): what
/// `landfall apply` brought from another file is not removed by a file that is only about the server.
pub(crate) async fn apply(app: &App, file: &Path, was_there: bool) -> Result<Outcome, Vec<String>> {
    let name = file.display();
    let text =
        tokio::fs::read_to_string(file).await.map_err(|e| vec![format!("{name}: cannot be read: {e}")])?;
    // The tables of the audit are read as well, so that a file with a mistake anywhere is refused.
    landfall_audit::Config::parse(&text, &name.to_string())
        .map_err(|e| e.to_string().lines().map(str::to_owned).collect::<Vec<_>>())?;
    let lines = |problems: Vec<declare::Problem>| -> Vec<String> {
        problems.iter().map(|p| format!("{name}: {p}")).collect()
    };
    let declared = declare::parse(&text, &Surroundings::of(file)).map_err(lines)?;
    if declared == Declared::default() && !was_there {
        return Ok(Outcome::Nothing);
    }
    let Some(tenant) = first(app).await? else { return Ok(Outcome::Nobody) };
    let plan = declare::reload(file, &tenant, app.clock.now()).await.map_err(lines)?;
    app.watch.nudge();
    Ok(Outcome::Done(plan))
}

#[cfg(test)]
mod tests {
    use landfall_store::monitors::MonitorFilter;
    use landfall_store::{Org, Page};

    use super::*;
    use crate::Settings;
    use crate::testing::World;

    const ONE: &str = "[[monitor]]\nid = \"site\"\nname = \"Site\"\n[monitor.check]\nkind = \"http\"\nurl = \"https://example.com/\"\n";

    async fn ids(world: &World, org: &Org) -> Vec<(String, String)> {
        let tenant = world.app.store.tenant(org.id);
        let all = tenant.monitors(&MonitorFilter::default(), Page::default()).await.expect("monitors");
        all.into_iter().map(|m| (m.external_id, m.name)).collect()
    }

    #[tokio::test]
    async fn the_file_belongs_to_the_first_organisation_and_a_bad_one_changes_nothing() {
        for world in World::both(&Settings::default()).await {
            let folder = tempfile::tempdir().expect("a folder");
            let file = folder.path().join("landfall.toml");
            let write = |text: &str| std::fs::write(&file, text).expect("written");
            write("[server]\nport = 8000\n");
            assert_eq!(apply(&world.app, &file, false).await, Ok(Outcome::Nothing));
            write(ONE);
            assert_eq!(apply(&world.app, &file, false).await, Ok(Outcome::Nobody));
            let (mine, other) = (world.org("mine").await, world.org("other").await);
            assert!(matches!(apply(&world.app, &file, false).await, Ok(Outcome::Done(_))));
            let site = [("site".to_owned(), "Site".to_owned())];
            assert_eq!(ids(&world, &mine).await, site);
            assert_eq!(ids(&world, &other).await, []);

            write(&ONE.replace("http\"", "htpt\"").replace("\"Site\"", "\"\""));
            let problems = apply(&world.app, &file, true).await.expect_err("two mistakes");
            assert!(problems.iter().all(|p| p.contains("landfall.toml: line ")), "{problems:?}");
            write("[audit]\nnonsense = 1\n");
            apply(&world.app, &file, true).await.expect_err("the audit's tables are looked at as well");
            assert_eq!(ids(&world, &mine).await, site);

            // A file that never declared anything takes nothing away; one that did, does.
            write("[server]\nport = 8000\n");
            assert_eq!(apply(&world.app, &file, false).await, Ok(Outcome::Nothing));
            assert_eq!(ids(&world, &mine).await, site);
            assert!(matches!(apply(&world.app, &file, true).await, Ok(Outcome::Done(_))));
            assert_eq!(ids(&world, &mine).await, []);
        }
    }
}
