// The Express receiver of the cathcr guide: "Verification (Node.js)".
import crypto from "node:crypto";
import { application, express, listen } from "./plumbing.mjs";

const app = application({ raw: true });

function verifyWebhookSignature(payload, signature, secret) {
  const hmac = crypto.createHmac('sha256', secret);
  hmac.update(payload, 'utf8');
  const calculatedSignature = `sha256=${hmac.digest('hex')}`;

  return crypto.timingSafeEqual(
    Buffer.from(signature),
    Buffer.from(calculatedSignature)
  );
}

// Express.js example
app.post('/webhooks/cathcr', express.raw({ type: 'application/json' }), (req, res) => {
  const signature = req.headers['x-cathcr-signature-256'];
  const payload = req.body;

  if (!verifyWebhookSignature(payload, signature, process.env.WEBHOOK_SECRET)) {
    return res.status(401).send('Unauthorized');
  }

  // Process webhook
  const event = JSON.parse(payload);
  handleWebhookEvent(event);

  res.status(200).send('OK');
});

// "Analytics Tracking"
function handleWebhookEvent(event) {
  switch (event.event) {
    case 'thought.created':
      console.log('Thought Created', event.data.user_id, event.data.thought.category?.name, event.data.thought.tags.length > 0);
      break;

    case 'reminder.completed':
      console.log('Reminder Completed', event.data.user_id, event.data.reminder.completed_at);
      break;
  }
}

listen(app);
