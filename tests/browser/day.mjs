// A day with the dashboard: day.mjs {"url", "host", "modules", "key", "receiver"}
//
// The first user comes, makes a webhook, sees what it gets, live and later; the receiver fails and comes back; dead letters are
// replayed; a viewer looks on; a customer looks from another product's page; and a stranger sees nothing.
import { createServer } from "node:http";
import { check, launch, person, say, told } from "./lib.mjs";

const PASSWORD = "correct horse battery staple";
const call = async (method, path, body, account) => {
  const headers = { authorization: `Bearer ${told.key}`, "content-type": "application/json" };
  if (account) headers["hookwheel-account"] = account;
  const reply = await fetch(new URL(path, told.url), { method, headers, body: body && JSON.stringify(body) });
  check(reply.ok, `${method} ${path}: ${reply.status} ${await reply.clone().text()}`);
  return reply.status === 204 ? null : (await reply.json()).data;
};
const receiver = (path) => fetch(told.receiver + path);
const step = (words) => say(`· ${words}`);

const browser = await launch();
const ada = await person(browser);
const { page } = ada;
const has = async (text, on = page) => on.getByText(text).first().waitFor();
const press = (name, on = page) => on.getByRole("button", { name }).first().click();
const follow = (name, on = page) => on.getByRole("link", { name }).first().click();

step("the first user");
await ada.go("/");
await page.getByLabel("Admin key").fill(told.key);
await page.getByLabel("Mail address").fill("ada@example.com");
await page.getByLabel("Name").fill("Ada");
await page.getByLabel("Password").fill(PASSWORD);
await press("Begin");
await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
await ada.vet();

step("logs out and in");
await press("Log out");
await ada.go("/dashboard");
await page.getByLabel("Mail address").fill("ada@example.com");
await page.getByLabel("Password").fill(PASSWORD);
await press("Log in");
await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();

step("makes a webhook; its secret is shown once");
await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Webhooks", exact: true }).click();
await follow("New webhook");
ada.expecting("400 (Bad Request)");
await page.getByLabel("Endpoint URL").fill("no url at all");
await page.locator("form button.main").click();
await page.locator(".wrong").first().waitFor();
ada.expecting();
await page.getByLabel("Endpoint URL").fill(`${told.receiver}/in`);
await page.getByLabel("Other types").fill("task.*");
await page.locator("form button.main").click();
await page.locator("[data-copy^='whsec_']").first().waitFor();
const secret = await page.locator("[data-copy^='whsec_']").first().getAttribute("data-copy");
await follow("Open the webhook");
const webhookPage = page.url();
check(!(await page.content()).includes(secret), "the secret is shown again");

step("sends a test event and sees the answer");
await follow("Send a test event");
await page.locator("form button.main").last().click();
await has("200");
await ada.vet();

step("watches events as they come");
await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Live", exact: true }).first().click();
await page.waitForFunction(() => document.readyState === "complete");
const live = page.locator("main");
await call("POST", "/api/v1/events", { type: "task.created", data: { title: "<b>seen live</b> 👋" } });
await live.getByText("task.created").first().waitFor();
await ada.vet();

step("the receiver fails, and the retry is seen");
await receiver("/be-down");
await call("POST", "/api/v1/events", { type: "task.failing", data: { n: 1 } });
await page.goto(webhookPage);
await page.waitForFunction(async () => {
  const reply = await fetch(location.href);
  return (await reply.text()).includes("500");
}, undefined, { polling: 500 });
await page.reload();
await page.locator("tr[data-href*='/deliveries/'] a").first().click();
await has("500");
await has(/Next try|next attempt|again/i);
await ada.vet();

step("it dies, and is replayed with others from the dead letters");
const webhook = (await call("GET", "/api/v1/webhooks")).at(0);
await call("PATCH", `/api/v1/webhooks/${webhook.id}`, { max_retries: 0 });
for (let n = 0; n < 5; n += 1) await call("POST", "/api/v1/events", { type: "task.lost", data: { n } });
for (;;) {
  const reply = await fetch(new URL("/api/v1/dead-letters?limit=250", told.url), { headers: { authorization: `Bearer ${told.key}` } });
  if ((await reply.json()).data.length >= 5) break;
}
await receiver("/be-up");
await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: /Dead letters/ }).click();
await has("task.lost");
await follow(/Replay all/);
await ada.vet();
await page.locator(".confirm button[type=submit]").click();
await has(/done|ended|finished/i);
check((await call("GET", "/api/v1/dead-letters")).length === 0, "dead letters are left");

step("rotates the secret, pauses and resumes");
await page.goto(webhookPage);
await follow("Rotate the secret");
await page.locator("form button.main").last().click();
await page.locator("[data-copy^='whsec_']").first().waitFor();
const rotated = await page.locator("[data-copy^='whsec_']").first().getAttribute("data-copy");
check(rotated !== secret, "the same secret");
await page.locator("button[data-copy^='whsec_']").first().click();
check((await page.evaluate(() => navigator.clipboard.readText())) === rotated, "the secret was not copied");
await page.goto(webhookPage);
await press("Pause");
await has(/Paused/);
await press("Resume");
await has("Resumed.");

step("by the keyboard alone");
await page.keyboard.press("Control+k");
await page.keyboard.type("Deliv");
await page.keyboard.press("Enter");
await page.getByRole("heading", { level: 1, name: "Deliveries" }).waitFor();
await page.keyboard.press("j");
await page.keyboard.press("j");
await page.keyboard.press("k");
const chosen = await page.locator("tr.chosen").getAttribute("data-href");
await page.keyboard.press("Enter");
await page.waitForURL((url) => chosen.endsWith(url.pathname.split("/").at(-1)));
await page.keyboard.press("/");
check(await page.evaluate(() => document.activeElement?.id === "search"), "/ does not search");
await page.keyboard.type(webhook.id);
await page.keyboard.press("Enter");
await page.waitForURL((url) => url.pathname.includes(webhook.id));

step("invites a viewer, who changes nothing");
await ada.go("/dashboard/@default/people");
await page.getByLabel("Mail address").fill("victor@example.com");
await page.getByLabel("Role").first().selectOption("viewer");
await press("Invite");
const link = await page.locator("[data-copy*='/dashboard/ticket/']").first().getAttribute("data-copy");
const victor = await person(browser);
await victor.go(link);
await victor.page.getByLabel("Password").fill(`${PASSWORD} too`);
await press("Set it and log in", victor.page);
await victor.page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
await victor.page.goto(webhookPage);
check((await victor.page.locator("main button[type=submit]:not(.quiet)").count()) === 0, "a viewer has buttons");
victor.expecting("403");
await victor.page.goto(`${webhookPage}/edit`);
await victor.page.getByText("You may not do this").waitFor();
const forced = await victor.page.evaluate(async (path) => {
  const reply = await fetch(path, { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" }, body: "token=x" });
  return reply.status;
}, `${new URL(webhookPage).pathname}/delete`);
check(forced === 403, `a viewer deletes: ${forced}`);
await victor.close();

step("a customer looks from another product's page");
await call("POST", "/api/v1/accounts", { id: "customer", name: "A customer" });
await call("POST", "/api/v1/webhooks", { url: `${told.receiver}/theirs`, events: ["*"], name: "Theirs" }, "customer");
const host = createServer((_, reply) => reply.setHeader("content-type", "text/html").end(frame));
await new Promise((ready) => host.listen(0, "127.0.0.1", ready));
const origin = `http://127.0.0.1:${host.address().port}`;
const portal = await call("POST", "/api/v1/accounts/customer/portal", { abilities: ["view", "test", "replay"], origins: [origin] });
const frame = `<!doctype html><html lang="en"><title>Their product</title><link rel="icon" href="data:,"><h1>Settings</h1><iframe title="Webhooks" width="1000" height="700" src="${portal.url}"></iframe>`;
const carol = await person(browser, { hosts: [told.host, new URL(origin).host] });
await carol.page.goto(origin);
const inside = carol.page.frameLocator("iframe");
await inside.getByRole("heading", { level: 1 }).waitFor();
const own = carol.page.frames().find((one) => one !== carol.page.mainFrame());
await own.goto(new URL("/portal/webhooks", told.url).href);
await inside.getByText("Theirs").first().waitFor();
check(!(await own.content()).includes(webhook.id), "another account's webhook");
await own.evaluate(() => document.querySelector("tr[data-href]").dataset.href).then((href) => own.goto(new URL(href, told.url).href));
check((await own.getByRole("link", { name: "Edit" }).count()) === 0, "the customer may edit");
carol.expecting("404", "403", "401");
const theirs = (path) => own.evaluate(async (path) => (await fetch(path, { redirect: "manual" })).status, path);
check((await theirs(`/portal/webhooks/${webhook.id}`)) === 404, "another account's webhook is there");
check((await theirs("/dashboard/server/accounts")) !== 200, "the server's pages are there");
await carol.close();

step("a link is good once");
const late = await person(browser);
late.expecting("404", "403", "401", "410");
await late.page.goto(portal.url);
check(!(await late.page.content()).includes("Theirs"), "the link was good twice");
await late.close();
host.close();

step("who is not logged in sees nothing");
const nobody = await person(browser);
await nobody.page.goto(webhookPage);
await nobody.page.getByRole("heading", { level: 1, name: "Log in" }).waitFor();
await nobody.vet();
await nobody.close();

step("without scripts it works too");
const plain = await person(browser, { scripts: false });
await plain.go("/dashboard");
await plain.page.getByLabel("Mail address").fill("ada@example.com");
await plain.page.getByLabel("Password").fill(PASSWORD);
await press("Log in", plain.page);
await plain.page.goto(webhookPage);
await plain.page.getByRole("button", { name: "Pause" }).first().click();
await plain.page.getByText(/Paused/).first().waitFor();
await plain.close();

await ada.close();
await browser.close();
