//! Which keys exist in `landfall.toml`, and the nearest one to a key that does not.

use toml::de::{DeTable, DeValue};

use super::Problems;

/// Tables of the file with the keys that each may hold.
const TABLES: &[(&str, &[&str])] = &[
    ("target", &["name", "production", "origin", "edge", "local", "project", "frontends", "logs"]),
    ("endpoint", &["path", "method", "core", "status", "content_type", "json_keys", "contains", "timeout"]),
    ("rate_limit", &["profile"]),
    ("tests", &["command", "timeout"]),
    ("audit", &["timeout", "budget", "fail_on"]),
    ("network", &["resolvers", "connect_to", "ca_files"]),
    ("rephrase", &["url", "model", "key_env"]),
    ("dns", &["expected_ns", "rdap", "hosts_file"]),
    ("thresholds", &[]),
];

/// Tables that are read by others: the server's settings, and what `landfall apply` declares on it. They know their keys.
const OTHERS: [&str; 5] = ["server", "monitor", "channel", "window", "heartbeat"];

pub(super) fn check(root: &DeTable<'_>, problems: &mut Problems<'_>) {
    for (key, value) in root {
        let name: &str = key.get_ref();
        if OTHERS.contains(&name) {
            continue;
        }
        if name == "thresholds"
            && let DeValue::Table(table) = value.get_ref()
        {
            let keys: Vec<&str> = landfall_diagnosis::THRESHOLDS.iter().map(|t| t.name).collect();
            check_table(name, &keys, table, problems);
            continue;
        }
        let Some((_, keys)) = TABLES.iter().find(|(table, _)| *table == name) else {
            let mend = top_level_mend(name);
            problems.add(Some(key.span()), format!("unknown section or key {name:?}"), Some(mend));
            continue;
        };
        match value.get_ref() {
            DeValue::Table(table) if name == "rate_limit" => {
                check_table(name, keys, table, problems);
                profiles(table, problems);
            }
            DeValue::Table(table) if name != "endpoint" => check_table(name, keys, table, problems),
            DeValue::Array(items) if name == "endpoint" => {
                for item in items {
                    if let DeValue::Table(table) = item.get_ref() {
                        check_table("[endpoint]", keys, table, problems);
                    }
                }
            }
            _ => {
                let form = match name {
                    "endpoint" => "[[endpoint]]".to_owned(),
                    "rate_limit" => "[[rate_limit.profile]]".to_owned(),
                    _ => format!("[{name}]"),
                };
                problems.add(
                    Some(key.span()),
                    format!("{name} has the wrong form"),
                    Some(format!("write it as {form}")),
                );
            }
        }
    }
}

/// The tables `[[rate_limit.profile]]`.
fn profiles(table: &DeTable<'_>, problems: &mut Problems<'_>) {
    let named = |key: &str| key == "profile";
    let Some((key, value)) = table.iter().find(|(key, _)| named(key.get_ref())) else { return };
    let tables: Option<Vec<&DeTable<'_>>> = match value.get_ref() {
        DeValue::Array(items) => items
            .iter()
            .map(|item| match item.get_ref() {
                DeValue::Table(table) => Some(table),
                _ => None,
            })
            .collect(),
        _ => None,
    };
    match tables {
        Some(tables) => {
            for table in tables {
                check_table("[rate_limit.profile]", super::uses::KEYS, table, problems);
            }
        }
        None => {
            let mend = "write each as [[rate_limit.profile]]".to_owned();
            problems.add(Some(key.span()), "profile has the wrong form".to_owned(), Some(mend));
        }
    }
}

fn check_table(name: &str, keys: &[&str], table: &DeTable<'_>, problems: &mut Problems<'_>) {
    for (key, _) in table {
        let found: &str = key.get_ref();
        if keys.contains(&found) {
            continue;
        }
        let known = format!("known here: {}", keys.join(", "));
        let mend = match nearest(found, keys.iter().copied()) {
            Some(near) => format!("did you mean {near:?}? ({known})"),
            None => known,
        };
        problems.add(Some(key.span()), format!("unknown key {found:?} in [{name}]"), Some(mend));
    }
}

fn top_level_mend(name: &str) -> String {
    if nearest(name, ["rate_limit"].into_iter()).is_some() {
        return "did you mean [[rate_limit.profile]]?".to_owned();
    }
    if let Some(near) = nearest(name, TABLES.iter().map(|(table, _)| *table).chain(OTHERS)) {
        let many = near == "endpoint" || (OTHERS.contains(&near) && near != "server");
        return format!("did you mean {}?", if many { format!("[[{near}]]") } else { format!("[{near}]") });
    }
    // A key written before its section header is the usual slip.
    match TABLES.iter().find(|(_, keys)| keys.contains(&name)) {
        Some((table, _)) => format!("{name} belongs under [{table}]"),
        None => {
            "the sections are [target], [[endpoint]], [[rate_limit.profile]], [tests], [audit], [network], [dns] and [thresholds]"
                .to_owned()
        }
    }
}

/// The candidate within a third of its length in edits, at least two; the nearest one, the first on a draw.
pub fn nearest<'a>(found: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let found = found.to_ascii_lowercase();
    candidates
        .map(|c| (edits(&found, &c.to_ascii_lowercase()), c))
        .filter(|(distance, c)| *distance <= (c.chars().count() / 3).max(2))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, c)| c)
}

/// Levenshtein distance, in characters.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substitution = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substitution.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_others_are_left_to_them_and_misspelt_ones_are_not() {
        let mine = "[target]\nproduction = \"https://a.example\"\n[[monitor]]\nid = \"a\"\nwhatever = 1\n[server]\nx = 1\n";
        assert!(super::super::Config::parse(mine, "landfall.toml").is_ok());
        let problem =
            super::super::Config::parse("[[moniter]]\nid = \"a\"\n", "landfall.toml").expect_err("refused");
        assert!(problem.to_string().contains("did you mean [[monitor]]?"), "{problem}");
    }

    #[test]
    fn thresholds_are_those_that_a_finding_has() {
        let parse = |text: &str| super::super::Config::parse(text, "landfall.toml");
        let config = parse("[thresholds]\ndns_ttl_min_s = 10\n").expect("known");
        assert_eq!(config.thresholds["dns_ttl_min_s"], 10);
        let problem = parse("[thresholds]\ndns_ttl_min = 10\n").expect_err("refused").to_string();
        assert!(problem.contains("did you mean \"dns_ttl_min_s\"?"), "{problem}");
    }

    #[test]
    fn the_nearest_key_is_found_and_a_far_one_is_not_offered() {
        let keys = ["name", "production", "origin", "local", "project"];
        assert_eq!(nearest("prodution", keys.into_iter()), Some("production"));
        assert_eq!(nearest("Orign", keys.into_iter()), Some("origin"));
        assert_eq!(nearest("zebra", keys.into_iter()), None);
        assert_eq!(edits("kitten", "sitting"), 3);
    }
}
