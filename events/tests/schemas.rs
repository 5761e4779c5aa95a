//! The schemas of events are generated from their types and committed: a changed event shows as a difference of a file.
//! The golden events, which ledgers out there hold, must be what their schemas say.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use serde_json::{Value, json};
use vinzy_events::schema::schemas;
use vinzy_events::stream::catalogue;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn committed() -> PathBuf {
    root().join("docs/schemas/events")
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

fn validator(schema: &Value) -> Validator {
    jsonschema::draft202012::options()
        .should_validate_formats(true)
        .build(schema)
        .unwrap()
}

/// Every version that there ever was: its file's name, the committed schema, the golden event.
fn versions() -> impl Iterator<Item = (String, Value, Value)> {
    let names = catalogue()
        .flat_map(|(name, newest)| (1..=newest).map(move |version| format!("{name}.v{version}.json")));
    names.map(|name| {
        let schema = read(&committed().join(&name));
        let event = read(&root().join("events/tests/golden").join(&name));
        (name, schema, event)
    })
}

#[test]
fn the_schemas_are_the_committed_ones() {
    let mut known = BTreeSet::new();
    for schema in schemas() {
        let path = committed().join(schema.file_name());
        let text = serde_json::to_string_pretty(&schema.document).unwrap() + "\n";
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            std::fs::create_dir_all(committed()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        assert!(
            std::fs::read_to_string(&path).unwrap_or_default() == text,
            "docs/schemas/events/{} is not up to date: run `cargo xtask schemas` and look at the difference. What \
             stored events cannot be read by is a new version, with an upcaster (docs/evolution.md)",
            schema.file_name()
        );
        known.insert((schema.type_name, schema.version));
    }
    assert_eq!(
        known,
        catalogue().collect(),
        "each type has a schema of its newest version"
    );
}

#[test]
fn every_version_has_a_schema_and_nothing_else_has() {
    let known: BTreeSet<String> = versions().map(|(name, ..)| name).collect();
    let kept: BTreeSet<String> = std::fs::read_dir(committed())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(
        kept, known,
        "the schema of a version that ledgers still hold is kept"
    );
}

#[test]
fn golden_events_are_what_their_schemas_say() {
    for (name, schema, event) in versions() {
        jsonschema::draft202012::meta::validate(&schema).unwrap_or_else(|error| panic!("{name}: {error}"));
        let problems: Vec<String> = validator(&schema)
            .iter_errors(&event)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert_eq!(problems, [""; 0], "{name}");
    }
}

#[test]
fn schemas_refuse_what_no_event_is() {
    for (name, schema, event) in versions() {
        let validator = validator(&schema);
        let fields = event.as_object().unwrap();
        for field in fields.keys() {
            let mut other = event.clone();
            other[field] = json!([[]]);
            assert!(!validator.is_valid(&other), "{name}: {field} as a nested array");
        }
        for field in schema["required"].as_array().into_iter().flatten() {
            let mut other = event.clone();
            other
                .as_object_mut()
                .unwrap()
                .remove(field.as_str().unwrap())
                .unwrap();
            assert!(!validator.is_valid(&other), "{name} without {field}");
        }
        let mut newer = event.clone();
        newer["a_field_of_a_newer_program"] = json!(1);
        assert!(
            validator.is_valid(&newer),
            "{name}: a reader passes over what it does not know"
        );
    }
}

#[test]
fn texts_have_the_form_that_they_are_written_in() {
    let schema_of = |name: &str| read(&committed().join(name));
    let refused = [
        ("license.created.v1.json", "license_id", json!(1), true),
        (
            "license.created.v1.json",
            "product_id",
            json!("01A225D9-E815-774B-917E-AB8F635C1C03"),
            false,
        ),
        (
            "license.created.v1.json",
            "created_at",
            json!("2026-11-29T05:49:27Z"),
            false,
        ),
        (
            "license.created.v1.json",
            "created_at",
            json!("2026-13-29T05:49:27.000000Z"),
            false,
        ),
        ("license.created.v1.json", "key_digest", json!("00"), false),
        ("license.created.v1.json", "product_code", json!("prd"), false),
        ("license.created.v1.json", "machines_limit", json!(-1), false),
        ("license.created.v1.json", "expires_at", json!(null), true),
        ("usage.recorded.v1.json", "value", json!(10), false),
        ("usage.recorded.v1.json", "value", json!("1.50"), false),
        ("usage.recorded.v1.json", "value", json!("1e-20"), true),
        (
            "usage.recorded.v1.json",
            "value",
            json!("1.7976931348623157e308"),
            true,
        ),
        ("tenant.created.v1.json", "slug", json!("-acme"), false),
        (
            "endpoint.created.v1.json",
            "event_types",
            json!(["*", "license.*", "api_key.created"]),
            true,
        ),
        (
            "endpoint.created.v1.json",
            "event_types",
            json!(["License.*"]),
            false,
        ),
        ("endpoint.disabled.v1.json", "reason", json!("tired"), false),
        ("ledger.opened.v1.json", "vkey", json!("no key"), false),
    ];
    for (name, field, value, valid) in refused {
        let mut event = read(&root().join("events/tests/golden").join(name));
        event[field] = value;
        assert_eq!(
            validator(&schema_of(name)).is_valid(&event),
            valid,
            "{name}: {}",
            event[field]
        );
    }
}
