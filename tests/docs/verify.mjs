// Runs documented code against requests: verify.mjs CASES FOLDER. Prints one JSON list of what it said.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [cases, folder] = process.argv.slice(2);
const said = [];
for (const { dialect, headers, body, secrets, url } of JSON.parse(readFileSync(cases))) {
  const { verify } = await import(pathToFileURL(resolve(join(folder, `${dialect}.mjs`))));
  said.push(verify(headers, Buffer.from(body, "base64"), secrets, url));
}
console.log(JSON.stringify(said));
