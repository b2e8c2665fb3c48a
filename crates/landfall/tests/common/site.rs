//! One production site, https://api.example.test, from its zone to its web server, and the audit of it.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::call::{Run, landfall, landfall_without_network};
use super::dns::{API, API6, Records, SERVER, Zone};
use super::json::brief;
use super::pki::{Authority, Identity, Sent};
use super::process::write;
use super::web::Web;

/// The host that is audited.
pub(crate) const HOST: &str = "api.example.test";

/// Another name of the same server, under which the application may answer.
pub(crate) const ORIGIN: &str = "app.example.test";

/// What the audit is told of the application: a health route, and the main function, which wants a key.
const CONFIG: &str = "\
[target]
production = \"https://api.example.test\"

[[endpoint]]
path = \"/health\"
content_type = \"application/json\"
json_keys = [\"ok\", \"ts\"]

[[endpoint]]
path = \"/api/v1/projects\"
core = true
status = [200, 401]
";

/// Zone, authority and a folder; the web server comes to it.
pub(crate) struct Site {
    pub(crate) zone: Zone,
    authority: Authority,
    // Last, because the servers write below it until they end.
    folder: TempDir,
}

/// One audit of a site.
pub(crate) struct Audit {
    pub(crate) report: Value,
    pub(crate) evidence: Value,
    pub(crate) run: Run,
}

impl Site {
    /// The zone served by BIND alone.
    pub(crate) fn with_bind(records: Records) -> Self {
        Self::with(Zone::bind, records)
    }

    /// The zone served by NSD, behind BIND as the recursive server.
    pub(crate) fn with_nsd(records: Records) -> Self {
        Self::with(Zone::nsd, records)
    }

    fn with(zone: fn(&Path, Records) -> Zone, records: Records) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write(folder.path(), "landfall.toml", CONFIG);
        Self { zone: zone(folder.path(), records), authority: Authority::new(), folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A right certificate with its chain.
    pub(crate) fn identity(&self) -> Identity {
        self.identity_with(80, Sent::Chain)
    }

    /// A certificate for the host that ends in `days_left` days.
    pub(crate) fn identity_with(&self, days_left: i64, sent: Sent) -> Identity {
        self.authority.leaf(self.path(), &[HOST, ORIGIN], days_left, sent)
    }

    /// A right certificate for other names.
    pub(crate) fn identity_for(&self, names: &[&str]) -> Identity {
        self.authority.leaf(self.path(), names, 80, Sent::Chain)
    }

    /// The flags that keep the audit on this machine: resolver, address map, root certificate.
    pub(crate) fn flags(&self, web: Option<&Web>) -> Vec<String> {
        let mut map = vec![format!("{SERVER}:53:{}", self.zone.authority)];
        if let Some(web) = web {
            for (public, here) in [(API.to_owned(), "127.0.0.1"), (format!("[{API6}]"), "[::1]")] {
                map.push(format!("{public}:443:{here}:{}", web.tls_port));
                map.push(format!("{public}:80:{here}:{}", web.plain_port));
            }
        }
        let map = map.into_iter().flat_map(|entry| ["--connect-to".to_owned(), entry]);
        [
            "--resolver".into(),
            self.zone.resolver.to_string(),
            "--ca-file".into(),
            self.authority.root_file(self.path()),
        ]
        .into_iter()
        .chain(map)
        .collect()
    }

    /// Audits the site behind `web`, and shows that the saved evidence gives the same report in every format.
    pub(crate) fn audit(&self, web: Option<&Web>, more: &[&str]) -> Audit {
        let mut words: Vec<String> =
            ["audit", "--config", "landfall.toml", "--skip", "project,tests", "--quiet", "--format", "json"]
                .into_iter()
                .chain([
                    "--save-evidence",
                    "evidence.json",
                    "-o",
                    "live.md",
                    "-o",
                    "live.html",
                    "-o",
                    "live.txt",
                    "-o",
                    "live.json",
                ])
                .map(str::to_owned)
                .collect();
        words.extend(self.flags(web));
        words.extend(more.iter().map(|w| (*w).to_owned()));
        let run = landfall(self.path(), &words);
        let report = parsed(&run.stdout, &run);
        let evidence = parsed(&self.read("evidence.json"), &run);
        assert_eq!(run.stderr, "", "quiet means quiet");
        let audit = Audit { report, evidence, run };
        self.replays(&audit);
        audit
    }

    /// Runs the verification procedure of the report that [`Self::audit`] wrote.
    pub(crate) fn verify(&self, web: Option<&Web>) -> Run {
        let mut words: Vec<String> = vec!["verify".into(), "live.json".into()];
        words.extend(self.flags(web));
        landfall(self.path(), &words)
    }

    /// The report is a function of the evidence: the same bytes in every format, and no network to help it.
    fn replays(&self, live: &Audit) {
        for (format, file) in
            [("json", "live.json"), ("markdown", "live.md"), ("html", "live.html"), ("terminal", "live.txt")]
        {
            let words = ["diagnose", "evidence.json", "--format", format];
            let replay = landfall_without_network(self.path(), &words).unwrap_or_else(|| {
                eprintln!("no network namespace may be made here; the replay runs with the network in reach");
                landfall(self.path(), &words)
            });
            assert_eq!(replay.status, live.run.status, "{format}: {}", replay.stderr);
            assert_same(&replay.stdout, &self.read(file), format);
        }
        assert_same(&live.run.stdout, &self.read("live.json"), "stdout and -o live.json");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }
}

impl std::fmt::Display for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit status {} · {}\n{}", self.run.status, brief(&self.report), self.run.stderr)
    }
}

fn parsed(text: &str, run: &Run) -> Value {
    serde_json::from_str(text)
        .unwrap_or_else(|e| panic!("no JSON ({e}), exit status {}\n{text}\n{}", run.status, run.stderr))
}

/// Two texts of many kilobytes: the first line that differs says more than both.
fn assert_same(a: &str, b: &str, what: &str) {
    if a != b {
        let differing = a.lines().zip(b.lines()).enumerate().find(|(_, (a, b))| a != b);
        panic!(
            "{what}: replay and live differ ({} and {} bytes), first at line {differing:#?}",
            a.len(),
            b.len()
        );
    }
}
