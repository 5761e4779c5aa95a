//! Paging of lists: by number, or by cursor.

/// Where a page starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// After so many rows.
    Offset(u64),
    /// After the row that was created at this ledger position.
    After(u64),
}

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    /// Where it starts.
    pub start: Start,
    /// At most so many rows.
    pub size: u32,
}

impl PageRequest {
    pub(crate) fn offset(self) -> i64 {
        match self.start {
            Start::Offset(offset) => crate::event_log::signed(offset),
            Start::After(_) => 0,
        }
    }

    /// The position that rows must lie behind; -1 lets all through.
    pub(crate) fn after(self) -> i64 {
        match self.start {
            Start::Offset(_) => -1,
            Start::After(position) => crate::event_log::signed(position),
        }
    }

    /// One row more than asked for tells whether another page follows.
    pub(crate) fn limit(self) -> i64 {
        i64::from(self.size) + 1
    }
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// How many rows the whole list has.
    pub total: u64,
    /// The cursor of the next page, if there is one: the creation position of the last row here.
    pub next: Option<u64>,
}

impl<T> Page<T> {
    /// A page of `rows`, of which one more than asked for was read if there are more. `position` is the
    /// cursor of a row.
    pub fn of(mut rows: Vec<T>, request: PageRequest, total: u64, position: impl Fn(&T) -> u64) -> Self {
        let size = usize::try_from(request.size).unwrap_or(usize::MAX);
        let more = rows.len() > size;
        rows.truncate(size);
        let next = rows.last().filter(|_| more).map(position);
        Self { rows, total, next }
    }
}
