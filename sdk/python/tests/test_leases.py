"""What makes a lease one, without a server."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Optional

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from vinzy_engine import LeaseError, LicenseClient
from vinzy_engine._store import LeaseStore, Stored
from vinzy_engine.leases import KeySet, check_subject, ends_at, verify

KEY = Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32)
NOW = int(time.time())
CLAIMS = {
    "iss": "vinzy.local/t/default",
    "aud": "PRD",
    "sub": "01a20d2e-aa57-7000-8000-000000000000",
    "iat": NOW,
    "nbf": NOW,
    "exp": NOW + 60,
}


def jwks() -> dict[str, Any]:
    jwk = jwt.get_algorithm_by_name("EdDSA").to_jwk(KEY.public_key(), as_dict=True)
    return {"keys": [{**jwk, "kid": "1", "alg": "EdDSA", "use": "sig"}, {"kty": "EC", "crv": "P-256", "kid": "2"}]}


def signed(claims: Mapping[str, Any] = CLAIMS, key: Any = KEY, alg: str = "EdDSA", **header: Any) -> str:
    return jwt.encode(dict(claims), key, algorithm=alg, headers={"kid": "1", "typ": "lease+jwt", **header})


def test_signed_lease_is_read() -> None:
    lease = verify(signed(), KeySet(jwks()))
    assert (lease.claims["sub"], lease.issued_at, lease.expires_at) == (CLAIMS["sub"], NOW, NOW + 60)
    # Whether it holds now is judged by the client's own clock.
    verify(signed({**CLAIMS, "exp": 1, "nbf": NOW + 1_000_000}), KeySet(jwks()))


NO_LEASES = {
    "nothing": "",
    "a word": "x",
    "three words": "a.b.c",
    "a header without an end": base64.urlsafe_b64encode(b"[" * 100_000).decode() + ".b.c",
    "no text": "\udc80.b.c",
    "a longer signature": signed() + "A",
    "another's signature": signed(key=Ed25519PrivateKey.generate()),
    "no signature": signed(key=None, alg="none"),
    "another algorithm": signed(key="an-hmac-key-of-thirty-two-bytes!", alg="HS256"),
    "a key of another kind": signed(kid="2"),
    "an unknown key": signed(kid="3"),
    "no key": signed(kid=""),
    "another type": signed(typ="JWT"),
    "no end": signed({name: value for name, value in CLAIMS.items() if name != "exp"}),
    "a truth for an end": signed({**CLAIMS, "exp": True}),
    "text for an end": signed({**CLAIMS, "exp": "never"}),
    "an end after all time": signed({**CLAIMS, "exp": 10**400}),
    "no beginning": signed({**CLAIMS, "iat": None}),
}


@pytest.mark.parametrize("token", NO_LEASES.values(), ids=NO_LEASES)
def test_anything_else_is_refused(token: str) -> None:
    with pytest.raises(LeaseError) as refused:
        verify(token, KeySet(jwks()))
    assert refused.value.code == "LEASE_INVALID"


@pytest.mark.parametrize("document", [{}, {"keys": None}, {"keys": {"1": "x"}}])
def test_key_sets_have_keys(document: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="list of keys"):
        KeySet(document)


@pytest.mark.parametrize("jwk", [None, {}, {"crv": "Ed25519", "kid": "1"}, {"kty": "OKP", "crv": "Ed25519", "kid": 1}])
def test_keys_that_are_none_are_left_out(jwk: object) -> None:
    assert "1" not in KeySet({"keys": [jwk]})


@pytest.mark.parametrize(
    ("product", "key", "fits"),
    [
        ("PRD", "PRD-A", True),
        ("PRD", " prd-a ", True),
        ("AB", "ABX-A", True),
        ("A", "AXX-A", True),
        ("AB", "AB-A", False),
        ("PRD", "OTX-A", False),
        ("PRD", "", False),
    ],
)
def test_product_is_the_license_keys(product: str, key: str, fits: bool) -> None:
    lease = verify(signed({**CLAIMS, "aud": product}), KeySet(jwks()))
    if fits:
        check_subject(lease, key, None, None)
    else:
        with pytest.raises(LeaseError, match="another product"):
            check_subject(lease, key, None, None)


@pytest.mark.parametrize(
    ("license_ends", "grace", "ends"),
    [
        (None, 0, NOW + 60),
        (None, 100, NOW + 160),
        (NOW + 90, 100, NOW + 90),
        (NOW + 900, 100, NOW + 160),
        (NOW - 5, 100, NOW + 60),
        (NOW + 900, float("inf"), NOW + 900),
        (None, float("inf"), 253_402_300_799),
    ],
)
def test_grace_never_outlives_the_license(license_ends: Optional[float], grace: float, ends: float) -> None:
    assert ends_at(verify(signed(), KeySet(jwks())), license_ends, grace) == ends


def stored(token: str = "token") -> Stored:
    return Stored(token, {}, "2026-11-29T00:00:00Z", None)


def test_store_is_bounded_and_keeps_the_newest(tmp_path: Path) -> None:
    path = str(tmp_path / "leases.json")
    store = LeaseStore(path)
    for number in range(70):
        store.put(f"key-{number}", None, stored(f"token-{number}"), NOW)
    again = LeaseStore(path)
    assert again.get("key-5", None) is None
    assert again.get("key-6", None) == stored("token-6")
    assert again.get("key-69", None) == stored("token-69")


def test_store_is_whole_at_every_moment(tmp_path: Path) -> None:
    path = str(tmp_path / "leases.json")
    store = LeaseStore(path)
    store.put("key", None, stored(), NOW)

    def write(number: int) -> None:
        for _ in range(20):
            store.put("key", None, stored(f"token-{number}"), NOW)

    def read(_: int) -> bool:
        return all(LeaseStore(path).get("key", None) is not None for _ in range(50))

    with ThreadPoolExecutor(6) as threads:
        writing = [threads.submit(write, number) for number in range(3)]
        assert all(threads.map(read, range(3)))
        for done in writing:
            done.result()
    assert [file.name for file in tmp_path.iterdir()] == ["leases.json"]


def test_processes_that_share_a_file_keep_each_others_leases(tmp_path: Path) -> None:
    path = str(tmp_path / "leases.json")
    first, second = LeaseStore(path), LeaseStore(path)
    first.put("key-1", "laptop", stored("1"), NOW)
    second.put("key-2", None, stored("2"), NOW)
    first.put("key-3", None, stored("3"), NOW)
    again = LeaseStore(path)
    assert [again.get("key-1", "laptop"), again.get("key-2", None)] == [stored("1"), stored("2")]
    second.drop("key-1")
    again = LeaseStore(path)
    assert again.get("key-1", "laptop") is None
    assert again.get("key-3", None) == stored("3")


def test_store_notes_the_latest_time(tmp_path: Path) -> None:
    path = str(tmp_path / "leases.json")
    store = LeaseStore(path)
    store.put("key", None, stored(), NOW)
    assert (store.saw(NOW + 90), store.saw(NOW - 500), store.saw(NOW + 100)) == (NOW, NOW + 90, NOW + 90)
    assert LeaseStore(path).saw(NOW) == NOW + 90
    store.put("key", None, stored(), NOW + 5)
    assert LeaseStore(path).saw(NOW) == NOW + 5


def test_a_store_is_shared_with_the_rust_client(tmp_path: Path) -> None:
    vector = json.loads((Path(__file__).parent / "vectors" / "lease_store.json").read_text())
    path = tmp_path / "leases.json"
    path.write_text(json.dumps(vector["document"]))
    seen = vector["document"]["seen"]
    for writer in ("rust", "python"):
        asked = vector[writer]
        client = LicenseClient(
            "http://127.0.0.1:9", asked["license_key"], lease_cache_path=str(path), clock=lambda: seen + 120.0
        )
        result = client.validate_offline(fingerprint=asked["fingerprint"])
        assert (result.code, result.features) == ("OK", ["export"]), writer
    # What it writes itself is the same but for the time.
    assert json.loads(path.read_text()) == {**vector["document"], "seen": seen + 120.0}
