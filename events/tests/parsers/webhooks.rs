//! What webhook endpoints are subscribed to, and what their deliveries are signed with.

use proptest::prelude::*;
use vinzy_events::Timestamp;
use vinzy_events::endpoint::{EventPattern, subscribable};
use vinzy_events::webhook::SigningSecret;

use crate::attack::any_text;
use crate::config;

fn pattern_like() -> impl Strategy<Value = String> {
    prop_oneof![
        any_text(),
        "(license|usage|endpoint|activation|\\*)?\\.?(created|heartbeat|\\*|cre\\*)?",
        prop::sample::select(subscribable().collect::<Vec<_>>()).prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_pattern_matches_something_and_reads_back(text in pattern_like()) {
        let Ok(pattern) = text.parse::<EventPattern>() else { return Ok(()) };
        prop_assert_eq!(pattern.as_str(), &text);
        let matched: Vec<&str> = subscribable().filter(|name| pattern.matches(name)).collect();
        prop_assert!(!matched.is_empty());
        prop_assert!(!pattern.matches("endpoint.disabled") || text == "*");
        if !text.contains('*') {
            prop_assert_eq!(matched, [text.as_str()]);
        }
    }

    #[test]
    fn a_secret_reads_back_and_signs_one_body_one_way(
        text in prop_oneof![any_text(), "whsec_[A-Za-z0-9+/]{0,90}={0,2}", "[ -~]{10,40}"],
        body in prop::collection::vec(any::<u8>(), 0..200),
        place in any::<prop::sample::Index>(),
    ) {
        let Ok(secret) = SigningSecret::parse(&text) else { return Ok(()) };
        prop_assert_eq!(secret.expose(), &text);
        let at = Timestamp::UNIX_EPOCH;
        let signature = secret.sign("id", at, &body);
        prop_assert_eq!(&signature, &secret.sign("id", at, &body));
        prop_assert_ne!(&signature, &secret.sign("ie", at, &body));
        prop_assert_ne!(&signature, &secret.sign("id", at.plus_seconds(1).unwrap(), &body));
        if !body.is_empty() {
            let mut changed = body.clone();
            changed[place.index(body.len())] ^= 1;
            prop_assert_ne!(&signature, &secret.sign("id", at, &changed));
            prop_assert_ne!(secret.sign_body(&body), secret.sign_body(&changed));
        }
    }
}
