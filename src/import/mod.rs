//! Customers of the system that was there before come over: its database is read, what can be taken is taken into the
//! ledgers as it was, and what cannot is told row by row.
//!
//! What a row must be, and what is made of one that is otherwise, stands in `rows`; how columns are found, in `tables`;
//! how values are read, in `cell`. Nothing here writes to the old database, and only `commands::import` to the new one.

mod cell;
mod destination;
mod features;
mod importer;
mod record;
pub mod report;
mod rows;
mod source;
mod tables;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use destination::Destination;
pub use source::{InvalidPlace, Place, SourceError};
pub use tables::MissingColumn;

use crate::commands::CommandError;
use crate::ledger::OpenError;
use importer::Importer;
use report::Report;
use source::Source;
use tables::{ALL, INDISPENSABLE};
use vinzy_events::Timestamp;

/// Tables that can be left out: no other rows belong to theirs.
pub const OPTIONAL: [&str; 5] = [
    tables::MACHINES.name,
    tables::USAGE.name,
    tables::ANOMALIES.name,
    tables::ENDPOINTS.name,
    tables::AUDIT.name,
];

/// Tables of this system that the old one did not have.
const OWN_TABLES: [&str; 2] = ["events", "unique_claims"];

/// What is wanted.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The old database.
    pub from: Place,
    /// Only find out what would be done.
    pub dry_run: bool,
    /// Tables that are left out.
    pub skip: BTreeSet<String>,
    /// The time: what has ended by then has ended.
    pub now: Timestamp,
}

/// Why an import cannot be done, or not to the end. What was taken until then stays, and is not taken again.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The old database cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// It is no database of the old system.
    #[error("{place} holds no table {table}: it is no database of the old system")]
    NoTable {
        /// Where it is.
        place: String,
        /// What it lacks.
        table: &'static str,
    },
    /// It is a database of this system.
    #[error("{0} is a database of this system, not of the old one")]
    OwnDatabase(String),
    /// A table cannot be understood.
    #[error(transparent)]
    Column(#[from] MissingColumn),
    /// The database of this system failed.
    #[error("the database cannot be asked")]
    Database(#[from] sqlx::Error),
    /// A tenant's ledger cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A ledger cannot be written.
    #[error("{table} {id} could not be written; run the same command again to go on")]
    Write {
        /// The row's table.
        table: &'static str,
        /// Its id.
        id: String,
        /// Why.
        #[source]
        source: CommandError,
    },
}

/// Takes over what the old database holds, or says what would be. Without a `destination` nothing is taken to be there.
/// `progress` hears of each table how many of how many rows are done.
///
/// Doing it again takes what was not taken before: after an interruption the rest, later what is new.
pub async fn run(
    wish: &Wish,
    destination: Option<&Destination>,
    mut progress: impl FnMut(&'static str, u64, u64),
) -> Result<Report, ImportError> {
    let mut source = Source::open(&wish.from).await?;
    let found: BTreeSet<String> = source.tables().await?.into_iter().collect();
    let place = wish.from.to_string();
    if OWN_TABLES.iter().all(|table| found.contains(*table)) {
        return Err(ImportError::OwnDatabase(place));
    }
    for table in INDISPENSABLE {
        if !found.contains(table) {
            return Err(ImportError::NoTable { place, table });
        }
    }
    // All of them before the first row: whoever has to find a column's name wants to do it once.
    let mut layouts = BTreeMap::new();
    for table in ALL {
        if found.contains(table.name) && !wish.skip.contains(table.name) {
            layouts.insert(table.name, table.layout(&source.columns(table.name).await?)?);
        }
    }
    let mut importer = Importer::new(wish, destination);
    for table in ALL {
        let counts = importer.report.table(table.name);
        counts.found = found.contains(table.name);
        counts.skipped = counts.found && wish.skip.contains(table.name);
        let Some(layout) = layouts.get(table.name) else {
            continue;
        };
        counts.unread_columns.clone_from(&layout.unread);
        let all = source.count(table.name).await?;
        progress(table.name, 0, all);
        let columns: Vec<&str> = layout.columns.iter().map(|(_, column)| column.as_str()).collect();
        let mut done = 0;
        let take = async |rows: Vec<source::Cells>| {
            done += rows.len() as u64;
            importer.rows(table, layout, rows).await?;
            progress(table.name, done, all);
            Ok::<_, ImportError>(())
        };
        source
            .read(table.name, &columns, &layout.order(table), take)
            .await?;
        importer.end_of(table);
    }
    let known: BTreeSet<&str> = ALL.iter().map(|table| table.name).collect();
    for table in found.iter().filter(|table| !known.contains(table.as_str())) {
        let rows = source.count(table).await?;
        importer.report.unread_tables.insert(table.clone(), rows);
    }
    source.close().await;
    let mut report = importer.report;
    report.finish();
    Ok(report)
}
