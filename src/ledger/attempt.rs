//! One operation's view of its ledger, and the changes it collects. Nothing of it counts until the
//! operation has succeeded.

use vinzy_events::access::Scope;
use vinzy_events::key::KeyDigest;
use vinzy_events::ledger::{Leaf, LeafVersion, Meta, StreamRef};
use vinzy_events::stream::{StreamAggregate, StreamEvent};
use vinzy_events::{EventId, Timestamp};

use super::batch::Batch;
use super::cache::{StreamKey, Versioned};
use super::endpoint_secrets::{SealedSecret, SecretsChange};
use super::mails::SealedMail;
use super::operation::{BoxedStream, Context, StreamPoint};
use super::sealed::SealedData;
use crate::clock::Entropy;
use crate::personal_data::{DataKey, Sealed, SealedPath};

/// The ledger as one operation sees it.
pub struct Attempt<'a> {
    batch: &'a mut Batch,
    context: &'a Context,
    pub(super) changes: Changes,
}

/// What an operation wants to change.
#[derive(Default)]
pub(super) struct Changes {
    pub(super) drafts: Vec<Draft>,
    pub(super) streams: Vec<(StreamKey, BoxedStream)>,
    pub(super) subject: Option<StreamPoint>,
    pub(super) claims: Vec<ClaimChange>,
    pub(super) references: Vec<(StreamKey, &'static str, i64)>,
    pub(super) license_keys: Vec<LicenseKeyRow>,
    pub(super) data_keys: Vec<DataKeyRow>,
    pub(super) erased: Vec<uuid::Uuid>,
    pub(super) credentials: Vec<(uuid::Uuid, Vec<Credential>)>,
    pub(super) closed_ledgers: Vec<String>,
    pub(super) endpoint_secrets: Vec<(uuid::Uuid, SecretsChange)>,
    pub(super) mails: Vec<SealedMail>,
}

/// A secret that opens a ledger, as far as it is kept.
#[derive(Debug, Clone)]
pub struct Credential {
    /// SHA-256 of it.
    pub key_digest: KeyDigest,
    /// What its key is called.
    pub name: String,
    /// What it opens.
    pub scopes: Vec<Scope>,
    /// Until when; `None` is for ever.
    pub valid_until: Option<Timestamp>,
}

/// An event before its place in the ledger is known.
pub(super) struct Draft {
    pub(super) leaf: Leaf,
    pub(super) sealed: Vec<SealedRow>,
}

pub(super) struct SealedRow {
    pub(super) customer_id: uuid::Uuid,
    pub(super) path: &'static str,
    pub(super) key_id: String,
    pub(super) ciphertext: Vec<u8>,
}

pub(super) enum ClaimChange {
    Take {
        kind: &'static str,
        value: String,
        stream_id: String,
    },
    Release {
        kind: &'static str,
        stream_id: String,
    },
}

pub(super) struct LicenseKeyRow {
    pub(super) key_digest: Vec<u8>,
    pub(super) license_id: uuid::Uuid,
}

pub(super) struct DataKeyRow {
    pub(super) customer_id: uuid::Uuid,
    pub(super) key_id: String,
    pub(super) wrapped_key: Vec<u8>,
}

/// Personal data that go with an event, sealed beside it.
pub struct Personal {
    /// Whose.
    pub customer_id: vinzy_events::CustomerId,
    /// The key that seals them.
    pub key: DataKey,
    /// Where they would stand in the leaf, and what they say.
    pub fields: Vec<(SealedPath, Vec<u8>)>,
}

/// A unique value belongs to another stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken;

impl<'a> Attempt<'a> {
    pub(super) fn new(batch: &'a mut Batch, context: &'a Context) -> Self {
        Self {
            batch,
            context,
            changes: Changes::default(),
        }
    }

    /// The time of this batch: every event in it is recorded at this time.
    pub fn at(&self) -> Timestamp {
        self.batch.at
    }

    /// The ledger position that the next event will have.
    pub fn next_position(&self) -> u64 {
        self.batch.next_position() + self.changes.drafts.len() as u64
    }

    /// Where random bytes come from.
    pub fn entropy(&self) -> &Entropy {
        &self.batch.entropy
    }

    /// The aggregate with `id`, with what this operation has done to it. One that was not named in
    /// [`super::Needs`] and is not in the cache is taken to be new; should it exist after all, the
    /// database refuses the second event of the same number.
    pub fn aggregate<A: StreamAggregate>(&mut self, id: impl ToString) -> Versioned<A> {
        let key = StreamKey::of::<A>(id);
        let own = self
            .changes
            .streams
            .iter()
            .rev()
            .find(|(changed, _)| *changed == key);
        if let Some(versioned) = own.and_then(|(_, stream)| stream.as_any().downcast_ref::<Versioned<A>>()) {
            return versioned.clone();
        }
        self.batch.cache.get::<A>(&key).cloned().unwrap_or_default()
    }

    /// Lets the aggregate with `id` judge `command` and collects its events. Gives the state after them.
    pub fn decide<A: StreamAggregate>(
        &mut self,
        id: impl ToString,
        command: A::Command,
    ) -> Result<Versioned<A>, A::Error> {
        self.decide_with(id, command, None)
    }

    /// As [`Attempt::decide`], with personal data that are sealed beside the first event.
    pub fn decide_with<A: StreamAggregate>(
        &mut self,
        id: impl ToString,
        command: A::Command,
        mut personal: Option<Personal>,
    ) -> Result<Versioned<A>, A::Error> {
        let id = id.to_string();
        let mut versioned = self.aggregate::<A>(&id);
        let events = versioned.aggregate.decide(command, self.at())?;
        for event in events {
            versioned.seq += 1;
            let draft = self.draft::<A>(&id, versioned.seq, &event, personal.take());
            self.changes.drafts.push(draft);
            versioned.aggregate.apply(event);
        }
        self.changes.subject.get_or_insert_with(|| StreamPoint {
            stream_type: A::TYPE.to_owned(),
            stream_id: id.clone(),
            seq: 0,
        });
        if let Some(subject) = self
            .changes
            .subject
            .as_mut()
            .filter(|subject| subject.stream_id == id)
        {
            subject.seq = versioned.seq;
        }
        self.changes
            .streams
            .push((StreamKey::of::<A>(&id), Box::new(versioned.clone())));
        Ok(versioned)
    }

    fn draft<A: StreamAggregate>(
        &self,
        id: &str,
        seq: u64,
        event: &A::Event,
        personal: Option<Personal>,
    ) -> Draft {
        let event_id = EventId::new(self.at(), self.batch.entropy.bytes());
        let (enc, sealed) = personal.map_or_else(Default::default, |personal| self.seal(event_id, personal));
        let leaf = Leaf {
            enc,
            event_id,
            ledger: self.batch.origin.clone(),
            meta: Meta {
                actor: self.context.actor.clone(),
                causation_id: self.context.causation_id.clone(),
                correlation_id: self.context.correlation_id.clone(),
            },
            payload: event.payload(),
            // Position and previous hash are known when the operation has succeeded.
            pos: 0,
            prev: vinzy_events::ledger::Hash::ZERO,
            recorded_at: self.at(),
            stream: StreamRef {
                id: id.to_owned(),
                seq,
                stream_type: A::TYPE.to_owned(),
            },
            event_type: event.type_name().to_owned(),
            type_ver: event.type_version(),
            version: LeafVersion::default(),
        };
        Draft { leaf, sealed }
    }

    fn seal(
        &self,
        event_id: EventId,
        personal: Personal,
    ) -> (Vec<vinzy_events::ledger::SealedField>, Vec<SealedRow>) {
        personal
            .fields
            .into_iter()
            .map(|(path, plaintext)| {
                let Sealed { field, ciphertext } = personal.key.seal(
                    &self.batch.origin,
                    event_id,
                    path,
                    &plaintext,
                    self.batch.entropy.bytes(),
                );
                let row = SealedRow {
                    customer_id: personal.customer_id.as_uuid(),
                    path,
                    key_id: field.key.clone(),
                    ciphertext,
                };
                (field, row)
            })
            .unzip()
    }

    /// Takes a unique value for a stream, giving up the one of that kind it held before.
    pub fn claim(
        &mut self,
        kind: &'static str,
        value: impl Into<String>,
        stream_id: impl ToString,
    ) -> Result<(), Taken> {
        let (value, stream_id) = (value.into(), stream_id.to_string());
        match self.batch.claim_holder(kind, &value) {
            Some(holder) if *holder == stream_id => Ok(()),
            Some(_) => Err(Taken),
            None => {
                self.changes.claims.push(ClaimChange::Release {
                    kind,
                    stream_id: stream_id.clone(),
                });
                self.changes.claims.push(ClaimChange::Take {
                    kind,
                    value,
                    stream_id,
                });
                Ok(())
            }
        }
    }

    /// The stream that holds a unique value, which must have been named in the needs.
    pub fn holder(&self, kind: &'static str, value: &str) -> Option<&str> {
        self.batch.claim_holder(kind, value).map(String::as_str)
    }

    /// Gives up a stream's unique value of a kind.
    pub fn release(&mut self, kind: &'static str, stream_id: impl ToString) {
        self.changes.claims.push(ClaimChange::Release {
            kind,
            stream_id: stream_id.to_string(),
        });
    }

    /// How many live streams refer to the aggregate with `id`; it must have been named in the needs.
    pub fn references<A: StreamAggregate>(&self, id: impl ToString) -> u64 {
        self.batch.references(&StreamKey::of::<A>(id))
    }

    /// Notes that a stream of type `S` now refers to the aggregate with `id`.
    pub fn refer<S: StreamAggregate, A: StreamAggregate>(&mut self, id: impl ToString) {
        self.changes.references.push((StreamKey::of::<A>(id), S::TYPE, 1));
    }

    /// Notes that a stream of type `S` no longer refers to the aggregate with `id`.
    pub fn unrefer<S: StreamAggregate, A: StreamAggregate>(&mut self, id: impl ToString) {
        self.changes
            .references
            .push((StreamKey::of::<A>(id), S::TYPE, -1));
    }

    /// Makes a license findable by its key.
    pub fn register_key(&mut self, key_digest: &[u8], license_id: vinzy_events::LicenseId) {
        let row = LicenseKeyRow {
            key_digest: key_digest.to_vec(),
            license_id: license_id.as_uuid(),
        };
        self.changes.license_keys.push(row);
    }

    /// Makes these, and nothing else, open the ledger for an API key, from the commit on and on every node.
    pub fn set_credentials(&mut self, api_key_id: vinzy_events::ApiKeyId, credentials: Vec<Credential>) {
        self.changes.credentials.push((api_key_id.as_uuid(), credentials));
    }

    /// Closes another ledger to all its API keys, from the commit on and on every node.
    pub fn close_ledger(&mut self, ledger_id: impl Into<String>) {
        self.changes.closed_ledgers.push(ledger_id.into());
    }

    /// Makes these, and nothing else, sign deliveries to an endpoint, each until a time or for good. One that is new
    /// comes sealed.
    pub fn set_endpoint_secrets(
        &mut self,
        endpoint_id: vinzy_events::EndpointId,
        signing: Vec<(vinzy_events::SecretId, Option<Timestamp>)>,
        new: Option<SealedSecret>,
    ) {
        let change = SecretsChange::new(signing, new);
        self.changes
            .endpoint_secrets
            .push((endpoint_id.as_uuid(), change));
    }

    /// Keeps a customer's data key, wrapped.
    pub fn store_data_key(
        &mut self,
        customer_id: vinzy_events::CustomerId,
        key_id: impl Into<String>,
        wrapped_key: Vec<u8>,
    ) {
        let row = DataKeyRow {
            customer_id: customer_id.as_uuid(),
            key_id: key_id.into(),
            wrapped_key,
        };
        self.changes.data_keys.push(row);
    }

    /// Has a mail with a license key sent once this is on disk.
    pub fn send_mail(&mut self, mail: SealedMail) {
        self.changes.mails.push(mail);
    }

    /// What is sealed of a customer, who must have been named in the needs.
    pub fn sealed_data(&self, customer_id: vinzy_events::CustomerId) -> SealedData {
        let known = &self.batch.known.sealed_data;
        known.get(&customer_id.as_uuid()).cloned().unwrap_or_default()
    }

    /// Destroys what is sealed of a customer, with the keys.
    pub fn destroy_sealed_data(&mut self, customer_id: vinzy_events::CustomerId) {
        self.changes.erased.push(customer_id.as_uuid());
    }
}
