//! Where a key may be used from: single addresses and ranges in CIDR notation, of IPv4 and IPv6.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// Text that is no address and no range.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotARange {
    /// It cannot be read.
    #[error("expected an address such as 192.0.2.7 or 2001:db8::7, or a range such as 192.0.2.0/24")]
    Unreadable,
    /// Bits behind the prefix are set: it is not said whether the one address or the whole range is meant.
    #[error("bits behind the prefix are set; write {0} for the range, or the address alone")]
    Unclear(IpNet),
}

/// A range of addresses. One address is a range of one. An IPv4 address written as IPv6 (`::ffff:192.0.2.7`) is the
/// IPv4 address, here as in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressRange(IpNet);

impl AddressRange {
    /// Whether `address` lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

/// The range of IPv4 that an IPv6 range of mapped addresses means.
fn unmapped(range: IpNet) -> IpNet {
    let IpNet::V6(mapped) = range else { return range };
    let within = mapped.addr().to_ipv4_mapped().zip(mapped.prefix_len().checked_sub(96));
    let v4 = within.and_then(|(address, length)| Ipv4Net::new(address, length).ok());
    v4.map_or(range, IpNet::V4)
}

impl FromStr for AddressRange {
    type Err = NotARange;

    fn from_str(text: &str) -> Result<Self, NotARange> {
        let alone = text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
        let range = alone.or_else(|_| text.parse::<IpNet>()).map_err(|_| NotARange::Unreadable)?;
        let range = unmapped(range);
        if range != range.trunc() {
            return Err(NotARange::Unclear(range.trunc()));
        }
        Ok(Self(range))
    }
}

/// A range of one without its prefix, as people write it.
impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() {
            return fmt::Display::fmt(&self.0.addr(), f);
        }
        fmt::Display::fmt(&self.0, f)
    }
}

impl Serialize for AddressRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AddressRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for AddressRange {
    fn schema_name() -> Cow<'static, str> {
        "AddressRange".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "maxLength": 64, "examples": ["192.0.2.7", "2001:db8::/32"]})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_hold_what_lies_in_them_and_are_written_one_way() {
        for (text, written, inside, outside) in [
            ("192.0.2.7", "192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("192.0.2.7/32", "192.0.2.7", "::ffff:192.0.2.7", "192.0.2.6"),
            ("192.0.2.0/24", "192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("0.0.0.0/0", "0.0.0.0/0", "203.0.113.9", "2001:db8::1"),
            ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("::ffff:192.0.2.0/120", "192.0.2.0/24", "192.0.2.9", "::ffff:192.0.3.9"),
            ("2001:DB8::/32", "2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
            ("2001:db8::7", "2001:db8::7", "2001:db8::7", "2001:db8::8"),
            ("::/0", "::/0", "2001:db8::7", "192.0.2.7"),
        ] {
            let range: AddressRange = text.parse().expect(text);
            assert_eq!(range.to_string(), written);
            assert!(range.contains(inside.parse().expect("an address")), "{text} {inside}");
            assert!(!range.contains(outside.parse().expect("an address")), "{text} {outside}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused_with_what_to_write() {
        for text in ["", "here", "192.0.2", "192.0.2.0/33", "192.0.2.0/-1", "2001:db8::/129", "192.0.2.0/24 "]
        {
            assert_eq!(text.parse::<AddressRange>(), Err(NotARange::Unreadable), "{text}");
        }
        let said = "192.0.2.7/24".parse::<AddressRange>().expect_err("unclear").to_string();
        assert!(said.contains("192.0.2.0/24"), "{said}");
    }

    proptest! {
        #[test]
        fn a_range_comes_back_from_its_text(bits: u128, is_v4: bool, length in 0..=128_u8) {
            let address: IpAddr =
                if is_v4 { std::net::Ipv4Addr::from_bits(bits as u32).into() } else { std::net::Ipv6Addr::from_bits(bits).into() };
            let length = if is_v4 { length.min(32) } else { length };
            let net = IpNet::new(address, length).expect("a prefix that fits").trunc();
            let range: AddressRange = net.to_string().parse().expect("a range");
            prop_assert_eq!(range.to_string().parse::<AddressRange>(), Ok(range));
            prop_assert!(range.contains(net.network()) && range.contains(net.broadcast()));
        }
    }
}
