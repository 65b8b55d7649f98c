-- A person has an address and no token.
ALTER TABLE operator ALTER COLUMN hash DROP NOT NULL;
ALTER TABLE operator ADD COLUMN email text;
CREATE UNIQUE INDEX operator_email ON operator (email) WHERE email IS NOT NULL AND revoked_at IS NULL;

-- What a person signs in with, as JSON: a hashed password, a sealed secret, hashed codes.
CREATE TABLE person (
    operator_id uuid NOT NULL PRIMARY KEY,
    invitation  bytea UNIQUE,
    body        text NOT NULL
);

-- Where people are signed in. A cookie is recognised by its hash.
CREATE TABLE sign_in (
    id            uuid NOT NULL PRIMARY KEY,
    operator_id   uuid NOT NULL,
    hash          bytea NOT NULL UNIQUE,
    created_at    bigint NOT NULL,
    seen_at       bigint NOT NULL,
    stepped_up_at bigint NOT NULL,
    address       text,
    agent         text
);
CREATE INDEX sign_in_operator ON sign_in (operator_id);

-- Whose business an entry is. It is hashed with the rest, so what was written before stays nobody's.
ALTER TABLE audit ADD COLUMN tenant_id uuid;
CREATE INDEX audit_tenant ON audit (tenant_id, seq) WHERE tenant_id IS NOT NULL;
