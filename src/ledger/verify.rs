//! Walks a ledger in the database and checks everything that can be checked without trusting it.

use std::collections::{HashMap, VecDeque};

use sha2::{Digest, Sha256};
use sqlx::{Connection, PgConnection, PgPool};
use tokio::task::{JoinHandle, spawn_blocking};
use uuid::Uuid;
use vinzy_events::LicenseId;
use vinzy_events::ledger::{
    ChainVerifier, Checkpoint, Examined, Finding, Hash, Head as ExpectedHead, Leaf, LeafError, Outline,
    VerifiedEvent, event_hash,
};
use vinzy_events::stream::is_known_event;
use vinzy_projections::StoredEvent;
use vinzy_projections::archive::{ArchiveError, Archives};
use vinzy_projections::event_log::{self, LicenseHistory, Span, signed as column, unsigned};

use super::archive::{self, Archived};
use super::erasures::Erasures;
use super::head::{self, HeadError};

/// Events read at a time.
const PAGE: u32 = 2_000;
/// Pages that are examined while further ones are read.
const AHEAD: usize = 4;

/// What a walk found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Name of the ledger.
    pub origin: String,
    /// How many events were found in order.
    pub events_checked: u64,
    /// The ledger's size, as its head says.
    pub size: u64,
    /// Merkle root over the checked events.
    pub root: Hash,
    /// The first thing that is wrong.
    pub damage: Option<Damage>,
}

/// Something wrong at a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The first bad position.
    pub position: u64,
    /// What is wrong with it, as a sentence.
    pub problem: String,
}

impl From<Finding> for Damage {
    fn from(finding: Finding) -> Self {
        Self {
            position: finding.position,
            problem: finding.problem.to_string(),
        }
    }
}

/// Why a ledger could not be walked.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The head row is missing or cannot be read.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// Events are in an archive that was not given.
    #[error("events of ledger {ledger_id} before position {size} are archived: {location}")]
    Archived {
        /// The ledger.
        ledger_id: String,
        /// All archived events stand before this.
        size: u64,
        /// Where the archive is.
        location: String,
    },
    /// The archive cannot be read.
    #[error("the archive cannot be read")]
    Archive(#[from] ArchiveError),
}

impl From<sqlx::Error> for VerifyError {
    fn from(error: sqlx::Error) -> Self {
        Self::Head(error.into())
    }
}

/// Checks a whole ledger: every leaf, the chain, every column beside the leaf, the head row, the last
/// checkpoint signed and the one `kept` outside the database, and the ciphertext of every sealed value: it is there, unless the customer was erased
/// later; then nothing of it is. Archived events are read from `archives`. `progress` hears how many of how many
/// events are done. Memory stays flat, one sequence number per stream aside.
///
/// Reads one snapshot, so that appends meanwhile are neither disturbed nor mistaken for damage.
pub async fn ledger(
    pool: &PgPool,
    ledger_id: &str,
    kept: Option<&Checkpoint>,
    archives: &Archives,
    mut progress: impl FnMut(u64, u64),
) -> Result<Report, VerifyError> {
    let mut conn = pool.acquire().await?;
    let mut tx = conn.begin().await?;
    sqlx::query!("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        .execute(&mut *tx)
        .await?;
    let head = head::read(&mut tx, ledger_id).await?;
    let signed = Signed::read(&mut tx, ledger_id, kept).await?;
    let archived = archive::archived(&mut tx, ledger_id).await?;
    if let Some(archived) = archived.as_ref().filter(|_| archives.get(ledger_id).is_none()) {
        return Err(told(ledger_id, archived));
    }
    let archive = Archive {
        archives,
        size: archived.map_or(0, |archived| archived.size),
    };
    let walk = Walk {
        verifier: ChainVerifier::new(head.origin.clone(), is_known_event),
        signed,
        erasures: Erasures::read(&mut tx, ledger_id).await?,
    };
    let mut walking = spawn_blocking(|| (walk, Ok(())));
    let mut from = Some(0);
    let mut ahead = VecDeque::with_capacity(AHEAD);
    // Pages are read here, examined beside each other and passed one after the other, all at once.
    let (walk, passed) = loop {
        while let Some(begin) = from.filter(|_| ahead.len() < AHEAD) {
            let page = Page::read(&mut tx, ledger_id, begin, &archive).await?;
            from = page.end();
            if from.is_some() {
                ahead.push_back(spawn_blocking(|| page.examine()));
            }
        }
        let (walk, passed) = done(walking).await?;
        progress(walk.verifier.size(), head.size);
        let next = if passed.is_ok() { ahead.pop_front() } else { None };
        let Some(next) = next else {
            break (walk, passed);
        };
        let (page, examined) = done(next).await?;
        walking = spawn_blocking(|| walk.pass(page, examined));
    };
    let Walk { verifier, signed, .. } = walk;
    let mut damage = passed.err();
    if damage.is_none() {
        let expected = ExpectedHead {
            size: head.size,
            head_hash: head.hash,
            root: head.frontier.root(),
        };
        damage = verifier.finish(&expected).err().map(Damage::from);
    }
    if damage.is_none() {
        damage = signed.check_end(&verifier).err();
    }
    if damage.is_none() {
        damage = check_keys(&mut tx, ledger_id, &verifier).await?;
    }
    Ok(Report {
        origin: head.origin,
        events_checked: verifier.size(),
        size: head.size,
        root: verifier.root(),
        damage,
    })
}

fn told(ledger_id: &str, archived: &Archived) -> VerifyError {
    VerifyError::Archived {
        ledger_id: ledger_id.to_owned(),
        size: archived.size,
        location: archived.location.clone(),
    }
}

/// Where the bytes of archived events are.
struct Archive<'a> {
    archives: &'a Archives,
    /// An event that stands here or later is not archived: without bytes it is damaged.
    size: u64,
}

/// Some events of a ledger, with what was sealed beside them.
struct Page {
    events: Vec<StoredEvent>,
    ciphertexts: Ciphertexts,
}

impl Page {
    async fn read(
        conn: &mut PgConnection,
        ledger_id: &str,
        from: u64,
        archive: &Archive<'_>,
    ) -> Result<Self, VerifyError> {
        // No upper bound: events beyond the head are damage too.
        let span = Span {
            ledger_id,
            from,
            to: u64::MAX,
            stream_types: &[],
            limit: PAGE,
        };
        let mut events = event_log::read(conn, span).await?;
        let end = events.partition_point(|event| event.position < archive.size);
        archive.archives.fill(ledger_id, &mut events[..end])?;
        Ok(Self {
            ciphertexts: ciphertexts(conn, ledger_id, &events).await?,
            events,
        })
    }

    /// Where the next one begins; `None` if this one is empty.
    fn end(&self) -> Option<u64> {
        self.events.last().map(|last| last.position + 1)
    }

    fn examine(self) -> (Self, Vec<Result<Examined, LeafError>>) {
        let examined = self.events.iter().map(|event| Examined::of(&event.leaf));
        let examined = examined.collect();
        (self, examined)
    }
}

async fn done<T>(work: JoinHandle<T>) -> Result<T, VerifyError> {
    let done = work.await.map_err(std::io::Error::from);
    Ok(done.map_err(sqlx::Error::Io)?)
}

/// What each event is compared with, and what it adds to.
struct Walk {
    verifier: ChainVerifier,
    signed: Signed,
    erasures: Erasures,
}

impl Walk {
    /// Goes over a page; stays where something is wrong.
    fn pass(mut self, page: Page, examined: Vec<Result<Examined, LeafError>>) -> (Self, Result<(), Damage>) {
        let mut events = page.events.iter().zip(examined);
        let passed = events.try_for_each(|(event, examined)| self.check(event, examined, &page.ciphertexts));
        (self, passed)
    }

    fn check(
        &mut self,
        event: &StoredEvent,
        examined: Result<Examined, LeafError>,
        ciphertexts: &Ciphertexts,
    ) -> Result<(), Damage> {
        let VerifiedEvent { leaf, .. } = self.verifier.push_examined(examined, Some(&event.columns()))?;
        check_sealed(&leaf, ciphertexts, &self.erasures)
            .and_then(|()| self.erasures.check(&leaf))
            .map_err(|problem| Damage {
                position: event.position,
                problem,
            })?;
        self.signed.check_passing(&self.verifier)
    }
}

fn check_sealed(leaf: &Outline, ciphertexts: &Ciphertexts, erasures: &Erasures) -> Result<(), String> {
    for field in &leaf.enc {
        let path = &field.path;
        match ciphertexts.get(&(leaf.pos, path.clone())) {
            None if erasures.explain(leaf) => {}
            None => return Err(format!("the ciphertext of {path} is missing")),
            // An erasure finds it by its customer.
            Some(found) if found.customer_id.to_string() != leaf.stream.id => {
                return Err(format!("the ciphertext of {path} stands under another customer"));
            }
            Some(found) if found.length != field.ct_len || found.digest != field.ct_sha256 => {
                return Err(format!(
                    "the ciphertext of {path} is not the one the leaf commits to"
                ));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Each ciphertext by position and path.
type Ciphertexts = HashMap<(u64, String), Ciphertext>;

/// What there is to compare of a ciphertext.
struct Ciphertext {
    customer_id: Uuid,
    length: u64,
    digest: Hash,
}

async fn ciphertexts(
    conn: &mut PgConnection,
    ledger_id: &str,
    events: &[StoredEvent],
) -> sqlx::Result<Ciphertexts> {
    let (Some(first), Some(last)) = (events.first(), events.last()) else {
        return Ok(HashMap::new());
    };
    let rows = sqlx::query!(
        "SELECT position, path, customer_id, ciphertext FROM sealed_values
         WHERE ledger_id = $1 AND position BETWEEN $2 AND $3",
        ledger_id,
        column(first.position),
        column(last.position),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let ciphertext = Ciphertext {
                customer_id: row.customer_id,
                length: row.ciphertext.len() as u64,
                digest: Hash::from_bytes(Sha256::digest(&row.ciphertext).into()),
            };
            ((unsigned(row.position), row.path), ciphertext)
        })
        .collect())
}

/// The checkpoints that the ledger must continue.
struct Signed(Vec<(u64, Hash)>);

impl Signed {
    async fn read(conn: &mut PgConnection, ledger_id: &str, kept: Option<&Checkpoint>) -> sqlx::Result<Self> {
        let row = sqlx::query!(
            "SELECT size, root FROM checkpoints WHERE ledger_id = $1",
            ledger_id
        )
        .fetch_optional(conn)
        .await?;
        // The table holds no other length.
        let last = row.map(|row| {
            let root = Hash::from_bytes(row.root.try_into().unwrap_or_default());
            (unsigned(row.size), root)
        });
        let kept = kept.map(|kept| (kept.size, kept.root));
        Ok(Self(last.into_iter().chain(kept).collect()))
    }

    /// Compares with the walk as it passes a checkpoint's size: history up to there must be the same.
    fn check_passing(&self, verifier: &ChainVerifier) -> Result<(), Damage> {
        let passed = self.0.iter().filter(|(size, _)| *size == verifier.size());
        for (size, root) in passed {
            if verifier.root() != *root {
                let problem = format!(
                    "history up to here is not the one that the checkpoint of {size} events was signed over"
                );
                return Err(Damage {
                    position: size - 1,
                    problem,
                });
            }
        }
        Ok(())
    }

    /// The ledger must not end before its last checkpoint.
    fn check_end(&self, verifier: &ChainVerifier) -> Result<(), Damage> {
        let position = verifier.size();
        match self.0.iter().find(|(size, _)| *size > position) {
            None => Ok(()),
            Some((size, _)) => Err(Damage {
                position,
                problem: format!("a checkpoint of {size} events was signed, but the ledger ends before that"),
            }),
        }
    }
}

/// The ledger's row must name the keys that its events name.
async fn check_keys(
    conn: &mut PgConnection,
    ledger_id: &str,
    verifier: &ChainVerifier,
) -> sqlx::Result<Option<Damage>> {
    let row = sqlx::query!(
        "SELECT superseded_keys || verifier_key AS \"keys!\" FROM ledgers WHERE ledger_id = $1",
        ledger_id
    )
    .fetch_one(conn)
    .await?;
    let keys: Vec<String> = verifier.keys().iter().map(ToString::to_string).collect();
    Ok((row.keys != keys).then(|| Damage {
        position: verifier.size().saturating_sub(1),
        problem: "the ledger's row names other keys than its events".into(),
    }))
}

/// What a walk over one license's events found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LicenseReport {
    /// How many events were checked.
    pub events_checked: u64,
    /// The first thing that is wrong.
    pub damage: Option<Damage>,
}

/// Checks the events of one license: each leaf against its hash and columns, the numbers within its
/// streams, and that the event after each in the ledger is there and was built on it.
pub async fn license(
    pool: &PgPool,
    ledger_id: &str,
    license_id: LicenseId,
) -> Result<LicenseReport, VerifyError> {
    let mut conn = pool.acquire().await?;
    // Read first: all that it counts must be there.
    let size = head::read(&mut conn, ledger_id).await?.size;
    let mut events_checked = 0;
    let mut before = None;
    let mut damage: Option<Damage> = None;
    // Streams are walked backwards: the number that each must have next, going down.
    let mut expected: HashMap<(String, String), u64> = HashMap::new();
    loop {
        let history = LicenseHistory {
            ledger_id,
            license_id,
            event_type: None,
            before,
            offset: 0,
            limit: PAGE,
        };
        let events = event_log::license_history(&mut conn, history).await?;
        let Some(oldest) = events.last() else { break };
        before = Some(oldest.position);
        let followers = followers(&mut conn, ledger_id, &events).await?;
        let is_archived =
            events.iter().any(StoredEvent::is_archived) || followers.values().any(Vec::is_empty);
        if is_archived && let Some(archived) = archive::archived(&mut conn, ledger_id).await? {
            return Err(told(ledger_id, &archived));
        }
        for event in &events {
            let checked = check_seq(event, &mut expected).and_then(|()| check_one(event, &followers, size));
            match checked {
                Ok(()) => events_checked += 1,
                Err(problem) => {
                    damage = Some(Damage {
                        position: event.position,
                        problem,
                    });
                }
            }
        }
    }
    if damage.is_none()
        && let Some(((stream_type, _), seq)) = expected.into_iter().find(|(_, seq)| *seq != 0)
    {
        let problem = format!("events 1 to {seq} of its {stream_type} stream are missing");
        damage = Some(Damage {
            position: before.unwrap_or(0),
            problem,
        });
    }
    Ok(LicenseReport {
        events_checked,
        damage,
    })
}

/// Checks the number in its stream, and what the one before it must have, whatever is wrong with this one.
fn check_seq(event: &StoredEvent, expected: &mut HashMap<(String, String), u64>) -> Result<(), String> {
    let stream = (event.stream_type.clone(), event.stream_id.clone());
    let seq = event.stream_seq;
    let wanted = expected.insert(stream, seq.saturating_sub(1)).unwrap_or(seq);
    if wanted == seq {
        return Ok(());
    }
    Err(format!("event {wanted} of its stream is missing: found {seq}"))
}

fn check_one(event: &StoredEvent, followers: &HashMap<u64, Vec<u8>>, size: u64) -> Result<(), String> {
    let leaf = Leaf::parse(&event.leaf).map_err(|error| error.to_string())?;
    let hash = event_hash(&event.leaf);
    if event.event_hash != hash.as_bytes() {
        return Err("the stored hash is not the hash of the event".into());
    }
    event
        .columns()
        .check(&leaf, hash)
        .map_err(|problem| problem.to_string())?;
    let Some(next) = followers.get(&(event.position + 1)) else {
        let is_last = event.position + 1 >= size;
        return if is_last {
            Ok(())
        } else {
            Err("the event after it is missing".into())
        };
    };
    let next = Leaf::parse(next).map_err(|error| format!("the event after it: {error}"))?;
    if next.prev == hash {
        Ok(())
    } else {
        Err("the event after it was built on another event".into())
    }
}

/// Leaves of the events that come right after `events` in the ledger, by position.
async fn followers(
    conn: &mut PgConnection,
    ledger_id: &str,
    events: &[StoredEvent],
) -> sqlx::Result<HashMap<u64, Vec<u8>>> {
    let positions: Vec<i64> = events.iter().map(|event| column(event.position + 1)).collect();
    let rows = sqlx::query!(
        "SELECT position, leaf FROM events WHERE ledger_id = $1 AND position = ANY($2)",
        ledger_id,
        &positions,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (unsigned(row.position), row.leaf))
        .collect())
}
