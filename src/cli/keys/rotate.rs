//! `vinzy keys rotate`

use std::collections::BTreeMap;
use std::error::Error;

use clap::{Args, ValueEnum};
use vinzy_events::key::MAX_VERSION;

use super::material::{Held, Material, Ring, Source, Sources};
use super::{Answer, rotate_master};
use crate::cli::store::Ground;
use crate::clock::Entropy;
use crate::config::{DatabaseConfig, Secret, SecretConfig};
use crate::secrets::SecretKind;
use crate::secrets::kept::Kept;

#[derive(Debug, Args)]
#[command(
    after_help = "Keys that a server in development keeps in its data directory are changed there. Of keys that come \
                        from the environment or from vinzy.toml, the new value is printed, to be set there. Servers \
                        take new keys at their next start.\n\n\
                        hmac: new license keys are made with the new key, those of before stay valid.\n\
                        signing: new leases are signed with the new seed, those of before still verify. The server's next start \
                        hands its ledgers over to it, which the old one must sign: it stays until then.\n\
                        master: with several keys in VINZY_SECRET_KEY, everything in the database is wrapped anew with \
                        the first, also beside running servers; run it again if it was interrupted.\n\n\
                        The procedures, step by step: docs/configuration.md, \"Rotating keys\"."
)]
pub(super) struct Rotate {
    /// Which one
    #[arg(value_enum)]
    kind: Kind,

    #[command(flatten)]
    database: DatabaseConfig,
    #[command(flatten)]
    secrets: SecretConfig,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Hmac,
    Signing,
    Master,
}

impl Rotate {
    pub(super) fn run(self, data_dir_given: bool, sources: &Sources<'_>) -> Result<Answer, Box<dyn Error>> {
        let private = self.database.db_url.is_none();
        let ground = Ground::prepare(self.database, data_dir_given)?;
        ground.notes.iter().for_each(|note| eprintln!("vinzy: {note}"));
        let material = Material::gather(&self.secrets, sources, &ground.data_dir)?;
        match self.kind {
            Kind::Hmac => hmac(present(material.hmac, SecretKind::Hmac)?, &ground),
            Kind::Signing => signing(&present(material.signing, SecretKind::Signing)?, &ground),
            Kind::Master => {
                let held = present(material.master, SecretKind::Master)?;
                rotate_master::run(held, &ground, private)
            }
        }
    }
}

fn present<T>(held: Option<Held<T>>, kind: SecretKind) -> Result<Held<T>, String> {
    held.ok_or_else(|| {
        format!(
            "there is no {} to rotate: set it, or name the server's data directory; in development, the first \
             start of the server makes one",
            kind.setting()
        )
    })
}

fn hmac(held: Held<Ring>, ground: &Ground) -> Result<Answer, Box<dyn Error>> {
    if let Source::Kept { path } = &held.source {
        let kept = Kept::change(&ground.data_dir, |kept| {
            let ring = with_next(kept.hmac_ring()?.unwrap_or_default())?;
            kept.hmac_keys = Some(by_text(ring));
            kept.hmac_key = None;
            Ok::<_, Box<dyn Error>>(())
        })?;
        let version = kept
            .hmac_ring()?
            .and_then(|ring| ring.last_key_value().map(|(version, _)| *version));
        eprintln!(
            "The key of version {} is in {}. After its next start the server makes license keys with it; those of \
             before stay valid.",
            version.unwrap_or(0),
            path.display()
        );
        return Ok(Answer::Yes);
    }
    let ring = with_next(held.value)?;
    let json = serde_json::to_string(&by_text(ring))?;
    println!("{}", held.source.assignment("VINZY_HMAC_KEYS", &json));
    eprintln!(
        "Set this for every server, in place of the present VINZY_HMAC_KEY or VINZY_HMAC_KEYS, and restart. License \
         keys of before stay valid as long as their key is in the ring."
    );
    Ok(Answer::Yes)
}

/// The ring with one more key, which signs from then on.
fn with_next(mut ring: Ring) -> Result<Ring, String> {
    let next = ring.last_key_value().map_or(0, |(version, _)| version + 1);
    if next > MAX_VERSION {
        return Err(format!(
            "the key ring is at version {MAX_VERSION}, the last: remove keys whose license keys are all gone, and \
             number the others from 0 in the same order. Every key is tried, so license keys stay valid"
        ));
    }
    ring.insert(next, SecretKind::Hmac.generate(&Entropy::System));
    Ok(ring)
}

fn by_text(ring: Ring) -> BTreeMap<String, String> {
    ring.into_iter()
        .map(|(version, key)| (version.to_string(), key))
        .collect()
}

fn signing(held: &Held<Secret>, ground: &Ground) -> Result<Answer, Box<dyn Error>> {
    let new = SecretKind::Signing.generate(&Entropy::System);
    // Refused here, and not at the server's next start.
    crate::secrets::seeds(held.value.expose())?;
    let until = "The old seed must stay in it as long as leases that it signed are out there (VINZY_LEASE_TTL), and \
                 as long as `vinzy keys list` says that it signs a ledger's checkpoints.";
    if let Source::Kept { path } = &held.source {
        Kept::change(&ground.data_dir, |kept| {
            let old = kept
                .signing_key
                .as_ref()
                .ok_or("the file of secrets was changed meanwhile")?;
            kept.signing_key = Some(format!("{new},{old}"));
            Ok::<_, Box<dyn Error>>(())
        })?;
        eprintln!(
            "The new seed is in {}. After its next start the server signs leases with it. {until}",
            path.display()
        );
    } else {
        let value = format!("{new},{}", held.value.expose());
        println!("{}", held.source.assignment("VINZY_SIGNING_KEY", &value));
        eprintln!("Set this for every server and restart. {until}");
    }
    Ok(Answer::Yes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_grows_at_its_end_until_it_is_full() {
        let ring = with_next(BTreeMap::from([(0, "a".into()), (4, "b".into())])).unwrap();
        assert_eq!(ring.keys().copied().collect::<Vec<_>>(), [0, 4, 5]);
        assert_eq!((ring[&0].as_str(), ring[&4].as_str()), ("a", "b"));
        assert!(with_next(BTreeMap::from([(30, "a".into())])).is_ok());
        let full = with_next(BTreeMap::from([(31, "a".into())])).unwrap_err();
        assert!(full.contains("the last"), "{full}");
    }
}
