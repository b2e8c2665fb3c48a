//! `landfall diagnose`

use std::io::Read;
use std::path::Path;

use landfall_audit::{ExitStatus, FailOn};
use landfall_diagnosis::{Catalogue, Claims, Severity, grade};
use landfall_evidence::Evidence;
use landfall_report::Format;

use crate::args::DiagnoseArgs;
use crate::failure::Failure;
use crate::output;

/// Evidence files are a few hundred kilobytes; this bound keeps a wrong file from filling the memory.
const LARGEST_BYTE: u64 = 256 * 1024 * 1024;

pub(super) fn run(args: &DiagnoseArgs) -> Result<ExitStatus, Failure> {
    let catalogue = super::catalogue(args.catalogue.as_deref())?;
    catalogue.read_ahead();
    let name = args.evidence.display().to_string();
    let text = read(&args.evidence)?;
    let evidence = Evidence::from_json(&text).map_err(|e| {
        Failure::usage(format!(
            "{name}: {e}\n  write a new file with: landfall audit URL --save-evidence {name}"
        ))
    })?;
    if let Some(file) = &args.claims {
        return claims(file, &evidence, &catalogue, args.output.format);
    }
    let (diagnosis, mut report) = landfall_audit::report(&evidence, &catalogue);
    if args.output.rephrase {
        super::rephrase(&mut report, &diagnosis, &catalogue, &super::config(None)?)?;
    }
    if args.output.with_evidence {
        report = report.with_evidence(&evidence);
    }
    output::deliver(&report, &args.output)?;
    Ok(ExitStatus::of(&diagnosis, args.output.fail_on.unwrap_or(FailOn::From(Severity::High))))
}

/// Grades claims. The exit status says whether one of them was refuted.
fn claims(
    file: &Path,
    evidence: &Evidence,
    catalogue: &Catalogue,
    format: Option<Format>,
) -> Result<ExitStatus, Failure> {
    let name = file.display();
    let text =
        std::fs::read_to_string(file).map_err(|e| Failure::usage(format!("{name}: cannot be read: {e}")))?;
    let claims = Claims::parse(&text, catalogue).map_err(|errors| {
        let lines: String = errors.iter().map(|error| format!("\n  {error}")).collect();
        Failure::usage(format!("{name}: the claims are not understood:{lines}"))
    })?;
    let graded = grade(&claims, evidence, catalogue);
    match format {
        None | Some(Format::Terminal | Format::Markdown) => {
            output::print(&landfall_report::claims(&graded, &output::style()))?;
        }
        Some(Format::Json) => {
            let json = serde_json::to_string_pretty(&graded)
                .map_err(|e| Failure::unable(format!("cannot write JSON: {e}")))?;
            output::print(&format!("{json}\n"))?;
        }
        Some(other) => {
            return Err(Failure::usage(format!(
                "claims are printed as text or JSON, not as {other}; leave --format out, or use --format json"
            )));
        }
    }
    Ok(ExitStatus::of_claims(&graded))
}

/// The text of an evidence or report file, or of stdin for `-`.
pub(super) fn read(file: &Path) -> Result<String, Failure> {
    let name = file.display();
    let unreadable = |e: std::io::Error| Failure::usage(format!("{name}: cannot be read: {e}"));
    let mut bytes = Vec::new();
    if file.as_os_str() == "-" {
        std::io::stdin().lock().take(LARGEST_BYTE).read_to_end(&mut bytes).map_err(unreadable)?;
    } else {
        let file = std::fs::File::open(file).map_err(unreadable)?;
        file.take(LARGEST_BYTE).read_to_end(&mut bytes).map_err(unreadable)?;
    }
    String::from_utf8(bytes)
        .map_err(|_| Failure::usage(format!("{name}: is not UTF-8 text, so it is not Landfall evidence")))
}
