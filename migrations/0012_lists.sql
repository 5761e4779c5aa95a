-- Indexes that lists of licenses are found and counted in. Those who end are ordered as if never were a time later than
-- any other; each index holds what its filters ask, so that few rows, or none, have to be looked at.

CREATE INDEX list_licenses_standing_idx ON licenses (ledger_id, standing, created_position)
    INCLUDE (license_id, expires_at);

CREATE INDEX list_licenses_tier_idx ON licenses (ledger_id, tier, created_position) INCLUDE (license_id);

CREATE INDEX list_licenses_ends_idx ON licenses (ledger_id, coalesce(expires_at, 'infinity'), created_position)
    INCLUDE (license_id, product_code, customer_id, standing, tier, expires_at);
