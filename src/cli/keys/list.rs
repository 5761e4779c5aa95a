//! `vinzy keys list`

use std::error::Error;
use std::fmt::Write;

use clap::Args;
use serde::Serialize;
use serde_json::json;
use vinzy_events::lease::LeaseSigner;

use super::Answer;
use super::facts::Facts;
use super::material::{Held, Material, Source, Sources};
use crate::cli::store::{Ground, runtime};
use crate::config::{DatabaseConfig, Secret, SecretConfig};
use crate::keys::MasterKey;
use crate::keys::census::Wrapped;
use crate::secrets::strength::weakness;
use crate::secrets::{SecretKind, checkpoint_keys, listed, seeds};

#[derive(Debug, Args)]
#[command(
    after_help = "Shows the keys that the server would take at its next start, with the settings of this command. \
                        The database, when there is one and it can be reached, says how many keys each master key \
                        wraps, and whose checkpoints a seed signs.\n\n\
                        Exit code 0: all are there and good. 1: one is missing or weak."
)]
pub(super) struct List {
    /// As JSON
    #[arg(long)]
    json: bool,

    /// Do not ask the database
    #[arg(long)]
    offline: bool,

    #[command(flatten)]
    database: DatabaseConfig,
    #[command(flatten)]
    secrets: SecretConfig,
}

/// A key, without the key.
#[derive(Debug, Serialize)]
struct Row {
    kind: &'static str,
    /// Version, thumbprint or id.
    id: Option<String>,
    role: &'static str,
    source: Source,
    weakness: Option<String>,
    /// Whether a production server refuses to start with it.
    refused: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    wraps: Option<Wrapped>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signs_checkpoints_of: Option<Vec<String>>,
}

impl List {
    pub(super) fn run(self, data_dir_given: bool, sources: &Sources<'_>) -> Result<Answer, Box<dyn Error>> {
        let private = self.database.db_url.is_none();
        let ground = Ground::prepare(self.database, data_dir_given)?;
        ground.notes.iter().for_each(|note| eprintln!("vinzy: {note}"));
        let material = Material::gather(&self.secrets, sources, &ground.data_dir)?;
        // Looking must not make a database.
        let there = !private || ground.data_dir.join("postgres").exists();
        let facts = if there && !self.offline {
            ask(&ground)
        } else {
            None
        };
        let rows = rows(&material, facts.as_ref())?;
        let missing = missing(&material);
        let unnamed = facts
            .and_then(|facts| facts.census.get(&None).copied())
            .unwrap_or_default();
        if self.json {
            println!(
                "{:#}",
                json!({"keys": rows, "missing": missing, "wrapped_by_unnamed_keys": unnamed})
            );
        } else {
            print!("{}", table(&rows));
            let made = if material.development {
                "; the next start makes it"
            } else {
                ""
            };
            missing
                .iter()
                .for_each(|setting| println!("{setting} is missing{made}"));
            if unnamed.total() > 0 {
                println!(
                    "{} wrapped keys do not say by which master key: they are from an older version, and \
                     `vinzy keys rotate master` names them",
                    unnamed.total()
                );
            }
        }
        let good = rows.iter().all(|row| !row.refused) && (missing.is_empty() || material.development);
        Ok(if good { Answer::Yes } else { Answer::No })
    }
}

/// What the database says; `None` when it says nothing, which a person is told.
fn ask(ground: &Ground) -> Option<Facts> {
    let asked = || -> Result<Facts, Box<dyn Error>> {
        runtime()?.block_on(async {
            let store = ground.open().await?;
            let facts = Facts::read(&store.pool).await;
            store.close().await?;
            facts
        })
    };
    match asked() {
        Ok(facts) => Some(facts),
        Err(error) => {
            eprintln!("vinzy: the database does not say how the keys are used: {error}");
            None
        }
    }
}

fn rows(material: &Material, facts: Option<&Facts>) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut rows = vec![];
    if let Some(held) = &material.master {
        let secrets = listed(held.value.expose());
        for (index, secret) in secrets.into_iter().enumerate() {
            let id = MasterKey::from_secret(secret).id();
            let role = ["wraps", "opens"][index.min(1)];
            let mut row = row(
                SecretKind::Master,
                Some(id.to_string()),
                role,
                &held.source,
                secret,
            );
            row.wraps = facts.map(|facts| facts.census.get(&Some(id)).copied().unwrap_or_default());
            rows.push(row);
        }
    }
    if let Some(Held { value, source }) = &material.hmac {
        let newest = value.last_key_value().map(|(version, _)| *version);
        for (version, secret) in value {
            let signs = Some(*version) == newest;
            let role = if signs { "signs" } else { "verifies" };
            let mut row = row(SecretKind::Hmac, Some(version.to_string()), role, source, secret);
            row.refused &= signs;
            rows.push(row);
        }
    }
    if let Some(held) = &material.signing {
        let text = held.value.expose();
        for (index, (seed, secret)) in seeds(text)?.into_iter().zip(text.split(',')).enumerate() {
            let kid = LeaseSigner::new(seed).jwk().kid;
            let role = ["signs", "verifies"][index.min(1)];
            let mut row = row(SecretKind::Signing, Some(kid), role, &held.source, secret);
            let key = checkpoint_keys(&[seed]);
            row.signs_checkpoints_of = facts.map(|facts| {
                let signed = facts
                    .ledgers
                    .iter()
                    .filter(|ledger| key.of_ledger(&ledger.origin, &ledger.verifier_key).is_some());
                signed.map(|ledger| ledger.origin.clone()).collect()
            });
            rows.push(row);
        }
    }
    for (kind, held) in [
        (SecretKind::Api, &material.api),
        (SecretKind::SuperAdmin, &material.super_admin),
    ] {
        rows.extend(
            held.iter()
                .map(|held| row(kind, None, "admits", &held.source, held.value.expose())),
        );
    }
    Ok(rows)
}

fn row(kind: SecretKind, id: Option<String>, role: &'static str, source: &Source, secret: &str) -> Row {
    let weakness = weakness(kind, secret);
    Row {
        kind: kind.name(),
        id,
        role,
        source: source.clone(),
        refused: weakness.is_some(),
        weakness,
        wraps: None,
        signs_checkpoints_of: None,
    }
}

fn missing(material: &Material) -> Vec<&'static str> {
    let lacks = |held: &Option<Held<Secret>>| held.is_none();
    let all = [
        (SecretKind::Master, lacks(&material.master)),
        (SecretKind::Hmac, material.hmac.is_none()),
        (SecretKind::Signing, lacks(&material.signing)),
        (SecretKind::Api, lacks(&material.api)),
        (SecretKind::SuperAdmin, lacks(&material.super_admin)),
    ];
    all.into_iter()
        .filter_map(|(kind, lacks)| lacks.then_some(kind.setting()))
        .collect()
}

/// The rows in columns, for people.
fn table(rows: &[Row]) -> String {
    let head = ["KIND", "ID", "USE", "FROM", "STRENGTH"].map(str::to_owned);
    let body = rows.iter().map(|row| {
        let strength = row
            .weakness
            .as_ref()
            .map_or("good".to_owned(), |why| format!("weak: it {why}"));
        [
            row.kind.to_owned(),
            row.id.clone().unwrap_or_else(|| "-".to_owned()),
            use_of(row),
            row.source.to_string(),
            strength,
        ]
    });
    let lines: Vec<[String; 5]> = std::iter::once(head).chain(body).collect();
    let width = |column: usize| {
        lines
            .iter()
            .map(|line| line[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths = [0, 1, 2, 3, 4].map(width);
    let mut text = String::new();
    for line in &lines {
        let cells: Vec<String> = line
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    text
}

fn use_of(row: &Row) -> String {
    let mut uses = row.role.to_owned();
    if let Some(wrapped) = row.wraps {
        uses += &format!(
            ", holds {} data keys, {} webhook secrets and {} server keys",
            wrapped.data_keys, wrapped.endpoint_secrets, wrapped.server_keys
        );
        if row.role == "opens" && wrapped.total() == 0 {
            uses += ": no longer needed";
        }
    }
    let signed = row.signs_checkpoints_of.as_deref().unwrap_or_default();
    if !signed.is_empty() {
        uses += &format!(", signs checkpoints of {}: must stay", signed.join(" "));
    }
    uses
}
