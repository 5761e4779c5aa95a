//! The machines that have a seat, and whether another would get one.

use leptos::prelude::*;
use vinzy_client::call::Part;
use vinzy_client::calls;
use vinzy_client::licenses::License;
use vinzy_client::machines::Machine;

use super::Here;
use crate::components::Icon;
use crate::components::{Ago, Button, Column, Confirm, Day, Empty, Id, Kind, Pages, Section, toast};
use crate::fetch::Deed;
use crate::fetch::fetch;
use crate::place::use_query;
use crate::session;

/// The tab.
#[component]
pub fn Machines(here: Here) -> impl IntoView {
    let after = use_query().signal("after");
    let machines = fetch(move || {
        here.follow_changes();
        let part = Part {
            page_size: Some(50),
            after: after.get(),
        };
        calls::licenses::machines(&here.id.get(), &part)
    });
    let removed = RwSignal::new(None::<Machine>);
    provide_context(removed);
    let empty = || {
        view! {
            <Empty
                title="No machine has a seat"
                about="An application takes a seat when it activates the license with its key on a machine."
            />
        }
    };
    view! {
        <Section title="Machines" about="Each machine that an application was activated on takes a seat.">
            {move || here.license.get().map(|license| next_activation(&license))}
            <Pages fetch=machines label="Machines" columns noun=("machine", "machines") empty />
        </Section>
        <Removal here removed />
    }
}

/// What the next activation would be told, when it is no yes.
fn next_activation(license: &License) -> Option<impl IntoView + use<>> {
    let why = refusal(license)?;
    Some(view! {
        <div class="notice warning">
            <Icon icon=icondata::LuTriangleAlert />
            <p>{why}</p>
        </div>
    })
}

/// Why the next activation would be refused, and what helps; refusals themselves do not stand in the ledger.
fn refusal(license: &License) -> Option<String> {
    let used = license.machines_used;
    let word = |code: &str| format!("The application is told {code}; machines that have a seat keep it.");
    match (license.status.as_str(), license.machines_limit) {
        ("suspended" | "revoked", _) => Some(format!(
            "The next activation will be refused: the license is {}. {}",
            license.status,
            word("SUSPENDED")
        )),
        ("expired", _) => Some(format!(
            "The next activation will be refused: the license has expired. {}",
            word("EXPIRED")
        )),
        (_, Some(limit)) if used >= limit => Some(format!(
            "The next activation will be refused: {used} of {limit} seats are taken. The application is told ACTIVATION_LIMIT. Deactivate a machine, or raise the limit."
        )),
        _ => None,
    }
}

fn columns() -> Vec<Column<Machine>> {
    let removed: RwSignal<Option<Machine>> = expect_context();
    let or_dash = |text: String| {
        if text.is_empty() {
            "\u{2014}".to_owned()
        } else {
            text
        }
    };
    let mut columns = vec![
        Column::new("Machine", move |machine: &Machine| {
            view! {
                <span class="two-lines">
                    <strong>{name(machine)}</strong>
                    <small>{machine.platform.clone()}</small>
                </span>
            }
        }),
        Column::new("Fingerprint", |machine: &Machine| {
            view! { <Id id=machine.fingerprint.clone() what="Fingerprint" /> }
        }),
        Column::new("Version", move |machine: &Machine| {
            or_dash(machine.version.clone().unwrap_or_default())
        }),
        Column::new("Last seen", |machine: &Machine| {
            match machine.last_heartbeat_at.clone() {
                Some(at) => view! { <Ago at /> }.into_any(),
                None => {
                    view! { <span class="muted" title="It has sent no heartbeat.">"never"</span> }.into_any()
                }
            }
        }),
        Column::new(
            "Since",
            |machine: &Machine| view! { <Day at=machine.activated_at.clone() /> },
        ),
    ];
    if session::may().help {
        columns.push(
            Column::new("", move |machine: &Machine| {
                let chosen = machine.clone();
                view! {
                    <Button
                        kind=Kind::Quiet
                        icon=icondata::LuUnplug
                        icon_only=true
                        label=format!("Deactivate {}", name(machine))
                        press=move |()| removed.set(Some(chosen.clone()))
                    />
                }
            })
            .actions(),
        );
    }
    columns
}

/// What people call a machine; what it is known by if it has no name.
fn name(machine: &Machine) -> String {
    if machine.hostname.is_empty() {
        machine.fingerprint.clone()
    } else {
        machine.hostname.clone()
    }
}

#[component]
fn Removal(here: Here, removed: RwSignal<Option<Machine>>) -> impl IntoView {
    let deed = Deed::new();
    let title = Signal::derive(move || {
        let name = removed.with(|machine| machine.as_ref().map(name));
        format!("Deactivate {}?", name.unwrap_or_default())
    });
    let confirm = move |()| {
        if let Some(machine) = removed.get_untracked() {
            deed.run(
                calls::licenses::remove_machine(&machine.license_id, &machine.id),
                move |()| {
                    toast(format!("{} deactivated", name(&machine)));
                    removed.set(None);
                    here.ask_again();
                },
            );
        }
    };
    view! {
        <Confirm
            title
            open=Signal::derive(move || removed.with(Option::is_some))
            close=move |()| removed.set(None)
            label="Deactivate machine"
            danger=true
            deed
            confirm
        >
            <p>"Its seat is free for another machine. An application that still runs there goes on until its lease ends, and can take a seat again if one is free."</p>
        </Confirm>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn license(status: &str, limit: Option<u32>, used: u32) -> License {
        License {
            id: String::new(),
            status: status.to_owned(),
            product_code: String::new(),
            customer_id: String::new(),
            tier: String::new(),
            machines_limit: limit,
            machines_used: used,
            expires_at: None,
            features: vinzy_client::Object::new(),
            entitlements: vinzy_client::Object::new(),
            metadata: vinzy_client::Object::new(),
            created_at: String::new(),
        }
    }

    #[test]
    fn a_refused_activation_is_explained() {
        assert_eq!(refusal(&license("active", Some(3), 2)), None);
        assert_eq!(refusal(&license("active", None, 200)), None);
        for (license, why) in [
            (license("active", Some(3), 3), "3 of 3 seats are taken"),
            (license("suspended", Some(3), 0), "is suspended"),
            (license("expired", Some(3), 3), "has expired"),
        ] {
            assert!(refusal(&license).is_some_and(|said| said.contains(why)), "{why}");
        }
    }
}
