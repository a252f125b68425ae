// What makes the pages of the documentation quicker to use. All of it works without: nothing here is needed to read.
"use strict";
(() => {
  const make = (tag, fields = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), fields);
    made.append(...children);
    return made;
  };

  // One language at a time, and the same one on the next page.
  const KEPT = "hookwheel-language";
  const choose = (language) => {
    for (const input of document.querySelectorAll(".tabs > input")) if (input.value === language) input.checked = true;
  };
  const remembered = () => {
    try {
      return localStorage.getItem(KEPT);
    } catch {
      return null; // Kept from pages by the browser.
    }
  };
  const last = remembered();
  if (last) choose(last);
  document.addEventListener("change", ({ target }) => {
    if (!target.matches(".tabs > input")) return;
    const before = target.getBoundingClientRect().top;
    choose(target.value);
    // What is being read stays where it is, whatever grew above it.
    scrollBy(0, target.getBoundingClientRect().top - before);
    try {
      localStorage.setItem(KEPT, target.value);
    } catch {
      // It is chosen for this page.
    }
  });

  // Code can be copied; of a session only what was typed.
  const typed = (text) => {
    const lines = text.split("\n");
    const commands = [];
    let goesOn = false;
    for (const line of lines) {
      if (line.startsWith("$ ")) commands.push(line.slice(2));
      else if (goesOn) commands[commands.length - 1] += `\n${line}`;
      const command = commands.at(-1) ?? "";
      goesOn = line.endsWith("\\") || line.endsWith("|") || (command.match(/'/g) ?? []).length % 2 === 1;
    }
    return commands.join("\n");
  };
  for (const pre of document.querySelectorAll("main pre")) {
    if (pre.classList.contains("answer") || !navigator.clipboard) continue;
    const button = make("button", { type: "button", textContent: "Copy" });
    button.addEventListener("click", async () => {
      const text = pre.dataset.language === "console" ? typed(pre.textContent) : pre.textContent;
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
    const around = make("div", { className: "code" });
    pre.replaceWith(around);
    around.append(pre, button);
  }

  // The search: an index that is fetched once somebody wants to search.
  const form = document.querySelector(".search");
  const field = form?.querySelector("input");
  const list = make("ul", { className: "found", hidden: true });
  const told = make("span", { role: "status" });
  told.setAttribute("aria-live", "polite");
  told.className = "skip";
  let pages;
  const words = (text) => text.toLowerCase().split(/[^\p{L}\p{N}_]+/u).filter(Boolean);
  const begins = (all, word) => all.some((known) => known.startsWith(word));
  const load = async () => {
    pages ??= fetch(form.dataset.index)
      .then((reply) => reply.json())
      .then((index) => index.pages.map((page) => ({ ...page, title: words(page.t), heads: page.h.map(([id, text]) => ({ id, text, words: words(text) })), words: page.w.split(" ") })))
      .catch(() => { pages = undefined; }); // Not now: the form still asks the server.
    return pages;
  };
  const weight = (page, word) => {
    if (page.title.includes(word)) return 12;
    if (begins(page.title, word)) return 8;
    if (page.heads.some((head) => begins(head.words, word))) return 4;
    return begins(page.words, word) ? 1 : 0;
  };
  const search = async () => {
    const asked = words(field.value);
    if (asked.length === 0) {
      list.hidden = true;
      return;
    }
    const found = [];
    const all = await load();
    if (!all) return;
    for (const page of all) {
      const each = asked.map((word) => weight(page, word));
      if (each.every(Boolean)) found.push({ page, sum: each.reduce((a, b) => a + b), head: page.heads.find((head) => asked.every((word) => begins(head.words, word))) });
    }
    if (words(field.value).join() !== asked.join()) return; // Somebody typed on meanwhile.
    found.sort((a, b) => b.sum - a.sum);
    const rows = found.slice(0, 12).map(({ page, head }) => {
      const link = make("a", { href: head ? `${page.a}#${head.id}` : page.a, textContent: head ? `${page.t}: ${head.text}` : page.t });
      link.append(make("span", { textContent: page.u }));
      return make("li", {}, link);
    });
    if (rows.length === 0) rows.push(make("li", {}, make("p", { textContent: "No page has all of these words." })));
    list.replaceChildren(...rows);
    list.hidden = false;
    told.textContent = `${found.length} pages found`;
  };
  if (form) {
    form.append(list, told);
    field.addEventListener("focus", load);
    field.addEventListener("input", search);
    form.addEventListener("keydown", (event) => {
      const links = [...list.querySelectorAll("a")];
      const at = links.indexOf(document.activeElement);
      if (event.key === "ArrowDown" && links.length > 0 && !list.hidden) links[Math.min(at + 1, links.length - 1)].focus();
      else if (event.key === "ArrowUp" && at >= 0) (at === 0 ? field : links[at - 1]).focus();
      else if (event.key === "Escape") {
        list.hidden = true;
        field.focus();
      } else return;
      event.preventDefault();
    });
    form.addEventListener("submit", (event) => {
      const first = list.hidden ? null : list.querySelector("a");
      if (!first) return; // The server searches.
      event.preventDefault();
      location.assign(first.href);
    });
    document.addEventListener("click", (event) => {
      if (!form.contains(event.target)) list.hidden = true;
    });
    document.addEventListener("keydown", (event) => {
      const isWriting = event.target.matches("input:not([type=radio]), textarea, select, [contenteditable]");
      if (event.key !== "/" || isWriting || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      field.focus();
      field.select();
    });
  }

  // The way around shows which section is being read.
  const sections = new Map();
  for (const link of document.querySelectorAll(".side a[href^='#']")) {
    const heading = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    if (heading) sections.set(heading, link);
  }
  if (sections.size > 0 && "IntersectionObserver" in window) {
    const mark = () => {
      let read = null;
      for (const heading of sections.keys()) if (heading.getBoundingClientRect().top < 120) read = heading;
      for (const [heading, link] of sections) {
        if (heading === read) link.setAttribute("aria-current", "location");
        else link.removeAttribute("aria-current");
      }
    };
    const observer = new IntersectionObserver(mark, { rootMargin: "-80px 0px -60% 0px", threshold: [0, 1] });
    for (const heading of sections.keys()) observer.observe(heading);
  }

  // The way around shows where one is.
  document.querySelector(".side [aria-current=page]")?.scrollIntoView({ block: "nearest" });

  // A call from the page, with a key that stays in it: nothing is kept, and cookies are not sent.
  for (const call of document.querySelectorAll(".trial .call")) {
    call.hidden = false;
    const [button, output, answer] = ["button", "output", ".answer"].map((what) => call.querySelector(what));
    button.addEventListener("click", async () => {
      let path = call.dataset.path;
      for (const input of call.querySelectorAll("[data-path]")) {
        if (input.value.trim() === "") {
          output.textContent = `Fill in ${input.dataset.path}.`;
          input.focus();
          return;
        }
        path = path.replace(`{${input.dataset.path}}`, encodeURIComponent(input.value.trim()));
      }
      const query = new URLSearchParams();
      for (const input of call.querySelectorAll("[data-query]")) if (input.value !== "") query.append(input.dataset.query, input.value);
      const body = call.querySelector("[data-body]")?.value;
      const key = call.querySelector("[data-key]").value.trim();
      const headers = { Authorization: `Bearer ${key}` };
      if (body) headers["Content-Type"] = "application/json";
      button.disabled = true;
      output.textContent = "…";
      try {
        const asked = query.size > 0 ? `${path}?${query}` : path;
        const reply = await fetch(asked, { method: call.dataset.method, headers, body: body || undefined, credentials: "omit", cache: "no-store", signal: AbortSignal.timeout(60_000) });
        const text = (await reply.text()).slice(0, 200_000);
        output.textContent = `${reply.status} ${reply.statusText}`;
        try {
          answer.textContent = JSON.stringify(JSON.parse(text), null, 2);
        } catch {
          answer.textContent = text;
        }
        answer.hidden = answer.textContent === "";
      } catch (error) {
        output.textContent = `No answer: ${error.message}`;
      } finally {
        button.disabled = false;
      }
    });
  }
})();
