//! A field that finds one of many: what is typed is looked up, and one of what was found is chosen.
//!
//! It follows the pattern of an editable combobox with a list (WAI-ARIA 1.2): arrows move, Enter chooses, Escape closes.

use std::time::Duration;

use leptos::html;
use leptos::prelude::*;

use super::field::{Surrounded, focus_first, fresh_id};

/// How long nobody types before it is looked up.
const PAUSE: Duration = Duration::from_millis(200);

/// Something to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What is kept.
    pub value: String,
    /// What it is called, in the field as well.
    pub title: String,
    /// What tells it from others of that name.
    pub about: String,
}

/// A field that finds one of many.
#[component]
pub fn Combobox(
    #[prop(into)] label: String,
    /// What was chosen.
    #[prop(into)]
    chosen: Signal<Option<Found>>,
    /// Gets what is chosen, and `None` when the field is emptied.
    #[prop(into)]
    choose: Callback<Option<Found>>,
    /// What to look up, after a pause; `None` until somebody comes to the field.
    wanted: RwSignal<Option<String>>,
    /// What was found; `None` while nobody knows yet.
    #[prop(into)]
    found: Signal<Option<Vec<Found>>>,
    /// What else is to say of what was found.
    #[prop(into, optional)]
    note: Signal<String>,
    #[prop(into, optional)] hint: String,
    #[prop(into, optional)] error: Signal<Option<String>>,
    #[prop(into, optional)] placeholder: String,
    #[prop(optional)] required: bool,
    /// Has the keyboard when it appears.
    #[prop(optional)]
    first: bool,
    /// Among filters: its label is for those who hear it.
    #[prop(optional)]
    bare: bool,
) -> impl IntoView {
    let state = State {
        typed: RwSignal::new(None),
        open: RwSignal::new(false),
        active: RwSignal::new(0),
        keystroke: StoredValue::new(0),
        wanted,
        found,
        choose,
    };
    let list_label = label.clone();
    let bare_label = bare.then(|| label.clone());
    let control = move |id: String, description: String| {
        let list = format!("{id}-list");
        let element = NodeRef::<html::Input>::new();
        focus_first(element, first);
        let (controls, of_active) = (list.clone(), list.clone());
        view! {
            <div class="combobox">
                <input
                    node_ref=element
                    id=id
                    type="text"
                    role="combobox"
                    aria-label=bare_label
                    aria-autocomplete="list"
                    aria-expanded=move || state.open.get().to_string()
                    aria-controls=move || state.open.get().then(|| controls.clone())
                    aria-activedescendant=move || state.active_id(&of_active)
                    aria-describedby=(!bare).then_some(description)
                    aria-invalid=move || error.with(Option::is_some).then_some("true")
                    autocomplete="off"
                    spellcheck="false"
                    placeholder=placeholder
                    required=required
                    prop:value=move || {
                        state.typed.get().unwrap_or_else(|| title_of(chosen))
                    }
                    on:focus=move |_| state.come(element)
                    on:click=move |_| state.show()
                    on:input=move |event| state.type_text(event_target_value(&event))
                    on:keydown=move |event| state.press(&event)
                    on:blur=move |_| state.leave()
                />
                <Show when=move || state.open.get()>
                    <List id=list.clone() label=list_label.clone() state note />
                </Show>
            </div>
        }
    };
    if bare {
        let id = fresh_id();
        control(id, String::new()).into_any()
    } else {
        view! { <Surrounded label hint error control /> }.into_any()
    }
}

fn title_of(chosen: Signal<Option<Found>>) -> String {
    chosen.with(|chosen| {
        chosen
            .as_ref()
            .map(|chosen| chosen.title.clone())
            .unwrap_or_default()
    })
}

/// What is going on in the field.
#[derive(Clone, Copy)]
struct State {
    /// What was typed since something was chosen.
    typed: RwSignal<Option<String>>,
    open: RwSignal<bool>,
    active: RwSignal<usize>,
    keystroke: StoredValue<u32>,
    wanted: RwSignal<Option<String>>,
    found: Signal<Option<Vec<Found>>>,
    choose: Callback<Option<Found>>,
}

impl State {
    fn come(self, element: NodeRef<html::Input>) {
        if self.wanted.with_untracked(Option::is_none) {
            self.wanted.set(Some(String::new()));
        }
        // What is typed replaces what was chosen.
        if let Some(element) = element.get_untracked() {
            element.select();
        }
    }

    fn show(self) {
        if !self.open.get_untracked() {
            self.active.set(0);
            self.open.set(true);
        }
    }

    fn leave(self) {
        self.open.set(false);
        self.typed.set(None);
        self.look_up(String::new());
    }

    fn look_up(self, text: String) {
        if self
            .wanted
            .with_untracked(|wanted| wanted.as_ref() != Some(&text))
        {
            self.wanted.set(Some(text));
        }
    }

    fn type_text(self, text: String) {
        self.show();
        self.active.set(0);
        if text.is_empty() {
            self.choose.run(None);
        }
        let wish = text.trim().to_owned();
        self.typed.set(Some(text));
        let number = self.keystroke.get_value().wrapping_add(1);
        self.keystroke.set_value(number);
        set_timeout(
            move || {
                // Gone, or more was typed, or something was chosen since.
                let is_last = self.keystroke.try_get_value() == Some(number);
                if is_last && self.typed.with_untracked(Option::is_some) {
                    self.look_up(wish);
                }
            },
            PAUSE,
        );
    }

    /// What can be chosen; nothing while it belongs to what was typed before.
    fn choices(self) -> Vec<Found> {
        let is_old = self.typed.with(|typed| {
            typed
                .as_ref()
                .is_some_and(|typed| self.wanted.with(|wanted| wanted.as_deref() != Some(typed.trim())))
        });
        if is_old {
            return vec![];
        }
        self.found.get().unwrap_or_default()
    }

    fn active_id(self, list: &str) -> Option<String> {
        let active = self.active.get();
        (self.open.get() && active < self.choices().len()).then(|| format!("{list}-{active}"))
    }

    fn take(self, one: Found) {
        self.open.set(false);
        self.typed.set(None);
        self.choose.run(Some(one));
    }

    fn press(self, event: &web_sys::KeyboardEvent) {
        let choices = untrack(|| self.choices());
        let is_open = self.open.get_untracked();
        let active = self.active.get_untracked();
        match event.key().as_str() {
            "ArrowDown" | "ArrowUp" if !is_open => self.show(),
            "ArrowDown" => self.active.set((active + 1).min(choices.len().saturating_sub(1))),
            "ArrowUp" => self.active.set(active.saturating_sub(1)),
            "Enter" if is_open => {
                if let Some(one) = choices.into_iter().nth(active) {
                    self.take(one);
                }
            }
            "Escape" if is_open => {
                self.open.set(false);
                self.typed.set(None);
            }
            _ => return,
        }
        // Neither is a form sent nor a dialog closed.
        event.prevent_default();
        event.stop_propagation();
    }
}

#[component]
fn List(id: String, label: String, state: State, note: Signal<String>) -> impl IntoView {
    let option_id = id.clone();
    let options = move || {
        let options = state.choices().into_iter().enumerate().map(|(number, one)| {
            let (title, about) = (one.title.clone(), one.about.clone());
            view! {
                <li
                    id=format!("{option_id}-{number}")
                    role="option"
                    aria-selected=move || (state.active.get() == number).to_string()
                    on:mousemove=move |_| {
                        if state.active.get_untracked() != number {
                            state.active.set(number);
                        }
                    }
                    on:click=move |event| {
                        event.stop_propagation();
                        state.take(one.clone());
                    }
                >
                    <span>{title}</span>
                    <small>{about}</small>
                </li>
            }
        });
        options.collect_view()
    };
    let words = move || {
        if state.found.with(Option::is_none) {
            return "Looking…".to_owned();
        }
        let note = note.get();
        if note.is_empty()
            && state
                .found
                .with(|found| found.as_ref().is_some_and(Vec::is_empty))
        {
            "Nothing found.".to_owned()
        } else {
            note
        }
    };
    view! {
        // The field keeps the keyboard while somebody points at the list.
        <div class="combobox-list" on:mousedown=|event| event.prevent_default()>
            <ul id=id role="listbox" aria-label=label>
                {options}
            </ul>
            <p role="status">{words}</p>
        </div>
    }
}
