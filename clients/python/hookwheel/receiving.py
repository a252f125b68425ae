"""For receivers: whether a request came from the server, as Standard Webhooks signs. What stays true: nothing of a body is
looked at before its signature was found right, and signatures are compared in constant time."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

TOLERANCE_SECONDS = 300


class NotVerified(Exception):
    """The request is not one that the server signed with one of these secrets, or is too old. Answer it with 400."""


def verify(
    payload: bytes | str,
    headers: Mapping[str, str],
    secret: str | Iterable[str],
    *,
    tolerance_seconds: int = TOLERANCE_SECONDS,
    now: float | None = None,
) -> Any:
    """Checks a request of a webhook and gives its body as parsed JSON: `{"type": …, "timestamp": …, "data": …}`.

    Args:
        payload: The body, byte for byte as it came.
        headers: The headers, in any mapping; names in any case.
        secret: The webhook's secret, `whsec_…`, or several while one replaces another. A public key `whpk_…` of a
            webhook that signs with a pair needs the extra `hookwheel[ed25519]`.
        tolerance_seconds: How far the time of the request may be from the time here.
        now: The time here in seconds since 1970; the clock's if left out.

    Raises:
        NotVerified: It is not right; the message says what.
    """
    body = payload.encode() if isinstance(payload, str) else payload
    given = {name.lower(): value for name, value in headers.items()}
    try:
        event_id, sent = given["webhook-id"], given["webhook-timestamp"]
        signatures = given["webhook-signature"].split(" ")
    except KeyError as missing:
        raise NotVerified(f"the header {missing.args[0]} is missing") from None
    if not (sent.isascii() and sent.isdigit() and len(sent) <= 12):
        raise NotVerified("webhook-timestamp is no time")
    if abs((time.time() if now is None else now) - int(sent)) > tolerance_seconds:
        raise NotVerified("webhook-timestamp is too far from the time here")
    signed = f"{event_id}.{sent}.".encode() + body
    secrets = [secret] if isinstance(secret, str) else list(secret)
    checks = [_check(one, signed) for one in secrets]
    # All of them are compared, whichever is right.
    right = [check(signature) for check in checks for signature in signatures]
    if True not in right:
        raise NotVerified("no signature is right")
    try:
        return json.loads(body)
    except ValueError:
        raise NotVerified("the body is not JSON") from None


def _check(secret: str, signed: bytes) -> Any:
    if secret.startswith("whpk_"):
        return _public(_decoded(secret.removeprefix("whpk_")), signed)
    key = _decoded(secret.removeprefix("whsec_"))
    right = base64.b64encode(hmac.digest(key, signed, hashlib.sha256))
    return lambda signature: hmac.compare_digest(b"v1," + right, signature.encode())


def _public(key: bytes, signed: bytes) -> Any:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        raise RuntimeError("public keys (whpk_…) need the package cryptography: install hookwheel[ed25519]") from None
    public = Ed25519PublicKey.from_public_bytes(key)

    def is_right(signature: str) -> bool:
        if not signature.startswith("v1a,"):
            return False
        try:
            public.verify(base64.b64decode(signature.removeprefix("v1a,"), validate=True), signed)
        except (InvalidSignature, binascii.Error):
            return False
        return True

    return is_right


def _decoded(text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        key = b""
    if not key:
        # An empty key would let anybody sign.
        raise ValueError("the secret is not one of a webhook: whsec_… or whpk_… and base64")
    return key
