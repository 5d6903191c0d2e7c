"""Checks a provisioning adapter: plays Lockbox against it and says what does not hold.

    python3 check.py http://127.0.0.1:8090/ secret-file [RESOURCE]

Give a RESOURCE that may be opened for a moment; nobody needs to use it. Exit code 0 when everything holds.
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


def call(what, order=None, secret=SECRET, moment=None, spoil=lambda body: body):
    """Sends one signed call; answers with the status and the JSON."""
    body = json.dumps({"type": f"lockbox.provisioning.{what}", "data": order}).encode()
    name, moment = f"msg_{uuid.uuid4().hex}", str(moment or int(time.time()))
    tag = hmac.new(secret, f"{name}.{moment}.".encode() + body, hashlib.sha256).digest()
    headers = {
        "content-type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": moment,
        "webhook-signature": "v1," + base64.b64encode(tag).decode(),
    }
    request = urllib.request.Request(URL, spoil(body), headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, None


def holds(promise, truth):
    global faults
    faults += not truth
    print(("ok    " if truth else "FAULT ") + promise)


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

holds("a call with another secret is refused", call("open", order, secret=b"x" * 32)[0] in (401, 403))
holds("a call whose body was changed is refused", call("open", order, spoil=lambda body: body + b" ")[0] in (401, 403))
holds("a call from an hour ago is refused", call("open", order, moment=int(time.time()) - 3600)[0] in (401, 403))
holds("none of these opened anything", state(order) == "closed")
holds("closing what is closed is fine", call("close", order)[0] == 200)
holds("opening is answered with 200", call("open", order)[0] == 200)
holds("what was opened reads back as open", state(order) == "open")
holds("what was opened carries our mark", order["grant"] in marks())
holds("opening twice is fine", call("open", order)[0] == 200 and state(order) == "open")
holds("another grant stays closed", state(other) == "closed")
holds("one grant closes without another", call("open", other)[0] == 200 and call("close", order)[0] == 200
      and state(other) == "open" and state(order) == "closed")
cut = call("cut", order)
holds("cutting says how many sessions there were", cut[0] == 200 and isinstance(cut[1].get("sessions"), int))
holds("closing twice is fine", call("close", order)[0] == 200 and state(order) == "closed")
call("close", other)
holds("nothing of ours is left", not {order["grant"], other["grant"]} & set(marks()))
holds("an unknown call is refused", 400 <= call("rename", order)[0] < 500)
print(f"{faults} of these do not hold" if faults else "everything holds")
sys.exit(1 if faults else 0)
