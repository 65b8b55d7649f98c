DROP TABLE webhook_attempt;
DROP TABLE webhook_delivery;
DROP TABLE webhook_event;
DROP TABLE webhook;
ALTER TABLE event DROP COLUMN webhook_id;
