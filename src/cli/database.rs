//! `vinzy database`

use std::error::Error;
use std::io::Write;

use clap::Args;
use tokio::io::AsyncReadExt;

use super::Answer;
use super::store::{Ground, runtime, told_to_end};
use crate::config::DatabaseConfig;
use crate::embedded_postgres::EmbeddedPostgres;

#[derive(Debug, Args)]
#[command(
    after_help = "Prints the database's URL as one line, for psql, pg_dump and others; runs until SIGTERM or \
                        SIGINT. The server must not run on the same data directory meanwhile."
)]
pub(super) struct Database {
    /// End when standard input is closed: with the program that started this one
    #[arg(long)]
    until_stdin_closes: bool,

    #[command(flatten)]
    database: DatabaseConfig,
}

impl Database {
    pub(super) fn run(self, data_dir_given: bool) -> Result<Answer, Box<dyn Error>> {
        let database = DatabaseConfig {
            db_url: None,
            ..self.database
        };
        let ground = Ground::prepare(database, data_dir_given)?;
        ground.notes.iter().for_each(|note| eprintln!("vinzy: {note}"));
        runtime()?.block_on(async {
            let postgres = EmbeddedPostgres::start(&ground.data_dir).await?;
            let mut out = std::io::stdout();
            writeln!(out, "{}", postgres.url())?;
            out.flush()?;
            tokio::select! {
                ended = told_to_end() => ended?,
                () = stdin_closed(), if self.until_stdin_closes => {}
            }
            postgres.stop().await?;
            Ok(Answer::Yes)
        })
    }
}

async fn stdin_closed() {
    let mut stdin = tokio::io::stdin();
    let mut buffer = [0; 64];
    while stdin.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
}
