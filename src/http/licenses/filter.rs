//! Which licenses a list or an export is of, and in what order.

use data_encoding::HEXLOWER;
use vinzy_events::key::KeyDigest;
use vinzy_events::license::LicenseStatus;
use vinzy_projections::licenses::{Filter, Sort};

use crate::http::query::{Query, ids_from};

/// Reads the parameters; what is wrong with them is told when the reading ends.
pub(super) fn read(query: &mut Query) -> (Filter, Sort) {
    let filter = Filter {
        status: query.parse("status", "must be active, suspended, revoked or expired", status),
        product_code: query.get("product_code").map(str::to_owned),
        customer_id: query.parse("customer_id", "must be a UUID", |text| text.parse().ok()),
        tier: query.get("tier").map(str::to_owned),
        ids: query.parse("q", "must be an id, or how one begins", |text| {
            ids_from(text.trim())
        }),
        key_digest: query.parse(
            "key_digest",
            "must be the SHA-256 of a license key: 64 hexadecimal digits in lower case",
            digest,
        ),
        expires_after: query.time("expires_after"),
        expires_before: query.time("expires_before"),
    };
    let must = "must be created, -created, expires_at or -expires_at";
    let sort = query.parse("sort", must, Sort::parse).unwrap_or_default();
    (filter, sort)
}

fn status(text: &str) -> Option<LicenseStatus> {
    [
        LicenseStatus::Active,
        LicenseStatus::Suspended,
        LicenseStatus::Revoked,
        LicenseStatus::Expired,
    ]
    .into_iter()
    .find(|status| status.as_str() == text)
}

fn digest(text: &str) -> Option<KeyDigest> {
    let bytes = HEXLOWER.decode(text.as_bytes()).ok()?;
    bytes.try_into().ok().map(KeyDigest::from_bytes)
}
