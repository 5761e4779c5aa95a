-- Tenants, API keys and sessions.

-- Read model of the tenants; their streams stand in the server's own ledger.
CREATE TABLE tenants (
    ledger_id        text             NOT NULL,
    tenant_id        uuid             NOT NULL,
    name             text             NOT NULL,
    slug             text COLLATE "C" NOT NULL,
    hmac_key_version smallint,
    config_overrides json             NOT NULL,
    created_at       timestamptz      NOT NULL,
    created_position bigint           NOT NULL,
    CONSTRAINT tenants_pkey PRIMARY KEY (ledger_id, tenant_id)
);

CREATE UNIQUE INDEX tenants_created_idx ON tenants (ledger_id, created_position);
CREATE INDEX tenants_slug_idx ON tenants (ledger_id, slug);

-- Read model of the API keys.
CREATE TABLE api_keys (
    ledger_id            text        NOT NULL,
    api_key_id           uuid        NOT NULL,
    name                 text        NOT NULL,
    scopes               text[]      NOT NULL,
    expires_at           timestamptz,
    key_digest           bytea       NOT NULL,
    hint                 text        NOT NULL,
    previous_digest      bytea,
    previous_valid_until timestamptz,
    created_at           timestamptz NOT NULL,
    rotated_at           timestamptz,
    created_position     bigint      NOT NULL,
    CONSTRAINT api_keys_pkey PRIMARY KEY (ledger_id, api_key_id)
);

CREATE UNIQUE INDEX api_keys_created_idx ON api_keys (ledger_id, created_position);

-- What opens, by the SHA-256 of the secret: an API key knows its tenant only by this table. Written in the append
-- transaction, so that a key that was revoked opens nothing from then on, on any node.
CREATE TABLE api_key_secrets (
    key_digest  bytea  NOT NULL,
    ledger_id   text   NOT NULL,
    api_key_id  uuid   NOT NULL,
    name        text   NOT NULL,
    scopes      text[] NOT NULL,
    -- When it stops; NULL is never.
    valid_until timestamptz,
    CONSTRAINT api_key_secrets_pkey PRIMARY KEY (key_digest)
);

CREATE INDEX api_key_secrets_key_idx ON api_key_secrets (ledger_id, api_key_id);

-- Ledgers of tenants that were closed: nothing opens them. Written in the append transaction of the closing.
CREATE TABLE closed_ledgers (
    ledger_id text NOT NULL,
    CONSTRAINT closed_ledgers_pkey PRIMARY KEY (ledger_id)
);

-- When a key was last used, to about half a minute. No event: nothing is appended for a read.
CREATE TABLE api_key_uses (
    ledger_id    text        NOT NULL,
    api_key_id   uuid        NOT NULL,
    last_used_at timestamptz NOT NULL,
    CONSTRAINT api_key_uses_pkey PRIMARY KEY (ledger_id, api_key_id)
) WITH (fillfactor = 50);

-- Log-ins of the dashboard, by the SHA-256 of the cookie. A session may do what its key may at the time.
CREATE TABLE sessions (
    token_digest bytea       NOT NULL,
    key_digest   bytea       NOT NULL,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    CONSTRAINT sessions_pkey PRIMARY KEY (token_digest)
);

CREATE INDEX sessions_expiry_idx ON sessions (expires_at);
