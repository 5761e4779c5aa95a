//! What is shown this once.

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;

use super::button::{Button, Kind};
use super::copy::{copy, download};
use super::dialog::Dialog;
use super::field::SwitchField;
use super::icon::Icon;

/// A secret that the server has just made and will not tell again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// What it is: `License key`.
    pub what: String,
    /// Itself.
    pub text: String,
    /// What it is for, and for whom.
    pub about: String,
    /// Name of the file that it can be kept in.
    pub file: String,
}

/// A secret whose page went away, by the browser's Back or the end of a session, before it was kept.
#[derive(Clone, Copy)]
struct Left(RwSignal<Option<Secret>>);

/// Has whatever is below this keep secrets for [`LeftSecret`] when their page goes away.
pub fn keep_left_secrets() {
    provide_context(Left(RwSignal::new(None)));
}

/// Shows what [`keep_left_secrets`] has kept, on whatever page that is.
#[component]
pub fn LeftSecret() -> impl IntoView {
    let Left(secret) = expect_context();
    view! { <SecretDialog secret /> }
}

/// Shows a secret until somebody says that it is kept: neither Escape nor a stray click takes it away, the browser asks
/// before it closes the page, and on another page of the dashboard it is still shown.
#[component]
pub fn SecretDialog(
    /// What is shown; `None` shows nothing.
    secret: RwSignal<Option<Secret>>,
    /// When it was put away.
    #[prop(into, optional)]
    kept: Option<Callback<()>>,
    /// What else can be said of it.
    #[prop(into, optional)]
    children: ViewFn,
) -> impl IntoView {
    let is_kept = RwSignal::new(false);
    ask_before_leaving(secret);
    let left = use_context::<Left>();
    on_cleanup(move || {
        let lost = secret.try_get_untracked().flatten();
        if let (Some(Left(left)), Some(lost)) = (left, lost) {
            left.set(Some(lost));
        }
    });
    Effect::new(move |_| {
        secret.track();
        is_kept.set(false);
    });
    let title = Signal::derive(move || {
        secret.with(|secret| {
            secret
                .as_ref()
                .map(|secret| secret.what.clone())
                .unwrap_or_default()
        })
    });
    let put_away = move |()| {
        secret.set(None);
        if let Some(kept) = kept {
            kept.run(());
        }
    };
    let children = StoredValue::new(children);
    view! {
        <Dialog title open=Signal::derive(move || secret.with(Option::is_some)) close=|()| () guarded=true>
            {move || {
                let Secret { what, text, about, file } = secret.get()?;
                let (of_copy, of_download) = (text.clone(), text.clone());
                Some(
                    view! {
                        <p>{about}</p>
                        <p class="secret">
                            <code data-secret="">{text}</code>
                        </p>
                        <p class="notice warning">
                            <Icon icon=icondata::LuTriangleAlert />
                            <span>"It is shown this once and stored nowhere. Keep it now."</span>
                        </p>
                        <div class="actions">
                            <Button
                                kind=Kind::Primary
                                icon=icondata::LuCopy
                                label="Copy"
                                press=move |()| {
                                    copy(&of_copy, &what);
                                    is_kept.set(true);
                                }
                            />
                            <Button
                                icon=icondata::LuDownload
                                label="Download"
                                press=move |()| {
                                    download(&file, "text/plain", &format!("{of_download}\n"));
                                    is_kept.set(true);
                                }
                            />
                        </div>
                        {children.with_value(ViewFn::run)}
                        <SwitchField label="I have kept it" value=is_kept />
                        <footer class="buttons">
                            <Button
                                label="Done"
                                disabled=Signal::derive(move || !is_kept.get())
                                press=put_away
                            />
                        </footer>
                    },
                )
            }}
        </Dialog>
    }
}

/// Has the browser ask before the page goes away with a secret on it.
fn ask_before_leaving(secret: RwSignal<Option<Secret>>) {
    let ask = Closure::<dyn Fn(web_sys::Event)>::new(move |event: web_sys::Event| {
        if secret.try_with_untracked(Option::is_some) == Some(true) {
            event.prevent_default();
            let _ = js_sys::Reflect::set(&event, &"returnValue".into(), &"".into());
        }
    });
    let function: js_sys::Function = ask.as_ref().unchecked_ref::<js_sys::Function>().clone();
    let _ = window().add_event_listener_with_callback("beforeunload", &function);
    let ask = StoredValue::new_local(Some(ask));
    let function = StoredValue::new_local(function);
    on_cleanup(move || {
        let _ = window().remove_event_listener_with_callback("beforeunload", &function.get_value());
        ask.set_value(None);
    });
}
