//! docs/reference/events.md, out of the schemas of events.

use std::fmt::Write;
use std::path::Path;

use serde_json::Value;

use super::markdown::{cell, head, row};

const BEGINNING: &str = "\
# Events

<!-- Made by `cargo xtask docs` out of docs/schemas/events: do not edit. -->

What the payload of each event in a ledger holds, in every version that there ever was. The JSON Schemas (draft 2020-12)
that this page is made of say the same to programs, with patterns. Fields marked *optional* may be missing; readers pass over
fields that they do not know. How a payload stands in the ledger: [the ledger, byte by byte](../ledger.md#one-event-is-one-leaf).
In [webhooks](../webhooks.md) and the [feed](../events-feed.md) it is `data`, without hashes of keys and with the ids of what it belongs to.

Decimals are exact, and so are written as text.
";

/// The page.
pub(super) fn page(schemas: &Path) -> String {
    let mut files: Vec<_> = std::fs::read_dir(schemas)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    // By number, so that version 10 comes behind version 9.
    files.sort_by_key(|file| {
        let (name, version) = file.trim_end_matches(".json").rsplit_once(".v").unwrap();
        (name.to_owned(), version.parse::<u32>().unwrap())
    });
    let mut page = BEGINNING.to_owned();
    let mut kind = String::new();
    for file in &files {
        let schema = std::fs::read_to_string(schemas.join(file)).unwrap();
        let schema: Value = serde_json::from_str(&schema).unwrap();
        let (name, version) = file.trim_end_matches(".json").rsplit_once(".v").unwrap();
        let of = name.split('.').next().unwrap();
        if of != kind {
            of.clone_into(&mut kind);
            writeln!(page, "\n## {kind}").unwrap();
        }
        let schema_file = format!("[Schema](../schemas/events/{file})");
        let line = [about(&schema, name), schema_file].join(" ");
        write!(
            page,
            "\n### {name}, version {version}\n\n{}\n\n",
            line.trim_start()
        )
        .unwrap();
        fields(&schema, &schema, "", &mut page);
    }
    page
}

/// What the schema says of it, beyond that it is the payload.
fn about(schema: &Value, name: &str) -> String {
    let text = cell(schema["description"].as_str().unwrap_or_default());
    let known = format!("Payload of `{name}`.");
    text.strip_prefix(&known).unwrap_or(&text).trim().to_owned()
}

/// A table of the fields, those of objects in them included.
fn fields(document: &Value, schema: &Value, prefix: &str, page: &mut String) {
    let properties = schema["properties"].as_object();
    if properties.is_none_or(serde_json::Map::is_empty) {
        page.push_str("It has no fields.\n");
        return;
    }
    page.push_str(&head(&["Field", "Kind", ""]));
    rows(document, schema, prefix, page);
}

fn rows(document: &Value, schema: &Value, prefix: &str, page: &mut String) {
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{prefix}{name}");
        let optional = if required.contains(&name.as_str()) {
            ""
        } else {
            ", *optional*"
        };
        let meaning = field["description"].as_str().unwrap_or_default();
        let kind = kind(document, field) + optional;
        page.push_str(&row(&[&format!("`{path}`"), &kind, &cell(meaning)]));
        for part in parts(document, field) {
            rows(document, part, &format!("{path}."), page);
        }
    }
}

/// The objects with fields of their own that a field can be, or hold.
fn parts<'a>(document: &'a Value, field: &'a Value) -> Vec<&'a Value> {
    let field = resolve(document, field);
    if field["properties"].is_object() {
        return vec![field];
    }
    let alternatives = ["anyOf", "oneOf"].iter().filter_map(|of| field[*of].as_array());
    let inner = alternatives.flatten().chain(field.get("items"));
    inner.flat_map(|part| parts(document, part)).collect()
}

fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str().and_then(|path| path.strip_prefix('#')) {
        Some(path) => document.pointer(path).expect("references lead somewhere"),
        None => schema,
    }
}

fn kind(document: &Value, schema: &Value) -> String {
    let schema = resolve(document, schema);
    if let Some(constant) = schema["const"].as_str() {
        return format!("`{constant}`");
    }
    for of in ["anyOf", "oneOf"] {
        if let Some(alternatives) = schema[of].as_array() {
            let kinds: Vec<String> = alternatives.iter().map(|one| kind(document, one)).collect();
            return kinds.join(" or ");
        }
    }
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<String> = values.iter().map(|value| format!("`{}`", text(value))).collect();
        return values.join(" or ");
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => vec!["anything"],
    };
    let kinds = types
        .into_iter()
        .map(|one| match (one, schema["format"].as_str()) {
            ("string", Some("uuid")) => "UUID".to_owned(),
            ("string", Some("date-time")) => "time".to_owned(),
            ("string", _) if is_decimal(schema) => "decimal".to_owned(),
            ("string", _) if is_digest(schema) => "SHA-256".to_owned(),
            ("string", _) => "text".to_owned(),
            ("array", _) => format!("list of {}", kind(document, &schema["items"])),
            (other, _) => other.to_owned(),
        });
    kinds.collect::<Vec<_>>().join(" or ")
}

fn is_decimal(schema: &Value) -> bool {
    schema["pattern"]
        .as_str()
        .is_some_and(|pattern| pattern.starts_with("^-?(0|[1-9][0-9]*)(\\."))
}

fn is_digest(schema: &Value) -> bool {
    schema["pattern"] == "^[0-9a-f]{64}$"
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), ToOwned::to_owned)
}
