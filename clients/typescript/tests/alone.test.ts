/** What the client does by itself: retries, errors that are not the server's, and signatures from elsewhere. */

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { inspect } from "node:util";
import * as hookwheel from "hookwheel";
import { Hookwheel, verify } from "hookwheel";
import { type Answer, Endpoint } from "./endpoint.js";

const RECEIPT = { id: "e", type: "a", created_at: "2026-01-15T09:30:00.000Z", deliveries: 0 };
const ACCEPTED: Answer = { status: 202, body: JSON.stringify({ data: RECEIPT }) };
const BUSY: Answer = {
  status: 503,
  body: '{"error":{"code":"queue_full","message":"later"}}',
  headers: { "retry-after": "0" },
};
const LOST: Answer = { status: 0 };

/** An API that answers so, one after the other. */
async function answering(test: TestContext, ...answers: Answer[]): Promise<Endpoint> {
  const api = await Endpoint.start(() => answers.shift()!);
  test.after(() => api.close());
  return api;
}

const create = (hw: Hookwheel) => hw.webhooks.create({ url: "https://example.com", events: ["*"] });

describe("requests that are made again", () => {
  it("publishes again under the same key", async (test) => {
    const limited = { status: 429, body: "{}", headers: { "retry-after": "0" } };
    const api = await answering(test, BUSY, LOST, limited, ACCEPTED);
    assert.equal((await new Hookwheel(api.url, "hw_key").events.publish("a", 1)).id, "e");
    const keys = new Set(api.arrived.map((one) => one.headers["idempotency-key"]));
    assert.deepEqual([api.arrived.length, keys.size, keys.has(undefined)], [4, 1, false]);
    assert.deepEqual([...new Set(api.arrived.map((one) => one.body))], ['{"type":"a","data":1}']);
    assert.equal(api.arrived[0]!.headers.authorization, "Bearer hw_key");
  });

  it("gives each publish a key of its own", async (test) => {
    const api = await answering(test, ACCEPTED, ACCEPTED);
    const hw = new Hookwheel(api.url, "hw_key");
    await hw.events.publish("a", 1);
    await hw.events.publish("a", 1);
    assert.notEqual(api.arrived[0]!.headers["idempotency-key"], api.arrived[1]!.headers["idempotency-key"]);
  });

  it("does not do twice what may have been done", async (test) => {
    const api = await answering(test, BUSY, LOST);
    const hw = new Hookwheel(api.url, "hw_key");
    await assert.rejects(create(hw), (error) => {
      assert(error instanceof hookwheel.Unavailable);
      assert.deepEqual([error.code, error.retryAfter], ["queue_full", 0]);
      return true;
    });
    await assert.rejects(create(hw), hookwheel.NotReached);
    assert.equal(api.arrived.length, 2);
  });

  it("gives up after so many, or where it would wait for too long", async (test) => {
    const later = { ...BUSY, headers: { "retry-after": "61" } };
    const api = await answering(test, BUSY, BUSY, BUSY, later);
    const hw = new Hookwheel(api.url, "hw_key", { retries: { count: 2 } });
    await assert.rejects(hw.events.publish("a", 1), hookwheel.Unavailable);
    assert.equal(api.arrived.length, 3);
    await assert.rejects(hw.events.publish("a", 1), hookwheel.Unavailable);
    assert.equal(api.arrived.length, 4);
  });

  it("can be given up by its caller, also while it pauses", async (test) => {
    const later = { ...BUSY, headers: { "retry-after": "30" } };
    const api = await answering(test, later);
    const stop = new AbortController();
    const published = new Hookwheel(api.url, "hw_key").events.publish("a", 1, { signal: stop.signal });
    await api.next();
    stop.abort(new Error("enough"));
    await assert.rejects(published, /enough/);
  });

  it("tells an answer of somebody else as one", async (test) => {
    const elsewhere = { status: 302, headers: { location: "/login" } };
    const api = await answering(test, { status: 404, body: "<html>" }, elsewhere);
    const hw = new Hookwheel(api.url, "hw_key");
    await assert.rejects(hw.webhooks.get("w"), (error) => error instanceof hookwheel.NotFound && error.code === "unknown");
    await assert.rejects(hw.webhooks.get("w"), (error) => error instanceof hookwheel.Refused && error.status === 302);
    assert.throws(() => new Hookwheel("hooks.example.com", "hw_key"), TypeError);
  });

  it("refuses an answer that is no reply", async (test) => {
    const api = await answering(test, { status: 200, body: "<html>" });
    const hw = new Hookwheel(api.url, "hw_key");
    await assert.rejects(hw.webhooks.get("w"), (error) => error instanceof hookwheel.Refused && error.code === "unknown");
  });

  it("shows nobody its key", () => {
    assert.doesNotMatch(inspect(new Hookwheel("http://127.0.0.1", "hw_key"), { depth: 9, showHidden: true }), /hw_key/);
  });
});

describe("what a request says", () => {
  it("leaves out what is left out, and sends null as null", async (test) => {
    const missing = { status: 404, body: "{}" };
    const api = await answering(test, missing, missing, missing);
    const hw = new Hookwheel(`${api.url}/`, "hw_key");
    await assert.rejects(hw.webhooks.change("a/b", { name: null, headers: { x: "y" } }), hookwheel.NotFound);
    await assert.rejects(hw.forAccount("acme").webhooks.get("w"), hookwheel.NotFound);
    await assert.rejects(hw.events.list({ type: "a b&c", limit: 2 }).page(), hookwheel.NotFound);
    const [changed, shown, listed] = api.arrived;
    assert.deepEqual(JSON.parse(changed!.body), { name: null, headers: { x: "y" } });
    assert.equal(changed!.path, "/api/v1/webhooks/a%2Fb");
    assert.equal(changed!.headers["hookwheel-account"], undefined);
    assert.equal(shown!.headers["hookwheel-account"], "acme");
    assert.match(String(shown!.headers["user-agent"]), /^hookwheel-typescript\/\d/);
    assert.equal(listed!.path, "/api/v1/events?type=a+b%26c&limit=2");
  });

  it("hands warnings on", async (test) => {
    const api = await answering(test, { status: 202, body: JSON.stringify({ data: RECEIPT, warnings: ["mind"] }) });
    const warnings: string[] = [];
    const onWarning = (warning: string, operation: string) => void warnings.push(`${operation}: ${warning}`);
    await new Hookwheel(api.url, "hw_key", { onWarning }).events.publish("a", 1);
    assert.deepEqual(warnings, ["events.publish: mind"]);
  });
});

// From the documentation of Standard Webhooks.
const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const BODY = '{"test": 2432232314}';
const HEADERS = {
  "Webhook-Id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
  "webhook-timestamp": "1614265330",
  "webhook-signature": "v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v2,x",
};
const at = (seconds: number) => ({ now: new Date((1614265330 + seconds) * 1000) });

describe("which requests are the server's", () => {
  it("accepts a signature from elsewhere", async () => {
    for (const payload of [BODY, new TextEncoder().encode(BODY)]) {
      assert.deepEqual(await verify(payload, HEADERS, SECRET, at(0)), { test: 2432232314 });
    }
    await verify(BODY, new Headers(HEADERS), ["whsec_AAAA", SECRET], at(299));
  });

  it("accepts nothing else", async () => {
    const refused = (why: RegExp, change: { body?: string; secret?: string; seconds?: number; headers?: object }) => {
      const { body = BODY, secret = SECRET, seconds = 0, headers = {} } = change;
      const told = (error: unknown) => error instanceof hookwheel.NotVerified && why.test(error.message);
      return assert.rejects(verify(body, { ...HEADERS, ...headers }, secret, at(seconds)), told);
    };
    await refused(/signature/, { body: `${BODY} ` });
    await refused(/signature/, { secret: "whsec_AAAA" });
    await refused(/signature/, { headers: { "webhook-signature": "v1," } });
    await refused(/signature/, { headers: { "webhook-signature": "v1,☃" } });
    await refused(/too far/, { seconds: 301 });
    await refused(/too far/, { seconds: -301 });
    await refused(/no time/, { headers: { "webhook-timestamp": "soon" } });
    await refused(/missing/, { headers: { "webhook-signature": undefined } });
    for (const secret of ["", "whsec_", "whsec_?"]) await assert.rejects(verify(BODY, HEADERS, secret, at(0)), TypeError);
  });
});
