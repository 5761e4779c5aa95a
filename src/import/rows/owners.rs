//! Products and customers.

use uuid::Uuid;
use vinzy_events::customer::{CustomerImported, EmailAddress};
use vinzy_events::product::{ProductCode, ProductImported};

use super::{features, refuse};
use crate::import::record::{Record, Taking};
use crate::personal_data::store::PersonalData;

/// The tier of a product that names none.
const STANDARD: &str = "standard";

pub(in crate::import) fn product(record: &mut Record<'_>) -> Taking<(Uuid, ProductImported)> {
    let id = record.id("id", "products")?;
    let given = record.text("code")?.unwrap_or_default();
    let code = if let Ok(code) = ProductCode::parse(&given) {
        code
    } else {
        // As license keys have it: upper case, three letters.
        let text: String = given.trim().to_uppercase().chars().take(3).collect();
        let code = ProductCode::parse(&text);
        let code = code.or_else(|error| refuse(format!("its code {given:?} {error}")))?;
        record.mended(format!(
            "its code {given:?} is {code} here, as in its license keys"
        ));
        code
    };
    let created_at = record.created_at("created_at");
    let name = Some(record.words("name")).filter(|name| !name.is_empty());
    let tier = Some(record.words("default_tier")).filter(|tier| !tier.is_empty());
    let imported = ProductImported {
        name: name.unwrap_or_else(|| code.to_string()),
        code,
        description: record.words("description"),
        default_tier: tier.unwrap_or_else(|| STANDARD.to_owned()),
        features: features(record, "features"),
        metadata: record.object("metadata"),
        created_at,
        updated_at: record.past_time("updated_at"),
        deleted_at: record.deleted_at(created_at)?,
    };
    Ok((id, imported))
}

/// A customer, before it is known whether the address is free.
pub(in crate::import) struct CustomerRow {
    pub(in crate::import) id: Uuid,
    pub(in crate::import) imported: CustomerImported,
    pub(in crate::import) data: PersonalData,
    pub(in crate::import) email: EmailAddress,
}

pub(in crate::import) fn customer(record: &mut Record<'_>) -> Taking<CustomerRow> {
    let id = record.id("id", "customers")?;
    let created_at = record.created_at("created_at");
    let given = record.words("email");
    let mut data = PersonalData {
        name: record.words("name"),
        email: String::new(),
        company: record.words("company"),
        metadata: record.object("metadata"),
    };
    let email = EmailAddress::parse(given.trim()).unwrap_or_else(|_| {
        record.mended("its e-mail address is none: it stands in its metadata, as \"imported_email\"");
        stand_in(id, given, &mut data)
    });
    email.as_str().clone_into(&mut data.email);
    let imported = CustomerImported {
        created_at,
        updated_at: record.past_time("updated_at"),
        deleted_at: record.deleted_at(created_at)?,
    };
    Ok(CustomerRow {
        id,
        imported,
        data,
        email,
    })
}

/// An address that belongs to nobody, for a customer whose own cannot be one; that is kept with their data.
pub(in crate::import) fn stand_in(id: Uuid, own: String, data: &mut PersonalData) -> EmailAddress {
    data.metadata.insert("imported_email".to_owned(), own.into());
    let text = format!("{id}@import.invalid");
    let email = EmailAddress::parse(&text).expect("an id and a domain are an address");
    data.email = text;
    email
}
