-- Webhooks: endpoints, their secrets, and what is sent to them.

-- Read model of the endpoints.
CREATE TABLE endpoints (
    ledger_id            text        NOT NULL,
    endpoint_id          uuid        NOT NULL,
    url                  text        NOT NULL,
    description          text        NOT NULL,
    -- Patterns; none is all events that can be subscribed to.
    event_types          text[]      NOT NULL,
    status               text        NOT NULL,
    max_retries          bigint,
    timeout_seconds      bigint      NOT NULL,
    secret_id            uuid        NOT NULL,
    previous_secret_id   uuid,
    previous_valid_until timestamptz,
    disabled_reason      text,
    disabled_at          timestamptz,
    -- Since when it is active at its address: failures of before do not count.
    active_since         timestamptz NOT NULL,
    created_at           timestamptz NOT NULL,
    updated_at           timestamptz NOT NULL,
    created_position     bigint      NOT NULL,
    CONSTRAINT endpoints_pkey PRIMARY KEY (ledger_id, endpoint_id)
);

CREATE UNIQUE INDEX endpoints_created_idx ON endpoints (ledger_id, created_position);

-- Signing secrets, each encrypted with a key of its own that the master key wraps. Written in the append
-- transaction of what names them; only the wrapping changes afterwards.
CREATE TABLE endpoint_secrets (
    ledger_id   text  NOT NULL,
    endpoint_id uuid  NOT NULL,
    secret_id   uuid  NOT NULL,
    wrapped_key bytea NOT NULL,
    ciphertext  bytea NOT NULL,
    -- Until when it signs beside a newer one; NULL for the one that signs for good.
    valid_until timestamptz,
    CONSTRAINT endpoint_secrets_pkey PRIMARY KEY (ledger_id, endpoint_id, secret_id)
);

CREATE INDEX endpoint_secrets_until_idx ON endpoint_secrets (valid_until) WHERE valid_until IS NOT NULL;

-- Finds what endpoints there were at a position.
CREATE INDEX events_endpoints_idx ON events (ledger_id, position) WHERE stream_type = 'endpoint';

-- The outbox: what is to be sent, was sent, or could not be. Not a read model: it is never rebuilt.
CREATE TABLE deliveries (
    ledger_id          text        NOT NULL,
    delivery_id        uuid        NOT NULL,
    endpoint_id        uuid        NOT NULL,
    event_id           uuid        NOT NULL,
    event_type         text        NOT NULL,
    -- Where the event stands; NULL for a test, which is no event.
    position           bigint,
    -- `pending`, `sending`, `success` or `failed`.
    status             text        NOT NULL,
    -- Tries since it was last asked for, and ever.
    attempts           bigint      NOT NULL,
    attempts_ever      bigint      NOT NULL,
    -- When it is due; NULL once it is finished.
    next_attempt_at    timestamptz,
    -- Who is sending it.
    worker_id          uuid,
    last_response_code integer,
    last_error         text,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    finished_at        timestamptz,
    CONSTRAINT deliveries_pkey PRIMARY KEY (ledger_id, delivery_id),
    CONSTRAINT deliveries_event_key UNIQUE (ledger_id, endpoint_id, event_id),
    CONSTRAINT deliveries_due CHECK ((next_attempt_at IS NULL) = (status IN ('success', 'failed'))),
    CONSTRAINT deliveries_worker CHECK ((worker_id IS NULL) = (status <> 'sending'))
) WITH (fillfactor = 70);

CREATE INDEX deliveries_endpoint_idx ON deliveries (ledger_id, endpoint_id, delivery_id);
CREATE INDEX deliveries_due_idx ON deliveries (ledger_id, endpoint_id, next_attempt_at, delivery_id)
    WHERE status = 'pending';
CREATE INDEX deliveries_sending_idx ON deliveries (worker_id) WHERE status = 'sending';
CREATE INDEX deliveries_finished_idx ON deliveries (finished_at) WHERE finished_at IS NOT NULL;

-- What became of each try.
CREATE TABLE delivery_attempts (
    ledger_id       text        NOT NULL,
    delivery_id     uuid        NOT NULL,
    attempt_no      bigint      NOT NULL,
    attempted_at    timestamptz NOT NULL,
    -- The address that was connected to, if any was.
    address         text,
    response_code   integer,
    duration_ms     bigint      NOT NULL,
    response_start  text        NOT NULL,
    error           text,
    next_attempt_at timestamptz,
    CONSTRAINT delivery_attempts_pkey PRIMARY KEY (ledger_id, delivery_id, attempt_no),
    CONSTRAINT delivery_attempts_delivery FOREIGN KEY (ledger_id, delivery_id)
        REFERENCES deliveries (ledger_id, delivery_id) ON DELETE CASCADE
);

-- Since when an endpoint has failed without a success.
CREATE TABLE endpoint_failures (
    ledger_id      text        NOT NULL,
    endpoint_id    uuid        NOT NULL,
    failing_since  timestamptz NOT NULL,
    last_failed_at timestamptz NOT NULL,
    CONSTRAINT endpoint_failures_pkey PRIMARY KEY (ledger_id, endpoint_id)
);

-- Nodes that send. What a node was sending that has not said for a while that it is alive is sent by others. By
-- the database's clock.
CREATE TABLE delivery_workers (
    worker_id   uuid        NOT NULL,
    alive_until timestamptz NOT NULL,
    CONSTRAINT delivery_workers_pkey PRIMARY KEY (worker_id)
);
