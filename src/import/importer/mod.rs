//! Takes rows table by table: what depends on other rows is decided here, and what was decided goes to the ledgers.

mod belongings;
mod licenses;
mod owners;
mod tenants;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use futures::stream::{self, StreamExt};
use serde::Serialize;
use uuid::Uuid;
use vinzy_events::Timestamp;
use vinzy_events::key::KeyDigest;
use vinzy_events::product::ProductCode;
use vinzy_events::tenant::TenantSlug;

use super::destination::{Destination, Unique};
use super::record::{NotTaken, Record, Taking};
use super::report::{Kind, Report};
use super::source::Cells;
use super::tables::{self, Layout, Table};
use super::{ImportError, Wish, rows};
use crate::app::DEFAULT_LEDGER;
use crate::commands::CommandError;
use crate::commands::import::{Import, Landed, fits};
use crate::ledger::LedgerError;

/// What waits for the ledgers at a time: some batches.
const IN_FLIGHT: usize = 1_024;
/// A row on its way.
struct Planned {
    table: &'static str,
    id: String,
    ledger_id: Arc<str>,
    /// Nothing where it is only asked what would be done, and nothing is there.
    import: Option<Import>,
    notes: Vec<(Kind, String)>,
    /// Whether it stands for a row that is missing: it is none itself.
    made: bool,
}

struct KnownProduct {
    ledger_id: Arc<str>,
    code: ProductCode,
    default_tier: String,
    deleted: bool,
}

struct KnownLicense {
    ledger_id: Arc<str>,
    machines_limit: Option<u32>,
    deleted_at: Option<Timestamp>,
    machines: u32,
}

/// What of a row was decided, or why it cannot be taken.
type Decided<T> = Vec<(T, Place)>;

/// Where a decided row belongs, and what was noted about it.
struct Place {
    id: String,
    ledger_id: Arc<str>,
    notes: Vec<(Kind, String)>,
}

impl Place {
    fn planned(self, table: &'static str, import: impl Into<Option<Import>>) -> Planned {
        Planned {
            table,
            id: self.id,
            ledger_id: self.ledger_id,
            import: import.into(),
            notes: self.notes,
            made: false,
        }
    }
}

/// How it shows that something was taken before.
enum Mark {
    /// A stream of a type, with an id, has begun.
    Stream(&'static str, String),
    /// An idempotency key is used.
    Guard(String),
}

fn mark(import: &Import) -> Mark {
    import.guard_key().map_or_else(
        || {
            let (kind, id) = import.stream();
            Mark::Stream(kind, id)
        },
        Mark::Guard,
    )
}

fn unknown_license() -> NotTaken {
    NotTaken("its license is not known, or was not taken".into())
}

fn is_small(payload: &impl Serialize) -> Taking<()> {
    if fits(payload) {
        return Ok(());
    }
    Err(NotTaken("it is larger than an event of a ledger can be".into()))
}

pub(super) struct Importer<'a> {
    pub(super) report: Report,
    destination: Option<&'a Destination>,
    now: Timestamp,
    versions: Option<BTreeSet<u8>>,
    default_ledger: Arc<str>,
    /// Ledgers by tenant; nothing for one that was not taken.
    tenants: HashMap<Uuid, Option<Arc<str>>>,
    slugs: HashMap<TenantSlug, Uuid>,
    products: HashMap<Uuid, KnownProduct>,
    /// Live ones.
    codes: HashMap<(Arc<str>, ProductCode), Uuid>,
    /// Whether they were deleted.
    customers: HashMap<(Arc<str>, Uuid), bool>,
    /// Whose the addresses are.
    addresses: HashMap<(Arc<str>, String), Uuid>,
    licenses: HashMap<Uuid, KnownLicense>,
    digests: HashMap<KeyDigest, Uuid>,
    seats: HashMap<(Uuid, String), Uuid>,
    /// Rows with the same id come once.
    seen: HashMap<&'static str, HashSet<Uuid>>,
}

impl<'a> Importer<'a> {
    pub(super) fn new(wish: &Wish, destination: Option<&'a Destination>) -> Self {
        let report = Report {
            dry_run: wish.dry_run,
            ..Report::default()
        };
        let ring = destination.and_then(|destination| destination.key_ring.as_ref());
        Self {
            report,
            destination,
            now: wish.now,
            versions: ring.map(|ring| ring.versions().collect()),
            default_ledger: DEFAULT_LEDGER.into(),
            tenants: HashMap::new(),
            slugs: HashMap::new(),
            products: HashMap::new(),
            codes: HashMap::new(),
            customers: HashMap::new(),
            addresses: HashMap::new(),
            licenses: HashMap::new(),
            digests: HashMap::new(),
            seats: HashMap::new(),
            seen: HashMap::new(),
        }
    }

    /// Takes some rows of a table.
    pub(super) async fn rows(
        &mut self,
        table: &'static Table,
        layout: &Layout,
        rows: Vec<Cells>,
    ) -> Result<(), ImportError> {
        self.report.table(table.name).read += rows.len() as u64;
        let records = rows
            .into_iter()
            .map(|cells| Record::new(table.name, layout, cells))
            .collect();
        match table.name {
            "tenants" => self.tenants(records).await,
            "products" => self.products(records).await,
            "customers" => self.customers(records).await,
            "licenses" => self.licenses(records).await,
            "machines" => self.machines(records).await,
            "usage_records" => self.usage(records).await,
            "anomalies" => self.anomalies(records).await,
            "webhook_endpoints" => self.endpoints(records).await,
            "audit_events" => self.history(records).await,
            other => unreachable!("{other} is not among the tables"),
        }
    }

    /// What is to be said about a table as a whole.
    pub(super) fn end_of(&mut self, table: &'static Table) {
        if table.name != tables::MACHINES.name {
            return;
        }
        for (id, license) in &self.licenses {
            if let Some(limit) = license.machines_limit.filter(|limit| license.machines > *limit) {
                let reason =
                    "it has more machines than it allows: all of them keep their seats, and no more get one";
                let id = format!("{id} ({} of {limit})", license.machines);
                self.report.find(tables::LICENSES.name, &id, Kind::Noted, reason);
            }
        }
    }

    /// Decides row by row; what is not taken is reported.
    fn decide<T>(
        &mut self,
        records: Vec<Record<'_>>,
        mut one: impl FnMut(&mut Self, &mut Record<'_>) -> Taking<(T, Arc<str>)>,
    ) -> Decided<T> {
        let mut decided = Vec::with_capacity(records.len());
        for mut record in records {
            match one(self, &mut record) {
                Ok((row, ledger_id)) => {
                    let place = Place {
                        id: record.shown_id(),
                        ledger_id,
                        notes: record.into_notes(),
                    };
                    decided.push((row, place));
                }
                Err(reason) => self.not_taken(record.table(), &record.shown_id(), &reason),
            }
        }
        decided
    }

    fn not_taken(&mut self, table: &'static str, id: &str, reason: &NotTaken) {
        self.report.table(table).not_taken += 1;
        self.report.find(table, id, Kind::NotTaken, reason.to_string());
    }

    fn once(&mut self, table: &'static str, id: Uuid) -> Taking<()> {
        if self.seen.entry(table).or_default().insert(id) {
            return Ok(());
        }
        Err(NotTaken("another row of its table has the same id".into()))
    }

    /// As [`Importer::once`], for rows whose ids need not be UUIDs.
    fn record_once(&mut self, table: &'static str, record: &Record<'_>) -> Taking<()> {
        match record.reference("id", table)? {
            Some(id) => self.once(table, id),
            None => Ok(()),
        }
    }

    fn default_ledger(&self) -> Arc<str> {
        Arc::clone(&self.default_ledger)
    }

    /// The ledger of the tenant that a row names; nothing if it names none.
    fn ledger_of_tenant(&self, record: &Record<'_>) -> Taking<Option<Arc<str>>> {
        let Some(id) = record.reference("tenant_id", "tenants")? else {
            return Ok(None);
        };
        match self.tenants.get(&id) {
            Some(Some(ledger_id)) => Ok(Some(Arc::clone(ledger_id))),
            Some(None) => Err(NotTaken("its tenant was not taken".into())),
            None => Err(NotTaken(format!("its tenant {id} is not known"))),
        }
    }

    /// The license that a row names, and its ledger.
    fn license_of(&self, record: &Record<'_>) -> Taking<(Uuid, Arc<str>)> {
        let id = rows::license_id(record)?;
        let license = self.licenses.get(&id).ok_or_else(unknown_license)?;
        Ok((id, Arc::clone(&license.ledger_id)))
    }

    async fn holder(
        &self,
        ledger_id: &str,
        unique: Unique,
        value: &str,
    ) -> Result<Option<String>, ImportError> {
        let Some(destination) = self.destination else {
            return Ok(None);
        };
        let holders = destination
            .holders(ledger_id, unique, &[value.to_owned()])
            .await?;
        Ok(holders.into_values().next())
    }

    /// Takes what is not there yet.
    async fn execute(&mut self, planned: Vec<Planned>) -> Result<(), ImportError> {
        let new = self.sort_out(planned).await?;
        let Some(destination) = self.destination.filter(|_| !self.report.dry_run) else {
            for planned in new {
                self.landed(planned, Landed::New);
            }
            return Ok(());
        };
        let mut taking = stream::iter(new)
            .map(|mut planned| async move {
                let taken = match planned.import.take() {
                    Some(import) => destination.take(Arc::clone(&planned.ledger_id), import).await,
                    None => Ok(Landed::New),
                };
                (planned, taken)
            })
            .buffered(IN_FLIGHT);
        while let Some((planned, taken)) = taking.next().await {
            match taken {
                Ok(landed) => self.landed(planned, landed),
                Err(error @ (CommandError::Ledger(LedgerError::Unavailable) | CommandError::Database(_))) => {
                    return Err(ImportError::Write {
                        table: planned.table,
                        id: planned.id,
                        source: error,
                    });
                }
                Err(error) => self.not_taken(planned.table, &planned.id, &NotTaken(error.to_string())),
            }
        }
        Ok(())
    }

    fn landed(&mut self, planned: Planned, landed: Landed) {
        let counts = self.report.table(planned.table);
        match landed {
            _ if planned.made => counts.made += u64::from(landed == Landed::New),
            Landed::AlreadyThere => counts.already_there += 1,
            Landed::New => {
                counts.new += 1;
                counts.mended += u64::from(planned.notes.iter().any(|(kind, _)| *kind == Kind::Mended));
                for (kind, reason) in planned.notes {
                    self.report.find(planned.table, &planned.id, kind, reason);
                }
            }
        }
    }

    /// Counts what was taken before, refuses what has the id of something else, and gives the rest.
    async fn sort_out(&mut self, planned: Vec<Planned>) -> Result<Vec<Planned>, ImportError> {
        let Some(destination) = self.destination else {
            return Ok(planned);
        };
        let mut streams: HashMap<(Arc<str>, &'static str), Vec<String>> = HashMap::new();
        let mut guards: HashMap<Arc<str>, Vec<String>> = HashMap::new();
        for one in &planned {
            match one.import.as_ref().map(mark) {
                None => {}
                Some(Mark::Stream(kind, id)) => {
                    let place = (Arc::clone(&one.ledger_id), kind);
                    streams.entry(place).or_default().push(id);
                }
                Some(Mark::Guard(key)) => guards.entry(Arc::clone(&one.ledger_id)).or_default().push(key),
            }
        }
        let (mut begun, mut used) = (HashMap::new(), HashSet::new());
        for ((ledger_id, kind), ids) in streams {
            for (id, event_type) in destination.beginnings(&ledger_id, kind, &ids).await? {
                begun.insert((Arc::clone(&ledger_id), kind, id), event_type);
            }
        }
        for (ledger_id, keys) in guards {
            for key in destination.used_keys(&ledger_id, &keys).await? {
                used.insert((Arc::clone(&ledger_id), key));
            }
        }
        let mut new = vec![];
        for one in planned {
            let ledger_id = Arc::clone(&one.ledger_id);
            match one.import.as_ref().map(mark) {
                Some(Mark::Stream(kind, id)) => match begun.get(&(ledger_id, kind, id)) {
                    None => new.push(one),
                    Some(event_type) if event_type.ends_with(".imported") => {
                        self.landed(one, Landed::AlreadyThere);
                    }
                    Some(_) => {
                        let reason = NotTaken(format!("its id is that of a {kind} that was not imported"));
                        self.not_taken(one.table, &one.id, &reason);
                    }
                },
                Some(Mark::Guard(key)) => {
                    if used.contains(&(ledger_id, key)) {
                        self.landed(one, Landed::AlreadyThere);
                    } else {
                        new.push(one);
                    }
                }
                None => new.push(one),
            }
        }
        Ok(new)
    }
}
