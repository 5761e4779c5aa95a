use proptest::prelude::*;

use super::*;

/// Addresses that must be refused, and as what.
const REFUSED: [(&str, &str); 62] = [
    ("0.0.0.0", "unspecified"),
    ("0.255.255.255", "this network"),
    ("10.0.0.0", "private"),
    ("10.255.255.255", "private"),
    ("100.64.0.0", "shared by a carrier (CGNAT)"),
    ("100.100.100.200", "shared by a carrier (CGNAT)"),
    ("100.127.255.255", "shared by a carrier (CGNAT)"),
    ("127.0.0.1", "loopback"),
    ("127.255.255.254", "loopback"),
    ("168.63.129.16", "cloud platform"),
    ("169.254.169.254", "link-local"),
    ("172.16.0.0", "private"),
    ("172.31.255.255", "private"),
    ("192.0.0.192", "protocol assignment"),
    ("192.0.2.1", "documentation"),
    ("192.88.99.1", "6to4 relay"),
    ("192.168.0.1", "private"),
    ("192.168.255.255", "private"),
    ("198.18.0.0", "benchmarking"),
    ("198.19.255.255", "benchmarking"),
    ("198.51.100.7", "documentation"),
    ("203.0.113.7", "documentation"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.255", "multicast"),
    ("240.0.0.0", "reserved"),
    ("255.255.255.254", "reserved"),
    ("255.255.255.255", "broadcast"),
    ("::", "unspecified"),
    ("::1", "loopback"),
    ("::127.0.0.1", "IPv4-compatible"),
    ("::8.8.8.8", "IPv4-compatible"),
    ("::ffff:127.0.0.1", "loopback"),
    ("::ffff:a9fe:a9fe", "link-local"),
    ("::ffff:0:10.0.0.1", "IPv4-translated"),
    ("64:ff9b::127.0.0.1", "loopback"),
    ("64:ff9b::a00:1", "private"),
    ("64:ff9b::", "unspecified"),
    ("64:ff9b::1:0:0", "reserved"),
    ("64:ff9b:1::10.0.0.1", "NAT64 of a local network"),
    ("64:ff9b:1:ffff::8.8.8.8", "NAT64 of a local network"),
    ("100::1", "discard-only"),
    ("100:0:0:1::1", "dummy prefix"),
    ("1000::1", "reserved"),
    ("2001::1", "Teredo"),
    ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "Teredo"),
    ("2001:2::1", "benchmarking"),
    ("2001:10::1", "ORCHID"),
    ("2001:2f::1", "ORCHID"),
    ("2001:1ff::1", "protocol assignment"),
    ("2001:db8::1", "documentation"),
    ("2002:7f00:1::1", "6to4"),
    ("2002:808:808::1", "6to4"),
    ("2a00:1450::5efe:10.0.0.1", "private"),
    ("2a00:1450::200:5efe:127.0.0.1", "loopback"),
    ("3fff:fff::1", "documentation"),
    ("4000::1", "reserved"),
    ("5f00::1", "segment routing"),
    ("fc00::1", "unique local"),
    ("fd00:ec2::254", "unique local"),
    ("fe80::1", "link-local"),
    ("fec0::1", "site-local"),
    ("ff02::1", "multicast"),
];

const PUBLIC: [&str; 13] = [
    "1.0.0.1",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "223.255.255.255",
    "2001:200::1",
    "2606:4700::1111",
    "64:ff9b::8.8.8.8",
    "2a00:1450::5efe:8.8.8.8",
];

fn judge(address: &str) -> Result<IpAddr, Refused> {
    Guard::default().judge(address.parse().unwrap())
}

#[test]
fn what_is_not_public_is_refused_and_named() {
    for (address, class) in REFUSED {
        assert_eq!(
            judge(address).map_err(|refused| refused.class),
            Err(class),
            "{address}"
        );
    }
}

#[test]
fn what_is_public_passes() {
    for address in PUBLIC {
        assert_eq!(judge(address), Ok(address.parse().unwrap()));
    }
    assert_eq!(judge("::ffff:8.8.8.8"), Ok("8.8.8.8".parse().unwrap()));
}

#[test]
fn what_is_listed_passes_and_nothing_beside_it() {
    let nets = ["10.1.0.0/16", "::1/128", "fd00:1::/32"];
    let guard = Guard::new(nets.map(|net| net.parse().unwrap()).to_vec());
    for (address, passes) in [
        ("10.1.2.3", true),
        ("::ffff:10.1.2.3", true),
        ("64:ff9b::10.1.2.3", true),
        ("10.2.0.1", false),
        ("64:ff9b::10.2.0.1", false),
        ("2002:a01:203::1", false),
        ("127.0.0.1", false),
        ("::1", true),
        ("fd00:1::7", true),
        ("fd00:2::7", false),
    ] {
        assert_eq!(guard.judge(address.parse().unwrap()).is_ok(), passes, "{address}");
    }
}

/// Any address of a network in the table.
fn refused_v4() -> impl Strategy<Value = Ipv4Addr> {
    (0..NOT_PUBLIC_V4.len(), any::<u32>()).prop_map(|(at, bits)| {
        let net = NOT_PUBLIC_V4[at].0;
        Ipv4Addr::from_bits(net.network().to_bits() | (bits & net.hostmask().to_bits()))
    })
}

/// Every way to write an IPv4 address as an IPv6 one, in a network of one's choice where there is one.
fn embeddings(v4: Ipv4Addr, network: u64) -> [Ipv6Addr; 9] {
    let (bits, network) = (u128::from(v4.to_bits()), u128::from(network));
    let public = (0x2a00_u128 << 112) | ((network >> 16) << 64);
    [
        bits | (0xffff << 32),
        bits,
        bits | (0xffff << 48),
        bits | (0x0064_ff9b << 96),
        bits | (0x0064_ff9b_0001 << 80) | ((network & 0xffff) << 64),
        (0x2002 << 112) | (bits << 80) | network,
        (0x2001_0000 << 96) | (network << 32) | (!bits & 0xffff_ffff),
        public | (0x5efe << 32) | bits,
        public | (0x0200_5efe << 32) | bits,
    ]
    .map(Ipv6Addr::from_bits)
}

proptest! {
    #[test]
    fn no_refused_address_passes_however_it_is_written(v4 in refused_v4(), network: u64) {
        prop_assert!(Guard::default().judge(v4.into()).is_err());
        for v6 in embeddings(v4, network) {
            prop_assert!(Guard::default().judge(v6.into()).is_err(), "{v6} is {v4}");
        }
    }

    #[test]
    fn only_global_unicast_and_public_ipv4_pass(bits: u128) {
        if let Ok(address) = Guard::default().judge(Ipv6Addr::from_bits(bits).into()) {
            let IpAddr::V6(v6) = address else { return Ok(()) };
            prop_assert!(GLOBAL_UNICAST.contains(&v6) || NAT64.contains(&v6), "{v6}");
        }
    }

    #[test]
    fn the_address_that_passes_is_the_one_that_was_judged(bits: u32) {
        let v4 = Ipv4Addr::from(bits);
        let mapped = IpAddr::from(v4.to_ipv6_mapped());
        prop_assert_eq!(Guard::default().judge(mapped), Guard::default().judge(v4.into()));
        if let Ok(address) = Guard::default().judge(mapped) {
            prop_assert_eq!(address, IpAddr::from(v4));
        }
    }
}
