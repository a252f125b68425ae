/** Servers for the tests: an endpoint that webhooks deliver to, and an API that answers as a test tells it. */

import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** A request that came. */
export interface Arrived {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/** What it is answered; status 0 closes the connection without a word. */
export interface Answer {
  status: number;
  body?: string;
  headers?: Record<string, string>;
}

const DEADLINE_MS = 60_000;

/** Listens on this machine until it is closed; hands over what comes. */
export class Endpoint {
  readonly arrived: Arrived[] = [];
  #waiting: ((arrived: Arrived) => void)[] = [];

  private constructor(private readonly server: Server) {}

  static async start(answer: (arrived: Arrived) => Answer): Promise<Endpoint> {
    const server = createServer(async (request, response) => {
      const pieces: Buffer[] = [];
      for await (const piece of request) pieces.push(piece as Buffer);
      const { method = "", url = "", headers } = request;
      const arrived = { method, path: url, headers, body: Buffer.concat(pieces).toString() };
      const answered = answer(arrived);
      endpoint.#take(arrived);
      if (answered.status === 0) return void request.socket.destroy();
      response.writeHead(answered.status, answered.headers).end(answered.body);
    });
    const endpoint = new Endpoint(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return endpoint;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** The next request; waits for it. */
  next(): Promise<Arrived> {
    const first = this.arrived.shift();
    if (first) return Promise.resolve(first);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("nothing arrived in time")), DEADLINE_MS);
      this.#waiting.push((arrived) => {
        clearTimeout(timer);
        resolve(arrived);
      });
    });
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  #take(arrived: Arrived): void {
    const waiting = this.#waiting.shift();
    if (waiting) waiting(arrived);
    else this.arrived.push(arrived);
  }
}

/** Asks again until it is so. */
export async function until<Value>(ask: () => Promise<Value>, isSo: (value: Value) => boolean): Promise<Value> {
  const end = performance.now() + DEADLINE_MS;
  for (;;) {
    const value = await ask();
    if (isSo(value)) return value;
    if (performance.now() > end) throw new Error(`it does not come to be so: ${JSON.stringify(value)}`);
  }
}
