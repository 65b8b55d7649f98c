DROP POLICY settled_only ON message;
REVOKE DELETE ON message FROM columba_writer;
DROP INDEX webhook_event_message;
