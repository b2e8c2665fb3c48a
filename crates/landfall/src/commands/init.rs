//! `landfall init`

use landfall_audit::{Config, ExitStatus, Overrides, Plan, config};

use crate::args::InitArgs;
use crate::failure::Failure;
use crate::output;

pub(super) fn run(args: &InitArgs) -> Result<ExitStatus, Failure> {
    let file = args.project.join("landfall.toml");
    let said = Overrides {
        production: args.url.clone(),
        project: Some(args.project.clone()),
        ..Overrides::default()
    };
    let plan = Plan::new(&Config::default(), &said)?;
    let found = landfall_audit::discover(&plan);
    let text = config::template(&found.target, found.test_command.as_deref());
    if args.print {
        output::print(&text)?;
        return Ok(ExitStatus::Clean);
    }
    if file.exists() && !args.force {
        return Err(Failure::usage(format!(
            "{} is already there; look at a new one with --print, or replace it with --force",
            file.display()
        )));
    }
    output::write(&file, &text)?;
    output::print(&format!(
        "{} written: {} endpoint(s), {}.\nNext: landfall audit --config {}\n",
        file.display(),
        found.target.endpoints.len(),
        found.test_command.as_deref().map_or("no test command found".to_owned(), |c| format!("tests: {c}")),
        file.display(),
    ))?;
    Ok(ExitStatus::Clean)
}
