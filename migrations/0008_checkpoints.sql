-- Signed checkpoints stand beside the head's row instead of in it: signing must not wait for writers, nor they for it.

-- The checkpoint of each ledger that was signed last. A row only ever moves on to one that continues it.
CREATE TABLE checkpoints (
    ledger_id text   NOT NULL,
    size      bigint NOT NULL,
    root      bytea  NOT NULL,
    -- The signed note.
    note      text   NOT NULL,
    CONSTRAINT checkpoints_pkey PRIMARY KEY (ledger_id),
    CONSTRAINT checkpoints_root_size CHECK (octet_length(root) = 32)
) WITH (fillfactor = 50);

INSERT INTO checkpoints (ledger_id, size, root, note)
SELECT ledger_id, signed_size, decode(split_part(signed_checkpoint, E'\n', 3), 'base64'), signed_checkpoint
FROM ledgers
WHERE signed_size IS NOT NULL AND signed_checkpoint IS NOT NULL;

ALTER TABLE ledgers
    DROP COLUMN signed_size,
    DROP COLUMN signed_frontier,
    DROP COLUMN signed_checkpoint,
    -- `verifier_key` is the one that the ledger's events name last; these are those that they named before, by turns.
    ADD COLUMN superseded_keys text[] NOT NULL DEFAULT '{}';
