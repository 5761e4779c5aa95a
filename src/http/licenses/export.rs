//! `GET /licenses.csv`

use std::io;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::stream::{self, StreamExt};
use serde_json::{Map, Value};
use sqlx::PgPool;
use tokio::time::{Duration, Instant};
use vinzy_client::licenses as wire;
use vinzy_events::Timestamp;
use vinzy_projections::licenses::{self, Cursor, Filter, Sort};
use vinzy_projections::{PageRequest, Start};

use super::filter;
use crate::app::App;
use crate::http::csv;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::subscriber::Subscriber;

/// Licenses that are read at a time: what a reader that is slow costs in memory, at most.
const AT_A_TIME: u32 = 250;
/// For how long a key that was looked at is good for.
const TRUST: Duration = Duration::from_secs(2);
/// The columns.
const COLUMNS: [&str; 12] = [
    "id",
    "status",
    "product_code",
    "customer_id",
    "tier",
    "machines_limit",
    "machines_used",
    "expires_at",
    "features",
    "entitlements",
    "metadata",
    "created_at",
];

/// Export licenses as CSV (RFC 4180), with a header, all that the filters let through.
///
/// Statuses are as of the request; what is changed while the answer is read may be in it or not. An empty cell is no limit or
/// no end; features, entitlements and metadata are JSON. A cell that begins with `=`, `+`, `-`, `@`, a tab, a line break or an
/// apostrophe has an apostrophe before it, so that no spreadsheet takes it for a formula: take one away to have the
/// value.
#[utoipa::path(
    get, path = "/licenses.csv", tag = "Licenses", operation_id = "exportLicenses",
    params(
        ("status" = Option<String>, Query, pattern = "^(active|suspended|revoked|expired)?$", description = "`active`, `suspended`, `revoked` or `expired`, as of now."),
        ("product_code" = Option<String>, Query, description = "Only licenses of this product."),
        ("customer_id" = Option<String>, Query, format = "uuid", description = "Only licenses of this customer."),
        ("tier" = Option<String>, Query, description = "Only licenses of this tier."),
        ("q" = Option<String>, Query, max_length = 36, description = "Only the license with this id, or those whose ids begin so."),
        ("key_digest" = Option<String>, Query, pattern = "^([0-9a-f]{64})?$", description = "Only the license with this key: its SHA-256, in lower case, because a key must not stand in an address."),
        ("expires_after" = Option<String>, Query, format = "date-time", description = "Only licenses that end after this time."),
        ("expires_before" = Option<String>, Query, format = "date-time", description = "Only licenses that end before this time."),
        ("sort" = Option<String>, Query, pattern = "^(-?(created|expires_at))?$", description = "`created`, which goes without saying, `-created`, `expires_at` (what never ends comes last) or `-expires_at`."),
    ),
    responses((
        status = 200, description = "Licenses", body = String, content_type = "text/csv",
        headers(("Content-Disposition" = String, description = "`attachment`, with a name for the file."))
    ))
)]
pub async fn handle(
    subscriber: Subscriber,
    State(app): State<App>,
    mut query: Query,
) -> Result<Response, Problem> {
    let (filter, sort) = filter::read(&mut query);
    query.finish()?;
    let rows = app.in_step(licenses::NAME, &subscriber.ledger_id).await?.clone();
    let mut export = Export {
        at: app.clock.now(),
        next: Some(Start::Offset(0)),
        checked: Instant::now(),
        app,
        rows,
        subscriber,
        filter,
        sort,
    };
    // Read before anything is answered: what fails now can still be told.
    let mut first = csv::records([COLUMNS.map(str::to_owned)]);
    first.extend(export.part().await?);
    let first = stream::once(async { Ok::<_, io::Error>(Bytes::from(first)) });
    let more = stream::try_unfold(export, |mut export| async {
        match export.more().await? {
            Some(part) => Ok(Some((part, export))),
            None => Ok(None),
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"licenses.csv\"",
        ),
    ];
    Ok((headers, Body::from_stream(first.chain(more))).into_response())
}

/// An export under way.
struct Export {
    app: App,
    /// Where to read.
    rows: PgPool,
    subscriber: Subscriber,
    filter: Filter,
    sort: Sort,
    at: Timestamp,
    /// Where to go on; `None` at the end.
    next: Option<Start<Cursor>>,
    /// When the key was looked at.
    checked: Instant,
}

impl Export {
    /// What follows; `None` at the end. Nothing is read before the piece of before was taken. An answer that cannot go on
    /// is broken off, so that nobody takes it for the whole.
    async fn more(&mut self) -> io::Result<Option<Bytes>> {
        if self.next.is_none() {
            return Ok(None);
        }
        if self.checked.elapsed() >= TRUST {
            self.subscriber.check(&self.app).await.map_err(broken_off)?;
            self.checked = Instant::now();
        }
        let part = self.part().await.map_err(broken_off)?;
        Ok(Some(part.into()))
    }

    async fn part(&mut self) -> Result<Vec<u8>, Problem> {
        let Some(start) = self.next.take() else {
            return Ok(vec![]);
        };
        let page = PageRequest {
            start,
            size: AT_A_TIME,
        };
        // Exports must not take all connections from those who do something else.
        let _turn = self.app.exports.acquire().await.ok();
        let ledger_id = &self.subscriber.ledger_id;
        let (rows, next) =
            licenses::part(&self.rows, ledger_id, &self.filter, self.at, self.sort, page).await?;
        self.next = next.map(Start::After);
        let rows = rows.into_iter().map(|row| {
            let license = super::row(row.id, row.state, row.machines_used, self.at);
            cells(license)
        });
        Ok(csv::records(rows))
    }
}

/// Only the log can still be told why.
fn broken_off(problem: Problem) -> io::Error {
    tracing::warn!(code = problem.code(), "an export is broken off");
    io::Error::other(problem.code())
}

fn cells(license: wire::License) -> [String; COLUMNS.len()] {
    let json = |object: Map<String, Value>| Value::Object(object).to_string();
    [
        license.id,
        license.status,
        license.product_code,
        license.customer_id,
        license.tier,
        license
            .machines_limit
            .map(|limit| limit.to_string())
            .unwrap_or_default(),
        license.machines_used.to_string(),
        license.expires_at.unwrap_or_default(),
        json(license.features),
        json(license.entitlements),
        json(license.metadata),
        license.created_at,
    ]
}
