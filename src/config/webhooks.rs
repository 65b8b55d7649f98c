//! Section `webhooks`: where tenants' endpoints may be.

use std::num::NonZeroUsize;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer};

/// Section `webhooks`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhooksOptions {
    /// Private or special targets that are allowed all the same: hosts, addresses, ranges. None by default.
    pub allow_private: Vec<Target>,
    /// Whether `http://` is taken from everybody; from what `allow_private` names it always is.
    pub allow_http: bool,
    /// Ports of public targets.
    pub ports: Vec<u16>,
    /// Requests under way at once, over all tenants.
    pub in_flight: NonZeroUsize,
}

impl Default for WebhooksOptions {
    fn default() -> Self {
        Self {
            allow_private: vec![],
            allow_http: false,
            ports: vec![80, 443, 8443],
            in_flight: const { NonZeroUsize::new(512).expect("not zero") },
        }
    }
}

/// A target that is allowed though it is private.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A host by this very name, wherever it is.
    Host(String),
    /// Addresses of this range, whatever name leads there.
    Net(IpNet),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(net) = text.parse::<IpNet>() {
            return Ok(Self::Net(net.trunc()));
        }
        if let Ok(address) = text.parse::<std::net::IpAddr>() {
            return Ok(Self::Net(address.into()));
        }
        let letters = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
        if !text.is_empty() && letters && text.bytes().any(|b| b.is_ascii_alphabetic()) {
            return Ok(Self::Host(text.trim_end_matches('.').to_ascii_lowercase()));
        }
        Err(format!("`{text}` is no host, address or range; give one such as hooks.intranet or 10.1.0.0/16"))
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_ranges_addresses_and_hosts_and_nothing_else() {
        for (text, net) in
            [("10.1.2.3/8", "10.0.0.0/8"), ("127.0.0.1", "127.0.0.1/32"), ("fd00::/8", "fd00::/8")]
        {
            assert_eq!(text.parse(), Ok(Target::Net(net.parse().expect("a range"))), "{text}");
        }
        assert_eq!("Hooks.Intranet.".parse(), Ok(Target::Host("hooks.intranet".into())));
        for bad in ["", "10.0.0.0/33", "http://x", "a b", "127.1", "*", "host:80"] {
            assert!(bad.parse::<Target>().is_err(), "{bad}");
        }
    }
}
