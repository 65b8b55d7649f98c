//! Signal state: strict throughout. Losing one of these after it was used on the wire re-uses keys.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use wacore::store::error::Result;
use wacore::store::traits::SignalStore;

use super::{Store, lost};
use crate::vault::{del, put};

/// One byte before the record says whether it was uploaded.
fn prekey(id: u32, record: &[u8], uploaded: bool) -> columba_bridge_protocol::Change {
    let mut value = Vec::with_capacity(record.len() + 1);
    value.push(u8::from(uploaded));
    value.extend_from_slice(record);
    put("prekey", id.to_be_bytes(), value)
}

fn number(key: &[u8]) -> Option<u32> {
    key.try_into().ok().map(u32::from_be_bytes)
}

#[async_trait]
impl SignalStore for Store {
    async fn put_identity(&self, address: &str, key: [u8; 32]) -> Result<()> {
        self.known().identities.insert(address.to_owned());
        self.commit(vec![put("identity", address, key)]).await
    }

    async fn put_identities_batch(&self, identities: &[(Arc<str>, [u8; 32])]) -> Result<()> {
        self.known().identities.extend(identities.iter().map(|(address, _)| address.to_string()));
        self.commit(identities.iter().map(|(address, key)| put("identity", &**address, *key)).collect()).await
    }

    async fn load_identity(&self, address: &str) -> Result<Option<[u8; 32]>> {
        if !self.known().identities.contains(address) {
            return Ok(None);
        }
        Ok(self.read("identity", address).await?.and_then(|key| key.try_into().ok()))
    }

    async fn delete_identity(&self, address: &str) -> Result<()> {
        if !self.known().identities.remove(address) {
            return Ok(());
        }
        self.commit(vec![del("identity", address)]).await
    }

    async fn get_session(&self, address: &str) -> Result<Option<Bytes>> {
        if !self.known().sessions.contains(address) {
            return Ok(None);
        }
        Ok(self.read("session", address).await?.map(Bytes::from))
    }

    async fn put_session(&self, address: &str, session: &[u8]) -> Result<()> {
        self.known().sessions.insert(address.to_owned());
        self.commit(vec![put("session", address, session)]).await
    }

    async fn put_sessions_batch(&self, sessions: &[(Arc<str>, Bytes)]) -> Result<()> {
        self.known().sessions.extend(sessions.iter().map(|(address, _)| address.to_string()));
        self.commit(
            sessions.iter().map(|(address, record)| put("session", &**address, record.to_vec())).collect(),
        )
        .await
    }

    async fn delete_session(&self, address: &str) -> Result<()> {
        if !self.known().sessions.remove(address) {
            return Ok(());
        }
        self.commit(vec![del("session", address)]).await
    }

    async fn has_session(&self, address: &str) -> Result<bool> {
        Ok(self.known().sessions.contains(address))
    }

    async fn has_signal_state_for_user(&self, user: &str) -> Result<bool> {
        let of_user = |address: &String| {
            address.strip_prefix(user).is_some_and(|rest| rest.starts_with(['@', ':', '.']))
        };
        let known = self.known();
        Ok(known.sessions.iter().any(of_user) || known.identities.iter().any(of_user))
    }

    async fn store_prekey(&self, id: u32, record: &[u8], uploaded: bool) -> Result<()> {
        self.commit(vec![prekey(id, record, uploaded)]).await
    }

    async fn store_prekeys_batch(&self, keys: &[(u32, Bytes)], uploaded: bool) -> Result<()> {
        self.commit(keys.iter().map(|(id, record)| prekey(*id, record, uploaded)).collect()).await
    }

    async fn load_prekey(&self, id: u32) -> Result<Option<Bytes>> {
        let record = self.read("prekey", id.to_be_bytes()).await?;
        Ok(record.filter(|record| !record.is_empty()).map(|record| Bytes::from(record).slice(1..)))
    }

    async fn load_prekeys_batch(&self, ids: &[u32]) -> Result<Vec<(u32, Bytes)>> {
        let keys = ids.iter().map(|id| id.to_be_bytes().to_vec()).collect();
        let records = self.vault.get("prekey", keys).await.map_err(lost)?;
        let found = ids.iter().zip(records).filter_map(|(id, record)| {
            let record = record?;
            Some((*id, Bytes::copy_from_slice(record.as_slice().get(1..)?)))
        });
        Ok(found.collect())
    }

    /// The watermark in the device record says it; the library asks nobody else.
    async fn mark_prekeys_uploaded(&self, _: &[u32]) -> Result<()> {
        Ok(())
    }

    async fn remove_prekey(&self, id: u32) -> Result<()> {
        self.commit(vec![del("prekey", id.to_be_bytes())]).await
    }

    async fn get_max_prekey_id(&self) -> Result<u32> {
        let records = self.vault.list("prekey", "", false).await.map_err(lost)?;
        Ok(records.last().and_then(|record| number(record.key.as_slice())).unwrap_or(0))
    }

    async fn store_signed_prekey(&self, id: u32, record: &[u8]) -> Result<()> {
        self.commit(vec![put("spk", id.to_be_bytes(), record)]).await
    }

    async fn load_signed_prekey(&self, id: u32) -> Result<Option<Vec<u8>>> {
        self.read("spk", id.to_be_bytes()).await
    }

    async fn load_all_signed_prekeys(&self) -> Result<Vec<(u32, Vec<u8>)>> {
        let records = self.vault.list("spk", "", true).await.map_err(lost)?;
        let all = records
            .into_iter()
            .filter_map(|record| Some((number(record.key.as_slice())?, record.value?.as_slice().to_vec())));
        Ok(all.collect())
    }

    async fn remove_signed_prekey(&self, id: u32) -> Result<()> {
        self.commit(vec![del("spk", id.to_be_bytes())]).await
    }

    async fn put_sender_key(&self, address: &str, record: &[u8]) -> Result<()> {
        self.commit(vec![put("senderkey", address, record)]).await
    }

    async fn put_sender_keys_batch(&self, keys: &[(Arc<str>, Bytes)]) -> Result<()> {
        self.commit(
            keys.iter().map(|(address, record)| put("senderkey", &**address, record.to_vec())).collect(),
        )
        .await
    }

    async fn get_sender_key(&self, address: &str) -> Result<Option<Vec<u8>>> {
        self.read("senderkey", address).await
    }

    async fn delete_sender_key(&self, address: &str) -> Result<()> {
        self.commit(vec![del("senderkey", address)]).await
    }
}
