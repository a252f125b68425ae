"""The Flask receiver of the cathcr guide: "Verification (Python)"."""

import hmac
import hashlib

from plumbing import WEBHOOK_SECRET, listen

def verify_webhook_signature(payload, signature, secret):
    expected_signature = 'sha256=' + hmac.new(
        secret.encode('utf-8'),
        payload,
        hashlib.sha256
    ).hexdigest()

    return hmac.compare_digest(signature, expected_signature)

# Flask example
from flask import Flask, request

app = Flask(__name__)

@app.route('/webhooks/cathcr', methods=['POST'])
def handle_webhook():
    signature = request.headers.get('X-Cathcr-Signature-256')
    payload = request.get_data()

    if not verify_webhook_signature(payload, signature, WEBHOOK_SECRET):
        return 'Unauthorized', 401

    event = request.get_json()
    handle_webhook_event(event)

    return 'OK', 200

def handle_webhook_event(event):
    print('Received', event['event'])

listen(app)
