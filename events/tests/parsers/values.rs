//! Times, amounts, ids, hashes and names.

use proptest::prelude::*;
use serde_json::value::RawValue;
use uuid::Uuid;
use vinzy_events::agent::{agent_of_tokens, parse_agent_metric, tokens_metric};
use vinzy_events::customer::EmailAddress;
use vinzy_events::ledger::Hash;
use vinzy_events::{Decimal, LicenseId, Period, Timestamp};

use crate::attack::{any_text, changes, tampered_text};
use crate::config;
use crate::json::any_number;

fn any_time() -> impl Strategy<Value = Timestamp> {
    (0_i64..253_402_300_800_000_000).prop_filter_map("within the years", Timestamp::from_micros)
}

/// A time as people write it.
fn written_time() -> impl Strategy<Value = String> {
    "(0000|19[67][0-9]|20[0-9]{2}|9999)-(0[1-9]|1[0-2]|13)-[0-3][0-9][Tt ]([01][0-9]|2[0-4]):[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,12})?(Z|z|[+−-][0-2][0-9]:?[0-6][0-9])"
}

/// What must hold of a text that reads as a decimal number.
fn check_decimal(text: &str) -> Result<(), TestCaseError> {
    let Ok(number) = text.parse::<Decimal>() else {
        return Ok(());
    };
    prop_assert!(
        serde_json::from_str::<&RawValue>(text).is_ok(),
        "JSON would not take {}",
        text
    );
    let form = number.to_string();
    prop_assert_eq!(form.parse(), Ok(number.clone()), "{} reads back", form);
    prop_assert_eq!(number.is_too_large(), number > Decimal::max());
    let nearest = number.to_f64().clamp(f64::MIN, f64::MAX) + 0.0;
    let back = Decimal::from_number(&number.to_number());
    prop_assert_eq!(back.to_f64().to_bits(), nearest.to_bits());
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_time_reads_back(time in any_time()) {
        prop_assert_eq!(time.to_string().parse(), Ok(time));
        prop_assert_eq!(time.to_string().len(), 27);
        prop_assert_eq!(Timestamp::from_micros(time.as_micros()), Some(time));
    }

    #[test]
    fn what_reads_as_a_time_is_one(
        time in any_time(), changes in changes(), written in written_time(), text in any_text()
    ) {
        for text in [tampered_text(&time.to_string(), &changes), written, text] {
            if let Ok(read) = text.parse::<Timestamp>() {
                prop_assert!(text.is_ascii(), "{:?} looks like a time", text);
                prop_assert_eq!(read.to_string().parse(), Ok(read));
                prop_assert!(read >= Timestamp::UNIX_EPOCH && read.to_string().starts_with(['1', '2', '3', '4', '5', '6', '7', '8', '9']));
            }
        }
    }

    #[test]
    fn periods_hold_every_time(time in any_time(), days: u32, seconds: u32) {
        for period in Period::ALL {
            prop_assert!(period.start(time) <= time);
            prop_assert_eq!(Period::parse(period.as_str()), Some(period));
            prop_assert!(period.end(time) > time || period.end(time).to_string().starts_with("1970"));
        }
        for later in [time.plus_days(days), time.plus_seconds(seconds)].into_iter().flatten() {
            prop_assert!(later >= time);
            prop_assert_eq!(later.to_string().parse(), Ok(later));
        }
    }

    #[test]
    fn decimals_read_back(number in any_number(), changes in changes(), text in any_text()) {
        check_decimal(&tampered_text(&number, &changes))?;
        check_decimal(&number)?;
        check_decimal(&text)?;
    }

    #[test]
    fn sums_of_decimals_read_back(left in "-?[0-9]{1,300}(\\.[0-9]{1,40})?", right in "-?[0-9]{1,300}(\\.[0-9]{1,40})?") {
        if let (Ok(left), Ok(right)) = (left.parse::<Decimal>(), right.parse::<Decimal>()) {
            for number in [&left + &right, &left - &right] {
                prop_assert_eq!(number.to_string().parse(), Ok(number));
            }
            prop_assert_eq!(&(&left + &right) - &right, left);
        }
    }

    #[test]
    fn doubles_are_decimals_of_seventeen_digits_at_most(double: f64) {
        let decimal = Decimal::from_f64(double);
        prop_assert_eq!(decimal.is_some(), double.is_finite());
        if let Some(decimal) = decimal {
            prop_assert_eq!(decimal.to_f64().to_bits(), (double + 0.0).to_bits());
            prop_assert!(decimal.as_big().normalized().digits() <= 17);
        }
    }

    #[test]
    fn ids_read_back(id: u128, changes in changes(), text in any_text()) {
        let id = LicenseId::from(Uuid::from_u128(id));
        prop_assert_eq!(id.to_string().parse(), Ok(id));
        for text in [tampered_text(&id.to_string(), &changes), text] {
            if let Ok(read) = text.parse::<LicenseId>() {
                prop_assert_eq!(read.to_string().parse(), Ok(read));
                let digits: String = text.to_lowercase().replace("urn:uuid:", "").replace(['-', '{', '}'], "");
                prop_assert_eq!(read.to_string().replace('-', ""), digits);
            }
        }
    }

    #[test]
    fn a_hash_has_one_text(bytes: [u8; 32], changes in changes(), text in any_text()) {
        let hash = Hash::from_bytes(bytes);
        prop_assert_eq!(hash.to_string().parse(), Ok(hash));
        for text in [tampered_text(&hash.to_string(), &changes), text] {
            if let Ok(read) = text.parse::<Hash>() {
                prop_assert_eq!(read.to_string(), text);
            }
        }
    }

    #[test]
    fn what_reads_as_an_address_is_kept_as_it_is(changes in changes(), text in any_text()) {
        for text in [tampered_text("jane.doe+x@mail.example.com", &changes), text] {
            if let Ok(address) = EmailAddress::parse(&text) {
                prop_assert_eq!(address.as_str(), &text);
                prop_assert!(text.contains('@') && !text.contains(char::is_whitespace) && text.len() <= 254);
                prop_assert_eq!(address.identity(), text.to_lowercase());
            }
        }
    }

    #[test]
    fn metrics_of_agents_are_told_from_others(code in "[^.\\pC]{1,20}", changes in changes(), text in any_text()) {
        let metric = tokens_metric(&code);
        prop_assert_eq!(parse_agent_metric(&metric), Some((&*code, "tokens")));
        prop_assert_eq!(agent_of_tokens(&metric), Some(&*code));
        for text in [tampered_text(&metric, &changes), text] {
            if let Some((code, sub)) = parse_agent_metric(&text) {
                prop_assert_eq!(format!("agent.{code}.{sub}"), &*text);
            }
            if let Some(code) = agent_of_tokens(&text) {
                prop_assert_eq!(tokens_metric(code), text);
            }
        }
    }
}
