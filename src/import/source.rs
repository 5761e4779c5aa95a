//! The old database, which is only read: all of it as it was when reading began.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rusqlite::types::ValueRef;
use rusqlite::{Connection as Sqlite, OpenFlags};
use sqlx::postgres::{PgConnectOptions, PgRow};
use sqlx::{ConnectOptions, Connection, PgConnection, Row as _};
use tokio::sync::mpsc;

use super::cell::Cell;

/// Rows that are handed over at a time.
const CHUNK: usize = 2_048;

/// A row's values, in the order in which its columns were asked for.
pub(crate) type Cells = Vec<Cell>;

/// Where the old database is. Shown without its password.
#[derive(Clone)]
pub enum Place {
    /// A file.
    Sqlite(PathBuf),
    /// A server.
    Postgres(Box<PgConnectOptions>),
}

/// The text says of no database where it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPlace {
    /// It is of another kind.
    #[error("must begin with sqlite: or postgres://")]
    Scheme,
    /// There is no file to be read.
    #[error("must name a file, as in sqlite:/srv/vinzy/vinzy.db")]
    NoFile,
    /// It is no URL.
    #[error("is no postgres:// URL: {0}")]
    Url(String),
}

impl FromStr for Place {
    type Err = InvalidPlace;

    /// Reads `sqlite:PATH` and `postgres://…`, and both as the old system's `VINZY_DB_URL` had them: with the name of a
    /// driver (`sqlite+aiosqlite:`, `postgresql+asyncpg:`), and three slashes before a relative path.
    fn from_str(text: &str) -> Result<Self, InvalidPlace> {
        let (scheme, rest) = text.split_once(':').ok_or(InvalidPlace::Scheme)?;
        let (kind, _driver) = scheme.split_once('+').unwrap_or((scheme, ""));
        match kind {
            "sqlite" => {
                let path = match rest.strip_prefix("//") {
                    // Between the second slash and the third would stand a host.
                    Some(rest) => rest.strip_prefix('/').ok_or(InvalidPlace::NoFile)?,
                    None => rest,
                };
                let path = path.split_once('?').map_or(path, |(path, _)| path);
                if path.is_empty() || path == ":memory:" {
                    return Err(InvalidPlace::NoFile);
                }
                Ok(Self::Sqlite(path.into()))
            }
            "postgres" | "postgresql" => {
                let options = format!("postgres:{rest}").parse();
                // The URL holds a password, which the parser does not repeat.
                let options: PgConnectOptions =
                    options.map_err(|error: sqlx::Error| InvalidPlace::Url(error.to_string()))?;
                Ok(Self::Postgres(Box::new(options.disable_statement_logging())))
            }
            _ => Err(InvalidPlace::Scheme),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(options) => {
                let database = options.get_database().unwrap_or_default();
                write!(f, "postgres://{}/{database}", options.get_host())
            }
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why the old database cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// There is no such file; none is made.
    #[error("there is no file {0}")]
    Missing(PathBuf),
    /// The file cannot be read, or is no database.
    #[error("{path} cannot be read")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// The server cannot be asked.
    #[error("the old database cannot be read")]
    Postgres(#[from] sqlx::Error),
    /// Whoever reads the file has ended before it was done.
    #[error("reading the file ended unexpectedly")]
    Ended,
}

/// The old database, opened.
pub(crate) enum Source {
    Sqlite {
        path: PathBuf,
        /// Away while a table is read.
        connection: Option<Sqlite>,
    },
    Postgres(PgConnection),
}

impl Source {
    /// Opens the database for reading only, as it is now.
    pub(crate) async fn open(place: &Place) -> Result<Self, SourceError> {
        match place {
            Place::Sqlite(path) => {
                let connection = open_file(path)?;
                Ok(Self::Sqlite {
                    path: path.clone(),
                    connection: Some(connection),
                })
            }
            Place::Postgres(options) => {
                let mut connection = options.connect().await?;
                for statement in [
                    "SET TIME ZONE 'UTC'",
                    "SET DateStyle = 'ISO'",
                    "SET extra_float_digits = 1",
                    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
                ] {
                    sqlx::raw_sql(statement).execute(&mut connection).await?;
                }
                Ok(Self::Postgres(connection))
            }
        }
    }

    /// The names of its tables.
    pub(crate) async fn tables(&mut self) -> Result<Vec<String>, SourceError> {
        match self {
            Self::Sqlite { .. } => {
                self.list("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name", "")
            }
            Self::Postgres(connection) => Ok(sqlx::query_scalar(
                "SELECT DISTINCT table_name::text FROM information_schema.tables
                 WHERE table_schema = ANY(current_schemas(false)) ORDER BY 1",
            )
            .fetch_all(connection)
            .await?),
        }
    }

    /// The names of a table's columns.
    pub(crate) async fn columns(&mut self, table: &str) -> Result<Vec<String>, SourceError> {
        match self {
            Self::Sqlite { .. } => self.list("SELECT name FROM pragma_table_info(?1) ORDER BY cid", table),
            Self::Postgres(connection) => Ok(sqlx::query_scalar(
                "SELECT column_name::text FROM information_schema.columns
                 WHERE table_schema = ANY(current_schemas(false)) AND table_name = $1 ORDER BY ordinal_position",
            )
            .bind(table)
            .fetch_all(connection)
            .await?),
        }
    }

    /// How many rows a table has.
    pub(crate) async fn count(&mut self, table: &str) -> Result<u64, SourceError> {
        let sql = format!("SELECT count(*) FROM {}", quoted(table));
        let count: i64 = match self {
            Self::Sqlite { path, connection } => {
                let connection = connection.as_ref().ok_or(SourceError::Ended)?;
                let counted = connection.query_row(&sql, [], |row| row.get(0));
                counted.map_err(|source| failed(path, source))?
            }
            Self::Postgres(connection) => sqlx::query_scalar(&sql).fetch_one(connection).await?,
        };
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Reads all rows of a table in some order and hands them to `take`, so many at a time.
    pub(crate) async fn read<E: From<SourceError>>(
        &mut self,
        table: &str,
        columns: &[&str],
        order: &[&str],
        mut take: impl AsyncFnMut(Vec<Cells>) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Self::Sqlite { path, connection } => {
                let own = connection.take().ok_or(SourceError::Ended)?;
                let sql = select(table, columns, order, |column| column);
                let (sender, mut receiver) = mpsc::channel(2);
                let reading = tokio::task::spawn_blocking(move || {
                    let read = read_file(&own, &sql, &sender);
                    (own, read)
                });
                let mut taken = Ok(());
                while let Some(rows) = receiver.recv().await {
                    taken = take(rows).await;
                    if taken.is_err() {
                        receiver.close();
                        break;
                    }
                }
                drop(receiver);
                let (own, read) = reading.await.map_err(|_| SourceError::Ended)?;
                *connection = Some(own);
                taken?;
                read.map_err(|source| failed(path, source))?;
                Ok(())
            }
            Self::Postgres(connection) => {
                // Everything as text: PostgreSQL itself says best what its types hold.
                let sql = select(table, columns, order, |column| column + "::text");
                run(connection, &format!("DECLARE import_rows CURSOR FOR {sql}")).await?;
                loop {
                    let rows = sqlx::query(&format!("FETCH {CHUNK} FROM import_rows"))
                        // The same words mean other columns for each table.
                        .persistent(false)
                        .fetch_all(&mut *connection)
                        .await
                        .map_err(SourceError::from)?;
                    if rows.is_empty() {
                        break;
                    }
                    let cells: Result<Vec<Cells>, sqlx::Error> = rows.iter().map(cells_of).collect();
                    take(cells.map_err(SourceError::from)?).await?;
                }
                run(connection, "CLOSE import_rows").await?;
                Ok(())
            }
        }
    }

    /// Ends reading.
    pub(crate) async fn close(self) {
        if let Self::Postgres(connection) = self {
            // Nothing was written: how it ends does not matter.
            let _ = connection.close().await;
        }
    }

    fn list(&self, sql: &str, parameter: &str) -> Result<Vec<String>, SourceError> {
        let Self::Sqlite { path, connection } = self else {
            return Ok(vec![]);
        };
        let connection = connection.as_ref().ok_or(SourceError::Ended)?;
        let names = || {
            let mut statement = connection.prepare(sql)?;
            let parameters = &[parameter][..statement.parameter_count()];
            let names = statement.query_map(rusqlite::params_from_iter(parameters), |row| row.get(0))?;
            names.collect::<rusqlite::Result<Vec<String>>>()
        };
        names().map_err(|source| failed(path, source))
    }
}

async fn run(connection: &mut PgConnection, sql: &str) -> Result<(), SourceError> {
    sqlx::raw_sql(sql).execute(connection).await?;
    Ok(())
}

fn open_file(path: &Path) -> Result<Sqlite, SourceError> {
    if !path.is_file() {
        return Err(SourceError::Missing(path.to_owned()));
    }
    let open = || {
        let connection = Sqlite::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        connection.busy_timeout(std::time::Duration::from_secs(10))?;
        // The first read of a transaction settles what all of it sees.
        connection.execute_batch("PRAGMA query_only = ON; BEGIN")?;
        connection.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))?;
        Ok(connection)
    };
    open().map_err(|source| failed(path, source))
}

fn failed(path: &Path, source: rusqlite::Error) -> SourceError {
    SourceError::Sqlite {
        path: path.to_owned(),
        source,
    }
}

/// Hands rows over until there are no more, or nobody wants any.
fn read_file(connection: &Sqlite, sql: &str, sender: &mpsc::Sender<Vec<Cells>>) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(sql)?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    let mut chunk = vec![];
    while let Some(row) = rows.next()? {
        let cells = (0..columns).map(|index| row.get_ref(index).map(cell_of));
        chunk.push(cells.collect::<rusqlite::Result<Cells>>()?);
        if chunk.len() == CHUNK && sender.blocking_send(std::mem::take(&mut chunk)).is_err() {
            return Ok(());
        }
    }
    if !chunk.is_empty() {
        let _ = sender.blocking_send(chunk);
    }
    Ok(())
}

fn cell_of(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Integer(number),
        ValueRef::Real(number) => Cell::Real(number),
        // Old files can hold text that is no UTF-8.
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => Cell::Text(text.to_owned()),
            Err(_) => Cell::Bytes(text.to_vec()),
        },
        ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
    }
}

fn cells_of(row: &PgRow) -> Result<Cells, sqlx::Error> {
    (0..row.len())
        .map(|index| {
            Ok(row
                .try_get::<Option<String>, _>(index)?
                .map_or(Cell::Null, Cell::Text))
        })
        .collect()
}

fn select(table: &str, columns: &[&str], order: &[&str], shape: impl Fn(String) -> String) -> String {
    let columns: Vec<String> = columns.iter().map(|column| shape(quoted(column))).collect();
    let mut sql = format!("SELECT {} FROM {}", columns.join(", "), quoted(table));
    for (index, column) in order.iter().enumerate() {
        sql += if index == 0 { " ORDER BY " } else { ", " };
        sql += &quoted(column);
    }
    sql
}

/// A name as SQL takes any.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<String, InvalidPlace> {
        text.parse::<Place>().map(|place| place.to_string())
    }

    #[test]
    fn places_are_read_as_the_old_system_had_them_too() {
        for (text, path) in [
            ("sqlite:vinzy.db", "vinzy.db"),
            ("sqlite:/srv/vinzy.db", "/srv/vinzy.db"),
            ("sqlite:///./data/vinzy.db", "./data/vinzy.db"),
            ("sqlite+aiosqlite:////srv/vinzy.db?timeout=5", "/srv/vinzy.db"),
        ] {
            assert_eq!(shown(text), Ok(format!("sqlite:{path}")), "{text}");
        }
        for text in [
            "postgres://u:secret@db.example/old",
            "postgresql+asyncpg://u:secret@db.example:5433/old",
        ] {
            assert_eq!(shown(text), Ok("postgres://db.example/old".into()), "{text}");
        }
        assert_eq!(shown("mysql://h/d"), Err(InvalidPlace::Scheme));
        for none in ["sqlite:", "sqlite://", "sqlite://host/x", "sqlite::memory:"] {
            assert_eq!(shown(none), Err(InvalidPlace::NoFile), "{none}");
        }
    }

    fn file(sql: &str) -> (tempfile::TempDir, Place) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("old.db");
        Sqlite::open(&path).unwrap().execute_batch(sql).unwrap();
        (directory, Place::Sqlite(path))
    }

    #[tokio::test]
    async fn a_file_that_is_missing_is_not_made() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("none.db");
        let opened = Source::open(&Place::Sqlite(path.clone())).await;
        assert!(matches!(opened, Err(SourceError::Missing(_))));
        assert!(!path.exists());
        std::fs::write(
            &path,
            "no database, but long enough to be taken for the header of one",
        )
        .unwrap();
        let opened = Source::open(&Place::Sqlite(path)).await;
        assert!(matches!(opened, Err(SourceError::Sqlite { .. })));
    }

    #[tokio::test]
    async fn rows_come_in_order_in_chunks_and_as_they_were_put_in() {
        let sql = "CREATE TABLE \"odd \"\" name\" (id INTEGER, v);
                   WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
                   INSERT INTO \"odd \"\" name\" SELECT 5001 - i, CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN i
                   WHEN 2 THEN i + 0.5 ELSE 'x' || i END FROM n;";
        let (_directory, place) = file(sql);
        let mut source = Source::open(&place).await.unwrap();
        assert_eq!(source.tables().await.unwrap(), ["odd \" name"]);
        assert_eq!(source.columns("odd \" name").await.unwrap(), ["id", "v"]);
        assert_eq!(source.count("odd \" name").await.unwrap(), 5_000);
        for _ in 0..2 {
            let (mut chunks, mut all) = (0, vec![]);
            let take = async |rows: Vec<Cells>| {
                chunks += 1;
                all.extend(rows);
                Ok::<_, SourceError>(())
            };
            source
                .read("odd \" name", &["id", "v"], &["id"], take)
                .await
                .unwrap();
            assert_eq!((chunks, all.len()), (3, 5_000));
            assert_eq!(all[0], [Cell::Integer(1), Cell::Null]);
            assert_eq!(all[1][1], Cell::Text("x4999".into()));
            assert_eq!(all[2][1], Cell::Real(4998.5));
        }
    }

    #[tokio::test]
    async fn whoever_wants_no_more_rows_gets_none() {
        let sql = "CREATE TABLE t (id INTEGER);
                   WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
                   INSERT INTO t SELECT i FROM n;";
        let (_directory, place) = file(sql);
        let mut source = Source::open(&place).await.unwrap();
        let stop = async |_| Err(SourceError::Ended);
        assert!(matches!(
            source.read("t", &["id"], &[], stop).await,
            Err(SourceError::Ended)
        ));
        assert_eq!(source.count("t").await.unwrap(), 20_000, "it can be read again");
    }

    #[tokio::test]
    async fn nothing_can_be_written() {
        let (_directory, place) = file("CREATE TABLE t (id INTEGER)");
        let source = Source::open(&place).await.unwrap();
        let Source::Sqlite { connection, .. } = &source else {
            panic!("a file");
        };
        assert!(
            connection
                .as_ref()
                .unwrap()
                .execute("INSERT INTO t VALUES (1)", [])
                .is_err()
        );
    }
}
