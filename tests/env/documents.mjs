// Reads documents with what is not ours: documents.mjs NODE_MODULES
//
// Each line is {format, document, bodies}; the answer is a line: "valid", or "wrong: ..." with all that is. OpenAPI is held
// against its official JSON Schema, AsyncAPI is read by its official parser. `bodies` say where in the document bodies and
// their schemas are: each must be let through by its schema, as the format reads schemas.
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const modules = resolve(process.argv[2]);
const require = createRequire(join(modules, "x"));
const openapi = await import(pathToFileURL(join(modules, "@seriousme/openapi-schema-validator/index.js")));
const { Parser } = require("@asyncapi/parser");
// OpenAPI 3.1 has schemas of 2020-12, AsyncAPI of draft 7.
const validators = { openapi: require("ajv/dist/2020.js").default, asyncapi: require("ajv").default };
const addFormats = require("ajv-formats").default ?? require("ajv-formats");

/** What stands at a JSON Pointer. */
function at(document, pointer) {
  const steps = pointer.split("/").slice(1);
  return steps.reduce((value, step) => value?.[step.replaceAll("~1", "/").replaceAll("~0", "~")], document);
}

/** What is wrong with a body, by the schema that the document has for it. */
function wrongBody(format, document, { schema, example }) {
  const ajv = addFormats(new validators[format]({ strict: false, allErrors: true }));
  ajv.addSchema(document, "document");
  const valid = ajv.compile({ $ref: `document#${schema.split("/").map(encodeURIComponent).join("/")}` });
  const body = at(document, example);
  if (body === undefined) return [`nothing at ${example}`];
  return valid(body) ? [] : valid.errors.map((error) => `${error.instancePath} ${error.message}`);
}

const check = {
  async openapi(document) {
    const { valid, errors } = await new openapi.Validator().validate(structuredClone(document));
    return valid ? [] : [JSON.stringify(errors)];
  },
  async asyncapi(document) {
    const { document: read, diagnostics } = await new Parser().parse(JSON.stringify(document));
    // Severity 0 is an error; 1 is a warning, such as a newer version of the format.
    const wrong = diagnostics.filter(({ severity }) => severity === 0).map((one) => `${one.path.join("/")}: ${one.message}`);
    return read || wrong.length ? wrong : ["nothing could be read"];
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { format, document, bodies } = JSON.parse(line);
  let wrong;
  try {
    wrong = [...(await check[format](document)), ...(bodies ?? []).flatMap((body) => wrongBody(format, document, body))];
  } catch (error) {
    wrong = [String(error)];
  }
  process.stdout.write(`${wrong.length ? `wrong: ${wrong.join("; ").replaceAll("\n", " ")}` : "valid"}\n`);
}
