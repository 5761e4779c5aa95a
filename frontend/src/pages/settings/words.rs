//! Values of settings, and where they come from, in words.

use leptos::prelude::*;
use serde_json::Value;
use vinzy_client::settings::Setting;

use crate::components::{Badge, Tone};

/// A setting's value; of a secret, whether there is one.
pub fn value(setting: &Setting) -> AnyView {
    if setting.secret {
        return if setting.source == "default" {
            view! { <Badge label="not set" /> }.into_any()
        } else {
            view! { <Badge label="set" tone=Tone::Good /> }.into_any()
        };
    }
    match setting
        .value
        .as_ref()
        .map(written)
        .filter(|text| !text.is_empty())
    {
        Some(text) => view! { <code>{text}</code> }.into_any(),
        None => view! { <small>"not set"</small> }.into_any(),
    }
}

fn written(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(written).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// Where a setting comes from.
pub fn source(setting: &Setting) -> impl IntoView + use<> {
    let (tone, about) = match setting.source.as_str() {
        "flag" => (Tone::Plain, "Given on the command line."),
        "environment" => (Tone::Plain, "A variable of the server's environment."),
        "file" => (
            Tone::Plain,
            "From the file vinzy.toml, or the one that VINZY_CONFIG names.",
        ),
        "generated" => (
            Tone::Warning,
            "Made by the server at its first start, for development, and kept in its data directory.",
        ),
        _ => (Tone::Over, "Nobody said otherwise."),
    };
    view! {
        <span title=about>
            <Badge label=setting.source.clone() tone />
        </span>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_are_written_out() {
        assert_eq!(written(&json!(["10.0.0.0/8", "::1"])), "10.0.0.0/8, ::1");
        assert_eq!(written(&json!(86_400)), "86400");
        assert_eq!(written(&Value::Null), "");
    }
}
