//! Dialogs: the browser's own, which keeps the keyboard inside and gives the focus back.

use leptos::ev::Event;
use leptos::html;
use leptos::prelude::*;

use super::button::{Button, Kind};
use super::field::TextField;
use super::state::Refused;
use crate::fetch::Deed;

/// A dialog. Who uses it says whether it is open; `close` is the wish that it be closed. What is in it is made anew each
/// time that it opens, so a form begins empty. A stray click beside it does nothing.
#[component]
pub fn Dialog(
    #[prop(into)] title: Signal<String>,
    #[prop(into)] open: Signal<bool>,
    #[prop(into)] close: Callback<()>,
    /// Only its own buttons close it, not Escape.
    #[prop(optional)]
    guarded: bool,
    /// Room for a form with more than a few fields.
    #[prop(optional)]
    wide: bool,
    children: ChildrenFn,
) -> impl IntoView {
    let element = NodeRef::<html::Dialog>::new();
    let open = Memo::new(move |_| open.get());
    show_while(element, open.into());
    let cancelled = move |event: Event| {
        // Whether it closes is for its owner to say.
        event.prevent_default();
        if !guarded {
            close.run(());
        }
    };
    let closed = move |_: Event| {
        // A browser closes it at the second Escape, whatever was said to the first.
        if open.get_untracked() {
            match element.get_untracked() {
                Some(element) if guarded => {
                    let _ = element.show_modal();
                }
                _ => close.run(()),
            }
        }
    };
    let children = StoredValue::new(children);
    view! {
        <dialog
            node_ref=element
            class:wide=wide
            aria-label=title
            on:cancel=cancelled
            on:close=closed
        >
            <Show when=move || open.get()>
                <header>
                    <h2>{title}</h2>
                    <Show when=move || !guarded>
                        <Button
                            kind=Kind::Quiet
                            icon=icondata::LuX
                            icon_only=true
                            label="Close"
                            press=move |()| close.run(())
                        />
                    </Show>
                </header>
                <div class="dialog-body">{children.with_value(|children| children())}</div>
            </Show>
        </dialog>
    }
}

/// Shows a `dialog` element, over everything else, while `open` says so.
pub fn show_while(element: NodeRef<html::Dialog>, open: Signal<bool>) {
    Effect::new(move |_| {
        let Some(element) = element.get() else {
            return;
        };
        if open.get() && !element.open() {
            // It is in the page and closed, so it can be shown.
            let _ = element.show_modal();
        } else if !open.get() && element.open() {
            element.close();
        }
    });
}

/// The row of buttons at the end of a dialog or form: away with it, and on with it.
#[component]
pub fn Buttons(
    #[prop(into)] label: String,
    deed: Deed,
    #[prop(into)] cancel: Callback<()>,
    #[prop(optional)] danger: bool,
    #[prop(into, optional)] disabled: Signal<bool>,
) -> impl IntoView {
    view! {
        <Refused problem=deed.problem />
        <footer class="buttons">
            <Button label="Cancel" press=move |()| cancel.run(()) />
            <Button
                kind=if danger { Kind::Danger } else { Kind::Primary }
                label
                submit=true
                busy=deed.busy
                disabled
            />
        </footer>
    }
}

/// Asks once more before something is done.
#[component]
pub fn Confirm(
    #[prop(into)] title: Signal<String>,
    #[prop(into)] open: Signal<bool>,
    #[prop(into)] close: Callback<()>,
    /// The button's words: what will be done.
    #[prop(into)]
    label: String,
    deed: Deed,
    #[prop(into)] confirm: Callback<()>,
    #[prop(optional)] danger: bool,
    /// What has to be typed first, when there is no way back.
    #[prop(into, optional)]
    typed: Option<String>,
    children: ChildrenFn,
) -> impl IntoView {
    let children = StoredValue::new(children);
    let label = StoredValue::new(label);
    let typed = StoredValue::new(typed);
    let text = RwSignal::new(String::new());
    Effect::new(move |_| {
        if open.get() {
            deed.clear();
            text.set(String::new());
        }
    });
    let is_missing = Signal::derive(move || {
        typed.with_value(|typed| typed.as_ref().is_some_and(|typed| *typed != text.get().trim()))
    });
    view! {
        <Dialog title open close>
            <form
                class="form"
                on:submit=move |event| {
                    event.prevent_default();
                    if !is_missing.get_untracked() {
                        confirm.run(());
                    }
                }
            >
                {children.with_value(|children| children())}
                {typed
                    .get_value()
                    .map(|typed| {
                        view! { <TextField label=format!("Type \u{201c}{typed}\u{201d} to go on") value=text /> }
                    })}
                <Buttons label=label.get_value() deed cancel=close danger disabled=is_missing />
            </form>
        </Dialog>
    }
}
