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

/// The key of a ticket, which tells neither the ticket nor its tenant.
pub fn of_ticket(ticket: &str) -> Key {
    let digest = Sha256::digest(ticket.as_bytes());
    let shard = digest[0];
    Key { shard, name: format!("columba:{{{shard}}}:ticket:{}", hex::encode(digest)) }
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
    fn a_tickets_key_does_not_tell_the_ticket() {
        assert!(!of_ticket("tkt_abc").name.contains("tkt_abc"));
    }
}
