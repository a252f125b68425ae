// Looks at every page that can be reached by links: every_page.mjs {"url", "host", "modules", "enter", "look"?, "pages_max"?}
//
// `enter` is a link that is logged in. With `look`, a folder, a picture of each page is written there: light, dark, and as wide as a
// phone. Pages of the same kind, which differ in ids only, are looked at once.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { check, launch, person, say, told } from "./lib.mjs";

const PAGES_MAX = told.pages_max ?? 120;
const ID = /(?<=\/)([0-9a-f]{8}-[0-9a-f-]{27,}|[A-Za-z0-9_-]{22,})(?=\/|$)/g;

/// What pages of one kind have in common: the path with ids left out, and the names in the query.
const kind = (url) => {
  const names = [...url.searchParams.keys()].sort().filter((name) => name !== "cursor");
  return url.pathname.replace(/@[^/]+/, "@ID").replace(ID, "ID").replace(/(webhooks|event-types|contracts|accounts)\/[^/]+/g, "$1/ID") + (names.length ? `?${names.join("&")}` : "");
};

const browser = await launch();
const views = [
  ["light", { theme: "light" }],
  ["dark", { theme: "dark" }],
  ["phone", { theme: "light", width: 390, height: 844 }],
];
const first = await person(browser, views[0][1]);
await first.go(told.enter);
await first.page.getByLabel("Password").fill("correct horse battery staple");
await first.page.locator("main button[type=submit]").first().click();
await first.page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
const state = await first.context.storageState();

const known = new Map();
const ways = [new URL(first.page.url())];
const later = (url) => {
  if (url.host !== told.host || !/^\/(dashboard|portal)/.test(url.pathname)) return;
  if (/\/(assets|log-out|stream|export|request|response)(\/|$)/.test(url.pathname)) return;
  url.hash = "";
  if (!known.has(kind(url)) && known.size + ways.length < 4 * PAGES_MAX) ways.push(url);
};
while (ways.length && known.size < PAGES_MAX) {
  const url = ways.shift();
  if (known.has(kind(url))) continue;
  known.set(kind(url), url.href);
  const reply = await first.page.goto(url.href, { waitUntil: "load" });
  const type = reply.headers()["content-type"] ?? "";
  if (!type.startsWith("text/html")) continue;
  check(reply.ok(), `${reply.status()} of ${url.href}`);
  const html = await reply.text();
  check(html.length < 400_000, `${url.href} has ${html.length} bytes`);
  await first.vet();
  const bare = await first.page.evaluate(() => ({
    headings: document.querySelectorAll("h1").length,
    title: document.title,
    styled: document.querySelectorAll("[style]").length,
  }));
  check(bare.headings === 1 && bare.title, `${url.href}: one heading and a title: ${JSON.stringify(bare)}`);
  for (const href of await first.page.locator("a[href]").evaluateAll((all) => all.map((a) => a.href))) later(new URL(href));
}
await first.context.close();
check(known.size > (told.pages_min ?? 10), `only ${known.size} pages: ${[...known.keys()].join(" ")}`);

const seen = [...first.seen];
for (const [name, view] of views) {
  const one = await person(browser, view);
  await one.context.addCookies(state.cookies);
  for (const [what, href] of known) {
    const reply = await one.page.goto(href, { waitUntil: "load" });
    if (!(reply.headers()["content-type"] ?? "").startsWith("text/html")) continue;
    if (name !== "light") await one.vet();
    const wide = await one.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (wide > 1) one.seen.push(`${href}: ${wide} px wider than the window (${name})`);
    if (told.look) {
      mkdirSync(told.look, { recursive: true });
      const file = what.replace(/[^A-Za-z0-9]+/g, "_").replace(/^_|_$/g, "").slice(0, 100);
      await one.page.screenshot({ path: join(told.look, `${file}.${name}.png`), fullPage: true });
    }
  }
  await one.context.close();
  seen.push(...one.seen);
}
await browser.close();
say(`${known.size} pages`);
check(seen.length === 0, `seen:\n${[...new Set(seen)].join("\n")}`);
