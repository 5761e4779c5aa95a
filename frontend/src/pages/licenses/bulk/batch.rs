//! One change of many licenses, one license after the other.
//!
//! Each license is a deed of its own: what the server may or may not have done is tried again under the same idempotency
//! key, and what was done is not tried again.

use leptos::prelude::*;
use vinzy_client::call::Call;
use vinzy_client::calls;
use vinzy_client::licenses::{License, Reason, RenewLicense};

use crate::api;
use crate::fetch::Deed;

/// What is asked for, as it is for each of them.
#[derive(Clone)]
pub enum Wish {
    Suspend(Reason),
    Renew(RenewLicense),
}

impl Wish {
    fn of(&self, id: &str) -> Call<License> {
        match self {
            Self::Suspend(reason) => calls::licenses::suspend(id, reason),
            Self::Renew(renew) => calls::licenses::renew(id, renew),
        }
    }
}

/// One license of several. Its deed's problem tells why it failed.
#[derive(Clone)]
pub struct Item {
    pub id: String,
    pub deed: Deed,
    done: RwSignal<bool>,
}

impl Item {
    fn new(id: String) -> Self {
        Self {
            id,
            deed: Deed::new(),
            done: RwSignal::new(false),
        }
    }

    /// Tries it; says whether there is sense in going on with others.
    async fn attempt(&self, call: Call<License>) -> bool {
        let outcome = self.deed.attempt(&call).await;
        let is_out = outcome.as_ref().is_err_and(|problem| problem.status == 401);
        self.done.try_set(outcome.is_ok());
        // Gone with its dialog: nobody waits for the others.
        let is_gone = self.deed.problem.try_set(outcome.err()).is_some();
        !is_out && !is_gone
    }
}

/// The licenses of a change, and how far it is.
#[derive(Clone, Copy)]
pub struct Batch {
    items: StoredValue<Vec<Item>>,
    /// Whether it is under way.
    pub busy: RwSignal<bool>,
    /// Whether it was begun.
    pub began: RwSignal<bool>,
}

impl Batch {
    /// A change of these licenses, not begun yet. Whether it is under way is told to `busy`.
    pub fn new(ids: impl IntoIterator<Item = String>, busy: RwSignal<bool>) -> Self {
        Self {
            items: StoredValue::new(ids.into_iter().map(Item::new).collect()),
            busy,
            began: RwSignal::new(false),
        }
    }

    /// How many there are.
    pub fn total(self) -> usize {
        self.items.with_value(Vec::len)
    }

    /// How many are done.
    pub fn done(self) -> usize {
        self.items
            .with_value(|items| items.iter().filter(|item| item.done.get()).count())
    }

    /// Those that failed the last time.
    pub fn failed(self) -> Vec<Item> {
        let failed = |item: &&Item| item.deed.problem.with(Option::is_some);
        self.items
            .with_value(|items| items.iter().filter(failed).cloned().collect())
    }

    /// Those that are not done.
    pub fn left(self) -> Vec<Item> {
        let left = |item: &&Item| !item.done.get_untracked();
        self.items
            .try_with_value(|items| items.iter().filter(left).cloned().collect())
            .unwrap_or_default()
    }

    /// Tries those that are not done, and says when all were tried. Does nothing while it is under way.
    pub fn run(self, wish: Wish, ended: impl FnOnce() + 'static) {
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        self.began.set(true);
        let left = self.left();
        for item in &left {
            item.deed.clear();
        }
        api::spawn(async move {
            for item in left {
                if !item.attempt(wish.of(&item.id)).await {
                    break;
                }
            }
            self.busy.try_set(false);
            if !self.items.is_disposed() {
                ended();
            }
        });
    }
}
