//! The read model of products.

use std::collections::HashMap;

use serde_json::{Map, Value};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;
use vinzy_events::product::{Product, ProductCode, ProductEvent, ProductState, Tiers};
use vinzy_events::{ProductId, Timestamp};

use crate::event_log::{signed, unsigned};
use crate::rows::{Placed, Recorded, RowModel, json_object, json_text};
use crate::{Page, PageRequest};

/// Name of the projection.
pub const NAME: &str = "products";

/// A product as lists show it.
#[derive(Debug, Clone, PartialEq)]
pub struct ProductRow {
    /// Its id.
    pub id: ProductId,
    /// What is true of it.
    pub state: ProductState,
    /// Where it was created, which orders lists and is their cursor.
    pub created_position: u64,
}

pub(crate) struct Products;

type Row = Placed<Product>;

impl RowModel for Products {
    const NAME: &'static str = NAME;
    const STREAM_TYPES: &'static [&'static str] = &["product"];
    const TABLES: &'static [&'static str] = &["products"];
    type Event = ProductEvent;
    type Row = Row;

    fn fold(row: Option<Row>, recorded: Recorded<ProductEvent>) -> Option<Row> {
        Row::fold(row, recorded, |product| product.live().is_some())
    }

    async fn load(conn: &mut PgConnection, ledger_id: &str, ids: &[Uuid]) -> sqlx::Result<Vec<(Uuid, Row)>> {
        let rows = sqlx::query!(
            "SELECT product_id, code, name, description, default_tier, features, tiers, metadata,
                    created_at, created_position
             FROM products WHERE ledger_id = $1 AND product_id = ANY($2)",
            ledger_id,
            ids,
        )
        .fetch_all(conn)
        .await?;
        rows.into_iter()
            .map(|row| {
                let state = ProductState {
                    code: code(&row.code)?,
                    name: row.name,
                    description: row.description,
                    default_tier: row.default_tier,
                    features: json_object(row.features),
                    tiers: tiers(row.tiers)?,
                    metadata: json_object(row.metadata),
                    created_at: Timestamp::from_chrono(row.created_at),
                    deleted: false,
                };
                Ok((row.product_id, Row::at(row.created_position, state)))
            })
            .collect()
    }

    async fn save(conn: &mut PgConnection, ledger_id: &str, rows: &[(Uuid, Row)]) -> sqlx::Result<()> {
        for (id, row) in rows {
            let Some(state) = row.aggregate.state() else {
                continue;
            };
            sqlx::query!(
                "INSERT INTO products (ledger_id, product_id, code, name, description, default_tier, features, tiers,
                                       metadata, created_at, created_position)
                 VALUES ($1, $2, $3, $4, $5, $6, $7::text::json, $8::text::json, $9::text::json, $10, $11)
                 ON CONFLICT (ledger_id, product_id) DO UPDATE
                 SET name = excluded.name, description = excluded.description,
                     default_tier = excluded.default_tier, features = excluded.features,
                     tiers = excluded.tiers, metadata = excluded.metadata",
                ledger_id,
                id,
                state.code.as_str(),
                state.name,
                state.description,
                state.default_tier,
                json_text(&state.features),
                tiers_text(&state.tiers),
                json_text(&state.metadata),
                state.created_at.to_chrono(),
                signed(row.created_position),
            )
            .execute(&mut *conn)
            .await?;
        }
        Ok(())
    }

    async fn remove(conn: &mut PgConnection, ledger_id: &str, ids: &[Uuid]) -> sqlx::Result<()> {
        sqlx::query!(
            "DELETE FROM products WHERE ledger_id = $1 AND product_id = ANY($2)",
            ledger_id,
            ids
        )
        .execute(conn)
        .await?;
        Ok(())
    }
}

/// Products in order of creation: only the one with `code`, and only those whose code or name holds `text`, upper and
/// lower case being the same.
pub async fn list(
    pool: &PgPool,
    ledger_id: &str,
    by_code: Option<&str>,
    text: Option<&str>,
    page: PageRequest,
) -> sqlx::Result<Page<ProductRow>> {
    let ids = match text {
        Some(text) => Some(holding(pool, ledger_id, text).await?),
        None => None,
    };
    let rows = sqlx::query!(
        "SELECT product_id, code, name, description, default_tier, features, tiers, metadata, created_at,
                created_position
         FROM products
         WHERE ledger_id = $1 AND created_position > $2 AND ($3::text IS NULL OR code = $3)
           AND ($4::uuid[] IS NULL OR product_id = ANY($4))
         ORDER BY created_position
         OFFSET $5 LIMIT $6",
        ledger_id,
        page.after(),
        by_code,
        ids.as_deref(),
        page.offset(),
        page.limit(),
    )
    .fetch_all(pool)
    .await?;
    let total = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM products
           WHERE ledger_id = $1 AND ($2::text IS NULL OR code = $2)
             AND ($3::uuid[] IS NULL OR product_id = ANY($3))"#,
        ledger_id,
        by_code,
        ids.as_deref(),
    )
    .fetch_one(pool)
    .await?;
    let rows = rows
        .into_iter()
        .map(|row| {
            Ok(ProductRow {
                id: row.product_id.into(),
                state: ProductState {
                    code: code(&row.code)?,
                    name: row.name,
                    description: row.description,
                    default_tier: row.default_tier,
                    features: json_object(row.features),
                    tiers: tiers(row.tiers)?,
                    metadata: json_object(row.metadata),
                    created_at: Timestamp::from_chrono(row.created_at),
                    deleted: false,
                },
                created_position: unsigned(row.created_position),
            })
        })
        .collect::<sqlx::Result<Vec<_>>>()?;
    Ok(Page::of(rows, &page, unsigned(total), |row| row.created_position))
}

/// The products whose code or name holds `text`. Databases know upper and lower case of ASCII only, in some locales; and
/// codes are so short that there are not many products.
async fn holding(pool: &PgPool, ledger_id: &str, text: &str) -> sqlx::Result<Vec<Uuid>> {
    let text = text.to_lowercase();
    let rows = sqlx::query!(
        "SELECT product_id, code, name FROM products WHERE ledger_id = $1",
        ledger_id
    )
    .fetch_all(pool)
    .await?;
    let holds = |field: &str| field.to_lowercase().contains(&text);
    Ok(rows
        .iter()
        .filter(|row| holds(&row.code) || holds(&row.name))
        .map(|row| row.product_id)
        .collect())
}

/// The features of products, by their ids.
pub async fn features(
    pool: &PgPool,
    ledger_id: &str,
    ids: &[ProductId],
) -> sqlx::Result<HashMap<ProductId, Map<String, Value>>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    let rows = sqlx::query!(
        "SELECT product_id, features FROM products WHERE ledger_id = $1 AND product_id = ANY($2)",
        ledger_id,
        &ids,
    )
    .fetch_all(pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.product_id.into(), json_object(row.features)))
        .collect())
}

fn tiers(value: Value) -> sqlx::Result<Tiers> {
    serde_json::from_value(value).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

fn tiers_text(tiers: &Tiers) -> String {
    serde_json::to_string(tiers).expect("tiers have string keys")
}

pub(crate) fn code(text: &str) -> sqlx::Result<ProductCode> {
    ProductCode::parse(text).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
