//! Names of keys. What is in braces decides the slot in a cluster: a tenant's keys lie together, and 256 shards spread.

use sha2::{Digest as _, Sha256};

use crate::domain::id::TenantId;

/// A key and the shard it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// What commands are grouped by.
    pub shard: u8,
    /// `columba:{shard}:…`.
    pub name: String,
}

/// Which shard a tenant's keys belong to.
pub fn shard(tenant: TenantId) -> u8 {
    (crc32fast::hash(tenant.uuid().as_bytes()) % 256) as u8
}

/// A key of a tenant, such as its `window`.
pub fn of_tenant(tenant: TenantId, what: &str) -> Key {
    let shard = shard(tenant);
    Key { shard, name: format!("columba:{{{shard}}}:{tenant}:{what}") }
}

/// A key of all processes that serve the store whose feed has this epoch, such as its `feed`.
pub fn of_store(epoch: &str, what: &str) -> Key {
    let shard = (crc32fast::hash(epoch.as_bytes()) % 256) as u8;
    Key { shard, name: format!("columba:{{{shard}}}:store:{epoch}:{what}") }
}

/// The key of a ticket, which tells neither the ticket nor its tenant.
pub fn of_ticket(ticket: &str) -> Key {
    hidden("ticket", ticket)
}

/// The key of what a caller has left, which does not tell who that is: it may be somebody's address.
pub fn of_caller(caller: &str) -> Key {
    hidden("edge", caller)
}

fn hidden(what: &str, secret: &str) -> Key {
    let digest = Sha256::digest(secret.as_bytes());
    let shard = digest[0];
    Key { shard, name: format!("columba:{{{shard}}}:{what}:{}", hex::encode(digest)) }
}

/// The key that shows whether anything of a shard can be written.
pub fn of_probe(shard: u8) -> Key {
    Key { shard, name: format!("columba:{{{shard}}}:probe") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::WallTime;

    #[test]
    fn tenants_spread_over_the_shards_and_a_tenants_keys_stay_together() {
        let tenants: Vec<TenantId> = (0..2_000).map(|at| TenantId::mint(WallTime(at))).collect();
        let used: std::collections::BTreeSet<u8> = tenants.iter().map(|&tenant| shard(tenant)).collect();
        assert!(used.len() > 250, "{} of 256", used.len());
        let (window, log) = (of_tenant(tenants[0], "window"), of_tenant(tenants[0], "log"));
        assert_eq!(window.shard, log.shard);
        let tag = format!("columba:{{{}}}:ten_", window.shard);
        assert!(window.name.starts_with(&tag) && log.name.starts_with(&tag), "{window:?} {log:?}");
    }

    #[test]
    fn neither_a_tickets_key_tells_the_ticket_nor_a_callers_the_caller() {
        assert!(!of_ticket("tkt_abc").name.contains("tkt_abc"));
        assert!(!of_caller("192.0.2.1").name.contains("192.0.2.1"));
    }
}
