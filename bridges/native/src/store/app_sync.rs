//! App state: keys, versions and the macs under them. Strict: a version that is ahead of its macs costs a new snapshot.

use std::collections::HashMap;

use async_trait::async_trait;
use wacore::appstate::hash::HashState;
use wacore::appstate::processor::AppStateMutationMAC;
use wacore::store::error::Result;
use wacore::store::traits::{AppStateSyncKey, AppSyncStore};

use super::{Store, json, lost};
use crate::vault::{del, put};

/// Where the newest key's id is kept.
const LATEST: &str = "latest_sync_key";

fn mac(name: &str, index: &[u8]) -> Vec<u8> {
    let mut key = name.as_bytes().to_vec();
    key.push(0);
    key.extend_from_slice(index);
    key
}

#[async_trait]
impl AppSyncStore for Store {
    async fn get_sync_key(&self, id: &[u8]) -> Result<Option<AppStateSyncKey>> {
        self.read_json("synckey", id).await
    }

    async fn set_sync_key(&self, id: &[u8], key: AppStateSyncKey) -> Result<()> {
        self.commit(vec![put("synckey", id, json(&key)?), put("meta", LATEST, id)]).await
    }

    async fn get_latest_sync_key_id(&self) -> Result<Option<Vec<u8>>> {
        self.read("meta", LATEST).await
    }

    async fn get_version(&self, name: &str) -> Result<HashState> {
        Ok(self.read_json("syncver", name).await?.unwrap_or_default())
    }

    async fn set_version(&self, name: &str, state: HashState) -> Result<()> {
        self.commit(vec![put("syncver", name, json(&state)?)]).await
    }

    async fn put_mutation_macs(&self, name: &str, _: u64, macs: &[AppStateMutationMAC]) -> Result<()> {
        self.commit(
            macs.iter().map(|one| put("mac", mac(name, &one.index_mac), one.value_mac.clone())).collect(),
        )
        .await
    }

    async fn get_mutation_mac(&self, name: &str, index: &[u8]) -> Result<Option<Vec<u8>>> {
        self.read("mac", mac(name, index)).await
    }

    async fn get_mutation_macs(
        &self,
        name: &str,
        indexes: &[[u8; 32]],
    ) -> Result<HashMap<[u8; 32], Vec<u8>>> {
        let keys = indexes.iter().map(|index| mac(name, index)).collect();
        let values = self.vault.get("mac", keys).await.map_err(lost)?;
        Ok(indexes
            .iter()
            .zip(values)
            .filter_map(|(index, value)| Some((*index, value?.as_slice().to_vec())))
            .collect())
    }

    async fn delete_mutation_macs(&self, name: &str, indexes: &[Vec<u8>]) -> Result<()> {
        self.commit(indexes.iter().map(|index| del("mac", mac(name, index))).collect()).await
    }

    async fn clear_mutation_macs(&self, name: &str) -> Result<()> {
        let records = self.vault.list("mac", mac(name, &[]), false).await.map_err(lost)?;
        self.commit(records.iter().map(|record| del("mac", record.key.as_slice())).collect()).await
    }
}
