//! Fields of forms: a label, the input, a hint, and what is wrong with it.

use leptos::html;
use leptos::prelude::*;

/// A number for ids within this page.
pub fn fresh_id() -> String {
    thread_local! {
        static LAST: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
    }
    LAST.set(LAST.get() + 1);
    format!("field-{}", LAST.get())
}

/// What surrounds an input. `control` makes the input from its id and the id of what describes it.
#[component]
pub(super) fn Surrounded<V: IntoView + 'static>(
    label: String,
    hint: String,
    error: Signal<Option<String>>,
    control: impl FnOnce(String, String) -> V + 'static,
) -> impl IntoView {
    let id = fresh_id();
    let description = format!("{id}-description");
    view! {
        <div class="field" class:wrong=move || error.with(Option::is_some)>
            <label for=id.clone()>{label}</label>
            {control(id, description.clone())}
            <p class="description" id=description>
                {move || match error.get() {
                    Some(error) => view! { <span class="error">{error}</span> }.into_any(),
                    None => view! { <span>{hint.clone()}</span> }.into_any(),
                }}
            </p>
        </div>
    }
}

/// A line of text.
#[component]
pub fn TextField(
    #[prop(into)] label: String,
    value: RwSignal<String>,
    #[prop(into, optional)] hint: String,
    #[prop(into, optional)] error: Signal<Option<String>>,
    #[prop(into, optional)] placeholder: String,
    /// As HTML has it: `text`, `email`, `password`, `url`.
    #[prop(default = "text")]
    kind: &'static str,
    #[prop(default = "off")] autocomplete: &'static str,
    #[prop(optional)] required: bool,
    /// Has the keyboard when it appears.
    #[prop(optional)]
    first: bool,
    #[prop(optional)] monospaced: bool,
    #[prop(into, optional)] disabled: Signal<bool>,
) -> impl IntoView {
    let element = NodeRef::<html::Input>::new();
    focus_first(element, first);
    let control = move |id, description| {
        view! {
            <input
                node_ref=element
                id=id
                type=kind
                class:monospaced=monospaced
                aria-describedby=description
                aria-invalid=move || error.with(Option::is_some).then_some("true")
                autocomplete=autocomplete
                spellcheck="false"
                placeholder=placeholder
                required=required
                disabled=disabled
                prop:value=value
                on:input=move |event| value.set(event_target_value(&event))
            />
        }
    };
    view! { <Surrounded label hint error control /> }
}

/// Gives the keyboard to an input once it is in the page; in a dialog, once that is shown.
pub(super) fn focus_first(element: NodeRef<html::Input>, first: bool) {
    if first {
        Effect::new(move |_| {
            if let Some(element) = element.get() {
                request_animation_frame(move || {
                    let _ = element.focus();
                });
            }
        });
    }
}

/// Lines of text.
#[component]
pub fn TextArea(
    #[prop(into)] label: String,
    value: RwSignal<String>,
    #[prop(into, optional)] hint: String,
    #[prop(into, optional)] error: Signal<Option<String>>,
    #[prop(default = 3)] rows: u32,
    #[prop(optional)] monospaced: bool,
) -> impl IntoView {
    let control = move |id, description| {
        view! {
            <textarea
                id=id
                class:monospaced=monospaced
                aria-describedby=description
                aria-invalid=move || error.with(Option::is_some).then_some("true")
                rows=rows
                spellcheck=if monospaced { "false" } else { "true" }
                prop:value=value
                on:input=move |event| value.set(event_target_value(&event))
            ></textarea>
        }
    };
    view! { <Surrounded label hint error control /> }
}

/// A whole number, or nothing. What was typed is kept as it is; the server says what is wrong with it.
#[component]
pub fn NumberField(
    #[prop(into)] label: String,
    value: RwSignal<String>,
    #[prop(into, optional)] hint: String,
    #[prop(into, optional)] error: Signal<Option<String>>,
    #[prop(into, optional)] placeholder: String,
    #[prop(default = 1)] min: i64,
    #[prop(into, optional)] disabled: Signal<bool>,
) -> impl IntoView {
    let control = move |id, description| {
        view! {
            <input
                id=id
                type="number"
                inputmode="numeric"
                min=min
                step="1"
                placeholder=placeholder
                aria-describedby=description
                aria-invalid=move || error.with(Option::is_some).then_some("true")
                disabled=disabled
                prop:value=value
                on:input=move |event| value.set(event_target_value(&event))
            />
        }
    };
    view! { <Surrounded label hint error control /> }
}

/// A moment in the viewer's zone, as the browser's field has it; see [`crate::format::from_field`].
#[component]
pub fn TimeField(
    #[prop(into)] label: String,
    value: RwSignal<String>,
    #[prop(into, optional)] hint: String,
    #[prop(into, optional)] error: Signal<Option<String>>,
) -> impl IntoView {
    let control = move |id, description| {
        view! {
            <input
                id=id
                type="datetime-local"
                aria-describedby=description
                aria-invalid=move || error.with(Option::is_some).then_some("true")
                prop:value=value
                on:input=move |event| value.set(event_target_value(&event))
            />
        }
    };
    view! { <Surrounded label hint error control /> }
}

/// One of several: its value, and its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What is kept.
    pub value: String,
    /// What is shown.
    pub label: String,
}

impl Choice {
    /// A choice.
    pub fn new(value: impl Into<String>, label: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            label: label.into(),
        }
    }
}

/// One of several.
#[component]
pub fn ChoiceField(
    #[prop(into)] label: String,
    value: RwSignal<String>,
    #[prop(into)] choices: Signal<Vec<Choice>>,
    #[prop(into, optional)] hint: String,
    #[prop(into, optional)] error: Signal<Option<String>>,
    #[prop(optional)] required: bool,
) -> impl IntoView {
    let control = move |id, description| {
        view! {
            <select
                id=id
                aria-describedby=description
                aria-invalid=move || error.with(Option::is_some).then_some("true")
                required=required
                on:change=move |event| value.set(event_target_value(&event))
            >
                {move || options(choices.get(), value)}
            </select>
        }
    };
    view! { <Surrounded label hint error control /> }
}

/// The options of a `select`, the chosen one marked.
pub fn options(choices: Vec<Choice>, value: RwSignal<String>) -> Vec<AnyView> {
    choices
        .into_iter()
        .map(|choice| {
            let own = choice.value.clone();
            view! {
                <option value=choice.value selected=move || value.with(|value| *value == own)>
                    {choice.label}
                </option>
            }
            .into_any()
        })
        .collect()
}

/// On or off.
#[component]
pub fn SwitchField(
    #[prop(into)] label: String,
    value: RwSignal<bool>,
    #[prop(into, optional)] hint: String,
) -> impl IntoView {
    let id = fresh_id();
    let description = format!("{id}-description");
    view! {
        <div class="field switch">
            <input
                id=id.clone()
                type="checkbox"
                aria-describedby=description.clone()
                prop:checked=value
                on:change=move |event| value.set(event_target_checked(&event))
            />
            <label for=id>{label}</label>
            <p class="description" id=description>
                {hint}
            </p>
        </div>
    }
}
