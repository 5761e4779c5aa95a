//! Licenses, with the customers that are made for those whose own are missing.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Map;
use uuid::Uuid;
use vinzy_events::customer::CustomerImported;
use vinzy_events::key::KeyDigest;
use vinzy_events::license::LicenseImported;
use vinzy_events::product::ProductCode;
use vinzy_events::{CustomerId, LicenseId, ProductId, Timestamp};

use super::{Importer, KnownLicense, Planned, is_small};
use crate::commands::import::Import;
use crate::import::ImportError;
use crate::import::record::{NotTaken, Record, Taking, derived_id};
use crate::import::{rows, tables};
use crate::personal_data::store::PersonalData;

/// A customer whom a license names and nobody knows: their ledger and id, and when the license came to be.
type Lacking = (Arc<str>, Uuid, Timestamp);

impl Importer<'_> {
    pub(super) async fn licenses(&mut self, records: Vec<Record<'_>>) -> Result<(), ImportError> {
        let table = tables::LICENSES.name;
        let mut missing = vec![];
        let decided = self.decide(records, |this, record| {
            let row = rows::license(record, this.now)?;
            let (id, ledger_id, imported, lacks) = this.license(row, record)?;
            is_small(&imported)?;
            this.once(table, id)?;
            if let Some(other) = this.digests.get(&imported.key_digest) {
                return Err(NotTaken(format!("its key is that of license {other}")));
            }
            this.digests.insert(imported.key_digest, id);
            missing.extend(lacks);
            Ok(((id, imported), ledger_id))
        });
        self.make_customers(missing).await?;
        let digests: Vec<KeyDigest> = decided
            .iter()
            .map(|((_, license), _)| license.key_digest)
            .collect();
        let holders = match self.destination {
            Some(destination) => destination.licenses_of(&digests).await?,
            None => HashMap::new(),
        };
        let mut planned = vec![];
        for ((id, imported), place) in decided {
            let holder = holders.get(imported.key_digest.as_bytes().as_slice());
            if let Some(other) = holder.filter(|other| **other != id) {
                self.not_taken(
                    table,
                    &place.id,
                    &NotTaken(format!("its key is that of license {other}")),
                );
                continue;
            }
            let known = KnownLicense {
                ledger_id: Arc::clone(&place.ledger_id),
                machines_limit: imported.machines_limit,
                deleted_at: imported.deleted_at,
                machines: 0,
            };
            self.licenses.insert(id, known);
            planned.push(place.planned(table, Import::License(LicenseId::from(id), Box::new(imported))));
        }
        self.execute(planned).await
    }

    /// A license with its product and customer, its ledger, and the customer that has to be made for it, if its own is
    /// missing: whoever has its key must be able to go on.
    fn license(
        &mut self,
        row: rows::LicenseRow,
        record: &mut Record<'_>,
    ) -> Taking<(Uuid, Arc<str>, LicenseImported, Option<Lacking>)> {
        let tenant = self.ledger_of_tenant(record)?;
        let product_id = self.product_of(&row, tenant.as_ref())?;
        let product = &self.products[&product_id];
        let ledger_id = tenant.unwrap_or_else(|| Arc::clone(&product.ledger_id));
        if product.ledger_id != ledger_id {
            return Err(NotTaken("its product belongs to another tenant".into()));
        }
        if product.deleted && row.deleted_at.is_none() {
            record.noted("its product was deleted");
        }
        let tier = row.tier.unwrap_or_else(|| product.default_tier.clone());
        let product_code = product.code.clone();
        let (customer_id, named) = match row.customer_id {
            Some(id) => (
                id,
                format!("its customer {id} is not there: one was made in its place"),
            ),
            None => (
                derived_id("customers", ""),
                "it has no customer: one was made for all that have none".to_owned(),
            ),
        };
        let mut lacks = None;
        match self.customers.get(&(Arc::clone(&ledger_id), customer_id)) {
            Some(false) => {}
            Some(true) if row.deleted_at.is_some() => {}
            Some(true) => record.noted("its customer was deleted"),
            None => lacks = Some((Arc::clone(&ledger_id), customer_id, row.created_at)),
        }
        if lacks.is_some() || row.customer_id.is_none() {
            record.mended(named);
        }
        let imported = LicenseImported {
            product_id: ProductId::from(product_id),
            product_code,
            customer_id: CustomerId::from(customer_id),
            tier,
            machines_limit: row.machines_limit,
            expires_at: row.expires_at,
            features: row.features,
            entitlements: row.entitlements,
            metadata: row.metadata,
            standing: row.standing,
            key_digest: row.key_digest,
            created_at: row.created_at,
            updated_at: row.updated_at,
            deleted_at: row.deleted_at,
        };
        Ok((row.id, ledger_id, imported, lacks))
    }

    fn product_of(&self, row: &rows::LicenseRow, tenant: Option<&Arc<str>>) -> Taking<Uuid> {
        let by_code = || {
            let code = ProductCode::parse(row.product_code.as_deref()?).ok()?;
            let ledger_id = tenant.cloned().unwrap_or_else(|| self.default_ledger());
            self.codes.get(&(ledger_id, code)).copied()
        };
        let by_id = row.product_id.filter(|id| self.products.contains_key(id));
        by_id.or_else(by_code).ok_or_else(|| {
            let named = row
                .product_id
                .map(|id| id.to_string())
                .or_else(|| row.product_code.clone());
            NotTaken(format!(
                "its product {} is not known, or was not taken",
                named.unwrap_or_default()
            ))
        })
    }

    async fn make_customers(&mut self, missing: Vec<Lacking>) -> Result<(), ImportError> {
        let mut planned = vec![];
        for (ledger_id, id, created_at) in missing {
            if self
                .customers
                .insert((Arc::clone(&ledger_id), id), false)
                .is_some()
            {
                continue;
            }
            let mut data = PersonalData {
                name: "Unknown customer".to_owned(),
                company: String::new(),
                email: String::new(),
                metadata: Map::new(),
            };
            let email = rows::stand_in(id, String::new(), &mut data);
            let imported = CustomerImported {
                created_at,
                updated_at: None,
                deleted_at: None,
            };
            let import = self.customer(id, imported, data, &email, &ledger_id);
            planned.push(Planned {
                table: tables::CUSTOMERS.name,
                id: id.to_string(),
                ledger_id,
                import,
                notes: vec![],
                made: true,
            });
        }
        self.execute(planned).await
    }
}
