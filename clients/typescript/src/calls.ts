/** How an operation is called: its request is made with retries, and its reply opened. */

import { type Answered, foreign, NotReached, refused } from "./errors.js";
import { type Retries, pause } from "./retries.js";
import { VERSION } from "./generated/version.js";

/** How a client makes its calls. */
export interface Settings {
  /** The account that an admin key acts for; `default` if left out. */
  account?: string;
  /** How often a request is made again. */
  retries?: Retries;
  /** The deadline of one request; 30,000 if left out. */
  timeoutMs?: number;
  /** How requests are made; the platform's `fetch` if left out. */
  fetch?: typeof fetch;
  /** Told what a reply warns of; written to the console if left out. */
  onWarning?: (warning: string, operation: string) => void;
}

/** What every call takes. */
export interface Call {
  /** Gives up on the call. */
  signal?: AbortSignal;
}

/** What a call takes that is done once however often it is made. */
export interface Once extends Call {
  /** Stands for this request for a day; one is made if left out. */
  idempotencyKey?: string;
}

/** An operation, and what it is called with. */
export interface Asked {
  operation: string;
  method: string;
  /** With the parts that vary already filled in. */
  path: string;
  query?: object | undefined;
  headers?: Record<string, string>;
  body?: unknown;
  /** Whether the reply is text rather than JSON. */
  text?: boolean;
}

/** What does no harm where it is done twice. */
const REPEATABLE = new Set(["GET", "PUT", "PATCH", "DELETE"]);

/** Makes the calls of a client. */
export class Calls {
  readonly #url: string;
  readonly #key: string | undefined;
  readonly #settings: Settings;

  constructor(url: string, key: string | undefined, settings: Settings) {
    if (!/^https?:$/.test(new URL(url).protocol)) throw new TypeError(`${url} is no address of a server`);
    this.#url = url.replace(/\/+$/, "");
    this.#key = key;
    this.#settings = settings;
  }

  /** The same for another account. */
  forAccount(account: string): Calls {
    return new Calls(this.#url, this.#key, { ...this.#settings, account });
  }

  /** The whole reply of an operation. */
  async reply<Reply>(asked: Asked, call: Call = {}): Promise<Reply> {
    const answered = await this.#answered(asked, call);
    if (asked.text || answered.text === "") return (asked.text ? answered.text : undefined) as Reply;
    let reply: { warnings?: string[] };
    try {
      reply = JSON.parse(answered.text);
    } catch {
      throw foreign(answered);
    }
    const warn = this.#settings.onWarning ?? ((warning, operation) => console.warn(`hookwheel: ${operation}: ${warning}`));
    for (const warning of reply.warnings ?? []) warn(warning, asked.operation);
    return reply as Reply;
  }

  /** Opens a reply that comes bit by bit, until either side ends it: once, and without a deadline. */
  async open(asked: Asked, call: Call = {}): Promise<ReadableStream<Uint8Array>> {
    const { fetch: send = fetch } = this.#settings;
    const url = this.#url + asked.path + written(asked.query);
    const init: RequestInit = { method: asked.method, headers: this.#headers(asked), redirect: "manual" };
    if (call.signal) init.signal = call.signal;
    let response: Response;
    try {
      response = await send(url, init);
    } catch (cause) {
      throw new NotReached(`${asked.method} ${url}: no answer`, { cause });
    }
    if (!response.ok || !response.body) throw refused({ response, text: await response.text() });
    return response.body;
  }

  async #answered(asked: Asked, call: Call): Promise<Answered> {
    const { fetch: send = fetch, retries = {}, timeoutMs = 30_000 } = this.#settings;
    const url = this.#url + asked.path + written(asked.query);
    const headers = this.#headers(asked);
    const made = { requests: 0, pausedMs: 0, again: REPEATABLE.has(asked.method) || "Idempotency-Key" in headers };
    for (;;) {
      const deadline = AbortSignal.timeout(timeoutMs);
      const signal = call.signal ? AbortSignal.any([call.signal, deadline]) : deadline;
      const init: RequestInit = { method: asked.method, headers, redirect: "manual", signal };
      if (asked.body !== undefined) init.body = JSON.stringify(asked.body);
      const [answered, failure] = await whole(send(url, init));
      made.requests += 1;
      if (call.signal?.aborted) throw call.signal.reason;
      if (answered?.response.ok) return answered;
      const wait = pause(retries, made, answered?.response);
      if (wait === undefined) {
        throw answered ? refused(answered) : new NotReached(`${asked.method} ${url}: no answer`, { cause: failure });
      }
      made.pausedMs += wait;
      await paused(wait, call.signal);
    }
  }

  #headers(asked: Asked): Record<string, string> {
    const headers: Record<string, string> = { "User-Agent": `hookwheel-typescript/${VERSION}`, ...asked.headers };
    if (this.#key !== undefined) headers["Authorization"] = `Bearer ${this.#key}`;
    if (this.#settings.account !== undefined) headers["Hookwheel-Account"] = this.#settings.account;
    if (asked.body !== undefined) headers["Content-Type"] = "application/json";
    return headers;
  }
}

/** An answer with its body, or why there is none. */
async function whole(sent: Promise<Response>): Promise<[Answered | undefined, unknown]> {
  try {
    const response = await sent;
    return [{ response, text: await response.text() }, undefined];
  } catch (failure) {
    return [undefined, failure];
  }
}

function written(query: object | undefined): string {
  const said = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null) said.append(name, value instanceof Date ? value.toISOString() : String(value));
  }
  const text = said.toString();
  return text && `?${text}`;
}

/** Waits, unless it is given up. */
export function paused(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/** Rows of a list, and where the next page starts. */
export interface Page<Row> {
  data: Row[];
  next_cursor: string | null;
}

/** A list, newest first: iterating over it (`for await`) gives its rows, and asks for the next page where one ends. */
export class Pages<Row> implements AsyncIterable<Row> {
  constructor(
    private readonly calls: Calls,
    private readonly asked: Asked,
    private readonly call: Call | undefined,
  ) {}

  /** The list page by page, each with the cursor of the next. */
  async *pages(): AsyncGenerator<Page<Row>, void> {
    let query = this.asked.query;
    for (;;) {
      const page: Page<Row> = await this.calls.reply({ ...this.asked, query }, this.call);
      yield page;
      if (page.next_cursor === null) return;
      query = { ...query, cursor: page.next_cursor };
    }
  }

  /** The first page, from the cursor that was given. */
  page(): Promise<Page<Row>> {
    return this.calls.reply(this.asked, this.call);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Row, void> {
    for await (const page of this.pages()) yield* page.data;
  }
}
