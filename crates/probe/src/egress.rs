//! Which addresses a probe may connect to.
//!
//! On the command line the person at the keyboard may ask whatever the machine can reach. A server that probes what its
//! tenants name must not be led into the operator's own network, so there only addresses that the whole internet can
//! reach are asked, and what the operator allows by name. The rule is applied to the address that is about to be
//! connected to, after DNS, on every hop: a name that resolves to a private address, a redirect to one, and a name whose
//! answer changes between two look-ups all end at the same gate.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::IpNet;

/// What may be connected to. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Egress(Option<Rule>);

/// What is held back, and what is allowed all the same.
#[derive(Debug, Clone)]
struct Rule {
    allowed: Arc<[IpNet]>,
    /// Whether even the public internet is held back.
    closed: bool,
}

impl Egress {
    /// Whatever this machine reaches.
    pub fn anything() -> Self {
        Self(None)
    }

    /// Whether nothing is held back: the operator asks for himself, on his own machine.
    pub fn is_open(&self) -> bool {
        self.0.is_none()
    }

    /// Addresses of the public internet only, and those in `allowed`.
    pub fn public_only(allowed: Vec<IpNet>) -> Self {
        Self(Some(Rule { allowed: allowed.into(), closed: false }))
    }

    /// Nothing but the addresses in `allowed`: for worlds on loopback, from which no packet may escape.
    pub fn only(allowed: Vec<IpNet>) -> Self {
        Self(Some(Rule { allowed: allowed.into(), closed: true }))
    }

    /// Whether this address may be connected to.
    ///
    /// # Errors
    /// What kind of address it is, in words that continue "the address … is".
    pub fn allows(&self, ip: IpAddr) -> Result<(), String> {
        let Some(rule) = &self.0 else { return Ok(()) };
        if rule.closed {
            let listed = rule.allowed.iter().any(|net| net.contains(&ip));
            return if listed { Ok(()) } else { Err("outside this world".to_owned()) };
        }
        let Some(kind) = special(ip) else { return Ok(()) };
        let inner = inner_v4(ip);
        let listed = |ip: IpAddr| rule.allowed.iter().any(|net| net.contains(&ip));
        let permitted = match inner {
            // A mapped address is the IPv4 address: the kernel sends IPv4 packets to it.
            Some((Wrapping::Mapped, v4)) => listed(v4.into()),
            // A translator or a tunnel leads to the IPv4 address inside, so both have to be right.
            Some((Wrapping::Carried, v4)) => listed(ip) && self.allows(v4.into()).is_ok(),
            None => listed(ip),
        };
        if permitted { Ok(()) } else { Err(kind.to_owned()) }
    }
}

/// How an IPv6 address holds an IPv4 one.
enum Wrapping {
    /// `::ffff:a.b.c.d` (RFC 4291, section 2.5.5.2).
    Mapped,
    /// NAT64 (RFC 6052) or 6to4 (RFC 3056): packets come out at the IPv4 address.
    Carried,
}

fn inner_v4(ip: IpAddr) -> Option<(Wrapping, Ipv4Addr)> {
    let IpAddr::V6(v6) = ip else { return None };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return Some((Wrapping::Mapped, v4));
    }
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let join = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match (a, b) {
        (0x64, 0xff9b) if [c, d, e, f] == [0; 4] => Some((Wrapping::Carried, join(g, h))),
        (0x2002, _) => Some((Wrapping::Carried, join(b, c))),
        _ => None,
    }
}

/// What is special about an address that is not of the public internet; `None` for one that is.
///
/// After the IANA registries of special-purpose addresses
/// (<https://www.iana.org/assignments/iana-ipv4-special-registry>,
/// <https://www.iana.org/assignments/iana-ipv6-special-registry>), the multicast ranges, and the rule that IPv6 is handed
/// out from 2000::/3 alone. Blocks in the registries that are reachable from everywhere and lead to no private network
/// (AS112, AMT relays) are not special here.
pub fn special(ip: IpAddr) -> Option<&'static str> {
    match ip {
        IpAddr::V4(ip) => special_v4(ip),
        IpAddr::V6(ip) => special_v6(ip),
    }
}

fn special_v4(ip: Ipv4Addr) -> Option<&'static str> {
    Some(match ip.octets() {
        [0, 0, 0, 0] => "the unspecified address",
        [0, ..] => "of this network (RFC 791, section 3.2)",
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => "private (RFC 1918)",
        [100, 64..=127, ..] => "shared by a provider's customers (RFC 6598)",
        [127, ..] => "loopback (RFC 1122)",
        [169, 254, 169, 254] => "a cloud's metadata service",
        [169, 254, ..] => "link-local (RFC 3927)",
        // https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
        [168, 63, 129, 16] => "a cloud's internal service",
        [192, 0, 0, _] => "for protocol assignments (RFC 6890)",
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => "for documentation (RFC 5737)",
        [192, 88, 99, _] => "of the 6to4 relays (RFC 7526)",
        [198, 18..=19, ..] => "for benchmarking (RFC 2544)",
        [224..=239, ..] => "multicast (RFC 5771)",
        [255, 255, 255, 255] => "broadcast (RFC 919)",
        [240..=255, ..] => "reserved (RFC 1112, section 4)",
        _ => return None,
    })
}

fn special_v6(ip: Ipv6Addr) -> Option<&'static str> {
    // fd00:ec2::254 is documented by Amazon, fd20:ce::254 by Google; both are unique local as well.
    const METADATA: [Ipv6Addr; 2] = [
        Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
        Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    ];
    if METADATA.contains(&ip) {
        return Some("a cloud's metadata service");
    }
    Some(match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => "the unspecified address",
        [0, 0, 0, 0, 0, 0, 0, 1] => "loopback (RFC 4291)",
        [0, 0, 0, 0, 0, 0xffff, _, _] => "an IPv4 address in IPv6 form (RFC 4291, section 2.5.5.2)",
        [0, 0, 0, 0, 0, 0, _, _] => "an IPv4 address in a withdrawn IPv6 form (RFC 4291, section 2.5.5.1)",
        [0x64, 0xff9b, 0, 0, 0, 0, _, _] => "an IPv4 address behind a translator (RFC 6052)",
        [0x64, 0xff9b, 1, ..] => "of a local translator (RFC 8215)",
        [0x100, 0, 0, 0 | 1, ..] => "for discarding (RFC 6666, RFC 9780)",
        [0x2001, 0, ..] => "a Teredo tunnel (RFC 4380)",
        [0x2001, 2, 0, ..] => "for benchmarking (RFC 5180)",
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => "for documentation (RFC 3849, RFC 9637)",
        [0x2001, 0..=0x1ff, ..] => "for protocol assignments (RFC 2928)",
        [0x2002, ..] => "a 6to4 tunnel (RFC 3056)",
        [0x5f00, ..] => "for segment routing (RFC 9602)",
        [0xfc00..=0xfdff, ..] => "unique local (RFC 4193)",
        [0xfe80..=0xfebf, ..] => "link-local (RFC 4291)",
        [0xfec0..=0xfeff, ..] => "site-local (RFC 3879)",
        [0xff00..=0xffff, ..] => "multicast (RFC 4291)",
        [0x2000..=0x3fff, ..] => return None,
        _ => "outside of what is handed out as public (2000::/3)",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect(text)
    }

    #[test]
    fn a_closed_world_lets_nothing_out_but_what_is_listed() {
        let world = Egress::only(vec!["127.0.0.0/8".parse().expect("a network")]);
        assert!(world.allows("127.0.0.1".parse().expect("an address")).is_ok());
        for outside in ["104.16.1.1", "192.0.2.1", "10.0.0.1", "::1", "2606:4700::1"] {
            assert!(world.allows(outside.parse().expect("an address")).is_err(), "{outside}");
        }
    }

    #[test]
    fn every_block_of_the_registries_is_special_from_its_first_address_to_its_last() {
        // https://www.iana.org/assignments/iana-ipv4-special-registry, …/iana-ipv6-special-registry, …/multicast-addresses
        let blocks = [
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
            "255.255.255.255/32",
            "168.63.129.16/32",
            "::/128",
            "::1/128",
            "::/96",
            "::ffff:0:0/96",
            "64:ff9b::/96",
            "64:ff9b:1::/48",
            "100::/64",
            "100:0:0:1::/64",
            "2001::/32",
            "2001::/23",
            "2001:2::/48",
            "2001:10::/28",
            "2001:20::/28",
            "2001:30::/28",
            "2001:db8::/32",
            "2002::/16",
            "3fff::/20",
            "5f00::/16",
            "fc00::/7",
            "fe80::/10",
            "fec0::/10",
            "ff00::/8",
            "4000::/3",
            "fd00:ec2::254/128",
        ];
        for block in blocks {
            let net: IpNet = block.parse().expect(block);
            for at in [net.network(), net.broadcast()] {
                assert!(special(at).is_some(), "{at} of {block}");
                assert!(Egress::public_only(Vec::new()).allows(at).is_err(), "{at} of {block}");
                assert_eq!(Egress::anything().allows(at), Ok(()));
            }
        }
    }

    #[test]
    fn the_neighbours_of_the_blocks_are_public() {
        for public in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "104.21.14.105",
            "2000::1",
            "2001:200::1",
            "2001:db7::1",
            "2001:db9::1",
            "2003::1",
            "2606:4700:3030::6815:e69",
            "3ffe:ffff::1",
            "3fff:1000::1",
        ] {
            assert_eq!(special(ip(public)), None, "{public}");
        }
    }

    #[test]
    fn the_operator_allows_by_name_and_a_wrapped_address_is_judged_by_what_is_inside() {
        let egress = Egress::public_only(vec![
            "10.1.0.0/16".parse().expect("a block"),
            "fd00::/8".parse().expect("a block"),
            "64:ff9b::/96".parse().expect("a block"),
        ]);
        for (address, allowed) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("10.2.0.1", false),
            ("::ffff:10.2.0.1", false),
            ("::ffff:8.8.8.8", false),
            ("fd00:ec2::254", true),
            ("64:ff9b::8.8.8.8", true),
            ("64:ff9b::10.1.2.3", true),
            ("64:ff9b::169.254.169.254", false),
            ("2002:0a01:0203::1", false),
        ] {
            assert_eq!(egress.allows(ip(address)).is_ok(), allowed, "{address}");
        }
        assert_eq!(egress.allows(ip("169.254.169.254")), Err("a cloud's metadata service".into()));
    }
}
