// The live page: rows are added as they come, at most four times a second and never under the eyes of who reads; so many are kept,
// and the rest is counted.
(() => {
  "use strict";
  const live = document.getElementById("live");
  const rows = document.getElementById("live-rows");
  if (!live || !rows || !("EventSource" in globalThis)) return;
  const [told, pause, fresh] = ["live-state", "live-pause", "live-new"].map((id) => document.getElementById(id));
  const empty = document.getElementById("live-empty");
  const most = Number(live.dataset.most);
  const every = 250;

  // What waits to be shown, the oldest first; of more than are kept only so many.
  let waiting = [];
  let unshown = 0;
  let count = 0;
  let paused = false;
  let timer = 0;

  const element = (name, text, className) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  };
  const cell = (...parts) => {
    const made = document.createElement("td");
    made.append(...parts.filter((part) => part !== null));
    return made;
  };
  const short = (id) => {
    // The same as on the server: see parts/copy.rs.
    if (/^[0-9a-f-]{36}$/i.test(id)) return `…${id.slice(9, 28)}…${id.slice(28).replace(/^0+/, "")}`;
    const chars = [...id];
    return chars.length <= 20 ? id : `${chars.slice(0, 8).join("")}…${chars.slice(-8).join("")}`;
  };
  const link = (to, id) => {
    if (!id) return "–";
    const made = element("a");
    made.href = to + encodeURIComponent(id);
    const code = element("code", short(id));
    code.title = id;
    made.append(code);
    return made;
  };
  const time = (at) => {
    const made = element("time", "now");
    if (at) made.dateTime = at;
    return made;
  };
  const shapes = { well: "●", waiting: "◐", trouble: "▲", dead: "■", off: "○" };
  const state = (meaning, word) => {
    const made = element("span", undefined, `state ${meaning}`);
    const shape = element("span", shapes[meaning], "shape");
    shape.setAttribute("aria-hidden", "true");
    made.append(shape, ` ${word}`);
    return made;
  };

  // What the page began with is not told again.
  const known = new Set([...rows.querySelectorAll("[data-keys]")].flatMap((one) => one.dataset.keys.split(",")));
  const keyOf = (kind, data) => `${kind} ${kind === "attempt" ? `${data.delivery_id} ${data.attempt}` : data.id}`;

  // Rows of all accounts say of which they are, and lead to its pages.
  const isOfAll = live.dataset.in === "all";
  const columns = isOfAll ? 7 : 6;
  const at = (data) => (isOfAll && data.account ? `/dashboard/@${encodeURIComponent(data.account)}/` : live.dataset.here);
  const outcomes = JSON.parse(live.dataset.outcomes);
  const row = ([kind, data]) => {
    const made = document.createElement("tr");
    made.dataset.row = "";
    if (kind === "gap") {
      const whole = cell(state("trouble", "something is missing here"), ` ${data.message ?? ""}`);
      whole.colSpan = columns;
      made.append(whole);
    } else if (kind === "event") {
      made.append(
        cell(time(data.accepted_at)), cell(state("off", "event")), cell(data.type), cell(link(`${at(data)}events/`, data.id)),
        cell(data.webhooks === 1 ? "to 1 webhook" : `to ${data.webhooks} webhooks`), cell(),
      );
    } else {
      const isDead = kind === "dead";
      const meaning = isDead ? "dead" : data.success ? "well" : data.state === "scheduled" ? "trouble" : "dead";
      const came = isDead ? (data.error ?? data.reason ?? "its retries are used up")
        : `attempt ${data.attempt}: ${data.status_code ?? outcomes[data.outcome] ?? data.outcome}${data.response_time_ms === null ? "" : `, ${data.response_time_ms} ms`}`;
      const what = cell(came);
      what.className = "wide";
      made.append(
        cell(time(isDead ? data.ended_at : data.attempted_at)), cell(state(meaning, isDead ? "dead" : "attempt")), cell(data.event_type ?? "–"),
        cell(link(`${at(data)}deliveries/`, isDead ? data.id : data.delivery_id)), what, cell(link(`${at(data)}webhooks/`, data.webhook_id)),
      );
    }
    if (isOfAll && kind !== "gap") made.append(cell(data.account ?? "–"));
    return made;
  };

  // Who has scrolled down, selects text or is among the rows with the keyboard is reading.
  const isRead = () => scrollY > live.offsetTop + 80 || rows.contains(document.activeElement) || !getSelection().isCollapsed;

  const say = () => {
    fresh.hidden = count === 0;
    fresh.textContent = `${count} new${unshown ? `, ${unshown} of them not shown` : ""}`;
  };
  const flush = () => {
    const made = document.createDocumentFragment();
    if (unshown) {
      const note = document.createElement("tr");
      const whole = cell(`${unshown} not shown: more happened than fits here.`);
      whole.colSpan = columns;
      whole.className = "hint";
      note.append(whole);
      made.append(note);
    }
    for (const one of waiting) made.prepend(row(one));
    globalThis.hookwheel?.dress(made);
    rows.prepend(made);
    while (rows.childElementCount > most) rows.lastElementChild.remove();
    if (empty) empty.hidden = true;
    [waiting, unshown, count] = [[], 0, 0];
    say();
  };
  const turn = () => {
    timer = 0;
    if (!count) return;
    if (paused || document.hidden || isRead()) {
      say();
      timer = setTimeout(turn, 4 * every);
    } else flush();
  };
  const add = (kind, text) => {
    let data;
    try {
      data = JSON.parse(text);
    } catch {
      return;
    }
    if (known.delete(keyOf(kind, data))) return;
    waiting.push([kind, data]);
    count += 1;
    if (waiting.length > most) {
      waiting.shift();
      unshown += 1;
    }
    timer ||= setTimeout(turn, every);
  };

  fresh.addEventListener("click", () => {
    flush();
    scrollTo({ top: 0 });
  });
  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? "Go on" : "Pause";
    told.textContent = paused ? "Paused" : "Live";
    if (!paused) turn();
  });

  const source = new EventSource(live.dataset.stream);
  source.addEventListener("open", () => { if (!paused) told.textContent = "Live"; });
  source.addEventListener("error", () => {
    told.textContent = source.readyState === EventSource.CLOSED
      ? "The server ended it: load the page again" : "Not connected: trying again";
  });
  for (const kind of ["event", "attempt", "dead", "gap"]) source.addEventListener(kind, (message) => add(kind, message.data));
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
})();
