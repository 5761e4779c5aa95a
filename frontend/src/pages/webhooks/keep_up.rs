//! Answers that stay up to date by themselves while something is under way.

use std::time::Duration;

use leptos::prelude::*;
use vinzy_client::call::Call;

use crate::api;
use crate::fetch::Fetch;

/// Asks again after as long as `pause` says of an answer, as long as it says so. What stands on the page is touched only
/// when something has changed, so that it does not flicker.
pub fn keep_up<T: Clone + PartialEq + Send + Sync + 'static>(
    fetch: Fetch<T>,
    question: impl Fn() -> Call<T> + Copy + 'static,
    pause: impl Fn(&T) -> Option<Duration> + 'static,
) {
    let asked = RwSignal::new(0_u32);
    Effect::new(move |_| {
        asked.track();
        let pause = fetch.with(|answer| answer?.ok().and_then(&pause));
        let Some(pause) = pause else {
            return;
        };
        let ask = move || {
            api::spawn(async move {
                let call = untrack(question);
                let answer = api::send(&call).await;
                // The page may be gone, or show something else by now.
                let is_same = asked.try_update_untracked(|asked| *asked += 1).is_some()
                    && untrack(question).path == call.path;
                if let Ok(answer) = answer
                    && is_same
                    && fetch.with_untracked(|old| !matches!(old, Some(Ok(old)) if *old == answer))
                {
                    fetch.put(answer);
                } else {
                    asked.try_update(|_| ());
                }
            });
        };
        if let Ok(timer) = set_timeout_with_handle(ask, pause) {
            on_cleanup(move || timer.clear());
        }
    });
}
