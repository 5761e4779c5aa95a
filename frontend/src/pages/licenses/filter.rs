//! What the address says of which licenses are shown.

use leptos::prelude::*;
use vinzy_client::call::encoded;
use vinzy_client::calls::licenses::Filter;
use vinzy_events::key::{self, KeyDigest};

use crate::components::NEWEST_FIRST;
use crate::format;
use crate::place::Query;

/// Names in the address.
pub const NAMES: &[&str] = &["q", "status", "product", "tier", "expiring", "customer", "key"];

/// What the address says, followed.
#[derive(Clone, Copy)]
pub struct Asked {
    pub q: Memo<Option<String>>,
    pub status: Memo<Option<String>>,
    pub product: Memo<Option<String>>,
    pub tier: Memo<Option<String>>,
    pub expiring: Memo<Option<String>>,
    pub customer: Memo<Option<String>>,
    /// SHA-256 of a license key.
    pub key: Memo<Option<String>>,
    pub sort: Memo<Option<String>>,
}

impl Asked {
    pub fn of(query: &Query) -> Self {
        Self {
            q: query.signal("q"),
            status: query.signal("status"),
            product: query.signal("product"),
            tier: query.signal("tier"),
            expiring: query.signal("expiring"),
            customer: query.signal("customer"),
            key: query.signal("key"),
            sort: query.signal("sort"),
        }
    }

    /// Whether anything is filtered.
    pub fn is_any(self) -> bool {
        [
            self.q,
            self.status,
            self.product,
            self.tier,
            self.expiring,
            self.customer,
            self.key,
        ]
        .iter()
        .any(|one| one.with(Option::is_some))
    }

    /// As the API has it; `None` when what is searched for cannot be of a license.
    pub fn filter(self) -> Option<Filter> {
        let q = self.q.get();
        if q.as_deref().is_some_and(|q| !is_of_an_id(q)) {
            return None;
        }
        let (expires_after, expires_before) = ending(self.expiring.get().as_deref());
        Some(Filter {
            status: self.status.get(),
            product_code: self.product.get(),
            customer_id: self.customer.get(),
            tier: self.tier.get(),
            q,
            key_digest: self.key.get(),
            expires_after,
            expires_before,
            sort: Some(self.sort.get().unwrap_or_else(|| NEWEST_FIRST.to_owned())),
        })
    }

    /// The address at which a license is issued, with what the filters say of it.
    pub fn issue(self) -> String {
        let given = [("product", self.product.get()), ("customer", self.customer.get())];
        let given: Vec<_> = given
            .into_iter()
            .filter_map(|(name, value)| Some(format!("{name}={}", encoded(&value?))))
            .collect();
        if given.is_empty() {
            "/licenses/new".to_owned()
        } else {
            format!("/licenses/new?{}", given.join("&"))
        }
    }
}

/// When licenses end that are expiring within so many days, or that have ended.
fn ending(expiring: Option<&str>) -> (Option<String>, Option<String>) {
    let now = || format::days_from_now(0.0);
    match expiring {
        Some("expired") => (None, Some(now())),
        Some(days) => match days.parse::<u16>() {
            Ok(days) => (Some(now()), Some(format::days_from_now(days.into()))),
            Err(_) => (None, None),
        },
        None => (None, None),
    }
}

/// Whether a text can be an id or its beginning, as the API reads it: hyphens may be left out, but not misplaced.
pub fn is_of_an_id(text: &str) -> bool {
    const HYPHENS: [usize; 4] = [8, 13, 18, 23];
    let is_hyphenated = text.contains('-');
    let digits = text.bytes().filter(u8::is_ascii_hexdigit).count();
    let fits = |(at, byte): (usize, u8)| match byte {
        b'-' => HYPHENS.contains(&at),
        _ => byte.is_ascii_hexdigit() && !(is_hyphenated && HYPHENS.contains(&at)),
    };
    (1..=32).contains(&digits) && text.bytes().enumerate().all(fits)
}

/// What a text is, if it looks like a license key.
#[derive(Debug, PartialEq, Eq)]
pub enum Pasted {
    /// A whole one: its digest, lower hex.
    Key(String),
    /// A part of one.
    Part,
}

/// Recognises a license key, or a part of one, by its form.
pub fn pasted(text: &str) -> Option<Pasted> {
    let text = key::normalise(text);
    let mut segments = text.split('-');
    let prefix = segments.next().unwrap_or_default();
    let rest: Vec<&str> = segments.collect();
    let is_prefix = prefix.len() == 3 && prefix.bytes().all(|byte| byte.is_ascii_uppercase());
    let is_base32 = |segment: &&str| {
        segment
            .bytes()
            .all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7'))
    };
    if !is_prefix || !rest.iter().all(is_base32) {
        return None;
    }
    let is_whole = |segment: &&str| segment.len() == 5;
    match rest.as_slice() {
        [_, _, _, _, _, _, _] if rest.iter().all(is_whole) => {
            Some(Pasted::Key(KeyDigest::of(&text).to_string()))
        }
        // Names are written with hyphens, too, but hardly with three words of five letters behind one of three.
        [first, second, third, ..] if rest.len() <= 7 && [first, second, third].into_iter().all(is_whole) => {
            Some(Pasted::Part)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "PRD-ABCDE-FGHIJ-KLMNO-PQRST-UVWXY-Z2345-67ABC";

    #[test]
    fn a_key_is_recognised_however_it_is_pasted() {
        let digest = Some(Pasted::Key(KeyDigest::of(KEY).to_string()));
        assert_eq!(pasted(KEY), digest);
        assert_eq!(pasted(&format!("  {}\n", KEY.to_lowercase())), digest);
    }

    #[test]
    fn a_part_of_a_key_is_no_search() {
        assert_eq!(pasted(&KEY[..21]), Some(Pasted::Part));
        assert_eq!(pasted(&KEY[..44]), Some(Pasted::Part));
    }

    #[test]
    fn names_addresses_and_ids_are_no_keys() {
        for text in [
            "Ann-Marie",
            "Tim-Meyer",
            "Jan-Peter-Klaas",
            "ann@example.com",
            "019c9a5e-7f00-7000-8000-000000000001",
            "ABC-",
            "abc",
            "",
        ] {
            assert_eq!(pasted(text), None, "{text}");
        }
    }

    #[test]
    fn what_the_api_would_refuse_is_no_id() {
        for text in [
            "0",
            "019c9a5e-7f",
            "019c9a5e7f",
            "019c9a5e-7f00-7000-8000-000000000001",
        ] {
            assert!(is_of_an_id(text), "{text}");
        }
        for text in [
            "Jane",
            "ad-de",
            "-",
            "",
            "019c9a5e7-f",
            "019c9a5e7f0070008000000000000001f",
        ] {
            assert!(!is_of_an_id(text), "{text}");
        }
    }
}
