//! Light, dark, or what the machine is set to.

use leptos::prelude::*;

const KEPT: &str = "vinzy.theme";

/// What somebody chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// What the machine is set to.
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// As it is kept, and as style sheets see it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The one after it, for a button that goes round.
    pub const fn next(self) -> Self {
        match self {
            Self::System => Self::Light,
            Self::Light => Self::Dark,
            Self::Dark => Self::System,
        }
    }
}

/// What was chosen before.
pub fn kept() -> Theme {
    let kept = storage().and_then(|storage| storage.get_item(KEPT).ok().flatten());
    match kept.as_deref() {
        Some("light") => Theme::Light,
        Some("dark") => Theme::Dark,
        _ => Theme::System,
    }
}

thread_local! {
    static CHOSEN: ArcRwSignal<Theme> = ArcRwSignal::new(kept());
}

/// What is chosen, wherever that was done.
pub fn chosen() -> ArcRwSignal<Theme> {
    CHOSEN.with(Clone::clone)
}

/// Chooses one, for good.
pub fn choose(theme: Theme) {
    chosen().set(theme);
    if let Some(storage) = storage() {
        // A browser may forbid it: then the choice is for this page only.
        let _ = storage.set_item(KEPT, theme.name());
    }
    show(theme);
}

/// Shows what was chosen before.
pub fn apply() {
    show(kept());
}

fn show(theme: Theme) {
    if let Some(root) = document().document_element() {
        let _ = root.set_attribute("data-theme", theme.name());
    }
}

fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}
