//! Reads a project folder and says how long it took and how much memory the process held at most: for `bench/tree.py`.

use std::path::Path;
use std::time::Instant;

use landfall_evidence::Observed;

fn main() {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let begun = Instant::now();
    let read = landfall_project::read(Path::new(&folder));
    let seconds = begun.elapsed().as_secs_f64();
    let Observed::Present(seen) = read else {
        eprintln!("{folder}: cannot be read");
        std::process::exit(1);
    };
    // proc(5): VmHWM is the peak of the resident set, in kibibytes.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0").trim();
    println!(
        "{{\"seconds\": {seconds:.3}, \"peak\": \"{peak}\", \"stacks\": {}, \"routes\": {}, \"settings\": {}, \"deploy\": {}, \"unread\": {}}}",
        seen.stacks.len(),
        seen.routes.len(),
        seen.settings.read.len(),
        seen.deploy.len(),
        serde_json::to_string(&seen.unread).unwrap_or_default(),
    );
}
