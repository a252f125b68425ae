/** The client: what a program makes once and uses everywhere. */

import { Calls, type Once, type Settings } from "./calls.js";
import { Api, EventsApi } from "./generated/operations.js";
import { PullingWebhooks } from "./pulling.js";
import { Streaming } from "./streaming.js";
import type { EventPublish, EventReceipt } from "./generated/schema.js";

/** What an event says beside its type and its data, and how it is published. */
export interface Publishing extends Once, Omit<EventPublish, "type" | "data"> {}

/** Events: publishing, and what became of them. */
export class PublishingEvents extends EventsApi {
  /**
   * Publishes an event; resolves once it is safe on disk. Tried again, it is still accepted once.
   *
   * @param type Such as `task.created`.
   * @param data Any JSON; receivers get it as it is written here.
   */
  async publish(type: string, data: unknown, options: Publishing = {}): Promise<EventReceipt> {
    const { idempotencyKey, signal, ...fields } = options;
    return this.#send<EventReceipt>({ type, data, ...fields }, idempotencyKey, signal);
  }

  /** Publishes up to 1,000 events: all of them are accepted, or none. */
  async publishBatch(
    events: readonly EventPublish[],
    { idempotencyKey, signal }: Once = {},
  ): Promise<EventReceipt[]> {
    return this.#send<EventReceipt[]>(events, idempotencyKey, signal);
  }

  async #send<Told>(body: unknown, key: string | undefined, signal: AbortSignal | undefined): Promise<Told> {
    // A key of its own lets the request be made again without an event being accepted twice.
    const headers = { "Idempotency-Key": key ?? crypto.randomUUID() };
    const asked = { operation: "events.publish", method: "POST", path: "/api/v1/events", headers, body };
    const reply = await this.calls.reply<{ data: Told }>(asked, signal ? { signal } : {});
    return reply.data;
  }
}

/** A client of a server: `new Hookwheel(url, key).events.publish("task.created", { id: 1 })`. */
export class Hookwheel extends Api {
  override readonly events: PublishingEvents;
  override readonly webhooks: PullingWebhooks;
  override readonly stream: Streaming;
  readonly #calls: Calls;

  /**
   * @param url Where the server is, such as `https://hooks.example.com`.
   * @param key An API key, `hw_…`.
   */
  constructor(url: string | Calls, key?: string, settings: Settings = {}) {
    const calls = url instanceof Calls ? url : new Calls(url, key, settings);
    super(calls);
    this.#calls = calls;
    this.events = new PublishingEvents(calls);
    this.webhooks = new PullingWebhooks(calls);
    this.stream = new Streaming(calls);
  }

  /** The same client acting for another account. */
  forAccount(account: string): Hookwheel {
    return new Hookwheel(this.#calls.forAccount(account));
  }
}
