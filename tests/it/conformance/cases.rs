//! What is done to copies of a ledger, and what each tool says of it.

use ed25519_dalek::{Signer, SigningKey};
use vinzy_events::ledger::{Checkpoint, Hash};

use super::export::{Copied, Export, chain, reworded};
use super::tampered::Case;

/// The event of most cases: number 232 of the tile 3.
const POSITION: usize = 1_000;
/// Where the second history parts from the first.
const FORK: usize = 65_000;

/// Changes that need no key.
pub(super) const CHANGED: [Case; 11] = [
    Case {
        what: "a byte of an event",
        change: |copy, _| copy.edit_entries("tile/entries/003", |events| events[232][30] ^= 1),
        since: None,
        aics_tlog: "walk",
        tlog_scales: "walk",
        vinzy: "BROKEN at position 1000: ",
    },
    Case {
        what: "two events swapped",
        change: |copy, _| copy.edit_entries("tile/entries/003", |events| events.swap(232, 233)),
        since: None,
        aics_tlog: "walk",
        tlog_scales: "walk",
        vinzy: "BROKEN at position 1000: ",
    },
    Case {
        what: "two events swapped with their hashes",
        change: |copy, _| {
            copy.edit_entries("tile/entries/003", |events| events.swap(232, 233));
            copy.edit("tile/0/003", |hashes| hashes[232 * 32..234 * 32].rotate_left(32));
        },
        since: None,
        aics_tlog: "inclusion walk",
        tlog_scales: "walk",
        vinzy: "BROKEN at position 1000: it is missing: position 1001 comes instead",
    },
    Case {
        what: "an event left out",
        change: |copy, _| copy.edit_entries("tile/entries/003", |events| drop(events.remove(232))),
        since: None,
        aics_tlog: "walk",
        tlog_scales: "walk",
        vinzy: "BROKEN at position 1000: ",
    },
    Case {
        what: "the last bytes of the events cut off",
        change: |copy, _| copy.edit("tile/entries/273.p/112", |bytes| bytes.truncate(bytes.len() - 10)),
        since: None,
        aics_tlog: "inclusion walk",
        tlog_scales: "inclusion walk",
        vinzy: "BROKEN at position 69999: ",
    },
    Case {
        what: "a partial tile of events widened",
        change: |copy, _| {
            copy.edit_entries("tile/entries/273.p/112", |events| events.extend_from_within(..1));
        },
        since: None,
        aics_tlog: "inclusion walk",
        tlog_scales: "walk",
        vinzy: "BROKEN at position 70000: tile/entries/273.p/112 holds more",
    },
    Case {
        what: "a hash of an event",
        change: |copy, _| copy.edit("tile/0/003", |hashes| hashes[232 * 32] ^= 1),
        since: None,
        aics_tlog: "inclusion walk",
        tlog_scales: "walk",
        vinzy: "BROKEN at position 1000: ",
    },
    Case {
        what: "a hash of 256 events",
        change: |copy, _| copy.edit("tile/1/000", |hashes| hashes[4 * 32] ^= 1),
        since: None,
        aics_tlog: "inclusion walk",
        tlog_scales: "inclusion walk",
        vinzy: "BROKEN at position 1024: ",
    },
    Case {
        what: "a tile of hashes cut off",
        change: |copy, _| copy.edit("tile/0/003", |hashes| hashes.truncate(255 * 32)),
        since: None,
        aics_tlog: "inclusion walk",
        tlog_scales: "walk",
        vinzy: "BROKEN at position 768: ",
    },
    Case {
        what: "a partial tile of hashes replaced",
        change: |copy, _| copy.edit("tile/0/273.p/112", |hashes| hashes.rotate_left(32)),
        since: None,
        aics_tlog: "inclusion walk",
        tlog_scales: "inclusion walk",
        vinzy: "BROKEN at position 69888: ",
    },
    Case {
        what: "a partial tile of hashes widened",
        change: |copy, _| copy.edit("tile/0/273.p/112", |hashes| hashes.extend([7; 32])),
        since: None,
        aics_tlog: "inclusion walk",
        tlog_scales: "walk",
        vinzy: "BROKEN at position 69888: ",
    },
];

/// Checkpoints that the ledger's key did not sign.
pub(super) const UNSIGNED: [Case; 5] = [
    Case {
        what: "a checkpoint with another root",
        change: |copy, export| copy.edit("checkpoint", |note| replace_root(note, &export.checkpoint)),
        since: None,
        aics_tlog: "checkpoint",
        tlog_scales: "checkpoint",
        vinzy: "BROKEN checkpoint: the signature does not verify",
    },
    Case {
        what: "a checkpoint with another size",
        change: |copy, _| {
            copy.edit("checkpoint", |note| {
                let text = String::from_utf8(note.clone()).unwrap();
                *note = text.replace("\n70000\n", "\n69999\n").into_bytes();
            });
        },
        since: None,
        aics_tlog: "checkpoint",
        tlog_scales: "checkpoint",
        vinzy: "BROKEN checkpoint: the signature does not verify",
    },
    Case {
        what: "a checkpoint with another signature",
        change: |copy, _| {
            copy.edit("checkpoint", |note| {
                // Ten characters before the line's end: within the last bytes of the signature.
                let at = note.len() - 10;
                note[at] = if note[at] == b'A' { b'B' } else { b'A' };
            });
        },
        since: None,
        aics_tlog: "checkpoint",
        tlog_scales: "checkpoint",
        vinzy: "BROKEN checkpoint: the signature does not verify",
    },
    Case {
        what: "a checkpoint by another key",
        change: |copy, export| {
            let note = export.checkpoint.sign(&SigningKey::from_bytes(&[8; 32]));
            copy.write("checkpoint", note.as_bytes());
        },
        since: None,
        aics_tlog: "checkpoint",
        tlog_scales: "checkpoint",
        vinzy: "BROKEN checkpoint: the checkpoint is not signed by this key",
    },
    Case {
        what: "a checkpoint of another ledger, signed in the name of this one",
        change: |copy, export| copy.write("checkpoint", signed_for_another(export).as_bytes()),
        since: None,
        aics_tlog: "checkpoint",
        tlog_scales: "checkpoint",
        vinzy: "BROKEN checkpoint: the checkpoint belongs to another ledger",
    },
];

/// What whoever has the ledger's key can make of it.
pub(super) const SIGNED: [Case; 7] = [
    Case {
        what: "another root, signed",
        change: |copy, export| {
            let root = Hash::from_bytes([7; 32]);
            copy.write(
                "checkpoint",
                sign(export, export.checkpoint.size, root).as_bytes(),
            );
        },
        since: None,
        aics_tlog: "inclusion walk",
        tlog_scales: "inclusion walk",
        vinzy: "BROKEN checkpoint: it was signed over another history",
    },
    Case {
        what: "another size, signed",
        change: |copy, export| {
            let leaves = export.leaves();
            copy.rewrite(export, &leaves[..leaves.len() - 1]);
            copy.write(
                "checkpoint",
                sign(export, 69_999, export.checkpoint.root).as_bytes(),
            );
        },
        since: None,
        aics_tlog: "inclusion walk",
        tlog_scales: "inclusion walk",
        vinzy: "BROKEN checkpoint: it was signed over another history",
    },
    Case {
        // The tools do not read what an event says of the one before it.
        what: "an event reworded, all hashes and the checkpoint made anew",
        change: |copy, export| {
            let mut leaves = export.leaves();
            leaves[POSITION] = reworded(&leaves[POSITION]);
            copy.rewrite(export, &leaves);
        },
        since: None,
        aics_tlog: "",
        tlog_scales: "",
        vinzy: "BROKEN at position 1001: it was not built on the event before it",
    },
    Case {
        what: "the tail cut off, and a kept checkpoint",
        change: |copy, export| copy.rewrite(export, &export.leaves()[..65_537]),
        since: Some(70_000),
        aics_tlog: "consistency",
        tlog_scales: "consistency",
        vinzy: "BROKEN at position 65537: it is missing: the checkpoint that you kept counts 70000 events",
    },
    Case {
        // It is in order by itself: only who kept something of the first can tell.
        what: "a second history of the same size",
        change: fork,
        since: None,
        aics_tlog: "",
        tlog_scales: "",
        vinzy: "",
    },
    Case {
        what: "a second history, and a kept checkpoint of the same size",
        change: fork,
        since: Some(70_000),
        aics_tlog: "consistency",
        tlog_scales: "consistency",
        vinzy: "BROKEN at position 69999: history up to here is not the one",
    },
    Case {
        what: "a second history, and an older checkpoint",
        change: fork,
        since: Some(65_537),
        aics_tlog: "consistency",
        tlog_scales: "consistency",
        vinzy: "BROKEN at position 65536: history up to here is not the one",
    },
];

fn fork(copy: &Copied, export: &Export) {
    let mut leaves = export.leaves();
    leaves[FORK] = reworded(&leaves[FORK]);
    chain(&mut leaves, FORK + 1);
    copy.rewrite(export, &leaves);
}

fn sign(export: &Export, size: u64, root: Hash) -> String {
    let origin = export.checkpoint.origin.clone();
    Checkpoint { origin, size, root }.sign(&export.signing)
}

fn replace_root(note: &mut Vec<u8>, checkpoint: &Checkpoint) {
    let other = Checkpoint {
        root: Hash::from_bytes([7; 32]),
        ..checkpoint.clone()
    };
    let text = String::from_utf8(note.clone()).unwrap();
    *note = text.replace(&checkpoint.text(), &other.text()).into_bytes();
}

fn signed_for_another(export: &Export) -> String {
    let other = Checkpoint {
        origin: "vinzy.local/t/other".into(),
        ..export.checkpoint.clone()
    };
    let genuine = export.checkpoint.sign(&export.signing);
    let (_, line) = genuine.split_once("\n\n").unwrap();
    let (before, signature) = line.trim_end().rsplit_once(' ').unwrap();
    let mut signature = data_encoding::BASE64.decode(signature.as_bytes()).unwrap();
    signature.splice(4.., export.signing.sign(other.text().as_bytes()).to_bytes());
    format!(
        "{}\n{before} {}\n",
        other.text(),
        data_encoding::BASE64.encode(&signature)
    )
}
