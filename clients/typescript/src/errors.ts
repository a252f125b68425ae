/** What can go wrong, as classes of errors: one for each kind of answer that a caller treats differently. */

import type { ErrorCode } from "./generated/schema.js";

/** Anything that goes wrong between here and the server. */
export class HookwheelError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** No answer came: the server could not be reached, or was silent for too long. `cause` says more. */
export class NotReached extends HookwheelError {}

/** What an error reply says. */
export interface Told {
  /** The HTTP status. */
  status: number;
  /** What went wrong in one word; there may be more words one day, and `unknown` is one of a proxy. */
  code: ErrorCode | (string & {});
  /** What went wrong, for people. */
  message: string;
  /** The field, parameter or header that cannot be taken. */
  field: string | undefined;
  /** Seconds after which it is worth another try, where the server said so. */
  retryAfter: number | undefined;
  /** Each thing that is wrong, where several are told. */
  errors?: Fault[] | undefined;
}

/** One of several things that are wrong. */
export interface Fault {
  /** Where, such as `data/items/0/amount`. */
  field: string;
  /** What is wrong there. */
  message: string;
}

/** The server answered that it did not do what was asked. */
export class Refused extends HookwheelError {
  readonly status: number;
  readonly code: Told["code"];
  readonly field: string | undefined;
  readonly retryAfter: number | undefined;

  constructor(told: Told) {
    super(`${told.message} (${told.status} ${told.code}${told.field ? `, field ${told.field}` : ""})`);
    this.status = told.status;
    this.code = told.code;
    this.field = told.field;
    this.retryAfter = told.retryAfter;
  }
}

/** A field, a parameter or a header cannot be taken (400). */
export class BadRequest extends Refused {}
/** No key, or one that is not known or has expired (401). */
export class Unauthorized extends Refused {}
/** The key may not do this (403). */
export class Forbidden extends Refused {}
/** There is no such thing, or it is not the account's (404). */
export class NotFound extends Refused {}
/** It does not go with what is there: its state, or an id or a key that was used for something else (409). */
export class Conflict extends Refused {}
/** The body is longer than the server takes, or would make too many deliveries (413). */
export class TooLarge extends Refused {}
/** The data of an event does not fit the schema of its type (422). */
export class DoesNotFit extends Refused {
  /** At most twenty. */
  readonly faults: Fault[];

  constructor(told: Told) {
    super(told);
    this.faults = told.errors ?? [];
  }
}
/** More than the key, or its account, may ask for now (429). */
export class TooMuch extends Refused {}
/** The server failed, or cannot do it now (5xx). */
export class Unavailable extends Refused {}

const BY_STATUS: Record<number, typeof Refused> = {
  400: BadRequest,
  401: Unauthorized,
  403: Forbidden,
  404: NotFound,
  409: Conflict,
  413: TooLarge,
  422: DoesNotFit,
  429: TooMuch,
};

/** The seconds of `Retry-After`. */
export function retryAfter(response: Response): number | undefined {
  const text = response.headers.get("retry-after") ?? "";
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

/** An answer with its body. */
export interface Answered {
  response: Response;
  text: string;
}

function kindOf(status: number): typeof Refused {
  return BY_STATUS[status] ?? (status >= 500 ? Unavailable : Refused);
}

/** What an answer with an error says. */
export function refused(answered: Answered): Refused {
  const { response, text } = answered;
  try {
    const { code, message, field, errors } = JSON.parse(text).error;
    if (typeof code !== "string" || typeof message !== "string") return foreign(answered);
    const told = { status: response.status, code, message, field, retryAfter: retryAfter(response), errors };
    return new (kindOf(response.status))(told);
  } catch {
    return foreign(answered);
  }
}

/** What an answer says that is none of the server's, but of a proxy, or of whoever else is at that address. */
export function foreign({ response }: Answered): Refused {
  const message = `the answer is not the server's${response.statusText && `: ${response.statusText}`}`;
  const told = { status: response.status, code: "unknown", message, field: undefined };
  return new (kindOf(response.status))({ ...told, retryAfter: retryAfter(response) });
}
