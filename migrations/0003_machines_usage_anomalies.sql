-- Read models of machines, usage and anomalies.

ALTER TABLE licenses ADD COLUMN machines_used bigint NOT NULL DEFAULT 0;

CREATE TABLE machines (
    ledger_id         text        NOT NULL,
    machine_id        uuid        NOT NULL,
    license_id        uuid        NOT NULL,
    fingerprint       text        NOT NULL,
    hostname          text        NOT NULL,
    platform          text        NOT NULL,
    version           text,
    metadata          json        NOT NULL,
    activated_at      timestamptz NOT NULL,
    last_heartbeat_at timestamptz,
    created_position  bigint      NOT NULL,
    CONSTRAINT machines_pkey PRIMARY KEY (ledger_id, machine_id)
);

CREATE UNIQUE INDEX machines_license_idx ON machines (ledger_id, license_id, created_position);

-- One row per meter. Sums are exact.
CREATE TABLE usage_totals (
    ledger_id         text             NOT NULL,
    license_id        uuid             NOT NULL,
    metric            text COLLATE "C" NOT NULL,
    total             numeric          NOT NULL,
    record_count      bigint           NOT NULL,
    first_recorded_at timestamptz      NOT NULL,
    last_recorded_at  timestamptz      NOT NULL,
    CONSTRAINT usage_totals_pkey PRIMARY KEY (ledger_id, license_id, metric)
) WITH (fillfactor = 50);

-- The same by hour and by day, in UTC.
CREATE TABLE usage_buckets (
    ledger_id    text             NOT NULL,
    license_id   uuid             NOT NULL,
    metric       text COLLATE "C" NOT NULL,
    -- `hour` or `day`.
    bucket       text             NOT NULL,
    starts_at    timestamptz      NOT NULL,
    total        numeric          NOT NULL,
    record_count bigint           NOT NULL,
    CONSTRAINT usage_buckets_pkey PRIMARY KEY (ledger_id, license_id, metric, bucket, starts_at)
) WITH (fillfactor = 70);

CREATE TABLE anomalies (
    ledger_id        text        NOT NULL,
    anomaly_id       uuid        NOT NULL,
    license_id       uuid        NOT NULL,
    anomaly_type     text        NOT NULL,
    severity         text        NOT NULL,
    metric           text        NOT NULL,
    observed_value   numeric     NOT NULL,
    baseline_mean    numeric     NOT NULL,
    baseline_stddev  numeric     NOT NULL,
    z_score          numeric     NOT NULL,
    usage_event_id   uuid        NOT NULL,
    detected_at      timestamptz NOT NULL,
    resolved_by      text,
    resolved_at      timestamptz,
    created_position bigint      NOT NULL,
    CONSTRAINT anomalies_pkey PRIMARY KEY (ledger_id, anomaly_id)
);

CREATE UNIQUE INDEX anomalies_created_idx ON anomalies (ledger_id, created_position);
CREATE INDEX anomalies_license_idx ON anomalies (ledger_id, license_id, created_position);
