//! Who owns an address, a name server, a canonical name or an issuer.

use std::net::IpAddr;

use ipnet::{Ipv4Net, Ipv6Net};
use serde::Deserialize;

use crate::catalogue::{Catalogue, CatalogueError};

/// A service that can stand in the way of a request.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// Its name: `cloudflare`.
    pub vendor: String,
    /// What it does.
    pub role: OwnerRole,
    /// Autonomous systems, as AS numbers.
    #[serde(default)]
    pub asn: Vec<String>,
    /// IPv4 ranges.
    #[serde(default)]
    pub ipv4: Vec<Ipv4Range>,
    /// IPv6 ranges.
    #[serde(default)]
    pub ipv6: Vec<Ipv6Range>,
    /// Ends of name server names; an entry that ends with a hyphen matches in the middle.
    #[serde(default)]
    pub ns_suffix: Vec<String>,
    /// Ends of canonical names; an entry that ends with a dot or hyphen matches in the middle.
    #[serde(default)]
    pub cname_suffix: Vec<String>,
    /// Ends of host names of workspaces: they answer while somebody's editor is open.
    #[serde(default)]
    pub workspace_suffix: Vec<String>,
    /// Ends of host names of tunnels to a developer's machine.
    #[serde(default)]
    pub tunnel_suffix: Vec<String>,
    /// Ends of host names of previews: one for each branch or change. An entry that ends with a hyphen or dot matches in
    /// the middle.
    #[serde(default)]
    pub preview_suffix: Vec<String>,
    /// Fragments of issuer names that are usual there: a hint, never a proof.
    #[serde(default)]
    pub cert_issuer: Vec<String>,
    /// Where this is known from.
    pub source: String,
    /// What to keep in mind.
    pub note: Option<String>,
}

/// What a service does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OwnerRole {
    /// CDN or WAF.
    Edge,
    /// Hosting service.
    Platform,
    /// Customer networks: an address there proves the cloud, not the platform.
    Cloud,
    /// Name servers only.
    Dns,
}

impl OwnerRole {
    /// Its name in the catalogue.
    pub fn name(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Platform => "platform",
            Self::Cloud => "cloud",
            Self::Dns => "dns",
        }
    }
}

/// An IPv4 range, or a single address.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub struct Ipv4Range(Ipv4Net);

/// An IPv6 range, or a single address.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub struct Ipv6Range(Ipv6Net);

impl TryFrom<String> for Ipv4Range {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let net = text.parse::<Ipv4Net>().or_else(|_| text.parse::<std::net::Ipv4Addr>().map(Ipv4Net::from));
        net.map(Self).map_err(|_| format!("{text:?} is not an IPv4 address or range"))
    }
}

impl TryFrom<String> for Ipv6Range {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let net = text.parse::<Ipv6Net>().or_else(|_| text.parse::<std::net::Ipv6Addr>().map(Ipv6Net::from));
        net.map(Self).map_err(|_| format!("{text:?} is not an IPv6 address or range"))
    }
}

/// `network-owners.toml`.
#[derive(Deserialize)]
pub(crate) struct OwnerFile {
    owner: Vec<Owner>,
}

impl OwnerFile {
    /// Reads the file; mistakes go to `errors`.
    pub(crate) fn read(text: &str, errors: &mut Vec<CatalogueError>) -> Vec<Owner> {
        match toml::from_str::<Self>(text) {
            Ok(file) => file.owner,
            Err(error) => {
                errors.push(CatalogueError::new("network-owners.toml", error.to_string()));
                Vec::new()
            }
        }
    }
}

impl Catalogue {
    /// The owner of an address: the one with the narrowest range that holds it.
    pub fn owner_of_address(&self, address: IpAddr) -> Option<&Owner> {
        let narrowest = |owner: &Owner| match address {
            IpAddr::V4(v4) => owner.ipv4.iter().filter(|r| r.0.contains(&v4)).map(|r| r.0.prefix_len()).max(),
            IpAddr::V6(v6) => owner.ipv6.iter().filter(|r| r.0.contains(&v6)).map(|r| r.0.prefix_len()).max(),
        };
        let mut best: Option<(u8, &Owner)> = None;
        for owner in self.owners.iter() {
            if let Some(length) = narrowest(owner)
                && best.is_none_or(|(so_far, _)| length > so_far)
            {
                best = Some((length, owner));
            }
        }
        best.map(|(_, owner)| owner)
    }

    /// The owner of a name server, by its name.
    pub fn owner_of_ns(&self, name: &str) -> Option<&Owner> {
        self.longest_match(name, |owner| &owner.ns_suffix)
    }

    /// The owner of a canonical name, or of any host name under a service's own domain.
    pub fn owner_of_cname(&self, name: &str) -> Option<&Owner> {
        self.longest_match(name, |owner| &owner.cname_suffix)
    }

    /// Whose workspace, tunnel or preview a host name is, and which of the three.
    pub fn passing_host(&self, name: &str) -> Option<(&str, &'static str)> {
        type Kind = (&'static str, fn(&Owner) -> &Vec<String>);
        let kinds: [Kind; 3] = [
            ("tunnel", |owner| &owner.tunnel_suffix),
            ("workspace", |owner| &owner.workspace_suffix),
            ("preview", |owner| &owner.preview_suffix),
        ];
        kinds.into_iter().find_map(|(kind, of)| Some((self.longest_match(name, of)?.vendor.as_str(), kind)))
    }

    /// Owners for whom this issuer is usual. A hint only.
    pub fn owner_of_issuer(&self, issuer: &str) -> Vec<&Owner> {
        let issuer = issuer.to_ascii_lowercase();
        let usual =
            |owner: &&Owner| owner.cert_issuer.iter().any(|part| issuer.contains(&part.to_ascii_lowercase()));
        self.owners.iter().filter(usual).collect()
    }

    fn longest_match(&self, name: &str, suffixes: impl Fn(&Owner) -> &Vec<String>) -> Option<&Owner> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let mut best: Option<(usize, &Owner)> = None;
        for owner in self.owners.iter() {
            let longest =
                suffixes(owner).iter().filter(|suffix| name_matches(&name, suffix)).map(String::len).max();
            if let Some(length) = longest
                && best.is_none_or(|(so_far, _)| length > so_far)
            {
                best = Some((length, owner));
            }
        }
        best.map(|(_, owner)| owner)
    }
}

fn name_matches(name: &str, pattern: &str) -> bool {
    if let Some((inner, end)) = pattern.split_once('*') {
        name.find(inner).is_some_and(|at| name[at + inner.len()..].ends_with(end))
    } else if pattern.ends_with('-') || pattern.ends_with('.') {
        name.contains(pattern)
    } else if pattern.starts_with('.') {
        name.ends_with(pattern)
    } else {
        name == pattern || (name.ends_with(pattern) && name[..name.len() - pattern.len()].ends_with('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_names_and_issuers_lead_to_their_owner() {
        let catalogue = Catalogue::embedded();
        let address = |text: &str| {
            catalogue.owner_of_address(text.parse().expect("address")).map(|o| o.vendor.as_str())
        };
        assert_eq!(address("104.21.14.105"), Some("cloudflare"));
        assert_eq!(address("172.67.158.164"), Some("cloudflare"));
        assert_eq!(address("2606:4700:3032::ac43:9ea4"), Some("cloudflare"));
        assert_eq!(address("192.0.2.1"), None);
        let ns = |text: &str| catalogue.owner_of_ns(text).map(|o| o.vendor.as_str());
        assert_eq!(ns("ada.ns.cloudflare.com."), Some("cloudflare"));
        assert_eq!(ns("ns-12.awsdns-34.co.uk"), Some("aws"));
        assert_eq!(ns("ns1.example.test"), None);
        let cname = |text: &str| catalogue.owner_of_cname(text).map(|o| o.vendor.as_str());
        assert_eq!(cname("levqor-backend.replit.app"), Some("replit"));
        assert_eq!(cname("evilreplit.app"), None);
        let passing = |text: &str| catalogue.passing_host(text);
        assert_eq!(passing("a-b.trycloudflare.com"), Some(("cloudflare-tunnel", "tunnel")));
        assert_eq!(passing("x.janeway.replit.dev"), Some(("replit", "workspace")));
        assert_eq!(passing("levqor.replit.app"), None);
        assert_eq!(passing("site-git-main-team.vercel.app"), Some(("vercel", "preview")));
        assert_eq!(passing("site.vercel.app"), None);
        assert!(
            catalogue.owner_of_issuer("O=Google Trust Services, CN=WE1").iter().any(|o| o.vendor == "replit")
        );
        assert!(catalogue.owner_of_issuer("Example Private CA").is_empty());
    }
}
