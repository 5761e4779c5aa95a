-- Full tiles of the ledgers' Merkle trees: a read model of the events' hashes. A row never changes once written.

CREATE TABLE tiles (
    ledger_id  text     NOT NULL,
    -- 0 over the events, and each level over the full tiles of the one below.
    level      smallint NOT NULL,
    tile_index bigint   NOT NULL,
    -- 256 hashes of 32 bytes.
    hashes     bytea    NOT NULL,
    -- The hash over them all: one of the hashes of the level above.
    root       bytea    NOT NULL,
    CONSTRAINT tiles_pkey PRIMARY KEY (ledger_id, level, tile_index),
    CONSTRAINT tiles_hashes_size CHECK (octet_length(hashes) = 8192),
    CONSTRAINT tiles_root_size CHECK (octet_length(root) = 32)
);

-- Hashes do not compress; and out of line they are in nobody's way who wants the roots.
ALTER TABLE tiles ALTER COLUMN hashes SET STORAGE EXTERNAL;
