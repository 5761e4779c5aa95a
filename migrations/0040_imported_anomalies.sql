-- Of an anomaly that was imported it is not known which event of usage caused it.
ALTER TABLE anomalies ALTER COLUMN usage_event_id DROP NOT NULL;
