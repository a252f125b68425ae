// Verifies saved requests with code that is not Hookwheel's: verify_received.mjs DIRECTORY NODE_MODULES
//
// For each dialect a folder with NAME.headers (JSON) and NAME.body (as it came), secrets.json with the secrets, and
// payloads/ with what was posted as data, named by event id.
import { createHmac, timingSafeEqual } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const [root, modules] = process.argv.slice(2);
const { Webhook } = createRequire(join(resolve(modules), "x"))("standardwebhooks");
const secrets = JSON.parse(readFileSync(join(root, "secrets.json")));

function must(holds, what) {
  if (!holds) throw new Error(what);
}

const verify = {
  standard(body, headers, secret) {
    new Webhook(secret).verify(body, headers);
  },
  taskflow(body, headers, secret) {
    const expected = Buffer.from("sha256=" + createHmac("sha256", secret).update(body).digest("hex"));
    must(timingSafeEqual(expected, Buffer.from(headers["x-taskflow-signature"])), "the signature does not match");
    // What a receiver has that parses the body and writes it again.
    must(JSON.stringify(JSON.parse(body)) === body, "the body is not as JSON.stringify writes it");
    const { id, data } = JSON.parse(body);
    const posted = JSON.parse(readFileSync(join(root, "payloads", id), "utf8"));
    must(JSON.stringify(data) === JSON.stringify(posted), "the data is not what was posted");
  },
};

for (const [dialect, check] of Object.entries(verify)) {
  const folder = join(root, dialect);
  const names = readdirSync(folder).filter((name) => name.endsWith(".headers"));
  for (const name of names) {
    const body = readFileSync(join(folder, name.replace(/headers$/, "body")), "utf8");
    try {
      check(body, JSON.parse(readFileSync(join(folder, name))), secrets[dialect]);
    } catch (error) {
      console.error(`${dialect}/${name}: ${error}`);
      process.exit(1);
    }
  }
  console.log(`${dialect} ${names.length}`);
}
