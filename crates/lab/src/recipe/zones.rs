//! From the records of a recipe to zones: a zone for each registered name, with SOA and NS where the recipe gives none.

use std::collections::BTreeMap;

use super::format::RecordSpec;
use crate::world::{Dns, Zone};

/// The public address of the lab's authoritative server (RFC 5737).
const SERVER: &str = "192.0.2.53";

/// The zones. Without any record: the one that every recipe starts from, unless other name servers take its place.
pub(super) fn of(records: &[RecordSpec], others: bool) -> Result<Dns, (String, String)> {
    let usual = RecordSpec {
        name: "api.example.test".into(),
        r#type: "A".into(),
        value: "192.0.2.10".into(),
        ttl: 300,
    };
    let usual = [usual];
    let records = if records.is_empty() && !others { &usual[..] } else { records };
    let mut zones: BTreeMap<String, Vec<&RecordSpec>> = BTreeMap::new();
    let apexes: Vec<String> =
        records.iter().filter(|r| r.r#type == "SOA").map(|r| absolute(&r.name)).collect();
    for record in records {
        let name = absolute(&record.name);
        let own = apexes
            .iter()
            .filter(|apex| name == **apex || name.ends_with(&format!(".{apex}")))
            .max_by_key(|apex| apex.len());
        let apex = own.cloned().unwrap_or_else(|| registered(&name));
        zones.entry(apex).or_default().push(record);
    }
    let dns = Dns { zone: zones.into_iter().map(|(apex, records)| zone(&apex, &records)).collect() };
    crate::dns::Zones::parse(&dns).map_err(|problem| {
        let of = records.iter().find(|r| problem.contains(&line(r)));
        (problem, of.map(|r| format!("{:?}", r.value)).unwrap_or_default())
    })?;
    Ok(dns)
}

/// The last two labels.
fn registered(name: &str) -> String {
    let labels: Vec<&str> = name.trim_end_matches('.').split('.').collect();
    let from = labels.len().saturating_sub(2);
    format!("{}.", labels[from..].join("."))
}

fn absolute(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    if name.ends_with('.') { name } else { format!("{name}.") }
}

fn zone(apex: &str, records: &[&RecordSpec]) -> Zone {
    let at_apex = |kind: &str| records.iter().any(|r| r.r#type == kind && absolute(&r.name) == apex);
    let mut lines = Vec::new();
    if !at_apex("SOA") {
        lines.push(format!("{apex} 3600 SOA ns1.{apex} hostmaster.{apex} 2026010101 3600 600 86400 60"));
    }
    if !at_apex("NS") {
        lines.push(format!("{apex} 3600 NS ns1.{apex}"));
        lines.push(format!("ns1.{apex} 3600 A {SERVER}"));
    }
    lines.extend(records.iter().map(|r| line(r)));
    Zone { origin: apex.to_owned(), records: lines }
}

fn line(record: &RecordSpec) -> String {
    // Names in the data are absolute, with or without the last dot.
    let value = match record.r#type.as_str() {
        "CNAME" | "NS" | "PTR" => absolute(record.value.trim()),
        _ => record.value.clone(),
    };
    format!("{} {} {} {value}", absolute(&record.name), record.ttl, record.r#type)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str, kind: &str, value: &str) -> RecordSpec {
        RecordSpec { name: name.into(), r#type: kind.into(), value: value.into(), ttl: 60 }
    }

    #[test]
    fn records_fall_into_zones_and_a_faulty_one_is_found() {
        assert_eq!(of(&[], false).expect("the usual zone").zone[0].origin, "example.test.");
        assert!(of(&[], true).expect("no zone").zone.is_empty());
        let records = [
            record("api.example.test", "CNAME", "app.platform.test"),
            record("app.platform.test", "A", "192.0.2.1"),
        ];
        let dns = of(&records, false).expect("valid");
        assert_eq!(dns.zone.len(), 2);
        assert!(dns.zone[0].records.contains(&"api.example.test. 60 CNAME app.platform.test.".to_owned()));
        let (problem, needle) =
            of(&[record("api.example.test", "A", "192.0.2.300")], false).expect_err("wrong");
        assert!(problem.contains("192.0.2.300") && needle == "\"192.0.2.300\"", "{problem}");
    }
}
