//! Which addresses may be called. Everything here is about addresses as connections use them: names are resolved
//! before, and nobody connects to an address that was not judged here.
//!
//! Source of the tables are the IANA special-purpose address registries for IPv4 and IPv6 (RFC 6890, RFC 8190). Where
//! they carve reachable pieces out of a block that is not, the whole block is refused: no receiver lives there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// An address that must not be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{address} is not a public address: {class}")]
pub struct Refused {
    /// The address.
    pub address: IpAddr,
    /// What kind of address it is.
    pub class: &'static str,
}

/// Judges addresses.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    allowed: Vec<IpNet>,
}

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits)
}

const fn v6(start: [u16; 4], bits: u8) -> Ipv6Net {
    let [a, b, c, d] = start;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0), bits)
}

/// What is not public in IPv4; the first that fits names the class.
const NOT_PUBLIC_V4: [(Ipv4Net, &str); 18] = [
    (v4(0, 0, 0, 0, 32), "unspecified"),
    (v4(0, 0, 0, 0, 8), "this network"),
    (v4(10, 0, 0, 0, 8), "private"),
    (v4(100, 64, 0, 0, 10), "shared by a carrier (CGNAT)"),
    (v4(127, 0, 0, 0, 8), "loopback"),
    // A public number, but what answers is the platform below a virtual machine at Azure.
    (v4(168, 63, 129, 16, 32), "cloud platform"),
    (v4(169, 254, 0, 0, 16), "link-local"),
    (v4(172, 16, 0, 0, 12), "private"),
    (v4(192, 0, 0, 0, 24), "protocol assignment"),
    (v4(192, 0, 2, 0, 24), "documentation"),
    (v4(192, 88, 99, 0, 24), "6to4 relay"),
    (v4(192, 168, 0, 0, 16), "private"),
    (v4(198, 18, 0, 0, 15), "benchmarking"),
    (v4(198, 51, 100, 0, 24), "documentation"),
    (v4(203, 0, 113, 0, 24), "documentation"),
    (v4(224, 0, 0, 0, 4), "multicast"),
    (v4(255, 255, 255, 255, 32), "broadcast"),
    (v4(240, 0, 0, 0, 4), "reserved"),
];

/// What is not public in IPv6; the first that fits names the class. The last of them leaves only `2000::/3`, which is
/// all that is given out for use on the internet.
const NOT_PUBLIC_V6: [(Ipv6Net, &str); 21] = [
    (Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128), "unspecified"),
    (Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128), "loopback"),
    (v6([0, 0, 0, 0], 96), "IPv4-compatible"),
    (
        Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, 0, 0), 96),
        "IPv4-translated",
    ),
    (v6([0x64, 0xff9b, 1, 0], 48), "NAT64 of a local network"),
    (v6([0x100, 0, 0, 0], 64), "discard-only"),
    (v6([0x100, 0, 0, 1], 64), "dummy prefix"),
    (v6([0x2001, 0, 0, 0], 32), "Teredo"),
    (v6([0x2001, 2, 0, 0], 48), "benchmarking"),
    (v6([0x2001, 0x10, 0, 0], 28), "ORCHID"),
    (v6([0x2001, 0x20, 0, 0], 28), "ORCHID"),
    (v6([0x2001, 0, 0, 0], 23), "protocol assignment"),
    (v6([0x2001, 0xdb8, 0, 0], 32), "documentation"),
    (v6([0x2002, 0, 0, 0], 16), "6to4"),
    (v6([0x3fff, 0, 0, 0], 20), "documentation"),
    (v6([0x5f00, 0, 0, 0], 16), "segment routing"),
    (v6([0xfc00, 0, 0, 0], 7), "unique local"),
    (v6([0xfe80, 0, 0, 0], 10), "link-local"),
    (v6([0xfec0, 0, 0, 0], 10), "site-local"),
    (v6([0xff00, 0, 0, 0], 8), "multicast"),
    (v6([0, 0, 0, 0], 0), "reserved"),
];

const GLOBAL_UNICAST: Ipv6Net = v6([0x2000, 0, 0, 0], 3);
/// NAT64 by the prefix that everybody uses (RFC 6052): how hosts without IPv4 reach those that have nothing else.
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0, 0], 96);

impl Guard {
    /// Refuses what is not public, except for `allowed`.
    pub fn new(allowed: Vec<IpNet>) -> Self {
        Self { allowed }
    }

    /// The address to connect to, if it may be called. IPv4 addresses that are written as IPv6 ones are judged as what
    /// they are.
    pub fn judge(&self, address: IpAddr) -> Result<IpAddr, Refused> {
        let address = address.to_canonical();
        if self.allowed.iter().any(|net| net.contains(&address)) {
            return Ok(address);
        }
        let class = match address {
            IpAddr::V4(v4) => class_of_v4(v4),
            IpAddr::V6(v6) => match embedded(v6) {
                Some(v4) => self.judge(v4.into()).err().map(|refused| refused.class),
                None => class_of_v6(v6),
            },
        };
        match class {
            Some(class) => Err(Refused { address, class }),
            None => Ok(address),
        }
    }
}

/// The IPv4 address that a packet to `address` ends at, where that is all there is to say. Addresses of tunnels
/// (6to4, Teredo) are refused whatever they lead to.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = address.segments();
    // ISATAP (RFC 5214): an interface that stands for an IPv4 address, in any network.
    let isatap = GLOBAL_UNICAST.contains(&address)
        && matches!(segments[4..6], [0 | 0x200, 0x5efe])
        && class_of_v6(address).is_none();
    if !isatap && !NAT64.contains(&address) {
        return None;
    }
    let [.., a, b, c, d] = address.octets();
    Some(Ipv4Addr::new(a, b, c, d))
}

fn class_of_v4(address: Ipv4Addr) -> Option<&'static str> {
    let found = NOT_PUBLIC_V4.iter().find(|(net, _)| net.contains(&address));
    found.map(|(_, class)| *class)
}

fn class_of_v6(address: Ipv6Addr) -> Option<&'static str> {
    let found = NOT_PUBLIC_V6.iter().find(|(net, _)| net.contains(&address));
    let (net, class) = found.expect("the last network holds every address");
    let public = net.prefix_len() == 0 && GLOBAL_UNICAST.contains(&address);
    (!public).then_some(class)
}

#[cfg(test)]
mod tests;
