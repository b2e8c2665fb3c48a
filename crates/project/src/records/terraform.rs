//! Records as Terraform or OpenTofu gives them to a provider.
//!
//! Source: the registry's pages of each resource: cloudflare/cloudflare (cloudflare_record, cloudflare_dns_record), hashicorp/aws
//! (aws_route53_record), digitalocean/digitalocean (digitalocean_record), hashicorp/google (google_dns_record_set), hashicorp/azurerm
//! (azurerm_dns_a_record, _aaaa_record, _cname_record), timohirt/hetznerdns (hetznerdns_record), go-gandi/gandi
//! (gandi_livedns_record), ovh/ovh (ovh_domain_zone_record), dnsimple/dnsimple (dnsimple_zone_record), linode/linode
//! (linode_domain_record), vercel/vercel (vercel_dns_record), scaleway/scaleway (scaleway_domain_record), netlify/netlify
//! (netlify_dns_record), Valodim/desec (desec_rrset), pan-net/powerdns (powerdns_record), namecheap/namecheap
//! (namecheap_domain_records), hetznercloud/hcloud (hcloud_zone_record, hcloud_zone_rrset), ns1-terraform/ns1 (ns1_record).
//!
//! A whole name where what stands before the zone is wanted has the zone appended a second time at DigitalOcean
//! (digitalocean/terraform-provider-digitalocean, issue 51), Hetzner's old API (ddclient/ddclient, issue 830) and DNSimple
//! (dnsimple/dnsimple-developer, pull 212). AWS, NS1, Scaleway and Cloudflare take it as it is. Of the others no source says it, and
//! it is taken as meant.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;

use super::{Found, Style};
use crate::hcl::{Resource, Values, resources};
use crate::source::bracketed;
use crate::tree::parent;

/// Resources of one file that are looked at.
const MAX_MADE: usize = 1_000;

/// The attributes in which a zone or domain has its name, by the kind of its resource or data source.
const ZONES: &[(&str, &[&str])] = &[
    ("cloudflare_zone", &["zone", "name", "filter.name"]),
    ("aws_route53_zone", &["name"]),
    ("digitalocean_domain", &["name"]),
    ("google_dns_managed_zone", &["dns_name"]),
    ("azurerm_dns_zone", &["name"]),
    ("hetznerdns_zone", &["name"]),
    ("hcloud_zone", &["name"]),
    ("gandi_livedns_domain", &["name"]),
    ("dnsimple_zone", &["name"]),
    ("linode_domain", &["domain"]),
    ("netlify_dns_zone", &["name"]),
    ("ns1_zone", &["zone"]),
    ("scaleway_domain_zone", &["domain"]),
    ("desec_domain", &["name"]),
    ("powerdns_zone", &["name"]),
];

/// One kind of record resource.
struct Kind {
    resource: &'static str,
    provider: Option<&'static str>,
    style: Style,
    name: &'static str,
    /// The attribute with the zone's name, or with a reference to the zone.
    zone: &'static str,
    /// The attribute with the type, or the type itself.
    rtype: &'static str,
    values: &'static [&'static str],
}

const fn kind(
    resource: &'static str,
    provider: Option<&'static str>,
    style: Style,
    (name, zone, rtype): (&'static str, &'static str, &'static str),
    values: &'static [&'static str],
) -> Kind {
    Kind { resource, provider, style, name, zone, rtype, values }
}

#[rustfmt::skip]
const KINDS: &[Kind] = &[
    kind("cloudflare_record", Some("cloudflare"), Style::Either, ("name", "zone_id", "type"), &["content", "value"]),
    kind("cloudflare_dns_record", Some("cloudflare"), Style::Either, ("name", "zone_id", "type"), &["content"]),
    kind("aws_route53_record", Some("aws"), Style::Either, ("name", "zone_id", "type"), &["records"]),
    kind("digitalocean_record", Some("digitalocean"), Style::Relative, ("name", "domain", "type"), &["value"]),
    kind("google_dns_record_set", Some("google-cloud"), Style::Whole, ("name", "managed_zone", "type"), &["rrdatas"]),
    kind("azurerm_dns_a_record", Some("azure-dns"), Style::Either, ("name", "zone_name", "A"), &["records"]),
    kind("azurerm_dns_aaaa_record", Some("azure-dns"), Style::Either, ("name", "zone_name", "AAAA"), &["records"]),
    kind("azurerm_dns_cname_record", Some("azure-dns"), Style::Either, ("name", "zone_name", "CNAME"), &["record"]),
    kind("hetznerdns_record", Some("hetzner"), Style::Relative, ("name", "zone_id", "type"), &["value"]),
    kind("hcloud_zone_record", Some("hetzner"), Style::Either, ("name", "zone", "type"), &["value"]),
    kind("hcloud_zone_rrset", Some("hetzner"), Style::Either, ("name", "zone", "type"), &["records.value"]),
    kind("ns1_record", Some("ns1"), Style::Either, ("domain", "zone", "type"), &["answers.answer", "short_answers"]),
    kind("gandi_livedns_record", Some("gandi"), Style::Either, ("name", "zone", "type"), &["values"]),
    kind("ovh_domain_zone_record", Some("ovh"), Style::Either, ("subdomain", "zone", "fieldtype"), &["target"]),
    kind("dnsimple_zone_record", Some("dnsimple"), Style::Relative, ("name", "zone_name", "type"), &["value"]),
    kind("linode_domain_record", Some("akamai-linode"), Style::Either, ("name", "domain_id", "record_type"), &["target"]),
    kind("vercel_dns_record", Some("vercel"), Style::Either, ("name", "domain", "type"), &["value"]),
    kind("scaleway_domain_record", None, Style::Either, ("name", "dns_zone", "type"), &["data"]),
    kind("netlify_dns_record", Some("netlify"), Style::Whole, ("hostname", "zone_id", "type"), &["value"]),
    kind("desec_rrset", None, Style::Either, ("subname", "domain", "type"), &["records", "rdata"]),
    kind("powerdns_record", None, Style::Whole, ("name", "zone", "type"), &["records"]),
];

/// The records of all Terraform files; variables and zones are known within their folder.
pub(super) fn read(texts: &[(&str, String)]) -> Vec<Found> {
    let is_terraform = |path: &str| [".tf", ".tofu", ".tfvars"].iter().any(|end| path.ends_with(end));
    let of =
        || texts.iter().filter(|(path, _)| is_terraform(path)).map(|(path, text)| (*path, text.as_str()));
    let folders: BTreeSet<&str> = of().map(|(path, _)| parent(path)).collect();
    folders
        .into_iter()
        .flat_map(|folder| {
            folder_records(&of().filter(|(path, _)| parent(path) == folder).collect::<Vec<_>>())
        })
        .collect()
}

fn folder_records(texts: &[(&str, &str)]) -> Vec<Found> {
    if !texts.iter().any(|(_, text)| {
        KINDS.iter().any(|kind| text.contains(kind.resource)) || text.contains("namecheap_domain_records")
    }) {
        return Vec::new();
    }
    let mut values = Values::read(texts.iter().copied());
    let sources = || texts.iter().filter(|(path, _)| !path.ends_with(".tfvars"));
    let mut zones: BTreeMap<String, String> = BTreeMap::new();
    for (_, text) in sources() {
        for resource in resources(&values.fill(text)) {
            let Some((_, names)) = ZONES.iter().find(|(kind, _)| *kind == resource.kind) else { continue };
            let Some(name) = names.iter().find_map(|name| resource.get(name)) else { continue };
            let data = if resource.is_data { "data." } else { "" };
            zones.insert(format!("{data}{}.{}", resource.kind, resource.label), name.to_owned());
        }
    }
    for (zone, name) in &zones {
        // The id of a DigitalOcean domain and of a Gandi one is its name.
        let id = ["digitalocean_domain.", "gandi_livedns_domain."]
            .iter()
            .any(|kind| zone.contains(kind))
            .then_some("id");
        for attribute in ["name", "zone", "domain", "dns_name"].into_iter().chain(id) {
            values.add(format!("{zone}.{attribute}"), name.trim_end_matches('.'));
        }
    }
    let mut found = Vec::new();
    for (path, text) in sources() {
        for (line, resource) in each_resource(text, &values) {
            let place = format!("{path}:{line}");
            match KINDS.iter().find(|kind| kind.resource == resource.kind) {
                Some(kind) => found.extend(record(kind, &resource, &zones, place)),
                None if resource.kind == "namecheap_domain_records" => {
                    found.extend(namecheap(&resource, &place))
                }
                None => {}
            }
        }
    }
    found
}

/// The resources of a file with their lines; one that is made for every element of an object, once for each.
fn each_resource(text: &str, values: &Values) -> Vec<(usize, Resource)> {
    static START: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"(?m)^[ \t]*resource\s+"\w+"\s+"[^"\n]*"\s*(\{)"#).expect("a constant")
    });
    static EACH: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?m)^\s*for_each\s*=\s*((?:local|var)(?:\.[A-Za-z0-9_-]+)+)\s*$").expect("a constant")
    });
    let mut found = Vec::new();
    let mut read_to = 0;
    for start in START.captures_iter(text) {
        let (Some(all), Some(open)) = (start.get(0), start.get(1)) else { continue };
        // What stands in one of them is read with it, and what has no end goes to the end of the file.
        if all.start() < read_to || found.len() >= MAX_MADE {
            continue;
        }
        // Both braces belong to it.
        let body = bracketed(text, open.start()).map(|body| open.end() + body.len() + 1);
        read_to = body.unwrap_or(text.len()).min(text.len());
        let own = &text[all.start()..read_to];
        let line = text[..open.start()].matches('\n').count() + 1;
        let made = match EACH.captures(own) {
            Some(each) => values.each(&each[1]),
            None => Vec::new(),
        };
        let texts = match made.as_slice() {
            [] => vec![values.fill(own).into_owned()],
            each => each.iter().take(MAX_MADE).map(|element| element.fill(own).into_owned()).collect(),
        };
        found.extend(texts.iter().flat_map(|text| resources(text)).map(|resource| (line, resource)));
    }
    found
}

fn record(
    kind: &Kind,
    resource: &Resource,
    zones: &BTreeMap<String, String>,
    place: String,
) -> Option<Found> {
    // Many of one resource are made from a list or a map, and their names are put together.
    let name = match (resource.get(kind.name), resource.has(kind.name)) {
        (Some(name), _) => name.to_owned(),
        (None, true) => return None,
        (None, false) => String::new(),
    };
    let rtype = if kind.rtype.chars().all(|c| c.is_ascii_uppercase()) {
        kind.rtype
    } else {
        resource.get(kind.rtype)?
    };
    let data = kind.values.iter().flat_map(|value| resource.all(value)).map(str::to_owned).collect();
    // A list of which one part is put together elsewhere is not known as a whole.
    let open = resource
        .entries
        .iter()
        .any(|entry| kind.values.contains(&entry.path.as_str()) && entry.value.is_none());
    Some(Found {
        name,
        style: kind.style,
        zone: zone(kind, resource, zones),
        rtype: rtype.to_owned(),
        data: if open { Vec::new() } else { data },
        proxied: resource.get("proxied") == Some("true"),
        provider: kind.provider,
        place,
    })
}

/// The zone of a record: said by name, or by reference to one whose name is known; else the only one of its provider.
fn zone(kind: &Kind, resource: &Resource, zones: &BTreeMap<String, String>) -> Option<String> {
    if let Some(said) = resource.get(kind.zone).filter(|said| said.contains('.')) {
        return Some(said.to_owned());
    }
    if let Some(reference) = resource.reference(kind.zone) {
        let named = zones.iter().find(|(zone, _)| {
            reference.strip_prefix(zone.as_str()).is_some_and(|rest| rest.starts_with('.'))
        });
        if let Some((_, name)) = named {
            return Some(name.clone());
        }
    }
    let family = kind.resource.split('_').next().unwrap_or_default();
    let of_provider = |zone: &str| zone.trim_start_matches("data.").starts_with(&format!("{family}_"));
    let mut own: Vec<&String> =
        zones.iter().filter(|(zone, _)| of_provider(zone)).map(|(_, name)| name).collect();
    own.dedup();
    match own.as_slice() {
        [only] => Some((*only).clone()),
        _ => None,
    }
}

/// One resource with a block for each record.
fn namecheap(resource: &Resource, place: &str) -> Vec<Found> {
    let of = |name: &str| resource.all_of(&format!("record.{name}"));
    let (types, addresses) = (of("type"), of("address"));
    let same = |all: &[(usize, &str)], block: usize| {
        all.iter().find(|(at, _)| *at == block).map(|(_, text)| (*text).to_owned())
    };
    of("hostname")
        .into_iter()
        .filter_map(|(block, name)| {
            Some(Found {
                name: name.to_owned(),
                style: Style::Either,
                zone: resource.get("domain").map(str::to_owned),
                rtype: same(&types, block)?,
                data: same(&addresses, block).into_iter().collect(),
                provider: Some("namecheap"),
                place: place.to_owned(),
                ..Found::default()
            })
        })
        .collect()
}
