"""Verifies requests of look-alikes with the companies' own libraries for Python.

Each line is {dialect, secret, headers, body (base64), url}; the answer is a line: "accepted ..." or "refused ...".
"""

import base64
import json
import sys
from types import SimpleNamespace

from paddle_billing.Notifications import Secret, Verifier
from slack_sdk.signature import SignatureVerifier


def slack(body, headers, secret):
    """Five minutes of tolerance are built into it."""
    if SignatureVerifier(signing_secret=secret).is_valid_request(body, headers):
        return str(json.loads(body).get("event", {}).get("type"))


def paddle(body, headers, secret):
    request = SimpleNamespace(headers={"Paddle-Signature": headers["paddle-signature"]}, body=body)
    if Verifier(300).verify(request, Secret(secret)):
        return json.loads(body)["event_type"]


for line in sys.stdin:
    request = json.loads(line)
    understood = globals()[request["dialect"]](base64.b64decode(request["body"]), request["headers"], request["secret"])
    print("refused" if understood is None else f"accepted {understood}", flush=True)
