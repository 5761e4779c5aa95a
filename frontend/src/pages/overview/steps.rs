//! The way to the first license.

use leptos::prelude::*;
use vinzy_client::call::Part;
use vinzy_client::calls;

use crate::components::Icon;
use crate::components::LinkButton;
use crate::fetch::fetch;
use crate::{place, session};

/// Three steps, ticked as they are done.
#[component]
pub fn Steps() -> impl IntoView {
    let one = || Part {
        page_size: Some(1),
        after: None,
    };
    let products = fetch(move || calls::products::list(None, &one()));
    let customers = fetch(move || calls::customers::list(&calls::customers::Filter::default(), &one()));
    let may = session::may();
    let has_product = Memo::new(move |_| products.get().is_some_and(|page| page.total > 0));
    let has_customer = Memo::new(move |_| customers.get().is_some_and(|page| page.total > 0));
    view! {
        <section class="section steps">
            <h2>"Three steps to your first license"</h2>
            <ol>
                <Step
                    done=has_product
                    title="Add a product"
                    about="What you sell. Its code begins each of its license keys."
                    link=may.administer.then_some(("Add a product", "/products"))
                />
                <Step
                    done=has_customer
                    title="Register a customer"
                    about="Whom you sell to. What you note of them is sealed, and can be destroyed for good."
                    link=may.issue.then_some(("Register a customer", "/customers"))
                />
                <Step
                    done=Memo::new(|_| false)
                    title="Issue a license"
                    about="Brings both together, and gives you the key that your customer types into the application."
                    link=may.issue.then_some(("Issue a license", "/licenses/new"))
                />
            </ol>
        </section>
    }
}

#[component]
fn Step(
    done: Memo<bool>,
    title: &'static str,
    about: &'static str,
    link: Option<(&'static str, &'static str)>,
) -> impl IntoView {
    view! {
        <li class:done=done>
            <span class="tick" aria-hidden="true">
                <Show when=move || done.get()>
                    <Icon icon=icondata::LuCheck />
                </Show>
            </span>
            <div>
                <h3>
                    {title}
                    <Show when=move || done.get()>
                        <span class="for-ears">" (done)"</span>
                    </Show>
                </h3>
                <p class="about">{about}</p>
            </div>
            {link
                .map(|(label, path)| {
                    view! {
                        <Show when=move || !done.get()>
                            <LinkButton label href=place::at(path) />
                        </Show>
                    }
                })}
        </li>
    }
}
