//! Records that the project's own files give to DNS. An audit holds them against what DNS answers: a record that was never
//! carried out, or was changed by hand since, is the difference between both.

mod files;
mod terraform;

use std::net::{Ipv4Addr, Ipv6Addr};

use landfall_evidence::PlannedRecord;

use crate::source::is_test;
use crate::tree::{Tree, file_name, parent};

/// Records that are kept.
const MAX_RECORDS: usize = 300;
/// Files that are read for them.
const MAX_FILES: usize = 300;
/// The longest name (RFC 1035, section 2.3.4).
const MAX_NAME: usize = 253;

/// Reads the records of a folder, in the order of its files.
pub(crate) fn read(tree: &Tree) -> Vec<PlannedRecord> {
    let kept = tree.files.iter().filter(|file| !file.ignored && !is_test(&file.path) && is_read(&file.path));
    let texts: Vec<(&str, String)> = kept
        .take(MAX_FILES)
        .filter_map(|file| Some((file.path.as_str(), tree.text(&file.path)?.ok()?)))
        .collect();
    let mut found = terraform::read(&texts);
    found.extend(texts.iter().flat_map(|(path, text)| files::read(path, text)));
    let mut records: Vec<PlannedRecord> = Vec::new();
    for record in found.into_iter().filter_map(Found::record) {
        // Several resources, or lines of a zone, may give one name more addresses.
        let same = |known: &PlannedRecord| {
            known.name == record.name
                && known.rtype == record.rtype
                && known.provider == record.provider
                && parent(file(&known.place)) == parent(file(&record.place))
        };
        let Some(at) = records.iter().position(same) else {
            if records.len() < MAX_RECORDS {
                records.push(record);
            }
            continue;
        };
        let known = &mut records[at].data;
        // What is put together elsewhere leaves open what the whole set is.
        if known.is_empty() || record.data.is_empty() {
            known.clear();
        } else {
            known.extend(record.data);
            known.sort();
            known.dedup();
        }
    }
    records
}

fn file(place: &str) -> &str {
    place.rsplit_once(':').map_or(place, |(file, _)| file)
}

fn is_read(path: &str) -> bool {
    let name = file_name(path).to_ascii_lowercase();
    let ends = |all: &[&str]| all.iter().any(|end| name.ends_with(end));
    ends(&[".tf", ".tofu", ".tfvars", ".yml", ".yaml", ".zone"])
        || (name.ends_with(".js") && name.contains("dns"))
        || name.starts_with("db.")
}

/// How a file writes the name of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Style {
    /// What stands before the zone's name, which is appended whatever it is.
    Relative,
    /// The whole name.
    #[default]
    Whole,
    /// Either: the zone's name is appended where it is missing.
    Either,
}

/// A record as a file has it.
#[derive(Debug, Default)]
struct Found {
    name: String,
    style: Style,
    zone: Option<String>,
    rtype: String,
    data: Vec<String>,
    proxied: bool,
    provider: Option<&'static str>,
    place: String,
}

impl Found {
    fn record(self) -> Option<PlannedRecord> {
        let rtype = self.rtype.to_ascii_uppercase();
        if !matches!(rtype.as_str(), "A" | "AAAA" | "CNAME" | "ALIAS") {
            return None;
        }
        let zone = self.zone.as_deref().and_then(host);
        let written = self.name.trim().to_ascii_lowercase();
        let is_absolute = written.ends_with('.');
        let own = match written.trim_end_matches('.') {
            "" | "@" => None,
            own => Some(host(own)?),
        };
        let below = |own: &str, zone: &str| own == zone || own.ends_with(&format!(".{zone}"));
        let (name, zone) = match (own, zone, self.style) {
            (None, Some(zone), _) => (zone.clone(), Some(zone)),
            (None, None, _) => ("@".to_owned(), None),
            (Some(own), zone, _) if is_absolute => (own, zone),
            (Some(own), zone, Style::Whole) => (own, zone),
            (Some(own), Some(zone), Style::Either) if below(&own, &zone) => (own, Some(zone)),
            (Some(own), Some(zone), _) => (format!("{own}.{zone}"), Some(zone)),
            // Two labels may be a name of their own or stand below a zone; three are hardly ever all below one.
            (Some(own), None, Style::Either) if own.split('.').count() > 2 => {
                let zone = own.split_once('.').map(|(_, rest)| rest.to_owned());
                (own, zone)
            }
            (Some(own), None, _) => (own, None),
        };
        let all = self.data.len();
        let data: Vec<String> = self.data.iter().filter_map(|data| value(&rtype, data)).collect();
        Some(PlannedRecord {
            name,
            zone,
            // A part of the set that cannot be read leaves open what the whole of it is.
            data: if data.len() == all { data } else { Vec::new() },
            rtype,
            proxied: self.proxied,
            provider: self.provider.map(str::to_owned),
            place: self.place,
        })
    }
}

/// A host name in lower case without its final dot; `None` for what is none.
fn host(text: &str) -> Option<String> {
    let name = text.trim().trim_end_matches('.').to_ascii_lowercase();
    let is_label = |label: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        label == "*" || (!label.is_empty() && label.len() <= 63 && label.chars().all(fits))
    };
    (name.len() <= MAX_NAME && !name.is_empty() && name.split('.').all(is_label)).then_some(name)
}

fn value(rtype: &str, data: &str) -> Option<String> {
    match rtype {
        "A" => data.trim().parse::<Ipv4Addr>().ok().map(|address| address.to_string()),
        "AAAA" => data.trim().parse::<Ipv6Addr>().ok().map(|address| address.to_string()),
        // A target without a dot stands below the zone in some of the tools and is refused by others.
        _ => host(data).filter(|name| name.contains('.')),
    }
}

#[cfg(test)]
mod tests;
