//! Chats that are not a person, messages of the account's other devices, what a message refers to by its id on the network,
//! and the end of a cap on new chats.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::run;

/// Every kind of content.
#[derive(DeriveMigrationName)]
pub struct Content;

#[async_trait::async_trait]
impl MigrationTrait for Content {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, SQLITE_UP, include_str!("postgres/content.sql")).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, SQLITE_DOWN, include_str!("postgres/content.down.sql")).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

const SQLITE_UP: &str = "
-- Who wrote it, in a group; and the message it answers, by its id on the network.
ALTER TABLE message ADD COLUMN author TEXT;
ALTER TABLE message ADD COLUMN quoted TEXT;

-- What comes from the network is what did not go out: messages of other devices too. Ids are unique with their author.
DROP INDEX message_heard;
CREATE UNIQUE INDEX message_heard ON message (session_id, chat, wa_id, coalesce(author, '')) WHERE direction <> 'out';

-- Until then the account may begin no new chats: it has begun as many as it may.
ALTER TABLE session ADD COLUMN new_chats_until INTEGER;
";

/// What the version before cannot read goes: it knows texts with people only. What of it waits is only what goes out
/// and is no text or to no person, and is taken back with its place in the month.
const SQLITE_DOWN: &str = "
UPDATE usage SET held = held - (
    SELECT count(*) FROM message AS m
    WHERE m.tenant_id = usage.tenant_id AND m.period_start = usage.period_start AND m.charge = 'held'
        AND (m.chat NOT LIKE '+%' OR m.content NOT LIKE '{\"type\":\"text\"%'));
UPDATE session_tally SET live = live - (
    SELECT count(*) FROM message AS m
    WHERE m.session_id = session_tally.session_id AND m.status IN ('queued', 'held', 'sending')
        AND (m.chat NOT LIKE '+%' OR m.content NOT LIKE '{\"type\":\"text\"%'));
DELETE FROM message
WHERE direction = 'own' OR chat NOT LIKE '+%' OR content NOT LIKE '{\"type\":\"text\"%';
UPDATE message SET reason = 'timelock' WHERE reason = 'new_chats';
UPDATE message SET reason = 'refused' WHERE reason = 'unsupported';
DROP INDEX message_heard;
CREATE UNIQUE INDEX message_heard ON message (session_id, chat, wa_id) WHERE direction = 'in';
ALTER TABLE message DROP COLUMN quoted;
ALTER TABLE message DROP COLUMN author;
ALTER TABLE session DROP COLUMN new_chats_until;
";
