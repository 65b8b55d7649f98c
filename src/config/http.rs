//! Section `http`: where the server listens, and what it bears.

use std::num::{NonZeroU32, NonZeroUsize};

use serde::Deserialize;

use crate::domain::address::AddressRange;

/// Section `http`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpOptions {
    /// Address and port. Port 0 takes a free one.
    pub listen: String,
    /// Where people reach this server, such as `https://columba.example.com`. Links that are sent to people begin with it; without
    /// it they begin with the address by which the link was asked for.
    pub public_url: String,
    /// Origins whose pages may open the feed, such as `https://app.example.com`. None: no page may.
    pub allowed_origins: Vec<String>,
    /// Proxies in front of this server: addresses and ranges such as `10.0.0.0/8`. What they say in `X-Forwarded-For` is
    /// believed; anybody else's is not.
    pub trusted_proxies: Vec<AddressRange>,
    /// What one caller may ask for.
    pub edge_limit: EdgeLimits,
    /// Bytes a request's body may have.
    pub body_limit: usize,
    /// Threads that serve requests.
    pub workers: NonZeroUsize,
    /// Connections open at once, over all workers.
    pub max_connections: NonZeroUsize,
    /// Seconds in which a request's head has to arrive.
    pub head_timeout_s: NonZeroU32,
    /// Seconds in which a request's body has to arrive.
    pub body_timeout_s: NonZeroU32,
    /// Seconds an idle connection is kept.
    pub keep_alive_s: NonZeroU32,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            public_url: String::new(),
            allowed_origins: vec![],
            trusted_proxies: vec![],
            edge_limit: EdgeLimits::default(),
            body_limit: 256 * 1024,
            workers: const { NonZeroUsize::new(2).expect("not zero") },
            max_connections: const { NonZeroUsize::new(10_000).expect("not zero") },
            head_timeout_s: const { NonZeroU32::new(5).expect("not zero") },
            body_timeout_s: const { NonZeroU32::new(10).expect("not zero") },
            keep_alive_s: const { NonZeroU32::new(75).expect("not zero") },
        }
    }
}

/// What one caller may ask for: one key, or one address that shows no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EdgeLimits {
    /// Requests per second, for ever.
    pub per_second: NonZeroU32,
    /// Requests at once, after a pause.
    pub burst: NonZeroU32,
    /// Refused keys an address may show per minute before it hears 429 instead of 401. A good key from the same
    /// address is served all the same.
    pub bad_keys_per_minute: NonZeroU32,
}

impl Default for EdgeLimits {
    fn default() -> Self {
        Self {
            per_second: const { NonZeroU32::new(1_000).expect("not zero") },
            burst: const { NonZeroU32::new(2_000).expect("not zero") },
            bad_keys_per_minute: const { NonZeroU32::new(30).expect("not zero") },
        }
    }
}
