//! Messages, outbound and inbound.

use sea_orm::entity::prelude::*;

use super::{count, maybe_time, maybe_word, word};
use crate::domain::chat::Chat;
use crate::domain::message::{Message, MessageStatus, Times, WaId};
use crate::domain::time::WallTime;
use crate::storage::sql::dialect::Fault;

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "message")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub ord: i64,
    pub id: Uuid,
    pub tenant_id: Uuid,
    pub session_id: Uuid,
    pub direction: String,
    pub chat: String,
    pub content: String,
    pub status: String,
    pub reason: Option<String>,
    pub wa_id: String,
    pub category: String,
    pub delivery: String,
    pub reply_to: Option<Uuid>,
    pub client_ref: Option<String>,
    pub send_at: Option<i64>,
    pub not_before: Option<i64>,
    pub expires_at: Option<i64>,
    pub attempts: i64,
    pub epoch: i64,
    pub attempted_at: Option<i64>,
    pub charge: String,
    pub period_start: Option<i64>,
    pub queued_at: Option<i64>,
    pub held_at: Option<i64>,
    pub sending_at: Option<i64>,
    pub sent_at: Option<i64>,
    pub delivered_at: Option<i64>,
    pub read_at: Option<i64>,
    pub failed_at: Option<i64>,
    pub unknown_at: Option<i64>,
    pub expired_at: Option<i64>,
    pub canceled_at: Option<i64>,
    pub dead_at: Option<i64>,
    pub received_at: Option<i64>,
    pub author: Option<String>,
    pub quoted: Option<String>,
}

/// Without content and correspondent.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("message").field("id", &self.id).field("status", &self.status).finish_non_exhaustive()
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub fn into_domain(self) -> Result<Message, Fault> {
        let times = self.times();
        let held_until = self.held_until();
        Ok(Message {
            id: self.id.into(),
            tenant: self.tenant_id.into(),
            session: self.session_id.into(),
            direction: word(&self.direction, "direction")?,
            chat: Chat::stored(self.chat),
            author: self.author.map(Chat::stored),
            content: serde_json::from_str(&self.content).map_err(|_| Fault::unreadable("content"))?,
            status: word(&self.status, "message status")?,
            reason: maybe_word(self.reason.as_deref(), "message reason")?,
            wa_id: WaId(self.wa_id),
            reply_to: self.reply_to.map(Into::into),
            quoted: self.quoted.map(WaId),
            category: word(&self.category, "category")?,
            delivery: word(&self.delivery, "delivery")?,
            client_ref: self.client_ref,
            send_at: maybe_time(self.send_at),
            expires_at: maybe_time(self.expires_at),
            attempts: count(self.attempts) as u32,
            held_until,
            times,
        })
    }

    fn held_until(&self) -> Option<WallTime> {
        let held = self.status == <&str>::from(MessageStatus::Held);
        maybe_time(self.not_before.filter(|_| held))
    }

    fn times(&self) -> Times {
        use MessageStatus as S;
        let all = [
            (S::Queued, self.queued_at),
            (S::Held, self.held_at),
            (S::Sending, self.sending_at),
            (S::Sent, self.sent_at),
            (S::Delivered, self.delivered_at),
            (S::Read, self.read_at),
            (S::Failed, self.failed_at),
            (S::Unknown, self.unknown_at),
            (S::Expired, self.expired_at),
            (S::Canceled, self.canceled_at),
            (S::Dead, self.dead_at),
            (S::Received, self.received_at),
        ];
        all.into_iter().filter_map(|(status, at)| Some((status.into(), WallTime(at?)))).collect()
    }
}
