//! One event as the exact bytes that are stored and hashed: JSON in RFC 8785 form.

use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt::Display;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::Hash;
use crate::json::{write_canonical, write_string};
use crate::stream::{LEDGER_KEY_ROTATED, LEDGER_OPENED, license_id_of};
use crate::{EventId, LicenseId, Timestamp};

mod reader;

/// The longest a leaf can be, in bytes: an entry of the tile API has a 16-bit length.
pub const MAX_LEAF: usize = 65_535;

/// An event with its place in the ledger.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaf<P = Value> {
    /// What was sealed beside the leaf.
    pub enc: Vec<SealedField>,
    /// The event's id.
    pub event_id: EventId,
    /// Name of the ledger: its origin.
    pub ledger: String,
    /// Who did it and on what occasion.
    pub meta: Meta,
    /// What happened.
    pub payload: P,
    /// Position in the ledger, from 0: the index in the Merkle tree.
    pub pos: u64,
    /// Hash of the event before; zeros for the first.
    pub prev: Hash,
    /// When it was recorded; never before the event before.
    pub recorded_at: Timestamp,
    /// Its stream and its number there.
    pub stream: StreamRef,
    /// What kind of event.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Version of the payload's shape.
    pub type_ver: u32,
    /// Version of the leaf's own shape.
    #[serde(rename = "v")]
    pub version: LeafVersion,
}

/// A leaf as a verification needs it: what happened is left out, but for what the ledger says of its keys. Most events
/// are much cheaper to read like that.
pub type Outline = Leaf<Option<Value>>;

/// What happened, out of a leaf of which nothing else is wanted: much cheaper than all of it.
#[derive(Debug, Deserialize)]
pub struct LeafContent<'a> {
    /// What happened.
    #[serde(borrow)]
    pub payload: &'a RawValue,
    /// What kind of event.
    #[serde(rename = "type", borrow)]
    pub event_type: Cow<'a, str>,
    /// Version of the payload's shape.
    pub type_ver: u32,
}

impl<'a> LeafContent<'a> {
    /// Reads stored bytes. What is not wanted is not checked.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, LeafError> {
        if bytes.is_empty() {
            return Err(LeafError::Archived);
        }
        Ok(serde_json::from_slice(bytes)?)
    }
}

/// Version of the leaf's own shape: there is one so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum LeafVersion {
    /// `ledger-event/1`.
    #[default]
    #[serde(rename = "ledger-event/1")]
    One,
}

impl LeafVersion {
    const fn as_str(self) -> &'static str {
        match self {
            Self::One => "ledger-event/1",
        }
    }
}

/// A place in a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamRef {
    /// The stream's id.
    pub id: String,
    /// Number of the event in the stream, from 1.
    pub seq: u64,
    /// The stream's type.
    #[serde(rename = "type")]
    pub stream_type: String,
}

/// Who did it and on what occasion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meta {
    /// Who did it.
    pub actor: Actor,
    /// The event that caused it.
    pub causation_id: Option<String>,
    /// The request it came with.
    pub correlation_id: Option<String>,
}

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// Which one.
    pub id: String,
    /// What kind: `api_key`, `system`, …
    pub kind: String,
    /// What people called it then, if it had a name; left out of the leaf otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// By which way: `api`, `cli`, …
    pub via: String,
}

/// What a leaf says of a value that was sealed beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedField {
    /// The algorithm.
    pub alg: String,
    /// Length of the ciphertext in bytes.
    pub ct_len: u64,
    /// SHA-256 of the ciphertext.
    pub ct_sha256: Hash,
    /// Commitment to the key.
    pub kc: Hash,
    /// Id of the key.
    pub key: String,
    /// JSON pointer of the place in the leaf where the value would stand.
    pub path: String,
}

/// Why bytes are not a leaf, or an event cannot be one.
#[derive(Debug, thiserror::Error)]
pub enum LeafError {
    /// Longer than a leaf can be.
    #[error("{0} bytes are more than the {MAX_LEAF} of a leaf")]
    TooLarge(usize),
    /// There are none: they were moved into an archive, if the ledger has one.
    #[error("its bytes are not here: they were archived, or removed")]
    Archived,
    /// Not a leaf's JSON.
    #[error("not a ledger event: {0}")]
    Malformed(#[from] serde_json::Error),
}

impl Leaf {
    /// The bytes that are stored and hashed.
    ///
    /// The keys stand here in their sorted order, so that no value of the whole needs to be built.
    pub fn encode(&self) -> Result<Vec<u8>, LeafError> {
        let mut out = Vec::with_capacity(1024);
        out.extend_from_slice(b"{\"enc\":[");
        for (index, field) in self.enc.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            field.write(&mut out);
        }
        out.extend_from_slice(b"],\"event_id\":");
        quoted(self.event_id, &mut out);
        member(",\"ledger\":", &self.ledger, &mut out);
        member(",\"meta\":{\"actor\":{\"id\":", &self.meta.actor.id, &mut out);
        member(",\"kind\":", &self.meta.actor.kind, &mut out);
        if let Some(name) = &self.meta.actor.name {
            member(",\"name\":", name, &mut out);
        }
        member(",\"via\":", &self.meta.actor.via, &mut out);
        optional("},\"causation_id\":", self.meta.causation_id.as_deref(), &mut out);
        optional(
            ",\"correlation_id\":",
            self.meta.correlation_id.as_deref(),
            &mut out,
        );
        out.extend_from_slice(b"},\"payload\":");
        write_canonical(&self.payload, &mut out);
        out.extend_from_slice(b",\"pos\":");
        plain(self.pos, &mut out);
        out.extend_from_slice(b",\"prev\":");
        quoted(self.prev, &mut out);
        out.extend_from_slice(b",\"recorded_at\":");
        quoted(self.recorded_at, &mut out);
        member(",\"stream\":{\"id\":", &self.stream.id, &mut out);
        out.extend_from_slice(b",\"seq\":");
        plain(self.stream.seq, &mut out);
        member(",\"type\":", &self.stream.stream_type, &mut out);
        member("},\"type\":", &self.event_type, &mut out);
        out.extend_from_slice(b",\"type_ver\":");
        plain(self.type_ver, &mut out);
        member(",\"v\":", self.version.as_str(), &mut out);
        out.push(b'}');
        if out.len() > MAX_LEAF {
            Err(LeafError::TooLarge(out.len()))
        } else {
            Ok(out)
        }
    }

    /// Reads stored bytes, in canonical form or not.
    pub fn parse(bytes: &[u8]) -> Result<Self, LeafError> {
        if bytes.len() > MAX_LEAF {
            return Err(LeafError::TooLarge(bytes.len()));
        }
        if bytes.is_empty() {
            return Err(LeafError::Archived);
        }
        Ok(serde_json::from_slice(bytes)?)
    }

    /// Reads stored bytes, and says whether they are in canonical form: whether [`Leaf::encode`] would give exactly them.
    pub fn examine(bytes: &[u8]) -> Result<(Outline, bool), LeafError> {
        if let Some(leaf) = reader::read(bytes) {
            return Ok((leaf.outlined(serde_json::from_str)?, true));
        }
        let leaf = Self::parse(bytes)?;
        let is_canonical = leaf.encode().ok().as_deref() == Some(bytes);
        Ok((leaf.outline(), is_canonical))
    }

    /// The leaf without what happened, but for what the ledger says of its keys.
    pub fn outline(self) -> Outline {
        let Ok(outline) = self.outlined(Ok::<_, Infallible>);
        outline
    }
}

impl<P> Leaf<P> {
    /// The license that the event belongs to.
    pub fn license_id(&self) -> Option<LicenseId> {
        license_id_of(&self.stream.stream_type, &self.stream.id)
    }

    fn outlined<E>(self, read: impl FnOnce(P) -> Result<Value, E>) -> Result<Outline, E> {
        let names_a_key = matches!(self.event_type.as_str(), LEDGER_OPENED | LEDGER_KEY_ROTATED);
        Ok(Leaf {
            payload: names_a_key.then(|| read(self.payload)).transpose()?,
            enc: self.enc,
            event_id: self.event_id,
            ledger: self.ledger,
            meta: self.meta,
            pos: self.pos,
            prev: self.prev,
            recorded_at: self.recorded_at,
            stream: self.stream,
            event_type: self.event_type,
            type_ver: self.type_ver,
            version: self.version,
        })
    }
}

impl SealedField {
    fn write(&self, out: &mut Vec<u8>) {
        member("{\"alg\":", &self.alg, out);
        out.extend_from_slice(b",\"ct_len\":");
        plain(self.ct_len, out);
        out.extend_from_slice(b",\"ct_sha256\":");
        quoted(self.ct_sha256, out);
        out.extend_from_slice(b",\"kc\":");
        quoted(self.kc, out);
        member(",\"key\":", &self.key, out);
        member(",\"path\":", &self.path, out);
        out.push(b'}');
    }
}

/// Writes a key with what comes before it, and a text.
fn member(key: &str, text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(key.as_bytes());
    write_string(text, out);
}

fn optional(key: &str, text: Option<&str>, out: &mut Vec<u8>) {
    if let Some(text) = text {
        member(key, text, out);
    } else {
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(b"null");
    }
}

/// Writes something whose text needs no escapes.
fn quoted(value: impl Display, out: &mut Vec<u8>) {
    out.push(b'"');
    plain(value, out);
    out.push(b'"');
}

fn plain(value: impl Display, out: &mut Vec<u8>) {
    use std::io::Write;
    write!(out, "{value}").expect("writing to memory does not fail");
}
