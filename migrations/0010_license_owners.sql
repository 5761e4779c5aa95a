-- Whose licenses there are and ever were: what a customer had at an earlier time is read from here on, also of licenses
-- that are deleted by now. A read model; a row never changes.

CREATE TABLE license_owners (
    ledger_id        text   NOT NULL,
    customer_id      uuid   NOT NULL,
    license_id       uuid   NOT NULL,
    created_position bigint NOT NULL,
    CONSTRAINT license_owners_pkey PRIMARY KEY (ledger_id, customer_id, created_position)
);
