-- Read model of what providers of payments told, a row per reference of theirs.
CREATE TABLE purchases (
    ledger_id        text   NOT NULL,
    purchase_id      uuid   NOT NULL,
    provider         text   NOT NULL,
    reference        text   NOT NULL,
    -- NULL as long as there is no license for it, and for what belongs to another purchase.
    license_id       uuid,
    customer_id      uuid,
    checkout         text,
    status           text   NOT NULL,
    -- All that is true of it.
    state            json   NOT NULL,
    created_position bigint NOT NULL,
    CONSTRAINT purchases_pkey PRIMARY KEY (ledger_id, purchase_id)
);

CREATE UNIQUE INDEX purchases_created_idx ON purchases (ledger_id, created_position) WHERE license_id IS NOT NULL;
CREATE INDEX purchases_license_idx ON purchases (ledger_id, license_id) WHERE license_id IS NOT NULL;
