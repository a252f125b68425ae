// The receiver of the daycopilot guide: "Create Webhook Endpoint", "Verify Webhook" and "Signature Verification".
import crypto from "node:crypto";
import { application, listen } from "./plumbing.mjs";

const app = application();

app.post('/webhooks/daycopilot', async (req, res) => {
  // Verify signature
  const signature = req.headers['x-daycopilot-signature'];
  // Corrected: the guide's call leaves out the secret.
  if (!verifySignature(req.body, signature, process.env.WEBHOOK_SECRET)) {
    return res.status(401).send('Invalid signature');
  }

  // "Respond with"
  if (req.body.type === 'webhook.verification') {
    return res.json({ challenge: req.body.challenge });
  }

  // Acknowledge receipt immediately
  res.status(200).send('OK');

  // Process event asynchronously
  processWebhookEvent(req.body).catch(console.error);
});

async function processWebhookEvent(event) {
  console.log('Received event:', event.type);

  switch (event.type) {
    case 'task.created':
      await handleTaskCreated(event.data);
      break;
    case 'task.updated':
      await handleTaskUpdated(event.data);
      break;
    // Handle other events...
  }
}

function verifySignature(payload, signature, secret) {
  const hmac = crypto.createHmac('sha256', secret);
  const digest = 'sha256=' + hmac.update(JSON.stringify(payload)).digest('hex');
  return crypto.timingSafeEqual(
    Buffer.from(signature),
    Buffer.from(digest)
  );
}

async function handleTaskCreated(data) {
  console.log('New task:', data.title);
}

async function handleTaskUpdated(data) {
  console.log('Changed:', Object.keys(data.changes ?? {}).join(', '));
}

listen(app);
