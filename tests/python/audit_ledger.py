"""Audits a ledger with tools for transparency logs that know nothing of it: aics-tlog and tlog-scales, from PyPI.

    pip install aics-tlog==0.2.1 tlog-scales==0.0.3                        # Python 3.12 or newer
    python audit_ledger.py DIR|URL --vkey KEY [--since CHECKPOINT]...

The ledger is a directory that `vinzy audit export` has written, or an address, BASE/t/{tenant}; for one that is not
public VINZY_API_KEY holds an API key. Prints a line of JSON for each tool: what holds ("ok") and what does not (why).
Exit code 0: all holds. 1: something does not. 2: the ledger could not be read.

What the tools can tell: that the key signed the checkpoint, that events and hashes are those that it was signed over,
and that it continues another checkpoint. What events say they do not read: that each names the one before, its
position and its time, and is canonical, `vinzy audit verify` checks alone. Nor can they tell a history that was
rewritten as a whole and signed again, unless they are shown a checkpoint of the first one (`--since`).
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

try:
    import aics_tlog
    from aics_tlog.checkpoint import checkpoint_from_note, verify_checkpoint
    from aics_tlog.remote import HttpTileReader, tile_source_url
    from aics_tlog.verified import audit_tiles
    from tlog_scales import backend, signing, tiles, tlog
    from tlog_scales.reader import TilesReader
    from tlog_scales.writer import TilesWriter
except ImportError as missing:
    print(f"{missing}: pip install aics-tlog==0.2.1 tlog-scales==0.0.3", file=sys.stderr)
    sys.exit(2)

HEADER = "X-Vinzy-Api-Key"


class AicsTlog:
    """Believes nothing that it reads: each tile is proven by the one above it, up to the signed root."""

    name = "aics-tlog"

    def __init__(self, ledger: str, vkey: str, api_key: str | None):
        self.key = aics_tlog.parse_vkey(vkey)
        self.reader = HttpTileReader(tile_source_url(ledger))
        if api_key and ledger.startswith("http"):
            # It was made for public logs: no setting of its own takes a header.
            self.reader._opener.addheaders.append((HEADER, api_key))

    def read_checkpoint(self) -> bytes:
        return self.reader.read_checkpoint()

    def open(self, note: bytes) -> tuple[int, bytes]:
        checkpoint, note = checkpoint_from_note(note)
        result = verify_checkpoint(note, self.key, expected_origin=self.key.name)
        if not result.ok:
            raise ValueError(result.error)
        return checkpoint.size, checkpoint.root

    def walk(self, size: int, root: bytes) -> None:
        audit_tiles(self.reader, size, root)

    def include(self, position: int, size: int, root: bytes) -> None:
        entry = aics_tlog.read_entry(self.reader, position, size)
        proof = aics_tlog.inclusion_proof_from_tiles(self.reader, position, size)
        if not aics_tlog.verify_leaf_inclusion(entry, position, size, proof, root):
            raise ValueError(f"position {position} is not proven")

    def extend(self, old: int, old_root: bytes, size: int, root: bytes) -> None:
        proof = aics_tlog.consistency_proof_from_tiles(self.reader, old, size)
        if not aics_tlog.verify_consistency(old, size, old_root, root, proof):
            raise ValueError(f"the checkpoint of {old} events is not continued")


class TlogScales:
    """Believes the tiles that it reads, so `walk` has its writer make all of them anew, out of the events alone.

    It compares neither a key's id with the key, nor a checkpoint's origin with the key's name: that is done here.
    """

    name = "tlog-scales"

    def __init__(self, ledger: str, vkey: str, api_key: str | None):
        self.key = signing.Vkey.from_string(vkey)
        if signing.Vkey(self.key.name, None, self.key.sig_type, self.key.pubkey).key_id != self.key.key_id:
            raise ValueError("the key's id is not that of the key")
        remote = ledger.startswith("http")
        self.backend = backend.make_backend(ledger if remote else str(Path(ledger).resolve()))
        if remote:
            # The API key must not be carried elsewhere.
            self.backend.session.max_redirects = 0
            self.backend.session.headers.update({HEADER: api_key} if api_key else {})
        self.reader = TilesReader(self.backend)

    def read_checkpoint(self) -> bytes:
        note = self.backend.get("checkpoint")
        if note is None:
            raise OSError("there is no checkpoint, or it must not be read")
        return note

    def open(self, note: bytes) -> tuple[int, bytes]:
        checkpoint = tlog.Checkpoint.from_text(note.decode())
        checkpoint.verify(self.key)
        if checkpoint.origin != self.key.name:
            raise ValueError(f"it is of another ledger: {checkpoint.origin}")
        return checkpoint.size, checkpoint.root_hash

    def walk(self, size: int, root: bytes) -> None:
        self.reader.set_size(size)
        # It waits for the disk after each tile: in memory there is nothing to wait for.
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        with tempfile.TemporaryDirectory(dir=memory) as directory:
            made = Path(directory)
            writer = TilesWriter(made, self.key.name, 0)
            for position in range(size):
                writer.add_leaf(self.reader.get_entry(position))
            writer.commit([signing.DummySigner(key_id=0)])
            if tlog.Checkpoint.from_text((made / "checkpoint").read_text()).root_hash != root:
                raise ValueError("the events give another root")
            for file in made.glob("tile/**/*"):
                path = file.relative_to(made)
                if file.is_file() and self.backend.get(*path.parts) != file.read_bytes():
                    raise ValueError(f"{path} is not the one that the events give")

    def include(self, position: int, size: int, root: bytes) -> None:
        self.reader.set_size(size)
        proof = self.reader.get_inclusion_proof(position, size)
        proof.check(tiles.leaf_hash(self.reader.get_entry(position)), root)

    def extend(self, old: int, old_root: bytes, size: int, root: bytes) -> None:
        self.reader.set_size(size)
        self.reader.get_consistency_proof(old, size).check(old_root, root)


def positions(size: int) -> list[int]:
    """Where trees of this size have their edges."""
    edges = {0, 1, 255, 256, 257, 65_535, 65_536, size // 2, size - 2, size - 1}
    return sorted(position for position in edges if 0 <= position < size)


def continues(tool: AicsTlog | TlogScales, note: bytes, size: int, root: bytes) -> None:
    old, old_root = tool.open(note)
    if old > size:
        raise ValueError(f"the tail is missing: a kept checkpoint counts {old} events, this one {size}")
    tool.extend(old, old_root, size, root)


def audit(tool: AicsTlog | TlogScales, note: bytes, options: argparse.Namespace) -> dict[str, str]:
    """What holds and what does not, by check; without a good checkpoint nothing else can be said."""
    found = {}

    def check(name, work, *arguments):
        try:
            answer = work(*arguments)
        except Exception as error:  # The tools have no common type for "no"; an assertion of theirs is one, too.
            found[name] = f"{type(error).__name__}: {error}"
            return None
        found.setdefault(name, "ok")
        return answer

    head = check("checkpoint", tool.open, note)
    if head is None:
        return found
    if not options.without_walk:
        check("walk", tool.walk, *head)
    for position in options.position or positions(head[0]):
        check("inclusion", tool.include, position, *head)
    for file in options.since:
        check("consistency", continues, tool, file.read_bytes(), *head)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ledger", metavar="DIR|URL")
    parser.add_argument("--vkey", metavar="KEY", required=True, help="the ledger's key, as you were told it")
    parser.add_argument("--since", metavar="FILE", type=Path, action="append", default=[], help="a kept checkpoint")
    parser.add_argument("--position", metavar="N", type=int, action="append", help="whose inclusion to prove")
    parser.add_argument("--tool", choices=[AicsTlog.name, TlogScales.name], help="only this one")
    parser.add_argument("--without-walk", action="store_true", help="do not read every event")
    options = parser.parse_args()
    holds = True
    for kind in (AicsTlog, TlogScales):
        if options.tool not in (None, kind.name):
            continue
        try:
            tool = kind(options.ledger, options.vkey, os.environ.get("VINZY_API_KEY"))
            note = tool.read_checkpoint()
        except (OSError, ValueError) as error:
            print(f"{options.ledger}: {error}", file=sys.stderr)
            return 2
        found = audit(tool, note, options)
        print(json.dumps({"tool": kind.name, **found}), flush=True)
        holds &= all(answer == "ok" for answer in found.values())
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
