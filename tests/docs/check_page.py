"""Checks pages of documentation: check_page.py FILE...

Each must be well-formed (every element closed in order), stand alone (nothing from elsewhere, no scripts), and be built
as pages should be: one h1, no gap between levels of headings, unique ids, links that lead somewhere, named columns.
Prints the text of every <pre> of every page, as JSON.
"""

import html.parser
import json
import pathlib
import sys

VOID = {"meta", "br", "hr", "link", "img", "input"}
FORBIDDEN = {"script", "link", "img", "iframe", "object", "embed", "form", "base", "video", "audio", "source", "svg"}


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.ids, self.targets, self.levels, self.code = [], set(), set(), [], []
        self.text = ""

    def must(self, holds, what):
        if not holds:
            raise ValueError(f"line {self.getpos()[0]}: {what} (inside {'/'.join(self.open)})")

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.must(len(given) == len(attributes), f"<{tag}> has an attribute twice")
        self.must(tag not in FORBIDDEN, f"<{tag}> has no place here")
        self.must(not any(name.startswith("on") or name == "style" for name in given), f"<{tag}> with {given}")
        if tag not in VOID:
            self.open.append(tag)
        if tag == "html":
            self.must(given.get("lang") == "en", "the language is not named")
        if "id" in given:
            self.must(given["id"] not in self.ids, f"the id {given['id']} is there twice")
            self.ids.add(given["id"])
        if tag == "a":
            target = given["href"]
            self.must(target.startswith(("#", "/")), f"a link to {target}")
            if target.startswith("#"):
                self.targets.add(target[1:])
        if tag in {"h1", "h2", "h3", "h4"}:
            level = int(tag[1])
            self.must(level <= (self.levels[-1] if self.levels else 0) + 1, f"<{tag}> after {self.levels[-1:]}")
            self.levels.append(level)
        if tag == "th":
            self.must(given.get("scope") in {"row", "col"}, "a <th> without a scope")
        if tag == "p":
            self.must("p" not in self.open[:-1], "a <p> in a <p>")
        if tag == "pre":
            self.code.append("")

    def handle_endtag(self, tag):
        self.must(self.open and self.open[-1] == tag, f"</{tag}> closes nothing")
        self.open.pop()

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data
        if "pre" in self.open:
            self.code[-1] += data


def check(path):
    page = Page()
    text = path.read_text(encoding="utf-8")
    page.must(text.startswith("<!DOCTYPE html>"), "it is no HTML")
    page.feed(text)
    page.close()
    page.must(not page.open, "not all is closed")
    page.must(page.levels.count(1) == 1, "there is not one <h1>")
    page.must(page.targets <= page.ids, f"links lead nowhere: {page.targets - page.ids}")
    page.must(text.count("<style>") == 1, "there is not one <style>")
    page.must("url(" not in text.split("</style>")[0] and "@import" not in text, "something from elsewhere")
    return {"code": page.code, "text": page.text}


print(json.dumps({path.name: check(path) for path in map(pathlib.Path, sys.argv[1:])}))
