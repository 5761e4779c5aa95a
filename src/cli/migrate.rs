//! `vinzy migrate`

use std::error::Error;

use clap::Args;

use super::Answer;
use super::store::with_store;
use crate::app::MIGRATOR;
use crate::config::DatabaseConfig;
use crate::distribution;

#[derive(Debug, Args)]
#[command(
    after_help = "`vinzy serve` does this at every start. Alone it is for deployments whose server may not \
                        change the schema. Running it again changes nothing."
)]
pub(super) struct Migrate {
    /// Distribute the tables by ledger over the servers of a Citus cluster, whose coordinator the database is
    #[arg(long)]
    distribute: bool,

    #[command(flatten)]
    database: DatabaseConfig,
}

impl Migrate {
    pub(super) fn run(self, data_dir_given: bool) -> Result<Answer, Box<dyn Error>> {
        with_store(self.database, data_dir_given, |pool, _| async move {
            if self.distribute {
                distribution::prepare(&pool).await?;
            }
            MIGRATOR.run(&pool).await?;
            let newest = MIGRATOR.iter().last().map_or(0, |migration| migration.version);
            println!("the schema is up to date (migration {newest})");
            if self.distribute {
                let mut conn = pool.acquire().await?;
                let distributed = distribution::distribute(&mut conn).await?;
                let (moved, servers) = (distributed.moved.len(), distributed.servers);
                println!(
                    "{moved} tables were distributed just now, all are, over {servers} database servers"
                );
            }
            Ok(Answer::Yes)
        })
    }
}
