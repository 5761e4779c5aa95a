//! The tables of the old database, and by which names their columns are known. Its schema was never written down, so
//! columns are found by their names, and what cannot be found is told.

use std::collections::BTreeMap;

/// A table that is read.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// What it is asked for, with the names that its column may have, best first.
    pub(crate) fields: &'static [(&'static str, &'static [&'static str])],
    /// Of each of these, at least one must be there.
    pub(crate) needed: &'static [&'static [&'static str]],
    /// Its rows are read in the order of these, as far as they are there.
    pub(crate) order: &'static [&'static str],
}

/// Which column holds what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Fields, and the columns that hold them, in the order in which they are read.
    pub(crate) columns: Vec<(&'static str, String)>,
    /// Columns that nothing is made of.
    pub(crate) unread: Vec<String>,
}

/// A table lacks what it cannot be read without.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("table {table} has no column for {field} (looked for {}); it has {}", looked_for.join(", "), found.join(", "))]
pub struct MissingColumn {
    table: &'static str,
    field: String,
    looked_for: Vec<&'static str>,
    found: Vec<String>,
}

const CREATED: (&str, &[&str]) = (
    "created_at",
    &["created_at", "created", "created_on", "date_created"],
);
const UPDATED: (&str, &[&str]) = (
    "updated_at",
    &["updated_at", "updated", "modified_at", "last_modified"],
);
const DELETED_AT: (&str, &[&str]) = ("deleted_at", &["deleted_at", "removed_at", "archived_at"]);
const IS_DELETED: (&str, &[&str]) = ("is_deleted", &["is_deleted", "deleted", "is_archived"]);
const TENANT: (&str, &[&str]) = ("tenant_id", &["tenant_id", "tenant"]);
const METADATA: (&str, &[&str]) = (
    "metadata",
    &[
        "metadata",
        "metadata_",
        "metadata_json",
        "extra_metadata",
        "extra_data",
        "extra",
        "meta",
    ],
);
const FEATURES: (&str, &[&str]) = ("features", &["features", "features_json", "feature_flags"]);
const LICENSE: (&str, &[&str]) = ("license_id", &["license_id", "license"]);
const ID: (&str, &[&str]) = ("id", &["id", "uuid", "pk"]);
const METRIC: (&str, &[&str]) = ("metric", &["metric", "metric_name", "metric_key"]);

pub(crate) const TENANTS: Table = Table {
    name: "tenants",
    fields: &[
        ID,
        ("name", &["name", "display_name"]),
        ("slug", &["slug", "code", "key"]),
        (
            "api_key_hash",
            &[
                "api_key_hash",
                "api_key_digest",
                "api_key_sha256",
                "key_hash",
                "hashed_api_key",
            ],
        ),
        (
            "hmac_key_version",
            &["hmac_key_version", "key_version", "hmac_version"],
        ),
        (
            "config_overrides",
            &[
                "config_overrides",
                "config",
                "settings",
                "overrides",
                "config_overrides_json",
            ],
        ),
        ("is_active", &["is_active", "active", "enabled"]),
        CREATED,
        UPDATED,
        DELETED_AT,
        IS_DELETED,
    ],
    needed: &[&["id"], &["slug"]],
    order: &["created_at", "id"],
};

pub(crate) const PRODUCTS: Table = Table {
    name: "products",
    fields: &[
        ID,
        TENANT,
        ("code", &["code", "product_code", "prefix"]),
        ("name", &["name", "title"]),
        ("description", &["description", "desc"]),
        ("default_tier", &["default_tier", "tier"]),
        FEATURES,
        METADATA,
        CREATED,
        UPDATED,
        DELETED_AT,
        IS_DELETED,
    ],
    needed: &[&["id"], &["code"]],
    order: &["created_at", "id"],
};

pub(crate) const CUSTOMERS: Table = Table {
    name: "customers",
    fields: &[
        ID,
        TENANT,
        ("name", &["name", "full_name", "customer_name"]),
        ("email", &["email", "email_address", "mail"]),
        (
            "company",
            &["company", "company_name", "organization", "organisation"],
        ),
        METADATA,
        CREATED,
        UPDATED,
        DELETED_AT,
        IS_DELETED,
    ],
    needed: &[&["id"], &["email"]],
    order: &["created_at", "id"],
};

pub(crate) const LICENSES: Table = Table {
    name: "licenses",
    fields: &[
        ID,
        TENANT,
        ("product_id", &["product_id", "product"]),
        ("product_code", &["product_code", "code"]),
        ("customer_id", &["customer_id", "customer"]),
        (
            "key_hash",
            &[
                "key_hash",
                "key_digest",
                "license_key_hash",
                "hashed_key",
                "key_sha256",
                "license_hash",
            ],
        ),
        ("status", &["status", "state"]),
        ("tier", &["tier", "plan"]),
        (
            "machines_limit",
            &[
                "machines_limit",
                "machine_limit",
                "max_machines",
                "max_activations",
                "activation_limit",
            ],
        ),
        (
            "expires_at",
            &[
                "expires_at",
                "expiry",
                "expires",
                "expiration",
                "expiration_date",
                "valid_until",
            ],
        ),
        FEATURES,
        (
            "entitlements",
            &["entitlements", "entitlements_json", "entitlement_overrides"],
        ),
        METADATA,
        CREATED,
        UPDATED,
        DELETED_AT,
        IS_DELETED,
    ],
    needed: &[
        &["id"],
        &["product_id", "product_code"],
        &["customer_id"],
        &["key_hash"],
    ],
    order: &["created_at", "id"],
};

pub(crate) const MACHINES: Table = Table {
    name: "machines",
    fields: &[
        ID,
        LICENSE,
        (
            "fingerprint",
            &["fingerprint", "machine_fingerprint", "hardware_id", "machine_id"],
        ),
        ("hostname", &["hostname", "host", "name"]),
        ("platform", &["platform", "os", "operating_system"]),
        ("version", &["version", "app_version", "client_version"]),
        (
            "last_heartbeat",
            &[
                "last_heartbeat",
                "last_heartbeat_at",
                "last_seen",
                "last_seen_at",
                "heartbeat_at",
            ],
        ),
        METADATA,
        (
            "activated_at",
            &["activated_at", "created_at", "created", "registered_at"],
        ),
        UPDATED,
        ("deactivated_at", &["deactivated_at", "deleted_at", "removed_at"]),
        ("is_active", &["is_active", "active"]),
        IS_DELETED,
        ("status", &["status", "state"]),
    ],
    needed: &[&["id"], &["license_id"], &["fingerprint"]],
    order: &["activated_at", "id"],
};

pub(crate) const USAGE: Table = Table {
    name: "usage_records",
    fields: &[
        ID,
        LICENSE,
        METRIC,
        ("value", &["value", "amount", "quantity"]),
        METADATA,
        (
            "recorded_at",
            &["recorded_at", "created_at", "timestamp", "created", "occurred_at"],
        ),
    ],
    needed: &[
        &["id"],
        &["license_id"],
        &["metric"],
        &["value"],
        &["recorded_at"],
    ],
    order: &["recorded_at", "id"],
};

pub(crate) const ANOMALIES: Table = Table {
    name: "anomalies",
    fields: &[
        ID,
        LICENSE,
        ("anomaly_type", &["anomaly_type", "type", "kind"]),
        ("severity", &["severity", "level"]),
        METRIC,
        ("z_score", &["z_score", "zscore", "score"]),
        ("baseline_mean", &["baseline_mean", "mean"]),
        (
            "baseline_stddev",
            &["baseline_stddev", "baseline_std", "stddev", "std_dev"],
        ),
        ("observed_value", &["observed_value", "value", "observed"]),
        ("resolved", &["resolved", "is_resolved"]),
        ("resolved_by", &["resolved_by", "resolver"]),
        ("resolved_at", &["resolved_at"]),
        (
            "detected_at",
            &["detected_at", "created_at", "created", "timestamp"],
        ),
        UPDATED,
    ],
    needed: &[
        &["id"],
        &["license_id"],
        &["metric"],
        &["observed_value"],
        &["detected_at"],
    ],
    order: &["detected_at", "id"],
};

pub(crate) const ENDPOINTS: Table = Table {
    name: "webhook_endpoints",
    fields: &[
        ID,
        TENANT,
        ("url", &["url", "target_url", "endpoint_url"]),
        ("secret", &["secret", "signing_secret", "webhook_secret"]),
        ("description", &["description", "desc", "name"]),
        (
            "event_types",
            &["event_types", "events", "event_types_json", "subscriptions"],
        ),
        ("status", &["status", "state"]),
        ("is_active", &["is_active", "active", "enabled"]),
        ("max_retries", &["max_retries", "retries"]),
        ("timeout_seconds", &["timeout_seconds", "timeout"]),
        CREATED,
        UPDATED,
        DELETED_AT,
        IS_DELETED,
    ],
    needed: &[&["id"], &["url"]],
    order: &["created_at", "id"],
};

pub(crate) const AUDIT: Table = Table {
    name: "audit_events",
    fields: &[
        ID,
        LICENSE,
        ("event_type", &["event_type", "action", "event", "type"]),
        ("actor", &["actor", "actor_id", "performed_by", "user"]),
        ("detail", &["detail", "details", "detail_json", "payload", "data"]),
        ("prev_hash", &["prev_hash", "previous_hash"]),
        ("event_hash", &["event_hash", "hash"]),
        ("signature", &["signature", "hmac_signature", "sig"]),
        CREATED,
    ],
    needed: &[&["id"], &["license_id"], &["event_type"], &["created_at"]],
    order: &["created_at", "id"],
};

/// The tables, each after those that its rows belong to. Endpoints come last but history.
pub(crate) const ALL: [&Table; 9] = [
    &TENANTS, &PRODUCTS, &CUSTOMERS, &LICENSES, &MACHINES, &USAGE, &ANOMALIES, &ENDPOINTS, &AUDIT,
];

/// Tables without which there is nothing to take over.
pub(crate) const INDISPENSABLE: [&str; 3] = [PRODUCTS.name, CUSTOMERS.name, LICENSES.name];

impl Table {
    /// Finds the columns of the fields among those that there are. Upper and lower case are the same.
    pub(crate) fn layout(&'static self, found: &[String]) -> Result<Layout, MissingColumn> {
        let mut free: BTreeMap<String, &String> = found
            .iter()
            .map(|column| (column.to_lowercase(), column))
            .collect();
        let mut columns = vec![];
        for (field, names) in self.fields {
            if let Some(column) = names.iter().find_map(|name| free.remove(*name)) {
                columns.push((*field, column.clone()));
            }
        }
        for group in self.needed {
            if !columns.iter().any(|(field, _)| group.contains(field)) {
                let aliases = self.fields.iter().filter(|(field, _)| group.contains(field));
                return Err(MissingColumn {
                    table: self.name,
                    field: group.join(" or "),
                    looked_for: aliases.flat_map(|(_, names)| names.iter().copied()).collect(),
                    found: found.to_vec(),
                });
            }
        }
        let unread = free.into_values().cloned().collect();
        Ok(Layout { columns, unread })
    }
}

impl Layout {
    /// The columns by which rows are ordered.
    pub(crate) fn order(&self, table: &Table) -> Vec<&str> {
        let of = |field: &&str| self.columns.iter().find(|(name, _)| name == field);
        table
            .order
            .iter()
            .filter_map(of)
            .map(|(_, column)| column.as_str())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn columns_are_found_by_any_of_their_names() {
        let found = names(&["ID", "code", "metadata_json", "Created", "color"]);
        let layout = PRODUCTS.layout(&found).unwrap();
        let expected = [
            ("id", "ID"),
            ("code", "code"),
            ("metadata", "metadata_json"),
            ("created_at", "Created"),
        ];
        let expected = expected.map(|(field, column)| (field, column.to_owned()));
        assert_eq!(layout.columns, expected);
        assert_eq!(layout.unread, ["color"]);
        assert_eq!(layout.order(&PRODUCTS), ["Created", "ID"]);
    }

    #[test]
    fn of_two_names_the_better_counts_and_the_other_is_told() {
        let found = names(&["id", "code", "created_at", "created"]);
        let layout = PRODUCTS.layout(&found).unwrap();
        assert!(layout.columns.contains(&("created_at", "created_at".into())));
        assert_eq!(layout.unread, ["created"]);
    }

    #[test]
    fn what_is_missing_is_told_with_what_there_is() {
        let found = names(&["id", "product_code", "customer_id", "key"]);
        let error = LICENSES.layout(&found).unwrap_err().to_string();
        assert!(
            error.starts_with("table licenses has no column for key_hash (looked for key_hash, key_digest,"),
            "{error}"
        );
        assert!(
            error.ends_with("it has id, product_code, customer_id, key"),
            "{error}"
        );
    }

    #[test]
    fn every_name_of_a_field_is_its_own_in_its_table() {
        for table in ALL {
            for (field, aliases) in table.fields {
                assert!(
                    aliases.contains(field) || *field == "activated_at",
                    "{}.{field}",
                    table.name
                );
            }
            for needed in table.needed.iter().copied().flatten().chain(table.order) {
                assert!(table.fields.iter().any(|(field, _)| field == needed), "{needed}");
            }
        }
    }
}
