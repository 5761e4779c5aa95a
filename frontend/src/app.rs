//! The frame around all pages: who may see it, the way to each page, and what is always there.

use leptos::prelude::*;
use leptos_router::components::{Route, Router, Routes};
use leptos_router::hooks::use_location;
use leptos_router::path;
use vinzy_client::access::Session;
use vinzy_client::calls;

use crate::api;
use crate::components::{Button, Icon, Kind, LeftSecret, Refused, Skeleton, Toasts, keep_left_secrets};
use crate::pages;
use crate::place;
use crate::session::{self, May, State};
use crate::theme::{self, Theme};

/// The application.
#[component]
pub fn App() -> impl IntoView {
    session::ask();
    keep_left_secrets();
    let state = session::state();
    // What was said of the session matters, not when.
    let state = Memo::new(move |_| state.get());
    view! {
        <Router base=place::root()>
            {move || match state.get() {
                State::Asking => view! { <main class="alone"><Skeleton /></main> }.into_any(),
                State::Unknown(problem) => view! {
                    <main class="alone">
                        <h1>"Vinzy-Engine"</h1>
                        <Refused problem=Signal::stored(Some(problem)) />
                        <Button label="Try again" press=|()| session::ask() />
                    </main>
                }
                .into_any(),
                State::Out { ended } => view! { <pages::log_in::LogIn ended /> }.into_any(),
                State::In(session) => view! { <Inside session /> }.into_any(),
            }}
            <LeftSecret />
            <Toasts />
        </Router>
    }
}

/// What somebody sees who is logged in.
#[component]
fn Inside(session: Session) -> impl IntoView {
    let may = May::of(&session);
    let menu_open = RwSignal::new(false);
    let location = use_location();
    let path = location.pathname;
    Effect::new(move |before: Option<String>| {
        let path = path.get();
        menu_open.set(false);
        // Who hears the page is told that there is a new one.
        if before.is_some_and(|before| before != path) {
            request_animation_frame(focus_title);
        }
        path
    });
    view! {
        <a class="skip" href="#content" rel="external" on:click=|event| {
            event.prevent_default();
            focus_title();
        }>
            "Skip to content"
        </a>
        <div class="frame">
            <header class="top">
                <Button
                    kind=Kind::Quiet
                    icon=icondata::LuMenu
                    icon_only=true
                    label="Menu"
                    press=move |()| menu_open.update(|open| *open = !*open)
                />
                <a class="mark" href=place::at("/")>
                    <Mark />
                    "Vinzy-Engine"
                </a>
                {pages::top()}
            </header>
            <aside class="side" class:open=menu_open>
                <nav aria-label="Pages">{menu(may)}</nav>
                <Account session />
            </aside>
            <main id="content">
                <Routes fallback=|| view! { <pages::missing::Missing /> }>
                    <Route path=path!("/") view=pages::home />
                    <Route path=path!("/licenses") view=pages::licenses::Licenses />
                    <Route path=path!("/licenses/new") view=pages::licenses::NewLicense />
                    <Route path=path!("/licenses/:id") view=pages::license::License />
                    <Route path=path!("/customers") view=pages::customers::Customers />
                    <Route path=path!("/customers/:id") view=pages::customers::Customer />
                    <Route path=path!("/products") view=pages::products::Products />
                    <Route path=path!("/anomalies") view=pages::anomalies::Anomalies />
                    <Route path=path!("/anomalies/:id") view=pages::anomalies::Anomaly />
                    <Route path=path!("/ledger") view=pages::ledger::Ledger />
                    <Route path=path!("/ledger/verify") view=pages::ledger::Verify />
                    <Route path=path!("/ledger/:position") view=pages::ledger::Event />
                    <Route path=path!("/webhooks") view=pages::webhooks::Webhooks />
                    <Route path=path!("/webhooks/:id") view=pages::webhooks::Webhook />
                    <Route path=path!("/webhooks/:id/deliveries/:delivery") view=pages::webhooks::Delivery />
                    <Route path=path!("/api-keys") view=pages::api_keys::ApiKeys />
                    <Route path=path!("/tenants") view=pages::tenants::Tenants />
                    <Route path=path!("/tenants/:id") view=pages::tenants::Tenant />
                    <Route path=path!("/settings") view=pages::settings::Settings />
                </Routes>
            </main>
        </div>
    }
}

/// Gives the keyboard to the page's title.
fn focus_title() {
    use wasm_bindgen::JsCast;
    let title = document().query_selector("main h1").ok().flatten();
    if let Some(title) = title.and_then(|title| title.dyn_into::<web_sys::HtmlElement>().ok()) {
        let _ = title.focus();
    }
}

/// The pages that somebody may see.
pub fn destinations(may: May) -> Vec<(&'static str, &'static str, icondata::Icon)> {
    [
        (may.read, "/", "Overview", icondata::LuLayoutDashboard),
        (may.read, "/licenses", "Licenses", icondata::LuKeyRound),
        (may.read, "/customers", "Customers", icondata::LuUsers),
        (may.read, "/products", "Products", icondata::LuPackage),
        (may.read, "/anomalies", "Anomalies", icondata::LuActivity),
        (may.verify, "/ledger", "Ledger", icondata::LuLink),
        (may.administer, "/webhooks", "Webhooks", icondata::LuWebhook),
        (may.administer, "/api-keys", "API keys", icondata::LuKeySquare),
        (may.operate, "/tenants", "Tenants", icondata::LuBuilding2),
        (may.operate, "/settings", "Settings", icondata::LuSettings),
    ]
    .into_iter()
    .filter(|(may, ..)| *may)
    .map(|(_, path, name, icon)| (path, name, icon))
    .collect()
}

fn menu(may: May) -> impl IntoView {
    let here = use_location().pathname;
    let links = destinations(may)
        .into_iter()
        .enumerate()
        .map(move |(at, (path, name, icon))| {
            let is_here = move || {
                let here = here.get();
                let here = here
                    .strip_prefix(&place::root())
                    .unwrap_or(&here)
                    .trim_end_matches('/')
                    .to_owned();
                // The root shows the first of them.
                match here.as_str() {
                    "" => at == 0,
                    here => here == path || here.strip_prefix(path).is_some_and(|rest| rest.starts_with('/')),
                }
            };
            view! {
                <li>
                    <a href=place::at(path) aria-current=move || is_here().then_some("page")>
                        <Icon icon />
                        {name}
                    </a>
                </li>
            }
        });
    view! { <ul>{links.collect_view()}</ul> }
}

/// Who is logged in, and the way out.
#[component]
fn Account(session: Session) -> impl IntoView {
    let theme = RwSignal::from(theme::chosen());
    let tenant = match session.role.as_str() {
        "super_admin" => "This server".to_owned(),
        _ => format!("Tenant {}", session.tenant.clone().unwrap_or_default()),
    };
    let log_out = |()| {
        api::spawn(async {
            // Without an answer the cookie may still be there: then the next page says so.
            let _ = api::send(&calls::session::delete()).await;
            session::state().set(State::Out { ended: false });
        });
    };
    view! {
        <div class="account">
            <p>
                <strong>{session.name}</strong>
                <span>{tenant}</span>
            </p>
            <div class="actions">
                {move || {
                    let (icon, words) = match theme.get() {
                        Theme::System => (icondata::LuSunMoon, "Colors: as this machine"),
                        Theme::Light => (icondata::LuSun, "Colors: light"),
                        Theme::Dark => (icondata::LuMoon, "Colors: dark"),
                    };
                    view! {
                        <Button
                            kind=Kind::Quiet
                            icon
                            icon_only=true
                            label=words
                            press=move |()| {
                                let next = theme.get_untracked().next();
                                theme::choose(next);
                            }
                        />
                    }
                }}
                <Button kind=Kind::Quiet icon=icondata::LuLogOut label="Log out" press=log_out />
            </div>
        </div>
    }
}

/// The product's mark.
#[component]
pub fn Mark() -> impl IntoView {
    view! {
        <svg class="logo" viewBox="0 0 32 32" aria-hidden="true">
            <rect width="32" height="32" rx="8" />
            <path d="M8 9l8 15 8-15" />
            <circle cx="16" cy="10" r="2.6" />
        </svg>
    }
}
