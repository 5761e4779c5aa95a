-- Erasure of customers' personal data.

-- When it was done; NULL if it was not. Their rows in `data_keys` and `sealed_values` are gone then.
ALTER TABLE customers ADD COLUMN erased_at timestamptz;

-- Finds a customer's erasure, and for a verification all of a ledger.
CREATE INDEX events_erasures_idx ON events (ledger_id, stream_id, position) WHERE event_type = 'customer.erased';
