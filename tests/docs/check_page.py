"""Checks pages of documentation: check_page.py FILE...

Each must be well-formed (every element closed in order), be shown with files of our own only (no script, no style and no
handler stands in it), and be built as pages should be: a title, landmarks, one h1, no gap between levels of headings, unique
ids, labels, named columns. Prints of every page, as JSON: the text of every <pre>, all text, the ids, where its links lead, the
order of the navigation, the languages to choose among, and how tall it is, about.
"""

import html.parser
import json
import pathlib
import sys

VOID = {"meta", "br", "hr", "link", "img", "input"}
FORBIDDEN = {"b", "style", "img", "iframe", "object", "embed", "base", "video", "audio", "source"}
# What is read on a screen with room for 68 letters of text: letters in a line, and pixels of a line and of what is around it.
ROOM = {"p": (72, 26, 12), "li": (68, 26, 6), "tr": (78, 25, 17), "pre": (10**9, 21, 56), "h2": (60, 30, 56), "h3": (70, 24, 40)}
ROOM |= {"h1": (50, 40, 40), "h4": (80, 24, 30), "summary": (88, 26, 20), "label": (30, 28, 0), "textarea": (10**9, 20, 16)}


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.ids, self.links, self.levels, self.code = [], set(), [], [], []
        self.text, self.title, self.order, self.groups, self.labels, self.inputs = "", "", [], [], set(), set()
        self.landmarks, self.height, self.measured = [], 0, []

    def must(self, holds, what):
        if not holds:
            raise ValueError(f"line {self.getpos()[0]}: {what} (inside {'/'.join(tag for tag, *_ in self.open)})")

    def inside(self, tag):
        return any(one == tag for one, *_ in self.open)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.must(len(given) == len(attributes), f"<{tag}> has an attribute twice")
        self.must(tag not in FORBIDDEN, f"<{tag}> has no place here")
        self.must(not any(name.startswith("on") or name == "style" for name in given), f"<{tag}> with {given}")
        if tag in {"link", "script"}:
            file = given.get("href", given.get("src", ""))
            self.must(file.startswith("/docs/assets/"), f"<{tag}> from {file!r}")
        if tag == "form":
            self.must(given.get("role") == "search" and given["action"].startswith("/docs/"), f"a form to {given}")
        if tag == "html":
            self.must(given.get("lang") == "en", "the language is not named")
        if tag in {"main", "nav", "header"}:
            self.landmarks.append(tag)
            self.must(tag != "nav" or given.get("aria-label"), "a <nav> without a name")
        if "id" in given:
            self.must(given["id"] not in self.ids, f"the id {given['id']} is there twice")
            self.ids.add(given["id"])
        if tag == "a":
            target = given["href"]
            self.must(target.startswith(("#", "/", "https://")) and not target.startswith("//"), f"a link to {target}")
            self.links.append(target)
            if any(shown == "side" for *_, shown in self.open):
                self.order.append(target)
        if tag in {"h1", "h2", "h3", "h4"}:
            level = int(tag[1])
            self.must(level <= (self.levels[-1] if self.levels else 0) + 1, f"<{tag}> after {self.levels[-1:]}")
            self.levels.append(level)
        if tag == "th":
            self.must(given.get("scope") in {"row", "col"}, "a <th> without a scope")
        if tag == "p":
            self.must(not self.inside("p"), "a <p> in a <p>")
        if tag == "label":
            self.labels.add(given["for"])
        if tag in {"input", "textarea"}:
            self.inputs.add(given["id"])
        if tag == "fieldset":
            self.groups.append({"name": None, "languages": [], "checked": 0, "shown": 0})
        if tag == "input" and given.get("type") == "radio":
            group = self.groups[-1]
            self.must(group["name"] in (None, given["name"]), "two groups in one")
            group["name"] = given["name"]
            group["languages"].append(given["value"])
            group["checked"] += "checked" in given
        is_tab = tag == "div" and self.open and self.open[-1][0] == "fieldset"
        if is_tab:
            self.groups[-1]["shown"] += 1
        is_answer = tag == "pre" and given.get("class") == "answer"
        if tag == "pre" and not is_answer:
            self.code.append("")
        # What is folded, behind a tab, or not of the page's own is not scrolled through.
        folded = tag == "nav" or (tag == "details" and "open" not in given) or is_answer or "hidden" in given
        folded = folded or (is_tab and self.groups[-1]["shown"] > 1)
        if tag == "div" and given.get("data-method"):
            folded = False
        if tag not in VOID:
            skipped = folded or (bool(self.open) and self.open[-1][1] and tag != "summary")
            self.open.append((tag, skipped, given.get("class")))
            if tag in ROOM and not skipped and self.inside("main"):
                self.measured.append((len(self.open), tag, len(self.text)))

    def handle_endtag(self, tag):
        self.must(self.open and self.open[-1][0] == tag, f"</{tag}> closes nothing")
        if self.measured and self.measured[-1][0] == len(self.open):
            _, kind, start = self.measured.pop()
            letters, line, around = ROOM[kind]
            text = self.text[start:]
            rows = text.count("\n") + 1 if letters == 10**9 else -(-len(" ".join(text.split())) // letters)
            self.height += around + max(1, rows) * line
        self.open.pop()

    def handle_data(self, data):
        if self.inside("script"):
            self.must(not data.strip(), "a script in the page")
        if self.inside("title") and not self.inside("svg"):
            self.title += data
        if not self.inside("title"):
            self.text += data
        if self.inside("pre") and not any(tag == "pre" and shown == "answer" for tag, _, shown in self.open):
            self.code[-1] += data


def check(path):
    page = Page()
    text = path.read_text(encoding="utf-8")
    page.must(text.startswith("<!DOCTYPE html>"), "it is no HTML")
    page.feed(text)
    page.close()
    page.must(not page.open, "not all is closed")
    page.must(page.title.strip(), "there is no title")
    page.must(page.levels.count(1) == 1, "there is not one <h1>")
    page.must(page.landmarks.count("main") == 1, "there is not one <main>")
    page.must("nav" in page.landmarks and "header" in page.landmarks, f"there are only {page.landmarks}")
    page.must(page.inputs <= page.labels, f"without a label: {page.inputs - page.labels}")
    page.must("@import" not in text, "something from elsewhere")
    told = {"code": page.code, "text": page.text, "ids": sorted(page.ids), "links": page.links}
    return told | {"order": page.order, "groups": page.groups, "height": page.height}


print(json.dumps({path.name: check(path) for path in map(pathlib.Path, sys.argv[1:])}))
