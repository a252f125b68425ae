// Verifies requests with the libraries of the companies whose contracts they look like: lookalikes.mjs NODE_MODULES
//
// Each line is {dialect, secret, headers, body (base64), url}; the answer is a line: "accepted ..." or "refused ...".
import { createHmac } from "node:crypto";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const modules = resolve(process.argv[2]);
const require = createRequire(join(modules, "x"));
// Packages of ES modules only, which require() does not take.
const module = (path) => import(pathToFileURL(join(modules, path)));
const github = await module("@octokit/webhooks-methods/dist-node/index.js");
const { LinearWebhookClient } = await module("@linear/sdk/dist/webhooks/index.mjs");
const Stripe = require("stripe");
require("@shopify/shopify-api/adapters/node");
const { ApiVersion, shopifyApi } = require("@shopify/shopify-api");
const { Signature } = require("@hubspot/api-client");
const { AwsLambdaReceiver } = require("@zoom/rivet/meetings");
const { HTTP } = require("cloudevents");
const { verifyKey } = require("discord-interactions");
const { WebhooksHelper } = require("square");
const { Webhook } = require("svix");
const twilio = require("twilio");

const TOLERANCE_SECONDS = 300;
// What a library logs would stand among the answers.
console.debug = () => {};

/** Each gives what it understood, or throws. */
const verify = {
  async github(body, headers, secret) {
    if (!(await github.verify(secret, body, headers["x-hub-signature-256"]))) throw new Error("SHA-256");
    // The library has given up SHA-1; receivers that are older have not.
    const old = "sha1=" + createHmac("sha1", secret).update(body).digest("hex");
    if (old !== headers["x-hub-signature"]) throw new Error("SHA-1");
    return headers["x-github-event"];
  },
  async stripe(body, headers, secret) {
    const event = Stripe.webhooks.constructEvent(body, headers["stripe-signature"], secret, TOLERANCE_SECONDS);
    return event.type;
  },
  async shopify(body, headers, secret) {
    const shopify = shopifyApi({
      apiKey: "key",
      apiSecretKey: secret,
      apiVersion: Object.values(ApiVersion)[0],
      hostName: "app.example.com",
      isEmbeddedApp: false,
      logger: { log: async () => {} },
    });
    const rawRequest = { method: "POST", url: "/", headers };
    const result = await shopify.webhooks.validate({ rawBody: body, rawRequest, rawResponse: {} });
    if (!result.valid) throw new Error(result.reason);
    return result.topic;
  },
  // Its answer to an ownership check is what it says to one.
  async zoom(body, headers, secret) {
    const answer = await new AwsLambdaReceiver({ webhooksSecretToken: secret }).start()({ body, headers }, {});
    const { error, encryptedToken } = JSON.parse(answer.body);
    if (answer.statusCode !== 200) throw new Error(error);
    return encryptedToken ? answer.body : JSON.parse(body).event;
  },
  async linear(body, headers, secret) {
    return new LinearWebhookClient(secret).parseData(Buffer.from(body), headers["linear-signature"]).type;
  },
  async hubspot(requestBody, headers, clientSecret, url) {
    const signature = headers["x-hubspot-signature-v3"];
    const timestamp = Number(headers["x-hubspot-request-timestamp"]);
    const asked = { signatureVersion: "v3", clientSecret, requestBody, url, timestamp, signature };
    if (!Signature.isValid(asked)) throw new Error("the signature");
    return JSON.parse(requestBody)[0].subscriptionType;
  },
  async square(body, headers, secret, url) {
    const signatureHeader = headers["x-square-hmacsha256-signature"];
    const asked = { requestBody: body, signatureHeader, signatureKey: secret, notificationUrl: url };
    if (!(await WebhooksHelper.verifySignature(asked))) throw new Error("the signature");
    return JSON.parse(body).type;
  },
  async twilio(body, headers, secret, url) {
    const form = Object.fromEntries(new URLSearchParams(body));
    if (!twilio.validateRequest(secret, headers["x-twilio-signature"], url, form)) throw new Error("the signature");
    return form.MessageSid ?? form.CallSid;
  },
  async discord(body, headers, secret) {
    const [signature, time] = [headers["x-signature-ed25519"], headers["x-signature-timestamp"]];
    if (!(await verifyKey(body, signature, time, secret))) throw new Error("the signature");
    return JSON.parse(body).event.type;
  },
  async svix(body, headers, secret) {
    return Object.keys(new Webhook(secret).verify(body, headers)).join();
  },
  // The library reads events; who sends them is the bearer token's matter.
  async cloudevents(body, headers, secret) {
    if (headers.authorization !== `Bearer ${secret}`) throw new Error("the token");
    const event = HTTP.toEvent({ headers, body });
    event.validate();
    return event.type;
  },
};
verify.cloudevents_binary = verify.cloudevents;

for await (const line of createInterface({ input: process.stdin })) {
  const { dialect, secret, headers, body, url } = JSON.parse(line);
  try {
    const understood = await verify[dialect](Buffer.from(body, "base64").toString("utf8"), headers, secret, url);
    console.log(`accepted ${understood}`);
  } catch (error) {
    console.log(`refused ${error.message.split("\n")[0]}`);
  }
}
