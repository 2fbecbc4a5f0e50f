//! Which addresses are the public internet's: a delivery goes to no other, unless that is allowed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Blocks that are no host's on the internet: network, length of its prefix.
const NOT_V4: &[([u8; 4], u32)] = &[
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    // Multicast, and everything after it.
    ([224, 0, 0, 0], 3),
];

/// The same inside of 2000::/3, the only block whose addresses are given to hosts of the internet.
const NOT_V6: &[([u16; 3], u32)] = &[
    // Protocols of their own, Teredo among them, which has an IPv4 address in it.
    ([0x2001, 0, 0], 23),
    ([0x2001, 0xdb8, 0], 32),
    ([0x3fff, 0, 0], 20),
];

/// Whether it is an address on the internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let within = |(block, length): &([u8; 4], u32)| {
        let mask = u32::MAX << (32 - length);
        u32::from(address) & mask == u32::from(Ipv4Addr::from(*block)) & mask
    };
    !NOT_V4.iter().any(within)
}

/// Where an address has another in it, that one is reached in the end.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let part = address.segments();
    let inner = |high: u16, low: u16| is_public_v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    match part {
        // Mapped.
        [0, 0, 0, 0, 0, 0xffff, high, low] => inner(high, low),
        // NAT64.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => inner(high, low),
        // 6to4.
        [0x2002, high, low, ..] => inner(high, low),
        _ => {
            let first = u128::from(address);
            let within = |(block, length): &([u16; 3], u32)| {
                let block = u128::from(Ipv6Addr::new(block[0], block[1], block[2], 0, 0, 0, 0, 0));
                first >> (128 - length) == block >> (128 - length)
            };
            first >> 125 == 1 && !NOT_V6.iter().any(within)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_internet_are_public() {
        let public = [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.167.1.1",
            "198.17.0.1",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00:1450:4001::1",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
            "2002:101:101::1",
        ];
        let private = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1.1.1.1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "5f00::1",
        ];
        let told = |text: &str| is_public(text.parse().expect(text));
        assert!(public.iter().all(|text| told(text)), "{:?}", public.iter().find(|text| !told(text)));
        assert!(!private.iter().any(|text| told(text)), "{:?}", private.iter().find(|text| told(text)));
    }
}
