"""Verifies requests of the Slack look-alike with Slack's own library.

Each line is {dialect, secret, headers, body (base64)}; the answer is a line: "accepted ..." or "refused ...".
"""

import base64
import json
import sys

from slack_sdk.signature import SignatureVerifier

for line in sys.stdin:
    request = json.loads(line)
    body = base64.b64decode(request["body"])
    verifier = SignatureVerifier(signing_secret=request["secret"])
    # Five minutes of tolerance are built into it.
    if verifier.is_valid_request(body, request["headers"]):
        print("accepted", json.loads(body).get("event", {}).get("type"), flush=True)
    else:
        print("refused", flush=True)
