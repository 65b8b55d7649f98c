-- A JSON list; empty: from anywhere.
ALTER TABLE api_key ADD COLUMN allowed_addresses text NOT NULL DEFAULT '[]';
ALTER TABLE api_key ADD COLUMN replaced_by uuid;
ALTER TABLE api_key ADD COLUMN last_used_at bigint;

-- Besides `root`, whose token lies in the data directory.
CREATE TABLE operator (
    id         uuid NOT NULL PRIMARY KEY,
    name       text NOT NULL,
    hash       bytea NOT NULL UNIQUE,
    role       text NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint,
    revoked_at bigint
);

-- What operators did. Everything that is hashed is kept as it was hashed: text, and JSON to the byte.
CREATE TABLE audit (
    seq          bigint PRIMARY KEY,
    at           bigint NOT NULL,
    actor_id     text,
    actor_name   text NOT NULL,
    action       text NOT NULL,
    subject_kind text NOT NULL,
    subject_id   text NOT NULL,
    before_json  text,
    after_json   text,
    address      text,
    request_id   text,
    hash         bytea NOT NULL
);

-- Against mistakes. What was done on purpose is found by the hashes.
CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append only';
END $$;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();

-- Number and hash of the last entry: an end that was cut off would fit without it.
INSERT INTO store_meta (name, value) VALUES ('audit_head', '0:' || repeat('0', 64));
