//! Wakes those who wait for a ledger's events.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

/// Who waits, by ledger.
#[derive(Default)]
pub(super) struct Arrivals(Mutex<HashMap<String, watch::Sender<()>>>);

impl Arrivals {
    /// Says that events were committed to a ledger.
    pub(super) fn tell(&self, ledger_id: &str) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(told) = waiting.get(ledger_id) else {
            return;
        };
        // Nobody is left: they are forgotten.
        if told.send(()).is_err() {
            waiting.remove(ledger_id);
        }
    }

    /// Changes when events were committed from now on.
    pub(super) fn subscribe(&self, ledger_id: &str) -> watch::Receiver<()> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(told) = waiting.get(ledger_id) {
            return told.subscribe();
        }
        let (told, receiver) = watch::channel(());
        waiting.insert(ledger_id.to_owned(), told);
        receiver
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_is_told_of_their_ledger_only() {
        let arrivals = Arrivals::default();
        let (mut here, there) = (arrivals.subscribe("a"), arrivals.subscribe("b"));
        arrivals.tell("a");
        assert!(here.has_changed().unwrap() && !there.has_changed().unwrap());
        here.mark_unchanged();
        assert!(!here.has_changed().unwrap());
    }

    #[test]
    fn who_is_gone_is_forgotten() {
        let arrivals = Arrivals::default();
        drop(arrivals.subscribe("a"));
        arrivals.tell("a");
        assert!(arrivals.0.lock().unwrap().is_empty());
        let again = arrivals.subscribe("a");
        arrivals.tell("a");
        assert!(again.has_changed().unwrap());
    }
}
