//! A state in a word and a color.

use leptos::prelude::*;

/// What a state means for whoever looks after it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tone {
    /// Nothing.
    #[default]
    Plain,
    /// All is well.
    Good,
    /// Worth a look.
    Warning,
    /// Bad.
    Bad,
    /// Over.
    Over,
}

impl Tone {
    /// Of a license's status.
    pub fn of_license(status: &str) -> Self {
        match status {
            "active" => Self::Good,
            "suspended" => Self::Warning,
            "revoked" => Self::Bad,
            _ => Self::Over,
        }
    }

    /// Of an anomaly's severity.
    pub fn of_severity(severity: &str) -> Self {
        match severity {
            "critical" => Self::Bad,
            "high" => Self::Warning,
            _ => Self::Plain,
        }
    }

    const fn class(self) -> &'static str {
        match self {
            Self::Plain => "badge",
            Self::Good => "badge good",
            Self::Warning => "badge warning",
            Self::Bad => "badge bad",
            Self::Over => "badge over",
        }
    }
}

/// A state.
#[component]
pub fn Badge(#[prop(into)] label: String, #[prop(optional)] tone: Tone) -> impl IntoView {
    view! { <span class=tone.class()>{label}</span> }
}
