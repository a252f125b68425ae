// Verifies requests with the libraries of the companies whose contracts they look like: lookalikes.mjs NODE_MODULES
//
// Each line is {dialect, secret, headers, body (base64)}; the answer is a line: "accepted ..." or "refused ...".
import { createHmac } from "node:crypto";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const modules = resolve(process.argv[2]);
const require = createRequire(join(modules, "x"));
// A package of ES modules only, which require() does not take.
const github = await import(pathToFileURL(join(modules, "@octokit/webhooks-methods/dist-node/index.js")));
const Stripe = require("stripe");
require("@shopify/shopify-api/adapters/node");
const { ApiVersion, shopifyApi } = require("@shopify/shopify-api");

const TOLERANCE_SECONDS = 300;

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
};

for await (const line of createInterface({ input: process.stdin })) {
  const { dialect, secret, headers, body } = JSON.parse(line);
  try {
    const understood = await verify[dialect](Buffer.from(body, "base64").toString("utf8"), headers, secret);
    console.log(`accepted ${understood}`);
  } catch (error) {
    console.log(`refused ${error.message.split("\n")[0]}`);
  }
}
