//! Secrets of messages, which edits, reactions and votes of others are read with. Lazy: 128 bytes a message.

use async_trait::async_trait;
use wacore::store::error::Result;
use wacore::store::traits::{
    MsgSecretEntry, MsgSecretStore, merge_msg_secret_expiry, merge_msg_secret_message_ts,
};

use super::{RECENT_SECRETS, Store, joined, lost};
use crate::vault::{put, put_until};

/// Secret, when it expires (0: never) and when the message was, both in seconds.
const RECORD: usize = 48;

struct Kept {
    secret: [u8; 32],
    expires_at: i64,
    message_ts: i64,
}

fn kept(record: &[u8]) -> Option<Kept> {
    let record: &[u8; RECORD] = record.try_into().ok()?;
    let (secret, times) = record.split_at(32);
    Some(Kept {
        secret: secret.try_into().ok()?,
        expires_at: i64::from_le_bytes(times[..8].try_into().ok()?),
        message_ts: i64::from_le_bytes(times[8..].try_into().ok()?),
    })
}

#[async_trait]
impl MsgSecretStore for Store {
    /// Merged with an earlier record only when that was written of late: a message is told twice within moments or not
    /// at all, and asking each time would cost a call a message.
    async fn put_msg_secrets(&self, entries: Vec<MsgSecretEntry>) -> Result<usize> {
        let count = entries.len();
        let mut changes = Vec::with_capacity(count);
        for entry in entries {
            let key = joined(&[&entry.chat, &entry.sender, &entry.msg_id]);
            let is_recent = {
                let mut known = self.known();
                let is_recent = known.secrets.contains(&key);
                if !is_recent {
                    if known.secrets.len() == RECENT_SECRETS {
                        known.secrets.pop_front();
                    }
                    known.secrets.push_back(key.clone());
                }
                is_recent
            };
            let (mut expires_at, mut message_ts) = (entry.expires_at, entry.message_ts);
            if is_recent
                && let Some(old) = self.read("msgsecret", key.clone()).await?.as_deref().and_then(kept)
            {
                expires_at = merge_msg_secret_expiry(old.expires_at, expires_at);
                message_ts = merge_msg_secret_message_ts(old.message_ts, message_ts);
            }
            let mut record = entry.secret.to_vec();
            record.extend_from_slice(&expires_at.to_le_bytes());
            record.extend_from_slice(&message_ts.to_le_bytes());
            changes.push(match expires_at {
                0 => ("msgsecret", put("msgsecret", key, record)),
                at => ("msgsecret", put_until("msgsecret", key, record, at.saturating_mul(1_000))),
            });
        }
        self.vault.later(changes).map_err(lost)?;
        Ok(count)
    }

    async fn get_msg_secret(&self, chat: &str, sender: &str, id: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.get_msg_secret_with_ts(chat, sender, id).await?.map(|(secret, _)| secret))
    }

    async fn get_msg_secret_with_ts(
        &self,
        chat: &str,
        sender: &str,
        id: &str,
    ) -> Result<Option<(Vec<u8>, i64)>> {
        let record = self.read("msgsecret", joined(&[chat, sender, id])).await?;
        Ok(record.as_deref().and_then(kept).map(|kept| (kept.secret.to_vec(), kept.message_ts)))
    }

    async fn delete_expired_msg_secrets(&self, _: i64) -> Result<u32> {
        Ok(0)
    }
}
