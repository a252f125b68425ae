"""The Flask receiver of the taskflow guide: "Create a Webhook Endpoint" and "Example (Python)"."""

from flask import Flask, request
import hmac
import hashlib

from plumbing import listen

app = Flask(__name__)

@app.route('/webhooks/taskflow', methods=['POST'])
def handle_webhook():
    # Verify signature
    signature = request.headers.get('X-TaskFlow-Signature')
    if not verify_signature(request.data, signature):
        return 'Invalid signature', 401

    # Its second example says the same.
    assert verify_webhook(request.data.decode('utf-8'), signature, 'your_webhook_secret')

    # Process webhook
    event = request.json
    event_type = event['type']

    if event_type == 'task.created':
        handle_task_created(event['data'])
    elif event_type == 'task.updated':
        handle_task_updated(event['data'])

    return 'OK', 200

def verify_signature(payload, signature):
    """Verify webhook signature."""
    secret = 'your_webhook_secret'
    expected = hmac.new(
        secret.encode(),
        payload,
        hashlib.sha256
    ).hexdigest()
    # Corrected: the guide forgets the prefix here; its steps and its second example have it.
    return hmac.compare_digest(signature, 'sha256=' + expected)

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

def handle_task_created(data):
    print('New task:', data.get('title'))

def handle_task_updated(data):
    print('Changed:', ', '.join(data.get('changes', {})))

listen(app)
