-- Three roles that own nothing; the owner of the tables becomes one of them for everything but these steps.
-- columba_writer: the one writer. columba_reader: what the server reads of all tenants. columba_tenant: what is read in
-- the name of one tenant, named by the setting columba.tenant for one transaction.
DO $$
DECLARE wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['columba_writer', 'columba_reader', 'columba_tenant'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL; -- another database of this server was faster
            END;
        END IF;
        -- From PostgreSQL 16 on whoever makes a role is a member that may not use it.
        IF NOT pg_has_role(current_user, wanted, 'USAGE') THEN
            EXECUTE format('GRANT %I TO %I', wanted, current_user);
        END IF;
    END LOOP;
END $$;

-- Facts about the store itself: the epoch of its feed, the version of its directory.
CREATE TABLE store_meta (
    name  text NOT NULL PRIMARY KEY,
    value text NOT NULL
);

INSERT INTO store_meta (name, value)
VALUES ('feed_epoch', left(replace(gen_random_uuid()::text, '-', ''), 16)), ('directory_version', '0');

CREATE TABLE tenant (
    id         uuid NOT NULL PRIMARY KEY,
    name       text NOT NULL,
    plan       text NOT NULL,
    status     text NOT NULL,
    created_at bigint NOT NULL,
    deleted_at bigint
);

-- A PUT adds a version; the highest one binds.
CREATE TABLE plan (
    code       text COLLATE "C" NOT NULL,
    version    bigint NOT NULL,
    body       text NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (code, version)
);

CREATE TABLE api_key (
    id         uuid NOT NULL PRIMARY KEY,
    tenant_id  uuid NOT NULL REFERENCES tenant (id),
    name       text NOT NULL,
    hash       bytea NOT NULL UNIQUE,
    last4      text NOT NULL,
    scopes     text NOT NULL,
    test       boolean NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint,
    revoked_at bigint
);
CREATE INDEX api_key_tenant ON api_key (tenant_id, id);

CREATE TABLE session (
    id             uuid NOT NULL PRIMARY KEY,
    tenant_id      uuid NOT NULL REFERENCES tenant (id),
    label          text NOT NULL,
    engine         text NOT NULL,
    metadata       text NOT NULL,
    epoch          bigint NOT NULL DEFAULT 0,
    desired        text NOT NULL,
    status         text NOT NULL,
    reason         text,
    reason_code    bigint,
    since          bigint NOT NULL,
    paired         boolean NOT NULL,
    -- What the network holds against the account.
    failures       bigint NOT NULL,
    retry_at       bigint,
    retry_reason   text,
    throttle_steps bigint NOT NULL,
    banned_until   bigint,
    timelock_until bigint,
    replaced_at    bigint,
    -- What the supervisor remembers over deaths of the process.
    starting_at    bigint,
    unclean_deaths bigint NOT NULL,
    probes         bigint NOT NULL,
    created_at     bigint NOT NULL,
    deleted_at     bigint
);
CREATE INDEX session_tenant ON session (tenant_id, id);

-- Counted in the transactions that change what is counted. Apart from `session`, whose rows are wide: every accept
-- rewrites one of these.
CREATE TABLE session_tally (
    session_id uuid NOT NULL PRIMARY KEY REFERENCES session (id),
    tenant_id  uuid NOT NULL,
    live       bigint NOT NULL DEFAULT 0 CHECK (live >= 0),
    sent       bigint NOT NULL DEFAULT 0,
    failed     bigint NOT NULL DEFAULT 0,
    received   bigint NOT NULL DEFAULT 0,
    reconnects bigint NOT NULL DEFAULT 0
);

-- Correspondents that have written to a session.
CREATE TABLE chat (
    session_id uuid NOT NULL,
    phone      text NOT NULL,
    tenant_id  uuid NOT NULL,
    first_at   bigint NOT NULL,
    PRIMARY KEY (session_id, phone)
);

-- The highest place given in the order of acceptance. Places are never used again, whatever is deleted; one row.
CREATE TABLE message_place (
    one  boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (one),
    last bigint NOT NULL
);
INSERT INTO message_place (last) VALUES (0);

-- `ord` is the order of acceptance over all tenants.
CREATE TABLE message (
    ord          bigint PRIMARY KEY,
    id           uuid NOT NULL,
    tenant_id    uuid NOT NULL,
    session_id   uuid NOT NULL,
    direction    text NOT NULL,
    chat         text NOT NULL,
    content      text NOT NULL,
    status       text NOT NULL,
    reason       text,
    wa_id        text NOT NULL,
    category     text NOT NULL,
    delivery     text NOT NULL,
    reply_to     uuid,
    client_ref   text,
    send_at      bigint,
    not_before   bigint,
    expires_at   bigint,
    attempts     bigint NOT NULL,
    -- Who made the last attempt, and when it began.
    epoch        bigint NOT NULL,
    attempted_at bigint,
    charge       text NOT NULL CHECK (charge IN ('none', 'held', 'charged', 'released')),
    period_start bigint,
    -- When each status was reached for the first time.
    queued_at    bigint,
    held_at      bigint,
    sending_at   bigint,
    sent_at      bigint,
    delivered_at bigint,
    read_at      bigint,
    failed_at    bigint,
    unknown_at   bigint,
    expired_at   bigint,
    canceled_at  bigint,
    dead_at      bigint,
    received_at  bigint
);
CREATE UNIQUE INDEX message_id ON message (id);
-- Lists. A tenant's list is put together from its sessions', which spares a second index.
CREATE INDEX message_session ON message (session_id, id);
-- Ids on the network begin with a time.
CREATE INDEX message_wa ON message (wa_id, session_id) WHERE direction = 'out';
CREATE UNIQUE INDEX message_heard ON message (session_id, chat, wa_id) WHERE direction = 'in';
-- What waits. `chat` rides along so that the order of a chat is checked inside the index.
CREATE INDEX message_live ON message (session_id, ord, chat) WHERE status IN ('queued', 'held', 'sending');
CREATE INDEX message_sending ON message (session_id, ord) WHERE status = 'sending';
CREATE INDEX message_expiring ON message (expires_at, ord) WHERE status IN ('queued', 'held');
CREATE INDEX message_doubtful ON message (unknown_at, ord) WHERE status = 'unknown' AND charge = 'held';

-- The truth of the rate window. Append only.
CREATE TABLE send_attempt (
    ord        bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    message_id uuid NOT NULL,
    number     bigint NOT NULL,
    session_id uuid NOT NULL,
    tenant_id  uuid NOT NULL,
    epoch      bigint NOT NULL,
    boot_id    uuid NOT NULL,
    moment     bigint NOT NULL,
    wall       bigint NOT NULL
);
CREATE INDEX send_attempt_session ON send_attempt (session_id, wall);

-- `used + held` may pass `allowance` with a soft quota only; the batch decides.
CREATE TABLE usage (
    tenant_id    uuid NOT NULL,
    period_start bigint NOT NULL,
    period_end   bigint NOT NULL,
    allowance    bigint NOT NULL,
    quota        text NOT NULL,
    used         bigint NOT NULL CHECK (used >= 0),
    held         bigint NOT NULL CHECK (held >= 0),
    -- Highest threshold told, in percent.
    announced    bigint NOT NULL,
    PRIMARY KEY (tenant_id, period_start)
);

-- `owner` is a tenant, or all zeros for operators. A key used again after 24 h gets a new row, so rows stay in the
-- order of their age and the oldest are found without an index.
CREATE TABLE idempotency (
    ord         bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    owner       uuid NOT NULL,
    key         text NOT NULL,
    fingerprint bytea NOT NULL,
    kind        text NOT NULL,
    subject     text NOT NULL,
    created_at  bigint NOT NULL
);
CREATE UNIQUE INDEX idempotency_key ON idempotency (owner, key);

CREATE TABLE feed_head (
    tenant_id uuid NOT NULL PRIMARY KEY,
    seq       bigint NOT NULL
);

-- Append only.
CREATE TABLE event (
    ord        bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    tenant_id  uuid NOT NULL,
    seq        bigint NOT NULL,
    at         bigint NOT NULL,
    session_id uuid,
    kind       text NOT NULL,
    message_id uuid,
    code       text NOT NULL
);
-- A log writes records, not pages, so an index by tenant costs little here.
CREATE INDEX event_tenant ON event (tenant_id, seq);
