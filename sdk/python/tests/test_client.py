"""How clients are made, closed and shown."""

from __future__ import annotations

import inspect
import json
import logging
import traceback
from dataclasses import fields
from pathlib import Path

import httpx
import pytest

from tests.conftest import Connect
from tests.proxy import Proxy, Reply
from tests.server import ADMIN_KEY, Issued, Server
from vinzy_engine import (
    ActivateResult,
    Agent,
    AsyncLicenseClient,
    ComposedEntitlements,
    ComposedFeature,
    ComposedSource,
    DeactivateResult,
    Entitlement,
    HeartbeatResult,
    License,
    LicenseClient,
    RecordUsageResult,
    ServerUnreachableError,
    UnexpectedAnswerError,
    ValidateAgentResult,
    ValidateResult,
    __version__,
)

OPENAPI = Path(__file__).parents[3] / "docs" / "openapi.json"
SCHEMAS = json.loads(OPENAPI.read_text(encoding="utf-8"))["components"]["schemas"]


def test_both_clients_have_the_same_methods() -> None:
    def methods(kind: type) -> dict[str, list[tuple[str, object]]]:
        public = {name: value for name, value in inspect.getmembers(kind, callable) if not name.startswith("_")}
        return {
            name: [(parameter.name, parameter.default) for parameter in inspect.signature(value).parameters.values()]
            for name, value in public.items()
        }

    assert methods(LicenseClient) == methods(AsyncLicenseClient)
    assert set(methods(LicenseClient)) == {
        "activate",
        "close",
        "deactivate",
        "get_composed_entitlements",
        "get_entitled_agents",
        "heartbeat",
        "record_usage",
        "validate",
        "validate_agent",
        "validate_offline",
        "verify_webhook_signature",
    }


def test_arguments_are_the_wires() -> None:
    for method, schema in [
        ("validate", "ValidateRequest"),
        ("activate", "ActivateRequest"),
        ("deactivate", "DeactivateRequest"),
        ("heartbeat", "HeartbeatRequest"),
        ("record_usage", "RecordUsageRequest"),
        ("validate_agent", "ValidateAgentRequest"),
    ]:
        parameters = set(inspect.signature(getattr(LicenseClient, method)).parameters) - {"self", "idempotency_key"}
        assert parameters == set(SCHEMAS[schema]["properties"]) - {"idempotency_key"}


def test_fields_of_results_are_the_wires() -> None:
    of_leases = {"tier", "offline", "offline_until", "cause"}
    for result, schema, added in [
        (ValidateResult, "ValidateResponse", of_leases),
        (ActivateResult, "ActivateResponse", set()),
        (DeactivateResult, "DeactivateResponse", set()),
        (HeartbeatResult, "HeartbeatResponse", set()),
        (RecordUsageResult, "RecordUsageResponse", set()),
        (ValidateAgentResult, "ValidateAgentResponse", set()),
        (License, "ValidatedLicense", set()),
        (Entitlement, "Entitlement", set()),
        (Agent, "Agent", set()),
        (ComposedEntitlements, "ComposedEntitlements", set()),
        (ComposedFeature, "ComposedFeature", set()),
        (ComposedSource, "ComposedSource", set()),
    ]:
        assert {field.name for field in fields(result)} - added == set(SCHEMAS[schema]["properties"])


def test_constructor() -> None:
    parameters = list(inspect.signature(LicenseClient).parameters.values())[:8]
    assert [(parameter.name, parameter.default) for parameter in parameters] == [
        ("server_url", inspect.Parameter.empty),
        ("license_key", None),
        ("api_key", None),
        ("cache_ttl", 60),
        ("timeout", 5),
        ("max_retries", 2),
        ("retry_backoff_base", 1),
        ("lease_cache_path", None),
    ]


@pytest.mark.parametrize(
    "url", ["", "localhost:8080", "ftp://localhost", "http://", "http://u:p@localhost", "http://x?y"]
)
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(ValueError, match="server_url"):
        LicenseClient(url)


@pytest.mark.parametrize("name", ["cache_ttl", "max_retries", "retry_backoff_base", "offline_grace"])
def test_settings_are_not_negative(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        LicenseClient("http://localhost", **{name: -1})  # type: ignore[arg-type]


def test_clients_are_closed_with_their_block(server: Server, license_: Issued) -> None:
    with LicenseClient(server.url + "/", license_.key) as client:
        assert client.server_url == server.url
        assert client.validate().valid
    with pytest.raises(RuntimeError, match="closed"):
        client.heartbeat("laptop")


def test_given_http_client_is_used_and_stays_open(flaky: Proxy, license_: Issued) -> None:
    with httpx.Client(headers={"x-office": "7"}) as http:
        with LicenseClient(flaky.url, license_.key, http_client=http) as client:
            assert client.validate().valid
        assert http.get(flaky.url + "/health").is_success
    sent = flaky.seen[0].headers
    assert (sent["x-office"], sent["user-agent"]) == ("7", f"vinzy-engine-python/{__version__}")


def test_server_may_have_a_prefix(connect: Connect, flaky: Proxy) -> None:
    with pytest.raises(Exception, match="404"):
        connect(flaky.url + "/api/").record_usage("api_calls")
    assert flaky.paths() == ["/api/usage/record"]


def test_api_key_is_shown_only_where_it_is_needed(connect: Connect, flaky: Proxy, license_: Issued) -> None:
    client = connect(flaky.url, api_key=ADMIN_KEY)
    client.validate()
    client.activate("laptop")
    client.record_usage("api_calls")
    client.get_composed_entitlements(license_.customer_id)
    shown = [seen.path for seen in flaky.seen if ADMIN_KEY in seen.headers.values()]
    assert shown == [f"/entitlements/composed/{license_.customer_id}"]


def test_redirects_are_not_followed(connect: Connect, flaky: Proxy) -> None:
    flaky.fail(Reply(307, {"location": "/heartbeat"}))
    with pytest.raises(UnexpectedAnswerError):
        connect(flaky.url).heartbeat("laptop")
    assert len(flaky.seen) == 1


def test_secrets_are_printed_nowhere(
    connect: Connect, flaky: Proxy, nowhere: str, license_: Issued, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    settings = {"api_key": ADMIN_KEY, "lease_cache_path": str(tmp_path / "lease.json")}
    client = connect(flaky.url, **settings)
    flaky.fail(Reply(503))
    result = client.validate(fingerprint="laptop")
    offline = connect(nowhere, **settings)
    printed = [repr(client), str(client), repr(result), repr(client.activate("laptop"))]
    printed.append(repr(offline.validate(fingerprint="laptop")))
    with pytest.raises(ServerUnreachableError) as unreachable:
        offline.get_composed_entitlements(license_.customer_id)
    with pytest.raises(ValueError, match="api_key") as refused:
        LicenseClient(nowhere, api_key=ADMIN_KEY + "\n")
    for error in (unreachable.value, refused.value):
        printed += [repr(error), *traceback.format_exception(type(error), error, error.__traceback__)]
    printed += [record.getMessage() for record in caplog.records]
    assert result.lease is not None
    for secret in (license_.key, ADMIN_KEY, result.lease["token"]):
        assert not [text for text in printed if secret in text]
    assert any("status 503" in text for text in printed)


@pytest.mark.parametrize("key", ["", "a\nb", "ä"])
def test_idempotency_keys_fit_into_headers(connect: Connect, key: str) -> None:
    with pytest.raises(ValueError, match="idempotency_key"):
        connect().record_usage("api_calls", idempotency_key=key)
