//! What stands in a place before, instead of and after its content.

use leptos::prelude::*;
use vinzy_client::service::Problem;

use super::button::Button;
use super::copy::Copy;
use super::icon::Icon;
use crate::fetch::Fetch;
use crate::text::capitalized;

/// What a fetch brought, or how far it is.
#[component]
pub fn Loaded<T, V>(
    fetch: Fetch<T>,
    /// Shows the answer.
    view: impl Fn(T) -> V + Send + Sync + 'static,
) -> impl IntoView
where
    T: Clone + Send + Sync + 'static,
    V: IntoView + 'static,
{
    move || match fetch.outcome() {
        None => view! { <Skeleton /> }.into_any(),
        Some(Ok(answer)) => {
            let waiting = fetch.waiting;
            view! {
                <div class="loaded" class:waiting=waiting aria-busy=move || waiting.get().to_string()>
                    {view(answer)}
                </div>
            }
            .into_any()
        }
        Some(Err(problem)) => view! { <Failed problem=*problem again=move |()| fetch.again() /> }.into_any(),
    }
}

/// Something is on its way.
#[component]
pub fn Skeleton() -> impl IntoView {
    view! {
        <div class="skeleton" role="status">
            <span class="for-ears">"Loading…"</span>
            <i></i>
            <i></i>
            <i></i>
        </div>
    }
}

/// There is nothing, and why that is so, and what to do about it.
#[component]
pub fn Empty(
    #[prop(into)] title: String,
    #[prop(into, optional)] about: String,
    #[prop(into, optional)] children: ViewFnOnce,
) -> impl IntoView {
    view! {
        <div class="empty">
            <p class="title">{title}</p>
            <p>{about}</p>
            {children.run()}
        </div>
    }
}

/// Something could not be read.
#[component]
fn Failed(problem: Problem, #[prop(into)] again: Callback<()>) -> impl IntoView {
    let title = match problem.status {
        404 => "This does not exist",
        403 => "This key may not see this",
        _ => "This could not be loaded",
    };
    view! {
        <div class="empty failed" role="alert">
            <Icon icon=icondata::LuTriangleAlert />
            <p class="title">{title}</p>
            <p>{words(&problem)}</p>
            <RequestIdOf problem />
            <Button label="Try again" icon=icondata::LuRefreshCw press=move |()| again.run(()) />
        </div>
    }
}

/// Why something was not done, in words, with what the server's log knows it by. Nothing while all is well.
#[component]
pub fn Refused(#[prop(into)] problem: Signal<Option<Problem>>) -> impl IntoView {
    move || {
        problem.get().map(|problem| {
            view! {
                <div class="notice failed" role="alert">
                    <Icon icon=icondata::LuTriangleAlert />
                    <div>
                        <p>{words(&problem)}</p>
                        <RequestIdOf problem />
                    </div>
                </div>
            }
        })
    }
}

/// A problem in words.
pub fn words(problem: &Problem) -> String {
    if problem.errors.is_empty() {
        return capitalized(&problem.detail);
    }
    let errors = problem.errors.iter().map(|error| {
        let field = error.field.replace('_', " ");
        format!("{}: {}", capitalized(&field), error.message)
    });
    errors.collect::<Vec<_>>().join(". ") + "."
}

#[component]
fn RequestIdOf(problem: Problem) -> impl IntoView {
    (!problem.request_id.is_empty()).then(|| {
        view! {
            <p class="request-id">
                "Request " <code>{problem.request_id.clone()}</code>
                <Copy text=problem.request_id what="Request id" />
            </p>
        }
    })
}
