UPDATE usage SET held = held - (
    SELECT count(*) FROM message AS m
    WHERE m.tenant_id = usage.tenant_id AND m.period_start = usage.period_start AND m.charge = 'held'
        AND (m.chat NOT LIKE '+%' OR m.content NOT LIKE '{"type":"text"%'));
UPDATE session_tally SET live = live - (
    SELECT count(*) FROM message AS m
    WHERE m.session_id = session_tally.session_id AND m.status IN ('queued', 'held', 'sending')
        AND (m.chat NOT LIKE '+%' OR m.content NOT LIKE '{"type":"text"%'));
DELETE FROM message
WHERE direction = 'own' OR chat NOT LIKE '+%' OR content NOT LIKE '{"type":"text"%';
UPDATE message SET reason = 'timelock' WHERE reason = 'new_chats';
UPDATE message SET reason = 'refused' WHERE reason = 'unsupported';
DROP INDEX message_heard;
CREATE UNIQUE INDEX message_heard ON message (session_id, chat, wa_id) WHERE direction = 'in';
ALTER TABLE message DROP COLUMN quoted;
ALTER TABLE message DROP COLUMN author;
ALTER TABLE session DROP COLUMN new_chats_until;
