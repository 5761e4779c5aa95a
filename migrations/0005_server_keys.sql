-- Keys of the server that must stay what they are when the master key changes, because hashes made with them
-- stay. Written once per purpose; only the wrapping changes afterwards, never the key within.

CREATE TABLE server_keys (
    purpose     text  NOT NULL,
    wrapped_key bytea NOT NULL,
    CONSTRAINT server_keys_pkey PRIMARY KEY (purpose)
);
