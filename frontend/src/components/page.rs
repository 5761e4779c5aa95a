//! The frame of a page's content.

use leptos::prelude::*;

use super::icon::Icon;

/// A page: its title (the browser's as well), what it is about, what can be done here, and its content.
#[component]
pub fn Page(
    #[prop(into)] title: Signal<String>,
    #[prop(into, optional)] about: Signal<String>,
    /// The list that it belongs to: its whole address and its name.
    #[prop(optional)]
    above: Option<(String, &'static str)>,
    /// Buttons at the title.
    #[prop(into, optional)]
    actions: ViewFnOnce,
    children: Children,
) -> impl IntoView {
    Effect::new(move |_| document().set_title(&format!("{} · Vinzy-Engine", title.get())));
    view! {
        <header class="page-head">
            <div>
                {above
                    .map(|(href, name)| {
                        view! {
                            <nav aria-label="Where this is">
                                <a class="above" href=href>
                                    <Icon icon=icondata::LuArrowLeft />
                                    {name}
                                </a>
                            </nav>
                        }
                    })}
                <h1 tabindex="-1">{title}</h1>
                <p class="about">{about}</p>
            </div>
            <div class="actions">{actions.run()}</div>
        </header>
        {children()}
    }
}

/// A part of a page under a heading of its own.
#[component]
pub fn Section(
    #[prop(into)] title: String,
    #[prop(into, optional)] about: Signal<String>,
    #[prop(into, optional)] actions: ViewFnOnce,
    children: Children,
) -> impl IntoView {
    view! {
        <section class="section">
            <header>
                <div>
                    <h2>{title}</h2>
                    <p class="about">{about}</p>
                </div>
                <div class="actions">{actions.run()}</div>
            </header>
            {children()}
        </section>
    }
}
