"""What a lease is good for when there is no server, and what it is not believed."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import DAY, Clock, Connect
from tests.proxy import Proxy, Reply, proxy
from tests.server import Issued, Server
from vinzy_engine import ServerUnreachableError


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Where the lease is kept."""
    return tmp_path / "state" / "lease.json"


def edited(cache: Path, change: dict[str, Any]) -> None:
    """Changes what the lease in the file says, without its signature."""
    document = json.loads(cache.read_text())
    (stored,) = document["leases"].values()
    header, claims, signature = stored["token"].split(".")
    content = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    claims = base64.urlsafe_b64encode(json.dumps({**content, **change}).encode()).rstrip(b"=").decode()
    stored["token"] = f"{header}.{claims}.{signature}"
    cache.write_text(json.dumps(document))


def test_lease_goes_on_when_the_server_has_stopped(connect: Connect, cache: Path) -> None:
    own = Server()
    try:
        key = own.license().key
        settings = {"server_url": own.url, "license_key": key, "lease_cache_path": str(cache), "max_retries": 1}
        before = connect(**settings)
        online = before.validate(fingerprint="laptop")
        assert (online.valid, online.offline) == (True, False)
    finally:
        own.stop()
    # The client that has asked, and a process that starts when the server is gone.
    for client in (before, connect(**settings)):
        result = client.validate(fingerprint="laptop")
        assert (result.valid, result.code, result.offline) == (True, "OK", True)
        assert (result.tier, result.features) == (online.tier, online.features)
        assert (result.agents, result.entitlements) == (online.agents, online.entitlements)
        assert result.lease == online.lease
        assert result.offline_until == online.offline_until
        assert isinstance(result.cause, ServerUnreachableError)
        assert client.get_entitled_agents(fingerprint="laptop") == ["CTO"]
        with pytest.raises(ServerUnreachableError):
            client.record_usage("api_calls")


def test_offline_validation_asks_nobody(connect: Connect, flaky: Proxy) -> None:
    client = connect(flaky.url)
    assert client.validate(fingerprint="laptop").valid
    asked = len(flaky.seen)
    result = client.validate_offline()
    assert (result.code, result.offline, result.cause) == ("OK", True, None)
    assert len(flaky.seen) == asked


def test_without_a_lease_nothing_is_valid(connect: Connect, nowhere: str, cache: Path) -> None:
    client = connect(nowhere, lease_cache_path=str(cache))
    assert client.validate_offline().code == "LEASE_MISSING"
    result = client.validate()
    assert (result.valid, result.code, result.offline) == (False, "LEASE_MISSING", True)
    assert client.get_entitled_agents() == []


@pytest.mark.parametrize(
    "content",
    ["", "null", "[]", "{}", '{"format":1,"seen":0,"leases":{"a":{}},"jwks":null}', "[" * 100_000, "\x00"],
    ids=["empty", "null", "list", "object", "leases", "nested", "binary"],
)
def test_unreadable_cache_is_none(connect: Connect, nowhere: str, cache: Path, content: str) -> None:
    cache.parent.mkdir()
    cache.write_text(content)
    assert connect(nowhere, lease_cache_path=str(cache)).validate().code == "LEASE_MISSING"


@pytest.mark.parametrize("pinned", [True, False])
@pytest.mark.parametrize(
    "change", [{"tier": "enterprise"}, {"exp": 4_000_000_000}, {"fingerprint": "phone"}, {"features": ["sso"]}]
)
def test_edited_lease_is_refused(
    connect: Connect, server: Server, nowhere: str, cache: Path, change: dict[str, Any], pinned: bool
) -> None:
    settings = {"lease_cache_path": str(cache), "jwks": server.jwks() if pinned else None}
    assert connect(**settings).validate(fingerprint="laptop").valid
    assert connect(nowhere, **settings).validate(fingerprint="laptop").valid
    edited(cache, change)
    for fingerprint in ("laptop", "phone"):
        result = connect(nowhere, **settings).validate(fingerprint=fingerprint)
        assert (result.valid, result.code, result.features) == (False, "LEASE_INVALID", [])


def test_what_stands_beside_the_lease_is_not_believed(connect: Connect, nowhere: str, cache: Path) -> None:
    settings = {"lease_cache_path": str(cache)}
    connect(**settings).validate()
    document = json.loads(cache.read_text())
    (stored,) = document["leases"].values()
    stored["payload"] = {**stored["payload"], "tier": "enterprise", "features": ["sso"]}
    stored["lease_expires_at"] = "2999-01-01T00:00:00Z"
    stored["license_ends"] = None
    cache.write_text(json.dumps(document))
    result = connect(nowhere, **settings).validate()
    assert (result.tier, result.features) == ("standard", ["agents", "api_calls", "export"])
    assert result.offline_until is not None
    assert result.offline_until.year < 2999


def test_lease_of_another_machine_is_refused(connect: Connect, nowhere: str, cache: Path) -> None:
    settings = {"lease_cache_path": str(cache)}
    connect(**settings).validate(fingerprint="laptop")
    stolen = connect(nowhere, **settings)
    assert stolen.validate(fingerprint="phone").code == "FINGERPRINT_MISMATCH"
    assert stolen.validate_offline().code == "FINGERPRINT_MISMATCH"
    assert stolen.validate(fingerprint="laptop").valid


def test_lease_of_no_machine_replaces_none_of_a_machine(connect: Connect, nowhere: str, cache: Path) -> None:
    settings = {"lease_cache_path": str(cache)}
    client = connect(**settings)
    client.validate(fingerprint="laptop")
    assert client.get_entitled_agents() == ["CTO"]
    client.validate()
    assert connect(nowhere, **settings).validate(fingerprint="laptop").valid
    assert connect(nowhere, **settings).validate().valid


def test_lease_of_no_machine_is_none_of_a_machine(connect: Connect, nowhere: str, cache: Path) -> None:
    settings = {"lease_cache_path": str(cache)}
    connect(**settings).validate()
    assert connect(nowhere, **settings).validate(fingerprint="laptop").code == "FINGERPRINT_MISMATCH"
    assert connect(nowhere, **settings).validate_offline().valid


def test_lease_of_another_key_or_product_is_refused(
    connect: Connect, server: Server, nowhere: str, cache: Path
) -> None:
    settings = {"lease_cache_path": str(cache)}
    connect(**settings).validate()
    other = server.license().key
    assert connect(nowhere, **settings, license_key=other).validate().code == "LEASE_MISSING"
    # Copied to where the lease of another product's key would stand.
    key = server.license(product_code="OT").key
    connect(**settings, license_key=key).validate()
    document = json.loads(cache.read_text())
    mine, others = document["leases"]
    document["leases"][others] = document["leases"][mine]
    cache.write_text(json.dumps(document))
    assert connect(nowhere, **settings, license_key=key).validate().code == "LEASE_INVALID"
    assert connect(nowhere, **settings).validate().valid


def test_lease_expires(connect: Connect, nowhere: str, cache: Path, clock: Clock) -> None:
    settings = {"lease_cache_path": str(cache), "clock": clock}
    connect(**settings).validate()
    client = connect(nowhere, **settings)
    clock.advance(DAY - 60)
    assert client.validate().code == "OK"
    clock.advance(120)
    result = client.validate()
    assert (result.valid, result.code, result.offline_until) == (False, "LEASE_EXPIRED", None)


def test_grace_lets_an_expired_lease_go_on(connect: Connect, nowhere: str, cache: Path, clock: Clock) -> None:
    settings = {"lease_cache_path": str(cache), "clock": clock, "offline_grace": 7 * DAY}
    online = connect(**settings).validate()
    client = connect(nowhere, **settings)
    clock.advance(DAY + 60)
    result = client.validate()
    assert (result.valid, result.code) == (True, "LEASE_GRACE")
    assert result.offline_until == online.offline_until
    clock.advance(7 * DAY)
    assert client.validate().code == "LEASE_EXPIRED"


def test_grace_ends_with_the_license(connect: Connect, server: Server, nowhere: str, cache: Path, clock: Clock) -> None:
    key = server.license(days_valid=3).key
    settings = {"license_key": key, "lease_cache_path": str(cache), "clock": clock, "offline_grace": 7 * DAY}
    connect(**settings).validate()
    clock.advance(2 * DAY)
    assert connect(nowhere, **settings).validate().code == "LEASE_GRACE"
    clock.advance(DAY + 60)
    assert connect(nowhere, **settings).validate().code == "LEASE_EXPIRED"


def test_clock_that_was_set_back_is_noticed(connect: Connect, nowhere: str, cache: Path, clock: Clock) -> None:
    settings = {"lease_cache_path": str(cache), "clock": clock}
    connect(**settings).validate()
    clock.advance(DAY / 2)
    assert connect(nowhere, **settings).validate().valid
    clock.advance(-600)
    refused = connect(nowhere, **settings).validate()
    assert (refused.valid, refused.code) == (False, "CLOCK_SET_BACK")
    clock.advance(540)
    assert connect(nowhere, **settings).validate().valid  # as far behind as a clock may be


def test_time_before_the_lease_was_signed_is_no_time(connect: Connect, nowhere: str, cache: Path, clock: Clock) -> None:
    settings = {"lease_cache_path": str(cache), "clock": clock}
    connect(**settings).validate()
    clock.advance(-DAY)
    # Also when the note of the latest time is edited: the time in the lease is signed.
    document = json.loads(cache.read_text())
    document["seen"] = 0
    cache.write_text(json.dumps(document))
    assert connect(nowhere, **settings).validate().code == "CLOCK_SET_BACK"


def test_expiry_that_was_seen_stays(connect: Connect, nowhere: str, cache: Path, clock: Clock) -> None:
    settings = {"lease_cache_path": str(cache), "clock": clock}
    connect(**settings).validate()
    clock.advance(2 * DAY)
    assert connect(nowhere, **settings).validate().code == "LEASE_EXPIRED"
    clock.advance(-2 * DAY)
    assert connect(nowhere, **settings).validate().code == "CLOCK_SET_BACK"
    assert connect(**settings).validate().valid  # the server knows better
    assert connect(nowhere, **settings).validate().valid


def test_refusal_of_the_server_ends_the_lease(
    connect: Connect, server: Server, license_: Issued, nowhere: str, cache: Path
) -> None:
    settings = {"lease_cache_path": str(cache)}
    assert connect(**settings).validate().valid
    server.post(f"/licenses/{license_.id}/suspend")
    assert connect(**settings).validate().code == "SUSPENDED"
    assert connect(nowhere, **settings).validate().code == "LEASE_MISSING"


def test_file_is_its_owners_and_holds_no_key(connect: Connect, cache: Path, license_: Issued) -> None:
    connect(lease_cache_path=str(cache)).validate()
    assert stat.S_IMODE(cache.stat().st_mode) == 0o600
    assert license_.key not in cache.read_text()
    assert [path.name for path in cache.parent.iterdir()] == [cache.name]


def test_file_that_cannot_be_written_does_no_harm(connect: Connect, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    client = connect(lease_cache_path=str(tmp_path / "file" / "lease.json"))
    assert client.validate().valid
    assert client.validate_offline().valid


def test_pinned_keys_unmask_another_server(connect: Connect, server: Server, cache: Path) -> None:
    assert connect(jwks=server.jwks()).validate().code == "OK"
    # The keys of another server: whoever answers here is not the one that was pinned.
    jwks = server.jwks()
    jwks["keys"][0]["kid"] = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    result = connect(jwks=jwks, lease_cache_path=str(cache)).validate()
    assert (result.valid, result.code, result.features) == (False, "LEASE_INVALID", [])
    assert not cache.exists()


def test_pinned_keys_make_answers_say_what_was_signed(connect: Connect, server: Server, license_: Issued) -> None:
    genuine = server.post("/validate", {"key": license_.key})
    forged = {**genuine, "features": ["sso"], "entitlements": [], "agents": []}
    with proxy(server.url) as between:
        between.fail(Reply(200, body=json.dumps(forged).encode()))
        result = connect(between.url, jwks=server.jwks()).validate()
    assert result.features == ["agents", "api_calls", "export"]
    assert [agent.agent_code for agent in result.agents] == ["CFO", "CTO"]


def test_pinned_keys_refuse_an_old_lease_that_is_shown_again(
    connect: Connect, server: Server, license_: Issued, clock: Clock
) -> None:
    genuine = server.post("/validate", {"key": license_.key})
    clock.advance(2 * DAY)
    with proxy(server.url) as between:
        between.fail(Reply(200, body=json.dumps(genuine).encode()))
        assert connect(between.url, jwks=server.jwks(), clock=clock).validate().code == "LEASE_EXPIRED"


def test_issuer_may_be_pinned(connect: Connect, server: Server) -> None:
    settings = {"jwks": server.jwks()}
    assert connect(**settings, issuer="vinzy.local/t/default").validate().valid
    assert connect(**settings, issuer="vinzy.local/t/other").validate().code == "LEASE_INVALID"


def test_without_public_keys_the_servers_word_holds(connect: Connect, flaky: Proxy) -> None:
    client = connect(flaky.url, max_retries=0)
    flaky.broken["/.well-known/jwks.json"] = Reply(404)
    result = client.validate()
    assert (result.valid, result.offline_until) == (True, None)
    assert client.validate_offline().code == "LEASE_MISSING"


def test_captive_portals_are_no_server(connect: Connect, flaky: Proxy) -> None:
    client = connect(flaky.url)
    assert client.validate().valid
    portals = [
        Reply(200, {"content-type": "text/html"}, b"<h1>Welcome</h1>"),
        Reply(302, {"location": "http://portal.invalid/"}, b""),
        Reply(200, {}, b'{"status":"log in"}'),
        Reply(200, {}, b'{"valid":true,"license":{"id":"1"}}'),
        Reply(200, {}, b"[]"),
        Reply(200, {}, b"[" * 100_000),
    ]
    for portal in portals:
        flaky.fail(portal)
        result = client.validate()
        assert (result.valid, result.code, result.offline) == (True, "OK", True)
