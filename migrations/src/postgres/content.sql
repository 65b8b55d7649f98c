-- Who wrote it, in a group; and the message it answers, by its id on the network.
ALTER TABLE message ADD COLUMN author text;
ALTER TABLE message ADD COLUMN quoted text;

-- What comes from the network is what did not go out: messages of other devices too. Ids are unique with their author.
DROP INDEX message_heard;
CREATE UNIQUE INDEX message_heard ON message (session_id, chat, wa_id, coalesce(author, '')) WHERE direction <> 'out';

-- Until then the account may begin no new chats: it has begun as many as it may.
ALTER TABLE session ADD COLUMN new_chats_until bigint;
