//! Products and customers: what licenses belong to.

use std::collections::HashMap;
use std::sync::Arc;

use uuid::Uuid;
use vinzy_events::customer::{CustomerImported, EmailAddress};
use vinzy_events::{CustomerId, ProductId};

use super::{Decided, Importer, KnownProduct, is_small};
use crate::commands::import::{Import, NewcomerCustomer};
use crate::import::ImportError;
use crate::import::destination::Unique;
use crate::import::record::{NotTaken, Record};
use crate::import::report::Kind;
use crate::import::{rows, tables};
use crate::personal_data::DataKey;
use crate::personal_data::store::PersonalData;

impl Importer<'_> {
    pub(super) async fn products(&mut self, records: Vec<Record<'_>>) -> Result<(), ImportError> {
        let table = tables::PRODUCTS.name;
        let decided = self.decide(records, |this, record| {
            let ledger_id = this
                .ledger_of_tenant(record)?
                .unwrap_or_else(|| this.default_ledger());
            let (id, imported) = rows::product(record)?;
            is_small(&imported)?;
            this.once(table, id)?;
            Ok(((id, imported), ledger_id))
        });
        let mut planned = vec![];
        for ((id, imported), place) in decided {
            let at = (Arc::clone(&place.ledger_id), imported.code.clone());
            let deleted = imported.deleted_at.is_some();
            let holder = self
                .holder(&place.ledger_id, Unique::ProductCode, imported.code.as_str())
                .await?;
            let elsewhere = holder.filter(|holder| *holder != id.to_string());
            if !deleted && (elsewhere.is_some() || self.codes.contains_key(&at)) {
                let reason = NotTaken(format!("its code {} belongs to another product", imported.code));
                self.not_taken(table, &place.id, &reason);
                continue;
            }
            if !deleted {
                self.codes.insert(at, id);
            }
            let known = KnownProduct {
                ledger_id: Arc::clone(&place.ledger_id),
                code: imported.code.clone(),
                default_tier: imported.default_tier.clone(),
                deleted,
            };
            self.products.insert(id, known);
            let import = Import::Product(ProductId::from(id), Box::new(imported));
            planned.push(place.planned(table, import));
        }
        self.execute(planned).await
    }

    pub(super) async fn customers(&mut self, records: Vec<Record<'_>>) -> Result<(), ImportError> {
        let table = tables::CUSTOMERS.name;
        let decided = self.decide(records, |this, record| {
            let ledger_id = this
                .ledger_of_tenant(record)?
                .unwrap_or_else(|| this.default_ledger());
            let row = rows::customer(record)?;
            this.once(table, row.id)?;
            Ok((row, ledger_id))
        });
        let holders = self.holders_of_addresses(&decided).await?;
        let mut planned = vec![];
        for (mut row, mut place) in decided {
            let deleted = row.imported.deleted_at.is_some();
            let at = (Arc::clone(&place.ledger_id), row.email.identity());
            let own = row.id.to_string();
            let elsewhere = holders.get(&at).is_some_and(|holder| *holder != own);
            if !deleted && (elsewhere || self.addresses.contains_key(&at)) {
                let reason = "another customer has its e-mail address: it stands in its metadata, as \"imported_email\"";
                place.notes.push((Kind::Mended, reason.to_owned()));
                row.email = rows::stand_in(row.id, row.email.as_str().to_owned(), &mut row.data);
            } else if !deleted {
                self.addresses.insert(at, row.id);
            }
            self.customers
                .insert((Arc::clone(&place.ledger_id), row.id), deleted);
            let import = self.customer(row.id, row.imported, row.data, &row.email, &place.ledger_id);
            planned.push(place.planned(table, import));
        }
        self.execute(planned).await
    }

    /// Who has the addresses of these customers now.
    async fn holders_of_addresses(
        &self,
        decided: &Decided<rows::CustomerRow>,
    ) -> Result<HashMap<(Arc<str>, String), String>, ImportError> {
        let Some(destination) = self.destination else {
            return Ok(HashMap::new());
        };
        let mut by_ledger: HashMap<&Arc<str>, HashMap<String, String>> = HashMap::new();
        for (row, place) in decided {
            let hash = destination.address_hasher.hash(&row.email);
            by_ledger
                .entry(&place.ledger_id)
                .or_default()
                .insert(hash, row.email.identity());
        }
        let mut holders = HashMap::new();
        for (ledger_id, identities) in by_ledger {
            let hashes: Vec<String> = identities.keys().cloned().collect();
            let found = destination.holders(ledger_id, Unique::Address, &hashes).await?;
            for (hash, holder) in found {
                if let Some(identity) = identities.get(&hash) {
                    holders.insert((Arc::clone(ledger_id), identity.clone()), holder);
                }
            }
        }
        Ok(holders)
    }

    /// A customer on the way; without a destination there is nothing to seal with, and nothing is sealed.
    pub(super) fn customer(
        &self,
        id: Uuid,
        imported: CustomerImported,
        data: PersonalData,
        email: &EmailAddress,
        ledger_id: &Arc<str>,
    ) -> Option<Import> {
        let id = CustomerId::from(id);
        let destination = self.destination?;
        let entropy = &destination.entropy;
        let key_id = data_encoding::HEXLOWER.encode(&entropy.bytes::<8>());
        Some(Import::Customer(Box::new(NewcomerCustomer {
            id,
            imported,
            data,
            email_hash: destination.address_hasher.hash(email),
            key: DataKey::new(key_id, entropy.bytes()),
            masters: destination.masters.clone(),
            ledger_id: ledger_id.to_string(),
        })))
    }
}
