//! Everything else the library keeps. Strict: sender-key marks, number mappings, pending inbound. Lazy: the rest.

use async_trait::async_trait;
use wacore::store::error::Result;
use wacore::store::traits::{
    DeviceListRecord, LidPnMappingEntry, PendingInboundKey, PendingInboundRow, ProtocolStore, TcTokenEntry,
};

use super::{Store, in_secs, joined, json, lost};
use crate::vault::{del, put, put_until};

/// A message is sent again on request for so long.
const SENT: i64 = 2 * 3600;
/// A collision of base keys matters within one retry.
const BASE_KEY: i64 = 24 * 3600;
/// The server offers an unacknowledged message for less than that.
const PENDING: i64 = 7 * 24 * 3600;

/// The key's part after the first zero byte.
fn tail(key: &[u8]) -> Option<&[u8]> {
    key.iter().position(|&byte| byte == 0).map(|at| &key[at + 1..])
}

impl Store {
    async fn remove_marks(&self, prefix: &[u8], wanted: impl Fn(&[u8]) -> bool) -> Result<()> {
        let records = self.vault.list("skdev", prefix, false).await.map_err(lost)?;
        let gone = records.iter().map(|record| record.key.as_slice()).filter(|key| wanted(key));
        let changes: Vec<_> = gone.map(|key| del("skdev", key)).collect();
        if changes.is_empty() { Ok(()) } else { self.commit(changes).await }
    }
}

#[async_trait]
impl ProtocolStore for Store {
    async fn get_sender_key_devices(&self, group: &str) -> Result<Vec<(String, bool)>> {
        let records = self.vault.list("skdev", joined(&[group, ""]), true).await.map_err(lost)?;
        let marks = records.into_iter().filter_map(|record| {
            let device = String::from_utf8(tail(record.key.as_slice())?.to_vec()).ok()?;
            Some((device, record.value?.as_slice() == [1]))
        });
        Ok(marks.collect())
    }

    async fn set_sender_key_status(&self, group: &str, entries: &[(&str, bool)]) -> Result<()> {
        let mark = |(device, has): &(&str, bool)| put("skdev", joined(&[group, device]), [u8::from(*has)]);
        self.commit(entries.iter().map(mark).collect()).await
    }

    async fn clear_sender_key_devices(&self, group: &str) -> Result<()> {
        self.remove_marks(&joined(&[group, ""]), |_| true).await
    }

    async fn delete_sender_key_device_rows(&self, devices: &[&str]) -> Result<()> {
        self.remove_marks(&[], |key| {
            tail(key).is_some_and(|device| devices.iter().any(|wanted| wanted.as_bytes() == device))
        })
        .await
    }

    async fn clear_all_sender_key_devices(&self) -> Result<()> {
        self.remove_marks(&[], |_| true).await
    }

    async fn get_lid_mapping(&self, lid: &str) -> Result<Option<LidPnMappingEntry>> {
        self.read_json("lid", lid).await
    }

    async fn get_pn_mapping(&self, phone: &str) -> Result<Option<LidPnMappingEntry>> {
        match self.read("pn", phone).await? {
            Some(lid) => self.read_json("lid", lid).await,
            None => Ok(None),
        }
    }

    async fn put_lid_mapping(&self, entry: &LidPnMappingEntry) -> Result<()> {
        self.put_lid_mappings(std::slice::from_ref(entry)).await
    }

    async fn put_lid_mappings(&self, entries: &[LidPnMappingEntry]) -> Result<()> {
        let mut changes = Vec::with_capacity(2 * entries.len());
        for entry in entries {
            changes.push(put("lid", entry.lid.as_bytes(), json(entry)?));
            changes.push(put("pn", entry.phone_number.as_bytes(), entry.lid.as_bytes()));
        }
        self.commit(changes).await
    }

    async fn get_all_lid_mappings(&self) -> Result<Vec<LidPnMappingEntry>> {
        let records = self.vault.list("lid", "", true).await.map_err(lost)?;
        let parsed = records.iter().filter_map(|record| record.value.as_ref());
        parsed.map(|value| serde_json::from_slice(value.as_slice()).map_err(super::unreadable)).collect()
    }

    async fn save_base_key(&self, address: &str, message: &str, key: &[u8]) -> Result<()> {
        self.later("basekey", put_until("basekey", joined(&[address, message]), key, in_secs(BASE_KEY)))
    }

    async fn has_same_base_key(&self, address: &str, message: &str, key: &[u8]) -> Result<bool> {
        Ok(self.read("basekey", joined(&[address, message])).await?.is_some_and(|kept| kept == key))
    }

    async fn delete_base_key(&self, address: &str, message: &str) -> Result<()> {
        self.later("basekey", del("basekey", joined(&[address, message])))
    }

    async fn update_device_list(&self, record: DeviceListRecord) -> Result<()> {
        self.later("devlist", put("devlist", record.user.as_bytes(), json(&record)?))
    }

    async fn update_device_lists(&self, records: Vec<DeviceListRecord>) -> Result<()> {
        for record in records {
            self.update_device_list(record).await?;
        }
        Ok(())
    }

    async fn get_devices(&self, user: &str) -> Result<Option<DeviceListRecord>> {
        self.read_json("devlist", user).await
    }

    async fn delete_devices(&self, user: &str) -> Result<()> {
        self.later("devlist", del("devlist", user))
    }

    async fn get_group_metadata(&self, group: &str) -> Result<Option<Vec<u8>>> {
        self.read("groupmeta", group).await
    }

    async fn put_group_metadata(&self, group: &str, blob: &[u8]) -> Result<()> {
        self.later("groupmeta", put("groupmeta", group, blob))
    }

    async fn delete_group_metadata(&self, group: &str) -> Result<()> {
        self.later("groupmeta", del("groupmeta", group))
    }

    async fn get_tc_token(&self, jid: &str) -> Result<Option<TcTokenEntry>> {
        Ok(self.known().tokens.get(jid).cloned())
    }

    async fn put_tc_token(&self, jid: &str, entry: &TcTokenEntry) -> Result<()> {
        self.later("tctoken", put("tctoken", jid, json(entry)?))?;
        self.known().tokens.insert(jid.to_owned(), entry.clone());
        Ok(())
    }

    async fn delete_tc_token(&self, jid: &str) -> Result<()> {
        if self.known().tokens.remove(jid).is_none() {
            return Ok(());
        }
        self.later("tctoken", del("tctoken", jid))
    }

    async fn get_all_tc_token_jids(&self) -> Result<Vec<String>> {
        Ok(self.known().tokens.keys().cloned().collect())
    }

    async fn delete_expired_tc_tokens(&self, token_cutoff: i64, sender_cutoff: i64) -> Result<u32> {
        let is_of_use = |entry: &TcTokenEntry| {
            let receives = !entry.token.is_empty() && entry.token_timestamp >= token_cutoff;
            receives || entry.sender_timestamp.is_some_and(|at| at >= sender_cutoff)
        };
        let gone: Vec<String> = {
            let known = self.known();
            known.tokens.iter().filter(|(_, entry)| !is_of_use(entry)).map(|(jid, _)| jid.clone()).collect()
        };
        for jid in &gone {
            self.delete_tc_token(jid).await?;
        }
        Ok(gone.len() as u32)
    }

    async fn store_sent_message(&self, chat: &str, id: &str, payload: &[u8]) -> Result<()> {
        self.later("sent", put_until("sent", joined(&[chat, id]), payload, in_secs(SENT)))
    }

    async fn take_sent_message(&self, chat: &str, id: &str) -> Result<Option<Vec<u8>>> {
        let found = self.read("sent", joined(&[chat, id])).await?;
        if found.is_some() {
            self.later("sent", del("sent", joined(&[chat, id])))?;
        }
        Ok(found)
    }

    async fn delete_expired_sent_messages(&self, _: i64) -> Result<u32> {
        Ok(0)
    }

    async fn store_pending_inbound(&self, chat: &str, sender: &str, id: &str, message: &[u8]) -> Result<()> {
        let key = joined(&[chat, sender, id]);
        self.commit(vec![put_until("pendin", key, message, in_secs(PENDING))]).await
    }

    async fn store_pending_inbound_batch(&self, rows: &[PendingInboundRow<'_>]) -> Result<()> {
        let row = |row: &PendingInboundRow<'_>| {
            put_until("pendin", joined(&[row.chat, row.sender, row.id]), row.message, in_secs(PENDING))
        };
        self.commit(rows.iter().map(row).collect()).await
    }

    async fn get_pending_inbound(&self, chat: &str, sender: &str, id: &str) -> Result<Option<Vec<u8>>> {
        self.read("pendin", joined(&[chat, sender, id])).await
    }

    /// The supervisor has it: if this is lost, it comes again and is recognized.
    async fn delete_pending_inbound(&self, chat: &str, sender: &str, id: &str) -> Result<()> {
        self.later("pendin", del("pendin", joined(&[chat, sender, id])))
    }

    async fn delete_pending_inbound_batch(&self, keys: &[PendingInboundKey<'_>]) -> Result<()> {
        for key in keys {
            self.delete_pending_inbound(key.chat, key.sender, key.id).await?;
        }
        Ok(())
    }

    async fn delete_expired_pending_inbound(&self, _: i64) -> Result<u32> {
        Ok(0)
    }
}
