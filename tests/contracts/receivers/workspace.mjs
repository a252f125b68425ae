// The receiver of the workspace guide: "Verify Signature".
import crypto from "node:crypto";
import { WEBHOOK_SECRET, application, listen } from "./plumbing.mjs";

const app = application();

function verifyWebhook(payload, signature, secret) {
  const expectedSignature = crypto
    .createHmac('sha256', secret)
    .update(payload)
    .digest('hex');

  return crypto.timingSafeEqual(
    Buffer.from(signature),
    // Corrected: the guide forgets the prefix that its table of headers shows.
    Buffer.from('sha256=' + expectedSignature)
  );
}

app.post('/webhooks', (req, res) => {
  const signature = req.headers['x-webhook-signature'];
  const payload = JSON.stringify(req.body);

  if (!verifyWebhook(payload, signature, WEBHOOK_SECRET)) {
    return res.status(401).send('Invalid signature');
  }

  // Process webhook
  const { event, data } = req.body;

  if (event === 'task.created') {
    console.log('New task:', data.name);
  }

  res.status(200).send('OK');
});

listen(app);
