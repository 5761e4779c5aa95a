//! How many may read and wait at a time, on this node.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

/// For one API key.
const PER_KEY: usize = 16;
/// For all keys of a ledger.
const PER_LEDGER: usize = 256;
/// For all.
const IN_ALL: usize = 2_048;

/// Nobody else may wait there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Crowded {
    /// With this key, or on this ledger.
    #[error("this key or its tenant reads as often at a time as it may")]
    Caller,
    /// On this node.
    #[error("as many read at a time as may")]
    Node,
}

/// Whose places are counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Whose {
    Key(Uuid),
    Ledger(Arc<str>),
    All,
}

type Counts = Arc<Mutex<HashMap<Whose, usize>>>;

/// All places.
#[derive(Default)]
pub(super) struct Places(Counts);

/// A place, until it is dropped.
#[derive(Debug)]
pub struct Place {
    counts: Counts,
    held: [Whose; 3],
}

impl Places {
    pub(super) fn take(&self, key: Uuid, ledger_id: &Arc<str>) -> Result<Place, Crowded> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = [Whose::Key(key), Whose::Ledger(Arc::clone(ledger_id)), Whose::All];
        let bounds = [PER_KEY, PER_LEDGER, IN_ALL];
        let full = |whose: &Whose, bound| counts.get(whose).is_some_and(|count| *count >= bound);
        match held.iter().zip(bounds).find(|(whose, bound)| full(whose, *bound)) {
            Some((Whose::All, _)) => return Err(Crowded::Node),
            Some(_) => return Err(Crowded::Caller),
            None => {}
        }
        for whose in &held {
            *counts.entry(whose.clone()).or_default() += 1;
        }
        Ok(Place {
            counts: Arc::clone(&self.0),
            held,
        })
    }
}

impl Places {
    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(&Whose::All).copied().unwrap_or(0)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for whose in &self.held {
            if let Some(count) = counts.get_mut(whose) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(whose);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> Uuid {
        Uuid::from_u128(number as u128)
    }

    #[test]
    fn keys_and_ledgers_have_their_share_and_give_it_back() {
        let (places, a, b) = (Places::default(), Arc::from("a"), Arc::from("b"));
        let mut held: Vec<Place> = (0..PER_KEY).map(|_| places.take(key(0), &a).unwrap()).collect();
        assert_eq!(places.take(key(0), &a).unwrap_err(), Crowded::Caller);
        held.extend((0..PER_LEDGER - PER_KEY).map(|at| places.take(key(1 + at / PER_KEY), &a).unwrap()));
        assert_eq!(places.take(key(1_000), &a).unwrap_err(), Crowded::Caller);
        assert!(places.take(key(2_000), &b).is_ok());
        held.pop();
        assert!(places.take(key(1_000), &a).is_ok());
        held.clear();
        assert!(places.0.lock().unwrap().is_empty());
    }

    #[test]
    fn a_node_has_so_many_in_all() {
        let places = Places::default();
        let ledgers: Vec<Arc<str>> = (0..IN_ALL / PER_LEDGER).map(|at| at.to_string().into()).collect();
        let held: Vec<Place> = (0..IN_ALL)
            .map(|at| places.take(key(at), &ledgers[at / PER_LEDGER]).unwrap())
            .collect();
        assert_eq!(
            places.take(key(IN_ALL), &"more".into()).unwrap_err(),
            Crowded::Node
        );
        drop(held);
    }
}
