//! The list of tenants.

use leptos::prelude::*;
use vinzy_client::call::Part;
use vinzy_client::calls;
use vinzy_client::tenants::{NewTenant, Tenant};

use super::form::Creation;
use super::settings::Overrides;
use crate::components::{Badge, Button, Column, Day, Empty, Kind, Page, Pages, Secret, SecretDialog, toast};
use crate::fetch::fetch;
use crate::place::{self, use_go, use_query};
use crate::session;

/// The page.
#[component]
pub fn Tenants() -> impl IntoView {
    let after = use_query().signal("after");
    let tenants = fetch(move || {
        calls::tenants::list(&Part {
            page_size: Some(50),
            after: after.get(),
        })
    });
    let is_creating = RwSignal::new(false);
    let secret = RwSignal::new(None::<Secret>);
    let made = StoredValue::new(String::new());
    let go = StoredValue::new_local(use_go());
    let may = session::may();
    let create = move || {
        may.operate.then(|| {
            view! {
                <Button
                    kind=Kind::Primary
                    icon=icondata::LuPlus
                    label="New tenant"
                    press=move |()| is_creating.set(true)
                />
            }
        })
    };
    let created = move |new: NewTenant| {
        is_creating.set(false);
        toast(format!("{} created", new.tenant.name));
        made.set_value(new.tenant.id.clone());
        secret.set(Some(first_key(&new)));
        tenants.again();
    };
    let kept = move |()| go.with_value(|go| go.to(&format!("/tenants/{}", made.get_value())));
    let empty = move || {
        view! {
            <Empty
                title="No tenants yet"
                about="A tenant is a vendor with a ledger, customers and keys of its own, who sees nothing of the others. Without any, this server has one vendor: the tenant default."
                children=create
            />
        }
    };
    view! {
        <Page
            title="Tenants"
            about="Vendors on this server. None sees anything of another; the tenant default, whose admin's key is set on the server, is not among them."
            actions=create
        >
            <Pages
                fetch=tenants
                label="Tenants"
                columns=columns
                noun=("tenant", "tenants")
                href=|tenant: &Tenant| place::of("/tenants", &tenant.id)
                empty
            />
            <Creation open=is_creating close=move |()| is_creating.set(false) created />
            <SecretDialog secret kept />
        </Page>
    }
}

fn first_key(new: &NewTenant) -> Secret {
    Secret {
        what: "First API key".to_owned(),
        text: new.api_key.clone(),
        about: format!(
            "Give it to {}: it may do everything in the tenant. They log in to the dashboard with it, and make further keys there.",
            new.tenant.name
        ),
        file: format!("api-key-{}.txt", new.tenant.slug),
    }
}

fn columns() -> Vec<Column<Tenant>> {
    vec![
        Column::new("Name", |tenant: &Tenant| tenant.name.clone()),
        Column::new(
            "Short name",
            |tenant: &Tenant| view! { <code>{tenant.slug.clone()}</code> },
        ),
        Column::new("Own settings", |tenant: &Tenant| {
            let names = Overrides::of(&tenant.config_overrides).names();
            if names.is_empty() {
                "as the server".into_any()
            } else {
                let badges: Vec<_> = names.into_iter().map(|label| view! { <Badge label /> }).collect();
                view! { <span class="scopes">{badges}</span> }.into_any()
            }
        }),
        Column::new(
            "Created",
            |tenant: &Tenant| view! { <Day at=tenant.created_at.clone() /> },
        ),
    ]
}
