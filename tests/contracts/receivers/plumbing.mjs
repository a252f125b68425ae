// What a guide's example leaves to its reader: an Express app that listens, and the secret. For the test it prints its
// port, then one line of JSON a request. Arguments: NODE_MODULES; the secret is in WEBHOOK_SECRET.
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const require = createRequire(join(resolve(process.argv[2]), "x"));
export const express = require("express");
export const WEBHOOK_SECRET = process.env.WEBHOOK_SECRET;

// Parses every body as express.json() does; `raw` leaves that to the routes.
export function application({ raw = false } = {}) {
  const app = express();
  app.use(report);
  if (!raw) app.use(express.json({ limit: "20mb", verify: (req, res, bytes) => (req.bytes = bytes) }));
  return app;
}

function report(req, res, next) {
  res.on("finish", () => {
    const body = (req.bytes ?? req.body ?? "").toString("utf8");
    say({ method: req.method, path: req.originalUrl, headers: req.headers, body, status: res.statusCode });
  });
  next();
}

export function listen(app) {
  const server = app.listen(0, "127.0.0.1", () => say({ port: server.address().port }));
}

function say(line) {
  process.stdout.write(JSON.stringify(line) + "\n");
}
