//! How much of a limit is used, as a bar beside its figures.

use leptos::prelude::*;

/// From which share on a limit is nearly reached.
const NEARLY: f64 = 0.8;

/// A bar that is as full as the limit is used.
#[component]
pub fn Meter(
    /// How much is used.
    used: f64,
    /// Of how much.
    limit: f64,
    /// What it is of, in words: `300 of 1,000 api_calls`.
    #[prop(into)]
    label: String,
) -> impl IntoView {
    let share = share(used, limit);
    let tone = if share >= 1.0 {
        "meter full"
    } else if share >= NEARLY {
        "meter nearly"
    } else {
        "meter"
    };
    view! {
        <span class=tone role="img" aria-label=label.clone() title=label>
            <i style:width=format!("{:.1}%", share.min(1.0) * 100.0)></i>
        </span>
    }
}

/// Of a limit of nothing everything is used.
fn share(used: f64, limit: f64) -> f64 {
    if limit > 0.0 { (used / limit).max(0.0) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn a_limit_of_nothing_is_used_up() {
        assert!((share(0.0, 0.0) - 1.0).abs() < 1e-9);
        assert!((share(25.0, 100.0) - 0.25).abs() < 1e-9);
        assert!((share(300.0, 100.0) - 3.0).abs() < 1e-9);
    }
}
