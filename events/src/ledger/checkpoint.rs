//! Checkpoints: a signed statement of how many events a ledger has and what their Merkle root is.
//!
//! Text form: C2SP tlog-checkpoint in a C2SP signed-note with an Ed25519 signature.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE64, HEXLOWER};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use super::Hash;

/// The signature type of Ed25519 in a signed note.
const ED25519: u8 = 0x01;

/// Most signatures on a note: more are not looked through.
const MAX_SIGNATURES: usize = 100;

/// The state of a ledger at a size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Name of the ledger.
    pub origin: String,
    /// Number of events.
    pub size: u64,
    /// Merkle root over them.
    pub root: Hash,
}

/// Why a note is not a checkpoint that we trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The text is not a signed checkpoint.
    #[error("not a signed checkpoint")]
    Malformed,
    /// The checkpoint is of another ledger.
    #[error("the checkpoint belongs to another ledger")]
    OtherOrigin,
    /// None of its signatures is by the key.
    #[error("the checkpoint is not signed by this key")]
    NotSigned,
    /// A signature claims to be by the key and is not.
    #[error("the signature does not verify")]
    BadSignature,
    /// The text is not a verifier key.
    #[error("not a verifier key")]
    MalformedKey,
}

impl Checkpoint {
    /// The text that is signed: `origin\nsize\nbase64(root)\n`.
    pub fn text(&self) -> String {
        format!(
            "{}\n{}\n{}\n",
            self.origin,
            self.size,
            BASE64.encode(self.root.as_bytes())
        )
    }

    /// The checkpoint as a note signed in the ledger's name.
    pub fn sign(&self, key: &SigningKey) -> String {
        self.sign_with([key])
    }

    /// The checkpoint as a note that several keys sign in the ledger's name.
    pub fn sign_with<'a>(&self, keys: impl IntoIterator<Item = &'a SigningKey>) -> String {
        let text = self.text();
        let mut note = format!("{text}\n");
        for key in keys {
            let verifier = VerifierKey::from_signing(&self.origin, key);
            let signature = [&verifier.id[..], &key.sign(text.as_bytes()).to_bytes()].concat();
            note.push_str(&format!("— {} {}\n", self.origin, BASE64.encode(&signature)));
        }
        note
    }

    /// What a note says, whoever signed it: to be believed only once a key has opened it.
    pub fn claimed(note: &str) -> Result<Self, CheckpointError> {
        let (text, _) = split(note)?;
        Self::parse(text)
    }

    fn parse(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text
            .strip_suffix('\n')
            .ok_or(CheckpointError::Malformed)?
            .split('\n');
        let mut next = || lines.next().ok_or(CheckpointError::Malformed);
        let (origin, size, root) = (next()?, next()?, next()?);
        let number: u64 = size.parse().map_err(|_| CheckpointError::Malformed)?;
        let root = BASE64
            .decode(root.as_bytes())
            .map_err(|_| CheckpointError::Malformed)?;
        let root = Hash::from_bytes(root.try_into().map_err(|_| CheckpointError::Malformed)?);
        // One number, one text: no leading zero, no sign.
        if number.to_string() != size || !is_name(origin) {
            return Err(CheckpointError::Malformed);
        }
        // Lines after the third are extensions; they are signed too, and mean nothing to us.
        Ok(Self {
            origin: origin.to_owned(),
            size: number,
            root,
        })
    }
}

/// A public key with the name it signs in. Text form: `name+hex(key id)+base64(0x01 ‖ public key)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    key: VerifyingKey,
}

impl VerifierKey {
    /// The key that verifies what `key` signs in `name`.
    pub fn from_signing(name: &str, key: &SigningKey) -> Self {
        Self::new(name, key.verifying_key())
    }

    fn new(name: &str, key: VerifyingKey) -> Self {
        let digest = Sha256::new()
            .chain_update(name)
            .chain_update([b'\n', ED25519])
            .chain_update(key.as_bytes())
            .finalize();
        let (id, _) = digest
            .split_first_chunk::<4>()
            .expect("a SHA-256 hash has 32 bytes");
        Self {
            name: name.to_owned(),
            id: *id,
            key,
        }
    }

    /// The name: a ledger's origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether `signature` is this key's over `text`.
    pub(super) fn verifies(&self, text: &[u8], signature: &[u8]) -> bool {
        let signature = Signature::from_slice(signature);
        signature.is_ok_and(|signature| self.key.verify_strict(text, &signature).is_ok())
    }

    /// The checkpoint in `note`, if it is this ledger's and signed by this key. Other signatures are
    /// passed over; of more than a hundred none is looked at.
    pub fn open(&self, note: &str) -> Result<Checkpoint, CheckpointError> {
        let (text, signatures) = split(note)?;
        let checkpoint = Checkpoint::parse(text)?;
        if checkpoint.origin != self.name {
            return Err(CheckpointError::OtherOrigin);
        }
        let signatures = signatures.strip_suffix('\n').ok_or(CheckpointError::Malformed)?;
        if signatures.split('\n').count() > MAX_SIGNATURES {
            return Err(CheckpointError::Malformed);
        }
        let mut signed = false;
        for line in signatures.split('\n') {
            let (name, blob) = parse_signature(line)?;
            let Some((id, signature)) = blob.split_first_chunk::<4>() else {
                return Err(CheckpointError::Malformed);
            };
            if name != self.name || *id != self.id {
                continue;
            }
            if !self.verifies(text.as_bytes(), signature) {
                return Err(CheckpointError::BadSignature);
            }
            signed = true;
        }
        if signed {
            Ok(checkpoint)
        } else {
            Err(CheckpointError::NotSigned)
        }
    }
}

/// The signed text of a note, its line feed included, and what follows the empty line.
fn split(note: &str) -> Result<(&str, &str), CheckpointError> {
    let split = note.rfind("\n\n").ok_or(CheckpointError::Malformed)?;
    Ok((&note[..=split], &note[split + 2..]))
}

/// A signature line: `— name base64(key id ‖ signature)`.
fn parse_signature(line: &str) -> Result<(&str, Vec<u8>), CheckpointError> {
    let (name, blob) = line
        .strip_prefix("— ")
        .and_then(|rest| rest.split_once(' '))
        .ok_or(CheckpointError::Malformed)?;
    let blob = BASE64
        .decode(blob.as_bytes())
        .map_err(|_| CheckpointError::Malformed)?;
    if is_name(name) {
        Ok((name, blob))
    } else {
        Err(CheckpointError::Malformed)
    }
}

/// What a signed note takes as a key name: not empty, no white space, no plus sign.
fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[ED25519], self.key.as_bytes().as_slice()].concat();
        write!(
            f,
            "{}+{}+{}",
            self.name,
            HEXLOWER.encode(&self.id),
            BASE64.encode(&key)
        )
    }
}

impl FromStr for VerifierKey {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        let malformed = || CheckpointError::MalformedKey;
        let mut parts = text.splitn(3, '+');
        let mut next = || parts.next().ok_or(CheckpointError::MalformedKey);
        let (name, id, key) = (next()?, next()?, next()?);
        let key = BASE64.decode(key.as_bytes()).map_err(|_| malformed())?;
        let Some((&ED25519, key)) = key.split_first() else {
            return Err(malformed());
        };
        let key = VerifyingKey::try_from(key).map_err(|_| malformed())?;
        let verifier = Self::new(name, key);
        if is_name(name) && HEXLOWER.encode(&verifier.id) == id {
            Ok(verifier)
        } else {
            Err(malformed())
        }
    }
}
