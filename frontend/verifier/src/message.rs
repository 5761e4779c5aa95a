//! What the page and the verifier say to each other, as JSON.

use serde::{Deserialize, Serialize};

/// What the page wants to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case")]
pub enum Task {
    /// Whether a ledger is whole.
    Ledger(Job),
    /// Whether a checkpoint is signed with a key.
    Checkpoint {
        /// The signed note.
        note: String,
        /// The key.
        key: String,
    },
    /// Whether a receipt holds.
    Receipt {
        /// It, in JSON.
        receipt: String,
    },
}

/// What to verify.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Address of the ledger: `…/t/{tenant}`.
    pub ledger: String,
    /// What was proven the last time, if it was.
    pub kept: Option<Kept>,
    /// The verifier's state of then: if it is here, only what came after is read.
    pub state: Option<String>,
}

/// What was proven, in the form in which it is kept for the next time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The signed checkpoint.
    pub note: String,
    /// The key that it verifies with.
    pub key: String,
    /// The ledger's name.
    pub origin: String,
    /// How many events it covers.
    pub size: u64,
    /// When it was proven, in this browser's time.
    pub verified_at: String,
}

/// What the verifier says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "said", rename_all = "snake_case")]
pub enum Said {
    /// How far it is.
    Progress(Progress),
    /// All is well.
    Proven(Proven),
    /// Something is wrong with the ledger.
    Broken(Broken),
    /// It cannot be found out.
    Failed(Failure),
    /// What came of a checkpoint or a receipt.
    Checked(Checked),
}

/// What came of a checkpoint or a receipt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// What is wrong with it, as a sentence without its full stop; nothing if it holds.
    pub problem: Option<String>,
    /// Where the event of a receipt stands.
    pub position: u64,
    /// How many events the checkpoint covers.
    pub size: u64,
}

/// How far it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Where it began.
    pub from: u64,
    /// Up to where events are good.
    pub checked: u64,
    /// How many events there are.
    pub size: u64,
    /// For so many seconds the server wants to be left alone.
    pub pause_seconds: Option<u32>,
}

/// What was proven.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proven {
    /// The ledger's name.
    pub origin: String,
    /// How many events the checkpoint covers.
    pub size: u64,
    /// Merkle root over them, lower hex.
    pub root: String,
    /// The signed checkpoint.
    pub note: String,
    /// The key that it verifies with.
    pub key: String,
    /// How many keys the ledger had, by turns.
    pub keys: usize,
    /// The first event that was read; those before were proven to be unchanged.
    pub from: u64,
    /// When the last event was recorded.
    pub last_recorded_at: Option<String>,
    /// How long it took.
    pub milliseconds: f64,
    /// How long of that went into checking, not waiting.
    pub busy_milliseconds: f64,
    /// How many events the checkpoint of before covers, which this one continues.
    pub continues: Option<u64>,
    /// The verifier's state, to go on from; none if it is too large to be kept.
    pub state: Option<String>,
}

/// What is wrong with a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    /// What kind of thing.
    pub kind: Kind,
    /// Where, if it has a place.
    pub position: Option<u64>,
    /// What, as a sentence without its full stop.
    pub problem: String,
    /// So many events were good before that.
    pub good: u64,
    /// The checkpoint that the server showed, if there was one.
    pub note: Option<String>,
}

/// What kind of thing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An event is not what it was, or not where it was.
    Event,
    /// The ledger does not continue what was proven before: it was cut, set back or written anew.
    History,
    /// The checkpoint, or the key that should have signed it.
    Checkpoint,
}

/// Why it cannot be found out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The HTTP status; 0 without an answer.
    pub status: u16,
    /// In words.
    pub detail: String,
    /// What the server's log knows it by.
    pub request_id: String,
}
