//! What the zone's servers and a resolver answer in a case that says it, in the place of the recording's.

use serde::Deserialize;
use serde_json::{Value, json};

const HOST: &str = "api.example.test";
const ZONE: &str = "example.test";
/// The address of the recording, which its HTTP questions carry in their names.
const RECORDED: &str = "192.0.2.10";

/// What the zone has for the host.
#[derive(Deserialize, Clone, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Zone {
    /// Addresses, of the host or of what it is an alias of.
    #[serde(default)]
    a: Vec<String>,
    #[serde(default)]
    aaaa: Vec<String>,
    /// What it is an alias of; without addresses that name does not exist.
    cname: Option<String>,
    #[serde(default)]
    nxdomain: bool,
    /// Neither address nor alias, and the name is there.
    #[serde(default)]
    nodata: bool,
    /// Name servers of the zone.
    #[serde(default)]
    ns: Vec<String>,
    /// Addresses of the host's name with the zone's name appended once more.
    #[serde(default)]
    doubled: Vec<String>,
}

impl Zone {
    /// Puts the answers into a recording's observations.
    pub(super) fn answer(&self, observations: &mut Vec<Value>) {
        for o in observations.iter_mut() {
            let question = o["seen"]["question"].clone();
            let (name, rtype) = (
                question["name"].as_str().unwrap_or_default(),
                question["rtype"].as_str().unwrap_or_default(),
            );
            let authoritative = question["server"]["role"] == "authoritative";
            let is_dns = o["seen"]["kind"] == "dns" && question["server"]["role"] != "hosts-file";
            if is_dns && name == HOST {
                o["seen"]["answer"] = self.of_host(rtype, authoritative);
            } else if is_dns && name == ZONE && rtype == "NS" && !self.ns.is_empty() {
                let names: Vec<Value> = self.ns.iter().map(|ns| record(ZONE, "NS", ns)).collect();
                o["seen"]["answer"] = answer(0, &names, authoritative);
            }
        }
        if let Some(asked) = observations.iter().find(|o| {
            o["id"].as_str().is_some_and(|id| id.contains("recursive") && id.ends_with(&format!("/A {HOST}")))
        }) {
            let mut doubled = asked.clone();
            let name = format!("{HOST}.{ZONE}");
            doubled["id"] = json!(format!("{}.{ZONE}", asked["id"].as_str().unwrap_or_default()));
            doubled["seen"]["question"]["name"] = json!(name);
            let records: Vec<Value> = self.doubled.iter().map(|a| record(&name, "A", a)).collect();
            doubled["seen"]["answer"] = answer(if records.is_empty() { 3 } else { 0 }, &records, false);
            if self.nxdomain {
                observations.push(doubled);
            }
        }
        self.behind(observations);
    }

    /// Questions that need an address: at another one, or not asked where there is none.
    fn behind(&self, observations: &mut [Value]) {
        let leads_nowhere = self.a.is_empty() && self.aaaa.is_empty();
        for o in observations.iter_mut() {
            let id = o["id"].as_str().unwrap_or_default();
            if !(id.starts_with("http/edge") || id.starts_with("tls/edge")) {
                continue;
            }
            if leads_nowhere {
                o["seen"]["answer"] = json!({"state": "unasked", "detail": {
                    "why": "blocked", "by": format!("dns/recursive/A {HOST}"), "reason": format!("{HOST} does not resolve"),
                }});
            } else if let Some(address) = self.a.first().filter(|address| *address != RECORDED) {
                let text = o.to_string().replace(RECORDED, address);
                *o = serde_json::from_str(&text).expect("an address for an address");
            }
        }
    }

    fn of_host(&self, rtype: &str, authoritative: bool) -> Value {
        let mut records = Vec::new();
        let owner = self.cname.as_deref().unwrap_or(HOST);
        if let Some(target) = &self.cname
            && matches!(rtype, "A" | "AAAA" | "CNAME")
        {
            records.push(record(HOST, "CNAME", target));
        }
        // The zone's server knows nothing of where an alias leads.
        if self.cname.is_none() || !authoritative {
            let addresses = match rtype {
                "A" => &self.a[..],
                "AAAA" => &self.aaaa[..],
                _ => &[],
            };
            records.extend(addresses.iter().map(|address| record(owner, rtype, address)));
        }
        let dangling = self.cname.is_some()
            && self.a.is_empty()
            && self.aaaa.is_empty()
            && !authoritative
            && matches!(rtype, "A" | "AAAA");
        answer(if self.nxdomain || dangling { 3 } else { 0 }, &records, authoritative)
    }

    /// A case that says nothing of the name is written wrongly.
    pub(super) fn check(&self, case: &str) {
        let says =
            [!self.a.is_empty() || !self.aaaa.is_empty() || self.cname.is_some(), self.nxdomain, self.nodata];
        assert_eq!(
            says.iter().filter(|says| **says).count(),
            1,
            "{case}: dns has to say one thing of the name"
        );
    }
}

fn record(name: &str, rtype: &str, data: &str) -> Value {
    json!({"name": name, "rtype": rtype, "ttl_s": 300, "data": data.trim_end_matches('.')})
}

fn answer(rcode: u16, records: &[Value], authoritative: bool) -> Value {
    let soa = json!({"name": ZONE, "rtype": "SOA", "ttl_s": 60,
        "data": "ns1.example.test hostmaster.example.test 2026010101 3600 600 86400 60"});
    let mut detail = json!({
        "rcode": rcode, "rcode_name": if rcode == 3 { "NXDOMAIN" } else { "NOERROR" }, "authoritative": authoritative,
        "recursion_available": !authoritative, "authentic_data": false, "truncated": false, "answers": records,
        "authority": if records.is_empty() { vec![soa] } else { Vec::new() }, "extended_errors": [],
    });
    if rcode == 0 {
        return json!({"state": "present", "detail": detail});
    }
    detail["how"] = json!("rcode");
    json!({"state": "denied", "detail": detail})
}
