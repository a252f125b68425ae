// Writes the generated part of the client: generate.mjs DOCUMENT DIRECTORY
//
// openapi-typescript writes the types. The operations are written here, from the same document: a class for each part of
// the API, with methods named as the operations' ids are, such as `webhooks.secret.rotate`. What a reply holds is what a
// method gives.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import openapiTS, { astToString } from "openapi-typescript";

/** Written by hand, in src/client.ts and src/streaming.ts. */
const BY_HAND = ["events.publish", "stream.follow"];
const ACCOUNT_HEADER = "Hookwheel-Account";
const ONCE_HEADER = "Idempotency-Key";

const [documentPath, out] = process.argv.slice(2);
const document = JSON.parse(readFileSync(documentPath, "utf8"));

/** What stands where a `$ref` leads to. */
function resolved(value) {
  if (!value?.$ref) return value;
  return value.$ref.split("/").slice(1).reduce((at, step) => at[step], document);
}

/** The name of the schema that a `$ref` leads to. */
const named = (schema) => schema?.$ref?.split("/").at(-1);

const pascal = (text) => text.replace(/(?:^|[._])([a-z])/g, (_, letter) => letter.toUpperCase());
const camel = (text) => text.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());

const used = new Set();

/** The type of a schema that has a name. */
function typeOf(schema) {
  const name = named(schema);
  if (schema?.type === "array") return `${typeOf(schema.items)}[]`;
  if (!name) return "unknown";
  used.add(name);
  return name;
}

/** What an operation gives: the type, whether it is what a reply holds as `data`, and whether that is a list in pages. */
function given(operation) {
  const types = new Set();
  let [isHeld, isList] = [false, false];
  for (const [status, reply] of Object.entries(operation.responses)) {
    if (!status.startsWith("2")) continue;
    const kinds = resolved(reply).content ?? {};
    // Where a reply comes in several forms, it is asked for as JSON.
    const kind = "application/json" in kinds ? "application/json" : Object.keys(kinds)[0];
    const content = kinds[kind];
    if (!content) {
      types.add("undefined");
      continue;
    }
    const { data, next_cursor } = resolved(content.schema)?.properties ?? {};
    if (data) isHeld = true;
    if (data && next_cursor) isList = true;
    if (/^text\/|x-ndjson$/.test(kind)) types.add("string");
    else if (data?.type === "array") types.add(`${typeOf(data.items)}${isList ? "" : "[]"}`);
    else types.add(typeOf(data ?? content.schema));
  }
  return { isHeld, isList, type: types.size === 1 && types.has("undefined") ? "void" : [...types].join(" | ") };
}

/** Lines of a comment. */
function comment(indent, lines) {
  const text = lines.join("\n").replaceAll("*/", "*\\/").split("\n");
  return [`${indent}/**`, ...text.map((line) => `${indent} * ${line}`.trimEnd()), `${indent} */`];
}

/** A method of an operation, in lines. */
function method({ id, path, verb, operation }) {
  const parameters = (operation.parameters ?? []).map(resolved);
  const inPath = parameters.filter((one) => one.in === "path");
  const inQuery = parameters.filter((one) => one.in === "query");
  const headers = parameters.filter((one) => one.in === "header" && one.name !== ACCOUNT_HEADER);
  const isOnce = headers.some((one) => one.name === ONCE_HEADER);
  if (headers.length > Number(isOnce)) throw new Error(`${id} has a header of its own: write it by hand`);
  const body = operation.requestBody?.content["application/json"]?.schema;
  const { isHeld, isList, type } = given(operation);
  const told = inPath.map((one) => `@param ${camel(one.name)} ${one.description}`);
  const takes = inPath.map((one) => `${camel(one.name)}: ${one.schema.type === "integer" ? "number" : "string"}`);
  if (body) takes.push(`fields: ${typeOf(body)}${operation.requestBody.required ? "" : " = {}"}`);
  if (inQuery.length > 0) {
    const needed = inQuery.some((one) => one.required);
    takes.push(`query: Query<"${id}">${needed ? "" : " = {}"}`);
    told.push(...inQuery.map((one) => `@param query.${one.name} ${one.description}`));
  }
  takes.push(isOnce ? "call: Once = {}" : "call: Call = {}");
  const filled = path.replace(/\{(\w+)\}/g, (_, name) => `\${encodeURIComponent(${camel(name)})}`);
  const asked = [`operation: "${id}"`, `method: "${verb.toUpperCase()}"`, `path: \`${filled}\``];
  if (inQuery.length > 0) asked.push("query");
  if (body) asked.push("body: fields");
  if (type === "string") asked.push("text: true");
  // A key of its own lets the request be made again without anything being done twice.
  if (isOnce) asked.push(`headers: { "${ONCE_HEADER}": call.idempotencyKey ?? crypto.randomUUID() }`);
  const lines = comment("  ", [operation.summary, "", operation.description, ...(told.length ? ["", ...told] : [])]);
  const name = camel(id.split(".").at(-1));
  const result = isList ? `Pages<${type}>` : `Promise<${type}>`;
  lines.push(`  ${isList ? "" : "async "}${name}(${takes.join(", ")}): ${result} {`);
  lines.push(`    const asked = { ${asked.join(", ")} };`);
  if (isList) lines.push(`    return new Pages(this.calls, asked, call);`);
  else if (isHeld && type.includes("undefined")) lines.push(`    return (await this.calls.reply<{ data: ${type} } | undefined>(asked, call))?.data;`);
  else if (isHeld) lines.push(`    return (await this.calls.reply<{ data: ${type} }>(asked, call)).data;`);
  else lines.push(`    return this.calls.reply<${type}>(asked, call);`);
  return [...lines, "  }", ""];
}

/** A class of the operations of a part, such as `webhooks.secret`, in lines. */
function part(name, operations, inner) {
  const lines = [`/** The operations \`${name}.…\`. */`, `export class ${pascal(name)}Api {`];
  for (const one of inner) lines.push(`  readonly ${camel(one.split(".").at(-1))}: ${pascal(one)}Api;`);
  lines.push("", "  constructor(protected readonly calls: Calls) {");
  for (const one of inner) lines.push(`    this.${camel(one.split(".").at(-1))} = new ${pascal(one)}Api(calls);`);
  lines.push("  }", "", ...operations.flatMap(method));
  return [...lines, "}", ""];
}

const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([verb, operation]) => ({ id: operation.operationId, path, verb, operation })),
);
const parts = new Map();
for (const one of operations) {
  const name = one.id.replace(/\.\w+$/, "");
  parts.set(name, [...(parts.get(name) ?? []), one]);
}
const tops = [...new Set(operations.map(({ id }) => id.split(".")[0]))];
const classes = [];
for (const top of tops) {
  const inner = [...parts.keys()].filter((name) => name.startsWith(`${top}.`));
  for (const name of inner) classes.push(...part(name, parts.get(name), []));
  classes.push(...part(top, (parts.get(top) ?? []).filter(({ id }) => !BY_HAND.includes(id)), inner));
}
const api = ["/** All parts of the API. */", "export class Api {"];
for (const top of tops) api.push(`  readonly ${camel(top)}: ${pascal(top)}Api;`);
api.push("", "  constructor(calls: Calls) {", ...tops.map((top) => `    this.${camel(top)} = new ${pascal(top)}Api(calls);`), "  }", "}");

const head = [
  "/** The operations of the API, as methods. Generated. */",
  "",
  'import { type Call, type Calls, type Once, Pages } from "../calls.js";',
  `import type { ${[...used].sort().join(", ")}, operations } from "./schema.js";`,
  "",
  'type Query<Id extends keyof operations> = NonNullable<operations[Id]["parameters"]["query"]>;',
  "",
];
mkdirSync(out, { recursive: true });
writeFileSync(join(out, "operations.ts"), [...head, ...classes, ...api, ""].join("\n"));
// A field with a default may still be left out.
const how = { rootTypes: true, rootTypesNoSchemaPrefix: true, defaultNonNullable: false };
const types = await openapiTS(JSON.stringify(document), how);
writeFileSync(join(out, "schema.ts"), astToString(types));
writeFileSync(join(out, "version.ts"), `/** The version of the server that this was made for. */\nexport const VERSION = "${document.info.version}";\n`);
