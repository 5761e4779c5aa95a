-- What licenses of a product's tiers get.
ALTER TABLE products ADD COLUMN tiers json NOT NULL DEFAULT '{}';
