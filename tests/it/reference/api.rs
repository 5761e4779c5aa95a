//! docs/reference/api.md, out of the API's description.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::Value;

use super::markdown::{anchor, cell, head, prose, row};

const BEGINNING: &str = "\
# Operations

<!-- Made by `cargo xtask docs` out of the API's description and the guide's list of problems: do not edit. -->

Every operation of the API, as [openapi.json](../openapi.json) describes it to programs. What holds for all of them (access,
errors, paging, repeating) is in [Conventions of the API](../api.md); a running server shows the same at `/docs`.

*Opens to* names the scopes of API keys one of which it takes. Whatever else an operation answers is a
[problem](#problem-codes). A body goes as JSON; fields in **bold** are required.
";

/// The page. `guide` is the script of the server's own page, which explains the problems.
pub(super) fn page(description: &Value, guide: &str) -> String {
    let mut page = BEGINNING.to_owned();
    let mut inlined = BTreeSet::new();
    for tag in description["tags"].as_array().into_iter().flatten() {
        let name = tag["name"].as_str().expect("tags have names");
        write!(
            page,
            "\n## {name}\n\n{}.\n\n",
            tag["description"].as_str().unwrap_or_default()
        )
        .unwrap();
        page.push_str(&head(&["Operation", ""]));
        let operations: Vec<_> = operations(description)
            .filter(|one| one.2["tags"][0] == name)
            .collect();
        for (method, path, operation) in &operations {
            let heading = format!("{method} {path}");
            let link = format!("[`{heading}`](#{})", anchor(&heading));
            page.push_str(&row(&[
                &link,
                &cell(operation["summary"].as_str().unwrap_or_default()),
            ]));
        }
        for (method, path, operation) in operations {
            describe(description, &method, path, operation, &mut page);
            inlined.extend(body(operation).and_then(|schema| reference(schema).map(ToOwned::to_owned)));
        }
    }
    objects(description, &inlined, &mut page);
    problems(guide, &mut page);
    page
}

fn operations(description: &Value) -> impl Iterator<Item = (String, &str, &Value)> {
    let paths = description["paths"].as_object().into_iter().flatten();
    paths.flat_map(|(path, item)| {
        let methods = item.as_object().into_iter().flatten();
        methods.map(move |(method, operation)| (method.to_uppercase(), path.as_str(), operation))
    })
}

fn describe(description: &Value, method: &str, path: &str, operation: &Value, page: &mut String) {
    write!(page, "\n### `{method} {path}`\n\n").unwrap();
    let summary = operation["summary"].as_str().unwrap_or_default();
    let more = operation["description"].as_str().unwrap_or_default();
    writeln!(page, "{}", prose(&format!("{summary}\n\n{more}"))).unwrap();
    if operation["deprecated"] == true {
        page.push_str("\n*Deprecated.*\n");
    }
    writeln!(page, "\nOpens to: {}.", admitted(operation)).unwrap();
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let parameters: Vec<String> = parameters
        .map(|parameter| {
            let name = bold_if(
                parameter["required"] == true,
                parameter["name"].as_str().unwrap_or_default(),
            );
            let place = parameter["in"].as_str().unwrap_or_default();
            let kind = kind(&parameter["schema"]);
            let meaning = cell(parameter["description"].as_str().unwrap_or_default());
            row(&[&name, place, &kind, &meaning])
        })
        .collect();
    if !parameters.is_empty() {
        write!(
            page,
            "\n{}{}",
            head(&["Parameter", "In", "Kind", ""]),
            parameters.concat()
        )
        .unwrap();
    }
    if let Some(schema) = body(operation) {
        let fields = fields(description, schema);
        if !fields.is_empty() {
            write!(page, "\n{}{fields}", head(&["Field of the body", "Kind", ""])).unwrap();
        }
    }
    page.push('\n');
    page.push_str(&head(&["Answer", "Body", ""]));
    for (status, answer) in operation["responses"].as_object().into_iter().flatten() {
        if status == "default" {
            continue;
        }
        let contents = answer["content"].as_object().into_iter().flatten();
        let bodies: Vec<String> = contents
            .map(|(media, content)| match media.as_str() {
                "application/json" | "application/problem+json" => kind(&content["schema"]),
                _ => format!("`{}`", media.split(';').next().unwrap_or_default()),
            })
            .collect();
        let meaning = cell(answer["description"].as_str().unwrap_or_default());
        page.push_str(&row(&[status, &bodies.join(", or "), &meaning]));
    }
}

fn admitted(operation: &Value) -> String {
    let Some(security) = operation["security"].as_array().filter(|all| !all.is_empty()) else {
        return "everybody".to_owned();
    };
    let scopes: Vec<String> = security[0]["apiKey"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(|scope| match scope {
            "super_admin" => "the super-admin".to_owned(),
            _ => format!("`{scope}`"),
        })
        .collect();
    if scopes.is_empty() {
        "any API key".to_owned()
    } else {
        scopes.join(", ")
    }
}

/// The schema of what is sent.
fn body(operation: &Value) -> Option<&Value> {
    let schema = operation.pointer("/requestBody/content/application~1json/schema")?;
    // A body that may be left out.
    let alternatives = schema["oneOf"].as_array();
    Some(alternatives.and_then(|all| all.first()).unwrap_or(schema))
}

fn reference(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix("#/components/schemas/")
}

fn bold_if(bold: bool, name: &str) -> String {
    if bold {
        format!("**`{name}`**")
    } else {
        format!("`{name}`")
    }
}

/// Rows of a schema's fields, those that it takes over included.
fn fields(description: &Value, schema: &Value) -> String {
    let schema = match reference(schema) {
        Some(name) => &description["components"]["schemas"][name],
        None => schema,
    };
    let taken = schema["allOf"].as_array().into_iter().flatten();
    let mut rows: String = taken.map(|part| fields(description, part)).collect();
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let alternatives = field["oneOf"].as_array();
        let described = field["description"]
            .as_str()
            .or_else(|| alternatives.and_then(|all| all.iter().find_map(|one| one["description"].as_str())));
        let name = bold_if(required.contains(&name.as_str()), name);
        rows.push_str(&row(&[&name, &kind(field), &cell(described.unwrap_or_default())]));
    }
    rows
}

/// The heading of an object: not that of a group of operations.
fn object(name: &str) -> String {
    format!("{name} (object)")
}

/// Everything that is answered, once; what is only sent stands with its operation.
fn objects(description: &Value, inlined: &BTreeSet<String>, page: &mut String) {
    page.push_str("\n## Objects\n\nWhat answers hold. Fields in **bold** are always there.\n");
    let components = description["components"].to_string();
    for (name, schema) in description["components"]["schemas"]
        .as_object()
        .into_iter()
        .flatten()
    {
        // What is sent on its own may be a part of something else, too.
        let is_part = components.contains(&format!("\"#/components/schemas/{name}\""));
        if inlined.contains(name) && !is_part {
            continue;
        }
        let fields = fields(description, schema);
        write!(
            page,
            "\n### {}\n\n{}\n",
            object(name),
            cell(schema["description"].as_str().unwrap_or_default())
        )
        .unwrap();
        if fields.is_empty() {
            writeln!(page, "\nKind: {}", kind(schema)).unwrap();
        } else {
            write!(page, "\n{}{fields}", head(&["Field", "Kind", ""])).unwrap();
        }
    }
}

/// The codes of problems, as the server's own page explains them.
fn problems(guide: &str, page: &mut String) {
    page.push_str(
        "\n## Problem codes\n\nEvery error is a problem document (RFC 9457) with one of these as `code`; its `type` ends \
         in the same, in lower case with hyphens.\n\n",
    );
    page.push_str(&head(&["Code", "Status", ""]));
    let (_, list) = guide
        .split_once("const PROBLEMS = [")
        .expect("the guide lists the problems");
    let (list, _) = list.split_once("\n];").expect("the list ends");
    let mut known = 0;
    for line in list.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let entry: (String, u16, String) = serde_json::from_str(line.trim_end_matches(','))
            .unwrap_or_else(|error| panic!("{error}: {line}"));
        let code = entry.0.to_uppercase().replace('-', "_");
        page.push_str(&row(&[
            &format!("`{code}`"),
            &entry.1.to_string(),
            &cell(&entry.2),
        ]));
        known += 1;
    }
    assert!(known > 40, "{known}");
}

/// What a value can be, in words.
fn kind(schema: &Value) -> String {
    if let Some(name) = reference(schema) {
        return format!("[{name}](#{})", anchor(&object(name)));
    }
    if let Some(alternatives) = schema["oneOf"].as_array() {
        return alternatives.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    if let Some(values) = schema["enum"].as_array() {
        let values = values.iter().filter_map(Value::as_str);
        return values
            .map(|value| format!("`{value}`"))
            .collect::<Vec<_>>()
            .join(", ");
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => vec!["anything"],
    };
    let kinds = types.into_iter().map(|one| match one {
        "string" => text_kind(schema),
        "integer" | "number" => one.to_owned() + &bounds(schema),
        "array" => format!("list of {}", kind(&schema["items"])),
        "boolean" => "true or false".to_owned(),
        other => other.to_owned(),
    });
    kinds.collect::<Vec<_>>().join(" or ")
}

fn text_kind(schema: &Value) -> String {
    match schema["format"].as_str() {
        Some("uuid") => return "UUID".to_owned(),
        Some("date-time") => return "time".to_owned(),
        _ => {}
    }
    match (
        schema["minLength"].as_u64().unwrap_or(0),
        schema["maxLength"].as_u64(),
    ) {
        (0, None) => "text".to_owned(),
        (1, None) => "text, not empty".to_owned(),
        (least, None) => format!("text of {least} characters or more"),
        (0, Some(most)) => format!("text of up to {most} characters"),
        (least, Some(most)) if least == most => format!("text of {most} characters"),
        (least, Some(most)) => format!("text of {least} to {most} characters"),
    }
}

/// Bounds that a person would not expect.
fn bounds(schema: &Value) -> String {
    // That of the type itself says nothing.
    let most = schema["maximum"]
        .as_u64()
        .filter(|most| *most < u64::from(u32::MAX));
    match (schema["minimum"].as_i64(), most) {
        (Some(least), Some(most)) => format!(" from {least} to {most}"),
        (None, Some(most)) => format!(" up to {most}"),
        (Some(least), None) if least > 0 => format!(" from {least}"),
        _ => String::new(),
    }
}
