-- Read models: rows made from events alone. Any of them can be emptied and rebuilt.

-- How far each projection has come in each ledger: the position of the next event it will read.
CREATE TABLE projection_checkpoints (
    ledger_id     text   NOT NULL,
    projection    text   NOT NULL,
    position      bigint NOT NULL,
    -- Set when the event at `position` cannot be applied: the projection waits there until it is mended.
    parked_reason text,
    CONSTRAINT projection_checkpoints_pkey PRIMARY KEY (ledger_id, projection)
) WITH (fillfactor = 50);

CREATE TABLE products (
    ledger_id        text        NOT NULL,
    product_id       uuid        NOT NULL,
    code             text        NOT NULL,
    name             text        NOT NULL,
    description      text        NOT NULL,
    default_tier     text        NOT NULL,
    features         json        NOT NULL,
    metadata         json        NOT NULL,
    created_at       timestamptz NOT NULL,
    created_position bigint      NOT NULL,
    CONSTRAINT products_pkey PRIMARY KEY (ledger_id, product_id)
);

CREATE UNIQUE INDEX products_created_idx ON products (ledger_id, created_position);
CREATE INDEX products_code_idx ON products (ledger_id, code);

-- Personal data stay sealed in `sealed_values`; a list joins and opens them.
CREATE TABLE customers (
    ledger_id        text        NOT NULL,
    customer_id      uuid        NOT NULL,
    created_at       timestamptz NOT NULL,
    created_position bigint      NOT NULL,
    CONSTRAINT customers_pkey PRIMARY KEY (ledger_id, customer_id)
);

CREATE UNIQUE INDEX customers_created_idx ON customers (ledger_id, created_position);

CREATE TABLE licenses (
    ledger_id        text        NOT NULL,
    license_id       uuid        NOT NULL,
    product_id       uuid        NOT NULL,
    product_code     text        NOT NULL,
    customer_id      uuid        NOT NULL,
    -- What the vendor decided: active, suspended or revoked. Expiry is computed from expires_at when read.
    standing         text        NOT NULL,
    tier             text        NOT NULL,
    machines_limit   bigint,
    expires_at       timestamptz,
    features         json        NOT NULL,
    entitlements     json        NOT NULL,
    metadata         json        NOT NULL,
    created_at       timestamptz NOT NULL,
    created_position bigint      NOT NULL,
    CONSTRAINT licenses_pkey PRIMARY KEY (ledger_id, license_id)
);

CREATE UNIQUE INDEX licenses_created_idx ON licenses (ledger_id, created_position);
CREATE INDEX licenses_customer_idx ON licenses (ledger_id, customer_id, created_position);
CREATE INDEX licenses_product_idx ON licenses (ledger_id, product_code, created_position);
