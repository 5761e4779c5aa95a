"""A receiver of webhooks that trusts nothing but the official library for Standard Webhooks.

Prints its port, reads signing secrets from standard input, one a line, and prints for each request what the library
says of it as it came, changed, too old, and with another secret.
"""

import base64
import json
import sys
import threading
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

SECRETS = []
ONE_LINE_AT_A_TIME = threading.Lock()
OTHER = "whsec_" + base64.b64encode(b"quite another signing secret!").decode()


def standard_form(secret):
    """As docs/webhooks.md has it for secrets that do not begin with whsec_."""
    if secret.startswith("whsec_"):
        return secret
    return "whsec_" + base64.b64encode(secret.encode()).decode()


def accepts(secret, body, headers):
    try:
        Webhook(secret).verify(body, headers)
        return True
    except WebhookVerificationError:
        return False


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.send_response(204)
        self.end_headers()
        newest = standard_form(SECRETS[-1])
        old = datetime.now(timezone.utc) - timedelta(minutes=6)
        aged = dict(headers)
        aged["webhook-timestamp"] = str(int(old.timestamp()))
        aged["webhook-signature"] = Webhook(newest).sign(headers["webhook-id"], old, body)
        told = {
            "event_type": json.loads(body)["event_type"],
            "accepted": [accepts(standard_form(secret), body, headers) for secret in SECRETS],
            "changed": accepts(newest, body.replace("event_type", "event_typo", 1), headers),
            "old": accepts(newest, body, aged),
            "other": accepts(OTHER, body, headers),
        }
        with ONE_LINE_AT_A_TIME:
            print(json.dumps(told), flush=True)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
print(server.server_port, flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
for line in sys.stdin:
    SECRETS.append(line.strip())
    print("ready", flush=True)
