//! A saved ledger, and copies of it that somebody has changed: with the ledger's key, if need be.

use std::fs;
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use tempfile::TempDir;
use vinzy_events::ledger::{
    Checkpoint, Hash, Leaf, TileKind, TilePath, VerifierKey, entries, event_hash, join_entries, root_of,
};

use super::vinzy;
use crate::support::secrets;

/// What `vinzy audit export` has written.
pub(super) struct Export {
    directory: PathBuf,
    pub(super) key: VerifierKey,
    pub(super) checkpoint: Checkpoint,
    /// What the server signs with: whoever has it can sign whatever they like.
    pub(super) signing: SigningKey,
}

impl Export {
    pub(super) fn of(url: &str, directory: &Path) -> Self {
        let mut export = vinzy();
        export
            .args(["audit", "export", "--url", url, "--out"])
            .arg(directory);
        let output = export.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let vkey = fs::read_to_string(directory.join("vkey")).unwrap();
        let key: VerifierKey = vkey.trim_end().parse().unwrap();
        let note = fs::read_to_string(directory.join("checkpoint")).unwrap();
        let keys = secrets().checkpoint_keys();
        Self {
            directory: directory.to_owned(),
            checkpoint: key.open(&note).unwrap(),
            signing: keys.of_ledger(key.name(), &key.to_string()).unwrap().clone(),
            key,
        }
    }

    pub(super) fn text(&self) -> &str {
        self.directory.to_str().unwrap()
    }

    pub(super) fn leaves(&self) -> Vec<Vec<u8>> {
        let tiles = TilePath::all(self.checkpoint.size).filter(|path| path.kind() == TileKind::Entries);
        let tiles = tiles.map(|path| fs::read(self.directory.join(path.to_string())).unwrap());
        tiles
            .flat_map(|tile| entries(&tile).map(<[u8]>::to_vec).collect::<Vec<_>>())
            .collect()
    }

    /// The same files, until they are changed.
    pub(super) fn copy(&self) -> Copied {
        let directory = tempfile::tempdir_in(self.directory.parent().unwrap()).unwrap();
        let tiles = TilePath::all(self.checkpoint.size).map(|path| path.to_string());
        for file in tiles.chain(["checkpoint".into(), "vkey".into()]) {
            let link = directory.path().join(&file);
            fs::create_dir_all(link.parent().unwrap()).unwrap();
            fs::hard_link(self.directory.join(file), link).unwrap();
        }
        Copied(directory)
    }
}

/// A copy of an export.
pub(super) struct Copied(TempDir);

impl Copied {
    pub(super) fn text(&self) -> &str {
        self.0.path().to_str().unwrap()
    }

    /// Writes a file anew: it is no longer that of the export.
    pub(super) fn write(&self, file: &str, bytes: &[u8]) {
        let path = self.0.path().join(file);
        if path.exists() {
            fs::remove_file(&path).unwrap();
        }
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(super) fn edit(&self, file: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let good = fs::read(self.0.path().join(file)).unwrap();
        let mut bad = good.clone();
        change(&mut bad);
        assert_ne!(good, bad, "{file}");
        self.write(file, &bad);
    }

    pub(super) fn edit_entries(&self, file: &str, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
        self.edit(file, |bytes| {
            let mut leaves: Vec<Vec<u8>> = entries(bytes).map(<[u8]>::to_vec).collect();
            change(&mut leaves);
            *bytes = join_entries(leaves.iter().map(Vec::as_slice)).unwrap();
        });
    }

    /// Writes a whole ledger: all tiles of these events, and a checkpoint by the ledger's own key.
    pub(super) fn rewrite(&self, export: &Export, leaves: &[Vec<u8>]) {
        let hashes: Vec<Hash> = leaves.iter().map(|leaf| event_hash(leaf)).collect();
        for path in TilePath::all(leaves.len() as u64) {
            self.write(&path.to_string(), &tile(path, leaves, &hashes));
        }
        let checkpoint = Checkpoint {
            origin: export.checkpoint.origin.clone(),
            size: leaves.len() as u64,
            root: root_of(&hashes),
        };
        self.write("checkpoint", checkpoint.sign(&export.signing).as_bytes());
    }
}

/// A tile by the definition.
fn tile(path: TilePath, leaves: &[Vec<u8>], hashes: &[Hash]) -> Vec<u8> {
    let begin = usize::try_from(path.index()).unwrap() * 256;
    let width = usize::from(path.width());
    match path.kind() {
        TileKind::Entries => join_entries(leaves[begin..begin + width].iter().map(Vec::as_slice)).unwrap(),
        TileKind::Hashes { level } => {
            let span = 256_usize.pow(level.into());
            let subtrees = hashes[begin * span..].chunks(span).take(width);
            subtrees.flat_map(|leaves| *root_of(leaves).as_bytes()).collect()
        }
    }
}

/// Changes one event, and nothing else.
pub(super) fn reworded(leaf: &[u8]) -> Vec<u8> {
    let mut leaf = Leaf::parse(leaf).unwrap();
    leaf.payload["metric"] = "other".into();
    leaf.encode().unwrap()
}

/// Builds each event from a position on upon the one before, as the server would have.
pub(super) fn chain(leaves: &mut [Vec<u8>], from: usize) {
    for position in from..leaves.len() {
        let mut leaf = Leaf::parse(&leaves[position]).unwrap();
        leaf.prev = event_hash(&leaves[position - 1]);
        leaves[position] = leaf.encode().unwrap();
    }
}
