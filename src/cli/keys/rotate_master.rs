//! `vinzy keys rotate master`: a new master key, and everything in the database wrapped anew with it.
//!
//! Which step is next follows from what there is. While something is wrapped by another key than the first, it is
//! wrapped anew; when nothing is, a rotation begins: a new key is put in front, and those that open nothing any
//! more go. On a private database both steps are done at once, because no server runs on it meanwhile.

use std::error::Error;

use sqlx::PgPool;

use super::Answer;
use super::material::{Held, Source};
use crate::cli::store::{Ground, Store, runtime};
use crate::clock::Entropy;
use crate::config::Secret;
use crate::keys::census::{self, Census};
use crate::keys::rewrap::{Rewrapped, rewrap};
use crate::keys::{MasterKeys, ServerKeys};
use crate::secrets::kept::Kept;
use crate::secrets::{SecretKind, listed, master_keys};

pub(super) fn run(held: Held<Secret>, ground: &Ground, private: bool) -> Result<Answer, Box<dyn Error>> {
    let masters = master_keys(held.value.expose())?;
    let at_once = private && matches!(held.source, Source::Kept { .. });
    if masters.iter().count() == 1 && !at_once {
        return begin(&held, ground);
    }
    runtime()?.block_on(async {
        let store = ground.open().await?;
        let rotated = rotate(&store, held, masters, ground, at_once).await;
        store.close().await?;
        rotated
    })
}

async fn rotate(
    store: &Store,
    mut held: Held<Secret>,
    mut masters: MasterKeys,
    ground: &Ground,
    at_once: bool,
) -> Result<Answer, Box<dyn Error>> {
    // A key that opens nothing here must not be rotated: it is not that of this database.
    ServerKeys::open(&store.pool, &masters).await?;
    let single = masters.iter().count() == 1;
    if single || left(&census::count(&store.pool).await?, &masters) == 0 {
        if !at_once {
            return begin(&held, ground);
        }
        held.value = put_in_file(&held.value, ground)?;
        masters = master_keys(held.value.expose())?;
    }
    let done = rewrap(&store.pool, &masters, &Entropy::System).await?;
    eprintln!(
        "Wrapped {} data keys, {} webhook secrets and {} server keys anew with the master key {}.",
        done.data_keys,
        done.endpoint_secrets,
        done.server_keys,
        masters.current().id()
    );
    end(&store.pool, &done, &held, &masters, at_once).await
}

/// The first step: a new key in front of the present one.
fn begin(held: &Held<Secret>, ground: &Ground) -> Result<Answer, Box<dyn Error>> {
    if let Source::Kept { path } = &held.source {
        put_in_file(&held.value, ground)?;
        eprintln!(
            "A new master key is in {}, in front of the present one. Restart every server, then run `vinzy keys \
             rotate master` again: it wraps everything anew with the new key.",
            path.display()
        );
    } else {
        let line = held
            .source
            .assignment(SecretKind::Master.setting(), &with_new(&held.value));
        println!("{line}");
        eprintln!(
            "Set this for every server and restart, then run `vinzy keys rotate master` again with the same: it wraps \
             everything anew with the new key. Nothing is changed until then."
        );
    }
    Ok(Answer::Yes)
}

/// The last step: what to do with the old key.
async fn end(
    pool: &PgPool,
    done: &Rewrapped,
    held: &Held<Secret>,
    masters: &MasterKeys,
    at_once: bool,
) -> Result<Answer, Box<dyn Error>> {
    if let Some(customer_id) = done.unopenable.first() {
        eprintln!(
            "{} data keys open with none of the master keys, that of customer {customer_id} for one: they were left \
             as they are. Add the key that wrapped them to VINZY_SECRET_KEY, and run this again.",
            done.unopenable.len()
        );
        return Ok(Answer::No);
    }
    if let Some(endpoint_id) = done.endpoints_unopenable.first() {
        eprintln!(
            "{} webhook secrets open with none of the master keys, that of endpoint {endpoint_id} for one: they were \
             left as they are. Add the key that wrapped them to VINZY_SECRET_KEY, or delete the endpoints, and run \
             this again.",
            done.endpoints_unopenable.len()
        );
        return Ok(Answer::No);
    }
    let left = left(&census::count(pool).await?, masters);
    if left > 0 {
        eprintln!(
            "{left} keys are wrapped by another master key: a server that does not have the new one first wrote them \
             just now. Restart it with the new key first, and run this again."
        );
        return Ok(Answer::No);
    }
    match &held.source {
        Source::Kept { path } if at_once => eprintln!(
            "Nothing in the database needs the old key any more; backups from before do. It stays in {} and goes at \
             the next rotation.",
            path.display()
        ),
        Source::Kept { path } => eprintln!(
            "Nothing in the database needs the old key any more; backups from before do. It stays in {} and goes at \
             the next rotation. Restart servers that were not restarted since the new one is there.",
            path.display()
        ),
        source => {
            let current = listed(held.value.expose()).first().copied().unwrap_or_default();
            println!("{}", source.assignment(SecretKind::Master.setting(), current));
            eprintln!(
                "Nothing in the database needs the old key any more. Once every server runs with the new one first, \
                 set this for every server and restart. Keep the old key with backups from before: they need it."
            );
        }
    }
    Ok(Answer::Yes)
}

/// How many keys another one than the current master key wraps.
fn left(census: &Census, masters: &MasterKeys) -> u64 {
    let current = Some(masters.current().id());
    let others = census.iter().filter(|(id, _)| **id != current);
    others.map(|(_, wrapped)| wrapped.total()).sum()
}

/// A new key in front of the one that wraps now. Those behind it open nothing when this is called.
fn with_new(present: &Secret) -> String {
    let current = listed(present.expose()).first().copied().unwrap_or_default();
    format!("{},{current}", SecretKind::Master.generate(&Entropy::System))
}

/// Keeps a new key in front of the present one, and gives both.
fn put_in_file(present: &Secret, ground: &Ground) -> Result<Secret, Box<dyn Error>> {
    let new = with_new(present);
    Kept::change(&ground.data_dir, |kept| {
        if kept.secret_key.as_deref() != Some(present.expose()) {
            return Err("the file of secrets was changed meanwhile; run this again".into());
        }
        kept.secret_key = Some(new.clone());
        Ok::<_, Box<dyn Error>>(())
    })?;
    Ok(new.into())
}
