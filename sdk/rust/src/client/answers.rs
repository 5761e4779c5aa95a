//! Good answers to validations, for a while, in memory.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::leases::digest;
use super::validation::Validation;

const MOST_ANSWERS: usize = 1024;

/// Keeps each answer for `ttl` seconds.
#[derive(Debug)]
pub(crate) struct Answers {
    ttl: f64,
    kept: Mutex<Kept>,
}

/// Digest of the license key, and fingerprint.
type Asked = (String, Option<String>);

#[derive(Debug, Default)]
struct Kept {
    answers: HashMap<Asked, KeptAnswer>,
    forgotten: u64,
    put: u64,
}

#[derive(Debug)]
struct KeptAnswer {
    made_at: f64,
    ends: f64,
    number: u64,
    validation: Validation,
}

/// How things stood before the server was asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark(u64);

impl Answers {
    pub(crate) fn new(ttl: f64) -> Self {
        Self {
            ttl,
            kept: Mutex::default(),
        }
    }

    /// The answer for a key, unless it is too old, or newer than the clock.
    pub(crate) fn get(&self, key: &str, fingerprint: Option<&str>, now: f64) -> Option<Validation> {
        let kept = self.kept();
        let answer = kept.answers.get(&asked(key, fingerprint))?;
        (answer.made_at <= now && now < answer.ends).then(|| answer.validation.clone())
    }

    /// To be taken before the server is asked, and given to [`Answers::put`].
    pub(crate) fn mark(&self) -> Mark {
        Mark(self.kept().forgotten)
    }

    /// Keeps an answer, at most until its license ends, unless something was forgotten since `mark`: then it may tell of
    /// before.
    pub(crate) fn put(
        &self,
        key: &str,
        fingerprint: Option<&str>,
        now: f64,
        license_ends: Option<f64>,
        validation: &Validation,
        mark: Mark,
    ) {
        let ends = (now + self.ttl).min(license_ends.unwrap_or(f64::INFINITY));
        let mut kept = self.kept();
        if mark.0 != kept.forgotten || now >= ends {
            return;
        }
        kept.put += 1;
        let answer = KeptAnswer {
            made_at: now,
            ends,
            number: kept.put,
            validation: validation.clone(),
        };
        kept.answers.insert(asked(key, fingerprint), answer);
        if kept.answers.len() > MOST_ANSWERS {
            let oldest = kept.answers.iter().min_by_key(|(_, answer)| answer.number);
            let oldest = oldest.map(|(asked, _)| asked.clone());
            oldest.and_then(|asked| kept.answers.remove(&asked));
        }
    }

    /// What was answered for a key is true no longer.
    pub(crate) fn forget(&self, key: &str) {
        let digest = digest(key);
        let mut kept = self.kept();
        kept.forgotten += 1;
        kept.answers.retain(|(of, _), _| *of != digest);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn asked(key: &str, fingerprint: Option<&str>) -> Asked {
    (digest(key), fingerprint.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_from_before_a_change_are_not_kept() {
        let answers = Answers::new(300.0);
        let good = Validation::default();
        let mark = answers.mark();
        answers.forget("key");
        answers.put("key", None, 0.0, None, &good, mark);
        assert!(answers.get("key", None, 1.0).is_none());
        answers.put("key", None, 0.0, None, &good, answers.mark());
        assert!(answers.get(" KEY ", None, 1.0).is_some());
        assert!(answers.get("key", Some("laptop"), 1.0).is_none());
    }

    #[test]
    fn an_answer_is_never_newer_than_the_clock_nor_older_than_its_time() {
        let answers = Answers::new(60.0);
        answers.put(
            "key",
            None,
            100.0,
            Some(130.0),
            &Validation::default(),
            answers.mark(),
        );
        let known = [99.0, 100.0, 129.0, 130.0].map(|now| answers.get("key", None, now).is_some());
        assert_eq!(known, [false, true, true, false]);
        answers.put(
            "other",
            None,
            200.0,
            Some(130.0),
            &Validation::default(),
            answers.mark(),
        );
        assert!(answers.get("other", None, 200.0).is_none());
    }

    #[test]
    fn there_is_a_bound() {
        let answers = Answers::new(60.0);
        for number in 0..1100 {
            let key = format!("key-{number}");
            answers.put(&key, None, 0.0, None, &Validation::default(), answers.mark());
        }
        assert_eq!(answers.kept().answers.len(), MOST_ANSWERS);
        assert!(answers.get("key-75", None, 1.0).is_none());
        assert!(answers.get("key-76", None, 1.0).is_some());
    }
}
