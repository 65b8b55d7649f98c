CREATE TABLE media (
    id         uuid NOT NULL PRIMARY KEY,
    tenant_id  uuid NOT NULL,
    -- The session it came in on; none for what was uploaded.
    session_id uuid,
    direction  text NOT NULL,
    mime       text NOT NULL,
    size       bigint NOT NULL,
    -- None before the bytes are here.
    sha256     bytea,
    file_name  text,
    state      text NOT NULL,
    -- What brings it here; holds the file's key.
    handle     bytea,
    created_at bigint NOT NULL,
    -- From when the plan's retention counts.
    kept_from  bigint NOT NULL,
    -- Taken away: the bytes are to be removed, then the row.
    deleted_at bigint
);
CREATE INDEX media_kept ON media (tenant_id, kept_from);
CREATE INDEX media_size ON media (tenant_id, size) WHERE state = 'stored';
CREATE INDEX media_session ON media (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX media_gone ON media (deleted_at) WHERE deleted_at IS NOT NULL;

