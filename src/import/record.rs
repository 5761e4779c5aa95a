//! A row of the old database, asked by fields.

use serde_json::{Map, Value};
use uuid::{Builder, Uuid};
use vinzy_events::{Decimal, Timestamp};

use sha2::{Digest, Sha256};

use super::cell::{Cell, Read, Unreadable};
use super::report::Kind;
use super::source::Cells;
use super::tables::Layout;

/// Why a row cannot be taken, as a sentence about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotTaken(pub(crate) String);

pub(crate) type Taking<T> = Result<T, NotTaken>;

/// A row, with what is to be said about it.
pub(crate) struct Record<'a> {
    table: &'static str,
    layout: &'a Layout,
    cells: Cells,
    notes: Vec<(Kind, String)>,
}

impl<'a> Record<'a> {
    pub(crate) const fn new(table: &'static str, layout: &'a Layout, cells: Cells) -> Self {
        Self {
            table,
            layout,
            cells,
            notes: vec![],
        }
    }

    /// The row's id as it stands there, for people.
    pub(crate) fn shown_id(&self) -> String {
        match self.cell("id") {
            Cell::Text(text) => text.chars().filter(|c| !c.is_control()).take(100).collect(),
            Cell::Integer(number) => number.to_string(),
            cell => cell
                .uuid()
                .map_or_else(|| "without an id".to_owned(), |id| id.to_string()),
        }
    }

    /// Notes that something was changed.
    pub(crate) fn mended(&mut self, what: impl Into<String>) {
        self.notes.push((Kind::Mended, what.into()));
    }

    /// Notes that something may surprise.
    pub(crate) fn noted(&mut self, what: impl Into<String>) {
        self.notes.push((Kind::Noted, what.into()));
    }

    /// What was noted.
    pub(crate) fn into_notes(self) -> Vec<(Kind, String)> {
        self.notes
    }

    fn cell(&self, field: &str) -> &Cell {
        let index = self.layout.columns.iter().position(|(name, _)| *name == field);
        index
            .and_then(|index| self.cells.get(index))
            .unwrap_or(&Cell::Null)
    }

    /// The row's own id, or that of another row. One that is no UUID leads to one that derives from it and its table.
    pub(crate) fn id(&mut self, field: &str, table: &str) -> Taking<Uuid> {
        let id = self
            .reference(field, table)?
            .ok_or_else(|| NotTaken(format!("it has no {field}")))?;
        if self.cell(field).uuid().is_none() {
            self.mended(format!("its {field} is no UUID: it has one that derives from it"));
        }
        Ok(id)
    }

    /// The id of another row, if there is one.
    pub(crate) fn reference(&self, field: &str, table: &str) -> Taking<Option<Uuid>> {
        let cell = self.cell(field);
        if let Some(id) = cell.uuid() {
            return Ok(Some(id));
        }
        let text = cell
            .text()
            .map_err(|error| NotTaken(format!("its {field} {error}")))?;
        Ok(text
            .filter(|text| !text.value.trim().is_empty())
            .map(|text| derived_id(table, &text.value)))
    }

    /// The row's id as text, of rows that need no UUID.
    pub(crate) fn record_id(&mut self) -> Taking<String> {
        if let Some(id) = self.cell("id").uuid() {
            return Ok(id.to_string());
        }
        self.text("id")?
            .filter(|id| !id.is_empty() && id.len() <= 200)
            .ok_or_else(|| NotTaken("it has no id".into()))
    }

    /// Text; white space around it stays.
    pub(crate) fn text(&mut self, field: &str) -> Taking<Option<String>> {
        let read = self.cell(field).text();
        let Some(Read { value, mended }) = read.map_err(|error| NotTaken(format!("its {field} {error}")))?
        else {
            return Ok(None);
        };
        if mended {
            self.mended(format!("its {field} held U+0000, which was left out"));
        }
        Ok(Some(value))
    }

    /// Text that says little, and is empty when it cannot be read.
    pub(crate) fn words(&mut self, field: &str) -> String {
        self.text(field)
            .unwrap_or_else(|error| {
                self.mended(format!("{error}, and was left out"));
                None
            })
            .unwrap_or_default()
    }

    /// A time on which something depends.
    pub(crate) fn time(&self, field: &str) -> Taking<Option<Timestamp>> {
        self.cell(field)
            .time()
            .map_err(|error| NotTaken(format!("its {field} {error}")))
    }

    /// A time that tells of the past, and is left out when it cannot be read.
    pub(crate) fn past_time(&mut self, field: &str) -> Option<Timestamp> {
        self.time(field).unwrap_or_else(|error| {
            self.mended(format!("{error}, and was left out"));
            None
        })
    }

    /// When the row came to be: the last resort is the beginning of 1970.
    pub(crate) fn created_at(&mut self, field: &str) -> Timestamp {
        self.past_time(field)
            .or_else(|| self.past_time("updated_at"))
            .unwrap_or_else(|| {
                self.mended(format!("its {field} is missing: it is 1970-01-01"));
                Timestamp::UNIX_EPOCH
            })
    }

    /// When the row was deleted, by whichever column says so.
    pub(crate) fn deleted_at(&mut self, created_at: Timestamp) -> Taking<Option<Timestamp>> {
        if let Some(at) = self.time("deleted_at")? {
            return Ok(Some(at));
        }
        Ok(if self.flag("is_deleted")?.unwrap_or(false) {
            Some(self.past_time("updated_at").unwrap_or(created_at))
        } else {
            None
        })
    }

    pub(crate) fn flag(&self, field: &str) -> Taking<Option<bool>> {
        self.cell(field)
            .flag()
            .map_err(|error| NotTaken(format!("its {field} {error}")))
    }

    pub(crate) fn decimal(&self, field: &str) -> Taking<Option<Decimal>> {
        self.cell(field)
            .decimal()
            .map_err(|error| NotTaken(format!("its {field} {error}")))
    }

    /// A figure that explains, and is 0 when it cannot be read.
    pub(crate) fn figure(&mut self, field: &str) -> Decimal {
        let read = self.decimal(field).unwrap_or_else(|error| {
            self.mended(format!("{error}, and is 0"));
            None
        });
        read.unwrap_or_default()
    }

    pub(crate) fn integer(&self, field: &str) -> Taking<Option<i64>> {
        self.cell(field)
            .integer()
            .map_err(|error| NotTaken(format!("its {field} {error}")))
    }

    pub(crate) fn json(&mut self, field: &str) -> Result<Option<Value>, Unreadable> {
        let Some(Read { value, mended }) = self.cell(field).json()? else {
            return Ok(None);
        };
        if mended {
            self.mended(format!(
                "the JSON of its {field} was made such that everybody reads it alike"
            ));
        }
        Ok(Some(value))
    }

    /// The vendor's or an application's own data: whatever is no object becomes one.
    pub(crate) fn object(&mut self, field: &str) -> Map<String, Value> {
        match self.json(field) {
            Ok(None) => Map::new(),
            Ok(Some(Value::Object(object))) => object,
            Ok(Some(other)) => {
                self.mended(format!(
                    "its {field} is no object: it stands in one, as \"imported\""
                ));
                Map::from_iter([("imported".to_owned(), other)])
            }
            Err(_) => {
                let raw = self.words(field);
                self.mended(format!(
                    "its {field} is not JSON: it stands as text in an object, as \"imported\""
                ));
                Map::from_iter([("imported".to_owned(), raw.into())])
            }
        }
    }

    pub(crate) const fn table(&self) -> &'static str {
        self.table
    }
}

/// A UUID (version 8) for an id of another kind: always the same for the same.
pub(crate) fn derived_id(table: &str, id: &str) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(b"vinzy import\0");
    hash.update(table.as_bytes());
    hash.update(b"\0");
    hash.update(id.as_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    let (bytes, _) = digest.split_first_chunk::<16>().expect("a digest has 32 bytes");
    Builder::from_custom_bytes(*bytes).into_uuid()
}
