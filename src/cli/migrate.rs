//! `vinzy migrate`

use std::error::Error;

use clap::Args;

use super::Answer;
use super::store::with_store;
use crate::app::MIGRATOR;
use crate::config::DatabaseConfig;

#[derive(Debug, Args)]
#[command(
    after_help = "`vinzy serve` does this at every start. Alone it is for deployments whose server may not \
                        change the schema. Running it again changes nothing."
)]
pub(super) struct Migrate {
    #[command(flatten)]
    database: DatabaseConfig,
}

impl Migrate {
    pub(super) fn run(self, data_dir_given: bool) -> Result<Answer, Box<dyn Error>> {
        with_store(self.database, data_dir_given, |pool, _| async move {
            MIGRATOR.run(&pool).await?;
            let newest = MIGRATOR.iter().last().map_or(0, |migration| migration.version);
            println!("the schema is up to date (migration {newest})");
            Ok(Answer::Yes)
        })
    }
}
