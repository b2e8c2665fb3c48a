//! The same zones by the judgement of others: dig and drill for the records, delv for the chain, DNSViz for the whole. A
//! disagreement fails, unless it stands in [`KNOWN`] with its reason.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::Command;

use landfall_evidence::{DnsServerRole, Evidence, Observed};
use serde_json::Value;

use super::process::{Program, command, write};
use super::servers::{Ds, HOST, Setup, Signing, World, ZONE};
use super::{codes, survey};

const DIG: Program = Program { name: "dig", package: "bind9-dnsutils" };
const DRILL: Program = Program { name: "drill", package: "ldnsutils" };
const DELV: Program = Program { name: "delv", package: "bind9-dnsutils" };
const DNSVIZ: Program = Program { name: "dnsviz", package: "dnsviz" };

/// The zones that everybody judges, by name.
fn zones() -> Vec<(&'static str, Setup)> {
    let signing = |how| Setup { signing: Some(how), ..Setup::signed() };
    vec![
        ("good", Setup::signed()),
        ("unsigned", Setup::default()),
        ("expired", signing(Signing { from: "now-60d", until: "now-30d", ..Signing::default() })),
        ("future", signing(Signing { from: "now+10d", until: "now+30d", ..Signing::default() })),
        ("forged", Setup { forged: Some(("192.0.2.10", "192.0.2.66")), ..Setup::signed() }),
        ("other-ds", Setup { ds: Ds::Other, ..Setup::signed() }),
        ("ds-unsigned", Setup { ds: Ds::Other, ..Setup::default() }),
        ("no-ds", Setup { ds: Ds::None, ..Setup::signed() }),
        ("nsec3", signing(Signing { nsec3: Some(12), ..Signing::default() })),
        ("lame", {
            let mut setup = Setup::signed();
            setup.second.records = None;
            setup
        }),
        ("glue", {
            let delegation = super::DELEGATION.replace("198.51.100.54", "203.0.113.9");
            Setup { delegation, ..Setup::signed() }
        }),
    ]
}

fn said(mut command: Command, program: Program) -> String {
    let output = command.output().unwrap_or_else(|e| {
        panic!("{} cannot be run ({e}); apt-get install {}", program.name, program.package)
    });
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Our observation of a question to the server that the map leads there.
fn ours(evidence: &Evidence, at: SocketAddr, name: &str, rtype: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (_, s) in evidence.all_dns() {
        let q = &s.question;
        if q.server.connected_to == Some(at)
            && q.server.role == DnsServerRole::Authoritative
            && q.name == name
            && q.rtype == rtype
            && let Observed::Present(answer) = &s.answer
        {
            found.extend(answer.data_of(rtype).map(str::to_owned));
        }
    }
    found
}

#[test]
fn dig_and_drill_see_the_same_records() {
    let world = World::up(&Setup::signed());
    let evidence = survey(&world);
    for at in [world.first, world.second] {
        for (name, rtype) in
            [(HOST, "A"), (HOST, "AAAA"), (ZONE, "NS"), (ZONE, "SOA"), (ZONE, "CAA"), (HOST, "MX")]
        {
            let mine = ours(&evidence, at, name, rtype);
            let mut dig = command(DIG);
            dig.args([
                &format!("@{}", at.ip()),
                "-p",
                &at.port().to_string(),
                name,
                rtype,
                "+short",
                "+norec",
            ]);
            let theirs: BTreeSet<String> = said(dig, DIG).lines().map(bare).collect();
            assert_eq!(mine, theirs, "dig, {name} {rtype} at {at}");
            let mut drill = command(DRILL);
            drill.args(["-p", &at.port().to_string(), "-o", "rd", name, &format!("@{}", at.ip()), rtype]);
            let text = said(drill, DRILL);
            let answers = text.lines().filter(|line| !line.starts_with(';'));
            let theirs: BTreeSet<String> = answers
                .filter_map(|line| {
                    let words: Vec<&str> = line.split_whitespace().collect();
                    let of_question = words.first() == Some(&format!("{name}.").as_str());
                    (of_question && words.get(3) == Some(&rtype)).then(|| bare(&words[4..].join(" ")))
                })
                .collect();
            assert_eq!(mine, theirs, "drill, {name} {rtype} at {at}: {text}");
        }
    }
}

/// Data without the final dots of its names.
fn bare(data: &str) -> String {
    let words: Vec<&str> =
        data.split_whitespace().map(|word| word.strip_suffix('.').unwrap_or(word)).collect();
    words.join(" ")
}

/// What somebody says of a zone's chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chain {
    Secure,
    Insecure,
    Bogus,
}

/// By our findings: bogus when one that says so is critical, secure when there is a DS record.
fn our_chain(evidence: &Evidence) -> Chain {
    let bogus = ["LF-DNS-027", "LF-DNS-028", "LF-DNS-030", "LF-DNS-032"];
    // What the computation says, without what the resolver says of it.
    let found = codes(evidence);
    if found.iter().any(|(code, severity)| {
        bogus.contains(&code.as_str()) && *severity == landfall_diagnosis::Severity::Critical
    }) {
        return Chain::Bogus;
    }
    let ds = evidence.all_dns().any(|(_, s)| {
        s.question.server.role == DnsServerRole::Parent
            && s.question.rtype == "DS"
            && s.answer.present().is_some_and(|a| a.data_of("DS").next().is_some())
    });
    if ds { Chain::Secure } else { Chain::Insecure }
}

/// By delv, which validates by itself from the root's key down and asks Unbound for the material, validation off.
fn delv_chain(world: &World) -> (Chain, String) {
    let key = std::fs::read_to_string(&world.anchor).expect("the root's key");
    let record = key.lines().find(|line| line.contains("DNSKEY")).expect("a DNSKEY record");
    let words: Vec<&str> = record.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "DNSKEY").expect("found above");
    let anchor = format!(
        "trust-anchors {{ . static-key {} {} {} \"{}\"; }};\n",
        words[at + 1],
        words[at + 2],
        words[at + 3],
        words[at + 4..].concat()
    );
    let anchor = write(world.folder(), "anchor.conf", &anchor);
    let mut delv = command(DELV);
    let to = world.resolver;
    delv.args([
        &format!("@{}", to.ip()),
        "-p",
        &to.port().to_string(),
        "-a",
        &anchor,
        "+root=.",
        "-4",
        HOST,
        "A",
    ]);
    let text = said(delv, DELV);
    let chain = if text.contains("; fully validated") {
        Chain::Secure
    } else if text.contains("; unsigned answer") {
        Chain::Insecure
    } else {
        Chain::Bogus
    };
    (chain, text)
}

/// DNSViz's questions to the three servers, written to a file.
fn probe_with_dnsviz(world: &World) -> (String, String) {
    let servers = |zone: &str, list: &[(&str, SocketAddr)]| {
        let list: Vec<String> =
            list.iter().map(|(name, at)| format!("{name}={}:{}", at.ip(), at.port())).collect();
        format!("{zone}:{}", list.join(","))
    };
    let file = world.folder().join("probe.json").display().to_string();
    let mut probe = command(DNSVIZ);
    probe.args(["probe", "-A", "-4", "-a", ".", "-d", "0", "-R", "A,AAAA,SOA"]);
    probe.args(["-x", &servers(".+", &[("ns.test", world.parent)])]);
    probe.args(["-x", &servers("test", &[("ns.test", world.parent)])]);
    probe.args(["-x", &servers(ZONE, &[("ns1.shop.test", world.first), ("ns2.shop.test", world.second)])]);
    probe.args(["-o", &file, HOST]);
    (said(probe, DNSVIZ), file)
}

/// By DNSViz: its own questions to the three servers, judged from the root's key down. The codes of its errors and warnings.
fn dnsviz(world: &World) -> BTreeSet<String> {
    let (talk, file) = probe_with_dnsviz(world);
    // Debian 12's grok looks for a module that its own pygraphviz no longer has, only to learn the version.
    write(
        world.folder(),
        "sitecustomize.py",
        "import types, pygraphviz\npygraphviz.release = types.SimpleNamespace(version=pygraphviz.__version__)\n",
    );
    let mut grok = command(DNSVIZ);
    grok.env("PYTHONPATH", world.folder());
    grok.args(["grok", "-P", "-l", "warning", "-r", &file, "-t", &world.anchor.display().to_string()]);
    let output = grok.output().expect("it ran just now");
    // It prints nothing where it has nothing to say.
    if output.stdout.is_empty() && output.stderr.is_empty() {
        return BTreeSet::new();
    }
    let said: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {talk}{}", String::from_utf8_lossy(&output.stderr)));
    let mut codes = BTreeSet::new();
    collect(&said, &mut codes);
    codes
}

/// The codes of every error and warning, wherever it hangs.
fn collect(value: &Value, codes: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                if matches!(key.as_str(), "errors" | "warnings") {
                    let list = value.as_array().into_iter().flatten();
                    codes.extend(list.filter_map(|item| item["code"].as_str()).map(str::to_owned));
                } else {
                    collect(value, codes);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, codes)),
        _ => {}
    }
}

/// Errors of DNSViz that mean a broken chain.
const BROKEN: [&str; 7] = [
    "EXPIRATION_IN_PAST",
    "INCEPTION_IN_FUTURE",
    "SIGNATURE_INVALID",
    "NO_SEP",
    "MISSING_SEP_FOR_ALG",
    "MISSING_RRSIG",
    "MISSING_RRSIG_FOR_ALG",
];

/// Where somebody judges otherwise, and why we stay with our judgement: zone, who, why.
const KNOWN: [(&str, &str, &str); 1] = [(
    "lame",
    "DNSViz",
    "it counts the server that refuses as one without keys (NO_SEP); resolvers go to the other server, and delv agrees with us",
)];

#[test]
fn delv_and_dnsviz_judge_the_chain_alike() {
    let mut disagreed = BTreeSet::new();
    for (name, setup) in zones() {
        let world = World::up(&setup);
        let evidence = survey(&world);
        let mine = our_chain(&evidence);
        let (theirs, text) = delv_chain(&world);
        let mut differs = |who: &'static str, said: &dyn std::fmt::Debug| {
            let known = KNOWN.iter().any(|(zone, other, _)| *zone == name && *other == who);
            assert!(known, "{name}: {mine:?} by us, {said:?} by {who}; {:?}", codes(&evidence));
            disagreed.insert((name, who));
        };
        if mine != theirs {
            differs("delv", &text);
        }
        let viz = dnsviz(&world);
        if (mine == Chain::Bogus) != viz.iter().any(|code| BROKEN.contains(&code.as_str())) {
            differs("DNSViz", &viz);
        }
        let lame = codes(&evidence).iter().any(|(code, _)| code == "LF-DNS-006");
        // DNSViz is led to the servers by hand and does not see what the glue says.
        if name != "glue" && lame != viz.contains("SERVER_NOT_AUTHORITATIVE") {
            differs("DNSViz", &viz);
        }
    }
    // A reason that is no longer needed is taken off the list.
    let known: BTreeSet<_> = KNOWN.iter().map(|(zone, who, _)| (*zone, *who)).collect();
    assert_eq!(disagreed, known);
}
