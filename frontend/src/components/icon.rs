//! Icons. They stand beside words or for a button that has a name: those who hear the page hear nothing of them.

use leptos::prelude::*;

/// An icon, as large as the text around it.
#[component]
pub fn Icon(icon: icondata::Icon) -> impl IntoView {
    view! {
        <svg
            class="icon"
            aria-hidden="true"
            viewBox=icon.view_box
            fill=icon.fill
            stroke=icon.stroke
            stroke-width=icon.stroke_width
            stroke-linecap=icon.stroke_linecap
            stroke-linejoin=icon.stroke_linejoin
            inner_html=icon.data
        />
    }
}
