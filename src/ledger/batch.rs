//! What one transaction will append: decided in memory, under the lock, one operation after the other.

use std::collections::{HashMap, HashSet};

use vinzy_events::Timestamp;
use vinzy_events::ledger::event_hash;
use vinzy_projections::StoredEvent;

use super::append::Rows;
use super::attempt::{Changes, ClaimChange, Draft};
use super::cache::{StreamCache, StreamKey};
use super::head::Head;
use super::operation::{Idempotency, LedgerError, Receipt, StreamPoint};
use super::sealed::SealedData;
use crate::clock::Entropy;

/// A stream gets a snapshot every so many events, or every so many as its state has parts: what is written
/// stays in proportion to the events, and so does what a cold load reads.
const SNAPSHOT_EVERY: u64 = 100;

/// A batch in the making.
pub(super) struct Batch {
    /// The time at which everything in it is recorded.
    pub(super) at: Timestamp,
    pub(super) origin: String,
    pub(super) entropy: Entropy,
    pub(super) cache: StreamCache,
    pub(super) head: Head,
    pub(super) known: Known,
    pub(super) rows: Rows,
    pub(super) touched: HashSet<StreamKey>,
}

/// What the database holds of the values that this batch asks about, kept up to date as it decides.
#[derive(Default)]
pub(super) struct Known {
    pub(super) claims: HashMap<(&'static str, String), String>,
    pub(super) references: HashMap<StreamKey, i64>,
    pub(super) sealed_data: HashMap<uuid::Uuid, SealedData>,
    pub(super) idempotency: HashMap<String, ([u8; 32], StreamPoint)>,
}

impl Batch {
    pub(super) fn next_position(&self) -> u64 {
        self.head.size
    }

    pub(super) fn claim_holder(&self, kind: &'static str, value: &str) -> Option<&String> {
        self.known.claims.get(&(kind, value.to_owned()))
    }

    pub(super) fn references(&self, target: &StreamKey) -> u64 {
        self.known
            .references
            .get(target)
            .map_or(0, |count| u64::try_from(*count).unwrap_or(0))
    }

    /// What an idempotency key led to before; an error when it was for another request.
    pub(super) fn replay(&self, idempotency: &Idempotency) -> Result<Option<StreamPoint>, LedgerError> {
        match self.known.idempotency.get(&idempotency.key) {
            None => Ok(None),
            Some((hash, point)) if *hash == idempotency.request_hash => Ok(Some(point.clone())),
            Some(_) => Err(LedgerError::IdempotencyKeyReused),
        }
    }

    /// Takes over what a successful operation wants to change, and says where its last event will stand, if it has any.
    ///
    /// # Errors
    /// [`LedgerError::EventTooLarge`], and then the batch is as it was before.
    pub(super) fn accept(
        &mut self,
        changes: Changes,
        idempotency: Option<&Idempotency>,
    ) -> Result<Option<Receipt>, LedgerError> {
        let (events, head) = self.lay_down(changes.drafts)?;
        let receipt = (!events.is_empty()).then(|| Receipt {
            position: head.size - 1,
            event_hash: head.hash,
        });
        self.head = head;
        for (event, sealed) in events {
            for row in sealed {
                if let Some(known) = self.known.sealed_data.get_mut(&row.customer_id) {
                    known.values += 1;
                }
                self.rows.seal(&event, row);
            }
            self.rows.events.push(event);
        }
        for (key, stream) in changes.streams {
            let (before, after) = (self.seq_before(&key), stream.seq());
            let every = SNAPSHOT_EVERY.max((stream.size() as u64).next_power_of_two());
            if before / every != after / every
                && let Ok(state) = stream.snapshot()
            {
                self.rows.snapshot(&key, after, state);
            }
            self.touched.insert(key.clone());
            self.cache.put(key, stream);
        }
        changes
            .claims
            .into_iter()
            .for_each(|change| self.apply_claim(change));
        for (target, source_type, delta) in changes.references {
            *self.known.references.entry(target.clone()).or_default() += delta;
            self.rows.refer(target, source_type, delta);
        }
        self.rows.license_keys.extend(changes.license_keys);
        for row in changes.data_keys {
            if let Some(known) = self.known.sealed_data.get_mut(&row.customer_id) {
                known.keys.insert(row.key_id.clone());
            }
            self.rows.data_keys.push(row);
        }
        for customer_id in changes.erased {
            self.known.sealed_data.insert(customer_id, SealedData::default());
            self.rows.erase(customer_id);
        }
        self.rows.credentials.extend(changes.credentials);
        self.rows.closed_ledgers.extend(changes.closed_ledgers);
        for (endpoint_id, change) in changes.endpoint_secrets {
            self.rows.endpoint_secrets.note(endpoint_id, change);
        }
        self.rows.mails.extend(changes.mails);
        if let (Some(idempotency), Some(point)) = (idempotency, changes.subject) {
            self.rows.idempotency.push((idempotency.clone(), point.clone()));
            self.known
                .idempotency
                .insert(idempotency.key.clone(), (idempotency.request_hash, point));
        }
        Ok(receipt)
    }

    /// Gives every draft its position and the hash of the event before it.
    #[expect(clippy::type_complexity, reason = "named nowhere else")]
    fn lay_down(
        &self,
        drafts: Vec<Draft>,
    ) -> Result<(Vec<(StoredEvent, Vec<super::attempt::SealedRow>)>, Head), LedgerError> {
        let mut head = self.head.clone();
        let mut events = Vec::with_capacity(drafts.len());
        for Draft { mut leaf, sealed } in drafts {
            leaf.pos = head.size;
            leaf.prev = head.hash;
            let bytes = leaf.encode().map_err(|_| LedgerError::EventTooLarge)?;
            let hash = event_hash(&bytes);
            head.size += 1;
            head.hash = hash;
            head.frontier.push(hash);
            head.last_recorded_at = leaf.recorded_at;
            let license_id = leaf.license_id().map(vinzy_events::LicenseId::as_uuid);
            let event = StoredEvent {
                position: leaf.pos,
                event_id: leaf.event_id.as_uuid(),
                stream_type: leaf.stream.stream_type,
                stream_id: leaf.stream.id,
                stream_seq: leaf.stream.seq,
                event_type: leaf.event_type,
                type_ver: leaf.type_ver,
                recorded_at: leaf.recorded_at,
                license_id,
                event_hash: hash.as_bytes().to_vec(),
                leaf: bytes,
            };
            events.push((event, sealed));
        }
        Ok((events, head))
    }

    fn seq_before(&self, key: &StreamKey) -> u64 {
        self.cache.seq(key).unwrap_or(0)
    }

    fn apply_claim(&mut self, change: ClaimChange) {
        match change {
            ClaimChange::Release { kind, stream_id } => {
                self.known
                    .claims
                    .retain(|(held, _), holder| *held != kind || *holder != stream_id);
                self.rows
                    .claims
                    .retain(|claim| claim.kind != kind || claim.stream_id != stream_id);
                self.rows.releases.push((kind, stream_id));
            }
            ClaimChange::Take {
                kind,
                value,
                stream_id,
            } => {
                self.known.claims.insert((kind, value.clone()), stream_id.clone());
                self.rows.claims.push(super::append::ClaimRow {
                    kind,
                    value,
                    stream_id,
                });
            }
        }
    }
}
