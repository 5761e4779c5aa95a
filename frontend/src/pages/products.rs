//! Products: what is sold.

use leptos::prelude::*;
use vinzy_client::call::Part;
use vinzy_client::calls;
use vinzy_client::products::{CreateProduct, Product, UpdateProduct};

use crate::components::json::{object_text, parse_object};
use crate::components::{
    Button, Buttons, Column, Confirm, Day, Dialog, Empty, FeaturesField, Filters, JsonField, Kind, Page,
    Pages, SearchFilter, TextArea, TextField, toast,
};
use crate::fetch::{Deed, Fetch, fetch};
use crate::place::{self, use_query};
use crate::session;

/// What is being done to which product.
#[derive(Debug, Clone, PartialEq)]
enum Task {
    Create,
    Edit(Product),
    Delete(Product),
}

/// The list of products.
#[component]
pub fn Products() -> impl IntoView {
    let query = use_query();
    let (search, after) = (query.signal("q"), query.signal("after"));
    let products = fetch(move || {
        let part = Part {
            page_size: Some(50),
            after: after.get(),
        };
        calls::products::list(search.get().as_deref(), &part)
    });
    let task = RwSignal::new(None::<Task>);
    provide_context(task);
    let may = session::may();
    let create = move || {
        may.administer.then(|| {
            view! {
                <Button
                    kind=Kind::Primary
                    icon=icondata::LuPlus
                    label="New product"
                    press=move |()| task.set(Some(Task::Create))
                />
            }
        })
    };
    let empty = move || {
        if search.with(Option::is_some) {
            view! { <Empty title="No product found" about="No code and no name holds this." /> }.into_any()
        } else {
            view! {
                <Empty
                    title="No products yet"
                    about="A product is what you sell. Its code begins each of its license keys, and its features are what licenses start from."
                    children=create
                />
            }
            .into_any()
        }
    };
    view! {
        <Page
            title="Products"
            about="What is sold. Licenses start from a product's features."
            actions=create
        >
            <Filters names=&["q"]>
                <SearchFilter name="q" label="Search by code or name" />
            </Filters>
            <Pages
                fetch=products
                label="Products"
                columns=columns
                noun=("product", "products")
                empty
            />
            <Form task products />
            <Deletion task products />
        </Page>
    }
}

fn columns() -> Vec<Column<Product>> {
    let task: RwSignal<Option<Task>> = expect_context();
    let may = session::may();
    let mut columns = vec![
        Column::new(
            "Code",
            |product: &Product| view! { <code>{product.code.clone()}</code> },
        ),
        Column::new("Name", |product: &Product| {
            view! {
                <span class="two-lines">
                    <strong>{product.name.clone()}</strong>
                    <small>{product.description.clone()}</small>
                </span>
            }
        }),
        Column::new("Default tier", |product: &Product| product.default_tier.clone()),
        Column::new("Features", |product: &Product| product.features.len().to_string()).numeric(),
        Column::new(
            "Created",
            |product: &Product| view! { <Day at=product.created_at.clone() /> },
        ),
        Column::new("Licenses", |product: &Product| {
            let href = place::at(&format!("/licenses?product={}", product.code));
            view! { <a href=href>"Show"</a> }
        }),
    ];
    if may.administer {
        columns.push(
            Column::new("", move |product: &Product| {
                let (edited, deleted) = (product.clone(), product.clone());
                view! {
                    <Button
                        kind=Kind::Quiet
                        icon=icondata::LuPencil
                        icon_only=true
                        label=format!("Edit {}", product.code)
                        press=move |()| task.set(Some(Task::Edit(edited.clone())))
                    />
                    <Button
                        kind=Kind::Quiet
                        icon=icondata::LuTrash2
                        icon_only=true
                        label=format!("Delete {}", product.code)
                        press=move |()| task.set(Some(Task::Delete(deleted.clone())))
                    />
                }
            })
            .actions(),
        );
    }
    columns
}

/// A new product, or a change of one.
#[component]
fn Form(task: RwSignal<Option<Task>>, products: Fetch<vinzy_client::call::Page<Product>>) -> impl IntoView {
    let open = Signal::derive(move || task.with(|task| matches!(task, Some(Task::Create | Task::Edit(_)))));
    let title = Signal::derive(move || {
        task.with(|task| match task {
            Some(Task::Edit(product)) => format!("Edit {}", product.code),
            _ => "New product".to_owned(),
        })
    });
    let close = Callback::new(move |()| task.set(None));
    let form = move || {
        let edited = match task.get_untracked() {
            Some(Task::Edit(product)) => Some(product),
            _ => None,
        };
        view! { <Fields edited close saved=move |()| products.again() /> }
    };
    view! {
        <Dialog title open close wide=true>
            {form}
        </Dialog>
    }
}

#[component]
fn Fields(
    edited: Option<Product>,
    #[prop(into)] close: Callback<()>,
    #[prop(into)] saved: Callback<()>,
) -> impl IntoView {
    let field = |of: fn(&Product) -> &str| {
        RwSignal::new(
            edited
                .as_ref()
                .map_or(String::new(), |product| of(product).to_owned()),
        )
    };
    let code = field(|product| &product.code);
    let name = field(|product| &product.name);
    let description = field(|product| &product.description);
    let tier = field(|product| &product.default_tier);
    let features = RwSignal::new(
        edited
            .as_ref()
            .map(|product| product.features.clone())
            .unwrap_or_default(),
    );
    let metadata = RwSignal::new(
        edited
            .as_ref()
            .map(|product| object_text(&product.metadata))
            .unwrap_or_default(),
    );
    let deed = Deed::new();
    let id = edited.as_ref().map(|product| product.id.clone());
    let is_new = id.is_none();
    let done = move |said: &str, product: &Product| {
        toast(format!("{} {said}", product.code));
        saved.run(());
        close.run(());
    };
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let Ok(metadata) = parse_object(&metadata.get_untracked()) else {
            return;
        };
        let tier = Some(tier.get_untracked()).filter(|tier| !tier.is_empty());
        match &id {
            None => {
                let product = CreateProduct {
                    code: code.get_untracked().trim().to_uppercase(),
                    name: name.get_untracked(),
                    description: Some(description.get_untracked()),
                    default_tier: tier,
                    features: Some(features.get_untracked()),
                    // As they are: they are set by the API.
                    tiers: None,
                    metadata: Some(metadata),
                };
                deed.run(calls::products::create(&product), move |product| {
                    done("created", &product);
                });
            }
            Some(id) => {
                let change = UpdateProduct {
                    name: Some(name.get_untracked()),
                    description: Some(description.get_untracked()),
                    default_tier: tier,
                    features: Some(features.get_untracked()),
                    // As they are: they are set by the API.
                    tiers: None,
                    metadata: Some(metadata),
                };
                deed.run(calls::products::update(id, &change), move |product| {
                    done("saved", &product);
                });
            }
        }
    };
    view! {
        <form class="form" on:submit=submit>
            <div class="columns">
                <TextField
                    label="Code"
                    value=code
                    hint="One to three letters, for good: every license key begins with them."
                    error=deed.error("code")
                    placeholder="PRD"
                    required=true
                    first=is_new
                    monospaced=true
                    disabled=Signal::stored(!is_new)
                />
                <TextField label="Name" value=name error=deed.error("name") required=true first=!is_new />
            </div>
            <TextArea label="Description" value=description error=deed.error("description") rows=2 />
            <TextField
                label="Default tier"
                value=tier
                hint="Of licenses that name none."
                placeholder="standard"
                error=deed.error("default_tier")
            />
            <FeaturesField
                label="Features"
                value=features
                hint="What every license of this product starts from. A limit is counted exactly, whoever asks."
                error=deed.error("features")
            />
            <JsonField
                label="Metadata"
                value=metadata
                hint="Your own data, as a JSON object."
                error=deed.error("metadata")
            />
            <Buttons label=if is_new { "Create product" } else { "Save" } deed cancel=close />
        </form>
    }
}

#[component]
fn Deletion(
    task: RwSignal<Option<Task>>,
    products: Fetch<vinzy_client::call::Page<Product>>,
) -> impl IntoView {
    let deed = Deed::new();
    let product = Signal::derive(move || {
        task.with(|task| match task {
            Some(Task::Delete(product)) => Some(product.clone()),
            _ => None,
        })
    });
    let name = Signal::derive(move || {
        product
            .with(|product| product.as_ref().map(|product| product.code.clone()))
            .unwrap_or_default()
    });
    let delete = move |()| {
        if let Some(product) = product.get_untracked() {
            deed.run(calls::products::delete(&product.id), move |()| {
                toast(format!("{} deleted", product.code));
                products.again();
                task.set(None);
            });
        }
    };
    view! {
        <Confirm
            title=Signal::derive(move || format!("Delete {}?", name.get()))
            open=Signal::derive(move || product.with(Option::is_some))
            close=move |()| task.set(None)
            label="Delete product"
            danger=true
            deed
            confirm=delete
        >
            <p>
                "A product can be deleted while no license uses it. Its history stays in the ledger, and its code is free again."
            </p>
        </Confirm>
    }
}
