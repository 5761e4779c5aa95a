-- The outbox of mails with license keys. Not a read model: it is never rebuilt. Written in the append transaction of
-- the license; goes with the customer's personal data.
CREATE TABLE mails (
    ledger_id       text        NOT NULL,
    mail_id         uuid        NOT NULL,
    license_id      uuid        NOT NULL,
    customer_id     uuid        NOT NULL,
    -- `pending`, `delivered` or `undelivered`.
    status          text        NOT NULL,
    -- The license key, encrypted with the customer's data key of this id; NULL once the mail is delivered.
    key_id          text,
    ciphertext      bytea,
    -- Tries since it was last asked for, and ever.
    attempts        bigint      NOT NULL,
    attempts_ever   bigint      NOT NULL,
    -- When it is due; NULL once it is finished.
    next_attempt_at timestamptz,
    -- Until when a node has it that is sending it.
    claimed_until   timestamptz,
    -- In words of ours: what a mail server says can hold an address.
    last_error      text,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    CONSTRAINT mails_pkey PRIMARY KEY (ledger_id, mail_id),
    CONSTRAINT mails_key CHECK ((ciphertext IS NULL) = (status = 'delivered') AND (key_id IS NULL) = (ciphertext IS NULL)),
    CONSTRAINT mails_due CHECK ((next_attempt_at IS NULL) = (status <> 'pending'))
);

CREATE INDEX mails_due_idx ON mails (ledger_id, next_attempt_at) WHERE status = 'pending';
CREATE INDEX mails_customer_idx ON mails (ledger_id, customer_id);
CREATE INDEX mails_license_idx ON mails (ledger_id, license_id);
