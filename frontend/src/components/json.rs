//! JSON, to look at and to write.

use leptos::prelude::*;
use serde_json::Value;
use vinzy_client::Object;

use super::copy::Copy;
use super::field::TextArea;

/// JSON to look at, and to copy.
#[component]
pub fn JsonView(value: Value, #[prop(into, optional)] what: Option<String>) -> impl IntoView {
    let text = serde_json::to_string_pretty(&value).unwrap_or_default();
    view! {
        <div class="json">
            <Copy text=text.clone() what=what.unwrap_or_else(|| "JSON".to_owned()) />
            <pre tabindex="0">{text}</pre>
        </div>
    }
}

/// An object as the text of a [`JsonField`]: nothing for an empty one.
pub fn object_text(object: &Object) -> String {
    if object.is_empty() {
        String::new()
    } else {
        serde_json::to_string_pretty(object).unwrap_or_default()
    }
}

/// What a [`JsonField`] holds: nothing is an empty object.
///
/// # Errors
/// What is wrong with it, in words.
pub fn parse_object(text: &str) -> Result<Object, String> {
    if text.trim().is_empty() {
        return Ok(Object::new());
    }
    match serde_json::from_slice(text.as_bytes()) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err("must be a JSON object, as in {\"name\": \"value\"}".to_owned()),
        Err(error) => Err(format!("is no JSON: {error}")),
    }
}

/// A JSON object to write, checked as it is typed.
#[component]
pub fn JsonField(
    #[prop(into)] label: String,
    value: RwSignal<String>,
    #[prop(into, optional)] hint: String,
    #[prop(into, optional)] error: Signal<Option<String>>,
    #[prop(default = 4)] rows: u32,
) -> impl IntoView {
    let error = Signal::derive(move || {
        value
            .with(|text| parse_object(text).err())
            .or_else(|| error.get())
    });
    view! { <TextArea label value hint error rows monospaced=true /> }
}
