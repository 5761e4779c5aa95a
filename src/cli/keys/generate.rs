//! `vinzy keys generate`

use clap::{Args, ValueEnum};

use super::Answer;
use crate::clock::Entropy;
use crate::secrets::SecretKind;

#[derive(Debug, Args)]
#[command(
    after_help = "Prints a line for an environment file for each; nothing is stored. Each is 256 random bits.\n\n\
                        Example: (umask 077; vinzy keys generate > vinzy.env)"
)]
pub(super) struct Generate {
    /// Which one
    #[arg(value_enum, default_value_t = Kind::All)]
    kind: Kind,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    Hmac,
    Signing,
    Master,
    Api,
    SuperAdmin,
    All,
}

impl Generate {
    pub(super) fn run(self) -> Answer {
        let one = |kind| vec![kind];
        let kinds = match self.kind {
            Kind::Hmac => one(SecretKind::Hmac),
            Kind::Signing => one(SecretKind::Signing),
            Kind::Master => one(SecretKind::Master),
            Kind::Api => one(SecretKind::Api),
            Kind::SuperAdmin => one(SecretKind::SuperAdmin),
            Kind::All => SecretKind::ALL.to_vec(),
        };
        for kind in kinds {
            println!("{}={}", kind.setting(), kind.generate(&Entropy::System));
        }
        Answer::Yes
    }
}
