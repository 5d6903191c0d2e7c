"""Verifies deliveries with the libraries that receivers use: one JSON array on standard input, a line each out."""

import json
import sys

import standardwebhooks
import svix

for delivery in json.load(sys.stdin):
    for library in (standardwebhooks, svix):
        try:
            # The exact bytes; svix returns what it parsed.
            library.Webhook(delivery["secret"]).verify(delivery["body"], delivery["headers"])
            verdict = True
        except Exception as fault:  # each library has an exception of its own
            if "match" not in str(fault).lower() and "signature" not in str(fault).lower():
                raise
            verdict = False
        print(json.dumps({"library": library.__name__, "case": delivery["case"], "verifies": verdict}))
