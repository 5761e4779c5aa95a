"""For how long an answer is given again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Callable

import pytest

from tests.conftest import Clock, Connect
from tests.proxy import Proxy
from tests.server import Issued, Server
from vinzy_engine import LicenseClient, ValidateResult
from vinzy_engine._store import Answers


def test_good_answers_are_given_again_until_they_are_old(connect: Connect, flaky: Proxy, clock: Clock) -> None:
    client = connect(flaky.url, cache_ttl=300, clock=clock)
    first = client.validate()
    clock.advance(299)
    assert client.validate() == first
    assert flaky.paths().count("/validate") == 1
    clock.advance(2)
    client.validate()
    assert flaky.paths().count("/validate") == 2
    # A clock that goes backwards makes no answer younger.
    clock.advance(-10)
    client.validate()
    assert flaky.paths().count("/validate") == 3


def test_each_fingerprint_has_an_answer_of_its_own(connect: Connect, flaky: Proxy) -> None:
    client = connect(flaky.url, cache_ttl=300)
    for fingerprint in ("laptop", "phone", "laptop", None):
        client.validate(fingerprint=fingerprint)
    assert flaky.paths().count("/validate") == 3


def test_refusals_are_asked_again(connect: Connect, server: Server, license_: Issued) -> None:
    client = connect(cache_ttl=300)
    server.post(f"/licenses/{license_.id}/suspend")
    assert client.validate().code == "SUSPENDED"
    server.post(f"/licenses/{license_.id}/reinstate")
    assert client.validate().valid


@pytest.mark.parametrize(
    "change",
    [
        lambda client: client.record_usage("api_calls"),
        lambda client: client.activate("laptop"),
        lambda client: client.deactivate("laptop"),
    ],
    ids=["use", "activation", "deactivation"],
)
def test_changes_are_seen_at_once(connect: Connect, flaky: Proxy, change: Callable[[LicenseClient], object]) -> None:
    client = connect(flaky.url, cache_ttl=300)
    client.validate()
    change(client)
    client.validate()
    assert flaky.paths().count("/validate") == 2


def test_refused_heartbeat_asks_for_a_new_answer(connect: Connect, server: Server, license_: Issued) -> None:
    client = connect(cache_ttl=300)
    client.activate("laptop")
    assert client.validate().valid
    server.post(f"/licenses/{license_.id}/suspend")
    assert client.validate().valid
    assert client.heartbeat("laptop").code == "SUSPENDED"
    assert client.validate().code == "SUSPENDED"


def test_nobody_can_change_what_others_get(connect: Connect) -> None:
    client = connect(cache_ttl=300)
    client.validate().features.append("sso")
    assert "sso" not in client.validate().features


def test_answers_from_before_a_change_are_not_kept() -> None:
    answers = Answers(300)
    mark = answers.mark()
    answers.forget("key")
    answers.put("key", None, 0, ValidateResult(valid=True), mark)
    assert answers.get("key", None, 1) is None
    answers.put("key", None, 0, ValidateResult(valid=True), answers.mark())
    assert answers.get(" KEY ", None, 1) is not None


def test_cache_is_bounded_and_safe_for_threads() -> None:
    answers = Answers(300)

    def use(number: int) -> None:
        for turn in range(300):
            key = f"key-{number}-{turn}"
            answers.put(key, None, 0, ValidateResult(valid=True), answers.mark())
            answers.get(key, None, 1)
            if turn % 7 == 0:
                answers.forget(key)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(use, range(8)))
    assert 0 < len(answers._answers) <= 1024
