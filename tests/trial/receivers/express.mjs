// Receivers in Express: right ones, and some with a planted mistake. POST /CONTRACT/MISTAKE; "none" is a right one.
// Arguments: NODE_MODULES, and JSON with the secrets of each contract, the new one first. Prints its port.
import crypto from "node:crypto";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const express = createRequire(join(resolve(process.argv[2]), "x"))("express");
const secrets = JSON.parse(process.argv[3]);
const TOLERANCE_SECONDS = 300;
const TYPES = ["test.ping", "user.created", "invoice.paid"];

const hmacHex = (secret, message) => crypto.createHmac("sha256", secret).update(message).digest("hex");
const inHex = { parts: (text) => [text.replace(/^sha256=/, "")], signed: ({ body }) => body, sign: hmacHex };

/** Where a contract's signatures stand, what they sign, and what one is; and where it has a time and an id. */
const contracts = {
  standard: {
    header: "webhook-signature",
    time: "webhook-timestamp",
    parts: (text) => text.split(" ").map((part) => part.replace(/^v1,/, "")),
    signed: ({ id, time, body }) => Buffer.concat([Buffer.from(time === null ? `${id}.` : `${id}.${time}.`), body]),
    sign: (secret, message) =>
      crypto.createHmac("sha256", Buffer.from(secret.replace(/^whsec_/, ""), "base64")).update(message).digest("base64"),
    id: (req) => req.headers["webhook-id"],
  },
  taskflow: { header: "x-taskflow-signature", ...inHex, id: (req) => JSON.parse(req.body).id },
  daycopilot: { header: "x-daycopilot-signature", ...inHex, id: (req) => JSON.parse(req.body).id },
  discord: {
    header: "x-signature-ed25519",
    time: "x-signature-timestamp",
    parts: (text) => [text],
    signed: ({ time, body }) => Buffer.concat([Buffer.from(time), body]),
    verify: (publicKey, message, signature) => {
      const der = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), Buffer.from(publicKey, "hex")]);
      const key = crypto.createPublicKey({ key: der, format: "der", type: "spki" });
      return crypto.verify(null, message, key, Buffer.from(signature, "hex"));
    },
  },
};

function isGenuine(req, contract, known, mistake) {
  const header = (name) => (mistake === "one_case" ? inOneCase(req, name) : req.headers[name]);
  const given = header(contract.header);
  if (given === undefined) return mistake === "unsigned_too";
  let time = null;
  if (contract.time && mistake !== "without_time") {
    time = header(contract.time);
    const isNear = Math.abs(Date.now() / 1000 - Number(time)) <= TOLERANCE_SECONDS;
    if (!isNear && mistake !== "any_age") return false;
  }
  const body = mistake === "parsed_body" ? Buffer.from(JSON.stringify(JSON.parse(req.body))) : req.body;
  const message = contract.signed({ id: contract.id?.(req), time, body });
  const isRight = (part) => keys.some((key) => matches(contract, key, message, part, mistake));
  const keys = mistake === "new_secret_only" ? known.slice(0, 1) : known;
  const parts = contract.parts(given);
  if (mistake === "first_signature_only") return isRight(parts[0]);
  return mistake === "all_signatures" ? parts.every(isRight) : parts.some(isRight);
}

function matches(contract, key, message, given, mistake) {
  if (contract.verify) return contract.verify(key, message, given);
  const expected = contract.sign(key, message);
  if (mistake === "as_much_as_sent") return expected.startsWith(given);
  const isAsLong = expected.length === given.length;
  // timingSafeEqual throws where the lengths differ, which Express answers with 500.
  if (!isAsLong && mistake !== "throws") return false;
  return crypto.timingSafeEqual(Buffer.from(expected), Buffer.from(given));
}

function inOneCase(req, name) {
  const at = req.rawHeaders.findIndex((known, n) => n % 2 === 0 && known === name);
  return at < 0 ? undefined : req.rawHeaders[at + 1];
}

const app = express();
const seen = new Set();

app.post("/:contract/:mistake", (req, res, next) => {
  const limit = req.params.mistake === "small_limit" ? "100kb" : "30mb";
  express.raw({ type: () => true, limit })(req, res, next);
});

app.post("/:contract/:mistake", (req, res) => {
  const { contract: name, mistake } = req.params;
  const contract = contracts[name];
  if (mistake === "answers_first") res.sendStatus(200);
  const event = JSON.parse(req.body);
  const isQuestion = event.type === "webhook.verification" || (name === "discord" && event.type === 0);
  const isTakenUnseen = mistake === "no_verification" || (mistake === "believes_questions" && isQuestion);
  if (!isTakenUnseen && !isGenuine(req, contract, secrets[name], mistake)) {
    if (!res.headersSent) res.sendStatus(401);
    return;
  }
  if (res.headersSent) return;
  if (isQuestion) {
    res.json(mistake === "wrong_answer" ? { ok: true } : { challenge: event.challenge });
    return;
  }
  if (mistake === "closed_schema" && Object.keys(event).some((key) => !["type", "timestamp", "data"].includes(key))) {
    res.sendStatus(400);
    return;
  }
  if (mistake === "known_types" && !TYPES.includes(event.type)) {
    res.sendStatus(400);
    return;
  }
  const id = `${mistake} ${contract.id?.(req)}`;
  if (mistake === "refuses_repeated" && seen.has(id)) {
    res.sendStatus(409);
    return;
  }
  seen.add(id);
  res.sendStatus(204);
});

// Errors are answered without the stack that Express prints.
app.use((error, req, res, next) => (res.headersSent ? next() : res.sendStatus(error.status ?? 500)));

const server = app.listen(0, "127.0.0.1", () => console.log(server.address().port));
