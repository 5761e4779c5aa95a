//! The command palette: from wherever one is to a page, an action, a license, a customer or a product, by typing.

mod entry;
mod search;

use std::time::Duration;

use leptos::ev;
use leptos::html;
use leptos::prelude::*;

use entry::{Does, Entry};
use search::Search;

use crate::api;
use crate::components::Icon;
use crate::components::dialog::show_while;
use crate::place::{Go, use_go};
use crate::theme;

/// How long nobody types before the server is asked.
const PAUSE: Duration = Duration::from_millis(150);

/// The button at the top of every page, and the palette that it opens. `Ctrl K` or `⌘ K` opens it, too.
#[component]
pub fn Palette() -> impl IntoView {
    let open = RwSignal::new(false);
    let keys = window_event_listener(ev::keydown, move |event| {
        let is_shortcut = (event.ctrl_key() || event.meta_key()) && !event.alt_key() && !event.shift_key();
        if is_shortcut && event.key().eq_ignore_ascii_case("k") {
            event.prevent_default();
            // Behind an open dialog there is nothing to go to.
            if open.get_untracked() || !is_other_dialog_open() {
                open.update(|open| *open = !*open);
            }
        }
    });
    on_cleanup(move || keys.remove());
    view! {
        <button
            type="button"
            class="palette-button"
            aria-label="Search or jump to"
            aria-keyshortcuts="Control+K Meta+K"
            aria-haspopup="dialog"
            on:click=move |_| open.set(true)
        >
            <Icon icon=icondata::LuSearch />
            <span>"Search or jump to\u{2026}"</span>
            <kbd>{shortcut()}</kbd>
        </button>
        <Overlay open />
    }
}

fn is_other_dialog_open() -> bool {
    document().query_selector("dialog[open]").ok().flatten().is_some()
}

fn shortcut() -> &'static str {
    let platform = window().navigator().platform().unwrap_or_default();
    if platform.starts_with("Mac") || platform.starts_with("iP") {
        "\u{2318} K"
    } else {
        "Ctrl K"
    }
}

#[component]
fn Overlay(open: RwSignal<bool>) -> impl IntoView {
    let element = NodeRef::<html::Dialog>::new();
    show_while(element, open.into());
    view! {
        <dialog
            node_ref=element
            class="palette"
            aria-label="Search and commands"
            on:close=move |_| open.set(false)
            on:click=move |event| {
                // Beside the palette is the dialog's own backdrop.
                if event.target().is_some_and(|target| Some(target) == element.get().map(Into::into)) {
                    open.set(false);
                }
            }
        >
            <Show when=move || open.get()>
                <Content open />
            </Show>
        </dialog>
    }
}

/// The field and what it finds. Made anew each time, so that it begins empty.
#[component]
fn Content(open: RwSignal<bool>) -> impl IntoView {
    let go = StoredValue::new_local(use_go());
    let text = RwSignal::new(String::new());
    let asked = delayed(text);
    let search = Search::new(asked);
    let entries = Memo::new(move |_| search.entries(&text.get()));
    let chosen = RwSignal::new(0_usize);
    Effect::new(move |_| {
        // What is found first is chosen first.
        text.track();
        chosen.set(0);
    });
    let run = move |at: usize| {
        if let Some(entry) = entries.with_untracked(|entries| entries.get(at).cloned()) {
            open.set(false);
            go.with_value(|go| act(go, entry.does));
        }
    };
    let step = move |forward: bool| {
        let count = entries.with_untracked(Vec::len);
        if count > 0 {
            chosen.update(|at| *at = (*at + if forward { 1 } else { count - 1 }) % count);
            request_animation_frame(show_chosen);
        }
    };
    let keydown = move |event: web_sys::KeyboardEvent| {
        match event.key().as_str() {
            "ArrowDown" => step(true),
            "ArrowUp" => step(false),
            "Enter" => run(chosen.get_untracked()),
            "Escape" => open.set(false),
            _ => return,
        }
        event.prevent_default();
    };
    let input = NodeRef::<html::Input>::new();
    Effect::new(move |_| {
        if let Some(input) = input.get() {
            request_animation_frame(move || {
                let _ = input.focus();
            });
        }
    });
    let is_empty = Memo::new(move |_| entries.with(Vec::is_empty));
    view! {
        <div class="palette-field">
            <Icon icon=icondata::LuSearch />
            <input
                node_ref=input
                type="text"
                role="combobox"
                aria-label="Search and commands"
                aria-expanded=move || (!is_empty.get()).to_string()
                aria-controls="palette-list"
                aria-autocomplete="list"
                aria-activedescendant=move || (!is_empty.get()).then(|| option_id(chosen.get()))
                placeholder="A page, a license id or key, a customer, a product"
                autocomplete="off"
                spellcheck="false"
                prop:value=text
                on:input=move |event| text.set(event_target_value(&event))
                on:keydown=keydown
            />
        </div>
        <ul id="palette-list" role="listbox" aria-label="What was found">
            {move || options(&entries.get(), chosen, run)}
        </ul>
        <p class="palette-status" role="status">
            {move || {
                if search.is_waiting(&text.get()) {
                    "Searching\u{2026}"
                } else if is_empty.get() {
                    "Nothing found. License keys can be pasted; they are looked up by a hash, and never sent."
                } else {
                    ""
                }
            }}
        </p>
        <footer class="palette-keys" aria-hidden="true">
            <span><kbd>"\u{2191}"</kbd> <kbd>"\u{2193}"</kbd> " choose"</span>
            <span><kbd>"Enter"</kbd> " go"</span>
            <span><kbd>"Esc"</kbd> " close"</span>
        </footer>
    }
}

/// A text as it is once nobody types any more.
fn delayed(text: RwSignal<String>) -> RwSignal<String> {
    let settled = RwSignal::new(String::new());
    Effect::new(move |_| {
        let now = text.get();
        set_timeout(
            move || {
                // Gone, or more was typed since.
                if text.try_get_untracked().as_deref() == Some(&now) {
                    settled.set(now.clone());
                }
            },
            PAUSE,
        );
    });
    settled
}

fn option_id(at: usize) -> String {
    format!("palette-option-{at}")
}

/// Brings what was chosen into view, if the list is longer than its place.
fn show_chosen() {
    if let Ok(Some(option)) = document().query_selector("#palette-list [aria-selected='true']") {
        option.scroll_into_view_with_bool(false);
    }
}

fn options(entries: &[Entry], chosen: RwSignal<usize>, run: impl Fn(usize) + Copy + 'static) -> Vec<AnyView> {
    let mut views = vec![];
    let mut group = "";
    for (at, entry) in entries.iter().enumerate() {
        if entry.group != group {
            group = entry.group;
            views.push(view! { <li role="presentation" class="palette-group">{group}</li> }.into_any());
        }
        let icon = entry.icon;
        views.push(
            view! {
                <li
                    id=option_id(at)
                    role="option"
                    class="palette-option"
                    aria-selected=move || (chosen.get() == at).to_string()
                    on:mousemove=move |_| {
                        if chosen.get_untracked() != at {
                            chosen.set(at);
                        }
                    }
                    on:click=move |_| run(at)
                >
                    <Icon icon />
                    <span>{entry.label.clone()}</span>
                    <small>{entry.hint.clone()}</small>
                </li>
            }
            .into_any(),
        );
    }
    views
}

fn act(go: &Go, does: Does) {
    match does {
        Does::Go(path) => go.to(&path),
        Does::Color(theme) => theme::choose(theme),
        Does::LogOut => api::spawn(async {
            // Without an answer the cookie may still be there: then the next page says so.
            let _ = api::send(&vinzy_client::calls::session::delete()).await;
            crate::session::state().set(crate::session::State::Out { ended: false });
        }),
    }
}
