//! `vinzy health`

use std::error::Error;
use std::time::Duration;

use clap::Args;

use super::Answer;
use super::store::runtime;

#[derive(Debug, Args)]
#[command(after_help = "Exit code 0: alive and ready. 1: alive, but not ready. 2: no answer.")]
pub(super) struct Health {
    /// Address of the server, with its path prefix if it has one
    #[arg(
        long,
        env = "VINZY_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:8080"
    )]
    url: String,

    /// How long to wait for an answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    timeout: u64,
}

impl Health {
    pub(super) fn run(self) -> Result<Answer, Box<dyn Error>> {
        runtime()?.block_on(self.ask())
    }

    async fn ask(self) -> Result<Answer, Box<dyn Error>> {
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(self.timeout))
            .build()?;
        let base = self.url.trim_end_matches('/');
        for path in ["/health", "/ready"] {
            let response = client.get(format!("{base}{path}")).send().await?;
            let status = response.status();
            println!("{path}: {} {}", status.as_u16(), response.text().await?);
            if !status.is_success() {
                return Ok(Answer::No);
            }
        }
        Ok(Answer::Yes)
    }
}
