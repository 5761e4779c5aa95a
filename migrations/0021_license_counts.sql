-- How many licenses there are: lists say it with every page, and counting a hundred thousand takes longer than the page.

CREATE TABLE license_counts (
    ledger_id text   NOT NULL,
    count     bigint NOT NULL,
    CONSTRAINT license_counts_pkey PRIMARY KEY (ledger_id)
);

INSERT INTO license_counts (ledger_id, count) SELECT ledger_id, count(*) FROM licenses GROUP BY ledger_id;
