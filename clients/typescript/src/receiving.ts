/**
 * For receivers: whether a request came from the server, as Standard Webhooks signs. What stays true: nothing of a body is
 * looked at before its signature was found right, and signatures are compared by the platform's cryptography, in constant time.
 */

/** The request is not one that the server signed with one of these secrets, or is too old. Answer it with 400. */
export class NotVerified extends Error {
  override name = "NotVerified";
}

/** A verified body, as the dialect `standard` sends it. */
export interface Delivered<Data = unknown> {
  type: string;
  timestamp: string;
  data: Data;
}

/** Headers as `fetch`, Node or a plain object have them. */
export type ReceivedHeaders = Headers | Record<string, string | string[] | undefined>;

/** How strictly a request is verified. */
export interface Verifying {
  /** How far the time of the request may be from the time here; 300 if left out. */
  toleranceSeconds?: number;
  /** The time here; the clock's if left out. */
  now?: Date;
}

/**
 * Checks a request of a webhook and gives its body as parsed JSON.
 *
 * @param payload The body, byte for byte as it came: not parsed and written again.
 * @param headers The headers; names in any case.
 * @param secret The webhook's secret, `whsec_…`, or the public key `whpk_…` of one that signs with a pair; several while one
 *   replaces another.
 * @throws NotVerified It is not right; the message says what.
 */
export async function verify<Body = Delivered>(
  payload: string | Uint8Array,
  headers: ReceivedHeaders,
  secret: string | readonly string[],
  { toleranceSeconds = 300, now = new Date() }: Verifying = {},
): Promise<Body> {
  const given = names(headers);
  const [id, sent, signatures] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) => {
    const value = given.get(name);
    if (value === undefined) throw new NotVerified(`the header ${name} is missing`);
    return value;
  }) as [string, string, string];
  if (!/^\d{1,12}$/.test(sent)) throw new NotVerified("webhook-timestamp is no time");
  if (Math.abs(now.getTime() / 1000 - Number(sent)) > toleranceSeconds) {
    throw new NotVerified("webhook-timestamp is too far from the time here");
  }
  const body = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  const head = new TextEncoder().encode(`${id}.${sent}.`);
  const signed = new Uint8Array(head.length + body.length);
  signed.set(head);
  signed.set(body, head.length);
  const keys = await Promise.all((typeof secret === "string" ? [secret] : secret).map(key));
  const checks = keys.flatMap((key) => signatures.split(" ").map((signature) => isRight(key, signature, signed)));
  if (!(await Promise.all(checks)).includes(true)) throw new NotVerified("no signature is right");
  try {
    return JSON.parse(new TextDecoder().decode(body)) as Body;
  } catch {
    throw new NotVerified("the body is not JSON");
  }
}

function names(headers: ReceivedHeaders): Map<string, string> {
  const all = headers instanceof Headers ? [...headers] : Object.entries(headers);
  return new Map(all.flatMap(([name, value]) => (typeof value === "string" ? [[name.toLowerCase(), value]] : [])));
}

/** A key that checks signatures of one form. */
interface Key {
  key: CryptoKey;
  form: "v1" | "v1a";
}

async function key(secret: string): Promise<Key> {
  const isPublic = secret.startsWith("whpk_");
  const bytes = decoded(secret.replace(isPublic ? "whpk_" : /^whsec_/, ""));
  // An empty key would let anybody sign.
  if (!bytes?.length) throw new TypeError("the secret is not one of a webhook: whsec_… or whpk_… and base64");
  const how = isPublic ? { name: "Ed25519" } : { name: "HMAC", hash: "SHA-256" };
  return { key: await crypto.subtle.importKey("raw", bytes, how, false, ["verify"]), form: isPublic ? "v1a" : "v1" };
}

async function isRight({ key, form }: Key, signature: string, signed: Uint8Array<ArrayBuffer>): Promise<boolean> {
  const bytes = signature.startsWith(`${form},`) ? decoded(signature.slice(form.length + 1)) : undefined;
  return bytes !== undefined && crypto.subtle.verify(key.algorithm.name, key, bytes, signed);
}

function decoded(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}
