//! Tables beside the serving ones: of the same shape, with the same rights, indexes and constraints under the same
//! names, so that they can take their place; distributed as they are, where they are.

use sqlx::PgConnection;

/// The schema in which tables stand that serve.
pub(super) async fn serving_schema(conn: &mut PgConnection) -> sqlx::Result<String> {
    sqlx::query_scalar!(r#"SELECT current_schema()::text AS "schema!""#)
        .fetch_one(conn)
        .await
}

/// Makes a schema with empty twins of tables that serve.
pub(super) async fn create(
    conn: &mut PgConnection,
    schema: &str,
    serving: &str,
    tables: &[&str],
) -> sqlx::Result<()> {
    sqlx::query(&format!("CREATE SCHEMA {schema}"))
        .execute(&mut *conn)
        .await?;
    for table in tables {
        let like = format!(
            "CREATE TABLE {schema}.{table} (LIKE \"{serving}\".{table} INCLUDING ALL EXCLUDING INDEXES)"
        );
        sqlx::query(&like).execute(&mut *conn).await?;
        for statement in rest(conn, schema, serving, table).await? {
            sqlx::query(&statement).execute(&mut *conn).await?;
        }
        distribute(conn, schema, table).await?;
    }
    Ok(())
}

/// Puts the rows of an empty table where those of their ledger are, on a database that Citus distributes; on any other
/// there is nothing to do.
pub(super) async fn distribute(conn: &mut PgConnection, schema: &str, table: &str) -> sqlx::Result<()> {
    let knows_citus: bool = sqlx::query_scalar("SELECT to_regclass('pg_dist_partition') IS NOT NULL")
        .fetch_one(&mut *conn)
        .await?;
    if !knows_citus {
        return Ok(());
    }
    sqlx::query("SET LOCAL citus.multi_shard_modify_mode = 'sequential'")
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "SELECT create_distributed_table(format('%I.%I', $1::text, $2::text)::regclass, 'ledger_id',
                                         colocate_with => 'ledgers')
         FROM pg_dist_partition WHERE logicalrelid = to_regclass('ledgers')",
    )
    .bind(schema)
    .bind(table)
    .execute(conn)
    .await?;
    Ok(())
}

/// What `LIKE` does not copy, or copies under names of its own.
async fn rest(
    conn: &mut PgConnection,
    schema: &str,
    serving: &str,
    table: &str,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"WITH t AS (
               SELECT c.oid, c.relname, c.relowner, c.relacl, c.reloptions, n.nspname,
                      format('%I.%I', $1::text, c.relname) AS twin
               FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = $2::text AND c.relname = $3::text
           )
           SELECT statement AS "statement!" FROM (
               SELECT 1 AS step, format('ALTER TABLE %s SET (%s)', twin, array_to_string(reloptions, ', ')) AS statement
               FROM t WHERE reloptions IS NOT NULL
               UNION ALL
               SELECT 2, format('ALTER TABLE %s ADD CONSTRAINT %I %s', twin, k.conname, pg_get_constraintdef(k.oid))
               FROM t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype IN ('p', 'u', 'x')
               UNION ALL
               SELECT 3, replace(pg_get_indexdef(i.indexrelid),
                                 format(' ON %I.%I USING ', nspname, relname), format(' ON %s USING ', twin))
               FROM t JOIN pg_index i ON i.indrelid = t.oid
               WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
               UNION ALL
               SELECT 4, format('GRANT %s ON %s TO %s%s', a.privilege_type, twin,
                                CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
                                CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
               FROM t CROSS JOIN LATERAL aclexplode(t.relacl) a
               WHERE a.grantee <> t.relowner
               UNION ALL
               SELECT 5, format('ALTER TABLE %s OWNER TO %I', twin, pg_get_userbyid(relowner))
               FROM t WHERE pg_get_userbyid(relowner) <> current_user
           ) s
           ORDER BY step, statement"#,
        schema,
        serving,
        table,
    )
    .fetch_all(conn)
    .await
}
