//! Where results go: stdout, and files named with `-o`. A closed pipe is a normal end.

use std::io::{IsTerminal, Write};
use std::path::Path;

use landfall_report::{Format, Report, Style};

use crate::args::OutputArgs;
use crate::failure::Failure;

/// Prints text to stdout. `| head` closing the pipe is not a failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::unable(format!("cannot write to stdout: {e}")))
        }
        _ => Ok(()),
    }
}

/// Writes text to a file, or to stdout for `-`.
pub(crate) fn write(file: &Path, text: &str) -> Result<(), Failure> {
    if file.as_os_str() == "-" {
        return print(text);
    }
    std::fs::write(file, text).map_err(|e| Failure::unable(format!("cannot write {}: {e}", file.display())))
}

/// Renders a report to stdout in one format and to each file in the format that its extension names.
pub(crate) fn deliver(report: &Report, args: &OutputArgs) -> Result<(), Failure> {
    let (format, files) = (args.format, &args.output);
    let mut rendered = Vec::new();
    for file in files {
        let format = Format::of_path(file).or(format).ok_or_else(|| {
            Failure::usage(format!(
                "-o {}: the extension names no format; use .txt, .md, .html, .json, .xml or .sarif",
                file.display()
            ))
        })?;
        rendered.push((file, landfall_report::render(report, format, &Style::default())));
    }
    for (file, text) in rendered {
        write(file, &text)?;
    }
    let format = format.unwrap_or(Format::Terminal);
    print(&landfall_report::render(report, format, &Style { details: args.details, ..style() }))
}

/// Colour and width for stdout: `NO_COLOR`, then `CLICOLOR_FORCE`, then whether it is a terminal.
pub(crate) fn style() -> Style {
    let set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty() && v != "0");
    let color = !set("NO_COLOR") && (set("CLICOLOR_FORCE") || std::io::stdout().is_terminal());
    Style { color, width: width(), details: false }
}

/// The terminal's width between 60 and 100 columns: narrower breaks tables, wider is harder to read. 80 without one.
fn width() -> usize {
    let columns = rustix::termios::tcgetwinsize(std::io::stdout()).ok().map(|size| usize::from(size.ws_col));
    columns.filter(|c| *c > 0).unwrap_or(80).clamp(60, 100)
}
