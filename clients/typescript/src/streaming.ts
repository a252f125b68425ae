/**
 * Watching: what happens, as it happens. What stays true: who reads on is told each message once and in order, over as many
 * connections as it takes; where something is missing, a message of the kind `gap` says so.
 */

import { type Call, paused } from "./calls.js";
import { NotReached, TooMuch, Unavailable } from "./errors.js";
import { StreamApi } from "./generated/operations.js";

/** Something that happened. */
export interface Message {
  /** Where to go on from: see `last_event_id`. */
  id: string | undefined;
  /** `gap`: something is missing here. */
  kind: "event" | "attempt" | "dead" | "gap" | (string & {});
  /** What there is to say of it. */
  data: Record<string, unknown>;
}

/** What is told. */
export interface Following extends Call {
  /** Only what is about this webhook. */
  webhook?: string;
  /** Only of this type, or of those that a filter such as `task.*` lets through. */
  event_type?: string;
  /** Only of this kind. */
  kind?: "event" | "attempt" | "dead";
  /** Only attempts with this answer, such as `503` or `5xx`. */
  status_code?: string;
  /** Only attempts of which this came, such as `timeout`. */
  outcome?: string;
  /** Of all accounts, for the operator's key. */
  accounts?: "all";
  /** Behind the message of this id; from now on, if left out. */
  last_event_id?: string;
  /** Whether it waits for more, or ends once all is told that happened by now; true if left out. */
  forever?: boolean;
}

const PAUSE_MS = 3_000;

/** What happens, as it happens. */
export class Streaming extends StreamApi {
  /** Events that are accepted, attempts that are recorded, deliveries that die: `for await (const message of hw.stream.follow()) …`. */
  async *follow(options: Following = {}): AsyncGenerator<Message, void> {
    const { forever = true, signal, last_event_id, ...said } = options;
    const place = { last: last_event_id, pauseMs: PAUSE_MS };
    for (;;) {
      let wait: number | undefined;
      try {
        const query = { ...said, last_event_id: place.last, ...(forever ? {} : { follow: "false" }) };
        const headers = { Accept: "text/event-stream" };
        const asked = { operation: "stream.follow", method: "GET", path: "/api/v1/stream", query, headers };
        const body = await this.calls.open(asked, signal ? { signal } : {});
        yield* messages(body, place);
      } catch (error) {
        if (signal?.aborted) throw signal.reason;
        const passes = error instanceof TooMuch || error instanceof Unavailable;
        if (!forever || !(passes || error instanceof NotReached)) throw error;
        wait = passes && error.retryAfter !== undefined ? error.retryAfter * 1000 : undefined;
      }
      if (!forever) return;
      await paused(wait ?? place.pauseMs, signal);
    }
  }
}

/** The messages of one connection; what a block says of the place is kept there. */
async function* messages(
  body: ReadableStream<Uint8Array>,
  place: { last: string | undefined; pauseMs: number },
): AsyncGenerator<Message, void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await read(reader);
      if (done) return;
      text += decoder.decode(value, { stream: true });
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
        const block = text.slice(0, end);
        text = text.slice(end + 2);
        const said = fields(block);
        place.last = said.id ?? place.last;
        if (said.retry !== undefined && /^\d+$/.test(said.retry)) place.pauseMs = Number(said.retry);
        if (said.data !== undefined) yield { id: said.id, kind: said.event ?? "message", data: JSON.parse(said.data) };
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

async function read(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<ReadableStreamReadResult<Uint8Array>> {
  try {
    return await reader.read();
  } catch (cause) {
    throw new NotReached("GET /api/v1/stream: it broke off", { cause });
  }
}

function fields(block: string): Record<string, string | undefined> {
  const said: Record<string, string | undefined> = {};
  for (const line of block.split("\n")) {
    const at = line.indexOf(":");
    const name = at < 0 ? line : line.slice(0, at);
    const value = at < 0 ? "" : line.slice(at + 1).replace(/^ /, "");
    if (name) said[name] = name === "data" && said["data"] !== undefined ? `${said["data"]}\n${value}` : value;
  }
  return said;
}
