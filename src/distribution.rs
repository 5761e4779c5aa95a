//! One database over many servers, with the extension Citus: where each table goes, and moving them there.
//!
//! What knows its ledger goes where the ledger is, so that an append is a transaction of one server. Look-ups that do
//! not know it go by what they are asked with, and what is small and asked everywhere is copied. The rules that tables
//! and statements keep for that are in docs/scale.md; a test holds every table against them.

use sqlx::{Connection, PgConnection, PgPool, Row};

/// Where a table's rows stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// With all else of their ledger.
    WithLedger,
    /// Where the value of this column leads, by itself.
    By(&'static str),
    /// On every server, all of them.
    Everywhere,
}

use Placement::{By, Everywhere, WithLedger};

/// Every table of the schema, those that others refer to first.
pub const PLAN: &[(&str, Placement)] = &[
    ("ledgers", WithLedger),
    ("events", WithLedger),
    ("snapshots", WithLedger),
    ("unique_claims", WithLedger),
    ("reference_counts", WithLedger),
    ("idempotency_keys", WithLedger),
    ("data_keys", WithLedger),
    ("sealed_values", WithLedger),
    ("checkpoints", WithLedger),
    ("tiles", WithLedger),
    ("archives", WithLedger),
    ("projection_checkpoints", WithLedger),
    ("products", WithLedger),
    ("customers", WithLedger),
    ("licenses", WithLedger),
    ("license_counts", WithLedger),
    ("license_owners", WithLedger),
    ("machines", WithLedger),
    ("usage_totals", WithLedger),
    ("usage_buckets", WithLedger),
    ("anomalies", WithLedger),
    ("activity_days", WithLedger),
    ("activity_usage", WithLedger),
    ("overview_licenses", WithLedger),
    ("tenants", WithLedger),
    ("api_keys", WithLedger),
    ("api_key_uses", WithLedger),
    ("endpoints", WithLedger),
    ("endpoint_secrets", WithLedger),
    ("endpoint_failures", WithLedger),
    ("deliveries", WithLedger),
    ("delivery_attempts", WithLedger),
    ("purchases", WithLedger),
    ("mails", WithLedger),
    // As many as licenses, and asked for one at a time.
    ("license_keys", By("key_digest")),
    ("sessions", By("token_digest")),
    // Few, and joined with what stands anywhere.
    ("api_key_secrets", Everywhere),
    ("closed_ledgers", Everywhere),
    ("delivery_workers", Everywhere),
    ("server_keys", Everywhere),
];

impl Placement {
    /// The column that a row's server is found by.
    pub const fn column(self) -> Option<&'static str> {
        match self {
            Self::WithLedger => Some("ledger_id"),
            Self::By(column) => Some(column),
            Self::Everywhere => None,
        }
    }
}

/// Whether the database is one server or many: some statements are put another way for many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// All tables on one server.
    OneServer,
    /// Tables distributed by ledger.
    Distributed,
}

impl Layout {
    /// How the database of a connection is laid out now.
    pub async fn of(conn: &mut PgConnection) -> sqlx::Result<Self> {
        let knows_citus: bool = sqlx::query_scalar("SELECT to_regclass('pg_dist_partition') IS NOT NULL")
            .fetch_one(&mut *conn)
            .await?;
        if !knows_citus {
            return Ok(Self::OneServer);
        }
        let is_distributed: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = to_regclass('events'))",
        )
        .fetch_one(conn)
        .await?;
        Ok(if is_distributed {
            Self::Distributed
        } else {
            Self::OneServer
        })
    }
}

/// Why the database cannot be distributed.
#[derive(Debug, thiserror::Error)]
pub enum DistributeError {
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// Citus is not installed.
    #[error(
        "the extension citus is not available on this server: install Citus for its version of PostgreSQL, put citus \
         first in shared_preload_libraries, restart it, and try again (nothing was changed)"
    )]
    Unavailable,
    /// Citus is installed and does not start.
    #[error("the extension citus cannot be created on this server: {0}")]
    NotCreated(#[source] sqlx::Error),
    /// Servers that run know nothing of it.
    #[error("{0} connections of running servers are open: stop them first (nothing was changed)")]
    InUse(i64),
    /// Somebody has distributed a table in another way.
    #[error("table {table} is distributed otherwise than planned: by {found} (nothing was changed)")]
    Misplaced {
        /// The table.
        table: String,
        /// By what.
        found: String,
    },
}

/// What distributing came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distributed {
    /// The tables that were moved; none when all were in their places.
    pub moved: Vec<&'static str>,
    /// Servers that hold rows.
    pub servers: i64,
}

/// Makes sure that the database has Citus, and that no server is at work on it.
pub async fn prepare(pool: &PgPool) -> Result<(), DistributeError> {
    let mut conn = pool.acquire().await?;
    let is_created: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')")
            .fetch_one(&mut *conn)
            .await?;
    let is_available: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'citus')")
            .fetch_one(&mut *conn)
            .await?;
    if !is_created && !is_available {
        return Err(DistributeError::Unavailable);
    }
    drop(conn);
    ensure_unused(pool).await?;
    if !is_created {
        sqlx::query("CREATE EXTENSION citus")
            .execute(pool)
            .await
            .map_err(DistributeError::NotCreated)?;
    }
    Ok(())
}

/// Makes sure that nobody but `pool` is connected to its database as a server is: servers learn at their start how their
/// database is laid out.
pub async fn ensure_unused(pool: &PgPool) -> Result<(), DistributeError> {
    let sessions: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'vinzy'",
    )
    .fetch_one(pool)
    .await?;
    let others = sessions - i64::from(pool.size());
    if others > 0 {
        Err(DistributeError::InUse(others))
    } else {
        Ok(())
    }
}

/// Moves every table of the current schema to its place in one transaction, with what it holds. What is in its place
/// stays there, so that it can be called again, after an upgrade for instance.
pub async fn distribute(conn: &mut PgConnection) -> Result<Distributed, DistributeError> {
    let mut tx = conn.begin().await?;
    // Copies on all servers and rows on one are changed in one transaction here; and triggers are made on tables that
    // are distributed, which Citus refuses unless it is told that they do not write.
    for setting in [
        "SET LOCAL citus.multi_shard_modify_mode = 'sequential'",
        "SET LOCAL citus.enable_unsafe_triggers = on",
    ] {
        sqlx::query(setting).execute(&mut *tx).await?;
    }
    let moved = misplaced(&mut tx).await?;
    if !moved.is_empty() {
        let names: Vec<&str> = moved.iter().map(|(table, _)| *table).collect();
        // Triggers and foreign keys are in the way of a table that is distributed.
        let attached = attached(&mut tx, &names).await?;
        for statement in attached.iter().map(|one| &one.taken_off) {
            sqlx::query(statement).execute(&mut *tx).await?;
        }
        for (table, placement) in &moved {
            place(&mut tx, table, *placement).await?;
        }
        for statement in attached.iter().flat_map(|one| &one.put_on) {
            sqlx::query(statement).execute(&mut *tx).await?;
        }
        // What a transaction sets for itself shall hold on the servers that it writes on.
        let database: String = sqlx::query_scalar("SELECT quote_ident(current_database())")
            .fetch_one(&mut *tx)
            .await?;
        sqlx::query(&format!(
            "ALTER DATABASE {database} SET citus.propagate_set_commands = 'local'"
        ))
        .execute(&mut *tx)
        .await?;
    }
    let servers = sqlx::query_scalar("SELECT count(*) FROM pg_dist_node WHERE shouldhaveshards")
        .fetch_one(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(Distributed {
        moved: moved.into_iter().map(|(table, _)| table).collect(),
        servers,
    })
}

/// The tables that are not distributed yet.
async fn misplaced(conn: &mut PgConnection) -> Result<Vec<(&'static str, Placement)>, DistributeError> {
    let rows = sqlx::query(
        "SELECT c.relname::text AS name, column_to_column_name(p.logicalrelid, p.partkey) AS found
         FROM pg_dist_partition p
         JOIN pg_class c ON c.oid = p.logicalrelid
         WHERE c.relnamespace = current_schema()::regnamespace",
    )
    .fetch_all(conn)
    .await?;
    let mut waiting = PLAN.to_vec();
    for row in rows {
        let (table, found): (String, Option<String>) = (row.try_get("name")?, row.try_get("found")?);
        let planned = PLAN.iter().find(|(name, _)| *name == table);
        if planned.is_some_and(|(_, placement)| placement.column() != found.as_deref()) {
            let found = found.unwrap_or_else(|| "copies".to_owned());
            return Err(DistributeError::Misplaced { table, found });
        }
        waiting.retain(|(name, _)| *name != table);
    }
    Ok(waiting)
}

/// A trigger or a foreign key: the statements that take it off, and that put it on again.
struct Attached {
    taken_off: String,
    put_on: Vec<String>,
}

/// What is taken off tables before they move; in the order in which it is put on again.
async fn attached(conn: &mut PgConnection, tables: &[&str]) -> sqlx::Result<Vec<Attached>> {
    let rows = sqlx::query(
        "WITH t AS (SELECT c.oid FROM pg_class c
                    WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = ANY($1))
         SELECT 1 AS step, format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS taken_off,
                ARRAY[format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname,
                             pg_get_constraintdef(oid))] AS put_on
         FROM pg_constraint
         WHERE contype = 'f' AND (conrelid IN (SELECT oid FROM t) OR confrelid IN (SELECT oid FROM t))
         UNION ALL
         SELECT 2, format('DROP TRIGGER %I ON %s', tgname, tgrelid::regclass),
                ARRAY[format('SELECT create_distributed_function(%L)', tgfoid::regprocedure),
                      pg_get_triggerdef(oid)]
         FROM pg_trigger WHERE NOT tgisinternal AND tgrelid IN (SELECT oid FROM t)
         ORDER BY step, taken_off",
    )
    .bind(tables)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Attached {
                taken_off: row.try_get("taken_off")?,
                put_on: row.try_get("put_on")?,
            })
        })
        .collect()
}

/// Moves a table, and removes what this server held of it before: hidden rows would be backed up, and survive erasures.
async fn place(conn: &mut PgConnection, table: &str, placement: Placement) -> sqlx::Result<()> {
    match placement {
        WithLedger => {
            let beside = if table == "ledgers" { "none" } else { "ledgers" };
            sqlx::query(
                "SELECT create_distributed_table($1::text::regclass, 'ledger_id', colocate_with => $2)",
            )
            .bind(table)
            .bind(beside)
            .execute(&mut *conn)
            .await?;
        }
        By(column) => {
            sqlx::query("SELECT create_distributed_table($1::text::regclass, $2, colocate_with => 'none')")
                .bind(table)
                .bind(column)
                .execute(&mut *conn)
                .await?;
        }
        Everywhere => {
            sqlx::query("SELECT create_reference_table($1::text::regclass)")
                .bind(table)
                .execute(&mut *conn)
                .await?;
        }
    }
    let may_truncate: bool = sqlx::query_scalar("SELECT has_table_privilege($1, 'TRUNCATE')")
        .bind(table)
        .fetch_one(&mut *conn)
        .await?;
    let truncate = "SELECT truncate_local_data_after_distributing_table($1::text::regclass)";
    if may_truncate {
        sqlx::query(truncate).bind(table).execute(conn).await?;
        return Ok(());
    }
    // The owner has taken it from itself, as from everybody else, and shall not have it afterwards.
    sqlx::query(&format!("GRANT TRUNCATE ON {table} TO CURRENT_USER"))
        .execute(&mut *conn)
        .await?;
    sqlx::query(truncate).bind(table).execute(&mut *conn).await?;
    sqlx::query(&format!("REVOKE TRUNCATE ON {table} FROM CURRENT_USER"))
        .execute(conn)
        .await?;
    Ok(())
}
