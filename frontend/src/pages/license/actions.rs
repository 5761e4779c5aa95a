//! What can be done to the license: buttons at the title.

use leptos::prelude::*;

use super::{Here, Task};
use crate::components::{Button, Kind};
use crate::session::{self, May};

/// The buttons; none while the past is shown.
#[component]
pub fn Actions(here: Here) -> impl IntoView {
    let may = session::may();
    let offered = Memo::new(move |_| {
        let status = here.license.get().map(|license| license.status);
        match status {
            Some(status) if here.at.with(Option::is_none) => offered(may, &status),
            _ => vec![],
        }
    });
    move || {
        offered
            .get()
            .into_iter()
            .map(|task| {
                let (kind, icon, label) = look(task);
                view! { <Button kind icon label press=move |()| here.task.set(Some(task)) /> }
            })
            .collect_view()
    }
}

/// What makes sense for a license of this status, as far as somebody may do it.
fn offered(may: May, status: &str) -> Vec<Task> {
    [
        (may.issue, Task::Edit),
        (may.issue && status != "revoked", Task::Renew),
        (may.help && status == "active", Task::Suspend),
        (may.help && status == "suspended", Task::Reinstate),
        (may.issue && status != "revoked", Task::Revoke),
        (may.administer, Task::Delete),
    ]
    .into_iter()
    .filter(|(is_offered, _)| *is_offered)
    .map(|(_, task)| task)
    .collect()
}

fn look(task: Task) -> (Kind, icondata::Icon, &'static str) {
    match task {
        Task::Edit => (Kind::Plain, icondata::LuPencil, "Edit"),
        Task::Renew => (Kind::Plain, icondata::LuCalendarPlus, "Renew"),
        Task::Suspend => (Kind::Plain, icondata::LuPause, "Suspend"),
        Task::Reinstate => (Kind::Primary, icondata::LuPlay, "Reinstate"),
        Task::Revoke => (Kind::Quiet, icondata::LuBan, "Revoke"),
        Task::Delete => (Kind::Quiet, icondata::LuTrash2, "Delete"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn everything() -> May {
        May {
            issue: true,
            help: true,
            administer: true,
            ..May::default()
        }
    }

    #[test]
    fn what_is_revoked_is_neither_renewed_nor_suspended() {
        assert_eq!(offered(everything(), "revoked"), [Task::Edit, Task::Delete]);
        assert_eq!(
            offered(everything(), "expired"),
            [Task::Edit, Task::Renew, Task::Revoke, Task::Delete]
        );
    }

    #[test]
    fn support_suspends_and_reinstates_and_no_more() {
        let may = May {
            help: true,
            ..May::default()
        };
        assert_eq!(offered(may, "active"), [Task::Suspend]);
        assert_eq!(offered(may, "suspended"), [Task::Reinstate]);
        assert_eq!(offered(may, "revoked"), []);
    }
}
