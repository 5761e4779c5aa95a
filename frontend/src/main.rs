//! The dashboard: what an admin sees of the ledger, in a browser.
//!
//! Pages (`pages`) fetch and decide; components (`components`) take values and callbacks and know nothing of the API.
//! Everything that goes over the wire is a `vinzy_client::calls` value, sent by `api`.

#![allow(
    unreachable_pub,
    reason = "the macro for components makes their properties public, whatever the component is"
)]
#![allow(
    clippy::needless_pass_by_value,
    clippy::must_use_candidate,
    reason = "properties of components are taken by value, and their views are used by macros"
)]

mod api;
mod app;
mod components;
mod fetch;
mod format;
mod kept;
mod pages;
mod place;
mod session;
mod text;
mod theme;
mod verification;

fn main() {
    console_error_panic_hook::set_once();
    theme::apply();
    leptos::mount::mount_to_body(app::App);
    if let Some(starting) = leptos::prelude::document().get_element_by_id("starting") {
        starting.remove();
    }
}
