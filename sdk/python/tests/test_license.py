"""What a license allows, asked of a running server."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from tests.conftest import Connect
from tests.proxy import Proxy
from tests.server import ADMIN_KEY, Issued, Server
from vinzy_engine import (
    AuthenticationError,
    ConflictError,
    DeactivateResult,
    HeartbeatResult,
    InvalidRequestError,
    LicenseClient,
    NotFoundError,
)


def test_good_key_is_valid(client: LicenseClient, license_: Issued) -> None:
    result = client.validate()
    assert (result.valid, result.code, result.offline) == (True, "OK", False)
    assert result.license is not None
    assert (result.license.id, result.license.key) == (license_.id, license_.key)
    assert (result.license.status, result.license.product_code) == ("active", "PRD")
    assert (result.license.machines_limit, result.license.machines_used) == (3, 0)
    assert result.license.expires_at is not None
    assert result.license.expires_at.utcoffset() is not None
    assert result.tier == result.license.tier == "standard"
    assert result.features == ["agents", "api_calls", "export"]
    calls = next(entitlement for entitlement in result.entitlements if entitlement.feature == "api_calls")
    assert (calls.enabled, calls.limit, calls.used, calls.remaining) == (True, 1000, 0, 1000)
    assert [(agent.agent_code, agent.enabled) for agent in result.agents] == [("CFO", False), ("CTO", True)]
    assert result.lease is not None
    assert sorted(result.lease) == ["lease_expires_at", "payload", "signature", "token"]
    assert result.offline_until is not None


def test_key_may_be_given_to_the_call(connect: Connect, license_: Issued) -> None:
    client = connect(license_key=None)
    assert client.validate(f"  {license_.key.lower()} ").valid
    assert client.activate("laptop", key=license_.key).success
    client.license_key = license_.key
    assert client.heartbeat("laptop").success


@pytest.mark.parametrize("key", [None, "", "hello", "PRD-AOVCT-XYMKT-BPAFI-22ULE-VFCST-ISMPD-OX7G5"])
def test_key_that_is_none_is_invalid(connect: Connect, key: str) -> None:
    result = connect(license_key=key).validate()
    assert (result.valid, result.code, result.license, result.lease) == (False, "INVALID_KEY", None, None)


def test_text_that_is_none_is_for_the_server_to_refuse(client: LicenseClient) -> None:
    with pytest.raises(InvalidRequestError):
        client.validate("\udc80", fingerprint="\udc80")


def test_suspension_and_revocation_tell(client: LicenseClient, server: Server, license_: Issued) -> None:
    assert client.activate("laptop").success
    server.post(f"/licenses/{license_.id}/suspend")
    assert client.validate().code == "SUSPENDED"
    assert client.activate("phone").code == "SUSPENDED"
    assert client.heartbeat("laptop").code == "SUSPENDED"
    assert client.record_usage("api_calls").code == "SUSPENDED"
    assert client.validate_agent("CTO").code == "SUSPENDED"
    assert client.get_entitled_agents() == []
    assert client.deactivate("laptop").success
    server.post(f"/licenses/{license_.id}/reinstate")
    assert client.validate().valid
    server.post(f"/licenses/{license_.id}/revoke")
    assert client.validate().message == "License has been revoked"


def test_machines_take_seats_and_give_them_up(connect: Connect, server: Server) -> None:
    client = connect(license_key=server.license(machines_limit=1).key)
    first = client.activate("laptop", "host", "linux", {"x": 1})
    assert (first.success, first.code) == (True, "ACTIVATED")
    assert first.machine_id
    again = client.activate("laptop")
    assert (again.success, again.code, again.machine_id) == (True, "ALREADY_ACTIVATED", first.machine_id)
    refused = client.activate("phone")
    assert (refused.success, refused.code, refused.machine_id) == (False, "ACTIVATION_LIMIT", None)
    assert client.heartbeat("laptop", "1.2.3") == HeartbeatResult(True, "OK", "Heartbeat recorded")
    assert client.heartbeat("phone") == HeartbeatResult(False, "NOT_FOUND", "Machine not activated")
    assert client.deactivate("laptop").code == "DEACTIVATED"
    assert client.deactivate("laptop") == DeactivateResult(False, "NOT_ACTIVATED", "Machine not activated")
    assert client.activate("phone").success


def test_key_of_no_license_has_no_seat(client: LicenseClient) -> None:
    assert client.heartbeat("laptop", key="hello").code == "NOT_FOUND"
    with pytest.raises(NotFoundError):
        client.deactivate("laptop", key="hello")


def test_what_is_left_out_is_not_sent(connect: Connect, flaky: Proxy, license_: Issued) -> None:
    client = connect(flaky.url)
    client.validate()
    client.activate("laptop")
    client.heartbeat("laptop")
    client.record_usage("api_calls")
    machine = {"key": license_.key, "fingerprint": "laptop"}
    sent = [json.loads(seen.body) for seen in flaky.seen if seen.body]
    assert sent == [{"key": license_.key}, machine, machine, {"key": license_.key, "metric": "api_calls", "value": 1}]


def test_use_is_counted_and_limited(client: LicenseClient, server: Server, license_: Issued) -> None:
    first = client.record_usage("api_calls", 600, {"job": 1})
    assert (first.success, first.code, first.metric) == (True, "RECORDED", "api_calls")
    assert (first.value_added, first.total_value, first.limit, first.remaining) == (600.0, 600.0, 1000.0, 400.0)
    refused = client.record_usage("api_calls", 600)
    assert (refused.success, refused.code, refused.remaining) == (False, "LIMIT_EXCEEDED", 400.0)
    free = client.record_usage("other")
    assert (free.value_added, free.limit, free.remaining, free.period) == (1.0, None, None, None)
    assert server.total(license_, "api_calls") == 600


@pytest.mark.parametrize("value", [Decimal("0.10"), "0.1", 0.1])
def test_decimals_are_exact(client: LicenseClient, server: Server, license_: Issued, value: object) -> None:
    for _ in range(10):
        assert client.record_usage("api_calls", value).success  # type: ignore[arg-type]
    assert server.get(f"/usage/{license_.id}")[0]["total_value"] == 1


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_not_sent(client: LicenseClient, value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        client.record_usage("api_calls", value)


def test_named_use_counts_once(connect: Connect, server: Server, license_: Issued) -> None:
    first = connect().record_usage("api_calls", 5, idempotency_key="order-17")
    again = connect().record_usage("api_calls", 5, idempotency_key="order-17")
    assert first == again
    assert server.total(license_, "api_calls") == 5
    with pytest.raises(ConflictError) as refused:
        connect().record_usage("api_calls", 6, idempotency_key="order-17")
    assert refused.value.code == "IDEMPOTENCY_KEY_REUSED"
    # Without a name each call is a use of its own.
    assert connect().record_usage("api_calls", 5).total_value == 10


def test_agents(client: LicenseClient) -> None:
    on = client.validate_agent("CTO")
    assert (on.valid, on.code, on.agent_code, on.enabled) == (True, "OK", "CTO", True)
    assert (on.token_limit, on.model_tier, on.tokens_used, on.tokens_remaining) == (50_000, "premium", 0, 50_000)
    assert client.validate_agent("CFO").code == "AGENT_NOT_ENTITLED"
    assert client.validate_agent("XXX").code == "AGENT_NOT_ENTITLED"
    assert client.get_entitled_agents() == ["CTO"]
    assert client.record_usage("agent.CTO.tokens", 50_000).remaining == 0
    assert client.validate_agent("CTO").tokens_remaining == 0


def test_composed_entitlements(connect: Connect, license_: Issued) -> None:
    composed = connect(api_key=ADMIN_KEY).get_composed_entitlements(license_.customer_id)
    assert (composed.customer_id, composed.total_products) == (license_.customer_id, 1)
    calls = next(feature for feature in composed.features if feature.feature == "api_calls")
    assert (calls.effective_value, calls.strategy) == (1000, "sum")
    assert calls.sources[0].license_id == license_.id
    assert composed.agents["CTO"]["token_limit"] == 50_000


def test_refusals_are_exceptions_with_the_problem(connect: Connect, license_: Issued) -> None:
    client = connect()
    with pytest.raises(InvalidRequestError) as refused:
        client.record_usage("api_calls", 0)
    error = refused.value
    assert (error.status, error.code) == (422, "VALIDATION_ERROR")
    assert [field.field for field in error.errors] == ["value"]
    assert error.request_id
    assert error.request_id in str(error)
    assert error.problem["title"] == "Unprocessable Entity"
    with pytest.raises(AuthenticationError):
        client.get_composed_entitlements(license_.customer_id)
    with pytest.raises(AuthenticationError):
        connect(api_key="wrong").get_composed_entitlements(license_.customer_id)
    with pytest.raises(NotFoundError):
        connect(api_key=ADMIN_KEY).get_composed_entitlements("01a20d2e-a9ea-7000-8000-000000000000")
    with pytest.raises((InvalidRequestError, NotFoundError)):
        connect(api_key=ADMIN_KEY).get_composed_entitlements("../../licenses?")
    with pytest.raises(InvalidRequestError):
        client.validate(fingerprint="x" * 256)


def test_threads_share_a_client(server: Server) -> None:
    license_ = server.license(machines_limit=2, entitlements={"api_calls": {"limit": 60}})
    with LicenseClient(server.url, license_.key) as client, ThreadPoolExecutor(16) as threads:
        seats = list(threads.map(lambda n: client.activate(f"machine-{n}").success, range(16)))
        uses = list(threads.map(lambda _: client.record_usage("api_calls").success, range(100)))
        results = list(threads.map(lambda _: client.validate(fingerprint="machine-1"), range(50)))
    assert seats.count(True) == 2
    assert uses.count(True) == 60
    assert all(result.valid for result in results)
    assert server.total(license_, "api_calls") == 60
