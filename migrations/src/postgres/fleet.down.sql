DROP INDEX message_trouble;
DROP INDEX message_held;
DROP INDEX session_restricted;
DROP INDEX session_status;
DROP INDEX session_label;
DROP INDEX session_since;
DROP TRIGGER session_took_a_status ON session;
DROP FUNCTION session_is_told();
DROP TABLE session_past;
