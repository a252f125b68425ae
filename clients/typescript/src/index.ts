/** Client for Hookwheel, the webhook delivery server. */

export type { Call, Once, Page, Settings } from "./calls.js";
export { Pages } from "./calls.js";
export { Hookwheel, type Publishing } from "./client.js";
export * from "./errors.js";
export type * from "./generated/schema.js";
export { VERSION } from "./generated/version.js";
export { Pulled, type Pulling } from "./pulling.js";
export { type Delivered, NotVerified, type ReceivedHeaders, verify, type Verifying } from "./receiving.js";
export { type Following, type Message, Streaming } from "./streaming.js";
export type { Retries } from "./retries.js";
