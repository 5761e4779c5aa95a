//! Tenants, with their ledgers and the API keys that they had.

use std::collections::BTreeSet;
use std::sync::Arc;

use uuid::Uuid;
use vinzy_events::access::Scope;
use vinzy_events::api_key::ApiKeyImported;
use vinzy_events::key::KeyDigest;
use vinzy_events::{ApiKeyId, TenantId, Timestamp};

use super::{Importer, Planned};
use crate::app::SYSTEM_LEDGER;
use crate::commands::import::Import;
use crate::import::ImportError;
use crate::import::destination::{Destination, Unique};
use crate::import::record::{NotTaken, Record, derived_id};
use crate::import::report::Kind;
use crate::import::{rows, tables};

/// What a tenant's old API key is called.
const OLD_KEY: &str = "default";

impl Importer<'_> {
    pub(super) async fn tenants(&mut self, records: Vec<Record<'_>>) -> Result<(), ImportError> {
        let system: Arc<str> = SYSTEM_LEDGER.into();
        let mut planned = vec![];
        let mut keys = vec![];
        for mut record in records {
            let shown = record.shown_id();
            let row = rows::tenant(&mut record, self.versions.as_ref());
            let row = row.and_then(|row| self.once(tables::TENANTS.name, row.id).map(|()| row));
            let row = match row {
                Ok(row) => row,
                Err(reason) => {
                    self.not_taken(tables::TENANTS.name, &shown, &reason);
                    if let Ok(id) = record.id("id", "tenants") {
                        self.tenants.entry(id).or_insert(None);
                    }
                    continue;
                }
            };
            let holder = self
                .holder(&system, Unique::Slug, row.imported.slug.as_str())
                .await?;
            let other = holder.is_some_and(|holder| holder != row.id.to_string())
                || self
                    .slugs
                    .get(&row.imported.slug)
                    .is_some_and(|other| *other != row.id);
            if other {
                let reason = NotTaken(format!(
                    "its slug {} belongs to another tenant",
                    row.imported.slug
                ));
                self.not_taken(tables::TENANTS.name, &shown, &reason);
                self.tenants.insert(row.id, None);
                continue;
            }
            self.slugs.insert(row.imported.slug.clone(), row.id);
            let ledger_id: Arc<str> = row.imported.slug.as_str().into();
            self.tenants.insert(row.id, Some(Arc::clone(&ledger_id)));
            if let Some(digest) = row.api_key {
                keys.push((row.id, Arc::clone(&ledger_id), digest, row.imported.created_at));
            }
            planned.push(Planned {
                table: tables::TENANTS.name,
                id: shown,
                ledger_id: Arc::clone(&system),
                import: Some(Import::Tenant(TenantId::from(row.id), Box::new(row.imported))),
                notes: record.into_notes(),
                made: false,
            });
        }
        self.execute(planned).await?;
        let Some(destination) = self.destination.filter(|_| !self.report.dry_run) else {
            return Ok(());
        };
        // Also those of a run that was interrupted before.
        let ledgers: Vec<Arc<str>> = self.tenants.values().flatten().cloned().collect();
        for ledger_id in ledgers {
            destination.open_ledger(&ledger_id).await?;
        }
        self.api_keys(destination, keys).await
    }

    /// The old API keys of tenants: they open what they opened.
    async fn api_keys(
        &mut self,
        destination: &Destination,
        keys: Vec<(Uuid, Arc<str>, KeyDigest, Timestamp)>,
    ) -> Result<(), ImportError> {
        for (tenant_id, ledger_id, key_digest, created_at) in keys {
            let id = derived_id("api_keys", &tenant_id.to_string());
            if destination
                .api_key_of(&key_digest)
                .await?
                .is_some_and(|holder| holder != id)
            {
                let reason =
                    "its API key is already that of another: make it one (POST /tenants/{id}/api-keys)";
                self.report
                    .find(tables::TENANTS.name, &tenant_id.to_string(), Kind::Mended, reason);
                continue;
            }
            let key = ApiKeyImported {
                name: OLD_KEY.to_owned(),
                scopes: BTreeSet::from([Scope::Admin]),
                key_digest,
                created_at,
            };
            let import = Import::ApiKey(ApiKeyId::from(id), key);
            let taken = destination.take(ledger_id, import).await;
            taken.map_err(|source| ImportError::Write {
                table: tables::TENANTS.name,
                id: tenant_id.to_string(),
                source,
            })?;
        }
        Ok(())
    }
}
