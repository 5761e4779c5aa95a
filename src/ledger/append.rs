//! The statements of the append transaction: a batch's rows, each kind in one statement.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use vinzy_events::Timestamp;
use vinzy_projections::StoredEvent;
use vinzy_projections::event_log::signed;

use super::attempt::{Credential, DataKeyRow, LicenseKeyRow, SealedRow};
use super::cache::StreamKey;
use super::endpoint_secrets::EndpointSecrets;
use super::feed::CHANNEL;
use super::head::Head;
use super::mails::{self, SealedMail};
use super::operation::{Idempotency, StreamPoint};
use super::sealed;

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
    erased: Vec<uuid::Uuid>,
    /// By API key: the last word counts.
    pub(super) credentials: BTreeMap<uuid::Uuid, Vec<Credential>>,
    pub(super) closed_ledgers: Vec<String>,
    pub(super) endpoint_secrets: EndpointSecrets,
    pub(super) mails: Vec<SealedMail>,
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

    /// Destroys what is sealed of a customer. What this batch would have written of it is not written at all.
    pub(super) fn erase(&mut self, customer_id: uuid::Uuid) {
        self.sealed.retain(|(.., row)| row.customer_id != customer_id);
        self.data_keys.retain(|row| row.customer_id != customer_id);
        self.mails
            .retain(|mail| mail.customer_id.as_uuid() != customer_id);
        self.erased.push(customer_id);
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

    /// Whether [`Rows::append`] writes everything there is.
    pub(super) fn are_appended_at_once(&self) -> bool {
        self.sealed.is_empty()
            && self.releases.is_empty()
            && self.claims.is_empty()
            && self.references.is_empty()
            && self.license_keys.is_empty()
            && self.data_keys.is_empty()
            && self.erased.is_empty()
            && self.credentials.is_empty()
            && self.closed_ledgers.is_empty()
            && self.endpoint_secrets.is_empty()
            && self.mails.is_empty()
    }

    /// Moves the head from `before` to `after`, writes events, snapshots and idempotency keys, and tells other
    /// nodes with the commit: one statement, and by itself one transaction. Does nothing and gives `false` if
    /// the ledger does not end at `before` any more. Updating the head's row locks it: closes the race with
    /// whoever else wants to append.
    pub(super) async fn append(
        &self,
        conn: &mut PgConnection,
        ledger_id: &str,
        before: &Head,
        after: &Head,
        at: Timestamp,
    ) -> sqlx::Result<bool> {
        let events = EventColumns::of(&self.events);
        let (snapshots, idempotency) = (&self.snapshots, &self.idempotency);
        let moved = sqlx::query_scalar!(
            r#"WITH head AS (
                   UPDATE ledgers SET size = $4, head_hash = $5, frontier = $6, last_recorded_at = $7
                   WHERE ledger_id = $1 AND size = $2 AND head_hash = $3
                   RETURNING ledger_id
               ), appended AS (
                   INSERT INTO events (ledger_id, position, event_id, stream_type, stream_id, stream_seq,
                                       event_type, type_ver, recorded_at, license_id, event_hash, leaf)
                   SELECT h.ledger_id, x.position, x.event_id, x.stream_type, x.stream_id, x.stream_seq,
                          x.event_type, x.type_ver, x.recorded_at, x.license_id, x.event_hash, x.leaf
                   FROM head h
                   CROSS JOIN unnest($8::bigint[], $9::uuid[], $10::text[], $11::text[], $12::bigint[],
                                     $13::text[], $14::int[], $15::timestamptz[], $16::uuid[], $17::bytea[],
                                     $18::bytea[])
                              AS x(position, event_id, stream_type, stream_id, stream_seq, event_type,
                                   type_ver, recorded_at, license_id, event_hash, leaf)
               ), snapshotted AS (
                   INSERT INTO snapshots AS s (ledger_id, aggregate_type, aggregate_id, last_sequence,
                                               current_snapshot, payload)
                   SELECT h.ledger_id, x.aggregate_type, x.aggregate_id, x.last_sequence, 1, x.payload::json
                   FROM head h
                   CROSS JOIN unnest($19::text[], $20::text[], $21::bigint[], $22::text[])
                              AS x(aggregate_type, aggregate_id, last_sequence, payload)
                   ON CONFLICT (ledger_id, aggregate_type, aggregate_id) DO UPDATE
                   SET last_sequence = excluded.last_sequence, current_snapshot = s.current_snapshot + 1,
                       payload = excluded.payload
               ), keyed AS (
                   INSERT INTO idempotency_keys (ledger_id, key, request_hash, stream_type, stream_id,
                                                 stream_seq, recorded_at)
                   SELECT h.ledger_id, x.key, x.request_hash, x.stream_type, x.stream_id, x.stream_seq, $28
                   FROM head h
                   CROSS JOIN unnest($23::text[], $24::bytea[], $25::text[], $26::text[], $27::bigint[])
                              AS x(key, request_hash, stream_type, stream_id, stream_seq)
               )
               SELECT pg_notify($29, ledger_id)::text AS "notified?" FROM head"#,
            ledger_id,
            signed(before.size),
            before.hash.as_bytes().as_slice(),
            signed(after.size),
            after.hash.as_bytes().as_slice(),
            after.frontier.to_bytes(),
            after.last_recorded_at.to_chrono(),
            &events.position,
            &events.event_id,
            &events.stream_type as &[&str],
            &events.stream_id as &[&str],
            &events.stream_seq,
            &events.event_type as &[&str],
            &events.type_ver,
            &events.recorded_at,
            &events.license_id as &[Option<uuid::Uuid>],
            &events.event_hash as &[&[u8]],
            &events.leaf as &[&[u8]],
            &column(snapshots, |((stream_type, _), _)| *stream_type) as &[&str],
            &column(snapshots, |((_, stream_id), _)| stream_id.as_str()) as &[&str],
            &column(snapshots, |(_, (seq, _))| signed(*seq)),
            &column(snapshots, |(_, (_, state))| state.as_str()) as &[&str],
            &column(idempotency, |(one, _)| one.key.as_str()) as &[&str],
            &column(idempotency, |(one, _)| one.request_hash.as_slice()) as &[&[u8]],
            &column(idempotency, |(_, point)| point.stream_type.as_str()) as &[&str],
            &column(idempotency, |(_, point)| point.stream_id.as_str()) as &[&str],
            &column(idempotency, |(_, point)| signed(point.seq)),
            at.to_chrono(),
            CHANNEL,
        )
        // Reads up to the end of the statement, and so of its transaction: a failed commit is an error here.
        .fetch_optional(conn)
        .await?;
        Ok(moved.is_some())
    }

    /// The same statement by statement, each of which Citus takes to the ledger's server; through the transaction of
    /// `conn`, which the caller ends: it rolls back what `false` came of. Events come out of the ledger's row, so that
    /// no server but its own has a part in it.
    pub(super) async fn append_in_steps(
        &self,
        conn: &mut PgConnection,
        ledger_id: &str,
        before: &Head,
        after: &Head,
        at: Timestamp,
    ) -> sqlx::Result<bool> {
        let moved = sqlx::query!(
            "UPDATE ledgers SET size = $4, head_hash = $5, frontier = $6, last_recorded_at = $7
             WHERE ledger_id = $1 AND size = $2 AND head_hash = $3",
            ledger_id,
            signed(before.size),
            before.hash.as_bytes().as_slice(),
            signed(after.size),
            after.hash.as_bytes().as_slice(),
            after.frontier.to_bytes(),
            after.last_recorded_at.to_chrono(),
        )
        .execute(&mut *conn)
        .await?
        .rows_affected();
        if moved == 0 {
            return Ok(false);
        }
        if !self.events.is_empty() {
            self.write_events(conn, ledger_id).await?;
        }
        if !self.snapshots.is_empty() {
            self.write_snapshots(conn, ledger_id).await?;
        }
        if !self.idempotency.is_empty() {
            self.write_idempotency(conn, ledger_id, at).await?;
        }
        sqlx::query!(
            r#"SELECT pg_notify($1, $2)::text AS "notified?""#,
            CHANNEL,
            ledger_id
        )
        .fetch_one(conn)
        .await?;
        Ok(true)
    }

    async fn write_events(&self, conn: &mut PgConnection, ledger_id: &str) -> sqlx::Result<()> {
        let events = EventColumns::of(&self.events);
        let written = sqlx::query!(
            "INSERT INTO events (ledger_id, position, event_id, stream_type, stream_id, stream_seq, event_type,
                                 type_ver, recorded_at, license_id, event_hash, leaf)
             SELECT l.ledger_id, x.position, x.event_id, x.stream_type, x.stream_id, x.stream_seq, x.event_type,
                    x.type_ver, x.recorded_at, x.license_id, x.event_hash, x.leaf
             FROM ledgers l
             CROSS JOIN unnest($2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::bigint[], $7::text[],
                               $8::int[], $9::timestamptz[], $10::uuid[], $11::bytea[], $12::bytea[])
                        AS x(position, event_id, stream_type, stream_id, stream_seq, event_type, type_ver,
                             recorded_at, license_id, event_hash, leaf)
             WHERE l.ledger_id = $1",
            ledger_id,
            &events.position,
            &events.event_id,
            &events.stream_type as &[&str],
            &events.stream_id as &[&str],
            &events.stream_seq,
            &events.event_type as &[&str],
            &events.type_ver,
            &events.recorded_at,
            &events.license_id as &[Option<uuid::Uuid>],
            &events.event_hash as &[&[u8]],
            &events.leaf as &[&[u8]],
        )
        .execute(conn)
        .await?
        .rows_affected();
        if written == self.events.len() as u64 {
            Ok(())
        } else {
            Err(sqlx::Error::RowNotFound)
        }
    }

    async fn write_snapshots(&self, conn: &mut PgConnection, ledger_id: &str) -> sqlx::Result<()> {
        let rows = &self.snapshots;
        sqlx::query!(
            "INSERT INTO snapshots AS s (ledger_id, aggregate_type, aggregate_id, last_sequence, current_snapshot,
                                         payload)
             SELECT l.ledger_id, x.aggregate_type, x.aggregate_id, x.last_sequence, 1, x.payload::json
             FROM ledgers l
             CROSS JOIN unnest($2::text[], $3::text[], $4::bigint[], $5::text[])
                        AS x(aggregate_type, aggregate_id, last_sequence, payload)
             WHERE l.ledger_id = $1
             ON CONFLICT (ledger_id, aggregate_type, aggregate_id) DO UPDATE
             SET last_sequence = excluded.last_sequence, current_snapshot = s.current_snapshot + 1,
                 payload = excluded.payload",
            ledger_id,
            &column(rows, |((stream_type, _), _)| *stream_type) as &[&str],
            &column(rows, |((_, stream_id), _)| stream_id.as_str()) as &[&str],
            &column(rows, |(_, (seq, _))| signed(*seq)),
            &column(rows, |(_, (_, state))| state.as_str()) as &[&str],
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
             SELECT l.ledger_id, x.key, x.request_hash, x.stream_type, x.stream_id, x.stream_seq, $7
             FROM ledgers l
             CROSS JOIN unnest($2::text[], $3::bytea[], $4::text[], $5::text[], $6::bigint[])
                        AS x(key, request_hash, stream_type, stream_id, stream_seq)
             WHERE l.ledger_id = $1",
            ledger_id,
            &column(rows, |(one, _)| one.key.as_str()) as &[&str],
            &column(rows, |(one, _)| one.request_hash.as_slice()) as &[&[u8]],
            &column(rows, |(_, point)| point.stream_type.as_str()) as &[&str],
            &column(rows, |(_, point)| point.stream_id.as_str()) as &[&str],
            &column(rows, |(_, point)| signed(point.seq)),
            at.to_chrono(),
        )
        .execute(conn)
        .await?;
        Ok(())
    }

    /// Writes what [`Rows::append`] does not, through the transaction of `conn`.
    pub(super) async fn write_rest(&self, conn: &mut PgConnection, ledger_id: &str) -> sqlx::Result<()> {
        if !self.sealed.is_empty() {
            self.write_sealed(conn, ledger_id).await?;
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
        if !self.erased.is_empty() {
            sealed::destroy(conn, ledger_id, &self.erased).await?;
        }
        if !self.credentials.is_empty() {
            self.write_credentials(conn, ledger_id).await?;
        }
        if !self.closed_ledgers.is_empty() {
            self.write_closed_ledgers(conn).await?;
        }
        if !self.endpoint_secrets.is_empty() {
            self.endpoint_secrets.write(conn, ledger_id).await?;
        }
        for mail in &self.mails {
            mails::write(conn, ledger_id, mail).await?;
        }
        Ok(())
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
}

impl Rows {
    async fn write_credentials(&self, conn: &mut PgConnection, ledger_id: &str) -> sqlx::Result<()> {
        let api_keys: Vec<uuid::Uuid> = self.credentials.keys().copied().collect();
        sqlx::query!(
            "DELETE FROM api_key_secrets WHERE ledger_id = $1 AND api_key_id = ANY($2)",
            ledger_id,
            &api_keys,
        )
        .execute(&mut *conn)
        .await?;
        for (api_key_id, credentials) in &self.credentials {
            for credential in credentials {
                let scopes: Vec<&str> = credential.scopes.iter().map(|scope| scope.as_str()).collect();
                sqlx::query!(
                    "INSERT INTO api_key_secrets (key_digest, ledger_id, api_key_id, name, scopes, valid_until)
                     VALUES ($1, $2, $3, $4, $5, $6)",
                    credential.key_digest.as_bytes().as_slice(),
                    ledger_id,
                    api_key_id,
                    credential.name,
                    &scopes as &[&str],
                    credential.valid_until.map(Timestamp::to_chrono),
                )
                .execute(&mut *conn)
                .await?;
            }
        }
        Ok(())
    }

    async fn write_closed_ledgers(&self, conn: &mut PgConnection) -> sqlx::Result<()> {
        sqlx::query!(
            "INSERT INTO closed_ledgers (ledger_id) SELECT x.ledger_id FROM unnest($1::text[]) AS x(ledger_id)
             ON CONFLICT DO NOTHING",
            &self.closed_ledgers,
        )
        .execute(conn)
        .await?;
        Ok(())
    }
}

/// Events column by column.
struct EventColumns<'a> {
    position: Vec<i64>,
    event_id: Vec<uuid::Uuid>,
    stream_type: Vec<&'a str>,
    stream_id: Vec<&'a str>,
    stream_seq: Vec<i64>,
    event_type: Vec<&'a str>,
    type_ver: Vec<i32>,
    recorded_at: Vec<DateTime<Utc>>,
    license_id: Vec<Option<uuid::Uuid>>,
    event_hash: Vec<&'a [u8]>,
    leaf: Vec<&'a [u8]>,
}

impl<'a> EventColumns<'a> {
    fn of(events: &'a [StoredEvent]) -> Self {
        Self {
            position: column(events, |event| signed(event.position)),
            event_id: column(events, |event| event.event_id),
            stream_type: column(events, |event| event.stream_type.as_str()),
            stream_id: column(events, |event| event.stream_id.as_str()),
            stream_seq: column(events, |event| signed(event.stream_seq)),
            event_type: column(events, |event| event.event_type.as_str()),
            type_ver: column(events, |event| i32::try_from(event.type_ver).unwrap_or(i32::MAX)),
            recorded_at: column(events, |event| event.recorded_at.to_chrono()),
            license_id: column(events, |event| event.license_id),
            event_hash: column(events, |event| event.event_hash.as_slice()),
            leaf: column(events, |event| event.leaf.as_slice()),
        }
    }
}

fn column<I: IntoIterator, T>(rows: I, of: impl Fn(I::Item) -> T) -> Vec<T> {
    rows.into_iter().map(of).collect()
}
