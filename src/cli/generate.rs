//! `vinzy generate`

use std::error::Error;

use clap::Args;
use vinzy_events::product::ProductCode;

use super::Answer;
use super::validate::RingConfig;
use crate::clock::Entropy;

#[derive(Debug, Args)]
#[command(
    after_help = "The key is signed and well-formed, but belongs to no license: `POST /licenses` issues \
                        one that does.\n\nExample: VINZY_HMAC_KEY=… vinzy generate PRD"
)]
pub(super) struct Generate {
    /// Product code, one to three letters A to Z
    product_code: String,

    /// How many keys to make
    #[arg(long, short = 'n', default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    count: u32,

    #[command(flatten)]
    ring: RingConfig,
}

impl Generate {
    pub(super) fn run(self) -> Result<Answer, Box<dyn Error>> {
        let code = ProductCode::parse(&self.product_code)
            .map_err(|error| format!("product code {:?} {error}", self.product_code))?;
        let ring = self.ring.load()?;
        for _ in 0..self.count {
            println!(
                "{}",
                ring.generate(code.as_str(), Entropy::System.bytes()).as_str()
            );
        }
        Ok(Answer::Yes)
    }
}
