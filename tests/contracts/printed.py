"""The guides' own functions in Python, letter by letter, fed with what arrived: see printed.mjs."""

import hashlib
import hmac
import json
import sys

# taskflow, "Create a Webhook Endpoint"
def verify_signature(payload, signature):
    """Verify webhook signature."""
    secret = 'your_webhook_secret'
    expected = hmac.new(
        secret.encode(),
        payload,
        hashlib.sha256
    ).hexdigest()
    return hmac.compare_digest(signature, expected)

# taskflow, "Example (Python)"
def verify_webhook(payload, signature, secret):
    """Verify TaskFlow webhook signature."""
    expected_signature = hmac.new(
        secret.encode('utf-8'),
        payload.encode('utf-8'),
        hashlib.sha256
    ).hexdigest()

    # Prefix with 'sha256='
    expected = f"sha256={expected_signature}"

    # Use constant-time comparison
    return hmac.compare_digest(signature, expected)

# cathcr, "Verification (Python)"
def verify_webhook_signature(payload, signature, secret):
    expected_signature = 'sha256=' + hmac.new(
        secret.encode('utf-8'),
        payload,
        hashlib.sha256
    ).hexdigest()

    return hmac.compare_digest(signature, expected_signature)

arrived = json.load(sys.stdin)
taskflow, cathcr = arrived["taskflow"], arrived["cathcr"]
json.dump({
    "taskflow, endpoint": verify_signature(taskflow["body"].encode(), taskflow["signature"]),
    "taskflow": verify_webhook(taskflow["body"], taskflow["signature"], taskflow["secret"]),
    "cathcr": verify_webhook_signature(cathcr["body"].encode(), cathcr["signature"], cathcr["secret"]),
}, sys.stdout)
