//! Lists of licenses: which, in what order, and from where on.
//!
//! Each order has a statement of its own, which finds ids in an index and only then reads rows.

use std::fmt;
use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;
use vinzy_events::key::KeyDigest;
use vinzy_events::license::{LicenseState, LicenseStatus};
use vinzy_events::{CustomerId, Timestamp};

use super::{LicenseRow, code, standing};
use crate::event_log::{signed, unsigned};
use crate::planning::planning_anew;
use crate::rows::json_object;
use crate::{Page, PageRequest, Start};

/// Which licenses to list; `None` does not filter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Status as of `at`.
    pub status: Option<LicenseStatus>,
    /// Product code.
    pub product_code: Option<String>,
    /// Whose.
    pub customer_id: Option<CustomerId>,
    /// Tier.
    pub tier: Option<String>,
    /// Ids from one to another.
    pub ids: Option<RangeInclusive<Uuid>>,
    /// The one with this key.
    pub key_digest: Option<KeyDigest>,
    /// Those that end after this time.
    pub expires_after: Option<Timestamp>,
    /// Those that end before this time.
    pub expires_before: Option<Timestamp>,
}

/// The order of a list. Licenses that end at the same time, or never, are in the order of their creation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sort {
    /// The oldest first.
    #[default]
    Created,
    /// The newest first.
    NewestFirst,
    /// What ends first, first; what never ends, last.
    ExpiresAt,
    /// The other way round.
    LastToExpireFirst,
}

impl Sort {
    /// The order with a name: `created`, `-created`, `expires_at` or `-expires_at`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "created" => Some(Self::Created),
            "-created" => Some(Self::NewestFirst),
            "expires_at" => Some(Self::ExpiresAt),
            "-expires_at" => Some(Self::LastToExpireFirst),
            _ => None,
        }
    }

    /// The cursor that a text says in this order.
    pub fn cursor(self, text: &str) -> Option<Cursor> {
        let position = |text: &str| text.parse::<i64>().ok().and_then(|at| u64::try_from(at).ok());
        match self {
            Self::Created | Self::NewestFirst => position(text).map(Cursor::Created),
            Self::ExpiresAt | Self::LastToExpireFirst => {
                let (expires_at, created) = text.split_once('.')?;
                let expires_at = match expires_at {
                    NEVER => None,
                    micros => Some(Timestamp::from_micros(micros.parse().ok()?)?),
                };
                Some(Cursor::ExpiresAt(expires_at, position(created)?))
            }
        }
    }

    /// Where a license stands in this order.
    fn place(self, row: &LicenseRow) -> Cursor {
        match self {
            Self::Created | Self::NewestFirst => Cursor::Created(row.created_position),
            Self::ExpiresAt | Self::LastToExpireFirst => {
                Cursor::ExpiresAt(row.state.expires_at, row.created_position)
            }
        }
    }
}

/// What the end of a license that has none is called in a cursor.
const NEVER: &str = "never";

/// A place in a list, whether or not there is still a license at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cursor {
    /// By where a license was created.
    Created(u64),
    /// By when it ends, and where it was created.
    ExpiresAt(Option<Timestamp>, u64),
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created(position) => write!(f, "{position}"),
            Self::ExpiresAt(Some(at), position) => write!(f, "{}.{position}", at.as_micros()),
            Self::ExpiresAt(None, position) => write!(f, "{NEVER}.{position}"),
        }
    }
}

/// A filter as parameters of the statements.
struct Terms<'a> {
    ledger_id: &'a str,
    status: Option<&'static str>,
    at: DateTime<Utc>,
    product_code: Option<&'a str>,
    customer_id: Option<Uuid>,
    tier: Option<&'a str>,
    first_id: Option<Uuid>,
    last_id: Option<Uuid>,
    key_digest: Option<&'a [u8]>,
    expires_after: Option<DateTime<Utc>>,
    expires_before: Option<DateTime<Utc>>,
}

impl<'a> Terms<'a> {
    fn new(ledger_id: &'a str, filter: &'a Filter, at: Timestamp) -> Self {
        Self {
            ledger_id,
            status: filter.status.map(LicenseStatus::as_str),
            at: at.to_chrono(),
            product_code: filter.product_code.as_deref(),
            customer_id: filter.customer_id.map(CustomerId::as_uuid),
            tier: filter.tier.as_deref(),
            first_id: filter.ids.as_ref().map(|ids| *ids.start()),
            last_id: filter.ids.as_ref().map(|ids| *ids.end()),
            key_digest: filter
                .key_digest
                .as_ref()
                .map(|digest| digest.as_bytes().as_slice()),
            expires_after: filter.expires_after.map(Timestamp::to_chrono),
            expires_before: filter.expires_before.map(Timestamp::to_chrono),
        }
    }
}

/// A statement about the licenses that a filter lets through: what it asks, and what follows the filter. Ends are
/// compared as the index has them, where never is later than any time.
macro_rules! filtered {
    ($query:ident, [$($shape:tt)*], [$($ask:tt)+], [$($rest:tt)*], $terms:ident $(, $more:expr)*) => {
        sqlx::$query!(
            $($shape)*
            $($ask)+ + "
            FROM licenses l
            WHERE l.ledger_id = $1
              AND ($2::text IS NULL
                   OR CASE $2 WHEN 'revoked' THEN l.standing = 'revoked'
                              WHEN 'expired' THEN l.standing <> 'revoked' AND coalesce(l.expires_at, 'infinity') <= $3
                              ELSE l.standing = $2 AND coalesce(l.expires_at, 'infinity') > $3 END)
              AND ($4::text IS NULL OR l.product_code = $4)
              AND ($5::uuid IS NULL OR l.customer_id = $5)
              AND ($6::text IS NULL OR l.tier = $6)
              AND ($7::uuid IS NULL OR l.license_id >= $7)
              AND ($8::uuid IS NULL OR l.license_id <= $8)
              AND ($9::bytea IS NULL
                   OR l.license_id = (SELECT k.license_id FROM license_keys k
                                      WHERE k.key_digest = $9 AND k.ledger_id = $1))
              AND ($10::timestamptz IS NULL
                   OR coalesce(l.expires_at, 'infinity') > $10 AND coalesce(l.expires_at, 'infinity') < 'infinity')
              AND ($11::timestamptz IS NULL OR coalesce(l.expires_at, 'infinity') < $11)" $($rest)*,
            $terms.ledger_id,
            $terms.status,
            $terms.at,
            $terms.product_code,
            $terms.customer_id,
            $terms.tier,
            $terms.first_id,
            $terms.last_id,
            $terms.key_digest,
            $terms.expires_after,
            $terms.expires_before
            $(, $more)*
        )
    };
}

/// The statement for a page: what lies behind the cursor, in an order.
macro_rules! page {
    ($terms:ident, $page:ident, $behind:tt, $by:tt, $order:tt $(, $cursor:expr)+) => {
        filtered!(
            query_as,
            [Record,],
            ["SELECT p.license_id, p.product_id, p.product_code, p.customer_id, p.standing, p.tier, p.machines_limit,
                     p.expires_at, p.features, p.entitlements, p.metadata, p.machines_used, p.created_at,
                     p.created_position
              FROM (SELECT l.license_id"],
            [+ $behind + " ORDER BY " + $by + " OFFSET $12 LIMIT $13) x
              JOIN licenses p ON p.ledger_id = $1 AND p.license_id = x.license_id
              ORDER BY " + $order],
            $terms,
            $page.offset(),
            $page.limit()
            $(, $cursor)+
        )
    };
}

/// A row as the statements give it.
struct Record {
    license_id: Uuid,
    product_id: Uuid,
    product_code: String,
    customer_id: Uuid,
    standing: String,
    tier: String,
    machines_limit: Option<i64>,
    expires_at: Option<DateTime<Utc>>,
    features: Value,
    entitlements: Value,
    metadata: Value,
    machines_used: i64,
    created_at: DateTime<Utc>,
    created_position: i64,
}

impl TryFrom<Record> for LicenseRow {
    type Error = sqlx::Error;

    fn try_from(row: Record) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.license_id.into(),
            machines_used: u32::try_from(row.machines_used).unwrap_or(0),
            created_position: unsigned(row.created_position),
            state: license_state!(row),
        })
    }
}

/// A page of the licenses that a filter lets through, with their number. Statuses are as of `at`.
pub async fn list(
    pool: &PgPool,
    ledger_id: &str,
    filter: &Filter,
    at: Timestamp,
    sort: Sort,
    page: PageRequest<Cursor>,
) -> sqlx::Result<Page<LicenseRow, Cursor>> {
    let terms = Terms::new(ledger_id, filter, at);
    let mut tx = planning_anew(pool).await?;
    let rows = rows(&mut tx, &terms, sort, &page).await?;
    let total = if *filter == Filter::default() {
        count_all(&mut tx, ledger_id).await?
    } else {
        filtered!(query_scalar, [], [r#"SELECT count(*) AS "count!""#], [], terms)
            .fetch_one(&mut *tx)
            .await?
    };
    tx.commit().await?;
    Ok(Page::of(rows, &page, unsigned(total), |row| sort.place(row)))
}

async fn count_all(conn: &mut PgConnection, ledger_id: &str) -> sqlx::Result<i64> {
    let count = sqlx::query_scalar!("SELECT count FROM license_counts WHERE ledger_id = $1", ledger_id);
    Ok(count.fetch_optional(conn).await?.unwrap_or(0))
}

/// As [`list`], without their number.
pub async fn part(
    pool: &PgPool,
    ledger_id: &str,
    filter: &Filter,
    at: Timestamp,
    sort: Sort,
    page: PageRequest<Cursor>,
) -> sqlx::Result<(Vec<LicenseRow>, Option<Cursor>)> {
    let mut tx = planning_anew(pool).await?;
    let rows = rows(&mut tx, &Terms::new(ledger_id, filter, at), sort, &page).await?;
    tx.commit().await?;
    let page = Page::of(rows, &page, 0, |row| sort.place(row));
    Ok((page.rows, page.next))
}

async fn rows(
    conn: &mut PgConnection,
    terms: &Terms<'_>,
    sort: Sort,
    page: &PageRequest<Cursor>,
) -> sqlx::Result<Vec<LicenseRow>> {
    let (position, ends) = match page.start {
        Start::Offset(_) => (None, None),
        Start::After(Cursor::Created(position)) => (Some(signed(position)), None),
        Start::After(Cursor::ExpiresAt(ends, position)) => {
            (Some(signed(position)), ends.map(Timestamp::to_chrono))
        }
    };
    let rows = match sort {
        Sort::Created => {
            page!(
                terms,
                page,
                "AND ($14::bigint IS NULL OR l.created_position > $14)",
                "l.created_position",
                "p.created_position",
                position
            )
            .fetch_all(conn)
            .await?
        }
        Sort::NewestFirst => {
            page!(
                terms,
                page,
                "AND ($14::bigint IS NULL OR l.created_position < $14)",
                "l.created_position DESC",
                "p.created_position DESC",
                position
            )
            .fetch_all(conn)
            .await?
        }
        Sort::ExpiresAt => {
            page!(
                terms,
                page,
                "AND ($14::bigint IS NULL
                      OR (coalesce(l.expires_at, 'infinity'), l.created_position) > (coalesce($15::timestamptz, 'infinity'), $14))",
                "coalesce(l.expires_at, 'infinity'), l.created_position",
                "coalesce(p.expires_at, 'infinity'), p.created_position",
                position,
                ends
            )
            .fetch_all(conn)
            .await?
        }
        Sort::LastToExpireFirst => {
            page!(
                terms,
                page,
                "AND ($14::bigint IS NULL
                      OR (coalesce(l.expires_at, 'infinity'), l.created_position) < (coalesce($15::timestamptz, 'infinity'), $14))",
                "coalesce(l.expires_at, 'infinity') DESC, l.created_position DESC",
                "coalesce(p.expires_at, 'infinity') DESC, p.created_position DESC",
                position,
                ends
            )
            .fetch_all(conn)
            .await?
        }
    };
    rows.into_iter().map(LicenseRow::try_from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_in_its_own_order() {
        let at = "2027-03-01T12:00:00.000001Z".parse().unwrap();
        for (sort, cursor, text) in [
            (Sort::Created, Cursor::Created(17), "17"),
            (Sort::NewestFirst, Cursor::Created(0), "0"),
            (
                Sort::ExpiresAt,
                Cursor::ExpiresAt(Some(at), 17),
                "1803902400000001.17",
            ),
            (Sort::LastToExpireFirst, Cursor::ExpiresAt(None, 3), "never.3"),
        ] {
            assert_eq!(cursor.to_string(), text);
            assert_eq!(sort.cursor(text), Some(cursor));
        }
    }

    #[test]
    fn what_is_no_cursor_of_the_order_is_none() {
        for (sort, text) in [
            (Sort::Created, "never.3"),
            (Sort::Created, "-1"),
            (Sort::NewestFirst, "99999999999999999999"),
            (Sort::ExpiresAt, "17"),
            (Sort::ExpiresAt, "soon.17"),
            (Sort::ExpiresAt, "1803902400000001."),
            (Sort::ExpiresAt, "-1.17"),
            (Sort::LastToExpireFirst, "never.-3"),
            (Sort::LastToExpireFirst, "999999999999999999.3"),
        ] {
            assert_eq!(sort.cursor(text), None, "{text}");
        }
    }
}
