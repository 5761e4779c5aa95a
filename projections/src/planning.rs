//! How statements are planned whose filters are there or not.

use sqlx::{PgPool, Postgres, Transaction};

/// A transaction whose statements are planned with the values at hand: a plan that is made once for all filters cannot
/// use the indexes that are for some.
pub(crate) async fn planning_anew(pool: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
    let mut tx = pool.begin().await?;
    sqlx::query!("SET LOCAL plan_cache_mode = force_custom_plan")
        .execute(&mut *tx)
        .await?;
    Ok(tx)
}
