"""Webhooks: by vectors, and as the server sends them."""

from __future__ import annotations

import base64
import json
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.server import Server
from vinzy_engine import LicenseClient, WebhookVerificationError, verify_webhook, verify_webhook_signature

VECTORS = json.loads((Path(__file__).parent / "vectors" / "webhooks.json").read_text())

# The example of the Standard Webhooks libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SENT_AT = 1_614_265_330
BODY = b'{"test": 2432232314}'
HEADERS = {
    "Webhook-Id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": str(SENT_AT),
    "WEBHOOK-SIGNATURE": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}


@pytest.mark.parametrize("vector", VECTORS)
def test_body_signatures(vector: dict[str, str]) -> None:
    body, signature, secret = vector["body"], vector["signature"], vector["secret"]
    assert verify_webhook_signature(body, signature, secret)
    assert LicenseClient.verify_webhook_signature(body.encode(), signature, secret)
    assert verify_webhook_signature(body, signature, ["another secret!!", secret])
    assert not verify_webhook_signature(body + " ", signature, secret)
    assert not verify_webhook_signature(body, signature[:-1] + "0", secret)
    assert not verify_webhook_signature(body, signature, secret + "x")
    for odd in ("", "x", "ä", "\udc80", "sha256=" + signature):
        assert not verify_webhook_signature(body, odd, secret)


def test_standard_signature() -> None:
    assert verify_webhook(BODY, HEADERS, SECRET, now=SENT_AT) == {"test": 2432232314}
    assert verify_webhook_signature(BODY.decode(), HEADERS, SECRET, now=SENT_AT)


@pytest.mark.parametrize("seconds", [-300, 300])
def test_clocks_may_differ(seconds: int) -> None:
    assert verify_webhook_signature(BODY, HEADERS, SECRET, now=SENT_AT + seconds)
    assert not verify_webhook_signature(BODY, HEADERS, SECRET, now=SENT_AT + seconds * 1.01)
    assert verify_webhook_signature(BODY, HEADERS, SECRET, now=SENT_AT + seconds * 1.01, tolerance=600)


def test_one_secret_and_one_signature_that_fit_are_enough() -> None:
    other = "whsec_" + base64.b64encode(b"x" * 32).decode()
    several = {**HEADERS, "WEBHOOK-SIGNATURE": "v1,AAAA v2,x " + HEADERS["WEBHOOK-SIGNATURE"]}
    assert verify_webhook_signature(BODY, several, [other, SECRET], now=SENT_AT)
    assert not verify_webhook_signature(BODY, several, other, now=SENT_AT)


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"webhook-id": "msg_other"}, "no signature fits"),
        ({"webhook-timestamp": str(SENT_AT + 1)}, "no signature fits"),
        ({"webhook-timestamp": "soon"}, "no time"),
        ({"webhook-timestamp": "9" * 5000}, "no time"),
        ({"webhook-timestamp": "-1"}, "no time"),
        ({"webhook-timestamp": "1"}, "too old"),
        ({"webhook-signature": ""}, "no signature fits"),
        ({"webhook-signature": "v1,ä"}, "no signature fits"),
        ({"webhook-signature": "v1,\udc80"}, "no signature fits"),
        ({"webhook-id": "\udc80"}, "no signature fits"),
        ({"webhook-signature": "v2," + HEADERS["WEBHOOK-SIGNATURE"][3:]}, "no signature fits"),
        ({"webhook-signature": None}, "webhook-signature is missing"),
        ({"webhook-id": None}, "webhook-id is missing"),
    ],
)
def test_what_is_not_genuine(headers: dict[str, Any], why: str) -> None:
    genuine = {name.lower(): value for name, value in HEADERS.items()}
    shown = {name: value for name, value in {**genuine, **headers}.items() if value is not None}
    with pytest.raises(WebhookVerificationError, match=why):
        verify_webhook(BODY, shown, SECRET, now=SENT_AT)


def test_older_signature_does_not_stand_in_for_one_with_a_time() -> None:
    # Whoever overheard a webhook could leave the headers with the time out.
    vector = VECTORS[0]
    headers = {"X-Vinzy-Signature": vector["signature"]}
    assert not verify_webhook_signature(vector["body"], headers, vector["secret"])


@pytest.mark.parametrize("secret", ["", [], [""], ["whsec_not base64"]])
def test_secrets_that_are_none_are_told(secret: Any) -> None:
    with pytest.raises(ValueError, match="secret"):
        verify_webhook_signature(BODY, HEADERS, secret, now=SENT_AT)


Received = tuple[dict[str, str], bytes]


@pytest.fixture
def receiver() -> Iterator[tuple[str, queue.Queue[Received]]]:
    """An address that takes webhooks, and what has come."""
    received: queue.Queue[Received] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(204)
            self.end_headers()
            received.put(({name.lower(): value for name, value in self.headers.items()}, body))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as listener:
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.server_address[1]}/", received
        finally:
            listener.shutdown()
            thread.join()


@pytest.mark.parametrize("own", [None, "a secret of the vendor's own"])
def test_deliveries_of_the_server(server: Server, receiver: tuple[str, queue.Queue[Received]], own: str) -> None:
    url, received = receiver
    body = {"url": url, "event_types": ["license.created"], **({"secret": own} if own else {})}
    endpoint = server.post("/webhooks", body)
    issued = server.license()
    headers, raw = received.get(timeout=60)
    event = verify_webhook(raw, headers, endpoint["secret"])
    assert (event["event_type"], event["data"]["license_id"]) == ("license.created", issued.id)
    assert verify_webhook_signature(raw, headers["x-vinzy-signature"], endpoint["secret"])
    # While the secret is rotated, a receiver with either secret is served; the older header has the new one's.
    rotated = server.post(f"/webhooks/{endpoint['id']}/rotate")
    server.post(f"/webhooks/{endpoint['id']}/test")
    headers, raw = received.get(timeout=60)
    for secret in (endpoint["secret"], rotated["secret"]):
        assert verify_webhook_signature(raw, headers, secret)
    both = [endpoint["secret"], rotated["secret"]]
    assert verify_webhook_signature(raw, headers["x-vinzy-signature"], both)
    assert server.admin.delete(f"/webhooks/{endpoint['id']}").is_success
