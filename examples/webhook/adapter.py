"""A provisioning adapter for Lockbox in one file. It verifies the signature (Standard Webhooks) and stores provisionings in memory.

Replace the changes of `provisionings` with calls to your provisioning system. Every call can arrive twice; the grant is the key.

    LOCKBOX_WEBHOOK_SECRET_FILE=secret python3 adapter.py 8090
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOLERANCE_SECONDS = 300
with open(os.environ["LOCKBOX_WEBHOOK_SECRET_FILE"], encoding="ascii") as file:
    SECRET = base64.b64decode(file.read().strip().removeprefix("whsec_"))

provisionings = {}  # grant -> the order that it was opened for


def is_signed(headers, body):
    """Whether Lockbox signed the call, at most TOLERANCE_SECONDS ago."""
    name, moment = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not moment.isdigit() or abs(time.time() - int(moment)) > TOLERANCE_SECONDS:
        return False
    tag = hmac.new(SECRET, f"{name}.{moment}.".encode() + body, hashlib.sha256).digest()
    wanted = "v1," + base64.b64encode(tag).decode()
    return any(hmac.compare_digest(wanted, given) for given in headers.get("webhook-signature", "").split(" "))


def act(kind, order):
    """Processes one call and returns the response."""
    if kind == "lockbox.provisioning.marked":  # every grant that has an entitlement here, open or not
        return {"grants": list(provisionings)}
    grant = order["grant"]
    if kind == "lockbox.provisioning.open":  # exactly order["resource"], for order["engineer"], in order["access_level"]
        provisionings[grant] = order
        return {}
    if kind == "lockbox.provisioning.close":
        provisionings.pop(grant, None)
        return {}
    if kind == "lockbox.provisioning.cut":  # terminate running sessions and return their number
        return {"sessions": 0}
    if kind == "lockbox.provisioning.probe":  # read the target, not a cache: this confirms the revocation
        return {"state": "open" if grant in provisionings else "closed"}
    return None


class Adapter(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if not is_signed(self.headers, body):
            return self.answer(401, {"error": "the signature is not valid"})
        call = json.loads(body)
        answer = act(call["type"], call["data"])
        return self.answer(400, {"error": "unknown call"}) if answer is None else self.answer(200, answer)

    def answer(self, status, data):
        text = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8090), Adapter)
    print(f"listening on http://127.0.0.1:{server.server_port}/", flush=True)
    server.serve_forever()
