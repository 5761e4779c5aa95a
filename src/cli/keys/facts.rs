//! What a database says of the keys.

use std::error::Error;

use sqlx::PgPool;

use crate::keys::census::{self, Census};
use crate::ledger::{NamedKey, named_keys};

/// What master keys wrap, and what ledgers verify with.
pub(super) struct Facts {
    pub(super) census: Census,
    pub(super) ledgers: Vec<NamedKey>,
}

impl Facts {
    pub(super) async fn read(pool: &PgPool) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            census: census::count(pool).await?,
            ledgers: named_keys(pool).await?,
        })
    }
}
