"""Tests a provisioning adapter: sends it the calls of Lockbox and lists what fails.

    python3 check.py http://127.0.0.1:8090/ secret-file [RESOURCE]

RESOURCE is opened for a moment and not used. Exit code 0 when every test passes.
"""

import base64
import datetime
import hashlib
import hmac
import json
import sys
import time
import urllib.error
import urllib.request
import uuid

URL, RESOURCE = sys.argv[1], (sys.argv[3:] + ["finance@contoso.example"])[0]
with open(sys.argv[2], encoding="ascii") as file:
    SECRET = base64.b64decode(file.read().strip().removeprefix("whsec_"))
faults = 0


def call(what, order=None, secret=SECRET, moment=None, change=lambda body: body):
    """Sends one signed call; returns the status and the JSON of the response."""
    body = json.dumps({"type": f"lockbox.provisioning.{what}", "data": order}).encode()
    name, moment = f"msg_{uuid.uuid4().hex}", str(moment or int(time.time()))
    tag = hmac.new(secret, f"{name}.{moment}.".encode() + body, hashlib.sha256).digest()
    headers = {
        "content-type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": moment,
        "webhook-signature": "v1," + base64.b64encode(tag).decode(),
    }
    request = urllib.request.Request(URL, change(body), headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as refused:
        return refused.code, None


def check(sentence, passes):
    global faults
    faults += not passes
    print(("ok    " if passes else "FAULT ") + sentence)


def state(order):
    return (call("probe", order)[1] or {}).get("state")


def marks():
    return (call("marked")[1] or {}).get("grants", [])


until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=2)
order = {
    "grant": str(uuid.uuid4()), "tenant": "contoso", "service": "exchange_online", "resource": RESOURCE,
    "access_level": "read_only", "engineer": "robin", "until": until.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
}
other = dict(order, grant=str(uuid.uuid4()), engineer="sam")

check("a call with another secret is refused", call("open", order, secret=b"x" * 32)[0] in (401, 403))
check("a call whose body was changed is refused", call("open", order, change=lambda body: body + b" ")[0] in (401, 403))
check("a call from an hour ago is refused", call("open", order, moment=int(time.time()) - 3600)[0] in (401, 403))
check("none of these opened anything", state(order) == "closed")
check("closing a closed grant succeeds", call("close", order)[0] == 200)
check("opening returns 200", call("open", order)[0] == 200)
check("an opened grant reads back as open", state(order) == "open")
check("an opened grant is marked", order["grant"] in marks())
check("opening twice succeeds", call("open", order)[0] == 200 and state(order) == "open")
check("another grant stays closed", state(other) == "closed")
check("one grant closes without another", call("open", other)[0] == 200 and call("close", order)[0] == 200
      and state(other) == "open" and state(order) == "closed")
cut = call("cut", order)
check("cutting returns the number of sessions", cut[0] == 200 and isinstance(cut[1].get("sessions"), int))
check("closing twice succeeds", call("close", order)[0] == 200 and state(order) == "closed")
call("close", other)
check("no mark is left", not {order["grant"], other["grant"]} & set(marks()))
check("an unknown call is refused", 400 <= call("rename", order)[0] < 500)
print(f"{faults} tests failed" if faults else "all tests passed")
sys.exit(1 if faults else 0)
