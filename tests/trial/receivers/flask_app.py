"""Receivers in Flask: right ones, and some with a planted mistake. POST /CONTRACT/MISTAKE; "none" is a right one.

Argument: JSON with the secrets of each contract, the new one first. Prints its port.
"""

import base64
import hashlib
import hmac
import json
import logging
import sys
import time

from flask import Flask, request
from werkzeug.serving import WSGIRequestHandler, make_server

SECRETS = json.loads(sys.argv[1])
TOLERANCE_SECONDS = 300
DATA_FIELDS = {"test.ping": {"message"}}

app = Flask(__name__)
seen = set()


def standard(body, secret, mistake):
    """The signatures that there are, and the one that should be."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    stamp = request.headers["webhook-timestamp"]
    prefix = [request.headers["webhook-id"]] + ([] if mistake == "without_time" else [stamp])
    message = ".".join(prefix).encode() + b"." + body
    expected = base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()
    return [part.removeprefix("v1,") for part in request.headers["webhook-signature"].split(" ")], expected


def taskflow(body, secret, mistake):
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return [request.headers["X-TaskFlow-Signature"].removeprefix("sha256=")], expected


def stripe(body, secret, mistake):
    stamp, *signatures = request.headers["Stripe-Signature"].split(",")
    message = stamp.removeprefix("t=").encode() + b"." + body
    expected = hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
    return [part.removeprefix("v1=") for part in signatures], expected


CONTRACTS = {
    "standard": (standard, "webhook-signature", lambda: request.headers["webhook-timestamp"]),
    "taskflow": (taskflow, "X-TaskFlow-Signature", None),
    "stripe": (stripe, "Stripe-Signature", lambda: request.headers["Stripe-Signature"].split(",")[0].removeprefix("t=")),
}


def is_genuine(contract, mistake):
    signatures_of, header, stamp = CONTRACTS[contract]
    if header not in request.headers:
        return mistake == "unsigned_too"
    if stamp and mistake != "any_age" and abs(time.time() - int(stamp())) > TOLERANCE_SECONDS:
        return False
    body = request.get_data()
    if mistake == "parsed_body":
        body = json.dumps(json.loads(body), separators=(",", ":"), ensure_ascii=False).encode()
    secrets = SECRETS[contract][:1] if mistake == "new_secret_only" else SECRETS[contract]
    for secret in secrets:
        given, expected = signatures_of(body, secret, mistake)
        if mistake == "first_signature_only":
            given = given[:1]
        if mistake == "as_much_as_sent" and any(expected.startswith(one) for one in given):
            return True
        if any(hmac.compare_digest(one, expected) for one in given):
            return True
    return False


@app.post("/<contract>/<mistake>")
def receive(contract, mistake):
    if mistake != "no_verification" and not is_genuine(contract, mistake):
        return "", 401
    event = request.get_json(force=True)
    known = DATA_FIELDS.get(event.get("type"))
    if mistake == "closed_data" and known and set(event["data"]) - known:
        return "", 400
    identity = (mistake, request.headers.get("webhook-id"), event.get("id"))
    if mistake == "refuses_repeated" and identity in seen:
        return "", 409
    seen.add(identity)
    return "", 200


logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
WSGIRequestHandler.protocol_version = "HTTP/1.1"
server = make_server("127.0.0.1", 0, app, threaded=True)
print(server.server_port, flush=True)
server.serve_forever()
