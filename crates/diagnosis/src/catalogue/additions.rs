//! A person's own entries beside the built-in ones.

use std::collections::BTreeSet;

use serde::Deserialize;
use toml::{Table, Value};

use super::{Catalogue, CatalogueError, Fault, NotObservable, Sources};
use crate::causes::check_entry;
use crate::claims::check_statement;
use crate::lines::check_line;
use crate::owners::Owner;
use crate::signatures::Signature;

/// One kind of file: its name, the array that holds its entries, and the check of one entry.
struct Kind {
    file: &'static str,
    array: &'static str,
    check: fn(Value) -> Result<(), String>,
}

const KINDS: [Kind; 7] = [
    Kind { file: "faults.toml", array: "fault", check: is::<Fault> },
    Kind { file: "signatures.toml", array: "signature", check: is::<Signature> },
    Kind { file: "network-owners.toml", array: "owner", check: is::<Owner> },
    Kind { file: "statements.toml", array: "statement", check: check_statement },
    Kind { file: "not-observable.toml", array: "fault", check: is::<NotObservable> },
    Kind { file: "chains.toml", array: "chain", check: |_| Ok(()) },
    Kind { file: "log-lines.toml", array: "line", check: check_line },
];

const CAUSE: Kind = Kind { file: "causes/", array: "hypothesis", check: check_entry };

fn is<T: for<'de> Deserialize<'de>>(entry: Value) -> Result<(), String> {
    entry.try_into::<T>().map(|_| ()).map_err(|error| error.message().to_owned())
}

/// Reads the built-in files with those of a person laid over them.
pub(super) fn read(
    built_in: &Sources<'_>,
    files: &[(String, String)],
) -> Result<Catalogue, Vec<CatalogueError>> {
    let mut errors = Vec::new();
    let mut texts = [
        built_in.faults,
        built_in.signatures,
        built_in.owners,
        built_in.statements,
        built_in.not_observable,
        built_in.chains,
        built_in.lines,
    ]
    .map(str::to_owned);
    let mut causes: Vec<(String, String)> =
        built_in.causes.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    for (name, text) in files {
        let mut mistake = |message: String| errors.push(CatalogueError::new(name, message));
        let kind = KINDS.iter().position(|kind| kind.file == name);
        let is_cause = name.starts_with(CAUSE.file) && name.ends_with(".toml");
        if kind.is_none() && !is_cause {
            let known: Vec<&str> = KINDS.iter().map(|kind| kind.file).collect();
            mistake(format!(
                "is not a file of a catalogue; those are {} and causes/NAME.toml",
                known.join(", ")
            ));
            continue;
        }
        let entries = match entries(kind.map_or(&CAUSE, |at| &KINDS[at]), text) {
            Ok(entries) => entries,
            Err(messages) => {
                messages.into_iter().for_each(mistake);
                continue;
            }
        };
        let ids: BTreeSet<&str> = entries.iter().filter_map(id).collect();
        match kind {
            Some(at) => texts[at] = laid_over(&texts[at], KINDS[at].array, &ids, &entries),
            None => {
                for (_, text) in &mut causes {
                    *text = laid_over(text, CAUSE.array, &ids, &[]);
                }
                // A name of its own, so that a person's app.toml does not hide the built-in app.toml.
                causes.push((format!("{name} (added)"), laid_over("", CAUSE.array, &ids, &entries)));
            }
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let [faults, signatures, owners, statements, not_observable, chains, lines] = &texts;
    let causes: Vec<(&str, &str)> =
        causes.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    Catalogue::parse(&Sources {
        faults,
        signatures,
        owners,
        lines,
        statements,
        not_observable,
        chains,
        causes: &causes,
    })
}

fn id(entry: &Value) -> Option<&str> {
    // Owners have a vendor in place of an id.
    entry.get("id").or_else(|| entry.get("vendor"))?.as_str()
}

/// The entries of a file, each sound by itself.
fn entries(kind: &Kind, text: &str) -> Result<Vec<Value>, Vec<String>> {
    let table: Table = toml::from_str(text).map_err(|error| vec![error.to_string()])?;
    let mut mistakes = Vec::new();
    let mut entries = Vec::new();
    for (key, value) in table {
        match value {
            Value::Array(items) if key == kind.array => entries = items,
            // A copy of a whole built-in file brings its heading along.
            _ if matches!(key.as_str(), "meta" | "layer") => {}
            _ => mistakes.push(format!("{key:?} is not known here; entries are [[{}]]", kind.array)),
        }
    }
    for (position, entry) in entries.iter().enumerate() {
        let name = id(entry).map_or_else(|| format!("entry {}", position + 1), str::to_owned);
        mistakes.extend((kind.check)(entry.clone()).err().map(|message| format!("{name}: {message}")));
    }
    if mistakes.is_empty() { Ok(entries) } else { Err(mistakes) }
}

/// A file's text without the entries that have one of these ids, and with others at its end.
fn laid_over(text: &str, array: &str, ids: &BTreeSet<&str>, more: &[Value]) -> String {
    // The built-in text was read before, and what was just parsed can be written again.
    let mut table: Table = toml::from_str(text).unwrap_or_default();
    let slot = table.entry(array).or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(entries) = slot {
        entries.retain(|entry| id(entry).is_none_or(|id| !ids.contains(id)));
        entries.extend(more.iter().cloned());
    }
    toml::to_string(&table).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    fn mistakes(list: &[(&str, &str)]) -> Vec<String> {
        let errors = Catalogue::with_additions(&files(list)).expect_err("it does not load");
        errors.iter().map(ToString::to_string).collect()
    }

    const FAULT: &str = r#"
[[fault]]
id = "our-gateway-out-of-licence"
layer = "edge"
title = "Our own gateway has no licence left"
outside = ["503 with x-gateway: licence"]
inside = []
discriminators = [{ vs = "edge-waf-blocks", test = "the header says licence" }]
severity = "high"
remedy = ["Renew it"]
reproduce = "an actor"
references = ["our wiki"]
"#;

    const CAUSE: &str = r#"
[[hypothesis]]
id = "our-gateway-out-of-licence"
prior = "usual"
requires = { fact = "endpoint.outcome", at = "edge", known = true }
explains = ["endpoint.outcome@edge"]
unseparated = ["edge-waf-blocks"]
evidence = [{ group = "sign", if = { fact = "site.meaning", is = "maintenance" }, weight = "decisive", say = "it says so" }]
verify = ["it serves"]
remedy.generic = ["Renew the licence"]
"#;

    #[test]
    fn an_entry_is_added_and_one_with_a_known_id_takes_its_place() {
        let before = Catalogue::embedded();
        let own = files(&[("faults.toml", FAULT), ("causes/ours.toml", CAUSE)]);
        let with = Catalogue::with_additions(&own).unwrap_or_else(|e| panic!("{e:?}"));
        assert_eq!(with.faults().count(), before.faults().count() + 1);
        assert_eq!(with.causes().count(), before.causes().count() + 1);
        assert_eq!(with.signatures().count(), before.signatures().count());
        assert_ne!(with.hash(), before.hash());

        let other = CAUSE
            .replace("our-gateway-out-of-licence", "port-refused")
            .replace("edge-waf-blocks", "firewall-drops-packets");
        let with = Catalogue::with_additions(&files(&[("causes/app.toml", &other)]))
            .unwrap_or_else(|e| panic!("{e:?}"));
        assert_eq!(with.causes().count(), before.causes().count());
        assert_eq!(with.cause("port-refused").expect("it is there").remedy_for(None), ["Renew the licence"]);
    }

    #[test]
    fn the_built_in_files_laid_over_themselves_change_nothing() {
        let own: Vec<(String, String)> = super::super::EMBEDDED
            .causes
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .chain([
                ("faults.toml".to_owned(), super::super::EMBEDDED.faults.to_owned()),
                ("signatures.toml".to_owned(), super::super::EMBEDDED.signatures.to_owned()),
            ])
            .collect();
        let with = Catalogue::with_additions(&own).unwrap_or_else(|e| panic!("{e:?}"));
        let before = Catalogue::embedded();
        assert_eq!(with.faults().count(), before.faults().count());
        assert_eq!(with.signatures().count(), before.signatures().count());
        assert!(with.causes().map(|c| &c.id).eq(before.causes().map(|c| &c.id)));
    }

    #[test]
    fn a_mistake_is_named_with_its_file_and_entry() {
        let cases: [(&[(&str, &str)], &str); 6] = [
            (&[("readme.toml", "")], "readme.toml: is not a file of a catalogue"),
            (&[("signatures.toml", "[[signature]\n")], "signatures.toml: TOML parse error at line 1"),
            (&[("signatures.toml", "[[sign]]\nid = 1\n")], "entries are [[signature]]"),
            (
                &[("signatures.toml", "[[signature]]\nid = \"ours\"\n")],
                "signatures.toml: ours: missing field",
            ),
            (&[("causes/ours.toml", CAUSE)], "no fault of faults.toml has this id"),
            (
                &[
                    ("faults.toml", FAULT),
                    ("causes/ours.toml", "[[hypothesis]]\nid = \"our-gateway-out-of-licence\"\n"),
                ],
                "ours.toml: our-gateway-out-of-licence: missing field",
            ),
        ];
        for (list, want) in cases {
            let found = mistakes(list);
            assert!(found.iter().any(|message| message.contains(want)), "{want}: {found:?}");
        }
    }
}
