// What scripts add to the pages: copying, times in the viewer's zone, the keyboard, and parts that keep themselves true. All pages
// work without it.
(() => {
  "use strict";
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const isTyping = (target) => target.closest?.("input, textarea, select, [contenteditable]");

  // Times: the exact one in the viewer's zone on hover, and how long ago as it is now.
  const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const ago = (seconds) => {
    const size = Math.abs(seconds);
    if (size < 1) return "now";
    const [unit, length] = units.find(([, length]) => size >= length);
    const span = `${Math.floor(size / length)} ${unit}`;
    return seconds >= 0 ? `${span} ago` : `in ${span}`;
  };
  const tellTimes = (within = document) => {
    for (const time of all("time[datetime]", within)) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      time.title = `${exact.format(at)} · ${time.dateTime}`;
      const text = ago((Date.now() - at.getTime()) / 1000);
      if (time.textContent !== text) time.textContent = text;
    }
  };

  // A word that goes away by itself.
  const toast = (text) => {
    const word = document.createElement("div");
    word.className = "toast";
    word.setAttribute("role", "status");
    word.textContent = text;
    document.body.append(word);
    setTimeout(() => word.remove(), 1600);
  };

  const dress = (within = document) => {
    tellTimes(within);
    for (const button of all("button[data-copy]", within)) button.hidden = false;
    for (const one of all("[data-scripted]", within)) one.hidden = false;
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-copy]");
    if (button) {
      try {
        await navigator.clipboard.writeText(button.dataset.copy);
        toast("Copied");
      } catch {
        const text = button.previousElementSibling;
        if (text) getSelection().selectAllChildren(text);
        toast("Selected: copy it with the keyboard");
      }
      return;
    }
    // A press on a row opens it, unless it was on something of its own or selects text.
    const row = event.target.closest("tr[data-href]");
    if (row && !event.target.closest("a, button, input, label, summary") && !String(getSelection())) {
      if (event.ctrlKey || event.metaKey) open(row.dataset.href, "_blank", "noopener");
      else location.href = row.dataset.href;
    }
  });

  // A form is sent once.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    // What comes back as a file leaves the page as it is.
    if (form.method !== "post" || "file" in form.dataset) return;
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = "yes";
    addEventListener("pageshow", () => delete form.dataset.sent, { once: true });
  });

  // Parts that keep themselves true: <section id data-refresh="SECONDS">. Not while one selects text or types in them.
  for (const part of all("[data-refresh]")) {
    const every = Math.max(1, Number(part.dataset.refresh)) * 1000;
    const again = async () => {
      const known = document.getElementById(part.id);
      if (!known || !known.dataset.refresh) return;
      if (!document.hidden && !known.contains(document.activeElement) && !String(getSelection())) {
        try {
          const reply = await fetch(location.href, { headers: { accept: "text/html" } });
          if (reply.redirected || reply.status === 401) {
            const note = document.createElement("p");
            note.className = "problem";
            note.setAttribute("role", "alert");
            note.textContent = "Your session has ended, so this does not keep itself true any more: load the page again.";
            return known.before(note);
          }
          const fresh = reply.ok && new DOMParser().parseFromString(await reply.text(), "text/html").getElementById(part.id);
          if (fresh) {
            known.replaceWith(fresh);
            dress(fresh);
          }
        } catch {
          // The server is away: the next time.
        }
      }
      setTimeout(again, every);
    };
    setTimeout(again, every);
  }

  // The keyboard: / searches, Ctrl K goes anywhere, j and k walk rows, Enter opens, x selects.
  const rows = () => all("tr[data-href], [data-row]");
  // The row itself and not its place: rows come and go.
  let chosen = null;
  const choose = (by) => {
    const list = rows();
    if (!list.length) return;
    const at = list.indexOf(chosen);
    chosen?.classList.remove("chosen");
    chosen = list[Math.max(0, Math.min(list.length - 1, at < 0 ? 0 : at + by))];
    chosen.classList.add("chosen");
    chosen.scrollIntoView({ block: "nearest" });
    // Enter opens what the row is about, which need not be its first link.
    const links = all("a[href]", chosen);
    (links.find((link) => link.getAttribute("href") === chosen.dataset.href) ?? links[0])?.focus({ preventScroll: true });
  };
  const palette = () => {
    const dialog = document.createElement("dialog");
    dialog.className = "palette";
    dialog.setAttribute("aria-label", "Go to");
    const input = document.createElement("input");
    input.type = "text";
    input.placeholder = "Go to a page, or find an id, a URL, a type";
    const list = document.createElement("ul");
    list.id = "palette-ways";
    // A list of choices with the keyboard in the field above it: what is chosen is told, and never has the focus.
    for (const [name, value] of [["role", "combobox"], ["aria-label", "Go to"], ["aria-expanded", "true"], ["aria-controls", list.id], ["aria-autocomplete", "list"]]) input.setAttribute(name, value);
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", "Pages");
    dialog.append(input, list);
    const ways = all(".around a[href], .acts a[href]").map((a) => [a.textContent.trim(), a.href]);
    let at = 0;
    const show = () => {
      const text = input.value.trim().toLowerCase();
      const found = ways.filter(([name]) => name.toLowerCase().includes(text)).slice(0, 12);
      const search = document.querySelector("form.search");
      if (text && search) found.push([`Find “${input.value.trim()}”`, `${search.action}?text=${encodeURIComponent(input.value.trim())}`]);
      at = Math.min(at, Math.max(0, found.length - 1));
      list.replaceChildren(...found.map(([name, href], n) => {
        const item = document.createElement("li");
        item.id = `palette-${n}`;
        item.setAttribute("role", "option");
        item.setAttribute("aria-selected", String(n === at));
        item.textContent = name;
        item.dataset.to = href;
        if (n === at) item.className = "chosen";
        return item;
      }));
      if (found.length) input.setAttribute("aria-activedescendant", `palette-${at}`);
      else input.removeAttribute("aria-activedescendant");
      list.children[at]?.scrollIntoView({ block: "nearest" });
    };
    input.addEventListener("input", () => { at = 0; show(); });
    dialog.addEventListener("keydown", (event) => {
      const count = list.children.length;
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        at = (at + (event.key === "ArrowDown" ? 1 : count - 1)) % Math.max(1, count);
        show();
      } else if (event.key === "Enter") {
        event.preventDefault();
        list.querySelector(".chosen")?.click();
      }
    });
    dialog.addEventListener("click", (event) => {
      const way = event.target.closest("[data-to]");
      if (way) location.href = way.dataset.to;
      else if (event.target === dialog) dialog.close();
    });
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    show();
    dialog.showModal();
    input.focus();
  };
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      if (!document.querySelector("dialog[open]")) palette();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector("dialog[open]")) return;
    if (event.key === "/") {
      const search = document.getElementById("search");
      if (search) { event.preventDefault(); search.focus(); }
    } else if (event.key === "j") choose(1);
    else if (event.key === "k") choose(-1);
    else if (event.key === "Enter" && chosen?.isConnected && !event.target.closest("a, button, summary")) {
      if (chosen.dataset.href) location.href = chosen.dataset.href;
    } else if (event.key === "x" && chosen?.isConnected) {
      chosen.querySelector("input[type=checkbox]")?.click();
    }
  });

  // Ticks: shift and a press ticks all between, and the box in the head ticks all.
  let last = null;
  document.addEventListener("click", (event) => {
    const box = event.target.closest("td input[type=checkbox], th input[type=checkbox]");
    if (!box) return;
    const boxes = all("td input[type=checkbox]", box.closest("table"));
    if (box.closest("th")) boxes.forEach((one) => { one.checked = box.checked; });
    else if (event.shiftKey && last && boxes.includes(last)) {
      const [from, to] = [boxes.indexOf(last), boxes.indexOf(box)].sort((a, b) => a - b);
      boxes.slice(from, to + 1).forEach((one) => { one.checked = box.checked; });
    }
    if (!box.closest("th")) last = box;
    box.closest("form")?.dispatchEvent(new CustomEvent("ticked"));
  });

  dress();
  setInterval(tellTimes, 10000);
  // For the scripts of single pages.
  globalThis.hookwheel = { dress, toast };
})();
