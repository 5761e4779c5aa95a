"""What happens when the network, or the server, is not at its best."""

from __future__ import annotations

import pytest

from tests.conftest import Connect
from tests.proxy import Drop, Fault, Proxy, Reply
from tests.server import Issued, Server
from vinzy_engine import ApiError, RateLimitedError, ServerError, ServerUnreachableError, UnexpectedAnswerError
from vinzy_engine._calls import Answer, retry_after
from vinzy_engine._core import LONGEST_PAUSE, pause


@pytest.mark.parametrize("times", [1, 2])
def test_use_counts_once_when_the_answer_is_lost(
    connect: Connect, flaky: Proxy, server: Server, license_: Issued, times: int
) -> None:
    flaky.fail(*[Drop(after_acting=True)] * times)
    result = connect(flaky.url).record_usage("api_calls", 7)
    assert (result.success, result.value_added, result.total_value) == (True, 7, 7)
    assert server.total(license_, "api_calls") == 7
    sent = [(seen.headers["idempotency-key"], seen.body) for seen in flaky.seen]
    assert len(sent) == times + 1
    assert len(set(sent)) == 1


def test_seats_are_taken_and_given_up_once_when_the_answer_is_lost(connect: Connect, flaky: Proxy) -> None:
    client = connect(flaky.url)
    flaky.fail(Drop(after_acting=True))
    assert client.activate("laptop").code == "ACTIVATED"
    flaky.fail(Drop(after_acting=True))
    assert client.deactivate("laptop").code == "DEACTIVATED"


def test_repeated_calls_are_different_uses(connect: Connect, flaky: Proxy) -> None:
    client = connect(flaky.url)
    client.record_usage("api_calls")
    client.record_usage("api_calls")
    first, second = (seen.headers["idempotency-key"] for seen in flaky.seen)
    assert first != second


@pytest.mark.parametrize(
    "fault",
    [Drop(), Reply(429, {"retry-after": "0"}), Reply(502), Reply(503, {"retry-after": "0"}), Reply(504)],
    ids=["dropped", "429", "502", "503", "504"],
)
def test_passing_trouble_is_not_seen(connect: Connect, flaky: Proxy, fault: Fault) -> None:
    flaky.fail(fault, fault)
    assert connect(flaky.url).heartbeat("laptop").code == "NOT_FOUND"
    assert flaky.paths() == ["/heartbeat"] * 3


def test_retries_come_to_an_end(connect: Connect, flaky: Proxy) -> None:
    client = connect(flaky.url, max_retries=2)
    flaky.fail(*[Drop()] * 3)
    with pytest.raises(ServerUnreachableError, match="gave no answer"):
        client.record_usage("api_calls")
    flaky.fail(*[Reply(503)] * 3)
    with pytest.raises(ServerError, match="not now") as busy:
        client.record_usage("api_calls")
    assert (busy.value.status, busy.value.code) == (503, "BUSY")
    assert len(flaky.seen) == 6


@pytest.mark.parametrize("status", [400, 401, 404, 409, 422, 500])
def test_what_another_try_would_not_better_is_not_tried(connect: Connect, flaky: Proxy, status: int) -> None:
    flaky.fail(Reply(status))
    with pytest.raises(ApiError, match="not now"):
        connect(flaky.url).record_usage("api_calls")
    assert len(flaky.seen) == 1


def test_long_waits_are_left_to_the_application(connect: Connect, flaky: Proxy) -> None:
    flaky.fail(Reply(429, {"retry-after": "3600"}))
    with pytest.raises(RateLimitedError) as limited:
        connect(flaky.url).record_usage("api_calls")
    assert limited.value.retry_after == 3600
    assert len(flaky.seen) == 1


@pytest.mark.parametrize("fault", [Reply(429, {"retry-after": "3600"}), Reply(500), Reply(503, {"retry-after": "999"})])
def test_validation_falls_back_to_the_lease(connect: Connect, flaky: Proxy, fault: Fault) -> None:
    client = connect(flaky.url)
    assert not client.validate().offline
    flaky.fail(fault)
    result = client.validate()
    assert (result.valid, result.code, result.offline) == (True, "OK", True)
    assert isinstance(result.cause, (RateLimitedError, ServerError))
    assert not client.validate().offline


def test_answers_that_are_none(connect: Connect, flaky: Proxy) -> None:
    client = connect(flaky.url)
    flaky.fail(Reply(200, body=b"<html>"))
    with pytest.raises(UnexpectedAnswerError):
        client.heartbeat("laptop")
    flaky.fail(Reply(200, body=b'{"success":true,"total_value":"many"}'))
    with pytest.raises(UnexpectedAnswerError):
        client.record_usage("api_calls")


def test_pauses_are_random_and_grow_to_a_bound() -> None:
    for retries, bound in [(0, 0.5), (1, 1), (2, 2), (3, 4), (50, LONGEST_PAUSE)]:
        pauses = [pause(0.5, retries, None) for _ in range(200)]
        assert all(0 <= seconds <= bound for seconds in pauses)
        assert max(pauses) > bound / 2 > min(pauses)
    assert pause(0, 5, None) == 0
    assert all(10 <= pause(0.5, 0, 10) <= 10.5 for _ in range(200))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7),
        ("Sun, 29 Nov 2026 04:00:30 GMT", 30),
        ("Sun, 29 Nov 2026 03:00:00 GMT", 0),
        ("soon", None),
        ("-1", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float) -> None:
    assert retry_after(Answer(503, {"retry-after": text, "date": "Sun, 29 Nov 2026 04:00:00 GMT"})) == seconds
