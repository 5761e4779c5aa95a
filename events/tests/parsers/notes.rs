//! Checkpoints in signed notes, and the keys that open them.

use ed25519_dalek::SigningKey;
use proptest::prelude::*;
use proptest::sample::Index;
use vinzy_events::ledger::{Checkpoint, CheckpointError, Hash, VerifierKey};

use crate::attack::{any_text, changes, spliced, tampered_text};
use crate::config;

const ORIGIN: &str = "ledger.example/t/0197f0a2";

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn verifier() -> VerifierKey {
    VerifierKey::from_signing(ORIGIN, &key())
}

fn checkpoint(size: u64, root: [u8; 32]) -> Checkpoint {
    Checkpoint {
        origin: ORIGIN.into(),
        size,
        root: Hash::from_bytes(root),
    }
}

/// What was signed of a note.
fn signed_text(note: &str) -> &str {
    note.rsplit_once("\n\n").map_or(note, |(text, _)| text)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_signed_opens_as_what_it_was(size: u64, root: [u8; 32], name in "[^\\s\\pC+]{1,40}") {
        let checkpoint = Checkpoint { origin: name.clone(), ..checkpoint(size, root) };
        let verifier = VerifierKey::from_signing(&name, &key());
        prop_assert_eq!(verifier.open(&checkpoint.sign(&key())), Ok(checkpoint));
        prop_assert_eq!(verifier.to_string().parse(), Ok(verifier));
    }

    #[test]
    fn a_tampered_checkpoint_opens_as_what_was_signed_or_not_at_all(
        size: u64, root: [u8; 32], changes in changes()
    ) {
        let checkpoint = checkpoint(size, root);
        let note = checkpoint.sign(&key());
        let changed = tampered_text(&note, &changes);
        if let Ok(opened) = verifier().open(&changed) {
            // Further signatures may stand below the text; the text itself is as it was.
            prop_assert_eq!(signed_text(&changed), signed_text(&note));
            prop_assert_eq!(opened, checkpoint);
        } else {
            prop_assert_ne!(changed, note);
        }
    }

    #[test]
    fn parts_of_two_checkpoints_are_none(sizes: [u64; 2], roots: [[u8; 32]; 2], cut: Index, rest: Index) {
        let notes: [Checkpoint; 2] = std::array::from_fn(|index| checkpoint(sizes[index], roots[index]));
        let [left, right] = notes.each_ref().map(|checkpoint| checkpoint.sign(&key()));
        for both in [spliced(&left, &right, cut, rest), spliced(&left, &right, cut, cut)] {
            if let Ok(opened) = verifier().open(&both) {
                prop_assert!(notes.contains(&opened), "{}", both);
            }
        }
    }

    #[test]
    fn signatures_of_others_neither_help_nor_hinder(size: u64, root: [u8; 32], seed: [u8; 32], first: bool) {
        prop_assume!(seed != [7; 32]);
        let stranger = SigningKey::from_bytes(&seed);
        let checkpoint = checkpoint(size, root);
        let note = checkpoint.sign(&key());
        let strange = checkpoint.sign(&stranger);
        prop_assert_eq!(verifier().open(&strange), Err(CheckpointError::NotSigned));
        let (text, own) = note.rsplit_once("\n\n").unwrap();
        let (_, other) = strange.rsplit_once("\n\n").unwrap();
        let both = if first { format!("{text}\n\n{own}{other}") } else { format!("{text}\n\n{other}{own}") };
        prop_assert_eq!(verifier().open(&both), Ok(checkpoint.clone()));
        prop_assert_eq!(VerifierKey::from_signing(ORIGIN, &stranger).open(&both), Ok(checkpoint));
    }

    #[test]
    fn no_text_is_a_checkpoint(text in any_text(), size in any_text(), root in any_text()) {
        prop_assert!(verifier().open(&text).is_err());
        let note = format!("{ORIGIN}\n{size}\n{root}\n\n— {ORIGIN} {text}\n");
        prop_assert!(verifier().open(&note).is_err());
    }

    #[test]
    fn a_verifier_key_has_one_text(text in any_text(), seed: [u8; 32], changes in changes()) {
        let verifier = VerifierKey::from_signing(ORIGIN, &SigningKey::from_bytes(&seed));
        for text in [text, tampered_text(&verifier.to_string(), &changes)] {
            if let Ok(read) = text.parse::<VerifierKey>() {
                prop_assert_eq!(read.to_string(), &*text);
                prop_assert_eq!(read == verifier, text == verifier.to_string());
            }
        }
    }
}
