/**
 * When a request is made again. What stays true: one that may have been carried out is repeated only where that does no harm,
 * and all pauses of a call together have a bound. Nothing here waits or asks.
 */

import { retryAfter } from "./errors.js";

const UNDONE = 429;
const PASSING = new Set([500, 502, 503, 504]);
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8_000;

/** How often a request is made again: after 429, and, where it can be repeated without harm, after 5xx or no answer. */
export interface Retries {
  /** Further requests after the first; 0 for none. 4 if left out. */
  count?: number;
  /** Bound of all pauses of a call together; 60,000 if left out. A longer `Retry-After` is not waited for. */
  pauseMsMax?: number;
}

/** A call until now. */
export interface Made {
  /** Requests that were made. */
  requests: number;
  /** Milliseconds that were paused. */
  pausedMs: number;
  /** Whether the request may be repeated though it may have been carried out. */
  again: boolean;
}

/** Milliseconds until the next request; `undefined` if there is none. `answer` is undefined where none came. */
export function pause(retries: Retries, made: Made, answer: Response | undefined): number | undefined {
  const passing = answer === undefined ? made.again : answer.status === UNDONE || (made.again && PASSING.has(answer.status));
  if (!passing || made.requests > (retries.count ?? 4)) return undefined;
  const growing = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (made.requests - 1));
  const asked = answer && retryAfter(answer);
  // Spread out, so that many who were sent away together do not come back together.
  const next = asked === undefined ? growing * (0.5 + Math.random() / 2) : asked * 1000 + Math.random() * 250;
  return made.pausedMs + next <= (retries.pauseMsMax ?? 60_000) ? next : undefined;
}
