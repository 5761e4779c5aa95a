//! License keys, and the ring that checks them.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;
use vinzy_events::key::{KeyRing, normalise, version_of};
use vinzy_events::product::ProductCode;

use crate::attack::{any_text, changes, spliced, tampered_text};
use crate::config;

fn ring() -> KeyRing {
    let keys = [(0, "old"), (3, "new"), (31, "newest")];
    KeyRing::try_new(keys.map(|(version, key)| (version, key.to_owned())).into()).unwrap()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_issued_key_checks(entropy: [u8; 15], code in "[A-Z]{1,3}", version in prop::sample::select(&[0_u8, 3, 31])) {
        let key = ring().generate_with(version, &code, entropy).unwrap();
        let checked = ring().check(key.as_str()).unwrap();
        prop_assert_eq!(checked.version, version);
        prop_assert_eq!(version_of(key.as_str()), version);
        prop_assert_eq!(normalise(key.as_str()), key.as_str());
    }

    #[test]
    fn a_key_may_be_typed_in_lower_case_with_space_around_it(
        entropy: [u8; 15], before in "[ \t\r\n\u{a0}]{0,5}", after in "[ \t\r\n\u{2003}]{0,5}", lower: bool
    ) {
        let key = ring().generate("PRD", entropy);
        let case = if lower { key.as_str().to_lowercase() } else { key.as_str().to_owned() };
        let typed = format!("{before}{case}{after}");
        prop_assert_eq!(normalise(&typed), key.as_str());
    }

    #[test]
    fn a_tampered_key_never_checks(entropy: [u8; 15], changes in changes()) {
        let key = ring().generate("PRD", entropy);
        let changed = tampered_text(key.as_str(), &changes);
        prop_assert_eq!(ring().check(&changed).is_ok(), changed == key.as_str(), "{:?}", changed);
        let typed = normalise(&changed);
        prop_assert_eq!(ring().check(&typed).is_ok(), typed == key.as_str(), "{:?}", changed);
    }

    #[test]
    fn parts_of_two_keys_are_no_key(left: [u8; 15], right: [u8; 15], cut: Index) {
        let (left, right) = (ring().generate("PRD", left), ring().generate("PRD", right));
        let both = spliced(left.as_str(), right.as_str(), cut, cut);
        let is_either = both == left.as_str() || both == right.as_str();
        prop_assert_eq!(ring().check(&both).is_ok(), is_either);
    }

    #[test]
    fn a_key_of_another_ring_never_checks(entropy: [u8; 15], secret in "[a-z]{1,20}") {
        let other = KeyRing::try_new(BTreeMap::from([(3, format!("not {secret}"))])).unwrap();
        prop_assert!(ring().check(other.generate("PRD", entropy).as_str()).is_err());
    }

    #[test]
    fn no_text_is_a_key(text in any_text()) {
        prop_assert!(ring().check(&text).is_err());
        let typed = normalise(&text);
        prop_assert!(ring().check(&typed).is_err());
        prop_assert_eq!(normalise(&typed), &*typed, "normalising twice changes nothing more");
        prop_assert!(version_of(&text) < 32);
    }

    #[test]
    fn no_text_is_a_key_with_the_form_of_one(text in "[A-Z]{3}(-[A-Z2-7]{5}){7}") {
        prop_assert!(ring().check(&text).is_err());
    }

    #[test]
    fn what_is_read_as_a_ring_has_versions_that_keys_can_name(text in any_text(), changes in changes()) {
        let tampered = tampered_text(r#"{"0": "old", "12": "new"}"#, &changes);
        for json in [text, tampered] {
            if let Ok(ring) = KeyRing::from_json(&json) {
                prop_assert!(ring.versions().all(|version| version < 32));
                let key = ring.generate("PRD", [7; 15]);
                prop_assert_eq!(ring.check(key.as_str()).unwrap().version, ring.current_version());
            }
        }
    }

    #[test]
    fn a_product_code_is_the_prefix_of_its_keys(text in prop_oneof![any_text(), "[A-Za-zß]{0,4}"]) {
        if let Ok(code) = ProductCode::parse(&text) {
            prop_assert_eq!(code.as_str(), &text);
            let key = ring().generate(code.as_str(), [7; 15]);
            prop_assert!(key.as_str().starts_with(&text) && ring().check(key.as_str()).is_ok());
        }
    }
}
