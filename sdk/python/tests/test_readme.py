"""The README's steps work as they stand."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.server import Issued, Server

README = Path(__file__).parents[1] / "README.md"


def test_steps_of_the_readme(
    server: Server,
    license_: Issued,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    Path("jwks.json").write_text(json.dumps(server.jwks()))
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    for block in blocks:
        block = block.replace("https://licenses.example.com", server.url).replace("PRD-…", license_.key)
        exec(compile(block, str(README), "exec"), names)
    printed = capsys.readouterr().out.splitlines()
    assert printed[:2] == ["standard ['agents', 'api_calls', 'export']", "True OK"]
    assert printed[2:4] == ["600.0 400.0", "False LIMIT_EXCEEDED"]
    assert printed[4].startswith("OK True 20")
    assert printed[5:] == ["True", "True ['CTO']"]
    assert server.total(license_, "api_calls") == 605
    assert (tmp_path / ".local/state/myapp/lease.json").exists()
    assert callable(names["receive"])
