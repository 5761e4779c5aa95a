"""What is published."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

from vinzy_engine import __version__

ROOT = Path(__file__).parents[1]


def test_wheel_has_types_license_and_few_dependencies(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = tmp_path.iterdir()
    with zipfile.ZipFile(built) as wheel:
        names = wheel.namelist()
        (described,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(wheel.read(described).decode())
        (license_,) = (name for name in names if name.endswith("LICENSE"))
        assert b"GNU AFFERO GENERAL PUBLIC LICENSE" in wheel.read(license_)
    assert "vinzy_engine/py.typed" in names
    assert not [name for name in names if "tests" in name or "examples" in name]
    assert (metadata["Name"], metadata["Version"]) == ("vinzy-engine", __version__)
    assert (metadata["License-Expression"], metadata["Requires-Python"]) == ("AGPL-3.0-only", ">=3.9")
    needed = [text for text in metadata.get_all("Requires-Dist", []) if "extra" not in text]
    assert sorted(needed) == ["httpx<1,>=0.27", "pyjwt[crypto]<3,>=2.8"]


def test_version_is_the_workspaces() -> None:
    manifest = (ROOT / "../../Cargo.toml").read_text()
    assert f'version = "{__version__}"' in manifest


def test_license_is_the_workspaces() -> None:
    # A copy, because a source distribution takes a link as it is, to nowhere.
    assert (ROOT / "LICENSE").read_bytes() == (ROOT / "../../LICENSE").read_bytes()
    assert not (ROOT / "LICENSE").is_symlink()
