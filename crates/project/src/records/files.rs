//! Records in files of other tools: octoDNS, dnscontrol, CloudFormation, external-dns, and zone files.
//!
//! Source: octodns/octodns, docs/records.md (keys stand before the zone's name); docs.dnscontrol.org (D, A, CNAME, CF_PROXY_ON); AWS CloudFormation's reference of
//! AWS::Route53::RecordSet and RecordSetGroup; kubernetes-sigs/external-dns, docs/sources/crd.md; RFC 1035 section 5 and RFC 2308
//! section 4 for zone files.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use super::{Found, Style, host};
use crate::tree::file_name;
use crate::yaml::{Node, documents};

pub(super) fn read(path: &str, text: &str) -> Vec<Found> {
    let name = file_name(path).to_ascii_lowercase();
    if name.ends_with(".js") {
        dnscontrol(path, text)
    } else if name.ends_with(".zone") || name.starts_with("db.") {
        zone_file(path, text)
    } else if name.ends_with(".yaml") || name.ends_with(".yml") {
        yaml(path, text)
    } else {
        Vec::new()
    }
}

fn yaml(path: &str, text: &str) -> Vec<Found> {
    let zone = file_name(path)
        .rsplit_once('.')
        .map(|(stem, _)| stem)
        .filter(|stem| stem.trim_end_matches('.').contains('.'));
    let may_hold = text.contains("Route53")
        || text.contains("externaldns.k8s.io")
        || zone.is_some_and(|_| text.contains("type:"));
    if !may_hold {
        return Vec::new();
    }
    // A file that does not parse is named by the reader of deploy files.
    let documents = documents(text).unwrap_or_default();
    let mut found: Vec<Found> =
        documents.iter().flat_map(|document| cloudformation(path, document)).collect();
    found.extend(documents.iter().flat_map(|document| endpoints(path, document)));
    found.extend(
        zone.into_iter()
            .flat_map(|zone| documents.iter().flat_map(move |document| octodns(path, zone, document))),
    );
    found
}

fn texts(node: Option<&Node>) -> Vec<String> {
    let Some(node) = node else { return Vec::new() };
    match node.text() {
        Some(text) => vec![text.to_owned()],
        None => node.items().iter().filter_map(Node::text).map(str::to_owned).collect(),
    }
}

/// A zone of octoDNS: its file is called after it, its keys stand before its name.
fn octodns(path: &str, zone: &str, document: &Node) -> Vec<Found> {
    let mut found = Vec::new();
    for (name, node) in document.entries() {
        let several = node.items();
        for record in if several.is_empty() { std::slice::from_ref(node) } else { several } {
            let Some(rtype) = record.get("type").and_then(Node::text) else { continue };
            if record.get("value").is_none() && record.get("values").is_none() {
                continue;
            }
            found.push(Found {
                name: name.clone(),
                style: Style::Relative,
                zone: Some(zone.to_owned()),
                rtype: rtype.to_owned(),
                data: texts(record.get("value").or_else(|| record.get("values"))),
                proxied: record.at(&["octodns", "cloudflare", "proxied"]).and_then(Node::text)
                    == Some("true"),
                place: format!("{path}:{}", record.line),
                ..Found::default()
            });
        }
    }
    found
}

fn cloudformation(path: &str, document: &Node) -> Vec<Found> {
    let resources = document.get("Resources").map(Node::entries).unwrap_or_default();
    // Parameters count with their defaults, by `!Ref NAME` and `${NAME}`.
    let parameters = document.get("Parameters").map(Node::entries).unwrap_or_default();
    let given: Vec<(&str, &str)> = parameters
        .iter()
        .filter_map(|(name, parameter)| Some((name.as_str(), parameter.get("Default")?.text()?)))
        .collect();
    let put_in = |text: &str| match given.iter().find(|(name, _)| *name == text) {
        Some((_, value)) => (*value).to_owned(),
        None => given
            .iter()
            .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value)),
    };
    let mut found = Vec::new();
    for (_, resource) in resources {
        let Some(properties) = resource.get("Properties") else { continue };
        let zone = properties.get("HostedZoneName").and_then(Node::text);
        let sets = match resource.get("Type").and_then(Node::text) {
            Some("AWS::Route53::RecordSet") => std::slice::from_ref(properties),
            Some("AWS::Route53::RecordSetGroup") => {
                properties.get("RecordSets").map(Node::items).unwrap_or_default()
            }
            _ => continue,
        };
        for set in sets {
            let text = |key: &str| set.get(key).and_then(Node::text);
            let (Some(name), Some(rtype)) = (text("Name"), text("Type")) else { continue };
            let name = put_in(name);
            if name.contains(['$', '{']) {
                continue;
            }
            found.push(Found {
                name,
                style: Style::Whole,
                zone: text("HostedZoneName").or(zone).map(put_in),
                rtype: rtype.to_owned(),
                data: texts(set.get("ResourceRecords")).iter().map(|text| put_in(text)).collect(),
                provider: Some("aws"),
                place: format!("{path}:{}", set.line),
                ..Found::default()
            });
        }
    }
    found
}

/// The custom resource by which external-dns is told records.
fn endpoints(path: &str, document: &Node) -> Vec<Found> {
    if document.get("kind").and_then(Node::text) != Some("DNSEndpoint") {
        return Vec::new();
    }
    let endpoints = document.at(&["spec", "endpoints"]).map(Node::items).unwrap_or_default();
    let record = |node: &Node| {
        Some(Found {
            name: node.get("dnsName")?.text()?.to_owned(),
            rtype: node.get("recordType")?.text()?.to_owned(),
            data: texts(node.get("targets")),
            place: format!("{path}:{}", node.line),
            ..Found::default()
        })
    };
    endpoints.iter().filter_map(record).collect()
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the patterns are constants and covered by tests")
}

fn dnscontrol(path: &str, text: &str) -> Vec<Found> {
    static ZONE: LazyLock<Regex> = LazyLock::new(|| pattern(r#"\bD(?:_EXTEND)?\(\s*["']([^"']+)["']"#));
    static RECORD: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r#"\b(A|AAAA|CNAME|ALIAS)\(\s*["']([^"']*)["']\s*,\s*(?:["']([^"']*)["']|([A-Za-z_$][\w$]*))([^\n]*)"#,
        )
    });
    static NAMED: LazyLock<Regex> = LazyLock::new(|| {
        pattern(r#"(?m)\b(?:var|let|const)\s+([A-Za-z_$][\w$]*)\s*=\s*(?:IP\(\s*)?["']([^"']*)["']"#)
    });
    static PROVIDER: LazyLock<Regex> =
        LazyLock::new(|| pattern(r#"NewDnsProvider\(\s*["'][^"']*["']\s*,\s*["']([A-Z0-9_]+)["']"#));
    static COMMENT: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^\s*//.*$"));
    if !text.contains("D(") || !(text.contains("DnsProvider(") || text.contains("NewRegistrar(")) {
        return Vec::new();
    }
    let text = COMMENT.replace_all(text, "");
    let named: BTreeMap<&str, &str> = NAMED
        .captures_iter(&text)
        .filter_map(|found| Some((found.get(1)?.as_str(), found.get(2)?.as_str())))
        .collect();
    let mut providers = PROVIDER.captures_iter(&text).filter_map(|found| {
        Some(match &found[1] {
            "CLOUDFLAREAPI" => "cloudflare",
            "ROUTE53" => "aws",
            "DIGITALOCEAN" => "digitalocean",
            "GCLOUD" => "google-cloud",
            "AZURE_DNS" => "azure-dns",
            "HETZNER" => "hetzner",
            "GANDI_V5" => "gandi",
            "OVH" => "ovh",
            "DNSIMPLE" => "dnsimple",
            "LINODE" => "akamai-linode",
            "NS1" => "ns1",
            "PORKBUN" => "porkbun",
            _ => return None,
        })
    });
    // Where there are several, which of them serves a zone is a matter of names that stand elsewhere.
    let provider = providers.next().filter(|_| providers.next().is_none());
    let starts: Vec<(usize, &str)> = ZONE
        .captures_iter(&text)
        .filter_map(|found| Some((found.get(0)?.start(), found.get(1)?.as_str())))
        .collect();
    let mut found = Vec::new();
    for (at, (start, zone)) in starts.iter().enumerate() {
        let end = starts.get(at + 1).map_or(text.len(), |(next, _)| *next);
        let body = &text[*start..end];
        let all_proxied = body.contains("CF_PROXY_DEFAULT_ON");
        for record in RECORD.captures_iter(body) {
            let group = |n: usize| record.get(n).map(|found| found.as_str());
            let offset = start + record.get(0).map_or(0, |all| all.start());
            let data = group(3).or_else(|| named.get(group(4)?).copied());
            let more = group(5).unwrap_or_default();
            found.push(Found {
                name: group(2).unwrap_or_default().to_owned(),
                // A whole name is refused there, unless its final dot says that it is one.
                style: Style::Either,
                // A tag that tells two views of one zone apart stands behind an exclamation mark.
                zone: zone.split('!').next().map(str::to_owned),
                rtype: group(1).unwrap_or_default().to_owned(),
                data: data.map(str::to_owned).into_iter().collect(),
                proxied: more.contains("CF_PROXY_ON") || (all_proxied && !more.contains("CF_PROXY_OFF")),
                provider,
                place: format!("{path}:{}", text[..offset].matches('\n').count() + 1),
            });
        }
    }
    found
}

/// A zone file. Its origin is told by `$ORIGIN`, or by the file's name.
fn zone_file(path: &str, text: &str) -> Vec<Found> {
    if !text.to_ascii_uppercase().contains("SOA") {
        return Vec::new();
    }
    let name = file_name(path);
    let called = name.strip_prefix("db.").or_else(|| name.strip_suffix(".zone")).unwrap_or(name);
    let mut origin = host(called).filter(|name| name.contains('.'));
    let mut owner = "@".to_owned();
    let (mut found, mut open) = (Vec::new(), 0_i32);
    for (number, line) in text.lines().enumerate() {
        let line = line.split(';').next().unwrap_or_default();
        let inside = open > 0;
        open += i32::try_from(line.matches('(').count()).unwrap_or(0)
            - i32::try_from(line.matches(')').count()).unwrap_or(0);
        if inside || line.trim().is_empty() {
            continue;
        }
        let mut words = line.split_whitespace().peekable();
        if line.starts_with('$') {
            if words.next() == Some("$ORIGIN") {
                let said = words.next().unwrap_or_default();
                origin = match (said.ends_with('.'), &origin) {
                    (false, Some(above)) => host(&format!("{said}.{above}")),
                    _ => host(said),
                };
            }
            continue;
        }
        if !line.starts_with([' ', '\t']) {
            words.next().unwrap_or("@").clone_into(&mut owner);
        }
        let is_before_type = |word: &str| {
            matches!(word.to_ascii_uppercase().as_str(), "IN" | "CH" | "HS")
                || word.starts_with(|c: char| c.is_ascii_digit())
        };
        while words.next_if(|word| is_before_type(word)).is_some() {}
        let (Some(rtype), Some(data)) = (words.next(), words.next()) else { continue };
        // A target without its final dot stands below the origin.
        let data = match (rtype.eq_ignore_ascii_case("CNAME") && !data.ends_with('.'), &origin) {
            (true, Some(origin)) if data == "@" => origin.clone(),
            (true, Some(origin)) => format!("{data}.{origin}"),
            _ => data.to_owned(),
        };
        found.push(Found {
            name: owner.clone(),
            style: Style::Relative,
            zone: origin.clone(),
            rtype: rtype.to_owned(),
            data: vec![data],
            place: format!("{path}:{}", number + 1),
            ..Found::default()
        });
    }
    found
}
