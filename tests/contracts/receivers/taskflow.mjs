// A receiver around the taskflow guide's "Example (Node.js)", which computes over "the raw request body".
import crypto from "node:crypto";
import { WEBHOOK_SECRET, application, express, listen } from "./plumbing.mjs";

const app = application({ raw: true });

function verifyWebhook(payload, signature, secret) {
  const hmac = crypto.createHmac('sha256', secret);
  hmac.update(payload);
  const expected = `sha256=${hmac.digest('hex')}`;

  return crypto.timingSafeEqual(
    Buffer.from(signature),
    Buffer.from(expected)
  );
}

app.post('/webhooks/taskflow', express.raw({ type: 'application/json', limit: '20mb' }), (req, res) => {
  if (!verifyWebhook(req.body, req.headers['x-taskflow-signature'], WEBHOOK_SECRET)) {
    return res.status(401).send('Invalid signature');
  }
  res.status(200).send('OK');
});

listen(app);
