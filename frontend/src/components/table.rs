//! Tables: rows of things that lead to their pages, sorted and paged by the server.

use std::collections::BTreeSet;
use std::sync::Arc;

use leptos::prelude::*;
use vinzy_client::call::Page;

use super::button::Button;
use super::icon::Icon;
use super::state::Loaded;
use crate::fetch::Fetch;
use crate::format;
use crate::place::{self, use_query};

/// The order of lists that can be sorted, until the address says another.
pub const NEWEST_FIRST: &str = "-created";

type Cell<T> = Arc<dyn Fn(&T) -> AnyView + Send + Sync>;

/// A column.
pub struct Column<T> {
    title: &'static str,
    class: &'static str,
    sort: Option<&'static str>,
    cell: Cell<T>,
}

impl<T> Clone for Column<T> {
    fn clone(&self) -> Self {
        Self {
            cell: Arc::clone(&self.cell),
            ..*self
        }
    }
}

impl<T> Column<T> {
    /// A column and what stands in it.
    pub fn new<V: IntoView + 'static>(
        title: &'static str,
        cell: impl Fn(&T) -> V + Send + Sync + 'static,
    ) -> Self {
        Self {
            title,
            class: "",
            sort: None,
            cell: Arc::new(move |row| cell(row).into_any()),
        }
    }

    /// Numbers, which stand at the right.
    #[must_use]
    pub fn numeric(self) -> Self {
        Self {
            class: "numeric",
            ..self
        }
    }

    /// Buttons, which stand at the right.
    #[must_use]
    pub fn actions(self) -> Self {
        Self {
            class: "row-actions",
            ..self
        }
    }

    /// What the server can sort by, as it calls it.
    #[must_use]
    pub fn sorted_by(self, sort: &'static str) -> Self {
        Self {
            sort: Some(sort),
            ..self
        }
    }
}

/// A row's key, by which it is chosen, and its name.
pub type Named<T> = fn(&T) -> (String, String);

/// Where a row leads to: a whole address.
pub type Href<T> = fn(&T) -> String;

/// Which rows are chosen, by their keys.
#[derive(Clone, Copy)]
pub struct Selection {
    /// The keys.
    pub chosen: RwSignal<BTreeSet<String>>,
}

impl Selection {
    /// None.
    pub fn none() -> Self {
        Self {
            chosen: RwSignal::new(BTreeSet::new()),
        }
    }

    fn set(self, keys: &[String], chosen: bool) {
        self.chosen.update(|all| {
            for key in keys {
                if chosen {
                    all.insert(key.clone());
                } else {
                    all.remove(key);
                }
            }
        });
    }

    fn has_all(self, keys: &[String]) -> bool {
        !keys.is_empty()
            && self
                .chosen
                .with(|chosen| keys.iter().all(|key| chosen.contains(key)))
    }
}

/// Rows.
#[component]
pub fn Table<T: 'static>(
    /// What the table is of, for those who hear it.
    #[prop(into)]
    label: String,
    rows: Vec<T>,
    columns: Vec<Column<T>>,
    /// Where a row leads to. Its first cell holds the link.
    #[prop(optional_no_strip)]
    href: Option<Href<T>>,
    /// Rows can be chosen: which are, and each row's key and name.
    #[prop(optional_no_strip)]
    selection: Option<(Selection, Named<T>)>,
) -> impl IntoView {
    let select_all = selection.map(|(selection, key)| {
        let keys: Vec<String> = rows.iter().map(|row| key(row).0).collect();
        let of_state = keys.clone();
        view! {
            <th class="choose">
                <input
                    type="checkbox"
                    aria-label="Choose all rows of this page"
                    prop:checked=move || selection.has_all(&of_state)
                    on:change=move |event| selection.set(&keys, event_target_checked(&event))
                />
            </th>
        }
    });
    let heads: Vec<_> = columns
        .iter()
        .map(|column| head(column.title, column.class, column.sort))
        .collect();
    let body: Vec<_> = rows
        .iter()
        .map(|row| {
            let choose = selection.map(|(selection, key)| choose_row(selection, key(row)));
            let cells: Vec<_> = columns
                .iter()
                .enumerate()
                .map(|(at, column)| {
                    let cell = (column.cell)(row);
                    let cell = match href {
                        Some(href) if at == 0 => {
                            view! { <a class="row-link" href=href(row)>{cell}</a> }.into_any()
                        }
                        _ => cell,
                    };
                    view! { <td class=column.class data-label=column.title>{cell}</td> }
                })
                .collect();
            view! { <tr class:linked=href.is_some()>{choose} {cells}</tr> }
        })
        .collect();
    let name = label.clone();
    view! {
        <div class="table-frame" role="region" aria-label=name tabindex="0">
            <table>
                <caption class="for-ears">{label}</caption>
                <thead>
                    <tr>{select_all} {heads}</tr>
                </thead>
                <tbody>{body}</tbody>
            </table>
        </div>
    }
}

fn choose_row(selection: Selection, (key, name): (String, String)) -> impl IntoView {
    let keys = [key.clone()];
    view! {
        <td class="choose">
            <input
                type="checkbox"
                aria-label=format!("Choose {name}")
                prop:checked=move || selection.chosen.with(|chosen| chosen.contains(&key))
                on:change=move |event| selection.set(&keys, event_target_checked(&event))
            />
        </td>
    }
}

/// A column's head; where the server can sort, a button that turns the order round.
fn head(title: &'static str, class: &'static str, sort: Option<&'static str>) -> AnyView {
    let Some(sort) = sort else {
        // Buttons explain themselves to those who see them.
        let name = match title {
            "" => view! { <span class="for-ears">"Actions"</span> }.into_any(),
            title => title.into_any(),
        };
        return view! { <th class=class scope="col">{name}</th> }.into_any();
    };
    let query = StoredValue::new_local(use_query());
    let order = move || {
        let now = query.with_value(|query| query.get("sort"));
        let now = now.as_deref().unwrap_or(NEWEST_FIRST);
        let name = now.strip_prefix('-').unwrap_or(now);
        (name == sort).then(|| now.starts_with('-'))
    };
    let turn = move |_| {
        let next = match order() {
            Some(true) => sort.to_owned(),
            _ => format!("-{sort}"),
        };
        query.with_value(|query| query.set(&[("sort", Some(next))]));
    };
    view! {
        <th
            class=class
            scope="col"
            aria-sort=move || match order() {
                Some(true) => "descending",
                Some(false) => "ascending",
                None => "none",
            }
        >
            <button type="button" class="sort" on:click=turn>
                {title}
                {move || {
                    let icon = match order() {
                        Some(true) => icondata::LuArrowDown,
                        Some(false) => icondata::LuArrowUp,
                        None => icondata::LuChevronsUpDown,
                    };
                    view! { <Icon icon /> }
                }}
            </button>
        </th>
    }
    .into_any()
}

/// How many there are in all, and the way to the next of them. Where it stands is in the address, as `after`.
#[component]
pub fn Pager(
    total: u64,
    next: Option<String>,
    /// One and many of them: `("license", "licenses")`.
    noun: (&'static str, &'static str),
    /// How many stand before, if that is known.
    before: Signal<Option<u64>>,
    shown: u64,
) -> impl IntoView {
    let query = StoredValue::new_local(use_query());
    let to =
        move |after: Option<String>| place::at(&query.with_value(|query| query.with(&[("after", after)])));
    let is_first = query.with_value(|query| query.now("after")).is_none();
    let is_whole = is_first && next.is_none();
    let words = move || {
        let total = format::counted(total, noun.0, noun.1);
        match before.get() {
            Some(before) if !is_whole && shown > 0 => format!(
                "{}\u{2013}{} of {total}",
                format::count(before + 1),
                format::count(before + shown)
            ),
            _ => total,
        }
    };
    view! {
        <footer class="pager">
            <p>{words}</p>
            {(!is_whole)
                .then(|| {
                    view! {
                        <nav aria-label="Pages of this list">
                            {(!is_first)
                                .then(|| {
                                    view! {
                                        <a class="button" href=to(None) data-noscroll="true">
                                            <Icon icon=icondata::LuChevronsLeft />
                                            <span>"First"</span>
                                        </a>
                                        <Button
                                            icon=icondata::LuChevronLeft
                                            label="Back"
                                            press=|()| {
                                                if let Ok(history) = window().history() {
                                                    let _ = history.back();
                                                }
                                            }
                                        />
                                    }
                                })}
                            {next
                                .map(|next| {
                                    view! {
                                        <a class="button" rel="next" href=to(Some(next))>
                                            <span>"Next"</span>
                                            <Icon icon=icondata::LuChevronRight />
                                        </a>
                                    }
                                })}
                        </nav>
                    }
                })}
        </footer>
    }
}

/// A list that the server pages: its rows, its pager, and what stands there when it has none.
#[component]
pub fn Pages<T>(
    fetch: Fetch<Page<T>>,
    #[prop(into)] label: String,
    columns: fn() -> Vec<Column<T>>,
    /// One and many of them: `("license", "licenses")`.
    noun: (&'static str, &'static str),
    #[prop(optional)] href: Option<Href<T>>,
    #[prop(optional)] selection: Option<(Selection, Named<T>)>,
    /// What stands there when there are none.
    #[prop(into)]
    empty: ViewFn,
) -> impl IntoView
where
    T: Clone + Send + Sync + 'static,
{
    let query = StoredValue::new_local(use_query());
    let label = StoredValue::new(label);
    let empty = StoredValue::new(empty);
    // How many rows stand before each cursor that was gone through; an address that was opened anew tells none.
    let before = RwSignal::new(std::collections::HashMap::<String, u64>::new());
    let view = move |page: Page<T>| {
        if page.rows.is_empty() {
            return empty.with_value(ViewFn::run);
        }
        let shown = page.rows.len() as u64;
        let after = query.with_value(|query| query.now("after"));
        let known = match &after {
            None => Some(0),
            Some(after) => before.with_untracked(|before| before.get(after).copied()),
        };
        if let (Some(known), Some(next)) = (known, page.next.clone()) {
            before.update_untracked(|before| {
                before.insert(next, known + shown);
            });
        }
        view! {
            <Table
                label=label.get_value()
                rows=page.rows
                columns=columns()
                href=href
                selection=selection
            />
            <Pager total=page.total next=page.next noun shown before=Signal::stored(known) />
        }
        .into_any()
    };
    view! { <Loaded fetch view /> }
}
