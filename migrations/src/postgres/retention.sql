-- Ids begin with a time, so it grows near its end.
CREATE INDEX webhook_event_message ON webhook_event (message_id) WHERE message_id IS NOT NULL;

-- What waits, is under way or holds a place in its month is in nobody's power to delete, whatever a statement says.
GRANT DELETE ON message TO columba_writer;
CREATE POLICY settled_only ON message AS RESTRICTIVE FOR DELETE TO columba_writer
    USING (status NOT IN ('queued', 'held', 'sending') AND charge <> 'held');
