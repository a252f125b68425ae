/** A day of use, against a server that runs: HOOKWHEEL_URL and HOOKWHEEL_KEY name it and its admin key. */

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import * as hookwheel from "hookwheel";
import { type DeliveryState, Hookwheel, type Job, verify, type Webhook, type WebhookCreate } from "hookwheel";
import { type Arrived, Endpoint, until } from "./endpoint.js";

const { HOOKWHEEL_URL: url = "", HOOKWHEEL_KEY: adminKey = "" } = process.env;
const admin = new Hookwheel(url, adminKey);

/** An id that nobody has. */
const newly = (name: string): string => `${name}-${randomUUID().slice(0, 12)}`;

async function rows<Row>(list: AsyncIterable<Row>): Promise<Row[]> {
  const all: Row[] = [];
  for await (const row of list) all.push(row);
  return all;
}

/** Each test has an account of its own, and the account an endpoint. */
describe("a day", () => {
  let endpoint: Endpoint;
  let isDown = false;
  before(async () => {
    endpoint = await Endpoint.start(() => ({ status: isDown ? 500 : 204 }));
  });
  after(() => endpoint.close());

  async function account(): Promise<{ id: string; hw: Hookwheel }> {
    const { id } = await admin.accounts.create({ id: newly("day"), name: "A day" });
    const { key } = await admin.accounts.keys.create(id, { scopes: ["publish", "manage", "read"], name: "the day's" });
    assert(key !== undefined);
    return { id, hw: new Hookwheel(url, key) };
  }

  async function webhook(hw: Hookwheel, fields: Partial<WebhookCreate> = {}): Promise<{ made: Webhook; secret: string }> {
    const made = await hw.webhooks.create({ url: `${endpoint.url}/hook`, events: ["task.*"], max_retries: 0, ...fields });
    const { secret } = await hw.webhooks.secret.get(made.id);
    assert(secret !== null);
    return { made, secret };
  }

  const delivery = (hw: Hookwheel, id: string, state: DeliveryState) =>
    until(() => hw.deliveries.get(id), (one) => one.state === state);
  const verified = (arrived: Arrived, secret: string | string[]) => verify(arrived.body, arrived.headers, secret);

  it("delivers what is published, and the receiver verifies it", async () => {
    const { id, hw } = await account();
    const { made, secret } = await webhook(hw, { name: "Mine", headers: { "x-team": "orders" } });
    assert.deepEqual([made.status, made.account], ["active", id]);
    const data = { id: 1, title: "Grüße" };
    const receipt = await hw.events.publish("task.created", data, { metadata: { region: "eu" } });
    assert.deepEqual([receipt.type, receipt.deliveries], ["task.created", 1]);
    const arrived = await endpoint.next();
    assert.deepEqual([arrived.path, arrived.headers["x-team"]], ["/hook", "orders"]);
    const body = await verified(arrived, secret);
    assert.deepEqual([body.type, body.data], ["task.created", data]);
    await assert.rejects(verify(`${arrived.body} `, arrived.headers, secret), hookwheel.NotVerified);
    assert.deepEqual((await hw.events.get(receipt.id)).data, data);
    const [first] = await rows(hw.events.deliveries.list(receipt.id));
    const shown = await delivery(hw, first!.id, "succeeded");
    assert.deepEqual([shown.cause, shown.attempts?.[0]?.status_code], ["accept", 204]);
  });

  it("pulls, verifies, acknowledges and refuses", async () => {
    const { hw } = await account();
    const made = await hw.webhooks.create({ mode: "pull", events: ["task.*"], max_retries: 0 });
    const { secret } = await hw.webhooks.secret.get(made.id);
    await hw.events.publishBatch([0, 1].map((data) => ({ type: "task.created", data })));
    const seen: unknown[] = [];
    for await (const pulled of hw.webhooks.pull(made.id)) {
      seen.push((await pulled.verify(secret!)).data);
      await pulled.extend(60);
      await (seen.length === 1 ? pulled.ack() : pulled.nack("enough"));
      await delivery(hw, pulled.lease.delivery_id, seen.length === 1 ? "succeeded" : "dead");
      if (seen.length === 2) break;
    }
    assert.deepEqual(seen, [0, 1]);
  });

  it("tells what happens as it happens, and from a place on", async () => {
    const { hw } = await account();
    const stream = hw.stream.follow({ kind: "event", event_type: "task.*" });
    const seen: hookwheel.Message[] = [];
    const first = stream.next().then(({ value }) => seen.push(value as hookwheel.Message));
    while (seen.length === 0) {
      await hw.events.publish("order.paid", 1);
      await hw.events.publish("task.created", 1);
    }
    await first;
    await stream.return();
    const begun = seen[0]!;
    assert.deepEqual([begun.kind, begun.data["type"]], ["event", "task.created"]);
    const id = newly("last");
    await hw.events.publish("task.created", 2, { id });
    const since: hookwheel.Message[] = [];
    for await (const one of hw.stream.follow({ last_event_id: begun.id!, forever: false })) since.push(one);
    assert.equal(since.at(-1)!.data["id"], id);
    await assert.rejects(hw.stream.follow({ last_event_id: "nothing" }).next(), (error) => error instanceof hookwheel.BadRequest);
  });

  it("accepts events once and batches whole", async () => {
    const { hw } = await account();
    const id = newly("order");
    const first = await hw.events.publish("task.created", 1, { id });
    const again = await hw.events.publish("task.created", 1, { id });
    assert.deepEqual([first.id, again.id, again.duplicate], [id, id, true]);
    await assert.rejects(hw.events.publish("task.created", 2, { id }), (error) => {
      assert(error instanceof hookwheel.Conflict);
      assert.equal(error.code, "event_id_conflict");
      return true;
    });
    const idempotencyKey = newly("key");
    const one = await hw.events.publish("task.created", { n: 1 }, { idempotencyKey });
    assert.equal((await hw.events.publish("task.created", { n: 1 }, { idempotencyKey })).id, one.id);
    const batch = Array.from({ length: 120 }, (_, n) => ({ type: "task.done", data: n }));
    const receipts = await hw.events.publishBatch(batch);
    const wrong = hw.events.publishBatch([batch[0]!, { type: "no good", data: 2 }]);
    await assert.rejects(wrong, (error) => error instanceof hookwheel.BadRequest && error.field === "[1].type");
    // Three pages, of which the caller sees one list; newest first.
    const listed = await rows(hw.events.list({ type: "task.done", limit: 50 }));
    assert.deepEqual(listed.map((event) => event.id), receipts.map((receipt) => receipt.id).reverse());
    const page = await hw.events.list({ limit: 5 }).page();
    assert.deepEqual([page.data.length, page.next_cursor === null], [5, false]);
  });

  it("refuses what does not fit the schema of its type", async () => {
    const { hw } = await account();
    const schema = { type: "object", properties: { amount: { type: "number" } } };
    const made = await hw.eventTypes.create({ type: "order.paid", schema, validation: "refuse" });
    assert.deepEqual([made.type, made.validation], ["order.paid", "refuse"]);
    await assert.rejects(hw.events.publish("order.paid", { amount: "a" }), (error) => {
      assert(error instanceof hookwheel.DoesNotFit);
      assert.deepEqual(error.faults.map((fault) => fault.field), ["data/amount"]);
      return true;
    });
    const loaded = await hw.eventTypes.load({ document: { $defs: { "order.gone": { type: "object" } } } });
    assert.deepEqual(loaded.created, ["order.gone"]);
    assert.notEqual((await hw.eventTypes.change("order.gone", { retired: true })).retired_at, null);
    const listed = await rows(hw.eventTypes.list());
    assert.deepEqual(listed.slice(0, 2).map((one) => one.type), ["order.gone", "order.paid"]);
    await hw.eventTypes.delete("order.gone");
  });

  it("changes, holds, tests and deletes a webhook", async () => {
    const { hw } = await account();
    const { made } = await webhook(hw, { name: "to be cleared" });
    const changed = await hw.webhooks.change(made.id, { name: null, events: ["*"] });
    assert.deepEqual([changed.name, changed.events], [null, ["*"]]);
    assert.equal((await hw.webhooks.pause(made.id)).status, "paused");
    const receipt = await hw.events.publish("task.created", 1);
    const held = await rows(hw.webhooks.deliveries.list(made.id, { state: "held" }));
    assert.deepEqual(held.map((one) => one.event_id), [receipt.id]);
    assert.equal((await hw.webhooks.resume(made.id)).status, "active");
    await endpoint.next();
    assert.equal((await hw.webhooks.test(made.id)).success, true);
    await endpoint.next();
    await hw.webhooks.delete(made.id);
    await assert.rejects(hw.webhooks.get(made.id), hookwheel.NotFound);
  });

  it("puts many webhooks there and sends them what was before them", async () => {
    const { hw } = await account();
    const receipt = await hw.events.publish("task.created", { n: 1 });
    const many = [0, 1].map((n) => ({ url: endpoint.url, events: ["*"], uid: `many-${n}` }));
    assert.deepEqual((await hw.webhooks.bulk.put(many)).map((one) => one.status), [201, 201]);
    assert.deepEqual((await hw.webhooks.bulk.put(many, { mode: "each" })).map((one) => one.status), [200, 200]);
    const job = (await hw.events.replay(receipt.id, {}, { idempotencyKey: "again" })) as Job;
    assert.equal((await hw.events.replay(receipt.id, {}, { idempotencyKey: "again" }) as Job).id, job.id);
    await endpoint.next();
    await endpoint.next();
    const gone = (await hw.webhooks.bulk.delete({ ids: ["many-0", "many-1"] })) as Job;
    assert.deepEqual([gone.kind, gone.ids], ["delete", 2]);
  });

  it("replays what died, one by one and as a job", async () => {
    const { hw } = await account();
    const { made, secret } = await webhook(hw);
    isDown = true;
    const receipts = await hw.events.publishBatch([0, 1, 2].map((data) => ({ type: "task.created", data })));
    const dead = await Promise.all(receipts.map(async (one) => (await hw.events.deliveries.list(one.id).page()).data[0]!));
    for (const one of dead) {
      await endpoint.next();
      await delivery(hw, one.id, "dead");
    }
    isDown = false;
    const listed = await rows(hw.deadLetters.list({ webhook: made.id }));
    assert.deepEqual(listed.map((one) => one.id).sort(), dead.map((one) => one.id).sort());
    const counted = await hw.deadLetters.replay({ webhook: made.id, dry_run: true });
    assert("count" in counted && counted.count === 3);
    const replay = await hw.deliveries.replay(made.id, dead[0]!.id);
    assert.equal(replay.replay_of, dead[0]!.id);
    assert.equal((await verified(await endpoint.next(), secret)).data, 0);
    await delivery(hw, replay.delivery_id, "succeeded");
    const job = (await hw.deadLetters.replay({ webhook: made.id })) as Job;
    const ended = await until(() => hw.jobs.get(job.id), (one) => one.state !== "running");
    assert.deepEqual([ended.state, ended.done], ["done", 2]);
    const again = [await verified(await endpoint.next(), secret), await verified(await endpoint.next(), secret)];
    assert.deepEqual(again.map((body) => body.data).sort(), [1, 2]);
    assert.deepEqual(await rows(hw.deadLetters.list()), []);
  });

  it("rotates secrets, and verifies pairs", async () => {
    const { hw } = await account();
    const { made, secret: old } = await webhook(hw);
    const { secret } = await hw.webhooks.secret.rotate(made.id);
    assert(secret !== null && secret !== old);
    await hw.events.publish("task.created", 1);
    const arrived = await endpoint.next();
    for (const one of [old, secret, [old, secret]]) await verified(arrived, one);
    await hw.webhooks.delete(made.id);
    const pair = await hw.webhooks.create({ url: endpoint.url, events: ["*"], signing: "ed25519" });
    const { public_key } = await hw.webhooks.secret.get(pair.id);
    assert(public_key !== null && public_key.startsWith("whpk_"));
    await hw.events.publish("task.created", 1);
    const signed = await endpoint.next();
    await verified(signed, public_key);
    await assert.rejects(verify(`${signed.body} `, signed.headers, public_key), hookwheel.NotVerified);
  });

  it("tells what cannot be done by its kind", async () => {
    const { hw } = await account();
    await assert.rejects(hw.webhooks.create({ url: "no url", events: ["*"] }), (error) => {
      assert(error instanceof hookwheel.BadRequest && error instanceof hookwheel.Refused);
      assert.deepEqual([error.name, error.status, error.field], ["BadRequest", 400, "url"]);
      return true;
    });
    await assert.rejects(rows(hw.accounts.list()), hookwheel.Forbidden);
    await assert.rejects(new Hookwheel(url, "hw_nobody").events.publish("task.created", 1), hookwheel.Unauthorized);
    await assert.rejects(hw.events.get("nothing"), hookwheel.NotFound);
  });

  it("lets an admin act for an account and look around", async () => {
    const { id, hw } = await account();
    const acting = admin.forAccount(id);
    const receipt = await acting.events.publish("task.created", 1);
    assert.equal((await hw.events.get(receipt.id)).id, receipt.id);
    const made = await acting.webhooks.create({ url: endpoint.url, events: ["*"] });
    const actions = (await rows(acting.audit.list({ target: made.id }))).map((entry) => entry.action);
    assert(actions.includes("webhook.created"), actions.join());
    assert.equal((await acting.stats.get({ step: "hour" })).total.accepted, 1);
    assert((await rows(admin.dialects.list())).some((one) => one.name === "standard"));
    assert.match(await admin.health.metrics.get(), /^# /);
  });

  it("shows an account, takes it along, and empties it", async () => {
    const { id, hw } = await account();
    const who = await hw.accounts.whoami.get();
    assert.deepEqual([who.account.id, who.is_admin], [id, false]);
    const link = await hw.accounts.portal.create(id, { abilities: ["view"], session_minutes: 5 });
    assert.match(link.url, /\/portal\/enter\//);
    assert.equal((await hw.accounts.portal.revoke(id)).links, 1);
    const receipt = await hw.events.publish("task.created", "to be gone");
    const lines = (await hw.accounts.export(id)).trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual([lines[0].kind, lines.at(-1).kind], ["account", "end"]);
    assert(lines.some((line) => line.kind === "event" && JSON.stringify(line).includes(receipt.id)));
    assert.equal(await hw.events.delete(receipt.id), undefined);
    await assert.rejects(hw.events.get(receipt.id), hookwheel.NotFound);
  });
});
