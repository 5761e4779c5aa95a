//! The statements of the append transaction: a batch's rows, each kind in one statement.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use vinzy_events::Timestamp;
use vinzy_projections::StoredEvent;
use vinzy_projections::event_log::signed;

use super::attempt::{DataKeyRow, LicenseKeyRow, SealedRow};
use super::cache::StreamKey;
use super::operation::{Idempotency, StreamPoint};

/// Everything a batch writes.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) events: Vec<StoredEvent>,
    sealed: Vec<(i64, i64, uuid::Uuid, SealedRow)>,
    snapshots: BTreeMap<(&'static str, String), (u64, String)>,
    pub(super) claims: Vec<ClaimRow>,
    pub(super) releases: Vec<(&'static str, String)>,
    references: BTreeMap<(&'static str, String, &'static str), i64>,
    pub(super) license_keys: Vec<LicenseKeyRow>,
    pub(super) data_keys: Vec<DataKeyRow>,
    pub(super) idempotency: Vec<(Idempotency, StreamPoint)>,
}

/// A unique value and who holds it.
pub(super) struct ClaimRow {
    pub(super) kind: &'static str,
    pub(super) value: String,
    pub(super) stream_id: String,
}

impl Rows {
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.idempotency.is_empty()
    }

    pub(super) fn seal(&mut self, event: &StoredEvent, row: SealedRow) {
        self.sealed.push((
            signed(event.position),
            signed(event.stream_seq),
            event.event_id,
            row,
        ));
    }

    pub(super) fn snapshot(&mut self, key: &StreamKey, seq: u64, state: String) {
        self.snapshots
            .insert((key.stream_type, key.stream_id.clone()), (seq, state));
    }

    pub(super) fn refer(&mut self, target: StreamKey, source_type: &'static str, delta: i64) {
        *self
            .references
            .entry((target.stream_type, target.stream_id, source_type))
            .or_default() += delta;
    }

    /// Writes all rows through the transaction of `conn`.
    pub(super) async fn write(
        &self,
        conn: &mut PgConnection,
        ledger_id: &str,
        at: Timestamp,
    ) -> sqlx::Result<()> {
        self.write_events(conn, ledger_id).await?;
        if !self.sealed.is_empty() {
            self.write_sealed(conn, ledger_id).await?;
        }
        if !self.snapshots.is_empty() {
            self.write_snapshots(conn, ledger_id).await?;
        }
        if !self.releases.is_empty() || !self.claims.is_empty() {
            self.write_claims(conn, ledger_id).await?;
        }
        if !self.references.is_empty() {
            self.write_references(conn, ledger_id).await?;
        }
        if !self.license_keys.is_empty() {
            self.write_license_keys(conn, ledger_id).await?;
        }
        if !self.data_keys.is_empty() {
            self.write_data_keys(conn, ledger_id).await?;
        }
        if !self.idempotency.is_empty() {
            self.write_idempotency(conn, ledger_id, at).await?;
        }
        Ok(())
    }

    /// The ledger's row is joined so that the statement goes to its shard alone, and because it is the
    /// fastest form measured on plain PostgreSQL too. A missing ledger row inserts nothing, hence the check.
    async fn write_events(&self, conn: &mut PgConnection, ledger_id: &str) -> sqlx::Result<()> {
        let count = self.events.len();
        let mut position = Vec::with_capacity(count);
        let mut event_id = Vec::with_capacity(count);
        let mut stream_type = Vec::with_capacity(count);
        let mut stream_id = Vec::with_capacity(count);
        let mut stream_seq = Vec::with_capacity(count);
        let mut event_type = Vec::with_capacity(count);
        let mut type_ver = Vec::with_capacity(count);
        let mut recorded_at = Vec::with_capacity(count);
        let mut license_id = Vec::with_capacity(count);
        let mut event_hash = Vec::with_capacity(count);
        let mut leaf = Vec::with_capacity(count);
        for event in &self.events {
            position.push(signed(event.position));
            event_id.push(event.event_id);
            stream_type.push(event.stream_type.as_str());
            stream_id.push(event.stream_id.as_str());
            stream_seq.push(signed(event.stream_seq));
            event_type.push(event.event_type.as_str());
            type_ver.push(i32::try_from(event.type_ver).unwrap_or(i32::MAX));
            recorded_at.push(event.recorded_at.to_chrono());
            license_id.push(event.license_id);
            event_hash.push(event.event_hash.as_slice());
            leaf.push(event.leaf.as_slice());
        }
        let written = sqlx::query!(
            "INSERT INTO events (ledger_id, position, event_id, stream_type, stream_id, stream_seq, event_type,
                                 type_ver, recorded_at, license_id, event_hash, leaf)
             SELECT g.ledger_id, x.position, x.event_id, x.stream_type, x.stream_id, x.stream_seq, x.event_type,
                    x.type_ver, x.recorded_at, x.license_id, x.event_hash, x.leaf
             FROM ledgers g
             CROSS JOIN unnest($2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::bigint[], $7::text[],
                               $8::int[], $9::timestamptz[], $10::uuid[], $11::bytea[], $12::bytea[])
                        AS x(position, event_id, stream_type, stream_id, stream_seq, event_type, type_ver,
                             recorded_at, license_id, event_hash, leaf)
             WHERE g.ledger_id = $1",
            ledger_id,
            &position,
            &event_id,
            &stream_type as &[&str],
            &stream_id as &[&str],
            &stream_seq,
            &event_type as &[&str],
            &type_ver,
            &recorded_at,
            &license_id as &[Option<uuid::Uuid>],
            &event_hash as &[&[u8]],
            &leaf as &[&[u8]],
        )
        .execute(conn)
        .await?
        .rows_affected();
        if written == count as u64 {
            Ok(())
        } else {
            Err(sqlx::Error::RowNotFound)
        }
    }

    async fn write_sealed(&self, conn: &mut PgConnection, ledger_id: &str) -> sqlx::Result<()> {
        let rows = &self.sealed;
        sqlx::query!(
            "INSERT INTO sealed_values (ledger_id, customer_id, path, stream_seq, position, event_id, key_id,
                                        ciphertext)
             SELECT $1, x.customer_id, x.path, x.stream_seq, x.position, x.event_id, x.key_id, x.ciphertext
             FROM unnest($2::uuid[], $3::text[], $4::bigint[], $5::bigint[], $6::uuid[], $7::text[], $8::bytea[])
                  AS x(customer_id, path, stream_seq, position, event_id, key_id, ciphertext)",
            ledger_id,
            &rows.iter().map(|row| row.3.customer_id).collect::<Vec<_>>(),
            &rows.iter().map(|row| row.3.path).collect::<Vec<_>>() as &[&str],
            &rows.iter().map(|row| row.1).collect::<Vec<_>>(),
            &rows.iter().map(|row| row.0).collect::<Vec<_>>(),
            &rows.iter().map(|row| row.2).collect::<Vec<_>>(),
            &rows.iter().map(|row| row.3.key_id.as_str()).collect::<Vec<_>>() as &[&str],
            &rows.iter().map(|row| row.3.ciphertext.as_slice()).collect::<Vec<_>>() as &[&[u8]],
        )
        .execute(conn)
        .await?;
        Ok(())
    }

    async fn write_snapshots(&self, conn: &mut PgConnection, ledger_id: &str) -> sqlx::Result<()> {
        for ((stream_type, stream_id), (seq, state)) in &self.snapshots {
            sqlx::query!(
                "INSERT INTO snapshots (ledger_id, aggregate_type, aggregate_id, last_sequence, current_snapshot,
                                        payload)
                 VALUES ($1, $2, $3, $4, 1, $5::text::json)
                 ON CONFLICT (ledger_id, aggregate_type, aggregate_id) DO UPDATE
                 SET last_sequence = excluded.last_sequence,
                     current_snapshot = snapshots.current_snapshot + 1,
                     payload = excluded.payload",
                ledger_id,
                stream_type,
                stream_id,
                signed(*seq),
                state,
            )
            .execute(&mut *conn)
            .await?;
        }
        Ok(())
    }

    async fn write_claims(&self, conn: &mut PgConnection, ledger_id: &str) -> sqlx::Result<()> {
        sqlx::query!(
            "DELETE FROM unique_claims
             WHERE ledger_id = $1
               AND (kind, stream_id) IN (SELECT x.kind, x.stream_id
                                         FROM unnest($2::text[], $3::text[]) AS x(kind, stream_id))",
            ledger_id,
            &self.releases.iter().map(|(kind, _)| *kind).collect::<Vec<_>>() as &[&str],
            &self
                .releases
                .iter()
                .map(|(_, stream_id)| stream_id.as_str())
                .collect::<Vec<_>>() as &[&str],
        )
        .execute(&mut *conn)
        .await?;
        sqlx::query!(
            "INSERT INTO unique_claims (ledger_id, kind, value, stream_id)
             SELECT $1, x.kind, x.value, x.stream_id
             FROM unnest($2::text[], $3::text[], $4::text[]) AS x(kind, value, stream_id)",
            ledger_id,
            &self.claims.iter().map(|claim| claim.kind).collect::<Vec<_>>() as &[&str],
            &self
                .claims
                .iter()
                .map(|claim| claim.value.as_str())
                .collect::<Vec<_>>() as &[&str],
            &self
                .claims
                .iter()
                .map(|claim| claim.stream_id.as_str())
                .collect::<Vec<_>>() as &[&str],
        )
        .execute(conn)
        .await?;
        Ok(())
    }

    /// Counts that grow may be new; those that shrink are there, or the batch is wrong and fails.
    async fn write_references(&self, conn: &mut PgConnection, ledger_id: &str) -> sqlx::Result<()> {
        let (grown, shrunk): (Vec<_>, Vec<_>) = self
            .references
            .iter()
            .filter(|(_, delta)| **delta != 0)
            .partition(|(_, delta)| **delta > 0);
        if !grown.is_empty() {
            sqlx::query!(
                "INSERT INTO reference_counts AS c (ledger_id, target_type, target_id, source_type, count)
                 SELECT $1, x.target_type, x.target_id, x.source_type, x.delta
                 FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[])
                      AS x(target_type, target_id, source_type, delta)
                 ON CONFLICT (ledger_id, target_type, target_id, source_type) DO UPDATE
                 SET count = c.count + excluded.count",
                ledger_id,
                &grown.iter().map(|(key, _)| key.0).collect::<Vec<_>>() as &[&str],
                &grown.iter().map(|(key, _)| key.1.as_str()).collect::<Vec<_>>() as &[&str],
                &grown.iter().map(|(key, _)| key.2).collect::<Vec<_>>() as &[&str],
                &grown.iter().map(|(_, delta)| **delta).collect::<Vec<_>>(),
            )
            .execute(&mut *conn)
            .await?;
        }
        if shrunk.is_empty() {
            return Ok(());
        }
        let updated = sqlx::query!(
            "UPDATE reference_counts c SET count = c.count + x.delta
             FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[])
                  AS x(target_type, target_id, source_type, delta)
             WHERE c.ledger_id = $1 AND c.target_type = x.target_type AND c.target_id = x.target_id
               AND c.source_type = x.source_type",
            ledger_id,
            &shrunk.iter().map(|(key, _)| key.0).collect::<Vec<_>>() as &[&str],
            &shrunk.iter().map(|(key, _)| key.1.as_str()).collect::<Vec<_>>() as &[&str],
            &shrunk.iter().map(|(key, _)| key.2).collect::<Vec<_>>() as &[&str],
            &shrunk.iter().map(|(_, delta)| **delta).collect::<Vec<_>>(),
        )
        .execute(conn)
        .await?
        .rows_affected();
        if updated == shrunk.len() as u64 {
            Ok(())
        } else {
            Err(sqlx::Error::RowNotFound)
        }
    }

    async fn write_license_keys(&self, conn: &mut PgConnection, ledger_id: &str) -> sqlx::Result<()> {
        let rows = &self.license_keys;
        sqlx::query!(
            "INSERT INTO license_keys (key_digest, ledger_id, license_id)
             SELECT x.key_digest, $1, x.license_id
             FROM unnest($2::bytea[], $3::uuid[]) AS x(key_digest, license_id)",
            ledger_id,
            &rows
                .iter()
                .map(|row| row.key_digest.as_slice())
                .collect::<Vec<_>>() as &[&[u8]],
            &rows.iter().map(|row| row.license_id).collect::<Vec<_>>(),
        )
        .execute(conn)
        .await?;
        Ok(())
    }

    async fn write_data_keys(&self, conn: &mut PgConnection, ledger_id: &str) -> sqlx::Result<()> {
        let rows = &self.data_keys;
        sqlx::query!(
            "INSERT INTO data_keys (ledger_id, customer_id, key_id, wrapped_key)
             SELECT $1, x.customer_id, x.key_id, x.wrapped_key
             FROM unnest($2::uuid[], $3::text[], $4::bytea[]) AS x(customer_id, key_id, wrapped_key)",
            ledger_id,
            &rows.iter().map(|row| row.customer_id).collect::<Vec<_>>(),
            &rows.iter().map(|row| row.key_id.as_str()).collect::<Vec<_>>() as &[&str],
            &rows
                .iter()
                .map(|row| row.wrapped_key.as_slice())
                .collect::<Vec<_>>() as &[&[u8]],
        )
        .execute(conn)
        .await?;
        Ok(())
    }

    async fn write_idempotency(
        &self,
        conn: &mut PgConnection,
        ledger_id: &str,
        at: Timestamp,
    ) -> sqlx::Result<()> {
        let rows = &self.idempotency;
        sqlx::query!(
            "INSERT INTO idempotency_keys (ledger_id, key, request_hash, stream_type, stream_id, stream_seq,
                                           recorded_at)
             SELECT $1, x.key, x.request_hash, x.stream_type, x.stream_id, x.stream_seq, $7
             FROM unnest($2::text[], $3::bytea[], $4::text[], $5::text[], $6::bigint[])
                  AS x(key, request_hash, stream_type, stream_id, stream_seq)",
            ledger_id,
            &rows
                .iter()
                .map(|(idempotency, _)| idempotency.key.as_str())
                .collect::<Vec<_>>() as &[&str],
            &rows
                .iter()
                .map(|(idempotency, _)| idempotency.request_hash.as_slice())
                .collect::<Vec<_>>() as &[&[u8]],
            &rows
                .iter()
                .map(|(_, point)| point.stream_type.as_str())
                .collect::<Vec<_>>() as &[&str],
            &rows
                .iter()
                .map(|(_, point)| point.stream_id.as_str())
                .collect::<Vec<_>>() as &[&str],
            &rows
                .iter()
                .map(|(_, point)| signed(point.seq))
                .collect::<Vec<_>>(),
            at.to_chrono(),
        )
        .execute(conn)
        .await?;
        Ok(())
    }
}
