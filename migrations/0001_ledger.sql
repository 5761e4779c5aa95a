-- The ledger: what happened, in order, for good. Everything else can be rebuilt from here.
--
-- Every key carries ledger_id, so that the schema distributes by it. Columns of `events` never change
-- once written; `ledgers.origin`, `ledgers.verifier_key` and `ledgers.ledger_id` neither.

CREATE TABLE ledgers (
    ledger_id         text        NOT NULL,
    origin            text        NOT NULL,
    verifier_key      text        NOT NULL,
    -- Number of events: the position of the next one.
    size              bigint      NOT NULL,
    head_hash         bytea       NOT NULL,
    -- Right edge of the Merkle tree: subtree hashes of 32 bytes, largest first.
    frontier          bytea       NOT NULL,
    last_recorded_at  timestamptz NOT NULL,
    -- The last checkpoint signed, and the frontier it was signed over.
    signed_size       bigint,
    signed_frontier   bytea,
    signed_checkpoint text,
    CONSTRAINT ledgers_pkey PRIMARY KEY (ledger_id)
) WITH (fillfactor = 50);

-- One row per event. `leaf` is the event; the other columns only find it, and verification compares them.
CREATE TABLE events (
    ledger_id   text        NOT NULL,
    position    bigint      NOT NULL,
    event_id    uuid        NOT NULL,
    stream_type text        NOT NULL,
    stream_id   text        NOT NULL,
    stream_seq  bigint      NOT NULL,
    event_type  text        NOT NULL,
    type_ver    integer     NOT NULL,
    recorded_at timestamptz NOT NULL,
    license_id  uuid,
    event_hash  bytea       NOT NULL,
    leaf        bytea       NOT NULL,
    CONSTRAINT events_pkey PRIMARY KEY (ledger_id, position),
    CONSTRAINT events_stream_key UNIQUE (ledger_id, stream_type, stream_id, stream_seq),
    CONSTRAINT events_event_id_key UNIQUE (ledger_id, event_id),
    CONSTRAINT events_leaf_size CHECK (octet_length(leaf) <= 65535),
    CONSTRAINT events_hash_size CHECK (octet_length(event_hash) = 32)
);

CREATE INDEX events_license_idx ON events (ledger_id, license_id, position) WHERE license_id IS NOT NULL;

CREATE FUNCTION refuse_to_rewrite_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'events are append-only: % refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER events_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_rewrite_history();

REVOKE UPDATE, DELETE, TRUNCATE ON events FROM PUBLIC, CURRENT_USER;

-- Streams in the columns that cqrs-es reads. The payload is wrapped as {"<event type>": payload}.
CREATE VIEW event_streams AS
SELECT ledger_id,
       stream_type AS aggregate_type,
       stream_id AS aggregate_id,
       stream_seq AS sequence,
       event_type,
       type_ver::text AS event_version,
       json_build_object(event_type, convert_from(leaf, 'UTF8')::json -> 'payload') AS payload,
       '{}'::json AS metadata
FROM events;

-- State of long streams; thrown away and rebuilt at will.
CREATE TABLE snapshots (
    ledger_id        text   NOT NULL,
    aggregate_type   text   NOT NULL,
    aggregate_id     text   NOT NULL,
    last_sequence    bigint NOT NULL,
    current_snapshot bigint NOT NULL,
    payload          json   NOT NULL,
    CONSTRAINT snapshots_pkey PRIMARY KEY (ledger_id, aggregate_type, aggregate_id)
);

-- What must be unique within a ledger, written in the append transaction. Values that identify people
-- are keyed hashes.
CREATE TABLE unique_claims (
    ledger_id   text NOT NULL,
    kind        text NOT NULL,
    value       text NOT NULL,
    stream_id   text NOT NULL,
    CONSTRAINT unique_claims_pkey PRIMARY KEY (ledger_id, kind, value)
);

CREATE INDEX unique_claims_stream_idx ON unique_claims (ledger_id, stream_id, kind);

-- How many live streams of a type refer to a stream: what is referred to cannot be deleted.
CREATE TABLE reference_counts (
    ledger_id   text   NOT NULL,
    target_type text   NOT NULL,
    target_id   text   NOT NULL,
    source_type text   NOT NULL,
    count       bigint NOT NULL,
    CONSTRAINT reference_counts_pkey PRIMARY KEY (ledger_id, target_type, target_id, source_type),
    CONSTRAINT reference_counts_not_negative CHECK (count >= 0)
) WITH (fillfactor = 50);

-- License keys know their tenant only by this table.
CREATE TABLE license_keys (
    key_digest bytea NOT NULL,
    ledger_id  text  NOT NULL,
    license_id uuid  NOT NULL,
    CONSTRAINT license_keys_pkey PRIMARY KEY (key_digest)
);

-- What a request with an Idempotency-Key led to. The answer is made again from the stream, as of its
-- sequence number; no copy of it is kept, so that no license key or personal datum is.
CREATE TABLE idempotency_keys (
    ledger_id    text        NOT NULL,
    key          text        NOT NULL,
    request_hash bytea       NOT NULL,
    stream_type  text        NOT NULL,
    stream_id    text        NOT NULL,
    stream_seq   bigint      NOT NULL,
    recorded_at  timestamptz NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (ledger_id, key)
);

-- Keys of personal data, each wrapped by the master key. Deleting a key erases what it sealed.
CREATE TABLE data_keys (
    ledger_id   text  NOT NULL,
    customer_id uuid  NOT NULL,
    key_id      text  NOT NULL,
    wrapped_key bytea NOT NULL,
    CONSTRAINT data_keys_pkey PRIMARY KEY (ledger_id, customer_id, key_id)
);

-- Ciphertext of personal data; the leaf of `event_id` holds its commitment.
CREATE TABLE sealed_values (
    ledger_id   text   NOT NULL,
    customer_id uuid   NOT NULL,
    path        text   NOT NULL,
    stream_seq  bigint NOT NULL,
    position    bigint NOT NULL,
    event_id    uuid   NOT NULL,
    key_id      text   NOT NULL,
    ciphertext  bytea  NOT NULL,
    CONSTRAINT sealed_values_pkey PRIMARY KEY (ledger_id, customer_id, path, stream_seq)
);

CREATE INDEX sealed_values_position_idx ON sealed_values (ledger_id, position);
