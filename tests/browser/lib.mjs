// A browser that sees what a person would not: each error in the console, each request to another host, each breach of the policy
// that pages come with, and what axe finds. Whatever it saw is thrown when it is closed.
import { createRequire } from "node:module";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

export const told = JSON.parse(process.argv[2]);
const require = createRequire(join(resolve(told.modules), "x"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const BROWSERS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const DEADLINE = 60_000;

export const say = (line) => process.stdout.write(`${line}\n`);

export function check(is, words) {
  if (!is) throw new Error(words);
}

export async function launch() {
  const executablePath = BROWSERS.find((path) => existsSync(path));
  check(executablePath, "there is no Chromium");
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"] });
}

/// A person with a browser of their own. `hosts` are those that its pages may ask.
export async function person(browser, { theme = "light", width = 1280, height = 900, scripts = true, hosts = [told.host] } = {}) {
  const context = await browser.newContext({
    colorScheme: theme,
    viewport: { width, height },
    javaScriptEnabled: scripts,
    reducedMotion: "reduce",
    locale: "en-GB",
    timezoneId: "Europe/Berlin",
    permissions: ["clipboard-read", "clipboard-write"],
  });
  context.setDefaultTimeout(DEADLINE);
  const page = await context.newPage();
  const seen = [];
  // What a test does on purpose, such as asking for what is not there.
  let expected = [];
  const note = (what) => {
    if (!expected.some((part) => what.includes(part))) seen.push(`${page.url()}: ${what}`);
  };
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") note(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => note(`error: ${error.message}`));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol.startsWith("http") && !hosts.includes(url.host)) note(`asked another host: ${request.url()}`);
  });
  page.on("response", (response) => {
    if (response.status() >= 500) note(`${response.status()} of ${response.url()}`);
  });
  return {
    page,
    context,
    /// Goes to a path of the server.
    go: (path) => page.goto(new URL(path, told.url).href, { waitUntil: "load" }),
    expecting: (...parts) => { expected = parts; },
    /// What axe finds serious on the page as it is.
    async vet() {
      if (!scripts) return;
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() =>
        globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
      for (const { id, impact, help, nodes } of violations) {
        if (impact !== "serious" && impact !== "critical") continue;
        note(`axe: ${id} (${impact}): ${help}: ${nodes.slice(0, 3).map((node) => `${node.html.slice(0, 200)} ${node.failureSummary ?? ""}`).join(" | ")}`);
      }
    },
    seen,
    async close() {
      await context.close();
      check(seen.length === 0, `seen:\n${[...new Set(seen)].join("\n")}`);
    },
  };
}
