//! `landfall fix`

use std::fmt::Write as _;

use landfall_audit::{Config, DEFAULT_TEST_LIMIT, ExitStatus};
use landfall_project::Fix;

use super::wait_for;
use crate::args::FixArgs;
use crate::failure::Failure;
use crate::output;

pub(super) fn run(args: &FixArgs) -> Result<ExitStatus, Failure> {
    let root = &args.project;
    let read = landfall_project::read(root);
    let Some(snapshot) = read.present() else {
        return Err(Failure::usage(format!("the project folder {} cannot be read", root.display())));
    };
    let mut fixes = landfall_project::fixes(root, snapshot);
    if args.tests {
        let file = root.join("landfall.toml");
        let config = if file.is_file() { Config::load(&file)? } else { Config::default() };
        let limit = config.test_timeout.unwrap_or(DEFAULT_TEST_LIMIT);
        fixes.extend(wait_for(async { Ok(landfall_project::fix_tests(root, limit).await) })?);
    }
    if fixes.is_empty() {
        output::print("Nothing that is safe to change.\n")?;
        return Ok(ExitStatus::Clean);
    }
    output::print(&shown(&fixes))?;
    if !args.apply {
        let tests = if args.tests { " --tests" } else { "" };
        output::print(&format!("# Nothing was changed. landfall fix{tests} --apply makes these changes.\n"))?;
        return Ok(ExitStatus::Failing);
    }
    let failed: Vec<String> = fixes.iter().filter_map(|fix| fix.apply(root).err()).collect();
    if !failed.is_empty() {
        return Err(Failure::unable(failed.join("; ")));
    }
    output::print(&format!(
        "# {} changed.\n",
        if fixes.len() == 1 { "One file was" } else { "All of these were" }
    ))?;
    Ok(ExitStatus::Clean)
}

/// The diffs, each under the reason for it. Lines before a diff's first are no part of a patch, so the whole is one.
fn shown(fixes: &[Fix]) -> String {
    let mut out = String::new();
    for fix in fixes {
        let _ = writeln!(out, "# {}", fix.why);
        if let Some(tried) = &fix.tried {
            let _ = writeln!(out, "# tried: {tried}");
        }
        out.push_str(&fix.diff());
        out.push('\n');
    }
    out
}
