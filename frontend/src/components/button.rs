//! Buttons, and links that look like them.

use leptos::prelude::*;

use super::icon::Icon;

/// How much a button matters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Kind {
    /// One of several.
    #[default]
    Plain,
    /// What this place is for.
    Primary,
    /// What takes something away.
    Danger,
    /// Beside a row or in a bar, without a frame.
    Quiet,
}

impl Kind {
    const fn class(self) -> &'static str {
        match self {
            Self::Plain => "button",
            Self::Primary => "button primary",
            Self::Danger => "button danger",
            Self::Quiet => "button quiet",
        }
    }
}

/// A button. While it is busy it shows that, and cannot be pressed.
#[component]
pub fn Button(
    #[prop(optional)] kind: Kind,
    /// Its words; with an icon alone they are its name for those who hear it, and its hint.
    #[prop(into)]
    label: Signal<String>,
    #[prop(optional)] icon: Option<icondata::Icon>,
    /// Shows the icon alone.
    #[prop(optional)]
    icon_only: bool,
    #[prop(into, optional)] busy: Signal<bool>,
    #[prop(into, optional)] disabled: Signal<bool>,
    /// Sends the form it stands in.
    #[prop(optional)]
    submit: bool,
    #[prop(into, optional)] press: Option<Callback<()>>,
) -> impl IntoView {
    view! {
        <button
            type=if submit { "submit" } else { "button" }
            class=kind.class()
            class:icon-only=icon_only
            aria-label=move || icon_only.then(|| label.get())
            title=move || icon_only.then(|| label.get())
            aria-busy=move || busy.get().then_some("true")
            disabled=move || disabled.get() || busy.get()
            on:click=move |_| {
                if let Some(press) = press {
                    press.run(());
                }
            }
        >
            {icon.map(|icon| view! { <Icon icon /> })}
            {(!icon_only).then(|| view! { <span>{label}</span> })}
        </button>
    }
}

/// A link to a page that looks like a button.
#[component]
pub fn LinkButton(
    #[prop(optional)] kind: Kind,
    #[prop(into)] label: String,
    #[prop(optional)] icon: Option<icondata::Icon>,
    /// The whole address: see [`crate::place::at`].
    #[prop(into)]
    href: Signal<String>,
) -> impl IntoView {
    view! {
        <a class=kind.class() href=href>
            {icon.map(|icon| view! { <Icon icon /> })}
            <span>{label}</span>
        </a>
    }
}
