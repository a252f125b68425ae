// The receiver of the hub guide: "Verifying Webhook Signatures".
import crypto from 'crypto';
import { WEBHOOK_SECRET, application, listen } from "./plumbing.mjs";

const app = application();

function verifySignature(payload, signature, secret) {
  const expectedSignature = crypto
    .createHmac('sha256', secret)
    .update(payload)
    .digest('hex');
  return crypto.timingSafeEqual(
    Buffer.from(signature),
    Buffer.from(expectedSignature)
  );
}

// Usage in Express.js
app.post('/webhook', (req, res) => {
  const signature = req.headers['x-hub-signature'].replace('sha256=', '');
  const payload = JSON.stringify(req.body);

  if (!verifySignature(payload, signature, WEBHOOK_SECRET)) {
    return res.status(401).json({ error: 'Invalid signature' });
  }

  // Process webhook...
  res.status(200).send('OK');
});

listen(app);
