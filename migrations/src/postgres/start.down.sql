DROP TABLE event;
DROP TABLE feed_head;
DROP TABLE idempotency;
DROP TABLE usage;
DROP TABLE send_attempt;
DROP TABLE message;
DROP TABLE message_place;
DROP TABLE chat;
DROP TABLE session_tally;
DROP TABLE session;
DROP TABLE api_key;
DROP TABLE plan;
DROP TABLE tenant;
DROP TABLE store_meta;
-- The roles stay: they may serve other databases of this server.
