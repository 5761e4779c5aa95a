"""The pages of the book work as they stand: their blocks are run in order, and print what the pages say."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import pytest

from tests.server import ADMIN_KEY, SUPER_ADMIN_KEY, Server, binary

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
TUTORIAL = "tutorial/first-program.md"
BEGINNING = "how-to/README.md"
ADDRESS = "http://127.0.0.1:8080"
# What can be run. Everything else in the book is a picture of something: an answer, a configuration, a statement.
RUNNABLE = {"sh", "python"}
# Why a block of a language that can be run is not. Each stands in the block's first line: ```sh,norun=upgrade
REASONS = {
    "yours": "it holds an address or a key of the reader's own",
    "build": "it builds a program, which takes minutes",
    "install": "it changes the machine: packages, services, containers",
    "endless": "it runs until somebody stops it",
    "excerpt": "it is a part of a program that stands elsewhere and is run there",
    "database": "it needs a PostgreSQL of the reader's own",
    "network": "it needs programs of others, from the network",
}


@dataclass(frozen=True)
class Block:
    """A block of code."""

    line: int
    language: str
    norun: Optional[str]
    text: str

    @property
    def runs(self) -> bool:
        return self.language in RUNNABLE and self.norun is None


def blocks(page: Path) -> list[Block]:
    """The blocks of a page. Those of lists and quotes are not looked for: there are none."""
    found = []
    text = page.read_text(encoding="utf-8")
    for match in re.finditer(r"^```([^\n`]*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        language, _, marks = match[1].partition(",")
        norun = dict(mark.partition("=")[::2] for mark in marks.split(",")).get("norun")
        found.append(Block(text.count("\n", 0, match.start()) + 1, language, norun, match[2]))
    return found


def script(page: Path) -> tuple[str, list[tuple[Block, Block]]]:
    """A page as a script of its blocks, and the blocks whose output stands below them."""
    lines = ["set -eo pipefail"]
    expected = []
    before: Optional[Block] = None
    for block in blocks(page):
        if block.runs:
            lines.append(f"echo '=== line {block.line}'")
        if block.runs and block.language == "sh":
            lines.append(block.text)
        elif block.runs:
            name = re.match(r"# (\S+\.py)\n", block.text)
            assert name, f"{page}:{block.line}: a program says in its first line as what to save it: # name.py"
            lines.append(f"cat > {name[1]} <<'END OF PROGRAM'\n{block.text}END OF PROGRAM")
        elif block.language == "text" and before is not None and before.runs:
            expected.append((before, block))
        before = block
    return "\n".join(lines) + "\n", expected


def printed(output: str, block: Block) -> str:
    """What a block has printed."""
    _, _, rest = output.partition(f"=== line {block.line}\n")
    return rest.partition("=== line ")[0]


def fits(text: str, pattern: str) -> bool:
    """Whether a text is what a page says, in which … stands for anything."""
    parts = (re.escape(part) for part in pattern.strip().split("…"))
    return re.fullmatch(".*?".join(parts), text.strip(), re.DOTALL) is not None


def run(
    page: Path, directory: Path, environment: Mapping[str, str], addresses: Mapping[str, str], before: str = ""
) -> None:
    """Runs a page as one shell, in a directory that looks like a checkout, behind what was there before."""
    text, expected = script(page)
    text = before + text
    for written, real in addresses.items():
        text = text.replace(written, real)
    log = directory / ".output"
    with log.open("w") as output:
        shell = subprocess.Popen(
            ["bash", "-s"],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env=environment,
            text=True,
            start_new_session=True,
        )
        try:
            shell.communicate(text, timeout=240)
        finally:
            # What a page has left running, because it failed.
            for sent in (signal.SIGTERM, signal.SIGKILL):
                if not ended(shell.pid):
                    os.killpg(shell.pid, sent)
                    wait(shell.pid)
    said = log.read_text(encoding="utf-8")
    for written, real in addresses.items():
        said = said.replace(real, written)
    assert shell.returncode == 0, f"{page} failed in the last block that this names:\n{said}"
    for block, below in expected:
        shown = printed(said, block)
        assert fits(shown, below.text), f"{page}:{below.line}: line {block.line} printed\n{shown}"


def ended(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def wait(group: int) -> None:
    deadline = time.monotonic() + 30
    while not ended(group) and time.monotonic() < deadline:
        time.sleep(0.05)


@pytest.fixture
def checkout() -> Iterator[Path]:
    """A directory that looks like a checkout, with programs beside it: the server, as `cargo` builds and starts it."""
    around = Path(tempfile.mkdtemp(prefix="vinzy-book-"))
    place = around / "checkout"
    programs = around / "bin"
    for directory in (place, programs):
        directory.mkdir()
    # Started as root, the server becomes somebody who must be able to write here.
    for directory in (around, place):
        directory.chmod(0o777)
    for name in ("docs", "sdk", "tests"):
        (place / name).symlink_to(ROOT / name)
    (programs / "vinzy").symlink_to(binary())
    stand_in(programs / "cargo", '[ "$1 $2" = "xtask serve" ] && shift 2 && exec vinzy serve "$@"')
    yield place
    shutil.rmtree(around, ignore_errors=True)


def stand_in(program: Path, text: str) -> None:
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)


def environment(checkout: Path, **more: str) -> dict[str, str]:
    """What a reader's shell knows: nothing of this server, and Python without the client."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VINZY_", "PYTHON"))}
    python = Path(sys.executable).parent
    kept["PATH"] = f"{checkout.parent / 'bin'}:{python}:{kept['PATH']}"
    return {**kept, "HOME": str(checkout), "PIP_DISABLE_PIP_VERSION_CHECK": "1", **more}


def pages() -> list[str]:
    """Pages with blocks that run, but for the tutorial, which starts its own server."""
    found = sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))
    others = (BEGINNING, TUTORIAL)
    return [page for page in found if page not in others and any(block.runs for block in blocks(DOCS / page))]


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def test_tutorial(checkout: Path) -> None:
    port = free_port()
    reader = environment(checkout, VINZY_PORT=str(port), VINZY_DATA_DIR=str(checkout.parent / "data"))
    run(DOCS / TUTORIAL, checkout, reader, {ADDRESS: f"http://127.0.0.1:{port}"})


def test_first_license_of_the_readme(checkout: Path) -> None:
    server = Server(products=False)
    try:
        run(ROOT / "README.md", checkout, environment(checkout), {ADDRESS: server.url, "vz_…": ADMIN_KEY})
    finally:
        server.stop()


@pytest.mark.parametrize("page", pages())
def test_pages(page: str, server: Server, checkout: Path) -> None:
    given = {
        "VINZY_SERVER": server.url,
        "VINZY_API_KEY": ADMIN_KEY,
        "VINZY_SUPER_ADMIN_KEY": SUPER_ADMIN_KEY,
        "VINZY_PORT": str(free_port()),
        "PYTHONPATH": str(ROOT / "sdk/python/src"),
    }
    beginning = "".join(block.text for block in blocks(DOCS / BEGINNING) if block.runs)
    run(DOCS / page, checkout, environment(checkout, **given), {ADDRESS: server.url}, beginning)


def test_blocks_that_are_not_run_say_why() -> None:
    for page in [ROOT / "README.md", *DOCS.rglob("*.md")]:
        for block in blocks(page):
            assert block.norun is None or block.norun in REASONS, f"{page}:{block.line}: {block.norun} is no reason"


def test_what_pages_show_must_fit() -> None:
    assert fits('{"id":"1","code":"P"}\n', '{"id":"…",…}\n')
    assert not fits("one\ntwo\n", "one\n")
    assert not fits("axb", "a.b")
