/**
 * Pulling: a consumer's loop over the deliveries of a webhook that has `mode: "pull"`. What stays true: what is left without a
 * word is not lost; its lease runs out, and it comes again.
 */

import type { Call } from "./calls.js";
import { WebhooksApi } from "./generated/operations.js";
import type { Lease } from "./generated/schema.js";
import { type Delivered, verify, type Verifying } from "./receiving.js";

/** How deliveries are pulled. */
export interface Pulling extends Call {
  /** So many are handed over at once, up to 100; 1 if left out. The leases of all of them begin then. */
  limit?: number;
  /** How long you have for each, in seconds; 30 if left out. */
  lease?: number;
  /** Whether it waits for more, or ends where none came within 20 seconds; true if left out. */
  forever?: boolean;
}

const WAIT_SECONDS = 20;
const REASON_CHARS_MAX = 500;

/** A delivery that was pulled. */
export class Pulled {
  constructor(
    private readonly api: WebhooksApi,
    private readonly webhook: string,
    /** All that the server says of it. */
    readonly lease: Lease,
  ) {}

  /** The body, byte for byte. */
  get body(): Uint8Array {
    if (this.lease.body_encoding === "text") return new TextEncoder().encode(this.lease.body);
    return Uint8Array.from(atob(this.lease.body), (char) => char.charCodeAt(0));
  }

  /** Checks the signature and gives the body as parsed JSON. */
  verify<Body = Delivered>(secret: string | readonly string[], how: Verifying = {}): Promise<Body> {
    return verify<Body>(this.body, this.lease.headers, secret, how);
  }

  /** It is done. Saying it again changes nothing; `Conflict` if the lease has run out. */
  async ack(call: Call = {}): Promise<void> {
    await this.api.leases.ack(this.webhook, { leases: [this.lease.lease] }, call);
  }

  /** It could not be done: it comes again by the webhook's schedule. */
  async nack(reason?: string, call: Call = {}): Promise<void> {
    const why = reason ? { reason: [...reason].slice(0, REASON_CHARS_MAX).join("") } : {};
    await this.api.leases.nack(this.webhook, { leases: [this.lease.lease], ...why }, call);
  }

  /** It takes so much longer, from now. */
  async extend(seconds: number, call: Call = {}): Promise<void> {
    await this.api.leases.extend(this.webhook, { leases: [this.lease.lease], seconds }, call);
  }
}

/** Registered endpoints, and consumers that pull. */
export class PullingWebhooks extends WebhooksApi {
  /**
   * The deliveries of a webhook with `mode: "pull"`, as they come: `for await (const delivery of hw.webhooks.pull(id)) …`.
   *
   * @param webhook Its id, or your own id for it.
   */
  async *pull(webhook: string, options: Pulling = {}): AsyncGenerator<Pulled, void> {
    const { limit = 1, lease = 30, forever = true, ...call } = options;
    for (;;) {
      const leases = await this.leases.pull(webhook, { limit, wait: WAIT_SECONDS, lease }, call);
      for (const one of leases) yield new Pulled(this, webhook, one);
      if (leases.length === 0 && !forever) return;
    }
  }
}
