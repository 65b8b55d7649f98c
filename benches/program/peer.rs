//! fastify and BullMQ's `add`, from `benches/peers`, over a redis-server of their own.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::accept::TENANTS;
use super::generator::{Target, post};
use super::support::process::Process;
use super::support::stores;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers");

/// The peer and its store.
pub struct Peer {
    redis: Process,
    node: Process,
    address: SocketAddr,
}

impl Peer {
    /// Starts both on free ports; redis keeps an append-only file in `folder` and syncs it every second.
    pub fn start(folder: &Path) -> Self {
        let log = folder.join("peers.log");
        let (redis, store) = stores::redis(folder);
        let (_, port) = store.rsplit_once(':').expect("host and port");
        let mut node = Command::new("node");
        node.arg("accept.js").current_dir(FOLDER).env("REDIS_PORT", port).env("TENANTS", TENANTS.to_string());
        let (node, address) = Process::start(&mut node, "listens on ", &log);
        Self { redis, node, address: address.parse().expect("an address") }
    }

    /// The same requests as ours, with the tenant's key in the same place.
    pub fn target(&self, body: &str) -> Target {
        let post = |tenant| {
            post(&format!("/v1/sessions/ses_{tenant:032x}/messages"), &format!("key-{tenant}"), "", body)
        };
        Target { address: self.address, requests: (0..TENANTS).map(post).collect() }
    }

    /// Everything whose CPU counts.
    pub fn processes(&self) -> [(&str, &Process); 2] {
        [("node", &self.node), ("redis-server", &self.redis)]
    }

    pub fn end(self) {
        self.node.end();
        self.redis.end();
    }
}
