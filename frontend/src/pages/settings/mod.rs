//! What the server is set to, for whoever runs it.

mod groups;
mod words;

use leptos::prelude::*;
use vinzy_client::calls;
use vinzy_client::settings::{Setting, Settings as Answer};

use crate::components::{Column, Empty, Filters, Loaded, Page, SearchFilter, Section, Table};
use crate::fetch::fetch;
use crate::place::use_query;

/// The page.
#[component]
pub fn Settings() -> impl IntoView {
    let settings = fetch(calls::service::settings);
    let search = use_query().signal("q");
    let about = Signal::derive(move || {
        let version = settings
            .get()
            .map(|settings| format!("Version {}. ", settings.version))
            .unwrap_or_default();
        format!(
            "{version}What this server runs with. It is changed where it is started, and taken up at its next start."
        )
    });
    view! {
        <Page title="Settings" about>
            <Filters names=&["q"]>
                <SearchFilter name="q" label="Search settings" />
            </Filters>
            <Loaded fetch=settings view=move |settings| move || shown(&settings, search.get().as_deref()) />
        </Page>
    }
}

fn shown(settings: &Answer, search: Option<&str>) -> AnyView {
    let found = settings
        .settings
        .iter()
        .filter(|setting| holds(setting, search))
        .cloned();
    let groups = groups::grouped(found);
    if groups.is_empty() {
        return view! { <Empty title="No setting found" about="No name and no description holds this." /> }
            .into_any();
    }
    let sections = groups.into_iter().map(|(title, rows)| {
        view! {
            <Section title=title>
                <div class="settings">
                    <Table label=title rows columns=columns() />
                </div>
            </Section>
        }
    });
    sections.collect_view().into_any()
}

/// Whether a setting is looked for: all words of the search are in its name or description.
fn holds(setting: &Setting, search: Option<&str>) -> bool {
    let text = format!("{} {}", setting.name, setting.description).to_lowercase();
    let search = search.unwrap_or_default().to_lowercase();
    search.split_whitespace().all(|word| text.contains(word))
}

fn columns() -> Vec<Column<Setting>> {
    vec![
        Column::new("Setting", |setting: &Setting| {
            view! {
                <span class="two-lines">
                    <code>{setting.name.clone()}</code>
                    <small>{setting.description.clone()}</small>
                </span>
            }
        }),
        Column::new("Value", words::value),
        Column::new("Source", words::source),
    ]
}
