//! Copying to the clipboard.

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Blob, BlobPropertyBag, HtmlAnchorElement, HtmlTextAreaElement, Url};

use super::icon::Icon;
use super::toast::toast;
use crate::text;

/// Copies a text. Where the page is not allowed to use the clipboard (no TLS, not this machine) the old way is taken.
pub fn copy(text: &str, what: &str) {
    if window().is_secure_context() {
        // A browser that refuses says so to its user.
        let _ = window().navigator().clipboard().write_text(text);
    } else {
        copy_by_selection(text);
    }
    toast(format!("{what} copied"));
}

fn copy_by_selection(text: &str) -> Option<()> {
    let area: HtmlTextAreaElement = document().create_element("textarea").ok()?.dyn_into().ok()?;
    area.set_value(text);
    // Inside an open dialog nothing outside of it can be selected.
    let home = document().query_selector("dialog[open]").ok().flatten();
    let home = home.map_or_else(|| document().body().map(Into::into), Some)?;
    let home: web_sys::Element = home;
    home.append_child(&area).ok()?;
    area.select();
    let command = js_sys::Reflect::get(&document(), &"execCommand".into()).ok()?;
    let _ = command
        .unchecked_into::<js_sys::Function>()
        .call1(&document(), &"copy".into());
    area.remove();
    Some(())
}

/// Hands a text to the browser as a file to keep.
pub fn download(name: &str, kind: &str, content: &str) {
    let parts = js_sys::Array::of1(&content.into());
    let options = BlobPropertyBag::new();
    options.set_type(kind);
    let Ok(blob) = Blob::new_with_str_sequence_and_options(&parts, &options) else {
        return;
    };
    let Ok(address) = Url::create_object_url_with_blob(&blob) else {
        return;
    };
    if let Some(link) = document()
        .create_element("a")
        .ok()
        .and_then(|link| link.dyn_into::<HtmlAnchorElement>().ok())
    {
        link.set_href(&address);
        link.set_download(name);
        link.click();
    }
    let _ = Url::revoke_object_url(&address);
}

/// A button that copies a text.
#[component]
pub fn Copy(
    #[prop(into)] text: Signal<String>,
    /// What is copied, for its name and what is said afterwards: `License key`.
    #[prop(into)]
    what: String,
) -> impl IntoView {
    let name = format!("Copy {}", what.to_lowercase());
    view! {
        <button
            type="button"
            class="button quiet icon-only copy"
            aria-label=name.clone()
            title=name
            on:click=move |event| {
                event.stop_propagation();
                copy(&text.get_untracked(), &what);
            }
        >
            <Icon icon=icondata::LuCopy />
        </button>
    }
}

/// An id or a hash: short, whole on hover, and a button that copies it.
#[component]
pub fn Id(
    #[prop(into)] id: String,
    #[prop(into)] what: String,
    /// Shows all of it.
    #[prop(optional)]
    whole: bool,
) -> impl IntoView {
    let shown = if whole { id.clone() } else { text::short_id(&id) };
    view! {
        <span class="id">
            <code title=id.clone()>{shown}</code>
            <Copy text=id what />
        </span>
    }
}
