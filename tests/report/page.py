"""page.py - checks a page of `mailrecv-report -o html` on standard input; prints what its charts and tables say

It is well-formed (each tag closed, each SVG is XML), needs nothing from elsewhere and holds no script,
whatever the log says. Output: for each chart its title, and each bar as `SHARE LABEL`, then rows of tables.
"""
import html.parser
import re
import sys
import xml.etree.ElementTree as ElementTree

VOID = {"meta"}
KNOWN = {"html", "head", "title", "style", "body", "h1", "h2", "p", "table", "tr", "td", "th", "details", "summary",
         "svg", "g", "rect", "text", "line"} | VOID
ATTRIBUTES = {"lang", "charset", "name", "content", "http-equiv", "class", "viewbox", "role", "aria-label", "xmlns",
              "x", "y", "x1", "x2", "y1", "y2", "width", "height", "text-anchor"}


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.cells = [], None

    def handle_starttag(self, tag, attributes):
        assert tag in KNOWN, tag
        for name, value in attributes:
            assert name in ATTRIBUTES and value is not None, (tag, name)
            assert name == "xmlns" or "://" not in value, value
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.cells = []
        elif tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open)
        self.open.pop()
        if tag == "tr":
            print(" | ".join(self.cells))
        elif tag == "svg":
            print("--")

    def handle_data(self, data):
        assert "<" not in data or self.open[-1] in ("td", "th", "text", "title"), data
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1] += data

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.handle_endtag(tag)


def bars(svg):
    """Each bar's share of the longest, in percent, with its label."""
    space = "{http://www.w3.org/2000/svg}"
    root = ElementTree.fromstring(svg)
    _, _, width, height = map(float, root.get("viewBox").split())
    print(root.get("aria-label"))
    if root.find(space + "g") is None:
        texts = [t.text for t in root.findall(space + "text")]
        found = [(float(r.get("height")), texts[2 * i + 1] + " " + texts[2 * i])
                 for i, r in enumerate(root.findall(space + "rect"))]
    else:
        found = [(float(g.find(space + "rect").get("width")), g.find(space + "title").text)
                 for g in root.findall(space + "g")]
    for r in root.iter(space + "rect"):
        assert float(r.get("x")) + float(r.get("width")) <= width and float(r.get("y")) + float(r.get("height")) <= height
    most = max(length for length, _ in found)
    for length, label in found:
        print(f"{100 * length / most:.0f} {label}" if most else f"0 {label}")


sys.stdout.reconfigure(encoding="utf-8")
text = sys.stdin.buffer.read().decode("ascii")
assert text.startswith("<!DOCTYPE html>\n")
assert "default-src 'none'" in text and "prefers-color-scheme:dark" in text and "url(" not in text
page = Page()
page.feed(text)
page.close()
assert page.open == [], page.open
for svg in re.findall(r"<svg.*?</svg>", text, re.S):
    bars(svg)
