//! Paging of lists: by number, or by cursor.

/// The order of a list whose cursor is where things were created.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// The oldest first.
    #[default]
    OldestFirst,
    /// The newest first.
    NewestFirst,
}

impl Order {
    /// The order with a name: `created` or `-created`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "created" => Some(Self::OldestFirst),
            "-created" => Some(Self::NewestFirst),
            _ => None,
        }
    }
}

/// Where a page starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start<C = u64> {
    /// After so many rows.
    Offset(u64),
    /// After the row with this cursor: in most lists the ledger position at which it was created.
    After(C),
}

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest<C = u64> {
    /// Where it starts.
    pub start: Start<C>,
    /// At most so many rows.
    pub size: u32,
}

impl<C> PageRequest<C> {
    /// So many rows are left out.
    pub fn offset(&self) -> i64 {
        match self.start {
            Start::Offset(offset) => crate::event_log::signed(offset),
            Start::After(_) => 0,
        }
    }

    /// One row more than asked for tells whether another page follows.
    pub fn limit(&self) -> i64 {
        i64::from(self.size) + 1
    }
}

impl PageRequest {
    /// The position that rows must lie behind, in lists that begin with the oldest; -1 lets all through.
    pub(crate) fn after(&self) -> i64 {
        match self.start {
            Start::Offset(_) => -1,
            Start::After(position) => crate::event_log::signed(position),
        }
    }

    /// The position that rows must lie before, in lists that begin with the newest.
    pub(crate) fn before(&self) -> i64 {
        match self.start {
            Start::Offset(_) => i64::MAX,
            Start::After(position) => crate::event_log::signed(position),
        }
    }
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T, C = u64> {
    /// The rows.
    pub rows: Vec<T>,
    /// How many rows the whole list has.
    pub total: u64,
    /// The cursor of the next page, if there is one: that of the last row here.
    pub next: Option<C>,
}

impl<T, C> Page<T, C> {
    /// A page of `rows`, of which one more than asked for was read if there are more. `cursor` is the
    /// cursor of a row.
    pub fn of(mut rows: Vec<T>, request: &PageRequest<C>, total: u64, cursor: impl Fn(&T) -> C) -> Self {
        let size = usize::try_from(request.size).unwrap_or(usize::MAX);
        let more = rows.len() > size;
        rows.truncate(size);
        let next = rows.last().filter(|_| more).map(cursor);
        Self { rows, total, next }
    }
}
