// The guides' own functions in JavaScript, letter by letter, fed with what arrived. Reads one JSON object from standard
// input, {contract: {body, signature, secret}}, and prints {example: true, false, or the code of the error that it throws}.
import crypto from 'node:crypto';
import { readFileSync } from 'node:fs';

// daycopilot, "Signature Verification"
function verifySignature(payload, signature, secret) {
  const hmac = crypto.createHmac('sha256', secret);
  const digest = 'sha256=' + hmac.update(JSON.stringify(payload)).digest('hex');
  return crypto.timingSafeEqual(
    Buffer.from(signature),
    Buffer.from(digest)
  );
}

// workspace, "Verify Signature"; hub has the same under another name, and takes the prefix off before
function verifyWebhook(payload, signature, secret) {
  const expectedSignature = crypto
    .createHmac('sha256', secret)
    .update(payload)
    .digest('hex');

  return crypto.timingSafeEqual(
    Buffer.from(signature),
    Buffer.from(expectedSignature)
  );
}

// taskflow, "Example (Node.js)"
function verifyTaskflow(payload, signature, secret) {
  const hmac = crypto.createHmac('sha256', secret);
  hmac.update(payload);
  const expected = `sha256=${hmac.digest('hex')}`;

  return crypto.timingSafeEqual(
    Buffer.from(signature),
    Buffer.from(expected)
  );
}

// cathcr, "Verification (Node.js)"
function verifyWebhookSignature(payload, signature, secret) {
  const hmac = crypto.createHmac('sha256', secret);
  hmac.update(payload, 'utf8');
  const calculatedSignature = `sha256=${hmac.digest('hex')}`;

  return crypto.timingSafeEqual(
    Buffer.from(signature),
    Buffer.from(calculatedSignature)
  );
}

const { daycopilot, workspace, taskflow, hub, cathcr } = JSON.parse(readFileSync(0, 'utf8'));
const parsed = (one) => JSON.parse(one.body);
const examples = {
  'daycopilot, endpoint': () => verifySignature(parsed(daycopilot), daycopilot.signature),
  'daycopilot, usage': () => verifySignature(parsed(daycopilot), daycopilot.signature, daycopilot.secret),
  'workspace': () => verifyWebhook(JSON.stringify(parsed(workspace)), workspace.signature, workspace.secret),
  'taskflow': () => verifyTaskflow(Buffer.from(taskflow.body), taskflow.signature, taskflow.secret),
  'taskflow, written again': () =>
    verifyTaskflow(JSON.stringify(parsed(taskflow)), taskflow.signature, taskflow.secret),
  'hub': () => verifyWebhook(JSON.stringify(parsed(hub)), hub.signature.replace('sha256=', ''), hub.secret),
  'cathcr': () => verifyWebhookSignature(Buffer.from(cathcr.body), cathcr.signature, cathcr.secret),
  'cathcr, error handling': () => verifyWebhookSignature(Buffer.from(cathcr.body), cathcr.signature),
};
const results = {};
for (const [name, verify] of Object.entries(examples)) {
  try {
    results[name] = verify();
  } catch (error) {
    results[name] = error.code;
  }
}
process.stdout.write(JSON.stringify(results));
