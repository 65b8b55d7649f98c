-- Since when it is linked; unknown for those that were before.
ALTER TABLE session ADD COLUMN paired_at bigint;

-- What a tenant knows of a number.
CREATE TABLE contact (
    tenant_id  uuid NOT NULL,
    phone      text NOT NULL,
    -- Its wish for no messages: its id, since when, and who said so.
    stop_id    uuid,
    stopped_at bigint,
    stopped_by text,
    -- Whether it has an account, and when the network said so.
    account    boolean,
    checked_at bigint,
    PRIMARY KEY (tenant_id, phone)
);
CREATE INDEX contact_stopped ON contact (tenant_id, stop_id) WHERE stop_id IS NOT NULL;

-- People who never wrote, and when a session wrote to them first.
CREATE TABLE approach (
    session_id uuid NOT NULL,
    phone      text NOT NULL,
    tenant_id  uuid NOT NULL,
    at         bigint NOT NULL,
    PRIMARY KEY (session_id, phone)
);
CREATE INDEX approach_at ON approach (session_id, at);

