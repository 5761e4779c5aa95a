//! Large input: a megabyte of anything is done with at once. Were any parser quadratic, these tests would take hours.

use ed25519_dalek::SigningKey;
use vinzy_events::customer::EmailAddress;
use vinzy_events::json::{canonical, keep_digits, parse_strict};
use vinzy_events::key::{KeyRing, normalise};
use vinzy_events::lease::{JwkSet, LeaseSigner, verify};
use vinzy_events::ledger::{Checkpoint, Hash, Leaf, LeafContent, TilePath, VerifierKey};
use vinzy_events::{Decimal, LicenseId, Timestamp};

/// So long is each text, at least.
const LENGTH: usize = 1 << 20;
/// `before`, then a megabyte of `middle`, then `after`.
fn long(before: &str, middle: &str, after: &str) -> String {
    format!("{before}{}{after}", middle.repeat(LENGTH / middle.len()))
}

#[test]
fn large_json_takes_linear_time() {
    let members: Vec<String> = (0..LENGTH / 32).map(|index| format!("\"{index}\":1")).collect();
    for (text, taken) in [
        (long("[", "1,", "1]"), false),
        (long("", "[", ""), false),
        (long("", "{\"a\":", ""), false),
        (long("\"", "a", "\""), true),
        (long("\"", "\\u00e9", "\""), true),
        (long("\"", "\\\\", "\""), true),
        (long("0.", "1", ""), true),
        (long("0.", "0", "1"), true),
        (long("1", "0", ""), false),
        (long("", "9", ".5e-1048570"), true),
        (long("1e-", "9", ""), true),
        (long("", "-", ""), false),
        (long("[", "123456789012345678,", "1]"), false),
        (long("[", "1234567890.123456789012345678,", "1]"), true),
        (long("", " ", "1"), true),
        (format!("{{{}}}", members.join(",")), true),
        (long("{", "\"a\":1,", "\"a\":1}"), false),
    ] {
        let start = &text[..20];
        let parsed = parse_strict(text.as_bytes());
        assert_eq!(parsed.is_ok(), taken, "{start}: {:?}", parsed.map(|_| ()));
        if let Ok(mut value) = parsed {
            let _ = canonical(&value);
            keep_digits(text.as_bytes(), &mut value, "x", &["y"]);
        }
        assert!(Leaf::parse(text.as_bytes()).is_err());
        let _ = LeafContent::parse(text.as_bytes());
    }
}

#[test]
fn large_texts_are_refused_in_linear_time() {
    let ring = KeyRing::from_json(r#"{"0": "k"}"#).unwrap();
    let signer = LeaseSigner::new([7; 32]);
    let keys = JwkSet {
        keys: vec![signer.jwk()],
    };
    let verifier = VerifierKey::from_signing("x", &SigningKey::from_bytes(&[7; 32]));
    for piece in [
        "-",
        ".",
        "+",
        "/",
        "\n",
        "A",
        "a",
        " ",
        "0",
        "9",
        "x000/",
        "— x A\n",
        "\n\n",
        "AAAAA-",
        "e",
        "@",
        "😀",
    ] {
        for text in [
            long("", piece, ""),
            long("tile/0/", piece, ""),
            long("PRD-", piece, ""),
            long("x\n1\n", piece, "\n"),
            long("2026-01-01T00:00:00.", piece, "Z"),
            long("jane@", piece, ".example"),
        ] {
            assert!(ring.check(&normalise(&text)).is_err());
            assert!(verify(&text, &keys, Timestamp::UNIX_EPOCH).is_err());
            assert!(verifier.open(&text).is_err());
            assert!(text.parse::<VerifierKey>().is_err());
            assert!(text.parse::<TilePath>().is_err());
            assert!(text.parse::<Decimal>().is_err());
            assert!(text.parse::<LicenseId>().is_err());
            assert!(text.parse::<Hash>().is_err());
            let _ = text.parse::<Timestamp>();
            assert!(EmailAddress::parse(&text).is_err());
        }
    }
}

#[test]
fn a_note_with_very_many_signatures_is_not_looked_through() {
    let key = SigningKey::from_bytes(&[7; 32]);
    let checkpoint = Checkpoint {
        origin: "x".into(),
        size: 1,
        root: Hash::ZERO,
    };
    let note = checkpoint.sign(&key);
    let (text, signature) = note.rsplit_once("\n\n").unwrap();
    let verifier = VerifierKey::from_signing("x", &key);
    let with = |count| format!("{text}\n\n{}", signature.repeat(count));
    assert_eq!(verifier.open(&with(100)), Ok(checkpoint));
    let many = with(LENGTH / signature.len());
    assert!(verifier.open(&many).is_err());
}
