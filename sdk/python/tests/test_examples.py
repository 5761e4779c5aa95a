"""The examples do what they say."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from examples import cli_app
from examples.ai_agent import MeteredAgent, OutOfTokensError, echo
from examples.desktop_app import DesktopApp
from examples.fastapi_service import service
from tests.conftest import DAY, Clock
from tests.server import Issued, Server
from vinzy_engine import AsyncLicenseClient


@pytest.fixture
def shell(server: Server, license_: Issued, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """What the command-line program finds around it."""
    monkeypatch.setenv("VINZY_SERVER", server.url)
    monkeypatch.setenv("SHRINK_LICENSE", license_.key)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return monkeypatch


def test_cli_works_with_a_license_also_offline(
    shell: pytest.MonkeyPatch, nowhere: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli_app.main(["shrink", "photo.jpg"]) == 0
    assert capsys.readouterr().out == "shrink: photo.jpg (standard)\n"
    shell.setenv("VINZY_SERVER", nowhere)
    shell.setattr("vinzy_engine._core.pause", lambda *_: 0)
    assert cli_app.main(["export", "photo.jpg"]) == 0


def test_cli_says_what_to_do_without_one(
    shell: pytest.MonkeyPatch, server: Server, license_: Issued, capsys: pytest.CaptureFixture[str]
) -> None:
    server.post(f"/licenses/{license_.id}/suspend")
    assert cli_app.main(["shrink", "photo.jpg"]) == cli_app.EXIT_UNLICENSED
    assert "support@example.com" in capsys.readouterr().err
    shell.setenv("SHRINK_LICENSE", server.license(entitlements={"export": False}).key)
    assert cli_app.main(["shrink", "photo.jpg"]) == 0
    assert cli_app.main(["export", "photo.jpg"]) == cli_app.EXIT_UNLICENSED
    assert "does not include" in capsys.readouterr().err


def test_cli_runs_as_a_program(shell: pytest.MonkeyPatch) -> None:
    shell.setenv("PYTHONPATH", str(Path(__file__).parents[1] / "src"))
    done = subprocess.run(
        [sys.executable, cli_app.__file__, "shrink", "photo.jpg"], env=os.environ, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "shrink: photo.jpg (standard)\n", "")


def test_desktop_survives_a_week_offline(
    server: Server, license_: Issued, nowhere: str, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vinzy_engine._core.pause", lambda *_: 0)
    state, jwks = str(tmp_path / "lease.json"), server.jwks()

    def started(server_url: str, fingerprint: str = "laptop") -> tuple[str, str]:
        app = DesktopApp(server_url, license_.key, state, jwks, fingerprint, clock)
        window = app.start()
        app.close()
        return window.title, window.notice

    assert started(server.url) == ("Paint (standard)", "")
    assert [machine["fingerprint"] for machine in server.get(f"/licenses/{license_.id}/machines")] == ["laptop"]
    notices = []
    clock.advance(3600)
    for _ in range(7):
        clock.advance(DAY)
        title, notice = started(nowhere)
        assert title == "Paint (standard)"
        notices.append(notice)
    assert notices[0] == "Offline: connect within 6 days"
    assert notices[-1] == "Offline: connect within 0 days"
    assert started(nowhere, "another machine")[0] == "Unlicensed"
    clock.advance(DAY)
    assert started(nowhere) == ("Unlicensed", "The lease has expired: connect once to go on.")
    clock.advance(-3 * DAY)
    assert started(nowhere) == ("Unlicensed", "The clock was set back: connect once to go on.")


def test_desktop_takes_a_seat(server: Server, tmp_path: Path) -> None:
    key = server.license(machines_limit=1).key
    titles = []
    for name in ("laptop", "phone", "laptop"):
        app = DesktopApp(server.url, key, str(tmp_path / name), server.jwks(), name)
        titles.append(app.start().title)
        app.close()
    assert titles == ["Paint (standard)", "Unlicensed", "Paint (standard)"]


def test_agent_stays_within_its_budget(server: Server) -> None:
    license_ = server.license(entitlements={"agents": {"CTO": {"token_limit": 20}}})

    async def work() -> list[str]:
        async with AsyncLicenseClient(server.url, license_.key) as client:
            agent = MeteredAgent(client, "CTO", echo)
            await agent.ask("1", "twelve chars")
            await agent.ask("1", "twelve chars")  # the same task: counted once
            with pytest.raises(OutOfTokensError, match=r"8\.0 left"):
                await agent.ask("2", "more than eight")
            await agent.ask("3", "8 chars.")
            with pytest.raises(OutOfTokensError):
                await agent.ask("4", "x")
            with pytest.raises(OutOfTokensError):
                await MeteredAgent(client, "CFO", echo).ask("5", "x")
            return agent.answers

    assert asyncio.run(work()) == ["TWELVE CHARS", "TWELVE CHARS", "8 CHARS."]
    assert server.total(license_, "agent.CTO.tokens") == 20


@pytest.fixture
def web(server: Server) -> Iterator[TestClient]:
    """The web service."""
    with TestClient(service(server.url)) as client:
        yield client


def test_service_lets_licenses_in(web: TestClient, server: Server, license_: Issued) -> None:
    answer = web.get("/reports/sales", headers={"X-License-Key": license_.key})
    assert (answer.status_code, answer.json()) == (200, {"report": "sales", "tier": "standard"})
    assert web.get("/reports/sales").status_code == 422
    assert web.get("/reports/sales", headers={"X-License-Key": "hello"}).json()["detail"]["code"] == "INVALID_KEY"
    without = server.license(entitlements={"export": False}).key
    assert web.get("/reports/sales", headers={"X-License-Key": without}).status_code == 403


def test_service_meters_calls(web: TestClient, server: Server) -> None:
    license_ = server.license(entitlements={"api_calls": {"limit": 2}})
    answers = [web.post("/calls", headers={"X-License-Key": license_.key}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].json() == {"remaining": 1}
    assert answers[2].json()["detail"]["code"] == "LIMIT_EXCEEDED"
    assert server.total(license_, "api_calls") == 2
