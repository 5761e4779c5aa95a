-- Archives: files that hold a ledger's older events, whose bytes (`events.leaf`) the database need not hold any more.
--
-- An archived event keeps its row, with an empty leaf. So it keeps its place, its hash, its number in its stream and its
-- id, and everything that is unique stays so. Only an operator's command empties leaves, with rights that the server
-- does not have.

CREATE TABLE archives (
    ledger_id   text        NOT NULL,
    -- Leaves before this position may be empty.
    size        bigint      NOT NULL,
    -- How far they have been removed: what is killed goes on here.
    removed_to  bigint      NOT NULL,
    -- Where the files are, for people.
    location    text        NOT NULL,
    archived_at timestamptz NOT NULL,
    CONSTRAINT archives_pkey PRIMARY KEY (ledger_id)
);

-- As before, but for archived events: those have no payload to show.
CREATE OR REPLACE VIEW event_streams AS
SELECT ledger_id,
       stream_type AS aggregate_type,
       stream_id AS aggregate_id,
       stream_seq AS sequence,
       event_type,
       type_ver::text AS event_version,
       CASE WHEN leaf = ''::bytea THEN '{}'::json
            ELSE json_build_object(event_type, convert_from(leaf, 'UTF8')::json -> 'payload') END AS payload,
       '{}'::json AS metadata
FROM events;
