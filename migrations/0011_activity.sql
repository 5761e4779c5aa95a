-- What the overview shows: what happened by day, how licenses stand, and narrow indices from which counts are made
-- without reading what is counted.

-- Days in UTC, by when the ledger noted what happened. A read model; days on which nothing happened have no row.
CREATE TABLE activity_days (
    ledger_id        text        NOT NULL,
    -- When the day begins.
    starts_at        timestamptz NOT NULL,
    licenses_created bigint      NOT NULL,
    activations      bigint      NOT NULL,
    deactivations    bigint      NOT NULL,
    validations      bigint      NOT NULL,
    CONSTRAINT activity_days_pkey PRIMARY KEY (ledger_id, starts_at)
) WITH (fillfactor = 50);

-- The use of a metric by all licenses: `usage_buckets` has as many rows a day as licenses use it. Sums are exact.
CREATE TABLE activity_usage (
    ledger_id    text             NOT NULL,
    starts_at    timestamptz      NOT NULL,
    metric       text COLLATE "C" NOT NULL,
    total        numeric          NOT NULL,
    record_count bigint           NOT NULL,
    CONSTRAINT activity_usage_pkey PRIMARY KEY (ledger_id, starts_at, metric)
) WITH (fillfactor = 50);

-- How licenses stand, and nothing else of them. A read model. Rows change as seldom as that does, so that the index alone
-- can be read: those of `licenses` are written again with every seat that is taken.
CREATE TABLE overview_licenses (
    ledger_id  text NOT NULL,
    license_id uuid NOT NULL,
    -- Active, suspended or revoked: expiry is computed when it is read.
    standing   text NOT NULL,
    expires_at timestamptz,
    CONSTRAINT overview_licenses_pkey PRIMARY KEY (ledger_id, license_id)
);

CREATE INDEX overview_licenses_idx ON overview_licenses (ledger_id, standing, expires_at);

CREATE INDEX overview_anomalies_idx ON anomalies (ledger_id, severity) WHERE resolved_at IS NULL;
CREATE INDEX overview_pending_idx ON deliveries (ledger_id, created_at) WHERE status = 'pending';
CREATE INDEX overview_finished_idx ON deliveries (ledger_id, status, finished_at) WHERE finished_at IS NOT NULL;

-- When the checkpoint was signed; NULL for those of before that have not been followed by another yet.
ALTER TABLE checkpoints ADD COLUMN signed_at timestamptz;
