//! What a paid checkout becomes: a customer, a license, and a mail with its key.

use std::sync::Arc;

use vinzy_events::key::{KeyDigest, LicenseKey};
use vinzy_events::product::Product;
use vinzy_events::purchase::Complete;
use vinzy_events::{CustomerId, LicenseId, MailId, ProductId, Timestamp};

use super::{Checkout, TellError};
use crate::app::App;
use crate::commands::licenses::{self, Expiry, NewLicense};
use crate::commands::{CUSTOMER_EMAIL, CommandError, customers, products};
use crate::keys::MasterKeys;
use crate::ledger::{Attempt, Operation, SealedMail};
use crate::mails;
use crate::personal_data::DataKey;
use crate::personal_data::store::PersonalData;

/// What issuing a license takes.
#[derive(Clone)]
pub(super) struct Sale {
    checkout: Checkout,
    pub(super) product_id: ProductId,
    pub(super) license_id: LicenseId,
    key: LicenseKey,
    key_version: u8,
    pub(super) email_hash: String,
    /// Who has the address already.
    pub(super) customer: Option<CustomerId>,
    /// Whose id it will be if nobody has.
    new_customer_id: CustomerId,
    /// Seals the customer's data.
    data_key: DataKey,
    masters: MasterKeys,
    ledger_id: Arc<str>,
    mail_id: MailId,
    held_back: Option<&'static str>,
}

impl Sale {
    /// Everything that a license takes; `None` if the customer is just being erased.
    pub(super) async fn prepare(
        app: &App,
        ledger_id: &Arc<str>,
        checkout: Checkout,
    ) -> Result<Option<Self>, CommandError> {
        let code = &checkout.product_code;
        let product_id = app.product_codes.find(&app.pool, ledger_id, code).await?;
        let key_version = app.hmac_key_version(ledger_id);
        let key = app
            .key_ring
            .generate_with(key_version, code.as_str(), app.entropy.bytes())
            .ok_or(CommandError::NoSuchHmacKey(key_version))?;
        let customer = customers::id_of_email(app, ledger_id, &checkout.email).await?;
        let data_key = match customer {
            Some(id) => {
                let Some(key) = app.personal_data.data_key(ledger_id, id).await? else {
                    return Ok(None);
                };
                key
            }
            None => customers::new_data_key(app),
        };
        let now = app.clock.now();
        Ok(Some(Self {
            email_hash: app.address_hasher.hash(&checkout.email),
            checkout,
            product_id,
            license_id: LicenseId::new(now, app.entropy.bytes()),
            key,
            key_version,
            customer,
            new_customer_id: CustomerId::new(now, app.entropy.bytes()),
            data_key,
            masters: app.personal_data.masters().clone(),
            ledger_id: Arc::clone(ledger_id),
            mail_id: MailId::new(now, app.entropy.bytes()),
            held_back: app.mails.held_back(),
        }))
    }

    /// Issues the license, to a customer who is registered if nobody has the address, and puts its mail into the
    /// outbox. `expiry` is when it ends as far as the provider has said up to when is paid.
    pub(super) fn issue(
        self,
        attempt: &mut Attempt<'_>,
        expiry: Option<Timestamp>,
        grace_days: u32,
    ) -> Result<Complete, TellError> {
        let product = products::live(&attempt.aggregate::<Product>(self.product_id).aggregate)?;
        let tier = self
            .checkout
            .tier
            .clone()
            .unwrap_or_else(|| product.default_tier.clone());
        if !product.tiers.is_empty() && !product.tiers.contains_key(&tier) {
            let product_code = product.code;
            return Err(CommandError::NoSuchTier { product_code, tier }.into());
        }
        let customer_id = self.customer(attempt)?;
        // What was paid for long ago is issued all the same, and ends soon.
        let earliest = attempt.at().plus_days(grace_days.max(1));
        let expiry = expiry.max(earliest.filter(|_| expiry.is_some())).map(Expiry::At);
        let create = licenses::Create {
            id: self.license_id,
            product_id: self.product_id,
            new: NewLicense {
                product_code: product.code.clone(),
                customer_id,
                tier: Some(tier.clone()),
                machines_limit: None,
                expiry,
                features: None,
                entitlements: None,
                metadata: serde_json::Map::new(),
            },
            key_digest: KeyDigest::of(self.key.as_str()),
            key_version: self.key_version,
        };
        let (license_id, license) = create.run(attempt)?;
        let nonce = attempt.entropy().bytes();
        let place = mails::place(&self.ledger_id, self.mail_id);
        attempt.send_mail(SealedMail {
            mail_id: self.mail_id,
            license_id,
            customer_id,
            key_id: self.data_key.id().to_owned(),
            ciphertext: self
                .data_key
                .encrypt_beside(&place, self.key.as_str().as_bytes(), nonce),
            held_back: self.held_back,
            at: attempt.at(),
        });
        Ok(Complete {
            checkout: self.checkout.checkout,
            license_id,
            customer_id,
            product_code: product.code,
            tier,
            recurring: self.checkout.recurring,
            expires_at: license.live().and_then(|state| state.expires_at),
        })
    }

    /// Who has the address, or is given it.
    fn customer(&self, attempt: &mut Attempt<'_>) -> Result<CustomerId, TellError> {
        let holder = attempt
            .holder(CUSTOMER_EMAIL, &self.email_hash)
            .map(str::to_owned);
        match (holder, self.customer) {
            (Some(holder), Some(known)) if holder == known.to_string() => Ok(known),
            (None, None) => {
                let create = customers::Create {
                    id: self.new_customer_id,
                    data: PersonalData {
                        name: self.checkout.name.clone(),
                        email: self.checkout.email.as_str().to_owned(),
                        ..PersonalData::default()
                    },
                    email_hash: self.email_hash.clone(),
                    key: self.data_key.clone(),
                    masters: self.masters.clone(),
                    ledger_id: self.ledger_id.to_string(),
                };
                Ok(create.run(attempt)?.0)
            }
            _ => Err(TellError::Moved),
        }
    }
}
